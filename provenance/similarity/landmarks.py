"""Pairs of peaks, by which brief pieces are looked up: a second of a recording inside other music.

A strong peak and each of the next few peaks make a pair: their bands, and the time between them. Few places of a
reference hold the same pair, so that every place where many pairs of a query come together is found without looking at
any other. What is exact costs: pairs bear no other pitch or tempo.

Source: Wang 2003, "An Industrial-Strength Audio Search Algorithm", ISMIR.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from provenance.similarity.constellation import GAP_FRAMES
from provenance.similarity.levels import N_BANDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from provenance.similarity.peaks import Peaks

N_TARGETS = 8
"""Peaks that follow a strong one and make a pair with it."""

NEAREST_FRAMES = 2
FARTHEST_FRAMES = 31
"""Frames (0.06 to 0.96 s) from the one to the other."""

N_LAGS = FARTHEST_FRAMES + 1
N_PAIRS = N_BANDS * N_BANDS * N_LAGS

COMMONEST = 400
"""Places of one pair above which it is passed over: a beat that goes on all through says nothing."""

DIAGONAL_FRAMES = 3
"""Frames (0.09 s) of a reference that are one diagonal for counting."""

CELL_FRAMES = 40
"""Frames (1.2 s) of the query that are counted together, with the ones that follow."""

_FRAME_BITS = 40
"""Of a number that holds a kind and below it a frame: what is sorted at once needs no order beside it."""

N_CELLS = 80
"""Best cells of a query that are told, for each half minute."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A moment of the query at which many pairs lie on one diagonal of a reference.

    Attributes
    ----------
    reference : int
    origin : float
        Frame of the reference at which the query would begin; may be negative.
    frame : int
        Of the query, at which the cell begins.
    n_pairs : int
        That come together in it.
    """

    reference: int
    origin: float
    frame: int
    n_pairs: int


class Landmarks:
    """The pairs of references, by what they are.

    Parameters
    ----------
    references : sequence of Peaks
    lengths : sequence of int
        Frames of each.
    """

    def __init__(self, references: Sequence[Peaks], lengths: Sequence[int]) -> None:
        spans = np.asarray(lengths, dtype=np.int64) + GAP_FRAMES
        self._starts = np.concatenate([[0], np.cumsum(spans)])
        made = [pairs_of(peaks) for peaks in references]
        kinds = np.concatenate([*(one for one, _ in made), np.zeros(0, np.int32)])
        frames = np.concatenate(
            [*(at + start for (_, at), start in zip(made, self._starts, strict=False)), np.zeros(0, np.int64)]
        )
        together = np.sort((kinds.astype(np.int64) << _FRAME_BITS) | frames)
        self._frames = together & ((1 << _FRAME_BITS) - 1)
        counts = np.bincount(kinds, minlength=N_PAIRS)
        self._begins = np.concatenate([[0], np.cumsum(counts)])

    def search(self, query: Peaks) -> list[Cell]:
        """Find the moments of a query that many pairs agree upon.

        Parameters
        ----------
        query : Peaks
            Of half a minute or so.

        Returns
        -------
        list of Cell
            The ``N_CELLS`` with most pairs, in falling number; of equal ones the earlier in the index first.
        """
        places, moments = self._met(*pairs_of(query))
        if not len(places):
            return []
        diagonals = (places - moments + GAP_FRAMES // 2) // DIAGONAL_FRAMES
        n_moments = int(moments.max()) // CELL_FRAMES + 2
        cells, counts = np.unique(diagonals * n_moments + moments // CELL_FRAMES, return_counts=True)
        side_by_side = np.diff(cells) == 1
        after, before = np.zeros((2, len(cells)), dtype=np.int64)
        np.copyto(after[:-1], counts[1:], where=side_by_side)
        np.copyto(before[1:], counts[:-1], where=side_by_side)
        alone = counts + np.maximum(after, before)
        likely = _likely(cells, alone, n_moments)
        following = cells[likely] + n_moments
        next_one = counts_at(cells, counts, following) + np.maximum(
            counts_at(cells, counts, following + 1), counts_at(cells, counts, following - 1)
        )
        together = alone[likely] + next_one
        order = np.argsort(-together, kind="stable")[:N_CELLS]
        found = []
        for cell, n_pairs in zip(cells[likely[order]].tolist(), together[order].tolist(), strict=True):
            diagonal, moment = divmod(cell, n_moments)
            line = (diagonal + 1) * DIAGONAL_FRAMES - GAP_FRAMES // 2
            middle = line + moment * CELL_FRAMES + CELL_FRAMES // 2
            reference = int(np.searchsorted(self._starts, middle, side="right")) - 1
            reference = min(max(0, reference), len(self._starts) - 2)
            origin = float(line - self._starts[reference])
            found.append(Cell(reference, origin, moment * CELL_FRAMES, n_pairs))
        return found

    def _met(
        self, kinds: NDArray[np.int32], frames: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Places in the index of the query's pairs, a frame longer or shorter too, and the query's frames."""
        places, moments = [], []
        for more in (-1, 0, 1):
            lags = kinds % N_LAGS + more
            inside = (lags > 0) & (lags < N_LAGS)
            wanted = kinds[inside] + more
            lows = self._begins[wanted]
            counts = self._begins[wanted + 1] - lows
            rare = counts < COMMONEST
            lows, counts = lows[rare], counts[rare]
            ends = np.cumsum(counts)
            if len(ends) and ends[-1]:
                which = np.arange(ends[-1]) + np.repeat(lows - (ends - counts), counts)
                places.append(self._frames[which])
                moments.append(np.repeat(frames[inside][rare], counts))
        if not places:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        return np.concatenate(places), np.concatenate(moments)


def pairs_of(peaks: Peaks) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Pair strong peaks with what follows them.

    Returns
    -------
    kinds : np.ndarray [shape=(n_pairs,), dtype=int32]
        Both bands and the lag in one number, in [0, N_PAIRS).
    frames : np.ndarray [shape=(n_pairs,), dtype=int64]
        At which each pair begins.
    """
    order = np.lexsort((peaks.bands, peaks.frames))
    frames, bands = peaks.frames[order].astype(np.int64), peaks.bands[order].astype(np.int64)
    anchors = np.flatnonzero(peaks.strong[order])
    first = np.searchsorted(frames, frames[anchors] + NEAREST_FRAMES)
    kinds, begins = [], []
    for number in range(N_TARGETS):
        targets = np.minimum(first + number, len(frames) - 1)
        lags = frames[targets] - frames[anchors]
        paired = (first + number < len(frames)) & (lags <= FARTHEST_FRAMES)
        kinds.append(((bands[anchors] * N_BANDS + bands[targets]) * N_LAGS + lags)[paired])
        begins.append(frames[anchors][paired])
    return np.concatenate(kinds).astype(np.int32), np.concatenate(begins)


def _likely(cells: NDArray[np.int64], alone: NDArray[np.int64], n_moments: int) -> NDArray[np.int64]:
    """Places in ``cells`` of those that can be among the best, in rising order.

    A cell counts with the ones a moment later, and of these two one has at least half of both.
    """
    as_many = np.cumsum(np.bincount(alone)[::-1])[::-1]
    least = int(np.searchsorted(-as_many, -N_CELLS, side="right")) - 1
    many = np.flatnonzero(2 * alone >= least)
    earlier = (cells[many] - n_moments)[:, None] + np.array([-1, 0, 1])
    found = np.minimum(np.searchsorted(cells, earlier), len(cells) - 1)
    return np.union1d(many, found[cells[found] == earlier])


def counts_at(
    cells: NDArray[np.int64], counts: NDArray[np.int64], wanted: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Look up the counts of other cells.

    Parameters
    ----------
    cells : np.ndarray [shape=(n,), dtype=int64]
        In rising order, one at least.
    counts : np.ndarray [shape=(n,), dtype=int64]
        Of each.
    wanted : np.ndarray [shape=(m,), dtype=int64]

    Returns
    -------
    np.ndarray [shape=(m,), dtype=int64]
        0 for a cell that is not there.
    """
    found = np.minimum(np.searchsorted(cells, wanted), len(cells) - 1)
    return np.where(cells[found] == wanted, counts[found], 0)
