from argparse import ArgumentParser
from typing import Any

from governance.commands import DONE
from provenance import queries
from provenance.commands import DatasetCommand, instant_or_now
from provenance.queries import policies


class Command(DatasetCommand):
    help = "Print a clearance policy as the file that write_policy reads: the one in force, or the one named."
    acts_for_a_person = True

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("organisation", metavar="ORGANISATION")
        parser.add_argument(
            "--policy", default="", metavar="NAME[@VERSION]", help="default, strict or its own"
        )
        parser.add_argument("--at", metavar="ISO", help="in force at that instant; default: now")

    def perform(self, **options: Any) -> int:
        organisation = policies.organisation_named(options["organisation"], self.user)
        policy = queries.policy_of(organisation, options["policy"], at=instant_or_now(options["at"]))
        self.show({**policy.as_json(), "sha256": policy.sha256}, words=policy.as_yaml())
        return DONE
