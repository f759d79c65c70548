from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.utils import timezone

from governance.commands import ANSWER_IS_NO, DONE
from lib.figures import counted
from provenance.commands import DatasetCommand
from provenance.services import publishing
from provenance.services.publishing import ALL_KINDS, Brought


class Command(DatasetCommand):
    help = "Record opt-outs: a file as it was published, a folder of them, a signed sound file, or a table declared."
    acts_for_a_person = True

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE|DIR", help="a folder holds one folder a host")
        parser.add_argument("--url", default="", help="where the file was fetched from: whom it binds")
        parser.add_argument("--fetched-at", default="", metavar="ISO", help="default: now")
        parser.add_argument("--kind", default="auto", choices=ALL_KINDS)
        parser.add_argument("--dry-run", action="store_true")

    def perform(self, **options: Any) -> int:
        found = publishing.register_reservations(
            source=Path(options["file"]),
            organisation=self.organisation,
            by=self.user,
            now=timezone.now(),
            kind=options["kind"],
            url=options["url"],
            fetched_at=publishing.instant_or_day(options["fetched_at"]),
            dry_run=options["dry_run"],
            tell=self.tell_file,
        )
        counts = dict.fromkeys(("registered", "duplicate", "nothing", "rejected"), 0)
        for one in found:
            counts[one.status] += 1
        n_bound = sum(o.n_recordings for one in found for o in one.outcomes if o.status == "registered")
        words = ", ".join(f"{count} {status}" for status, count in counts.items())
        self.show(
            {"summary": {**counts, "recordings": n_bound, "dry_run": options["dry_run"]}},
            words=f"{words}; {counted(n_bound, 'recording')} bound",
        )
        return ANSWER_IS_NO if counts["rejected"] else DONE

    def tell_file(self, one: Brought) -> None:
        said = [f"{o.reservation} binds {counted(o.n_recordings, 'recording')}" for o in one.outcomes]
        said += [*one.reasons, *(f"no longer said: {gone}; withdraw it if it is over" for gone in one.gone)]
        self.show(
            one.as_json(), words=f"{one.status:<10} {one.name}: {'; '.join(said) or 'reserves nothing'}"
        )
