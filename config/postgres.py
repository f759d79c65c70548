"""The embedded PostgreSQL: one cluster, one database, reached through a unix socket only."""

import secrets
import shutil
import signal
import socket
import time
from pathlib import Path

from config.runner import EmbeddedServerError, Runner
from lib import files, processes

DATABASE = "liner_notes"
EXTENSIONS = ("btree_gist", "citext", "pg_trgm", "vector")
PORT = 5432
START_LIMIT_S = 120.0
START_ATTEMPTS = 5
STOP_PATIENCE_S = 60.0
NO_PROCESS = 2**31 - 1
"""A process id that no system gives out."""


def is_ready(folder: Path, sockets: Path) -> bool:
    """Whether the server of this folder takes commands; costs one connection, which PostgreSQL forgets."""
    lines = _pid_file(folder)
    return lines[7:8] == ["ready"] and bool(_living(lines, sockets)) and _accepts(_socket(sockets))


def start(runner: Runner, sockets: Path, *, durable: bool) -> None:
    if not _cluster(runner.folder).exists():
        _create_cluster(runner, durable=durable)
    _end_stranger(runner.folder, sockets)
    limit = time.monotonic() + START_LIMIT_S
    attempts = 0
    while not is_ready(runner.folder, sockets):
        if time.monotonic() > limit:
            raise EmbeddedServerError(
                f"PostgreSQL was not ready after {START_LIMIT_S:.0f} s: see {_log(runner.folder)}."
            )
        if pid(runner.folder, sockets):  # starting, recovering or stopping
            time.sleep(0.05)
            continue
        attempts += 1
        try:
            _launch(runner, sockets, durable=durable)
        except EmbeddedServerError as error:
            if attempts == START_ATTEMPTS:
                raise EmbeddedServerError(
                    f"PostgreSQL can't start: {_complaint(runner.folder) or error}"
                ) from error
            time.sleep(1)  # the children of a killed server need a moment to notice and to let its memory go


def stop(folder: Path, sockets: Path) -> None:
    processes.end(pid(folder, sockets), str(sockets), signal.SIGINT, patience_s=STOP_PATIENCE_S)


def pid(folder: Path, sockets: Path) -> int:
    """The living server's process id, or 0."""
    return _living(_pid_file(folder), sockets)


def _cluster(folder: Path) -> Path:
    return folder / "postgres"


def _log(folder: Path) -> Path:
    return folder / "postgres.log"


def _socket(sockets: Path) -> Path:
    return sockets / f".s.PGSQL.{PORT}"


def _pid_file(folder: Path) -> list[str]:
    """The lines of postmaster.pid: process id, folder, start, port, sockets, address, memory key, status."""
    return _lines(_cluster(folder) / "postmaster.pid")


def _lines(path: Path) -> list[str]:
    try:
        return [line.strip() for line in path.read_text(errors="replace").splitlines()]
    except FileNotFoundError:
        return []


def _living(lines: list[str], sockets: Path) -> int:
    number = int(lines[0]) if lines and lines[0].isdigit() else 0
    return number if number and str(sockets) in processes.command_line(number) else 0


def _accepts(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.connect(str(path))
        except OSError:
            return False
    return True


def _create_cluster(runner: Runner, *, durable: bool) -> None:
    """Make the cluster with its database beside its place, then rename: a killed start leaves no half."""
    for left in runner.folder.glob(f".postgres.*{files.PART_SUFFIX}"):
        shutil.rmtree(left)
    part = runner.folder / f".postgres.{secrets.token_hex(4)}{files.PART_SUFFIX}"
    part.mkdir(mode=0o700)
    runner.give(part)
    locale = ("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--locale", "C")
    runner.run(
        runner.postgres_bin / "initdb",
        *("--pgdata", str(part), "--username", DATABASE, "--auth", "trust", "--encoding", "UTF8"),
        *(*locale, "--set", "timezone=UTC", *(() if durable else ("--no-sync",))),
    )
    # In template1, so that the databases of the tests have the extensions too.
    statements = [*(f"CREATE EXTENSION {name}" for name in EXTENSIONS), f"CREATE DATABASE {DATABASE}"]
    runner.run(
        runner.postgres_bin / "postgres",
        *("--single", "-D", str(part), "-c", "exit_on_error=on", *_writing(durable), "template1"),
        text="".join(f"{statement}\n" for statement in statements),
    )
    part.rename(_cluster(runner.folder))


def _launch(runner: Runner, sockets: Path, *, durable: bool) -> None:
    _forget_stale_pid(runner, sockets)
    words = ["-k", str(sockets), "-p", str(PORT), "-c", "listen_addresses=''", *_writing(durable)]
    runner.run(
        runner.postgres_bin / "pg_ctl",
        *("start", "--pgdata", _cluster(runner.folder), "--log", _log(runner.folder)),
        *("--wait", "--timeout", f"{START_LIMIT_S:.0f}", "--options", " ".join(words)),
        timeout_s=START_LIMIT_S + 10,
    )


def _writing(durable: bool) -> list[str]:
    if durable:
        return []
    return ["-c", "fsync=off", "-c", "full_page_writes=off"]


def _forget_stale_pid(runner: Runner, sockets: Path) -> None:
    """Replace the process id of a dead server by one that nobody has.

    After a crash or a restart of the machine the number may belong to somebody else, and PostgreSQL would
    then refuse to start. The file itself must stay: by the memory key in it PostgreSQL sees whether children
    of the dead server are still writing.
    """
    lines = _pid_file(runner.folder)
    if not lines or _living(lines, sockets):
        return
    path = _cluster(runner.folder) / "postmaster.pid"
    with path.open("r+") as file:
        file.write("\n".join([str(NO_PROCESS), *lines[1:]]) + "\n")
        file.truncate()


def _end_stranger(folder: Path, sockets: Path) -> None:
    """End a server that still answers for a data folder that was deleted under it."""
    number = _living(_lines(_socket(sockets).with_name(f".s.PGSQL.{PORT}.lock")), sockets)
    if number and number != pid(folder, sockets):
        processes.end(number, str(sockets), signal.SIGQUIT, patience_s=STOP_PATIENCE_S)


def _complaint(folder: Path) -> str:
    complaints = [line for line in _lines(_log(folder)) if " FATAL: " in line or " PANIC: " in line]
    return complaints[-1].partition(": ")[2].strip() if complaints else ""
