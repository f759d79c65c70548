from argparse import ArgumentParser
from typing import Any

from django.utils import timezone

from generation import access, services
from generation.queries.aftermath import rights_now
from governance.commands import DONE, ContractCommand


class Command(ContractCommand):
    help = "Take a case back that one filed oneself, before anything is decided."
    acts_for_a_person = True

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("case", metavar="REFERENCE")
        parser.add_argument("--reason", default="")
        parser.add_argument(
            "--reinstate",
            action="store_true",
            help="give the grants that it ended again from today on, or withdraw the opt-out that it recorded",
        )

    def perform(self, **options: Any) -> int:
        case = services.withdraw_case(
            case=access.case_named(self.user, options["case"]),
            by=self.user,
            reason=options["reason"],
            now=timezone.now(),
            reinstate=options["reinstate"],
        )
        rights = rights_now(case)
        self.show(
            {"case": case.reference, "id": str(case.public_id), "state": case.state, "rights": rights},
            words=" ".join([f"Case {case.reference} is withdrawn: it binds no model any more.", *rights]),
        )
        return DONE
