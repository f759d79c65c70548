from argparse import ArgumentParser
from typing import Any

from django.utils import timezone

from governance import access
from governance.commands import DONE, PART_MISSING
from governance.errors import LinerNotesError
from lib.figures import counted
from provenance import fetching
from provenance.commands import DatasetCommand
from provenance.services import publishing, reserving


class Command(DatasetCommand):
    help = "Fetch robots.txt, tdmrep.json and ai.txt of each host, and each address's own headers, and record them."
    acts_for_a_person = True

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("urls", metavar="URL", nargs="+")

    def perform(self, **options: Any) -> int:
        access.require(self.user, self.organisation, reserving.RECORDS, "record an opt-out")
        asked = [address for url in options["urls"] for address in fetching.addresses_to_ask(url)]
        failed = [url for url in dict.fromkeys(asked) if not self.fetched(url)]
        if failed:
            self.tell(
                f"{len(failed)} of {len(set(asked))} addresses were not read; nothing is concluded from that."
            )
        return PART_MISSING if failed else DONE

    def fetched(self, url: str) -> bool:
        """Fetch and record one address, and say whether it could be read."""
        try:
            answer = fetching.fetch(url, clock=timezone.now)
            if answer.snapshot is None or not (answer.snapshot.content or answer.snapshot.headers):
                self.show({"url": url, "status": "absent", "http": answer.status}, words=f"absent     {url}")
                return True
            recorded = reserving.record_snapshot(
                snapshot=answer.snapshot,
                organisation=self.organisation,
                by=self.user,
                now=timezone.now(),
                kind=_kind(url),
            )
        except LinerNotesError as error:
            self.show(
                {"url": url, "status": "rejected", "reasons": [str(error)]}, words=f"rejected   {error}"
            )
            return False
        one = publishing.brought(url, recorded)
        said = "; ".join([counted(len(one.outcomes), "opt-out"), *one.reasons])
        words = f"{one.status:<10} {url}: {said}"
        self.show({"url": url, **one.as_json()}, words=words)
        return True


def _kind(url: str) -> str:
    named = url.rpartition("/")[2] in {"robots.txt", "tdmrep.json", "ai.txt"}
    return "auto" if named else "tdmrep"
