"""Running campaigns: measuring a model version and keeping the figures with the rows they came from."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from audit import access, queries
from audit.campaigns import fairness, membership, memorisation, quality, robustness
from audit.errors import AuditError
from audit.models import Campaign
from generation.models import ModelVersion
from governance import ledger
from governance.access import require
from governance.models import User
from lib.canonical import canonical_sha256

Measure = Callable[[ModelVersion], dict[str, Any]]


def run_memorisation_campaign(
    *, version: ModelVersion, by: User, now: datetime, made_again: int = 0
) -> Campaign:
    """Count what the stored checks of a model's outputs found; make ``made_again`` of them again to compare."""
    options = {"made_again": made_again} if made_again else {}
    return run_campaign(kind=queries.MEMORISATION, version=version, by=by, now=now, options=options)


def run_campaign(
    *, kind: str, version: ModelVersion, by: User, now: datetime, options: Mapping[str, Any] | None = None
) -> Campaign:
    """Measure, then keep settings and figures. No transaction is held while it measures.

    Raises
    ------
    AuditError
        If there is no campaign of that kind, or what it needs is missing; nothing is kept then.
    """
    require(by, version.model.organisation, access.RUNS_CAMPAIGNS, "run a campaign")
    if kind not in MEASURES:
        raise AuditError(f"There is no campaign {kind!r}: choose one of {', '.join(MEASURES)}.")
    measure, settings = MEASURES[kind]
    figures = measure(version, **dict(options or {}))
    return _keep(
        kind=kind,
        version=version,
        settings={**settings, **dict(options or {})},
        figures=figures,
        by=by,
        now=now,
    )


MEASURES: dict[str, tuple[Callable[..., dict[str, Any]], Mapping[str, Any]]] = {
    queries.MEMORISATION: (memorisation.measure, memorisation.SETTINGS),
    "fairness": (fairness.measure, fairness.SETTINGS),
    "quality": (quality.measure, quality.SETTINGS),
    "robustness": (robustness.measure, robustness.SETTINGS),
    "membership": (membership.measure, membership.SETTINGS),
}


@transaction.atomic
def _keep(
    *,
    kind: str,
    version: ModelVersion,
    settings: Mapping[str, Any],
    figures: Mapping[str, Any],
    by: User,
    now: datetime,
) -> Campaign:
    campaign = Campaign.objects.create(
        organisation=version.model.organisation,
        model_version=version,
        kind=kind,
        settings=dict(settings),
        figures=dict(figures),
        run_by=by,
        started_at=now,
        finished_at=max(now, timezone.now()),
    )
    ledger.record(
        kind="audit.campaign.run",
        subject_kind="campaign",
        subject_id=campaign.public_id,
        actor=by,
        organisation=campaign.organisation,
        now=now,
        body={
            "campaign": kind,
            "model_version": str(version.public_id),
            "figures_sha256": canonical_sha256(campaign.figures),
        },
    )
    return campaign
