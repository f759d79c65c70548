"""Keeping what an answer rests on, by its hash, and opening it on the record."""

import hashlib
import tempfile
from datetime import date, datetime
from pathlib import Path, PurePath

from django.db import transaction

from governance import access, ledger
from governance.errors import NotFoundError
from governance.models import Organisation, Role, User
from provenance import storage
from provenance.errors import EvidenceAlteredError, ProvenanceError
from provenance.models import EvidenceDocument

MAX_BYTES = 64 * 1024 * 1024  # a scanned agreement of some hundred pages; nothing that is read here is larger
ROOM = "evidence"
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


def _record(deed: str, document: EvidenceDocument, by: User, now: datetime) -> None:
    ledger.record(
        kind=f"provenance.evidence.{deed}",
        subject_kind="evidence",
        subject_id=document.public_id,
        actor=by,
        organisation=document.organisation,
        now=now,
        body={"kind": document.kind, "sha256": document.sha256, "confidential": document.confidential},
    )
