"""Long lists in the API: read on behind a row, and what that row may be."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from provenance.models import Conflict, ConflictStatus, Dataset, Grant, Party, Recording, RightsClaim
from tests.people import People, a_dataset, client_of

pytestmark = pytest.mark.django_db
THEN = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture
def dataset(people: People) -> Dataset:
    return a_dataset(people.steward, people.house)


def conflicts(people: People, recording: Recording, n: int) -> None:
    sides = {"recording_a": recording, "recording_b": recording, "evidence_a": {}, "evidence_b": {}}
    Conflict.objects.bulk_create(
        Conflict(organisation=people.house, kind="shares_gap", key=str(uuid4()), found_at=THEN, **sides)
        for _ in range(n)
    )


def claims(people: People, recording: Recording, n: int) -> None:
    for _ in range(n):
        party = Party.objects.create(organisation=people.house, name=str(uuid4()))
        RightsClaim.objects.create(
            recording=recording, party=party, right="master", source="registry", recorded_at=THEN
        )


def grants(people: People, recording: Recording, n: int) -> None:
    label = Party.objects.create(organisation=people.house, name=str(uuid4()))
    given = {"licensor": label, "licensee": label, "right": "master", "purposes": ["data_mining"]}
    Grant.objects.bulk_create(
        Grant(
            organisation=people.house,
            registered_by=people.steward,
            registered_at=THEN,
            key=str(uuid4()),
            **given,
        )
        for _ in range(n)
    )


LISTS: dict[str, Callable[[People, Recording, int], None]] = {
    "conflicts": conflicts,
    "claims": claims,
    "grants": grants,
}


@pytest.mark.parametrize("name", LISTS)
class TestAListNewestFirst:
    def test_gives_every_row_once_by_its_links(self, people: People, dataset: Dataset, name: str) -> None:
        LISTS[name](people, Recording.objects.all()[0], 7)
        client = client_of(people.officer)
        seen: list[str] = []
        address: str | None = f"/api/v1/{name}/?limit=3"
        while address:
            assert "offset" not in address
            page = client.get(address).data
            seen += [row["id"] for row in page["results"]]
            address = page["next"]
        counted_off = client.get(f"/api/v1/{name}/?limit=500&offset=0").data
        assert seen == [row["id"] for row in counted_off["results"]]
        assert len(set(seen)) == counted_off["count"] >= 7

    def test_costs_as_many_queries_at_any_length(self, people: People, dataset: Dataset, name: str) -> None:
        client = client_of(people.officer)
        counts = []
        for _ in range(2):
            LISTS[name](people, Recording.objects.all()[0], 5)
            with CaptureQueriesContext(connection) as asked:
                client.get(f"/api/v1/{name}/?limit=500")
            counts.append(len(asked))
        assert counts[0] == counts[1]

    @pytest.mark.parametrize("wrong", ["nonsense", "00000000-0000-4000-8000-000000000000"])
    def test_refuses_to_go_on_behind_nothing(
        self, people: People, dataset: Dataset, name: str, wrong: str
    ) -> None:
        answer: Any = client_of(people.officer).get(f"/api/v1/{name}/?after={wrong}")
        assert answer.status_code == 400


class TestConflicts:
    def test_go_on_behind_one_that_was_closed_meanwhile(self, people: People, dataset: Dataset) -> None:
        conflicts(people, Recording.objects.all()[0], 4)
        client = client_of(people.officer)
        page = client.get("/api/v1/conflicts/?status=open&limit=2").data
        closed = {"resolved_by": people.officer, "resolved_at": THEN, "reason": "Read."}
        last = page["results"][-1]["id"]
        Conflict.objects.filter(public_id=last).update(status=ConflictStatus.DISMISSED, **closed)

        rest = client.get(page["next"]).data["results"]

        newest_first = Conflict.objects.order_by("-pk").values_list("public_id", flat=True)
        assert [row["id"] for row in rest] == [str(one) for one in newest_first[2:]]
