"""Pages of models, outputs and checks: who may open which, what stands there, and how many queries it takes."""

import subprocess
import sys
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from generation import access, jobs, queries, services
from generation.models import Check, Generation, GenerationState, Match, ModelVersion
from generation.queries import Gate, NotCleared, overviews
from generation.views import checks as check_views
from governance import services as governance
from governance.models import Decision, Job, LedgerEvent, Question, Review, Role, User
from provenance.models import Party
from provenance.similarity import thresholds
from tests.audit import scene as rows
from tests.pages.generation_scene import PASSWORD, House

ROLES = list(Role.values)


def client_of(user: User | None) -> Client:
    client = Client()
    if user is not None:
        client.force_login(user)
    return client


def pages_of(house: House) -> dict[str, str]:
    version, output = house.version.public_id, house.blocked.public_id
    control_check = Check.objects.get(control=True)
    return {
        "models": reverse("generation:model-list"),
        "model": reverse("generation:model-version", args=[version]),
        "outputs of it": reverse("generation:version-outputs", args=[version]),
        "outputs": reverse("generation:output-list"),
        "output": reverse("generation:output", args=[output]),
        "runs": reverse("generation:run-list"),
        "checks": reverse("generation:check-list"),
        "check": reverse("generation:check", args=[control_check.public_id]),
        "check a file": reverse("generation:check-file"),
    }


NOT_FOR_LABELS = {"output", "check"}  # a label reads what is its own


class TestEveryPage:
    @pytest.mark.parametrize("role", ROLES)
    def test_opens_for_every_role_of_the_house(self, house: House, role: str) -> None:
        client = client_of(house.people[role])
        for name, url in pages_of(house).items():
            wanted = 404 if role == Role.LABEL_AUDITOR and name in NOT_FOR_LABELS else 200
            assert client.get(url).status_code == wanted, name

    def test_asks_the_anonymous_to_sign_in(self, house: House) -> None:
        for name, url in pages_of(house).items():
            response = client_of(None).get(url)
            assert response.status_code == 302, name
            assert response["Location"].startswith(reverse("login")), name

    def test_names_nothing_of_the_house_to_a_stranger(self, house: House) -> None:
        client = client_of(house.stranger)
        for name, url in pages_of(house).items():
            response = client.get(url)
            assert response.status_code == (404 if url.count("-") >= 4 else 200), name
            for secret in ("night-drive", "Frozen Jam", "Rivermouth"):
                assert secret not in response.content.decode(), f"{name}: {secret}"

    @pytest.mark.parametrize("name", ["models", "outputs", "outputs of it", "runs", "checks"])
    def test_answers_htmx_with_the_part_of_the_same_page(self, house: House, name: str) -> None:
        client = client_of(house.scene.engineer)
        url = pages_of(house)[name]
        whole = client.get(url)
        part = client.get(url, headers={"HX-Request": "true"})
        assert "<html" in whole.content.decode()
        assert "<html" not in part.content.decode()
        assert part.content.decode().strip()[:60] in whole.content.decode()
        assert "HX-Request" in part["Vary"]


class TestModelList:
    def test_answers_the_questions_of_a_card(self, house: House) -> None:
        text = client_of(house.scene.officer).get(reverse("generation:model-list")).content.decode()
        assert "night-drive" in text
        assert "1 of 3 outputs flagged" in " ".join(text.split())
        assert "Gate open" in text
        assert "Not decided" in text

    def test_says_how_many_of_the_recordings_went_in(self, house: House) -> None:
        run = house.version.training_run
        run.trained_on = run.trained_on[:2]
        run.save()
        text = client_of(house.scene.officer).get(reverse("generation:model-list")).content.decode()
        assert "2 of its 3 recordings" in " ".join(text.split())

    def test_finds_by_a_part_of_the_name(self, house: House) -> None:
        text = (
            client_of(house.scene.officer)
            .get(reverse("generation:model-list"), {"q": "CONTROL"})
            .content.decode()
        )
        assert "night-control" in text
        assert "night-drive" not in text

    def test_shows_the_newest_version_only(self, house: House) -> None:
        newer = ModelVersion.objects.get(pk=house.version.pk)
        newer.pk, newer.number, newer._state.adding = None, 2, True
        newer.public_id = uuid4()
        newer.save()
        text = client_of(house.scene.officer).get(reverse("generation:model-list")).content.decode()
        assert str(newer.public_id) in text
        assert str(house.version.public_id) not in text

    def test_takes_the_same_number_of_queries_for_more_models(self, house: House) -> None:
        client = client_of(house.scene.officer)
        few = n_queries(client, reverse("generation:model-list"))
        for number in range(6):
            more = rows.a_version(house.scene, [f"Tune {number}"], dataset=f"set-{number}")
            rows.a_model(house.scene, more, name=f"model-{number}")
        assert n_queries(client, reverse("generation:model-list")) == few


def claimed_by_the_label(house: House) -> None:
    place = house.scene.organisation
    party = Party.objects.create(organisation=place, name="Cellar Records", stands_for=place)
    house.recording.claims.create(party=party, right="master", source="steward")


def n_queries(client: Client, url: str) -> int:
    client.get(url)
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(url).status_code == 200
    return len(captured)


class TestGatesAtOnce:
    def test_say_what_one_gate_says(self, house: House) -> None:
        stop(house.version, house.scene.officer, Decision.SUSPENDED)
        house.recording.entries.get().statements.update(expression="CC-BY-NC-4.0", raw="CC-BY-NC-4.0")
        unknown = rows.a_model(house.scene, None, name="found-on-the-web")
        versions = list(access.model_versions_for_reading(house.scene.officer))
        now = timezone.now()
        at_once = overviews.gates_of(versions, at=now)
        assert at_once == {version.pk: queries.gate_of(version, at=now) for version in versions}
        assert not at_once[house.version.pk].is_open
        assert at_once[house.version.pk].n_not_cleared == 1
        assert at_once[unknown.pk].needs_a_person
        assert at_once[house.control.pk].is_open


def stop(version: ModelVersion, officer: User, decision: Decision) -> Review:
    review = services.ask_model_release(version=version, by=version.registered_by, now=timezone.now())
    return services.decide_model(
        review=review, decision=decision, reason="Two outputs are copies.", by=officer, now=timezone.now()
    )


class TestModelPage:
    def page(self, house: House, user: User | None = None) -> str:
        url = reverse("generation:model-version", args=[house.version.public_id])
        response = client_of(user or house.scene.officer).get(url)
        assert response.status_code == 200
        return " ".join(response.content.decode().split())

    def test_answers_five_questions(self, house: House) -> None:
        text = self.page(house)
        for question in (
            "What is it?",
            "What was it trained on?",
            "May I use it?",
            "Does it copy?",
            "How do you know?",
        ):
            assert question in text

    def test_shows_the_control_beside_the_rate(self, house: House) -> None:
        text = self.page(house)
        assert "1 of 3 flagged" in text
        assert "0 of 1 in the control" in text
        assert "night-control@1" in text

    def test_says_what_the_checks_recorded_of_their_policy(self, house: House) -> None:
        assert f"The thresholds ({thresholds.POLICY_ID}) are not calibrated" in self.page(house)
        checks = Check.objects.filter(generation__model_version=house.version, control=False)
        newest = checks.order_by("-id")[:1].get()
        for target, said in [
            (0.001, "calibrated for a false-alarm rate of 0.001."),
            (None, "calibrated, with no"),
        ]:
            newest.policy = {"id": "house-2", "false_alarm_target": target, "calibrated": True}
            newest.save(update_fields=["policy"])
            text = self.page(house)
            assert text.index(f"The thresholds (house-2) are {said}") < text.index(
                f"The thresholds ({thresholds.POLICY_ID})"
            )

    def test_says_that_nothing_was_checked_yet(self, house: House) -> None:
        Match.objects.all().delete()
        Check.objects.all().delete()
        text = self.page(house)
        assert "No output was checked yet" in text
        assert "calibrated" not in text

    def test_draws_and_tables_the_losses_against_the_baselines(self, house: House) -> None:
        text = self.page(house)
        assert "1.624" in text
        assert "4.812" in text
        assert 'class="baseline"' in text

    def test_states_the_assumption_behind_the_energy(self, house: House) -> None:
        assert "15 W a core, assumed" in self.page(house)

    def test_closes_the_gate_when_a_licence_falls(self, house: House) -> None:
        house.recording.entries.get().statements.update(expression="CC-BY-NC-4.0", raw="CC-BY-NC-4.0")
        text = self.page(house)
        assert "Gate closed" in text
        assert "1 recording that it was trained on is no longer cleared: “Song Frozen Jam” by Ana Lua" in text

    def test_puts_the_worst_match_with_players_first(self, house: House) -> None:
        house.recording.audio = "recordings/x.wav"
        house.recording.save(update_fields=["audio"])
        text = self.page(house)
        assert "<pair-player" in text
        assert reverse("generation:output-audio", args=[house.blocked.public_id]) in text

    def test_gives_the_label_no_player_of_a_held_output(self, house: House) -> None:
        house.recording.audio = "recordings/x.wav"
        house.recording.save(update_fields=["audio"])
        claimed_by_the_label(house)
        text = self.page(house, house.people["label_auditor"])
        assert "<pair-player" not in text
        assert "only those who review outputs can hear it" in text

    def test_offers_what_the_role_may_do(self, house: House) -> None:
        decide = reverse("generation:decide-model", args=[house.version.public_id])
        generate = reverse("generation:generate", args=[house.version.public_id])
        assert decide in self.page(house, house.scene.officer)
        assert decide not in self.page(house, house.scene.engineer)
        assert generate in self.page(house, house.scene.engineer)
        assert generate not in self.page(house, house.scene.steward)

    def test_takes_the_same_number_of_queries_for_more_outputs(self, house: House) -> None:
        client = client_of(house.scene.officer)
        url = reverse("generation:model-version", args=[house.version.public_id])
        few = n_queries(client, url)
        rows.outputs(house.scene, house.version, house.index, no_match=5, blocked=5)
        assert n_queries(client, url) == few

    def test_says_so_where_nobody_knows_the_music(self, house: House) -> None:
        unknown = rows.a_model(house.scene, None, name="found")
        text = (
            client_of(house.scene.officer)
            .get(reverse("generation:model-version", args=[unknown.public_id]))
            .content.decode()
        )
        assert "Nobody could say" in text


class TestDecideModel:
    def post(self, house: House, user: User, **fields: str) -> Any:
        url = reverse("generation:decide-model", args=[house.version.public_id])
        return client_of(user).post(url, fields)

    def test_records_the_decision_and_its_reason(self, house: House) -> None:
        response = self.post(house, house.scene.officer, decision="approved", reason="Read the evidence.")
        assert response.status_code == 302
        decided = queries.last_decision(house.version)
        assert decided is not None
        assert (decided.decision, decided.reason, decided.decided_by) == (
            "approved",
            "Read the evidence.",
            house.scene.officer,
        )

    def test_answers_the_question_that_is_open(self, house: House) -> None:
        asked = services.ask_model_release(version=house.version, by=house.scene.engineer, now=timezone.now())
        self.post(house, house.scene.officer, decision="rejected", reason="It copies.")
        asked.refresh_from_db()
        assert asked.decision == "rejected"

    def test_can_be_taken_back_later(self, house: House) -> None:
        self.post(house, house.scene.officer, decision="approved", reason="Fine.")
        self.post(house, house.scene.officer, decision="suspended", reason="A claim came in.")
        assert not queries.gate_of(house.version, at=timezone.now()).is_open

    def test_wants_a_reason(self, house: House) -> None:
        response = self.post(house, house.scene.officer, decision="approved", reason=" ")
        assert response.status_code == 422
        assert "Say in a sentence why." in response.content.decode()
        assert not Review.objects.filter(question=Question.MODEL_RELEASE).exists()

    def test_does_not_approve_through_a_closed_gate(self, house: House) -> None:
        house.recording.entries.get().statements.update(expression="CC-BY-NC-4.0", raw="CC-BY-NC-4.0")
        response = self.post(house, house.scene.officer, decision="approved", reason="Never mind.")
        assert response.status_code == 422
        assert "no longer cleared" in response.content.decode()
        assert not Review.objects.filter(question=Question.MODEL_RELEASE).exists()

    def test_is_not_for_whoever_registered_it(self, house: House) -> None:
        governance.add_member(
            username=house.scene.engineer.username,
            organisation=house.organisation.name,
            role=Role.COMPLIANCE_OFFICER,
            by=governance.system_user(),
            now=rows.NOW,
        )
        response = self.post(house, house.scene.engineer, decision="approved", reason="Mine.")
        assert response.status_code == 403
        assert queries.last_decision(house.version) is None

    @pytest.mark.parametrize("role", [role for role in ROLES if role != Role.COMPLIANCE_OFFICER])
    def test_is_for_officers_only(self, house: House, role: str) -> None:
        response = self.post(house, house.people[role], decision="approved", reason="Hm.")
        assert response.status_code == 403
        assert queries.last_decision(house.version) is None

    def test_does_not_exist_for_strangers(self, house: House) -> None:
        assert self.post(house, house.stranger, decision="approved", reason="Hm.").status_code == 404


class TestAskRelease:
    def test_puts_the_question_once(self, house: House) -> None:
        url = reverse("generation:ask-release", args=[house.version.public_id])
        for _ in range(2):
            assert client_of(house.scene.engineer).post(url).status_code == 302
        assert Review.objects.filter(question=Question.MODEL_RELEASE).count() == 1

    def test_is_for_engineers(self, house: House) -> None:
        url = reverse("generation:ask-release", args=[house.version.public_id])
        assert client_of(house.scene.steward).post(url).status_code == 403


class TestOutputList:
    def test_narrows_by_verdict_and_state(self, house: House) -> None:
        client = client_of(house.scene.officer)
        url = reverse("generation:version-outputs", args=[house.version.public_id])
        found = client.get(url, {"verdict": "blocked"}).context["slice"].rows
        assert [output.pk for output in found] == [house.blocked.pk]
        found = client.get(url, {"state": "released"}).context["slice"].rows
        assert {output.state for output in found} == {"released"}
        assert len(found) == 2

    def test_goes_by_the_newest_check(self, house: House) -> None:
        rows.a_check(house.blocked, house.index, "no_match")
        found = client_of(house.scene.officer).get(reverse("generation:output-list"), {"verdict": "blocked"})
        assert not found.context["slice"].rows

    def test_takes_the_same_number_of_queries_for_more_outputs(self, house: House) -> None:
        client = client_of(house.scene.engineer)
        url = reverse("generation:output-list")
        few = n_queries(client, url)
        rows.outputs(house.scene, house.version, house.index, no_match=5, blocked=5)
        assert n_queries(client, url) == few


class TestOutputPage:
    def page(self, house: House, generation: Generation, user: User | None = None) -> str:
        url = reverse("generation:output", args=[generation.public_id])
        return " ".join(client_of(user or house.scene.officer).get(url).content.decode().split())

    def test_gives_verdict_reasons_threshold_and_coverage(self, house: House) -> None:
        text = self.page(house, house.blocked)
        assert "9.0 s of it are Song Frozen Jam" in text
        assert f"blocked from {thresholds.BLOCKED_SCORE:.2f}" in text
        assert "Not calibrated" in text
        assert "3 of 3 recordings indexed" in text
        assert "every recording" in text

    def test_gives_the_raw_figures_of_each_match(self, house: House) -> None:
        text = self.page(house, house.blocked)
        for figure in ("0.050", "0.310", "0.91", "0.88", "0:20.0", "0:40.0"):
            assert figure in text, figure
        assert "The sound confirms it." in text

    def test_says_where_it_comes_from(self, house: House) -> None:
        text = self.page(house, house.blocked)
        assert house.version.weights_sha256 in text
        assert house.blocked.sha256 in text

    def test_names_no_threshold_of_another_policy(self, house: House) -> None:
        Check.objects.update(policy={"id": "older", "calibrated": False})
        assert "blocked from" not in self.page(house, house.blocked)

    def test_says_when_the_index_does_not_cover_all(self, house: House) -> None:
        Check.objects.update(covers_all=False)
        assert "this check can clear nothing" in self.page(house, house.blocked)


class TestOutputSound:
    def test_of_what_is_held_is_for_those_who_review(self, house: House) -> None:
        url = reverse("generation:output-audio", args=[house.blocked.public_id])
        assert client_of(house.people["label_auditor"]).get(url).status_code == 404
        claimed_by_the_label(house)
        assert client_of(house.people["label_auditor"]).get(url).status_code == 403
        assert client_of(house.stranger).get(url).status_code == 404
        assert client_of(None).get(url).status_code == 302

    @pytest.mark.parametrize("name", ["output-audio", "output-peaks", "output-wav", "output-mid"])
    def test_does_not_exist_for_strangers(self, house: House, name: str) -> None:
        url = reverse(f"generation:{name}", args=[house.released.public_id])
        assert client_of(house.stranger).get(url).status_code == 404

    def test_is_taken_away_only_when_released(self, house: House) -> None:
        url = reverse("generation:output-wav", args=[house.blocked.public_id])
        assert client_of(house.scene.officer).get(url).status_code == 403


class TestDecideOutput:
    def post(self, house: House, user: User, **fields: str) -> Any:
        url = reverse("generation:decide-output", args=[house.blocked.public_id])
        return client_of(user).post(url, fields)

    def test_releases_with_the_verdict_in_the_ledger(self, house: House) -> None:
        assert (
            self.post(house, house.scene.officer, decision="approved", reason="Licensed.").status_code == 302
        )
        house.blocked.refresh_from_db()
        assert house.blocked.state == GenerationState.RELEASED
        event = LedgerEvent.objects.filter(subject_id=house.blocked.public_id).latest("sequence")
        assert event.body["verdict"] == "blocked"

    def test_refuses(self, house: House) -> None:
        self.post(house, house.scene.officer, decision="rejected", reason="A copy.")
        house.blocked.refresh_from_db()
        assert house.blocked.state == GenerationState.REFUSED

    @pytest.mark.parametrize("role", [role for role in ROLES if role != Role.COMPLIANCE_OFFICER])
    def test_is_for_officers_only(self, house: House, role: str) -> None:
        answer = self.post(house, house.people[role], decision="approved", reason="Hm.")
        assert answer.status_code == (404 if role == Role.LABEL_AUDITOR else 403)
        house.blocked.refresh_from_db()
        assert house.blocked.state == GenerationState.HELD

    def test_wants_a_check_first(self, house: House) -> None:
        unchecked = rows.an_output(house.scene, house.version, state=GenerationState.QUARANTINED)
        url = reverse("generation:decide-output", args=[unchecked.public_id])
        response = client_of(house.scene.officer).post(
            url, {"decision": "approved", "reason": "Sounds fine."}
        )
        assert response.status_code == 422
        assert "was not checked yet" in response.content.decode()
        unchecked.refresh_from_db()
        assert unchecked.state == GenerationState.QUARANTINED


@pytest.fixture
def no_broker(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect what would be sent to the broker."""
    sent: list[str] = []
    monkeypatch.setattr("governance.jobs._send", lambda public_id, queue: sent.append(queue))
    return sent


class TestGenerateForm:
    def url(self, house: House) -> str:
        return reverse("generation:generate", args=[house.version.public_id])

    def test_queues_the_job_and_shows_its_progress(
        self, house: House, no_broker: list[str], django_capture_on_commit_callbacks: Any
    ) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            response = client_of(house.scene.engineer).post(
                self.url(house), {"seconds": "8", "n": "3", "seed": "5"}
            )
        job = Job.objects.get()
        assert response["Location"] == reverse("governance:job", args=[job.public_id])
        assert job.arguments == {"model": "night-drive@1", "n": 3, "seconds": 8.0, "seed": 5, "prompt": ""}
        assert no_broker == ["gpu"]

    def test_draws_a_seed_where_none_is_given(self, house: House, no_broker: list[str]) -> None:
        client_of(house.scene.engineer).post(self.url(house), {"seconds": "8", "n": "1"})
        assert 0 <= Job.objects.get().arguments["seed"] < 2**31

    @pytest.mark.parametrize(
        ("field", "value"), [("n", "0"), ("n", "501"), ("seconds", "0.5"), ("seconds", "121"), ("seed", "-1")]
    )
    def test_refuses_what_the_service_would(self, house: House, field: str, value: str) -> None:
        given = {"seconds": "8", "n": "1", "seed": "5", field: value}
        assert client_of(house.scene.engineer).post(self.url(house), given).status_code == 422
        assert not Job.objects.exists()

    @pytest.mark.parametrize("role", [role for role in ROLES if role != Role.ML_ENGINEER])
    def test_is_for_engineers_only(self, house: House, role: str) -> None:
        assert client_of(house.people[role]).get(self.url(house)).status_code == 403
        assert (
            client_of(house.people[role]).post(self.url(house), {"seconds": "8", "n": "1"}).status_code == 403
        )

    def test_does_not_exist_for_strangers(self, house: House) -> None:
        assert client_of(house.stranger).get(self.url(house)).status_code == 404


class TestTrainForm:
    def given(self, house: House, **changes: str) -> dict[str, str]:
        return {
            "name": "new-model",
            "dataset_version": str(house.trained_on.public_id),
            "architecture": "symbolic",
            "preset": "decent",
            "seed": "3",
            **changes,
        }

    def test_queues_a_training(self, house: House, no_broker: list[str]) -> None:
        client_of(house.scene.engineer).post(reverse("generation:train"), self.given(house))
        job = Job.objects.get()
        assert job.kind == jobs.TRAIN
        assert job.arguments["dataset"] == "tides@1"
        assert job.arguments["config"] == {"preset": "decent"}

    def test_refuses_a_name_of_another_architecture(self, house: House) -> None:
        response = client_of(house.scene.engineer).post(
            reverse("generation:train"), self.given(house, name="night-drive")
        )
        assert response.status_code == 422
        assert "night-drive is a codec model" in response.content.decode()

    def test_offers_no_version_of_another_house(self, house: House) -> None:
        response = client_of(house.stranger).post(reverse("generation:train"), self.given(house))
        assert response.status_code == 422
        assert not Job.objects.exists()

    @pytest.mark.parametrize("role", [role for role in ROLES if role != Role.ML_ENGINEER])
    def test_is_for_engineers_only(self, house: House, role: str) -> None:
        assert client_of(house.people[role]).get(reverse("generation:train")).status_code == 403


class TestCheckForm:
    def post(self, house: House, user: User, against: str | None = None) -> Any:
        dataset = house.trained_on.dataset
        return client_of(user).post(
            reverse("generation:check-file"),
            {
                "file": SimpleUploadedFile("mine.wav", b"RIFF no sound"),
                "against": [against or f"{dataset.public_id}/{house.trained_on}"],
            },
        )

    def test_keeps_the_file_and_queues_the_check(self, house: House, no_broker: list[str]) -> None:
        assert self.post(house, house.people["label_auditor"]).status_code == 302
        job = Job.objects.get()
        assert job.kind == jobs.CHECK
        assert job.arguments["against"] == ["tides@1"]
        assert job.organisation == house.organisation

    def test_looks_into_no_other_house(self, house: House) -> None:
        assert self.post(house, house.stranger).status_code == 422
        assert not Job.objects.exists()

    def test_is_not_for_the_external_auditor(self, house: House) -> None:
        assert self.post(house, house.people["external_auditor"]).status_code == 403
        assert not Job.objects.exists()


class TestCheckPage:
    def test_leads_to_the_output_that_was_checked(self, house: House) -> None:
        url = reverse("generation:check", args=[house.check_of(house.blocked).public_id])
        response = client_of(house.scene.officer).get(url)
        assert response["Location"] == reverse("generation:output", args=[house.blocked.public_id])

    def test_has_no_sound_where_the_file_was_not_kept(self, house: House) -> None:
        check = Check.objects.create(
            organisation=house.organisation,
            file_name="mine.wav",
            sha256="0" * 64,
            verdict="no_match",
            policy=rows.POLICY,
            covers_all=True,
            elapsed_s=0.1,
            checked_at=rows.NOW,
        )
        assert check_views.stored_name(check) == ""
        url = reverse("generation:check-audio", args=[check.public_id])
        assert client_of(house.scene.officer).get(url).status_code == 404


class TestSlots:
    def home(self, house: House, role: str) -> str:
        response = client_of(house.people[role]).get(reverse("home"))
        assert response.status_code == 200
        return " ".join(response.content.decode().split())

    def test_tell_the_officer_which_gates_closed_and_why(self, house: House) -> None:
        assert "Every gate is open" in self.home(house, Role.COMPLIANCE_OFFICER)
        house.recording.entries.get().statements.update(expression="CC-BY-NC-4.0", raw="CC-BY-NC-4.0")
        text = self.home(house, Role.COMPLIANCE_OFFICER)
        assert "no longer cleared: “Song Frozen Jam” by Ana Lua" in text

    def test_name_recordings_as_people_do_and_tell_two_of_a_name_apart(self) -> None:
        gone = [
            NotCleared("usr/share/a.ogg", "unknown", name="“Theme” by Ana Lua"),
            NotCleared("usr/share/b.ogg", "unknown", name="“Theme” by Ana Lua"),
            NotCleared("usr/share/c.ogg", "unknown"),
        ]
        (reason,) = Gate(()).closed_by_clearance("m", gone).reasons
        assert reason.endswith(
            ": “Theme” by Ana Lua (usr/share/a.ogg), “Theme” by Ana Lua (usr/share/b.ogg), usr/share/c.ogg"
        )
        (reason,) = Gate(()).closed_by_clearance("m", gone[:1]).reasons
        assert reason.endswith(": “Theme” by Ana Lua")

    def test_tell_the_officer_of_models_nobody_asked_about(self, house: House) -> None:
        assert "Models nobody has asked about" in self.home(house, Role.COMPLIANCE_OFFICER)
        for version in (house.version, house.control):
            stop(version, house.scene.officer, Decision.APPROVED)
        assert "Models nobody has asked about" not in self.home(house, Role.COMPLIANCE_OFFICER)

    def test_show_the_engineer_the_latest_outputs(self, house: House) -> None:
        assert f"Seed {house.blocked.seed}" in self.home(house, Role.ML_ENGINEER)

    def test_show_the_label_what_sounds_like_its_recordings(self, house: House) -> None:
        assert "Song Frozen Jam" not in self.home(house, Role.LABEL_AUDITOR)
        claimed_by_the_label(house)
        text = self.home(house, Role.LABEL_AUDITOR)
        assert "Song Frozen Jam" in text
        assert reverse("generation:output", args=[house.blocked.public_id]) in text

    def test_show_a_recording_what_matched_it_and_who_learned_from_it(self, house: House) -> None:
        url = reverse("provenance:recording", args=[house.recording.public_id])
        text = client_of(house.scene.officer).get(url).content.decode()
        assert "Outputs that matched it" in text
        assert reverse("generation:output", args=[house.blocked.public_id]) in text
        assert reverse("generation:model-version", args=[house.version.public_id]) in text

    def test_show_a_dataset_the_models_trained_on_it(self, house: House) -> None:
        url = reverse("provenance:dataset", args=[house.trained_on.dataset.public_id])
        text = client_of(house.scene.officer).get(url).content.decode()
        assert reverse("generation:model-version", args=[house.version.public_id]) in text
        assert reverse("generation:model-version", args=[house.control.public_id]) not in text

    def test_let_reviews_be_decided_on_their_own_page(self, house: House) -> None:
        review = services.ask_model_release(
            version=house.version, by=house.scene.engineer, now=timezone.now()
        )
        url = reverse("governance:review", args=[review.public_id])
        client = client_of(house.scene.officer)
        assert "The whole card of night-drive@1" in client.get(url).content.decode()
        assert client.post(url, {"decision": "rejected", "reason": "It copies."}).status_code == 302
        assert not queries.gate_of(house.version, at=timezone.now()).is_open


class TestSignIn:
    def test_leads_back_to_the_model(self, house: House) -> None:
        client = Client()
        url = reverse("generation:model-version", args=[house.version.public_id])
        to_login = client.get(url)["Location"]
        response = client.post(to_login, {"username": house.scene.officer.username, "password": PASSWORD})
        assert response["Location"] == url


class TestImports:
    def test_of_every_address_load_neither_torch_nor_faiss(self) -> None:
        program = (
            "import sys, django; django.setup(); import config.urls; "
            "sys.exit(' '.join({'torch', 'faiss'} & set(sys.modules)) or None)"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-500:]


class TestDecideOutputs:
    URL = "generation:decide-outputs"

    def held(self, house: House, n: int = 3) -> list[Generation]:
        made = [rows.an_output(house.scene, house.version, state=GenerationState.HELD) for _ in range(n)]
        for one in made:
            rows.a_check(one, house.index, "review")
        return made

    def post(self, house: House, user: User, chosen: list[Generation], **words: str) -> Any:
        answer = {"decision": "rejected", "reason": "Each is its source.", **words}
        answer["output"] = [str(one.public_id) for one in chosen]  # type: ignore[assignment]
        return client_of(user).post(reverse(self.URL, args=[house.version.public_id]), answer)

    def test_records_a_review_for_each_that_is_ticked(self, house: House) -> None:
        first, second, left = self.held(house)
        assert self.post(house, house.scene.officer, [first, second]).status_code == 302
        states = dict(Generation.objects.values_list("pk", "state"))
        assert [states[one.pk] for one in (first, second, left)] == ["refused", "refused", "held"]
        assert Review.objects.filter(reason="Each is its source.").count() == 2

    def test_keeps_the_ticks_where_the_reason_is_missing(self, house: House) -> None:
        first, *_ = self.held(house)
        response = self.post(house, house.scene.officer, [first], reason="")
        text = " ".join(response.content.decode().split())
        assert response.status_code == 422
        assert f'value="{first.public_id}" form="decide-together" checked' in text
        assert text.count('form="decide-together" checked') == 1

    def test_says_that_none_was_ticked(self, house: House) -> None:
        response = self.post(house, house.scene.officer, [])
        assert response.status_code == 422
        assert "Choose at least one output" in response.content.decode()

    def test_decides_nothing_where_one_is_no_longer_held(self, house: House) -> None:
        first, second, _ = self.held(house)
        Generation.objects.filter(pk=first.pk).update(state=GenerationState.REFUSED)
        response = self.post(house, house.scene.officer, [first, second])
        assert "no longer held" in response.content.decode()
        second.refresh_from_db()
        assert second.state == GenerationState.HELD

    @pytest.mark.parametrize("role", [role for role in ROLES if role != "compliance_officer"])
    def test_refuses_every_other_role(self, house: House, role: str) -> None:
        held = self.held(house)
        assert self.post(house, house.people[role], held).status_code == 403
        assert not Review.objects.filter(question=Question.GENERATION_RELEASE).exists()

    def test_is_not_there_for_a_stranger(self, house: House) -> None:
        assert self.post(house, house.stranger, self.held(house)).status_code == 404

    def test_is_offered_to_the_officer_with_every_box_at_one_link(self, house: House) -> None:
        self.held(house)
        url = reverse("generation:version-outputs", args=[house.version.public_id])
        page = client_of(house.scene.officer).get(url, {"state": "held", "select": "all"}).content.decode()
        assert " ".join(page.split()).count('form="decide-together" checked') == 4
        assert "decide-together" not in client_of(house.scene.engineer).get(url).content.decode()

    def test_is_found_from_the_queue_of_reviews(self, house: House) -> None:
        self.held(house)
        url = reverse("governance:review-list")
        link = f"{reverse('generation:version-outputs', args=[house.version.public_id])}?state=held"
        assert link in client_of(house.scene.officer).get(url).content.decode()
        assert link not in client_of(house.scene.engineer).get(url).content.decode()
