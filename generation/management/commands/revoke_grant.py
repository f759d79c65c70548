from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone

from generation import services
from governance.commands import DONE, ContractCommand
from provenance import access
from provenance.commands import instant
from provenance.errors import ProvenanceError


class Command(ContractCommand):
    help = "Revoke a grant, and show which datasets, models and outputs it reaches."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("grant", metavar="ID")
        parser.add_argument("--as", dest="as_user", metavar="USER", required=True)
        parser.add_argument("--reason", required=True)
        parser.add_argument("--from", dest="revoked_from", default="", metavar="ISO")

    def perform(self, **options: Any) -> int:
        try:
            grant = access.grant_for_reading(self.user, options["grant"])
        except ValidationError:
            raise ProvenanceError(
                f"{options['grant']!r} is no id of a grant: register_grants prints them."
            ) from None
        revoked, impact = services.revoke_grant(
            grant=grant,
            by=self.user,
            reason=options["reason"],
            now=timezone.now(),
            revoked_from=instant(options["revoked_from"]) if options["revoked_from"] else None,
        )
        line = {
            "grant": str(revoked.public_id),
            "from": revoked.revoked_from.isoformat() if revoked.revoked_from else None,
            **impact.as_json(),
        }
        words = (
            f"Revoked. It reaches {line['recordings']} recordings, datasets {', '.join(line['datasets']) or 'none'}, "
            f"models {', '.join(line['models']) or 'none'} and {line['outputs']} outputs."
        )
        self.show(line, words=words)
        return DONE
