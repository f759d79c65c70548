"""What a worker does for provenance; each is what a command does with --wait."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from django.db import InterfaceError, OperationalError
from django.utils import timezone

from governance.errors import LinerNotesError, PartMissingError
from governance.jobs import Progress, job_kind, sweeping
from governance.models import Job, JobState
from provenance import audio, queries, services, uploads
from provenance.intake.errors import IntakeError
from provenance.models import Catalogue, Dataset, DatasetKind
from provenance.queries.clearances import CLEAR, Question

REGISTER = "provenance.register"
INDEX = "provenance.index"
MATCH = "provenance.match_catalogue"
MAX_SHOWN = 200  # rejected rows that a job's outcome lists; its registration keeps them all


@job_kind(REGISTER)
def register(job: Job, progress: Progress) -> Mapping[str, Any]:
    """Register what the job names, and forget what was sent for it unless the job will be tried again."""
    try:
        outcome = _register(job, progress)
    except (OperationalError, InterfaceError, PartMissingError):  # a passing reason: it is read once more
        raise
    except Exception:
        _forget(job)
        raise
    _forget(job)
    return outcome


def _forget(job: Job) -> None:
    uploads.forget(Path(job.arguments["source"]))


@sweeping
def forget_uploads() -> None:
    """Remove what was sent for jobs that were stopped or given up before a worker read it."""
    uploads.forget_finished(awaited_sources(), now=timezone.now())


def awaited_sources() -> list[str]:
    waiting = Job.objects.filter(kind__in=(REGISTER, MATCH), state__in=(JobState.QUEUED, JobState.RUNNING))
    return [job.arguments["source"] for job in waiting if job.arguments.get("source")]


def _register(job: Job, progress: Progress) -> Mapping[str, Any]:
    wanted = job.arguments

    def tell(n_done: int, n_total: int | None) -> bool:
        progress(n_done, n_total or 0, f"{n_done} rows")
        return True

    try:
        done = services.register(
            name=wanted["name"],
            kind=DatasetKind(wanted["kind"]),
            source=Path(wanted["source"]),
            format=wanted["format"],
            root=Path(wanted["root"]) if wanted.get("root") else None,
            by=job.asked_by,
            organisation=job.organisation,
            now=timezone.now(),
            only=wanted.get("only", ""),
            progress=tell,
        )
    except (IntakeError, audio.AudioError) as error:
        raise LinerNotesError(str(error)) from error
    refused = [{**one, "reason": "; ".join(one["reasons"])} for one in done.rejections[:MAX_SHOWN]]
    return {**done.as_json(), "rejections": refused}


@job_kind(INDEX)
def index(job: Job, progress: Progress) -> Mapping[str, Any]:
    dataset, version = queries.dataset_named(job.arguments["reference"], [job.organisation])
    indexed = services.index_dataset(
        dataset=dataset,
        version=version,
        by=job.asked_by,
        now=timezone.now(),
        progress=lambda done, total: progress(done, total, f"{done} of {total} recordings"),
        calibrating=lambda done, total: progress(done, total, f"{done} of {total} strangers"),
    )
    return indexed.as_json()


@job_kind(CLEAR)
def clear(job: Job, progress: Progress) -> Mapping[str, Any]:
    """Work out every answer to the question that the job names; what is current already is left alone."""
    question = asked_by(job)
    run = services.keep_clearance(
        question=question,
        now=timezone.now(),
        progress=lambda done, total: progress(done, total, f"{done} of {total} recordings"),
    )
    return {"recordings": run.n_recordings, **run.counts}


def asked_by(job: Job) -> Question:
    asked = job.arguments
    dataset = Dataset.objects.select_related("organisation").get(public_id=str(job.subject_id))
    day = date.fromisoformat(asked["day"]) if asked["day"] else None
    at = datetime.combine(day, time(), UTC) if day else timezone.now()
    number = asked["version"]
    return Question(
        dataset=dataset,
        version=dataset.versions.get(number=number) if number else None,
        purpose=asked["purpose"],
        commercial=asked["commercial"],
        territory=asked["territory"],
        day=day,
        policy=queries.policy_of(dataset.organisation, asked["policy"], at=at),
        model=asked.get("model", ""),
    )


@job_kind(MATCH)
def match(job: Job, progress: Progress) -> Mapping[str, Any]:
    """Keep the catalogue that was sent, if this job has not yet, and hold it against each dataset named."""
    wanted = job.arguments
    try:
        catalogue = _catalogue(job, progress)
    except (IntakeError, audio.AudioError) as error:
        raise LinerNotesError(str(error)) from error
    found = Dataset.objects.filter(public_id__in=wanted["datasets"]).select_related("organisation")
    runs = services.match_catalogue(
        catalogue=catalogue,
        datasets=list(found.order_by("name")),
        by=job.asked_by,
        now=timezone.now(),
        progress=progress,
    )
    return {
        "catalogue": str(catalogue.public_id),
        "rows": catalogue.n_rows,
        "rejected": len(catalogue.rejections),
        **{run.dataset.name: f"{run.n_found} found, {run.n_probable} probable" for run in runs},
    }


def _catalogue(job: Job, progress: Progress) -> Catalogue:
    wanted = job.arguments
    if wanted.get("catalogue"):
        return Catalogue.objects.get(public_id=wanted["catalogue"])
    kept = services.keep_catalogue(
        source=Path(wanted["source"]),
        name=wanted["name"],
        by=job.asked_by,
        organisation=job.organisation,
        now=timezone.now(),
        format=wanted["format"],
        root=Path(wanted["root"]) if wanted.get("root") else None,
        progress=progress,
    )
    job.arguments = {**wanted, "catalogue": str(kept.public_id)}
    job.subject_kind, job.subject_id = "catalogue", kept.public_id
    job.save(update_fields=["arguments", "subject_kind", "subject_id"])
    return kept
