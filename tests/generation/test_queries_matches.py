from __future__ import annotations

from typing import Any

import pytest

from generation.models import Check, Match
from generation.queries.matches import explained, path_of, seen, ticks
from generation.templatetags.figures import agreement
from provenance.models import Recording

CONFIRMED = {
    "waveform_threshold": 0.3,
    "spectrogram_threshold": 0.5,
    "waveform_correlation": None,
    "spectrogram_correlation": 0.91,
}


def a_match(**given: Any) -> Match:
    """A match of 10 s of a recording of 80 s, kept nowhere."""
    said = {
        "kind": "recording",
        "query_start_s": 2.0,
        "query_end_s": 12.0,
        "reference_start_s": 20.0,
        "reference_end_s": 30.0,
        "occurrences": [20.0, 60.0],
        "details": {},
        **given,
    }
    return Match(recording=Recording(seconds=80.0), check_made=Check(seconds=16.0), **said)


class TestPathOf:
    def test_draws_the_stretch_on_both_axes(self) -> None:
        path = path_of(a_match(), query_s=16.0)

        assert path is not None
        assert (path.left, path.width) == (25.0, 12.5)
        assert (path.top, path.height) == (25.0, 62.5)

    def test_draws_other_occurrences_and_not_the_match_again(self) -> None:
        path = path_of(a_match(), query_s=16.0)

        assert path is not None
        assert [round(echo.x1, 3) for echo in path.echoes] == [75.0]

    def test_tells_pieces_on_the_line_from_those_beside_it(self) -> None:
        details = {"path": [[3.0, 21.05, 0.9], [4.0, 62.0, 0.8], [5.0, 40.0, 0.4]], "lag_s": 0.05}

        path = path_of(a_match(details=details), query_s=16.0)

        assert path is not None
        assert [dot.is_on_line for dot in path.dots] == [
            True,
            True,
            False,
        ]  # the second lies on the other occurrence
        assert path.n_on_line == 2

    def test_follows_the_tempo(self) -> None:
        details = {"path": [[11.0, 20.0 + 9.0 * 1.1, 0.9]]}

        path = path_of(a_match(tempo_ratio=1.1, reference_end_s=31.0, details=details), query_s=16.0)

        assert path is not None
        assert path.n_on_line == 1

    @pytest.mark.parametrize("given", [{"kind": "style"}, {"query_end_s": 2.0}])
    def test_draws_nothing_where_nothing_lies(self, given: dict[str, Any]) -> None:
        assert path_of(a_match(**given), query_s=16.0) is None

    def test_draws_without_knowing_how_long_anything_is(self) -> None:
        match = a_match()
        match.recording.seconds = None

        assert path_of(match, query_s=None) is not None


class TestTicks:
    @pytest.mark.parametrize("seconds", [0.4, 7.0, 95.0, 600.0, 9_000.0])
    def test_are_few_and_inside(self, seconds: float) -> None:
        found = ticks(seconds)

        assert 1 <= len(found) <= 9
        assert all(0.0 <= tick.percent <= 100.0 for tick in found)

    def test_are_round(self) -> None:
        assert [tick.label for tick in ticks(80.0)] == ["0:00", "0:15", "0:30", "0:45", "1:00", "1:15"]


class TestExplained:
    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({}, "At its own pitch and tempo."),
            ({"pitch_shift_semitones": 1.5, "tempo_ratio": 1.04}, "1.5 semitones up and 4 % quicker."),
            ({"pitch_shift_semitones": -1.0}, "1 semitone down."),
            ({"tempo_ratio": 0.92}, "8 % slower."),
            (
                {"pitch_shift_semitones": 0.5, "tempo_ratio": 1.04},
                "Played 4 % quicker, as a tape would be, 0.5 semitones up.",
            ),
            ({"kind": "style"}, ""),
        ],
    )
    def test_names_pitch_and_tempo(self, given: dict[str, Any], said: str) -> None:
        assert explained(a_match(**given)) == said

    @pytest.mark.parametrize(
        ("samples", "spectra", "said"),
        [
            (0.97, 0.99, "sample by sample"),
            (0.5, 0.7, "with something over it"),
            (0.05, 0.8, "made anew"),
            (0.05, 0.2, "can't be told"),
        ],
    )
    def test_names_what_the_sound_tells(self, samples: float, spectra: float, said: str) -> None:
        details = {**CONFIRMED, "waveform_correlation": samples, "spectrogram_correlation": spectra}

        assert said in explained(a_match(details=details))

    def test_makes_nothing_of_samples_that_cannot_agree(self) -> None:
        assert explained(a_match(pitch_shift_semitones=2.0, details=CONFIRMED)) == "2 semitones up."

    def test_says_that_a_part_alone_was_found(self) -> None:
        assert explained(a_match(details={**CONFIRMED, "column": "parts"})).startswith("A part of it alone")


class TestAgreement:
    @pytest.mark.parametrize(
        ("details", "said"),
        [
            ({"levels_agree": 0.97}, "97% of its levels agree"),
            ({"part_met": 0.6}, "60% of a part alone stands out in it"),
            ({"bit_error_rate": 0.1}, "10.0% of bits differ"),
        ],
    )
    def test_says_what_the_part_that_found_it_compared(self, details: dict[str, float], said: str) -> None:
        assert agreement(a_match(details=details)).startswith(said)


class TestSeen:
    def test_gives_the_figure_beside_chance(self) -> None:
        details = {**CONFIRMED, "elsewhere_mean": 0.1, "elsewhere_most": 0.34, "n_elsewhere": 99}
        told = seen(a_match(details={**details, "path": [[3.0, 21.0, 0.9], [4.0, 50.0, 0.2]]}))

        assert "agree by 0.91" in told
        assert "99 other places of the recording agree by 0.10 on average and 0.34 at most" in told
        assert "Of 2 pieces of two seconds 1 finds its best place on the line" in told

    def test_claims_nothing_that_was_not_measured(self) -> None:
        assert seen(a_match()) == "The line is drawn from its two ends."
        assert seen(a_match(kind="style")) == ""
