"""Conflicts: found among what is new, kept once, and closed by a person."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from django.utils import timezone

from governance import ledger
from governance import services as governance
from governance.errors import ConflictError, NotAllowedError
from governance.models import LedgerEvent, Review, User
from provenance import queries, services
from provenance.errors import ProvenanceError
from provenance.models import Conflict, ConflictStatus, Recording
from tests.catalogues import a_catalogue, answers, approve, register, row, sound, table
from tests.people import People

pytestmark = pytest.mark.django_db


class TestFindConflicts:
    def test_finds_none_where_all_agrees(self, people: People, tmp_path: Path) -> None:
        assert register("folk", a_catalogue(tmp_path, 3), people.steward, people.house).n_conflicts == 0

    def test_finds_one_file_under_two_licences_in_one_table(self, people: People, tmp_path: Path) -> None:
        sound(tmp_path / "a.wav", 1)
        shutil.copy(tmp_path / "a.wav", tmp_path / "b.wav")
        source = table(tmp_path / "rows.csv", [row("a.wav"), row("b.wav", "CC-BY-NC-4.0")])

        done = register("folk", source, people.steward, people.house)

        assert (done.n_registered, done.n_duplicate, done.n_conflicts) == (1, 1, 1)
        assert Recording.objects.count() == 1
        assert answers(done.dataset) == {"a.wav": "not_allowed"}  # the stricter side holds

    def test_finds_one_file_under_two_licences_in_two_runs(self, people: People, tmp_path: Path) -> None:
        source = a_catalogue(tmp_path, 1)
        first = register("folk", source, people.steward, people.house)
        approve(first.dataset, people.officer)
        later = table(tmp_path / "later.csv", [row("0.wav", "CC-BY-NC-4.0")])

        again = register("folk", later, people.steward, people.house)

        assert (again.n_duplicate, again.n_conflicts) == (1, 1)
        found = Conflict.objects.get()
        assert found.kind == "one_recording_two_licences"  # nothing was heard, and it is one row
        assert ": the steward states it twice, as CC0-1.0 and as CC-BY-NC-4.0 (master)" in found.summary
        assert answers(again.dataset) == {"0.wav": "not_allowed"}
        assert queries.approval_of(again.dataset) is None
        assert Review.objects.filter(decision="pending").exists()  # somebody is asked again

    def test_finds_one_file_under_two_licences_in_two_datasets(self, people: People, tmp_path: Path) -> None:
        register("folk", a_catalogue(tmp_path, 1), people.steward, people.house)
        other = table(tmp_path / "other.csv", [row("0.wav", "CC-BY-NC-4.0")])

        assert register("jazz", other, people.steward, people.house).n_conflicts == 1
        assert Conflict.objects.get().kind == "same_sound_two_licences"

    def test_says_of_a_row_without_sound_that_it_is_one_recording(
        self, people: People, tmp_path: Path
    ) -> None:
        for licence in ("CC-BY-SA-3.0", "CC-BY-NC-4.0"):
            rows = [{"external_id": "t-1", "title": "Tune", "licence": licence}]
            register("folk", table(tmp_path / f"{licence}.csv", rows), people.steward, people.house)
        found = Conflict.objects.get()
        assert (found.kind, found.heard) == ("one_recording_two_licences", None)
        assert found.recording_a == found.recording_b
        assert "states it twice" in found.summary
        assert "in one place" not in found.summary

    def test_finds_the_same_samples_in_another_encoding(self, people: People, tmp_path: Path) -> None:
        sound(tmp_path / "a.wav", 1)
        subprocess.run(
            ["ffmpeg", "-loglevel", "error", "-i", tmp_path / "a.wav", tmp_path / "a.flac"], check=True
        )
        source = table(tmp_path / "rows.csv", [row("a.wav"), row("a.flac", "CC-BY-NC-4.0")])

        done = register("folk", source, people.steward, people.house)

        assert (done.n_registered, done.n_conflicts) == (2, 1)
        assert len(set(Recording.objects.values_list("samples_sha256", flat=True))) == 1
        assert Conflict.objects.get().kind == "same_sound_two_licences"
        assert "allowed" not in answers(done.dataset).values()

    def test_hears_the_same_music_after_lossy_encoding(self, people: People, tmp_path: Path) -> None:
        sound(tmp_path / "a.wav", 1, 20.0)
        subprocess.run(
            ["ffmpeg", "-loglevel", "error", "-i", tmp_path / "a.wav", "-b:a", "64k", tmp_path / "a.mp3"],
            check=True,
        )
        sound(tmp_path / "c.wav", 2, 20.0)
        rows = [row("a.wav"), row("a.mp3", "CC-BY-NC-4.0"), row("c.wav", "CC-BY-NC-4.0")]

        done = register("folk", table(tmp_path / "rows.csv", rows), people.steward, people.house)

        conflict = Conflict.objects.get()
        sides = {conflict.recording_a.title, conflict.recording_b.title}
        assert (done.n_conflicts, sides) == (1, {"Tune a.wav", "Tune a.mp3"})

    def test_makes_one_finding_of_a_pair_however_many_statements_differ(
        self, people: People, tmp_path: Path
    ) -> None:
        sound(tmp_path / "a.wav", 1)
        licences = ["CC-BY-4.0", "CC-BY-NC-4.0", "CC-BY-SA-4.0", "GPL-3.0-only"]
        for name in "bcd":
            shutil.copy(tmp_path / "a.wav", tmp_path / f"{name}.wav")
        rows = [row(f"{name}.wav", licence) for name, licence in zip("abcd", licences, strict=True)]

        done = register("folk", table(tmp_path / "rows.csv", rows), people.steward, people.house)

        conflict = Conflict.objects.get()
        sides = [
            {said["expression"] for said in side["statements"]}
            for side in (conflict.evidence_a, conflict.evidence_b)
        ]
        assert (done.n_conflicts, sides) == (1, [{licences[0]}, set(licences[1:])])

    def test_adds_later_evidence_to_an_open_finding(self, people: People, tmp_path: Path) -> None:
        register("folk", a_catalogue(tmp_path, 1), people.steward, people.house)
        for place, licence in enumerate(["CC-BY-NC-4.0", "GPL-3.0-only"]):
            later = table(tmp_path / f"{place}.csv", [row("0.wav", licence)])
            again = register("folk", later, people.steward, people.house)

        conflict = Conflict.objects.get()
        assert again.n_conflicts == 1
        said = [*conflict.evidence_a["statements"], *conflict.evidence_b["statements"]]
        assert {one["expression"] for one in said} == {"CC0-1.0", "CC-BY-NC-4.0", "GPL-3.0-only"}
        assert ledger.verify().ok

    def test_keeps_a_finding_once(self, people: People, tmp_path: Path) -> None:
        sound(tmp_path / "a.wav", 1)
        shutil.copy(tmp_path / "a.wav", tmp_path / "b.wav")
        source = table(tmp_path / "rows.csv", [row("a.wav"), row("b.wav", "CC-BY-NC-4.0")])
        dataset = register("folk", source, people.steward, people.house).dataset

        n_open = services.find_conflicts(dataset=dataset, by=people.steward, now=timezone.now())

        assert (n_open, Conflict.objects.count()) == (1, 1)


class TestMetadataAlone:
    """Recordings without audio, named in two datasets."""

    def rows(self, licence: str = "CC0-1.0", **cells: str) -> list[dict[str, str]]:
        return [
            {
                "external_id": f"{licence}-{number}",
                "isrc": f"USRC1760{number:04d}",
                "title": f"Tune {number}",
                "artist": "Ann",
                "licence": licence,
                **cells,
            }
            for number in range(20)
        ]

    def test_that_agrees_is_no_finding(self, people: People, tmp_path: Path) -> None:
        register("one", table(tmp_path / "one.csv", self.rows()), people.steward, people.house)
        rows = [{**one, "external_id": f"again-{one['external_id']}"} for one in self.rows()]
        done = register("two", table(tmp_path / "two.csv", rows), people.steward, people.house)
        assert (done.n_registered, done.n_conflicts) == (20, 0)

    def test_that_contradicts_is_one_finding_a_recording(self, people: People, tmp_path: Path) -> None:
        register("one", table(tmp_path / "one.csv", self.rows()), people.steward, people.house)
        other = table(tmp_path / "two.csv", self.rows("CC-BY-NC-4.0"))
        done = register("two", other, people.steward, people.house)
        assert done.n_conflicts == 20
        assert set(Conflict.objects.values_list("kind", flat=True)) == {"one_isrc_two_licences"}
        for name in ("one", "two"):
            dataset, _ = queries.dataset_named(name, [people.house])
            assert set(answers(dataset).values()) == {"not_allowed"}

    def test_with_two_owners_shows_both_claims(self, people: People, tmp_path: Path) -> None:
        for name in ("Blue Label", "Red Label"):
            rows = [{**one, "external_id": f"{name}-{one['isrc']}"} for one in self.rows(master_owner=name)]
            done = register(name[:3], table(tmp_path / f"{name}.csv", rows), people.steward, people.house)
        conflict = Conflict.objects.filter(kind="one_isrc_two_holders").first()
        assert done.n_conflicts == 20
        assert conflict is not None
        parties = {side["claims"][0]["party"] for side in (conflict.evidence_a, conflict.evidence_b)}
        assert parties == {"Blue Label", "Red Label"}


class TestCloseConflicts:
    @pytest.fixture
    def conflicts(self, people: People, tmp_path: Path) -> list[Conflict]:
        register("folk", a_catalogue(tmp_path, 3), people.steward, people.house)
        later = table(tmp_path / "later.csv", [row(f"{n}.wav", "CC-BY-NC-4.0") for n in range(3)])
        register("folk", later, people.steward, people.house)
        return list(Conflict.objects.all())

    def close(self, conflicts: list[Conflict], by: User, **more: str) -> list[Conflict]:
        return services.close_conflicts(
            conflicts=conflicts,
            status=ConflictStatus.RESOLVED,
            reason="The later table is right.",
            by=by,
            now=timezone.now(),
            **more,
        )

    def test_closes_them_with_one_reason_and_one_event(
        self, people: People, conflicts: list[Conflict]
    ) -> None:
        n_events = LedgerEvent.objects.count()
        self.close(conflicts, people.steward)
        assert set(Conflict.objects.values_list("status", "reason")) == {
            ("resolved", "The later table is right.")
        }
        assert LedgerEvent.objects.count() == n_events + 1
        assert ledger.verify().ok

    def test_closes_all_or_none(self, people: People, conflicts: list[Conflict]) -> None:
        self.close(conflicts[:1], people.officer)
        with pytest.raises(ConflictError):
            self.close(conflicts, people.steward)
        assert Conflict.objects.filter(status=ConflictStatus.OPEN).count() == 2

    def test_is_for_one_kind_at_a_time(self, people: People, conflicts: list[Conflict]) -> None:
        conflicts[0].kind = "same_isrc"
        with pytest.raises(ProvenanceError, match="one kind"):
            self.close(conflicts, people.steward)

    def test_follows_a_source_only_where_it_speaks_for_one_side(
        self, people: People, conflicts: list[Conflict]
    ) -> None:
        for conflict in conflicts:
            for said, source in (
                (conflict.evidence_a, "embedded_tag"),
                (conflict.evidence_b, "package_file"),
            ):
                for one in said["statements"]:
                    one["source"] = source
        closed = self.close(conflicts, people.steward, in_favour_of="package_file")
        assert {one.in_favour_of for one in closed} == {"b"}
        with pytest.raises(ProvenanceError, match="does not speak for one side"):
            self.close(conflicts, people.steward, in_favour_of="registry")


class TestCloseConflict:
    @pytest.fixture
    def conflict(self, people: People, tmp_path: Path) -> Conflict:
        register("folk", a_catalogue(tmp_path, 1), people.steward, people.house)
        later = table(tmp_path / "later.csv", [row("0.wav", "CC-BY-NC-4.0")])
        register("folk", later, people.steward, people.house)
        return Conflict.objects.get()

    def test_is_recorded_with_its_reason(self, people: People, conflict: Conflict) -> None:
        closed = services.close_conflict(
            conflict=conflict,
            status=ConflictStatus.RESOLVED,
            reason="The author wrote to us.",
            by=people.steward,
            now=timezone.now(),
        )

        assert (closed.status, closed.resolved_by) == ("resolved", people.steward)
        assert closed.in_favour_of == "both"  # nobody was found wrong
        with pytest.raises(ConflictError, match="closed this conflict already"):
            services.close_conflict(
                conflict=conflict,
                status=ConflictStatus.DISMISSED,
                reason="No.",
                by=people.officer,
                now=timezone.now(),
            )

    def test_stays_closed_when_the_source_is_registered_again(
        self, people: People, conflict: Conflict, tmp_path: Path
    ) -> None:
        services.close_conflict(
            conflict=conflict,
            status=ConflictStatus.DISMISSED,
            reason="Seen.",
            by=people.steward,
            now=timezone.now(),
        )
        again = register("folk", tmp_path / "later.csv", people.steward, people.house)

        assert (again.n_conflicts, Conflict.objects.count()) == (0, 1)

    def test_does_not_hide_what_is_found_later(
        self, people: People, conflict: Conflict, tmp_path: Path
    ) -> None:
        services.close_conflict(
            conflict=conflict,
            status=ConflictStatus.DISMISSED,
            reason="Seen.",
            by=people.steward,
            now=timezone.now(),
        )
        third = table(tmp_path / "third.csv", [row("0.wav", "GPL-3.0-only")])

        assert register("folk", third, people.steward, people.house).n_conflicts == 1
        assert Conflict.objects.filter(status=ConflictStatus.OPEN).count() == 1
        conflict.refresh_from_db()
        assert conflict.reason == "Seen."

    @pytest.mark.parametrize(
        ("status", "in_favour_of", "answer"),
        [
            (ConflictStatus.RESOLVED, "cc0", "allowed"),
            (ConflictStatus.RESOLVED, "nc", "not_allowed"),
            (ConflictStatus.RESOLVED, "both", "not_allowed"),
        ],
    )
    def test_makes_the_chosen_side_hold_from_then_on(
        self, people: People, conflict: Conflict, status: ConflictStatus, in_favour_of: str, answer: str
    ) -> None:
        sides = {
            "cc0" if side["statements"][0]["expression"] == "CC0-1.0" else "nc": name
            for name, side in (("a", conflict.evidence_a), ("b", conflict.evidence_b))
        }
        dataset, _ = queries.dataset_named("folk", [people.house])
        before = timezone.now()

        services.close_conflict(
            conflict=conflict,
            status=status,
            in_favour_of=sides.get(in_favour_of, in_favour_of),
            reason="The author wrote to us.",
            by=people.steward,
            now=timezone.now(),
        )

        assert answers(dataset) == {"0.wav": answer}
        assert answers(dataset, at=before) == {"0.wav": "not_allowed"}  # as it was answered then

    def test_makes_the_chosen_side_hold_for_the_other_recording(self, people: People, tmp_path: Path) -> None:
        sound(tmp_path / "a.wav", 1)
        subprocess.run(
            ["ffmpeg", "-loglevel", "error", "-i", tmp_path / "a.wav", tmp_path / "a.flac"], check=True
        )
        rows = [row("a.wav"), row("a.flac", "CC-BY-NC-4.0")]
        dataset = register("folk", table(tmp_path / "rows.csv", rows), people.steward, people.house).dataset
        conflict = Conflict.objects.get()
        free = "a" if conflict.evidence_a["statements"][0]["expression"] == "CC0-1.0" else "b"

        services.close_conflict(
            conflict=conflict,
            status=ConflictStatus.RESOLVED,
            in_favour_of=free,
            reason="One recording, and its author says so.",
            by=people.steward,
            now=timezone.now(),
        )

        assert set(answers(dataset).values()) == {"allowed"}
        assert ledger.verify().ok

    def test_takes_a_side_only_where_there_are_two(self, people: People, conflict: Conflict) -> None:
        conflict.evidence_b = {"statements": []}
        for status, side, why in (
            (ConflictStatus.RESOLVED, "a", "no side to favour"),
            (ConflictStatus.DISMISSED, "a", "takes no side"),
            (ConflictStatus.RESOLVED, "left", "in favour of a, b or both"),
        ):
            with pytest.raises(ProvenanceError, match=why):
                services.close_conflict(
                    conflict=conflict,
                    status=status,
                    in_favour_of=side,
                    reason="So.",
                    by=people.steward,
                    now=timezone.now(),
                )

    def test_is_for_a_person_with_a_reason(self, people: People, conflict: Conflict) -> None:
        for by, reason, error in (
            (governance.system_user(), "Because.", ProvenanceError),
            (people.steward, "  ", ProvenanceError),
            (people.engineer, "Because.", NotAllowedError),
            (people.stranger, "Because.", NotAllowedError),
        ):
            with pytest.raises(error):
                services.close_conflict(
                    conflict=conflict,
                    status=ConflictStatus.RESOLVED,
                    reason=reason,
                    by=by,
                    now=timezone.now(),
                )
