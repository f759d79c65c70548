"""Train the learned fingerprint (`provenance.similarity.learned`).

    python -m benchmarks.train_fingerprint --music DIR --out OUT [--steps N] [--minutes N]     start, or go on
    python -m benchmarks.train_fingerprint --out OUT --export provenance/similarity/weights/learned_1.safetensors

Trains on ``benchmarks/fingerprint_music.tsv`` alone, whose recordings are in no group of the protocol and sound like
none there. A pair is one moment of a recording and the same moment changed (`benchmarks.fingerprint_changes`); all other
moments of the batch are what it must be told from, those of the same recording too unless they sound alike. OUT/state
holds everything that going on needs. Every batch is drawn by the seed and its number, so a training that was stopped
and taken up sees the same batches as one that was not; on one thread it ends in the same weights.
"""

from __future__ import annotations

import argparse
import copy
import math
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save as safetensors_of
from torch import Tensor, nn
from torch.nn import functional

from benchmarks import fingerprint_changes as changes
from benchmarks import fingerprint_music, protocol
from benchmarks.fingerprint_network import network, pictures, unit
from lib import files
from provenance.similarity.learned import LEVELS_A_FRAME, SEGMENT_FRAMES
from provenance.similarity.levels import FLOOR_DB, HOP_S, N_BANDS

N_PAIRS = 512
FROM_ONE = 4
"""Pairs of a batch that come from one recording."""

BEFORE = 12
"""Frames before a segment that are heard too, for what they leave in it."""

OFFSET_S = 0.26
"""How far apart the two of a pair may begin: half of the distance between the segments of an index."""

APART_S = 4.0
"""Moments of one recording that lie closer are not told apart."""

TEMPERATURE = 0.07
PEAK_RATE = 2e-3
WARM_STEPS = 200
AVERAGED = 0.998
"""Of the averaged weights, which are those that are exported, how much stays at each step."""

HARDER_FROM = 945
"""The step from which on more is asked; a network that knows nothing yet learns nothing from it."""

ALIKE_HEARD, ALIKE_LEARNED = 0.7, 0.85
SAME_ANYWHERE = 0.9
"""Cosines above which two moments of one recording, or of any two, are taken for the same music come round again."""


@dataclass(frozen=True, slots=True)
class Music:
    """Levels of all recordings, one after another, and where each begins."""

    levels: NDArray[np.float16]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, recordings: Sequence[NDArray[np.float16]]) -> Music:
        long_enough = [levels for levels in recordings if len(levels) * HOP_S >= protocol.LEAST_S / 2]
        return cls(np.concatenate(long_enough), np.cumsum([0, *map(len, long_enough)]))

    @property
    def hours(self) -> float:
        return len(self.levels) * HOP_S / 3600


@dataclass(frozen=True, slots=True)
class Batch:
    """Pairs of segments in dB [shape=(n, SEGMENT_FRAMES, N_BANDS)], and where they come from."""

    clean: Tensor
    changed: Tensor
    recording: Tensor
    at_s: Tensor


class Training:
    """A network on its way, and all that going on needs."""

    def __init__(self, *, steps: int, seed: int) -> None:
        torch.manual_seed(seed)
        self.seed, self.step, self.seconds = seed, 0, 0.0
        self.plans = [(0, steps)]
        self.network = network().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.averaged = copy.deepcopy(self.network)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=PEAK_RATE, weight_decay=0.01)

    @property
    def steps(self) -> int:
        """At which step the training ends; rates fall towards it."""
        return self.plans[-1][1]

    def plan(self, steps: int) -> None:
        """End at another step than was planned. The plans are part of what makes the weights, and are kept."""
        if steps != self.steps:
            self.plans.append((self.step, steps))

    def learn(self, batch: Batch) -> float:
        """Take one step, and tell the loss."""
        began = time.monotonic()
        for group in self.optimizer.param_groups:
            group["lr"] = PEAK_RATE * self._rate()
        self.network.train()
        both = pictures(torch.cat([batch.clean, batch.changed]))
        with torch.autocast("cpu", torch.bfloat16):
            made = self.network(both.contiguous(memory_format=torch.channels_last))
        clean, changed = unit(made).chunk(2)
        loss = contrast(clean, changed, strangers(batch, clean.detach()))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        self._average()
        self.seconds += time.monotonic() - began
        return float(loss.detach())

    def _rate(self) -> float:
        if self.step < WARM_STEPS:
            return (self.step + 1) / WARM_STEPS
        gone = min(1.0, self.step / self.steps)
        return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * gone))

    @torch.no_grad()
    def _average(self) -> None:
        kept = min(AVERAGED, self.step / (self.step + 10))
        ours, theirs = self.averaged.state_dict(), self.network.state_dict()
        for name, value in ours.items():
            if value.is_floating_point():
                value.lerp_(theirs[name], 1 - kept)
            else:
                value.copy_(theirs[name])

    def save(self, path: Path) -> None:
        """Write the state; until it is whole, the one before stays."""
        state = {
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "told": torch.tensor([self.step, self.seed, round(self.seconds)]),
            "plans": torch.tensor(self.plans),
        }
        with files.replacing(path) as part, part.open("wb") as opened:
            torch.save(state, opened)

    @classmethod
    def load(cls, path: Path) -> Training:
        state = torch.load(path, weights_only=True)
        step, seed, seconds = (int(told) for told in state["told"])
        training = cls(steps=0, seed=seed)
        training.step, training.seconds = step, float(seconds)
        training.plans = [(int(since), int(steps)) for since, steps in state["plans"]]
        training.network.load_state_dict(state["network"])
        training.averaged.load_state_dict(state["averaged"])
        training.optimizer.load_state_dict(state["optimizer"])
        return training

    def export(self) -> bytes:
        """Give the averaged weights as safetensors, in half precision."""
        state = {
            name: (value.half() if value.is_floating_point() else value).contiguous()
            for name, value in self.averaged.state_dict().items()
        }
        content: bytes = safetensors_of(state)
        return content


def contrast(clean: Tensor, changed: Tensor, told_apart: Tensor) -> Tensor:
    """Ask of each moment which of the others is its own, changed, and the other way round."""
    likeness = clean @ changed.T / TEMPERATURE
    likeness = likeness.masked_fill(~told_apart, -torch.inf)
    own = torch.arange(len(clean))
    return (functional.cross_entropy(likeness, own) + functional.cross_entropy(likeness.T, own)) / 2


def strangers(batch: Batch, made: Tensor) -> Tensor:
    """Which moments must be told from which [shape=(n, n)]: each from its own copy, and from all that differs.

    Music comes round again, and the same music told from itself teaches nothing but noise.
    """
    heard = functional.normalize(pictures(batch.clean)[:, 0].flatten(1), dim=1)
    alike = heard @ heard.T
    same = batch.recording[:, None] == batch.recording[None, :]
    near = same & ((batch.at_s[:, None] - batch.at_s[None, :]).abs() < APART_S)
    again = same & ((alike > ALIKE_HEARD) | (made @ made.T > ALIKE_LEARNED))
    return ~(near | again | (alike > SAME_ANYWHERE)) | torch.eye(len(made), dtype=torch.bool)


def draw(music: Music, *, seed: int, step: int, n_pairs: int = N_PAIRS) -> Batch:
    """Draw the pairs of one step: the same for the same seed and step."""
    rng = np.random.default_rng([seed, step])
    chance = torch.Generator().manual_seed(int(rng.integers(2**62)))
    recording = np.repeat(_recordings(music, n_pairs // FROM_ONE, rng), FROM_ONE)
    at = _places(music, recording, rng)
    transposed = rng.integers(-6, 7, size=n_pairs) * (rng.random(n_pairs) < 0.5)
    offset = rng.uniform(-OFFSET_S, OFFSET_S, size=n_pairs) / HOP_S
    widest = np.where(rng.random(n_pairs) < 0.25, 0.09, 0.04) * (rng.random(n_pairs) < 0.8)
    tempo = 1 + rng.uniform(-1, 1, size=n_pairs) * widest

    clean = _segments(music, recording, at, np.ones(n_pairs), transposed)
    powers = _segments(music, recording, at + offset, tempo, transposed)
    others = [_others(music, n_pairs, rng) for _ in range(2)]
    # a reference may itself hold more than the copy does: the copy is a stem of it
    richer = np.flatnonzero(rng.random(n_pairs) < 0.15)
    laid_over = changes.mixed(clean[richer], others[0][richer], chance, low_db=-3.0, high_db=6.0)
    clean[richer] = laid_over
    changed = changes.changed(powers, others[1], chance, harder=step >= HARDER_FROM)
    return Batch(
        changes.levels_of(clean)[:, BEFORE:],
        changes.levels_of(changed)[:, BEFORE:],
        torch.from_numpy(recording),
        torch.from_numpy(at * HOP_S),
    )


def _recordings(music: Music, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    lengths = np.diff(music.starts).astype(np.float64)
    shares = np.sqrt(lengths) / np.sqrt(lengths).sum()
    return np.sort(rng.choice(len(lengths), size=n, p=shares)).astype(np.int64)


def _places(music: Music, recording: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float64]:
    lengths = np.diff(music.starts)[recording]
    last = np.maximum(1, lengths - LEVELS_A_FRAME * SEGMENT_FRAMES - 16)
    places: NDArray[np.float64] = np.floor(rng.random(len(recording)) * last)
    return places


def _others(music: Music, n: int, rng: np.random.Generator) -> Tensor:
    recording = _recordings(music, n, rng)
    rng.shuffle(recording)
    at = _places(music, recording, rng)
    return _segments(music, recording, at, np.ones(n), rng.integers(-6, 7, size=n))


def _segments(
    music: Music,
    recording: NDArray[np.int64],
    at: NDArray[np.float64],
    tempo: NDArray[np.float64],
    transposed: NDArray[np.int64],
) -> Tensor:
    """Cut powers, ``BEFORE`` frames more than a segment, at a tempo and moved by whole bands."""
    steps = np.arange(-BEFORE, SEGMENT_FRAMES) * LEVELS_A_FRAME
    first, end = music.starts[recording][:, None], music.starts[recording + 1][:, None]
    places = np.clip(first + at[:, None] + steps * tempo[:, None], first, end - 1.001)
    before = places.astype(np.int64)
    share = (places - before).astype(np.float32)[:, :, None]
    levels = music.levels[before].astype(np.float32)
    if share.any():
        levels = levels * (1 - share) + music.levels[before + 1].astype(np.float32) * share
    bands = np.arange(N_BANDS) - transposed[:, None]
    outside = (bands < 0) | (bands >= N_BANDS)
    levels = np.take_along_axis(levels, np.clip(bands, 0, N_BANDS - 1)[:, None, :], axis=2)
    levels = np.where(outside[:, None, :], np.float32(FLOOR_DB - 20), levels)
    return changes.powers_of(torch.from_numpy(levels))


def batches(music: Music, training: Training) -> Iterator[Batch]:
    """Draw the batches from where the training stands, each while the one before is learned from."""
    with ThreadPoolExecutor(1) as beside:
        coming = beside.submit(draw, music, seed=training.seed, step=training.step)
        for step in range(training.step + 1, training.steps + 1):
            batch = coming.result()
            coming = beside.submit(draw, music, seed=training.seed, step=step)
            yield batch


def music_of(folder: Path, kept: Path) -> Music:
    """Gather the levels of the listed recordings, hearing what was not heard before.

    Raises
    ------
    benchmarks.figures.NothingToMeasureError
        If one is missing under ``folder``.
    """
    listed = {track.sha256: track for track in fingerprint_music.tracks()}
    wanted = [
        protocol.Track("training", track.package, track.path, track.seconds, track.sha256)
        for track in listed.values()
    ]
    found = protocol.located(folder, wanted)
    return Music.of(
        [fingerprint_music.hear(path, track.sha256, kept).levels for track, path in found.items()]
    )


def train(training: Training, music: Music, state: Path, *, minutes: float, every_s: float = 180.0) -> None:
    """Learn until all steps are done or the time is up; the state is kept every few minutes."""
    began = kept = time.monotonic()
    losses: list[float] = []
    for batch in batches(music, training):
        losses.append(training.learn(batch))
        if training.step % 50 == 0:
            print(
                f"step {training.step} of {training.steps}: loss {np.mean(losses[-50:]):.3f}, "
                f"{(time.monotonic() - began) / len(losses):.2f} s a step",
                file=sys.stderr,
                flush=True,
            )
        if time.monotonic() - kept > every_s:
            training.save(state)
            kept = time.monotonic()
        if time.monotonic() - began > 60 * minutes:
            break
    training.save(state)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.train_fingerprint")
    parser.add_argument("--music", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=4_000)
    parser.add_argument("--minutes", type=float, default=math.inf)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--export", type=Path)
    told = parser.parse_args(arguments)
    state = told.out / "state.pt"
    if told.export is not None:
        files.write_bytes(told.export, Training.load(state).export())
        return 0
    if told.music is None:
        parser.error("--music names the folder of the packages")
    torch.set_num_threads(1)  # a second core draws the batches
    training = Training.load(state) if state.exists() else Training(steps=told.steps, seed=told.seed)
    training.plan(told.steps)
    music = music_of(told.music, told.out / "heard")
    print(f"{len(music.starts) - 1} recordings, {music.hours:.1f} hours", file=sys.stderr)
    train(training, music, state, minutes=told.minutes)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
