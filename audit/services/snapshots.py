"""Copying rows into the values that a report says."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from django.conf import settings

from audit import queries
from audit.evidence.facts import row
from audit.frameworks import loader
from audit.models import Assessment, FeatureAnswer
from audit.queries import TrainingRecording
from audit.reports import snapshot
from audit.reports.snapshot import Answer, Scalar
from generation import queries as generation
from generation.architectures import registry
from generation.models import Check, Generation, GenerationState, Match, ModelVersion, TrainingRun
from generation.queries import Gate
from governance import access, ledger
from governance.models import Decision, LedgerEvent, Review, Role
from provenance.models import Conflict, DatasetVersion, IndexBuild
from provenance.similarity import thresholds

KINDS: tuple[snapshot.MatchKind, ...] = ("recording", "composition", "style")
N_MATCHES = 12
N_CONFLICTS = 100
N_OUTPUT_DECISIONS = 20
CHECKPOINT_STATEMENT = "checkpoint.json"


def snapshot_of(assessment: Assessment, *, report_id: UUID, key_id: str, now: datetime) -> dict[str, Any]:
    """Copy everything a report says, as it is at this moment."""
    version = assessment.model_version
    checks = queries.own_checks(version)
    run = queries.training_run_of(version)
    gate = generation.gate_of(version, at=now)
    recordings = queries.training_recordings(version.dataset_version) if version.dataset_version else []
    outputs = _outputs(version, checks, recordings)
    release, reasons = _release(version, gate)
    said: snapshot.Snapshot = {
        "format": snapshot.FORMAT,
        "id": str(report_id),
        "issued_at": now.isoformat(),
        "issuer": {
            "organisation": version.model.organisation.name,
            "software": f"Liner Notes {settings.SPECTACULAR_SETTINGS['VERSION']}",
            "key_id": key_id,
        },
        "release": release,
        "release_reasons": reasons,
        "model": _model(version),
        "training_run": _training_run(version, run, recordings) if run else None,
        "dataset": _dataset(version.dataset_version, recordings) if version.dataset_version else None,
        "outputs": outputs,
        "decisions": _decisions(version),
        "assessment": assessment_of(assessment),
        "limitations": limitations_of(version, outputs),
        "ledger": _ledger_head(now),
    }
    return cast(dict[str, Any], said)


def _release(version: ModelVersion, gate: Gate) -> tuple[snapshot.Release, list[str]]:
    decided = generation.last_decision(version)
    reasons = [f"{_capitalised(reason)}." for reason in gate.reasons]
    if gate.needs_a_person:
        reasons.append(f"{_capitalised(gate.why_a_person)}.")
    if decided is None:
        return "undecided", [*reasons, "No person has decided about this model yet."]
    reasons.insert(0, f"{_role(decided).replace('_', ' ').capitalize()}: {decided.reason}")
    return cast(snapshot.Release, str(decided.decision)), reasons


def _capitalised(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _role(review: Review) -> str:
    """Return the role that somebody decided in: people appear by role, never by name."""
    if review.decided_by is None:
        return "nobody"
    roles = access.roles_of(review.decided_by, review.organisation, now=review.decided_at)
    return (
        Role.COMPLIANCE_OFFICER.value
        if Role.COMPLIANCE_OFFICER in roles
        else min(roles, default="former member")
    )


def _model(version: ModelVersion) -> snapshot.Model:
    return {
        "id": str(version.public_id),
        "name": version.model.name,
        "version": str(version.number),
        "weights_sha256": version.weights_sha256,
        "architecture": version.model.architecture,
        "architecture_title": registry.title(version.model.architecture),
        "family": "notes" if version.model.architecture == "symbolic" else "sound",
        "n_parameters": version.n_parameters,
    }


def _training_run(
    version: ModelVersion, run: TrainingRun, recordings: Sequence[TrainingRecording]
) -> snapshot.TrainingRun:
    figures = run.metrics
    baselines: list[snapshot.Baseline] = [
        {"name": name.removesuffix("_baseline_loss"), "held_out": float(loss)}
        for name, loss in sorted(figures.items())
        if name.endswith("_baseline_loss") and loss is not None
    ]
    return {
        "id": str(run.public_id),
        "recordings": _recordings_used(run, recordings),
        "config": {name: _scalar(value) for name, value in run.config.items()},
        "seed": run.seed,
        "n_steps": run.n_steps,
        "device": f"{run.device}, {run.hardware}" if run.hardware else run.device,
        "code_version": _made_by(version),
        "started_at": run.started_at.isoformat(),
        "seconds": run.seconds or 0.0,
        "energy": {
            "watt_hours": run.energy_wh,
            "basis": "unknown" if run.energy_wh is None else "estimated",
            "assumption": run.energy_method,
        },
        "loss_unit": "nats a step",
        "losses": [],
        "final_held_out": figures.get("held_out_loss"),
        "baselines": baselines,
    }


def _recordings_used(run: TrainingRun, recordings: Sequence[TrainingRecording]) -> snapshot.RecordingsUsed:
    seconds = {one.leaf.recording.sha256: one.leaf.recording.seconds or 0.0 for one in recordings}
    excerpt_s = run.config.get("excerpt_s") or None
    return {
        "n_trained": len(run.trained_on),
        "trained_seconds": sum(seconds.get(sha256, 0.0) for sha256 in run.trained_on),
        "n_held_out": len(run.held_out),
        "held_out_seconds": sum(seconds.get(sha256, 0.0) for sha256 in run.held_out),
        "excerpt_s": float(excerpt_s) if excerpt_s else None,
    }


def _made_by(version: ModelVersion) -> str:
    """Return what the checkpoint says of the code that trained it."""
    try:
        statement = json.loads(
            (Path(settings.CHECKPOINT_DIR) / version.checkpoint / CHECKPOINT_STATEMENT).read_bytes()
        )
        return str(statement["made_by"])
    except (OSError, ValueError, KeyError, TypeError):
        return "not recorded"


def _scalar(value: Any) -> Scalar:
    return value if value is None or isinstance(value, str | int | float | bool) else json.dumps(value)


def _dataset(version: DatasetVersion, recordings: Sequence[TrainingRecording]) -> snapshot.Dataset:
    return {
        "id": str(version.dataset.public_id),
        "name": version.dataset.name,
        "version": str(version.number),
        "frozen_at": version.frozen_at.isoformat(),
        "merkle_root": version.merkle_root,
        "n_recordings": version.n_recordings,
        "seconds": version.seconds,
        "purpose": version.purpose,
        "commercial": version.commercial,
        "territory": version.territory or None,
        "model": version.model or None,
        "policy": version.policy_name,
        "licences": _licences(recordings),
        "conditions_accepted": _conditions(version),
        "conflicts": [_conflict(found) for found in queries.conflicts_of(version)[:N_CONFLICTS]],
    }


def _licences(recordings: Sequence[TrainingRecording]) -> list[snapshot.LicenceCount]:
    counted: dict[tuple[str, str], snapshot.LicenceCount] = {}
    for one in recordings:
        answer = one.leaf.manifest["answer"]
        count = counted.setdefault(
            (one.licence, answer),
            {"licence": one.licence, "answer": answer, "n_recordings": 0, "seconds": 0.0},
        )
        count["n_recordings"] += 1
        count["seconds"] += one.leaf.recording.seconds or 0.0
    return sorted(counted.values(), key=lambda count: (-count["n_recordings"], count["licence"]))


def _conditions(version: DatasetVersion) -> list[snapshot.AcceptedCondition]:
    review = Review.objects.filter(public_id=version.review_id).first()
    if review is None or review.decided_at is None:
        return []
    return [
        {
            "condition": condition,
            "role": _role(review),
            "reason": review.reason,
            "at": review.decided_at.isoformat(),
        }
        for condition in version.conditions_accepted
    ]


def _conflict(found: Conflict) -> snapshot.Conflict:
    return {
        "kind": found.kind,
        "description": found.summary,
        "status": found.status,
        "n_recordings": len({found.recording_a_id, found.recording_b_id}),
    }


def _not_looked_for(checks: Sequence[Check]) -> list[snapshot.MatchKind]:
    """Kinds of likeness that were not looked for in each output that could be heard."""
    heard = [check for check in checks if check.seconds is not None]
    return [kind for kind in KINDS if not heard or any(kind not in check.kinds for check in heard)]


def _outputs(
    version: ModelVersion, checks: Sequence[Check], recordings: Sequence[TrainingRecording]
) -> snapshot.Outputs:
    index = queries.training_index_of(version, checks)
    control = queries.control_of(version)
    counts = queries.count_verdicts(checks)
    flagged = [check for check in checks if check.verdict in queries.FLAGGED]
    return {
        "n": len(checks),
        "n_released": Generation.objects.filter(
            model_version=version, state=GenerationState.RELEASED
        ).count(),
        "verdicts": cast(snapshot.Verdicts, counts.as_json()),
        "kinds_not_checked": _not_looked_for(checks),
        "policy": _policy(checks[-1]) if checks else None,
        "index": _index(index or _any_index(checks)),
        "control": None
        if control is None
        else {
            "model": str(control.version),
            "trained_on": str(control.version.dataset_version),
            "n_outputs": control.counts.n_outputs,
            "verdicts": cast(snapshot.Verdicts, control.counts.as_json()),
        },
        "confirmation": _confirmation(flagged),
        "missed": _missed(version),
        "matches": _matches(checks, recordings),
    }


def _any_index(checks: Sequence[Check]) -> IndexBuild | None:
    return next((build for check in reversed(checks) for build in check.indexes.all()), None)


def _policy(check: Check) -> snapshot.Policy:
    return {
        "id": str(check.policy["id"]),
        "name": str(check.policy["id"]),
        "calibrated": bool(check.policy.get("calibrated")),
        "false_alarm_target": check.policy.get("false_alarm_target"),
        "thresholds": [
            {
                "name": "recording: blocked from a score of",
                "value": thresholds.BLOCKED_SCORE,
                "unit": "score, 0 to 1",
                "meaning": "Aligned stretches that are at least this convincing are held to be the same sound.",
            },
            {
                "name": "recording: review from a score of",
                "value": thresholds.REVIEW_SCORE,
                "unit": "score, 0 to 1",
                "meaning": "Between the two a person listens.",
            },
        ]
        if check.policy["id"] == thresholds.POLICY_ID
        else [],
    }


def _index(build: IndexBuild | None) -> snapshot.Index | None:
    if build is None:
        return None
    return {
        "id": str(build.public_id),
        "dataset": build.dataset.name,
        "version": str(build.version.number) if build.version else "draft",
        "n_recordings": build.n_recordings,
        "covers_all": build.covers_all,
        "kinds": [cast(snapshot.MatchKind, build.kind)],
    }


def _confirmation(flagged: Sequence[Check]) -> snapshot.Confirmation | None:
    matches = queries.accepted_matches_of(flagged)
    if not any("confirmed" in match.details for match in matches):
        return None
    confirmed = {match.check_made_id for match in matches if match.details.get("confirmed") is True}
    return {
        "method": "correlation of the matched stretches, sample by sample or spectrum by spectrum",
        "threshold": _confirmation_threshold(matches),
        "n_flagged": len(flagged),
        "n_confirmed": len(confirmed),
    }


def _confirmation_threshold(matches: Sequence[Match]) -> str:
    said = {
        f"samples {match.details['waveform_threshold']:g} or spectrogram {match.details['spectrogram_threshold']:g}"
        for match in matches
        if "waveform_threshold" in match.details
    }
    return "; ".join(sorted(said)) or "as stored with each match"


def _missed(version: ModelVersion) -> list[snapshot.Missed]:
    campaign = queries.newest_campaign(version, "robustness")
    if campaign is None:
        return []
    return [
        {"alteration": found["alteration"], "n_planted": found["planted"], "n_found": found["found"]}
        for found in campaign.figures["planted"]
    ]


def _matches(checks: Sequence[Check], recordings: Sequence[TrainingRecording]) -> list[snapshot.Match]:
    by_recording = {one.leaf.recording_id: one for one in recordings}
    worst = sorted(
        queries.nearest_matches_of(checks),
        key=lambda match: snapshot.VERDICTS_WORST_FIRST.index(
            cast(snapshot.Verdict, match.check_made.verdict)
        ),
    )
    return [_match(match, by_recording.get(match.recording_id)) for match in worst[:N_MATCHES]]


def _match(match: Match, known: TrainingRecording | None) -> snapshot.Match:
    check = match.check_made
    generation_id = check.generation.public_id if check.generation else check.public_id
    judgement = next(iter(match.judgements.all()), None)
    return {
        "output": str(generation_id),
        "output_sha256": check.sha256,
        "output_seconds": check.seconds or 0.0,
        "verdict": cast(snapshot.Verdict, check.verdict),
        "kind": cast(snapshot.MatchKind, match.kind),
        "recording": str(match.recording.public_id),
        "title": match.title or match.external_id,
        "artist": known.artist if known else match.recording.artist,
        "licence": known.licence if known else "not in the training set",
        "recording_seconds": match.recording.seconds,
        "score": match.score,
        "p_value": match.p_value,
        "query_start_s": match.query_start_s,
        "query_end_s": match.query_end_s,
        "reference_start_s": match.reference_start_s,
        "reference_end_s": match.reference_end_s,
        "correlation": correlation_of(match),
        "confirmed": match.details.get("confirmed"),
        "judgement": judgement.answer if judgement else None,
    }


def correlation_of(match: Match) -> float | None:
    """Return the strongest correlation that was measured of a match; None if none was."""
    found = [
        value
        for name, value in match.details.items()
        if name.endswith("correlation") and isinstance(value, int | float)
    ]
    return max(found, default=None)


def _decisions(version: ModelVersion) -> list[snapshot.Decision]:
    found = list(queries.decisions_about(version))
    about_outputs = [review for review in found if review.subject_kind == "generation"]
    left_out = {review.pk for review in about_outputs[:-N_OUTPUT_DECISIONS]}
    return [
        {
            "id": str(review.public_id),
            "subject": f"{review.subject_kind.replace('_', ' ')} {review.subject_name}",
            "decision": str(Decision(review.decision)),
            "role": _role(review),
            "reason": review.reason,
            "at": review.decided_at.isoformat() if review.decided_at else "",
        }
        for review in found
        if review.pk not in left_out
    ]


def assessment_of(assessment: Assessment) -> snapshot.Assessment:
    answers = {answer.feature: _answer(answer) for answer in assessment.answers.all()}
    return snapshot.build_assessment(loader.load(assessment.framework), answers)


def _answer(answer: FeatureAnswer) -> Answer:
    attested = any(one["kind"] == "attestation" for one in answer.evidence)
    by = "nobody" if answer.conformance == "not_assessed" else "attested" if attested else "measured"
    return Answer(
        cast(snapshot.Conformance, answer.conformance),
        answer.reason,
        [
            row(one["kind"], one["id"], one["label"], one["value"], effective_on=one.get("effective_on"))
            for one in answer.evidence
        ],
        by,  # type: ignore[arg-type]
    )


def limitations_of(version: ModelVersion, outputs: snapshot.Outputs) -> list[str]:
    """Say what a report on this model can't say."""
    said = [
        "Only likeness in sound was searched: the same melody or harmony in another key, tempo or timbre may not "
        "be found.",
        "Likeness is not infringement, and no match is no legal advice.",
    ]
    if outputs["policy"] is None or not outputs["policy"]["calibrated"]:
        said.append("The thresholds are not calibrated, so the share of false alarms is not known.")
    if outputs["n"] < 1000:
        said.append(f"{outputs['n']} outputs say little about what a model makes once in a thousand.")
    if outputs["control"] is None:
        said.append("No control model was checked, so what is flagged by chance is not known.")
    if not outputs["missed"]:
        said.append(
            "What the check misses was not measured for this model (audit_model --campaign robustness)."
        )
    if version.dataset_version is None:
        origins = generation.origins_of([version]).get(version.pk, [])
        whose = generation.said_of(origins) or "nobody knows what the model was trained on"
        said.append(f"{_capitalised(whose)}: outputs were held against what is registered here.")
    else:
        said.append("Licences were read from what the sources state; the rights holders were not asked.")
    said.append(
        "The ledger's head is anchored nowhere outside: whoever owns the database could rewrite the chain."
    )
    return said


def _ledger_head(now: datetime) -> snapshot.LedgerHead:
    last = LedgerEvent.objects.order_by("-sequence").only("at").first()
    n_events, head = ledger.head()
    return {
        "n_events": n_events,
        "head": head,
        "at": (last.at if last else now).isoformat(),
        "anchors": [],
    }
