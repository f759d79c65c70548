"""Territories as sets of ISO 3166-1 alpha-2 countries.

Rights are written in groups ("EU", "World except US"); the algebra is done on countries, so that two grants
for France and Germany answer a question about both, and a grant for the EU answers none about the world.

Groups carry their own name and the CISAC TIS number where it is known here (2136 = World). A leading minus
excludes: ``("WORLD", "-US")``.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

_ISO: Final = """
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS
BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE
EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM
HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC
LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA
NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW
SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO
TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
"""
COUNTRIES: Final = frozenset(_ISO.split())
"""The 249 officially assigned codes of ISO 3166-1."""

_EU_ISO: Final = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"
_EU: Final = frozenset(_EU_ISO.split())
_EEA: Final = _EU | {"IS", "LI", "NO"}
GROUPS: Final[dict[str, frozenset[str]]] = {
    "WORLD": COUNTRIES,
    "EU": _EU,
    "EEA": _EEA,
    "EFTA": frozenset({"CH", "IS", "LI", "NO"}),
    "BENELUX": frozenset({"BE", "LU", "NL"}),
    "DACH": frozenset({"AT", "CH", "DE"}),
    "GSA": frozenset({"AT", "CH", "DE", "LI"}),
    "BALTICS": frozenset({"EE", "LT", "LV"}),
    "NORDICS": frozenset({"AX", "DK", "FI", "FO", "GL", "IS", "NO", "SE", "SJ"}),
}
"""Named groups. The EU is that of 2020 and later, without the United Kingdom."""

_ALIASES: Final = {
    "": "WORLD",
    "WW": "WORLD",
    "WORLDWIDE": "WORLD",
    "001": "WORLD",
    "2136": "WORLD",
    "2120": "EU",
    "2118": "EEA",
    "2110": "BENELUX",
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
    name = code.strip().removeprefix("-").strip().upper()
    name = _ALIASES.get(name, name)
    if name not in GROUPS and name not in COUNTRIES:
        raise UnknownTerritory(
            f"{code!r} is neither an ISO 3166-1 country nor one of {', '.join(sorted(GROUPS))}"
        )
    return excluded + name


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
