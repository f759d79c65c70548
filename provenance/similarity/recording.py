"""Recording likeness: whether this very sound is in the index, where, and how surely.

Candidates come from the nearest windows of the index. Each is aligned item by item on the stored
fingerprints, on both columns. That few bits differ does not yet accuse: drones, loops and silence agree with
each other by chance. What counts is five things together:

- *agreement*: how far the bit error rate lies below the rate at which a stretch ends;
- *contrast*: how much better the stretch agrees at its place than elsewhere in the same recording. Music in
  which nothing happens agrees everywhere, and so has none;
- *margin*: how much better it agrees with this recording than with the best that holds another sound.
  References that hold the same sound there are no rivals;
- *movement*: how much the stretch changes within half a second, the lesser of both sides; silences and tails have
  none, and agree wherever they stand;
- *duration* of the stretch, squared, for the best agreement that chance finds falls fast with length.

Each is measured against a value that convinces by itself (`provenance.similarity.thresholds`); the score is
their product. A match's *strength* is the same, and beyond 1, where every value convinces, goes on as the weakest of
them.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from provenance.similarity import thresholds
from provenance.similarity.align import Stretch, bit_error_rate, error_curve, join, stretches
from provenance.similarity.by_landmarks import BRIEF as BRIEF
from provenance.similarity.by_landmarks import matches_by_landmarks
from provenance.similarity.by_levels import LEVELS as LEVELS
from provenance.similarity.by_levels import matches_by_levels
from provenance.similarity.by_parts import PARTS as PARTS
from provenance.similarity.by_parts import matches_by_parts
from provenance.similarity.by_peaks import PEAKS as PEAKS
from provenance.similarity.by_peaks import matches_by_peaks
from provenance.similarity.by_vectors import VECTORS as VECTORS
from provenance.similarity.by_vectors import matches_by_vectors
from provenance.similarity.chromaprint import BANDS, CHROMA, ITEM_S, ITEM_SPAN_S, N_COLUMNS
from provenance.similarity.index import WINDOW_ITEMS, windows_of
from provenance.similarity.matches import ITEMS, Verdict
from provenance.similarity.matches import RecordingCheck as RecordingCheck
from provenance.similarity.matches import RecordingMatch as RecordingMatch
from provenance.similarity.thresholds import POLICY_ID as POLICY_ID

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from numpy.typing import NDArray

    from provenance.similarity.calibration import Judging
    from provenance.similarity.fingerprint import AudioFingerprint
    from provenance.similarity.index import SimilarityIndex

COLUMN_NAMES = {CHROMA: "chroma", BANDS: "bands"}
SHORTEST_S = (WINDOW_ITEMS - 1) * ITEM_S + ITEM_SPAN_S
"""Seconds of sound below which nothing can be compared: what one window looks at."""


@dataclass(frozen=True, slots=True)
class _Found:
    recording: int
    column: int
    stretch: Stretch
    repeats: tuple[int, ...]


def check(
    sound: AudioFingerprint,
    index: SimilarityIndex,
    *,
    query_seconds: float | None = None,
    exclude: Collection[str] = (),
    judging: Judging | None = None,
) -> RecordingCheck:
    """Hold a query against an index.

    Parameters
    ----------
    sound : AudioFingerprint
        Of the query, of any length; without peaks it is held against the index as it is, at no other pitch or
        tempo.
    index : SimilarityIndex
    query_seconds : float, optional
        Duration of the query; no stretch ends later.
    exclude : collection of str
        Recordings that are no answer and no rival: the query itself, when duplicates are searched.
    judging : Judging, optional
        Gives each match its p-value, score and verdict by what strangers reach in this index
        (`provenance.similarity.calibration`). Without it the fixed thresholds hold.

    Returns
    -------
    RecordingCheck
        With the ``N_SHOWN`` best recordings, accepted or not, in falling score.
    """
    items = sound.items
    if len(items) < WINDOW_ITEMS:
        return RecordingCheck((), "unverifiable", (f"less than {SHORTEST_S:.1f} s can't be compared",))
    excluded = set(exclude)
    allowed = [n for n, key in enumerate(index.recordings) if key not in excluded]
    if not allowed:
        return RecordingCheck((), "no_match", ("the index holds no recording",))
    found = {ITEMS: _matches_by_items(items, index, allowed, query_seconds)}
    if len(sound.peaks):
        found[PEAKS] = matches_by_peaks(sound, index, allowed)
        found[BRIEF] = matches_by_landmarks(sound, index, allowed)
    if len(sound.vectors):
        found[VECTORS] = matches_by_vectors(sound, index, allowed)
    if sound.packed_levels and index.moments is not None and index.parts is not None:
        levels = sound.levels
        found[LEVELS] = matches_by_levels(levels, index.moments, index.recordings, allowed)
        found[PARTS] = matches_by_parts(levels, index.parts, index.recordings, allowed)
    best = {part: max((match.strength for match in matches), default=0.0) for part, matches in found.items()}
    if judging is not None:
        found = {part: [judging.judged(match) for match in matches] for part, matches in found.items()}
    matches = _the_better(found.values())
    accepted = [match for match in matches if match.accepted]
    shown = tuple(matches[: max(thresholds.N_SHOWN, len(accepted))])
    verdict: Verdict = "no_match"
    if accepted:
        verdict = "blocked" if any(match.verdict == "blocked" for match in accepted) else "review"
    return RecordingCheck(shown, verdict, tuple(_reason(match) for match in accepted[:3]), best)


def _matches_by_items(
    items: NDArray[np.uint32], index: SimilarityIndex, allowed: list[int], query_seconds: float | None
) -> list[RecordingMatch]:
    found = _search(items, index, allowed)
    judge = _Judge(items, index, sorted({one.recording for one in found}), query_seconds)
    matches = _best_matches(found, judge)
    if len(matches) < min(thresholds.N_SHOWN, len(allowed)):
        nearest = _nearest_of_the_rest(items, index, set(allowed) - {one.recording for one in found})
        rest = [judge.match(one, judge.chance(one)) for one in nearest[: thresholds.N_SHOWN - len(matches)]]
        matches = sorted([*matches, *rest], key=_rank)
    return matches


def _best_matches(found: list[_Found], judge: _Judge) -> list[RecordingMatch]:
    """Judge the stretches, the most promising first, until no other can come among the best.

    Looking for rivals is dear. Without them a score can only be higher, so what is below the ``N_SHOWN`` best
    even then need not be looked at.
    """
    best: dict[int, RecordingMatch] = {}
    promising = sorted(((judge.chance(one), one) for one in found), key=lambda pair: -judge.promise(*pair))
    for chance, one in promising:
        lowest_shown = sorted((match.score for match in best.values()), reverse=True)[: thresholds.N_SHOWN]
        if len(lowest_shown) == thresholds.N_SHOWN and judge.promise(chance, one) < min(lowest_shown):
            break
        match = judge.match(one, chance)
        if one.recording not in best or match.score > best[one.recording].score:
            best[one.recording] = match
    return sorted(best.values(), key=_rank)


def _the_better(found: Iterable[list[RecordingMatch]]) -> list[RecordingMatch]:
    """Of each recording the match with the highest score; where no part finds anything, the first part's."""
    best: dict[str, RecordingMatch] = {}
    for matches in found:
        for match in matches:
            if match.key not in best or match.score > best[match.key].score:
                best[match.key] = match
    return sorted(best.values(), key=_rank)


def _rank(match: RecordingMatch) -> tuple[float, float, str]:
    return -match.score, -match.contrast, match.key


def _nearest_of_the_rest(items: NDArray[np.uint32], index: SimilarityIndex, rest: set[int]) -> list[_Found]:
    """Where recordings without any stretch come nearest to the first segment, the nearest recording first.

    They clear nobody and accuse nobody; whoever draws a curve needs the low end of it too.
    """
    n_items = thresholds.MIN_STRETCH_ITEMS
    segment = np.ascontiguousarray(items[: thresholds.SEGMENT_ITEMS, 0])
    nearest = []
    for recording in _candidates(items[: thresholds.SEGMENT_ITEMS], index, rest) if rest else ():
        reference = np.ascontiguousarray(index.items(recording)[:, 0])
        if len(reference) < n_items:
            continue
        best: Stretch | None = None
        for start in range(0, len(segment) - n_items + 1, n_items):
            curve = error_curve(segment[start : start + n_items], reference)
            place = int(curve.argmin())
            ber = float(curve[place])
            if best is None or ber < best.ber:
                gain = (thresholds.TOLERATED_BER[0] - ber) * n_items
                best = Stretch(start, start + n_items, place, ber, gain)
        if best is not None:
            nearest.append(_Found(recording, 0, best, (best.reference_start,)))
    return sorted(nearest, key=lambda one: (one.stretch.ber, one.recording))


def _search(items: NDArray[np.uint32], index: SimilarityIndex, allowed: list[int]) -> list[_Found]:
    """Best stretch of each candidate in each column."""
    pieces: dict[tuple[int, int, int], list[Stretch]] = defaultdict(list)
    permitted = set(allowed)
    for start in _segment_starts(len(items)):
        segment = items[start : start + thresholds.SEGMENT_ITEMS]
        candidates = _candidates(segment, index, permitted)
        references = [index.items(recording) for recording in candidates]
        for column in range(N_COLUMNS):
            aligned = stretches(
                np.ascontiguousarray(segment[:, column]),
                [np.ascontiguousarray(reference[:, column]) for reference in references],
                tolerated_ber=thresholds.TOLERATED_BER[column],
                min_items=thresholds.MIN_STRETCH_ITEMS,
            )
            for recording, pieces_here in zip(candidates, aligned, strict=True):
                for piece in pieces_here[: thresholds.N_STRETCHES]:
                    moved = Stretch(
                        piece.query_start + start,
                        piece.query_end + start,
                        piece.reference_start,
                        piece.ber,
                        piece.gain,
                    )
                    pieces[recording, column, moved.offset].append(moved)
    return _best_of_each(_joined(pieces, items, index))


def _segment_starts(n_items: int) -> range:
    half = thresholds.SEGMENT_ITEMS // 2
    return range(0, max(1, n_items - half), half)


def _candidates(segment: NDArray[np.uint32], index: SimilarityIndex, permitted: set[int]) -> list[int]:
    """Recordings for which the windows of the segment vote, by their best-agreeing diagonal."""
    if len(permitted) <= thresholds.N_CANDIDATES:
        return sorted(permitted)
    chosen: set[int] = set()
    for column in range(N_COLUMNS):
        windows = windows_of(np.ascontiguousarray(segment[:, column]))
        places = range(0, len(windows), thresholds.WINDOW_HOP_ITEMS)
        votes: dict[tuple[int, int], float] = defaultdict(float)
        lists = index.neighbours(
            windows[:: thresholds.WINDOW_HOP_ITEMS], column=column, n_neighbours=thresholds.N_NEIGHBOURS
        )
        for place, near in zip(places, lists, strict=True):
            for one in near:
                if one.distance <= thresholds.MAX_WINDOW_DISTANCE_BITS and one.recording in permitted:
                    diagonal = (one.reference_start - place) // thresholds.VOTE_BIN_ITEMS
                    votes[one.recording, diagonal] += thresholds.MAX_WINDOW_DISTANCE_BITS - one.distance
        loudest: dict[int, float] = defaultdict(float)
        for (recording, _), weight in votes.items():
            loudest[recording] = max(loudest[recording], weight)
        ranked = sorted(loudest, key=lambda recording: (-loudest[recording], recording))
        chosen.update(ranked[: thresholds.N_CANDIDATES])
    for recording in sorted(permitted):
        if len(chosen) >= thresholds.N_SHOWN:
            break
        chosen.add(recording)
    return sorted(chosen)


def _joined(
    pieces: dict[tuple[int, int, int], list[Stretch]], items: NDArray[np.uint32], index: SimilarityIndex
) -> Iterator[tuple[int, int, Stretch]]:
    for (recording, column, _), same_diagonal in pieces.items():
        query, reference = items[:, column], index.items(recording)[:, column]
        same_diagonal.sort(key=lambda piece: piece.query_start)
        run = [same_diagonal[0]]
        for piece in same_diagonal[1:]:
            if piece.query_start > max(known.query_end for known in run):
                yield recording, column, _one(run, query, reference, column)
                run = []
            run.append(piece)
        yield recording, column, _one(run, query, reference, column)


def _one(
    run: list[Stretch], query: NDArray[np.uint32], reference: NDArray[np.uint32], column: int
) -> Stretch:
    if len(run) == 1:
        return run[0]
    return join(run, query, reference, tolerated_ber=thresholds.TOLERATED_BER[column])


def _best_of_each(found: Iterator[tuple[int, int, Stretch]]) -> list[_Found]:
    """The longest-agreeing stretches of each recording and column, with the places where it comes again."""
    groups: dict[tuple[int, int], list[Stretch]] = defaultdict(list)
    for recording, column, stretch in found:
        groups[recording, column].append(stretch)
    kept = []
    for (recording, column), group in sorted(groups.items()):
        group.sort(key=lambda stretch: (-stretch.gain, stretch.reference_start))
        best = group[0]
        repeats = [best.reference_start]
        for other in group[1:]:
            shift = best.query_start - other.query_start
            overlap = min(best.query_end, other.query_end) - max(best.query_start, other.query_start)
            if other.gain >= thresholds.REPEAT_GAIN * best.gain and overlap >= 0.8 * best.n_items:
                repeats.append(max(0, other.reference_start + shift))
        kept.append(_Found(recording, column, best, tuple(sorted(repeats))))
    return kept


class _Judge:
    """Weighs stretches against chance and against each other."""

    def __init__(
        self,
        items: NDArray[np.uint32],
        index: SimilarityIndex,
        rivals: list[int],
        query_seconds: float | None,
    ) -> None:
        self._items = items
        self._index = index
        self._rivals = rivals
        self._query_seconds = query_seconds

    def promise(self, chance: float, found: _Found) -> float:
        """The score if there is no rival."""
        contrast = chance - found.stretch.ber
        return _score(_parts(found.column, found.stretch, contrast, contrast, self._movement(found)))

    def match(self, found: _Found, chance: float) -> RecordingMatch:
        stretch = found.stretch
        rival = self._best_rival(found)
        margin, contrast = min(chance, rival) - stretch.ber, chance - stretch.ber
        parts = _parts(found.column, stretch, margin, contrast, self._movement(found))
        score = _score(parts)
        over_start_s, over_end_s = thresholds.EDGE_S[found.column]
        inset_s = over_start_s if min(stretch.query_start, stretch.reference_start) > 0 else 0.0
        outset_s = over_end_s if self._ends_inside(found) else 0.0
        query_start_s = stretch.query_start * ITEM_S + inset_s
        length_s = max(ITEM_S, _seconds(stretch.n_items) - inset_s - outset_s)
        if self._query_seconds is not None:
            length_s = min(length_s, self._query_seconds - query_start_s)
        return RecordingMatch(
            key=self._index.recordings[found.recording],
            verdict=_verdict(score),
            score=score,
            query_start_s=query_start_s,
            query_end_s=query_start_s + length_s,
            reference_start_s=stretch.reference_start * ITEM_S + inset_s,
            reference_end_s=stretch.reference_start * ITEM_S + inset_s + length_s,
            occurrences=tuple(place * ITEM_S + inset_s for place in found.repeats),
            tempo_ratio=1.0,
            pitch_shift_semitones=0.0,
            column=COLUMN_NAMES[found.column],
            ber=stretch.ber,
            margin=margin,
            contrast=contrast,
            strength=score if score < 1.0 else min(parts),
        )

    def chance(self, found: _Found) -> float:
        """Bit error rate of the stretch at the other places of the same recording: their median."""
        curve = error_curve(self._query(found), self._column(found.recording, found.column))
        places = np.arange(len(curve))
        elsewhere = curve[np.abs(places - found.stretch.reference_start) > thresholds.SURROUNDINGS_ITEMS]
        return float(np.median(elsewhere)) if len(elsewhere) >= thresholds.SURROUNDINGS_ITEMS else 0.5

    def _best_rival(self, found: _Found) -> float:
        """Lowest bit error rate of the stretch in a recording that holds another sound."""
        query = self._query(found)
        reference = self._column(found.recording, found.column)
        own = reference[found.stretch.reference_start : found.stretch.reference_end]
        best = 1.0
        for rival in self._rivals:
            if rival == found.recording:
                continue
            column = self._column(rival, found.column)
            curve = error_curve(query, column)
            if len(curve) == 0 or curve.min() >= best:
                continue
            place = int(curve.argmin())
            if bit_error_rate(own, column[place : place + len(own)]) > thresholds.SAME_SOUND_BER:
                best = float(curve[place])
        return best

    def _movement(self, found: _Found) -> float:
        stretch, lag = found.stretch, thresholds.MOVEMENT_LAG_ITEMS
        reference = self._column(found.recording, found.column)[
            stretch.reference_start : stretch.reference_end
        ]
        query = self._query(found)
        return min(bit_error_rate(side[lag:], side[:-lag]) for side in (query, reference))

    def _ends_inside(self, found: _Found) -> bool:
        """Whether neither the query nor the reference ends where the stretch does."""
        stretch = found.stretch
        n_reference = len(self._index.items(found.recording))
        return stretch.query_end < len(self._items) and stretch.reference_end < n_reference

    def _query(self, found: _Found) -> NDArray[np.uint32]:
        stretch = found.stretch
        return np.ascontiguousarray(self._items[stretch.query_start : stretch.query_end, found.column])

    def _column(self, recording: int, column: int) -> NDArray[np.uint32]:
        return np.ascontiguousarray(self._index.items(recording)[:, column])


def _parts(
    column: int, stretch: Stretch, margin: float, contrast: float, movement: float
) -> tuple[float, ...]:
    """What speaks for a stretch, each as a share of what convinces by itself."""
    convincing = thresholds.CONVINCING[column]
    tolerated = thresholds.TOLERATED_BER[column]
    return (
        (tolerated - stretch.ber) / (tolerated - convincing.ber),
        margin / convincing.margin,
        contrast / convincing.contrast,
        movement / convincing.movement,
        (_seconds(stretch.n_items) / convincing.seconds) ** 2,
    )


def _score(parts: tuple[float, ...]) -> float:
    score = 1.0
    for part in parts:
        score *= min(1.0, max(0.0, part))
    return score


def _verdict(score: float) -> Verdict:
    if score >= thresholds.BLOCKED_SCORE:
        return "blocked"
    return "review" if score >= thresholds.REVIEW_SCORE else "no_match"


def _seconds(n_items: int) -> float:
    """Seconds of sound that so many items look at."""
    return (n_items - 1) * ITEM_S + ITEM_SPAN_S


def _reason(match: RecordingMatch) -> str:
    if match.part != ITEMS:
        return (
            f"{match.query_start_s:.1f}–{match.query_end_s:.1f} s agree with {match.key} from "
            f"{match.reference_start_s:.1f} s{_change(match)}: {1.0 - match.ber:.0%} of its peaks are there, "
            f"{1.0 - match.ber - match.contrast:.0%} elsewhere"
        )
    return (
        f"{match.query_start_s:.1f}–{match.query_end_s:.1f} s agree with {match.key} from "
        f"{match.reference_start_s:.1f} s: {match.ber:.1%} of the {match.column} bits differ, and {match.margin:.1%} "
        "more in the next best"
    )


def _change(match: RecordingMatch) -> str:
    """Say at which pitch and tempo, where they are not the reference's own."""
    told = ""
    if match.pitch_shift_semitones:
        told += f", {abs(match.pitch_shift_semitones):g} semitones {'up' if match.pitch_shift_semitones > 0 else 'down'}"
    if abs(match.tempo_ratio - 1.0) >= 0.015:
        told += f", at {match.tempo_ratio:.2f} times its tempo"
    return told
