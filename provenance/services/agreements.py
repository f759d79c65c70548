"""Agreements that lie beside a file of deals: found in its folder, hashed, and kept with the grants that name them."""

import mimetypes
from datetime import date, datetime
from pathlib import Path

from governance.models import Organisation, User
from lib.canonical import sha256_hex
from provenance.errors import ProvenanceError
from provenance.intake.deals import Terms
from provenance.models import EvidenceDocument, EvidenceKind
from provenance.services.evidence import MAX_BYTES, keep_evidence


class Agreements:
    """What one file of deals lies beside. Each document is read once, and kept once for each day it is of."""

    def __init__(self, source: Path, by: User, organisation: Organisation, now: datetime) -> None:
        self._source = source
        self._folder = source.parent
        self._by = by
        self._organisation = organisation
        self._now = now
        self._hashes: dict[str, str | ProvenanceError] = {}
        self._kept: dict[tuple[str, date | None], EvidenceDocument | None] = {}

    def hash_of(self, document: str) -> str:
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

    def keep(self, terms: Terms) -> EvidenceDocument | None:
        """Return the document of a deal as it is kept; none where it is only named."""
        path = self._path(terms.document)
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

    def forget_kept(self) -> None:
        """Forget what was kept in a transaction that came to nothing."""
        self._kept.clear()
