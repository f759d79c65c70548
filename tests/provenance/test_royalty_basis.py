"""Each holder's part of a dataset, by track and by second."""

from __future__ import annotations

import csv
import io
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.exports.register import ExportedClaim, ExportedRecording
from provenance.exports.royalties import WHOLE, apportion, royalty_csv, royalty_parts, totals
from provenance.rights.values import Claim

ON = date(2026, 3, 1)


def recording(name: str, *claims: Claim, seconds: float | None = 60.0) -> ExportedRecording:
    return ExportedRecording(name, name, seconds=seconds, claims=tuple(ExportedClaim(one) for one in claims))


def master(*recordings: ExportedRecording, territory: str = "WORLD") -> list[tuple[str, str, str, str]]:
    rows = csv.DictReader(io.StringIO(royalty_csv(royalty_parts(recordings, on=ON, territory=territory))))
    return [
        (row["holder"], row["status"], row["by_track_percent"], row["by_second_percent"])
        for row in rows
        if row["right"] == "master"
    ]


class TestRoyaltyParts:
    def test_weigh_by_track_and_by_second(self) -> None:
        short = recording("a", Claim("master", "Ann", 100.0), seconds=60)
        long = recording("b", Claim("master", "Bob", 100.0), seconds=180)
        assert master(short, long) == [
            ("Ann", "claimed", "50.000000", "25.000000"),
            ("Bob", "claimed", "50.000000", "75.000000"),
        ]

    def test_show_what_nobody_claims(self) -> None:
        assert master(recording("a", Claim("master", "Ann", 40.0))) == [
            ("Ann", "claimed", "40.000000", "40.000000"),
            ("", "unclaimed", "60.000000", "60.000000"),
        ]
        assert master(recording("a")) == [("", "unclaimed", "100.000000", "100.000000")]

    def test_show_claims_without_a_share(self) -> None:
        claims = (Claim("master", "Ann", 40.0), Claim("master", "Label", None, "owner"))
        assert master(recording("a", *claims))[1] == ("Label", "share_not_stated", "60.000000", "60.000000")

    def test_show_what_sources_dispute(self) -> None:
        claims = (Claim("master", "Ann", 100.0), Claim("master", "Bob", 100.0, source="registry"))
        assert master(recording("a", *claims)) == [("Ann; Bob", "disputed", "100.000000", "100.000000")]
        assert (
            master(recording("a", Claim("master", "Ann", 80.0), Claim("master", "Bob", 80.0)))[0][1]
            == "disputed"
        )

    def test_take_sources_that_agree_as_one(self) -> None:
        claims = (Claim("master", "Ann", 100.0), Claim("master", "Ann", 100.0, source="registry"))
        assert master(recording("a", *claims)) == [("Ann", "claimed", "100.000000", "100.000000")]

    def test_leave_credits_and_claims_out_of_force_out(self) -> None:
        claims = (
            Claim("master", "Player", None, "performer"),
            Claim("master", "Was", 100.0, valid_until=date(2026, 3, 1)),
            Claim("master", "Will", 100.0, valid_from=date(2026, 3, 2)),
        )
        assert master(recording("a", *claims)) == [("", "unclaimed", "100.000000", "100.000000")]

    def test_count_claims_that_cover_the_whole_territory(self) -> None:
        one = recording("a", Claim("master", "Ann", 100.0, territory=("EU",)))
        assert master(one, territory="DE")[0][:2] == ("Ann", "claimed")
        assert master(one)[0][:2] == ("", "unclaimed")

    def test_give_the_rest_of_three_thirds_to_the_three(self) -> None:
        thirds = [Claim("master", name, 33.33) for name in "ABC"]
        assert [row[1] for row in master(recording("a", *thirds))] == ["claimed"] * 3
        assert sum(Decimal(row[2]) for row in master(recording("a", *thirds))) == 100

    def test_weigh_nothing_by_second_without_a_length(self) -> None:
        parts = royalty_parts([recording("a", seconds=None)], on=ON)
        assert [part.by_second for part in parts] == [0, 0]

    @given(
        st.lists(
            st.tuples(
                st.lists(
                    st.tuples(st.sampled_from("ABC"), st.one_of(st.none(), st.integers(1, 10**6))), max_size=4
                ),
                st.floats(0.001, 1e5),
            ),
            min_size=1,
            max_size=8,
        )
    )
    def test_add_up_to_exactly_100_per_right(
        self, drawn: list[tuple[list[tuple[str, int | None]], float]]
    ) -> None:
        recordings = [
            recording(
                str(n),
                *(Claim("master", name, None if share is None else share / 10**4) for name, share in claims),
                seconds=seconds,
            )
            for n, (claims, seconds) in enumerate(drawn)
        ]
        parts = royalty_parts(recordings, on=ON)
        for right in ("master", "composition"):
            mine = [part for part in parts if part.right == right]
            assert sum(part.by_track for part in mine) == sum(part.by_second for part in mine) == WHOLE
            for one in recordings:
                assert sum(part.share for part in mine if part.external_id == one.external_id) == 100
            summed = [row for row in totals(parts) if row["right"] == right]
            assert sum(Decimal(row["by_track_percent"]) for row in summed) == 100


class TestApportion:
    @pytest.mark.parametrize("n", [1, 3, 7, 999])
    def test_loses_no_unit(self, n: int) -> None:
        units = apportion([Fraction(100, n)] * n)
        assert sum(units) == WHOLE
        assert max(units) - min(units) <= 1
