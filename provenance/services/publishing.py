"""Files of opt-outs that somebody brought: published ones, signed sound files, and tables of declarations."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from django.db import transaction

from governance import access
from governance.errors import ConflictError, LinerNotesError
from governance.models import Organisation, User
from provenance.errors import ProvenanceError
from provenance.models import Recording
from provenance.pipeline import file_sha256
from provenance.rights.optouts import KINDS, Snapshot, cawg
from provenance.rights.optouts.findings import MAX_BYTES
from provenance.services import declaring, reserving
from provenance.services.declaring import Declaration
from provenance.services.reserving import RecordedSnapshot, Reserved

DECLARED = "declared"
ALL_KINDS = ("auto", *KINDS, DECLARED)
COLUMNS = ("party", "recordings", "isrc", "purposes", "right", "territory", "declared_at", "evidence")
NAME_COLUMNS = ("recording", "external_id", "isrc", "sha256", "id")
MAX_FILES = 10_000
MAX_ROWS = 100_000
MAX_LIST_BYTES = 8 * 1024 * 1024  # a hundred thousand names of eighty characters


@dataclass(frozen=True)
class Brought:
    """What one file, or one row of a table of declarations, came to."""

    name: str
    status: str  # registered, duplicate, nothing (it reserves nothing) or rejected
    outcomes: tuple[Reserved, ...] = ()
    reasons: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "file": self.name,
            "status": self.status,
            "reservations": [outcome.as_json() for outcome in self.outcomes],
            "reasons": list(self.reasons),
            "no_longer_said": list(self.gone),
        }


def register_reservations(
    *,
    source: Path,
    organisation: Organisation,
    by: User,
    now: datetime,
    kind: str = "auto",
    url: str = "",
    fetched_at: datetime | None = None,
    dry_run: bool = False,
    tell: Callable[[Brought], None] | None = None,
) -> list[Brought]:
    """Record every file of a folder, one file, or the rows of a table; what is bad is rejected with its reasons.

    A folder holds a folder a host, as ``wget -x`` writes them: ``label.example/.well-known/tdmrep.json``.

    Raises
    ------
    ProvenanceError
        If there is no such file, or a table can't be read at all.
    """
    brought = []
    for name, deed in _deeds(source, organisation, by, now, kind, url, fetched_at):
        with transaction.atomic():
            one = _done(name, deed)
            if dry_run:
                transaction.set_rollback(True)
        brought.append(one)
        if tell is not None:
            tell(one)
    return brought


Deed = Callable[[], Brought]


def _deeds(
    source: Path,
    organisation: Organisation,
    by: User,
    now: datetime,
    kind: str,
    url: str,
    fetched_at: datetime | None,
) -> Iterator[tuple[str, Deed]]:
    if not source.exists():
        raise ProvenanceError(f"There is no file {source}.")
    if kind == DECLARED or (kind == "auto" and source.suffix.lower() == ".csv"):
        for row, declaration in read_declarations(source):
            yield f"row {row}", _declaring(f"row {row}", declaration, organisation, by, now)
        return
    access.require(by, organisation, reserving.RECORDS, "record an opt-out")
    for path in _files(source):
        where = url or _address(path, source)
        yield str(path), _recording_file(path, where, kind, fetched_at, organisation, by, now)


def _files(source: Path) -> list[Path]:
    if not source.is_dir():
        return [source]
    found = sorted(path for path in source.rglob("*") if path.is_file() and not path.is_symlink())
    if len(found) > MAX_FILES:
        raise ProvenanceError(f"{source} holds {len(found)} files: {MAX_FILES} are read at most.")
    if not found:
        raise ProvenanceError(f"{source} holds no file.")
    return found


def _address(path: Path, source: Path) -> str:
    """Return the address that a file's folder stands for, where the folder is named like a host."""
    parts = path.relative_to(source).parts if source.is_dir() else ()
    return f"https://{'/'.join(parts)}" if len(parts) > 1 and "." in parts[0] else ""


def _done(name: str, deed: Deed) -> Brought:
    try:
        with transaction.atomic():
            return deed()
    except LinerNotesError as error:
        return Brought(name, "rejected", reasons=(str(error),))


def _recording_file(
    path: Path,
    url: str,
    kind: str,
    fetched_at: datetime | None,
    organisation: Organisation,
    by: User,
    now: datetime,
) -> Deed:
    def deed() -> Brought:
        if kind == "auto" and path.suffix.lower() in cawg.SUFFIXES:
            return _of_sound(path, organisation, by, now)
        snapshot = Snapshot(_content(path), path.name, url, fetched_at)
        recorded = reserving.record_snapshot(
            snapshot=snapshot, organisation=organisation, by=by, now=now, kind=kind
        )
        return brought(str(path), recorded)

    return deed


def brought(name: str, recorded: RecordedSnapshot) -> Brought:
    gone = tuple(f"{held.get_source_display()} {held.location} ({held.public_id})" for held in recorded.gone)
    return Brought(name, _status(recorded.outcomes), recorded.outcomes, recorded.problems, gone)


def _status(outcomes: tuple[Reserved, ...]) -> str:
    said = {outcome.status for outcome in outcomes}
    return "registered" if "registered" in said else "duplicate" if said else "nothing"


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ProvenanceError(
                f"{path.name} has {path.stat().st_size} bytes: {MAX_BYTES} are read at most."
            )
        content = path.read_bytes()
    except OSError as error:
        raise ProvenanceError(f"{path} can't be read: {error.strerror}.") from error
    if not content:
        raise ProvenanceError(f"{path.name} is empty.")
    return content


def _of_sound(path: Path, organisation: Organisation, by: User, now: datetime) -> Brought:
    recording = Recording.objects.filter(organisation=organisation, sha256=file_sha256(path)).first()
    if recording is None:
        raise ConflictError(
            f"{path.name} is no recording that is registered: its own opt-outs come with registering."
        )
    outcomes = tuple(
        reserving.record_embedded(
            recording=recording, findings=reserving.embedded_reservations(path), by=by, now=now
        )
    )
    return Brought(str(path), _status(outcomes), outcomes)


def _declaring(
    name: str, declaration: Declaration | ProvenanceError, organisation: Organisation, by: User, now: datetime
) -> Deed:
    def deed() -> Brought:
        if isinstance(declaration, ProvenanceError):
            raise declaration
        outcome = declaring.declare_reservation(
            declaration=declaration, organisation=organisation, by=by, now=now
        )
        return Brought(name, outcome.status, (outcome,))

    return deed


def read_declarations(
    source: Path, *, with_files: bool = True
) -> Iterator[tuple[int, Declaration | ProvenanceError]]:
    """Yield (row, declaration) of a CSV, and for a bad row what is wrong with it.

    ``evidence`` is an address, or, ``with_files``, a file beside the table: one that was sent may name no file here.

    Raises
    ------
    ProvenanceError
        If it can't be read, or has none of the columns that say whom or what it is about.
    """
    try:
        text = source.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ProvenanceError(
            f"{source.name} is not UTF-8 (byte {error.start}): save it as UTF-8."
        ) from error
    except OSError as error:
        raise ProvenanceError(f"{source} can't be read: {error.strerror}.") from error
    reader = csv.DictReader(io.StringIO(text, newline=""))
    names = [(name or "").strip().lower() for name in reader.fieldnames or []]
    if not {"party", "recordings", "isrc"} & set(names):
        raise ProvenanceError(
            f"{source.name} needs a column party, recordings or isrc; a table of declarations has {', '.join(COLUMNS)}."
        )
    reader.fieldnames = names
    try:
        for number, row in enumerate(reader, start=1):
            if number > MAX_ROWS:
                raise ProvenanceError(f"{source.name} has more than {MAX_ROWS} rows.")
            yield reader.line_num, _declaration(row, source.parent if with_files else None)
    except csv.Error as error:
        raise ProvenanceError(f"{source.name}, line {reader.line_num}: {error}.") from error


def _declaration(row: Mapping[str, Any], folder: Path | None) -> Declaration | ProvenanceError:
    cells = {
        name: (value or "").strip() for name, value in row.items() if isinstance(value, str) or value is None
    }
    if any("\0" in value for value in cells.values()):
        return ProvenanceError("it holds a NUL character")
    try:
        name, content, url = _evidence(cells.get("evidence", ""), folder)
        purposes = _listed(cells.get("purposes", ""))
        return Declaration(
            party=cells.get("party", ""),
            recordings=_listed(cells.get("recordings", "")),
            isrcs=_listed(cells.get("isrc", "")),
            right=cells.get("right") or "both",
            purposes=() if purposes == ("all",) else purposes,
            territory=_listed(cells.get("territory", "")),
            declared_at=instant_or_day(cells.get("declared_at", "")),
            evidence_name=name,
            evidence=content,
            evidence_url=url,
        )
    except ProvenanceError as error:
        return error


def read_names(source: Path, content: bytes | None = None) -> tuple[str, ...]:
    """Return the recordings that a list names: one a line, or a CSV with one of `NAME_COLUMNS`; each once.

    Raises
    ------
    ProvenanceError
        If it can't be read, names nothing, or is a table without such a column.
    """
    try:
        if content is None and source.stat().st_size > MAX_LIST_BYTES:
            raise ProvenanceError(f"{source.name} is too large: {MAX_LIST_BYTES} bytes are read at most.")
        text = (source.read_bytes() if content is None else content).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ProvenanceError(
            f"{source.name} is not UTF-8 (byte {error.start}): save it as UTF-8."
        ) from error
    except OSError as error:
        raise ProvenanceError(f"{source} can't be read: {error.strerror}.") from error
    if "\0" in text:
        raise ProvenanceError(f"{source.name} holds a NUL character: it is no list.")
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text, newline=""))]
    except csv.Error as error:
        raise ProvenanceError(f"{source.name}: {error}.") from error
    head = [cell.lower() for cell in rows[0]] if rows else []
    column = next((head.index(name) for name in NAME_COLUMNS if name in head), None)
    if column is None and len(head) > 1:
        raise ProvenanceError(
            f"{source.name} has the columns {', '.join(head)}: one must be {', '.join(NAME_COLUMNS)}."
        )
    cells = (row[column or 0] for row in rows[column is not None :] if len(row) > (column or 0))
    names = tuple(dict.fromkeys(cell for cell in cells if cell))
    if not names:
        raise ProvenanceError(f"{source.name} names no recording.")
    if len(names) > MAX_ROWS:
        raise ProvenanceError(f"{source.name} names {len(names)} recordings: {MAX_ROWS} are read at most.")
    return names


def _listed(cell: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in cell.split(";") if part.strip()))


def instant_or_day(written: str) -> datetime | None:
    """Read an instant or a day, which means its first moment; no zone means UTC.

    Raises
    ------
    ProvenanceError
        If it is neither.
    """
    if not written:
        return None
    try:
        if len(written) == 10:
            return datetime.combine(date.fromisoformat(written), time(), UTC)
        read = datetime.fromisoformat(written)
    except ValueError:
        raise ProvenanceError(
            f"{written!r} is no date or time: write 2026-03-01 or 2026-03-01T12:00:00+00:00."
        ) from None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def evidence_of(named: str) -> tuple[str, bytes, str]:
    """Return the name, bytes and address of what somebody at this machine names: a file, or an address.

    Raises
    ------
    ProvenanceError
        If it is a file that can't be read, or is too large.
    """
    if not named or named.startswith(("http://", "https://")):
        return "", b"", named
    path = Path(named)
    return path.name, _content(path), ""


def _evidence(cell: str, folder: Path | None) -> tuple[str, bytes, str]:
    """Return the name, bytes and address of what a row rests on."""
    if not cell or cell.startswith(("http://", "https://")):
        return "", b"", cell
    if folder is None:
        raise ProvenanceError(
            f"evidence {cell!r} is no address: send the document with a declaration of its own"
        )
    path = (folder / cell).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        raise ProvenanceError(f"there is no evidence {cell!r} beside the table")
    return path.name, path.read_bytes(), ""
