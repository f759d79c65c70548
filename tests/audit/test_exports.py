import csv
import io
import json
from copy import deepcopy
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command

from audit import queries, services
from audit.errors import AuditError
from audit.exports.dataset_card import dataset_card
from generation.models import ModelVersion
from provenance import queries as provenance
from provenance.exports.odrl import cleared
from provenance.exports.register import ExportedDataset, ExportedRecording
from provenance.models import Dataset, DatasetKind, Grant
from provenance.rights.values import Statement
from tests.audit import scene as scenes
from tests.audit.scene import NOW, Scene
from tests.generation.case_scene import CaseHouse, a_case_house

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def standing_scene(shared_db: Path) -> Scene:
    return scenes.a_scene()


@pytest.fixture
def scene(standing_scene: Scene, db: None) -> Scene:
    return deepcopy(standing_scene)


@pytest.fixture(scope="module")
def standing_model(standing_scene: Scene) -> ModelVersion:
    """A model with a campaign, a model card's worth of outputs, and names that formats like to trip over."""
    version = scenes.a_version(
        standing_scene, ["nočný let.ogg", "=cmd|calc.ogg"], answer="constrained", conditions=("attribution",)
    )
    model = scenes.a_model(standing_scene, version)
    scenes.outputs(standing_scene, model, scenes.an_index(version), blocked=2, no_match=2)
    services.run_memorisation_campaign(version=model, by=standing_scene.engineer, now=NOW)
    return model


@pytest.fixture
def model(standing_model: ModelVersion, db: None) -> ModelVersion:
    return deepcopy(standing_model)


def exported(scene: Scene, kind: str, subject: str) -> str:
    return services.export(kind=kind, subject=subject, organisations=[scene.organisation], now=NOW)


class TestExport:
    @pytest.mark.parametrize("kind", ["croissant", "dataset-card", "odrl", "attribution-csv"])
    def test_writes_each_kind_of_a_dataset(self, scene: Scene, model: ModelVersion, kind: str) -> None:
        assert "nočný let" in exported(scene, kind, "tides@1") or kind in {"dataset-card", "odrl"}

    @pytest.mark.parametrize("kind", ["model-card", "prov", "cyclonedx", "eu-summary", "musgo"])
    @pytest.mark.parametrize("known", [True, False])
    def test_writes_each_kind_of_a_model_also_of_unknown_origin(
        self, scene: Scene, model: ModelVersion, kind: str, known: bool
    ) -> None:
        if not known:
            scenes.a_model(scene, None, name="foundling")
        assert exported(scene, kind, "tide@1" if known else "foundling")

    def test_refuses_a_model_where_a_dataset_belongs(self, scene: Scene, model: ModelVersion) -> None:
        with pytest.raises(AuditError, match=r"tide is a model.*model-card"):
            exported(scene, "croissant", "tide")

    def test_refuses_a_dataset_where_a_model_belongs(self, scene: Scene, model: ModelVersion) -> None:
        with pytest.raises(AuditError, match=r"tides is a dataset.*croissant"):
            exported(scene, "model-card", "tides")

    def test_lists_the_kinds_there_are(self, scene: Scene) -> None:
        with pytest.raises(AuditError, match=r"croissant.*raim-json"):
            exported(scene, "mp3", "tides")


class TestCroissant:
    def test_has_the_required_core(self, scene: Scene, model: ModelVersion) -> None:
        said = json.loads(exported(scene, "croissant", "tides@1"))
        required = {"@context", "@type", "conformsTo", "name", "description", "license", "url", "creator"}
        assert required | {"datePublished", "distribution", "recordSet"} <= said.keys()
        assert said["conformsTo"][0] == "http://mlcommons.org/croissant/1.1"
        assert said["license"] == ["https://creativecommons.org/publicdomain/zero/1.0/legalcode"]
        assert len(said["recordSet"][0]["data"]) == 2

    def test_says_that_a_draft_is_one(self, scene: Scene, model: ModelVersion) -> None:
        assert json.loads(exported(scene, "croissant", "tides"))["version"] == "0.0.0"


class TestAttributionCsv:
    def test_gives_a_row_a_recording_that_no_spreadsheet_runs(
        self, scene: Scene, model: ModelVersion
    ) -> None:
        rows = list(csv.DictReader(io.StringIO(exported(scene, "attribution-csv", "tides@1"))))
        assert sorted(row["external_id"] for row in rows) == ["'=cmd|calc.ogg", "nočný let.ogg"]
        assert {row["holders"] for row in rows} == {"Ana Lua"}
        assert {row["answer_master"] for row in rows} == {"constrained"}


class TestOfWhatADealCleared:
    """Who gave it, by which paper and when; the grant's id stands behind, and to strangers nothing of it is said."""

    @pytest.fixture
    def house(self, tmp_path: Path, db: None) -> CaseHouse:
        return a_case_house(tmp_path, name="Deals House")

    @pytest.mark.parametrize("kind", ["model-card", "eu-summary", "cyclonedx", "prov"])
    def test_names_the_deal_and_the_grant_behind_it(self, house: CaseHouse, kind: str) -> None:
        Grant.objects.update(document="deal-2026.pdf")
        said = services.export(
            kind=kind, subject=str(house.version), organisations=[house.organisation], now=NOW
        )
        on = house.grant.registered_at.date().isoformat()
        assert (
            f"deal of Cellar Records, deal-2026.pdf, registered {on} (grant {house.grant.public_id})" in said
        )

    def test_names_it_in_odrl(self, house: CaseHouse) -> None:
        said = services.export(kind="odrl", subject="tides@1", organisations=[house.organisation], now=NOW)
        assert "Cleared under deal of Cellar Records, registered " in said
        assert "Cleared under grant" not in said

    def test_says_to_everybody_only_that_there_is_a_deal(self, house: CaseHouse) -> None:
        assert house.version.dataset_version is not None
        first = queries.training_recordings(house.version.dataset_version)[0]
        assert first.public_licence == "a deal"
        assert "Cellar Records" in first.licence

    def test_is_offered_as_a_basis_of_royalties(self, house: CaseHouse) -> None:
        with pytest.raises(AuditError, match=r"Exports of a dataset: .*royalty-basis, royalty-basis-json"):
            services.export(kind="model-card", subject="tides", organisations=[house.organisation], now=NOW)


class TestOdrl:
    def test_permits_what_the_version_was_cleared_for_with_its_duties(
        self, scene: Scene, model: ModelVersion
    ) -> None:
        graph = json.loads(exported(scene, "odrl", "tides@1"))["@graph"]
        permission = graph[0]["permission"][0]
        assert permission["action"] == "ln:ai_generative_training"
        assert [duty["action"] for duty in permission["duty"]] == ["ln:attribution"]
        assert len(graph[0]["target"]) == 2

    def test_says_what_was_cleared_for_no_money_alone(self, scene: Scene, model: ModelVersion) -> None:
        version = Dataset.objects.get(name="tides").versions.get()
        free = replace(provenance.use_of(version, at=NOW), commercial=False)
        bounds = [
            cleared("urn:x", [], use, [], description="") for use in (free, replace(free, commercial=True))
        ]
        said = [one["permission"][0]["constraint"] for one in bounds]
        assert [{"@id": "ln:non-commercial"} in [bound["rightOperand"] for bound in one] for one in said] == [
            True,
            False,
        ]

    def test_refuses_a_draft_that_nothing_was_granted_for(self, scene: Scene, model: ModelVersion) -> None:
        with pytest.raises(AuditError, match="draft"):
            exported(scene, "odrl", "tides")


class TestTdmrep:
    def test_reserves_what_a_protected_collection_holds(self, scene: Scene) -> None:
        collection = scenes.a_dataset(scene, "catalogue")
        Dataset.objects.filter(pk=collection.pk).update(kind=DatasetKind.PROTECTED)
        scenes.a_recording(scene, collection, "secret")
        collection.entries.update(source_url="https://label.example/music/secret.flac")
        said = json.loads(exported(scene, "tdmrep", "catalogue"))
        assert said == [{"location": "/music/secret.flac", "tdm-reservation": 1}]

    @pytest.mark.parametrize(
        ("url", "location"),
        [("https://[", "/"), ("https://label.example/Nº 5 *.flac", "/N%C2%BA%205%20%2A.flac")],
    )
    def test_takes_addresses_as_they_were_written_down(self, scene: Scene, url: str, location: str) -> None:
        collection = scenes.a_dataset(scene, "catalogue")
        Dataset.objects.filter(pk=collection.pk).update(kind=DatasetKind.PROTECTED)
        scenes.a_recording(scene, collection, "secret")
        collection.entries.update(source_url=url)
        said = json.loads(exported(scene, "tdmrep", "catalogue"))
        assert said == [{"location": location, "tdm-reservation": 1}]

    def test_reserves_nothing_of_training_music(self, scene: Scene, model: ModelVersion) -> None:
        with pytest.raises(AuditError, match="no protected collection"):
            exported(scene, "tdmrep", "tides")


class TestModelCard:
    def test_answers_what_a_reader_asks_first(self, scene: Scene, model: ModelVersion) -> None:
        card = exported(scene, "model-card", "tide")
        front, body = card.split("---\n")[1], card.split("---\n")[2]
        assert yaml.safe_load(front)["datasets"] == ["tides@1"]
        assert "2 of 4 outputs were flagged" in body
        assert "correlation confirmed 2" in body
        assert "No model trained on other music was checked" in body
        assert "**attribution**: Name the creators" in body
        assert "| CC0-1.0 | 2 | 2.0 |" in body


class TestCyclonedx:
    def test_is_a_bill_of_materials_with_a_model_card(self, scene: Scene, model: ModelVersion) -> None:
        bom = json.loads(exported(scene, "cyclonedx", "tide"))
        assert (bom["bomFormat"], bom["specVersion"], bom["version"]) == ("CycloneDX", "1.6", 1)
        component = bom["metadata"]["component"]
        assert component["type"] == "machine-learning-model"
        refs = {one["bom-ref"] for one in bom["components"]} | {component["bom-ref"]}
        assert {one["ref"] for one in bom["dependencies"]} == refs
        assert component["modelCard"]["modelParameters"]["datasets"][0]["ref"] in refs


class TestProv:
    def test_leads_from_recordings_to_outputs(self, scene: Scene, model: ModelVersion) -> None:
        said = json.loads(exported(scene, "prov", "tide"))
        named = said["entity"].keys() | said["activity"].keys() | said["agent"].keys()
        for relation in ("used", "wasGeneratedBy", "wasDerivedFrom", "hadMember", "wasAttributedTo"):
            for relating in said[relation].values():
                assert {end for name, end in relating.items() if name != "prov:time"} <= named
        assert len(said["hadMember"]) == 2
        assert len(said["wasDerivedFrom"]) == 1 + 4


class TestEuSummary:
    def test_marks_what_only_the_provider_can_say(self, scene: Scene, model: ModelVersion) -> None:
        said = json.loads(exported(scene, "eu-summary", "tide"))
        assert said["1_general_information"]["1.3_training_data"]["audio"]["size"] == "less than 10 000 hours"
        assert said["2_data_sources"]["2.3_crawled"].startswith("Not stated")
        assert "Voluntary" in said["status"]


class TestMusgo:
    def test_calls_nothing_closed_that_nobody_looked_at(self, scene: Scene, model: ModelVersion) -> None:
        said = yaml.safe_load(exported(scene, "musgo", "tide"))
        assert len(said["categories"]) == 13
        assert {one["class"] for one in said["categories"].values()} == {"not assessed"}

    def test_follows_the_newest_assessment(self, scene: Scene, model: ModelVersion) -> None:
        services.assess(version=model, framework="musgo", by=scene.officer, now=NOW)
        said = yaml.safe_load(exported(scene, "musgo", "tide"))["categories"]
        assert said["training_procedure"]["class"] == "open"
        assert said["training_data"]["class"] == "partial"
        assert said["model_weights"]["class"] == "closed"
        assert said["source_code"]["class"] == "not assessed"


class TestRaimJson:
    def test_holds_all_45_features_with_their_evidence(self, scene: Scene, model: ModelVersion) -> None:
        services.assess(version=model, by=scene.officer, now=NOW)
        said = json.loads(exported(scene, "raim-json", "tide"))
        assert len(said["assessment"]["features"]) == 45
        assert said["assessment"]["coverage"]["n_features"] == 45

    def test_needs_an_assessment(self, scene: Scene, model: ModelVersion) -> None:
        with pytest.raises(AuditError, match="assess tide@1"):
            exported(scene, "raim-json", "tide")


class TestAVersionForOneModel:
    """Cleared by licences that name a model: who reads an export must see that it is for no other."""

    @pytest.fixture
    def scoped(self, scene: Scene) -> ModelVersion:
        version = scenes.a_version(scene, ["lull.ogg"], dataset="lulls", model="lullaby@1")
        return scenes.a_model(scene, version, name="lullaby")

    def test_bounds_what_odrl_permits(self, scene: Scene, scoped: ModelVersion) -> None:
        (said,) = json.loads(exported(scene, "odrl", "lulls@1"))["@graph"]
        bound = {"leftOperand": "ln:model", "operator": "isAnyOf", "rightOperand": ["lullaby@1"]}
        assert bound in said["permission"][0]["constraint"]

    def test_names_the_use_in_the_bill_of_materials(self, scene: Scene, scoped: ModelVersion) -> None:
        (dataset,) = json.loads(exported(scene, "cyclonedx", "lullaby"))["components"]
        said = {one["name"]: one["value"] for one in dataset["data"][0]["contents"]["properties"]}
        assert said["liner-notes:model"] == "lullaby@1"
        assert (said["liner-notes:commercial"], said["liner-notes:territory"]) == ("true", "WORLD")

    @pytest.mark.parametrize(
        ("kind", "subject"),
        [("croissant", "lulls@1"), ("dataset-card", "lulls@1"), ("model-card", "lullaby")],
    )
    def test_names_the_model_in_words(
        self, scene: Scene, scoped: ModelVersion, kind: str, subject: str
    ) -> None:
        assert "lullaby@1 alone" in exported(scene, kind, subject)

    def test_names_the_model_in_the_lineage(self, scene: Scene, scoped: ModelVersion) -> None:
        said = json.loads(exported(scene, "prov", "lullaby"))
        assert said["entity"][f"id:{scoped.dataset_version.public_id}"]["ln:model"] == "lullaby@1"  # type: ignore[union-attr]

    @pytest.mark.parametrize(
        ("kind", "subject"), [("odrl", "tides@1"), ("cyclonedx", "tide"), ("prov", "tide")]
    )
    def test_names_none_where_the_version_is_for_any(
        self, scene: Scene, model: ModelVersion, kind: str, subject: str
    ) -> None:
        said = exported(scene, kind, subject)
        assert 'ln:model"' not in said
        assert "liner-notes:model" not in said


class TestExportCommand:
    def run(self, *arguments: str) -> dict[str, Any]:
        out = io.StringIO()
        call_command("export", *arguments, "--json", stdout=out)
        said: dict[str, Any] = json.loads(out.getvalue())
        return said

    def test_writes_the_file_and_names_its_hash(self, model: ModelVersion, tmp_path: Path) -> None:
        target = tmp_path / "card.md"
        said = self.run("model-card", "tide", "--out", str(target))
        assert said["bytes"] == target.stat().st_size
        assert said["file"] == str(target)

    def test_leaves_an_old_file_as_it_was_when_it_refuses(self, model: ModelVersion, tmp_path: Path) -> None:
        target = tmp_path / "card.md"
        target.write_text("old")
        with pytest.raises(CommandError) as refused:
            self.run("croissant", "tide", "--out", str(target))
        assert refused.value.returncode == 2
        assert target.read_text() == "old"

    @pytest.mark.parametrize(("kind", "subject"), [("mp3", "tides"), ("croissant", "none-of-that-name")])
    def test_exits_2_for_what_there_is_not(
        self, model: ModelVersion, tmp_path: Path, kind: str, subject: str
    ) -> None:
        with pytest.raises(CommandError) as refused:
            self.run(kind, subject, "--out", str(tmp_path / "x"))
        assert refused.value.returncode == 2
        assert not (tmp_path / "x").exists()

    def test_refuses_a_folder(self, model: ModelVersion, tmp_path: Path) -> None:
        with pytest.raises(CommandError, match="folder"):
            self.run("model-card", "tide", "--out", str(tmp_path))


class TestRoyaltyBasis:
    @pytest.mark.parametrize("subject", ["tides@1", "tides", "tide@1"])
    def test_adds_up_to_100_percent_for_datasets_and_models(
        self, scene: Scene, model: ModelVersion, subject: str
    ) -> None:
        rows = list(csv.DictReader(io.StringIO(exported(scene, "royalty-basis", subject))))
        for right in ("master", "composition"):
            mine = [row for row in rows if row["right"] == right]
            assert len(mine) >= 2
            assert sum(Decimal(row["by_track_percent"]) for row in mine) == 100

    def test_is_json_too_and_says_what_it_rests_on(self, scene: Scene, model: ModelVersion) -> None:
        said = json.loads(exported(scene, "royalty-basis-json", "tide@1"))
        assert (said["dataset"], said["version"], said["recordings"]) == ("tides", "1", 2)
        assert {row["status"] for row in said["totals"]} == {"unclaimed"}

    def test_of_a_model_of_unknown_origin_has_nothing_to_divide(self, scene: Scene) -> None:
        scenes.a_model(scene, None, name="foundling")
        with pytest.raises(AuditError, match="nothing to divide"):
            exported(scene, "royalty-basis", "foundling")


class TestOthersReaders:
    def test_prov_reads_the_lineage_back(self, scene: Scene, model: ModelVersion) -> None:
        prov: Any = pytest.importorskip("prov.model")
        document = prov.ProvDocument.deserialize(content=exported(scene, "prov", "tide"), format="json")
        kinds = {type(record).__name__ for record in document.get_records()}
        assert {"ProvEntity", "ProvAgent", "ProvDerivation", "ProvMembership", "ProvAttribution"} <= kinds

    def test_hugging_face_reads_the_card(self, scene: Scene, model: ModelVersion) -> None:
        hub: Any = pytest.importorskip("huggingface_hub")
        data = hub.DatasetCard(exported(scene, "dataset-card", "tides@1")).data.to_dict()
        assert data["license"] == "cc0-1.0"
        assert data["size_categories"] == ["n<1K"]

    @pytest.mark.parametrize(
        ("expressions", "read"),
        [
            (("CC-BY-SA-3.0",), {"license": "cc-by-sa-3.0"}),
            (("MIT", "CC0-1.0"), {"license": ["mit", "cc0-1.0"]}),
            (("MIT", "GPL-2.0-only"), {"license": "other", "license_name": "MIT, GPL-2.0-only"}),
        ],
    )
    def test_the_card_names_licences_as_the_hub_does_where_it_knows_all(
        self, expressions: tuple[str, ...], read: dict[str, Any]
    ) -> None:
        hub: Any = pytest.importorskip("huggingface_hub")
        recordings = tuple(
            ExportedRecording(
                str(number),
                str(number),
                statements=(Statement("master", expression, expression, "steward"),),
                master_answer="allowed",
                composition_answer="unknown",
            )
            for number, expression in enumerate(expressions)
        )
        house = ("https://s", "House", date(2026, 1, 1))
        text = dataset_card(ExportedDataset("tides", "draft", "Some.", *house, recordings))
        data = hub.DatasetCard(text).data.to_dict()
        assert {key: data[key] for key in ("license", "license_name") if key in data} == read
        assert text.index("of the composition") < text.index(f"| unknown | {len(expressions)} |")

    def test_hugging_face_reads_the_card_of_nothing(self) -> None:
        """The Hub refuses an empty name of a licence; what holds nothing is under none."""
        hub: Any = pytest.importorskip("huggingface_hub")
        nothing = ExportedDataset(
            "tides", "draft", "Nothing yet.", "https://s", "House", date(2026, 1, 1), ()
        )
        data = hub.DatasetCard(dataset_card(nothing)).data.to_dict()
        assert data["license"] == "unknown"
        assert "license_name" not in data

    def test_a_json_ld_reader_expands_the_agreements(self, scene: Scene, model: ModelVersion) -> None:
        jsonld: Any = pytest.importorskip("pyld.jsonld")
        said = json.loads(exported(scene, "odrl", "tides@1"))
        said["@context"] = [ODRL_TERMS, *(one for one in said["@context"] if isinstance(one, dict))]
        expanded = jsonld.expand(said)
        odrl = "http://www.w3.org/ns/odrl/2/"
        assert any(f"{odrl}permission" in node for node in expanded)
        assert all(str(kind).startswith(odrl) for node in expanded for kind in node.get("@type", []))


ODRL_TERMS = {
    "odrl": "http://www.w3.org/ns/odrl/2/",
    "dct": "http://purl.org/dc/terms/",
    **{
        name: {"@id": f"odrl:{name}", "@type": "@id"}
        for name in ("permission", "prohibition", "duty", "constraint", "target", "assigner", "assignee")
    },
    **{name: {"@id": f"odrl:{name}", "@type": "@vocab"} for name in ("action", "leftOperand", "operator")},
    **{name: f"odrl:{name}" for name in ("Agreement", "Offer", "Set", "rightOperand")},
    "uid": {"@id": "odrl:uid", "@type": "@id"},
}
"""The terms of http://www.w3.org/ns/odrl.jsonld that are used here: tests fetch nothing."""
