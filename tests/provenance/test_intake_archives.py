"""Archives of strangers are unpacked without harm, or refused."""

from __future__ import annotations

import io
import stat
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest

from provenance.intake.archive import Limits, unpack
from provenance.intake.dep5 import Dep5Intake
from provenance.intake.errors import IntakeError, UnsafeArchive
from provenance.intake.formats import open_intake
from tests.provenance.packages import deb, sounding, tar_bytes


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "target"
    folder.mkdir()
    return folder


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def tarred(path: Path, members: dict[str, bytes], links: dict[str, tuple[bytes, str]] | None = None) -> Path:
    path.write_bytes(tar_bytes(members, links or {}))
    return path


class TestUnpack:
    def test_writes_what_is_in_it(self, tmp_path: Path, target: Path) -> None:
        done = unpack(zipped(tmp_path / "x.zip", {"d/a.wav": b"RIFF", "b.txt": b"b"}), target)
        assert (target / "d" / "a.wav").read_bytes() == b"RIFF"
        assert (done.n_files, done.n_bytes) == (2, 5)

    @pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/etc/evil", "C:/evil", "a\\..\\evil"])
    def test_refuses_traversal_in_a_zip(self, tmp_path: Path, target: Path, name: str) -> None:
        with pytest.raises(UnsafeArchive, match="evil"):
            unpack(zipped(tmp_path / "x.zip", {name: b"x"}), target)
        assert not (tmp_path / "evil").exists()

    @pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/srv/evil"])
    def test_refuses_traversal_in_a_tar(self, tmp_path: Path, target: Path, name: str) -> None:
        with pytest.raises(UnsafeArchive, match="evil"):
            unpack(tarred(tmp_path / "x.tar", {name: b"x"}), target)
        assert not (tmp_path / "evil").exists()

    @pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
    def test_refuses_links_in_a_tar(self, tmp_path: Path, target: Path, kind: bytes) -> None:
        with pytest.raises(UnsafeArchive, match="link"):
            unpack(tarred(tmp_path / "x.tar", {}, {"l": (kind, "a")}), target)

    @pytest.mark.parametrize("kind", [tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE])
    def test_refuses_devices(self, tmp_path: Path, target: Path, kind: bytes) -> None:
        with pytest.raises(UnsafeArchive, match="no file"):
            unpack(tarred(tmp_path / "x.tar", {}, {"d": (kind, "")}), target)

    def test_refuses_links_in_a_zip(self, tmp_path: Path, target: Path) -> None:
        path = tmp_path / "x.zip"
        with zipfile.ZipFile(path, "w") as archive:
            link = zipfile.ZipInfo("l")
            link.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(link, "/etc/passwd")
        with pytest.raises(UnsafeArchive, match="link"):
            unpack(path, target)

    def test_refuses_a_bomb_by_what_it_really_unpacks_to(self, tmp_path: Path, target: Path) -> None:
        path = zipped(tmp_path / "x.zip", {"zeros": bytes(1 << 20)})
        with pytest.raises(UnsafeArchive, match="bomb"):
            unpack(path, target, Limits(ratio_from_bytes=1 << 19))

    def test_refuses_too_many_files(self, tmp_path: Path, target: Path) -> None:
        path = zipped(tmp_path / "x.zip", {str(number): b"" for number in range(5)})
        with pytest.raises(UnsafeArchive, match="more than 4 files"):
            unpack(path, target, Limits(n_files=4))

    @pytest.mark.parametrize("limits", [Limits(file_bytes=9), Limits(total_bytes=9)])
    def test_refuses_too_many_bytes(self, tmp_path: Path, target: Path, limits: Limits) -> None:
        with pytest.raises(UnsafeArchive, match="more than 9 bytes"):
            unpack(zipped(tmp_path / "x.zip", {"a": b"0123456789"}), target, limits)

    def test_refuses_to_write_one_file_twice(self, tmp_path: Path, target: Path) -> None:
        path = tmp_path / "x.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a", b"1")
            with pytest.warns(UserWarning, match="Duplicate"):
                archive.writestr("a", b"2")
        with pytest.raises(IntakeError, match="twice"):
            unpack(path, target)

    def test_says_that_an_archive_is_damaged(self, tmp_path: Path, target: Path) -> None:
        path = zipped(tmp_path / "x.zip", {"a": b"0123456789" * 100})
        packed = bytearray(path.read_bytes())
        packed[40:50] = b"\xff" * 10
        path.write_bytes(bytes(packed))
        with pytest.raises(IntakeError, match="damaged"):
            unpack(path, target)

    def test_says_that_a_file_is_no_archive(self, tmp_path: Path, target: Path) -> None:
        (tmp_path / "x").write_bytes(b"hello there")
        with pytest.raises(IntakeError, match="no zip, tar or Debian package"):
            unpack(tmp_path / "x", target)


class TestUnpackDeb:
    def test_writes_its_files_and_makes_none_of_its_links(self, tmp_path: Path, target: Path) -> None:
        links = {"./usr/l.ogg": (tarfile.SYMTYPE, "a.ogg"), "./usr/abs": (tarfile.SYMTYPE, "/usr/share/x")}
        path = deb(tmp_path / "p_1_all.deb", {"./usr/a.ogg": b"OggS"}, links)
        done = unpack(path, target)
        assert (target / "usr" / "a.ogg").read_bytes() == b"OggS"
        assert not (target / "usr" / "l.ogg").exists()
        assert len(done.skipped) == 2

    def test_copies_hard_links(self, tmp_path: Path, target: Path) -> None:
        path = deb(tmp_path / "p.deb", {"./a": b"1"}, {"./b": (tarfile.LNKTYPE, "./a")})
        unpack(path, target)
        assert (target / "b").read_bytes() == b"1"

    def test_refuses_links_that_climb_out(self, tmp_path: Path, target: Path) -> None:
        with pytest.raises(UnsafeArchive, match="points outside"):
            unpack(deb(tmp_path / "p.deb", {}, {"./usr/l": (tarfile.SYMTYPE, "../../etc")}), target)

    def test_refuses_files_behind_links(self, tmp_path: Path, target: Path) -> None:
        inner = tar_bytes({}, {"usr/l": (tarfile.SYMTYPE, "share")})
        path = deb(
            tmp_path / "p.deb",
            {"usr/l/evil": b"x"},
            {},
            data=_joined(inner, tar_bytes({"usr/l/evil": b"x"}, {})),
        )
        with pytest.raises(UnsafeArchive, match="behind a link"):
            unpack(path, target)

    def test_says_that_one_is_cut_short(self, tmp_path: Path, target: Path) -> None:
        path = deb(tmp_path / "p.deb", {"./a": bytes(5000)}, {})
        path.write_bytes(path.read_bytes()[:300])
        with pytest.raises(IntakeError, match=r"cut short|damaged"):
            unpack(path, target)

    def test_says_that_one_holds_no_files(self, tmp_path: Path, target: Path) -> None:
        (tmp_path / "p.deb").write_bytes(b"!<arch>\n")
        with pytest.raises(IntakeError, match=r"without data\.tar"):
            unpack(tmp_path / "p.deb", target)


class TestOpenArchive:
    def test_reads_the_table_in_a_zip(self, tmp_path: Path) -> None:
        path = zipped(tmp_path / "x.zip", {"songs.csv": b"path,title\nd/a.wav,Song\n", "d/a.wav": b"RIFF"})
        with open_intake(path) as intake:
            (record,) = intake.records()
            assert record.audio is not None
            assert record.audio.read_bytes() == b"RIFF"
        assert not record.audio.exists()

    def test_tells_of_several_messages_that_it_does_not_read(self, tmp_path: Path) -> None:
        members = {
            "b1.xml": b"<x/>",
            "b2.xml": b"<x/>",
            "inner.zip": b"PK",
            "c.xml": b"<score-partwise/>",
            "a.wav": b"",
        }
        with open_intake(zipped(tmp_path / "x.zip", members)) as intake:
            assert any("3 tables, messages or archives" in warning for warning in intake.warnings)

    def test_leaves_nothing_behind_when_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        room = tmp_path / "room"
        room.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(room))
        with pytest.raises(UnsafeArchive):
            open_intake(zipped(tmp_path / "x.zip", {"../evil": b"x"}))
        assert not list(room.iterdir())


def _joined(*tars: bytes) -> bytes:
    """Join tar files: members of the later follow those of the earlier."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as joined:
        for one in tars:
            with tarfile.open(fileobj=io.BytesIO(one)) as archive:
                for member in archive:
                    joined.addfile(member, archive.extractfile(member) if member.isfile() else None)
    return out.getvalue()


class TestNames:
    @pytest.mark.parametrize("name", ["a\nb.wav", "a\rb.wav", "\x1b[2J.wav", "a\x7f.wav"])
    def test_with_control_characters_are_refused(self, tmp_path: Path, target: Path, name: str) -> None:
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.writestr(name, b"RIFF")
        with pytest.raises(UnsafeArchive, match="no archive should have"):
            unpack(tmp_path / "a.zip", target)
        assert not list(target.iterdir())


class TestArchivesInPackages:
    def test_share_one_limit(self, tmp_path: Path) -> None:
        inner = io.BytesIO()
        with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("music/a.wav", bytes(600))
        members = {f"usr/share/games/g/{n}.pk3": inner.getvalue() for n in range(2)}
        path = sounding(
            tmp_path / "g_1_all.deb", members, "Format: x\n\nFiles: *\nCopyright: A\nLicense: MIT\n", "g"
        )
        with Dep5Intake(path, limits=Limits(total_bytes=1000)) as intake:
            assert intake.n_rows == 1
            assert any("unpacks to more than 400 bytes" in warning for warning in intake.warnings)
        with Dep5Intake(path, limits=Limits(total_bytes=2000)) as intake:
            assert intake.n_rows == 2
