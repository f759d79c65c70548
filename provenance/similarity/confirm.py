"""Truth of a match, settled by the sound itself and not by a fingerprint.

Two figures are taken over the aligned stretches. The *waveform* correlation finds copies that are equal but
for level, delay and a little noise; any resynthesis destroys it, since phases are lost, and at another pitch or
tempo it is not taken at all. The *spectrogram* correlation brings the query into the reference's time and key and
compares how the energy of bands moves around its own mean (`provenance.similarity.side_by_side`): what a vocoder
keeps. Beside it stands what the same query reaches at other places of the same recording, and where pieces of two
seconds, each by itself, agree best: most of them must do so where the match says. Either figure above its threshold
confirms; neither below it refutes, for a copy may be hidden deeper than both can see.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from provenance import audio
from provenance.similarity.levels import levels_of
from provenance.similarity.side_by_side import Agreement, Place, compare

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

SAMPLE_RATE_HZ = 11_025

SEARCH_S = 0.35
"""Seconds to either side in which the best waveform is sought: fingerprints place a match to about 0.1 s."""

MAX_STRETCH_S = 60.0
"""Longest stretch that is compared, in seconds: the first minute of a longer match."""

CONTEXT_S = 60.0
"""Seconds of the reference on either side of the stretch in which other places are looked at."""

WAVEFORM_CONFIRMED = 0.3
"""Normalised cross-correlation. Of 84 nearest strangers none passed 0.10; copies under noise as loud as they, or
through an MP3 of 64 kbit/s, had 0.36 to 1."""

WAVEFORM_OF_A_SECOND, WAVEFORM_SURE = 0.6, 0.95
"""Less sound is more alike by chance: of a stretch of less than four seconds the first, over the square root of its
seconds, is asked for, and never more than the second. 40 strangers each, where their levels come nearest, had up to
0.50 over 0.4 s, 0.48 over 0.6 s, 0.39 over 1 s, 0.32 over 1.5 s and 0.25 over 3 s."""

SPECTROGRAM_CONFIRMED = 0.4
"""Correlation of spectrograms, with ``ON_LINE_CONFIRMED`` of the pieces at their places: strangers reach 0.6 by one loud
moment (``python -m benchmarks.confirmation``)."""

ON_LINE_CONFIRMED = 0.7
"""Share of the pieces of two seconds that must find their best place, each by itself, where the match says. Strangers of
5 s at the best place that several recordings have for them lie there with up to 2 of 3; copies at other pitches and
tempi, under noise as loud or through a vocoder with nearly all."""

NO_CHANGE = 1e-3
"""Change of tempo (as a ratio) or of pitch (in semitones) up to which samples are compared as they are."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Both figures for one aligned pair of stretches.

    Attributes
    ----------
    waveform_correlation : float or None
        Largest normalised cross-correlation, in [0, 1]; a turned polarity counts as a copy. None at another pitch or
        tempo, where no waveform can agree.
    spectrogram_correlation : float
        Correlation of the spectrograms in one time and key, each band about its own mean, in [-1, 1].
    elsewhere_mean, elsewhere_most : float or None
        The same at other places of the reference, by the same search; None where there are too few.
    n_elsewhere : int
        Other places that were looked at.
    lag_s : float
        Seconds by which the stretch lies later in the reference than was said, where the spectrograms agree best.
    seconds : float
        Length of what was compared.
    confirmed : bool
        Whether either figure passes its threshold.
    path : tuple of (query_s, reference_s, correlation)
        Where pieces of the stretch, each by itself, agree best within ``CONTEXT_S`` of it.
    n_on_line : int
        How many of them agree best where the match says.
    waveform_threshold : float
        What the waveform has to reach to confirm, in [0, 1].
    """

    waveform_correlation: float | None
    spectrogram_correlation: float
    elsewhere_mean: float | None
    elsewhere_most: float | None
    n_elsewhere: int
    lag_s: float
    seconds: float
    confirmed: bool
    path: tuple[tuple[float, float, float], ...]
    n_on_line: int
    waveform_threshold: float = WAVEFORM_CONFIRMED

    def as_json(self) -> dict[str, Any]:
        """The figures with the thresholds that they were held against."""
        return {
            "waveform_correlation": _rounded(self.waveform_correlation),
            "spectrogram_correlation": _rounded(self.spectrogram_correlation),
            "elsewhere_mean": _rounded(self.elsewhere_mean),
            "elsewhere_most": _rounded(self.elsewhere_most),
            "n_elsewhere": self.n_elsewhere,
            "lag_s": _rounded(self.lag_s),
            "seconds": _rounded(self.seconds),
            "confirmed": self.confirmed,
            "path": [[round(figure, 2) for figure in point] for point in self.path],
            "n_on_line": self.n_on_line,
            "waveform_threshold": _rounded(self.waveform_threshold),
            "spectrogram_threshold": SPECTROGRAM_CONFIRMED,
            "on_line_threshold": ON_LINE_CONFIRMED,
        }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def confirm(
    query: Path,
    reference: Path,
    *,
    query_start_s: float,
    query_end_s: float,
    reference_start_s: float,
    tempo_ratio: float = 1.0,
    pitch_shift_semitones: float = 0.0,
    occurrences: Sequence[float] = (),
) -> Confirmation:
    """Compare a stretch of one file with the stretch of another that it is said to hold.

    Parameters
    ----------
    query, reference : Path
    query_start_s, query_end_s, reference_start_s : float
        The match, in seconds.
    tempo_ratio : float
        Tempo of the query over that of the reference: so much more of the reference is taken.
    pitch_shift_semitones : float
        By how much the query sounds higher.
    occurrences : sequence of float
        Seconds at which the reference holds the same stretch: these are no other places.

    Raises
    ------
    provenance.audio.AudioError
        If one of them cannot be decoded.
    """
    seconds = min(query_end_s - query_start_s, MAX_STRETCH_S)
    early_s = max(0.0, reference_start_s - CONTEXT_S)
    stretch = audio.read_samples(query, sample_rate_hz=SAMPLE_RATE_HZ, start_s=query_start_s, seconds=seconds)
    around = audio.read_samples(
        reference,
        sample_rate_hz=SAMPLE_RATE_HZ,
        start_s=early_s,
        seconds=reference_start_s - early_s + seconds * tempo_ratio + CONTEXT_S,
    )
    waveform, needed = None, waveform_needed(len(stretch) / SAMPLE_RATE_HZ)
    if abs(tempo_ratio - 1.0) <= NO_CHANGE and abs(pitch_shift_semitones) <= NO_CHANGE:
        first = max(0, round((reference_start_s - early_s - SEARCH_S) * SAMPLE_RATE_HZ))
        last = round((reference_start_s - early_s + seconds + SEARCH_S) * SAMPLE_RATE_HZ)
        waveform = waveform_correlation(stretch, around[first:last])
    found = compare(
        levels_of(stretch, sample_rate_hz=SAMPLE_RATE_HZ),
        levels_of(around, sample_rate_hz=SAMPLE_RATE_HZ),
        Place(0.0, seconds, reference_start_s - early_s, tempo_ratio, pitch_shift_semitones),
        occurrences=[at_s - early_s for at_s in occurrences],
    )
    return Confirmation(
        waveform_correlation=waveform,
        spectrogram_correlation=found.correlation,
        elsewhere_mean=found.elsewhere_mean,
        elsewhere_most=found.elsewhere_most,
        n_elsewhere=found.n_elsewhere,
        lag_s=found.lag_s,
        seconds=len(stretch) / SAMPLE_RATE_HZ,
        confirmed=(waveform or 0.0) >= needed or spectrogram_confirms(found),
        n_on_line=found.n_on_line,
        path=tuple((query_start_s + at_s, early_s + there_s, agrees) for at_s, there_s, agrees in found.path),
        waveform_threshold=needed,
    )


def waveform_needed(seconds: float) -> float:
    """Return the correlation of waveforms that confirms a stretch of so many seconds."""
    if seconds <= 0.0:
        return WAVEFORM_SURE
    return min(WAVEFORM_SURE, max(WAVEFORM_CONFIRMED, WAVEFORM_OF_A_SECOND / math.sqrt(seconds)))


def spectrogram_confirms(found: Agreement) -> bool:
    """Whether both pictures agree, as wholes and piece by piece.

    A stretch too short for a single piece is confirmed by its waveform or not at all.
    """
    is_in_place = bool(found.path) and found.n_on_line >= ON_LINE_CONFIRMED * len(found.path)
    return found.correlation >= SPECTROGRAM_CONFIRMED and is_in_place


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
