"""Which datasets, recordings and grants a person may know of."""

from uuid import UUID

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from governance.access import Person, organisations_of
from governance.errors import NotFoundError
from governance.models import Member, Role, User
from provenance.models import (
    Catalogue,
    CatalogueRun,
    Conflict,
    Dataset,
    DatasetVersion,
    Grant,
    Party,
    Recording,
    RightsClaim,
)


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
    """Return the grants of one's own house, and those of others that one's house gave or was given.

    Whose grant it is to read elsewhere is said by the party that stands for a house (`identify_party`).
    """
    own = organisations_of(user)
    named = Party.objects.filter(stands_for__in=own).values("pk")
    return Grant.objects.filter(
        Q(organisation__in=own) | Q(licensor__in=named) | Q(licensee__in=named)
    ).select_related("organisation", "licensor", "licensee")


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


def claims_for_reading(user: Person) -> QuerySet[RightsClaim]:
    own = organisations_of(user)
    return RightsClaim.objects.filter(recording__organisation__in=own).select_related("recording", "party")


def party_for_reading(user: Person, public_id: UUID | str) -> Party:
    """Return a party as one's own house knows it: the same name in another house is another party."""
    found = (
        Party.objects.filter(organisation__in=organisations_of(user), public_id=public_id)
        .select_related("organisation", "stands_for")
        .first()
    )
    if found is None:
        raise NotFoundError("There is no such party.")
    return found


def claim_for_reading(user: Person, public_id: UUID | str) -> RightsClaim:
    found = (
        RightsClaim.objects.filter(recording__organisation__in=organisations_of(user), public_id=public_id)
        .select_related("recording", "recording__organisation", "party")
        .first()
    )
    if found is None:
        raise NotFoundError("There is no such claim.")
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


def catalogues_for_reading(user: Person) -> QuerySet[Catalogue]:
    """Return the catalogues that ``user`` brought, and those of labels that they audit for.

    A label that asks as a guest, within the organisation that owns the dataset, is read by nobody else there: the
    owner reads who asked and how much was found (`catalogue_runs_for_reading`), and no row.
    """
    if not isinstance(user, User) or not user.is_active:
        return Catalogue.objects.none()
    if user.is_system:
        return Catalogue.objects.select_related("organisation", "uploaded_by")
    audits = Member.objects.current(timezone.now()).filter(user=user, role=Role.LABEL_AUDITOR)
    asked_at_home = CatalogueRun.objects.filter(
        catalogue=OuterRef("pk"), dataset__organisation=F("catalogue__organisation")
    )
    of_own_label = Q(organisation__in=audits.values("organisation")) & ~Exists(asked_at_home)
    return Catalogue.objects.filter(Q(uploaded_by=user) | of_own_label).select_related(
        "organisation", "uploaded_by"
    )


def catalogue_for_reading(user: Person, public_id: UUID | str) -> Catalogue:
    found = catalogues_for_reading(user).filter(public_id=public_id).first()
    if found is None:
        raise NotFoundError("There is no such catalogue.")
    return found


def catalogue_runs_for_reading(user: Person) -> QuerySet[CatalogueRun]:
    """Return what was asked of the datasets that ``user`` answers for: who, when, how much; never which rows."""
    if not isinstance(user, User) or not user.is_active:
        return CatalogueRun.objects.none()
    runs = CatalogueRun.objects.select_related("dataset", "asked_by", "catalogue__organisation")
    if user.is_system:
        return runs
    answers = Member.objects.current(timezone.now()).filter(user=user).exclude(role=Role.LABEL_AUDITOR)
    return runs.filter(dataset__organisation__in=answers.values("organisation"))


def run_answers_for_reading(user: Person, catalogue: Catalogue) -> QuerySet[CatalogueRun]:
    """Return the answers that ``user`` may still read: of datasets whose owner lets them ask today."""
    return catalogue.runs.filter(
        is_latest=True, dataset__organisation__in=organisations_of(user)
    ).select_related("dataset", "dataset__organisation", "asked_by")
