"""Pages of recordings: heard, their rights, where they went."""

from itertools import zip_longest

from django.db.models import Q
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_safe

from governance import access as house
from governance import slots
from governance.keyset import by, slice_of
from governance.pages import PersonRequest, page, show
from provenance import access, media, tables
from provenance.access import memos_for_reading, reservations_for_reading
from provenance.forms.datasets import AsOfForm, SearchForm
from provenance.models import DatasetEntry, VersionEntry
from provenance.queries import standing, timelines
from provenance.services.evidence import KEEPS_EVIDENCE, snapshots_for


@page
@require_GET
def recording_list(request: PersonRequest) -> HttpResponse:
    form = SearchForm(request.GET)
    words = form.cleaned_data["q"] if form.is_valid() else ""
    found = tables.matching(access.recordings_for_reading(request.user), words)
    after, before = request.GET.get("after", ""), request.GET.get("before", "")
    cut = slice_of(found.prefetch_related("entries__dataset"), by("title"), after=after, before=before)
    context = {"form": form, "words": words, "slice": cut}
    return show(request, "provenance/recording_list.html", context, partial="recordings")


@page
@require_GET
def recording(request: PersonRequest, public_id: str) -> HttpResponse:
    found = access.recording_for_reading(request.user, public_id)
    said = access.statements_for_reading(request.user).filter(entry__recording=found)
    sources = tables.statements_by_source(said)
    grants = access.grants_for_reading(request.user).filter(subjects__recording=found)
    versions = VersionEntry.objects.filter(recording=found).select_related("version", "version__dataset")
    form = AsOfForm(request.GET)
    at = form.instant(timezone.now())
    held = access.rights_for_reading(request.user, [found]).get(found.pk)  # of a house read whole: None
    claims = access.claims_for_reading(request.user).filter(recording=found, withdrawn_at=None)
    claims = claims.select_related("party", "document")
    reservations = reservations_for_reading(request.user).filter(subjects__recording=found)
    memos = memos_for_reading(request.user).filter(subjects__recording=found, withdrawn_at=None)
    answers, rights = standing.answers_of(found, at=at) if held is None else ([], [])
    spans = timelines.spans_of(
        statements=[statement for source in sources for statement in source.statements],
        claims=claims,
        grants=grants,
        reservations=reservations,
        memos=memos,
        versions=versions,
    )
    timeline = timelines.drawn(spans, at=at.date(), today=timezone.now().date())
    chains = tables.chain_of(sources, grants, versions)
    context = {
        "form": form,
        "at": at,
        "answers": answers,
        "claimed": standing.claims_of(claims.order_by("right", "party__name"), rights),
        "identifiers": standing.identifiers_of(found),
        "spans": spans,
        "timeline": timeline,
        "rows": list(zip_longest(spans, timeline.bars if timeline else ())),
        "knows_parties": held is None,
        "snapshots": []
        if held is not None
        else snapshots_for(organisations=[found.organisation], recording=found),
        "may_keep": house.may(request.user, found.organisation, KEEPS_EVIDENCE),
        "recording": found,
        "heard": access.stretches_for_hearing(request.user, found),
        "sources": sources,
        "chains": {right: steps for right, steps in chains.items() if held is None or right in held},
        "may_claim": house.may(request.user, found.organisation, house.WRITES_DATASETS),
        "grants": [(grant, *tables.grant_state(grant, timezone.now().date())) for grant in grants],
        "entries": DatasetEntry.objects.filter(recording=found).select_related("dataset", "registration"),
        "versions": versions,
        "conflicts": access.conflicts_for_reading(request.user).filter(
            Q(recording_a=found) | Q(recording_b=found)
        ),
        "pieces": slots.shown("recording", request, found),
    }
    return render(request, "provenance/recording.html", context)


@page
@require_safe
def recording_audio(request: PersonRequest, public_id: str) -> HttpResponseBase:
    found = access.recording_for_reading(request.user, public_id)
    return media.recording_audio(request, found, only=access.stretches_for_hearing(request.user, found))


@page
@require_GET
def recording_peaks(request: PersonRequest, public_id: str) -> HttpResponse:
    found = access.recording_for_reading(request.user, public_id)
    return media.recording_peaks(found, only=access.stretches_for_hearing(request.user, found))
