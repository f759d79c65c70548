from __future__ import annotations

from pathlib import Path

import pytest

from provenance import audio
from provenance.similarity.notes import Note, NoteIndex, check, grams_of, voices_of, without_ornaments
from tests import signals


def tune(seed: int, *, n_notes: int = 60, channel: int = 0) -> list[Note]:
    return [
        Note(onset, length, pitch, channel) for onset, length, pitch in signals.melody(n_notes, seed=seed)
    ]


def moved(notes: list[Note], *, semitones: int = 0, tempo: float = 1.0, later_s: float = 0.0) -> list[Note]:
    return [
        Note(note.onset_s / tempo + later_s, note.seconds / tempo, note.pitch + semitones, note.channel)
        for note in notes
    ]


@pytest.fixture(scope="module")
def index() -> NoteIndex:
    return NoteIndex([(f"work-{seed}", tune(seed)) for seed in range(12)])


class TestCheck:
    @pytest.mark.parametrize(("semitones", "tempo"), [(0, 1.0), (5, 1.0), (-7, 1.2), (12, 0.8)])
    def test_finds_a_tune_in_any_key_and_tempo(self, index: NoteIndex, semitones: int, tempo: float) -> None:
        answer = check(moved(tune(4)[10:40], semitones=semitones, tempo=tempo), index)

        match = answer.matches[0]
        assert (answer.verdict, match.key, match.n_notes) == ("review", "work-4", 30)
        assert match.pitch_shift_semitones == semitones
        assert match.tempo_ratio == pytest.approx(tempo, rel=0.01)
        assert match.reference_start_s == pytest.approx(tune(4)[10].onset_s)

    def test_finds_a_tune_among_other_voices(self, index: NoteIndex) -> None:
        together = [*tune(77, channel=1), *moved(tune(6)[:30], later_s=3.0), *tune(78, channel=2)]

        answer = check(together, index)

        assert (answer.verdict, answer.matches[0].key) == ("review", "work-6")
        assert answer.matches[0].query_start_s == pytest.approx(3.0)

    def test_bears_a_wrong_note(self, index: NoteIndex) -> None:
        query = tune(3)[:40]
        query[20] = Note(query[20].onset_s, query[20].seconds, query[20].pitch + 1)

        assert check(query, index).matches[0].n_notes == 40

    @pytest.mark.parametrize("seed", range(100, 120))
    def test_accuses_no_other_tune(self, index: NoteIndex, seed: int) -> None:
        assert check(tune(seed), index).verdict == "no_match"

    def test_never_blocks(self, index: NoteIndex) -> None:
        assert check(tune(4), index).verdict == "review"

    @pytest.mark.parametrize("step", [0, 1, 2])
    def test_weighs_scales_and_repeated_notes_as_nothing(self, step: int) -> None:
        run = [Note(0.25 * n, 0.2, 40 + step * n) for n in range(30)]

        assert check(run, NoteIndex([("exercise", run), ("work", tune(1))])).verdict == "no_match"

    def test_cannot_verify_five_notes(self, index: NoteIndex) -> None:
        assert check(tune(4)[:5], index).verdict == "unverifiable"

    def test_names_every_occurrence(self) -> None:
        phrase = tune(5)[:30]
        length = phrase[-1].onset_s + 1.0
        index = NoteIndex(
            [("rondo", [*phrase, *moved(phrase, later_s=length, semitones=3)]), ("work", tune(1))]
        )

        assert check(phrase, index).matches[0].occurrences == pytest.approx((0.0, length))


class TestGramsOf:
    def test_are_the_same_in_another_key_and_tempo(self) -> None:
        assert grams_of(tune(1)) == grams_of(moved(tune(1), semitones=4, tempo=1.3))

    def test_differ_in_another_rhythm(self) -> None:
        even = [Note(0.5 * n, 0.4, note.pitch) for n, note in enumerate(tune(1))]

        assert grams_of(even) != grams_of(tune(1))


class TestVoicesOf:
    def test_keep_the_highest_note_of_each_channel(self) -> None:
        chords = [Note(n * 0.5, 0.4, pitch, 3) for n in range(8) for pitch in (48, 55, 60 + n)]

        assert [[note.pitch for note in voice] for voice in voices_of(chords)] == [[60 + n for n in range(8)]]


class TestReadNotes:
    def test_gives_back_what_was_written(self, tmp_path: Path) -> None:
        written = signals.melody(30, seed=3)

        notes = audio.read_notes(signals.write_midi(tmp_path / "a.mid", written))

        assert [note.pitch for note in notes] == [pitch for _, _, pitch in written]
        assert [note.onset_s for note in notes] == pytest.approx(
            [onset for onset, _, _ in written], abs=0.002
        )
        assert [note.seconds for note in notes] == pytest.approx(
            [length for _, length, _ in written], abs=0.003
        )

    def test_follows_a_change_of_tempo(self, tmp_path: Path) -> None:
        import mido

        midi = mido.MidiFile(ticks_per_beat=480)
        track = mido.MidiTrack()
        midi.tracks.append(track)
        track.append(mido.Message("note_on", note=60, velocity=90, time=0))
        track.append(mido.MetaMessage("set_tempo", tempo=1_000_000, time=480))
        track.append(mido.Message("note_off", note=60, time=480))
        midi.save(tmp_path / "a.mid")

        [note] = audio.read_notes(tmp_path / "a.mid")

        assert note.seconds == pytest.approx(1.5)


class TestLoops:
    def test_are_one_idea_however_long_they_go_on(self) -> None:
        bar = [Note(0.5 * at, 0.5, pitch) for at, pitch in enumerate([60, 64, 67, 62, 65, 69, 71, 60])]
        loop = [note for n in range(500) for note in moved(bar, later_s=4.0 * n)]
        index = NoteIndex([("loop", loop), *((f"work-{seed}", tune(seed)) for seed in range(3))])
        assert max(len(index.places(gram)) for gram in grams_of(loop)) == 64

        match = check(loop, index).matches[0]

        assert (match.key, match.n_notes > 400, match.accepted) == ("loop", True, False)
        assert match.rarity_bits < 9


class TestOrder:
    def test_sets_the_longer_of_two_sure_matches_first(self) -> None:
        whole, quoted = tune(1), [*tune(2)[:20], *moved(tune(1)[:24], later_s=30.0)]
        others = [(f"work-{seed}", tune(seed)) for seed in range(20, 32)]
        both = NoteIndex([("a-quotation", quoted), ("the-work", whole), *others])

        answer = check(whole, both)

        assert [match.key for match in answer.matches if match.accepted] == ["the-work", "a-quotation"]


class TestOrnaments:
    def test_are_left_out(self) -> None:
        plain = [Note(0.5 * at, 0.5, pitch) for at, pitch in enumerate([60, 65, 62, 67, 65, 60, 71, 69])]
        mordent = [Note(1.0, 0.12, 62), Note(1.12, 0.12, 64), Note(1.24, 0.26, 62)]
        grace = [Note(2.0, 0.06, 67), Note(2.06, 0.44, 65)]

        ornamented = [*plain[:2], *mordent, plain[3], *grace, *plain[5:]]

        left = without_ornaments(ornamented)
        assert [note.pitch for note in left] == [note.pitch for note in plain]
        assert [note.onset_s for note in left] == [note.onset_s for note in plain]

    def test_do_not_hide_a_tune(self, index: NoteIndex) -> None:
        ornamented: list[Note] = []
        for at, note in enumerate(tune(5)[:40]):
            if at % 3:
                ornamented.append(note)
                continue
            part = note.seconds / 4
            pitches = (note.pitch, note.pitch + 2, note.pitch)
            ornamented += [Note(note.onset_s + n * part, part, pitch) for n, pitch in enumerate(pitches)]

        answer = check(ornamented, index)

        assert (answer.verdict, answer.matches[0].key) == ("review", "work-5")

    @pytest.mark.parametrize("n_notes", [0, 1, 2])
    def test_need_three_notes(self, n_notes: int) -> None:
        assert without_ornaments(tune(1)[:n_notes]) == tune(1)[:n_notes]
