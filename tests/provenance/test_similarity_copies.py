"""Copies among fingerprints: found in one pass, placed, and told from what only resembles."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from provenance.similarity import thresholds
from provenance.similarity.chromaprint import ITEM_S
from provenance.similarity.copies import Copy, NewItems

Items = NDArray[np.uint32]


def music(seed: int, n_items: int = 400) -> Items:
    """Items of music that goes on: each differs from the one before in some bits."""
    rng = np.random.default_rng(seed)
    steps = rng.integers(0, 1 << 32, size=(n_items, 2, 2), dtype=np.uint32)
    return np.asarray(np.bitwise_xor.accumulate(steps[..., 0] & steps[..., 1], axis=0), dtype=np.uint32)


def worn(items: Items, share: float, seed: int = 9) -> Items:
    """Flip ``share`` of the bits, in half of the items: an encoder does not spread its errors evenly."""
    rng = np.random.default_rng(seed)
    flips = np.packbits(rng.random((*items.shape, 32)) < 2 * share, axis=-1).view(np.uint32)[..., 0]
    flips[rng.random(len(items)) < 0.5] = 0
    return np.asarray(items ^ flips, dtype=np.uint32)


def copies(new: dict[str, Items], known: dict[str, Items]) -> dict[tuple[str, str], Copy]:
    return {
        (copy.new, copy.known): copy for copy in NewItems(new).copies_in(known.items()) if copy.is_certain
    }


class TestNewItems:
    def test_finds_a_worn_copy_and_no_stranger(self) -> None:
        known = {str(seed): music(seed) for seed in range(8)}
        found = copies({"copy": worn(known["3"], 0.08)}, known)
        assert set(found) == {("copy", "3")}

    @pytest.mark.parametrize(("first", "last"), [(120, 400), (0, 280), (150, 300)])
    def test_places_a_cut_in_both_directions(self, first: int, last: int) -> None:
        whole = music(1)
        cut = worn(whole[first:last], 0.05)

        of_the_cut = copies({"cut": cut}, {"whole": whole})["cut", "whole"]
        of_the_whole = copies({"whole": whole}, {"cut": cut})["whole", "cut"]

        assert of_the_cut.known_start_s - of_the_cut.new_start_s == pytest.approx(first * ITEM_S)
        assert of_the_whole.new_start_s - of_the_whole.known_start_s == pytest.approx(first * ITEM_S)
        assert of_the_cut.seconds == pytest.approx((last - first) * ITEM_S, abs=4.0)

    def test_passes_a_recording_itself_over(self) -> None:
        assert not copies({"a": music(1)}, {"a": music(1)})

    def test_finds_copies_among_what_is_new_alone(self) -> None:
        new = {"a": music(1), "b": worn(music(1), 0.05), "c": music(2)}
        assert set(copies(new, new)) == {("a", "b"), ("b", "a")}

    def test_is_not_taken_in_by_a_drone(self) -> None:
        drone = np.full((400, 2), 0x5A5A5A5A, dtype=np.uint32)
        assert not copies({"a": drone}, {"b": drone})

    def test_wants_more_than_a_few_seconds(self) -> None:
        shared = int(thresholds.COPY_SECONDS / ITEM_S / 2)
        quoting = np.concatenate([music(2), music(1)[:shared], music(3)])
        assert not copies({"a": quoting}, {"b": music(1)})

    @pytest.mark.parametrize("n_items", [0, 3])
    def test_answers_for_what_is_too_short(self, n_items: int) -> None:
        short = music(1)[:n_items]
        assert not copies({"a": short}, {"b": music(1)})
        assert not copies({"b": music(1)}, {"a": short})

    def test_answers_for_nothing_new(self) -> None:
        assert not copies({}, {"a": music(1)})

    def test_is_the_same_whatever_the_order(self) -> None:
        known = {str(seed): music(seed) for seed in range(6)}
        new = {"x": worn(known["2"], 0.06), "y": worn(known["4"], 0.06)}
        turned = {key: new[key] for key in reversed(new)}
        assert copies(new, known) == copies(turned, dict(reversed(known.items())))
