"""Composition likeness in sound: whether this harmony or this tune is in there, in whatever key, tempo or instrument.

Three parts are searched, and the surest answers: *harmony*, all that sounds; *melody*, the strongest fundamental alone;
and, of an output that is mostly one voice, its *line*, which may be any of a reference's voices.
Places that the index proposes are aligned frame by frame, along a path that may drift from a steady tempo and pays for
it. What counts is the *margin*: by how much the best reference lies better than the next. A scale or four chords that
everyone uses lie equally well in many references and so have none; where more than ``MAX_ALIKE`` references hold the
stretch as well as the best does, it is called common and said so. A drone is like itself everywhere, and gathers nothing.

A composition match alone leads to ``review`` and never to ``blocked``: common material, quotation and tradition are for
a person to tell apart. Likeness of voices is not examined at all.

Sources: local alignment: Smith and Waterman 1981, doi:10.1016/0022-2836(81)90087-5; alignment of transposed chroma:
Serrà, Serra and Andrzejak 2009, doi:10.1088/1367-2630/11/9/093017.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from provenance.similarity import thresholds
from provenance.similarity.calibration import Calibration, Reached, measured_by, score_of
from provenance.similarity.composition_index import HARMONY_SHARES, PARTS, Place, asked, resampled
from provenance.similarity.harmony import LEAST_FRAMES, N_CLASSES, TUNE_HOP_S, Tune

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from provenance.similarity.calibration import Judging
    from provenance.similarity.composition_index import CompositionIndex
    from provenance.similarity.strangers import Stock, Stranger

SEGMENT_FRAMES = 97
LONGEST_FRAMES = 129
"""Frames (24 s) of a query that are searched at once, each piece half over the last; one of up to 32 s is one piece."""

N_ALIGNED: Mapping[str, int] = {"harmony": 16, "melody": 16, "line": 48}
"""References that are aligned, by part. A line lies at many places nearly as well: of 94 single voices the right work is
among the first 16 for 83 %, and among the first 64 for 90 %."""

FINE_TEMPI = (0.96, 1.0, 1.04)
"""Tempo ratios about the one looked up that are aligned; paths bear what lies between."""

REACH_FRAMES = 10
"""Frames (2.5 s) to either side of the place looked up that a path may use."""

TOLERATED = 0.25
STANDING_OUT = 0.15
"""Cosine of two frames that neither adds to a path nor takes from it, at the least; and how far it lies above the mean
cosine of any frame of the query with any frame of the stretch: a drone is like itself everywhere."""

LINE_TOLERATED = 0.2
"""How much a voice has to rise (`provenance.similarity.composition_index.voices_of`) where the line is, for a frame to
add to a path."""

DRIFT_COST: Mapping[str, float] = {"harmony": 0.5, "melody": 0.5, "line": 2.0}
"""What a path pays for each frame by which it leaves a steady tempo, by part. A line agrees less with the right place and
finds more by drifting to a wrong one."""

N_RIVALS = 4
"""Best other references whose mean a match is measured against."""

RIVAL_SPREAD: Mapping[str, float] = {"harmony": 0.5, "melody": 0.5, "line": 0.25}
"""By how much of what chance reaches it spreads, by part: a margin counts for less where chance reaches much. Without it
music of held chords made up most of the tail of what calibration strangers reach
(`provenance.similarity.thresholds.COMPOSITION_TAILS`)."""

FEW_REFERENCES = 100
CHANCE: Mapping[str, float] = {"harmony": 1.0, "melody": 1.6, "line": 1.7}
"""What a rival is taken to reach, by part, at the least, where an index has fewer than ``FEW_REFERENCES`` to tell: three
in four strangers find no more among 257."""

ALIKE_SHARE = 0.75
"""Share of the query's score at the best reference that this one reaches at another, to count as holding the same."""

ITSELF_SHARE = 0.5
"""The same of a line: share of what the harmony of the best reference's stretch reaches at itself. What a single voice
reaches says nothing of all voices."""

MAX_ALIKE = 3
"""Other references that may hold the same stretch and be set aside as the same work; of more it is common material."""

THRESHOLDS: Mapping[str, float] = {"harmony": 1.3, "melody": 1.1, "line": 0.5}
"""Statistic from which a person has to look where the index has no calibration, by part. Where one false alarm in a
hundred is aimed at, 130 excerpts of 24 s of the calibration group held against 257 references ask for 0.98 of it
(``make bench ARGS="composition --protocol DIR"``). That of the line is what one in 94 single voices reaches, of
works of the calibration group and others that the benchmark doesn't use, each held against an index without its own."""

ITSELF_SEMITONES = 0.3
ITSELF_TEMPO = 0.04
"""By how much a stranger may miss the key and the tempo of a reference that is the same recording."""

TUNE = "tune"
"""What strangers are counted by: the strength of the surest part."""

OCCURRENCE_SHARE = 0.9
N_SHOWN = 10


_WEIGHED = {
    "harmony": (slice(0, 2), np.sqrt(np.array(HARMONY_SHARES, dtype=np.float32))[:, None]),
    "melody": (slice(1, 2), np.ones((1, 1), dtype=np.float32)),
    "line": (slice(2, 3), np.ones((1, 1), dtype=np.float32)),
}


@dataclass(frozen=True, slots=True)
class CompositionMatch:
    """A reference beside the query: found, or the nearest that there is.

    Attributes
    ----------
    key : str
        The recording, as the index names it.
    verdict : {"no_match", "review"}
    score : float
        In [0, 1]; ``REVIEW_SCORE`` at the target of a calibration, or at the fixed threshold.
    query_start_s, query_end_s, reference_start_s, reference_end_s : float
        The matched stretch in both.
    occurrences : tuple of float
        Seconds at which the reference holds the same stretch, in rising order.
    tempo_ratio : float
        Seconds of the reference that pass in one of the query.
    pitch_shift_semitones : float
        By how much the query stands above the reference, in [-6.5, 6.5): octaves can't be told.
    part : {"harmony", "melody", "line"}
        What found it.
    agreement : float
        What the aligned path gathers: the sum of its frames' cosines above ``TOLERATED``, over the square root of
        the query's frames.
    statistic : float
        ``agreement`` less the mean of what the ``N_RIVALS`` best others gather, those set aside as the same work left
        out, over one and ``RIVAL_SPREAD`` of that mean: higher is more surprising. Only statistics of one part are
        compared.
    n_alike : int
        Other references that hold the same stretch.
    common : bool
        Whether so many do that it is common material.
    p_value : float, optional
        How probable it is that a stranger of the query's length reaches as much anywhere in the index; None without
        a calibration.
    p_kind : {"empirical", "extrapolated"}, optional
        As `provenance.similarity.matches.RecordingMatch` has it.
    """

    key: str
    verdict: Literal["no_match", "review"]
    score: float
    query_start_s: float
    query_end_s: float
    reference_start_s: float
    reference_end_s: float
    occurrences: tuple[float, ...]
    tempo_ratio: float
    pitch_shift_semitones: float
    part: str
    agreement: float
    statistic: float
    n_alike: int
    common: bool
    p_value: float | None = None
    p_kind: str | None = None
    kind: Literal["composition"] = "composition"

    @property
    def accepted(self) -> bool:
        """Whether it is more than the nearest that there is."""
        return self.verdict == "review"

    @property
    def strength(self) -> float:
        """The statistic as a share of the part's fixed threshold: so those of all parts are compared."""
        return self.statistic / THRESHOLDS[self.part]


@dataclass(frozen=True, slots=True)
class CompositionCheck:
    """The answer for one query. ``unverifiable`` means that nothing could be compared.

    ``best`` gives for each part the highest statistic over the whole index.
    """

    matches: tuple[CompositionMatch, ...]
    verdict: Literal["no_match", "review", "unverifiable"]
    reasons: tuple[str, ...]
    best: Mapping[str, float] = field(default_factory=dict)

    @property
    def strength(self) -> float:
        """The highest of all parts, at least 0, by which strangers are counted."""
        return max([0.0, *(statistic / THRESHOLDS[part] for part, statistic in self.best.items())])


@dataclass(frozen=True, slots=True)
class _Path:
    """A place after alignment; starts and ends in frames, the query's at its own tempo."""

    place: Place
    agreement: float
    tempo: float
    query_start: float
    query_end: float
    reference_start: float
    reference_end: float

    @property
    def drifted_tempo(self) -> float:
        """The tempo that the path went at, drifts included."""
        return (self.reference_end - self.reference_start) / max(1.0, self.query_end - self.query_start)


def check(tune: Tune, index: CompositionIndex, *, judging: Judging | None = None) -> CompositionCheck:
    """Hold what is played against the compositions of an index.

    Parameters
    ----------
    tune : Tune
    index : CompositionIndex
    judging : Judging, optional
        By what strangers reach in this index; ``THRESHOLDS`` hold without it, and where the tune is shorter than any.

    Returns
    -------
    CompositionCheck
        With the ``N_SHOWN`` best references, below the threshold too, in falling score.
    """
    if len(tune) < LEAST_FRAMES or not tune.rows.any():
        least_s = LEAST_FRAMES * TUNE_HOP_S
        return CompositionCheck(
            (), "unverifiable", (f"less than {least_s:.0f} s of music: too short to compare compositions",)
        )
    frames = asked(tune.rows)
    best: dict[str, CompositionMatch] = {}
    reached: dict[str, float] = {}
    for start in _segments(len(tune)):
        segment = frames if len(frames) <= LONGEST_FRAMES else frames[start : start + SEGMENT_FRAMES]
        places = index.places(segment)
        for part in PARTS:
            for match in _judged(segment, places[part][: N_ALIGNED[part]], part, index, tune.tuning, judging):
                reached[part] = max(reached.get(part, -math.inf), match.statistic)
                known = best.get(match.key)
                if known is None or _sureness(match) > _sureness(known):
                    best[match.key] = _moved(match, start * TUNE_HOP_S)
    in_order = sorted(best.values(), key=lambda match: match.key)
    matches = tuple(sorted(in_order, key=_sureness, reverse=True)[:N_SHOWN])
    reasons = [_reason(match) for match in matches if match.accepted]
    reasons += [_common(match) for match in matches[:1] if match.common]
    found = any(match.accepted for match in matches)
    return CompositionCheck(matches, "review" if found else "no_match", tuple(reasons), reached)


def measure(
    index: CompositionIndex, stock: Stock, *, progress: Callable[[int, int], object] | None = None
) -> Calibration:
    """Hold every stranger of a stock of prints against an index.

    What lies beyond doubt, for `provenance.similarity.calibration.measured_by`, is accepted at its own key and tempo.
    """

    def held(one: Stranger) -> Reached:
        found = check(one.sound, index)
        best = {TUNE: found.strength} if found.best else {}
        return Reached(best, [_at_own_tempo(match) for match in found.matches if _is_itself(match)])

    return measured_by(held, stock, policy=thresholds.COMPOSITION_POLICY_ID, progress=progress)


def _is_itself(match: CompositionMatch) -> bool:
    is_in_key = abs(match.pitch_shift_semitones) <= ITSELF_SEMITONES
    return match.accepted and is_in_key and abs(match.tempo_ratio - 1.0) <= ITSELF_TEMPO


def _at_own_tempo(match: CompositionMatch) -> CompositionMatch:
    """Return it at a tempo of 1: what a path drifts would move a line by seconds a minute further on."""
    return replace(match, tempo_ratio=1.0)


def _segments(n_frames: int) -> list[int]:
    if n_frames <= LONGEST_FRAMES:
        return [0]
    last = n_frames - SEGMENT_FRAMES
    return [*range(0, last, SEGMENT_FRAMES // 2), last]


def _sureness(match: CompositionMatch) -> tuple[float, float]:
    """By what matches are ordered: their scores; where as many strangers reach as much, their statistics."""
    return match.score, match.strength


def _moved(match: CompositionMatch, by_s: float) -> CompositionMatch:
    return replace(match, query_start_s=match.query_start_s + by_s, query_end_s=match.query_end_s + by_s)


def _reason(match: CompositionMatch) -> str:
    return (
        f"the {match.part} from {match.query_start_s:.1f} s is that of {match.key} from "
        f"{match.reference_start_s:.1f} s, {match.pitch_shift_semitones:+.1f} semitones, "
        f"{match.tempo_ratio:.2f} times as fast"
    )


def _common(match: CompositionMatch) -> str:
    return (
        f"the {match.part} from {match.query_start_s:.1f} s lies as well in {match.n_alike} other recordings as in "
        f"{match.key}: common material"
    )


def _judged(
    segment: NDArray[np.float32],
    places: Sequence[Place],
    part: str,
    index: CompositionIndex,
    tuning: float,
    judging: Judging | None,
) -> list[CompositionMatch]:
    """Align the places of one part, and set each beside its rivals."""
    paths = sorted(_aligned(segment, places, part, index), key=lambda path: -path.agreement)
    if not paths:
        return []
    alike = _alike(paths, part, index)
    common = len(alike) > MAX_ALIKE
    aside = set() if common else alike | {paths[0].place.reference}
    floor = CHANCE[part] if len(index.tunes) < FEW_REFERENCES else 0.0
    judged = []
    for number, path in enumerate(paths):
        reference = path.place.reference
        of_the_best = reference in aside
        rivals = [
            other.agreement
            for other in paths
            if other is not path and not (of_the_best and other.place.reference in aside)
        ]
        nearest = [max(floor, rival) for rival in [*rivals[:N_RIVALS], *[0.0] * N_RIVALS][:N_RIVALS]]
        chance = sum(nearest) / N_RIVALS
        statistic = (path.agreement - chance) / (1.0 + RIVAL_SPREAD[part] * chance)
        reference_tuning = index.tunes[reference].tuning
        shift = (path.place.rotation + 6) % N_CLASSES - 6 + tuning - reference_tuning
        said = _said(statistic, part, judging)
        at = path.reference_start - path.place.frame
        judged.append(
            CompositionMatch(
                key=index.recordings[reference],
                verdict="review" if said.found else "no_match",
                score=said.score,
                query_start_s=path.query_start * TUNE_HOP_S,
                query_end_s=path.query_end * TUNE_HOP_S,
                reference_start_s=path.reference_start * TUNE_HOP_S,
                reference_end_s=path.reference_end * TUNE_HOP_S,
                occurrences=_occurrences(segment, path, part, index, at) if said.found else (),
                tempo_ratio=round(path.drifted_tempo, 3),
                pitch_shift_semitones=round(shift, 1),
                part=part,
                agreement=path.agreement,
                statistic=statistic,
                n_alike=len(alike) if number == 0 or reference in alike else 0,
                common=common and (number == 0 or reference in alike),
                p_value=said.p_value,
                p_kind=said.p_kind,
            )
        )
    return judged


@dataclass(frozen=True, slots=True)
class _Said:
    """What a statistic comes to."""

    found: bool
    score: float
    p_value: float | None = None
    p_kind: str | None = None


def _said(statistic: float, part: str, judging: Judging | None) -> _Said:
    """Judge by strangers; by the fixed threshold where none were measured, or none as short as this."""
    strength = statistic / THRESHOLDS[part]
    chance = judging.calibration.chance(TUNE, strength, seconds=judging.seconds) if judging else None
    if judging is None or chance is None:
        falls = math.exp(-4.0 * (max(-5.0, min(5.0, strength)) - 1.0))
        odds_against = (1.0 / thresholds.REVIEW_SCORE - 1.0) * falls
        return _Said(strength >= 1.0, 1.0 / (1.0 + odds_against))
    score = score_of(chance.p, judging.target)
    return _Said(chance.p <= judging.target, score, chance.told().p, chance.kind)


def _occurrences(
    segment: NDArray[np.float32], path: _Path, part: str, index: CompositionIndex, at: float
) -> tuple[float, ...]:
    """Seconds at which the reference holds the stretch, the aligned one among them."""
    frames = index.places_in(segment, path.place, part, share=OCCURRENCE_SHARE)
    others = [frame + at for frame in frames if abs(frame - path.place.frame) > 2 * REACH_FRAMES]
    return tuple(sorted(round(max(0.0, frame) * TUNE_HOP_S, 3) for frame in [path.reference_start, *others]))


def _alike(paths: Sequence[_Path], part: str, index: CompositionIndex) -> set[int]:
    """References that hold, where the query lies in them, the same as the best one does."""
    best = paths[0]
    first, end = int(best.reference_start), int(best.reference_end) + 1
    stretch = asked(index.tunes[best.place.reference].rows[first:end])
    if len(stretch) < LEAST_FRAMES // 2:
        return set()
    places = [
        Place(
            path.place.reference,
            round(path.reference_start + (best.query_start - path.query_start) * path.tempo),
            (path.place.rotation - best.place.rotation) % N_CLASSES,
            path.tempo / best.tempo,
            0.0,
        )
        for path in paths[1:]
        if path.agreement >= 0.6 * best.agreement
    ]
    if part == "line":
        itself = Place(best.place.reference, first, 0, 1.0, 0.0)
        expected = ITSELF_SHARE * _aligned(stretch, [itself], "harmony", index)[0].agreement
    else:
        lasts = best.query_end - best.query_start + 1
        expected = ALIKE_SHARE * best.agreement * math.sqrt(lasts) / math.sqrt(len(stretch))
    return {
        path.place.reference
        for path in _aligned(stretch, places, "harmony" if part == "line" else part, index)
        if path.agreement >= expected
    }


def _aligned(
    query: NDArray[np.float32], places: Sequence[Place], part: str, index: CompositionIndex
) -> list[_Path]:
    """Align the query at each place, at the best of its fine tempi."""
    if not places:
        return []
    rows, weights = _WEIGHED[part]
    query = query[:, rows] * weights
    n_values = query[0].size
    tried = [(place, place.tempo * fine) for place in places for fine in FINE_TEMPI]
    lengths = np.array([max(1, round(len(query) * tempo)) for _, tempo in tried])
    n_rows, n_paths = int(lengths.max()), 2 * REACH_FRAMES + 1
    played = {tempo: resampled(query, tempo) for tempo in {tempo for _, tempo in tried}}
    laid = np.zeros((len(tried), n_rows, n_values), dtype=np.float32)
    ground = np.zeros((len(tried), n_rows + n_paths - 1, n_values), dtype=np.float32)
    for number, (place, tempo) in enumerate(tried):
        turned = np.roll(played[tempo], -place.rotation, axis=2)
        laid[number, : len(turned)] = turned.reshape(len(turned), n_values)
        frames = index.grounds[place.reference]
        first = place.frame - REACH_FRAMES
        here = frames[max(0, first) : max(0, first + ground.shape[1]), rows] * weights
        ground[number, max(0, -first) : max(0, -first) + len(here)] = here.reshape(len(here), n_values)
    cosines = laid @ ground.transpose(0, 2, 1)
    number_step, row_step, column_step = cosines.strides
    gains = np.lib.stride_tricks.as_strided(
        cosines, (len(tried), n_rows, n_paths), (number_step, row_step + column_step, column_step)
    )
    if part == "line":
        tolerated = np.float32(LINE_TOLERATED) * np.abs(laid).max(axis=2)
    else:
        usual = np.array([cosines[n, :last, : last + n_paths - 1].mean() for n, last in enumerate(lengths)])
        tolerated = np.maximum(TOLERATED, usual + STANDING_OUT).astype(np.float32)[:, None]
    gathered, starts, ends = _best_paths(gains - tolerated[:, :, None], DRIFT_COST[part])
    best: dict[int, _Path] = {}
    for number, (place, tempo) in enumerate(tried):
        agreement = float(gathered[number]) / math.sqrt(len(query))
        known = best.get(place.reference)
        if known is None or agreement > known.agreement:
            (first, first_path), (last, last_path) = starts[number], ends[number]
            scale = len(query) / lengths[number]
            offset = place.frame - REACH_FRAMES
            best[place.reference] = _Path(
                place,
                agreement,
                tempo,
                float(first * scale),
                float(min(len(query), (last + 1) * scale)),
                float(max(0, offset + first + first_path)),
                float(max(0, offset + last + last_path + 1)),
            )
    return list(best.values())


def _best_paths(
    gains: NDArray[np.float32], drift_cost: float
) -> tuple[NDArray[np.float32], list[tuple[int, int]], list[tuple[int, int]]]:
    """For each of many grids [shape=(n, n_rows, n_paths)] the stretch of a path that gathers most.

    Returns what it gathers, and its first and last (row, path). A path goes from row to row, and to a neighbour at
    ``drift_cost``.
    """
    n_grids, n_rows, n_paths = gains.shape
    total = np.zeros((n_grids, n_paths), dtype=np.float32)
    begun = np.zeros((n_grids, n_paths), dtype=np.int32)
    top = np.zeros(n_grids, dtype=np.float32)
    first, last = np.zeros(n_grids, dtype=np.int64), np.zeros(n_grids, dtype=np.int64)
    each, paths = np.arange(n_grids), np.arange(n_paths, dtype=np.int32)
    outside = np.full((n_grids, 1), -np.inf, dtype=np.float32)
    nowhere = np.zeros((n_grids, 1), dtype=np.int32)
    for row in range(n_rows):
        for moved, from_there in (
            (np.hstack([outside, total[:, :-1]]), np.hstack([nowhere, begun[:, :-1]])),
            (np.hstack([total[:, 1:], outside]), np.hstack([begun[:, 1:], nowhere])),
        ):
            better = moved - np.float32(drift_cost) > total
            total = np.where(better, moved - np.float32(drift_cost), total)
            begun = np.where(better, from_there, begun)
        fresh = total <= 0
        begun = np.where(fresh, np.int32(row * n_paths) + paths, begun)
        total = np.maximum(total, 0) + gains[:, row]
        at = total.argmax(axis=1)
        higher = total[each, at] > top
        top = np.where(higher, total[each, at], top)
        first = np.where(higher, begun[each, at], first)
        last = np.where(higher, row * n_paths + at, last)
    return (
        top,
        [divmod(int(one), n_paths) for one in first],
        [divmod(int(one), n_paths) for one in last],
    )
