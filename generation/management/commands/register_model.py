from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.utils import timezone
from django.utils.text import capfirst

from generation import access as house
from generation import queries, services
from generation.architectures.base import ArchitectureError
from generation.errors import GenerationError
from generation.management.commands.train_model import model_json
from governance import access
from governance.commands import DONE, ContractCommand
from provenance import queries as provenance


class Command(ContractCommand):
    help = "Register weights that were trained elsewhere."
    acts_for_a_person = True
    engine_errors = (ArchitectureError,)

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--weights", required=True, metavar="DIR_OR_FILE")
        parser.add_argument("--architecture", required=True)
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument("--dataset", default="", metavar="NAME@VERSION")
        source.add_argument("--dataset-unknown", action="store_true")

    def perform(self, **options: Any) -> int:
        version = None
        if options["dataset"]:
            dataset, version = provenance.dataset_named(
                options["dataset"], access.organisations_of(self.user)
            )
            if version is None:
                raise GenerationError(f"{dataset.name} is a draft: name a frozen version, {dataset.name}@1.")
        model_version = services.register_model(
            name=options["name"],
            weights=Path(options["weights"]),
            architecture=options["architecture"],
            dataset_version=version,
            by=self.user,
            organisation=version.dataset.organisation if version else self.organisation,
            now=timezone.now(),
        )
        gate = queries.gate_of(model_version, at=timezone.now())
        words = f"{model_version} is registered."
        origins = list(house.origins_for_reading(self.user, model_version))
        if origins:
            words += f" {capfirst(queries.said_of(origins))}: a person decides each release."
        elif version is None:
            words += " Nobody knows what it was trained on: a person decides each release."
        if not gate.is_open:
            words += f" None of its outputs can leave: {'; '.join(gate.reasons)}."
        said = {
            "gate": {"open": gate.is_open, "reasons": list(gate.reasons)},
            "same_weights_as": [{"model": str(one), "dataset": str(one.dataset_version)} for one in origins],
        }
        self.show(model_json(model_version) | said, words=words)
        return DONE
