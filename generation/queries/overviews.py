"""What pages show of models and outputs, found in a number of queries that does not grow with the rows."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, Max, OuterRef, Prefetch, Q, QuerySet

from generation.models import Check, Generation, Match, MatchJudgement, ModelVersion, TrainingRun, Verdict
from generation.queries import MODEL_SCOPE, Gate, NotCleared, VerdictCounts, latest_checks
from generation.queries.cases import NO_CASE, Standing, standing_of
from generation.queries.making import gate_by_people
from generation.queries.origins import origins_of
from generation.queries.styles import STYLE, Resemblance, resemblance
from governance.access import Person, houses_of, reads_whole
from governance.models import Decision, Organisation, Question, Review
from provenance import queries as provenance
from provenance.known import asker_of, rights_of
from provenance.models import (
    CatalogueMatch,
    CatalogueRun,
    Dataset,
    DatasetEntry,
    DatasetVersion,
    IndexBuild,
    Recording,
    VersionEntry,
)
from provenance.rights.clearance import clear
from provenance.rights.policy import ClearancePolicy
from provenance.rights.values import Clearance, RecordingRights, Use
from provenance.similarity import thresholds

POLICY_NAMES = ("id", "calibrated", "false_alarm_target")
WORST_FIRST = (Verdict.BLOCKED, Verdict.UNVERIFIABLE, Verdict.REVIEW, Verdict.NO_MATCH)
WITHOUT_LICENCE = {
    "grant": "a deal with its holder",
    "own": "the house's own music",
    "public_domain": "the public domain",
    "statutory_exception": "an exception of the law",
}
"""What cleared a recording of which no licence is stated, by its basis."""
LOSSES = (
    ("train_loss", "on the music it was trained on"),
    ("held_out_loss", "on music held out from it"),
    ("shuffled_baseline_loss", "baseline: the same network, music shuffled in time"),
    ("unigram_baseline_loss", "baseline: every token by its frequency"),
    ("noise_baseline_loss", "baseline: noise"),
)


@dataclass(frozen=True)
class Control:
    """The same check on models trained on other music: what is flagged there is chance."""

    versions: tuple[ModelVersion, ...]
    counts: VerdictCounts


@dataclass(frozen=True)
class Card:
    """What one version's card says without opening it."""

    version: ModelVersion
    counts: VerdictCounts
    gate: Gate
    decided: Review | None
    n_used: int | None = None  # recordings of its dataset that went into training; None: nobody knows

    @property
    def release(self) -> str:
        return str(self.decided.decision) if self.decided else "undecided"


@dataclass(frozen=True)
class Loss:
    label: str
    value: float
    part: float  # of the largest shown, for the bar
    is_baseline: bool

    @property
    def percent(self) -> str:
        return f"{100 * self.part:.1f}"


@dataclass(frozen=True)
class Flagged:
    """An output with what it is most like."""

    generation: Generation
    check: Check
    match: Match | None
    others: Sequence[Match] = field(default=())


def cards(versions: Sequence[ModelVersion], *, at: datetime) -> list[Card]:
    counts = verdict_counts_of(versions)
    gates = gates_of(versions, at=at)
    decided = decisions_of(versions)
    runs = TrainingRun.objects.filter(model_version__in=versions).values_list("model_version", "trained_on")
    used = {version: len(trained_on) for version, trained_on in runs}
    return [
        Card(
            version,
            counts[version.pk],
            gates[version.pk],
            decided.get(version.pk),
            used.get(version.pk),
        )
        for version in versions
    ]


def cards_for_reading(user: Person, versions: Sequence[ModelVersion], *, at: datetime) -> list[Card]:
    """Return cards as ``user`` may read them, in one more query whatever their number."""
    whole = {one.pk for one in houses_of(user)}
    return [
        card if card.version.model.organisation_id in whole else replace(card, gate=card.gate.without_names())
        for card in cards(versions, at=at)
    ]


def gate_for_reading(user: Person, version: ModelVersion, gate: Gate) -> Gate:
    """Return the gate as ``user`` may read it: a label's guest learns how many recordings close it, not which."""
    return gate if reads_whole(user, version.model.organisation) else gate.without_names()


def decisions_of(versions: Sequence[ModelVersion]) -> dict[int, Review]:
    """Return the last decision about each version that has one."""
    by_public_id = {version.public_id: version.pk for version in versions}
    found: dict[int, Review] = {}
    rows = Review.objects.filter(question=Question.MODEL_RELEASE, subject_id__in=by_public_id)
    for review in rows.exclude(decision=Decision.PENDING).select_related("decided_by").order_by("decided_at"):
        found[by_public_id[review.subject_id]] = review
    return found


def verdict_counts_of(versions: Sequence[ModelVersion]) -> dict[int, VerdictCounts]:
    """Count the newest verdict of each output, for several versions at once."""
    newest = (
        Check.objects.filter(generation__model_version__in=versions, control=False)
        .values("generation")
        .annotate(newest=Max("id"))
        .values("newest")
    )
    rows = (
        Check.objects.filter(id__in=newest)
        .values("generation__model_version", "verdict")
        .annotate(n=Count("id"))
        .order_by()
    )
    counted: dict[int, dict[str, int]] = defaultdict(dict)
    for row in rows:
        counted[row["generation__model_version"]][row["verdict"]] = row["n"]
    return {version.pk: VerdictCounts(counted.get(version.pk, {})) for version in versions}


def verdict_pairs(counts: VerdictCounts) -> list[tuple[str, int]]:
    return [(verdict.value, counts.counts.get(verdict, 0)) for verdict in WORST_FIRST]


def gates_of(versions: Sequence[ModelVersion], *, at: datetime) -> dict[int, Gate]:
    """Answer ``queries.gate_of`` for several versions at once: by the same clearance, on one reading of the rights."""
    datasets = {v.dataset_version_id: v.dataset_version for v in versions if v.dataset_version is not None}
    cleared = _cleared([dataset for dataset in datasets.values() if dataset is not None], at=at)
    decided = decisions_of(versions)
    standings = standing_of(versions)
    origins = origins_of(versions)
    behind = gates_of([one for found in origins.values() for one in found], at=at) if origins else {}
    gates = {}
    for version in versions:
        standing = standings.get(version.pk, NO_CASE)
        gate = gate_by_people(version, decided.get(version.pk), standing)
        if version.dataset_version_id is not None:
            model = str(version)
            gate = gate.closed_by_clearance(
                model, cleared[version.dataset_version_id].refused_to(model, standing)
            )
        gate = gate.closed_with([(one, behind[one.pk]) for one in origins.get(version.pk, ())])
        gates[version.pk] = gate
    return gates


@dataclass(frozen=True)
class _Cleared:
    """What of a frozen version is not cleared for its own use, and what each model has to ask for itself."""

    use: Use
    policy: ClearancePolicy
    accepted: frozenset[str]
    refused: Sequence[tuple[DatasetEntry, Clearance]]  # whichever model asks
    bound: Sequence[tuple[DatasetEntry, RecordingRights]]  # under grants that name models

    def refused_to(self, model: str, standing: Standing) -> list[NotCleared]:
        asked = replace(self.use, model=model)
        here = [(entry, clear(held, asked, self.policy), self._elsewhere(held)) for entry, held in self.bound]
        both = [
            *((entry, clearance, False) for entry, clearance in self.refused),
            *(found for found in here if not found[1].clears(self.accepted)),
        ]
        return [
            NotCleared.of(entry, clearance, is_for_other_models=elsewhere)
            for entry, clearance, elsewhere in sorted(both, key=lambda found: found[0].external_id)
            if not standing.excuses(entry.recording_id, clearance)
        ]

    def _elsewhere(self, held: RecordingRights) -> bool:
        return clear(held, self.use, self.policy).clears(self.accepted | {MODEL_SCOPE})


def _cleared(versions: Sequence[DatasetVersion], *, at: datetime) -> dict[int, _Cleared]:
    inside = VersionEntry.objects.filter(
        version__in=versions,
        version__dataset=OuterRef("dataset"),
        recording=OuterRef("recording"),
    )
    entries = DatasetEntry.objects.filter(Exists(inside)).select_related("recording", "dataset")
    rights = {
        (entry.dataset_id, entry.recording_id): (entry, held)
        for entry, held in rights_of(entries.order_by("external_id", "id"))
    }
    members: dict[int, list[int]] = defaultdict(list)
    for version_id, recording_id in VersionEntry.objects.filter(version__in=versions).values_list(
        "version_id", "recording_id"
    ):
        members[version_id].append(recording_id)
    owners = Organisation.objects.in_bulk({version.dataset.organisation_id for version in versions})
    policies: dict[tuple[int, str], ClearancePolicy] = {}
    askers: dict[int, frozenset[str]] = {}
    found: dict[int, _Cleared] = {}
    for version in versions:
        key = (version.dataset.organisation_id, version.policy_name)
        if key not in policies:
            policies[key] = provenance.policy_of(owners[key[0]], version.policy_name)
        use = provenance.use_of(version, at=at)
        if key[0] not in askers:
            askers[key[0]] = asker_of(owners[key[0]])
        use = replace(use, licensees=askers[key[0]])
        accepted = frozenset(version.conditions_accepted)
        held_here = [
            rights[version.dataset_id, recording_id]
            for recording_id in members[version.pk]
            if (version.dataset_id, recording_id) in rights
        ]
        bound = [(entry, held) for entry, held in held_here if _names_models(held)]
        answered = [
            (entry, clear(held, use, policies[key])) for entry, held in held_here if not _names_models(held)
        ]
        refused = [pair for pair in answered if not pair[1].clears(accepted)]
        found[version.pk] = _Cleared(use, policies[key], accepted, refused, bound)
    return found


def _names_models(held: RecordingRights) -> bool:
    return any(grant.model_scope for grant in held.grants)


def control_of(version: ModelVersion) -> Control | None:
    """Return how the same check judges models of this architecture that never heard this music; None if untried."""
    if version.dataset_version is None:
        return None
    checks = Check.objects.filter(
        control=True,
        indexes__version=version.dataset_version,
        generation__model_version__model__architecture=version.model.architecture,
        generation__model_version__model__organisation=version.model.organisation,
        generation__model_version__dataset_version__isnull=False,
    ).exclude(generation__model_version=version)
    shared = VersionEntry.objects.filter(
        version=OuterRef("generation__model_version__dataset_version"),
        recording__version_entries__version=version.dataset_version,
    )
    checks = checks.exclude(Exists(shared))
    newest = checks.values("generation").annotate(newest=Max("id")).values("newest")
    rows = (
        Check.objects.filter(id__in=newest)
        .values("generation__model_version", "verdict")
        .annotate(n=Count("id"))
        .order_by()
    )
    counts: dict[str, int] = defaultdict(int)
    ids = set()
    for row in rows:
        ids.add(row["generation__model_version"])
        counts[row["verdict"]] += row["n"]
    if not ids:
        return None
    versions = ModelVersion.objects.filter(pk__in=ids).select_related("model", "dataset_version__dataset")
    return Control(tuple(versions), VerdictCounts(dict(counts)))


def losses_of(version: ModelVersion) -> list[Loss]:
    known = [(name, label) for name, label in LOSSES if version.metrics.get(name) is not None]
    largest = max((float(version.metrics[name]) for name, _ in known), default=0.0) or 1.0
    return [
        Loss(label, float(version.metrics[name]), float(version.metrics[name]) / largest, "baseline" in name)
        for name, label in known
    ]


def beats_baselines(version: ModelVersion) -> bool | None:
    """Tell whether held-out music is predicted better than every baseline; None where nobody here measured it."""
    if run_of(version) is None:
        return None
    held_out = version.metrics.get("held_out_loss")
    baselines = [
        version.metrics[name]
        for name, _ in LOSSES
        if "baseline" in name and version.metrics.get(name) is not None
    ]
    return None if held_out is None or not baselines else held_out < min(baselines)


def run_of(version: ModelVersion) -> TrainingRun | None:
    return TrainingRun.objects.filter(model_version=version).select_related("started_by").first()


def licences_of(version: DatasetVersion) -> list[tuple[str, str, int]]:
    """Count a frozen version's recordings by what cleared the master and the answer they got when frozen."""
    cleared_by = ("manifest__master__licence", "manifest__master__basis")
    rows = (
        VersionEntry.objects.filter(version=version)
        .values(*cleared_by, "manifest__answer")
        .annotate(n=Count("id"))
        .order_by("-n", *cleared_by)
    )
    return [
        (
            row["manifest__master__licence"]
            or WITHOUT_LICENCE.get(row["manifest__master__basis"], "no licence stated"),
            row["manifest__answer"] or "unknown",
            row["n"],
        )
        for row in rows
    ]


def index_of(version: ModelVersion) -> IndexBuild | None:
    """Return the newest index of the music that a model was trained on."""
    if version.dataset_version is None:
        return None
    return provenance.latest_index(version.dataset_version.dataset, version.dataset_version)


def policies_of(version: ModelVersion) -> list[dict[str, Any]]:
    """Return what the newest checks of a model's outputs were judged by, newest first; not by which calibrations."""
    recorded = latest_checks(version).order_by("-id").values_list("policy", flat=True)
    told = [{name: policy.get(name) for name in POLICY_NAMES} for policy in recorded]
    return [*{json.dumps(policy, sort_keys=True): policy for policy in told}.values()]


def with_verdicts(generations: QuerySet[Generation], readable: QuerySet[Match]) -> QuerySet[Generation]:
    """Fetch each output's checks with their best ``readable`` accepted matches, newest check first (``own_checks``)."""
    matches = readable.filter(accepted=True).select_related("recording").order_by("-score")
    checks = (
        Check.objects.filter(control=False)
        .order_by("-id")
        .prefetch_related(Prefetch("matches", queryset=matches, to_attr="accepted_matches"))
    )
    return generations.prefetch_related(Prefetch("checks", queryset=checks, to_attr="own_checks"))


def newest_verdict(generations: QuerySet[Generation], verdict: str) -> QuerySet[Generation]:
    """Keep the outputs whose newest check says ``verdict``."""
    newest = (
        Check.objects.filter(control=False, generation__in=generations.order_by().values("pk"))
        .values("generation")
        .annotate(newest=Max("id"))
        .values("newest")
    )
    return generations.filter(
        pk__in=Check.objects.filter(id__in=newest, verdict=verdict).values("generation")
    )


def flagged_of(generations: Iterable[Generation]) -> list[Flagged]:
    """Pair each output with its newest check and best accepted match; ``generations`` come from ``with_verdicts``."""
    found = []
    for generation in generations:
        checks: list[Check] = generation.own_checks  # type: ignore[attr-defined]
        if not checks:
            continue
        matches: list[Match] = checks[0].accepted_matches  # type: ignore[attr-defined]
        found.append(Flagged(generation, checks[0], matches[0] if matches else None, _others(matches)))
    return found


def _others(matches: Sequence[Match]) -> list[Match]:
    return [match for match in matches[1:] if match.recording_id != matches[0].recording_id]


def worst_matches(version: ModelVersion, readable: QuerySet[Match], *, at_most: int = 3) -> list[Match]:
    """Return the highest-scoring accepted match of each recording, over the newest checks, worst first."""
    newest = (
        Check.objects.filter(generation__model_version=version, control=False)
        .values("generation")
        .annotate(newest=Max("id"))
        .values("newest")
    )
    found: dict[int, Match] = {}
    rows = readable.filter(check_made__in=newest, accepted=True).select_related(
        "recording", "check_made__generation__model_version__model"
    )
    for match in rows.order_by("-score", "id")[: 40 * at_most]:
        found.setdefault(match.recording_id, match)
    return list(found.values())[:at_most]


def matches_of(recording: Recording) -> QuerySet[Match]:
    """Return accepted matches of a recording, in outputs and in files that were checked, the closest first."""
    return (
        Match.objects.filter(recording=recording, accepted=True)
        .select_related(
            "check_made__generation__model_version__model__organisation", "check_made__organisation"
        )
        .order_by("-score", "-id")
    )


def best_a_check(matches: Iterable[Match]) -> list[Match]:
    """Keep the first match of each check, in the order given."""
    found: dict[int, Match] = {}
    for match in matches:
        found.setdefault(match.check_made_id, match)
    return list(found.values())


def trained_on(recording: Recording) -> QuerySet[ModelVersion]:
    return (
        ModelVersion.objects.filter(dataset_version__entries__recording=recording)
        .select_related("model", "model__organisation", "dataset_version__dataset")
        .order_by("model__name", "number")
    )


def undecided(versions: QuerySet[ModelVersion]) -> QuerySet[ModelVersion]:
    """Keep the versions whose release is asked for, or that nobody has decided about."""
    reviews = Review.objects.filter(question=Question.MODEL_RELEASE, subject_id=OuterRef("public_id"))
    return versions.filter(Exists(reviews.filter(decision=Decision.PENDING)) | ~Exists(reviews))


def state_counts(version: ModelVersion) -> dict[str, int]:
    rows = version.generations.values("state").annotate(n=Count("id")).order_by()
    return {row["state"]: row["n"] for row in rows}


def open_review(question: Question, subject_id: Any) -> Review | None:
    return (
        Review.objects.filter(question=question, subject_id=subject_id, decision=Decision.PENDING)
        .select_related("asked_by")
        .first()
    )


def decisions_about(readable: QuerySet[Review], subject_id: Any) -> QuerySet[Review]:
    return (
        readable.filter(subject_id=subject_id)
        .filter(~Q(decision=Decision.PENDING))
        .select_related("decided_by", "asked_by")
        .order_by("-decided_at")
    )


@dataclass(frozen=True)
class Evidence:
    """A check with all that its page shows."""

    check: Check
    accepted: Sequence[Match]
    nearest: Sequence[Match]  # every candidate, below the threshold too
    indexes: Sequence[IndexBuild]
    against: Sequence[str]
    n_unnamed: int = 0  # collections of others that it was held against too
    style: Resemblance | None = None  # whom it resembles, where that was asked

    @property
    def thresholds(self) -> tuple[float, float] | None:
        """Scores from which a match is ``review`` and ``blocked``; None if they were other ones then."""
        if self.check.policy.get("id") != thresholds.POLICY_ID:
            return None
        return thresholds.REVIEW_SCORE, thresholds.BLOCKED_SCORE

    @property
    def uncalibrated(self) -> list[str]:
        """Kinds that were decided by fixed thresholds, where others were not."""
        kinds = {
            kind: said for kind in self.check.kinds if isinstance(said := self.check.policy.get(kind), dict)
        }
        return [kind for kind, said in kinds.items() if not said["calibrated"]] if len(kinds) > 1 else []

    @property
    def judged(self) -> list[MatchJudgement]:
        """The newest word on each match above the threshold that somebody judged."""
        return [said[0] for match in self.accepted if (said := getattr(match, "said", []))]

    @property
    def n_dismissed(self) -> int:
        return sum(one.verdict == "dismissed" for one in self.judged)

    @property
    def n_expected(self) -> int:
        return sum(build.n_expected for build in self.indexes)


def evidence_of(
    check: Check, readable: QuerySet[Match], *, indexes: QuerySet[IndexBuild], datasets: QuerySet[Dataset]
) -> Evidence:
    """Return a check with those of its matches, indexes and datasets that whoever looks may read."""
    matches = list(
        readable.filter(check_made=check)
        .select_related("recording", "check_made")
        .order_by("-accepted", "-score", "kind", "rank")
    )
    held = list(check.against.order_by("name"))
    known = set(datasets.filter(pk__in=[one.pk for one in held]).values_list("pk", flat=True))
    return Evidence(
        check=check,
        accepted=best_a_recording([match for match in matches if match.accepted]),
        nearest=[match for match in matches if match.kind != STYLE],
        style=resemblance(matches),
        indexes=list(indexes.filter(checks=check).order_by("pk")),
        against=[str(dataset) for dataset in held if dataset.pk in known],
        n_unnamed=len(held) - len(known),
    )


def best_a_recording(matches: Iterable[Match]) -> list[Match]:
    """Keep the first match of each kind with each recording, in the order given."""
    found: dict[tuple[int, str], Match] = {}
    for match in matches:
        found.setdefault((match.recording_id, match.kind), match)
    return list(found.values())


@dataclass(frozen=True)
class Holding:
    """What one model version holds of a catalogue; ``n_outputs`` were accepted as like one of these recordings."""

    version: ModelVersion
    n_found: int
    n_probable: int
    n_outputs: int


def models_holding(runs: Sequence[CatalogueRun], versions: QuerySet[ModelVersion]) -> list[Holding]:
    """Return the versions trained on what a catalogue was found in, most rows first, in three queries.

    It is rows that are counted, as in the catalogue's own answers: one row may be any of several recordings.
    """
    best = CatalogueMatch.objects.filter(run__in=list(runs), recording__isnull=False)
    answers: dict[int, dict[int, str]] = defaultdict(dict)
    for recording, row, answer in best.values_list("recording_id", "row_id", "answer"):
        if recording is not None:
            answers[recording][row] = answer
    inside: dict[int, set[int]] = defaultdict(set)
    entries = VersionEntry.objects.filter(recording__in=answers).values_list("version_id", "recording_id")
    for version_id, recording in entries:
        inside[version_id].add(recording)
    found = list(
        versions.filter(dataset_version__in=inside).select_related("model", "dataset_version__dataset")
    )
    outputs = _outputs_like(set(answers), found)
    held = []
    for version in found:
        matches = [item for one in inside[version.dataset_version_id or 0] for item in answers[one].items()]
        sure = {row for row, answer in matches if answer == "found"}
        perhaps = {row for row, _ in matches} - sure
        held.append(Holding(version, len(sure), len(perhaps), outputs.get(version.pk, 0)))
    return sorted(held, key=lambda one: (-one.n_found, -one.n_probable, str(one.version)))


def _outputs_like(recordings: set[int], versions: Sequence[ModelVersion]) -> dict[int, int]:
    matches = Match.objects.filter(
        accepted=True,
        recording__in=recordings,
        check_made__control=False,
        check_made__generation__model_version__in=versions,
    )
    rows = matches.values("check_made__generation__model_version").annotate(
        n=Count("check_made__generation", distinct=True)
    )
    return {row["check_made__generation__model_version"]: row["n"] for row in rows.order_by()}
