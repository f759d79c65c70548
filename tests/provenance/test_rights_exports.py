"""What leaves the house says what the register says."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

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
        assert any("told by croissant.json and by nobody else" in warning for warning in intake.warnings)
        assert not any("were not read" in warning for warning in intake.warnings)
        assert (second.external_id, second.audio, second.isrc) == ("x2", None, "USRC17607839")


ODD = "Ω “Sång” 日本語 🎵 / \\ \" ' <b>"
SHA256 = hashlib.sha256(b"RIFF").hexdigest()
GRANTS = tuple(
    Grant(
        f"g{number}",
        "performance" if number % 2 else "master",
        ODD,
        frozenset({"data_mining"}),
        True,
        territory=("2EU", "-FR"),
        valid_until=date(2027, 1, 1),
        revoked_at=datetime(2026, 5, 1, tzinfo=UTC),
    )
    for number in range(200)
)


class TestTheLicencesOfACroissant:
    def test_are_all_named_also_where_one_has_no_address(self) -> None:
        expressions = ("MIT", "MIT AND LicenseRef-house", "LicenseRef-house", "")
        recordings = tuple(
            ExportedRecording(
                str(number),
                str(number),
                statements=(Statement("master", one, one, "steward"),) if one else (),
            )
            for number, one in enumerate(expressions)
        )
        address, *named = croissant(replace(dataset(), recordings=recordings))["license"]
        assert address.startswith("https://")
        assert [one["name"] for one in named] == [
            "MIT AND LicenseRef-house",
            "LicenseRef-house",
            "no licence stated",
        ]


class TestCroissantOfOddRegisters:
    @pytest.mark.parametrize(
        ("name", "recordings"),
        [
            ("nothing", []),
            ("one without audio", [ExportedRecording("r1", "x1")]),
            (ODD, [ExportedRecording("r1", ODD, SHA256, f"{ODD}.wav", "audio/wav", 4, 1.0, ODD, ODD)]),
            ("one path twice", [ExportedRecording(id, id, SHA256, "a.wav") for id in ("r1", "r2")]),
            ("many grants", [ExportedRecording(f"r{at}", f"x{at}", grants=GRANTS) for at in range(3)]),
        ],
    )
    def test_is_valid_to_mlcroissant(
        self, tmp_path: Path, name: str, recordings: list[ExportedRecording]
    ) -> None:
        mlc: Any = pytest.importorskip("mlcroissant")
        described = replace(dataset(), name=name, recordings=tuple(recordings))
        (tmp_path / "croissant.json").write_text(json.dumps(croissant(described)))
        read = mlc.Dataset(str(tmp_path / "croissant.json"))
        assert not read.metadata.ctx.issues.errors
        rows = {one.uuid: len(list(read.records(one.uuid))) for one in read.metadata.record_sets}
        assert rows.get("recordings", 0) == len(recordings)
        assert rows.get("grants", 0) == len({grant.id for one in recordings for grant in one.grants})


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

    def test_permits_what_was_given_again_from_that_instant(self) -> None:
        given_at = datetime(2026, 5, 1, 14, tzinfo=UTC)
        grant = Grant("g1", "master", "Label", frozenset({"data_mining"}), True, given_at=given_at)
        (bound,) = agreement(grant, ["urn:r1"], "House")["permission"][0]["constraint"]
        assert (bound["operator"], bound["rightOperand"]["@value"]) == ("gteq", given_at.isoformat())

    def test_turns_a_reservation_into_prohibitions(self) -> None:
        assert offer(Reservation("r"), ["urn:r1"])["prohibition"] == [{"action": "ln:text-and-data-mining"}]


ODRL = "http://www.w3.org/ns/odrl/2/"
ODRL_TERMS = {
    "odrl": ODRL,
    **{
        name: {"@id": f"odrl:{name}", "@type": "@id"}
        for name in (
            "permission",
            "prohibition",
            "duty",
            "constraint",
            "target",
            "assigner",
            "assignee",
            "uid",
            "profile",
        )
    },
    **{name: {"@id": f"odrl:{name}", "@type": "@vocab"} for name in ("action", "leftOperand", "operator")},
    **{name: f"odrl:{name}" for name in ("Agreement", "Offer", "Set", "Party", "rightOperand")},
    **{
        name: f"odrl:{name}"
        for name in ("dateTime", "spatial", "purpose", "eq", "lt", "gteq", "isAnyOf", "isNoneOf")
    },
}
"""The terms of http://www.w3.org/ns/odrl.jsonld that are used here: tests fetch nothing."""

POLICIES: tuple[dict[str, Any], ...] = (
    agreement(Grant("g", "master", "Label", frozenset({"data_mining"}), True), ["urn:r1"], "House"),
    agreement(
        Grant(
            "5b0d4a7c-8a50-4f4e-9b5e-0b0d3f1f2a10",
            "performance",
            "Sängerin & Söhne <GmbH>",
            frozenset({"data_mining", "ai_generative_training"}),
            False,
            territory=("2EU", "-FR"),
            valid_from=date(2025, 1, 1),
            valid_until=date(2027, 1, 1),
            model_scope=frozenset({"tide@2", "tide"}),
            conditions=("attribution", "within-contract"),
            revoked_at=datetime(2026, 5, 1, tzinfo=UTC),
        ),
        [f"urn:r{number}" for number in range(300)],
        "",
    ),
    offer(Reservation("r"), ["urn:r1"]),
    offer(
        Reservation(
            "r",
            "master",
            frozenset({"data_mining"}),
            territory=("EU",),
            declared_at=datetime.now(UTC),
        ),
        ["urn:r1"],
        assigner="Label",
        policy_url="https://label.example/terms",
    ),
)


def names_in(said: Any) -> Iterator[tuple[str, Any]]:
    """Yield every key of a JSON tree with what stands there, keywords of JSON-LD left out."""
    if isinstance(said, list):
        for one in said:
            yield from names_in(one)
    elif isinstance(said, dict):
        for name, inner in said.items():
            if not name.startswith("@"):
                yield name, inner
                yield from names_in(inner)


class TestOdrlInformationModel:
    """What ODRL 2.2 asks of every policy, asked of the triples that a reader gets."""

    @pytest.mark.parametrize("policy", POLICIES)
    def test_is_met(self, policy: dict[str, Any]) -> None:
        jsonld: Any = pytest.importorskip("pyld.jsonld")
        said = {
            **policy,
            "@context": [ODRL_TERMS, *(one for one in policy["@context"] if isinstance(one, dict))],
        }
        triples = [
            (one["subject"]["value"], one["predicate"]["value"].removeprefix(ODRL), one["object"])
            for one in jsonld.to_rdf(said)["@default"]
        ]

        def of(subject: str, predicate: str) -> list[dict[str, str]]:
            return [value for one, said, value in triples if (one, said) == (subject, predicate)]

        (root,) = {one for one, said, _ in triples if said == "profile"}
        (kind,) = of(root, "http://www.w3.org/1999/02/22-rdf-syntax-ns#type")
        parties = {"Agreement": (1, 1), "Offer": (1, 0), "Set": (0, 0)}[kind["value"].removeprefix(ODRL)]
        assert (len(of(root, "assigner")), len(of(root, "assignee"))) == parties
        assert [":" in uid["value"] and uid["type"] == "IRI" for uid in of(root, "uid")] == [True]
        assert len(of(root, "target")) == len(policy["target"])
        rules = of(root, "permission") + of(root, "prohibition")
        assert rules
        for rule in [*rules, *(duty for one in rules for duty in of(one["value"], "duty"))]:
            (action,) = of(rule["value"], "action")
            assert action["type"] == "IRI"
            for constraint in of(rule["value"], "constraint"):
                (left,), (operator,) = (
                    of(constraint["value"], "leftOperand"),
                    of(constraint["value"], "operator"),
                )
                assert {left["type"], operator["type"]} == {"IRI"}
                assert of(constraint["value"], "rightOperand")
        for party in of(root, "assigner") + of(root, "assignee"):
            assert len(of(party["value"], "uid")) == 1

    @pytest.mark.parametrize("policy", POLICIES)
    def test_says_nothing_that_a_reader_drops(self, policy: dict[str, Any]) -> None:
        published, own = policy["@context"]
        assert published == "http://www.w3.org/ns/odrl.jsonld"
        terms = ODRL_TERMS.keys() - {"odrl"}

        def is_known(word: str) -> bool:
            return word in terms or word.partition(":")[0] in own

        for name, inner in names_in(policy):
            assert is_known(name)
            if name in ("action", "leftOperand", "operator"):
                assert is_known(inner)

    @pytest.mark.parametrize("policy", POLICIES)
    def test_writes_words_of_a_vocabulary_and_addresses_as_such(self, policy: dict[str, Any]) -> None:
        jsonld: Any = pytest.importorskip("pyld.jsonld")
        own = [one for one in policy["@context"] if isinstance(one, dict)]
        triples = jsonld.to_rdf({**policy, "@context": [ODRL_TERMS, *own]})["@default"]
        texts = [one["object"]["value"] for one in triples if one["object"]["type"] == "literal"]
        assert [text for text in texts if text.startswith(("ln:", "http", "odrl:", "urn:"))] == []

    def test_knows_a_party_again_by_its_name(self) -> None:
        grant = Grant("g", "master", "Blue  Note", frozenset({"data_mining"}), True)
        one, other = agreement(grant, ["urn:r1"], "House"), agreement(grant, ["urn:r2"], "BLUE NOTE")
        assert one["assigner"]["uid"] == other["assignee"]["uid"] != one["assignee"]["uid"]


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
