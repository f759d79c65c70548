"""Other processes: who they are, and how they end."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self


class Crew:
    """Programs that are started together and end together, when the block ends or is interrupted.

    Each leads a process group of its own: Ctrl-C reaches only us, and they are ended in order, with what they
    started themselves.
    """

    def __init__(self, patience_s: float = 15.0) -> None:
        self._patience_s = patience_s
        self._programs: list[subprocess.Popen[bytes]] = []

    def start(
        self, command: Sequence[str], *, log: Path, environment: Mapping[str, str] | None = None
    ) -> "subprocess.Popen[bytes]":
        """Start a program that writes what it says to ``log``."""
        with log.open("ab") as said:
            program = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                env=None if environment is None else {**os.environ, **environment},
                start_new_session=True,
            )
        self._programs.append(program)
        return program

    def stop(self) -> None:
        for program in reversed(self._programs):
            _signal_group(program, signal.SIGTERM)
        limit = time.monotonic() + self._patience_s
        for program in reversed(self._programs):
            with suppress(subprocess.TimeoutExpired):
                program.wait(max(0.0, limit - time.monotonic()))
            _signal_group(program, signal.SIGKILL)  # also what it left behind
            program.wait()
        self._programs.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _signal_group(leader: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(leader.pid, number)


def command_line(pid: int) -> str:
    """The command line of a living process, or an empty string; a zombie has none."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return "" if Path("/proc/self").exists() else _command_line_without_proc(pid)
    return b" ".join(words).decode(errors="replace").strip()


def end(pid: int, mark: str, first: signal.Signals, *, patience_s: float) -> None:
    """Send ``first`` to the process whose command line holds ``mark``; kill it when it is still there later.

    The mark keeps a process id that was given to somebody else since from being hit.
    """
    for request, wait_s in ((first, patience_s), (signal.SIGKILL, 10.0)):
        if mark not in command_line(pid):
            return
        try:
            os.kill(pid, request)
        except ProcessLookupError:
            return
        if wait_until_gone(pid, mark, wait_s):
            return


def wait_until_gone(pid: int, mark: str, limit_s: float) -> bool:
    """Wait until the process has ended and let go of its files and locks; False if it has not by then."""
    limit = time.monotonic() + limit_s
    while mark in command_line(pid) or _is_ending(pid):
        if time.monotonic() > limit:
            return False
        time.sleep(0.02)
    return True


def _is_ending(pid: int) -> bool:
    """Whether a process has lost its memory, its command line with it, but may still hold files and locks."""
    if command_line(pid):
        return False
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def _command_line_without_proc(pid: int) -> str:
    listed = subprocess.run(
        ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return listed.stdout.strip()
