"""Every architecture built tiny and run: same seed, same bytes; stopped and resumed; told what is wrong."""

from __future__ import annotations

import dataclasses
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from generation.architectures import fitting, registry
from generation.architectures.base import (
    Architecture,
    ConfigError,
    Corpus,
    CorpusError,
    GenerationStopped,
    PromptError,
    Trained,
    TrainingMetrics,
    TrainingSource,
    TrainingStateError,
    TrainingStopped,
    UnknownArchitectureError,
    Weights,
    hold_out,
    in_drawn_order,
    output_seeds,
)
from generation.architectures.notes import Note, write_midi
from generation.architectures.transformer import (
    NetworkShape,
    Sampling,
    Writer,
    build,
    draw,
    load,
    weights_of,
)
from provenance import audio

TINY: dict[str, Any] = {
    "width": 16,
    "layers": 1,
    "heads": 2,
    "context": 32,
    "batch": 2,
    "evaluate_every": 3,
    "patience": 100,
}
STEPS = 6


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def scale(first_pitch: int, n_notes: int = 40, bpm: float = 120.0) -> list[Note]:
    return [
        Note(12 * i, 10, i * 0.25, bpm, 0 if i % 2 else 40, first_pitch + (5 * i) % 13, 80)
        for i in range(n_notes)
    ]


def tone(first_hz: float, seconds: float = 4.0) -> npt.NDArray[np.float32]:
    at = np.arange(int(16_000 * seconds)) / 16_000
    pitch = first_hz * 2 ** (np.floor(at * 4) % 7 / 12)
    return (0.3 * np.sin(2 * np.pi * np.cumsum(pitch) / 16_000)).astype(np.float32)


@pytest.fixture(scope="module")
def midi_sources(tmp_path_factory: pytest.TempPathFactory) -> list[TrainingSource]:
    folder = tmp_path_factory.mktemp("midi")
    sources = []
    for i in range(4):
        path = folder / f"{i}.mid"
        path.write_bytes(write_midi(scale(50 + i)))
        sources.append(TrainingSource(f"piece-{i}", path, "symbolic", "held_out" if i == 3 else "train"))
    return sources


@pytest.fixture(scope="module")
def sound_sources(tmp_path_factory: pytest.TempPathFactory) -> list[TrainingSource]:
    folder = tmp_path_factory.mktemp("sound")
    sources = []
    for i in range(3):
        path = folder / f"{i}.wav"
        audio.write_wav(path, tone(220.0 * (i + 2) / 2)[:, None], 16_000)
        sources.append(TrainingSource(f"track-{i}", path, "audio", "held_out" if i == 2 else "train"))
    return sources


@pytest.fixture(scope="module", params=registry.names())
def made(
    request: pytest.FixtureRequest, midi_sources: list[TrainingSource], sound_sources: list[TrainingSource]
) -> tuple[Architecture, Any, Corpus, Trained]:
    """An architecture, its tiny config, its corpus, and what an uninterrupted training makes of them."""
    architecture = registry.get(request.param)
    sources = midi_sources if architecture.family == "symbolic" else sound_sources
    extra = {} if architecture.family == "symbolic" else {"n_codes": 16}
    config = architecture.config_class.from_json(TINY | extra)
    corpus = architecture.prepare(sources, config, seed=3)
    return architecture, config, corpus, architecture.train(corpus, config, steps=STEPS, seed=3)


def weights_from(config: Any, trained: Trained) -> Weights:
    return Weights(config, trained.tensors, trained.state)


class TestEveryArchitecture:
    def test_trains_to_the_same_weights_from_the_same_seed(self, made: Any) -> None:
        architecture, config, corpus, trained = made
        again = architecture.train(corpus, config, steps=STEPS, seed=3)
        assert again.tensors.keys() == trained.tensors.keys()
        for name, tensor in trained.tensors.items():
            assert tensor.tobytes() == again.tensors[name].tobytes(), name

    def test_trains_to_other_weights_from_another_seed(self, made: Any) -> None:
        architecture, config, corpus, trained = made
        other = architecture.train(corpus, config, steps=STEPS, seed=4)
        assert any(not np.array_equal(trained.tensors[name], other.tensors[name]) for name in trained.tensors)

    def test_leaves_torchs_global_generator_alone(self, made: Any) -> None:
        architecture, config, corpus, _ = made
        before = torch.get_rng_state()
        architecture.train(corpus, config, steps=1, seed=3)
        assert torch.equal(before, torch.get_rng_state())

    def test_resumed_after_a_stop_ends_where_an_uninterrupted_one_does(
        self, made: Any, tmp_path: Path
    ) -> None:
        architecture, config, corpus, trained = made
        state_file = tmp_path / "state.safetensors"
        asked = iter([False, False, False, True])
        with pytest.raises(TrainingStopped) as stopped:
            architecture.train(
                corpus, config, steps=STEPS, seed=3, state_file=state_file, should_stop=lambda: next(asked)
            )
        assert stopped.value.step == 4
        resumed = architecture.train(corpus, config, steps=STEPS, seed=3, state_file=state_file, resume=True)
        for name, tensor in trained.tensors.items():
            assert tensor.tobytes() == resumed.tensors[name].tobytes(), name
        assert dataclasses.replace(resumed.metrics, seconds=0.0) == dataclasses.replace(
            trained.metrics, seconds=0.0
        )

    def test_refuses_the_state_of_another_training(self, made: Any, tmp_path: Path) -> None:
        architecture, config, corpus, _ = made
        state_file = tmp_path / "state.safetensors"
        architecture.train(corpus, config, steps=2, seed=3, state_file=state_file)
        with pytest.raises(TrainingStateError, match="another corpus, config, seed or number of steps"):
            architecture.train(corpus, config, steps=2, seed=4, state_file=state_file, resume=True)

    def test_refuses_a_damaged_state(self, made: Any, tmp_path: Path) -> None:
        architecture, config, corpus, _ = made
        state_file = tmp_path / "state.safetensors"
        state_file.write_bytes(b"\xff" * 100)
        with pytest.raises(TrainingStateError, match="damaged"):
            architecture.train(corpus, config, steps=2, seed=3, state_file=state_file, resume=True)

    def test_makes_the_same_bytes_from_the_same_seed_alone_and_among_others(self, made: Any) -> None:
        architecture, config, _, trained = made
        weights = weights_from(config, trained)
        several = list(architecture.generate(weights, seeds=[5, 6, 7], seconds=1.0))
        alone = next(iter(architecture.generate(weights, seeds=[6], seconds=1.0)))
        assert alone.samples.tobytes() == several[1].samples.tobytes()
        assert alone.midi == several[1].midi
        assert alone.samples.tobytes() != several[0].samples.tobytes()

    def test_makes_sound_of_the_length_asked_for(self, made: Any) -> None:
        architecture, config, _, trained = made
        sketches = list(architecture.generate(weights_from(config, trained), seeds=[1, 2, 3, 4], seconds=1.5))
        for sketch in sketches:
            assert sketch.samples.dtype == np.float32
            assert sketch.samples.shape[0] == round(1.5 * sketch.sample_rate_hz)
            assert np.abs(sketch.samples).max() <= 1.0
        # Untrained notes may be too high or soft to be heard, but not all of them.
        assert max(sketch.samples.std() for sketch in sketches) > 1e-4

    def test_goes_on_from_a_prompt(self, made: Any, midi_sources: list[TrainingSource]) -> None:
        architecture, config, _, trained = made
        weights = weights_from(config, trained)
        free = next(iter(architecture.generate(weights, seeds=[1], seconds=1.0)))
        led = next(
            iter(architecture.generate(weights, seeds=[1], seconds=1.0, prompt_audio=midi_sources[0].path))
        )
        assert led.samples.shape == free.samples.shape
        assert led.samples.tobytes() != free.samples.tobytes()

    def test_refuses_a_text_prompt(self, made: Any) -> None:
        architecture, config, _, trained = made
        with pytest.raises(PromptError, match="takes no text"):
            next(
                iter(
                    architecture.generate(
                        weights_from(config, trained), seeds=[1], seconds=1.0, prompt="a sad waltz"
                    )
                )
            )

    def test_refuses_a_prompt_that_is_not_audio(self, made: Any, tmp_path: Path) -> None:
        architecture, config, _, trained = made
        path = tmp_path / "prompt.wav"
        path.write_text("not audio")
        with pytest.raises(PromptError, match="can't be read"):
            next(
                iter(
                    architecture.generate(
                        weights_from(config, trained), seeds=[1], seconds=1.0, prompt_audio=path
                    )
                )
            )

    def test_stops_generating_when_asked(self, made: Any) -> None:
        architecture, config, _, trained = made
        with pytest.raises(GenerationStopped):
            list(
                architecture.generate(
                    weights_from(config, trained), seeds=[1], seconds=30.0, should_stop=lambda: True
                )
            )

    def test_measures_itself_against_its_baselines(self, made: Any) -> None:
        metrics = made[3].metrics
        assert metrics.steps == STEPS
        assert metrics.held_out_loss is not None
        assert metrics.noise_baseline_loss is not None
        assert metrics.shuffled_baseline_loss is not None
        assert metrics.beats_baselines is (
            metrics.held_out_loss
            < min(metrics.noise_baseline_loss, metrics.unigram_baseline_loss, metrics.shuffled_baseline_loss)
        )

    def test_says_which_recordings_it_used(self, made: Any) -> None:
        corpus = made[2]
        assert len(corpus.keys("held_out")) == 1
        assert set(corpus.keys("train")).isdisjoint(corpus.keys("held_out"))
        assert all(used.end_s > used.start_s >= 0 for used in corpus.recordings)

    def test_refuses_weights_that_do_not_fit_the_config(self, made: Any) -> None:
        architecture, config, _, trained = made
        wider = dataclasses.replace(config, width=32)
        with pytest.raises(ValueError, match="weights do not fit the config"):
            architecture.require_usable(Weights(wider, trained.tensors, trained.state))

    def test_leaves_out_what_it_cant_read_and_says_why(self, made: Any, tmp_path: Path) -> None:
        architecture, config, *_ = made
        broken = tmp_path / "broken"
        broken.write_bytes(b"nothing")
        with pytest.raises(CorpusError, match="none of the 1 recordings can be trained on"):
            architecture.prepare([TrainingSource("broken", broken, "audio")], config, seed=1)

    def test_uses_no_more_recordings_than_asked_for(
        self, made: Any, midi_sources: list[TrainingSource], sound_sources: list[TrainingSource]
    ) -> None:
        architecture, config, _, _ = made
        sources = midi_sources if architecture.family == "symbolic" else sound_sources
        one = dataclasses.replace(config, max_recordings=1)
        forwards = architecture.prepare(sources, one, seed=1).keys("train")
        backwards = architecture.prepare(sources[::-1], one, seed=1).keys("train")
        assert len(forwards) == 1
        assert forwards == backwards

    def test_presets_are_valid(self, made: Any) -> None:
        config_class = made[0].config_class
        assert {"decent", "overfitted"} <= set(config_class.presets)
        for preset in config_class.presets:
            config = config_class.from_json({"preset": preset})
            assert config_class.from_json(config.as_json()) == config


class TestLearning:
    """Enough steps to memorise: what the overfitted setting rests on."""

    def test_an_overfitted_network_repeats_its_recording(self) -> None:
        generator = np.random.default_rng(0)
        tokens = generator.integers(0, 9, (40, 3)).astype(np.int16)
        shape = NetworkShape((9, 9, 9), 32, 1, 2, 48)
        corpus = token_corpus([tokens], shape)
        outcome = fitting.fit(corpus, shape, recipe(learning_rate=1e-2, token_noise=0.0), steps=150, seed=1)
        writer = Writer(load(shape, outcome.tensors))
        steps = writer.steps(Sampling(0.1, 1.0), seed=1)
        written = [next(steps) for _ in range(40)]
        assert np.array_equal(np.array(written), tokens)

    def test_order_that_can_be_learned_beats_every_baseline(self) -> None:
        cycle = np.arange(60) % 7
        pieces = [np.stack([(cycle + i) % 7, (cycle * 2 + i) % 7], axis=1).astype(np.int16) for i in range(6)]
        shape = NetworkShape((7, 7), 32, 1, 2, 32)
        corpus = token_corpus(pieces[:5], shape, held_out=pieces[5:])
        outcome = fitting.fit(
            corpus,
            shape,
            recipe(learning_rate=1e-2, keep_best=True, shuffled_baseline=True),
            steps=60,
            seed=1,
        )
        assert outcome.metrics.beats_baselines

    def test_noise_beats_no_baseline_by_order(self) -> None:
        generator = np.random.default_rng(0)
        pieces = [generator.integers(0, 7, (60, 2)).astype(np.int16) for _ in range(4)]
        shape = NetworkShape((7, 7), 32, 1, 2, 32)
        corpus = token_corpus(pieces[:3], shape, held_out=pieces[3:])
        outcome = fitting.fit(corpus, shape, recipe(keep_best=True, shuffled_baseline=True), steps=40, seed=1)
        assert outcome.metrics.held_out_loss is not None
        assert outcome.metrics.noise_baseline_loss is not None
        assert outcome.metrics.held_out_loss > outcome.metrics.noise_baseline_loss - 0.1

    def test_keeps_the_weights_of_the_best_held_out_loss_and_stops(self) -> None:
        generator = np.random.default_rng(0)
        pieces = [generator.integers(0, 7, (30, 2)).astype(np.int16) for _ in range(2)]
        shape = NetworkShape((7, 7), 32, 1, 2, 32)
        corpus = token_corpus(pieces[:1], shape, held_out=pieces[1:])
        outcome = fitting.fit(
            corpus,
            shape,
            recipe(learning_rate=1e-2, keep_best=True, evaluate_every=5, patience=2),
            steps=500,
            seed=1,
        )
        assert outcome.metrics.steps == outcome.metrics.best_step + 10
        network = load(shape, outcome.tensors)
        assert fitting.measure(network, pieces[1:]) == pytest.approx(outcome.metrics.held_out_loss)

    def test_early_stopping_without_anything_held_out_is_refused(self) -> None:
        shape = NetworkShape((7, 7), 16, 1, 2, 32)
        corpus = token_corpus([np.zeros((10, 2), dtype=np.int16)], shape)
        with pytest.raises(CorpusError, match="early stopping needs held-out recordings"):
            fitting.fit(corpus, shape, recipe(keep_best=True), steps=1, seed=1)


def token_corpus(
    train: list[npt.NDArray[np.int16]],
    shape: NetworkShape,
    held_out: list[npt.NDArray[np.int16]] | None = None,
) -> Any:
    from generation.architectures.base import TokenCorpus, UsedRecording

    pieces = [("train", piece) for piece in train] + [("held_out", piece) for piece in held_out or []]
    return TokenCorpus(
        recordings=tuple(
            UsedRecording(str(i), split, 0.0, 1.0, len(piece), "test")  # type: ignore[arg-type]
            for i, (split, piece) in enumerate(pieces)
        ),
        skipped={},
        tokens=tuple(piece for _, piece in pieces),
        vocabulary=shape.vocabulary,
    )


def recipe(**changes: Any) -> fitting.Recipe:
    plain = fitting.Recipe(
        batch=4,
        learning_rate=3e-3,
        dropout=0.0,
        weight_decay=0.0,
        token_noise=0.05,
        keep_best=False,
        evaluate_every=10,
        patience=100,
        shuffled_baseline=False,
    )
    return dataclasses.replace(plain, **changes)


class TestBaselines:
    def test_noise_is_the_logarithm_of_the_vocabulary(self) -> None:
        piece = np.zeros((9, 2), dtype=np.int16)
        # Nine steps of log(4 + 1) + log(3), and one end of log(5), over ten.
        expected = (9 * (math.log(5) + math.log(3)) + math.log(5)) / 10
        assert fitting.noise_loss((4, 3), [piece]) == pytest.approx(expected)

    def test_unigram_counts_the_training_recordings_plus_one(self) -> None:
        train = np.array([[0], [0], [1]], dtype=np.int16)
        asked = np.array([[0], [1]], dtype=np.int16)
        # Counts 0, 0, 1, end over two values and the end, plus one each: 3, 2, 2 of 7.
        expected = -(math.log(3 / 7) + math.log(2 / 7) + math.log(2 / 7)) / 3
        assert fitting.unigram_loss((2,), [train], [asked]) == pytest.approx(expected)


class TestStepTransformer:
    shape = NetworkShape((6, 5), 16, 2, 2, 16)

    def test_writing_one_step_at_a_time_agrees_with_reading_all_at_once(self) -> None:
        network = build(self.shape, seed=1)
        steps = torch.randint(0, 5, (1, 12, 2), generator=torch.Generator().manual_seed(0))
        with torch.inference_mode():
            at_once = network(steps)
            writer = Writer(network)
            hidden = writer._advance(network.start.view(1, 1, -1))
            for i in range(12):
                logits = network._field_logits(0, hidden)
                assert torch.allclose(logits[0, 0], at_once[0][0, i], atol=1e-5)
                hidden = writer._advance(network._embed(steps[:, i : i + 1]))

    def test_a_step_does_not_see_those_after_it(self) -> None:
        network = build(self.shape, seed=1)
        steps = torch.randint(0, 5, (1, 8, 2), generator=torch.Generator().manual_seed(0))
        changed = steps.clone()
        changed[:, 5:] = (changed[:, 5:] + 1) % 5
        with torch.inference_mode():
            for before, after in zip(network(steps), network(changed), strict=True):
                assert torch.allclose(before[:, :5], after[:, :5], atol=1e-6)

    def test_later_fields_see_earlier_ones_of_their_step(self) -> None:
        network = build(self.shape, seed=1)
        steps = torch.zeros((1, 4, 2), dtype=torch.long)
        changed = steps.clone()
        changed[0, 3, 0] = 3
        with torch.inference_mode():
            assert not torch.allclose(network(steps)[1][0, 3], network(changed)[1][0, 3])
            assert torch.allclose(network(steps)[0][0, 3], network(changed)[0][0, 3])

    def test_fields_after_an_end_are_not_scored(self) -> None:
        network = build(self.shape, seed=1)
        steps = torch.zeros((1, 3, 2), dtype=torch.long)
        steps[0, 2, 0] = self.shape.end
        other = steps.clone()
        other[0, 2, 1] = 4
        mask = torch.ones((1, 3), dtype=torch.bool)
        assert torch.equal(network.loss(steps, mask), network.loss(other, mask))

    def test_values_near_each_other_start_near_each_other(self) -> None:
        places = np.array([[0, 0], [0, 0.1], [5, 5], [-5, 5], [5, -5], [1, -9]], dtype=np.float32)
        rows = build(self.shape, seed=1, geometry=(places,)).inputs[0].get_parameter("weight")
        assert torch.dist(rows[0], rows[1]) < 0.5 * torch.dist(rows[0], rows[2])

    def test_writes_on_beyond_its_context(self) -> None:
        steps = Writer(build(self.shape, seed=1)).steps(Sampling(1.0, 1.0), seed=2)
        written = [next(steps) for _ in range(50)]
        assert all(0 <= first < 6 and 0 <= second < 5 for first, second in written)

    def test_survives_being_stored(self) -> None:
        network = build(self.shape, seed=1)
        again = load(self.shape, weights_of(network))
        steps = torch.zeros((1, 4, 2), dtype=torch.long)
        with torch.inference_mode():
            assert torch.equal(network(steps)[0], again(steps)[0])


class TestDraw:
    logits = torch.log(torch.tensor([0.5, 0.3, 0.15, 0.05]))

    def test_follows_the_probabilities(self) -> None:
        generator = torch.Generator().manual_seed(0)
        drawn = [draw(self.logits, Sampling(1.0, 1.0), generator) for _ in range(2000)]
        assert np.bincount(drawn, minlength=4) / 2000 == pytest.approx([0.5, 0.3, 0.15, 0.05], abs=0.04)

    def test_leaves_the_tail_out(self) -> None:
        generator = torch.Generator().manual_seed(0)
        assert {draw(self.logits, Sampling(1.0, 0.75), generator) for _ in range(300)} == {0, 1}

    def test_a_low_temperature_takes_the_likeliest(self) -> None:
        generator = torch.Generator().manual_seed(0)
        assert {draw(self.logits, Sampling(0.01, 1.0), generator) for _ in range(50)} == {0}


class TestConfig:
    config_class = registry.get("symbolic").config_class

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"widht": 64}, "unknown setting 'widht'"),
            ({"width": "64"}, "width must be a whole number"),
            ({"width": True}, "width must be a whole number"),
            ({"dropout": 1.5}, r"dropout must lie in 0\.\.0\.9"),
            ({"dropout": float("nan")}, "dropout must lie in"),
            ({"width": 20, "heads": 4}, "multiple of twice the heads"),
            ({"transpose": 12}, "transpose must lie in"),
            ({"preset": "best"}, "no preset 'best'"),
        ],
    )
    def test_says_what_is_wrong(self, settings: dict[str, Any], message: str) -> None:
        with pytest.raises(ConfigError, match=message):
            self.config_class.from_json(settings)

    def test_settings_stand_over_the_preset(self) -> None:
        config = self.config_class.from_json({"preset": "overfitted", "steps": 7})
        assert config.steps == 7
        assert config.as_json()["keep_best"] is False

    def test_takes_a_whole_number_where_a_number_is_wanted(self) -> None:
        assert self.config_class.from_json({"dropout": 0}).as_json()["dropout"] == 0.0


class TestRegistry:
    def test_names_those_there_are_when_one_is_not(self) -> None:
        with pytest.raises(UnknownArchitectureError, match=r"'waltz'.*spectral_codec, symbolic"):
            registry.get("waltz")

    def test_has_a_name_for_people_of_each(self) -> None:
        titles = {registry.title(name) for name in registry.names()}
        assert len(titles) == len(registry.names())
        assert all("_" not in title for title in titles)
        assert not titles & set(registry.names())

    def test_says_a_lost_name_without_underscores(self) -> None:
        assert registry.title("wave_dream") == "wave dream"

    def test_naming_them_does_not_load_torch(self) -> None:
        code = (
            "import sys; from generation.architectures import registry, base; registry.names();"
            "sys.exit('torch' in sys.modules)"
        )
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

    def test_default_steps_are_the_presets(self) -> None:
        maker = registry.get("symbolic")
        wanted = maker.config_class.from_json({"preset": "overfitted"}).steps
        assert registry.default_steps(maker, {"preset": "overfitted"}) == wanted


class TestSplitting:
    sources = [TrainingSource(f"r{i}", Path("x"), "audio") for i in range(20)]

    def test_holds_out_the_part_asked_for(self) -> None:
        held_out = [one.key for one in hold_out(self.sources, part=0.2, seed=1) if one.split == "held_out"]
        assert len(held_out) == 4

    def test_holds_out_some_of_each_kind(self) -> None:
        midi = [TrainingSource(f"m{i}", Path("x"), "symbolic") for i in range(5)]
        held_out = [one for one in hold_out(self.sources + midi, part=0.1, seed=1) if one.split == "held_out"]
        assert sorted(one.kind for one in held_out) == ["audio", "audio", "symbolic"]

    def test_does_not_depend_on_the_order(self) -> None:
        forwards = {one.key: one.split for one in hold_out(self.sources, part=0.2, seed=1)}
        backwards = {one.key: one.split for one in hold_out(self.sources[::-1], part=0.2, seed=1)}
        assert forwards == backwards

    def test_never_holds_out_more_than_a_third(self) -> None:
        assert [one.split for one in hold_out(self.sources[:2], part=0.5, seed=1)] == ["train", "train"]

    def test_tries_sources_in_an_order_of_the_seed(self) -> None:
        first = [one.key for one in in_drawn_order(self.sources, seed=1)]
        assert first == [one.key for one in in_drawn_order(self.sources[::-1], seed=1)]
        assert first != [one.key for one in in_drawn_order(self.sources, seed=2)]


class TestOutputSeeds:
    def test_do_not_depend_on_how_many_are_asked_for(self) -> None:
        assert output_seeds(9, 3) == output_seeds(9, 20)[:3]

    def test_are_all_different(self) -> None:
        assert len(set(output_seeds(9, 500))) == 500

    def test_one_output_uses_the_seed_itself(self) -> None:
        assert output_seeds(9, 1) == [9]


class TestTrainingMetrics:
    def test_has_no_opinion_without_held_out_recordings(self) -> None:
        assert TrainingMetrics(1.0, None, None, None, None, 1, 1, 1, 0.0).beats_baselines is None

    def test_must_beat_the_strongest_baseline(self) -> None:
        assert TrainingMetrics(1.0, 2.0, 9.0, 3.0, 1.9, 1, 1, 1, 0.0).beats_baselines is False
