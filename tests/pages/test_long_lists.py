"""Lists read a stretch at a time: every row once, in order, for the same number of queries."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from provenance.models import (
    Catalogue,
    CatalogueRun,
    Conflict,
    Dataset,
    ExceptionMemo,
    Recording,
    Reservation,
)
from tests.people import People, a_dataset

pytestmark = pytest.mark.django_db
THEN = datetime(2026, 3, 2, tzinfo=UTC)
N_ROWS = 120  # three pages, all of one instant


@pytest.fixture
def dataset(people: People) -> Dataset:
    return a_dataset(people.steward, people.house)


def conflicts(people: People, dataset: Dataset, n: int) -> None:
    recording = Recording.objects.filter(entries__dataset=dataset)[0]
    sides = {"recording_a": recording, "recording_b": recording, "evidence_a": {}, "evidence_b": {}}
    Conflict.objects.bulk_create(
        Conflict(
            organisation=people.house,
            kind="shares_gap",
            summary=f"Gap {one}",
            key=f"{Conflict.objects.count()}-{one}",
            found_at=THEN,
            **sides,
        )
        for one in range(n)
    )


def opt_outs(people: People, dataset: Dataset, n: int) -> None:
    said = {"source": "declared", "declared_at": THEN, "recorded_at": THEN, "recorded_by": people.steward}
    held = Reservation.objects.count()
    Reservation.objects.bulk_create(
        Reservation(organisation=people.house, key=f"{held}-{one}", **said) for one in range(n)
    )


def memos(people: People, dataset: Dataset, n: int) -> None:
    said = {"provision": "Article 3", "purposes": ["data_mining"], "signed_by": "Dr Ada Counsel"}
    kept = {"lawful_access": "Subscription", "recorded_by": people.officer, "recorded_at": THEN}
    ExceptionMemo.objects.bulk_create(
        ExceptionMemo(organisation=people.house, **said, **kept) for _ in range(n)
    )


def catalogues(people: People, dataset: Dataset, n: int) -> None:
    brought = {"source_name": "c.csv", "source_sha256": "0" * 64, "format": "csv", "uploaded_at": THEN}
    made = Catalogue.objects.bulk_create(
        Catalogue(organisation=people.house, name=f"C {one}", uploaded_by=people.officer, **brought)
        for one in range(n)
    )
    counted = {"n_rows": 1, "n_found": 1, "n_probable": 0, "n_recordings": 1, "is_latest": True}
    CatalogueRun.objects.bulk_create(
        CatalogueRun(catalogue=one, dataset=dataset, asked_by=people.officer, run_at=THEN, **counted)
        for one in made
    )


Fill = Callable[[People, Dataset, int], None]
LISTS: dict[str, tuple[type[Model], Fill]] = {
    "conflict-list": (Conflict, conflicts),
    "reservation-list": (Reservation, opt_outs),
    "memo-list": (ExceptionMemo, memos),
    "catalogue-list": (Catalogue, catalogues),
}


@pytest.fixture
def client(people: People) -> Client:
    client = Client()
    client.force_login(people.officer)
    return client


@pytest.mark.parametrize("name", LISTS)
class TestALongList:
    def test_shows_every_row_once_and_leads_back(
        self, people: People, dataset: Dataset, client: Client, name: str
    ) -> None:
        model, fill = LISTS[name]
        fill(people, dataset, N_ROWS)
        address = reverse(f"provenance:{name}")
        stretches: list[Any] = []
        query = ""
        while not stretches or query:
            stretches.append(client.get(address + query).context["stretch"])
            query = f"?after={stretches[-1].after}" if stretches[-1].after else ""

        seen = [row.pk for stretch in stretches for row in stretch.rows]
        assert seen == list(model._default_manager.order_by("-pk").values_list("pk", flat=True))
        assert [(len(one.rows), one.n_in_all) for one in stretches] == [
            (50, N_ROWS),
            (50, N_ROWS),
            (20, N_ROWS),
        ]
        back = client.get(f"{address}?before={stretches[2].before}").context["stretch"]
        assert back.rows == stretches[1].rows

    def test_costs_as_many_queries_at_any_length(
        self, people: People, dataset: Dataset, client: Client, name: str
    ) -> None:
        _, fill = LISTS[name]
        counts = []
        for _ in range(2):
            fill(people, dataset, 10)
            with CaptureQueriesContext(connection) as asked:
                client.get(reverse(f"provenance:{name}"))
            counts.append(len(asked))
        assert counts[0] == counts[1]
