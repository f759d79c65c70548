"""Kept levels: coarse, packed, and on one line."""

import numpy as np
import pytest
from numpy.typing import NDArray

from provenance.similarity.kept_levels import (
    GAP_FRAMES,
    NOTHING,
    KeptLevels,
    KeptLevelsError,
    kept_of,
    packed,
    unpacked,
)
from provenance.similarity.levels import FLOOR_DB, N_BANDS

Kept = NDArray[np.uint8]


@pytest.fixture(scope="module")
def lead() -> Kept:
    return np.random.default_rng(1).integers(0, 41, (300, N_BANDS)).astype(np.uint8)


def of_nothing() -> Kept:
    return np.zeros((0, N_BANDS), np.uint8)


class TestKeptOf:
    def test_takes_every_second_frame_in_steps_of_three_decibels_above_the_floor(self) -> None:
        levels = np.full((5, N_BANDS), FLOOR_DB, np.float16)
        levels[2] = -30.0
        levels[3] = 0.0
        assert kept_of(levels)[:, 0].tolist() == [0, 20, 0]


class TestPacked:
    def test_comes_back_as_it_was(self, lead: Kept) -> None:
        assert np.array_equal(unpacked(packed(lead)), lead)

    def test_comes_back_where_nothing_was_kept(self) -> None:
        assert unpacked(packed(of_nothing())).shape == (0, N_BANDS)

    @pytest.mark.parametrize("damage", ["cut", "empty", "other", "changed", "longer"])
    def test_is_refused_where_it_is_damaged(self, lead: Kept, damage: str) -> None:
        stored = packed(lead)
        damaged = {
            "cut": stored[:-20],
            "empty": b"",
            "other": b"RIFF" + stored[4:],
            "changed": stored[:40] + bytes([stored[40] ^ 0xFF]) + stored[41:],
            "longer": stored[:6] + (len(lead) + 1).to_bytes(4, "little") + stored[10:],
        }[damage]
        with pytest.raises(KeptLevelsError):
            unpacked(damaged)


class TestKeptLevels:
    def test_gives_each_recording_back(self, lead: Kept) -> None:
        held = KeptLevels([lead, of_nothing(), lead[:7]])
        assert [len(held[number]) for number in range(len(held))] == [300, 0, 7]
        assert np.array_equal(held[2], lead[:7])

    def test_keeps_recordings_apart_by_what_is_no_level(self, lead: Kept) -> None:
        held = KeptLevels([lead, lead])
        between = held.line[300 : held.starts[1]]
        assert len(between) == GAP_FRAMES
        assert (between == NOTHING).all()

    def test_tells_whose_a_place_is(self, lead: Kept) -> None:
        held = KeptLevels([lead, of_nothing(), lead])
        places = np.array([0, 299, held.starts[2], held.starts[2] + 299])
        assert held.owners(places).tolist() == [0, 0, 2, 2]
