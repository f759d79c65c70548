"""Which channels of a piece make a stem: what a musician would hand over as drums, bass, lead and accompaniment.

The rule was fixed before anything was measured by it. In MIDI the files say what plays: channel 10 is drums, and the
families of General MIDI tell basses, instruments that lead, and what accompanies. Tracker modules have no such names,
so their channels are put together by what they play:

1. channels whose notes are by the same instruments, for half of their notes or more, are one group; the most alike
   come together first, and a group is alike to another as all of its notes together are;
2. while there are more than ``MOST_STEMS`` groups, the one with the fewest notes joins the group that holds the channel
   nearest to one of its own: fills and effects are no stem, and what belongs together is written side by side.

A channel without notes is in no stem, and a piece whose channels are all one group has none.
"""

from __future__ import annotations

import io
import struct
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from pathlib import Path

import mido

from benchmarks import muting

MOST_STEMS = 4
ALIKE = 0.5

DRUM_CHANNEL = 9
"""Channel 10, counted from 0."""

DRUMS, BASS, LEAD, ACCOMPANIMENT = range(4)

FAMILIES = (
    (32, 39, BASS),
    (40, 47, LEAD),  # solo strings
    (56, 87, LEAD),  # brass, reeds, pipes, synthesizers that lead
    (104, 111, LEAD),  # of many countries
    (112, 119, DRUMS),  # percussive
)
"""First and last program, counted from 0, and what they play; pianos, organs, guitars, ensembles, pads and effects
accompany. Source: General MIDI System Level 1, MIDI Manufacturers Association 1991."""

Notes = dict[int, Counter[int]]
"""Of each channel that plays: how many notes are written for each instrument."""


def stems(path: Path) -> list[tuple[int, ...]]:
    """Return the channels of each stem, numbered as `benchmarks.muting` does.

    Returns
    -------
    list of tuple of int
        At most ``MOST_STEMS``, in the order of their first channels; none if there is but one.

    Raises
    ------
    benchmarks.muting.NotMutableError
        If the file is of no format that is known there.
    """
    content = path.read_bytes()
    for (at, magic), grouped in _FORMS.items():
        if content[at : at + len(magic)] == magic:
            groups = grouped(content)
            return groups if len(groups) > 1 else []
    raise muting.NotMutableError(f"{path.name} is no IT, S3M, XM, ProTracker or MIDI file")


def by_instruments(notes: Notes) -> list[tuple[int, ...]]:
    """Group channels by what they play.

    Parameters
    ----------
    notes : mapping of int to Counter
        Of each channel, how many notes are by each instrument.

    Returns
    -------
    list of tuple of int
        At most ``MOST_STEMS`` groups, in the order of their first channels.
    """
    groups: Notes = {channel: played for channel, played in notes.items() if played.total()}
    members = {channel: [channel] for channel in groups}

    def join(one: int, other: int) -> None:
        groups[one] = groups[one] + groups.pop(other)
        members[one] += members.pop(other)

    while len(groups) > 1:
        one, other = max(
            combinations(sorted(groups), 2), key=lambda two: alike(groups[two[0]], groups[two[1]])
        )
        if alike(groups[one], groups[other]) < ALIKE:
            break
        join(one, other)
    while len(groups) > MOST_STEMS:
        least = min(sorted(groups), key=lambda group: groups[group].total())
        join(
            min(sorted(groups.keys() - {least}), key=lambda group: _apart(members[group], members[least])),
            least,
        )
    return sorted(tuple(sorted(channels)) for channels in members.values())


def alike(one: Counter[int], other: Counter[int]) -> float:
    """Share of notes, in [0, 1], for which two have the same instruments."""
    return sum(
        min(one[number] / one.total(), other[number] / other.total()) for number in one.keys() & other.keys()
    )


def _apart(some: list[int], others: list[int]) -> int:
    return min(abs(one - other) for one in some for other in others)


def _mod_stems(content: bytes) -> list[tuple[int, ...]]:
    n = muting.MOD_CHANNELS[content[1080:1084]]
    cells = (
        (
            number % n,
            ((content[at] & 0x0F) << 8) | content[at + 1],
            (content[at] & 0xF0) | (content[at + 2] >> 4),
        )
        for number, at in enumerate(muting.mod_cells(content))
    )
    return by_instruments(_counted(cells))


def _xm_stems(content: bytes) -> list[tuple[int, ...]]:
    (n,) = struct.unpack_from("<H", content, 68)
    patterns, _ = muting.xm_patterns(content)
    cells = (
        (number % n, cell.get(0, 0) if cell.get(0, 0) < _XM_KEY_OFF else 0, cell.get(1, 0))
        for pattern in patterns
        for number, cell in enumerate(pattern.cells)
    )
    return by_instruments(_counted(cells))


_XM_KEY_OFF = 97
_IT_NOTES = 120
_S3M_NOTES = 0xF0


def _it_stems(content: bytes) -> list[tuple[int, ...]]:
    n_orders, n_instruments, n_samples, n_patterns = struct.unpack_from("<4H", content, 0x20)
    first = 0xC0 + n_orders + 4 * (n_instruments + n_samples)
    cells = (
        cell
        for at in struct.unpack_from(f"<{n_patterns}I", content, first)
        if at
        for cell in _it_cells(content, at)
    )
    return _of_switched_on(content, muting.IT_FLAGS, cells)


def _it_cells(content: bytes, at: int) -> Iterator[tuple[int, int, int]]:
    (n_bytes,) = struct.unpack_from("<H", content, at)
    at += 8
    end = at + n_bytes
    masks, notes, instruments = {}, dict[int, int](), dict[int, int]()
    while at < end:
        told = content[at]
        at += 1
        if not told:
            continue
        channel = (told - 1) & 63
        if told & 0x80:
            masks[channel] = content[at]
            at += 1
        mask = masks.get(channel, 0)
        if mask & 1:
            notes[channel] = content[at]
            at += 1
        if mask & 2:
            instruments[channel] = content[at]
            at += 1
        at += (mask >> 2 & 1) + 2 * (mask >> 3 & 1)
        note = notes.get(channel, _IT_NOTES) if mask & 0x11 else _IT_NOTES
        yield channel, note + 1 if note < _IT_NOTES else 0, instruments.get(channel, 0) if mask & 0x22 else 0


def _s3m_stems(content: bytes) -> list[tuple[int, ...]]:
    n_orders, n_instruments, n_patterns = struct.unpack_from("<3H", content, 0x20)
    places = struct.unpack_from(f"<{n_patterns}H", content, 0x60 + n_orders + 2 * n_instruments)
    cells = (cell for place in places if place for cell in _s3m_cells(content, 16 * place))
    return _of_switched_on(content, muting.S3M_FLAGS, cells)


def _s3m_cells(content: bytes, at: int) -> Iterator[tuple[int, int, int]]:
    (n_bytes,) = struct.unpack_from("<H", content, at)
    end = at + n_bytes
    at += 2
    while at < end:
        told = content[at]
        at += 1
        if told & 0x20:
            note, instrument = content[at], content[at + 1]
            at += 2
            yield told & 31, note + 1 if note < _S3M_NOTES else 0, instrument
        at += (told >> 6 & 1) + 2 * (told >> 7 & 1)


def _of_switched_on(
    content: bytes, flags: tuple[int, int], cells: Iterator[tuple[int, int, int]]
) -> list[tuple[int, ...]]:
    numbers = {place: number for number, place in enumerate(muting.switched_on(content, *flags))}
    return by_instruments(
        _counted((numbers[place], note, by) for place, note, by in cells if place in numbers)
    )


def _counted(cells: Iterator[tuple[int, int, int]]) -> Notes:
    """Count notes from channel, note and instrument of each cell; 0 is no note, and the instrument before."""
    notes: Notes = {}
    latest: dict[int, int] = {}
    for channel, note, instrument in cells:
        if instrument:
            latest[channel] = instrument
        if note:
            notes.setdefault(channel, Counter())[latest.get(channel, 0)] += 1
    return notes


def _midi_stems(content: bytes) -> list[tuple[int, ...]]:
    programs: dict[int, int] = {}
    played: dict[tuple[int, int], Counter[int]] = {}
    midi = mido.MidiFile(file=io.BytesIO(content))
    for number, message in _in_time(midi):
        if message.type == "program_change":
            programs[message.channel] = message.program
        elif message.type == "note_on" and message.velocity > 0:
            part = _part_of(message.channel, programs.get(message.channel, 0))
            played.setdefault((number, message.channel), Counter())[part] += 1
    groups: dict[int, list[int]] = {}
    for number, voice in enumerate(muting.midi_voices(content)):
        groups.setdefault(played[voice].most_common(1)[0][0], []).append(number)
    return sorted(tuple(voices) for voices in groups.values())


def _in_time(midi: mido.MidiFile) -> Iterator[tuple[int, mido.Message]]:
    """Messages of all tracks as they are played, each with its track's number."""
    timed = []
    for number, track in enumerate(midi.tracks):
        at = 0
        for message in track:
            at += message.time
            timed.append((at, number, message))
    yield from ((number, message) for _, number, message in sorted(timed, key=lambda one: one[:2]))


def _part_of(channel: int, program: int) -> int:
    if channel == DRUM_CHANNEL:
        return DRUMS
    return next((part for first, last, part in FAMILIES if first <= program <= last), ACCOMPANIMENT)


_FORMS: Mapping[tuple[int, bytes], Callable[[bytes], list[tuple[int, ...]]]] = {
    muting.IT: _it_stems,
    muting.S3M: _s3m_stems,
    muting.XM: _xm_stems,
    muting.MIDI: _midi_stems,
    **dict.fromkeys(muting.MODS, _mod_stems),
}
