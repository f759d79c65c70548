"""A licence for one model version: it trains, registers and releases that one, and no other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from generation import queries, services
from generation.models import ModelVersion, TrainingRun
from generation.queries import overviews
from governance.errors import ConflictError
from governance.models import Decision, LedgerEvent
from provenance import services as provenance
from provenance.errors import NotClearedError, ProvenanceError
from provenance.models import Dataset, DatasetVersion
from provenance.queries.omissions import left_out_of
from provenance.services.freezing import Frozen
from tests.catalogues import TRAINING, a_catalogue, register, run, table
from tests.catalogues import approve as approve_dataset
from tests.catalogues import training as use
from tests.generation.models_on_disk import a_model, weights
from tests.people import People, client_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def folk(people: People, tmp_path: Path) -> Dataset:
    source = a_catalogue(tmp_path / "music", 2, licence="LicenseRef-closed")
    return register("folk", source, people.steward, people.house).dataset


def grant(people: People, folder: Path, scope: str) -> None:
    deal = {
        "licensor": "Label",
        "licensee": "House",
        "right": "both",
        "purposes": TRAINING,
        "dataset": "folk",
        "model_scope": scope,
    }
    provenance.register_grants(
        source=table(folder / f"{scope or 'any'}.csv", [deal]),
        by=people.steward,
        organisation=people.house,
        now=timezone.now(),
    )


@pytest.fixture
def frozen(people: People, folk: Dataset, tmp_path: Path) -> DatasetVersion:
    """Two recordings that nothing but a grant for tide@1 clears."""
    grant(people, tmp_path, "tide@1")
    approve_dataset(folk, people.officer, ["all"])
    return provenance.freeze_dataset(dataset=folk, use=use(), by=people.steward, now=timezone.now()).version


def gate(version: ModelVersion) -> queries.Gate:
    """Ask for one gate and for all at once, which say the same."""
    one = queries.gate_of(version, at=timezone.now())
    assert overviews.gates_of([version], at=timezone.now())[version.pk] == one
    return one


class TestTheGate:
    def test_is_open_for_the_model_that_the_grant_names(
        self, people: People, frozen: DatasetVersion, tmp_path: Path
    ) -> None:
        assert gate(a_model(tmp_path, frozen, people.engineer, people.house)).is_open

    def test_is_closed_for_another_model_and_says_why(
        self, people: People, frozen: DatasetVersion, tmp_path: Path
    ) -> None:
        closed = gate(a_model(tmp_path, frozen, people.engineer, people.house, name="wave"))

        assert (closed.is_open, closed.n_not_cleared) == (False, 2)
        (reason,) = closed.reasons
        assert reason.startswith(
            "2 recordings that it was trained on are licensed for other models than wave@1: "
        )
        (bare,) = closed.without_names().reasons
        assert bare == reason.partition(":")[0]

    def test_is_closed_for_the_next_version_until_a_grant_names_it(
        self, people: People, frozen: DatasetVersion, tmp_path: Path
    ) -> None:
        first = a_model(tmp_path, frozen, people.engineer, people.house)
        second = a_model(tmp_path / "music", frozen, people.engineer, people.house)
        assert (gate(first).is_open, gate(second).is_open) == (True, False)

        grant(people, tmp_path, "tide@2")
        assert (gate(first).is_open, gate(second).is_open) == (True, True)

    def test_tells_what_was_revoked_from_what_is_for_other_models(
        self, people: People, frozen: DatasetVersion, tmp_path: Path
    ) -> None:
        wave = a_model(tmp_path, frozen, people.engineer, people.house, name="wave")
        deal = people.house.grants.order_by("id")[0]
        provenance.revoke_grant(grant=deal, by=people.auditor, reason="Unpaid.", now=timezone.now())

        (reason,) = gate(wave).reasons
        assert "no longer cleared" in reason
        assert "other models" not in reason

    def test_forbids_to_approve_the_model(
        self, people: People, frozen: DatasetVersion, tmp_path: Path
    ) -> None:
        wave = a_model(tmp_path, frozen, people.engineer, people.house, name="wave")
        review = services.ask_model_release(version=wave, by=people.engineer, now=timezone.now())
        with pytest.raises(ConflictError, match="licensed for other models than wave@1"):
            services.decide_model(
                review=review,
                decision=Decision.APPROVED,
                reason="Fine.",
                by=people.officer,
                now=timezone.now(),
            )

    def test_names_the_grants_for_whoever_asks_which(
        self, people: People, frozen: DatasetVersion, tmp_path: Path
    ) -> None:
        wave = a_model(tmp_path, frozen, people.engineer, people.house, name="wave")
        found = queries.no_longer_cleared(frozen, at=timezone.now(), model=str(wave))

        assert all(one.is_for_other_models for one in found)
        assert "is for tide@1, not wave@1" in str(found[0])


class TestClearDataset:
    """What is asked before anybody trains: the same answer that training will get."""

    def test_answers_for_the_model_that_is_named(self, people: People, frozen: DatasetVersion) -> None:
        asked = ("folk", "--purpose", TRAINING, "--commercial", "--as", "data_steward")
        answers = {
            model: run("clear_dataset", *asked, *(("--model", model) if model else ())).summary
            for model in ("", "tide@1", "tide@2")
        }

        assert (answers[""]["constrained"], answers[""]["conditions"]) == (2, {"model-scope": 2})
        assert (answers["tide@1"]["allowed"], answers["tide@1"]["model"]) == (2, "tide@1")
        assert answers["tide@2"]["allowed"] == answers["tide@2"]["constrained"] == 0

    def test_answers_so_by_the_api(self, people: People, frozen: DatasetVersion) -> None:
        where = f"/api/v1/datasets/{frozen.dataset.public_id}"
        client = client_of(people.steward)
        use = f"purpose={TRAINING}&commercial=true"

        assert client.get(f"{where}/clearance/?{use}&model=tide@1").json()["allowed"] == 2
        (row, _) = client.get(f"{where}/entries/?{use}&model=wave@1").json()["results"]
        assert "is for tide@1, not wave@1" in str(row["clearance"]["master"]["reasons"])


@pytest.fixture
def own(people: People, folk: Dataset, tmp_path: Path) -> DatasetVersion:
    """The same two, approved without a word on whose model it is, and frozen for the one that the grant names."""
    grant(people, tmp_path, "tide@1")
    approve_dataset(folk, people.officer)
    asked = replace(use(), model="tide@1")
    return provenance.freeze_dataset(dataset=folk, use=asked, by=people.steward, now=timezone.now()).version


class TestFreezeForOneModel:
    def test_counts_the_grants_that_name_it_and_remembers_it(self, own: DatasetVersion) -> None:
        assert (own.model, own.n_recordings, own.conditions_accepted) == ("tide@1", 2, [])
        assert own.entries.get(position=0).manifest["master"]["conditions"] == []
        event = LedgerEvent.objects.filter(kind="provenance.dataset.frozen").order_by("-sequence")[0]
        assert event.body["model"] == "tide@1"

    def test_judges_what_is_left_out_for_the_same_model(
        self, people: People, own: DatasetVersion, folk: Dataset
    ) -> None:
        """What would have been cleared too, and was only not asked for, lacks no condition."""
        (first, second) = folk.entries.order_by("external_id")
        asked = replace(use(), model="tide@1")
        version = provenance.freeze_dataset(
            dataset=folk,
            use=asked,
            by=people.steward,
            now=timezone.now(),
            only_listed=[first.external_id],
        ).version
        (left,) = left_out_of(version).rows
        assert (left.entry, left.answer, left.missing) == (second, "allowed", [])

    def test_counts_none_that_names_another(self, people: People, own: DatasetVersion) -> None:
        for model in ("tide@2", "tide", ""):
            with pytest.raises(NotClearedError):
                provenance.freeze_dataset(
                    dataset=own.dataset,
                    use=replace(use(), model=model),
                    by=people.steward,
                    now=timezone.now(),
                )

    def test_is_another_version_than_the_one_for_any_model(
        self, people: People, own: DatasetVersion, tmp_path: Path
    ) -> None:
        grant(people, tmp_path, "tide@1;wave")
        approve_dataset(own.dataset, people.officer)

        def frozen_for(model: str) -> Frozen:
            asked = replace(use(), model=model)
            return provenance.freeze_dataset(
                dataset=own.dataset, use=asked, by=people.steward, now=timezone.now()
            )

        wave = frozen_for("wave")
        assert (wave.is_new, frozen_for("wave").is_new) == (True, False)
        assert wave.version.number != frozen_for("tide@1").version.number

    def test_refuses_what_names_no_model(self, people: People, own: DatasetVersion) -> None:
        for model in ("tide 1", "tide@", "tide@0", "@1"):
            with pytest.raises(ProvenanceError, match="names no model"):
                provenance.freeze_dataset(
                    dataset=own.dataset,
                    use=replace(use(), model=model),
                    by=people.steward,
                    now=timezone.now(),
                )

    def test_trains_no_other_model(self, people: People, own: DatasetVersion) -> None:
        given = ("--dataset", "folk@1", "--architecture", "symbolic", "--steps", "1", "--as", "ml_engineer")
        said = run("train_model", "wave", *given)

        assert said.code != 0
        assert "folk@1 was frozen for tide@1 alone, and this would make wave@1" in said.err
        assert not TrainingRun.objects.exists()

    def test_closes_the_gate_of_another_even_where_all_is_cleared_for_it(
        self, people: People, own: DatasetVersion, tmp_path: Path
    ) -> None:
        grant(people, tmp_path, "")
        wave = a_model(tmp_path, own, people.engineer, people.house, name="wave")
        tide = a_model(tmp_path / "music", own, people.engineer, people.house)

        assert gate(wave).reasons == ("folk@1 was frozen for tide@1 alone",)
        assert gate(tide).is_open

    def test_is_asked_about_for_its_own_model(self, own: DatasetVersion) -> None:
        assert queries.no_longer_cleared(own, at=timezone.now()) == []
        said = run("clear_dataset", "folk@1", "--purpose", TRAINING, "--commercial", "--as", "data_steward")
        assert (said.summary["allowed"], said.summary["model"]) == (2, "tide@1")

    def test_by_command_api_and_page(self, people: People, own: DatasetVersion) -> None:
        asked = ("folk", "--purpose", TRAINING, "--commercial", "--model", "tide@1", "--as", "data_steward")
        done = run("freeze_dataset", *asked)
        assert (done.lines[-1]["use"]["model"], done.lines[-1]["new"]) == ("tide@1", False)

        at = f"/api/v1/datasets/{own.dataset.public_id}"
        body = {"purpose": TRAINING, "commercial": True, "model": "tide@1"}
        said = client_of(people.steward).post(f"{at}/freeze/", body, format="json")
        assert (said.status_code, said.json()["model"]) == (201, "tide@1")
        counted = client_of(people.steward).get(
            f"{at}/clearance/?purpose={TRAINING}&commercial=true&version={own.number}"
        )
        assert counted.json()["allowed"] == 2

        page = Client()
        page.force_login(people.steward)
        where = reverse("provenance:dataset-freeze", args=[own.dataset.public_id])
        assert "For one model alone" in page.get(where).content.decode()
        form = {"purpose": TRAINING, "commercial": "yes", "policy": "", "model": "tide@1"}
        gone = page.post(where, form)
        assert gone.status_code == 302
        assert "only for the model" in page.get(gone["Location"]).content.decode()
        listed = page.get(reverse("provenance:dataset", args=[own.dataset.public_id])).content.decode()
        assert ", for tide@1 alone" in listed


class TestRegisterModel:
    def test_says_that_no_output_can_leave_a_model_that_no_grant_names(
        self, people: People, frozen: DatasetVersion, tmp_path: Path
    ) -> None:
        given = ("--weights", str(weights(tmp_path / "wave")), "--architecture", "symbolic")
        said = run("register_model", "wave", *given, "--dataset", "folk@1", "--as", "ml_engineer")

        assert said.code == 0
        assert said.lines[0]["gate"]["open"] is False
        assert "licensed for other models than wave@1" in said.lines[0]["gate"]["reasons"][0]

    def test_says_that_the_gate_of_the_model_named_is_open(
        self, people: People, frozen: DatasetVersion, tmp_path: Path
    ) -> None:
        given = ("--weights", str(weights(tmp_path / "tide")), "--architecture", "symbolic")
        said = run("register_model", "tide", *given, "--dataset", "folk@1", "--as", "ml_engineer")
        assert said.lines[0]["gate"] == {"open": True, "reasons": []}
