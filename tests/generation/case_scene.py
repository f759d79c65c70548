"""A house whose model was trained under a label's grant: what cases reach, as rows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from generation import services
from generation.models import Case, CaseKind, Generation, GenerationState, ModelVersion
from generation.services.cases import Filed, Filing
from governance.models import Organisation, User
from lib.canonical import canonical_json
from lib.merkle import leaf_hash, merkle_root
from provenance.models import DatasetVersion, Grant, IndexBuild, LicenceStatement, Recording, VersionEntry
from provenance.services import register_grants
from tests.audit import scene as rows
from tests.audit.scene import Scene

NOW = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
SONGS = ("Harbour", "Lighthouse", "Quay")
PURPOSES = "ai_generative_training"


@dataclass(frozen=True)
class CaseHouse:
    """``harbour`` and ``lighthouse`` are under one deal of Cellar Records, ``quay`` is in the public domain."""

    scene: Scene
    grant: Grant
    frozen: DatasetVersion
    index: IndexBuild
    version: ModelVersion
    recordings: tuple[Recording, ...]

    @property
    def organisation(self) -> Organisation:
        return self.scene.organisation

    @property
    def label(self) -> User:
        return self.scene.users["label_auditor"]

    @property
    def officer(self) -> User:
        return self.scene.officer

    @property
    def steward(self) -> User:
        return self.scene.steward

    @property
    def granted(self) -> tuple[Recording, ...]:
        return self.recordings[:2]

    def output_like(self, recording: Recording, *, state: GenerationState) -> Generation:
        output = rows.an_output(self.scene, self.version, state=state)
        rows.a_check(output, self.index, "review", matched=recording)
        return output


def a_case_house(
    folder: Path, *, name: str = "Rivermouth Records", songs: tuple[str, ...] = SONGS
) -> CaseHouse:
    scene = rows.a_scene(name)
    draft = rows.a_dataset(scene)
    recordings = tuple(
        rows.a_recording(scene, draft, song, sha256=rows.a_hash(f"{name} {song}"), isrc=f"GBAAA26{at:05}")
        for at, song in enumerate(songs)
    )
    LicenceStatement.objects.filter(entry__recording__in=recordings[:2]).delete()
    grant = a_deal(scene, folder, recordings[:2])
    frozen = a_frozen(scene, recordings, grants={recording.pk: grant for recording in recordings[:2]})
    index = rows.an_index(frozen)
    version = rows.a_model(scene, frozen, name="tide")
    return CaseHouse(scene, grant, frozen, index, version, recordings)


def a_deal(scene: Scene, folder: Path, recordings: tuple[Recording, ...]) -> Grant:
    file = folder / "deals.json"
    deal = {
        "licensor": "Cellar Records",
        "licensee": scene.organisation.name,
        "right": "both",
        "recordings": [str(recording.public_id) for recording in recordings],
        "purposes": [PURPOSES],
    }
    file.write_text(json.dumps([deal]))
    (outcome,) = register_grants(source=file, by=scene.steward, organisation=scene.organisation, now=rows.NOW)
    assert outcome.grants, outcome.reasons
    return outcome.grants[0]


def a_frozen(
    scene: Scene, recordings: tuple[Recording, ...], *, grants: dict[int, Grant], number: int = 1
) -> DatasetVersion:
    manifests = [_manifest(recording, grants.get(recording.pk)) for recording in recordings]
    leaves = [canonical_json(manifest) for manifest in manifests]
    version = DatasetVersion.objects.create(
        dataset=rows.a_dataset(scene),
        number=number,
        purpose=PURPOSES,
        commercial=True,
        policy_name="default",
        policy_sha256=rows.a_hash("policy"),
        review_id=scene.organisation.public_id,
        n_recordings=len(recordings),
        seconds=sum(recording.seconds or 0.0 for recording in recordings),
        merkle_root=merkle_root(leaves).hex(),
        frozen_by=scene.steward,
        frozen_at=rows.NOW,
    )
    VersionEntry.objects.bulk_create(
        VersionEntry(
            version=version,
            position=position,
            recording=recording,
            external_id=recording.title,
            manifest=manifest,
            leaf_hash=leaf_hash(leaf).hex(),
        )
        for position, (recording, manifest, leaf) in enumerate(
            zip(recordings, manifests, leaves, strict=True)
        )
    )
    return version


def _manifest(recording: Recording, grant: Grant | None) -> dict[str, Any]:
    right: dict[str, Any] = {
        "answer": "allowed",
        "basis": "grant" if grant else "licence",
        "licence": None if grant else "CC0-1.0",
        "grant": str(grant.public_id) if grant else None,
        "conditions": [],
    }
    return {
        "recording": str(recording.public_id),
        "sha256": recording.sha256,
        "samples_sha256": recording.samples_sha256,
        "answer": "allowed",
        "master": right,
        "composition": right,
    }


def a_retrained(house: CaseHouse, recordings: tuple[Recording, ...]) -> ModelVersion:
    """The next version of the model, on a next version of the dataset that holds ``recordings``."""
    frozen = a_frozen(house.scene, recordings, grants={}, number=house.frozen.dataset.versions.count() + 1)
    return ModelVersion.objects.create(
        model=house.version.model,
        number=house.version.number + 1,
        dataset_version=frozen,
        checkpoint="nowhere",
        weights_sha256=rows.a_hash("retrained"),
        n_parameters=1000,
        config={},
        registered_by=house.scene.engineer,
        registered_at=NOW,
    )


def filing(**said: Any) -> Filing:
    given: dict[str, Any] = {
        "kind": CaseKind.OPT_OUT,
        "holder": "Cellar Records",
        "contact": "rights@cellar.example",
        "isrcs": ("GB-AAA-26-00000",),
    }
    return Filing(**{**given, **said})


def filed(house: CaseHouse, by: User | None = None, **said: Any) -> Filed:
    return services.file_case(filing=filing(**said), organisation=house.organisation, by=by, now=NOW)


def opened(house: CaseHouse, recordings: tuple[Recording, ...] | None = None, **said: Any) -> Case:
    """A stranger's case that the steward has linked and verified."""
    case = filed(house, **said).case
    return services.accept_case(
        case=case,
        recordings=dict.fromkeys(house.granted[:1] if recordings is None else recordings, "ISRC"),
        verified_how="The register of the label names the sender.",
        by=house.steward,
        now=NOW,
    )
