"""Registering weights that were trained elsewhere."""

from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import Max

from generation.architectures import registry
from generation.errors import GenerationError
from generation.models import GenerativeModel, ModelVersion
from generation.queries.origins import origins_of
from generation.services.training import model_named, require_frozen_for_training
from governance import access, ledger
from governance.models import Organisation, User
from provenance.models import DatasetVersion


def register_model(
    *,
    name: str,
    weights: Path,
    architecture: str,
    dataset_version: DatasetVersion | None,
    by: User,
    organisation: Organisation,
    now: datetime,
    summary: str = "",
) -> ModelVersion:
    """Copy a checkpoint in, check that it can be loaded, and register it as the model's next version.

    Weights whose music nobody names are looked for among those on record: see `generation.queries.origins`.

    A version whose music is no longer cleared can be named: what was trained is on record all the same, its gate
    is closed, and its outputs are held.

    Raises
    ------
    GenerationError
        If the weights are no checkpoint of that architecture, are damaged, name other music than the dataset
        version's, or if the version belongs to another organisation than the model.
    WrongUseError
        If the version was frozen for another use than training.
    """
    from generation import checkpoints

    access.require(by, organisation, access.MAKES_MODELS, "register a model")
    if dataset_version is not None:
        if dataset_version.dataset.organisation_id != organisation.pk:
            raise GenerationError(
                f"{dataset_version} is another organisation's: a model stays with whose music it heard."
            )
        require_frozen_for_training(dataset_version)
    registry.get(architecture)
    try:
        kept = checkpoints.import_checkpoint(
            weights, Path(settings.CHECKPOINT_DIR), architecture=architecture
        )
    except checkpoints.CheckpointError as error:
        raise GenerationError(f"{weights} can't be registered: {str(error).rstrip('.')}.") from error
    if dataset_version is not None and kept.merkle_root not in {None, dataset_version.merkle_root}:
        raise GenerationError(
            f"{weights} says that it was trained on other music: Merkle root {kept.merkle_root}, and "
            f"{dataset_version} has {dataset_version.merkle_root}."
        )
    return _register(name, architecture, kept, dataset_version, by, organisation, now, summary)


@transaction.atomic
def _register(
    name: str,
    architecture: str,
    kept: "object",
    dataset_version: DatasetVersion | None,
    by: User,
    organisation: Organisation,
    now: datetime,
    summary: str,
) -> ModelVersion:
    from generation.checkpoints import Checkpoint

    assert isinstance(kept, Checkpoint)  # noqa: S101
    model = model_named(name, architecture, organisation=organisation, by=by, now=now, summary=summary)
    model = GenerativeModel.objects.select_for_update().get(pk=model.pk)  # two at once take two numbers
    last = model.versions.aggregate(last=Max("number"))["last"] or 0
    version = ModelVersion.objects.create(
        model=model,
        number=last + 1,
        dataset_version=dataset_version,
        checkpoint=kept.folder.name,
        weights_sha256=kept.weights_sha256,
        n_parameters=kept.n_parameters,
        config=kept.config.as_json(),
        metrics=kept.metrics,
        registered_by=by,
        registered_at=now,
    )
    ledger.record(
        kind="generation.model.registered",
        subject_kind="model_version",
        subject_id=version.public_id,
        actor=by,
        organisation=organisation,
        now=now,
        body={
            "model": str(model.public_id),
            "version": version.number,
            "weights_sha256": version.weights_sha256,
            "dataset_version": str(dataset_version.public_id) if dataset_version else None,
            "same_weights_as": [str(one.public_id) for one in origins_of([version]).get(version.pk, ())],
        },
    )
    return version
