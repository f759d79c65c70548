"""A run cut short anywhere and run again leaves the register that an undisturbed run leaves, in every format."""

from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import openpyxl
import pytest
from django.db.models import Model

from audit.services.exporting import exported
from governance import ledger
from governance.models import Organisation, Review
from provenance import audio, pipeline
from provenance.exports.croissant import contents, croissant
from provenance.models import (
    Conflict,
    Dataset,
    DatasetEntry,
    Fingerprint,
    LicenceStatement,
    Party,
    Recording,
    RecordingIdentifier,
    RightsClaim,
    Work,
)
from provenance.pipeline import saving
from provenance.services import registering
from tests.catalogues import register, sound, table
from tests.people import People, a_member
from tests.provenance import test_intake_ddex as ddex
from tests.provenance.packages import sounding
from tests.provenance.test_intake_scores import MUSICXML

N_ROWS = 4
HEARD_S = 4.0
NOTICE = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: 2001 Ann, 2002 Bob, 2003 Cyn
License: GPL-2+

Files: data/music/1.wav
Copyright: 2002 Ann
License: CC-BY-SA-3.0
"""


def some_sounds(folder: Path) -> list[Path]:
    """Write four files that are three sounds: the last is the first under another name."""
    heard = [sound(folder / f"{place}.wav", place % 3, HEARD_S) for place in range(N_ROWS)]
    assert heard[0].read_bytes() == heard[3].read_bytes()
    return heard


def some_rows(folder: Path) -> list[dict[str, str]]:
    """Two rows are of one work, two carry one ISRC under two licences, one is claimed in half."""
    licences = ("CC-BY-4.0", "CC0-1.0", "CC-BY-NC-4.0", "GPL v2 or later")
    return [
        {
            "path": path.name,
            "title": f"Tune {place}",
            "artist": "Ann",
            "isrc": "USRC17607839" if place < 2 else "",
            "iswc": "T-034.524.680-1" if place in (0, 2) else "",
            "composers": "Ann; Bob",
            "master_owner": "Label" if place else "Other Label",
            "licence": licence,
            "territory": "DE;FR" if place == 1 else "",
            "mood": "wistful",
        }
        for place, (path, licence) in enumerate(zip(some_sounds(folder), licences, strict=True))
    ]


def a_csv(folder: Path) -> Path:
    return table(folder / "songs.csv", some_rows(folder))


def a_workbook(folder: Path) -> Path:
    rows = some_rows(folder)
    book = openpyxl.Workbook()
    assert book.active is not None
    for cells in (list(rows[0]), *(list(row.values()) for row in rows)):
        book.active.append(cells)
    book.save(folder / "songs.xlsx")
    return folder / "songs.xlsx"


def a_package(folder: Path) -> Path:
    members = {f"usr/share/games/g/music/{path.name}": path.read_bytes() for path in some_sounds(folder)}
    return sounding(folder / "g_1_all.deb", members, NOTICE, "g")


def a_message(folder: Path) -> Path:
    recordings = ""
    for place in range(N_ROWS):
        one = ddex.RECORDING.format(controllers=ddex.CONTROLLERS if place % 2 else "")
        one = one.replace("<ResourceReference>A1", f"<ResourceReference>A{place + 1}")
        recordings += one.replace("USRC17607839", f"USRC1760783{place}").replace("Night", f"Night {place}")
    text = ddex.MESSAGE.format(namespace="http://ddex.net/xml/ern/43", recording=recordings, deals="")
    (folder / "message.xml").write_text(text, encoding="utf-8")
    return folder / "message.xml"


def a_croissant(folder: Path) -> Path:
    """Write what a dataset of a third house says of itself, and lay its sounds beside it."""
    publisher = Organisation.objects.create(name="Publisher")
    dataset = register(
        "before", a_csv(folder), a_member("publisher", publisher, "data_steward"), publisher
    ).dataset
    written = exported(dataset, None)
    for name, place in contents(written.recordings).items():
        if place:
            (folder / "out" / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(folder / name, folder / "out" / place)
    path = folder / "out" / "croissant.json"
    path.write_text(json.dumps(croissant(written)), encoding="utf-8")
    return path


def a_tagged_folder(folder: Path) -> Path:
    (folder / "music").mkdir()
    for place, path in enumerate(some_sounds(folder)):
        tags = {"title": f"Tune {place}", "artist": "Ann", "composer": "Ann", "license": "CC BY 3.0"}
        said = [word for tag in tags.items() for word in ("-metadata", "=".join(tag))]
        target = folder / "music" / f"{place}.flac"
        subprocess.run(["ffmpeg", "-v", "error", "-i", str(path), *said, str(target)], check=True)
    return folder / "music"


def a_folder_of_scores(folder: Path) -> Path:
    (folder / "scores").mkdir()
    for place in range(N_ROWS):
        (folder / "scores" / f"{place}.musicxml").write_text(MUSICXML.replace("Evening", f"Evening {place}"))
    return folder / "scores"


def an_archive(folder: Path) -> Path:
    """Pack a table and its sounds: each run unpacks them somewhere else."""
    rows = some_rows(folder)
    with zipfile.ZipFile(folder / "songs.zip", "w") as archive:
        archive.write(table(folder / "songs.csv", rows), "songs.csv")
        for row in rows:
            archive.write(folder / row["path"], row["path"])
    return folder / "songs.zip"


SOURCES: dict[str, Callable[[Path], Path]] = {
    "csv": a_csv,
    "xlsx": a_workbook,
    "dep5": a_package,
    "ddex": a_message,
    "croissant": a_croissant,
    "folder": a_tagged_folder,
    "scores": a_folder_of_scores,
    "archive": an_archive,
}


class Killed(BaseException):
    """As the end of a process: nothing catches it, and nothing is tidied up."""


@contextmanager
def killed_in(place: Any, name: str, *, call: int) -> Iterator[None]:
    """Let the given call of a function be the last thing that a run does; it is done, and then the run dies."""
    work, calls = getattr(place, name), []

    def dying(*args: Any, **options: Any) -> Any:
        calls.append(1)
        done = work(*args, **options)
        if len(calls) == call:
            raise Killed
        return done

    with mock.patch.object(place, name, dying), pytest.raises(Killed):
        yield
    assert len(calls) == call


def plain(row: Model) -> dict[str, Any]:
    """Return all columns of a row but keys, and when they were written."""
    columns = [
        field for field in row._meta.concrete_fields if not field.is_relation and not field.primary_key
    ]
    return {
        field.name: getattr(row, field.name)
        for field in columns
        if field.name not in ("public_id", "key") and not field.name.endswith("_at")
    }


def of_recording(recording: Recording) -> str:
    return recording.sha256 or recording.title


def _side(conflict: Conflict, side: str) -> tuple[str, str]:
    return of_recording(getattr(conflict, f"recording_{side}")), str(getattr(conflict, f"evidence_{side}"))


def register_of(house: Organisation) -> dict[str, list[str]]:
    """Return all that a house's register holds, in words, whatever keys it has there."""
    rows: dict[str, list[Any]] = {
        "parties": [plain(one) for one in Party.objects.filter(organisation=house)],
        "works": [
            (plain(one), sorted(one.composers.values_list("name", flat=True)))
            for one in Work.objects.filter(organisation=house)
        ],
        "recordings": [
            (plain(one), one.work and plain(one.work)) for one in Recording.objects.filter(organisation=house)
        ],
        "datasets": [plain(one) for one in Dataset.objects.filter(organisation=house)],
        "entries": [
            (of_recording(one.recording), plain(one))
            for one in DatasetEntry.objects.filter(dataset__organisation=house)
        ],
        "statements": [
            (one.entry.external_id, plain(one))
            for one in LicenceStatement.objects.filter(entry__dataset__organisation=house)
        ],
        "conflicts": [
            (one.kind, one.status, *sorted([_side(one, "a"), _side(one, "b")]))
            for one in Conflict.objects.filter(organisation=house)
        ],
        "reviews": [(one.question, one.decision) for one in Review.objects.filter(organisation=house)],
    }
    for model in (RecordingIdentifier, RightsClaim, Fingerprint):
        rows[model.__name__] = [
            (of_recording(one.recording), str(getattr(one, "party", "")), plain(one))
            for one in model.objects.filter(recording__organisation=house)
        ]
    return {kind: sorted(map(repr, found)) for kind, found in rows.items()}


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each row be a chunk, and listen to the same bytes once."""
    for name in ("survey", "read_tags"):
        monkeypatch.setattr(audio, name, once_for_each_file(getattr(audio, name)))
    monkeypatch.setattr(pipeline, "ROWS_A_CHUNK", 1)


def once_for_each_file(listen: Callable[[Path], Any]) -> Callable[[Path], Any]:
    heard: dict[bytes, Any] = {}

    def listened(path: Path) -> Any:
        content = path.read_bytes()
        if content not in heard:
            heard[content] = listen(path)
        return heard[content]

    return listened


MOMENTS: tuple[tuple[Any, str, int], ...] = (
    (saving, "_save_claims", 2),  # inside the second chunk
    (pipeline, "store_chunk", 3),  # between two chunks
    (registering, "_cut_short", 1),  # all is stored, and no conflict was searched for
    (registering, "apply_reservations", 1),  # the conflicts are found, and nobody was asked to approve
    (registering, "ask_for_approval", 1),  # its books are open still
)


@pytest.mark.django_db
class TestARunCutShort:
    @pytest.mark.parametrize("form", SOURCES)
    def test_and_run_again_leaves_what_an_undisturbed_one_leaves(
        self, form: str, people: People, tmp_path: Path
    ) -> None:
        source = SOURCES[form](tmp_path)
        undisturbed = register("songs", source, people.steward, people.house)
        assert (undisturbed.n_registered >= 3, undisturbed.n_rejected) == (True, 0)

        for place, name, call in MOMENTS:
            with killed_in(place, name, call=call):
                register("songs", source, people.stranger, people.elsewhere)
        register("songs", source, people.stranger, people.elsewhere)

        assert register_of(people.elsewhere) == register_of(people.house)
        assert ledger.verify().ok
