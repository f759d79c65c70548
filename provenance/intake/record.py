"""The one form that every outside format is turned into."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from provenance.rights.values import Statement

__all__ = ["Intake", "IntakeRecord", "Statement"]


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
    fingerprint: bytes | None = None
    unknown: Mapping[str, str] = field(default_factory=dict)
    """Columns that nobody here knows, kept as they came."""
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


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
