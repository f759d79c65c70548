from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.utils import timezone

from governance import access, jobs
from governance import services as governance
from governance.commands import ANSWER_IS_NO, DONE
from provenance import queries, services
from provenance.commands import FORMATS, DatasetCommand
from provenance.errors import ProvenanceError
from provenance.jobs import MATCH
from provenance.models import Catalogue, CatalogueRun, Dataset
from provenance.queries import catalogues


class Command(DatasetCommand):
    help = "Tell which recordings of a label's catalogue are in datasets: found, probable or not found, and by what."
    acts_for_a_person = True
    queues_work = True

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "file", metavar="FILE", help="CSV, XLSX, DDEX ERN, a folder or ZIP, or fingerprints"
        )
        parser.add_argument("--against", nargs="+", action="extend", required=True, metavar="DATASET")
        parser.add_argument(
            "--name", default="", help="what the catalogue is called; default: its file's name"
        )
        parser.add_argument("--format", choices=FORMATS, default="auto")
        parser.add_argument(
            "--root", default="", metavar="DIR", help="where audio paths start; none may lead out of it"
        )

    def perform(self, **options: Any) -> int:
        source = Path(options["file"]).absolute()
        if not source.exists():
            raise ProvenanceError(f"There is no {source}: name the catalogue to match.")
        if options["root"] and not Path(options["root"]).is_dir():
            raise ProvenanceError(f"--root {options['root']} is no folder.")
        datasets = self.datasets(options["against"])
        if not options["wait"]:
            return self.queue(source, datasets, options)
        catalogue = services.keep_catalogue(
            source=source,
            name=options["name"],
            by=self.user,
            organisation=self.organisation,
            now=timezone.now(),
            format=options["format"],
            root=Path(options["root"]).absolute() if options["root"] else None,
            progress=self.tell_progress,
        )
        runs = services.match_catalogue(
            catalogue=catalogue,
            datasets=datasets,
            by=self.user,
            now=timezone.now(),
            progress=self.tell_progress,
        )
        return self.tell_answers(catalogue, runs)

    def datasets(self, named: list[str]) -> list[Dataset]:
        if versions := [name for name in named if "@" in name]:
            raise ProvenanceError(
                f"--against {versions[0]}: name the dataset alone; each answer says which versions it is in."
            )
        organisations = access.organisations_of(self.user)
        found = [queries.dataset_named(name, organisations)[0] for name in dict.fromkeys(named)]
        for dataset in found:
            access.require(
                self.user,
                dataset.organisation,
                services.MAY_ASK,
                "ask which recordings of a catalogue are here",
            )
        return found

    def queue(self, source: Path, datasets: list[Dataset], options: dict[str, Any]) -> int:
        jobs.require_worker(MATCH)
        job = governance.queue_job(
            kind=MATCH,
            organisation=self.organisation,
            asked_by=self.user,
            now=timezone.now(),
            subject_kind="catalogue",
            subject_name=options["name"] or source.stem,
            arguments={
                "source": str(source),
                "name": options["name"],
                "format": options["format"],
                "root": str(Path(options["root"]).absolute()) if options["root"] else "",
                "datasets": [str(dataset.public_id) for dataset in datasets],
            },
        )
        jobs.enqueue(job)
        self.show({"job": str(job.public_id)}, words=f"Queued as job {job.public_id}.")
        return DONE

    def tell_answers(self, catalogue: Catalogue, runs: list[CatalogueRun]) -> int:
        for one in catalogues.answered(list(catalogues.matches_of(runs))):
            match = one.match
            evidence = catalogues.words_of(match.evidence)
            named = match.row.title or match.row.external_id
            said = f": {one.external_id}, by {evidence}" if match.recording else ""
            words = f"{match.answer:<10} {match.run.dataset.name}  {named}{said}"
            self.show(catalogues.match_as_json(one), words=words)
        for rejection in catalogue.rejections:
            reasons = "; ".join(rejection["reasons"])
            words = f"{'rejected':<10} row {rejection['row']} {rejection['external_id']}: {reasons}"
            self.show(catalogues.rejection_as_json(rejection), words=words)
        for warning in catalogue.warnings:
            self.tell(warning)
        counts = "; ".join(
            f"{run.dataset.name}: {run.n_found} found, {run.n_probable} probable, {run.n_not_found} not found"
            for run in runs
        )
        self.show({"summary": catalogues.summary_of(catalogue, runs)}, words=f"{counts}.")
        return ANSWER_IS_NO if catalogue.rejections else DONE

    def tell_progress(self, n_done: int, n_total: int, message: str) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"\r{message}", ending="", style_func=str)
            self.stderr.flush()
