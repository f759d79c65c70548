"""A model with its training set, outputs and checks, written as rows: what judging reads, without the work before it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from generation.models import (
    Check,
    Generation,
    GenerationState,
    GenerativeModel,
    Match,
    ModelVersion,
    TrainingRun,
    TrainingRunState,
)
from governance import services as governance
from governance.models import Decision, Organisation, Question, Role, User
from lib.canonical import canonical_json
from lib.merkle import leaf_hash, merkle_root
from provenance.models import (
    Conflict,
    Dataset,
    DatasetEntry,
    DatasetVersion,
    IndexBuild,
    LicenceStatement,
    Recording,
    Registration,
    VersionEntry,
)
from provenance.similarity import thresholds

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
POLICY = {"id": thresholds.POLICY_ID, "false_alarm_target": None, "calibrated": False}


def a_hash(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


@dataclass
class Scene:
    """An organisation with one login a role, and what was made in it."""

    organisation: Organisation
    users: dict[str, User]
    n_made: int = 0
    datasets: dict[str, Dataset] = field(default_factory=dict)

    @property
    def officer(self) -> User:
        return self.users["compliance_officer"]

    @property
    def engineer(self) -> User:
        return self.users["ml_engineer"]

    @property
    def steward(self) -> User:
        return self.users["data_steward"]

    @property
    def auditor(self) -> User:
        return self.users["external_auditor"]


def a_scene(name: str = "Rivermouth Records") -> Scene:
    users = {}
    for role in Role.values:
        username = f"{role}-{name.split()[0].lower()}"
        governance.add_member(
            username=username, organisation=name, role=role, by=governance.system_user(), now=NOW
        )
        users[role] = User.objects.get(username=username)
    return Scene(Organisation.objects.get(name=name), users)


def a_dataset(scene: Scene, name: str = "tides") -> Dataset:
    if name not in scene.datasets:
        scene.datasets[name] = Dataset.objects.create(
            organisation=scene.organisation,
            name=name,
            created_by=scene.steward,
            created_at=NOW,
            changed_at=NOW,
        )
    return scene.datasets[name]


def a_recording(scene: Scene, dataset: Dataset, name: str, **changes: Any) -> Recording:
    recording = Recording.objects.create(
        organisation=scene.organisation,
        **{
            "kind": "audio",
            "sha256": a_hash(name),
            "title": f"Song {name}",
            "artist": "Ana Lua",
            "seconds": 60.0,
            "genre": "ambient",
            "year": 2011,
            "country": "PT",
            "registered_at": NOW,
            **changes,
        },
    )
    registration = Registration.objects.create(
        dataset=dataset,
        format="csv",
        source_name="songs.csv",
        source_sha256=a_hash(dataset.name),
        registered_by=scene.steward,
        registered_at=NOW,
    )
    entry = DatasetEntry.objects.create(
        dataset=dataset,
        recording=recording,
        registration=registration,
        external_id=name,
        row=1,
        title=recording.title,
        artist=recording.artist,
    )
    for right in ("master", "composition"):
        LicenceStatement.objects.create(
            entry=entry,
            right=right,
            source="steward",
            expression="CC0-1.0",
            raw="CC0 1.0",
            evidence="LICENSES/CC0.txt",
            holders=["Ana Lua"],
        )
    return recording


def a_version(
    scene: Scene,
    names: list[str],
    *,
    dataset: str = "tides",
    answer: str = "allowed",
    conditions: tuple[str, ...] = (),
    model: str = "",
) -> DatasetVersion:
    """A frozen version that holds a recording a name, approved by the officer."""
    draft = a_dataset(scene, dataset)
    recordings = [a_recording(scene, draft, name) for name in names]
    review = governance.ask_review(
        question=Question.DATASET_APPROVAL,
        subject_kind="dataset",
        subject_id=draft.public_id,
        subject_name=draft.name,
        organisation=scene.organisation,
        asked_by=scene.steward,
        now=NOW,
    )
    review = governance.decide_review(
        review=review,
        decision=Decision.APPROVED,
        reason="Read.",
        by=scene.officer,
        now=NOW,
        conditions=conditions,
    )
    right = {
        "answer": answer,
        "basis": "licence",
        "licence": "CC0-1.0",
        "grant": None,
        "conditions": list(conditions),
    }
    manifests = [
        {
            "recording": str(recording.public_id),
            "sha256": recording.sha256,
            "samples_sha256": "",
            "answer": answer,
            "master": right,
            "composition": right,
        }
        for recording in recordings
    ]
    leaves = [canonical_json(manifest) for manifest in manifests]
    version = DatasetVersion.objects.create(
        dataset=draft,
        number=draft.versions.count() + 1,
        purpose="ai_generative_training",
        commercial=True,
        model=model,
        policy_name="default",
        policy_sha256=a_hash("policy"),
        conditions_accepted=list(conditions),
        review_id=review.public_id,
        n_recordings=len(recordings),
        seconds=sum(recording.seconds or 0.0 for recording in recordings),
        merkle_root=merkle_root(leaves).hex(),
        frozen_by=scene.steward,
        frozen_at=NOW,
    )
    VersionEntry.objects.bulk_create(
        VersionEntry(
            version=version,
            position=position,
            recording=recording,
            external_id=name,
            manifest=manifest,
            leaf_hash=leaf_hash(leaf).hex(),
        )
        for position, (recording, name, manifest, leaf) in enumerate(
            zip(recordings, names, manifests, leaves, strict=True)
        )
    )
    return version


def an_index(version: DatasetVersion, *, n_recordings: int | None = None) -> IndexBuild:
    return IndexBuild.objects.create(
        dataset=version.dataset,
        version=version,
        kind="recording",
        method="chromaprint",
        method_version="1",
        file="x.index",
        file_sha256=a_hash("index"),
        contents_sha256=a_hash(str(version)),
        n_recordings=version.n_recordings if n_recordings is None else n_recordings,
        n_expected=version.n_recordings,
        n_windows=100,
        seconds=0.1,
        built_at=NOW,
    )


def a_model(
    scene: Scene, trained_on: DatasetVersion | None, *, name: str = "tide", architecture: str = "codec"
) -> ModelVersion:
    model = GenerativeModel.objects.create(
        organisation=scene.organisation,
        name=name,
        architecture=architecture,
        created_by=scene.engineer,
        created_at=NOW,
    )
    metrics = {
        "train_loss": 1.2,
        "held_out_loss": 1.6241,
        "noise_baseline_loss": 5.545,
        "shuffled_baseline_loss": 4.812,
        "unigram_baseline_loss": None,
        "n_parameters": 1000,
        "steps": 100,
    }
    version = ModelVersion.objects.create(
        model=model,
        number=1,
        dataset_version=trained_on,
        checkpoint=str(uuid4()),
        weights_sha256=a_hash(name),
        n_parameters=1000,
        config={"layers": 2},
        metrics=metrics,
        registered_by=scene.engineer,
        registered_at=NOW,
    )
    if trained_on is not None:
        TrainingRun.objects.create(
            model=model,
            dataset_version=trained_on,
            model_version=version,
            config={"layers": 2, "schedule": [1, 2]},
            seed=7,
            n_steps=100,
            device="cpu",
            hardware="x86_64, 2 CPUs",
            state=TrainingRunState.DONE,
            started_by=scene.engineer,
            started_at=NOW,
            finished_at=NOW,
            seconds=12.5,
            cpu_seconds=20.0,
            energy_wh=0.1,
            energy_method="CPU seconds x 15 W a core, assumed",
            metrics=metrics,
            trained_on=[entry.recording.sha256 for entry in trained_on.entries.all()],
        )
    return version


def an_output(
    scene: Scene, version: ModelVersion, *, state: GenerationState = GenerationState.RELEASED, **changes: Any
) -> Generation:
    scene.n_made += 1
    return Generation.objects.create(
        model_version=version,
        **{
            "seed": scene.n_made,
            "seconds": 12.0,
            "audio": f"outputs/{scene.n_made}.wav",
            "sha256": a_hash(f"output {scene.n_made}"),
            "state": state,
            "made_by": scene.engineer,
            "made_at": NOW + timedelta(seconds=scene.n_made),
            "elapsed_s": 2.0,
            **changes,
        },
    )


def a_check(
    generation: Generation,
    index: IndexBuild | None,
    verdict: str = "no_match",
    *,
    control: bool = False,
    covers_all: bool = True,
    matched: Recording | None = None,
    confirmed: bool | None = None,
    policy: dict[str, Any] | None = None,
) -> Check:
    """A check with one candidate, accepted where the verdict is one of flagging."""
    check = Check.objects.create(
        generation=generation,
        organisation=generation.model_version.model.organisation,
        file_name=generation.audio,
        sha256=generation.sha256,
        seconds=generation.seconds,
        verdict=verdict,
        kinds=["recording"],
        policy=policy or POLICY,
        covers_all=covers_all,
        control=control,
        elapsed_s=0.1,
        checked_at=generation.made_at,
    )
    if index is not None:
        check.indexes.set([index])
        check.against.set([index.dataset])
    if matched is not None:
        flagged = verdict in {"blocked", "review"}
        details: dict[str, Any] = {"bit_error_rate": 0.05}
        if confirmed is not None:
            details |= {"confirmed": confirmed, "waveform_correlation": 0.91 if confirmed else 0.1}
        Match.objects.create(
            check_made=check,
            recording=matched,
            kind="recording",
            rank=1,
            accepted=flagged,
            score=0.95 if flagged else 0.2,
            external_id=matched.title,
            title=matched.title,
            query_start_s=0.5,
            query_end_s=9.5,
            reference_start_s=20.0,
            reference_end_s=29.0,
            details=details,
        )
    return check


def outputs(scene: Scene, version: ModelVersion, index: IndexBuild | None, **verdicts: int) -> list[Check]:
    """Checked outputs: flagged ones are held and match the first recording of the index, confirmed."""
    checks = []
    matched = index.version.entries.first().recording if index and index.version else None  # type: ignore[union-attr]
    for verdict, n in verdicts.items():
        for _ in range(n):
            state = GenerationState.RELEASED if verdict == "no_match" else GenerationState.HELD
            flagged = verdict in {"blocked", "review"}
            checks.append(
                a_check(
                    an_output(scene, version, state=state),
                    index,
                    verdict,
                    matched=matched,
                    confirmed=True if flagged else None,
                )
            )
    return checks


def a_conflict(scene: Scene, recording: Recording) -> Conflict:
    return Conflict.objects.create(
        organisation=scene.organisation,
        kind="licence_differs",
        recording_a=recording,
        recording_b=recording,
        evidence_a={},
        evidence_b={},
        summary="The tag says CC-BY-3.0, the package's file says GPL-2.0.",
        key=a_hash(f"conflict {recording.pk}"),
        found_at=NOW,
    )
