from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.utils import timezone

from audit import services
from audit.commands import AuditCommand
from audit.errors import AuditError
from governance import access
from governance.commands import DONE
from lib.canonical import sha256_hex
from lib.files import write_bytes


class Command(AuditCommand):
    help = "Write what is known of a dataset or a model in a format that others read."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("kind", metavar="KIND", help=", ".join(services.EXPORTS))
        parser.add_argument("subject", metavar="SUBJECT", help="a dataset or model, NAME or NAME@VERSION")
        parser.add_argument("--out", required=True, metavar="FILE")

    def perform(self, **options: Any) -> int:
        out = Path(options["out"]).absolute()
        if out.is_dir():
            raise AuditError(f"--out {out} is a folder: name the file to write.")
        text = services.export(
            kind=options["kind"],
            subject=options["subject"],
            organisations=access.organisations_of(self.user),
            now=timezone.now(),
        )
        content = text.encode()
        try:
            write_bytes(out, content)
        except OSError as error:
            raise AuditError(f"--out {out} can't be written: {error.strerror}.") from error
        line = {
            "kind": options["kind"],
            "subject": options["subject"],
            "file": str(out),
            "bytes": len(content),
            "sha256": sha256_hex(content),
        }
        self.show(line, words=f"{options['kind']} of {options['subject']} is in {out}.")
        return DONE
