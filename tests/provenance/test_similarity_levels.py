from __future__ import annotations

import numpy as np
import pytest

from provenance.similarity.frames import mixed_down
from provenance.similarity.levels import (
    BANDS_AN_OCTAVE,
    FLOOR_DB,
    FRAME_S,
    HOP_S,
    LOWEST_HZ,
    N_BANDS,
    LevelStream,
    levels_of,
)


def tone(hz: float, *, rate_hz: int = 44_100, seconds: float = 1.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(round(rate_hz * seconds)) / rate_hz)).astype(np.float32)


class TestLevels:
    def test_stand_highest_in_the_band_of_a_tone(self) -> None:
        for band in (12, 60, 119):
            hz = LOWEST_HZ * 2 ** (band / BANDS_AN_OCTAVE)
            levels = levels_of(tone(hz), sample_rate_hz=44_100)
            assert (levels.argmax(axis=1) == band).all()
            assert levels.max() == pytest.approx(-6.02, abs=2.0)

    def test_move_by_whole_bands_with_the_pitch(self) -> None:
        low, high = (levels_of(tone(hz), sample_rate_hz=44_100) for hz in (880.0, 880.0 * 2 ** (2 / 12)))
        assert high[5].argmax() - low[5].argmax() == 4

    def test_hear_the_same_at_every_sample_rate(self) -> None:
        one, other = (levels_of(tone(523.25, rate_hz=rate), sample_rate_hz=rate) for rate in (11_025, 48_000))
        assert len(one) == len(other)
        assert np.abs(one.astype(float) - other).max(where=one > -60, initial=0) < 1.0

    def test_are_the_same_however_the_samples_arrive(self) -> None:
        samples = (np.random.default_rng(3).standard_normal((30_000, 2)) * 3_000).astype("<i2")
        stream = LevelStream(22_050, 2)
        for at in range(0, len(samples), 777):
            stream.feed(samples[at : at + 777].tobytes())
        assert np.array_equal(stream.finish(), levels_of(samples, sample_rate_hz=22_050))

    def test_lie_at_the_floor_in_silence(self) -> None:
        levels = levels_of(np.zeros(8_000, dtype=np.float32), sample_rate_hz=8_000)
        assert levels.shape[1] == N_BANDS
        assert (levels == FLOOR_DB).all()

    def test_have_no_frame_for_less_sound_than_one_looks_at(self) -> None:
        n_samples = round(FRAME_S * 44_100)
        assert len(levels_of(np.zeros(n_samples - 1, dtype=np.float32), sample_rate_hz=44_100)) == 0
        hop = round(HOP_S * 44_100)
        assert len(levels_of(np.zeros(n_samples + hop, dtype=np.float32), sample_rate_hz=44_100)) == 2


class TestMixedDown:
    @pytest.mark.parametrize("n_channels", [1, 2, 3, 8])
    def test_is_the_mean_to_the_last_bit(self, n_channels: int) -> None:
        channels = np.random.default_rng(1).integers(-(1 << 15), 1 << 15, (999, n_channels)).astype(np.int16)

        assert np.array_equal(mixed_down(channels), channels.mean(axis=1, dtype=np.float32))
