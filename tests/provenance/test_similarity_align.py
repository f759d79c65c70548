from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from provenance.similarity.align import BITS, Stretch, bit_error_rate, error_curve, join, stretches

Items = NDArray[np.uint32]
words = arrays.arrays(np.uint32, st.integers(1, 40), elements=st.integers(0, 2**32 - 1))


def random_items(n: int, *, seed: int) -> Items:
    return np.random.default_rng(seed).integers(0, 2**32, n, dtype=np.uint32)


def flip(items: Items, share: float, *, seed: int) -> Items:
    flips = np.random.default_rng(seed).random((len(items), BITS)) < share
    return items ^ np.packbits(flips, axis=1).view(">u4").ravel().astype(np.uint32)


def best_by_hand(query: Items, reference: Items, tolerated_ber: float) -> float:
    """Every piece of every diagonal, one after the other."""
    best = 0.0
    for offset in range(-len(query) + 1, len(reference)):
        gains = [
            tolerated_ber - int(query[i] ^ reference[i + offset]).bit_count() / BITS
            for i in range(len(query))
            if 0 <= i + offset < len(reference)
        ]
        for begin in range(len(gains)):
            for end in range(begin + 1, len(gains) + 1):
                best = max(best, sum(gains[begin:end]))
    return best


class TestBitErrorRate:
    @given(words)
    def test_is_zero_for_equals_and_one_for_opposites(self, items: Items) -> None:
        assert bit_error_rate(items, items) == 0.0
        assert bit_error_rate(items, ~items) == 1.0

    @given(words, st.integers(0, 2**32 - 1))
    def test_counts_flipped_bits(self, items: Items, mask: int) -> None:
        assert bit_error_rate(items, items ^ np.uint32(mask)) == mask.bit_count() / BITS

    def test_is_one_for_nothing(self) -> None:
        assert bit_error_rate(random_items(0, seed=1), random_items(0, seed=1)) == 1.0

    def test_refuses_unequal_lengths(self) -> None:
        with pytest.raises(ValueError, match="3 items with 4"):
            bit_error_rate(random_items(3, seed=1), random_items(4, seed=1))


class TestErrorCurve:
    @given(words, words)
    def test_equals_the_rate_at_each_place(self, query: Items, reference: Items) -> None:
        curve = error_curve(query, reference)

        n = len(query)
        expected = [bit_error_rate(query, reference[at : at + n]) for at in range(len(reference) - n + 1)]
        assert np.allclose(curve, expected)


class TestStretches:
    @given(words, words, st.sampled_from([0.2, 0.3, 0.4]))
    def test_find_the_best_of_all_pieces(self, query: Items, reference: Items, tolerated_ber: float) -> None:
        [found] = stretches(query, [reference], tolerated_ber=tolerated_ber, min_items=1)

        best = max((stretch.gain for stretch in found), default=0.0)
        assert best == pytest.approx(best_by_hand(query, reference, tolerated_ber), abs=1e-3)

    @given(st.integers(0, 60), st.integers(12, 40), st.integers(0, 10**6))
    def test_place_a_planted_copy(self, at: int, length: int, seed: int) -> None:
        reference = random_items(120, seed=seed)
        query = np.concatenate(
            [
                random_items(15, seed=seed + 1),
                flip(reference[at : at + length], 0.1, seed=seed),
                random_items(9, seed=seed + 2),
            ]
        )

        [found] = stretches(query, [reference], tolerated_ber=0.3, min_items=4)

        assert found[0].offset == at - 15
        assert abs(found[0].query_start - 15) <= 3
        assert abs(found[0].query_end - 15 - length) <= 3
        assert found[0].ber < 0.2

    @given(words, st.lists(words, min_size=1, max_size=4))
    def test_are_the_same_for_references_together_and_alone(
        self, query: Items, references: list[Items]
    ) -> None:
        together = stretches(query, references, tolerated_ber=0.35, min_items=1)

        alone = [stretches(query, [each], tolerated_ber=0.35, min_items=1)[0] for each in references]
        assert together == alone

    @given(words, words)
    def test_report_the_rate_of_the_piece_they_name(self, query: Items, reference: Items) -> None:
        [found] = stretches(query, [reference], tolerated_ber=0.4, min_items=1)

        for piece in found:
            expected = bit_error_rate(
                query[piece.query_start : piece.query_end],
                reference[piece.reference_start : piece.reference_end],
            )
            assert piece.ber == pytest.approx(expected, abs=1e-3)

    def test_name_every_repetition(self) -> None:
        loop = random_items(30, seed=4)
        reference = np.concatenate([loop, random_items(20, seed=5), loop, random_items(10, seed=6), loop])

        [found] = stretches(loop, [reference], tolerated_ber=0.3, min_items=8)

        assert [(piece.reference_start, piece.ber) for piece in found[:3]] == [(0, 0.0), (50, 0.0), (90, 0.0)]

    def test_reach_over_the_edge_of_a_reference(self) -> None:
        reference = random_items(50, seed=7)
        query = np.concatenate([reference[30:], random_items(30, seed=8)])

        [found] = stretches(query, [reference], tolerated_ber=0.3, min_items=8)

        assert (found[0].query_start, found[0].query_end, found[0].reference_start) == (0, 20, 30)

    def test_are_none_for_nothing(self) -> None:
        empty, some = random_items(0, seed=1), random_items(9, seed=1)

        assert stretches(empty, [some], tolerated_ber=0.3, min_items=1) == [[]]
        assert stretches(some, [empty], tolerated_ber=0.3, min_items=1) == [[]]
        assert stretches(some, [], tolerated_ber=0.3, min_items=1) == []


class TestJoin:
    def test_spans_its_pieces(self) -> None:
        reference = random_items(60, seed=9)
        query = flip(reference[10:50], 0.05, seed=9)
        pieces = [Stretch(0, 25, 10, 0.05, 5.0), Stretch(15, 40, 25, 0.05, 5.0)]

        whole = join(pieces, query, reference, tolerated_ber=0.3)

        assert (whole.query_start, whole.query_end, whole.reference_start, whole.reference_end) == (
            0,
            40,
            10,
            50,
        )
        assert whole.ber == pytest.approx(bit_error_rate(query, reference[10:50]))
