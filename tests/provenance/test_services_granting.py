"""Grants: registered from files row by row, and revoked for a reason."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from governance import ledger
from governance.errors import ConflictError, NotAllowedError
from governance.models import LedgerEvent
from provenance import services
from provenance.errors import ProvenanceError
from provenance.models import Dataset, Grant, GrantRecording
from provenance.services.granting import GrantOutcome
from tests.catalogues import TRAINING, answers, table
from tests.people import People, a_dataset, found_people

pytestmark = pytest.mark.django_db
DEAL = {
    "licensor": "Rivermouth",
    "licensee": "House",
    "right": "both",
    "recordings": "tune-000",
    "purposes": TRAINING,
}


@pytest.fixture
def people() -> People:
    return found_people()


@pytest.fixture
def closed(people: People) -> Dataset:
    """A dataset that no licence clears."""
    return a_dataset(people.steward, people.house, licence="LicenseRef-all-rights-reserved")


def register(people: People, source: Path, **options: Any) -> list[GrantOutcome]:
    given: dict[str, Any] = {"by": people.steward, "organisation": people.house, "now": timezone.now()}
    return services.register_grants(source=source, **{**given, **options})


class TestRegisterGrants:
    def test_clears_the_recordings_that_a_deal_names(
        self, people: People, closed: Dataset, tmp_path: Path
    ) -> None:
        before = answers(closed)
        (outcome,) = register(people, table(tmp_path / "deals.csv", [DEAL]))

        assert (outcome.status, outcome.n_recordings, len(outcome.grants)) == ("registered", 1, 2)
        assert "allowed" not in before.values()
        assert answers(closed) == {**before, "tune-000": "allowed"}
        assert ledger.verify().ok

    def test_keeps_a_deal_once(self, people: People, closed: Dataset, tmp_path: Path) -> None:
        source = table(tmp_path / "deals.csv", [DEAL])
        first = register(people, source)
        n_events = LedgerEvent.objects.count()

        (again,) = register(people, source)

        assert again.status == "duplicate"
        assert again.grants == first[0].grants
        assert (Grant.objects.count(), LedgerEvent.objects.count()) == (2, n_events)

    def test_keeps_nothing_of_a_dry_run(self, people: People, closed: Dataset, tmp_path: Path) -> None:
        outcomes = register(people, table(tmp_path / "deals.csv", [DEAL]), dry_run=True)

        assert [outcome.status for outcome in outcomes] == ["registered"]
        assert not Grant.objects.exists()
        assert not GrantRecording.objects.exists()

    def test_rejects_a_bad_deal_beside_a_good_one(
        self, people: People, closed: Dataset, tmp_path: Path
    ) -> None:
        bad = {
            "licensor": "",
            "licensee": "House",
            "right": "mechanical",
            "recordings": "nobody-knows",
            "purposes": "fun",
            "territory": "XX",
            "valid_from": "tomorrow",
        }
        rows = [{**dict.fromkeys(bad, ""), **DEAL}, bad]

        good, rejected = register(people, table(tmp_path / "deals.csv", rows))

        assert (good.status, rejected.status) == ("registered", "rejected")
        told = " ".join(rejected.reasons)
        for word in ("licensor is empty", "mechanical", "nobody-knows", "fun", "XX", "tomorrow"):
            assert word in told

    def test_names_every_missing_column(self, people: People, tmp_path: Path) -> None:
        with pytest.raises(ProvenanceError, match="lacks the columns right, purposes"):
            register(people, table(tmp_path / "deals.csv", [{"licensor": "A", "licensee": "B"}]))

    def test_refuses_a_file_in_latin_1(self, people: People, tmp_path: Path) -> None:
        (tmp_path / "deals.csv").write_bytes(b"licensor,licensee,right,purposes\nCaf\xe9,B,master,x\n")
        with pytest.raises(ProvenanceError, match=r"deals\.csv is not UTF-8"):
            register(people, tmp_path / "deals.csv")

    @pytest.mark.parametrize("text", ["[{]", "[1, 2]", '{"licensor": "A"'])
    def test_refuses_json_that_holds_no_deals(self, people: People, tmp_path: Path, text: str) -> None:
        (tmp_path / "deals.json").write_text(text)
        with pytest.raises(ProvenanceError, match=r"deals\.json"):
            register(people, tmp_path / "deals.json")

    def test_reads_json_lines(self, people: People, closed: Dataset, tmp_path: Path) -> None:
        deal = {**DEAL, "right": "master", "recordings": ["tune-000", "tune-001"]}
        (tmp_path / "deals.jsonl").write_text(json.dumps(deal) + "\n")

        (outcome,) = register(people, tmp_path / "deals.jsonl")

        assert (outcome.status, outcome.n_recordings) == ("registered", 2)

    def test_is_for_stewards(self, people: People, closed: Dataset, tmp_path: Path) -> None:
        source = table(tmp_path / "deals.csv", [DEAL])
        for person in (people.engineer, people.auditor, people.stranger):
            with pytest.raises(NotAllowedError):
                register(people, source, by=person)

    def test_reaches_no_recording_of_another_house(self, people: People, tmp_path: Path) -> None:
        a_dataset(people.stranger, people.elsewhere)
        (outcome,) = register(people, table(tmp_path / "deals.csv", [DEAL]))
        assert outcome.status == "rejected"


class TestRevokeGrant:
    @pytest.fixture
    def grants(self, people: People, closed: Dataset, tmp_path: Path) -> tuple[Grant, ...]:
        (outcome,) = register(people, table(tmp_path / "deals.csv", [DEAL]))
        return outcome.grants

    def test_closes_clearance_at_once(
        self, people: People, closed: Dataset, grants: tuple[Grant, ...]
    ) -> None:
        assert answers(closed)["tune-000"] == "allowed"

        services.revoke_grant(grant=grants[0], by=people.auditor, reason="Unpaid.", now=timezone.now())

        assert answers(closed)["tune-000"] != "allowed"

    def test_leaves_what_was_cleared_before_it_cleared_then(
        self, people: People, closed: Dataset, grants: tuple[Grant, ...]
    ) -> None:
        moment = datetime(2030, 5, 1, tzinfo=UTC)
        services.revoke_grant(
            grant=grants[0], by=people.auditor, reason="Unpaid.", now=timezone.now(), revoked_from=moment
        )

        second = timedelta(seconds=1)
        assert answers(closed, at=moment - second)["tune-000"] == "allowed"
        assert answers(closed, at=moment)["tune-000"] != "allowed"
        assert answers(closed, at=moment + second)["tune-000"] != "allowed"

    def test_happens_once_and_for_a_reason(self, people: People, grants: tuple[Grant, ...]) -> None:
        with pytest.raises(ProvenanceError, match="needs a reason"):
            services.revoke_grant(grant=grants[0], by=people.auditor, reason=" ", now=timezone.now())
        services.revoke_grant(grant=grants[0], by=people.auditor, reason="Unpaid.", now=timezone.now())
        with pytest.raises(ConflictError, match="revoked already"):
            services.revoke_grant(grant=grants[0], by=people.officer, reason="Me too.", now=timezone.now())

    def test_ends_both_rights_of_a_deal(self, people: People, grants: tuple[Grant, ...]) -> None:
        assert len({grant.deal for grant in grants}) == 1

        revoked = services.revoke_grant(
            grant=grants[1], by=people.auditor, reason="Unpaid.", now=timezone.now()
        )

        assert [grant.right for grant in revoked] == ["master", "composition"]
        assert not Grant.objects.filter(revoked_at=None).exists()
        assert LedgerEvent.objects.filter(kind="provenance.grant.revoked").count() == 2

    def test_ends_one_right_of_a_deal_where_that_is_asked(
        self, people: People, grants: tuple[Grant, ...]
    ) -> None:
        def revoke(right: str) -> tuple[Grant, ...]:
            return services.revoke_grant(
                grant=grants[0], by=people.auditor, reason="Unpaid.", now=timezone.now(), right=right
            )

        assert revoke("composition") == (grants[1],)
        assert list(Grant.objects.filter(revoked_at=None)) == [grants[0]]
        with pytest.raises(ConflictError, match="revoked already"):
            revoke("composition")
        with pytest.raises(ProvenanceError, match="grants no lyrics, only the master and composition"):
            revoke("lyrics")
        assert revoke("") == (grants[0],)  # what is left of it

    def test_leaves_other_deals_alone(self, people: People, closed: Dataset, tmp_path: Path) -> None:
        rows = [DEAL, {**DEAL, "licensor": "Another label"}]
        first, second = register(people, table(tmp_path / "deals.csv", rows))

        services.revoke_grant(grant=first.grants[0], by=people.auditor, reason="Unpaid.", now=timezone.now())

        assert set(Grant.objects.filter(revoked_at=None)) == set(second.grants)

    def test_keeps_the_reason_out_of_the_ledger(self, people: People, grants: tuple[Grant, ...]) -> None:
        services.revoke_grant(grant=grants[0], by=people.auditor, reason="Unpaid.", now=timezone.now())

        event = LedgerEvent.objects.get(kind="provenance.grant.revoked", subject_id=grants[0].public_id)
        assert "Unpaid" not in json.dumps(event.body)
        grants[0].refresh_from_db()
        assert event.body["reason_commitment"] == ledger.commitment("Unpaid.", grants[0].revocation_salt)

    def test_is_not_for_engineers_nor_strangers(self, people: People, grants: tuple[Grant, ...]) -> None:
        for person in (people.engineer, people.outsider, people.stranger):
            with pytest.raises(NotAllowedError):
                services.revoke_grant(grant=grants[0], by=person, reason="No.", now=timezone.now())
