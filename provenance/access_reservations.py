"""Which opt-outs and memos a person may know of.

A label auditor who works for another organisation sees the opt-outs of her own label's parties there and those that she
recorded, and no more.
"""

from uuid import UUID

from django.db.models import Q, QuerySet

from governance import access as house
from governance.access import Person, organisations_of
from governance.errors import NotFoundError
from governance.models import Role
from provenance.models import ExceptionMemo, Reservation

READS_MEMOS = (Role.COMPLIANCE_OFFICER, Role.DATA_STEWARD, Role.EXTERNAL_AUDITOR)


def reservations_for_reading(user: Person) -> QuerySet[Reservation]:
    declared = Q(organisation__in=organisations_of(user), recorded_by_id=user.pk)
    return Reservation.objects.filter(
        Q(organisation__in=house.houses_of(user)) | Q(party__stands_for__in=house.labels_of(user)) | declared
    ).select_related("organisation", "party", "party__stands_for", "document", "recorded_by", "withdrawn_by")


def reservation_for_reading(user: Person, public_id: UUID | str) -> Reservation:
    found = reservations_for_reading(user).filter(public_id=_uuid(public_id, "opt-out")).first()
    if found is None:
        raise NotFoundError("There is no such opt-out.")
    return found


def memos_for_reading(user: Person) -> QuerySet[ExceptionMemo]:
    """Return the memos of the organisations where a person holds a role that reads legal advice."""
    own = [one for one in organisations_of(user) if house.may(user, one, READS_MEMOS)]
    return ExceptionMemo.objects.filter(organisation__in=own).select_related(
        "organisation", "recorded_by", "document"
    )


def memo_for_reading(user: Person, public_id: UUID | str) -> ExceptionMemo:
    found = memos_for_reading(user).filter(public_id=_uuid(public_id, "memo")).first()
    if found is None:
        raise NotFoundError("There is no such memo.")
    return found


def _uuid(written: UUID | str, what: str) -> UUID:
    try:
        return written if isinstance(written, UUID) else UUID(written)
    except ValueError:
        raise NotFoundError(f"There is no such {what}.") from None
