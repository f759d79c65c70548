"""Deals that end: a grant or a whole deal is revoked, from an instant on, for a reason."""

import secrets
from datetime import datetime

from django.db import transaction

from governance import access, ledger
from governance.errors import ConflictError
from governance.models import User
from provenance.errors import ProvenanceError
from provenance.models import (
    Grant,
)


@transaction.atomic
def revoke_grant(
    *,
    grant: Grant,
    by: User,
    reason: str,
    now: datetime,
    revoked_from: datetime | None = None,
    right: str = "",
) -> tuple[Grant, ...]:
    """End the deal a grant belongs to, or its one ``right``, and return the grants that ended.

    From ``revoked_from`` on, nothing is cleared by them. What was trained stays on record.
    """
    access.require(by, grant.organisation, access.REVOKES_GRANTS, "revoke a grant")
    if not reason.strip():
        raise ProvenanceError("Revoking a grant needs a reason.")
    standing = _standing(grant, right)
    for one in standing:
        _revoke(one, by, reason.strip(), now, revoked_from or now)
    return standing


def _standing(grant: Grant, right: str) -> tuple[Grant, ...]:
    """Lock and return what of a deal is to be revoked and still stands."""
    of_deal = Grant.objects.filter(organisation_id=grant.organisation_id, deal=grant.deal)
    deal = list(of_deal.select_for_update().order_by("id"))
    wanted = [one for one in deal if right in ("", one.right)]
    if not wanted:
        granted = " and ".join(one.right for one in deal)
        raise ProvenanceError(f"This deal grants no {right}, only the {granted}.")
    standing = tuple(one for one in wanted if one.revoked_at is None)
    if not standing:
        raise ConflictError("This grant is revoked already.")
    return standing


def _revoke(grant: Grant, by: User, reason: str, now: datetime, revoked_from: datetime) -> None:
    salt = secrets.token_hex(16)
    grant.revoked_at = now
    grant.revoked_from = revoked_from
    grant.revoked_by = by
    grant.revocation_reason = reason
    grant.revocation_salt = salt
    grant.save(
        update_fields=["revoked_at", "revoked_from", "revoked_by", "revocation_reason", "revocation_salt"]
    )
    grant.subjects.filter(exclusive=True).update(exclusive=False)  # another may be given the same now
    ledger.record(
        kind="provenance.grant.revoked",
        subject_kind="grant",
        subject_id=grant.public_id,
        actor=by,
        organisation=grant.organisation,
        now=now,
        body={
            "deal": str(grant.deal),
            "right": grant.right,
            "from": revoked_from.isoformat(),
            "recordings": grant.subjects.count(),
            "reason_commitment": ledger.commitment(reason, salt),
        },
    )
