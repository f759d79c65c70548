"""Reading a file's facts and its samples, whatever it is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from provenance.audio import ffmpeg, flac, limits, midi, pcm
from provenance.audio.facts import AudioFacts
from provenance.audio.pcm import PcmStream
from provenance.audio.sniffing import sniff

if TYPE_CHECKING:
    from numpy.typing import NDArray


def inspect(path: Path) -> AudioFacts:
    """Read what ``path`` says about itself without decoding it.

    Raises
    ------
    AudioError
        A subclass names what is wrong.
    """
    sniffed = sniff(path)
    if sniffed.is_midi:
        return midi.inspect(path)
    return ffmpeg.inspect(path)


@contextlib.contextmanager
def stream(
    path: Path,
    *,
    sample_rate_hz: int | None = None,
    start_s: float = 0.0,
    seconds: float | None = None,
    max_seconds: float = limits.MAX_SECONDS,
) -> Iterator[PcmStream]:
    """Decode ``path`` in a limited child process; whole WAV files of 16 bits are read as they are.

    A child is libFLAC for whole FLAC files, FluidSynth for MIDI, and FFmpeg for all else.

    Parameters
    ----------
    path : Path
        Anything that `inspect` knows; the name's ending plays no part.
    sample_rate_hz : int, optional
        Rate to resample to; the file's own without it (``RENDER_RATE_HZ`` for MIDI, 48,000 for trackers).
    start_s, seconds : float
        The stretch to yield, cut exactly by decoding from the start. A stretch is not checked for truncation.
    max_seconds : float
        Longest audio that is accepted.

    Yields
    ------
    PcmStream

    Raises
    ------
    AudioError
        A subclass names what is wrong.
    """

    def is_as_it_is(own_rate_hz: int) -> bool:
        return start_s == 0 and seconds is None and sample_rate_hz in (None, own_rate_hz)

    sniffed = sniff(path)
    if sniffed.is_midi:
        source = midi.stream(path, sample_rate_hz or midi.RENDER_RATE_HZ, start_s, seconds, max_seconds)
    elif sniffed.wave and is_as_it_is(sniffed.wave.sample_rate_hz):
        source = pcm.stored(path, sniffed.wave, max_seconds)
    elif sniffed.flac and is_as_it_is(sniffed.flac.sample_rate_hz):
        source = flac.stream(path, sniffed.flac, max_seconds)
    else:
        source = ffmpeg.stream(path, sniffed, sample_rate_hz, start_s, seconds, max_seconds)
    with source as decoded:
        yield decoded


def read_samples(
    path: Path,
    *,
    sample_rate_hz: int | None = None,
    mono: bool = True,
    start_s: float = 0.0,
    seconds: float | None = None,
) -> NDArray[np.float32]:
    """Read a file, or a stretch of it, into memory.

    Parameters
    ----------
    sample_rate_hz : int, optional
        Rate to resample to; the file's own without it.
    mono : bool
        Average the channels.
    start_s, seconds : float
        The stretch; all of it by default.

    Returns
    -------
    np.ndarray [shape=(n_samples,) if mono else (n_samples, n_channels), dtype=float32]
        In [-1, 1). Empty if the stretch lies beyond the end.

    Raises
    ------
    AudioError
        A subclass names what is wrong.
    """
    with stream(path, sample_rate_hz=sample_rate_hz, start_s=start_s, seconds=seconds) as decoded:
        pieces: list[NDArray[np.float32]] = []
        for chunk in decoded.chunks:
            scaled = chunk.astype(np.float32) / 32768.0
            pieces.append(scaled.mean(axis=1, dtype=np.float32) if mono else scaled)
        if not pieces:
            return np.zeros((0,) if mono else (0, decoded.n_channels), dtype=np.float32)
    return np.concatenate(pieces)


def peaks(path: Path, n_peaks: int) -> NDArray[np.float32]:
    """Draw a file's envelope.

    Parameters
    ----------
    n_peaks : int
        Columns of the drawing, > 0.

    Returns
    -------
    np.ndarray [shape=(n_peaks, 2), dtype=float32]
        Smallest and largest sample of each column, in [-1, 1), over all channels.
    """
    fine: list[NDArray[np.int16]] = []
    with stream(path) as decoded:
        for chunk in decoded.chunks:
            edges = np.arange(0, len(chunk), 256)
            lows = np.minimum.reduceat(chunk.min(axis=1), edges)
            highs = np.maximum.reduceat(chunk.max(axis=1), edges)
            fine.append(np.stack([lows, highs], axis=1))
    blocks = np.concatenate(fine)
    edges = np.minimum(np.arange(n_peaks) * len(blocks) // n_peaks, len(blocks) - 1)
    lows = np.minimum.reduceat(blocks[:, 0], edges)
    highs = np.maximum.reduceat(blocks[:, 1], edges)
    return np.stack([lows, highs], axis=1).astype(np.float32) / 32768.0
