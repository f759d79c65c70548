"""The list of credits that licences and deals with attribution ask for."""

from __future__ import annotations

import csv
import io
from typing import Final

from provenance.exports.register import ExportedDataset, ExportedRecording, holders, licences
from provenance.rights.expressions import NotAnExpression, leaves, licences_of, parse

COLUMNS: Final = (
    "external_id",
    "title",
    "artist",
    "holders",
    "master_licence",
    "composition_licence",
    "licence_urls",
    "source_url",
    "sha256",
    "answer_master",
    "answer_composition",
    "grant",
    "credit_owed",
)
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")


def attribution_csv(dataset: ExportedDataset) -> str:
    """Return the credits of a dataset version as CSV, one recording a row.

    Cells that a spreadsheet would run as a formula start with an apostrophe (OWASP, CSV injection).
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for recording in dataset.recordings:
        row = (
            recording.external_id,
            recording.title,
            recording.artist,
            "; ".join(holders(recording)),
            "; ".join(licences(recording, "master")),
            "; ".join(licences(recording, "composition")),
            "; ".join(dict.fromkeys(url for licence in licences(recording) for url in licence_urls(licence))),
            recording.source_url,
            recording.sha256,
            recording.master_answer,
            recording.composition_answer,
            recording.grant,
            "; ".join(credits_owed(recording)),
        )
        writer.writerow([harmless(cell) for cell in row])
    return out.getvalue()


def credits_owed(recording: ExportedRecording) -> tuple[str, ...]:
    """Return the words that deals ask to be credited by, each with the rights it is for and who asks.

    A deal that was revoked asks for nothing more, unless a version was frozen on its strength: what was trained under
    it owes what it owed.
    """
    asked: dict[tuple[str, str], list[str]] = {}
    for grant in recording.grants:
        if grant.revoked_at is not None and grant.id not in recording.cleared_by:
            continue
        if grant.attribution or "attribution" in grant.conditions:
            words = grant.attribution or "words not stated"
            asked.setdefault((words, grant.licensor), []).append(grant.right)
    return tuple(
        f"{words} ({' and '.join(dict.fromkeys(rights))}, {licensor})"
        for (words, licensor), rights in asked.items()
    )


def harmless(cell: str) -> str:
    """Return a cell that no spreadsheet runs."""
    return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell


def licence_urls(expression: str) -> tuple[str, ...]:
    """Return the addresses of the licences in an expression, as the catalogue has them."""
    return tuple(url for url in dict.fromkeys(_addresses(expression)) if url)


def is_without_address(expression: str) -> bool:
    """Say whether a licence in an expression has no address in the catalogue, or none can be read in it."""
    return not all(_addresses(expression) or ("",))


def _addresses(expression: str) -> tuple[str, ...]:
    """Return the address of every licence named in an expression, empty for one that has none."""
    try:
        named = leaves(parse(expression))
    except NotAnExpression:
        return ()
    return tuple(next((licence.url for licence in licences_of(leaf)), "") for leaf in named)
