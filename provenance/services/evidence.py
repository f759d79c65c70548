"""Keeping what an answer rests on, by its hash, and opening it on the record."""

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path, PurePath
from typing import Any

from django.core.exceptions import SuspiciousFileOperation
from django.db import transaction
from django.db.models import Q
from django.utils.text import get_valid_filename

from governance import access, ledger
from governance.errors import NotFoundError
from governance.models import Organisation, Role, User
from provenance import storage
from provenance.errors import EvidenceAlteredError, ProvenanceError
from provenance.models import Dataset, EvidenceDocument, EvidenceSubject, LicenceStatement, Recording
from provenance.rights.terms import catalogue

MAX_BYTES = 64 * 1024 * 1024  # a scanned agreement of some hundred pages; nothing that is read here is larger
ROOM = "evidence"
KEEPS_EVIDENCE = (Role.DATA_STEWARD, Role.COMPLIANCE_OFFICER)
READS_CONFIDENTIAL = (Role.DATA_STEWARD, Role.COMPLIANCE_OFFICER, Role.EXTERNAL_AUDITOR)


@transaction.atomic
def keep_evidence(
    *,
    organisation: Organisation,
    kind: str,
    name: str,
    content: bytes,
    by: User,
    now: datetime,
    url: str = "",
    media_type: str = "",
    effective_on: date | None = None,
    fetched_at: datetime | None = None,
    confidential: bool = False,
) -> EvidenceDocument:
    """Keep a file or page as it is, once; kept again it stays the first one, and never becomes less confidential.

    Whoever calls has checked that ``by`` may bring it.
    """
    if not content:
        raise ProvenanceError(f"{name} is empty: there is nothing to keep.")
    if len(content) > MAX_BYTES:
        raise ProvenanceError(f"{name} has {len(content)} bytes; evidence is kept up to {MAX_BYTES}.")
    sha256 = hashlib.sha256(content).hexdigest()
    document, is_new = EvidenceDocument.objects.get_or_create(
        organisation=organisation,
        kind=kind,
        sha256=sha256,
        url=url,
        defaults={
            "name": (name or sha256)[:300],
            "file": _stored(content, sha256, name),
            "media_type": media_type[:100],
            "size_bytes": len(content),
            "effective_on": effective_on,
            "fetched_at": fetched_at,
            "received_at": now,
            "received_from": by,
            "confidential": confidential,
        },
    )
    if is_new or (confidential and not document.confidential):
        document.confidential = document.confidential or confidential
        document.save(update_fields=["confidential"])
        _record("kept" if is_new else "made_confidential", document, by, now)
    return document


def _stored(content: bytes, sha256: str, name: str) -> str:
    with tempfile.NamedTemporaryFile(suffix=PurePath(name).suffix[:12].replace("/", "")) as copy:
        copy.write(content)
        copy.flush()
        return storage.keep(Path(copy.name), sha256, room=ROOM)


@dataclass(frozen=True)
class Subjects:
    """What a document is kept for: licences of the catalogue, recordings, datasets."""

    licences: Sequence[str] = ()
    recordings: Sequence[Recording] = ()
    datasets: Sequence[Dataset] = ()


@dataclass(frozen=True)
class Linked:
    n_subjects: int  # new ones
    n_statements: int  # statements that had no document and now rest on this one


@transaction.atomic
def keep_evidence_for(
    *, subjects: Subjects, organisation: Organisation, by: User, now: datetime, **facts: Any
) -> tuple[EvidenceDocument, Linked]:
    """Keep a file or page (``facts``, as `keep_evidence` takes them) and say what it is about: both, or neither."""
    access.require(by, organisation, KEEPS_EVIDENCE, "attach evidence")
    document = keep_evidence(organisation=organisation, by=by, now=now, **facts)
    return document, link_evidence(document=document, subjects=subjects, by=by, now=now)


@transaction.atomic
def link_evidence(*, document: EvidenceDocument, subjects: Subjects, by: User, now: datetime) -> Linked:
    """Say what a kept document is about; said twice it is said once.

    A statement that has no document yet, and speaks of the licence or the recording, rests on this one from now on;
    one that has a document keeps it, for that is what was read when it was made.
    """
    access.require(by, document.organisation, KEEPS_EVIDENCE, "attach evidence")
    house = document.organisation_id
    if any(one.organisation_id != house for one in subjects.recordings) or any(
        one.organisation_id != house for one in subjects.datasets
    ):
        raise ProvenanceError("A document is kept for recordings and datasets of its own organisation.")
    rows = [
        *(EvidenceSubject(licence=name) for name in _known_licences(subjects.licences)),
        *(EvidenceSubject(recording=one) for one in subjects.recordings),
        *(EvidenceSubject(dataset=one) for one in subjects.datasets),
    ]
    for row in rows:
        row.document, row.linked_by, row.linked_at = document, by, now
    n_before = document.subjects.count()
    EvidenceSubject.objects.bulk_create(rows, ignore_conflicts=True)
    linked = Linked(document.subjects.count() - n_before, _rest_statements(document, subjects))
    if linked.n_subjects or linked.n_statements:
        _record(
            "linked", document, by, now, {"subjects": linked.n_subjects, "statements": linked.n_statements}
        )
    return linked


def _known_licences(names: Sequence[str]) -> list[str]:
    if unknown := sorted(set(names) - set(catalogue())):
        raise ProvenanceError(f"The catalogue has no licence {', '.join(unknown)}.")
    return list(dict.fromkeys(names))


def _rest_statements(document: EvidenceDocument, subjects: Subjects) -> int:
    """Let statements rest on a document: of a licence those that name it, or the address it was read from."""
    about = Q(entry__recording__in=subjects.recordings) if subjects.recordings else Q(pk__in=[])
    if subjects.licences:
        about |= Q(expression__in=subjects.licences)
        about |= Q(licence_url=document.url) if document.url else Q()
    silent = LicenceStatement.objects.filter(
        about, document=None, entry__dataset__organisation=document.organisation
    )
    return silent.update(document=document)


def snapshots_for(*, organisations: Sequence[Organisation], **subject: object) -> list["Snapshot"]:
    """Return what is kept about a licence, a recording or a dataset, newest first, and what changed at its address."""
    links = EvidenceSubject.objects.filter(document__organisation__in=organisations, **subject)
    documents = EvidenceDocument.objects.filter(pk__in=links.values("document")).select_related(
        "received_from"
    )
    ordered = sorted(documents, key=lambda one: (one.fetched_at or one.received_at, one.pk))
    latest: dict[tuple[int, str], EvidenceDocument] = {}
    found = []
    for document in ordered:
        key = (document.organisation_id, document.url)
        before = latest.get(key) if document.url else None
        changed = before is not None and before.sha256 != document.sha256
        found.append(Snapshot(document, before if changed else None))
        latest[key] = document
    return found[::-1]


@dataclass(frozen=True)
class Snapshot:
    """A kept document, and the one kept before it from the same address where that said something else."""

    document: EvidenceDocument
    changed_since: EvidenceDocument | None

    @property
    def as_it_was(self) -> datetime:
        return self.document.fetched_at or self.document.received_at


@transaction.atomic
def open_evidence(*, document: EvidenceDocument, by: User, now: datetime) -> bytes:
    """Return the kept bytes and record who read them.

    Raises
    ------
    NotFoundError
        If ``by`` may not know of it.
    NotAllowedError
        If it is confidential and ``by`` holds none of the roles that read agreements.
    AudioMissingError, EvidenceAlteredError
        If the storage lost it, or gives back other bytes than were kept.
    """
    if document.organisation not in access.organisations_of(by, now=now):
        raise NotFoundError("There is no such document.")
    if document.confidential:
        access.require(by, document.organisation, READS_CONFIDENTIAL, "read a confidential document")
    with storage.local_file(document.file) as path:
        content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != document.sha256:
        raise EvidenceAlteredError(f"{document.name} is no longer what was kept: its hash has changed.")
    _record("opened", document, by, now)
    return content


def file_name(document: EvidenceDocument) -> str:
    """Return a name under which a document can be saved anywhere."""
    try:
        return get_valid_filename(document.name)
    except SuspiciousFileOperation:
        return document.sha256[:12]


def _record(
    deed: str, document: EvidenceDocument, by: User, now: datetime, more: Mapping[str, object] | None = None
) -> None:
    ledger.record(
        kind=f"provenance.evidence.{deed}",
        subject_kind="evidence",
        subject_id=document.public_id,
        actor=by,
        organisation=document.organisation,
        now=now,
        body={
            "kind": document.kind,
            "sha256": document.sha256,
            "confidential": document.confidential,
            **(more or {}),
        },
    )
