"""Making outputs: what nothing speaks against is let go, all else is held, and a closed gate holds at once."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from copy import deepcopy
from errno import ENOSPC
from os import strerror
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from django.utils import timezone

from generation import queries, services
from generation.errors import CheckpointMissingError, GenerationError
from generation.models import Generation, GenerationState, ModelVersion
from generation.services import generating
from generation.services.generating import Made
from governance import services as governance
from governance.errors import ConflictError, NotAllowedError
from governance.models import Decision, LedgerEvent, Question, Review
from lib.files import write_bytes
from provenance import services as provenance
from provenance.errors import StorageFullError
from provenance.models import Dataset, DatasetKind
from tests.catalogues import TRAINING, a_catalogue, register, table
from tests.generation.models_on_disk import a_model, freeze
from tests.people import People

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="class")
def standing(class_db: Path, founded_people: People) -> tuple[Dataset, ModelVersion]:
    """A dataset that a grant alone clears, and a model of all of it."""
    people = founded_people
    source = a_catalogue(class_db / "music", 2, licence="LicenseRef-closed")
    dataset = register("folk", source, people.steward, people.house).dataset
    deal = {
        "licensor": "Label",
        "licensee": "House",
        "right": "both",
        "purposes": f"{TRAINING};output_commercial",
        "dataset": "folk",
    }
    provenance.register_grants(
        source=table(class_db / "deals.csv", [deal]),
        by=people.steward,
        organisation=people.house,
        now=timezone.now(),
    )
    version = freeze(dataset, people.officer, people.steward)
    return dataset, a_model(class_db, version, people.engineer, people.house)


@pytest.fixture
def folk(standing: tuple[Dataset, ModelVersion], db: None) -> Dataset:
    return deepcopy(standing[0])


@pytest.fixture
def model(standing: tuple[Dataset, ModelVersion], db: None) -> ModelVersion:
    return deepcopy(standing[1])


def make(version: ModelVersion, people: People, **options: Any) -> list[Made]:
    given: dict[str, Any] = {"by": people.engineer, "seed": 5, "seconds": 4.0, **options}
    return list(services.generate(version=version, **given))


def revoke(people: People) -> None:
    grants = provenance_grants(people)
    provenance.revoke_grant(grant=grants[0], by=people.auditor, reason="Unpaid.", now=timezone.now())


def provenance_grants(people: People) -> list[Any]:
    return list(people.house.grants.order_by("id"))


def says(verdict: str) -> Any:
    """Let the check say so, whatever the sound is."""
    check_file = services.check_generation

    def judged(**options: Any) -> Any:
        check, answer = check_file(**options)
        check.verdict = verdict
        check.save(update_fields=["verdict"])
        return check, answer

    return mock.patch.object(generating, "check_generation", judged)


class TestGenerate:
    def test_lets_go_what_nothing_speaks_against(
        self, people: People, model: ModelVersion, tmp_path: Path
    ) -> None:
        with says("no_match"):
            (made,) = make(model, people, out=tmp_path / "out")

        assert made.released
        assert made.generation.state == GenerationState.RELEASED
        assert made.file is not None
        assert made.file.read_bytes()[:4] == b"RIFF"
        assert not Review.objects.filter(question=Question.GENERATION_RELEASE).exists()

    @pytest.mark.parametrize("verdict", ["review", "blocked", "unverifiable"])
    def test_holds_any_other_verdict_and_asks_a_person(
        self, people: People, model: ModelVersion, tmp_path: Path, verdict: str
    ) -> None:
        with says(verdict):
            (made,) = make(model, people, out=tmp_path / "out")

        assert (made.released, made.file) == (False, None)
        assert made.generation.state == GenerationState.HELD
        assert not list((tmp_path / "out").iterdir())
        review = Review.objects.get(question=Question.GENERATION_RELEASE)
        assert (review.subject_id, review.decision) == (made.generation.public_id, "pending")

    def test_holds_everything_once_a_grant_is_revoked(
        self, people: People, model: ModelVersion, tmp_path: Path
    ) -> None:
        assert queries.gate_of(model, at=timezone.now()).is_open
        revoke(people)

        gate = queries.gate_of(model, at=timezone.now())
        with says("no_match"):
            (made,) = make(model, people, out=tmp_path / "out")

        assert (gate.is_open, gate.n_not_cleared) == (False, 2)
        assert not made.released
        assert "no longer cleared" in made.held_because[0]

    def test_holds_everything_once_a_label_protects_what_it_was_trained_on(
        self, people: People, model: ModelVersion, tmp_path: Path
    ) -> None:
        source = a_catalogue(tmp_path / "label", 1)
        register("label", source, people.steward, people.house, kind=DatasetKind.PROTECTED)

        assert queries.gate_of(model, at=timezone.now()).n_not_cleared == 1

    def test_needs_a_person_for_each_output_of_a_model_of_unknown_origin(
        self, people: People, folk: Dataset, tmp_path: Path
    ) -> None:
        stranger = a_model(tmp_path, None, people.engineer, people.house, name="stranger", seed=2)
        with says("no_match"):
            made = make(stranger, people, n=2, out=tmp_path / "out")

        assert [one.released for one in made] == [False, False]
        assert "a person decides each release" in made[0].held_because[0]
        assert Review.objects.filter(question=Question.GENERATION_RELEASE).count() == 2

    def test_checks_a_model_of_unknown_origin_against_all_there_is(
        self, people: People, folk: Dataset, tmp_path: Path
    ) -> None:
        stranger = a_model(tmp_path, None, people.engineer, people.house, name="stranger", seed=2)
        targets = services.targets_of_model(stranger, by=people.engineer, now=timezone.now())
        assert [target.dataset.name for target in targets] == ["folk"]

    def test_can_verify_nothing_where_there_is_nothing_to_check_against(
        self, people: People, tmp_path: Path
    ) -> None:
        alone = a_model(tmp_path, None, people.stranger, people.elsewhere)
        (made,) = make(alone, people, by=people.stranger)
        assert (made.answer.verdict, made.released) == ("unverifiable", False)

    def test_uses_no_weights_but_those_registered(
        self, people: People, model: ModelVersion, tmp_path: Path, settings: Any
    ) -> None:
        settings.CHECKPOINT_DIR = shutil.copytree(settings.CHECKPOINT_DIR, tmp_path / "checkpoints")
        kept = settings.CHECKPOINT_DIR / model.checkpoint
        (tensors,) = kept.glob("*.safetensors")
        content = bytearray(tensors.read_bytes())
        content[-1] ^= 1
        tensors.write_bytes(content)

        with pytest.raises(CheckpointMissingError, match="can't be loaded"):
            make(model, people)
        assert not Generation.objects.exists()

    @pytest.mark.parametrize(
        ("asked", "words"), [({"n": 0}, "--n is 0"), ({"seconds": 0.5}, "--seconds is 0.5")]
    )
    def test_refuses_what_is_out_of_range(
        self, people: People, model: ModelVersion, asked: dict[str, Any], words: str
    ) -> None:
        with pytest.raises(GenerationError, match=words):
            make(model, people, **asked)

    def test_is_for_engineers_of_the_house(self, people: People, model: ModelVersion) -> None:
        for person in (people.steward, people.officer, people.stranger):
            with pytest.raises(NotAllowedError):
                make(model, people, by=person)

    def test_makes_nothing_for_a_folder_that_can_not_be_written_to(
        self, people: People, model: ModelVersion, tmp_path: Path
    ) -> None:
        (tmp_path / "out").write_text("a file where a folder should be")
        for out in (tmp_path / "out", tmp_path / "out" / "below", Path("/proc/nowhere")):
            with pytest.raises(GenerationError, match="Nothing can be written to --out"):
                make(model, people, out=out)
        assert not Generation.objects.exists()

    def test_keeps_what_it_made_when_it_can_not_be_handed_out(
        self, people: People, model: ModelVersion, tmp_path: Path
    ) -> None:
        def full(path: Path, content: bytes) -> None:
            if path.is_relative_to(tmp_path):
                raise OSError(ENOSPC, strerror(ENOSPC))
            write_bytes(path, content)

        is_full = mock.patch.object(generating, "write_bytes", full)
        with says("no_match"), is_full, pytest.raises(StorageFullError, match="No space left"):
            make(model, people, out=tmp_path / "out")
        assert Generation.objects.get().state == GenerationState.RELEASED


class TestAKilledRun:
    def test_goes_on_with_what_was_made_and_not_settled(self, people: People, model: ModelVersion) -> None:
        job = governance.queue_job(
            kind="generation.generate",
            organisation=people.house,
            asked_by=people.engineer,
            now=timezone.now(),
            arguments={},
        )
        settle = generating._settle
        settled: list[Made] = []

        def dying(*args: Any) -> Made:
            if settled:
                raise SystemError("killed")
            settled.append(settle(*args))
            return settled[0]

        with mock.patch.object(generating, "_settle", dying), pytest.raises(SystemError):
            make(model, people, n=3, job=job)

        rest = make(model, people, n=3, job=job)

        assert len(rest) == 2
        over = Generation.objects.filter(job=job).exclude(state=GenerationState.QUARANTINED)
        assert over.values("seed").distinct().count() == over.count() == 3

    def test_holds_nothing_without_asking_somebody(self, people: People, model: ModelVersion) -> None:
        with (
            says("blocked"),
            mock.patch.object(generating, "ask_generation_release", side_effect=SystemError("killed")),
            pytest.raises(SystemError),
        ):
            make(model, people)

        assert Generation.objects.get().state == GenerationState.QUARANTINED
        assert not LedgerEvent.objects.filter(kind="generation.output.held").exists()


class TestDecideGeneration:
    @pytest.fixture
    def held(self, people: People, model: ModelVersion) -> Made:
        with says("review"):
            return make(model, people)[0]

    def decide(self, held: Made, by: Any, decision: Decision = Decision.APPROVED) -> None:
        review = Review.objects.get(subject_id=held.generation.public_id)
        services.decide_generation(
            review=review, decision=decision, reason="Listened to both.", by=by, now=timezone.now()
        )

    @pytest.mark.parametrize(
        ("decision", "state"), [(Decision.APPROVED, "released"), (Decision.REJECTED, "refused")]
    )
    def test_is_a_persons_word(self, people: People, held: Made, decision: Decision, state: str) -> None:
        self.decide(held, people.officer, decision)
        held.generation.refresh_from_db()
        assert held.generation.state == state

    def test_is_not_for_who_made_it(self, people: People, held: Made) -> None:
        for person in (people.engineer, people.steward, governance.system_user()):
            with pytest.raises(NotAllowedError):
                self.decide(held, person)
        held.generation.refresh_from_db()
        assert held.generation.state == GenerationState.HELD

    def test_is_not_for_who_made_it_whoever_asked(self, people: People, held: Made) -> None:
        people.engineer.memberships.create(
            organisation=people.house, role="compliance_officer", valid_from=timezone.now()
        )
        Review.objects.filter(subject_id=held.generation.public_id).update(asked_by=people.steward)
        with pytest.raises(NotAllowedError, match="somebody else must release it"):
            self.decide(held, people.engineer)
        self.decide(held, people.engineer, Decision.REJECTED)

    def test_releases_nothing_of_a_suspended_model(
        self, people: People, held: Made, model: ModelVersion
    ) -> None:
        review = services.ask_model_release(version=model, by=people.engineer, now=timezone.now())
        services.decide_model(
            review=review, decision=Decision.SUSPENDED, reason="Stop.", by=people.officer, now=timezone.now()
        )
        with pytest.raises(ConflictError, match="the model is suspended"):
            self.decide(held, people.officer)
        self.decide(held, people.officer, Decision.REJECTED)
        held.generation.refresh_from_db()
        assert held.generation.state == GenerationState.REFUSED

    def test_releases_nothing_once_a_grant_is_revoked(self, people: People, held: Made) -> None:
        revoke(people)
        with pytest.raises(ConflictError, match="no longer cleared"):
            self.decide(held, people.officer)
        assert Review.objects.get(subject_id=held.generation.public_id).decision == Decision.PENDING


class TestDecideModel:
    def test_is_not_approved_by_who_made_it_whoever_asked(self, people: People, model: ModelVersion) -> None:
        people.engineer.memberships.create(
            organisation=people.house, role="compliance_officer", valid_from=timezone.now()
        )
        review = services.ask_model_release(version=model, by=people.officer, now=timezone.now())
        answer: dict[str, Any] = {"reason": "Mine.", "by": people.engineer, "now": timezone.now()}
        with pytest.raises(NotAllowedError, match="somebody else must approve it"):
            services.decide_model(review=review, decision=Decision.APPROVED, **answer)
        services.decide_model(review=review, decision=Decision.SUSPENDED, **answer)

    def test_can_not_approve_behind_a_closed_gate(self, people: People, model: ModelVersion) -> None:
        review = services.ask_model_release(version=model, by=people.engineer, now=timezone.now())
        revoke(people)

        with pytest.raises(ConflictError, match="can't be approved"):
            services.decide_model(
                review=review,
                decision=Decision.APPROVED,
                reason="Fine.",
                by=people.officer,
                now=timezone.now(),
            )

    def test_closes_the_gate_of_a_suspended_model(self, people: People, model: ModelVersion) -> None:
        review = services.ask_model_release(version=model, by=people.engineer, now=timezone.now())
        services.decide_model(
            review=review, decision=Decision.SUSPENDED, reason="Stop.", by=people.officer, now=timezone.now()
        )
        assert queries.gate_of(model, at=timezone.now()).reasons == ("the model is suspended",)


class TestRevokeGrant:
    def test_tells_what_it_reaches(self, people: People, model: ModelVersion) -> None:
        with says("blocked"):
            make(model, people)

        _, impact = services.revoke_grant(
            grant=provenance_grants(people)[0], by=people.auditor, reason="Unpaid.", now=timezone.now()
        )

        assert impact.as_json() == {"recordings": 2, "datasets": ["folk"], "models": ["tide@1"], "outputs": 1}
