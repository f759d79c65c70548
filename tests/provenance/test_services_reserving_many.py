"""One opt-out about thousands of recordings: a list of them, a whole dataset, or all that a party holds."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from governance.models import LedgerEvent
from provenance.errors import ProvenanceError
from provenance.models import Dataset, Recording, Reservation
from provenance.services.declaring import Declaration, declare_reservation
from provenance.services.publishing import read_names
from provenance.services.reserving import Reserved, apply_reservations
from tests.catalogues import run
from tests.people import People, a_dataset, an_entry, client_of

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def folk(people: People) -> Dataset:
    return a_dataset(people.steward, people.house, n_recordings=3)


def declare(people: People, **said: Any) -> Reserved:
    return declare_reservation(
        declaration=Declaration(**said), organisation=people.house, by=people.steward, now=NOW
    )


def bound(outcome: Reserved) -> set[str]:
    links = outcome.reservation.subjects.values_list("recording__entries__external_id", flat=True)
    return {str(name) for name in links}


class TestReadNames:
    @pytest.mark.parametrize(
        "written",
        [
            "tune-000\ntune-001\n",
            "external_id\ntune-000\ntune-001\ntune-000\n",
            "title,Recording\nA,tune-000\nB,tune-001\n",
        ],
    )
    def test_takes_a_list_or_a_column_and_each_name_once(self, tmp_path: Path, written: str) -> None:
        source = tmp_path / "list.csv"
        source.write_text(written, encoding="utf-8-sig")
        assert read_names(source) == ("tune-000", "tune-001")

    @pytest.mark.parametrize(
        ("written", "why"),
        [
            (b"", "names no recording"),
            (b"recording\n\n", "names no recording"),
            (b"title,artist\nA,B\n", "has the columns title, artist"),
            (b"\xff\xfe", "is not UTF-8"),
            (b"a\0b", "NUL"),
        ],
    )
    def test_says_what_is_wrong_with_it(self, tmp_path: Path, written: bytes, why: str) -> None:
        source = tmp_path / "list.csv"
        source.write_bytes(written)
        with pytest.raises(ProvenanceError, match=why):
            read_names(source)


class TestDeclareReservation:
    def test_binds_a_list_in_one_line_of_the_ledger(self, people: People, folk: Dataset) -> None:
        outcome = declare(people, recordings=("tune-000", "tune-002"))

        assert bound(outcome) == {"tune-000", "tune-002"}
        (event,) = LedgerEvent.objects.filter(kind__startswith="provenance.reservation.")
        assert event.body["recordings"] == 2

    def test_asks_no_more_of_the_database_for_thousands(self, people: People) -> None:
        dataset = a_dataset(people.steward, people.house, name="many", n_recordings=1)
        registration = dataset.registrations.get()
        declare(people, recordings=("tune-000",))
        with CaptureQueriesContext(connection) as few:
            declare(people, recordings=("tune-000",), right="master")
        for row in range(1, 200):
            an_entry(registration, row=row)
        with CaptureQueriesContext(connection) as many:
            outcome = declare(people, recordings=tuple(f"tune-{row:03}" for row in range(200)))

        assert outcome.n_recordings == 200
        assert len(many) <= len(few)

    def test_binds_all_or_nothing(self, people: People, folk: Dataset) -> None:
        names = ("tune-000", *(f"gone-{number}" for number in range(30)))
        with pytest.raises(ProvenanceError, match=r"gone-0, .* and 10 more"):
            declare(people, recordings=names)
        assert not Reservation.objects.exists()

    def test_binds_a_dataset_and_what_comes_into_it(self, people: People, folk: Dataset) -> None:
        a_dataset(people.steward, people.house, name="other", n_recordings=1)
        outcome = declare(people, dataset="folk")
        assert outcome.n_recordings == Recording.objects.filter(entries__dataset=folk).count() == 3

        fresh = an_entry(folk.registrations.get(), row=7)
        apply_reservations(dataset=folk, by=people.steward, now=NOW)
        assert outcome.reservation.subjects.filter(recording=fresh.recording).exists()
        assert outcome.reservation.subjects.count() == 4

    def test_knows_no_dataset_of_another_house(self, people: People, folk: Dataset) -> None:
        a_dataset(people.stranger, people.elsewhere, name="theirs")
        with pytest.raises(ProvenanceError, match="no dataset theirs"):
            declare(people, dataset="theirs")

    def test_said_twice_is_said_once(self, people: People, folk: Dataset) -> None:
        declare(people, dataset="folk")
        assert declare(people, dataset="folk").status == "duplicate"


class TestByCommandPageAndApi:
    def test_from_a_file(self, people: People, folk: Dataset, tmp_path: Path) -> None:
        source = tmp_path / "list.csv"
        source.write_text("external_id,title\ntune-000,A\ntune-001,B\n")
        letter = tmp_path / "letter.txt"
        letter.write_text("We reserve.")
        said = run(
            *("declare_reservation", "--party", "Cellar", "--recordings-from", source),
            *("--right", "master", "--evidence", letter, "--as", people.steward.username),
        )

        assert (said.code, said.last["status"], said.last["recordings"]) == (0, "registered", 2)
        held = Reservation.objects.get()
        assert (held.right, held.party.name if held.party else "") == ("master", "Cellar")
        assert held.document is not None

    def test_of_a_dataset(self, people: People, folk: Dataset) -> None:
        said = run("declare_reservation", "--dataset", "folk", "--as", people.steward.username)
        assert said.last["recordings"] == 3

    def test_names_what_is_nothing_here(self, people: People, folk: Dataset) -> None:
        said = run("declare_reservation", "--dataset", "jazz", "--as", people.steward.username)
        assert said.code != 0
        assert "no dataset jazz" in said.err

    def test_by_the_api(self, people: People, folk: Dataset) -> None:
        asked = {"dataset": "folk", "purposes": ["data_mining"]}
        said = client_of(people.steward).post("/api/v1/reservations/", asked, format="json")
        assert (said.status_code, said.json()["recordings"]) == (201, 3)

    def test_is_cut_short_in_lists_and_whole_on_its_own(self, people: People, folk: Dataset) -> None:
        isrcs = tuple(f"GBAAA26{number:05}" for number in range(500))
        held = declare(people, isrcs=isrcs, party="Cellar").reservation
        client = client_of(people.steward)

        assert len(client.get("/api/v1/reservations/").json()["results"][0]["raw"]) == 2000
        assert client.get(f"/api/v1/reservations/{held.public_id}/").json()["raw"] == held.raw

    def test_from_the_page(self, people: People, folk: Dataset) -> None:
        client = Client()
        client.force_login(people.steward)
        where = reverse("provenance:reservation-declare")
        listed = SimpleUploadedFile("list.csv", b"tune-000\ntune-001\n")
        sent = client.post(where, {"party": "Cellar", "right": "both", "listed": listed})
        assert sent.status_code == 302
        assert Reservation.objects.get().subjects.count() == 2

        bad = SimpleUploadedFile("list.csv", b"title,artist\nA,B\n")
        refused = client.post(where, {"party": "Cellar", "right": "both", "listed": bad})
        assert refused.status_code == 422
        assert "one must be recording" in refused.content.decode()
