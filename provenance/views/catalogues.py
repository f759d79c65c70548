"""Pages of catalogues: brought by a label, held against datasets, answered row by row; and the owner's log of it."""

import csv
from collections.abc import Iterator
from datetime import date
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from governance import access as house
from governance import services as governance
from governance import slots
from governance.errors import NotFoundError
from governance.keyset import newest, slice_asked
from governance.models import Job, Organisation
from governance.pages import PersonRequest, page, refusals_in, show
from provenance import access, services, tables
from provenance.audio import AudioError
from provenance.forms.catalogues import AskForm, BringForm, MatchFilterForm
from provenance.intake.errors import IntakeError
from provenance.jobs import MATCH
from provenance.models import (
    Catalogue,
    CatalogueMatch,
    CatalogueRow,
    CatalogueRun,
    Dataset,
    DatasetVersion,
    Grant,
    Recording,
)
from provenance.queries import catalogues
from provenance.views.datasets import started

COLUMNS = (
    *("row", "external_id", "title", "artist", "isrc", "answer", "dataset", "recording", "score"),
    *("evidence", "frozen_in"),
)


@page
@require_GET
def catalogue_list(request: PersonRequest) -> HttpResponse:
    found = slice_asked(request, access.catalogues_for_reading(request.user), newest("uploaded_at"))
    answers = access.run_answers_of(request.user, found.rows)
    context = {
        "slice": found,
        "catalogues": [(one, answers.get(one.pk, [])) for one in found.rows],
        "may_bring": _asked_of(request).exists(),
        "answers_for": access.catalogue_runs_for_reading(request.user).exists(),
    }
    return render(request, "provenance/catalogue_list.html", context)


def _asked_of(request: PersonRequest) -> QuerySet[Dataset]:
    """Return the datasets whose owners let this person ask."""
    own = house.organisations_of(request.user)
    let = [one for one in own if house.may(request.user, one, services.MAY_ASK)]
    return access.datasets_for_reading(request.user).filter(organisation__in=let).order_by("name")


@page
@require_http_methods(["GET", "POST"])
def bring(request: PersonRequest) -> HttpResponse:
    organisation = _home(request)
    form = BringForm(request.POST or None, request.FILES or None, datasets=_asked_of(request))
    if form.is_valid():
        with refusals_in(form, IntakeError, AudioError):
            source = form.source()
            job = _queue(
                request,
                organisation,
                name=form.cleaned_data["name"] or source.path.stem,
                datasets=list(form.cleaned_data["datasets"]),
                arguments={
                    "source": str(source.path),
                    "format": source.format,
                    "root": str(source.root),
                },
            )
            return started(request, job)
    context = {"form": form, "can_ask": _asked_of(request).exists()}
    return render(request, "provenance/catalogue_bring.html", context, status=422 if form.errors else 200)


def _home(request: PersonRequest) -> Organisation:
    """Return where the catalogue is kept: the label's own organisation, else the one that it is a guest of."""
    own = house.organisations_of(request.user)
    let = [one for one in own if house.may(request.user, one, services.MAY_ASK)]
    home = next(iter([*let, *own]), None) or governance.home_organisation(request.user)
    house.require(request.user, home, services.MAY_ASK, "bring a catalogue")
    return home


def _queue(
    request: PersonRequest,
    organisation: Organisation,
    *,
    name: str,
    datasets: list[Dataset],
    arguments: dict[str, Any],
    subject: Catalogue | None = None,
) -> Job:
    return governance.queue_job(
        kind=MATCH,
        organisation=organisation,
        asked_by=request.user,
        now=timezone.now(),
        subject_kind="catalogue",
        subject_id=subject.public_id if subject else None,
        subject_name=name,
        arguments={
            **arguments,
            "name": name,
            "datasets": [str(dataset.public_id) for dataset in datasets],
        },
    )


@page
@require_POST
def again(request: PersonRequest, public_id: str) -> HttpResponse:
    """Ask once more: what datasets hold changes, and so do the answers."""
    found = access.catalogue_for_reading(request.user, public_id)
    form = AskForm(request.POST, datasets=_asked_of(request))
    if form.is_valid():
        job = _queue(
            request,
            found.organisation,
            name=found.name,
            datasets=list(form.cleaned_data["datasets"]),
            arguments={"catalogue": str(found.public_id)},
            subject=found,
        )
        return started(request, job)
    return _catalogue_page(request, found, form)


@page
@require_GET
def catalogue(request: PersonRequest, public_id: str) -> HttpResponse:
    found = access.catalogue_for_reading(request.user, public_id)
    before = found.runs.filter(is_latest=True).values_list("dataset__public_id", flat=True)
    ask = AskForm(datasets=_asked_of(request), initial={"datasets": list(before)})
    return _catalogue_page(request, found, ask)


def _catalogue_page(request: PersonRequest, found: Catalogue, ask: AskForm) -> HttpResponse:
    runs = list(access.run_answers_for_reading(request.user, found))
    form = _filter(request, runs)
    matches = _narrowed(catalogues.matches_of(runs), form)
    rows = slice_asked(request, matches, catalogues.AS_LISTED)
    context = {
        "catalogue": found,
        "runs": runs,
        "form": form,
        "slice": rows,
        "answered": catalogues.answered(rows.rows),
        "ask": ask,
        "query": request.GET.urlencode(),
        "pieces": [] if request.htmx else slots.shown("catalogue", request, (found, runs)),
    }
    status = 422 if ask.errors else 200
    return show(request, "provenance/catalogue.html", context, partial="matches", status=status)


def _filter(request: PersonRequest, runs: list[CatalogueRun]) -> MatchFilterForm:
    versions = DatasetVersion.objects.filter(dataset__in=[run.dataset_id for run in runs])
    return MatchFilterForm(
        request.GET,
        datasets=[(str(run.dataset.public_id), run.dataset.name) for run in runs],
        versions=[(str(one.public_id), str(one)) for one in versions.select_related("dataset")],
    )


def _narrowed(matches: QuerySet[CatalogueMatch], form: MatchFilterForm) -> QuerySet[CatalogueMatch]:
    if not form.is_valid():
        return matches
    asked = form.cleaned_data
    return catalogues.narrowed(
        matches, answer=asked["answer"], dataset=asked["dataset"], version=asked["version"], words=asked["q"]
    )


@page
@require_GET
def matches_csv(request: PersonRequest, public_id: str) -> StreamingHttpResponse:
    found = access.catalogue_for_reading(request.user, public_id)
    runs = list(access.run_answers_for_reading(request.user, found))
    matches = _narrowed(catalogues.matches_of(runs), _filter(request, runs))
    response = StreamingHttpResponse(_csv(matches), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="catalogue-{found.public_id}.csv"'
    return response


class _Echo:
    def write(self, line: str) -> str:
        return line


def _csv(matches: QuerySet[CatalogueMatch]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(COLUMNS)
    chunk: list[CatalogueMatch] = []
    for match in matches.iterator(chunk_size=1000):
        chunk.append(match)
        if len(chunk) == 1000:
            yield from (writer.writerow(cells) for cells in _cells(chunk))
            chunk = []
    yield from (writer.writerow(cells) for cells in _cells(chunk))


def _cells(matches: list[CatalogueMatch]) -> Iterator[list[Any]]:
    for one in catalogues.answered(matches):
        match, row = one.match, one.match.row
        words = [row.external_id, row.title, row.artist, row.isrc]
        yield [
            row.row,
            *(_no_formula(word) for word in words),
            match.answer,
            match.run.dataset.name,
            str(match.recording.public_id) if match.recording else "",
            f"{match.score:.3f}",
            _no_formula(catalogues.words_of(match.evidence)),
            "; ".join(frozen.name for frozen in one.versions),
        ]


def _no_formula(cell: str) -> str:
    """Keep a spreadsheet from running what a title says."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


@page
@require_GET
def row(request: PersonRequest, public_id: str) -> HttpResponse:
    """One row: where it is, by which evidence, by whose leave, and what can be done about it."""
    found = CatalogueRow.objects.filter(public_id=public_id).select_related("catalogue").first()
    if found is None:
        raise NotFoundError("There is no such row.")
    catalogue = access.catalogue_for_reading(request.user, found.catalogue.public_id)
    runs = list(access.run_answers_for_reading(request.user, catalogue))
    answered = catalogues.answered(list(catalogues.matches_of(runs).filter(row=found)))
    today = timezone.now().date()
    places = [
        {
            "one": one,
            "words": catalogues.words_of(one.match.evidence),
            "grants": _deals_of(request, one.match.recording, today) if one.match.recording else [],
            "pieces": slots.shown("recording", request, one.match.recording) if one.match.recording else [],
            "reserve_url": slots.url_of("reservation_for", one.match.recording.public_id)
            if one.match.recording
            else "",
        }
        for one in answered
    ]
    return render(
        request, "provenance/catalogue_row.html", {"row": found, "catalogue": catalogue, "places": places}
    )


def _deals_of(
    request: PersonRequest, recording: Recording, today: date
) -> list[tuple[Grant, str, str, list[str]]]:
    """Return each deal about a recording once and state by state: a grant of it, its state, and its rights."""
    found: dict[tuple[UUID, str], tuple[Grant, str, str, list[str]]] = {}
    grants = access.grants_for_reading(request.user).filter(subjects__recording=recording)
    for grant in grants.order_by("-registered_at", "-right", "id"):
        state, words = tables.grant_state(grant, today)
        found.setdefault((grant.deal, state), (grant, state, words, []))[3].append(grant.right)
    return list(found.values())


@page
@require_GET
def asked(request: PersonRequest) -> HttpResponse:
    """The owner's log: who asked of which dataset, when, with how many rows, and how many were found."""
    runs = access.catalogue_runs_for_reading(request.user)
    found = slice_asked(request, runs, newest("run_at"))
    return render(request, "provenance/catalogue_asked.html", {"slice": found})
