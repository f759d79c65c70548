"""Notes to steps to MIDI and back, and notes heard in audio."""

from __future__ import annotations

import io
from pathlib import Path

import mido
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from generation.architectures import notes as notation
from generation.architectures.base import SourceError, TrainingSource
from generation.architectures.notes import (
    DRUMS,
    DURATIONS,
    Note,
    from_step,
    hear_notes,
    read_midi,
    to_steps,
    write_midi,
)
from generation.architectures.symbolic import Symbolic, SymbolicConfig, reorchestrate, transpose


def read_back(steps: np.ndarray) -> list[Note]:
    notes: list[Note] = []
    onset, onset_s, bpm = 0, 0.0, 120.0
    for step in steps:
        note = from_step(list(step), onset, onset_s, bpm)
        onset, onset_s, bpm = note.onset, note.onset_s, note.tempo_bpm
        notes.append(note)
    return notes


def midi_file(tmp_path: Path, *messages: mido.Message | mido.MetaMessage, ticks_per_beat: int = 480) -> Path:
    midi = mido.MidiFile(type=0, ticks_per_beat=ticks_per_beat)
    midi.tracks.append(mido.MidiTrack(messages))
    path = tmp_path / "piece.mid"
    midi.save(str(path))
    return path


note_lists = st.lists(
    st.tuples(
        st.integers(0, notation.N_GAPS - 1),
        st.sampled_from(DURATIONS),
        st.sampled_from([60.0, 120.0, 121.0, 275.0]),
        st.integers(0, DRUMS),
        st.integers(0, 127),
        st.integers(0, 31),
    ),
    min_size=1,
    max_size=40,
)


class TestSteps:
    @given(note_lists)
    def test_hold_every_note_that_lies_on_the_grid(
        self, drawn: list[tuple[int, int, float, int, int, int]]
    ) -> None:
        notes, onset = [], 0
        for gap, duration, bpm, instrument, pitch, velocity in drawn:
            onset += gap
            notes.append(Note(onset, duration, 0.0, bpm, instrument, pitch, 4 * velocity + 2))
        back = read_back(notation.with_tempo_changes(to_steps(notes)))
        for before, after in zip(notes, back, strict=True):
            assert (before.onset, before.duration, before.tempo_bpm, before.instrument, before.pitch) == (
                after.onset,
                after.duration,
                after.tempo_bpm,
                after.instrument,
                after.pitch,
            )
            assert before.velocity == after.velocity

    def test_take_the_nearest_duration_there_is(self) -> None:
        for ticks, nearest in ((1, 1), (11, 12), (13, 14), (19, 18), (100, 96), (10_000, 384)):
            step = to_steps([Note(0, ticks, 0.0, 120.0, 0, 60, 80)])[0]
            assert DURATIONS[step[4]] == nearest

    def test_count_seconds_by_the_tempo(self) -> None:
        notes = [
            Note(0, 24, 0.0, 60.0, 0, 60, 80),
            Note(24, 24, 1.0, 120.0, 0, 62, 80),
            Note(48, 24, 1.5, 120.0, 0, 64, 80),
        ]
        assert [note.onset_s for note in read_back(to_steps(notes))] == pytest.approx([0.0, 1.0, 1.5])

    def test_name_the_tempo_only_where_it_changes(self) -> None:
        notes = [Note(24 * i, 24, 0.0, 90.0 if i < 3 else 100.0, 0, 60, 80) for i in range(5)]
        named = notation.with_tempo_changes(to_steps(notes))[:, 0]
        assert list(named) == [71, 0, 0, 81, 0]


class TestMidi:
    def test_comes_back_as_it_was_written(self, tmp_path: Path) -> None:
        notes = [Note(12 * i, 10, i * 0.25, 120.0, [0, 40, DRUMS][i % 3], 50 + i, 82) for i in range(30)]
        path = tmp_path / "piece.mid"
        path.write_bytes(write_midi(notes))
        assert [
            (one.onset, one.duration, one.instrument, one.pitch, one.velocity) for one in read_midi(path)
        ] == [(one.onset, one.duration, one.instrument, one.pitch, one.velocity) for one in notes]

    def test_plays_more_instruments_than_channels(self, tmp_path: Path) -> None:
        notes = [Note(24 * i, 20, i * 0.5, 120.0, i, 60, 82) for i in range(40)]
        path = tmp_path / "piece.mid"
        path.write_bytes(write_midi(notes))
        assert [one.instrument for one in read_midi(path)] == list(range(40))

    def test_ends_a_note_before_its_key_is_struck_again(self) -> None:
        notes = [Note(0, 48, 0.0, 120.0, 0, 60, 82), Note(24, 48, 0.5, 120.0, 0, 60, 82)]
        midi = mido.MidiFile(file=io.BytesIO(write_midi(notes)))
        struck = [message.type for message in midi.tracks[0] if message.type in ("note_on", "note_off")]
        assert struck == ["note_on", "note_off", "note_on", "note_off"]

    def test_multiplies_volume_and_expression_into_the_velocity(self, tmp_path: Path) -> None:
        path = midi_file(
            tmp_path,
            mido.Message("control_change", control=7, value=64),
            mido.Message("control_change", control=11, value=64),
            mido.Message("note_on", note=60, velocity=100),
            mido.Message("note_off", note=60, time=480),
        )
        assert read_midi(path)[0].velocity == round(100 * 64 * 64 / 127**2)

    def test_follows_the_tempo(self, tmp_path: Path) -> None:
        path = midi_file(
            tmp_path,
            mido.MetaMessage("set_tempo", tempo=1_000_000),
            mido.Message("note_on", note=60, velocity=100),
            mido.Message("note_off", note=60, time=480),
            mido.MetaMessage("set_tempo", tempo=250_000),
            mido.Message("note_on", note=62, velocity=100, time=480),
            mido.Message("note_off", note=62, time=480),
        )
        notes = read_midi(path)
        assert [note.tempo_bpm for note in notes] == [60.0, 240.0]
        assert [note.onset_s for note in notes] == pytest.approx([0.0, 1.25])
        assert [note.onset for note in notes] == [0, 48]

    def test_ends_notes_that_never_end_with_the_file(self, tmp_path: Path) -> None:
        path = midi_file(
            tmp_path,
            mido.Message("note_on", note=60, velocity=100),
            mido.Message("note_on", note=62, velocity=100, time=960),
        )
        assert [note.duration for note in read_midi(path)] == [48, 1]

    @pytest.mark.parametrize("content", [b"", b"not MIDI at all", b"MThd\x00\x00\x00\x06\x00\x01"])
    def test_refuses_what_is_not_midi(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "odd.mid"
        path.write_bytes(content)
        with pytest.raises(SourceError, match="not a readable MIDI file"):
            read_midi(path)

    def test_refuses_a_file_far_larger_than_music(self, tmp_path: Path) -> None:
        path = tmp_path / "odd.mid"
        path.write_bytes(bytes(notation.LARGEST_MIDI_BYTES + 1))
        with pytest.raises(SourceError, match="more than 4 MB"):
            read_midi(path)


class TestHearNotes:
    rate = 16_000

    def tone(self, pitch: int, seconds: float) -> np.ndarray:
        at = np.arange(int(self.rate * seconds)) / self.rate
        hz = 440 * 2 ** ((pitch - 69) / 12)
        overtones = [0.3 / k * np.sin(2 * np.pi * k * hz * at) for k in range(1, 5)]
        return np.asarray(np.sum(overtones, axis=0), dtype=np.float32)

    def test_hears_the_pitches_of_a_melody_in_order(self) -> None:
        melody = [60, 64, 67, 72]
        sound = np.concatenate([self.tone(pitch, 0.5) for pitch in melody])
        heard = hear_notes(sound, self.rate)
        longest = sorted(sorted(heard, key=lambda note: -note.duration)[:4], key=lambda note: note.onset)
        assert [note.pitch for note in longest] == melody
        assert [note.onset_s for note in longest] == pytest.approx([0.0, 0.5, 1.0, 1.5], abs=0.15)

    def test_hears_nothing_in_silence(self) -> None:
        assert hear_notes(np.zeros(self.rate, dtype=np.float32), self.rate) == []

    def test_hears_nothing_in_next_to_nothing(self) -> None:
        assert hear_notes(np.ones(10, dtype=np.float32), self.rate) == []


class TestTranspose:
    steps = to_steps([Note(0, 24, 0.0, 120.0, 0, 60, 80), Note(0, 24, 0.0, 120.0, DRUMS, 36, 80)])

    def test_moves_pitched_notes_and_leaves_percussion(self) -> None:
        assert list(transpose(self.steps, 3)[:, 3]) == [63, 36]

    def test_leaves_everything_rather_than_the_keyboard(self) -> None:
        high = to_steps([Note(0, 24, 0.0, 120.0, 0, 126, 80), Note(0, 24, 0.0, 120.0, 0, 60, 80)])
        assert list(transpose(high, 5)[:, 3]) == [126, 60]

    def test_leaves_the_original_alone(self) -> None:
        before = self.steps.copy()
        transpose(self.steps, 3)
        assert np.array_equal(before, self.steps)


class TestReorchestrate:
    def test_stays_within_the_family_and_keeps_parts_apart(self) -> None:
        notes = [Note(0, 24, 0.0, 120.0, instrument, 60, 80) for instrument in range(DRUMS + 1)]
        changed = reorchestrate(to_steps(notes), np.random.default_rng(1))[:, 2]
        assert list(changed // 8) == [instrument // 8 for instrument in range(DRUMS + 1)]
        assert sorted(changed) == list(range(DRUMS + 1))
        assert changed[DRUMS] == DRUMS
        assert any(changed != np.arange(DRUMS + 1))


class TestSources:
    def test_audio_is_listened_to_only_where_there_is_little_midi(self) -> None:
        midi = [TrainingSource(f"m{i}", Path("x"), "symbolic") for i in range(3)]
        sound = [TrainingSource("s", Path("x"), "audio")]
        assert Symbolic().usable(midi + sound) == midi
        assert Symbolic().usable(midi[:2] + sound) == midi[:2] + sound

    def test_notes_heard_in_audio_are_marked(self, tmp_path: Path) -> None:
        from provenance import audio

        path = tmp_path / "melody.wav"
        hearing = TestHearNotes()
        sound = np.concatenate([hearing.tone(pitch, 0.5) for pitch in (60, 64, 67, 72, 60, 64)])
        audio.write_wav(path, sound[:, None], 16_000)
        corpus = Symbolic().prepare([TrainingSource("melody", path, "audio")], SymbolicConfig(), seed=1)
        assert corpus.recordings[0].how == "notes heard in audio"

    def test_an_excerpt_holds_the_first_seconds(self, tmp_path: Path) -> None:
        path = tmp_path / "piece.mid"
        path.write_bytes(write_midi([Note(24 * i, 20, i * 0.5, 120.0, 0, 60, 80) for i in range(40)]))
        config = SymbolicConfig.from_json({"excerpt_s": 5.0})
        corpus = Symbolic().prepare([TrainingSource("piece", path, "symbolic")], config, seed=1)
        assert corpus.recordings[0].n_steps == 10
