"""Weights registered without their music are told by their hash, where the same ones are on record."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from audit.services import snapshots
from audit.services.exporting import export
from generation import pipeline, queries, services
from generation.models import Generation, ModelVersion
from generation.pipeline import Answer
from generation.queries import overviews
from generation.services.generating import Made
from governance.errors import ConflictError
from governance.models import Decision, LedgerEvent, Review
from provenance.models import Dataset, DatasetKind
from tests.catalogues import a_catalogue, register, run, sound, table
from tests.generation.models_on_disk import a_model, freeze, weights
from tests.people import People

pytestmark = pytest.mark.django_db
NO_OUTPUTS: Any = {"policy": None, "n": 0, "control": None, "missed": []}
SAID = "its weights are those of tide@1, trained on folk@1"


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def standing(shared_db: Path, founded_people: People) -> tuple[Dataset, ModelVersion, ModelVersion]:
    """A dataset, a model of it, and a copy of the model's weights registered as of unknown music."""
    people = founded_people
    folk = register("folk", a_catalogue(shared_db / "music", 2), people.steward, people.house).dataset
    tide = a_model(shared_db, freeze(folk, people.officer, people.steward), people.engineer, people.house)
    copy = a_model(shared_db, None, people.engineer, people.house, name="copy")
    return folk, tide, copy


@pytest.fixture
def tide(standing: tuple[Dataset, ModelVersion, ModelVersion], db: None) -> ModelVersion:
    return deepcopy(standing[1])


@pytest.fixture
def copy(standing: tuple[Dataset, ModelVersion, ModelVersion], db: None) -> ModelVersion:
    return deepcopy(standing[2])


def gate(version: ModelVersion) -> queries.Gate:
    return queries.gate_of(version, at=timezone.now())


def suspend(version: ModelVersion, people: People) -> None:
    now = timezone.now()
    review = services.ask_model_release(version=version, by=people.engineer, now=now)
    services.decide_model(
        review=review, decision=Decision.SUSPENDED, reason="Copies.", by=people.officer, now=now
    )


class TestRegistering:
    def test_says_whose_weights_they_are(
        self, people: People, tide: ModelVersion, copy: ModelVersion, tmp_path: Path
    ) -> None:
        given = ("--weights", str(weights(tmp_path / "w")), "--architecture", "symbolic")
        ran = run("register_model", "again", *given, "--dataset-unknown", "--as", "ml_engineer")

        assert (ran.code, ran.last["dataset"]) == (0, None)
        assert ran.last["same_weights_as"] == [{"model": "tide@1", "dataset": "folk@1"}]
        event = LedgerEvent.objects.filter(kind="generation.model.registered").latest("sequence")
        assert event.body["same_weights_as"] == [str(tide.public_id)]

    def test_knows_no_other_weights(self, people: People, tide: ModelVersion, tmp_path: Path) -> None:
        given = ("--weights", str(weights(tmp_path / "w", seed=2)), "--architecture", "symbolic")
        ran = run("register_model", "other", *given, "--dataset-unknown", "--as", "ml_engineer")
        assert (ran.code, ran.last["same_weights_as"]) == (0, [])

    @pytest.mark.parametrize("person", [("--as", "stranger"), ()])
    def test_names_nothing_of_another_organisation(
        self, people: People, tide: ModelVersion, tmp_path: Path, person: tuple[str, ...]
    ) -> None:
        elsewhere = people.elsewhere if person else None
        given = ("--weights", str(weights(tmp_path / "w")), "--architecture", "symbolic")
        with mock.patch(
            "governance.commands.services.home_organisation", return_value=elsewhere or people.elsewhere
        ):
            ran = run("register_model", "again", *given, "--dataset-unknown", *person)

        found = ModelVersion.objects.latest("id")
        assert found.model.organisation == people.elsewhere
        assert ran.last["same_weights_as"] == []
        assert "tide" not in ran.out
        assert (gate(found).origin, gate(found).reasons) == ("", ())


class TestGate:
    def test_says_whose_weights_they_are_and_asks_a_person(self, copy: ModelVersion) -> None:
        assert gate(copy).origin == SAID
        assert gate(copy).why_a_person == (
            f"{SAID}, and it was registered without its music: a person decides each release"
        )

    def test_closes_with_that_of_the_same_weights(
        self, people: People, tide: ModelVersion, copy: ModelVersion
    ) -> None:
        assert gate(copy).is_open
        suspend(tide, people)
        assert gate(copy).reasons == ("its weights are those of tide@1, and the model is suspended",)

    def test_closes_when_the_music_is_no_longer_cleared(
        self, people: People, copy: ModelVersion, standing: tuple[Dataset, ModelVersion, ModelVersion]
    ) -> None:
        entry = standing[0].entries.all()[0]
        entry.statements.update(expression="CC-BY-NC-4.0", raw="CC-BY-NC-4.0")
        (reason,) = gate(copy).reasons
        called = f"“{entry.recording.title}”"
        assert called in reason.partition("no longer cleared: ")[2]
        assert called not in gate(copy).without_names().reasons[0]

        review = services.ask_model_release(version=copy, by=people.engineer, now=timezone.now())
        with pytest.raises(ConflictError, match="can't be approved"):
            services.decide_model(
                review=review,
                decision=Decision.APPROVED,
                reason="Fine.",
                by=people.officer,
                now=timezone.now(),
            )

    def test_is_the_same_for_many_at_once(
        self, people: People, tide: ModelVersion, copy: ModelVersion
    ) -> None:
        suspend(tide, people)
        now = timezone.now()
        assert gate(copy).in_public == ("its weights are another model's, and the model is suspended",)
        at_once = overviews.gates_of([tide, copy], at=now)
        assert at_once == {one.pk: queries.gate_of(one, at=now) for one in (tide, copy)}


class TestChecks:
    def test_are_against_what_the_same_weights_heard_too(self, people: People, copy: ModelVersion) -> None:
        targets = services.targets_of_model(copy, by=people.engineer, now=timezone.now())
        assert [(target.dataset.name, str(target.version)) for target in targets] == [
            ("folk", "folk@1"),
            ("folk", "None"),
        ]

    def test_block_what_a_case_blocks_for_the_same_weights(
        self, people: People, tide: ModelVersion, copy: ModelVersion
    ) -> None:
        standing = {tide.pk: queries.Standing(blocked={"a-recording": "C-1"})}
        with mock.patch("generation.services.checking.standing_of", return_value=standing):
            targets = services.targets_of_model(copy, by=people.engineer, now=timezone.now())
        assert [target.blocked for target in targets] == [{"a-recording": "C-1"}] * 2

    def test_release_nothing_that_a_case_blocks_for_the_same_weights(
        self, people: People, tide: ModelVersion, copy: ModelVersion
    ) -> None:
        (made,) = make(copy, people)
        assert SAID in made.held_because[-1]

        def blocked(version: ModelVersion, check: int) -> str:
            return "C-1" if version == tide else ""

        with (
            mock.patch("generation.services.releasing.blocked_reference_in", blocked),
            pytest.raises(ConflictError, match="case C-1"),
        ):
            services.decide_generation(
                review=Review.objects.get(subject_id=made.generation.public_id),
                decision=Decision.APPROVED,
                reason="Fine.",
                by=people.officer,
                now=timezone.now(),
            )
        assert Generation.objects.get().state == "held"


def make(version: ModelVersion, people: People) -> list[Made]:
    return list(services.generate(version=version, by=people.engineer, seed=5, seconds=4.0))


class TestReading:
    def test_of_the_page_names_the_model_and_its_music(
        self, people: People, tide: ModelVersion, copy: ModelVersion
    ) -> None:
        client = Client()
        client.force_login(people.officer)
        response = client.get(reverse("generation:model-version", args=[copy.public_id]))
        said = " ".join(response.content.decode().split())
        assert "Known by its weights" in said
        assert reverse("generation:model-version", args=[tide.public_id]) in said
        assert reverse("provenance:version", args=[tide.dataset_version.public_id]) in said  # type: ignore[union-attr]
        assert "Nobody could say" not in said
        assert "Music not known" not in said
        assert "each output is held against every dataset" in said

    def test_of_the_api_names_the_model_and_its_music(
        self, people: People, tide: ModelVersion, copy: ModelVersion
    ) -> None:
        client = Client()
        client.force_login(people.officer)
        said = client.get(f"/api/v1/model-versions/{copy.public_id}/gate/").json()
        assert said["origins"] == [
            {
                "id": str(tide.public_id),
                "name": "tide@1",
                "dataset_version": str(tide.dataset_version.public_id),  # type: ignore[union-attr]
                "trained_on": "folk@1",
            }
        ]
        assert client.get(f"/api/v1/model-versions/{tide.public_id}/gate/").json()["origins"] == []

    @pytest.mark.parametrize("is_public", [False, True])
    def test_of_the_public_card_names_the_model_where_its_own_card_is_public(
        self, people: People, tide: ModelVersion, copy: ModelVersion, is_public: bool
    ) -> None:
        for one in (copy, tide) if is_public else (copy,):
            services.publish_card(version=one, reason="Asked.", by=people.officer, now=timezone.now())
        suspend(tide, people)
        card = reverse("audit:public-card", args=[copy.public_id])
        page = " ".join(Client().get(card).content.decode().split())
        assert "Known by its weights" in page
        assert "Its weights are another model&#x27;s, and the model is suspended." in page
        assert "known by its weights" in Client().get(reverse("audit:gallery")).content.decode()
        said = Client().get(f"/api/v1/public/models/{copy.public_id}/").json()
        assert said["may_i_use_it"]["release"] == "closed"
        named = [{"id": str(tide.public_id), "model": "tide", "version": 1}]
        assert said["same_weights"] == {"music_on_record": True, "cards": named if is_public else []}
        for text in (page, str(said)):
            assert ("tide" in text) is is_public
            assert "folk" not in text

    def test_of_the_report_says_whose_weights_they_are(self, copy: ModelVersion) -> None:
        _, reasons = snapshots._release(copy, gate(copy))
        assert (
            f"I{SAID[1:]}, and it was registered without its music: a person decides each release." in reasons
        )

        said = snapshots.limitations_of(copy, NO_OUTPUTS)
        assert f"I{SAID[1:]}: outputs were held against what is registered here." in said

    def test_of_the_model_card_names_them_too(self, copy: ModelVersion) -> None:
        card = export(
            kind="model-card", subject="copy", organisations=[copy.model.organisation], now=timezone.now()
        )
        assert f"Registered without its music; {SAID}." in card


class TestWhatCanNotBeHeard:
    """Recordings known by metadata only, in the house of a model that was registered without its music."""

    @pytest.fixture
    def paper(self, people: People, copy: ModelVersion, tmp_path: Path) -> Path:
        return table(tmp_path / "paper.csv", [{"external_id": "on-paper", "title": "P"}])

    def answer(self, version: ModelVersion, people: People, tmp_path: Path) -> Answer:
        targets = services.targets_of_model(version, by=people.engineer, now=timezone.now())
        path = sound(tmp_path / "other.wav", 77)
        return pipeline.check_file(path, name=path.name, targets=targets, kinds=("recording",))

    def unknown(self, people: People, tmp_path: Path) -> ModelVersion:
        return a_model(tmp_path, None, people.engineer, people.house, name="stranger", seed=2)

    def test_is_named_and_left_out_where_a_dataset_has_nothing_else(
        self, people: People, paper: Path, tmp_path: Path
    ) -> None:
        register("paper", paper, people.steward, people.house)
        answer = self.answer(self.unknown(people, tmp_path), people, tmp_path)

        assert (answer.verdict, answer.covers_all) == ("no_match", False)
        (reason,) = answer.reasons
        assert reason.startswith("nothing is said of 1 of 1 recordings of paper: they are too short or")

    def test_hides_no_match_with_what_can(
        self, people: People, paper: Path, tmp_path: Path, copy: ModelVersion
    ) -> None:
        register("paper", paper, people.steward, people.house)
        targets = services.targets_of_model(
            self.unknown(people, tmp_path), by=people.engineer, now=timezone.now()
        )
        path = sound(tmp_path / "copy.wav", 1)
        answer = pipeline.check_file(path, name=path.name, targets=targets, kinds=("recording",))
        assert answer.verdict == "blocked"

    def test_counts_where_it_lies_among_what_can(self, people: People, paper: Path, tmp_path: Path) -> None:
        register("folk", paper, people.steward, people.house)
        answer = self.answer(self.unknown(people, tmp_path), people, tmp_path)

        assert answer.verdict == "unverifiable"
        (reason,) = answer.reasons
        assert "folk covers 2 of 3 recordings" in reason
        assert reason.endswith("where it is known, register the model with its dataset")

    def test_does_not_count_where_the_weights_are_known_to_have_heard_other_music(
        self, people: People, paper: Path, tmp_path: Path, copy: ModelVersion
    ) -> None:
        register("folk", paper, people.steward, people.house)  # on paper after folk@1 was frozen
        answer = self.answer(copy, people, tmp_path)
        assert answer.verdict == "no_match"
        assert answer.reasons[0].startswith("nothing is said of 1 of 3 recordings of folk")

    @pytest.mark.parametrize("seed", [1, 2])
    def test_counts_in_a_protected_collection_whatever_is_known(
        self, people: People, paper: Path, tmp_path: Path, seed: int
    ) -> None:
        register("label", paper, people.steward, people.house, kind=DatasetKind.PROTECTED)
        version = a_model(tmp_path, None, people.engineer, people.house, name="stranger", seed=seed)
        assert self.answer(version, people, tmp_path).verdict == "unverifiable"

    def test_alone_can_verify_nothing(self, people: People, paper: Path, tmp_path: Path) -> None:
        register("paper", paper, people.stranger, people.elsewhere)
        version = a_model(tmp_path, None, people.stranger, people.elsewhere)
        targets = services.targets_of_model(version, by=people.stranger, now=timezone.now())
        path = sound(tmp_path / "other.wav", 77)
        answer = pipeline.check_file(path, name=path.name, targets=targets, kinds=("recording",))
        assert answer.verdict == "unverifiable"
