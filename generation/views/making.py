"""Asking for outputs and for trainings, and what goes on."""

import secrets
from datetime import timedelta
from uuid import UUID

from django.db.models import Q
from django.http import HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from generation import access, jobs, queries
from generation.forms.making import GenerateForm, TrainForm
from generation.models import ModelVersion, TrainingRun
from generation.queries import overviews
from generation.views.models import may_train_somewhere
from governance import access as house
from governance import jobs as work
from governance import services as governance
from governance.errors import NotAllowedError, PartMissingError
from governance.models import Job, JobState, User
from governance.pages import PersonRequest, page, page_of, say, show
from provenance.models import DatasetVersion

RECENT = timedelta(days=1)


@require_http_methods(["GET", "HEAD", "POST"])
@page
def generate(request: PersonRequest, public_id: UUID) -> HttpResponseBase:
    version = access.model_version_for_reading(request.user, public_id)
    house.require(request.user, version.model.organisation, house.MAKES_MODELS, "generate with a model")
    form = GenerateForm(request.POST or None, version=version)
    if form.is_valid():
        return watch(request, _queue_outputs(version, form, request.user))
    context = {
        "version": version,
        "form": form,
        "gate": queries.gate_of(version, at=timezone.now()),
        "index": overviews.index_of(version),
    }
    return show(request, "generation/generate.html", context, status=422 if form.errors else 200)


def _queue_outputs(version: ModelVersion, form: GenerateForm, by: User) -> Job:
    given = form.cleaned_data
    seed = given["seed"] if given["seed"] is not None else secrets.randbelow(2**31)
    return governance.queue_job(
        kind=jobs.GENERATE,
        organisation=version.model.organisation,
        asked_by=by,
        now=timezone.now(),
        subject_kind="model_version",
        subject_id=version.public_id,
        subject_name=str(version),
        arguments={
            "model": str(version),
            "n": given["n"],
            "seconds": given["seconds"],
            "seed": seed,
            "prompt": given.get("prompt", ""),
        },
    )


def watch(request: PersonRequest, job: Job) -> HttpResponseBase:
    """Wake a worker and show how far it is. With the broker down the row waits, and the next sweep finds it."""
    try:
        work.enqueue(job)
    except PartMissingError as error:
        say(request, str(error))
    return redirect("governance:job", job.public_id)


@require_http_methods(["GET", "HEAD", "POST"])
@page
def train(request: PersonRequest) -> HttpResponseBase:
    places = [
        place
        for place in house.organisations_of(request.user)
        if house.may(request.user, place, house.MAKES_MODELS)
    ]
    if not places:
        raise NotAllowedError("Training a model takes the role ml engineer.")
    form = TrainForm(request.POST or None, organisations=places, initial=_wanted(request))
    if form.is_valid():
        return watch(request, _queue_training(form, request.user))
    context = {"form": form, "n_versions": form.n_versions}
    return show(request, "generation/train.html", context, status=422 if form.errors else 200)


def _wanted(request: PersonRequest) -> dict[str, str]:
    """Return what the link that led here fills in: a version's page knows which version is meant."""
    return {
        name: request.GET[name] for name in ("dataset_version", "name", "architecture") if name in request.GET
    }


def _queue_training(form: TrainForm, by: User) -> Job:
    given = form.cleaned_data
    version: DatasetVersion = given["dataset_version"]
    return governance.queue_job(
        kind=jobs.TRAIN,
        organisation=version.dataset.organisation,
        asked_by=by,
        now=timezone.now(),
        subject_kind="dataset_version",
        subject_id=version.public_id,
        subject_name=f"{given['name']} on {version}",
        arguments={
            "name": given["name"],
            "dataset": str(version),
            "architecture": given["architecture"],
            "config": {"preset": given["preset"]},
            "steps": given["steps"],
            "seed": given["seed"],
        },
    )


@require_safe
@page
def runs(request: PersonRequest) -> HttpResponseBase:
    """What goes on now, what ended lately, and every training."""
    places = house.organisations_of(request.user)
    recent = timezone.now() - RECENT
    context = {
        "jobs": Job.objects.filter(organisation__in=places, kind__startswith="generation.")
        .filter(Q(state__in=[JobState.QUEUED, JobState.RUNNING]) | Q(finished_at__gte=recent))
        .select_related("asked_by")[:50],
        "page": page_of(
            request,
            TrainingRun.objects.filter(model__organisation__in=places).select_related(
                "model", "dataset_version__dataset", "model_version__model", "started_by"
            ),
        ),
        "may_train": may_train_somewhere(request.user),
    }
    return show(request, "generation/runs.html", context, partial="list")
