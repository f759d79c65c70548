"""Which models and outputs a person may know of."""

from uuid import UUID

from django.db.models import QuerySet

from generation.models import Check, Generation, GenerativeModel, ModelVersion
from governance.access import Person, organisations_of
from governance.errors import NotFoundError


def models_for_reading(user: Person) -> QuerySet[GenerativeModel]:
    return GenerativeModel.objects.filter(organisation__in=organisations_of(user)).select_related(
        "organisation"
    )


def model_for_reading(user: Person, public_id: UUID | str) -> GenerativeModel:
    found = models_for_reading(user).filter(public_id=public_id).first()
    if found is None:
        raise NotFoundError("There is no such model.")
    return found


def model_versions_for_reading(user: Person) -> QuerySet[ModelVersion]:
    return ModelVersion.objects.filter(model__organisation__in=organisations_of(user)).select_related(
        "model", "model__organisation", "dataset_version", "dataset_version__dataset", "registered_by"
    )


def model_version_for_reading(user: Person, public_id: UUID | str) -> ModelVersion:
    found = model_versions_for_reading(user).filter(public_id=public_id).first()
    if found is None:
        raise NotFoundError("There is no such model version.")
    return found


def generations_for_reading(user: Person) -> QuerySet[Generation]:
    return Generation.objects.filter(
        model_version__model__organisation__in=organisations_of(user)
    ).select_related("model_version", "model_version__model", "model_version__model__organisation", "made_by")


def generation_for_reading(user: Person, public_id: UUID | str) -> Generation:
    found = generations_for_reading(user).filter(public_id=public_id).first()
    if found is None:
        raise NotFoundError("There is no such output.")
    return found


def check_for_reading(user: Person, public_id: UUID | str) -> Check:
    found = Check.objects.filter(organisation__in=organisations_of(user), public_id=public_id).first()
    if found is None:
        raise NotFoundError("There is no such check.")
    return found
