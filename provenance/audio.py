"""The only module that opens audio.

Foreign files are decoded in a child process (FFmpeg; FluidSynth for MIDI) that is limited in memory,
processor time, wall time and output, may open nothing but the one file, and can crash without harm to this
process. What arrives here are raw samples. One child is started a file.

How odd files are answered:

===========================  =============================================================================
empty, or no samples         `EmptyAudioError`
text or an image, renamed    `NotAudioError`
cut short                    `TruncatedAudioError` where the file says how long it should be. An MP3 without a
                             Xing header says nothing of it, so a cut one passes for a short one
0 channels                   `NoChannelsError`
longer than ``MAX_SECONDS``  `TooLongError`, before decoding where the header says so, else when it is passed
NaN or infinite floats       `DamagedSamplesError` with the position
192 kHz, 8 channels, 8 bit   decoded as they are; mixing down and resampling happen where they are asked for
silence, 0.3 s               decoded; `Survey.is_silent`, and fewer or no fingerprint items
===========================  =============================================================================
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
import os
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import threading
import wave
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

import numpy as np

from lib import files
from provenance.similarity.chromaprint import FingerprintLibraryMissingError, ItemStream
from provenance.similarity.notes import Note

if TYPE_CHECKING:
    from numpy.typing import NDArray

Kind = Literal["audio", "symbolic", "tracker"]

MAX_SECONDS = 6 * 3600.0
"""Longest audio that is decoded, in seconds."""

MAX_CHILD_MEMORY_BYTES = 2 << 30
"""Address space of a decoder, in bytes. FFmpeg needs 0.3 GB of it, FluidSynth with a big soundfont 1 GB."""

MAX_CHILD_CPU_S = 900
"""Processor time of a decoder. Six hours of Vorbis take about 60 s."""

MAX_CHILD_WALL_S = 1800.0
"""Wall time of a decoder, in seconds; a stopped or starving child ends here."""

MAX_MIDI_BYTES = 8 << 20
"""Largest MIDI file that is parsed, in bytes; it is the one format that is parsed in this process."""

DRUM_CHANNEL = 9
"""The channel of General MIDI on which pitches are drums, counted from 0."""

RENDER_RATE_HZ = 22_050
"""Rate at which MIDI is heard and fingerprinted. Chromaprint looks no higher than 5.5 kHz."""

RENDER_GAIN = 0.25
"""FluidSynth's master gain. At 0.4 four of 31 full arrangements clip, at 0.25 none."""

RENDER_TAIL_S = 2.0
"""Seconds that a rendering goes on after the last event; FluidSynth itself adds 3 to 11 s of silence."""

SILENCE_PEAK_DB = -60.0
"""Audio whose peak stays below this (dB re full scale) counts as silent: the noise of a 12-bit sampler."""

SOUNDFONT_PATHS = (
    "/usr/share/sounds/sf2/TimGM6mb.sf2",
    "/usr/share/sounds/sf2/default-GM.sf2",
    "/usr/share/sounds/sf3/default-GM.sf3",
    "/usr/share/sounds/sf2/FluidR3_GM.sf2",
    "/usr/share/soundfonts/default.sf2",
    "/usr/share/soundfonts/FluidR3_GM.sf2",
)
"""Where a soundfont is looked for when the environment's ``SOUNDFONT`` names none."""

DEMUXERS = (
    "aac,ac3,aiff,amr,ape,asf,au,caf,dsf,eac3,flac,libopenmpt,libmodplug,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,"
    "mp3,mpc,mpc8,mpegts,ogg,oma,opus,tak,tta,w64,wav,wv"
)
"""Containers that FFmpeg may open: sound only, none that reads a second file, a playlist or an address."""

_CHUNK_FRAMES = 1 << 16
_SAMPLES_PREIMAGE = b"liner-notes samples 1\0"


class AudioError(Exception):
    """Audio that cannot be used. ``reason`` says what is wrong and what to do, in one sentence."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotAudioError(AudioError):
    """The file holds no audio that can be decoded."""


class EmptyAudioError(AudioError):
    """The file is empty or decodes to no sample."""


class TruncatedAudioError(AudioError):
    """The file ends before its own header says it does."""


class NoChannelsError(AudioError):
    """The header claims no channel."""


class TooLongError(AudioError):
    """The audio is longer than the limit."""


class DamagedSamplesError(AudioError):
    """Samples that are not numbers."""


class DecoderMissingError(AudioError):
    """A program, library or soundfont that this file needs is not installed."""


class DecodeLimitError(AudioError):
    """The decoder was stopped at one of its limits."""


@dataclass(frozen=True, slots=True)
class AudioFacts:
    """What a file says about itself, before it is decoded.

    ``seconds`` is the container's claim; it is None where the container makes none.
    """

    kind: Kind
    codec: str
    sample_rate_hz: int
    n_channels: int
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Tags:
    """What a file says about its music. Empty strings stand for what it does not say.

    ``raw`` keeps every tag under its own lower-case name, also those that are mapped to no field.
    """

    title: str = ""
    artist: str = ""
    album: str = ""
    year: int | None = None
    genre: str = ""
    isrc: str = ""
    licence: str = ""
    licence_url: str = ""
    copyright: str = ""
    comment: str = ""
    raw: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Survey:
    """All that one pass over a file tells.

    Attributes
    ----------
    facts : AudioFacts
    seconds : float
        Decoded duration.
    file_sha256 : str
        Of the file's bytes.
    samples_sha256 : str
        Of ``b"liner-notes samples 1\\0"``, the rate and the channels as little-endian uint32, then the
        decoded samples as interleaved little-endian int16: equal for two lossless encodings of the same
        sound, whatever their tags. Of a symbolic file it covers the rendering, and so depends on the
        soundfont.
    items : np.ndarray [shape=(n_rows, 2), dtype=uint32]
        Fingerprint of the whole file (`provenance.similarity.chromaprint`).
    peak_db : float
        Largest sample, dB re full scale; -96.3 for digital silence.
    is_silent : bool
        Whether the peak never rises above ``SILENCE_PEAK_DB``.
    """

    facts: AudioFacts
    seconds: float
    file_sha256: str
    samples_sha256: str
    items: NDArray[np.uint32]
    peak_db: float
    is_silent: bool


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


def inspect(path: Path) -> AudioFacts:
    """Read what ``path`` says about itself without decoding it.

    Raises
    ------
    AudioError
        A subclass names what is wrong.
    """
    sniffed = _sniff(path)
    if sniffed.is_midi:
        return _midi_facts(path)
    probed = _probe(path)
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


def read_tags(path: Path) -> Tags:
    """Read the tags of ``path``: Vorbis comments, ID3, RIFF INFO, MP4, tracker messages, MIDI meta events.

    Raises
    ------
    AudioError
        If the file is no audio; missing tags are no error.
    """
    if _sniff(path).is_midi:
        return _midi_tags(path)
    probed = _probe(path)
    raw: dict[str, str] = {}
    for source in (probed.get("format", {}), *probed.get("streams", ())):
        for name, text in source.get("tags", {}).items():
            raw.setdefault(name.lower(), str(text).strip())
    for name, text in _tinytag_extras(path).items():
        raw.setdefault(name, text)
    return _tags_from(raw)


@contextlib.contextmanager
def stream(
    path: Path,
    *,
    sample_rate_hz: int | None = None,
    start_s: float = 0.0,
    seconds: float | None = None,
    max_seconds: float = MAX_SECONDS,
) -> Iterator[PcmStream]:
    """Decode ``path`` in a limited child process.

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
    sniffed = _sniff(path)
    if sniffed.is_midi:
        source = _stream_midi(path, sample_rate_hz or RENDER_RATE_HZ, start_s, seconds, max_seconds)
    else:
        source = _stream_ffmpeg(path, sniffed, sample_rate_hz, start_s, seconds, max_seconds)
    with source as pcm:
        yield pcm


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
    with stream(path, sample_rate_hz=sample_rate_hz, start_s=start_s, seconds=seconds) as pcm:
        pieces: list[NDArray[np.float32]] = []
        for chunk in pcm.chunks:
            scaled = chunk.astype(np.float32) / 32768.0
            pieces.append(scaled.mean(axis=1, dtype=np.float32) if mono else scaled)
        if not pieces:
            return np.zeros((0,) if mono else (0, pcm.n_channels), dtype=np.float32)
    return np.concatenate(pieces)


def survey(path: Path, *, max_seconds: float = MAX_SECONDS) -> Survey:
    """Decode a whole file once and tell all that registering it needs.

    Raises
    ------
    AudioError
        A subclass names what is wrong; then nothing of the file is to be used.
    """
    with stream(path, max_seconds=max_seconds) as pcm:
        digest = hashlib.sha256(_SAMPLES_PREIMAGE + struct.pack("<II", pcm.sample_rate_hz, pcm.n_channels))
        try:
            fingerprint = ItemStream(pcm.sample_rate_hz, pcm.n_channels)
        except FingerprintLibraryMissingError as error:
            raise DecoderMissingError(error.reason) from error
        n_frames = peak = 0
        for chunk in pcm.chunks:
            little_endian = chunk.astype("<i2", copy=False).tobytes()
            digest.update(little_endian)
            fingerprint.feed(little_endian)
            peak = max(peak, int(chunk.max()), -int(chunk.min()))
            n_frames += len(chunk)
        facts, rate = pcm.facts, pcm.sample_rate_hz
    with path.open("rb") as opened:
        file_sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
    peak_db = 20.0 * math.log10(max(peak, 0.5) / 32768.0)
    return Survey(
        facts=facts,
        seconds=n_frames / rate,
        file_sha256=file_sha256,
        samples_sha256=digest.hexdigest(),
        items=fingerprint.finish(),
        peak_db=peak_db,
        is_silent=peak_db <= SILENCE_PEAK_DB,
    )


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
    with stream(path) as pcm:
        for chunk in pcm.chunks:
            edges = np.arange(0, len(chunk), 256)
            lows = np.minimum.reduceat(chunk.min(axis=1), edges)
            highs = np.maximum.reduceat(chunk.max(axis=1), edges)
            fine.append(np.stack([lows, highs], axis=1))
    blocks = np.concatenate(fine)
    edges = np.minimum(np.arange(n_peaks) * len(blocks) // n_peaks, len(blocks) - 1)
    lows = np.minimum.reduceat(blocks[:, 0], edges)
    highs = np.maximum.reduceat(blocks[:, 1], edges)
    return np.stack([lows, highs], axis=1).astype(np.float32) / 32768.0


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


def write_preview(source: Path, target: Path, *, start_s: float = 0.0, seconds: float = 30.0) -> None:
    """Cut a stretch for a web page: MP3 or, by the target's ending (``.ogg``, ``.opus``, ``.webm``), Opus.

    Raises
    ------
    EmptyAudioError
        If ``source`` has ended before ``start_s``.
    AudioError
        If ``source`` cannot be decoded.
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
    with stream(source, sample_rate_hz=48_000, start_s=start_s, seconds=seconds) as pcm:
        chunks = list(pcm.chunks)
    if not chunks:
        raise EmptyAudioError(f"{source.name} ends before {start_s:.1f} s")
    samples = np.concatenate(chunks)[:, :2]
    command = [
        *_limited("ffmpeg"), "-nostdin", "-hide_banner", "-loglevel", "error", "-threads", "1",
        "-f", "s16le", "-ar", "48000", "-ac", str(samples.shape[1]), "-i", "pipe:0",
        "-map_metadata", "-1", "-fflags", "+bitexact", "-c:a", codec, "-b:a", bit_rate,
        "-f", container, "pipe:1",
    ]  # fmt: skip
    done = subprocess.run(
        command,
        input=samples.astype("<i2").tobytes(),
        capture_output=True,
        timeout=MAX_CHILD_WALL_S,
        check=False,
    )
    if done.returncode != 0:
        raise DecoderMissingError(
            f"ffmpeg could not encode {codec}: {_last_line(done.stderr.decode(errors='replace'))}"
        )
    files.write_bytes(target, done.stdout)


def find_soundfont() -> Path:
    """Find the soundfont for MIDI: the environment's ``SOUNDFONT``, else the first of ``SOUNDFONT_PATHS``.

    Raises
    ------
    DecoderMissingError
        If there is none.
    """
    named = os.environ.get("SOUNDFONT")
    for candidate in [named] if named else SOUNDFONT_PATHS:
        if Path(candidate).is_file():
            return Path(candidate)
    where = f"SOUNDFONT names {named}, which is not there" if named else "no soundfont was found"
    raise DecoderMissingError(
        f"{where}: install one (Debian: timgm6mb-soundfont) or set SOUNDFONT to an .sf2 file"
    )


# Looking at the first bytes


@dataclass(frozen=True, slots=True)
class _Sniffed:
    is_midi: bool = False
    is_float: bool = False


def _sniff(path: Path) -> _Sniffed:
    """Look at the bytes that say what a file is, and that it is whole, without decoding it."""
    with path.open("rb") as opened:
        size = opened.seek(0, io.SEEK_END)
        opened.seek(0)
        if size == 0:
            raise EmptyAudioError(f"{path.name} is empty: fetch it again")
        head = opened.read(12)
        if head[:4] == b"MThd" or (head[:4] == b"RIFF" and head[8:12] == b"RMID"):
            return _Sniffed(is_midi=True)
        if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
            return _Sniffed(is_float=_check_wave(opened, size, path.name))
        if head[:4] == b"OggS":
            _check_ogg(opened, size, path.name)
    return _Sniffed()


def _check_wave(opened: IO[bytes], size: int, name: str) -> bool:
    """Walk a WAV file's chunks and say whether its samples are floats."""
    is_float, bytes_per_s = False, 0
    opened.seek(12)
    while len(header := opened.read(8)) == 8:
        chunk, length = struct.unpack("<4sI", header)
        here = opened.tell()
        if chunk == b"fmt " and length >= 16:
            fmt = opened.read(min(length, 40))
            if len(fmt) < 16:
                break
            tag, n_channels, rate, bytes_per_s = struct.unpack_from("<HHII", fmt)
            if n_channels == 0:
                raise NoChannelsError(f"{name} claims 0 channels: export it again")
            if rate == 0:
                raise NotAudioError(f"{name} claims a sample rate of 0 Hz: export it again")
            is_float = tag == 3 or (tag == 0xFFFE and len(fmt) >= 26 and fmt[24] == 3)
        elif chunk == b"data":
            left = size - here
            if left < length < 0xFFFF_0000:
                raise TruncatedAudioError(_cut_wave(name, length, left, bytes_per_s))
            return is_float
        opened.seek(here + length + (length & 1))
    raise TruncatedAudioError(f"{name} ends inside its header: fetch it again")


def _cut_wave(name: str, promised_bytes: int, left_bytes: int, bytes_per_s: int) -> str:
    if bytes_per_s <= 0:
        return f"{name} promises {promised_bytes} bytes of samples and holds {left_bytes}: fetch it again"
    return _cut(name, promised_bytes / bytes_per_s, left_bytes / bytes_per_s)


def _cut(name: str, promised_s: float, held_s: float) -> str:
    return f"{name} promises {promised_s:.1f} s and ends after {held_s:.1f} s: fetch it again"


def _check_ogg(opened: IO[bytes], size: int, name: str) -> None:
    """See that the last Ogg page is whole and marked as the last (RFC 3533, section 6)."""
    tail_start = max(0, size - (1 << 17))
    opened.seek(tail_start)
    tail = opened.read()
    page = tail.rfind(b"OggS\0")
    header = tail[page : page + 27]
    if page < 0 or len(header) < 27:
        raise TruncatedAudioError(f"{name} ends inside an Ogg page: fetch it again")
    lacing = tail[page + 27 : page + 27 + header[26]]
    is_last = bool(header[5] & 4)
    if len(lacing) < header[26] or page + 27 + header[26] + sum(lacing) > len(tail) or not is_last:
        raise TruncatedAudioError(f"{name} ends before its stream does: fetch it again")


# Children


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        packages = {"prlimit": "util-linux", "ffprobe": "ffmpeg"}
        raise DecoderMissingError(f"{name} is not installed (Debian: {packages.get(name, name)})")
    return found


def _limited(program: str) -> list[str]:
    return [
        _program("prlimit"),
        f"--as={MAX_CHILD_MEMORY_BYTES}",
        f"--cpu={MAX_CHILD_CPU_S}",
        f"--fsize={64 << 20}",
        "--core=0",
        "--",
        _program(program),
    ]


def _source_arguments(path: Path) -> list[str]:
    return ["-protocol_whitelist", "file", "-format_whitelist", DEMUXERS, "-i", f"file:{path.resolve()}"]


class _Child:
    """A decoder: its samples come through a pipe, its messages lie in a file, its wall time is watched."""

    def __init__(self, command: list[str], name: str) -> None:
        self._name = name
        self._messages = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close()
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._messages
        )
        self._expired = False
        self._watch = threading.Timer(MAX_CHILD_WALL_S, self._expire)
        self._watch.daemon = True
        self._watch.start()

    def _expire(self) -> None:
        self._expired = True
        self._process.kill()

    def read(self, n_bytes: int) -> bytes:
        assert self._process.stdout is not None  # noqa: S101 - PIPE was asked for
        return self._process.stdout.read(n_bytes)

    def messages(self) -> str:
        """Read what it has said so far; it shares its place in the file with us, so nothing may seek."""
        return os.pread(self._messages.fileno(), 1 << 20, 0).decode(errors="replace")

    def finish(self) -> None:
        """Wait for the end and raise what went wrong."""
        status = self._process.wait()
        if self._expired:
            raise DecodeLimitError(
                f"{self._name} took longer than {MAX_CHILD_WALL_S:.0f} s to decode and was stopped"
            )
        if status != 0:
            raise _explain(self._name, status, self.messages())

    def close(self) -> None:
        self._watch.cancel()
        self._process.kill()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process.wait()
        self._messages.close()


def _explain(name: str, status: int, messages: str) -> AudioError:
    """Turn a decoder's last words into an error that says what to do."""
    starved = "Cannot allocate memory" in messages or "failed to map segment" in messages
    if starved or status in (-signal.SIGXCPU, -signal.SIGKILL, -signal.SIGXFSZ):
        return DecodeLimitError(
            f"decoding {name} went past the limits on memory or processor time and was stopped"
        )
    if status in (126, 127):
        return DecoderMissingError(f"the decoder for {name} cannot be started ({_last_line(messages)})")
    if status < 0:
        return NotAudioError(f"{name} made the decoder crash (signal {-status}): it is damaged or hostile")
    if "moov atom not found" in messages or "End of file" in messages:
        return TruncatedAudioError(f"{name} is cut before its index: fetch it again")
    if "matches no streams" in messages or "does not contain any stream" in messages:
        return NotAudioError(f"{name} holds no audio stream")
    return NotAudioError(f"{name} is not audio that can be decoded ({_last_line(messages)})")


def _last_line(messages: str) -> str:
    lines = [line.strip() for line in messages.splitlines() if "[error]" in line or "[fatal]" in line]
    lines = lines or [line.strip() for line in messages.splitlines() if line.strip()]
    said = re.sub(r"file:/\S*/", "", lines[-1] if lines else "no message")
    return re.sub(r"^(\[[^]]*\]\s*)+", "", said)[:200]


@contextlib.contextmanager
def _stream_ffmpeg(
    path: Path,
    sniffed: _Sniffed,
    sample_rate_hz: int | None,
    start_s: float,
    seconds: float | None,
    max_seconds: float,
) -> Iterator[PcmStream]:
    stretch = [
        *(["-ss", f"{start_s:.6f}"] if start_s > 0 else []),
        *(["-t", f"{seconds:.6f}"] if seconds else []),
    ]
    command = [
        *_limited("ffmpeg"), "-nostdin", "-hide_banner", "-nostats", "-loglevel", "level+info",
        "-threads", "1", *_source_arguments(path), "-map", "0:a:0", *stretch,
        *(["-ar", str(sample_rate_hz)] if sample_rate_hz else []),
        "-c:a", "pcm_f32le" if sniffed.is_float else "pcm_s16le",
        "-map_metadata", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact", "-f", "wav", "pipe:1",
    ]  # fmt: skip
    child = _Child(command, path.name)
    try:
        rate, n_channels = _read_wav_header(child)
        messages = child.messages()
        facts = _facts_from(messages, rate, n_channels, resampled=sample_rate_hz is not None)
        if facts.seconds is not None and facts.seconds > max_seconds:
            raise TooLongError(_too_long(path.name, facts.seconds, max_seconds))
        promised = (
            facts.seconds if not stretch and "Estimating duration from bitrate" not in messages else None
        )
        yield PcmStream(
            facts=facts,
            sample_rate_hz=rate,
            n_channels=n_channels,
            chunks=_chunks(
                child, path.name, rate, n_channels, max_seconds, promised, sniffed.is_float, bool(stretch)
            ),
        )
    finally:
        child.close()


def _read_wav_header(child: _Child) -> tuple[int, int]:
    """Read the header that FFmpeg writes to the pipe, up to the first sample: rate and channels."""
    header = child.read(12)
    if len(header) < 12:
        child.finish()
        raise EmptyAudioError(f"{child._name} holds no samples")
    rate = n_channels = 0
    while True:
        chunk, length = struct.unpack("<4sI", child.read(8))
        if chunk == b"data":
            return rate, n_channels
        body = child.read(length + (length & 1))
        if chunk == b"fmt ":
            _, n_channels, rate = struct.unpack_from("<HHI", body)


def _chunks(
    child: _Child,
    name: str,
    rate: int,
    n_channels: int,
    max_seconds: float,
    promised_s: float | None,
    is_float: bool,
    may_be_empty: bool,
) -> Iterator[NDArray[np.int16]]:
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
            raise TooLongError(_too_long(name, n_frames / rate, max_seconds))
        if len(chunk):
            yield chunk
    child.finish()
    decoded_s = n_frames / rate
    if n_frames == 0 and not may_be_empty:
        raise EmptyAudioError(f"{name} holds no samples")
    if promised_s is not None and decoded_s < promised_s - max(0.5, 0.01 * promised_s):
        raise TruncatedAudioError(
            f"{name} promises {promised_s:.1f} s and ends after {decoded_s:.1f} s: fetch it again"
        )


def _from_floats(floats: NDArray[np.float32], name: str, at_s: float) -> NDArray[np.int16]:
    if not np.isfinite(floats).all():
        raise DamagedSamplesError(
            f"{name} holds samples that are not numbers (NaN or infinity) near {at_s:.1f} s: export it again"
        )
    scaled: NDArray[np.int16] = np.clip(np.rint(floats * 32768.0), -32768, 32767).astype(np.int16)
    return scaled


def _too_long(name: str, seconds: float, max_seconds: float) -> str:
    lasts, limit = seconds / 3600, max_seconds / 3600
    return f"{name} lasts {lasts:.1f} h or more and at most {limit:.1f} h are taken: cut it into recordings"


_INPUT = re.compile(r"^\[info\] Input #0, (.+), from ", re.MULTILINE)
_DURATION = re.compile(r"^\[info\] {3}Duration: (\d+):(\d+):(\d+\.\d+)", re.MULTILINE)
_AUDIO = re.compile(r"^\[info\] {3}Stream #0:\d+\S*: Audio: ([^ ,]+)[^\n]*? (\d+) Hz", re.MULTILINE)


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


def _probe(path: Path) -> dict[str, Any]:
    command = [
        *_limited("ffprobe"), "-hide_banner", "-loglevel", "level+error", "-of", "json", "-show_format",
        "-show_streams", *_source_arguments(path),
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=MAX_CHILD_WALL_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise DecodeLimitError(f"{path.name} took too long to inspect and was given up") from error
    if done.returncode != 0:
        raise _explain(path.name, done.returncode, done.stderr.decode(errors="replace"))
    probed: dict[str, Any] = json.loads(done.stdout.decode(errors="replace"))
    return probed


# MIDI


@contextlib.contextmanager
def _stream_midi(
    path: Path, sample_rate_hz: int, start_s: float, seconds: float | None, max_seconds: float
) -> Iterator[PcmStream]:
    facts = _midi_facts(path)
    if facts.seconds is not None and facts.seconds > max_seconds:
        raise TooLongError(_too_long(path.name, facts.seconds, max_seconds))
    command = [
        *_limited("fluidsynth"), "-n", "-i", "-q", "-r", str(sample_rate_hz), "-g", str(RENDER_GAIN),
        "-R", "0", "-C", "0", "-o", "synth.lock-memory=0", "-T", "raw", "-O", "s16", "-E", "little",
        "-F", "/dev/stdout",
        str(find_soundfont().resolve()), str(path.resolve()),
    ]  # fmt: skip
    child = _Child(command, path.name)
    whole = _chunks(child, path.name, sample_rate_hz, 2, max_seconds + 60.0, None, False, False)
    left_s = max(0.0, (facts.seconds or 0.0) + RENDER_TAIL_S - start_s)
    seconds = left_s if seconds is None else min(seconds, left_s)
    try:
        yield PcmStream(
            facts=AudioFacts("symbolic", "midi", sample_rate_hz, 2, facts.seconds),
            sample_rate_hz=sample_rate_hz,
            n_channels=2,
            chunks=_stretch(whole, sample_rate_hz, start_s, seconds),
        )
    finally:
        child.close()


def _stretch(
    chunks: Iterator[NDArray[np.int16]], rate: int, start_s: float, seconds: float
) -> Iterator[NDArray[np.int16]]:
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


def _read_midi(path: Path) -> Any:
    try:
        import mido
    except ImportError as error:
        raise DecoderMissingError("MIDI files need the mido package: install the ml extra") from error
    if path.stat().st_size > MAX_MIDI_BYTES:
        raise TooLongError(
            f"{path.name} is a MIDI file of more than {MAX_MIDI_BYTES >> 20} MB: cut it into pieces"
        )
    try:
        return mido.MidiFile(path, clip=True)
    except EOFError as error:
        raise TruncatedAudioError(
            f"{path.name} is a MIDI file that ends too early: fetch it again"
        ) from error
    except (OSError, ValueError, LookupError, TypeError, mido.KeySignatureError) as error:
        raise NotAudioError(f"{path.name} is not a MIDI file that can be read ({error})") from error


def _midi_facts(path: Path) -> AudioFacts:
    midi = _read_midi(path)
    if midi.type == 2:
        raise NotAudioError(f"{path.name} holds independent MIDI sequences (type 2): save them one a file")
    return AudioFacts("symbolic", "midi", RENDER_RATE_HZ, 2, float(midi.length))


def _midi_tags(path: Path) -> Tags:
    """Read title and copyright from the meta events, which musicians fill in as they like."""
    raw: dict[str, str] = {}
    for track in _read_midi(path).tracks:
        for message in track:
            if message.is_meta and message.type in ("copyright", "track_name", "text", "lyrics", "marker"):
                text = str(message.name if message.type == "track_name" else message.text).strip("\0 \t\r\n")
                if text:
                    raw[message.type] = f"{raw[message.type]}\n{text}" if message.type in raw else text
    names = raw.get("track_name", "").splitlines()
    return Tags(
        title=names[0] if names else "",
        copyright=raw.get("copyright", ""),
        comment=raw.get("text", ""),
        licence_url=_url(raw.get("copyright", "") + "\n" + raw.get("text", "")),
        raw=raw,
    )


def read_notes(path: Path) -> list[Note]:
    """Read the notes of a MIDI file, drums left out.

    Returns
    -------
    list of Note
        In rising onset. ``channel`` counts channels track by track, so that each is a voice.

    Raises
    ------
    AudioError
        If it is no whole MIDI file.
    """
    midi = _read_midi(path)
    notes: list[Note] = []
    tempo_map = _tempo_map(midi)
    for number, track in enumerate(midi.tracks):
        ticks = 0
        held: dict[tuple[int, int], float] = {}
        for message in track:
            ticks += message.time
            if message.type not in ("note_on", "note_off") or message.channel == DRUM_CHANNEL:
                continue
            now_s, voice = _seconds_at(ticks, tempo_map, midi.ticks_per_beat), (message.channel, message.note)
            if voice in held:
                onset_s = held.pop(voice)
                notes.append(Note(onset_s, now_s - onset_s, message.note, number * 16 + message.channel))
            if message.type == "note_on" and message.velocity > 0:
                held[voice] = now_s
    return sorted(notes, key=lambda note: (note.onset_s, note.channel, note.pitch))


def _tempo_map(midi: Any) -> list[tuple[int, int]]:
    """Ticks at which the tempo changes, with the microseconds a beat from there on."""
    changes = [(0, 500_000)]
    for track in midi.tracks:
        ticks = 0
        for message in track:
            ticks += message.time
            if message.type == "set_tempo":
                changes.append((ticks, message.tempo))
    return sorted(changes, key=lambda change: change[0])


def _seconds_at(ticks: int, tempo_map: list[tuple[int, int]], ticks_per_beat: int) -> float:
    seconds = 0.0
    ends = [*(at for at, _ in tempo_map[1:]), ticks]
    for (start, tempo), end in zip(tempo_map, ends, strict=True):
        if ticks <= start:
            break
        seconds += (min(end, ticks) - start) * tempo / 1e6 / ticks_per_beat
    return seconds


# Tags


def _tinytag_extras(path: Path) -> dict[str, str]:
    """Read the ID3 link frames (WCOP, WXXX) that FFmpeg leaves out."""
    with path.open("rb") as opened:
        if opened.read(3) != b"ID3":
            return {}
    from tinytag import TinyTag, TinyTagException

    try:
        tag = TinyTag.get(path, duration=False)
    except (TinyTagException, OSError, ValueError, LookupError, struct.error):
        return {}
    extras = {name.lower(): "; ".join(map(str, texts)) for name, texts in tag.other.items()}
    return {name: text for name, text in extras.items() if text}


def _tags_from(raw: dict[str, str]) -> Tags:
    def first(*names: str) -> str:
        return next((raw[name] for name in names if raw.get(name)), "")

    licence = first("license", "licence")
    year = re.search(r"\b(1[89]|20)\d\d\b", first("year", "date", "originaldate", "tdrc", "tyer"))
    return Tags(
        title=first("title"),
        artist=first("artist", "author", "performer", "album_artist"),
        album=first("album"),
        year=int(year.group()) if year else None,
        genre=first("genre"),
        isrc=first("isrc", "tsrc"),
        licence=licence,
        licence_url=first("license_url", "licence_url", "licenseurl", "wcop", "copyright_url")
        or _url(licence + "\n" + raw.get("copyright", "")),
        copyright=first("copyright", "tcop"),
        comment=first("comment", "description"),
        raw=raw,
    )


def _url(text: str) -> str:
    found = re.search(r"https?://[^\s<>\"')]+", text)
    return found.group().rstrip(".,;") if found else ""
