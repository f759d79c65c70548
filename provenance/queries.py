"""Reads that span models: what is known of a dataset's rights, and what that answers."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from django.db.models import Q, QuerySet

from governance.models import Decision, Organisation, Policy, Question, Review
from provenance.errors import ProvenanceError, UnknownDatasetError
from provenance.models import (
    Conflict,
    ConflictStatus,
    Dataset,
    DatasetEntry,
    DatasetKind,
    DatasetVersion,
    GrantRecording,
    IndexBuild,
    LicenceStatement,
    Recording,
)
from provenance.rights import values
from provenance.rights.clearance import clear
from provenance.rights.policy import SHIPPED, ClearancePolicy, policy_from_json
from provenance.rights.territory import UnknownTerritory, normalise

T = TypeVar("T")
CHUNK = 2000


@dataclass(frozen=True)
class Cleared:
    """One entry of a dataset with the answer to one question about it."""

    entry: DatasetEntry
    clearance: values.Clearance

    def as_json(self) -> dict[str, Any]:
        recording = self.entry.recording
        line: dict[str, Any] = {
            "recording": str(recording.public_id),
            "external_id": self.entry.external_id,
            "sha256": recording.sha256,
            "title": self.entry.title or recording.title,
            "seconds": recording.seconds,
            "master": right_as_json(self.clearance.master),
            "composition": right_as_json(self.clearance.composition),
            "answer": self.clearance.answer,
        }
        if recording.kind in {"absent", "fingerprint"}:
            line["audio"] = "absent"
        return line


def right_as_json(right: values.RightAnswer) -> dict[str, Any]:
    return {
        "answer": right.answer,
        "basis": right.basis,
        "grant": right.grant,
        "licence": right.licence,
        "reasons": list(right.reasons),
        "conditions": list(right.conditions),
        "clauses": list(right.clauses),
        "weak": right.weak,
        "contested": list(right.contested),
    }


@dataclass
class ClearanceSummary:
    """How many recordings, and how many seconds, got each answer."""

    counts: dict[str, int]
    seconds: dict[str, float]
    conditions: dict[str, int]
    accepted: frozenset[str] = frozenset()
    n_clear: int = 0

    @classmethod
    def empty(cls, accepted: Iterable[str] = ()) -> "ClearanceSummary":
        """Start to count; ``accepted`` are the conditions that somebody took on."""
        nothing: dict[str, int] = dict.fromkeys(values.ANSWERS, 0)
        return cls(nothing, dict.fromkeys(values.ANSWERS, 0.0), {}, frozenset(accepted))

    def add(self, cleared: Cleared) -> None:
        answer = cleared.clearance.answer
        self.counts[answer] += 1
        self.n_clear += cleared.clearance.clears(self.accepted)
        self.seconds[answer] += cleared.entry.recording.seconds or 0.0
        for condition in cleared.clearance.conditions:
            self.conditions[condition] = self.conditions.get(condition, 0) + 1

    @property
    def n_recordings(self) -> int:
        return sum(self.counts.values())

    @property
    def all_clear(self) -> bool:
        """Whether there is something, and all of it is allowed, or constrained with every condition accepted."""
        return self.n_clear == self.n_recordings > 0

    def as_json(self) -> dict[str, Any]:
        return {
            "allowed": self.counts["allowed"],
            "constrained": self.counts["constrained"],
            "not_allowed": self.counts["not_allowed"],
            "unknown": self.counts["unknown"],
            **{f"seconds_{answer}": round(self.seconds[answer], 3) for answer in values.ANSWERS},
            "conditions": dict(sorted(self.conditions.items())),
            "conditions_accepted": sorted(self.accepted),
            "clear": self.n_clear,
        }


def dataset_named(
    reference: str, organisations: Sequence[Organisation]
) -> tuple[Dataset, DatasetVersion | None]:
    """Return the dataset, and the version where one is named, that ``NAME`` or ``NAME@VERSION`` means.

    Raises
    ------
    UnknownDatasetError
        If there is none, or several organisations have one of that name.
    """
    name, _, number = reference.partition("@")
    found = list(
        Dataset.objects.filter(organisation__in=organisations, name=name).select_related("organisation")[:2]
    )
    if not found:
        known = Dataset.objects.filter(organisation__in=organisations).values_list("name", flat=True)[:8]
        there_are = f"there are {', '.join(known)}" if known else "none is registered yet (register_dataset)"
        houses = (
            " or ".join(organisation.name for organisation in organisations) or "any organisation of yours"
        )
        raise UnknownDatasetError(f"There is no dataset {name!r} in {houses}; {there_are}.")
    if len(found) > 1:
        raise UnknownDatasetError(f"Two organisations have a dataset {name!r}: say --as USER of one of them.")
    if not number:
        return found[0], None
    version = (
        found[0]
        .versions.filter(number=int(number))
        .select_related("dataset", "dataset__organisation")
        .first()
        if number.isdigit()
        else None
    )
    if version is None:
        numbers = ", ".join(str(known) for known in found[0].versions.values_list("number", flat=True))
        raise UnknownDatasetError(f"{name} has no version {number!r}; it has {numbers or 'none frozen yet'}.")
    return found[0], version


def policy_of(organisation: Organisation, name: str = "") -> ClearancePolicy:
    """Return the clearance policy an organisation chose, or the one named; its own come before the shipped."""
    wanted = name or organisation.clearance_policy
    own = Policy.objects.filter(organisation=organisation, name=wanted).order_by("-version").first()
    if own is not None:
        return policy_from_json(own.body)
    if wanted not in SHIPPED:
        raise ProvenanceError(f"There is no policy {wanted!r}: shipped are {', '.join(SHIPPED)}.")
    return SHIPPED[wanted]


def entries_of(dataset: Dataset, version: DatasetVersion | None = None) -> QuerySet[DatasetEntry]:
    entries = DatasetEntry.objects.filter(dataset=dataset).select_related("recording", "dataset")
    if version is not None:
        entries = entries.filter(recording__version_entries__version=version)
    return entries.order_by("external_id", "id")


def clear_entries(
    entries: QuerySet[DatasetEntry], *, use: values.Use, policy: ClearancePolicy
) -> Iterator[Cleared]:
    """Answer one question for each entry, in order, a few queries for every couple of thousand."""
    for entry, rights in rights_of(entries):
        yield Cleared(entry, clear(rights, use, policy))


def rights_of(entries: QuerySet[DatasetEntry]) -> Iterator[tuple[DatasetEntry, values.RecordingRights]]:
    for chunk in _chunks(entries.iterator(chunk_size=CHUNK), CHUNK):
        yield from _rights_of_chunk(chunk)


def _chunks(rows: Iterator[T], size: int) -> Iterator[list[T]]:
    while chunk := list(islice(rows, size)):
        yield chunk


def _rights_of_chunk(chunk: list[DatasetEntry]) -> Iterator[tuple[DatasetEntry, values.RecordingRights]]:
    recording_ids = {entry.recording_id for entry in chunk}
    statements = _statements_by_entry(chunk)
    grants = _grants_by_recording(recording_ids)
    conflicts = _conflicts_by_recording(recording_ids)
    protected = set(
        DatasetEntry.objects.filter(
            recording_id__in=recording_ids, dataset__kind=DatasetKind.PROTECTED
        ).values_list("recording_id", flat=True)
    )
    for entry in chunk:
        yield (
            entry,
            values.RecordingRights(
                statements=tuple(statements.get(entry.pk, ())),
                grants=tuple(grants.get(entry.recording_id, ())),
                conflicts=tuple(conflicts.get(entry.recording_id, ())),
                protected=entry.recording_id in protected,
            ),
        )


def _statements_by_entry(chunk: Iterable[DatasetEntry]) -> dict[int, list[values.Statement]]:
    found: dict[int, list[values.Statement]] = defaultdict(list)
    for statement in LicenceStatement.objects.filter(entry__in=[entry.pk for entry in chunk]).order_by("id"):
        found[statement.entry_id].append(statement_value(statement))
    return found


def statement_value(statement: LicenceStatement) -> values.Statement:
    return values.Statement(
        right=statement.right,  # type: ignore[arg-type]  # the database holds known rights and sources only
        expression=statement.expression,
        raw=statement.raw,
        source=statement.source,  # type: ignore[arg-type]
        weak=statement.weak,
        evidence=statement.evidence,
        quote=statement.quote,
        holders=tuple(statement.holders),
        licence_url=statement.licence_url,
        territory=tuple(statement.territory),
        valid_from=statement.valid_from,
        valid_until=statement.valid_until,
    )


def _grants_by_recording(recording_ids: Iterable[int]) -> dict[int, list[values.Grant]]:
    found: dict[int, list[values.Grant]] = defaultdict(list)
    links = GrantRecording.objects.filter(recording_id__in=recording_ids).select_related(
        "grant", "grant__licensor"
    )
    for link in links.order_by("grant_id"):
        grant = link.grant
        found[link.recording_id].append(
            values.Grant(
                id=str(grant.public_id),
                right=grant.right,  # type: ignore[arg-type]
                licensor=grant.licensor.name,
                purposes=frozenset(grant.purposes),
                commercial=grant.commercial,
                territory=tuple(grant.territory),
                valid_from=grant.valid_from,
                valid_until=grant.valid_until,
                model_scope=frozenset(grant.model_scope),
                conditions=tuple(grant.conditions),
                revoked_at=grant.revoked_from,
                document=grant.document,
            )
        )
    return found


def _conflicts_by_recording(recording_ids: set[int]) -> dict[int, list[values.OpenConflict]]:
    """Return the open conflicts of each recording with what the other side's sources say."""
    conflicts = list(
        Conflict.objects.filter(status=ConflictStatus.OPEN).filter(
            Q(recording_a_id__in=recording_ids) | Q(recording_b_id__in=recording_ids)
        )
    )
    if not conflicts:
        return {}
    sides = {conflict.recording_a_id for conflict in conflicts} | {
        conflict.recording_b_id for conflict in conflicts
    }
    said: dict[int, list[values.Statement]] = defaultdict(list)
    for statement in LicenceStatement.objects.filter(entry__recording_id__in=sides).select_related("entry"):
        said[statement.entry.recording_id].append(statement_value(statement))
    found: dict[int, list[values.OpenConflict]] = defaultdict(list)
    for conflict in conflicts:
        for own, other in (
            (conflict.recording_a_id, conflict.recording_b_id),
            (conflict.recording_b_id, conflict.recording_a_id),
        ):
            if own not in recording_ids:
                continue
            found[own].append(
                values.OpenConflict(str(conflict.public_id), conflict.kind, tuple(said.get(other, ())))
            )
            if own == other:
                break
    return found


def conflicts_touching(dataset: Dataset) -> QuerySet[Conflict]:
    """Return the conflicts, open and closed, that touch a dataset's recordings, across all its organisation's."""
    inside = DatasetEntry.objects.filter(dataset=dataset).values("recording_id")
    return (
        Conflict.objects.filter(organisation_id=dataset.organisation_id)
        .filter(Q(recording_a_id__in=inside) | Q(recording_b_id__in=inside))
        .select_related("recording_a", "recording_b", "resolved_by")
    )


def approval_of(dataset: Dataset) -> Review | None:
    """Return the approval that holds: the last decision, if it approved and nothing was registered since."""
    last = (
        Review.objects.filter(question=Question.DATASET_APPROVAL, subject_id=dataset.public_id)
        .exclude(decision=Decision.PENDING)
        .order_by("-decided_at")
        .first()
    )
    if last is None or last.decision != Decision.APPROVED or last.decided_at is None:
        return None
    return last if last.decided_at >= dataset.changed_at else None


def conditions_accepted(dataset: Dataset, version: DatasetVersion | None) -> list[str]:
    """Return the conditions that were accepted: in freezing, or by the approval of a draft that stands."""
    if version is not None:
        return list(version.conditions_accepted)
    approval = approval_of(dataset)
    return list(approval.conditions) if approval else []


def latest_index(
    dataset: Dataset, version: DatasetVersion | None, kind: str = "recording"
) -> IndexBuild | None:
    return (
        IndexBuild.objects.filter(dataset=dataset, version=version, kind=kind)
        .order_by("-built_at", "-id")
        .first()
    )


def recordings_in(dataset: Dataset, version: DatasetVersion | None) -> QuerySet[Recording]:
    if version is not None:
        return Recording.objects.filter(version_entries__version=version)
    return Recording.objects.filter(entries__dataset=dataset)


def use_for(*, purpose: str, commercial: bool, territory: str, at: datetime, model: str = "") -> values.Use:
    """Return the question as a value.

    Raises
    ------
    ProvenanceError
        If the purpose is none of the contract's (the message lists them), or nobody knows the territory.
    """
    if purpose not in values.PURPOSES:
        raise ProvenanceError(f"There is no purpose {purpose!r}: choose one of {', '.join(values.PURPOSES)}.")
    try:
        where = normalise(territory) if territory else values.WORLD
    except UnknownTerritory as error:
        raise ProvenanceError(f"{error}.") from error
    return values.Use(
        purpose=purpose,
        commercial=commercial,
        territory=where,
        at=at,
        model=model,
    )


def conditions_in(dataset: Dataset, *, at: datetime) -> set[str]:
    """Return every condition that a dataset's recordings are under, for whichever purpose."""
    policy = policy_of(dataset.organisation)
    uses = [
        values.Use(purpose=purpose, commercial=commercial, at=at)
        for purpose in values.PURPOSES
        for commercial in (False, True)
    ]
    found: set[str] = set()
    for _, rights in rights_of(entries_of(dataset)):
        for use in uses:
            found.update(clear(rights, use, policy).conditions)
    return found
