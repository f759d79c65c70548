"""Long lists in the API: read on behind a place, whatever came or went meanwhile."""

from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from provenance.models import (
    Catalogue,
    CatalogueRun,
    Conflict,
    ConflictStatus,
    Dataset,
    EvidenceDocument,
    ExceptionMemo,
    Grant,
    GrantRecording,
    Party,
    Recording,
    Reservation,
    ReservationRecording,
    RightsClaim,
)
from tests.people import People, a_dataset, a_recording, client_of

pytestmark = pytest.mark.django_db
THEN = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def standing_dataset(founded_people: People) -> Dataset:
    return a_dataset(founded_people.steward, founded_people.house)


@pytest.fixture
def dataset(standing_dataset: Dataset, db: None) -> Dataset:
    return deepcopy(standing_dataset)


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


def opt_outs(people: People, recording: Recording, n: int) -> None:
    said = {"source": "declared", "declared_at": THEN, "recorded_at": THEN, "recorded_by": people.steward}
    Reservation.objects.bulk_create(
        Reservation(organisation=people.house, key=str(uuid4()), **said) for _ in range(n)
    )


def memos(people: People, recording: Recording, n: int) -> None:
    said = {"provision": "Article 3", "purposes": ["data_mining"], "signed_by": "Dr Ada Counsel"}
    kept = {"lawful_access": "Subscription", "recorded_by": people.officer, "recorded_at": THEN}
    ExceptionMemo.objects.bulk_create(
        ExceptionMemo(organisation=people.house, **said, **kept) for _ in range(n)
    )


def evidence(people: People, recording: Recording, n: int) -> None:
    kept = {"kind": "web_page", "sha256": "0" * 64, "size_bytes": 1, "received_at": THEN}
    EvidenceDocument.objects.bulk_create(
        EvidenceDocument(organisation=people.house, url=str(uuid4()), received_from=people.steward, **kept)
        for _ in range(n)
    )


def catalogues(people: People, recording: Recording, n: int) -> None:
    brought = {"source_name": "c.csv", "source_sha256": "0" * 64, "format": "csv", "uploaded_at": THEN}
    made = Catalogue.objects.bulk_create(
        Catalogue(organisation=people.house, name=f"C {one}", uploaded_by=people.officer, **brought)
        for one in range(n)
    )
    counted = {"n_rows": 1, "n_found": 1, "n_probable": 0, "n_recordings": 1, "is_latest": True}
    asked = {"dataset": Dataset.objects.get(), "asked_by": people.officer, "run_at": THEN}
    CatalogueRun.objects.bulk_create(CatalogueRun(catalogue=one, **asked, **counted) for one in made)


LISTS: dict[str, Callable[[People, Recording, int], None]] = {
    "conflicts": conflicts,
    "claims": claims,
    "grants": grants,
    "reservations": opt_outs,
    "memos": memos,
    "evidence": evidence,
    "catalogues": catalogues,
    "catalogue-questions": catalogues,
}


@pytest.mark.parametrize("name", LISTS)
class TestAListNewestFirst:
    def test_gives_every_row_once_by_its_links(self, people: People, dataset: Dataset, name: str) -> None:
        LISTS[name](people, Recording.objects.all()[0], 7)
        client = client_of(people.officer)
        seen, back = walked(client, f"/api/v1/{name}/?limit=3", "next")
        assert "offset" not in back
        counted_off = client.get(f"/api/v1/{name}/?limit=500&offset=0").data
        assert seen == [row["id"] for row in counted_off["results"]]
        assert len(set(seen)) == counted_off["count"] >= 7
        before, _ = walked(client, back, "previous")
        assert sorted(before) == sorted(seen)

    def test_is_not_shifted_by_what_comes_meanwhile(
        self, people: People, dataset: Dataset, name: str
    ) -> None:
        fill, recording = LISTS[name], Recording.objects.all()[0]
        fill(people, recording, 5)
        client = client_of(people.officer)
        whole = [row["id"] for row in client.get(f"/api/v1/{name}/").data["results"]]
        first = client.get(f"/api/v1/{name}/?limit=2").data
        fill(people, recording, 2)
        rest, _ = walked(client, first["next"], "next")
        assert [*(row["id"] for row in first["results"]), *rest] == whole

    def test_costs_as_many_queries_at_any_length(self, people: People, dataset: Dataset, name: str) -> None:
        client = client_of(people.officer)
        counts = []
        for _ in range(2):
            LISTS[name](people, Recording.objects.all()[0], 5)
            with CaptureQueriesContext(connection) as asked:
                client.get(f"/api/v1/{name}/?limit=500")
            counts.append(len(asked))
        assert counts[0] == counts[1]

    @pytest.mark.parametrize("wrong", ["after=nonsense", "before=WyJ5ZXN0ZXJkYXkiLCAieCJd"])
    def test_refuses_to_go_on_at_no_place(
        self, people: People, dataset: Dataset, name: str, wrong: str
    ) -> None:
        answer: Any = client_of(people.officer).get(f"/api/v1/{name}/?{wrong}")
        assert answer.status_code == 400


def walked(client: Any, address: str | None, link: str) -> tuple[list[str], str]:
    """Return the ids of every page from an address on, and the last page's address."""
    seen, last = [], ""
    while address:
        page = client.get(address).data
        seen += [row["id"] for row in page["results"]]
        last, address = address, page[link]
    return seen, last


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


class TestRecordings:
    @pytest.fixture(params=["grant", "reservation"])
    def bound(self, request: Any, people: People, dataset: Dataset) -> tuple[str, Callable[[str], None]]:
        """What asks for the recordings of a grant, or of an opt-out, and how one more comes in."""
        grants(people, Recording.objects.all()[0], 1)
        opt_outs(people, Recording.objects.all()[0], 1)
        grant, held = Grant.objects.get(), Reservation.objects.get()

        def bind(title: str) -> None:
            recording = a_recording(people.house, title=title)
            if request.param == "grant":
                GrantRecording.objects.create(grant=grant, recording=recording)
            else:
                ReservationRecording.objects.create(reservation=held, recording=recording)

        for title in "bbdfh":
            bind(title)
        about = grant if request.param == "grant" else held
        return f"/api/v1/recordings/?{request.param}={about.public_id}", bind

    def test_of_a_grant_or_an_opt_out_come_once_though_others_come_in(
        self, people: People, bound: tuple[str, Callable[[str], None]]
    ) -> None:
        address, bind = bound
        client = client_of(people.officer)
        first = client.get(f"{address}&limit=2").data
        bind("a")  # before where the reader is: by offset, she would read a row twice
        rest, _ = walked(client, first["next"], "next")
        titles = dict(Recording.objects.values_list("public_id", "title"))
        ids = [*(row["id"] for row in first["results"]), *rest]
        assert [titles[UUID(one)] for one in ids] == [*"bbdfh"]

    def test_of_a_grant_or_an_opt_out_cost_as_many_queries_however_many(
        self, people: People, bound: tuple[str, Callable[[str], None]]
    ) -> None:
        address, bind = bound
        client, counts = client_of(people.officer), []
        for _ in range(2):
            with CaptureQueriesContext(connection) as asked:
                assert client.get(address).status_code == 200
            counts.append(len(asked))
            bind("z")
        assert counts[0] == counts[1]

    def test_of_a_grant_are_nobody_elses(
        self, people: People, bound: tuple[str, Callable[[str], None]]
    ) -> None:
        assert client_of(people.stranger).get(bound[0]).data["count"] == 0
