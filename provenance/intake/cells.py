"""What the rows and cells of others' tables and JSON say, read into values: what deals and claims have in common."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

from lib.words import turned
from provenance.intake.csv import table_rows
from provenance.intake.errors import IntakeError
from provenance.rights.territory import UnknownTerritory, countries, normalise

RIGHTS: Final = ("master", "composition", "performance", "lyrics")
SUBJECTS: Final = ("recordings", "isrc", "works", "dataset")
ALIASES: Final = {
    "rights": "right",
    "external_id": "recordings",
    "external_ids": "recordings",
    "recording": "recordings",
    "isrcs": "isrc",
    "iswc": "works",
    "iswcs": "works",
    "work": "works",
    "purpose": "purposes",
    "territories": "territory",
    "share_percent": "share",
    "from": "valid_from",
    "until": "valid_until",
    "term": "period",
    "sunset": "sunset_on",
    "model": "model_scope",
    "models": "model_scope",
    "agreement": "document",
    "contract": "document",
    "effective_on": "document_date",
    "sublicensable": "sublicensing",
    "licensors": "licensor",
    "chain": "chain_of_title",
    "compensation": "remuneration",
    "compensation_terms": "remuneration_terms",
}
"""Other spellings of the columns; ``period`` is read as ``valid_from/valid_until``."""
LIKE: Final = 0.8
"""How like a known column an unknown one must be to be taken for a slip of the pen; `difflib`'s ratio, 0 to 1."""


def rows_of(
    path: Path, *, noun: str, within: Sequence[str], check_header: Callable[[str, Sequence[str]], None]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Read the rows of a CSV or XLSX table, JSON, or JSON lines.

    Parameters
    ----------
    path : Path
        The file.
    noun : str
        What a row is, for the words of an error.
    within : sequence of str
        Under which names a JSON object may hold the list of rows.
    check_header : callable
        Takes the file's name and a table's columns; raises `IntakeError` where they are not enough.

    Yields
    ------
    int
        Where the row stands.
    dict
        Its words by column, empty cells left out.

    Raises
    ------
    IntakeError
        If it can't be read.
    """
    if not path.is_file():
        raise IntakeError(f"There is no file {path}")
    if path.suffix.lower() in {".json", ".jsonl", ".ndjson"}:
        yield from enumerate(_json_rows(path, noun, within), start=1)
        return
    header, rows = table_rows(path)
    check_header(path.name, header)
    for row, cells in rows:
        yield row, {name: cell for name, cell in cells.items() if cell}


def _json_rows(path: Path, noun: str, within: Sequence[str]) -> list[dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise IntakeError(f"{path.name} is not UTF-8 (byte {error.start}): save it as UTF-8") from error
    try:
        rows = _whole(text, within) if path.suffix.lower() == ".json" else _lines(text)
    except json.JSONDecodeError as error:
        raise IntakeError(f"{path.name} is not JSON: {error.msg} in line {error.lineno}") from error
    if not all(isinstance(row, dict) for row in rows):
        raise IntakeError(f"{path.name} holds something that is no {noun}: each is one JSON object")
    return rows


def _whole(text: str, within: Sequence[str]) -> list[Any]:
    try:
        read = json.loads(text)
    except json.JSONDecodeError:
        if text.lstrip().startswith("["):
            raise
        return _lines(text)  # JSON lines by another name
    if isinstance(read, dict):
        inner = next((read[name] for name in within if name in read), None)
        return list(inner) if isinstance(inner, list) else [read]
    return list(read) if isinstance(read, list) else [read]


def _lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def spelt(name: str) -> str:
    folded = re.sub(r"[\s\-.]+", "_", name.strip().lower())
    return ALIASES.get(folded, folded)


def ends_of(said: Any, problems: list[str]) -> tuple[Any, Any]:
    """Split a period into its first day and the first day after it, as they were written."""
    if isinstance(said, Mapping):
        inner = {spelt(str(name)): day for name, day in said.items()}
        return inner.get("valid_from"), inner.get("valid_until")
    ends = list(said) if isinstance(said, list | tuple) else str(said).split("/")
    if len(ends) != 2:
        problems.append(f"period is {said!r}: write 2024-01-01/2025-01-01, its end exclusive")
        return None, None
    return ends[0], ends[1]


class Reading:
    """What one row says, as values; collects what is wrong.

    Parameters
    ----------
    said : mapping
        What was said, by the terms' one spelling.
    problems : list of str
        Grows by what is wrong.
    """

    def __init__(self, said: Mapping[str, Any], problems: list[str]) -> None:
        self._said = said
        self._problems = problems
        for name, words in said.items():
            if found := turned(str(words)):
                says = f"{name} holds {found}: what is shown is not what is kept; write it without"
                problems += [] if says in problems else [says]

    def text(self, name: str) -> str:
        return " ".join(str(self._said.get(name) or "").split())

    def words(self, name: str) -> tuple[str, ...]:
        return listed(self._said.get(name))

    def share(self, said: Any) -> Decimal | None:
        if said in (None, ""):
            return None
        try:
            share = Decimal(str(said).strip().removesuffix("%").strip())
        except InvalidOperation:
            share = Decimal(0)
        if not share.is_finite() or not 0 < share <= 100:
            self._problems.append(f"share is {said!r}: write a percentage above 0, to 100")
            return None
        return share.quantize(Decimal("0.0001"))

    def one_of(self, name: str, known: Sequence[str], default: str) -> str:
        word = re.sub(r"[\s\-]+", "_", str(self._said.get(name) or default).strip().lower())
        if word not in known:
            self._problems.append(
                f"{name} is {word!r}: choose among {', '.join(one for one in known if one)}"
            )
            return default
        return word

    def territory(self) -> tuple[str, ...]:
        found = []
        for code in self.words("territory"):
            try:
                found.append(normalise(code))
            except UnknownTerritory as error:
                self._problems.append(str(error))
        if found and not countries(tuple(found)):
            self._problems.append("the territory takes out all that it puts in")
        return tuple(found)

    def day(self, name: str) -> date | None:
        word = str(self._said.get(name) or "").strip()
        if word in {"", "..", "open"}:
            return None
        try:
            return date.fromisoformat(word)
        except ValueError:
            self._problems.append(f"{name} is {word!r}: write YYYY-MM-DD")
            return None


def listed(said: Any, separators: str = ";,") -> tuple[str, ...]:
    return tuple(dict.fromkeys(parts(said, separators)))


def parts(said: Any, separators: str) -> list[str]:
    if isinstance(said, list | tuple):
        found = [str(part) for part in said]
    else:
        found = re.split(f"[{re.escape(separators)}]", str("" if said is None else said))
    return [part.strip() for part in found if part.strip()]
