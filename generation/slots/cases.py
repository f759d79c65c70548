"""What cases put on other pages: the queues of officer and steward, a label's own, and what binds a model."""

from collections.abc import Mapping, Sequence
from datetime import date

from django.db.models import Count, Exists, OuterRef, Q
from django.urls import reverse
from django.utils import timezone

from generation import access, queries
from generation.models import Case, CaseDecision, CaseKind, CaseState, ModelVersion, Remedy
from governance import access as house
from governance import slots
from governance.models import Role, User
from governance.queues import QUEUE, Line, queue
from provenance.models import Recording

SHOWN = 4
SOON_DAYS = 7

slots.subject_page("case", "generation:case")


@slots.home_slot(Role.COMPLIANCE_OFFICER, template=QUEUE, order=5)
def cases_waiting(user: User) -> Mapping[str, object] | None:
    """What presses, the overdue first; nothing at all where nobody has asked anything."""
    waiting = _waiting(user)
    lapsed = _lapsed(user)
    if not waiting and not lapsed:
        return None
    today = timezone.now().date()
    overdue = [case for case in waiting if case.is_overdue(today)]
    soon = [case for case in waiting if 0 <= queries.days_left(case, today) <= SOON_DAYS]
    rest = [case for case in waiting if queries.days_left(case, today) > SOON_DAYS]
    lines = [
        _line(overdue, "case is overdue", "cases are overdue", today),
        _line(lapsed, "negotiation has run out", "negotiations have run out", today),
        _line(soon, f"case is due within {SOON_DAYS} days", f"cases are due within {SOON_DAYS} days", today),
        _line(rest, "case of a rights holder waits", "cases of rights holders wait", today),
    ]
    return queue("cases", "Rights holders who wait", [line for line in lines if line])


@slots.home_slot(Role.DATA_STEWARD, template=QUEUE, order=15)
def cases_to_take_in(user: User) -> Mapping[str, object] | None:
    filed = [case for case in _waiting(user) if case.state == CaseState.FILED]
    if not filed:
        return None
    today = timezone.now().date()
    line = _line(filed, "case to be taken in", "cases to be taken in", today)
    return queue("cases-filed", "Rights holders who wait", [line] if line else [])


@slots.home_slot(Role.LABEL_AUDITOR, template="generation/slots/own_cases.html", order=20)
def own_cases(user: User) -> Mapping[str, object]:
    cases = access.cases_for_reading(user).filter(filed_by=user).order_by("-filed_at")
    return {"cases": list(cases[:SHOWN]), "today": timezone.now().date()}


@slots.fill("model_version", template="generation/slots/cases_of.html", order=5)
def cases_of_model(user: User, version: ModelVersion) -> Mapping[str, object] | None:
    """The cases that reach a model, with what was decided about it; a label sees those that are its own."""
    inside = Case.objects.filter(
        pk=OuterRef("pk"), subjects__recording__version_entries__version=version.dataset_version_id or 0
    )
    cases = list(
        access.cases_for_reading(user)
        .filter(Exists(inside), state__in=queries.BINDING_STATES)
        .annotate(n_recordings=Count("subjects"))
        .order_by("-filed_at")
    )
    if not cases:
        return None
    decided = CaseDecision.objects.filter(case__in=cases, model_version=version).order_by("id")
    newest = {decision.case_id: decision for decision in decided}
    return {"cases": [(case, newest.get(case.pk)) for case in cases]}


@slots.fill("recording", template="generation/slots/cases_of.html", order=5)
def cases_of_recording(user: User, recording: Recording) -> Mapping[str, object] | None:
    cases = access.cases_for_reading(user).filter(subjects__recording=recording).order_by("-filed_at")
    found = [(case, None) for case in cases]
    return {"cases": found} if found else None


def _waiting(user: User) -> list[Case]:
    triages = _places(user)
    open_cases = Q(state__in=[CaseState.FILED, CaseState.OPEN], organisation__in=triages)
    return list(access.cases_for_reading(user).filter(open_cases).order_by("due_on", "id"))


def _lapsed(user: User) -> list[Case]:
    """Return answered cases whose negotiation has run out with nothing decided since."""
    newer = CaseDecision.objects.filter(
        case=OuterRef("case"), model_version=OuterRef("model_version"), pk__gt=OuterRef("pk")
    )
    lapsed = CaseDecision.objects.filter(
        ~Exists(newer), remedy=Remedy.NEGOTIATE, until__lt=timezone.now().date(), case=OuterRef("pk")
    )
    cases = access.cases_for_reading(user).filter(Exists(lapsed), organisation__in=_places(user))
    return list(cases.order_by("due_on", "id"))


def _places(user: User) -> list[int]:
    return [one.pk for one in house.organisations_of(user) if house.may(user, one, access.READS_HOLDERS)]


def _line(cases: Sequence[Case], one: str, many: str, today: date) -> Line | None:
    if not cases:
        return None
    shown = "; ".join(_said(case, today) for case in cases[:SHOWN])
    more = f" and {len(cases) - SHOWN} more" if len(cases) > SHOWN else ""
    url = (
        reverse("generation:case", args=[cases[0].public_id])
        if len(cases) == 1
        else reverse("generation:case-list")
    )
    return Line(
        len(cases), one if len(cases) == 1 else many, url, f"{shown}{more}.", min(c.filed_at for c in cases)
    )


def _said(case: Case, today: date) -> str:
    left = queries.days_left(case, today)
    due = f"{-left} days over" if left < 0 else "due today" if left == 0 else f"due {case.due_on:%-d %B}"
    return f"{case.reference}, {CaseKind(case.kind).label.lower()}, {due}"
