"""Reads that span models: the newest judgement of each kind, the control model, and what a training set holds."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Max, Q, QuerySet

from audit.models import Assessment, Attestation, Campaign
from generation.models import Check, Generation, Match, ModelVersion, TrainingRun, Verdict
from generation.queries import VerdictCounts, latest_checks
from governance.models import Decision, Question, Review
from provenance.models import Conflict, DatasetEntry, DatasetVersion, Grant, IndexBuild, VersionEntry

MEMORISATION = "memorisation"
FLAGGED = (Verdict.BLOCKED, Verdict.REVIEW)


@dataclass(frozen=True)
class Control:
    """A model trained on other music, whose outputs were held against this model's training music."""

    version: ModelVersion
    checks: tuple[Check, ...]

    @property
    def counts(self) -> VerdictCounts:
        return count_verdicts(self.checks)


@dataclass(frozen=True)
class TrainingRecording:
    """One recording of a frozen version, with what the dataset calls it."""

    leaf: VersionEntry
    entry: DatasetEntry | None
    deals: Mapping[str, str] = field(
        default_factory=dict
    )  # what the grants' deals are called, by the grants' ids

    @property
    def artist(self) -> str:
        return (self.entry.artist if self.entry else "") or self.leaf.recording.artist

    @property
    def title(self) -> str:
        return (self.entry.title if self.entry else "") or self.leaf.recording.title or self.leaf.external_id

    @property
    def licence(self) -> str:
        return licence_of(self.leaf, self.deals)

    @property
    def public_licence(self) -> str:
        """The licence for everybody to read: of a deal that there is one, and neither whose nor which."""
        return licence_of(self.leaf, None)


def count_verdicts(checks: Sequence[Check]) -> VerdictCounts:
    counts: dict[str, int] = {}
    for check in checks:
        counts[check.verdict] = counts.get(check.verdict, 0) + 1
    return VerdictCounts(counts)


def own_checks(version: ModelVersion) -> list[Check]:
    """Return the newest check of each output, in the order they were made."""
    return list(latest_checks(version).order_by("id").prefetch_related("indexes"))


def false_alarms_said(checks: Sequence[Check]) -> str:
    """Say in a sentence how many false alarms the checks were made for, as far as anybody measured it."""
    judged = [check for check in checks if check.policy.get("calibrated")]
    if not checks or not judged:
        return "Thresholds are not calibrated: the share of false alarms is not known."
    targets = {check.policy.get("false_alarm_target") for check in judged} - {None}
    share = " or ".join(f"{target:g}" for target in sorted(targets)) or "no stated number of"
    aimed = f"thresholds that aim at {share} false alarms an output"
    if len(judged) == len(checks):
        return f"Outputs were checked with {aimed}, by strangers held against the same index."
    return f"{len(judged)} of {len(checks)} outputs were checked with {aimed}; of the others it is not known."


def control_of(version: ModelVersion) -> Control | None:
    """Return the control model: the same architecture, trained on none of this model's recordings.

    Its outputs must have been checked against the very version that this model was trained on. Of several, the
    one with the most such checks is taken.
    """
    trained_on = version.dataset_version
    if trained_on is None:
        return None
    newest = (
        Check.objects.filter(control=True, indexes__version=trained_on, generation__isnull=False)
        .exclude(generation__model_version=version)
        .filter(generation__model_version__model__architecture=version.model.architecture)
        .values("generation")
        .annotate(newest=Max("id"))
        .values("newest")
    )
    by_model: dict[int, list[Check]] = {}
    checks = Check.objects.filter(id__in=newest).select_related(
        "generation__model_version__model", "generation__model_version__dataset_version__dataset"
    )
    for check in checks.order_by("id"):
        if check.generation is not None:
            by_model.setdefault(check.generation.model_version_id, []).append(check)
    for found in sorted(by_model.values(), key=len, reverse=True):
        generation = found[0].generation
        if generation is None:
            continue
        other = generation.model_version
        if other.dataset_version is not None and _are_disjoint(other.dataset_version, trained_on):
            return Control(other, tuple(found))
    return None


def _are_disjoint(one: DatasetVersion, other: DatasetVersion) -> bool:
    return not one.entries.filter(recording__version_entries__version=other).exists()


def accepted_matches_of(checks: Sequence[Check]) -> list[Match]:
    return list(
        Match.objects.filter(check_made__in=[check.pk for check in checks], accepted=True)
        .select_related("recording", "check_made", "check_made__generation")
        .order_by("-score", "id")
    )


def nearest_matches_of(checks: Sequence[Check]) -> list[Match]:
    """Return the best candidate of each check, above the threshold or not, the likest first."""
    best: dict[int, Match] = {}
    candidates = (
        Match.objects.filter(check_made__in=[check.pk for check in checks])
        .select_related("recording", "check_made", "check_made__generation")
        .prefetch_related("judgements")
    )
    for match in candidates.order_by("-accepted", "-score", "id"):
        best.setdefault(match.check_made_id, match)
    return sorted(best.values(), key=lambda match: (not match.accepted, -match.score, match.pk))


def training_recordings(version: DatasetVersion) -> list[TrainingRecording]:
    leaves = list(version.entries.select_related("recording", "recording__work").order_by("position"))
    entries = {
        entry.recording_id: entry
        for entry in DatasetEntry.objects.filter(
            dataset=version.dataset_id, recording__in=[leaf.recording_id for leaf in leaves]
        ).prefetch_related("statements")
    }
    deals = deals_in(leaves)
    return [TrainingRecording(leaf, entries.get(leaf.recording_id), deals) for leaf in leaves]


def licence_of(leaf: VersionEntry, deals: Mapping[str, str] | None) -> str:
    """Return the licence that cleared a recording when it was frozen; of two that differ, both.

    ``deals`` names the grants' deals (`deals_in`); None says only that there is one.
    """
    named: dict[str, list[str]] = {}
    for right in ("master", "composition"):
        said = leaf.manifest.get(right) or {}
        if said.get("licence"):
            named.setdefault(said["licence"], [])
        elif said.get("grant"):
            ids = named.setdefault("a deal" if deals is None else deals.get(said["grant"], "a deal"), [])
            if deals is not None and said["grant"] not in ids:
                ids.append(said["grant"])
    words = [
        f"{name} (grant{'s' if len(ids) > 1 else ''} {' and '.join(ids)})" if ids else name
        for name, ids in named.items()
    ]
    return " / ".join(words) or "none stated"


def deals_in(leaves: Iterable[VersionEntry]) -> dict[str, str]:
    """Return what the deals that cleared recordings are called, by the ids of their grants: licensor, document, day."""
    ids = {
        said["grant"]
        for leaf in leaves
        for right in ("master", "composition")
        if (said := leaf.manifest.get(right) or {}).get("grant")
    }
    grants = Grant.objects.filter(public_id__in=ids).select_related("licensor") if ids else []
    return {str(grant.public_id): _deal_name(grant) for grant in grants}


def _deal_name(grant: Grant) -> str:
    document = f"{grant.document}, " if grant.document else ""
    return f"deal of {grant.licensor.name}, {document}registered {grant.registered_at.date().isoformat()}"


def conflicts_of(version: DatasetVersion) -> list[Conflict]:
    """Return the conflicts, open and closed, that touch a frozen version's recordings."""
    inside = version.entries.values("recording_id")
    return list(
        Conflict.objects.filter(organisation=version.dataset.organisation)
        .filter(Q(recording_a__in=inside) | Q(recording_b__in=inside))
        .order_by("status", "id")
    )


def training_run_of(version: ModelVersion) -> TrainingRun | None:
    return TrainingRun.objects.filter(model_version=version).first()


def newest_campaign(version: ModelVersion, kind: str) -> Campaign | None:
    return (
        Campaign.objects.filter(model_version=version, kind=kind, finished_at__isnull=False)
        .order_by("-finished_at", "-id")
        .first()
    )


def newest_attestations(version: ModelVersion, framework: str) -> dict[str, Attestation]:
    found: dict[str, Attestation] = {}
    rows = Attestation.objects.filter(model_version=version, framework=framework).select_related(
        "attested_by"
    )
    for attestation in rows.order_by("-attested_at", "-id"):
        found.setdefault(attestation.feature, attestation)
    return found


def newest_assessment(version: ModelVersion, framework: str) -> Assessment | None:
    return (
        Assessment.objects.filter(model_version=version, framework=framework)
        .order_by("-assessed_at", "-id")
        .first()
    )


def last_change_of(version: ModelVersion) -> datetime:
    """Return when something last happened that an assessment must know of."""
    instants: list[datetime | None] = [
        version.registered_at,
        Check.objects.filter(generation__model_version=version).aggregate(at=Max("checked_at"))["at"],
        Generation.objects.filter(model_version=version).aggregate(at=Max("made_at"))["at"],
        Campaign.objects.filter(model_version=version).aggregate(at=Max("finished_at"))["at"],
        Attestation.objects.filter(model_version=version).aggregate(at=Max("attested_at"))["at"],
        decisions_about(version).aggregate(at=Max("decided_at"))["at"],
    ]
    return max(instant for instant in instants if instant is not None)


def decisions_about(version: ModelVersion) -> QuerySet[Review]:
    """Return what people decided about a model version, its outputs and the dataset behind it."""
    subjects = Q(question=Question.MODEL_RELEASE, subject_id=version.public_id) | Q(
        question=Question.GENERATION_RELEASE,
        subject_id__in=Generation.objects.filter(model_version=version).values("public_id"),
    )
    if version.dataset_version is not None:
        subjects |= Q(
            question=Question.DATASET_APPROVAL, subject_id=version.dataset_version.dataset.public_id
        )
    return (
        Review.objects.filter(subjects)
        .exclude(decision=Decision.PENDING)
        .select_related("decided_by", "organisation")
        .order_by("decided_at", "id")
    )


def training_index_of(version: ModelVersion, checks: Sequence[Check]) -> IndexBuild | None:
    """Return the index of the training music that the newest check used; None if no check used one."""
    for check in reversed(checks):
        for build in check.indexes.all():
            if build.version_id is not None and build.version_id == version.dataset_version_id:
                return build
    return None
