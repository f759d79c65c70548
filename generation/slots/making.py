"""What generation puts on lower pages: queues at home, what hangs on a recording or dataset, what a job made."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import Count, Q
from django.urls import reverse
from django.utils import timezone

from generation import access, jobs, services
from generation.models import GenerationState
from generation.queries import overviews
from governance import access as house
from governance import slots
from governance.models import Decision, Job, Question, Review, Role, User
from provenance import deals
from provenance.models import Catalogue, CatalogueRun, Dataset, DatasetKind, DatasetVersion, Grant, Recording

SHOWN = 8

slots.subject_page("model", "generation:model")
slots.subject_page("model_version", "generation:model-version")
slots.subject_page("generation", "generation:output")
slots.subject_page("check", "generation:check")


def _decide_model(**answer: Any) -> Review:
    return services.decide_model(**{name: value for name, value in answer.items() if name != "conditions"})


def _decide_output(**answer: Any) -> Review:
    return services.decide_generation(
        **{name: value for name, value in answer.items() if name != "conditions"}
    )


slots.decider(
    Question.MODEL_RELEASE, _decide_model, (Decision.APPROVED, Decision.REJECTED, Decision.SUSPENDED)
)
slots.decider(Question.GENERATION_RELEASE, _decide_output, (Decision.APPROVED, Decision.REJECTED))


@slots.home_slot(Role.COMPLIANCE_OFFICER, template="generation/slots/gates.html", order=20)
def gates_closed(user: User) -> Mapping[str, object]:
    versions = list(access.model_versions_for_reading(user).order_by("model__name", "-number"))
    gates = overviews.gates_of(versions, at=timezone.now())
    closed = [(version, gates[version.pk]) for version in versions if not gates[version.pk].is_open]
    return {"closed": closed[:SHOWN], "n_more": max(0, len(closed) - SHOWN), "n_versions": len(versions)}


@slots.home_slot(Role.COMPLIANCE_OFFICER, template="generation/slots/undecided.html", order=30)
def models_undecided(user: User) -> Mapping[str, object] | None:
    """Models that nobody has been asked about: they would otherwise be seen by nobody."""
    reviews = Review.objects.filter(question=Question.MODEL_RELEASE).values("subject_id")
    versions = access.model_versions_for_reading(user).exclude(public_id__in=reviews)
    found = list(versions.order_by("-registered_at")[:SHOWN])
    return {"versions": found} if found else None


@slots.home_slot(Role.ML_ENGINEER, template="generation/slots/latest_outputs.html", order=20)
def latest_outputs(user: User) -> Mapping[str, object]:
    rows = overviews.with_verdicts(access.generations_for_reading(user), access.matches_for_reading(user))[
        :SHOWN
    ]
    versions = list(access.model_versions_for_reading(user).order_by("-registered_at")[:SHOWN])
    counts = overviews.verdict_counts_of(versions)
    return {
        "outputs": list(rows),
        "versions": [(version, counts[version.pk]) for version in versions],
    }


@slots.home_slot(Role.LABEL_AUDITOR, template="generation/slots/sounds_like_ours.html", order=10)
def sounds_like_ours(user: User) -> Mapping[str, object]:
    """Outputs and files in which a recording of the label's collections was found."""
    matches = (
        access.own_matches(user)
        .filter(accepted=True, check_made__control=False)
        .filter(check_made__in=access.checks_for_reading(user).values("pk"))
        .select_related("recording", "check_made__generation__model_version__model")
        .order_by("-check_made__checked_at", "-score")
    )
    return {"matches": overviews.best_a_check(matches[: 20 * SHOWN])[:SHOWN]}


@slots.fill("recording", template="generation/slots/outputs_like_it.html", order=30)
def outputs_like_it(user: User, recording: Recording) -> Mapping[str, object]:
    checks = access.checks_for_reading(user).filter(control=False)
    matches = overviews.matches_of(recording).filter(check_made__in=checks.values("pk"))
    return {"recording": recording, "matches": overviews.best_a_check(matches[: 20 * SHOWN])[:SHOWN]}


@slots.fill("recording", template="generation/slots/trained_on_it.html", order=40)
def trained_on_it(user: User, recording: Recording) -> Mapping[str, object]:
    versions = overviews.trained_on(recording).filter(model__organisation__in=house.organisations_of(user))
    return {"versions": list(versions)}


@slots.fill("catalogue", template="generation/slots/catalogue_models.html", order=30)
def models_with_a_catalogue(
    user: User, asked: tuple[Catalogue, Sequence[CatalogueRun]]
) -> Mapping[str, object]:
    """The models trained on recordings of a label's catalogue: how many, and how many outputs are like them."""
    _, runs = asked
    versions = access.model_versions_for_reading(user)
    return {"models": overviews.models_holding(list(runs), versions) if runs else []}


@slots.fill("dataset", template="generation/slots/models_of.html", order=30)
def models_of_dataset(user: User, dataset: Dataset) -> Mapping[str, object] | None:
    if dataset.kind == DatasetKind.PROTECTED:
        return None
    return _models_of(user, Q(dataset_version__dataset=dataset))


@slots.fill("grant", template="generation/slots/models_on_deal.html", order=30)
def models_on_deal(user: User, deal: Sequence[Grant]) -> Mapping[str, object]:
    return _models_of(user, Q(dataset_version__in=deals.versions_on(deal)))


@slots.fill("version", template="generation/slots/models_of.html", order=30)
def models_of_version(user: User, version: DatasetVersion) -> Mapping[str, object]:
    train_url = f"{reverse('generation:train')}?dataset_version={version.public_id}"
    may_train = house.may(user, version.dataset.organisation, house.MAKES_MODELS)
    return _models_of(user, Q(dataset_version=version)) | {"train_url": train_url if may_train else ""}


def _models_of(user: User, trained_on: Q) -> dict[str, object]:
    rows = access.model_versions_for_reading(user).filter(trained_on)
    versions = list(rows.order_by("model__name", "number"))
    counts = overviews.verdict_counts_of(versions)
    return {"versions": [(version, counts[version.pk]) for version in versions]}


@slots.fill("review_list", template="generation/slots/held.html", order=20)
def held(user: User, _: object) -> Mapping[str, object] | None:
    """Where several outputs of one version can be decided about together."""
    places = [place for place in house.organisations_of(user) if house.may(user, place, house.DECIDES)]
    waiting = (
        access.model_versions_for_reading(user)
        .filter(model__organisation__in=places, generations__state=GenerationState.HELD)
        .annotate(n_held=Count("generations"))
        .filter(n_held__gt=1)
        .order_by("-n_held", "model__name")
    )
    return {"versions": list(waiting[:SHOWN])} if waiting else None


@slots.fill("review", template="generation/slots/reviewed.html", order=20)
def reviewed(user: User, review: Review) -> Mapping[str, object] | None:
    """The evidence in short, beside the question that it answers."""
    if review.question == Question.GENERATION_RELEASE:
        found = overviews.with_verdicts(
            access.generations_for_reading(user), access.judged_matches_for_reading(user)
        ).filter(public_id=review.subject_id)
        flagged = overviews.flagged_of(found)
        may_hear = house.may(user, review.organisation, house.SEES_OUTPUTS)
        return {"flagged": flagged[0], "may_hear": may_hear} if flagged else None
    if review.question == Question.MODEL_RELEASE:
        version = access.model_versions_for_reading(user).filter(public_id=review.subject_id).first()
        if version is None:
            return None
        (card,) = overviews.cards([version], at=timezone.now())
        return {"card": card, "verdicts": overviews.verdict_pairs(card.counts)}
    return None


@slots.fill("job", template="generation/slots/made.html", order=20)
def made(user: User, job: Job) -> Mapping[str, object] | None:
    """What a finished job of this app leaves: outputs, a model version, or a check."""
    if job.kind == jobs.GENERATE:
        outputs = overviews.with_verdicts(
            access.generations_for_reading(user).filter(job=job), access.matches_for_reading(user)
        )
        return {"job": job, "outputs": list(outputs)}
    if job.kind == jobs.TRAIN:
        version = _named(access.model_versions_for_reading(user), job, "model_version")
        return {"job": job, "version": version}
    if job.kind == jobs.CHECK:
        checks = access.checks_for_reading(user)
        return {"job": job, "check": _named(checks, job, "check")}
    return None


def _named(rows: Any, job: Job, name: str) -> Any:
    public_id = job.outcome.get(name)
    return rows.filter(public_id=public_id).first() if public_id else None
