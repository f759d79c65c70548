from argparse import ArgumentParser
from collections import Counter
from pathlib import Path
from typing import Any

from django.utils import timezone

from audit.commands import AuditCommand
from audit.errors import AuditError
from audit.metrics.intervals import wilson
from generation import services
from generation.management.commands.check_audio import words_for
from generation.models import Verdict
from generation.pipeline import answer_as_json
from generation.services.checking import known_recordings
from governance import access
from governance.commands import ANSWER_IS_NO, DONE

N_WORST = 10


class Command(AuditCommand):
    help = "Audit a folder of outputs without their model: check each file, and count."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", metavar="DIR")
        parser.add_argument("--against", nargs="+", action="extend", required=True, metavar="NAME|COLLECTION")

    def perform(self, **options: Any) -> int:
        files = files_in(Path(options["folder"]))
        targets = services.targets_for(
            options["against"], access.organisations_of(self.user), by=self.user, now=timezone.now()
        )
        counts: Counter[str] = Counter()
        accepted: list[dict[str, Any]] = []
        for answer in services.check_files(files, targets=targets, kinds=("recording",)):
            services.record_checks(answer=answer, by=self.user, now=timezone.now())
            counts[answer.verdict] += 1
            line = answer_as_json(answer, known_recordings(answer))
            accepted += [{"file": answer.file, **match} for match in line["matches"] if match["accepted"]]
            self.show(line, words=words_for(answer, line))
        self.show(
            {"summary": summary_of(counts, accepted, options["against"])},
            words=lambda: summary_words(counts, options["against"]),
        )
        return DONE if counts[Verdict.NO_MATCH] == len(files) else ANSWER_IS_NO


def files_in(folder: Path) -> list[tuple[str, Path]]:
    """Return every file below a folder, with its path from there; hidden ones are left aside.

    Raises
    ------
    AuditError
        If there is no such folder, or nothing in it.
    """
    if not folder.is_dir():
        raise AuditError(f"There is no folder {folder}.")
    found = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    if not found:
        raise AuditError(f"{folder} holds no file: there is nothing to audit.")
    return [(str(path.relative_to(folder)), path) for path in found]


def summary_of(counts: Counter[str], accepted: list[dict[str, Any]], against: list[str]) -> dict[str, Any]:
    n_checked = counts[Verdict.NO_MATCH] + counts[Verdict.REVIEW] + counts[Verdict.BLOCKED]
    flagged = wilson(counts[Verdict.REVIEW] + counts[Verdict.BLOCKED], n_checked)
    return {
        "files": sum(counts.values()),
        "against": against,
        "verdicts": {verdict.value: counts[verdict] for verdict in Verdict},
        "flagged": flagged.as_json(),
        "kinds_not_checked": ["composition", "style"],
        "worst": sorted(accepted, key=lambda match: -match["score"])[:N_WORST],
        "limits": "A partial audit: without the model, only likeness to the music named was looked for.",
    }


def summary_words(counts: Counter[str], against: list[str]) -> str:
    n_flagged = counts[Verdict.REVIEW] + counts[Verdict.BLOCKED]
    rate = wilson(n_flagged, n_flagged + counts[Verdict.NO_MATCH])
    return (
        f"{n_flagged} of {rate.n_total} files that could be checked hold sound of {', '.join(against)} "
        f"({rate.low:.0%} to {rate.high:.0%}); {counts[Verdict.UNVERIFIABLE]} could not be verified."
    )
