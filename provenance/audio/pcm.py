"""Samples as they come out of a decoder, piece by piece."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

import numpy as np

from provenance.audio.children import Child
from provenance.audio.errors import (
    DamagedSamplesError,
    EmptyAudioError,
    TooLongError,
    TruncatedAudioError,
    cut,
    too_long,
)
from provenance.audio.facts import AudioFacts
from provenance.audio.sniffing import Wave

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

_CHUNK_FRAMES = 1 << 16


@dataclass(frozen=True, slots=True)
class PcmStream:
    """Decoded samples, piece by piece.

    ``chunks`` yields arrays [shape=(n, n_channels), dtype=int16] and raises `AudioError` where the audio
    turns out to be damaged, cut or too long; only a stream that was read to its end is known to be whole.
    """

    facts: AudioFacts
    sample_rate_hz: int
    n_channels: int
    chunks: Iterator[NDArray[np.int16]]


def chunks(
    child: Child,
    name: str,
    rate: int,
    n_channels: int,
    max_seconds: float,
    promised_s: float | None,
    is_float: bool,
    may_be_empty: bool,
) -> Iterator[NDArray[np.int16]]:
    """Read a decoder to its end, and raise what is wrong with its samples or with how it ended."""
    frame_bytes = n_channels * (4 if is_float else 2)
    n_frames = 0
    while read := child.read(_CHUNK_FRAMES * frame_bytes):
        read = read[: len(read) - len(read) % frame_bytes]
        if is_float:
            chunk = _from_floats(
                np.frombuffer(read, dtype="<f4").reshape(-1, n_channels), name, n_frames / rate
            )
        else:
            chunk = np.frombuffer(read, dtype="<i2").reshape(-1, n_channels)
        n_frames += len(chunk)
        if n_frames > max_seconds * rate:
            raise TooLongError(too_long(name, n_frames / rate, max_seconds))
        if len(chunk):
            yield chunk
    child.finish()
    decoded_s = n_frames / rate
    if n_frames == 0 and not may_be_empty:
        raise EmptyAudioError(f"{name} holds no samples")
    if promised_s is not None and decoded_s < promised_s - max(0.5, 0.01 * promised_s):
        raise TruncatedAudioError(cut(name, promised_s, decoded_s))


@contextlib.contextmanager
def stored(path: Path, wave: Wave, max_seconds: float) -> Iterator[PcmStream]:
    """Read the samples of a WAV file that are its bytes: there is nothing to decode, and so nothing to fear.

    Raises
    ------
    TooLongError
        If there are more than ``max_seconds``.
    """
    seconds = wave.n_bytes / (2 * wave.n_channels * wave.sample_rate_hz)
    if seconds > max_seconds:
        raise TooLongError(too_long(path.name, seconds, max_seconds))
    facts = AudioFacts("audio", "pcm_s16le", wave.sample_rate_hz, wave.n_channels, round(seconds, 2))
    with path.open("rb") as opened:
        yield PcmStream(facts, wave.sample_rate_hz, wave.n_channels, _as_stored(opened, wave, path.name))


def _as_stored(opened: IO[bytes], wave: Wave, name: str) -> Iterator[NDArray[np.int16]]:
    if wave.n_bytes == 0:
        raise EmptyAudioError(f"{name} holds no samples")
    opened.seek(wave.first)
    frame_bytes = 2 * wave.n_channels
    left = wave.n_bytes
    while left:
        read = opened.read(min(left, _CHUNK_FRAMES * frame_bytes))
        if not read or len(read) % frame_bytes:
            a_second = frame_bytes * wave.sample_rate_hz
            raise TruncatedAudioError(cut(name, wave.n_bytes / a_second, (wave.n_bytes - left) / a_second))
        left -= len(read)
        yield np.frombuffer(read, dtype="<i2").reshape(-1, wave.n_channels)


def _from_floats(floats: NDArray[np.float32], name: str, at_s: float) -> NDArray[np.int16]:
    if not np.isfinite(floats).all():
        raise DamagedSamplesError(
            f"{name} holds samples that are not numbers (NaN or infinity) near {at_s:.1f} s: export it again"
        )
    scaled: NDArray[np.int16] = np.clip(np.rint(floats * 32768.0), -32768, 32767).astype(np.int16)
    return scaled


def stretch(
    chunks: Iterator[NDArray[np.int16]], rate: int, start_s: float, seconds: float
) -> Iterator[NDArray[np.int16]]:
    """Keep of ``chunks`` the stretch that is asked for."""
    first = round(start_s * rate)
    last = first + round(seconds * rate)
    at = 0
    for chunk in chunks:
        piece = chunk[max(0, first - at) : max(0, last - at)]
        at += len(chunk)
        if len(piece):
            yield piece
        if at >= last:
            return
