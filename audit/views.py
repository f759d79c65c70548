"""Pages of the audit: reports, assessments, campaigns, and the gallery that strangers read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from audit import access, jobs, public, services
from audit.forms import AssessForm, AttestForm, CampaignForm, PublishForm
from audit.frameworks import loader
from audit.frameworks.loader import Feature, Framework, UnknownFrameworkError
from audit.models import Assessment, Campaign, Conformance, FeatureAnswer, Report
from audit.reports import bundle
from audit.reports.bundle import ReportFolderError, Verification
from audit.services.reporting import own_public_key
from generation import services as generation
from generation.access import model_version_for_reading
from generation.models import ModelVersion
from generation.queries import overviews
from governance import access as house
from governance import jobs as work
from governance import services as governance
from governance import signing, slots
from governance.errors import NotFoundError, PartMissingError
from governance.models import Job
from governance.pages import PersonRequest, page, page_of, refusal, refusals_in, say, show
from lib.canonical import CanonicalError, parse_canonical
from provenance import media

KINDS_OF_FILE = {
    bundle.HTML_NAME: ("text/html; charset=utf-8", "The report, to read", False),
    bundle.PDF_NAME: ("application/pdf", "The same on paper", True),
    bundle.JSON_NAME: ("application/json", "Everything it says, as canonical JSON", True),
    bundle.SIGNATURE_NAME: ("application/json", "The signature over the three", True),
}
REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; font-src data:; img-src data:; frame-ancestors 'none'"
)
CONFORMANCE_WORST_FIRST = (
    Conformance.NOT_MET,
    Conformance.PARTLY,
    Conformance.NOT_ASSESSED,
    Conformance.NOT_APPLICABLE,
    Conformance.MET,
)
CARDS_A_PAGE = 24


@require_safe
@page
def report_list(request: PersonRequest) -> HttpResponseBase:
    context = {"page": page_of(request, access.reports_for_reading(request.user))}
    return show(request, "audit/reports.html", context, partial="rows")


@require_safe
@page
def report(request: PersonRequest, public_id: UUID) -> HttpResponseBase:
    """The report with its signature checked now, from the files, as anybody could."""
    found = access.report_for_reading(request.user, public_id)
    verified = verified_now(found)
    context = {
        "report": found,
        "version": found.assessment.model_version,
        "verified": verified,
        "said": _said(found) if not verified.problems else None,
        "files": [(name, label) for name, (_, label, _) in KINDS_OF_FILE.items()],
        "counts": conformance_counts(found.assessment),
    }
    return show(request, "audit/report.html", context)


def folder_of(report: Report) -> Path:
    return Path(settings.REPORT_DIR) / report.folder


def verified_now(report: Report) -> Verification:
    try:
        return services.verify_report(folder_of(report))
    except ReportFolderError as error:
        return Verification(False, "not established", (str(error),))


def _said(report: Report) -> Any:
    try:
        return parse_canonical((folder_of(report) / bundle.JSON_NAME).read_bytes())
    except (OSError, CanonicalError):
        return None


@require_safe
@page
def report_file(request: PersonRequest, public_id: UUID, name: str) -> HttpResponseBase:
    found = access.report_for_reading(request.user, public_id)
    path = folder_of(found) / name
    if name not in KINDS_OF_FILE or not path.is_file():
        raise NotFoundError("The report has no such file.")
    content_type, _, is_download = KINDS_OF_FILE[name]
    response = media.ranged(request, path, content_type=content_type)
    response["Content-Security-Policy"] = REPORT_POLICY
    response["Cache-Control"] = "private, no-store"
    if is_download:
        response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@require_safe
@page
def public_key(request: PersonRequest) -> HttpResponseBase:
    """The key that this installation signs with; to compare it, ask for it by another way than this."""
    key = own_public_key()
    if key is None:
        raise NotFoundError("This installation has signed nothing yet, so it has no key.")
    response = HttpResponse(signing.public_pem(key), content_type="application/x-pem-file")
    response["Content-Disposition"] = 'attachment; filename="issuer.pem"'
    return response


@require_POST
@page
def issue(request: PersonRequest, public_id: UUID) -> HttpResponseBase:
    version = model_version_for_reading(request.user, public_id)
    house.require(request.user, version.model.organisation, access.ISSUES_REPORTS, "issue a report")
    return watch(request, version, jobs.REPORT, {}, f"Report on {version}")


def watch(
    request: PersonRequest, version: ModelVersion, kind: str, wanted: Mapping[str, Any], name: str
) -> HttpResponseBase:
    """Queue the work, wake a worker, and show how far it is."""
    job: Job = governance.queue_job(
        kind=kind,
        organisation=version.model.organisation,
        asked_by=request.user,
        now=timezone.now(),
        subject_kind="model_version",
        subject_id=version.public_id,
        subject_name=name,
        arguments={"model": str(version), **wanted},
    )
    try:
        work.enqueue(job)
    except PartMissingError as error:
        say(request, str(error))
    return redirect("governance:job", job.public_id)


@require_POST
@page
def run_campaign(request: PersonRequest, public_id: UUID) -> HttpResponseBase:
    version = model_version_for_reading(request.user, public_id)
    house.require(request.user, version.model.organisation, access.RUNS_CAMPAIGNS, "run a campaign")
    form = CampaignForm(request.POST)
    if not form.is_valid():
        return redirect("generation:model-version", version.public_id)
    kind = form.cleaned_data["kind"]
    return watch(
        request, version, jobs.CAMPAIGN, {"kind": kind}, f"{kind.capitalize()} campaign on {version}"
    )


@require_safe
@page
def campaign(request: PersonRequest, public_id: UUID) -> HttpResponseBase:
    found = access.campaign_for_reading(request.user, public_id)
    context = {
        "campaign": found,
        "version": found.model_version,
        "others": _others(found),
        "flat": flat(found.figures),
    }
    return show(request, "audit/campaign.html", context)


def _others(campaign: Campaign) -> list[Campaign]:
    """Return the earlier campaigns of the same kind on the same version, newest first."""
    rows = Campaign.objects.filter(model_version=campaign.model_version, kind=campaign.kind)
    return list(rows.exclude(pk=campaign.pk)[:10])


def flat(figures: Mapping[str, Any], *, above: str = "") -> list[tuple[str, Any]]:
    """Return every single figure with the path to it; lists only by their length."""
    found: list[tuple[str, Any]] = []
    for name, value in figures.items():
        path = f"{above} / {name}" if above else name
        if isinstance(value, Mapping):
            found += flat(value, above=path)
        else:
            found.append((path, f"{len(value)} rows" if isinstance(value, list) else value))
    return found


@require_POST
@page
def assess(request: PersonRequest, public_id: UUID) -> HttpResponseBase:
    version = model_version_for_reading(request.user, public_id)
    house.require(request.user, version.model.organisation, access.ASSESSES, "assess a model")
    form = AssessForm(request.POST)
    if not form.is_valid():
        return redirect("generation:model-version", version.public_id)
    made = services.assess(
        version=version, framework=form.cleaned_data["framework"], by=request.user, now=timezone.now()
    )
    return redirect("audit:assessment", made.public_id)


@require_safe
@page
def assessment(request: PersonRequest, public_id: UUID) -> HttpResponseBase:
    found = access.assessment_for_reading(request.user, public_id)
    framework = loader.load(found.framework)
    version = found.model_version
    context = {
        "assessment": found,
        "version": version,
        "framework": framework,
        "requirements": by_requirement(found, framework),
        "counts": conformance_counts(found),
        "newest": _newest(found),
        "may_attest": house.may(request.user, version.model.organisation, access.ATTESTS),
        "may_issue": house.may(request.user, version.model.organisation, access.ISSUES_REPORTS),
    }
    return show(request, "audit/assessment.html", context)


def conformance_counts(assessment: Assessment) -> list[tuple[str, int]]:
    rows = assessment.answers.values("conformance").annotate(n=Count("id")).order_by()
    counted = {row["conformance"]: row["n"] for row in rows}
    return [(conformance.value, counted.get(conformance.value, 0)) for conformance in CONFORMANCE_WORST_FIRST]


def by_requirement(
    assessment: Assessment, framework: Framework
) -> list[tuple[str, list[tuple[Feature, FeatureAnswer, list[dict[str, Any]]]]]]:
    """Return each requirement with its features, their answers, and evidence that knows its page."""
    answers = {answer.feature: answer for answer in assessment.answers.all()}
    return [
        (
            requirement.name,
            [
                (feature, answers[feature.id], linked(answers[feature.id].evidence))
                for feature in framework.under(requirement.name)
                if feature.id in answers
            ],
        )
        for requirement in framework.requirements
    ]


def linked(evidence: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {**one, "url": slots.url_of(one["kind"], one["id"]) if _is_uuid(one["id"]) else ""}
        for one in evidence
    ]


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _newest(assessment: Assessment) -> Assessment | None:
    """Return the newer assessment by the same framework, if there is one."""
    rows = Assessment.objects.filter(
        model_version=assessment.model_version, framework=assessment.framework, pk__gt=assessment.pk
    )
    return rows.order_by("-id").first()


@require_http_methods(["GET", "HEAD", "POST"])
@page
def attest(request: PersonRequest, public_id: UUID, framework: str, feature: str) -> HttpResponseBase:
    version = model_version_for_reading(request.user, public_id)
    house.require(request.user, version.model.organisation, access.ATTESTS, "attest a feature")
    frame, known = _feature(framework, feature)
    form = AttestForm(request.POST or None, feature=known)
    if form.is_valid():
        with refusals_in(form):
            services.attest(
                version=version,
                framework=frame.id,
                feature=known.id,
                by=request.user,
                now=timezone.now(),
                **form.cleaned_data,
            )
            made = services.assess(version=version, framework=frame.id, by=request.user, now=timezone.now())
            say(request, f"{known.id} is attested, and {version} is assessed anew with it.")
            return redirect("audit:assessment", made.public_id)
    context = {"version": version, "framework": frame, "feature": known, "form": form}
    return show(request, "audit/attest.html", context, status=422 if form.errors else 200)


def _feature(framework: str, feature: str) -> tuple[Framework, Feature]:
    try:
        frame = loader.load(framework)
        return frame, frame.feature(feature)
    except (UnknownFrameworkError, KeyError) as error:
        raise NotFoundError(f"There is no feature {feature} in {framework}.") from error


@require_safe
def gallery(request: HttpRequest) -> HttpResponseBase:
    """The cards that were opened to strangers; it asks nobody to sign in."""
    shown = page_of(request, public.public_versions(), size=CARDS_A_PAGE)
    context = {"page": shown, "cards": overviews.cards(list(shown.object_list), at=timezone.now())}
    return render(request, "audit/gallery.html", context)


@require_safe
def public_card(request: HttpRequest, public_id: UUID) -> HttpResponseBase:
    try:
        version = public.public_version(public_id)
    except NotFoundError as error:
        return refusal(request, error)
    return render(request, "audit/public_card.html", {"card": public.card_of(version, at=timezone.now())})


@require_http_methods(["GET", "HEAD", "POST"])
@page
def publish(request: PersonRequest, public_id: UUID) -> HttpResponseBase:
    """Show an officer what strangers would read, and open or close it for a reason."""
    version = model_version_for_reading(request.user, public_id)
    house.require(request.user, version.model.organisation, house.DECIDES, "publish a model's card")
    standing = version.publications.filter(withdrawn_at=None).select_related("published_by").first()
    form = PublishForm(request.POST or None)
    if form.is_valid():
        with refusals_in(form):
            deed = generation.withdraw_card if standing else generation.publish_card
            deed(version=version, reason=form.cleaned_data["reason"], by=request.user, now=timezone.now())
            say(request, f"The card of {version} is {'closed again' if standing else 'public'}.")
            return redirect("audit:publish", version.public_id)
    context = {
        "version": version,
        "standing": standing,
        "past": version.publications.exclude(withdrawn_at=None).select_related(
            "published_by", "withdrawn_by"
        ),
        "card": public.card_of(version, at=timezone.now()),
        "form": form,
    }
    return show(request, "audit/publish.html", context, status=422 if form.errors else 200)
