"""The dataset commands as other programs see them: exit codes, JSON lines, and one sentence when it goes wrong."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.core.management import load_command_class
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from governance.models import Job, LedgerEvent
from provenance.models import Dataset, DatasetEntry, Grant, LicenceStatement, Recording, Registration
from tests.catalogues import TRAINING, Ran, a_catalogue, row, run, sound, table
from tests.people import People, a_dataset, an_entry, ledger_unlocked

pytestmark = pytest.mark.django_db
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")
USE = ("--purpose", TRAINING, "--commercial")
AS_STEWARD = ("--as", "data_steward")


@pytest.fixture(autouse=True)
def folders_of_their_own(people: People, tmp_path: Path, settings: Any) -> None:
    settings.INDEX_DIR = tmp_path / "indexes"


def register(name: str, source: Path, *more: str, command: str = "register_dataset") -> Ran:
    return run(command, name, "--from", source, "--wait", *AS_STEWARD, *more)


def approve(name: str, *more: str) -> Ran:
    return run("approve_dataset", name, "--as", "compliance_officer", "--reason", "Read.", *more)


def one_sentence(ran: Ran) -> str:
    """Return what a command that could not do it said: one sentence, and nothing on standard output."""
    assert ran.lines == []
    assert ran.err.count("\n") == 1, ran.err
    return ran.err.strip()


class TestRegisterDataset:
    def test_prints_a_line_a_row_and_a_summary(self, tmp_path: Path) -> None:
        ran = register("folk", a_catalogue(tmp_path))

        assert ran.code == 0
        assert [set(line) for line in ran.lines[:-1]] == [
            {"row", "external_id", "status", "recording", "reasons"}
        ] * 2
        assert [(line["row"], line["external_id"], line["status"]) for line in ran.lines[:-1]] == [
            (2, "0.wav", "registered"),
            (3, "1.wav", "registered"),
        ]
        assert all(UUID.match(line["recording"]) for line in ran.lines[:-1])
        assert set(ran.last) == {"summary"}
        assert {key: ran.summary[key] for key in ("registered", "duplicate", "rejected", "conflicts")} == {
            "registered": 2,
            "duplicate": 0,
            "rejected": 0,
            "conflicts": 0,
        }
        assert ran.summary["draft"] is True

    def test_leaves_with_0_when_all_was_known_before(self, tmp_path: Path) -> None:
        source = a_catalogue(tmp_path)
        first = register("folk", source)
        again = register("folk", source)

        assert (again.code, again.summary["duplicate"]) == (0, 2)
        assert [line["recording"] for line in again.lines[:-1]] == [
            line["recording"] for line in first.lines[:-1]
        ]

    def test_leaves_with_1_when_a_row_was_rejected(self, tmp_path: Path) -> None:
        sound(tmp_path / "a.wav", 1)
        ran = register("folk", table(tmp_path / "rows.csv", [row("a.wav"), row("gone.wav")]))

        assert (ran.code, ran.summary["registered"], ran.summary["rejected"]) == (1, 1, 1)
        rejected = ran.lines[1]
        assert (rejected["status"], rejected["recording"]) == ("rejected", None)
        assert "gone.wav" in rejected["reasons"][0]

    def test_lists_the_rows_and_keeps_nothing_where_all_are_rejected(self, tmp_path: Path) -> None:
        ran = register("folk", table(tmp_path / "rows.csv", [row("gone.wav"), row("lost.wav")]))

        assert (ran.code, ran.summary["rejected"]) == (1, 2)
        assert [line["status"] for line in ran.lines[:-1]] == ["rejected"] * 2
        assert not Dataset.objects.exists()

    def test_marks_what_has_no_audio(self, tmp_path: Path) -> None:
        ran = register("paper", table(tmp_path / "rows.csv", [{"isrc": "USRC17607839", "title": "T"}]))

        assert ran.code == 0
        assert (ran.lines[0]["audio"], ran.lines[0]["external_id"]) == ("absent", "USRC17607839")

    def test_keeps_and_reports_columns_that_nobody_knows(self, tmp_path: Path) -> None:
        sound(tmp_path / "a.wav", 1)
        ran = register("folk", table(tmp_path / "rows.csv", [row("a.wav", mood="blue")]))

        assert ran.summary["unknown_columns"] == ["mood"]
        assert "mood" in ran.err
        assert DatasetEntry.objects.get().unknown_columns == {"mood": "blue"}

    def test_keeps_nothing_of_a_dry_run(self, tmp_path: Path) -> None:
        ran = run("register_dataset", "folk", "--from", a_catalogue(tmp_path), "--dry-run", *AS_STEWARD)

        assert (ran.code, ran.summary["registered"], ran.summary["dry_run"]) == (0, 2, True)
        assert [line["recording"] for line in ran.lines[:-1]] == [None, None]  # nobody could ever ask for it
        assert not Recording.objects.exists()
        assert not Registration.objects.exists()
        assert not LedgerEvent.objects.exists()

    def test_says_with_3_that_no_worker_is_there(self, tmp_path: Path) -> None:
        import config.celery  # noqa: F401  (as manage.py does: else the broker asked is none of ours)

        ran = run("register_dataset", "folk", "--from", a_catalogue(tmp_path), *AS_STEWARD)

        assert ran.code == 3
        assert one_sentence(ran) == "No worker is running: add --wait or start `make worker`."
        assert not Job.objects.exists()

    def test_queues_a_job_where_a_worker_answers(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("governance.jobs.worker_answers", lambda queue: True)
        ran = run("register_dataset", "folk", "--from", a_catalogue(tmp_path), *AS_STEWARD)

        job = Job.objects.get()
        assert (ran.code, ran.lines) == (0, [{"job": str(job.public_id)}])
        assert (job.state, job.kind, job.asked_by.username) == (
            "queued",
            "provenance.register",
            "data_steward",
        )

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("folk", "--from", "/nowhere.csv"), "/nowhere.csv"),
            (("folk", "--from", ".", "--root", "/nowhere"), "--root /nowhere is no folder"),
            (("fo lk", "--from", "{}"), "can't name a dataset"),
            (("folk", "--from", "{}", "--as", "nobody"), "no user 'nobody'"),
            (("folk", "--from", "{}", "--as", "ml_engineer"), "may not register a dataset"),
        ],
    )
    def test_says_with_2_what_is_wrong(self, tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
        source = str(a_catalogue(tmp_path, 1))
        ran = run("register_dataset", *(word.format(source) for word in arguments), "--wait")

        assert ran.code == 2
        assert words in one_sentence(ran)
        assert not Dataset.objects.exists()

    def test_says_with_3_that_the_database_is_down(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def gone(**_: object) -> None:
            raise OperationalError("terminating connection\nserver closed the connection")

        monkeypatch.setattr("provenance.services.register", gone)
        ran = register("folk", a_catalogue(tmp_path, 1))

        assert ran.code == 3
        assert one_sentence(ran) == "The database can't be reached: terminating connection"


class TestRegisterCollection:
    def test_registers_what_is_never_trained_on(self, tmp_path: Path) -> None:
        ran = register("label", a_catalogue(tmp_path), command="register_collection")
        assert (ran.code, ran.summary["registered"]) == (0, 2)
        assert Dataset.objects.get().kind == "protected"

        for refused in (
            approve("label"),
            run("freeze_dataset", "label", *USE, *AS_STEWARD),
            register("label", tmp_path / "catalogue.csv"),
        ):
            assert refused.code == 1
            assert "protected collection" in one_sentence(refused)


class TestClearDataset:
    def test_takes_no_empty_moment_for_now(self, people: People) -> None:
        """A script whose variable was empty asked for some day, and not for today."""
        a_dataset(people.steward, people.house, n_recordings=1)
        ran = run("clear_dataset", "folk", *USE, "--at", "")
        assert (ran.code, ran.lines) == (2, [])
        assert "'' is no date or time: write 2026-03-01" in ran.err

    def test_prints_a_line_a_recording_and_a_summary(self, people: People) -> None:
        a_dataset(people.steward, people.house)
        ran = run("clear_dataset", "folk", *USE)

        assert ran.code == 0
        line = ran.lines[0]
        assert {"recording", "external_id", "sha256", "master", "composition", "answer"} <= set(line)
        for right in ("master", "composition"):
            assert {"answer", "basis", "grant", "licence", "reasons", "conditions"} <= set(line[right])
        assert line["master"]["basis"] in {"licence", "public_domain"}
        assert ran.summary["allowed"] == 2
        assert ran.summary["seconds_allowed"] == 20.0
        assert {"constrained", "not_allowed", "unknown", "draft"} <= set(ran.summary)

    @pytest.mark.parametrize(
        ("licence", "answer"),
        [
            ("CC0-1.0", "allowed"),
            ("CC-BY-SA-4.0", "constrained"),
            ("CC-BY-NC-4.0", "not_allowed"),
            ("LicenseRef-nobody-knows-this", "unknown"),
        ],
    )
    def test_leaves_with_1_unless_all_clear(self, people: People, licence: str, answer: str) -> None:
        a_dataset(people.steward, people.house, n_recordings=1, licence=licence)
        ran = run("clear_dataset", "folk", *USE)

        assert (ran.lines[0]["answer"], ran.summary[answer]) == (answer, 1)
        assert ran.code == (0 if answer == "allowed" else 1)

    def test_clears_what_is_constrained_once_every_condition_is_accepted(self, people: People) -> None:
        a_dataset(people.steward, people.house, licence="CC-BY-SA-4.0")
        assert approve("folk", "--accept-conditions", "attribution").code == 0
        assert run("clear_dataset", "folk", *USE).code == 1

        assert approve("folk", "--accept-conditions", "all").code == 0
        cleared = run("clear_dataset", "folk", *USE)

        assert (cleared.code, cleared.summary["constrained"], cleared.summary["clear"]) == (0, 2, 2)
        frozen = run("freeze_dataset", "folk", *USE, *AS_STEWARD)
        assert frozen.code == 0
        assert run("clear_dataset", "folk@1", *USE).code == 0

    def test_answers_as_of_an_instant(self, people: People, tmp_path: Path) -> None:
        a_dataset(people.steward, people.house, n_recordings=1, licence="LicenseRef-closed")
        deal = {
            "licensor": "L",
            "licensee": "House",
            "right": "both",
            "purposes": TRAINING,
            "dataset": "folk",
        }
        granted = run("register_grants", table(tmp_path / "deals.csv", [deal]), *AS_STEWARD)
        revoking = ("--as", "label_auditor", "--reason", "Unpaid.", "--from", "2031-01-01")
        assert run("revoke_grant", granted.lines[0]["grant"], *revoking).code == 0

        before = run("clear_dataset", "folk", *USE, "--at", "2030-12-31T23:59:59+00:00")
        after = run("clear_dataset", "folk", *USE, "--at", "2031-01-01")

        assert (before.code, before.lines[0]["master"]["basis"]) == (0, "grant")
        assert (after.code, after.lines[0]["answer"]) == (1, "unknown")

    def test_asks_the_database_no_more_for_more_rows(self, people: People) -> None:
        dataset = a_dataset(people.steward, people.house)
        run("clear_dataset", "folk", *USE)  # the first command makes the system user
        with CaptureQueriesContext(connection) as few:
            run("clear_dataset", "folk", *USE)
        for place in range(20, 45):
            an_entry(dataset.registrations.get(), row=place)
        with CaptureQueriesContext(connection) as many:
            assert len(run("clear_dataset", "folk", *USE).lines) == 28

        assert len(many) == len(few)

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("jazz", *USE), "; there are folk."),
            (("folk@7", *USE), "folk has no version '7'; it has none frozen yet."),
            (("folk", *USE, "--at", "someday"), "'someday' is no date or time"),
            (("folk", *USE, "--territory", "Atlantis"), "Atlantis"),
            (("folk", *USE, "--policy", "lenient"), "There is no policy 'lenient'"),
        ],
    )
    def test_says_with_2_what_is_wrong(self, people: People, arguments: tuple[str, ...], words: str) -> None:
        a_dataset(people.steward, people.house)
        ran = run("clear_dataset", *arguments)
        assert ran.code == 2
        assert words in one_sentence(ran)


class TestFreezeDataset:
    def test_prints_the_version_that_stands(self, people: People) -> None:
        a_dataset(people.steward, people.house)
        approve("folk")
        ran = run("freeze_dataset", "folk", *USE, *AS_STEWARD)

        assert ran.code == 0
        (line,) = ran.lines
        assert (line["dataset"], line["version"], line["recordings"]) == ("folk", "1", 2)
        assert re.fullmatch(r"[0-9a-f]{64}", line["merkle_root"])
        assert (line["use"]["purpose"], line["use"]["commercial"]) == (TRAINING, True)
        assert line["conditions_accepted"] == []
        assert run("freeze_dataset", "folk", *USE, *AS_STEWARD).last["version"] == "1"

    def test_freezes_what_is_cleared_at_an_instant(self, people: People) -> None:
        dataset = a_dataset(people.steward, people.house, n_recordings=1)
        an_entry(dataset.registrations.get(), row=5, licence="CC0-1.0")
        LicenceStatement.objects.filter(entry__external_id="tune-005").update(valid_until=date(2020, 1, 1))
        approve("folk")

        assert run("freeze_dataset", "folk", *USE, *AS_STEWARD).code == 1
        ran = run("freeze_dataset", "folk", *USE, "--at", "2019-12-31", *AS_STEWARD)

        assert (ran.code, ran.last["recordings"]) == (0, 2)
        assert run("freeze_dataset", "folk", *USE, "--at", "soon", *AS_STEWARD).code == 2

    def test_says_with_1_that_nobody_approved(self, people: People) -> None:
        a_dataset(people.steward, people.house)
        ran = run("freeze_dataset", "folk", *USE, *AS_STEWARD)
        assert ran.code == 1
        assert "approve_dataset folk" in one_sentence(ran)

    def test_says_what_it_left_out(self, people: People) -> None:
        dataset = a_dataset(people.steward, people.house)
        an_entry(dataset.registrations.get(), row=5, licence="CC-BY-NC-4.0")
        approve("folk")

        assert run("freeze_dataset", "folk", *USE, *AS_STEWARD).code == 1
        ran = run("freeze_dataset", "folk", *USE, "--only-cleared", *AS_STEWARD)

        assert (ran.code, ran.last["recordings"], ran.last["left_out"]) == (0, 2, 1)
        assert ran.err == "left out: tune-005 (not_allowed)\n"


class TestApproveDataset:
    def test_is_refused_to_who_may_not(self, people: People) -> None:
        a_dataset(people.steward, people.house)
        for username in ("data_steward", "ml_engineer"):
            ran = run("approve_dataset", "folk", "--as", username, "--reason", "Mine.")
            assert ran.code == 2
            assert "may not approve" in one_sentence(ran)

    def test_prints_the_decision(self, people: People) -> None:
        a_dataset(people.steward, people.house, licence="CC-BY-4.0")
        ran = approve("folk", "--accept-conditions", "attribution")

        assert ran.code == 0
        assert (ran.last["decision"], ran.last["conditions_accepted"]) == ("approved", ["attribution"])


class TestIndexDataset:
    def test_prints_what_is_covered(self, tmp_path: Path) -> None:
        register("folk", a_catalogue(tmp_path))
        ran = run("index_dataset", "folk", "--wait", *AS_STEWARD)

        assert ran.code == 0
        assert (ran.last["dataset"], ran.last["version"], ran.last["recordings"]) == ("folk", None, 2)
        assert UUID.match(ran.last["index"])
        assert isinstance(ran.last["seconds"], float)
        assert "recording" in ran.last["kinds"]

    def test_leaves_with_1_when_something_is_not_covered(self, tmp_path: Path) -> None:
        sound(tmp_path / "a.wav", 1)
        rows = [{"external_id": "", **row("a.wav")}, {"external_id": "on-paper", "path": "", "title": "P"}]
        register("folk", table(tmp_path / "rows.csv", rows))
        ran = run("index_dataset", "folk", "--wait", *AS_STEWARD)

        assert (ran.code, ran.last["recordings"]) == (1, 1)
        assert "on-paper" in ran.err

    def test_says_with_3_that_no_worker_is_there(
        self, people: People, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("governance.jobs.worker_answers", lambda queue: False)
        a_dataset(people.steward, people.house)
        ran = run("index_dataset", "folk", *AS_STEWARD)
        assert ran.code == 3
        assert one_sentence(ran) == "No worker is running: add --wait or start `make worker`."


class TestConflicts:
    def test_prints_both_sides(self, tmp_path: Path) -> None:
        source = a_catalogue(tmp_path, 1)
        register("folk", source)
        assert run("conflicts", "folk").lines == []
        register("folk", table(tmp_path / "later.csv", [row("0.wav", "CC-BY-NC-4.0")]))

        ran = run("conflicts", "folk")

        assert (ran.code, len(ran.lines)) == (0, 1)
        line = ran.last
        assert line["status"] == "open"
        assert len(line["recordings"]) == 2
        said = [[one["expression"] for one in line[side]["statements"]] for side in "ab"]
        assert said == [["CC0-1.0"] * 2, ["CC-BY-NC-4.0"] * 2]  # of both rights
        assert line["heard"] is None  # it is one file: nothing was to be heard


class TestGrants:
    def test_are_registered_row_by_row_and_revoked_by_id(self, people: People, tmp_path: Path) -> None:
        a_dataset(people.steward, people.house, licence="LicenseRef-closed")
        deal = {
            "licensor": "L",
            "licensee": "House",
            "right": "master",
            "purposes": TRAINING,
            "dataset": "folk",
        }
        source = table(tmp_path / "deals.csv", [deal, {**deal, "purposes": "fun"}])

        dry = run("register_grants", source, "--dry-run", *AS_STEWARD)
        assert not Grant.objects.exists()
        ran = run("register_grants", source, *AS_STEWARD)

        assert (dry.code, ran.code) == (1, 1)
        assert ran.summary == {"registered": 1, "duplicate": 0, "rejected": 1}
        assert dry.summary == {**ran.summary, "dry_run": True}
        revoked = run("revoke_grant", ran.lines[0]["grant"], "--as", "label_auditor", "--reason", "Unpaid.")
        assert revoked.code == 0
        assert {"grant", "recordings", "datasets", "models", "outputs"} <= set(revoked.last)
        assert (revoked.last["recordings"], revoked.last["datasets"]) == (2, ["folk"])
        again = run("revoke_grant", ran.lines[0]["grant"], "--as", "label_auditor", "--reason", "Unpaid.")
        assert (again.code, one_sentence(again)) == (1, "This grant is revoked already.")

    @pytest.mark.parametrize(
        ("named", "more", "ended"),
        [
            ("grant", (), {"master", "composition"}),
            ("deal", (), {"master", "composition"}),
            ("grant", ("--right", "composition"), {"composition"}),
            ("deal", ("--right", "master"), {"master"}),
        ],
    )
    def test_are_revoked_whole_unless_one_right_is_named(
        self, people: People, tmp_path: Path, named: str, more: tuple[str, ...], ended: set[str]
    ) -> None:
        a_dataset(people.steward, people.house, licence="LicenseRef-closed")
        deal = {
            "licensor": "L",
            "licensee": "House",
            "right": "both",
            "purposes": TRAINING,
            "dataset": "folk",
        }
        told = run("register_grants", table(tmp_path / "deals.csv", [deal]), *AS_STEWARD).lines[0]
        assert told["grants"] == [told["rights"]["master"], told["rights"]["composition"]]

        revoked = run("revoke_grant", told[named], "--as", "label_auditor", "--reason", "Unpaid.", *more).last

        assert (revoked["deal"], set(revoked["rights"])) == (told["deal"], ended)
        assert revoked["grants"] == [told["rights"][right] for right in revoked["rights"]]
        assert revoked["grant"] in revoked["grants"]
        assert revoked["recordings"] == 2
        assert set(Grant.objects.exclude(revoked_at=None).values_list("right", flat=True)) == ended

    def test_are_not_revoked_by_what_is_no_id(self) -> None:
        ran = run("revoke_grant", "the-first", "--as", "label_auditor", "--reason", "Unpaid.")
        assert ran.code == 2
        assert "no id of a grant" in one_sentence(ran)


class TestWrongArguments:
    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("register_dataset",), "the following arguments are required: NAME, --from"),
            (("register_dataset", "a", "--from", "b", "--format", "mp3"), "--format: invalid choice: 'mp3'"),
            (("clear_dataset", "a", "--purpose", "fun"), "--purpose: invalid choice: 'fun'"),
            (("conflicts", "a", "--loud"), "unrecognized arguments: --loud"),
        ],
    )
    def test_are_answered_by_one_sentence_and_2(
        self, arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        command = load_command_class("provenance", arguments[0])

        with pytest.raises(SystemExit) as left:
            command.run_from_argv(["manage.py", *arguments])

        said = capsys.readouterr()
        assert (left.value.code, said.out, said.err.count("\n")) == (2, "", 1)
        assert words in said.err
        assert said.err.endswith(f"(see `manage.py {arguments[0]} --help`)\n")


class TestAddMember:
    def test_prints_who_may_do_what_where(self) -> None:
        arguments = ("ana", "--organisation", "Rivermouth", "--role", "label_auditor")
        first, again = run("add_member", *arguments), run("add_member", *arguments)

        assert (first.code, again.code) == (0, 0)
        assert first.lines == again.lines
        assert {key: first.last[key] for key in ("user", "organisation", "role")} == {
            "user": "ana",
            "organisation": "Rivermouth",
            "role": "label_auditor",
        }
        assert LedgerEvent.objects.filter(kind="governance.member.added").count() == 1

    @pytest.mark.parametrize("name", ["cli", ""])
    def test_does_not_hand_out_the_system_user(self, name: str) -> None:
        ran = run("add_member", name, "--organisation", "House", "--role", "compliance_officer")
        assert ran.code == 2
        assert "can't be a member" in one_sentence(ran)


class TestVerifyLedger:
    def test_prints_the_head(self, tmp_path: Path) -> None:
        register("folk", a_catalogue(tmp_path, 1))
        ran = run("verify_ledger")

        last = LedgerEvent.objects.order_by("-sequence")[0]
        assert ran.code == 0
        assert ran.lines == [{"events": last.sequence, "head": last.hash, "ok": True, "first_bad": None}]

    def test_names_the_first_line_that_was_changed(self, tmp_path: Path) -> None:
        register("folk", a_catalogue(tmp_path, 1))
        with ledger_unlocked():
            LedgerEvent.objects.filter(sequence=1).update(body={"nothing": "happened"})
        ran = run("verify_ledger")

        assert (ran.code, ran.last["ok"], ran.last["first_bad"]) == (1, False, 1)


class TestJson:
    def test_is_written_for_names_that_are_no_utf_8(self, tmp_path: Path) -> None:
        name = "caf\udce9.wav"
        sound(tmp_path / "good.wav", 1)
        (tmp_path / "good.wav").rename(tmp_path / name)
        sound(tmp_path / "other.wav", 2)

        ran = register("folk", tmp_path)

        assert (ran.code, ran.summary["registered"], ran.summary["rejected"]) == (1, 1, 1)
        assert "is not UTF-8" in ran.lines[0]["reasons"][0]
        json.loads(ran.out.encode().splitlines()[0])
