"""The index of a big dataset: on disk, in segments, searched by short codes of learned vectors.

    index = segmented.load(path, prints)                  # what `segmented_build.build` wrote
    numbers = index.candidates([Asked(vectors)], n=512)   # the most promising of a million, by their codes
    numbers = index.sifted([Asked(vectors)], numbers)     # the most promising of these, by their own vectors
    few = index.narrowed(numbers)                         # an index of these alone, as `RecordingIndex` is

What is here finds candidates and decides nothing: `sifted` and `narrowed` read the stored fingerprints of candidates, and
what judges a small index judges them.

The file at ``path`` is a manifest (`provenance.similarity.manifest`): it names a codebook and the segments
(`provenance.similarity.segment`) that lie in the folder beside it, with their digests.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from provenance.similarity.by_vectors import of_unit_length
from provenance.similarity.codebook import CODE_BITS, Codebook, cosines
from provenance.similarity.fingerprint import METHOD, METHOD_VERSION, AudioFingerprint
from provenance.similarity.index import IndexFacts, RecordingIndex, set_hash
from provenance.similarity.learned import N_DIMENSIONS
from provenance.similarity.manifest import Manifest, folder_of, read_codebook
from provenance.similarity.sealed import IndexDamagedError, IndexMissingError, IndexStaleError
from provenance.similarity.segment import Segment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

Prints = Callable[[Sequence[str]], Mapping[str, bytes]]
"""Gives the stored fingerprints of recordings by their keys: those that it has."""

FROM_RECORDINGS = 5_000
"""Recordings from which an index is built in segments; a smaller one is searched whole.

Searching a thousand whole costs a check 0.4 s, both tiers 0.5 s whatever the size (`docs/scale.md`). Searched whole, an
index is calibrated more sharply, and finds more of what other music covers; that is worth seconds, and not minutes and
memory."""

N_KEPT = 100
"""Codes that vote for each vector of a query, the nearest ones, unless more are asked for."""

LEAST_COSINE = 0.35
"""Likeness, about, that says nothing: votes count from here."""

N_CANDIDATES = 32
"""Recordings that are handed on to be judged."""

_DIAGONAL = 2
_WEIGHED = 4
"""Times as many codes, of those that differ in the fewest bits, are weighed against the query's own numbers."""

_open: dict[Path, SegmentedIndex] = {}


class PrintMissingError(LookupError):
    """A stored fingerprint is not there, or not the one that the index was built from."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Vectors of a query under one guess of what was done to it.

    Attributes
    ----------
    vectors : np.ndarray [shape=(n, N_DIMENSIONS)]
        Of unit length; one each ``step`` of a reference's.
    step : int
        Vectors of a reference, of 0.495 s, that pass from one to the next.
    cost : float
        What to take from their likeness.
    """

    vectors: NDArray[np.float32]
    step: int = 1
    cost: float = 0.0


class SegmentedIndex:
    """A big index that was opened. Use `load`, or `provenance.similarity.segmented_build.build`.

    Parameters
    ----------
    path : Path
    manifest : Manifest
    parts : sequence of Segment
    codebook : Codebook
    prints : callable
        As `Prints`.
    """

    def __init__(
        self,
        path: Path,
        manifest: Manifest,
        parts: Sequence[Segment],
        codebook: Codebook,
        prints: Prints,
    ) -> None:
        self.path = path
        self.segments = tuple(parts)
        self.codebook = codebook
        self._prints = prints
        self._alive = [np.ones(len(part), dtype=np.bool_) for part in parts]
        for living, told in zip(self._alive, manifest.segments, strict=True):
            living[list(told.dead)] = False
        self.facts = IndexFacts(
            method=METHOD,
            method_version=METHOD_VERSION,
            dataset=manifest.dataset,
            dataset_version=manifest.dataset_version,
            n_recordings=sum(int(living.sum()) for living in self._alive),
            n_windows=sum(len(part.codes) for part in parts),
            set_hash=manifest.set_hash,
            sha256=manifest.sha256,
        )

    def __len__(self) -> int:
        """Recordings that it covers."""
        return self.facts.n_recordings

    @cached_property
    def recordings(self) -> tuple[str, ...]:
        """Keys of the recordings that it covers, sorted."""
        return tuple(sorted(key for key, _ in self.identities()))

    @property
    def too_short(self) -> tuple[str, ...]:
        """Those of them that can never be found."""
        return tuple(
            sorted(
                part.keys[row]
                for part, living in zip(self.segments, self._alive, strict=True)
                for row in np.flatnonzero(part.short & living)
            )
        )

    @property
    def n_bytes(self) -> int:
        """Bytes on disk, of segments and codebook."""
        return sum(part.n_bytes for part in self.segments) + len(self.codebook.packed)

    def identities(self) -> Iterator[tuple[str, str]]:
        """Each recording that it covers with the SHA-256 of the fingerprint: what coverage is proved by."""
        for part, living in zip(self.segments, self._alive, strict=True):
            for row in np.flatnonzero(living).tolist():
                yield part.keys[row], part.hashes[row]

    def candidates(
        self, asked: Sequence[Asked], *, n: int = N_CANDIDATES, breadth: int = 1, n_kept: int = N_KEPT
    ) -> list[int]:
        """Find recordings in which a query's vectors come one after another, the most promising first.

        Parameters
        ----------
        asked : sequence of Asked
            The query under each guess that is to be tried.
        n : int
            How many at most.
        breadth : int
            How many times more lists are looked into than `Codebook.n_probed`: what is little alike lies further off.
        n_kept : int
            Codes that vote for each vector, the nearest ones.

        Returns
        -------
        list of int
            Numbers of recordings, to give to `sifted` or `narrowed`.
        """
        guesses = [np.full(len(one.vectors), number) for number, one in enumerate(asked)]
        if not guesses or not sum(map(len, guesses)):
            return []
        vectors = np.concatenate([one.vectors for one in asked]).astype(np.float32)
        places = np.concatenate([np.arange(len(one.vectors)) * one.step for one in asked])
        costs = np.array([one.cost for one in asked], dtype=np.float32)
        guess = np.concatenate(guesses)
        heard = vectors.any(axis=1)
        vectors, places, guess = vectors[heard], places[heard], guess[heard]
        if not len(vectors):
            return []
        rows, likeness, owners, moments = self._nearest(vectors, breadth, n_kept)
        weights = np.maximum(0.0, likeness - costs[guess[rows]] - LEAST_COSINE)
        at = np.rint(moments - places[rows]).astype(np.int64) + (1 << 16)
        lines = (owners.astype(np.int64) * len(asked) + guess[rows]) << 18
        best: dict[int, float] = {}
        for shift in range(_DIAGONAL):
            bins, inverse = np.unique(lines + (at + shift) // _DIAGONAL, return_inverse=True)
            votes = np.bincount(inverse, weights, minlength=len(bins))
            loudest = np.argsort(-votes, kind="stable")[: n * 8]
            for owner, vote in zip((bins[loudest] >> 18) // len(asked), votes[loudest], strict=True):
                best[int(owner)] = max(best.get(int(owner), 0.0), float(vote))
        ranked = sorted(best, key=lambda owner: (-best[owner], owner))
        return ranked[:n]

    def sifted(self, asked: Sequence[Asked], numbers: Sequence[int], *, n: int = N_CANDIDATES) -> list[int]:
        """Read the stored fingerprints of some recordings, and keep those in which a query's vectors lie best.

        They vote as codes do, but all of them and exactly: what chance alone brought near falls behind.

        Parameters
        ----------
        asked : sequence of Asked
            As for `candidates`.
        numbers : sequence of int
            As `candidates` gives them.
        n : int
            How many to keep.

        Returns
        -------
        list of int
            The best first.

        Raises
        ------
        PrintMissingError
            If a fingerprint is missing, or is not the one that was indexed.
        """
        if len(numbers) <= n:
            return list(numbers)
        vectors = [one.vectors for _, one in verified(self._digests(numbers), self._prints)]
        best = np.zeros(len(vectors), dtype=np.float32)
        for one in asked:
            np.maximum(best, _laid(one, vectors), out=best)
        return [numbers[at] for at in np.argsort(-best, kind="stable")[:n].tolist()]

    def narrowed(self, numbers: Sequence[int]) -> RecordingIndex:
        """Read the stored fingerprints of some recordings, and index them as a small index does.

        Raises
        ------
        PrintMissingError
            If one is missing, or is not the one that was indexed.
        """
        return RecordingIndex.build(
            verified(self._digests(numbers), self._prints),
            dataset=self.facts.dataset,
            dataset_version=self.facts.dataset_version,
        )

    def _digests(self, numbers: Sequence[int]) -> dict[str, str]:
        """The keys of some recordings, each with the SHA-256 of its fingerprint."""
        parts = [(self.segments[number >> 16], number & 0xFFFF) for number in numbers]
        return {part.keys[row]: part.hashes[row] for part, row in parts}

    def numbers_of(self, keys: Sequence[str]) -> list[int]:
        """Numbers of those recordings of some keys that it covers, to give to `narrowed`."""
        return [self._numbers[key] for key in keys if key in self._numbers]

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {
            part.keys[row]: number << 16 | row
            for number, (part, living) in enumerate(zip(self.segments, self._alive, strict=True))
            for row in np.flatnonzero(living).tolist()
        }

    def save(self, path: Path) -> None:
        """Do nothing: it is on the disk already, at the very path.

        Raises
        ------
        ValueError
            If ``path`` is another.
        """
        if path != self.path:
            raise ValueError(f"this index was built at {self.path.name}, and can't be saved elsewhere")

    def _nearest(
        self, vectors: NDArray[np.float32], breadth: int, n_kept: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.uint32], NDArray[np.int64]]:
        """For each vector the nearest codes: which vector, how alike, whose, and of which moment."""
        found = [
            self._nearest_to(code, turned, lists, n_kept)
            for code, turned, lists in zip(
                self.codebook.codes_of(vectors),
                self.codebook.turned(vectors),
                self.codebook.lists_near(vectors, breadth=breadth),
                strict=True,
            )
        ]
        rows = np.repeat(np.arange(len(found)), [len(likeness) for likeness, _, _ in found])
        likeness, owners, moments = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return rows, likeness, owners, moments

    def _nearest_to(
        self, code: np.uint64, turned: NDArray[np.float32], lists: NDArray[np.int64], n_kept: int
    ) -> tuple[NDArray[np.float32], NDArray[np.uint32], NDArray[np.int64]]:
        """The nearest codes to one vector, in all segments together: how alike, whose, and of which moment."""
        looked_at = [_Looked.into(part, lists, code) for part in self.segments]
        counts = sum(
            (np.bincount(one.far, minlength=CODE_BITS + 1) for one in looked_at), np.zeros(1, np.int64)
        )
        bound = int(np.searchsorted(np.cumsum(counts), _WEIGHED * n_kept))
        codes, owners, moments = [np.zeros(0, np.uint64)], [np.zeros(0, np.uint32)], [np.zeros(0, np.int64)]
        for number, (part, living, one) in enumerate(zip(self.segments, self._alive, looked_at, strict=True)):
            places = one.places(np.flatnonzero(one.far <= bound))
            of_segment = part.owners[places]
            lives = living[of_segment >> np.uint32(16)]
            codes.append(part.codes[places[lives]])
            owners.append((of_segment[lives] >> np.uint32(16)) | np.uint32(number << 16))
            moments.append((of_segment[lives] & np.uint32(0xFFFF)).astype(np.int64))
        together = np.concatenate(codes)
        likeness = cosines(np.broadcast_to(turned, (len(together), CODE_BITS)), together)
        kept = np.argsort(-likeness, kind="stable")[:n_kept]
        return likeness[kept], np.concatenate(owners)[kept], np.concatenate(moments)[kept]


@dataclass(frozen=True, slots=True)
class _Looked:
    """What some lists of a segment hold, one list after another.

    Attributes
    ----------
    begins : np.ndarray [shape=(n_lists,)]
        Where each list begins in the segment.
    lengths : np.ndarray [shape=(n_lists + 1,)]
        Where each begins here, and where the last one ends.
    far : np.ndarray [shape=(n_codes,), dtype=uint8]
        Bits in which each code differs from a query's.
    """

    begins: NDArray[np.int64]
    lengths: NDArray[np.int64]
    far: NDArray[np.uint8]

    @classmethod
    def into(cls, part: Segment, lists: NDArray[np.int64], code: np.uint64) -> _Looked:
        """Look into lists of a segment."""
        begins = part.starts[lists].astype(np.int64)
        ends = part.starts[lists + 1].astype(np.int64)
        codes = [part.codes[begin:end] for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)]
        lengths = np.concatenate([[0], np.cumsum(ends - begins)])
        return cls(begins, lengths, np.bitwise_count(np.concatenate(codes) ^ code))

    def places(self, kept: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where codes are in the segment, by where they are here."""
        within = np.searchsorted(self.lengths, kept, side="right") - 1
        return self.begins[within] + kept - self.lengths[within]


def _laid(one: Asked, recordings: Sequence[NDArray[np.int8]]) -> NDArray[np.float32]:
    """What a query's vectors vote for each recording where they lie best in it, be it over its beginning or its end."""
    reach = (len(one.vectors) - 1) * one.step
    silence = np.zeros((reach + 1, N_DIMENSIONS), dtype=np.int8)
    beside = of_unit_length(
        np.concatenate([part for vectors in recordings for part in (silence, vectors)] + [silence])
    )
    lengths = np.array([len(silence) + len(vectors) for vectors in recordings], dtype=np.int64)
    votes = np.maximum(0.0, one.vectors @ beside.T - np.float32(one.cost + LEAST_COSINE))
    n_places = len(beside) - reach
    total = np.zeros(n_places, dtype=np.float32)
    for row in range(len(one.vectors)):
        total += votes[row, row * one.step : row * one.step + n_places]
    highest: NDArray[np.float32] = np.maximum.reduceat(total, np.cumsum(lengths) - lengths)
    return highest


def load(
    path: Path,
    prints: Prints,
    *,
    set_hash: str | None = None,
    dataset: str | None = None,
    dataset_version: str | None = None,
) -> SegmentedIndex:
    """Open an index; what this process has opened and verified before is not read again.

    Parameters
    ----------
    path : Path
    prints : callable
        As `Prints`.
    set_hash, dataset, dataset_version : str, optional
        What the index must have been built from.

    Raises
    ------
    IndexMissingError, IndexDamagedError, IndexFormatError, IndexStaleError
        As `provenance.similarity.index` names them.
    """
    try:
        index = _opened(path, prints)
    except IndexMissingError:
        index = _opened(path, prints)  # the manifest was replaced, and what the old one named swept away
    told = {"set_hash": set_hash, "dataset": dataset, "dataset_version": dataset_version}
    for name, value in told.items():
        known = getattr(index.facts, name)
        if value is not None and known != value:
            raise IndexStaleError(f"{path.name} was built for {name} {known!r}, not {value!r}: rebuild it")
    return index


def forget(path: Path) -> None:
    """Remove the segments of an index that was replaced by a small one."""
    _open.pop(path, None)
    shutil.rmtree(folder_of(path), ignore_errors=True)


def verified_segments(path: Path) -> dict[str, Segment]:
    """Segments of an index that this process has opened before, by their names: they need not be read again."""
    known = _open.get(path)
    return {part.path.name: part for part in known.segments} if known else {}


def _opened(path: Path, prints: Prints) -> SegmentedIndex:
    manifest = Manifest.read(path)
    known = _open.get(path)
    if known is not None and known.facts.sha256 == manifest.sha256:
        known._prints = prints
        return known
    folder, seen = folder_of(path), verified_segments(path)
    parts = []
    for told in manifest.segments:
        part = seen.get(told.file) or Segment(folder / told.file)
        if part.sha256 != told.sha256:
            raise IndexDamagedError(f"{told.file} is not the segment that {path.name} names: rebuild it")
        parts.append(part)
    codebook = read_codebook(folder, manifest.codebook_sha256)
    index = SegmentedIndex(path, manifest, parts, codebook, prints)
    if set_hash(index.identities()) != manifest.set_hash:
        raise IndexDamagedError(f"the segments of {path.name} do not hold what it names: rebuild it")
    _open[path] = index
    return index


def verified(wanted: Mapping[str, str], prints: Prints) -> Iterator[tuple[str, AudioFingerprint]]:
    """Read stored fingerprints, each held against its digest.

    Raises
    ------
    PrintMissingError
        If one is missing, or is another.
    """
    stored = prints(list(wanted))
    for key, digest in wanted.items():
        payload = stored.get(key)
        if payload is None or hashlib.sha256(payload).hexdigest() != digest:
            raise PrintMissingError(f"the fingerprint of {key} is missing or is not the one that was indexed")
        yield key, AudioFingerprint.unpack(payload)
