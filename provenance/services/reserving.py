"""Opt-outs: recorded as they were published, declared by rights holders, found in files, withdrawn for a reason.

An opt-out binds recordings: by the address they were got from, by the party that holds rights in them, by their ids
or ISRCs, or because it stands in the file itself. What is registered later is matched too (`apply_reservations`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from governance import access, ledger
from governance.errors import ConflictError
from governance.models import Organisation, Role, User
from governance.planning import refresh_statistics
from lib.canonical import canonical_json, canonical_sha256
from lib.merkle import merkle_root
from provenance import storage
from provenance.bulk import copy_rows
from provenance.errors import AudioMissingError, ProvenanceError
from provenance.known import AnyOf
from provenance.models import (
    Dataset,
    DatasetEntry,
    EvidenceDocument,
    EvidenceKind,
    LicenceStatement,
    Party,
    Recording,
    RecordingIdentifier,
    Reservation,
    ReservationRecording,
    ReservationSource,
    ReservedRight,
    RightsClaim,
)
from provenance.rights import optouts
from provenance.rights.errors import RightsError
from provenance.rights.optouts import Finding, Reading, Snapshot, cawg
from provenance.rights.optouts.addresses import origin
from provenance.rights.optouts.robots import OWN_AGENT
from provenance.rights.territory import read_territory
from provenance.rights.values import PURPOSES
from provenance.services.evidence import keep_evidence

RECORDS = (Role.DATA_STEWARD, Role.COMPLIANCE_OFFICER)
DECLARES = (Role.LABEL_AUDITOR,)  # for parties that stand for their organisation
LINKS_A_CHUNK = 2000
BECAUSE_CHARS = 300
NAMED_AT_MOST = 20  # of the names that nothing goes by: a refusal is to be read


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


def own_agent() -> str:
    return str(getattr(settings, "CRAWLER_AGENT", OWN_AGENT))


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
        _record(_from_finding(finding, organisation, declared_at, document), finding.note, by, now)
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


def _record(fresh: Reservation, note: str, by: User, now: datetime) -> Reserved:
    """Write an opt-out once, bind what it speaks of, and record it in the ledger."""
    known = _known(fresh)
    if known is not None:
        if (
            fresh.declared_at < known.declared_at
        ):  # an older copy turned up: it was said earlier than was known
            known.declared_at = fresh.declared_at
            known.save(update_fields=["declared_at"])
            _tell("dated_earlier", known, by, now, {"declared_at": fresh.declared_at.isoformat()})
        return Reserved("duplicate", known, known.subjects.count(), note)
    fresh.recorded_at, fresh.recorded_by = now, by
    fresh.save(force_insert=True)
    own = Recording.objects.filter(organisation=fresh.organisation)
    n_bound = _bind_first(fresh, _spoken_of(fresh, own), note)
    body = {
        "source": fresh.source,
        "right": fresh.right,
        "purposes": list(fresh.purposes),
        "key": fresh.key,
        "document": fresh.document.sha256 if fresh.document else None,
        "declared_at": fresh.declared_at.isoformat(),
        "recordings": n_bound,
    }
    _tell("recorded", fresh, by, now, body)
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


def _bind(held: Reservation, spoken_of: Iterable[tuple[int, str]]) -> int:
    """Link the recordings that an opt-out speaks of too, each once; return how many are new."""
    because = _because(spoken_of)
    linked = set(held.subjects.filter(AnyOf("recording_id", because)).values_list("recording_id", flat=True))
    links = [
        ReservationRecording(reservation=held, recording_id=recording_id, because=why)
        for recording_id, why in because.items()
        if recording_id not in linked
    ]
    ReservationRecording.objects.bulk_create(links, batch_size=LINKS_A_CHUNK, ignore_conflicts=True)
    refresh_statistics((ReservationRecording,), n_rows=len(links))
    return len(links)


def _bind_first(held: Reservation, spoken_of: Iterable[tuple[int, str]], note: str) -> int:
    """Link the recordings that a new opt-out speaks of: nobody else knows it yet, so that none is linked."""
    because = _because(spoken_of, note)
    names = ("reservation_id", "recording_id", "because")
    copy_rows(ReservationRecording, names, [(held.pk, *one) for one in because.items()])
    return len(because)


def _because(spoken_of: Iterable[tuple[int, str]], note: str = "") -> dict[int, str]:
    """Return why each recording is bound, in the first words that were found."""
    because: dict[int, str] = {}
    for recording_id, why in spoken_of:
        because.setdefault(recording_id, (f"{why}; {note}" if note else why)[:BECAUSE_CHARS])
    return because


def _spoken_of(
    held: Reservation, among: QuerySet[Recording], *, later: bool = False
) -> Iterator[tuple[int, str]]:
    """Yield the recordings of ``among`` that an opt-out speaks of, and why.

    ``later``: they were registered after it, and an external id then names something else in another dataset.
    """
    if held.source == ReservationSource.CAWG:
        sha256 = held.location.removeprefix("sha256:")
        yield from (
            (pk, "said in the file itself") for pk in among.filter(sha256=sha256).values_list("pk", flat=True)
        )
    elif held.source == ReservationSource.DECLARED:
        yield from _declared_about(held, among, later)
    else:
        yield from _got_from(held, among)


def _got_from(held: Reservation, among: QuerySet[Recording]) -> Iterator[tuple[int, str]]:
    host = origin(held.location)
    if not host:
        return
    entries = DatasetEntry.objects.filter(recording__in=among, source_url__icontains=host.partition(":")[0])
    purposes, agent = frozenset(held.purposes), own_agent()
    for recording_id, url in entries.values_list("recording_id", "source_url").iterator():
        if optouts.binds(held.source, held.location, held.raw, purposes, url, own_agent=agent):
            yield recording_id, f"got from {url}"


def _declared_about(held: Reservation, among: QuerySet[Recording], later: bool) -> Iterator[tuple[int, str]]:
    said = _declared(held)
    named = [*said.get("recordings", []), *said.get("isrcs", [])]
    dataset = said.get("dataset", "")
    if held.party is not None and (not (named or dataset) or said.get("only_own")):
        among = _of_party(held.party, among)
    if dataset:
        inside = DatasetEntry.objects.filter(dataset__public_id=dataset).select_related(None)
        for pk in among.filter(pk__in=inside.values("recording")).values_list("pk", flat=True):
            yield pk, "in the dataset named"
    if not named and not dataset:
        if held.party is not None:
            name = held.party.name
            yield from ((pk, f"{name} holds rights in it") for pk in among.values_list("pk", flat=True))
        return
    for recording_id, name in recordings_by_name(named, among, by_external_id=not later):
        yield recording_id, f"named: {name}"


def recordings_by_name(
    names: Iterable[str], among: QuerySet[Recording], *, by_external_id: bool = True
) -> Iterator[tuple[int, str]]:
    """Yield (recording, name) for ISRCs, sha256, ids and external ids: a query a kind, however many there are."""
    isrcs = {_compact(name): name for name in names}
    hashes = {name.lower(): name for name in names}
    ids = {public_id: name for name in names if (public_id := _uuid(name)) is not None}
    same = {name: name for name in names}
    found: list[tuple[dict[Any, str], Iterable[tuple[int, Any]]]] = [
        (isrcs, among.filter(AnyOf("isrc", isrcs)).values_list("pk", "isrc")),
        (hashes, among.filter(AnyOf("sha256", hashes)).values_list("pk", "sha256")),
        (ids, among.filter(public_id__in=ids).values_list("pk", "public_id")),
        (isrcs, _identified(isrcs, among)),
    ]
    if by_external_id:
        entries = DatasetEntry.objects.filter(AnyOf("external_id", same), recording__in=among)
        found.append((same, entries.values_list("recording_id", "external_id")))
    for written, rows in found:
        for pk, value in rows:
            yield pk, written[value]


def _identified(isrcs: Iterable[str], among: QuerySet[Recording]) -> Iterable[tuple[int, str]]:
    known = RecordingIdentifier.objects.filter(AnyOf("compact", isrcs), scheme="isrc", recording__in=among)
    return known.values_list("recording_id", "compact")


def _declared(held: Reservation) -> dict[str, Any]:
    said = json.loads(held.raw or "{}")
    return said if isinstance(said, dict) else {}


def _compact(isrc: str) -> str:
    return isrc.replace("-", "").replace(" ", "").upper()


def _uuid(name: str) -> UUID | None:
    try:
        return UUID(name)
    except ValueError:
        return None


def _of_party(party: Party, among: QuerySet[Recording]) -> QuerySet[Recording]:
    """Return the recordings in which a party claims a right, wrote the work, or is named as a holder."""
    claimed = RightsClaim.objects.filter(party=party, withdrawn_at=None).order_by().values("recording_id")
    written = Recording.objects.filter(work__composers=party).order_by().values("id")
    named = LicenceStatement.objects.filter(
        holders__contains=[party.name], entry__dataset__organisation_id=party.organisation_id
    )
    return among.filter(pk__in=claimed.union(written, named.order_by().values("entry__recording_id")))


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
    return _record(held, "", by, now)


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
    said = _declared(held)
    if said.get("only_own") and held.party is not None:
        own = _of_party(held.party, own)
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
    _tell("withdrawn", held, by, now, {"recordings": held.subjects.count()})
    return held


def may_withdraw(user: User, held: Reservation) -> bool:
    """Tell whether a person may end an opt-out: to let music be used is a decision, not book-keeping."""
    if access.may(user, held.organisation, access.DECIDES):
        return True
    stands_for = held.party.stands_for if held.party is not None else None
    return stands_for is not None and access.may(user, stands_for, DECLARES) and not user.is_system


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
        outcomes.append(_record(held, finding.note, by, now))
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
        if n_bound := _bind(held, _spoken_of(held, among, later=True)):
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


def _tell(deed: str, held: Reservation, by: User, now: datetime, body: dict[str, Any]) -> None:
    ledger.record(
        kind=f"provenance.reservation.{deed}",
        subject_kind="reservation",
        subject_id=held.public_id,
        actor=by,
        organisation=held.organisation,
        now=now,
        body=body,
    )
