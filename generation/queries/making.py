"""Reads that span models: gates, decisions, checks and their verdicts, and what a recording or a grant reaches."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Self

from django.db.models import Count, Exists, Max, OuterRef, QuerySet

from generation.errors import UnknownModelError
from generation.models import (
    Check,
    Generation,
    GenerativeModel,
    Match,
    ModelVersion,
    TrainingRun,
    Verdict,
)
from generation.queries.cases import NO_CASE, Standing, standing_of
from generation.queries.origins import origins_of, said_of
from governance.models import Decision, Organisation, Question, Review
from lib.figures import counted
from provenance import queries as provenance
from provenance.models import Dataset, DatasetEntry, DatasetVersion, Grant, GrantRecording, Recording
from provenance.rights.grants import in_scope
from provenance.rights.values import Clearance

MODEL_SCOPE = "model-scope"  # the condition of a grant that names models, asked without naming one


@dataclass(frozen=True)
class NotCleared:
    """A recording of a frozen version that its use is not cleared for, and whether a grant to another model is why."""

    external_id: str
    answer: str
    grants: tuple[str, ...] = ()  # what the answer says of grants
    is_for_other_models: bool = False
    name: str = ""  # title and artist, where the recording has a title

    @classmethod
    def of(cls, entry: DatasetEntry, clearance: Clearance, *, is_for_other_models: bool) -> Self:
        said = dict.fromkeys((*clearance.master.reasons, *clearance.composition.reasons))
        grants = tuple(reason for reason in said if reason.startswith("grant "))
        return cls(entry.external_id, clearance.answer, grants, is_for_other_models, _called(entry))

    def __str__(self) -> str:
        if self.is_for_other_models:
            return f"{self.external_id} ({'; '.join(self.grants)})"
        return f"{self.external_id} is {self.answer}"


def _called(entry: DatasetEntry) -> str:
    """Return how people call a recording; empty where it has no title."""
    title, artist = entry.title or entry.recording.title, entry.artist or entry.recording.artist
    return f"“{title}” by {artist}" if title and artist else f"“{title}”" if title else ""


def _told_apart(found: Sequence[NotCleared]) -> list[str]:
    """Return a name for each: with its external id where it has no other, or shares the other."""
    names = [one.name for one in found]
    return [_apart(one, names.count(one.name) > 1) for one in found]


def _apart(one: NotCleared, shares_its_name: bool) -> str:
    if not one.name:
        return one.external_id
    return f"{one.name} ({one.external_id})" if shares_its_name else one.name


@dataclass(frozen=True)
class Gate:
    """Whether a model's outputs may leave now, computed when asked. Closed gates name every reason."""

    reasons: tuple[str, ...]
    in_public: tuple[
        str, ...
    ] = ()  # each of them for strangers: no recording, deal, case or model by its name
    needs_a_person: bool = False
    n_not_cleared: int = 0
    n_for_other_models: int = 0  # of these: licensed, and not for this model
    names: tuple[str, ...] = ()  # ends of reasons that name recordings
    not_cleared: tuple[str, ...] = ()  # external ids of those recordings, all of them
    origin: str = (
        ""  # whose weights these are, where the version does not say what they heard and that is known
    )

    def without_names(self) -> Self:
        """Say the same without naming a recording."""
        reasons = self.reasons
        for tail in self.names:
            reasons = tuple(reason.removesuffix(tail) for reason in reasons)
        return replace(self, reasons=reasons, names=(), not_cleared=())

    def closed_by_clearance(self, model: str, not_cleared: Sequence[NotCleared]) -> Self:
        """Close it for what ``model`` was trained on and is not cleared for now."""
        gone = [one for one in not_cleared if not one.is_for_other_models]
        elsewhere = [one for one in not_cleared if one.is_for_other_models]
        reasons, in_public, names = list(self.reasons), list(self.in_public), []
        for found, why, why_in_public in (
            (gone, "no longer cleared", "no longer cleared for this use"),
            (elsewhere, f"licensed for other models than {model}", "licensed for other models"),
        ):
            if found:
                which = (
                    "recording that it was trained on is"
                    if len(found) == 1
                    else "recordings that it was trained on are"
                )
                names.append(f": {', '.join(_told_apart(found[:3]))}")
                reasons.append(f"{len(found)} {which} {why}{names[-1]}")
                in_public.append(f"{counted(len(found), 'recording is', 'recordings are')} {why_in_public}")
        return replace(
            self,
            reasons=tuple(reasons),
            in_public=tuple(in_public),
            n_not_cleared=len(not_cleared),
            not_cleared=tuple(one.external_id for one in not_cleared),
            n_for_other_models=len(elsewhere),
            names=tuple(names),
        )

    def closed_with(self, origins: Sequence[tuple[ModelVersion, "Gate"]]) -> Self:
        """Say whose weights these are, and close it for whatever closes theirs: they heard the same music."""
        behind = [
            f"its weights are those of {one}, and {reason}"
            for one, gate in origins
            for reason in gate.reasons
        ]
        return replace(
            self,
            reasons=(*self.reasons, *behind),
            in_public=(
                *self.in_public,
                *(
                    f"its weights are another model's, and {why}"
                    for _, gate in origins
                    for why in gate.in_public
                ),
            ),
            n_not_cleared=self.n_not_cleared + sum(gate.n_not_cleared for _, gate in origins),
            n_for_other_models=self.n_for_other_models + sum(gate.n_for_other_models for _, gate in origins),
            names=(*self.names, *(name for _, gate in origins for name in gate.names)),
            origin=said_of([one for one, _ in origins]),
        )

    @property
    def is_open(self) -> bool:
        return not self.reasons

    @property
    def why_a_person(self) -> str:
        """Why a person decides about each output; empty where none has to."""
        if not self.needs_a_person:
            return ""
        if self.origin:
            return f"{self.origin}, and it was registered without its music: a person decides each release"
        return "nobody knows what the model was trained on: a person decides each release"


@dataclass(frozen=True)
class Impact:
    """What hangs on some recordings: datasets, versions, training runs, models, outputs."""

    recordings: QuerySet[Recording]
    datasets: QuerySet[Dataset]
    versions: QuerySet[DatasetVersion]
    training_runs: QuerySet[TrainingRun]
    model_versions: QuerySet[ModelVersion]
    generations: QuerySet[Generation]

    def as_json(self) -> dict[str, Any]:
        return {
            "recordings": self.recordings.count(),
            "datasets": sorted({dataset.name for dataset in self.datasets}),
            "models": [str(version) for version in self.model_versions],
            "outputs": self.generations.count(),
        }


@dataclass(frozen=True)
class VerdictCounts:
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def n_outputs(self) -> int:
        return sum(self.counts.values())

    @property
    def n_flagged(self) -> int:
        return self.counts.get(Verdict.BLOCKED, 0) + self.counts.get(Verdict.REVIEW, 0)

    def as_json(self) -> dict[str, int]:
        return {verdict.value: self.counts.get(verdict, 0) for verdict in Verdict}


def model_version_named(reference: str, organisations: Sequence[Organisation]) -> ModelVersion:
    """Return the model version that ``NAME`` (its newest) or ``NAME@VERSION`` means.

    Raises
    ------
    UnknownModelError
        If there is none; the message says which there are.
    """
    name, _, number = reference.partition("@")
    model = GenerativeModel.objects.filter(organisation__in=organisations, name=name).first()
    if model is None:
        known = list(
            GenerativeModel.objects.filter(organisation__in=organisations).values_list("name", flat=True)[:8]
        )
        there_are = f"there are {', '.join(known)}" if known else "none is trained or registered yet"
        raise UnknownModelError(f"There is no model {name!r}; {there_are}.")
    versions = ModelVersion.objects.filter(model=model).select_related(
        "model", "model__organisation", "dataset_version", "dataset_version__dataset"
    )
    version = (
        versions.filter(number=int(number)).first()
        if number.isdigit()
        else None
        if number
        else versions.order_by("-number").first()
    )
    if version is None:
        numbers = ", ".join(str(known) for known in versions.values_list("number", flat=True))
        raise UnknownModelError(f"{name} has no version {number!r}; it has {numbers or 'none yet'}.")
    return version


def gate_of(version: ModelVersion, *, at: datetime) -> Gate:
    """Tell whether outputs of a model may be released: its music still cleared, nobody has stopped it, no case open.

    Of weights that were registered without their music, what is known of the same weights counts too.
    """
    standing = standing_of([version]).get(version.pk, NO_CASE)
    gate = gate_by_people(version, last_decision(version), standing)
    if version.dataset_version is None:
        origins = origins_of([version]).get(version.pk, [])
        return gate.closed_with([(one, gate_of(one, at=at)) for one in origins])
    model = str(version)
    not_cleared = no_longer_cleared(version.dataset_version, at=at, model=model, standing=standing)
    return gate.closed_by_clearance(model, not_cleared)


def gate_by_people(version: ModelVersion, decided: Review | None, standing: Standing) -> Gate:
    """Return the gate as people left it, by decisions, freezing and cases, before its music is asked for."""
    reasons, in_public = [], []
    if decided is not None and decided.decision in {Decision.REJECTED, Decision.SUSPENDED}:
        reasons.append(f"the model is {decided.get_decision_display().lower()}")
        in_public += reasons
    if for_another := frozen_for_another(version):
        reasons += for_another
        in_public.append("its music was cleared for another model")
    return Gate(
        (*reasons, *standing.closed_by),
        (*in_public, *standing.closed_in_public),
        needs_a_person=version.dataset_version_id is None,
    )


def frozen_for_another(version: ModelVersion) -> list[str]:
    """Say that a model was made from a version that was frozen for another one; empty where it was not."""
    frozen = version.dataset_version
    if frozen is None or not frozen.model or in_scope(str(version), (frozen.model,)):
        return []
    return [f"{frozen} was frozen for {frozen.model} alone"]


def no_longer_cleared(
    version: DatasetVersion, *, at: datetime, model: str = "", standing: Standing = NO_CASE
) -> list[NotCleared]:
    """Return every recording of a frozen version that its use by ``model`` (NAME@VERSION) is not cleared for now.

    Without ``model`` it is asked for the one that the version was frozen for, if for one.
    A grant that names other models does not clear. Left out are recordings that an officer chose to block at the
    output of the model whose ``standing`` is given.
    """
    use = provenance.use_of(version, at=at, model=model)
    policy = provenance.policy_of(version.dataset.organisation, version.policy_name)
    accepted = frozenset(version.conditions_accepted)
    entries = provenance.entries_of(version.dataset, version)
    refused = [
        cleared
        for cleared in provenance.clear_entries(entries, use=use, policy=policy)
        if not cleared.clearance.clears(accepted)
        and not standing.excuses(cleared.entry.recording_id, cleared.clearance)
    ]
    bound = GrantRecording.objects.filter(recording=OuterRef("recording"), grant__model_scope__len__gt=0)
    again = entries.filter(Exists(bound), pk__in=[one.entry.pk for one in refused])
    elsewhere = {
        cleared.entry.pk
        for cleared in provenance.clear_entries(again, use=replace(use, model=""), policy=policy)
        if cleared.clearance.clears(accepted | {MODEL_SCOPE})
    }
    return [
        NotCleared.of(one.entry, one.clearance, is_for_other_models=one.entry.pk in elsewhere)
        for one in refused
    ]


def last_decision(version: ModelVersion) -> Review | None:
    return (
        Review.objects.filter(question=Question.MODEL_RELEASE, subject_id=version.public_id)
        .exclude(decision=Decision.PENDING)
        .select_related("decided_by")
        .order_by("-decided_at")
        .first()
    )


def latest_checks(version: ModelVersion, *, control: bool = False) -> QuerySet[Check]:
    """Return the newest check of each output of a model version."""
    newest = (
        Check.objects.filter(generation__model_version=version, control=control)
        .values("generation")
        .annotate(newest=Max("id"))
        .values("newest")
    )
    return Check.objects.filter(id__in=newest).select_related("generation")


def verdict_counts(version: ModelVersion, *, control: bool = False) -> VerdictCounts:
    rows = (
        latest_checks(version, control=control).values("verdict").annotate(n=Count("id")).order_by("verdict")
    )
    return VerdictCounts({row["verdict"]: row["n"] for row in rows})


def accepted_matches(version: ModelVersion) -> QuerySet[Match]:
    return (
        Match.objects.filter(check_made__in=latest_checks(version), accepted=True)
        .select_related("recording", "check_made", "check_made__generation")
        .order_by("-score")
    )


def impact_of(recordings: QuerySet[Recording]) -> Impact:
    """Follow recordings upwards to everything that was made with them."""
    versions = DatasetVersion.objects.filter(entries__recording__in=recordings).distinct()
    model_versions = (
        ModelVersion.objects.filter(dataset_version__in=versions).select_related("model").distinct()
    )
    return Impact(
        recordings=recordings,
        datasets=Dataset.objects.filter(entries__recording__in=recordings).distinct(),
        versions=versions.select_related("dataset"),
        training_runs=TrainingRun.objects.filter(dataset_version__in=versions).select_related("model"),
        model_versions=model_versions,
        generations=Generation.objects.filter(model_version__in=model_versions),
    )


def impact_of_grant(grant: Grant) -> Impact:
    return impact_of_grants([grant])


def impact_of_grants(grants: Iterable[Grant]) -> Impact:
    return impact_of(Recording.objects.filter(grant_links__grant__in=list(grants)).distinct())
