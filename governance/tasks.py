"""The one task, run a job by its row, and the sweep by which a worker finds jobs that were left behind."""

import threading

from celery import shared_task
from celery.signals import worker_ready, worker_shutting_down

from governance import jobs

_over = threading.Event()


@shared_task(name="governance.run_job", ignore_result=True, acks_late=True)
def run_job(public_id: str, **_: object) -> None:
    jobs.perform(public_id)


@worker_ready.connect
def start_sweeping(**_: object) -> None:
    threading.Thread(target=jobs.Sweeper().run, args=(_over,), name="sweeper", daemon=True).start()


@worker_shutting_down.connect
def stop_sweeping(**_: object) -> None:
    _over.set()
