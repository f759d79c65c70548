from argparse import ArgumentParser
from typing import Any

from django.utils import timezone

from governance.commands import DONE
from governance.errors import NotFoundError
from governance.models import Organisation
from provenance.commands import DatasetCommand
from provenance.known import asker_of
from provenance.models import Party
from provenance.services.parties import identify_party


class Command(DatasetCommand):
    help = "Say which organisation a party is, so that grants to others do not answer for it."
    acts_for_a_person = True

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("party", metavar="PARTY", help="the party's name, as grants and claims have it")
        parser.add_argument(
            "--is", dest="named", default="", metavar="ORG", help="default: your own organisation"
        )
        parser.add_argument("--nobody-here", action="store_true", help="take back what was said")

    def perform(self, **options: Any) -> int:
        party = Party.objects.filter(organisation=self.organisation, name=options["party"]).first()
        if party is None:
            raise NotFoundError(f"There is no party {options['party']!r} in {self.organisation}.")
        meant = None if options["nobody_here"] else self._organisation(options["named"])
        identify_party(party=party, organisation=meant, by=self.user, now=timezone.now())
        names = sorted(asker_of(meant)) if meant else []
        line = {"party": party.name, "stands_for": meant.name if meant else None, "licensees": names}
        self.show(line, words=f"{party.name} is {meant.name if meant else 'no organisation here'}")
        return DONE

    def _organisation(self, name: str) -> Organisation:
        if not name:
            return self.organisation
        found = Organisation.objects.filter(name=name).first()
        if found is None:
            raise NotFoundError(f"There is no organisation {name!r}.")
        return found
