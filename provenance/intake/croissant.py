"""Croissant 1.0 and 1.1: a subset of the JSON-LD.

Read: the dataset's ``license``, ``creator``, ``url`` and ``sdLicense``; every ``cr:FileObject`` in
``distribution``
that is a sound file beside the JSON-LD, with its ``sha256`` checked, its own ``license`` where it states
one; and
inline ``cr:RecordSet`` data whose fields name our columns. The licence of the metadata (``sdLicense``) is
not the
licence of the music, and is never read as one. Nothing is fetched.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from provenance.intake.errors import IntakeError
from provenance.intake.files import sha256_of
from provenance.intake.record import Intake, IntakeRecord
from provenance.intake.sounds import is_sound
from provenance.rights import identifiers
from provenance.rights.expressions import normalise
from provenance.rights.values import RIGHTS, Right, Statement

MAX_BYTES: Final = 256 << 20
CONFORMS: Final = ("http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/1.1")


class CroissantIntake(Intake):
    """A Croissant file with its sound files beside it.

    Raises
    ------
    IntakeError
        If it is too large, not JSON, no dataset, of another version, or names no sound file.
    """

    format = "croissant"

    def __init__(self, path: Path, root: Path | None = None) -> None:
        super().__init__()
        self._path = path
        self._root = (root or path.parent).resolve()
        self._dataset = _load(path)
        self.source_sha256 = sha256_of(path)
        self._rows = self._described() or self._files()
        if not self._rows:
            raise IntakeError(
                f"{path.name} names no sound file in its distribution and no record with a path"
            )
        self.n_rows = len(self._rows)
        licences = _licences(self._dataset)
        self.warnings = () if licences else (f"{path.name} states no license for the dataset's files",)

    def records(self) -> Iterator[IntakeRecord]:
        """Yield one record a sound file, in the order of the description."""
        for number, row in enumerate(self._rows, start=1):
            yield self._record(number, row)

    def _record(self, number: int, row: Mapping[str, Any]) -> IntakeRecord:
        problems: list[str] = []
        notes: list[str] = []
        named = str(row.get("contentUrl") or row.get("path") or "")
        audio = self._audio(named, str(row.get("sha256") or ""), problems) if named else None
        isrc = identifiers.isrc(str(row.get("isrc") or row.get("isrcCode") or ""))
        if isrc.written and not isrc.valid:
            notes.append(f"isrc {isrc.written!r} is not valid ({isrc.why}); kept as it is")
        external_id = str(row.get("external_id") or row.get("@id") or named or isrc.compact)
        if not external_id:
            problems.append("it has neither @id, contentUrl nor ISRC")
        said = self._statements(row)
        weak = any(statement.weak for statement in said)
        if weak:
            notes.append("its licence is the dataset's, not its own: weak evidence")
        return IntakeRecord(
            row=number,
            external_id=external_id,
            audio=audio,
            source_path=named,
            title=str(row.get("title") or row.get("name") or ""),
            artist=str(row.get("artist") or ""),
            isrc=isrc.compact,
            genre=str(row.get("genre") or ""),
            work_title=str(row.get("work_title") or ""),
            master_owner=str(row.get("master_owner") or ""),
            composition_owner=str(row.get("composition_owner") or ""),
            source_url=str(self._dataset.get("url") or ""),
            statements=said,
            problems=tuple(problems),
            notes=tuple(notes),
        )

    def _files(self) -> list[Mapping[str, Any]]:
        return [
            part
            for part in _list(self._dataset.get("distribution"))
            if _is_type(part, "FileObject") and is_sound(Path(str(part.get("contentUrl") or "")))
        ]

    def _described(self) -> list[Mapping[str, Any]]:
        """Return the rows of inline record sets that name recordings; field ids lose their record set's prefix."""
        rows: list[Mapping[str, Any]] = []
        for record_set in _list(self._dataset.get("recordSet")):
            for entry in _list(record_set.get("data")):
                row = {str(key).rpartition("/")[2]: value for key, value in entry.items()}
                if row.get("path") or row.get("external_id") or row.get("isrc"):
                    rows.append(row)
        by_url = {str(part.get("contentUrl")): part for part in self._files()}
        return [{**by_url.get(str(row.get("path")), {}), **row} for row in rows]

    def _audio(self, named: str, sha256: str, problems: list[str]) -> Path | None:
        if "://" in named:
            problems.append(
                f"contentUrl {named!r} is an address: fetch it, put it beside the file, nothing is fetched here"
            )
            return None
        found = (self._root / named).resolve()
        if not found.is_relative_to(self._root):
            problems.append(f"contentUrl {named!r} climbs out of {self._root}")
        elif not found.is_file():
            problems.append(f"contentUrl {named!r} does not exist (looked for {found})")
        elif sha256 and sha256_of(found) != sha256.lower():
            problems.append(f"{named!r} has another sha256 than the description says")
        else:
            return found
        return None

    def _statements(self, row: Mapping[str, Any]) -> tuple[Statement, ...]:
        own = _licences(row) or [str(row[key]) for key in ("licence",) if row.get(key)]
        composition = str(row.get("composition_licence") or "")
        raws = own if "licence" in row else own or _licences(self._dataset)
        said: dict[Right, Sequence[str]] = dict.fromkeys(RIGHTS, raws)
        if composition:
            said["composition"] = [composition]
        return tuple(
            Statement(
                right=right,
                expression=normalise(raw),
                raw=raw,
                source="steward",
                weak=not own and not composition,
                evidence=self._path.name,
                quote=f"license: {raw}",
                holders=tuple(filter(None, (_name(one) for one in _list(self._dataset.get("creator"))))),
                licence_url=raw if "://" in raw else "",
            )
            for right, spelled in said.items()
            for raw in spelled
        )


def _load(path: Path) -> Mapping[str, Any]:
    if path.stat().st_size > MAX_BYTES:
        raise IntakeError(f"{path.name} is larger than {MAX_BYTES:,} bytes: move its rows to a CSV")
    try:
        loaded = json.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise IntakeError(f"{path.name} is not UTF-8 (byte {error.start})") from error
    except (json.JSONDecodeError, RecursionError) as error:
        raise IntakeError(f"{path.name} is not JSON: {error}") from error
    if not isinstance(loaded, dict) or not _is_type(loaded, "Dataset"):
        raise IntakeError(f"{path.name} is no Croissant dataset: its @type is not Dataset")
    conforms = [one.get("@id") if isinstance(one, dict) else one for one in _any(loaded, "conformsTo")]
    if not set(conforms) & set(CONFORMS):
        raise IntakeError(
            f"{path.name} conforms to {conforms or 'nothing stated'}; Croissant 1.0 and 1.1 are read"
        )
    return loaded


def _any(fields: Mapping[str, Any], name: str) -> list[Any]:
    """Return the values of a key under any prefix."""
    return [
        one
        for key, value in fields.items()
        if str(key).rpartition(":")[2].rpartition("/")[2] == name
        for one in (value if isinstance(value, list) else [value])
        if one is not None
    ]


def _licences(fields: Mapping[str, Any]) -> list[str]:
    found = []
    for one in _any(fields, "license"):
        found.append(
            str(one.get("url") or one.get("@id") or one.get("name") or "")
            if isinstance(one, dict)
            else str(one)
        )
    return [licence for licence in found if licence]


def _list(value: Any) -> list[Mapping[str, Any]]:
    many = value if isinstance(value, list) else [value]
    return [one for one in many if isinstance(one, dict)]


def _is_type(fields: Mapping[str, Any], name: str) -> bool:
    types = fields.get("@type")
    return any(
        str(one).rpartition(":")[2].rpartition("/")[2] == name
        for one in (types if isinstance(types, list) else [types])
    )


def _name(party: Mapping[str, Any]) -> str:
    return str(party.get("name") or "")
