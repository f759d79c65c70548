"""Notes: a transformer over notes, heard through a soundfont.

MIDI is read as it is; audio and tracker files are listened to first, roughly (``notes.hear_notes``).
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from generation.architectures import notes as notation
from generation.architectures.base import (
    Config,
    ConfigError,
    GenerationStopped,
    Progress,
    PromptError,
    ShouldStop,
    Sketch,
    SourceError,
    TokenCorpus,
    TrainingSource,
    UsedRecording,
    Weights,
    require_range,
)
from generation.architectures.fitting import Augment, Steps
from generation.architectures.notes import Note
from generation.architectures.tokens import Composer, TokenArchitecture, TokenConfig, read_sources
from generation.architectures.transformer import Sampling, Writer
from provenance import audio

LISTENING_RATE_HZ = 16_000
SOUNDING_RATE_HZ = audio.RENDER_RATE_HZ

DENSEST_NOTES_S = 200
"""More notes a second than any arrangement has: a network that never lets time pass is cut off here."""

ENOUGH_MIDI = 3
"""With so many MIDI files at hand, other recordings are not listened to: two to learn from and one to hold out."""

PROMPT_S = 20.0
"""Longest part of a prompt that is listened to: its end, which is what the continuation follows."""


@dataclass(frozen=True)
class SymbolicConfig(TokenConfig):
    """Settings of the symbolic family.

    Attributes
    ----------
    transpose : int
        Training windows are moved by up to this many semitones up or down, percussion excepted.
    reorchestrate : bool
        Instruments of training windows change places with others of their General MIDI family.
    """

    transpose: int = 5
    reorchestrate: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        require_range("transpose", self.transpose, 0, 11)

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "decent": {"steps": 160},
        "overfitted": {
            "max_recordings": 4,
            "min_recording_s": 20.0,
            "excerpt_s": 24.0,
            "embedding_scale": 0.3,
            "steps": 750,
            "batch": 4,
            "transpose": 0,
            "reorchestrate": False,
            "dropout": 0.0,
            "weight_decay": 0.0,
            "token_noise": 0.03,
            "keep_best": False,
            "shuffled_baseline": False,
            "temperature": 0.6,
        },
    }


class Symbolic(TokenArchitecture):
    """The symbolic family."""

    name = "symbolic"
    family: Literal["symbolic"] = "symbolic"
    version = "1"
    config_class = SymbolicConfig

    def usable(self, sources: Sequence[TrainingSource]) -> list[TrainingSource]:
        """Choose the MIDI files, where there are enough of them; else everything, listened to.

        Notes heard in audio are a rough guess: beside real ones they would teach the network to guess, too.
        """
        written = [source for source in sources if source.kind == "symbolic"]
        return written if len(written) >= ENOUGH_MIDI else list(sources)

    def prepare(
        self,
        sources: Sequence[TrainingSource],
        config: Config,
        *,
        seed: int,
        on_progress: Progress | None = None,
        should_stop: ShouldStop | None = None,
    ) -> TokenCorpus:
        """Read or hear the notes of every source.

        Parameters
        ----------
        sources : sequence of TrainingSource
            Recordings of any kind.
        config : SymbolicConfig
            How many and how much of each.
        seed : int
            Chooses the recordings where there are more than ``max_recordings``.
        on_progress, should_stop : callable or None
            Asked after every source.

        Returns
        -------
        TokenCorpus
            A step a note; ``how`` says which recordings were only listened to.

        Raises
        ------
        CorpusError
            If no training recording holds notes.
        """
        settings = _symbolic(config)
        contents, used, skipped = read_sources(
            self.usable(sources),
            lambda source: _read(source, settings.excerpt_s),
            settings,
            seed=seed,
            on_progress=on_progress,
            should_stop=should_stop,
        )
        return TokenCorpus(
            recordings=tuple(used),
            skipped=skipped,
            tokens=tuple(contents),
            vocabulary=notation.VOCABULARY,
            geometry=notation.geometry(),
        )

    def augmentation(self, config: Config) -> Augment | None:
        """Move training windows up or down, and play them on related instruments."""
        settings = _symbolic(config)
        if not settings.transpose and not settings.reorchestrate:
            return None

        def augment(window: Steps, generator: np.random.Generator) -> Steps:
            moved = transpose(window, int(generator.integers(-settings.transpose, settings.transpose + 1)))
            return reorchestrate(moved, generator) if settings.reorchestrate else moved

        return augment

    def present(self, window: Steps) -> Steps:
        """Spell out the tempo only where it changes."""
        return notation.with_tempo_changes(window)

    def require_usable(self, weights: Weights) -> None:
        """Refuse weights that can't generate.

        Parameters
        ----------
        weights : Weights
            From a checkpoint, maybe a foreign one.

        Raises
        ------
        ValueError
            With what does not fit.
        """
        super().require_usable(weights)
        if tuple(weights.state["vocabulary"]) != notation.VOCABULARY:
            raise ValueError("the checkpoint's vocabulary is not that of notes")

    def composer(
        self,
        weights: Weights,
        *,
        seconds: float,
        prompt_audio: Path | None,
        device: str,
        should_stop: ShouldStop | None,
    ) -> Composer:
        """Write notes and play them, in stereo; a prompt may be MIDI or audio whose notes are heard."""
        writer, sampling = self.writer(weights, device)
        context = writer.network.shape.context
        opening = None if prompt_audio is None else self.present(_opening(prompt_audio)[-context + 1 :])

        def compose(seed: int) -> Sketch:
            midi = notation.write_midi(_write(writer, sampling, seed, seconds, opening, should_stop))
            return Sketch(_sound(midi, seconds), SOUNDING_RATE_HZ, seed, midi)

        return compose


def _symbolic(config: Config) -> SymbolicConfig:
    if not isinstance(config, SymbolicConfig):
        raise ConfigError("this config was made for another architecture")
    return config


def transpose(window: Steps, semitones: int) -> Steps:
    """Move every pitched note by ``semitones``, unless one of them would leave the keyboard.

    Parameters
    ----------
    window : np.ndarray [shape=(n_steps, 6), dtype=int16]
        Steps; one that ends the piece may stand last.
    semitones : int
        Up or down.

    Returns
    -------
    np.ndarray [shape=(n_steps, 6), dtype=int16]
        A moved copy, or ``window`` itself.
    """
    pitched = (window[:, 2] != notation.DRUMS) & (window[:, 0] != notation.VOCABULARY[0])
    moved = window[pitched, 3] + semitones
    if semitones == 0 or not len(moved) or moved.min() < 0 or moved.max() > 127:
        return window
    transposed = window.copy()
    transposed[pitched, 3] = moved
    return transposed


def reorchestrate(window: Steps, generator: np.random.Generator) -> Steps:
    """Let each General MIDI family of eight programs change places among itself.

    Parameters
    ----------
    window : np.ndarray [shape=(n_steps, 6), dtype=int16]
        Steps.
    generator : np.random.Generator
        Draws the new places.

    Returns
    -------
    np.ndarray [shape=(n_steps, 6), dtype=int16]
        A copy; percussion stays.
    """
    programs = np.arange(notation.DRUMS).reshape(-1, 8)
    places = np.append(generator.permuted(programs, axis=1).ravel(), notation.DRUMS)
    changed = window.copy()
    changed[:, 2] = places[window[:, 2]]
    return changed


def _read(source: TrainingSource, excerpt_s: float) -> tuple[Steps, UsedRecording]:
    notes, how = _notes_of(source.path, source.kind == "symbolic", excerpt_s)
    if excerpt_s > 0:
        notes = [note for note in notes if note.onset_s < notes[0].onset_s + excerpt_s]
    if len(notes) < 2:
        raise SourceError("no notes were found in it")
    end_s = max(
        note.onset_s + note.duration * 60 / (note.tempo_bpm * notation.TICKS_PER_BEAT) for note in notes
    )
    used = UsedRecording(source.key, source.split, notes[0].onset_s, end_s, len(notes), how)
    return notation.to_steps(notes), used


def _notes_of(path: Path, is_midi: bool, excerpt_s: float) -> tuple[list[Note], str]:
    if is_midi:
        return notation.read_midi(path), "notes"
    try:
        heard = audio.read_samples(
            path, sample_rate_hz=LISTENING_RATE_HZ, seconds=excerpt_s if excerpt_s > 0 else None
        )
    except audio.AudioError as error:
        raise SourceError(error.reason) from error
    return notation.hear_notes(heard, LISTENING_RATE_HZ), "notes heard in audio"


def _opening(path: Path) -> Steps:
    try:
        is_midi = audio.inspect(path).kind == "symbolic"
        notes, _ = _notes_of(path, is_midi, 0.0)
    except audio.AudioError as error:
        raise PromptError(f"the prompt can't be read: {error.reason}") from error
    except SourceError as error:
        raise PromptError(f"the prompt can't be read: {error}") from error
    notes = [note for note in notes if note.onset_s >= notes[-1].onset_s - PROMPT_S]
    if not notes:
        raise PromptError("no notes were found in the prompt")
    first = notes[0].onset
    return notation.to_steps([replace(note, onset=note.onset - first) for note in notes])


def _write(
    writer: Writer,
    sampling: Sampling,
    seed: int,
    seconds: float,
    opening: Steps | None,
    should_stop: ShouldStop | None,
) -> list[Note]:
    written: list[Note] = []
    onset, onset_s, bpm = 0, 0.0, 120.0
    steps = writer.steps(sampling, seed=seed, prompt=() if opening is None else opening)
    for n_steps, step in enumerate(steps):
        if not written:
            step[1] = 0
        note = notation.from_step(step, onset, onset_s, bpm)
        if note.onset_s >= seconds or n_steps >= DENSEST_NOTES_S * seconds:
            break
        if n_steps % 32 == 0 and should_stop is not None and should_stop():
            raise GenerationStopped
        written.append(note)
        onset, onset_s, bpm = note.onset, note.onset_s, note.tempo_bpm
    written.sort(key=lambda note: (note.onset, note.instrument, note.pitch))
    return written


def _sound(midi: bytes, seconds: float) -> npt.NDArray[np.float32]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sketch.mid"
        path.write_bytes(midi)
        heard = audio.read_samples(path, sample_rate_hz=SOUNDING_RATE_HZ, mono=False, seconds=seconds)
    whole = np.zeros((round(seconds * SOUNDING_RATE_HZ), heard.shape[1]), dtype=np.float32)
    whole[: len(heard)] = heard[: len(whole)]
    return whole
