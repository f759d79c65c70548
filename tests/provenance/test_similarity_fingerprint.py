from __future__ import annotations

import numpy as np
import pytest

from provenance.similarity.chromaprint import FingerprintError
from provenance.similarity.fingerprint import (
    VECTOR_STEP,
    AudioFingerprint,
    FingerprintFormatError,
    in_steps,
    trained,
)
from provenance.similarity.levels import levels_of
from tests import signals


@pytest.fixture(scope="module")
def sound() -> AudioFingerprint:
    return AudioFingerprint.of(signals.music(8.0, seed=1), sample_rate_hz=signals.RATE_HZ)


class TestAudioFingerprint:
    def test_comes_back_from_its_bytes(self, sound: AudioFingerprint) -> None:
        read = AudioFingerprint.unpack(sound.packed)

        assert len(sound.peaks) > 50
        assert np.array_equal(read.items, sound.items)
        assert np.array_equal(read.peaks.frames, sound.peaks.frames)
        assert np.array_equal(read.peaks.bands, sound.peaks.bands)
        assert np.array_equal(read.peaks.strong, sound.peaks.strong)
        assert np.array_equal(read.vectors, sound.vectors)
        assert (read.n_frames, read.sha256) == (sound.n_frames, sound.sha256)

    def test_takes_260_bytes_a_second_at_most(self, sound: AudioFingerprint) -> None:
        assert len(sound.packed) < 260 * 8 + 100

    def test_keeps_vectors_within_a_thousandth(self, sound: AudioFingerprint) -> None:
        levels = levels_of(signals.music(8.0, seed=1), sample_rate_hz=signals.RATE_HZ)
        made = trained().embed(levels).astype(np.float32)
        kept = in_steps(made) * np.float32(VECTOR_STEP)
        cosines = (kept * made).sum(axis=1) / np.linalg.norm(kept, axis=1)
        assert len(made) == 12
        assert cosines.min() > 0.999

    def test_comes_back_whole_with_its_levels_and_without(self, sound: AudioFingerprint) -> None:
        whole = AudioFingerprint.unpack_whole(sound.whole)
        assert len(whole.levels) > 100
        assert (whole.packed, whole.packed_levels) == (sound.packed, sound.packed_levels)
        assert len(AudioFingerprint.unpack_whole(sound.packed).levels) == 0
        assert AudioFingerprint.unpack_whole(sound.whole).sha256 == sound.sha256

    @pytest.mark.parametrize("cut", [3, 20, -1])
    def test_is_refused_whole_when_it_is_cut(self, sound: AudioFingerprint, cut: int) -> None:
        with pytest.raises(FingerprintError):
            assert len(AudioFingerprint.unpack_whole(sound.whole[:cut]).levels)

    @pytest.mark.parametrize("damage", [b"", b"LNCP", b"x" * 60])
    def test_is_refused_when_it_is_none(self, damage: bytes) -> None:
        with pytest.raises(FingerprintFormatError):
            AudioFingerprint.unpack(damage)

    def test_is_refused_when_it_is_cut(self, sound: AudioFingerprint) -> None:
        with pytest.raises(FingerprintFormatError, match="cut"):
            AudioFingerprint.unpack(sound.packed[:-4])

    def test_is_refused_when_it_is_of_another_version(self, sound: AudioFingerprint) -> None:
        stored = bytearray(sound.packed)
        stored[6] = 77

        with pytest.raises(FingerprintFormatError, match="version 77"):
            AudioFingerprint.unpack(bytes(stored))

    def test_is_refused_when_its_peaks_lie_outside(self, sound: AudioFingerprint) -> None:
        stored = bytearray(sound.packed)
        stored[-2 - sound.vectors.nbytes] |= 0x7F  # a band above the highest

        with pytest.raises(FingerprintFormatError, match="damaged"):
            AudioFingerprint.unpack(bytes(stored))

    def test_of_too_little_sound_is_empty(self) -> None:
        short = AudioFingerprint.of(np.zeros(800, dtype=np.float32), sample_rate_hz=8_000)

        assert (len(short), len(short.peaks)) == (0, 0)
        assert AudioFingerprint.unpack(short.packed).n_frames == 0
