"""Recording likeness of one part alone."""

import numpy as np
import pytest
from numpy.typing import NDArray

from provenance.similarity import by_parts
from provenance.similarity.by_parts import Parts, Segment, matches_by_parts
from provenance.similarity.kept_levels import FRAME_HOP_S, KeptLevels
from provenance.similarity.levels import N_BANDS
from provenance.similarity.matches import RecordingMatch

Kept = NDArray[np.uint8]

N_FRAMES = 600
LOUD, SOFT = 28, 22


def notes(seed: int, *, n_frames: int = N_FRAMES, loudness: int = LOUD, n_notes: int = 500) -> Kept:
    """Made-up music: notes of a few frames in single bands, which fade, over a quiet ground."""
    rng = np.random.default_rng(seed)
    kept = np.full((n_frames, N_BANDS), 3, np.uint8)
    for frame, band in zip(
        rng.integers(0, n_frames - 8, n_notes), rng.integers(0, N_BANDS, n_notes), strict=True
    ):
        fading = (loudness - 2 * np.arange(8)).astype(np.uint8)
        kept[frame : frame + 8, band] = np.maximum(kept[frame : frame + 8, band], fading)
    return kept


@pytest.fixture(scope="module")
def lead() -> Kept:
    """A part that is 18 dB softer than the rest of its piece."""
    return notes(100, loudness=SOFT, n_notes=250)


@pytest.fixture(scope="module")
def pieces(lead: Kept) -> list[Kept]:
    """Eight of them; the fourth is the rest of its own, with the lead under it."""
    made = [notes(seed) for seed in range(8)]
    made[3] = np.maximum(made[3], lead)
    return made


@pytest.fixture(scope="module")
def known(pieces: list[Kept]) -> Parts:
    return Parts(KeptLevels(pieces))


def matches(query: Kept, known: Parts, allowed: set[int] | None = None) -> list[RecordingMatch]:
    keys = [f"piece {number}" for number in range(len(known.levels))]
    return matches_by_parts(query, known, keys, set(range(len(keys))) if allowed is None else allowed)


class TestMatchesByParts:
    def test_finds_and_places_a_part_that_is_softer_than_the_rest(self, known: Parts, lead: Kept) -> None:
        best = matches(lead[200:360], known)[0]
        assert (best.key, best.column) == ("piece 3", "parts")
        assert best.reference_start_s == pytest.approx(200 * FRAME_HOP_S)
        assert best.verdict == "review"

    def test_finds_one_that_was_made_louder(self, known: Parts, lead: Kept) -> None:
        louder = np.where(lead > 3, lead + 2, lead).astype(np.uint8)
        best = matches(louder[200:360], known)[0]
        assert best.key == "piece 3"
        assert best.strength < matches(lead[200:360], known)[0].strength

    def test_accuses_no_stranger(self, known: Parts) -> None:
        strange = notes(101, n_frames=160, loudness=SOFT, n_notes=70)
        found = matches(strange, known)
        assert found
        assert all(match.verdict == "no_match" for match in found)

    def test_finds_nothing_in_a_part_that_is_louder_than_the_whole_allows(
        self, known: Parts, lead: Kept
    ) -> None:
        beyond = np.where(lead > 3, lead + 8, lead).astype(np.uint8)
        assert all(match.verdict == "no_match" for match in matches(beyond[200:360], known))

    def test_takes_a_second_copy_for_no_rival(self, pieces: list[Kept], lead: Kept) -> None:
        found = matches(lead[200:360], Parts(KeptLevels([*pieces, pieces[3]])))[:2]
        assert {match.key for match in found} == {"piece 3", "piece 8"}
        assert all(match.verdict == "review" for match in found)

    def test_asks_nobody_who_may_not_answer(self, known: Parts, lead: Kept) -> None:
        found = matches(lead[200:360], known, {0, 1})
        assert {match.key for match in found} <= {"piece 0", "piece 1"}

    def test_finds_a_part_in_the_second_half_of_a_longer_query(self, known: Parts, lead: Kept) -> None:
        longer = np.concatenate([notes(102, n_frames=162, loudness=SOFT, n_notes=70), lead[200:362]])
        best = matches(longer, known)[0]
        assert best.key == "piece 3"
        begins = best.reference_start_s - best.query_start_s
        assert begins == pytest.approx((200 - 162) * FRAME_HOP_S, abs=FRAME_HOP_S)

    @pytest.mark.parametrize("n_frames", [0, 1, 162])
    def test_finds_nothing_in_silence(self, known: Parts, n_frames: int) -> None:
        assert matches(np.zeros((n_frames, N_BANDS), np.uint8), known) == []

    def test_finds_nothing_where_nothing_is_held(self, lead: Kept) -> None:
        assert matches(lead[:160], Parts(KeptLevels([]))) == []

    def test_bears_recordings_that_are_empty(self, pieces: list[Kept], lead: Kept) -> None:
        held = Parts(KeptLevels([np.zeros((0, N_BANDS), np.uint8), *pieces]))
        assert matches(lead[200:360], held)[0].key == "piece 4"


class TestSegment:
    def test_keeps_no_more_tops_than_a_byte_counts(self) -> None:
        assert len(Segment.of(notes(1, n_frames=162, n_notes=2_000)).tops[0]) == by_parts.MOST_TOPS

    def test_keeps_the_same_of_the_same_music_at_another_loudness(self) -> None:
        softer = notes(1, n_frames=162) + 2
        one, other = Segment.of(softer), Segment.of(softer + 3)
        assert np.array_equal(one.tops, other.tops)
