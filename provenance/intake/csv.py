"""CSV and XLSX tables: a header row, UTF-8, one recording a row."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from provenance.intake.errors import BadEncoding, IntakeError, MissingColumns
from provenance.intake.files import sha256_of
from provenance.intake.record import Intake, IntakeRecord
from provenance.rights import identifiers
from provenance.rights.expressions import UNRECOGNISED, compatible, normalise, normalise_text
from provenance.rights.territory import COUNTRIES, UnknownTerritory
from provenance.rights.territory import normalise as normalise_territory
from provenance.rights.values import Right, Statement

COLUMNS: Final = (
    *(
        "path",
        "external_id",
        "isrc",
        "title",
        "artist",
        "year",
        "language",
        "country",
        "genre",
        "artist_gender",
    ),
    *("acquired_on", "work_title", "iswc", "composers", "master_owner", "composition_owner", "licence"),
    *(
        "licence_url",
        "licence_scope",
        "composition_licence",
        "evidence",
        "territory",
        "valid_from",
        "valid_until",
    ),
    *("source_url", "fingerprint"),
)
"""The columns known here; others are kept and reported. ``fingerprint`` names a file that `fingerprint_audio` wrote."""
IDENTIFYING: Final = ("path", "external_id", "isrc")
MAX_FIELD_CHARS: Final = 1_000_000
MAX_XLSX_BYTES: Final = 512 << 20
_FORMULA = re.compile(rb"<(?:\w+:)?f[\s/>]")
"""The element of a formula in a sheet."""
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*\Z")


class _Row(NamedTuple):
    number: int
    cells: Mapping[str, str]
    problem: str = ""


class TableIntake(Intake):
    """A CSV or XLSX file.

    Parameters
    ----------
    path : Path
        The table.
    root : Path, optional
        Where relative audio paths start, and outside of which no path may lead; default: beside the file, and then an
        absolute path may lead anywhere, for whoever runs the command wrote it out.

    Raises
    ------
    BadEncoding
        If a CSV is not UTF-8; names the line.
    MissingColumns
        If neither ``path`` nor ``external_id`` nor ``isrc`` is there, or a column stands twice; names all.
    IntakeError
        If the file is empty or can't be read.
    """

    format = "csv"

    def __init__(self, path: Path, root: Path | None = None) -> None:
        super().__init__()
        self._path = path
        self._root = (root or path.parent).resolve()
        self._is_bounded = root is not None
        self.source_sha256 = sha256_of(path)
        self._is_workbook = zipfile.is_zipfile(path)
        rows = _xlsx_rows(path) if self._is_workbook else _csv_rows(path)
        first = next(rows, None)
        if first is None:
            raise IntakeError(
                f"{path.name} is empty: it needs a header row, such as path,title,artist,licence"
            )
        self._header = _header(path, first[1])
        if self._is_workbook:
            chosen, others = _sheets(path)
            if others:
                self.warnings = (f"the sheet {chosen!r} is read; not read: {', '.join(map(repr, others))}",)
        self.unknown_columns = tuple(name for name in self._header if name and name not in COLUMNS)
        self.n_rows = sum(1 for _, cells in rows if any(cell.strip() for cell in cells))

    def records(self) -> Iterator[IntakeRecord]:
        """Yield one record a row, in order; an empty row is no row."""
        rows = _xlsx_rows(self._path) if self._is_workbook else _csv_rows(self._path)
        next(rows, None)
        seen: dict[str, int] = {}
        for number, cells in rows:
            if not any(cell.strip() for cell in cells):
                continue
            row = self._row(number, cells)
            record = _Reading(row, self._root, self._is_bounded).record()
            earlier = seen.setdefault(record.external_id, number) if record.external_id else number
            if earlier != number:
                problem = f"external_id {record.external_id!r} stands in row {earlier} too"
                record = _rejected(record, problem)
            yield record

    def _row(self, number: int, cells: list[str]) -> _Row:
        if len(cells) > len(self._header) and any(cell.strip() for cell in cells[len(self._header) :]):
            problem = f"{len(cells)} cells for {len(self._header)} columns: quote cells that hold commas"
            return _Row(number, dict(zip(self._header, cells, strict=False)), problem)
        return _Row(
            number, {name: cell.strip() for name, cell in zip(self._header, cells, strict=False) if name}
        )


class _Reading:
    """One row on its way to a record; collects what is wrong and what is worth telling."""

    def __init__(self, row: _Row, root: Path, is_bounded: bool) -> None:
        self._cells = row.cells
        self._number = row.number
        self._root = root
        self._is_bounded = is_bounded
        self._problems = [row.problem] if row.problem else []
        self._notes: list[str] = []

    def record(self) -> IntakeRecord:
        get = self._get
        audio = self._audio()
        isrc = self._identifier("isrc", identifiers.isrc)
        external_id = get("external_id") or get("path") or isrc
        if not external_id:
            self._problems.append(
                "path, external_id and isrc are all empty: one must say which recording this is"
            )
        return IntakeRecord(
            row=self._number,
            external_id=external_id,
            audio=audio,
            source_path=get("path"),
            title=get("title"),
            artist=get("artist"),
            isrc=isrc,
            year=self._year(),
            language=self._language(),
            country=self._country(),
            genre=get("genre"),
            artist_gender=get("artist_gender"),
            acquired_on=self._acquired_on(),
            work_title=get("work_title"),
            iswc=self._identifier("iswc", identifiers.iswc),
            composers=tuple(name.strip() for name in get("composers").split(";") if name.strip()),
            master_owner=get("master_owner"),
            composition_owner=get("composition_owner"),
            source_url=get("source_url"),
            statements=self._statements(),
            fingerprint=self._fingerprint(),
            unknown={name: cell for name, cell in self._cells.items() if name not in COLUMNS},
            problems=tuple(self._problems),
            notes=tuple(self._notes),
        )

    def _get(self, column: str) -> str:
        return self._cells.get(column, "")

    def _audio(self) -> Path | None:
        named = self._get("path")
        if not named:
            return None
        path = self._file("path", named)
        return path

    def _file(self, column: str, named: str) -> Path | None:
        if "\0" in named:
            self._problems.append(f"{column} holds a NUL character")
            return None
        path = Path(named)
        found = (self._root / path).resolve()  # an absolute path stays what it is
        if not found.is_relative_to(self._root) and (self._is_bounded or not path.is_absolute()):
            deed = "lies outside" if path.is_absolute() else "climbs out of"
            why = f"{deed} {self._root}: name the folder that holds it with --root"
            self._problems.append(f"{column} {named!r} {why}")
            return None
        if not found.is_file():
            what = "is a folder" if found.is_dir() else "does not exist"
            self._problems.append(f"{column} {named!r} {what} (looked for {found})")
            return None
        return found

    def _fingerprint(self) -> bytes | None:
        named = self._get("fingerprint")
        path = self._file("fingerprint", named) if named else None
        return path.read_bytes() if path else None

    def _identifier(self, column: str, check: identifiers.Check) -> str:
        written = self._get(column)
        if not written:
            return ""
        checked = check(written)
        if not checked.valid:
            self._notes.append(f"{column} {written!r} is not valid ({checked.why}); kept as it is")
        return checked.compact

    def _year(self) -> int | None:
        written = self._get("year")
        if not written:
            return None
        found = re.match(r"(\d{4})(?:\.0|-\d\d(?:-\d\d)?)?\Z", written)
        if not found or not 1000 <= int(found.group(1)) <= 2999:
            self._problems.append(f"year {written!r} is no year")
            return None
        return int(found.group(1))

    def _language(self) -> str:
        written = self._get("language")
        if written and not _LANGUAGE.match(written):
            self._notes.append(f"language {written!r} is no BCP 47 tag; kept as it is")
        return written

    def _country(self) -> str:
        written = self._get("country")
        if not written:
            return ""
        try:
            code = normalise_territory(written)
        except UnknownTerritory:
            code = ""
        if code not in COUNTRIES:
            self._problems.append(f"country {written!r} is no ISO 3166-1 alpha-2 code")
        return code

    def _acquired_on(self) -> str:
        found = self._date("acquired_on")
        return found.isoformat() if found else ""

    def _date(self, column: str) -> date | None:
        written = self._get(column)
        if not written:
            return None
        try:
            return (
                date.fromisoformat(written) if len(written) <= 10 else datetime.fromisoformat(written).date()
            )
        except ValueError:
            self._problems.append(f"{column} {written!r} is no ISO date (YYYY-MM-DD)")
            return None

    def _territory(self) -> tuple[str, ...]:
        codes = []
        for written in re.split(r"[;,]", self._get("territory")):
            if not written.strip():
                continue
            try:
                codes.append(normalise_territory(written))
            except UnknownTerritory as error:
                self._problems.append(f"territory: {error}")
        return () if codes == ["WORLD"] else tuple(codes)

    def _statements(self) -> tuple[Statement, ...]:
        valid_from, valid_until = self._date("valid_from"), self._date("valid_until")
        where = self._territory()
        if valid_from and valid_until and valid_until <= valid_from:
            self._problems.append(f"valid_until {valid_until} is not after valid_from {valid_from}")
        scope = self._get("licence_scope").lower() or "master"
        if scope not in ("master", "all"):
            self._problems.append(f"licence_scope {scope!r} is neither master nor all")
        url = self._get("licence_url")
        said: list[tuple[Right, str, str]] = [("master", self._get("licence"), url)]
        if apart := self._get("composition_licence"):
            said.append(("composition", apart, ""))
        elif scope == "all":
            said.append(("composition", self._get("licence"), url))
        owners = {"master": self._get("master_owner"), "composition": self._get("composition_owner")}
        return tuple(
            Statement(
                right=right,
                expression=self._expression(right, raw, url),
                raw=raw or url,
                source="steward",
                evidence=self._get("evidence"),
                quote=raw or url,
                holders=(owners[right],) if owners[right] else (),
                licence_url=url,
                territory=where,
                valid_from=valid_from,
                valid_until=valid_until,
            )
            for right, raw, url in said
            if raw or _named_by(url)
        )

    def _expression(self, right: str, raw: str, url: str) -> str:
        """Read a licence by its name and its address; where they are two licences both hold."""
        expression, linked = normalise(raw), _named_by(url)
        if not expression:
            return linked
        if linked and not compatible(expression, linked):
            self._notes.append(
                f"{right}: the licence {raw!r} and its address {url!r} differ; both are taken to hold"
            )
            return f"({expression}) AND ({linked})"
        if expression.startswith(UNRECOGNISED):
            self._notes.append(f"{right}: nobody here knows the licence {raw!r}, so it clears nothing")
        return expression


def _named_by(url: str) -> str:
    """Return the licence that an address names; empty where it names none."""
    named = normalise_text(url)
    return "" if named.startswith(UNRECOGNISED) else named


def _rejected(record: IntakeRecord, problem: str) -> IntakeRecord:
    fields = {name: getattr(record, name) for name in IntakeRecord.__slots__}
    return IntakeRecord(**{**fields, "problems": (*record.problems, problem)})


def _header(path: Path, cells: list[str]) -> list[str]:
    header = [cell.strip().lower() for cell in cells]
    twice = sorted({name for name in header if name and header.count(name) > 1})
    if twice:
        raise MissingColumns(f"{path.name}: column {', '.join(twice)} stands twice in the header row")
    if not set(IDENTIFYING) & set(header):
        found = ", ".join(name for name in header if name) or "nothing"
        raise MissingColumns(
            f"{path.name}: the header row lacks path (or, without audio, external_id or isrc); it has {found}"
        )
    return header


def table_rows(path: Path) -> tuple[list[str], Iterator[tuple[int, dict[str, str]]]]:
    """Read any table, CSV or XLSX, whatever its columns.

    Parameters
    ----------
    path : Path
        The table; its first row names the columns.

    Returns
    -------
    header : list of str
        Lower case, in order.
    rows : iterator of (int, dict)
        Each row's number and its cells by column; empty rows are none.

    Raises
    ------
    BadEncoding, IntakeError
        If it is empty, is no table, or is not UTF-8.
    MissingColumns
        If a column stands twice.
    """
    rows = _xlsx_rows(path) if zipfile.is_zipfile(path) else _csv_rows(path)
    first = next(rows, None)
    if first is None:
        raise IntakeError(f"{path.name} is empty: it needs a header row")
    header = [cell.strip().lower() for cell in first[1]]
    if twice := sorted({name for name in header if name and header.count(name) > 1}):
        raise MissingColumns(f"{path.name}: column {', '.join(twice)} stands twice in the header row")
    return header, (
        (number, {name: cell.strip() for name, cell in zip(header, cells, strict=False) if name})
        for number, cells in rows
        if any(cell.strip() for cell in cells)
    )


def _csv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the line a row starts on, and its cells. Cells stay text: a formula is a string like any other here.

    Quoting is read strictly: a quote that is never closed would otherwise swallow every row below it.
    """
    csv.field_size_limit(MAX_FIELD_CHARS)
    with path.open("rb") as opened:
        if opened.read(4096).count(b"\0"):
            raise IntakeError(f"{path.name} is binary or UTF-16, no CSV: save it as CSV with UTF-8")
    with path.open("rb") as raw:
        text = io.TextIOWrapper(_Utf8Lines(raw, path.name), encoding="utf-8-sig", newline="")  # type: ignore[type-var]
        dialect = _dialect(path)
        reader = csv.reader(text, delimiter=dialect, strict=True)
        line = 1
        try:
            for cells in reader:
                yield line, cells
                line = reader.line_num + 1
        except csv.Error as error:
            raise IntakeError(f"{path.name}, line {line}: {_misquoted(error)}") from error


def _misquoted(error: csv.Error) -> str:
    if "field larger" in str(error):
        return f"a cell holds more than {MAX_FIELD_CHARS:,} characters: is a quote left open?"
    return (
        f'a cell in quotes is not closed where it should be ({error}): write a quote inside quotes twice, ""'
    )


def _dialect(path: Path) -> str:
    """Return the delimiter of the header row: a comma, or what stands there instead of one."""
    with path.open("rb") as opened:
        line = opened.readline(1 << 16).decode("utf-8", "replace")
    counts = {delimiter: line.count(delimiter) for delimiter in (",", ";", "\t")}
    best = max(counts, key=lambda delimiter: counts[delimiter])
    return best if counts[best] and not counts[","] else ","


class _Utf8Lines(io.RawIOBase):
    """Bytes that are checked to be UTF-8 line by line, so that the error can name the line."""

    def __init__(self, raw: Iterable[bytes], name: str) -> None:
        self._lines = iter(raw)
        self._name = name
        self._n_lines = 0
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        if not self._left:
            self._left = next(self._lines, b"")
            self._n_lines += 1
            try:
                self._left.decode("utf-8")
            except UnicodeDecodeError as error:
                near = self._left[max(error.start - 15, 0) : error.end + 15].decode("latin-1").strip()
                raise BadEncoding(
                    f"{self._name}, line {self._n_lines}: not UTF-8 (byte 0x{self._left[error.start]:02x} near "
                    f"{near!r}); it looks like Latin-1: save it again as CSV with UTF-8"
                ) from error
        n_bytes = min(len(buffer), len(self._left))
        buffer[:n_bytes] = self._left[:n_bytes]
        self._left = self._left[n_bytes:]
        return n_bytes


def _xlsx_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield row number and cells of a workbook's sheet; formulas give the value they were saved with.

    One that was saved without its value (by a program that computes none) stays as it is written: an empty cell in
    its place would be a limit that nobody reads.
    """
    with _workbook(path) as workbook:
        sheet = _chosen(workbook)
        rows = enumerate(sheet.iter_rows(values_only=True), start=1)
        if not _has_formulas(path):
            yield from ((number, [_cell(value) for value in row]) for number, row in rows)
            return
        with _workbook(path, data_only=False) as written:
            formulas = written[sheet.title].iter_rows(values_only=True)
            for (number, row), spelled in zip(rows, formulas, strict=True):
                pairs = zip(row, spelled, strict=True)
                yield number, [_cell(formula if value is None else value) for value, formula in pairs]


def _has_formulas(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        sheets = [name for name in archive.namelist() if name.startswith("xl/worksheets/")]
        return any(_holds_formula(archive, name) for name in sheets)


def _holds_formula(archive: zipfile.ZipFile, name: str) -> bool:
    kept = b""
    with archive.open(name) as opened:
        while chunk := opened.read(1 << 20):
            if _FORMULA.search(kept + chunk):
                return True
            kept = chunk[-64:]
    return False


def _sheets(path: Path) -> tuple[str, tuple[str, ...]]:
    """Return the name of the sheet that is read, and of those that are not."""
    with _workbook(path) as workbook:
        chosen = str(_chosen(workbook).title)
        return chosen, tuple(str(one.title) for one in workbook.worksheets if one.title != chosen)


def _chosen(workbook: Any) -> Any:
    """Return the first sheet whose header row says which recording a row is; of none such, the first."""
    if not workbook.worksheets:
        raise IntakeError("the workbook has no sheet with cells: save the table as CSV")
    for sheet in workbook.worksheets:
        header = next(sheet.iter_rows(max_row=1, values_only=True), ())
        if {_cell(value).strip().lower() for value in header} & set(IDENTIFYING):
            return sheet
    return workbook.worksheets[0]


@contextmanager
def _workbook(path: Path, *, data_only: bool = True) -> Iterator[Any]:
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    with zipfile.ZipFile(path) as archive:
        if sum(member.file_size for member in archive.infolist()) > MAX_XLSX_BYTES:
            raise IntakeError(f"{path.name} unpacks to more than {MAX_XLSX_BYTES:,} bytes: save it as CSV")
    try:
        workbook = load_workbook(path, read_only=True, data_only=data_only, keep_links=False)
    except (InvalidFileException, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise IntakeError(
            f"{path.name} can't be read as a workbook ({error}): save it as XLSX or CSV"
        ) from error
    try:
        yield workbook
    finally:
        workbook.close()


def _cell(value: object) -> str:
    if value is None:
        return ""
    value = getattr(value, "text", value)  # an array formula holds its words
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == datetime.min.time() else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
