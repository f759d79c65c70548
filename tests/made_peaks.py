"""Peaks at random, and excerpts of them as they may be heard again."""

from __future__ import annotations

import numpy as np

from provenance.similarity.levels import N_BANDS
from provenance.similarity.peaks import Peaks

SECONDS_10 = 323


def scattered(n_frames: int, *, seed: int, a_frame: float = 0.9) -> Peaks:
    """Peaks at random: as many a second as music has."""
    rng = np.random.default_rng(seed)
    n = round(n_frames * a_frame)
    cells = np.sort(rng.choice(n_frames * N_BANDS, size=n, replace=False))
    return Peaks(
        (cells // N_BANDS).astype(np.int32), (cells % N_BANDS).astype(np.uint8), rng.random(n) < 0.33
    )


def excerpt(
    peaks: Peaks, start: int, *, pitch: int = 0, tempo: float = 1.0, kept: float = 1.0, seed: int = 0
) -> Peaks:
    """Ten seconds of ``peaks`` from ``start``, moved and stretched; some are lost, and others come in their place."""
    rng = np.random.default_rng(seed)
    cut = peaks.between(start, start + SECONDS_10 * tempo).moved(-start)
    frames = np.rint(cut.frames / tempo).astype(np.int32)
    bands = cut.bands.astype(int) + pitch
    stay = (rng.random(len(frames)) < kept) & (bands >= 0) & (bands < N_BANDS) & (frames < SECONDS_10)
    other = scattered(SECONDS_10, seed=seed + 1_000, a_frame=0.9 * (1.0 - kept) + 0.01)
    frames = np.concatenate([frames[stay], other.frames])
    bands = np.concatenate([bands[stay], other.bands])
    strong = np.concatenate([cut.strong[stay], other.strong])
    order = np.lexsort((bands, frames))
    return Peaks(frames[order], bands[order].astype(np.uint8), strong[order])
