"""The clearance matrix: what every recording of a dataset answers, narrowed, listed, and acted on many at once."""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseBase, QueryDict, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from governance import access as house
from governance import keyset
from governance.errors import NotFoundError
from governance.pages import PersonRequest, page, refusals_in, say, show
from provenance import access, tables
from provenance.forms.clearances import DEEDS, SCOPES, AskForm, CorrectForm, DeedForm, MatrixForm
from provenance.forms.evidence import EvidenceForm
from provenance.models import ClearanceRun, Dataset, DatasetEntry, DatasetVersion, Omission
from provenance.queries import ClearanceSummary, clearances
from provenance.queries.clearances import MatrixRow, Narrowing, Question
from provenance.services import clearing
from provenance.services.clearing import Answers
from provenance.services.evidence import KEEPS_EVIDENCE, Subjects, keep_evidence, link_evidence
from provenance.views.datasets import started

NAMED = 10  # recordings that a preview names
MAY_CHANGE = house.WRITES_DATASETS
CSV_COLUMNS = (
    *("external_id", "title", "artist", "isrc", "answer", "master", "master_basis", "master_licence"),
    *("composition", "composition_basis", "composition_licence", "holders", "conditions", "weak"),
    *("contested", "reasons", "recording"),
)


@dataclass
class Matrix:
    """One address of a matrix: the question, what narrows it, and the answers where they are kept and current."""

    request: PersonRequest
    dataset: Dataset
    version: DatasetVersion | None
    form: MatrixForm
    now: datetime

    @classmethod
    def of(cls, request: PersonRequest, public_id: str, words: QueryDict) -> "Matrix":
        dataset = access.dataset_for_reading(request.user, public_id)
        house.require(request.user, dataset.organisation, house.READS_WHOLE, "read every answer of a dataset")
        form = MatrixForm.asked(words.dict(), tables.policies_of(dataset.organisation))
        number = words.get("version", "")
        version = dataset.versions.filter(number=int(number)).first() if number.isdecimal() else None
        if number and version is None:
            raise NotFoundError(f"{dataset.name} has no version {number}.")
        return cls(request, dataset, version, form, timezone.now())

    @cached_property
    def question(self) -> Question:
        return self.form.question(self.dataset, self.version, self.now)

    @cached_property
    def narrowing(self) -> Narrowing:
        return self.form.narrowing()

    @cached_property
    def answers(self) -> Answers:
        return clearing.answers_to(self.question, now=self.now)

    @property
    def run(self) -> ClearanceRun | None:
        return self.answers.run

    def entries(self) -> QuerySet[DatasetEntry]:
        return clearances.narrowed(self.question.entries(), self.narrowing, self.run)

    def rows(self, entries: QuerySet[DatasetEntry]) -> Iterator[MatrixRow]:
        return clearances.answered(
            entries.select_related("recording"), use=self.question.use(self.now), policy=self.question.policy
        )

    def address(self, name: str = "matrix") -> str:
        kept = {key: value for key, value in self.request.GET.items() if key not in {"after", "before"}}
        url = reverse(f"provenance:{name}", args=[self.dataset.public_id])
        return f"{url}?{urlencode(kept)}" if kept else url


@page
@require_GET
def matrix(request: PersonRequest, public_id: str) -> HttpResponse:
    found = Matrix.of(request, public_id, request.GET)
    context: dict[str, Any] = {
        "dataset": found.dataset,
        "version": found.version,
        "form": found.form,
        "matrix": None,
        "may_change": house.may(request.user, found.dataset.organisation, MAY_CHANGE),
        "deeds": _deeds_for(request, found.dataset),
        "scopes": SCOPES,
    }
    if found.form.is_valid():
        context |= _answers(found, request.GET.get("after", ""), request.GET.get("before", ""))
    return show(request, "provenance/matrix.html", context, partial="matrix")


def _answers(found: Matrix, after: str, before: str) -> dict[str, Any]:
    entries = found.entries()
    cut = keyset.slice_of(entries, keyset.by(found.form.sorted_by), after=after, before=before)
    rows = clearances.answered_slice(
        cut.rows, use=found.question.use(found.now), policy=found.question.policy
    )
    shown = [row.entry for row in rows]
    found.form.offer(found.run)
    return {
        "matrix": found,
        "rows": rows,
        "slice": cut,
        "run": found.run,
        "stale": found.answers.stale,
        "job": None if found.run else clearances.job_for(found.question),
        "counts": _counts(found.run),
        "n_shown": clearances.n_like(entries, found.narrowing, found.run),
        "omitted": _omitted(shown),
        "n_omitted": Omission.objects.filter(entry__dataset=found.dataset, taken_back_at=None).count(),
        "hides_all": found.run is None and found.narrowing.needs_answers,
    }


def _omitted(entries: list[DatasetEntry]) -> dict[int, Omission]:
    standing = Omission.objects.filter(entry__in=entries, taken_back_at=None)
    return {one.entry_id: one for one in standing.select_related("left_out_by")}


def _counts(run: ClearanceRun | None) -> list[tuple[str, int]]:
    if run is None:
        return []
    return [(answer, run.counts[answer]) for answer in reversed(ClearanceSummary.empty().counts)]


def _deeds_for(request: PersonRequest, dataset: Dataset) -> list[tuple[str, str]]:
    changes = house.may(request.user, dataset.organisation, MAY_CHANGE)
    keeps = house.may(request.user, dataset.organisation, KEEPS_EVIDENCE)
    may = {"csv": True, "ask": True, "correct": changes, "evidence": keeps, "leave": changes, "back": changes}
    return [(name, words) for name, words in DEEDS.items() if may[name]]


@page
@require_POST
def work_out(request: PersonRequest, public_id: str) -> HttpResponse:
    """Let a worker answer the question of the address for every recording."""
    found = Matrix.of(request, public_id, request.GET)
    if not found.form.is_valid():
        return redirect(found.address())
    waiting = clearances.job_for(found.question)
    policy_name = found.form.cleaned_data["policy"]
    job = clearing.work_out(question=found.question, policy_name=policy_name, by=request.user, now=found.now)
    if waiting is not None:
        return redirect("governance:job", job.public_id)
    return started(request, job)


@page
@require_POST
def deed(request: PersonRequest, public_id: str) -> HttpResponseBase:
    """Show what would be done, to how many, and ask why; done only when that was confirmed."""
    found = Matrix.of(request, public_id, request.GET)
    name = request.POST.get("deed", "")
    if name not in dict(_deeds_for(request, found.dataset)) or not found.form.is_valid():
        house.require(request.user, found.dataset.organisation, MAY_CHANGE, "change many recordings")
        raise NotFoundError("There is no such deed.")
    entries = _wanted(found)
    if name == "csv":
        return _listing(found, entries, "")
    form = _form_of(name, request)
    if form.is_bound and form.is_valid():
        with refusals_in(form):
            return DO[name](found, entries, form)
    n_entries = entries.count()
    context = {
        "dataset": found.dataset,
        "deed": name,
        "words": DEEDS[name],
        "form": form,
        "n_entries": n_entries,
        "named": entries.order_by("external_id")[:NAMED],
        "scope": request.POST.get("scope", "chosen"),
        "chosen": request.POST.getlist("entry"),
        "action": found.address("matrix-deed"),
        "back": found.address(),
        "too_many": name not in {"ask"} and n_entries > clearing.MOST_AT_ONCE,
        "most": clearing.MOST_AT_ONCE,
    }
    return render(request, "provenance/matrix_deed.html", context, status=422 if form.errors else 200)


def _wanted(found: Matrix) -> QuerySet[DatasetEntry]:
    """Return what was ticked, or all that the address shows; what needs answers that are not kept is nothing."""
    entries = found.entries()
    if found.request.POST.get("scope") == "all":
        return entries
    chosen = [written for written in found.request.POST.getlist("entry") if _is_uuid(written)]
    return found.question.entries().filter(public_id__in=chosen)


def _is_uuid(written: str) -> bool:
    try:
        UUID(written)
    except ValueError:
        return False
    return True


def _form_of(name: str, request: PersonRequest) -> forms.Form:
    kinds: dict[str, type[forms.Form]] = {"ask": AskForm, "correct": CorrectForm, "evidence": EvidenceForm}
    kind = kinds.get(name, DeedForm)
    if "confirmed" in request.POST:
        return kind(request.POST, request.FILES)
    return kind(initial={"holder": request.GET.get("holder", "")}) if kind is AskForm else kind()


def _leave(found: Matrix, entries: QuerySet[DatasetEntry], form: forms.Form) -> HttpResponseBase:
    n = clearing.leave_out(
        dataset=found.dataset,
        entries=entries,
        reason=form.cleaned_data["reason"],
        by=found.request.user,
        now=found.now,
    )
    say(
        found.request,
        f"{n} recordings are left out of every version frozen from now on, until somebody takes them back.",
    )
    return redirect(found.address())


def _back(found: Matrix, entries: QuerySet[DatasetEntry], form: forms.Form) -> HttpResponseBase:
    n = clearing.take_back(
        dataset=found.dataset,
        entries=entries,
        reason=form.cleaned_data["reason"],
        by=found.request.user,
        now=found.now,
    )
    say(found.request, f"{n} recordings may go into the next version again, where they are cleared.")
    return redirect(found.address())


def _correct(found: Matrix, entries: QuerySet[DatasetEntry], form: forms.Form) -> HttpResponseBase:
    assert isinstance(form, CorrectForm)  # noqa: S101
    done = clearing.correct_statements(
        dataset=found.dataset,
        entries=entries,
        correction=form.correction(),
        reason=form.cleaned_data["reason"],
        by=found.request.user,
        now=found.now,
    )
    known = f", {done.n_known} were stated before" if done.n_known else ""
    say(
        found.request,
        f"{done.n_added} statements were added{known}. What other sources say stands beside them, "
        f"and the stricter holds; {done.n_conflicts} conflicts are open.",
    )
    return redirect(found.address())


def _attach(found: Matrix, entries: QuerySet[DatasetEntry], form: forms.Form) -> HttpResponseBase:
    assert isinstance(form, EvidenceForm)  # noqa: S101
    among = list(entries.select_related("recording")[: clearing.MOST_AT_ONCE])
    with transaction.atomic():
        document = keep_evidence(
            organisation=found.dataset.organisation, by=found.request.user, now=found.now, **form.facts()
        )
        subjects = Subjects(recordings=[entry.recording for entry in among])
        linked = link_evidence(document=document, subjects=subjects, by=found.request.user, now=found.now)
    say(
        found.request,
        f"{document.name} is kept for {len(among)} recordings; {linked.n_statements} statements rest on it.",
    )
    return redirect(found.address())


def _ask(found: Matrix, entries: QuerySet[DatasetEntry], form: forms.Form) -> HttpResponseBase:
    """Answer with a list for whom to ask: a line for each holder and recording, without what is cleared."""
    asked = form.cleaned_data
    n = entries.count()
    clearing.record_listing(
        question=found.question, n_recordings=n, why=asked["reason"], by=found.request.user, now=found.now
    )
    header = ("holder", "external_id", "title", "artist", "isrc", "answer", "missing", "recording")
    return _csv(found, "ask", header, _to_ask(found, entries, asked["holder"].strip()))


def _to_ask(found: Matrix, entries: QuerySet[DatasetEntry], holder: str) -> Iterator[tuple[Any, ...]]:
    for row in found.rows(entries):
        if row.clearance.answer == "allowed":
            continue
        both = (row.clearance.master, row.clearance.composition)
        missing = "; ".join(dict.fromkeys(reason for right in both for reason in right.reasons))
        entry = row.entry
        for name in row.holders or ["(no holder is named)"]:
            if holder in ("", name):
                yield (
                    *(name, entry.external_id, entry.title or entry.recording.title),
                    *(entry.artist or entry.recording.artist, entry.recording.isrc),
                    *(row.clearance.answer, missing, entry.recording.public_id),
                )


def _listing(found: Matrix, entries: QuerySet[DatasetEntry], why: str) -> HttpResponseBase:
    clearing.record_listing(
        question=found.question, n_recordings=entries.count(), why=why, by=found.request.user, now=found.now
    )
    return _csv(found, "clearance", CSV_COLUMNS, (_line(row) for row in found.rows(entries)))


def _line(row: MatrixRow) -> tuple[Any, ...]:
    entry, master, composition = row.entry, row.clearance.master, row.clearance.composition
    return (
        *(entry.external_id, entry.title or entry.recording.title),
        *(entry.artist or entry.recording.artist, entry.recording.isrc, row.clearance.answer),
        *(master.answer, master.basis or "", master.licence or ""),
        *(composition.answer, composition.basis or "", composition.licence or ""),
        *("; ".join(row.holders), "; ".join(row.clearance.conditions)),
        *("yes" if row.weak else "no", "yes" if row.contested else "no"),
        *("; ".join(dict.fromkeys([*master.reasons, *composition.reasons])), entry.recording.public_id),
    )


class _Echo:
    """A file that gives back what is written to it."""

    def write(self, line: str) -> str:
        return line


def _csv(
    found: Matrix, name: str, header: tuple[str, ...], lines: Iterator[tuple[Any, ...]]
) -> StreamingHttpResponse:
    writer = csv.writer(_Echo())

    def written() -> Iterator[str]:
        yield writer.writerow(header)
        for line in lines:
            yield writer.writerow([_harmless(cell) for cell in line])

    response = StreamingHttpResponse(written(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{found.dataset.name}-{name}.csv"'
    return response


def _harmless(cell: Any) -> str:
    """Write a cell so that no spreadsheet takes a title for a formula."""
    text = str(cell)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


DO: dict[str, Callable[[Matrix, QuerySet[DatasetEntry], Any], HttpResponseBase]] = {
    "ask": _ask,
    "correct": _correct,
    "evidence": _attach,
    "leave": _leave,
    "back": _back,
}
