"""Keeping licence texts and pages as they were, and opening what is kept; each opening is on the record."""

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from governance import access as house
from governance import services as governance
from governance.errors import NotFoundError
from governance.models import Organisation
from governance.pages import PersonRequest, page, refusals_in, say
from provenance import access
from provenance.forms.evidence import EvidenceForm
from provenance.models import EvidenceDocument
from provenance.rights import terms
from provenance.services.evidence import (
    KEEPS_EVIDENCE,
    Subjects,
    file_name,
    keep_evidence_for,
    open_evidence,
)


@page
@require_http_methods(["GET", "POST"])
def keep_for_licence(request: PersonRequest, licence_id: str) -> HttpResponse:
    if licence_id not in terms.catalogue():
        raise Http404
    back = reverse("provenance:licence", args=[licence_id])
    subjects = Subjects(licences=[licence_id])
    return _keep(
        request, _keeper(request), subjects, licence_id, back, terms.catalogue()[licence_id].url or ""
    )


@page
@require_http_methods(["GET", "POST"])
def keep_for_recording(request: PersonRequest, public_id: str) -> HttpResponse:
    found = access.recording_for_reading(request.user, public_id)
    house.require(request.user, found.organisation, KEEPS_EVIDENCE, "attach evidence")
    back = reverse("provenance:recording", args=[public_id])
    return _keep(request, found.organisation, Subjects(recordings=[found]), str(found), back)


@page
@require_http_methods(["GET", "POST"])
def keep_for_dataset(request: PersonRequest, public_id: str) -> HttpResponse:
    found = access.dataset_for_reading(request.user, public_id)
    house.require(request.user, found.organisation, KEEPS_EVIDENCE, "attach evidence")
    back = reverse("provenance:dataset", args=[public_id])
    return _keep(request, found.organisation, Subjects(datasets=[found]), str(found), back)


def _keeper(request: PersonRequest) -> Organisation:
    """Return the organisation that this person keeps evidence for; the refusal names the role that is missing."""
    own = house.organisations_of(request.user)
    keeps = [one for one in own if house.may(request.user, one, KEEPS_EVIDENCE)]
    organisation = next(iter([*keeps, *own]), None) or governance.home_organisation(request.user)
    house.require(request.user, organisation, KEEPS_EVIDENCE, "attach evidence")
    return organisation


def _keep(
    request: PersonRequest,
    organisation: Organisation,
    subjects: Subjects,
    name: str,
    back: str,
    url: str = "",
) -> HttpResponse:
    posted = request.method == "POST"
    form = EvidenceForm(request.POST, request.FILES) if posted else EvidenceForm(initial={"url": url})
    if form.is_valid():
        with refusals_in(form):
            now = timezone.now()
            document, linked = keep_evidence_for(
                subjects=subjects, organisation=organisation, by=request.user, now=now, **form.facts()
            )
            rest = linked.n_statements
            also = f"; {rest} statement{'s' if rest != 1 else ''} now rest on it" if rest else ""
            say(request, f"{document.name} is kept as it was{also}.")
            return redirect(back)
    context = {"form": form, "name": name, "back": back}
    return render(request, "provenance/evidence_keep.html", context, status=422 if form.errors else 200)


@page
@require_POST
def open_document(request: PersonRequest, public_id: str) -> HttpResponse:
    """Hand out what is kept, as a file and never as a page of ours; that it was opened is recorded."""
    organisations = house.organisations_of(request.user)
    document = EvidenceDocument.objects.filter(public_id=public_id, organisation__in=organisations).first()
    if document is None:
        raise NotFoundError("There is no such document.")
    content = open_evidence(document=document, by=request.user, now=timezone.now())
    response = HttpResponse(content, content_type="application/octet-stream")
    response["Content-Disposition"] = f'attachment; filename="{file_name(document)}"'
    response["X-Content-Type-Options"] = "nosniff"
    return response
