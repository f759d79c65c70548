"""Where a right given to one alone meets the same right given to another by the same licensor."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

from django.db import connection

from provenance.models import Grant, Recording
from provenance.rights.names import party

_MEETINGS = """
SELECT one.grant_id, other.grant_id, count(*), min(one.recording_id)
FROM provenance_grantrecording one
JOIN provenance_grantrecording other
  ON other.recording_id = one.recording_id AND other."right" = one."right"
 AND other.licensor_id = one.licensor_id AND other.licensee_id <> one.licensee_id
 AND other.territory_ranges && one.territory_ranges AND other.purpose_ranges && one.purpose_ranges
 AND daterange(other.valid_from, other.valid_until, '[)') && daterange(one.valid_from, one.valid_until, '[)')
JOIN provenance_grant standing ON standing.id = other.grant_id
WHERE one.grant_id = ANY(%s) AND {which} AND (standing.revoked_from IS NULL OR standing.revoked_from > %s)
GROUP BY one.grant_id, other.grant_id
"""
_HELD_ALONE = _MEETINGS.format(which="other.exclusive AND NOT one.exclusive")
_HELD_BESIDE = _MEETINGS.format(which="one.exclusive AND NOT other.exclusive")


@dataclass(frozen=True)
class Meeting:
    """A grant, and one to somebody else that stands: one of the two is exclusive, for some of the same."""

    grant: int  # its key
    other: Grant
    n_recordings: int
    recording: Recording  # one of them


def meetings(grants: Iterable[Grant], *, now: datetime, before: bool = False) -> list[Meeting]:
    """Find what meets these grants, in their order; with ``before`` only what was registered before each."""
    exclusive = {grant.pk: grant.exclusive for grant in grants}
    found: list[tuple[int, int, int, int]] = []
    with connection.cursor() as cursor:
        for query, is_exclusive in ((_HELD_ALONE, False), (_HELD_BESIDE, True)):
            if asked := [key for key, is_so in exclusive.items() if is_so is is_exclusive]:
                cursor.execute(query, [asked, now])
                found += cursor.fetchall()
    if before:
        found = [row for row in found if row[1] < row[0]]
    others = (
        Grant.objects.select_related("licensor", "licensee", "agreement")
        .defer("revocation_reason", "remuneration_terms")
        .in_bulk({row[1] for row in found})
    )
    recordings = Recording.objects.in_bulk({row[3] for row in found})
    return [Meeting(one, others[other], n, recordings[example]) for one, other, n, example in sorted(found)]


def leaves_standing(exclusive: Grant, licensee: str) -> bool:
    """Tell whether an exclusive grant says that this licensee's grants stand beside it."""
    return party(licensee) in map(party, exclusive.exclusive_except)


def given_on(grant: Grant) -> date | None:
    """Return the day of a grant's agreement, or else the first day of its term."""
    dated = grant.agreement.effective_on if grant.agreement is not None else None
    return dated or grant.valid_from
