"""Excerpts of a sound, spread evenly over it however long it is: what a dear network looks at instead of all of it.

Nobody knows how long a stream is before it ends. So an excerpt is begun each ``FIRST_HOP_S`` seconds, and whenever more
than ``MOST`` are held, every other one is dropped and the distance between them doubled: at the end between half of
``MOST`` and ``MOST`` of them stand at equal distances, and no more than ``MOST + 1`` were ever in memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from provenance.similarity.frames import mixed_down, pieces_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

EXCERPT_S = 3.1
"""Seconds of an excerpt: what musicnn looks at, 3.008 s, and a margin for resampling."""

FIRST_HOP_S = 1.5
"""Seconds from one excerpt to the next until there are too many: neighbours overlap by half in short sounds."""

MOST = 16
"""Excerpts that are held. Each is a forward pass of the network, so this bounds what a recording costs."""


@dataclass(frozen=True, slots=True)
class Excerpts:
    """Stretches of a sound, mixed down.

    Attributes
    ----------
    sample_rate_hz : int
        The sound's own.
    starts_s : np.ndarray [shape=(n,), dtype=float32]
        Where each begins, rising by equal steps from 0.
    samples : sequence of np.ndarray [shape=(n_samples,), dtype=int16]
        Of ``EXCERPT_S`` seconds each; of a shorter sound the only one is all of it.
    """

    sample_rate_hz: int
    starts_s: NDArray[np.float32]
    samples: Sequence[NDArray[np.int16]]

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def none(self) -> Excerpts:
        """Of the same rate, without any."""
        return Excerpts(self.sample_rate_hz, self.starts_s[:0], ())


class ExcerptStream:
    """Excerpts from samples that arrive piece by piece.

    Parameters
    ----------
    sample_rate_hz : int
        Rate of the samples.
    n_channels : int
        Channels, interleaved; mixed down.
    """

    def __init__(self, sample_rate_hz: int, n_channels: int) -> None:
        self._rate = sample_rate_hz
        self._n_channels = n_channels
        self._length = round(EXCERPT_S * sample_rate_hz)
        self._hop = round(FIRST_HOP_S * sample_rate_hz)
        self._n_heard = 0
        self._held: dict[int, list[NDArray[np.int16]]] = {}

    def feed(self, samples: bytes) -> None:
        """Take interleaved little-endian 16-bit ``samples``, whole frames of all channels."""
        channels = np.frombuffer(samples, dtype="<i2").reshape(-1, self._n_channels)
        first, end = self._n_heard, self._n_heard + len(channels)
        begun = range(-(-first // self._hop) * self._hop, end, self._hop)
        self._held |= {start: [] for start in begun}
        while len(self._held) > MOST:
            self._hop *= 2
            self._held = {start: held for start, held in self._held.items() if start % self._hop == 0}
        for start, held in self._held.items():
            if start < end and start + self._length > first:
                piece = channels[max(0, start - first) : start + self._length - first]
                held.append(np.rint(mixed_down(piece)).astype(np.int16))
        self._n_heard = end

    def finish(self) -> Excerpts:
        """End the stream.

        Returns
        -------
        Excerpts
            None of a sound without samples.
        """
        whole = {start: np.concatenate(held) for start, held in self._held.items() if held}
        kept = {start: heard for start, heard in whole.items() if start == 0 or len(heard) == self._length}
        starts_s = np.array([start / self._rate for start in kept], dtype=np.float32)
        return Excerpts(self._rate, starts_s, tuple(kept.values()))


def excerpts_of(samples: NDArray[Any], *, sample_rate_hz: int) -> Excerpts:
    """Take excerpts of samples held in memory.

    Parameters
    ----------
    samples : np.ndarray [shape=(n_samples,) or (n_samples, n_channels)]
        int16, or floats in [-1, 1].
    sample_rate_hz : int
        Their rate.
    """
    n_channels, pieces = pieces_of(samples)
    stream = ExcerptStream(sample_rate_hz, n_channels)
    for piece in pieces:
        stream.feed(piece)
    return stream.finish()
