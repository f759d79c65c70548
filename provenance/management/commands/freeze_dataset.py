from argparse import ArgumentParser
from typing import Any

from django.utils import timezone

from governance import access
from governance.commands import DONE
from provenance import queries, services
from provenance.commands import DatasetCommand, add_use_arguments


class Command(DatasetCommand):
    help = "Freeze what is cleared for a use into a new version under a Merkle root."
    acts_for_a_person = True

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME")
        add_use_arguments(parser)
        parser.add_argument("--only-cleared", action="store_true", help="leave out what is not cleared")

    def perform(self, **options: Any) -> int:
        dataset, _ = queries.dataset_named(options["name"], access.organisations_of(self.user))
        now = timezone.now()
        frozen = services.freeze_dataset(
            dataset=dataset,
            use=queries.use_for(
                purpose=options["purpose"],
                commercial=options["commercial"],
                territory=options["territory"],
                at=now,
            ),
            by=self.user,
            now=now,
            only_cleared=options["only_cleared"],
            policy_name=options["policy"],
        )
        for external_id, why in frozen.left_out:
            self.tell(f"left out: {external_id} ({why})")
        version = frozen.version
        self.show(
            frozen.as_json(),
            words=f"{version} holds {version.n_recordings} recordings under {version.merkle_root}.",
        )
        return DONE
