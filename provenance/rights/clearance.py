"""May this recording be used for that? A pure function over values.

Answers run, strictest first: ``not_allowed``, ``unknown``, ``constrained``, ``allowed``. The strictest holds
across the two rights and across sources of evidence; a grant may allow what a licence does not; what nobody
states is ``unknown``, and unknown is not cleared.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Final, Literal, NamedTuple, TypeVar

from provenance.rights import territory
from provenance.rights.grants import by_grants, misses, only_out_of_term
from provenance.rights.periods import in_force, out_of_term
from provenance.rights.policy import DEFAULT, WEAK_EVIDENCE, ClearancePolicy
from provenance.rights.readings import LicenceReading, read
from provenance.rights.values import (
    ANSWERS,
    PARTS,
    RANK,
    Answer,
    Claim,
    Clearance,
    Conflict,
    ExceptionMemo,
    Grant,
    Purpose,
    RecordingRights,
    Reservation,
    Right,
    RightAnswer,
    Statement,
    UnknownKind,
    Use,
    strictest,
)

TRAINING: Final = frozenset({"ai_generative_training", "ai_nongenerative_training"})
MINING: Final = TRAINING | {"data_mining", "ai_inference"}
"""The purposes that a reservation without purposes speaks of."""

Fact = TypeVar("Fact", Statement, Claim, Grant, Reservation, ExceptionMemo)


def clear(recording: RecordingRights, use: Use, policy: ClearancePolicy = DEFAULT) -> Clearance:
    """Answer whether a recording may be used.

    Parameters
    ----------
    recording : RecordingRights
        Everything known about its rights.
    use : Use
        Purpose, commercial or not, territory, instant, model.
    policy : ClearancePolicy
        The organisation's readings of what is contested.

    Returns
    -------
    Clearance
        Both rights' answers; the recording's is the stricter.

    Raises
    ------
    UnknownTerritory
        If the use or anything known names a territory that nobody here knows.
    """
    master = clear_right(recording, "master", use, policy)
    composition = clear_right(recording, "composition", use, policy)
    return Clearance(master, composition, strictest(master.answer, composition.answer))


def clear_right(
    recording: RecordingRights, right: Right, use: Use, policy: ClearancePolicy = DEFAULT
) -> RightAnswer:
    """Answer whether one right of a recording may be used.

    The use's territory is split into parts that nothing known tells apart; each part is answered on its
    own and the strictest holds, so that grants for two countries together answer for both.

    Parameters
    ----------
    recording : RecordingRights
        As for `clear`.
    right : Right
        ``master`` or ``composition``.
    use, policy
        As for `clear`.

    Returns
    -------
    RightAnswer
        With basis, reasons, conditions and the clauses that decided.
    """
    if recording.protected and use.purpose in TRAINING:
        return RightAnswer(
            "not_allowed", reasons=("it is in a protected collection: checked against, never trained on",)
        )
    known = _about(recording, right, use.at)
    codes = _territories(known)
    places = _places(use.territory, frozenset(codes)) if codes else ("",)
    answers = [_answer(_at(known, place), right, use, policy) for place in places]
    if len(answers) == 1:
        return _said_elsewhere(answers[0], known, places[0])
    return _strictest_place(places, answers, known)


@lru_cache(maxsize=8192)
def _places(asked: str, codes: frozenset[tuple[str, ...]]) -> tuple[str, ...]:
    region = territory.countries((asked,))
    regions = [territory.countries(code) for code in codes]
    if all(region <= other for other in regions):
        return ("",)
    return tuple(territory.atoms(region, regions))


class _Known(NamedTuple):
    """What speaks of one right in one place; a named tuple is made faster than a frozen dataclass."""

    statements: list[Statement]
    claims: list[Claim]
    grants: list[Grant]
    reservations: list[Reservation]
    memos: list[ExceptionMemo]
    conflicts: tuple[Conflict, ...]
    """Those that are open at the instant asked about."""
    settled: tuple[str, ...]
    """What the closed ones set aside, in words."""
    parts: list[Claim]
    """Claims to declared parts of the right: the performance, the lyrics."""
    part_grants: list[Grant]
    recorded: list[Grant]
    """All grants of the right and its parts, for whichever place."""


def _about(recording: RecordingRights, right: Right, at: datetime) -> _Known:
    """Keep what speaks of one right; the other sides of open conflicts speak too."""
    statements = [said for said in recording.statements if said.right == right]
    is_open: tuple[Conflict, ...] = ()
    settled: tuple[str, ...] = ()
    if recording.conflicts:
        is_open = tuple(one for one in recording.conflicts if one.closed_at is None or at < one.closed_at)
        statements, settled = _as_settled(statements, right, recording.conflicts, at)
        for conflict in is_open:
            statements += [said for said in conflict.statements if said.right == right]
    parts = PARTS[right]
    grants = [grant for grant in recording.grants if grant.right == right]
    part_grants = [grant for grant in recording.grants if grant.right in parts]
    return _Known(
        statements,
        [claim for claim in recording.claims if claim.right == right],
        grants,
        [held for held in recording.reservations if held.right in (right, "both")],
        list(recording.memos),
        is_open,
        settled,
        [claim for claim in recording.claims if claim.right in parts],
        part_grants,
        grants + part_grants if part_grants else grants,
    )


def _as_settled(
    own: list[Statement], right: Right, conflicts: tuple[Conflict, ...], at: datetime
) -> tuple[list[Statement], tuple[str, ...]]:
    """Return what counts after the conflicts that are closed by then, the later decision over the earlier."""
    closed = [one for one in conflicts if one.closed_at is not None and one.closed_at <= at]
    upheld: dict[Statement, None] = {}
    aside: dict[Statement, Conflict] = {}
    for conflict in sorted(closed, key=lambda one: (one.closed_at or at, one.id)):
        for said in conflict.set_aside:
            upheld.pop(said, None)
            aside[said] = conflict
        for said in conflict.upheld:
            aside.pop(said, None)
            upheld[said] = None
    counting = [said for said in own if said not in aside]
    counting += [said for said in upheld if said.right == right and said not in counting]
    settled = tuple(
        f"conflict {aside[said].id} is closed: {said.expression or 'its statement'} is set aside"
        for said in own
        if said in aside
    )
    return counting, settled


def _territories(known: _Known) -> set[tuple[str, ...]]:
    codes = {said.territory for said in known.statements}
    for facts in (
        known.claims,
        known.grants,
        known.reservations,
        known.memos,
        known.parts,
        known.part_grants,
    ):
        if facts:
            codes.update([fact.territory for fact in facts])
    codes.discard(())
    return codes


def _at(known: _Known, place: str) -> _Known:
    if not place:
        return known
    return _Known(
        _in(known.statements, place),
        _in(known.claims, place),
        _in(known.grants, place),
        _in(known.reservations, place) if known.reservations else known.reservations,
        _in(known.memos, place) if known.memos else known.memos,
        known.conflicts,
        known.settled,
        _in(known.parts, place) if known.parts else known.parts,
        _in(known.part_grants, place) if known.part_grants else known.part_grants,
        known.recorded,
    )


def _in(facts: list[Fact], place: str) -> list[Fact]:
    """Keep what holds in a place; the list itself where nothing in it names a territory."""
    for fact in facts:
        if fact.territory:
            return [one for one in facts if not one.territory or place in territory.countries(one.territory)]
    return facts


def _covers(codes: tuple[str, ...], place: str) -> bool:
    return not codes or place in territory.countries(codes)


def _said_elsewhere(answer: RightAnswer, known: _Known, place: str) -> RightAnswer:
    """Add what is said for other places only, where nothing that is said here allows the use."""
    if not place or answer.answer in ("allowed", "constrained"):
        return answer
    reasons = [
        f"{said.expression} is stated for {', '.join(said.territory)}, not for {place}"
        for said in known.statements
        if said.expression and said.territory and not _covers(said.territory, place)
    ]
    reasons += [
        f"grant {grant.id} is for {', '.join(grant.territory)}, not for {place}"
        for grant in known.grants
        if grant.territory and not _covers(grant.territory, place)
    ]
    if not reasons:
        return answer
    because: UnknownKind | Literal[""] = (
        "other_territory" if answer.unknown_because == "nothing_stated" else ""
    )
    return _because(answer, tuple(dict.fromkeys(reasons)), because)


def _strictest_place(places: tuple[str, ...], answers: list[RightAnswer], known: _Known) -> RightAnswer:
    ranks = [RANK[answer.answer] for answer in answers]
    strictest_of_all = min(ranks)
    first = ranks.index(strictest_of_all)
    worst = _said_elsewhere(answers[first], known, places[first])
    asked: tuple[str, ...] = ()
    if worst.answer == "constrained":
        asked = tuple(sorted({condition for answer in answers for condition in answer.conditions}))
    return RightAnswer(
        worst.answer,
        worst.basis,
        worst.grant,
        worst.licence,
        (*_where_it_is_stricter(places[first], ranks), *worst.reasons),
        asked,
        worst.clauses,
        any(answer.weak for answer, rank in zip(answers, ranks, strict=True) if rank == strictest_of_all),
        worst.contested,
        tuple(dict.fromkeys([id for answer in answers for id in answer.grants])),
        worst.unknown_because,
    )


def _where_it_is_stricter(place: str, ranks: list[int]) -> tuple[str, ...]:
    if len(set(ranks)) == 1:
        return ()
    return (f"territories differ; the strictest is {place}",)


def _answer(known: _Known, right: Right, use: Use, policy: ClearancePolicy) -> RightAnswer:
    by_licence = _by_licence(known.statements, right, use, policy)
    reserved = [held for held in known.reservations if _is_reserved(held, use)] if known.reservations else []
    if reserved and policy.reservations_bind_licences and by_licence.answer != "not_allowed":
        by_licence = _closed_by(reserved[0], by_licence)
    if known.conflicts or known.settled:
        noted = tuple(f"open conflict {conflict.id}: the stricter side holds" for conflict in known.conflicts)
        by_licence = _because(by_licence, noted + known.settled)
    if not known.grants and not known.memos:
        return by_licence
    held = (known.claims, known.parts)
    by_grant = by_grants((known.grants, known.part_grants), held, known.recorded, right, use)
    by_memo = _by_memo(known.memos, use) if known.memos and not reserved else None
    missed = misses(known.grants, use)
    if known.memos and by_memo is None and by_licence.answer != "allowed":
        by_licence = _because(by_licence, _withdrawn(known.memos, use))
    why: UnknownKind = "grant_does_not_cover"
    if by_grant is not None and by_grant.answer == "unknown":
        missed += by_grant.reasons
        by_grant = None
        why = "share_not_granted"
    best = by_licence if by_grant is None or RANK[by_grant.answer] < RANK[by_licence.answer] else by_grant
    if by_memo is not None and RANK[by_memo.answer] > RANK[best.answer]:
        best = by_memo
    if best is by_licence and missed and best.answer != "allowed":
        if why == "share_not_granted":
            return _because(best, missed, why)
        if best.unknown_because == "nothing_stated":
            return _because(best, missed, "out_of_term" if only_out_of_term(known.grants, use) else why)
        return _because(best, missed)
    return best


class _Said(NamedTuple):
    """What of a statement decides: equal ones of thousands of recordings are weighed once."""

    expression: str
    weak: bool
    source: str
    evidence: str
    valid_from: date | None
    valid_until: date | None


def _by_licence(statements: list[Statement], right: Right, use: Use, policy: ClearancePolicy) -> RightAnswer:
    said = tuple(
        [
            _Said(
                one.expression,
                one.weak,
                one.source if one.weak else "",
                one.evidence if one.weak else "",
                one.valid_from,
                one.valid_until,
            )
            for one in statements
            if one.expression
        ]
    )
    return _weigh(said, right, use.purpose, use.commercial, use.on, policy)


@lru_cache(maxsize=65536)
def _weigh(
    statements: tuple[_Said, ...],
    right: Right,
    purpose: Purpose,
    commercial: bool,
    on: date,
    policy: ClearancePolicy,
) -> RightAnswer:
    """Let the strictest statement in force decide; all of them ask for their conditions."""
    weighed: list[tuple[int, bool, _Said, LicenceReading]] = []
    passed: list[str] = []
    for said in statements:
        if not in_force(said.valid_from, said.valid_until, on):
            passed.append(
                out_of_term(f"the {said.expression} statement", said.valid_from, said.valid_until, on)
            )
            continue
        reading = read(said.expression, purpose, commercial, policy)
        answer = strictest(reading.answer, policy.weak_evidence) if said.weak else reading.answer
        weighed.append((RANK[answer], said.weak, said, reading))
    if not weighed:
        nothing = (f"no source states a licence for the {right}",)
        return RightAnswer(
            "unknown",
            reasons=tuple(passed) or nothing,
            unknown_because="out_of_term" if passed else "nothing_stated",
        )
    rank, _, decisive, reading = min(weighed, key=lambda one: one[:2])
    asked = {condition for one in weighed for condition in one[3].conditions}
    if decisive.weak and policy.weak_evidence == "constrained":
        asked.add(WEAK_EVIDENCE)  # or an answer that asks for nothing would clear by itself
    return _from_reading(ANSWERS[rank], decisive, reading, asked, policy)


def _from_reading(
    answer: Answer, said: _Said, reading: LicenceReading, asked: set[str], policy: ClearancePolicy
) -> RightAnswer:
    reasons = reading.reasons
    if answer != reading.answer:
        reasons = (*reasons, f"weak evidence gives at best {policy.weak_evidence} under policy {policy.name}")
    if said.weak:
        reasons = (*reasons, f"weak evidence: {said.source.replace('_', ' ')} {said.evidence}".rstrip())
    return RightAnswer(
        answer,
        basis=reading.basis if answer != "unknown" else None,
        licence=reading.licence,
        reasons=reasons,
        conditions=tuple(sorted(asked)) if answer == "constrained" else (),
        clauses=reading.clauses,
        weak=said.weak,
        contested=reading.contested,
        unknown_because="" if answer != "unknown" else reading.unknown_because or "weak_evidence",
    )


def _because(
    answer: RightAnswer, reasons: tuple[str, ...], why: UnknownKind | Literal[""] = ""
) -> RightAnswer:
    """Add reasons, and why it is unknown. Spelled out, because `dataclasses.replace` was a tenth of the time."""
    return RightAnswer(
        answer.answer,
        answer.basis,
        answer.grant,
        answer.licence,
        answer.reasons + reasons,
        answer.conditions,
        answer.clauses,
        answer.weak,
        answer.contested,
        answer.grants,
        (why or answer.unknown_because) if answer.answer == "unknown" else "",
    )


def _by_memo(memos: list[ExceptionMemo], use: Use) -> RightAnswer | None:
    for memo in memos:
        if memo.withdrawn_at is None and _memo_covers(memo, use):
            reason = f"memo {memo.id} signed by {memo.signed_by}; lawful access: {memo.lawful_access}"
            return RightAnswer("allowed", basis="statutory_exception", reasons=(reason,), clauses=(memo.id,))
    return None


def _memo_covers(memo: ExceptionMemo, use: Use) -> bool:
    signed = bool(memo.signed_by.strip() and memo.lawful_access.strip())
    return signed and use.purpose in memo.purposes and in_force(memo.valid_from, memo.valid_until, use.on)


def _withdrawn(memos: list[ExceptionMemo], use: Use) -> tuple[str, ...]:
    """Say of each memo that would allow a use that it was withdrawn, and when."""
    return tuple(
        f"memo {memo.id} signed by {memo.signed_by} was withdrawn at {memo.withdrawn_at.astimezone(UTC).isoformat()}"
        for memo in memos
        if memo.withdrawn_at is not None and _memo_covers(memo, use)
    )


def _is_reserved(held: Reservation, use: Use) -> bool:
    if use.purpose not in (held.purposes or MINING):
        return False
    begun = held.declared_at is None or held.declared_at <= use.at
    return begun and (held.withdrawn_at is None or held.withdrawn_at > use.at)


def _closed_by(held: Reservation, answer: RightAnswer) -> RightAnswer:
    where = f" ({held.source})" if held.source else ""
    reason = f"reservation {held.id}{where} by the rights holder"
    return replace(
        answer,
        answer="not_allowed",
        basis=None,
        conditions=(),
        reasons=(reason, *answer.reasons),
        unknown_because="",
    )
