"""Recording likeness of one part alone: kept levels, and what is found by them."""

import numpy as np
import pytest
from numpy.typing import NDArray

from provenance.similarity import by_parts
from provenance.similarity.by_parts import KeptLevels, KeptLevelsError, Segment, matches_by_parts
from provenance.similarity.levels import FLOOR_DB, N_BANDS

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
def known(lead: Kept) -> KeptLevels:
    """Eight pieces; the fourth is the rest of its own, with the lead under it."""
    pieces = [notes(seed) for seed in range(8)]
    pieces[3] = np.maximum(pieces[3], lead)
    return KeptLevels((f"piece {number}", kept) for number, kept in enumerate(pieces))


def of_nothing() -> Kept:
    return np.zeros((0, N_BANDS), np.uint8)


class TestKeptOf:
    def test_takes_every_second_frame_in_steps_of_three_decibels_above_the_floor(self) -> None:
        levels = np.full((5, N_BANDS), FLOOR_DB, np.float16)
        levels[2] = -30.0
        levels[3] = 0.0
        assert by_parts.kept_of(levels)[:, 0].tolist() == [0, 20, 0]


class TestPacked:
    def test_comes_back_as_it_was(self, lead: Kept) -> None:
        assert np.array_equal(by_parts.unpacked(by_parts.packed(lead)), lead)

    def test_comes_back_where_nothing_was_kept(self) -> None:
        assert by_parts.unpacked(by_parts.packed(of_nothing())).shape == (0, N_BANDS)

    @pytest.mark.parametrize("damage", ["cut", "empty", "other", "changed", "longer"])
    def test_is_refused_where_it_is_damaged(self, lead: Kept, damage: str) -> None:
        stored = by_parts.packed(lead)
        damaged = {
            "cut": stored[:-20],
            "empty": b"",
            "other": b"RIFF" + stored[4:],
            "changed": stored[:40] + bytes([stored[40] ^ 0xFF]) + stored[41:],
            "longer": stored[:6] + (len(lead) + 1).to_bytes(4, "little") + stored[10:],
        }[damage]
        with pytest.raises(KeptLevelsError):
            by_parts.unpacked(damaged)


class TestMatchesByParts:
    def test_finds_and_places_a_part_that_is_softer_than_the_rest(
        self, known: KeptLevels, lead: Kept
    ) -> None:
        best = matches_by_parts(lead[200:360], known)[0]
        assert (best.key, best.column) == ("piece 3", "parts")
        assert best.reference_start_s == pytest.approx(200 * by_parts.FRAME_HOP_S)
        assert best.verdict == "review"

    def test_finds_one_that_was_made_louder(self, known: KeptLevels, lead: Kept) -> None:
        louder = np.where(lead > 3, lead + 2, lead).astype(np.uint8)
        best = matches_by_parts(louder[200:360], known)[0]
        assert best.key == "piece 3"
        assert best.strength < matches_by_parts(lead[200:360], known)[0].strength

    def test_accuses_no_stranger(self, known: KeptLevels) -> None:
        strange = notes(101, n_frames=160, loudness=SOFT, n_notes=70)
        matches = matches_by_parts(strange, known)
        assert matches
        assert all(match.verdict == "no_match" for match in matches)

    def test_finds_nothing_in_a_part_that_is_louder_than_the_whole_allows(
        self, known: KeptLevels, lead: Kept
    ) -> None:
        beyond = np.where(lead > 3, lead + 8, lead).astype(np.uint8)
        assert all(match.verdict == "no_match" for match in matches_by_parts(beyond[200:360], known))

    def test_takes_a_second_copy_for_no_rival(self, known: KeptLevels, lead: Kept) -> None:
        twice = KeptLevels([*zip(known.keys, known.levels, strict=True), ("copy", known.levels[3])])
        found = matches_by_parts(lead[200:360], twice)[:2]
        assert {match.key for match in found} == {"piece 3", "copy"}
        assert all(match.verdict == "review" for match in found)

    def test_asks_nobody_who_may_not_answer(self, known: KeptLevels, lead: Kept) -> None:
        matches = matches_by_parts(lead[200:360], known, {0, 1})
        assert {match.key for match in matches} <= {"piece 0", "piece 1"}

    def test_finds_a_part_in_the_second_half_of_a_longer_query(self, known: KeptLevels, lead: Kept) -> None:
        longer = np.concatenate([notes(102, n_frames=162, loudness=SOFT, n_notes=70), lead[200:362]])
        best = matches_by_parts(longer, known)[0]
        assert best.key == "piece 3"
        begins = best.reference_start_s - best.query_start_s
        assert begins == pytest.approx((200 - 162) * by_parts.FRAME_HOP_S, abs=by_parts.FRAME_HOP_S)

    @pytest.mark.parametrize("n_frames", [0, 1, 162])
    def test_finds_nothing_in_silence(self, known: KeptLevels, n_frames: int) -> None:
        assert matches_by_parts(np.zeros((n_frames, N_BANDS), np.uint8), known) == []

    def test_finds_nothing_where_nothing_is_held(self, lead: Kept) -> None:
        assert matches_by_parts(lead[:160], KeptLevels([])) == []

    def test_bears_recordings_that_are_empty(self, known: KeptLevels, lead: Kept) -> None:
        held = [("empty", of_nothing()), *zip(known.keys, known.levels, strict=True)]
        assert matches_by_parts(lead[200:360], KeptLevels(held))[0].key == "piece 3"


class TestSegment:
    def test_keeps_no_more_tops_than_a_byte_counts(self) -> None:
        assert len(Segment.of(notes(1, n_frames=162, n_notes=2_000)).tops[0]) == by_parts.MOST_TOPS

    def test_keeps_the_same_of_the_same_music_at_another_loudness(self) -> None:
        softer = notes(1, n_frames=162) + 2
        one, other = Segment.of(softer), Segment.of(softer + 3)
        assert np.array_equal(one.tops, other.tops)
