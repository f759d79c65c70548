"""Whether two stretches are one sound, by their waveforms: a judge that shares nothing with the fingerprints.

Both are decoded to one channel at 11,025 Hz. In pieces of ``PIECE_S`` the best normalised cross-correlation over
lags of up to ``MAX_LAG_S`` is taken, and the median over the pieces: clocks that drift and cuts that miss by a
fraction of a second do not matter. Encoders at low rates and all-pass filters turn phases, which a waveform shows
and an ear does not: there the same is done on logarithmic spectra, which is the second figure.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from provenance import audio

RATE_HZ = 11_025
PIECE_S = 5.0
MAX_LAG_S = 0.5
SAME_WAVEFORM = 0.5
"""Median correlation from which two stretches are one sound. Of seven pairs of tracks that share a recording by ear
six have 0.78 and more; two mixes of one piece have 0.35, and the same tracks shifted by 17 s, where
nothing repeats, 0.05 to 0.37."""

SAME_SPECTRUM = 0.8
"""Median correlation of the spectra's log power, each band less its mean, from which they are one sound although
phases differ: copies have 0.8, shifted ones 0.4 at most."""

Samples = NDArray[np.float32]


def correlations(one: Samples, other: Samples) -> tuple[float, float]:
    """Correlate two stretches that should lie beside each other.

    Parameters
    ----------
    one, other : np.ndarray [shape=(n_samples,)]
        At ``RATE_HZ``.

    Returns
    -------
    tuple of float
        Of the waveforms and of the spectra, in [-1, 1]; 0 where both are shorter than a piece or silent.
    """
    size, slack = round(PIECE_S * RATE_HZ), round(MAX_LAG_S * RATE_HZ)
    waveforms, spectra = [], []
    for start in range(slack, min(len(one), len(other)) - size - slack, size):
        piece, around = one[start : start + size], other[start - slack : start + size + slack]
        if np.sqrt(np.mean(piece**2)) < 1e-3:
            continue
        curve = _normalised(piece, around)
        lag = int(np.abs(curve).argmax())
        waveforms.append(abs(float(curve[lag])))
        spectra.append(max(_spectral(piece, around[place : place + size]) for place in (lag, slack)))
    return (float(np.median(waveforms)), float(np.median(spectra))) if waveforms else (0.0, 0.0)


def is_same_sound(waveform: float, spectrum: float) -> bool:
    """Whether either figure says that it is one sound."""
    return waveform >= SAME_WAVEFORM or spectrum >= SAME_SPECTRUM


def stretch(path: Path, start_s: float, end_s: float) -> Samples:
    """Read a stretch of a file as one channel at ``RATE_HZ``."""
    whole = audio.read_samples(path, sample_rate_hz=RATE_HZ)
    return whole[max(0, round(start_s * RATE_HZ)) : round(end_s * RATE_HZ)]


def _normalised(piece: Samples, around: Samples) -> NDArray[np.float64]:
    """Return the correlation coefficient of ``piece`` at each place inside ``around``."""
    n_fft = 1 << (len(around) + len(piece)).bit_length()
    product = np.fft.rfft(around, n_fft) * np.conj(np.fft.rfft(piece, n_fft))
    raw = np.fft.irfft(product, n_fft)[: len(around) - len(piece) + 1]
    energy = np.concatenate([[0.0], np.cumsum(around.astype(np.float64) ** 2)])
    local = energy[len(piece) :] - energy[: -len(piece)]
    own = float(np.sum(piece.astype(np.float64) ** 2))
    return np.asarray(raw / np.sqrt(np.maximum(local * own, 1e-12)))


def _spectral(one: Samples, other: Samples) -> float:
    sides = [_log_power(side) for side in (one, other)]
    a, b = (side - side.mean(axis=0) for side in sides)
    return float((a * b).sum() / np.sqrt(max(float((a**2).sum() * (b**2).sum()), 1e-12)))


def _log_power(samples: Samples, n_fft: int = 1024, hop: int = 512) -> NDArray[np.float64]:
    frames = np.lib.stride_tricks.sliding_window_view(samples, n_fft)[::hop] * np.hanning(n_fft)
    return np.asarray(np.log10(np.abs(np.fft.rfft(frames)) ** 2 + 1e-6))
