"""The clearance matrix and kept documents as the API has them: the page's question, filters, pages and rules."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from governance.models import Job, LedgerEvent, Organisation
from provenance.models import (
    ClearanceRun,
    Dataset,
    EvidenceDocument,
    Grant,
    GrantRecording,
    LicenceStatement,
    Party,
)
from provenance.queries import clearances
from provenance.services import clearing
from provenance.services.evidence import Subjects, keep_evidence, link_evidence
from tests.people import NOON, People, a_dataset, an_entry, answers, client_of, statuses

API = "/api/v1"
USE = "purpose=ai_generative_training&commercial=true"


@pytest.fixture
def folk(people: People) -> Dataset:
    """Three recordings; the last is licensed for non-commercial use alone."""
    dataset = a_dataset(people.steward, people.house, n_recordings=3)
    last = dataset.entries.order_by("-external_id")[0]
    LicenceStatement.objects.filter(entry=last).update(expression="CC-BY-NC-4.0", holders=["Cellar Records"])
    return dataset


def matrix(client: APIClient, dataset: Dataset, asked: str = "", *, use: str = USE) -> Any:
    return client.get(f"{API}/datasets/{dataset.public_id}/matrix/?{use}&{asked}")


def ids(response: Any) -> list[str]:
    return [row["external_id"] for row in response.json()["results"]]


@pytest.fixture
def steward(people: People) -> APIClient:
    return client_of(people.steward)


class TestMatrix:
    @pytest.mark.parametrize(
        ("asked", "found"),
        [
            ("", ["tune-000", "tune-001", "tune-002"]),
            ("answer=allowed", ["tune-000", "tune-001"]),
            ("answer=not_allowed", ["tune-002"]),
            ("answer=not_allowed&right=composition", ["tune-002"]),
            ("basis=grant", []),
            ("licence=CC0-1.0", ["tune-000", "tune-001"]),
            ("holder=Cellar Records", ["tune-002"]),
            ("q=tune-001", ["tune-001"]),
            ("left_out=true", []),
            ("sort=title&limit=2", ["tune-000", "tune-001"]),
        ],
    )
    def test_narrows_as_the_page_does(
        self, steward: APIClient, folk: Dataset, asked: str, found: list[str]
    ) -> None:
        assert ids(matrix(steward, folk, asked)) == found

    def test_says_what_was_asked_and_how_it_is_answered(self, steward: APIClient, folk: Dataset) -> None:
        said = matrix(steward, folk, "answer=not_allowed&territory=de").json()

        assert said["question"] == {
            "purpose": "ai_generative_training",
            "commercial": True,
            "territory": "DE",
            "at": None,
            "policy": "default",
            "version": None,
        }
        assert said["counts"] == {"allowed": 2, "constrained": 0, "unknown": 0, "not_allowed": 1}
        assert (said["worked_out"], said["n_found"], said["job"]) == (True, 1, None)
        (row,) = said["results"]
        assert (row["answer"], row["master"]["answer"]) == ("not_allowed", "not_allowed")
        assert row["holders"] == ["Cellar Records"]
        assert row["left_out"] is False

    def test_marks_what_is_left_out(self, steward: APIClient, folk: Dataset, people: People) -> None:
        first = folk.entries.filter(external_id="tune-000")
        clearing.leave_out(dataset=folk, entries=first, reason="Too long.", by=people.steward, now=NOON)

        assert [row["left_out"] for row in matrix(steward, folk).json()["results"]] == [True, False, False]
        assert ids(matrix(steward, folk, "left_out=true")) == ["tune-000"]

    def test_goes_on_from_a_mark_and_back(self, steward: APIClient, folk: Dataset) -> None:
        first = matrix(steward, folk, "limit=2").json()
        assert first["before"] is None

        second = matrix(steward, folk, f"limit=2&after={first['after']}")
        assert ids(second) == ["tune-002"]
        assert second.json()["after"] is None
        assert ids(matrix(steward, folk, f"limit=2&before={second.json()['before']}")) == [
            "tune-000",
            "tune-001",
        ]

    @pytest.mark.parametrize("asked", ["offset=2", "answr=allowed", "answer=yes", "limit=501", "version=0"])
    def test_refuses_what_would_be_ignored(self, steward: APIClient, folk: Dataset, asked: str) -> None:
        assert matrix(steward, folk, asked).status_code == 400

    def test_knows_no_version_that_was_not_frozen(self, steward: APIClient, folk: Dataset) -> None:
        assert matrix(steward, folk, "version=7").status_code == 404

    def test_is_for_those_who_read_the_house_whole(self, people: People, folk: Dataset) -> None:
        found = answers(people, lambda client: matrix(client, folk))
        assert found == statuses(members=200, label_auditor=403, stranger=404)

    def test_asks_no_more_of_the_database_as_rows_grow(
        self,
        steward: APIClient,
        folk: Dataset,
        django_assert_max_num_queries: DjangoAssertNumQueries,
    ) -> None:
        matrix(steward, folk)
        with django_assert_max_num_queries(40) as asked:
            matrix(steward, folk)
        few = len(asked)
        registration = folk.registrations.get()
        for row in range(3, 30):
            an_entry(registration, row=row)
        ClearanceRun.objects.all().delete()
        matrix(steward, folk)
        with django_assert_max_num_queries(few):
            assert len(ids(matrix(steward, folk))) == 30

    def test_answers_no_filter_by_answers_that_are_not_worked_out(
        self, steward: APIClient, folk: Dataset, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(clearances, "AT_ONCE", 1)
        said = matrix(steward, folk, "answer=allowed").json()

        assert (said["worked_out"], said["counts"], said["results"]) == (False, None, [])
        assert ids(matrix(steward, folk)) == ["tune-000", "tune-001", "tune-002"]

    def test_has_them_worked_out_once(self, steward: APIClient, folk: Dataset, monkeypatch: Any) -> None:
        monkeypatch.setattr(clearances, "AT_ONCE", 1)
        monkeypatch.setattr("governance.jobs.enqueue", lambda job: None)
        url, asked = (
            f"{API}/datasets/{folk.public_id}/matrix/",
            {"purpose": "data_mining", "commercial": True},
        )
        first = client_job(steward.post(url, asked, format="json"))
        again = client_job(steward.post(url, asked, format="json"))

        assert first == again == str(Job.objects.get().public_id)
        assert matrix(steward, folk, use="purpose=data_mining&commercial=true").json()["job"] == first

    def test_answers_as_the_whole_dataset_does_where_a_grant_is_somebody_elses(
        self, steward: APIClient, folk: Dataset, people: People
    ) -> None:
        granted_to_another(folk, people)
        narrowed = ids(matrix(steward, folk, "answer=not_allowed"))
        whole = steward.get(f"{API}/datasets/{folk.public_id}/clearance/?{USE}").json()

        assert narrowed == ["tune-002"]
        assert whole["not_allowed"] == len(narrowed)


def client_job(response: Any) -> str:
    assert response.status_code == 202
    return str(response.json()["id"])


def granted_to_another(folk: Dataset, people: People) -> None:
    """Grant what is closed for commercial use to a party that stands for another house."""
    other = Organisation.objects.create(name="Rival")
    Party.objects.create(organisation=people.house, name="House Ltd", stands_for=people.house)
    licensor = Party.objects.create(organisation=people.house, name="Cellar Records")
    licensee = Party.objects.create(organisation=people.house, name="Rival Ltd", stands_for=other)
    for number, right in enumerate(("master", "composition")):
        grant = Grant.objects.create(
            organisation=people.house,
            licensor=licensor,
            licensee=licensee,
            right=right,
            purposes=["ai_generative_training"],
            commercial=True,
            registered_by=people.steward,
            registered_at=NOON,
            key=f"{number:064}",
        )
        GrantRecording.objects.create(
            grant=grant, recording=folk.entries.order_by("-external_id")[0].recording
        )


class TestEvidence:
    @pytest.fixture
    def agreement(self, people: People, folk: Dataset) -> EvidenceDocument:
        document = keep_evidence(
            organisation=people.house,
            kind="agreement",
            name="deal of March.pdf",
            content=b"We agree.",
            by=people.steward,
            now=NOON,
            confidential=True,
        )
        subjects = Subjects(recordings=[folk.entries.order_by("external_id")[0].recording], datasets=[folk])
        link_evidence(document=document, subjects=subjects, by=people.steward, now=NOON)
        return document

    def test_says_what_is_kept_and_what_it_is_about(
        self, steward: APIClient, agreement: EvidenceDocument
    ) -> None:
        said = steward.get(f"{API}/evidence/{agreement.public_id}/").json()

        assert (said["sha256"], said["confidential"]) == (agreement.sha256, True)
        assert (said["licences"], said["recordings"], said["datasets"]) == ([], 1, ["folk"])
        assert "file" not in said

    @pytest.mark.parametrize(
        ("asked", "n"),
        [("", 1), ("kind=agreement", 1), ("kind=memo", 0), ("confidential=false", 0), ("licence=CC0-1.0", 0)],
    )
    def test_is_narrowed(self, steward: APIClient, agreement: EvidenceDocument, asked: str, n: int) -> None:
        assert steward.get(f"{API}/evidence/?{asked}").json()["count"] == n

    def test_is_narrowed_to_a_recording(
        self, steward: APIClient, agreement: EvidenceDocument, folk: Dataset
    ) -> None:
        first, second, _ = folk.entries.order_by("external_id")
        counts = [
            steward.get(f"{API}/evidence/?recording={entry.recording.public_id}").json()["count"]
            for entry in (first, second)
        ]
        assert counts == [1, 0]

    def test_refuses_a_filter_that_nobody_knows(self, steward: APIClient) -> None:
        assert steward.get(f"{API}/evidence/?colour=red").status_code == 400

    def test_gives_the_bytes_and_records_who_read_them(
        self, people: People, steward: APIClient, agreement: EvidenceDocument
    ) -> None:
        given = steward.post(f"{API}/evidence/{agreement.public_id}/open/")

        assert given.content == b"We agree."
        assert given["Content-Disposition"] == 'attachment; filename="deal_of_March.pdf"'
        assert given["X-Content-Type-Options"] == "nosniff"
        event = LedgerEvent.objects.order_by("-sequence")[0]
        assert (event.kind, event.actor_id) == ("provenance.evidence.opened", people.steward.public_id)

    def test_is_opened_by_those_who_read_agreements(
        self, people: People, agreement: EvidenceDocument
    ) -> None:
        found = answers(people, lambda client: client.post(f"{API}/evidence/{agreement.public_id}/open/"))
        assert found == statuses(members=200, ml_engineer=403, label_auditor=404, stranger=404)

    def keep(self, client: APIClient, **said: Any) -> Any:
        body = {
            "file": SimpleUploadedFile("page.html", b"<p>Yours.", "text/html"),
            "kind": "web_page",
            **said,
        }
        return client.post(f"{API}/evidence/", body, format="multipart")

    def test_is_kept_with_its_address_for_what_rests_on_it(
        self, people: People, steward: APIClient, folk: Dataset
    ) -> None:
        read = {"url": "https://label.example/licence", "fetched_at": "2026-03-01T09:30:00Z"}
        recording = folk.entries.order_by("external_id")[0].recording
        given = self.keep(
            steward,
            **read,
            recordings=[str(recording.public_id)],
            datasets=[str(folk.public_id)],
            licences=["CC0-1.0"],
        )
        said = given.json()
        assert given.status_code == 201
        assert (said["url"], said["fetched_at"], said["media_type"]) == (*read.values(), "text/html")
        assert (said["licences"], said["recordings"], said["datasets"]) == (["CC0-1.0"], 1, ["folk"])
        statements = LicenceStatement.objects.filter(document__public_id=said["id"])
        assert said["n_statements"] == statements.count() > 0
        assert steward.post(f"{API}/evidence/{said['id']}/open/").content == b"<p>Yours."
        kinds = LedgerEvent.objects.filter(subject_id=said["id"]).values_list("kind", flat=True)
        assert [*kinds.order_by("sequence")] == [
            f"provenance.evidence.{deed}" for deed in ("kept", "linked", "opened")
        ]

    def test_is_kept_once(self, steward: APIClient, folk: Dataset) -> None:
        codes = [self.keep(steward, datasets=[str(folk.public_id)]).status_code for _ in range(2)]
        assert (codes, EvidenceDocument.objects.count()) == ([201, 200], 1)

    def test_is_kept_by_those_who_keep_it_on_the_page(self, people: People, folk: Dataset) -> None:
        found = answers(people, lambda client: self.keep(client, datasets=[str(folk.public_id)]))
        assert found == statuses(members=403, stranger=404, data_steward=201, compliance_officer=201)

    @pytest.mark.parametrize(
        ("said", "status"),
        [
            ({}, 400),
            ({"licences": ["Made-Up-1.0"]}, 400),
            ({"licences": ["CC0-1.0"], "kind": "reservation"}, 400),
            ({"licences": ["CC0-1.0"], "fetched_at": "2999-01-01T00:00:00Z"}, 400),
            ({"licences": ["CC0-1.0"], "url": "javascript:alert(1)"}, 400),
            ({"licences": ["CC0-1.0"], "organisation": "Nobody's"}, 404),
            ({"recordings": ["00000000-0000-4000-8000-000000000000"]}, 404),
        ],
    )
    def test_is_not_kept_where_something_is_wrong(
        self, steward: APIClient, folk: Dataset, said: dict[str, Any], status: int
    ) -> None:
        assert self.keep(steward, **said).status_code == status
        assert not EvidenceDocument.objects.exists()

    def test_is_not_kept_where_it_is_too_large(
        self, steward: APIClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("provenance.api.evidence.MAX_BYTES", 8)
        refused = self.keep(steward, licences=["CC0-1.0"])
        assert (refused.status_code, refused.json()["code"]) == (413, "too_large")

    def test_says_so_where_the_bytes_are_no_longer_those_kept(
        self, steward: APIClient, agreement: EvidenceDocument
    ) -> None:
        with default_storage.open(agreement.file, "wb") as kept:
            kept.write(b"We do not agree.")
        refused = steward.post(f"{API}/evidence/{agreement.public_id}/open/")
        assert refused.status_code >= 400
        assert "hash has changed" in refused.json()["detail"]
