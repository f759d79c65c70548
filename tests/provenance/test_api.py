import io
import os
import zipfile
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from governance import jobs
from governance.errors import PartMissingError
from governance.models import Job, JobState
from lib.canonical import canonical_json
from lib.merkle import merkle_root
from provenance import services
from provenance.models import Dataset, DatasetVersion, Grant, Party, Recording
from tests.people import (
    NOON,
    People,
    a_conflict,
    a_dataset,
    a_version,
    an_entry,
    answers,
    client_of,
    statuses,
)

API = "/api/v1"
USE = "purpose=ai_generative_training&commercial=true"
READS = statuses(members=200, stranger=404)
READS_WHOLE = statuses(members=200, label_auditor=404, stranger=404)  # a label reads what is its own
LISTS = statuses(members=200, stranger=200)
TABLE = b"external_id,title,licence\nx-1,First,CC0-1.0\nx-2,Second,CC-BY-4.0\n"


@pytest.fixture
def dataset(people: People) -> Dataset:
    return a_dataset(people.steward, people.house)


@pytest.fixture(autouse=True)
def uploads(settings: Any, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path / "uploads"


def send(client: APIClient, content: bytes = TABLE, *, file: str = "tunes.csv", **words: str) -> Any:
    sent = SimpleUploadedFile(file, content)
    return client.post(f"{API}/datasets/", {"name": "tunes", "file": sent, **words}, format="multipart")


def zipped(**members: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


def a_deal(dataset: Dataset, **words: Any) -> dict[str, Any]:
    deal = {
        "licensor": "Miller Records",
        "licensee": "House",
        "right": "both",
        "purposes": ["ai_generative_training"],
        "dataset": dataset.name,
    }
    return {**deal, **words}


def a_grant(people: People, dataset: Dataset) -> Grant:
    client_of(people.steward).post(
        f"{API}/grants/", {"deals": [a_deal(dataset, right="master")]}, format="json"
    )
    return Grant.objects.get()


class TestReading:
    @pytest.mark.parametrize(
        "address",
        [
            "",
            "entries/",
            f"entries/?{USE}",
            f"clearance/?{USE}",
            "conflicts/",
            "versions/",
            "versions/?limit=1",
        ],
    )
    def test_a_dataset_is_for_members(self, people: People, dataset: Dataset, address: str) -> None:
        found = answers(people, lambda client: client.get(f"{API}/datasets/{dataset.public_id}/{address}"))
        assert found == READS

    @pytest.mark.parametrize("address", ["", "entries/"])
    def test_a_version_is_for_members(self, people: People, dataset: Dataset, address: str) -> None:
        version = a_version(dataset, people.steward)
        where = f"{API}/dataset-versions/{version.public_id}/{address}"
        assert answers(people, lambda client: client.get(where)) == READS

    def test_a_recording_is_for_members(self, people: People, dataset: Dataset) -> None:
        recording = dataset.entries.all()[0].recording
        where = f"{API}/recordings/{recording.public_id}/"
        assert answers(people, lambda client: client.get(where)) == READS_WHOLE

    def test_a_conflict_is_for_members(self, people: People, dataset: Dataset) -> None:
        where = f"{API}/conflicts/{a_conflict(dataset).public_id}/"
        assert answers(people, lambda client: client.get(where)) == READS_WHOLE

    def test_a_grant_is_for_members(self, people: People, dataset: Dataset) -> None:
        where = f"{API}/grants/{a_grant(people, dataset).public_id}/"
        assert answers(people, lambda client: client.get(where)) == READS_WHOLE

    @pytest.mark.parametrize("address", ["datasets", "recordings", "conflicts", "grants"])
    def test_lists_are_empty_for_strangers(self, people: People, dataset: Dataset, address: str) -> None:
        a_conflict(dataset)
        a_grant(people, dataset)
        assert answers(people, lambda client: client.get(f"{API}/{address}/")) == LISTS
        assert client_of(people.outsider).get(f"{API}/{address}/").json()["count"] > 0
        assert client_of(people.stranger).get(f"{API}/{address}/").json()["count"] == 0

    @pytest.mark.parametrize("kind", ["datasets", "dataset-versions", "recordings", "conflicts", "grants"])
    def test_what_is_not_there_is_named_so(self, people: People, kind: str) -> None:
        said = client_of(people.officer).get(f"{API}/{kind}/{uuid4()}/")
        assert said.status_code == 404
        assert said.json()["code"] == "not_found"


class TestLists:
    def test_cost_the_same_whatever_their_length(
        self, people: People, dataset: Dataset, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        client = client_of(people.outsider)
        registration = dataset.registrations.get()
        addresses = [
            "datasets/",
            "recordings/",
            "conflicts/",
            "grants/",
            f"datasets/{dataset.public_id}/entries/",
            f"datasets/{dataset.public_id}/entries/?{USE}",
            f"datasets/{dataset.public_id}/conflicts/",
            f"datasets/{dataset.public_id}/versions/",
        ]
        counts: dict[str, list[int]] = {address: [] for address in addresses}
        lengths: dict[str, list[int]] = {address: [] for address in addresses}
        for round_ in range(2):
            for n in range(3):
                number = 3 * round_ + n
                an_entry(registration, row=100 + number)
                a_dataset(people.steward, people.house, name=f"other-{number}", n_recordings=0)
                a_conflict(dataset)
                deal = a_deal(dataset, licensor=f"Label {number}")
                client_of(people.steward).post(f"{API}/grants/", {"deals": [deal]}, format="json")
                a_version(dataset, people.steward, number=1 + number)
            for address in addresses:
                with django_assert_max_num_queries(24) as asked:
                    lengths[address].append(len(client.get(f"{API}/{address}").json()["results"]))
                counts[address].append(len(asked))
        assert all(longer > shorter for shorter, longer in lengths.values()), lengths
        assert all(before == after for before, after in counts.values()), counts

    def test_of_datasets_count_recordings_and_versions(self, people: People, dataset: Dataset) -> None:
        a_version(dataset, people.steward, number=1)
        a_version(dataset, people.steward, number=2)
        (row,) = client_of(people.outsider).get(f"{API}/datasets/").json()["results"]
        assert (row["n_recordings"], row["n_versions"]) == (2, 2)

    def test_of_recordings_are_searched(self, people: People, dataset: Dataset) -> None:
        a_dataset(people.steward, people.house, name="jazz", n_recordings=1)
        Recording.objects.filter(pk=dataset.entries.all()[0].recording_id).update(isrc="GBAYE0601498")
        client = client_of(people.outsider)
        assert client.get(f"{API}/recordings/").json()["count"] == 3
        assert client.get(f"{API}/recordings/?isrc=GBAYE0601498").json()["count"] == 1
        assert client.get(f"{API}/recordings/?dataset={dataset.public_id}").json()["count"] == 2
        assert client.get(f"{API}/recordings/?search=tune").json()["count"] == 3
        assert client.get(f"{API}/recordings/?dataset=folk").status_code == 400


class TestEntries:
    def test_say_nothing_of_clearance_unless_asked(self, people: People, dataset: Dataset) -> None:
        said = client_of(people.outsider).get(f"{API}/datasets/{dataset.public_id}/entries/").json()
        assert [entry["external_id"] for entry in said["results"]] == ["tune-000", "tune-001"]
        assert [entry["clearance"] for entry in said["results"]] == [None, None]

    def test_answer_for_both_rights_with_reasons(self, people: People, dataset: Dataset) -> None:
        an_entry(dataset.registrations.get(), row=9, licence="CC-BY-NC-4.0")
        where = f"{API}/datasets/{dataset.public_id}/entries/?{USE}"
        cleared = [entry["clearance"] for entry in client_of(people.outsider).get(where).json()["results"]]
        assert [one["answer"] for one in cleared] == ["allowed", "allowed", "not_allowed"]
        assert cleared[2]["master"]["reasons"]
        assert cleared[2]["composition"]["licence"] == "CC-BY-NC-4.0"

    def test_depend_on_the_policy_asked_for(self, people: People, dataset: Dataset) -> None:
        an_entry(dataset.registrations.get(), row=9, licence="CC-BY-SA-4.0")
        where = f"{API}/datasets/{dataset.public_id}/clearance/?{USE}"
        client = client_of(people.outsider)
        default, strict = (client.get(f"{where}&policy={name}").json() for name in ("default", "strict"))
        assert (default["allowed"], default["constrained"]) == (2, 1)
        assert default["policy"] == "default"
        assert strict["constrained"] == 0
        assert default["draft"] is True

    @pytest.mark.parametrize(
        ("query", "status"),
        [
            ("purpose=world_domination", 400),
            (f"{USE}&territory=XX", 400),
            (f"{USE}&at=yesterday", 400),
            (f"{USE}&policy=nobody", 400),
            (f"{USE}&version=7", 404),
            (f"{USE}&purpos=x", 400),
        ],
    )
    def test_refuse_a_question_that_makes_no_sense(
        self, people: People, dataset: Dataset, query: str, status: int
    ) -> None:
        said = client_of(people.outsider).get(f"{API}/datasets/{dataset.public_id}/entries/?{query}")
        assert said.status_code == status
        assert said.json()["detail"]


class TestRegister:
    def test_is_for_stewards(self, people: People) -> None:
        found = answers(people, lambda client: send(client, organisation="House"))
        assert found == statuses(members=403, data_steward=202, stranger=404)

    def test_queues_a_job_that_registers(self, people: People) -> None:
        said = send(client_of(people.steward))
        assert said.status_code == 202, said.content
        job = Job.objects.get(public_id=said.json()["id"])
        jobs.perform(str(job.public_id))
        job.refresh_from_db()
        assert (job.state, job.outcome.get("registered")) == (JobState.DONE, 2), job.message
        assert set(Dataset.objects.get().entries.values_list("external_id", flat=True)) == {"x-1", "x-2"}

    def test_says_that_it_waits_when_the_broker_is_down(
        self, people: People, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def down(*_: object) -> None:
            raise PartMissingError("The broker can't be reached.")

        monkeypatch.setattr(jobs, "_send", down)
        monkeypatch.setattr("django.db.transaction.on_commit", lambda send: send())
        said = send(client_of(people.steward))
        assert (said.status_code, said.json()["state"]) == (202, "queued")

    def test_takes_a_zip_of_a_table_and_its_audio(self, people: People, uploads: Path) -> None:
        table = b"path,licence\naudio/a.wav,CC0-1.0\n"
        said = send(
            client_of(people.steward),
            zipped(**{"set/tunes.csv": table, "set/audio/a.wav": b"RIFF"}),
            file="set.zip",
        )
        assert said.status_code == 202, said.content
        arguments = Job.objects.get().arguments
        assert arguments["format"] == "csv"
        assert (Path(arguments["root"]) / "audio/a.wav").read_bytes() == b"RIFF"
        assert Path(arguments["root"]).is_relative_to(uploads)

    def test_takes_a_zip_of_audio_alone(self, people: People) -> None:
        assert (
            send(client_of(people.steward), zipped(**{"a.wav": b"RIFF"}), file="set.zip").status_code == 202
        )
        assert Job.objects.get().arguments["format"] == "folder"

    @pytest.mark.parametrize("column", ["path", "fingerprint"])
    @pytest.mark.parametrize("named", ["/etc/passwd", "../../secret.wav", "a/../../b.wav"])
    def test_refuses_a_table_that_reaches_for_the_servers_files(
        self, people: People, uploads: Path, column: str, named: str
    ) -> None:
        said = send(client_of(people.steward), f"external_id,{column}\nx-1,{named}\n".encode())
        assert (said.status_code, said.json()["code"]) == (422, "unsafe_upload")
        assert not Job.objects.exists()
        assert list(uploads.iterdir()) == []

    @pytest.mark.parametrize(
        ("content", "file", "status", "code"),
        [
            (b"", "tunes.csv", 400, "invalid"),
            (b"MZ", "tunes.exe", 422, "unsafe_upload"),
            (TABLE, ".csv", 422, "unsafe_upload"),
            (TABLE, f"{'n' * 240}.csv", 422, "unsafe_upload"),
            ("title\nTöne\n".encode("latin-1"), "tunes.csv", 422, "unreadable_source"),
            (zipped(**{"../evil.wav": b"RIFF"}), "set.zip", 422, "unreadable_source"),
            (zipped(**{"/evil.wav": b"RIFF"}), "set.zip", 422, "unreadable_source"),
            (zipped(**{"a.csv": TABLE, "b.csv": TABLE}), "set.zip", 422, "unsafe_upload"),
            (b"PK no zip at all", "set.zip", 422, "unreadable_source"),
        ],
    )
    def test_refuses_what_is_unsafe_or_unreadable(
        self, people: People, uploads: Path, content: bytes, file: str, status: int, code: str
    ) -> None:
        said = send(client_of(people.steward), content, file=file)
        assert (said.status_code, said.json()["code"]) == (status, code), said.content
        assert not Job.objects.exists()
        assert not uploads.exists() or list(uploads.iterdir()) == []

    def test_refuses_a_file_that_is_too_large(self, people: People, uploads: Path, settings: Any) -> None:
        settings.UPLOAD_MAX_BYTES = 10
        said = send(client_of(people.steward))
        assert (said.status_code, said.json()["code"]) == (413, "upload_too_large")
        assert not uploads.exists()

    def test_refuses_a_form_that_is_too_large_unread(self, people: People, settings: Any) -> None:
        settings.UPLOAD_MAX_BYTES = 10
        said = send(client_of(people.steward), b"x" * 200_000)
        assert (said.status_code, said.json()["code"]) == (413, "too_large")

    def test_forgets_what_earlier_jobs_have_read(self, people: People, uploads: Path) -> None:
        done, waits = (send(client_of(people.steward)).json()["id"] for _ in range(2))
        Job.objects.filter(public_id=done).update(state=JobState.DONE)
        for folder in uploads.iterdir():
            os.utime(folder, (0, 0))
        last = send(client_of(people.steward)).json()["id"]
        kept = {Path(Job.objects.get(public_id=job).arguments["source"]).parent for job in (waits, last)}
        assert set(uploads.iterdir()) == kept


class TestApprove:
    def approve(self, client: APIClient, dataset: Dataset, **words: Any) -> Any:
        where = f"{API}/datasets/{dataset.public_id}/approve/"
        return client.post(where, {"reason": "Read every licence.", **words}, format="json")

    def test_is_for_officers(self, people: People, dataset: Dataset) -> None:
        found = answers(people, lambda client: self.approve(client, dataset))
        assert found == statuses(members=403, compliance_officer=200, stranger=404)

    def test_is_recorded_with_reason_and_conditions(self, people: People, dataset: Dataset) -> None:
        said = self.approve(client_of(people.officer), dataset, accept_conditions=["attribution"]).json()
        assert (said["decision"], said["reason"]) == ("approved", "Read every licence.")
        assert said["conditions"] == ["attribution"]
        shown = client_of(people.outsider).get(f"{API}/datasets/{dataset.public_id}/").json()
        assert shown["approval"] == said["id"]

    def test_is_not_for_an_officer_who_registered_it(self, people: People) -> None:
        own = a_dataset(people.officer, people.house, name="own")
        refused = self.approve(client_of(people.officer), own)
        assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")

    @pytest.mark.parametrize(
        "words", [{"reason": ""}, {"decision": "pending"}, {"accept_conditions": ["magic"]}]
    )
    def test_refuses_half_an_answer(self, people: People, dataset: Dataset, words: dict[str, Any]) -> None:
        assert self.approve(client_of(people.officer), dataset, **words).status_code == 400


class TestFreeze:
    def freeze(self, client: APIClient, dataset: Dataset, **words: Any) -> Any:
        use = {"purpose": "ai_generative_training", "commercial": True, **words}
        return client.post(f"{API}/datasets/{dataset.public_id}/freeze/", use, format="json")

    def approve(self, people: People, dataset: Dataset) -> None:
        services.approve_dataset(
            dataset=dataset, by=people.officer, reason="Read.", accept=[], now=timezone.now()
        )

    def test_is_for_stewards_and_engineers(self, people: People, dataset: Dataset) -> None:
        self.approve(people, dataset)
        found = answers(people, lambda client: self.freeze(client, dataset))
        assert found == statuses(members=403, data_steward=201, ml_engineer=201, stranger=404)

    def test_needs_an_approval(self, people: People, dataset: Dataset) -> None:
        refused = self.freeze(client_of(people.steward), dataset)
        assert (refused.status_code, refused.json()["code"]) == (409, "not_approved")

    def test_gives_a_manifest_whose_root_anybody_can_compute(self, people: People, dataset: Dataset) -> None:
        self.approve(people, dataset)
        version = self.freeze(client_of(people.steward), dataset).json()
        where = f"{API}/dataset-versions/{version['id']}/entries/"
        leaves = client_of(people.outsider).get(where).json()["results"]
        assert len(leaves) == version["n_recordings"] == 2
        assert (
            merkle_root(canonical_json(leaf["manifest"]) for leaf in leaves).hex() == version["merkle_root"]
        )

    def test_says_what_it_left_out(self, people: People, dataset: Dataset) -> None:
        an_entry(dataset.registrations.get(), row=9, licence="CC-BY-NC-4.0")
        self.approve(people, dataset)
        client = client_of(people.steward)
        assert self.freeze(client, dataset).json()["code"] == "not_cleared"
        assert not DatasetVersion.objects.exists()
        version = self.freeze(client, dataset, only_cleared=True).json()
        assert [left["external_id"] for left in version["left_out"]] == ["tune-009"]


class TestIndex:
    def ask(self, client: APIClient, dataset: Dataset, **words: Any) -> Any:
        return client.post(f"{API}/datasets/{dataset.public_id}/index/", words, format="json")

    def test_is_for_those_who_keep_and_use_datasets(self, people: People, dataset: Dataset) -> None:
        found = answers(people, lambda client: self.ask(client, dataset))
        assert found == statuses(members=202, label_auditor=403, external_auditor=403, stranger=404)

    def test_names_the_version(self, people: People, dataset: Dataset) -> None:
        a_version(dataset, people.steward)
        assert self.ask(client_of(people.steward), dataset, version=1).status_code == 202
        assert Job.objects.get().arguments == {"reference": "folk@1"}
        assert self.ask(client_of(people.steward), dataset, version=2).status_code == 404


class TestConflicts:
    @pytest.mark.parametrize("deed", ["resolve", "dismiss"])
    def test_are_closed_by_stewards_and_officers(self, people: People, dataset: Dataset, deed: str) -> None:
        where = f"{API}/conflicts/{a_conflict(dataset).public_id}/{deed}/"
        found = answers(
            people, lambda client: client.post(where, {"reason": "Asked the label."}, format="json")
        )
        assert found == statuses(
            members=403, data_steward=200, compliance_officer=200, label_auditor=404, stranger=404
        )

    def test_are_closed_once_and_for_a_reason(self, people: People, dataset: Dataset) -> None:
        where = f"{API}/conflicts/{a_conflict(dataset).public_id}"
        client = client_of(people.steward)
        assert client.post(f"{where}/resolve/", {"reason": ""}, format="json").status_code == 400
        said = client.post(f"{where}/resolve/", {"reason": "Asked the label."}, format="json").json()
        assert (said["status"], said["reason"], said["resolved_by"]) == (
            "resolved",
            "Asked the label.",
            "data_steward",
        )
        assert client.post(f"{where}/dismiss/", {"reason": "Again."}, format="json").status_code == 409

    def test_are_filtered(self, people: People, dataset: Dataset) -> None:
        conflict = a_conflict(dataset)
        client = client_of(people.outsider)
        for query, n in [
            ("status=open", 1),
            ("status=resolved", 0),
            (f"recording={conflict.recording_b.public_id}", 1),
            (f"recording={uuid4()}", 0),
        ]:
            assert client.get(f"{API}/conflicts/?{query}").json()["count"] == n, query


class TestGrants:
    def send(self, client: APIClient, *deals: dict[str, Any], **words: Any) -> Any:
        return client.post(f"{API}/grants/", {"deals": deals, **words}, format="json")

    def test_are_registered_by_stewards(self, people: People, dataset: Dataset) -> None:
        found = answers(people, lambda client: self.send(client, a_deal(dataset), organisation="House"))
        assert found == statuses(members=403, data_steward=201, stranger=404)

    def test_are_registered_once(self, people: People, dataset: Dataset) -> None:
        client = client_of(people.steward)
        first = self.send(client, a_deal(dataset))
        again = self.send(client, a_deal(dataset))
        assert first.json()["summary"] == {"registered": 1, "duplicate": 0, "rejected": 0}
        assert (again.status_code, again.json()["summary"]["duplicate"]) == (200, 1)
        assert Grant.objects.count() == 2  # one a right

    def test_register_beside_a_bad_one(self, people: People, dataset: Dataset) -> None:
        said = self.send(client_of(people.steward), a_deal(dataset), a_deal(dataset, right="soul"))
        assert said.status_code == 201
        assert [outcome["status"] for outcome in said.json()["outcomes"]] == ["registered", "rejected"]
        assert "no right 'soul'" in said.json()["outcomes"][1]["reasons"][0]

    def test_are_refused_when_every_one_is_bad(self, people: People, dataset: Dataset) -> None:
        said = self.send(client_of(people.steward), a_deal(dataset, recordings=["nowhere"]))
        assert said.status_code == 422
        assert not Grant.objects.exists()

    def test_are_tried_without_being_kept(self, people: People, dataset: Dataset) -> None:
        said = self.send(client_of(people.steward), a_deal(dataset), dry_run=True)
        assert (said.status_code, said.json()["summary"]["registered"]) == (200, 1)
        assert not Grant.objects.exists()
        assert not Party.objects.exists()

    @pytest.mark.parametrize("document", ["/etc/passwd", "../../secret_key", "a/../../b"])
    def test_hash_no_file_of_the_server(self, people: People, dataset: Dataset, document: str) -> None:
        said = self.send(client_of(people.steward), a_deal(dataset, document=document))
        assert said.status_code == 400
        assert said.json()["detail"].startswith("deals.0.document: ")

    def test_keep_the_title_of_their_document(self, people: People, dataset: Dataset) -> None:
        self.send(client_of(people.steward), a_deal(dataset, right="master", document="Deal of 2026, page 3"))
        grant = Grant.objects.get()
        assert (grant.document, grant.document_sha256) == ("Deal of 2026, page 3", "")

    def test_are_filtered(self, people: People, dataset: Dataset) -> None:
        grant = a_grant(people, dataset)
        client = client_of(people.outsider)
        recording = dataset.entries.all()[0].recording.public_id
        for query, n in [
            ("right=master", 1),
            ("right=composition", 0),
            ("revoked=false", 1),
            ("revoked=true", 0),
            (f"recording={recording}", 1),
            (f"recording={uuid4()}", 0),
        ]:
            assert client.get(f"{API}/grants/?{query}").json()["count"] == n, query
        services.revoke_grant(grant=grant, by=people.steward, reason="Over.", now=timezone.now())
        assert client.get(f"{API}/grants/?revoked=true").json()["count"] == 1


class TestRecording:
    def test_shows_what_is_said_claimed_and_granted(self, people: People, dataset: Dataset) -> None:
        grant = a_grant(people, dataset)
        entry = dataset.entries.all()[0]
        party = Party.objects.create(organisation=people.house, name="Anna Miller")
        entry.recording.claims.create(party=party, right="master", share_percent=50, source="steward")
        said = client_of(people.outsider).get(f"{API}/recordings/{entry.recording.public_id}/").json()
        assert [line["right"] for line in said["statements"]] == ["master", "composition"]
        assert [line["dataset"] for line in said["statements"]] == [str(dataset.public_id)] * 2
        assert [(line["party"], line["share_percent"]) for line in said["claims"]] == [
            ("Anna Miller", "50.0000")
        ]
        assert [line["id"] for line in said["grants"]] == [str(grant.public_id)]
        assert said["datasets"] == [
            {"id": str(dataset.public_id), "name": "folk", "external_id": entry.external_id}
        ]
        assert said["registered_at"] == NOON.isoformat().replace("+00:00", "Z")
