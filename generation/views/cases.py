"""Cases: the queue, one case with its impact graph, the decisions, and the pages of holders who have no login."""

import logging
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet
from django.forms import Form
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from generation import access, queries, services
from generation.forms.cases import (
    AcceptForm,
    AnswerForm,
    CaseDecisionForm,
    CaseTermsForm,
    EraseForm,
    FilingForm,
    MemberFilingForm,
    PublicFilingForm,
    RejectForm,
    WithdrawForm,
)
from generation.jobs import sha256_of
from generation.models import Case, CaseAnswer, CaseKind, CaseState
from generation.queries import impact, overviews
from generation.queries.aftermath import aftermath_of, may_undo, rights_now
from generation.queries.answers import events_of
from generation.services.cases import FILES, TRIAGES, Filed, Filing, UnclearCaseError
from generation.services.listening import SOUND_ROOM
from generation.throttles import FilingThrottle, FollowingThrottle, TakingBackThrottle
from governance import access as house
from governance import jobs as work
from governance.errors import LinerNotesError, NotAllowedError, NotFoundError, PartMissingError
from governance.models import Organisation, User
from governance.pages import PersonRequest, page, page_of, refusal, refusals_in, say, show
from governance.throttles import AddressThrottle
from provenance import storage
from provenance.access import grants_for_reading
from provenance.models import Grant
from provenance.uploads import audio_file

logger = logging.getLogger(__name__)
CASES_A_PAGE = 50
RECORDINGS_SHOWN = 50
GRANTS_OFFERED = 500


# ── For strangers ────────────────────────────────────────────────────────────────────────────────


def public(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Answer anybody: refusals are pages, and nothing that holds a secret is kept, indexed or passed on."""

    @wraps(view)
    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            response = view(request, *args, **kwargs)
        except LinerNotesError as error:
            response = refusal(request, error)
        response["Cache-Control"] = "private, no-store"
        response["Referrer-Policy"] = "same-origin"
        response["X-Robots-Tag"] = "noindex"
        return response

    return answered


@require_http_methods(["GET", "HEAD", "POST"])
@csrf_protect
@public
def public_filing(request: HttpRequest) -> HttpResponseBase:
    organisations = queries.takes_cases()
    if not organisations:
        return render(request, "generation/case_public.html", {"closed": True})
    if request.method != "POST":
        form = PublicFilingForm(organisations=organisations, initial={"kind": CaseKind.OPT_OUT})
        return _public_form(request, form, organisations)
    form = PublicFilingForm(request.POST, request.FILES, organisations=organisations)
    if not form.is_valid():
        return _public_form(request, form, organisations, status=422)
    try:
        may_file = FilingThrottle().allows(request)
    except PartMissingError as error:
        form.add_error(None, str(error))
        return _public_form(request, form, organisations, status=error.status)
    if not may_file:
        form.add_error(None, "Too many requests came from your address within the hour: try again later.")
        return _public_form(request, form, organisations, status=429)
    with refusals_in(form):
        organisation = _chosen(organisations, form.cleaned_data["organisation"])
        filed = _filed(form, organisation, by=None)
        follow = reverse("generation:case-followed", args=[filed.case.reference, filed.secret])
        context = {"case": filed.case, "follow": request.build_absolute_uri(follow)}
        return render(request, "generation/case_filed.html", context, status=201)
    return _public_form(request, form, organisations, status=422)


def _public_form(
    request: HttpRequest, form: PublicFilingForm, organisations: Sequence[Organisation], *, status: int = 200
) -> HttpResponse:
    only = organisations[0] if len(organisations) == 1 else None
    context = {
        "form": form,
        "visible": [field for field in form.visible_fields() if field.name != "website"],
        "organisation": only,
        "terms": queries.terms_of(only) if only else None,
    }
    return render(request, "generation/case_public.html", context, status=status)


@require_safe
@public
def followed(request: HttpRequest, reference: str, secret: str) -> HttpResponseBase:
    """What the holder sees of their case: how far it is, and the answer."""
    case = _case_followed(request, reference, secret)
    answer = case.answers.first()
    context = {"case": case, "answer": answer, "secret": secret, **_answered(answer)}
    if not case.is_closed and not case.decisions.exists():
        context["withdraw"] = WithdrawForm(after=aftermath_of(case), may_undo=False)
    context["rights_now"] = rights_now(case)
    return render(request, "generation/case_followed.html", context)


@require_POST
@csrf_protect
@public
def followed_withdraw(request: HttpRequest, reference: str, secret: str) -> HttpResponseBase:
    """Take back one's own case: the link is what shows that it is one's own."""
    found = _case_followed(request, reference, secret, TakingBackThrottle)
    form = WithdrawForm(request.POST, after=aftermath_of(found), may_undo=False)
    reason = form.cleaned_data["reason"] if form.is_valid() else ""
    services.withdraw_case(case=found, by=None, secret=secret, reason=reason, now=timezone.now())
    return redirect("generation:case-followed", reference, secret)


@require_safe
@public
def followed_answer(request: HttpRequest, reference: str, secret: str, number: int) -> HttpResponseBase:
    return _answer_file(_case_followed(request, reference, secret), number)


def _case_followed(
    request: HttpRequest, reference: str, secret: str, throttle: type[AddressThrottle] = FollowingThrottle
) -> Case:
    if not throttle().allows(request):
        raise TooManyError("Too many requests came from your address: try again in a minute.")
    return access.case_of_holder(reference, secret)


class TooManyError(LinerNotesError):
    code = "throttled"
    status = 429
    transient = True


def _answered(answer: CaseAnswer | None) -> dict[str, Any]:
    return {"said": answer.payload} if answer else {}


def _answer_file(case: Case, number: int) -> HttpResponse:
    answer = case.answers.filter(number=number).first()
    if answer is None:
        raise NotFoundError("There is no such answer.")
    response = HttpResponse(services.sealed_answer(answer), content_type="application/json")
    name = f"answer-{case.reference}-{number}.json"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


# ── For members ──────────────────────────────────────────────────────────────────────────────────


@require_safe
@page
def case_list(request: PersonRequest) -> HttpResponseBase:
    state = request.GET.get("state", "")
    rows = access.cases_for_reading(request.user)
    if state in CaseState.values:
        rows = rows.filter(state=state)
    own = _places(request.user, FILES)
    context = {
        "page": page_of(request, worst_first(rows), size=CASES_A_PAGE),
        "state": state,
        "states": CaseState.choices,
        "today": timezone.now().date(),
        "may_file": bool(own),
        "terms_of": [one for one in own if house.may(request.user, one, house.DECIDES)],
        "reads_holders": {one.pk for one in _places(request.user, access.READS_HOLDERS)},
    }
    return show(request, "generation/cases.html", context, partial="rows")


def worst_first(rows: QuerySet[Case]) -> QuerySet[Case]:
    """Order cases as they press: what waits by its day, so that the overdue lead, then what is closed."""
    closed = [CaseState.ANSWERED, CaseState.REJECTED, CaseState.WITHDRAWN]
    is_over = ExpressionWrapper(Q(state__in=closed), output_field=BooleanField())
    return rows.annotate(is_over=is_over).order_by("is_over", "due_on", "id")


def _places(user: User, roles: Sequence[str]) -> list[Organisation]:
    return [one for one in house.organisations_of(user) if house.may(user, one, roles)]


@require_http_methods(["GET", "HEAD", "POST"])
@page
def file_case(request: PersonRequest) -> HttpResponseBase:
    places = _places(request.user, FILES)
    if not places:
        home = house.organisations_of(request.user)
        if home:
            house.require(request.user, home[0], FILES, "file a case")
        raise NotFoundError("You are in no organisation that takes cases.")
    grants = list(
        grants_for_reading(request.user)
        .filter(organisation__in=places, revoked_at=None)
        .order_by("-id")[:GRANTS_OFFERED]
    )
    asked: dict[str, Any] = {"organisations": places, "grants": grants}
    if request.method != "POST":
        initial = {"kind": CaseKind.REVOKE, "grant": request.GET.get("grant", "")}
        form = MemberFilingForm(initial=initial, **asked)
        return show(request, "generation/case_file.html", {"form": form})
    form = MemberFilingForm(request.POST, request.FILES, **asked)
    if form.is_valid():
        with refusals_in(form):
            by_id = {str(grant.public_id): grant for grant in grants}
            filed = _filed(
                form,
                _chosen(places, form.cleaned_data["organisation"]),
                by=request.user,
                grant=by_id.get(form.cleaned_data["grant"]),
            )
            say(
                request,
                f"Case {filed.case.reference} is filed, to be answered by {filed.case.due_on:%-d %B %Y}.",
            )
            return redirect("generation:case", filed.case.public_id)
    return show(request, "generation/case_file.html", {"form": form}, status=422)


def _chosen(places: Sequence[Organisation], public_id: str) -> Organisation:
    return next(one for one in places if str(one.public_id) == public_id)


def _filed(
    form: FilingForm, organisation: Organisation, *, by: User | None, grant: Grant | None = None
) -> Filed:
    """Keep what was sent, file the case, and wake a worker to listen to it."""
    said = form.cleaned_data
    sound: UploadedFile[bytes] | None = said["sound"] or None
    kept = ""
    if sound is not None:
        with audio_file(sound) as path:
            kept = storage.keep(path, sha256_of(path), room=SOUND_ROOM)
    filing = Filing(
        **{name: said[name] for name in ("kind", "holder", "contact", "holds", "words")},
        **{name: said[name] for name in ("isrcs", "titles", "urls")},
        grant=grant,
        sound=kept,
        sound_name=(sound.name or "")[:300] if sound else "",
        fingerprint=said["fingerprint"].read() if said["fingerprint"] else None,
    )
    with transaction.atomic():
        now = timezone.now()
        filed = services.file_case(filing=filing, organisation=organisation, by=by, now=now)
        job = services.queue_listening(filed.case, now=now)
    if job is not None:
        try:
            work.enqueue(job)
        except PartMissingError as error:
            logger.warning("Job %s waits: %s", job.public_id, error)
    return filed


@require_safe
@page
def case(request: PersonRequest, public_id: UUID) -> HttpResponseBase:
    found = access.case_for_reading(request.user, public_id)
    return _case_page(request, found)


def _case_page(
    request: PersonRequest, case: Case, *, bound: dict[str, Form] | None = None, status: int = 200
) -> HttpResponse:
    answer = case.answers.first()
    context: dict[str, Any] = {
        "case": case,
        "today": timezone.now().date(),
        "overdue": case.is_overdue(timezone.now().date()),
        "answer": answer,
        "sees_holder": access.sees_holder(request.user, case),
        "named": [
            (name, said)
            for name, said in (("ISRCs", case.isrcs), ("titles", case.titles), ("addresses", case.urls))
            if said
        ],
        "sees_inside": access.sees_inside(request.user, case),
        **_answered(answer),
    }
    if access.may_withdraw(request.user, case):
        context["withdraw"] = (bound or {}).get("withdraw") or _withdraw_form(request, case)
    if "withdraw" in context or case.state == CaseState.WITHDRAWN:
        context["rights_now"] = rights_now(case)
    if context["sees_inside"]:
        context |= _inside(request, case, bound or {})
    return show(request, "generation/case.html", context, status=status)


def _inside(request: PersonRequest, case: Case, bound: dict[str, Form]) -> dict[str, Any]:
    graph = impact.graph_of(queries.recordings_of(case))
    versions = [model.version for model in graph.models]
    gates = overviews.gates_of(versions, at=timezone.now())
    decided = queries.decisions_of(case)
    closed = [pk for pk, gate in gates.items() if not gate.is_open]
    rows: list[dict[str, Any]] = [
        {"model": model, "gate": gates[model.version.pk], "decision": decided.get(model.version.pk)}
        for model in graph.models
    ]
    proofs = [
        proof
        for row in rows
        if row["decision"] is not None and row["decision"].remedy == "retrain"
        for proof in queries.proofs_of(case, row["model"].version)
    ]
    return {
        "graph": graph,
        "drawing": impact.drawing_of(graph, closed),
        "rows": rows,
        "proofs": proofs,
        "subjects": list(case.subjects.select_related("recording")[:RECORDINGS_SHOWN]),
        "n_subjects": graph.n_recordings,
        "events": events_of(case),
        **_forms(request, case, rows, bound),
    }


def _forms(
    request: PersonRequest, case: Case, rows: Sequence[dict[str, Any]], bound: dict[str, Form]
) -> dict[str, Any]:
    """Offer what the person may do now; whoever filed a case decides nothing about it."""
    user, own = request.user, case.filed_by_id == request.user.pk
    decides = house.may(user, case.organisation, house.DECIDES) and not own
    forms: dict[str, Any] = {}
    if case.state == CaseState.FILED and house.may(user, case.organisation, TRIAGES):
        forms["accept"] = bound.get("accept") or _accept_form(case)
        if not own:
            forms["reject"] = bound.get("reject") or RejectForm()
    if case.state in {CaseState.OPEN, CaseState.ANSWERED} and decides:
        versions = [row["model"].version for row in rows]
        if versions and case.kind != CaseKind.INQUIRY:
            waiting = [str(row["model"].version.public_id) for row in rows if row["decision"] is None]
            initial = {"version": waiting}
            forms["decide"] = bound.get("decide") or CaseDecisionForm(versions=versions, initial=initial)
        ready = case.kind == CaseKind.INQUIRY or all(row["decision"] is not None for row in rows)
        forms["answer_form"] = (bound.get("answer") or AnswerForm()) if ready else None
        forms["not_ready"] = not ready
    if case.is_closed and case.erased_at is None and house.may(user, case.organisation, house.DECIDES):
        forms["erase"] = bound.get("erase") or EraseForm()
    forms["own"] = own and not case.is_closed and house.may(user, case.organisation, house.DECIDES)
    return forms


def _accept_form(case: Case, posted: Any = None) -> AcceptForm:
    suggestions = queries.suggestions_for(case)
    grants = case.organisation.grants.filter(revoked_at=None).select_related("licensor", "licensee")
    initial = {
        "kind": case.kind,
        "recordings": [str(one.recording.public_id) for one in suggestions],
        "grant": str(case.grant.public_id) if case.grant else "",
    }
    offered: dict[str, Any] = {"suggestions": suggestions, "grants": grants.order_by("-id")[:GRANTS_OFFERED]}
    return (
        AcceptForm(posted, initial=initial, **offered) if posted else AcceptForm(initial=initial, **offered)
    )


@require_POST
@page
def accept(request: PersonRequest, public_id: UUID) -> HttpResponseBase:
    found = access.case_for_reading(request.user, public_id)
    house.require(request.user, found.organisation, TRIAGES, "accept a case")
    form = _accept_form(found, request.POST)
    if form.is_valid():
        with refusals_in(form):
            suggested = {str(one.recording.public_id): one for one in queries.suggestions_for(found)}
            linked = {
                suggested[key].recording: ", ".join(suggested[key].because)
                for key in form.cleaned_data.get("recordings", [])
            }
            named, missing = queries.recordings_named(form.cleaned_data["others"], found.organisation)
            if missing:
                raise UnclearCaseError(f"Nothing here goes by {', '.join(missing[:5])}.")
            grant = form.cleaned_data["grant"]
            services.accept_case(
                case=found,
                recordings={**named, **linked},
                verified_how=form.cleaned_data["verified_how"],
                kind=form.cleaned_data["kind"],
                grant=found.organisation.grants.get(public_id=grant) if grant else None,
                by=request.user,
                now=timezone.now(),
            )
            say(
                request,
                f"Case {found.reference} is taken in. Models that it reaches are closed until decided.",
            )
            return redirect("generation:case", found.public_id)
    return _case_page(request, found, bound={"accept": form}, status=422)


def _closed(
    request: PersonRequest,
    case: Case,
    bound: dict[str, Form],
    act: Callable[..., object],
    word: str,
    said: str,
) -> HttpResponseBase:
    """Do to a case what needs one word of whoever does it, and say so; or show the form with what is wrong."""
    (form,) = bound.values()
    if form.is_valid():
        with refusals_in(form):
            act(**{"case": case, word: form.cleaned_data[word], "by": request.user, "now": timezone.now()})
            say(request, said)
            return redirect("generation:case", case.public_id)
    return _case_page(request, case, bound=bound, status=422)


@require_POST
@page
def reject(request: PersonRequest, public_id: UUID) -> HttpResponseBase:
    found = access.case_for_reading(request.user, public_id)
    house.require(request.user, found.organisation, TRIAGES, "reject a case")
    said = f"Case {found.reference} is rejected. The holder reads the reason."
    return _closed(request, found, {"reject": RejectForm(request.POST)}, services.reject_case, "reason", said)


@require_POST
@page
def withdraw(request: PersonRequest, public_id: UUID) -> HttpResponseBase:
    found = access.case_for_reading(request.user, public_id)
    if found.filed_by_id != request.user.pk:
        raise NotAllowedError("A case is withdrawn by whoever filed it.")
    form = _withdraw_form(request, found, request.POST)
    if form.is_valid():
        with refusals_in(form):
            held = services.withdraw_case(
                case=found, by=request.user, now=timezone.now(), **form.cleaned_data
            )
            say(request, f"Case {held.reference} is withdrawn: it binds no model any more.")
            return redirect("generation:case", held.public_id)
    return _case_page(request, found, bound={"withdraw": form}, status=422)


def _withdraw_form(request: PersonRequest, case: Case, *sent: Any) -> WithdrawForm:
    after = aftermath_of(case)
    return WithdrawForm(*sent, after=after, may_undo=may_undo(request.user, case, after))


@require_POST
@page
def erase(request: PersonRequest, public_id: UUID) -> HttpResponseBase:
    found = access.case_for_reading(request.user, public_id)
    house.require(request.user, found.organisation, house.DECIDES, "erase who filed a case")
    said = f"Who filed case {found.reference} is erased. What was decided stays."
    return _closed(request, found, {"erase": EraseForm(request.POST)}, services.erase_contact, "reason", said)


@require_POST
@page
def decide(request: PersonRequest, public_id: UUID) -> HttpResponseBase:
    """Decide about the models that were ticked: all of them or none."""
    found = access.case_for_reading(request.user, public_id)
    house.require(request.user, found.organisation, house.DECIDES, "decide a case")
    versions = list(queries.models_affected(found))
    form = CaseDecisionForm(request.POST, versions=versions)
    if form.is_valid():
        ticked = set(form.cleaned_data["version"])
        with refusals_in(form), transaction.atomic():
            chosen = [version for version in versions if str(version.public_id) in ticked]
            for version in chosen:
                services.decide_case(
                    case=found,
                    version=version,
                    remedy=form.cleaned_data["remedy"],
                    reason=form.cleaned_data["reason"],
                    until=form.cleaned_data["until"],
                    by=request.user,
                    now=timezone.now(),
                )
            say(
                request,
                f"Decided about {', '.join(str(version) for version in chosen)}. It holds from now on.",
            )
            return redirect("generation:case", found.public_id)
    return _case_page(request, found, bound={"decide": form}, status=422)


@require_POST
@page
def answer(request: PersonRequest, public_id: UUID) -> HttpResponseBase:
    found = access.case_for_reading(request.user, public_id)
    house.require(request.user, found.organisation, house.DECIDES, "answer a case")
    said = f"Case {found.reference} is answered. The holder reads it by their link."
    return _closed(request, found, {"answer": AnswerForm(request.POST)}, services.answer_case, "words", said)


@require_safe
@page
def answer_file(request: PersonRequest, public_id: UUID, number: int) -> HttpResponseBase:
    response = _answer_file(access.case_for_reading(request.user, public_id), number)
    response["Cache-Control"] = "private, no-store"
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@page
def case_terms(request: PersonRequest, public_id: UUID) -> HttpResponseBase:
    """In how many days cases are answered, and whether strangers may file."""
    mine = house.organisations_of(request.user)
    organisation = next((one for one in mine if one.public_id == public_id), None)
    if organisation is None:
        raise NotFoundError("There is no such organisation.")
    house.require(request.user, organisation, house.DECIDES, "set the terms of cases")
    terms = queries.terms_of(organisation)
    names = (*(f"{kind}_days" for kind in CaseKind.values), "public_form")
    initial = {name: getattr(terms, name) for name in names}
    form = CaseTermsForm(request.POST) if request.method == "POST" else CaseTermsForm(initial=initial)
    if request.method == "POST" and form.is_valid():
        with refusals_in(form):
            services.set_case_terms(
                organisation=organisation,
                days={kind: form.cleaned_data[f"{kind}_days"] for kind in CaseKind.values},
                public_form=form.cleaned_data["public_form"],
                by=request.user,
                now=timezone.now(),
            )
            say(request, "Kept. Cases on the table keep the day that they were given.")
            return redirect("generation:case-list")
    status = 422 if request.method == "POST" else 200
    context = {"form": form, "organisation": organisation}
    return show(request, "generation/case_terms.html", context, status=status)
