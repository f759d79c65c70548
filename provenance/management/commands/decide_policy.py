from argparse import ArgumentParser
from typing import Any

from django.utils import timezone

from governance.commands import ANSWER_IS_NO, DONE
from governance.models import Decision
from provenance import services
from provenance.commands import DatasetCommand
from provenance.queries import policies


class Command(DatasetCommand):
    help = "Adopt a policy that somebody else proposed, from now on, or reject it."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("policy", metavar="NAME[@VERSION]")
        parser.add_argument("--as", dest="as_user", metavar="USER", required=True)
        parser.add_argument("--reason", required=True)
        parser.add_argument("--reject", action="store_true")

    def perform(self, **options: Any) -> int:
        review = policies.proposal_named(options["policy"], self.user)
        decided = services.decide_policy(
            review=review,
            decision=Decision.REJECTED if options["reject"] else Decision.APPROVED,
            reason=options["reason"],
            by=self.user,
            now=timezone.now(),
        )
        adopted = decided.decision == Decision.APPROVED
        self.show(
            {
                "policy": decided.subject_name,
                "review": str(decided.public_id),
                "decision": decided.decision,
                "in_force_from": decided.decided_at.isoformat() if adopted and decided.decided_at else None,
            },
            words=f"{decided.subject_name} is {'in force' if adopted else 'rejected'}.",
        )
        return DONE if adopted else ANSWER_IS_NO
