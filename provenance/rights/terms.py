"""What each licence says, read from ``catalogue/*.yaml``: one file a licence.

A file gives every axis a value, the clause that it comes from and, where lawyers differ, the contested
question whose default reading the value is. The readings were made by programmers: ``reviewed_by`` stays
empty until a
real person signs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import yaml

from provenance.rights.errors import CatalogueError
from provenance.rights.values import ANSWERS, PURPOSES, Answer

HERE: Final = Path(__file__).parent
UNVERSIONED: Final = "LicenseRef-unversioned-"
"""Prefix of a licence family named without its version: all known versions hold, the strictest decides."""
AXES: Final = (*PURPOSES, "attribution", "share_alike", "commercial")
CLASSES: Final = frozenset(
    {
        "public_domain",
        "permissive",
        "attribution",
        "share_alike",
        "copyleft",
        "noncommercial",
        "no_derivatives",
        "sampling",
        "library",
        "reserved",
        "unstated",
    }
)
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Term:
    """What a licence says on one axis."""

    value: Answer
    clause: str
    conditions: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    """The contested questions whose default readings this is; empty where lawyers don't differ."""

    @property
    def contested(self) -> str:
        """The first of the contested questions; empty where there is none."""
        return self.questions[0] if self.questions else ""


@dataclass(frozen=True, slots=True)
class LicenceTerms:
    """One licence of the catalogue."""

    id: str
    name: str
    url: str
    licence_class: str
    terms: Mapping[str, Term]
    spdx: tuple[str, ...]
    """The SPDX keys that these terms are read for."""
    later: tuple[str, ...] = ()
    """Later versions, oldest first: what ``+`` and ``-or-later`` add."""
    aliases: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    reviewed_by: str = ""
    reviewed_on: str = ""
    note: str = ""
    remark: str = ""

    @property
    def allows_commerce(self) -> bool:
        """Whether commercial use is not excluded."""
        return self.terms["commercial"].value != "not_allowed"

    @property
    def contested(self) -> tuple[str, ...]:
        """The contested questions this licence raises, sorted."""
        return tuple(sorted({question for term in self.terms.values() for question in term.questions}))


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to answer a contested question."""

    says: str
    value: Answer | None = None
    """The answer that replaces the catalogue's; None keeps it."""
    without: frozenset[str] = frozenset()
    added: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """A question on which lawyers differ."""

    id: str
    asks: str
    default: str
    readings: Mapping[str, Reading]


@lru_cache(maxsize=1)
def catalogue() -> Mapping[str, LicenceTerms]:
    """Return every licence of the catalogue by its id.

    Raises
    ------
    CatalogueError
        If a file can't be read, lacks an axis, or names a condition, question or licence that does not exist.
    """
    licences = {}
    for path in sorted((HERE / "catalogue").glob("*.yaml")):
        licence = read_licence(path)
        licences[licence.id] = licence
    for licence in licences.values():
        for later in licence.later:
            if later not in licences:
                raise CatalogueError(f"{licence.id}: later version {later!r} is not in the catalogue")
    return MappingProxyType(licences)


@lru_cache(maxsize=1)
def by_key() -> Mapping[str, LicenceTerms]:
    """Return the licences by lower-cased SPDX key and id."""
    keys: dict[str, LicenceTerms] = {}
    for licence in catalogue().values():
        for key in {licence.id, *licence.spdx}:
            if keys.setdefault(key.lower(), licence) is not licence:
                raise CatalogueError(f"{key!r} is claimed by {licence.id} and by {keys[key.lower()].id}")
    return MappingProxyType(keys)


@lru_cache(maxsize=256)
def family(name: str) -> tuple[LicenceTerms, ...]:
    """Return the licences whose id is ``name`` and a version; those without an SPDX id too."""
    version = re.compile(rf"(?:LicenseRef-)?{re.escape(name)}-\d+\.\d+\Z")
    return tuple(licence for id, licence in catalogue().items() if version.match(id))


@lru_cache(maxsize=1)
def conditions() -> Mapping[str, str]:
    """Return each condition's sentence by its id."""
    return MappingProxyType({key: str(text).strip() for key, text in _load(HERE / "conditions.yaml").items()})


@lru_cache(maxsize=1)
def questions() -> Mapping[str, Question]:
    """Return the contested questions by their id."""
    found = {}
    for key, fields in _load(HERE / "questions.yaml").items():
        readings = {
            name: Reading(
                says=reading["says"],
                value=reading.get("value"),
                without=frozenset(reading.get("without", ())),
                added=tuple(reading.get("with", ())),
            )
            for name, reading in fields["readings"].items()
        }
        readings["default"] = Reading(says=fields["default"].strip())
        found[key] = Question(key, fields["asks"], fields["default"].strip(), MappingProxyType(readings))
    return MappingProxyType(found)


def read_licence(path: Path) -> LicenceTerms:
    """Read one licence file.

    Raises
    ------
    CatalogueError
        If the file says something that can't be read; names the file and the field.
    """
    fields = _load(path)
    try:
        if fields["id"] != path.stem:
            raise CatalogueError(f"{path.name}: id is {fields['id']!r}, the file's name says {path.stem!r}")
        if fields["class"] not in CLASSES:
            raise CatalogueError(f"{path.name}: class {fields['class']!r} is none of {sorted(CLASSES)}")
        terms = {axis: _term(path, axis, fields["terms"][axis]) for axis in AXES}
        return LicenceTerms(
            id=fields["id"],
            name=fields["name"],
            url=fields["url"],
            licence_class=fields["class"],
            terms=MappingProxyType(terms),
            spdx=tuple(fields.get("spdx", (fields["id"],))),
            later=tuple(fields.get("later", ())),
            aliases=tuple(fields.get("aliases", ())),
            urls=tuple(fields.get("urls", ())),
            reviewed_by=fields["reviewed_by"],
            reviewed_on=fields["reviewed_on"],
            note=fields["note"],
            remark=fields.get("remark", ""),
        )
    except KeyError as missing:
        raise CatalogueError(f"{path.name}: {missing} is missing") from missing


def _term(path: Path, axis: str, fields: Mapping[str, Any]) -> Term:
    value, given, contested = (
        fields["value"],
        tuple(fields.get("conditions", ())),
        fields.get("contested", ()),
    )
    asked = (contested,) if isinstance(contested, str) else tuple(contested)
    if value not in ANSWERS:
        raise CatalogueError(f"{path.name}: {axis}: value {value!r} is none of {', '.join(ANSWERS)}")
    if bool(given) != (value == "constrained"):
        raise CatalogueError(f"{path.name}: {axis}: conditions belong to `constrained`, and to nothing else")
    for condition in given:
        if condition not in conditions():
            raise CatalogueError(f"{path.name}: {axis}: condition {condition!r} has no sentence")
    for question in asked:
        if question not in questions():
            raise CatalogueError(f"{path.name}: {axis}: question {question!r} is not in questions.yaml")
    if not fields["clause"]:
        raise CatalogueError(f"{path.name}: {axis}: the clause is missing")
    return Term(value, fields["clause"], given, asked)


def _load(path: Path) -> dict[str, Any]:
    try:
        loaded = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506 — safe, in C where it is built
    except (OSError, yaml.YAMLError) as error:
        raise CatalogueError(f"{path.name}: {error}") from error
    if not isinstance(loaded, dict):
        raise CatalogueError(f"{path.name}: not a mapping")
    return loaded
