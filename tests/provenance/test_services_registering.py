"""Registering, beside another run, again, and after a run that was cut short."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from governance import ledger, planning
from governance.errors import ConflictError, LinerNotesError, NotAllowedError
from governance.models import LedgerEvent, Question, Review
from provenance import pipeline
from provenance.errors import ProvenanceError, StorageFullError
from provenance.intake.errors import IntakeError
from provenance.models import (
    Conflict,
    Dataset,
    DatasetEntry,
    DatasetKind,
    Fingerprint,
    LicenceStatement,
    Recording,
    Registration,
)
from provenance.pipeline import storing, surveying
from provenance.services import registering
from provenance.similarity import kinds
from provenance.similarity.kinds import RECORDING
from tests.catalogues import a_catalogue, answers, register, row, sound, table
from tests.people import People

pytestmark = pytest.mark.django_db


def counts() -> dict[str, int]:
    models: tuple[Any, ...] = (Recording, DatasetEntry, LicenceStatement, Fingerprint, Conflict, LedgerEvent)
    return {model.__name__: model.objects.count() for model in models}


class TestRegister:
    def test_keeps_sound_rights_and_fingerprint_of_each_row(self, people: People, tmp_path: Path) -> None:
        done = register("folk", a_catalogue(tmp_path), people.steward, people.house)

        assert (done.n_registered, done.n_duplicate, done.n_rejected) == (2, 0, 0)
        for recording in Recording.objects.all():
            assert recording.sha256 == pipeline.file_sha256(tmp_path / f"{recording.title[5:]}")
            assert recording.fingerprints.get(method=RECORDING.method).payload
            assert recording.seconds == pytest.approx(10.0, abs=0.01)
        assert set(answers(done.dataset).values()) == {"allowed"}
        assert ledger.verify().ok

    def test_asks_for_approval_of_what_is_new(self, people: People, tmp_path: Path) -> None:
        done = register("folk", a_catalogue(tmp_path), people.steward, people.house)

        review = Review.objects.get(question=Question.DATASET_APPROVAL, subject_id=done.dataset.public_id)
        assert (review.asked_by, review.decision) == (people.steward, "pending")

    def test_changes_nothing_the_second_time(self, people: People, tmp_path: Path) -> None:
        source = a_catalogue(tmp_path)
        first = register("folk", source, people.steward, people.house)
        before, changed_at = counts(), first.dataset.changed_at

        again = register("folk", source, people.steward, people.house)

        assert (again.n_registered, again.n_duplicate, again.n_rejected) == (0, 2, 0)
        assert counts() == before
        assert again.dataset.changed_at == changed_at
        assert Review.objects.count() == 1

    def test_says_of_what_is_too_short_that_no_index_will_cover_it(
        self, people: People, tmp_path: Path
    ) -> None:
        sound(tmp_path / "blip.wav", 1, seconds=0.3)
        sound(tmp_path / "song.wav", 2)
        source = table(tmp_path / "rows.csv", [row("blip.wav"), row("song.wav")])
        told: list[pipeline.RowOutcome] = []

        register("folk", source, people.steward, people.house, tell=told.append)

        short, long = told
        assert (short.status, len(short.reasons)) == ("registered", 1)
        assert short.reasons[0].startswith("the audio lasts 0.3 s: less than ")
        assert short.reasons[0].endswith("can't be compared, so no index will cover it")
        assert long.reasons == ()

    def test_refuses_to_say_where_a_licence_holds_a_second_time(self, people: People, tmp_path: Path) -> None:
        """Both would stand, and what was meant to narrow the first would narrow nothing."""
        sound(tmp_path / "a.wav", 1)
        shutil.copy(tmp_path / "a.wav", tmp_path / "twin.wav")
        register("folk", table(tmp_path / "rows.csv", [row("a.wav")]), people.steward, people.house)
        before = counts()
        for name, more, said in (
            ("a.wav", {"territory": "DE"}, "worldwide, and this row says DE"),
            (
                "a.wav",
                {"valid_until": "2030-01-01"},
                "worldwide, and this row says worldwide until 2030-01-01",
            ),
            ("twin.wav", {"territory": "DE"}, "worldwide, and this row says DE"),
        ):
            told: list[pipeline.RowOutcome] = []
            source = table(tmp_path / "rows.csv", [{**row(name), **more}])

            register("folk", source, people.steward, people.house, tell=told.append)

            (outcome,) = told
            assert outcome.status == "rejected"
            assert said in outcome.reasons[0]
            assert "a.wav is registered with CC0-1.0 (" in outcome.reasons[0]
            assert counts() == before

    def test_takes_a_licence_again_for_another_time(self, people: People, tmp_path: Path) -> None:
        sound(tmp_path / "a.wav", 1)
        for first, last in (("2020-01-01", "2022-01-01"), ("2022-01-01", "2024-01-01")):
            period = {"valid_from": first, "valid_until": last}
            source = table(tmp_path / "rows.csv", [{**row("a.wav"), **period}])
            done = register("folk", source, people.steward, people.house)
            assert done.n_rejected == 0
        assert LicenceStatement.objects.filter(valid_from="2022-01-01").exists()

    def test_tells_what_a_row_of_a_known_id_says_otherwise(self, people: People, tmp_path: Path) -> None:
        source = tmp_path / "rows.csv"
        told: list[pipeline.RowOutcome] = []
        for said in ("q1,Alpha,Ann,USRC17607839", "q1,Omega,Ann,", "q1,Beta,Ann,USRC17607840"):
            source.write_text(f"external_id,title,artist,isrc\n{said}\n", encoding="utf-8")
            register("folk", source, people.steward, people.house, tell=told.append)

        assert [one.reasons for one in told] == [
            (),
            ("registered before: title stays 'Alpha', not 'Omega'",),
            (
                "registered before: title stays 'Alpha', not 'Beta'; isrc stays 'USRC17607839', not 'USRC17607840'",
            ),
        ]

    def test_keeps_nothing_of_a_dry_run(self, people: People, tmp_path: Path) -> None:
        before = counts()

        done = register("folk", a_catalogue(tmp_path), people.steward, people.house, dry_run=True)

        assert done.n_registered == 2
        assert counts() == before
        assert not Dataset.objects.exists()
        assert not Registration.objects.exists()

    def test_rehearses_what_a_run_would_say(self, people: People, tmp_path: Path) -> None:
        sound(tmp_path / "a.wav", 1)
        sound(tmp_path / "b.wav", 2)
        shutil.copy(tmp_path / "a.wav", tmp_path / "c.wav")
        rows = [row("a.wav"), row("b.wav"), row("c.wav", "CC-BY-NC-4.0"), row("gone.wav")]
        source = table(tmp_path / "rows.csv", rows)
        told: dict[bool, list[pipeline.RowOutcome]] = {True: [], False: []}
        done = {}

        with mock.patch.object(pipeline, "SURVEYED_A_CHUNK", 1):  # the duplicate lies in a later chunk
            for dry_run in (True, False):
                done[dry_run] = register(
                    "folk",
                    source,
                    people.steward,
                    people.house,
                    dry_run=dry_run,
                    tell=told[dry_run].append,
                )
                if dry_run:
                    assert not any(counts().values())

        said = {dry: [(one.status, one.reasons) for one in outcomes] for dry, outcomes in told.items()}
        assert [status for status, _ in said[True]] == ["registered", "registered", "duplicate", "rejected"]
        assert said[True] == said[False]
        assert {one.recording for one in told[True]} == {None}
        named = {one.recording and one.recording.public_id for one in told[False]}
        assert named == {*Recording.objects.values_list("public_id", flat=True), None}
        assert (done[True].n_conflicts, done[True].as_json()) == (1, done[False].as_json())

    def test_leaves_no_dataset_where_every_row_was_rejected(self, people: People, tmp_path: Path) -> None:
        (tmp_path / "bad.wav").write_bytes(b"no audio at all, whatever its name says" * 50)
        source = table(tmp_path / "rows.csv", [row("bad.wav"), row("gone.wav")])
        told: list[pipeline.RowOutcome] = []

        done = register("folk", source, people.steward, people.house, tell=told.append)

        assert (done.n_rejected, [outcome.status for outcome in told]) == (2, ["rejected"] * 2)
        assert not Dataset.objects.exists()
        assert not Registration.objects.exists()
        assert not any(counts().values())

    def test_leaves_a_dataset_as_it_was_where_every_row_was_rejected(
        self, people: People, tmp_path: Path
    ) -> None:
        before = register("folk", a_catalogue(tmp_path), people.steward, people.house).dataset
        known = counts()

        again = register("folk", table(tmp_path / "r.csv", [row("gone.wav")]), people.steward, people.house)

        assert (again.n_rejected, again.dataset.changed_at) == (1, before.changed_at)
        assert counts() == known
        last = before.registrations.order_by("-id")[0]
        assert [kept["external_id"] for kept in last.rejections] == ["gone.wav"]

    def test_leaves_no_dataset_where_its_first_rows_could_not_be_kept(
        self, people: People, tmp_path: Path
    ) -> None:
        with (
            mock.patch("provenance.storage.keep", side_effect=StorageFullError("Full.")),
            pytest.raises(StorageFullError),
        ):
            register("folk", a_catalogue(tmp_path), people.steward, people.house)
        assert not Dataset.objects.exists()

    def test_says_that_a_pattern_matches_no_row(self, people: People, tmp_path: Path) -> None:
        with pytest.raises(ProvenanceError, match=r"2 rows were seen.* none matches \*/music/\*"):
            register("folk", a_catalogue(tmp_path), people.steward, people.house, only="*/music/*")
        assert not Dataset.objects.exists()

    def test_says_that_a_pattern_matches_no_file(self, people: People, tmp_path: Path) -> None:
        a_catalogue(tmp_path, 3)
        (tmp_path / "catalogue.csv").unlink()
        with pytest.raises(IntakeError, match=r"3 sound files were seen, and none matches \*/music/\*"):
            register("folk", tmp_path, people.steward, people.house, only="*/music/*")

    def test_ignores_case_in_a_pattern(self, people: People, tmp_path: Path) -> None:
        source = a_catalogue(tmp_path)
        assert register("folk", source, people.steward, people.house, only="1.WAV").n_registered == 1

    def test_hears_of_one_file_that_lies_there_under_two_names(self, people: People, tmp_path: Path) -> None:
        sound(tmp_path / "a.wav", 0)
        (tmp_path / "b.wav").write_bytes((tmp_path / "a.wav").read_bytes())
        source = table(tmp_path / "rows.csv", [row("a.wav"), row("b.wav", "CC-BY-NC-4.0")])

        done = register("folk", source, people.steward, people.house)

        assert (done.n_registered, done.n_duplicate, done.n_rejected) == (1, 1, 0)
        assert set(LicenceStatement.objects.values_list("expression", flat=True)) == {
            "CC0-1.0",
            "CC-BY-NC-4.0",
        }

    def test_refuses_a_table_without_rows(self, people: People, tmp_path: Path) -> None:
        (tmp_path / "rows.csv").write_text("path,title\n")
        with pytest.raises(LinerNotesError, match=r"rows\.csv"):
            register("folk", tmp_path / "rows.csv", people.steward, people.house)
        assert not Dataset.objects.exists()

    def test_registers_the_good_rows_beside_a_bad_one(self, people: People, tmp_path: Path) -> None:
        sound(tmp_path / "good.wav", 1)
        (tmp_path / "bad.wav").write_bytes(b"no audio at all, whatever its name says" * 50)
        source = table(tmp_path / "rows.csv", [row("bad.wav"), row("good.wav"), row("gone.wav")])
        told: list[pipeline.RowOutcome] = []

        done = register("folk", source, people.steward, people.house, tell=told.append)

        assert [outcome.status for outcome in told] == ["rejected", "registered", "rejected"]
        assert all(len(outcome.reasons) == 1 for outcome in told if outcome.status == "rejected")
        assert list(DatasetEntry.objects.values_list("external_id", flat=True)) == ["good.wav"]
        registration = done.dataset.registrations.get()
        assert [kept["external_id"] for kept in registration.rejections] == ["bad.wav", "gone.wav"]

    def test_registers_nothing_of_a_source_that_turns_bad_in_its_last_line(
        self, people: People, tmp_path: Path
    ) -> None:
        rows = "".join(f"id-{place},Tune {place}\n" for place in range(2000))
        (tmp_path / "rows.csv").write_bytes(f"external_id,title\n{rows}".encode() + b"caf\xe9,Caf\xe9\n")

        with pytest.raises(IntakeError, match=r"line 2002: not UTF-8"):
            register("folk", tmp_path / "rows.csv", people.steward, people.house)

        assert not Dataset.objects.exists()

    def test_is_for_stewards_of_the_house(self, people: People, tmp_path: Path) -> None:
        source = a_catalogue(tmp_path, n=1)

        for person in (people.engineer, people.auditor, people.stranger):
            with pytest.raises(NotAllowedError):
                register("folk", source, person, people.house)
        assert not Dataset.objects.exists()

    def test_does_not_mix_a_dataset_with_a_collection(self, people: People, tmp_path: Path) -> None:
        source = a_catalogue(tmp_path, n=1)
        register("folk", source, people.steward, people.house, kind=DatasetKind.PROTECTED)

        with pytest.raises(ConflictError, match="protected collection"):
            register("folk", source, people.steward, people.house)

    def test_asks_nobody_to_approve_a_collection(self, people: People, tmp_path: Path) -> None:
        register(
            "label", a_catalogue(tmp_path, n=1), people.steward, people.house, kind=DatasetKind.PROTECTED
        )

        assert not Review.objects.exists()

    def test_refuses_other_audio_under_a_name_that_is_taken(self, people: People, tmp_path: Path) -> None:
        source = a_catalogue(tmp_path, n=1)
        register("folk", source, people.steward, people.house)
        sound(tmp_path / "0.wav", 9)

        again = register("folk", source, people.steward, people.house)

        assert (again.n_rejected, Recording.objects.count()) == (1, 1)

    def test_refuses_audio_under_a_name_that_is_known_by_metadata(
        self, people: People, tmp_path: Path
    ) -> None:
        register(
            "folk",
            table(tmp_path / "names.csv", [{"external_id": "0.wav", "title": "Tune"}]),
            people.steward,
            people.house,
        )
        told: list[pipeline.RowOutcome] = []

        again = register("folk", a_catalogue(tmp_path, n=1), people.steward, people.house, tell=told.append)

        assert again.n_rejected == 1
        assert "registered without audio" in told[0].reasons[0]
        assert Recording.objects.get().audio == ""

    def test_knows_a_recording_of_another_dataset_by_its_bytes(self, people: People, tmp_path: Path) -> None:
        source = a_catalogue(tmp_path, n=1)
        register("folk", source, people.steward, people.house)

        with mock.patch("provenance.audio.survey", side_effect=AssertionError("decoded twice")):
            again = register("more-folk", source, people.steward, people.house)

        assert (again.n_registered, Recording.objects.count()) == (1, 1)

    def test_keeps_no_levels_of_more_music_than_an_index_holds_them_of(
        self, people: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert RECORDING.beside is not None
        few = replace(RECORDING, beside=replace(RECORDING.beside, most_hours=10.0 / 3600))
        monkeypatch.setattr(kinds, "ALL", (few,))
        register("folk", a_catalogue(tmp_path / "a", n=2), people.steward, people.house)
        n_first = Fingerprint.objects.filter(method="levels").count()

        register("folk", a_catalogue(tmp_path / "b", n=2, first_seed=7), people.steward, people.house)

        assert Fingerprint.objects.filter(method=RECORDING.method).count() == 4
        assert Fingerprint.objects.filter(method="levels").count() == n_first > 0

    def test_gives_known_recordings_the_fingerprint_of_a_new_method(
        self, people: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source = a_catalogue(tmp_path, n=1)
        register("folk", source, people.steward, people.house)
        monkeypatch.setattr(kinds, "ALL", (replace(RECORDING, method_version="99"),))

        register("folk", source, people.steward, people.house)

        known = Fingerprint.objects.filter(method=RECORDING.method)
        assert set(known.values_list("method_version", flat=True)) == {RECORDING.method_version, "99"}


class TestStatistics:
    @pytest.mark.parametrize(("many", "known"), [(2, True), (3, False)])
    def test_are_gathered_once_many_rows_came(
        self, people: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, many: int, known: bool
    ) -> None:
        monkeypatch.setattr(planning, "MANY_ROWS", many)
        with CaptureQueriesContext(connection) as asked:
            register("folk", a_catalogue(tmp_path), people.steward, people.house)

        gathered = [one["sql"] for one in asked if one["sql"].startswith("ANALYZE")]
        assert len(gathered) == known
        assert all('"provenance_recording", "provenance_datasetentry"' in sql for sql in gathered)


class TestACutRun:
    def cut(self, people: People, source: Path, *, after: int) -> None:
        """Let a run die after ``after`` chunks, as a killed process does: nothing is tidied up."""
        store = pipeline.store_chunk
        calls: list[int] = []

        def dying(*args: Any, **options: Any) -> list[pipeline.RowOutcome]:
            if len(calls) == after:
                raise SystemError("killed")
            calls.append(1)
            return store(*args, **options)

        with (
            mock.patch.object(pipeline, "store_chunk", dying),
            mock.patch.object(pipeline, "SURVEYED_A_CHUNK", 1),
            pytest.raises(SystemError),
        ):
            register("folk", source, people.steward, people.house)

    def test_is_gone_on_with_and_nothing_is_there_twice(self, people: People, tmp_path: Path) -> None:
        source = a_catalogue(tmp_path, n=3)
        self.cut(people, source, after=2)
        assert DatasetEntry.objects.count() == 2

        again = register("folk", source, people.steward, people.house)

        assert (again.n_registered, again.n_duplicate) == (1, 2)
        prints = Fingerprint.objects.filter(method=RECORDING.method)
        assert [Recording.objects.count(), prints.count()] == [3, 3]
        assert ledger.verify().ok

    def test_has_its_conflicts_found_by_the_next_run(self, people: People, tmp_path: Path) -> None:
        sound(tmp_path / "0.wav", 0)
        sound(tmp_path / "1.wav", 0)
        (tmp_path / "1.wav").write_bytes((tmp_path / "1.wav").read_bytes() + b"LIST\x04\0\0\0INFO")
        sound(tmp_path / "2.wav", 2)
        source = table(tmp_path / "rows.csv", [row("0.wav"), row("1.wav", "CC-BY-NC-4.0"), row("2.wav")])
        self.cut(people, source, after=2)

        again = register("folk", source, people.steward, people.house)

        assert again.n_conflicts == 1

    def test_is_put_up_for_approval_by_the_next_run(self, people: People, tmp_path: Path) -> None:
        source = a_catalogue(tmp_path, n=1)
        with (
            mock.patch.object(registering, "find_conflicts", side_effect=SystemError("killed")),
            pytest.raises(SystemError),
        ):
            register("folk", source, people.steward, people.house)

        again = register("folk", source, people.steward, people.house)

        assert (again.n_registered, again.n_duplicate) == (0, 1)
        assert Review.objects.get().subject_id == again.dataset.public_id

    def test_is_searched_once_and_its_books_are_closed(self, people: People, tmp_path: Path) -> None:
        source = a_catalogue(tmp_path, n=2)
        self.cut(people, source, after=1)
        register("folk", source, people.steward, people.house)

        assert list(Registration.objects.order_by("id").values_list("n_registered", flat=True)) == [1, 1]
        with mock.patch.object(registering, "find_conflicts", return_value=0) as search:
            register("folk", source, people.steward, people.house)
        assert search.call_args.kwargs["fresh"] == []


class TestStoreChunk:
    def test_founds_the_dataset_anew_after_another_run_was_quicker(
        self, people: People, tmp_path: Path
    ) -> None:
        save = storing._save
        tries: list[int] = []

        def late(*args: Any, **options: Any) -> None:
            tries.append(1)
            if len(tries) == 1:
                raise IntegrityError
            save(*args, **options)

        with mock.patch.object(storing, "_save", late):
            done = register("folk", a_catalogue(tmp_path, n=1), people.steward, people.house)

        assert (len(tries), done.n_registered) == (2, 1)
        assert Dataset.objects.get() == done.dataset
        assert Registration.objects.get().n_registered == 1

    def test_finds_what_another_run_registered_in_the_same_moment(
        self, people: People, tmp_path: Path
    ) -> None:
        source = a_catalogue(tmp_path, n=1)
        register("others", source, people.steward, people.house)
        plan_row = storing._plan_row
        rows = []

        def too_early(surveyed: pipeline.Surveyed, *known: Any) -> Any:
            rows.append(surveyed)
            return plan_row(surveyed, *(({}, {}, {}) if len(rows) == 1 else known))

        with (
            mock.patch.object(surveying, "_is_known", return_value=""),
            mock.patch.object(storing, "_plan_row", too_early),
        ):
            done = register("folk", source, people.steward, people.house)

        assert (len(rows), done.n_registered) == (2, 1)
        assert Recording.objects.count() == 1
        assert DatasetEntry.objects.count() == 2

    def test_gives_up_when_it_is_no_passing_thing(self, people: People, tmp_path: Path) -> None:
        with (
            mock.patch.object(storing, "_save", side_effect=IntegrityError) as save,
            pytest.raises(IntegrityError),
        ):
            register("folk", a_catalogue(tmp_path, n=1), people.steward, people.house)
        assert save.call_count == pipeline.STORE_ATTEMPTS
        assert not Recording.objects.exists()
