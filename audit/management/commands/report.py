from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.utils import timezone

from audit import services
from audit.commands import AuditCommand
from audit.reports import bundle
from governance.commands import DONE


class Command(AuditCommand):
    help = "Issue a signed report on a model: report.json, report.html, report.pdf, report.sig."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("model", metavar="MODEL[@VERSION]")
        parser.add_argument("--out", required=True, metavar="DIR")

    def perform(self, **options: Any) -> int:
        out = Path(options["out"]).absolute()
        version = self.model_named(options["model"])
        issued = services.issue_report(version=version, out=out, by=self.user, now=timezone.now())
        line = {
            "report": str(issued.public_id),
            "model": str(version),
            "assessment": str(issued.assessment.public_id),
            "out": str(out),
            "files": sorted(bundle.ALL_NAMES),
            "snapshot_sha256": issued.snapshot_sha256,
            "key_id": issued.key_id,
            "issued_at": issued.issued_at.isoformat(),
        }
        self.show(
            line, words=f"The report on {version} is signed and lies in {out}. Check it: verify_report {out}"
        )
        return DONE
