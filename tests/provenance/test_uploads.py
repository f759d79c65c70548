"""What people send is kept until a worker has read it, and not longer."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from django.utils import timezone
from openpyxl import Workbook

from governance import jobs
from governance import services as governance
from governance.models import Job, JobState
from provenance.jobs import REGISTER, forget_uploads
from provenance.models import Dataset
from provenance.uploads import UnsafeUploadError, keep_source, upload_folder
from tests.catalogues import a_catalogue, row, sound, table
from tests.people import People

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folders_of_their_own(tmp_path: Path, settings: Any) -> None:
    settings.DATA_DIR = tmp_path / "data"


def sent(content: str = "") -> Path:
    """Lay a source where uploads are kept: a good catalogue, or a table with this content."""
    folder = upload_folder()
    folder.mkdir(parents=True)
    if not content:
        return a_catalogue(folder, 1)
    (folder / "rows.csv").write_text(content)
    return folder / "rows.csv"


def queued(people: People, source: Path) -> Job:
    return governance.queue_job(
        kind=REGISTER,
        organisation=people.house,
        asked_by=people.steward,
        now=timezone.now(),
        subject_kind="dataset",
        subject_name="folk",
        arguments={
            "name": "folk",
            "kind": "training",
            "source": str(source),
            "format": "csv",
            "root": str(source.parent),
        },
    )


def state_after(job: Job) -> str:
    jobs.perform(str(job.public_id))
    job.refresh_from_db()
    return job.state


class TestWhatWasSent:
    def test_is_gone_when_it_is_registered(self, people: People) -> None:
        source = sent()
        assert state_after(queued(people, source)) == JobState.DONE
        assert Dataset.objects.get().entries.count() == 1
        assert not source.parent.exists()

    def test_is_gone_when_it_can_not_be_read(self, people: People) -> None:
        source = sent("mood,weather\nblue,rain\n")
        job = queued(people, source)
        assert state_after(job) == JobState.FAILED
        assert "path" in job.message
        assert not source.parent.exists()
        assert not Dataset.objects.exists()

    def test_is_gone_and_its_rows_are_listed_when_all_were_rejected(self, people: People) -> None:
        source = sent("path,licence\ngone.wav,CC0-1.0\n")
        job = queued(people, source)
        assert state_after(job) == JobState.DONE
        assert job.outcome["rejections"][0]["external_id"] == "gone.wav"
        assert "gone.wav" in job.outcome["rejections"][0]["reason"]
        assert not source.parent.exists()
        assert not Dataset.objects.exists()

    def test_stays_while_the_job_is_tried_again(
        self, people: People, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source = sent()

        def gone(**_: Any) -> None:
            raise OperationalError("the server went away")

        with monkeypatch.context() as patch:
            patch.setattr("provenance.services.register", gone)
            patch.setattr("governance.jobs.close_old_connections", lambda: None)  # the test's own is needed
            job = queued(people, source)
            assert state_after(job) == JobState.QUEUED
        assert source.exists()
        assert state_after(job) == JobState.DONE
        assert not source.parent.exists()

    def test_stays_where_it_lies_outside_the_uploads(self, people: People, tmp_path: Path) -> None:
        source = a_catalogue(tmp_path / "music", 1)
        assert state_after(queued(people, source)) == JobState.DONE
        assert source.exists()


class TestTableThatIsSent:
    @pytest.mark.parametrize("column", ["path", " Fingerprint"])
    @pytest.mark.parametrize("cell", ["/etc/hostname", "../../ledger.key", "music/../../x.wav"])
    @pytest.mark.parametrize("name", ["rows.csv", "rows.xlsx"])
    def test_names_nothing_of_the_server(self, name: str, column: str, cell: str) -> None:
        with pytest.raises(UnsafeUploadError, match=rf"{name}, row 3: '{cell}' lies outside what was sent"):
            keep_source(table_as(name, [["title", column], ["One", ""], ["Two", f" {cell} "]]))
        assert not list(upload_folder().parent.glob("*"))

    @pytest.mark.parametrize("climbs", [False, True])
    def test_opens_nothing_of_the_server_to_the_worker_either(self, people: People, climbs: bool) -> None:
        """What got past the look at its cells is still held within its own folder."""
        own = sent()
        theirs = sound(upload_folder().parent.parent / "theirs.wav", 9)
        named = f"../../{theirs.name}" if climbs else str(theirs)
        assert (own.parent / named).is_file()
        table(own, [row("0.wav"), row(named)])
        job = queued(people, own)
        assert state_after(job) == JobState.DONE
        (entry,) = Dataset.objects.get().entries.all()
        assert entry.external_id == "0.wav"

    def test_is_kept_for_the_worker_where_its_paths_are_its_own(self) -> None:
        source = keep_source(table_as("rows.xlsx", [["path", "title"], ["music/a.wav", "One"]]))
        assert (source.path.name, source.format, source.root) == ("rows.xlsx", "csv", source.path.parent)


def table_as(name: str, rows: list[list[str]]) -> SimpleUploadedFile:
    if name.endswith(".csv"):
        return SimpleUploadedFile(name, "\n".join(",".join(row) for row in rows).encode())
    workbook, written = Workbook(), io.BytesIO()
    sheet = workbook.worksheets[0]
    for cells in rows:
        sheet.append(cells)
    workbook.save(written)
    return SimpleUploadedFile(name, written.getvalue())


class TestSweep:
    def test_removes_what_no_job_waits_for(self, people: People) -> None:
        stopped, waits, fresh = sent(), sent(), sent()
        governance.stop_job(job=queued(people, stopped), by=people.steward, now=timezone.now())
        queued(people, waits)
        for source in (stopped, waits):
            os.utime(source.parent, (0, 0))

        forget_uploads()

        assert [source.exists() for source in (stopped, waits, fresh)] == [False, True, True]

    def test_is_done_by_every_worker(self) -> None:
        assert forget_uploads in jobs.SWEEPS
