"""Recording likeness of pieces however brief."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from provenance.similarity.by_levels import FEW, LONE_CHANCE, Moments, matches_by_levels, shared
from provenance.similarity.kept_levels import FRAME_HOP_S, KeptLevels
from provenance.similarity.levels import N_BANDS
from provenance.similarity.matches import RecordingMatch

Kept = NDArray[np.uint8]

N_FRAMES = 400
N_PIECES = FEW + 4
OWN = 3


def music(seed: int, n_frames: int = N_FRAMES) -> Kept:
    """Made-up music: spectra that change every few frames."""
    rng = np.random.default_rng(seed)
    chords = rng.normal(20.0, 9.0, (n_frames // 5 + 1, N_BANDS))
    smooth = ndimage.gaussian_filter1d(np.repeat(chords, 5, axis=0)[:n_frames], 1.0, axis=0)
    made: Kept = np.clip(np.rint(ndimage.gaussian_filter1d(smooth, 1.0, axis=1)), 0, 40).astype(np.uint8)
    return made


@pytest.fixture(scope="module")
def pieces() -> list[Kept]:
    return [music(seed) for seed in range(N_PIECES)]


@pytest.fixture(scope="module")
def known(pieces: list[Kept]) -> Moments:
    return Moments(KeptLevels(pieces))


def matches(query: Kept, known: Moments, allowed: set[int] | None = None) -> list[RecordingMatch]:
    keys = [f"piece {number}" for number in range(len(known.levels))]
    return matches_by_levels(query, known, keys, set(range(len(keys))) if allowed is None else allowed)


def with_piece(piece: Kept, at: int = 200) -> Kept:
    """Half a minute of other music in which it stands."""
    heard = music(100, 485)
    heard[at : at + len(piece)] = piece
    return heard


class TestMatchesByLevels:
    def test_finds_and_places_a_second_of_a_recording_in_other_music(
        self, known: Moments, pieces: list[Kept]
    ) -> None:
        best = matches(with_piece(pieces[OWN][150:166]), known)[0]
        assert (best.key, best.column) == (f"piece {OWN}", "levels")
        assert best.verdict in {"review", "blocked"}
        assert best.reference_start_s - best.query_start_s == pytest.approx(-50 * FRAME_HOP_S)
        assert best.query_start_s == pytest.approx(200 * FRAME_HOP_S, abs=2 * FRAME_HOP_S)
        assert best.query_end_s == pytest.approx(216 * FRAME_HOP_S, abs=4 * FRAME_HOP_S)

    def test_finds_one_that_was_made_softer(self, known: Moments, pieces: list[Kept]) -> None:
        softer = np.maximum(pieces[OWN][150:174], 2) - 2
        assert matches(with_piece(softer), known)[0].key == f"piece {OWN}"

    @pytest.mark.parametrize("bands", [-4, 2])
    def test_finds_one_at_another_pitch_and_tells_which(
        self, known: Moments, pieces: list[Kept], bands: int
    ) -> None:
        moved = np.roll(pieces[OWN][150:182], bands, axis=1)
        best = matches(with_piece(moved), known)[0]
        assert (best.key, best.pitch_shift_semitones) == (f"piece {OWN}", bands / 2)

    def test_finds_a_piece_in_the_third_minute(self, known: Moments, pieces: list[Kept]) -> None:
        long = np.concatenate([music(101, 2_400), with_piece(pieces[OWN][150:174])])
        best = matches(long, known)[0]
        assert best.key == f"piece {OWN}"
        assert best.query_start_s == pytest.approx(2_600 * FRAME_HOP_S, abs=2 * FRAME_HOP_S)

    def test_tells_where_a_recording_holds_it_again(self, pieces: list[Kept]) -> None:
        again = pieces[OWN].copy()
        again[300:330] = again[100:130]
        held = Moments(KeptLevels([*pieces[:OWN], again, *pieces[OWN + 1 :]]))
        best = matches(with_piece(again[100:130]), held)[0]
        assert best.occurrences == pytest.approx([100 * FRAME_HOP_S, 300 * FRAME_HOP_S], abs=0.2)

    def test_accuses_no_stranger(self, known: Moments) -> None:
        assert all(match.verdict == "no_match" for match in matches(music(102, 485), known))

    def test_is_surer_of_more(self, known: Moments, pieces: list[Kept]) -> None:
        strengths = [matches(with_piece(pieces[OWN][150 : 150 + n]), known)[0].strength for n in (10, 16, 32)]
        assert strengths == sorted(strengths)

    def test_takes_no_held_tone_for_a_piece(self, pieces: list[Kept]) -> None:
        tone = np.full((N_FRAMES, N_BANDS), 2, np.uint8)
        tone[:, 40] = 30
        held = Moments(KeptLevels([tone, *pieces]))
        assert all(match.key != "piece 0" for match in matches(with_piece(tone[:30]), held))

    def test_takes_no_rain_for_other_rain(self, pieces: list[Kept]) -> None:
        rain = [np.random.default_rng(seed).normal(20.0, 0.9, (N_FRAMES, N_BANDS)) for seed in (300, 301)]
        known, heard = (np.rint(one + np.linspace(5, -5, N_BANDS)).astype(np.uint8) for one in rain)
        held = Moments(KeptLevels([known, *pieces]))
        assert all(match.strength < 1.0 for match in matches(heard[:160], held))
        assert matches(known[50:210], held)[0].verdict == "blocked"

    def test_asks_more_where_few_recordings_may_answer(self, known: Moments, pieces: list[Kept]) -> None:
        query = with_piece(pieces[OWN][150:180])
        among_all = matches(query, known)[0].strength
        assert matches(query, known, {OWN})[0].strength == pytest.approx(among_all - LONE_CHANCE)

    def test_asks_nobody_who_may_not_answer(self, known: Moments, pieces: list[Kept]) -> None:
        others = set(range(N_PIECES)) - {OWN}
        assert all(
            match.key != f"piece {OWN}" for match in matches(with_piece(pieces[OWN][150:182]), known, others)
        )

    @pytest.mark.parametrize("n_frames", [0, 1, 2, 162])
    def test_finds_nothing_in_silence(self, known: Moments, n_frames: int) -> None:
        assert matches(np.zeros((n_frames, N_BANDS), np.uint8), known) == []

    def test_finds_nothing_where_nothing_is_held(self, pieces: list[Kept]) -> None:
        assert matches(pieces[OWN], Moments(KeptLevels([]))) == []

    def test_bears_recordings_that_are_empty_or_have_one_frame(self, pieces: list[Kept]) -> None:
        held = Moments(KeptLevels([np.zeros((0, N_BANDS), np.uint8), pieces[0][:1], *pieces]))
        assert matches(with_piece(pieces[OWN][150:182]), held)[0].key == f"piece {OWN + 2}"

    def test_finds_what_stands_at_either_end(self, known: Moments, pieces: list[Kept]) -> None:
        for query in (with_piece(pieces[OWN][:24], at=0), with_piece(pieces[OWN][-24:], at=461)):
            assert matches(query, known)[0].key == f"piece {OWN}"


class TestShared:
    def test_is_next_to_nothing_where_recordings_have_nothing_in_common(self, known: Moments) -> None:
        reached = shared(known, 10.0, 5)
        assert len(reached) == 5
        assert max(reached) < 3.0

    def test_hears_an_instrument_that_all_have(self, pieces: list[Kept]) -> None:
        hit = music(200, 16)
        alike = [piece.copy() for piece in pieces]
        for number, piece in enumerate(alike):
            for begin in range(number, N_FRAMES - 16, 80):
                piece[begin : begin + 16] = hit
        reached = shared(Moments(KeptLevels(alike)), 10.0, N_PIECES)
        assert np.median(reached) > 8.0

    def test_leaves_out_a_passage_that_two_of_them_hold(self, pieces: list[Kept]) -> None:
        twice = Moments(KeptLevels([*pieces, pieces[OWN]]))
        assert max(shared(twice, 10.0, 2 * N_PIECES)) < 3.0

    def test_asks_none_that_is_too_short(self, known: Moments) -> None:
        assert shared(known, 30.0, 5) == []
