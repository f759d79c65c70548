"""What a frozen version left out of what its dataset held: which recordings, and by which rule each."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q, QuerySet

from provenance.models import DatasetEntry, DatasetVersion, Omission, VersionEntry
from provenance.queries import policy_of, use_of
from provenance.queries.clearances import MatrixRow, answered_slice

SHOWN = 20


@dataclass(frozen=True)
class LeftOut:
    """One recording that a version is without: by hand, for want of sound, or by its answer."""

    entry: DatasetEntry
    omission: Omission | None
    answer: str
    """As what is known now answers for the day of the version; empty where no answer decided."""
    missing: Sequence[str] = ()
    """The conditions that nobody accepted."""
    reasons: Sequence[str] = ()


@dataclass(frozen=True)
class LeftOutOf:
    """The first that a version is without, and how many of all were left out by hand."""

    rows: Sequence[LeftOut]
    n_by_hand: int


def omissions_at(version: DatasetVersion) -> QuerySet[Omission]:
    """Return what stewards had left out by hand when the version was frozen."""
    then = version.frozen_at
    return Omission.objects.filter(
        Q(taken_back_at=None) | Q(taken_back_at__gt=then),
        entry__dataset=version.dataset_id,
        left_out_at__lte=then,
    )


def left_out_of(version: DatasetVersion) -> LeftOutOf:
    omissions = omissions_at(version)
    entries = list(_without(version).select_related("recording")[:SHOWN])
    by_hand = {one.entry_id: one for one in omissions.filter(entry__in=entries).select_related("left_out_by")}
    use = use_of(version, at=version.cleared_as_of or version.frozen_at)
    asked = [entry for entry in entries if entry.pk not in by_hand and entry.recording.audio]
    policy = policy_of(version.dataset.organisation, version.policy_name)
    answers = {row.entry.pk: row for row in answered_slice(asked, use=use, policy=policy)} if asked else {}
    rows = [_why(entry, by_hand.get(entry.pk), answers.get(entry.pk), version) for entry in entries]
    return LeftOutOf(rows, omissions.count())


def _without(version: DatasetVersion) -> QuerySet[DatasetEntry]:
    """Return what the dataset held when the version was frozen and the version does not."""
    inside = VersionEntry.objects.filter(version=version, recording=OuterRef("recording"))
    held = version.dataset.entries.filter(registration__registered_at__lte=version.frozen_at)
    return held.exclude(Exists(inside)).order_by("external_id", "id")


def _why(
    entry: DatasetEntry, omission: Omission | None, row: MatrixRow | None, version: DatasetVersion
) -> LeftOut:
    if omission is not None or row is None:
        return LeftOut(entry, omission, "")
    answer, asks = row.clearance.answer, row.clearance.conditions
    missing = sorted(set(asks) - set(version.conditions_accepted)) if answer == "constrained" else []
    decided = [one for one in (row.clearance.master, row.clearance.composition) if one.answer == answer]
    reasons = list(dict.fromkeys(reason for right in decided for reason in right.reasons))
    return LeftOut(entry, None, answer, missing, reasons)
