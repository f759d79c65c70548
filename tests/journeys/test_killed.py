"""Killed workers and a database that goes away in the middle: nothing is lost, nothing is there by half."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from unittest import mock

import pytest
from django.core.files.storage import default_storage
from django.db import connection
from django.utils import timezone

from config import embedded, postgres
from governance import jobs, ledger, services
from governance.models import Job, LedgerEvent
from provenance.models import Conflict, DatasetEntry, Fingerprint, LicenceStatement, Recording
from provenance.similarity.kinds import RECORDING
from tests import signals
from tests.catalogues import row, table
from tests.config.test_manage import BASE_DIR, begin, manage
from tests.people import CommittingTestCase, People, found_people

N_ROWS = 20  # three chunks
WORKER = """
import sys
import django
from django.conf import settings
settings.DATABASES["default"]["NAME"] = sys.argv[1]
django.setup()
from governance import jobs
jobs.HEARTBEAT_S = 0.2
jobs.perform(sys.argv[2])
"""


def a_long_catalogue(folder: Path) -> Path:
    """Write many short recordings; the first two are one sound under two licences, and both in the first chunk."""
    names = [f"{place:02}.wav" for place in range(N_ROWS)]
    for place, name in enumerate(names):
        seconds = 12.0 if place < 2 else 6.0  # what is called the same sound lasts ten seconds
        sound = signals.music(seconds, seed=max(1, place), rate_hz=11_025)
        signals.write(folder / name, sound[: len(sound) - 100 * (place == 0)], rate_hz=11_025)
    licences = ["CC-BY-NC-4.0"] + ["CC0-1.0"] * (N_ROWS - 1)
    return table(folder / "rows.csv", [row(*both) for both in zip(names, licences, strict=True)])


def prints_of_recordings() -> int:
    return Fingerprint.objects.filter(method=RECORDING.method).count()


class TestAJob(CommittingTestCase):
    """A worker is a process of its own, so what it and this one see of each other is committed."""

    people: People
    job: Job

    def setUp(self) -> None:
        self.people = found_people()
        held = tempfile.TemporaryDirectory()
        self.addCleanup(held.cleanup)
        self.folder = Path(held.name)
        self.job = services.queue_job(
            kind="provenance.register",
            organisation=self.people.house,
            asked_by=self.people.steward,
            now=timezone.now(),
            subject_kind="dataset",
            subject_name="folk",
            arguments={
                "name": "folk",
                "kind": "training",
                "source": str(a_long_catalogue(self.folder)),
                "format": "auto",
                "root": "",
                "only": "",
            },
        )

    def a_worker(self) -> subprocess.Popen[str]:
        name = str(connection.settings_dict["NAME"])
        return subprocess.Popen(
            [sys.executable, "-c", WORKER, name, str(self.job.public_id)],
            cwd=BASE_DIR,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings_test"},
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_for_the_first_chunk(self, worker: subprocess.Popen[str]) -> None:
        limit = time.monotonic() + 60
        while DatasetEntry.objects.count() == 0:
            assert worker.poll() is None, worker.communicate()[1]
            assert time.monotonic() < limit
            time.sleep(0.01)

    def assert_all_is_there_once(self) -> None:
        self.job.refresh_from_db()
        assert self.job.state == "done", self.job.message
        assert DatasetEntry.objects.count() == N_ROWS
        assert set(DatasetEntry.objects.values_list("dataset__name", flat=True)) == {"folk"}
        assert (Recording.objects.count(), prints_of_recordings()) == (N_ROWS, N_ROWS)
        assert LicenceStatement.objects.count() == 2 * N_ROWS
        for recording in Recording.objects.all():
            with default_storage.open(recording.audio) as kept:
                assert hashlib.file_digest(kept, "sha256").hexdigest() == recording.sha256
        assert ledger.verify().ok
        said = LedgerEvent.objects.filter(kind="provenance.dataset.rows_registered")
        assert sum(event.body["recordings"] for event in said) == N_ROWS
        assert Conflict.objects.count() == 1

    def test_goes_on_after_its_worker_was_killed_in_the_middle_of_fingerprinting(self) -> None:
        worker = self.a_worker()
        self.wait_for_the_first_chunk(worker)
        worker.kill()
        worker.communicate()

        n_kept = DatasetEntry.objects.count()
        assert 0 < n_kept < N_ROWS
        assert (Recording.objects.count(), prints_of_recordings()) == (n_kept, n_kept)
        self.job.refresh_from_db()
        assert (self.job.state, Conflict.objects.count()) == ("running", 0)

        beat = timezone.now() - timedelta(seconds=jobs.SILENT_S + 1)
        Job.objects.filter(pk=self.job.pk).update(heartbeat_at=beat)
        with mock.patch.object(jobs, "_send", lambda public_id, queue: jobs.perform(public_id)):
            assert jobs.Sweeper().sweep() == 1

        self.assert_all_is_there_once()
        assert self.job.n_attempts == 2
        assert self.job.outcome["duplicate"] == n_kept

    def test_is_tried_again_after_the_database_hung_up_on_its_worker(self) -> None:
        worker = self.a_worker()
        self.wait_for_the_first_chunk(worker)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        _, err = worker.communicate(timeout=60)

        self.job.refresh_from_db()
        assert (worker.returncode, self.job.state) == (0, "queued"), err
        assert "Tried again soon" in self.job.message
        assert 0 < DatasetEntry.objects.count() < N_ROWS

        jobs.perform(str(self.job.public_id))

        self.assert_all_is_there_once()


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "data"
    assert embedded.stop_if_unused(tmp_path / "data")


class TestACommand:
    def test_says_that_postgresql_stopped_and_goes_on_when_it_is_run_again(
        self, tmp_path: Path, data_dir: Path
    ) -> None:
        source = a_long_catalogue(tmp_path / "music")
        arguments = ("register_dataset", "folk", "--from", str(source), "--wait", "--json")
        process = begin(data_dir, *arguments)
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        assert first["status"] == "registered"

        home = data_dir / "embedded"
        postgres.stop(embedded._folder(home), embedded.socket_dir(data_dir))
        out, err = process.communicate(timeout=60)

        n_told = 1 + len(out.splitlines())
        assert process.returncode == 3, err
        assert "database" in err.splitlines()[-1]
        assert "Traceback" not in err
        assert 0 < n_told < N_ROWS

        code, out, err = manage(data_dir, *arguments)

        *rows, last = [json.loads(line) for line in out.splitlines()]
        assert code == 0, err
        assert last["summary"]["registered"] + last["summary"]["duplicate"] == N_ROWS
        assert last["summary"]["duplicate"] >= n_told  # what was told was kept
        assert last["summary"]["conflicts"] == 1
        assert first["recording"] in {line["recording"] for line in rows if line["status"] == "duplicate"}
        code, out, _ = manage(data_dir, "verify_ledger", "--json")
        assert (code, json.loads(out)["ok"]) == (0, True)
