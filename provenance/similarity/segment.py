"""A segment: one file of an index that keeps some recordings, never changed once it is written.

It holds, for each recording, its key and the hash of its fingerprint; and list by list the codes of their learned vectors
(`provenance.similarity.codebook`), each with the recording and the moment that it is of. It is mapped into memory, and
read where a search looks alone. The fingerprints themselves are not in it: they are kept once, by whoever has them.

The file is a magic number, a format version, a JSON header, and arrays one after another. The header is covered by a
digest, and holds one for each array.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import struct
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from lib import files
from provenance.similarity.fingerprint import METHOD, METHOD_VERSION, VECTOR_STEP
from provenance.similarity.index import (
    WINDOW_ITEMS,
    IndexDamagedError,
    IndexFormatError,
    IndexMissingError,
)
from provenance.similarity.learned import N_DIMENSIONS, WEIGHTS_SHA256

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from provenance.similarity.codebook import Codebook
    from provenance.similarity.fingerprint import AudioFingerprint

FORMAT = 1
MOST_RECORDINGS = 1 << 16
"""Recordings of a segment: their numbers fit in 16 bits."""

MOST_MOMENTS = 1 << 16
"""Vectors of a recording that are kept: nine hours."""

_MAGIC = b"LNIS"
_PREAMBLE = struct.Struct("<4sHxxI32s")
_ALIGNED = 64
_CODED_AT_ONCE = 32_768
_ARRAYS = {"keys": "u1", "hashes": "u1", "short": "u1", "starts": "<u4", "codes": "<u8", "owners": "<u4"}


@dataclass(frozen=True)
class Coded:
    """Codes of some recordings, not yet in lists.

    Attributes
    ----------
    keys, hashes : sequence of str
        Of the recordings, and the SHA-256 of their fingerprints.
    short : np.ndarray [shape=(n_recordings,), dtype=bool]
        Whether a recording has too few items to be compared with anything.
    lists, codes : np.ndarray [shape=(n_codes,)]
    owners : np.ndarray [shape=(n_codes,), dtype=uint32]
        The recording's number, and in the lower 16 bits the moment.
    """

    keys: Sequence[str]
    hashes: Sequence[str]
    short: NDArray[np.bool_]
    lists: NDArray[np.int64]
    codes: NDArray[np.uint64]
    owners: NDArray[np.uint32]


def coded(
    wanted: Mapping[str, str], prints: Iterable[tuple[str, AudioFingerprint]], codebook: Codebook
) -> Coded:
    """Code the vectors of recordings.

    Parameters
    ----------
    wanted : mapping of str to str
        The recordings' keys, with the SHA-256 of their fingerprints.
    prints : iterable of (str, AudioFingerprint)
        The same recordings with their fingerprints, in any order.
    codebook : Codebook

    Raises
    ------
    ValueError
        If there are more than ``MOST_RECORDINGS``, or a key has more than one line.
    """
    if len(wanted) > MOST_RECORDINGS:
        raise ValueError(f"a segment keeps {MOST_RECORDINGS} recordings at most")
    keys, hashes, short = [], [], []
    vectors, owners = [], []
    for number, (key, one) in enumerate(prints):
        if "\n" in key:
            raise ValueError(f"the key {key!r} has more than one line")
        keys.append(key)
        hashes.append(wanted[key])
        short.append(len(one.items) < WINDOW_ITEMS)
        kept = one.vectors[:MOST_MOMENTS]
        heard = np.flatnonzero(kept.any(axis=1))
        vectors.append(kept[heard])
        owners.append((np.uint32(number) << np.uint32(16)) | heard.astype(np.uint32))
    steps = np.concatenate([*vectors, np.zeros((0, N_DIMENSIONS), np.int8)])
    lists, codes = np.zeros(len(steps), np.int64), np.zeros(len(steps), np.uint64)
    for begin in range(0, len(steps), _CODED_AT_ONCE):
        here = slice(begin, begin + _CODED_AT_ONCE)
        numbers = steps[here].astype(np.float32) * np.float32(VECTOR_STEP)
        lists[here], codes[here] = codebook.lists_of(numbers), codebook.codes_of(numbers)
    return Coded(
        keys,
        hashes,
        np.array(short, dtype=np.bool_),
        lists,
        codes,
        np.concatenate([*owners, np.zeros(0, np.uint32)]),
    )


def write(path: Path, content: Coded, codebook: Codebook) -> None:
    """Write a segment; until it is whole there is nothing at ``path``.

    Raises
    ------
    lib.files.DiskFullError
        If the disk is full; nothing is left behind.
    """
    order = np.argsort(content.lists, kind="stable")
    arrays = {
        "keys": np.frombuffer("\n".join(content.keys).encode(), dtype=np.uint8),
        "hashes": np.frombuffer(bytes.fromhex("".join(content.hashes)), dtype=np.uint8),
        "short": content.short.astype(np.uint8),
        "starts": np.searchsorted(content.lists[order], np.arange(codebook.n_lists + 1)).astype("<u4"),
        "codes": content.codes[order].astype("<u8"),
        "owners": content.owners[order].astype("<u4"),
    }
    described = {
        "method": METHOD,
        "method_version": METHOD_VERSION,
        "model_sha256": WEIGHTS_SHA256,
        "codebook_sha256": codebook.sha256,
        "n_recordings": len(content.keys),
        "arrays": {
            name: [len(array), hashlib.sha256(array.tobytes()).hexdigest()] for name, array in arrays.items()
        },
    }
    header = json.dumps(described, sort_keys=True, separators=(",", ":")).encode()
    with files.replacing(path) as part, part.open("wb") as opened:
        opened.write(_PREAMBLE.pack(_MAGIC, FORMAT, len(header), hashlib.sha256(header).digest()))
        opened.write(header)
        for array in arrays.values():
            opened.write(bytes(-opened.tell() % _ALIGNED))
            opened.write(array.tobytes())


def merged(segments: Sequence[Segment], alive: Sequence[NDArray[np.bool_]], codebook: Codebook) -> Coded:
    """Put the recordings of several segments together, without those that are not alive any more."""
    keys: list[str] = []
    hashes: list[str] = []
    short, lists, codes, owners = [], [], [], []
    for segment, living in zip(segments, alive, strict=True):
        numbers = np.cumsum(living) - 1 + len(keys)
        of_codes = segment.owners >> np.uint32(16)
        kept = living[of_codes]
        moments = segment.owners[kept] & np.uint32(0xFFFF)
        owners.append((numbers[of_codes[kept]].astype(np.uint32) << np.uint32(16)) | moments)
        codes.append(segment.codes[kept])
        lists.append(np.repeat(np.arange(codebook.n_lists), np.diff(segment.starts))[kept])
        short.append(segment.short[living])
        keys += [segment.keys[row] for row in np.flatnonzero(living)]
        hashes += [segment.hashes[row] for row in np.flatnonzero(living)]
        segment.let_go()
    return Coded(
        keys,
        hashes,
        np.concatenate(short),
        np.concatenate(lists),
        np.concatenate(codes),
        np.concatenate(owners),
    )


class Segment:
    """A segment that was written, mapped into memory.

    Parameters
    ----------
    path : Path
    verify : bool
        Whether to read all of it and compare it with its digests; otherwise the header alone.

    Raises
    ------
    IndexMissingError, IndexDamagedError, IndexFormatError
        As `provenance.similarity.index` names them.
    """

    def __init__(self, path: Path, *, verify: bool = True) -> None:
        self.path = path
        mapped = self._mapped = _mapped(path)
        if len(mapped) < _PREAMBLE.size or mapped[:4] != _MAGIC:
            raise IndexDamagedError(f"{path.name} is no segment of an index: rebuild it")
        _, layout, n_header, digest = _PREAMBLE.unpack_from(mapped)
        if layout != FORMAT:
            raise IndexFormatError(
                f"{path.name} has format {layout} and this program reads {FORMAT}: rebuild it"
            )
        header = mapped[_PREAMBLE.size : _PREAMBLE.size + n_header]
        if hashlib.sha256(header).digest() != digest:
            raise IndexDamagedError(f"the header of {path.name} is damaged: rebuild it")
        self.sha256 = digest.hex()
        self.described: dict[str, Any] = json.loads(header)
        made_by = tuple(self.described[name] for name in ("method", "method_version", "model_sha256"))
        if made_by != (METHOD, METHOD_VERSION, WEIGHTS_SHA256):
            raise IndexFormatError(f"{path.name} was made by {made_by}: rebuild it")
        self._arrays = dict(_arrays_of(mapped, _PREAMBLE.size + n_header, self.described["arrays"], path))
        if verify:
            self.verify()

    def verify(self) -> None:
        """Read all of it and compare it with its digests.

        Raises
        ------
        IndexDamagedError
            If an array is not what was written.
        """
        for name, (_, digest) in self.described["arrays"].items():
            if hashlib.sha256(self._arrays[name].data).hexdigest() != digest:
                raise IndexDamagedError(f"the {name} in {self.path.name} are damaged: rebuild it")
            self.let_go()

    def let_go(self) -> None:
        """Hold none of it in this process's memory: what is looked at again comes back from the system's cache."""
        self._mapped.madvise(mmap.MADV_DONTNEED)

    def __len__(self) -> int:
        """Recordings, the dead ones too."""
        return int(self.described["n_recordings"])

    @property
    def n_bytes(self) -> int:
        """Bytes of the file."""
        return self.path.stat().st_size

    @property
    def codebook_sha256(self) -> str:
        """Of the codebook that its codes were made with."""
        return str(self.described["codebook_sha256"])

    @cached_property
    def keys(self) -> list[str]:
        """Of its recordings."""
        return self._arrays["keys"].tobytes().decode().split("\n") if len(self) else []

    @cached_property
    def hashes(self) -> list[str]:
        """SHA-256 of each recording's fingerprint."""
        together = self._arrays["hashes"].tobytes().hex()
        return [together[at : at + 64] for at in range(0, len(together), 64)]

    @property
    def short(self) -> NDArray[np.bool_]:
        """Which of its recordings can be compared with nothing."""
        return self._arrays["short"].astype(np.bool_)

    @property
    def starts(self) -> NDArray[np.uint32]:
        """Where each list begins, and where the last one ends."""
        return self._arrays["starts"]

    @property
    def codes(self) -> NDArray[np.uint64]:
        """Codes, list by list."""
        return self._arrays["codes"]

    @property
    def owners(self) -> NDArray[np.uint32]:
        """Beside each code, the recording's number and in the lower 16 bits its moment."""
        return self._arrays["owners"]


def _mapped(path: Path) -> mmap.mmap:
    try:
        with path.open("rb") as opened:
            return mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError as error:
        raise IndexMissingError(f"the segment {path.name} is missing: rebuild the index") from error
    except ValueError as error:
        raise IndexDamagedError(f"{path.name} is empty: rebuild the index") from error


def _arrays_of(
    mapped: mmap.mmap, begin: int, told: dict[str, list[Any]], path: Path
) -> Iterator[tuple[str, NDArray[Any]]]:
    for name, kind in _ARRAYS.items():
        begin += -begin % _ALIGNED
        n = int(told[name][0])
        size = n * np.dtype(kind).itemsize
        if begin + size > len(mapped):
            raise IndexDamagedError(f"{path.name} is cut: rebuild it")
        yield name, np.frombuffer(mapped, dtype=kind, count=n, offset=begin)
        begin += size
