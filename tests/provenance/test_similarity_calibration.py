"""Calibration: p-values that strangers keep, a tail that never ends, and no member among the strangers."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from provenance.similarity import calibration, thresholds
from provenance.similarity.calibration import (
    Calibration,
    Judging,
    Stratum,
    Tail,
    measure,
    n_segments,
    score_of,
    verdict_of,
)
from provenance.similarity.fingerprint import AudioFingerprint
from provenance.similarity.index import RecordingIndex
from provenance.similarity.recording import check
from provenance.similarity.strangers import Excerpt, Stock, StockError, Stranger
from tests import signals

RATE_HZ = signals.RATE_HZ


def a_tail(n: int = 390, n_tracks: int = 130, *, seed: int = 1, prior_scale: float = 1.0) -> Tail:
    """Exponential strengths of scale 1, three of each track."""
    values = np.random.default_rng(seed).exponential(1.0, n)
    return Tail(values, np.arange(n) % n_tracks, 0.0, prior_scale)


def a_calibration(*, seconds: tuple[float, ...] = (5.0, 10.0), seed: int = 2) -> Calibration:
    rng = np.random.default_rng(seed)
    strata = tuple(
        Stratum(
            length_s,
            tuple(n % 100 for n in range(200)),
            {part: tuple(rng.exponential(0.3, 200)) for part in ("items", "peaks")},
        )
        for length_s in seconds
    )
    return Calibration(strata, (), "0" * 64)


class TestTail:
    def test_counts_strangers_where_ten_or_more_reach_as_much(self) -> None:
        tail = a_tail()
        tenth = float(np.sort(tail.values)[-10])

        assert (tail.chance(tenth).p, tail.chance(tenth).kind) == (11 / 391, "empirical")
        assert tail.chance(tenth + 1e-9).kind == "extrapolated"
        assert (tail.chance(-1.0).p, tail.chance(-1.0).kind) == (1.0, "empirical")

    def test_never_rises_with_strength(self) -> None:
        tail = a_tail()
        told = [tail.chance(strength).p for strength in np.linspace(0.0, 20.0, 400)]

        assert all(later <= earlier for earlier, later in pairwise(told))
        assert min(told) > 0.0

    @pytest.mark.parametrize("seed", range(4))
    def test_comes_near_the_truth_beyond_what_was_counted(self, seed: int) -> None:
        found = a_tail(seed=seed).chance(-np.log(0.001))

        assert found.kind == "extrapolated"
        assert found.low <= 0.001 * 1.5
        assert found.high >= 0.001 / 1.5
        assert 0.0002 < found.p < 0.005

    def test_is_wider_where_all_excerpts_of_a_track_are_alike(self) -> None:
        values = np.repeat(np.random.default_rng(5).exponential(1.0, 40), 10)
        apart = Tail(values, np.arange(400), 0.0, 1.0).chance(6.0)
        alike = Tail(values, np.arange(400) // 10, 0.0, 1.0).chance(6.0)

        assert alike.high > 2 * apart.high
        assert alike.p > apart.p

    def test_takes_the_scale_that_is_usual_where_no_stranger_reaches_anything(self) -> None:
        nothing = Tail(np.zeros(200), np.arange(200), 0.0, 0.2)

        assert nothing.scale == pytest.approx(0.2)
        assert nothing.chance(0.4).p < 0.005
        assert nothing.chance(0.1).p > 0.001

    def test_tells_nothing_small_from_a_handful(self) -> None:
        assert Tail(np.ones(4), np.arange(4), 0.0, 0.1).chance(1.0).p > 0.1


class TestCalibration:
    def test_counts_every_part_and_every_segment(self) -> None:
        found = a_calibration()
        tail = found.tail(found.strata[1], "peaks")
        single = tail.chance(2.0).p

        assert found.chance("peaks", 2.0, seconds=10.0).p == pytest.approx(1 - (1 - single) ** 2)  # type: ignore[union-attr]
        assert found.chance("peaks", 2.0, seconds=30.0).p == pytest.approx(1 - (1 - single) ** 10)  # type: ignore[union-attr]

    def test_holds_a_query_against_strangers_no_longer_than_itself(self) -> None:
        found = a_calibration()

        assert found.stratum_for(4.0) is None
        assert found.chance("peaks", 9.0, seconds=4.0) is None
        assert found.stratum_for(9.0) is found.strata[0]
        assert found.stratum_for(9.98) is found.strata[1]

    def test_gives_no_chance_to_a_part_that_was_not_measured(self) -> None:
        assert a_calibration().chance("smell", 9.0, seconds=10.0) is None

    def test_never_tells_a_p_of_nothing(self) -> None:
        found = a_calibration().chance("peaks", 1e3, seconds=10.0)

        assert found is not None
        assert found.p > 0.0
        assert found.told().p == found.told().low == calibration.SMALLEST_P

    def test_says_what_a_target_needs(self) -> None:
        found = a_calibration()
        needed = found.needed("peaks", 0.001, seconds=10.0)

        assert needed is not None
        assert found.chance("peaks", needed, seconds=10.0).p <= 0.001  # type: ignore[union-attr]
        assert found.chance("peaks", 0.99 * needed, seconds=10.0).p > 0.001  # type: ignore[union-attr]
        assert found.needed("peaks", 0.001, seconds=30.0) > needed  # type: ignore[operator]
        assert found.needed("peaks", 0.001, seconds=3.0) is None

    def test_reads_what_it_wrote(self) -> None:
        found = a_calibration()
        again = Calibration.from_json(json.loads(json.dumps(found.as_json())))

        assert again.chance("items", 1.7, seconds=5.0).p == pytest.approx(  # type: ignore[union-attr]
            found.chance("items", 1.7, seconds=5.0).p,  # type: ignore[union-attr]
            rel=1e-3,
        )
        with pytest.raises(ValueError, match="build the index anew"):
            Calibration.from_json(found.as_json() | {"method_version": "0"})

    def test_keeps_its_promise_to_strangers_that_it_was_not_measured_on(self) -> None:
        """A tenth of new strangers have a p of a tenth, and one in a hundred a p of a hundredth; not more."""
        told = []
        for seed in range(40):
            found = a_calibration(seconds=(10.0,), seed=seed)
            rng = np.random.default_rng(1000 + seed)
            for reached in rng.exponential(0.3, (100, 2)):
                told.append(
                    min(
                        found.chance(part, float(strength), seconds=10.0).p  # type: ignore[union-attr]
                        for part, strength in zip(("items", "peaks"), reached, strict=True)
                    )
                )
        shares = {level: float(np.mean(np.array(told) <= level)) for level in (0.1, 0.01)}
        assert 0.07 < shares[0.1] < 0.115
        assert 0.004 < shares[0.01] < 0.015


class TestScoreOf:
    def test_falls_as_p_rises_and_meets_the_thresholds(self) -> None:
        ps = np.geomspace(1e-300, 1.0, 900)
        scores = [score_of(float(p), 0.001) for p in ps]

        assert all(later < earlier for earlier, later in pairwise(scores))
        assert score_of(0.001, 0.001) == pytest.approx(thresholds.REVIEW_SCORE)
        assert score_of(0.0001, 0.001) == pytest.approx(thresholds.BLOCKED_SCORE)
        assert (score_of(1.0, 0.001), max(scores) <= 1.0) == (0.0, True)

    def test_is_no_negative_zero_where_every_stranger_reaches_as_much(self) -> None:
        assert str(score_of(1.0, 0.001)) == "0.0"

    def test_goes_with_the_verdict(self) -> None:
        assert [verdict_of(p, 0.001) for p in (0.0011, 0.001, 0.00011, 0.0001)] == [
            "no_match",
            "review",
            "review",
            "blocked",
        ]


class TestNSegments:
    @pytest.mark.parametrize(("seconds", "n"), [(5.0, 1), (10.0, 1), (10.2, 1), (20.0, 3), (60.0, 11)])
    def test_counts_stretches_half_over_each_other(self, seconds: float, n: int) -> None:
        assert n_segments(seconds, 10.0) == n


@cache
def song(seed: int, seconds: float = 30.0) -> signals.Samples:
    return signals.music(seconds, seed=seed)


def printed(samples: signals.Samples) -> AudioFingerprint:
    return AudioFingerprint.of(samples, sample_rate_hz=RATE_HZ)


def a_stranger(seed: int, start_s: float, seconds: float = 5.0) -> Stranger:
    piece = song(seed)[round(start_s * RATE_HZ) : round((start_s + seconds) * RATE_HZ)]
    sound = printed(piece)
    return Stranger(
        Excerpt("made", f"{seed}.wav", f"{seed:064x}", start_s, seconds, len(sound.packed), sound.sha256),
        sound,
    )


@cache
def a_stock() -> Stock:
    return Stock(tuple(a_stranger(seed, start_s) for seed in range(20, 26) for start_s in (2.0, 14.5)))


@cache
def an_index(*seeds: int) -> RecordingIndex:
    return RecordingIndex.build([(f"song-{seed}", printed(song(seed))) for seed in seeds])


class TestMeasure:
    def test_keeps_what_each_stranger_reached_in_each_part(self) -> None:
        found = measure(an_index(1, 2, 3), a_stock())

        assert (found.n_tracks, found.n_strangers, found.left_out) == (6, 12, ())
        assert {"items", "peaks"} <= set(found.parts)
        assert found.stock_sha256 == a_stock().sha256
        one = check(a_stock().strangers[3].sound, an_index(1, 2, 3), query_seconds=5.0)
        assert [found.strata[0].best[part][3] for part in found.parts] == [
            one.best[part] for part in found.parts
        ]

    def test_stops_where_whoever_waits_for_it_has_had_enough(self) -> None:
        n_held = 0

        def held(one: Stranger) -> calibration.Reached:
            nonlocal n_held
            n_held += 1
            time.sleep(0.02)
            return calibration.Reached({"peaks": 1.0}, [])

        def stop(n_done: int, n_all: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            calibration.measured_by(held, Stock(a_stock().strangers * 4), policy="", progress=stop)
        assert n_held < 12

    def test_asks_the_index_itself_what_its_recordings_share(self) -> None:
        index = an_index(1, 2, 3)

        inside = measure(index, a_stock()).strata[0].inside

        assert list(inside) == ["levels"]
        assert len(inside["levels"]) == len(index.recordings)

    def test_leaves_out_a_track_that_the_index_holds(self) -> None:
        found = measure(an_index(1, 2, 22), a_stock())

        assert found.left_out == ("made/22.wav",)
        assert found.n_strangers == 10
        assert found.strata[0].reached("items")[0].max() < thresholds.REVIEW_SCORE

    def test_keeps_a_track_of_which_a_single_excerpt_is_found(self) -> None:
        stock = Stock((*a_stock().strangers, replace_track(a_stranger(2, 3.0), 99)))

        found = measure(an_index(1, 2, 3), stock)

        assert found.left_out == ()
        assert found.strata[0].reached("items")[0].max() > thresholds.BLOCKED_SCORE

    @pytest.mark.parametrize(("starts_s", "left_out"), [((3.0, 5.0), 0), ((3.0, 9.0), 1)])
    def test_takes_excerpts_that_overlap_for_one_witness(
        self, starts_s: tuple[float, float], left_out: int
    ) -> None:
        held = [replace_track(a_stranger(2, start_s), 99) for start_s in starts_s]

        assert len(measure(an_index(1, 2, 3), Stock((*a_stock().strangers, *held))).left_out) == left_out

    def test_tells_how_far_it_is(self) -> None:
        told: list[tuple[int, int]] = []
        measure(an_index(1, 2, 3), Stock(a_stock().strangers[:2]), progress=lambda *at: told.append(at))
        assert told == [(1, 2), (2, 2)]


def replace_track(one: Stranger, number: int) -> Stranger:
    return Stranger(replace(one.excerpt, track_sha256=f"{number:064x}"), one.sound)


class TestStratum:
    def test_takes_what_recordings_share_among_themselves_for_chance_too(self) -> None:
        strangers = Stratum(10.0, tuple(range(100)), {"levels": (0.2,) * 99 + (None,)})
        alone = Calibration((strangers,), (), "0" * 64)
        beside = Calibration((replace(strangers, inside={"levels": (9.0,) * 30}),), (), "0" * 64)

        values, tracks = beside.strata[0].reached("levels")
        assert (len(values), len(set(tracks.tolist()))) == (129, 129)
        chances = [one.chance("levels", 9.0, seconds=10.0) for one in (alone, beside)]
        assert chances[0] is not None
        assert chances[1] is not None
        assert chances[0].p < 0.001 < 0.2 < chances[1].p

    def test_comes_back_as_it_was(self) -> None:
        stratum = Stratum(10.0, (0, 1), {"levels": (0.25, None)}, {"levels": (1.5,)})
        told = Calibration((stratum,), (), "0" * 64)
        assert Calibration.from_json(json.loads(json.dumps(told.as_json()))) == told


class TestJudging:
    def judging(self, seconds: float = 5.0) -> Judging:
        return Judging(measure(an_index(1, 2, 3), a_stock()), 0.01, seconds)

    def test_gives_a_copy_a_small_p_and_a_stranger_a_large_one(self) -> None:
        copy = check(a_stranger(2, 7.0).sound, an_index(1, 2, 3), query_seconds=5.0, judging=self.judging())
        other = check(a_stranger(40, 7.0).sound, an_index(1, 2, 3), query_seconds=5.0, judging=self.judging())

        best = copy.matches[0]
        assert (best.key, best.p_kind, copy.verdict) == ("song-2", "extrapolated", "blocked")
        assert best.p_value is not None
        assert best.p_value <= 0.01
        assert other.verdict == "no_match"
        assert all(match.p_value is not None and match.p_value > 0.01 for match in other.matches)
        assert [match.score for match in other.matches] == sorted(
            (match.score for match in other.matches), reverse=True
        )

    def test_leaves_a_query_that_is_too_short_to_the_fixed_thresholds(self) -> None:
        judging = self.judging(4.0)
        short = check(a_stranger(2, 7.0, 4.0).sound, an_index(1, 2, 3), query_seconds=4.0, judging=judging)

        assert not judging.applies
        assert {match.p_value for match in short.matches} == {None}


class TestStock:
    def test_reads_what_it_wrote(self, tmp_path: Path) -> None:
        stock = a_stock()
        Stock.save(
            tmp_path,
            [one.excerpt for one in stock.strangers],
            [one.sound.packed for one in stock.strangers],
        )

        again = Stock.load(tmp_path)

        assert (again.sha256, again.n_tracks, again.lengths_s) == (stock.sha256, 6, (5.0,))

    def test_refuses_what_was_changed_or_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(StockError, match="can't be read"):
            Stock.load(tmp_path)
        strangers = a_stock().strangers[:2]
        excerpts, packed = [one.excerpt for one in strangers], [one.sound.packed for one in strangers]
        Stock.save(tmp_path, excerpts, [packed[0], packed[1][:-1]])
        with pytest.raises(StockError, match="is not what"):
            Stock.load(tmp_path)
        Stock.save(tmp_path, excerpts, [packed[0], packed[1][:-1] + b"\x7f"])
        with pytest.raises(StockError, match="is not the one"):
            Stock.load(tmp_path)

    def test_draws_every_track_before_any_a_second_time(self) -> None:
        drawn = a_stock().drawn(6)

        assert (len(drawn.strangers), drawn.n_tracks) == (6, 6)
        assert len(a_stock().drawn(8).strangers) == 8
        assert a_stock().drawn(8).n_tracks == 6
        assert a_stock().drawn(99) == a_stock()
