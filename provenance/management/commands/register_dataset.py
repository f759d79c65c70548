from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.utils import timezone

from governance import jobs
from governance import services as governance
from governance.commands import ANSWER_IS_NO, DONE
from provenance import services
from provenance.commands import FORMATS, DatasetCommand
from provenance.errors import ProvenanceError
from provenance.jobs import REGISTER
from provenance.models import DatasetKind
from provenance.pipeline import RowOutcome


class Command(DatasetCommand):
    help = "Register recordings and what sources say of their rights into a dataset, as a draft."
    acts_for_a_person = True
    queues_work = True
    kind = DatasetKind.TRAINING

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--from", dest="source", required=True, metavar="PATH")
        parser.add_argument("--format", choices=FORMATS, default="auto")
        parser.add_argument(
            "--root", default="", metavar="DIR", help="where audio paths start; none may lead out of it"
        )
        parser.add_argument(
            "--only", default="", metavar="PATTERN", help="read only ids that match, as */music/*"
        )
        parser.add_argument("--dry-run", action="store_true", help="show what would happen and keep nothing")

    def perform(self, **options: Any) -> int:
        source = Path(options["source"]).absolute()
        if not source.exists():
            raise ProvenanceError(f"There is no {source}: give the file or folder to register with --from.")
        if options["root"] and not Path(options["root"]).is_dir():
            raise ProvenanceError(f"--root {options['root']} is no folder.")
        root = Path(options["root"]).absolute() if options["root"] else None
        if not options["wait"] and not options["dry_run"]:
            return self.queue(options["name"], source, options["format"], root, options["only"])
        done = services.register(
            name=options["name"],
            kind=self.kind,
            source=source,
            format=options["format"],
            root=root,
            by=self.user,
            organisation=self.organisation,
            now=timezone.now(),
            only=options["only"],
            dry_run=options["dry_run"],
            tell=self.tell_row,
            progress=self.tell_progress,
        )
        summary = done.as_json()
        if options["dry_run"]:
            summary["dry_run"] = True
        for warning in done.warnings:
            self.tell(warning)
        if done.unknown_columns:
            self.tell(f"Kept, but not understood: the columns {', '.join(done.unknown_columns)}.")
        self.show({"summary": summary}, words=self.summary_words(summary))
        return ANSWER_IS_NO if done.n_rejected else DONE

    def queue(self, name: str, source: Path, format: str, root: Path | None, only: str) -> int:
        jobs.require_worker(REGISTER)
        job = governance.queue_job(
            kind=REGISTER,
            organisation=self.organisation,
            asked_by=self.user,
            now=timezone.now(),
            subject_kind="dataset",
            subject_name=name,
            arguments={
                "name": name,
                "kind": self.kind.value,
                "source": str(source),
                "format": format,
                "root": str(root) if root else "",
                "only": only,
            },
        )
        jobs.enqueue(job)
        self.show({"job": str(job.public_id)}, words=f"Queued as job {job.public_id}.")
        return DONE

    def tell_row(self, outcome: RowOutcome) -> None:
        line: dict[str, Any] = {
            "row": outcome.row,
            "external_id": outcome.external_id,
            "status": outcome.status,
            "recording": str(outcome.recording.public_id) if outcome.recording else None,
            "reasons": list(outcome.reasons),
        }
        if outcome.absent:
            line["audio"] = "absent"
        reasons = f": {'; '.join(outcome.reasons)}" if outcome.reasons else ""
        self.show(line, words=f"{outcome.status:<10} {outcome.external_id}{reasons}")

    def tell_progress(self, n_done: int, n_total: int | None) -> bool:
        if self.stderr.isatty():
            self.stderr.write(f"\r{n_done} of {n_total or '?'} rows", ending="", style_func=str)
            self.stderr.flush()
        return True

    def summary_words(self, summary: dict[str, Any]) -> str:
        counted = (
            f"{summary['registered']} registered, {summary['duplicate']} known before, {summary['rejected']} rejected, "
            f"{summary['conflicts']} open conflicts."
        )
        if summary.get("dry_run"):
            return f"{counted} That is what a run would do; nothing was kept."
        if summary["registered"] or summary["duplicate"]:
            return f"{counted} It is a draft until a compliance officer approves it."
        return f"{counted} Nothing was kept."
