"""What was revoked, given again: a new deal on the same terms, from a day on."""

import secrets
from collections.abc import Iterable
from datetime import date, datetime
from uuid import UUID

from django.db import IntegrityError, transaction

from governance import access, ledger
from governance.errors import ConflictError, NotAllowedError
from governance.models import User
from lib.batches import batches
from lib.canonical import canonical_sha256
from lib.figures import counted
from lib.ids import new_public_id
from provenance.errors import ProvenanceError
from provenance.models import (
    Grant,
    GrantRecording,
)
from provenance.services import exclusivity
from provenance.services.approving import reopen_approvals
from provenance.services.granting import DEALS_AT_ONCE, LINK_FIELDS

NOT_REPEATED = frozenset(
    {
        *("id", "public_id", "deal", "key", "valid_from", "registered_by", "registered_at"),
        *("revoked_from", "revoked_at", "revoked_by", "revocation_reason", "revocation_salt"),
        "revoked_despite_terms",
        *("reinstates", "reinstatement_reason", "reinstatement_salt"),
    }
)
"""What a grant given again has of its own. All else is as it was."""


@transaction.atomic
def reinstate_grants(
    *,
    grants: Iterable[Grant],
    by: User,
    reason: str,
    now: datetime,
    valid_from: date | None = None,
    own_word: bool = False,
) -> tuple[Grant, ...]:
    """Give revoked grants of one deal again, as a new deal on the same terms, and return the new grants.

    What was revoked stays revoked: between its end and ``valid_from`` (today, or the day on which a notice ends), and on
    that day until ``now``, nothing is cleared by either. Whoever revoked them may do so, and a steward, who may
    register any grant.

    Parameters
    ----------
    own_word : bool
        The caller has seen that they were revoked on the word of ``by``, whoever carried it out.

    Raises
    ------
    NotAllowedError
        If somebody else revoked them.
    ProvenanceError
        If there is no reason, or the day lies in the past or after the term.
    ConflictError
        If one still stands, was given again already, or was given exclusively to another meanwhile.
    """
    ended = _locked(grants)
    _require_may_reinstate(ended, by, own_word)
    if not reason.strip():
        raise ProvenanceError("Giving a grant again needs a reason.")
    exclusivity.hold(ended[0].organisation)
    deal = new_public_id()
    anew = [_given_again(one, deal, by, reason.strip(), now, valid_from) for one in ended]
    for old, new in zip(ended, anew, strict=True):
        _repeat_subjects(old, new)
    if reasons := exclusivity.refusals(anew, now=now):
        raise ConflictError(f"It can't be given again as it was: {'; '.join(reasons)}.")
    reopen_approvals(
        touching=GrantRecording.objects.filter(grant__in=anew),
        organisation=ended[0].organisation,
        by=by,
        now=now,
        why=f"{counted(len(anew), 'revoked grant was', 'revoked grants were')} given again",
    )
    _record_reinstated(ended, anew, by, now)
    return tuple(anew)


def _locked(grants: Iterable[Grant]) -> list[Grant]:
    ended = list(
        Grant.objects.filter(pk__in=[grant.pk for grant in grants])
        .select_for_update(of=("self",))
        .select_related("organisation", "licensor", "licensee")
        .order_by("id")
    )
    if len({(one.organisation_id, one.deal) for one in ended}) != 1:
        raise ProvenanceError("Name the grants of one deal.")
    return ended


def _require_may_reinstate(ended: list[Grant], by: User, own_word: bool) -> None:
    organisation = ended[0].organisation
    access.require(by, organisation, access.REVOKES_GRANTS, "give a grant again")
    if own_word or access.may(by, organisation, access.WRITES_DATASETS):
        return
    if not _revoked_by(ended, by):
        raise NotAllowedError("A grant is given again by whoever revoked it, or by a data steward.")


def _revoked_by(ended: Iterable[Grant], by: User) -> bool:
    """Tell whether nobody else revoked them; of one that stands that is so, and `_given_again` says that it does."""
    return all(one.revoked_by_id in (None, by.pk) for one in ended)


def may_reinstate(grants: Iterable[Grant], by: User) -> bool:
    """Tell whether ``by`` may give these grants of one deal again on their own word."""
    ended = list(grants)
    return bool(ended) and any(
        access.may(by, ended[0].organisation, roles)
        for roles in (access.WRITES_DATASETS, *([access.REVOKES_GRANTS] if _revoked_by(ended, by) else []))
    )


def _given_again(
    old: Grant, deal: UUID, by: User, reason: str, now: datetime, valid_from: date | None
) -> Grant:
    if old.revoked_from is None:
        raise ConflictError(f"Grant {old.public_id} is not revoked: there is nothing to give again.")
    if Grant.objects.filter(reinstates=old).exists():
        raise ConflictError(f"Grant {old.public_id} was given again already.")
    first = max(now.date(), old.revoked_from.date(), old.valid_from or date.min)
    day = valid_from or first
    if day < first:
        raise ProvenanceError(
            f"Grant {old.public_id} is given again from {first:%-d %B %Y} on at the earliest: "
            "what was revoked until then stays so."
        )
    if old.valid_until is not None and old.valid_until <= day:
        raise ProvenanceError(
            f"The term of grant {old.public_id} ended on {old.valid_until:%-d %B %Y}: register a new grant."
        )
    repeated = {
        one.attname: getattr(old, one.attname)
        for one in Grant._meta.concrete_fields
        if one.name not in NOT_REPEATED
    }
    return Grant.objects.create(
        **repeated,
        deal=deal,
        key=canonical_sha256({"reinstates": str(old.public_id), "terms": old.key, "from": day.isoformat()}),
        valid_from=day,
        registered_by=by,
        registered_at=now,
        reinstates=old,
        reinstatement_reason=reason,
        reinstatement_salt=secrets.token_hex(16),
    )


def _repeat_subjects(old: Grant, new: Grant) -> None:
    """Name the same recordings, exclusively again where the terms say so and nobody else has it now."""
    repeated = [
        name for name in LINK_FIELDS if name not in ("grant_id", "exclusive", "valid_from", "valid_until")
    ]
    rows = (
        GrantRecording(
            grant=new, exclusive=new.exclusive, valid_from=new.valid_from, valid_until=new.valid_until, **row
        )
        for row in old.subjects.values(*repeated).order_by("id").iterator(chunk_size=2000)
    )
    try:
        with transaction.atomic():
            for batch in batches(rows, DEALS_AT_ONCE):
                GrantRecording.objects.bulk_create(batch)
    except IntegrityError as error:
        if "grant_exclusive_to_one" not in str(error):
            raise
        raise ConflictError(
            f"The {old.right} was given exclusively to somebody else since grant {old.public_id} was revoked: "
            "it can't be given again as it was."
        ) from error


def _record_reinstated(ended: list[Grant], anew: list[Grant], by: User, now: datetime) -> None:
    first = anew[0]
    ledger.record(
        kind="provenance.grant.reinstated",
        subject_kind="grant",
        subject_id=first.public_id,
        actor=by,
        organisation=first.organisation,
        now=now,
        body={
            "deal": str(first.deal),
            "revoked_deal": str(ended[0].deal),
            "grants": [
                {
                    "grant": str(new.public_id),
                    "reinstates": str(old.public_id),
                    "right": new.right,
                    "from": str(new.valid_from),
                    "terms_sha256": new.key,
                    "recordings": new.subjects.count(),
                    "reason_commitment": ledger.commitment(new.reinstatement_reason, new.reinstatement_salt),
                }
                for old, new in zip(ended, anew, strict=True)
            ],
        },
    )
