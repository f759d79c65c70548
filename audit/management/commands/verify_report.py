"""Works from files alone: no server, no database, no network."""

import sys
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from audit import services
from audit.reports.bundle import ReportFolderError, Verification
from governance import signing
from governance.commands import ANSWER_IS_NO, BAD_INPUT, ContractCommand

SHOWN = 6  # problems in words; --json lists them all


class Command(ContractCommand):
    help = "Check a report from its files: whole, unchanged, and signed by whom."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", metavar="DIR")
        parser.add_argument("--public-key", default="", metavar="FILE", help="the issuer's, in PEM")

    def handle(self, *args: Any, **options: Any) -> None:
        """Without the rest of the contract's commands: they look up whom they act for in the database."""
        self.as_json = options["json"]
        try:
            given = options["public_key"]
            key = signing.load_public_key(Path(given)) if given else None
            found = services.verify_report(Path(options["folder"]), key)
        except (ReportFolderError, signing.KeyFileError) as error:
            message = str(error)
            raise CommandError(f"{message[0].upper()}{message[1:]}.", returncode=BAD_INPUT) from error
        self.show({**asdict(found), "problems": list(found.problems)}, words=words_for(found))
        if not found.ok:
            self.stdout.flush()
            sys.exit(ANSWER_IS_NO)


def words_for(found: Verification) -> str:
    if found.ok:
        return f"The report {found.report} of {found.issued_at} is whole, and signed with the key {found.key_id}."
    if found.problems:
        more = f" … and {len(found.problems) - SHOWN} more" if len(found.problems) > SHOWN else ""
        return "The report does not verify: " + "; ".join(found.problems[:SHOWN]) + more
    return (
        f"The files are whole and signed with the key {found.key_id}. Whose key that is, is not established: "
        "give the issuer's with --public-key."
    )
