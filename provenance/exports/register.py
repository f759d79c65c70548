"""What exports are made of: a dataset version as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from provenance.rights.values import Claim, Grant, Statement


@dataclass(frozen=True, slots=True)
class ExportedWork:
    """The composition of a recording."""

    id: str
    title: str
    iswc: str = ""
    composers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExportedClaim:
    """A claim to a share, and where it is stated."""

    claim: Claim
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class ExportedIdentifier:
    """A further identifier, as it was written."""

    scheme: str
    written: str
    source: str


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
    kind: str = ""
    year: int | None = None
    language: str = ""
    country: str = ""
    genre: str = ""
    artist_gender: str = ""
    acquired_on: date | None = None
    unknown_columns: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    work: ExportedWork | None = None
    claims: tuple[ExportedClaim, ...] = ()
    identifiers: tuple[ExportedIdentifier, ...] = ()
    grants: tuple[Grant, ...] = ()
    cleared_by: tuple[str, ...] = ()
    """Ids of the grants on whose strength it was frozen."""


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
    party_ids: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Identifiers of the parties that claim or compose, by their names."""


def licences(recording: ExportedRecording, right: str = "") -> tuple[str, ...]:
    """Return the licences stated for a recording, or for one of its rights, each once."""
    stated = (
        said.expression for said in recording.statements if said.expression and right in ("", said.right)
    )
    return tuple(dict.fromkeys(stated))


def holders(recording: ExportedRecording) -> tuple[str, ...]:
    """Return the holders named for a recording, each once."""
    return tuple(dict.fromkeys(holder for said in recording.statements for holder in said.holders))
