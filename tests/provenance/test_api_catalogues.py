"""The API of catalogues: who may bring one, who may read which answer."""

from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from governance import jobs
from governance.models import Job, Role
from provenance import services
from provenance.models import Catalogue, Dataset
from tests.people import People, a_dataset, a_member, answers, client_of, statuses

pytestmark = pytest.mark.django_db
API = "/api/v1"
ISRC = "GBAYE0601477"


@pytest.fixture
def folk(people: People) -> Dataset:
    dataset = a_dataset(people.steward, people.house, n_recordings=3)
    recording = dataset.entries.select_related("recording").order_by("id")[0].recording
    recording.isrc = ISRC
    recording.save(update_fields=["isrc"])
    return dataset


@pytest.fixture
def spring(people: People, folk: Dataset, tmp_path: Path) -> Catalogue:
    (tmp_path / "spring.csv").write_text(f"isrc,title\n{ISRC},Ours\nUSRC17607839,Elsewhere\n")
    now = timezone.now()
    catalogue = services.keep_catalogue(
        source=tmp_path / "spring.csv", name="", by=people.auditor, organisation=people.house, now=now
    )
    services.match_catalogue(catalogue=catalogue, datasets=[folk], by=people.auditor, now=now)
    return catalogue


class TestAccess:
    @pytest.mark.parametrize("address", ["", "matches/", "runs/"])
    def test_a_catalogue_is_for_who_brought_it(self, people: People, spring: Catalogue, address: str) -> None:
        url = f"{API}/catalogues/{spring.public_id}/{address}"
        found = answers(people, lambda client: client.get(url))
        assert found == statuses(members=404, stranger=404, label_auditor=200)

    def test_another_label_reads_nothing_of_it(self, people: People, spring: Catalogue) -> None:
        rival = client_of(a_member("rival", people.house, Role.LABEL_AUDITOR))
        assert rival.get(f"{API}/catalogues/").json()["count"] == 0
        assert rival.get(f"{API}/catalogues/{spring.public_id}/").status_code == 404

    def test_asking_again_is_for_who_brought_it(
        self, people: People, folk: Dataset, spring: Catalogue, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(jobs, "_send", lambda public_id, queue: None)
        url, body = f"{API}/catalogues/{spring.public_id}/again/", {"datasets": [str(folk.public_id)]}
        found = answers(people, lambda client: client.post(url, body, format="json"))
        assert found == statuses(members=404, stranger=404, label_auditor=202)

    def test_the_owner_reads_the_questions_and_no_row(self, people: People, spring: Catalogue) -> None:
        url = f"{API}/catalogue-questions/"
        assert answers(people, lambda client: client.get(url)) == statuses(members=200, stranger=200)
        (asked,) = client_of(people.officer).get(url).json()["results"]
        assert (asked["asked_by"], asked["n_rows"], asked["n_found"]) == ("label_auditor", 2, 1)
        assert "Ours" not in str(asked)
        assert client_of(people.auditor).get(url).json()["count"] == 0
        assert client_of(people.stranger).get(url).json()["count"] == 0


class TestBringing:
    def ask(self, client: Any, dataset: Dataset) -> Any:
        sent = SimpleUploadedFile("autumn.csv", f"isrc\n{ISRC}\n".encode())
        body = {"file": sent, "datasets": [str(dataset.public_id)]}
        return client.post(f"{API}/catalogues/", body, format="multipart")

    def test_is_for_whom_the_owner_lets_ask(
        self, people: People, folk: Dataset, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.DATA_DIR = tmp_path
        monkeypatch.setattr(jobs, "_send", lambda public_id, queue: None)
        found = answers(people, lambda client: self.ask(client, folk))
        assert found == statuses(
            members=403, stranger=404, label_auditor=202, data_steward=202, compliance_officer=202
        )

    def test_queues_a_job_that_answers(
        self, people: People, folk: Dataset, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.DATA_DIR = tmp_path
        monkeypatch.setattr(jobs, "_send", lambda public_id, queue: None)
        client = client_of(people.auditor)
        self.ask(client, folk)
        jobs.perform(str(Job.objects.get().public_id))
        catalogue = client.get(f"{API}/catalogues/").json()["results"][0]["id"]
        (line,) = client.get(f"{API}/catalogues/{catalogue}/matches/").json()["results"]
        assert (line["answer"], line["dataset"], line["evidence"]) == (
            "found",
            "folk",
            [{"kind": "isrc", "isrc": ISRC}],
        )


class TestMatches:
    def test_are_narrowed_and_name_nothing_that_did_not_match(
        self, people: People, folk: Dataset, spring: Catalogue
    ) -> None:
        client, url = client_of(people.auditor), f"{API}/catalogues/{spring.public_id}/matches/"
        everything = client.get(url).json()["results"]
        assert [line["answer"] for line in everything] == ["found", "not_found"]
        assert everything[1]["recording"] is None
        assert client.get(url, {"answer": "found"}).json()["count"] == 1
        assert client.get(url, {"nonsense": "x"}).status_code == 400
        for entry in folk.entries.exclude(recording__isrc=ISRC).select_related("recording"):
            assert str(entry.recording.public_id) not in str(everything)
