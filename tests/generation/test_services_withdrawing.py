"""A case taken back before it is decided, and who asked erased once it is closed."""

from __future__ import annotations

import json
from copy import deepcopy
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
from governance import ledger
from governance.errors import ConflictError, NotAllowedError
from governance.models import LedgerEvent, User
from provenance.models import Reservation
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

    def test_by_command(self, house: CaseHouse) -> None:
        case = filed(house, by=house.label).case
        refused = run("withdraw_case", case.reference, "--as", house.officer.username)
        done = run("withdraw_case", case.reference, "--as", house.label.username, "--reason", "Solved.")

        assert "whoever filed it" in refused.err
        assert done.code == 0
        assert done.lines == [{"case": case.reference, "id": str(case.public_id), "state": "withdrawn"}]


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
