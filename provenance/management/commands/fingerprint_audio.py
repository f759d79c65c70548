import csv
import io
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from governance.commands import ANSWER_IS_NO, DONE
from lib.files import write_bytes, write_text
from provenance import audio
from provenance.commands import DatasetCommand
from provenance.errors import ProvenanceError

COLUMNS = ("external_id", "fingerprint", "title", "artist", "isrc")


class Command(DatasetCommand):
    help = "Fingerprint audio where it lies, and write a table for register_collection: no audio has to leave the house."

    def add_own_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FILE")
        parser.add_argument("--out", required=True, metavar="DIR")

    def perform(self, **options: Any) -> int:
        out = Path(options["out"])
        if out.exists() and not out.is_dir():
            raise ProvenanceError(f"--out {out} is no folder.")
        out.mkdir(parents=True, exist_ok=True)
        rows = [row for name in options["files"] if (row := self.fingerprint(name, out)) is not None]
        table = io.StringIO(newline="")
        writer = csv.DictWriter(table, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
        write_text(out / "catalogue.csv", table.getvalue())
        return DONE if len(rows) == len(options["files"]) else ANSWER_IS_NO

    def fingerprint(self, name: str, out: Path) -> dict[str, str] | None:
        path = Path(name)
        try:
            surveyed, tags = audio.survey(path), audio.read_tags(path)
        except audio.DecoderMissingError:
            raise
        except (audio.AudioError, OSError) as error:
            self.show(
                {"file": name, "fingerprint": None, "reasons": [str(error)]}, words=f"failed  {name}: {error}"
            )
            return None
        written = out / f"{surveyed.file_sha256}.fingerprint"
        write_bytes(written, surveyed.fingerprint.packed)
        self.show(
            {
                "file": name,
                "sha256": surveyed.file_sha256,
                "seconds": surveyed.seconds,
                "fingerprint": str(written),
                "rows": len(surveyed.items),
            },
            words=f"done    {name}",
        )
        return {
            "external_id": path.name,
            "fingerprint": written.name,
            "title": tags.title,
            "artist": tags.artist,
            "isrc": tags.isrc,
        }
