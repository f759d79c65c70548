"""Recording likeness of pieces however brief: half a second of a recording that stands in other music as it was.

What peaks and vectors say of so little is not enough. But its levels are those of the recording, to within a decibel or
two, in every band; other music comes nowhere near. So kept levels (`provenance.similarity.kept_levels`) are laid side by
side where their *codes* say that it is worth it:

1. the shape of each moment's spectrum, 24 numbers of a cosine transform over the bands, becomes 24 bits: above or below
   what is usual. A place of a recording with the same code, or one in which the least certain bits are turned, votes for
   its diagonal. At another pitch the bands stand higher or lower and the shape is the same; at another tempo half a
   second is hardly any different;
2. at the diagonals with most votes each cell of the query is held against the recording's. How many steps lie between the
   two tells the same sound from other sound: the mean of the logarithms of these odds, over what can be heard, speaks for
   the moment or against it. The *strength* is the sum over the stretch in which it is the highest, less what the same
   stretch comes to beside its place.

Sources: codes from the signs of band energies, and the least certain bits turned: Haitsma and Kalker 2002, "A Highly
Robust Audio Fingerprinting System", ISMIR. The odds are this project's own.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from provenance.similarity.by_peaks import fixed_score, fixed_verdict
from provenance.similarity.kept_levels import FRAME_HOP_S, NOTHING
from provenance.similarity.landmarks import counts_at
from provenance.similarity.levels import BANDS_AN_OCTAVE, FRAME_S, N_BANDS
from provenance.similarity.matches import RecordingMatch

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from numpy.typing import NDArray

    from provenance.similarity.kept_levels import KeptLevels

LEVELS = "levels"

MOST_BANDS = 4
PITCHES_BANDS = (0, *(sign * bands for bands in range(1, MOST_BANDS + 1) for sign in (1, -1)))
"""Bands of half a semitone by which a query may stand above a recording, its own pitch first."""

N_MIDDLE = N_BANDS - 2 * MOST_BANDS
"""Bands that are compared at every pitch."""

CODE_BITS = 24
UNSURE_BITS, UNSURE_TOGETHER = 8, 5
"""Bits of a query's code that are turned, the least certain ones: each alone, and any two of the first five."""

LOUD_STEPS = 10
"""A moment of which no band reaches 30 dB above the floor has no code."""

COMMONEST = 100
"""Places of one code above which it is passed over: a tone that is held says nothing."""

MOMENT_FRAMES = 8
"""Frames (0.5 s) of a query that vote together, with the ones before or after."""

SEGMENT_FRAMES = 485
"""Frames (30 s) of a query whose moments are looked up together, each segment half over the last."""

LEAST_PLACES, PLACES_A_FRAME = (40, 10), (0.6, 0.12)
"""Diagonals that are looked at: at the least and for each frame of a query, at its own pitch and at every other."""

LAID_SHARE = 0.2
"""Of these, the likeliest that are laid."""

LOOKED_FRAMES, LAID_FRAMES, LEAD_FRAMES = 12, 48, 16
"""Frames at which a diagonal is looked at first, at which it is then laid, and how many of the latter are before the
moment that voted. What convinces over three seconds needs no more."""

QUIET_STEPS = 5
"""Cells below -75 dB in both are silence, and compared with nothing."""

ODDS = np.array([1.47, 0.51, -0.68, -1.45, -1.84, -2.1, -2.25, -2.3], np.float32)
"""Logarithm of how much more often two levels lie so many steps apart (the last for more) in a piece that was encoded,
filtered, echoed, drowned or left as it was than at the best places of music with another sound."""

GAINS = np.arange(-4, 5)
GAIN_COST = 0.02
"""Steps by which a piece may have been made louder or softer, and what each costs a moment."""

DRIFT = 0.15
"""What each moment costs: sounds that are alike for long, and never the same, come to nothing."""

LEAST_STRENGTH = 0.5
BESIDE_FRAMES = np.array([sign * frames for frames in range(6, 28, 3) for sign in (-1, 1)])
"""From which strength it is asked what the stretch comes to beside its place, and how many frames (0.4 to 1.7 s) away.
Rain agrees with rain wherever it is laid, and a chord with itself for as long as it is held."""

PITCH_COST = 1.0
"""Strength that any pitch but the query's own costs."""

REPEAT_SHARE = 0.8
"""Of the best strength, from which the same recording holds the same piece again."""

CONVINCING_STRENGTH = 12.0
"""From which a person has to look, where no calibration says so: three quarters of a second as they were. Of 60 works
held against 69 others, all played by one soundfont at one loudness, a tenth share chords of 10 and more, one of 16."""

FEW, LONE_CHANCE = 8, 10.0
"""Where no more recordings may answer, nobody can tell what instruments they share: so much strength is taken for
chance."""

PASSAGE_FRAMES = LAID_FRAMES - 3
"""A stretch so long that two recordings of an index share is a passage of both, and not an instrument."""


@dataclass(frozen=True, slots=True)
class Laid:
    """A stretch of a query beside the stretch of a recording that it agrees with.

    Attributes
    ----------
    recording : int
    origin : int
        Frame of the recording at which the query would begin; may be negative.
    pitch_bands : int
        Bands by which the query stands above the recording.
    start, end : int
        Frames of the query.
    strength : float
    share : float
        Of its cells that differ by no more than a step, in [0, 1].
    """

    recording: int
    origin: int
    pitch_bands: int
    start: int
    end: int
    strength: float
    share: float


class Moments:
    """The codes of recordings' moments, by what they are.

    Parameters
    ----------
    levels : KeptLevels
        Twelve bytes a frame are held beside them.
    """

    def __init__(self, levels: KeptLevels) -> None:
        self.levels = levels
        shapes = [_shapes(levels[number]) for number in range(len(levels))]
        together = np.concatenate([*shapes, np.zeros((0, CODE_BITS), np.float32)])
        self._usual = np.median(together, axis=0) if len(together) else np.zeros(CODE_BITS, np.float32)
        codes, places = [np.zeros(0, np.int32)], [np.zeros(0, np.int64)]
        for number, shape in enumerate(shapes):
            heard = np.flatnonzero(_is_loud(levels[number][: len(shape)]))
            codes.append(_codes(shape[heard] - self._usual))
            places.append(levels.starts[number] + heard)
        unordered = np.concatenate(codes)
        order = np.argsort(unordered, kind="stable")
        self._codes, self._places = unordered[order], np.concatenate(places)[order]

    def stretches(self, kept: NDArray[np.uint8], allowed: Collection[int]) -> list[Laid]:
        """Find where pieces of a segment of a query lie in the recordings.

        Parameters
        ----------
        kept : np.ndarray [shape=(n_frames, N_BANDS), dtype=uint8]
            Kept levels of the segment.
        allowed : collection of int
            Recordings that may answer.

        Returns
        -------
        list of Laid
            In falling strength, each above 0; several of a recording.
        """
        permitted = np.fromiter(allowed, np.int64, len(allowed))
        found: dict[tuple[int, int], Laid] = {}
        for pitch in PITCHES_BANDS:
            for one in self._laid(kept, pitch, *self._likely(kept, pitch, permitted)):
                place = one.recording, one.origin + one.start
                if place not in found or one.strength > found[place].strength:
                    found[place] = one
        return sorted(found.values(), key=lambda one: (-one.strength, one.recording, one.origin))

    def _likely(
        self, kept: NDArray[np.uint8], pitch: int, permitted: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Diagonals, as places of the line at which the query would begin, and the moments with most votes for them."""
        places, frames = self._met(kept, pitch)
        answering = np.isin(self.levels.owners(places), permitted)
        places, frames = places[answering], frames[answering]
        if not len(places):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        n_moments = len(kept) // MOMENT_FRAMES + 3
        diagonals = places - frames + len(kept)
        cells, counts = np.unique(diagonals * n_moments + frames // MOMENT_FRAMES, return_counts=True)
        before, after = (
            counts_at(cells, counts, cells + by) + counts_at(cells, counts, cells + by + 1)
            for by in (-n_moments, n_moments)
        )
        votes = counts + counts_at(cells, counts, cells + 1) + np.maximum(before, after)
        other = int(pitch != 0)
        n_most = LEAST_PLACES[other] + round(PLACES_A_FRAME[other] * len(kept))
        diagonals, moments = np.divmod(cells[np.argsort(-votes, kind="stable")[:n_most]], n_moments)
        return diagonals - len(kept), moments * MOMENT_FRAMES

    def _met(self, kept: NDArray[np.uint8], pitch: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Places of the line with the query's codes, and the query's frames."""
        shapes = _shapes(kept, pitch)
        heard = np.flatnonzero(_is_loud(kept[: len(shapes)]))
        shapes = shapes[heard] - self._usual
        codes = _codes(shapes)
        unsure = np.left_shift(1, np.argsort(np.abs(shapes), axis=1)[:, :UNSURE_BITS]).astype(np.int32)
        turned = [codes, *(codes ^ unsure[:, bit] for bit in range(UNSURE_BITS))]
        turned += [
            codes ^ unsure[:, one] ^ unsure[:, other]
            for one, other in combinations(range(UNSURE_TOGETHER), 2)
        ]
        wanted = np.concatenate(turned)
        lows = np.searchsorted(self._codes, wanted)
        counts = np.searchsorted(self._codes, wanted, side="right") - lows
        rare = (counts > 0) & (counts <= COMMONEST)
        lows, counts, frames = lows[rare], counts[rare], np.tile(heard, len(turned))[rare]
        ends = np.cumsum(counts)
        which = np.arange(counts.sum()) + np.repeat(lows - (ends - counts), counts)
        return self._places[which], np.repeat(frames, counts)

    def _laid(
        self, kept: NDArray[np.uint8], pitch: int, diagonals: NDArray[np.int64], moments: NDArray[np.int64]
    ) -> Iterator[Laid]:
        """Lay the query at its likeliest diagonals, and tell the stretch of each that agrees."""
        if not len(diagonals):
            return
        diagonals = (diagonals[:, None] + np.array([-1, 0, 1])).ravel()
        moments = np.repeat(moments, 3)
        apart, heard = self._apart(kept, pitch, diagonals, moments - 2, LOOKED_FRAMES)
        agreement, gains = _best_gains(apart, heard)
        best = np.argsort(-agreement, kind="stable")[: max(1, round(LAID_SHARE * len(agreement)))]
        diagonals, moments, gains = diagonals[best], moments[best], gains[best]
        firsts = moments - LEAD_FRAMES
        apart, heard = self._apart(kept, pitch, diagonals, firsts, LAID_FRAMES)
        for number, spoken in enumerate(_spoken(apart, heard, gains)):
            start, end, strength = _run(spoken)
            if strength > LEAST_STRENGTH:
                stretch = int(firsts[number]) + start, end - start
                strength -= self._elsewhere(kept, pitch, int(diagonals[number]), stretch, int(gains[number]))
            strength -= PITCH_COST * (pitch != 0)
            if strength > 0.0:
                first = int(firsts[number])
                place = diagonals[number] + first + start
                recording = int(self.levels.owners(place))
                origin = int(diagonals[number] - self.levels.starts[recording])
                near = np.abs(apart[number, start:end] - gains[number])[heard[number, start:end]] <= 1
                yield Laid(recording, origin, pitch, first + start, first + end, strength, float(near.mean()))

    def _elsewhere(
        self, kept: NDArray[np.uint8], pitch: int, diagonal: int, stretch: tuple[int, int], gain: int
    ) -> float:
        """What the same stretch comes to beside its place in the same recording, on average, and at least 0."""
        first, n_frames = stretch
        diagonals = diagonal + BESIDE_FRAMES
        apart, heard = self._apart(kept, pitch, diagonals, np.full(len(diagonals), first), n_frames)
        inside = heard.any(axis=2).mean(axis=1) > 0.5
        if not inside.any():
            return 0.0
        spoken = _spoken(apart[inside], heard[inside], np.full(int(inside.sum()), gain))
        return max(0.0, float(spoken.sum(axis=1).mean()))

    def _apart(
        self,
        kept: NDArray[np.uint8],
        pitch: int,
        diagonals: NDArray[np.int64],
        firsts: NDArray[np.int64],
        n_frames: int,
    ) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
        """Steps by which the query lies above the recordings on each diagonal, and where either can be heard.

        Both have the shape (n_diagonals, n_frames, N_MIDDLE).
        """
        frames = firsts[:, None] + np.arange(n_frames)
        places = diagonals[:, None] + frames
        line = self.levels.line
        there = (frames >= 0) & (frames < len(kept)) & (places >= 0) & (places < len(line))
        low = MOST_BANDS + pitch
        ours = kept[np.where(there, frames, 0), low : low + N_MIDDLE]
        theirs = line[np.where(there, places, 0), MOST_BANDS : MOST_BANDS + N_MIDDLE]
        heard = ((ours > QUIET_STEPS) | (theirs > QUIET_STEPS)) & (theirs != NOTHING) & there[:, :, None]
        return ours.astype(np.int16) - theirs, heard


def matches_by_levels(
    kept: NDArray[np.uint8], known: Moments, keys: Sequence[str], allowed: Collection[int]
) -> list[RecordingMatch]:
    """Find recordings of which the query holds a piece.

    Parameters
    ----------
    kept : np.ndarray [shape=(n_frames, N_BANDS), dtype=uint8]
        Of the query, as `provenance.similarity.kept_levels.kept_of` makes them; of any length.
    known : Moments
    keys : sequence of str
        Of the recordings.
    allowed : collection of int
        Recordings that may answer.

    Returns
    -------
    list of RecordingMatch
        The best of each recording in falling strength, whether it convinces or not.
    """
    found: dict[int, list[Laid]] = defaultdict(list)
    half = SEGMENT_FRAMES // 2
    chance = LONE_CHANCE if len(allowed) <= FEW else 0.0
    for start in range(0, max(1, len(kept) - half), half):
        for one in known.stretches(kept[start : start + SEGMENT_FRAMES], allowed):
            found[one.recording].append(
                replace(
                    one,
                    origin=one.origin - start,
                    start=one.start + start,
                    end=one.end + start,
                    strength=max(0.0, one.strength - chance),
                )
            )
    matches = [_match(keys[number], group) for number, group in found.items()]
    return sorted(matches, key=lambda match: (-match.strength, match.key))


def shared(known: Moments, seconds: float, most: int) -> list[float]:
    """Measure what recordings of an index have in common: instruments, drums, a loop.

    Parameters
    ----------
    known : Moments
    seconds : float
        How long a stretch of a recording is held against the others.
    most : int
        Recordings that are asked; spread over the index if it has more.

    Returns
    -------
    list of float
        For each the highest strength, passages that two recordings share left out.
    """
    n_frames = round(seconds / FRAME_HOP_S)
    long_enough = [number for number in range(len(known.levels)) if known.levels.lengths[number] >= n_frames]
    reached = []
    for turn in range(min(most, len(long_enough))):
        number = long_enough[turn * len(long_enough) // min(most, len(long_enough))]
        kept = known.levels[number]
        start = int(np.random.default_rng(number).integers(len(kept) - n_frames + 1))
        others = [other for other in range(len(known.levels)) if other != number]
        laid = known.stretches(kept[start : start + n_frames], others)
        of_both = {one.recording for one in laid if one.end - one.start >= PASSAGE_FRAMES}
        reached.append(max((one.strength for one in laid if one.recording not in of_both), default=0.0))
    return reached


def _match(key: str, group: Sequence[Laid]) -> RecordingMatch:
    best = max(group, key=lambda one: (one.strength, -one.origin))
    places = {
        (one.origin + best.start) * FRAME_HOP_S for one in group if one is best or _comes_again(best, one)
    }
    begin_s, length_s = (
        (best.origin + best.start) * FRAME_HOP_S,
        (best.end - best.start - 1) * FRAME_HOP_S + FRAME_S,
    )
    score = fixed_score(best.strength, CONVINCING_STRENGTH)
    return RecordingMatch(
        key=key,
        verdict=fixed_verdict(score),
        score=score,
        query_start_s=best.start * FRAME_HOP_S,
        query_end_s=best.start * FRAME_HOP_S + length_s,
        reference_start_s=begin_s,
        reference_end_s=begin_s + length_s,
        occurrences=tuple(sorted(places)),
        tempo_ratio=1.0,
        pitch_shift_semitones=best.pitch_bands * 12.0 / BANDS_AN_OCTAVE,
        column=LEVELS,
        ber=1.0 - best.share,
        margin=best.strength,
        contrast=best.share,
        strength=best.strength,
    )


def _comes_again(best: Laid, other: Laid) -> bool:
    """Whether the same piece lies at another place of the recording."""
    overlap = min(best.end, other.end) - max(best.start, other.start)
    return (
        other.pitch_bands == best.pitch_bands
        and other.strength >= REPEAT_SHARE * best.strength
        and 2 * overlap >= best.end - best.start
    )


def _shapes(kept: NDArray[np.uint8], pitch: int = 0) -> NDArray[np.float32]:
    """Cosine transforms over the bands of every two frames together [shape=(max(0, n_frames - 1), CODE_BITS)].

    The first coefficient, which is how loud they are, is left out.
    """
    from scipy.fft import dct

    middle = kept[:, MOST_BANDS + pitch : MOST_BANDS + pitch + N_MIDDLE].astype(np.float32)
    if len(kept) < 2:
        return np.zeros((0, CODE_BITS), np.float32)
    shapes: NDArray[np.float32] = dct(middle[:-1] + middle[1:], axis=1, norm="ortho")[:, 1 : CODE_BITS + 1]
    return shapes


def _codes(shapes: NDArray[np.floating[Any]]) -> NDArray[np.int32]:
    """Numbers of ``CODE_BITS`` bits: which coefficients are above 0."""
    codes: NDArray[np.int32] = ((shapes > 0) @ (1 << np.arange(CODE_BITS))).astype(np.int32)
    return codes


def _is_loud(kept: NDArray[np.uint8]) -> NDArray[np.bool_]:
    loud: NDArray[np.bool_] = kept.max(axis=1, initial=0) > LOUD_STEPS
    return loud


def _best_gains(
    apart: NDArray[np.int16], heard: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The sum of odds of each diagonal at the gain at which it is the highest, and this gain in steps."""
    n_bins = 2 * _FURTHEST + 1
    bins = np.clip(apart, -_FURTHEST, _FURTHEST) + _FURTHEST + n_bins * np.arange(len(apart))[:, None, None]
    counts = np.bincount(bins[heard], minlength=n_bins * len(apart)).reshape(len(apart), n_bins)
    agreements = counts @ _ODDS_AT.T - GAIN_COST * apart.shape[1] * N_MIDDLE * np.abs(GAINS)
    best = agreements.argmax(axis=1)
    return agreements[np.arange(len(apart)), best], GAINS[best]


def _spoken(
    apart: NDArray[np.int16], heard: NDArray[np.bool_], gains: NDArray[np.int64]
) -> NDArray[np.float64]:
    """What each moment of each diagonal says [shape=(n_diagonals, n_frames)]."""
    steps = np.minimum(np.abs(apart - gains[:, None, None]), len(ODDS) - 1)
    odds = np.where(heard, ODDS[steps] - DRIFT, 0.0).sum(axis=2) / N_MIDDLE
    spoken: NDArray[np.float64] = odds - GAIN_COST * np.abs(gains)[:, None] * heard.any(axis=2)
    return spoken


def _run(spoken: NDArray[np.float64]) -> tuple[int, int, float]:
    """First frame, the one after the last, and the sum of the shortest stretch whose sum is the highest."""
    sums = np.concatenate([[0.0], np.cumsum(spoken)])
    rises = sums - np.minimum.accumulate(sums)
    end = int(rises.argmax())
    start = end - int(sums[end::-1].argmin())
    return start, end, float(rises[end])


_FURTHEST = len(ODDS) - 1 + int(GAINS.max())
_ODDS_AT = np.stack(
    [ODDS[np.minimum(np.abs(np.arange(-_FURTHEST, _FURTHEST + 1) - gain), len(ODDS) - 1)] for gain in GAINS]
)
"""Odds of each number of steps, for each gain."""
