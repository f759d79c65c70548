from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from provenance.similarity.by_vectors import LearnedVectors, matches_by_vectors
from provenance.similarity.fingerprint import AudioFingerprint, in_steps
from provenance.similarity.index import RecordingIndex
from provenance.similarity.learned import N_DIMENSIONS, SEGMENT_HOP_S
from tests.made_peaks import SECONDS_10, excerpt, scattered

NO_ITEMS = np.zeros((20, 2), dtype=np.uint32)
N_FRAMES, N_VECTORS = 3_000, 180


def drawn(n: int, *, seed: int) -> NDArray[np.int8]:
    vectors = np.random.default_rng(seed).standard_normal((n, N_DIMENSIONS))
    return in_steps(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def printed(seed: int) -> AudioFingerprint:
    return AudioFingerprint(
        NO_ITEMS, scattered(N_FRAMES, seed=seed), N_FRAMES, drawn(N_VECTORS, seed=100 + seed)
    )


@pytest.fixture(scope="module")
def references() -> list[tuple[str, AudioFingerprint]]:
    return [(f"song-{seed}", printed(seed)) for seed in range(14)]


def heard(of: AudioFingerprint, first: int, *, kept: float, likeness: float) -> AudioFingerprint:
    """Ten seconds from the vector ``first`` on, most of which other music covers."""
    peaks = excerpt(of.peaks, first * 16, kept=kept, seed=7)
    own = of.vectors[first : first + 17].astype(np.float64) / 254
    vectors = likeness * own + np.sqrt(1 - likeness**2) * drawn(17, seed=5).astype(np.float64) / 254
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return AudioFingerprint(NO_ITEMS, peaks, SECONDS_10, in_steps(vectors))


class TestMatchesByVectors:
    def test_finds_and_places_what_other_music_covers(
        self, references: list[tuple[str, AudioFingerprint]]
    ) -> None:
        index = RecordingIndex.build(references)
        _, song = references[6]

        best, *others = matches_by_vectors(heard(song, 60, kept=0.4, likeness=0.6), index, range(14))

        assert (best.key, best.column) == ("song-6", "vectors")
        assert best.accepted
        assert best.reference_start_s - best.query_start_s == pytest.approx(60 * SEGMENT_HOP_S, abs=0.3)
        assert not any(other.accepted for other in others)

    def test_believes_no_place_of_which_the_peaks_know_nothing(
        self, references: list[tuple[str, AudioFingerprint]]
    ) -> None:
        index = RecordingIndex.build(references)
        _, song = references[6]
        alike = heard(song, 60, kept=0.4, likeness=0.6)
        elsewhere = replace(alike, peaks=scattered(SECONDS_10, seed=99))

        both, vectors_alone = (
            matches_by_vectors(one, index, range(14))[0].strength for one in (alike, elsewhere)
        )

        assert vectors_alone < both - 4

    def test_accuses_both_of_two_copies(self, references: list[tuple[str, AudioFingerprint]]) -> None:
        index = RecordingIndex.build([*references, ("song-6-again", references[6][1])])
        sound = heard(references[6][1], 60, kept=0.5, likeness=0.7)

        matches = matches_by_vectors(sound, index, range(15))

        assert {match.key for match in matches if match.accepted} == {"song-6", "song-6-again"}

    def test_accuses_nobody_of_what_none_holds(self, references: list[tuple[str, AudioFingerprint]]) -> None:
        index = RecordingIndex.build(references)
        for seed in range(20, 26):
            stranger = heard(printed(seed), 60, kept=1.0, likeness=1.0)
            assert not any(match.accepted for match in matches_by_vectors(stranger, index, range(14)))

    def test_hears_nothing_in_silence(self, references: list[tuple[str, AudioFingerprint]]) -> None:
        index = RecordingIndex.build(references)
        silence = replace(
            heard(references[6][1], 60, kept=1.0, likeness=1.0), vectors=np.zeros((17, N_DIMENSIONS), np.int8)
        )
        assert matches_by_vectors(silence, index, range(14)) == []

    def test_asks_only_whom_it_may(self, references: list[tuple[str, AudioFingerprint]]) -> None:
        index = RecordingIndex.build(references)
        sound = heard(references[6][1], 60, kept=0.9, likeness=0.9)
        others = [n for n, key in enumerate(index.recordings) if key != "song-6"]
        matches = matches_by_vectors(sound, index, others)
        assert "song-6" not in {match.key for match in matches}


class TestLearnedVectors:
    def test_lays_no_segment_across_two_references(self) -> None:
        one, other = drawn(20, seed=1), drawn(20, seed=2)
        known = LearnedVectors([one, other])
        across = np.concatenate([one[-4:], other[:4]])

        places = known.search(across, allowed=np.ones(2, np.bool_))

        assert max(place.cosine for place in places) < 0.9

    def test_passes_over_references_that_are_shorter_or_empty(self) -> None:
        long = drawn(30, seed=1)
        known = LearnedVectors([drawn(3, seed=2), drawn(0, seed=3), long, drawn(0, seed=4)])

        [place] = known.search(long[10:20], allowed=np.ones(4, np.bool_))

        assert (place.reference, place.vector) == (2, 10)
        assert place.cosine == pytest.approx(1.0, abs=1e-3)
