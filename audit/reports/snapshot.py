"""What a report says, as plain values: the one input of every rendering, and what the signature is about.

A snapshot is a dictionary of JSON values. Everything in it was read from rows at one instant and is copied,
not referred to, so that the report still says the same when the rows have moved on. What is not known is null
and is shown as not known. It carries no personal data beyond credits of recordings: people appear by role.

Instants are ISO 8601 with a zone, hashes are lower-case hex sha256, durations are seconds, shares are 0 to 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypedDict

from audit.frameworks.loader import Framework

FORMAT = "liner-notes-report/1"

Conformance = Literal["met", "partly", "not_met", "not_applicable", "not_assessed"]
Verdict = Literal["no_match", "review", "blocked", "unverifiable"]
Clearance = Literal["allowed", "constrained", "not_allowed", "unknown"]
Release = Literal["approved", "rejected", "suspended", "undecided"]
MatchKind = Literal["recording", "composition", "style"]
Scalar = str | int | float | bool | None

WORST_FIRST: tuple[Conformance, ...] = ("not_met", "partly", "not_assessed", "not_applicable", "met")
VERDICTS_WORST_FIRST: tuple[Verdict, ...] = ("blocked", "unverifiable", "review", "no_match")
CLEARANCE_STRICTEST_FIRST: tuple[Clearance, ...] = ("not_allowed", "unknown", "constrained", "allowed")


class SnapshotError(ValueError):
    """The snapshot is incomplete or contradicts itself; the message names the place."""


class Issuer(TypedDict):
    """Who issues the report and signs it."""

    organisation: str
    software: str
    key_id: str


class Model(TypedDict):
    """The model that the report is about."""

    id: str
    name: str
    version: str
    weights_sha256: str
    architecture: str
    architecture_title: str
    family: str
    n_parameters: int | None


class Energy(TypedDict):
    """Energy of one training run, metered or estimated and never mixed; the assumption goes with it."""

    watt_hours: float | None
    basis: Literal["metered", "estimated", "unknown"]
    assumption: str


class LossPoint(TypedDict):
    """Losses at one step of training."""

    step: int
    training: float | None
    held_out: float | None


class Baseline(TypedDict):
    """The held-out loss of something that learned nothing, such as noise or shuffled tokens."""

    name: str
    held_out: float


class RecordingsUsed(TypedDict):
    """How much of the frozen version the run took: what it learned from and what it was only measured on.

    The seconds are of the whole recordings. Where ``excerpt_s`` is a number, no more than that was heard of each.
    """

    n_trained: int
    trained_seconds: float
    n_held_out: int
    held_out_seconds: float
    excerpt_s: float | None


class TrainingRun(TypedDict):
    """How the weights came about."""

    id: str
    recordings: RecordingsUsed
    config: dict[str, Scalar]
    seed: int
    n_steps: int
    device: str
    code_version: str
    started_at: str
    seconds: float
    energy: Energy
    loss_unit: str
    losses: list[LossPoint]
    final_held_out: float | None
    baselines: list[Baseline]


class LicenceCount(TypedDict):
    """Recordings of the version under one licence with one answer."""

    licence: str
    answer: Clearance
    n_recordings: int
    seconds: float


class AcceptedCondition(TypedDict):
    """A condition that a reviewer accepted, which is what lets a constrained recording in."""

    condition: str
    role: str
    reason: str
    at: str


class Conflict(TypedDict):
    """Two sources that say different things about a recording."""

    kind: str
    description: str
    status: str
    n_recordings: int


class Dataset(TypedDict):
    """The frozen version that the model was trained on."""

    id: str
    name: str
    version: str
    frozen_at: str
    merkle_root: str
    n_recordings: int
    seconds: float
    purpose: str
    commercial: bool
    territory: str | None
    model: str | None  # the one model it was frozen for, NAME or NAME@VERSION; null: any
    policy: str
    licences: list[LicenceCount]
    conditions_accepted: list[AcceptedCondition]
    conflicts: list[Conflict]


class Threshold(TypedDict):
    """One number that separates verdicts."""

    name: str
    value: float
    unit: str
    meaning: str


class Policy(TypedDict):
    """The policy under which outputs were checked."""

    id: str
    name: str
    calibrated: bool
    false_alarm_target: float | None
    thresholds: list[Threshold]


class Index(TypedDict):
    """What outputs were checked against."""

    id: str
    dataset: str
    version: str
    n_recordings: int
    covers_all: bool
    kinds: list[MatchKind]


class Verdicts(TypedDict):
    """How many outputs got which verdict."""

    no_match: int
    review: int
    blocked: int
    unverifiable: int


class Control(TypedDict):
    """The same check on a model trained on disjoint music: what is flagged there is chance."""

    model: str
    trained_on: str
    n_outputs: int
    verdicts: Verdicts


class Confirmation(TypedDict):
    """How many flagged outputs a second, independent measure confirmed."""

    method: str
    threshold: str
    n_flagged: int
    n_confirmed: int


class Missed(TypedDict):
    """What the check is known to miss: copies planted under one alteration, and how many were found."""

    alteration: str
    n_planted: int
    n_found: int


class Match(TypedDict):
    """One output beside the recording it is most like. Likeness is not infringement."""

    output: str
    output_sha256: str
    output_seconds: float
    verdict: Verdict
    kind: MatchKind
    recording: str
    title: str
    artist: str
    licence: str
    recording_seconds: float | None
    score: float
    p_value: float | None
    query_start_s: float
    query_end_s: float
    reference_start_s: float
    reference_end_s: float
    correlation: float | None
    confirmed: bool | None
    judgement: str | None  # what a person said of it last, which moved no verdict


class Outputs(TypedDict):
    """What the model made, and what the checks found in it. ``matches`` holds the worst, not all."""

    n: int
    n_released: int
    verdicts: Verdicts
    kinds_not_checked: list[MatchKind]
    policy: Policy | None
    index: Index | None
    control: Control | None
    confirmation: Confirmation | None
    missed: list[Missed]
    matches: list[Match]


class Decision(TypedDict):
    """A recorded decision of a person, by role."""

    id: str
    subject: str
    decision: str
    role: str
    reason: str
    at: str


class Evidence(TypedDict):
    """A row, a file or a figure that an answer rests on. ``kind`` and ``id`` lead back to it."""

    kind: str
    id: str
    label: str
    value: Scalar
    effective_on: str | None


class AssessedFeature(TypedDict):
    """One feature of the framework, the answer, and why."""

    id: str
    requirement: str
    name: str
    facet: str
    meaning: str
    evidence_kind: Literal["measured", "attested", "both"]
    counts_as: dict[str, str]
    conformance: Conformance
    reason: str
    answered_by: Literal["measured", "attested", "nobody"]
    evidence: list[Evidence]


class FrameworkName(TypedDict):
    """Which framework, whose, and whose reading."""

    id: str
    version: str
    name: str
    authors: str
    source_url: str
    licence: str
    notice: str
    reading: str


class Coverage(TypedDict):
    """How many features have evidence. Says nothing about what the evidence says."""

    n_features: int
    n_with_evidence: int


class ConformanceCounts(TypedDict):
    """What the answers are. Says nothing about how many have evidence."""

    met: int
    partly: int
    not_met: int
    not_applicable: int
    not_assessed: int


class Assessment(TypedDict):
    """The model held against a framework. Coverage and conformance stand apart and are never added up."""

    framework: FrameworkName
    features: list[AssessedFeature]
    coverage: Coverage
    conformance: ConformanceCounts


class LedgerHead(TypedDict):
    """The ledger's last event when the report was issued, and where that head is known outside."""

    n_events: int
    head: str
    at: str
    anchors: list[str]


class Snapshot(TypedDict):
    """A whole report."""

    format: str
    id: str
    issued_at: str
    issuer: Issuer
    release: Release
    release_reasons: list[str]
    model: Model
    training_run: TrainingRun | None
    dataset: Dataset | None
    outputs: Outputs
    decisions: list[Decision]
    assessment: Assessment
    limitations: list[str]
    ledger: LedgerHead


@dataclass(frozen=True)
class Answer:
    """What one feature's evidence says.

    Attributes
    ----------
    conformance : {'met', 'partly', 'not_met', 'not_applicable', 'not_assessed'}
        The answer. Met and partly need evidence; every answer but not_assessed needs a reason.
    reason : str
        Why, in a sentence that a reader without the rows understands.
    evidence : sequence of Evidence
        What it rests on.
    answered_by : {'measured', 'attested', 'nobody'}
        Whether it was computed from rows or stated by a person.
    """

    conformance: Conformance
    reason: str
    evidence: Sequence[Evidence] = field(default=())
    answered_by: Literal["measured", "attested", "nobody"] = "measured"


NOT_ASSESSED = Answer("not_assessed", "Nobody has assessed this yet.", answered_by="nobody")


def build_assessment(framework: Framework, answers: Mapping[str, Answer]) -> Assessment:
    """Hold answers against a framework.

    Parameters
    ----------
    framework : Framework
        The framework; its own order is kept.
    answers : mapping of str to Answer
        By feature id. A feature without an answer is ``not_assessed``: silence is never conformance.

    Returns
    -------
    Assessment
        All features, with coverage and conformance counted apart.

    Raises
    ------
    SnapshotError
        If an answer is for a feature that the framework does not have.
    """
    unknown = answers.keys() - {feature.id for feature in framework.features}
    if unknown:
        raise SnapshotError(f"{framework.id} has no feature {', '.join(sorted(unknown))}")
    features = []
    for feature in framework.features:
        answer = answers.get(feature.id, NOT_ASSESSED)
        counts_as = {"met": feature.met, "partly": feature.partly, "not_met": feature.not_met}
        if feature.not_applicable:
            counts_as["not_applicable"] = feature.not_applicable
        features.append(
            AssessedFeature(
                id=feature.id,
                requirement=feature.requirement,
                name=feature.name,
                facet=feature.facet,
                meaning=feature.meaning,
                evidence_kind=feature.evidence_kind,
                counts_as=counts_as,
                conformance=answer.conformance,
                reason=answer.reason,
                answered_by=answer.answered_by,
                evidence=list(answer.evidence),
            )
        )
    return Assessment(
        framework=FrameworkName(
            id=framework.id,
            version=framework.version,
            name=framework.name,
            authors=framework.authors,
            source_url=framework.source_url,
            licence=framework.licence,
            notice=framework.notice,
            reading=framework.reading,
        ),
        features=features,
        coverage=count_coverage(features),
        conformance=count_conformance(features),
    )


def count_coverage(features: Sequence[AssessedFeature]) -> Coverage:
    """How many of ``features`` have any evidence."""
    return Coverage(n_features=len(features), n_with_evidence=sum(1 for f in features if f["evidence"]))


def count_conformance(features: Sequence[AssessedFeature]) -> ConformanceCounts:
    """How many of ``features`` got which answer."""
    counted = Counter(feature["conformance"] for feature in features)
    return ConformanceCounts(
        met=counted["met"],
        partly=counted["partly"],
        not_met=counted["not_met"],
        not_applicable=counted["not_applicable"],
        not_assessed=counted["not_assessed"],
    )


def n_flagged(verdicts: Verdicts) -> int:
    """Outputs that were not ``no_match`` because something was found: review and blocked."""
    return verdicts["review"] + verdicts["blocked"]
