"""A case taken back before it is decided, and who asked erased once it is closed."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from generation import queries, services
from generation.errors import GenerationError
from generation.models import Case, CaseState, Remedy
from generation.queries.aftermath import rights_now
from governance import ledger
from governance.errors import ConflictError, NotAllowedError
from governance.models import LedgerEvent, User
from provenance import services as provenance
from provenance.errors import ProvenanceError
from provenance.models import Grant, Reservation
from tests.catalogues import run
from tests.generation.case_scene import CaseHouse, a_case_house, filed, opened
from tests.people import client_of

API = "/api/v1"
WORDS = "I wrote it in Lisbon."
REACH = "ana@lua.example"


@pytest.fixture(scope="module")
def standing_house(shared_db: Path) -> CaseHouse:
    return a_case_house(shared_db)


@pytest.fixture
def house(standing_house: CaseHouse, db: None) -> CaseHouse:
    cache.clear()
    return deepcopy(standing_house)


def withdraw(case: Case, by: User | None = None, **said: Any) -> Case:
    return services.withdraw_case(case=case, by=by, now=timezone.now(), **said)


def erase(case: Case, by: User, reason: str = "Asked under Art. 17 GDPR.") -> Case:
    return services.erase_contact(case=case, by=by, reason=reason, now=timezone.now())


def gate(house: CaseHouse) -> queries.Gate:
    return queries.gate_of(house.version, at=timezone.now())


def revoked(house: CaseHouse) -> Case:
    """A label's case that ended the grant it names at once."""
    return filed(house, by=house.label, kind="revoke", grant=house.grant).case


def accept(house: CaseHouse, case: Case, by: User | None = None) -> Case:
    return services.accept_case(
        case=case,
        recordings={house.recordings[0]: "named"},
        verified_how="Called back.",
        by=by or house.steward,
        now=timezone.now(),
    )


def today() -> date:
    return timezone.now().date()


def last_event() -> LedgerEvent:
    return LedgerEvent.objects.order_by("-sequence")[0]


class TestWithdrawCase:
    def test_by_whoever_has_its_secret(self, house: CaseHouse) -> None:
        found = filed(house)
        case = withdraw(found.case, secret=found.secret, reason="Solved.")

        assert (case.state, case.closed_by, case.closing_words) == (CaseState.WITHDRAWN, None, "Solved.")
        event = last_event()
        assert event.kind == "generation.case.withdrawn"
        assert event.body == {
            "state_before": "filed",
            "by_its_secret": True,
            "reason_commitment": ledger.commitment("Solved.", case.salt),
        }

    def test_by_nobody_with_another_secret(self, house: CaseHouse) -> None:
        first, second = filed(house), filed(house)
        with pytest.raises(NotAllowedError):
            withdraw(first.case, secret=second.secret)
        with pytest.raises(NotAllowedError):
            withdraw(first.case)

    def test_by_the_label_that_filed_it_and_by_nobody_else(self, house: CaseHouse) -> None:
        case = filed(house, by=house.label).case
        for other in (house.officer, house.steward):
            with pytest.raises(NotAllowedError):
                withdraw(case, other)
        assert withdraw(case, house.label).closed_by == house.label

    def test_lets_the_models_go_that_nothing_else_binds(self, house: CaseHouse) -> None:
        case = opened(house, kind="leak")
        assert not gate(house).is_open

        Case.objects.filter(pk=case.pk).update(filed_by=house.steward, channel="behalf")
        withdraw(case, house.steward)
        assert gate(house).is_open

    def test_takes_back_no_opt_out_that_was_recorded(self, house: CaseHouse) -> None:
        case = opened(house, kind="opt_out")
        Case.objects.filter(pk=case.pk).update(filed_by=house.steward, channel="behalf")
        withdraw(case, house.steward)

        assert Reservation.objects.get().withdrawn_at is None

    def test_leaves_the_grant_revoked_and_says_so(self, house: CaseHouse) -> None:
        case = withdraw(revoked(house), house.label)
        (sentence, _) = rights_now(case)

        assert sentence.startswith("The grant of the ")
        assert sentence.endswith(f"({house.grant.public_id}) stays revoked from 10 March 2026 on.")
        assert "no longer cleared" in gate(house).reasons[0]

    def test_is_too_late_once_something_is_decided(self, house: CaseHouse) -> None:
        found = filed(house)
        case = services.accept_case(
            case=found.case,
            recordings={house.recordings[0]: "named"},
            verified_how="Called back.",
            by=house.steward,
            now=timezone.now(),
        )
        services.decide_case(
            case=case,
            version=house.version,
            remedy=Remedy.RETRAIN,
            reason="As asked.",
            by=house.officer,
            now=timezone.now(),
        )
        with pytest.raises(ConflictError, match="decision is recorded"):
            withdraw(case, secret=found.secret)

    def test_is_done_once(self, house: CaseHouse) -> None:
        found = filed(house)
        withdraw(found.case, secret=found.secret)
        with pytest.raises(ConflictError, match="withdrawn"):
            withdraw(found.case, secret=found.secret)

    def test_leaves_nothing_to_accept_or_reject(self, house: CaseHouse) -> None:
        found = filed(house)
        case = withdraw(found.case, secret=found.secret)
        with pytest.raises(ConflictError):
            services.reject_case(case=case, reason="No.", by=house.officer, now=timezone.now())
        assert case.is_closed


class TestGiveAgain:
    """A label takes its case back, and with it, from that day on, what the case did to the rights."""

    def test_makes_new_grants_on_the_same_terms_and_leaves_the_old_revoked(self, house: CaseHouse) -> None:
        before = {one.pk: one for one in house.organisation.grants.all()}
        withdraw(revoked(house), house.label, reinstate=True)
        after = {one.pk: one for one in house.organisation.grants.all()}

        assert len(after) == 2 * len(before)
        for old in before:
            assert after[old].revoked_from is not None
            anew = after[old].reinstated_by
            assert (anew.valid_from, anew.revoked_at, anew.registered_by) == (today(), None, house.label)
            assert (anew.right, anew.purposes, anew.licensor) == (
                before[old].right,
                before[old].purposes,
                before[old].licensor,
            )
            assert {one.recording_id for one in anew.subjects.all()} == {one.pk for one in house.granted}
            assert anew.reinstatement_reason
        assert len({one.deal for one in after.values()}) == 2

    def test_opens_the_gate_and_blocks_nothing_any_more(self, house: CaseHouse) -> None:
        case = revoked(house)
        assert queries.standing_of([house.version])[house.version.pk].blocked
        withdraw(case, house.label, reinstate=True)

        assert gate(house).is_open
        assert not queries.standing_of([house.version])

    def test_clears_nothing_for_the_time_between(self, house: CaseHouse) -> None:
        deal = house.organisation.grants.all()
        before = timezone.now() - timedelta(days=3)
        provenance.revoke_grant(
            grant=house.grant, by=house.label, reason="Unpaid.", now=before, revoked_from=before
        )
        provenance.reinstate_grants(grants=deal, by=house.label, reason="Paid.", now=timezone.now())

        between = queries.gate_of(house.version, at=before + timedelta(days=1))
        assert not between.is_open
        assert gate(house).is_open

    def test_is_in_the_ledger(self, house: CaseHouse) -> None:
        case = withdraw(revoked(house), house.label, reinstate=True)
        withdrawn, given = LedgerEvent.objects.filter(
            kind__in=("generation.case.withdrawn", "provenance.grant.reinstated")
        ).order_by("-sequence")

        anew = house.organisation.grants.filter(reinstates__isnull=False).order_by("id")
        assert withdrawn.body["grants_reinstated"] == [str(one.public_id) for one in anew]
        assert [one["reinstates"] for one in given.body["grants"]] == [
            str(one.reinstates.public_id) for one in anew if one.reinstates
        ]
        first = given.body["grants"][0]
        assert first["reason_commitment"] == ledger.commitment(
            anew[0].reinstatement_reason, anew[0].reinstatement_salt
        )
        assert all("given again from" in sentence for sentence in rights_now(case))

    def test_takes_more_than_the_link(self, house: CaseHouse) -> None:
        found = filed(house, kind="opt_out")
        accept(house, found.case)
        with pytest.raises(NotAllowedError, match="permits nothing anew"):
            withdraw(found.case, secret=found.secret, reinstate=True)
        assert Reservation.objects.get().withdrawn_at is None

    def test_waits_for_another_case_about_the_same_grant(self, house: CaseHouse) -> None:
        first = revoked(house)
        second = revoked(house)
        with pytest.raises(ConflictError, match=f"Case {second.reference} asks"):
            withdraw(first, house.label, reinstate=True)
        withdraw(second, house.label)
        withdraw(first, house.label, reinstate=True)
        assert gate(house).is_open

    def test_gives_back_nothing_that_was_over_before_the_case(self, house: CaseHouse) -> None:
        provenance.revoke_grant(grant=house.grant, by=house.label, reason="Sold.", now=timezone.now())
        case = revoked(house)
        with pytest.raises(ConflictError, match="nothing to give again"):
            withdraw(case, house.label, reinstate=True)
        assert rights_now(case) == ["The grant was revoked before this case, and stays so."]

    def test_leaves_an_end_that_was_set_before_the_case(self, house: CaseHouse) -> None:
        end = timezone.now() + timedelta(days=400)
        (ended, *_) = provenance.revoke_grant(
            grant=house.grant, by=house.label, reason="Sold.", now=timezone.now(), revoked_from=end
        )
        revoked(house)
        ended.refresh_from_db()
        assert ended.revoked_from == end

    def test_gives_nothing_whose_term_is_over(self, house: CaseHouse) -> None:
        case = revoked(house)
        house.organisation.grants.update(valid_until=today())
        with pytest.raises(ProvenanceError, match=r"The term of grant .* ended"):
            withdraw(case, house.label, reinstate=True)
        assert Case.objects.get(pk=case.pk).state == CaseState.OPEN

    def test_gives_nothing_that_another_holds_exclusively_by_now(
        self, house: CaseHouse, tmp_path: Path
    ) -> None:
        house.organisation.grants.update(exclusive=True)
        case = revoked(house)
        deal = {
            "licensor": "Cellar Records",
            "licensee": "Another House",
            "right": "master",
            "recordings": [str(house.recordings[0].public_id)],
            "purposes": ["ai_generative_training"],
            "exclusive": True,
        }
        file = tmp_path / "exclusive.json"
        file.write_text(json.dumps([deal]))
        (outcome,) = provenance.register_grants(
            source=file, by=house.steward, organisation=house.organisation, now=timezone.now()
        )
        assert outcome.status == "registered"
        with pytest.raises(ConflictError, match="exclusively to somebody else"):
            withdraw(case, house.label, reinstate=True)

    def test_withdraws_the_opt_out_that_a_label_asked_for(self, house: CaseHouse) -> None:
        case = filed(house, by=house.label, kind="opt_out").case
        accept(house, case)
        assert not gate(house).is_open
        withdraw(case, house.label, reinstate=True)

        held = Reservation.objects.get()
        assert (held.withdrawn_by, held.withdrawal_reason) == (
            house.label,
            f"Case {case.reference} was withdrawn.",
        )
        assert last_event().body["reservation_withdrawn"] == str(held.public_id)
        assert gate(house).is_open

    def test_of_an_opt_out_that_a_steward_noted_down_is_an_officers(self, house: CaseHouse) -> None:
        case = filed(house, by=house.steward, kind="opt_out").case
        accept(house, case, by=house.officer)
        with pytest.raises(NotAllowedError, match="compliance officer"):
            withdraw(case, house.steward, reinstate=True)


class TestReinstateGrants:
    """On its own, whoever took the case back."""

    @pytest.fixture
    def ended(self, house: CaseHouse) -> CaseHouse:
        provenance.revoke_grant(grant=house.grant, by=house.officer, reason="Unpaid.", now=timezone.now())
        return house

    def give(self, house: CaseHouse, by: User, **said: Any) -> tuple[Grant, ...]:
        given = {"reason": "Paid since.", "now": timezone.now(), **said}
        return provenance.reinstate_grants(grants=house.organisation.grants.all(), by=by, **given)

    def test_is_by_a_steward_or_whoever_revoked_it(self, ended: CaseHouse) -> None:
        with pytest.raises(NotAllowedError, match="whoever revoked it, or by a data steward"):
            self.give(ended, ended.label)
        assert self.give(ended, ended.steward)

    def test_is_done_once(self, ended: CaseHouse) -> None:
        first = list(ended.organisation.grants.all())
        self.give(ended, ended.officer)
        with pytest.raises(ConflictError, match="given again already"):
            provenance.reinstate_grants(grants=first, by=ended.officer, reason="Again.", now=timezone.now())

    def test_needs_a_reason_and_no_day_that_is_past(self, ended: CaseHouse) -> None:
        with pytest.raises(ProvenanceError, match="needs a reason"):
            self.give(ended, ended.steward, reason=" ")
        with pytest.raises(ProvenanceError, match="at the earliest"):
            self.give(ended, ended.steward, valid_from=today() - timedelta(days=1))

    def test_begins_when_a_notice_ends(self, house: CaseHouse) -> None:
        leaves = timezone.now() + timedelta(days=30)
        provenance.revoke_grant(
            grant=house.grant, by=house.officer, reason="Moved.", now=timezone.now(), revoked_from=leaves
        )
        assert {one.valid_from for one in self.give(house, house.officer)} == {leaves.date()}

    def test_refuses_what_still_stands(self, house: CaseHouse) -> None:
        with pytest.raises(ConflictError, match="is not revoked"):
            self.give(house, house.steward)

    def test_puts_the_datasets_back_before_those_who_decide(self, ended: CaseHouse) -> None:
        before = ended.frozen.dataset.changed_at
        self.give(ended, ended.steward)
        ended.frozen.dataset.refresh_from_db()
        assert ended.frozen.dataset.changed_at != before

    def test_by_command(self, ended: CaseHouse) -> None:
        refused = run(
            "reinstate_grant", str(ended.grant.public_id), "--as", ended.label.username, "--reason", "x"
        )
        done = run(
            *("reinstate_grant", str(ended.grant.deal), "--as", ended.steward.username),
            *("--reason", "Paid since."),
        )
        assert "data steward" in refused.err
        assert done.code == 0
        (line,) = done.lines
        assert line["revoked_deal"] == str(ended.grant.deal)
        assert set(line["rights"]) == {"master", "composition"}
        assert line["from"] == str(today())

    def test_clears_nothing_for_the_hours_between(self, house: CaseHouse) -> None:
        """Revoked at ten and given again at two: at noon, nobody had a licence."""
        day = datetime.combine(today(), time(), UTC)
        hours = {hour: day + timedelta(hours=hour) for hour in (9, 10, 12, 14, 15)}
        provenance.revoke_grant(grant=house.grant, by=house.officer, reason="Unpaid.", now=hours[10])
        self.give(house, house.officer, now=hours[14])
        not_cleared = {
            hour: queries.gate_of(house.version, at=hours[hour]).n_not_cleared for hour in (9, 12, 14, 15)
        }
        assert not_cleared == {9: 0, 12: 2, 14: 0, 15: 0}

    @pytest.fixture
    def ended_by_steward(self, house: CaseHouse) -> CaseHouse:
        provenance.revoke_grant(grant=house.grant, by=house.steward, reason="Unpaid.", now=timezone.now())
        return house

    def test_by_api_with_a_reason(self, ended_by_steward: CaseHouse) -> None:
        house = ended_by_steward
        at = f"/api/v1/grants/{house.grant.public_id}/"
        said = {"reason": "Paid since.", "right": house.grant.right}
        steward, officer = client_of(house.steward), client_of(house.officer)
        assert officer.post(f"{at}reinstate/", said, format="json").status_code == 403
        assert steward.post(f"{at}reinstate/", {}, format="json").status_code == 400
        done = steward.post(f"{at}reinstate/", said, format="json")
        assert done.status_code == 200, done.content
        assert (done.json()["revoked_deal"], done.json()["from"]) == (str(house.grant.deal), str(today()))
        (anew,) = done.json()["grants"]
        assert done.json()["rights"] == {house.grant.right: anew}
        assert officer.get(at).json()["reinstated_by"] == anew
        given = officer.get(f"{API}/grants/{anew}/").json()
        assert (given["reinstates"], given["reinstatement_reason"]) == (
            str(house.grant.public_id),
            "Paid since.",
        )
        assert steward.post(f"{at}reinstate/", said, format="json").status_code == 409

    def test_is_offered_on_the_page_to_whoever_may(self, ended_by_steward: CaseHouse) -> None:
        shown = reverse("provenance:grant", args=[ended_by_steward.grant.public_id])
        for person, is_offered in ((ended_by_steward.officer, False), (ended_by_steward.steward, True)):
            page = Client()
            page.force_login(person)
            assert ("/reinstate/" in page.get(shown).content.decode()) is is_offered

    def test_by_page_with_a_reason(self, ended: CaseHouse) -> None:
        page, form = Client(), reverse("provenance:grant-reinstate", args=[ended.grant.public_id])
        page.force_login(ended.officer)
        refused = page.post(form, {"reason": ""})
        assert (refused.status_code, "Say in a sentence why." in refused.content.decode()) == (422, True)
        past = page.post(form, {"reason": "Paid.", "valid_from": str(today() - timedelta(days=9))})
        assert (past.status_code, "at the earliest" in past.content.decode()) == (422, True)
        assert not Grant.objects.exclude(reinstates=None).exists()
        done = page.post(form, {"reason": "Paid since."}, follow=True)
        assert Grant.objects.exclude(reinstates=None).count() == 2
        assert "Paid since." in done.content.decode()
        old = page.get(reverse("provenance:grant", args=[ended.grant.public_id])).content.decode()
        assert "Given again</a>" in old
        assert "/reinstate/" not in old
        assert page.post(form, {"reason": "Again."}).status_code == 409

    def test_by_the_databases_own_rule_from_a_day_for_a_reason(self, ended: CaseHouse) -> None:
        (anew, _) = self.give(ended, ended.steward)
        with pytest.raises(IntegrityError, match="grant_reinstated"), transaction.atomic():
            Grant.objects.filter(pk=anew.pk).update(reinstatement_reason="")


class TestWithdrawalByPageAndApi:
    def test_from_the_holders_page(self, house: CaseHouse) -> None:
        found = filed(house)
        where = [found.case.reference, found.secret]
        shown = Client().get(reverse("generation:case-followed", args=where))
        assert "Withdraw the case" in shown.content.decode()

        gone = Client().post(reverse("generation:case-followed-withdraw", args=where), {"reason": ""})
        assert gone.status_code == 302
        page = Client().get(gone["Location"]).content.decode()
        assert "taken back" in page
        assert "Withdraw the case" not in page

    def test_by_the_public_api(self, house: CaseHouse) -> None:
        found = filed(house)
        at = f"{API}/public/cases/{found.case.reference}"
        client = client_of(None)

        assert client.post(f"{at}/{found.secret}x/withdraw/").status_code == 404
        said = client.post(f"{at}/{found.secret}/withdraw/", {"reason": "Solved."}, format="json")
        assert (said.status_code, said.json()["state"]) == (200, "withdrawn")
        assert client.post(f"{at}/{found.secret}/withdraw/").status_code == 409

    def test_by_a_labels_page_and_api(self, house: CaseHouse) -> None:
        first, second = (filed(house, by=house.label).case for _ in range(2))
        page = Client()
        page.force_login(house.label)
        assert (
            "Withdraw the case"
            in page.get(reverse("generation:case", args=[first.public_id])).content.decode()
        )
        assert page.post(reverse("generation:case-withdraw", args=[first.public_id])).status_code == 302
        said = client_of(house.label).post(f"{API}/cases/{second.public_id}/withdraw/")

        assert said.json()["state"] == "withdrawn"
        assert set(Case.objects.values_list("state", flat=True)) == {"withdrawn"}

    def test_offers_on_the_page_to_give_the_grant_again(self, house: CaseHouse) -> None:
        case = revoked(house)
        page = Client()
        page.force_login(house.label)
        at = reverse("generation:case", args=[case.public_id])
        shown = page.get(at).content.decode()
        assert "Give the grant again from today on" in shown
        assert "stays revoked from" in shown

        page.post(reverse("generation:case-withdraw", args=[case.public_id]), {"reinstate": "on"})
        assert "given again from" in page.get(at).content.decode()
        assert gate(house).is_open

    def test_offers_a_stranger_no_more_than_to_be_told(self, house: CaseHouse) -> None:
        found = filed(house, kind="opt_out")
        accept(house, found.case)
        shown = Client().get(reverse("generation:case-followed", args=[found.case.reference, found.secret]))
        assert "reinstate" not in shown.content.decode()
        assert "The opt-out" in shown.content.decode()

        at = f"{API}/public/cases/{found.case.reference}/{found.secret}/withdraw/"
        said = client_of(None).post(at, {"reinstate": True}, format="json")
        assert said.status_code == 403
        said = client_of(None).post(at, {}, format="json")
        held = Reservation.objects.get()
        assert said.json()["rights"] == [f"The opt-out ({held.public_id}) stands."]

    def test_gives_the_grant_again_by_the_api(self, house: CaseHouse) -> None:
        case = revoked(house)
        at = f"{API}/cases/{case.public_id}/withdraw/"
        said = client_of(house.label).post(at, {"reinstate": True}, format="json")
        assert said.status_code == 200
        assert all("given again from" in sentence for sentence in said.json()["rights"])

    def test_by_command(self, house: CaseHouse) -> None:
        case = filed(house, by=house.label).case
        refused = run("withdraw_case", case.reference, "--as", house.officer.username)
        done = run("withdraw_case", case.reference, "--as", house.label.username, "--reason", "Solved.")

        assert "whoever filed it" in refused.err
        assert done.code == 0
        assert done.lines == [
            {"case": case.reference, "id": str(case.public_id), "state": "withdrawn", "rights": []}
        ]

    def test_gives_the_grant_again_by_command(self, house: CaseHouse) -> None:
        done = run("withdraw_case", revoked(house).reference, "--as", house.label.username, "--reinstate")
        assert done.code == 0
        assert all("given again from" in sentence for sentence in done.lines[0]["rights"])


class TestEraseContact:
    @pytest.fixture
    def closed(self, house: CaseHouse) -> Case:
        case = filed(house, holder="Ana Lua", contact=REACH, words=WORDS).case
        services.reject_case(case=case, reason="Not ours.", by=house.officer, now=timezone.now())
        return case

    def test_leaves_no_word_of_whoever_asked(self, house: CaseHouse, closed: Case) -> None:
        erase(closed, house.officer)
        kept = json.dumps(list(Case.objects.filter(pk=closed.pk).values()), default=str)

        assert not any(said in kept for said in ("Ana Lua", REACH, WORDS, closed.salt))

    def test_forgets_how_somebody_was_identified(self, house: CaseHouse) -> None:
        case = opened(house, kind="inquiry")
        assert case.verified_how
        services.answer_case(case=case, words="None.", by=house.officer, now=timezone.now())
        assert erase(case, house.officer).verified_how == "(erased)"

    def test_keeps_what_was_decided_and_its_answer(self, house: CaseHouse, closed: Case) -> None:
        before = closed.answers.get().payload
        erased = erase(closed, house.officer)

        assert (erased.state, erased.isrcs, erased.closing_words) == (
            "rejected",
            ["GBAAA2600000"],
            "Not ours.",
        )
        assert erased.answers.get().payload == before

    def test_is_in_the_ledger_without_what_was_erased(self, house: CaseHouse, closed: Case) -> None:
        erase(closed, house.officer)
        event = last_event()

        assert (event.kind, event.actor_id) == ("generation.case.erased", house.officer.public_id)
        assert "contact" in event.body["erased"]
        said = json.dumps(list(LedgerEvent.objects.values("body", "kind")), default=str)
        assert not any(word in said for word in ("Ana Lua", REACH, WORDS, closed.salt))
        assert ledger.verify().ok

    def test_forgets_the_reason_that_a_holder_gave_for_withdrawing(self, house: CaseHouse) -> None:
        found = filed(house)
        case = withdraw(found.case, secret=found.secret, reason="Ana Lua has sold it.")
        assert erase(case, house.officer).closing_words == ""

    def test_waits_until_the_case_is_closed(self, house: CaseHouse) -> None:
        with pytest.raises(ConflictError, match="still to be answered"):
            erase(filed(house).case, house.officer)

    def test_is_done_once_and_for_a_reason(self, house: CaseHouse, closed: Case) -> None:
        with pytest.raises(GenerationError, match="why it is erased"):
            erase(closed, house.officer, " ")
        erase(closed, house.officer)
        with pytest.raises(ConflictError, match="erased already"):
            erase(closed, house.officer)

    def test_is_an_officers(self, house: CaseHouse, closed: Case) -> None:
        for other in (house.steward, house.label):
            with pytest.raises(NotAllowedError):
                erase(closed, other)

    def test_is_whole_by_the_databases_own_rule(self, house: CaseHouse, closed: Case) -> None:
        erase(closed, house.officer)
        with pytest.raises(IntegrityError, match="case_erased_once_closed"), transaction.atomic():
            Case.objects.filter(pk=closed.pk).update(contact=REACH)

    def test_from_the_page_and_by_the_api(self, house: CaseHouse, closed: Case) -> None:
        page = Client()
        page.force_login(house.officer)
        at = reverse("generation:case", args=[closed.public_id])
        assert "Erase who asked" in page.get(at).content.decode()
        gone = page.post(reverse("generation:case-erase", args=[closed.public_id]), {"reason": "Art. 17."})
        assert gone.status_code == 302
        shown = page.get(at).content.decode()
        assert REACH not in shown
        assert "Erase who asked" not in shown

        where = f"{API}/cases/{closed.public_id}/erase-contact/"
        again = client_of(house.officer).post(where, {"reason": "Art. 17."}, format="json")
        assert again.status_code == 409

    def test_by_command(self, house: CaseHouse, closed: Case) -> None:
        refused = run(
            "erase_contact", closed.reference, "--as", house.steward.username, "--reason", "Art. 17."
        )
        done = run("erase_contact", closed.reference, "--as", house.officer.username, "--reason", "Art. 17.")

        assert "compliance officer" in refused.err.lower()
        assert done.code == 0
        assert done.lines[0]["case"] == closed.reference
        assert Case.objects.get(pk=closed.pk).contact == ""
