"""Calibration: how often a stranger reaches what a match reached, in this very index.

    calibration = measure(index, Stock.load())            hold strangers against the index, keep what each reached
    calibration.chance("peaks", 2.4, seconds=10.0)        p = 0.0004, extrapolated, between 0.0001 and 0.0009
    check(sound, index, judging=Judging(calibration, target=0.001, seconds=10.0))

What is measured is the *best of the whole index*: for each stranger, and each part of the fingerprint that can find, the
highest strength over all recordings. So p is the chance that an output which holds nothing of the index reaches as much
anywhere in it, and needs no correction for the number of recordings.

- *Where data reach* p is counted: (k + 1) / (n + 1), if k >= ``LEAST_COUNTED`` of n strangers reach as much.
- *Beyond* it comes from a generalised Pareto tail over the highest ``TAIL_SHARE`` of the strangers. Its scale is this
  index's own, its shape is the part's (`provenance.similarity.thresholds.TAILS`): a shape can't be told from a few
  hundred values, and is taken to be common, as that of floods in a region is (Hosking & Wallis 1997, "Regional Frequency
  Analysis"). It is never taken to be bounded, so that no p is 0.
- *Uncertainty*: excerpts of a track are alike, so tracks are drawn anew, not excerpts. The p that is given is the mean
  over these draws: what is not known about the tail makes it larger, not smaller.
- *Comparisons*: whichever part finds may accuse, and a long output is searched in many segments. p is for the
  lot (Šidák): 1 - (1 - p)^(parts * segments).

A query is held against strangers no longer than itself: a shorter one finds more by chance. What is shorter than the
shortest of them has no p.

Sources: Pickands 1975, doi:10.1214/aos/1176343003, for the tail; Davison & Hinkley 1997, "Bootstrap Methods and their
Application", 3.8, for drawing clusters; Phipson & Smyth 2010, doi:10.2202/1544-6115.1585, for adding one.
"""

from __future__ import annotations

import math
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from provenance.similarity import cascade, thresholds
from provenance.similarity.by_levels import LEVELS, shared
from provenance.similarity.segmented import SegmentedIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from provenance.similarity.index import RecordingIndex
    from provenance.similarity.matches import RecordingMatch, Verdict
    from provenance.similarity.strangers import Stock, Stranger

METHOD = "strangers"
METHOD_VERSION = "1"

EMPIRICAL: Literal["empirical"] = "empirical"
EXTRAPOLATED: Literal["extrapolated"] = "extrapolated"

LEAST_COUNTED = 10
"""Strangers that reach as much, from which they are counted; with fewer, the tail is drawn on."""

TAIL_SHARE = 0.2
"""Share of the strangers, the highest, that the tail is read off."""

N_DRAWS = 400
"""Draws of tracks."""

SMALLEST_P = 1e-6
"""No smaller p is told: a few hundred strangers say nothing of one in a million."""

LENGTH_SLACK = 0.95
"""A query that lasts this share of a stranger counts as no shorter: files end a little early."""

LEAST_AGREEING = 2
"""Excerpts of one track, apart from each other, that must lie on one line of one recording before the track counts as
indexed itself."""

HALVING = 2.0
"""Logarithms of p beyond the blocking one by which half of what is left to a score of 1 is gone."""

N_HELD_AT_ONCE = 2
"""Strangers that are held against an index at once: comparing leaves Python's lock to others much of the time."""

AGREEING_S = 1.0
"""Seconds by which they may miss it."""


@dataclass(frozen=True, slots=True)
class Chance:
    """How often a stranger reaches as much.

    Attributes
    ----------
    p : float
        In (0, 1].
    kind : {"empirical", "extrapolated"}
    low, high : float
        What 95 of 100 draws of tracks give.
    """

    p: float
    kind: Literal["empirical", "extrapolated"]
    low: float
    high: float

    def told(self) -> Chance:
        """Return it as it may be told: nothing smaller than ``SMALLEST_P``."""
        p, low, high = (max(one, SMALLEST_P) for one in (self.p, self.low, self.high))
        return Chance(p, self.kind, low, high)


@dataclass(frozen=True)
class Tail:
    """The upper tail of the highest strengths of strangers in one part.

    Attributes
    ----------
    values : np.ndarray [shape=(n,)]
        Highest strength of each stranger.
    tracks : np.ndarray [shape=(n,), dtype=int]
        The track that each is an excerpt of.
    shape : float
        Of the generalised Pareto tail, >= 0; 0 is an exponential one.
    prior_scale : float
        Scale that the tail is taken to have where hardly any value tells of it, > 0.
    """

    values: NDArray[np.float64]
    tracks: NDArray[np.int64]
    shape: float
    prior_scale: float

    @cached_property
    def threshold(self) -> float:
        """Where the tail begins."""
        return float(np.quantile(self.values, 1.0 - TAIL_SHARE))

    @cached_property
    def _members(self) -> NDArray[np.float64]:
        """Which excerpt is of which track [shape=(n_tracks, n)], 1 or 0."""
        members: NDArray[np.float64] = np.equal(np.unique(self.tracks)[:, None], self.tracks).astype(float)
        return members

    @cached_property
    def _weights(self) -> NDArray[np.float64]:
        """How often each excerpt counts [shape=(1 + N_DRAWS, n)]: once, then as often as its track is drawn."""
        n_tracks = len(self._members)
        drawn = np.random.default_rng(0).multinomial(n_tracks, np.full(n_tracks, 1.0 / n_tracks), N_DRAWS)
        weights: NDArray[np.float64] = np.vstack([np.ones((1, n_tracks)), drawn]) @ self._members
        return weights

    @cached_property
    def _drawn(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Share that exceeds the threshold, and scale beyond it: of all tracks, then of each draw."""
        over = self.values > self.threshold
        n, n_over = self._weights.sum(axis=1), self._weights @ over
        excess = self._weights @ np.where(over, self.values - self.threshold, 0.0)
        known = thresholds.PRIOR_EXCESSES
        mean_excess = (excess + known * self.prior_scale / (1.0 - self.shape)) / (n_over + known)
        return (n_over + 1.0) / (n + 1.0), mean_excess * (1.0 - self.shape)

    @property
    def scale(self) -> float:
        """Of the tail, in the unit of the part."""
        return float(self._drawn[1][0])

    def chance(self, strength: float) -> Chance:
        """Return how often a stranger reaches ``strength``, before any other comparison is counted."""
        k, n = int((self.values >= strength).sum()), len(self.values)
        if k >= LEAST_COUNTED:
            p = (k + 1) / (n + 1)
            low, high = self._counted_interval(strength)
            return Chance(p, EMPIRICAL, min(low, p), max(high, p))
        beyond = self._beyond(strength)
        ceiling = (LEAST_COUNTED + 1) / (n + 1) if n >= LEAST_COUNTED else 1.0
        p = min(ceiling, max(float(beyond.mean()), _TINIEST))
        low, high = np.quantile(beyond, (0.025, 0.975))
        return Chance(p, EXTRAPOLATED, min(float(low), p), max(float(high), p))

    def _beyond(self, strength: float) -> NDArray[np.float64]:
        """The tail's share above ``strength`` in each draw."""
        shares, scales = (all_and_drawn[1:] for all_and_drawn in self._drawn)
        over = max(0.0, strength - self.threshold) / scales
        kept = np.exp(-over) if self.shape == 0.0 else (1.0 + self.shape * over) ** (-1.0 / self.shape)
        found: NDArray[np.float64] = shares * kept
        return found

    def _counted_interval(self, strength: float) -> tuple[float, float]:
        shares = (self._weights[1:] @ (self.values >= strength)) / self._weights[1:].sum(axis=1)
        low, high = np.quantile(shares, (0.025, 0.975))
        return float(low), float(high)


@dataclass(frozen=True)
class Stratum:
    """Strangers of one length.

    Attributes
    ----------
    seconds : float
    tracks : tuple of int
        For each stranger the track that it is an excerpt of.
    best : mapping of str to tuple of float or None
        For each part the highest strength that each stranger reached; None where it was not looked for.
    inside : mapping of str to tuple of float
        For some parts what recordings of the index reach in each other (`provenance.similarity.by_levels.shared`).
    """

    seconds: float
    tracks: tuple[int, ...]
    best: Mapping[str, tuple[float | None, ...]]
    inside: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def reached(self, part: str) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return what was reached in a part, and the track of each; a recording of the index is a track of its own."""
        heard = [
            (value, track)
            for value, track in zip(self.best[part], self.tracks, strict=True)
            if value is not None
        ]
        first = max(self.tracks, default=0) + 1
        heard += [(value, first + number) for number, value in enumerate(self.inside.get(part, ()))]
        return np.array([value for value, _ in heard]), np.array(
            [track for _, track in heard], dtype=np.int64
        )


@dataclass(frozen=True)
class Calibration:
    """What strangers reach in one index.

    Attributes
    ----------
    strata : tuple of Stratum
        By length, the shortest first; none where nothing could be measured.
    left_out : tuple of str
        Tracks of the stock that the index holds itself: they are no strangers here.
    stock_sha256 : str
        Of the strangers that were held against it.
    policy : str
        The thresholds that they were held against it by; one of ``thresholds.POLICIES``.
    tiers : int
        Searches that each query goes through one after another, any of which may accuse
        (`provenance.similarity.cascade`). Strangers went through the first.
    """

    strata: tuple[Stratum, ...]
    left_out: tuple[str, ...]
    stock_sha256: str
    policy: str = thresholds.POLICY_ID
    tiers: int = 1

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """The parts of the fingerprint that were searched."""
        return tuple(dict.fromkeys(part for stratum in self.strata for part in stratum.best))

    @property
    def n_tracks(self) -> int:
        """Tracks that strangers were taken of."""
        return len({track for stratum in self.strata for track in stratum.tracks})

    @property
    def n_strangers(self) -> int:
        """Excerpts that were held against the index."""
        return sum(len(stratum.tracks) for stratum in self.strata)

    def stratum_for(self, seconds: float) -> Stratum | None:
        """Return the longest strangers that are no longer than a query; None if all are."""
        fitting = [one for one in self.strata if one.seconds * LENGTH_SLACK <= seconds]
        return fitting[-1] if fitting else None

    def tail(self, stratum: Stratum, part: str) -> Tail:
        """Return the tail of a part."""
        if (stratum.seconds, part) not in self._tails:
            tails = {**thresholds.TAILS, **thresholds.COMPOSITION_TAILS}
            shape, scale = tails.get(part, thresholds.UNKNOWN_TAIL)
            self._tails[stratum.seconds, part] = Tail(*stratum.reached(part), shape, scale)
        return self._tails[stratum.seconds, part]

    @cached_property
    def _tails(self) -> dict[tuple[float, str], Tail]:
        return {}

    def chance(self, part: str, strength: float, *, seconds: float) -> Chance | None:
        """Return how often a stranger reaches as much anywhere in the index, by any part.

        Parameters
        ----------
        part : str
            The part that found; one that was not measured has no chance.
        strength : float
        seconds : float
            Duration of the query.

        Returns
        -------
        Chance or None
            None if the query is shorter than any stranger.
        """
        stratum = self.stratum_for(seconds)
        if stratum is None or part not in stratum.best:
            return None
        single = self.tail(stratum, part).chance(strength)
        n_comparisons = self.tiers * len(stratum.best) * n_segments(seconds, stratum.seconds)
        p, low, high = (_any_of(n_comparisons, one) for one in (single.p, single.low, single.high))
        return Chance(p, single.kind, low, high)

    def needed(self, part: str, p: float, *, seconds: float) -> float | None:
        """Return the least strength whose p is at most ``p``; None where `chance` gives none."""
        low, high = 0.0, 1.0
        if self.chance(part, high, seconds=seconds) is None:
            return None
        while self._p(part, high, seconds) > p and high < _HIGHEST:
            low, high = high, 2.0 * high
        for _ in range(_HALVINGS):
            middle = (low + high) / 2.0
            low, high = (low, middle) if self._p(part, middle, seconds) <= p else (middle, high)
        return high

    def _p(self, part: str, strength: float, seconds: float) -> float:
        chance = self.chance(part, strength, seconds=seconds)
        return 1.0 if chance is None else chance.p

    def as_json(self) -> dict[str, Any]:
        """Return what `from_json` reads."""
        return {
            "method": METHOD,
            "method_version": METHOD_VERSION,
            "policy": self.policy,
            "stock_sha256": self.stock_sha256,
            "tiers": self.tiers,
            "left_out": list(self.left_out),
            "strata": [
                {
                    "seconds": one.seconds,
                    "tracks": list(one.tracks),
                    "best": {part: _rounded(values) for part, values in one.best.items()},
                    "inside": {part: _rounded(values) for part, values in one.inside.items()},
                }
                for one in self.strata
            ],
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Calibration:
        """Read what `as_json` wrote.

        Raises
        ------
        ValueError
            If another version of this method wrote it, or the search had other thresholds.
        """
        made_by = stored["method"], stored["method_version"], stored["policy"]
        if made_by[:2] != (METHOD, METHOD_VERSION) or stored["policy"] not in thresholds.POLICIES:
            raise ValueError(f"the calibration was made by {' '.join(made_by)}: build the index anew")
        strata = tuple(
            Stratum(
                float(one["seconds"]),
                tuple(one["tracks"]),
                {part: tuple(values) for part, values in one["best"].items()},
                {part: tuple(values) for part, values in one.get("inside", {}).items()},
            )
            for one in stored["strata"]
        )
        return cls(
            strata,
            tuple(stored["left_out"]),
            stored["stock_sha256"],
            stored["policy"],
            stored.get("tiers", 1),
        )


_TINIEST = float(np.finfo(np.float64).tiny)
_HIGHEST = 1e6
_HALVINGS = 40


@dataclass(frozen=True, slots=True)
class Judging:
    """Turns strengths into p-values, scores and verdicts.

    Attributes
    ----------
    calibration : Calibration
        Of the index that is searched.
    target : float
        Share of strangers that may be brought before a person, in (0, 1); a tenth of it may be blocked.
    seconds : float
        Duration of the query.
    """

    calibration: Calibration
    target: float
    seconds: float

    @property
    def applies(self) -> bool:
        """Whether the query is long enough to be judged by it."""
        return self.calibration.stratum_for(self.seconds) is not None

    def judged(self, match: RecordingMatch) -> RecordingMatch:
        """Return the match with its p-value, and the score and verdict that follow; as it is where none is known."""
        chance = self.calibration.chance(match.part, match.strength, seconds=self.seconds)
        if chance is None:
            return match
        return replace(
            match,
            p_value=chance.told().p,
            p_kind=chance.kind,
            score=score_of(chance.p, self.target),
            verdict=verdict_of(chance.p, self.target),
        )


def verdict_of(p: float, target: float) -> Verdict:
    """Return ``review`` from the target on, ``blocked`` from ``thresholds.BLOCKED_SHARE`` of it."""
    if p <= target * thresholds.BLOCKED_SHARE:
        return "blocked"
    return "review" if p <= target else "no_match"


def score_of(p: float, target: float) -> float:
    """Put a p-value on the scale of scores: in [0, 1], ``REVIEW_SCORE`` at the target, ``BLOCKED_SCORE`` where it blocks.

    Strictly falling in p, however small, so that whoever orders by score orders by p.
    """
    blocked = target * thresholds.BLOCKED_SHARE
    review_score, blocked_score = thresholds.REVIEW_SCORE, thresholds.BLOCKED_SCORE
    if p > target:
        return review_score * abs(math.log(p)) / abs(math.log(target))
    if p > blocked:
        return review_score + (blocked_score - review_score) * math.log(target / p) / math.log(
            target / blocked
        )
    return 1.0 - (1.0 - blocked_score) / (1.0 + math.log(blocked / p) / HALVING)


def n_segments(seconds: float, stratum_s: float) -> int:
    """How many stretches of a stranger's length a query is searched in, each half over the last."""
    return max(1, math.ceil(2.0 * seconds * LENGTH_SLACK / stratum_s) - 1)


class Placed(Protocol):
    """A match as far as it says where a stranger lies."""

    @property
    def key(self) -> str: ...
    @property
    def query_start_s(self) -> float: ...
    @property
    def occurrences(self) -> tuple[float, ...]: ...
    @property
    def tempo_ratio(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Reached:
    """What one stranger came to: its highest strength by part, and the matches that lie beyond doubt."""

    best: Mapping[str, float]
    beyond_doubt: Sequence[Placed]


def measure(
    index: RecordingIndex | SegmentedIndex,
    stock: Stock,
    *,
    progress: Callable[[int, int], object] | None = None,
) -> Calibration:
    """Hold every stranger of a stock against an index of recordings.

    A big index is searched in two tiers. Strangers go through the plain one, for the full one asks for levels, which no
    stock keeps; it is counted as a comparison more (`python -m benchmarks.tiers` says whether that is enough).
    """

    if not isinstance(index, SegmentedIndex):
        index.put_in_order()  # once, and not in each thread

    def held(one: Stranger) -> Reached:
        found = cascade.check(one.sound, index, query_seconds=one.excerpt.seconds)
        return Reached(found.best, [match for match in found.matches if match.verdict == "blocked"])

    is_big = isinstance(
        index, SegmentedIndex
    )  # which reads the database, in the thread that is connected to it
    calibration = measured_by(
        held,
        stock,
        policy=thresholds.POLICY_ID,
        progress=progress,
        n_at_once=1 if is_big else N_HELD_AT_ONCE,
    )
    if isinstance(index, SegmentedIndex):
        return replace(calibration, tiers=cascade.N_TIERS)
    return _with_shared(calibration, index, stock)


def _with_shared(calibration: Calibration, index: RecordingIndex, stock: Stock) -> Calibration:
    """Add what recordings of the index have in common; as many are asked as strangers."""
    if index.moments is None:
        return calibration
    strata = tuple(
        replace(one, inside={LEVELS: tuple(shared(index.moments, one.seconds, stock.n_tracks))})
        if LEVELS in one.best
        else one
        for one in calibration.strata
    )
    return replace(calibration, strata=strata)


def measured_by(
    held: Callable[[Stranger], Reached],
    stock: Stock,
    *,
    policy: str,
    progress: Callable[[int, int], object] | None = None,
    n_at_once: int = N_HELD_AT_ONCE,
) -> Calibration:
    """Hold every stranger of a stock against an index, by what ``held`` says of each, so many at once.

    Tracks that the index holds itself are no strangers: where two excerpts of one lie on one line of one recording, far
    above every threshold, all of it is left out. One excerpt alone is never left out, however well it fits:
    that would take from the tail what the tail is measured for.
    """
    heard: list[tuple[Stranger, Reached]] = []
    pool = ThreadPoolExecutor(n_at_once)
    try:
        reached = (pool.map if n_at_once > 1 else map)(held, stock.strangers)
        for n_done, one in enumerate(zip(stock.strangers, reached, strict=True), start=1):
            heard.append(one)
            if progress is not None:
                progress(n_done, len(stock.strangers))
    finally:
        pool.shutdown(cancel_futures=True)  # else whoever stops it waits for all the others
    members = _members(heard)
    names = list(dict.fromkeys(one.excerpt.track_sha256 for one in stock.strangers))
    strata = []
    for length_s in stock.lengths_s:
        of_length = [
            (names.index(one.excerpt.track_sha256), found.best)
            for one, found in heard
            if one.excerpt.seconds == length_s and one.excerpt.track_sha256 not in members and found.best
        ]
        parts = list(dict.fromkeys(part for _, best in of_length for part in best))
        if of_length:
            strata.append(
                Stratum(
                    length_s,
                    tuple(track for track, _ in of_length),
                    {part: tuple(best.get(part) for _, best in of_length) for part in parts},
                )
            )
    left_out = dict.fromkeys(
        f"{one.excerpt.package}/{one.excerpt.path}"
        for one in stock.strangers
        if one.excerpt.track_sha256 in members
    )
    return Calibration(tuple(strata), tuple(left_out), stock.sha256, policy)


def _rounded(values: Iterable[float | None]) -> list[float | None]:
    return [None if value is None else round(value, 5) for value in values]


def _members(heard: Iterable[tuple[Stranger, Reached]]) -> set[str]:
    """Tracks of which several excerpts were placed, beyond doubt, on one line of one recording."""
    witnesses: dict[tuple[str, str], list[_Witness]] = defaultdict(list)
    for one, found in heard:
        begin_s = one.excerpt.start_s
        for match in found.beyond_doubt:
            into = begin_s + match.query_start_s
            origins = tuple(at - into * match.tempo_ratio for at in match.occurrences)
            said = _Witness(begin_s, begin_s + one.excerpt.seconds, origins)
            witnesses[one.excerpt.track_sha256, match.key].append(said)
    return {track for (track, _), told in witnesses.items() if _agree(told)}


@dataclass(frozen=True, slots=True)
class _Witness:
    """An excerpt, and where in a recording its track would begin by each of its places."""

    begin_s: float
    end_s: float
    origins: tuple[float, ...]


def _agree(witnesses: Sequence[_Witness]) -> bool:
    """Whether enough of them hold one and the same place; what overlaps is one and the same chance."""
    return any(
        _apart([one for one in witnesses if any(abs(other - place) <= AGREEING_S for other in one.origins)])
        >= LEAST_AGREEING
        for witness in witnesses
        for place in witness.origins
    )


def _apart(witnesses: Sequence[_Witness]) -> int:
    """How many of them there are at the most that do not overlap."""
    n, until = 0, -math.inf
    for one in sorted(witnesses, key=lambda witness: witness.end_s):
        if one.begin_s >= until:
            n, until = n + 1, one.end_s
    return n


def _any_of(n_comparisons: int, p: float) -> float:
    """Chance that any of so many reaches it (Šidák), exact for small p too."""
    return 1.0 if p >= 1.0 else float(-math.expm1(n_comparisons * math.log1p(-p)))
