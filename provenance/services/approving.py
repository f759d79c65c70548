"""Asking for, and giving, approval of a dataset."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from governance import access
from governance import services as governance
from governance.errors import NotAllowedError
from governance.models import Decision, Organisation, Question, Review, User
from lib.figures import counted
from provenance import queries
from provenance.errors import EmptyDatasetError, ProtectedCollectionError, ProvenanceError
from provenance.models import Dataset, DatasetEntry, DatasetKind, Grant
from provenance.rights.terms import conditions as known_conditions

ALL = "all"


def ask_for_approval(*, dataset: Dataset, by: User, now: datetime, why: str = "") -> Review | None:
    """Put the dataset before those who decide, unless an approval of what it now holds stands."""
    if queries.approval_of(dataset) is not None:
        return None
    return governance.ask_review(
        question=Question.DATASET_APPROVAL,
        subject_kind="dataset",
        subject_id=dataset.public_id,
        subject_name=dataset.name,
        organisation=dataset.organisation,
        asked_by=by,
        now=now,
        why=why or f"{counted(dataset.entries.count(), 'recording is', 'recordings are')} registered.",
    )


@transaction.atomic
def approve_dataset(
    *,
    dataset: Dataset,
    by: User,
    reason: str,
    accept: Sequence[str],
    now: datetime,
    decision: Decision = Decision.APPROVED,
) -> Review:
    """Approve (or reject) what a dataset now holds, accepting the conditions named.

    ``all`` stands for every condition that the recordings registered now are under, and is recorded by their names.
    """
    if dataset.kind != DatasetKind.TRAINING:
        raise ProtectedCollectionError(f"{dataset.name} is a protected collection: it is never trained on.")
    if not dataset.entries.exists():
        raise EmptyDatasetError(f"{dataset.name} holds no recording: register some first.")
    access.require(by, dataset.organisation, access.DECIDES, "approve a dataset")
    _require_somebody_else(dataset, by, now)
    review = ask_for_approval(dataset=dataset, by=governance.system_user(), now=now) or queries.approval_of(
        dataset
    )
    if review is None:
        raise ProvenanceError(f"There is nothing to decide about {dataset.name}.")
    if review.decision != Decision.PENDING:  # a second approval replaces the first: conditions may differ
        review = governance.ask_review(
            question=Question.DATASET_APPROVAL,
            subject_kind="dataset",
            subject_id=dataset.public_id,
            subject_name=dataset.name,
            organisation=dataset.organisation,
            asked_by=governance.system_user(),
            now=now,
            why="Asked again by a command.",
        )
    return governance.decide_review(
        review=review,
        decision=decision,
        reason=reason,
        by=by,
        now=now,
        conditions=_expand(accept, dataset, now),
    )


def _require_somebody_else(dataset: Dataset, by: User, now: datetime) -> None:
    """Let nobody approve what they registered themselves: recordings, or grants that hold still."""
    if dataset.registrations.filter(registered_by=by).exists():
        raise NotAllowedError(
            f"{by.username} registered recordings of {dataset.name}: somebody else must approve it."
        )
    rests_on = Grant.objects.filter(subjects__recording__entries__dataset=dataset, registered_by=by)
    if rests_on.filter(Q(revoked_from=None) | Q(revoked_from__gt=now)).exists():
        raise NotAllowedError(
            f"{by.username} registered grants that {dataset.name} rests on: somebody else must approve it."
        )


def _expand(accept: Sequence[str], dataset: Dataset, now: datetime) -> list[str]:
    named = {condition for condition in accept if condition and condition != ALL}
    if unknown := sorted(named - set(known_conditions())):
        raise ProvenanceError(
            f"There is no condition {', '.join(unknown)}: choose among {', '.join(sorted(known_conditions()))}, or all."
        )
    if ALL in accept:
        named |= queries.conditions_in(dataset, at=now)
    return sorted(named)


def reopen_approvals(
    *, touching: QuerySet[Any], organisation: Organisation, by: User, now: datetime, why: str
) -> list[Dataset]:
    """Let no approval cover what came after it: what holds one of the recordings is a draft again.

    ``touching`` are rows that name their recordings by ``recording``. Returns the datasets that were approved.
    """
    recordings = set(
        touching.values_list("recording_id", flat=True)
    )  # as numbers: the planner joined the tables badly
    held = (
        DatasetEntry.objects.filter(recording_id__in=recordings)
        .order_by()
        .values_list("dataset_id", flat=True)
    )
    datasets = Dataset.objects.filter(
        pk__in=set(held.distinct()), organisation=organisation, kind=DatasetKind.TRAINING
    )
    lapsed = []
    for dataset in datasets.select_related("organisation").order_by("id"):
        stood = queries.approval_of(dataset) is not None
        dataset.changed_at = now
        dataset.save(update_fields=["changed_at"])
        if stood:
            lapsed.append(dataset)
            ask_for_approval(dataset=dataset, by=by, now=now, why=f"{why} since it was approved.")
    return lapsed
