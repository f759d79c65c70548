from argparse import ArgumentParser
from typing import Any

from django.utils import timezone

from generation import access, services
from governance.commands import DONE, ContractCommand


class Command(ContractCommand):
    help = "Erase who filed a closed case and how to reach them; what was decided and answered stays."
    acts_for_a_person = True

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("case", metavar="REFERENCE")
        parser.add_argument("--reason", required=True, help="kept with the case: name nobody in it")

    def perform(self, **options: Any) -> int:
        case = services.erase_contact(
            case=access.case_named(self.user, options["case"]),
            by=self.user,
            reason=options["reason"],
            now=timezone.now(),
        )
        said = {"case": case.reference, "id": str(case.public_id), "erased_at": str(case.erased_at)}
        self.show(said, words=f"Who filed case {case.reference} is erased. What was decided stays.")
        return DONE
