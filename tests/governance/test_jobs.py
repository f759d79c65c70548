"""Jobs: claimed once, tried again after what passes, given up after what doesn't, and never forgotten."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.db import OperationalError
from django.utils import timezone

from governance import jobs, services
from governance.errors import LinerNotesError, PartMissingError
from governance.models import Job, JobState
from tests.people import People

pytestmark = pytest.mark.django_db
KIND = "tests.work"


@pytest.fixture
def job(people: People) -> Job:
    return services.queue_job(
        kind=KIND,
        organisation=people.house,
        asked_by=people.steward,
        now=timezone.now(),
        arguments={},
        subject_name="work",
    )


@pytest.fixture(autouse=True)
def quiet_heart(monkeypatch: pytest.MonkeyPatch) -> None:
    """The heartbeat has a connection of its own, and a retry drops its own: neither sees an open transaction."""
    monkeypatch.setattr(jobs, "HEARTBEAT_S", 3600.0)
    monkeypatch.setattr(jobs, "close_old_connections", lambda: None)


@pytest.fixture(autouse=True)
def messages() -> Iterator[list[str]]:
    """What was sent to the broker: the jobs that a worker was woken for."""
    sent: list[str] = []
    with mock.patch.object(jobs, "_send", lambda public_id, queue: sent.append(public_id)):
        yield sent


def work_is(work: Callable[[Job, jobs.Progress], Mapping[str, Any]]) -> Any:
    return mock.patch.dict(jobs.KINDS, {KIND: jobs.JobKind(KIND, "default", work)})


def raising(error: Exception) -> Callable[[Job, jobs.Progress], Mapping[str, Any]]:
    def work(job: Job, progress: jobs.Progress) -> Mapping[str, Any]:
        raise error

    return work


def after(job: Job) -> Job:
    job.refresh_from_db()
    return job


class TestPerform:
    def test_does_the_work_and_keeps_its_outcome(self, job: Job) -> None:
        def work(job: Job, progress: jobs.Progress) -> Mapping[str, Any]:
            progress(3, 7, "3 of 7")
            return {"made": 7}

        with work_is(work):
            jobs.perform(str(job.public_id))

        done = after(job)
        assert (done.state, done.outcome, done.n_done, done.n_total) == ("done", {"made": 7}, 3, 7)

    def test_leaves_a_job_alone_that_is_taken_or_over(self, job: Job) -> None:
        work = mock.Mock(return_value={})
        with work_is(work):
            for state in set(JobState.values) - {"queued"}:
                Job.objects.filter(pk=job.pk).update(state=state)
                jobs.perform(str(job.public_id))
        assert not work.called

    @pytest.mark.parametrize(
        "error", [OperationalError("server closed the connection"), PartMissingError("The disk is full.")]
    )
    def test_puts_back_what_failed_for_a_passing_reason(self, job: Job, error: Exception) -> None:
        with work_is(raising(error)):
            jobs.perform(str(job.public_id))

        assert (after(job).state, job.n_attempts) == ("queued", 1)
        assert str(error) in job.message

    def test_gives_up_in_the_end(self, job: Job) -> None:
        with work_is(raising(PartMissingError("The disk is full."))):
            for _ in range(jobs.MAX_ATTEMPTS + 1):
                jobs.perform(str(job.public_id))

        assert (after(job).state, job.message) == ("failed", "The disk is full.")
        assert job.n_attempts == jobs.MAX_ATTEMPTS

    def test_fails_with_the_sentence_of_what_is_wrong(self, job: Job) -> None:
        with work_is(raising(LinerNotesError("The table lacks the column path."))):
            jobs.perform(str(job.public_id))
        assert (after(job).state, job.message) == ("failed", "The table lacks the column path.")

    def test_fails_and_does_not_hang_on_what_nobody_expected(self, job: Job) -> None:
        with work_is(raising(ZeroDivisionError("by zero"))):
            jobs.perform(str(job.public_id))
        assert (after(job).state, job.message) == ("failed", "ZeroDivisionError: by zero")

    def test_stops_at_its_next_step_when_it_is_told_to(self, job: Job) -> None:
        steps = []

        def work(job: Job, progress: jobs.Progress) -> Mapping[str, Any]:
            for step in range(5):
                steps.append(step)
                if step == 1:
                    services.stop_job(job=job, by=job.asked_by, now=timezone.now())
                progress(step, 5, "")
            return {}

        with work_is(work):
            jobs.perform(str(job.public_id))

        assert steps == [0, 1]
        assert after(job).state == "cancelled"

    def test_does_not_kill_a_fifth_worker_with_a_job_that_killed_four(self, job: Job) -> None:
        """A worker that dies says nothing: only the count of attempts tells."""
        Job.objects.filter(pk=job.pk).update(n_attempts=jobs.MAX_ATTEMPTS)
        work = mock.Mock(return_value={})

        with work_is(work):
            jobs.perform(str(job.public_id))

        assert not work.called
        assert after(job).state == "failed"
        assert "workers died" in job.message


class TestSweeper:
    def orphan(self, job: Job, *, silent_for_s: float) -> None:
        Job.objects.filter(pk=job.pk).update(
            state=JobState.RUNNING,
            n_attempts=1,
            heartbeat_at=timezone.now() - timedelta(seconds=silent_for_s),
        )

    def test_puts_back_the_job_of_a_dead_worker_and_wakes_another(
        self, job: Job, messages: list[str]
    ) -> None:
        self.orphan(job, silent_for_s=jobs.SILENT_S + 1)
        with work_is(mock.Mock(return_value={"made": 1})):
            assert jobs.Sweeper().sweep() == 1
            assert (after(job).state, messages) == ("queued", [str(job.public_id)])

            jobs.perform(messages[0])

        assert (after(job).state, job.n_attempts) == ("done", 2)

    def test_leaves_the_job_of_a_living_worker(self, job: Job, messages: list[str]) -> None:
        self.orphan(job, silent_for_s=jobs.SILENT_S - 5)
        with work_is(mock.Mock()):
            assert jobs.Sweeper().sweep() == 0
        assert (after(job).state, messages) == ("running", [])

    def test_wakes_a_worker_for_a_job_whose_message_was_lost_but_once(
        self, job: Job, messages: list[str]
    ) -> None:
        sweeper = jobs.Sweeper()
        with work_is(mock.Mock()):
            assert [sweeper.sweep() for _ in range(3)] == [1, 0, 0]
        assert messages == [str(job.public_id)]

    def test_wakes_a_worker_again_for_a_job_that_is_to_be_tried_again(
        self, job: Job, messages: list[str]
    ) -> None:
        sweeper = jobs.Sweeper()
        with work_is(raising(PartMissingError("The disk is full."))):
            sweeper.sweep()
            jobs.perform(str(job.public_id))
            assert sweeper.sweep() == 1
        assert len(messages) == 2

    def test_goes_on_when_the_database_or_the_broker_is_down(
        self, job: Job, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(jobs, "SWEEP_S", 0.0)
        monkeypatch.setattr(jobs, "connection", mock.Mock())
        over, calls = threading.Event(), []

        def sweep(self: jobs.Sweeper) -> int:
            calls.append(1)
            if len(calls) == 3:
                over.set()
            raise (OperationalError if len(calls) == 1 else PartMissingError)("down")

        monkeypatch.setattr(jobs.Sweeper, "sweep", sweep)
        jobs.Sweeper().run(over)

        assert len(calls) == 3


class TestRequireWorker:
    def test_says_what_to_do_where_none_answers(self) -> None:
        with mock.patch.object(jobs, "worker_answers", return_value=False), work_is(mock.Mock()):
            with pytest.raises(PartMissingError) as raised:
                jobs.require_worker(KIND)
            assert str(raised.value) == "No worker is running: add --wait or start `make worker`."
            assert raised.value.exit_code == 3

    def test_takes_a_broker_that_is_down_for_no_worker(self) -> None:
        from kombu.exceptions import OperationalError as BrokerDown

        with mock.patch("celery.current_app") as app:
            app.control.inspect.return_value.active_queues.side_effect = BrokerDown("refused")
            assert not jobs.worker_answers("default")

    def test_asks_for_a_worker_of_the_right_queue(self) -> None:
        with mock.patch("celery.current_app") as app:
            app.control.inspect.return_value.active_queues.return_value = {"a@b": [{"name": "gpu"}]}
            assert jobs.worker_answers("gpu")
            assert not jobs.worker_answers("default")


class TestAWorker:
    def test_sweeps_from_its_start_to_its_end(self) -> None:
        from celery.signals import worker_ready, worker_shutting_down

        from governance import tasks

        swept = threading.Event()

        def run(self: jobs.Sweeper, over: threading.Event) -> None:
            swept.set()
            over.wait(5)

        with mock.patch.object(jobs.Sweeper, "run", run):
            worker_ready.send(None)
            assert swept.wait(5)
            worker_shutting_down.send(None)
        assert tasks._over.is_set()
        tasks._over.clear()
