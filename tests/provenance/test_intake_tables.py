"""CSV and XLSX tables become records."""

from __future__ import annotations

import zipfile
from datetime import date, datetime
from pathlib import Path

import pytest
from openpyxl import Workbook

from provenance.intake.claims import claim_of
from provenance.intake.deals import deal_of
from provenance.intake.errors import BadEncoding, IntakeError, MissingColumns, UnknownFormat
from provenance.intake.formats import open_intake
from provenance.intake.record import Intake, IntakeRecord
from provenance.rights.expressions import UNRECOGNISED


def write(folder: Path, text: str | bytes, name: str = "songs.csv") -> Path:
    for sound in ("a.wav", "b.wav"):
        (folder / sound).write_bytes(b"RIFF")
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def read(path: Path, root: Path | None = None) -> list[IntakeRecord]:
    with open_intake(path, root=root) as intake:
        return list(intake.records())


def opened(path: Path) -> Intake:
    return open_intake(path)


class TestTurnedNames:
    """A name that is shown as another's is refused, in tables of recordings, of deals and of claims."""

    @pytest.mark.parametrize("sign", ["\u202e", "\u202a", "\u2067"])
    @pytest.mark.parametrize("column", ["title", "artist", "master_owner", "composers", "external_id"])
    def test_are_refused_with_words(self, tmp_path: Path, column: str, sign: str) -> None:
        said = {"path": "a.wav", "external_id": "t-1", "title": "Tune", "licence": "CC0-1.0"}
        said[column] = f"Ann{sign}naht"
        path = write(tmp_path, f"{','.join(said)}\n{','.join(said.values())}\n")
        (record,) = read(path)
        assert any(f"holds U+{ord(sign):04X}" in problem for problem in record.problems)

    @pytest.mark.parametrize("title", ["שיר הנמל", "أغنية\u200f", "Café", "港"])
    def test_are_not_the_names_of_those_who_write_otherwise(self, tmp_path: Path, title: str) -> None:
        path = write(tmp_path, f"path,external_id,title,artist,licence\na.wav,t-1,{title},{title},CC0-1.0\n")
        (record,) = read(path)
        assert (record.problems, record.title) == ((), title)

    def test_are_refused_in_deals_and_claims(self) -> None:
        name = "Cellar \u202esdroceR"
        deal = deal_of(2, {"licensor": name, "licensee": "H", "right": "master", "purposes": "data_mining"})
        claim = claim_of(2, {"party": name, "right": "master", "isrc": "GBAYE0601477"})
        for problems in (deal.problems, claim.problems):
            assert [one for one in problems if "U+202E (right-to-left override)" in one]


class TestRow:
    def test_carries_every_known_column(self, tmp_path: Path) -> None:
        path = write(
            tmp_path,
            "path,external_id,title,artist,isrc,year,language,country,genre,artist_gender,acquired_on,work_title,iswc,"
            "composers,master_owner,composition_owner,licence,licence_url,composition_licence,evidence,territory,"
            "valid_from,valid_until,source_url\n"
            "a.wav,x1,Song,Ann,US-RC1-76-07839,1999,de-CH,ch,folk,female,2024-05-01,Work,T-034.524.680-1,A. One; B. Two,"
            "Label,Publisher,CC-BY-4.0,https://l,CC0-1.0,deal.pdf,DE;AT,2024-01-01,2025-01-01,https://s\n",
        )
        (record,) = read(path)
        assert not record.problems
        assert record.audio == tmp_path / "a.wav"
        assert (record.row, record.external_id, record.isrc, record.iswc) == (
            2,
            "x1",
            "USRC17607839",
            "T0345246801",
        )
        assert (record.year, record.country, record.acquired_on) == (1999, "CH", "2024-05-01")
        assert record.composers == ("A. One", "B. Two")
        master, composition = record.statements
        assert (master.right, master.expression, master.licence_url) == ("master", "CC-BY-4.0", "https://l")
        assert (composition.right, composition.expression, composition.licence_url) == (
            "composition",
            "CC0-1.0",
            "",
        )
        for statement in record.statements:
            assert statement.territory == ("DE", "AT")
            assert (statement.valid_from, statement.valid_until) == (date(2024, 1, 1), date(2025, 1, 1))
            assert (statement.source, statement.evidence, statement.weak) == ("steward", "deal.pdf", False)
        assert (master.holders, composition.holders) == (("Label",), ("Publisher",))

    def test_licence_is_of_the_master_alone(self, tmp_path: Path) -> None:
        (record,) = read(write(tmp_path, "path,licence\na.wav,CC0-1.0\n"))
        assert [statement.right for statement in record.statements] == ["master"]

    def test_the_address_of_a_licence_speaks_where_nothing_else_names_it(self, tmp_path: Path) -> None:
        url = "https://creativecommons.org/licenses/by-nc/4.0/"
        (record,) = read(write(tmp_path, f"path,licence,licence_url,licence_scope\na.wav,,{url},all\n"))
        assert [(said.right, said.expression, said.raw) for said in record.statements] == [
            ("master", "CC-BY-NC-4.0", url),
            ("composition", "CC-BY-NC-4.0", url),
        ]

    def test_a_licence_and_the_address_of_another_both_hold(self, tmp_path: Path) -> None:
        table = "path,licence,licence_url\na.wav,CC0-1.0,https://creativecommons.org/licenses/by-nc/4.0/\n"
        (record,) = read(write(tmp_path, table))
        assert record.statements[0].expression == "(CC0-1.0) AND (CC-BY-NC-4.0)"
        assert "both are taken to hold" in record.notes[0]

    def test_an_address_says_nothing_of_a_composition_licensed_apart(self, tmp_path: Path) -> None:
        header = "path,licence,licence_url,licence_scope,composition_licence"
        url = "https://creativecommons.org/licenses/by-nc/4.0/"
        (record,) = read(write(tmp_path, f"{header}\na.wav,CC-BY-NC-4.0,{url},all,CC0-1.0\n"))
        assert [said.expression for said in record.statements] == ["CC-BY-NC-4.0", "CC0-1.0"]

    @pytest.mark.parametrize("day", ["2025-01-01 or later", "2025-01-01/2026-01-01", "2025-01-011"])
    def test_a_date_with_more_behind_it_is_no_date(self, day: str, tmp_path: Path) -> None:
        (record,) = read(write(tmp_path, f"path,licence,valid_until\na.wav,CC0-1.0,{day}\n"))
        assert any("valid_until" in problem for problem in record.problems)

    def test_licence_of_scope_all_covers_the_composition(self, tmp_path: Path) -> None:
        (record,) = read(write(tmp_path, "path,licence,licence_scope\na.wav,CC0-1.0,all\n"))
        assert [statement.right for statement in record.statements] == ["master", "composition"]

    def test_own_composition_licence_outranks_the_scope(self, tmp_path: Path) -> None:
        path = write(tmp_path, "path,licence,licence_scope,composition_licence\na.wav,CC0-1.0,all,MIT\n")
        (record,) = read(path)
        assert [statement.expression for statement in record.statements] == ["CC0-1.0", "MIT"]

    def test_without_a_licence_states_none(self, tmp_path: Path) -> None:
        (record,) = read(write(tmp_path, "path\na.wav\n"))
        assert record.statements == ()
        assert record.external_id == "a.wav"

    def test_without_audio_is_known_by_its_isrc(self, tmp_path: Path) -> None:
        (record,) = read(write(tmp_path, "isrc,title\nUSRC17607839,Song\n"))
        assert (record.audio, record.external_id, record.problems) == (None, "USRC17607839", ())

    def test_keeps_a_licence_nobody_knows_and_says_so(self, tmp_path: Path) -> None:
        (record,) = read(write(tmp_path, "path,licence\na.wav,ask my lawyer\n"))
        assert record.statements[0].raw == "ask my lawyer"
        assert record.statements[0].expression == "LicenseRef-unrecognised-ask-my-lawyer"
        assert not record.problems
        assert "ask my lawyer" in record.notes[0]

    def test_keeps_an_invalid_isrc_and_says_so(self, tmp_path: Path) -> None:
        (record,) = read(write(tmp_path, "path,isrc\na.wav,NOPE\n"))
        assert (record.isrc, record.problems) == ("NOPE", ())
        assert "NOPE" in record.notes[0]

    def test_leaves_formulas_as_the_text_they_are(self, tmp_path: Path) -> None:
        (record,) = read(write(tmp_path, 'path,title\na.wav,"=HYPERLINK(""http://x"")"\n'))
        assert record.title == '=HYPERLINK("http://x")'

    def test_keeps_unknown_columns(self, tmp_path: Path) -> None:
        path = write(tmp_path, "path,Mood,bpm\na.wav,sad,90\n")
        with open_intake(path) as intake:
            assert intake.unknown_columns == ("mood", "bpm")
            (record,) = intake.records()
        assert record.unknown == {"mood": "sad", "bpm": "90"}

    @pytest.mark.parametrize(
        ("header", "cells", "problem"),
        [
            ("path", "nowhere.wav", "does not exist"),
            ("path", "../secret.wav", "climbs out"),
            ("path", ".", "is a folder"),
            ("path,external_id", '"",""', None),
            ("path,title,isrc", ',"Song",', "all empty"),
            ("path,year", "a.wav,soon", "no year"),
            ("path,country", "a.wav,Narnia", "no ISO 3166-1"),
            ("path,country", "a.wav,EU", "no ISO 3166-1"),
            ("path,territory", "a.wav,DE;ZZ", "'ZZ'"),
            ("path,territory", "a.wav,FR DE", "set apart by semicolons: FR; DE"),
            ("path,valid_from", "a.wav,01/02/2024", "no ISO date"),
            ("path,acquired_on", "a.wav,2024-13-01", "no ISO date"),
            ("path,licence_scope", "a.wav,some", "neither master nor all"),
            ("path,valid_from,valid_until", "a.wav,2024-02-01,2024-02-01", "is not after"),
            ("path,title", "a.wav,one,two", "quote cells"),
        ],
    )
    def test_is_rejected_with_its_reason(
        self, tmp_path: Path, header: str, cells: str, problem: str | None
    ) -> None:
        records = read(write(tmp_path, f"{header}\n{cells}\n"))
        if problem is None:
            assert records == []
        else:
            assert problem in " ".join(records[0].problems)

    def test_bad_one_leaves_the_good_ones_alone(self, tmp_path: Path) -> None:
        records = read(write(tmp_path, "path\na.wav\nnowhere.wav\nb.wav\n"))
        assert [bool(record.problems) for record in records] == [False, True, False]

    def test_twice_under_one_id_is_rejected_the_second_time(self, tmp_path: Path) -> None:
        records = read(write(tmp_path, "path,external_id\na.wav,x\nb.wav,x\n"))
        assert [record.problems for record in records] == [(), ("external_id 'x' stands in row 2 too",)]

    def test_says_all_that_is_wrong_with_it(self, tmp_path: Path) -> None:
        (record,) = read(write(tmp_path, "path,year,country\nnowhere.wav,soon,Narnia\n"))
        assert len(record.problems) == 3


class TestPath:
    """What is sent or bounded by a root names nothing outside; who runs a command on a table may write paths out."""

    @pytest.fixture
    def outside(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        path = tmp_path_factory.mktemp("elsewhere") / "secret.wav"
        path.write_bytes(b"RIFF")
        return path

    def test_written_out_in_full_is_read_where_it_lies(self, tmp_path: Path, outside: Path) -> None:
        (record,) = read(write(tmp_path, f"path\n{outside}\n"))
        assert (record.audio, record.problems) == (outside, ())

    @pytest.mark.parametrize("column", ["path", "fingerprint"])
    def test_outside_of_a_root_that_is_named_is_refused(
        self, tmp_path: Path, outside: Path, column: str
    ) -> None:
        path = write(tmp_path, f"external_id,{column}\nx,{outside}\n")
        (record,) = read(path, tmp_path)
        assert (record.row, record.audio, record.fingerprint) == (2, None, None)
        assert record.problems == (
            f"{column} {str(outside)!r} lies outside {tmp_path}: name the folder that holds it with --root",
        )

    @pytest.mark.parametrize("named", ["{}", "../{0.parent.name}/{0.name}"])
    def test_in_a_root_that_covers_it_is_read_however_it_is_written(
        self, tmp_path: Path, outside: Path, named: str
    ) -> None:
        path = write(tmp_path, f"path\n{named.format(outside)}\n")
        records = read(path, outside.parent)
        assert [record.audio for record in records] == [outside]

    @pytest.mark.parametrize("named", ["{}", "../{0.parent.name}/{0.name}"])
    def test_in_an_archive_names_nothing_outside_of_it(
        self, tmp_path: Path, outside: Path, named: str
    ) -> None:
        with zipfile.ZipFile(tmp_path / "sent.zip", "w") as archive:
            archive.writestr("songs.csv", f"path\na.wav\n{named.format(outside)}\n")
            archive.writestr("a.wav", b"RIFF")
        records = read(tmp_path / "sent.zip")
        assert [bool(record.problems) for record in records] == [False, True]
        assert "out" in records[1].problems[0]


class TestTable:
    @pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
    def test_is_utf8_with_or_without_byte_order_mark(self, tmp_path: Path, start: bytes) -> None:
        (record,) = read(write(tmp_path, start + "path,artist\na.wav,Àlex\n".encode()))
        assert (record.source_path, record.artist) == ("a.wav", "Àlex")

    def test_in_latin_1_names_the_line(self, tmp_path: Path) -> None:
        path = write(tmp_path, "path,artist\na.wav,Ann\nb.wav,Àlex\n".encode("latin-1"))
        with pytest.raises(BadEncoding, match=r"line 3.*Latin-1.*UTF-8"):
            opened(path)

    def test_in_utf_16_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(IntakeError, match="UTF-16"):
            opened(write(tmp_path, "path\na.wav\n".encode("utf-16")))

    def test_without_identifying_columns_names_all_that_would_do(self, tmp_path: Path) -> None:
        with pytest.raises(MissingColumns, match=r"path .*external_id or isrc.*title, artist"):
            opened(write(tmp_path, "title,artist\nx,y\n"))

    def test_with_a_column_twice_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(MissingColumns, match="title stands twice"):
            opened(write(tmp_path, "path,title,Title\na.wav,x,y\n"))

    def test_that_is_empty_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(IntakeError, match="empty"):
            opened(write(tmp_path, ""))

    @pytest.mark.parametrize("delimiter", [";", "\t"])
    def test_may_use_another_delimiter(self, tmp_path: Path, delimiter: str) -> None:
        (record,) = read(write(tmp_path, f"path{delimiter}title\na.wav{delimiter}Song, part 1\n"))
        assert record.title == "Song, part 1"

    def test_counts_rows_and_skips_empty_ones(self, tmp_path: Path) -> None:
        with open_intake(write(tmp_path, "path,title\r\na.wav,x\r\n,\r\n\r\nb.wav,y\r\n")) as intake:
            assert intake.n_rows == 2
            assert [record.row for record in intake.records()] == [2, 5]

    def test_numbers_a_row_by_the_line_it_starts_on(self, tmp_path: Path) -> None:
        records = read(write(tmp_path, 'path,title\na.wav,"two\nlines"\nb.wav,y\n'))
        assert [(record.row, record.title) for record in records] == [(2, "two\nlines"), (4, "y")]

    @pytest.mark.parametrize("title", ['"left open', '"The "Best" of'])
    def test_with_a_quote_left_open_loses_no_row_in_silence(self, tmp_path: Path, title: str) -> None:
        path = write(tmp_path, f"path,title\na.wav,x\nb.wav,{title}\nc.wav,z\n")
        with pytest.raises(IntakeError, match=r"line 3: a cell in quotes is not closed"):
            opened(path)

    def test_can_be_read_twice(self, tmp_path: Path) -> None:
        with open_intake(write(tmp_path, "path\na.wav\n")) as intake:
            assert list(intake.records()) == list(intake.records())

    def test_starts_relative_paths_at_the_root(self, tmp_path: Path) -> None:
        (tmp_path / "sounds").mkdir()
        write(tmp_path / "sounds", "")
        path = write(tmp_path, "path\na.wav\n")
        (record,) = read(path, tmp_path / "sounds")
        assert record.audio == tmp_path / "sounds" / "a.wav"

    def test_may_be_a_workbook(self, tmp_path: Path) -> None:
        write(tmp_path, "")
        workbook = Workbook()
        sheet = workbook.active
        assert sheet is not None
        sheet.append(["path", "title", "year", "valid_from", "licence"])
        sheet.append(["a.wav", "=1+1", 1999, date(2024, 1, 1), "CC0-1.0"])
        workbook.save(tmp_path / "songs.xlsx")
        with open_intake(tmp_path / "songs.xlsx") as intake:
            (record,) = intake.records()
        assert (record.year, record.problems) == (1999, ())
        assert record.statements[0].valid_from == date(2024, 1, 1)

    def test_is_found_in_a_folder_of_fingerprints(self, tmp_path: Path) -> None:
        (tmp_path / "x.fingerprint").write_bytes(b"\1\2\3\4")
        (tmp_path / "catalogue.csv").write_text("external_id,fingerprint\nx,x.fingerprint\n")
        with open_intake(tmp_path) as intake:
            (record,) = intake.records()
        assert (record.audio, record.fingerprint) == (None, b"\1\2\3\4")

    def test_may_carry_fingerprints_instead_of_audio(self, tmp_path: Path) -> None:
        (tmp_path / "x.fp").write_bytes(b"\1\2\3\4")
        (record,) = read(write(tmp_path, "external_id,fingerprint\nx,x.fp\n"))
        assert (record.audio, record.fingerprint) == (None, b"\1\2\3\4")

    def test_of_any_hash_is_named(self, tmp_path: Path) -> None:
        with open_intake(write(tmp_path, "path\na.wav\n")) as intake:
            assert len(intake.source_sha256) == 64


class TestOpenIntake:
    def test_refuses_what_it_does_not_know(self, tmp_path: Path) -> None:
        (tmp_path / "x.docx").write_bytes(b"hello")
        with pytest.raises(UnknownFormat, match=r"x\.docx"):
            open_intake(tmp_path / "x.docx")

    def test_refuses_an_unknown_format(self, tmp_path: Path) -> None:
        with pytest.raises(UnknownFormat, match="spotify"):
            open_intake(tmp_path, format="spotify")

    def test_says_that_a_path_is_missing(self, tmp_path: Path) -> None:
        with pytest.raises(IntakeError, match="does not exist"):
            open_intake(tmp_path / "gone.csv")


class TestWorkbook:
    def test_reads_the_sheet_that_names_recordings_and_says_so(self, tmp_path: Path) -> None:
        workbook = Workbook()
        workbook.active.title = "Read me"  # type: ignore[union-attr]
        workbook.active.append(["Our catalogue, spring"])  # type: ignore[union-attr]
        songs = workbook.create_sheet("Songs")
        songs.append(["external_id", "title", "year", "valid_from", "acquired_on", "isrc", "licence"])
        songs.append(
            [17, 1999, 1999, date(2020, 1, 1), datetime(2026, 2, 3, 0, 0), "USRC17607839", "CC0-1.0"]
        )
        workbook.save(tmp_path / "t.xlsx")
        with open_intake(tmp_path / "t.xlsx") as intake:
            (record,) = intake.records()
            assert intake.warnings == ("the sheet 'Songs' is read; not read: 'Read me'",)
        assert not record.problems
        assert (record.external_id, record.title, record.year) == ("17", "1999", 1999)
        assert record.statements[0].valid_from == date(2020, 1, 1)
        assert record.acquired_on == "2026-02-03"


class TestFormulas:
    def test_without_a_value_stay_as_they_are_written(self, tmp_path: Path) -> None:
        workbook = Workbook()
        sheet = workbook.active
        assert sheet is not None
        sheet.append(["external_id", "licence", "valid_until"])
        sheet.append(["a", '=B9&"-1.0"', None])
        sheet.append(["b", "CC0-1.0", "=DATE(2025,1,1)"])
        sheet.append(["c", "CC0-1.0", None])
        workbook.save(tmp_path / "songs.xlsx")
        named, limited, plain = read(tmp_path / "songs.xlsx")
        assert named.statements[0].expression.startswith(UNRECOGNISED)
        assert limited.problems == ("valid_until '=DATE(2025,1,1)' is no ISO date (YYYY-MM-DD)",)
        assert (plain.problems, plain.statements[0].expression) == ((), "CC0-1.0")
