"""Files that people send: named safely, kept until a worker has read them, and never a way to the server's own files.

A table on the command line may name any file on the machine; a table that was sent may name only what was sent
with it.
"""

import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PureWindowsPath

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile

from governance.errors import LinerNotesError
from lib.files import replacing
from provenance.errors import ProvenanceError
from provenance.intake.archive import Limits, unpack
from provenance.intake.csv import table_rows  # what registering reads by too: both see the same cells
from provenance.intake.sounds import EXTENSIONS

TABLES = (".csv", ".xlsx")
MAX_NAME_CHARS = 200
FRESH_S = 3600.0
FILE_COLUMNS = ("path", "fingerprint")


class UploadTooLargeError(LinerNotesError):
    code = "upload_too_large"
    status = 413


class UnsafeUploadError(ProvenanceError):
    code = "unsafe_upload"
    status = 422


@dataclass(frozen=True)
class Source:
    """What registering reads: a table and where its paths start, or a folder of audio."""

    path: Path
    format: str
    root: Path


def keep_source(sent: "UploadedFile[bytes]", *, also: tuple[str, ...] = ()) -> Source:
    """Keep a CSV, XLSX or ZIP until a worker registers it; a file of a kind in ``also`` is recognised by its reader.

    Raises
    ------
    UploadTooLargeError, UnsafeUploadError, IntakeError
        If it is refused; then nothing of it is kept.
    """
    name = safe_name(sent, (*TABLES, ".zip", *also))
    folder = upload_folder()
    folder.mkdir(parents=True, mode=0o700)
    try:
        path = folder / name
        _write(sent, path)
        format = "auto" if path.suffix.lower() in also else "csv"
        source = _unpacked(path) if path.suffix.lower() == ".zip" else Source(path, format, folder)
        if source.format == "csv":
            _refuse_foreign_paths(source)
    except BaseException:
        remove_source(folder)
        raise
    return source


@contextmanager
def audio_file(sent: "UploadedFile[bytes]") -> Iterator[Path]:
    """Lend a sound file that was sent as a path, and forget it afterwards."""
    name = safe_name(sent, tuple(EXTENSIONS))
    folder = upload_folder()
    folder.mkdir(parents=True, mode=0o700)
    try:
        _write(sent, folder / name)
        yield folder / name
    finally:
        remove_source(folder)


def safe_name(sent: "UploadedFile[bytes]", suffixes: tuple[str, ...]) -> str:
    """Return the file's own name, or refuse it: too large, climbing, hidden, or of a kind nobody reads."""
    limit_bytes: int = settings.UPLOAD_MAX_BYTES
    if (sent.size or 0) > limit_bytes:
        raise UploadTooLargeError(f"The file has {sent.size:,} bytes; at most {limit_bytes:,} are taken.")
    name = sent.name or ""
    if name != PureWindowsPath(name).name or name.startswith(".") or not name.isprintable():
        raise UnsafeUploadError(f"{name!r} can't name a file: send a plain name without folders.")
    if len(name.encode()) > MAX_NAME_CHARS:
        raise UnsafeUploadError(f"The file's name is longer than {MAX_NAME_CHARS} bytes.")
    if Path(name).suffix.lower() not in suffixes:
        raise UnsafeUploadError(f"{name!r} is of no kind that is read here: {', '.join(sorted(suffixes))}.")
    return name


def upload_folder() -> Path:
    return Path(settings.DATA_DIR) / "uploads" / secrets.token_hex(16)


def forget(source: Path) -> None:
    """Remove what was sent with ``source``; what was named where it lies, by a command or in the inbox, stays."""
    room = Path(settings.DATA_DIR) / "uploads"
    if source.is_relative_to(room) and source != room:
        remove_source(room / source.relative_to(room).parts[0])


def forget_finished(awaited: Iterable[str], *, now: datetime) -> None:
    """Remove what no job waits for any more: audio that was registered is kept elsewhere.

    What came in a moment ago stays: its job may not be written yet.
    """
    wanted = {Path(source) for source in awaited}
    for folder in (Path(settings.DATA_DIR) / "uploads").glob("*"):
        try:
            age_s = now.timestamp() - folder.stat().st_mtime
        except FileNotFoundError:  # a worker that ended has removed it meanwhile
            continue
        if age_s > FRESH_S and not any(source.is_relative_to(folder) for source in wanted):
            remove_source(folder)


def remove_source(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def _write(sent: "UploadedFile[bytes]", path: Path) -> None:
    with replacing(path) as part, part.open("wb") as opened:
        for chunk in sent.chunks():
            opened.write(chunk)


def _unpacked(archive: Path) -> Source:
    """Unpack an archive beside itself: its one table, else the audio in it, is the source."""
    folder = archive.parent / "unpacked" / archive.stem
    folder.mkdir(parents=True)
    unpack(archive, folder, Limits(n_files=20_000, total_bytes=5 * settings.UPLOAD_MAX_BYTES))
    archive.unlink()
    tables = sorted(path for path in folder.rglob("*") if path.suffix.lower() in TABLES)
    if len(tables) > 1:
        raise UnsafeUploadError(
            f"{archive.name} holds {len(tables)} tables ({tables[0].name}, {tables[1].name}…): send one at a time."
        )
    return Source(tables[0], "csv", tables[0].parent) if tables else Source(folder, "folder", folder)


def _refuse_foreign_paths(source: Source) -> None:
    _, rows = table_rows(source.path)
    for number, cells in rows:
        for cell in (cells[name] for name in FILE_COLUMNS if name in cells):
            if Path(cell).is_absolute() or ".." in Path(cell).parts:
                raise UnsafeUploadError(
                    f"{source.path.name}, row {number}: {cell!r} lies outside what was sent. "
                    "Send the audio with the table, in one ZIP, and name it from there."
                )
