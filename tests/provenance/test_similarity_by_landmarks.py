from __future__ import annotations

import numpy as np
import pytest

from provenance.similarity.by_landmarks import matches_by_landmarks
from provenance.similarity.fingerprint import AudioFingerprint
from provenance.similarity.index import RecordingIndex
from provenance.similarity.landmarks import COMMONEST, Landmarks, pairs_of
from provenance.similarity.levels import HOP_S
from provenance.similarity.peaks import Peaks
from tests.made_peaks import scattered

NO_ITEMS = np.zeros((20, 2), dtype=np.uint32)
N_FRAMES = 2_000


def printed(peaks: Peaks, n_frames: int) -> AudioFingerprint:
    return AudioFingerprint(NO_ITEMS, peaks, n_frames)


def put_into(other: Peaks, piece: Peaks, at: int, n_frames: int) -> Peaks:
    """Other music, with a piece in the place of what was there."""
    before, after = other.between(0, at), other.between(at + n_frames, N_FRAMES)
    parts = (before, piece.moved(at), after)
    return Peaks(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("frames", "bands", "strong"))
    )


@pytest.fixture(scope="module")
def index() -> RecordingIndex:
    return RecordingIndex.build(
        [(f"song-{seed:02}", printed(scattered(N_FRAMES, seed=seed), N_FRAMES)) for seed in range(12)]
    )


class TestMatchesByLandmarks:
    def test_finds_and_places_a_second_and_a_half_inside_other_music(self, index: RecordingIndex) -> None:
        piece = index.fingerprint(5).peaks.between(700, 748).moved(-700)
        heard = put_into(scattered(N_FRAMES, seed=40), piece, 311, 48)

        best, *others = matches_by_landmarks(printed(heard, N_FRAMES), index, range(12))

        assert (best.key, best.column) == ("song-05", "brief")
        assert best.strength > max((other.strength for other in others), default=0.0) + 4
        assert best.query_start_s == pytest.approx(311 * HOP_S, abs=0.3)
        assert best.query_end_s == pytest.approx(359 * HOP_S, abs=0.5)
        assert best.reference_start_s - best.query_start_s == pytest.approx((700 - 311) * HOP_S, abs=0.1)

    def test_finds_it_late_in_a_long_query(self, index: RecordingIndex) -> None:
        long = scattered(4 * N_FRAMES, seed=41)
        piece = index.fingerprint(2).peaks.between(100, 180).moved(5_000 - 100)
        parts = (long.between(0, 5_000), piece, long.between(5_080, 4 * N_FRAMES))
        heard = Peaks(
            *(np.concatenate([getattr(part, n) for part in parts]) for n in ("frames", "bands", "strong"))
        )

        best = matches_by_landmarks(printed(heard, 4 * N_FRAMES), index, range(12))[0]

        assert best.key == "song-02"
        assert best.query_start_s == pytest.approx(5_000 * HOP_S, abs=0.3)

    def test_accuses_nobody_of_what_none_holds(self, index: RecordingIndex) -> None:
        for seed in range(50, 56):
            heard = printed(scattered(N_FRAMES, seed=seed), N_FRAMES)
            assert not any(match.accepted for match in matches_by_landmarks(heard, index, range(12)))

    def test_asks_only_whom_it_may(self, index: RecordingIndex) -> None:
        heard = index.fingerprint(5)
        matches = matches_by_landmarks(heard, index, [n for n in range(12) if n != 5])
        assert "song-05" not in {match.key for match in matches}

    @pytest.mark.parametrize("n_frames", [0, 3])
    def test_finds_nothing_in_nothing(self, index: RecordingIndex, n_frames: int) -> None:
        assert matches_by_landmarks(printed(scattered(n_frames, seed=1), n_frames), index, range(12)) == []


class TestLandmarks:
    def test_name_reference_and_place(self) -> None:
        songs = [scattered(N_FRAMES, seed=seed) for seed in range(5)]
        query = songs[3].between(900, 1_000).moved(-900)

        best = Landmarks(songs, [N_FRAMES] * 5).search(query)[0]

        assert best.reference == 3
        assert best.origin == pytest.approx(900, abs=4)

    def test_pass_over_what_comes_everywhere(self) -> None:
        n = COMMONEST + 10
        beat = Peaks(
            np.repeat(np.arange(n, dtype=np.int32) * 8, 2),
            np.tile(np.array([10, 50], np.uint8), n),
            np.ones(2 * n, np.bool_),
        )
        assert Landmarks([beat], [8 * n]).search(beat.between(0, 400)) == []

    def test_pair_a_strong_peak_with_those_that_follow(self) -> None:
        peaks = Peaks(
            np.array([0, 1, 4, 60], np.int32),
            np.array([7, 8, 9, 10], np.uint8),
            np.array([True, False, True, False]),
        )
        kinds, frames = pairs_of(peaks)
        assert kinds.tolist() == [(7 * 120 + 9) * 32 + 4]  # the second is too near, the last too far
        assert frames.tolist() == [0]
