from __future__ import annotations

import numpy as np
import pytest

from provenance.similarity.constellation import Constellations
from provenance.similarity.peaks import Peaks
from tests.made_peaks import SECONDS_10, excerpt, scattered

PITCHES = range(-4, 5)


@pytest.fixture(scope="module")
def known() -> Constellations:
    lengths = [2_000 + 300 * n for n in range(6)]
    return Constellations([scattered(length, seed=n) for n, length in enumerate(lengths)], lengths)


class TestSearch:
    @pytest.mark.parametrize(
        ("pitch", "tempo"), [(0, 1.0), (3, 1.0), (-4, 1.0), (0, 1.08), (0, 0.92), (1, 1.04)]
    )
    def test_finds_the_place_the_pitch_and_the_tempo(
        self, known: Constellations, pitch: int, tempo: float
    ) -> None:
        query = excerpt(known.references[3], 700, pitch=pitch, tempo=tempo, kept=0.7)

        best = known.search(query, SECONDS_10, pitches=PITCHES)[0]

        assert (best.reference, best.pitch_bands) == (3, pitch)
        assert best.frame == pytest.approx(700, abs=4)
        assert best.tempo == pytest.approx(tempo, abs=0.011)
        assert best.z > 8
        assert best.share > 0.6 > 3 * best.elsewhere

    def test_finds_what_lies_under_other_sound(self, known: Constellations) -> None:
        query = excerpt(known.references[2], 1_100, kept=0.35, seed=4)

        best, *others = known.search(query, SECONDS_10, pitches=PITCHES)

        assert best.reference == 2
        assert best.frame == pytest.approx(1_100, abs=1)
        assert best.z > 2 * max(other.z for other in others if other.reference != 2)

    def test_finds_the_stretch_that_is_copied(self, known: Constellations) -> None:
        copied = excerpt(known.references[1], 500).between(100, 220)
        around = scattered(SECONDS_10, seed=77)
        before, after = around.between(0, 100), around.between(220, SECONDS_10)
        query = Peaks(
            *(
                np.concatenate([getattr(part, name) for part in (before, copied, after)])
                for name in ("frames", "bands", "strong")
            )
        )

        best = known.search(query, SECONDS_10, pitches=PITCHES)[0]

        assert best.reference == 1
        assert best.frame == pytest.approx(500, abs=1)
        assert best.query_start == pytest.approx(100, abs=8)
        assert best.query_end == pytest.approx(220, abs=8)

    def test_finds_nothing_that_stands_out_in_another_sound(self, known: Constellations) -> None:
        for seed in range(200, 206):
            found = known.search(scattered(SECONDS_10, seed=seed), SECONDS_10, pitches=PITCHES)

            assert all(one.z < 5 for one in found)

    def test_tells_no_place_from_another_where_the_same_goes_on(self) -> None:
        bar = scattered(8, seed=9)
        bars = [bar.moved(8 * n) for n in range(250)]
        beat = Peaks(
            *(np.concatenate([getattr(one, name) for one in bars]) for name in ("frames", "bands", "strong"))
        )
        known = Constellations([beat, scattered(2_000, seed=1)], [2_000, 2_000])

        found = known.search(beat.between(0, SECONDS_10), SECONDS_10, pitches=())

        assert all(one.z < 5 for one in found if one.reference == 0)

    def test_asks_only_those_that_may_answer(self, known: Constellations) -> None:
        query = excerpt(known.references[3], 700)

        found = known.search(query, SECONDS_10, pitches=PITCHES, allowed={0, 1})

        assert {one.reference for one in found} <= {0, 1}

    def test_of_no_peaks_or_no_references_is_empty(self, known: Constellations) -> None:
        none = scattered(0, seed=1)

        assert known.search(none, SECONDS_10, pitches=PITCHES) == []
        assert Constellations([], []).search(scattered(SECONDS_10, seed=1), SECONDS_10, pitches=PITCHES) == []
