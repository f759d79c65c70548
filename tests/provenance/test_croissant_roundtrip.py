"""Our own Croissant, read back: the same register, word for word."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.services.exporting import exported
from provenance import storage
from provenance.exports.croissant import contents, croissant
from provenance.exports.register import (
    ExportedClaim,
    ExportedDataset,
    ExportedIdentifier,
    ExportedRecording,
    ExportedWork,
)
from provenance.intake.formats import open_intake
from provenance.intake.record import IntakeClaim, IntakeRecord, distinct
from provenance.models import Dataset, Party, RecordingIdentifier, RightsClaim
from provenance.models.ranges import country_ranges
from provenance.rights.values import SOURCES, Claim, Grant, Statement
from tests.catalogues import register, sound, table
from tests.people import People
from tests.provenance.packages import sounding

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
NAMES = st.text(st.characters(codec="utf-8", categories=["L", "Nd"]), min_size=1, max_size=8)
PLACES = st.lists(st.sampled_from(["DE", "FR", "EU", "-FR", "US"]), max_size=2, unique=True).map(tuple)
PERIODS = st.sampled_from(
    [(None, None), (date(2020, 1, 1), None), (None, date(2030, 1, 1)), (date(2021, 2, 3), date(2022, 2, 3))]
)
STATEMENTS = st.builds(
    lambda right, source, weak, expression, words, holders, places, period: Statement(
        right, expression, words[0], source, weak, words[1], words[2], holders, words[3], places, *period
    ),
    st.sampled_from(["master", "composition"]),
    st.sampled_from(SOURCES),
    st.booleans(),
    st.sampled_from(["CC-BY-4.0", "GPL-2.0-or-later OR MIT", "LicenseRef-house", ""]),
    st.tuples(WORDS, WORDS, WORDS, WORDS),
    st.lists(NAMES, max_size=3).map(tuple),
    PLACES,
    PERIODS,
)
CLAIMS = st.builds(
    lambda right, party, share, role, places, period, source, evidence: IntakeClaim(
        Claim(right, party, share, role, places, period[0], period[1], source), evidence
    ),
    st.sampled_from(["master", "composition", "performance", "lyrics"]),
    NAMES,
    st.one_of(st.none(), st.integers(1, 1_000_000).map(lambda share: share / 10_000)),
    st.sampled_from(["owner", "composer", ""]),
    PLACES,
    PERIODS,
    st.sampled_from(["steward", "rights_holder"]),
    WORDS,
)
WORKS = st.builds(
    lambda title, iswc, composers: ExportedWork("", title, iswc, composers),
    NAMES,
    st.sampled_from(["", "T0345246801", "T-bad"]),
    st.lists(NAMES, max_size=2, unique=True).map(tuple),
)


@st.composite
def registers(draw: st.DrawFn) -> ExportedDataset:
    recordings = []
    works = [replace(work, id=f"work-{n}") for n, work in enumerate(draw(st.lists(WORKS, max_size=2)))]
    for n in range(draw(st.integers(1, 3))):
        claims, _ = distinct(draw(st.lists(CLAIMS, max_size=3)))
        audible = draw(st.booleans())
        recordings.append(
            ExportedRecording(
                id=f"urn:uuid:{n}",
                external_id=f"x{n}.wav",
                sha256=hashlib.sha256(str(n).encode()).hexdigest() if audible else "",
                path=draw(st.sampled_from(["same.wav", f"a/{n}.wav"])) if audible else "",
                kind="audio" if audible else "absent",
                title=draw(WORDS),
                artist=draw(WORDS),
                isrc=draw(st.sampled_from(["", "USRC17607839", "USRC1"])),
                year=draw(st.one_of(st.none(), st.integers(1000, 2999))),
                language=draw(st.sampled_from(["", "pt-BR"])),
                country=draw(st.sampled_from(["", "DE"])),
                genre=draw(WORDS),
                artist_gender=draw(WORDS),
                acquired_on=draw(st.one_of(st.none(), st.dates())),
                source_url=draw(st.sampled_from(["", "https://x.example/y"])),
                unknown_columns=draw(st.dictionaries(NAMES, WORDS, max_size=2)),
                notes=tuple(note for note in draw(st.lists(WORDS, max_size=2)) if note),
                statements=tuple(draw(st.lists(STATEMENTS, max_size=3))),
                claims=tuple(ExportedClaim(one.claim, one.evidence) for one in claims),
                identifiers=tuple(
                    draw(
                        st.lists(
                            st.builds(ExportedIdentifier, st.just("grid"), NAMES, st.just("steward")),
                            max_size=2,
                        )
                    )
                ),
                work=draw(st.sampled_from([None, *works])),
            )
        )
    return ExportedDataset("songs", "1", "Songs.", "urn:x", "House", date(2026, 1, 1), tuple(recordings))


def register_of(record: IntakeRecord) -> ExportedRecording:
    """Return what a record read from Croissant says, in the form that it was written from."""
    work = ExportedWork("", record.work_title, record.iswc, record.composers)
    return ExportedRecording(
        id="",
        external_id=record.external_id,
        path=record.source_path,
        title=record.title,
        artist=record.artist,
        isrc=record.isrc,
        year=record.year,
        language=record.language,
        country=record.country,
        genre=record.genre,
        artist_gender=record.artist_gender,
        acquired_on=date.fromisoformat(record.acquired_on) if record.acquired_on else None,
        source_url=record.source_url,
        unknown_columns=record.unknown,
        notes=record.notes,
        statements=record.statements,
        claims=tuple(ExportedClaim(one.claim, one.evidence) for one in record.claims or ()),
        identifiers=tuple(
            ExportedIdentifier(one.scheme, one.written, one.source) for one in record.identifiers
        ),
        work=work if work != ExportedWork("", "", "", ()) else None,
    )


def comparable(recording: ExportedRecording) -> ExportedRecording:
    """Leave out what a new register gives anew: keys, grants, and the sound itself."""
    work = recording.work
    return replace(
        recording,
        id="",
        sha256="",
        kind="",
        media_type="",
        n_bytes=None,
        seconds=None,
        grants=(),
        grant="",
        master_answer="",
        composition_answer="",
        unknown_columns=dict(recording.unknown_columns),
        work=replace(work, id="") if work is not None else None,
    )


class TestAnyRegister:
    @settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
    @given(registers())
    def test_survives_the_file(self, dataset: ExportedDataset) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "croissant.json")
            path.write_text(json.dumps(croissant(dataset)), encoding="utf-8")
            for one in dataset.recordings:
                place = contents(dataset.recordings)[one.external_id]
                if place:
                    Path(folder, place).parent.mkdir(exist_ok=True)
                    Path(folder, place).write_bytes(
                        one.external_id.removeprefix("x").removesuffix(".wav").encode()
                    )
            with open_intake(path) as intake:
                records = list(intake.records())
        assert [record.problems for record in records] == [()] * len(records)
        assert [register_of(record) for record in records] == [
            comparable(recording) for recording in dataset.recordings
        ]

    def test_names_grants_and_registers_none(self, tmp_path: Path) -> None:
        grant = Grant("g1", "master", "Label", frozenset({"ai_generative_training"}), commercial=True)
        one = ExportedRecording("urn:uuid:1", "x", grants=(grant,))
        dataset = ExportedDataset("songs", "1", "Songs.", "urn:x", "House", date(2026, 1, 1), (one,))
        (tmp_path / "croissant.json").write_text(json.dumps(croissant(dataset)))
        with open_intake(tmp_path / "croissant.json") as intake:
            assert "1 grants are named in it and not registered" in intake.warnings[0]


EVERY_COLUMN = {
    "title": "Nočný let",
    "artist": "Ann",
    "isrc": "USRC17607839",
    "year": "1999",
    "language": "cs",
    "country": "CZ",
    "genre": "folk",
    "artist_gender": "female",
    "acquired_on": "2026-01-02",
    "work_title": "Let",
    "iswc": "T-034.524.680-1",
    "composers": "Ann; Bob",
    "master_owner": "Label",
    "composition_owner": "Publisher",
    "licence": "CC-BY-4.0",
    "licence_url": "https://creativecommons.org/licenses/by/4.0/",
    "composition_licence": "CC0-1.0",
    "evidence": "contract.pdf",
    "territory": "DE;FR",
    "valid_from": "2020-01-01",
    "valid_until": "2031-01-01",
    "source_url": "https://x.example/1",
    "mood": "=wistful",
}


def carried_over(dataset: Dataset, people: People, folder: Path) -> tuple[ExportedDataset, ExportedDataset]:
    """Export a dataset, lay its sounds beside it, import it elsewhere; return what both registers hold."""
    before = exported(dataset, None)
    folder.mkdir()
    path = folder / "croissant.json"
    path.write_text(json.dumps(croissant(before), ensure_ascii=False), encoding="utf-8")
    by_id = {entry.external_id: entry.recording for entry in dataset.entries.select_related("recording")}
    for external_id, place in contents(before.recordings).items():
        if place:
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            with storage.local_file(by_id[external_id].audio) as kept:
                shutil.copy(kept, folder / place)
    done = register("back", path, people.stranger, people.elsewhere)
    assert (done.n_registered, done.n_rejected) == (len(before.recordings), 0)
    return before, exported(done.dataset, None)


def assert_same(before: ExportedDataset, after: ExportedDataset) -> None:
    assert [comparable(one) for one in after.recordings] == [comparable(one) for one in before.recordings]
    assert [(one.sha256, one.kind, one.seconds) for one in after.recordings] == [
        (one.sha256, one.kind, one.seconds) for one in before.recordings
    ]
    assert after.party_ids == before.party_ids


@pytest.mark.django_db
class TestRegisters:
    def test_of_a_table_with_every_column_is_the_same(self, people: People, tmp_path: Path) -> None:
        sound(tmp_path / "1.wav", 1)
        rows: list[dict[str, str]] = [
            {"path": "1.wav", "external_id": "one", **EVERY_COLUMN},
            {"path": "", "external_id": "two", "licence": "GPL v2 or later"},
        ]
        dataset = register("folk", table(tmp_path / "t.csv", rows), people.steward, people.house).dataset
        recording = dataset.entries.get(external_id="one").recording
        RecordingIdentifier.objects.create(
            recording=recording,
            scheme="grid",
            written="A1-bad",
            compact="A1-bad",
            is_valid=False,
            why_invalid="short",
        )
        Party.objects.filter(name="Label").update(isni="000000012281955X")
        RightsClaim.objects.create(
            recording=recording,
            party=Party.objects.create(organisation=people.house, name="Heirs of Zoë; & Co"),
            right="composition",
            role="publisher",
            share_percent="33.3333",
            territory=["EU", "-FR"],
            territory_ranges=country_ranges(("EU", "-FR")),
            valid_from=date(2020, 5, 1),
            valid_until=date(2040, 5, 1),
            source="rights_holder",
            evidence="letter.pdf",
            recorded_at=datetime(2026, 1, 1, tzinfo=UTC),
        )
        assert_same(*carried_over(dataset, people, tmp_path / "out"))

    def test_without_audio_is_the_same(self, people: People, tmp_path: Path) -> None:
        rows = [{"external_id": f"x{n}", **EVERY_COLUMN, "isrc": f"USRC1760783{n}"} for n in range(3)]
        dataset = register("paper", table(tmp_path / "t.csv", rows), people.steward, people.house).dataset
        assert_same(*carried_over(dataset, people, tmp_path / "out"))

    def test_of_a_debian_package_is_the_same(self, people: People, tmp_path: Path) -> None:
        songs = {
            f"usr/share/games/g/music/{n}.wav": sound(tmp_path / f"{n}.wav", n).read_bytes() for n in (3, 4)
        }
        notice = (
            "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\n"
            "Files: *\nCopyright: 2001 Team\nLicense: GPL-2+\n\n"
            "Files: data/music/3.wav\nCopyright: 2002 Ann\nLicense: CC-BY-SA-3.0\n"
        )
        sounding(tmp_path / "g_1_all.deb", songs, notice, "g")
        dataset = register("game", tmp_path / "g_1_all.deb", people.steward, people.house).dataset
        before, after = carried_over(dataset, people, tmp_path / "out")
        assert_same(before, after)
        assert {said.weak for one in after.recordings for said in one.statements} == {True, False}

    def test_read_twice_changes_nothing(self, people: People, tmp_path: Path) -> None:
        rows = [{"external_id": "x", **EVERY_COLUMN}]
        dataset = register("paper", table(tmp_path / "t.csv", rows), people.steward, people.house).dataset
        carried_over(dataset, people, tmp_path / "out")
        again = register("back", tmp_path / "out/croissant.json", people.stranger, people.elsewhere)
        assert (again.n_registered, again.n_duplicate) == (0, 1)


class TestOthersValidators:
    def test_mlcroissant_accepts_a_register_with_next_to_nothing_in_it(self, tmp_path: Path) -> None:
        mlc: Any = pytest.importorskip("mlcroissant")
        one = ExportedRecording(
            "urn:uuid:1", "x", statements=(Statement("master", "CC0-1.0", "CC0", "steward"),)
        )
        dataset = ExportedDataset(
            "songs", "draft", "Songs.", "https://x.example", "House", date(2026, 1, 1), (one,)
        )
        (tmp_path / "croissant.json").write_text(json.dumps(croissant(dataset)))
        issues = mlc.Dataset(str(tmp_path / "croissant.json")).metadata.ctx.issues
        assert (set(issues.errors), set(issues.warnings)) == (set(), set())

    def test_mlcroissant_finds_nothing_to_say(self, tmp_path: Path) -> None:
        mlc: Any = pytest.importorskip("mlcroissant")
        one = ExportedRecording(
            "urn:uuid:1",
            "x",
            hashlib.sha256(b"RIFF").hexdigest(),
            "a.wav",
            "audio/wav",
            4,
            statements=(Statement("master", "CC-BY-4.0", "CC BY 4.0", "steward"),),
            claims=(ExportedClaim(Claim("master", "Ann", 50.0)),),
            work=ExportedWork("w", "Song", "T0345246801", ("Ann",)),
        )
        dataset = ExportedDataset(
            "songs", "1", "Songs.", "https://x.example", "House", date(2026, 1, 1), (one,)
        )
        (tmp_path / "a.wav").write_bytes(b"RIFF")
        (tmp_path / "croissant.json").write_text(json.dumps(croissant(dataset)))
        read = mlc.Dataset(str(tmp_path / "croissant.json"))
        assert (set(read.metadata.ctx.issues.errors), set(read.metadata.ctx.issues.warnings)) == (
            set(),
            set(),
        )
        (row,) = read.records("claims")
        assert (row["claims/party"], row["claims/share"]) == ("Ann", 50.0)
        assert "CroissantVersion.V_1_1" in str(read.metadata.ctx.conforms_to)
