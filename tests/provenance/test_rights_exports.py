"""What leaves the house says what the register says."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from provenance.exports.attribution import attribution_csv, licence_urls
from provenance.exports.croissant import croissant
from provenance.exports.odrl import agreement, offer
from provenance.exports.register import ExportedDataset, ExportedRecording
from provenance.exports.tdmrep import ReservedLocation, tdmrep
from provenance.intake.formats import open_intake
from provenance.rights.values import Grant, Reservation, Statement


def dataset(title: str = "Song") -> ExportedDataset:
    said = (
        Statement("master", "CC-BY-4.0", "CC-BY-4.0", "steward", holders=("Ann",)),
        Statement("master", "GPL-3.0-only OR CC-BY-3.0", "x", "embedded_tag"),
        Statement("composition", "CC0-1.0", "CC0", "steward", holders=("Bea",)),
    )
    sha256 = hashlib.sha256(b"RIFF").hexdigest()
    with_audio = ExportedRecording(
        "r1", "x1", sha256, "a.wav", "audio/wav", 4, 1.0, title, "Ann", statements=said
    )
    without = ExportedRecording("r2", "x2", isrc="USRC17607839")
    return ExportedDataset(
        "songs", "1", "Songs.", "https://s", "House", date(2026, 1, 1), (with_audio, without)
    )


class TestAttribution:
    def test_names_holders_licences_and_addresses(self) -> None:
        first, second = csv.DictReader(io.StringIO(attribution_csv(dataset())))
        assert (first["holders"], first["composition_licence"]) == ("Ann; Bea", "CC0-1.0")
        assert first["master_licence"] == "CC-BY-4.0; GPL-3.0-only OR CC-BY-3.0"
        assert "https://creativecommons.org/licenses/by/4.0/legalcode" in first["licence_urls"]
        assert second["master_licence"] == ""

    @pytest.mark.parametrize("title", ["=1+1", "+1", "-1", "@x", "\tx"])
    def test_runs_nothing_in_a_spreadsheet(self, title: str) -> None:
        first, _ = csv.DictReader(io.StringIO(attribution_csv(dataset(title))))
        assert first["title"] == f"'{title}"

    def test_knows_no_address_of_what_nobody_knows(self) -> None:
        assert licence_urls("LicenseRef-x OR ((") == ()


class TestCroissant:
    def test_gives_back_the_same_register(self, tmp_path: Path) -> None:
        (tmp_path / "a.wav").write_bytes(b"RIFF")
        (tmp_path / "croissant.json").write_text(json.dumps(croissant(dataset())))
        with open_intake(tmp_path / "croissant.json") as intake:
            first, second = intake.records()
        assert (first.external_id, first.title, first.artist, first.problems) == ("x1", "Song", "Ann", ())
        assert [
            (statement.right, statement.expression, statement.weak) for statement in first.statements
        ] == [
            ("master", "CC-BY-4.0", False),
            ("master", "GPL-3.0-only OR CC-BY-3.0", False),
            ("composition", "CC0-1.0", False),
        ]
        assert first.statements == dataset().recordings[0].statements
        assert (second.external_id, second.audio, second.isrc) == ("x2", None, "USRC17607839")


class TestOdrl:
    def test_carries_territory_period_duties_and_revocation(self) -> None:
        grant = Grant(
            "g1",
            "master",
            "Label",
            frozenset({"ai_generative_training"}),
            commercial=False,
            territory=("EU", "-FR"),
            valid_until=date(2027, 1, 1),
            conditions=("attribution",),
            revoked_at=datetime(2026, 5, 1, tzinfo=UTC),
        )
        (permission,) = agreement(grant, ["urn:r1"], "House")["permission"]
        operands = [(one["leftOperand"], one["operator"]) for one in permission["constraint"]]
        assert operands == [
            ("dateTime", "lt"),
            ("dateTime", "lt"),
            ("spatial", "isAnyOf"),
            ("spatial", "isNoneOf"),
            ("purpose", "eq"),
        ]
        assert permission["duty"][0]["action"] == "ln:attribution"

    def test_turns_a_reservation_into_prohibitions(self) -> None:
        assert offer(Reservation("r"), ["urn:r1"])["prohibition"] == [{"action": "ln:text-and-data-mining"}]


class TestTdmrep:
    def test_writes_one_rule_a_location(self) -> None:
        rules = tdmrep([ReservedLocation("/a/*", True, "https://s/policy"), ReservedLocation("/b", False)])
        assert rules == [
            {"location": "/a/*", "tdm-reservation": 1, "tdm-policy": "https://s/policy"},
            {"location": "/b", "tdm-reservation": 0},
        ]

    def test_refuses_a_location_without_slash(self) -> None:
        with pytest.raises(ValueError, match="slash"):
            tdmrep([ReservedLocation("a", True)])
