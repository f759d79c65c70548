"""What exports are made of: a dataset version as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from provenance.rights.values import Statement


@dataclass(frozen=True, slots=True)
class ExportedRecording:
    """One recording of a dataset version."""

    id: str
    external_id: str
    sha256: str = ""
    path: str = ""
    media_type: str = ""
    n_bytes: int | None = None
    seconds: float | None = None
    title: str = ""
    artist: str = ""
    isrc: str = ""
    source_url: str = ""
    statements: tuple[Statement, ...] = ()
    master_answer: str = ""
    composition_answer: str = ""
    grant: str = ""


@dataclass(frozen=True, slots=True)
class ExportedDataset:
    """A dataset version."""

    name: str
    version: str
    description: str
    url: str
    creator: str
    published_on: date
    recordings: tuple[ExportedRecording, ...] = ()
    merkle_root: str = ""
    conditions: tuple[str, ...] = ()


def licences(recording: ExportedRecording, right: str = "") -> tuple[str, ...]:
    """Return the licences stated for a recording, or for one of its rights, each once."""
    stated = (
        said.expression for said in recording.statements if said.expression and right in ("", said.right)
    )
    return tuple(dict.fromkeys(stated))


def holders(recording: ExportedRecording) -> tuple[str, ...]:
    """Return the holders named for a recording, each once."""
    return tuple(dict.fromkeys(holder for said in recording.statements for holder in said.holders))
