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
    PolicyAdoption,
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
    salt = secrets.token_hex(16)
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
            "salt": salt,
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
            body={
                "review": str(review.public_id),
                "question": str(question),
                "why_commitment": ledger.commitment(why, salt),
            },
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
    salt = review.salt or secrets.token_hex(16)
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
def write_policy(
    *,
    organisation: Organisation,
    name: str,
    body: Mapping[str, Any],
    reason: str,
    by: User,
    now: datetime,
    version: int | None = None,
) -> tuple[Policy, Review]:
    """Write a policy's next version and put it before those who decide; it holds for nothing yet.

    ``version`` is for what has its number already (a shipped policy). The version there is, is not written
    twice: the same body proposed again is the same version, and the question that is open about it stays.
    """
    access.require(by, organisation, access.PROPOSES_POLICIES, "propose a policy")
    if not reason.strip():
        raise LinerNotesError("A policy needs a reason.")
    Organisation.objects.select_for_update().get(pk=organisation.pk)
    policy = _policy_version(organisation, name, body, by, now, version)
    review = ask_review(
        question=Question.POLICY_ADOPTION,
        subject_kind="policy",
        subject_id=policy.public_id,
        subject_name=str(policy),
        organisation=organisation,
        asked_by=by,
        now=now,
        why=reason.strip(),
    )
    return policy, review


def _policy_version(
    organisation: Organisation,
    name: str,
    body: Mapping[str, Any],
    by: User,
    now: datetime,
    version: int | None,
) -> Policy:
    own = Policy.objects.filter(organisation=organisation, name=name)
    last = own.order_by("-version").first()
    number = version or (last.version if last else 1)
    same = own.filter(version=number, sha256=canonical_sha256({**body, "version": number})).first()
    if same is not None:
        return same
    if version is None and last is not None:
        number += 1
    numbered = {**body, "version": number}
    policy = Policy.objects.create(
        organisation=organisation,
        name=name,
        version=number,
        body=numbered,
        sha256=canonical_sha256(numbered),
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


@transaction.atomic
def decide_policy(
    *, policy: Policy, review: Review, decision: Decision, reason: str, by: User, now: datetime
) -> Review:
    """Adopt a policy from now on, or reject it. Whoever proposed it cannot; nor is one adopted over a later one."""
    Organisation.objects.select_for_update().get(pk=policy.organisation_id)
    since = policy.organisation.adoptions.filter(in_force_from__gte=review.asked_at).first()
    if decision == Decision.APPROVED and since is not None:
        raise ConflictError(
            f"{since.policy} came into force after {policy} was proposed, so its preview no longer holds: "
            "reject it, and propose it again."
        )
    before = policy.organisation.adoptions.select_related("policy").first()
    decided = decide_review(
        review=review,
        decision=decision,
        reason=reason,
        by=by,
        now=now,
        body={"sha256": policy.sha256},
    )
    if decision != Decision.APPROVED:
        return decided
    PolicyAdoption.objects.create(
        organisation=policy.organisation, policy=policy, review=decided, in_force_from=now
    )
    ledger.record(
        kind="governance.policy.adopted",
        subject_kind="policy",
        subject_id=policy.public_id,
        actor=by,
        organisation=policy.organisation,
        now=now,
        body={
            "version": policy.version,
            "sha256": policy.sha256,
            "replaces_sha256": before.policy.sha256 if before else None,
            "review": str(decided.public_id),
        },
    )
    return decided


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
