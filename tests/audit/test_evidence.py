from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audit import evidence, services
from audit.campaigns import alterations
from audit.campaigns.alterations import ALTERATIONS, alter
from audit.campaigns.fairness import corpus_shares
from audit.errors import UnmeasurableError
from audit.frameworks import loader
from audit.metrics.intervals import more_than_control, wilson
from audit.metrics.sound import FLOOR_DB, describe
from audit.models import Campaign
from audit.queries import false_alarms_said, training_recordings
from audit.reports.snapshot import Answer
from generation.models import Case, CaseTerms, Check, Generation, GenerationState, ModelVersion, TrainingRun
from generation.queries import NotCleared, overviews
from provenance import audio
from provenance.models import IndexBuild, Recording
from tests import signals
from tests.audit import scene as scenes
from tests.audit.scene import NOW, POLICY, Scene

pytestmark = pytest.mark.django_db
AIMED = POLICY | {"calibrated": True, "false_alarm_target": 0.001}
LATER = NOW + timedelta(days=1)


@pytest.fixture(scope="module")
def standing_scene(shared_db: Path) -> Scene:
    return scenes.a_scene()


@pytest.fixture
def scene(standing_scene: Scene, db: None) -> Scene:
    return deepcopy(standing_scene)


@pytest.fixture
def model(scene: Scene) -> ModelVersion:
    return scenes.a_model(scene, scenes.a_version(scene, ["a", "b"]))


def answers(version: ModelVersion, framework: str = "raim") -> dict[str, Answer]:
    return evidence.collect(loader.load(framework), evidence.gather(version, at=LATER), {})


def index_of(model: ModelVersion) -> IndexBuild:
    assert model.dataset_version is not None
    return scenes.an_index(model.dataset_version)


def campaign(scene: Scene, model: ModelVersion) -> Campaign:
    return services.run_memorisation_campaign(version=model, by=scene.engineer, now=LATER)


class TestLeakage:
    def leakage(self, scene: Scene, model: ModelVersion) -> Answer:
        campaign(scene, model)
        return answers(model)["2-01"]

    def test_is_not_met_by_silence(self, model: ModelVersion) -> None:
        assert answers(model)["2-01"].conformance == "not_met"

    def test_is_partly_met_where_nothing_was_flagged_without_calibration(
        self, scene: Scene, model: ModelVersion
    ) -> None:
        scenes.outputs(scene, model, index_of(model), no_match=4)
        found = self.leakage(scene, model)
        assert found.conformance == "partly"
        assert "not calibrated" in found.reason

    def test_is_not_met_where_copies_are_confirmed_though_held(
        self, scene: Scene, model: ModelVersion
    ) -> None:
        scenes.outputs(scene, model, index_of(model), blocked=1, no_match=9)
        found = self.leakage(scene, model)
        assert found.conformance == "not_met"
        assert "none of the flagged outputs was released" in found.reason

    def test_is_not_met_where_a_flagged_output_left(self, scene: Scene, model: ModelVersion) -> None:
        output = scenes.an_output(scene, model, state=GenerationState.RELEASED)
        scenes.a_check(output, index_of(model), "review")
        assert "were released" in self.leakage(scene, model).reason

    def test_is_not_met_where_the_index_does_not_cover_all(self, scene: Scene, model: ModelVersion) -> None:
        assert model.dataset_version is not None
        index = scenes.an_index(model.dataset_version, n_recordings=1)
        scenes.a_check(scenes.an_output(scene, model), index, "no_match", covers_all=False)
        assert self.leakage(scene, model).conformance == "not_met"

    def test_is_not_met_where_an_output_could_not_be_verified(
        self, scene: Scene, model: ModelVersion
    ) -> None:
        scenes.outputs(scene, model, index_of(model), no_match=5, unverifiable=1)
        assert self.leakage(scene, model).conformance == "not_met"

    def test_is_met_only_by_a_calibrated_check_of_many_outputs_beside_a_control(
        self, scene: Scene, model: ModelVersion
    ) -> None:
        index = index_of(model)
        other = scenes.a_model(scene, scenes.a_version(scene, ["c"], dataset="hills"), name="hill")
        calibrated = POLICY | {"calibrated": True}
        for _ in range(100):
            scenes.a_check(scenes.an_output(scene, model), index, policy=calibrated)
        scenes.a_check(scenes.an_output(scene, other), index, control=True)
        assert self.leakage(scene, model).conformance == "met"
        scenes.a_check(scenes.an_output(scene, model), index)  # one without calibration
        assert self.leakage(scene, model).conformance == "partly"


class TestFalseAlarmsSaid:
    @pytest.mark.parametrize(
        ("policies", "said"),
        [
            ([], "Thresholds are not calibrated: the share of false alarms is not known."),
            ([POLICY], "Thresholds are not calibrated: the share of false alarms is not known."),
            ([AIMED, AIMED], "Outputs were checked with thresholds that aim at 0.001 false alarms an output"),
            ([AIMED, POLICY], "1 of 2 outputs were checked with thresholds that aim at 0.001 false alarms"),
            ([POLICY | {"calibrated": True}], "aim at no stated number of false alarms"),
        ],
    )
    def test_speaks_for_the_checks_that_were_made(self, policies: list[dict[str, Any]], said: str) -> None:
        assert said in false_alarms_said([Check(policy=policy) for policy in policies])


class TestModelEvaluation:
    def test_takes_no_makers_word_for_a_measurement(self, model: ModelVersion) -> None:
        assert answers(model)["2-03"].conformance == "partly"
        TrainingRun.objects.filter(model_version=model).update(model_version=None)
        found = answers(model)["2-03"]
        assert found.conformance == "not_met"
        assert "not measured here" in found.reason

    def test_says_of_no_others_model_that_it_beats_a_baseline(self, model: ModelVersion) -> None:
        assert overviews.beats_baselines(model) is True
        TrainingRun.objects.filter(model_version=model).update(model_version=None)
        assert overviews.beats_baselines(model) is None


class TestReuseOfMusic:
    def test_is_met_by_clearance_without_conditions(self, model: ModelVersion) -> None:
        assert answers(model)["3-05"].conformance == "met"

    def test_is_partly_met_under_accepted_conditions(self, scene: Scene) -> None:
        version = scenes.a_version(scene, ["x"], answer="constrained", conditions=("attribution",))
        found = answers(scenes.a_model(scene, version, name="other"))["3-05"]
        assert found.conformance == "partly"
        assert found.evidence[-1]["value"] == "attribution"

    def test_is_not_met_once_a_recording_is_no_longer_cleared(
        self, model: ModelVersion, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from generation import queries

        monkeypatch.setattr(
            queries, "no_longer_cleared", lambda version, **_: [NotCleared("a", "not_allowed")]
        )
        assert answers(model)["3-05"].conformance == "not_met"


class TestMetadataIntegrity:
    def test_is_met_by_named_makers_without_conflicts(self, model: ModelVersion) -> None:
        assert answers(model)["3-02"].conformance == "met"

    def test_lists_open_conflicts(self, scene: Scene, model: ModelVersion) -> None:
        found = scenes.a_conflict(scene, Recording.objects.order_by("pk")[0])
        answer = answers(model)["3-02"]
        assert answer.conformance == "partly"
        assert str(found.public_id) in {row["id"] for row in answer.evidence}


class TestCorpusStatistics:
    def test_gives_shares_by_seconds_with_the_unknown_beside(self, scene: Scene) -> None:
        version = scenes.a_version(scene, ["a", "b", "c"], dataset="mixed")
        first, second, _ = Recording.objects.filter(version_entries__version=version).order_by("pk")
        Recording.objects.filter(pk=first.pk).update(seconds=180, genre="Fado", country="")
        Recording.objects.filter(pk=second.pk).update(genre="", year=None)
        shares = corpus_shares(training_recordings(version))
        assert shares["genre"]["values"][0] == {"value": "fado", "seconds": 180.0, "share": 0.6}
        assert shares["genre"]["unknown_share"] == 0.2
        assert shares["origin"]["unknown_share"] == 0.6
        assert shares["period"]["unknown_share"] == 0.2
        found = answers(scenes.a_model(scene, version, name="mix"))["5-01"]
        assert found.conformance == "partly"

    def test_is_not_met_where_nothing_is_known(self, scene: Scene, model: ModelVersion) -> None:
        Recording.objects.update(genre="", country="", year=None)
        assert answers(model)["5-01"].conformance == "not_met"

    def test_knows_nothing_of_no_seconds(self) -> None:
        assert corpus_shares([])["genre"]["unknown_share"] == 1.0


class TestPromptToGen:
    def remade(self, scene: Scene, model: ModelVersion, same: int, *, tried: int = 2) -> Answer:
        scenes.outputs(scene, model, index_of(model), no_match=2)
        made = campaign(scene, model)
        Campaign.objects.filter(pk=made.pk).update(
            figures=made.figures | {"made_again": {"tried": tried, "same": same}}
        )
        return answers(model)["2-08"]

    def test_is_partly_met_before_anyone_tried(self, scene: Scene, model: ModelVersion) -> None:
        scenes.an_output(scene, model)
        assert answers(model)["2-08"].conformance == "partly"

    def test_is_met_where_the_same_bytes_came_out(self, scene: Scene, model: ModelVersion) -> None:
        assert self.remade(scene, model, 2).conformance == "met"

    def test_is_not_met_by_one_output_alone(self, scene: Scene, model: ModelVersion) -> None:
        assert self.remade(scene, model, 1, tried=1).conformance == "partly"

    def test_is_not_met_where_one_differed(self, scene: Scene, model: ModelVersion) -> None:
        assert self.remade(scene, model, 1).conformance == "not_met"


class TestIpValidation:
    def test_is_not_met_where_an_unchecked_output_left(self, scene: Scene, model: ModelVersion) -> None:
        scenes.an_output(scene, model, state=GenerationState.RELEASED)
        found = answers(model)
        assert found["6-05"].conformance == "not_met"
        assert found["1-06"].conformance == "not_met"

    def test_says_nothing_of_a_model_that_made_nothing(self, model: ModelVersion) -> None:
        assert not Generation.objects.exists()
        assert answers(model)["6-05"].conformance == "not_assessed"


class TestResponsibleStatement:
    def test_wants_a_persons_reason_for_every_gap(self, scene: Scene, model: ModelVersion) -> None:
        assert answers(model)["7-03"].conformance == "not_met"
        gaps = [
            feature
            for feature, answer in answers(model).items()
            if answer.conformance in {"not_met", "partly"} and feature != "7-03"
        ]
        for feature in gaps:
            services.attest(
                version=model,
                framework="raim",
                feature=feature,
                conformance="not_met",
                reason="We know, and here is why.",
                by=scene.engineer,
                now=NOW,
            )
        made = services.assess(version=model, by=scene.officer, now=LATER)
        assert made.answers.get(feature="7-03").conformance == "met"


class TestNotAssessed:
    def test_says_what_would_be_needed(self, model: ModelVersion) -> None:
        found = answers(model)["2-05"]
        assert found.conformance == "not_assessed"
        assert "listening study" in found.reason

    def test_says_what_the_rows_know_of_agreements(self, model: ModelVersion) -> None:
        assert answers(model)["6-06"].reason.startswith("0 agreements with rights holders stand behind the 2")


class TestWilson:
    @pytest.mark.parametrize(
        ("n_hits", "n_total", "low", "high"),
        [(0, 20, 0.0, 0.1611), (10, 20, 0.2993, 0.7007), (20, 20, 0.8389, 1.0), (1, 10, 0.0179, 0.4042)],
    )
    def test_agrees_with_published_values(self, n_hits: int, n_total: int, low: float, high: float) -> None:
        found = wilson(n_hits, n_total)
        assert [found.low, found.high] == pytest.approx([low, high], abs=1e-4)

    def test_knows_nothing_of_nothing(self) -> None:
        found = wilson(0, 0)
        assert (found.value, found.low, found.high) == (None, 0.0, 1.0)

    @pytest.mark.parametrize(("n_hits", "n_total"), [(3, 2), (-1, 2)])
    def test_refuses_what_is_no_share(self, n_hits: int, n_total: int) -> None:
        with pytest.raises(ValueError, match="no share"):
            wilson(n_hits, n_total)


class TestDescribe:
    def test_measures_a_tone(self) -> None:
        found = describe(signals.tone(1.0, frequency_hz=1000.0, level=0.5, rate_hz=22050), 22050)
        assert found.loudness_db == pytest.approx(-9.03, abs=0.05)
        assert found.brightness_hz == pytest.approx(1000.0, rel=0.02)
        assert found.silent_share == 0.0

    def test_calls_silence_silent(self) -> None:
        found = describe(signals.silence(1.0), signals.RATE_HZ)
        assert (found.loudness_db, found.silent_share, found.brightness_hz) == (FLOOR_DB, 1.0, None)

    def test_finds_the_silent_half(self) -> None:
        half = np.concatenate([signals.tone(1.0), signals.silence(1.0)])
        assert describe(half, signals.RATE_HZ).silent_share == pytest.approx(0.5, abs=0.03)

    @pytest.mark.parametrize("samples", [np.zeros((4, 2)), np.array([0.0, np.nan])])
    def test_refuses_what_is_no_sound(self, samples: np.ndarray[Any, Any]) -> None:
        with pytest.raises(ValueError, match=r"channel|finite"):
            describe(samples, 22050)


class TestRedress:
    def redress(self, model: ModelVersion) -> Answer:
        return answers(model)["7-04"]

    def a_case(self, scene: Scene, n: int, *, due_in: int = 30, **said: Any) -> Case:
        return Case.objects.create(
            reference=f"C-{n}",
            secret_sha256="0" * 64,
            organisation=scene.organisation,
            kind="inquiry",
            channel="public",
            holder="Meadow",
            salt="salt",
            filed_at=NOW,
            due_on=(LATER + timedelta(days=due_in)).date(),
            **said,
        )

    def test_is_partly_met_while_nobody_has_tried_it(self, scene: Scene, model: ModelVersion) -> None:
        found = self.redress(model)
        assert found.conformance == "partly"
        assert "by anybody, without an account;" in found.reason
        assert found.reason.endswith("none was filed yet.")
        CaseTerms.objects.create(organisation=scene.organisation, public_form=False)
        assert "by labels, and by members for others;" in self.redress(model).reason

    def test_is_partly_met_while_a_claim_waits(self, scene: Scene, model: ModelVersion) -> None:
        self.a_case(scene, 1, due_in=-1)
        self.a_case(scene, 2, state="withdrawn", closed_at=NOW)
        found = self.redress(model)
        assert found.conformance == "partly"
        assert found.reason.endswith("2 were filed, 1 not answered yet, 1 of them past the day.")

    def test_is_met_where_each_has_its_answer(self, scene: Scene, model: ModelVersion) -> None:
        said: dict[str, Any] = {"closed_at": NOW, "closed_by": scene.officer, "closing_words": "Not in it."}
        self.a_case(scene, 1, state="rejected", **said)
        found = self.redress(model)
        assert (found.conformance, found.evidence[0]["value"]) == ("met", 1)


class TestAlter:
    @pytest.mark.parametrize("name", sorted(ALTERATIONS))
    def test_makes_a_file_that_can_be_heard(self, name: str, tmp_path: Path) -> None:
        source = signals.write(
            tmp_path / "excerpt.wav", signals.music(4.0, seed=3, rate_hz=22050), rate_hz=22050
        )
        altered = audio.read_samples(alter(source, name), sample_rate_hz=22050)
        expected = 4.0 / 1.05 if name.startswith("tempo") else 4.0
        assert len(altered) / 22050 == pytest.approx(expected, abs=0.15)
        whole = audio.read_samples(source, sample_rate_hz=22050)
        same = len(altered) == len(whole) and np.allclose(altered, whole, atol=1e-3)
        assert same == (name == "unchanged")

    def test_that_takes_too_long_is_one_clear_error(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(alterations, "TIMEOUT_S", 0)
        source = signals.write(tmp_path / "excerpt.wav", signals.tone(1.0))
        with pytest.raises(UnmeasurableError, match=r"FFmpeg took longer than 0 s .* and was stopped"):
            alter(source, "12 dB quieter")


class TestMoreThanControl:
    def test_agrees_with_fishers_tea_tasting(self) -> None:
        assert more_than_control(3, 4, 1, 4) == pytest.approx(17 / 70)

    def test_proves_nothing_without_a_control(self) -> None:
        assert more_than_control(4, 4, 0, 0) == 1.0
