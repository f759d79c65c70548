"""What the audit puts on lower pages: judgements on a model's card, reports at home, what a job left."""

from collections.abc import Mapping
from typing import Any

from audit import access, jobs
from audit.forms import AssessForm, CampaignForm
from audit.models import Assessment
from generation.access import model_versions_for_reading
from generation.models import ModelVersion
from governance import access as house
from governance import slots
from governance.models import Job, Role, User

SHOWN = 8

slots.subject_page("report", "audit:report")
slots.subject_page("assessment", "audit:assessment")
slots.subject_page("campaign", "audit:campaign")


@slots.fill("model_version", template="audit/slots/judged.html", order=20)
def judged(user: User, version: ModelVersion) -> Mapping[str, object]:
    organisation = version.model.organisation
    return {
        "version": version,
        "reports": list(access.reports_for_reading(user).filter(assessment__model_version=version)[:SHOWN]),
        "assessments": list(access.assessments_for_reading(user).filter(model_version=version)[:SHOWN]),
        "campaigns": list(access.campaigns_for_reading(user).filter(model_version=version)[:SHOWN]),
        "assess_form": AssessForm() if house.may(user, organisation, access.ASSESSES) else None,
        "campaign_form": CampaignForm() if house.may(user, organisation, access.RUNS_CAMPAIGNS) else None,
        "may_issue": house.may(user, organisation, access.ISSUES_REPORTS),
    }


@slots.fill("model_version", template="audit/slots/publication.html", order=30)
def publication(user: User, version: ModelVersion) -> Mapping[str, object]:
    """Whether strangers may read the card, and for whoever decides that, where."""
    return {
        "version": version,
        "standing": version.publications.filter(withdrawn_at=None).first(),
        "may_publish": house.may(user, version.model.organisation, house.DECIDES),
    }


@slots.home_slot(Role.EXTERNAL_AUDITOR, template="audit/slots/reports.html", order=10)
@slots.home_slot(Role.COMPLIANCE_OFFICER, template="audit/slots/reports.html", order=60)
def latest_reports(user: User) -> Mapping[str, object]:
    return {"reports": list(access.reports_for_reading(user)[:SHOWN])}


@slots.home_slot(Role.EXTERNAL_AUDITOR, template="audit/slots/unreported.html", order=20)
def unreported(user: User) -> Mapping[str, object] | None:
    """Models without a report: what an auditor can't see yet."""
    judged = Assessment.objects.filter(reports__isnull=False).values("model_version")
    versions = list(model_versions_for_reading(user).exclude(pk__in=judged).order_by("model__name", "number"))
    return {"versions": versions} if versions else None


@slots.fill("job", template="audit/slots/done.html", order=20)
def done(user: User, job: Job) -> Mapping[str, object] | None:
    if job.kind == jobs.REPORT:
        return {"job": job, "report": _named(access.reports_for_reading(user), job, "report")}
    if job.kind == jobs.CAMPAIGN:
        return {"job": job, "campaign": _named(access.campaigns_for_reading(user), job, "campaign")}
    return None


def _named(rows: Any, job: Job, name: str) -> Any:
    public_id = job.outcome.get(name)
    return rows.filter(public_id=public_id).first() if public_id else None
