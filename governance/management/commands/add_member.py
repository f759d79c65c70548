from argparse import ArgumentParser
from typing import Any

from django.utils import timezone

from governance import services
from governance.commands import DONE, ContractCommand
from governance.models import Role


class Command(ContractCommand):
    help = "Give a person a role in an organisation; both are made when they are new."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username", metavar="USER")
        parser.add_argument("--organisation", required=True)
        parser.add_argument("--role", required=True, choices=Role.values)
        parser.add_argument("--password", default="", help="for signing in to the pages")

    def perform(self, **options: Any) -> int:
        member = services.add_member(
            username=options["username"],
            organisation=options["organisation"],
            role=options["role"],
            by=self.user,
            now=timezone.now(),
            password=options["password"],
        )
        self.show(
            {
                "user": member.user.username,
                "id": str(member.user.public_id),
                "organisation": member.organisation.name,
                "role": member.role,
            },
            words=str(member),
        )
        return DONE
