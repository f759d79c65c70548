"""Opt-outs: recorded as they were published, or found in files; declared and withdrawn in `declaring`.

An opt-out binds recordings: by the address they were got from, by the party that holds rights in them, by their ids
or ISRCs, or because it stands in the file itself. What is registered later is matched too (`apply_reservations`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from governance import access, ledger
from governance.errors import ConflictError
from governance.models import Organisation, Role, User
from lib.canonical import canonical_json, canonical_sha256
from lib.merkle import merkle_root
from provenance import storage
from provenance.errors import AudioMissingError, ProvenanceError
from provenance.known import AnyOf
from provenance.models import (
    Dataset,
    EvidenceDocument,
    EvidenceKind,
    Recording,
    Reservation,
    ReservationSource,
)
from provenance.rights import optouts
from provenance.rights.errors import RightsError
from provenance.rights.optouts import Finding, Reading, Snapshot, cawg
from provenance.services.binding import LINKS_A_CHUNK, bind, bind_first, own_agent, spoken_of
from provenance.services.evidence import keep_evidence

RECORDS = (Role.DATA_STEWARD, Role.COMPLIANCE_OFFICER)


class UnreadableOptOutError(ProvenanceError):
    code = "unreadable_opt_out"
    status = 422


@dataclass(frozen=True)
class Reserved:
    """What recording one opt-out came to."""

    status: str  # registered or duplicate
    reservation: Reservation
    n_recordings: int
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        held = self.reservation
        return {
            "reservation": str(held.public_id),
            "status": self.status,
            "source": held.source,
            "right": held.right,
            "purposes": held.purposes,
            "location": held.location,
            "declared_at": held.declared_at.isoformat(),
            "recordings": self.n_recordings,
            "note": self.note,
        }


@dataclass(frozen=True)
class RecordedSnapshot:
    """A published file that was kept: its opt-outs, what in it can't be read, and what it no longer says."""

    document: EvidenceDocument
    outcomes: tuple[Reserved, ...]
    problems: tuple[str, ...] = ()
    gone: tuple[Reservation, ...] = ()


@transaction.atomic
def record_snapshot(
    *, snapshot: Snapshot, organisation: Organisation, by: User, now: datetime, kind: str = "auto"
) -> RecordedSnapshot:
    """Keep a published file, header or page as it was, and record what it reserves, since it was fetched.

    What it no longer reserves is told and not withdrawn: that an opt-out is gone is for a person to say.

    Raises
    ------
    UnreadableOptOutError
        If it can't be read as that kind: then nothing is kept.
    ProvenanceError
        If it was fetched in the future.
    """
    access.require(by, organisation, RECORDS, "record an opt-out")
    if snapshot.fetched_at is not None and snapshot.fetched_at > now:
        raise ProvenanceError(f"{snapshot.name or snapshot.url} can't have been fetched in the future.")
    reading = _read(snapshot, kind)
    document = keep_evidence(
        organisation=organisation,
        kind=EvidenceKind.RESERVATION,
        name=snapshot.name or snapshot.url,
        content=_as_brought(snapshot),
        by=by,
        now=now,
        url=snapshot.url[:2000],
        media_type="text/plain",
        fetched_at=snapshot.fetched_at,
    )
    declared_at = snapshot.fetched_at or now
    outcomes = tuple(
        record_reservation(_from_finding(finding, organisation, declared_at, document), finding.note, by, now)
        for finding in reading.findings
    )
    return RecordedSnapshot(
        document, outcomes, reading.problems, _gone(outcomes, snapshot, organisation, kind)
    )


def _read(snapshot: Snapshot, kind: str) -> Reading:
    try:
        return optouts.read(snapshot, kind, own_agent=own_agent())
    except RightsError as error:
        raise UnreadableOptOutError(str(error)) from error


def _as_brought(snapshot: Snapshot) -> bytes:
    """Return headers and body as one answer, where headers were brought beside the body."""
    if not snapshot.headers:
        return snapshot.content
    head = "".join(f"{name}: {value}\r\n" for name, value in snapshot.headers)
    return f"HTTP/1.1 200\r\n{head}\r\n".encode() + snapshot.content


def _gone(
    outcomes: Iterable[Reserved], snapshot: Snapshot, organisation: Organisation, kind: str
) -> tuple[Reservation, ...]:
    """Return what an earlier copy of the same address reserved and this one does not."""
    known = Reservation.objects.filter(
        organisation=organisation, document__url=snapshot.url[:2000], withdrawn_at=None
    )
    still = known.exclude(pk__in=[outcome.reservation.pk for outcome in outcomes])
    if snapshot.fetched_at is not None:
        still = still.filter(declared_at__lt=snapshot.fetched_at)
    return tuple(still.select_related("party"))


def _from_finding(
    finding: Finding, organisation: Organisation, declared_at: datetime, document: EvidenceDocument | None
) -> Reservation:
    return Reservation(
        organisation=organisation,
        right=finding.right,
        purposes=sorted(finding.purposes),
        source=finding.source,
        location=finding.location[:2000],
        policy_url=finding.policy_url[:2000],
        raw=finding.raw,
        document=document,
        declared_at=declared_at,
    )


def record_reservation(fresh: Reservation, note: str, by: User, now: datetime) -> Reserved:
    """Write an opt-out once, bind what it speaks of, and record it in the ledger."""
    known = _known(fresh)
    if known is not None:
        if (
            fresh.declared_at < known.declared_at
        ):  # an older copy turned up: it was said earlier than was known
            known.declared_at = fresh.declared_at
            known.save(update_fields=["declared_at"])
            tell_ledger("dated_earlier", known, by, now, {"declared_at": fresh.declared_at.isoformat()})
        return Reserved("duplicate", known, known.subjects.count(), note)
    fresh.recorded_at, fresh.recorded_by = now, by
    fresh.save(force_insert=True)
    own = Recording.objects.filter(organisation=fresh.organisation)
    n_bound = bind_first(fresh, spoken_of(fresh, own), note)
    body = {
        "source": fresh.source,
        "right": fresh.right,
        "purposes": list(fresh.purposes),
        "key": fresh.key,
        "document": fresh.document.sha256 if fresh.document else None,
        "declared_at": fresh.declared_at.isoformat(),
        "recordings": n_bound,
    }
    tell_ledger("recorded", fresh, by, now, body)
    return Reserved("registered", fresh, n_bound, note)


def _known(fresh: Reservation) -> Reservation | None:
    """Return the row that says the same, and give ``fresh`` its key.

    Said again after it was withdrawn, it is a new one.
    """
    said = {
        "source": fresh.source,
        "right": fresh.right,
        "purposes": list(fresh.purposes),
        "territory": list(fresh.territory),
        "party": str(fresh.party.public_id) if fresh.party else "",
        "location": fresh.location,
        "policy": fresh.policy_url,
        "raw": fresh.raw,
    }
    for again in range(1000):
        fresh.key = canonical_sha256({**said, "again": again})
        known = Reservation.objects.filter(organisation=fresh.organisation, key=fresh.key).first()
        if known is None or known.withdrawn_at is None or known.withdrawn_at >= fresh.declared_at:
            return known
    raise ConflictError("This was declared and withdrawn a thousand times: look into it.")


def embedded_reservations(path: Path) -> list[Finding]:
    """Return what a file's own content credentials reserve."""
    return list(cawg.read(path).findings)


@transaction.atomic
def record_embedded(
    *, recording: Recording, findings: Iterable[Finding], by: User, now: datetime
) -> list[Reserved]:
    """Record what a recording's own file reserves, since it was registered."""
    outcomes = []
    for finding in findings:
        held = _from_finding(finding, recording.organisation, recording.registered_at, None)
        held.location = f"sha256:{recording.sha256}"
        outcomes.append(record_reservation(held, finding.note, by, now))
    return outcomes


def apply_reservations(
    *, dataset: Dataset, by: User, now: datetime, fresh: Sequence[int] | None = None
) -> int:
    """Bind the recordings of a dataset, or the ``fresh`` ones, to the opt-outs that stand and to their files' own.

    Called at the end of every registering, and may be called again: what is bound is bound once.
    """
    among = Recording.objects.filter(organisation=dataset.organisation, entries__dataset=dataset)
    if fresh is not None:
        among = among.filter(AnyOf("id", fresh))
    n_embedded = _apply_embedded(among, by, now)
    return n_embedded + _apply_standing(dataset, among, by, now)


def _apply_embedded(among: QuerySet[Recording], by: User, now: datetime) -> int:
    suffixes = Q()
    for suffix in cawg.SUFFIXES:
        suffixes |= Q(audio__endswith=suffix)
    n_bound = 0
    for recording in among.filter(suffixes).select_related("organisation").iterator(chunk_size=LINKS_A_CHUNK):
        try:
            with storage.local_file(recording.audio) as path:
                findings = embedded_reservations(path)
        except AudioMissingError:
            continue  # told where the audio is needed
        n_bound += sum(
            outcome.n_recordings
            for outcome in record_embedded(recording=recording, findings=findings, by=by, now=now)
            if outcome.status == "registered"
        )
    return n_bound


@transaction.atomic
def _apply_standing(dataset: Dataset, among: QuerySet[Recording], by: User, now: datetime) -> int:
    standing = Reservation.objects.filter(organisation=dataset.organisation, withdrawn_at=None).exclude(
        source=ReservationSource.CAWG
    )
    counts = {}
    for held in standing.select_related("party").order_by("id"):
        if n_bound := bind(held, spoken_of(held, among, later=True)):
            counts[str(held.public_id)] = n_bound
    if counts:
        leaves = [canonical_json({"reservation": id, "recordings": n}) for id, n in counts.items()]
        ledger.record(
            kind="provenance.reservation.applied",
            subject_kind="dataset",
            subject_id=dataset.public_id,
            actor=by,
            organisation=dataset.organisation,
            now=now,
            body={
                "reservations": len(counts),
                "recordings": sum(counts.values()),
                "merkle_root": merkle_root(leaves).hex(),
            },
        )
    return sum(counts.values())


def tell_ledger(deed: str, held: Reservation, by: User, now: datetime, body: dict[str, Any]) -> None:
    ledger.record(
        kind=f"provenance.reservation.{deed}",
        subject_kind="reservation",
        subject_id=held.public_id,
        actor=by,
        organisation=held.organisation,
        now=now,
        body=body,
    )
