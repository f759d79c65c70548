"""What every generator architecture offers, and the values that pass between them and their callers.

Nothing here imports torch: the web process reads these values and never computes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

Family = Literal["symbolic", "audio"]
SourceKind = Literal["audio", "symbolic", "tracker"]
Split = Literal["train", "held_out"]
NETWORK = "network."
"""Prefix of the tensors that training adjusts; codebooks and the like stand beside them under other names."""

Tensors = Mapping[str, npt.NDArray[Any]]
Progress = Callable[[float, str], None]
"""Called with the part done, in [0, 1], and a few words on what is being done."""
ShouldStop = Callable[[], bool]


class ArchitectureError(Exception):
    """Root of everything that the architectures refuse. Permanent: trying again changes nothing."""


class UnknownArchitectureError(ArchitectureError):
    """No architecture has this name."""


class ConfigError(ArchitectureError):
    """A setting is unknown or its value is out of range; the message names it."""


class CorpusError(ArchitectureError):
    """The sources leave nothing to train on, or nothing to hold out."""


class SourceError(ArchitectureError):
    """One source can't be read; the message says why."""


class PromptError(ArchitectureError):
    """The prompt can't be used by this architecture."""


class TrainingStateError(ArchitectureError):
    """The state to resume from belongs to another training, or is damaged."""


class TrainingStopped(Exception):
    """The caller asked to stop. What was learned so far is in the state file, if there is one."""

    def __init__(self, step: int) -> None:
        super().__init__(f"stopped at step {step}")
        self.step = step


class GenerationStopped(Exception):
    """The caller asked to stop between or inside outputs; outputs already yielded are whole."""


@dataclass(frozen=True, slots=True)
class TrainingSource:
    """One recording of the dataset version, as the trainer sees it.

    Attributes
    ----------
    key : str
        What the caller calls it (a public id or sha256); it comes back in the corpus.
    path : Path
        A readable local file.
    kind : {"audio", "symbolic", "tracker"}
        What the file holds.
    split : {"train", "held_out"}
        Held-out recordings are never trained on, neither weights nor codebooks.
    """

    key: str
    path: Path
    kind: SourceKind
    split: Split = "train"


@dataclass(frozen=True, slots=True)
class UsedRecording:
    """What a corpus took from one source.

    Attributes
    ----------
    key, split
        As in the source.
    start_s, end_s : float
        The stretch used, in seconds from the start of the recording.
    n_steps : int
        Length in model steps.
    how : str
        How the file became steps, e.g. ``"notes"``, ``"notes heard in audio"``, ``"rendered MIDI"``.
    """

    key: str
    split: Split
    start_s: float
    end_s: float
    n_steps: int
    how: str


@dataclass(frozen=True)
class Corpus:
    """Sources made ready for one architecture and one config.

    Attributes
    ----------
    recordings : tuple of UsedRecording
        What was used; the training run should store it: these are the recordings the weights have seen.
    skipped : dict
        Key of each source that was left out, with the reason.
    """

    recordings: tuple[UsedRecording, ...]
    skipped: dict[str, str]

    def keys(self, split: Split) -> tuple[str, ...]:
        """Keys of the recordings used in ``split``, in the order given."""
        return tuple(used.key for used in self.recordings if used.split == split)


@dataclass(frozen=True, slots=True)
class TrainingMetrics:
    """Figures of one training. Losses are mean nats a step: lower is better, comparable within one corpus only.

    Attributes
    ----------
    train_loss, held_out_loss : float
        Of the weights that were kept, without dropout, on all training and all held-out recordings.
        ``held_out_loss`` is None when nothing was held out.
    noise_baseline_loss : float or None
        Held-out loss of drawing every token uniformly at random: white noise.
    unigram_baseline_loss : float or None
        Held-out loss of drawing every token by its frequency in the training recordings.
    shuffled_baseline_loss : float or None
        Held-out loss of the same network, trained the same way, on training recordings whose steps were
        shuffled in time; None when the config switches it off. What beats it has learned order.
    best_step : int
        The step whose weights were kept.
    n_parameters, steps : int
        Size of the network; steps done.
    seconds : float
        Wall time of the training proper, over all resumed parts, without corpus and baseline.
    """

    train_loss: float
    held_out_loss: float | None
    noise_baseline_loss: float | None
    unigram_baseline_loss: float | None
    shuffled_baseline_loss: float | None
    best_step: int
    n_parameters: int
    steps: int
    seconds: float

    @property
    def beats_baselines(self) -> bool | None:
        """Whether the held-out loss lies under every baseline that was measured; None if none was."""
        baselines = [
            loss
            for loss in (self.noise_baseline_loss, self.unigram_baseline_loss, self.shuffled_baseline_loss)
            if loss is not None
        ]
        if self.held_out_loss is None or not baselines:
            return None
        return self.held_out_loss < min(baselines)

    def as_json(self) -> dict[str, float | int | None]:
        """All figures as plain JSON values."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Trained:
    """What a training leaves: enough to make a checkpoint of.

    Attributes
    ----------
    tensors : dict of str to np.ndarray
        Network weights, and codebooks where the architecture has them.
    state : dict
        JSON values that ``generate`` needs beside the tensors (vocabulary sizes, tempo grid, …).
    metrics : TrainingMetrics
        Figures of the training.
    """

    tensors: Tensors
    state: dict[str, Any]
    metrics: TrainingMetrics


@dataclass(frozen=True)
class Weights:
    """What ``generate`` works from: the part of a checkpoint that makes sound.

    Attributes
    ----------
    config : Config
        The config that it was trained with.
    tensors, state
        As ``Trained`` left them.
    """

    config: Config
    tensors: Tensors
    state: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sketch:
    """One output.

    Attributes
    ----------
    samples : np.ndarray [shape=(n_samples, n_channels), dtype=float32]
        In [-1, 1].
    sample_rate_hz : int
        Samples a second.
    seed : int
        Makes the same output again, alone or among others.
    midi : bytes or None
        The notes, where the architecture writes notes.
    """

    samples: npt.NDArray[np.float32]
    sample_rate_hz: int
    seed: int
    midi: bytes | None = None


ConfigT = TypeVar("ConfigT", bound="Config")


@dataclass(frozen=True)
class Config:
    """Settings of one architecture: frozen, checked, and made from JSON.

    Attributes
    ----------
    steps : int
        Optimiser steps, when the caller of ``train`` has no other wish.
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    steps: int = 300

    @classmethod
    def from_json(cls: type[ConfigT], settings: Mapping[str, Any]) -> ConfigT:
        """Make a config from plain values, over a preset when ``"preset"`` names one.

        Parameters
        ----------
        settings : dict
            Names and values; what is absent keeps its default.

        Returns
        -------
        Config
            Checked.

        Raises
        ------
        ConfigError
            If a name is unknown, or a value has another type or is out of range.
        """
        given = dict(settings)
        preset = given.pop("preset", None)
        if preset is not None:
            if preset not in cls.presets:
                raise ConfigError(f"no preset {preset!r}: there are {', '.join(sorted(cls.presets))}")
            given = {**cls.presets[preset], **given}
        fields = {one.name: one for one in dataclasses.fields(cls)}
        unknown = sorted(set(given) - set(fields))
        if unknown:
            raise ConfigError(f"unknown setting {unknown[0]!r}: there are {', '.join(sorted(fields))}")
        for name, value in given.items():
            given[name] = _as_type_of(name, value, fields[name].default)
        return cls(**given)

    def as_json(self) -> dict[str, Any]:
        """All settings as plain JSON values; ``from_json`` makes the same config of them."""
        return dataclasses.asdict(self)


def _as_type_of(name: str, value: Any, default: Any) -> Any:
    wanted = type(default)
    if wanted is float and type(value) is int:
        return float(value)
    if type(value) is not wanted:
        raise ConfigError(f"{name} must be {_TYPE_NAMES[wanted]}, not {value!r}")
    return value


_TYPE_NAMES = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}


def require_range(name: str, value: float, low: float, high: float) -> None:
    """Refuse ``value`` unless ``low <= value <= high``.

    Parameters
    ----------
    name : str
        The setting's name, for the message.
    value, low, high : float
        In the setting's unit.

    Raises
    ------
    ConfigError
        If it lies outside, or is not a number at all.
    """
    if not low <= value <= high:
        raise ConfigError(f"{name} must lie in {low:g}..{high:g}, not {value:g}")


class Architecture(Protocol):
    """One way of making music. Stateless: the same instance serves every training and every model."""

    name: str
    family: Family
    version: str
    config_class: type[Config]
    source_kinds: frozenset[SourceKind]

    def usable(self, sources: Sequence[TrainingSource]) -> list[TrainingSource]:
        """Choose the sources worth training on; to be asked before some are held out."""
        ...

    def prepare(
        self,
        sources: Sequence[TrainingSource],
        config: Config,
        *,
        seed: int,
        on_progress: Progress | None = None,
        should_stop: ShouldStop | None = None,
    ) -> Corpus:
        """Read the sources, which takes most of the input and output, and make them ready for ``train``."""
        ...

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
        """Train ``steps`` steps; on CPU, the same arguments give the same weights, resumed or not."""
        ...

    def require_usable(self, weights: Weights) -> None:
        """Raise ``ValueError`` unless ``generate`` could work from these weights."""
        ...

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
        """Yield an output a seed; an output depends on its own seed and not on its neighbours."""
        ...


def output_seeds(seed: int, n: int) -> list[int]:
    """Seeds of ``n`` outputs asked for under one ``seed``.

    Parameters
    ----------
    seed : int
        Of the request.
    n : int
        How many, >= 0.

    Returns
    -------
    list of int
        Each in [0, 2**31). The first ``k`` stay the same whatever ``n`` is, and a request for one output
        uses ``seed`` itself, so that an output can be made again from the seed printed beside it.
    """
    return [seed if i == 0 else derived_seed("output", seed, i) for i in range(n)]


def derived_seed(*parts: str | int) -> int:
    """Mix ``parts`` into a seed in [0, 2**31), the same on every machine and Python."""
    digest = hashlib.sha256("/".join(str(part) for part in parts).encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def hold_out(
    sources: Sequence[TrainingSource], *, part: float, seed: int, at_least: int = 1
) -> list[TrainingSource]:
    """Give whole recordings to the held-out split, the rest to training, kind by kind.

    Which ones does not depend on the order of the sources. Each kind gives its part, so that an architecture that
    uses one kind only still finds some of it held out.

    Parameters
    ----------
    sources : sequence of TrainingSource
        Their own ``split`` is ignored.
    part : float
        Wanted part of the recordings, in [0, 1).
    seed : int
        Chooses them.
    at_least : int
        Hold out this many of each kind at least, as long as two thirds of it are left for training.

    Returns
    -------
    list of TrainingSource
        In the order given.
    """
    held_out: set[str] = set()
    for kind in sorted({source.kind for source in sources}):
        keys = sorted(source.key for source in sources if source.kind == kind)
        n_held_out = min(max(at_least, round(part * len(keys))), len(keys) // 3)
        held_out.update(random.Random(derived_seed(kind, seed)).sample(keys, n_held_out))
    return [
        dataclasses.replace(source, split="held_out" if source.key in held_out else "train")
        for source in sources
    ]


def in_drawn_order(sources: Sequence[TrainingSource], *, seed: int) -> list[TrainingSource]:
    """Held-out sources first, then the training sources in an order drawn by ``seed``.

    The order of ``sources`` plays no part, so that a sample of a dataset does not depend on how it was listed.
    """
    held_out = sorted((source for source in sources if source.split == "held_out"), key=lambda one: one.key)
    training = sorted((source for source in sources if source.split == "train"), key=lambda one: one.key)
    return held_out + random.Random(seed).sample(training, len(training))


@dataclass(frozen=True)
class TokenCorpus(Corpus):
    """A corpus of recordings written as steps of several tokens each.

    Attributes
    ----------
    tokens : tuple of np.ndarray [shape=(n_steps, n_fields), dtype=int16]
        One a recording, in the order of ``recordings``.
    vocabulary : tuple of int
        Number of values of each field.
    tensors : dict of str to np.ndarray
        What turns steps back into sound, beside the weights.
    state : dict
        JSON values to the same end.
    geometry : tuple of np.ndarray [shape=(size of the field, n_dimensions)]
        Where the values of each field lie, if they lie anywhere; the network starts from it.
    """

    tokens: tuple[npt.NDArray[np.int16], ...] = ()
    vocabulary: tuple[int, ...] = ()
    tensors: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    geometry: tuple[npt.NDArray[np.float32], ...] = ()

    def of_split(self, split: Split) -> list[npt.NDArray[np.int16]]:
        """Steps of every recording of ``split``."""
        return [
            tokens for used, tokens in zip(self.recordings, self.tokens, strict=True) if used.split == split
        ]

    def digest(self) -> str:
        """SHA-256 over splits, tokens, vocabulary and geometry: two corpora with one digest train the same weights."""
        digest = hashlib.sha256(repr(self.vocabulary).encode())
        for used, tokens in zip(self.recordings, self.tokens, strict=True):
            digest.update(f"{used.split}:{tokens.shape}".encode())
            digest.update(np.ascontiguousarray(tokens, dtype="<i2").tobytes())
        for places in self.geometry:
            digest.update(np.ascontiguousarray(places, dtype="<f4").tobytes())
        return digest.hexdigest()
