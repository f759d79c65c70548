import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.utils import timezone

from generation import queries, services
from generation.errors import GenerationError
from generation.pipeline import KINDS, Answer, Target, answer_as_json
from generation.services.checking import known_recordings
from governance import access
from governance.commands import ANSWER_IS_NO, DONE, ContractCommand
from lib import forking
from provenance.audio import AudioError

MOST_PROCESSES = 4
"""What each holds beside the indexes, which all share, grows with its file: 0.9 GB for one of three hours."""


class Command(ContractCommand):
    help = "Check audio files against datasets, collections, or what a model was trained on."
    acts_for_a_person = True
    engine_errors = (AudioError,)

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="*", metavar="FILE")
        parser.add_argument(
            "--files-from", default="", metavar="LIST", help="a file of paths, one a line; - is stdin"
        )
        parser.add_argument("--against", nargs="+", action="extend", default=[], metavar="NAME[@VERSION]")
        parser.add_argument("--model", default="", metavar="MODEL[@VERSION]")
        parser.add_argument("--kinds", default="recording", metavar=",".join(KINDS))
        parser.add_argument(
            "--processes",
            type=int,
            default=min(forking.n_cores(), MOST_PROCESSES),
            metavar="N",
            help=f"files checked at once (default: as many as there are cores, at most {MOST_PROCESSES})",
        )

    def perform(self, **options: Any) -> int:
        files = [*options["files"], *read_list(options["files_from"])]
        if not files:
            raise GenerationError("No file is named: give FILE… or --files-from LIST.")
        if bool(options["against"]) == bool(options["model"]):
            raise GenerationError(
                "Say what to check against, one of the two: --against NAME … or --model MODEL."
            )
        kinds = read_kinds(options["kinds"])
        targets = self.targets(options["against"], options["model"], kinds)
        all_clean = True
        paths = [(name, Path(name)) for name in files]
        for answer in services.check_files(
            paths, targets=targets, kinds=kinds, n_processes=options["processes"]
        ):
            all_clean &= answer.verdict == "no_match"
            services.record_checks(answer=answer, by=self.user, now=timezone.now())
            line = answer_as_json(answer, known_recordings(answer))
            self.show(line, words=words_for(answer, line))
        return DONE if all_clean else ANSWER_IS_NO

    def targets(self, against: list[str], model: str, kinds: list[str]) -> list[Target]:
        organisations = access.organisations_of(self.user)
        now = timezone.now()
        if not model:
            return services.targets_for(against, organisations, by=self.user, now=now, kinds=kinds)
        version = queries.model_version_named(model, organisations)
        access.require(self.user, version.model.organisation, access.CHECKS, "check a file")
        return services.targets_of_model(version, by=self.user, now=now, kinds=kinds)


def read_list(name: str) -> list[str]:
    if not name:
        return []
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except OSError as error:
        raise GenerationError(f"--files-from {name} can't be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise GenerationError(f"--files-from {name} is not UTF-8: it lists paths, one a line.") from error
    return [line for line in text.splitlines() if line.strip()]


def read_kinds(text: str) -> list[str]:
    kinds = [kind.strip() for kind in text.split(",") if kind.strip()]
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise GenerationError(f"There is no kind {', '.join(unknown)}: choose among {', '.join(KINDS)}.")
    if not kinds:
        raise GenerationError(f"--kinds is empty: choose among {', '.join(KINDS)}.")
    return kinds


def words_for(answer: Answer, line: dict[str, Any]) -> str:
    accepted = [match for match in line["matches"] if match["accepted"]]
    found = f" ~ {accepted[0]['title'] or accepted[0]['external_id']}" if accepted else ""
    reasons = f" ({'; '.join(line['reasons'])})" if line["reasons"] else ""
    return f"{answer.verdict:<12} {answer.file}{found}{reasons}"
