"""The manifest of an index in segments: the one file that says of which codebook and which segments it is made.

It stands where an index that is searched whole would, and what it names lies in the folder beside it. Whoever replaces it
replaces the index, in one step.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from lib import files
from provenance.similarity import sealed
from provenance.similarity.codebook import Codebook
from provenance.similarity.fingerprint import METHOD, METHOD_VERSION
from provenance.similarity.learned import WEIGHTS_SHA256
from provenance.similarity.sealed import IndexDamagedError, IndexMissingError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FORMAT = 2
_MAGIC = b"LNIM"
_MADE_BY = {"method": METHOD, "method_version": METHOD_VERSION, "model_sha256": WEIGHTS_SHA256}
_NO_BODY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class Named:
    """A segment that a manifest names.

    Attributes
    ----------
    file : str
        Its name in the folder.
    sha256 : str
        Of its header, which holds the digests of the rest.
    dead : sequence of int
        Rows of recordings that left the dataset.
    """

    file: str
    sha256: str
    dead: Sequence[int]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an index in segments is made of.

    Attributes
    ----------
    dataset, dataset_version, set_hash : str
        As `provenance.similarity.index.IndexFacts` has them.
    codebook_sha256 : str
    segments : sequence of Named
    """

    dataset: str
    dataset_version: str
    set_hash: str
    codebook_sha256: str
    segments: Sequence[Named]

    @property
    def sha256(self) -> str:
        """Of its bytes: names the very build."""
        return hashlib.sha256(self._packed).hexdigest()

    @property
    def _packed(self) -> bytes:
        return sealed.header_of({**_MADE_BY, **asdict(self), "body_sha256": _NO_BODY})

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """Read a manifest, and verify it.

        Raises
        ------
        IndexMissingError, IndexDamagedError, IndexFormatError
            As `provenance.similarity.sealed.load` raises them.
        """
        told, _ = sealed.load(path, magic=_MAGIC, layout=FORMAT, made_by=_MADE_BY, wanted={})
        return cls(
            told["dataset"],
            told["dataset_version"],
            told["set_hash"],
            told["codebook_sha256"],
            [Named(**segment) for segment in told["segments"]],
        )

    def save(self, path: Path) -> None:
        """Take the place of the manifest at ``path``, in one step.

        Raises
        ------
        lib.files.DiskFullError
            If the disk is full; the old one is untouched.
        """
        sealed.save(path, magic=_MAGIC, layout=FORMAT, header=self._packed, body=())


def is_segmented(path: Path) -> bool:
    """Tell whether the file at ``path`` is a manifest."""
    try:
        with path.open("rb") as opened:
            return opened.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


def folder_of(path: Path) -> Path:
    """Where the segments of the index at ``path`` lie."""
    return path.with_name(f"{path.name}.segments")


def codebook_name(sha256: str) -> str:
    """Name of the file of a codebook in that folder."""
    return f"{sha256}.codebook"


def read_codebook(folder: Path, sha256: str) -> Codebook:
    """Read a codebook, and verify it.

    Raises
    ------
    IndexMissingError, IndexDamagedError
        If it is not there, or not what was written.
    """
    try:
        content = (folder / codebook_name(sha256)).read_bytes()
    except FileNotFoundError as error:
        raise IndexMissingError("the codebook of the index is missing: rebuild it") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise IndexDamagedError("the codebook of the index is damaged: rebuild it")
    return Codebook.unpack(content)


def write_codebook(folder: Path, codebook: Codebook) -> None:
    """Write a codebook under its name.

    Raises
    ------
    lib.files.DiskFullError
        If the disk is full.
    """
    files.write_bytes(folder / codebook_name(codebook.sha256), codebook.packed)
