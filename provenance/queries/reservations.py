"""Reads of opt-outs: lists with what they bind, and one as others write it."""

from typing import Any

from django.db.models import Count, F, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from provenance.exports.odrl import offer
from provenance.models import ExceptionMemo, MemoRecording, Recording, Reservation, ReservationRecording
from provenance.rights import values

STATES = {"standing": Q(withdrawn_at=None), "withdrawn": Q(withdrawn_at__isnull=False)}


def with_counts(reservations: QuerySet[Reservation]) -> QuerySet[Reservation]:
    """Tell each opt-out how many recordings it binds, in the same query."""
    links = ReservationRecording.objects.filter(reservation=OuterRef("pk")).order_by().values("reservation")
    return reservations.annotate(n_recordings=_counted(links))


def memos_with_counts(memos: QuerySet[ExceptionMemo]) -> QuerySet[ExceptionMemo]:
    links = MemoRecording.objects.filter(memo=OuterRef("pk")).order_by().values("memo")
    return memos.annotate(n_recordings=_counted(links))


def _counted(links: QuerySet[Any]) -> Coalesce:
    return Coalesce(Subquery(links.annotate(n=Count("pk")).values("n"), output_field=IntegerField()), 0)


def recordings_of(reservation: Reservation) -> QuerySet[Recording]:
    """Return what an opt-out binds; each recording says why in ``because``."""
    bound = Recording.objects.filter(reservation_links__reservation=reservation)
    return bound.annotate(because=F("reservation_links__because"))


def narrowed(
    reservations: QuerySet[Reservation], *, q: str = "", source: str = "", state: str = ""
) -> QuerySet[Reservation]:
    if q:
        reservations = reservations.filter(Q(party__name__icontains=q) | Q(location__icontains=q))
    if source:
        reservations = reservations.filter(source=source)
    return reservations.filter(STATES.get(state, Q()))


def odrl_of(reservation: Reservation) -> dict[str, Any]:
    """Return an opt-out as an ODRL 2.2 offer about the recordings that it binds."""
    subjects = reservation.subjects.order_by("recording_id").values_list("recording__public_id", flat=True)
    value = values.Reservation(
        id=str(reservation.public_id),
        right=reservation.right,  # type: ignore[arg-type]  # the database holds known rights only
        purposes=frozenset(reservation.purposes),
        territory=tuple(reservation.territory),
        declared_at=reservation.declared_at,
        withdrawn_at=reservation.withdrawn_at,
    )
    return offer(
        value,
        [f"urn:uuid:{public_id}" for public_id in subjects],
        assigner=reservation.party.name if reservation.party else "",
        policy_url=reservation.policy_url,
    )
