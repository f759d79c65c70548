"""What a worker does for the audit."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.utils import timezone

from audit import services
from generation.queries import model_version_named
from governance.jobs import Progress, job_kind
from governance.models import Job

CAMPAIGN = "audit.campaign"
REPORT = "audit.report"


@job_kind(CAMPAIGN)
def campaign(job: Job, progress: Progress) -> Mapping[str, Any]:
    version = model_version_named(job.arguments["model"], [job.organisation])
    progress(0, 1, "measuring")
    made = services.run_campaign(
        kind=job.arguments["kind"], version=version, by=job.asked_by, now=timezone.now()
    )
    return {"campaign": str(made.public_id)}


@job_kind(REPORT)
def report(job: Job, progress: Progress) -> Mapping[str, Any]:
    """Write a report; the copy that stays is the installation's own, so the folder asked for may go."""
    version = model_version_named(job.arguments["model"], [job.organisation])
    progress(0, 1, "assessing, writing and signing")
    with tempfile.TemporaryDirectory(prefix="liner-report-") as folder:
        made = services.issue_report(
            version=version, out=Path(folder) / "report", by=job.asked_by, now=timezone.now()
        )
    return {"report": str(made.public_id)}
