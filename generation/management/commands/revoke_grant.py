from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone

from generation import services
from governance.commands import DONE, ContractCommand
from lib.figures import counted
from provenance import access, deals
from provenance.commands import instant
from provenance.errors import ProvenanceError
from provenance.models import ClaimedRight


class Command(ContractCommand):
    help = (
        "Revoke a grant, and show which datasets, models and outputs it reaches. "
        "Without --from it ends now, or where its terms ask for notice, when notice given now runs out."
    )

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "grant", metavar="ID", help="of a grant or its deal: all rights of the deal are revoked"
        )
        parser.add_argument("--as", dest="as_user", metavar="USER", required=True)
        parser.add_argument("--reason", required=True)
        parser.add_argument("--from", dest="revoked_from", metavar="ISO")
        parser.add_argument(
            "--right", choices=ClaimedRight.values, default="", help="revoke this right alone"
        )
        parser.add_argument(
            "--despite-terms",
            default="",
            metavar="TEXT",
            help="why a grant ends that is irrevocable by its terms; without it such a one is refused",
        )

    def perform(self, **options: Any) -> int:
        try:
            grant = access.grant_or_deal_for_revoking(self.user, options["grant"])
        except ValidationError:
            raise ProvenanceError(
                f"{options['grant']!r} is no id of a grant: register_grants prints them."
            ) from None
        revoked, impact = services.revoke_grant(
            grant=grant,
            by=self.user,
            reason=options["reason"],
            now=timezone.now(),
            revoked_from=None if options["revoked_from"] is None else instant(options["revoked_from"]),
            right=options["right"],
            despite_terms=options["despite_terms"],
        )
        notes = deals.against_terms(revoked)
        first = next((one for one in revoked if one.pk == grant.pk), revoked[0])
        line = {
            "grant": str(first.public_id),
            "deal": str(first.deal),
            "grants": [str(one.public_id) for one in revoked],
            "rights": {one.right: str(one.public_id) for one in revoked},
            "from": first.revoked_from.isoformat() if first.revoked_from else None,
            "notes": notes,
            **impact.as_json(),
        }
        words = (
            f"Revoked: the {' and the '.join(line['rights'])}. It reaches {counted(line['recordings'], 'recording')}, "
            f"datasets {', '.join(line['datasets']) or 'none'}, models {', '.join(line['models']) or 'none'} "
            f"and {counted(line['outputs'], 'output')}."
        )
        words = " ".join([words, *notes])
        self.show(line, words=words)
        return DONE
