"""The index of a dataset's recordings, and the file that keeps it.

A *window* is ``WINDOW_ITEMS`` consecutive items of one column of a fingerprint, 256 bits, and there is one
for every row. An index answers which windows are nearest to a query's; whether that is a likeness is decided
on the items themselves (`provenance.similarity.recording`).

The file is a magic number, a format version, a JSON header and the fingerprints of all recordings one after another, each
with its kept levels behind it where there are any.
Header and fingerprints are covered by SHA-256 digests, and `RecordingIndex.load` verifies all of it: a file that is
damaged, of another format, or made from other recordings than the caller has, is a named error and never an
index.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from provenance.similarity import sealed
from provenance.similarity.by_levels import Moments
from provenance.similarity.by_parts import Parts
from provenance.similarity.by_vectors import LearnedVectors
from provenance.similarity.chromaprint import N_COLUMNS
from provenance.similarity.constellation import Constellations
from provenance.similarity.fingerprint import METHOD, METHOD_VERSION, AudioFingerprint
from provenance.similarity.kept_levels import KeptLevels
from provenance.similarity.landmarks import Landmarks
from provenance.similarity.sealed import IndexDamagedError as IndexDamagedError
from provenance.similarity.sealed import IndexFormatError as IndexFormatError
from provenance.similarity.sealed import IndexMissingError as IndexMissingError
from provenance.similarity.sealed import IndexStaleError as IndexStaleError
from provenance.similarity.sealed import SimilarityIndexError as SimilarityIndexError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

WINDOW_ITEMS = 8
"""Items of a window. 256 bits keep nearly all of the quality of an exhaustive search; 32 do not."""

WINDOW_BITS = 32 * WINDOW_ITEMS

FORMAT = 3
_MAGIC = b"LNIX"

OF_LEVELS = "/levels"
"""Behind a recording's key: its kept levels."""


@dataclass(frozen=True, slots=True)
class IndexFacts:
    """What an index was built from.

    ``set_hash`` is `set_hash` over its recordings; ``sha256`` covers header and items and so names the very
    build.
    """

    method: str
    method_version: str
    dataset: str
    dataset_version: str
    n_recordings: int
    n_windows: int
    set_hash: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A reference window near a query window."""

    recording: int
    reference_start: int
    distance: int


class SimilarityIndex(Protocol):
    """What likeness needs of an index. FAISS on one machine is one way to serve it."""

    @property
    def facts(self) -> IndexFacts:
        """What it was built from."""
        ...

    @property
    def recordings(self) -> Sequence[str]:
        """Keys of the recordings, in the order of `Neighbour.recording`."""
        ...

    def items(self, recording: int) -> NDArray[np.uint32]:
        """Stored items of a recording, for verification."""
        ...

    @property
    def constellations(self) -> Constellations:
        """Peaks of all recordings, in the order of `recordings`."""
        ...

    def fingerprint(self, recording: int) -> AudioFingerprint:
        """Whole fingerprint of a recording."""
        ...

    @property
    def vectors(self) -> LearnedVectors:
        """Learned vectors of all recordings, in the order of `recordings`."""
        ...

    @property
    def landmarks(self) -> Landmarks:
        """Pairs of peaks of all recordings, in the order of `recordings`."""
        ...

    @property
    def parts(self) -> Parts | None:
        """Kept levels of all recordings with their tops; None where none are kept."""
        ...

    @property
    def moments(self) -> Moments | None:
        """Kept levels of all recordings by their codes; None where none are kept."""
        ...

    def neighbours(
        self, windows: NDArray[np.uint32], *, column: int, n_neighbours: int
    ) -> list[list[Neighbour]]:
        """Windows of the index nearest to each of ``windows`` [shape=(n, WINDOW_ITEMS)], nearest first."""
        ...


def set_hash(references: Iterable[tuple[str, str]]) -> str:
    """Identity of a set of fingerprinted recordings, whatever their order.

    Parameters
    ----------
    references : iterable of (recording, fingerprint_sha256)
        With kept levels also ``(recording + OF_LEVELS, sha256)`` of these.

    Returns
    -------
    str
        SHA-256, lower-case hex, of the sorted lines ``recording fingerprint_sha256``.
    """
    lines = sorted(f"{recording} {fingerprint}\n" for recording, fingerprint in references)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def identities_of(recording: str, fingerprint: AudioFingerprint) -> Iterator[tuple[str, str]]:
    """Name what an index holds of a recording, for `set_hash`: its fingerprint, and its levels if it has any.

    Yields
    ------
    (str, str)
        The recording, or the recording and ``OF_LEVELS``, and a SHA-256.
    """
    yield recording, fingerprint.sha256
    if fingerprint.packed_levels:
        yield f"{recording}{OF_LEVELS}", hashlib.sha256(fingerprint.packed_levels).hexdigest()


def windows_of(items: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """All windows of one column of a fingerprint.

    Returns
    -------
    np.ndarray [shape=(max(0, n_items - WINDOW_ITEMS + 1), WINDOW_ITEMS), dtype=uint32]
        A view on ``items``.
    """
    if len(items) < WINDOW_ITEMS:
        return np.zeros((0, WINDOW_ITEMS), dtype=np.uint32)
    return np.lib.stride_tricks.sliding_window_view(items, WINDOW_ITEMS)


class RecordingIndex:
    """Flat FAISS index of all windows: every query window is compared with every reference window.

    Exact, and quick enough to a few million windows (100 hours of music); each row of a fingerprint takes 72
    bytes of memory and 8 in the file.
    """

    def __init__(
        self,
        recordings: Sequence[str],
        fingerprints: Sequence[AudioFingerprint],
        *,
        dataset: str,
        dataset_version: str,
    ) -> None:
        """Use `build` or `load`."""
        self._recordings = tuple(recordings)
        self._fingerprints = tuple(fingerprints)
        self._items = [np.ascontiguousarray(one.items, dtype="<u4") for one in fingerprints]
        counts = [max(0, len(stream) - WINDOW_ITEMS + 1) for stream in self._items]
        self._starts = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
        self._header = self._describe(dataset, dataset_version)
        self._faiss = self._fill()
        self.facts = IndexFacts(
            method=METHOD,
            method_version=METHOD_VERSION,
            dataset=dataset,
            dataset_version=dataset_version,
            n_recordings=len(self._recordings),
            n_windows=int(self._starts[-1]),
            set_hash=json.loads(self._header)["set_hash"],
            sha256=hashlib.sha256(self._header).hexdigest(),
        )

    @classmethod
    def build(
        cls,
        references: Iterable[tuple[str, AudioFingerprint]],
        *,
        dataset: str = "",
        dataset_version: str = "",
    ) -> RecordingIndex:
        """Index recordings by their fingerprints.

        Parameters
        ----------
        references : iterable of (recording, fingerprint)
            The key under which matches will name the recording, and its fingerprint. The order plays no
            part: the same set gives the same file.
        dataset, dataset_version : str
            Kept in the file and checked when it is loaded.

        Raises
        ------
        ValueError
            If a recording comes twice.
        """
        ordered = sorted(references, key=lambda reference: reference[0])
        keys = [recording for recording, _ in ordered]
        if len(set(keys)) != len(keys):
            twice = next(key for key, following in itertools.pairwise(keys) if key == following)
            raise ValueError(f"recording {twice} was given twice")
        return cls(
            keys,
            [fingerprint for _, fingerprint in ordered],
            dataset=dataset,
            dataset_version=dataset_version,
        )

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        set_hash: str | None = None,
        dataset: str | None = None,
        dataset_version: str | None = None,
    ) -> RecordingIndex:
        """Read an index and verify every byte of it.

        Parameters
        ----------
        path : Path
        set_hash, dataset, dataset_version : str, optional
            What the index must have been built from; `set_hash` of this module computes the first from the
            rows that should be covered.

        Raises
        ------
        IndexMissingError
            If there is no file.
        IndexDamagedError
            If it is cut, altered or no index.
        IndexFormatError
            If its format or fingerprint method is not this program's.
        IndexStaleError
            If it was built from something else than it should.
        """
        described, body = sealed.load(
            path,
            magic=_MAGIC,
            layout=FORMAT,
            made_by={"method": METHOD, "method_version": METHOD_VERSION, "window_items": WINDOW_ITEMS},
            wanted={"set_hash": set_hash, "dataset": dataset, "dataset_version": dataset_version},
        )
        ends = np.cumsum([0, *(n_bytes for _, _, n_bytes in described["recordings"])]).tolist()
        return cls(
            [recording for recording, _, _ in described["recordings"]],
            [AudioFingerprint.unpack_whole(body[first:end]) for first, end in itertools.pairwise(ends)],
            dataset=described["dataset"],
            dataset_version=described["dataset_version"],
        )

    def save(self, path: Path) -> None:
        """Write the index; until it is whole and on the disk, the file that stood at ``path`` stays.

        Raises
        ------
        lib.files.DiskFullError
            If the disk is full; the old file is untouched and nothing is left beside it.
        """
        prints = (fingerprint.whole for fingerprint in self._fingerprints)
        sealed.save(path, magic=_MAGIC, layout=FORMAT, header=self._header, body=prints)

    @property
    def recordings(self) -> tuple[str, ...]:
        """Keys of the recordings, sorted."""
        return self._recordings

    @property
    def too_short(self) -> tuple[str, ...]:
        """Recordings with fewer items than a window (under 3.6 s): in the set, and never to be found."""
        return tuple(
            recording
            for recording, stream in zip(self._recordings, self._items, strict=True)
            if len(stream) < WINDOW_ITEMS
        )

    def items(self, recording: int) -> NDArray[np.uint32]:
        """Stored items of the recording with this number."""
        return self._items[recording]

    def fingerprint(self, recording: int) -> AudioFingerprint:
        """Whole fingerprint of the recording with this number."""
        return self._fingerprints[recording]

    def put_in_order(self) -> None:
        """Put in order now what would be when it is first asked for: before several threads ask."""
        _ = self.constellations, self.landmarks, self.vectors, self.parts, self.moments

    @cached_property
    def constellations(self) -> Constellations:
        """Peaks of all recordings, in the order of `recordings`; put in order when they are first asked for."""
        return Constellations(
            [one.peaks for one in self._fingerprints], [one.n_frames for one in self._fingerprints]
        )

    @cached_property
    def landmarks(self) -> Landmarks:
        """Pairs of peaks of all recordings, in the order of `recordings`; put in order when first asked for."""
        return Landmarks(
            [one.peaks for one in self._fingerprints], [one.n_frames for one in self._fingerprints]
        )

    @cached_property
    def _kept_levels(self) -> KeptLevels | None:
        if not any(one.packed_levels for one in self._fingerprints):
            return None
        return KeptLevels([one.levels for one in self._fingerprints])

    @cached_property
    def parts(self) -> Parts | None:
        """Kept levels of all recordings with their tops, put in order when first asked for; None where none are kept."""
        return Parts(self._kept_levels) if self._kept_levels is not None else None

    @cached_property
    def moments(self) -> Moments | None:
        """Kept levels of all recordings by their codes, put in order when first asked for; None where none are kept."""
        return Moments(self._kept_levels) if self._kept_levels is not None else None

    @cached_property
    def vectors(self) -> LearnedVectors:
        """Learned vectors of all recordings, in the order of `recordings`; put in order when first asked for."""
        return LearnedVectors([one.vectors for one in self._fingerprints])

    def neighbours(
        self, windows: NDArray[np.uint32], *, column: int, n_neighbours: int
    ) -> list[list[Neighbour]]:
        """Find the nearest reference windows by Hamming distance.

        Parameters
        ----------
        windows : np.ndarray [shape=(n, WINDOW_ITEMS), dtype=uint32]
        column : int
            Which column of the fingerprint they come from.
        n_neighbours : int
            How many for each; fewer where the index has fewer.

        Returns
        -------
        list of list of Neighbour
            One list for each window, in rising distance; equal distances in the order of recordings and
            places.
        """
        if len(windows) == 0 or self.facts.n_windows == 0:
            return [[] for _ in windows]
        codes = np.ascontiguousarray(windows, dtype="<u4").view(np.uint8).reshape(len(windows), -1)
        distances, places = self._faiss[column].search(codes, min(n_neighbours, self.facts.n_windows))
        owners = np.searchsorted(self._starts, places, side="right") - 1
        return [
            sorted(
                (Neighbour(int(o), int(p - self._starts[o]), int(d)) for o, p, d in zip(*row, strict=True)),
                key=lambda near: (near.distance, near.recording, near.reference_start),
            )
            for row in zip(owners, places, distances, strict=True)
        ]

    def _describe(self, dataset: str, dataset_version: str) -> bytes:
        digest = hashlib.sha256()
        listed: list[list[Any]] = []
        identities: list[tuple[str, str]] = []
        for key, fingerprint in zip(self._recordings, self._fingerprints, strict=True):
            whole = fingerprint.whole
            digest.update(whole)
            listed.append([key, fingerprint.sha256, len(whole)])
            identities += identities_of(key, fingerprint)
        described = {
            "dataset": dataset,
            "dataset_version": dataset_version,
            "body_sha256": digest.hexdigest(),
            "method": METHOD,
            "method_version": METHOD_VERSION,
            "recordings": listed,
            "set_hash": set_hash(identities),
            "window_items": WINDOW_ITEMS,
        }
        return sealed.header_of(described)

    def _fill(self) -> list[Any]:
        import faiss

        columns = []
        for column in range(N_COLUMNS):
            index = faiss.IndexBinaryFlat(WINDOW_BITS)
            for stream in self._items:
                codes = np.ascontiguousarray(windows_of(stream[:, column]))
                if len(codes):
                    index.add(codes.view(np.uint8).reshape(len(codes), -1))
            columns.append(index)
        return columns
