"""The page of a party: who it is, by which identifiers, which organisation it stands for, and what it gave."""

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from governance import access as house
from governance.pages import PersonRequest, page, refusals_in, say
from provenance import access
from provenance.forms.parties import IdentifyForm
from provenance.models import Party, RightsClaim
from provenance.rights.identifiers import CHECKS
from provenance.services.parties import identify_party

GRANTS_SHOWN = 20


@page
@require_http_methods(["GET", "POST"])
def party(request: PersonRequest, public_id: str) -> HttpResponse:
    found = access.party_for_reading(request.user, public_id)
    may_identify = house.may(request.user, found.organisation, house.RESOLVES_CONFLICTS)
    named = found.stands_for.name if found.stands_for else ""
    form = IdentifyForm(request.POST or None, initial={"organisation": named})
    if request.method == "POST":
        house.require(request.user, found.organisation, house.RESOLVES_CONFLICTS, "say who a party is")
        form = IdentifyForm(request.POST)
        if form.is_valid():
            with refusals_in(form):
                meant = form.cleaned_data["organisation"]
                identify_party(party=found, organisation=meant, by=request.user, now=timezone.now())
                say(request, f"{found} is {meant or 'no organisation here'}. The ledger says who said so.")
                return redirect("provenance:party", public_id)
    grants = access.grants_for_reading(request.user).filter(organisation=found.organisation)
    context = {
        "party": found,
        "identifiers": _identifiers(found),
        "form": form if may_identify else None,
        "given": grants.filter(licensor=found)[:GRANTS_SHOWN],
        "received": grants.filter(licensee=found)[:GRANTS_SHOWN],
        "n_given": grants.filter(licensor=found).count(),
        "n_received": grants.filter(licensee=found).count(),
        "claims": _claims(request, found)[:GRANTS_SHOWN],
        "n_claims": found.claims.filter(withdrawn_at=None).count(),
    }
    return render(request, "provenance/party.html", context, status=422 if form.errors else 200)


def _claims(request: PersonRequest, party: Party) -> QuerySet[RightsClaim]:
    standing = access.claims_for_reading(request.user).filter(party=party, withdrawn_at=None)
    return standing.select_related("recording").order_by("recording__title", "right", "pk")


def _identifiers(party: Party) -> list[tuple[str, str, bool]]:
    """Return (scheme, as it was written, whether it is valid) of each identifier that is known."""
    schemes = (("isni", "ISNI"), ("ipi_name", "IPI name"), ("ipi_base", "IPI base"), ("dpid", "DPID"))
    known = [(name, label, getattr(party, name)) for name, label in schemes if getattr(party, name)]
    return [(label, written, CHECKS[name](written).valid) for name, label, written in known]
