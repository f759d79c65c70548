"""What a report says, as plain values: the one input of every rendering, and what the signature is about.

A snapshot is a dictionary of JSON values. Everything in it was read from rows at one instant and is copied,
not referred to, so that the report still says the same when the rows have moved on. What is not known is null
and is shown as not known. It carries no personal data beyond credits of recordings: people appear by role.

Instants are ISO 8601 with a zone, hashes are lower-case hex sha256, durations are seconds, shares are 0 to 1.
"""

from __future__ import annotations

import math
import re
import types
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict, Union, cast, get_args, get_origin, get_type_hints, is_typeddict

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


def check(snapshot: Mapping[str, Any]) -> Snapshot:
    """Refuse a snapshot that is incomplete, mistyped or contradicts itself.

    Parameters
    ----------
    snapshot : mapping
        Candidate.

    Returns
    -------
    Snapshot
        The same values.

    Raises
    ------
    SnapshotError
        If the format is unknown, a member is missing, unknown or of another type, totals disagree with what
        they total, or an answer claims more than its evidence.
    """
    if snapshot.get("format") != FORMAT:
        raise SnapshotError(f"format: {snapshot.get('format')!r} is not {FORMAT!r}, the one written here")
    _check_type(snapshot, Snapshot, "")
    checked = cast(Snapshot, snapshot)
    _check_hashes(checked)
    _check_outputs(checked["outputs"])
    _check_assessment(checked["assessment"])
    dataset = checked["dataset"]
    if dataset is not None:
        counted = sum(row["n_recordings"] for row in dataset["licences"])
        if counted != dataset["n_recordings"]:
            raise SnapshotError(
                f"dataset.licences: {counted} recordings, the version holds {dataset['n_recordings']}"
            )
        _check_used(checked["training_run"], dataset)
    return checked


def _check_used(run: TrainingRun | None, dataset: Dataset) -> None:
    if run is None:
        return
    used = run["recordings"]["n_trained"] + run["recordings"]["n_held_out"]
    if used > dataset["n_recordings"]:
        raise SnapshotError(
            f"training_run.recordings: {used} recordings, the version holds {dataset['n_recordings']}"
        )


def _check_hashes(snapshot: Snapshot) -> None:
    places = {
        "issuer.key_id": snapshot["issuer"]["key_id"],
        "model.weights_sha256": snapshot["model"]["weights_sha256"],
        "ledger.head": snapshot["ledger"]["head"],
    }
    if snapshot["dataset"] is not None:
        places["dataset.merkle_root"] = snapshot["dataset"]["merkle_root"]
    for place, digest in places.items():
        if not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise SnapshotError(f"{place}: {digest!r} is not 64 lower-case hex digits")


def _check_outputs(outputs: Outputs) -> None:
    verdicts = outputs["verdicts"]
    counted = n_flagged(verdicts) + verdicts["no_match"] + verdicts["unverifiable"]
    if counted != outputs["n"]:
        raise SnapshotError(f"outputs.verdicts: {counted} verdicts on {outputs['n']} outputs")
    confirmation = outputs["confirmation"]
    if confirmation is not None and confirmation["n_confirmed"] > confirmation["n_flagged"]:
        raise SnapshotError("outputs.confirmation: more confirmed than flagged")
    if verdicts["no_match"] and (outputs["policy"] is None or outputs["index"] is None):
        raise SnapshotError("outputs: no_match without a policy and an index can't be; it is unverifiable")


def _check_assessment(assessment: Assessment) -> None:
    features = assessment["features"]
    if assessment["coverage"] != count_coverage(features):
        raise SnapshotError("assessment.coverage: does not agree with the features")
    if assessment["conformance"] != count_conformance(features):
        raise SnapshotError("assessment.conformance: does not agree with the features")
    for feature in features:
        place = f"assessment.features {feature['id']}"
        if not feature["reason"].strip():
            raise SnapshotError(f"{place}: no reason")
        if feature["conformance"] in ("met", "partly") and not feature["evidence"]:
            raise SnapshotError(f"{place}: {feature['conformance']} without evidence")
        if feature["conformance"] == "not_assessed" and feature["evidence"]:
            raise SnapshotError(f"{place}: has evidence and no answer")


def _check_type(value: Any, hint: Any, place: str) -> None:
    origin = get_origin(hint)
    if is_typeddict(hint):
        _check_members(value, hint, place)
    elif origin in (Union, types.UnionType):
        _check_union(value, get_args(hint), place)
    elif origin is Literal:
        if value not in get_args(hint):
            raise SnapshotError(f"{place}: {value!r} is not one of {', '.join(get_args(hint))}")
    elif origin is list:
        _expect(value, list, place)
        for position, element in enumerate(value):
            _check_type(element, get_args(hint)[0], f"{place}[{position}]")
    elif origin is dict:
        _expect(value, dict, place)
        for key, member in value.items():
            _expect(key, str, f"{place}, a key")
            _check_type(member, get_args(hint)[1], f"{place}.{key}")
    else:
        _expect(value, hint, place)


def _check_members(value: Any, hint: Any, place: str) -> None:
    _expect(value, dict, place)
    members = get_type_hints(hint)
    prefix = f"{place}." if place else ""
    for name in members:
        if name not in value:
            raise SnapshotError(f"{prefix}{name} is missing")
    for name, member in value.items():
        if name not in members:
            raise SnapshotError(f"{prefix}{name} is not a member of format {FORMAT}")
        _check_type(member, members[name], f"{prefix}{name}")


def _check_union(value: Any, choices: tuple[Any, ...], place: str) -> None:
    if value is None and type(None) in choices:
        return
    concrete = [choice for choice in choices if choice is not type(None)]
    if len(concrete) == 1:
        _check_type(value, concrete[0], place)
        return
    for choice in concrete:
        try:
            _check_type(value, choice, place)
        except SnapshotError:
            continue
        return
    raise SnapshotError(f"{place}: a {type(value).__name__} does not belong here")


def _expect(value: Any, kind: type, place: str) -> None:
    accepted: tuple[type, ...] = (int, float) if kind is float else (kind,)
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        name = "nothing" if value is None else f"a {type(value).__name__}"
        raise SnapshotError(f"{place}: {name} where a {kind.__name__} belongs")
    if isinstance(value, float) and not math.isfinite(value):
        raise SnapshotError(f"{place}: {value} is not a number that JSON knows")
