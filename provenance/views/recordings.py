"""Pages of recordings: heard, their rights, where they went; and the conflicts between them."""

from typing import Any

from django.db.models import Q
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_safe

from governance import access as house
from governance import slots
from governance.pages import PersonRequest, page, page_of, refusals_in, say, show
from provenance import access, media, queries, services, tables
from provenance.forms import CloseConflictForm, ConflictFilterForm, SearchForm
from provenance.models import Conflict, ConflictStatus, DatasetEntry, Recording, VersionEntry


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


@page
@require_GET
def conflict_list(request: PersonRequest) -> HttpResponse:
    datasets = access.datasets_for_reading(request.user).order_by("name")
    names = [(str(dataset.public_id), dataset.name) for dataset in datasets]
    form = ConflictFilterForm({"status": "open", **request.GET.dict()}, datasets=names)
    found = Conflict.objects.filter(organisation__in=house.organisations_of(request.user))
    if form.is_valid():
        if form.cleaned_data["dataset"]:
            found = queries.conflicts_touching(
                access.dataset_for_reading(request.user, form.cleaned_data["dataset"])
            )
        if form.cleaned_data["status"] != "all":
            found = found.filter(status=form.cleaned_data["status"] or ConflictStatus.OPEN)
    found = found.select_related("recording_a", "recording_b")
    context = {"form": form, "page": page_of(request, found)}
    return show(request, "provenance/conflict_list.html", context, partial="conflicts")


@page
@require_http_methods(["GET", "POST"])
def conflict(request: PersonRequest, public_id: str) -> HttpResponse:
    found = access.conflict_for_reading(request.user, public_id)
    may_close = house.may(request.user, found.organisation, house.RESOLVES_CONFLICTS)
    form = CloseConflictForm(request.POST if request.method == "POST" else None)
    if form.is_bound:
        house.require(request.user, found.organisation, house.RESOLVES_CONFLICTS, "close a conflict")
    if form.is_valid():
        with refusals_in(form):
            services.close_conflict(
                conflict=found,
                status=ConflictStatus(form.cleaned_data["status"]),
                reason=form.cleaned_data["reason"],
                by=request.user,
                now=timezone.now(),
            )
            say(request, "The conflict is closed; clearance answers by what you decided from now on.")
            return redirect("provenance:conflict", public_id)
    context = {
        "conflict": found,
        "sides": _sides(found),
        "form": form if may_close and found.status == ConflictStatus.OPEN else None,
    }
    return render(request, "provenance/conflict.html", context, status=422 if form.errors else 200)


def _sides(conflict: Conflict) -> list[tuple[str, Recording, Any]]:
    """Return both sides; one, where a recording is in conflict with nothing but itself."""
    first = ("A", conflict.recording_a, conflict.evidence_a)
    if conflict.recording_a_id == conflict.recording_b_id and not _says_anything(conflict.evidence_b):
        return [first]
    return [first, ("B", conflict.recording_b, conflict.evidence_b)]


def _says_anything(evidence: Any) -> bool:
    return any(evidence.values()) if isinstance(evidence, dict) else bool(evidence)
