"""Pages of conflicts: the queue, and one of them with both sides, heard beside each other, and what a decision does."""

from typing import Any, Final

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from governance import access as house
from governance.keyset import slice_asked
from governance.pages import PersonRequest, page, refusals_in, say, show
from provenance import access, queries, services
from provenance.forms.datasets import CloseConflictForm, CloseConflictsForm, ConflictFilterForm
from provenance.models import Conflict, ConflictSide, ConflictStatus, Recording
from provenance.models.datasets import FOLDED_KINDS
from provenance.queries import conflicts as asked
from provenance.rights.values import Use

TRAINING: Final = "ai_generative_training"
DISMISSED = ConflictStatus.DISMISSED.value


@page
@require_GET
def conflict_list(request: PersonRequest) -> HttpResponse:
    return _queue(request, None)


@page
@require_POST
def conflicts_close(request: PersonRequest) -> HttpResponse:
    """Close those that are ticked, all of one kind, for one reason."""
    form = CloseConflictsForm(request.POST)
    if form.is_valid():
        chosen = [access.conflict_for_reading(request.user, id) for id in request.POST.getlist("conflict")]
        with refusals_in(form):
            closed = services.close_conflicts(
                conflicts=chosen, by=request.user, now=timezone.now(), **form.closing()
            )
            say(request, f"{len(closed)} conflicts are closed, for one reason.")
            return redirect(f"{reverse('provenance:conflict-list')}?{request.GET.urlencode()}")
    return _queue(request, form)


def _queue(request: PersonRequest, close_form: CloseConflictsForm | None) -> HttpResponse:
    datasets = access.datasets_holding_own(request.user).order_by("name")
    names = [(str(dataset.public_id), dataset.name) for dataset in datasets]
    found = asked.of_organisations(house.houses_of(request.user))
    form = ConflictFilterForm({"status": "open", **request.GET.dict()}, datasets=names, kinds={})
    if form.is_valid():
        found = _narrowed(request, found, form.cleaned_data)
    kinds = asked.counts_by_kind(found)
    form = ConflictFilterForm(form.data, datasets=names, kinds=kinds)
    kind = form.data.get("kind", "")
    folded = []
    if kind:
        found = found.filter(kind=kind)
    else:
        folded = asked.folded(found, dataset=form.data.get("dataset", ""))
        found = found.exclude(kind__in=FOLDED_KINDS)
    found = found.select_related("organisation", "recording_a", "recording_b")
    shown = slice_asked(request, found, asked.WEIGHTIEST)
    may_close = bool(kind) and any(
        house.may(request.user, one.organisation, house.RESOLVES_CONFLICTS)
        for one in shown.rows
        if one.status == ConflictStatus.OPEN
    )
    if may_close and close_form is None:
        close_form = CloseConflictsForm()
    context = {
        "form": form,
        "slice": shown,
        "kinds": kinds,
        "kind": kind,
        "folded": folded if shown.is_start else [],
        "close_form": close_form if may_close else None,
    }
    status = 422 if close_form is not None and close_form.errors else 200
    return show(request, "provenance/conflict_list.html", context, partial="conflicts", status=status)


def _narrowed(
    request: PersonRequest, found: QuerySet[Conflict], wanted: dict[str, Any]
) -> QuerySet[Conflict]:
    if wanted["dataset"]:
        touching = queries.conflicts_touching(access.dataset_for_reading(request.user, wanted["dataset"]))
        found = found.filter(pk__in=touching.values("pk"))
    if wanted["status"] != "all":
        found = found.filter(status=wanted["status"] or ConflictStatus.OPEN)
    return found


@page
@require_http_methods(["GET", "POST"])
def conflict(request: PersonRequest, public_id: str) -> HttpResponse:
    found = access.conflict_for_reading(request.user, public_id)
    may_close = house.may(request.user, found.organisation, house.RESOLVES_CONFLICTS)
    decisions = _decisions(found)
    form = CloseConflictForm(request.POST if request.method == "POST" else None, decisions=decisions)
    if form.is_bound:
        house.require(request.user, found.organisation, house.RESOLVES_CONFLICTS, "close a conflict")
    if form.is_valid():
        with refusals_in(form):
            services.close_conflict(conflict=found, by=request.user, now=timezone.now(), **form.closing())
            say(request, "The conflict is closed; clearance answers by what you decided from now on.")
            return redirect("provenance:conflict", public_id)
    is_open = found.status == ConflictStatus.OPEN
    context = {
        "conflict": found,
        "sides": _sides(found),
        "match": _match(found),
        "outcomes": _outcomes(found, decisions) if is_open else (),
        "form": form if may_close and is_open else None,
    }
    return render(request, "provenance/conflict.html", context, status=422 if form.errors else 200)


def _decisions(conflict: Conflict) -> list[tuple[str, str]]:
    """Return the ways of closing it, each with what it does."""
    dismissed = (
        DISMISSED,
        "Dismiss: the two do not contradict each other, and each keeps what is said of it",
    )
    if not services.takes_sides(conflict):
        return [(ConflictSide.BOTH.value, "Resolve: seen and settled, nothing is set aside"), dismissed]
    a, b = (_says(side) for side in (conflict.evidence_a, conflict.evidence_b))
    return [
        (ConflictSide.A.value, f"In favour of A: {a} holds, {b} is set aside"),
        (ConflictSide.B.value, f"In favour of B: {b} holds, {a} is set aside"),
        (ConflictSide.BOTH.value, "Both hold: the stricter goes on deciding"),
        dismissed,
    ]


def _says(evidence: dict[str, Any]) -> str:
    said = dict.fromkeys(one["expression"] or "no licence stated" for one in evidence["statements"])
    return " and ".join(said)


def _outcomes(conflict: Conflict, decisions: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """Return what clearing says as it is and under each decision, asked for the strictest common use."""
    use = Use(TRAINING, commercial=True, at=timezone.now())
    use = queries.asked_by(use, conflict.organisation)
    policy = queries.policy_of(conflict.organisation)
    words = {asked.OPEN: "Open, as it is now", **dict(decisions)}
    return [
        {"decision": words[one.decision], "answers": one.answers}
        for one in asked.outcomes_of(conflict, [name for name, _ in decisions], use=use, policy=policy)
    ]


def _match(conflict: Conflict) -> dict[str, Any] | None:
    """Return where both sides hold the same sound, as the player wants it; None where there are not two to hear."""
    both = (conflict.recording_a, conflict.recording_b)
    if conflict.recording_a_id == conflict.recording_b_id or not all(one.audio for one in both):
        return None
    heard = conflict.heard or {}
    if not heard:
        if not both[0].samples_sha256 or both[0].samples_sha256 != both[1].samples_sha256:
            return None
        heard = {"a_start_s": 0.0, "a_end_s": both[0].seconds, "b_start_s": 0.0, "b_end_s": both[1].seconds}
    return heard


def _sides(conflict: Conflict) -> list[tuple[str, Recording, Any]]:
    """Return both sides, with where statements were registered; one, where a recording is in conflict with itself."""
    tables = asked.tables_of(conflict)
    first = ("A", conflict.recording_a, _registered(conflict.evidence_a, conflict.recording_a_id, tables))
    if conflict.recording_a_id == conflict.recording_b_id and not _says_anything(conflict.evidence_b):
        return [first]
    return [
        first,
        ("B", conflict.recording_b, _registered(conflict.evidence_b, conflict.recording_b_id, tables)),
    ]


def _registered(evidence: Any, recording_id: int, tables: dict[tuple[int, str, str, str], str]) -> Any:
    """Return a side's evidence; beside what came with none stands the table that it was registered from."""
    if not isinstance(evidence, dict) or "statements" not in evidence:
        return evidence
    statements = [
        one
        if one.get("evidence")
        else {**one, "table": tables.get((recording_id, one["right"], one["source"], one["expression"]), "")}
        for one in evidence["statements"]
    ]
    return {**evidence, "statements": statements}


def _says_anything(evidence: Any) -> bool:
    return any(evidence.values()) if isinstance(evidence, dict) else bool(evidence)
