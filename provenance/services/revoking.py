"""Deals that end: a grant or a whole deal is revoked, from an instant on, for a reason."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q

from governance import access, ledger
from governance.errors import ConflictError
from governance.models import User
from provenance.errors import IrrevocableError, ProvenanceError
from provenance.models import Grant

REVOCATION = (
    *("revoked_at", "revoked_from", "revoked_by", "revocation_reason", "revocation_salt"),
    "revoked_despite_terms",
)
"""The fields that a revocation writes."""


@transaction.atomic
def revoke_grant(
    *,
    grant: Grant,
    by: User,
    reason: str,
    now: datetime,
    revoked_from: datetime | None = None,
    right: str = "",
    despite_terms: str = "",
    bring_forward: bool = True,
) -> tuple[Grant, ...]:
    """End the deal a grant belongs to, or its one ``right``, and return the grants that ended.

    What is to end later on already may be brought forward, and never put off: for that it is given again.

    From ``revoked_from`` on, or else from the end of each one's notice, nothing is cleared by them. What was trained
    stays on record.

    Parameters
    ----------
    despite_terms : str
        Why grants end that are irrevocable by their terms.
    bring_forward : bool
        Whether what is to end later on already is to end earlier; else it is left as it is.

    Raises
    ------
    ProvenanceError
        If there is no reason, or one is irrevocable and ``despite_terms`` is empty.
    ConflictError
        If nothing of it stands, or would end later than it does.
    """
    access.require(by, grant.organisation, access.REVOKES_GRANTS, "revoke a grant")
    if not reason.strip():
        raise ProvenanceError("Revoking a grant needs a reason.")
    standing = _standing(grant, right, now, revoked_from, bring_forward)
    despite = despite_terms.strip()
    if not despite and (bound := " and the ".join(one.right for one in standing if not one.revocable)):
        raise IrrevocableError(
            f"By the deal's terms its grant of the {bound} is irrevocable. Where it ends all the same, say why: "
            "--despite-terms, despite_terms."
        )
    for one in standing:
        _revoke(one, by, reason.strip(), now, revoked_from or one.end_of_notice(now), despite)
    return standing


def _standing(
    grant: Grant, right: str, now: datetime, revoked_from: datetime | None, bring_forward: bool
) -> tuple[Grant, ...]:
    """Lock and return what of a deal is to end earlier than it would: what stands, and what is to end later on."""
    of_deal = Grant.objects.filter(organisation_id=grant.organisation_id, deal=grant.deal)
    deal = list(of_deal.select_for_update().order_by("id"))
    wanted = [one for one in deal if right in ("", one.right)]
    if not wanted:
        granted = " and ".join(one.right for one in deal)
        raise ProvenanceError(f"This deal grants no {right}, only the {granted}.")
    standing = tuple(
        one
        for one in wanted
        if one.revoked_from is None
        or (
            bring_forward
            and one.revoked_from > now
            and (revoked_from or one.end_of_notice(now)) < one.revoked_from
        )
    )
    if not standing:
        ends = max(one.revoked_from for one in wanted if one.revoked_from is not None)
        raise ConflictError(
            f"This grant is revoked already, from {ends:%-d %B %Y} on. Only a moment before can be named."
            if ends > now
            else "This grant is revoked already."
        )
    return standing


def _revoke(
    grant: Grant, by: User, reason: str, now: datetime, revoked_from: datetime, despite_terms: str
) -> None:
    brought_forward = _brought_forward(grant)
    if grant.revoked_from is not None:
        reason += f"\n\nIt was to end on {grant.revoked_from:%-d %B %Y}: {grant.revocation_reason}"
    salt = grant.revocation_salt or secrets.token_hex(16)  # what was committed to before stays provable
    grant.revoked_at = now
    grant.revoked_from = revoked_from
    grant.revoked_by = by
    grant.revocation_reason = reason
    grant.revocation_salt = salt
    grant.revoked_despite_terms = "" if grant.revocable else despite_terms
    grant.save(update_fields=REVOCATION)
    _make_room(grant, now)
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
            **brought_forward,
            **_terms_recorded(grant, now, salt),
        },
    )


def _brought_forward(grant: Grant) -> dict[str, str]:
    return {} if grant.revoked_from is None else {"brought_forward_from": grant.revoked_from.isoformat()}


def _terms_recorded(grant: Grant, now: datetime, salt: str) -> dict[str, Any]:
    """Return what the ledger keeps of terms that speak of how a grant ends."""
    kept: dict[str, Any] = {}
    if not grant.revocable:
        kept["despite_terms_commitment"] = ledger.commitment(grant.revoked_despite_terms, salt)
    if grant.notice_days and grant.revoked_from is not None:
        kept["notice_days"] = grant.notice_days
        kept["within_notice"] = grant.revoked_from < grant.end_of_notice(now)
    return kept


def _make_room(grant: Grant, now: datetime) -> None:
    """Let another be given the same exclusively, from when this one ends."""
    held = grant.subjects.filter(exclusive=True)
    if grant.revoked_from is None or grant.revoked_from <= now:
        held.update(exclusive=False)
        return
    last = grant.revoked_from.astimezone(UTC) - timedelta(microseconds=1)
    first_free = last.date() + timedelta(days=1)
    held.filter(valid_from__gte=first_free).update(exclusive=False)
    held.filter(Q(valid_until=None) | Q(valid_until__gt=first_free)).update(valid_until=first_free)
