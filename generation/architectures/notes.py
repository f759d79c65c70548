"""Notes: read from MIDI, heard in audio, written as steps of tokens and back to MIDI.

Time counts in ticks of a 24th of a beat, so that triplets and sixteenths fall on whole ticks at any tempo.
"""

from __future__ import annotations

import bisect
import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mido
import numpy as np
import numpy.typing as npt

from generation.architectures.base import SourceError

TICKS_PER_BEAT = 24
DRUMS = 128
"""Instrument number of the percussion channel; 0..127 are General MIDI programs."""

TEMPO_LOW_BPM = 20
N_TEMPI = 256
"""Tempi 20..275 bpm in steps of 1: half a bpm off at 120 shifts a beat by 2 ms, far under a fingerprint's 124 ms."""

N_GAPS = 8 * TICKS_PER_BEAT
"""Gaps from onset to onset, in ticks; a longer silence is cut to the longest of these, 8 beats less a tick."""

N_VELOCITIES = 32
VELOCITY_STEP = 4
"""MIDI's 127 velocities in 32 steps: at most 2 off, about 0.3 dB in the middle of the range."""

DURATIONS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 18, 21, 24, 28, 32, 36, 42, 48, 56, 64, 72, 84, 96,
             120, 144, 168, 192, 240, 288, 384)  # fmt: skip
"""Lengths that a note can have, in ticks: at most 10 % off from 10 ticks on, up to 16 beats."""

SAME_TEMPO = 0
"""Tempo token of a note whose tempo is that of the note before; the others count from 1."""

VOCABULARY = (N_TEMPI + 1, N_GAPS, DRUMS + 1, 128, len(DURATIONS), N_VELOCITIES)
"""Sizes of a step's fields: tempo, gap since the last onset, instrument, pitch, duration, velocity."""


def geometry() -> tuple[npt.NDArray[np.float32], ...]:
    """Where the values of each field lie: near ones mean nearly the same.

    Returns
    -------
    tuple of np.ndarray [shape=(size of the field, n_dimensions)]
        Tempi, durations and velocities on a line; gaps on a line and around the beat and its quarter; instruments
        by family; pitches by height, around the octave and around the circle of fifths.
    """
    tempi = np.log(np.arange(N_TEMPI + 1) + TEMPO_LOW_BPM - 1.0)
    gaps, pitches = np.arange(N_GAPS), np.arange(128)
    families = np.eye(DRUMS // 8 + 1)[np.arange(DRUMS + 1) // 8]
    return (
        _centred(tempi),
        np.hstack(
            [_centred(np.log1p(gaps)), _around(gaps / TICKS_PER_BEAT), _around(4 * gaps / TICKS_PER_BEAT)]
        ),
        families.astype(np.float32),
        np.hstack([_centred(pitches), _around(pitches / 12), _around(7 * pitches / 12)]),
        _centred(np.log(DURATIONS)),
        _centred(np.arange(N_VELOCITIES)),
    )


def _centred(line: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    centred: npt.NDArray[np.float32] = ((line - line.mean()) / line.std()).astype(np.float32)
    return centred[:, None]


def _around(turns: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    angles = 2 * np.pi * turns
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


LARGEST_MIDI_BYTES = 4_000_000
MOST_NOTES = 100_000
"""A file beyond these is not a piece of music; reading it would only cost memory."""

FULL_VOLUME = 127.0
HEARD_BPM = 120
HEARD_INSTRUMENT = 0


@dataclass(frozen=True, slots=True)
class Note:
    """One note.

    Attributes
    ----------
    onset, duration : int
        In ticks, ``onset >= 0`` and ``duration >= 1``.
    onset_s : float
        The onset in seconds from the start of the file.
    tempo_bpm : float
        Tempo at the onset, in quarter notes a minute.
    instrument : int
        0..127 a General MIDI program, 128 percussion.
    pitch : int
        MIDI key, 0..127.
    velocity : int
        1..127, with the channel's volume and expression multiplied in.
    """

    onset: int
    duration: int
    onset_s: float
    tempo_bpm: float
    instrument: int
    pitch: int
    velocity: int


@dataclass(slots=True)
class _Channel:
    program: int = 0
    volume: float = 100.0
    expression: float = 127.0


def read_midi(path: Path) -> list[Note]:
    """Read the notes of a MIDI file.

    Pitch bends, pan and effects are lost; a note that never ends lasts as long as the file.

    Parameters
    ----------
    path : Path
        A standard MIDI file of type 0 or 1.

    Returns
    -------
    list of Note
        In order of onset, instrument, pitch; the first onset is 0. Empty if there are no notes.

    Raises
    ------
    SourceError
        If it is not a readable MIDI file, or far larger than music is.
    """
    if path.stat().st_size > LARGEST_MIDI_BYTES:
        raise SourceError(f"a MIDI file of more than {LARGEST_MIDI_BYTES // 1_000_000} MB is not read")
    try:
        midi = mido.MidiFile(str(path), clip=True)
        if midi.type == 2 or midi.ticks_per_beat <= 0:
            raise SourceError("only MIDI files of type 0 and 1 that count in beats are read")
        notes = _collect(midi)
    except (OSError, EOFError, ValueError, LookupError, TypeError, mido.KeySignatureError) as error:
        raise SourceError(f"not a readable MIDI file: {error}") from error
    return _tidy(notes)


def _collect(midi: mido.MidiFile) -> list[Note]:
    channels = [_Channel() for _ in range(16)]
    sounding: dict[tuple[int, int], list[tuple[int, float, float, int, int]]] = {}
    notes: list[Note] = []
    tempo, ticks, seconds = 500_000, 0, 0.0

    def end(key: tuple[int, int], at: int) -> None:
        onset, onset_s, bpm, instrument, velocity = sounding[key].pop(0)
        if not sounding[key]:
            del sounding[key]
        notes.append(Note(onset, max(1, at - onset), onset_s, bpm, instrument, key[1], velocity))

    for message in mido.merge_tracks(midi.tracks):
        ticks += message.time
        seconds += mido.tick2second(message.time, midi.ticks_per_beat, tempo)
        now = round(ticks * TICKS_PER_BEAT / midi.ticks_per_beat)
        if message.type == "set_tempo":
            tempo = max(1, message.tempo)
        elif message.type == "program_change":
            channels[message.channel].program = message.program
        elif message.type == "control_change" and message.control == 7:
            channels[message.channel].volume = message.value
        elif message.type == "control_change" and message.control == 11:
            channels[message.channel].expression = message.value
        elif message.type == "note_on" and message.velocity:
            channel = channels[message.channel]
            loud = message.velocity * channel.volume * channel.expression / FULL_VOLUME**2
            instrument = DRUMS if message.channel == 9 else channel.program
            sounding.setdefault((message.channel, message.note), []).append(
                (now, seconds, 60e6 / tempo, instrument, max(1, round(loud)))
            )
            if len(notes) > MOST_NOTES:
                raise SourceError(f"more than {MOST_NOTES} notes")
        elif message.type in ("note_on", "note_off") and (message.channel, message.note) in sounding:
            end((message.channel, message.note), now)
    last = round(ticks * TICKS_PER_BEAT / midi.ticks_per_beat)
    for key in list(sounding):
        while key in sounding:
            end(key, last)
    return notes


def _tidy(notes: list[Note]) -> list[Note]:
    """Sort, keep the louder of two equal notes, and start at 0."""
    louder: dict[tuple[int, int, int], Note] = {}
    for note in notes:
        place = (note.onset, note.instrument, note.pitch)
        if place not in louder or note.velocity > louder[place].velocity:
            louder[place] = note
    tidied = [louder[place] for place in sorted(louder)]
    first = tidied[0].onset if tidied else 0
    return [
        Note(
            note.onset - first,
            note.duration,
            note.onset_s,
            note.tempo_bpm,
            note.instrument,
            note.pitch,
            note.velocity,
        )
        for note in tidied
    ]


def to_steps(notes: list[Note]) -> npt.NDArray[np.int16]:
    """Write notes as steps.

    Parameters
    ----------
    notes : list of Note
        In order of onset.

    Returns
    -------
    np.ndarray [shape=(n_notes, 6), dtype=int16]
        Fields as in ``VOCABULARY``, the tempo always spelled out; an empty list gives no steps.
    """
    steps = np.zeros((len(notes), len(VOCABULARY)), dtype=np.int16)
    last_onset = 0
    for row, note in enumerate(notes):
        steps[row] = (
            min(max(round(note.tempo_bpm) - TEMPO_LOW_BPM, 0), N_TEMPI - 1) + 1,
            min(note.onset - last_onset, N_GAPS - 1),
            note.instrument,
            note.pitch,
            _nearest_duration(note.duration),
            min(note.velocity // VELOCITY_STEP, N_VELOCITIES - 1),
        )
        last_onset = note.onset
    return steps


def _nearest_duration(ticks: int) -> int:
    above = bisect.bisect_left(DURATIONS, ticks)
    if above == 0 or above == len(DURATIONS):
        return min(above, len(DURATIONS) - 1)
    return above if DURATIONS[above] * DURATIONS[above - 1] < ticks**2 else above - 1


def with_tempo_changes(steps: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
    """Spell out the tempo only where it changes, and at the start.

    A network that has to name the tempo with every note learns the few tempi of its training set by heart, and is
    wrong at every note of any other piece.

    Parameters
    ----------
    steps : np.ndarray [shape=(n_steps, 6), dtype=int16]
        With the tempo spelled out; a step that ends the piece may stand last.

    Returns
    -------
    np.ndarray [shape=(n_steps, 6), dtype=int16]
        A copy.
    """
    changed = steps.copy()
    changed[1:, 0][steps[1:, 0] == steps[:-1, 0]] = SAME_TEMPO
    return changed


def from_step(step: list[int], last_onset: int, last_onset_s: float, last_bpm: float) -> Note:
    """Read one step back.

    Parameters
    ----------
    step : list of int
        Fields as in ``VOCABULARY``.
    last_onset, last_onset_s, last_bpm
        Onset in ticks, onset in seconds and tempo of the note before; 0, 0.0 and any tempo at the start.

    Returns
    -------
    Note
        The note.
    """
    tempo, gap, instrument, pitch, duration, velocity = (int(value) for value in step)
    return Note(
        onset=last_onset + gap,
        duration=DURATIONS[duration],
        onset_s=last_onset_s + gap * 60.0 / (last_bpm * TICKS_PER_BEAT),
        tempo_bpm=last_bpm if tempo == SAME_TEMPO else float(tempo - 1 + TEMPO_LOW_BPM),
        instrument=instrument,
        pitch=pitch,
        velocity=max(1, velocity * VELOCITY_STEP + VELOCITY_STEP // 2),
    )


def write_midi(notes: list[Note]) -> bytes:
    """Write notes as a standard MIDI file of type 0.

    Parameters
    ----------
    notes : list of Note
        In order of onset. With more than 15 instruments beside the percussion, the channel that was silent
        longest changes its program.

    Returns
    -------
    bytes
        The same notes give the same bytes.
    """
    events: list[tuple[int, int, mido.Message | mido.MetaMessage]] = []
    channel_of: dict[int, int] = {DRUMS: 9}
    last_used = {channel: -1 for channel in range(16) if channel != 9}
    for channel in range(16):
        events.append(
            (0, 0, mido.Message("control_change", channel=channel, control=7, value=int(FULL_VOLUME)))
        )
    bpm = None
    ends: dict[tuple[int, int], int] = {}
    for i, note in enumerate(notes):
        if note.tempo_bpm != bpm:
            bpm = note.tempo_bpm
            events.append((note.onset, 1, mido.MetaMessage("set_tempo", tempo=round(60e6 / bpm))))
        if note.instrument not in channel_of:
            channel = min(last_used, key=lambda one: (last_used[one], one))
            channel_of = {one: its for one, its in channel_of.items() if its != channel}
            channel_of[note.instrument] = channel
            events.append(
                (note.onset, 2, mido.Message("program_change", channel=channel, program=note.instrument))
            )
        channel = channel_of[note.instrument]
        if channel != 9:
            last_used[channel] = i
        key = (channel, note.pitch)
        if ends.get(key, 0) > note.onset:
            events.append((note.onset, 3, mido.Message("note_off", channel=channel, note=note.pitch)))
        events.append(
            (
                note.onset,
                4,
                mido.Message("note_on", channel=channel, note=note.pitch, velocity=min(note.velocity, 127)),
            )
        )
        ends[key] = note.onset + note.duration
        if not _struck_again(notes, i, note):
            events.append((ends[key], 0, mido.Message("note_off", channel=channel, note=note.pitch)))
    events.sort(key=lambda event: event[:2])
    track = mido.MidiTrack()
    now = 0
    for at, _, message in events:
        track.append(message.copy(time=at - now))
        now = at
    midi = mido.MidiFile(type=0, ticks_per_beat=TICKS_PER_BEAT)
    midi.tracks.append(track)
    written = io.BytesIO()
    midi.save(file=written)
    return written.getvalue()


def _struck_again(notes: list[Note], i: int, note: Note) -> bool:
    """Whether the same key is struck again before this note ends; the later note then ends it."""
    end = note.onset + note.duration
    for later in notes[i + 1 :]:
        if later.onset >= end:
            return False
        if (later.instrument, later.pitch) == (note.instrument, note.pitch):
            return True
    return False


# Hearing notes in audio ------------------------------------------------------------------------------------

HOP_S = 60.0 / (HEARD_BPM * TICKS_PER_BEAT)
"""One analysis frame a tick at 120 bpm: 20.8 ms."""

LOWEST_PITCH, HIGHEST_PITCH = 33, 93
"""A1 (55 Hz) to A6 (1760 Hz): below, the window is too short to tell semitones; above, most peaks are overtones."""

MOST_VOICES = 4
N_HARMONICS = 6
HARMONIC_WEIGHT = 0.8
"""Each harmonic counts this much less than the one below, so that an octave below what sounds scores less."""

FAINTEST = 0.25
"""Part of the loudest salience so far (of the root of magnitudes) under which nothing is heard: about 24 dB."""

SHORTEST_TICKS = 3
SEMITONE = 2.0 ** (1 / 12)


def hear_notes(samples: npt.NDArray[np.float32], sample_rate_hz: int) -> list[Note]:
    """Hear notes in audio, roughly: the strongest few harmonic sums of each frame, tied while they last.

    Good enough to give a symbolic model something of the melody, bass and rhythm of a recording; it is no
    transcription. Percussion is not heard, all notes are given to the piano, and time is counted as if the tempo
    were 120 bpm. Pitches are found one after the other, each taking its harmonics with it, after Klapuri (2006),
    "Multiple fundamental frequency estimation by summing harmonic amplitudes".

    Parameters
    ----------
    samples : np.ndarray [shape=(n_samples,), dtype=float32]
        Mono.
    sample_rate_hz : int
        At least 8000.

    Returns
    -------
    list of Note
        In order of onset; empty for silence. ``onset_s`` counts from the first sample.
    """
    strengths = _strengths(samples, sample_rate_hz)
    if strengths.size == 0 or strengths.max() <= 0:
        return []
    level = np.maximum.accumulate(strengths.max(axis=1))
    active = strengths > FAINTEST * level[:, None]
    loudest = float(strengths.max())
    notes = []
    for column in range(active.shape[1]):
        for first, last in _runs(active[:, column]):
            if last - first < SHORTEST_TICKS:
                continue
            strength = float(strengths[first:last, column].max()) / loudest
            notes.append(
                Note(
                    onset=first,
                    duration=last - first,
                    onset_s=first * HOP_S,
                    tempo_bpm=float(HEARD_BPM),
                    instrument=HEARD_INSTRUMENT,
                    pitch=LOWEST_PITCH + column,
                    velocity=int(np.clip(round(30 + 80 * strength), 1, 127)),
                )
            )
    return _tidy(notes)


def _strengths(samples: npt.NDArray[np.float32], sample_rate_hz: int) -> npt.NDArray[np.float64]:
    """Salience of the pitches heard in each frame [shape=(n_frames, n_pitches)]; 0 for those that are not."""
    n_fft = 2 ** round(math.log2(0.128 * sample_rate_hz))
    hop = HOP_S * sample_rate_hz
    n_frames = max(0, int((len(samples) - n_fft) / hop))
    starts = np.round(np.arange(n_frames) * hop).astype(np.int64)
    fundamentals = 440.0 * SEMITONE ** (np.arange(LOWEST_PITCH, HIGHEST_PITCH + 1) - 69.0)
    harmonics = np.arange(1, N_HARMONICS + 1)
    bins = np.round(fundamentals[:, None] * harmonics * 2 * n_fft / sample_rate_hz).astype(np.int64)
    bins = np.minimum(bins, n_fft - 3)
    weights = HARMONIC_WEIGHT ** (harmonics - 1.0)
    strengths = np.zeros((n_frames, len(fundamentals)))
    for first in range(0, n_frames, 1024):
        block = np.stack([samples[start : start + n_fft] for start in starts[first : first + 1024]])
        roots = np.sqrt(np.abs(np.fft.rfft(block * np.hanning(n_fft), 2 * n_fft, axis=1)))
        rows = np.arange(len(block))
        for _ in range(MOST_VOICES):
            salience = np.tensordot(roots[:, bins], weights, axes=(2, 0))
            best = salience.argmax(axis=1)
            strengths[first + rows, best] = np.maximum(strengths[first + rows, best], salience[rows, best])
            # The window's main lobe, twice padded, reaches four bins to either side.
            taken = bins[best][:, :, None] + np.arange(-4, 5)
            roots[rows[:, None, None], np.clip(taken, 0, n_fft)] = 0.0
    return strengths


def _runs(active: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Stretches of True as (first, one past the last); gaps of one frame are closed."""
    closed = active.copy()
    closed[1:-1] |= active[:-2] & active[2:]
    edges = np.flatnonzero(np.diff(np.concatenate([[0], closed.astype(np.int8), [0]])))
    return [(int(first), int(last)) for first, last in zip(edges[::2], edges[1::2], strict=True)]
