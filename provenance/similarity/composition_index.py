"""The index of compositions as they sound: where a stretch of harmony or melody may lie, in any key and near tempo.

A *window* is eight seconds of one row of a print, each pitch class over time reduced to a few slow cosines. Windows are
compared by their cosine, in all twelve rotations of the pitch classes and at the tempi of ``TEMPI``; a longer query lays
several of them one after another on every place of every reference. A query that is mostly one voice is looked up once
more and finer: by its line, on all the voices of each reference. All references are looked through: the cost grows
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
    from collections.abc import Iterable, Mapping, Sequence
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

PARTS = ("harmony", "melody", "line")
HARMONY_SHARES = (0.75, 0.25)
"""What the rows of harmony and melody count in the part called harmony. The part called melody is of melody alone, and
the one called line of the query's line and the reference's voices."""

LINE_TEMPI = tuple(round(0.8 * 1.25 ** (step / 4), 3) for step in range(9))
LINE_HOP = 2
LINE_COSINES = 16
"""As ``TEMPI``, ``WINDOW_HOP`` and ``N_COSINES``, of lines: a tune moves faster than its harmony."""

LEAST_LINE = 0.6
"""Share of a query's frames, each by how clear its line is, below which it has none to look up: three in ten recordings
reach it, and three in four single voices."""

CLEAR_STEPS = 4.0
"""Steps by which the strongest voice of a frame stands above the next where it is the line beyond doubt: 11 dB."""

LASTING_FRAMES = 65
LASTING_SHARE = 0.5
"""Frames (16 s) over whose mean, times the share, a voice of a reference has to rise: what lasts says little."""

BEYOND = np.float32(1.0)
"""What a place at which the query reaches over the end of a reference counts less."""

FORMAT = 1
_MAGIC = b"LNCX"

_AT = (np.arange(WINDOW_FRAMES) + 0.5) / WINDOW_FRAMES
_COSINES = np.stack([np.cos(np.pi * order * _AT) for order in range(LINE_COSINES)]).astype(np.float32)
_COSINES *= np.sqrt(2 / WINDOW_FRAMES).astype(np.float32)
_COSINES[0] *= np.sqrt(np.float32(0.5))


@dataclass(frozen=True, slots=True)
class _Looked:
    """How parts are looked up: by which rows of what is held, how much each counts in which part, and how finely."""

    rows: tuple[int, ...]
    shares: Mapping[str, tuple[float, ...]]
    tempi: tuple[float, ...]
    hop: int
    n_cosines: int
    in_units: bool


_SLOWLY = _Looked(
    (0, 1), {"harmony": HARMONY_SHARES, "melody": (0.0, 1.0)}, TEMPI, WINDOW_HOP, N_COSINES, in_units=True
)
_FINELY = _Looked((2,), {"line": (1.0,)}, LINE_TEMPI, LINE_HOP, LINE_COSINES, in_units=False)


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


def line_of(rows: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the strongest voice of each frame, as far as it is alone, without its mean [shape=(n, 12)]."""
    voices = rows[:, 2].astype(np.float32)
    first, second = np.moveaxis(np.sort(voices, axis=1)[:, :-3:-1], 1, 0)
    clear = np.clip((first - second) / np.float32(CLEAR_STEPS), 0, 1)
    line = np.full(voices.shape, -1 / N_CLASSES, dtype=np.float32)
    line[np.arange(len(line)), voices.argmax(axis=1)] += 1
    weighed: NDArray[np.float32] = line * clear[:, None]
    return weighed


def voices_of(rows: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return how much each voice rises above what lasts there and what else sounds [shape=(n, 12)]."""
    voices = rows[:, 2].astype(np.float32) / N_LEVELS
    half = LASTING_FRAMES // 2
    sums = np.cumsum(np.pad(voices, ((half + 1, half), (0, 0)), mode="edge"), axis=0)
    lasting = (sums[LASTING_FRAMES:] - sums[:-LASTING_FRAMES]) / np.float32(LASTING_FRAMES)
    risen = voices - np.float32(LASTING_SHARE) * lasting
    centred: NDArray[np.float32] = (risen - risen.mean(axis=1, keepdims=True)).astype(np.float32, copy=False)
    return centred


def asked(rows: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How a query is compared [shape=(n, 3, 12)]: `directions` of harmony and melody, and its line."""
    return np.concatenate([directions(rows[:, :2]), line_of(rows)[:, None]], axis=1)


def held(rows: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How a reference is compared [shape=(n, 3, 12)]: `directions` of harmony and melody, and its voices."""
    return np.concatenate([directions(rows[:, :2]), voices_of(rows)[:, None]], axis=1)


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
        self.grounds = tuple(held(tune.rows) for tune in self.tunes)
        self._slow, self._fine = _Windows(_SLOWLY, self.grounds), _Windows(_FINELY, self.grounds)
        self.facts = IndexFacts(
            method=METHOD,
            method_version=METHOD_VERSION,
            dataset=described["dataset"],
            dataset_version=described["dataset_version"],
            n_recordings=len(self._recordings),
            n_windows=int(self._slow.starts[-1]),
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
        query : np.ndarray [shape=(n >= LEAST_FRAMES, 3, 12)]
            As `asked` gives it; about three windows of it.

        Returns
        -------
        dict
            By part, a place for each reference that is long enough, the likest first; none of the line where the query
            has none.
        """
        has_line = float(query[:, 2].max(axis=1).mean()) >= LEAST_LINE * (1 - 1 / N_CLASSES)
        return self._slow.places(query) | (self._fine.places(query) if has_line else {"line": []})

    def places_in(self, query: NDArray[np.float32], place: Place, part: str, *, share: float) -> list[int]:
        """Frames of one reference at which the query lies as well as at ``place``, up to ``share`` of it."""
        windows = self._fine if part == "line" else self._slow
        return windows.places_in(query, place, part, share=share)


class _Windows:
    """The windows of all references by which parts are looked up."""

    def __init__(self, looked: _Looked, references: Sequence[NDArray[np.float32]]) -> None:
        self._looked = looked
        firsts = [_firsts(len(frames), looked.hop) for frames in references]
        self.starts = np.concatenate([[0], np.cumsum([len(those) for those in firsts], dtype=np.int64)])
        self._owners = np.repeat(np.arange(len(references)), np.diff(self.starts))
        width = N_CLASSES * looked.n_cosines
        reduced = [
            self._reduced(frames, those)
            for frames, those in zip(references, firsts, strict=True)
            if len(those)
        ]
        self._rows = [
            np.ascontiguousarray(np.concatenate([one[:, row] for one in reduced]).reshape(-1, width))
            if reduced
            else np.zeros((0, width), dtype=np.float32)
            for row in range(len(looked.rows))
        ]

    def places(self, query: NDArray[np.float32]) -> dict[str, list[Place]]:
        """Find by part where a query lies best in each reference, the likest first."""
        parts = tuple(self._looked.shares)
        filled = np.flatnonzero(np.diff(self.starts))
        if not len(filled):
            return {part: [] for part in parts}
        firsts = self.starts[filled]
        best = np.full((len(parts), len(filled)), -np.inf, dtype=np.float32)
        where = np.zeros((len(parts), len(filled), 3), dtype=np.int64)
        for number, tempo in enumerate(self._looked.tempi):
            for part, likeness in enumerate(self._likeness(resampled(query, tempo)).values()):
                tops = np.maximum.reduceat(likeness, firsts, axis=1)
                rotations, values = tops.argmax(axis=0), tops.max(axis=0)
                for place in np.flatnonzero(values > best[part]).tolist():
                    rotation, (first, end) = int(rotations[place]), self.starts[filled[place] :][:2]
                    at = int(likeness[rotation, first:end].argmax())
                    best[part, place] = values[place]
                    where[part, place] = number, rotation, at * self._looked.hop
        return {
            name: [
                Place(
                    int(filled[place]),
                    int(where[part, place, 2]),
                    int(where[part, place, 1]),
                    self._looked.tempi[where[part, place, 0]],
                    float(best[part, place]),
                )
                for place in np.argsort(-best[part], kind="stable").tolist()
            ]
            for part, name in enumerate(parts)
        }

    def places_in(self, query: NDArray[np.float32], place: Place, part: str, *, share: float) -> list[int]:
        """Frames of one reference at which the query lies as well as at ``place``, up to ``share`` of it."""
        here = slice(self.starts[place.reference], self.starts[place.reference + 1])
        row = self._likeness(resampled(query, place.tempo), here)[part][place.rotation]
        good = np.flatnonzero(row >= share * place.likeness)
        tops = [at for at in good if row[at] == row[max(0, at - 3) : at + 4].max()]
        return [int(at) * self._looked.hop for at in tops]

    def _likeness(
        self, query: NDArray[np.float32], chosen: slice = slice(None)
    ) -> dict[str, NDArray[np.float32]]:
        """How well the query lies at each window, for each rotation [shape=(12, n_windows)], by part."""
        hop = self._looked.hop
        n_windows = max(1, round(len(query) / WINDOW_FRAMES))
        last = max(0, len(query) - WINDOW_FRAMES)
        starts = np.unique(np.rint(np.linspace(0, last, n_windows) / hop).astype(np.int64))
        looked = self._reduced(query, np.minimum(starts * hop, last))
        turned = np.stack([np.roll(looked, -rotation, axis=2) for rotation in range(N_CLASSES)])
        rows: list[NDArray[np.float32]] = []
        for row, windows in enumerate(self._rows):
            lines = turned[:, :, row].reshape(N_CLASSES * len(starts), -1)
            likeness = (lines @ windows[chosen].T).reshape(N_CLASSES, len(starts), -1)
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
                total[:, beyond] -= BEYOND
        return {part: _shared(rows, shares) for part, shares in self._looked.shares.items()}

    def _reduced(self, frames: NDArray[np.float32], starts: NDArray[np.int64]) -> NDArray[np.float32]:
        """Windows [shape=(n_starts, n_rows, 12, n_cosines)]; beyond the end of ``frames`` is nothing."""
        missing = max(0, int(starts[-1]) + WINDOW_FRAMES - len(frames))
        padded = np.pad(frames[:, self._looked.rows], ((0, missing), (0, 0), (0, 0)))
        windows = padded[starts[:, None] + np.arange(WINDOW_FRAMES)]
        reduced = np.einsum("swrc,kw->srck", windows, _COSINES[: self._looked.n_cosines], optimize=True)
        if self._looked.in_units:
            reduced /= np.maximum(np.sqrt(np.square(reduced).sum(axis=(2, 3), keepdims=True)), 1e-6)
        floats: NDArray[np.float32] = reduced.astype(np.float32, copy=False)
        return floats


def _shared(rows: Sequence[NDArray[np.float32]], shares: tuple[float, ...]) -> NDArray[np.float32]:
    counted = [(row, share) for row, share in zip(rows, shares, strict=True) if share]
    if len(counted) == 1:
        return counted[0][0]
    total: NDArray[np.float32] = sum(np.float32(share) * row for row, share in counted)  # type: ignore[assignment]
    return total


def _firsts(n_frames: int, hop: int) -> NDArray[np.int64]:
    """Where the windows of a reference begin: none of one that is too short."""
    return np.arange(0, max(1, n_frames - WINDOW_FRAMES + 1) if n_frames >= LEAST_FRAMES else 0, hop)
