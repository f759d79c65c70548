"""People for the tests: an organisation with one person a role, a stranger in another, and what belongs to them."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from django.db import connection, transaction
from django.test import TransactionTestCase
from django.utils import timezone
from rest_framework.test import APIClient

from governance import services
from governance.models import Member, Organisation, Question, Review, Role, User
from lib.canonical import canonical_json
from lib.merkle import leaf_hash, merkle_root
from provenance.models import (
    Conflict,
    Dataset,
    DatasetEntry,
    DatasetKind,
    DatasetVersion,
    LicenceStatement,
    Recording,
    RecordingKind,
    Registration,
    VersionEntry,
)

PASSWORD = "a long enough password"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
_numbers = itertools.count(1)


@dataclass(frozen=True)
class People:
    """``house`` has one person a role; ``stranger`` holds every role, in another house."""

    house: Organisation
    elsewhere: Organisation
    officer: User
    auditor: User
    steward: User
    engineer: User
    outsider: User
    stranger: User

    def __iter__(self) -> Iterator[User]:
        """Yield the members of the house."""
        return iter((self.officer, self.auditor, self.steward, self.engineer, self.outsider))

    def by_role(self) -> Mapping[str, User]:
        return dict(zip(Role.values, self, strict=True))


def found_people() -> People:
    house, elsewhere = (Organisation.objects.create(name=name) for name in ("House", "Elsewhere"))
    officer, auditor, steward, engineer, outsider = (a_member(role, house, role) for role in Role.values)
    stranger = User.objects.create_user("stranger", password=PASSWORD)
    for role in Role.values:
        Member.objects.create(user=stranger, organisation=elsewhere, role=role, valid_from=NOON)
    return People(house, elsewhere, officer, auditor, steward, engineer, outsider, stranger)


def a_member(name: str, organisation: Organisation, role: str) -> User:
    user = User.objects.create_user(name, password=PASSWORD)
    Member.objects.create(user=user, organisation=organisation, role=role, valid_from=NOON)
    return user


def client_of(user: User | None) -> APIClient:
    """Return a client that speaks for ``user``, or for nobody."""
    client = APIClient()
    if user is not None:
        client.force_authenticate(user)
    return client


def answers(people: People, ask: Callable[[APIClient], Any]) -> dict[str, int]:
    """Return the status that each person gets for the same request; what one of them changes is undone."""
    found = {}
    callers: dict[str, User | None] = {**people.by_role(), "stranger": people.stranger, "nobody": None}
    for name, user in callers.items():
        with transaction.atomic():
            found[name] = ask(client_of(user)).status_code
            transaction.set_rollback(True)
    return found


def statuses(*, members: int, stranger: int, nobody: int = 401, **roles: int) -> dict[str, int]:
    """Return what each should get: ``members``, unless their role is named."""
    return {**dict.fromkeys(Role.values, members), **roles, "stranger": stranger, "nobody": nobody}


@contextmanager
def ledger_unlocked() -> Iterator[None]:
    """Do what only the database's owner can: look away while the ledger is rewritten."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE governance_ledgerevent DISABLE TRIGGER USER")
        try:
            yield
        finally:
            cursor.execute("ALTER TABLE governance_ledgerevent ENABLE TRIGGER USER")


class CommittingTestCase(TransactionTestCase):
    """For tests with several connections: what they write is committed, and deleted at their end."""


def a_recording(organisation: Organisation, **facts: Any) -> Recording:
    number = next(_numbers)
    given = {
        "kind": RecordingKind.AUDIO,
        "sha256": sha256(f"recording {number}".encode()).hexdigest(),
        "audio": f"recordings/{number}.wav",
        "title": f"Tune {number}",
        "seconds": 10.0,
        "registered_at": NOON,
    }
    return Recording.objects.create(organisation=organisation, **{**given, **facts})


def a_dataset(
    steward: User,
    organisation: Organisation,
    *,
    name: str = "folk",
    kind: str = DatasetKind.TRAINING,
    n_recordings: int = 2,
    licence: str = "CC0-1.0",
) -> Dataset:
    """Return a draft whose recordings state ``licence`` for both rights."""
    dataset = Dataset.objects.create(
        organisation=organisation, name=name, kind=kind, created_by=steward, created_at=NOON, changed_at=NOON
    )
    registration = Registration.objects.create(
        dataset=dataset,
        format="csv",
        source_name="folk.csv",
        source_sha256="0" * 64,
        registered_by=steward,
        registered_at=NOON,
    )
    for row in range(n_recordings):
        an_entry(registration, row=row, licence=licence)
    return dataset


def an_entry(registration: Registration, *, row: int, licence: str = "CC0-1.0") -> DatasetEntry:
    dataset = registration.dataset
    entry = DatasetEntry.objects.create(
        dataset=dataset,
        recording=a_recording(dataset.organisation),
        registration=registration,
        external_id=f"tune-{row:03}",
        row=row + 2,
    )
    LicenceStatement.objects.bulk_create(
        LicenceStatement(entry=entry, right=right, source="steward", expression=licence, raw=licence)
        for right in ("master", "composition")
    )
    return entry


def a_version(dataset: Dataset, by: User, *, number: int = 1) -> DatasetVersion:
    """Return a frozen version of all that a dataset holds, written as freezing writes it."""
    recordings = [entry.recording for entry in dataset.entries.select_related("recording")]
    manifests = [{"recording": str(recording.public_id)} for recording in recordings]
    leaves = [canonical_json(manifest) for manifest in manifests]
    version = DatasetVersion.objects.create(
        dataset=dataset,
        number=number,
        purpose="ai_generative_training",
        commercial=True,
        policy_name="default",
        policy_sha256="0" * 64,
        review_id=dataset.public_id,
        n_recordings=len(recordings),
        seconds=10.0 * len(recordings),
        merkle_root=merkle_root(leaves).hex(),
        frozen_by=by,
        frozen_at=NOON,
    )
    VersionEntry.objects.bulk_create(
        VersionEntry(
            version=version,
            position=position,
            recording=recording,
            external_id=f"tune-{position:03}",
            manifest=manifests[position],
            leaf_hash=leaf_hash(leaves[position]).hex(),
        )
        for position, recording in enumerate(recordings)
    )
    return version


def a_conflict(dataset: Dataset) -> Conflict:
    first, second = (entry.recording for entry in dataset.entries.all()[:2])
    return Conflict.objects.create(
        organisation=dataset.organisation,
        kind="same_samples_other_licence",
        recording_a=first,
        recording_b=second,
        evidence_a={"licence": "CC0-1.0"},
        evidence_b={"licence": "CC-BY-4.0"},
        summary="Two files sound the same and state two licences.",
        key=sha256(f"conflict {next(_numbers)}".encode()).hexdigest(),
        found_at=NOON,
    )


def a_review(asked_by: User, organisation: Organisation, dataset: Dataset) -> Review:
    return services.ask_review(
        question=Question.DATASET_APPROVAL,
        subject_kind="dataset",
        subject_id=dataset.public_id,
        subject_name=dataset.name,
        organisation=organisation,
        asked_by=asked_by,
        now=timezone.now(),
    )
