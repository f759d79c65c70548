"""Reads about conflicts: which there are, and what clearing answers under each way of closing one."""

from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from uuid import UUID

from django.db.models import Count, QuerySet

from governance.keyset import Order
from governance.models import Organisation
from provenance.known import AnyOf, conflict_value, rights_of, said_of
from provenance.models import (
    Conflict,
    ConflictSide,
    ConflictStatus,
    DatasetEntry,
    LicenceStatement,
    Recording,
)
from provenance.models.datasets import FOLDED_KINDS, MIDDLING, WEIGHTS
from provenance.rights import values
from provenance.rights.clearance import clear
from provenance.rights.policy import ClearancePolicy

OPEN = ""
WEIGHTIEST = Order(("weight", "found_at"), descending=True)
DISMISSED = ConflictStatus.DISMISSED.value


@dataclass(frozen=True)
class Outcome:
    """What clearing answers for each recording of a conflict under one decision; ``OPEN`` is none."""

    decision: str
    answers: list[tuple[Recording, values.Answer]]


def counts_by_kind(conflicts: QuerySet[Conflict]) -> dict[str, int]:
    """Count each kind, the weightiest first."""
    found = conflicts.order_by().values_list("kind").annotate(n=Count("id"))
    return dict(sorted(found, key=lambda row: (-WEIGHTS.get(row[0], MIDDLING), -row[1], row[0])))


@dataclass(frozen=True)
class Folded:
    """How many findings of one weak kind there are, and in which datasets; one recording may lie in several."""

    kind: str
    n: int
    datasets: list[tuple[str, UUID, int]]  # name, public id, how many


def folded(conflicts: QuerySet[Conflict], *, dataset: str = "") -> list[Folded]:
    """Count what a list shows as one line, in two queries however many there are."""
    found = conflicts.filter(kind__in=FOLDED_KINDS).order_by()
    place = "recording_a__entries__dataset"
    rows = found.values_list("kind", f"{place}__name", f"{place}__public_id").annotate(
        n=Count("pk", distinct=True)
    )
    if dataset:
        rows = rows.filter(**{f"{place}__public_id": dataset})
    inside: dict[str, list[tuple[str, UUID, int]]] = {}
    for kind, name, public_id, n in rows:
        inside.setdefault(kind, []).append((name, public_id, n))
    counts = found.values_list("kind").annotate(n=Count("pk"))
    return [
        Folded(kind, n, sorted(inside.get(kind, []), key=lambda one: (-one[2], one[0]))) for kind, n in counts
    ]


def tables_of(conflict: Conflict) -> dict[tuple[int, str, str, str], str]:
    """Return, by recording, right, source and expression, the table row that a statement without evidence came from.

    Where one says, and no evidence: a table is the word of whoever wrote it. What a row was first registered from is on
    record; where its source said something else of it later, that came from a later registration.
    """
    sides = {conflict.recording_a_id, conflict.recording_b_id}
    said = LicenceStatement.objects.filter(entry__recording__in=sides, evidence="")
    places: dict[tuple[int, str, str, str], list[str]] = {}
    earlier: set[tuple[int, str, str]] = set()
    for one in said.select_related("entry__registration", "entry__dataset").order_by("id"):
        entry = one.entry
        place = f"{entry.registration.source_name}, row {entry.row}"
        if (entry.pk, one.right, one.source) in earlier:
            place = f"a later registration than {place}"
        earlier.add((entry.pk, one.right, one.source))
        key = (entry.recording_id, one.right, one.source, one.expression)
        places.setdefault(key, []).append(f"{place} ({entry.dataset.name})")
    return {key: "; ".join(dict.fromkeys(found)) for key, found in places.items()}


def of_organisations(organisations: Sequence[Organisation]) -> QuerySet[Conflict]:
    return Conflict.objects.filter(organisation__in=organisations)


def outcomes_of(
    conflict: Conflict, decisions: Iterable[str], *, use: values.Use, policy: ClearancePolicy
) -> list[Outcome]:
    """Clear both recordings as if the conflict were open, and under each decision about it."""
    recordings = {one.pk: one for one in (conflict.recording_a, conflict.recording_b)}
    entries = DatasetEntry.objects.filter(AnyOf("recording_id", recordings)).order_by("id")
    known = [(entry.recording_id, rights) for entry, rights in rights_of(entries)]
    said = said_of([conflict])
    outcomes = []
    for decision in (OPEN, *decisions):
        settled = _as_if(conflict, decision, use)
        answers: dict[int, values.Answer] = {}
        for recording_id, rights in known:
            other = next((pk for pk in recordings if pk != recording_id), recording_id)
            closed = conflict_value(settled, said, other)
            conflicts = tuple(closed if one.id == closed.id else one for one in rights.conflicts)
            answer = clear(replace(rights, conflicts=conflicts), use, policy).answer
            answers[recording_id] = values.strictest(answers.get(recording_id, answer), answer)
        outcomes.append(
            Outcome(decision, [(recordings[pk], answers[pk]) for pk in recordings if pk in answers])
        )
    return outcomes


def _as_if(conflict: Conflict, decision: str, use: values.Use) -> Conflict:
    settled = copy(conflict)
    settled.in_favour_of = decision if decision in ConflictSide.values else ""
    settled.status = (
        ConflictStatus.OPEN
        if decision == OPEN
        else ConflictStatus.DISMISSED
        if decision == DISMISSED
        else ConflictStatus.RESOLVED
    )
    settled.resolved_at = None if decision == OPEN else use.at
    return settled
