"""Contradictions between sources and between recordings."""

from __future__ import annotations

import pytest

from provenance.rights.conflicts import Finding, Known, between, collisions, fold, within
from provenance.rights.values import RIGHTS, Claim, Source, Statement

ISRC = "USRC17607839"


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


class TestOneHolderStringForMany:
    """The strings are of real packages: flare-game, colobot, starfighter, ufoai, naev, supertux."""

    @pytest.mark.parametrize(
        ("holders", "n_named"),
        [
            (("Daniel Roux, EPSITEC SA & TerranovaTeam",), 3),
            (("Clint Bellanger and others",), 2),  # how many others, nobody says
            (("Parallel Realities", "Guus Sliepen , Astrid S. de Wijn, and others", "Julie Marchant"), 5),
            (("OpenArena", "Al Riddoch", "Simon Green (Psymong)", "OpenArena"), 3),
            (("Freesound.org users (Anton, acclivity, aust)",), 3),
        ],
    )
    def test_is_found_however_the_names_are_strung_together(
        self, holders: tuple[str, ...], n_named: int
    ) -> None:
        (finding,) = within(Known("a", said("MIT", holders=holders)))
        assert finding.kind == "one_holder_string_for_many"
        assert finding.says.startswith(f"{n_named} holders are named, and nobody as its maker: ")

    @pytest.mark.parametrize(
        "holders",
        [
            ("Edgar Simo-Serra",),
            ("Eidos Interactive", "Warzone 2100 Project"),
            ('Manuel "Vanethian" Marino (www.manuelmarino.com)',),
            ("Free Software Foundation, Inc.", "Digital Worlds, LLC"),
            ("Anderson Sandström",),
        ],
    )
    def test_is_none_where_one_or_two_are_named(self, holders: tuple[str, ...]) -> None:
        assert not list(within(Known("a", said("MIT", holders=holders))))

    @pytest.mark.parametrize(
        ("artist", "holders"),
        [
            ("TerranovaTeam", ("Daniel Roux, EPSITEC SA & TerranovaTeam",)),
            ("Manuel Marino", ('Manuel "Vanethian" Marino', "Gren", "azrael1322")),
            ('Christian "Crystan" Hoffmann', ("Gren", "Christian Hoffmann", "Slippycurb")),
            ("Earth, Wind & Fire", ("Earth, Wind & Fire",)),
        ],
    )
    def test_is_none_where_the_file_says_which_of_them_made_it(
        self, artist: str, holders: tuple[str, ...]
    ) -> None:
        assert not list(within(Known("a", said("MIT", holders=holders), "Song", artist)))

    def test_names_an_artist_who_is_none_of_them(self) -> None:
        (finding,) = within(Known("a", said("MIT", holders=("Ann", "Bob", "Cyn")), "Song", "Emxx52"))
        assert finding.says == "3 holders are named, and not Emxx52, its artist: Ann, Bob, Cyn"

    def test_takes_an_unknown_artist_for_nobody(self) -> None:
        known = Known("a", said("MIT", holders=("Ann", "Bob", "Unknown Artist")), "Song", "Unknown Artist")
        assert [finding.says for finding in within(known)] == [
            "3 holders are named, and nobody as its maker: Ann, Bob, Unknown Artist"
        ]

    def test_takes_a_steward_s_cell_as_one_name(self) -> None:
        assert not list(within(Known("a", said("MIT", "steward", ("Crosby, Stills, Nash & Young",)))))


class TestBetween:
    def test_finds_the_same_sound_under_two_licences(self) -> None:
        findings = list(between(Known("a", said("CC-BY-SA-3.0+")), Known("b", said("GPL-2.0-or-later"))))
        assert kinds(findings) == ["same_sound_two_licences"]
        assert findings[0].one_evidence[0].expression == "CC-BY-SA-3.0+"

    def test_brings_the_evidence_of_every_right_that_differs(self) -> None:
        finding = next(between(Known("a", said("MIT")), Known("b", said("CC-BY-4.0"))))
        assert [one.right for one in finding.one_evidence] == list(RIGHTS)
        assert [one.right for one in finding.other_evidence] == list(RIGHTS)

    def test_is_silent_where_they_agree(self) -> None:
        assert not list(between(Known("a", said("CC0-1.0")), Known("b", said("CC0-1.0"))))


class TestCollisions:
    def test_finds_equal_samples_isrc_and_names(self) -> None:
        known = [
            Known("a", said("CC0-1.0"), "Café del Mar", "José", "USRC17607839", "s1"),
            Known("b", said("MIT"), "x", "y", "", "s1"),
            Known("c", said("MIT"), "cafe del mar", "Jose (feat. Ann)", "usrc17607839", "s2"),
            Known("d", said("MIT"), "cafe del mar", "Jose feat. Ann", "", "s3"),
        ]
        found = {(finding.kind, finding.one, finding.other) for finding in collisions(known)}
        assert found == {
            ("same_sound_two_licences", "a", "b"),
            ("same_isrc", "a", "c"),
            ("same_title_and_artist", "a", "d"),
        }

    def test_does_not_call_copies_a_collision(self) -> None:
        copies = [Known(name, said("MIT"), "t", "a", "USRC17607839", "s") for name in "ab"]
        assert not list(collisions(copies))

    def test_calls_two_absent_recordings_with_one_isrc_one_recording(self) -> None:
        twice = [Known(name, said("MIT"), "Tune", "Ann", ISRC) for name in "ab"]
        assert not list(collisions(twice))

    def test_finds_what_is_said_against_each_other_of_one_absent_recording(self) -> None:
        twice = [Known("a", said("MIT"), isrc=ISRC), Known("b", said("CC-BY-4.0"), isrc=ISRC)]
        findings = list(collisions(twice))
        assert kinds(findings) == ["one_isrc_two_licences"]
        assert {one.right for one in findings[0].one_evidence} == set(RIGHTS)

    def test_compares_a_heard_recording_with_an_absent_one_by_what_is_said(self) -> None:
        known = [
            Known("a", said("MIT"), isrc=ISRC, samples_sha256="s"),
            Known("b", said("CC-BY-4.0"), isrc=ISRC),
        ]
        assert kinds(list(collisions(known))) == ["one_isrc_two_licences"]

    def test_finds_two_holders_of_one_master(self) -> None:
        known = [
            Known(name, isrc=ISRC, claims=(Claim("master", party, role="owner"),))
            for name, party in (("a", "Blue Label"), ("b", "Red Label"), ("c", "BLUE LABEL"))
        ]
        found = [(finding.kind, finding.one, finding.other) for finding in collisions(known)]
        assert found == [("one_isrc_two_holders", "a", "b"), ("one_isrc_two_holders", "c", "b")]

    def test_does_not_take_a_credit_for_a_claim(self) -> None:
        known = [
            Known(name, isrc=ISRC, claims=(Claim("master", name, None, role="performer"),)) for name in "ab"
        ]
        assert not list(collisions(known))

    def test_does_not_call_what_sounds_alike_a_collision(self) -> None:
        known = [Known(name, said("MIT"), "Tune", "Ann", ISRC, f"s{name}") for name in "ab"]
        assert kinds(list(collisions(known))) == ["same_isrc"]
        assert not list(collisions(known, alike=[frozenset("ab")]))

    def test_finds_no_fault_in_a_name_alone(self) -> None:
        known = [Known(name, said("MIT"), "Tune", "Ann", "", f"s{name}") for name in "ab"]
        assert not list(collisions(known))

    def test_finds_one_name_with_two_holders(self) -> None:
        known = [
            Known(name, said("MIT"), "Tune", "Ann", "", f"s{name}", (Claim("master", name, role="owner"),))
            for name in "ab"
        ]
        assert kinds(list(collisions(known))) == ["same_title_and_artist"]

    def test_takes_nobody_for_no_artist(self) -> None:
        known = [
            Known("a", said("MIT"), "Intro", "Unknown Artist", "", "s1"),
            Known("b", said("CC-BY-4.0"), "Intro", "unknown artist", "", "s2"),
        ]
        assert not list(collisions(known))

    def test_tells_only_of_what_is_new(self) -> None:
        known = [Known(name, said(name), isrc=ISRC) for name in ("MIT", "CC-BY-4.0", "GPL-3.0-only")]
        touched = [{finding.one, finding.other} for finding in collisions(known, around={"GPL-3.0-only"})]
        assert len(touched) == 2
        assert all("GPL-3.0-only" in pair for pair in touched)

    def test_leaves_nobody_out_who_is_contradicted(self) -> None:
        known = [Known(f"{n}", said("MIT" if n < 30 else "CC-BY-4.0"), isrc=ISRC) for n in range(50)]
        findings = list(collisions(known))
        assert len(findings) == 49
        assert {side for finding in findings for side in (finding.one, finding.other)} == {
            one.id for one in known
        }

    def test_grows_with_the_group_and_not_its_square(self) -> None:
        many = [Known(str(place), isrc="USRC17607839", samples_sha256=str(place)) for place in range(50)]
        assert len(list(collisions(many))) == 49

    def test_makes_the_same_key_either_way_round(self) -> None:
        assert Finding("same_isrc", "a", "b", "").key == Finding("same_isrc", "b", "a", "").key


class TestFold:
    def test_keeps_scripts_without_case(self) -> None:
        assert fold("東京  ・") == "東京"

    def test_keeps_versions_in_brackets_apart(self) -> None:
        assert len({fold(title) for title in ("Tune", "Tune (Live)", "Tune [Remix]", "Tune (2009)")}) == 4

    def test_drops_featured_artists_with_or_without_brackets(self) -> None:
        names = ("Tune (Live)", "Tune feat. Ann (Live)", "Tune (feat. Ann) (Live)", "TUNE [ft Ann] - live")
        assert {fold(name) for name in names} == {"tune live"}
