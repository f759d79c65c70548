"""Pages of clearance policies: what holds and since when, what a change would do, proposing one."""

from datetime import datetime
from typing import Any

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from governance import access as house
from governance import services as governance
from governance.errors import NotFoundError
from governance.models import Organisation
from governance.pages import PersonRequest, page, refusals_in, say
from provenance import access, queries, services, tables
from provenance.forms.policies import (
    OverrideFormSet,
    PolicyFileForm,
    PolicyForm,
    UseOfPreviewForm,
    filled_in,
    overrides_filled_in,
)
from provenance.queries import policies, previews
from provenance.rights.changes import reading_changes
from provenance.rights.errors import PolicyError
from provenance.rights.policy import SHIPPED, ClearancePolicy, policy_from_json, policy_from_yaml
from provenance.rights.values import Use

MORE, PREVIEW, PROPOSE, LOAD = "more", "preview", "propose", "load"


@page
@require_GET
def current(request: PersonRequest) -> HttpResponse:
    """Show the policy in force, every choice beside the shipped ones, what waits, and what held before."""
    organisation, own = _organisation(request)
    adoption = queries.adoption_of(organisation)
    policy = queries.policy_of(organisation)
    context = {
        "organisation": organisation,
        "organisations": own,
        "policy": policy,
        "adoption": adoption,
        "choices": policies.choices(policy),
        "waiting": policies.proposals_open(organisation),
        "history": policies.history(organisation),
        "may_propose": house.may(request.user, organisation, house.PROPOSES_POLICIES),
    }
    return render(request, "provenance/policies.html", context)


def _organisation(request: PersonRequest) -> tuple[Organisation, list[Organisation]]:
    """Return the organisation that the address names, else the one the person works for; and all of theirs."""
    own = house.organisations_of(request.user)
    named = request.GET.get("organisation", "")
    if not named:
        return (own[0] if own else governance.home_organisation(request.user)), own
    found = next((one for one in own if str(one.public_id) == named), None)
    if found is None:
        raise NotFoundError("There is no such organisation.")
    return found, own


@page
@require_GET
def policy(request: PersonRequest, public_id: str) -> HttpResponse:
    kept = policies.policy_for_reading(request.user, public_id)
    value, before = queries.policy_value(kept), policies.replaced_by(kept)
    reviews = list(policies.reviews_of(kept))
    state = policies.state_of(kept)
    context = {
        "kept": kept,
        "policy": value,
        "before": before,
        "state": policies.STATES[state],
        "review": reviews[0] if reviews else None,
        "choices": policies.choices(value, before),
        **_changes(before, value),
    }
    if state == "proposed":
        context |= _previews(request, kept.organisation, before, value, request.GET.dict(), timezone.now())
    return render(request, "provenance/policy.html", context)


def _changes(before: ClearancePolicy, after: ClearancePolicy) -> dict[str, Any]:
    changes = reading_changes(before, after)
    return {
        "changes": policies.grouped(changes),
        "n_stricter": sum(change.direction == "stricter" for change in changes),
        "n_looser": sum(change.direction == "looser" for change in changes),
    }


def _previews(
    request: PersonRequest,
    organisation: Organisation,
    before: ClearancePolicy,
    after: ClearancePolicy,
    words: dict[str, Any],
    now: datetime,
) -> dict[str, Any]:
    """Return each dataset's answers under both policies; a large one is counted when that is asked for."""
    form = UseOfPreviewForm.asked(words)
    if not form.is_valid():
        form = UseOfPreviewForm.asked({})
        form.is_valid()
    asked = form.cleaned_data
    use: Use = queries.use_for(
        purpose=asked["purpose"], commercial=asked["commercial"] == "yes", territory="", at=now
    )
    datasets = access.datasets_for_reading(request.user).filter(organisation=organisation).order_by("name")
    at_most = None if asked["count"] else tables.SUMMED_AT_ONCE
    found = previews.preview(datasets, before=before, after=after, use=use, at_most=at_most)
    return {
        "use_form": form,
        "use": use,
        "before": before,
        "after": after,
        "previews": found,
        "n_uncounted": sum(not one.counted for one in found),
        "count_url": f"?purpose={asked['purpose']}&commercial={asked['commercial']}&count=on#preview-title",
    }


@page
@require_GET
def policy_file(request: PersonRequest, public_id: str) -> HttpResponse:
    kept = policies.policy_for_reading(request.user, public_id)
    return _file(queries.policy_value(kept), f"{kept.name}-{kept.version}")


@page
@require_GET
def current_file(request: PersonRequest) -> HttpResponse:
    organisation, _ = _organisation(request)
    return _file(queries.policy_of(organisation), "policy")


def _file(policy: ClearancePolicy, name: str) -> HttpResponse:
    response = HttpResponse(policy.as_yaml(), content_type="application/yaml; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.yaml"'
    return response


@page
@require_http_methods(["GET", "POST"])
def propose(request: PersonRequest) -> HttpResponse:
    organisation, _ = _organisation(request)
    house.require(request.user, organisation, house.PROPOSES_POLICIES, "propose a policy")
    in_force = queries.policy_of(organisation)
    asked = request.POST.get("do", "")
    if asked == LOAD:
        return _loaded(request, organisation, in_force)
    if request.method == "POST":
        return _answered(request, organisation, in_force, asked)
    start = SHIPPED.get(request.GET.get("start", ""), in_force)
    return _form(request, organisation, in_force, *_forms(start, organisation))


def _forms(policy: ClearancePolicy, organisation: Organisation) -> tuple[PolicyForm, Any]:
    """Return the forms filled in with a policy; a shipped one changed needs a name of its own."""
    form = PolicyForm(initial=filled_in(policy))
    return form, OverrideFormSet(initial=overrides_filled_in(policy), prefix="override")


def _loaded(request: PersonRequest, organisation: Organisation, in_force: ClearancePolicy) -> HttpResponse:
    file_form = PolicyFileForm(request.POST, request.FILES)
    loaded = in_force
    if file_form.is_valid():
        try:
            loaded = policy_from_yaml(*file_form.text())
            say(
                request, f"{file_form.cleaned_data['file'].name} is filled in below. Nothing is proposed yet."
            )
        except UnicodeDecodeError as error:
            file_form.add_error("file", f"It is not UTF-8: byte {error.start} can't be read.")
        except PolicyError as error:
            file_form.add_error("file", f"{error}.")
    forms = _forms(loaded, organisation)
    return _form(request, organisation, in_force, *forms, file_form=file_form)


def _answered(
    request: PersonRequest, organisation: Organisation, in_force: ClearancePolicy, asked: str
) -> HttpResponse:
    words = request.POST.copy()
    if asked == MORE:
        n_rows = words.get("override-TOTAL_FORMS", "")[:4]
        words["override-TOTAL_FORMS"] = str(min(int(n_rows) + 1 if n_rows.isdecimal() else 1, 100))
    form = PolicyForm(words, needs_reason=asked == PROPOSE)
    overrides = OverrideFormSet(words, prefix="override")
    if asked == MORE or not (form.is_valid() and overrides.is_valid()):
        return _form(request, organisation, in_force, form, overrides)
    chosen = [row.override() for row in overrides if row.cleaned_data.get("of")]
    with refusals_in(form, PolicyError):
        policy = policy_from_json(form.body(chosen))
        services.check_proposal(organisation, policy)
        if asked == PROPOSE:
            return _proposed(request, organisation, policy, form.cleaned_data["reason"])
        context = {
            **_changes(in_force, policy),
            **_previews(request, organisation, in_force, policy, form.cleaned_data, timezone.now()),
            "previewed": True,
            "count_url": "",
        }
        return _form(request, organisation, in_force, form, overrides, **context)
    return _form(request, organisation, in_force, form, overrides)


def _proposed(
    request: PersonRequest, organisation: Organisation, policy: ClearancePolicy, reason: str
) -> HttpResponseRedirect:
    kept, _ = services.propose_policy(
        organisation=organisation, policy=policy, reason=reason, by=request.user, now=timezone.now()
    )
    say(request, f"{kept} is proposed. Nothing is read by it until a compliance officer approves it.")
    return redirect("provenance:policy", kept.public_id)


def _form(
    request: PersonRequest,
    organisation: Organisation,
    in_force: ClearancePolicy,
    form: PolicyForm,
    overrides: Any,
    **context: Any,
) -> HttpResponse:
    context = {
        "organisation": organisation,
        "in_force": in_force,
        "form": form,
        "overrides": overrides,
        "file_form": PolicyFileForm(),
        "shipped": SHIPPED.values(),
        **context,
    }
    form.fields["reason"].required = True  # proposing takes one, whatever was asked now
    wrong = form.errors or context["file_form"].errors or (overrides.is_bound and not overrides.is_valid())
    return render(request, "provenance/policy_propose.html", context, status=422 if wrong else 200)
