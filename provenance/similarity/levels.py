"""How loud each band of half a semitone is, from moment to moment: what learned fingerprints and peaks look at.

Bands stand at equal distances on the logarithm of frequency, so that music at another pitch is the same picture moved by
whole bands. Frames last as long and start at the same moments whatever the sample rate, so that nothing is resampled.

Source: a constant-Q transform in the way of Brown 1991, doi:10.1121/1.400476, on the bins of one Fourier transform;
at the lowest bands the transform's own resolution is the wider.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from provenance.similarity.chromaprint import ITEM_S
from provenance.similarity.frames import FrameStream, pieces_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

BANDS_AN_OCTAVE = 24
N_BANDS = 120
LOWEST_HZ = 130.0
"""Centre of the lowest band; the highest stands at 4,040 Hz, inside what a telephone or a 4 kHz filter leaves."""

HOP_S = ITEM_S / 4
"""Seconds from one frame to the next: 0.03095, a quarter of a fingerprint's row."""

FRAME_S = 2_048 / 11_025
"""Seconds of sound that one frame looks at: 0.186."""

FLOOR_DB = -90.0
"""Power, dB re a full-scale sine, that is added to each band: what lies below it is silence."""


class LevelStream:
    """Levels from samples that arrive piece by piece.

    Parameters
    ----------
    sample_rate_hz : int
        Rate of the samples, >= 8,000. Bands above half of it hear nothing.
    n_channels : int
        Channels, interleaved; mixed down.
    """

    def __init__(self, sample_rate_hz: int, n_channels: int) -> None:
        frame_samples = round(FRAME_S * sample_rate_hz)
        self._frames = FrameStream(
            n_channels, frame_samples=frame_samples, hop_samples=HOP_S * sample_rate_hz
        )
        filters, self._bins = _filters(sample_rate_hz, frame_samples)
        self._filters = filters * (2.0 / self._frames.window.sum()) ** 2
        self._levels: list[NDArray[np.float16]] = []

    def feed(self, samples: bytes) -> None:
        """Take interleaved little-endian 16-bit ``samples``, whole frames of all channels."""
        import scipy.fft

        for frames in self._frames.feed(samples):
            spectra = scipy.fft.rfft(frames, axis=1)[:, self._bins]
            powers = np.square(spectra.real) + np.square(spectra.imag)
            decibels = 10.0 * np.log10(powers @ self._filters + 10 ** (FLOOR_DB / 10))
            self._levels.append(decibels.astype(np.float16))

    def finish(self) -> NDArray[np.float16]:
        """End the stream.

        Returns
        -------
        np.ndarray [shape=(n_frames, N_BANDS), dtype=float16]
            Decibels re a full-scale sine, >= ``FLOOR_DB``. No frame for less than ``FRAME_S`` seconds.
        """
        return np.concatenate(self._levels) if self._levels else np.zeros((0, N_BANDS), dtype=np.float16)


def levels_of(samples: NDArray[Any], *, sample_rate_hz: int) -> NDArray[np.float16]:
    """Levels of samples held in memory.

    Parameters
    ----------
    samples : np.ndarray [shape=(n_samples,) or (n_samples, n_channels)]
        int16, or floats in [-1, 1].
    sample_rate_hz : int
        Their rate.

    Returns
    -------
    np.ndarray [shape=(n_frames, N_BANDS), dtype=float16]
    """
    n_channels, pieces = pieces_of(samples)
    stream = LevelStream(sample_rate_hz, n_channels)
    for piece in pieces:
        stream.feed(piece)
    return stream.finish()


@lru_cache(maxsize=8)
def _filters(sample_rate_hz: int, frame_samples: int) -> tuple[NDArray[np.float32], slice]:
    """Triangles around the bands' centres [shape=(n_bins, N_BANDS)], and the bins that any of them touches."""
    centres = LOWEST_HZ * 2.0 ** (np.arange(N_BANDS) / BANDS_AN_OCTAVE)
    bin_hz = sample_rate_hz / frame_samples
    widths = np.maximum(centres * (2.0 ** (1 / BANDS_AN_OCTAVE) - 1), bin_hz)
    bins = np.fft.rfftfreq(frame_samples, 1 / sample_rate_hz)
    filters = np.maximum(0.0, 1.0 - np.abs(bins[:, None] - centres) / widths).astype(np.float32)
    touched = np.flatnonzero(filters.any(axis=1))
    here = slice(int(touched[0]), int(touched[-1]) + 1)
    return np.ascontiguousarray(filters[here]), here
