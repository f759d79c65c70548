"""Telling music files from others without decoding them."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from provenance.intake.errors import IntakeError

EXTENSIONS: Final = frozenset(
    {
        *(".aac", ".aif", ".aiff", ".au", ".caf", ".flac", ".m4a", ".mp2", ".mp3", ".oga", ".ogg", ".opus"),
        *(".w64", ".wav", ".wma", ".wv"),
        *(".mid", ".midi", ".kar", ".rmi"),
        *(".it", ".mod", ".mptm", ".s3m", ".stm", ".xm"),
    }
)
"""Extensions of audio, MIDI and tracker files, lower case."""

_MAGIC_AT_0: Final = (b"OggS", b"fLaC", b"MThd", b"ID3", b"IMPM", b"Extended Module: ", b"caff", b"wvpk")
_RIFF_KINDS: Final = (b"WAVE", b"RMID")


def is_sound(path: Path) -> bool:
    """Say whether a file is sound: by its extension, or without one by its first bytes.

    Unreadable files and empty ones without an extension are not.
    """
    if path.suffix:
        return path.suffix.lower() in EXTENSIONS
    try:
        with path.open("rb") as opened:
            return is_sound_head(opened.read(64))
    except OSError:
        return False


def is_sound_head(head: bytes) -> bool:
    """Say whether the first bytes of a file are those of a sound file."""
    if head.startswith(_MAGIC_AT_0):
        return True
    if head[:4] == b"RIFF" and head[8:12] in _RIFF_KINDS:
        return True
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return True
    return head[44:48] == b"SCRM"


def is_wanted(name: str, only: tuple[str, ...]) -> bool:
    """Say whether a path matches one of the patterns, case ignored; without patterns every path does."""
    return not only or any(fnmatchcase(name.lower(), pattern.lower()) for pattern in only)


def require_sounds(source: Path, *, n_seen: int, n_wanted: int, only: tuple[str, ...]) -> None:
    """Refuse a source of which nothing is left to read.

    Raises
    ------
    IntakeError
        If ``n_wanted`` is 0; it says whether there is no sound at all or none that the patterns want.
    """
    if n_wanted:
        return
    if n_seen:
        files = "1 sound file was" if n_seen == 1 else f"{n_seen} sound files were"
        raise IntakeError(f"{source}: {files} seen, and none matches {' or '.join(only)}")
    raise IntakeError(f"{source} holds no sound file that is known here by extension or first bytes")


def walk(folder: Path) -> list[Path]:
    """Return every regular file under ``folder``, sorted; links are never followed."""
    found = []
    for parent, folders, names in os.walk(folder, followlinks=False):
        folders.sort()
        found += [Path(parent, name) for name in names]
    return sorted(path for path in found if path.is_file() and not path.is_symlink())
