"""The model commands as other programs see them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
from django.db import connections
from django.utils import timezone

from generation import services
from generation.errors import StoppedError
from generation.models import Check, GenerativeModel, ModelVersion, TrainingRun
from generation.pipeline import Answer
from generation.services import checking
from governance.models import LedgerEvent
from provenance.models import Dataset
from provenance.services import freeze_dataset
from tests import signals
from tests.catalogues import (
    TRAINING,
    Ran,
    a_catalogue,
    approve,
    register,
    row,
    run,
    sound,
    table,
    training,
)
from tests.generation.models_on_disk import TINY, a_model, freeze, weights
from tests.people import People
from tests.provenance.test_commands import one_sentence

pytestmark = pytest.mark.django_db
AS_ENGINEER = ("--as", "ml_engineer")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="class")
def standing_folk(class_db: Path, founded_people: People) -> Dataset:
    source = a_catalogue(class_db / "music", 3)
    return register("folk", source, founded_people.steward, founded_people.house).dataset


@pytest.fixture
def folk(standing_folk: Dataset, db: None) -> Dataset:
    return deepcopy(standing_folk)


@pytest.fixture(scope="class")
def standing_notes(class_db: Path, founded_people: People) -> Dataset:
    names = [f"{place}.mid" for place in range(4)]
    for place, name in enumerate(names):
        signals.write_midi(class_db / name, signals.melody(seed=place))
    source = table(class_db / "rows.csv", [row(name) for name in names])
    return register("notes", source, founded_people.steward, founded_people.house).dataset


@pytest.fixture
def notes(standing_notes: Dataset, db: None) -> Dataset:
    return deepcopy(standing_notes)


def train(*arguments: str) -> Ran:
    return run("train_model", "tide", *arguments, *AS_ENGINEER)


class TestTrainModel:
    def test_prints_what_came_of_it(self, people: People, notes: Dataset, tmp_path: Path) -> None:
        freeze(notes, people.officer, people.steward)
        (tmp_path / "tiny.json").write_text(json.dumps({**TINY, "batch": 2}))
        arguments = ("--dataset", "notes@1", "--architecture", "symbolic", "--steps", "2", "--seed", "3")

        ran = train(*arguments, "--config", str(tmp_path / "tiny.json"))

        assert ran.code == 0, ran.err
        assert (ran.last["model"], ran.last["version"], ran.last["dataset"]) == ("tide", "1", "notes@1")
        assert len(ran.last["weights_sha256"]) == 64
        training_run = TrainingRun.objects.get()
        assert (training_run.state, training_run.seed) == ("done", 3)
        hashes = set(notes.entries.values_list("recording__sha256", flat=True))
        assert set(training_run.trained_on) | set(training_run.held_out) == hashes
        assert LedgerEvent.objects.filter(kind="generation.model.trained").count() == 1

    def test_refuses_with_1_a_version_frozen_for_another_use(self, people: People, notes: Dataset) -> None:
        freeze(notes, people.officer, people.steward, purpose="data_mining")
        ran = train("--dataset", "notes@1", "--architecture", "symbolic", "--steps", "1")

        assert ran.code == 1
        assert "was frozen for data_mining" in one_sentence(ran)
        assert not TrainingRun.objects.exists()
        assert not GenerativeModel.objects.exists()

    @pytest.mark.parametrize("steps", ["0", "-5"])
    def test_of_no_step_is_refused_and_not_taken_for_the_default(
        self, people: People, notes: Dataset, steps: str
    ) -> None:
        freeze(notes, people.officer, people.steward)
        ran = train("--dataset", "notes@1", "--architecture", "symbolic", "--steps", steps)

        assert ran.code == 2
        assert f"--steps is {steps}" in one_sentence(ran)
        assert not TrainingRun.objects.exists()

    def test_that_was_stopped_is_resumed_and_its_time_is_counted_whole(
        self, people: People, notes: Dataset
    ) -> None:
        version = freeze(notes, people.officer, people.steward)
        given: dict[str, Any] = {
            "name": "tide",
            "dataset_version": version,
            "architecture": "symbolic",
            "settings_given": {**TINY, "batch": 2},
            "steps": 2,
            "seed": 3,
            "device": "cpu",
            "by": people.engineer,
        }
        with pytest.raises(StoppedError, match="--resume goes on"):
            services.train_model(**given, now=timezone.now(), should_stop=lambda: True)
        stopped = TrainingRun.objects.get()
        assert (stopped.state, bool(stopped.problem)) == ("stopped", True)
        assert stopped.seconds is not None

        services.train_model(**given, now=timezone.now(), resume=True)
        done = TrainingRun.objects.get()
        assert (done.state, done.problem, done.pk) == ("done", "", stopped.pk)
        assert done.seconds is not None
        assert done.seconds > stopped.seconds

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("--dataset", "notes"), "notes is a draft"),
            (("--dataset", "nothing@1"), "There is no dataset 'nothing' in"),
            (("--dataset", "notes@1", "--config", "/nowhere.json"), "can't be read"),
        ],
    )
    def test_says_with_2_what_is_wrong(
        self, people: People, notes: Dataset, arguments: tuple[str, ...], words: str
    ) -> None:
        freeze(notes, people.officer, people.steward)
        ran = train(*arguments, "--architecture", "symbolic")
        assert ran.code == 2
        assert words in one_sentence(ran)

    def test_says_with_2_which_architectures_there_are(self, people: People, notes: Dataset) -> None:
        freeze(notes, people.officer, people.steward)
        ran = train("--dataset", "notes@1", "--architecture", "theremin")
        assert ran.code == 2
        assert "symbolic" in one_sentence(ran)


class TestRegisterModel:
    def test_prints_the_version(self, people: People, folk: Dataset, tmp_path: Path) -> None:
        freeze(folk, people.officer, people.steward)
        given = ("--weights", str(weights(tmp_path / "w")), "--architecture", "symbolic")
        ran = run("register_model", "tide", *given, "--dataset", "folk@1", *AS_ENGINEER)

        assert (ran.code, ran.last["version"], ran.last["dataset"]) == (0, "1", "folk@1")
        assert ran.last["weights_sha256"] == ModelVersion.objects.get().weights_sha256

    def test_refuses_with_1_a_version_frozen_for_another_use(
        self, people: People, folk: Dataset, tmp_path: Path
    ) -> None:
        freeze(folk, people.officer, people.steward, purpose="data_mining")
        given = ("--weights", str(weights(tmp_path / "w")), "--architecture", "symbolic")
        ran = run("register_model", "tide", *given, "--dataset", "folk@1", *AS_ENGINEER)

        assert ran.code == 1
        assert "was frozen for data_mining" in one_sentence(ran)
        assert not GenerativeModel.objects.exists()

    def test_refuses_with_2_weights_that_say_they_heard_other_music(
        self, people: People, folk: Dataset, tmp_path: Path
    ) -> None:
        freeze(folk, people.officer, people.steward)
        folder = weights(tmp_path / "w", dataset={"version": "elsewhere", "merkle_root": "ab" * 32})
        given = ("--weights", str(folder), "--architecture", "symbolic", "--dataset", "folk@1")
        ran = run("register_model", "tide", *given, *AS_ENGINEER)

        assert ran.code == 2
        assert "trained on other music" in one_sentence(ran)
        assert not GenerativeModel.objects.exists()

    def test_stays_with_whose_music_it_heard(self, people: People, tmp_path: Path) -> None:
        """The engineer's first organisation is the house; colleagues there are no members elsewhere."""
        jazz = register("jazz", a_catalogue(tmp_path / "jazz", 1), people.stranger, people.elsewhere).dataset
        for user in (people.engineer, people.officer):
            for role in ("ml_engineer", "compliance_officer"):
                user.memberships.create(organisation=people.elsewhere, role=role, valid_from=timezone.now())
        freeze(jazz, people.officer, people.stranger)
        given = ("--weights", str(weights(tmp_path / "w")), "--architecture", "symbolic")
        ran = run("register_model", "tide", *given, "--dataset", "jazz@1", *AS_ENGINEER)

        assert ran.code == 0, ran.err
        assert GenerativeModel.objects.get().organisation == people.elsewhere

    @pytest.mark.parametrize("damage", ["gone", "text", "cut"])
    def test_says_with_2_that_weights_are_none(self, people: People, tmp_path: Path, damage: str) -> None:
        folder = weights(tmp_path / "w")
        (tensors,) = folder.glob("*.safetensors")
        if damage == "gone":
            folder = tmp_path / "nowhere"
        elif damage == "text":
            tensors.write_text("no tensors")
        else:
            tensors.write_bytes(tensors.read_bytes()[:-20])
        given = ("--weights", str(folder), "--architecture", "symbolic", "--dataset-unknown")
        ran = run("register_model", "tide", *given, *AS_ENGINEER)

        assert ran.code == 2
        assert "can't be registered" in one_sentence(ran)
        assert not GenerativeModel.objects.exists()


class TestGenerate:
    def test_writes_null_and_leaves_with_1_for_what_is_held(
        self, people: People, folk: Dataset, tmp_path: Path
    ) -> None:
        a_model(tmp_path, None, people.engineer, people.house)
        given = ("--seconds", "4", "--n", "2", "--seed", "9", "--out", str(tmp_path / "out"))
        ran = run("generate", "tide", *given, *AS_ENGINEER)

        assert (ran.code, len(ran.lines)) == (1, 2)
        for line in ran.lines:
            assert {
                "generation",
                "file",
                "sha256",
                "model",
                "seed",
                "prompt",
                "seconds",
                "check",
                "released",
            } <= set(line)
            assert (line["file"], line["released"], line["model"]) == (None, False, "tide@1")
            assert line["check"]["verdict"] in {"no_match", "review", "blocked", "unverifiable"}
        assert not list(tmp_path.glob("out/**/*"))
        assert Check.objects.count() == 2

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("storm",), "There is no model 'storm'"),
            (("tide@4",), "tide has no version '4'"),
            (("tide", "--n", "0"), "--n is 0"),
            (("tide", "--prompt-audio", "/nowhere.wav"), "there is no file /nowhere.wav"),
            (("tide", "--out", "/proc/nowhere"), "can be written to --out /proc/nowhere"),
        ],
    )
    def test_says_with_2_what_is_wrong(
        self, people: People, tmp_path: Path, arguments: tuple[str, ...], words: str
    ) -> None:
        a_model(tmp_path, None, people.engineer, people.house)
        ran = run("generate", "--out", str(tmp_path / "out"), *arguments, *AS_ENGINEER)
        assert ran.code == 2
        assert words in one_sentence(ran)


def in_another_process(checked: Callable[..., Answer]) -> Callable[..., Answer]:
    here = os.getpid()

    def check(*told: Any, **named: Any) -> Answer:
        assert os.getpid() != here
        return checked(*told, **named)

    return check


class TestCheckAudio:
    def test_prints_a_line_a_file_in_the_order_given(self, folk: Dataset, tmp_path: Path) -> None:
        copy = sound(tmp_path / "copy.wav", 1)
        other = sound(tmp_path / "other.wav", 77)
        (tmp_path / "bad.wav").write_text("no audio")
        names = [str(copy), str(tmp_path / "bad.wav"), str(other)]

        ran = run("check_audio", *names, "--against", "folk")

        assert ran.code == 1
        assert [line["file"] for line in ran.lines] == names
        first, bad, last = ran.lines
        assert first["verdict"] == "blocked"
        assert {
            "sha256",
            "seconds",
            "reasons",
            "index",
            "kinds_not_checked",
            "policy",
            "matches",
            "elapsed_s",
        } <= set(first)
        best = first["matches"][0]
        assert (best["external_id"], best["p_value"], best["kind"]) == ("1.wav", None, "recording")
        assert best["reference_end_s"] > best["reference_start_s"]
        scores = [match["score"] for match in first["matches"]]
        assert scores == sorted(scores, reverse=True)
        assert (first["index"]["dataset"], first["index"]["covers_all"]) == ("folk", True)
        assert (bad["verdict"], bad["sha256"]) == ("unverifiable", hashlib.sha256(b"no audio").hexdigest())
        assert "bad.wav" in bad["reasons"][0]
        assert last["verdict"] == "no_match"
        assert Check.objects.count() == 3

    def test_leaves_with_0_when_nothing_matches(self, folk: Dataset, tmp_path: Path) -> None:
        (tmp_path / "list").write_text(f"{sound(tmp_path / 'other.wav', 77)}\n")
        ran = run("check_audio", "--files-from", tmp_path / "list", "--against", "folk")
        assert (ran.code, ran.lines[0]["verdict"]) == (0, "no_match")

    def test_checks_several_at_once_and_answers_alike(
        self, folk: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What finds no copy asks nothing of the database, whose connection is the test's and can't be let go of."""
        (tmp_path / "bad.wav").write_text("no audio")
        names = [str(tmp_path / "bad.wav"), str(sound(tmp_path / "other.wav", 77))]
        by_one = run("check_audio", *names, "--against", "folk", "--processes", "1")
        monkeypatch.setattr(checking, "_is_in_transaction", lambda: False)
        monkeypatch.setattr(connections, "close_all", lambda: None)
        monkeypatch.setattr(checking, "_checked", in_another_process(checking._checked))

        by_two = run("check_audio", *names, "--against", "folk", "--processes", "2")

        assert by_two.code == by_one.code
        assert [line | {"elapsed_s": 0} for line in by_two.lines] == [
            line | {"elapsed_s": 0} for line in by_one.lines
        ]

    def test_can_not_say_no_match_where_something_is_not_covered(
        self, people: People, folk: Dataset, tmp_path: Path
    ) -> None:
        source = table(tmp_path / "paper.csv", [{"external_id": "on-paper", "title": "P"}])
        register("folk", source, people.steward, people.house)
        ran = run("check_audio", sound(tmp_path / "other.wav", 77), "--against", "folk")

        assert (ran.code, ran.lines[0]["verdict"]) == (1, "unverifiable")
        assert ran.lines[0]["index"]["covers_all"] is False

    def test_takes_names_that_are_no_utf_8(self, folk: Dataset, tmp_path: Path) -> None:
        path = sound(tmp_path / "x.wav", 77).rename(tmp_path / "caf\udce9.wav")
        ran = run("check_audio", path, "--against", "folk")
        assert (ran.code, ran.lines[0]["file"]) == (0, str(path))

    def test_is_kept_with_whose_music_was_asked_and_shows_nothing_of_another(
        self, people: People, folk: Dataset, tmp_path: Path
    ) -> None:
        """The caller's home is the house; their colleagues there are no members elsewhere."""
        source = a_catalogue(tmp_path / "jazz", 1, first_seed=1)
        jazz = register("jazz", source, people.stranger, people.elsewhere).dataset
        people.engineer.memberships.create(
            organisation=people.elsewhere, role="ml_engineer", valid_from=timezone.now()
        )
        ran = run("check_audio", sound(tmp_path / "copy.wav", 1), "--against", "folk", "jazz", *AS_ENGINEER)

        accepted = [match for match in ran.last["matches"] if match["accepted"]]
        assert len({match["recording"] for match in accepted}) == 2
        house, elsewhere = (Check.objects.get(organisation=one) for one in (people.house, people.elsewhere))
        assert list(house.against.all()) == [folk]
        assert list(elsewhere.against.all()) == [jazz]
        for check in (house, elsewhere):
            assert {match.recording.organisation_id for match in check.matches.all()} == {
                check.organisation_id
            }

    def test_is_kept_elsewhere_alone_where_only_that_music_was_asked(
        self, people: People, tmp_path: Path
    ) -> None:
        register("jazz", a_catalogue(tmp_path / "jazz", 1), people.stranger, people.elsewhere)
        people.engineer.memberships.create(
            organisation=people.elsewhere, role="ml_engineer", valid_from=timezone.now()
        )
        run("check_audio", sound(tmp_path / "other.wav", 77), "--against", "jazz", *AS_ENGINEER)
        assert Check.objects.get().organisation == people.elsewhere
        event = LedgerEvent.objects.get(kind="generation.output.checked")
        assert event.organisation_id == people.elsewhere.public_id

    def test_is_not_for_external_auditors(self, folk: Dataset, tmp_path: Path) -> None:
        ran = run(
            "check_audio", sound(tmp_path / "other.wav", 77), "--against", "folk", "--as", "external_auditor"
        )
        assert ran.code == 2
        assert "may not check a file" in one_sentence(ran)
        assert not Check.objects.exists()

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("--against", "folk"), "No file is named"),
            (("a.wav",), "Say what to check against"),
            (("a.wav", "--against", "jazz"), "There is no dataset 'jazz' in"),
            (("a.wav", "--against", "folk", "--kinds", "mood"), "There is no kind mood"),
            (("--files-from", "/nowhere", "--against", "folk"), "/nowhere can't be read"),
        ],
    )
    def test_says_with_2_what_is_wrong(self, folk: Dataset, arguments: tuple[str, ...], words: str) -> None:
        ran = run("check_audio", *arguments)
        assert ran.code == 2
        assert words in one_sentence(ran)


class TestRevokeGrant:
    def test_names_the_models_that_it_reaches(self, people: People, tmp_path: Path) -> None:
        source = a_catalogue(tmp_path / "music", 1, licence="LicenseRef-closed")
        dataset = register("folk", source, people.steward, people.house).dataset
        deal = {"licensor": "L", "licensee": "H", "right": "both", "purposes": TRAINING, "dataset": "folk"}
        granted = run("register_grants", table(tmp_path / "deals.csv", [deal]), "--as", "data_steward")
        version = freeze(dataset, people.officer, people.steward)
        a_model(tmp_path, version, people.engineer, people.house)

        grant = granted.lines[0]["grants"][1]
        ran = run("revoke_grant", grant, "--as", "label_auditor", "--reason", "Unpaid.")

        assert ran.code == 0
        assert {key: ran.last[key] for key in ("grant", "recordings", "datasets", "models", "outputs")} == {
            "grant": grant,
            "recordings": 1,
            "datasets": ["folk"],
            "models": ["tide@1"],
            "outputs": 0,
        }
        refused = run(
            "train_model", "wave", "--dataset", "folk@1", "--architecture", "symbolic", *AS_ENGINEER
        )
        assert refused.code == 1
        assert "no longer cleared for training" in one_sentence(refused)

    def test_ends_nothing_against_its_terms_in_silence(self, people: People, tmp_path: Path) -> None:
        source = a_catalogue(tmp_path / "music", 1, licence="LicenseRef-closed")
        register("folk", source, people.steward, people.house)
        deal = {"licensor": "L", "licensee": "H", "right": "master", "purposes": TRAINING, "dataset": "folk"}
        bound = {**deal, "revocable": "no", "notice_days": "30"}
        granted = run("register_grants", table(tmp_path / "deals.csv", [bound]), "--as", "data_steward")
        asked = ("revoke_grant", granted.lines[0]["grant"], "--as", "label_auditor", "--reason", "Unpaid.")

        refused = run(*asked)
        assert refused.code == 2
        assert "By the deal's terms its grant of the master is irrevocable." in one_sentence(refused)

        ran = run(*asked, "--despite-terms", "Set aside in court.")
        assert ran.code == 0
        irrevocable, notice = ran.last["notes"]
        assert irrevocable.endswith("It ends all the same: Set aside in court.")
        assert "asks for 30 days of notice: it holds until" in notice
        ends = datetime.fromisoformat(ran.last["from"])
        assert timedelta(days=29) < ends - timezone.now() <= timedelta(days=30)


class TestALicenceForOneModelVersion:
    """A grant that names a model version trains that one; the next takes another grant."""

    def test_trains_no_other_model_and_no_next_version(self, people: People, tmp_path: Path) -> None:
        source = a_catalogue(tmp_path / "music", 1, licence="LicenseRef-closed")
        dataset = register("folk", source, people.steward, people.house).dataset
        deal = {
            "licensor": "L",
            "licensee": "H",
            "right": "both",
            "purposes": TRAINING,
            "dataset": "folk",
            "model_scope": "tide@1",
        }
        run("register_grants", table(tmp_path / "deals.csv", [deal]), "--as", "data_steward")
        approve(dataset, people.officer, ["all"])
        version = freeze_dataset(
            dataset=dataset, use=training(), by=people.steward, now=timezone.now()
        ).version
        assert version.conditions_accepted == ["model-scope"]

        asked = ("--dataset", "folk@1", "--architecture", "symbolic", *AS_ENGINEER)
        refused = run("train_model", "wave", *asked)
        assert refused.code == 1
        assert "licensed for other models than wave@1" in one_sentence(refused)
        assert "is for tide@1, not wave@1" in one_sentence(refused)

        a_model(tmp_path, version, people.engineer, people.house)
        retrained = run("train_model", "tide", *asked)
        assert "licensed for other models than tide@2" in one_sentence(retrained)

        more = table(tmp_path / "more.csv", [{**deal, "model_scope": "tide"}])
        run("register_grants", more, "--as", "data_steward")
        trained = run("train_model", "tide", *asked, "--steps", "2")
        assert "licensed for other models" not in trained.err
