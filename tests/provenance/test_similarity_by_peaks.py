from __future__ import annotations

import numpy as np
import pytest

from provenance.similarity.by_peaks import matches_by_peaks
from provenance.similarity.fingerprint import AudioFingerprint
from provenance.similarity.index import RecordingIndex
from provenance.similarity.levels import HOP_S
from provenance.similarity.peaks import Peaks
from tests.made_peaks import SECONDS_10, excerpt, scattered

NO_ITEMS = np.zeros((20, 2), dtype=np.uint32)


def printed(peaks: Peaks, n_frames: int) -> AudioFingerprint:
    return AudioFingerprint(NO_ITEMS, peaks, n_frames)


def in_a_row(*parts: Peaks) -> Peaks:
    moved = [part.moved(place * SECONDS_10) for place, part in enumerate(parts)]
    return Peaks(
        *(np.concatenate([getattr(part, name) for part in moved]) for name in ("frames", "bands", "strong"))
    )


@pytest.fixture(scope="module")
def strangers() -> list[tuple[str, AudioFingerprint]]:
    return [(f"stranger-{seed}", printed(scattered(3_000, seed=seed), 3_000)) for seed in range(12)]


class TestMatchesByPeaks:
    def test_names_pitch_tempo_and_place(self, strangers: list[tuple[str, AudioFingerprint]]) -> None:
        index = RecordingIndex.build(strangers)
        heard = excerpt(strangers[4][1].peaks, 900, pitch=3, tempo=1.06, kept=0.8)

        best = matches_by_peaks(printed(heard, SECONDS_10), index, range(12))[0]

        assert (best.key, best.verdict, best.pitch_shift_semitones) == ("stranger-4", "blocked", 1.5)
        assert best.tempo_ratio == pytest.approx(1.06, abs=0.011)
        assert best.reference_start_s == pytest.approx(
            (900 + best.query_start_s / HOP_S * 1.06) * HOP_S, abs=0.3
        )

    def test_joins_what_goes_on_from_segment_to_segment(
        self, strangers: list[tuple[str, AudioFingerprint]]
    ) -> None:
        index = RecordingIndex.build(strangers)
        heard = strangers[2][1].peaks.between(600, 1_900).moved(-600)

        best = matches_by_peaks(printed(heard, 1_300), index, range(12))[0]

        assert best.key == "stranger-2"
        assert best.query_end_s - best.query_start_s == pytest.approx(1_300 * HOP_S, abs=1.0)

    def test_accuses_both_copies_of_what_comes_round_twenty_times(
        self, strangers: list[tuple[str, AudioFingerprint]]
    ) -> None:
        loop = scattered(SECONDS_10, seed=50)
        parts = [part for n in range(20) for part in (loop, scattered(SECONDS_10, seed=60 + n))]
        track = printed(in_a_row(*parts), 40 * SECONDS_10)
        index = RecordingIndex.build([*strangers, ("looped", track), ("looped-again", track)])

        matches = matches_by_peaks(printed(loop, SECONDS_10), index, range(14))

        assert {match.key for match in matches if match.accepted} == {"looped", "looped-again"}
        assert len(matches[0].occurrences) > 10

    def test_accuses_nobody_of_another_sound(self, strangers: list[tuple[str, AudioFingerprint]]) -> None:
        for known in (strangers, strangers[:1]):
            index = RecordingIndex.build(known)
            for seed in range(300, 306):
                heard = printed(scattered(SECONDS_10, seed=seed), SECONDS_10)

                assert not any(match.accepted for match in matches_by_peaks(heard, index, range(len(known))))
