"""The index of compositions as they sound: where a stretch of harmony or melody may lie, in any key and near tempo.

A *window* is eight seconds of one row of a print, each pitch class over time reduced to a few slow cosines. Windows are
compared by their cosine, in all twelve rotations of the pitch classes and at the tempi of ``TEMPI``; a longer query lays
several of them one after another on every place of every reference. All references are looked through: the cost grows
with the hours in the index.

Source: the optimal transposition index: Serrà, Gómez and Herrera 2008, "Transposing Chroma Representations to a Common
Key"; here the key is part of the search instead of being guessed before it.
"""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from provenance.similarity import sealed
from provenance.similarity.harmony import LEAST_FRAMES, METHOD, METHOD_VERSION, N_CLASSES, N_LEVELS, Tune
from provenance.similarity.index import (
    IndexFacts,
    set_hash,
)
from provenance.similarity.notes import NoteIndex

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

WINDOW_FRAMES = 32
"""Frames of a window: 7.9 s."""

WINDOW_HOP = 6
"""Frames from one window of a reference to the next: 1.5 s."""

N_COSINES = 6
"""Cosines that are kept of each pitch class: the finest turns every 2.6 s."""

TEMPI = (0.8, 0.894, 1.0, 1.118, 1.25)
"""Seconds of the reference that pass in one of the query, as they are looked up; between them it is aligned."""

PARTS = ("harmony", "melody")
HARMONY_SHARES = (0.75, 0.25)
"""What harmony and melody count in the part called harmony; the part called melody is of melody alone."""

FORMAT = 1
_MAGIC = b"LNCX"

_AT = (np.arange(WINDOW_FRAMES) + 0.5) / WINDOW_FRAMES
_COSINES = np.stack([np.cos(np.pi * order * _AT) for order in range(N_COSINES)]).astype(np.float32)
_COSINES *= np.sqrt(2 / WINDOW_FRAMES).astype(np.float32)
_COSINES[0] *= np.sqrt(np.float32(0.5))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a query may lie: ``rotation`` is how many semitones it stands above the reference, in [0, 12)."""

    reference: int
    frame: int
    rotation: int
    tempo: float
    likeness: float


def directions(rows: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Each row of a print without its mean, at unit length [shape=(n, 2, 12)]; zeros where nothing sounds."""
    centred = rows.astype(np.float32) / N_LEVELS
    centred -= centred.mean(axis=2, keepdims=True)
    lengths = np.linalg.norm(centred, axis=2, keepdims=True)
    turned: NDArray[np.float32] = centred / np.maximum(lengths, 1e-3)
    return turned


def resampled(frames: NDArray[np.float32], tempo: float) -> NDArray[np.float32]:
    """Play a query so that it lasts ``tempo`` times as long."""
    n_frames = max(1, round(len(frames) * tempo))
    at = np.clip((np.arange(n_frames) + 0.5) * len(frames) / n_frames - 0.5, 0, len(frames) - 1)
    low = np.floor(at).astype(np.int64)
    high = np.minimum(low + 1, len(frames) - 1)
    share = (at - low).astype(np.float32)[:, None, None]
    stretched: NDArray[np.float32] = frames[low] * (1 - share) + frames[high] * share
    return stretched


class CompositionIndex:
    """Prints of compositions, and the windows of all of them in memory."""

    def __init__(self, described: dict[str, Any], tunes: Sequence[Tune]) -> None:
        """Use `build` or `load`."""
        self._described = described
        self.tunes = tuple(tunes)
        self._recordings = tuple(str(key) for key, _, _ in described["recordings"])
        self._windows, self._starts = _windows_of(self.tunes)
        self.facts = IndexFacts(
            method=METHOD,
            method_version=METHOD_VERSION,
            dataset=described["dataset"],
            dataset_version=described["dataset_version"],
            n_recordings=len(self._recordings),
            n_windows=int(self._starts[-1]),
            set_hash=described["set_hash"],
            sha256=hashlib.sha256(sealed.header_of(described)).hexdigest(),
        )

    @property
    def recordings(self) -> tuple[str, ...]:
        """Keys of the recordings, sorted."""
        return self._recordings

    @cached_property
    def notes(self) -> NoteIndex:
        """The n-grams of those whose notes are known."""
        known = zip(self._recordings, self.tunes, strict=True)
        return NoteIndex((key, tune.notes) for key, tune in known if tune.notes)

    @property
    def too_short(self) -> tuple[str, ...]:
        """Recordings with too little tune to be found."""
        return tuple(
            key for key, tune in zip(self._recordings, self.tunes, strict=True) if len(tune) < LEAST_FRAMES
        )

    @classmethod
    def build(
        cls, references: Iterable[tuple[str, bytes]], *, dataset: str = "", dataset_version: str = ""
    ) -> CompositionIndex:
        """Index compositions by their prints.

        Parameters
        ----------
        references : iterable of (recording, print)
            The key under which matches will name the recording, and what `Tune.packed` gave. The order plays
            no part.
        dataset, dataset_version : str
            Kept in the file and checked when it is loaded.

        Raises
        ------
        ValueError
            If a recording comes twice, or a print is none.
        """
        ordered = sorted(references, key=lambda reference: reference[0])
        keys = [key for key, _ in ordered]
        if twice := [key for key, following in itertools.pairwise(keys) if key == following]:
            raise ValueError(f"recording {twice[0]} was given twice")
        hashes = [(key, hashlib.sha256(stored).hexdigest()) for key, stored in ordered]
        body = hashlib.sha256()
        for _, stored in ordered:
            body.update(stored)
        described = {
            "body_sha256": body.hexdigest(),
            "dataset": dataset,
            "dataset_version": dataset_version,
            "method": METHOD,
            "method_version": METHOD_VERSION,
            "recordings": [
                [key, sha256, len(stored)] for (key, sha256), (_, stored) in zip(hashes, ordered, strict=True)
            ],
            "set_hash": set_hash(hashes),
        }
        return cls(described, [Tune.unpack(stored) for _, stored in ordered])

    @classmethod
    def load(
        cls,
        path: Path,
        *,
        set_hash: str | None = None,
        dataset: str | None = None,
        dataset_version: str | None = None,
    ) -> CompositionIndex:
        """Read an index and verify every byte of it.

        Raises
        ------
        IndexMissingError, IndexDamagedError, IndexFormatError, IndexStaleError
            As `provenance.similarity.index.RecordingIndex.load`.
        """
        described, body = sealed.load(
            path,
            magic=_MAGIC,
            layout=FORMAT,
            made_by={"method": METHOD, "method_version": METHOD_VERSION},
            wanted={"set_hash": set_hash, "dataset": dataset, "dataset_version": dataset_version},
        )
        ends = np.cumsum([0, *(n_bytes for _, _, n_bytes in described["recordings"])]).tolist()
        return cls(described, [Tune.unpack(body[first:end]) for first, end in itertools.pairwise(ends)])

    def save(self, path: Path) -> None:
        """Write the index; until it is whole and on the disk, the file that stood at ``path`` stays.

        Raises
        ------
        lib.files.DiskFullError
            If the disk is full; the old file is untouched and nothing is left beside it.
        """
        sealed.save(
            path,
            magic=_MAGIC,
            layout=FORMAT,
            header=sealed.header_of(self._described),
            body=(tune.packed for tune in self.tunes),
        )

    def places(self, query: NDArray[np.float32]) -> dict[str, list[Place]]:
        """Find where a query lies best in each reference.

        Parameters
        ----------
        query : np.ndarray [shape=(n >= LEAST_FRAMES, 2, 12)]
            As `directions` gives it; about three windows of it.

        Returns
        -------
        dict
            By part, a place for each reference that is long enough, the likest first.
        """
        n_references = len(self.tunes)
        best = np.full((len(PARTS), n_references), -np.inf, dtype=np.float32)
        where = np.zeros((len(PARTS), n_references, 3), dtype=np.int64)
        if not self.facts.n_windows:
            return {part: [] for part in PARTS}
        filled = np.flatnonzero(np.diff(self._starts))
        firsts = self._starts[filled]
        for number, tempo in enumerate(TEMPI):
            for part, likeness in enumerate(self._likeness(resampled(query, tempo))):
                tops = np.maximum.reduceat(likeness, firsts, axis=1)
                rotations, values = tops.argmax(axis=0), tops.max(axis=0)
                for place in np.flatnonzero(values > best[part, filled]).tolist():
                    reference, rotation = int(filled[place]), int(rotations[place])
                    first, end = self._starts[reference], self._starts[reference + 1]
                    at = int(likeness[rotation, first:end].argmax())
                    best[part, reference] = values[place]
                    where[part, reference] = number, rotation, at * WINDOW_HOP
        return {
            name: [
                Place(
                    int(reference),
                    int(where[part, reference, 2]),
                    int(where[part, reference, 1]),
                    TEMPI[where[part, reference, 0]],
                    float(best[part, reference]),
                )
                for reference in np.argsort(-best[part], kind="stable")
                if np.isfinite(best[part, reference])
            ]
            for part, name in enumerate(PARTS)
        }

    def places_in(self, query: NDArray[np.float32], place: Place, part: str, *, share: float) -> list[int]:
        """Frames of one reference at which the query lies as well as at ``place``, up to ``share`` of it."""
        first, end = self._starts[place.reference], self._starts[place.reference + 1]
        likeness = self._likeness(resampled(query, place.tempo), slice(first, end))[PARTS.index(part)]
        row = likeness[place.rotation]
        good = np.flatnonzero(row >= share * place.likeness)
        tops = [at for at in good if row[at] == row[max(0, at - 3) : at + 4].max()]
        return [int(at) * WINDOW_HOP for at in tops]

    def _likeness(
        self, query: NDArray[np.float32], chosen: slice = slice(None)
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """How well the query lies at each window, for each rotation [shape=(12, n_windows)], by part."""
        n_windows = max(1, round(len(query) / WINDOW_FRAMES))
        last = max(0, len(query) - WINDOW_FRAMES)
        starts = np.unique(np.rint(np.linspace(0, last, n_windows) / WINDOW_HOP).astype(np.int64))
        looked = _reduced(query, np.minimum(starts * WINDOW_HOP, last))
        turned = np.stack([np.roll(looked, -rotation, axis=2) for rotation in range(N_CLASSES)])
        rows: list[NDArray[np.float32]] = []
        for row in range(len(PARTS)):
            lines = turned[:, :, row].reshape(N_CLASSES * len(starts), -1)
            likeness = (lines @ self._windows[row][chosen].T).reshape(N_CLASSES, len(starts), -1)
            total = likeness[:, 0].copy()
            for number, shift in enumerate((starts - starts[0]).tolist()[1:], start=1):
                total[:, : -shift or None] += likeness[:, number, shift:]
            rows.append(total / np.float32(len(starts)))
        reach = int(starts[-1] - starts[0])
        if reach:
            owners = self._owners[chosen]
            beyond = np.ones(len(owners), dtype=bool)
            beyond[:-reach] = owners[reach:] != owners[:-reach]
            for total in rows:
                total[:, beyond] -= 1.0
        harmony, melody = HARMONY_SHARES
        return np.float32(harmony) * rows[0] + np.float32(melody) * rows[1], rows[1]

    @property
    def _owners(self) -> NDArray[np.int64]:
        return np.repeat(np.arange(len(self.tunes)), np.diff(self._starts))


def _windows_of(
    tunes: Sequence[Tune],
) -> tuple[tuple[NDArray[np.float32], NDArray[np.float32]], NDArray[np.int64]]:
    """Windows of all prints, one array for each row of a print, and where each print begins."""
    reduced = [
        _reduced(directions(tune.rows), np.arange(0, max(1, len(tune) - WINDOW_FRAMES + 1), WINDOW_HOP))
        for tune in tunes
        if len(tune) >= LEAST_FRAMES
    ]
    counts = [
        len(range(0, max(1, len(tune) - WINDOW_FRAMES + 1), WINDOW_HOP)) if len(tune) >= LEAST_FRAMES else 0
        for tune in tunes
    ]
    starts = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    if not reduced:
        none = np.zeros((0, N_CLASSES * N_COSINES), dtype=np.float32)
        return (none, none), starts
    together = np.concatenate(reduced)
    rows = [np.ascontiguousarray(together[:, row].reshape(len(together), -1)) for row in range(len(PARTS))]
    return (rows[0], rows[1]), starts


def _reduced(frames: NDArray[np.float32], starts: NDArray[np.int64]) -> NDArray[np.float32]:
    """Windows at unit length [shape=(n_starts, 2, 12, N_COSINES)]; beyond the end of ``frames`` is nothing."""
    missing = max(0, int(starts[-1]) + WINDOW_FRAMES - len(frames))
    padded = np.pad(frames, ((0, missing), (0, 0), (0, 0)))
    windows = padded[starts[:, None] + np.arange(WINDOW_FRAMES)]
    reduced = np.einsum("swrc,kw->srck", windows, _COSINES, optimize=True)
    lengths = np.sqrt(np.square(reduced).sum(axis=(2, 3), keepdims=True))
    units: NDArray[np.float32] = (reduced / np.maximum(lengths, 1e-6)).astype(np.float32)
    return units
