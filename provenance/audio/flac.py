"""FLAC files as an encoder leaves them, unpacked by libFLAC; all others are FFmpeg's.

FFmpeg loads two hundred libraries before it reads a byte, and takes longer over it than libFLAC over two minutes of
sound. FLAC is lossless: of a file that is whole any decoder gives the same samples. What is not whole, or says more than
one thing of itself, FFmpeg decodes from the beginning; if some of it was handed on by then, so many samples are left out.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import functools
import itertools
import math
import mmap
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from provenance.audio import children, ffmpeg, flac_child
from provenance.audio.children import Child
from provenance.audio.errors import NotAudioError, TooLongError, too_long
from provenance.audio.facts import AudioFacts
from provenance.audio.pcm import PcmStream
from provenance.audio.sniffing import Flac, Sniffed

if TYPE_CHECKING:
    from numpy.typing import NDArray

LIBRARIES = ("libFLAC.so.14", "libFLAC.so.12", "libFLAC.so.8")
"""libFLAC 1.5, 1.4 and 1.3. It comes with FluidSynth, which needs it; without it FFmpeg does all."""

SLOT_FRAMES = 1 << 16
"""Frames of all channels that are handed over at once, as many as are read of FFmpeg."""

_N_SLOTS = 3


class _OddError(Exception):
    """A file that is FFmpeg's."""


@functools.cache
def library() -> str | None:
    """Name libFLAC as it is installed here; None where it is not."""
    for name in LIBRARIES:
        with contextlib.suppress(OSError):
            ctypes.CDLL(name)
            return name
    return None


@contextlib.contextmanager
def stream(path: Path, told: Flac, max_seconds: float) -> Iterator[PcmStream]:
    """Unpack ``path``; see `provenance.audio.decoding.stream`."""
    seconds = told.n_frames / told.sample_rate_hz
    if seconds > max_seconds:
        raise TooLongError(too_long(path.name, seconds, max_seconds))
    with contextlib.ExitStack() as opened:
        sure = _unpacked(path, told, opened)
        first = None
        with contextlib.suppress(_OddError):
            first = next(sure)
        if first is None:
            yield opened.enter_context(_by_ffmpeg(path, max_seconds))
        else:
            yield PcmStream(
                facts=AudioFacts("audio", "flac", told.sample_rate_hz, told.n_channels, round(seconds, 2)),
                sample_rate_hz=told.sample_rate_hz,
                n_channels=told.n_channels,
                chunks=_to_the_end(itertools.chain([first], sure), path, told, max_seconds),
            )


def _by_ffmpeg(path: Path, max_seconds: float) -> contextlib.AbstractContextManager[PcmStream]:
    return ffmpeg.stream(path, Sniffed(), None, 0.0, None, max_seconds)


def _to_the_end(
    sure: Iterator[NDArray[np.int16]], path: Path, told: Flac, max_seconds: float
) -> Iterator[NDArray[np.int16]]:
    """Go on by FFmpeg where ``sure`` ends before the file does."""
    n_given = 0
    try:
        for piece in sure:
            n_given += len(piece)
            yield piece
        return
    except _OddError:
        pass
    with _by_ffmpeg(path, max_seconds) as whole:
        if (whole.sample_rate_hz, whole.n_channels) != (told.sample_rate_hz, told.n_channels):
            raise NotAudioError(f"{path.name} changes its rate or its channels: export it again")
        for piece in whole.chunks:
            if len(piece) > n_given:
                yield piece[n_given:]
            n_given = max(0, n_given - len(piece))


def _shared(n_channels: int) -> tuple[int, NDArray[np.int32]]:
    """Make slots [shape=(_N_SLOTS, n_channels, SLOT_FRAMES)] in memory that no child can shrink under us."""
    shape = (_N_SLOTS, n_channels, SLOT_FRAMES)
    try:
        descriptor = os.memfd_create("samples", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    except OSError as error:
        raise _OddError from error
    os.ftruncate(descriptor, math.prod(shape) * flac_child.SAMPLE_BYTES)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    mapped = mmap.mmap(descriptor, 0, prot=mmap.PROT_READ)
    return descriptor, np.frombuffer(mapped, dtype=np.int32).reshape(shape)


def _unpacked(path: Path, told: Flac, opened: contextlib.ExitStack) -> Iterator[NDArray[np.int16]]:
    """Yield what is certain: each slot once the next is full as well, the last when all was found in order.

    FFmpeg may hear a frame otherwise that stands just before a damaged one, because it finds the end of a frame by
    looking for the next. No more than that is held back.

    Yields
    ------
    np.ndarray [shape=(n_frames, n_channels), dtype=int16]

    Raises
    ------
    _OddError
        If the rest is not as the header has it, or the child has crashed.
    DecodeLimitError
        If the child was stopped at a limit.
    """
    name = library()
    if name is None or not sys.executable:
        raise _OddError
    descriptor, slots = _shared(told.n_channels)
    try:
        numbers = (descriptor, _N_SLOTS, SLOT_FRAMES, told.sample_rate_hz, told.n_channels, told.n_bits)
        command = [
            *children.limited(sys.executable), "-I", "-S", flac_child.__file__, name, str(path.resolve()),
            *map(str, numbers), str(told.n_frames),
        ]  # fmt: skip
        child = Child(command, path.name, shares=[descriptor])
    finally:
        os.close(descriptor)
    opened.callback(child.close)
    held: NDArray[np.int16] | None = None
    n_left = told.n_frames
    for slot in itertools.cycle(slots):
        said = child.read(4)
        if not said:
            break
        n_frames = int.from_bytes(said, "little")
        if not 0 < n_frames <= min(n_left, SLOT_FRAMES):
            raise _OddError
        n_left -= n_frames
        piece = np.empty((n_frames, told.n_channels), dtype=np.int16)
        for channel, samples in enumerate(slot[:, :n_frames]):
            piece[:, channel] = samples >> told.n_bits - 16 if told.n_bits > 16 else samples
        child.write(b"\0")
        if held is not None:
            yield held
        held = piece
    if n_left or held is None or not child.ended_in_order():
        raise _OddError
    yield held
