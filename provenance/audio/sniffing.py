"""Looking at a file's first bytes, and its last: what it is, and whether it is whole."""

import io
import stat
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from provenance.audio.errors import EmptyAudioError, NoChannelsError, NotAudioError, TruncatedAudioError, cut
from provenance.audio.limits import MAX_SAMPLE_RATE_HZ

_WHOLE_NUMBERS = bytes.fromhex("0100000000001000800000aa00389b71")
"""The name under which an extensible format calls its samples whole numbers."""

_OTHER_CODECS = tuple(
    bytes.fromhex(sync) for sync in ("72f81f4e", "7ffe8001", "fe7f0180", "1fffe800", "ff1f00e8")
)
"""How AC-3 over S/PDIF and DTS begin that go as 16-bit samples: a decoder hears music in what would be noise."""

_LOOKED_THROUGH_BYTES = 1 << 16
"""Of the samples, for one of these."""

_USUAL_FLAC_BLOCKS = (0, 1, 2, 3, 4, 6)
"""Metadata of FLAC: the stream, padding, applications, places to seek to, tags, pictures. Not cue sheets."""

_MOST_FLAC_BLOCKS = 200


@dataclass(frozen=True, slots=True)
class Wave:
    """Where the samples of a WAV file lie that are stored as 16-bit whole numbers, as they are and no other way.

    ``first`` and ``n_bytes`` are of the samples in the file: whole frames of all channels.
    """

    sample_rate_hz: int
    n_channels: int
    first: int
    n_bytes: int


@dataclass(frozen=True, slots=True)
class Flac:
    """What a FLAC file says of itself that is as an encoder leaves it; ``n_frames`` are of all channels."""

    sample_rate_hz: int
    n_channels: int
    n_bits: int
    n_frames: int


@dataclass(frozen=True, slots=True)
class Sniffed:
    is_midi: bool = False
    is_float: bool = False
    wave: Wave | None = None
    flac: Flac | None = None


def sniff(path: Path) -> Sniffed:
    """Look at the bytes that say what a file is, and that it is whole, without decoding it."""
    if stat.S_IFMT(path.stat().st_mode) not in (stat.S_IFREG, stat.S_IFDIR):
        raise NotAudioError(f"{path.name} is a pipe, socket or device, not a file: save what it gives first")
    with path.open("rb") as opened:
        size = opened.seek(0, io.SEEK_END)
        opened.seek(0)
        if size == 0:
            raise EmptyAudioError(f"{path.name} is empty: fetch it again")
        head = opened.read(12)
        if head[:4] == b"MThd" or (head[:4] == b"RIFF" and head[8:12] == b"RMID"):
            return Sniffed(is_midi=True)
        if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
            return _check_wave(opened, size, path.name)
        if head[:4] == b"OggS":
            _check_ogg(opened, size, path.name)
        if head[:4] == b"fLaC":
            return Sniffed(flac=_flac(opened))
    return Sniffed()


def _check_wave(opened: IO[bytes], size: int, name: str) -> Sniffed:
    """Walk a WAV file's chunks and say what its samples are."""
    is_float, bytes_per_s, fmt, n_formats = False, 0, b"", 0
    opened.seek(12)
    while len(header := opened.read(8)) == 8:
        chunk, length = struct.unpack("<4sI", header)
        here = opened.tell()
        if chunk == b"fmt " and length >= 16:
            fmt = opened.read(min(length, 40))
            n_formats += 1
            if len(fmt) < 16:
                break
            tag, n_channels, rate, bytes_per_s = struct.unpack_from("<HHII", fmt)
            if n_channels == 0:
                raise NoChannelsError(f"{name} claims 0 channels: export it again")
            if rate == 0:
                raise NotAudioError(f"{name} claims a sample rate of 0 Hz: export it again")
            if rate > MAX_SAMPLE_RATE_HZ:
                raise NotAudioError(f"{name} claims a sample rate of {rate:,} Hz: export it again")
            is_float = tag == 3 or (tag == 0xFFFE and len(fmt) >= 26 and fmt[24] == 3)
        elif chunk == b"data":
            left = size - here
            if left < length < 0xFFFF_0000:
                raise TruncatedAudioError(_cut_wave(name, length, left, bytes_per_s))
            wave = _plain(fmt, here, length, left) if n_formats == 1 else None
            return Sniffed(
                is_float=is_float, wave=wave if wave and _is_alone(opened, wave, here + length) else None
            )
        opened.seek(here + length + (length & 1))
    raise TruncatedAudioError(f"{name} ends inside its header: fetch it again")


def _plain(fmt: bytes, first: int, length: int, left: int) -> Wave | None:
    """Tell where samples lie that need no decoder; None where they do, or their length is not known.

    A length of 0 is what a recorder writes that did not come to its end: a decoder reads on.
    """
    if len(fmt) < 16 or left < length or (length == 0 and left):
        return None
    tag, n_channels, rate, bytes_per_s, frame_bytes, n_bits = struct.unpack_from("<HHIIHH", fmt)
    all_bits = struct.pack("<H", 16)
    is_whole_number = tag == 1 or (
        tag == 0xFFFE and fmt[24:40] == _WHOLE_NUMBERS and fmt[18:20] in (bytes(2), all_bits)
    )
    is_plain = is_whole_number and n_bits == 16 and n_channels <= 2 and frame_bytes == 2 * n_channels
    if not is_plain or bytes_per_s != rate * frame_bytes:
        return None
    return Wave(rate, n_channels, first, length - length % frame_bytes)


def _is_alone(opened: IO[bytes], wave: Wave, end: int) -> bool:
    """Whether these are all the samples there are, and nothing that goes as samples; the chunk ends at ``end``."""
    opened.seek(wave.first)
    head = opened.read(min(wave.n_bytes, _LOOKED_THROUGH_BYTES))
    if any(sync in head for sync in _OTHER_CODECS):
        return False
    opened.seek(end + ((end - wave.first) & 1))
    while len(header := opened.read(8)) == 8:
        chunk, length = struct.unpack("<4sI", header)
        if chunk in (b"data", b"fmt ", b"RIFF"):
            return False
        opened.seek(length + (length & 1), io.SEEK_CUR)
    return True


def _cut_wave(name: str, promised_bytes: int, left_bytes: int, bytes_per_s: int) -> str:
    if bytes_per_s <= 0:
        return f"{name} promises {promised_bytes} bytes of samples and holds {left_bytes}: fetch it again"
    return cut(name, promised_bytes / bytes_per_s, left_bytes / bytes_per_s)


def _flac(opened: IO[bytes]) -> Flac | None:
    """Read what the first metadata block says (RFC 9639, section 8.2); None where anything there is unusual."""
    opened.seek(4)
    flac = None
    for _ in range(_MOST_FLAC_BLOCKS):
        header = opened.read(4)
        if len(header) < 4:
            return None
        kind, length = header[0] & 0x7F, int.from_bytes(header[1:], "big")
        if (flac is None) != (kind == 0) or kind not in _USUAL_FLAC_BLOCKS:
            return None
        if flac is None:
            flac = _told(opened.read(34)) if length == 34 else None
            if flac is None:
                return None
        else:
            opened.seek(length, io.SEEK_CUR)
        if header[0] & 0x80:
            return flac if opened.read(2) in (b"\xff\xf8", b"\xff\xf9") else None
    return None


def _told(streaminfo: bytes) -> Flac | None:
    if len(streaminfo) < 34:
        return None
    packed = int.from_bytes(streaminfo[10:18], "big")
    rate, n_channels = packed >> 44, (packed >> 41 & 7) + 1
    n_bits, n_frames = (packed >> 36 & 31) + 1, packed & (1 << 36) - 1
    if not rate or n_channels > 2 or n_bits not in (16, 24) or not n_frames:
        return None
    return Flac(rate, n_channels, n_bits, n_frames)


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
