"""What people ask of governance: members, reviews, policies, jobs."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F

from governance import access, ledger
from governance.errors import ConflictError, LinerNotesError, NotAllowedError
from governance.models import (
    Decision,
    Job,
    JobState,
    Member,
    Organisation,
    Policy,
    Question,
    Review,
    Role,
    User,
)
from lib.canonical import canonical_sha256

HOUSE = "House"
SYSTEM_USER = "cli"


class UnknownUserError(LinerNotesError):
    code = "unknown_user"


def system_user() -> User:
    """Return the user in whose name commands act; it has no password and can approve nothing."""
    user, made = User.objects.get_or_create(username=SYSTEM_USER, defaults={"is_system": True})
    if made:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    return user


def user_named(username: str) -> User:
    """Return the person a command acts for.

    Raises
    ------
    UnknownUserError
        If nobody has that name; the message lists how to add them.
    """
    user = User.objects.filter(username=username, is_active=True).first()
    if user is None:
        raise UnknownUserError(
            f"There is no user {username!r}: add one with add_member {username} --organisation ORG --role ROLE."
        )
    return user


def home_organisation(user: User) -> Organisation:
    """Return the organisation a person works for; for the system user the oldest, made on first use."""
    own = access.organisations_of(user)
    if own:
        return own[0]
    if not user.is_system:
        raise NotAllowedError(
            f"{user.username} is a member of no organisation: add_member gives them a role."
        )
    organisation, _ = Organisation.objects.get_or_create(name=HOUSE)
    return organisation


@transaction.atomic
def add_member(
    *, username: str, organisation: str, role: str, by: User, now: datetime, password: str = ""
) -> Member:
    if role not in Role.values:
        raise LinerNotesError(f"There is no role {role!r}: choose one of {', '.join(Role.values)}.")
    if not username or username == SYSTEM_USER:
        raise LinerNotesError(f"{username!r} can't be a member: choose another name.")
    if not organisation.strip():
        raise LinerNotesError("The organisation has no name.")
    house = _organisation_named(organisation.strip())
    user, made = User.objects.get_or_create(username=username)
    if made or password:
        user.set_password(password or None)
        user.save(update_fields=["password"])
    member, added = Member.objects.get_or_create(
        user=user, organisation=house, role=role, defaults={"valid_from": now}
    )
    if added:
        ledger.record(
            kind="governance.member.added",
            subject_kind="user",
            subject_id=user.public_id,
            actor=by,
            organisation=house,
            now=now,
            body={"role": role},
        )
    return member


def _organisation_named(name: str) -> Organisation:
    """Return the organisation, made when it is new.

    The first one to be named takes over the nameless house that commands worked for until then: what they
    registered is its own, and its first members find it.
    """
    known = Organisation.objects.filter(name=name).first()
    if known is not None:
        return known
    only = list(Organisation.objects.all()[:2])
    if len(only) == 1 and only[0].name == HOUSE and not only[0].members.exists():
        only[0].name = name
        only[0].save(update_fields=["name"])
        return only[0]
    return Organisation.objects.create(name=name)


@transaction.atomic
def ask_review(
    *,
    question: Question,
    subject_kind: str,
    subject_id: UUID,
    subject_name: str,
    organisation: Organisation,
    asked_by: User,
    now: datetime,
    why: str = "",
) -> Review:
    """Put a question to those who decide; an open one about the same subject is returned as it stands."""
    review, made = Review.objects.get_or_create(
        question=question,
        subject_kind=subject_kind,
        subject_id=subject_id,
        decision=Decision.PENDING,
        defaults={
            "organisation": organisation,
            "subject_name": subject_name,
            "asked_by": asked_by,
            "asked_at": now,
            "why": why,
        },
    )
    if made:
        ledger.record(
            kind="governance.review.asked",
            subject_kind=subject_kind,
            subject_id=subject_id,
            actor=asked_by,
            organisation=organisation,
            now=now,
            body={"review": str(review.public_id), "question": str(question)},
        )
    return review


@transaction.atomic
def decide_review(
    *,
    review: Review,
    decision: Decision,
    reason: str,
    by: User,
    now: datetime,
    conditions: Sequence[str] = (),
    body: Mapping[str, Any] | None = None,
) -> Review:
    """Record a person's answer, with its reason. Whoever asked, and the system user, cannot answer."""
    access.require(by, review.organisation, access.DECIDES, "decide a review")
    if by.is_system or review.asked_by_id == by.pk:
        raise NotAllowedError(f"{by.username} asked for this review: somebody else must decide it.")
    if not reason.strip():
        raise LinerNotesError("A decision needs a reason.")
    if decision == Decision.PENDING:
        raise LinerNotesError("A decision is approved, rejected or suspended.")
    salt = secrets.token_hex(16)
    changed = Review.objects.filter(pk=review.pk, decision=Decision.PENDING).update(
        decision=decision,
        reason=reason.strip(),
        decided_by=by,
        decided_at=now,
        conditions=list(conditions),
        salt=salt,
    )
    if changed != 1:
        raise ConflictError("Somebody else has decided this review already.")
    review.refresh_from_db()
    ledger.record(
        kind=f"governance.review.{decision}",
        subject_kind=review.subject_kind,
        subject_id=review.subject_id,
        actor=by,
        organisation=review.organisation,
        now=now,
        body={
            "review": str(review.public_id),
            "question": review.question,
            "reason_commitment": ledger.commitment(review.reason, salt),
            "conditions": list(conditions),
            **(body or {}),
        },
    )
    return review


@transaction.atomic
def choose_policy(*, organisation: Organisation, name: str, by: User, now: datetime) -> None:
    """Make ``name`` the reading by which the organisation clears from now on."""
    access.require(by, organisation, access.DECIDES, "choose the clearance policy")
    organisation.clearance_policy = name
    organisation.save(update_fields=["clearance_policy"])
    ledger.record(
        kind="governance.policy.chosen",
        subject_kind="organisation",
        subject_id=organisation.public_id,
        actor=by,
        organisation=organisation,
        now=now,
        body={"policy": name},
    )


@transaction.atomic
def write_policy(
    *, organisation: Organisation, name: str, body: Mapping[str, Any], by: User, now: datetime
) -> Policy:
    access.require(by, organisation, access.DECIDES, "write a policy")
    last = Policy.objects.filter(organisation=organisation, name=name).order_by("-version").first()
    policy = Policy.objects.create(
        organisation=organisation,
        name=name,
        version=last.version + 1 if last else 1,
        body=dict(body),
        sha256=canonical_sha256(dict(body)),
        created_by=by,
        created_at=now,
    )
    ledger.record(
        kind="governance.policy.written",
        subject_kind="policy",
        subject_id=policy.public_id,
        actor=by,
        organisation=organisation,
        now=now,
        body={"version": policy.version, "sha256": policy.sha256},
    )
    return policy


def queue_job(
    *,
    kind: str,
    organisation: Organisation,
    asked_by: User,
    now: datetime,
    arguments: Mapping[str, Any],
    subject_kind: str = "",
    subject_id: UUID | None = None,
    subject_name: str = "",
) -> Job:
    return Job.objects.create(
        kind=kind,
        organisation=organisation,
        asked_by=asked_by,
        asked_at=now,
        arguments=dict(arguments),
        subject_kind=subject_kind,
        subject_id=subject_id,
        subject_name=subject_name,
    )


def claim_job(*, public_id: UUID | str, now: datetime) -> Job | None:
    """Take a queued job. None means that it is taken, finished, or stopped: leave it alone."""
    claimed = Job.objects.filter(public_id=public_id, state=JobState.QUEUED).update(
        state=JobState.RUNNING, started_at=now, heartbeat_at=now, n_attempts=F("n_attempts") + 1
    )
    return Job.objects.get(public_id=public_id) if claimed == 1 else None


def report_progress(*, job: Job, n_done: int, n_total: int, message: str, now: datetime) -> bool:
    """Write how far a job is; return False when somebody asked it to stop."""
    Job.objects.filter(pk=job.pk, state=JobState.RUNNING).update(
        n_done=n_done, n_total=n_total, message=message[:500], heartbeat_at=now
    )
    return not Job.objects.filter(pk=job.pk, stop_requested=True).exists()


def finish_job(
    *, job: Job, state: JobState, now: datetime, outcome: Mapping[str, Any] | None = None, message: str = ""
) -> None:
    Job.objects.filter(pk=job.pk).update(
        state=state, finished_at=now, outcome=dict(outcome or {}), message=message[:500]
    )


def stop_job(*, job: Job, by: User, now: datetime) -> None:
    """Ask a job to stop: a queued one is over at once, a running one at its next step."""
    if by.pk != job.asked_by_id:
        access.require(by, job.organisation, access.STOPS_JOBS, "stop somebody else's job")
    if Job.objects.filter(pk=job.pk, state=JobState.QUEUED).update(
        state=JobState.CANCELLED, finished_at=now, message="Stopped before it began."
    ):
        return
    Job.objects.filter(pk=job.pk, state=JobState.RUNNING).update(stop_requested=True)


def requeue_orphans(*, now: datetime, silent_for_s: float) -> list[Job]:
    """Put jobs back whose worker died: running, and no sign of life for ``silent_for_s`` seconds."""
    orphans = []
    for job in Job.objects.filter(state=JobState.RUNNING):
        if job.heartbeat_at and (now - job.heartbeat_at).total_seconds() < silent_for_s:
            continue
        if Job.objects.filter(pk=job.pk, state=JobState.RUNNING, heartbeat_at=job.heartbeat_at).update(
            state=JobState.QUEUED, message="Its worker died; it goes on where it was."
        ):
            orphans.append(job)
    return orphans
