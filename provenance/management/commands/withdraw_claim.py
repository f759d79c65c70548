from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.utils import timezone

from governance.commands import DONE
from governance.errors import NotFoundError
from provenance import access
from provenance.commands import DatasetCommand
from provenance.services.claiming import withdraw_claim


class Command(DatasetCommand):
    help = "Withdraw a claim: it stays on record and holds no longer."
    acts_for_a_person = True

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("claim", metavar="ID", help="the claim's id, as register_claims --json shows it")

    def perform(self, **options: Any) -> int:
        try:
            claim = access.claim_for_reading(self.user, UUID(options["claim"]))
        except ValueError:
            raise NotFoundError(f"There is no claim {options['claim']!r}.") from None
        withdraw_claim(claim=claim, by=self.user, now=timezone.now())
        line = {
            "claim": str(claim.public_id),
            "withdrawn_at": timezone.localtime(claim.withdrawn_at).isoformat(),
        }
        self.show(line, words=f"withdrawn  {claim}")
        return DONE
