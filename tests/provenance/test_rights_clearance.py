"""May this recording be used for that?"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.rights import territory
from provenance.rights.clearance import clear, clear_right
from provenance.rights.policy import DEFAULT, STRICT, ClearancePolicy
from provenance.rights.values import (
    ANSWERS,
    PURPOSES,
    RIGHTS,
    Claim,
    Conflict,
    ExceptionMemo,
    Grant,
    RecordingRights,
    Reservation,
    Right,
    Statement,
    Use,
)

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
TRAIN = frozenset({"ai_generative_training"})


def said(right: Right, expression: str, **more: object) -> Statement:
    return replace(Statement(right, expression, expression, "steward"), **more)  # type: ignore[arg-type]


def both(expression: str, **more: object) -> tuple[Statement, ...]:
    return tuple(said(right, expression, **more) for right in RIGHTS)


def grants(**more: object) -> tuple[Grant, ...]:
    plain = Grant("g", "master", "Label", TRAIN, commercial=True)
    return tuple(replace(plain, id=f"g-{right}", right=right, **more) for right in RIGHTS)  # type: ignore[arg-type]


def training(**more: object) -> Use:
    return replace(Use("ai_generative_training", commercial=True, at=AT), **more)  # type: ignore[arg-type]


def rank(answer: str) -> int:
    return [str(one) for one in ANSWERS].index(answer)


class TestTruthTable:
    @pytest.mark.parametrize(
        ("expression", "commercial", "default", "strict"),
        [
            ("CC0-1.0", True, "allowed", "allowed"),
            ("LicenseRef-public-domain", True, "allowed", "allowed"),
            ("CC-BY-4.0", True, "constrained", "constrained"),
            ("CC-BY-SA-3.0", True, "constrained", "not_allowed"),
            ("CC-BY-SA-3.0+", True, "constrained", "not_allowed"),
            ("GPL-2.0-or-later", True, "constrained", "not_allowed"),
            ("AGPL-3.0-only", True, "constrained", "not_allowed"),
            ("LAL-1.2", True, "constrained", "not_allowed"),
            ("CC-BY-NC-4.0", True, "not_allowed", "not_allowed"),
            ("CC-BY-NC-4.0", False, "constrained", "constrained"),
            ("CC-BY-NC-SA-4.0", False, "constrained", "not_allowed"),
            ("CC-BY-ND-4.0", False, "not_allowed", "not_allowed"),
            ("BSD-2-Clause", True, "constrained", "constrained"),
            ("LicenseRef-all-rights-reserved", False, "not_allowed", "not_allowed"),
            ("LicenseRef-no-licence-stated", False, "unknown", "unknown"),
            ("LicenseRef-nobody-knows", False, "unknown", "unknown"),
            ("", False, "unknown", "unknown"),
            ("GPL-3.0-only OR CC-BY-3.0", True, "constrained", "constrained"),
            ("GPL-3.0-only AND CC-BY-3.0", True, "constrained", "not_allowed"),
            ("CC-BY-NC-4.0 OR CC0-1.0", True, "allowed", "allowed"),
            ("GPL-2.0-only WITH Font-exception-2.0", True, "constrained", "not_allowed"),
            ("LicenseRef-nobody-knows OR LicenseRef-all-rights-reserved", True, "unknown", "unknown"),
        ],
    )
    def test_reads_licences_for_generative_training(
        self, expression: str, commercial: bool, default: str, strict: str
    ) -> None:
        recording, use = RecordingRights(both(expression)), training(commercial=commercial)
        assert clear(recording, use, DEFAULT).answer == default
        assert clear(recording, use, STRICT).answer == strict

    @pytest.mark.parametrize(
        ("expression", "purpose", "answer"),
        [
            ("GPL-2.0-only", "data_mining", "allowed"),
            ("GPL-2.0-only", "redistribution", "constrained"),
            ("CC-BY-NC-4.0", "output_commercial", "not_allowed"),
            ("CC-BY-NC-4.0", "data_mining", "constrained"),
            ("CC-BY-ND-4.0", "redistribution", "constrained"),
            ("CC-BY-4.0", "data_mining", "allowed"),
            ("LicenseRef-all-rights-reserved", "data_mining", "not_allowed"),
            ("LicenseRef-production-library", "ai_generative_training", "not_allowed"),
        ],
    )
    def test_reads_licences_for_other_purposes(self, expression: str, purpose: str, answer: str) -> None:
        use = replace(training(commercial=False), purpose=purpose)  # type: ignore[arg-type]
        assert clear(RecordingRights(both(expression)), use).answer == answer

    def test_names_the_conditions_of_copyleft(self) -> None:
        cleared = clear(RecordingRights(both("GPL-2.0-only")), training())
        assert set(cleared.conditions) == {"copyleft-weights", "notice", "source-offer"}
        assert cleared.clears(frozenset(cleared.conditions))
        assert not cleared.clears(frozenset({"notice"}))

    def test_says_which_contested_reading_decided(self) -> None:
        cleared = clear(RecordingRights(both("CC-BY-SA-4.0")), training(), STRICT)
        assert cleared.master.contested == ("share-alike-training",)
        assert any("strict reading" in reason for reason in cleared.master.reasons)
        assert cleared.master.clauses == (
            "CC-BY-SA-4.0: Section 2(a)(1)(A); Section 2(a)(1)(B); Section 3(a); Section 3(b)",
        )

    def test_gives_public_domain_as_basis(self) -> None:
        assert clear(RecordingRights(both("CC0-1.0")), training()).master.basis == "public_domain"

    def test_takes_the_named_branch_of_a_choice(self) -> None:
        answer = clear_right(RecordingRights(both("GPL-3.0-only OR CC-BY-3.0")), "master", training(), STRICT)
        assert answer.licence == "CC-BY-3.0"


class TestTwoRights:
    def test_is_the_stricter_of_both(self) -> None:
        recording = RecordingRights((said("master", "CC0-1.0"), said("composition", "CC-BY-NC-4.0")))
        cleared = clear(recording, training())
        assert (cleared.master.answer, cleared.composition.answer, cleared.answer) == (
            "allowed",
            "not_allowed",
            "not_allowed",
        )

    def test_does_not_know_the_composition_from_the_master(self) -> None:
        cleared = clear(RecordingRights((said("master", "CC0-1.0"),)), training())
        assert (cleared.answer, cleared.composition.basis) == ("unknown", None)


class TestSources:
    def test_lets_the_strictest_source_decide(self) -> None:
        recording = RecordingRights(both("CC-BY-3.0", source="embedded_tag") + both("GPL-2.0-only"))
        assert clear(recording, training(), STRICT).answer == "not_allowed"

    def test_asks_for_the_conditions_of_every_source(self) -> None:
        recording = RecordingRights(both("CC-BY-3.0", source="embedded_tag") + both("BSD-2-Clause"))
        assert clear(recording, training()).conditions == ("attribution", "notice")

    def test_is_not_silenced_by_a_source_that_states_nothing(self) -> None:
        assert clear(RecordingRights(both("") + both("CC0-1.0")), training()).answer == "allowed"

    def test_marks_weak_evidence(self) -> None:
        cleared = clear(RecordingRights(both("CC-BY-3.0", weak=True, evidence="copyright")), training())
        assert cleared.master.weak
        assert any("weak evidence" in reason for reason in cleared.master.reasons)

    def test_clears_nothing_on_weak_evidence_where_the_policy_says_so(self) -> None:
        careful = ClearancePolicy("careful", weak_evidence="unknown")
        assert clear(RecordingRights(both("CC0-1.0", weak=True)), training(), careful).answer == "unknown"

    def test_asks_that_a_person_accepts_weak_evidence_where_the_policy_says_so(self) -> None:
        careful = ClearancePolicy("careful", weak_evidence="constrained")
        cleared = clear(RecordingRights(both("CC0-1.0", weak=True)), training(), careful)

        assert (cleared.answer, cleared.conditions) == ("constrained", ("weak-evidence",))
        assert not cleared.clears()
        assert cleared.clears(frozenset({"weak-evidence"}))
        strong = clear(RecordingRights(both("CC-BY-4.0") + both("CC-BY-4.0", weak=True)), training(), careful)
        assert strong.conditions == ("attribution",)

    def test_weighs_the_other_side_of_an_open_conflict(self) -> None:
        conflict = Conflict("f1", "same_sound_two_licences", both("GPL-2.0-only"))
        recording = RecordingRights(both("CC-BY-3.0"), conflicts=(conflict,))
        answer = clear(recording, training(), STRICT)
        assert answer.answer == "not_allowed"
        assert any("f1" in reason for reason in answer.master.reasons)


class TestClosedConflicts:
    """A recording under CC-BY whose other side says GPL; the strict policy refuses the GPL."""

    MINE, THEIRS = both("CC-BY-3.0"), both("GPL-2.0-only", evidence="elsewhere")

    def answer(
        self, own: tuple[Statement, ...], *conflicts: Conflict, at: datetime = AT + timedelta(days=1)
    ) -> str:
        cleared = clear(RecordingRights(own, conflicts=conflicts), training(at=at), STRICT)
        return cleared.answer

    def closed(
        self,
        upheld: tuple[Statement, ...] = (),
        set_aside: tuple[Statement, ...] = (),
        *,
        other: tuple[Statement, ...] | None = None,
        at: datetime = AT,
        id: str = "f1",
    ) -> Conflict:
        statements = self.THEIRS if other is None else other
        return Conflict(id, "same_sound_two_licences", statements, at, upheld, set_aside)

    def test_dismissed_leave_each_its_own(self) -> None:
        assert self.answer(self.MINE, self.closed()) == "constrained"
        assert self.answer(self.THEIRS, self.closed(other=self.MINE)) == "not_allowed"

    def test_give_both_the_chosen_sides_answer(self) -> None:
        mine_is_right = self.closed(self.MINE, self.THEIRS)
        theirs_is_right = self.closed(self.THEIRS, self.MINE)
        for own in (self.MINE, self.THEIRS, self.MINE + self.THEIRS):
            assert self.answer(own, mine_is_right) == "constrained"
            assert self.answer(own, theirs_is_right) == "not_allowed"

    def test_go_on_with_the_stricter_where_both_are_right(self) -> None:
        for own in (self.MINE, self.THEIRS):
            assert self.answer(own, self.closed(self.MINE + self.THEIRS)) == "not_allowed"

    def test_were_open_before_they_were_closed(self) -> None:
        for decided in (self.closed(), self.closed(self.MINE, self.THEIRS)):
            before = AT - timedelta(seconds=1)
            assert self.answer(self.MINE, decided, at=before) == "not_allowed"
            assert self.answer(self.MINE, decided, at=AT) == "constrained"

    def test_say_what_they_set_aside(self) -> None:
        recording = RecordingRights(self.THEIRS, conflicts=(self.closed(self.MINE, self.THEIRS),))
        reasons = clear(recording, training(at=AT), STRICT).master.reasons
        assert "conflict f1 is closed: GPL-2.0-only is set aside" in reasons

    def test_do_not_silence_an_open_one(self) -> None:
        mine_is_right = self.closed(self.MINE, self.THEIRS)
        another = Conflict("f2", "sources_disagree", both("CC-BY-SA-3.0"))
        assert self.answer(self.THEIRS, mine_is_right, another) == "not_allowed"

    def test_are_overruled_by_a_later_decision_on_the_same_statement(self) -> None:
        first = self.closed(self.MINE, self.THEIRS)
        later = self.closed(self.THEIRS, self.MINE, at=AT + timedelta(hours=1), id="f2")
        assert self.answer(self.THEIRS, later, first) == "not_allowed"
        assert self.answer(self.THEIRS, later, first, at=AT) == "not_allowed"  # the later one is open still
        assert self.answer(self.THEIRS, first) == "constrained"

    def test_leave_statements_that_nobody_decided_about(self) -> None:
        unheard = both("LicenseRef-all-rights-reserved")
        assert self.answer(self.MINE + unheard, self.closed(self.MINE, self.THEIRS)) == "not_allowed"


class TestGrants:
    def test_allow_what_the_licence_does_not(self) -> None:
        recording = RecordingRights(both("LicenseRef-all-rights-reserved"), grants=grants())
        cleared = clear(recording, training())
        assert (cleared.answer, cleared.master.basis, cleared.master.grant) == (
            "allowed",
            "grant",
            "g-master",
        )

    @pytest.mark.parametrize(
        ("more", "why"),
        [
            ({"purposes": frozenset({"data_mining"})}, "covers data_mining"),
            ({"commercial": False}, "non-commercial"),
            ({"valid_until": date(2026, 3, 1)}, "ended on 2026-03-01"),
            ({"valid_from": date(2026, 3, 2)}, "holds only from 2026-03-02"),
            ({"revoked_at": AT}, "was revoked"),
            ({"model_scope": frozenset({"other"})}, "is for other"),
        ],
    )
    def test_that_miss_the_use_allow_nothing_and_say_why(self, more: dict[str, object], why: str) -> None:
        recording = RecordingRights(both("LicenseRef-all-rights-reserved"), grants=grants(**more))
        cleared = clear(recording, training(model="mine"))
        assert cleared.answer == "not_allowed"
        assert any(why in reason for reason in cleared.master.reasons)

    def test_hold_on_their_last_day(self) -> None:
        recording = RecordingRights(grants=grants(valid_until=date(2026, 3, 2)))
        assert clear(recording, training()).answer == "allowed"

    def test_hold_until_the_instant_of_revocation(self) -> None:
        recording = RecordingRights(grants=grants(revoked_at=AT))
        assert clear(recording, training(at=AT - timedelta(seconds=1))).answer == "allowed"
        assert clear(recording, training(at=AT)).answer == "unknown"

    def test_hold_from_the_instant_at_which_they_were_given_again(self) -> None:
        recording = RecordingRights(grants=grants(valid_from=AT.date(), given_at=AT))
        before = clear(recording, training(at=AT - timedelta(seconds=1)))
        assert before.answer == "unknown"
        assert any("given again only at" in reason for reason in before.master.reasons)
        assert clear(recording, training(at=AT)).answer == "allowed"

    def test_make_their_model_scope_a_condition_where_no_model_is_named(self) -> None:
        recording = RecordingRights(grants=grants(model_scope=frozenset({"m1"})))
        assert clear(recording, training()).conditions == ("model-scope",)
        assert clear(recording, training(model="m1")).answer == "allowed"

    def test_need_every_share(self) -> None:
        whole = grants()[:1]
        claims = (Claim("master", "Label", 60.0), Claim("master", "Singer", 40.0))
        recording = RecordingRights(claims=claims, grants=whole)
        answer = clear_right(recording, "master", training())
        assert answer.answer == "unknown"
        assert any("Singer (40 %)" in reason for reason in answer.reasons)
        singer = replace(whole[0], id="g2", licensor="singer ")
        answer = clear_right(replace(recording, grants=(*whole, singer)), "master", training())
        assert (answer.answer, answer.grants) == ("allowed", ("g-master", "g2"))

    def test_for_half_a_right_do_not_loosen_a_refusal(self) -> None:
        recording = RecordingRights(both("LicenseRef-all-rights-reserved"), grants=grants(share=50.0))
        assert clear(recording, training()).answer == "not_allowed"

    def test_of_ownership_give_own_as_basis(self) -> None:
        assert clear(RecordingRights(grants=grants(basis="own")), training()).master.basis == "own"


def claimed(party: str, share: float | None = 100.0, **more: object) -> tuple[Claim, ...]:
    return tuple(replace(Claim(right, party, share), **more) for right in RIGHTS)  # type: ignore[arg-type]


def answer(*, claims: tuple[Claim, ...], given: tuple[Grant, ...], **use: object) -> str:
    return clear(RecordingRights(claims=claims, grants=given), training(**use)).answer


class TestWhoMayGrant:
    def test_is_who_claims_the_right(self) -> None:
        assert answer(claims=claimed("label"), given=grants()) == "allowed"
        assert answer(claims=claimed("Other"), given=grants()) == "unknown"

    def test_is_not_who_is_credited(self) -> None:
        credited = claimed("Singer", None, role="composer")
        assert answer(claims=claimed("Label", None, role="owner") + credited, given=grants()) == "allowed"
        assert answer(claims=credited, given=grants()) == "allowed"

    def test_is_every_owner_where_none_states_a_share(self) -> None:
        owners = claimed("Label", None, role="owner") + claimed("Other", None, role="owner")
        assert answer(claims=owners, given=grants()) == "unknown"
        assert answer(claims=owners, given=grants() + grants(licensor="Other")) == "allowed"

    def test_may_act_for_those_in_the_chain_of_title(self) -> None:
        assert answer(claims=claimed("Other"), given=grants(chain_of_title=("Other", "Agent"))) == "allowed"

    @pytest.mark.parametrize(
        ("head", "expected"),
        [
            ({"sublicensing": True}, "allowed"),
            ({"sublicensing": False}, "unknown"),
            ({"sublicensing": True, "purposes": frozenset({"data_mining"})}, "unknown"),
            ({"sublicensing": True, "commercial": False}, "unknown"),
            ({"sublicensing": True, "valid_until": AT.date()}, "unknown"),
            ({"sublicensing": True, "revoked_at": AT}, "unknown"),
            ({"sublicensing": True, "territory": ("DE",)}, "unknown"),
        ],
    )
    def test_gives_on_no_more_than_the_grants_on_record_gave(
        self, head: dict[str, object], expected: str
    ) -> None:
        """Nobody can give what he does not have; asked for somebody else than the head grant's licensee."""
        from_owner = grants(licensor="Owner", licensee="Agent", **head)
        from_agent = grants(licensor="Agent", licensee="Studio", chain_of_title=("Owner", "Agent"))
        given = tuple(replace(one, id=f"head-{one.id}") for one in from_owner) + from_agent
        studio = frozenset({"Studio"})
        assert answer(claims=claimed("Owner"), given=given, licensees=studio) == expected
        assert answer(claims=(), given=given, licensees=studio) == expected

    def test_keeps_what_the_licensor_claims_itself_where_its_chain_breaks(self) -> None:
        head = grants(licensor="Owner", licensee="Agent", purposes=frozenset({"data_mining"}))
        given = head + grants(licensor="Agent", licensee="Studio", chain_of_title=("Owner",))
        assert answer(claims=claimed("Agent"), given=given) == "allowed"

    def test_says_what_breaks_a_chain(self) -> None:
        head = tuple(replace(one, id="head") for one in grants(licensor="Owner", licensee="Agent"))
        given = head + grants(licensor="Agent", licensee="Studio", chain_of_title=("Owner", "Agent"))
        cleared = clear(
            RecordingRights(claims=claimed("Owner"), grants=given), training(licensees=frozenset({"Studio"}))
        )
        assert (
            "grant g-master by Agent rests on grant head, which permits no sublicensing"
            in cleared.master.reasons
        )

    def test_is_asked_of_each_source_apart(self) -> None:
        claims = claimed("Label") + claimed("Other", source="registry")
        assert answer(claims=claims, given=grants()) == "unknown"
        assert answer(claims=claims, given=grants() + grants(licensor="Other")) == "allowed"

    def test_is_asked_in_each_place(self) -> None:
        claims = claimed("Label", territory=("WORLD", "-US")) + claimed("Other", territory=("US",))
        assert answer(claims=claims, given=grants(), territory="DE") == "allowed"
        assert answer(claims=claims, given=grants(), territory="US") == "unknown"
        assert answer(claims=claims, given=grants()) == "unknown"

    def test_is_who_claims_it_on_that_day(self) -> None:
        sold = date(2026, 3, 1)
        claims = claimed("Other", valid_until=sold) + claimed("Label", valid_from=sold)
        assert answer(claims=claims, given=grants()) == "allowed"
        assert answer(claims=claims, given=grants(), at=AT - timedelta(days=1)) == "unknown"

    def test_is_not_known_while_part_of_the_right_is_claimed_by_nobody(self) -> None:
        assert answer(claims=claimed("Label", 60.0), given=grants()) == "unknown"


class TestParts:
    lyrics = (Claim("lyrics", "Poet"),)

    def test_need_the_word_of_who_claims_them(self) -> None:
        cleared = clear(RecordingRights(claims=self.lyrics, grants=grants()), training())
        assert (cleared.master.answer, cleared.composition.answer) == ("allowed", "unknown")
        assert any("lyrics" in reason and "Poet" in reason for reason in cleared.composition.reasons)

    def test_are_granted_apart_or_with_the_whole(self) -> None:
        apart = replace(grants()[1], id="g-lyrics", right="lyrics", licensor="Poet", conditions=("notice",))
        cleared = clear(RecordingRights(claims=self.lyrics, grants=(*grants(), apart)), training())
        assert (cleared.answer, cleared.composition.conditions) == ("constrained", ("notice",))
        assert cleared.composition.grants == ("g-composition", "g-lyrics")

        whole = replace(grants()[1], id="g-poet", licensor="Poet")
        assert (
            clear(RecordingRights(claims=self.lyrics, grants=(*grants(), whole)), training()).answer
            == "allowed"
        )

    def test_alone_grant_nothing(self) -> None:
        apart = (grants()[0], replace(grants()[1], right="lyrics", licensor="Poet"))
        assert answer(claims=self.lyrics, given=apart) == "unknown"


class TestTermsOfGrants:
    def test_the_sunset_ends_the_use_of_weights_and_the_term_ends_training(self) -> None:
        given = tuple(
            replace(grant, purposes=frozenset({"ai_generative_training", "ai_inference"}))
            for grant in grants(valid_until=date(2026, 1, 1), sunset_on=date(2027, 1, 1))
        )
        assert answer(claims=(), given=given) == "unknown"
        assert answer(claims=(), given=given, purpose="ai_inference") == "allowed"
        assert (
            answer(claims=(), given=given, purpose="ai_inference", at=AT + timedelta(days=400)) == "unknown"
        )

    def test_a_sunset_before_the_end_of_term_stops_inference_first(self) -> None:
        given = tuple(
            replace(grant, purposes=frozenset({"ai_generative_training", "ai_inference"}))
            for grant in grants(sunset_on=date(2026, 2, 1))
        )
        assert answer(claims=(), given=given) == "allowed"
        assert answer(claims=(), given=given, purpose="ai_inference") == "unknown"

    def test_what_was_given_to_another_house_is_not_ours(self) -> None:
        given = grants(licensee="Another House")
        assert answer(claims=(), given=given) == "allowed"
        assert answer(claims=(), given=given, licensees=frozenset({"This House"})) == "unknown"
        assert answer(claims=(), given=given, licensees=frozenset({"another house", "X"})) == "allowed"

    def test_says_whom_it_takes_at_their_name_while_nobody_has_said_who_that_is(self) -> None:
        rights = RecordingRights(grants=grants(licensee="Another House"))
        told = clear(rights, training()).master
        assert told.reasons[1:] == ("given to Another House; nobody has said who Another House is",)
        known = clear(rights, training(licensees=frozenset({"Another House"}))).master
        own = clear(RecordingRights(grants=grants(licensee="Us", basis="own")), training()).master
        for answer in (known, own):
            assert answer.answer == "allowed"
            assert "nobody has said" not in " ".join(answer.reasons)


class TestTerritory:
    def test_two_countries_together_answer_for_both(self) -> None:
        benelux = [grants(territory=(code,)) for code in ("BE", "NL", "LU")]
        recording = RecordingRights(grants=tuple(grant for pair in benelux for grant in pair))
        assert clear(recording, training(territory="BENELUX")).answer == "allowed"
        assert clear(recording, training(territory="DE")).answer == "unknown"
        assert clear(recording, training(territory="EU")).answer == "unknown"

    def test_names_the_strictest_place_only_where_one_is_stricter(self) -> None:
        differ = "territories differ; the strictest is "
        alike = RecordingRights(
            grants=tuple(one for code in ("BE", "NL", "LU") for one in grants(territory=(code,)))
        )
        same = clear(alike, training(territory="BENELUX")).master
        assert not any(reason.startswith(differ) for reason in same.reasons)
        without_nl = RecordingRights(
            grants=tuple(one for code in ("BE", "LU") for one in grants(territory=(code,)))
        )
        stricter = clear(without_nl, training(territory="BENELUX")).master
        assert f"{differ}NL" in stricter.reasons

    def test_a_grant_for_one_country_answers_none_about_the_world(self) -> None:
        assert clear(RecordingRights(grants=grants(territory=("DE",))), training()).answer == "unknown"

    def test_exclusions_exclude(self) -> None:
        recording = RecordingRights(grants=grants(territory=("WORLD", "-US")))
        assert clear(recording, training(territory="DE")).answer == "allowed"
        assert clear(recording, training(territory="US")).answer == "unknown"

    def test_a_refusal_in_one_country_refuses_the_world(self) -> None:
        recording = RecordingRights(
            both("CC0-1.0") + both("LicenseRef-all-rights-reserved", territory=("US",))
        )
        assert clear(recording, training()).answer == "not_allowed"
        assert clear(recording, training(territory="FR")).answer == "allowed"

    def test_an_unknown_one_is_an_error(self) -> None:
        with pytest.raises(territory.UnknownTerritory, match="Atlantis"):
            clear(RecordingRights(both("CC0-1.0", territory=("Atlantis",))), training())

    def test_names_what_is_said_for_other_places_only(self) -> None:
        rights = RecordingRights(statements=both("CC-BY-4.0", territory=("DE", "FR")))
        answer = clear(rights, training(territory="US"))
        assert answer.answer == "unknown"
        assert "CC-BY-4.0 is stated for DE, FR, not for US" in answer.master.reasons


class TestReservations:
    def test_close_an_open_licence(self) -> None:
        reserved = Reservation("r1", source="tdmrep.json")
        answer = clear(RecordingRights(both("CC-BY-4.0"), reservations=(reserved,)), training())
        assert answer.answer == "not_allowed"
        assert any("tdmrep.json" in reason for reason in answer.master.reasons)

    def test_do_not_bind_where_the_policy_says_so(self) -> None:
        loose = ClearancePolicy("loose", reservations_bind_licences=False)
        recording = RecordingRights(both("CC0-1.0"), reservations=(Reservation("r1"),))
        assert clear(recording, training(), loose).answer == "allowed"

    def test_yield_to_a_grant(self) -> None:
        recording = RecordingRights(grants=grants(), reservations=(Reservation("r1"),))
        assert clear(recording, training()).answer == "allowed"

    def test_hold_between_declaration_and_withdrawal(self) -> None:
        held = Reservation("r1", declared_at=AT, withdrawn_at=AT + timedelta(days=2))
        recording = RecordingRights(both("CC0-1.0"), reservations=(held,))
        answers = [clear(recording, training(at=AT + timedelta(days=day))).answer for day in (-1, 0, 1, 2)]
        assert answers == ["allowed", "not_allowed", "not_allowed", "allowed"]

    def test_without_purposes_leave_redistribution_alone(self) -> None:
        recording = RecordingRights(both("CC0-1.0"), reservations=(Reservation("r1"),))
        assert clear(recording, training(purpose="redistribution")).answer == "allowed"

    def test_close_a_statutory_exception(self) -> None:
        memo = ExceptionMemo("m1", frozenset({"data_mining"}), "A. Counsel", "bought", ("EU",))
        use = Use("data_mining", territory="DE", at=AT)
        recording = RecordingRights(both("LicenseRef-all-rights-reserved"), memos=(memo,))
        assert clear(recording, use).master.basis == "statutory_exception"
        assert clear(recording, replace(use, territory="US")).answer == "not_allowed"
        assert clear(replace(recording, reservations=(Reservation("r"),)), use).answer == "not_allowed"

    def test_an_unsigned_memo_allows_nothing(self) -> None:
        memo = ExceptionMemo("m1", frozenset({"data_mining"}), "", "bought")
        assert clear(RecordingRights(memos=(memo,)), Use("data_mining", at=AT)).answer == "unknown"


class TestProtected:
    def test_is_never_trained_on(self) -> None:
        recording = RecordingRights(both("CC0-1.0"), grants=grants(), protected=True)
        assert clear(recording, training()).answer == "not_allowed"


QUICK = settings(max_examples=60)
NAMED = (
    "CC0-1.0 CC-BY-4.0 CC-BY-SA-3.0 CC-BY-NC-4.0 CC-BY-ND-3.0 GPL-2.0-or-later MIT LicenseRef-nobody-knows"
)
EXPRESSIONS = st.sampled_from(
    ["", *NAMED.split(), "LicenseRef-all-rights-reserved", "GPL-3.0-only OR CC-BY-3.0"]
)
TERRITORIES = st.sampled_from([(), ("DE",), ("EU",), ("WORLD", "-US"), ("US", "CA")])
DAYS = st.one_of(st.none(), st.dates(date(2025, 1, 1), date(2027, 1, 1)))
STATEMENTS = st.builds(
    Statement,
    right=st.sampled_from(RIGHTS),
    expression=EXPRESSIONS,
    raw=st.just(""),
    source=st.sampled_from(["embedded_tag", "package_file", "steward"]),
    weak=st.booleans(),
    territory=TERRITORIES,
    valid_from=DAYS,
    valid_until=DAYS,
)
GRANTS = st.builds(
    Grant,
    id=st.sampled_from(["a", "b"]),
    right=st.sampled_from(RIGHTS),
    licensor=st.sampled_from(["A", "B"]),
    purposes=st.frozensets(st.sampled_from([str(purpose) for purpose in PURPOSES])),
    commercial=st.booleans(),
    territory=TERRITORIES,
    valid_from=DAYS,
    valid_until=DAYS,
    share=st.sampled_from([100.0, 50.0]),
    conditions=st.sampled_from([(), ("attribution",)]),
)
RECORDINGS = st.builds(
    RecordingRights,
    statements=st.lists(STATEMENTS, max_size=4).map(tuple),
    grants=st.lists(GRANTS, max_size=3).map(tuple),
)
USES = st.builds(
    Use,
    purpose=st.sampled_from(PURPOSES),
    commercial=st.booleans(),
    territory=st.sampled_from(["WORLD", "EU", "DE", "US"]),
    at=st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),
)


class TestMoreRestrictionNeverLoosens:
    @QUICK
    @given(RECORDINGS, USES)
    def test_a_reservation(self, recording: RecordingRights, use: Use) -> None:
        reserved = replace(recording, reservations=(Reservation("r"),))
        assert rank(clear(reserved, use).answer) <= rank(clear(recording, use).answer)

    @QUICK
    @given(RECORDINGS, USES)
    def test_being_protected(self, recording: RecordingRights, use: Use) -> None:
        assert rank(clear(replace(recording, protected=True), use).answer) <= rank(
            clear(recording, use).answer
        )

    @QUICK
    @given(RECORDINGS, USES)
    def test_a_refusing_statement(self, recording: RecordingRights, use: Use) -> None:
        refusal = both("LicenseRef-all-rights-reserved")
        stricter = replace(recording, statements=recording.statements + refusal)
        plain = clear(recording, use)
        assert rank(clear(stricter, use).answer) <= max(rank(plain.answer), rank("not_allowed"))
        if plain.answer != "unknown":
            assert rank(clear(stricter, use).answer) <= rank(plain.answer)

    @QUICK
    @given(RECORDINGS, USES)
    def test_losing_a_grant(self, recording: RecordingRights, use: Use) -> None:
        fewer = replace(recording, grants=recording.grants[1:])
        assert rank(clear(fewer, use).answer) <= rank(clear(recording, use).answer)

    @QUICK
    @given(RECORDINGS, USES)
    def test_commercial_use(self, recording: RecordingRights, use: Use) -> None:
        plain, paid = (
            clear(recording, replace(use, commercial=False)),
            clear(recording, replace(use, commercial=True)),
        )
        assert rank(paid.answer) <= rank(plain.answer)

    @QUICK
    @given(RECORDINGS, USES)
    def test_a_larger_territory(self, recording: RecordingRights, use: Use) -> None:
        small, large = (clear(recording, replace(use, territory=where)) for where in ("DE", "EU"))
        assert rank(large.answer) <= rank(small.answer)

    @QUICK
    @given(RECORDINGS, USES)
    def test_the_strict_policy(self, recording: RecordingRights, use: Use) -> None:
        assert rank(clear(recording, use, STRICT).answer) <= rank(clear(recording, use, DEFAULT).answer)


class TestAlgebra:
    @QUICK
    @given(RECORDINGS, USES)
    def test_the_whole_is_the_stricter_right(self, recording: RecordingRights, use: Use) -> None:
        cleared = clear(recording, use)
        assert rank(cleared.answer) == min(rank(cleared.master.answer), rank(cleared.composition.answer))

    @QUICK
    @given(RECORDINGS, USES)
    def test_without_grants_only_open_licences_clear(self, recording: RecordingRights, use: Use) -> None:
        cleared = clear(replace(recording, grants=()), use)
        if cleared.answer in ("allowed", "constrained"):
            assert {cleared.master.basis, cleared.composition.basis} <= {"licence", "public_domain"}

    @QUICK
    @given(RECORDINGS, USES)
    def test_a_group_is_as_strict_as_its_strictest_country(
        self, recording: RecordingRights, use: Use
    ) -> None:
        group = clear(recording, replace(use, territory="BENELUX"))
        apart = [clear(recording, replace(use, territory=code)) for code in ("BE", "NL", "LU")]
        assert rank(group.answer) == min(rank(one.answer) for one in apart)

    @QUICK
    @given(RECORDINGS, USES)
    def test_only_what_is_constrained_has_conditions(self, recording: RecordingRights, use: Use) -> None:
        cleared = clear(recording, use)
        for answer in (cleared.master, cleared.composition):
            assert bool(answer.conditions) == (answer.answer == "constrained")
            assert answer.reasons

    @QUICK
    @given(RECORDINGS, USES, st.permutations(range(4)))
    def test_the_order_of_sources_does_not_matter(
        self, recording: RecordingRights, use: Use, order: list[int]
    ) -> None:
        shuffled = tuple(recording.statements[place] for place in order if place < len(recording.statements))
        one, other = clear(recording, use), clear(replace(recording, statements=shuffled), use)
        assert (one.answer, one.conditions) == (other.answer, other.conditions)
