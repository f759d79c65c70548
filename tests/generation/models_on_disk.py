"""Tiny models for tests: real weights of a real architecture, trained for no step at all."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from django.utils import timezone

from generation import checkpoints, services
from generation.architectures import registry
from generation.architectures.base import Trained, TrainingMetrics
from generation.architectures.notes import VOCABULARY
from generation.architectures.transformer import build, weights_of
from generation.models import ModelVersion
from governance.models import Organisation, User
from provenance.models import Dataset, DatasetVersion
from provenance.services import freeze_dataset
from tests.catalogues import approve, training

TINY = {"width": 16, "layers": 1, "heads": 2, "context": 16}


def weights(folder: Path, *, dataset: Mapping[str, str | None] | None = None, seed: int = 1) -> Path:
    maker = registry.get("symbolic")
    config = maker.config_class.from_json(TINY)
    network = build(config.network_shape(VOCABULARY), seed=seed)  # type: ignore[attr-defined]
    tensors = {f"network.{name}": value for name, value in weights_of(network).items()}
    trained = Trained(
        tensors, {"vocabulary": list(VOCABULARY)}, TrainingMetrics(1.0, 2.0, 3.0, 2.5, 2.4, 5, 100, 10, 0.5)
    )
    return checkpoints.save(
        folder, architecture=maker, config=config, seed=7, trained=trained, dataset=dataset or {}
    ).folder


def a_model(
    folder: Path,
    version: DatasetVersion | None,
    by: User,
    organisation: Organisation,
    *,
    name: str = "tide",
    now: datetime | None = None,
    seed: int = 1,
) -> ModelVersion:
    """Register weights; the same ``seed`` gives the same ones."""
    return services.register_model(
        name=name,
        weights=weights(folder / name, seed=seed),
        architecture="symbolic",
        dataset_version=version,
        by=by,
        organisation=organisation,
        now=now or timezone.now(),
    )


def freeze(dataset: Dataset, officer: User, by: User, *, purpose: str = "") -> DatasetVersion:
    approve(dataset, officer)
    use = training(purpose=purpose) if purpose else training()
    return freeze_dataset(dataset=dataset, use=use, by=by, now=timezone.now()).version
