"""Works as notes, changed as a cover changes them, and rendered to be heard: what composition likeness is measured on.

Works come from Debian's openttd-openmsx (MIDI, GPL-2) and from music21's corpus (PyPI, ``music21==10.5.1``, which is
installed for the benchmark alone): Bach's chorales, quartets by Haydn and Mozart, and tunes of Ryan's Mammoth
Collection. None of their files states a restriction; Palestrina, Essen, Monteverdi and what names a publisher are
left out. The works themselves are in the public domain, except openttd-openmsx.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.figures import NothingToMeasureError
from provenance.audio.decoding import stream
from provenance.similarity.levels import LevelStream

if TYPE_CHECKING:
    from numpy.typing import NDArray

MUSIC21 = "10.5.1"
DRUM_CHANNEL = 9
LEAST_S = 32.0
"""Shortest work that is taken: an excerpt of 24 s at 1.2 times the tempo covers 28.8 s of it."""
INCIPIT_NOTES = 8
"""Works whose top voices begin with the same steps are one composition, and the later is left out."""

PROGRAMS = (0, 4, 6, 11, 19, 21, 24, 26, 40, 42, 48, 52, 56, 60, 65, 68, 71, 73, 75, 80)
"""General MIDI programs that a changed instrument is drawn from: piano to square wave."""


@dataclass(frozen=True, slots=True)
class Sound:
    """A note with all that a rendering needs; ``voice`` is one for each track and channel."""

    onset_s: float
    seconds: float
    pitch: int
    velocity: int
    voice: int
    program: int
    is_drum: bool = False


@dataclass(frozen=True, slots=True)
class Work:
    name: str
    collection: str
    sounds: tuple[Sound, ...]

    @property
    def seconds(self) -> float:
        return max((one.onset_s + one.seconds for one in self.sounds), default=0.0)


COLLECTIONS: Mapping[str, tuple[str, int]] = {
    "chorales": ("bach/bwv*.mxl", 40),
    "quartets": ("[hm]*/*/movement*.mxl", 9),
    "tunes": ("ryansMammoth/*.abc", 50),
}
"""Of music21's corpus: pattern, and how many are taken at the most, by the hash of their names."""


def works(music: Path) -> Iterator[Work]:
    """Read all works, the collections one after another.

    Parameters
    ----------
    music : Path
        A folder that holds openttd-openmsx, unpacked.

    Raises
    ------
    NothingToMeasureError
        If the package or music21 is missing.
    """
    midis = sorted((music / "openttd-openmsx").rglob("*.mid"))
    if not midis:
        raise NothingToMeasureError(
            f"{music / 'openttd-openmsx'} is missing: apt-get download it and unpack it."
        )
    candidates = [("openmsx", path.stem, path, len(midis)) for path in midis]
    corpus = _corpus()
    for collection, (pattern, n_most) in COLLECTIONS.items():
        for path in corpus.glob(pattern):
            name = path.relative_to(corpus).with_suffix("").as_posix()
            candidates.append((collection, name, path, n_most))
    candidates.sort(key=lambda one: (one[0], hashlib.sha256(one[1].encode()).hexdigest()))
    taken: dict[str, int] = {}
    incipits: set[tuple[int, ...]] = set()
    for collection, name, path, n_most in candidates:
        if taken.get(collection, 0) >= n_most:
            continue
        sounds = read(path) if path.suffix == ".mid" else _read_score(path)
        work = Work(name, collection, tuple(sounds))
        if work.seconds < LEAST_S or (incipit := _incipit(work.sounds)) in incipits:
            continue
        incipits.add(incipit)
        taken[collection] = taken.get(collection, 0) + 1
        yield work


def _corpus() -> Path:
    try:
        version = importlib.metadata.version("music21")
        import music21
    except ImportError as error:
        raise NothingToMeasureError(f"music21 is missing: pip install music21=={MUSIC21}.") from error
    if version != MUSIC21:
        raise NothingToMeasureError(f"music21 {version} is installed, and the works are those of {MUSIC21}.")
    return Path(music21.__file__).parent / "corpus"


def _read_score(path: Path) -> list[Sound]:
    from music21 import converter

    with tempfile.TemporaryDirectory() as folder:
        midi = Path(folder) / "score.mid"
        try:
            score: Any = converter.parse(path, forceSource=True, storePickle=False)
            score.write("midi", midi)
        except Exception:  # noqa: BLE001 - music21 raises whatever its parsers do; such a file is no work
            return []
        return read(midi)


def read(path: Path) -> list[Sound]:
    """Read a MIDI file's notes with their programs, drums too, in rising onset."""
    import mido

    midi = mido.MidiFile(path)
    tempi: list[tuple[int, int]] = []
    events: list[tuple[int, int, Any]] = []
    for number, track in enumerate(midi.tracks):
        ticks = 0
        for message in track:
            ticks += message.time
            if message.type == "set_tempo":
                tempi.append((ticks, message.tempo))
            elif message.type in ("note_on", "note_off", "program_change"):
                events.append((ticks, number, message))
    seconds = _clock(tempi, midi.ticks_per_beat)
    programs: dict[int, int] = {}
    held: dict[tuple[int, int, int], tuple[float, int]] = {}
    sounds: list[Sound] = []
    for ticks, number, message in sorted(events, key=lambda one: (one[0], one[2].type == "note_on")):
        now, channel = seconds(ticks), message.channel
        if message.type == "program_change":
            programs[channel] = message.program
            continue
        key = number, channel, message.note
        if key in held:
            onset, velocity = held.pop(key)
            sounds.append(
                Sound(
                    onset,
                    max(0.02, now - onset),
                    message.note,
                    velocity,
                    number * 16 + channel,
                    programs.get(channel, 0),
                    channel == DRUM_CHANNEL,
                )
            )
        if message.type == "note_on" and message.velocity > 0:
            held[key] = now, message.velocity
    return sorted(sounds, key=lambda one: (one.onset_s, one.voice, one.pitch))


def _clock(tempi: list[tuple[int, int]], ticks_per_beat: int) -> Callable[[int], float]:
    changes = sorted([(0, 500_000), *tempi], key=lambda one: one[0])
    ticks = np.array([at for at, _ in changes], dtype=np.float64)
    each = np.array([tempo for _, tempo in changes]) / 1e6 / ticks_per_beat
    begins = np.concatenate([[0.0], np.cumsum(np.diff(ticks) * each[:-1])])

    def seconds(at: int) -> float:
        place = int(np.searchsorted(ticks, at, side="right")) - 1
        return float(begins[place] + (at - ticks[place]) * each[place])

    return seconds


def top_voice(sounds: Sequence[Sound]) -> list[Sound]:
    """Return the line with the highest mean pitch of those that move: its highest note at each onset."""
    voices: dict[int, list[Sound]] = {}
    for one in sounds:
        if not one.is_drum:
            voices.setdefault(one.voice, []).append(one)
    if not voices:
        return []
    enough = 0.25 * max(len(line) for line in voices.values())
    moving = [
        line for line in voices.values() if len(line) >= enough and len({one.pitch for one in line}) > 3
    ]
    line = max(moving or voices.values(), key=lambda line: float(np.mean([one.pitch for one in line])))
    highest: dict[float, Sound] = {}
    for one in line:
        onset = round(one.onset_s, 2)
        if onset not in highest or one.pitch > highest[onset].pitch:
            highest[onset] = one
    return [highest[onset] for onset in sorted(highest)]


def _incipit(sounds: Sequence[Sound]) -> tuple[int, ...]:
    return tuple(np.diff([one.pitch for one in top_voice(sounds)[:INCIPIT_NOTES]]).tolist())


# Changes: from sounds to sounds, drawn by a generator

Change = Callable[[Sequence[Sound], np.random.Generator], list[Sound]]


def excerpt(sounds: Sequence[Sound], start_s: float, seconds: float) -> list[Sound]:
    """Cut a stretch; notes that began before it are left out."""
    end_s = start_s + seconds
    return [
        replace(one, onset_s=one.onset_s - start_s, seconds=min(one.seconds, end_s - one.onset_s))
        for one in sounds
        if start_s <= one.onset_s < end_s
    ]


def transposed(sounds: Sequence[Sound], semitones: int) -> list[Sound]:
    """Move all but drums."""
    return [one if one.is_drum else replace(one, pitch=one.pitch + semitones) for one in sounds]


def at_tempo(sounds: Sequence[Sound], tempo: float) -> list[Sound]:
    """Play so many times as fast."""
    return [replace(one, onset_s=one.onset_s / tempo, seconds=one.seconds / tempo) for one in sounds]


def reinstrumented(sounds: Sequence[Sound], rng: np.random.Generator) -> list[Sound]:
    """Give each voice another instrument, and leave the drums out."""
    voices = sorted({one.voice for one in sounds if not one.is_drum})
    programs = dict(zip(voices, rng.choice(PROGRAMS, size=len(voices)).tolist(), strict=True))
    return [replace(one, program=programs[one.voice]) for one in sounds if not one.is_drum]


def melody_only(sounds: Sequence[Sound], rng: np.random.Generator) -> list[Sound]:
    """Keep the top voice, played by another instrument."""
    program = int(rng.choice(PROGRAMS))
    return [replace(one, program=program) for one in top_voice(sounds)]


def ornamented(sounds: Sequence[Sound], rng: np.random.Generator) -> list[Sound]:
    """Put a mordent on three in ten of the top voice's notes that last a fifth of a second, and grace notes
    before one in ten."""
    line = set(top_voice(sounds))
    out: list[Sound] = []
    for one in sounds:
        drawn = float(rng.random()) if one in line and one.seconds >= 0.2 else 1.0
        step = int(rng.choice([1, 2]))
        if drawn < 0.3:
            part = one.seconds / 3 if one.seconds < 0.5 else 0.12
            out += [
                replace(one, seconds=part),
                replace(one, onset_s=one.onset_s + part, seconds=part, pitch=one.pitch + step),
                replace(one, onset_s=one.onset_s + 2 * part, seconds=max(0.05, one.seconds - 2 * part)),
            ]
        elif drawn < 0.4:
            out += [
                replace(one, seconds=0.06, pitch=one.pitch + step),
                replace(one, onset_s=one.onset_s + 0.06, seconds=one.seconds - 0.06),
            ]
        else:
            out.append(one)
    return sorted(out, key=lambda one: (one.onset_s, one.voice, one.pitch))


def everything(sounds: Sequence[Sound], rng: np.random.Generator) -> list[Sound]:
    """Another key and other instruments, ornamented; the tempo is changed beside it."""
    return ornamented(reinstrumented(transposed(sounds, int(rng.integers(-5, 6))), rng), rng)


CHANGES: Mapping[str, tuple[float, Change]] = {
    "other-soundfont": (1.0, lambda sounds, rng: list(sounds)),
    "up-5": (1.0, lambda sounds, rng: transposed(sounds, 5)),
    "down-5": (1.0, lambda sounds, rng: transposed(sounds, -5)),
    "slower": (0.8, lambda sounds, rng: list(sounds)),
    "faster": (1.2, lambda sounds, rng: list(sounds)),
    "instruments": (1.0, reinstrumented),
    "melody": (1.0, melody_only),
    "ornaments": (1.0, ornamented),
    "together-slower": (0.85, everything),
    "together-faster": (1.15, everything),
}
"""Tempo, and what else is done. All are rendered with the other soundfont."""


# Rendering


def write_midi(path: Path, sounds: Sequence[Sound]) -> None:
    """Write sounds as MIDI, at a tick a millisecond; voices beyond 15 share channels."""
    import mido

    voices = sorted({one.voice for one in sounds if not one.is_drum})
    channels = [n for n in range(16) if n != DRUM_CHANNEL]
    channel_of = {voice: channels[n % len(channels)] for n, voice in enumerate(voices)}
    events: list[tuple[float, int, Any]] = []
    playing: dict[int, int] = {}
    for one in sounds:
        channel = DRUM_CHANNEL if one.is_drum else channel_of[one.voice]
        if not one.is_drum and playing.get(channel) != one.program:
            playing[channel] = one.program
            change = mido.Message("program_change", channel=channel, program=one.program)
            events.append((one.onset_s, 1, change))
        pitch = min(127, max(0, one.pitch))
        on = mido.Message("note_on", channel=channel, note=pitch, velocity=max(1, one.velocity))
        off = mido.Message("note_off", channel=channel, note=pitch)
        events += [(one.onset_s, 2, on), (one.onset_s + one.seconds, 0, off)]
    midi = mido.MidiFile(ticks_per_beat=500)
    track = mido.MidiTrack()
    track.append(mido.MetaMessage("set_tempo", tempo=500_000))
    ticks = 0
    for at, _, message in sorted(events, key=lambda event: event[:2]):
        now = round(at * 1000)
        track.append(message.copy(time=max(0, now - ticks)))
        ticks = max(ticks, now)
    midi.tracks.append(track)
    midi.save(path)


@contextmanager
def soundfont(path: Path) -> Iterator[None]:
    """Play MIDI with this soundfont."""
    before = os.environ.get("SOUNDFONT")
    os.environ["SOUNDFONT"] = str(path)
    try:
        yield
    finally:
        if before is None:
            del os.environ["SOUNDFONT"]
        else:
            os.environ["SOUNDFONT"] = before


def levels_of_sounds(sounds: Sequence[Sound], font: Path, cache: Path) -> NDArray[np.float16]:
    """Render and hear sounds; what was rendered once is read from ``cache``."""
    digest = hashlib.sha256(repr((list(sounds), font.name)).encode()).hexdigest()[:32]
    kept = cache / f"{digest}.npy"
    if kept.is_file():
        levels: NDArray[np.float16] = np.load(kept)
        return levels
    with tempfile.TemporaryDirectory() as folder, soundfont(font):
        midi = Path(folder) / "work.mid"
        write_midi(midi, sounds)
        levels = heard(midi)
    cache.mkdir(parents=True, exist_ok=True)
    np.save(kept, levels)
    return levels


def heard(path: Path) -> NDArray[np.float16]:
    """Levels of an audio or MIDI file."""
    with stream(path) as pcm:
        listening = LevelStream(pcm.sample_rate_hz, pcm.n_channels)
        for chunk in pcm.chunks:
            listening.feed(chunk.astype("<i2", copy=False).tobytes())
    return listening.finish()
