"""Freezing: what is cleared, under an approval that stands, and never changed afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, transaction
from django.utils import timezone

from governance import ledger
from governance.errors import NotAllowedError, NotFoundError
from governance.models import Decision, Review
from lib.canonical import canonical_json
from lib.merkle import merkle_root
from provenance import services
from provenance.errors import EmptyDatasetError, NotApprovedError, NotClearedError, ProtectedCollectionError
from provenance.models import Dataset, DatasetKind, DatasetVersion, LicenceStatement, VersionEntry
from provenance.rights.policy import ClearancePolicy
from provenance.services.freezing import Frozen
from tests.catalogues import approve, training
from tests.people import People, a_dataset, an_entry

pytestmark = pytest.mark.django_db


@pytest.fixture
def folk(people: People) -> Dataset:
    dataset = a_dataset(people.steward, people.house)
    approve(dataset, people.officer)
    return dataset


def freeze(dataset: Dataset, people: People, **options: object) -> Frozen:
    given = {"use": training(), "by": people.steward, "now": timezone.now(), **options}
    return services.freeze_dataset(dataset=dataset, **given)  # type: ignore[arg-type]


class TestFreezeDataset:
    def test_writes_a_manifest_under_its_merkle_root(self, people: People, folk: Dataset) -> None:
        version = freeze(folk, people).version

        manifests = [entry.manifest for entry in version.entries.all()]
        assert {manifest["sha256"] for manifest in manifests} == set(
            folk.entries.values_list("recording__sha256", flat=True)
        )
        assert {manifest["master"]["licence"] for manifest in manifests} == {"CC0-1.0"}
        assert version.merkle_root == merkle_root([canonical_json(one) for one in manifests]).hex()
        assert ledger.verify().ok

    def test_gives_the_same_version_for_the_same_music_and_use(self, people: People, folk: Dataset) -> None:
        first, again = freeze(folk, people), freeze(folk, people)

        assert (first.is_new, again.is_new, again.version) == (True, False, first.version)
        assert freeze(folk, people, use=training(commercial=False)).version.number == 2

    def test_takes_weak_evidence_only_where_an_officer_accepted_it(self, people: People) -> None:
        careful = ClearancePolicy("careful", weak_evidence="constrained")
        given: dict[str, Any] = {"by": people.steward, "reason": "Counsel.", "now": timezone.now()}
        _, review = services.propose_policy(organisation=people.house, policy=careful, **given)
        given = {"by": people.officer, "reason": "Agreed.", "now": timezone.now()}
        services.decide_policy(review=review, decision=Decision.APPROVED, **given)
        folk = a_dataset(people.steward, people.house)
        LicenceStatement.objects.filter(entry__dataset=folk).update(weak=True)

        approve(folk, people.officer)
        with pytest.raises(NotClearedError, match="constrained: weak-evidence not accepted"):
            freeze(folk, people)
        approve(folk, people.officer, ["weak-evidence"])
        version = freeze(folk, people).version
        assert version.conditions_accepted == ["weak-evidence"]
        assert Review.objects.get(public_id=version.review_id).conditions == ["weak-evidence"]

    def test_needs_an_approval(self, people: People) -> None:
        with pytest.raises(NotApprovedError, match="is a draft"):
            freeze(a_dataset(people.steward, people.house), people)

    def test_needs_a_new_approval_of_what_is_new(self, people: People, folk: Dataset) -> None:
        an_entry(folk.registrations.get(), row=7)
        Dataset.objects.filter(pk=folk.pk).update(changed_at=timezone.now())

        with pytest.raises(NotApprovedError):
            freeze(folk, people)

    def test_refuses_what_is_not_cleared_and_names_it(self, people: People, folk: Dataset) -> None:
        LicenceStatement.objects.filter(entry__external_id="tune-001").update(expression="CC-BY-NC-4.0")

        with pytest.raises(NotClearedError, match="1 recording of folk is not cleared: tune-001"):
            freeze(folk, people)
        assert not DatasetVersion.objects.exists()

    def test_leaves_it_out_where_that_was_asked(self, people: People, folk: Dataset) -> None:
        LicenceStatement.objects.filter(entry__external_id="tune-001").update(expression="CC-BY-NC-4.0")

        frozen = freeze(folk, people, only_cleared=True)

        assert [name for name, _ in frozen.left_out] == ["tune-001"]
        assert (frozen.version.n_recordings, frozen.version.n_left_out) == (1, 1)

    @pytest.mark.parametrize(("accept", "n_taken"), [([], 0), (["all"], 2)])
    def test_takes_what_is_constrained_only_under_accepted_conditions(
        self, people: People, accept: list[str], n_taken: int
    ) -> None:
        shared = a_dataset(people.steward, people.house, name="shared", licence="CC-BY-SA-4.0")
        approve(shared, people.officer, accept=accept)

        if n_taken:
            assert freeze(shared, people).version.n_recordings == n_taken
            return
        with pytest.raises(NotClearedError, match="not accepted"):
            freeze(shared, people)
        with pytest.raises(EmptyDatasetError):
            freeze(shared, people, only_cleared=True)

    def test_takes_what_is_listed_alone(self, people: People, folk: Dataset) -> None:
        assert freeze(folk, people, only_listed=["tune-000"]).version.n_recordings == 1
        with pytest.raises(NotFoundError, match="has no nowhere"):
            freeze(folk, people, only_listed=["tune-000", "nowhere"])

    def test_leaves_out_what_has_no_audio_here(self, people: People, folk: Dataset) -> None:
        recording = folk.entries.get(external_id="tune-000").recording
        recording.audio = ""
        recording.save(update_fields=["audio"])

        frozen = freeze(folk, people, only_cleared=True)

        assert frozen.left_out == (("tune-000", "there is no audio of it here: it can't be trained on"),)

    def test_is_for_those_who_write_datasets_or_make_models(self, people: People, folk: Dataset) -> None:
        for person in (people.officer, people.auditor, people.outsider, people.stranger):
            with pytest.raises(NotAllowedError):
                freeze(folk, people, by=person)
        assert freeze(folk, people, by=people.engineer).is_new


class TestAProtectedCollection:
    def test_is_refused_by_the_service(self, people: People) -> None:
        label = a_dataset(people.steward, people.house, name="label", kind=DatasetKind.PROTECTED)
        with pytest.raises(ProtectedCollectionError, match="never frozen"):
            freeze(label, people)

    def test_is_refused_by_the_database(self, people: People, folk: Dataset) -> None:
        version = freeze(folk, people).version
        label = a_dataset(people.steward, people.house, name="label", kind=DatasetKind.PROTECTED)
        version.pk, version.dataset = None, label
        version.public_id = label.public_id

        with pytest.raises(IntegrityError, match="never frozen for training"), transaction.atomic():
            version.save(force_insert=True)

    def test_keeps_its_recordings_out_of_every_dataset(self, people: People, folk: Dataset) -> None:
        label = a_dataset(
            people.steward, people.house, name="label", kind=DatasetKind.PROTECTED, n_recordings=0
        )
        entry = an_entry(label.registrations.get(), row=0)
        entry.recording = folk.entries.get(external_id="tune-000").recording
        entry.save(update_fields=["recording"])

        with pytest.raises(NotClearedError, match=r"tune-000 \(not_allowed\)"):
            freeze(folk, people)


class TestFrozenRows:
    @pytest.mark.parametrize(
        "change",
        [
            lambda version: DatasetVersion.objects.filter(pk=version.pk).update(conditions_accepted=["x"]),
            lambda version: DatasetVersion.objects.filter(pk=version.pk)._raw_delete("default"),
            lambda version: VersionEntry.objects.filter(version=version).update(manifest={}),
            lambda version: VersionEntry.objects.filter(version=version)._raw_delete("default"),
        ],
        ids=["version", "version-deleted", "entry", "entry-deleted"],
    )
    def test_are_changed_by_nobody(
        self, people: People, folk: Dataset, change: Callable[[DatasetVersion], object]
    ) -> None:
        version = freeze(folk, people).version

        with (
            pytest.raises(DatabaseError, match="append-only"),
            transaction.atomic(),
        ):
            change(version)

    def test_take_no_further_entry(self, people: People, folk: Dataset) -> None:
        version = freeze(folk, people).version
        late = an_entry(folk.registrations.get(), row=8).recording

        with pytest.raises(IntegrityError, match="no further entry"), transaction.atomic():
            VersionEntry.objects.create(
                version=version,
                position=version.n_recordings,
                recording=late,
                external_id="late",
                manifest={},
                leaf_hash="0" * 64,
            )
