"""Index files that are verified whole: a magic number, a format, a JSON header, and what the header says of the body.

Header and body are covered by SHA-256 digests. A file that is damaged, of another format or method, or made of something
else than the caller has, is a named error and never an index.
"""

from __future__ import annotations

import hashlib
import json
import struct
from typing import TYPE_CHECKING, Any

from lib import files

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_PREAMBLE = struct.Struct("<4sHxxI32s")


class SimilarityIndexError(Exception):
    """An index file that cannot serve."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class IndexMissingError(SimilarityIndexError):
    """There is no file."""


class IndexDamagedError(SimilarityIndexError):
    """The file is cut, altered, or no index at all."""


class IndexFormatError(SimilarityIndexError):
    """The file is whole and of a format or method that this program does not read."""


class IndexStaleError(SimilarityIndexError):
    """The file is whole and holds other recordings or fingerprints than it should."""


def header_of(described: Mapping[str, Any]) -> bytes:
    """Write a header; the same content gives the same bytes.

    Parameters
    ----------
    described : mapping
        What the file holds, in JSON's types; ``body_sha256`` is the body's digest.
    """
    return json.dumps(described, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def save(path: Path, *, magic: bytes, layout: int, header: bytes, body: Iterable[bytes]) -> None:
    """Write a file; until it is whole and on the disk, what stood at ``path`` stays.

    Parameters
    ----------
    path : Path
    magic : bytes
        Four, by which the kind of file is known.
    layout : int
        Its format.
    header : bytes
        As `header_of` writes it.
    body : iterable of bytes
        Whose digest the header holds.

    Raises
    ------
    lib.files.DiskFullError
        If the disk is full; the old file is untouched and nothing is left beside it.
    """
    with files.replacing(path) as part, part.open("wb") as opened:
        opened.write(_PREAMBLE.pack(magic, layout, len(header), hashlib.sha256(header).digest()))
        opened.write(header)
        for piece in body:
            opened.write(piece)


def load(
    path: Path,
    *,
    magic: bytes,
    layout: int,
    made_by: Mapping[str, Any],
    wanted: Mapping[str, str | None],
) -> tuple[dict[str, Any], bytes]:
    """Read a file and verify every byte of it.

    Parameters
    ----------
    path : Path
    magic : bytes
    layout : int
    made_by : mapping
        What the header must say of method and version.
    wanted : mapping
        What it must say of its content; None asks nothing.

    Returns
    -------
    described : dict
        The header.
    body : bytes

    Raises
    ------
    IndexMissingError
        If there is no file.
    IndexDamagedError
        If it is cut, altered or no such index.
    IndexFormatError
        If its format or method is not this program's.
    IndexStaleError
        If it was built from something else than it should.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise IndexMissingError(f"there is no index at {path.name}: build it") from error
    if len(content) < _PREAMBLE.size or content[: len(magic)] != magic:
        raise IndexDamagedError(f"{path.name} is no index of this kind: rebuild it")
    _, found_layout, n_header, digest = _PREAMBLE.unpack_from(content)
    if found_layout != layout:
        raise IndexFormatError(
            f"{path.name} has format {found_layout} and this program reads {layout}: rebuild it"
        )
    header = content[_PREAMBLE.size : _PREAMBLE.size + n_header]
    if hashlib.sha256(header).digest() != digest:
        raise IndexDamagedError(f"the header of {path.name} is damaged: rebuild it")
    described: dict[str, Any] = json.loads(header)
    for name, value in made_by.items():
        if described[name] != value:
            raise IndexFormatError(f"{path.name} was made by {name} {described[name]!r}: rebuild it")
    for name, value in wanted.items():
        if value is not None and described[name] != value:
            raise IndexStaleError(
                f"{path.name} was built for {name} {described[name]!r}, not {value!r}: rebuild it"
            )
    body = content[_PREAMBLE.size + n_header :]
    if hashlib.sha256(body).hexdigest() != described["body_sha256"]:
        raise IndexDamagedError(f"what {path.name} holds is damaged: rebuild it")
    return described, body
