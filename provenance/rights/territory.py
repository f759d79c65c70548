"""Territories as sets of ISO 3166-1 alpha-2 countries.

Rights are written in groups ("EU", "World except US"); the algebra is done on countries, so that two grants
for France and Germany answer a question about both, and a grant for the EU answers none about the world.

Countries and groups stand in ``territories.yaml``, each with its name and the codes of CISAC's Territory Information
System (2136 or 2WL = World, 2120 or 2EU = Europe, 276 or DEU = Germany). A leading minus excludes: ``("WORLD", "-US")``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import yaml

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEXT: Final = Path(__file__).with_name("territories.yaml").read_text(encoding="utf-8")
_WRITTEN: Final[dict[str, Any]] = yaml.load(_TEXT, Loader=_LOADER)  # noqa: S506 — safe, in C where it is built
_ISO: Final[list[list[str]]] = [
    country.split() for country in _WRITTEN["countries"].replace(",", "\n").splitlines()
]

COUNTRIES: Final = frozenset(two for two, _, _ in _ISO)
"""The 249 officially assigned codes of ISO 3166-1."""

GROUPS: Final[dict[str, frozenset[str]]] = {
    name: frozenset(group["countries"].split()) if "countries" in group else COUNTRIES
    for name, group in _WRITTEN["groups"].items()
}
"""Named groups. The EU is that of 2020 and later, without the United Kingdom."""

NAMES: Final[dict[str, str]] = {
    **{line[:2]: line[3:] for written in _WRITTEN["names"].splitlines() for line in written.split(", ")},
    **_WRITTEN["initials"],
}
"""What people call a country, or a group that is known by its initials."""

_ALIASES: Final[dict[str, str]] = {
    **{str(code): name for name, group in _WRITTEN["groups"].items() for code in group.get("tis", ())},
    **{
        code: two
        for two, three, number in _ISO
        for code in (three, number, str(int(number)), f"{int(number):04d}")
    },
    "": "WORLD",
    "WW": "WORLD",
    "WORLDWIDE": "WORLD",
    "001": "WORLD",
    "UK": "GB",
    "EL": "GR",
}


class UnknownTerritory(ValueError):
    """A code that is neither an ISO country nor a group known here."""


def normalise(code: str) -> str:
    """Return the one spelling of a territory code, with its leading minus if it has one.

    Raises
    ------
    UnknownTerritory
        If nobody here knows the code.
    """
    excluded = "-" if code.strip().startswith("-") else ""
    name = "-".join(code.strip().removeprefix("-").upper().split())
    name = _ALIASES.get(name, name)
    if name not in GROUPS and name not in COUNTRIES:
        if several := _several(code):
            raise UnknownTerritory(
                f"{code!r} names {len(several)} territories, which are set apart by semicolons: {'; '.join(several)}"
            )
        raise UnknownTerritory(
            f"{code!r} is neither an ISO 3166-1 country nor one of CISAC's groups of them{_meant(name)}"
        )
    return excluded + name


def _meant(name: str) -> str:
    """Name up to three codes that a name is like; without any, how codes look."""
    near = difflib.get_close_matches(name, [*GROUPS, *COUNTRIES, *_ALIASES], n=3, cutoff=0.75)
    if near:
        return f": is {' or '.join(dict.fromkeys(_ALIASES.get(one, one) for one in near))} meant?"
    return ", such as DE, EU or SOUTH-AMERICA"


def _several(code: str) -> list[str]:
    """Return the territories that are written into one code with something else between them; empty if none are."""
    written = [part for part in re.split(r"[\s,/|+&]+", code.strip()) if part]
    names = [part.removeprefix("-").upper() for part in written]
    known = [_ALIASES.get(name, name) in GROUPS or _ALIASES.get(name, name) in COUNTRIES for name in names]
    return written if len(written) > 1 and all(known) and all(names) else []


def spelled(code: str) -> str:
    """Write a code so that nobody has to know it: DE (Germany), EU (European Union), South America.

    Parameters
    ----------
    code : str
        In its one spelling, without a minus.

    Returns
    -------
    str
        A group whose code is its name by that name alone; a code that nobody here knows as it is.
    """
    if code in NAMES:
        return f"{code} ({NAMES[code]})"
    return code.replace("-", " ").title() if code in GROUPS else code


def read_territory(codes: Iterable[str]) -> tuple[list[str], list[str]]:
    """Read the codes that somebody wrote.

    Parameters
    ----------
    codes : iterable of str
        As they were written.

    Returns
    -------
    list of str
        The known ones, each in its one spelling; empty for the world alone.
    list of str
        What is wrong with the others, a sentence each.
    """
    known, problems = [], []
    for code in codes:
        try:
            known.append(normalise(code))
        except UnknownTerritory as error:
            problems.append(str(error))
    return [] if known == ["WORLD"] else known, problems


@lru_cache(maxsize=4096)
def countries(codes: tuple[str, ...]) -> frozenset[str]:
    """Return the countries that a tuple of codes covers.

    Parameters
    ----------
    codes : tuple of str
        Codes and, with a leading minus, exclusions. Empty, or exclusions alone, starts from the world.

    Returns
    -------
    frozenset of str
        May be empty, when everything included is excluded again.

    Raises
    ------
    UnknownTerritory
        If nobody here knows a code.
    """
    names = [normalise(code) for code in codes]
    included = [_members(name) for name in names if not name.startswith("-")]
    excluded = [_members(name[1:]) for name in names if name.startswith("-")]
    covered = frozenset[str]().union(*included) if included else COUNTRIES
    return covered.difference(*excluded)


def atoms(use: frozenset[str], others: Iterable[frozenset[str]]) -> list[str]:
    """Split ``use`` into the parts that no other territory tells apart.

    Parameters
    ----------
    use : frozenset of str
        The countries asked about.
    others : iterable of frozenset of str
        Territories of statements, claims, grants and reservations.

    Returns
    -------
    list of str
        One country of each part, sorted; whatever holds for it holds for its whole part.
    """
    parts = [use] if use else []
    for other in set(others):
        if use <= other:
            continue
        parts = [piece for part in parts for piece in (part & other, part - other) if piece]
    return sorted(min(part) for part in parts)


def _members(name: str) -> frozenset[str]:
    return GROUPS.get(name) or frozenset({name})
