"""Recording likeness by peaks: at another pitch or tempo, and under other music.

A query is searched in segments of ten seconds, each half over the last. What is found in neighbouring segments on one
line is one stretch. What counts is how far a stretch stands above what the same peaks meet elsewhere, and above what the
best recording that holds another sound reaches: chance gives all references about the same.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provenance.similarity import thresholds
from provenance.similarity.constellation import Ground
from provenance.similarity.levels import BANDS_AN_OCTAVE, FRAME_S, HOP_S
from provenance.similarity.matches import RecordingMatch, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provenance.similarity.constellation import Constellations, Meeting
    from provenance.similarity.fingerprint import AudioFingerprint
    from provenance.similarity.index import SimilarityIndex

PEAKS = "peaks"
SEMITONES_A_BAND = 12 / BANDS_AN_OCTAVE


@dataclass(frozen=True, slots=True)
class Found:
    """A meeting with the segment of the query in which it was found, and what speaks for it.

    Attributes
    ----------
    segment_start : int
        Frame of the query.
    met : Meeting
    margin : float
        By how much it exceeds the best that holds another sound, or what chance reaches anyhow.
    """

    segment_start: int
    met: Meeting
    margin: float

    @property
    def origin(self) -> float:
        """Frame of the reference at which the whole query would begin."""
        return self.met.frame - self.segment_start * self.met.tempo

    @property
    def start(self) -> float:
        """First frame of the query that agrees."""
        return self.segment_start + self.met.query_start

    @property
    def end(self) -> float:
        """Frame of the query at which it ends."""
        return self.segment_start + self.met.query_end


def matches_by_peaks(
    sound: AudioFingerprint, index: SimilarityIndex, allowed: Sequence[int]
) -> list[RecordingMatch]:
    """Find recordings that hold the query's sound, at whichever pitch and tempo.

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
    found: list[Found] = []
    permitted = set(allowed)
    for start in _segment_starts(sound.n_frames):
        end = min(sound.n_frames, start + thresholds.PEAK_SEGMENT_FRAMES)
        segment = sound.peaks.between(start, end).moved(-start)
        if len(segment):
            meetings = index.constellations.search(
                segment, end - start, pitches=thresholds.PITCHES_BANDS, allowed=permitted
            )
            found += _with_margins(start, meetings, index.constellations)
    return best_matches(found, index, PEAKS, convincing=thresholds.CONVINCING_MARGIN_Z)


def best_matches(
    found: Sequence[Found], index: SimilarityIndex, part: str, *, convincing: float
) -> list[RecordingMatch]:
    """Join what neighbouring segments found, and give the best of each recording.

    Parameters
    ----------
    found : sequence of Found
        In all segments of a query.
    index : SimilarityIndex
    part : str
        The part of the fingerprint that found them.
    convincing : float
        Margin from which a person has to look.

    Returns
    -------
    list of RecordingMatch
        In falling score.
    """
    by_recording: dict[int, list[Found]] = defaultdict(list)
    for one in found:
        by_recording[one.met.reference].append(one)
    matches = [
        _match(index.recordings[number], group, part, convincing) for number, group in by_recording.items()
    ]
    return sorted(matches, key=lambda match: (-match.score, -match.margin, match.key))


def _segment_starts(n_frames: int) -> range:
    half = thresholds.PEAK_SEGMENT_FRAMES // 2
    return range(0, max(1, n_frames - half), half)


def _with_margins(start: int, meetings: list[Meeting], known: Constellations) -> list[Found]:
    """Set each beside the best that holds another sound; ``meetings`` in falling z."""
    found = []
    best: dict[int, Meeting] = {}
    for met in meetings:
        best.setdefault(met.reference, met)
    chance = thresholds.RIVAL_Z if len(best) > thresholds.N_RIVALS else thresholds.LONE_RIVAL_Z
    for met in meetings:
        rivals = (
            other.z
            for number, other in best.items()
            if number != met.reference and not same_sound(met, other, known)
        )
        seconds = (met.query_end - met.query_start) * HOP_S
        lasting = min(1.0, seconds / thresholds.CONVINCING_PEAKS_S)
        found.append(Found(start, met, lasting * (met.z - max(next(rivals, 0.0), chance))))
    return found


def same_sound(one: Meeting, other: Meeting, known: Constellations) -> bool:
    """Tell whether two references hold the same sound where each meets the query."""
    first, last = (one.frame + at * one.tempo for at in (one.query_start, one.query_end))
    ours = known.references[one.reference].between(first, last)
    begin = other.frame + one.query_start * other.tempo
    end = other.frame + one.query_end * other.tempo
    theirs = known.references[other.reference].between(begin, end).moved(-round(begin))
    if not len(ours) or not len(theirs):
        return False
    laid = Ground(theirs, max(1, round(end - begin)))
    ratio = one.tempo / other.tempo
    met, _ = laid.met(ours, first, other.pitch_bands - one.pitch_bands, ratio)
    return len(met) > 0 and float(met.mean()) >= thresholds.SAME_PEAKS


def _match(key: str, group: list[Found], part: str, convincing: float) -> RecordingMatch:
    best = max(group, key=lambda one: (one.margin, one.met.z, -one.segment_start))
    joined = _on_one_line(best, group)
    start, end = min(one.start for one in joined), max(one.end for one in joined)
    score = fixed_score(best.margin, convincing)
    places = {_seconds(best.origin + start * best.met.tempo)}
    for other in group:
        if other not in joined and _comes_again(best, other):
            places.add(_seconds(other.origin + start * other.met.tempo))
    length_s = (end - start) * HOP_S + FRAME_S / 2
    reference_start_s = _seconds(best.origin + start * best.met.tempo)
    return RecordingMatch(
        key=key,
        verdict=fixed_verdict(score),
        score=score,
        query_start_s=_seconds(start),
        query_end_s=_seconds(start) + length_s,
        reference_start_s=reference_start_s,
        reference_end_s=reference_start_s + length_s * best.met.tempo,
        occurrences=tuple(sorted(places)),
        tempo_ratio=round(best.met.tempo, 3),
        pitch_shift_semitones=best.met.pitch_bands * SEMITONES_A_BAND,
        column=part,
        ber=1.0 - best.met.share,
        margin=best.margin,
        contrast=best.met.share - best.met.elsewhere,
        strength=best.margin,
    )


def _on_one_line(best: Found, group: list[Found]) -> list[Found]:
    """The best, and what other segments found that goes on where it ends, either way."""
    joined = [best]
    rest = [
        one
        for one in group
        if one.segment_start != best.segment_start
        and one.met.pitch_bands == best.met.pitch_bands
        and one.margin >= thresholds.JOINED_SHARE * best.margin
    ]
    for one in sorted(rest, key=lambda one: abs(one.segment_start - best.segment_start)):
        near = min(joined, key=lambda other: abs(other.segment_start - one.segment_start))
        expected = near.met.frame + (one.segment_start - near.segment_start) * near.met.tempo
        touches = one.start <= near.end and near.start <= one.end
        if touches and abs(one.met.frame - expected) <= thresholds.LINE_FRAMES:
            joined.append(one)
    return joined


def _comes_again(best: Found, other: Found) -> bool:
    return (
        other.segment_start == best.segment_start
        and other.met.pitch_bands == best.met.pitch_bands
        and other.met.z >= thresholds.REPEAT_Z_SHARE * best.met.z
    )


def fixed_score(margin: float, convincing: float) -> float:
    """In [0, 1]: ``REVIEW_SCORE`` at the margin that convinces, rising to 1 at twice as much."""
    if margin <= convincing:
        return max(0.0, margin / convincing) * thresholds.REVIEW_SCORE
    over = min(1.0, (margin - convincing) / convincing)
    return thresholds.REVIEW_SCORE + over * (1.0 - thresholds.REVIEW_SCORE)


def fixed_verdict(score: float) -> Verdict:
    if score >= thresholds.BLOCKED_SCORE:
        return "blocked"
    return "review" if score >= thresholds.REVIEW_SCORE else "no_match"


def _seconds(frame: float) -> float:
    return max(0.0, frame * HOP_S)
