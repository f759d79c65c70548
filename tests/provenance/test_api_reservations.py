"""Opt-outs and memos over the API: who gets what, and what comes back."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from governance.models import LedgerEvent, Role
from provenance.models import Dataset, DatasetEntry, ExceptionMemo, Party, Reservation
from provenance.rights.optouts import Snapshot
from provenance.services import declaring, reserving
from tests.people import NOON, People, a_dataset, a_member, answers, client_of, statuses

API = "/api/v1"
SITE = "https://label.example"
ROBOTS = "User-agent: GPTBot\nDisallow: /\n"
SNAPSHOT = {"url": f"{SITE}/robots.txt", "content": ROBOTS, "fetched_at": "2026-03-02T00:00:00Z"}
MEMO = {
    "provision": "Directive (EU) 2019/790, Article 3",
    "signed_by": "Dr Ada Counsel",
    "lawful_access": "Subscription",
    "purposes": ["data_mining"],
    "territory": ["EU"],
    "dataset": "folk",
}
READS = statuses(members=200, stranger=404)
LISTS = statuses(members=200, stranger=200)
COUNSELS = statuses(members=404, stranger=404, compliance_officer=200, data_steward=200, external_auditor=200)


@pytest.fixture
def dataset(people: People) -> Dataset:
    dataset = a_dataset(people.steward, people.house)
    DatasetEntry.objects.update(source_url=f"{SITE}/a.mp3")
    return dataset


@pytest.fixture
def held(people: People, dataset: Dataset) -> Reservation:
    snapshot = Snapshot(ROBOTS.encode(), "robots.txt", f"{SITE}/robots.txt", NOON)
    recorded = reserving.record_snapshot(
        snapshot=snapshot, organisation=people.house, by=people.steward, now=NOON
    )
    return recorded.outcomes[0].reservation


def post(path: str, **words: Any) -> Any:
    return lambda client: client.post(f"{API}{path}", words, format="json")


class TestWho:
    @pytest.mark.parametrize("path", ["", "snapshot/", "odrl/"])
    def test_reads_an_opt_out(self, people: People, held: Reservation, path: str) -> None:
        address = f"{API}/reservations/{held.public_id}/{path}"
        assert answers(people, lambda client: client.get(address)) == {**READS, "label_auditor": 404}

    @pytest.mark.parametrize("path", ["reservations", "memos"])
    def test_lists(self, people: People, path: str) -> None:
        assert answers(people, lambda client: client.get(f"{API}/{path}/")) == LISTS

    def test_brings_what_was_fetched(self, people: People, dataset: Dataset) -> None:
        asked = post("/reservations/snapshots/", **SNAPSHOT)
        expected = statuses(members=403, stranger=200, compliance_officer=200, data_steward=200)
        assert answers(people, asked) == expected  # the stranger is a steward in a house of their own

    def test_declares(self, people: People, dataset: Dataset) -> None:
        asked = post("/reservations/", party="Rivermouth")
        expected = statuses(members=403, stranger=201, compliance_officer=201, data_steward=201)
        assert answers(people, asked) == expected

    def test_withdraws(self, people: People, held: Reservation) -> None:
        asked = post(f"/reservations/{held.public_id}/withdraw/", reason="Agreed.")
        assert answers(people, asked) == statuses(
            members=403, stranger=404, label_auditor=404, compliance_officer=200
        )

    def test_records_a_memo(self, people: People, dataset: Dataset) -> None:
        expected = statuses(members=403, stranger=404, compliance_officer=201)  # no such dataset elsewhere
        assert answers(people, post("/memos/", **MEMO)) == expected

    def test_reads_and_ends_a_memo(self, people: People, dataset: Dataset) -> None:
        client_of(people.officer).post(f"{API}/memos/", MEMO, format="json")
        address = f"/memos/{ExceptionMemo.objects.get().public_id}/"

        assert answers(people, lambda client: client.get(API + address)) == COUNSELS
        ends = {**COUNSELS, "data_steward": 403, "external_auditor": 403}
        assert answers(people, post(f"{address}withdraw/", reason="Read again.")) == ends
        assert (
            client_of(people.officer).post(f"{API}{address}withdraw/", {}, format="json").status_code == 400
        )
        done = client_of(people.officer).post(
            f"{API}{address}withdraw/", {"reason": "Read again."}, format="json"
        )
        assert done.json()["withdrawal_reason"] == "Read again."


class TestReservations:
    def test_tells_what_came_of_a_snapshot(self, people: People, dataset: Dataset) -> None:
        answer = post("/reservations/snapshots/", **SNAPSHOT)(client_of(people.steward)).json()

        (one,) = answer["reservations"]
        assert (one["status"], one["source"], one["recordings"]) == ("registered", "robots", 2)
        assert one["declared_at"] == "2026-03-02T00:00:00Z"

    @pytest.mark.parametrize(
        "words",
        [
            {**SNAPSHOT, "content": "[", "url": f"{SITE}/.well-known/tdmrep.json"},
            {**SNAPSHOT, "content": "\ud800"},
            {**SNAPSHOT, "url": "file:///etc/passwd"},
            {**SNAPSHOT, "fetched_at": "2999-01-01T00:00:00Z"},
            {**SNAPSHOT, "kind": "declared"},
            {},
        ],
    )
    def test_refuses_what_cant_be_read(self, people: People, words: dict[str, Any]) -> None:
        import json

        sent = json.dumps(words)
        client = client_of(people.steward)
        answer = client.post(f"{API}/reservations/snapshots/", sent, content_type="application/json")

        assert answer.status_code in {400, 422}
        assert not Reservation.objects.exists()

    def test_gives_back_the_file_and_says_who_read_it(self, people: People, held: Reservation) -> None:
        answer = client_of(people.engineer).get(f"{API}/reservations/{held.public_id}/snapshot/").json()

        assert base64.b64decode(answer["content_base64"]).decode() == ROBOTS
        assert LedgerEvent.objects.latest("sequence").kind == "provenance.evidence.opened"

    def test_writes_an_offer_that_prohibits(self, people: People, held: Reservation) -> None:
        offer = client_of(people.steward).get(f"{API}/reservations/{held.public_id}/odrl/").json()

        assert offer["@type"] == "Set"  # an offer needs somebody who makes it
        assert len(offer["target"]) == 2
        assert {one["action"] for one in offer["prohibition"]} == {
            "ln:ai_generative_training",
            "ln:ai_nongenerative_training",
        }

    def test_narrows_the_list(self, people: People, held: Reservation) -> None:
        client = client_of(people.steward)
        for query, n in (
            ("", 1),
            ("source=robots", 1),
            ("source=cawg", 0),
            ("state=withdrawn", 0),
            ("q=LABEL", 1),
        ):
            assert client.get(f"{API}/reservations/?{query}").json()["count"] == n
        assert client.get(f"{API}/reservations/?colour=red").status_code == 400

    def test_lists_in_as_many_queries_whatever_the_rows(
        self, people: People, held: Reservation, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        for number in range(12):
            declaring.declare_reservation(
                declaration=declaring.Declaration(party=f"Label {number}"),
                organisation=people.house,
                by=people.steward,
                now=NOON,
            )
        client = client_of(people.steward)
        with django_assert_max_num_queries(6):
            assert client.get(f"{API}/reservations/").json()["count"] == 13

    def test_lets_a_label_declare_where_it_is_known(self, people: People, dataset: Dataset) -> None:
        label = client_of(a_member("label", people.elsewhere, Role.LABEL_AUDITOR))
        Party.objects.create(organisation=people.house, name="Label", stands_for=people.elsewhere)
        said = post("/reservations/", party="Label", organisation="House")(label)

        assert said.status_code == 201
        address = f"{API}/reservations/{said.json()['reservation']}/"
        assert label.get(address).json()["party"] == "Label"
        assert label.post(f"{address}withdraw/", {"reason": "We agreed."}, format="json").status_code == 200
        assert post("/reservations/", party="Other", organisation="House")(label).status_code == 404
