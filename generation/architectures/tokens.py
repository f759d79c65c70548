"""What the architectures that write tokens have in common: settings, training, and a writer from weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeVar

from generation.architectures.base import (
    NETWORK,
    Config,
    ConfigError,
    Corpus,
    CorpusError,
    Progress,
    PromptError,
    ShouldStop,
    Sketch,
    SourceError,
    SourceKind,
    TokenCorpus,
    Trained,
    TrainingSource,
    TrainingStopped,
    UsedRecording,
    Weights,
    in_drawn_order,
    require_range,
)
from generation.architectures.fitting import Augment, Recipe, Steps, fit
from generation.architectures.transformer import NetworkShape, Sampling, Writer, load

Content = TypeVar("Content")
Composer = Callable[[int], Sketch]


@dataclass(frozen=True)
class TokenConfig(Config):
    """Settings shared by the token-writing architectures.

    Attributes
    ----------
    width, layers, heads, context, embedding_scale
        Size and start of the network, see ``NetworkShape``.
    steps : int
        Optimiser steps, when the caller names none.
    batch, learning_rate, dropout, weight_decay, token_noise, keep_best, evaluate_every, patience,
    shuffled_baseline
        See ``Recipe``.
    max_recordings : int
        Most training recordings used, chosen by the seed; 0 uses all.
    excerpt_s : float
        Seconds used of each recording, from its start; 0 uses all.
    min_recording_s : float
        Training recordings shorter than this are left out.
    temperature, top_p : float
        See ``Sampling``.
    """

    width: int = 128
    layers: int = 2
    heads: int = 4
    context: int = 128
    embedding_scale: float = 0.02
    steps: int = 200
    batch: int = 8
    learning_rate: float = 3e-3
    dropout: float = 0.1
    weight_decay: float = 0.05
    token_noise: float = 0.05
    keep_best: bool = True
    evaluate_every: int = 25
    patience: int = 3
    shuffled_baseline: bool = True
    max_recordings: int = 0
    excerpt_s: float = 0.0
    min_recording_s: float = 2.0
    temperature: float = 0.9
    top_p: float = 0.95

    def __post_init__(self) -> None:
        require_range("width", self.width, 8, 4096)
        require_range("layers", self.layers, 1, 64)
        require_range("heads", self.heads, 1, 64)
        if self.width % (2 * self.heads):
            raise ConfigError(
                f"width must be a multiple of twice the heads ({2 * self.heads}), not {self.width}"
            )
        require_range("context", self.context, 8, 8192)
        require_range("embedding_scale", self.embedding_scale, 0.0, 10.0)
        require_range("steps", self.steps, 1, 10_000_000)
        require_range("batch", self.batch, 1, 4096)
        require_range("learning_rate", self.learning_rate, 1e-7, 1.0)
        require_range("dropout", self.dropout, 0.0, 0.9)
        require_range("weight_decay", self.weight_decay, 0.0, 10.0)
        require_range("token_noise", self.token_noise, 0.0, 0.9)
        require_range("evaluate_every", self.evaluate_every, 1, 10_000_000)
        require_range("patience", self.patience, 1, 10_000)
        require_range("max_recordings", self.max_recordings, 0, 10_000_000)
        require_range("excerpt_s", self.excerpt_s, 0.0, 36_000.0)
        require_range("min_recording_s", self.min_recording_s, 0.0, 36_000.0)
        require_range("temperature", self.temperature, 0.01, 10.0)
        require_range("top_p", self.top_p, 0.01, 1.0)

    def recipe(self) -> Recipe:
        """How to train."""
        return Recipe(
            batch=self.batch,
            learning_rate=self.learning_rate,
            dropout=self.dropout,
            weight_decay=self.weight_decay,
            token_noise=self.token_noise,
            keep_best=self.keep_best,
            evaluate_every=self.evaluate_every,
            patience=self.patience,
            shuffled_baseline=self.shuffled_baseline,
        )

    def network_shape(self, vocabulary: Sequence[int]) -> NetworkShape:
        """Size of the network over ``vocabulary``."""
        return NetworkShape(
            tuple(vocabulary), self.width, self.layers, self.heads, self.context, self.embedding_scale
        )

    def sampling(self) -> Sampling:
        """How to draw."""
        return Sampling(self.temperature, self.top_p)


class TokenArchitecture(ABC):
    """Base of the token-writing architectures: they add reading sources and sounding steps."""

    config_class: ClassVar[type[TokenConfig]]
    source_kinds: ClassVar[frozenset[SourceKind]] = frozenset({"audio", "symbolic", "tracker"})
    takes_prompt: ClassVar[bool] = False
    takes_prompt_audio: ClassVar[bool] = True

    def usable(self, sources: Sequence[TrainingSource]) -> list[TrainingSource]:
        """Choose the sources worth training on; all of them by default."""
        return list(sources)

    def augmentation(self, config: Config) -> Augment | None:
        """What training windows go through; nothing by default."""
        return None

    def present(self, window: Steps) -> Steps:
        """Write a window as the network reads it; as it stands by default."""
        return window

    def train(
        self,
        corpus: Corpus,
        config: Config,
        *,
        steps: int,
        seed: int,
        device: str = "cpu",
        state_file: Path | None = None,
        resume: bool = False,
        on_progress: Progress | None = None,
        should_stop: ShouldStop | None = None,
    ) -> Trained:
        """Train a network on a corpus.

        Parameters
        ----------
        corpus : TokenCorpus
            From ``prepare`` of the same architecture and config.
        config : TokenConfig
            Size and recipe.
        steps : int
            Most optimiser steps, > 0.
        seed : int
            Of everything random.
        device : str
            A torch device; only on ``"cpu"`` are the weights the same bit by bit.
        state_file : Path or None
            Where to keep what is needed to go on.
        resume : bool
            Go on from ``state_file`` if it is there.
        on_progress, should_stop : callable or None
            Asked after every step.

        Returns
        -------
        Trained
            Weights, codebooks, and figures.

        Raises
        ------
        CorpusError, TrainingStateError, TrainingStopped
            As ``fit`` does.
        """
        if not isinstance(corpus, TokenCorpus) or not isinstance(config, TokenConfig):
            raise CorpusError("this corpus and config were made for another architecture")
        outcome = fit(
            corpus,
            config.network_shape(corpus.vocabulary),
            config.recipe(),
            steps=steps,
            seed=seed,
            device=device,
            augment=self.augmentation(config),
            present=self.present,
            state_file=state_file,
            resume=resume,
            on_progress=on_progress,
            should_stop=should_stop,
        )
        weights = {NETWORK + name: value for name, value in outcome.tensors.items()}
        state = {**corpus.state, "vocabulary": list(corpus.vocabulary)}
        return Trained(weights | corpus.tensors, state, outcome.metrics)

    @abstractmethod
    def composer(
        self,
        weights: Weights,
        *,
        seconds: float,
        prompt_audio: Path | None,
        device: str,
        should_stop: ShouldStop | None,
    ) -> Composer:
        """Get ready to make outputs, which is the same work whatever their seeds.

        Parameters
        ----------
        weights, seconds, prompt_audio, device, should_stop
            As for ``generate``.

        Returns
        -------
        callable
            Makes one output of a seed.

        Raises
        ------
        PromptError
            If the prompt's file can't be read.
        """

    def generate(
        self,
        weights: Weights,
        *,
        seeds: Iterable[int],
        seconds: float,
        prompt: str = "",
        prompt_audio: Path | None = None,
        device: str = "cpu",
        should_stop: ShouldStop | None = None,
    ) -> Iterator[Sketch]:
        """Write steps and sound them.

        Parameters
        ----------
        weights : Weights
            From a checkpoint of this architecture.
        seeds : iterable of int
            One output each.
        seconds : float
            Length of each output, > 0.
        prompt : str
            Must be blank.
        prompt_audio : Path or None
            Music whose end is gone on from; it is not part of the output.
        device : str
            A torch device.
        should_stop : callable or None
            Asked now and then.

        Yields
        ------
        Sketch
            One a seed, in their order.

        Raises
        ------
        PromptError
            If there is text, or the prompt's file can't be read or holds nothing to go on from.
        GenerationStopped
            If ``should_stop`` said so.
        """
        refuse_text(prompt)
        compose = self.composer(
            weights, seconds=seconds, prompt_audio=prompt_audio, device=device, should_stop=should_stop
        )
        for seed in seeds:
            yield compose(seed)

    def require_usable(self, weights: Weights) -> None:
        """Refuse weights that can't generate.

        Parameters
        ----------
        weights : Weights
            From a checkpoint, maybe a foreign one.

        Raises
        ------
        ValueError
            With what does not fit.
        """
        self.writer(weights, "cpu")

    def writer(self, weights: Weights, device: str) -> tuple[Writer, Sampling]:
        """Make the network of ``weights`` ready to write, and say how it shall draw.

        Parameters
        ----------
        weights : Weights
            From a checkpoint of this architecture.
        device : str
            A torch device.

        Returns
        -------
        tuple of Writer and Sampling
            Ready.

        Raises
        ------
        ValueError
            If tensors are missing or of another shape than the config asks for.
        """
        config = weights.config
        if not isinstance(config, TokenConfig):
            raise ValueError("these weights are of another architecture")
        vocabulary = weights.state.get("vocabulary")
        if not isinstance(vocabulary, list) or not all(type(size) is int and size > 0 for size in vocabulary):
            raise ValueError("the checkpoint's state holds no vocabulary")
        network = load(
            config.network_shape(vocabulary),
            {
                name.removeprefix(NETWORK): value
                for name, value in weights.tensors.items()
                if name.startswith(NETWORK)
            },
            device=device,
        )
        return Writer(network), config.sampling()


def read_sources(
    sources: Sequence[TrainingSource],
    read: Callable[[TrainingSource], tuple[Content, UsedRecording]],
    config: TokenConfig,
    *,
    seed: int,
    on_progress: Progress | None,
    should_stop: ShouldStop | None,
) -> tuple[list[Content], list[UsedRecording], dict[str, str]]:
    """Read sources until there are as many as the config wants, keeping the reasons of those that can't be used.

    Parameters
    ----------
    sources : sequence of TrainingSource
        What there is.
    read : callable
        Gives content and facts of one source, or raises ``SourceError``.
    config : TokenConfig
        Its ``max_recordings`` and ``min_recording_s``.
    seed : int
        Draws the order in which training sources are tried.
    on_progress, should_stop : callable or None
        Asked after every source.

    Returns
    -------
    tuple of list, list, dict
        Contents, facts beside them, and reasons by key. Sources beyond ``max_recordings`` have neither.

    Raises
    ------
    CorpusError
        If no training recording is left.
    TrainingStopped
        If ``should_stop`` said so.
    """
    contents: list[Content] = []
    used: list[UsedRecording] = []
    skipped: dict[str, str] = {}
    n_wanted, n_training = config.max_recordings or len(sources), 0
    for i, source in enumerate(in_drawn_order(sources, seed=seed)):
        if n_training == n_wanted:
            break
        if should_stop is not None and should_stop():
            raise TrainingStopped(0)
        try:
            content, facts = read(source)
            if source.split == "train":
                _require_length(facts, config.min_recording_s)
        except SourceError as error:
            skipped[source.key] = str(error)
        else:
            contents.append(content)
            used.append(facts)
            n_training += source.split == "train"
        if on_progress is not None:
            on_progress((i + 1) / len(sources), f"read {i + 1} of {len(sources)} recordings")
    if n_training == 0:
        reasons = f" (first: {next(iter(skipped.values()))})" if skipped else ""
        raise CorpusError(f"none of the {len(sources)} recordings can be trained on{reasons}")
    return contents, used, skipped


def _require_length(facts: UsedRecording, min_s: float) -> None:
    if facts.end_s - facts.start_s < min_s:
        raise SourceError(f"{facts.end_s - facts.start_s:.1f} s long, and {min_s:g} s are wanted")


def refuse_text(prompt: str) -> None:
    """Refuse a text prompt rather than pretend to follow it.

    Parameters
    ----------
    prompt : str
        As asked for.

    Raises
    ------
    PromptError
        If it is not blank.
    """
    if prompt.strip():
        raise PromptError(
            "this architecture takes no text: leave the prompt empty or give an audio file to go on from"
        )
