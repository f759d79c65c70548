"""Who may judge, and which judgements a person may know of."""

from uuid import UUID

from django.db.models import QuerySet

from audit.models import Assessment, Campaign, Report
from governance.access import Person, houses_of
from governance.errors import NotFoundError
from governance.models import Role

RUNS_CAMPAIGNS = (Role.COMPLIANCE_OFFICER, Role.ML_ENGINEER)
ASSESSES = (Role.COMPLIANCE_OFFICER, Role.ML_ENGINEER, Role.DATA_STEWARD)
ATTESTS = (Role.COMPLIANCE_OFFICER, Role.ML_ENGINEER, Role.DATA_STEWARD)
ISSUES_REPORTS = (Role.COMPLIANCE_OFFICER, Role.ML_ENGINEER)


def campaigns_for_reading(user: Person) -> QuerySet[Campaign]:
    """Return the campaigns of houses read whole: judgements name recordings, so a label's guest reads none."""
    return Campaign.objects.filter(organisation__in=houses_of(user)).select_related(
        "organisation", "model_version", "model_version__model", "run_by"
    )


def campaign_for_reading(user: Person, public_id: UUID | str) -> Campaign:
    found = campaigns_for_reading(user).filter(public_id=public_id).first()
    if found is None:
        raise NotFoundError("There is no such campaign.")
    return found


def assessments_for_reading(user: Person) -> QuerySet[Assessment]:
    return Assessment.objects.filter(model_version__model__organisation__in=houses_of(user)).select_related(
        "model_version", "model_version__model", "assessed_by"
    )


def assessment_for_reading(user: Person, public_id: UUID | str) -> Assessment:
    found = assessments_for_reading(user).filter(public_id=public_id).first()
    if found is None:
        raise NotFoundError("There is no such assessment.")
    return found


def reports_for_reading(user: Person) -> QuerySet[Report]:
    return Report.objects.filter(
        assessment__model_version__model__organisation__in=houses_of(user)
    ).select_related(
        "assessment", "assessment__model_version", "assessment__model_version__model", "issued_by"
    )


def report_for_reading(user: Person, public_id: UUID | str) -> Report:
    found = reports_for_reading(user).filter(public_id=public_id).first()
    if found is None:
        raise NotFoundError("There is no such report.")
    return found
