"""What a stretch of sound is like, in three plain figures: how loud, how much of it silent, how bright."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

FRAME_SAMPLES = 2048
FLOOR_DB = -96.3
"""Level given to digital silence: the smallest step of 16 bits."""
SILENT_DB = -60.0
"""Level below which a frame counts as silent: inaudible beside music at ordinary loudness."""


@dataclass(frozen=True, slots=True)
class Sound:
    """Figures of one stretch.

    Attributes
    ----------
    loudness_db : float
        Root mean square of all samples, dB re full scale, in [-96.3, 0] for samples in [-1, 1].
    silent_share : float
        Share of the frames under ``SILENT_DB``, in [0, 1]; 1 of no samples.
    brightness_hz : float or None
        Power-weighted mean frequency over the frames that are not silent; None where all are.
    """

    loudness_db: float
    silent_share: float
    brightness_hz: float | None


def describe(samples: npt.NDArray[Any], sample_rate_hz: int) -> Sound:
    """Measure a stretch of sound.

    Parameters
    ----------
    samples : np.ndarray [shape=(n_samples,), dtype=float]
        Mono, in [-1, 1].
    sample_rate_hz : int
        Samples a second, > 0.

    Returns
    -------
    Sound
        The last, incomplete frame is filled with zeros.

    Raises
    ------
    ValueError
        If the samples are not of one dimension or not finite, or the rate is not positive.
    """
    if samples.ndim != 1 or sample_rate_hz <= 0:
        raise ValueError("one channel at a positive rate is measured")
    if not np.isfinite(samples).all():
        raise ValueError("some samples are not finite")
    if samples.size == 0:
        return Sound(FLOOR_DB, 1.0, None)
    n_frames = math.ceil(samples.size / FRAME_SAMPLES)
    frames = np.zeros((n_frames, FRAME_SAMPLES))
    frames.ravel()[: samples.size] = samples
    levels = np.array([_level_db(float(np.mean(frame**2))) for frame in frames])
    loud = frames[levels >= SILENT_DB]
    return Sound(
        loudness_db=_level_db(float(np.mean(samples.astype(np.float64) ** 2))),
        silent_share=float(np.mean(levels < SILENT_DB)),
        brightness_hz=_brightness(loud, sample_rate_hz) if len(loud) else None,
    )


def spread(values: list[float]) -> dict[str, float | int | None]:
    """Give median and quartiles of some figures.

    Parameters
    ----------
    values : list of float
        Finite.

    Returns
    -------
    dict
        ``n``, ``low`` and ``high`` (quartiles, linear between neighbours) and ``median``; None of no values.
    """
    if not values:
        return {"n": 0, "low": None, "median": None, "high": None}
    low, median, high = (round(float(value), 4) for value in np.quantile(values, [0.25, 0.5, 0.75]))
    return {"n": len(values), "low": low, "median": median, "high": high}


def _level_db(power: float) -> float:
    return max(FLOOR_DB, 10 * math.log10(power)) if power > 0 else FLOOR_DB


def _brightness(frames: npt.NDArray[Any], sample_rate_hz: int) -> float:
    power = np.abs(np.fft.rfft(frames * np.hanning(FRAME_SAMPLES), axis=1)) ** 2
    frequencies = np.fft.rfftfreq(FRAME_SAMPLES, 1 / sample_rate_hz)
    total = power.sum()
    return float((power * frequencies).sum() / total) if total > 0 else 0.0
