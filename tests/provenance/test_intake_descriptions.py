"""ERN messages and Croissant files become records."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from provenance.intake.errors import IntakeError
from provenance.intake.formats import open_intake
from provenance.intake.record import IntakeRecord
from provenance.rights.clearance import clear
from provenance.rights.values import RecordingRights, Use

ERN = """<?xml version="1.0" encoding="UTF-8"?>
<ern:NewReleaseMessage xmlns:ern="http://ddex.net/xml/ern/43">
 <PartyList>
  <Party><PartyReference>P1</PartyReference><PartyName><FullName>Ann Singer</FullName></PartyName></Party>
  <Party><PartyReference>P2</PartyReference><PartyName><FullName>Bea Writer</FullName></PartyName></Party>
 </PartyList>
 <ResourceList>
  <SoundRecording>
   <ResourceReference>A1</ResourceReference>
   <DisplayTitleText>Night Song</DisplayTitleText>
   <DisplayArtist><ArtistPartyReference>P1</ArtistPartyReference></DisplayArtist>
   <Contributor><ContributorPartyReference>P2</ContributorPartyReference><Role>Composer</Role></Contributor>
   <LanguageOfPerformance>en</LanguageOfPerformance>
   <FirstPublicationDate>2019-05-01</FirstPublicationDate>
   <SoundRecordingEdition>
    <ResourceId><ISRC>USRC17607839</ISRC></ResourceId>
    <PLine><Year>2019</Year><PLineText>(P) 2019 Fine Label</PLineText></PLine>
    <TechnicalDetails><DeliveryFile><File><URI>%s</URI></File></DeliveryFile></TechnicalDetails>
   </SoundRecordingEdition>
  </SoundRecording>
 </ResourceList>
 <ReleaseList>
  <Release><ReleaseReference>R0</ReleaseReference><Genre><GenreText>Folk</GenreText></Genre>
   <ResourceGroup><ResourceGroupContentItem><ReleaseResourceReference>A1</ReleaseResourceReference>
   </ResourceGroupContentItem></ResourceGroup></Release>
 </ReleaseList>
 <DealList><ReleaseDeal><DealReleaseReference>R0</DealReleaseReference><Deal><DealTerms>
  <TerritoryCode>Worldwide</TerritoryCode><ExcludedTerritoryCode>US</ExcludedTerritoryCode>
  <ValidityPeriod><StartDate>2020-01-01</StartDate><EndDate>2027-01-01</EndDate></ValidityPeriod>
  <CommercialModelType>SubscriptionModel</CommercialModelType><UseType>Stream</UseType>
 </DealTerms></Deal></ReleaseDeal></DealList>
</ern:NewReleaseMessage>"""


def ern(folder: Path, text: str, name: str = "a.wav") -> list[IntakeRecord]:
    (folder / "a.wav").write_bytes(b"RIFF")
    path = folder / "message.xml"
    path.write_text(text % name if "%s" in text else text)
    with open_intake(path) as intake:
        return list(intake.records())


class TestErn:
    def test_reads_the_documented_subset(self, tmp_path: Path) -> None:
        (record,) = ern(tmp_path, ERN)
        assert not record.problems
        assert record.audio == tmp_path / "a.wav"
        assert (record.isrc, record.title, record.artist) == ("USRC17607839", "Night Song", "Ann Singer")
        assert (record.year, record.language, record.genre) == (2019, "en", "Folk")
        assert (record.composers, record.master_owner) == (("Bea Writer",), "Fine Label")

    def test_reads_a_deal_without_calling_it_a_licence_to_train(self, tmp_path: Path) -> None:
        (record,) = ern(tmp_path, ERN)
        (statement,) = record.statements
        assert statement.territory == ("WORLD", "-US")
        assert (statement.valid_from, statement.valid_until) == (
            date(2020, 1, 1),
            date(2027, 1, 2),
        )  # EndDate is the last day
        use = Use("ai_generative_training", territory="DE")
        assert clear(RecordingRights(record.statements), use).answer == "unknown"

    @pytest.mark.parametrize(
        ("name", "problem"),
        [
            ("gone.wav", "does not exist"),
            ("../a.wav", "climbs out"),
            ("https://x/a.wav", "nothing is fetched"),
        ],
    )
    def test_rejects_files_that_are_not_beside_it(self, tmp_path: Path, name: str, problem: str) -> None:
        (record,) = ern(tmp_path, ERN, name)
        assert problem in record.problems[0]

    @pytest.mark.parametrize(
        "prologue",
        [
            '<!DOCTYPE x [<!ENTITY a "b">]>',
            '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
            '<!DOCTYPE x SYSTEM "http://example.org/x.dtd">',
            '<!DOCTYPE x [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]>',
        ],
    )
    def test_refuses_entities_and_document_types(self, tmp_path: Path, prologue: str) -> None:
        with pytest.raises(IntakeError, match="refused"):
            ern(tmp_path, f"{prologue}<NewReleaseMessage/>")

    @pytest.mark.parametrize(
        ("text", "message"),
        [("<a><b></a>", "line 1"), ("<CatalogListMessage/>", "not an ERN")],
    )
    def test_refuses_what_is_no_message(self, tmp_path: Path, text: str, message: str) -> None:
        with pytest.raises(IntakeError, match=message):
            ern(tmp_path, text)


def croissant(folder: Path, **more: Any) -> list[IntakeRecord]:
    (folder / "a.wav").write_bytes(b"RIFF")
    fields: dict[str, Any] = {
        "@context": {"@vocab": "https://schema.org/"},
        "@type": "sc:Dataset",
        "dct:conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": "songs",
        "license": "https://creativecommons.org/licenses/by/4.0/",
        "creator": {"@type": "Person", "name": "Ann"},
        "distribution": [{"@type": "cr:FileObject", "@id": "a", "name": "Song", "contentUrl": "a.wav"}],
    }
    path = folder / "croissant.json"
    path.write_text(json.dumps({**fields, **more}))
    with open_intake(path) as intake:
        return list(intake.records())


class TestCroissant:
    def test_reads_files_and_marks_the_datasets_licence_as_weak(self, tmp_path: Path) -> None:
        (record,) = croissant(tmp_path)
        assert (record.external_id, record.title, record.problems) == ("a", "Song", ())
        assert [statement.expression for statement in record.statements] == ["CC-BY-4.0", "CC-BY-4.0"]
        assert all(statement.weak for statement in record.statements)
        assert record.statements[0].holders == ("Ann",)

    def test_lets_a_file_state_its_own(self, tmp_path: Path) -> None:
        own = {"@type": "FileObject", "@id": "a", "contentUrl": "a.wav", "license": "CC0-1.0"}
        (record,) = croissant(tmp_path, distribution=[own])
        assert (record.statements[0].expression, record.statements[0].weak) == ("CC0-1.0", False)

    def test_never_reads_the_metadata_licence_as_the_musics(self, tmp_path: Path) -> None:
        (record,) = croissant(
            tmp_path, license=None, sdLicense="https://creativecommons.org/publicdomain/zero/1.0/"
        )
        assert record.statements == ()

    def test_tells_of_archives_and_file_sets_that_it_does_not_read(self, tmp_path: Path) -> None:
        parts = [
            {"@type": "cr:FileObject", "@id": "a", "contentUrl": "a.wav"},
            {"@type": "cr:FileObject", "@id": "all", "contentUrl": "all.tar.gz"},
            {"@type": "cr:FileSet", "@id": "waves", "includes": "*.wav"},
        ]
        croissant(tmp_path, distribution=parts)
        with open_intake(tmp_path / "croissant.json") as intake:
            assert "2 parts of its distribution were not read: all.tar.gz, waves" in intake.warnings

    def test_reads_inline_records(self, tmp_path: Path) -> None:
        rows = [
            {
                "songs/path": "a.wav",
                "songs/isrc": "USRC17607839",
                "songs/title": "Song",
                "songs/licence": "MIT",
            }
        ]
        (record,) = croissant(tmp_path, recordSet=[{"@type": "cr:RecordSet", "data": rows}])
        assert (record.isrc, record.title, record.statements[0].expression) == ("USRC17607839", "Song", "MIT")

    def test_checks_hashes(self, tmp_path: Path) -> None:
        def part(sha256: str) -> list[dict[str, str]]:
            return [{"@type": "FileObject", "@id": "a", "contentUrl": "a.wav", "sha256": sha256}]

        (good,) = croissant(tmp_path, distribution=part(hashlib.sha256(b"RIFF").hexdigest()))
        (bad,) = croissant(tmp_path, distribution=part("0" * 64))
        assert good.problems == ()
        assert "another sha256" in bad.problems[0]

    @pytest.mark.parametrize(
        ("url", "problem"), [("../a.wav", "climbs out"), ("https://x/a.wav", "nothing is fetched")]
    )
    def test_rejects_files_that_are_not_beside_it(self, tmp_path: Path, url: str, problem: str) -> None:
        (record,) = croissant(tmp_path, distribution=[{"@type": "FileObject", "contentUrl": url}])
        assert problem in record.problems[0]

    @pytest.mark.parametrize(
        ("more", "message"),
        [
            ({"dct:conformsTo": "http://mlcommons.org/croissant/2.0"}, "1.0 and 1.1 are read"),
            ({"@type": "Person"}, "not Dataset"),
            ({"distribution": []}, "names no sound file"),
        ],
    )
    def test_refuses_what_it_cannot_read(self, tmp_path: Path, more: dict[str, Any], message: str) -> None:
        with pytest.raises(IntakeError, match=message):
            croissant(tmp_path, **more)

    @pytest.mark.parametrize("text", ["{", "{" + '"a":{' * 100_000])
    def test_refuses_what_is_not_json(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "x.json").write_text(text)
        with pytest.raises(IntakeError, match="not JSON"):
            open_intake(tmp_path / "x.json")
