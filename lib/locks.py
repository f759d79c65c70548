"""Advisory file locks that the kernel frees when their owner dies, however it dies."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self


class Lock:
    """A held lock on ``path``, until ``release`` or the end of the process.

    The descriptor is not inherited by programs that are started from here. A forked child shares the lock:
    it is free when parent and child have both let go.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    def is_current(self) -> bool:
        """Tell whether ``path`` still is the locked file, and not a new one after somebody removed it."""
        try:
            return os.path.samestat(os.fstat(self._descriptor), os.stat(self.path))
        except FileNotFoundError:
            return False

    def fileno(self) -> int:
        return self._descriptor

    def touch(self) -> None:
        os.utime(self._descriptor)

    def used_at(self) -> float:
        """When somebody last touched the lock, in seconds since 1970."""
        return os.fstat(self._descriptor).st_mtime

    def release(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def shared(path: Path) -> Lock:
    """Wait until nobody holds ``path`` exclusively, and hold it together with others."""
    return _acquire(path, lambda descriptor: fcntl.flock(descriptor, fcntl.LOCK_SH))


def exclusive(path: Path) -> Lock:
    """Wait until nobody holds ``path``, and hold it alone."""
    return _acquire(path, lambda descriptor: fcntl.flock(descriptor, fcntl.LOCK_EX))


def try_exclusive(path: Path) -> Lock | None:
    """Hold ``path`` alone, or return None at once where somebody holds it."""
    try:
        return _acquire(path, lambda descriptor: fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB))
    except BlockingIOError:
        return None


def _acquire(path: Path, flock: Callable[[int], None]) -> Lock:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            flock(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        lock = Lock(path, descriptor)
        if lock.is_current():
            return lock
        lock.release()
