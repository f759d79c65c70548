"""Bilateral deals: registering grants, revoking them, and giving again what was revoked."""

import mimetypes
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from governance import access, ledger
from governance.errors import ConflictError, NotAllowedError
from governance.models import Organisation, User
from governance.planning import refresh_statistics
from lib.batches import batches
from lib.canonical import canonical_json, canonical_sha256, sha256_hex
from lib.figures import counted
from lib.ids import new_public_id
from lib.merkle import merkle_root
from provenance.bulk import copy_models, copy_rows
from provenance.errors import ProvenanceError
from provenance.intake.deals import Deal, Terms, read_deals
from provenance.intake.errors import IntakeError
from provenance.models import (
    EvidenceDocument,
    EvidenceKind,
    Grant,
    GrantRecording,
    Party,
)
from provenance.models.ranges import country_ranges, purpose_ranges
from provenance.queries.subjects import Asked, Subjects
from provenance.services.approving import reopen_approvals
from provenance.services.evidence import MAX_BYTES, keep_evidence
from provenance.services.parties import parties_named

DEALS_AT_ONCE = 2000
NAMES_NOTHING = "the deal names no recordings, works or dataset"
LINK_FIELDS = (
    *("grant_id", "recording_id", "exclusive", "right", "licensor_id", "licensee_id"),
    *("territory_ranges", "purpose_ranges", "valid_from", "valid_until"),
)
LATER_TERMS = tuple(  # in a grant's key only where a deal says them: what was registered before keeps its key
    term.name
    for term in fields(Terms)
    if term.name
    in (
        *(
            "share",
            "basis",
            "sunset_on",
            "output_uses",
            "exclusive",
            "sublicensing",
            "attribution",
            "revocable",
        ),
        *("notice_days", "remuneration", "remuneration_terms", "chain_of_title", "document_date"),
    )
)


@dataclass(frozen=True)
class GrantOutcome:
    row: int
    status: str  # registered, duplicate or rejected
    grants: tuple[Grant, ...] = ()
    n_recordings: int = 0
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "row": self.row,
            "status": self.status,
            "deal": str(self.grants[0].deal) if self.grants else None,
            "grants": [str(grant.public_id) for grant in self.grants],
            "grant": str(self.grants[0].public_id) if self.grants else None,
            "rights": {grant.right: str(grant.public_id) for grant in self.grants},
            "recordings": self.n_recordings,
            "reasons": list(self.reasons),
            "notes": list(self.notes),
        }


def register_grants(
    *,
    source: Path,
    by: User,
    organisation: Organisation,
    now: datetime,
    dry_run: bool = False,
    tell: Callable[[GrantOutcome], None] | None = None,
) -> list[GrantOutcome]:
    """Register each good row of a file of deals; a bad row is rejected with its reasons.

    An approval of a dataset does not cover a grant that came after it: every dataset that holds one of the
    recordings goes back before those who decide.
    """
    access.require(by, organisation, access.WRITES_DATASETS, "register a grant")
    registrar = _Registrar(source.resolve(), by, organisation, now, dry_run)
    outcomes: list[GrantOutcome] = []
    with transaction.atomic() if dry_run else nullcontext():
        for batch in batches(_deals(source), DEALS_AT_ONCE):
            told = registrar.register(batch)
            outcomes += told
            if tell is not None:
                for outcome in told:
                    tell(outcome)
        if dry_run:
            transaction.set_rollback(True)
        else:
            refresh_statistics((Grant, GrantRecording), n_rows=sum(one.n_recordings for one in outcomes))
    return outcomes


def _deals(source: Path) -> Iterator[Deal]:
    try:
        yield from read_deals(source)
    except IntakeError as error:
        raise ProvenanceError(f"{error}.") from error
    except OSError as error:
        raise ProvenanceError(f"{source} can't be read: {error.strerror}.") from error


@dataclass
class _Wanted:
    """One grant of one deal on its way into the database."""

    terms: Terms
    document_sha256: str
    key: str = ""
    grant: Grant | None = None
    is_new: bool = False


@dataclass
class _Plan:
    deal: Deal
    recordings: list[tuple[int, str]] = field(default_factory=list)  # key and public id, in the keys' order
    wanted: list[_Wanted] = field(default_factory=list)

    @property
    def fresh(self) -> list[_Wanted]:
        return [one for one in self.wanted if one.is_new]

    def outcome(self) -> GrantOutcome:
        notes = tuple(self.deal.notes)
        if self.deal.problems:
            return GrantOutcome(self.deal.row, "rejected", reasons=tuple(self.deal.problems), notes=notes)
        grants = tuple(one.grant for one in self.wanted if one.grant is not None)
        status = "registered" if self.fresh else "duplicate"
        return GrantOutcome(self.deal.row, status, grants, len(self.recordings), notes=notes)


class _Registrar:
    """Registers batches of deals, each whole or with its bad rows left out."""

    def __init__(
        self, source: Path, by: User, organisation: Organisation, now: datetime, dry_run: bool
    ) -> None:
        self._source = source
        self._folder = source.parent
        self._by = by
        self._organisation = organisation
        self._now = now
        self._dry_run = dry_run
        self._hashes: dict[str, str | ProvenanceError] = {}
        self._kept: dict[tuple[str, date | None], EvidenceDocument | None] = {}
        self._parties: dict[str, Party] = {}
        self._subjects = Subjects(organisation)

    def register(self, deals: list[Deal]) -> list[GrantOutcome]:
        plans = [_Plan(deal) for deal in deals]
        self._find_recordings(plans)
        self._find_documents(plans)
        if good := [plan for plan in plans if not plan.deal.problems]:
            self._keep_what_fits(good)
        return [plan.outcome() for plan in plans]

    def _keep_what_fits(self, plans: list[_Plan]) -> None:
        """Write all, or halves of them, down to the deal that another's exclusivity leaves no room for."""
        for plan in plans:
            plan.wanted = [_Wanted(one.terms, one.document_sha256) for one in plan.wanted]
        try:
            with transaction.atomic():
                self._keep(plans)
        except IntegrityError as error:
            if "grant_exclusive_to_one" not in str(error):
                raise
            self._forget()
            if len(plans) == 1:
                plans[0].deal.problems += self._in_the_way(plans[0])
                return
            middle = len(plans) // 2
            self._keep_what_fits(plans[:middle])
            self._keep_what_fits(plans[middle:])

    def _forget(self) -> None:
        """Forget what was made in a transaction that came to nothing."""
        self._parties.clear()
        self._kept.clear()

    def _find_recordings(self, plans: list[_Plan]) -> None:
        for plan, found in zip(plans, self._subjects.of([_asked(plan.deal) for plan in plans]), strict=True):
            plan.recordings = found.recordings
            plan.deal.problems += found.problems or ([] if found.recordings else [NAMES_NOTHING])

    def _find_documents(self, plans: Iterable[_Plan]) -> None:
        for plan in plans:
            for terms in plan.deal.terms:
                try:
                    plan.wanted.append(_Wanted(terms, self._hash(terms.document)))
                except ProvenanceError as error:
                    plan.deal.problems.append(str(error))

    def _hash(self, document: str) -> str:
        """Return the hash of a document that lies beside the file; empty where it is only named."""
        if document not in self._hashes:
            try:
                path = self._path(document)
                self._hashes[document] = sha256_hex(path.read_bytes()) if path else ""
            except ProvenanceError as error:
                self._hashes[document] = error
        known = self._hashes[document]
        if isinstance(known, ProvenanceError):
            raise known
        return known

    def _path(self, document: str) -> Path | None:
        if not document or "://" in document:
            return None
        path = (self._folder / document).resolve()
        if not path.is_relative_to(self._folder):
            raise ProvenanceError(f"document {document!r} lies outside the folder of the file of deals")
        if path == self._source or not path.is_file():
            return None
        size = path.stat().st_size
        if not 0 < size <= MAX_BYTES:
            raise ProvenanceError(
                f"document {document!r} has {size} bytes; one is kept from 1 to {MAX_BYTES}"
            )
        return path

    def _keep(self, plans: list[_Plan]) -> None:
        """Write what is new of a batch; the ledger's line last."""
        self._know_parties(one.terms for plan in plans for one in plan.wanted)
        self._key(plans)
        fresh = [(plan, one) for plan in plans for one in plan.fresh]
        if not fresh:
            return
        copy_models([one.grant for _, one in fresh if one.grant is not None])
        copy_rows(GrantRecording, LINK_FIELDS, _links(fresh))
        links = GrantRecording.objects.filter(grant__in=[one.grant for _, one in fresh])
        reopen_approvals(
            touching=links,
            organisation=self._organisation,
            by=self._by,
            now=self._now,
            why=f"{counted(len(fresh), 'grant was', 'grants were')} registered",
        )
        self._record(fresh)

    def _key(self, plans: list[_Plan]) -> None:
        for plan in plans:
            ids = [public_id for _, public_id in plan.recordings]
            for one in plan.wanted:
                one.key = _key(one, ids)
        wanted = {one.key for plan in plans for one in plan.wanted}
        own = Grant.objects.filter(organisation=self._organisation, key__in=wanted)
        known = {grant.key: grant for grant in own.select_related("licensor", "licensee")}
        for plan in plans:
            joined = next((known[one.key].deal for one in plan.wanted if one.key in known), new_public_id())
            for one in plan.wanted:
                one.grant = known.get(one.key)
                one.is_new = one.grant is None
                if one.grant is None:
                    one.grant = known[one.key] = self._grant(joined, one)

    def _know_parties(self, wanted: Iterable[Terms]) -> None:
        names = {name for terms in wanted for name in (terms.licensor[:500], terms.licensee[:500])}
        if missing := names - self._parties.keys():
            self._parties |= parties_named(missing, self._organisation)

    def _grant(self, deal: UUID, one: _Wanted) -> Grant:
        terms = one.terms
        return Grant(
            deal=deal,
            key=one.key,
            organisation=self._organisation,
            licensor=self._parties[terms.licensor[:500]],
            licensee=self._parties[terms.licensee[:500]],
            right=terms.right,
            basis=terms.basis,
            share_percent=terms.share,
            purposes=list(terms.purposes),
            commercial=terms.commercial,
            territory=list(terms.territory),
            valid_from=terms.valid_from,
            valid_until=terms.valid_until,
            model_scope=list(terms.model_scope),
            document=terms.document,
            document_sha256=one.document_sha256,
            conditions=list(terms.conditions),
            agreement=self._agreement(terms),
            chain_of_title=list(terms.chain_of_title),
            exclusive=terms.exclusive,
            sunset_on=terms.sunset_on,
            output_uses=list(terms.output_uses),
            sublicensing=terms.sublicensing,
            attribution=terms.attribution,
            revocable=terms.revocable,
            notice_days=terms.notice_days,
            remuneration=terms.remuneration,
            remuneration_terms=terms.remuneration_terms,
            registered_by=self._by,
            registered_at=self._now,
        )

    def _agreement(self, terms: Terms) -> EvidenceDocument | None:
        path = None if self._dry_run else self._path(terms.document)
        if path is None:
            return None
        key = (terms.document, terms.document_date or terms.valid_from)
        if key not in self._kept:
            self._kept[key] = keep_evidence(
                organisation=self._organisation,
                kind=EvidenceKind.AGREEMENT,
                name=path.name,
                content=path.read_bytes(),
                by=self._by,
                now=self._now,
                media_type=mimetypes.guess_type(path.name)[0] or "",
                effective_on=key[1],
                confidential=True,
            )
        return self._kept[key]

    def _record(self, fresh: list[tuple[_Plan, _Wanted]]) -> None:
        grants = [(one.grant, one.key, len(plan.recordings)) for plan, one in fresh if one.grant is not None]
        leaves = [
            canonical_json({"grant": str(grant.public_id), "terms_sha256": key, "recordings": n_recordings})
            for grant, key, n_recordings in grants
        ]
        first = grants[0][0]
        ledger.record(
            kind="provenance.grant.registered",
            subject_kind="grant",
            subject_id=first.public_id,
            actor=self._by,
            organisation=self._organisation,
            now=self._now,
            body={
                "deal": str(first.deal),
                "grants": len(grants),
                "recordings": sum(n_recordings for _, _, n_recordings in grants),
                "merkle_root": merkle_root(leaves).hex(),
            },
        )

    def _in_the_way(self, plan: _Plan) -> list[str]:
        """Name the exclusive grants that leave no room for a deal."""
        ids = [key for key, _ in plan.recordings]
        found: list[str] = []
        for terms in (one.terms for one in plan.wanted if one.terms.exclusive):
            standing = GrantRecording.objects.filter(
                recording_id__in=ids,
                right=terms.right,
                licensor__name=terms.licensor[:500],
                licensor__organisation=self._organisation,
                exclusive=True,
            ).exclude(licensee__name=terms.licensee[:500])
            overlapping = standing.extra(
                where=[
                    "territory_ranges && %s",
                    "purpose_ranges && %s",
                    '"provenance_grantrecording"."valid_from" IS NULL OR %s::date IS NULL '
                    'OR "provenance_grantrecording"."valid_from" < %s::date',
                    '"provenance_grantrecording"."valid_until" IS NULL OR %s::date IS NULL '
                    'OR "provenance_grantrecording"."valid_until" > %s::date',
                ],
                params=[
                    country_ranges(terms.territory),
                    purpose_ranges(terms.purposes),
                    *(terms.valid_until, terms.valid_until),
                    *(terms.valid_from, terms.valid_from),
                ],
            )
            for link in overlapping.select_related("grant", "licensee", "recording").order_by("id")[:1]:
                found.append(
                    f"the {terms.right} of {link.recording} is given exclusively to {link.licensee} already: "
                    f"grant {link.grant.public_id}"
                )
        return found or ["an exclusive grant of the same right stands in the way"]


def _asked(deal: Deal) -> Asked:
    return Asked(deal.recordings, deal.isrcs, deal.works, deal.dataset)


def _key(one: _Wanted, recordings: list[str]) -> str:
    terms = one.terms
    said: dict[str, Any] = {
        "licensor": terms.licensor,
        "licensee": terms.licensee,
        "purposes": list(terms.purposes),
        "commercial": terms.commercial,
        "territory": list(terms.territory),
        "valid_from": terms.valid_from,
        "valid_until": terms.valid_until,
        "model_scope": list(terms.model_scope),
        "conditions": list(terms.conditions),
        "document": terms.document,
        "document_sha256": one.document_sha256,
        "right": terms.right,
        "recordings": recordings,
    }
    plain = Terms(terms.right, "", "", ())
    for name in LATER_TERMS:
        if getattr(terms, name) != getattr(plain, name):
            said[name] = getattr(terms, name)
    return canonical_sha256({name: _plain(value) for name, value in said.items()})


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"
    return list(value) if isinstance(value, tuple) else value


def _links(fresh: list[tuple[_Plan, _Wanted]]) -> Iterator[tuple[Any, ...]]:
    """Yield a row for each recording of each grant, with what the exclusion constraint compares."""
    for plan, one in fresh:
        grant, terms = one.grant, one.terms
        if grant is None:
            continue
        repeated = (
            *(terms.exclusive, terms.right, grant.licensor_id, grant.licensee_id),
            *(country_ranges(terms.territory), purpose_ranges(terms.purposes)),
            *(terms.valid_from, terms.valid_until),
        )
        for recording_id, _ in plan.recordings:
            yield (grant.pk, recording_id, *repeated)


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


NOT_REPEATED = frozenset(
    {
        *("id", "public_id", "deal", "key", "valid_from", "registered_by", "registered_at"),
        *("revoked_from", "revoked_at", "revoked_by", "revocation_reason", "revocation_salt"),
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
    ended = list(
        Grant.objects.filter(pk__in=[grant.pk for grant in grants])
        .select_for_update(of=("self",))
        .select_related("organisation", "licensor", "licensee")
        .order_by("id")
    )
    if len({(one.organisation_id, one.deal) for one in ended}) != 1:
        raise ProvenanceError("Name the grants of one deal.")
    _require_may_reinstate(ended, by, own_word)
    if not reason.strip():
        raise ProvenanceError("Giving a grant again needs a reason.")
    deal = new_public_id()
    anew = [_given_again(one, deal, by, reason.strip(), now, valid_from) for one in ended]
    for old, new in zip(ended, anew, strict=True):
        _repeat_subjects(old, new)
    reopen_approvals(
        touching=GrantRecording.objects.filter(grant__in=anew),
        organisation=ended[0].organisation,
        by=by,
        now=now,
        why=f"{counted(len(anew), 'revoked grant was', 'revoked grants were')} given again",
    )
    _record_reinstated(ended, anew, by, now)
    return tuple(anew)


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
    repeated = [name for name in LINK_FIELDS if name not in ("grant_id", "exclusive", "valid_from")]
    rows = (
        GrantRecording(grant=new, exclusive=new.exclusive, valid_from=new.valid_from, **row)
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
