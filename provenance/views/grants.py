"""Pages of grants: who gave what to whom."""

import json
import tempfile
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from governance import access as house
from governance import services as governance
from governance import slots
from governance.errors import ConflictError
from governance.keyset import by, newest, slice_asked
from governance.models import Organisation
from governance.pages import PersonRequest, page, refusals_in, say, show
from provenance import access, deals, documents, services, tables, uploads
from provenance.forms.datasets import GrantFilterForm, RegisterGrantsForm, ReinstateForm, RevokeForm
from provenance.forms.rights import DealForm
from provenance.models import Grant
from provenance.services.evidence import READS_CONFIDENTIAL
from provenance.services.granting import GrantOutcome

AGREEMENTS = (".pdf", ".txt", ".md", ".html", ".docx", ".odt", ".png", ".jpg", ".eml")
DEALS = (".csv", ".xlsx", ".json", ".jsonl", ".ndjson")


@page
@require_GET
def grant_list(request: PersonRequest) -> HttpResponse:
    form = GrantFilterForm(request.GET)
    today = timezone.now().date()
    grants = tables.grants_with_counts(access.grants_for_reading(request.user))
    ending = _ending(access.grants_for_reading(request.user), today)
    if form.is_valid():
        grants = _narrowed(grants, form.cleaned_data, today)
    found = slice_asked(request, grants, newest("registered_at"))
    context = {
        "form": form,
        "slice": found,
        "grants": [(grant, *tables.grant_state(grant, today)) for grant in found.rows],
        "may_register": _may_register(request),
        "n_ending": 0 if request.htmx else ending.count(),
    }
    return show(request, "provenance/grant_list.html", context, partial="grants")


def _narrowed(grants: QuerySet[Grant], asked: dict[str, Any], today: date) -> QuerySet[Grant]:
    if asked["q"]:
        named = Q(licensor__name__icontains=asked["q"]) | Q(licensee__name__icontains=asked["q"])
        grants = grants.filter(named)
    if asked["right"]:
        grants = grants.filter(right=asked["right"])
    if asked["state"] == "revoked":
        return grants.exclude(revoked_at=None)
    not_over = Q(valid_until=None) | Q(valid_until__gt=today)
    if asked["state"] == "in_force":
        begun = Q(valid_from=None) | Q(valid_from__lte=today)
        return grants.filter(not_over, begun, revoked_at=None)
    if asked["state"] == "ending":
        return _ending(grants, today)
    return grants


def _ending(grants: QuerySet[Grant], today: date) -> QuerySet[Grant]:
    soon = today + tables.ENDS_SOON
    return grants.filter(valid_until__gt=today, valid_until__lte=soon, revoked_at=None)


def _may_register(request: PersonRequest) -> bool:
    own = house.organisations_of(request.user)
    return any(house.may(request.user, one, house.WRITES_DATASETS) for one in own)


@page
@require_GET
def grant(request: PersonRequest, public_id: str) -> HttpResponse:
    """Show the whole deal that a grant belongs to: all its rights side by side."""
    found = access.grant_for_reading(request.user, public_id)
    return _deal_page(request, found)


def _deal(request: PersonRequest, grant: Grant) -> list[Grant]:
    """Return the grants of a deal that the person may know of, the master before the composition."""
    own = access.grants_for_reading(request.user).filter(organisation=grant.organisation_id, deal=grant.deal)
    besides = ("registered_by", "revoked_by", "reinstates", "reinstated_by")
    return list(own.select_related(*besides).order_by("-right", "id"))


def _standing(deal: Sequence[Grant], now: datetime) -> list[Grant]:
    """Return what of a deal holds still, whether it is to end or not."""
    return [one for one in deal if one.revoked_from is None or one.revoked_from > now]


def _deal_page(
    request: PersonRequest,
    grant: Grant,
    *,
    revoking: RevokeForm | None = None,
    reinstating: ReinstateForm | None = None,
) -> HttpResponse:
    now = timezone.now()
    deal = _deal(request, grant)
    standing = _standing(deal, now)
    own_grants = access.grants_for_reading(request.user)
    ended = deals.to_give_again(deal)
    may_reinstate = services.may_reinstate(ended, request.user)
    recordings = deals.recordings_of(deal)
    may_revoke = house.may(request.user, grant.organisation, house.REVOKES_GRANTS)
    own_datasets = access.datasets_for_reading(request.user)
    context = {
        "grant": grant,
        "rights": deals.rights_of(deal, now.date(), deals.standing_beside(deal, own_grants, now=now)),
        "terms": deals.terms_of(deal),
        "chains": deals.chains_of(deal),
        "standing": standing,
        "slice": slice_asked(request, recordings, by("title")),
        "may_look_in": grant.organisation in house.organisations_of(request.user),
        "datasets": own_datasets.filter(entries__recording__in=recordings).distinct(),
        "versions": deals.versions_on(deal).filter(dataset__in=own_datasets),
        "may_open": house.may(request.user, grant.organisation, READS_CONFIDENTIAL),
        "form": (revoking or RevokeForm(standing=standing)) if may_revoke and standing else None,
        "ended": ended,
        "again": (reinstating or ReinstateForm(ended=ended)) if may_reinstate else None,
        "pieces": slots.shown("grant", request, deal),
    }
    is_wrong = any(form is not None and form.errors for form in (revoking, reinstating))
    return render(request, "provenance/grant.html", context, status=422 if is_wrong else 200)


@page
@require_GET
def agreement(request: PersonRequest, public_id: str) -> HttpResponse:
    return documents.agreement(access.grant_for_reading(request.user, public_id), by=request.user)


@page
@require_http_methods(["GET", "POST"])
def deal(request: PersonRequest) -> HttpResponse:
    """Register one deal by hand, with its agreement."""
    organisation = _organisation(request)
    form = DealForm(request.POST or None, request.FILES or None)
    if form.is_valid():
        with refusals_in(form):
            outcome = _registered(request, organisation, form)
            if outcome.status == "duplicate":
                say(request, "This deal was known before; nothing changed.")
            elif outcome.status == "registered":
                say(request, "Registered. What holds its recordings goes back before those who approve.")
            for note in outcome.notes:
                say(request, f"{note[:1].upper()}{note[1:]}.")
            if outcome.grants:
                return redirect("provenance:grant", outcome.grants[0].public_id)
            form.refuse(outcome.reasons)
    return render(request, "provenance/grant_deal.html", {"form": form}, status=422 if form.errors else 200)


def _registered(request: PersonRequest, organisation: Organisation, form: DealForm) -> GrantOutcome:
    with tempfile.TemporaryDirectory(prefix="liner-deal-") as folder:
        written = form.deal()
        if sent := form.cleaned_data["agreement"]:
            name = f"agreement-{uploads.safe_name(sent, AGREEMENTS)}"
            (Path(folder) / name).write_bytes(sent.read())
            written["document"] = name
        path = Path(folder) / "deal.json"
        path.write_text(json.dumps([written]), encoding="utf-8")
        (outcome,) = services.register_grants(
            source=path, by=request.user, organisation=organisation, now=timezone.now()
        )
    return outcome


@page
@require_POST
def revoke(request: PersonRequest, public_id: str) -> HttpResponse:
    found = access.grant_for_reading(request.user, public_id)
    house.require(request.user, found.organisation, house.REVOKES_GRANTS, "revoke a grant")
    now = timezone.now()
    if found.revoked_from is not None and found.revoked_from <= now:
        raise ConflictError("This grant is revoked already.")
    form = RevokeForm(request.POST, standing=_standing(_deal(request, found), now))
    if form.is_valid():
        with refusals_in(form):
            revoked = services.revoke_grant(
                grant=found,
                by=request.user,
                reason=form.cleaned_data["reason"],
                now=timezone.now(),
                revoked_from=form.instant(),
                right=form.cleaned_data.get("right", ""),
                despite_terms=form.cleaned_data.get("despite_terms", ""),
            )
            say(request, _what_ended(revoked))
            return redirect("provenance:grant", public_id)
    return _deal_page(request, found, revoking=form)


@page
@require_POST
def reinstate(request: PersonRequest, public_id: str) -> HttpResponse:
    """Give again what of a deal is revoked, or one right of it, and lead to the new grant."""
    found = access.grant_for_reading(request.user, public_id)
    house.require(request.user, found.organisation, house.REVOKES_GRANTS, "give a grant again")
    ended = deals.to_give_again(_deal(request, found))
    if not ended:
        raise ConflictError("Nothing of this deal is revoked that was not given again already.")
    form = ReinstateForm(request.POST, ended=ended)
    if form.is_valid():
        with refusals_in(form):
            anew = services.reinstate_grants(
                grants=deals.to_give_again(ended, right=form.cleaned_data.get("right", "")),
                by=request.user,
                reason=form.cleaned_data["reason"],
                now=timezone.now(),
                valid_from=form.cleaned_data["valid_from"],
            )
            rights = " and the ".join(one.right for one in anew)
            say(
                request,
                f"Given again: the {rights}. What holds its recordings goes back before those who approve.",
            )
            return redirect("provenance:grant", anew[0].public_id)
    return _deal_page(request, found, reinstating=form)


def _what_ended(revoked: Sequence[Grant]) -> str:
    rights = " and the ".join(one.right for one in revoked)
    ends = f"Revoked: the {rights}. Nothing is cleared by it from then on; what was trained stays on record."
    return " ".join([ends, *deals.against_terms(revoked)])


@page
@require_http_methods(["GET", "POST"])
def register(request: PersonRequest) -> HttpResponse:
    organisation = _organisation(request)
    form = RegisterGrantsForm(request.POST or None, request.FILES or None)
    outcomes: list[GrantOutcome] = []
    if form.is_valid():
        with refusals_in(form):
            outcomes = _register(request, organisation, form.cleaned_data)
    context = {
        "form": form,
        "outcomes": outcomes,
        "was_dry_run": form.is_bound and form.cleaned_data.get("dry_run"),
    }
    return render(request, "provenance/grant_register.html", context, status=422 if form.errors else 200)


def _organisation(request: PersonRequest) -> Organisation:
    own = house.organisations_of(request.user)
    stewards = [one for one in own if house.may(request.user, one, house.WRITES_DATASETS)]
    organisation = next(iter([*stewards, *own]), None) or governance.home_organisation(request.user)
    house.require(request.user, organisation, house.WRITES_DATASETS, "register a grant")
    return organisation


def _register(
    request: PersonRequest, organisation: Organisation, asked: dict[str, Any]
) -> list[GrantOutcome]:
    sent = asked["file"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / uploads.safe_name(sent, DEALS)
        path.write_bytes(sent.read())
        return services.register_grants(
            source=path,
            by=request.user,
            organisation=organisation,
            now=timezone.now(),
            dry_run=asked["dry_run"],
        )
