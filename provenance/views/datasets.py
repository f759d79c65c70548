"""Pages of datasets: what is in them, may it be used, what was frozen."""

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from governance import access as house
from governance import jobs, slots
from governance import services as governance
from governance.errors import PartMissingError
from governance.forms import DecisionForm
from governance.keyset import slice_asked
from governance.models import Decision, Job, Organisation, Role
from governance.pages import PersonRequest, page, page_of, refusals_in, say, show
from provenance import access, queries, services, tables
from provenance.audio import AudioError
from provenance.forms.clearances import MatrixForm
from provenance.forms.datasets import FreezeForm, RegisterForm
from provenance.intake.errors import IntakeError
from provenance.jobs import INDEX, REGISTER
from provenance.models import ConflictStatus, Dataset, DatasetKind, DatasetVersion
from provenance.queries import clearances
from provenance.queries.omissions import left_out_of
from provenance.services.evidence import KEEPS_EVIDENCE, snapshots_for

MAY_FREEZE = (*house.WRITES_DATASETS, *house.MAKES_MODELS)
MAY_INDEX = (*MAY_FREEZE, *house.DECIDES)
DECISIONS = (Decision.APPROVED, Decision.REJECTED)


@page
@require_GET
def dataset_list(request: PersonRequest) -> HttpResponse:
    datasets = tables.with_counts(access.datasets_for_reading(request.user)).order_by("name", "id")
    own = house.organisations_of(request.user)
    context = {
        "page": page_of(request, datasets),
        "may_register": any(house.may(request.user, one, house.WRITES_DATASETS) for one in own),
        "several_organisations": len(own) > 1,
    }
    return render(request, "provenance/dataset_list.html", context)


@page
@require_GET
def dataset(request: PersonRequest, public_id: str) -> HttpResponse:
    found = access.dataset_for_reading(request.user, public_id)
    now = timezone.now()
    clearance = clearance_of(request, found, now)
    if request.htmx:
        return show(request, "provenance/dataset.html", clearance, partial="clearance")
    readable = access.conflicts_for_reading(request.user).values("pk")
    open_conflicts = queries.conflicts_touching(found).filter(status=ConflictStatus.OPEN)
    whole = house.reads_whole(request.user, found.organisation)
    approval = queries.approval_of(found)
    context = {
        **clearance,
        "counted": tables.with_counts(Dataset.objects.filter(pk=found.pk)).get(),
        "approval": approval,
        "in_force": queries.policy_of(found.organisation),
        "n_conflicts": open_conflicts.count(),
        "conflicts": open_conflicts.filter(pk__in=readable).order_by("-weight", "-found_at", "-pk")[:6],
        "versions": found.versions.select_related("frozen_by").order_by("-number"),
        "registrations": found.registrations.filter(dataset__organisation__in=house.houses_of(request.user))
        .select_related("registered_by")
        .order_by("-registered_at"),
        "index": queries.latest_index(found, None),
        "pieces": slots.shown("dataset", request, found),
        "snapshots": snapshots_for(organisations=[found.organisation], dataset=found) if whole else [],
        "may_keep": house.may(request.user, found.organisation, KEEPS_EVIDENCE),
        **_deeds(request, found, now),
    }
    return show(request, "provenance/dataset.html", context, partial="clearance")


def clearance_of(request: PersonRequest, dataset: Dataset, now: datetime) -> dict[str, Any]:
    """Return the form that asks for what the recordings are wanted, and the page of answers."""
    policies = tables.policies_of(dataset.organisation)
    form = MatrixForm.asked(request.GET.dict(), policies)
    whole = house.reads_whole(request.user, dataset.organisation)
    context: dict[str, Any] = {"dataset": dataset, "form": form, "table": None, "reads_whole": whole}
    if form.is_valid():
        question = form.question(dataset, None, now)
        context["table"] = tables.clearance_table(
            question,
            now=now,
            answer=form.cleaned_data["answer"],
            after=request.GET.get("after", ""),
            before=request.GET.get("before", ""),
        )
        context["job"] = clearances.job_for(question)
    return context


def _deeds(request: PersonRequest, dataset: Dataset, now: datetime) -> dict[str, Any]:
    """Return the forms of what this person may do with the dataset."""
    house_of = dataset.organisation
    trains = dataset.kind == DatasetKind.TRAINING
    return {
        "approve_form": _approve_form(dataset, now)
        if trains
        and house.may(request.user, house_of, house.DECIDES)
        and not _registered_by(request, dataset)
        else None,
        "freeze_form": FreezeForm(policies=tables.policies_of(house_of))
        if trains and house.may(request.user, house_of, MAY_FREEZE)
        else None,
        "may_index": house.may(request.user, house_of, MAY_INDEX),
        "may_register": house.may(request.user, house_of, house.WRITES_DATASETS),
    }


def _registered_by(request: PersonRequest, dataset: Dataset) -> bool:
    return dataset.registrations.filter(registered_by=request.user).exists()


def _approve_form(dataset: Dataset, now: datetime, words: Any = None) -> DecisionForm:
    return DecisionForm(words, decisions=DECISIONS, conditions=tables.conditions_offered(dataset, at=now))


@page
@require_http_methods(["GET", "POST"])
def approve(request: PersonRequest, public_id: str) -> HttpResponse:
    found = access.dataset_for_reading(request.user, public_id)
    house.require(request.user, found.organisation, house.DECIDES, "approve a dataset")
    form = _approve_form(found, timezone.now(), request.POST if request.method == "POST" else None)
    if form.is_valid():
        with refusals_in(form):
            services.approve_dataset(
                dataset=found,
                by=request.user,
                reason=form.cleaned_data["reason"],
                accept=form.cleaned_data.get("conditions", []),
                decision=Decision(form.cleaned_data["decision"]),
                now=timezone.now(),
            )
            say(request, "The decision is recorded.")
            return redirect("provenance:dataset", public_id)
    return _deed(request, found, form, "Decide about", "Record the decision")


@page
@require_http_methods(["GET", "POST"])
def freeze(request: PersonRequest, public_id: str) -> HttpResponse:
    found = access.dataset_for_reading(request.user, public_id)
    house.require(request.user, found.organisation, MAY_FREEZE, "freeze a dataset")
    words = request.POST if request.method == "POST" else None
    form = FreezeForm(words, policies=tables.policies_of(found.organisation))
    if form.is_valid():
        with refusals_in(form):
            now = timezone.now()
            frozen = services.freeze_dataset(
                dataset=found,
                use=form.use(now),
                by=request.user,
                now=now,
                only_cleared=form.cleaned_data["only_cleared"],
                policy_name=form.cleaned_data["policy"],
            )
            say(request, f"{frozen.version.n_recordings} recordings are frozen as {frozen.version}.")
            return redirect("provenance:version", frozen.version.public_id)
    return _deed(request, found, form, "Freeze", "Freeze this version")


def _deed(request: PersonRequest, dataset: Dataset, form: Any, deed: str, submit: str) -> HttpResponse:
    context = {"dataset": dataset, "form": form, "deed": deed, "submit": submit}
    return render(request, "provenance/dataset_deed.html", context, status=422 if form.errors else 200)


@page
@require_POST
def index(request: PersonRequest, public_id: str) -> HttpResponse:
    found = access.dataset_for_reading(request.user, public_id)
    house.require(request.user, found.organisation, MAY_INDEX, "index a dataset")
    number = request.POST.get("version", "")
    reference = f"{found.name}@{number}" if number else found.name
    queries.dataset_named(reference, [found.organisation])
    job = governance.queue_job(
        kind=INDEX,
        organisation=found.organisation,
        asked_by=request.user,
        now=timezone.now(),
        subject_kind="dataset",
        subject_id=found.public_id,
        subject_name=reference,
        arguments={"reference": reference},
    )
    return started(request, job)


def started(request: PersonRequest, job: Job) -> HttpResponse:
    """Wake a worker and go to the job's page; without a broker the job waits, and the page says so."""
    try:
        jobs.enqueue(job)
    except PartMissingError as error:
        messages.warning(request, str(error))
    return redirect("governance:job", job.public_id)


@page
@require_http_methods(["GET", "POST"])
def register(request: PersonRequest) -> HttpResponse:
    organisation = _where_to_register(request)
    given = {"name": request.GET.get("name", "")}
    form = (
        RegisterForm(request.POST, request.FILES) if request.method == "POST" else RegisterForm(initial=given)
    )
    if form.is_valid():
        with refusals_in(form, IntakeError, AudioError):
            source = form.source()
            job = governance.queue_job(
                kind=REGISTER,
                organisation=organisation,
                asked_by=request.user,
                now=timezone.now(),
                subject_kind="dataset",
                subject_name=form.cleaned_data["name"],
                arguments={
                    "name": form.cleaned_data["name"],
                    "kind": form.cleaned_data["kind"],
                    "source": str(source.path),
                    "format": source.format,
                    "root": str(source.root),
                },
            )
            return started(request, job)
    return render(
        request, "provenance/dataset_register.html", {"form": form}, status=422 if form.errors else 200
    )


def _where_to_register(request: PersonRequest) -> Organisation:
    """Return the organisation this person is a steward of; the refusal names the role that is missing."""
    own = house.organisations_of(request.user)
    for organisation in own:
        if house.may(request.user, organisation, house.WRITES_DATASETS):
            return organisation
    home = own[0] if own else governance.home_organisation(request.user)
    house.require(request.user, home, [Role.DATA_STEWARD], "register a dataset")
    return home


@page
@require_GET
def version(request: PersonRequest, public_id: str) -> HttpResponse:
    found = access.version_for_reading(request.user, public_id)
    leaves = found.entries.select_related("recording")
    whole = house.reads_whole(request.user, found.dataset.organisation)
    if not whole:
        leaves = leaves.filter(access.readable_recordings(request.user, path="recording__"))
    context = {
        "version": found,
        "slice": slice_asked(request, leaves, queries.LEAVES),
        "review": _review_of(found),
        "left_out": left_out_of(found) if whole and found.n_left_out and not request.htmx else None,
        "index": queries.latest_index(found.dataset, found),
        "may_index": house.may(request.user, found.dataset.organisation, MAY_INDEX),
        "pieces": [] if request.htmx else slots.shown("version", request, found),
    }
    return show(request, "provenance/version.html", context, partial="leaves")


def _review_of(version: DatasetVersion) -> Any:
    return version.dataset.organisation.reviews.filter(public_id=version.review_id).first()
