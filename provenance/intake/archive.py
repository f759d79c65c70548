"""Unpacking archives of strangers.

Nothing outside the target folder is written, no link is ever made, and what unpacks to too many files, too
many
bytes, or far more than the archive's own size is refused while it unpacks, whatever its headers claim.
"""

from __future__ import annotations

import io
import lzma
import os
import shutil
import stat
import subprocess
import tarfile
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Final

from provenance.intake.errors import IntakeError, UnsafeArchive

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK_BYTES: Final = 1 << 20
AR_MAGIC: Final = b"!<arch>\n"
_AR_HEADER_BYTES: Final = 60


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may unpack to."""

    n_files: int = 100_000
    file_bytes: int = 4 << 30
    total_bytes: int = 32 << 30
    ratio: float = 100.0
    """Unpacked bytes a packed byte. Compressed music reaches 1.1, a silent WAV in a zip 1,000."""
    ratio_from_bytes: int = 64 << 20
    """The ratio is looked at only from so many unpacked bytes on."""


@dataclass(slots=True)
class Unpacked:
    """What came out of an archive."""

    folder: Path
    n_files: int = 0
    n_bytes: int = 0
    skipped: list[str] = field(default_factory=list)
    """Links of a Debian package, which are not made."""


def unpack(path: Path, folder: Path, limits: Limits | None = None) -> Unpacked:
    """Unpack a zip, tar or Debian package into an empty folder.

    Parameters
    ----------
    path : Path
        The archive, recognised by its first bytes.
    folder : Path
        An existing folder that nobody else writes to.
    limits : Limits, optional
        What it may unpack to.

    Returns
    -------
    Unpacked
        Counts, and what was skipped.

    Raises
    ------
    UnsafeArchive
        If it holds climbing or absolute paths, links, devices, or unpacks to more than the limits.
    IntakeError
        If it is damaged, encrypted, or no archive that is known here.
    """
    limits = limits or Limits()
    with path.open("rb") as opened:
        head = opened.read(8)
    sink = _Sink(path, folder, limits)
    with _damage_named(path):
        if head == AR_MAGIC:
            _unpack_deb(path, sink)
        elif zipfile.is_zipfile(path):
            _unpack_zip(path, sink)
        elif tarfile.is_tarfile(path):
            with tarfile.open(path, "r:*") as archive:
                _unpack_tar(archive, sink, links="refuse")
        else:
            raise IntakeError(f"{path.name} is no zip, tar or Debian package: unpack it and name the folder")
    return sink.done


def is_archive(path: Path) -> bool:
    """Say whether `unpack` knows what ``path`` is."""
    with path.open("rb") as opened:
        if opened.read(8) == AR_MAGIC:
            return True
    return zipfile.is_zipfile(path) or tarfile.is_tarfile(path)


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    damaged = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError)
    try:
        yield
    except damaged as error:
        raise IntakeError(
            f"{path.name} can't be unpacked, it is damaged or encrypted ({error}): fetch it again"
        ) from error


class _Sink:
    """The only place that writes: checks every name and counts every byte."""

    def __init__(self, path: Path, folder: Path, limits: Limits) -> None:
        self._path = path
        self._packed_bytes = max(path.stat().st_size, 1)
        self._limits = limits
        self._links: set[str] = set()
        self.done = Unpacked(folder)

    @property
    def name(self) -> str:
        """The archive's own name."""
        return self._path.name

    def check_name(self, name: str) -> str:
        """Return the relative POSIX path of a member, or refuse it."""
        if "\\" in name or any(ord(char) < 32 or ord(char) == 127 for char in name):
            raise UnsafeArchive(f"{self._path.name}: member {name!r} has a name no archive should have")
        pure = PurePosixPath(name)
        if pure.is_absolute() or ".." in pure.parts or (pure.parts and ":" in pure.parts[0]):
            raise UnsafeArchive(f"{self._path.name}: member {name!r} would land outside its folder")
        parts = [part for part in pure.parts if part != "."]
        for n_parts in range(1, len(parts) + 1):
            if "/".join(parts[:n_parts]) in self._links:
                raise UnsafeArchive(f"{self._path.name}: member {name!r} lies behind a link")
        return "/".join(parts)

    def skip_link(self, name: str, target: str) -> None:
        """Remember a link that is not made; refuse one that climbs out."""
        clean = self.check_name(name)
        depth = len(PurePosixPath(clean).parts) - 1
        for part in PurePosixPath(target).parts:
            depth += -1 if part == ".." else 1
            if depth < 0 and not target.startswith("/"):
                raise UnsafeArchive(f"{self._path.name}: link {name!r} points outside, to {target!r}")
        self._links.add(clean)
        self.done.skipped.append(f"{clean} -> {target}")

    def write(self, name: str, source: IO[bytes]) -> None:
        """Write one member, counting what really comes."""
        clean = self.check_name(name)
        self.done.n_files += 1
        if self.done.n_files > self._limits.n_files:
            raise UnsafeArchive(f"{self._path.name} holds more than {self._limits.n_files} files")
        target = self.done.folder / clean
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            opened = target.open("xb")
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise UnsafeArchive(f"{self._path.name}: member {name!r} stands in it twice") from error
        with opened:
            n_bytes = 0
            while chunk := source.read(CHUNK_BYTES):
                n_bytes += len(chunk)
                self._count(clean, n_bytes, len(chunk))
                opened.write(chunk)

    def copy(self, name: str, earlier: str) -> None:
        """Write a hard link's member as a copy of what was unpacked before."""
        source = self.done.folder / self.check_name(earlier)
        if not source.is_file():
            raise UnsafeArchive(
                f"{self._path.name}: {name!r} is a hard link to {earlier!r}, which is not in it"
            )
        with source.open("rb") as opened:
            self.write(name, opened)

    def _count(self, name: str, file_bytes: int, n_new: int) -> None:
        self.done.n_bytes += n_new
        limits = self._limits
        if file_bytes > limits.file_bytes:
            raise UnsafeArchive(f"{self._path.name}: {name} unpacks to more than {limits.file_bytes:,} bytes")
        if self.done.n_bytes > limits.total_bytes:
            raise UnsafeArchive(f"{self._path.name} unpacks to more than {limits.total_bytes:,} bytes")
        too_dense = self.done.n_bytes > limits.ratio * self._packed_bytes
        if too_dense and self.done.n_bytes > limits.ratio_from_bytes:
            raise UnsafeArchive(
                f"{self._path.name} unpacks to more than {limits.ratio:g} times its size, as a bomb would"
            )


def _unpack_zip(path: Path, sink: _Sink) -> None:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            mode = member.external_attr >> 16
            if stat.S_ISLNK(mode):
                raise UnsafeArchive(f"{path.name}: member {member.filename!r} is a link")
            if mode and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_IFMT(mode) == 0):
                raise UnsafeArchive(f"{path.name}: member {member.filename!r} is no file")
            if member.is_dir():
                sink.check_name(member.filename)
                continue
            with archive.open(member) as opened:
                sink.write(member.filename, opened)


def _unpack_tar(archive: tarfile.TarFile, sink: _Sink, *, links: str) -> None:
    for member in archive:
        if member.isdir():
            sink.check_name(member.name)
        elif member.isfile():
            opened = archive.extractfile(member)
            if opened is not None:
                sink.write(member.name, opened)
        elif links == "skip" and member.issym():
            sink.skip_link(member.name, member.linkname)
        elif links == "skip" and member.islnk():
            sink.copy(member.name, member.linkname)
        elif member.issym() or member.islnk():
            raise UnsafeArchive(f"{sink.name}: member {member.name!r} is a link")
        else:
            raise UnsafeArchive(f"{sink.name}: member {member.name!r} is no file")


def _unpack_deb(path: Path, sink: _Sink) -> None:
    """Unpack a package's file tree. Its links are skipped: packages have many, and none is needed here."""
    name, offset, n_bytes = _find_data(path)
    if name.endswith(".zst"):
        _unpack_deb_by_dpkg(path, sink)
        return
    with path.open("rb") as opened:
        window = io.BufferedReader(_Window(opened, offset, n_bytes))
        with tarfile.open(fileobj=window, mode="r|*") as archive:
            _unpack_tar(archive, sink, links="skip")


def _unpack_deb_by_dpkg(path: Path, sink: _Sink) -> None:
    """Python 3.11 reads no zstd, which Ubuntu packs with; dpkg-deb does, and only turns it into a tar stream."""
    program = shutil.which("dpkg-deb")
    if program is None:
        raise IntakeError(f"{path.name} is packed with zstd: install dpkg, or unpack it and name the folder")
    with subprocess.Popen(
        [program, "--fsys-tarfile", os.fspath(path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as child:
        try:
            with tarfile.open(fileobj=child.stdout, mode="r|") as archive:
                _unpack_tar(archive, sink, links="skip")
        finally:
            child.kill()


def _find_data(path: Path) -> tuple[str, int, int]:
    """Return name, offset and size of a package's ``data.tar`` member (deb(5), ar format)."""
    size = path.stat().st_size
    with path.open("rb") as opened:
        opened.seek(len(AR_MAGIC))
        while True:
            header = opened.read(_AR_HEADER_BYTES)
            if len(header) < _AR_HEADER_BYTES or header[58:60] != b"`\n":
                raise IntakeError(f"{path.name} is a damaged Debian package without data.tar: fetch it again")
            name = header[:16].decode("ascii", "replace").strip().rstrip("/")
            try:
                n_bytes = int(header[48:58])
            except ValueError as error:
                raise IntakeError(f"{path.name} is a damaged Debian package: fetch it again") from error
            if name.startswith("data.tar"):
                if opened.tell() + n_bytes > size:
                    raise IntakeError(f"{path.name} is cut short: fetch it again")
                return name, opened.tell(), n_bytes
            opened.seek(n_bytes + n_bytes % 2, io.SEEK_CUR)


class _Window(io.RawIOBase):
    """A read-only stretch of a file."""

    def __init__(self, opened: IO[bytes], offset: int, n_bytes: int) -> None:
        self._opened = opened
        self._left = n_bytes
        opened.seek(offset)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        chunk = self._opened.read(min(len(buffer), self._left))
        buffer[: len(chunk)] = chunk
        self._left -= len(chunk)
        return len(chunk)
