"""Whether a snapshot is whole: every member there and of its type, totals that agree, no answer without evidence."""

from __future__ import annotations

import math
import re
import types
from collections.abc import Mapping
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints, is_typeddict

from audit.reports.snapshot import (
    FORMAT,
    Assessment,
    Dataset,
    Outputs,
    Snapshot,
    SnapshotError,
    TrainingRun,
    count_conformance,
    count_coverage,
    n_flagged,
)


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
