from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.utils import timezone

from governance.commands import DONE
from lib.figures import counted
from provenance.commands import DatasetCommand
from provenance.models import ReservedRight
from provenance.services import declaring, publishing
from provenance.services.declaring import Declaration


class Command(DatasetCommand):
    help = "Declare one opt-out for many recordings at once: those of a list, a whole dataset, or all that a party holds."
    acts_for_a_person = True

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--party", default="", help="who reserves")
        parser.add_argument(
            "--recordings-from",
            default="",
            metavar="FILE",
            help=f"one a line, or a CSV with a column {', '.join(publishing.NAME_COLUMNS)}",
        )
        parser.add_argument(
            "--dataset", default="", metavar="NAME", help="all that it holds, and comes to hold"
        )
        parser.add_argument("--right", default=ReservedRight.BOTH.value, choices=ReservedRight.values)
        parser.add_argument(
            "--purpose", nargs="+", default=[], metavar="P", help="default: every one reserved"
        )
        parser.add_argument("--territory", nargs="+", default=[], metavar="CC", help="default: the world")
        parser.add_argument("--declared-at", default="", metavar="ISO", help="default: now")
        parser.add_argument(
            "--evidence", default="", metavar="FILE|URL", help="the letter or page it rests on"
        )

    def perform(self, **options: Any) -> int:
        listed = options["recordings_from"]
        evidence_name, evidence, url = publishing.evidence_of(options["evidence"])
        outcome = declaring.declare_reservation(
            declaration=Declaration(
                party=options["party"],
                recordings=publishing.read_names(Path(listed)) if listed else (),
                dataset=options["dataset"],
                right=options["right"],
                purposes=tuple(options["purpose"]),
                territory=tuple(options["territory"]),
                declared_at=publishing.instant_or_day(options["declared_at"]),
                evidence_name=evidence_name,
                evidence=evidence,
                evidence_url=url,
            ),
            organisation=self.organisation,
            by=self.user,
            now=timezone.now(),
        )
        self.show(
            outcome.as_json(),
            words=f"{outcome.status} {outcome.reservation.public_id}: it binds "
            f"{counted(outcome.n_recordings, 'recording')}",
        )
        return DONE
