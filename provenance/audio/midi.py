"""MIDI: its notes, its texts, and how FluidSynth sounds it."""

from __future__ import annotations

import bisect
import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from provenance.audio import children, limits, pcm
from provenance.audio.children import Child
from provenance.audio.errors import (
    DecoderMissingError,
    NotAudioError,
    TooLongError,
    TruncatedAudioError,
    too_long,
)
from provenance.audio.facts import AudioFacts
from provenance.audio.pcm import PcmStream
from provenance.similarity.notes import Note

DRUM_CHANNEL = 9
"""The channel of General MIDI on which pitches are drums, counted from 0."""

RENDER_RATE_HZ = 22_050
"""Rate at which MIDI is heard and fingerprinted. Chromaprint looks no higher than 5.5 kHz."""

RENDER_GAIN = 0.25
"""FluidSynth's master gain. At 0.4 four of 31 full arrangements clip, at 0.25 none."""

RENDER_TAIL_S = 2.0
"""Seconds that a rendering goes on after the last event; FluidSynth itself adds 3 to 11 s of silence."""

SOUNDFONT_PATHS = (
    "/usr/share/sounds/sf2/TimGM6mb.sf2",
    "/usr/share/sounds/sf2/default-GM.sf2",
    "/usr/share/sounds/sf3/default-GM.sf3",
    "/usr/share/sounds/sf2/FluidR3_GM.sf2",
    "/usr/share/soundfonts/default.sf2",
    "/usr/share/soundfonts/FluidR3_GM.sf2",
)
"""Where a soundfont is looked for when the environment's ``SOUNDFONT`` names none."""


def inspect(path: Path) -> AudioFacts:
    """Read how long a MIDI file plays."""
    midi = _read(path)
    if midi.type == 2:
        raise NotAudioError(f"{path.name} holds independent MIDI sequences (type 2): save them one a file")
    return AudioFacts("symbolic", "midi", RENDER_RATE_HZ, 2, float(midi.length))


@contextlib.contextmanager
def stream(
    path: Path, sample_rate_hz: int, start_s: float, seconds: float | None, max_seconds: float
) -> Iterator[PcmStream]:
    """Play a MIDI file; see `provenance.audio.decoding.stream`."""
    facts = inspect(path)
    if facts.seconds is not None and facts.seconds > max_seconds:
        raise TooLongError(too_long(path.name, facts.seconds, max_seconds))
    command = [
        *children.limited("fluidsynth"), "-n", "-i", "-q", "-r", str(sample_rate_hz), "-g", str(RENDER_GAIN),
        "-R", "0", "-C", "0", "-o", "synth.lock-memory=0", "-T", "raw", "-O", "s16", "-E", "little",
        "-F", "/dev/stdout",
        str(find_soundfont().resolve()), str(path.resolve()),
    ]  # fmt: skip
    child = Child(command, path.name)
    whole = pcm.chunks(child, path.name, sample_rate_hz, 2, max_seconds + 60.0, None, False, False)
    left_s = max(0.0, (facts.seconds or 0.0) + RENDER_TAIL_S - start_s)
    seconds = left_s if seconds is None else min(seconds, left_s)
    try:
        yield PcmStream(
            facts=AudioFacts("symbolic", "midi", sample_rate_hz, 2, facts.seconds),
            sample_rate_hz=sample_rate_hz,
            n_channels=2,
            chunks=pcm.stretch(whole, sample_rate_hz, start_s, seconds),
        )
    finally:
        child.close()


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
    midi = _read(path)
    notes: list[Note] = []
    clock = _Clock(_tempo_map(midi), midi.ticks_per_beat)
    for number, track in enumerate(midi.tracks):
        ticks = 0
        held: dict[tuple[int, int], float] = {}
        for message in track:
            ticks += message.time
            if message.type not in ("note_on", "note_off") or message.channel == DRUM_CHANNEL:
                continue
            now_s, voice = clock.seconds_at(ticks), (message.channel, message.note)
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


class _Clock:
    """Seconds at a tick, found by halves: files with a tempo for every note are read as fast as others."""

    def __init__(self, tempo_map: list[tuple[int, int]], ticks_per_beat: int) -> None:
        self._starts = [at for at, _ in tempo_map]
        self._each_s = [tempo / 1e6 / ticks_per_beat for _, tempo in tempo_map]
        lasts_s = (
            (end - start) * each_s
            for (start, end), each_s in zip(itertools.pairwise(self._starts), self._each_s, strict=False)
        )
        self._begins_s = list(itertools.accumulate(lasts_s, initial=0.0))

    def seconds_at(self, ticks: int) -> float:
        place = bisect.bisect_right(self._starts, ticks) - 1
        return self._begins_s[place] + (ticks - self._starts[place]) * self._each_s[place]


def read_texts(path: Path) -> dict[str, str]:
    """Read the meta events, text by kind; several of one kind stand a line each."""
    raw: dict[str, str] = {}
    for track in _read(path).tracks:
        for message in track:
            if message.is_meta and message.type in ("copyright", "track_name", "text", "lyrics", "marker"):
                text = str(message.name if message.type == "track_name" else message.text).strip("\0 \t\r\n")
                if text:
                    raw[message.type] = f"{raw[message.type]}\n{text}" if message.type in raw else text
    return raw


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


def _read(path: Path) -> Any:
    try:
        import mido
    except ImportError as error:
        raise DecoderMissingError("MIDI files need the mido package: install the ml extra") from error
    if path.stat().st_size > limits.MAX_MIDI_BYTES:
        raise TooLongError(
            f"{path.name} is a MIDI file of more than {limits.MAX_MIDI_BYTES >> 20} MB: cut it into pieces"
        )
    try:
        midi = mido.MidiFile(path, clip=True)
    except EOFError as error:
        raise TruncatedAudioError(
            f"{path.name} is a MIDI file that ends too early: fetch it again"
        ) from error
    except (OSError, ValueError, LookupError, TypeError, mido.KeySignatureError) as error:
        raise NotAudioError(f"{path.name} is not a MIDI file that can be read ({error})") from error
    if midi.ticks_per_beat <= 0:
        raise NotAudioError(f"{path.name} says of no beat how long it is: export it in ticks per beat")
    return midi
