from argparse import ArgumentParser
from datetime import date
from pathlib import Path
from typing import Any

from django.utils import timezone

from governance.commands import DONE
from lib.figures import counted
from provenance.commands import DatasetCommand
from provenance.errors import ProvenanceError
from provenance.rights.values import PURPOSES
from provenance.services import memos
from provenance.services.memos import MemoTerms


class Command(DatasetCommand):
    help = "Record a named person's memo that a statutory exception covers a use of recordings lawfully had."
    acts_for_a_person = True

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--provision", required=True, help="the statute and its article")
        parser.add_argument(
            "--signed-by", required=True, metavar="NAME", help="the person who signed the memo"
        )
        parser.add_argument(
            "--lawful-access", required=True, metavar="TEXT", help="how the recordings were had"
        )
        parser.add_argument("--purpose", action="append", required=True, choices=PURPOSES, dest="purposes")
        parser.add_argument(
            "--dataset", default="", metavar="NAME", help="what it holds today, nothing later"
        )
        parser.add_argument("--recording", action="append", default=[], dest="recordings", metavar="ID")
        parser.add_argument("--territory", action="append", default=[], metavar="CC")
        parser.add_argument("--valid-from", default="", metavar="DAY")
        parser.add_argument("--valid-until", default="", metavar="DAY", help="exclusive")
        parser.add_argument("--text", default="")
        parser.add_argument(
            "--document", default="", metavar="FILE", help="the signed memo; kept confidential"
        )

    def perform(self, **options: Any) -> int:
        name, content = _document(options["document"])
        terms = MemoTerms(
            provision=options["provision"],
            signed_by=options["signed_by"],
            lawful_access=options["lawful_access"],
            purposes=tuple(options["purposes"]),
            territory=tuple(options["territory"]),
            valid_from=_day(options["valid_from"]),
            valid_until=_day(options["valid_until"]),
            text=options["text"],
            recordings=tuple(options["recordings"]),
            dataset=options["dataset"],
            document_name=name,
            document=content,
        )
        memo = memos.record_memo(
            terms=terms, organisation=self.organisation, by=self.user, now=timezone.now()
        )
        n_recordings = memo.subjects.count()
        line = {"memo": str(memo.public_id), "recordings": n_recordings, "signed_by": memo.signed_by}
        self.show(line, words=f"recorded: {memo} ({counted(n_recordings, 'recording')})")
        return DONE


def _document(path: str) -> tuple[str, bytes]:
    if not path:
        return "", b""
    try:
        return Path(path).name, Path(path).read_bytes()
    except OSError as error:
        raise ProvenanceError(f"{path} can't be read: {error.strerror}.") from error


def _day(written: str) -> date | None:
    try:
        return date.fromisoformat(written) if written else None
    except ValueError:
        raise ProvenanceError(f"{written!r} is no day: write 2026-03-01.") from None
