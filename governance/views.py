"""Pages of governance: everybody's first page, reviews, jobs, the ledger."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, connection
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from governance import access, ledger, services, slots
from governance.forms import DecisionForm, LedgerFilterForm, ReviewFilterForm
from governance.keyset import BySequence, Order, by, newest, slice_asked
from governance.models import Decision, Job, JobState, LedgerEvent, Member, Review, Role, User
from governance.pages import PersonRequest, page, refusals_in, say, show

LATEST_LINES = BySequence(("sequence",), descending=True, named_by=())
OVER = {JobState.DONE, JobState.FAILED, JobState.CANCELLED}


@page
@require_GET
def home(request: PersonRequest) -> HttpResponse:
    """Show each role its queue first; a person with several roles sees them in the order of the roles."""
    held = Member.objects.current(timezone.now()).filter(user=request.user).select_related("organisation")
    roles = {member.role for member in held}
    context = {
        "pieces": slots.shown_at_home([role for role in Role.values if role in roles], request),
        "memberships": list(held),
        "roles": _roles(list(held)),
        "nothing_yet": not held and not request.user.is_system,
    }
    return render(request, "home.html", context)


def _roles(held: Sequence[Member]) -> list[tuple[str, list[tuple[Member, str]]]]:
    """Return each role once, with where it is held; the place is empty where one organisation holds them all."""
    in_several = len({member.organisation_id for member in held}) > 1
    roles: dict[str, list[tuple[Member, str]]] = {}
    for member in held:
        place = member.organisation.name if in_several else ""
        roles.setdefault(member.get_role_display(), []).append((member, place))
    return list(roles.items())


@page
@require_GET
def review_list(request: PersonRequest) -> HttpResponse:
    form = ReviewFilterForm({"state": "pending", **request.GET.dict()})
    reviews = access.reviews_for_reading(request.user)
    order = newest("asked_at")
    if form.is_valid():
        reviews, order = _narrowed(reviews, form.cleaned_data)
    reviews = reviews.select_related("asked_by", "decided_by")
    context = {
        "form": form,
        "slice": slice_asked(request, reviews, order),
        "pieces": [] if request.htmx else slots.shown("review_list", request),
    }
    return show(request, "governance/review_list.html", context, partial="reviews")


def _narrowed(reviews: QuerySet[Review], asked: dict[str, Any]) -> tuple[QuerySet[Review], Order]:
    """Return the reviews asked for, and in which order: what waits longest comes first in the queue."""
    if asked["question"]:
        reviews = reviews.filter(question=asked["question"])
    if asked["state"] == "decided":
        return reviews.exclude(decision=Decision.PENDING), newest("decided_at")
    if asked["state"] == "all":
        return reviews, newest("asked_at")
    return reviews.filter(decision=Decision.PENDING), by("asked_at")


@page
@require_http_methods(["GET", "POST"])
def review(request: PersonRequest, public_id: str) -> HttpResponse:
    found = access.review_for_reading(request.user, public_id)
    form = _decision_form(request, found)
    if request.method == "POST" and form is None:
        raise PermissionDenied("This review is not yours to decide. Nothing was changed.")
    if form is not None and form.is_bound and form.is_valid():
        with refusals_in(form):
            _decide(found, form.cleaned_data, request.user, timezone.now())
            say(request, "The decision is recorded.")
            return redirect("governance:review", public_id)
    context = {
        "review": found,
        "form": form,
        "why_not": _why_not(request.user, found),
        "subject_url": slots.url_of(found.subject_kind, found.subject_id),
        "pieces": slots.shown("review", request, found),
    }
    status = 422 if form is not None and form.errors else 200
    return render(request, "governance/review.html", context, status=status)


def _decision_form(request: PersonRequest, review: Review) -> DecisionForm | None:
    """Return the form for whoever may decide now, else None."""
    decider = slots.decider_of(review)
    if decider is None or _why_not(request.user, review):
        return None
    return DecisionForm(
        request.POST if request.method == "POST" else None,
        decisions=decider.decisions,
        conditions=decider.conditions(review),
    )


def _why_not(user: User, review: Review) -> str:
    if review.decision != Decision.PENDING:
        return "It is decided."
    if not access.may(user, review.organisation, access.DECIDES):
        return "A compliance officer decides it."
    if review.asked_by_id == user.pk:
        return "You asked for this review: somebody else must decide it."
    if slots.decider_of(review) is None:
        return "No part of this installation carries out an answer to this question."
    return ""


def _decide(review: Review, answer: dict[str, Any], by: User, now: datetime) -> None:
    decider = slots.decider_of(review)
    if decider is None:
        raise PermissionDenied
    conditions = {"conditions": answer["conditions"]} if "conditions" in answer else {}
    decider.decide(
        review=review,
        decision=Decision(answer["decision"]),
        reason=answer["reason"],
        by=by,
        now=now,
        **conditions,
    )


@page
@require_GET
def job_list(request: PersonRequest) -> HttpResponse:
    jobs = access.jobs_for_reading(request.user)
    context = {"slice": slice_asked(request, jobs, newest("asked_at")), "now": timezone.now()}
    return show(request, "governance/job_list.html", context, partial="jobs")


@page
@require_GET
def job(request: PersonRequest, public_id: str) -> HttpResponse:
    """Show how far a job is; its progress asks for the partial every two seconds until the job is over."""
    found = access.job_for_reading(request.user, public_id)
    address = reverse("governance:job", args=[found.public_id])
    running = found.state not in OVER
    context = {
        "job": found,
        "doing": _doing(found),
        "percent": found.percent if found.n_total or not running else None,
        "left": time_left(found, timezone.now()),
        "poll_url": address if running else "",
        "stop_url": reverse("governance:job-stop", args=[found.public_id])
        if running and not found.stop_requested and may_stop(request.user, found)
        else "",
        "then_url": address,
        "failed": found.state in {JobState.FAILED, JobState.CANCELLED},
        "subject_url": slots.url_of(found.subject_kind, found.subject_id),
        "pieces": [] if running else slots.shown("job", request, found),
    }
    return show(request, "governance/job.html", context, partial="progress")


@page
@require_POST
def job_stop(request: PersonRequest, public_id: str) -> HttpResponse:
    found = access.job_for_reading(request.user, public_id)
    if not may_stop(request.user, found):
        raise PermissionDenied("Whoever asked for a job, or a compliance officer, may stop it.")
    services.stop_job(job=found, by=request.user, now=timezone.now())
    say(request, "The job stops at its next step; what it has kept so far stays.")
    return redirect("governance:job", public_id)


def may_stop(user: User, job: Job) -> bool:
    return job.asked_by_id == user.pk or access.may(user, job.organisation, access.DECIDES)


def _doing(job: Job) -> str:
    if job.state == JobState.QUEUED:
        return "Waiting for a worker"
    if job.stop_requested and job.state == JobState.RUNNING:
        return "Stopping at the next step"
    return job.message or job.get_state_display()


def time_left(job: Job, now: datetime) -> str:
    """Estimate by what is done so far; empty where nothing can be said."""
    if job.state != JobState.RUNNING or not job.started_at or not 0 < job.n_done < job.n_total:
        return ""
    spent_s = (now - job.started_at).total_seconds()
    left_s = spent_s / job.n_done * (job.n_total - job.n_done)
    if left_s < 60:
        return "less than a minute left"
    minutes = round(left_s / 60)
    return f"about {minutes} minute{'s' if minutes > 1 else ''} left"


@page
@require_GET
def ledger_page(request: PersonRequest) -> HttpResponse:
    events = access.events_for_reading(request.user)
    form = LedgerFilterForm(request.GET or None, events=events)
    if form.is_valid():
        asked = {"kind": form.cleaned_data["kind"], "subject_id": form.cleaned_data["subject"]}
        events = events.filter(**{name: value for name, value in asked.items() if value})
    found = slice_asked(request, events, LATEST_LINES)
    n_events, head = ledger.head()
    context = {
        "form": form,
        "slice": found,
        "lines": _with_names(found.rows),
        "n_events": n_events,
        "head": head,
    }
    return show(request, "governance/ledger.html", context, partial="events")


def _with_names(events: Sequence[LedgerEvent]) -> list[tuple[LedgerEvent, str]]:
    """Pair each line with who did it, in one query; the ledger itself holds no names."""
    known = User.objects.filter(public_id__in={event.actor_id for event in events})
    names = dict(known.values_list("public_id", "username"))
    return [(event, names.get(event.actor_id, "somebody erased")) for event in events]


@page
@require_GET
def ledger_verification(request: PersonRequest) -> HttpResponse:
    context = {"verified": ledger.verify(), "at": timezone.now()}
    return show(request, "governance/ledger_verification.html", context, partial="result")


@require_GET
def styleguide(request: HttpRequest) -> HttpResponse:
    if not (settings.DEBUG or (isinstance(request.user, User) and request.user.is_staff)):
        raise PermissionDenied("The style sheet is for those who build pages here.")
    return render(request, "styleguide.html")


@require_GET
def healthz(request: HttpRequest) -> JsonResponse:
    """Tell whoever watches this process whether it can serve: 503 when the database can't be reached."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return JsonResponse({"ok": False, "database": "can't be reached"}, status=503)
    return JsonResponse({"ok": True, "database": "answers"})
