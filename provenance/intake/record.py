"""The one form that every outside format is turned into."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from lib.words import turned
from provenance.rights.territory import countries
from provenance.rights.values import Claim, Statement

__all__ = ["Intake", "IntakeClaim", "IntakeIdentifier", "IntakeRecord", "Statement", "distinct"]


SHOWN = (
    *("external_id", "title", "artist", "genre", "work_title", "source_path", "source_url"),
    *("master_owner", "composition_owner"),
)


@dataclass(frozen=True, slots=True)
class IntakeClaim:
    """A claim to a share as a source states it, and where it does."""

    claim: Claim
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class IntakeIdentifier:
    """A further identifier of a recording or its release, valid or not."""

    scheme: str
    """A key of `provenance.rights.identifiers.CHECKS`."""
    written: str
    source: str = "steward"


@dataclass(frozen=True, slots=True)
class IntakeRecord:
    """One recording as a source describes it.

    A record with ``problems`` is rejected for exactly these reasons; ``notes`` reject nothing.
    """

    row: int
    """The line, element or file number in the source, counted from 1 (a CSV's header is line 1)."""
    external_id: str
    audio: Path | None = None
    """Where the file lies now; None when the recording is known by its metadata alone."""
    source_path: str = ""
    """The path as the source names it."""
    title: str = ""
    artist: str = ""
    isrc: str = ""
    year: int | None = None
    language: str = ""
    country: str = ""
    genre: str = ""
    artist_gender: str = ""
    acquired_on: str = ""
    work_title: str = ""
    iswc: str = ""
    composers: tuple[str, ...] = ()
    master_owner: str = ""
    composition_owner: str = ""
    source_url: str = ""
    statements: tuple[Statement, ...] = ()
    claims: tuple[IntakeClaim, ...] | None = None
    """What the source says of shares; None where it names owners and composers alone, who then claim unstated ones."""
    identifiers: tuple[IntakeIdentifier, ...] = ()
    party_ids: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Identifiers of the parties named, by their names: isni, ipi_name, ipi_base, dpid, as they are written."""
    fingerprint: bytes | None = None
    unknown: Mapping[str, str] = field(default_factory=dict)
    """Columns that nobody here knows, kept as they came."""
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what would be read otherwise than it is stored: a name that shows as another's."""
        said = [
            f"{name.replace('_', ' ')} holds {found}: what is shown is not what is kept; write it without"
            for name in SHOWN
            if (found := turned(getattr(self, name)))
        ]
        names = {*self.composers, *(one.claim.party for one in self.claims or ())}
        names |= {holder for statement in self.statements for holder in statement.holders}
        said += [
            f"a name holds {found}: what is shown is not what is kept; write it without"
            for found in sorted({turned(name) for name in names} - {""})
        ]
        new = tuple(one for one in said if one not in self.problems)
        if new:
            object.__setattr__(self, "problems", (*self.problems, *new))


def distinct(claims: Iterable[IntakeClaim]) -> tuple[tuple[IntakeClaim, ...], tuple[str, ...]]:
    """Keep what one source says once of each party, right, role, place and time.

    Returns
    -------
    tuple
        The claims in their order, the first of those that overlap; and a note for each that was left out because
        it says something else of the same place and time. Equal ones are left out without a note.
    """
    kept: list[IntakeClaim] = []
    notes: list[str] = []
    for one in claims:
        twin = next((other for other in kept if _overlap(one.claim, other.claim)), None)
        if twin is None:
            kept.append(one)
        elif twin.claim != one.claim:
            said = f"{one.claim.party} claims the {one.claim.right} twice for the same place and time"
            notes.append(f"{said}: {_share(twin.claim)} was kept, {_share(one.claim)} left out")
    return tuple(kept), tuple(notes)


def _overlap(one: Claim, other: Claim) -> bool:
    same = (one.party, one.right, one.role, one.source) == (
        other.party,
        other.right,
        other.role,
        other.source,
    )
    if not same or not countries(one.territory) & countries(other.territory):
        return False
    begun = one.valid_until is None or other.valid_from is None or other.valid_from < one.valid_until
    return begun and (
        other.valid_until is None or one.valid_from is None or one.valid_from < other.valid_until
    )


def _share(claim: Claim) -> str:
    return "no stated share" if claim.share is None else f"{claim.share:g} %"


class Intake:
    """A source that has been opened; the folders it was unpacked to live as long as the context.

    Subclasses fill the attributes on opening and implement `records`.
    """

    format: str = ""
    narrows: bool = False
    """Whether it leaves out by itself what the patterns of ``only`` do not want."""
    source_sha256: str = ""
    """Of the file; of a folder: of its sorted relative paths and file hashes."""
    unknown_columns: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    n_rows: int | None = None

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove what was unpacked. Safe to call twice."""
        self._stack.close()

    def keep_until_closed(self, cleanup: Callable[[], object]) -> None:
        """Call ``cleanup`` when the intake is closed."""
        self._stack.callback(cleanup)

    def records(self) -> Iterator[IntakeRecord]:
        """Yield one record a recording, rejected ones too, in the source's order."""
        raise NotImplementedError
