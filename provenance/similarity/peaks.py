"""Peaks: moments and bands at which a sound stands out of what was there the second before.

What stays as it is (a drone, hum, a held chord) has none; what begins, moves or beats has many. Where two sounds are
mixed, most peaks of either remain, and at another pitch or tempo they are the same picture, moved or stretched.

Source: peaks of a spectrogram as what survives noise and mixing: Wang 2003, "An Industrial-Strength Audio Search
Algorithm", ISMIR; on bands of equal musical width so that pitch is a shift: Six and Leman 2014, "Panako", ISMIR.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from provenance.similarity.levels import N_BANDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

MEMORY_FRAMES = 65
"""Frames (2.0 s) over which a band's own mean is taken, half of them to either side."""

BREADTH_BANDS = 25
"""Bands (an octave) over which the mean of a moment is taken."""

LEAST_DB = 1.5
"""Relief below which nothing is a peak."""

QUIETEST_DB = -75.0
"""Level, dB re a full-scale sine, below which nothing is a peak."""

AROUND = (7, 5)
"""Frames and bands inside which a peak is the highest."""

BLOCK_FRAMES = 16
"""Frames (0.5 s) whose highest peaks are kept."""

PEAKS_A_BLOCK = 15
STRONG_A_BLOCK = 5
"""Of the peaks kept, the highest: those that a search for candidates looks at."""

_CHUNK_BLOCKS = 128
_CONTEXT_FRAMES = 4 * BLOCK_FRAMES


@dataclass(frozen=True, slots=True)
class Peaks:
    """Peaks of a sound, in rising order of frame and band.

    Attributes
    ----------
    frames : np.ndarray [shape=(n_peaks,), dtype=int32]
        In hops of ``levels.HOP_S`` from the beginning.
    bands : np.ndarray [shape=(n_peaks,), dtype=uint8]
        In [0, N_BANDS).
    strong : np.ndarray [shape=(n_peaks,), dtype=bool]
        Whether it is among the ``STRONG_A_BLOCK`` highest of its block.
    """

    frames: NDArray[np.int32]
    bands: NDArray[np.uint8]
    strong: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.frames)

    def between(self, first: float, end: float) -> Peaks:
        """Those in frames ``first`` <= frame < ``end``."""
        low, high = np.searchsorted(self.frames, (np.ceil(first), np.ceil(end)))
        return Peaks(self.frames[low:high], self.bands[low:high], self.strong[low:high])

    def moved(self, frames: int) -> Peaks:
        """The same, later by so many frames."""
        return Peaks(self.frames + np.int32(frames), self.bands, self.strong)

    def only(self, these: NDArray[np.bool_]) -> Peaks:
        """Those that are marked [shape=(n_peaks,)]."""
        return Peaks(self.frames[these], self.bands[these], self.strong[these])


def relief(levels: NDArray[np.float16]) -> NDArray[np.float32]:
    """How far each band stands out of its own two seconds, beside its neighbours.

    Parameters
    ----------
    levels : np.ndarray [shape=(n_frames, N_BANDS)]
        dB, as `provenance.similarity.levels` gives them.

    Returns
    -------
    np.ndarray [shape=(n_frames, N_BANDS), dtype=float32]
        Decibels; zero in silence.
    """
    from scipy import ndimage

    if len(levels) == 0:
        return np.zeros((0, N_BANDS), dtype=np.float32)
    heard = levels.astype(np.float32)
    heard -= ndimage.uniform_filter1d(heard, MEMORY_FRAMES, axis=0, mode="nearest")
    heard -= ndimage.uniform_filter1d(heard, BREADTH_BANDS, axis=1, mode="nearest")
    return heard


def peaks_of(levels: NDArray[np.float16]) -> Peaks:
    """Find the peaks of levels of any length.

    Parameters
    ----------
    levels : np.ndarray [shape=(n_frames, N_BANDS)]

    Returns
    -------
    Peaks
        At most ``PEAKS_A_BLOCK`` in each half second.
    """
    chunk = _CHUNK_BLOCKS * BLOCK_FRAMES
    found = []
    for first in range(0, len(levels), chunk):
        begin = max(0, first - _CONTEXT_FRAMES)
        frames, bands, strong = _in_chunk(levels[begin : first + chunk + _CONTEXT_FRAMES])
        frames += begin
        here = (frames >= first) & (frames < first + chunk)
        found.append((frames[here], bands[here], strong[here]))
    if not found:
        return Peaks(np.zeros(0, np.int32), np.zeros(0, np.uint8), np.zeros(0, np.bool_))
    frames, bands, strong = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return Peaks(frames.astype(np.int32), bands.astype(np.uint8), strong)


def _in_chunk(
    levels: NDArray[np.float16],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    from scipy import ndimage

    heights = relief(levels)
    tops = heights == ndimage.maximum_filter(heights, AROUND, mode="nearest")
    frames, bands = np.nonzero(tops & (heights >= LEAST_DB) & (levels > QUIETEST_DB))
    blocks = frames // BLOCK_FRAMES
    order = np.lexsort((bands, frames, -heights[frames, bands], blocks))
    begins = np.searchsorted(blocks[order], np.arange(blocks.max(initial=-1) + 1))
    ranks = np.arange(len(order)) - begins[blocks[order]]
    kept = ranks < PEAKS_A_BLOCK
    order, ranks = order[kept], ranks[kept]
    in_time = np.argsort(order)
    chosen = order[in_time]
    return frames[chosen], bands[chosen], ranks[in_time] < STRONG_A_BLOCK
