"""Looking at a file's first bytes, and its last: what it is, and whether it is whole."""

import io
import stat
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from provenance.audio.errors import EmptyAudioError, NoChannelsError, NotAudioError, TruncatedAudioError, cut


@dataclass(frozen=True, slots=True)
class Sniffed:
    is_midi: bool = False
    is_float: bool = False


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
            return Sniffed(is_float=_check_wave(opened, size, path.name))
        if head[:4] == b"OggS":
            _check_ogg(opened, size, path.name)
    return Sniffed()


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
    return cut(name, promised_bytes / bytes_per_s, left_bytes / bytes_per_s)


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
