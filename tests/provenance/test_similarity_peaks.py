from __future__ import annotations

import numpy as np
import pytest

from provenance.similarity import peaks as peaks_module
from provenance.similarity.levels import FLOOR_DB, N_BANDS, levels_of
from provenance.similarity.peaks import BLOCK_FRAMES, PEAKS_A_BLOCK, STRONG_A_BLOCK, Peaks, peaks_of, relief
from tests import signals


@pytest.fixture(scope="module")
def levels() -> np.ndarray:
    return levels_of(signals.music(20.0, seed=5), sample_rate_hz=signals.RATE_HZ)


class TestRelief:
    def test_of_what_stays_as_it_is_is_flat(self) -> None:
        drone = np.tile(np.linspace(-60, -10, N_BANDS), (300, 1)).astype(np.float16)

        assert np.abs(relief(drone)[:, 15:-15]).max() < 0.2

    def test_rises_where_something_begins(self) -> None:
        levels = np.full((300, N_BANDS), -60.0, dtype=np.float16)
        levels[150:155, 60] = -20.0

        assert np.unravel_index(relief(levels).argmax(), levels.shape)[1] == 60
        assert relief(levels)[152, 60] > 20.0

    def test_of_nothing_is_empty(self) -> None:
        assert relief(np.zeros((0, N_BANDS), dtype=np.float16)).shape == (0, N_BANDS)


class TestPeaks:
    def test_are_as_many_as_a_block_may_have(self, levels: np.ndarray) -> None:
        found = peaks_of(levels)

        blocks = np.bincount(found.frames // BLOCK_FRAMES)
        assert 5 < np.median(blocks) <= blocks.max() <= PEAKS_A_BLOCK
        assert np.bincount(found.frames[found.strong] // BLOCK_FRAMES).max() <= STRONG_A_BLOCK

    def test_lie_in_rising_order(self, levels: np.ndarray) -> None:
        found = peaks_of(levels)

        assert (np.diff(found.frames * N_BANDS + found.bands.astype(int)) > 0).all()

    def test_are_the_same_in_one_piece_and_in_many(
        self, levels: np.ndarray, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole = peaks_of(levels)
        monkeypatch.setattr(peaks_module, "_CHUNK_BLOCKS", 5)
        pieced = peaks_of(levels)

        assert np.array_equal(whole.frames, pieced.frames)
        assert np.array_equal(whole.bands, pieced.bands)

    def test_are_none_in_silence(self) -> None:
        assert len(peaks_of(np.full((100, N_BANDS), FLOOR_DB, dtype=np.float16))) == 0

    def test_between_two_frames_are_cut_and_moved(self) -> None:
        peaks = Peaks(
            np.array([3, 7, 7, 12], np.int32), np.array([1, 2, 9, 4], np.uint8), np.ones(4, np.bool_)
        )

        cut = peaks.between(6.5, 12).moved(-7)

        assert cut.frames.tolist() == [0, 0]
        assert cut.bands.tolist() == [2, 9]
