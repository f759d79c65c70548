"""What a worker does for provenance; each is what a command does with --wait."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.utils import timezone

from governance.errors import LinerNotesError
from governance.jobs import Progress, job_kind
from governance.models import Job
from provenance import audio, queries, services
from provenance.intake.errors import IntakeError
from provenance.models import DatasetKind

REGISTER = "provenance.register"
INDEX = "provenance.index"
MAX_SHOWN = 200  # rejected rows that a job's outcome lists; its registration keeps them all


@job_kind(REGISTER)
def register(job: Job, progress: Progress) -> Mapping[str, Any]:
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
    )
    return indexed.as_json()
