"""Croissant 1.0 and 1.1: a subset of the JSON-LD.

Read: the dataset's ``license``, ``creator``, ``url`` and ``sdLicense``; every ``cr:FileObject`` in ``distribution``
that is a sound file beside the JSON-LD, with its ``sha256`` checked, its own ``license`` where it states one; and
inline ``cr:RecordSet`` data whose fields name our columns. The licence of the metadata (``sdLicense``) is not the
licence of the music, and is never read as one. Nothing is fetched.

A file that `provenance.exports.croissant` wrote holds the register itself, as the record sets ``statements``,
``claims``, ``works``, ``identifiers`` and ``parties``: it is read back whole. ``grants`` are told of and registered by
nobody but a person. All of it is a draft, like any other import.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final, TypeVar, get_args

from provenance.intake.errors import IntakeError
from provenance.intake.files import sha256_of
from provenance.intake.record import Intake, IntakeClaim, IntakeIdentifier, IntakeRecord, distinct
from provenance.intake.sounds import is_sound
from provenance.rights import identifiers
from provenance.rights.expressions import normalise
from provenance.rights.territory import countries
from provenance.rights.values import RIGHTS, SOURCES, Claim, ClaimedRight, Right, Statement

T = TypeVar("T")
OWN_FIELDS: Final = frozenset({"external_id", "kind", "source_path", "unknown_columns"})
"""Fields of ``recordings`` that only the register's own export has."""
ABOUT_RECORDINGS: Final = ("statements", "claims", "identifiers")
PARTY_SCHEMES: Final = ("isni", "ipi_name", "ipi_base", "dpid")
CLAIMED_RIGHTS: Final[tuple[ClaimedRight, ...]] = get_args(ClaimedRight)
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
        self._sets = _record_sets(self._dataset)
        self._rows = self._described() or self._files()
        self._works = {str(row.get("work")): row for row in self._sets.get("works", ())}
        self._about = {name: _by_recording(self._sets.get(name, ())) for name in ABOUT_RECORDINGS}
        self._party_ids = _party_ids(self._sets.get("parties", ()))
        self._is_register = any(row.keys() >= OWN_FIELDS for row in self._sets.get("recordings", ())[:1])
        if not self._rows:
            raise IntakeError(
                f"{path.name} names no sound file in its distribution and no record with a path"
            )
        self.n_rows = len(self._rows)
        licences = _licences(self._dataset)
        self.warnings = tuple(self._warn(path.name, licences))

    def _warn(self, name: str, licences: list[str]) -> Iterator[str]:
        if not licences and not self._is_register:
            yield f"{name} states no license for the dataset's files"
        metadata = [str(one) for one in _any(self._dataset, "sdLicense")]
        if metadata:
            yield f"sdLicense {', '.join(metadata)} is the licence of the description, not of the music: not read as one"
        read = {str(row.get(key)) for row in self._rows for key in ("contentUrl", "path") if row.get(key)}
        distribution = _list(self._dataset.get("distribution"))
        further = [part for part in distribution if str(part.get("contentUrl") or "") not in read]
        if further:
            named = ", ".join(
                str(part.get("contentUrl") or part.get("@id") or "unnamed") for part in further[:5]
            )
            dots = ", …" if len(further) > 5 else ""
            yield f"{len(further)} parts of its distribution were not read: {named}{dots}"
        others = {str(row.get("source")) for row in self._sets.get("statements", ())} - {"", "steward"}
        if self._is_register and others:
            yield (
                f"what the sources {', '.join(sorted(others))} say is told by {name} and by nobody else: whoever "
                "approves it vouches for that"
            )
        grants = self._sets.get("grants", ())
        if grants:
            yield f"{len(grants)} grants are named in it and not registered: a grant needs its document (register_grants)"

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
        said = (
            self._register_statements(external_id, problems) if self._is_register else self._statements(row)
        )
        if not self._is_register and any(statement.weak for statement in said):
            notes.append("its licence is the dataset's, not its own: weak evidence")
        claims, overlaps = self._claims(external_id, problems)
        work = self._works.get(str(row.get("work") or ""), {})
        composers = _texts(work.get("composers"))
        parties = {one.claim.party for one in claims or ()} | set(composers)
        return IntakeRecord(
            row=number,
            external_id=external_id,
            audio=audio,
            source_path=str(row["source_path"] or "") if "source_path" in row else named,
            title=str(row.get("title") or ("" if self._is_register else row.get("name")) or ""),
            artist=str(row.get("artist") or ""),
            isrc=isrc.compact,
            year=_whole(row.get("year")),
            language=str(row.get("language") or ""),
            country=str(row.get("country") or ""),
            genre=str(row.get("genre") or ""),
            artist_gender=str(row.get("artist_gender") or ""),
            acquired_on=str(row.get("acquired_on") or ""),
            work_title=str(work.get("title") or row.get("work_title") or ""),
            iswc=str(work.get("iswc") or row.get("iswc") or ""),
            composers=composers,
            master_owner=str(row.get("master_owner") or ""),
            composition_owner=str(row.get("composition_owner") or ""),
            source_url=str(row["source_url"] or "")
            if "source_url" in row
            else str(self._dataset.get("url") or ""),
            statements=said,
            claims=claims,
            identifiers=self._identifiers(external_id),
            party_ids={name: self._party_ids[name] for name in parties if name in self._party_ids},
            unknown=_unknown(row.get("unknown_columns")),
            problems=tuple(problems),
            notes=(*(_texts(row.get("notes")) if self._is_register else notes), *overlaps),
        )

    def _register_statements(self, external_id: str, problems: list[str]) -> tuple[Statement, ...]:
        found = []
        for row in self._about["statements"].get(external_id, ()):
            try:
                found.append(_statement(row))
            except (ValueError, TypeError) as error:
                problems.append(f"a statement about it can't be read: {error}")
        return tuple(found)

    def _claims(
        self, external_id: str, problems: list[str]
    ) -> tuple[tuple[IntakeClaim, ...] | None, tuple[str, ...]]:
        if not self._is_register:
            return None, ()
        found = []
        for row in self._about["claims"].get(external_id, ()):
            try:
                found.append(IntakeClaim(_claim(row), str(row.get("evidence") or "")))
            except (ValueError, TypeError) as error:
                problems.append(f"a claim to it can't be read: {error}")
        return distinct(found)

    def _identifiers(self, external_id: str) -> tuple[IntakeIdentifier, ...]:
        return tuple(
            IntakeIdentifier(str(row["scheme"]), str(row["written"]), str(row.get("source") or "steward"))
            for row in self._about["identifiers"].get(external_id, ())
            if row.get("scheme") in identifiers.CHECKS and row.get("written")
        )

    def _files(self) -> list[Mapping[str, Any]]:
        return [
            part
            for part in _list(self._dataset.get("distribution"))
            if _is_type(part, "FileObject") and is_sound(Path(str(part.get("contentUrl") or "")))
        ]

    def _described(self) -> list[Mapping[str, Any]]:
        """Return the rows of inline record sets that name recordings; field ids lose their record set's prefix."""
        rows = [
            row
            for record_set in self._sets.values()
            for row in record_set
            if row.get("path") or row.get("external_id") or row.get("isrc")
        ]
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


def _record_sets(dataset: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
    """Return the rows of inline record sets by name; field ids lose their record set's prefix."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for number, record_set in enumerate(_list(dataset.get("recordSet"))):
        name = str(record_set.get("@id") or record_set.get("name") or number)
        rows = [
            {str(key).rpartition("/")[2]: value for key, value in entry.items()}
            for entry in _list(record_set.get("data"))
        ]
        found.setdefault(name, []).extend(rows)
    return found


def _by_recording(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        found.setdefault(str(row.get("recording") or ""), []).append(row)
    return found


def _party_ids(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    return {
        str(row.get("party") or ""): {scheme: str(row[scheme]) for scheme in PARTY_SCHEMES if row.get(scheme)}
        for row in rows
    }


def _statement(row: Mapping[str, Any]) -> Statement:
    return Statement(
        right=_one_of(RIGHTS, row, "right"),
        expression=_text(row, "expression"),
        raw=_text(row, "raw"),
        source=_one_of(SOURCES, row, "source"),
        weak=row.get("weak") in (True, "true", "True"),
        evidence=_text(row, "evidence"),
        quote=_text(row, "quote"),
        holders=_texts(row.get("holders")),
        licence_url=_text(row, "licence_url"),
        territory=_territory(row),
        valid_from=_day(row, "valid_from"),
        valid_until=_day(row, "valid_until"),
    )


def _claim(row: Mapping[str, Any]) -> Claim:
    share = row.get("share")
    percent = None if share is None or share == "" else float(share)
    if percent is not None and not 0 < percent <= 100:
        raise ValueError(f"share {share!r} is not above 0 and at most 100")
    party = _text(row, "party")
    if not party.strip():
        raise ValueError("it names no party")
    return Claim(
        right=_one_of(CLAIMED_RIGHTS, row, "right"),
        party=party,
        share=percent,
        role=_text(row, "role"),
        territory=_territory(row),
        valid_from=_day(row, "valid_from"),
        valid_until=_day(row, "valid_until"),
        source=_text(row, "source") or "steward",
    )


def _one_of(known: tuple[T, ...], row: Mapping[str, Any], field: str) -> T:
    for one in known:
        if row.get(field) == one:
            return one
    raise ValueError(f"{field} {row.get(field)!r} is none of {', '.join(str(one) for one in known)}")


def _territory(row: Mapping[str, Any]) -> tuple[str, ...]:
    codes = _texts(row.get("territory"))
    countries(codes)
    return codes


def _day(row: Mapping[str, Any], field: str) -> date | None:
    written = _text(row, field)
    return date.fromisoformat(written) if written else None


def _text(row: Mapping[str, Any], field: str) -> str:
    value = row.get(field)
    return "" if value is None else str(value)


def _texts(value: Any) -> tuple[str, ...]:
    many = value if isinstance(value, list) else [value]
    return tuple(str(one) for one in many if one not in (None, ""))


def _whole(value: Any) -> int | None:
    try:
        year = int(str(value)[:4])
    except ValueError:
        return None
    return year if 1000 <= year <= 2999 else None


def _unknown(value: Any) -> Mapping[str, str]:
    try:
        loaded = json.loads(value) if value else {}
    except (TypeError, ValueError):
        return {}
    return {str(key): str(cell) for key, cell in loaded.items()} if isinstance(loaded, dict) else {}


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
