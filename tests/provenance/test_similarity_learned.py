from __future__ import annotations

import csv
import hashlib
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load

from benchmarks import fingerprint_changes as changes
from benchmarks import fingerprint_music, fingerprint_network, protocol, train_fingerprint
from benchmarks import learned as benchmark
from provenance.similarity import learned
from provenance.similarity.learned import (
    LEVELS_A_FRAME,
    N_DIMENSIONS,
    SEGMENT_FRAMES,
    SEGMENT_HOP_S,
    LearnedFingerprint,
    WeightsDamagedError,
    WeightsMissingError,
)
from provenance.similarity.levels import FLOOR_DB, HOP_S, N_BANDS, levels_of

RATE_HZ = 11_025


@pytest.fixture(scope="module")
def fingerprint() -> LearnedFingerprint:
    return LearnedFingerprint.load()


@cache
def tune(seed: int, seconds: float = 8.0) -> NDArray[np.float16]:
    """Levels of chords that change four times a second and have died away after four."""
    rng = np.random.default_rng(seed)
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    sound = np.zeros_like(times)
    for beat in range(round(seconds * 4)):
        heard = slice(round(beat / 4 * RATE_HZ), round((beat / 4 + 4) * RATE_HZ))
        playing = np.exp(-4 * (times[heard] - beat / 4))
        for key in rng.integers(0, 36, size=3):
            sound[heard] += 0.08 * playing * np.sin(2 * np.pi * 196.0 * 2 ** (key / 12) * times[heard])
    return levels_of(sound.astype(np.float32).clip(-1, 1), sample_rate_hz=RATE_HZ)


@pytest.fixture(scope="module")
def index(fingerprint: LearnedFingerprint) -> benchmark.Index:
    keys = ["first", "second", "third"]
    return benchmark.Index(keys, [fingerprint.embed(tune(seed, seconds=20.0)) for seed in (1, 2, 3)])


def cosines(one: NDArray[np.float16], other: NDArray[np.float16]) -> NDArray[np.float32]:
    return np.asarray((one.astype(np.float32) * other.astype(np.float32)).sum(axis=1))


class TestLoad:
    def test_refuses_weights_that_were_altered(self, tmp_path: Path) -> None:
        content = bytearray(learned.WEIGHTS.read_bytes())
        content[-1] ^= 1
        altered = tmp_path / "altered.safetensors"
        altered.write_bytes(content)
        with pytest.raises(WeightsDamagedError, match=r"altered\.safetensors are damaged"):
            LearnedFingerprint.load(altered)

    def test_names_weights_that_are_missing(self, tmp_path: Path) -> None:
        with pytest.raises(WeightsMissingError, match=r"gone\.safetensors are missing"):
            LearnedFingerprint.load(tmp_path / "gone.safetensors")

    def test_knows_which_weights_made_its_vectors(self, fingerprint: LearnedFingerprint) -> None:
        assert fingerprint.sha256 == learned.WEIGHTS_SHA256

    def test_takes_no_more_than_ten_megabytes(self) -> None:
        assert learned.WEIGHTS.stat().st_size <= 10_000_000


class TestEmbed:
    def test_gives_a_unit_vector_each_half_second(self, fingerprint: LearnedFingerprint) -> None:
        levels = tune(1)
        vectors = fingerprint.embed(levels)
        n_frames = len(levels[::LEVELS_A_FRAME])
        assert vectors.shape == ((n_frames - SEGMENT_FRAMES) // 8 + 1, N_DIMENSIONS)
        assert vectors.dtype == np.float16
        assert np.linalg.norm(vectors.astype(np.float32), axis=1) == pytest.approx(1.0, abs=1e-3)

    def test_gives_a_denser_row_of_the_same_vectors(self, fingerprint: LearnedFingerprint) -> None:
        levels = tune(1)
        dense = fingerprint.embed(levels, hop_s=SEGMENT_HOP_S / 2)
        np.testing.assert_allclose(
            dense[::2].astype(np.float32), fingerprint.embed(levels).astype(np.float32), atol=2e-3
        )

    def test_gives_none_for_less_than_a_segment(self, fingerprint: LearnedFingerprint) -> None:
        assert fingerprint.embed(tune(1, seconds=1.9)).shape == (0, N_DIMENSIONS)

    def test_likens_silence_to_nothing(self, fingerprint: LearnedFingerprint) -> None:
        silence = np.full((200, N_BANDS), FLOOR_DB, dtype=np.float16)
        assert not fingerprint.embed(silence).any()

    def test_hears_no_loudness(self, fingerprint: LearnedFingerprint) -> None:
        levels = np.maximum(tune(1), np.float16(FLOOR_DB + 20))
        both = (fingerprint.embed(levels), fingerprint.embed(levels - np.float16(12.0)))
        assert cosines(*both).min() > 0.99

    def test_knows_a_moment_again_in_noise(self, fingerprint: LearnedFingerprint) -> None:
        powers = 10 ** (tune(1).astype(np.float32) / 10)
        noise = np.random.default_rng(0).exponential(powers.mean() / 3, size=powers.shape)
        noisy = fingerprint.embed((10 * np.log10(powers + noise)).astype(np.float32))
        clean, other = fingerprint.embed(tune(1)), fingerprint.embed(tune(2))
        assert cosines(clean, noisy).mean() > cosines(other, noisy).mean() + 0.3

    def test_gives_the_same_bytes_again(self, fingerprint: LearnedFingerprint) -> None:
        assert fingerprint.embed(tune(3)).tobytes() == fingerprint.embed(tune(3)).tobytes()


class TestEmbedVariants:
    @pytest.mark.parametrize("semitones", [1.5, -2.0])
    def test_undoes_a_pitch(self, fingerprint: LearnedFingerprint, semitones: float) -> None:
        bands = round(2 * semitones)
        levels = tune(1).astype(np.float32)
        levels[:, : abs(bands)] = levels[:, N_BANDS - abs(bands) :] = FLOOR_DB
        higher = np.roll(levels, bands, axis=1)
        (variant,) = fingerprint.embed_variants(higher, pitches=[semitones], tempos=[1.0])
        assert cosines(variant.vectors, fingerprint.embed(levels)).min() > 0.999
        assert cosines(fingerprint.embed(higher), fingerprint.embed(levels)).mean() < 0.9

    @pytest.mark.parametrize("tempo", [1.06, 0.94])
    def test_undoes_a_tempo(self, fingerprint: LearnedFingerprint, tempo: float) -> None:
        levels = tune(1).astype(np.float32)
        faster = learned.retimed(levels, 1 / tempo)
        (variant,) = fingerprint.embed_variants(faster, pitches=[0.0], tempos=[tempo])
        straight = fingerprint.embed(levels)[: len(variant.vectors)]
        assert cosines(variant.vectors[: len(straight)], straight).min() > 0.95

    def test_tells_the_guesses_apart(self, fingerprint: LearnedFingerprint) -> None:
        made = list(fingerprint.embed_variants(tune(1), pitches=[0.0, 0.5], tempos=[1.0, 1.06]))
        assert [(one.tempo, one.pitch) for one in made] == [(1.0, 0.0), (1.0, 0.5), (1.06, 0.0), (1.06, 0.5)]

    def test_cost_where_they_undo_a_pitch(self) -> None:
        nothing = np.zeros((0, N_DIMENSIONS), dtype=np.float16)
        costs = [learned.Variant(pitch, 1.06, nothing).cost for pitch in (-0.5, 0.0)]
        assert costs == [learned.PITCH_COST, 0.0]

    def test_refuses_a_part_of_a_band(self, fingerprint: LearnedFingerprint) -> None:
        with pytest.raises(ValueError, match=r"multiples of 0\.5"):
            list(fingerprint.embed_variants(tune(1), pitches=[0.3]))


class TestTrainingMusic:
    def test_holds_nothing_of_the_protocol(self) -> None:
        measured = [track for group in protocol.GROUPS for track in protocol.tracks(group)]
        trained = fingerprint_music.tracks()
        assert len(trained) > 100
        assert not {track.package for track in trained} & {track.package for track in measured}
        assert not {track.sha256 for track in trained} & {track.sha256 for track in measured}

    def test_says_what_was_left_out_by_ear(self) -> None:
        with fingerprint_music.LIST.open(newline="", encoding="utf-8") as opened:
            rows = list(csv.DictReader(opened, delimiter="\t"))
        left_out = {row["sha256"] for row in rows if row["sounds_like"]}
        assert left_out
        assert not left_out & {track.sha256 for track in fingerprint_music.tracks()}


@cache
def some_music() -> train_fingerprint.Music:
    return train_fingerprint.Music.of([tune(seed, seconds=16.0) for seed in range(6)])


class TestTraining:
    def learned_steps(self, training: train_fingerprint.Training, n: int) -> train_fingerprint.Training:
        for _ in range(n):
            batch = train_fingerprint.draw(some_music(), seed=training.seed, step=training.step, n_pairs=16)
            training.learn(batch)
        return training

    def test_goes_on_as_if_it_had_not_been_stopped(self, tmp_path: Path) -> None:
        at_once = self.learned_steps(train_fingerprint.Training(steps=10, seed=3), 2)
        stopped = self.learned_steps(train_fingerprint.Training(steps=10, seed=3), 1)
        stopped.save(tmp_path / "state.pt")
        taken_up = self.learned_steps(train_fingerprint.Training.load(tmp_path / "state.pt"), 1)
        for name, value in at_once.network.state_dict().items():
            torch.testing.assert_close(taken_up.network.state_dict()[name], value, rtol=0, atol=1e-6)
        assert taken_up.step == at_once.step == 2

    def test_keeps_what_was_planned_when(self, tmp_path: Path) -> None:
        training = self.learned_steps(train_fingerprint.Training(steps=10, seed=3), 1)
        training.plan(10)
        training.plan(6)
        training.save(tmp_path / "state.pt")
        assert train_fingerprint.Training.load(tmp_path / "state.pt").plans == [(0, 10), (1, 6)]

    def test_draws_the_same_pairs_for_the_same_step(self) -> None:
        one, same, next_one = (
            train_fingerprint.draw(some_music(), seed=3, step=step, n_pairs=16) for step in (5, 5, 6)
        )
        assert torch.equal(one.changed, same.changed)
        assert not torch.equal(one.changed, next_one.changed)

    def test_exports_what_can_be_loaded(self, tmp_path: Path) -> None:
        content = train_fingerprint.Training(steps=10, seed=3).export()
        (tmp_path / "weights").write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        assert len(LearnedFingerprint.load(tmp_path / "weights", sha256=digest).embed(tune(1)))

    def test_tells_no_moment_from_itself_come_round_again(self) -> None:
        batch = train_fingerprint.draw(some_music(), seed=3, step=5, n_pairs=16)
        clean = torch.cat([batch.clean[:1], batch.clean[:1], batch.clean[-1:]])
        recording, at_s = torch.tensor([0, 0, 1]), torch.tensor([0.0, 30.0, 0.0])
        again = train_fingerprint.Batch(clean, clean, recording, at_s)
        apart = train_fingerprint.strangers(again, torch.eye(3, N_DIMENSIONS))
        assert apart.tolist() == [[True, False, True], [False, True, True], [True, True, True]]


class TestIndex:
    def test_places_an_excerpt_in_its_recording(
        self, index: benchmark.Index, fingerprint: LearnedFingerprint
    ) -> None:
        taken = tune(2, seconds=20.0)[258:]
        variants = fingerprint.embed_variants(
            taken, pitches=[0.0, 0.5], tempos=[1.0], hop_s=SEGMENT_HOP_S / 2
        )
        ((best, *others),) = index.search(list(variants), [16])
        assert (best.key, best.pitch, best.tempo) == ("second", 0.0, 1.0)
        assert best.place_s == pytest.approx(258 * HOP_S, abs=SEGMENT_HOP_S / 2)
        assert best.score > 0.9
        assert all(other.score < best.score - 0.2 for other in others)

    def test_lays_no_query_across_two_recordings(self, index: benchmark.Index) -> None:
        boundary = index.vectors.T[index.starts[1] - 2 : index.starts[1] + 2].astype(np.float16)
        dense = np.repeat(boundary, 2, axis=0)
        ((best, *_),) = index.search([learned.Variant(0.0, 1.0, dense)], [8])
        assert best.score < 0.99


class TestChanges:
    @pytest.mark.parametrize(
        "change",
        [
            changes.noisy,
            changes.reverberant,
            changes.filtered,
            changes.smeared,
            changes.encoded,
            changes.parted,
            changes.gapped,
            changes.detuned,
            changes.edged,
        ],
    )
    def test_change_powers_to_other_powers(self, change: changes.Change) -> None:
        rng = torch.Generator().manual_seed(1)
        powers = changes.powers_of(torch.from_numpy(tune(1)[:80:2].astype(np.float32)))[None].repeat(3, 1, 1)
        changed = change(powers, rng)
        assert changed.shape == powers.shape
        assert torch.isfinite(changes.levels_of(changed)).all()
        assert (changed >= 0).all()
        assert not torch.equal(changed, powers)

    def test_mix_as_loud_as_they_are_told(self) -> None:
        rng = torch.Generator().manual_seed(1)
        music = torch.ones(400, 40, N_BANDS)
        other = 7 * torch.ones(400, 40, N_BANDS)
        added_db = 10 * torch.log10(
            changes.mixed(music, other, rng, low_db=6.0, high_db=6.0).mean((1, 2)) - 1
        )
        even = (added_db.abs() < 2.1).float().mean()
        assert 0.4 < even < 0.6
        assert added_db.min() == pytest.approx(-6.0, abs=0.5)


def test_a_segment_lasts_as_long_as_is_said() -> None:
    n_frames = LEVELS_A_FRAME * (SEGMENT_FRAMES - 1) + 1
    assert n_frames * HOP_S == pytest.approx(learned.SEGMENT_S, abs=0.2)
    assert pytest.approx(16 * HOP_S) == learned.SEGMENT_HOP_S


class TestNetwork:
    def test_makes_in_numpy_what_it_was_trained_to_make_in_pytorch(
        self, fingerprint: LearnedFingerprint
    ) -> None:
        trained = fingerprint_network.network().eval()
        trained.load_state_dict(load(learned.WEIGHTS.read_bytes()))
        frames = tune(1).astype(np.float32)[::LEVELS_A_FRAME]
        segments = np.stack([frames[at : at + SEGMENT_FRAMES] for at in (0, 8, 40)])
        with torch.inference_mode():
            made = fingerprint_network.unit(
                trained(fingerprint_network.pictures(torch.from_numpy(segments)))
            ).numpy()
        ours = fingerprint._seen(learned.pictures(segments))
        np.testing.assert_allclose(ours, made, atol=3e-4)
