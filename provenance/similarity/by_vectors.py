"""Recording likeness by learned vectors: under other music, in noise, and where little else is left of a copy.

A query is searched in segments of ten seconds, each half over the last. The vectors of a segment are laid beside those
of every reference; the best places of the best references are then asked what their peaks say, which the vectors did
not look for: where chance laid the one, the other says nothing. What counts is both together,

- the *excess* of the mean cosine over what the segment's own vectors find anywhere else: a drone finds drones;
- the *deviations* by which the peaks there meet above what they meet elsewhere (`provenance.similarity.constellation`),

less what the best reference with another sound reaches. Only the query's own pitch is tried: others are for peaks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from provenance.similarity import thresholds
from provenance.similarity.by_peaks import Found, best_matches, same_sound
from provenance.similarity.constellation import Ground, Hypothesis, Meeting
from provenance.similarity.fingerprint import VECTOR_STEP
from provenance.similarity.learned import N_DIMENSIONS, SEGMENT_HOP_S, SEGMENT_S
from provenance.similarity.levels import HOP_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from provenance.similarity.fingerprint import AudioFingerprint
    from provenance.similarity.index import SimilarityIndex
    from provenance.similarity.matches import RecordingMatch

VECTORS = "vectors"

SEGMENT_VECTORS = 17
"""Vectors of a segment of ten seconds."""

FRAMES_A_VECTOR = SEGMENT_HOP_S / HOP_S
TEMPI = (0.96, 0.98, 1.0, 1.02, 1.04)
"""Tempo ratios at which the peaks are laid: as far as the vectors bear."""

N_PLACES = 4
"""References of a segment whose peaks are asked."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a segment of a query lies best in a reference.

    Attributes
    ----------
    reference : int
    vector : int
        Of the reference, beside the segment's first.
    cosine : float
        Mean along the diagonal, in [-1, 1].
    usual : float
        Mean cosine that one in a thousand vectors of other references has with those of the segment.
    """

    reference: int
    vector: int
    cosine: float
    usual: float


class LearnedVectors:
    """The vectors of references, one after another, searched whole.

    Parameters
    ----------
    vectors : sequence of np.ndarray [shape=(n_segments, N_DIMENSIONS), dtype=int8]
        As `provenance.similarity.fingerprint.AudioFingerprint` keeps them.
    """

    def __init__(self, vectors: Sequence[NDArray[np.int8]]) -> None:
        counts = np.array([len(one) for one in vectors], dtype=np.int64)
        self._starts = np.concatenate([[0], np.cumsum(counts)])
        self._owners = np.repeat(np.arange(len(vectors)), counts)
        whole = np.concatenate([*vectors, np.zeros((0, N_DIMENSIONS), np.int8)])
        self._columns = np.ascontiguousarray(of_unit_length(whole).T)

    def __len__(self) -> int:
        """Vectors in all."""
        return len(self._owners)

    def search(self, vectors: NDArray[np.int8], *, allowed: NDArray[np.bool_]) -> list[Place]:
        """Find the references in which a segment lies best.

        Parameters
        ----------
        vectors : np.ndarray [shape=(n, N_DIMENSIONS), dtype=int8]
            Of the segment.
        allowed : np.ndarray [shape=(n_references,), dtype=bool]
            References that may answer.

        Returns
        -------
        list of Place
            The best place of each of the ``N_PLACES`` best, in falling cosine. References shorter than the segment
            have none.
        """
        if not len(vectors) or not len(self):
            return []
        cosines = of_unit_length(vectors) @ self._columns
        curve = self._along_diagonals(cosines)
        sounding = np.flatnonzero(np.diff(self._starts))
        tops = np.full(len(self._starts) - 1, -1.0, dtype=np.float32)
        tops[sounding] = np.maximum.reduceat(curve, self._starts[sounding])
        tops[~allowed] = -1.0
        best = [int(one) for one in np.argsort(-tops, kind="stable")[:N_PLACES] if tops[one] > -1.0]
        begins, ends = self._starts[best], self._starts[np.array(best, dtype=np.int64) + 1]
        usual = self._usual(cosines, begins.tolist(), ends.tolist())
        places = []
        for reference, start, end, found in zip(best, begins, ends, usual, strict=True):
            vector = int(curve[start:end].argmax())
            places.append(Place(reference, vector, float(tops[reference]), found))
        return places

    def _along_diagonals(self, cosines: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mean cosine with the segment laid at each vector; -1 where it reaches past the reference."""
        n_rows, n_vectors = cosines.shape
        curve = np.full(n_vectors, -1.0, dtype=np.float32)
        n_places = n_vectors - n_rows + 1
        if n_places < 1:
            return curve
        total = np.zeros(n_places, dtype=np.float32)
        for row in range(n_rows):
            total += cosines[row, row : row + n_places]
        inside = self._owners[:n_places] == self._owners[n_rows - 1 :]
        curve[:n_places][inside] = total[inside] / n_rows
        return curve

    def _usual(self, cosines: NDArray[np.float32], begins: Sequence[int], ends: Sequence[int]) -> list[float]:
        """Mean cosine that one in a thousand vectors outside each of some references has.

        Ranks are taken among the highest of all vectors: so many that enough remain without the reference's own.
        """
        n_others = [len(self) - (end - begin) for begin, end in zip(begins, ends, strict=True)]
        ranks = [max(1, round(thresholds.UNUSUAL_SHARE * n)) for n in n_others]
        lengths = [end - begin for begin, end in zip(begins, ends, strict=True)]
        n_highest = min(len(self), max(map(sum, zip(ranks, lengths, strict=True)), default=0))
        if not n_highest:
            return []
        highest = np.argpartition(cosines, -n_highest, axis=1)[:, -n_highest:]
        ordered = np.take_along_axis(cosines, highest, axis=1)
        usual = []
        for begin, end, n, rank in zip(begins, ends, n_others, ranks, strict=True):
            if n < thresholds.LEAST_OTHER_VECTORS:
                usual.append(thresholds.LONE_USUAL_COSINE)
                continue
            outside = np.where((highest < begin) | (highest >= end), ordered, np.float32(-2.0))
            usual.append(float(np.partition(outside, -rank, axis=1)[:, -rank].mean()))
        return usual


def matches_by_vectors(
    sound: AudioFingerprint, index: SimilarityIndex, allowed: Sequence[int]
) -> list[RecordingMatch]:
    """Find recordings that hold the query's sound at its own pitch, whatever else is heard.

    Parameters
    ----------
    sound : AudioFingerprint
        Of any length; without vectors nothing is found.
    index : SimilarityIndex
    allowed : sequence of int
        Recordings that may answer.

    Returns
    -------
    list of RecordingMatch
        The best of each recording in falling score, whether it convinces or not.
    """
    permitted = np.zeros(len(index.recordings), dtype=np.bool_)
    permitted[list(allowed)] = True
    found: list[Found] = []
    half = SEGMENT_VECTORS // 2
    for first in range(0, max(1, len(sound.vectors) - half), half):
        segment = sound.vectors[first : first + SEGMENT_VECTORS]
        if np.any(segment, axis=1).mean() > thresholds.LEAST_AUDIBLE_SHARE:
            found += _of_segment(sound, first, segment, index, permitted)
    return best_matches(found, index, VECTORS, convincing=thresholds.CONVINCING_MARGIN_VECTORS)


def _of_segment(
    sound: AudioFingerprint,
    first: int,
    segment: NDArray[np.int8],
    index: SimilarityIndex,
    permitted: NDArray[np.bool_],
) -> list[Found]:
    start = round(first * FRAMES_A_VECTOR)
    n_frames = min(sound.n_frames - start, round(((len(segment) - 1) * SEGMENT_HOP_S + SEGMENT_S) / HOP_S))
    laid = Ground(sound.peaks.between(start, start + n_frames).moved(-start), n_frames)
    places = index.vectors.search(segment, allowed=permitted)
    asked = [Hypothesis(place.reference, place.vector * FRAMES_A_VECTOR, 0, 1.0, 0.0) for place in places]
    weighed = []
    for place, beside, found_there in zip(
        places, asked, index.constellations.weigh(laid, asked, TEMPI), strict=True
    ):
        met = found_there or _unheard(laid, beside)
        deviations = min(max(met.z, 0.0), thresholds.MOST_DEVIATIONS)
        weighed.append(((place.cosine - place.usual) / thresholds.EXCESS_UNIT + deviations, met))
    weighed.sort(key=lambda pair: -pair[0])
    lone = int(permitted.sum()) <= thresholds.N_RIVALS
    chance = thresholds.LONE_RIVAL_VECTORS if lone else thresholds.RIVAL_VECTORS
    found = []
    for weight, met in weighed:
        rivals = (
            other_weight
            for other_weight, other in weighed
            if other is not met and not same_sound(met, other, index.constellations)
        )
        seconds = (met.query_end - met.query_start) * HOP_S
        lasting = min(1.0, seconds / thresholds.CONVINCING_PEAKS_S)
        found.append(Found(start, met, lasting * (weight - max(next(rivals, 0.0), chance))))
    return found


def _unheard(laid: Ground, one: Hypothesis) -> Meeting:
    """A place as the vectors found it, where the peaks are too few to say anything."""
    return Meeting(one.reference, one.frame, 0, 1.0, 0.0, float(laid.n_frames), 0.0, 0.0, 0, 0.0)


def of_unit_length(vectors: NDArray[np.int8]) -> NDArray[np.float32]:
    """Return kept vectors as numbers, each of length 1; silent ones stay zeros."""
    numbers = vectors.astype(np.float32) * np.float32(VECTOR_STEP)
    lengths = np.linalg.norm(numbers, axis=1, keepdims=True)
    made: NDArray[np.float32] = numbers / np.maximum(lengths, 1e-6)
    return made
