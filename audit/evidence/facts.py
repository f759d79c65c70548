"""Everything the collectors read, gathered once for one model version."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, Q

from audit import queries
from audit.models import Campaign
from audit.queries import TrainingRecording
from audit.reports.snapshot import Evidence, Scalar
from generation import queries as generation
from generation.models import (
    Case,
    CaseState,
    Check,
    Generation,
    GenerationState,
    ModelVersion,
    TrainingRun,
)
from generation.queries import Gate
from governance.models import Job, JobState, Member, Organisation, Role
from provenance.models import Conflict, ConflictStatus, DatasetVersion, Grant


@dataclass(frozen=True)
class Output:
    """What is stored of one output that the collectors ask about."""

    public_id: UUID
    state: str
    has_check: bool
    is_complete: bool  # seed, weights, settings and hash: enough to make it again
    elapsed_s: float


@dataclass(frozen=True)
class Facts:
    version: ModelVersion
    at: datetime
    organisation: Organisation
    trained_on: DatasetVersion | None
    run: TrainingRun | None
    recordings: Sequence[TrainingRecording]
    not_cleared: Sequence[generation.NotCleared]
    conflicts: Sequence[Conflict]
    outputs: Sequence[Output]
    checks: Sequence[Check]
    campaigns: dict[str, Campaign]
    gate: Gate
    n_with_prompt: int
    n_with_prompt_audio: int
    n_stopped: int
    auditors: Sequence[Member]
    n_grants_revoked: int
    n_cases: int
    n_cases_open: int  # filed or being decided
    n_cases_late: int  # of these, past the day by which an answer was due
    strangers_may_file: bool
    remarks: dict[str, str] = field(default_factory=dict)

    @property
    def open_conflicts(self) -> list[Conflict]:
        return [conflict for conflict in self.conflicts if conflict.status == ConflictStatus.OPEN]

    @property
    def released(self) -> list[Output]:
        return [output for output in self.outputs if output.state == GenerationState.RELEASED]

    @property
    def losses(self) -> dict[str, Any]:
        return self.version.metrics if isinstance(self.version.metrics, dict) else {}


def row(
    kind: str, public_id: UUID | str, label: str, value: Scalar, *, effective_on: str | None = None
) -> Evidence:
    return Evidence(kind=kind, id=str(public_id), label=label, value=value, effective_on=effective_on)


def outputs_row(facts: Facts, label: str, value: int) -> Evidence:
    return row("model_version", facts.version.public_id, label, value)


def gather(version: ModelVersion, *, at: datetime) -> Facts:
    """Read what all collectors need; some fifteen queries, whatever the number of outputs."""
    trained_on = version.dataset_version
    organisation = version.model.organisation
    made = Generation.objects.filter(model_version=version)
    members = Member.objects.current(at).filter(organisation=organisation, role=Role.EXTERNAL_AUDITOR)
    kinds = ("memorisation", "fairness", "quality", "robustness", "membership")
    campaigns = {kind: queries.newest_campaign(version, kind) for kind in kinds}
    gate = generation.gate_of(version, at=at)
    recordings = queries.training_recordings(trained_on) if trained_on else []
    cases = Case.objects.filter(organisation=organisation, filed_at__lte=at)
    waiting = cases.filter(state__in=(CaseState.FILED, CaseState.OPEN))
    return Facts(
        version=version,
        at=at,
        organisation=organisation,
        trained_on=trained_on,
        run=queries.training_run_of(version),
        recordings=recordings,
        not_cleared=generation.no_longer_cleared(trained_on, at=at, model=str(version)) if trained_on else (),
        conflicts=queries.conflicts_of(trained_on) if trained_on else (),
        outputs=_outputs(version),
        checks=queries.own_checks(version),
        campaigns={kind: campaign for kind, campaign in campaigns.items() if campaign is not None},
        gate=gate,
        n_with_prompt=made.exclude(prompt="").count(),
        n_with_prompt_audio=made.exclude(prompt_audio_sha256="").count(),
        n_stopped=Job.objects.filter(kind="generation.generate", state=JobState.CANCELLED)
        .filter(Q(subject_id=version.public_id) | Q(generations__model_version=version))
        .distinct()
        .count(),
        auditors=list(members.select_related("user")),
        n_grants_revoked=Grant.objects.filter(organisation=organisation, revoked_at__isnull=False).count(),
        n_cases=cases.count(),
        n_cases_open=waiting.count(),
        n_cases_late=waiting.filter(due_on__lt=at.date()).count(),
        strangers_may_file=generation.terms_of(organisation).public_form,
        remarks=_remarks(recordings),
    )


def _outputs(version: ModelVersion) -> list[Output]:
    has_weights = bool(version.weights_sha256 and version.checkpoint)
    rows = (
        Generation.objects.filter(model_version=version)
        .annotate(n_checks=Count("checks", filter=Q(checks__control=False)))
        .order_by("id")
    )
    return [
        Output(
            public_id=made.public_id,
            state=made.state,
            has_check=made.n_checks > 0,
            is_complete=has_weights and bool(made.sha256) and made.seconds > 0,
            elapsed_s=made.elapsed_s,
        )
        for made in rows
    ]


def _remarks(recordings: Sequence[TrainingRecording]) -> dict[str, str]:
    """What the rows say about features that only a person can answer."""
    n_grants = len(
        {
            (said.get("grant"))
            for one in recordings
            for said in (one.leaf.manifest.get("master") or {}, one.leaf.manifest.get("composition") or {})
            if said.get("grant")
        }
    )
    return {
        "6-06": f"{n_grants} agreements with rights holders stand behind the {len(recordings)} recordings. "
        if recordings
        else "",
    }
