"""Catalogues of labels held against datasets: by the command, by what is kept, and by who may read it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.utils import timezone

from governance.errors import NotAllowedError, NotFoundError
from governance.models import LedgerEvent, Role
from provenance import access, services
from provenance.errors import ProvenanceError
from provenance.models import Catalogue, CatalogueMatch, CatalogueRun, Dataset, Recording
from provenance.queries.catalogues import words_of
from provenance.similarity.fingerprint import AudioFingerprint
from tests.catalogues import Ran, register, run, sound, table
from tests.people import People, a_dataset, a_member

pytestmark = pytest.mark.django_db
ISRC = "GBAYE0601477"


@pytest.fixture(autouse=True)
def folders_of_their_own(people: People, tmp_path: Path, settings: Any) -> None:
    settings.INDEX_DIR = tmp_path / "indexes"


@pytest.fixture
def folk(people: People, tmp_path: Path) -> Dataset:
    """Three recordings of 20 s: the first has an ISRC, all have names."""
    folder = tmp_path / "folk"
    folder.mkdir()
    for seed in range(3):
        sound(folder / f"{seed}.wav", seed, 20.0)
    rows = [
        {"path": f"{seed}.wav", "title": f"Tune of Hill {seed}", "artist": "The Trio", "licence": "CC0-1.0"}
        for seed in range(3)
    ]
    rows[0]["isrc"] = ISRC
    rows = [{"isrc": "", **one} for one in rows]
    return register("folk", table(folder / "rows.csv", rows), people.steward, people.house).dataset


def asked(source: Path, *more: str, person: str = "label_auditor", against: str = "folk") -> Ran:
    return run("match_catalogue", source, "--against", against, "--wait", "--as", person, *more)


def by_row(ran: Ran) -> dict[str, tuple[str, list[str]]]:
    lines = [line for line in ran.lines if "summary" not in line]
    return {line["external_id"]: (line["answer"], [e["kind"] for e in line["evidence"]]) for line in lines}


class TestMatchCatalogue:
    def test_answers_every_row_and_counts(self, folk: Dataset, tmp_path: Path) -> None:
        rows = [
            {"external_id": "a", "isrc": "GB-AYE-06-01477", "title": "Whatever", "artist": ""},
            {"external_id": "b", "isrc": "", "title": "Tune of Hil 1", "artist": "Trio"},
            {"external_id": "c", "isrc": "USRC17607839", "title": "Not Here", "artist": "Nobody"},
        ]
        ran = asked(table(tmp_path / "label.csv", rows))

        assert ran.code == 0
        assert by_row(ran) == {
            "a": ("found", ["isrc", "names"]),
            "b": ("probable", ["metadata"]),
            "c": ("not_found", []),
        }
        assert ran.lines[2]["recording"] is None
        (of_folk,) = ran.summary["datasets"]
        assert (of_folk["found"], of_folk["probable"], of_folk["not_found"]) == (1, 1, 1)

    def test_says_beside_an_isrc_which_names_stand_there(self, folk: Dataset, tmp_path: Path) -> None:
        rows = [{"external_id": "a", "isrc": ISRC, "title": "Whatever", "artist": "Somebody Else"}]
        (line, _) = asked(table(tmp_path / "label.csv", rows)).lines

        assert line["evidence"][-1] == {
            "kind": "names",
            "recording_title": "Tune of Hill 0",
            "recording_artist": "The Trio",
        }
        assert words_of(line["evidence"]) == (
            "ISRC; the title there is “Tune of Hill 0” and the artist there is “The Trio”"
        )

    def test_hears_a_copy_under_another_name(self, folk: Dataset, tmp_path: Path) -> None:
        copy = tmp_path / "copy.mp3"
        ffmpeg = ["ffmpeg", "-loglevel", "error", "-ss", "2", "-i", str(tmp_path / "folk" / "1.wav")]
        subprocess.run([*ffmpeg, "-b:a", "64k", str(copy)], check=True)
        sound(tmp_path / "stranger.wav", 77, 20.0)
        rows = [{"path": name, "title": f"Other {name}"} for name in ("copy.mp3", "stranger.wav")]

        ran = asked(table(tmp_path / "label.csv", rows))

        assert by_row(ran)["copy.mp3"][0] == "found"
        assert by_row(ran)["copy.mp3"][1][0] == "fingerprint"
        assert by_row(ran)["stranger.wav"] == ("not_found", [])
        assert Recording.objects.get(public_id=ran.lines[0]["recording"]).title == "Tune of Hill 1"

    def test_hears_it_from_fingerprints_alone(self, folk: Dataset, tmp_path: Path) -> None:
        made = tmp_path / "made"
        run("fingerprint_audio", tmp_path / "folk" / "2.wav", "--out", made)
        assert by_row(asked(made))["2.wav"][0] == "found"

    def test_says_that_an_isrc_stands_for_another_sound(self, folk: Dataset, tmp_path: Path) -> None:
        sound(tmp_path / "other.wav", 78, 20.0)
        ran = asked(table(tmp_path / "label.csv", [{"path": "other.wav", "isrc": ISRC}]))
        assert by_row(ran)["other.wav"] == ("probable", ["isrc", "duration", "conflict"])

    def test_compares_the_sound_of_what_is_named_alike(self, folk: Dataset, tmp_path: Path) -> None:
        sound(tmp_path / "take.wav", 79, 31.0)
        rows = [{"path": "take.wav", "title": "Tune of Hill 1", "artist": "The Trio"}]
        assert by_row(asked(table(tmp_path / "label.csv", rows)))["take.wav"] == ("not_found", [])

    def test_reads_durations_and_releases(self, folk: Dataset, tmp_path: Path) -> None:
        rows = [{"external_id": "a", "title": "Tune of Hill 0", "duration": "0:20", "ean": "4006381333930"}]
        ran = asked(table(tmp_path / "label.csv", rows))
        assert by_row(ran)["a"] == ("probable", ["metadata", "duration"])
        assert "ean '4006381333930' is not valid" in ran.lines[0]["notes"][0]

    def test_answers_the_good_rows_and_names_the_bad(self, folk: Dataset, tmp_path: Path) -> None:
        rows = [{"path": "missing.wav", "isrc": ""}, {"path": "", "isrc": ISRC}]
        ran = asked(table(tmp_path / "label.csv", rows))
        assert ran.code == 1
        assert [line.get("answer") for line in ran.lines[:-1]] == ["found", None]
        assert "does not exist" in ran.lines[1]["reasons"][0]

    @pytest.mark.parametrize(
        ("content", "says"),
        [(b"", "is empty"), (b"colour,size\nred,3\n", "lacks path"), (b"isrc\n\xff\xfe\n", "not UTF-8")],
    )
    def test_refuses_what_can_not_be_read(
        self, folk: Dataset, tmp_path: Path, content: bytes, says: str
    ) -> None:
        (tmp_path / "label.csv").write_bytes(content)
        ran = asked(tmp_path / "label.csv")
        assert (ran.code, ran.lines) == (2, [])
        assert says in ran.err
        assert not Catalogue.objects.exists()

    def test_refuses_a_dataset_that_the_person_may_not_know(self, folk: Dataset, tmp_path: Path) -> None:
        ran = asked(table(tmp_path / "label.csv", [{"isrc": ISRC}]), person="stranger")
        assert (ran.code, ran.lines) == (2, [])
        assert "no dataset 'folk'" in ran.err

    def test_queues_it_only_where_a_worker_answers(self, folk: Dataset, tmp_path: Path) -> None:
        source = table(tmp_path / "label.csv", [{"isrc": ISRC}])
        ran = run("match_catalogue", source, "--against", "folk", "--as", "label_auditor")
        assert ran.code == 3
        assert "--wait" in ran.err


def brought(people: People, tmp_path: Path, by: Any = None) -> Catalogue:
    rows = [{"isrc": ISRC, "title": "Secret"}]
    return services.keep_catalogue(
        source=table(tmp_path / "label.csv", rows),
        name="Spring",
        by=by or people.auditor,
        organisation=people.house,
        now=timezone.now(),
    )


class TestAsking:
    def test_is_for_those_whom_the_owner_lets_ask(self, people: People, tmp_path: Path) -> None:
        catalogue = brought(people, tmp_path)
        theirs = a_dataset(people.stranger, people.elsewhere, name="theirs")
        for person in (people.auditor, people.engineer):
            with pytest.raises(NotAllowedError):
                services.match_catalogue(
                    catalogue=catalogue, datasets=[theirs], by=person, now=timezone.now()
                )
        assert not CatalogueRun.objects.exists()

    def test_is_written_into_the_owners_ledger_without_a_title(self, people: People, tmp_path: Path) -> None:
        catalogue, dataset = brought(people, tmp_path), a_dataset(people.steward, people.house)
        services.match_catalogue(
            catalogue=catalogue, datasets=[dataset], by=people.auditor, now=timezone.now()
        )
        event = LedgerEvent.objects.get(kind="provenance.catalogue.matched")
        assert (event.organisation_id, event.subject_id) == (people.house.public_id, dataset.public_id)
        assert event.actor_id == people.auditor.public_id
        assert event.body["rows"] == 1
        assert "Secret" not in str(event.body)

    def test_is_refused_for_sounds_of_an_older_method(self, people: People, tmp_path: Path) -> None:
        catalogue, dataset = brought(people, tmp_path), a_dataset(people.steward, people.house)
        made = bytearray(AudioFingerprint.of_items(np.zeros((30, 2), dtype=np.uint32)).packed)
        made[6] = 1
        catalogue.rows.update(fingerprint=bytes(made))

        with pytest.raises(ProvenanceError, match="Bring the catalogue again"):
            services.match_catalogue(
                catalogue=catalogue, datasets=[dataset], by=people.auditor, now=timezone.now()
            )
        assert not CatalogueRun.objects.exists()

    def test_again_replaces_the_answers_and_keeps_the_old(self, people: People, tmp_path: Path) -> None:
        catalogue, dataset = brought(people, tmp_path), a_dataset(people.steward, people.house)
        for _ in range(2):
            services.match_catalogue(
                catalogue=catalogue, datasets=[dataset], by=people.auditor, now=timezone.now()
            )
        assert list(catalogue.runs.values_list("is_latest", flat=True)) == [True, False]
        assert CatalogueMatch.objects.count() == 2


class TestCatalogueForReading:
    def test_is_read_by_who_brought_it_and_no_other_guest(self, people: People, tmp_path: Path) -> None:
        rival = a_member("rival", people.house, Role.LABEL_AUDITOR)
        catalogue, dataset = brought(people, tmp_path), a_dataset(people.steward, people.house)
        services.match_catalogue(
            catalogue=catalogue, datasets=[dataset], by=people.auditor, now=timezone.now()
        )
        assert access.catalogue_for_reading(people.auditor, catalogue.public_id) == catalogue
        for person in (rival, people.steward, people.officer, people.engineer, people.stranger):
            with pytest.raises(NotFoundError):
                access.catalogue_for_reading(person, catalogue.public_id)

    def test_the_owner_reads_who_asked_and_how_much(self, people: People, tmp_path: Path) -> None:
        catalogue, dataset = brought(people, tmp_path), a_dataset(people.steward, people.house)
        services.match_catalogue(
            catalogue=catalogue, datasets=[dataset], by=people.auditor, now=timezone.now()
        )
        assert [one.asked_by for one in access.catalogue_runs_for_reading(people.officer)] == [people.auditor]
        assert not access.catalogue_runs_for_reading(people.auditor).exists()
        assert not access.catalogue_runs_for_reading(people.stranger).exists()

    def test_answers_are_gone_with_the_owners_leave(self, people: People, tmp_path: Path) -> None:
        catalogue, dataset = brought(people, tmp_path), a_dataset(people.steward, people.house)
        services.match_catalogue(
            catalogue=catalogue, datasets=[dataset], by=people.auditor, now=timezone.now()
        )
        assert access.run_answers_for_reading(people.auditor, catalogue).exists()
        people.auditor.memberships.update(valid_until=timezone.now())
        assert not access.run_answers_for_reading(people.auditor, catalogue).exists()
