"""How much of what went in comes out again, as far as the checks of a model's outputs show."""

from collections.abc import Sequence
from typing import Any

from audit import queries
from audit.campaigns.again import make_again
from audit.errors import NothingToJudgeError
from audit.metrics.intervals import more_than_control, wilson
from audit.queries import Control
from generation.models import Check, Generation, GenerationState, Match, ModelVersion
from provenance.models import IndexBuild

METHOD = "verdicts of the newest check of each output"
METHOD_VERSION = "1"
N_WORST = 12
SETTINGS = {"method": METHOD, "method_version": METHOD_VERSION, "worst_shown": N_WORST}


def measure(version: ModelVersion, *, made_again: int = 0) -> dict[str, Any]:
    """Count what the checks found; every figure names the rows that it was counted from.

    Raises
    ------
    NothingToJudgeError
        If no output of the model was ever checked.
    """
    checks = queries.own_checks(version)
    if not checks:
        raise NothingToJudgeError(
            f"No output of {version} has been checked: generate some first (generate {version} --n 20 --out DIR)."
        )
    flagged = [check for check in checks if check.verdict in queries.FLAGGED]
    matches = queries.accepted_matches_of(checks)
    confirmed = {match.check_made_id for match in matches if match.details.get("confirmed") is True}
    tried = {match.check_made_id for match in matches if "confirmed" in match.details}
    control = queries.control_of(version)
    index = queries.training_index_of(version, checks)
    return {
        "outputs": {
            "n": len(checks),
            "verdicts": queries.count_verdicts(checks).as_json(),
            "released": _n_released(checks),
            "released_flagged": _n_released(flagged),
            "checks": [str(check.public_id) for check in checks],
            "covers_all": all(check.covers_all for check in checks),
            "calibrated": all(bool(check.policy.get("calibrated")) for check in checks),
        },
        "flagged": {
            **wilson(len(flagged), len(checks)).as_json(),
            "checks": [str(check.public_id) for check in flagged],
        },
        "confirmed": {
            **wilson(sum(check.pk in confirmed for check in flagged), len(flagged)).as_json(),
            "method": "correlation of the samples or spectra of the matched stretches",
            "tried": sum(check.pk in tried for check in flagged),
            "checks": [str(check.public_id) for check in flagged if check.pk in confirmed],
        },
        "control": _control_figures(control, len(flagged), len(checks)),
        "not_flagged": len(checks) - len(flagged),
        "worst": [_worst(match) for match in matches[:N_WORST]],
        "index": _index_figures(index),
        "policy": checks[-1].policy,
        **({"made_again": make_again(version, n=made_again)} if made_again else {}),
    }


def _n_released(checks: Sequence[Check]) -> int:
    outputs = [check.generation_id for check in checks if check.generation_id is not None]
    return Generation.objects.filter(pk__in=outputs, state=GenerationState.RELEASED).count()


def _control_figures(control: Control | None, n_flagged: int, n_outputs: int) -> dict[str, Any] | None:
    if control is None:
        return None
    counts = control.counts
    return {
        **wilson(counts.n_flagged, counts.n_outputs).as_json(),
        "model": str(control.version),
        "model_version": str(control.version.public_id),
        "trained_on": str(control.version.dataset_version),
        "verdicts": counts.as_json(),
        "checks": [str(check.public_id) for check in control.checks],
        "p_no_more_than_control": round(
            more_than_control(n_flagged, n_outputs, counts.n_flagged, counts.n_outputs), 6
        ),
        "p_method": "Fisher's exact test, one-sided",
    }


def _worst(match: Match) -> dict[str, Any]:
    generation = match.check_made.generation
    return {
        "check": str(match.check_made.public_id),
        "generation": str(generation.public_id) if generation else None,
        "recording": str(match.recording.public_id),
        "external_id": match.external_id,
        "title": match.title,
        "kind": match.kind,
        "verdict": match.check_made.verdict,
        "score": round(match.score, 6),
        "query_start_s": match.query_start_s,
        "query_end_s": match.query_end_s,
        "reference_start_s": match.reference_start_s,
        "reference_end_s": match.reference_end_s,
        "confirmed": match.details.get("confirmed"),
    }


def _index_figures(index: IndexBuild | None) -> dict[str, Any] | None:
    if index is None:
        return None
    return {
        "id": str(index.public_id),
        "kind": index.kind,
        "method": index.method,
        "method_version": index.method_version,
        "recordings": index.n_recordings,
        "expected": index.n_expected,
        "covers_all": index.covers_all,
    }
