"""Deciding about many outputs at once, and opening a card to strangers: one person's word, each with its reason."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from generation import services
from generation.errors import GenerationError
from generation.models import Generation, GenerationState, ModelVersion, Publication
from governance.errors import ConflictError, NotAllowedError
from governance.ledger import commitment
from governance.models import Decision, LedgerEvent, Question, Review, User
from tests.audit import scene as rows
from tests.audit.scene import NOW, Scene

pytestmark = pytest.mark.django_db
REASON = "Listened to each beside its source."


@pytest.fixture(scope="module")
def standing_scene(shared_db: Path) -> Scene:
    return rows.a_scene()


@pytest.fixture
def scene(standing_scene: Scene, db: None) -> Scene:
    return deepcopy(standing_scene)


@pytest.fixture
def version(scene: Scene) -> ModelVersion:
    return rows.a_model(scene, rows.a_version(scene, ["a", "b"]))


@pytest.fixture
def held(scene: Scene, version: ModelVersion) -> list[Generation]:
    return [held_output(scene, version) for _ in range(3)]


def held_output(scene: Scene, version: ModelVersion, *, made_by: User | None = None) -> Generation:
    made = rows.an_output(
        scene, version, state=GenerationState.HELD, **({"made_by": made_by} if made_by else {})
    )
    rows.a_check(made, None, "blocked")
    return made


class TestDecideGenerations:
    def decide(
        self, held: list[Generation], by: User, decision: Decision = Decision.REJECTED, reason: str = REASON
    ) -> list[Review]:
        return services.decide_generations(generations=held, decision=decision, reason=reason, by=by, now=NOW)

    def states(self, version: ModelVersion) -> set[str]:
        return set(version.generations.values_list("state", flat=True))

    @pytest.mark.parametrize(
        ("decision", "state"), [(Decision.APPROVED, "released"), (Decision.REJECTED, "refused")]
    )
    def test_records_a_review_for_each(
        self, scene: Scene, version: ModelVersion, held: list[Generation], decision: Decision, state: str
    ) -> None:
        self.decide(held, scene.officer, decision)
        assert self.states(version) == {state}
        reviews = Review.objects.filter(question=Question.GENERATION_RELEASE)
        assert {review.subject_id for review in reviews} == {made.public_id for made in held}
        assert {(review.decision, review.reason, review.decided_by) for review in reviews} == {
            (decision, REASON, scene.officer)
        }
        assert (
            LedgerEvent.objects.filter(kind=f"governance.review.{decision}", body__verdict="blocked").count()
            == 3
        )

    def test_answers_the_question_that_is_open(self, scene: Scene, held: list[Generation]) -> None:
        asked = services.review_of_output(held[0], by=scene.engineer, now=NOW)
        reviews = self.decide(held, scene.officer)
        assert asked.pk in {review.pk for review in reviews}
        assert Review.objects.filter(subject_id=held[0].public_id).count() == 1

    @pytest.mark.parametrize("role", ["ml_engineer", "data_steward", "label_auditor", "external_auditor"])
    def test_takes_an_officer(
        self, scene: Scene, version: ModelVersion, held: list[Generation], role: str
    ) -> None:
        with pytest.raises(NotAllowedError):
            self.decide(held, scene.users[role])
        assert self.states(version) == {"held"}
        assert not Review.objects.exclude(question=Question.DATASET_APPROVAL).exists()

    def test_decides_none_where_one_was_made_by_who_decides(
        self, scene: Scene, version: ModelVersion, held: list[Generation]
    ) -> None:
        own = held_output(scene, version, made_by=scene.officer)
        with pytest.raises(NotAllowedError, match=rf"Seed {own.seed}: .*somebody else.*Nothing was decided"):
            self.decide([*held, own], scene.officer)
        assert self.states(version) == {"held"}

    def test_decides_none_where_one_is_decided_already(
        self, scene: Scene, version: ModelVersion, held: list[Generation]
    ) -> None:
        self.decide(held[:1], scene.officer, Decision.APPROVED)
        with pytest.raises(ConflictError, match="it is released"):
            self.decide(held, scene.officer)
        assert self.states(version) == {"held", "released"}

    def test_refuses_a_blank_reason(
        self, scene: Scene, version: ModelVersion, held: list[Generation]
    ) -> None:
        with pytest.raises(Exception, match="needs a reason"):
            self.decide(held, scene.officer, reason=" ")
        assert self.states(version) == {"held"}

    def test_refuses_none_at_all(self, scene: Scene) -> None:
        with pytest.raises(GenerationError, match="at least one"):
            self.decide([], scene.officer)

    def test_refuses_outputs_of_two_models(self, scene: Scene, held: list[Generation]) -> None:
        other = held_output(scene, rows.a_model(scene, None, name="other"))
        with pytest.raises(GenerationError, match="of several"):
            self.decide([*held, other], scene.officer)


class TestPublishCard:
    def test_keeps_who_and_why_and_writes_a_line(self, scene: Scene, version: ModelVersion) -> None:
        made = services.publish_card(version=version, reason=" Asked for. ", by=scene.officer, now=NOW)
        assert (made.reason, made.published_by, made.withdrawn_at) == ("Asked for.", scene.officer, None)
        line = LedgerEvent.objects.get(kind="generation.card.published")
        assert line.subject_id == version.public_id
        assert line.body["reason_commitment"] == commitment("Asked for.", made.salt)
        assert "Asked" not in str(line.body)

    @pytest.mark.parametrize("role", ["ml_engineer", "data_steward", "label_auditor", "external_auditor"])
    def test_takes_an_officer(self, scene: Scene, version: ModelVersion, role: str) -> None:
        with pytest.raises(NotAllowedError):
            services.publish_card(version=version, reason=REASON, by=scene.users[role], now=NOW)
        assert not Publication.objects.exists()

    def test_is_not_for_who_registered_the_version(self, scene: Scene, version: ModelVersion) -> None:
        ModelVersion.objects.update(registered_by=scene.officer)
        version.refresh_from_db()
        with pytest.raises(NotAllowedError, match="somebody else"):
            services.publish_card(version=version, reason=REASON, by=scene.officer, now=NOW)

    def test_happens_once(self, scene: Scene, version: ModelVersion) -> None:
        services.publish_card(version=version, reason=REASON, by=scene.officer, now=NOW)
        with pytest.raises(ConflictError, match="public already"):
            services.publish_card(version=version, reason=REASON, by=scene.officer, now=NOW)

    def test_leaves_later_versions_unpublished(self, scene: Scene, version: ModelVersion) -> None:
        services.publish_card(version=version, reason=REASON, by=scene.officer, now=NOW)
        later = ModelVersion.objects.get(pk=version.pk)
        later.pk, later.public_id, later.number = None, uuid4(), 2
        later.save(force_insert=True)
        assert not later.publications.exists()

    def test_needs_a_reason_in_the_database_too(self, scene: Scene, version: ModelVersion) -> None:
        with pytest.raises(GenerationError, match="reason"):
            services.publish_card(version=version, reason="  ", by=scene.officer, now=NOW)
        with pytest.raises(IntegrityError), transaction.atomic():
            Publication.objects.create(
                model_version=version, published_by=scene.officer, published_at=NOW, reason="", salt="a"
            )


class TestWithdrawCard:
    def test_keeps_both_reasons(self, scene: Scene, version: ModelVersion) -> None:
        services.publish_card(version=version, reason="Asked for.", by=scene.officer, now=NOW)
        services.withdraw_card(version=version, reason="A claim came.", by=scene.officer, now=NOW)
        kept = Publication.objects.get()
        assert (kept.reason, kept.withdrawal_reason) == ("Asked for.", "A claim came.")
        assert LedgerEvent.objects.filter(kind="generation.card.withdrawn").count() == 1

    def test_lets_it_be_published_again(self, scene: Scene, version: ModelVersion) -> None:
        for _ in range(2):
            services.publish_card(version=version, reason=REASON, by=scene.officer, now=NOW)
            services.withdraw_card(version=version, reason=REASON, by=scene.officer, now=NOW)
        assert version.publications.count() == 2

    def test_refuses_what_is_not_public(self, scene: Scene, version: ModelVersion) -> None:
        with pytest.raises(ConflictError, match="not public"):
            services.withdraw_card(version=version, reason=REASON, by=scene.officer, now=NOW)

    def test_takes_an_officer(self, scene: Scene, version: ModelVersion) -> None:
        services.publish_card(version=version, reason=REASON, by=scene.officer, now=NOW)
        with pytest.raises(NotAllowedError):
            services.withdraw_card(version=version, reason=REASON, by=scene.engineer, now=NOW)
