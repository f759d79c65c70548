"""Frames of samples that arrive piece by piece, at a hop in seconds whatever the sample rate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

FRAMES_AT_ONCE = 64
_SAMPLES_AT_ONCE = 1 << 16


class FrameStream:
    """Windowed frames of a mono mix.

    Parameters
    ----------
    n_channels : int
        Channels, interleaved; mixed down.
    frame_samples : int
        Length of a frame.
    hop_samples : float
        Samples from one frame to the next; a frame begins at the sample nearest to its place.
    """

    def __init__(self, n_channels: int, *, frame_samples: int, hop_samples: float) -> None:
        self._n_channels = n_channels
        self._frame = frame_samples
        self._hop = hop_samples
        self.window = np.hanning(frame_samples + 1)[:-1].astype(np.float32)
        self._pending = np.zeros(0, dtype=np.float32)
        self._pending_at = 0
        self._next = 0

    def feed(self, samples: bytes) -> Iterator[NDArray[np.float32]]:
        """Take interleaved little-endian 16-bit ``samples``, whole frames of all channels.

        Yields
        ------
        np.ndarray [shape=(n <= FRAMES_AT_ONCE, frame_samples), dtype=float32]
            Of samples in [-1, 1), times a Hann window.
        """
        channels = np.frombuffer(samples, dtype="<i2").reshape(-1, self._n_channels)
        mono = mixed_down(channels) / np.float32(32768.0)
        self._pending = np.concatenate([self._pending, mono])
        starts = []
        while (start := self._place(self._next)) + self._frame <= len(self._pending):
            starts.append(start)
            self._next += 1
        for first in range(0, len(starts), FRAMES_AT_ONCE):
            here = starts[first : first + FRAMES_AT_ONCE]
            yield np.stack([self._pending[at : at + self._frame] for at in here]) * self.window
        kept_from = min(self._place(self._next), len(self._pending))
        self._pending = self._pending[kept_from:]
        self._pending_at += kept_from

    def _place(self, frame: int) -> int:
        return round(frame * self._hop) - self._pending_at


def mixed_down(channels: NDArray[np.int16]) -> NDArray[np.float32]:
    """Mean of all channels.

    Parameters
    ----------
    channels : np.ndarray [shape=(n_samples, n_channels), dtype=int16]

    Returns
    -------
    np.ndarray [shape=(n_samples,), dtype=float32]
        In the samples' own unit. Sums are exact, so it is the mean that NumPy gives, in a tenth of its time.
    """
    mono = channels[:, 0].astype(np.float32)
    for channel in channels.T[1:]:
        mono += channel
    mono /= np.float32(channels.shape[1])
    return mono


def pieces_of(samples: NDArray[Any]) -> tuple[int, Iterator[bytes]]:
    """Cut samples held in memory into what a stream takes.

    Parameters
    ----------
    samples : np.ndarray [shape=(n_samples,) or (n_samples, n_channels)]
        int16, or floats in [-1, 1].

    Returns
    -------
    n_channels : int
    pieces : iterator of bytes
        Interleaved little-endian 16-bit samples.
    """
    if np.issubdtype(samples.dtype, np.floating):
        samples = np.clip(np.rint(samples * 32768.0), -32768, 32767).astype("<i2")
    n_channels = 1 if samples.ndim == 1 else samples.shape[1]
    whole = np.ascontiguousarray(samples, dtype="<i2").reshape(-1, n_channels)
    pieces = (whole[at : at + _SAMPLES_AT_ONCE].tobytes() for at in range(0, len(whole), _SAMPLES_AT_ONCE))
    return n_channels, pieces
