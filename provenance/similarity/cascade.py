"""Holding a query against an index of any size, the cheapest first.

A small index is searched whole. In a big one two tiers follow each other: *plain*, in which the query's own vectors find
candidates, and *full*, in which they are sought at other pitches and tempos too, where the plain tier accepted nothing.
In either the candidates alone are judged, by what judges a small index (`provenance.similarity.recording`), on their
stored fingerprints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from provenance.similarity import recording
from provenance.similarity.fingerprint import VECTOR_STEP, trained
from provenance.similarity.learned import SEGMENT_HOP_S
from provenance.similarity.matches import RecordingCheck
from provenance.similarity.segmented import N_CANDIDATES, Asked, SegmentedIndex

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from numpy.typing import NDArray

    from provenance.similarity.calibration import Judging
    from provenance.similarity.fingerprint import AudioFingerprint
    from provenance.similarity.index import RecordingIndex

PITCHES = (-2.0, -1.0, 0.0, 1.0, 2.0)
"""Semitones at which candidates are sought: vectors a quarter of the way to the next still find their own."""

FULL_STEP = 2
"""In the full tier every second vector of the query is made: a reference has one each 0.495 s, so none lies further off
than a quarter of a second."""

PLAIN_BREADTHS = (4, 16)
"""The plain tier looks into at least and at most so many times more lists: other music over a copy leaves its vectors
little alike."""

PLAIN_LOOKS = 320
"""Vectors of a piece times that breadth, about: the shorter it is, the more widely each is sought."""

PLAIN_VOTES = (400, 4_000)
VECTORS_A_VOTE = 20_000
"""In the plain tier at least and at most so many codes vote for each vector of a query, and between these one for so many
that the index holds: among more music more of it is nearer by chance."""

N_SIFTED = 512
"""Recordings whose own vectors the plain tier lays beside the query's, to hand on those that are most alike."""

PIECE_VECTORS = 60
"""Candidates are sought for each half minute of a query, half over the last: a short copy in a long output keeps its own
votes."""

N_TIERS = 2

MOST_CANDIDATES = 256
"""Recordings that are judged at most, however long the query is."""


def check(
    sound: AudioFingerprint,
    index: RecordingIndex | SegmentedIndex,
    *,
    levels: NDArray[np.float16] | None = None,
    query_seconds: float | None = None,
    exclude: Collection[str] = (),
    judging: Judging | None = None,
) -> RecordingCheck:
    """Hold a query against an index, as `provenance.similarity.recording.check` does.

    Parameters
    ----------
    sound : AudioFingerprint
    index : RecordingIndex or SegmentedIndex
    levels : np.ndarray [shape=(n_frames, N_BANDS)], optional
        Of the query (`provenance.similarity.levels`); without them a big index is searched at its own pitch and tempo.
    query_seconds, exclude, judging
        As there.
    """
    if not isinstance(index, SegmentedIndex):
        return recording.check(sound, index, query_seconds=query_seconds, exclude=exclude, judging=judging)
    plain = plain_candidates(sound, index)
    found = _judged(sound, index, plain, query_seconds, exclude, judging)
    if levels is None or found.verdict != "no_match":
        return found
    every = together(plain, full_candidates(levels, index))
    return _judged(sound, index, every, query_seconds, exclude, judging)


def near_to(sound: AudioFingerprint, index: RecordingIndex | SegmentedIndex) -> RecordingIndex:
    """An index that can be searched whole: the one given if it is small, or of candidates alone."""
    return index.narrowed(plain_candidates(sound, index)) if isinstance(index, SegmentedIndex) else index


def limited_to(keys: Sequence[str], index: RecordingIndex | SegmentedIndex) -> RecordingIndex:
    """An index that holds at least those recordings of some keys that the one given holds."""
    return index.narrowed(index.numbers_of(keys)) if isinstance(index, SegmentedIndex) else index


def plain_candidates(sound: AudioFingerprint, index: SegmentedIndex) -> list[int]:
    """Candidates at the query's own pitch and tempo."""
    pieces = list(_pieces([Asked(sound.vectors.astype(np.float32) * np.float32(VECTOR_STEP))]))
    n_sifted = max(N_CANDIDATES, N_SIFTED // max(1, len(pieces)))
    n_kept = _between(*PLAIN_VOTES, index.facts.n_windows // VECTORS_A_VOTE)
    found = []
    for piece in pieces:
        breadth = _between(*PLAIN_BREADTHS, PLAIN_LOOKS // len(piece[0].vectors))
        promising = index.candidates(piece, n=n_sifted, breadth=breadth, n_kept=n_kept)
        found.append(index.sifted(piece, promising))
    return _in_turn(found)


def full_candidates(levels: NDArray[np.float16], index: SegmentedIndex) -> list[int]:
    """Candidates at other pitches and tempos too."""
    variants = trained().embed_variants(levels, pitches=PITCHES, hop_s=FULL_STEP * SEGMENT_HOP_S)
    asked = [Asked(one.vectors.astype(np.float32), FULL_STEP, one.cost) for one in variants]
    return _in_turn([index.candidates(piece) for piece in _pieces(asked)])


def together(plain: Sequence[int], full: Sequence[int]) -> list[int]:
    """Candidates of both tiers that the full one judges."""
    return list(dict.fromkeys([*full, *plain[: N_CANDIDATES // 2]]))


def _between(least: int, most: int, number: int) -> int:
    return max(least, min(most, number))


def _in_turn(found: Sequence[Sequence[int]]) -> list[int]:
    """What pieces of a query found: the best of each, then the second best."""
    in_turn = [
        piece[rank] for rank in range(max(map(len, found), default=0)) for piece in found if rank < len(piece)
    ]
    return list(dict.fromkeys(in_turn))[:MOST_CANDIDATES]


def _pieces(asked: Sequence[Asked]) -> Iterator[list[Asked]]:
    longest = max((len(one.vectors) * one.step for one in asked), default=0)
    half = PIECE_VECTORS // 2
    for begin in range(0, max(1, longest - half), half):
        pieces = [
            (one, one.vectors[begin // one.step : (begin + PIECE_VECTORS) // one.step]) for one in asked
        ]
        if heard := [Asked(vectors, one.step, one.cost) for one, vectors in pieces if len(vectors)]:
            yield heard


def _judged(
    sound: AudioFingerprint,
    index: SegmentedIndex,
    numbers: Sequence[int],
    query_seconds: float | None,
    exclude: Collection[str],
    judging: Judging | None,
) -> RecordingCheck:
    few = index.narrowed(numbers)
    found = recording.check(sound, few, query_seconds=query_seconds, exclude=exclude, judging=judging)
    if found.verdict == "no_match" and not few.recordings:
        return RecordingCheck((), "no_match", ())
    return found
