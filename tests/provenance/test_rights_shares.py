"""Do the shares that parties claim add up?"""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.rights.clearance import clear
from provenance.rights.shares import share_findings
from provenance.rights.values import Claim, Grant, RecordingRights, Use


def claim(party: str, share: float | None = 100.0, **more: object) -> Claim:
    return Claim("master", party, share, **more)  # type: ignore[arg-type]


class TestSums:
    def test_a_whole_is_no_finding(self) -> None:
        assert share_findings([claim("A", 33.33), claim("B", 33.33), claim("C", 33.34)]) == []

    def test_three_thirds_are_a_whole(self) -> None:
        assert share_findings([claim(name, 33.33) for name in "ABC"]) == []

    @pytest.mark.parametrize("whole", [99.9, 99.94, 99.95, 99.96, 99.99])
    def test_a_gap_that_is_a_finding_is_one_that_grants_leave(self, whole: float) -> None:
        claims = (claim("A", 60), claim("B", round(whole - 60, 2)))
        grants = tuple(
            Grant(name, "master", name, frozenset({"ai_generative_training"}), commercial=True)
            for name in "AB"
        )
        found = share_findings(claims)
        used = Use(purpose="ai_generative_training", commercial=True, at=datetime(2026, 3, 1, tzinfo=UTC))
        answer = clear(RecordingRights(claims=claims, grants=grants), used).master.answer

        assert bool(found) == (whole < 99.95)
        assert (answer == "allowed") == (not found)

    def test_a_gap_says_how_much_nobody_claims(self) -> None:
        (found,) = share_findings([claim("A", 60), claim("B", 15)])
        assert (found.kind, found.share, found.territory) == ("shares_gap", 75.0, ("WORLD",))
        assert found.says == "the master is claimed at 75 % (steward): 25 % is claimed by nobody"

    def test_an_overlap_says_how_much_is_too_many(self) -> None:
        (found,) = share_findings([claim("A"), claim("B", 20)])
        assert (found.kind, found.share) == ("shares_overlap", 120.0)
        assert {one.party for one in found.claims} == {"A", "B"}

    def test_the_rights_are_added_apart(self) -> None:
        assert share_findings([claim("A"), Claim("composition", "B", 100.0)]) == []

    def test_a_part_is_added_apart_from_its_right(self) -> None:
        (found,) = share_findings([Claim("composition", "B"), Claim("lyrics", "L", 50.0)])
        assert found.right == "lyrics"

    def test_credits_claim_nothing(self) -> None:
        assert share_findings([claim("A"), claim("Singer", None, role="performer")]) == []

    def test_an_unstated_share_may_fill_a_gap(self) -> None:
        assert share_findings([claim("A", 60), claim("B", None, role="owner")]) == []
        (found,) = share_findings([claim("A", 160 / 2), claim("C", 30), claim("B", None, role="owner")])
        assert found.kind == "shares_overlap"


class TestPlacesAndTimes:
    def test_splits_the_world(self) -> None:
        shared = [claim("A", territory=("WORLD", "-US")), claim("B", territory=("US",))]
        assert share_findings(shared) == []

    def test_names_the_place_of_an_overlap(self) -> None:
        (found,) = share_findings([claim("A"), claim("B", 50, territory=("FR", "DE"))])
        assert (found.kind, found.territory) == ("shares_overlap", ("DE", "FR"))

    def test_names_the_rest_of_the_world_as_a_gap(self) -> None:
        (found,) = share_findings([claim("A", territory=("EU",))])
        assert found.kind == "shares_gap"
        assert found.territory[0] == "WORLD"
        assert "-DE" in found.territory

    def test_a_change_of_hands_is_no_finding(self) -> None:
        day = date(2024, 1, 1)
        assert share_findings([claim("A", valid_until=day), claim("B", valid_from=day)]) == []

    def test_a_day_between_two_owners_is_a_gap(self) -> None:
        found = share_findings(
            [claim("A", valid_until=date(2024, 1, 1)), claim("B", 50, valid_from=date(2024, 1, 1))]
        )
        assert [(one.kind, one.valid_from, one.valid_until) for one in found] == [
            ("shares_gap", date(2024, 1, 1), None)
        ]

    def test_a_day_between_two_owners_of_the_whole_is_a_gap(self) -> None:
        before = claim("A", valid_until=date(2024, 2, 29))
        after = claim("B", valid_from=date(2024, 3, 1))
        (found,) = share_findings([before, after])
        assert (found.kind, found.share, found.territory) == ("shares_gap", 0.0, ("WORLD",))
        assert (found.valid_from, found.valid_until) == (date(2024, 2, 29), date(2024, 3, 1))
        assert found.claims == (before, after)

    def test_before_the_first_claim_and_after_the_last_nobody_says_anything(self) -> None:
        assert share_findings([claim("A", valid_from=date(2024, 1, 1), valid_until=date(2025, 1, 1))]) == []


class TestSources:
    def test_two_sources_are_never_added(self) -> None:
        assert share_findings([claim("A"), claim("A", source="registry")]) == []

    def test_two_that_name_other_holders_disagree(self) -> None:
        (found,) = share_findings([claim("A"), claim("B", source="registry")])
        assert (found.kind, found.source) == ("claims_disagree", "registry/steward")

    def test_a_name_is_the_same_in_other_case(self) -> None:
        assert share_findings([claim("Label A"), claim("label  a", source="registry")]) == []

    def test_a_name_is_the_same_in_both_forms_of_its_accents(self) -> None:
        assert share_findings([claim("\u00c9dith"), claim("E\u0301dith", source="registry")]) == []


class TestAnySplit:
    @given(st.lists(st.integers(1, 60), min_size=1, max_size=6))
    def test_is_a_finding_unless_it_sums_to_the_whole(self, shares: list[int]) -> None:
        found = share_findings([claim(f"P{n}", float(share)) for n, share in enumerate(shares)])
        total = sum(shares)
        kinds = [one.kind for one in found]
        assert kinds == ([] if total == 100 else ["shares_gap" if total < 100 else "shares_overlap"])
