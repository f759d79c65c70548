"""What models made: lists of it, one output with its evidence, its sound, and the decision about it."""

from pathlib import Path
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from generation import access, queries, services
from generation.forms.making import MANY_DECISIONS, OUTPUT_DECISIONS, DecisionForm, JudgeForm
from generation.models import Check, Generation, GenerationState, ModelVersion, Verdict
from generation.queries import overviews
from generation.queries.cases import blocked_reference_in
from generation.queries.matches import anchor
from governance import access as house
from governance.errors import ConflictError, NotAllowedError
from governance.keyset import newest, slice_asked
from governance.models import Decision, Question, User
from governance.pages import PersonRequest, page, refusals_in, say, show
from provenance import media, storage
from provenance.access import datasets_for_reading, stretches_for_hearing

OUTPUTS_A_PAGE = 30


@require_safe
@page
def output_list(request: PersonRequest, public_id: UUID | None = None) -> HttpResponseBase:
    """Outputs of one version, or of every model that the person may see."""
    version = access.model_version_for_reading(request.user, public_id) if public_id else None
    rows = access.generations_for_reading(request.user)
    if version is not None:
        rows = rows.filter(model_version=version)
    state, verdict = request.GET.get("state", ""), request.GET.get("verdict", "")
    rows = narrowed(rows, state=state, verdict=verdict)
    context = {
        "version": version,
        "slice": slice_asked(
            request,
            overviews.with_verdicts(rows, access.matches_for_reading(request.user)),
            newest("made_at"),
            size=OUTPUTS_A_PAGE,
        ),
        "state": state,
        "verdict": verdict,
        "states": GenerationState.choices,
        "verdicts": Verdict.choices,
        "may_make": version is not None and may_make(request.user, version),
        **_together(request, version),
    }
    return show(request, "generation/outputs.html", context, partial="rows")


def _together(request: PersonRequest, version: ModelVersion | None) -> dict[str, object]:
    """Offer whoever decides a form over the outputs of one version that are held; ``select=all`` ticks each."""
    if version is None or not house.may(request.user, version.model.organisation, house.DECIDES):
        return {}
    return {
        "together": DecisionForm(choices=MANY_DECISIONS),
        "n_held": version.generations.filter(state=GenerationState.HELD).count(),
        "ticked": "all" if request.GET.get("select") == "all" else (),
    }


@require_POST
@page
def decide_outputs(request: PersonRequest, public_id: UUID) -> HttpResponseBase:
    """Decide about the held outputs that were ticked: one reason, and a review for each."""
    version = access.model_version_for_reading(request.user, public_id)
    house.require(request.user, version.model.organisation, house.DECIDES, "decide about outputs")
    form = DecisionForm(request.POST, choices=MANY_DECISIONS)
    ticked = set(request.POST.getlist("output"))
    rows = access.generations_for_reading(request.user).filter(model_version=version)
    chosen = [made for made in rows.filter(state=GenerationState.HELD) if str(made.public_id) in ticked]
    if form.is_valid():
        with refusals_in(form):
            if len(chosen) < len(ticked):
                raise ConflictError(
                    "Some of these are no longer held. Nothing was decided: look at what is left."
                )
            reviews = services.decide_generations(
                generations=chosen,
                decision=Decision(form.cleaned_data["decision"]),
                reason=form.cleaned_data["reason"],
                by=request.user,
                now=timezone.now(),
            )
            said = "released" if form.cleaned_data["decision"] == Decision.APPROVED else "refused"
            n = len(reviews)
            say(request, f"{n} output{'s are' if n > 1 else ' is'} {said}, each with a review of its own.")
            return redirect("generation:version-outputs", version.public_id)
    context = {
        "version": version,
        "slice": slice_asked(
            request,
            overviews.with_verdicts(
                rows.filter(state=GenerationState.HELD), access.matches_for_reading(request.user)
            ),
            newest("made_at"),
            size=max(OUTPUTS_A_PAGE, len(ticked)),
        ),
        "state": GenerationState.HELD.value,
        "verdict": "",
        "states": GenerationState.choices,
        "verdicts": Verdict.choices,
        **_together(request, version),
        "together": form,
        "ticked": ticked,
    }
    return show(request, "generation/outputs.html", context, status=422)


def narrowed(rows: QuerySet[Generation], *, state: str, verdict: str) -> QuerySet[Generation]:
    if state in GenerationState.values:
        rows = rows.filter(state=state)
    if verdict in Verdict.values:
        rows = overviews.newest_verdict(rows, verdict)
    return rows


def may_make(user: User, version: ModelVersion) -> bool:
    return house.may(user, version.model.organisation, house.MAKES_MODELS)


@require_safe
@page
def output(request: PersonRequest, public_id: UUID) -> HttpResponseBase:
    found = access.generation_for_reading(request.user, public_id)
    return show(
        request, "generation/output.html", _page_of(request, found, DecisionForm(choices=OUTPUT_DECISIONS))
    )


def _page_of(request: PersonRequest, generation: Generation, form: DecisionForm) -> dict[str, object]:
    check = newest_check(generation)
    return {
        "generation": generation,
        "version": generation.model_version,
        "evidence": evidence_for(request.user, check) if check else None,
        "older_checks": generation.checks.filter(control=False).order_by("-id")[1:],
        "control_checks": generation.checks.filter(control=True),
        "open_review": overviews.open_review(Question.GENERATION_RELEASE, generation.public_id),
        "decisions": overviews.decisions_about(house.reviews_for_reading(request.user), generation.public_id),
        "form": form,
        "may_decide": house.may(request.user, generation.model_version.model.organisation, house.DECIDES),
        "may_hear": access.may_hear(request.user, generation),
    }


def evidence_for(user: User, check: Check) -> overviews.Evidence:
    """Return a check as a person may read it: a label's guest learns no title and no collection of others."""
    found = overviews.evidence_of(
        check,
        access.judged_matches_for_reading(user),
        indexes=access.indexes_for_reading(user),
        datasets=datasets_for_reading(user),
    )
    if house.labels_of(user):
        for match in found.accepted:
            match.is_silent = stretches_for_hearing(user, match.recording) == ()  # type: ignore[attr-defined]
            match.is_hidden = not access.hears_stretch(user, match)  # type: ignore[attr-defined]
    if access.may_judge(user, check):
        for match in found.accepted:
            match.form = JudgeForm(auto_id=f"{anchor(match)}-%s")  # type: ignore[attr-defined]
    return found


def newest_check(generation: Generation) -> Check | None:
    return generation.checks.filter(control=False).order_by("-id").first()


@require_POST
@page
def decide_output(request: PersonRequest, public_id: UUID) -> HttpResponseBase:
    generation = access.generation_for_reading(request.user, public_id)
    organisation = generation.model_version.model.organisation
    house.require(request.user, organisation, house.DECIDES, "decide about an output")
    form = DecisionForm(request.POST, choices=OUTPUT_DECISIONS)
    if form.is_valid():
        with refusals_in(form), transaction.atomic():
            review = services.decide_generation(
                review=services.review_of_output(generation, by=request.user, now=timezone.now()),
                decision=Decision(form.cleaned_data["decision"]),
                reason=form.cleaned_data["reason"],
                by=request.user,
                now=timezone.now(),
            )
            say(
                request, f"The output is {'released' if review.decision == Decision.APPROVED else 'refused'}."
            )
            return redirect("generation:output", generation.public_id)
    return show(request, "generation/output.html", _page_of(request, generation, form), status=422)


@require_safe
@page
def output_audio(request: PersonRequest, public_id: UUID) -> HttpResponseBase:
    generation = access.generation_for_hearing(request.user, public_id)
    with storage.local_file(generation.audio) as path:
        return media.ranged(request, path, content_type="audio/wav", etag=generation.sha256)


@require_safe
@page
def output_peaks(request: PersonRequest, public_id: UUID) -> HttpResponseBase:
    generation = access.generation_for_hearing(request.user, public_id)
    with storage.local_file(generation.audio) as path:
        return media.peaks_response(path, key=generation.sha256)


@require_safe
@page
def output_file(request: PersonRequest, public_id: UUID, kind: str) -> HttpResponseBase:
    """Hand out a released output as a file: its sound, or its notes where the model writes notes."""
    generation = access.generation_for_reading(request.user, public_id)
    if generation.state != GenerationState.RELEASED:
        raise NotAllowedError("Only what was released can be taken away.")
    gate = queries.gate_of(generation.model_version, at=timezone.now())
    if not gate.is_open:  # suspended, or its music revoked, since the output was released
        raise ConflictError(f"Nothing of {generation.model_version} leaves now: {'; '.join(gate.reasons)}.")
    check = newest_check(generation)
    if check and (reference := blocked_reference_in(generation.model_version, check.pk)):
        raise ConflictError(f"It matches a recording that is blocked for this model now (case {reference}).")
    name = generation.midi if kind == "mid" else generation.audio
    with storage.local_file(name) as path:
        response = media.ranged(request, path, etag=f"{generation.sha256}.{kind}")
    stem = f"{generation.model_version.model.name}-{generation.seed}"
    response["Content-Disposition"] = f'attachment; filename="{stem}{Path(name).suffix}"'
    return response
