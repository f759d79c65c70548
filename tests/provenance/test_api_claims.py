"""Claims through the API: who may read, register and withdraw them, and what comes of it."""

from collections.abc import Mapping
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from governance.models import Role
from provenance.models import Dataset, RightsClaim
from tests.people import People, a_dataset, answers, client_of, statuses

pytestmark = pytest.mark.django_db
CLAIMS = "/api/v1/claims/"


@pytest.fixture
def dataset(people: People) -> Dataset:
    return a_dataset(people.steward, people.house)


def sent(**more: object) -> dict[str, list[dict[str, object]]]:
    claim = {"party": "Anna Lind", "right": "composition", "share": "50", "recordings": ["tune-000"]}
    return {"claims": [{**claim, **more}]}


def post(people: People, address: str = CLAIMS, body: Mapping[str, object] | None = None) -> Any:
    return client_of(people.steward).post(address, body or {}, format="json")


@pytest.fixture
def claim(people: People, dataset: Dataset) -> RightsClaim:
    assert post(people, body=sent()).status_code == 201
    return RightsClaim.objects.get()


class TestReading:
    def test_is_for_members(self, people: People, claim: RightsClaim) -> None:
        address = f"{CLAIMS}{claim.public_id}/"
        expected = statuses(members=200, label_auditor=404, stranger=404)
        assert answers(people, lambda client: client.get(address)) == expected

    def test_of_the_list_is_empty_for_strangers(self, people: People, claim: RightsClaim) -> None:
        assert client_of(people.outsider).get(CLAIMS).json()["count"] == 1
        assert client_of(people.stranger).get(CLAIMS).json()["count"] == 0

    def test_narrows_by_what_is_asked(self, people: People, claim: RightsClaim) -> None:
        client = client_of(people.outsider)
        fits = [
            f"recording={claim.recording.public_id}",
            "party=lind",
            "right=composition",
            "withdrawn=false",
        ]
        others = [f"recording={claim.public_id}", "party=Nobody", "right=master", "withdrawn=true"]
        assert [client.get(f"{CLAIMS}?{asked}").json()["count"] for asked in fits] == [1] * 4
        assert [client.get(f"{CLAIMS}?{asked}").json()["count"] for asked in others] == [0] * 4

    def test_costs_the_same_whatever_the_length(self, people: People, claim: RightsClaim) -> None:
        counts = []
        for n in range(2):
            with CaptureQueriesContext(
                connection,
            ) as asked:
                client_of(people.outsider).get(CLAIMS)
            counts.append(len(asked))
            post(people, body=sent(party=f"Holder {n}", share="1"))
        assert counts[0] == counts[1]


class TestRegistering:
    def test_is_for_stewards(self, people: People, dataset: Dataset) -> None:
        found = answers(people, lambda client: client.post(CLAIMS, sent(), format="json"))
        expected = {**statuses(members=403, stranger=422), Role.DATA_STEWARD: 201}
        assert found == expected
        assert not RightsClaim.objects.exists()

    def test_keeps_the_good_and_says_why_not_the_bad(self, people: People, dataset: Dataset) -> None:
        bad = sent(party="Low Tide", territory=["XX"])["claims"]
        body: dict[str, object] = {"claims": [*sent()["claims"], *bad]}
        response = post(people, body=body)
        assert response.status_code == 201
        first, second = response.json()["outcomes"]
        assert (first["status"], first["n_claims"]) == ("registered", 1)
        assert second["status"] == "rejected"
        assert "XX" in second["reasons"][0]
        assert response.json()["summary"] == {"registered": 1, "duplicate": 0, "rejected": 1, "findings": 1}

    def test_twice_changes_nothing(self, people: People, claim: RightsClaim) -> None:
        assert post(people, body=sent()).status_code == 200
        assert RightsClaim.objects.count() == 1

    def test_keeps_nothing_when_dry(self, people: People, dataset: Dataset) -> None:
        assert post(people, body={**sent(), "dry_run": True}).status_code == 200
        assert not RightsClaim.objects.exists()

    def test_of_what_is_not_there_is_refused(self, people: People, dataset: Dataset) -> None:
        assert post(people, body=sent(recordings=["nobody"])).status_code == 422


class TestWithdrawing:
    def test_is_for_stewards(self, people: People, claim: RightsClaim) -> None:
        found = answers(people, lambda client: client.post(f"{CLAIMS}{claim.public_id}/withdraw/"))
        expected = {**statuses(members=403, label_auditor=404, stranger=404), Role.DATA_STEWARD: 200}
        assert found == expected

    def test_leaves_it_on_record_and_happens_once(self, people: People, claim: RightsClaim) -> None:
        address = f"{CLAIMS}{claim.public_id}/withdraw/"
        assert post(people, address).json()["withdrawn_at"]
        assert post(people, address).status_code == 409
        assert client_of(people.outsider).get(CLAIMS).json()["count"] == 0
        assert client_of(people.outsider).get(f"{CLAIMS}?withdrawn=true").json()["count"] == 1
