"""A small causal transformer over steps of several tokens, shared by the architectures that write tokens.

A step holds one token a field (for notes: tempo, onset, instrument, …; for sound: one code a frequency band).
Fields of a step are summed on the way in and predicted one after the other on the way out, each knowing those
before it, as in the Compound Word Transformer (Hsiao et al. 2021, arXiv:2101.02402): a step costs one position
instead of one a token, which is what makes training on two CPU cores possible. Positions are rotary (Su et al.
2021, arXiv:2104.09864), so that writing may go on beyond the length trained on.

Nothing here draws from torch's global generator.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

IGNORED = -100
"""Target that adds nothing to the loss: torch's own default."""

GEOMETRY_SCALE = 0.1
"""Standard deviation of what a geometry adds to an embedding; other weights are drawn with ``WEIGHT_SCALE``."""

WEIGHT_SCALE = 0.02


@dataclass(frozen=True, slots=True)
class NetworkShape:
    """Size of a network.

    Attributes
    ----------
    vocabulary : tuple of int
        Number of values of each field; the first field has one more, which ends the piece.
    width : int
        Channels of the residual stream, a multiple of ``2 * heads``.
    layers, heads : int
        Blocks, and attention heads a block.
    context : int
        Longest stretch of steps attended to.
    embedding_scale : float
        Standard deviation of fresh embeddings. Small ones let values share what is learned of one another, large
        ones keep them apart, which learns by heart sooner.
    """

    vocabulary: tuple[int, ...]
    width: int
    layers: int
    heads: int
    context: int
    embedding_scale: float = WEIGHT_SCALE

    @property
    def end(self) -> int:
        """The value of the first field that ends the piece."""
        return self.vocabulary[0]


class _Linear(nn.Linear):
    """A linear layer that draws nothing when it is made: ``initialise`` or ``load`` fills it."""

    def reset_parameters(self) -> None:
        pass


class _Table(nn.Embedding):
    """A table of embeddings that draws nothing when it is made."""

    def reset_parameters(self) -> None:
        pass


class StepTransformer(nn.Module):
    """The network. Weights are drawn by ``initialise``, not by the constructor.

    Parameters
    ----------
    shape : NetworkShape
        Its size.
    """

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.shape = shape
        sizes = [shape.vocabulary[0] + 1, *shape.vocabulary[1:]]
        inner = min(128, shape.width)
        self.start = nn.Parameter(torch.empty(shape.width))
        self.inputs = nn.ModuleList(_Table(size, shape.width) for size in sizes)
        self.blocks = nn.ModuleList(_Block(shape.width, shape.heads) for _ in range(shape.layers))
        self.said = nn.ModuleList(_Table(size, shape.width) for size in sizes[:-1])
        self.norms = nn.ModuleList(nn.LayerNorm(shape.width) for _ in sizes)
        self.bottlenecks = nn.ModuleList(_Linear(shape.width, inner) for _ in sizes)
        self.heads = nn.ModuleList(_Linear(inner, size) for size in sizes)

    def initialise(
        self, generator: torch.Generator, geometry: Sequence[npt.NDArray[np.float32]] = ()
    ) -> None:
        """Draw every weight anew.

        Parameters
        ----------
        generator : torch.Generator
            Draws them.
        geometry : sequence of np.ndarray [shape=(size of the field, n_dimensions)]
            Where the values of each field lie in a space in which near ones mean the same; their embeddings start
            as a random projection of it. Without it every value starts as strange to every other.
        """
        with torch.no_grad():
            for name, weights in self.named_parameters():
                if "norm" in name:
                    weights.fill_(1.0 if name.endswith("weight") else 0.0)
                elif name.endswith("bias"):
                    weights.zero_()
                else:
                    is_table = name.startswith(("inputs.", "said."))
                    deviation = self.shape.embedding_scale if is_table else WEIGHT_SCALE
                    weights.normal_(0.0, deviation, generator=generator)
                if name.endswith(("attention_out.weight", "feed_out.weight")):
                    weights.div_(math.sqrt(2 * self.shape.layers))
            for i, places in enumerate(geometry):
                near = torch.from_numpy(places / np.sqrt(np.mean(np.sum(places**2, axis=1)) + 1e-12))
                for table in (self.inputs, self.said, self.heads):
                    if i < len(table):
                        _start_from(table[i], near, generator)

    def forward(
        self, steps: Tensor, dropout: Dropout | None = None, *, read: Tensor | None = None
    ) -> list[Tensor]:
        """Predict every step from those before it.

        Parameters
        ----------
        steps : Tensor [shape=(batch, n_steps, n_fields), dtype=int64]
            The first is predicted from nothing, the last only predicted.
        dropout : Dropout or None
            None leaves everything in place.
        read : Tensor or None
            What stands in the past in place of ``steps``; the fields within a step are never replaced.

        Returns
        -------
        list of Tensor [shape=(batch, n_steps, size of the field)]
            Logits, a field each.
        """
        stream = self.start.expand(steps.shape[0], 1, -1)
        if steps.shape[1] > 1:
            stream = torch.cat([stream, self._embed((steps if read is None else read)[:, :-1])], dim=1)
        cosine, sine = rotation(
            torch.arange(steps.shape[1], device=steps.device), self.shape.width // self.shape.heads
        )
        for block in self.blocks:
            stream = block(stream, cosine, sine, dropout)
        logits = []
        for i in range(len(self.heads)):
            logits.append(self._field_logits(i, stream))
            if i + 1 < len(self.heads):
                stream = stream + self.said[i](steps[..., i])
        return logits

    def _embed(self, steps: Tensor) -> Tensor:
        embedded: Tensor = self.inputs[0](steps[..., 0])
        for i in range(1, len(self.inputs)):
            embedded = embedded + self.inputs[i](steps[..., i])
        return embedded

    def _field_logits(self, i: int, stream: Tensor) -> Tensor:
        logits: Tensor = self.heads[i](functional.gelu(self.bottlenecks[i](self.norms[i](stream))))
        return logits

    def loss(
        self, steps: Tensor, mask: Tensor, dropout: Dropout | None = None, *, read: Tensor | None = None
    ) -> Tensor:
        """Mean negative log likelihood of the steps, in nats a step.

        Parameters
        ----------
        steps : Tensor [shape=(batch, n_steps, n_fields), dtype=int64]
            Steps; fields after an ending first field are not scored.
        mask : Tensor [shape=(batch, n_steps), dtype=bool]
            Which steps are there at all.
        dropout : Dropout or None
            As in ``forward``.
        read : Tensor or None
            As in ``forward``.

        Returns
        -------
        Tensor [shape=()]
            The sum over scored fields, divided by the number of steps.
        """
        total = torch.zeros((), device=steps.device)
        ends = steps[..., 0] == self.shape.end
        for i, logits in enumerate(self.forward(steps, dropout, read=read)):
            unscored = ~mask if i == 0 else ~mask | ends
            targets = steps[..., i].masked_fill(unscored, IGNORED)
            total = total + functional.cross_entropy(
                logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="sum"
            )
        return total / mask.sum()


def _start_from(table: nn.Module, near: Tensor, generator: torch.Generator) -> None:
    """Add a random projection of ``near`` to the first rows of a table of values."""
    rows = table.get_parameter("weight")
    projection = torch.empty((near.shape[1], rows.shape[1]))
    projection.normal_(0.0, GEOMETRY_SCALE, generator=generator)
    rows[: len(near)].add_(near @ projection)


class _Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.n_heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.attention_in = _Linear(width, 3 * width)
        self.attention_out = _Linear(width, width)
        self.feed_norm = nn.LayerNorm(width)
        self.feed_in = _Linear(width, 4 * width)
        self.feed_out = _Linear(4 * width, width)

    def forward(self, stream: Tensor, cosine: Tensor, sine: Tensor, dropout: Dropout | None) -> Tensor:
        query, key, value = self.project(stream, cosine, sine)
        attended = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.finish(stream, attended, dropout)

    def project(self, stream: Tensor, cosine: Tensor, sine: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        batch, n_steps, width = stream.shape
        joined = self.attention_in(self.attention_norm(stream))
        query, key, value = joined.view(batch, n_steps, 3, self.n_heads, width // self.n_heads).unbind(2)
        return (
            rotate(query.transpose(1, 2), cosine, sine),
            rotate(key.transpose(1, 2), cosine, sine),
            value.transpose(1, 2),
        )

    def finish(self, stream: Tensor, attended: Tensor, dropout: Dropout | None) -> Tensor:
        mixed = self.attention_out(attended.transpose(1, 2).flatten(2))
        stream = stream + (mixed if dropout is None else dropout(mixed))
        fed = self.feed_out(functional.gelu(self.feed_in(self.feed_norm(stream))))
        return stream + (fed if dropout is None else dropout(fed))


@dataclass(frozen=True, slots=True)
class Dropout:
    """Dropout that draws from its own generator.

    Attributes
    ----------
    part : float
        Part of the channels set to zero, in [0, 1).
    generator : torch.Generator
        On the device of what it is applied to.
    """

    part: float
    generator: torch.Generator

    def __call__(self, stream: Tensor) -> Tensor:
        """Drop channels of ``stream`` and scale up what is left."""
        if self.part == 0.0:
            return stream
        kept = torch.rand(stream.shape, generator=self.generator, device=stream.device) >= self.part
        return stream * kept / (1.0 - self.part)


def rotation(positions: Tensor, head_width: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines that rotate queries and keys at ``positions``.

    Parameters
    ----------
    positions : Tensor [shape=(n_steps,), dtype=int64]
        Places in the piece.
    head_width : int
        Channels of one head, even.

    Returns
    -------
    tuple of Tensor [shape=(n_steps, head_width // 2)]
        Of angles ``position * 10000 ** (-2 i / head_width)``.
    """
    powers = torch.arange(0, head_width, 2, device=positions.device, dtype=torch.float32) / head_width
    angles = positions[:, None].float() * torch.exp(-math.log(10_000.0) * powers)
    return angles.cos(), angles.sin()


def rotate(heads: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Apply ``rotation`` to queries or keys [shape=(batch, heads, n_steps, head_width)]."""
    first, second = heads.chunk(2, dim=-1)
    return torch.cat([first * cosine - second * sine, first * sine + second * cosine], dim=-1)


def build(
    shape: NetworkShape,
    *,
    seed: int,
    device: str = "cpu",
    geometry: Sequence[npt.NDArray[np.float32]] = (),
) -> StepTransformer:
    """Make a network whose weights depend on ``seed`` and ``geometry`` alone (see ``initialise``)."""
    network = StepTransformer(shape)
    network.initialise(torch.Generator().manual_seed(seed), geometry)
    return network.to(device)


def weights_of(network: nn.Module) -> dict[str, npt.NDArray[Any]]:
    """Copy the weights out as arrays."""
    return {name: value.detach().cpu().numpy().copy() for name, value in network.state_dict().items()}


def load(
    shape: NetworkShape, tensors: Mapping[str, npt.NDArray[Any]], *, device: str = "cpu"
) -> StepTransformer:
    """Make a network from stored weights.

    Parameters
    ----------
    shape : NetworkShape
        Its size.
    tensors : dict of str to np.ndarray
        As ``weights_of`` gave them.
    device : str
        Where it shall compute.

    Returns
    -------
    StepTransformer
        The network.

    Raises
    ------
    ValueError
        If a tensor is missing, left over, or of another shape than ``shape`` asks for.
    """
    network = StepTransformer(shape)
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in tensors.items()}
    if wanted != found:
        odd = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
        raise ValueError(
            f"weights do not fit the config: {odd[0]} is {found.get(odd[0])}, not {wanted.get(odd[0])}"
        )
    network.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in tensors.items()})
    return network.to(device)


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are drawn.

    Attributes
    ----------
    temperature : float
        Divides the logits, > 0.
    top_p : float
        Draw from the smallest set of values that holds this much probability, in (0, 1] (Holtzman et al.
        2019, arXiv:1904.09751).
    """

    temperature: float
    top_p: float


class Writer:
    """Writes steps one at a time, keeping what attention needs of those before.

    One piece at a time and never in a batch: matrix products round differently with the batch size, and an
    output has to come out the same alone and among others.

    Parameters
    ----------
    network : StepTransformer
        A trained network.
    """

    def __init__(self, network: StepTransformer) -> None:
        self.network = network.eval()
        self.device = network.start.device
        self._forget()

    def _forget(self) -> None:
        self._position = 0
        self._keys: list[Tensor | None] = [None] * len(self.network.blocks)
        self._values: list[Tensor | None] = [None] * len(self.network.blocks)

    def steps(
        self,
        sampling: Sampling,
        *,
        seed: int,
        prompt: npt.NDArray[np.int16] | Sequence[Sequence[int]] = (),
    ) -> Iterator[list[int]]:
        """Write a piece without end.

        When the network ends its piece, it starts the next one with an empty memory.

        Parameters
        ----------
        sampling : Sampling
            How to draw.
        seed : int
            The same seed gives the same steps.
        prompt : np.ndarray [shape=(n_steps, n_fields)]
            Steps to go on from; they are not yielded.

        Yields
        ------
        list of int
            One value a field.
        """
        generator = torch.Generator().manual_seed(seed)
        with torch.inference_mode():
            self._forget()
            hidden = self._advance(self.network.start.view(1, 1, -1))
            for step in prompt[-self.network.shape.context + 1 :] if len(prompt) else ():
                hidden = self._advance(self._embed([int(value) for value in step]))
            while True:
                step = self._draw(hidden, sampling, generator)
                if step is None:
                    self._forget()
                    hidden = self._advance(self.network.start.view(1, 1, -1))
                    continue
                yield step
                hidden = self._advance(self._embed(step))

    def _embed(self, step: list[int]) -> Tensor:
        return self.network._embed(torch.tensor([[step]], device=self.device))

    def _advance(self, stream: Tensor) -> Tensor:
        shape = self.network.shape
        here = torch.tensor([self._position], device=self.device)
        cosine, sine = rotation(here, shape.width // shape.heads)
        for i, block in enumerate(self.network.blocks):
            assert isinstance(block, _Block)  # noqa: S101 - tells the type checker what ModuleList hides
            query, key, value = block.project(stream, cosine, sine)
            self._keys[i] = key = self._remember(self._keys[i], key)
            self._values[i] = value = self._remember(self._values[i], value)
            attended = functional.scaled_dot_product_attention(query, key, value)
            stream = block.finish(stream, attended, None)
        self._position += 1
        return stream

    def _remember(self, past: Tensor | None, new: Tensor) -> Tensor:
        if past is None:
            return new
        return torch.cat([past[:, :, -self.network.shape.context + 1 :], new], dim=2)

    def _draw(self, hidden: Tensor, sampling: Sampling, generator: torch.Generator) -> list[int] | None:
        step: list[int] = []
        for i in range(len(self.network.heads)):
            logits = self.network._field_logits(i, hidden)[0, 0]
            value = draw(logits, sampling, generator)
            if i == 0 and value == self.network.shape.end:
                return None
            step.append(value)
            if i + 1 < len(self.network.heads):
                hidden = hidden + self.network.said[i](torch.tensor([[value]], device=self.device))
        return step


def draw(logits: Tensor, sampling: Sampling, generator: torch.Generator) -> int:
    """Draw one value.

    Parameters
    ----------
    logits : Tensor [shape=(n_values,)]
        Unnormalised log probabilities.
    sampling : Sampling
        Temperature and nucleus.
    generator : torch.Generator
        On the CPU, whatever the device of the network, so that devices draw alike.

    Returns
    -------
    int
        In [0, n_values).
    """
    likeliest_first, order = torch.softmax(logits.float().cpu() / sampling.temperature, 0).sort(
        descending=True, stable=True
    )
    cumulated = likeliest_first.cumsum(0)
    n_kept = int((cumulated < sampling.top_p).sum()) + 1
    point = torch.rand((), generator=generator) * cumulated[min(n_kept, len(cumulated)) - 1]
    place = int((cumulated[:n_kept] <= point).sum())
    return int(order[min(place, n_kept - 1, len(order) - 1)])
