from __future__ import annotations

import numpy as np
import pytest

from benchmarks import extremes, style
from benchmarks.figures import Figure, NothingToMeasureError
from tests import signals
from tests.catalogues import RATE_HZ, samples


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Figure]:
    folder = tmp_path_factory.mktemp("music")
    for seed in range(3):
        signals.write(folder / f"{seed}.wav", samples(seed, 15.0), rate_hz=RATE_HZ)
    return {figure.name: figure for figure in extremes.measure(folder, 60.0, 20)}


class TestExtremes:
    def test_find_and_place_every_recording_of_a_mix(self, figures: dict[str, Figure]) -> None:
        named, placed = (figures[f"extremes_mix_recordings_{what}"] for what in ("named", "placed"))

        assert (named.value, named.unit) == (3.0, "of-3")
        assert placed.value == 3.0
        assert figures["extremes_mix_length"].value == pytest.approx(60.0, abs=0.1)

    def test_accept_only_loops_for_a_loop(self, figures: dict[str, Figure]) -> None:
        assert figures["extremes_loops_loop_accepted"].value > 1
        for name in ("loop", "music"):
            accepted = figures[f"extremes_loops_{name}_accepted"]
            assert accepted.baseline == f"right-{accepted.value:.0f}"

    def test_say_what_is_missing(self) -> None:
        with pytest.raises(NothingToMeasureError, match="--references"):
            list(extremes.measure(None))


class TestStyle:
    def test_ranks_the_first_of_the_same_group_and_leaves_out_who_is_alone(self) -> None:
        groups = np.array(["a", "b", "a", "c"])
        order = np.array([[1, 2, 3, 0], [0, 2, 3, 1], [0, 1, 3, 2], [0, 1, 2, 3]])

        assert style._first_ranks(order, groups).tolist() == [2, 1]

    def test_says_what_is_missing(self) -> None:
        with pytest.raises(NothingToMeasureError, match="--protocol"):
            list(style.measure(None))
