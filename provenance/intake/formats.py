"""Choosing the reader for a source."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from provenance.intake.archive import AR_MAGIC, is_archive, unpack
from provenance.intake.errors import IntakeError, UnknownFormat
from provenance.intake.record import Intake

FORMATS: Final = ("csv", "dep5", "ddex", "croissant", "folder")

FINGERPRINT_TABLE: Final = "catalogue.csv"
"""The table that lies beside fingerprints that somebody made of audio that stays at home."""


def open_intake(
    path: Path | str,
    *,
    format: str = "auto",
    root: Path | str | None = None,
    only: tuple[str, ...] = (),
) -> Intake:
    """Open a source of recordings.

    Parameters
    ----------
    path : Path or str
        What the format says: a table, a package, an ERN message, a JSON-LD file or a folder. With ``auto`` or
        ``folder``, also a zip or tar of one of these.
    format : str
        ``csv``, ``dep5``, ``ddex``, ``croissant``, ``folder`` or ``auto``.
    root : Path or str, optional
        Where relative audio paths start, and outside of which nothing is read; default: beside the file, where an
        absolute path in a table is taken at its word, unless the table came in an archive.
    only : tuple of str
        Patterns (``*`` and ``?``, case ignored) of the paths inside a package or folder that are wanted,
        such as
        ``*/music/*``: games ship their effects beside their music. Empty = all; tables and messages ignore
        it.

    Returns
    -------
    Intake
        A context manager; use it in a ``with`` statement.

    Raises
    ------
    UnknownFormat
        If ``format`` is none of these, or ``auto`` recognises nothing.
    IntakeError
        If the source can't be read at all.
    """
    path = Path(path)
    root = Path(root) if root is not None else None
    if format not in (*FORMATS, "auto"):
        raise UnknownFormat(f"no format {format!r}: use {', '.join(FORMATS)} or auto")
    if not path.exists():
        raise IntakeError(f"{path} does not exist")
    if root is not None and not root.is_dir():
        raise IntakeError(f"root {root} is no folder")
    try:
        if format in ("auto", "folder") and path.is_file() and _is_other_archive(path):
            return _open_archive(path, format, root, only)
        if format == "auto" and _holds_fingerprints(path):
            path = path / FINGERPRINT_TABLE
        return _READERS[recognise(path) if format == "auto" else format](path, root, only)
    except OSError as error:
        raise IntakeError(f"{error.filename or path} can't be read: {error.strerror or error}") from error


def recognise(path: Path) -> str:
    """Return the format of a file or folder.

    Raises
    ------
    UnknownFormat
        If nothing here recognises it.
    """
    if path.is_dir():
        return _recognise_folder(path)
    with path.open("rb") as opened:
        head = opened.read(4096)
    if head.startswith(AR_MAGIC):
        return "dep5"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"<"):
        return "ddex"
    if text.startswith(b"{"):
        return "croissant"
    if path.suffix.lower() in (".csv", ".tsv", ".txt", ".xlsx"):
        return "csv"
    raise UnknownFormat(
        f"{path.name} is nothing known here: name a CSV, XLSX, .deb, DDEX ERN, Croissant JSON-LD or a folder"
    )


def _recognise_folder(path: Path) -> str:
    if any(path.glob("usr/share/doc/*/copyright")) or any(path.glob("*/usr/share/doc/*/copyright")):
        return "dep5"
    return "dep5" if any(path.glob("*.deb")) else "folder"


def _holds_fingerprints(path: Path) -> bool:
    return (path / FINGERPRINT_TABLE).is_file() and any(path.glob("*.fingerprint"))


def _is_other_archive(path: Path) -> bool:
    """Say whether it is a zip or tar; a workbook is a zip too, and a package is read as a package."""
    if path.suffix.lower() == ".xlsx":
        return False
    with path.open("rb") as opened:
        if opened.read(8) == AR_MAGIC:
            return False
    return is_archive(path)


def _open_archive(path: Path, format: str, root: Path | None, only: tuple[str, ...]) -> Intake:
    """Open what a zip or tar holds; its one table, message or JSON-LD file at the top says what it is."""
    holder = tempfile.TemporaryDirectory(prefix="intake-")
    try:
        folder = Path(holder.name)
        unpack(path, folder)
        inner = [found for found in folder.iterdir() if found.is_dir()]
        if len(inner) == 1 and not any(found.is_file() for found in folder.iterdir()):
            folder = inner[0]
        described = [
            found
            for found in folder.iterdir()
            if found.suffix.lower() in (".csv", ".xlsx", ".xml", ".json", ".jsonld")
        ]
        source = described[0] if len(described) == 1 and format == "auto" else folder
        bound = root or (
            source.parent if source.is_file() else source
        )  # what was sent names nothing that was not
        intake = _READERS[recognise(source) if format == "auto" else format](source, bound, only)
    except BaseException:
        holder.cleanup()
        raise
    intake.keep_until_closed(holder.cleanup)
    return intake


def _csv(path: Path, root: Path | None, _: tuple[str, ...]) -> Intake:
    from provenance.intake.csv import TableIntake

    _must_be_file(path, "csv")
    return TableIntake(path, root)


def _dep5(path: Path, _: Path | None, only: tuple[str, ...]) -> Intake:
    from provenance.intake.dep5 import Dep5Intake

    return Dep5Intake(path, only=only)


def _ddex(path: Path, root: Path | None, _: tuple[str, ...]) -> Intake:
    from provenance.intake.ddex import DdexIntake

    _must_be_file(path, "ddex")
    return DdexIntake(path, root)


def _croissant(path: Path, root: Path | None, _: tuple[str, ...]) -> Intake:
    from provenance.intake.croissant import CroissantIntake

    _must_be_file(path, "croissant")
    return CroissantIntake(path, root)


def _folder(path: Path, _: Path | None, only: tuple[str, ...]) -> Intake:
    from provenance.intake.folder import FolderIntake

    if not path.is_dir():
        raise IntakeError(f"{path} is no folder")
    return FolderIntake(path, only=only)


def _must_be_file(path: Path, format: str) -> None:
    if not path.is_file():
        raise IntakeError(f"{path} is a folder: format {format} needs a file")


_READERS: Final[dict[str, Callable[[Path, Path | None, tuple[str, ...]], Intake]]] = {
    "csv": _csv,
    "dep5": _dep5,
    "ddex": _ddex,
    "croissant": _croissant,
    "folder": _folder,
}
