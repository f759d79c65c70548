"""Long work: each app names its kinds of job and the function that does one; a worker runs them by their row.

The row in the database is the truth and outlives the broker, which only wakes a worker. A job is claimed by a
conditional update, shows a sign of life every few seconds, and goes back to the queue when those stop.
"""

import logging
import threading
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
    """Tell whether a worker that takes jobs of this queue is up."""
    from celery import current_app

    queues = current_app.control.inspect(timeout=timeout_s).active_queues() or {}
    return any(entry["name"] == queue for entries in queues.values() for entry in entries)


def require_worker(kind: str) -> None:
    if not worker_answers(KINDS[kind].queue):
        raise PartMissingError("No worker is running: add --wait or start `make worker`.")


def perform(public_id: str) -> None:
    """Claim one job and do it; a job that is taken, finished or stopped is left alone."""
    job = services.claim_job(public_id=public_id, now=timezone.now())
    if job is None:
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


def sweep() -> int:
    """Put back the jobs whose worker died and wake a worker for every waiting job; return how many were woken."""
    services.requeue_orphans(now=timezone.now(), silent_for_s=SILENT_S)
    waiting = list(Job.objects.filter(state=JobState.QUEUED).order_by("asked_at")[:100])
    for job in waiting:
        if job.kind in KINDS:
            _send(str(job.public_id), KINDS[job.kind].queue)
    return len(waiting)
