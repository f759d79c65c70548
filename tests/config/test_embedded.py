import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psycopg
import pytest

from config import embedded, postgres, valkey
from config.runner import MARK, EmbeddedServerError, runner_for
from lib import processes

BASE_DIR = Path(__file__).resolve().parent.parent.parent
IDLE_S = 0.5
COMMAND = f"""
import sys, time
from pathlib import Path
from config import embedded
use = embedded.start(Path(sys.argv[1]), idle_s={IDLE_S}, durable=False)
print("started", flush=True)
time.sleep(60)
"""


@pytest.fixture(scope="module")
def used_before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation that was started once; copying it is quicker than making another cluster."""
    folder = tmp_path_factory.mktemp("installations") / "used-before"
    start(folder).release(stop=True)
    return folder


@pytest.fixture
def data_dir(tmp_path: Path, used_before: Path) -> Iterator[Path]:
    shutil.copytree(used_before, tmp_path / "installation")
    (tmp_path / "installation" / "embedded" / MARK).unlink(
        missing_ok=True
    )  # or both would be one installation
    yield from stopped_afterwards(tmp_path / "installation")


@pytest.fixture
def empty_data_dir(tmp_path: Path) -> Iterator[Path]:
    yield from stopped_afterwards(tmp_path / "empty")


def start(data_dir: Path, parts: Sequence[embedded.Part] = ("postgres", "valkey")) -> embedded.Use:
    return embedded.start(data_dir, parts, idle_s=IDLE_S, durable=False)


def stopped_afterwards(folder: Path) -> Iterator[Path]:
    yield folder
    assert embedded.stop_if_unused(folder), "a test left a command running"


def command(data_dir: Path) -> "subprocess.Popen[str]":
    """A command of its own process that has its servers, and holds them until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, str(data_dir)], cwd=BASE_DIR, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


def kill(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate()


def kill_and_wait(pid: int) -> None:
    mark = processes.command_line(pid)
    os.kill(pid, signal.SIGKILL)
    assert processes.wait_until_gone(pid, mark, 20)


def keeper_pid(data_dir: Path) -> int:
    """The living keeper's process id, or 0; a folder that was used before names a dead one at first."""
    try:
        pid = int((data_dir / "embedded" / embedded.KEEPER_PID).read_text())
    except (FileNotFoundError, ValueError):
        return 0
    return pid if str(data_dir) in processes.command_line(pid) else 0


def remove(data_dir: Path) -> None:
    """Remove it at once: servers that still run would put new files into a folder that is being emptied."""
    shutil.rmtree(data_dir.rename(data_dir.with_name("removed")), ignore_errors=True)


def servers_folder(data_dir: Path) -> Path:
    """Where the servers' files are: a system folder where root may make no user namespace, as in containers."""
    mark = data_dir / "embedded" / MARK
    return Path(mark.read_text()) if mark.exists() else mark.parent


def server_pids(data_dir: Path) -> tuple[int, int]:
    sockets = embedded.socket_dir(data_dir)
    return postgres.pid(servers_folder(data_dir), sockets), valkey.pid(servers_folder(data_dir), sockets)


def query(data_dir: Path, statement: str) -> list[tuple[object, ...]]:
    address = embedded.postgres_settings(data_dir)
    with psycopg.connect(host=address["HOST"], user=address["USER"], dbname=address["NAME"]) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def eventually(condition: Callable[[], bool], limit_s: float = 20) -> bool:
    limit = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > limit:
            return False
        time.sleep(0.05)
    return True


class TestStart:
    def test_gives_a_database_with_its_extensions_and_a_broker(self, data_dir: Path) -> None:
        use = start(data_dir)

        extensions = {name for (name,) in query(data_dir, "SELECT extname FROM pg_extension")}
        assert extensions >= set(postgres.EXTENSIONS)
        assert valkey.is_ready(servers_folder(data_dir), embedded.socket_dir(data_dir))

        use.release(stop=True)
        assert server_pids(data_dir) == (0, 0)
        assert not embedded.socket_dir(data_dir).exists()

    def test_starts_only_what_is_asked_for(self, empty_data_dir: Path) -> None:
        use = start(empty_data_dir, ["valkey"])

        assert not (empty_data_dir / "embedded" / "postgres").exists()
        use.release(stop=True)

    def test_leaves_a_closed_parent_closed(self, tmp_path: Path) -> None:
        parent = tmp_path / "private"
        parent.mkdir(mode=0o700)
        before = [
            (folder, folder.stat().st_mode, folder.stat().st_uid) for folder in (parent, *parent.parents)
        ]

        use = start(parent / "deep" / "data")
        use.release(stop=True)

        assert before == [(folder, folder.stat().st_mode, folder.stat().st_uid) for folder, _, _ in before]
        cluster = servers_folder(parent / "deep" / "data") / "postgres"
        assert stat.S_IMODE(cluster.stat().st_mode) == 0o700

    def test_keeps_two_folders_apart(self, data_dir: Path, empty_data_dir: Path) -> None:
        one, other = start(data_dir), start(empty_data_dir)

        query(data_dir, "CREATE TABLE only_here ()")
        assert query(empty_data_dir, "SELECT to_regclass('only_here')") == [(None,)]

        one.release(stop=True)
        assert query(empty_data_dir, "SELECT 1") == [(1,)]
        other.release(stop=True)

    def test_recovers_what_was_committed_before_both_servers_were_killed(self, data_dir: Path) -> None:
        use = start(data_dir)
        query(data_dir, "CREATE TABLE kept AS SELECT 7 AS number")
        for pid in server_pids(data_dir):
            kill_and_wait(pid)

        again = start(data_dir)

        assert query(data_dir, "SELECT number FROM kept") == [(7,)]
        assert all(server_pids(data_dir))
        again.release()
        use.release(stop=True)

    def test_recognises_a_process_id_that_somebody_else_has_now(self, data_dir: Path) -> None:
        start(data_dir).release(stop=True)  # where the files move to a system folder, now they are there
        stale = servers_folder(data_dir) / "postgres" / "postmaster.pid"
        stale.write_text(f"{os.getpid()}\n{stale.parent}\n1\n5432\n/nowhere\n\n  1 1\nready   \n")
        other = servers_folder(data_dir) / "valkey" / "valkey.pid"
        other.write_text(f"{os.getpid()}\n")
        for path in (stale, other):
            os.chown(path, path.parent.stat().st_uid, -1)

        use = start(data_dir)

        assert query(data_dir, "SELECT 1") == [(1,)]
        assert os.getpid() not in server_pids(data_dir)
        use.release(stop=True)

    def test_begins_anew_when_the_folder_was_removed_under_running_servers(self, data_dir: Path) -> None:
        use = start(data_dir)
        query(data_dir, "CREATE TABLE gone ()")
        old = server_pids(data_dir)
        remove(data_dir)

        again = start(data_dir)

        assert query(data_dir, "SELECT to_regclass('gone')") == [(None,)]
        assert set(old).isdisjoint(server_pids(data_dir))
        assert not any(processes.command_line(pid) for pid in old)
        use.release()
        again.release(stop=True)

    def test_refuses_a_folder_of_sockets_that_others_can_enter(self, data_dir: Path) -> None:
        sockets = embedded.socket_dir(data_dir)
        sockets.mkdir()
        sockets.chmod(0o755)  # and not by the mode above, which a strict umask narrows
        try:
            with pytest.raises(EmbeddedServerError, match="should be a folder of user id"):
                start(data_dir)
        finally:
            sockets.rmdir()


class TestKeeper:
    def test_stops_the_servers_when_the_last_command_was_killed(self, data_dir: Path) -> None:
        starter, second = command(data_dir), command(data_dir)
        pids = server_pids(data_dir)
        assert all(pids)

        kill(starter)
        time.sleep(3 * IDLE_S)
        assert server_pids(data_dir) == pids, "the second command lost its servers with the first"
        assert query(data_dir, "SELECT 1") == [(1,)]

        kill(second)
        assert eventually(lambda: server_pids(data_dir) == (0, 0))

    def test_is_replaced_when_it_was_killed(self, data_dir: Path) -> None:
        use = start(data_dir)
        assert eventually(lambda: bool(keeper_pid(data_dir)))
        kill_and_wait(keeper_pid(data_dir))

        use.release()

        assert eventually(lambda: server_pids(data_dir) == (0, 0))

    def test_ends_the_servers_of_a_folder_that_was_removed(self, data_dir: Path) -> None:
        process = command(data_dir)
        pids = server_pids(data_dir)
        assert eventually(lambda: bool(keeper_pid(data_dir)))
        remove(data_dir)

        kill(process)

        assert eventually(lambda: not any(map(processes.command_line, pids)))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another user for PostgreSQL")
class TestSystemFolder:
    @pytest.fixture
    def system_dir(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="liner-notes-system-") as folder:
            Path(folder).chmod(0o755)
            yield Path(folder) / "made"

    def test_serves_where_user_namespaces_are_not_allowed(
        self, data_dir: Path, system_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = data_dir.stat()
        monkeypatch.setattr("config.runner._namespace", lambda: ("false",))
        monkeypatch.setattr(
            embedded, "runner_for", lambda home: runner_for(home, system_dir=system_dir, system_user="nobody")
        )

        before_umask = os.umask(0o077)  # as a careful root has it; the system user must get in all the same
        try:
            use = start(data_dir)
        finally:
            os.umask(before_umask)

        (folder,) = (path for path in system_dir.iterdir() if not path.name.startswith("programs-"))
        pid = postgres.pid(folder, embedded.socket_dir(data_dir))
        assert Path(f"/proc/{pid}").stat().st_uid == pwd.getpwnam("nobody").pw_uid
        assert query(data_dir, "SELECT 1") == [(1,)]
        assert (data_dir.stat().st_mode, data_dir.stat().st_uid) == (
            before.st_mode,
            before.st_uid,
        )
        use.release(stop=True)
        assert not postgres.pid(folder, embedded.socket_dir(data_dir))
