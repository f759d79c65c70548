import io
import json
import os
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.utils import timezone

from audit.errors import UnmeasurableError
from audit.models import Assessment, Campaign
from audit.reports import bundle
from generation.models import Check, ModelVersion
from governance import services as governance
from governance import signing
from governance.models import Member, Organisation, Role, User
from provenance import services as provenance
from provenance.models import Dataset, DatasetKind, Recording
from tests import signals
from tests.audit import report_sample
from tests.audit import scene as scenes
from tests.audit.scene import Scene


def run(*arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """Run a command and return its exit code and its JSON lines."""
    out = io.StringIO()
    code = 0
    try:
        call_command(*arguments, "--json", stdout=out, stderr=io.StringIO())
    except CommandError as error:
        code = error.returncode
    except SystemExit as leaving:
        code = int(leaving.code or 0)
    return code, [json.loads(line) for line in out.getvalue().splitlines()]


@pytest.fixture(scope="module")
def standing_scene(shared_db: Path) -> Scene:
    return scenes.a_scene()


@pytest.fixture
def scene(standing_scene: Scene, db: None) -> Scene:
    return deepcopy(standing_scene)


@pytest.fixture
def model(scene: Scene) -> ModelVersion:
    """A model that made twenty outputs, three of which copy."""
    version = scenes.a_version(scene, ["a", "b"])
    model = scenes.a_model(scene, version)
    scenes.outputs(scene, model, scenes.an_index(version), blocked=3, no_match=17)
    return model


@pytest.fixture
def house(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(bundle, "render_pdf", lambda html: b"%PDF-1.7 " + html.encode())
    settings.KEY_DIR = tmp_path / "keys"
    settings.REPORT_DIR = tmp_path / "kept"
    return tmp_path


@pytest.mark.django_db
class TestAuditModel:
    @pytest.fixture(autouse=True)
    def _remake_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from audit.campaigns import memorisation

        monkeypatch.setattr(
            memorisation, "make_again", lambda version, n: {"tried": n, "same": n, "generations": []}
        )

    def test_counts_what_the_checks_found(self, model: ModelVersion) -> None:
        code, lines = run("audit_model", "tide", "--campaign", "memorisation")
        assert code == 0
        assert lines[0]["figures"]["flagged"]["hits"] == 3
        assert lines[0]["figures"]["made_again"] == {"tried": 2, "same": 2, "generations": []}
        assert lines[0]["settings"]["method_version"] == "1"

    def test_makes_the_outputs_that_are_missing(
        self, model: ModelVersion, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from generation import services as generation

        asked: list[dict[str, Any]] = []

        def make(**given: Any) -> list[Any]:
            asked.append(given)
            return []

        monkeypatch.setattr(generation, "generate", make)
        run("audit_model", "tide", "--campaign", "memorisation", "--n", "25", "--seed", "9")
        assert [(given["n"], given["seed"]) for given in asked] == [(5, 9)]

    def test_refuses_with_3_what_can_not_be_measured(self, scene: Scene) -> None:
        scenes.a_model(scene, None)
        code, lines = run("audit_model", "tide", "--campaign", "membership")
        assert (code, lines) == (3, [])
        assert not Campaign.objects.exists()

    def test_runs_all_and_says_which_it_could_not(
        self, model: ModelVersion, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from audit.services import campaigning

        def absent(version: ModelVersion) -> dict[str, Any]:
            raise UnmeasurableError("The audio is not here.")

        for kind in ("quality", "robustness"):
            monkeypatch.setitem(campaigning.MEASURES, kind, (absent, {}))
        code, lines = run("audit_model", "tide", "--campaign", "all")
        assert code == 3
        assert [line["campaign"] for line in lines] == [
            "memorisation",
            "fairness",
            "quality",
            "robustness",
            "membership",
        ]
        assert [line.get("refused") for line in lines] == [None, None, *["The audio is not here."] * 2, None]
        assert lines[4]["figures"]["gap"] == pytest.approx(0.4241)

    @pytest.mark.parametrize(
        "arguments", [("nobody", "--campaign", "fairness"), ("tide", "--campaign", "all", "--n", "0")]
    )
    def test_exits_2_for_bad_arguments(self, model: ModelVersion, arguments: tuple[str, ...]) -> None:
        assert run("audit_model", *arguments)[0] == 2


@pytest.mark.django_db
class TestAssess:
    def test_prints_a_line_a_feature_and_a_summary(self, model: ModelVersion) -> None:
        code, lines = run("assess", "tide@1", "--framework", "raim")
        assert code == 0
        assert len(lines) == 46
        assert lines[0]["feature"] == "1-01"
        summary = lines[-1]["summary"]
        assert summary["coverage"]["features"] == 45 == sum(summary["conformance"].values())
        assert summary["assessment"] == str(Assessment.objects.get().public_id)


@pytest.mark.django_db
class TestReport:
    def test_writes_what_verify_report_accepts(self, model: ModelVersion, house: Path) -> None:
        code, lines = run("report", "tide", "--out", str(house / "out"))
        assert code == 0
        assert lines[0]["files"] == ["report.html", "report.json", "report.pdf", "report.sig"]
        code, verified = run("verify_report", str(house / "out"))
        assert code == 0
        assert verified[0]["report"] == lines[0]["report"]

    def test_exits_2_for_a_folder_that_is_somebody_elses(self, model: ModelVersion, house: Path) -> None:
        (house / "thesis.txt").write_text("mine")
        assert run("report", "tide", "--out", str(house))[0] == 2


class TestVerifyReport:
    @pytest.fixture
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Path:
        monkeypatch.setattr(bundle, "render_pdf", lambda html: b"%PDF-1.7")
        settings.KEY_DIR = tmp_path / "nobody"
        key = signing.load_or_create_key(tmp_path / "issuer")
        said = report_sample.sample()
        said["issuer"]["key_id"] = key.key_id
        return bundle.write_report(tmp_path / "report", said, key)

    def test_asks_no_database(self, folder: Path) -> None:
        key = folder.parent / "issuer" / signing.PUBLIC_NAME
        code, lines = run("verify_report", str(folder), "--public-key", str(key))
        assert (code, lines[0]["ok"], lines[0]["signer"]) == (0, True, "known")

    def test_answers_no_where_nobody_knows_the_signer(self, folder: Path) -> None:
        code, lines = run("verify_report", str(folder))
        assert (code, lines[0]["signer"], lines[0]["problems"]) == (1, "not established", [])
        assert not (folder.parent / "nobody").exists()

    def test_answers_no_and_names_the_file_that_changed(self, folder: Path) -> None:
        page = folder / "report.html"
        page.write_bytes(page.read_bytes() + b" ")
        code, lines = run("verify_report", str(folder))
        assert code == 1
        assert lines[0]["problems"] == ["report.html: changed since it was signed"]

    def test_exits_2_without_a_folder_or_a_key(self, folder: Path) -> None:
        assert run("verify_report", str(folder / "nowhere"))[0] == 2
        assert run("verify_report", str(folder), "--public-key", str(folder / "report.json"))[0] == 2

    def test_starts_nothing(self, folder: Path, tmp_path: Path) -> None:
        key = folder.parent / "issuer" / signing.PUBLIC_NAME
        home = tmp_path / "data"
        done = subprocess.run(
            [sys.executable, "manage.py", "verify_report", str(folder), "--public-key", str(key), "--json"],
            cwd=django_settings.BASE_DIR,
            env={
                **{name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"},
                "DATA_DIR": str(home),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["ok"] is True
        assert not (home / "embedded").exists()


@pytest.mark.django_db
class TestAuditOutputs:
    @pytest.fixture
    def outputs(self, tmp_path: Path, settings: Any) -> Path:
        """Three outputs: a stretch of a registered song, other music, and no sound at all."""
        settings.INDEX_DIR = tmp_path / "indexes"
        song = signals.music(30.0, seed=1)
        source = tmp_path / "songs"
        signals.write(source / "song.wav", song)
        (source / "songs.csv").write_text("path,title\nsong.wav,Song\n")
        system = governance.system_user()
        provenance.register(
            name="songs",
            kind=DatasetKind.TRAINING,
            source=source / "songs.csv",
            format="csv",
            root=None,
            by=system,
            organisation=governance.home_organisation(system),
            now=timezone.now(),
        )
        folder = tmp_path / "outputs"
        signals.write(folder / "copy.wav", song[signals.RATE_HZ * 6 : signals.RATE_HZ * 21])
        signals.write(folder / "deep" / "other.wav", signals.music(15.0, seed=99))
        (folder / "words.wav").write_text("no sound")
        (folder / ".hidden").write_text("not looked at")
        return folder

    def test_counts_verdicts_and_names_the_worst(self, outputs: Path) -> None:
        code, lines = run("audit_outputs", str(outputs), "--against", "songs")
        assert code == 1
        assert {line["file"]: line["verdict"] for line in lines[:-1]} == {
            "copy.wav": "blocked",
            "deep/other.wav": "no_match",
            "words.wav": "unverifiable",
        }
        summary = lines[-1]["summary"]
        assert summary["verdicts"] == {"no_match": 1, "review": 0, "blocked": 1, "unverifiable": 1}
        assert (summary["flagged"]["hits"], summary["flagged"]["of"]) == (1, 2)
        assert summary["worst"][0]["file"] == "copy.wav"
        assert summary["worst"][0]["reference_start_s"] == pytest.approx(6.0, abs=2.0)
        assert Check.objects.count() == 3
        assert Check.objects.get(file_name="copy.wav").organisation.datasets.get().name == "songs"
        assert run("audit_outputs", str(outputs / "deep"), "--against", "songs")[0] == 0

    def test_keeps_each_check_with_whose_music_it_was_held_against(self, outputs: Path) -> None:
        caller = User.objects.create_user("guest")
        home = Dataset.objects.get(name="songs").organisation
        owner = Organisation.objects.create(name="Whose music it is")
        for rows in (Dataset.objects, Recording.objects):
            rows.update(organisation=owner)
        for place in (home, owner):
            Member.objects.create(
                user=caller, organisation=place, role=Role.DATA_STEWARD, valid_from=timezone.now()
            )
        assert governance.home_organisation(caller) == home

        run("audit_outputs", str(outputs / "deep"), "--against", "songs", "--as", "guest")
        assert Check.objects.get().organisation == owner

    def test_exits_2_without_files_or_dataset(self, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        assert run("audit_outputs", str(tmp_path / "empty"), "--against", "songs")[0] == 2
        assert run("audit_outputs", str(tmp_path / "nowhere"), "--against", "songs")[0] == 2
        (tmp_path / "empty" / "song.wav").write_text("no sound")
        assert run("audit_outputs", str(tmp_path / "empty"), "--against", "none")[0] == 2
