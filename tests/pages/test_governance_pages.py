"""Pages of governance: everybody's first page, reviews, jobs, the ledger, and what keeps them apart."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import DatabaseError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from governance import ledger, services, slots
from governance.models import Decision, Job, JobState, LedgerEvent, Member, Question, Review, Role, User
from governance.views import time_left
from provenance.models import Party
from tests.pages.people import Shelf, a_frozen
from tests.pages.test_provenance_pages import client_of, n_queries, text_of
from tests.people import ledger_unlocked


def a_job(shelf: Shelf, asked_by: User | None = None, **facts: object) -> Job:
    job = services.queue_job(
        kind="provenance.index",
        organisation=shelf.people.house,
        asked_by=asked_by or shelf.people.steward,
        now=timezone.now(),
        arguments={"reference": "folk"},
        subject_kind="dataset",
        subject_id=shelf.dataset.public_id,
        subject_name="folk",
    )
    Job.objects.filter(pk=job.pk).update(**facts)
    job.refresh_from_db()
    return job


def pages_of(shelf: Shelf) -> dict[str, str]:
    return {
        "home": reverse("home"),
        "reviews": reverse("governance:review-list"),
        "review": reverse("governance:review", args=[Review.objects.get().public_id]),
        "jobs": reverse("governance:job-list"),
        "job": reverse("governance:job", args=[a_job(shelf).public_id]),
        "ledger": reverse("governance:ledger"),
        "ledger verification": reverse("governance:ledger-verification"),
    }


NOT_FOR_LABELS = {"review", "job"}  # a label reads what is its own


class TestEveryPage:
    @pytest.mark.parametrize("role", Role.values)
    def test_opens_for_each_role(self, shelf: Shelf, role: str) -> None:
        client = client_of(shelf.people.by_role()[role])
        for name, address in pages_of(shelf).items():
            wanted = 404 if role == Role.LABEL_AUDITOR and name in NOT_FOR_LABELS else 200
            assert client.get(address).status_code == wanted, name

    def test_asks_the_anonymous_to_sign_in(self, shelf: Shelf) -> None:
        for name, address in pages_of(shelf).items():
            response = client_of(None).get(address)
            assert response.status_code == 302, name
            assert response["Location"].startswith(reverse("login")), name

    def test_tells_a_stranger_nothing(self, shelf: Shelf) -> None:
        client = client_of(shelf.people.stranger)
        for name, address in pages_of(shelf).items():
            response = client.get(address)
            assert response.status_code == (404 if name in {"review", "job"} else 200), name
            assert "folk" not in response.content.decode(), name

    def test_ends_with_the_membership(self, shelf: Shelf) -> None:
        outsider = shelf.people.outsider
        Member.objects.filter(user=outsider).update(valid_until=timezone.now() - timedelta(minutes=1))
        client = client_of(outsider)
        assert client.get(pages_of(shelf)["review"]).status_code == 404
        assert "You have no role yet" in text_of(client, reverse("home"))


class TestHome:
    def test_shows_the_officer_what_waits(self, shelf: Shelf) -> None:
        text = text_of(client_of(shelf.people.officer), reverse("home"))
        assert "dataset waits for your approval" in text
        assert reverse("governance:review", args=[Review.objects.get().public_id]) in text

    def test_shows_nobody_a_question_of_their_own(self, shelf: Shelf) -> None:
        Review.objects.update(asked_by=shelf.people.officer)
        assert "waits for your approval" not in text_of(client_of(shelf.people.officer), reverse("home"))

    def test_shows_the_steward_drafts_until_they_are_approved(self, shelf: Shelf) -> None:
        client = client_of(shelf.people.steward)
        assert "recordings of folk are not approved" in text_of(client, reverse("home"))
        a_frozen(shelf)
        assert "not approved" not in text_of(client, reverse("home"))

    def test_shows_the_label_its_recordings_and_grants(self, shelf: Shelf) -> None:
        Party.objects.filter(name="Cellar Records").update(stands_for=shelf.people.house)
        text = text_of(client_of(shelf.people.auditor), reverse("home"))
        assert "Where our recordings are" in text
        assert "Cellar Records to House" in text

    def test_says_a_role_once_and_where_it_is_held(self, shelf: Shelf) -> None:
        person = shelf.people.auditor
        assert "Label auditor </p>" in text_of(client_of(person), reverse("home"))
        Member.objects.create(
            user=person, organisation=shelf.people.elsewhere, role="label_auditor", valid_from=timezone.now()
        )
        text = text_of(client_of(person), reverse("home"))
        assert "Label auditor of House and of Elsewhere </p>" in text

    def test_shows_the_engineer_work_in_flight(self, shelf: Shelf) -> None:
        a_job(shelf, state=JobState.RUNNING, n_done=1, n_total=4)
        text = text_of(client_of(shelf.people.engineer), reverse("home"))
        assert "Provenance index: folk" in text
        assert "25 %" in text

    def test_shows_the_external_auditor_the_ledger(self, shelf: Shelf) -> None:
        assert ledger.head()[1] in text_of(client_of(shelf.people.outsider), reverse("home"))

    @pytest.mark.parametrize("role", [Role.DATA_STEWARD, Role.LABEL_AUDITOR, Role.COMPLIANCE_OFFICER])
    def test_asks_no_more_of_the_database_as_rows_grow(self, shelf: Shelf, role: str) -> None:
        client = client_of(shelf.people.by_role()[role])
        client.get(reverse("home"))
        few = n_queries(client, reverse("home"))
        for _ in range(5):
            a_review_of_something_else(shelf)
        assert n_queries(client, reverse("home")) == few


def a_review_of_something_else(shelf: Shelf) -> Review:
    return services.ask_review(
        question=Question.DATASET_APPROVAL,
        subject_kind="dataset",
        subject_id=uuid4(),
        subject_name="another",
        organisation=shelf.people.house,
        asked_by=shelf.people.steward,
        now=timezone.now(),
    )


class TestSlots:
    def test_are_left_out_when_they_have_nothing_to_say(self, shelf: Shelf) -> None:
        review = a_review_of_something_else(shelf)
        client = client_of(shelf.people.officer)
        text = text_of(client, reverse("governance:review", args=[review.public_id]))
        assert "What it holds" not in text

    def test_are_filled_once_however_often_an_app_starts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(slots, "_slots", {})
        for _ in range(2):
            slots.fill("dataset", template="a.html")(lambda user, subject: None)
        assert len(slots._slots["dataset"]) == 1

    def test_have_a_decider_for_every_question(self, shelf: Shelf) -> None:
        for question in Question:
            assert slots.decider_of(Review(question=question)) is not None, question


class TestReviewPage:
    def test_records_the_decision_with_its_conditions(self, shelf: Shelf) -> None:
        address = reverse("governance:review", args=[Review.objects.get().public_id])
        client = client_of(shelf.people.officer)
        given = {"decision": "approved", "conditions": ["attribution"], "reason": "Read and understood."}
        assert client.post(address, given).status_code == 302
        review = Review.objects.get()
        assert (review.decision, review.conditions) == (Decision.APPROVED, ["attribution"])
        assert "Read and understood." in text_of(client, address)
        assert not LedgerEvent.objects.filter(body__icontains="understood").exists()

    def test_needs_a_reason(self, shelf: Shelf) -> None:
        address = reverse("governance:review", args=[Review.objects.get().public_id])
        response = client_of(shelf.people.officer).post(address, {"decision": "approved", "reason": ""})
        assert response.status_code == 422
        assert "Say in a sentence why." in response.content.decode()

    def test_refuses_who_registered_the_recordings(self, shelf: Shelf) -> None:
        Member.objects.create(
            user=shelf.people.steward, organisation=shelf.people.house, role=Role.COMPLIANCE_OFFICER
        )
        Review.objects.update(asked_by=shelf.people.engineer)
        address = reverse("governance:review", args=[Review.objects.get().public_id])
        response = client_of(shelf.people.steward).post(address, {"decision": "approved", "reason": "Mine."})
        assert response.status_code == 403
        assert "somebody else must approve it" in response.content.decode()
        assert Review.objects.get().decision == Decision.PENDING

    @pytest.mark.parametrize("role", ["data_steward", "ml_engineer", "external_auditor"])
    def test_is_read_and_not_decided_by_other_roles(self, shelf: Shelf, role: str) -> None:
        address = reverse("governance:review", args=[Review.objects.get().public_id])
        client = client_of(shelf.people.by_role()[role])
        assert "A compliance officer decides it." in text_of(client, address)
        assert client.post(address, {"decision": "approved", "reason": "So."}).status_code == 403

    def test_is_not_decided_twice(self, shelf: Shelf) -> None:
        address = reverse("governance:review", args=[Review.objects.get().public_id])
        client = client_of(shelf.people.officer)
        client.post(address, {"decision": "rejected", "reason": "No."})
        assert client.post(address, {"decision": "approved", "reason": "Yes."}).status_code == 403
        assert Review.objects.get().decision == Decision.REJECTED


class TestReviewList:
    def test_shows_what_waits_and_on_request_what_is_decided(self, shelf: Shelf) -> None:
        client = client_of(shelf.people.officer)
        address = reverse("governance:review-list")
        assert "folk" in text_of(client, address)
        assert "No review fits" in text_of(client, f"{address}?state=decided")
        assert "No review fits" in text_of(client, f"{address}?question=model.release")

    def test_asks_no_more_of_the_database_as_rows_grow(self, shelf: Shelf) -> None:
        client = client_of(shelf.people.officer)
        address = reverse("governance:review-list")
        client.get(address)
        few = n_queries(client, address)
        for _ in range(5):
            a_review_of_something_else(shelf)
        assert n_queries(client, address) == few


class TestJobPage:
    def test_asks_again_while_it_runs_and_not_when_it_is_over(self, shelf: Shelf) -> None:
        job = a_job(shelf, state=JobState.RUNNING, n_done=1, n_total=4, message="1 of 4 recordings")
        client = client_of(shelf.people.steward)
        address = reverse("governance:job", args=[job.public_id])
        running = client.get(address, headers={"HX-Request": "true"}).content.decode()
        assert f'data-url="{address}"' in running
        assert "1 of 4 recordings" in running
        assert "<html" not in running
        Job.objects.update(state=JobState.DONE, outcome={"recordings": 4, "covers_all": True})
        assert "data-url" not in client.get(address, headers={"HX-Request": "true"}).content.decode()
        assert re.search(r"covers all</dt> <dd> yes", text_of(client, address))

    def test_says_what_failed_and_what_is_kept(self, shelf: Shelf) -> None:
        job = a_job(shelf, state=JobState.FAILED, message="The disk is full.", finished_at=timezone.now())
        text = text_of(client_of(shelf.people.steward), reverse("governance:job", args=[job.public_id]))
        assert "The disk is full." in text
        assert "What was finished before is kept" in text

    def test_is_stopped_by_who_asked_or_an_officer(self, shelf: Shelf) -> None:
        people = shelf.people
        for person, status in ((people.engineer, 403), (people.steward, 302), (people.officer, 302)):
            job = a_job(shelf, state=JobState.RUNNING)
            stop = reverse("governance:job-stop", args=[job.public_id])
            assert client_of(person).post(stop).status_code == status
            job.refresh_from_db()
            assert job.stop_requested == (status == 302)

    def test_is_not_stopped_by_opening_an_address(self, shelf: Shelf) -> None:
        job = a_job(shelf)
        stop = reverse("governance:job-stop", args=[job.public_id])
        assert client_of(shelf.people.steward).get(stop).status_code == 405

    @pytest.mark.parametrize(
        ("n_done", "words"),
        [(0, ""), (1, "about 3 minutes left"), (50, "less than a minute left"), (100, "")],
    )
    def test_estimates_by_what_is_done(self, n_done: int, words: str) -> None:
        now = timezone.now()
        spent_s = {0: 5, 1: 2, 50: 40, 100: 90}[n_done]
        job = Job(
            state=JobState.RUNNING, n_done=n_done, n_total=100, started_at=now - timedelta(seconds=spent_s)
        )
        assert time_left(job, now) == words


class TestLedgerPage:
    def test_shows_lines_of_the_house_with_who_did_them(self, shelf: Shelf) -> None:
        text = text_of(client_of(shelf.people.outsider), reverse("governance:ledger"))
        assert "provenance.grant.registered" in text
        assert "Grant registered" in text
        assert shelf.people.steward.username in text

    def test_filters_by_subject(self, shelf: Shelf) -> None:
        client = client_of(shelf.people.outsider)
        text = text_of(client, f"{reverse('governance:ledger')}?subject={shelf.grant.public_id}")
        assert " 1 line " in text

    def test_says_what_is_wrong_with_an_id(self, shelf: Shelf) -> None:
        text = text_of(client_of(shelf.people.outsider), f"{reverse('governance:ledger')}?subject=folk")
        assert "An id looks like" in text

    def test_asks_no_more_of_the_database_as_lines_grow(self, shelf: Shelf) -> None:
        client = client_of(shelf.people.outsider)
        client.get(reverse("governance:ledger"))
        few = n_queries(client, reverse("governance:ledger"))
        for _ in range(5):
            a_review_of_something_else(shelf)
        assert n_queries(client, reverse("governance:ledger")) == few

    def test_verifies_the_chain_and_names_the_first_bad_line(self, shelf: Shelf) -> None:
        client = client_of(shelf.people.outsider)
        address = reverse("governance:ledger-verification")
        assert "follow from the first" in text_of(client, address)
        second = LedgerEvent.objects.get(sequence=2)
        with ledger_unlocked():
            LedgerEvent.objects.filter(sequence=2).update(kind="governance.nothing.happened")
        assert second.kind != "governance.nothing.happened"
        assert "Line 2 is the first that is wrong" in text_of(client, address)


class TestSigningIn:
    def test_leads_where_one_wanted_to_go(self, shelf: Shelf) -> None:
        client = Client()
        wanted = reverse("governance:ledger")
        response = client.post(
            f"{reverse('login')}?next={wanted}",
            {"username": shelf.people.officer.username, "password": "a long enough password", "next": wanted},
        )
        assert response["Location"] == wanted

    def test_never_leads_to_another_machine(self, shelf: Shelf) -> None:
        response = Client().post(
            reverse("login"),
            {
                "username": shelf.people.officer.username,
                "password": "a long enough password",
                "next": "https://elsewhere.example/",
            },
        )
        assert response["Location"] == reverse("home")

    def test_ends_with_signing_out(self, shelf: Shelf) -> None:
        client = client_of(shelf.people.officer)
        client.post(reverse("logout"))
        assert client.get(reverse("home")).status_code == 302


class TestHealth:
    @pytest.mark.django_db
    def test_says_that_the_database_answers(self) -> None:
        assert Client().get("/healthz").json()["ok"] is True

    @pytest.mark.django_db
    def test_is_503_when_it_does_not(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse() -> None:
            raise DatabaseError("gone")

        monkeypatch.setattr("governance.views.connection.cursor", refuse)
        assert Client().get("/healthz").status_code == 503


class TestStyleSheet:
    def test_is_for_staff(self, shelf: Shelf) -> None:
        client = client_of(shelf.people.officer)
        assert client.get(reverse("styleguide")).status_code == 403
        User.objects.filter(pk=shelf.people.officer.pk).update(is_staff=True)
        assert client.get(reverse("styleguide")).status_code == 200


class TestNothingThere:
    def test_is_a_page_of_its_own(self, shelf: Shelf) -> None:
        response = client_of(shelf.people.officer).get("/nowhere/")
        assert response.status_code == 404
        assert "Nothing under this address" in response.content.decode()
