"""Fairly Trained: what the rows say in a self-assessment. It is no certification."""

from collections.abc import Mapping
from typing import Any

from audit.evidence.facts import Facts, row
from audit.evidence.registry import collector
from audit.reports.snapshot import Answer
from lib.figures import counted
from provenance.rights.bases import legal_basis


@collector("fairly_trained", "L-1")
def grounds(facts: Facts) -> Answer:
    version = facts.trained_on
    if version is None:
        return Answer("not_met", "Nobody knows what the model was trained on.")
    groundless = [
        one.leaf.external_id
        for one in facts.recordings
        if not all(
            _ground(one.leaf.manifest.get(right) or {}, version.territory)
            for right in ("master", "composition")
        )
    ]
    evidence = [
        row("dataset_version", version.public_id, "recordings", version.n_recordings),
        row("dataset_version", version.public_id, "recordings without a ground", len(groundless)),
        row("dataset_version", version.public_id, "not cleared today", len(facts.not_cleared)),
    ]
    if groundless:
        return Answer(
            "not_met",
            f"{counted(len(groundless), 'recording rests', 'recordings rest')} on no permitted ground: {groundless[0]}.",
            evidence,
        )
    if facts.not_cleared:
        return Answer(
            "not_met",
            f"{counted(len(facts.not_cleared), 'recording is', 'recordings are')} not cleared today.",
            evidence,
        )
    if version.conditions_accepted:
        evidence.append(
            row("review", version.review_id, "conditions accepted", ", ".join(version.conditions_accepted))
        )
        return Answer(
            "partly",
            "Every recording has a ground, some under conditions that a reviewer accepted.",
            evidence,
        )
    return Answer("met", f"All {version.n_recordings} recordings rest on a permitted ground.", evidence)


def _ground(right: Mapping[str, Any], territory: str) -> str | None:
    """Return on which of the four bases a right was frozen; public domain counts only for the whole world."""
    return legal_basis(right.get("answer", "not_allowed"), right.get("basis"), territory or "WORLD")


@collector("fairly_trained", "D-1")
def diligence(facts: Facts) -> Answer:
    version = facts.trained_on
    if version is None:
        return Answer("not_met", "Nobody knows what the model was trained on.")
    with_evidence = [
        one
        for one in facts.recordings
        if one.entry is not None and any(statement.evidence for statement in one.entry.statements.all())
    ]
    evidence = [
        row(
            "dataset_version",
            version.public_id,
            "recordings with evidence of their licence",
            len(with_evidence),
        ),
        row("dataset_version", version.public_id, "open conflicts", len(facts.open_conflicts)),
        row("review", version.review_id, "approval of the dataset", "on record"),
    ]
    if not with_evidence:
        return Answer(
            "not_met", "No licence has evidence on file: all were taken on the provider's word.", evidence
        )
    if len(with_evidence) < len(facts.recordings) or facts.open_conflicts:
        return Answer(
            "partly",
            f"{len(with_evidence)} of {len(facts.recordings)} recordings have evidence on file; "
            f"{counted(len(facts.open_conflicts), 'conflict is', 'conflicts are')} open.",
            evidence,
        )
    return Answer(
        "met",
        "Every licence has evidence, a reviewer approved the dataset, no conflict is open.",
        evidence,
    )


@collector("fairly_trained", "R-1")
def records(facts: Facts) -> Answer:
    if facts.run is None or facts.trained_on is None:
        return Answer("not_met", "The model was registered without a training run on a frozen version.")
    return Answer(
        "met",
        "The training run names a frozen version with its Merkle root.",
        [
            row("training_run", facts.run.public_id, "trained on", str(facts.trained_on)),
            row("dataset_version", facts.trained_on.public_id, "Merkle root", facts.trained_on.merkle_root),
        ],
    )


@collector("fairly_trained", "A-1")
def renewal(facts: Facts) -> Answer:
    if facts.trained_on is None:
        return Answer("not_met", "Without a known training set no clearance could be computed.")
    return Answer(
        "met",
        "Clearance of every recording was computed anew for this assessment.",
        [row("dataset_version", facts.trained_on.public_id, "clearance computed at", facts.at.isoformat())],
    )
