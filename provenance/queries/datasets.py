"""Reads that span models: what is known of a dataset's rights, and what that answers."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet, Sum

from governance.keyset import Order
from governance.models import Decision, Organisation, Policy, PolicyAdoption, Question, Review
from provenance.errors import ProvenanceError, UnknownDatasetError
from provenance.known import asker_of, rights_of
from provenance.models import (
    Conflict,
    Dataset,
    DatasetEntry,
    DatasetVersion,
    IndexBuild,
    Recording,
)
from provenance.rights import values
from provenance.rights.bases import legal_basis
from provenance.rights.clearance import clear
from provenance.rights.policy import SHIPPED, ClearancePolicy, policy_from_json
from provenance.rights.territory import UnknownTerritory, normalise


@dataclass(frozen=True)
class Cleared:
    """One entry of a dataset with the answer to one question about it."""

    entry: DatasetEntry
    clearance: values.Clearance
    territory: str = values.WORLD  # where it was asked for

    def as_json(self) -> dict[str, Any]:
        recording = self.entry.recording
        line: dict[str, Any] = {
            "recording": str(recording.public_id),
            "external_id": self.entry.external_id,
            "sha256": recording.sha256,
            "title": self.entry.title or recording.title,
            "seconds": recording.seconds,
            "master": right_as_json(self.clearance.master, self.territory),
            "composition": right_as_json(self.clearance.composition, self.territory),
            "answer": self.clearance.answer,
        }
        if recording.kind in {"absent", "fingerprint"}:
            line["audio"] = "absent"
        return line


def right_as_json(right: values.RightAnswer, territory: str = values.WORLD) -> dict[str, Any]:
    return {
        "answer": right.answer,
        "basis": right.basis,
        "legal_basis": legal_basis(right.answer, right.basis, territory),
        "grant": right.grant,
        "licence": right.licence,
        "reasons": list(right.reasons),
        "conditions": list(right.conditions),
        "clauses": list(right.clauses),
        "weak": right.weak,
        "contested": list(right.contested),
        "unknown_because": right.unknown_because or None,
    }


@dataclass
class ClearanceSummary:
    """How many recordings, and how many seconds, got each answer."""

    counts: dict[str, int]
    seconds: dict[str, float]
    conditions: dict[str, int]
    accepted: frozenset[str] = frozenset()
    n_clear: int = 0
    unknown_because: dict[str, int] = field(default_factory=dict)
    """Recordings by what keeps a right of theirs unknown; one whose rights differ in that counts under both."""

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
        if answer == "unknown":
            rights = (cleared.clearance.master, cleared.clearance.composition)
            for kind in {right.unknown_because for right in rights} - {""}:
                self.unknown_because[kind] = self.unknown_because.get(kind, 0) + 1
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
            "unknown_because": {
                kind: self.unknown_because[kind]
                for kind in values.UNKNOWN_KINDS
                if kind in self.unknown_because
            },
            **{f"seconds_{answer}": round(self.seconds[answer], 3) for answer in values.ANSWERS},
            "conditions": dict(sorted(self.conditions.items())),
            "conditions_accepted": sorted(self.accepted),
            "clear": self.n_clear,
        }


def dataset_named(
    reference: str, organisations: Sequence[Organisation], among: QuerySet[Dataset] | None = None
) -> tuple[Dataset, DatasetVersion | None]:
    """Return the dataset, and the version where one is named, that ``NAME`` or ``NAME@VERSION`` means.

    ``among`` are those that whoever asks may know of; without it all that the organisations have.

    Raises
    ------
    UnknownDatasetError
        If there is none, or several organisations have one of that name.
    """
    name, _, number = reference.partition("@")
    datasets = (Dataset.objects.all() if among is None else among).filter(organisation__in=organisations)
    found = list(datasets.filter(name=name).select_related("organisation")[:2])
    if not found:
        known = list(datasets.values_list("name", flat=True)[:9])
        there_are = (
            f"there are {', '.join(known[:8])}" if known else "none is registered yet (register_dataset)"
        )
        if len(known) > 8:
            there_are += " and more"
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


def adoption_of(organisation: Organisation, *, at: datetime | None = None) -> PolicyAdoption | None:
    """Return the adoption whose policy held at that instant (default: now); None before the first."""
    adoptions = organisation.adoptions.filter(in_force_from__lte=at) if at else organisation.adoptions
    return adoptions.select_related("policy", "review").order_by("-in_force_from", "-id").first()


def policy_of(organisation: Organisation, name: str = "", *, at: datetime | None = None) -> ClearancePolicy:
    """Return the clearance policy in force at that instant (default: now), or the one named.

    ``house@2`` names one version, proposed or adopted; ``house`` the newest that was adopted until then.
    """
    if not name:
        adoption = adoption_of(organisation, at=at)
        return policy_value(adoption.policy) if adoption else _named(organisation.clearance_policy)
    own = Policy.objects.filter(organisation=organisation, name=name.partition("@")[0])
    if "@" in name:
        number = name.partition("@")[2]
        version = own.filter(version=int(number)).first() if number.isdecimal() else None
        if version is None:
            known = ", ".join(str(one) for one in own.order_by("version"))
            raise ProvenanceError(f"There is no policy {name!r}; there {_are(known)}.")
        return policy_value(version)
    if name in SHIPPED:
        return SHIPPED[name]
    adopted = PolicyAdoption.objects.filter(policy__in=own, **({"in_force_from__lte": at} if at else {}))
    newest = adopted.select_related("policy").order_by("-in_force_from", "-id").first()
    if newest is not None:
        return policy_value(newest.policy)
    if proposed := own.order_by("-version").first():
        raise ProvenanceError(
            f"No version of policy {name!r} was in force; {proposed} names what was proposed last."
        )
    return _named(name)


def policy_value(policy: Policy) -> ClearancePolicy:
    """Return the value that a kept policy stands for."""
    return policy_from_json(policy.body)


def _named(name: str) -> ClearancePolicy:
    if name not in SHIPPED:
        raise ProvenanceError(f"There is no policy {name!r}: shipped are {', '.join(SHIPPED)}.")
    return SHIPPED[name]


def _are(known: str) -> str:
    return f"are {known}" if known else "is none of that name"


LEAVES = Order(("position",), named_by=())  # as the Merkle tree has them


def entries_of(dataset: Dataset, version: DatasetVersion | None = None) -> QuerySet[DatasetEntry]:
    entries = DatasetEntry.objects.filter(dataset=dataset).select_related("recording", "dataset")
    if version is not None:
        entries = entries.filter(recording__version_entries__version=version)
    return entries.order_by("external_id", "id")


def entries_to_clear(dataset: Dataset, version: DatasetVersion | None = None) -> QuerySet[DatasetEntry]:
    """Return `entries_of` with no more than `Cleared.as_json` shows: a hundred thousand rows are half as dear."""
    shown = ("public_id", "sha256", "title", "seconds", "kind")
    return (
        entries_of(dataset, version)
        .select_related(None)
        .select_related("recording")
        .only("dataset", "external_id", "title", *(f"recording__{name}" for name in shown))
    )


def clear_entries(
    entries: QuerySet[DatasetEntry], *, use: values.Use, policy: ClearancePolicy
) -> Iterator[Cleared]:
    """Answer one question for each entry, in order, a few queries for every couple of thousand.

    Where the use does not say who asks, each dataset's own organisation does.
    """
    askers: dict[int, values.Use] = {}
    for entry, rights in rights_of(entries):
        if entry.dataset_id not in askers:
            askers[entry.dataset_id] = asked_by(use, entry.dataset.organisation)
        yield Cleared(entry, clear(rights, askers[entry.dataset_id], policy), use.territory)


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


def seconds_of(recordings: QuerySet[Recording]) -> float:
    """Return how long some recordings last together; one that is named twice counts once."""
    each = Recording.objects.filter(pk__in=recordings.values("pk"))
    return each.aggregate(seconds=Sum("seconds"))["seconds"] or 0.0


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


def use_of(version: DatasetVersion, *, at: datetime, model: str = "") -> values.Use:
    """Return the question that a version was frozen for, at ``at``; by ``model``, or the one it was frozen for."""
    return use_for(
        purpose=version.purpose,
        commercial=version.commercial,
        territory=version.territory,
        at=at,
        model=model or version.model,
    )


def asked_by(use: values.Use, organisation: Organisation) -> values.Use:
    """Return the same question, asked by an organisation: a grant to somebody else does not answer it."""
    if use.licensees:
        return use
    return replace(use, licensees=asker_of(organisation))


def conditions_in(dataset: Dataset, *, at: datetime) -> set[str]:
    """Return every condition that a dataset's recordings are under, for whichever purpose."""
    policy = policy_of(dataset.organisation, at=at)
    uses = [
        asked_by(values.Use(purpose=purpose, commercial=commercial, at=at), dataset.organisation)
        for purpose in values.PURPOSES
        for commercial in (False, True)
    ]
    found: set[str] = set()
    for _, rights in rights_of(entries_of(dataset)):
        for use in uses:
            found.update(clear(rights, use, policy).conditions)
    return found
