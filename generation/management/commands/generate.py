import secrets
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from generation import queries, services
from generation.architectures.base import ArchitectureError
from generation.errors import GenerationError
from generation.pipeline import answer_as_json
from generation.services.checking import known_recordings
from generation.services.generating import Made
from governance import access
from governance.commands import ANSWER_IS_NO, DONE, ContractCommand
from provenance.audio import AudioError


class Command(ContractCommand):
    help = "Make outputs, check each, and write those that may leave."
    acts_for_a_person = True
    engine_errors = (ArchitectureError, AudioError)

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("model", metavar="MODEL[@VERSION]")
        parser.add_argument("--prompt", default="")
        parser.add_argument("--prompt-audio", default="", metavar="FILE")
        parser.add_argument("--seconds", type=float, default=10.0)
        parser.add_argument("--n", type=int, default=1)
        parser.add_argument("--seed", type=int, default=None)
        parser.add_argument("--out", required=True, metavar="DIR")

    def perform(self, **options: Any) -> int:
        version = queries.model_version_named(options["model"], access.organisations_of(self.user))
        prompt_audio = Path(options["prompt_audio"]) if options["prompt_audio"] else None
        if prompt_audio is not None and not prompt_audio.is_file():
            raise GenerationError(f"--prompt-audio: there is no file {prompt_audio}.")
        seed = options["seed"] if options["seed"] is not None else secrets.randbelow(2**31)
        n_held = 0
        for made in services.generate(
            version=version,
            by=self.user,
            seed=seed,
            n=options["n"],
            seconds=options["seconds"],
            prompt=options["prompt"],
            prompt_audio=prompt_audio,
            out=Path(options["out"]).absolute(),
        ):
            n_held += not made.released
            self.show(made_json(made), words=made_words(made))
        return ANSWER_IS_NO if n_held else DONE


def made_json(made: Made) -> dict[str, Any]:
    generation = made.generation
    return {
        "generation": str(generation.public_id),
        "file": str(made.file) if made.file else None,
        "sha256": generation.sha256,
        "model": str(generation.model_version),
        "seed": generation.seed,
        "prompt": generation.prompt,
        "seconds": round(generation.seconds, 3),
        "check": answer_as_json(made.answer, known_recordings(made.answer)),
        "released": made.released,
        "held_because": list(made.held_because),
    }


def made_words(made: Made) -> str:
    if made.released:
        return f"released  {made.file}"
    return f"held      seed {made.generation.seed}: {'; '.join(made.held_because)}"
