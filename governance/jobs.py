"""Long work: each app names its kinds of job and the function that does one; a worker runs them by their row.

The row in the database is the truth and outlives the broker, which only wakes a worker. A job is claimed by a
conditional update, shows a sign of life every few seconds, and goes back to the queue when those stop.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import InterfaceError, OperationalError, close_old_connections, connection, transaction
from django.utils import timezone

from governance import services
from governance.errors import LinerNotesError, PartMissingError
from governance.models import Job, JobState

logger = logging.getLogger(__name__)
HEARTBEAT_S = 5.0
SILENT_S = 30.0  # six missed heartbeats: the worker is dead
MAX_ATTEMPTS = 4
SWEEP_S = 10.0
TIDY_S = 900.0
WAKE_AGAIN_S = 600.0  # a job that waits this long in a queue that answers has lost its message

Progress = Callable[[int, int, str], None]
Work = Callable[[Job, Progress], Mapping[str, Any]]


class JobStopped(Exception):
    """A person asked the job to stop."""


@dataclass(frozen=True)
class JobKind:
    name: str
    queue: str
    work: Work


KINDS: dict[str, JobKind] = {}


def job_kind(name: str, *, queue: str = "default") -> Callable[[Work], Work]:
    """Register the function that does jobs of this kind; it must find its way again when run a second time."""

    def register(work: Work) -> Work:
        KINDS[name] = JobKind(name, queue, work)
        return work

    return register


SWEEPS: list[Callable[[], None]] = []


def sweeping(sweep: Callable[[], None]) -> Callable[[], None]:
    """Register what a worker does every ``TIDY_S``: removing what ended jobs left behind."""
    SWEEPS.append(sweep)
    return sweep


def enqueue(job: Job) -> None:
    """Wake a worker for ``job`` once the transaction that made it is committed."""
    transaction.on_commit(lambda: _send(str(job.public_id), KINDS[job.kind].queue))


def _send(public_id: str, queue: str) -> None:
    from celery import current_app  # the broker is asked for only when work is sent
    from kombu.exceptions import OperationalError as BrokerDown

    try:
        current_app.send_task("governance.run_job", args=[public_id], queue=queue)
    except BrokerDown as error:
        raise PartMissingError(
            f"The broker can't be reached ({error}): the job is kept and waits."
        ) from error


def worker_answers(queue: str, *, timeout_s: float = 1.5) -> bool:
    """Tell whether a worker that takes jobs of this queue is up; where no broker answers, none is."""
    from celery import current_app
    from kombu.exceptions import OperationalError as BrokerDown

    try:
        queues = current_app.control.inspect(timeout=timeout_s).active_queues() or {}
    except BrokerDown:
        return False
    return any(entry["name"] == queue for entries in queues.values() for entry in entries)


def require_worker(kind: str) -> None:
    if not worker_answers(KINDS[kind].queue):
        raise PartMissingError("No worker is running: add --wait or start `make worker`.")


def perform(public_id: str) -> None:
    """Claim one job and do it; a job that is taken, finished or stopped is left alone."""
    job = services.claim_job(public_id=public_id, now=timezone.now())
    if job is None:
        return
    if job.n_attempts > MAX_ATTEMPTS:  # its workers died of it, one after the other
        services.finish_job(
            job=job,
            state=JobState.FAILED,
            now=timezone.now(),
            message=f"Given up: {MAX_ATTEMPTS} workers died or gave up in the middle of it.",
        )
        return
    try:
        with _alive(job):
            outcome = KINDS[job.kind].work(job, _progress_of(job))
    except JobStopped:
        services.finish_job(job=job, state=JobState.CANCELLED, now=timezone.now(), message="Stopped.")
    except (OperationalError, InterfaceError, PartMissingError) as error:
        _retry(job, error)
    except LinerNotesError as error:
        services.finish_job(job=job, state=JobState.FAILED, now=timezone.now(), message=str(error))
    except Exception as error:
        logger.exception("Job %s failed", public_id)
        services.finish_job(
            job=job, state=JobState.FAILED, now=timezone.now(), message=f"{type(error).__name__}: {error}"
        )
    else:
        services.finish_job(job=job, state=JobState.DONE, now=timezone.now(), outcome=outcome)


def _retry(job: Job, error: Exception) -> None:
    """Put a job back that failed for a passing reason, until it has been tried often enough."""
    close_old_connections()
    if job.n_attempts >= MAX_ATTEMPTS:
        services.finish_job(job=job, state=JobState.FAILED, now=timezone.now(), message=str(error))
        return
    Job.objects.filter(pk=job.pk).update(state=JobState.QUEUED, message=f"Tried again soon: {error}"[:500])


def _progress_of(job: Job) -> Progress:
    def tell(n_done: int, n_total: int, message: str) -> None:
        if not services.report_progress(
            job=job, n_done=n_done, n_total=n_total, message=message, now=timezone.now()
        ):
            raise JobStopped

    return tell


@contextmanager
def _alive(job: Job) -> Any:
    """Show a sign of life while the work goes on, from a thread with a connection of its own."""
    over = threading.Event()

    def beat() -> None:
        try:
            while not over.wait(HEARTBEAT_S):
                try:
                    Job.objects.filter(pk=job.pk, state=JobState.RUNNING).update(heartbeat_at=timezone.now())
                except (OperationalError, InterfaceError):
                    connection.close()  # the server went away: the next beat opens a new connection
        finally:
            connection.close()

    thread = threading.Thread(target=beat, name=f"heartbeat-{job.pk}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(timeout=HEARTBEAT_S)


class Sweeper:
    """Finds jobs that nobody works on: their worker died, their message was lost, or they are to be tried again."""

    def __init__(self) -> None:
        self._woken: dict[tuple[str, int], float] = {}  # (job, attempt) -> when a worker was told of it
        self._tidied_at = 0.0

    def sweep(self) -> int:
        """Put back the jobs whose worker died, wake a worker for what waits, and return for how many."""
        services.requeue_orphans(now=timezone.now(), silent_for_s=SILENT_S)
        waiting = Job.objects.filter(state=JobState.QUEUED, kind__in=KINDS).order_by("asked_at")[:100]
        told = [job for job in waiting if self._is_due(job)]
        for job in told:
            _send(str(job.public_id), KINDS[job.kind].queue)
            self._woken[str(job.public_id), job.n_attempts] = time.monotonic()
        self._tidy()
        return len(told)

    def _tidy(self) -> None:
        if self._tidied_at and time.monotonic() - self._tidied_at < TIDY_S:
            return
        self._tidied_at = time.monotonic()
        for tidy in SWEEPS:
            try:
                tidy()
            except OSError as error:
                logger.warning("Could not tidy up: %s", error)

    def _is_due(self, job: Job) -> bool:
        told_at = self._woken.get((str(job.public_id), job.n_attempts))
        return told_at is None or time.monotonic() - told_at > WAKE_AGAIN_S

    def run(self, over: threading.Event) -> None:
        """Sweep until ``over`` is set; a database or broker that is down is asked again at the next sweep."""
        while not over.wait(SWEEP_S):
            try:
                self.sweep()
            except (OperationalError, InterfaceError, PartMissingError) as error:
                logger.warning("Could not look for waiting jobs: %s", error)
            finally:
                connection.close()
