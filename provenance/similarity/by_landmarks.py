"""Recording likeness of brief pieces: a second or two of a recording inside other music.

Where a whole segment of ten seconds is asked, a piece of one drowns in what is around it. So pairs of peaks
(`provenance.similarity.landmarks`) say where a moment of the query may come from, and two and a half seconds around it
are weighed as peaks are: over the stretch that meets most surprisingly. Learned vectors there are asked for what the
pairs did not look for. Pieces are found as they are, at no other pitch or tempo.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from provenance.similarity import thresholds
from provenance.similarity.by_peaks import Found, best_matches
from provenance.similarity.by_vectors import FRAMES_A_VECTOR, of_unit_length
from provenance.similarity.constellation import LEAST_BRIEF, Ground, Hypothesis
from provenance.similarity.learned import SEGMENT_S
from provenance.similarity.levels import HOP_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from provenance.similarity.constellation import Meeting
    from provenance.similarity.fingerprint import AudioFingerprint
    from provenance.similarity.index import SimilarityIndex
    from provenance.similarity.matches import RecordingMatch

BRIEF = "brief"

SEGMENT_FRAMES = 970
"""Frames of a query (30 s) whose moments are looked up together, each half over the last."""

AROUND_FRAMES = 80
"""Frames (2.5 s) that are weighed around a moment."""

LEAD_FRAMES = 20
"""Of these, frames before it."""

VECTOR_FRAMES = round(SEGMENT_S / HOP_S)


def matches_by_landmarks(
    sound: AudioFingerprint, index: SimilarityIndex, allowed: Sequence[int]
) -> list[RecordingMatch]:
    """Find recordings of which the query holds a brief piece.

    Parameters
    ----------
    sound : AudioFingerprint
        Of any length; without peaks nothing is found.
    index : SimilarityIndex
    allowed : sequence of int
        Recordings that may answer.

    Returns
    -------
    list of RecordingMatch
        The best of each recording in falling score, whether it convinces or not.
    """
    permitted = set(allowed)
    weighed: dict[tuple[int, int, int], Found | None] = {}
    half = SEGMENT_FRAMES // 2
    for start in range(0, max(1, sound.n_frames - half), half):
        query = sound.peaks.between(start, start + SEGMENT_FRAMES).moved(-start)
        asked: dict[int, dict[tuple[int, int, int], Hypothesis]] = defaultdict(dict)
        for cell in index.landmarks.search(query) if len(query) else ():
            first = max(0, min(start + cell.frame - LEAD_FRAMES, sound.n_frames - AROUND_FRAMES))
            place = cell.reference, first, round(cell.origin - start)
            if cell.reference in permitted and place not in weighed:
                frame = cell.origin + first - start
                asked[first].setdefault(place, Hypothesis(cell.reference, frame, 0, 1.0, 0.0))
        for first, places in asked.items():
            weighed |= zip(places, _weighed(sound, index, first, list(places.values())), strict=True)
    found = [one for one in weighed.values() if one is not None]
    return best_matches(found, index, BRIEF, convincing=thresholds.CONVINCING_MARGIN_BRIEF)


def _weighed(
    sound: AudioFingerprint, index: SimilarityIndex, first: int, places: Sequence[Hypothesis]
) -> Iterator[Found | None]:
    """Weigh what a moment of the query, with what is around it, may come from."""
    n_frames = min(AROUND_FRAMES, sound.n_frames - first)
    laid = Ground(sound.peaks.between(first, first + n_frames).moved(-first), n_frames)
    for met in index.constellations.weigh(laid, places, (1.0,), LEAST_BRIEF):
        if met is None:
            yield None
            continue
        share = (_cosine(sound, index, met, first) - thresholds.BRIEF_COSINE) / thresholds.BRIEF_COSINE_UNIT
        most = thresholds.BRIEF_COSINE_MOST
        weight = met.z + min(most, max(-most, share))
        yield Found(first, met, weight - thresholds.RIVAL_BRIEF)


def _cosine(sound: AudioFingerprint, index: SimilarityIndex, met: Meeting, first: int) -> float:
    """Highest cosine of a vector of the query that hears the stretch with the reference's at its place."""
    middle = first + (met.query_start + met.query_end) / 2.0
    numbers = np.arange(
        max(0, int((middle - VECTOR_FRAMES) / FRAMES_A_VECTOR) + 1),
        min(len(sound.vectors), int(middle / FRAMES_A_VECTOR) + 1),
    )
    theirs = index.fingerprint(met.reference).vectors
    beside = np.rint((numbers * FRAMES_A_VECTOR + met.frame - first) / FRAMES_A_VECTOR).astype(np.int64)
    inside = (beside >= 0) & (beside < len(theirs))
    if not inside.any():
        return 0.0
    ours = of_unit_length(sound.vectors[numbers[inside]])
    return float((ours * of_unit_length(theirs[beside[inside]])).sum(axis=1).max())
