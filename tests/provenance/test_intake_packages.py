"""Debian packages become records, and their paths find their paragraphs."""

from __future__ import annotations

import io
import json
import os
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from provenance.intake.dep5 import Dep5Intake, Paragraph, read_paragraphs
from provenance.intake.errors import IntakeError, UnsafeArchive
from provenance.intake.formats import open_intake, recognise
from provenance.intake.record import IntakeRecord
from provenance.intake.sourcemap import Mapped, SourceMap, compile_glob
from tests.provenance.packages import deb, sounding

FORMAT = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n"
OGG = b"OggS" + bytes(20)


@dataclass(frozen=True)
class FakeTags:
    title: str = ""
    artist: str = ""
    year: int | None = None
    genre: str = ""
    isrc: str = ""
    licence: str = ""
    licence_url: str = ""
    copyright: str = ""
    comment: str = ""
    raw: dict[str, str] = field(default_factory=dict)


def paragraph(globs: str, licence: str, holder: str = "2005 Ann") -> str:
    return f"Files: {globs}\nCopyright: {holder}\nLicense: {licence}\n\n"


def read(path: Path, tags: FakeTags | None = None, **more: object) -> dict[str, IntakeRecord]:
    with Dep5Intake(path, tag_reader=lambda _: tags or FakeTags(), **more) as intake:  # type: ignore[arg-type]
        return {record.external_id: record for record in intake.records()}


class TestSourceMap:
    def test_finds_a_path_that_a_paragraph_names(self) -> None:
        found = SourceMap(["music/cave"], ["usr/share/games/blobwars/music/cave"])
        assert found.find("usr/share/games/blobwars/music/cave") == Mapped("music/cave", "named", 2)

    def test_puts_back_the_folder_that_installing_dropped(self) -> None:
        path = "usr/share/games/amoebax/music/a.ogg"
        assert SourceMap(["data/music/*"], [path]).find(path).source == "data/music/a.ogg"

    def test_learns_a_folder_from_other_files_of_it(self) -> None:
        base = "usr/share/games/lugaru"
        found = SourceMap(
            ["Data/*", "Data/Textures/Claw.png"], [f"{base}/Textures/Claw.png", f"{base}/Sounds/m.ogg"]
        )
        assert found.find(f"{base}/Sounds/m.ogg") == Mapped("Data/Sounds/m.ogg", "folder", 2)

    def test_is_not_misled_by_a_folder_of_the_packages_name(self) -> None:
        base = "usr/share/games/hedgewars"
        installed = [
            f"{base}/Data/Music/Art.ogg",
            *(f"{base}/Data/Sounds/{number}.ogg" for number in range(9)),
        ]
        found = SourceMap(["hedgewars/*", "share/hedgewars/Data/Sounds/*"], installed)
        assert found.find(installed[0]).source == "share/hedgewars/Data/Music/Art.ogg"

    def test_tells_files_of_one_name_apart_by_their_folders(self) -> None:
        installed = ["usr/share/g/music/intro.ogg", "usr/share/g/sounds/intro.ogg"]
        found = SourceMap(["data/sounds/intro.ogg", "data/music/*"], installed)
        assert [found.find(path).source for path in installed] == [
            "data/music/intro.ogg",
            "data/sounds/intro.ogg",
        ]

    def test_lets_the_most_shared_components_win(self) -> None:
        installed = ["usr/share/naev/dat/snd/music/a.ogg", "usr/share/naev/dat/snd/music/b.ogg"]
        found = SourceMap(["dat/snd/music/a.ogg", "music/*"], installed)
        assert found.find(installed[0]).source == "dat/snd/music/a.ogg"

    def test_trusts_a_folder_that_fits_better_alone(self) -> None:
        installed = ["usr/share/g/data/music/a.ogg", "usr/share/g/extra/music/b.ogg"]
        found = SourceMap(["data/music/*"], installed)
        assert [found.find(path).source for path in installed] == ["data/music/a.ogg", "extra/music/b.ogg"]

    def test_admits_what_it_cannot_reach(self) -> None:
        found = SourceMap(["*", "src/main.c"], ["usr/share/games/x/a.ogg"])
        assert found.find("usr/share/games/x/a.ogg") == Mapped("", "none")
        assert found.unmatched == ["src/main.c"]

    @pytest.mark.parametrize(
        ("glob", "path", "matches"),
        [
            ("music/*", "music/deep/a.ogg", True),
            ("music/?.ogg", "music/a.ogg", True),
            ("music/?.ogg", "music/ab.ogg", False),
            ("a.ogg", "music/a.ogg", False),
            (r"a\*b", "a*b", True),
            (r"a\*b", "axb", False),
            ("./a[1].ogg", "a[1].ogg", True),
        ],
    )
    def test_reads_patterns_as_debian_does(self, glob: str, path: str, matches: bool) -> None:
        assert bool(compile_glob(glob).match(path)) is matches


class TestReadParagraphs:
    def test_reads_globs_holders_and_the_short_name(self) -> None:
        text = (
            FORMAT
            + "Files: a b\n c/*\nCopyright: 2004, Ann <a@x>\n  © 2005-2007 Bob\nLicense: GPL-2+\n Text.\n"
        )
        assert read_paragraphs(text) == [Paragraph(("a", "b", "c/*"), "GPL-2+", ("Ann", "Bob"))]

    def test_joins_holders_in_brackets(self) -> None:
        text = FORMAT + "Files: *\nCopyright: Freesound users (A,\n  B, C)\nLicense: MIT\n"
        assert read_paragraphs(text)[0].holders == ("Freesound users (A, B, C)",)

    def test_reads_none_of_free_text(self) -> None:
        assert read_paragraphs("This package was debianized by Ann.\n\nLicense:\n\n  GPL\n") == []


class TestPackage:
    def test_lets_the_last_matching_paragraph_speak(self, tmp_path: Path) -> None:
        notice = (
            FORMAT
            + paragraph("*", "GPL-2+", "2000 The Team")
            + paragraph("data/music/*", "CC-BY-SA-3.0", "2005 Ann")
            + paragraph("data/music/b.ogg", "CC-BY-3.0", "2006 Bob")
        )
        members = {f"usr/share/games/g/music/{name}.ogg": OGG for name in "ab"} | {
            "usr/share/games/g/fx/c.ogg": OGG
        }
        records = read(sounding(tmp_path / "game-data_1_all.deb", members, notice))
        said = {name.rpartition("/")[2]: record for name, record in records.items()}
        assert [statement.expression for statement in said["a.ogg"].statements] == ["CC-BY-SA-3.0"] * 2
        assert [statement.right for statement in said["a.ogg"].statements] == ["master", "composition"]
        assert said["b.ogg"].statements[0].expression == "CC-BY-3.0"
        assert said["b.ogg"].source_path == "data/music/b.ogg"
        assert said["b.ogg"].master_owner == "Bob"
        assert "exact 'Files: data/music/b.ogg'" in said["b.ogg"].notes[0]
        assert said["c.ogg"].statements[0].expression == "GPL-2.0-or-later"
        assert [record.statements[0].weak for record in (said["a.ogg"], said["b.ogg"], said["c.ogg"])] == [
            False,
            False,
            True,
        ]

    def test_quotes_what_it_rests_on(self, tmp_path: Path) -> None:
        notice = FORMAT + paragraph("music/a.ogg", "CC-BY-3.0")
        records = read(sounding(tmp_path / "g.deb", {"usr/share/games/g/music/a.ogg": OGG}, notice))
        statement = records["game-data/usr/share/games/g/music/a.ogg"].statements[0]
        assert statement.evidence == "game-data: usr/share/doc/game-data/copyright"
        assert statement.quote == "Files: music/a.ogg\nCopyright: Ann\nLicense: CC-BY-3.0"

    def test_keeps_the_tag_beside_the_paragraph(self, tmp_path: Path) -> None:
        notice = FORMAT + paragraph("*", "CC-BY-SA-3.0")
        path = sounding(tmp_path / "g.deb", {"usr/share/games/g/a.ogg": OGG}, notice)
        (record,) = read(path, FakeTags(artist="Ann", licence="CC-BY 3.0")).values()
        assert [(statement.source, statement.right) for statement in record.statements] == [
            ("package_file", "master"),
            ("package_file", "composition"),
            ("embedded_tag", "master"),
        ]

    def test_finds_sounds_without_extension_by_their_first_bytes(self, tmp_path: Path) -> None:
        members = {"usr/share/games/g/music/cave": OGG, "usr/share/games/g/music/README": b"hello"}
        records = read(sounding(tmp_path / "g.deb", members, FORMAT + paragraph("music/cave", "MIT")))
        assert list(records) == ["game-data/usr/share/games/g/music/cave"]

    def test_reads_free_text_weakly(self, tmp_path: Path) -> None:
        notice = "License:\n\n  GNU General Public License, version 2 or any later version.\n"
        path = sounding(tmp_path / "g.deb", {"usr/share/games/g/a.ogg": OGG}, notice)
        (record,) = read(path).values()
        assert (record.statements[0].expression, record.statements[0].weak) == ("GPL-2.0-or-later", True)
        with Dep5Intake(path, tag_reader=lambda _: FakeTags()) as intake:
            assert "free text" in intake.warnings[0]

    def test_states_nothing_where_free_text_says_nothing(self, tmp_path: Path) -> None:
        path = sounding(tmp_path / "g.deb", {"usr/share/games/g/a.ogg": OGG}, "Ask Ann.")
        (record,) = read(path).values()
        assert record.statements == ()
        assert "no licence was recognised" in record.notes[0]

    @pytest.mark.parametrize("archive_name", ["0music.pk3", "game.love"])
    def test_looks_into_the_archives_games_keep_music_in(self, tmp_path: Path, archive_name: str) -> None:
        inner = io.BytesIO()
        with zipfile.ZipFile(inner, "w") as archive:
            archive.writestr("music/a.ogg", OGG)
        path = sounding(
            tmp_path / "g.deb",
            {f"usr/share/games/g/base/{archive_name}": inner.getvalue()},
            FORMAT + paragraph("base/music/a.ogg", "GPL-2"),
        )
        (record,) = read(path).values()
        assert record.external_id.endswith(f"{archive_name}!/music/a.ogg")
        assert (record.source_path, record.statements[0].weak) == ("base/music/a.ogg", False)

    def test_takes_the_wanted_paths_alone(self, tmp_path: Path) -> None:
        members = {"usr/share/games/g/Music/a.ogg": OGG, "usr/share/games/g/fx/b.ogg": OGG}
        path = sounding(tmp_path / "g.deb", members, FORMAT + paragraph("*", "MIT"))
        assert len(read(path, only=("*/music/*",))) == 1

    def test_rejects_the_one_file_whose_tags_break_the_reader(self, tmp_path: Path) -> None:
        def break_down(path: Path) -> FakeTags:
            if path.name == "b.ogg":
                raise ValueError("b.ogg is cut short")
            return FakeTags()

        members = {f"usr/share/games/g/{name}.ogg": OGG for name in "ab"}
        path = sounding(tmp_path / "g.deb", members, FORMAT + paragraph("*", "MIT"))
        with Dep5Intake(path, tag_reader=break_down) as intake:
            assert [record.problems for record in intake.records()] == [(), ("b.ogg is cut short",)]

    def test_says_which_paragraphs_match_nothing(self, tmp_path: Path) -> None:
        notice = FORMAT + paragraph("music/gone.ogg src/main.c", "MIT")
        path = sounding(tmp_path / "g.deb", {"usr/share/games/g/a.ogg": OGG}, notice)
        with Dep5Intake(path, tag_reader=lambda _: FakeTags()) as intake:
            warning, silent = intake.warnings
            assert "no paragraph speaks of 1 sounds" in silent
            assert warning == "game-data: 'Files' names 1 sounds that are not installed: music/gone.ogg"

    @pytest.mark.parametrize(
        ("members", "message"),
        [
            ({"usr/share/games/g/a.ogg": OGG}, "no usr/share/doc"),
            ({"usr/share/doc/g/copyright": b"MIT"}, "no sound file"),
        ],
    )
    def test_without_sounds_or_copyright_is_refused(
        self, tmp_path: Path, members: dict[str, bytes], message: str
    ) -> None:
        with pytest.raises(IntakeError, match=message):
            read(deb(tmp_path / "g_1.deb", members))

    def test_that_would_land_outside_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(UnsafeArchive):
            read(deb(tmp_path / "g_1.deb", {"../evil.ogg": OGG}))

    def test_is_read_as_a_tree_and_as_a_folder_of_trees(self, tmp_path: Path) -> None:
        for name in ("one", "two"):
            tree = tmp_path / name
            (tree / "usr/share/doc" / name).mkdir(parents=True)
            (tree / "usr/share/doc" / name / "copyright").write_text(FORMAT + paragraph("*", "MIT"))
            (tree / "usr/a.ogg").write_bytes(OGG)
        assert list(read(tmp_path / "one")) == ["one/usr/a.ogg"]
        assert recognise(tmp_path) == "dep5"
        assert list(read(tmp_path)) == ["one/usr/a.ogg", "two/usr/a.ogg"]

    def test_follows_no_link_out_of_a_tree(self, tmp_path: Path) -> None:
        (tmp_path / "secret.ogg").write_bytes(OGG)
        tree = tmp_path / "tree"
        (tree / "usr/share/doc/g").mkdir(parents=True)
        (tree / "usr/share/doc/g/copyright").write_text(FORMAT + paragraph("*", "MIT"))
        (tree / "usr/l.ogg").symlink_to(tmp_path / "secret.ogg")
        (tree / "usr/folder").symlink_to(tmp_path)
        with pytest.raises(IntakeError, match="no sound file"):
            read(tree)

    def test_removes_what_it_unpacked(self, tmp_path: Path) -> None:
        path = sounding(tmp_path / "g.deb", {"usr/a.ogg": OGG}, FORMAT + paragraph("*", "MIT"))
        with Dep5Intake(path, tag_reader=lambda _: FakeTags()) as intake:
            (record,) = intake.records()
            assert record.audio is not None
            assert record.audio.is_file()
        assert not record.audio.exists()


@pytest.mark.real_music
class TestRealPackages:
    """Against facts about real packages that were gathered by hand; needs them under ``REAL_MUSIC``."""

    def test_agree_with_what_is_known_of_them(self) -> None:
        music, truth = os.environ.get("REAL_MUSIC"), os.environ.get("REAL_MUSIC_TRUTH")
        if not music or not truth:
            pytest.skip("set REAL_MUSIC to a folder of packages and REAL_MUSIC_TRUTH to the facts about them")
        from provenance.rights.expressions import normalise_dep5

        known = {fact["package"] + fact["path"]: fact for fact in json.loads(Path(truth).read_text())}
        records = read(Path(music))
        assert set(known) <= set(records)
        for name, fact in known.items():
            statements = records[name].statements
            assert {statement.expression for statement in statements} == {normalise_dep5(fact["license"])}, (
                name
            )
            assert fact["dep5_match"] in records[name].notes[0], name


class TestFolder:
    def test_reads_tags(self, tmp_path: Path) -> None:
        from provenance.intake.folder import FolderIntake

        (tmp_path / "d").mkdir()
        (tmp_path / "d" / "a.ogg").write_bytes(OGG)
        (tmp_path / "notes.txt").write_text("x")
        tags = FakeTags(title="Song", artist="Ann", licence="CC-BY 3.0", raw={"composer": "Ann"})
        with FolderIntake(tmp_path, tag_reader=lambda _: tags) as intake:
            (record,) = intake.records()
        assert (record.external_id, record.title) == ("d/a.ogg", "Song")
        assert [statement.right for statement in record.statements] == ["master", "composition"]

    def test_says_nothing_of_a_composition_by_somebody_else(self, tmp_path: Path) -> None:
        from provenance.intake.tags import statements_from

        tags = FakeTags(artist="Ann", licence="CC0", raw={"composer": "Bach"})
        assert [statement.right for statement in statements_from(tags, "a")] == ["master"]

    @pytest.mark.parametrize(
        ("notice", "stated"),
        [
            ("Copyright © 2010 <Name>\nAll Rights Reserved", []),
            ("Copyright ?2010 <Name>\nAll Rights Reserved", []),
            ("Copyright © 2010 Rivermouth\nAll Rights Reserved", ["LicenseRef-all-rights-reserved"]),
        ],
    )
    def test_takes_a_blank_notice_for_nobodys_word(self, notice: str, stated: list[str]) -> None:
        from provenance.intake.tags import statements_from

        said = statements_from(FakeTags(copyright=notice), "a")
        assert [statement.expression for statement in said] == stated

    def test_without_sounds_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(IntakeError, match="no sound file"):
            open_intake(tmp_path)


class TestWhatParagraphsMiss:
    def test_is_told_both_ways(self, tmp_path: Path) -> None:
        songs = {f"usr/share/games/g/music/{name}.ogg": b"OggS" for name in ("a", "b")}
        notice = (
            "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n"
            "Files: data/music/a.ogg\nCopyright: 2002 Ann\nLicense: CC-BY-SA-3.0\n\n"
            "Files: data/old-music/*\nCopyright: 2002 Ann\nLicense: MIT\n"
        )
        path = sounding(tmp_path / "g_1_all.deb", songs, notice, "g")
        with Dep5Intake(path) as intake:
            told = " | ".join(intake.warnings)
        assert "names 1 sounds that are not installed: data/old-music/*" in told
        assert "no paragraph speaks of 1 sounds: usr/share/games/g/music/b.ogg" in told
