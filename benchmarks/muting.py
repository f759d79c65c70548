"""Some channels of a piece alone: tracker modules and MIDI files with all others made silent.

The timeline stays that of the whole piece: what sets tempo, order or volume is kept in every channel, and notes alone
are taken out. So a part lies in the whole at the very second.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import mido

_TIMING_EFFECTS = {0x0B, 0x0D, 0x0F}
"""Of ProTracker and FastTracker: jump to a position, break a pattern, set speed or tempo."""

_GLOBAL_EFFECTS = _TIMING_EFFECTS | {0x10, 0x11}
"""With FastTracker's global volume."""

_OFF = 0x80


class NotMutableError(Exception):
    """A file whose channels can't be told apart here."""


def n_channels(path: Path) -> int:
    """Count the channels that may be heard alone.

    Raises
    ------
    NotMutableError
        If the file is of no format that is known here.
    """
    content = path.read_bytes()
    return _form(content, path)[0](content)


def alone(path: Path, channels: Collection[int]) -> bytes:
    """Return the file with every channel silent but these, each < `n_channels`.

    Raises
    ------
    NotMutableError
        If the file is of no format that is known here.
    """
    content = path.read_bytes()
    return _form(content, path)[1](content, channels)


Counted = Callable[[bytes], int]
Muted = Callable[[bytes, Collection[int]], bytes]


def _form(content: bytes, path: Path) -> tuple[Counted, Muted]:
    for found, form in _FORMS.items():
        at, magic = found
        if content[at : at + len(magic)] == magic:
            return form
    raise NotMutableError(f"{path.name} is no IT, S3M, XM, ProTracker or MIDI file")


def switched_on(content: bytes, at: int, count: int) -> list[int]:
    """Of the channels whose flags stand at a place, those that the highest bit does not switch off."""
    return [number for number in range(count) if content[at + number] < _OFF]


def _flags_of(at: int, count: int) -> tuple[Counted, Muted]:
    """Formats whose header holds a byte a channel, of which the highest bit switches the channel off."""

    def counted(content: bytes) -> int:
        return len(switched_on(content, at, count))

    def muted(content: bytes, channels: Collection[int]) -> bytes:
        changed = bytearray(content)
        for number, place in enumerate(switched_on(content, at, count)):
            if number not in channels:
                changed[at + place] |= _OFF
        return bytes(changed)

    return counted, muted


MOD_CHANNELS = {b"M.K.": 4, b"M!K!": 4, b"FLT4": 4, b"4CHN": 4, b"6CHN": 6, b"8CHN": 8}
_MOD_HEADER = 1084


def _mod_channels(content: bytes) -> int:
    return MOD_CHANNELS[content[1080:1084]]


def mod_cells(content: bytes) -> range:
    """Where each cell of four bytes stands, channel after channel in each row."""
    n_patterns = max(content[952:1080]) + 1
    return range(_MOD_HEADER, _MOD_HEADER + n_patterns * 64 * _mod_channels(content) * 4, 4)


def _mod_alone(content: bytes, channels: Collection[int]) -> bytes:
    n = _mod_channels(content)
    changed = bytearray(content)
    for cell, at in enumerate(mod_cells(content)):
        if cell % n not in channels:
            effect = content[at + 2] & 0x0F
            kept = bytes((effect, content[at + 3])) if effect in _TIMING_EFFECTS else b"\0\0"
            changed[at : at + 4] = b"\0\0" + kept
    return bytes(changed)


def _xm_channels(content: bytes) -> int:
    return int(struct.unpack_from("<H", content, 68)[0])


@dataclass(frozen=True, slots=True)
class XmPattern:
    """A pattern of FastTracker: its header but the length of its cells, and these.

    A cell is what stands in it of note, instrument, volume, effect and the effect's value, by these numbers from 0.
    """

    header: bytes
    cells: list[dict[int, int]]


def xm_patterns(content: bytes) -> tuple[list[XmPattern], int]:
    """Read all patterns, and where the first byte behind them stands."""
    (header_bytes,) = struct.unpack_from("<I", content, 60)
    (n_patterns,) = struct.unpack_from("<H", content, 70)
    at = 60 + header_bytes
    patterns = []
    for _ in range(n_patterns):
        length, _packing, _rows, n_bytes = struct.unpack_from("<IBHH", content, at)
        cells = list(_xm_cells(content[at + length : at + length + n_bytes]))
        patterns.append(XmPattern(content[at : at + length], cells))
        at += length + n_bytes
    return patterns, at


def _xm_cells(packed: bytes) -> Iterator[dict[int, int]]:
    at = 0
    while at < len(packed):
        flags = packed[at]
        if flags & _OFF:
            at += 1
        else:  # unpacked: all five bytes follow, this among them
            flags = 0x1F
        values = {}
        for bit in range(5):
            if flags & (1 << bit):
                values[bit] = packed[at]
                at += 1
        yield values


def _xm_alone(content: bytes, channels: Collection[int]) -> bytes:
    n = _xm_channels(content)
    (header_bytes,) = struct.unpack_from("<I", content, 60)
    patterns, end = xm_patterns(content)
    changed = bytearray(content[: 60 + header_bytes])
    for pattern in patterns:
        made = bytearray()
        for number, cell in enumerate(pattern.cells):
            kept = cell if number % n in channels else _global_effect(cell)
            made.append(_OFF | sum(1 << bit for bit in kept))
            made += bytes(kept[bit] for bit in sorted(kept))
        changed += pattern.header[:7] + struct.pack("<H", len(made)) + pattern.header[9:] + made
    return bytes(changed) + content[end:]


def _global_effect(cell: dict[int, int]) -> dict[int, int]:
    if cell.get(3, 0) not in _GLOBAL_EFFECTS:
        return {}
    return {bit: value for bit, value in cell.items() if bit >= 3}


def midi_voices(content: bytes) -> list[tuple[int, int]]:
    """Track and channel of each voice that plays a note."""
    midi = mido.MidiFile(file=io.BytesIO(content))
    return sorted(
        {
            (number, message.channel)
            for number, track in enumerate(midi.tracks)
            for message in track
            if message.type == "note_on" and message.velocity > 0
        }
    )


def _midi_alone(content: bytes, channels: Collection[int]) -> bytes:
    kept = {voice for number, voice in enumerate(midi_voices(content)) if number in channels}
    midi = mido.MidiFile(file=io.BytesIO(content))
    for number, track in enumerate(midi.tracks):
        waited = 0
        messages = []
        for message in track:
            if message.type in ("note_on", "note_off") and (number, message.channel) not in kept:
                waited += message.time
            else:
                messages.append(message.copy(time=message.time + waited))
                waited = 0
        track[:] = messages
    written = io.BytesIO()
    midi.save(file=written)
    return written.getvalue()


IT_FLAGS = 0x40, 64
S3M_FLAGS = 0x40, 32
"""Where the flags of channels begin, and how many there are."""

IT, S3M, XM, MIDI = (0, b"IMPM"), (44, b"SCRM"), (0, b"Extended Module: "), (0, b"MThd")
"""Where a format's own bytes stand, and which."""

MODS = tuple((1080, magic) for magic in MOD_CHANNELS)

_FORMS: Mapping[tuple[int, bytes], tuple[Counted, Muted]] = {
    IT: _flags_of(*IT_FLAGS),
    S3M: _flags_of(*S3M_FLAGS),
    XM: (_xm_channels, _xm_alone),
    MIDI: (lambda content: len(midi_voices(content)), _midi_alone),
    **dict.fromkeys(MODS, (_mod_channels, _mod_alone)),
}
