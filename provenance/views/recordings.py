"""Pages of recordings: heard, their rights, where they went."""

from django.db.models import Q
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_safe

from governance import access as house
from governance import slots
from governance.pages import PersonRequest, page, page_of, show
from provenance import access, media, tables
from provenance.forms import SearchForm
from provenance.models import Conflict, DatasetEntry, VersionEntry


@page
@require_GET
def recording_list(request: PersonRequest) -> HttpResponse:
    form = SearchForm(request.GET)
    words = form.cleaned_data["q"] if form.is_valid() else ""
    found = tables.matching(access.recordings_for_reading(request.user), words)
    context = {
        "form": form,
        "words": words,
        "page": page_of(request, found.order_by("title", "id").prefetch_related("entries__dataset")),
    }
    return show(request, "provenance/recording_list.html", context, partial="recordings")


@page
@require_GET
def recording(request: PersonRequest, public_id: str) -> HttpResponse:
    found = access.recording_for_reading(request.user, public_id)
    sources = tables.statements_by_source(found)
    grants = access.grants_for_reading(request.user).filter(subjects__recording=found)
    versions = VersionEntry.objects.filter(recording=found).select_related("version", "version__dataset")
    context = {
        "recording": found,
        "sources": sources,
        "chains": tables.chain_of(sources, grants, versions),
        "claims": found.claims.filter(withdrawn_at=None)
        .select_related("party")
        .order_by("right", "party__name"),
        "may_claim": house.may(request.user, found.organisation, house.WRITES_DATASETS),
        "grants": [(grant, *tables.grant_state(grant, timezone.now().date())) for grant in grants],
        "entries": DatasetEntry.objects.filter(recording=found).select_related("dataset", "registration"),
        "versions": versions,
        "conflicts": Conflict.objects.filter(organisation=found.organisation).filter(
            Q(recording_a=found) | Q(recording_b=found)
        ),
        "pieces": slots.shown("recording", request, found),
    }
    return render(request, "provenance/recording.html", context)


@page
@require_safe
def recording_audio(request: PersonRequest, public_id: str) -> HttpResponseBase:
    return media.recording_audio(request, access.recording_for_reading(request.user, public_id))


@page
@require_GET
def recording_peaks(request: PersonRequest, public_id: str) -> HttpResponse:
    return media.recording_peaks(access.recording_for_reading(request.user, public_id))
