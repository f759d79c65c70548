"""Pages of opt-outs and memos: who reserved what, since when, where it is written, and what it binds."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from governance import access as house
from governance import services as governance
from governance.errors import NotFoundError
from governance.keyset import by, newest, slice_asked
from governance.models import Organisation
from governance.pages import PersonRequest, page, refusals_in, say, show
from provenance import access
from provenance import access as recordings
from provenance.access import datasets_for_reading
from provenance.forms.reservations import (
    DeclareForm,
    MemoForm,
    ReservationFilterForm,
    SnapshotForm,
    WithdrawForm,
)
from provenance.models import Party, Reservation
from provenance.queries import reservations as queries
from provenance.services import declaring, memos, reserving
from provenance.services.evidence import open_evidence
from provenance.services.reserving import RecordedSnapshot


@page
@require_GET
def reservation_list(request: PersonRequest) -> HttpResponse:
    form = ReservationFilterForm(request.GET)
    found = queries.with_counts(access.reservations_for_reading(request.user))
    if form.is_valid():
        found = queries.narrowed(found, **form.cleaned_data)
    context = {
        "form": form,
        "slice": slice_asked(request, found, newest("declared_at")),
        "may_record": _may(request, reserving.RECORDS),
        "may_declare": _may(request, (*reserving.RECORDS, *declaring.DECLARES)),
        "may_read_memos": _may(request, access.READS_MEMOS),
    }
    return show(request, "provenance/reservation_list.html", context, partial="reservations")


def _may(request: PersonRequest, roles: Any) -> bool:
    return any(house.may(request.user, one, roles) for one in house.organisations_of(request.user))


@page
@require_GET
def reservation(request: PersonRequest, public_id: str) -> HttpResponse:
    return _reservation_page(request, access.reservation_for_reading(request.user, public_id), WithdrawForm())


def _reservation_page(request: PersonRequest, held: Reservation, form: WithdrawForm) -> HttpResponse:
    """Show an opt-out; whoever is of another house learns how many recordings it binds, not which."""
    ours = held.organisation in house.organisations_of(request.user)
    bound = queries.recordings_of(held).filter(recordings.readable_recordings(request.user))
    may_withdraw = held.withdrawn_at is None and declaring.may_withdraw(request.user, held)
    context = {
        "held": held,
        "n_recordings": held.subjects.count(),
        "slice": slice_asked(request, bound, by("title")) if ours else None,
        "form": form if may_withdraw else None,
        "may_open": ours and held.document is not None,
    }
    return render(request, "provenance/reservation.html", context, status=422 if form.errors else 200)


@page
@require_GET
def snapshot(request: PersonRequest, public_id: str) -> HttpResponse:
    """Hand out the file as it was kept, as plain text that no browser runs; the ledger says who read it."""
    document = access.reservation_for_reading(request.user, public_id).document
    if document is None:
        raise NotFoundError("Nothing was kept of this opt-out but its words.")
    content = open_evidence(document=document, by=request.user, now=timezone.now())
    response = HttpResponse(content, content_type="application/octet-stream")
    response["Content-Disposition"] = f'attachment; filename="{document.sha256[:12]}.txt"'
    response["X-Content-Type-Options"] = "nosniff"
    return response


@page
@require_POST
def withdraw(request: PersonRequest, public_id: str) -> HttpResponse:
    held = access.reservation_for_reading(request.user, public_id)
    form = WithdrawForm(request.POST)
    if not declaring.may_withdraw(request.user, held):
        house.require(request.user, held.organisation, house.DECIDES, "withdraw an opt-out")
    if form.is_valid():
        with refusals_in(form):
            declaring.withdraw_reservation(
                reservation=held, by=request.user, reason=form.cleaned_data["reason"], now=timezone.now()
            )
            say(
                request, "Withdrawn: from now on it closes nothing. What it closed until now stays on record."
            )
            return redirect("provenance:reservation", public_id)
    return _reservation_page(request, held, form)


@page
@require_http_methods(["GET", "POST"])
def record(request: PersonRequest) -> HttpResponse:
    organisation = _organisation(request, reserving.RECORDS, "record an opt-out")
    form = SnapshotForm(request.POST or None, request.FILES or None)
    recorded: RecordedSnapshot | None = None
    if form.is_valid():
        with refusals_in(form):
            recorded = reserving.record_snapshot(
                snapshot=form.snapshot(),
                kind=form.cleaned_data["kind"],
                organisation=organisation,
                by=request.user,
                now=timezone.now(),
            )
    context = {"form": form, "recorded": recorded}
    return render(request, "provenance/reservation_record.html", context, status=422 if form.errors else 200)


def _organisation(request: PersonRequest, roles: Any, deed: str) -> Organisation:
    own = house.organisations_of(request.user)
    fitting = [one for one in own if house.may(request.user, one, roles)]
    organisation = next(iter([*fitting, *own]), None) or governance.home_organisation(request.user)
    house.require(request.user, organisation, roles, deed)
    return organisation


@page
@require_http_methods(["GET", "POST"])
def declare(request: PersonRequest) -> HttpResponse:
    organisation, parties = _where_declared(request)
    form = DeclareForm(request.POST or None, request.FILES or None, parties=parties)
    if form.is_valid():
        with refusals_in(form):
            outcome = declaring.declare_reservation(
                declaration=form.declaration(), organisation=organisation, by=request.user, now=timezone.now()
            )
            known = " It was known before." if outcome.status == "duplicate" else ""
            say(request, f"Recorded: it binds {outcome.n_recordings} recordings.{known}")
            return redirect("provenance:reservation", outcome.reservation.public_id)
    context = {"form": form, "organisation": organisation}
    return render(request, "provenance/reservation_declare.html", context, status=422 if form.errors else 200)


def _where_declared(request: PersonRequest) -> tuple[Organisation, list[str]]:
    """Return where a declaration is to bind, and whom a label auditor may speak for there."""
    own = house.organisations_of(request.user)
    for organisation in own:
        if house.may(request.user, organisation, reserving.RECORDS):
            return organisation, []
    labels = [one for one in own if house.may(request.user, one, declaring.DECLARES)]
    known = Party.objects.filter(stands_for__in=labels).select_related("organisation").order_by("id")
    first = known.first()
    if first is None:
        return _organisation(request, reserving.RECORDS, "declare an opt-out"), []
    names = known.filter(organisation=first.organisation).values_list("name", flat=True)
    return first.organisation, list(names)


@page
@require_GET
def memo_list(request: PersonRequest) -> HttpResponse:
    if not _may(request, access.READS_MEMOS):
        _organisation(request, access.READS_MEMOS, "read memos")
    found = queries.memos_with_counts(access.memos_for_reading(request.user))
    may_end = [
        one for one in house.organisations_of(request.user) if house.may(request.user, one, house.DECIDES)
    ]
    context = {
        "slice": slice_asked(request, found, newest("recorded_at")),
        "may_end": may_end,
    }
    return render(request, "provenance/memo_list.html", context)


@page
@require_http_methods(["GET", "POST"])
def record_memo(request: PersonRequest) -> HttpResponse:
    organisation = _organisation(request, house.DECIDES, "record a statutory-exception memo")
    datasets = datasets_for_reading(request.user).filter(organisation=organisation).order_by("name")
    form = MemoForm(
        request.POST or None, request.FILES or None, datasets=list(datasets.values_list("name", flat=True))
    )
    if form.is_valid():
        with refusals_in(form):
            memo = memos.record_memo(
                terms=form.terms(), organisation=organisation, by=request.user, now=timezone.now()
            )
            say(request, f"Recorded: it is about {memo.subjects.count()} recordings.")
            return redirect("provenance:memo-list")
    return render(request, "provenance/memo_record.html", {"form": form}, status=422 if form.errors else 200)


@page
@require_http_methods(["GET", "POST"])
def withdraw_memo(request: PersonRequest, public_id: str) -> HttpResponse:
    memo = access.memo_for_reading(request.user, public_id)
    house.require(request.user, memo.organisation, house.DECIDES, "withdraw a memo")
    form = WithdrawForm(request.POST or None)
    if form.is_valid():
        with refusals_in(form):
            reason = form.cleaned_data["reason"]
            memos.withdraw_memo(memo=memo, by=request.user, reason=reason, now=timezone.now())
            say(request, "Withdrawn: nothing is cleared by that memo any more.")
            return redirect("provenance:memo-list")
    context = {"form": form, "memo": memo, "n_recordings": memo.subjects.count()}
    return render(request, "provenance/memo_withdraw.html", context, status=422 if form.errors else 200)
