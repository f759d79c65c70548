"""Opening a version's card to strangers, and closing it again."""

import secrets
from datetime import datetime

from django.db import transaction

from generation.errors import GenerationError
from generation.models import ModelVersion, Publication
from governance import access, ledger
from governance.errors import ConflictError, NotAllowedError
from governance.models import User


@transaction.atomic
def publish_card(*, version: ModelVersion, reason: str, by: User, now: datetime) -> Publication:
    """Show a version's card to everybody from now on; whoever registered the version can't."""
    access.require(by, version.model.organisation, access.DECIDES, "publish a model's card")
    if by.is_system or version.registered_by_id == by.pk:
        raise NotAllowedError(f"{by.username} registered {version}: somebody else must publish its card.")
    if not reason.strip():
        raise GenerationError("Publishing a card needs a reason.")
    locked = ModelVersion.objects.select_for_update(of=("self",)).get(pk=version.pk)
    if locked.publications.filter(withdrawn_at=None).exists():
        raise ConflictError(f"The card of {version} is public already.")
    publication = Publication.objects.create(
        model_version=locked,
        published_by=by,
        published_at=now,
        reason=reason.strip(),
        salt=secrets.token_hex(16),
    )
    _record(publication, "published", publication.reason, by, now)
    return publication


@transaction.atomic
def withdraw_card(*, version: ModelVersion, reason: str, by: User, now: datetime) -> Publication:
    """Show a version's card to strangers no more. What was read stays read."""
    access.require(by, version.model.organisation, access.DECIDES, "withdraw a model's card")
    if not reason.strip():
        raise GenerationError("Withdrawing a card needs a reason.")
    publication = version.publications.select_for_update(of=("self",)).filter(withdrawn_at=None).first()
    if publication is None:
        raise ConflictError(f"The card of {version} is not public.")
    publication.withdrawn_by, publication.withdrawn_at = by, now
    publication.withdrawal_reason = reason.strip()
    publication.save(update_fields=["withdrawn_by", "withdrawn_at", "withdrawal_reason"])
    _record(publication, "withdrawn", publication.withdrawal_reason, by, now)
    return publication


def _record(publication: Publication, deed: str, reason: str, by: User, now: datetime) -> None:
    version = publication.model_version
    ledger.record(
        kind=f"generation.card.{deed}",
        subject_kind="model_version",
        subject_id=version.public_id,
        actor=by,
        organisation=version.model.organisation,
        now=now,
        body={
            "publication": str(publication.public_id),
            "reason_commitment": ledger.commitment(reason, publication.salt),
        },
    )
