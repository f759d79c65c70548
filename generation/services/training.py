"""Training a model on a frozen dataset version."""

import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from generation import queries
from generation.architectures import registry
from generation.architectures.base import (
    Architecture,
    ArchitectureError,
    Config,
    Corpus,
    Trained,
    TrainingSource,
    TrainingStopped,
    hold_out,
)
from generation.errors import GenerationError, StoppedError, WrongUseError
from generation.models import GenerativeModel, ModelVersion, TrainingRun, TrainingRunState
from governance import access, ledger
from governance.models import User
from lib.figures import counted
from provenance.models import DatasetVersion
from provenance.rights.grants import in_scope
from provenance.storage import local_file

TRAINING_PURPOSE = "ai_generative_training"
HELD_OUT_PART = 0.12
Tell = Callable[[float, str], None]


def train_model(
    *,
    name: str,
    dataset_version: DatasetVersion,
    architecture: str,
    settings_given: Mapping[str, Any],
    steps: int | None,
    seed: int,
    device: str,
    by: User,
    now: datetime,
    resume: bool = False,
    summary: str = "",
    tell: Tell | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> ModelVersion:
    """Train, and register what came of it as the model's next version. No transaction is held meanwhile.

    Raises
    ------
    WrongUseError
        If the version was frozen for another use, or one of its recordings is no longer cleared for it.
    """
    access.require(by, dataset_version.dataset.organisation, access.MAKES_MODELS, "train a model")
    maker = registry.get(architecture)
    given = dict(settings_given)
    only = given.pop("recordings", None)
    held_out_part = float(given.pop("held_out_part", HELD_OUT_PART))
    if steps is not None and steps < 1:
        raise GenerationError(f"--steps is {steps}: ask for 1 or more, or leave it out.")
    n_steps = steps or registry.default_steps(maker, given)
    config = maker.config_class.from_json(given)
    _require_cleared(dataset_version, _next_version(name, dataset_version), now)
    model = _model(name, architecture, dataset_version, by, now, summary)
    run = _run(model, dataset_version, config, seed, n_steps, device, by, now, resume)
    started, cpu_started = time.perf_counter(), time.process_time()
    try:
        corpus, trained = _train(
            run, maker, config, dataset_version, only, held_out_part, resume, tell, should_stop
        )
    except TrainingStopped as stopped:
        _count_time(run, started, cpu_started)
        _close(run, TrainingRunState.STOPPED, f"stopped at step {stopped.step}; --resume goes on from there")
        raise StoppedError(
            f"Training of {name} was stopped at step {stopped.step}: --resume goes on."
        ) from stopped
    except ArchitectureError as error:
        _count_time(run, started, cpu_started)
        _close(run, TrainingRunState.FAILED, str(error))
        raise GenerationError(f"{name} can't be trained: {error}.") from error
    except BaseException as error:
        _count_time(run, started, cpu_started)
        _close(run, TrainingRunState.FAILED, f"{type(error).__name__}: {error}")
        raise
    _count_time(run, started, cpu_started)
    return _keep(run, maker, config, corpus, trained, by, timezone.now())


def _count_time(run: TrainingRun, started: float, cpu_started: float) -> None:
    """Add what this stretch took: a resumed run has had others before."""
    run.seconds = round((run.seconds or 0.0) + time.perf_counter() - started, 3)
    run.cpu_seconds = round((run.cpu_seconds or 0.0) + time.process_time() - cpu_started, 3)


def require_frozen_for_training(version: DatasetVersion) -> None:
    """Refuse a version that was frozen for another use: nobody cleared its music for training."""
    if version.purpose != TRAINING_PURPOSE:
        raise WrongUseError(
            f"{version} was frozen for {version.purpose}, not for {TRAINING_PURPOSE}: freeze a version for that."
        )


def _next_version(name: str, version: DatasetVersion) -> str:
    """Return what this training would make, as grants name it: a licence for one version is none for the next."""
    made = ModelVersion.objects.filter(model__organisation=version.dataset.organisation, model__name=name)
    return f"{name}@{(made.aggregate(last=Max('number'))['last'] or 0) + 1}"


def _require_cleared(version: DatasetVersion, model: str, now: datetime) -> None:
    require_frozen_for_training(version)
    if version.model and not in_scope(model, (version.model,)):
        raise WrongUseError(
            f"{version} was frozen for {version.model} alone, and this would make {model}: freeze a version for {model}."
        )
    not_cleared = queries.no_longer_cleared(version, at=now, model=model)
    if gone := [one for one in not_cleared if not one.is_for_other_models]:
        raise WrongUseError(
            f"{counted(len(gone), 'recording')} of {version} {'is' if len(gone) == 1 else 'are'} no longer cleared for "
            f"training: {_shown(gone)}. "
            "Freeze a new version without them."
        )
    if not_cleared:
        is_or_are = "is" if len(not_cleared) == 1 else "are"
        raise WrongUseError(
            f"{counted(len(not_cleared), 'recording')} of {version} {is_or_are} licensed for other models than "
            f"{model}: {_shown(not_cleared)}. That takes a grant for {model}, or a version without them."
        )


def _shown(not_cleared: Sequence[queries.NotCleared]) -> str:
    return "; ".join(str(one) for one in not_cleared[:3])


def _model(
    name: str, architecture: str, version: DatasetVersion, by: User, now: datetime, summary: str
) -> GenerativeModel:
    return model_named(
        name, architecture, organisation=version.dataset.organisation, by=by, now=now, summary=summary
    )


def model_named(
    name: str, architecture: str, *, organisation: Any, by: User, now: datetime, summary: str = ""
) -> GenerativeModel:
    """Return the model of that name, made when it is new; a name belongs to one architecture."""
    if not name or not all(letter.isalnum() or letter in "-_" for letter in name):
        raise GenerationError(f"{name!r} can't name a model: use letters, digits, - and _.")
    model, _ = GenerativeModel.objects.get_or_create(
        organisation=organisation,
        name=name,
        defaults={"architecture": architecture, "created_by": by, "created_at": now, "summary": summary},
    )
    if model.architecture != architecture:
        raise GenerationError(
            f"{name} is a {model.architecture} model: give the {architecture} one another name."
        )
    return model


def _run(
    model: GenerativeModel,
    version: DatasetVersion,
    config: Config,
    seed: int,
    n_steps: int,
    device: str,
    by: User,
    now: datetime,
    resume: bool,
) -> TrainingRun:
    if resume:
        run = unfinished_run(name=model.name, dataset_version=version, seed=seed)
        if run is None:
            raise GenerationError(
                f"There is no unfinished training of {model} on {version} with seed {seed}."
            )
        run.state = TrainingRunState.RUNNING
        run.problem = ""
        run.finished_at = None
        run.save(update_fields=["state", "problem", "finished_at"])
        return run
    return TrainingRun.objects.create(
        model=model,
        dataset_version=version,
        config=config.as_json(),
        seed=seed,
        n_steps=n_steps,
        device=_device(device),
        hardware=f"{platform.machine()}, {os.cpu_count()} CPUs",
        started_by=by,
        started_at=now,
    )


def unfinished_run(
    *, name: str, dataset_version: DatasetVersion, seed: int, since: datetime | None = None
) -> TrainingRun | None:
    """Return the newest training of that model on that version that left no weights."""
    runs = TrainingRun.objects.filter(
        model__organisation=dataset_version.dataset.organisation,
        model__name=name,
        dataset_version=dataset_version,
        model_version=None,
        seed=seed,
    )
    if since is not None:
        runs = runs.filter(started_at__gte=since)
    return runs.exclude(state=TrainingRunState.DONE).order_by("-started_at", "-id").first()


def _device(wanted: str) -> str:
    import torch

    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wanted == "cuda" and not torch.cuda.is_available():
        raise GenerationError("There is no CUDA device here: say --device cpu or auto.")
    return wanted


def _train(
    run: TrainingRun,
    maker: Architecture,
    config: Config,
    version: DatasetVersion,
    only: list[str] | None,
    held_out_part: float,
    resume: bool,
    tell: Tell | None,
    should_stop: Callable[[], bool] | None,
) -> tuple[Corpus, Trained]:
    state_file = state_file_of(run)
    with ExitStack() as files:
        sources = []
        for entry in version.entries.select_related("recording"):
            recording = entry.recording
            if only is not None and entry.external_id not in only:
                continue
            path = files.enter_context(local_file(recording.audio))
            sources.append(TrainingSource(key=str(recording.sha256), path=path, kind=recording.kind))  # type: ignore[arg-type]
        sources = list(maker.usable(sources))
        if held_out_part > 0:
            sources = hold_out(sources, part=held_out_part, seed=run.seed)
        else:
            sources = [replace(source, split="train") for source in sources]
        corpus = maker.prepare(sources, config, seed=run.seed, on_progress=tell, should_stop=should_stop)
        state_file.parent.mkdir(parents=True, exist_ok=True)
        trained = maker.train(
            corpus,
            config,
            steps=run.n_steps,
            seed=run.seed,
            device=run.device,
            state_file=state_file,
            resume=resume,
            on_progress=tell,
            should_stop=should_stop,
        )
    return corpus, trained


def state_file_of(run: TrainingRun) -> Path:
    return Path(settings.CHECKPOINT_DIR) / "runs" / f"{run.public_id}.safetensors"


def _close(run: TrainingRun, state: TrainingRunState, problem: str) -> None:
    run.state = state
    run.problem = problem
    run.finished_at = timezone.now()
    run.save(update_fields=["state", "problem", "finished_at", "seconds", "cpu_seconds"])


def _keep(
    run: TrainingRun,
    maker: Architecture,
    config: Config,
    corpus: Corpus,
    trained: Trained,
    by: User,
    now: datetime,
) -> ModelVersion:
    from generation import checkpoints

    version = run.dataset_version
    saved = checkpoints.save(
        Path(settings.CHECKPOINT_DIR) / str(run.public_id),
        architecture=maker,
        config=config,
        trained=trained,
        seed=run.seed,
        trained_on=corpus.keys("train"),
        dataset={"version": str(version.public_id), "merkle_root": version.merkle_root},
    )
    model_version = _register(run, trained, saved.weights_sha256, corpus, by, now)
    state_file_of(run).unlink(missing_ok=True)
    return model_version


@transaction.atomic
def _register(
    run: TrainingRun, trained: Trained, weights_sha256: str, corpus: Corpus, by: User, now: datetime
) -> ModelVersion:
    model = GenerativeModel.objects.select_for_update().get(pk=run.model_id)
    last = model.versions.aggregate(last=Max("number"))["last"] or 0
    metrics = trained.metrics.as_json()
    model_version = ModelVersion.objects.create(
        model=model,
        number=last + 1,
        dataset_version=run.dataset_version,
        checkpoint=str(run.public_id),
        weights_sha256=weights_sha256,
        n_parameters=trained.metrics.n_parameters,
        config=run.config,
        metrics=metrics,
        registered_by=by,
        registered_at=now,
    )
    run.model_version = model_version
    run.state = TrainingRunState.DONE
    run.finished_at = now
    run.metrics = metrics
    run.trained_on = list(corpus.keys("train"))
    run.held_out = list(corpus.keys("held_out"))
    run.energy_wh = round((run.cpu_seconds or 0.0) * settings.WATTS_PER_CPU / 3600, 4)
    run.energy_method = f"CPU seconds x {settings.WATTS_PER_CPU:g} W a core, assumed (WATTS_PER_CPU)"
    run.save()
    ledger.record(
        kind="generation.model.trained",
        subject_kind="model_version",
        subject_id=model_version.public_id,
        actor=by,
        organisation=model.organisation,
        now=now,
        body={
            "model": str(model.public_id),
            "version": model_version.number,
            "weights_sha256": weights_sha256,
            "dataset_version": str(run.dataset_version.public_id),
            "merkle_root": run.dataset_version.merkle_root,
            "training_run": str(run.public_id),
            "seed": run.seed,
        },
    )
    return model_version
