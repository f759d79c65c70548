"""Which datasets, recordings and grants a person may know of."""

from uuid import UUID

from django.db.models import Q, QuerySet

from governance.access import Person, organisations_of
from governance.errors import NotFoundError
from provenance.models import Conflict, Dataset, DatasetVersion, Grant, Recording


def datasets_for_reading(user: Person) -> QuerySet[Dataset]:
    return Dataset.objects.filter(organisation__in=organisations_of(user)).select_related("organisation")


def dataset_for_reading(user: Person, public_id: UUID | str) -> Dataset:
    found = datasets_for_reading(user).filter(public_id=public_id).first()
    if found is None:
        raise NotFoundError("There is no such dataset.")
    return found


def version_for_reading(user: Person, public_id: UUID | str) -> DatasetVersion:
    found = (
        DatasetVersion.objects.filter(dataset__organisation__in=organisations_of(user), public_id=public_id)
        .select_related("dataset", "dataset__organisation", "frozen_by")
        .first()
    )
    if found is None:
        raise NotFoundError("There is no such dataset version.")
    return found


def recordings_for_reading(user: Person) -> QuerySet[Recording]:
    return Recording.objects.filter(organisation__in=organisations_of(user)).select_related(
        "organisation", "work"
    )


def recording_for_reading(user: Person, public_id: UUID | str) -> Recording:
    found = recordings_for_reading(user).filter(public_id=public_id).first()
    if found is None:
        raise NotFoundError("There is no such recording.")
    return found


def grants_for_reading(user: Person) -> QuerySet[Grant]:
    return Grant.objects.filter(organisation__in=organisations_of(user)).select_related(
        "organisation", "licensor", "licensee"
    )


def grant_for_reading(user: Person, public_id: UUID | str) -> Grant:
    found = grants_for_reading(user).filter(public_id=public_id).first()
    if found is None:
        raise NotFoundError("There is no such grant.")
    return found


def grant_or_deal_for_reading(user: Person, public_id: UUID | str) -> Grant:
    """Return the grant of that id, or the first grant of the deal of that id."""
    found = grants_for_reading(user).filter(Q(public_id=public_id) | Q(deal=public_id)).order_by("id").first()
    if found is None:
        raise NotFoundError("There is no such grant.")
    return found


def conflict_for_reading(user: Person, public_id: UUID | str) -> Conflict:
    found = (
        Conflict.objects.filter(organisation__in=organisations_of(user), public_id=public_id)
        .select_related("organisation", "recording_a", "recording_b", "resolved_by")
        .first()
    )
    if found is None:
        raise NotFoundError("There is no such conflict.")
    return found
