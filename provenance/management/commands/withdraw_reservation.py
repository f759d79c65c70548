from argparse import ArgumentParser
from typing import Any

from django.utils import timezone

from governance.commands import DONE
from lib.figures import counted
from provenance.access import reservation_for_reading
from provenance.commands import DatasetCommand
from provenance.services import declaring


class Command(DatasetCommand):
    help = "End an opt-out, for a reason. It takes a compliance officer, or the label auditor of whoever declared it."
    acts_for_a_person = True

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("reservation", metavar="ID")
        parser.add_argument("--reason", required=True, metavar="TEXT")

    def perform(self, **options: Any) -> int:
        held = declaring.withdraw_reservation(
            reservation=reservation_for_reading(self.user, options["reservation"]),
            by=self.user,
            reason=options["reason"],
            now=timezone.now(),
        )
        n_bound = held.subjects.count()
        line = {
            "reservation": str(held.public_id),
            "recordings": n_bound,
            "withdrawn_at": str(held.withdrawn_at),
        }
        self.show(line, words=f"withdrawn: {held} ({counted(n_bound, 'recording')})")
        return DONE
