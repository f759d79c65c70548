"""Exclusivity held to: after an exclusive grant the licensor has nothing left to give for what it covers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from django.db import connection
from django.db.models import Q

from governance.models import Organisation
from lib.figures import counted
from provenance.intake.deals import Terms
from provenance.models import Grant, GrantRecording
from provenance.models.ranges import country_ranges, purpose_ranges
from provenance.queries.exclusivity import Meeting, given_on, leaves_standing, meetings

NAMED = 3
"""How many of the grants that one stands beside a note names."""


@dataclass(frozen=True)
class Weighed:
    """What grants on their way in met, by their keys: what refuses them, and what is worth knowing."""

    refusals: dict[int, list[str]] = field(default_factory=dict)
    notes: dict[int, list[str]] = field(default_factory=dict)


def hold(organisation: Organisation) -> None:
    """Let nobody else register grants of an organisation until the transaction ends: two could not see each other."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"grants {organisation.pk}"])


def weigh(
    grants: Iterable[Grant],
    *,
    now: datetime,
    documents: Mapping[int, date | None],
    deals: Mapping[int, int],
) -> Weighed:
    """Weigh grants just written, in their order, against what was registered before each.

    One that is not exclusive is refused beside an exclusive one, unless that leaves its licensee standing or its
    document is of an earlier day. An exclusive one is subject to what stands already, and both remain.

    Parameters
    ----------
    documents : mapping of int to date or None
        The day of each grant's document, where the deal says it.
    deals : mapping of int to int
        The row of each grant's deal: what is refused goes with all of its deal, and stands in nobody's way.
    """
    own = {grant.pk: grant for grant in grants}
    weighed = Weighed()
    refused: set[int] = set()
    for meeting in meetings(own.values(), now=now, before=True):
        grant = own[meeting.grant]
        row = deals.get(meeting.other.pk)
        if row in refused:
            continue
        if grant.exclusive:
            weighed.notes.setdefault(grant.pk, []).append(_subject_to(meeting))
        elif _stands_beside(grant, meeting.other, documents.get(grant.pk)):
            weighed.notes.setdefault(grant.pk, []).append(_beside(meeting))
        else:
            weighed.refusals.setdefault(grant.pk, []).append(_refusal(meeting, row))
            if grant.pk in deals:
                refused.add(deals[grant.pk])
    for key, said in weighed.notes.items():
        if len(said) > NAMED:
            weighed.notes[key] = [*said[:NAMED], f"and {counted(len(said) - NAMED, 'other grant')} likewise"]
    return weighed


def refusals(grants: Iterable[Grant], *, now: datetime) -> list[str]:
    """Say what refuses grants that are given anew today; empty where nothing does."""
    own = {grant.pk: grant for grant in grants}
    said = weigh(own.values(), now=now, documents={}, deals={}).refusals
    return [reason for reasons in said.values() for reason in reasons]


def _stands_beside(grant: Grant, exclusive: Grant, dated: date | None) -> bool:
    if leaves_standing(exclusive, grant.licensee.name):
        return True
    day = given_on(exclusive)
    return dated is not None and day is not None and dated < day


def _refusal(meeting: Meeting, row: int | None) -> str:
    other = meeting.other
    where = (
        f"grant {other.public_id}" if row is None else f"row {row}"
    )  # its grant is written again, by another id
    return (
        f"the {other.right} of {meeting.recording} is given exclusively to {other.licensee} already: "
        f"{where}. A deal made before that one stands beside it: say when, as document_date"
    )


def _subject_to(meeting: Meeting) -> str:
    other = meeting.other
    return (
        f"subject to grant {other.public_id} of the {other.right} to {other.licensee}, which was registered before "
        f"and stands ({counted(meeting.n_recordings, 'recording')})"
    )


def _beside(meeting: Meeting) -> str:
    other = meeting.other
    return (
        f"stands beside grant {other.public_id}, by which {other.licensee} has the {other.right} exclusively "
        f"({counted(meeting.n_recordings, 'recording')})"
    )


def in_the_way(organisation: Organisation, wanted: Iterable[Terms], recordings: Iterable[int]) -> list[str]:
    """Name the exclusive grants that leave no room for the exclusive ones of a deal."""
    ids = list(recordings)
    found: list[str] = []
    for terms in (one for one in wanted if one.exclusive):
        standing = GrantRecording.objects.filter(
            recording_id__in=ids,
            right=terms.right,
            licensor__name=terms.licensor[:500],
            licensor__organisation=organisation,
            exclusive=True,
        ).exclude(licensee__name=terms.licensee[:500])
        overlapping = standing.extra(
            where=["territory_ranges && %s", "purpose_ranges && %s"],
            params=[country_ranges(terms.territory), purpose_ranges(terms.purposes)],
        )
        if terms.valid_until is not None:
            overlapping = overlapping.filter(Q(valid_from=None) | Q(valid_from__lt=terms.valid_until))
        if terms.valid_from is not None:
            overlapping = overlapping.filter(Q(valid_until=None) | Q(valid_until__gt=terms.valid_from))
        for link in overlapping.select_related("grant", "licensee", "recording").order_by("id")[:1]:
            found.append(
                f"the {terms.right} of {link.recording} is given exclusively to {link.licensee} already: "
                f"grant {link.grant.public_id}"
            )
    return found or ["an exclusive grant of the same right stands in the way"]
