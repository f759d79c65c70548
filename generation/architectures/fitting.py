"""The training loop of the token-writing architectures: seeded, stoppable, resumable, early-stopping.

Step ``k`` of a training draws everything random from a generator seeded with ``(seed, k)``, so a resumed
training sees what an uninterrupted one would have seen and ends with the same weights.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from generation.architectures.base import (
    CorpusError,
    Progress,
    ShouldStop,
    TokenCorpus,
    TrainingMetrics,
    TrainingStateError,
    TrainingStopped,
    derived_seed,
)
from generation.architectures.transformer import Dropout, NetworkShape, StepTransformer, build, weights_of

STATE_FORMAT = "liner-notes-training-state/1"

Steps = npt.NDArray[np.int16]
Augment = Callable[[Steps, np.random.Generator], Steps]
"""Changes a window of real steps before it is learned from, e.g. transposes it."""

Present = Callable[[Steps], Steps]
"""Writes a window as the network reads it; used in training and in measuring."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train.

    Attributes
    ----------
    batch : int
        Windows a step.
    learning_rate : float
        Peak of AdamW's rate; it warms up over 5 % of the steps and falls to a tenth along a cosine.
    dropout : float
        Part of the channels dropped in each block, in [0, 1).
    weight_decay : float
        AdamW's.
    token_noise : float
        Part of the steps *read* (not of those predicted) that is replaced by others of the same window: a
        network that only ever read perfect pasts loses its way after its own first mistake.
    keep_best : bool
        Keep the weights of the lowest held-out loss and stop when it has not fallen for ``patience``
        measurements; without it the last weights are kept.
    evaluate_every, patience : int
        Steps between measurements, and measurements waited for.
    shuffled_baseline : bool
        Train the shuffled baseline too, which takes as long again.
    """

    batch: int
    learning_rate: float
    dropout: float
    weight_decay: float
    token_noise: float
    keep_best: bool
    evaluate_every: int
    patience: int
    shuffled_baseline: bool


@dataclass(frozen=True)
class Fit:
    """Outcome of ``fit``.

    Attributes
    ----------
    tensors : dict of str to np.ndarray
        Weights.
    metrics : TrainingMetrics
        Figures.
    """

    tensors: dict[str, npt.NDArray[Any]]
    metrics: TrainingMetrics


class AdamW:
    """Adam with decoupled weight decay (Loshchilov and Hutter 2017, arXiv:1711.05101).

    torch's own does the same and loads its compiler to do so, which takes five seconds a process here.

    Parameters
    ----------
    weights : sequence of Tensor
        What to adjust, by their ``grad``.
    weight_decay : float
        Part of a weight lost a step, times the learning rate.
    """

    FIRST, SECOND, EPSILON = 0.9, 0.98, 1e-8

    def __init__(self, weights: Sequence[Tensor], weight_decay: float) -> None:
        self.weights = list(weights)
        self.weight_decay = weight_decay
        self.n_steps = 0
        self.first = [torch.zeros_like(one) for one in self.weights]
        self.second = [torch.zeros_like(one) for one in self.weights]

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Adjust every weight that has a gradient, and drop the gradients."""
        self.n_steps += 1
        first_bias = 1 - self.FIRST**self.n_steps
        second_bias = 1 - self.SECOND**self.n_steps
        for weight, first, second in zip(self.weights, self.first, self.second, strict=True):
            if weight.grad is None:
                continue
            weight.mul_(1 - learning_rate * self.weight_decay)
            first.lerp_(weight.grad, 1 - self.FIRST)
            second.mul_(self.SECOND).addcmul_(weight.grad, weight.grad, value=1 - self.SECOND)
            scale = second.sqrt().div_(math.sqrt(second_bias)).add_(self.EPSILON)
            weight.addcdiv_(first, scale, value=-learning_rate / first_bias)
            weight.grad = None

    def tensors(self) -> dict[str, Tensor]:
        """Both moments of every weight."""
        moments = {f"first.{i}": moment for i, moment in enumerate(self.first)}
        return moments | {f"second.{i}": moment for i, moment in enumerate(self.second)}

    def restore(self, tensors: Mapping[str, Tensor], n_steps: int) -> None:
        """Go on from stored moments."""
        self.n_steps = n_steps
        for name, moment in self.tensors().items():
            moment.copy_(tensors[name])


@dataclass
class _Run:
    """A training under way: everything that a state file holds."""

    network: StepTransformer
    optimiser: AdamW
    step: int = 0
    seconds: float = 0.0
    best_loss: float = math.inf
    best_step: int = 0
    best: dict[str, Tensor] = field(default_factory=dict)
    finished: bool = False


def fit(
    corpus: TokenCorpus,
    shape: NetworkShape,
    recipe: Recipe,
    *,
    steps: int,
    seed: int,
    device: str = "cpu",
    augment: Augment | None = None,
    present: Present = np.copy,
    state_file: Path | None = None,
    resume: bool = False,
    save_every: int = 100,
    on_progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
) -> Fit:
    """Train a network on a corpus and measure it against its baselines.

    Parameters
    ----------
    corpus : TokenCorpus
        Steps of training and held-out recordings.
    shape : NetworkShape
        Size of the network.
    recipe : Recipe
        How to train.
    steps : int
        Most optimiser steps, > 0.
    seed : int
        Of weights, windows, dropout and noise.
    device : str
        A torch device. Only on the CPU are weights the same bit by bit from run to run.
    augment : callable or None
        Applied to every training window.
    present : callable
        Applied to every window last; keeps the steps as they are by default.
    state_file : Path or None
        Where to keep what is needed to go on, every ``save_every`` steps and when stopped; removed by nobody.
    resume : bool
        Go on from ``state_file`` if it is there.
    save_every : int
        Optimiser steps between two writes of ``state_file``, > 0.
    on_progress, should_stop : callable or None
        Asked after every step.

    Returns
    -------
    Fit
        The weights kept and their figures.

    Raises
    ------
    CorpusError
        If nothing is there to train on, or ``keep_best`` has nothing held out to judge by.
    TrainingStateError
        If the state file is damaged or of another training.
    TrainingStopped
        If ``should_stop`` said so.
    """
    train, held_out = corpus.of_split("train"), corpus.of_split("held_out")
    if sum(len(tokens) for tokens in train) < 2:
        raise CorpusError("the training recordings hold no music that this architecture can learn from")
    if recipe.keep_best and not held_out:
        raise CorpusError("early stopping needs held-out recordings, and there are none")
    identity = _identity(corpus, shape, recipe, steps, seed)
    run = _start(corpus, shape, recipe, seed, device)
    if resume and state_file is not None and state_file.exists():
        _restore(run, state_file, identity, device)
    share = 0.5 if recipe.shuffled_baseline and held_out else 1.0
    _advance(
        run, train, held_out, recipe, steps=steps, seed=seed, device=device, augment=augment, present=present,
        save=_saver(run, state_file, identity), save_every=save_every,
        on_progress=_part_of(on_progress, 0.0, share, "training"), should_stop=should_stop,
    )  # fmt: skip
    if recipe.keep_best:
        run.network.load_state_dict(run.best)
    shuffled_loss = None
    if recipe.shuffled_baseline and held_out:
        shuffled_loss = _shuffled_baseline(
            corpus, shape, recipe, steps=steps, seed=seed, device=device, augment=augment, present=present,
            on_progress=_part_of(on_progress, share, 1.0, "training the shuffled baseline"),
            should_stop=should_stop,
        )  # fmt: skip
    metrics = TrainingMetrics(
        train_loss=measure(run.network, train, present),
        held_out_loss=measure(run.network, held_out, present) if held_out else None,
        noise_baseline_loss=noise_loss(shape.vocabulary, held_out) if held_out else None,
        unigram_baseline_loss=unigram_loss(shape.vocabulary, train, held_out, present) if held_out else None,
        shuffled_baseline_loss=shuffled_loss,
        best_step=run.best_step if recipe.keep_best else run.step,
        n_parameters=sum(weights.numel() for weights in run.network.parameters()),
        steps=run.step,
        seconds=run.seconds,
    )
    return Fit(weights_of(run.network), metrics)


def _start(corpus: TokenCorpus, shape: NetworkShape, recipe: Recipe, seed: int, device: str) -> _Run:
    network = build(shape, seed=derived_seed("weights", seed), device=device, geometry=corpus.geometry)
    return _Run(network, AdamW(list(network.parameters()), recipe.weight_decay))


def _advance(
    run: _Run,
    train: list[Steps],
    held_out: list[Steps],
    recipe: Recipe,
    *,
    steps: int,
    seed: int,
    device: str,
    augment: Augment | None,
    present: Present,
    save: Callable[[], None],
    save_every: int,
    on_progress: Progress | None,
    should_stop: ShouldStop | None,
) -> None:
    windows = Windows(train, run.network.shape, present)
    while run.step < steps and not run.finished:
        started = time.monotonic()
        generator = np.random.default_rng([seed, run.step])
        batch = windows.draw(recipe.batch, generator, augment, recipe.token_noise)
        dropout = Dropout(
            recipe.dropout,
            torch.Generator(device=device).manual_seed(derived_seed("dropout", seed, run.step)),
        )
        loss = batch.loss(run.network, device, dropout)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(run.network.parameters(), 1.0)
        run.optimiser.step(recipe.learning_rate * rate_at(run.step, steps))
        run.step += 1
        if recipe.keep_best and (run.step % recipe.evaluate_every == 0 or run.step == steps):
            _judge(run, held_out, recipe, present)
        run.seconds += time.monotonic() - started
        stop = should_stop is not None and should_stop()
        if stop or run.step % save_every == 0 or run.step == steps or run.finished:
            save()
        if stop:
            raise TrainingStopped(run.step)
        if on_progress is not None:
            on_progress(run.step / steps, f"step {run.step} of {steps}, loss {loss.item():.2f}")


def _judge(run: _Run, held_out: list[Steps], recipe: Recipe, present: Present) -> None:
    loss = measure(run.network, held_out, present)
    if loss < run.best_loss:
        run.best_loss, run.best_step = loss, run.step
        run.best = {name: value.detach().clone() for name, value in run.network.state_dict().items()}
    elif run.step - run.best_step >= recipe.patience * recipe.evaluate_every:
        run.finished = True


def rate_at(step: int, steps: int) -> float:
    """Learning rate of a step as a part of its peak, in (0, 1]: linear warm-up, then a cosine to a tenth."""
    warm_up = max(1, steps // 20)
    if step < warm_up:
        return (step + 1) / warm_up
    done = (step - warm_up) / max(1, steps - warm_up)
    return 0.1 + 0.45 * (1 + math.cos(math.pi * done))


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows of equal length.

    Attributes
    ----------
    read, wanted : np.ndarray [shape=(batch, n_steps, n_fields), dtype=int64]
        What the network reads, and what it should have predicted; they differ by the noise.
    mask : np.ndarray [shape=(batch, n_steps), dtype=bool]
        Which steps are there.
    """

    read: npt.NDArray[np.int64]
    wanted: npt.NDArray[np.int64]
    mask: npt.NDArray[np.bool_]

    def loss(self, network: StepTransformer, device: str, dropout: Dropout | None) -> Tensor:
        """Nats a step that the network needs."""
        return network.loss(
            torch.from_numpy(self.wanted).to(device),
            torch.from_numpy(self.mask).to(device),
            dropout,
            read=torch.from_numpy(self.read).to(device),
        )


class Windows:
    """Stretches of recordings, drawn for training.

    Parameters
    ----------
    recordings : sequence of np.ndarray [shape=(n_steps, n_fields)]
        A window never crosses from one to the next.
    shape : NetworkShape
        Gives the window's length and the value that ends a piece.
    present : callable
        Writes each window as the network reads it.
    """

    def __init__(self, recordings: Sequence[Steps], shape: NetworkShape, present: Present = np.copy) -> None:
        self.shape, self.present = shape, present
        self.recordings = [with_end(tokens, shape.end) for tokens in recordings if len(tokens)]
        lengths = np.array([len(tokens) for tokens in self.recordings], dtype=np.float64)
        self.part = lengths / lengths.sum()

    def draw(
        self, n: int, generator: np.random.Generator, augment: Augment | None = None, noise: float = 0.0
    ) -> Batch:
        """Draw ``n`` windows, each place of each recording about equally likely."""
        chosen = generator.choice(len(self.recordings), size=n, p=self.part)
        windows = []
        for i in chosen:
            tokens = self.recordings[i]
            first = int(generator.integers(0, max(0, len(tokens) - self.shape.context) + 1))
            window = tokens[first : first + self.shape.context]
            windows.append(self.present(window if augment is None else augment(window, generator)))
        wanted, mask = _stack(windows)
        read = wanted
        if noise > 0.0:
            read = wanted.copy()
            places = np.arange(wanted.shape[1])
            for row in range(n):
                there = int(mask[row].sum())
                replaced = (generator.random(wanted.shape[1]) < noise) & (places < there)
                read[row, replaced] = wanted[row, generator.integers(0, there, int(replaced.sum()))]
        return Batch(read, wanted, mask)


def with_end(tokens: Steps, end: int) -> Steps:
    """Append the step that ends a piece."""
    last = np.zeros((1, tokens.shape[1]), dtype=tokens.dtype)
    last[0, 0] = end
    return np.concatenate([tokens, last])


def _stack(windows: Sequence[Steps]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    longest = max(len(window) for window in windows)
    steps = np.zeros((len(windows), longest, windows[0].shape[1]), dtype=np.int64)
    mask = np.zeros((len(windows), longest), dtype=np.bool_)
    for row, window in enumerate(windows):
        steps[row, : len(window)] = window
        mask[row, : len(window)] = True
    return steps, mask


def measure(network: StepTransformer, recordings: Sequence[Steps], present: Present = np.copy) -> float:
    """Mean loss over whole recordings, cut into windows that each start from nothing.

    Parameters
    ----------
    network : StepTransformer
        Used without dropout.
    recordings : sequence of np.ndarray [shape=(n_steps, n_fields)]
        Not empty.
    present : callable
        Writes each window as the network reads it.

    Returns
    -------
    float
        Nats a step.
    """
    context, device = network.shape.context, str(network.start.device)
    windows = [
        present(ended[first : first + context])
        for ended in (with_end(tokens, network.shape.end) for tokens in recordings if len(tokens))
        for first in range(0, len(ended), context)
    ]
    total, n_steps = 0.0, 0
    with torch.inference_mode():
        for first in range(0, len(windows), 16):
            steps, mask = _stack(windows[first : first + 16])
            n_here = int(mask.sum())
            total += float(Batch(steps, steps, mask).loss(network, device, None)) * n_here
            n_steps += n_here
    return total / n_steps


def noise_loss(vocabulary: Sequence[int], recordings: Sequence[Steps]) -> float:
    """Loss of drawing every token uniformly: nats a step, the ends of pieces counted as in ``measure``."""
    n_steps = sum(len(tokens) for tokens in recordings)
    n_ends = sum(1 for tokens in recordings if len(tokens))
    first = math.log(vocabulary[0] + 1)
    others = sum(math.log(size) for size in vocabulary[1:])
    return (n_steps * (first + others) + n_ends * first) / (n_steps + n_ends)


def unigram_loss(
    vocabulary: Sequence[int], train: Sequence[Steps], held_out: Sequence[Steps], present: Present = np.copy
) -> float:
    """Loss of drawing every token by how often its field takes that value in ``train``, plus one: nats a step."""
    end = vocabulary[0]
    known = np.concatenate([present(with_end(tokens, end)) for tokens in train if len(tokens)])
    asked = np.concatenate([present(with_end(tokens, end)) for tokens in held_out if len(tokens)])
    total = 0.0
    for i, size in enumerate(vocabulary):
        seen = known[:, i] if i == 0 else known[known[:, 0] != end, i]
        scored = asked[:, i] if i == 0 else asked[asked[:, 0] != end, i]
        counts = np.bincount(seen, minlength=size + (i == 0)) + 1.0
        total -= float(np.log(counts / counts.sum())[scored].sum())
    return total / len(asked)


def _shuffled_baseline(
    corpus: TokenCorpus,
    shape: NetworkShape,
    recipe: Recipe,
    *,
    steps: int,
    seed: int,
    device: str,
    augment: Augment | None,
    present: Present,
    on_progress: Progress | None,
    should_stop: ShouldStop | None,
) -> float:
    """Held-out loss (order intact) of a twin that learned from recordings whose steps were shuffled."""
    generator = np.random.default_rng([seed, 0x5F])
    shuffled = [tokens[generator.permutation(len(tokens))] for tokens in corpus.of_split("train")]
    held_out = corpus.of_split("held_out")
    run = _start(corpus, shape, recipe, seed, device)
    _advance(
        run, shuffled, held_out, recipe, steps=steps, seed=seed, device=device, augment=augment, present=present,
        save=lambda: None, save_every=steps, on_progress=on_progress, should_stop=should_stop,
    )  # fmt: skip
    return run.best_loss if recipe.keep_best else measure(run.network, held_out, present)


def _part_of(on_progress: Progress | None, first: float, last: float, what: str) -> Progress | None:
    if on_progress is None:
        return None
    return lambda done, words: on_progress(first + (last - first) * done, f"{what}: {words}")


def _identity(corpus: TokenCorpus, shape: NetworkShape, recipe: Recipe, steps: int, seed: int) -> str:
    return json.dumps([STATE_FORMAT, corpus.digest(), repr(shape), repr(recipe), steps, seed])


def _saver(run: _Run, state_file: Path | None, identity: str) -> Callable[[], None]:
    if state_file is None:
        return lambda: None
    return lambda: _save(run, state_file, identity)


def _save(run: _Run, state_file: Path, identity: str) -> None:
    tensors = {f"network.{name}": value for name, value in run.network.state_dict().items()}
    tensors |= {f"best.{name}": value for name, value in run.best.items()}
    tensors |= {f"optimiser.{name}": value for name, value in run.optimiser.tensors().items()}
    told = {
        "format": STATE_FORMAT,
        "identity": identity,
        "run": json.dumps(
            [
                run.step,
                run.seconds,
                None if math.isinf(run.best_loss) else run.best_loss,
                run.best_step,
                run.finished,
            ]
        ),
    }
    content = safetensors.torch.save(
        {name: value.cpu().contiguous() for name, value in tensors.items()}, told
    )
    part = state_file.with_name(state_file.name + ".part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(state_file)


def _restore(run: _Run, state_file: Path, identity: str, device: str) -> None:
    try:
        with safetensors.safe_open(state_file, framework="pt") as file:
            told = file.metadata() or {}
            tensors = {name: file.get_tensor(name).to(device) for name in file.keys()}  # noqa: SIM118
    except (OSError, safetensors.SafetensorError) as error:
        raise TrainingStateError(f"{state_file.name} is damaged: {error}") from error
    if told.get("format") != STATE_FORMAT:
        raise TrainingStateError(f"{state_file.name} has format {told.get('format')!r}, not {STATE_FORMAT!r}")
    if told["identity"] != identity:
        raise TrainingStateError(f"{state_file.name} is of another corpus, config, seed or number of steps")
    run.network.load_state_dict(_under("network.", tensors))
    run.best = _under("best.", tensors)
    run.step, run.seconds, best_loss, run.best_step, run.finished = json.loads(told["run"])
    run.optimiser.restore(_under("optimiser.", tensors), run.step)
    run.best_loss = math.inf if best_loss is None else best_loss


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
