"""Claims: who holds how much of which right, registered from files and pages, and withdrawn."""

import mimetypes
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import transaction

from governance import access, ledger
from governance.errors import ConflictError
from governance.models import Organisation, User
from lib.batches import batches
from lib.canonical import canonical_json
from lib.figures import counted
from lib.ids import new_public_id
from lib.merkle import merkle_root
from provenance.bulk import copy_rows
from provenance.errors import ProvenanceError
from provenance.intake.claims import ClaimRow, read_claims
from provenance.intake.errors import IntakeError
from provenance.models import EvidenceDocument, EvidenceKind, Party, RightsClaim
from provenance.models.ranges import country_ranges
from provenance.queries.subjects import Asked, Subjects
from provenance.rights import names
from provenance.rights.territory import countries
from provenance.services.approving import reopen_approvals
from provenance.services.evidence import keep_evidence
from provenance.services.parties import parties_named
from provenance.services.shares import find_share_conflicts

ROWS_AT_ONCE = 2000
IDS_SHOWN = 100
FIELDS = (
    *("public_id", "recording_id", "party_id", "right", "role", "share_percent", "territory"),
    *("territory_ranges", "valid_from", "valid_until", "source", "evidence", "document_id", "recorded_at"),
)
Key = tuple[int, str, str, str, str]  # recording, party as names are compared, right, role, source


@dataclass(frozen=True)
class ClaimOutcome:
    row: int
    status: str  # registered, duplicate or rejected
    party: str = ""
    claims: tuple[UUID, ...] = ()
    n_recordings: int = 0
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "row": self.row,
            "status": self.status,
            "party": self.party,
            "claims": [str(public_id) for public_id in self.claims[:IDS_SHOWN]],
            "n_claims": len(self.claims),
            "recordings": self.n_recordings,
            "reasons": list(self.reasons),
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class ClaimsRegistered:
    outcomes: list[ClaimOutcome]
    n_findings: int  # of shares that don't add up, and of sources that disagree, opened by this run

    def counts(self) -> dict[str, int]:
        counts = dict.fromkeys(("registered", "duplicate", "rejected"), 0)
        for outcome in self.outcomes:
            counts[outcome.status] += 1
        return {**counts, "findings": self.n_findings}


def register_claims(
    *,
    source: Path,
    by: User,
    organisation: Organisation,
    now: datetime,
    dry_run: bool = False,
    tell: Callable[[ClaimOutcome], None] | None = None,
) -> ClaimsRegistered:
    """Register each good row of a file of claims; then say where shares leave a gap, overlap or are disputed."""
    return register_claim_rows(
        rows=_rows(source),
        by=by,
        organisation=organisation,
        now=now,
        dry_run=dry_run,
        tell=tell,
        folder=source.parent.resolve(),
    )


def register_claim_rows(
    *,
    rows: Iterable[ClaimRow],
    by: User,
    organisation: Organisation,
    now: datetime,
    dry_run: bool = False,
    tell: Callable[[ClaimOutcome], None] | None = None,
    folder: Path | None = None,
) -> ClaimsRegistered:
    """Register claims that were read already; ``folder`` is where documents may lie beside their file."""
    access.require(by, organisation, access.WRITES_DATASETS, "register a claim")
    registrar = _Registrar(by, organisation, now, None if dry_run else folder)
    outcomes: list[ClaimOutcome] = []
    n_findings = 0
    with transaction.atomic() if dry_run else nullcontext():
        for batch in batches(rows, ROWS_AT_ONCE):
            with transaction.atomic():
                told = registrar.register(batch)
            outcomes += told
            if tell is not None:
                for outcome in told:
                    tell(outcome)
        if registrar.touched:
            n_findings = find_share_conflicts(
                recordings=registrar.touched, organisation=organisation, by=by, now=now
            )
        if dry_run:
            transaction.set_rollback(True)
    return ClaimsRegistered(outcomes, n_findings)


def _rows(source: Path) -> Iterator[ClaimRow]:
    try:
        yield from read_claims(source)
    except IntakeError as error:
        raise ProvenanceError(f"{error}.") from error
    except OSError as error:
        raise ProvenanceError(f"{source} can't be read: {error.strerror}.") from error


@dataclass(frozen=True, slots=True)
class _Standing:
    """A claim that stands, or is about to."""

    public_id: UUID
    share: Decimal | None
    territory: tuple[str, ...]
    valid_from: date | None
    valid_until: date | None

    def same(self, other: "_Standing") -> bool:
        return (self.share, countries(self.territory), self.valid_from, self.valid_until) == (
            other.share,
            countries(other.territory),
            other.valid_from,
            other.valid_until,
        )

    def meets(self, other: "_Standing") -> bool:
        apart = (self.valid_until and other.valid_from and self.valid_until <= other.valid_from) or (
            other.valid_until and self.valid_from and other.valid_until <= self.valid_from
        )
        return not apart and bool(countries(self.territory) & countries(other.territory))


@dataclass
class _Registrar:
    by: User
    organisation: Organisation
    now: datetime
    folder: Path | None
    touched: set[int] = field(default_factory=set)
    _documents: dict[str, EvidenceDocument | None] = field(default_factory=dict)
    _subjects: Subjects | None = None

    def register(self, rows: list[ClaimRow]) -> list[ClaimOutcome]:
        """Write what is new of a batch, the ledger's line last."""
        self._subjects = self._subjects or Subjects(self.organisation)
        asked = [Asked(row.recordings, row.isrcs, row.works, row.dataset) for row in rows]
        found = self._subjects.of(asked)
        for row, one in zip(rows, found, strict=True):
            row.problems += one.problems
            if not one.recordings and not row.problems:
                row.problems.append("the row names no recordings, works or dataset")
        good = [(row, one.recordings) for row, one in zip(rows, found, strict=True) if not row.problems]
        parties = parties_named({row.party[:500] for row, _ in good}, self.organisation)
        _identify(parties, [row for row, _ in good])
        standing = _standing({key for _, held in good for key, _ in held})
        fresh: list[tuple[Any, ...]] = []
        outcomes = []
        recordings = dict(zip(map(id, rows), found, strict=True))
        for row in rows:
            held = recordings[id(row)].recordings
            new = [] if row.problems else self._new(row, held, parties, standing)
            fresh += new
            outcomes.append(_outcome(row, new, len(held)))
        self._write(fresh)
        return outcomes

    def _new(
        self,
        row: ClaimRow,
        held: Sequence[tuple[int, str]],
        parties: dict[str, Party],
        standing: dict[Key, list[_Standing]],
    ) -> list[tuple[Any, ...]]:
        party = parties[row.party[:500]]
        world = country_ranges(row.territory)
        new: list[tuple[Any, ...]] = []
        noted: list[tuple[Key, _Standing]] = []
        document = self._document(row)
        for recording_id, public_id in held:
            for right in row.rights:
                key = (recording_id, names.party(party.name), right, row.role, row.source)
                claim = _Standing(new_public_id(), row.share, row.territory, row.valid_from, row.valid_until)
                there = [one for one in standing[key] if one.meets(claim)]
                if any(one.same(claim) for one in there):
                    continue
                if there:
                    row.problems.append(
                        f"{party.name} claims the {right} of {public_id} otherwise already by the same source "
                        f"(claim {there[0].public_id}): withdraw that first"
                    )
                    return []
                noted.append((key, claim))
                new.append(
                    (
                        *(claim.public_id, recording_id, party.pk, right, row.role, row.share),
                        *(list(row.territory), world, row.valid_from, row.valid_until, row.source),
                        *(row.evidence[:1000], document.pk if document else None, self.now),
                    )
                )
        for key, claim in noted:
            standing[key].append(claim)
        return new

    def _document(self, row: ClaimRow) -> EvidenceDocument | None:
        if not row.document or self.folder is None:
            return None
        if row.document not in self._documents:
            path = (self.folder / row.document).resolve()
            beside = path.is_relative_to(self.folder) and path.is_file()
            self._documents[row.document] = (
                keep_evidence(
                    organisation=self.organisation,
                    kind=EvidenceKind.AGREEMENT,
                    name=path.name,
                    content=path.read_bytes(),
                    by=self.by,
                    now=self.now,
                    media_type=mimetypes.guess_type(path.name)[0] or "",
                    effective_on=row.valid_from,
                    confidential=True,
                )
                if beside
                else None
            )
        if self._documents[row.document] is None:
            row.notes.append(
                f"document {row.document!r} does not lie beside the file: only its name is known"
            )
            row.evidence = row.evidence or row.document
        return self._documents[row.document]

    def _write(self, fresh: list[tuple[Any, ...]]) -> None:
        if not fresh:
            return
        copy_rows(RightsClaim, FIELDS, fresh)
        self.touched |= {row[1] for row in fresh}
        written = RightsClaim.objects.filter(public_id__in=[row[0] for row in fresh])
        reopen_approvals(
            touching=written,
            organisation=self.organisation,
            by=self.by,
            now=self.now,
            why=f"{counted(len(fresh), 'claim was', 'claims were')} registered",
        )
        leaves = [
            canonical_json(
                {"claim": str(row[0]), "right": row[3], "share": None if row[5] is None else str(row[5])}
            )
            for row in fresh
        ]
        ledger.record(
            kind="provenance.claims.registered",
            subject_kind="claim",
            subject_id=fresh[0][0],
            actor=self.by,
            organisation=self.organisation,
            now=self.now,
            body={"claims": len(fresh), "merkle_root": merkle_root(leaves).hex()},
        )


def _outcome(row: ClaimRow, new: list[tuple[Any, ...]], n_recordings: int) -> ClaimOutcome:
    notes = tuple(dict.fromkeys(row.notes))
    if row.problems:
        reasons = tuple(dict.fromkeys(row.problems))
        return ClaimOutcome(row.row, "rejected", row.party, reasons=reasons, notes=notes)
    status = "registered" if new else "duplicate"
    return ClaimOutcome(row.row, status, row.party, tuple(one[0] for one in new), n_recordings, notes=notes)


def _identify(parties: dict[str, Party], rows: list[ClaimRow]) -> None:
    """Keep identifiers as they were written; one that contradicts what is known makes its row a bad one."""
    for row in rows:
        party = parties[row.party[:500]]
        changed = []
        for scheme, written in row.identifiers.items():
            known = getattr(party, scheme)
            if known and known != written:
                row.problems.append(
                    f"{party.name} is known by {scheme} {known}, not {written}: is it another party?"
                )
            elif not known:
                setattr(party, scheme, written)
                changed.append(scheme)
        if changed and not row.problems:
            party.save(update_fields=changed)


def _standing(recordings: set[int]) -> dict[Key, list[_Standing]]:
    found: dict[Key, list[_Standing]] = defaultdict(list)
    rows = RightsClaim.objects.filter(recording_id__in=recordings, withdrawn_at=None).values_list(
        *("recording_id", "party__name", "right", "role", "source"),
        *("public_id", "share_percent", "territory", "valid_from", "valid_until"),
    )
    for recording_id, party, right, role, source, public_id, share, where, begin, end in rows:
        key = (recording_id, names.party(party), right, role, source)
        found[key].append(_Standing(public_id, share, tuple(where), begin, end))
    return found


@transaction.atomic
def withdraw_claim(*, claim: RightsClaim, by: User, now: datetime) -> RightsClaim:
    """Let a claim no longer hold. It stays on record, and what was approved while it held is looked at again."""
    organisation = claim.recording.organisation
    access.require(by, organisation, access.WRITES_DATASETS, "withdraw a claim")
    if RightsClaim.objects.filter(pk=claim.pk, withdrawn_at=None).update(withdrawn_at=now) != 1:
        raise ConflictError("This claim is withdrawn already.")
    claim.refresh_from_db()
    find_share_conflicts(recordings={claim.recording_id}, organisation=organisation, by=by, now=now)
    reopen_approvals(
        touching=RightsClaim.objects.filter(pk=claim.pk),
        organisation=organisation,
        by=by,
        now=now,
        why="a claim was withdrawn",
    )
    ledger.record(
        kind="provenance.claim.withdrawn",
        subject_kind="claim",
        subject_id=claim.public_id,
        actor=by,
        organisation=organisation,
        now=now,
        body={"right": claim.right},
    )
    return claim
