"""What people say of opt-outs: a rights holder declares one, and whoever may ends it for a reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from governance import access
from governance.errors import ConflictError
from governance.models import Organisation, Role, User
from lib.canonical import canonical_json
from provenance.errors import ProvenanceError
from provenance.models import (
    Dataset,
    EvidenceDocument,
    EvidenceKind,
    Party,
    Recording,
    Reservation,
    ReservationSource,
    ReservedRight,
)
from provenance.rights.territory import read_territory
from provenance.rights.values import PURPOSES
from provenance.services.binding import recordings_by_name, recordings_of_party, words_of
from provenance.services.evidence import keep_evidence
from provenance.services.reserving import RECORDS, Reserved, record_reservation, tell_ledger

DECLARES = (Role.LABEL_AUDITOR,)  # for parties that stand for their organisation
NAMED_AT_MOST = 20  # of the names that nothing goes by: a refusal is to be read


@dataclass(frozen=True)
class Declaration:
    """What a rights holder declares: about ``recordings`` (ids, sha256, ISRCs or external ids), ``isrcs``, or all of
    ``dataset``, what it comes to hold later too; none of these = all that the party holds.
    """

    party: str = ""
    recordings: tuple[str, ...] = ()
    isrcs: tuple[str, ...] = ()
    dataset: str = ""
    right: str = ReservedRight.BOTH
    purposes: tuple[str, ...] = ()  # none = training, mining and inference
    territory: tuple[str, ...] = ()
    declared_at: datetime | None = None
    evidence_name: str = ""
    evidence: bytes = b""
    evidence_url: str = ""


def parties_spoken_for(user: User, organisation: Organisation) -> QuerySet[Party]:
    """Return the parties for which a person may declare here."""
    parties = Party.objects.filter(organisation=organisation)
    if access.may(user, organisation, RECORDS):
        return parties
    theirs = [one for one in access.organisations_of(user) if access.may(user, one, DECLARES)]
    return parties.filter(stands_for__in=theirs)


@transaction.atomic
def declare_reservation(
    *, declaration: Declaration, organisation: Organisation, by: User, now: datetime
) -> Reserved:
    """Record what a rights holder declares: a steward or officer for anybody, a label auditor for her own label.

    A label's own declaration binds what the label is known to hold; naming another's recording does nothing to it.

    Raises
    ------
    ProvenanceError
        With everything that is wrong with it, or where it speaks of nothing that is here.
    """
    party = _party(declaration.party, organisation, by)
    records = access.may(by, organisation, RECORDS)
    problems = _problems(declaration, party)
    territory, unknown = read_territory(declaration.territory)
    problems += unknown
    dataset = _dataset(declaration.dataset, organisation, problems)
    if problems:
        raise ProvenanceError("; ".join(problems))
    named = {
        "recordings": list(declaration.recordings),
        "isrcs": list(declaration.isrcs),
        "dataset": str(dataset.public_id) if dataset else "",
    }
    said = {name: words for name, words in named.items() if words} | ({} if records else {"only_own": True})
    held = Reservation(
        organisation=organisation,
        right=declaration.right,
        purposes=sorted(set(declaration.purposes)),
        territory=territory,
        source=ReservationSource.DECLARED,
        party=party,
        location=declaration.evidence_url[:2000],
        raw=canonical_json(said).decode() if said else "",
        document=_document(declaration, organisation, by, now),
        declared_at=declaration.declared_at or now,
    )
    _require_subjects(held)
    return record_reservation(held, "", by, now)


def _party(name: str, organisation: Organisation, by: User) -> Party | None:
    """Return the party of that name; who records may name one that is new."""
    if access.may(by, organisation, RECORDS):
        if not name:
            return None
        return Party.objects.get_or_create(organisation=organisation, name=name[:500])[0]
    party = parties_spoken_for(by, organisation).filter(name=name).first()
    if party is None:
        access.require(by, organisation, RECORDS, f"declare an opt-out of {name or 'anybody'}")
    return party


def _problems(declaration: Declaration, party: Party | None) -> list[str]:
    problems = []
    about = declaration.recordings or declaration.isrcs or declaration.dataset
    if party is None and not about:
        problems.append(
            "name a party, recordings, ISRCs or a dataset: an opt-out of nobody about nothing binds nothing"
        )
    if unknown := [purpose for purpose in declaration.purposes if purpose not in PURPOSES]:
        problems.append(
            f"no purpose {', '.join(unknown)}: choose among {', '.join(PURPOSES)}, or none for all"
        )
    if declaration.right not in ReservedRight.values:
        problems.append(f"no right {declaration.right!r}: write master, composition or both")
    return problems


def _dataset(name: str, organisation: Organisation, problems: list[str]) -> Dataset | None:
    found = Dataset.objects.filter(organisation=organisation, name=name).first() if name else None
    if name and found is None:
        problems.append(f"there is no dataset {name}")
    return found


def _document(
    declaration: Declaration, organisation: Organisation, by: User, now: datetime
) -> EvidenceDocument | None:
    if not declaration.evidence:
        return None
    return keep_evidence(
        organisation=organisation,
        kind=EvidenceKind.RESERVATION,
        name=declaration.evidence_name or "declaration",
        content=declaration.evidence,
        by=by,
        now=now,
        url=declaration.evidence_url[:2000],
        effective_on=declaration.declared_at.date() if declaration.declared_at else None,
    )


def _require_subjects(held: Reservation) -> None:
    """Refuse names that nothing here goes by; a party without recordings may get some later, an ISRC too."""
    own = Recording.objects.filter(organisation=held.organisation)
    said = words_of(held)
    if said.get("only_own") and held.party is not None:
        own = recordings_of_party(held.party, own)
    named = said.get("recordings", [])
    found = {name for _, name in recordings_by_name(named, own, by_external_id=True)}
    if missing := [name for name in named if name not in found]:
        whose = f" of {held.party}" if said.get("only_own") else ""
        more = f" and {len(missing) - NAMED_AT_MOST} more" if len(missing) > NAMED_AT_MOST else ""
        raise ProvenanceError(
            f"there is no recording {', '.join(missing[:NAMED_AT_MOST])}{more}{whose} "
            "(external id, ISRC, sha256 or id)"
        )


@transaction.atomic
def withdraw_reservation(
    *, reservation: Reservation, by: User, reason: str, now: datetime, own_word: bool = False
) -> Reservation:
    """End an opt-out: its own party by its label auditor, any by a compliance officer. What was before stays so.

    ``own_word``: the caller has seen that it was recorded on the word of ``by``, whoever wrote it down.
    """
    held = Reservation.objects.select_for_update().get(pk=reservation.pk)
    if not own_word and not may_withdraw(by, held):
        access.require(by, held.organisation, access.DECIDES, "withdraw an opt-out")
    if not reason.strip():
        raise ProvenanceError("Withdrawing an opt-out needs a reason.")
    if held.withdrawn_at is not None:
        raise ConflictError("This opt-out is withdrawn already.")
    held.withdrawn_at, held.withdrawn_by, held.withdrawal_reason = now, by, reason.strip()
    held.save(update_fields=["withdrawn_at", "withdrawn_by", "withdrawal_reason"])
    tell_ledger("withdrawn", held, by, now, {"recordings": held.subjects.count()})
    return held


def may_withdraw(user: User, held: Reservation) -> bool:
    """Tell whether a person may end an opt-out: to let music be used is a decision, not book-keeping."""
    if access.may(user, held.organisation, access.DECIDES):
        return True
    stands_for = held.party.stands_for if held.party is not None else None
    return stands_for is not None and access.may(user, stands_for, DECLARES) and not user.is_system
