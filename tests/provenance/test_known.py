"""What the database knows of a recording's rights, as values."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from provenance.known import rights_of
from provenance.models import (
    Dataset,
    ExceptionMemo,
    Grant,
    GrantRecording,
    MemoRecording,
    Party,
    Recording,
    Reservation,
    ReservationRecording,
    RightsClaim,
)
from provenance.models.ranges import country_ranges
from provenance.queries import entries_of
from tests.catalogues import TRAINING, answers
from tests.people import People, a_dataset

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def closed(people: People) -> Dataset:
    return a_dataset(people.steward, people.house, licence="LicenseRef-all-rights-reserved")


def a_grant(people: People, recording: Recording, licensor: str, **terms: object) -> Grant:
    given, taken = (
        Party.objects.get_or_create(organisation=people.house, name=name)[0] for name in (licensor, "House")
    )
    for right in ("master", "composition"):
        grant = Grant.objects.create(
            organisation=people.house,
            licensor=given,
            licensee=taken,
            right=right,
            purposes=[TRAINING],
            registered_by=people.steward,
            registered_at=NOON,
            key=f"{licensor} {right} {recording.pk}",
            **terms,
        )
        GrantRecording.objects.create(grant=grant, recording=recording)
    return grant


def a_claim(people: People, recording: Recording, party: str, **more: object) -> RightsClaim:
    holder, _ = Party.objects.get_or_create(organisation=people.house, name=party)
    given = {"right": "master", "share_percent": 100, "source": "steward", **more}
    if "territory" in given:
        given["territory_ranges"] = country_ranges(given["territory"])  # type: ignore[arg-type]
    return RightsClaim.objects.create(recording=recording, party=holder, **given)


def first_of(dataset: Dataset) -> Recording:
    return dataset.entries.select_related("recording")[0].recording


class TestClaims:
    def test_say_who_may_grant(self, people: People, closed: Dataset) -> None:
        recording = first_of(closed)
        a_grant(people, recording, "Rivermouth")
        assert answers(closed)["tune-000"] == "allowed"
        claim = a_claim(people, recording, "Hillside")
        assert answers(closed)["tune-000"] != "allowed"
        claim.withdrawn_at = NOON
        claim.save(update_fields=["withdrawn_at"])
        assert answers(closed)["tune-000"] == "allowed"

    def test_of_one_source_overlap_nowhere(self, people: People, closed: Dataset) -> None:
        recording = first_of(closed)
        a_claim(people, recording, "Hillside", territory=["EU"])
        a_claim(people, recording, "Hillside", territory=["US"])
        a_claim(people, recording, "Hillside", territory=["DE"], source="registry")
        with pytest.raises(IntegrityError, match="claim_once"), transaction.atomic():
            a_claim(people, recording, "Hillside", territory=["DE"])


class TestReservations:
    def test_close_what_a_licence_opens(self, people: People) -> None:
        dataset = a_dataset(people.steward, people.house)
        reservation = Reservation.objects.create(
            organisation=people.house,
            source="declared",
            declared_at=NOON,
            recorded_at=NOON,
            recorded_by=people.steward,
            key="0" * 64,
        )
        ReservationRecording.objects.create(reservation=reservation, recording=first_of(dataset))
        assert answers(dataset) == {"tune-000": "not_allowed", "tune-001": "allowed"}
        assert answers(dataset, at=NOON.replace(year=2025))["tune-000"] == "allowed"


class TestMemos:
    def test_allow_what_they_speak_of(self, people: People, closed: Dataset) -> None:
        memo = ExceptionMemo.objects.create(
            organisation=people.house,
            provision="Art. 4 CDSM",
            purposes=[TRAINING],
            signed_by="A. Counsel",
            lawful_access="bought on disc",
            recorded_by=people.steward,
            recorded_at=NOON,
        )
        MemoRecording.objects.create(memo=memo, recording=first_of(closed))
        assert answers(closed) == {"tune-000": "allowed", "tune-001": "not_allowed"}


class TestExclusiveGrants:
    def test_are_given_to_one(self, people: People, closed: Dataset) -> None:
        recording = first_of(closed)
        grant = a_grant(people, recording, "Rivermouth")
        other = Party.objects.create(organisation=people.house, name="Other house")
        GrantRecording.objects.filter(grant=grant).delete()
        facts = {"recording": recording, "exclusive": True, "right": "master", "licensor": grant.licensor}
        GrantRecording.objects.create(
            **facts, grant=grant, licensee=grant.licensee, territory_ranges=country_ranges(["EU"])
        )
        again = a_grant(people, recording, "Upstream")
        GrantRecording.objects.filter(grant=again).delete()
        rest = {**facts, "grant": again, "licensee": other}
        with pytest.raises(IntegrityError, match="grant_exclusive_to_one"), transaction.atomic():
            GrantRecording.objects.create(**rest, territory_ranges=country_ranges(["DE"]))
        GrantRecording.objects.create(**rest, territory_ranges=country_ranges(["US"]))


class TestReading:
    def test_costs_as_many_queries_for_many_recordings_as_for_one(self, people: People) -> None:
        counts = []
        for n in (1, 6):
            dataset = a_dataset(people.steward, people.house, name=f"of-{n}", n_recordings=n)
            for entry in dataset.entries.select_related("recording"):
                a_grant(people, entry.recording, "Rivermouth")
                a_claim(people, entry.recording, "Rivermouth")
            with CaptureQueriesContext(
                connection,
            ) as asked:
                known = list(rights_of(entries_of(dataset)))
            assert all(len(rights.grants) == 2 and len(rights.claims) == 1 for _, rights in known)
            counts.append(len(asked))
        assert counts[0] == counts[1]
