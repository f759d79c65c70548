"""Other processes: who they are, and how they end."""

import os
import signal
import subprocess
import time
from pathlib import Path


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
    limit = time.monotonic() + limit_s
    while mark in command_line(pid):
        if time.monotonic() > limit:
            return False
        time.sleep(0.02)
    return True


def _command_line_without_proc(pid: int) -> str:
    listed = subprocess.run(
        ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return listed.stdout.strip()
