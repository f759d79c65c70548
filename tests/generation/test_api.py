import itertools
import zipfile
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient
from rest_framework.throttling import SimpleRateThrottle

from generation import services
from generation.models import Check, Generation, GenerationState, GenerativeModel, Match, ModelVersion
from generation.services.releasing import ask_generation_release
from governance import jobs
from governance.models import Decision, Job, JobState, Review
from provenance.models import Dataset, DatasetEntry, Grant
from provenance.services import register_grants
from tests import signals
from tests.people import (
    NOON,
    People,
    a_dataset,
    a_member,
    a_review,
    a_version,
    answers,
    client_of,
    statuses,
)

API = "/api/v1"
READS = statuses(members=200, stranger=404)
READS_WHOLE = statuses(members=200, label_auditor=404, stranger=404)  # a label reads what is its own
LISTS = statuses(members=200, stranger=200)
DECIDES = statuses(members=403, label_auditor=404, compliance_officer=200, stranger=404)
_seeds = itertools.count(1)


@pytest.fixture
def dataset(people: People) -> Dataset:
    return a_dataset(people.steward, people.house)


@pytest.fixture
def version(people: People, dataset: Dataset) -> ModelVersion:
    return a_model(people, dataset)


@pytest.fixture(autouse=True)
def folders(settings: Any, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path
    settings.INDEX_DIR = tmp_path / "indexes"
    return tmp_path


def a_model(people: People, dataset: Dataset | None, name: str = "fiddler") -> ModelVersion:
    model = GenerativeModel.objects.create(
        organisation=people.house,
        name=name,
        architecture="symbolic",
        created_by=people.engineer,
        created_at=NOON,
    )
    return ModelVersion.objects.create(
        model=model,
        number=1,
        dataset_version=a_version(dataset, people.steward) if dataset else None,
        checkpoint="nowhere",
        weights_sha256="0" * 64,
        n_parameters=1000,
        config={},
        registered_by=people.engineer,
        registered_at=NOON,
    )


def an_output(
    people: People, version: ModelVersion, verdict: str = "review", *, control: bool = False
) -> Generation:
    generation = Generation.objects.create(
        model_version=version,
        seed=next(_seeds),
        seconds=10.0,
        audio="outputs/none.wav",
        sha256="1" * 64,
        state=GenerationState.HELD,
        made_by=people.engineer,
        made_at=NOON,
        elapsed_s=1.0,
    )
    a_check(people, generation, verdict, control=control)
    return generation


def a_check(people: People, generation: Generation | None, verdict: str, *, control: bool = False) -> Check:
    check = Check.objects.create(
        generation=generation,
        organisation=people.house,
        file_name="output.wav",
        verdict=verdict,
        policy={"id": "test", "false_alarm_target": None, "calibrated": False},
        covers_all=True,
        control=control,
        elapsed_s=0.1,
        checked_at=NOON,
    )
    for rank, entry in enumerate(DatasetEntry.objects.filter(dataset__name="folk"), start=1):
        Match.objects.create(
            check_made=check,
            recording=entry.recording,
            kind="recording",
            rank=rank,
            accepted=rank == 1,
            score=1.0 / rank,
            external_id=entry.external_id,
            query_start_s=0.0,
            query_end_s=5.0,
            reference_start_s=1.0,
            reference_end_s=6.0,
        )
    return check


def a_grant(people: People, dataset: Dataset, folder: Path) -> Grant:
    file = folder / "grants.csv"
    file.write_text(
        "licensor,licensee,right,purposes,dataset\n"
        f"Miller Records,House,master,ai_generative_training,{dataset.name}\n"
    )
    register_grants(source=file, by=people.steward, organisation=people.house, now=timezone.now())
    return Grant.objects.get()


class TestReading:
    @pytest.mark.parametrize("address", ["models/{}/", "models/{}/versions/"])
    def test_a_model_is_for_members(self, people: People, version: ModelVersion, address: str) -> None:
        where = f"{API}/{address.format(version.model.public_id)}"
        assert answers(people, lambda client: client.get(where)) == READS

    @pytest.mark.parametrize("address", ["", "gate/", "lineage/", "verdicts/"])
    def test_a_model_version_is_for_members(
        self, people: People, version: ModelVersion, address: str
    ) -> None:
        where = f"{API}/model-versions/{version.public_id}/{address}"
        assert answers(people, lambda client: client.get(where)) == READS

    def test_an_output_is_for_members(self, people: People, version: ModelVersion) -> None:
        where = f"{API}/generations/{an_output(people, version).public_id}/"
        assert answers(people, lambda client: client.get(where)) == READS_WHOLE

    def test_a_check_is_for_members(self, people: People, version: ModelVersion) -> None:
        where = f"{API}/checks/{an_output(people, version).checks.get().public_id}/"
        assert answers(people, lambda client: client.get(where)) == READS_WHOLE

    @pytest.mark.parametrize("address", ["matches", "impact"])
    def test_what_a_recording_reaches_is_for_members(
        self, people: People, version: ModelVersion, address: str
    ) -> None:
        recording = DatasetEntry.objects.all()[0].recording
        where = f"{API}/recordings/{recording.public_id}/{address}/"
        assert answers(people, lambda client: client.get(where)) == READS_WHOLE

    def test_what_a_grant_reaches_is_for_members(
        self, people: People, dataset: Dataset, folders: Path
    ) -> None:
        where = f"{API}/grants/{a_grant(people, dataset, folders).public_id}/impact/"
        assert answers(people, lambda client: client.get(where)) == READS_WHOLE

    @pytest.mark.parametrize("address", ["models", "generations", "checks"])
    def test_lists_are_empty_for_strangers(self, people: People, version: ModelVersion, address: str) -> None:
        an_output(people, version)
        assert answers(people, lambda client: client.get(f"{API}/{address}/")) == LISTS
        assert client_of(people.outsider).get(f"{API}/{address}/").json()["count"] == 1
        assert client_of(people.stranger).get(f"{API}/{address}/").json()["count"] == 0

    @pytest.mark.parametrize("kind", ["models", "model-versions", "generations", "checks"])
    def test_what_is_not_there_is_named_so(self, people: People, kind: str) -> None:
        assert client_of(people.officer).get(f"{API}/{kind}/{uuid4()}/").json()["code"] == "not_found"


class TestHearing:
    """The same rule as on the pages."""

    HEARS = READS_WHOLE

    @pytest.fixture
    def output(self, people: People, version: ModelVersion, settings: Any, folders: Path) -> Generation:
        settings.STORAGES = {
            **settings.STORAGES,
            "default": {
                "BACKEND": "django.core.files.storage.FileSystemStorage",
                "OPTIONS": {"location": str(folders)},
            },
        }
        (folders / "outputs").mkdir()
        (folders / "outputs" / "none.wav").write_bytes(b"RIFF and so on")
        return an_output(people, version)

    @pytest.mark.parametrize(
        ("state", "expected"),
        [
            ("quarantined", HEARS),
            ("held", HEARS),
            ("refused", HEARS),
            ("released", HEARS),
        ],
    )
    def test_an_output_is_for_those_who_review_until_it_is_released(
        self, people: People, output: Generation, state: str, expected: dict[str, int]
    ) -> None:
        Generation.objects.update(state=state)
        where = f"{API}/generations/{output.public_id}/audio/"
        assert answers(people, lambda client: client.get(where)) == expected
        page = f"/models/outputs/{output.public_id}/audio"
        on_pages = {}
        for role, user in people.by_role().items():
            client = Client()
            client.force_login(user)
            on_pages[role] = client.get(page).status_code
        assert on_pages == {role: expected[role] for role in on_pages}

    def test_gives_the_sound_itself(self, people: People, output: Generation) -> None:
        where = f"{API}/generations/{output.public_id}/audio/"
        heard: Any = client_of(people.officer).get(where, HTTP_ACCEPT="audio/wav", HTTP_RANGE="bytes=0-3")
        assert (heard.status_code, heard["Content-Type"]) == (206, "audio/wav")
        assert b"".join(heard.streaming_content) == b"RIFF"
        refused = client_of(people.auditor).get(where, HTTP_ACCEPT="audio/wav")
        assert refused.json()["code"] == "not_found"

    def test_lets_nothing_be_taken_away_once_the_model_is_suspended(
        self, people: People, version: ModelVersion, output: Generation
    ) -> None:
        Generation.objects.update(state="released")
        client = Client()
        client.force_login(people.officer)
        page = f"/models/outputs/{output.public_id}/file.wav"
        assert client.get(page).status_code == 200
        review = services.ask_model_release(version=version, by=people.engineer, now=timezone.now())
        services.decide_model(
            review=review, decision=Decision.SUSPENDED, reason="Stop.", by=people.officer, now=timezone.now()
        )
        assert client.get(page).status_code == 409


class TestLists:
    def test_cost_the_same_whatever_their_length(
        self,
        people: People,
        version: ModelVersion,
        dataset: Dataset,
        django_assert_max_num_queries: DjangoAssertNumQueries,
    ) -> None:
        client = client_of(people.outsider)
        recording = DatasetEntry.objects.all()[0].recording
        addresses = [
            "models/",
            f"models/{version.model.public_id}/versions/",
            "generations/",
            "checks/",
            f"recordings/{recording.public_id}/matches/",
        ]
        counts: dict[str, list[int]] = {address: [] for address in addresses}
        lengths: dict[str, list[int]] = {address: [] for address in addresses}
        for _ in range(2):
            for _ in range(3):
                a_model(people, None, name=f"model-{next(_seeds)}")
                more = ModelVersion.objects.get(pk=version.pk)
                more.pk, more.number, more.public_id = None, next(_seeds) + 1, uuid4()
                more.save(force_insert=True)
                an_output(people, version)
            for address in addresses:
                with django_assert_max_num_queries(12) as asked:
                    lengths[address].append(len(client.get(f"{API}/{address}").json()["results"]))
                counts[address].append(len(asked))
        assert all(longer > shorter for shorter, longer in lengths.values()), lengths
        assert all(before == after for before, after in counts.values()), counts

    def test_of_outputs_show_the_newest_verdict(self, people: People, version: ModelVersion) -> None:
        generation = an_output(people, version, "review")
        a_check(people, generation, "blocked")
        a_check(people, generation, "no_match", control=True)
        (row,) = client_of(people.outsider).get(f"{API}/generations/").json()["results"]
        assert row["verdict"] == "blocked"

    def test_are_filtered(self, people: People, version: ModelVersion) -> None:
        generation = an_output(people, version, "blocked")
        client = client_of(people.outsider)
        for query, n in [
            ("generations/?state=held", 1),
            ("generations/?state=released", 0),
            (f"generations/?model_version={version.public_id}", 1),
            (f"generations/?model_version={uuid4()}", 0),
            ("checks/?verdict=blocked", 1),
            ("checks/?verdict=no_match", 0),
            ("checks/?control=true", 0),
            (f"checks/?generation={generation.public_id}", 1),
            ("models/?architecture=symbolic", 1),
            ("models/?name=nobody", 0),
        ]:
            assert client.get(f"{API}/{query}").json()["count"] == n, query


class TestModelVersion:
    def test_has_an_open_gate_while_its_music_is_cleared(self, people: People, version: ModelVersion) -> None:
        where = f"{API}/model-versions/{version.public_id}/gate/"
        assert client_of(people.officer).get(where).json() == {
            "open": True,
            "needs_a_person": False,
            "n_not_cleared": 0,
            "not_cleared": [],
            "reasons": [],
            "origins": [],
        }

    def test_has_a_closed_gate_when_a_licence_falls_away(
        self, people: People, dataset: Dataset, version: ModelVersion
    ) -> None:
        entry = dataset.entries.all()[0]
        entry.statements.update(expression="CC-BY-NC-4.0", raw="CC-BY-NC-4.0")
        said = client_of(people.officer).get(f"{API}/model-versions/{version.public_id}/gate/").json()
        assert (said["open"], said["n_not_cleared"]) == (False, 1)
        assert said["not_cleared"] == [entry.external_id]
        assert f"“{entry.recording.title}”" in said["reasons"][0]

    def test_needs_a_person_when_nobody_knows_its_music(self, people: People) -> None:
        version = a_model(people, None)
        where = f"{API}/model-versions/{version.public_id}"
        assert client_of(people.officer).get(f"{where}/gate/").json()["needs_a_person"] is True
        said = client_of(people.officer).get(f"{where}/lineage/").json()
        assert (said["dataset_version"], said["training_run"]) == (None, None)

    def test_shows_its_lineage(self, people: People, version: ModelVersion) -> None:
        said = client_of(people.outsider).get(f"{API}/model-versions/{version.public_id}/lineage/").json()
        assert version.dataset_version is not None
        assert said["dataset_version"]["merkle_root"] == version.dataset_version.merkle_root
        assert said["model_version"]["weights_sha256"] == version.weights_sha256

    def test_counts_verdicts_and_controls_apart(self, people: People, version: ModelVersion) -> None:
        for verdict in ("blocked", "blocked", "no_match"):
            an_output(people, version, verdict)
        a_check(people, an_output(people, version, "review"), "no_match", control=True)
        said = client_of(people.outsider).get(f"{API}/model-versions/{version.public_id}/verdicts/").json()
        assert said["checks"] == {
            "no_match": 1,
            "review": 1,
            "blocked": 2,
            "unverifiable": 0,
            "n_outputs": 4,
        }
        assert (said["control"]["no_match"], said["control"]["n_outputs"]) == (1, 1)

    def test_is_put_forward_by_engineers(self, people: People, version: ModelVersion) -> None:
        where = f"{API}/model-versions/{version.public_id}/ask-release/"
        found = answers(people, lambda client: client.post(where))
        assert found == statuses(members=403, ml_engineer=200, stranger=404)


class TestGenerate:
    @pytest.fixture(autouse=True)
    def worker(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
        """Which queues a worker answers for."""
        up = {"gpu": True}
        monkeypatch.setattr("governance.jobs.worker_answers", up.__getitem__)
        cache.clear()
        return up

    def test_says_that_no_worker_holds_models(
        self, people: People, version: ModelVersion, worker: dict[str, bool]
    ) -> None:
        there = self.ask(client_of(people.engineer))
        assert (there.json()["state"], there.json()["message"]) == ("queued", "")
        cache.clear()
        worker["gpu"] = False
        asked = self.ask(client_of(people.engineer))

        assert (asked.status_code, asked.json()["state"]) == (202, "queued")
        assert "No worker answers" in asked.json()["message"]
        assert asked["Location"] == f"{API}/jobs/{asked.json()['id']}/"

    def ask(self, client: APIClient, **words: Any) -> Any:
        return client.post(f"{API}/generations/", {"model": "fiddler", **words}, format="json")

    def test_is_for_engineers(self, people: People, version: ModelVersion) -> None:
        found = answers(people, lambda client: self.ask(client))
        assert found == statuses(members=403, ml_engineer=202, stranger=404)

    def test_queues_what_was_asked_for(self, people: People, version: ModelVersion) -> None:
        said = self.ask(client_of(people.engineer), n=3, seconds=5, seed=7, prompt="A reel.").json()
        job = Job.objects.get(public_id=said["id"])
        assert job.arguments == {
            "model": "fiddler@1",
            "n": 3,
            "seconds": 5.0,
            "seed": 7,
            "prompt": "A reel.",
        }
        assert job.subject_id == version.public_id

    @pytest.mark.parametrize(
        "words", [{"n": 0}, {"n": 501}, {"seconds": 0.5}, {"seconds": 121}, {"seed": -1}, {"model": ""}]
    )
    def test_refuses_what_is_out_of_range(
        self, people: People, version: ModelVersion, words: dict[str, Any]
    ) -> None:
        assert self.ask(client_of(people.engineer), **words).status_code == 400
        assert not Job.objects.exists()

    def test_says_which_models_there_are(self, people: People, version: ModelVersion) -> None:
        said = self.ask(client_of(people.engineer), model="piper")
        assert (said.status_code, said.json()["code"]) == (404, "unknown_model")
        assert "fiddler" in said.json()["detail"]


class TestDecide:
    def decide(self, client: APIClient, review: Review, decision: str = "approved", **words: Any) -> Any:
        where = f"{API}/reviews/{review.public_id}/decide/"
        return client.post(where, {"decision": decision, "reason": "Listened.", **words}, format="json")

    def model_review(self, people: People, version: ModelVersion) -> Review:
        return services.ask_model_release(version=version, by=people.engineer, now=timezone.now())

    def output_review(self, people: People, generation: Generation) -> Review:
        return ask_generation_release(
            generation=generation, check=generation.checks.get(), by=people.engineer, now=timezone.now()
        )

    def test_a_dataset_is_for_officers(self, people: People, dataset: Dataset) -> None:
        review = a_review(people.steward, people.house, dataset)
        assert answers(people, lambda client: self.decide(client, review)) == DECIDES

    def test_a_model_is_for_officers(self, people: People, version: ModelVersion) -> None:
        review = self.model_review(people, version)
        assert answers(people, lambda client: self.decide(client, review)) == DECIDES

    def test_an_output_is_for_officers(self, people: People, version: ModelVersion) -> None:
        generation = an_output(people, version)
        review = self.output_review(people, generation)
        assert answers(people, lambda client: self.decide(client, review)) == DECIDES
        generation.refresh_from_db()
        assert generation.state == GenerationState.HELD  # who was refused released nothing

    def test_a_dataset_is_not_for_an_officer_who_registered_it(self, people: People) -> None:
        dataset = a_dataset(people.officer, people.house, name="own")
        review = a_review(people.steward, people.house, dataset)
        refused = self.decide(client_of(people.officer), review)
        assert (refused.status_code, refused.json()["code"]) == (403, "not_allowed")

    def test_a_dataset_answers_the_question_that_was_asked(self, people: People, dataset: Dataset) -> None:
        review = a_review(people.steward, people.house, dataset)
        said = self.decide(client_of(people.officer), review, conditions=["attribution"]).json()
        assert (said["id"], said["decision"], said["conditions"]) == (
            str(review.public_id),
            "approved",
            ["attribution"],
        )
        assert self.decide(client_of(people.officer), review).status_code == 409

    def test_an_output_is_released_or_refused(self, people: People, version: ModelVersion) -> None:
        for decision, state in [("approved", "released"), ("rejected", "refused")]:
            generation = an_output(people, version)
            review = self.output_review(people, generation)
            assert self.decide(client_of(people.officer), review, decision).status_code == 200
            generation.refresh_from_db()
            assert generation.state == state

    def test_a_model_whose_music_is_not_cleared_is_not_approved(
        self, people: People, dataset: Dataset, version: ModelVersion
    ) -> None:
        review = self.model_review(people, version)
        dataset.entries.all()[0].statements.update(expression="CC-BY-NC-4.0", raw="CC-BY-NC-4.0")
        refused = self.decide(client_of(people.officer), review)
        assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
        assert self.decide(client_of(people.officer), review, "rejected").status_code == 200

    def test_is_not_for_who_asked_even_as_an_officer(self, people: People, version: ModelVersion) -> None:
        both = a_member("both", people.house, "compliance_officer")
        review = services.ask_model_release(version=version, by=both, now=timezone.now())
        assert self.decide(client_of(both), review).status_code == 403
        review.refresh_from_db()
        assert review.decision == Decision.PENDING

    @pytest.mark.parametrize("words", [{"reason": ""}, {"decision": "pending"}, {"decision": ""}])
    def test_refuses_half_an_answer(
        self, people: People, version: ModelVersion, words: dict[str, Any]
    ) -> None:
        review = self.model_review(people, version)
        assert self.decide(client_of(people.officer), review, **words).status_code == 400


class TestRevoke:
    def revoke(self, client: APIClient, grant: Grant, **words: Any) -> Any:
        where = f"{API}/grants/{grant.public_id}/revoke/"
        return client.post(where, {"reason": "The deal ended.", **words}, format="json")

    def test_is_for_those_who_answer_for_rights(
        self, people: People, dataset: Dataset, folders: Path
    ) -> None:
        grant = a_grant(people, dataset, folders)
        found = answers(people, lambda client: self.revoke(client, grant))
        assert found == statuses(
            members=200, ml_engineer=403, label_auditor=404, external_auditor=403, stranger=404
        )

    def test_says_what_it_reaches(
        self, people: People, dataset: Dataset, version: ModelVersion, folders: Path
    ) -> None:
        an_output(people, version)
        grant = a_grant(people, dataset, folders)
        before = client_of(people.steward).get(f"{API}/grants/{grant.public_id}/impact/").json()
        said = self.revoke(client_of(people.steward), grant, **{"from": "2026-01-01T00:00:00Z"}).json()
        reached = {"recordings": 2, "datasets": ["folk"], "models": ["fiddler@1"], "outputs": 1}
        assert before == reached
        ended = {"grant": str(grant.public_id), "deal": str(grant.deal), "grants": [str(grant.public_id)]}
        assert said == {**ended, "from": "2026-01-01T00:00:00Z", "notes": [], **reached}

    def test_asks_why_where_the_terms_are_against_it(
        self, people: People, dataset: Dataset, folders: Path
    ) -> None:
        grant = a_grant(people, dataset, folders)
        Grant.objects.filter(pk=grant.pk).update(revocable=False)
        refused = self.revoke(client_of(people.steward), grant)
        assert (refused.status_code, refused.json()["code"]) == (400, "irrevocable")
        said = self.revoke(client_of(people.steward), grant, despite_terms="Set aside.").json()
        assert said["notes"][0].endswith("It ends all the same: Set aside.")

    def test_happens_once_and_for_a_reason(self, people: People, dataset: Dataset, folders: Path) -> None:
        grant = a_grant(people, dataset, folders)
        assert self.revoke(client_of(people.steward), grant, reason=" ").status_code == 400
        assert self.revoke(client_of(people.steward), grant).status_code == 200
        assert self.revoke(client_of(people.steward), grant).status_code == 409


class TestMatches:
    def test_of_a_recording_come_closest_first(self, people: People, version: ModelVersion) -> None:
        generation = an_output(people, version)
        recording = Match.objects.get(accepted=True).recording
        where = f"{API}/recordings/{recording.public_id}/matches/"
        (match,) = client_of(people.steward).get(f"{where}?accepted=true").json()["results"]
        assert match["generation"] == str(generation.public_id)
        assert match["recording"] == str(recording.public_id)
        assert match["p_value"] is None
        assert client_of(people.steward).get(f"{where}?accepted=false").json()["count"] == 0

    def test_of_checks_elsewhere_are_not_shown(self, people: People, version: ModelVersion) -> None:
        an_output(people, version)
        match = Match.objects.get(accepted=True)
        Check.objects.update(organisation=people.elsewhere)
        where = f"{API}/recordings/{match.recording.public_id}/matches/"
        assert client_of(people.steward).get(where).json()["count"] == 0


class TestCheck:
    @pytest.fixture(autouse=True)
    def worker(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """A worker answers; which queues were asked for is kept."""
        asked: list[str] = []

        def answers(queue: str) -> bool:
            asked.append(queue)
            return True

        monkeypatch.setattr("governance.jobs.worker_answers", answers)
        cache.clear()
        return asked

    def ask(self, client: APIClient, content: bytes, file: str = "query.wav", **words: Any) -> Any:
        sent = SimpleUploadedFile(file, content)
        return client.post(f"{API}/checks/", {"file": sent, **words}, format="multipart")

    def check(self, client: APIClient, content: bytes, **words: Any) -> dict[str, Any]:
        """Ask, let a worker do it, and follow the job to the check."""
        asked = self.ask(client, content, **words)
        assert asked.status_code == 202, asked.json()
        jobs.perform(asked.json()["id"])
        done = client.get(asked["Location"]).json()
        assert done["state"] == JobState.DONE, done
        found: dict[str, Any] = client.get(f"{API}/checks/{done['outcome']['check']}/").json()
        assert found["verdict"] == done["outcome"]["verdict"]
        return found

    def test_is_for_those_who_work(self, people: People, dataset: Dataset) -> None:
        found = answers(people, lambda client: self.ask(client, b"no sound", against=["folk"]))
        assert found == statuses(members=202, external_auditor=403, stranger=404)

    def test_answers_where_the_job_is_followed(self, people: People, dataset: Dataset) -> None:
        asked = self.ask(client_of(people.steward), b"no sound", against=["folk"])
        job = Job.objects.get(kind="generation.check")
        assert asked["Location"] == f"{API}/jobs/{job.public_id}/"
        said = asked.json()
        assert (said["id"], said["state"], said["message"]) == (str(job.public_id), "queued", "")
        assert not Check.objects.exists()

    def test_is_followed_by_members(self, people: People, dataset: Dataset) -> None:
        where = self.ask(client_of(people.steward), b"no sound", against=["folk"])["Location"]
        assert answers(people, lambda client: client.get(where)) == READS_WHOLE
        jobs.perform(where.rstrip("/").rpartition("/")[2])
        check = f"{API}/checks/{Check.objects.get().public_id}/"
        assert answers(people, lambda client: client.get(check)) == READS_WHOLE

    def test_says_that_no_worker_is_running(
        self, people: People, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("governance.jobs.worker_answers", lambda queue: False)
        asked = self.ask(client_of(people.steward), b"no sound", against=["folk"])
        assert (asked.status_code, asked.json()["state"]) == (202, "queued")
        assert "No worker answers" in asked.json()["message"]
        assert "No worker answers" in client_of(people.officer).get(asked["Location"]).json()["message"]

        jobs.perform(asked.json()["id"])  # one is started
        done = client_of(people.officer).get(asked["Location"]).json()
        assert (done["state"], done["message"]) == ("done", "")

    def test_asks_for_workers_now_and_then(self, people: People, dataset: Dataset, worker: list[str]) -> None:
        for _ in range(3):
            self.ask(client_of(people.steward), b"no sound", against=["folk"])
        assert worker == ["default"]

    def test_is_stopped_before_it_begins(self, people: People, dataset: Dataset) -> None:
        where = self.ask(client_of(people.engineer), b"no sound", against=["folk"])["Location"]
        assert client_of(people.engineer).post(f"{where}stop/").json()["state"] == "cancelled"
        jobs.perform(where.rstrip("/").rpartition("/")[2])
        assert not Check.objects.exists()

    def test_of_what_is_no_sound_is_unverifiable(self, people: People, dataset: Dataset) -> None:
        said = self.check(client_of(people.steward), b"no sound", against=["folk"])
        assert said["verdict"] == "unverifiable"
        assert said["reasons"]

    def test_keeps_the_kinds_that_were_asked_for(self, people: People, dataset: Dataset) -> None:
        client = client_of(people.steward)
        asked = self.ask(client, b"no sound", against=["folk"], kinds=["recording", "style"])
        assert Job.objects.get(public_id=asked.json()["id"]).arguments["kinds"] == ["recording", "style"]

    def test_against_a_model_names_its_version(self, people: People, version: ModelVersion) -> None:
        asked = self.ask(client_of(people.steward), b"no sound", model="fiddler")
        assert Job.objects.get(public_id=asked.json()["id"]).arguments["model"] == "fiddler@1"
        jobs.perform(asked.json()["id"])
        assert [dataset.name for dataset in Check.objects.get().against.all()] == ["folk"]

    @pytest.mark.parametrize("words", [{}, {"against": ["folk"], "model": "fiddler"}, {"kinds": ["smell"]}])
    def test_needs_one_thing_to_check_against(
        self, people: People, version: ModelVersion, words: dict[str, Any]
    ) -> None:
        assert self.ask(client_of(people.steward), b"no sound", **words).status_code == 400

    def test_refuses_what_is_no_sound_by_its_name(self, people: People, dataset: Dataset) -> None:
        refused = self.ask(client_of(people.steward), b"MZ", file="query.exe", against=["folk"])
        assert (refused.status_code, refused.json()["code"]) == (422, "unsafe_upload")
        assert not Job.objects.exists()

    def test_looks_into_one_organisation_at_a_time(self, people: People, dataset: Dataset) -> None:
        a_dataset(people.stranger, people.elsewhere, name="jazz")
        people.steward.memberships.create(
            organisation=people.elsewhere, role="label_auditor", valid_from=NOON
        )
        refused = self.ask(client_of(people.steward), b"no sound", against=["folk", "jazz"])
        assert (refused.status_code, refused.json()["code"]) == (400, "generation")

    def test_belongs_to_whose_music_it_was_held_against(self, people: People) -> None:
        a_dataset(people.stranger, people.elsewhere, name="jazz")
        people.steward.memberships.create(
            organisation=people.elsewhere, role="label_auditor", valid_from=NOON
        )
        said = self.check(client_of(people.steward), b"no sound", against=["jazz"])
        assert Check.objects.get(public_id=said["id"]).organisation == people.elsewhere
        assert client_of(people.officer).get(f"{API}/checks/{said['id']}/").status_code == 404

    def test_is_done_only_so_often(
        self, people: People, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rates = {"anon": None, "user": None, "login": None, "check": "1/min"}
        monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", rates)
        cache.clear()
        client = client_of(people.steward)
        found = [self.ask(client, b"no sound", against=["folk"]).status_code for _ in range(2)]
        assert found == [202, 429]
        assert client.get(f"{API}/checks/").status_code == 200
        cache.clear()

    def test_finds_what_was_registered_and_not_what_was_not(self, people: People, folders: Path) -> None:
        """From a ZIP that was sent, by the job that a worker does, to the match with its place in the song."""
        music = {f"tune-{seed}.wav": signals.music(20.0, seed=seed) for seed in (1, 2)}
        packed = folders / "set.zip"
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("tunes.csv", "path,licence\n" + "".join(f"{name},CC0-1.0\n" for name in music))
            for name, samples in music.items():
                archive.write(signals.write(folders / name, samples), name)
        sent = SimpleUploadedFile("set.zip", packed.read_bytes())
        steward = client_of(people.steward)
        queued = steward.post(f"{API}/datasets/", {"name": "tunes", "file": sent}, format="multipart").json()
        jobs.perform(queued["id"])
        done = steward.get(f"{API}/jobs/{queued['id']}/").json()
        assert (done["state"], done["outcome"].get("registered")) == (JobState.DONE, 2), done

        excerpt = music["tune-2.wav"][5 * signals.RATE_HZ : 17 * signals.RATE_HZ]
        copied = self.check(
            steward, signals.write(folders / "a.wav", excerpt).read_bytes(), against=["tunes"]
        )
        assert copied["verdict"] == "blocked", copied
        (found,) = [match for match in copied["matches"] if match["accepted"]]
        assert found["external_id"] == "tune-2.wav"
        assert abs(found["reference_start_s"] - found["query_start_s"] - 5.0) < 0.5
        assert copied["indexes"][0]["covers_all"] is True

        other = signals.write(folders / "b.wav", signals.music(12.0, seed=3)).read_bytes()
        assert self.check(steward, other, against=["tunes"])["verdict"] == "no_match"
        assert list((folders / "uploads").iterdir()) == []  # what was read is not kept twice
