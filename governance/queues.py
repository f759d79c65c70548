"""What governance itself has to say on people's first page: questions that wait, work in flight, the ledger."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils import timezone

from governance import access, ledger, slots
from governance.models import Decision, Job, JobState, LedgerEvent, Question, Review, Role, User

QUEUE = "governance/slots/queue.html"
SHOWN = 3
WAIT_FOR_YOU = {
    Question.DATASET_APPROVAL: ("dataset waits for your approval", "datasets wait for your approval"),
    Question.MODEL_RELEASE: ("model waits for your decision", "models wait for your decision"),
    Question.GENERATION_RELEASE: ("output waits for your decision", "outputs wait for your decision"),
    Question.POLICY_ADOPTION: ("policy waits for your decision", "policies wait for your decision"),
}


@dataclass(frozen=True)
class Line:
    """One line of a queue: how many, of what, why, since when."""

    count: int
    what: str
    url: str
    why: str = ""
    since: datetime | None = None


def queue(name: str, title: str, lines: list[Line], **empty: str) -> dict[str, Any]:
    """Return the context of ``governance/slots/queue.html``; ``empty`` has ``what``, ``next``, ``url``, ``action``."""
    return {"name": name, "title": title, "lines": lines, "empty": empty}


@slots.home_slot(Role.COMPLIANCE_OFFICER, template="governance/slots/reviews.html", order=10)
def reviews_waiting(user: User) -> Mapping[str, object]:
    waiting = list(
        Review.objects.filter(organisation__in=access.organisations_of(user), decision=Decision.PENDING)
        .exclude(asked_by=user)
        .order_by("asked_at")
    )
    lines = [
        _line(question, asked)
        for question in Question
        if (asked := [review for review in waiting if review.question == question])
    ]
    return queue("reviews", "Waiting for you", lines)


def _line(question: Question, reviews: list[Review]) -> Line:
    one, many = WAIT_FOR_YOU[question]
    names = list(dict.fromkeys(review.subject_name for review in reviews))
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    url = (
        reverse("governance:review", args=[reviews[0].public_id])
        if len(reviews) == 1
        else f"{reverse('governance:review-list')}?question={question.value}"
    )
    return Line(
        len(reviews),
        one if len(reviews) == 1 else many,
        url,
        f"{'; '.join(names[:SHOWN])}{more}.",
        reviews[0].asked_at,
    )


@slots.home_slot(Role.ML_ENGINEER, template="governance/slots/jobs.html", order=10)
@slots.home_slot(Role.DATA_STEWARD, template="governance/slots/jobs.html", order=40)
def jobs_in_flight(user: User) -> Mapping[str, object]:
    jobs = Job.objects.filter(organisation__in=access.organisations_of(user)).select_related("asked_by")
    return {
        "running": list(jobs.filter(state__in=[JobState.RUNNING, JobState.QUEUED])[:8]),
        "over": list(jobs.exclude(state__in=[JobState.RUNNING, JobState.QUEUED])[:4]),
        "now": timezone.now(),
    }


@slots.home_slot(Role.EXTERNAL_AUDITOR, template="governance/slots/ledger.html", order=40)
def ledger_head(user: User) -> Mapping[str, object]:
    n_events, head = ledger.head()
    ours = [organisation.public_id for organisation in access.organisations_of(user)]
    latest = LedgerEvent.objects.filter(organisation_id__in=ours).order_by("-sequence")[:8]
    return {"n_events": n_events, "head": head, "latest": list(latest)}
