"""Works from the file alone: no server, no database, no network."""

import sys
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from generation import answers
from generation.answers import AnswerFileError, Verification
from governance import signing
from governance.commands import ANSWER_IS_NO, BAD_INPUT, ContractCommand


class Command(ContractCommand):
    help = "Check the signed answer to a rights holder's case: whole, unchanged, and signed by whom."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE")
        parser.add_argument("--public-key", default="", metavar="FILE", help="the issuer's, in PEM")

    def handle(self, *args: Any, **options: Any) -> None:
        """Without the rest of the contract's commands: they look up whom they act for in the database."""
        self.as_json = options["json"]
        own = Path(settings.KEY_DIR) / signing.PUBLIC_NAME
        given = Path(options["public_key"]) if options["public_key"] else own if own.exists() else None
        try:
            key = signing.load_public_key(given) if given else None
            found = answers.verify(Path(options["file"]).read_bytes(), key)
        except OSError as error:
            raise CommandError(
                f"{options['file']} can't be read: {error.strerror}.", returncode=BAD_INPUT
            ) from error
        except (AnswerFileError, signing.KeyFileError) as error:
            message = str(error)
            raise CommandError(f"{message[0].upper()}{message[1:]}.", returncode=BAD_INPUT) from error
        self.show({**asdict(found), "problems": list(found.problems), "ok": found.ok}, words=words_for(found))
        if not found.ok:
            self.stdout.flush()
            sys.exit(ANSWER_IS_NO)


def words_for(found: Verification) -> str:
    if found.ok:
        return f"The answer to case {found.reference} is whole, and signed with the key {found.key_id}."
    if found.problems:
        return f"The answer does not verify: {'; '.join(found.problems)}."
    return (
        f"The file is whole and signed with the key {found.key_id}. Whose key that is, is not established: "
        "give the issuer's with --public-key."
    )
