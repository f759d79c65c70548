"""A steward's table becomes a frozen version, each step on its page by whom it belongs to; then a deal ends."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from governance import jobs, ledger
from governance.models import Job, JobState, Review
from provenance.models import Conflict, Dataset, DatasetVersion, Grant, Party, Recording
from tests.pages.people import write_source
from tests.pages.test_provenance_pages import answers, client_of, text_of, url
from tests.people import People

DEALS = b"""licensor,licensee,right,recordings,purposes
Cellar Records,House,both,cellar,ai_generative_training
"""


@pytest.fixture(autouse=True)
def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_send", lambda public_id, queue: None)


def a_zip(folder: Path) -> SimpleUploadedFile:
    """Return the three tunes and their table, as somebody would send them."""
    write_source(folder)
    archive = folder / "folk.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for path in sorted(folder.iterdir()):
            if path != archive:
                packed.write(path, path.name)
    return SimpleUploadedFile("folk.zip", archive.read_bytes())


def do(client: Client, address: str, given: Mapping[str, Any]) -> str:
    """Send a form and return where it led; a refusal shows its page in the failure."""
    response = client.post(address, given)
    assert response.status_code == 302, " ".join(response.content.decode().split())[-3000:]
    return str(response["Location"])


class TestFromTableToVersion:
    def test_by_pages_alone(self, people: People, tmp_path: Path) -> None:
        steward, officer = client_of(people.steward), client_of(people.officer)
        engineer, label = client_of(people.engineer), client_of(people.auditor)

        sent = {"name": "folk", "kind": "training", "file": a_zip(tmp_path)}
        to_job = do(steward, url("dataset-register"), sent)
        jobs.perform(str(Job.objects.get().public_id))
        assert "Done" in text_of(steward, to_job)
        folk = Dataset.objects.get()
        dataset = url("dataset", folk.public_id)
        assert answers(officer, f"{dataset}?answer=not_allowed") == ["Cellar Door"]

        steward.post(url("grant-register"), {"file": SimpleUploadedFile("deals.csv", DEALS)})
        assert Grant.objects.count() == 2
        Party.objects.filter(grants_given__isnull=False).update(stands_for=people.house)
        for conflict in Conflict.objects.filter(status="open"):
            do(
                steward,
                url("conflict", conflict.public_id),
                {"decision": "dismissed", "reason": "Looked into it."},
            )

        waiting = Review.objects.get()
        assert "folk" in text_of(officer, reverse("home"))
        accepted = {
            "decision": "approved",
            "conditions": ["attribution", "share-alike-outputs"],
            "reason": "Read.",
        }
        do(officer, reverse("governance:review", args=[waiting.public_id]), accepted)

        use = {
            "purpose": "ai_generative_training",
            "commercial": "yes",
            "policy": "default",
            "only_cleared": "on",
        }
        to_version = do(engineer, url("dataset-freeze", folk.public_id), use)
        version = DatasetVersion.objects.get()
        assert version.merkle_root in text_of(label, to_version)
        n_before = version.n_recordings

        cellar = Recording.objects.get(entries__external_id="cellar")
        for grant in Grant.objects.all():
            grant.refresh_from_db()  # both rights of one deal end together
            if grant.revoked_at is None:
                do(label, url("grant-revoke", grant.public_id), {"reason": "The deal is off."})
        assert "revoked" in text_of(label, url("recording", cellar.public_id))
        assert "Cellar Door" in answers(officer, f"{dataset}?answer=not_allowed")
        version.refresh_from_db()
        assert version.n_recordings == n_before
        assert "follow from the first" in text_of(label, reverse("governance:ledger-verification"))
        assert ledger.verify().ok
        assert Job.objects.get().state == JobState.DONE
