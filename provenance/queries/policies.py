"""Reads of clearance policies: which held when, what is proposed, and each choice beside the shipped ones."""

import difflib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet, Subquery

from governance import access
from governance.access import Person
from governance.errors import NotFoundError
from governance.models import Decision, Organisation, Policy, PolicyAdoption, Question, Review
from provenance.errors import ProvenanceError
from provenance.queries.datasets import policy_of, policy_value
from provenance.rights.changes import ReadingChange
from provenance.rights.policy import (
    DEFAULT,
    MAX_BYTES,
    STRICT,
    WEAK_EVIDENCE,
    ClearancePolicy,
    contested_conditions,
)
from provenance.rights.readings import LicenceReading, read_axis
from provenance.rights.terms import AXES, LicenceTerms, Term, conditions, questions

STATED = "as the licence states it"
CONDITION_WORDS = {
    "as_stated": STATED,
    "not_owed": "not owed where that is contested",
    "refused": "refused: what asks for it is not allowed",
}
RESERVATION_WORDS = {True: "closes what a licence allows", False: "is noted, and closes nothing"}


def organisation_named(name: str, user: Person) -> Organisation:
    """Return the organisation of that name that a person may look into.

    Raises
    ------
    NotFoundError
        If there is none; names the nearest.
    """
    own = {organisation.name: organisation for organisation in access.organisations_of(user)}
    if name in own:
        return own[name]
    near = difflib.get_close_matches(name, own, n=1, cutoff=0.5)
    there_are = f", did you mean {near[0]!r}?" if near else f"; there are {', '.join(own) or 'none'}."
    raise NotFoundError(f"You are in no organisation {name!r}{there_are}")


def policies_for_reading(user: Person) -> QuerySet[Policy]:
    """Return the policies a person may see, newest first, each with what its state is told by."""
    adoptions = PolicyAdoption.objects.filter(organisation=OuterRef("organisation"))
    reviews = Review.objects.filter(question=Question.POLICY_ADOPTION, subject_id=OuterRef("public_id"))
    return (
        Policy.objects.filter(organisation__in=access.organisations_of(user))
        .select_related("organisation", "created_by")
        .annotate(
            adopted_at=Subquery(
                adoptions.filter(policy=OuterRef("pk")).order_by("-in_force_from").values("in_force_from")[:1]
            ),
            decision=Subquery(reviews.order_by("-asked_at", "-id").values("decision")[:1]),
        )
        .annotate(followed=Exists(adoptions.filter(in_force_from__gt=OuterRef("adopted_at"))))
        .order_by("-created_at", "-id")
    )


STATES = {
    "in_force": ("approved", "In force"),
    "proposed": ("pending", "Proposed"),
    "superseded": ("draft", "Superseded"),
    "rejected": ("rejected", "Rejected"),
}


def state_of(policy: Any) -> str:
    """Return ``in_force``, ``proposed``, ``superseded`` or ``rejected`` of a policy read by `policies_for_reading`."""
    if policy.adopted_at is not None and not policy.followed:
        return "in_force"
    if policy.decision == Decision.PENDING:
        return "proposed"
    return "superseded" if policy.adopted_at is not None else "rejected"


def policy_for_reading(user: Person, public_id: UUID | str) -> Policy:
    found = policies_for_reading(user).filter(public_id=public_id).first()
    if found is None:
        raise NotFoundError("There is no such policy.")
    return found


def reviews_of(policy: Policy) -> QuerySet[Review]:
    """Return the questions about one policy, newest first."""
    return Review.objects.filter(
        question=Question.POLICY_ADOPTION, subject_id=policy.public_id
    ).select_related("asked_by", "decided_by", "organisation")


def proposals_open(organisation: Organisation) -> QuerySet[Review]:
    return Review.objects.filter(
        question=Question.POLICY_ADOPTION, organisation=organisation, decision=Decision.PENDING
    ).select_related("asked_by")


def proposal_named(name: str, user: Person) -> Review:
    """Return the open question about ``NAME`` or ``NAME@VERSION``.

    Raises
    ------
    NotFoundError
        If there is none, or more than one; says which there are.
    """
    waiting = Review.objects.filter(
        question=Question.POLICY_ADOPTION,
        decision=Decision.PENDING,
        organisation__in=access.organisations_of(user),
    ).select_related("organisation", "asked_by")
    found = [one for one in waiting if name in (one.subject_name, one.subject_name.partition("@")[0])]
    if len(found) == 1:
        return found[0]
    known = ", ".join(sorted(one.subject_name for one in waiting)) or "none"
    raise NotFoundError(f"No one proposal is called {name!r}; waiting are: {known}.")


def read_file(path: Path) -> tuple[str, str]:
    """Return a policy file's text and its name, for messages."""
    try:
        with path.open("rb") as opened:
            return opened.read(MAX_BYTES + 1).decode("utf-8-sig"), path.name
    except OSError as error:
        raise ProvenanceError(f"{path} can't be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ProvenanceError(f"{path.name} is not UTF-8: byte {error.start} can't be read.") from error


@dataclass(frozen=True)
class Held:
    """One policy in the order in which they held; ``until`` is None for the one that holds."""

    adoption: PolicyAdoption
    until: datetime | None


def history(organisation: Organisation) -> list[Held]:
    """Return what was adopted, newest first."""
    adoptions = organisation.adoptions.select_related("policy", "review__asked_by", "review__decided_by")
    held: list[Held] = []
    until = None
    for adoption in adoptions.order_by("-in_force_from", "-id"):
        held.append(Held(adoption, until))
        until = adoption.in_force_from
    return held


def replaced_by(policy: Policy) -> ClearancePolicy:
    """Return what held when a policy was proposed last: what it is compared with."""
    review = reviews_of(policy).first()
    adoption = getattr(review, "adoption", None) if review else None
    at = adoption.in_force_from if adoption else review.asked_at if review else policy.created_at
    earlier = policy.organisation.adoptions.filter(in_force_from__lt=at).select_related("policy")
    last = earlier.order_by("-in_force_from", "-id").first()
    if last is not None:
        return policy_value(last.policy)
    return policy_of(policy.organisation, policy.organisation.clearance_policy)


@dataclass(frozen=True)
class Choice:
    """One thing a policy decides, in words, beside what the shipped policies decide and what held before."""

    id: str
    asks: str
    ours: str
    ours_says: str
    default: str
    default_says: str
    strict: str
    strict_says: str
    before: str = ""

    @property
    def is_own(self) -> bool:
        """Whether it differs from the shipped default."""
        return self.ours != self.default

    @property
    def changed(self) -> bool:
        return bool(self.before) and self.before != self.ours


def choices(policy: ClearancePolicy, before: ClearancePolicy | None = None) -> list[Choice]:
    """Return every contested question and setting; conditions only where somebody reads one otherwise."""
    return [
        *_question_choices(policy, before),
        *_condition_choices(policy, before),
        _setting(
            "weak_evidence",
            "What is evidence worth that speaks of a whole package, and not of this file?",
            [one.weak_evidence for one in (policy, DEFAULT, STRICT)],
            {
                "allowed": "as much as any other",
                **{answer: f"at best {answer.replace('_', ' ')}" for answer in WEAKER},
            },
            before.weak_evidence if before else None,
        ),
        _setting(
            "reservations_bind_licences",
            "What does a rights holder's opt-out do to an open licence?",
            [one.reservations_bind_licences for one in (policy, DEFAULT, STRICT)],
            RESERVATION_WORDS,
            before.reservations_bind_licences if before else None,
        ),
    ]


WEAKER = ("constrained", "unknown", "not_allowed")


def _question_choices(policy: ClearancePolicy, before: ClearancePolicy | None) -> list[Choice]:
    found = []
    for question in questions().values():
        read = [one.reading_of(question.id) for one in (policy, DEFAULT, STRICT)]
        ours, default, strict = ((name, question.readings[name].says) for name in read)
        old = before.reading_of(question.id) if before else ""
        found.append(Choice(question.id, question.asks, *ours, *default, *strict, old))
    return found


def _condition_choices(policy: ClearancePolicy, before: ClearancePolicy | None) -> list[Choice]:
    named = {*dict(policy.condition_readings), *(dict(before.condition_readings) if before else ())}
    found = []
    for condition, sentence in conditions().items():
        if condition not in named:
            continue
        read = policy.reading_of_condition(condition)
        old = before.reading_of_condition(condition) if before else ""
        found.append(
            Choice(
                condition,
                f"The condition {condition}: {sentence}",
                read,
                CONDITION_WORDS[read],
                "as_stated",
                STATED,
                "as_stated",
                STATED,
                old,
            )
        )
    return found


def _setting(id: str, asks: str, values: Sequence[Any], words: Mapping[Any, str], before: Any) -> Choice:
    ours, default, strict = ((str(value).lower(), words[value]) for value in values)
    return Choice(id, asks, *ours, *default, *strict, before="" if before is None else str(before).lower())


@dataclass(frozen=True)
class AxisReading:
    """What a licence says on one axis, and what the organisation reads where that is something else."""

    axis: str
    term: Term
    ours: LicenceReading
    kept: tuple[str, ...]

    @property
    def differs(self) -> bool:
        return self.ours.answer != self.term.value or set(self.kept) != set(self.term.conditions)

    @property
    def why(self) -> str:
        """The reasons beyond the licence's own words."""
        return "; ".join(self.ours.reasons[1:])


def axis_readings(licence: LicenceTerms, policy: ClearancePolicy) -> list[AxisReading]:
    """Return every axis of a licence under a policy."""
    found = []
    for axis in AXES:
        ours = read_axis(licence, axis, policy)
        found.append(AxisReading(axis, licence.terms[axis], ours, ours.conditions))
    return found


@dataclass(frozen=True)
class GroupedChange:
    """Licences that change in the same way on the same axes."""

    licences: tuple[str, ...]
    axes: tuple[str, ...]
    before: LicenceReading
    after: LicenceReading
    direction: str


def grouped(changes: Iterable[ReadingChange]) -> list[GroupedChange]:
    """Return changes of readings gathered by what they change to; what gets looser comes first."""
    ways: dict[Any, dict[str, ReadingChange]] = defaultdict(dict)
    for change in changes:
        old, new = change.before, change.after
        way = (change.licence, old.answer, old.conditions, new.answer, new.conditions, change.direction)
        ways[way][change.axis] = change
    alike: dict[Any, list[ReadingChange]] = defaultdict(list)
    for (_, *way), by_axis in ways.items():
        alike[(*way, tuple(by_axis))].append(next(iter(by_axis.values())))
    found = [
        GroupedChange(
            tuple(change.licence for change in same),
            way[-1],
            same[0].before,
            same[0].after,
            same[0].direction,
        )
        for way, same in alike.items()
    ]
    return sorted(found, key=lambda one: (one.direction, one.after.answer, one.licences))


def condition_choices() -> dict[str, list[tuple[str, str]]]:
    """Return what may be chosen for each condition: only contested ones can be read as not owed."""
    contested = contested_conditions()
    return {
        condition: [
            (name, words)
            for name, words in CONDITION_WORDS.items()
            if name != "not_owed" or condition in contested
        ]
        for condition in conditions()
        if condition != WEAK_EVIDENCE  # which no licence makes
    }
