"""Pages of claims: all of them, one added to a recording, one withdrawn."""

from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from governance import access as house
from governance.keyset import newest, slice_asked
from governance.pages import PersonRequest, page, refusals_in, say, show
from provenance import access
from provenance.forms.claims import ClaimFilterForm
from provenance.forms.rights import ClaimForm
from provenance.intake.claims import claim_of
from provenance.models import Conflict, ConflictStatus, Recording
from provenance.services.claiming import register_claim_rows, withdraw_claim
from provenance.services.shares import SHARE_KINDS


@page
@require_GET
def claim_list(request: PersonRequest) -> HttpResponse:
    form = ClaimFilterForm(request.GET)
    claims = form.narrowed(access.claims_for_reading(request.user))
    context = {"form": form, "slice": slice_asked(request, claims, newest("recorded_at"))}
    return show(request, "provenance/claim_list.html", context, partial="claims")


@page
@require_http_methods(["GET", "POST"])
def claim(request: PersonRequest, public_id: str) -> HttpResponse:
    recording = access.recording_for_reading(request.user, public_id)
    house.require(request.user, recording.organisation, house.WRITES_DATASETS, "register a claim")
    form = ClaimForm(request.POST or None)
    if form.is_valid():
        with refusals_in(form):
            done = register_claim_rows(
                rows=[claim_of(1, form.row(str(recording.public_id)))],
                by=request.user,
                organisation=recording.organisation,
                now=timezone.now(),
            )
            if done.outcomes[0].status != "rejected":
                findings = f" Findings about shares: {done.n_findings}." if done.n_findings else ""
                say(request, f"The claim is registered.{findings}")
                return redirect("provenance:recording", public_id)
            form.refuse(done.outcomes[0].reasons)
    context = {
        "recording": recording,
        "form": form,
        "claims": recording.claims.filter(withdrawn_at=None)
        .select_related("party")
        .order_by("-right", "party__name", "id"),
        "findings": _findings(recording),
    }
    return render(request, "provenance/claim.html", context, status=422 if form.errors else 200)


def _findings(recording: Recording) -> QuerySet[Conflict]:
    """Return what is open about the shares of a recording."""
    touching = Q(recording_a=recording) | Q(recording_b=recording)
    return Conflict.objects.filter(touching, kind__in=SHARE_KINDS, status=ConflictStatus.OPEN).order_by(
        "kind", "id"
    )


@page
@require_POST
def withdraw(request: PersonRequest, public_id: str) -> HttpResponse:
    found = access.claim_for_reading(request.user, public_id)
    withdraw_claim(claim=found, by=request.user, now=timezone.now())
    say(request, "The claim is withdrawn. It stays on record.")
    return redirect("provenance:recording", found.recording.public_id)
