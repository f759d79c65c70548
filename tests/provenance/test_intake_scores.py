"""Scores say who made them and under what terms; nothing here plays them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from provenance.intake.errors import IntakeError
from provenance.intake.formats import open_intake
from provenance.intake.record import IntakeRecord
from provenance.intake.scores import read_score
from tests.catalogues import register
from tests.people import found_people

MUSICXML = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" "http://www.musicxml.org/dtds/partwise.dtd">
<score-partwise version="4.0">
 <work><work-title>Evening</work-title></work>
 <identification><creator type="composer">Ann Maker</creator><creator type="lyricist">Bob</creator>
  <rights>Copyright 2012 Ann Maker. Licensed under CC BY-SA 3.0</rights></identification>
 <credit page="1"><credit-type>title</credit-type><credit-words>Evening</credit-words></credit>
 <part-list/></score-partwise>"""
ABC = "X:1\nT:The Kesh\nC:Trad.\n%%abc-copyright released into the public domain by its transcriber\nK:G\nGAG|\n"
HUMDRUM = (
    "!!!COM: Chopin, Frederic\n!!!OTL@@DE: Mazurka\n!!!YEC: Copyright 1999 Centre, all rights reserved\n"
    "**kern\n4c\n*-\n"
)


def read(folder: Path) -> IntakeRecord:
    with open_intake(folder, format="folder") as intake:
        (record,) = intake.records()
    return record


class TestScores:
    @pytest.mark.parametrize("name", ["a.musicxml", "a.xml"])
    def test_musicxml_names_title_makers_and_rights(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).write_text(MUSICXML)
        record = read(tmp_path)
        assert (record.title, record.composers, record.audio) == ("Evening", ("Ann Maker",), None)
        assert [(said.right, said.expression, said.holders) for said in record.statements] == [
            ("master", "CC-BY-SA-3.0", ("Ann Maker",)),
            ("composition", "CC-BY-SA-3.0", ("Ann Maker",)),
        ]

    def test_compressed_musicxml_is_read_too(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "a.mxl", "w") as archive:
            archive.writestr("META-INF/container.xml", "<container/>")
            archive.writestr("score.xml", MUSICXML)
        assert read(tmp_path).title == "Evening"

    @pytest.mark.parametrize(
        ("name", "text", "title", "expression"),
        [
            ("a.abc", ABC, "The Kesh", "LicenseRef-public-domain"),
            ("a.krn", HUMDRUM, "Mazurka", "LicenseRef-all-rights-reserved"),
        ],
    )
    def test_abc_and_humdrum_say_it_in_their_own_way(
        self, tmp_path: Path, name: str, text: str, title: str, expression: str
    ) -> None:
        (tmp_path / name).write_text(text)
        record = read(tmp_path)
        assert record.title == title
        assert [(said.right, said.expression) for said in record.statements] == [("master", expression)]

    def test_that_say_nothing_state_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "a.abc").write_text("X:1\nT:Reel\nK:G\n")
        record = read(tmp_path)
        assert record.statements == ()
        assert "says nothing of its rights" in record.notes[1]

    @pytest.mark.parametrize(
        "text",
        [
            '<!DOCTYPE score-partwise [<!ENTITY a SYSTEM "file:///etc/passwd">]><score-partwise>&a;</score-partwise>',
            '<!DOCTYPE score-partwise [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><score-partwise>&b;</score-partwise>',
            "<score-partwise>",
        ],
    )
    def test_that_are_hostile_or_damaged_are_rejected_alone(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "a.musicxml").write_text(text)
        assert read(tmp_path).problems
        with pytest.raises(IntakeError):
            read_score(tmp_path / "a.musicxml")

    @pytest.mark.django_db
    def test_are_registered_as_absent_and_said_to_be(self, tmp_path: Path) -> None:
        people = found_people()
        (tmp_path / "a.musicxml").write_text(MUSICXML)
        dataset = register("scores", tmp_path, people.steward, people.house).dataset
        entry = dataset.entries.get()
        assert entry.recording.kind == "absent"
        assert entry.recording.work is not None
        assert entry.recording.work.title == "Evening"
        assert "save it as MIDI" in entry.notes[0]
