import json
from copy import deepcopy
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from audit import access, queries, services
from audit.errors import AuditError, NothingToJudgeError, ReportRefusedError, UnmeasurableError
from audit.models import Assessment, Attestation, Campaign, Report
from audit.reports import bundle
from generation.models import Check, Match, MatchJudgement
from governance import ledger, signing
from governance import services as governance
from governance.errors import NotAllowedError, NotFoundError
from governance.models import LedgerEvent
from tests.audit import scene as scenes
from tests.audit.scene import NOW, Scene

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(days=1)


@pytest.fixture(scope="module")
def standing_scene(shared_db: Path) -> Scene:
    return scenes.a_scene()


@pytest.fixture
def scene(standing_scene: Scene, db: None) -> Scene:
    return deepcopy(standing_scene)


@pytest.fixture
def house(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders of this test's own; paper is stood in for, since printing takes seconds and has tests of its own."""
    monkeypatch.setattr(bundle, "render_pdf", lambda html: b"%PDF-1.7 " + html.encode())
    settings.KEY_DIR = tmp_path / "keys"
    settings.REPORT_DIR = tmp_path / "kept"
    return tmp_path


def kinds_in_ledger() -> list[str]:
    return list(LedgerEvent.objects.order_by("sequence").values_list("kind", flat=True))


class TestRunMemorisationCampaign:
    def test_counts_verdicts_with_the_rows_they_came_from(self, scene: Scene) -> None:
        version = scenes.a_version(scene, ["a", "b"])
        model = scenes.a_model(scene, version)
        checks = scenes.outputs(scene, model, scenes.an_index(version), blocked=3, review=1, no_match=4)
        campaign = services.run_memorisation_campaign(version=model, by=scene.engineer, now=LATER)
        figures = campaign.figures
        assert figures["outputs"]["verdicts"] == {"no_match": 4, "review": 1, "blocked": 3, "unverifiable": 0}
        assert figures["outputs"]["checks"] == [str(check.public_id) for check in checks]
        assert (figures["flagged"]["hits"], figures["flagged"]["of"], figures["flagged"]["rate"]) == (
            4,
            8,
            0.5,
        )
        assert figures["flagged"]["low"] < 0.5 < figures["flagged"]["high"]
        assert figures["confirmed"]["hits"] == 4
        assert figures["outputs"]["released_flagged"] == 0
        assert figures["not_flagged"] == 4
        assert figures["index"]["covers_all"] is True
        assert figures["worst"][0]["score"] == 0.95

    def test_counts_only_the_newest_check_of_an_output(self, scene: Scene) -> None:
        version = scenes.a_version(scene, ["a"])
        model = scenes.a_model(scene, version)
        index = scenes.an_index(version)
        output = scenes.an_output(scene, model)
        scenes.a_check(output, index, "blocked")
        scenes.a_check(output, index, "no_match")
        campaign = services.run_memorisation_campaign(version=model, by=scene.engineer, now=LATER)
        assert campaign.figures["flagged"]["hits"] == 0
        assert campaign.figures["outputs"]["n"] == 1

    def test_puts_a_control_model_beside_that_shares_no_recording(self, scene: Scene) -> None:
        version, other = scenes.a_version(scene, ["a", "b"]), scenes.a_version(scene, ["c"], dataset="hills")
        model, control = scenes.a_model(scene, version), scenes.a_model(scene, other, name="hill")
        index = scenes.an_index(version)
        scenes.outputs(scene, model, index, blocked=5, no_match=1)
        for verdict in ("no_match", "no_match", "review"):
            scenes.a_check(scenes.an_output(scene, control), index, verdict, control=True)
        figures = services.run_memorisation_campaign(version=model, by=scene.engineer, now=LATER).figures
        assert figures["control"]["model"] == "hill@1"
        assert (figures["control"]["hits"], figures["control"]["of"]) == (1, 3)
        assert 0 < figures["control"]["p_no_more_than_control"] < 0.5

    def test_takes_no_control_that_was_trained_on_the_same_music(self, scene: Scene) -> None:
        version = scenes.a_version(scene, ["a", "b"])
        model, twin = scenes.a_model(scene, version), scenes.a_model(scene, version, name="twin")
        index = scenes.an_index(version)
        scenes.outputs(scene, model, index, blocked=1)
        scenes.a_check(scenes.an_output(scene, twin), index, "no_match", control=True)
        figures = services.run_memorisation_campaign(version=model, by=scene.engineer, now=LATER).figures
        assert figures["control"] is None

    def test_refuses_a_model_of_which_nothing_was_checked(self, scene: Scene) -> None:
        model = scenes.a_model(scene, scenes.a_version(scene, ["a"]))
        with pytest.raises(NothingToJudgeError, match="generate"):
            services.run_memorisation_campaign(version=model, by=scene.engineer, now=LATER)
        assert not Campaign.objects.exists()

    def test_ends_in_the_ledger(self, scene: Scene) -> None:
        version = scenes.a_version(scene, ["a"])
        model = scenes.a_model(scene, version)
        scenes.outputs(scene, model, scenes.an_index(version), no_match=1)
        services.run_memorisation_campaign(version=model, by=scene.engineer, now=LATER)
        assert kinds_in_ledger()[-1] == "audit.campaign.run"
        assert ledger.verify().ok

    def test_is_not_for_outside_auditors(self, scene: Scene) -> None:
        model = scenes.a_model(scene, scenes.a_version(scene, ["a"]))
        with pytest.raises(NotAllowedError):
            services.run_memorisation_campaign(version=model, by=scene.auditor, now=LATER)


class TestRunCampaign:
    def test_refuses_a_kind_that_there_is_not(self, scene: Scene) -> None:
        model = scenes.a_model(scene, scenes.a_version(scene, ["a"]))
        with pytest.raises(AuditError, match="memorisation"):
            services.run_campaign(kind="beauty", version=model, by=scene.engineer, now=LATER)

    def test_describes_the_training_music_by_seconds(self, scene: Scene) -> None:
        version = scenes.a_version(scene, ["a", "b"])
        model = scenes.a_model(scene, version)
        campaign = services.run_campaign(kind="fairness", version=model, by=scene.engineer, now=LATER)
        genre = campaign.figures["corpus"]["genre"]
        assert genre["values"] == [{"value": "ambient", "seconds": 120.0, "share": 1.0}]
        assert genre["unknown_share"] == 0.0
        assert campaign.figures["corpus"]["artist gender"]["unknown_share"] == 1.0

    def test_cannot_describe_music_that_nobody_knows(self, scene: Scene) -> None:
        with pytest.raises(UnmeasurableError):
            services.run_campaign(
                kind="fairness", version=scenes.a_model(scene, None), by=scene.engineer, now=LATER
            )


class TestAttest:
    def attest(self, scene: Scene, **changes: object) -> Attestation:
        given = {
            "version": changes.get("version") or scenes.a_model(scene, scenes.a_version(scene, ["a"])),
            "framework": "raim",
            "feature": "1-07",
            "conformance": "partly",
            "reason": "Two composers heard drafts.",
            "evidence": "minutes.pdf",
            "by": scene.engineer,
            "now": LATER,
        }
        return services.attest(**(given | changes))  # type: ignore[arg-type]

    def test_keeps_the_word_and_its_date(self, scene: Scene) -> None:
        attestation = self.attest(scene, effective_on=date(2026, 1, 5))
        assert attestation.effective_on == date(2026, 1, 5)
        assert kinds_in_ledger()[-1] == "audit.feature.attested"

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"evidence": " "}, "without evidence"),
            ({"reason": " "}, "needs a reason"),
            ({"conformance": "fine"}, "no answer"),
            ({"conformance": "not_assessed"}, "no answer"),
            ({"feature": "9-99"}, "no feature"),
            ({"conformance": "not_applicable"}, "not applicable"),
            ({"effective_on": date(2030, 1, 1)}, "has not come"),
        ],
    )
    def test_refuses_what_is_not_borne_out(
        self, scene: Scene, changes: dict[str, object], words: str
    ) -> None:
        with pytest.raises(AuditError, match=words):
            self.attest(scene, **changes)
        assert not Attestation.objects.exists()

    def test_is_a_persons(self, scene: Scene) -> None:
        model = scenes.a_model(scene, None)
        with pytest.raises(NotAllowedError, match="person"):
            self.attest(scene, version=model, by=governance.system_user())
        with pytest.raises(NotAllowedError):
            self.attest(scene, version=model, by=scene.auditor)


class TestAssess:
    def test_answers_every_feature_with_a_reason(self, scene: Scene) -> None:
        version = scenes.a_version(scene, ["a"])
        model = scenes.a_model(scene, version)
        scenes.outputs(scene, model, scenes.an_index(version), no_match=2, blocked=1)
        assessment = services.assess(version=model, by=scene.officer, now=LATER)
        answers = list(assessment.answers.all())
        assert len(answers) == 45 == assessment.n_features
        assert assessment.n_evidenced == sum(bool(answer.evidence) for answer in answers)
        assert all(answer.reason for answer in answers)
        assert all(answer.evidence for answer in answers if answer.conformance in {"met", "partly"})
        assert kinds_in_ledger()[-1] == "audit.assessment.made"

    @pytest.mark.parametrize("framework", ["raim", "musgo", "fairly_trained", "eu_art53"])
    @pytest.mark.parametrize("known", [True, False])
    def test_knows_each_framework_and_claims_nothing_without_evidence(
        self, scene: Scene, framework: str, known: bool
    ) -> None:
        model = scenes.a_model(scene, scenes.a_version(scene, ["a"]) if known else None)
        assessment = services.assess(version=model, framework=framework, by=scene.officer, now=LATER)
        for answer in assessment.answers.all():
            assert answer.evidence or answer.conformance not in {"met", "partly"}, answer
            assert not (answer.evidence and answer.conformance == "not_assessed"), answer

    def test_takes_a_persons_word_where_rows_say_nothing(self, scene: Scene) -> None:
        model = scenes.a_model(scene, scenes.a_version(scene, ["a"]))
        services.attest(
            version=model,
            framework="raim",
            feature="1-07",
            conformance="partly",
            reason="Two composers heard drafts.",
            evidence="minutes.pdf",
            by=scene.engineer,
            now=NOW,
        )
        answer = services.assess(version=model, by=scene.officer, now=LATER).answers.get(feature="1-07")
        assert answer.conformance == "partly"
        assert answer.evidence[0]["kind"] == "attestation"

    def test_lets_no_word_change_a_measurement(self, scene: Scene) -> None:
        model = scenes.a_model(scene, scenes.a_version(scene, ["a"]))
        services.attest(
            version=model,
            framework="raim",
            feature="2-01",
            conformance="met",
            reason="It never copies.",
            evidence="our word",
            by=scene.engineer,
            now=NOW,
        )
        answer = services.assess(version=model, by=scene.officer, now=LATER).answers.get(feature="2-01")
        assert answer.conformance == "not_met"
        assert "It never copies." in answer.reason

    def test_is_not_for_outside_auditors(self, scene: Scene) -> None:
        model = scenes.a_model(scene, scenes.a_version(scene, ["a"]))
        with pytest.raises(NotAllowedError):
            services.assess(version=model, by=scene.auditor, now=LATER)
        assert not Assessment.objects.exists()


class TestIssueReport:
    def issue(self, scene: Scene, out: Path, **verdicts: int) -> Report:
        version = scenes.a_version(
            scene, ["a", "b"], answer="constrained", conditions=("attribution",), model="tide@1"
        )
        model = scenes.a_model(scene, version)
        scenes.a_conflict(scene, version.entries.first().recording)  # type: ignore[union-attr]
        scenes.outputs(scene, model, scenes.an_index(version), **(verdicts or {"blocked": 3, "no_match": 2}))
        for match in Match.objects.all():
            said_of_it = {"judged_by": scene.officer, "judged_at": NOW, "reason": "Heard.", "salt": "0"}
            MatchJudgement.objects.create(match=match, answer="not_a_copy", **said_of_it)
        return services.issue_report(version=model, out=out, by=scene.officer, now=LATER)

    def test_writes_a_folder_that_verifies_and_keeps_a_copy(self, scene: Scene, house: Path) -> None:
        report = self.issue(scene, house / "out")
        kept = house / "kept" / report.folder
        assert services.verify_report(house / "out").ok
        assert services.verify_report(kept).ok
        assert (kept / "report.json").read_bytes() == (house / "out" / "report.json").read_bytes()
        assert kinds_in_ledger()[-1] == "audit.report.issued"
        assert ledger.verify().ok

    def test_says_what_the_rows_say(self, scene: Scene, house: Path) -> None:
        report = self.issue(scene, house / "out")
        said = json.loads((house / "out" / "report.json").read_bytes())
        assert said["id"] == str(report.public_id)
        assert said["outputs"]["verdicts"] == {"no_match": 2, "review": 0, "blocked": 3, "unverifiable": 0}
        assert said["outputs"]["n_released"] == 2
        assert said["outputs"]["confirmation"]["n_confirmed"] == 3
        assert said["outputs"]["matches"][0]["correlation"] == 0.91
        assert said["outputs"]["matches"][0]["judgement"] == "not_a_copy"
        assert said["dataset"]["licences"] == [
            {"licence": "CC0-1.0", "answer": "constrained", "n_recordings": 2, "seconds": 120.0}
        ]
        assert said["dataset"]["model"] == "tide@1"
        assert said["dataset"]["conditions_accepted"][0]["role"] == "compliance_officer"
        assert said["dataset"]["conflicts"][0]["n_recordings"] == 1
        assert said["training_run"]["recordings"] == {
            "n_trained": 2,
            "trained_seconds": 120.0,
            "n_held_out": 0,
            "held_out_seconds": 0.0,
            "excerpt_s": None,
        }
        assert said["training_run"]["config"]["schedule"] == "[1, 2]"
        assert {one["name"] for one in said["training_run"]["baselines"]} == {"noise", "shuffled"}
        assert said["release"] == "undecided"
        assert said["ledger"]["n_events"] < ledger.head()[0]

    def test_tells_the_recordings_used_from_those_of_the_version(self, scene: Scene, house: Path) -> None:
        version = scenes.a_version(scene, ["a", "b", "c"])
        model = scenes.a_model(scene, version, architecture="spectral_codec")
        run = model.training_run
        run.trained_on, run.held_out = run.trained_on[:1], run.trained_on[1:2]
        run.config = {"excerpt_s": 30.0}
        run.save(update_fields=["trained_on", "held_out", "config"])
        services.issue_report(version=model, out=house / "out", by=scene.officer, now=LATER)
        said = json.loads((house / "out" / "report.json").read_bytes())
        assert said["dataset"]["n_recordings"] == 3
        assert said["training_run"]["recordings"] == {
            "n_trained": 1,
            "trained_seconds": 60.0,
            "n_held_out": 1,
            "held_out_seconds": 60.0,
            "excerpt_s": 30.0,
        }
        assert said["model"]["architecture"] == "spectral_codec"
        page = (house / "out" / "report.html").read_text()
        assert "spectral codec transformer" in page
        assert "spectral_codec" not in page

    def test_names_people_by_role_only(self, scene: Scene, house: Path) -> None:
        self.issue(scene, house / "out")
        text = (house / "out" / "report.json").read_text()
        assert all(user.username not in text for user in scene.users.values())

    def test_reports_on_a_model_of_unknown_origin(self, scene: Scene, house: Path) -> None:
        model = scenes.a_model(scene, None)
        scenes.outputs(scene, model, None, unverifiable=1)
        services.issue_report(version=model, out=house / "out", by=scene.officer, now=LATER)
        said = json.loads((house / "out" / "report.json").read_bytes())
        assert said["dataset"] is None
        assert said["training_run"] is None
        assert services.verify_report(house / "out").ok

    def test_assesses_anew_only_when_something_happened_since(self, scene: Scene, house: Path) -> None:
        version = scenes.a_version(scene, ["a"])
        model = scenes.a_model(scene, version)
        index = scenes.an_index(version)
        scenes.outputs(scene, model, index, no_match=1)
        first = services.issue_report(version=model, out=house / "out", by=scene.officer, now=LATER)
        again = services.issue_report(
            version=model, out=house / "out", by=scene.officer, now=LATER + timedelta(hours=1)
        )
        assert again.assessment_id == first.assessment_id
        scenes.a_check(scenes.an_output(scene, model), index, "blocked")
        Check.objects.update(checked_at=LATER + timedelta(hours=2))
        third = services.issue_report(
            version=model, out=house / "out", by=scene.officer, now=LATER + timedelta(hours=3)
        )
        assert third.assessment_id != first.assessment_id

    def test_touches_no_folder_that_holds_something_else(self, scene: Scene, house: Path) -> None:
        out = house / "out"
        out.mkdir()
        (out / "thesis.txt").write_text("mine")
        with pytest.raises(ReportRefusedError, match=r"thesis\.txt"):
            self.issue(scene, out)
        assert [path.name for path in out.iterdir()] == ["thesis.txt"]
        assert not Report.objects.exists()

    def test_leaves_nothing_when_it_can_not_be_recorded(
        self, scene: Scene, house: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Report.objects, "create", None)
        with pytest.raises(TypeError):
            self.issue(scene, house / "out")
        assert not (house / "out").exists()
        assert not list((house / "kept").iterdir())


class TestVerifyReport:
    def test_does_not_establish_the_signer_without_a_key(
        self, scene: Scene, house: Path, settings: Any
    ) -> None:
        TestIssueReport().issue(scene, house / "out")
        settings.KEY_DIR = house / "elsewhere"
        found = services.verify_report(house / "out")
        assert (found.ok, found.signer, found.problems) == (False, "not established", ())
        assert not (house / "elsewhere").exists()

    def test_refuses_one_changed_byte(self, scene: Scene, house: Path) -> None:
        TestIssueReport().issue(scene, house / "out")
        page = house / "out" / "report.html"
        page.write_bytes(page.read_bytes().replace(b"blocked", b"blocket", 1))
        found = services.verify_report(house / "out")
        assert not found.ok
        assert "report.html" in found.problems[0]

    def test_refuses_another_houses_key(self, scene: Scene, house: Path) -> None:
        TestIssueReport().issue(scene, house / "out")
        assert not services.verify_report(house / "out", signing.new_key().public).ok


class TestAccess:
    def test_shows_strangers_nothing(self, scene: Scene, house: Path) -> None:
        report = TestIssueReport().issue(scene, house / "out")
        stranger = scenes.a_scene("Other House").officer
        with pytest.raises(NotFoundError):
            access.report_for_reading(stranger, report.public_id)
        with pytest.raises(NotFoundError):
            access.assessment_for_reading(stranger, report.assessment.public_id)
        assert access.report_for_reading(scene.auditor, report.public_id) == report
        assert not access.campaigns_for_reading(stranger).exists()


class TestQueries:
    def test_put_accepted_matches_before_likelier_candidates(self, scene: Scene) -> None:
        version = scenes.a_version(scene, ["a", "b"])
        model = scenes.a_model(scene, version)
        checks = scenes.outputs(scene, model, scenes.an_index(version), no_match=1, blocked=1)
        nearest = queries.nearest_matches_of(checks)
        assert [match.accepted for match in nearest] == [True, False]
