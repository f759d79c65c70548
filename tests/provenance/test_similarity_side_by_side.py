from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from provenance.similarity.levels import FLOOR_DB, HOP_S, N_BANDS
from provenance.similarity.side_by_side import Place, brought, chroma, compare, heard, stretch_of

N_FRAMES = 1_000


@pytest.fixture(scope="module")
def song() -> NDArray[np.float32]:
    """Levels in which something happens: notes of half a second, two at a time."""
    rng = np.random.default_rng(1)
    levels = np.full((N_FRAMES, N_BANDS), FLOOR_DB, dtype=np.float32)
    for start in range(0, N_FRAMES, 16):
        for band in rng.integers(10, N_BANDS - 10, 2):
            levels[start : start + 16, band - 1 : band + 2] = [[-30.0, -20.0, -30.0]]
    return levels


def seconds(frames: float) -> float:
    return frames * HOP_S


class TestBrought:
    def test_is_the_stretch_itself_where_nothing_was_changed(self, song: NDArray[np.float32]) -> None:
        place = Place(seconds(100), seconds(200), seconds(100))

        assert np.allclose(brought(song, place), song[100:200], atol=1e-3)

    def test_undoes_another_key(self, song: NDArray[np.float32]) -> None:
        higher = np.roll(song, 3, axis=1)  # one and a half semitones

        found = brought(higher, Place(0.0, seconds(300), 0.0, pitch_shift_semitones=1.5))

        assert np.allclose(found[:, :-3], song[:300, :-3], atol=1e-3)
        assert (found[:, -3:] == FLOOR_DB).all()

    def test_undoes_another_tempo(self, song: NDArray[np.float32]) -> None:
        quicker = song[::2]

        found = brought(quicker, Place(0.0, seconds(100), 0.0, tempo_ratio=2.0))

        assert len(found) == 200
        assert np.allclose(found[::2], song[:200:2], atol=1e-2)


class TestStretchOf:
    def test_is_silent_beyond_the_ends(self, song: NDArray[np.float32]) -> None:
        found = stretch_of(song, seconds(N_FRAMES - 10), 30)

        assert np.array_equal(found[:10], song[-10:])
        assert (found[10:] == FLOOR_DB).all()


class TestCompare:
    def test_finds_a_copy_in_another_key_and_tempo(self, song: NDArray[np.float32]) -> None:
        at = np.arange(0, 400, 1.05)
        query = np.roll(song[200:][np.rint(at).astype(int)], 4, axis=1)
        place = Place(0.0, seconds(len(query)), seconds(200), 1.05, 2.0)

        found = compare(query, song, place)

        assert found.correlation > 0.9
        assert found.lag_s == pytest.approx(0.0, abs=0.05)
        assert found.elsewhere_most is not None
        assert found.elsewhere_most < 0.5
        assert len(found.path) > 5
        for query_s, reference_s, _ in found.path:
            assert reference_s == pytest.approx(seconds(200) + 1.05 * query_s, abs=0.1)

    def test_is_near_chance_where_it_is_no_copy(self, song: NDArray[np.float32]) -> None:
        found = compare(song[:200], song, Place(0.0, seconds(200), seconds(600)))

        assert found.correlation < 0.5
        assert found.elsewhere_most == pytest.approx(1.0, abs=0.01)  # for it lies elsewhere

    def test_counts_no_occurrence_as_another_place(self, song: NDArray[np.float32]) -> None:
        twice = np.concatenate([song[:500], song[:500]])
        place = Place(0.0, seconds(200), 0.0)

        with_it = compare(song[:200], twice, place, occurrences=[seconds(500)]).elsewhere_most
        without = compare(song[:200], twice, place).elsewhere_most

        assert with_it is not None
        assert without == pytest.approx(1.0, abs=0.01)
        assert with_it < 0.6

    def test_lets_repeated_music_lie_where_it_is_said_to(self, song: NDArray[np.float32]) -> None:
        twice = np.concatenate([song[:500], song[:500]])

        for start in (0, 500):
            found = compare(song[:200], twice, Place(0.0, seconds(200), seconds(start)))
            assert found.n_on_line == len(found.path) > 0

    def test_takes_another_occurrence_for_the_place(self, song: NDArray[np.float32]) -> None:
        rough = song.copy()
        rough[:200] = np.where(np.random.default_rng(2).random((200, N_BANDS)) < 0.4, FLOOR_DB, song[:200])
        twice = np.concatenate([rough[:500], song[:500]])  # the second is the better
        place = Place(0.0, seconds(200), 0.0)

        assert compare(song[:200], twice, place).n_on_line == 0
        assert compare(song[:200], twice, place, occurrences=[seconds(500)]).n_on_line > 0

    def test_says_nothing_of_chance_without_other_places(self, song: NDArray[np.float32]) -> None:
        found = compare(song[:300], song[:310], Place(0.0, seconds(300), 0.0))

        assert found.correlation > 0.99
        assert (found.elsewhere_mean, found.elsewhere_most) == (None, None)

    @pytest.mark.parametrize("n_frames", [0, 1, 200])
    def test_is_zero_for_silence_and_for_nothing(self, song: NDArray[np.float32], n_frames: int) -> None:
        silence = np.full((n_frames, N_BANDS), FLOOR_DB, dtype=np.float32)

        found = compare(silence, song, Place(0.0, seconds(n_frames), 0.0))

        assert (found.correlation, found.path) == (0.0, ())

    def test_does_not_mind_how_loud_either_is(self, song: NDArray[np.float32]) -> None:
        softer = np.maximum(song - 15.0, FLOOR_DB)

        assert compare(softer[:200], song, Place(0.0, seconds(200), 0.0)).correlation > 0.99


class TestChroma:
    def test_folds_octaves_into_one_class(self) -> None:
        levels = np.full((2, N_BANDS), FLOOR_DB)
        levels[0, [18, 42]] = -10.0  # A in two octaves: nine semitones above C
        levels[1, 1] = -10.0  # between C and C sharp

        found = chroma(levels)

        assert found[0].argmax() == 9
        assert found[1, 0] == found[1, 1] == 1.0

    def test_leaves_faint_frames_empty(self) -> None:
        levels = np.full((2, N_BANDS), FLOOR_DB)
        levels[0, 0] = -10.0

        assert chroma(levels)[1].max() == 0.0


class TestHeard:
    def test_is_zero_for_what_is_too_faint(self) -> None:
        levels = np.array([[-10.0, -69.0, -75.0]])

        assert heard(levels).round(3).tolist() == [[60.0, 1.0, 0.0]]
