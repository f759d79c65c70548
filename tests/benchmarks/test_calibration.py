"""The check of p-values, on strangers whose strengths are known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import calibration
from benchmarks.calibration import Told
from provenance.similarity.calibration import Calibration, Stratum
from provenance.similarity.fingerprint import AudioFingerprint
from provenance.similarity.strangers import Excerpt, Stranger


def told(*ps: float, package: str = "made") -> list[Told]:
    """Two excerpts of each track, in order."""
    nothing = AudioFingerprint.of_items(np.zeros((0, 2), np.uint32))
    return [
        Told(Stranger(Excerpt(package, "a.ogg", f"{n // 2:064x}", 0.0, 10.0, 0, ""), nothing), p, "", "")
        for n, p in enumerate(ps)
    ]


class TestPromise:
    def test_counts_p_values_up_to_each_level(self) -> None:
        rows = {row["level"]: row for row in calibration._promise(told(0.5, 0.04, 0.3, 0.9))}

        assert [rows[level]["count"] for level in (0.5, 0.05, 0.01)] == [3, 1, 0]
        assert (rows[0.5]["n"], rows[0.5]["tracks"], rows[0.5]["share"]) == (4, 2, 0.75)

    def test_says_three_in_the_number_of_tracks_where_there_is_none(self) -> None:
        rows = {row["level"]: row for row in calibration._promise(told(*[0.5] * 60))}
        assert (rows[0.01]["low"], rows[0.01]["high"]) == (0.0, pytest.approx(0.1))

    def test_draws_tracks_and_not_excerpts(self) -> None:
        alike = calibration._share(told(*[0.001, 0.001, *[0.9] * 6] * 10), 0.01)
        apart = calibration._share(told(*[0.001, *[0.9] * 3] * 20), 0.01)
        assert alike[0] == apart[0] == 0.25
        assert alike[2] - alike[1] > apart[2] - apart[1]


class TestShapes:
    def test_finds_a_heavier_tail_more_cautious(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(calibration, "N_SPLITS", 6)
        reached = np.random.default_rng(1).exponential(0.2, 400)
        stratum = Stratum(10.0, tuple(n % 130 for n in range(400)), {"peaks": tuple(reached.tolist())})

        found = {
            figure.name: figure.value for figure in calibration.shapes(Calibration((stratum,), (), "0" * 64))
        }

        light, heavy = (
            found[f"calibration_peaks_shape_{shape:g}_p_at_most_0.01_10s"] for shape in calibration.SHAPES
        )
        assert 0.3 < heavy <= light < 2.0
        assert found["calibration_in_force_p_at_most_0.01_10s"] == light
