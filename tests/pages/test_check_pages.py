"""A file that somebody asks about: from the form over the job to what it comes close to."""

from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from generation import jobs
from governance.jobs import KINDS
from governance.models import Job
from tests import signals
from tests.pages.people import Shelf
from tests.pages.test_generation_pages import client_of


class TestCheckJob:
    def test_leads_from_a_file_to_what_it_comes_close_to(self, shelf: Shelf, tmp_path: Path) -> None:
        client = client_of(shelf.people.engineer)
        mine = signals.write(tmp_path / "mine.wav", signals.music(6.0, seed=0))  # which is the meadow
        given = {
            "file": SimpleUploadedFile("mine.wav", mine.read_bytes()),
            "against": [f"{shelf.dataset.public_id}/folk"],
        }
        job_url = client.post(reverse("generation:check-file"), given)["Location"]
        job = Job.objects.get(kind=jobs.CHECK)
        outcome = KINDS[job.kind].work(job, lambda *_: None)
        Job.objects.filter(pk=job.pk).update(state="done", outcome=dict(outcome))
        check_url = reverse("generation:check", args=[outcome["check"]])
        assert check_url in client.get(job_url).content.decode()
        text = client.get(check_url).content.decode()
        assert "Meadow" in text
        assert client.get(f"{check_url}audio").status_code == 200
        assert client.get(f"{check_url}peaks").json()["duration_s"] == pytest.approx(6.0, abs=0.1)
