"""Compositions in sound: made-up tunes, drawn as levels rather than played."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from provenance.similarity import composition
from provenance.similarity.calibration import Judging
from provenance.similarity.composition_index import CompositionIndex, Place, asked, resampled
from provenance.similarity.harmony import LEAST_FRAMES, Tune, TuneError, tune_of
from provenance.similarity.index import IndexDamagedError, IndexMissingError, IndexStaleError
from provenance.similarity.levels import HOP_S, N_BANDS
from provenance.similarity.notes import Note
from provenance.similarity.strangers import COMPOSITION_FOLDER, Excerpt, Stock, Stranger
from provenance.similarity.thresholds import COMPOSITION_POLICY_ID, REVIEW_SCORE

Levels = NDArray[Any]

LOWEST_PITCH = 48
"""The lowest band, 130 Hz, is a C."""


def levels_of_notes(
    pitches: Sequence[int],
    *,
    note_s: float = 0.5,
    overtones: Sequence[int] = (0, 24, 38, 48),
    bass: Sequence[Sequence[int]] = (),
) -> Levels:
    """Levels of one note after another, each with overtones, over chords that change every fourth note."""
    n_each = round(note_s / HOP_S)
    levels = np.full((n_each * len(pitches), N_BANDS), -80.0, dtype=np.float32)
    for number, pitch in enumerate(pitches):
        here = slice(number * n_each, (number + 1) * n_each)
        sounding = [pitch, *(bass[number // 4 % len(bass)] if bass else ())]
        for tone in sounding:
            for order, overtone in enumerate(overtones):
                band = 2 * (tone - LOWEST_PITCH) + overtone
                if 0 <= band < N_BANDS:
                    levels[here, band] = np.maximum(levels[here, band], -20.0 - 6.0 * order)
    return levels.astype(np.float16)


def melody(seed: int, n_notes: int = 64) -> list[int]:
    steps = np.random.default_rng(seed).choice([-4, -3, -2, -1, 1, 2, 3, 5], size=n_notes)
    return [60 + int(step) for step in np.cumsum(steps) % 17]


def chords(seed: int) -> list[tuple[int, ...]]:
    rng = np.random.default_rng(seed + 1_000)
    return [tuple((49 + rng.choice(11, size=3, replace=False)).tolist()) for _ in range(16)]


def played(
    seed: int,
    *,
    up: int = 0,
    tempo: float = 1.0,
    overtones: Sequence[int] = (0, 24, 38, 48),
    notes: slice = slice(None),
) -> Levels:
    tune = [pitch + up for pitch in melody(seed)]
    under = [tuple(pitch + up for pitch in chord) for chord in chords(seed)]
    whole = levels_of_notes(tune, note_s=0.5 / tempo, overtones=overtones, bass=under)
    each = round(0.5 / tempo / HOP_S)
    return whole[slice((notes.start or 0) * each, notes.stop * each if notes.stop else None)]


def voices(seed: int) -> Levels:
    """A melody below another one that is as loud, and above chords."""
    above = levels_of_notes([pitch + 17 for pitch in melody(seed + 500)])
    under = levels_of_notes(melody(seed), bass=chords(seed))
    both: Levels = np.maximum(above, under)
    return both


@pytest.fixture(scope="module")
def voiced() -> CompositionIndex:
    return CompositionIndex.build((f"work-{seed}", tune_of(voices(seed)).packed) for seed in range(12))


@pytest.fixture(scope="module")
def index() -> CompositionIndex:
    return CompositionIndex.build((f"work-{seed}", tune_of(played(seed)).packed) for seed in range(12))


class TestPrints:
    def test_hear_the_pitch_classes_that_are_played(self) -> None:
        tune = tune_of(levels_of_notes([60, 64, 67], note_s=1.0))
        assert [int(row.argmax()) for row in tune.rows[[1, 5, 9], 0]] == [0, 4, 7]
        assert [int(row.argmax()) for row in tune.rows[[1, 5, 9], 1]] == [0, 4, 7]

    def test_are_of_the_same_classes_in_another_tuning(self) -> None:
        sharp = np.roll(levels_of_notes(melody(1)), 1, axis=1)
        assert abs(tune_of(sharp).tuning) == pytest.approx(0.4, abs=0.15)
        heard = tune_of(sharp).rows[:, 0].argmax(axis=1)
        assert (
            len(set(((heard - tune_of(levels_of_notes(melody(1))).rows[:, 0].argmax(axis=1)) % 12).tolist()))
            == 1
        )

    def test_come_back_from_their_bytes(self) -> None:
        tune = tune_of(played(3))
        again = Tune.unpack(tune.packed)
        assert (again.rows == tune.rows).all()
        assert len(tune.packed) < 73 * tune.seconds + 20

    def test_hold_the_notes_that_are_known(self) -> None:
        notes = (Note(0.0, 0.25, 60), Note(0.25, 1.5, 127, 300_000))
        tune = tune_of(played(3), notes=notes)
        assert Tune.unpack(tune.packed).notes == notes
        assert len(tune.packed) - len(tune_of(played(3)).packed) == 8 + 2 * 13

    @pytest.mark.parametrize(
        "stored",
        [
            b"",
            b"LNTU",
            tune_of(played(3)).packed[:-1],
            b"x" * 60,
            tune_of(played(3)).packed + b"LNTN",
            tune_of(played(3), notes=[Note(0.0, 1.0, 60)]).packed[:-1],
        ],
    )
    def test_that_are_none_are_refused(self, stored: bytes) -> None:
        with pytest.raises(TuneError):
            Tune.unpack(stored)

    def test_hear_every_voice_of_a_chord_and_none_in_its_overtones(self) -> None:
        heard = tune_of(levels_of_notes([72, 74], note_s=1.5, bass=[(53, 57)])).rows[:, 2] > 0
        assert [np.flatnonzero(row).tolist() for row in heard[[2, 9]]] == [[0, 5, 9], [2, 5, 9]]

    def test_of_silence_hold_nothing(self) -> None:
        assert not tune_of(np.full((400, N_BANDS), -90.0)).rows.any()
        assert len(tune_of(np.zeros((3, N_BANDS)))) == 0


class TestChecks:
    @pytest.mark.parametrize(("up", "tempo"), [(0, 1.0), (5, 1.0), (-5, 1.0), (0, 0.8), (0, 1.2), (3, 1.1)])
    def test_find_a_work_in_another_key_and_tempo(
        self, index: CompositionIndex, up: int, tempo: float
    ) -> None:
        query = tune_of(played(4, up=up, tempo=tempo, overtones=(0, 24), notes=slice(12, 60)))
        answer = composition.check(query, index)
        best = answer.matches[0]
        assert answer.verdict == "review"
        assert best.key == "work-4"
        assert best.pitch_shift_semitones == pytest.approx(up, abs=0.3)
        assert best.tempo_ratio == pytest.approx(tempo, abs=0.05)
        assert best.reference_start_s - best.query_start_s * tempo == pytest.approx(6.0, abs=1.5)

    @pytest.mark.parametrize(("up", "tempo"), [(0, 1.0), (-4, 0.85), (7, 1.15)])
    def test_find_a_single_voice_in_the_midst_of_others(
        self, voiced: CompositionIndex, up: int, tempo: float
    ) -> None:
        alone = levels_of_notes([pitch + up for pitch in melody(4)], note_s=0.5 / tempo)
        answer = composition.check(tune_of(alone), voiced)
        best = answer.matches[0]
        assert (answer.verdict, best.key, best.part) == ("review", "work-4", "line")
        assert best.pitch_shift_semitones == pytest.approx((up + 6) % 12 - 6, abs=0.3)
        assert best.tempo_ratio == pytest.approx(tempo, abs=0.05)
        unknown = composition.check(tune_of(levels_of_notes(melody(77))), voiced)
        assert unknown.verdict == "no_match"
        assert "line" in unknown.best

    def test_call_a_line_common_that_many_hold_and_not_one_that_is_there_twice(self) -> None:
        voice = tune_of(levels_of_notes(melody(4)))
        others = [(f"work-{seed}", tune_of(voices(seed)).packed) for seed in range(20, 30)]
        for n_copies, is_common in ((2, False), (6, True)):
            copies = [
                (f"copy-{n}", tune_of(np.roll(voices(4), 2 * n, axis=1)).packed) for n in range(n_copies)
            ]
            answer = composition.check(voice, CompositionIndex.build([*copies, *others]))
            lines = [match for match in answer.matches if match.part == "line"]
            assert (lines[0].common, lines[0].accepted) == (is_common, not is_common)
            assert lines[0].n_alike == n_copies - 1

    def test_look_up_a_line_only_where_there_is_one(self, voiced: CompositionIndex) -> None:
        assert "line" not in composition.check(tune_of(voices(4)), voiced).best

    def test_find_nothing_of_a_work_that_is_not_there(self, index: CompositionIndex) -> None:
        answer = composition.check(tune_of(played(77)), index)
        assert answer.verdict == "no_match"
        assert len(answer.matches) >= 5
        scores = [match.score for match in answer.matches]
        assert scores == sorted(scores, reverse=True)
        assert not any(match.accepted for match in answer.matches)

    def test_never_block(self, index: CompositionIndex) -> None:
        assert {match.verdict for match in composition.check(tune_of(played(4)), index).matches} <= {
            "review",
            "no_match",
        }

    def test_find_a_work_that_is_in_the_index_twice(self) -> None:
        twice = [("first", tune_of(played(4)).packed), ("second", tune_of(played(4, up=2)).packed)]
        others = [(f"work-{seed}", tune_of(played(seed)).packed) for seed in range(20, 30)]
        answer = composition.check(tune_of(played(4, up=-3)), CompositionIndex.build([*twice, *others]))
        assert {match.key for match in answer.matches if match.accepted} == {"first", "second"}
        assert answer.matches[0].n_alike == 1

    def test_call_what_many_hold_common(self) -> None:
        many = [(f"copy-{n}", tune_of(played(4, up=n)).packed) for n in range(6)]
        others = [(f"work-{seed}", tune_of(played(seed)).packed) for seed in range(20, 26)]
        answer = composition.check(tune_of(played(4, up=-3)), CompositionIndex.build([*many, *others]))
        assert answer.verdict == "no_match"
        assert answer.matches[0].common
        assert "common material" in answer.reasons[0]

    def test_name_every_place_where_a_work_repeats(self) -> None:
        once = played(4, notes=slice(0, 32))
        repeated = tune_of(np.concatenate([once, played(9), once])).packed
        others = [(f"work-{seed}", tune_of(played(seed)).packed) for seed in range(20, 32)]
        answer = composition.check(tune_of(once), CompositionIndex.build([("twice", repeated), *others]))
        occurrences = answer.matches[0].occurrences
        assert [round(at / 4) * 4 for at in occurrences] == [0, 48]

    def test_find_a_work_late_in_a_long_output(self, index: CompositionIndex) -> None:
        long = np.concatenate([played(70), played(71), played(5, up=1)])
        answer = composition.check(tune_of(long), index)
        assert answer.matches[0].key == "work-5"
        assert answer.matches[0].query_start_s == pytest.approx(64.0, abs=14.0)

    @pytest.mark.parametrize("levels", [np.zeros((100, N_BANDS)), np.full((3_000, N_BANDS), -90.0)])
    def test_can_say_nothing_of_too_little(self, index: CompositionIndex, levels: Levels) -> None:
        assert composition.check(tune_of(levels), index).verdict == "unverifiable"

    def test_of_an_empty_index_find_nothing(self) -> None:
        answer = composition.check(tune_of(played(1)), CompositionIndex.build([]))
        assert (answer.verdict, answer.matches) == ("no_match", ())


class TestIndexes:
    def test_come_back_from_their_file(self, index: CompositionIndex, tmp_path: Path) -> None:
        index.save(tmp_path / "an.index")
        again = CompositionIndex.load(tmp_path / "an.index", set_hash=index.facts.set_hash)
        assert again.facts == index.facts
        query = tune_of(played(2, up=3))
        assert composition.check(query, again) == composition.check(query, index)

    def test_that_are_damaged_stale_or_gone_are_refused(
        self, index: CompositionIndex, tmp_path: Path
    ) -> None:
        path = tmp_path / "an.index"
        with pytest.raises(IndexMissingError):
            CompositionIndex.load(path)
        index.save(path)
        with pytest.raises(IndexStaleError):
            CompositionIndex.load(path, dataset="another")
        content = bytearray(path.read_bytes())
        for at in (0, len(content) // 2, len(content) - 1):
            damaged = bytearray(content)
            damaged[at] ^= 1
            path.write_bytes(damaged)
            with pytest.raises(IndexDamagedError):
                CompositionIndex.load(path)

    def test_name_what_is_too_short_to_be_found(self) -> None:
        short = Tune(np.ones((LEAST_FRAMES - 1, 3, 12), dtype=np.uint8)).packed
        built = CompositionIndex.build([("short", short), ("whole", tune_of(played(1)).packed)])
        assert built.too_short == ("short",)
        assert composition.check(tune_of(played(1)), built).matches[0].key == "whole"

    def test_take_each_recording_once(self) -> None:
        stored = tune_of(played(1)).packed
        with pytest.raises(ValueError, match="twice"):
            CompositionIndex.build([("same", stored), ("same", stored)])

    def test_propose_the_place_that_comparing_all_frames_finds(self, index: CompositionIndex) -> None:
        query = asked(tune_of(played(6, up=4, notes=slice(8, 40))).rows)
        place = index.places(query)["harmony"][0]
        frames = index.grounds[place.reference][:, :2]
        turned = np.roll(resampled(query[:, :2], 1.0), -4, axis=2)
        sums = [
            float((turned * frames[at : at + len(turned)]).sum())
            for at in range(len(frames) - len(turned) + 1)
        ]
        assert (index.recordings[place.reference], place.rotation, place.tempo) == ("work-6", 4, 1.0)
        assert abs(place.frame - int(np.argmax(sums))) <= 4


class TestAlignment:
    def test_finds_nothing_at_a_place_beyond_the_end(self) -> None:
        index = CompositionIndex.build([("work", tune_of(played(1)).packed)])
        query = asked(tune_of(played(1)).rows)[:200]
        end = len(index.tunes[0])
        places = [Place(0, frame, 0, 1.0, 0.9) for frame in (0, end + 500)]

        here, beyond = (composition._aligned(query, [place], "harmony", index)[0] for place in places)

        assert here.agreement > 1.0
        assert beyond.agreement == 0.0


class TestMeasure:
    @pytest.fixture(scope="class")
    @staticmethod
    def index() -> CompositionIndex:
        return CompositionIndex.build((f"work-{seed}", tune_of(played(seed)).packed) for seed in range(6))

    def test_leaves_out_what_the_index_holds_itself(self, index: CompositionIndex) -> None:
        held = [excerpt_of(played(2)[first : first + 500], 2, first * HOP_S) for first in (0, 500)]
        others = [excerpt_of(played(seed)[:500], seed, 0.0) for seed in range(40, 44)]

        found = composition.measure(index, Stock((*held, *others)))

        assert (found.left_out, found.n_strangers, found.parts) == (("p/2",), 4, ("tune",))
        assert found.policy == COMPOSITION_POLICY_ID

    def test_gives_a_cover_a_small_p_and_a_stranger_a_large_one(self, index: CompositionIndex) -> None:
        others = [excerpt_of(played(seed)[:500], seed, 0.0) for seed in range(40, 46)]
        judging = Judging(composition.measure(index, Stock(tuple(others))), 0.05, 16.0)

        cover = composition.check(tune_of(played(4, up=5)[:520]), index, judging=judging)
        other = composition.check(tune_of(played(88)[:520]), index, judging=judging)

        assert (cover.verdict, cover.matches[0].key, cover.matches[0].p_kind) == (
            "review",
            "work-4",
            "extrapolated",
        )
        assert cover.matches[0].score > REVIEW_SCORE
        assert cover.matches[0].p_value < 0.01  # type: ignore[operator]
        assert other.verdict == "no_match"
        assert all(match.p_value > 0.05 for match in other.matches)  # type: ignore[operator]


class TestShippedStock:
    def test_can_be_read_and_holds_excerpts_of_both_lengths_of_every_track(self) -> None:
        stock = Stock.load(COMPOSITION_FOLDER, unpack=Tune.unpack)
        assert (stock.lengths_s, stock.n_tracks) == ((10.0, 24.0), 130)
        assert all(len(one.sound) >= LEAST_FRAMES for one in stock.strangers)


def excerpt_of(levels: Levels, seed: int, start_s: float) -> Stranger:
    excerpt = Excerpt("p", str(seed), f"{seed:064d}", start_s, 15.0, 0, "0" * 64)
    return Stranger(excerpt, tune_of(levels))
