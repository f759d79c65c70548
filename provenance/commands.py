"""What the dataset commands share."""

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone

from governance.commands import ContractCommand
from provenance.audio import AudioError
from provenance.errors import ProvenanceError
from provenance.intake.errors import IntakeError
from provenance.rights.errors import RightsError
from provenance.rights.territory import UnknownTerritory
from provenance.rights.values import PURPOSES

FORMATS = ("auto", "csv", "dep5", "ddex", "croissant", "folder")


class DatasetCommand(ContractCommand):
    engine_errors = (IntakeError, AudioError, RightsError, UnknownTerritory)


def instant_or_now(text: str | None) -> datetime:
    """Read an instant; without any it is now."""
    return timezone.now() if text is None else instant(text)


def add_use_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--purpose", required=True, choices=PURPOSES)
    parser.add_argument("--commercial", action="store_true")
    parser.add_argument("--territory", default="", metavar="CC", help="ISO country code; default: the world")
    parser.add_argument("--policy", default="", help="a reading other than the organisation's own")


def instant(text: str) -> datetime:
    """Read an instant or a day; a day means its first moment, and no zone means UTC.

    Raises
    ------
    ProvenanceError
        If it is neither; nothing at all is not now, but a script's variable that was empty.
    """
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise ProvenanceError(
            f"{text!r} is no date or time: write 2026-03-01 or 2026-03-01T12:00:00+00:00."
        ) from None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def clearance_words(line: dict[str, Any]) -> str:
    reasons = "; ".join(dict.fromkeys([*line["master"]["reasons"], *line["composition"]["reasons"]]))
    return f"{line['answer']:<12} {line['external_id']}: {reasons}"
