from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from provenance.similarity import cascade
from provenance.similarity.fingerprint import AudioFingerprint
from provenance.similarity.learned import N_DIMENSIONS
from provenance.similarity.peaks import Peaks
from provenance.similarity.segmented import N_CANDIDATES, Asked, SegmentedIndex


def heard(n_vectors: int) -> AudioFingerprint:
    nothing = Peaks(np.zeros(0, np.int32), np.zeros(0, np.uint8), np.zeros(0, np.bool_))
    vectors = np.full((n_vectors, N_DIMENSIONS), 12, np.int8)
    return AudioFingerprint(np.zeros((0, 2), np.uint32), nothing, 0, vectors)


class Written:
    """An index that writes down what it is asked, and finds the same wherever."""

    def __init__(self, n_vectors: int) -> None:
        self.facts = SimpleNamespace(n_windows=n_vectors)
        self.asked: list[dict[str, Any]] = []

    def candidates(self, asked: Sequence[Asked], **how: Any) -> list[int]:
        self.asked.append({"vectors": [len(one.vectors) for one in asked], **how})
        return list(range(how["n"]))

    def sifted(self, asked: Sequence[Asked], numbers: Sequence[int]) -> list[int]:
        return list(numbers[::-1][:N_CANDIDATES])


def plain(n_vectors: int, *, of: int = 10**6) -> tuple[Written, list[int]]:
    index = Written(of)
    return index, cascade.plain_candidates(heard(n_vectors), cast(SegmentedIndex, index))


class TestPlainCandidates:
    def test_are_those_of_many_that_are_sifted(self) -> None:
        index, found = plain(20)

        assert index.asked == [{"vectors": [20], "n": 512, "breadth": 16, "n_kept": 400}]
        assert found == list(range(511, 511 - N_CANDIDATES, -1))

    def test_of_a_long_query_cost_each_piece_about_as_much(self) -> None:
        index, found = plain(150)

        assert [one["vectors"] for one in index.asked] == [[60]] * 4
        assert {one["breadth"] for one in index.asked} == {5}
        assert {one["n"] for one in index.asked} == {128}
        assert found[:2] == [127, 126]

    @pytest.mark.parametrize(
        ("n_vectors", "votes"), [(0, 400), (8_000_000, 400), (48_000_000, 2_400), (480_000_000, 4_000)]
    )
    def test_are_voted_for_by_more_where_there_is_more(self, n_vectors: int, votes: int) -> None:
        index, _ = plain(10, of=n_vectors)

        assert index.asked[0]["n_kept"] == votes

    def test_of_nothing_heard_are_none(self) -> None:
        index, found = plain(0)

        assert (index.asked, found) == ([], [])
