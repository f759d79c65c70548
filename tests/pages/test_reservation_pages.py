"""Pages of opt-outs and memos: who may open which, what stands there, and what their forms do."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from governance.models import LedgerEvent, Role, User
from provenance.models import Dataset, DatasetEntry, ExceptionMemo, Party, Reservation
from provenance.rights.optouts import Snapshot
from provenance.services.declaring import Declaration, declare_reservation
from provenance.services.memos import MemoTerms, record_memo
from provenance.services.reserving import record_snapshot
from tests.people import People, a_dataset, a_member

pytestmark = pytest.mark.django_db
SITE = "https://label.example"
ROBOTS = b"# <script>alert(1)</script>\nUser-agent: GPTBot\nDisallow: /\n"
THEN = datetime(2026, 3, 2, tzinfo=UTC)
MEMO = MemoTerms("Article 3", "Dr Ada Counsel", "Subscription", ("data_mining",), ("EU",), dataset="folk")


@pytest.fixture
def dataset(people: People) -> Dataset:
    dataset = a_dataset(people.steward, people.house)
    DatasetEntry.objects.update(source_url=f"{SITE}/a.mp3")
    return dataset


@pytest.fixture
def held(people: People, dataset: Dataset) -> Reservation:
    snapshot = Snapshot(ROBOTS, "robots.txt", f"{SITE}/robots.txt", THEN)
    recorded = record_snapshot(snapshot=snapshot, organisation=people.house, by=people.steward, now=THEN)
    return recorded.outcomes[0].reservation


def client_of(user: User | None) -> Client:
    client = Client()
    if user is not None:
        client.force_login(user)
    return client


def url(name: str, *args: Any) -> str:
    return reverse(f"provenance:{name}", args=args)


def text_of(client: Client, address: str) -> str:
    return " ".join(client.get(address).content.decode().split())


class TestEveryPage:
    def test_opens_for_each_member_and_no_stranger(self, people: People, held: Reservation) -> None:
        pages = [url("reservation", held.public_id), url("reservation-snapshot", held.public_id)]
        for user in people:
            wanted = 404 if user == people.auditor else 200  # a label reads the opt-outs of its own parties
            assert [client_of(user).get(page).status_code for page in pages] == [wanted, wanted]
        assert [client_of(people.stranger).get(page).status_code for page in pages] == [404, 404]
        assert client_of(None).get(pages[0]).status_code == 302

    @pytest.mark.parametrize(
        ("name", "roles"),
        [
            ("reservation-list", set(Role)),
            ("reservation-record", {Role.DATA_STEWARD, Role.COMPLIANCE_OFFICER}),
            ("reservation-declare", {Role.DATA_STEWARD, Role.COMPLIANCE_OFFICER}),
            ("memo-list", {Role.DATA_STEWARD, Role.COMPLIANCE_OFFICER, Role.EXTERNAL_AUDITOR}),
            ("memo-record", {Role.COMPLIANCE_OFFICER}),
        ],
    )
    def test_opens_for_the_roles_it_is_for(self, people: People, name: str, roles: set[Role]) -> None:
        found = {
            role
            for role, user in people.by_role().items()
            if client_of(user).get(url(name)).status_code == 200
        }
        assert found == roles

    def test_tells_a_stranger_nothing(self, people: People, held: Reservation) -> None:
        assert "label.example" not in text_of(client_of(people.stranger), url("reservation-list"))


class TestList:
    def test_says_what_is_reserved_and_how_much_it_binds(self, people: People, held: Reservation) -> None:
        text = text_of(client_of(people.outsider), url("reservation-list"))
        for words in ("label.example", "robots.txt", "AI generative training", "2 Mar 2026", "Standing"):
            assert words in text

    def test_answers_htmx_with_a_part_of_itself(self, people: People, held: Reservation) -> None:
        part = client_of(people.steward).get(url("reservation-list"), headers={"HX-Request": "true"})
        assert "<html" not in part.content.decode()
        assert "<table" in part.content.decode()

    def test_asks_no_more_of_the_database_as_rows_grow(self, people: People, held: Reservation) -> None:
        client = client_of(people.steward)
        client.get(url("reservation-list"))
        few = n_queries(client, url("reservation-list"))
        for number in range(8):
            declare_reservation(
                declaration=Declaration(party=f"Label {number}"),
                organisation=people.house,
                by=people.steward,
                now=THEN,
            )
        assert n_queries(client, url("reservation-list")) == few


def n_queries(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as asked:
        assert client.get(address).status_code == 200
    return len(asked)


class TestReservation:
    def test_shows_what_was_said_and_runs_nothing_of_it(self, people: People, held: Reservation) -> None:
        text = text_of(client_of(people.steward), url("reservation", held.public_id))

        assert "User-agent: GPTBot" in text
        assert "<script>alert" not in text
        assert "Tune" in text

    def test_hands_out_the_file_and_says_who_read_it(self, people: People, held: Reservation) -> None:
        response = client_of(people.engineer).get(url("reservation-snapshot", held.public_id))

        assert response.content == ROBOTS
        assert response["Content-Disposition"].startswith("attachment")
        assert LedgerEvent.objects.latest("sequence").actor_id == people.engineer.public_id

    def test_is_withdrawn_by_the_officer_alone(self, people: People, held: Reservation) -> None:
        address = url("reservation-withdraw", held.public_id)
        for user in (people.steward, people.outsider):
            assert client_of(user).post(address, {"reason": "Why not."}).status_code == 403
        assert client_of(people.officer).post(address, {"reason": ""}).status_code == 422
        assert client_of(people.officer).post(address, {"reason": "Agreed."}).status_code == 302
        assert "Withdrawn on" in text_of(client_of(people.steward), url("reservation", held.public_id))

    def test_stands_on_the_recordings_page(self, people: People, held: Reservation, dataset: Dataset) -> None:
        record_memo(terms=MEMO, organisation=people.house, by=people.officer, now=THEN)
        recording = dataset.entries.all()[0].recording
        address = url("recording", recording.public_id)

        assert "got from https://label.example/a.mp3" in text_of(client_of(people.engineer), address)
        assert "Dr Ada Counsel" in text_of(client_of(people.officer), address)
        assert "Dr Ada Counsel" not in text_of(client_of(people.engineer), address)


class TestRecord:
    def send(self, user: User, **words: Any) -> Any:
        return client_of(user).post(url("reservation-record"), {"kind": "auto", **words})

    def test_keeps_a_file_and_tells_what_it_reserves(self, people: People, dataset: Dataset) -> None:
        file = SimpleUploadedFile("robots.txt", ROBOTS)
        response = self.send(
            people.steward, url=f"{SITE}/robots.txt", fetched_at="2026-03-02T10:00", file=file
        )

        assert response.status_code == 200
        assert "2 recordings" in response.content.decode()
        assert Reservation.objects.get().declared_at == datetime(2026, 3, 2, 10, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ({"url": f"{SITE}/robots.txt"}, "one of them"),
            ({"url": "label", "text": "x"}, "valid URL"),
            ({"url": f"{SITE}/page", "text": "x"}, "which kind"),
            ({"url": f"{SITE}/tdmrep.json", "text": "{}"}, "list of rules"),
        ],
    )
    def test_says_in_the_form_what_is_wrong(
        self, people: People, dataset: Dataset, words: dict[str, str], said: str
    ) -> None:
        response = self.send(people.steward, **words)
        assert response.status_code == 422
        assert said in response.content.decode()


class TestDeclare:
    def test_binds_and_leads_to_what_was_declared(self, people: People, dataset: Dataset) -> None:
        asked = {
            "party": "Rivermouth",
            "recordings": "tune-000\ntune-001",
            "right": "master",
            "purposes": "data_mining",
        }
        response = client_of(people.steward).post(url("reservation-declare"), asked)

        held = Reservation.objects.get()
        assert response["Location"] == url("reservation", held.public_id)
        assert (held.right, held.purposes, held.subjects.count()) == ("master", ["data_mining"], 2)

    def test_offers_a_label_its_own_parties_only(self, people: People, dataset: Dataset) -> None:
        label = a_member("label", people.elsewhere, Role.LABEL_AUDITOR)
        for name, house in (("Label", people.elsewhere), ("Other", None)):
            Party.objects.create(organisation=people.house, name=name, stands_for=house)
        client = client_of(label)

        assert "Other" not in text_of(client, url("reservation-declare"))
        sent = client.post(url("reservation-declare"), {"party": "Label", "right": "both"}, follow=True)
        assert "Standing" in sent.content.decode()
        assert client.post(url("reservation-declare"), {"party": "Other", "right": "both"}).status_code == 422


class TestMemos:
    def test_are_recorded_and_ended_by_the_officer(self, people: People, dataset: Dataset) -> None:
        asked = {
            "provision": "Article 3",
            "purposes": "data_mining",
            "territory": "EU",
            "dataset": "folk",
            "lawful_access": "Subscription",
            "signed_by": "Dr Ada Counsel",
        }
        client = client_of(people.officer)
        assert client.post(url("memo-record"), {**asked, "signed_by": ""}).status_code == 422
        assert client.post(url("memo-record"), asked).status_code == 302
        memo = ExceptionMemo.objects.get()
        assert "Dr Ada Counsel" in text_of(client, url("memo-list"))

        address = url("memo-withdraw", memo.public_id)
        assert client_of(people.steward).post(address).status_code == 403
        assert client.post(address, {"reason": ""}).status_code == 422
        assert "Nothing is cleared by it" in text_of(client, address)
        assert client.post(address, {"reason": "Counsel read it again."}).status_code == 302
        assert "Counsel read it again." in text_of(client, url("memo-list"))
