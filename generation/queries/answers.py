"""What the answer to a case says: found in the impact graph, the decisions and the ledger when it is given."""

from datetime import datetime
from typing import Any

from generation.models import Case, CaseDecision, ModelVersion, Remedy
from generation.queries import impact
from generation.queries.cases import decisions_of, proofs_of, recordings_of
from governance.models import LedgerEvent

COUNTED = (
    "recordings and seconds: what the model was trained on; held_out: what was only played to it to measure it; "
    "contracts: what the dataset version holds, used or not."
)


def answer_payload(case: Case, *, number: int, now: datetime) -> dict[str, Any]:
    """Return what the holder is told. It names models, counts and decisions: no person, no contract's terms."""
    graph = impact.graph_of(recordings_of(case))
    decided = decisions_of(case)
    return {
        "case": {
            "reference": case.reference,
            "kind": case.kind,
            "filed_at": case.filed_at.isoformat(),
            "due_on": case.due_on.isoformat(),
            "outcome": case.state,
        },
        "organisation": case.organisation.name,
        "number": number,
        "answered_at": now.isoformat(),
        "words": case.closing_words,
        "recordings": _recordings(case),
        "found": {
            "recordings": graph.n_recordings,
            "seconds": round(graph.seconds, 3),
            "dataset_versions": len(graph.versions),
            "training_runs": len(graph.runs),
            "models": len(graph.models),
            "outputs": graph.n_outputs,
            "outputs_released": graph.n_released,
            "outputs_matching": graph.n_matching,
            "models_whose_music_is_not_known": graph.n_unknown,
        },
        "models": [_model(case, reached, decided.get(reached.version.pk)) for reached in graph.models],
        "rights": _rights_done(case),
        "ledger": [
            {"sequence": event.sequence, "kind": event.kind, "at": event.at.isoformat(), "hash": event.hash}
            for event in events_of(case)
        ],
        "note": "Similarity is not infringement, and no match is not legal advice.",
    }


def _recordings(case: Case) -> list[dict[str, Any]]:
    rows = case.subjects.order_by("id").values_list(
        *("recording__public_id", "recording__title", "recording__isrc", "recording__sha256"),
        *("recording__seconds", "because"),
    )
    return [
        {
            "recording": str(public_id),
            "title": title,
            "isrc": isrc,
            "sha256": sha256,
            "seconds": round(seconds, 3) if seconds is not None else None,
            "because": because,
        }
        for public_id, title, isrc, sha256, seconds, because in rows
    ]


def _model(case: Case, reached: impact.Reached, decision: CaseDecision | None) -> dict[str, Any]:
    frozen = reached.used.version
    return {
        "model": str(reached.version),
        "dataset_version": {
            "name": str(frozen),
            "merkle_root": frozen.merkle_root,
            "frozen_at": frozen.frozen_at.isoformat(),
            "recordings": reached.used.n_recordings,
            "seconds": round(reached.used.seconds, 3),
        },
        "recordings": reached.n_recordings,
        "seconds": round(reached.seconds, 3),
        "held_out": reached.trained.n_held_out if reached.trained else 0,
        "held_out_seconds": round(reached.trained.held_out_s, 3) if reached.trained else 0.0,
        "counted": COUNTED,
        "contracts": [
            {
                "right": contract.right,
                "basis": contract.basis or None,
                "licence": contract.licence or None,
                "grant": contract.grant or None,
                "recordings": contract.n_recordings,
                "seconds": round(contract.seconds, 3),
            }
            for contract in reached.used.contracts
        ],
        "outputs": reached.n_outputs,
        "outputs_released": reached.n_released,
        "outputs_matching": reached.n_matching,
        "decision": _decision(decision) if decision else None,
        "retrained": _retrained(case, reached.version, decision),
    }


def _decision(decision: CaseDecision) -> dict[str, Any]:
    return {
        "remedy": decision.remedy,
        "reason": decision.reason,
        "until": decision.until.isoformat() if decision.until else None,
        "decided_at": decision.decided_at.isoformat(),
    }


def _retrained(case: Case, version: ModelVersion, decision: CaseDecision | None) -> list[dict[str, Any]]:
    if decision is None or decision.remedy != Remedy.RETRAIN:
        return []
    return [
        {
            "model": str(proof.version),
            "dataset_version": str(proof.dataset_version),
            "merkle_root": proof.dataset_version.merkle_root,
            "manifest_stands": proof.manifest_stands,
            "recordings_checked": proof.n_checked,
            "recordings_found": proof.n_found,
        }
        for proof in proofs_of(case, version)
    ]


def _rights_done(case: Case) -> list[dict[str, Any]]:
    """Return what was done to the rights when the case was opened, from the ledger's own line."""
    opened = opened_event_of(case)
    if opened is None:
        return []
    done = [{"deed": "grant_revoked", "grant": grant} for grant in opened.body.get("grants_revoked", [])]
    if reservation := opened.body.get("reservation"):
        done.append({"deed": "opt_out_recorded", "reservation": reservation})
    return done


def opened_event_of(case: Case) -> LedgerEvent | None:
    return next((event for event in events_of(case) if event.kind == "generation.case.opened"), None)


def events_of(case: Case) -> list[LedgerEvent]:
    return list(
        LedgerEvent.objects.filter(subject_kind="case", subject_id=case.public_id).order_by("sequence")
    )
