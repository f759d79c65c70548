from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.utils import timezone

from governance.commands import ANSWER_IS_NO, DONE
from lib.figures import counted
from provenance.commands import DatasetCommand
from provenance.services.claiming import ClaimOutcome, register_claims


class Command(DatasetCommand):
    help = "Register who holds how much of which right, from a CSV, XLSX, JSON or JSON-lines file."
    acts_for_a_person = True

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE")
        parser.add_argument("--dry-run", action="store_true")

    def perform(self, **options: Any) -> int:
        done = register_claims(
            source=Path(options["file"]),
            by=self.user,
            organisation=self.organisation,
            now=timezone.now(),
            dry_run=options["dry_run"],
            tell=self.tell_claim,
        )
        counts = done.counts()
        words = ", ".join(f"{count} {what}" for what, count in counts.items())
        self.show({"summary": counts}, words=words)
        return ANSWER_IS_NO if counts["rejected"] else DONE

    def tell_claim(self, outcome: ClaimOutcome) -> None:
        said = "; ".join((*outcome.reasons, *outcome.notes))
        words = f"{outcome.status:<10} row {outcome.row}: {outcome.party} ({counted(len(outcome.claims), 'claim')})"
        self.show(outcome.as_json(), words=f"{words}{': ' if said else ''}{said}")
