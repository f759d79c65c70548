"""Sound to codes and back."""

from __future__ import annotations

import numpy as np
import pytest

from generation.architectures.spectral_codec import (
    HOP,
    LEVEL,
    N_FFT,
    SAMPLE_RATE_HZ,
    SpectralCodec,
    compressed_magnitudes,
    fit_codec,
    griffin_lim,
    k_means,
    nearest,
)


def chords(seed: int, seconds: float = 6.0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    at = np.arange(int(SAMPLE_RATE_HZ * 0.5)) / SAMPLE_RATE_HZ
    pieces = []
    for _ in range(int(seconds / 0.5)):
        pitches = 220 * 2 ** (generator.integers(0, 24, 3) / 12)
        pieces.append(sum(0.1 * np.sin(2 * np.pi * hz * at) for hz in pitches))
    return np.concatenate(pieces).astype(np.float32)


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """Correlation of two compressed spectrograms."""
    n_steps = min(len(one), len(other))
    return float(np.corrcoef(one[:n_steps].ravel(), other[:n_steps].ravel())[0, 1])


class TestSpectralCodec:
    def test_gives_back_what_it_was_fitted_to(self) -> None:
        magnitudes = compressed_magnitudes(chords(1))
        codec = fit_codec(magnitudes, n_codes=len(magnitudes), seed=1)
        sound = codec.decode(codec.encode_magnitudes(magnitudes), seed=1)
        assert likeness(compressed_magnitudes(sound), magnitudes) > 0.97

    def test_tells_two_recordings_apart(self) -> None:
        magnitudes = compressed_magnitudes(chords(1))
        codec = fit_codec(magnitudes, n_codes=64, seed=1)
        sound = codec.decode(codec.encode_magnitudes(magnitudes), seed=1)
        right = likeness(compressed_magnitudes(sound), magnitudes)
        wrong = likeness(compressed_magnitudes(sound), compressed_magnitudes(chords(2)))
        assert right > 0.9 > wrong

    def test_sounds_at_its_level(self) -> None:
        magnitudes = compressed_magnitudes(chords(1))
        codec = fit_codec(magnitudes, n_codes=len(magnitudes), seed=1)
        sound = codec.decode(codec.encode_magnitudes(magnitudes), seed=1)
        assert sound.std() == pytest.approx(LEVEL, rel=0.2)

    def test_is_the_same_from_the_same_seed(self) -> None:
        magnitudes = compressed_magnitudes(chords(1))
        one, same, other = (fit_codec(magnitudes, n_codes=16, seed=seed).tensors() for seed in (1, 1, 2))
        assert all(np.array_equal(one[name], same[name]) for name in one)
        assert not all(np.array_equal(one[name], other[name]) for name in one)

    def test_survives_being_stored(self) -> None:
        magnitudes = compressed_magnitudes(chords(1))
        codec = fit_codec(magnitudes, n_codes=16, seed=1)
        again = SpectralCodec.from_tensors(codec.tensors())
        codes = codec.encode_magnitudes(magnitudes)
        assert np.array_equal(codes, again.encode_magnitudes(magnitudes))
        assert codec.decode(codes[:20], seed=3).tobytes() == again.decode(codes[:20], seed=3).tobytes()

    @pytest.mark.parametrize("missing", ["codec.0.bins", "codec.3.basis"])
    def test_refuses_arrays_that_are_not_all_there(self, missing: str) -> None:
        stored = fit_codec(compressed_magnitudes(chords(1)), n_codes=16, seed=1).tensors()
        del stored[missing]
        with pytest.raises(ValueError, match=r"holds no codec|has no codec\.3\.basis"):
            SpectralCodec.from_tensors(stored)

    def test_refuses_arrays_that_do_not_fit(self) -> None:
        stored = fit_codec(compressed_magnitudes(chords(1)), n_codes=16, seed=1).tensors()
        stored["codec.2.mean"] = stored["codec.2.mean"][:-1]
        with pytest.raises(ValueError, match="do not fit together"):
            SpectralCodec.from_tensors(stored)


class TestCompressedMagnitudes:
    def test_has_a_step_a_hop(self) -> None:
        assert compressed_magnitudes(chords(1, seconds=2.0)).shape == (
            2 * SAMPLE_RATE_HZ // HOP,
            N_FFT // 2 + 1,
        )

    def test_has_no_steps_for_sound_shorter_than_a_window(self) -> None:
        assert len(compressed_magnitudes(np.ones(N_FFT - 1, dtype=np.float32))) == 0

    def test_does_not_depend_on_the_level(self) -> None:
        loud, soft = compressed_magnitudes(chords(1)), compressed_magnitudes(chords(1) * np.float32(0.1))
        assert np.allclose(loud, soft, atol=0.01)

    def test_leaves_silence_silent(self) -> None:
        assert compressed_magnitudes(np.zeros(SAMPLE_RATE_HZ, dtype=np.float32)).max() == 0.0


class TestGriffinLim:
    def test_finds_sound_with_these_magnitudes(self) -> None:
        magnitudes = compressed_magnitudes(chords(1))
        sound = griffin_lim(magnitudes ** (1 / 0.6), seed=1)
        assert likeness(compressed_magnitudes(sound), magnitudes) > 0.98

    def test_gives_the_same_samples_from_the_same_seed(self) -> None:
        magnitudes = compressed_magnitudes(chords(1, 1.0))
        assert griffin_lim(magnitudes, seed=4).tobytes() == griffin_lim(magnitudes, seed=4).tobytes()


class TestKMeans:
    def test_finds_clusters_that_lie_apart(self) -> None:
        generator = np.random.default_rng(1)
        centres = np.array([[0, 0], [10, 0], [0, 10]], dtype=np.float32)
        points = np.concatenate([centre + generator.normal(0, 0.1, (50, 2)) for centre in centres])
        found = k_means(points, 3, np.random.default_rng(5))
        assert sorted(np.linalg.norm(centres[:, None] - found[None], axis=2).min(axis=1)) < [0.2, 0.2, 0.2]

    def test_has_no_more_centroids_than_distinct_points(self) -> None:
        points = np.array([[1.0], [1.0], [2.0]])
        assert sorted(k_means(points, 5, np.random.default_rng(1)).ravel()) == [1.0, 2.0]

    def test_nearest_agrees_with_brute_force(self) -> None:
        generator = np.random.default_rng(1)
        points = generator.normal(size=(300, 4)).astype(np.float32)
        centroids = generator.normal(size=(20, 4)).astype(np.float32)
        brute = np.linalg.norm(points[:, None] - centroids[None], axis=2).argmin(axis=1)
        assert np.array_equal(nearest(points, centroids), brute)
