"""The credits that deals ask for: in whose words, for which rights, and of what was frozen on their strength."""

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.utils import timezone

from audit import services as audit
from provenance import services
from provenance.exports.attribution import credits_owed
from provenance.exports.register import ExportedRecording
from provenance.rights.values import Grant
from tests.catalogues import TRAINING, approve, table, training
from tests.people import People, a_dataset

ENDED = datetime(2026, 3, 1, tzinfo=UTC)


class TestCreditsOwed:
    OWED = Grant("g-1", "master", "Quay", frozenset(), True, attribution="Music by Ana Lua")

    def test_are_told_once_for_all_rights_of_a_licensor(self) -> None:
        unworded = replace(self.OWED, id="g-3", licensor="Pier", attribution="", conditions=("attribution",))
        given = (
            self.OWED,
            replace(self.OWED, id="g-2", right="composition"),
            unworded,
            replace(self.OWED, id="g-4", attribution=""),
        )
        assert credits_owed(ExportedRecording("urn:x", "a.ogg", grants=given)) == (
            "Music by Ana Lua (master and composition, Quay)",
            "words not stated (master, Pier)",
        )

    def test_outlive_a_deal_for_what_was_frozen_on_its_strength(self) -> None:
        ended = ExportedRecording("urn:x", "a.ogg", grants=(replace(self.OWED, revoked_at=ENDED),))
        assert credits_owed(ended) == ()
        assert credits_owed(replace(ended, cleared_by=("g-1",))) == ("Music by Ana Lua (master, Quay)",)


@pytest.mark.django_db
class TestTheList:
    def test_has_what_a_deal_asks_for_of_a_draft_and_of_a_version(
        self, people: People, tmp_path: Path
    ) -> None:
        dataset = a_dataset(people.steward, people.house, licence="LicenseRef-all-rights-reserved")
        deal = {"licensor": "Quay", "licensee": "House", "right": "both", "purposes": TRAINING}
        wording = {"recordings": "tune-000", "attribution": "=Music by Ana Lua"}
        (given,) = services.register_grants(
            source=table(tmp_path / "deals.csv", [{**deal, **wording}]),
            by=people.steward,
            organisation=people.house,
            now=timezone.now(),
        )
        approve(dataset, people.officer, ["attribution"])
        services.freeze_dataset(
            dataset=dataset, use=training(), by=people.steward, now=timezone.now(), only_cleared=True
        )

        def credits(subject: str) -> set[str]:
            written = audit.export(
                kind="attribution-csv", subject=subject, organisations=[people.house], now=timezone.now()
            )
            return {row["credit_owed"] for row in csv.DictReader(io.StringIO(written))} - {""}

        owed = {"'=Music by Ana Lua (master and composition, Quay)"}
        assert credits("folk") == credits("folk@1") == owed
        services.revoke_grant(grant=given.grants[0], by=people.auditor, reason="Off.", now=timezone.now())
        assert credits("folk") == set()
        assert credits("folk@1") == owed
