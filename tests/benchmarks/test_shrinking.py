from __future__ import annotations

import numpy as np
import pytest

from benchmarks.shrinking import (
    Vectors,
    of_bits,
    of_codes,
    of_fewer_dimensions,
    of_half_the_rate,
    of_words,
    sizes,
)
from benchmarks.tiers import Heard, told
from tests.benchmarks.test_scale import source


@pytest.fixture(scope="module")
def vectors() -> Vectors:
    drawn = np.random.default_rng(1).standard_normal((600, 64)).astype(np.float32)
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), dtype=np.float32)


def likeness(one: Vectors, other: Vectors) -> float:
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return float(np.mean((one * other).sum(axis=1) / lengths))


class TestWays:
    def test_keep_the_more_the_more_they_take(self, vectors: Vectors) -> None:
        kept = [
            likeness(vectors, shrunk(vectors))
            for shrunk in (of_bits(4), of_bits(2), of_words(vectors), of_codes)
        ]

        assert kept[0] > 0.98
        assert kept[0] > kept[1] > kept[2]
        assert kept[3] == pytest.approx(np.sqrt(2 / np.pi), abs=0.02)

    def test_keep_the_dimensions_that_vary(self, vectors: Vectors) -> None:
        flat = vectors.copy()
        flat[:, 20:] *= 0.01

        assert likeness(flat, of_fewer_dimensions(flat, 32)(flat)) > 0.99

    def test_put_every_second_vector_between_its_neighbours(self, vectors: Vectors) -> None:
        shrunk = of_half_the_rate(vectors[:6])

        assert shrunk[[0, 2, 4, 5]] == pytest.approx(vectors[[0, 2, 4, 5]])
        assert shrunk[3] == pytest.approx((vectors[2] + vectors[4]) / 2)


class TestSizes:
    def test_are_of_four_minutes(self) -> None:
        found = {figure.name: figure.value for figure in sizes([source(1)])}

        assert found["items_kept"] == pytest.approx(15.5, abs=0.1)  # 8 bytes each 0.124 s
        assert found["vectors_kept"] == pytest.approx(31.0, abs=0.1)


class TestTiers:
    def test_tell_how_many_more_the_full_one_raises(self) -> None:
        strengths = np.random.default_rng(2).exponential(size=40)
        heard = [
            Heard(number, 5.0, {"peaks": value}, {"peaks": value + (3.0 if number < 10 else 0.0)})
            for number, value in enumerate(strengths)
        ]
        first, last = told(heard)

        assert "in the plain tier: 4, in either 1" in first
        assert "raised by the full tier 25%" in first
        assert last.startswith("5 s: of 40 strangers accused ")
