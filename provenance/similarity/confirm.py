"""Truth of a match, settled by the sound itself and not by a fingerprint.

Two figures are taken over the aligned stretches. The *waveform* correlation finds copies that are equal but
for level, delay and a little noise; any resynthesis destroys it, since phases are lost. The *spectrogram*
correlation compares how the energy of 48 mel bands moves around its own mean: what a vocoder keeps. Either
above its threshold confirms; neither below it refutes, for a copy may be hidden deeper than both can see.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from provenance import audio

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SAMPLE_RATE_HZ = 11_025
FRAME_SAMPLES = 1_024
HOP_SAMPLES = 256
N_BANDS = 48
LOWEST_BAND_HZ, HIGHEST_BAND_HZ = 100.0, 5_000.0
FLOOR = 1e-4

SEARCH_S = 0.35
"""Seconds to either side in which the best alignment is sought: fingerprints place a match to about 0.1 s."""

MAX_STRETCH_S = 60.0
"""Longest stretch that is compared, in seconds: the first minute of a longer match."""

WAVEFORM_CONFIRMED = 0.3
"""Normalised cross-correlation. Of 84 nearest strangers none passed 0.10; copies under noise as loud as they, or
through an MP3 of 64 kbit/s, had 0.36 to 1."""

SPECTROGRAM_CONFIRMED = 0.5
"""Correlation of spectrograms. Of 84 nearest strangers one had 0.35 and the rest less than 0.23; copies that went
through an 80-band mel spectrogram and Griffin-Lim had 0.73 to 0.98."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Both figures for one aligned pair of stretches.

    Attributes
    ----------
    waveform_correlation : float
        Largest normalised cross-correlation, in [0, 1]; a turned polarity counts as a copy.
    spectrogram_correlation : float
        Largest correlation of the log mel spectrograms, each band about its own mean, in [-1, 1].
    lag_s : float
        Seconds by which the query lies later than the fingerprints said, where the spectrograms agree best.
    seconds : float
        Length of what was compared.
    confirmed : bool
        Whether either figure passes its threshold.
    """

    waveform_correlation: float
    spectrogram_correlation: float
    lag_s: float
    seconds: float
    confirmed: bool

    def as_json(self) -> dict[str, Any]:
        """The figures with the thresholds that they were held against."""
        return {
            **{
                name: round(value, 4) if isinstance(value, float) else value
                for name, value in asdict(self).items()
            },
            "waveform_threshold": WAVEFORM_CONFIRMED,
            "spectrogram_threshold": SPECTROGRAM_CONFIRMED,
        }


def confirm(
    query: Path,
    reference: Path,
    *,
    query_start_s: float,
    query_end_s: float,
    reference_start_s: float,
    tempo_ratio: float = 1.0,
    pitch_shift_semitones: float = 0.0,
) -> Confirmation:
    """Compare a stretch of one file with the stretch of another that it is said to hold.

    Parameters
    ----------
    query, reference : Path
    query_start_s, query_end_s, reference_start_s : float
        The match, in seconds.
    tempo_ratio : float
        Tempo of the query over that of the reference: so much more of the reference is taken, and its
        spectrogram is drawn out to the query's length.
    pitch_shift_semitones : float
        Not undone here: the spectrogram figure of a shifted copy is a lower bound.

    Raises
    ------
    provenance.audio.AudioError
        If one of them cannot be decoded.
    """
    seconds = min(query_end_s - query_start_s, MAX_STRETCH_S)
    early = max(0.0, reference_start_s - SEARCH_S)
    stretch = audio.read_samples(query, sample_rate_hz=SAMPLE_RATE_HZ, start_s=query_start_s, seconds=seconds)
    around = audio.read_samples(
        reference,
        sample_rate_hz=SAMPLE_RATE_HZ,
        start_s=early,
        seconds=seconds * tempo_ratio + (reference_start_s - early) + SEARCH_S,
    )
    if tempo_ratio != 1.0:
        waveform = 0.0
        best, lag_s = _spectrogram_correlation(stretch, around, tempo_ratio)
    else:
        waveform = waveform_correlation(stretch, around)
        best, lag_s = _spectrogram_correlation(stretch, around, 1.0)
    return Confirmation(
        waveform_correlation=waveform,
        spectrogram_correlation=best,
        lag_s=lag_s - (reference_start_s - early) / tempo_ratio,
        seconds=len(stretch) / SAMPLE_RATE_HZ,
        confirmed=waveform >= WAVEFORM_CONFIRMED or best >= SPECTROGRAM_CONFIRMED,
    )


def waveform_correlation(stretch: NDArray[np.float32], around: NDArray[np.float32]) -> float:
    """Largest normalised cross-correlation of ``stretch`` with any equally long part of ``around``.

    Parameters
    ----------
    stretch, around : np.ndarray [shape=(n_samples,), dtype=float32]
        At the same rate. Where ``around`` is the shorter, its whole is sought in ``stretch``.

    Returns
    -------
    float
        In [0, 1]; 0 if either is silent or empty.
    """
    if len(around) < len(stretch):
        stretch, around = around, stretch
    if len(stretch) == 0:
        return 0.0
    n = 1 << (len(stretch) + len(around) - 1).bit_length()
    wanted = stretch - stretch.mean()
    spectrum = np.fft.rfft(around, n) * np.conj(np.fft.rfft(wanted, n))
    products = np.fft.irfft(spectrum, n)[: len(around) - len(stretch) + 1]
    sums = np.concatenate([[0.0], np.cumsum(around, dtype=np.float64)])
    squares = np.concatenate([[0.0], np.cumsum(np.square(around, dtype=np.float64))])
    n_wanted = len(stretch)
    power = squares[n_wanted:] - squares[:-n_wanted] - (sums[n_wanted:] - sums[:-n_wanted]) ** 2 / n_wanted
    norm = np.sqrt(np.maximum(power, 0.0) * float(np.square(wanted, dtype=np.float64).sum()))
    heard = norm > 1e-9 * n_wanted
    return float(np.abs(products[heard] / norm[heard]).max(initial=0.0))


def spectrogram_correlation(stretch: NDArray[np.float32], around: NDArray[np.float32]) -> float:
    """Largest correlation of the log mel spectrogram of ``stretch`` with an equally long part of ``around``.

    Returns
    -------
    float
        In [-1, 1]; 0 if either is silent or shorter than a frame.
    """
    return _spectrogram_correlation(stretch, around, 1.0)[0]


def _spectrogram_correlation(
    stretch: NDArray[np.float32], around: NDArray[np.float32], tempo_ratio: float
) -> tuple[float, float]:
    """The best correlation, and where in ``around`` it lies, in seconds of the query's time."""
    wanted, offered = _log_mel(stretch), _log_mel(around)
    if tempo_ratio != 1.0 and len(offered):
        drawn_out = np.arange(0, len(offered) - 1, tempo_ratio)
        offered = offered[np.rint(drawn_out).astype(int)]
    n_frames = min(len(wanted), len(offered))
    if n_frames == 0:
        return 0.0, 0.0
    wanted = _moving(wanted[:n_frames])
    best, best_at = 0.0, 0
    for at in range(len(offered) - n_frames + 1):
        part = _moving(offered[at : at + n_frames])
        norm = float(np.linalg.norm(wanted) * np.linalg.norm(part))
        correlation = float((wanted * part).sum()) / norm if norm > 1e-6 else 0.0
        if correlation > best:
            best, best_at = correlation, at
    return best, best_at * HOP_SAMPLES / SAMPLE_RATE_HZ


def _moving(levels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Levels about the mean of each band: what stands still says nothing about a place in the music."""
    moving: NDArray[np.float32] = levels - levels.mean(axis=0)
    return moving


def _log_mel(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log energies [shape=(n_frames, N_BANDS)], the level taken out."""
    if len(samples) < FRAME_SAMPLES:
        return np.zeros((0, N_BANDS), dtype=np.float32)
    peak = float(np.abs(samples).max())
    if peak == 0.0:
        return np.zeros((0, N_BANDS), dtype=np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(samples / peak, FRAME_SAMPLES)[::HOP_SAMPLES]
    window = np.hanning(FRAME_SAMPLES).astype(np.float32)
    powers = np.square(np.abs(np.fft.rfft(frames * window, axis=1)))
    lowest, highest = (2595 * np.log10(1 + hz / 700) for hz in (LOWEST_BAND_HZ, HIGHEST_BAND_HZ))
    corners = 700 * (10 ** (np.linspace(lowest, highest, N_BANDS + 2) / 2595) - 1)
    bins = np.fft.rfftfreq(FRAME_SAMPLES, 1 / SAMPLE_RATE_HZ)[:, None]
    rising = (bins - corners[:-2]) / (corners[1:-1] - corners[:-2])
    falling = (corners[2:] - bins) / (corners[2:] - corners[1:-1])
    filters = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    levels: NDArray[np.float32] = np.log(powers @ filters + FLOOR * FRAME_SAMPLES).astype(np.float32)
    return levels
