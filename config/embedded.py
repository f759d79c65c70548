"""Embedded PostgreSQL and Valkey for one data folder: where they answer, and how they come and go.

Every command that needs them holds a shared lock (``in-use.lock``) as long as it lives. Servers are
started, and the database is migrated, under an exclusive lock (``start.lock``). A keeper, one small process
that belongs to nobody, waits until it can have ``in-use.lock`` for itself, leaves the servers idle for a
while, and stops them. The kernel frees all locks however their owners die; whoever comes or goes and finds no
keeper starts one.
"""

import atexit
import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from config import postgres, valkey
from config.runner import MARK, EmbeddedServerError, Runner, runner_for
from lib import locks, processes

Part = Literal["postgres", "valkey"]
BASE_DIR = Path(__file__).resolve().parent.parent
IDLE_S = 30.0
IN_USE, STARTING, KEEPER, KEEPER_PID = "in-use.lock", "start.lock", "keeper.lock", "keeper.pid"

__all__ = [
    "EmbeddedServerError",
    "Use",
    "broker_url",
    "postgres_settings",
    "socket_dir",
    "start",
    "stop_if_unused",
]


def socket_dir(data_dir: Path) -> Path:
    """The short private folder of the sockets; a unix socket's path has at most 103 bytes.

    It is a function of the folder's real path alone, so that every command finds the same servers whatever
    its environment says about temporary or runtime folders.
    """
    digest = hashlib.sha256(os.fsencode(data_dir.resolve())).hexdigest()
    return Path("/tmp") / f"liner-notes-{os.geteuid()}-{digest[:12]}"  # noqa: S108  (checked before use)


def postgres_settings(data_dir: Path) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": postgres.DATABASE,
        "USER": postgres.DATABASE,
        "HOST": str(socket_dir(data_dir)),
        "PORT": str(postgres.PORT),
    }


def broker_url(data_dir: Path) -> str:
    return f"redis+socket://{valkey.socket_path(socket_dir(data_dir))}"


class Use:
    """This process's claim on the servers; they stay up until ``release``, or the end of the process."""

    def __init__(self, data_dir: Path, lock: locks.Lock, idle_s: float) -> None:
        self._data_dir = data_dir
        self._lock: locks.Lock | None = lock
        self._idle_s = idle_s
        self._owner = os.getpid()
        atexit.register(self.release)

    def release(self, *, stop: bool = False) -> None:
        """Let go; with ``stop`` the servers end now, and not after the idle time, unless others use them."""
        if self._lock is None or self._owner != os.getpid():
            return
        if self._lock.is_current() and not stop:
            self._lock.touch()
            _ensure_keeper(self._data_dir, self._idle_s)
        self._lock.release()
        self._lock = None
        if stop:
            stop_if_unused(self._data_dir)


def start(
    data_dir: Path,
    parts: Sequence[Part] = ("postgres", "valkey"),
    *,
    prepare: Callable[[], None] = lambda: None,
    idle_s: float = IDLE_S,
    durable: bool = True,
) -> Use:
    """Start what does not run yet, run ``prepare`` while nobody else starts, and hold the servers.

    With ``durable`` False PostgreSQL leaves it to the system when to write to disk: quick, for tests, and
    lost when the machine crashes.

    Raises
    ------
    EmbeddedServerError
        If a server can't be started.
    """
    home = _private_folder(data_dir)
    lock = locks.shared(home / IN_USE)
    use = Use(data_dir, lock, idle_s)
    lock.touch()
    try:
        with locks.exclusive(home / STARTING):
            _start_missing(home, socket_dir(data_dir), parts, durable=durable)
            _ensure_keeper(data_dir, idle_s)
            prepare()
    except BaseException:
        use.release()
        raise
    return use


def stop_if_unused(data_dir: Path) -> bool:
    """Stop the servers now instead of after the idle time; False where somebody is using them."""
    home = _home(data_dir)
    if not home.exists():
        return True
    lock = locks.try_exclusive(home / IN_USE)
    if lock is None:
        locks.shared(home / IN_USE).release()  # it may have been the keeper, which looks in now and then
        lock = locks.try_exclusive(home / IN_USE)
    if lock is None:
        return False
    with lock:
        _end_keeper(home)
        _stop(home, socket_dir(data_dir))
    return True


def _home(data_dir: Path) -> Path:
    return data_dir.resolve() / "embedded"


def _folder(home: Path) -> Path:
    """Where the servers' files are: here, or in a system folder that is named here."""
    try:
        return Path((home / MARK).read_text().strip())
    except FileNotFoundError:
        return home


def _private_folder(data_dir: Path) -> Path:
    home = _home(data_dir)
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        home.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise EmbeddedServerError(f"DATA_DIR {data_dir} can't be written: {error.strerror}.") from error
    if home.stat().st_uid != os.geteuid():
        raise EmbeddedServerError(
            f"{home} belongs to user id {home.stat().st_uid}: run as that user, or choose another DATA_DIR."
        )
    return home


def _start_missing(home: Path, sockets: Path, parts: Sequence[Part], *, durable: bool) -> None:
    folder = _folder(home)
    needs_postgres = "postgres" in parts and not postgres.is_ready(folder, sockets)
    needs_valkey = "valkey" in parts and not valkey.is_ready(folder, sockets)
    if not (needs_postgres or needs_valkey):
        return
    runner = runner_for(home)
    _private_sockets(sockets, runner)
    if needs_postgres:
        postgres.start(runner, sockets, durable=durable)
    if needs_valkey:
        valkey.start(runner, sockets)


def _private_sockets(sockets: Path, runner: Runner) -> None:
    """Make the folder of the sockets, or make sure that the one that stands there is ours alone."""
    owner = runner.account.pw_uid if runner.account else os.geteuid()
    try:
        sockets.mkdir(mode=0o700)
        runner.give(sockets)
    except FileExistsError:
        pass
    found = sockets.lstat()
    if found.st_uid != owner or found.st_mode & 0o170077 != 0o040000:
        raise EmbeddedServerError(
            f"{sockets} should be a folder of user id {owner} with mode 700 and is not: remove it."
        )


def _stop(home: Path, sockets: Path) -> None:
    valkey.stop(_folder(home), sockets)
    postgres.stop(_folder(home), sockets)
    _remove_sockets(sockets)


def _remove_sockets(sockets: Path) -> None:
    valkey.socket_path(sockets).unlink(missing_ok=True)
    with suppress(OSError):  # not there, or a server that did not stop still lives in it
        sockets.rmdir()


def _ensure_keeper(data_dir: Path, idle_s: float) -> None:
    """Start a keeper unless one lives; it inherits its lock, so that there is no moment without it."""
    lock = locks.try_exclusive(_home(data_dir) / KEEPER)
    if lock is None:
        return
    with lock:
        keeper = [
            sys.executable,
            "-m",
            "config.embedded",
            str(data_dir.resolve()),
            str(idle_s),
            str(lock.fileno()),
        ]
        subprocess.run(
            ["/bin/sh", "-c", '"$@" &', "sh", *keeper],  # the shell leaves: the keeper is nobody's child
            check=True,
            cwd=BASE_DIR,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(lock.fileno(),),
            start_new_session=True,
        )


def keep(data_dir: Path, idle_s: float, keeper_lock: int) -> None:
    """Be the keeper: stop the servers when nobody has used them for ``idle_s`` seconds, then return."""
    home, sockets = _home(data_dir), socket_dir(data_dir)
    birthplace, servers = home.stat(), _pids(home, sockets)
    (home / KEEPER_PID).write_text(str(os.getpid()))
    last_use, quiet_since = 0.0, time.monotonic()
    while True:
        try:
            nobody_else = locks.exclusive(home / IN_USE)
        except FileNotFoundError:
            return _end_orphans(servers, sockets)
        with nobody_else:
            if not os.path.samestat(birthplace, home.stat()):
                return _end_orphans(servers, sockets)
            if nobody_else.used_at() != last_use:
                last_use, quiet_since = nobody_else.used_at(), time.monotonic()
            if time.monotonic() - quiet_since >= idle_s:
                _stop(home, sockets)
                os.close(keeper_lock)  # before the others may come in, so that the next one starts a keeper
                return None
            servers = _pids(home, sockets)
        time.sleep(min(1.0, idle_s / 5))


def _end_keeper(home: Path) -> None:
    try:
        pid = int((home / KEEPER_PID).read_text())
    except (FileNotFoundError, ValueError):
        return
    processes.end(pid, str(home.parent), signal.SIGTERM, patience_s=5)


def _pids(home: Path, sockets: Path) -> tuple[int, int]:
    return postgres.pid(_folder(home), sockets), valkey.pid(_folder(home), sockets)


def _end_orphans(servers: tuple[int, int], sockets: Path) -> None:
    """End the servers whose data folder was removed; nothing of theirs can be saved any more."""
    for server in servers:
        processes.end(server, str(sockets), signal.SIGQUIT, patience_s=10)


if __name__ == "__main__":
    keep(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
