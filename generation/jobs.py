"""What a worker does for generation, and how it is asked to check a file."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.utils import timezone

from generation import queries, services
from generation.errors import GenerationError, StoppedError
from generation.models import Case, ModelVersion
from generation.pipeline import Target
from generation.services.listening import LISTEN
from governance import access
from governance import services as governance
from governance.jobs import JobStopped, Progress, job_kind
from governance.models import Job, Organisation, User
from provenance import storage
from provenance.uploads import audio_file

GENERATE = "generation.generate"
TRAIN = "generation.train"
CHECK = "generation.check"
CHECKED_ROOM = "checked"  # where files that people brought are kept, by their hash


@job_kind(GENERATE, queue="gpu")
def generate(job: Job, progress: Progress) -> Mapping[str, Any]:
    wanted = job.arguments
    version = queries.model_version_named(wanted["model"], [job.organisation])
    n_total = int(wanted["n"])
    counts: dict[str, int] = {}
    progress(0, n_total, "loading the model")
    for n_done, made in enumerate(
        services.generate(
            version=version,
            by=job.asked_by,
            seed=int(wanted["seed"]),
            n=n_total,
            seconds=float(wanted["seconds"]),
            prompt=wanted.get("prompt", ""),
            job=job,
        ),
        start=1,
    ):
        counts[made.check.verdict] = counts.get(made.check.verdict, 0) + 1
        progress(n_done, n_total, f"{n_done} of {n_total} made and checked")
    return {"verdicts": counts}


@job_kind(TRAIN, queue="gpu")
def train(job: Job, progress: Progress) -> Mapping[str, Any]:
    from provenance import queries as provenance

    wanted = job.arguments
    _, dataset_version = provenance.dataset_named(wanted["dataset"], [job.organisation])
    if dataset_version is None:
        raise GenerationError(
            f"{wanted['dataset']} is a draft: a model is trained on a frozen version of it."
        )
    stop_asked = False

    def tell(part: float, message: str) -> None:
        nonlocal stop_asked
        try:
            progress(int(1000 * part), 1000, message)
        except JobStopped:  # let the training write down what it learned before it ends
            stop_asked = True

    begun = services.unfinished_run(
        name=wanted["name"],
        dataset_version=dataset_version,
        seed=int(wanted.get("seed", 0)),
        since=job.asked_at,
    )
    try:
        version = services.train_model(
            name=wanted["name"],
            dataset_version=dataset_version,
            architecture=wanted["architecture"],
            settings_given=wanted.get("config", {}),
            steps=wanted.get("steps"),
            seed=int(wanted.get("seed", 0)),
            device=wanted.get("device", "auto"),
            by=job.asked_by,
            now=timezone.now(),
            resume=job.n_attempts > 1 and begun is not None,  # its worker died: go on where it was
            tell=tell,
            should_stop=lambda: stop_asked,
        )
    except StoppedError as stopped:
        raise JobStopped from stopped
    return {"model_version": str(version.public_id)}


@job_kind(CHECK)
def check(job: Job, progress: Progress) -> Mapping[str, Any]:
    """Hold a file that somebody brought against what they chose; a second run is a second look."""
    wanted = job.arguments
    progress(0, 2, "opening the indexes")
    kinds = wanted.get("kinds", ["recording"])
    targets = _targets(job, kinds)
    progress(1, 2, "listening")
    with storage.local_file(wanted["stored"]) as path:
        (answer,) = services.check_files([(wanted["file"], path)], targets=targets, kinds=kinds)
    made = services.record_check(
        answer=answer, organisation=job.organisation, by=job.asked_by, now=timezone.now()
    )
    return {"check": str(made.public_id), "verdict": made.verdict}


@job_kind(LISTEN)
def listen(job: Job, progress: Progress) -> Mapping[str, Any]:
    """Compare what a holder sent with a case with what is here; a second run says the same."""
    progress(0, 1, "listening")
    case = Case.objects.select_related("organisation").get(public_id=job.arguments["case"])
    heard = services.listen_to_case(case=case, by=job.asked_by, now=timezone.now())
    return {"case": case.reference, "recordings": len(heard)}


def _targets(job: Job, kinds: Sequence[str]) -> list[Target]:
    wanted, now = job.arguments, timezone.now()
    if not wanted.get("model"):
        against = wanted["against"]
        return services.targets_for(against, [job.organisation], by=job.asked_by, now=now, kinds=kinds)
    version = queries.model_version_named(wanted["model"], [job.organisation])
    return services.targets_of_model(version, by=job.asked_by, now=now, kinds=kinds)


def ask_check(
    *,
    sent: "UploadedFile[bytes]",
    organisation: Organisation,
    by: User,
    now: datetime,
    against: Sequence[str] = (),
    model: ModelVersion | None = None,
    kinds: Sequence[str] = ("recording",),
) -> Job:
    """Keep a file that was sent, and queue its check against names, or against what a model must not copy.

    The check, and what it finds, is for the organisation whose music is asked.

    Raises
    ------
    NotAllowedError, UploadTooLargeError, UnsafeUploadError
        If it is refused; then nothing of it is kept.
    """
    access.require(by, organisation, access.CHECKS, "check a file")
    with audio_file(sent) as path:
        stored = storage.keep(path, sha256_of(path), room=CHECKED_ROOM)
    return governance.queue_job(
        kind=CHECK,
        organisation=organisation,
        asked_by=by,
        now=now,
        subject_kind="file",
        subject_name=path.name,
        arguments={
            "file": path.name,
            "stored": stored,
            "against": list(against),
            "model": str(model) if model else "",
            "kinds": list(kinds),
        },
    )


def sha256_of(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
