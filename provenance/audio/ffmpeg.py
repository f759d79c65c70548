"""FFmpeg and ffprobe: every format but MIDI, tracker modules among them."""

from __future__ import annotations

import contextlib
import json
import re
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from provenance.audio import children, limits, pcm
from provenance.audio.children import Child
from provenance.audio.errors import DecodeLimitError, EmptyAudioError, NotAudioError, TooLongError, too_long
from provenance.audio.facts import AudioFacts, Kind
from provenance.audio.pcm import PcmStream
from provenance.audio.sniffing import Sniffed

DEMUXERS = (
    "aac,ac3,aiff,amr,ape,asf,au,caf,dsf,eac3,flac,libopenmpt,libmodplug,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,"
    "mp3,mpc,mpc8,mpegts,ogg,oma,opus,tak,tta,w64,wav,wv"
)
"""Containers that FFmpeg may open: sound only, none that reads a second file, a playlist or an address."""


_INPUT = re.compile(r"^\[info\] Input #0, (.+), from ", re.MULTILINE)
_DURATION = re.compile(r"^\[info\] {3}Duration: (\d+):(\d+):(\d+\.\d+)", re.MULTILINE)
_AUDIO = re.compile(r"^\[info\] {3}Stream #0:\d+\S*: Audio: ([^ ,]+)[^\n]*? (\d+) Hz", re.MULTILINE)


def inspect(path: Path) -> AudioFacts:
    """Read what the container says, decoding nothing."""
    probed = probe(path)
    streams = [stream for stream in probed.get("streams", ()) if stream.get("codec_type") == "audio"]
    if not streams:
        raise NotAudioError(f"{path.name} holds no audio stream")
    container = probed.get("format", {})
    claimed = streams[0].get("duration", container.get("duration"))
    return AudioFacts(
        kind=_kind(container.get("format_name", "")),
        codec=_codec(container.get("format_name", ""), streams[0].get("codec_name", "unknown")),
        sample_rate_hz=int(streams[0].get("sample_rate", 0)),
        n_channels=int(streams[0].get("channels", 0)),
        seconds=float(claimed) if claimed is not None else None,
    )


@contextlib.contextmanager
def stream(
    path: Path,
    sniffed: Sniffed,
    sample_rate_hz: int | None,
    start_s: float,
    seconds: float | None,
    max_seconds: float,
) -> Iterator[PcmStream]:
    """Decode the first audio stream of ``path``; see `provenance.audio.decoding.stream`."""
    stretch = [
        *(["-ss", f"{start_s:.6f}"] if start_s > 0 else []),
        *(["-t", f"{seconds:.6f}"] if seconds else []),
    ]
    command = [
        *children.limited("ffmpeg"), "-nostdin", "-hide_banner", "-nostats", "-loglevel", "level+info",
        "-threads", "1", *_source_arguments(path), "-map", "0:a:0", *stretch,
        *(["-ar", str(sample_rate_hz)] if sample_rate_hz else []),
        "-c:a", "pcm_f32le" if sniffed.is_float else "pcm_s16le",
        "-map_metadata", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact",
        "-flush_packets", "0", "-f", "wav", "pipe:1",
    ]  # fmt: skip
    child = Child(command, path.name)
    try:
        rate, n_channels = _read_wav_header(child)
        if rate > limits.MAX_SAMPLE_RATE_HZ:
            raise NotAudioError(f"{path.name} claims a sample rate of {rate:,} Hz: export it again")
        messages = child.messages()
        facts = _facts_from(messages, rate, n_channels, resampled=sample_rate_hz is not None)
        if facts.seconds is not None and facts.seconds > max_seconds:
            raise TooLongError(too_long(path.name, facts.seconds, max_seconds))
        promised = (
            facts.seconds if not stretch and "Estimating duration from bitrate" not in messages else None
        )
        yield PcmStream(
            facts=facts,
            sample_rate_hz=rate,
            n_channels=n_channels,
            chunks=pcm.chunks(
                child, path.name, rate, n_channels, max_seconds, promised, sniffed.is_float, bool(stretch)
            ),
        )
    finally:
        child.close()


def _read_wav_header(child: Child) -> tuple[int, int]:
    """Read the header that FFmpeg writes to the pipe, up to the first sample: rate and channels."""
    header = child.read(12)
    if len(header) < 12:
        child.finish()
        raise EmptyAudioError(f"{child.name} holds no samples")
    rate = n_channels = 0
    while True:
        chunk, length = struct.unpack("<4sI", child.read(8))
        if chunk == b"data":
            return rate, n_channels
        body = child.read(length + (length & 1))
        if chunk == b"fmt ":
            _, n_channels, rate = struct.unpack_from("<HHI", body)


def _facts_from(messages: str, rate: int, n_channels: int, *, resampled: bool) -> AudioFacts:
    """Read the input's facts from FFmpeg's report; rate and channels come from the samples themselves."""
    source = messages.split("Output #0", 1)[0]
    container = found.group(1) if (found := _INPUT.search(source)) else ""
    audio = _AUDIO.search(source)
    seconds = None
    if claimed := _DURATION.search(source):
        hours, minutes, rest = claimed.groups()
        seconds = int(hours) * 3600 + int(minutes) * 60 + float(rest)
    return AudioFacts(
        kind=_kind(container),
        codec=_codec(container, audio.group(1) if audio else "unknown"),
        sample_rate_hz=int(audio.group(2)) if audio and resampled else rate,
        n_channels=n_channels,
        seconds=seconds,
    )


def _kind(container: str) -> Kind:
    return "tracker" if container in ("libopenmpt", "libmodplug") else "audio"


def _codec(container: str, codec: str) -> str:
    """FFmpeg names a tracker module by the samples that it renders; the module is what it is."""
    return "module" if _kind(container) == "tracker" else codec


def probe(path: Path) -> dict[str, Any]:
    """Ask ffprobe for the format, the streams and their tags."""
    command = [
        *children.limited("ffprobe"), "-hide_banner", "-loglevel", "level+error", "-of", "json", "-show_format",
        "-show_streams", *_source_arguments(path),
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=limits.MAX_CHILD_WALL_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DecodeLimitError(f"{path.name} took too long to inspect and was given up") from error
    if done.returncode != 0:
        raise children.explain(path.name, done.returncode, done.stderr.decode(errors="replace"))
    probed: dict[str, Any] = json.loads(done.stdout.decode(errors="replace"))
    return probed


def _source_arguments(path: Path) -> list[str]:
    return ["-protocol_whitelist", "file", "-format_whitelist", DEMUXERS, "-i", f"file:{path.resolve()}"]
