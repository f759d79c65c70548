"""Resynthesis through a mel spectrogram, as a generator without a phase would speak."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FRAME, HOP = 1_024, 256


def griffin_lim(
    samples: NDArray[np.float32],
    *,
    rate_hz: int,
    n_bands: int,
    n_levels: int | None = None,
    n_rounds: int = 12,
) -> NDArray[np.float32]:
    """Keep ``n_bands`` mel energies of each frame, quantised to ``n_levels``, and find a waveform that has them.

    Source: Griffin and Lim 1984, doi:10.1109/TASSP.1984.1164317, with the momentum of Perraudin et al. 2013.
    """
    filters = _mel_filters(rate_hz, n_bands)
    levels = np.log(np.maximum(np.abs(_stft(samples)) ** 2 @ filters, 1e-6))
    if n_levels is not None:
        top, span = levels.max(), 11.5
        steps = np.rint((np.clip(levels, top - span, top) - top + span) / span * (n_levels - 1))
        levels = steps / (n_levels - 1) * span + top - span
    spread = filters / np.maximum(1e-8, np.square(filters).sum(axis=0))
    magnitudes = np.sqrt(np.exp(levels) @ spread.T)
    phases = np.exp(2j * np.pi * np.random.default_rng(0).random(magnitudes.shape))
    before = np.zeros_like(phases)
    for _ in range(n_rounds):
        rebuilt = _stft(_istft(magnitudes * phases, len(samples)))
        phases = rebuilt - 0.4975 * before
        phases /= np.maximum(1e-8, np.abs(phases))
        before = rebuilt
    sound = _istft(magnitudes * phases, len(samples))
    return np.asarray(0.7 * sound / np.abs(sound).max(), dtype=np.float32)


def _stft(samples: NDArray[np.float32]) -> NDArray[np.complex64]:
    padded = np.pad(samples, FRAME // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP]
    spectra: NDArray[np.complex64] = np.fft.rfft(frames * np.hanning(FRAME + 1)[:-1], axis=1).astype(
        np.complex64
    )
    return spectra


def _istft(spectra: NDArray[np.complex64], n_samples: int) -> NDArray[np.float32]:
    window = np.hanning(FRAME + 1)[:-1]
    frames = np.fft.irfft(spectra, FRAME, axis=1) * window
    mixed = np.zeros((len(frames) + FRAME // HOP - 1, HOP))
    weight = np.zeros_like(mixed)
    for part in range(FRAME // HOP):
        here = slice(part * HOP, (part + 1) * HOP)
        mixed[part : part + len(frames)] += frames[:, here]
        weight[part : part + len(frames)] += np.square(window[here])
    sound: NDArray[np.float32] = (mixed / np.maximum(weight, 1e-8)).ravel().astype(np.float32)
    return sound[FRAME // 2 : FRAME // 2 + n_samples]


def _mel_filters(rate_hz: int, n_bands: int) -> NDArray[np.float64]:
    def mel(hz: float) -> float:
        return float(2595 * np.log10(1 + hz / 700))

    corners = 700 * (10 ** (np.linspace(mel(20.0), mel(rate_hz / 2), n_bands + 2) / 2595) - 1)
    bins = np.fft.rfftfreq(FRAME, 1 / rate_hz)[:, None]
    rising = (bins - corners[:-2]) / (corners[1:-1] - corners[:-2])
    falling = (corners[2:] - bins) / (corners[2:] - corners[1:-1])
    filters: NDArray[np.float64] = np.maximum(0, np.minimum(rising, falling))
    return filters
