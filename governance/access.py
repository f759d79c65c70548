"""Who may see and do what. Whoever may not know that a thing exists gets the answer that it does not."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from governance.errors import NotAllowedError, NotFoundError
from governance.models import Job, Member, Organisation, Review, Role, User

Person = User | AnonymousUser

WRITES_DATASETS = (Role.DATA_STEWARD,)
DECIDES = (Role.COMPLIANCE_OFFICER,)
PROPOSES_POLICIES = (Role.DATA_STEWARD, Role.COMPLIANCE_OFFICER)
MAKES_MODELS = (Role.ML_ENGINEER,)
RESOLVES_CONFLICTS = (Role.DATA_STEWARD, Role.COMPLIANCE_OFFICER)
REVOKES_GRANTS = (Role.DATA_STEWARD, Role.COMPLIANCE_OFFICER, Role.LABEL_AUDITOR)
CHECKS = (Role.DATA_STEWARD, Role.ML_ENGINEER, Role.COMPLIANCE_OFFICER, Role.LABEL_AUDITOR)
STOPS_JOBS = (Role.DATA_STEWARD, Role.ML_ENGINEER, Role.COMPLIANCE_OFFICER)
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


def review_for_reading(user: Person, public_id: UUID | str) -> Review:
    review = (
        Review.objects.filter(organisation__in=organisations_of(user), public_id=public_id)
        .select_related("organisation", "asked_by", "decided_by")
        .first()
    )
    if review is None:
        raise NotFoundError("There is no such review.")
    return review


def job_for_reading(user: Person, public_id: UUID | str) -> Job:
    job = Job.objects.filter(organisation__in=organisations_of(user), public_id=public_id).first()
    if job is None:
        raise NotFoundError("There is no such job.")
    return job
