"""The child process that decodes: what it may use, and what its last words mean."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Sequence

from provenance.audio import limits
from provenance.audio.errors import (
    AudioError,
    DecodeLimitError,
    DecoderMissingError,
    NotAudioError,
    TruncatedAudioError,
)

_STOPPED = (-signal.SIGXCPU, -signal.SIGKILL, -signal.SIGXFSZ)
"""How a child ends that goes past a limit."""


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        packages = {"prlimit": "util-linux", "ffprobe": "ffmpeg"}
        raise DecoderMissingError(f"{name} is not installed (Debian: {packages.get(name, name)})")
    return found


def limited(program: str) -> list[str]:
    """Begin a command line whose program runs within the limits."""
    return [
        _program("prlimit"),
        f"--as={limits.MAX_CHILD_MEMORY_BYTES}",
        f"--cpu={limits.MAX_CHILD_CPU_S}",
        f"--fsize={64 << 20}",
        "--core=0",
        "--",
        _program(program),
    ]


class Child:
    """A decoder: its samples come through a pipe, its messages lie in a file, its wall time is watched.

    One that shares descriptors of files with us can also be written to.
    """

    def __init__(self, command: list[str], name: str, *, shares: Sequence[int] = ()) -> None:
        self.name = name
        self._messages = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE if shares else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._messages,
            pass_fds=shares,
        )
        self._expired = False
        self._watch = threading.Timer(limits.MAX_CHILD_WALL_S, self._expire)
        self._watch.daemon = True
        self._watch.start()

    def _expire(self) -> None:
        self._expired = True
        self._process.kill()

    def read(self, n_bytes: int) -> bytes:
        assert self._process.stdout is not None  # noqa: S101 - PIPE was asked for
        return self._process.stdout.read(n_bytes)

    def write(self, said: bytes) -> None:
        """Tell it something; one that has ended needs to hear nothing."""
        assert self._process.stdin is not None  # noqa: S101 - shares were given
        with contextlib.suppress(BrokenPipeError):
            os.write(self._process.stdin.fileno(), said)

    def messages(self) -> str:
        """Read what it has said so far; it shares its place in the file with us, so nothing may seek."""
        return os.pread(self._messages.fileno(), 1 << 20, 0).decode(errors="replace")

    def finish(self) -> None:
        """Wait for the end and raise what went wrong."""
        status = self._status()
        if status != 0:
            raise explain(self.name, status, self.messages())

    def ended_in_order(self) -> bool:
        """Wait for the end and say whether all went well; raise only that it was stopped at a limit."""
        status = self._status()
        if status in _STOPPED:
            raise explain(self.name, status, "")
        return status == 0

    def _status(self) -> int:
        status = self._process.wait()
        if self._expired:
            raise DecodeLimitError(
                f"{self.name} took longer than {limits.MAX_CHILD_WALL_S:.0f} s to decode and was stopped"
            )
        return status

    def close(self) -> None:
        self._watch.cancel()
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait()
        self._messages.close()


def explain(name: str, status: int, messages: str) -> AudioError:
    """Turn a decoder's last words into an error that says what to do."""
    starved = "Cannot allocate memory" in messages or "failed to map segment" in messages
    if starved or status in _STOPPED:
        return DecodeLimitError(
            f"decoding {name} went past the limits on memory or processor time and was stopped"
        )
    if status in (126, 127):
        return DecoderMissingError(f"the decoder for {name} cannot be started ({last_line(messages)})")
    if status < 0:
        return NotAudioError(f"{name} made the decoder crash (signal {-status}): it is damaged or hostile")
    if "moov atom not found" in messages or "End of file" in messages:
        return TruncatedAudioError(f"{name} is cut before its index: fetch it again")
    if "matches no streams" in messages or "does not contain any stream" in messages:
        return NotAudioError(f"{name} holds no audio stream")
    return NotAudioError(f"{name} is not audio that can be decoded ({last_line(messages)})")


def last_line(messages: str) -> str:
    lines = [line.strip() for line in messages.splitlines() if "[error]" in line or "[fatal]" in line]
    lines = lines or [line.strip() for line in messages.splitlines() if line.strip()]
    said = re.sub(r"file:/\S*/", "", lines[-1] if lines else "no message")
    return re.sub(r"^(\[[^]]*\]\s*)+", "", said)[:200]
