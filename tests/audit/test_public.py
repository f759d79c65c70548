"""The public gallery: what strangers read of a model, and what they do not."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any, ClassVar

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from audit import public
from audit.serializers import PublicCardSerializer
from generation import services
from generation.models import GenerationState, ModelVersion
from governance.models import Decision, Role
from provenance.models import DatasetEntry, VersionEntry
from provenance.services import register_grants
from tests.audit import scene as rows
from tests.audit.scene import NOW, Scene

pytestmark = pytest.mark.django_db
REASON = "The press asked for it."


@pytest.fixture(scope="module")
def standing_scene(shared_db: Path) -> Scene:
    return rows.a_scene()


@pytest.fixture
def scene(standing_scene: Scene, db: None) -> Scene:
    return deepcopy(standing_scene)


@pytest.fixture
def version(scene: Scene) -> ModelVersion:
    """A model with one blocked output of two, trained on music under a condition that asks for credit."""
    frozen = rows.a_version(scene, ["North", "South"], conditions=("attribution",))
    index = rows.an_index(frozen)
    made = rows.a_model(scene, frozen, name="night-drive")
    held = rows.an_output(scene, made, state=GenerationState.HELD)
    rows.a_check(held, index, "blocked", matched=frozen.entries.get(external_id="North").recording)
    rows.a_check(rows.an_output(scene, made), index, "no_match")
    return made


@pytest.fixture
def published(scene: Scene, version: ModelVersion) -> ModelVersion:
    services.publish_card(version=version, reason=REASON, by=scene.officer, now=NOW)
    return version


def page_of(version: ModelVersion) -> str:
    response = Client().get(reverse("audit:public-card", args=[version.public_id]))
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def decide(scene: Scene, version: ModelVersion, decision: Decision) -> None:
    review = services.ask_model_release(version=version, by=scene.engineer, now=NOW)
    services.decide_model(
        review=review, decision=decision, reason="Secret reason.", by=scene.officer, now=NOW
    )


class TestPublicCard:
    def test_answers_the_five_questions_without_a_login(self, published: ModelVersion) -> None:
        text = page_of(published)
        for said in (
            "What is it?",
            "2 recordings",
            "Not decided",
            "1 of 2 flagged",
            "Every recording is indexed",
        ):
            assert said in text

    def test_is_not_there_until_somebody_opens_it(self, version: ModelVersion) -> None:
        response = Client().get(reverse("audit:public-card", args=[version.public_id]))
        assert response.status_code == 404
        assert "night-drive" not in response.content.decode()

    def test_is_gone_once_it_is_closed(self, scene: Scene, published: ModelVersion) -> None:
        services.withdraw_card(version=published, reason="A claim.", by=scene.officer, now=NOW)
        assert Client().get(reverse("audit:public-card", args=[published.public_id])).status_code == 404
        assert "night-drive" not in Client().get(reverse("audit:gallery")).content.decode()

    def test_tells_nothing_confidential(self, scene: Scene, published: ModelVersion) -> None:
        decide(scene, published, Decision.SUSPENDED)
        text = page_of(published)
        for secret in ("tides", "officer", "engineer", "Secret reason", REASON):
            assert secret not in text, secret

    def test_says_at_once_that_a_person_stopped_it(self, scene: Scene, published: ModelVersion) -> None:
        decide(scene, published, Decision.SUSPENDED)
        text = page_of(published)
        assert "No, not now" in text
        assert "The model is suspended." in text

    def test_says_that_it_is_approved(self, scene: Scene, published: ModelVersion) -> None:
        decide(scene, published, Decision.APPROVED)
        assert "Yes, approved" in page_of(published)

    def test_names_no_recording_that_is_no_longer_cleared(
        self, scene: Scene, published: ModelVersion
    ) -> None:
        for entry in DatasetEntry.objects.filter(external_id="North"):
            entry.statements.update(expression="LicenseRef-closed")
        text = page_of(published)
        assert "1 recording is no longer cleared for this use." in text

    def test_tells_what_is_licensed_for_other_models_and_names_no_deal(
        self, scene: Scene, published: ModelVersion, tmp_path: Path
    ) -> None:
        (north,) = DatasetEntry.objects.filter(external_id="North")
        north.statements.update(expression="LicenseRef-closed")
        deal = {
            "licensor": "Secret Label",
            "licensee": scene.organisation.name,
            "right": "both",
            "recordings": [str(north.recording.public_id)],
            "purposes": ["ai_generative_training"],
            "model_scope": ["day-drive"],
        }
        file = tmp_path / "deals.json"
        file.write_text(json.dumps([deal]))
        (outcome,) = register_grants(source=file, by=scene.steward, organisation=scene.organisation, now=NOW)
        assert outcome.grants, outcome.reasons
        text = page_of(published)

        assert "1 recording is licensed for other models." in text
        assert "no longer cleared" not in text
        assert "Secret Label" not in text
        assert "day-drive" not in text

    def test_tells_of_music_that_was_cleared_for_another_model(self, published: ModelVersion) -> None:
        frozen = published.dataset_version
        assert frozen is not None
        frozen.model = "day-drive"
        card = public.card_of(published, at=timezone.now())
        assert card.why_closed == ["its music was cleared for another model"]

    def test_says_whether_the_music_was_cleared_for_it_alone(self, published: ModelVersion) -> None:
        frozen = published.dataset_version
        assert frozen is not None
        said = [PublicCardSerializer(public.card_of(published, at=timezone.now())).data]
        frozen.model = "night-drive"
        said += [PublicCardSerializer(public.card_of(published, at=timezone.now())).data]
        assert [one["trained_on"]["for_one_model"] for one in said] == [False, True]

    def test_calls_licences_by_name(self, published: ModelVersion) -> None:
        assert "<span>Creative Commons Zero 1.0 Universal</span>" in page_of(published)

    def test_names_who_must_be_named(self, published: ModelVersion) -> None:
        """The house accepted the condition to do so wherever the card is published."""
        text = page_of(published)
        assert "Song North" in text
        assert "Ana Lua" in text

    def test_leads_nowhere_that_is_no_web_address(self, published: ModelVersion) -> None:
        DatasetEntry.objects.update(source_url="javascript:alert(1)")
        assert "javascript:" not in page_of(published)

    def test_counts_where_nobody_knows_the_music(self, scene: Scene) -> None:
        unknown = rows.a_model(scene, None, name="foundling")
        services.publish_card(version=unknown, reason=REASON, by=scene.officer, now=NOW)
        assert "Nobody could say" in page_of(unknown)


class TestAsksForCredit:
    RIGHT: ClassVar[dict[str, Any]] = {"licence": "CC-BY-3.0", "grant": None, "conditions": ["attribution"]}

    def leaf(self, **changed: Any) -> VersionEntry:
        return VersionEntry(manifest={"master": self.RIGHT | changed, "composition": self.RIGHT})

    def test_is_what_a_licence_with_attribution_does(self) -> None:
        assert public.asks_for_credit(self.leaf())

    @pytest.mark.parametrize("changed", [{"grant": "0198c1a2"}, {"licence": "LicenseRef-deal"}])
    def test_is_silent_about_deals(self, changed: dict[str, Any]) -> None:
        assert not public.asks_for_credit(self.leaf(**changed))

    def test_is_no_where_no_duty_is(self) -> None:
        bare = self.RIGHT | {"conditions": []}
        assert not public.asks_for_credit(VersionEntry(manifest={"master": bare, "composition": bare}))


class TestGallery:
    def test_shows_what_was_opened_and_nothing_else(self, scene: Scene, published: ModelVersion) -> None:
        rows.a_model(scene, published.dataset_version, name="kept-in")
        text = Client().get(reverse("audit:gallery")).content.decode()
        assert "night-drive" in text
        assert "kept-in" not in text

    def test_says_what_to_do_where_nothing_is_open(self) -> None:
        assert "No card is public yet" in Client().get(reverse("audit:gallery")).content.decode()

    def test_takes_the_same_number_of_queries_for_more_cards(
        self, scene: Scene, published: ModelVersion, django_assert_max_num_queries: Any
    ) -> None:
        for name in ("two", "three", "four"):
            made = rows.a_model(scene, published.dataset_version, name=name)
            services.publish_card(version=made, reason=REASON, by=scene.officer, now=NOW)
        with django_assert_max_num_queries(20):
            Client().get(reverse("audit:gallery"))

    def test_is_offered_to_whoever_has_no_account(self) -> None:
        assert reverse("audit:gallery") in Client().get(reverse("login")).content.decode()


class TestPublish:
    def client_of(self, scene: Scene, role: str) -> Client:
        client = Client()
        client.force_login(scene.users[role])
        return client

    def test_shows_the_officer_first_what_strangers_would_read(
        self, scene: Scene, version: ModelVersion
    ) -> None:
        url = reverse("audit:publish", args=[version.public_id])
        text = self.client_of(scene, "compliance_officer").get(url).content.decode()
        assert "What strangers would read" in text
        assert "1 of 2 flagged" in text

    def test_opens_and_closes_for_a_reason(self, scene: Scene, version: ModelVersion) -> None:
        client, url = (
            self.client_of(scene, "compliance_officer"),
            reverse("audit:publish", args=[version.public_id]),
        )
        assert client.post(url, {"reason": ""}).status_code == 422
        assert not version.publications.exists()
        assert client.post(url, {"reason": REASON}).status_code == 302
        assert public.public_versions().get() == version
        assert client.post(url, {"reason": "A claim came."}).status_code == 302
        assert not public.public_versions().exists()

    @pytest.mark.parametrize("role", [role for role in Role.values if role != "compliance_officer"])
    def test_refuses_every_other_role(self, scene: Scene, version: ModelVersion, role: str) -> None:
        url = reverse("audit:publish", args=[version.public_id])
        assert self.client_of(scene, role).post(url, {"reason": REASON}).status_code == 403
        assert not version.publications.exists()

    def test_is_offered_on_the_models_page_to_the_officer_alone(
        self, scene: Scene, version: ModelVersion
    ) -> None:
        url = reverse("generation:model-version", args=[version.public_id])
        link = reverse("audit:publish", args=[version.public_id])
        assert link in self.client_of(scene, "compliance_officer").get(url).content.decode()
        assert link not in self.client_of(scene, "ml_engineer").get(url).content.decode()


class TestPublicApi:
    def test_lists_what_is_open(self, published: ModelVersion) -> None:
        found = Client().get("/api/v1/public/models/").json()
        assert [row["id"] for row in found["results"]] == [str(published.public_id)]

    def test_answers_with_the_card(self, published: ModelVersion) -> None:
        card = Client().get(f"/api/v1/public/models/{published.public_id}/").json()
        assert card["may_i_use_it"] == {"release": "undecided", "reasons": []}
        assert (card["does_it_copy"]["outputs"], card["does_it_copy"]["flagged"]) == (2, 1)
        assert card["trained_on"]["licences"] == {"CC0-1.0": 2}
        assert {credit["by"] for credit in card["credits"]} == {"Ana Lua"}
        assert "tides" not in str(card)

    def test_knows_nothing_of_what_is_closed(self, version: ModelVersion) -> None:
        assert Client().get(f"/api/v1/public/models/{version.public_id}/").status_code == 404
        assert Client().get("/api/v1/public/models/").json()["results"] == []

    def test_takes_no_word_for_who_asks(self, published: ModelVersion) -> None:
        headers = {"Authorization": "Token wrong"}
        assert Client().get("/api/v1/public/models/", headers=headers).status_code == 200


def test_card_of_says_nothing_about_other_versions(scene: Scene, published: ModelVersion) -> None:
    other = rows.a_model(scene, published.dataset_version, name="other")
    assert public.card_of(other, at=timezone.now()).published_at is None
