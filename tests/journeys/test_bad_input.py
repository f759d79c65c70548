"""What strangers bring: each is refused with a clear reason, and what is good beside it is registered."""

from __future__ import annotations

import io
import struct
import tarfile
import wave
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from provenance.models import Dataset, DatasetEntry, Fingerprint, Recording, Registration
from tests.catalogues import Ran, answers, row, run, sound, table
from tests.people import People

pytestmark = pytest.mark.django_db
DAY_S = 24 * 3600


@pytest.fixture(autouse=True)
def folders_of_their_own(people: People, tmp_path: Path, settings: Any) -> None:
    settings.INDEX_DIR = tmp_path / "indexes"


def register(source: Path, name: str = "folk") -> Ran:
    return run("register_dataset", name, "--from", source, "--wait", "--as", "data_steward")


def header(*, n_channels: int, n_bytes: int, rate_hz: int = 8000, width: int = 1) -> bytes:
    """Return the head of a WAV file that claims all this."""
    frame = max(1, n_channels) * width
    fmt = struct.pack("<HHIIHH", 1, n_channels, rate_hz, rate_hz * frame, frame, 8 * width)
    body = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", n_bytes)
    return b"RIFF" + struct.pack("<I", len(body) + n_bytes) + body


def text(path: Path) -> None:
    path.write_text("this says that it is a sound and is a letter\n" * 200)


def picture(path: Path) -> None:
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40)


def empty(path: Path) -> None:
    path.touch()


def no_samples(path: Path) -> None:
    with wave.open(str(path), "wb") as opened:
        opened.setnchannels(1)
        opened.setsampwidth(2)
        opened.setframerate(8000)


def truncated(path: Path) -> None:
    sound(path, 1)
    path.write_bytes(path.read_bytes()[:40_000])


def cut_in_its_header(path: Path) -> None:
    path.write_bytes(header(n_channels=1, n_bytes=8000)[:30])


def of_0_channels(path: Path) -> None:
    path.write_bytes(header(n_channels=0, n_bytes=8000) + bytes(8000))


def of_24_h_that_are_not_there(path: Path) -> None:
    path.write_bytes(header(n_channels=1, n_bytes=DAY_S * 8000) + bytes(8000))


def of_24_h(path: Path) -> None:
    n_bytes = DAY_S * 1000
    path.write_bytes(header(n_channels=1, n_bytes=n_bytes, rate_hz=1000))
    with path.open("r+b") as opened:
        opened.truncate(opened.seek(0, io.SEEK_END) + n_bytes)  # a file with a hole: it takes no room


def of_no_numbers(path: Path) -> None:
    content = np.full(8000, np.nan, dtype="<f4").tobytes()
    fmt = struct.pack("<HHIIHH", 3, 1, 8000, 32000, 4, 32)
    body = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + struct.pack("<I", len(content))
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body) + len(content)) + body + content)


BAD_SOUNDS: list[tuple[Callable[[Path], None], str]] = [
    (text, "is not audio"),
    (picture, "audio"),
    (empty, "is empty"),
    (no_samples, "bad.wav"),
    (truncated, "promises 10.0 s and ends after 1.8 s"),
    (cut_in_its_header, "ends inside its header"),
    (of_0_channels, "claims 0 channels"),
    (of_24_h_that_are_not_there, "promises 86400.0 s and ends after 1.0 s"),
    (of_24_h, "24.0 h"),
    (of_no_numbers, "bad.wav"),
]


class TestASound:
    @pytest.mark.parametrize(("make", "words"), BAD_SOUNDS, ids=[make.__name__ for make, _ in BAD_SOUNDS])
    def test_that_is_none_is_rejected_alone(
        self, tmp_path: Path, make: Callable[[Path], None], words: str
    ) -> None:
        make(tmp_path / "bad.wav")
        sound(tmp_path / "good.wav", 2, 4.0)

        ran = register(table(tmp_path / "rows.csv", [row("bad.wav"), row("good.wav")]))

        assert (ran.code, ran.summary["registered"], ran.summary["rejected"]) == (1, 1, 1)
        (reason,) = ran.lines[0]["reasons"]
        assert words in reason
        assert str(tmp_path) not in reason
        assert Recording.objects.count() == 1
        assert Fingerprint.objects.values("recording").distinct().count() == 1

        checked = run("check_audio", tmp_path / "bad.wav", "--against", "folk")
        assert (checked.code, checked.lines[0]["verdict"]) == (1, "unverifiable")
        assert words in checked.lines[0]["reasons"][0]


class TestAnArchive:
    def zipped(self, path: Path, members: dict[str, bytes]) -> Path:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return path

    def refused(self, source: Path) -> str:
        ran = register(source)
        assert (ran.code, ran.lines, ran.err.count("\n")) == (2, [], 1)
        assert not Dataset.objects.exists()
        return ran.err

    def test_that_is_a_bomb_is_refused_whole(self, tmp_path: Path) -> None:
        source = self.zipped(tmp_path / "bomb.zip", {"zeros.wav": bytes(200 << 20)})
        assert source.stat().st_size < 1 << 20
        assert "bomb" in self.refused(source)

    @pytest.mark.parametrize("name", ["../evil.wav", "music/../../evil.wav", "/srv/evil.wav"])
    def test_that_climbs_out_is_refused_whole(self, tmp_path: Path, name: str) -> None:
        good = sound(tmp_path / "good.wav", 2).read_bytes()
        zipped = self.zipped(tmp_path / "x.zip", {"good.wav": good, name: good})
        assert "evil" in self.refused(zipped)

        with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as archive:
            member = tarfile.TarInfo(name)
            member.size = len(good)
            archive.addfile(member, io.BytesIO(good))
        assert "evil" in self.refused(tmp_path / "x.tar.gz")
        assert not list(tmp_path.parent.rglob("evil.wav"))
        assert not Path("/srv/evil.wav").exists()

    def test_that_is_cut_is_refused_whole(self, tmp_path: Path) -> None:
        good = sound(tmp_path / "good.wav", 2).read_bytes()
        whole = self.zipped(tmp_path / "x.zip", {"good.wav": good}).read_bytes()
        (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
        assert "cut.zip" in self.refused(tmp_path / "cut.zip")

    def test_that_is_good_is_registered(self, tmp_path: Path) -> None:
        good = sound(tmp_path / "good.wav", 2).read_bytes()
        rows = table(tmp_path / "rows.csv", [row("good.wav")]).read_bytes()
        ran = register(self.zipped(tmp_path / "x.zip", {"good.wav": good, "rows.csv": rows}))
        assert (ran.code, ran.summary["registered"]) == (0, 1)


class TestATable:
    def test_in_latin_1_names_the_line_and_registers_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "rows.csv").write_bytes("path,title\na.wav,One\nb.wav,Café\n".encode("latin-1"))
        ran = register(tmp_path / "rows.csv")

        assert (ran.code, ran.lines) == (2, [])
        assert "rows.csv, line 3: not UTF-8" in ran.err
        assert "Latin-1" in ran.err
        assert not Dataset.objects.exists()

    def test_without_its_columns_names_them_all(self, tmp_path: Path) -> None:
        ran = register(table(tmp_path / "rows.csv", [{"title": "T", "artist": "A"}]))

        assert (ran.code, ran.err.count("\n")) == (2, 1)
        for column in ("path", "external_id", "isrc"):
            assert column in ran.err
        assert not Dataset.objects.exists()

    def test_of_grants_without_two_columns_names_both(self, tmp_path: Path) -> None:
        source = table(tmp_path / "deals.csv", [{"licensor": "A", "licensee": "B", "recordings": "x"}])
        ran = run("register_grants", source, "--as", "data_steward")
        assert ran.code == 2
        assert "lacks the columns right, purposes" in ran.err

    @pytest.mark.parametrize("content", [b"", b"\xff\xfep\0a\0t\0h\0\n\0", b"PK\x03\x04 no workbook"])
    def test_that_is_none_is_refused(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "rows.csv").write_bytes(content)
        ran = register(tmp_path / "rows.csv")
        assert (ran.code, ran.err.count("\n")) == (2, 1)
        assert "rows.csv" in ran.err
        assert not Registration.objects.exists()

    @pytest.mark.parametrize(
        ("cells", "words"),
        [
            ({"external_id": "x" * 1001}, "external_id has 1001 characters"),
            ({"title": "half\0a title"}, "title holds a NUL character"),
            ({"composers": "Ana;B\0b"}, "composers holds a NUL character"),
            ({"year": "99999"}, "no year"),
            ({"path": "../../etc/passwd"}, "climbs out of"),
        ],
    )
    def test_with_a_row_that_can_not_be_kept_keeps_the_others(
        self, tmp_path: Path, cells: dict[str, str], words: str
    ) -> None:
        sound(tmp_path / "good.wav", 2, 4.0)
        columns = {"external_id": "", "path": "", "title": "", "composers": "", "year": "", "licence": ""}
        filler = [{**columns, "external_id": f"paper-{place}", "title": "x" * 60} for place in range(90)]
        bad = {**columns, "path": "good.wav", "external_id": "bad", **cells}
        good = {**columns, "path": "good.wav", "external_id": "good", "licence": "CC0-1.0"}

        ran = register(table(tmp_path / "rows.csv", [*filler, bad, good]))

        assert (ran.code, ran.summary["registered"], ran.summary["rejected"]) == (1, 91, 1)
        (rejected,) = [line for line in ran.lines[:-1] if line["status"] == "rejected"]
        assert words in " ".join(rejected["reasons"])

    def test_with_one_recording_twice_registers_it_once(self, tmp_path: Path) -> None:
        sound(tmp_path / "a.wav", 1)
        (tmp_path / "b.wav").write_bytes((tmp_path / "a.wav").read_bytes())
        ran = register(table(tmp_path / "rows.csv", [row("a.wav"), row("b.wav")]))

        assert [line["status"] for line in ran.lines[:-1]] == ["registered", "duplicate"]
        assert (ran.code, ran.summary["conflicts"]) == (0, 0)
        assert ran.lines[0]["recording"] == ran.lines[1]["recording"]

    def test_with_a_licence_that_nobody_knows_registers_and_clears_nothing(self, tmp_path: Path) -> None:
        sound(tmp_path / "a.wav", 1)
        ran = register(table(tmp_path / "rows.csv", [row("a.wav", "Do What My Uncle Says 1.0")]))

        assert (ran.code, ran.summary["registered"]) == (0, 1)
        assert "nobody here knows the licence" in " ".join(ran.lines[0]["reasons"])
        assert answers(Dataset.objects.get()) == {"a.wav": "unknown"}


class TestATag:
    def test_with_a_nul_or_no_sense_does_no_harm(self, tmp_path: Path) -> None:
        sound(tmp_path / "a.wav", 1, 4.0)
        info = b"INAM" + struct.pack("<I", 10) + b"No\xe9l\0\0bis\0"
        content = (tmp_path / "a.wav").read_bytes()
        listed = b"LIST" + struct.pack("<I", len(info) + 4) + b"INFO" + info
        (tmp_path / "a.wav").write_bytes(
            content[:4] + struct.pack("<I", len(content) + len(listed) - 8) + content[8:] + listed
        )
        ran = register(tmp_path)

        assert ran.code in {0, 1}
        assert DatasetEntry.objects.count() == ran.summary["registered"]
