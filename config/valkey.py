"""The embedded Valkey: Celery's broker, on a unix socket only, with what is queued kept on disk."""

import signal
import socket
import time
from pathlib import Path

from config.runner import EmbeddedServerError, Runner
from lib import processes

START_LIMIT_S = 60.0
STOP_PATIENCE_S = 20.0


def socket_path(sockets: Path) -> Path:
    return sockets / "valkey.sock"


def is_ready(folder: Path, sockets: Path) -> bool:
    return bool(pid(folder, sockets)) and _says(sockets, "PING") == "+PONG"


def start(runner: Runner, sockets: Path) -> None:
    folder = runner.folder / "valkey"
    if not folder.exists():
        folder.mkdir(mode=0o700)
        runner.give(folder)
    if not pid(runner.folder, sockets):
        _end_stranger(sockets)
        _launch(runner, sockets)
    limit = time.monotonic() + START_LIMIT_S
    while not is_ready(runner.folder, sockets):
        if time.monotonic() > limit:
            raise EmbeddedServerError(
                f"Valkey was not ready after {START_LIMIT_S:.0f} s: see {folder / 'valkey.log'}."
            )
        time.sleep(0.01)


def stop(folder: Path, sockets: Path) -> None:
    processes.end(pid(folder, sockets), str(sockets), signal.SIGTERM, patience_s=STOP_PATIENCE_S)


def pid(folder: Path, sockets: Path) -> int:
    """The living server's process id, or 0."""
    try:
        number = int((folder / "valkey" / "valkey.pid").read_text())
    except (FileNotFoundError, ValueError):
        return 0
    return number if str(sockets) in processes.command_line(number) else 0


def _launch(runner: Runner, sockets: Path) -> None:
    folder = runner.folder / "valkey"
    runner.run(
        runner.valkey_server,
        *("--port", "0", "--unixsocket", socket_path(sockets), "--unixsocketperm", "700"),
        *("--dir", folder, "--pidfile", folder / "valkey.pid", "--logfile", folder / "valkey.log"),
        *("--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction"),
        *("--proc-title-template", "{title} {unixsocket}", "--daemonize", "yes"),
    )


def _end_stranger(sockets: Path) -> None:
    """End a server that still answers for a data folder that was deleted under it."""
    limit = time.monotonic() + STOP_PATIENCE_S
    while _says(sockets, "PING"):
        if time.monotonic() > limit:
            raise EmbeddedServerError(f"Another Valkey answers at {socket_path(sockets)} and does not stop.")
        _says(sockets, "SHUTDOWN NOSAVE FORCE")
        time.sleep(0.05)


def _says(sockets: Path, command: str) -> str:
    """The first line of the answer to an inline command, or an empty string where nobody answers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(5)
        try:
            connection.connect(str(socket_path(sockets)))
            connection.sendall(f"{command}\r\n".encode())
            return connection.recv(512).decode(errors="replace").partition("\r\n")[0]
        except OSError:
            return ""
