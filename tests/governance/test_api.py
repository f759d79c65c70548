import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient
from rest_framework.throttling import SimpleRateThrottle

from governance import services
from governance.models import Job, JobState, LedgerEvent, Member
from lib.ids import new_public_id
from tests.people import (
    PASSWORD,
    People,
    a_dataset,
    a_review,
    answers,
    client_of,
    ledger_unlocked,
    statuses,
)

API = "/api/v1"
READS = statuses(members=200, stranger=404)
READS_WHOLE = statuses(members=200, label_auditor=404, stranger=404)  # a label reads what it asked itself
LISTS = statuses(members=200, stranger=200)


def basic(username: str, password: str) -> APIClient:
    words = base64.b64encode(f"{username}:{password}".encode()).decode()
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Basic {words}")
    return client


def a_job(people: People, **facts: Any) -> Job:
    return services.queue_job(
        kind="provenance.register",
        organisation=people.house,
        asked_by=people.steward,
        now=timezone.now(),
        arguments={"source": "/somewhere/on/the/server.csv"},
        **facts,
    )


class TestTokens:
    def test_are_made_with_a_password_and_open_the_api(self, people: People) -> None:
        made = basic("data_steward", PASSWORD).post(f"{API}/tokens/login/")
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Token {made.json()['token']}")
        assert client.get(f"{API}/whoami/").json()["username"] == "data_steward"

    def test_are_not_made_with_a_wrong_password(self, people: People) -> None:
        refused = basic("data_steward", "wrong").post(f"{API}/tokens/login/")
        assert refused.status_code == 401
        assert refused.json()["code"] == "authentication_failed"

    def test_are_not_made_with_a_token(self, people: People) -> None:
        token = basic("data_steward", PASSWORD).post(f"{API}/tokens/login/").json()["token"]
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Token {token}")
        assert client.post(f"{API}/tokens/login/").status_code == 401

    def test_are_not_made_for_who_was_shut_out(self, people: People) -> None:
        people.steward.is_active = False
        people.steward.save(update_fields=["is_active"])
        assert basic("data_steward", PASSWORD).post(f"{API}/tokens/login/").status_code == 401

    def test_are_not_made_for_the_system_user(self, people: People) -> None:
        services.system_user()
        assert basic("cli", "").post(f"{API}/tokens/login/").status_code == 401

    @pytest.mark.parametrize(("address", "n_left"), [("logout", 1), ("logout-all", 0)])
    def test_are_forgotten(self, people: People, address: str, n_left: int) -> None:
        first, second = (
            basic("data_steward", PASSWORD).post(f"{API}/tokens/login/").json()["token"] for _ in range(2)
        )
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Token {first}")
        assert client.post(f"{API}/tokens/{address}/").status_code == 204
        assert client.get(f"{API}/whoami/").status_code == 401
        client.credentials(HTTP_AUTHORIZATION=f"Token {second}")
        assert client.get(f"{API}/whoami/").status_code == (200 if n_left else 401)

    def test_are_asked_for_only_so_often_at_one_name(self, people: People, throttled: None) -> None:
        found = [
            basic("data_steward", "wrong")
            .post(f"{API}/tokens/login/", REMOTE_ADDR=f"192.0.2.{n}")
            .status_code
            for n in range(3)
        ]
        assert found == [401, 401, 429]
        right = basic("data_steward", PASSWORD).post(f"{API}/tokens/login/", REMOTE_ADDR="192.0.2.9")
        assert right.status_code == 429
        assert right.json()["code"] == "throttled"

    def test_are_asked_for_only_so_often_from_one_address(self, people: People, throttled: None) -> None:
        names = ["data_steward", "ml_engineer", "label_auditor"]
        found = [basic(name, "wrong").post(f"{API}/tokens/login/").status_code for name in names]
        assert found == [401, 401, 429]


@pytest.fixture
def throttled(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", {"login": "2/min"})
    cache.clear()
    yield
    cache.clear()


class TestWhoAmI:
    def test_names_the_roles_held_now(self, people: People) -> None:
        said = client_of(people.officer).get(f"{API}/whoami/").json()
        assert said["id"] == str(people.officer.public_id)
        assert [(held["name"], held["role"]) for held in said["memberships"]] == [
            ("House", "compliance_officer")
        ]

    def test_leaves_out_a_role_whose_time_is_over(self, people: People) -> None:
        Member.objects.filter(user=people.outsider).update(valid_until=timezone.now())
        assert client_of(people.outsider).get(f"{API}/whoami/").json()["memberships"] == []

    def test_is_for_everybody_who_signed_in(self, people: People) -> None:
        assert answers(people, lambda client: client.get(f"{API}/whoami/")) == LISTS


class TestJobs:
    def test_are_read_by_members(self, people: People) -> None:
        job = a_job(people)
        assert answers(people, lambda client: client.get(f"{API}/jobs/{job.public_id}/")) == READS_WHOLE

    def test_are_listed_to_members_alone(self, people: People) -> None:
        a_job(people)
        assert client_of(people.outsider).get(f"{API}/jobs/").json()["count"] == 1
        assert client_of(people.auditor).get(f"{API}/jobs/").json()["count"] == 0
        assert client_of(people.stranger).get(f"{API}/jobs/").json()["count"] == 0

    def test_are_stopped_by_those_who_make_things(self, people: People) -> None:
        job = a_job(people)
        found = answers(people, lambda client: client.post(f"{API}/jobs/{job.public_id}/stop/"))
        assert found == statuses(members=200, label_auditor=404, external_auditor=403, stranger=404)

    def test_that_wait_are_over_at_once_when_stopped(self, people: People) -> None:
        job = a_job(people)
        said = client_of(people.steward).post(f"{API}/jobs/{job.public_id}/stop/").json()
        assert said["state"] == JobState.CANCELLED

    def test_hide_where_files_lie_and_the_primary_key(self, people: People) -> None:
        job = a_job(people)
        said = client_of(people.steward).get(f"{API}/jobs/{job.public_id}/").json()
        assert "arguments" not in said
        assert said["id"] == str(job.public_id)

    def test_are_filtered_by_state(self, people: People) -> None:
        a_job(people)
        client = client_of(people.steward)
        assert client.get(f"{API}/jobs/?state=done").json()["count"] == 0
        assert client.get(f"{API}/jobs/?state=queued").json()["count"] == 1


class TestReviews:
    def test_are_read_by_members(self, people: People) -> None:
        review = a_review(people.steward, people.house, a_dataset(people.steward, people.house))
        assert answers(people, lambda client: client.get(f"{API}/reviews/{review.public_id}/")) == READS_WHOLE

    def test_stand_in_a_queue(self, people: People) -> None:
        a_review(people.steward, people.house, a_dataset(people.steward, people.house))
        client = client_of(people.officer)
        assert client.get(f"{API}/reviews/?decision=pending").json()["count"] == 1
        assert client.get(f"{API}/reviews/?decision=approved").json()["count"] == 0
        assert client_of(people.stranger).get(f"{API}/reviews/").json()["count"] == 0


class TestLedger:
    def test_shows_members_their_own_organisation_alone(self, people: People) -> None:
        a_review(people.steward, people.house, a_dataset(people.steward, people.house))
        (event,) = client_of(people.outsider).get(f"{API}/ledger/events/").json()["results"]
        assert event["kind"] == "governance.review.asked"
        assert event["organisation"] == str(people.house.public_id)
        assert client_of(people.stranger).get(f"{API}/ledger/events/").json()["count"] == 0

    def test_goes_on_after_an_event(self, people: People) -> None:
        for name in ("folk", "jazz"):
            a_review(people.steward, people.house, a_dataset(people.steward, people.house, name=name))
        said = client_of(people.outsider).get(f"{API}/ledger/events/?after=1").json()
        assert [event["sequence"] for event in said["results"]] == [2]

    @pytest.mark.parametrize("address", ["events", "head", "verification"])
    def test_is_open_to_everybody_who_signed_in(self, people: People, address: str) -> None:
        assert answers(people, lambda client: client.get(f"{API}/ledger/{address}/")) == LISTS

    def test_verifies(self, people: People) -> None:
        a_review(people.steward, people.house, a_dataset(people.steward, people.house))
        client = client_of(people.outsider)
        head = client.get(f"{API}/ledger/head/").json()
        said = client.get(f"{API}/ledger/verification/").json()
        assert said == {"events": 1, "head": head["head"], "ok": True, "first_bad": None, "problem": ""}

    def test_names_what_was_tampered_with(self, people: People) -> None:
        a_review(people.steward, people.house, a_dataset(people.steward, people.house))
        with ledger_unlocked():
            LedgerEvent.objects.update(kind="governance.review.approved")
        said = client_of(people.outsider).get(f"{API}/ledger/verification/").json()
        assert (said["ok"], said["first_bad"]) == (False, 1)


class TestErrors:
    def test_say_the_same_of_what_is_hidden_and_what_is_not_there(self, people: People) -> None:
        hidden = client_of(people.stranger).get(f"{API}/jobs/{a_job(people).public_id}/")
        missing = client_of(people.stranger).get(f"{API}/jobs/{uuid4()}/")
        assert hidden.status_code == missing.status_code == 404
        assert hidden.json() == missing.json() == {"code": "not_found", "detail": "There is no such job."}

    def test_refuse_a_parameter_that_nobody_knows(self, people: People) -> None:
        refused = client_of(people.steward).get(f"{API}/jobs/?stat=done")
        assert refused.status_code == 400
        assert refused.json()["code"] == "invalid"
        assert refused.json()["detail"].startswith("stat: Nobody knows this parameter")
        assert "stat" in refused.json()["fields"]

    def test_refuse_a_body_that_is_too_long(self, people: People, settings: Any) -> None:
        settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
        refused = client_of(people.steward).post(f"{API}/grants/", {"deals": ["x" * 200]}, format="json")
        assert refused.status_code == 413
        assert refused.json()["code"] == "too_large"

    def test_say_that_an_address_with_a_primary_key_is_none(self, people: People) -> None:
        assert client_of(people.steward).get(f"{API}/jobs/{a_job(people).pk}/").status_code == 404

    def test_ask_nobody_for_a_token(self, people: People) -> None:
        refused = client_of(None).get(f"{API}/jobs/")
        assert refused.status_code == 401
        assert refused.json()["code"] == "not_authenticated"
        assert refused.headers["WWW-Authenticate"] == "Token"


class TestPages:
    def test_cost_the_same_whatever_their_length(
        self, people: People, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        client = client_of(people.officer)
        for address in ("jobs", "reviews", "ledger/events"):
            counts = []
            for round_ in range(2):
                for n in range(3):
                    a_job(people)
                    name = f"{address[:4]}-{round_}-{n}"
                    a_review(people.steward, people.house, a_dataset(people.steward, people.house, name=name))
                with django_assert_max_num_queries(10) as asked:
                    assert client.get(f"{API}/{address}/").json()["count"] >= 3
                counts.append(len(asked))
            assert counts[0] == counts[1], address

    def test_are_never_longer_than_five_hundred(self, people: People) -> None:
        rows = [
            Job(organisation=people.house, kind="test", asked_by=people.steward, public_id=new_public_id())
            for _ in range(501)
        ]
        Job.objects.bulk_create(rows)
        said = client_of(people.officer).get(f"{API}/jobs/?limit=100000").json()
        assert (said["count"], len(said["results"])) == (501, 500)


class TestSchema:
    def test_stands_in_the_documents_as_it_is_served(self, tmp_path: Path) -> None:
        fresh = tmp_path / "openapi.yaml"
        call_command("spectacular", "--validate", "--file", str(fresh))
        kept = Path(__file__).parents[2] / "docs" / "openapi.yaml"
        assert fresh.read_text() == kept.read_text(), (
            "run: python manage.py spectacular --file docs/openapi.yaml"
        )

    def test_describes_every_address(self, people: People) -> None:
        from config.api import router, urlpatterns

        said = client_of(people.officer).get("/api/schema/?format=json").json()["paths"]
        n_hidden = 1  # the list of addresses itself
        assert router.urls
        assert len(said) == len({str(route.pattern) for route in urlpatterns}) - n_hidden

    def test_is_named_at_the_root_for_nobody_in_particular(self, people: People) -> None:
        said = client_of(None).get(f"{API}/")
        assert said.json()["schema"] == "http://testserver/api/schema/"
        assert said.json()["datasets"] == "http://testserver/api/v1/datasets/"
