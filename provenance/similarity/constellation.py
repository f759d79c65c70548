"""Where the peaks of a query lie among the peaks of references, at whichever pitch and tempo.

Two steps. *Voting*: each peak of the query votes, for every peak of a reference in the same band (moved by the pitch
that is tried), for the moment of the reference at which the query would have begun. *Weighing*: at the moments with most
votes the reference's peaks are laid over the query's, moved and stretched by small steps. What counts is the share of
them that meets a peak of the query, in standard deviations above the share that the same query meets elsewhere in the
same reference: music in which the same happens all the time meets itself everywhere.

Source: votes of time differences: Wang 2003, "An Industrial-Strength Audio Search Algorithm", ISMIR; as a generalised
Hough transform: Ballard 1981, doi:10.1016/0031-3203(81)90009-1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from provenance.similarity.levels import N_BANDS
from provenance.similarity.peaks import Peaks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

BIN_FRAMES = 8
FINE_BIN_FRAMES = 3
"""Frames (0.25 s, and 0.09 s at the query's own tempo) of a reference that are one moment for voting."""

GAP_FRAMES = 1_024
"""Frames between two references on the line on which votes fall: more than a segment lasts."""

VOTED_TEMPI = (0.94, 1.0, 1.06)
"""Tempo ratios under which the strong peaks vote; between them votes smear over neighbouring moments."""

LEAST_EXPECTED = 1.0
"""Votes that are expected at any moment, at the least: one more than none is no surprise."""

N_VOTED = 24
"""Moments of each vote that are looked at."""

VOTES_AT_ONCE = 1 << 20
"""Votes that are counted together: what stays in a processor's cache."""

N_WEIGHED = 48
"""Moments of a segment that are weighed, those with most votes above chance."""

TEMPI = tuple(round(0.90 + 0.02 * n, 2) for n in range(11))
"""Tempo ratios that are weighed."""

REACH_FRAMES = 28
"""Frames (0.87 s) to either side of a voted moment that are weighed."""

N_ELSEWHERE = 96
"""Other moments of the same reference at which the query is laid for comparison."""


@dataclass(frozen=True, slots=True)
class Least:
    """What is too little to be weighed.

    Attributes
    ----------
    peaks : int
        Peaks of the reference on the query below which nothing is.
    stretch_peaks, stretch_frames : int
        Peaks, and frames, below which a stretch says nothing by itself.
    """

    peaks: int
    stretch_peaks: int
    stretch_frames: int


LEAST = Least(12, 24, 48)
"""For a segment of several seconds: a chord struck in both has a dozen peaks."""

LEAST_BRIEF = Least(10, 10, 14)
"""Where a piece of less than a second and a half is looked for."""

LEAST_SPREAD = 0.035
"""Standard deviation of the share that meets by chance, at the least: what 96 moments of dull music leave open."""

STEP = 0.15
"""Share above chance at which a peak neither adds to a stretch nor takes from it."""


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A place where the query may come from.

    Attributes
    ----------
    reference : int
    frame : float
        Frame of the reference at which the query would begin; may be negative.
    pitch_bands : int
        Bands by which the query stands above the reference.
    tempo : float
        Frames of the reference that pass in a frame of the query.
    surprise : float
        Votes above what is expected there, in square roots of the expected.
    """

    reference: int
    frame: float
    pitch_bands: int
    tempo: float
    surprise: float


@dataclass(frozen=True, slots=True)
class Meeting:
    """A hypothesis after weighing: the stretch over which reference and query meet most surprisingly.

    Attributes
    ----------
    reference, frame, pitch_bands, tempo
        As in `Hypothesis`, moved to the best place nearby.
    query_start, query_end : float
        The stretch, in frames of the query.
    share : float
        Of the reference's peaks in the stretch, how many meet a peak of the query, in [0, 1].
    elsewhere : float
        The same at other moments of the reference.
    n_peaks : int
        Peaks of the reference in the stretch.
    z : float
        Standard deviations by which ``share`` exceeds ``elsewhere``.
    """

    reference: int
    frame: float
    pitch_bands: int
    tempo: float
    query_start: float
    query_end: float
    share: float
    elsewhere: float
    n_peaks: int
    z: float


class Constellations:
    """Peaks of references, ready for votes.

    Parameters
    ----------
    references : sequence of Peaks
    lengths : sequence of int
        Frames of each.
    """

    def __init__(self, references: Sequence[Peaks], lengths: Sequence[int]) -> None:
        self.references = references
        self.lengths = np.asarray(lengths, dtype=np.int64)
        self._starts = np.concatenate([[0], np.cumsum(self.lengths + GAP_FRAMES)])
        self._all = _by_band(references, self._starts, strong_only=False)
        self._strong = _by_band(references, self._starts, strong_only=True)

    def search(
        self, query: Peaks, n_frames: int, *, pitches: Sequence[int], allowed: set[int] | None = None
    ) -> list[Meeting]:
        """Find where a segment of a query comes from.

        Parameters
        ----------
        query : Peaks
            Of a segment that lasts ``n_frames`` <= ``GAP_FRAMES``.
        pitches : sequence of int
            Bands by which the query may stand above a reference; without any it is searched at its own pitch
            and tempo alone.
        allowed : set of int, optional
            References that may answer.

        Returns
        -------
        list of Meeting
            In falling z; of neighbouring moments the best.
        """
        found = self._vote(query, self._all, 0, 1.0, FINE_BIN_FRAMES)
        strong = query.only(query.strong)
        for pitch in pitches:
            for tempo in VOTED_TEMPI:
                found += self._vote(strong, self._strong, pitch, tempo, BIN_FRAMES)
        if allowed is not None:
            found = [one for one in found if one.reference in allowed]
        tempi = TEMPI if pitches else (1.0,)
        laid = Ground(query, n_frames)
        met = self.weigh(laid, _distinct(found), tempi)
        best: dict[tuple[int, int, int], Meeting] = {}
        for one in met:
            if one is not None:
                place = one.reference, one.pitch_bands, round(one.frame / REACH_FRAMES)
                if place not in best or one.z > best[place].z:
                    best[place] = one
        return sorted(best.values(), key=lambda one: (-one.z, one.reference, one.frame))

    def _vote(
        self,
        query: Peaks,
        lists: tuple[NDArray[np.int32], NDArray[np.int64]],
        pitch: int,
        tempo: float,
        bin_frames: int,
    ) -> list[Hypothesis]:
        frames, begins = lists
        bands = query.bands.astype(np.int64) - pitch
        inside = (bands >= 0) & (bands < N_BANDS)
        lags = np.rint(query.frames[inside] * tempo).astype(np.int32)
        lows, highs = begins[bands[inside]], begins[bands[inside] + 1]
        edges = self._starts // bin_frames
        if not len(lags) or len(edges) < 2:
            return []
        # a query that begins before a reference does falls into the gap before it
        counts = _votes(frames, lows, highs, lags - GAP_FRAMES // 2, int(edges[-1]) + 1, bin_frames)
        best, surprise = _most_surprising(counts[:-1] + counts[1:], edges)
        owners = np.searchsorted(edges, best, side="right") - 1
        frames_there = (best + 1) * bin_frames - GAP_FRAMES // 2 - self._starts[owners]
        return [
            Hypothesis(owner, float(frame), pitch, tempo, above)
            for owner, frame, above in zip(
                owners.tolist(), frames_there.tolist(), surprise.tolist(), strict=True
            )
        ]

    def weigh(
        self, laid: Ground, places: Sequence[Hypothesis], tempi: Sequence[float], least: Least = LEAST
    ) -> list[Meeting | None]:
        """Lay the peaks of references over the query, around places.

        Parameters
        ----------
        laid : Ground
            The query.
        places : sequence of Hypothesis
        tempi : sequence of float
            Tempo ratios that are tried, in rising order; with more than one, finer steps around the best too.
        least : Least

        Returns
        -------
        list of (Meeting or None)
            Of each place the best within ``REACH_FRAMES``; None if too few peaks fall on the query.
        """
        around = [self._around(laid, one, tempi[-1]) for one in places]
        strong = [near.only(near.strong) for near in around]
        weighed = [number for number, peaks in enumerate(strong) if len(peaks) >= least.peaks // 2]
        met: list[Meeting | None] = [None] * len(places)
        if not weighed:
            return met
        pitches = [places[number].pitch_bands for number in weighed]
        voted = np.array([places[number].frame for number in weighed])
        steps = np.arange(-REACH_FRAMES, REACH_FRAMES + 1, 2, dtype=np.float64)
        coarse = np.repeat(np.array(tempi)[:, None], len(weighed), axis=1)
        frames, ratios = _best_laid(
            laid, [strong[number] for number in weighed], pitches, voted, steps, coarse
        )
        finer = np.stack([ratios - 0.01, ratios, ratios + 0.01]) if len(tempi) > 1 else ratios[None, :]
        steps = np.arange(-5, 6, dtype=np.float64)
        frames, ratios = _best_laid(
            laid, [around[number] for number in weighed], pitches, frames, steps, finer
        )
        for number, frame, tempo in zip(weighed, frames.tolist(), ratios.tolist(), strict=True):
            met[number] = self._meeting(laid, places[number], frame, tempo, least)
        return met

    def _around(self, laid: Ground, one: Hypothesis, most_tempo: float) -> Peaks:
        last = one.frame + (most_tempo + 0.01) * laid.n_frames
        return self.references[one.reference].between(one.frame - 2 * REACH_FRAMES, last + 2 * REACH_FRAMES)

    def _meeting(
        self, laid: Ground, one: Hypothesis, frame: float, tempo: float, least: Least
    ) -> Meeting | None:
        peaks, length = self.references[one.reference], float(self.lengths[one.reference])
        here = peaks.between(frame, frame + laid.n_frames * tempo)
        met, rows = laid.met(here, frame, one.pitch_bands, tempo)
        if len(met) < least.peaks:
            return None
        elsewhere, spread, n_usual = self._chance(laid, one, frame, tempo, peaks, length, least)
        gains = np.concatenate([[0.0], np.cumsum(met - (elsewhere + STEP))])
        lowest = np.minimum.accumulate(gains)
        end = int((gains - lowest).argmax())
        start = int(gains[: end + 1].argmin()) if end else 0
        candidates = [(0, len(met))]
        if end - start >= least.stretch_peaks and rows[end - 1] - rows[start] >= least.stretch_frames:
            candidates.append((start, end))
        best: Meeting | None = None
        for first, last in candidates:
            n_peaks = last - first
            share = float(met[first:last].mean())
            z = (share - elsewhere) / (spread * np.sqrt(max(1.0, n_usual / n_peaks)))
            if best is None or z > best.z:
                best = Meeting(
                    one.reference,
                    frame,
                    one.pitch_bands,
                    tempo,
                    float(rows[first]),
                    float(rows[last - 1]) + 1.0,
                    share,
                    elsewhere,
                    n_peaks,
                    float(z),
                )
        return best

    def _chance(
        self,
        laid: Ground,
        one: Hypothesis,
        frame: float,
        tempo: float,
        peaks: Peaks,
        length: float,
        least: Least,
    ) -> tuple[float, float, float]:
        """Share that meets elsewhere in the reference: mean and standard deviation, and of how many peaks."""
        room = length - laid.n_frames * tempo
        places = np.linspace(0.0, max(0.0, room), N_ELSEWHERE + 2)[1:-1]
        places = places[np.abs(places - frame) > 2 * REACH_FRAMES]
        if room > 2 * REACH_FRAMES:
            met, counts = laid.met_at(peaks, places, one.pitch_bands, tempo)
            enough = counts >= least.peaks
            if enough.sum() >= N_ELSEWHERE // 8:
                shares = met[enough] / counts[enough]
                return (
                    float(shares.mean()),
                    max(LEAST_SPREAD, float(shares.std())),
                    float(counts[enough].mean()),
                )
        return laid.covered, 2.0 * LEAST_SPREAD, float(laid.n_peaks)


class Ground:
    """The query as a picture on which peaks of references are laid.

    Parameters
    ----------
    query : Peaks
    n_frames : int
    """

    def __init__(self, query: Peaks, n_frames: int) -> None:
        self.n_frames = n_frames
        self.n_peaks = len(query)
        picture = np.zeros((n_frames + 2, N_BANDS + 1), dtype=np.uint8)
        for shift in (-1, 0, 1):
            picture[np.clip(query.frames + 1 + shift, 0, n_frames + 1), query.bands] = 1
        picture[0] = picture[-1] = 0
        self._picture = picture.ravel()

    @property
    def covered(self) -> float:
        """Share of the picture on which a peak would meet one of the query."""
        return float(self._picture.reshape(-1, N_BANDS + 1)[1:-1, :N_BANDS].mean())

    def hits(
        self,
        frames: NDArray[np.int32],
        columns: NDArray[np.int64],
        begins: NDArray[np.float64],
        tempi: NDArray[np.float64],
    ) -> NDArray[np.uint8]:
        """Whether each peak meets one of the query [shape=(n_begins, n_peaks)].

        Parameters
        ----------
        frames, columns : np.ndarray [shape=(n_peaks,)]
            Of the reference's peaks, the latter as `_columns` gives them.
        begins : np.ndarray [shape=(n_begins, n_peaks)]
            Frames of the reference at which the query may begin.
        tempi : np.ndarray [shape=(n_peaks,)]
        """
        at = frames - begins
        at /= tempi
        np.rint(at, out=at)
        rows = at.astype(np.int32)
        rows += 1
        np.maximum(rows, 0, out=rows)
        np.minimum(rows, self.n_frames + 1, out=rows)
        rows *= N_BANDS + 1
        rows += columns.astype(np.int32)
        return self._picture[rows]

    def met_at(
        self, peaks: Peaks, begins: NDArray[np.float64], pitch: int, tempo: float
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """How many peaks meet one of the query when it begins at each of ``begins``, and how many fall on it."""
        lows = np.searchsorted(peaks.frames, begins)
        counts = np.searchsorted(peaks.frames, begins + (self.n_frames - 1) * tempo) - lows
        ends = np.cumsum(counts)
        if not len(ends) or not ends[-1]:
            return counts, counts
        which = np.arange(ends[-1])
        which += np.repeat(lows - (ends - counts), counts)
        at = (peaks.frames[which] - np.repeat(begins, counts)) / tempo
        np.rint(at, out=at)
        places = at.astype(np.int64)
        places += 1
        places *= N_BANDS + 1
        places += _columns(peaks, pitch)[which]
        met = np.zeros(len(places) + 1, dtype=np.int64)
        np.cumsum(self._picture[places], dtype=np.int64, out=met[1:])
        return met[ends] - met[ends - counts], counts

    def met(
        self, peaks: Peaks, begin: float, pitch: int, tempo: float
    ) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
        """For each peak that falls on the query whether it meets one there, and the frame on which it falls."""
        at = (peaks.frames - begin) / tempo
        rows = np.rint(at).astype(np.int64)
        columns = peaks.bands.astype(np.int64) + pitch
        inside = (rows >= 0) & (rows < self.n_frames) & (columns >= 0) & (columns < N_BANDS)
        return self._picture[(rows[inside] + 1) * (N_BANDS + 1) + columns[inside]], at[inside]


def _best_laid(
    laid: Ground,
    peaks: Sequence[Peaks],
    pitches: Sequence[int],
    begins: NDArray[np.float64],
    steps: NDArray[np.float64],
    tempi: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Beginning and tempo at which most of each group of peaks meet: of equals the later, then the quicker.

    Parameters
    ----------
    peaks, pitches, begins
        Of each group.
    steps : np.ndarray [shape=(n_steps,)]
        Frames by which the beginnings are moved.
    tempi : np.ndarray [shape=(n_tempi, n_groups)]
        In rising order.
    """
    counts = np.array([len(one) for one in peaks])
    frames = np.concatenate([one.frames for one in peaks])
    columns = np.concatenate([_columns(one, pitch) for one, pitch in zip(peaks, pitches, strict=True)])
    shifts = begins + steps[:, None]
    shifts_each = np.repeat(shifts, counts, axis=1)
    firsts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    groups = np.arange(len(peaks))
    most, best, ratios = np.full(len(peaks), -1), np.zeros(len(peaks)), np.zeros(len(peaks))
    for tempo in tempi:
        met = laid.hits(frames, columns, shifts_each, np.repeat(tempo, counts))
        hits = np.add.reduceat(met, firsts, axis=1, dtype=np.int64)
        tops = hits.argmax(axis=0)
        hits, moved = hits[tops, groups], shifts[tops, groups]
        better = (hits > most) | ((hits == most) & (moved >= best))
        most, best, ratios = (
            np.where(better, new, old) for new, old in ((hits, most), (moved, best), (tempo, ratios))
        )
    return best, ratios


def _columns(peaks: Peaks, pitch: int) -> NDArray[np.int64]:
    """Bands of the query on which the peaks fall; outside, the empty one."""
    columns = peaks.bands.astype(np.int64) + pitch
    return np.where((columns >= 0) & (columns < N_BANDS), columns, N_BANDS)


def _by_band(
    references: Sequence[Peaks], starts: NDArray[np.int64], *, strong_only: bool
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Frames of all peaks on one line, band by band, and where each band begins."""
    chosen = [peaks.only(peaks.strong) if strong_only else peaks for peaks in references]
    frames = [peaks.frames + start for peaks, start in zip(chosen, starts, strict=False)]
    at = np.concatenate(frames) if frames else np.zeros(0, np.int64)
    bands = np.concatenate([peaks.bands for peaks in chosen]) if chosen else np.zeros(0, np.uint8)
    order = np.argsort(bands, kind="stable")
    return at[order].astype(np.int32), np.searchsorted(bands[order], np.arange(N_BANDS + 1))


def _votes(
    frames: NDArray[np.int32],
    lows: NDArray[np.int64],
    highs: NDArray[np.int64],
    lags: NDArray[np.int32],
    n_bins: int,
    bin_frames: int,
) -> NDArray[np.uint16]:
    """How many votes fall into each bin, where each peak votes for ``frames[low:high] - lag``.

    Which peak votes for which bin is a sparse matrix; its rows are summed up, some peaks at a time.
    """
    from scipy import sparse

    ends = np.cumsum(highs - lows)
    counts = np.zeros(n_bins, dtype=np.uint16)
    first = done = 0
    while first < len(lags):
        last = max(first + 1, int(np.searchsorted(ends, done + VOTES_AT_ONCE, side="right")))
        bins = np.empty(int(ends[last - 1]) - done, dtype=np.int32)
        begins = np.concatenate([[0], ends[first:last] - done]).astype(np.int32)
        for one, begin in enumerate(begins[:-1].tolist(), start=first):
            voted = frames[lows[one] : highs[one]]
            np.subtract(voted, lags[one], out=bins[begin : begin + len(voted)])
        np.floor_divide(bins, np.int32(bin_frames), out=bins)
        if lags[first:last].max() > 0:
            np.maximum(bins, 0, out=bins)
        votes = np.ones(len(bins), dtype=np.uint16)
        which = sparse.csc_array((votes, bins, begins), shape=(n_bins, last - first))
        counts += which @ np.ones(last - first, dtype=np.uint16)
        first, done = last, int(ends[last - 1])
    return counts


def _most_surprising(
    votes: NDArray[np.uint16], edges: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Bins with most votes above what their reference's have on average, up to ``N_VOTED``, and by how much.

    Of as many references as are kept the best bin of each bounds the others: most bins need not be looked at.
    """
    lengths = np.diff(edges)
    usual = np.add.reduceat(votes, edges[:-1], dtype=np.int64) / np.maximum(1, lengths)
    expected = np.maximum(usual, LEAST_EXPECTED).astype(np.float32)
    spread = np.sqrt(expected)
    tops = (np.maximum.reduceat(votes, edges[:-1]).astype(np.float32) - expected) / spread
    least = np.partition(tops, -N_VOTED)[-N_VOTED] if len(tops) >= N_VOTED else -np.inf
    enough = np.clip(np.floor(expected + least * spread) - 1.0, 0.0, np.iinfo(np.uint16).max)
    near = np.flatnonzero(votes >= np.repeat(enough.astype(np.uint16), lengths))
    owners = np.searchsorted(edges, near, side="right") - 1
    surprise = (votes[near].astype(np.float32) - expected[owners]) / spread[owners]
    best = np.argsort(-surprise, kind="stable")[:N_VOTED]
    return near[best], surprise[best].astype(np.float32)


def _distinct(found: list[Hypothesis]) -> list[Hypothesis]:
    """The most surprising of those that stand beside each other, up to ``N_WEIGHED``."""
    kept: dict[tuple[int, int, int], Hypothesis] = {}
    for one in sorted(found, key=lambda one: -one.surprise):
        kept.setdefault((one.reference, one.pitch_bands, round(one.frame / REACH_FRAMES)), one)
        if len(kept) == N_WEIGHED:
            break
    return list(kept.values())
