import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.utils import timezone

from generation import services
from generation.architectures.base import ArchitectureError
from generation.errors import GenerationError
from generation.models import ModelVersion
from governance import access
from governance.commands import DONE, ContractCommand
from provenance import queries as provenance


class Command(ContractCommand):
    help = "Train a model on a frozen dataset version."
    acts_for_a_person = True
    engine_errors = (ArchitectureError,)

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--dataset", required=True, metavar="NAME@VERSION")
        parser.add_argument("--architecture", required=True)
        parser.add_argument(
            "--config", default="", metavar="FILE", help='JSON settings; {"preset": …} names one'
        )
        parser.add_argument("--steps", type=int, default=None)
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
        parser.add_argument("--resume", action="store_true", help="go on with a training that was cut short")
        parser.add_argument("--summary", default="", help="a sentence for the model's card")

    def perform(self, **options: Any) -> int:
        dataset, version = provenance.dataset_named(options["dataset"], access.organisations_of(self.user))
        if version is None:
            raise GenerationError(
                f"{dataset.name} is a draft: name a frozen version, {dataset.name}@1 (freeze_dataset makes one)."
            )
        model_version = services.train_model(
            name=options["name"],
            dataset_version=version,
            architecture=options["architecture"],
            settings_given=read_config(options["config"]),
            steps=options["steps"],
            seed=options["seed"],
            device=options["device"],
            by=self.user,
            now=timezone.now(),
            resume=options["resume"],
            summary=options["summary"],
            tell=self.tell_progress,
        )
        self.show(model_json(model_version), words=f"{model_version} is trained: {model_version.metrics}")
        return DONE

    def tell_progress(self, part: float, message: str) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"\r{part:4.0%} {message:<60}", ending="", style_func=str)
            self.stderr.flush()


def read_config(name: str) -> dict[str, Any]:
    """Read a JSON file of settings.

    Raises
    ------
    GenerationError
        If it can't be read or is no JSON object.
    """
    if not name:
        return {}
    try:
        read = json.loads(Path(name).read_text(encoding="utf-8"))
    except OSError as error:
        raise GenerationError(f"--config {name} can't be read: {error.strerror}.") from error
    except ValueError as error:
        raise GenerationError(f"--config {name} is not JSON: {error}.") from error
    if not isinstance(read, dict):
        raise GenerationError(f"--config {name} must hold one JSON object of settings.")
    return read


def model_json(version: ModelVersion) -> dict[str, Any]:
    run = getattr(version, "training_run", None)
    return {
        "model": version.model.name,
        "version": str(version.number),
        "id": str(version.public_id),
        "architecture": version.model.architecture,
        "dataset": str(version.dataset_version) if version.dataset_version else None,
        "weights_sha256": version.weights_sha256,
        "parameters": version.n_parameters,
        "metrics": version.metrics,
        "training_run": str(run.public_id) if run else None,
        "seconds": run.seconds if run else None,
        "energy_wh": run.energy_wh if run else None,
        "recordings": len(run.trained_on) if run else None,
    }
