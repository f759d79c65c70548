"""The gallery of models, and the card of one version."""

from uuid import UUID

from django.db import transaction
from django.db.models import Max, OuterRef, Subquery
from django.http import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from generation import access, queries, services
from generation.forms.making import MODEL_DECISIONS, DecisionForm
from generation.models import GenerativeModel, ModelVersion
from generation.queries import overviews
from governance import access as house
from governance import services as governance
from governance import slots
from governance.models import Decision, Question, Review, User
from governance.pages import PersonRequest, page, page_of, refusals_in, say, show

CARDS_A_PAGE = 24


@require_safe
@page
def model_list(request: PersonRequest) -> HttpResponseBase:
    newest = (
        ModelVersion.objects.filter(model=OuterRef("model"))
        .order_by()
        .values("model")
        .annotate(newest=Max("number"))
        .values("newest")
    )
    versions = access.model_versions_for_reading(request.user).filter(number=Subquery(newest))
    wanted = request.GET.get("q", "").strip()
    if wanted:
        versions = versions.filter(model__name__icontains=wanted)
    shown = page_of(request, versions.order_by("model__name", "model_id"), size=CARDS_A_PAGE)
    context = {
        "page": shown,
        "cards": overviews.cards_for_reading(request.user, list(shown.object_list), at=timezone.now()),
        "q": wanted,
        "may_train": may_train_somewhere(request.user),
    }
    return show(request, "generation/models.html", context, partial="gallery")


def may_train_somewhere(user: User) -> bool:
    return any(house.may(user, place, house.MAKES_MODELS) for place in house.organisations_of(user))


@require_safe
@page
def model(request: PersonRequest, public_id: UUID) -> HttpResponseBase:
    """Lead to the newest version; a model whose first training goes on has none yet."""
    found = access.model_for_reading(request.user, public_id)
    newest = found.versions.order_by("-number").first()
    if newest is not None:
        return redirect("generation:model-version", newest.public_id)
    return show(request, "generation/model_without_weights.html", {"model": found, "runs": _runs_of(found)})


def _runs_of(model: GenerativeModel) -> object:
    return model.training_runs.select_related("dataset_version__dataset", "started_by")


@require_safe
@page
def model_version(request: PersonRequest, public_id: UUID) -> HttpResponseBase:
    version = access.model_version_for_reading(request.user, public_id)
    return show(
        request,
        "generation/model_version.html",
        _card_of(request, version, DecisionForm(choices=MODEL_DECISIONS)),
    )


def _card_of(request: PersonRequest, version: ModelVersion, form: DecisionForm) -> dict[str, object]:
    organisation = version.model.organisation
    frozen = version.dataset_version
    counts = queries.verdict_counts(version)
    return {
        "version": version,
        "versions": list(version.model.versions.order_by("-number")),
        "gate": overviews.gate_for_reading(
            request.user, version, queries.gate_of(version, at=timezone.now())
        ),
        "origins": access.origins_for_reading(request.user, version),
        "decided": queries.last_decision(version),
        "open_review": overviews.open_review(Question.MODEL_RELEASE, version.public_id),
        "decisions": overviews.decisions_about(house.reviews_for_reading(request.user), version.public_id),
        "counts": counts,
        "verdicts": overviews.verdict_pairs(counts),
        "control": overviews.control_of(version),
        "worst": overviews.worst_matches(version, access.judged_matches_for_reading(request.user)),
        "run": overviews.run_of(version),
        "losses": overviews.losses_of(version),
        "beats_baselines": overviews.beats_baselines(version),
        "licences": overviews.licences_of(frozen) if frozen else [],
        "index": overviews.index_of(version),
        "policies": overviews.policies_of(version),
        "states": overviews.state_counts(version),
        "form": form,
        "may_decide": house.may(request.user, organisation, house.DECIDES),
        "may_make": house.may(request.user, organisation, house.MAKES_MODELS),
        "may_hear": house.may(request.user, organisation, house.SEES_OUTPUTS),
        "blocks": slots.shown("model_version", request, version),
    }


@require_POST
@page
def ask_release(request: PersonRequest, public_id: UUID) -> HttpResponseBase:
    version = access.model_version_for_reading(request.user, public_id)
    house.require(request.user, version.model.organisation, house.MAKES_MODELS, "ask for a release")
    services.ask_model_release(version=version, by=request.user, now=timezone.now())
    say(request, f"Those who decide are asked whether {version} may be released.")
    return redirect("generation:model-version", version.public_id)


@require_POST
@page
def decide_model(request: PersonRequest, public_id: UUID) -> HttpResponseBase:
    version = access.model_version_for_reading(request.user, public_id)
    house.require(request.user, version.model.organisation, house.DECIDES, "decide about a model")
    form = DecisionForm(request.POST, choices=MODEL_DECISIONS)
    if form.is_valid():
        with refusals_in(form), transaction.atomic():
            review = services.decide_model(
                review=model_review(version, request.user),
                decision=Decision(form.cleaned_data["decision"]),
                reason=form.cleaned_data["reason"],
                by=request.user,
                now=timezone.now(),
            )
            say(request, f"{version} is {review.get_decision_display().lower()}. The reason is kept with it.")
            return redirect("generation:model-version", version.public_id)
    return show(request, "generation/model_version.html", _card_of(request, version, form), status=422)


def model_review(version: ModelVersion, by: User) -> Review:
    """Return the open question about a version, or put it anew, in the house's name.

    Whoever registered the version asks in their own name, so that they can't answer.
    """
    asker = by if by.pk == version.registered_by_id else governance.system_user()
    return overviews.open_review(Question.MODEL_RELEASE, version.public_id) or services.ask_model_release(
        version=version, by=asker, now=timezone.now()
    )
