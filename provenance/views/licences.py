"""Pages of the licence catalogue: what each licence is read to say, under whose policy."""

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from governance import access as house
from governance.pages import PersonRequest, page, page_of, show
from provenance import queries
from provenance.forms.licences import LicenceFilterForm
from provenance.queries import licences, policies
from provenance.rights import terms
from provenance.rights.policy import DEFAULT, ClearancePolicy
from provenance.services.evidence import KEEPS_EVIDENCE, snapshots_for

LICENCES_SHOWN = 30


def _policy(request: PersonRequest) -> ClearancePolicy:
    """Return the policy of whom the person works for; of somebody who works for nobody, the shipped one."""
    own = house.organisations_of(request.user)
    return queries.policy_of(own[0]) if own else DEFAULT


@page
@require_GET
def licence_list(request: PersonRequest) -> HttpResponse:
    form = LicenceFilterForm(request.GET)
    wanted = form.wanted()
    policy = _policy(request)
    context = {
        "form": form,
        "columns": [licences.AXIS_WORDS[axis] for axis in wanted.axes],
        "page": page_of(request, licences.listed(policy, wanted), size=LICENCES_SHOWN),
        "questions": terms.questions().values(),
        "policy": policy,
    }
    return show(request, "provenance/licence_list.html", context, partial="licences")


@page
@require_GET
def licence(request: PersonRequest, licence_id: str) -> HttpResponse:
    found = terms.catalogue().get(licence_id)
    if found is None:
        raise Http404
    questions = terms.questions()
    policy = _policy(request)
    own = house.organisations_of(request.user)
    context = {
        "licence": found,
        "policy": policy,
        "readings": policies.axis_readings(found, policy),
        "sentences": terms.conditions(),
        "questions": [questions[question] for question in found.contested],
        "snapshots": snapshots_for(organisations=own, licence=licence_id),
        "may_keep": any(house.may(request.user, one, KEEPS_EVIDENCE) for one in own),
    }
    return render(request, "provenance/licence.html", context)
