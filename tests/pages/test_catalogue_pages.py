"""Pages of catalogues: who may open which, what stands there, and that the list costs the same at any length."""

import io
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from generation.models import GenerativeModel, ModelVersion
from generation.queries import overviews
from governance import jobs
from governance.models import Job, User
from provenance import services
from provenance.models import Catalogue, CatalogueRow, Dataset
from tests.people import People, a_dataset, a_version

pytestmark = pytest.mark.django_db
ISRC = "GBAYE0601477"


@pytest.fixture
def folk(people: People) -> Dataset:
    dataset = a_dataset(people.steward, people.house, n_recordings=3)
    entry = dataset.entries.select_related("recording").order_by("id")[0]
    entry.recording.isrc = ISRC
    entry.recording.save(update_fields=["isrc"])
    return dataset


@pytest.fixture
def spring(people: People, folk: Dataset, tmp_path: Path) -> Catalogue:
    return matched(people, folk, tmp_path)


def matched(people: People, dataset: Dataset, folder: Path, n_rows: int = 3) -> Catalogue:
    lines = ["external_id,isrc,title,artist"]
    lines += [f"row{n},{ISRC if n == 0 else ''},=Our Song {n},Us" for n in range(n_rows)]
    (folder / f"spring-{n_rows}.csv").write_text("\n".join(lines))
    catalogue = services.keep_catalogue(
        source=folder / f"spring-{n_rows}.csv",
        name="Spring",
        by=people.auditor,
        organisation=people.house,
        now=timezone.now(),
    )
    services.match_catalogue(catalogue=catalogue, datasets=[dataset], by=people.auditor, now=timezone.now())
    return catalogue


def client_of(user: User | None) -> Client:
    client = Client()
    if user is not None:
        client.force_login(user)
    return client


def page(user: User, name: str, *args: Any, **query: str) -> str:
    response = client_of(user).get(reverse(f"provenance:{name}", args=args), query)
    assert response.status_code == 200
    return response.content.decode()


class TestCataloguePage:
    def test_is_there_for_who_brought_it_alone(self, people: People, spring: Catalogue) -> None:
        row = CatalogueRow.objects.filter(catalogue=spring)[0]
        for name, public_id in (
            ("catalogue", spring.public_id),
            ("catalogue-csv", spring.public_id),
            ("catalogue-row", row.public_id),
        ):
            url = reverse(f"provenance:{name}", args=[public_id])
            found = {
                user.username if user else "": client_of(user).get(url).status_code
                for user in (people.auditor, people.officer, people.steward, people.stranger, None)
            }
            assert found == {
                "label_auditor": 200,
                "compliance_officer": 404,
                "data_steward": 404,
                "stranger": 404,
                "": 302,
            }

    def test_counts_and_lists_the_answers(self, people: People, spring: Catalogue) -> None:
        written = page(people.auditor, "catalogue", spring.public_id)
        assert "Our Song 0" in written
        assert "Tune" in written  # the recording that it was found in
        assert written.count("not found") >= 2

    def test_names_no_recording_that_did_not_match(
        self, people: People, folk: Dataset, spring: Catalogue
    ) -> None:
        written = page(people.auditor, "catalogue", spring.public_id)
        written += page(people.auditor, "catalogue-list")
        for entry in folk.entries.exclude(recording__isrc=ISRC).select_related("recording"):
            assert entry.recording.title not in written
            assert str(entry.recording.public_id) not in written

    def test_narrows_to_an_answer(self, people: People, spring: Catalogue) -> None:
        written = page(people.auditor, "catalogue", spring.public_id, answer="not_found")
        assert "Our Song 1" in written
        assert "Our Song 0" not in written

    def test_shows_the_models_trained_on_it(self, people: People, folk: Dataset, spring: Catalogue) -> None:
        version = a_version(folk, people.steward)
        model = GenerativeModel.objects.create(
            organisation=people.house,
            name="singer",
            architecture="codec",
            created_by=people.engineer,
            created_at=timezone.now(),
        )
        ModelVersion.objects.create(
            model=model,
            number=1,
            dataset_version=version,
            checkpoint="singer-1",
            weights_sha256="0" * 64,
            n_parameters=1,
            config={},
            registered_by=people.engineer,
            registered_at=timezone.now(),
        )
        assert "singer 1" in page(people.auditor, "catalogue", spring.public_id)
        narrowed = page(people.auditor, "catalogue", spring.public_id, version=str(version.public_id))
        assert "Our Song 0" in narrowed
        assert "Our Song 1" not in narrowed
        row = CatalogueRow.objects.get(catalogue=spring, external_id="row0")
        told = page(people.auditor, "catalogue-row", row.public_id)
        assert "folk@1" in told
        assert "singer 1" in told

        run = spring.runs.get()
        unsure = CatalogueRow.objects.get(catalogue=spring, external_id="row1")
        unsure.matches.all().delete()
        for rank, held in enumerate(version.entries.all(), start=1):
            unsure.matches.create(run=run, rank=rank, recording=held.recording, answer="probable", score=0.9)
        (counted,) = overviews.models_holding([run], ModelVersion.objects.all())
        assert (counted.n_found, counted.n_probable) == (1, 1)  # rows, however many recordings one may be

    def test_costs_the_same_at_any_length(self, people: People, folk: Dataset, tmp_path: Path) -> None:
        counts = []
        for n_rows in (3, 40):
            catalogue = matched(people, folk, tmp_path, n_rows)
            client = client_of(people.auditor)
            with CaptureQueriesContext(connection) as asked:
                client.get(reverse("provenance:catalogue", args=[catalogue.public_id]))
            counts.append(len(asked))
        assert counts[0] == counts[1]

    def test_exports_rows_that_no_spreadsheet_runs(self, people: People, spring: Catalogue) -> None:
        response = client_of(people.auditor).get(
            reverse("provenance:catalogue-csv", args=[spring.public_id]), {"answer": "found"}
        )
        lines = io.BytesIO(b"".join(response.streaming_content)).read().decode().splitlines()  # type: ignore[attr-defined]
        assert len(lines) == 2
        assert ",'=Our Song 0," in lines[1]


class TestBringing:
    def test_queues_a_job(
        self, people: People, folk: Dataset, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.DATA_DIR = tmp_path
        monkeypatch.setattr(jobs, "_send", lambda public_id, queue: None)
        sent = SimpleUploadedFile("autumn.csv", f"isrc\n{ISRC}\n".encode())
        response = client_of(people.auditor).post(
            reverse("provenance:catalogue-bring"),
            {"file": sent, "name": "", "datasets": [str(folk.public_id)]},
        )
        job = Job.objects.get()
        assert response.status_code == 302
        assert job.subject_name == "autumn"
        jobs.perform(str(job.public_id))
        job.refresh_from_db()
        assert (job.state, job.outcome["folk"]) == ("done", "1 found, 0 probable")
        jobs_page = client_of(people.auditor).get(reverse("governance:job", args=[job.public_id]))
        assert str(Catalogue.objects.get().public_id) in jobs_page.content.decode()

    def test_asks_no_dataset_that_the_person_may_not_ask(self, people: People, folk: Dataset) -> None:
        theirs = a_dataset(people.stranger, people.elsewhere, name="theirs")
        sent = SimpleUploadedFile("autumn.csv", f"isrc\n{ISRC}\n".encode())
        response = client_of(people.auditor).post(
            reverse("provenance:catalogue-bring"), {"file": sent, "datasets": [str(theirs.public_id)]}
        )
        assert response.status_code == 422
        assert not Job.objects.exists()

    def test_is_refused_to_who_may_not_ask(self, people: People, folk: Dataset) -> None:
        assert client_of(people.engineer).get(reverse("provenance:catalogue-bring")).status_code == 403


class TestAskedPage:
    def test_tells_the_owner_who_and_how_many_and_no_row(self, people: People, spring: Catalogue) -> None:
        written = page(people.officer, "catalogue-asked")
        assert people.auditor.username in written
        assert "Our Song" not in written
        assert "Nobody asked yet" in page(people.auditor, "catalogue-asked")


class TestHome:
    def test_shows_the_label_its_catalogues(self, people: People, spring: Catalogue) -> None:
        written = client_of(people.auditor).get("/").content.decode()
        assert "folk: 1 found, 0 probable" in written
