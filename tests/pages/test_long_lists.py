"""Lists read a page at a time: every row once, in order, whatever comes meanwhile, for the same number of queries."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from generation.models import Check
from governance import ledger
from governance.models import Job, LedgerEvent, Review
from provenance.models import (
    Catalogue,
    CatalogueRun,
    Conflict,
    Dataset,
    ExceptionMemo,
    Grant,
    GrantRecording,
    Party,
    Recording,
    Reservation,
    ReservationRecording,
)
from tests.people import People, a_dataset, a_recording, a_version

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


def jobs(people: People, dataset: Dataset, n: int) -> None:
    asked = {"organisation": people.house, "kind": "test", "asked_by": people.steward, "asked_at": THEN}
    Job.objects.bulk_create(Job(**asked) for _ in range(n))


def reviews(people: People, dataset: Dataset, n: int) -> None:
    asked = {"organisation": people.house, "asked_by": people.steward, "asked_at": THEN}
    about = {"question": "dataset.approval", "subject_kind": "dataset", "subject_name": "folk"}
    Review.objects.bulk_create(Review(subject_id=uuid4(), **asked, **about) for _ in range(n))


def lines(people: People, dataset: Dataset, n: int) -> None:
    done = {"kind": "test.done", "subject_kind": "dataset", "subject_id": dataset.public_id}
    for _ in range(n):
        ledger.record(**done, actor=people.steward, organisation=people.house, now=THEN)  # type: ignore[arg-type]


def checks(people: People, dataset: Dataset, n: int) -> None:
    made = {"verdict": "review", "policy": {}, "covers_all": True, "elapsed_s": 0.1, "checked_at": THEN}
    Check.objects.bulk_create(
        Check(organisation=people.house, file_name="brought.wav", **made) for _ in range(n)
    )


Fill = Callable[[People, Dataset, int], None]
LISTS: dict[str, tuple[type[Model], Fill]] = {
    "provenance:conflict-list": (Conflict, conflicts),
    "provenance:reservation-list": (Reservation, opt_outs),
    "provenance:memo-list": (ExceptionMemo, memos),
    "provenance:catalogue-list": (Catalogue, catalogues),
    "provenance:catalogue-asked": (CatalogueRun, catalogues),
    "governance:job-list": (Job, jobs),
    "governance:ledger": (LedgerEvent, lines),
    "generation:check-list": (Check, checks),
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
        address = reverse(name)
        pages: list[Any] = []
        query = ""
        while not pages or query:
            pages.append(client.get(address + query).context["slice"])
            query = f"?after={pages[-1].after}" if pages[-1].after else ""

        seen = [row.pk for one in pages for row in one.rows]
        assert seen == list(model._default_manager.order_by("-pk").values_list("pk", flat=True))
        assert [(len(one.rows), one.n_in_all) for one in pages] == [
            (50, N_ROWS),
            (50, N_ROWS),
            (20, N_ROWS),
        ]
        back = client.get(f"{address}?before={pages[2].before}").context["slice"]
        assert back.rows == pages[1].rows

    def test_goes_on_where_it_was_though_rows_come(
        self, people: People, dataset: Dataset, client: Client, name: str
    ) -> None:
        model, fill = LISTS[name]
        fill(people, dataset, 60)
        expected = list(model._default_manager.order_by("-pk").values_list("pk", flat=True))
        address = reverse(name)
        first = client.get(address).context["slice"]
        fill(people, dataset, 3)
        second = client.get(f"{address}?after={first.after}").context["slice"]
        assert [row.pk for row in [*first.rows, *second.rows]] == expected

    def test_costs_as_many_queries_at_any_length(
        self, people: People, dataset: Dataset, client: Client, name: str
    ) -> None:
        _, fill = LISTS[name]
        counts = []
        for _ in range(2):
            fill(people, dataset, 10)
            with CaptureQueriesContext(connection) as asked:
                client.get(reverse(name))
            counts.append(len(asked))
        assert counts[0] == counts[1]


class TestReviews:
    @pytest.mark.parametrize(("state", "sign"), [("pending", ""), ("all", "-")])
    def test_go_on_in_the_order_of_their_queue(
        self, people: People, dataset: Dataset, client: Client, state: str, sign: str
    ) -> None:
        reviews(people, dataset, 60)
        address = f"{reverse('governance:review-list')}?state={state}"
        first = client.get(address).context["slice"]
        second = client.get(f"{address}&after={first.after}").context["slice"]
        expected = list(Review.objects.order_by(f"{sign}pk").values_list("pk", flat=True))
        assert [row.pk for row in [*first.rows, *second.rows]] == expected

    def test_begin_anew_where_a_mark_is_of_another_queue(
        self, people: People, dataset: Dataset, client: Client
    ) -> None:
        reviews(people, dataset, 60)
        address = reverse("governance:review-list")
        mark = client.get(f"{address}?state=pending").context["slice"].after
        assert client.get(f"{address}?state=all&after={mark}").context["slice"].is_start


class TestLeaves:
    def test_go_on_in_the_order_of_the_tree(self, people: People, client: Client) -> None:
        version = a_version(a_dataset(people.steward, people.house, n_recordings=60), people.steward)
        address = reverse("provenance:version", args=[version.public_id])
        first = client.get(address).context["slice"]
        page = client.get(f"{address}?after={first.after}")
        places = [leaf.position for leaf in [*first.rows, *page.context["slice"].rows]]
        assert places == list(range(60))
        assert "10 of 60 recordings" in page.content.decode()


class TestAFilteredList:
    def test_goes_on_from_the_place_of_a_row_that_left_it(
        self, people: People, dataset: Dataset, client: Client
    ) -> None:
        conflicts(people, dataset, 120)
        expected = list(Conflict.objects.order_by("-pk").values_list("pk", flat=True))
        address = f"{reverse('provenance:conflict-list')}?status=open"
        first = client.get(address).context["slice"]
        closed = {"resolved_by": people.officer, "resolved_at": THEN, "reason": "Read."}
        Conflict.objects.filter(pk=first.rows[-1].pk).update(status="dismissed", **closed)
        second = client.get(f"{address}&after={first.after}").context["slice"]
        assert [row.pk for row in second.rows] == expected[50:100]

    def test_leads_back_from_beyond_its_end(self, people: People, dataset: Dataset, client: Client) -> None:
        conflicts(people, dataset, 60)
        address = f"{reverse('provenance:conflict-list')}?status=open"
        first = client.get(address).context["slice"]
        Conflict.objects.filter(pk__lt=first.rows[-1].pk).delete()
        beyond = client.get(f"{address}&after={first.after}")
        assert not beyond.context["slice"].rows
        assert '<a href="?status=open">First</a>' in beyond.content.decode()


class TestRecordings:
    @pytest.fixture(params=["grant", "reservation"])
    def bound(self, request: Any, people: People, dataset: Dataset) -> tuple[str, Callable[[str, int], None]]:
        """The page of a grant, or of an opt-out, and how recordings come to be under it."""
        label = Party.objects.create(organisation=people.house, name="Cellar")
        grant = Grant.objects.create(
            organisation=people.house,
            licensor=label,
            licensee=label,
            right="master",
            purposes=["data_mining"],
            registered_by=people.steward,
            registered_at=THEN,
            key="g",
        )
        opt_outs(people, dataset, 1)
        held = Reservation.objects.get()

        def bind(title: str, n: int) -> None:
            for _ in range(n):
                recording = a_recording(people.house, title=title)
                if request.param == "grant":
                    GrantRecording.objects.create(grant=grant, recording=recording)
                else:
                    ReservationRecording.objects.create(
                        reservation=held, recording=recording, because=f"because of {title}"
                    )

        about = grant if request.param == "grant" else held
        return reverse(f"provenance:{request.param}", args=[about.public_id]), bind

    def test_of_a_grant_or_an_opt_out_come_once_though_others_come_in(
        self, client: Client, bound: tuple[str, Callable[[str, int], None]]
    ) -> None:
        address, bind = bound
        bind("m", 55)
        page = client.get(address)
        first = page.context["slice"]
        bind("a", 2)
        second = client.get(f"{address}?after={first.after}").context["slice"]
        keys = [row.pk for row in [*first.rows, *second.rows]]
        assert keys == list(Recording.objects.filter(title="m").order_by("pk").values_list("pk", flat=True))
        assert (first.n_in_all, second.n_in_all) == (55, 57)
        assert "50 of 55 recordings" in page.content.decode()
        if "opt-outs" in address:
            assert page.content.decode().count("because of m") == 50

    def test_of_a_grant_or_an_opt_out_cost_as_many_queries_however_many(
        self, client: Client, bound: tuple[str, Callable[[str, int], None]]
    ) -> None:
        address, bind = bound
        counts = []
        for _ in range(2):
            bind("m", 5)
            with CaptureQueriesContext(connection) as asked:
                client.get(address)
            counts.append(len(asked))
        assert counts[0] == counts[1]
