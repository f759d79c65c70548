"""Bilateral deals: registered from a file, each whole or with its bad rows left out."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from governance import access, ledger
from governance.models import Organisation, User
from governance.planning import refresh_statistics
from lib.batches import batches
from lib.canonical import canonical_json
from lib.figures import counted
from lib.ids import new_public_id
from lib.merkle import merkle_root
from provenance.bulk import copy_models, copy_rows
from provenance.errors import ProvenanceError
from provenance.intake.deals import Deal, Terms, read_deals
from provenance.intake.errors import IntakeError
from provenance.models import (
    Grant,
    GrantRecording,
    Party,
)
from provenance.models.ranges import country_ranges, purpose_ranges
from provenance.queries.subjects import Asked, Subjects
from provenance.services import exclusivity
from provenance.services.agreements import Agreements
from provenance.services.approving import reopen_approvals
from provenance.services.grant_keys import key_of
from provenance.services.parties import parties_named

DEALS_AT_ONCE = 2000
NAMES_NOTHING = "the deal names no recordings, works or dataset"
LINK_FIELDS = (
    *("grant_id", "recording_id", "exclusive", "right", "licensor_id", "licensee_id"),
    *("territory_ranges", "purpose_ranges", "valid_from", "valid_until"),
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
            "grants_by_right": self._by_right(),  # a split right has a grant for each licensor
            "recordings": self.n_recordings,
            "reasons": list(self.reasons),
            "notes": list(self.notes),
        }

    def _by_right(self) -> dict[str, list[dict[str, str]]]:
        found: dict[str, list[dict[str, str]]] = {}
        for grant in self.grants:
            one = {"grant": str(grant.public_id), "licensor": grant.licensor.name}
            found.setdefault(grant.right, []).append(one)
        return found


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


class _NoRoomError(Exception):
    """Some deals of a batch are refused; the rest is written without them."""


class _Registrar:
    """Registers batches of deals, each whole or with its bad rows left out."""

    def __init__(
        self, source: Path, by: User, organisation: Organisation, now: datetime, dry_run: bool
    ) -> None:
        self._agreements = Agreements(source, by, organisation, now)
        self._by = by
        self._organisation = organisation
        self._now = now
        self._dry_run = dry_run
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
        except _NoRoomError:
            self._forget()
            if rest := [plan for plan in plans if not plan.deal.problems]:
                self._keep_what_fits(rest)
        except IntegrityError as error:
            if "grant_exclusive_to_one" not in str(error):
                raise
            self._forget()
            if len(plans) == 1:
                plans[0].deal.problems += exclusivity.in_the_way(
                    self._organisation,
                    [one.terms for one in plans[0].wanted],
                    [key for key, _ in plans[0].recordings],
                )
                return
            middle = len(plans) // 2
            self._keep_what_fits(plans[:middle])
            self._keep_what_fits(plans[middle:])

    def _forget(self) -> None:
        """Forget what was made in a transaction that came to nothing."""
        self._parties.clear()
        self._agreements.forget_kept()

    def _find_recordings(self, plans: list[_Plan]) -> None:
        for plan, found in zip(plans, self._subjects.of([_asked(plan.deal) for plan in plans]), strict=True):
            plan.recordings = found.recordings
            plan.deal.problems += found.problems or ([] if found.recordings else [NAMES_NOTHING])

    def _find_documents(self, plans: Iterable[_Plan]) -> None:
        for plan in plans:
            for terms in plan.deal.terms:
                try:
                    plan.wanted.append(_Wanted(terms, self._agreements.hash_of(terms.document)))
                except ProvenanceError as error:
                    plan.deal.problems.append(str(error))

    def _keep(self, plans: list[_Plan]) -> None:
        """Write what is new of a batch; the ledger's line last."""
        exclusivity.hold(self._organisation)
        self._know_parties(one.terms for plan in plans for one in plan.wanted)
        self._key(plans)
        fresh = [(plan, one) for plan in plans for one in plan.fresh]
        if not fresh:
            return
        copy_models([one.grant for _, one in fresh if one.grant is not None])
        copy_rows(GrantRecording, LINK_FIELDS, _links(fresh))
        self._weigh_exclusivity(fresh)
        links = GrantRecording.objects.filter(grant__in=[one.grant for _, one in fresh])
        reopen_approvals(
            touching=links,
            organisation=self._organisation,
            by=self._by,
            now=self._now,
            why=f"{counted(len(fresh), 'grant was', 'grants were')} registered",
        )
        self._record(fresh)

    def _weigh_exclusivity(self, fresh: list[tuple[_Plan, _Wanted]]) -> None:
        """Refuse the deals that an exclusive one leaves no room for, all at once; note what stands beside one."""
        written = {one.grant.pk: (plan, one) for plan, one in fresh if one.grant is not None}
        weighed = exclusivity.weigh(
            [one.grant for _, one in written.values() if one.grant is not None],
            now=self._now,
            documents={key: one.terms.document_date for key, (_, one) in written.items()},
            deals={key: plan.deal.row for key, (plan, _) in written.items()},
        )
        for key, reasons in weighed.refusals.items():
            written[key][0].deal.problems += reasons
        if weighed.refusals:
            raise _NoRoomError
        for key, notes in weighed.notes.items():
            written[key][0].deal.notes += notes

    def _key(self, plans: list[_Plan]) -> None:
        for plan in plans:
            ids = [public_id for _, public_id in plan.recordings]
            for one in plan.wanted:
                one.key = key_of(one.terms, document_sha256=one.document_sha256, recordings=ids)
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
            agreement=None if self._dry_run else self._agreements.keep(terms),
            chain_of_title=list(terms.chain_of_title),
            exclusive=terms.exclusive,
            exclusive_except=list(terms.exclusive_except),
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


def _asked(deal: Deal) -> Asked:
    return Asked(deal.recordings, deal.isrcs, deal.works, deal.dataset)


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
