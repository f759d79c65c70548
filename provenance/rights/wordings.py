"""Licences named in words: in tags, in tables, in a copyright file that nobody wrote for machines.

Every mention in a text is read. Mentions joined by "or" are alternatives; anything else that stands between two of
them (a slash, a comma, "and", a full stop) leaves open whether one may choose, so both are taken to hold.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from provenance.rights.terms import UNVERSIONED, family

SHORT_TEXT_CHARS: Final = 80
"""Up to this length "public domain" and the like are the statement itself, and not a word in a story."""

_VERSION = r"[\s,_-]*(?:\(?\s*(?:version|ver\.?|v\.?)[\s_-]*)?"
_LATER = r"(?P<later>\+|[\s,(-]*(?:or|and)[\s-]+(?:\(at your option\)\s+)?(?:any[\s-]+)?(?:later|newer|above|higher)\b)?"
_ELEMENT = (
    r"(?:by|nc|nd|sa|attribution|non-?\s?commercial|no-?\s?deriv(?:ative)?(?:\s?work)?s?|share-?\s?alike)"
)
_ELEMENTS = rf"(?P<elements>{_ELEMENT}(?:[\s_/-]+{_ELEMENT})*)"
_PORT = r"(?:[\s_-]+(?P<port>[A-Z]{2}|IGO|SCOTLAND)\b)?"
_GNU = r"(?P<kind>Lesser|Library|Affero)?\s*(?:General\s+)?Public\s+Licen[cs]e"
_ELEMENT_NAMES: Final = (
    ("BY", "by|attribution"),
    ("NC", "nc|noncommercial"),
    ("ND", "nd|noderiv"),
    ("SA", "sa|sharealike"),
)


@dataclass(frozen=True, slots=True)
class _Mention:
    start: int
    end: int
    expression: str


Reading = Callable[[re.Match[str]], str]


def in_words(raw: str) -> str:
    """Return the licence or licences that a text names.

    Parameters
    ----------
    raw : str
        A few words or a few sentences.

    Returns
    -------
    str
        An SPDX expression, ``LicenseRef-unversioned-…`` where a family is named without its version; empty where
        nothing is recognised, or only denied ("not GPL").
    """
    text = " ".join(raw.split())
    mentions = _mentions(text, _NAMED) or _mentions(
        text, _WHOLE if len(text) <= SHORT_TEXT_CHARS else _CLAIMED
    )
    named = list(dict.fromkeys(mention.expression for mention in mentions))
    if len(named) < 2:
        return named[0] if named else ""
    between = [text[one.end : two.start] for one, two in itertools.pairwise(mentions)]
    operator = " OR " if all(re.search(r"\bor\b", gap, re.I) for gap in between) else " AND "
    return operator.join(f"({one})" if " " in one else one for one in named)


def _mentions(text: str, patterns: tuple[tuple[re.Pattern[str], Reading], ...]) -> list[_Mention]:
    """Return what the patterns find, in the text's order; what overlaps an earlier pattern's find is left out."""
    found: list[_Mention] = []
    for pattern, reading in patterns:
        for match in pattern.finditer(text):
            if any(match.start() < other.end and other.start < match.end() for other in found):
                continue
            expression = reading(match)
            if expression:
                found.append(_Mention(match.start(), match.end(), expression))
    return [one for one in sorted(found, key=lambda one: one.start) if not _is_denied(text, one.start)]


def _is_denied(text: str, start: int) -> bool:
    before = text[max(0, start - 24) : start]
    return bool(re.search(r"\b(?:not|no|non|isn't|without)\b(?:\s+\w+){0,3}[\s-]*\Z", before, re.I))


def elements_of(spelled: str) -> str:
    """Return a Creative Commons family, such as ``CC-BY-NC-SA``; empty where there is none of these elements."""
    words = re.sub(r"[\s_/-]", "", spelled.lower())
    parts = [short for short, pattern in _ELEMENT_NAMES if re.search(pattern, words)]
    if "ND" in parts and "SA" in parts:
        return ""
    name = "-".join(["CC", *parts])
    return name if parts and family(name) else ""


def _creative_commons(match: re.Match[str]) -> str:
    named = match.groupdict()
    name = elements_of(named["elements"])
    if not name:
        return ""
    version = named.get("version") or ""
    if not version:
        return UNVERSIONED + name
    version = version if "." in version else f"{version}.0"
    port = named.get("port") or ""
    ported = f"-{port}" if port and version != "4.0" else ""
    return f"{name}-{version}{ported}{'+' if named.get('later') else ''}"


def _gnu(match: re.Match[str]) -> str:
    named = match.groupdict()
    kind = (named.get("kind") or "").lower()
    base = {"lesser": "LGPL", "library": "LGPL", "l": "LGPL", "affero": "AGPL", "a": "AGPL"}.get(kind, "GPL")
    version = named.get("version") or ""
    if not version:
        return {"GPL": "GPL-1.0-or-later", "LGPL": "LGPL-2.0-or-later"}.get(base, UNVERSIONED + base)
    version = version if "." in version else f"{version}.0"
    return f"{base}-{version}-{'or-later' if named.get('later') else 'only'}"


def _gfdl(match: re.Match[str]) -> str:
    version = match["version"]
    return f"GFDL-{version}-{'or-later' if match['later'] else 'only'}" if version else UNVERSIONED + "GFDL"


def _versioned(name: str) -> Reading:
    def read(match: re.Match[str]) -> str:
        version = match["version"]
        if not version:
            return UNVERSIONED + name
        wanted = f"{name}-{version if '.' in version else version + '.0'}"
        return next((licence.id for licence in family(name) if licence.id.endswith(wanted)), wanted)

    return read


def _sampling(match: re.Match[str]) -> str:
    return f"LicenseRef-CC-{'NC-' if match['nc'] else ''}Sampling{'-Plus' if match['plus'] else ''}-1.0"


def _always(expression: str) -> Reading:
    return lambda _: expression


def _compiled(*patterns: tuple[str, Reading]) -> tuple[tuple[re.Pattern[str], Reading], ...]:
    return tuple((re.compile(pattern, re.I), reading) for pattern, reading in patterns)


_NAMED: Final = _compiled(
    (rf"\bOGA[\s_-]*BY\b{_VERSION}(?P<version>[34](?:\.0)?)?", _versioned("OGA-BY")),
    (
        r"(?:\b(?:cc|creative\s+commons)[\s_-]*)?\b(?P<nc>nc|non-?\s?commercial)?[\s_-]*\bsampling"
        r"(?P<plus>[\s_-]*(?:\+|plus\b))[\s_-]*(?:1\.0)?",
        _sampling,
    ),
    (r"\b(?:cc|creative\s+commons)[\s_-]*(?P<nc>nc)?[\s_-]*sampling(?P<plus>)[\s_-]*1\.0", _sampling),
    (
        r"\bcc[\s_-]*0\b(?:[\s_-]*(?:v|version)?[\s_-]*1\.0)?|\bcreative\s+commons\s+zero\b",
        _always("CC0-1.0"),
    ),
    (r"\b(?:cc[\s_-]*)?(?:pdm\b|public\s+domain\s+mark\b)", _always("CC-PDM-1.0")),
    (
        rf"\b(?:cc|creative\s+commons)[\s_:-]*{_ELEMENTS}(?=[\W\d_]|v\d|\Z){_VERSION}"
        rf"(?P<version>\d(?:\.\d)?)?(?![\d])(?P<later>\+|\s+or\s+(?:any\s+)?(?:later|newer)\b)?"
        r"(?:\s+(?:Unported|International|Generic)\b)?"
        r"(?:[\s_-]+(?P<port>(?-i:[A-Z]{2}(?![A-Za-z])|IGO\b|SCOTLAND\b)))?",
        _creative_commons,
    ),
    (
        rf"\b{_ELEMENTS}[\s_-]+(?P<version>[1-4]\.\d)\b(?:\s+(?:Unported|International|Generic)\b)?",
        _creative_commons,
    ),
    (
        r"\bby-(?P<elements>(?:nc|sa|nd)(?:-(?:sa|nd))?)\b",
        lambda match: UNVERSIONED + f"CC-BY-{match['elements'].upper()}",
    ),
    (rf"\b(?:GNU\s+)?G?FDL{_VERSION}(?P<version>1\.\d)?{_LATER}", _gfdl),
    (rf"\bGNU\s+Free\s+Documentation\s+Licen[cs]e{_VERSION}(?P<version>1\.\d)?{_LATER}", _gfdl),
    (
        rf"\bGNU\s+{_GNU}\b(?:[^.;]{{0,200}}?(?:version|v)?\s*(?P<version>\d(?:\.\d)?)(?!\d)"
        r"(?P<later>\+|.{0,60}?\b(?:any\s+later\s+version|or\s+later)\b)?)?",
        _gnu,
    ),
    (
        rf"\b(?:GNU[\s/-]+)?(?P<kind>[LA])?GPL(?:[\s-]+licen[cs]e)?{_VERSION}(?P<version>\d(?:\.\d)?)?(?:\.\d)?(?!\d){_LATER}",
        _gnu,
    ),
    (
        r"\b(?:free[\s_-]+art(?:[\s_-]+licen[cs]e)?|licence[\s_-]+art[\s_-]+libre|(?-i:FAL|LAL))\b"
        rf"{_VERSION}(?P<version>1\.[23])?",
        _versioned("LAL"),
    ),
    (
        rf"\b(?:EFF[\s_-]+)?open[\s_-]+audio[\s_-]+licen[cs]e\b{_VERSION}(?P<version>[12](?:\.0)?)?(?:\.1)?",
        _versioned("EFF-OAL"),
    ),
    (rf"\bEFF[\s_-]*OAL\b{_VERSION}(?P<version>[12](?:\.0)?)?(?:\.1)?", _versioned("EFF-OAL")),
    (
        rf"\bApache(?:[\s_-]*software)?(?:[\s_-]*licen[cs]e)?{_VERSION}2(?:\.0)?(?![\d.])|\bASL{_VERSION}2\.0",
        _always("Apache-2.0"),
    ),
    (r"\b(?:MIT|Expat)(?:/X11)?\s+licen[cs]e\b|\bMIT/X11\b", _always("MIT")),
    (
        r"\b(?:2|two)-clause\s+BSD\b|\bBSD\s+(?:2|two)[\s-]clause\b|\b(?:simplified|FreeBSD)\s+BSD\b",
        _always("BSD-2-Clause"),
    ),
    (
        r"\b(?:3|three)-clause\s+BSD\b|\bBSD\s+(?:3|three)[\s-]clause\b|\b(?:new|modified|revised)\s+BSD\b",
        _always("BSD-3-Clause"),
    ),
    (r"\b(?:4|four)-clause\s+BSD\b|\boriginal\s+BSD\b", _always("BSD-4-Clause")),
    (r"\bBSD\s+licen[cs]e\b", _always("BSD-3-Clause")),
    (r"\bzlib(?:/libpng)?\s+licen[cs]e\b|\bzlib/libpng\b", _always("Zlib")),
    (r"\bWTFPL\b(?:[\s_-]*v?2)?", _always("WTFPL")),
    (r"\bunlicen[cs]e\b", _always("Unlicense")),
)
"""Names that mean a licence wherever they stand; earlier patterns take their words before later ones look."""

_CLAIMED: Final = _compiled(
    (
        r"\b(?:dedicated|released|placed|put|given|donated)\s+(?:\w+\s+){0,2}?(?:in)?to\s+the\s+public\s+domain\b",
        _always("LicenseRef-public-domain"),
    ),
    (r"\ball\s+rights\s+reserved\b", _always("LicenseRef-all-rights-reserved")),
)
"""Words that are read where nothing else is named."""

_WHOLE: Final = _compiled(
    (r"\bpublic[\s_-]+domain\b|\A\W*PD\W*\Z", _always("LicenseRef-public-domain")),
    (r"\ball\s+rights\s+reserved\b|\A\W*(?:proprietary|ARR)\W*\Z", _always("LicenseRef-all-rights-reserved")),
    (r"\A\W*(?:for\s+)?(?:personal|private)\s+use(?:\s+only)?\W*\Z", _always("LicenseRef-personal-use-only")),
    (
        r"\A\W*(?:free\s+)?(?:for\s+)?non-?\s?commercial(?:\s+use)?(?:\s+only)?\W*\Z",
        _always("LicenseRef-non-commercial-only"),
    ),
    (r"\broyalty[\s_-]+free\b", _always("LicenseRef-royalty-free-library")),
    (r"\bproduction\s+(?:music\s+)?library\b", _always("LicenseRef-production-library")),
    (r"\bsample\s+pack\b", _always("LicenseRef-sample-pack")),
    (
        r"\A\W*(?:n/?a|none|nil|unknown|unlicensed|not\s+(?:stated|specified|given|known)"
        r"|(?:none|no\s+licen[cs]e)(?:\s+(?:stated|specified|given))?|unspecified|\?+|-+)\W*\Z",
        _always("LicenseRef-no-licence-stated"),
    ),
)
"""Words that are read where they are all that is said."""
