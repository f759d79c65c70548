from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.utils import timezone

from governance.commands import DONE
from provenance import access, deals, services
from provenance.commands import DatasetCommand, instant
from provenance.errors import ProvenanceError
from provenance.models import ClaimedRight, Grant


class Command(DatasetCommand):
    help = "Give a revoked grant again, from a day on, as a new grant on the same terms. The old one stays revoked."
    acts_for_a_person = True

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "grant", metavar="ID", help="of a grant or its deal: all rights that were revoked"
        )
        parser.add_argument("--reason", required=True)
        parser.add_argument("--from", dest="valid_from", default="", metavar="DAY", help="default: today")
        parser.add_argument(
            "--right", choices=ClaimedRight.values, default="", help="give this right again alone"
        )

    def perform(self, **options: Any) -> int:
        anew = services.reinstate_grants(
            grants=self._revoked(options["grant"], options["right"]),
            by=self.user,
            reason=options["reason"],
            now=timezone.now(),
            valid_from=_day(options["valid_from"]),
        )
        rights = " and the ".join(one.right for one in anew)
        self.show(
            deals.given_again_as_json(anew),
            words=f"Given again from {anew[0].valid_from} on: the {rights}.",
        )
        return DONE

    def _revoked(self, named: str, right: str) -> list[Grant]:
        """Return what of a deal is revoked and was not given again."""
        try:
            grant = access.grant_or_deal_for_revoking(self.user, named)
        except ValidationError:
            raise ProvenanceError(f"{named!r} is no id of a grant: register_grants prints them.") from None
        deal = Grant.objects.filter(organisation=grant.organisation_id, deal=grant.deal)
        ended = deals.to_give_again(deal.select_related("reinstated_by").order_by("id"), right=right)
        return ended or [grant]  # which says why it can't be given again


def _day(written: str) -> date | None:
    return instant(written).date() if written else None
