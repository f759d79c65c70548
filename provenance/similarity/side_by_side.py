"""Two sounds brought into one time and one key, and how far their spectrograms then agree.

A match says where the query lies in the reference, how much quicker it runs and how much higher it sounds. Levels
(`provenance.similarity.levels`) stand at equal distances on the logarithm of frequency, so that another key is the same
picture moved by whole bands; another tempo is the same picture drawn out. What agrees then agrees to the eye, too.

The figure is the correlation of the two pictures, each band about its own mean: what stands still says nothing about a
place in the music. What it is worth is told by what the same query reaches at other places of the same recording, looked
for with the same freedom: a beat that goes on agrees with itself everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from provenance.similarity.levels import BANDS_AN_OCTAVE, FLOOR_DB, HOP_S, N_BANDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

RANGE_DB = 60.0
"""Decibels below the loudest band that still count as sound: what lies deeper is the noise of a codec."""

BANDS_A_SEMITONE = BANDS_AN_OCTAVE / 12

SEARCH_S = 0.35
"""Seconds to either side in which the best place is sought: fingerprints place a match to about 0.1 s."""

SEARCH_BANDS = 1
"""Bands up and down in which the best key is sought: pitches are guessed in steps of a band."""

APART_S = 1.0
"""Seconds from the matched place, or from another occurrence of it, that another place keeps away."""

MIN_PLACES = 5
"""Other places below which nothing is said of what chance gives."""

PIECE_S = 2.0
"""Seconds of each piece whose best place is sought by itself, to draw the path."""

MAX_PIECES = 24
"""Pieces of a path; of a longer stretch they stand farther apart."""

AS_GOOD = 0.02
"""Correlation by which a piece may agree better elsewhere and still count as at its place: music that repeats is as
good in several."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the query is said to lie in the reference, in the seconds of the levels that are compared.

    Attributes
    ----------
    query_start_s, query_end_s, reference_start_s : float
    tempo_ratio : float
        Seconds of the reference that pass in one of the query, > 0.
    pitch_shift_semitones : float
        By how much the query sounds higher.
    """

    query_start_s: float
    query_end_s: float
    reference_start_s: float
    tempo_ratio: float = 1.0
    pitch_shift_semitones: float = 0.0

    @property
    def n_frames(self) -> int:
        """Frames of the reference that the stretch lasts."""
        return max(0, round((self.query_end_s - self.query_start_s) * self.tempo_ratio / HOP_S))

    @property
    def reference_end_s(self) -> float:
        return self.reference_start_s + (self.query_end_s - self.query_start_s) * self.tempo_ratio


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two spectrograms agree over a stretch, and what that is worth.

    Attributes
    ----------
    correlation : float
        At the best place near the one given, in [-1, 1].
    lag_s : float
        Seconds of the reference by which that place lies later than the one given.
    elsewhere_mean, elsewhere_most : float or None
        The same at other places of the reference: on average, and at the best of them. None where there are fewer
        than ``MIN_PLACES``.
    n_elsewhere : int
        How many other places were looked at.
    path : tuple of (query_s, reference_s, correlation)
        For pieces of the stretch, by the middle of each: where in the whole reference it agrees best, and at its own
        place where that is as good.
    n_on_line : int
        How many of the pieces lie there, or at another occurrence.
    """

    correlation: float
    lag_s: float
    elsewhere_mean: float | None
    elsewhere_most: float | None
    n_elsewhere: int
    path: tuple[tuple[float, float, float], ...]
    n_on_line: int


def brought(levels: NDArray[Any], place: Place) -> NDArray[np.float32]:
    """Bring the query's stretch into the time and the key of the reference.

    Parameters
    ----------
    levels : np.ndarray [shape=(n_frames, N_BANDS)]
        Of the query, decibels.
    place : Place

    Returns
    -------
    np.ndarray [shape=(place.n_frames, N_BANDS), dtype=float32]
        Decibels; ``FLOOR_DB`` where the query has no such band, and beyond its ends.
    """
    at = place.query_start_s / HOP_S + np.arange(place.n_frames) / place.tempo_ratio
    lower = np.floor(at).astype(int)
    part = (at - lower).astype(np.float32)[:, None]
    padded = np.concatenate([levels, np.full((2, N_BANDS), FLOOR_DB)]).astype(np.float32)
    last = len(padded) - 1
    drawn = padded[np.clip(lower, 0, last)] * (1 - part) + padded[np.clip(lower + 1, 0, last)] * part
    return _moved(drawn, -round(place.pitch_shift_semitones * BANDS_A_SEMITONE))


def stretch_of(levels: NDArray[Any], start_s: float, n_frames: int) -> NDArray[np.float32]:
    """Cut ``n_frames`` frames from ``start_s`` on; ``FLOOR_DB`` beyond the ends."""
    first = round(start_s / HOP_S)
    cut = np.full((n_frames, N_BANDS), FLOOR_DB, dtype=np.float32)
    here = levels[max(0, first) : max(0, first + n_frames)]
    ahead = max(0, -first)
    cut[ahead : ahead + len(here)] = here
    return cut


def compare(
    query: NDArray[Any], reference: NDArray[Any], place: Place, *, occurrences: Sequence[float] = ()
) -> Agreement:
    """Tell how far a query's stretch agrees with the place where it is said to lie.

    Parameters
    ----------
    query, reference : np.ndarray [shape=(n_frames, N_BANDS)]
        Levels, decibels.
    place : Place
    occurrences : sequence of float
        Seconds at which the reference holds the same stretch: no other places.

    Returns
    -------
    Agreement
        All 0 and without a path where either is silent, or shorter than the stretch.
    """
    place = replace(place, query_end_s=min(place.query_end_s, len(query) * HOP_S))
    wanted = heard(brought(query, place))
    offered = heard(reference)
    curve = correlations(wanted, offered)
    if not len(curve):
        return Agreement(0.0, 0.0, None, None, 0, (), 0)
    first = round(place.reference_start_s / HOP_S)
    near = _around(first, round(SEARCH_S / HOP_S), len(curve))
    best = int(near[curve[near].argmax()]) if len(near) else min(max(first, 0), len(curve) - 1)
    taken = [best * HOP_S, place.reference_start_s, *occurrences]
    other = _best_elsewhere(curve, taken)
    enough = len(other) >= MIN_PLACES
    firsts = [best, *(round(at_s / HOP_S) for at_s in occurrences)]
    path, n_on_line = _path(wanted, offered, place, firsts)
    return Agreement(
        correlation=float(curve[best]),
        lag_s=best * HOP_S - place.reference_start_s,
        elsewhere_mean=float(other.mean()) if enough else None,
        elsewhere_most=float(other.max()) if enough else None,
        n_elsewhere=len(other),
        path=path,
        n_on_line=n_on_line,
    )


def heard(levels: NDArray[Any]) -> NDArray[np.float32]:
    """Levels above what is too faint to count: decibels from 0 up, in the shape of ``levels``."""
    levels = np.asarray(levels, dtype=np.float32)
    if not levels.size:
        return levels
    above: NDArray[np.float32] = np.maximum(levels - max(float(levels.max()) - RANGE_DB, FLOOR_DB), 0.0)
    return above


def correlations(wanted: NDArray[np.float32], offered: NDArray[np.float32]) -> NDArray[np.float64]:
    """Correlate a stretch with each equally long part of a sound, in the best of the keys tried.

    Parameters
    ----------
    wanted, offered : np.ndarray [shape=(n_frames, N_BANDS)]
        Levels as `heard` gives them.

    Returns
    -------
    np.ndarray [shape=(n_offered - n_wanted + 1,)]
        In [-1, 1], 0 where a part stands still; empty where ``offered`` is the shorter, or ``wanted`` less than two
        frames.
    """
    n_frames, n_places = len(wanted), len(offered) - len(wanted) + 1
    if n_frames < 2 or n_places < 1:
        return np.zeros(0)
    n = 1 << (len(offered) - 1).bit_length()
    spectra = np.fft.rfft(offered, n, axis=0)
    squares = np.square(offered, dtype=np.float64)
    sums = _running(offered.astype(np.float64), n_frames)
    spread = _running(squares.sum(axis=1)[:, None], n_frames)[:, 0] - np.square(sums).sum(axis=1) / n_frames
    best = np.full(n_places, -1.0)
    for step in range(-SEARCH_BANDS, SEARCH_BANDS + 1):
        moving = np.roll(wanted, step, axis=1)
        if step:
            moving[:, : max(0, step)] = 0.0
            moving[:, N_BANDS + min(0, step) :] = 0.0
        moving = moving - moving.mean(axis=0)
        power = float(np.square(moving, dtype=np.float64).sum())
        crossed = (spectra * np.conj(np.fft.rfft(moving, n, axis=0))).sum(axis=1)
        products = np.fft.irfft(crossed, n)[:n_places]
        norm = np.sqrt(np.maximum(spread, 0.0) * power)
        moves = norm > 1e-6 * n_frames
        best = np.maximum(best, np.divide(products, norm, out=np.zeros(n_places), where=moves))
    clipped: NDArray[np.float64] = np.clip(best, -1.0, 1.0)
    return clipped


def chroma(levels: NDArray[Any]) -> NDArray[np.float32]:
    """Fold levels into the twelve classes of pitch.

    Parameters
    ----------
    levels : np.ndarray [shape=(n_frames, N_BANDS)]
        Decibels.

    Returns
    -------
    np.ndarray [shape=(n_frames, 12), dtype=float32]
        Power of each class from C on, of the loudest class of its frame: in [0, 1]. 0 where a frame lies more than
        ``RANGE_DB`` below the loudest.
    """
    decibels = np.asarray(levels, dtype=np.float32)
    powers = 10.0 ** (decibels / 10.0)
    folded = np.zeros((len(powers), 12), dtype=np.float32)
    for band in range(N_BANDS):
        lower, half = divmod(band, 2)  # the lowest band is a C; every second one lies between two classes
        folded[:, lower % 12] += powers[:, band] * (0.5 if half else 1.0)
        if half:
            folded[:, (lower + 1) % 12] += powers[:, band] * 0.5
    loudest = folded.max(axis=1, keepdims=True, initial=1e-12)
    sounds = loudest > loudest.max(initial=1e-12) * 10 ** (-RANGE_DB / 10)
    classes: NDArray[np.float32] = np.where(sounds, folded / loudest, 0.0).astype(np.float32)
    return classes


def _moved(levels: NDArray[np.float32], n_bands: int) -> NDArray[np.float32]:
    """Move every band up by ``n_bands``, and silence where nothing comes from."""
    moved = np.full_like(levels, FLOOR_DB)
    if abs(n_bands) < N_BANDS:
        to = slice(max(0, n_bands), N_BANDS + min(0, n_bands))
        come_from = slice(max(0, -n_bands), N_BANDS - max(0, n_bands))
        moved[:, to] = levels[:, come_from]
    return moved


def _running(values: NDArray[np.float64], n_frames: int) -> NDArray[np.float64]:
    """Sums of each ``n_frames`` rows that follow one another."""
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    running: NDArray[np.float64] = sums[n_frames:] - sums[:-n_frames]
    return running


def _around(middle: int, reach: int, n_places: int) -> NDArray[np.int_]:
    return np.arange(max(0, middle - reach), min(n_places, middle + reach + 1))


def _best_elsewhere(curve: NDArray[np.float64], taken: Sequence[float]) -> NDArray[np.float64]:
    """The best of each window as wide as the one that was searched, away from the places ``taken`` (seconds)."""
    width = 2 * round(SEARCH_S / HOP_S) + 1
    at_s = np.arange(len(curve)) * HOP_S
    free = np.all([np.abs(at_s - one) >= APART_S for one in taken], axis=0)
    found = [
        curve[start : start + width].max()
        for start in range(0, len(curve) - width + 1, width)
        if free[start : start + width].all()
    ]
    return np.array(found)


def _path(
    wanted: NDArray[np.float32], offered: NDArray[np.float32], place: Place, firsts: Sequence[int]
) -> tuple[tuple[tuple[float, float, float], ...], int]:
    """Where each piece agrees best, and how many do where the stretch lies, which begins at any of ``firsts``."""
    n_frames = round(PIECE_S / HOP_S)
    if len(wanted) < n_frames:
        return (), 0
    n_pieces = min(MAX_PIECES, 1 + (len(wanted) - n_frames) // (n_frames // 2))
    found, n_on_line = [], 0
    for start in np.linspace(0, len(wanted) - n_frames, n_pieces).round().astype(int):
        curve = correlations(wanted[start : start + n_frames], offered)
        if not len(curve) or curve.max() <= 0.0:
            continue
        best = int(curve.argmax())
        reach = round(SEARCH_S / HOP_S)
        near = np.concatenate([_around(first + int(start), reach, len(curve)) for first in firsts])
        if len(near) and curve[near].max() >= curve[best] - AS_GOOD:
            best = int(near[curve[near].argmax()])
            n_on_line += 1
        middle_s = (float(start) + n_frames / 2) * HOP_S / place.tempo_ratio
        found.append((place.query_start_s + middle_s, (best + n_frames / 2) * HOP_S, float(curve[best])))
    return tuple(found), n_on_line
