"""A licence for one model version: it trains, registers and releases that one, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.utils import timezone

from generation import queries, services
from generation.models import ModelVersion
from generation.queries import overviews
from governance.errors import ConflictError
from governance.models import Decision
from provenance import services as provenance
from provenance.models import Dataset, DatasetVersion
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
