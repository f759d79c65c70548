"""The one task: run a job by its row."""

from celery import shared_task

from governance import jobs


@shared_task(name="governance.run_job", ignore_result=True, acks_late=True)
def run_job(public_id: str, **_: object) -> None:
    jobs.perform(public_id)
