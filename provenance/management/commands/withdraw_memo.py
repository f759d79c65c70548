from argparse import ArgumentParser
from typing import Any

from django.utils import timezone

from governance.commands import DONE
from provenance.access import memo_for_reading
from provenance.commands import DatasetCommand
from provenance.services import memos


class Command(DatasetCommand):
    help = "End a statutory-exception memo: nothing is cleared by it any more."
    acts_for_a_person = True

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("memo", metavar="ID")
        parser.add_argument("--reason", required=True)

    def perform(self, **options: Any) -> int:
        memo = memos.withdraw_memo(
            memo=memo_for_reading(self.user, options["memo"]),
            by=self.user,
            reason=options["reason"],
            now=timezone.now(),
        )
        self.show(
            {"memo": str(memo.public_id), "withdrawn_at": str(memo.withdrawn_at)}, words=f"withdrawn: {memo}"
        )
        return DONE
