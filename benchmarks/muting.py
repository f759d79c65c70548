"""One part of a piece alone: tracker modules and MIDI files with all other channels made silent.

The timeline stays that of the whole piece: what sets tempo, order or volume is kept in every channel, and notes alone
are taken out. So a part lies in the whole at the very second.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Mapping
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


def alone(path: Path, channel: int) -> bytes:
    """Return the file with every channel but one silent."""
    content = path.read_bytes()
    return _form(content, path)[1](content, channel)


def _form(content: bytes, path: Path) -> tuple[Callable[[bytes], int], Callable[[bytes, int], bytes]]:
    for found, form in _FORMS.items():
        at, magic = found
        if content[at : at + len(magic)] == magic:
            return form
    raise NotMutableError(f"{path.name} is no IT, S3M, XM, ProTracker or MIDI file")


def _flags_of(at: int, count: int) -> tuple[Callable[[bytes], int], Callable[[bytes, int], bytes]]:
    """Formats whose header holds a byte a channel, of which the highest bit switches the channel off."""

    def counted(content: bytes) -> int:
        return sum(flag < _OFF for flag in content[at : at + count])

    def muted(content: bytes, channel: int) -> bytes:
        changed = bytearray(content)
        on = [place for place in range(at, at + count) if content[place] < _OFF]
        for number, place in enumerate(on):
            if number != channel:
                changed[place] |= _OFF
        return bytes(changed)

    return counted, muted


_MOD_CHANNELS = {b"M.K.": 4, b"M!K!": 4, b"FLT4": 4, b"4CHN": 4, b"6CHN": 6, b"8CHN": 8}
_MOD_HEADER = 1084


def _mod_channels(content: bytes) -> int:
    return _MOD_CHANNELS[content[1080:1084]]


def _mod_alone(content: bytes, channel: int) -> bytes:
    n = _mod_channels(content)
    n_patterns = max(content[952:1080]) + 1
    changed = bytearray(content)
    for cell in range(n_patterns * 64 * n):
        if cell % n != channel:
            at = _MOD_HEADER + 4 * cell
            effect = content[at + 2] & 0x0F
            kept = bytes((effect, content[at + 3])) if effect in _TIMING_EFFECTS else b"\0\0"
            changed[at : at + 4] = b"\0\0" + kept
    return bytes(changed)


def _xm_channels(content: bytes) -> int:
    return int(struct.unpack_from("<H", content, 68)[0])


def _xm_alone(content: bytes, channel: int) -> bytes:
    n = _xm_channels(content)
    (header_bytes,) = struct.unpack_from("<I", content, 60)
    (n_patterns,) = struct.unpack_from("<H", content, 70)
    at = 60 + header_bytes
    changed = bytearray(content[:at])
    for _ in range(n_patterns):
        length, packing, rows, n_bytes = struct.unpack_from("<IBHH", content, at)
        cells = _xm_cells(content[at + length : at + length + n_bytes], n, channel)
        changed += (
            struct.pack("<IBHH", length, packing, rows, len(cells)) + content[at + 9 : at + length] + cells
        )
        at += length + n_bytes
    return bytes(changed) + content[at:]


def _xm_cells(packed: bytes, n: int, channel: int) -> bytes:
    """Cells of a pattern; of silent channels nothing but global effects is left."""
    made = bytearray()
    at = number = 0
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
        if number % n != channel:
            values = {
                bit: value
                for bit, value in values.items()
                if bit >= 3 and values.get(3, 0) in _GLOBAL_EFFECTS
            }
        made.append(_OFF | sum(1 << bit for bit in values))
        made += bytes(values[bit] for bit in sorted(values))
        number += 1
    return bytes(made)


def _voices(content: bytes) -> list[tuple[int, int]]:
    midi = mido.MidiFile(file=io.BytesIO(content))
    return sorted(
        {
            (number, message.channel)
            for number, track in enumerate(midi.tracks)
            for message in track
            if message.type == "note_on" and message.velocity > 0
        }
    )


def _midi_alone(content: bytes, channel: int) -> bytes:
    kept = _voices(content)[channel]
    midi = mido.MidiFile(file=io.BytesIO(content))
    for number, track in enumerate(midi.tracks):
        waited = 0
        messages = []
        for message in track:
            if message.type in ("note_on", "note_off") and (number, message.channel) != kept:
                waited += message.time
            else:
                messages.append(message.copy(time=message.time + waited))
                waited = 0
        track[:] = messages
    written = io.BytesIO()
    midi.save(file=written)
    return written.getvalue()


_FORMS: Mapping[tuple[int, bytes], tuple[Callable[[bytes], int], Callable[[bytes, int], bytes]]] = {
    (0, b"IMPM"): _flags_of(0x40, 64),
    (44, b"SCRM"): _flags_of(0x40, 32),
    (0, b"Extended Module: "): (_xm_channels, _xm_alone),
    (0, b"MThd"): (lambda content: len(_voices(content)), _midi_alone),
    **{(1080, magic): (_mod_channels, _mod_alone) for magic in _MOD_CHANNELS},
}
