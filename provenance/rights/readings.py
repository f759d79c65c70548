"""What a licence expression answers to a use, under a policy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, Literal

from provenance.rights.expressions import (
    Expression,
    Leaf,
    NotAnExpression,
    is_ported,
    licences_of,
    parse,
    takes_nothing_back,
)
from provenance.rights.policy import ClearancePolicy
from provenance.rights.terms import UNVERSIONED, LicenceTerms, Term, questions
from provenance.rights.values import RANK, Answer, Basis, Purpose, UnknownKind, strictest

NON_COMMERCIAL: Final = "non-commercial"
"""The condition that a commercial use can't meet, whichever axis asks for it."""
AXIS_WORDS: Final = {
    "commercial": "commercial use",
    "ai_generative_training": "training a generative model",
    "ai_nongenerative_training": "training a model that makes no music",
    "ai_inference": "prompting a model",
    "data_mining": "data mining",
    "output_commercial": "selling outputs",
    "redistribution": "passing it on",
}


@dataclass(frozen=True, slots=True)
class LicenceReading:
    """An answer with the clauses, the contested questions and the conditions that made it."""

    answer: Answer
    licence: str
    basis: Basis | None = None
    reasons: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    clauses: tuple[str, ...] = ()
    contested: tuple[str, ...] = ()
    unknown_because: UnknownKind | Literal[""] = ""


@lru_cache(maxsize=65536)
def read(expression: str, purpose: Purpose, commercial: bool, policy: ClearancePolicy) -> LicenceReading:
    """Read a licence expression for a use.

    Parameters
    ----------
    expression : str
        SPDX expression. ``OR`` takes the branch that answers best for this use, ``AND`` the strictest of
        all its
        parts with the conditions of all.
    purpose : Purpose
        What the recording is to be used for.
    commercial : bool
        Whether the use is commercial; ``output_commercial`` always is.
    policy : ClearancePolicy
        Which readings of contested questions hold.

    Returns
    -------
    LicenceReading
        ``unknown`` for what is no expression or is not in the catalogue.
    """
    try:
        tree = parse(expression)
    except NotAnExpression as error:
        return LicenceReading(
            "unknown", expression, reasons=(str(error),), unknown_because="not_in_catalogue"
        )
    return _read(tree, purpose, commercial or purpose == "output_commercial", policy)


def _read(tree: Expression, purpose: Purpose, commercial: bool, policy: ClearancePolicy) -> LicenceReading:
    if isinstance(tree, Leaf):
        return _read_leaf(tree, purpose, commercial, policy)
    parts = [_read(arg, purpose, commercial, policy) for arg in tree.args]
    return _best(parts) if tree.operator == "OR" else _all_of(parts)


def _read_leaf(leaf: Leaf, purpose: Purpose, commercial: bool, policy: ClearancePolicy) -> LicenceReading:
    licences = licences_of(leaf)
    if not licences:
        missing = f"{leaf} is not in the licence catalogue"
        return LicenceReading("unknown", str(leaf), reasons=(missing,), unknown_because="not_in_catalogue")
    if not takes_nothing_back(leaf):
        unread = f"nobody here knows what {leaf.exception} changes in {leaf.key}"
        return LicenceReading("unknown", str(leaf), reasons=(unread,), unknown_because="not_in_catalogue")
    readings = [_read_licence(licence, purpose, commercial, policy) for licence in licences]
    if leaf.key.startswith(UNVERSIONED):
        reading = min(readings, key=_goodness)
        name = leaf.key.removeprefix(UNVERSIONED)
        reading = replace(reading, reasons=(f"{name} is named without its version", *reading.reasons))
    else:
        reading = _best(readings)
    if is_ported(leaf):
        note = f"{leaf.key} is read as {licences[0].id}; the wording of ported versions differs"
        reading = replace(reading, reasons=(*reading.reasons, note))
    return replace(reading, licence=str(leaf))


def _read_licence(
    licence: LicenceTerms, purpose: Purpose, commercial: bool, policy: ClearancePolicy
) -> LicenceReading:
    term = read_axis(licence, purpose, policy)
    if not commercial:
        return term
    if NON_COMMERCIAL in term.conditions:
        says = f"{licence.id} asks for a non-commercial use here, and this one is commercial"
        term = replace(term, answer="not_allowed", conditions=(), reasons=(*term.reasons, says))
    return _all_of([term, read_axis(licence, "commercial", policy)])


def read_axis(licence: LicenceTerms, axis: str, policy: ClearancePolicy) -> LicenceReading:
    """Read one licence on one axis.

    An override decides before a reading of a contested question does; what the policy says of a condition
    is weighed last, so that a condition it refuses is refused wherever it comes from.

    Parameters
    ----------
    licence : LicenceTerms
        From the catalogue.
    axis : str
        One of `terms.AXES`.
    policy : ClearancePolicy
        Which readings hold.
    """
    term = licence.terms[axis]
    override = policy.override_for(licence.id, axis)
    says: tuple[str, ...] = ()
    if override is not None:
        says = (override.reason or "the organisation's own reading",)
        term = Term(override.value, term.clause, override.conditions)
    elif term.questions:
        term, says = _answer_questions(licence, term, policy)
    if not policy.condition_readings:
        return _reading(licence, term, axis, says)
    term, more = _weigh_conditions(term, policy)
    return _reading(licence, term, axis, (*says, *more))


def _answer_questions(
    licence: LicenceTerms, term: Term, policy: ClearancePolicy
) -> tuple[Term, tuple[str, ...]]:
    """Answer each contested question as the policy does; of readings that set an answer the strictest holds."""
    names = [(question, policy.reading_of(question)) for question in term.questions]
    readings = [questions()[question].readings[name] for question, name in names]
    without = {condition for reading in readings for condition in reading.without}
    added = [condition for reading in readings for condition in reading.added]
    values = [reading.value for reading in readings if reading.value is not None]
    value = strictest(*values) if values else term.value
    if term.value == "not_allowed" and value == "constrained" and not licence.allows_commerce:
        added.append(NON_COMMERCIAL)
    kept = [condition for condition in (*term.conditions, *added) if condition not in without]
    says = tuple(
        f"{question}, {name} reading: {reading.says}"
        for (question, name), reading in zip(names, readings, strict=True)
    )
    return _with_conditions(term, value, tuple(dict.fromkeys(kept))), says


def _with_conditions(term: Term, value: Answer, asked: tuple[str, ...]) -> Term:
    if value == "constrained" and not asked:
        value = "allowed"
    return Term(value, term.clause, asked if value == "constrained" else (), term.questions)


def _weigh_conditions(term: Term, policy: ClearancePolicy) -> tuple[Term, tuple[str, ...]]:
    """Refuse what asks for a refused condition; leave out those read as not owed, where that is contested."""
    refused = [one for one in term.conditions if policy.reading_of_condition(one) == "refused"]
    if refused:
        says = f"policy {policy.name} refuses the condition {', '.join(refused)}"
        return Term("not_allowed", term.clause, (), term.questions), (says,)
    dropped = [one for one in term.conditions if policy.reading_of_condition(one) == "not_owed"]
    if not dropped or not term.questions:
        return term, ()
    kept = tuple(one for one in term.conditions if one not in dropped)
    says = f"policy {policy.name} reads {', '.join(dropped)} as not owed"
    return _with_conditions(term, term.value, kept), (says,)


def _reading(licence: LicenceTerms, term: Term, axis: str, says: tuple[str, ...]) -> LicenceReading:
    verb = {
        "allowed": "allows it",
        "constrained": "allows it under conditions",
        "not_allowed": "does not allow it",
        "unknown": "does not settle it",
    }[term.value]
    basis: Basis | None = None if licence.licence_class == "unstated" else "licence"
    if licence.licence_class == "public_domain" and term.value in ("allowed", "constrained"):
        basis = "public_domain"
    reason = (
        f"{licence.spdx[0] if len(licence.spdx) == 1 else licence.id} {verb} ({AXIS_WORDS.get(axis, axis)})"
    )
    return LicenceReading(
        term.value,
        licence.id,
        basis=basis,
        reasons=(reason, *says),
        conditions=tuple(sorted(term.conditions)),
        clauses=(f"{licence.id}: {term.clause}",),
        contested=term.questions,
        unknown_because=_why_unknown(licence, term, axis),
    )


def _why_unknown(licence: LicenceTerms, term: Term, axis: str) -> UnknownKind | Literal[""]:
    if term.value != "unknown":
        return ""
    if licence.licence_class == "unstated":
        return "nothing_stated"
    return "terms_silent" if licence.terms[axis].value == "unknown" else "policy_leaves_open"


def _goodness(reading: LicenceReading) -> tuple[int, int]:
    return RANK[reading.answer], -len(reading.conditions)


def _best(readings: list[LicenceReading]) -> LicenceReading:
    """Take the best branch; of equals the one with fewer conditions, then the first."""
    return max(readings, key=_goodness)


def _all_of(readings: list[LicenceReading]) -> LicenceReading:
    """Join parts that hold together: the strictest answer, the conditions and clauses of all that matter."""
    answer = strictest(*(reading.answer for reading in readings))
    deciding = [reading for reading in readings if reading.answer == answer]
    asked = readings if answer == "constrained" else []
    shown = readings if answer in ("allowed", "constrained") else deciding
    bases = {reading.basis for reading in shown}
    return LicenceReading(
        answer,
        " AND ".join(dict.fromkeys(reading.licence for reading in readings)),
        basis="licence" if "licence" in bases else next(iter(bases)),
        reasons=_joined(reading.reasons for reading in shown),
        conditions=tuple(sorted({condition for reading in asked for condition in reading.conditions})),
        clauses=_joined(reading.clauses for reading in shown),
        contested=_joined(reading.contested for reading in shown),
        unknown_because=deciding[0].unknown_because,
    )


def _joined(parts: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for part in parts for text in part))
