"""Recording likeness of one part alone: drums, a bass, a lead that somebody took out of a recording.

Peaks and vectors keep what is loudest in a whole, and of a part that is softer they keep nothing. But where a part sounds
the whole is at least as loud, in every band; and where hardly anything else sounds there, just as loud. So levels are
kept too, coarsely, and a query is laid over them:

1. the bands of the query that are louder than those beside them, its *tops*, are counted among the tops of every
   recording, at every moment. The places at which most of them lie on tops are asked further;
2. there each cell of the query is held against the recording's. How many decibels lie between the two tells the true
   place from others: the mean of the logarithms of these odds is the *agreement*. A part may have been made louder or
   softer, at a cost.

What counts, the *strength*, is by how much the agreement, and half of the share of tops, exceed those of the best
recording with another sound. Only the query's own pitch and tempo are searched. Time and memory grow with the hours that
are held: this is for some hundred recordings.

Sources: that of two sounds the louder one is nearly all that is heard in a cell: Wang 2005, "On Ideal Binary Mask As the
Computational Goal of Auditory Scene Analysis", doi:10.1007/0-387-22794-6_12. The rest is this project's own, measured by
``make bench ARGS=stems``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from provenance.similarity import thresholds
from provenance.similarity.kept_levels import FRAME_HOP_S, GAP_FRAMES, STEP_DB
from provenance.similarity.levels import FRAME_S, N_BANDS
from provenance.similarity.matches import RecordingMatch

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from numpy.typing import NDArray

    from provenance.similarity.kept_levels import KeptLevels

PARTS = "parts"

MEMORY_FRAMES = 33
BREADTH_BANDS = 25
"""Frames (2.0 s) and bands (an octave) over which the means are taken out of which a cell stands."""

LEAST_TOP_DB = 1.5
LEAST_CELL_DB = -3.0
"""How far a top has to stand out, and a cell that is held against a recording's."""

TOP_BANDS, TOP_FRAMES = 5, 3
"""Bands among which a top is the highest of its moment; of a query, also frames among which it is of its band."""

MOST_TOPS = 255
"""Of a segment, the highest: their count fits a byte."""

LEAST_TOPS = 5
DEEPEST_STEPS = 15
QUIETEST_STEPS = 4
"""Cells 45 dB below the segment's loudest, or below -78 dB, are held against nothing."""

MOST_CELLS = 4_000
LEAST_CELLS = 50

SEGMENT_FRAMES = GAP_FRAMES
"""Frames (10 s) of a query that are laid at once, each segment half over the last."""

N_CANDIDATES = 40
N_PLACES = 3
"""Recordings that are asked, and places of each."""

APART_FRAMES = 4
"""Frames to either side in which a place is the same one."""

GAINS = np.arange(-3, 4)
GAIN_COST = 0.04
"""Steps by which a part may have been made louder, and the agreement that each of them costs."""

ODDS_FROM, ODDS = (
    -5,
    np.array(
        [-3.0, -2.65, -1.96, -1.08, 0.11, 1.26, 0.83, 0.43, 0.2, -0.01, -0.18, -0.35, -0.48, -0.59, -0.68],
        np.float32,
    ),
)
"""Logarithm of how much more often a recording's level stands so many steps above a part's at the true place than at
wrong ones that have as many tops: the first number for 5 below and less, the last for 9 above and more."""

SHARE_WEIGHT = 0.5
"""What a share of tops counts beside agreement."""

SAME_SHARE, SAME_STEPS = 0.7, 1
"""Share of the query's cells in which two recordings of the same sound differ by no more steps."""

REPEAT_SHARE = 0.9
"""Of the best place's agreement, at which the same recording holds the same part again."""

LEAST_RIVAL, LONE_RIVAL = 0.0, 0.2
FEW = 16
"""Agreement that a rival is taken to reach at least: the second where no more than ``FEW`` recordings are asked, of which
the best may be the only one that chance favours. Strangers agree by 0.03 with the best of 211, by 0.36 at most."""

CONVINCING_STRENGTH = 0.2
"""From which a person has to look, where no calibration says so. Of three excerpts each of 130 strangers, laid over 211
recordings, none reached 0.15; over one to eight of these, none reached 0.08."""

_CHUNK = 1 << 15


@dataclass(frozen=True, slots=True)
class Place:
    """Where a segment of a query lies in a recording, and what speaks for it.

    Attributes
    ----------
    recording : int
    frame : int
        Of the recording, beside the first of the segment.
    agreement : float
        Mean logarithm of odds over the segment's cells, less the cost of the gain.
    gain : int
        Steps by which the part would have been made softer.
    share : float
        Of the segment's tops that lie on tops of the recording, in [0, 1].
    elsewhere : float
        The same on average over the recording.
    """

    recording: int
    frame: int
    agreement: float
    gain: int
    share: float
    elsewhere: float


@dataclass(frozen=True, slots=True)
class Segment:
    """The tops and cells of a stretch of a query.

    Attributes
    ----------
    n_frames : int
    tops : tuple of np.ndarray [shape=(n_tops,)]
        Frame and band of each, in rising order of frames; cells likewise.
    cells : tuple of np.ndarray [shape=(n_cells,)]
    steps : np.ndarray [shape=(n_cells,), dtype=int16]
        The kept level of each cell.
    """

    n_frames: int
    tops: tuple[NDArray[np.intp], NDArray[np.intp]]
    cells: tuple[NDArray[np.intp], NDArray[np.intp]]
    steps: NDArray[np.int16]

    @classmethod
    def of(cls, kept: NDArray[np.uint8]) -> Segment:
        """Make one of at most ``SEGMENT_FRAMES`` kept frames."""
        from scipy import ndimage

        heights = _heights(kept)
        tops = _stand_out(heights) & (heights == ndimage.maximum_filter(heights, (TOP_FRAMES, 1)))
        frames, bands = np.nonzero(tops)
        highest = np.sort(np.argsort(-heights[frames, bands], kind="stable")[:MOST_TOPS])
        loud = (kept > QUIETEST_STEPS) & (kept > int(kept.max(initial=0)) - DEEPEST_STEPS)
        cells = np.nonzero(loud & (heights > LEAST_CELL_DB))
        if len(cells[0]) > MOST_CELLS:
            some = np.linspace(0, len(cells[0]) - 1, MOST_CELLS).astype(np.intp)
            cells = cells[0][some], cells[1][some]
        return cls(
            len(kept), (frames[highest], bands[highest]), (cells[0], cells[1]), kept[cells].astype(np.int16)
        )

    @property
    def says_enough(self) -> bool:
        """Whether enough sounds to be looked for."""
        return len(self.tops[0]) >= LEAST_TOPS and len(self.steps) >= LEAST_CELLS


class Parts:
    """The tops of recordings, beside their kept levels.

    Parameters
    ----------
    levels : KeptLevels
        Their tops are held beside them, 1.9 kB a second.
    """

    def __init__(self, levels: KeptLevels) -> None:
        self.levels = levels
        self._tops = np.zeros((N_BANDS, len(levels.line)), dtype=np.uint8)
        for number, start in enumerate(levels.starts):
            kept = levels[number]
            self._tops[:, start : start + len(kept)] = _tops_of(kept).T

    def places(self, segment: Segment, allowed: Collection[int]) -> list[Place]:
        """Find where a segment of a query may lie.

        Parameters
        ----------
        segment : Segment
        allowed : collection of int
            Recordings that may answer.

        Returns
        -------
        list of Place
            In falling agreement; none for a segment in which too little sounds.
        """
        if not segment.says_enough:
            return []
        n_tops = len(segment.tops[0])
        found = []
        for recording, counts in self._promising(segment, allowed):
            elsewhere = float(counts.mean()) / n_tops
            for frame in _best_places(counts):
                placed = self._agreement(segment, recording, frame)
                if placed is not None:
                    found.append(Place(recording, *placed, int(counts[frame]) / n_tops, elsewhere))
        return sorted(found, key=lambda place: (-place.agreement, place.recording, place.frame))

    def same_sound(self, segment: Segment, one: Place, other: Place) -> bool:
        """Tell whether two recordings hold the same whole where a segment lies in both."""
        frames, bands = segment.cells
        ours, theirs = self.levels[one.recording], self.levels[other.recording]
        at, there = frames + one.frame, frames + other.frame
        inside = (at >= 0) & (at < len(ours)) & (there >= 0) & (there < len(theirs))
        if not inside.any():
            return False
        apart = ours[at[inside], bands[inside]].astype(np.int16) - theirs[there[inside], bands[inside]]
        return bool((np.abs(apart) <= SAME_STEPS).mean() >= SAME_SHARE)

    def _promising(
        self, segment: Segment, allowed: Collection[int]
    ) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Recordings with the highest counts, each with its counts frame by frame."""
        if not len(self.levels):
            return
        counts = self._counts(segment)
        best = np.maximum.reduceat(counts, self.levels.starts).astype(np.int16)
        ranked = [number for number in np.argsort(-best, kind="stable").tolist() if number in allowed]
        for number in ranked[:N_CANDIDATES]:
            start, length = int(self.levels.starts[number]), int(self.levels.lengths[number])
            if length:
                yield number, counts[start : start + max(1, length - segment.n_frames + APART_FRAMES)]

    def _counts(self, segment: Segment) -> NDArray[np.uint8]:
        """How many tops of the segment lie on tops, for each frame at which it may begin."""
        n = self._tops.shape[1]
        counts = np.zeros(n, dtype=np.uint8)
        tops = list(zip(*(part.tolist() for part in segment.tops), strict=True))
        for first in range(0, n, _CHUNK):
            here = counts[first : first + _CHUNK]
            for frame, band in tops:
                row = self._tops[band, first + frame : first + frame + len(here)]
                np.add(here[: len(row)], row, out=here[: len(row)])
        return counts

    def _agreement(self, segment: Segment, recording: int, frame: int) -> tuple[int, float, int] | None:
        """Frame, agreement and gain at the best of three neighbouring frames; None where hardly a cell lies inside."""
        levels = self.levels[recording]
        best: tuple[int, float, int] | None = None
        frames, bands = segment.cells
        for begin in (frame - 1, frame, frame + 1):
            at = frames + begin
            inside = slice(*np.searchsorted(at, (0, len(levels))))
            apart = levels[at[inside], bands[inside]] - segment.steps[inside]
            if len(apart) < LEAST_CELLS:
                continue
            agreements = _WEIGHTS @ _histogram(apart) / len(apart) - GAIN_COST * np.abs(GAINS)
            place = int(agreements.argmax())
            if best is None or agreements[place] > best[1]:
                best = begin, float(agreements[place]), int(GAINS[place])
        return best


def matches_by_parts(
    kept: NDArray[np.uint8], known: Parts, keys: Sequence[str], allowed: Collection[int]
) -> list[RecordingMatch]:
    """Find recordings of which the query holds a part alone.

    Parameters
    ----------
    kept : np.ndarray [shape=(n_frames, N_BANDS), dtype=uint8]
        Of the query, as `provenance.similarity.kept_levels.kept_of` makes them; of any length.
    known : Parts
    keys : sequence of str
        Of the recordings.
    allowed : collection of int
        Recordings that may answer.

    Returns
    -------
    list of RecordingMatch
        The best of each recording in falling strength, whether it convinces or not; a match lasts as long as its
        segment.
    """
    permitted = frozenset(allowed)
    best: dict[str, RecordingMatch] = {}
    for start in range(0, max(1, len(kept) - SEGMENT_FRAMES // 2), SEGMENT_FRAMES // 2):
        segment = Segment.of(kept[start : start + SEGMENT_FRAMES])
        places = known.places(segment, permitted)
        for match in _matches(start, segment, places, known, keys):
            if match.key not in best or match.strength > best[match.key].strength:
                best[match.key] = match
    return sorted(best.values(), key=lambda match: (-match.strength, match.key))


def _matches(
    start: int, segment: Segment, places: Sequence[Place], known: Parts, keys: Sequence[str]
) -> Iterator[RecordingMatch]:
    by_recording: dict[int, list[Place]] = {}
    for place in places:
        by_recording.setdefault(place.recording, []).append(place)
    by_agreement = [group[0] for group in by_recording.values()]
    by_share = sorted(by_agreement, key=lambda place: -place.share)
    least = LEAST_RIVAL if len(by_agreement) > FEW else LONE_RIVAL
    for place in by_agreement:

        def is_rival(other: Place, place: Place = place) -> bool:
            return other is not place and not known.same_sound(segment, place, other)

        best = next(filter(is_rival, by_agreement), None)
        shared = next(filter(is_rival, by_share), None)
        margin = place.agreement - max(best.agreement if best else least, least)
        strength = margin + SHARE_WEIGHT * (place.share - (shared.share if shared else place.elsewhere))
        group = by_recording[place.recording]
        yield _match(start, segment.n_frames, group, margin, max(0.0, strength), keys[place.recording])


def _match(
    start: int, n_frames: int, group: Sequence[Place], margin: float, strength: float, key: str
) -> RecordingMatch:
    best = group[0]
    again = [place for place in group if place.agreement >= REPEAT_SHARE * best.agreement]
    skipped = max(0, -best.frame)
    query_start_s, begin_s = (start + skipped) * FRAME_HOP_S, (best.frame + skipped) * FRAME_HOP_S
    length_s = (n_frames - 1 - skipped) * FRAME_HOP_S + FRAME_S
    convinces = strength >= CONVINCING_STRENGTH
    return RecordingMatch(
        key=key,
        verdict="review" if convinces else "no_match",
        score=min(1.0, strength / CONVINCING_STRENGTH) * thresholds.REVIEW_SCORE,
        query_start_s=query_start_s,
        query_end_s=query_start_s + length_s,
        reference_start_s=begin_s,
        reference_end_s=begin_s + length_s,
        occurrences=tuple(sorted({max(0, place.frame + skipped) * FRAME_HOP_S for place in again})),
        tempo_ratio=1.0,
        pitch_shift_semitones=0.0,
        column=PARTS,
        ber=1.0 - best.share,
        margin=margin,
        contrast=best.share - best.elsewhere,
        strength=strength,
    )


def _heights(kept: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How far each cell stands out of its own two seconds, beside its neighbours, in dB."""
    from scipy import ndimage

    heights = kept * np.float32(STEP_DB)
    heights -= ndimage.uniform_filter1d(heights, MEMORY_FRAMES, axis=0, mode="nearest")
    heights -= ndimage.uniform_filter1d(heights, BREADTH_BANDS, axis=1, mode="nearest")
    return heights


def _stand_out(heights: NDArray[np.float32]) -> NDArray[np.bool_]:
    from scipy import ndimage

    highest: NDArray[np.bool_] = heights == ndimage.maximum_filter(heights, (1, TOP_BANDS))
    return highest & (heights >= LEAST_TOP_DB)


def _tops_of(kept: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Tops of a recording, 1 or 0; each also the frame before, for a query's frames fall between."""
    if not len(kept):
        return np.zeros((0, N_BANDS), dtype=np.uint8)
    tops = _stand_out(_heights(kept))
    wide = tops.copy()
    wide[:-1] |= tops[1:]
    made: NDArray[np.uint8] = wide.astype(np.uint8)
    return made


def _best_places(counts: NDArray[np.uint8]) -> Iterator[int]:
    left = counts.copy()
    for _ in range(N_PLACES):
        frame = int(left.argmax())
        if not left[frame]:
            return
        yield frame
        left[max(0, frame - APART_FRAMES) : frame + APART_FRAMES + 1] = 0


_FURTHEST = len(ODDS) - 1 + ODDS_FROM + int(np.abs(GAINS).max())
_NEAREST = ODDS_FROM - int(np.abs(GAINS).max())
_WEIGHTS = np.stack(
    [ODDS[np.clip(np.arange(_NEAREST, _FURTHEST + 1) - gain - ODDS_FROM, 0, len(ODDS) - 1)] for gain in GAINS]
)
"""Odds of each count of steps, for each gain."""


def _histogram(apart: NDArray[np.int16]) -> NDArray[np.int64]:
    counts: NDArray[np.int64] = np.bincount(
        np.clip(apart, _NEAREST, _FURTHEST) - _NEAREST, minlength=_FURTHEST - _NEAREST + 1
    )
    return counts
