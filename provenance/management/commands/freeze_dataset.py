from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.utils import timezone

from governance import access
from governance.commands import DONE
from lib.figures import counted
from provenance import queries, services
from provenance.commands import DatasetCommand, add_use_arguments, instant
from provenance.errors import ProvenanceError


class Command(DatasetCommand):
    help = "Freeze what is cleared for a use into a new version under a Merkle root."
    acts_for_a_person = True

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME")
        add_use_arguments(parser)
        parser.add_argument("--at", metavar="ISO", help="cleared as of that instant; default: now")
        parser.add_argument(
            "--model",
            default="",
            metavar="MODEL[@VERSION]",
            help="for that model alone: grants that name it count, and no other is trained on the version",
        )
        parser.add_argument("--only-cleared", action="store_true", help="leave out what is not cleared")
        parser.add_argument(
            "--only-listed", default="", metavar="LIST", help="a file of external ids, one a line"
        )

    def perform(self, **options: Any) -> int:
        dataset, _ = queries.dataset_named(options["name"], access.organisations_of(self.user))
        now = timezone.now()
        frozen = services.freeze_dataset(
            dataset=dataset,
            use=queries.use_for(
                purpose=options["purpose"],
                commercial=options["commercial"],
                territory=options["territory"],
                at=now if options["at"] is None else instant(options["at"]),
                model=options["model"],
            ),
            by=self.user,
            now=now,
            only_cleared=options["only_cleared"],
            only_listed=read_listed(options["only_listed"]) if options["only_listed"] else None,
            policy_name=options["policy"],
        )
        for external_id, why in frozen.left_out:
            self.tell(f"left out: {external_id} ({why})")
        version = frozen.version
        self.show(
            {**frozen.as_json(), "version": str(version.number)},  # a string, as in every line that names one
            words=f"{version} holds {counted(version.n_recordings, 'recording')} under {version.merkle_root}.",
        )
        return DONE


def read_listed(name: str) -> list[str]:
    try:
        return [line for line in Path(name).read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise ProvenanceError(f"--only-listed {name} can't be read: {error}.") from error
