"""Which models and outputs a person may know of."""

from uuid import UUID

from django.db.models import QuerySet

from generation.models import Check, Generation, GenerationState, GenerativeModel, ModelVersion
from governance.access import SEES_OUTPUTS, Person, may, organisations_of
from governance.errors import NotAllowedError, NotFoundError
from governance.models import Role


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


def may_hear(user: Person, generation: Generation) -> bool:
    """Tell whether a person may hear an output: what was released, any member; what was not, those who review."""
    organisation = generation.model_version.model.organisation
    roles = tuple(Role) if generation.state == GenerationState.RELEASED else SEES_OUTPUTS
    return may(user, organisation, roles)


def generation_for_hearing(user: Person, public_id: UUID | str) -> Generation:
    found = generation_for_reading(user, public_id)
    if not may_hear(user, found):
        raise NotAllowedError("This output is held: only those who review outputs can hear it.")
    return found


def check_for_reading(user: Person, public_id: UUID | str) -> Check:
    found = Check.objects.filter(organisation__in=organisations_of(user), public_id=public_id).first()
    if found is None:
        raise NotFoundError("There is no such check.")
    return found
