"""Kept documents, sent to whoever may read them: always as a file to save, and always on the record."""

from django.http import HttpResponse
from django.utils import timezone
from django.utils.http import content_disposition_header

from governance.errors import NotFoundError
from governance.models import User
from provenance.models import EvidenceDocument, Grant
from provenance.services.evidence import open_evidence


def agreement(grant: Grant, *, by: User) -> HttpResponse:
    """Send a grant's agreement; that it was read, and by whom, goes into the ledger first.

    Raises
    ------
    NotFoundError
        If only its name is known, or ``by`` may not know of it.
    NotAllowedError
        If ``by`` holds none of the roles that read agreements.
    """
    if grant.agreement is None:
        raise NotFoundError("No agreement is kept for this grant, only its name.")
    return sent(grant.agreement, by=by)


def sent(document: EvidenceDocument, *, by: User) -> HttpResponse:
    content = open_evidence(document=document, by=by, now=timezone.now())
    response = HttpResponse(content, content_type=document.media_type or "application/octet-stream")
    disposition = content_disposition_header(as_attachment=True, filename=document.name)
    response["Content-Disposition"] = disposition or "attachment"
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "no-store"
    return response
