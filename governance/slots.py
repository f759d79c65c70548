"""Named places on lower pages that upper apps fill at start-up.

A page may show facts of apps above its own (the models trained on a dataset, an engineer's latest outputs) without
knowing those apps: each registers a template and the function that finds its context, from ``AppConfig.ready``::

    @slots.home_slot(Role.ML_ENGINEER, template="generation/slots/latest_outputs.html", order=20)
    def latest_outputs(user: User) -> Mapping[str, object] | None: ...

    @slots.fill("recording", template="generation/slots/outputs_like_it.html", order=10)
    def outputs_like_it(user: User, recording: Recording) -> Mapping[str, object] | None: ...

None means that there is nothing to show; the slot's own template writes its empty state where silence would mislead.
The function sees only what ``user`` may see: a slot is as access-checked as a page.

Two more things are known only above. Where a subject has its page, for links from reviews, jobs and the ledger::

    slots.subject_page("model_version", "generation:model-version")  # a URL name that takes the public id

And who carries out the answer to a review's question (a question without a decider can't be decided on a page)::

    slots.decider(Question.MODEL_RELEASE, decide_model, (Decision.APPROVED, Decision.REJECTED, Decision.SUSPENDED))
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse
from django.utils.safestring import SafeString

from governance.models import Decision, Review, User

Context = Mapping[str, object] | None
ForUser = Callable[[User], Context]
ForSubject = Callable[[User, Any], Context]


@dataclass(frozen=True)
class Slot:
    template: str
    order: int
    find: ForSubject


Decide = Callable[
    ..., Review
]  # takes review, decision, reason, by, now; and conditions where some can be accepted


def no_conditions(review: Review) -> Sequence[tuple[str, str]]:
    return ()


@dataclass(frozen=True)
class Decider:
    decide: Decide
    decisions: tuple[Decision, ...]
    conditions: Callable[[Review], Sequence[tuple[str, str]]]  # (id, sentence) of those that can be accepted


_slots: dict[str, dict[str, Slot]] = {}
_subject_pages: dict[str, str] = {}
_deciders: dict[str, Decider] = {}


def fill(place: str, *, template: str, order: int = 100) -> Callable[[ForSubject], ForSubject]:
    """Register a function ``(user, subject) -> context`` for a place; lower ``order`` comes first.

    Places here and in provenance: dataset, version, recording, grant, review, job. Upper apps have their own.
    """
    return _register(place, template, order)


def home_slot(role: str, *, template: str, order: int = 100) -> Callable[[ForUser], ForUser]:
    """Register a function ``user -> context`` for the home page of whoever holds ``role``."""

    def register(find: ForUser) -> ForUser:
        _register(f"home:{role}", template, order)(lambda user, _: find(user))
        return find

    return register


def _register(place: str, template: str, order: int) -> Callable[[ForSubject], ForSubject]:
    def register(find: ForSubject) -> ForSubject:
        _slots.setdefault(place, {})[template] = Slot(template, order, find)
        return find

    return register


def shown(place: str, request: HttpRequest, subject: object = None) -> list[SafeString]:
    """Render what the slots of ``place`` have to say to the person who asks, in order."""
    if not isinstance(request.user, User):
        return []
    pieces = []
    for slot in sorted(_slots.get(place, {}).values(), key=lambda slot: (slot.order, slot.template)):
        context = slot.find(request.user, subject)
        if context is not None:
            pieces.append(render_to_string(slot.template, dict(context), request=request))
    return pieces


def shown_at_home(roles: list[str], request: HttpRequest) -> list[SafeString]:
    """Render the home slots of each role in turn; a slot that two roles share is shown once."""
    pieces: dict[SafeString, None] = {}
    for role in roles:
        pieces.update(dict.fromkeys(shown(f"home:{role}", request)))
    return list(pieces)


def subject_page(kind: str, url_name: str) -> None:
    _subject_pages[kind] = url_name


def url_of(kind: str, public_id: UUID | str | None) -> str:
    """Return where a subject of this kind has its page; empty where it has none."""
    if kind not in _subject_pages or public_id is None:
        return ""
    try:
        return reverse(_subject_pages[kind], args=[public_id])
    except NoReverseMatch:
        return ""


def decider(
    question: str,
    decide: Decide,
    decisions: Sequence[Decision],
    *,
    conditions: Callable[[Review], Sequence[tuple[str, str]]] = no_conditions,
) -> None:
    _deciders[str(question)] = Decider(decide, tuple(decisions), conditions)


def decider_of(review: Review) -> Decider | None:
    return _deciders.get(review.question)
