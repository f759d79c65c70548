"""Writing sound: what a model made, a rendering, a stretch for a page."""

from __future__ import annotations

import subprocess
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lib import files
from provenance.audio import children, limits
from provenance.audio.decoding import stream
from provenance.audio.errors import DecodeLimitError, DecoderMissingError, EmptyAudioError, NotAudioError
from provenance.audio.midi import RENDER_RATE_HZ

if TYPE_CHECKING:
    from numpy.typing import NDArray

PREVIEW_RATE_HZ = 48_000


def render_midi(source: Path, target: Path, *, sample_rate_hz: int = RENDER_RATE_HZ) -> None:
    """Play a MIDI file into a 16-bit stereo WAV; the same soundfont gives the same bytes each time.

    Raises
    ------
    AudioError
        If ``source`` is no whole MIDI file, or FluidSynth or a soundfont is missing.
    """
    with stream(source, sample_rate_hz=sample_rate_hz) as pcm:
        if pcm.facts.kind != "symbolic":
            raise NotAudioError(f"{source.name} is not a MIDI file")
        write_wav(target, np.concatenate(list(pcm.chunks)), sample_rate_hz)


def write_wav(path: Path, samples: NDArray[Any], sample_rate_hz: int) -> None:
    """Write a 16-bit PCM WAV; the old file stays until the new one is whole.

    Parameters
    ----------
    samples : np.ndarray [shape=(n_samples,) or (n_samples, n_channels)]
        int16, or floats in [-1, 1]; what lies outside is clipped.

    Raises
    ------
    ValueError
        If a sample is NaN or infinite.
    """
    if np.issubdtype(samples.dtype, np.floating):
        if not np.isfinite(samples).all():
            raise ValueError("the samples to write hold NaN or infinity")
        samples = np.clip(np.rint(samples * 32768.0), -32768, 32767)
    elif samples.dtype != np.int16:
        raise ValueError(f"samples to write are int16 or floats, not {samples.dtype}")
    with files.replacing(path) as part, wave.open(str(part), "wb") as sound:
        sound.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        sound.setsampwidth(2)
        sound.setframerate(sample_rate_hz)
        sound.writeframes(np.ascontiguousarray(samples, dtype="<i2").tobytes())


def write_preview(
    source: Path,
    target: Path,
    *,
    start_s: float = 0.0,
    seconds: float = 30.0,
    only: Sequence[tuple[float, float]] | None = None,
) -> None:
    """Cut a stretch for a web page: MP3 or, by the target's ending (``.ogg``, ``.opus``, ``.webm``), Opus.

    Parameters
    ----------
    start_s, seconds : float
        The stretch.
    only : sequence of (float, float), optional
        What of it is heard, as (start, end) in seconds of the source; the rest is silence of the same length.

    Raises
    ------
    EmptyAudioError
        If ``source`` has ended before ``start_s``.
    AudioError
        If ``source`` cannot be decoded, or encoding it takes too long.
    ValueError
        If the target's ending is none of the four.
    """
    encoders = {
        ".mp3": ("mp3", "libmp3lame", "96k"),
        ".ogg": ("ogg", "libopus", "64k"),
        ".opus": ("opus", "libopus", "64k"),
        ".webm": ("webm", "libopus", "64k"),
    }
    if target.suffix not in encoders:
        raise ValueError(f"a preview ends in {', '.join(encoders)}, not in {target.suffix!r}")
    container, codec, bit_rate = encoders[target.suffix]
    with stream(source, sample_rate_hz=PREVIEW_RATE_HZ, start_s=start_s, seconds=seconds) as pcm:
        chunks = list(pcm.chunks)
    if not chunks:
        raise EmptyAudioError(f"{source.name} ends before {start_s:.1f} s")
    samples = np.concatenate(chunks)[:, :2]
    if only is not None:
        samples = _silent_but(samples, [(start - start_s, end - start_s) for start, end in only])
    command = [
        *children.limited("ffmpeg"), "-nostdin", "-hide_banner", "-loglevel", "error", "-threads", "1",
        "-f", "s16le", "-ar", str(PREVIEW_RATE_HZ), "-ac", str(samples.shape[1]), "-i", "pipe:0",
        "-map_metadata", "-1", "-fflags", "+bitexact", "-c:a", codec, "-b:a", bit_rate,
        "-f", container, "pipe:1",
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command,
            input=samples.astype("<i2").tobytes(),
            capture_output=True,
            timeout=limits.MAX_CHILD_WALL_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DecodeLimitError(
            f"a preview of {source.name} took longer than {limits.MAX_CHILD_WALL_S:.0f} s and was stopped"
        ) from error
    if done.returncode != 0:
        raise DecoderMissingError(
            f"ffmpeg could not encode {codec}: {children.last_line(done.stderr.decode(errors='replace'))}"
        )
    files.write_bytes(target, done.stdout)


def _silent_but(samples: NDArray[Any], stretches: Sequence[tuple[float, float]]) -> NDArray[Any]:
    heard = np.zeros_like(samples)
    for start_s, end_s in stretches:
        first, last = (max(0, round(at_s * PREVIEW_RATE_HZ)) for at_s in (start_s, end_s))
        heard[first:last] = samples[first:last]
    return heard
