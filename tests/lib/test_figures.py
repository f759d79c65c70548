import pytest

from lib import figures


def plain(said: str) -> str:
    return said.replace(figures.THIN, " ")


class TestDuration:
    @pytest.mark.parametrize(
        ("seconds", "said"),
        [
            (0.25, "0.25 s"),
            (59.0, "59 s"),
            (60.0, "1 min 0 s"),
            (3599.4, "59 min 59 s"),
            (3600.0, "1 h 0 min"),
            (4_000_000.0, "1 111 h 6 min"),
        ],
    )
    def test_has_two_units(self, seconds: float, said: str) -> None:
        assert plain(figures.duration(seconds)) == said


class TestClock:
    def test_carries_tenths_into_minutes(self) -> None:
        assert figures.clock(59.96) == "1:00.0"
        assert figures.clock(62.4) == "1:02.4"


class TestShare:
    def test_has_no_more_digits_than_the_whole_bears(self) -> None:
        assert plain(figures.share(1, 3)) == "33 %"
        assert plain(figures.share(1, 300)) == "0.3 %"

    def test_of_nothing_is_a_dash(self) -> None:
        assert figures.share(0, 0) == "–"


class TestCount:
    def test_sets_thousands_apart(self) -> None:
        assert plain(figures.count(1234567)) == "1 234 567"


class TestCounted:
    def test_puts_the_noun_in_the_plural_for_all_but_one(self) -> None:
        assert [figures.counted(n, "claim") for n in (0, 1, 2)] == ["0 claims", "1 claim", "2 claims"]

    def test_takes_a_plural_of_its_own_and_a_verb(self) -> None:
        assert figures.counted(1, "entry", "entries") == "1 entry"
        assert figures.counted(2, "grant was", "grants were") == "2 grants were"

    def test_sets_thousands_apart(self) -> None:
        assert figures.counted(12_000, "output") == f"{figures.count(12_000)} outputs"
