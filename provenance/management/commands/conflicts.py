from argparse import ArgumentParser
from typing import Any

from governance import access
from governance.commands import DONE
from provenance import queries
from provenance.commands import DatasetCommand
from provenance.models import ConflictStatus


class Command(DatasetCommand):
    help = "Show the open findings that touch a dataset's recordings."
    acts_for_a_person = True

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME")

    def perform(self, **options: Any) -> int:
        dataset, _ = queries.dataset_named(options["name"], access.organisations_of(self.user))
        found = queries.conflicts_touching(dataset).filter(status=ConflictStatus.OPEN)
        for conflict in found:
            line = {
                "conflict": str(conflict.public_id),
                "kind": conflict.kind,
                "status": conflict.status,
                "summary": conflict.summary,
                "found_at": conflict.found_at.isoformat(),
                "heard": conflict.heard,
                "recordings": [str(conflict.recording_a.public_id), str(conflict.recording_b.public_id)],
                "a": {"recording": str(conflict.recording_a.public_id), **conflict.evidence_a},
                "b": {"recording": str(conflict.recording_b.public_id), **conflict.evidence_b},
            }
            self.show(line, words=f"{conflict.kind}: {conflict.summary}")
        if not found:
            self.tell(f"No open conflict touches {dataset.name}.")
        return DONE
