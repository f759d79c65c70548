from argparse import ArgumentParser
from typing import Any

from django.utils import timezone

from governance import access, jobs
from governance import services as governance
from governance.commands import ANSWER_IS_NO, DONE
from provenance import queries, services
from provenance.commands import DatasetCommand
from provenance.jobs import INDEX


class Command(DatasetCommand):
    help = "Build the index that outputs are checked against."
    acts_for_a_person = True
    queues_work = True

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("reference", metavar="NAME[@VERSION]")
        parser.add_argument(
            "--calibrate",
            type=int,
            metavar="N",
            help="hold N excerpts of strangers of each length against it; 0 for none (with --wait)",
        )

    def perform(self, **options: Any) -> int:
        dataset, version = queries.dataset_named(options["reference"], access.organisations_of(self.user))
        if not options["wait"]:
            jobs.require_worker(INDEX)
            job = governance.queue_job(
                kind=INDEX,
                organisation=dataset.organisation,
                asked_by=self.user,
                now=timezone.now(),
                subject_kind="dataset",
                subject_id=dataset.public_id,
                subject_name=options["reference"],
                arguments={"reference": options["reference"]},
            )
            jobs.enqueue(job)
            self.show({"job": str(job.public_id)}, words=f"Queued as job {job.public_id}.")
            return DONE
        indexed = services.index_dataset(
            dataset=dataset,
            version=version,
            by=self.user,
            now=timezone.now(),
            n_excerpts=options["calibrate"],
        )
        for name, why in indexed.not_covered:
            self.tell(f"not covered: {name} ({why})")
        self.show(indexed.as_json(), words=indexed.words())
        return DONE if indexed.build.covers_all else ANSWER_IS_NO
