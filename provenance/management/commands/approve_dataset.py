from argparse import ArgumentParser
from typing import Any

from django.utils import timezone

from governance import access
from governance.commands import DONE
from provenance import queries, services
from provenance.commands import DatasetCommand


class Command(DatasetCommand):
    help = "Approve what a dataset now holds, accepting conditions by name."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--as", dest="as_user", metavar="USER", required=True)
        parser.add_argument("--reason", required=True)
        parser.add_argument("--accept-conditions", default="", metavar="C,…|all")

    def perform(self, **options: Any) -> int:
        dataset, _ = queries.dataset_named(options["name"], access.organisations_of(self.user))
        review = services.approve_dataset(
            dataset=dataset,
            by=self.user,
            reason=options["reason"],
            accept=[condition.strip() for condition in options["accept_conditions"].split(",")],
            now=timezone.now(),
        )
        self.show(
            {
                "dataset": dataset.name,
                "review": str(review.public_id),
                "decision": review.decision,
                "conditions_accepted": review.conditions,
                "recordings": dataset.entries.count(),
            },
            words=f"{dataset.name} is approved. Conditions accepted: {', '.join(review.conditions) or 'none'}.",
        )
        return DONE
