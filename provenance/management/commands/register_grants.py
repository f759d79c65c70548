from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.utils import timezone

from governance.commands import ANSWER_IS_NO, DONE
from lib.figures import counted
from provenance import services
from provenance.commands import DatasetCommand
from provenance.services.granting import GrantOutcome


class Command(DatasetCommand):
    help = "Register bilateral deals from a CSV, JSON or JSON-lines file."
    acts_for_a_person = True

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE")
        parser.add_argument("--dry-run", action="store_true")

    def perform(self, **options: Any) -> int:
        outcomes = services.register_grants(
            source=Path(options["file"]),
            by=self.user,
            organisation=self.organisation,
            now=timezone.now(),
            dry_run=options["dry_run"],
            tell=self.tell_deal,
        )
        counts = dict.fromkeys(("registered", "duplicate", "rejected"), 0)
        for outcome in outcomes:
            counts[outcome.status] += 1
        words = ", ".join(f"{count} {status}" for status, count in counts.items())
        summary: dict[str, int | bool] = {**counts}
        if options["dry_run"]:
            summary["dry_run"] = True
            words += ". That is what a run would do; nothing was kept, and its ids name nothing"
        self.show({"summary": summary}, words=f"{words}.")
        return ANSWER_IS_NO if counts["rejected"] else DONE

    def tell_deal(self, outcome: GrantOutcome) -> None:
        reasons = (
            f": {'; '.join(outcome.reasons)}"
            if outcome.reasons
            else f" ({counted(outcome.n_recordings, 'recording')})"
        )
        notes = "".join(f"\n           {note}" for note in outcome.notes)
        self.show(outcome.as_json(), words=f"{outcome.status:<10} row {outcome.row}{reasons}{notes}")
