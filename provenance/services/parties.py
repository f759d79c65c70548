"""Parties: who they are, by which identifiers, and which organisation they stand for."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from governance import access, ledger
from governance.models import Organisation, User
from provenance.errors import ProvenanceError
from provenance.models import Party


def parties_named(names: Iterable[str], organisation: Organisation) -> dict[str, Party]:
    """Return the parties of those names; who was not known is known from now on."""
    wanted = set(names)
    own = Party.objects.filter(organisation=organisation, name__in=wanted)
    missing = wanted - set(own.values_list("name", flat=True))
    Party.objects.bulk_create(
        [Party(organisation=organisation, name=name) for name in sorted(missing)], ignore_conflicts=True
    )
    return {party.name: party for party in own.all()}


@transaction.atomic
def identify_party(*, party: Party, organisation: Organisation | None, by: User, now: datetime) -> Party:
    """Say which organisation a party is, or with None that it is none here.

    From then on a grant to somebody else does not answer for that organisation, and its people see the grants that
    name the party.
    """
    access.require(by, party.organisation, access.RESOLVES_CONFLICTS, "say who a party is")
    if party.stands_for == organisation:
        return party
    if by.is_system:
        raise ProvenanceError("Who a party is, a person says: --as USER.")
    party.stands_for = organisation
    party.save(update_fields=["stands_for"])
    ledger.record(
        kind="provenance.party.identified",
        subject_kind="party",
        subject_id=party.public_id,
        actor=by,
        organisation=party.organisation,
        now=now,
        body={"stands_for": str(organisation.public_id) if organisation else None},
    )
    return party
