"""Who may see and do what. Whoever may not know that a thing exists gets the answer that it does not."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db.models import Q, QuerySet
from django.utils import timezone

from governance.errors import NotAllowedError, NotFoundError
from governance.models import Job, LedgerEvent, Member, Organisation, Review, Role, User

Person = User | AnonymousUser

WRITES_DATASETS = (Role.DATA_STEWARD,)
DECIDES = (Role.COMPLIANCE_OFFICER,)
PROPOSES_POLICIES = (Role.DATA_STEWARD, Role.COMPLIANCE_OFFICER)
MAKES_MODELS = (Role.ML_ENGINEER,)
RESOLVES_CONFLICTS = (Role.DATA_STEWARD, Role.COMPLIANCE_OFFICER)
REVOKES_GRANTS = (Role.DATA_STEWARD, Role.COMPLIANCE_OFFICER, Role.LABEL_AUDITOR)
CHECKS = (Role.DATA_STEWARD, Role.ML_ENGINEER, Role.COMPLIANCE_OFFICER, Role.LABEL_AUDITOR)
STOPS_JOBS = (Role.DATA_STEWARD, Role.ML_ENGINEER, Role.COMPLIANCE_OFFICER)
READS_WHOLE = (Role.COMPLIANCE_OFFICER, Role.DATA_STEWARD, Role.ML_ENGINEER, Role.EXTERNAL_AUDITOR)
SEES_OUTPUTS = (Role.COMPLIANCE_OFFICER, Role.ML_ENGINEER, Role.DATA_STEWARD, Role.EXTERNAL_AUDITOR)


def roles_of(user: Person, organisation: Organisation, *, now: datetime | None = None) -> frozenset[str]:
    if not isinstance(user, User) or not user.is_active:
        return frozenset()
    members = Member.objects.current(now or timezone.now()).filter(user=user, organisation=organisation)
    return frozenset(members.values_list("role", flat=True))


def organisations_of(user: Person, *, now: datetime | None = None) -> list[Organisation]:
    """Return the organisations that ``user`` may look into; the system user may look into all."""
    if not isinstance(user, User) or not user.is_active:
        return []
    if user.is_system:
        return list(Organisation.objects.order_by("id"))
    members = Member.objects.current(now or timezone.now()).filter(user=user)
    return list(Organisation.objects.filter(members__in=members).distinct().order_by("id"))


def houses_of(user: Person, *, now: datetime | None = None) -> list[Organisation]:
    """Return the organisations whose registers ``user`` reads whole: those where they are more than a label's auditor."""
    if not isinstance(user, User) or not user.is_active:
        return []
    if user.is_system:
        return list(Organisation.objects.order_by("id"))
    members = Member.objects.current(now or timezone.now()).filter(user=user).exclude(role=Role.LABEL_AUDITOR)
    return list(Organisation.objects.filter(members__in=members).distinct().order_by("id"))


def labels_of(user: Person, *, now: datetime | None = None) -> list[Organisation]:
    """Return the organisations that ``user`` audits for as a label: of each, own rights in full, of the rest counts."""
    if not isinstance(user, User) or not user.is_active:
        return []
    members = Member.objects.current(now or timezone.now()).filter(user=user, role=Role.LABEL_AUDITOR)
    return list(Organisation.objects.filter(members__in=members).distinct().order_by("id"))


def reads_whole(user: Person, organisation: Organisation) -> bool:
    return organisation in houses_of(user)


def may(user: Person, organisation: Organisation, roles: Iterable[str]) -> bool:
    """Tell whether ``user`` holds one of ``roles`` now. The system user holds all but those that decide."""
    wanted = {str(role) for role in roles}
    if isinstance(user, User) and user.is_system:
        return bool(wanted - {str(role) for role in DECIDES})
    return bool(wanted & roles_of(user, organisation))


def require(user: Person, organisation: Organisation, roles: Iterable[str], deed: str) -> None:
    wanted = [str(role) for role in roles]
    if not may(user, organisation, wanted):
        names = " or ".join(role.replace("_", " ") for role in wanted)
        who = user.get_username() or "Nobody signed in"
        raise NotAllowedError(f"{who} may not {deed} for {organisation}: that takes the role {names}.")


def reviews_for_reading(user: Person) -> QuerySet[Review]:
    """Return the questions of the houses that ``user`` reads whole; a label's auditor reads those of their own asking."""
    asked = Q(organisation__in=organisations_of(user), asked_by_id=user.pk)
    return Review.objects.filter(Q(organisation__in=houses_of(user)) | asked).select_related(
        "organisation", "asked_by", "decided_by"
    )


def review_for_reading(user: Person, public_id: UUID | str) -> Review:
    review = reviews_for_reading(user).filter(public_id=public_id).first()
    if review is None:
        raise NotFoundError("There is no such review.")
    return review


def jobs_for_reading(user: Person) -> QuerySet[Job]:
    asked = Q(organisation__in=organisations_of(user), asked_by_id=user.pk)
    return Job.objects.filter(Q(organisation__in=houses_of(user)) | asked).select_related(
        "organisation", "asked_by"
    )


def job_for_reading(user: Person, public_id: UUID | str) -> Job:
    job = jobs_for_reading(user).filter(public_id=public_id).first()
    if job is None:
        raise NotFoundError("There is no such job.")
    return job


def events_for_reading(user: Person) -> QuerySet[LedgerEvent]:
    """Return what was done in the houses that ``user`` reads whole, and elsewhere what they did themselves."""
    if not isinstance(user, User):
        return LedgerEvent.objects.none()
    whole = [one.public_id for one in houses_of(user)]
    guest = [one.public_id for one in organisations_of(user)]
    own = Q(organisation_id__in=guest, actor_id=user.public_id)
    return LedgerEvent.objects.filter(Q(organisation_id__in=whole) | own)
