"""Contradictions between sources and between recordings."""

from __future__ import annotations

from provenance.rights.conflicts import Finding, Known, between, collisions, fold, within
from provenance.rights.values import RIGHTS, Source, Statement


def said(
    expression: str, source: Source = "package_file", holders: tuple[str, ...] = ()
) -> tuple[Statement, ...]:
    return tuple(Statement(right, expression, expression, source, holders=holders) for right in RIGHTS)


def kinds(findings: list[Finding]) -> list[str]:
    return [finding.kind for finding in findings]


class TestWithin:
    def test_finds_a_tag_against_its_package_once(self) -> None:
        findings = list(within(Known("a", said("CC-BY-SA-3.0") + said("CC-BY-3.0", "embedded_tag"))))
        assert kinds(findings) == ["tag_against_package"]
        assert {findings[0].one_evidence[0].source, findings[0].other_evidence[0].source} == {
            "embedded_tag",
            "package_file",
        }

    def test_accepts_a_tag_that_is_only_less_precise(self) -> None:
        assert not list(within(Known("a", said("GPL-2.0-only") + said("GPL-1.0-or-later", "embedded_tag"))))

    def test_names_other_sources_that_disagree(self) -> None:
        findings = list(within(Known("a", said("CC0-1.0", "steward") + said("CC-BY-3.0", "rights_holder"))))
        assert kinds(findings) == ["sources_disagree"]

    def test_finds_one_holder_string_for_many(self) -> None:
        findings = list(within(Known("a", said("MIT", holders=("A", "B", "C")))))
        assert kinds(findings) == ["one_holder_string_for_many"]


class TestBetween:
    def test_finds_the_same_sound_under_two_licences(self) -> None:
        findings = list(between(Known("a", said("CC-BY-SA-3.0+")), Known("b", said("GPL-2.0-or-later"))))
        assert kinds(findings) == ["same_sound_two_licences"]
        assert findings[0].one_evidence[0].expression == "CC-BY-SA-3.0+"

    def test_is_silent_where_they_agree(self) -> None:
        assert not list(between(Known("a", said("CC0-1.0")), Known("b", said("CC0-1.0"))))


class TestCollisions:
    def test_finds_equal_samples_isrc_and_names(self) -> None:
        known = [
            Known("a", said("CC0-1.0"), "Café del Mar", "José", "USRC17607839", "s1"),
            Known("b", said("MIT"), "x", "y", "", "s1"),
            Known("c", said("MIT"), "cafe del mar (live)", "Jose feat. Ann", "usrc17607839", "s2"),
        ]
        found = {(finding.kind, finding.one, finding.other) for finding in collisions(known)}
        assert found == {
            ("same_sound_two_licences", "a", "b"),
            ("same_isrc", "a", "c"),
            ("same_title_and_artist", "a", "c"),
        }

    def test_does_not_call_copies_a_collision(self) -> None:
        copies = [Known(name, said("MIT"), "t", "a", "USRC17607839", "s") for name in "ab"]
        assert not list(collisions(copies))

    def test_grows_with_the_group_and_not_its_square(self) -> None:
        many = [Known(str(place), isrc="USRC17607839", samples_sha256=str(place)) for place in range(50)]
        assert len(list(collisions(many))) == 49

    def test_makes_the_same_key_either_way_round(self) -> None:
        assert Finding("same_isrc", "a", "b", "").key == Finding("same_isrc", "b", "a", "").key


class TestFold:
    def test_keeps_scripts_without_case(self) -> None:
        assert fold("東京  (Remix)") == "東京"
