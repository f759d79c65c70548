"""Licence names as they are met, normalised to SPDX expressions.

Four spellings are met: SPDX (CSV, Croissant), the short names of Debian's machine-readable copyright files,
URLs, and free text in tags. What nobody here recognises stays a ``LicenseRef-…`` that clears nothing;
nothing is
guessed into a licence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from provenance.rights.terms import LicenceTerms, by_key, catalogue

UNVERSIONED: Final = "LicenseRef-unversioned-"
"""Prefix of a licence family named without its version: all known versions hold, the strictest decides."""
UNRECOGNISED: Final = "LicenseRef-unrecognised-"

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*\Z")
_CC_URL = re.compile(
    r"creativecommons\.org/(licenses|publicdomain)/([a-z+-]+)(?:/(\d\.\d)(?:/([a-z]{2,3})(?=[/\s?#]|$))?)?",
    re.I,
)
_CC_TEXT = re.compile(
    r"\b(?:cc|creative\s+commons)[\s_-]*((?:by|nc|nd|sa|attribution|non-?commercial|no-?deriv(?:ative)?s?"
    r"|share-?alike|[\s_-])+)\s*(?:v\.?|version)?[\s_-]*(\d(?:\.\d)?)?(?:\s*(\+|or\s+later))?",
    re.I,
)
_GNU_TEXT = re.compile(
    r"\bGNU\s+(Lesser|Library|Affero)?\s*(?:General\s+)?Public\s+Licen[cs]e\b(.{0,200}?)(?:version|v)\s*(\d(?:\.\d)?)"
    r"(.{0,120})",
    re.I | re.S,
)


@dataclass(frozen=True, slots=True)
class Leaf:
    """One licence of an expression."""

    key: str
    or_later: bool = False
    exception: str = ""

    def __str__(self) -> str:
        spelled = f"{self.key}+" if self.or_later and not self.key.endswith("-or-later") else self.key
        return f"{spelled} WITH {self.exception}" if self.exception else spelled


@dataclass(frozen=True, slots=True)
class Branches:
    """``AND`` or ``OR`` of expressions."""

    operator: str
    args: tuple[Leaf | Branches, ...]

    def __str__(self) -> str:
        return f" {self.operator} ".join(
            f"({arg})" if isinstance(arg, Branches) else str(arg) for arg in self.args
        )


Expression = Leaf | Branches


class NotAnExpression(ValueError):
    """The text is no SPDX expression."""


@lru_cache(maxsize=8192)
def parse(expression: str) -> Expression:
    """Parse an SPDX expression.

    Parameters
    ----------
    expression : str
        SPDX 2.3 annex D, with ``+`` after any key.

    Returns
    -------
    Expression
        A leaf or a tree of branches; keys are spelled as SPDX spells them where it knows them.

    Raises
    ------
    NotAnExpression
        If it is empty or not an expression.
    """
    try:
        parsed = _licensing().parse(expression)
    except Exception as error:
        raise NotAnExpression(f"{expression!r} is no SPDX expression: {error}") from error
    if parsed is None:
        raise NotAnExpression("the expression is empty")
    return _tree(parsed, expression)


def leaves(expression: Expression) -> tuple[Leaf, ...]:
    """Return every licence named in ``expression``, in order."""
    if isinstance(expression, Leaf):
        return (expression,)
    return tuple(leaf for arg in expression.args for leaf in leaves(arg))


def licences_of(leaf: Leaf) -> tuple[LicenceTerms, ...]:
    """Return the licences of the catalogue that a leaf stands for.

    A key with "or later" stands for itself and every later version, a family without version for all of them;
    a key that is not in the catalogue stands for none.
    """
    if leaf.key.startswith(UNVERSIONED):
        return family(leaf.key.removeprefix(UNVERSIONED))
    licence = by_key().get(leaf.key.lower())
    if licence is None:
        return ()
    if leaf.or_later:
        return (licence, *(catalogue()[later] for later in licence.later))
    return (licence,)


@lru_cache(maxsize=256)
def family(name: str) -> tuple[LicenceTerms, ...]:
    """Return the licences whose id is ``name`` and a version."""
    version = re.compile(re.escape(name) + r"-\d+\.\d+\Z")
    return tuple(licence for id, licence in catalogue().items() if version.match(id))


def normalise(raw: str) -> str:
    """Normalise an SPDX expression, or else any other spelling known here.

    Returns
    -------
    str
        An SPDX expression; ``LicenseRef-unrecognised-…`` for text nobody here knows; empty for empty text.
    """
    raw = raw.strip()
    if not raw:
        return ""
    try:
        parsed = parse(raw)
    except NotAnExpression:
        return normalise_text(raw)
    if isinstance(parsed, Leaf) and not _known(parsed) and not parsed.key.startswith("LicenseRef-"):
        return _recognise(raw) or str(parsed)
    return str(parsed)


def normalise_dep5(raw: str) -> str:
    """Normalise the licence of a Debian copyright paragraph.

    Parameters
    ----------
    raw : str
        The first line of a ``License`` field: short names joined by ``and``, ``or`` and commas; ``and`` binds
        tighter than ``or``, a comma looser than both (copyright-format 1.0, section 7.2).

    Returns
    -------
    str
        An SPDX expression with ``LicenseRef-…`` for names unknown to Debian and SPDX; empty for empty text.
    """
    text = " ".join(raw.split())
    if not text:
        return ""
    if "," in text:
        return _join_commas([part for part in re.split(r"\s*,\s*", text) if part])
    alternatives = re.split(r"\s+or\s+(?!later)", text, flags=re.I)
    spelled = []
    for alternative in alternatives:
        names = [_dep5_name(name) for name in re.split(r"\s+and\s+|\s*&\s*", alternative, flags=re.I)]
        both = " AND ".join(f"({name})" if " OR " in name else name for name in names)
        spelled.append(both)
    return normalise(
        " OR ".join(f"({one})" if " AND " in one and len(spelled) > 1 else one for one in spelled)
    )


def normalise_text(raw: str) -> str:
    """Recognise a licence named by URL or in words, as tags name it.

    Returns
    -------
    str
        An SPDX expression, ``LicenseRef-unversioned-…`` where a family is named without version,
        ``LicenseRef-unrecognised-…`` for other text, empty for empty text.
    """
    raw = raw.strip()
    if not raw:
        return ""
    return _recognise(raw) or UNRECOGNISED + (re.sub(r"[^A-Za-z0-9]+", "-", raw).strip("-")[:40] or "text")


def compatible(one: str, other: str) -> bool:
    """Say whether two sources may mean the same licence.

    True where they have a licence in common, such as "GPL" and GPL-2.0-only, or a family without version
    and one
    of its versions; False where nothing is in common, or one of them is not an expression.
    """
    if one == other:
        return True
    try:
        sides = [
            {licence.id for leaf in leaves(parse(side)) for licence in licences_of(leaf)}
            for side in (one, other)
        ]
    except NotAnExpression:
        return False
    return bool(sides[0] & sides[1])


def _recognise(raw: str) -> str:
    return _by_alias(raw) or _by_url(raw) or _by_cc_text(raw) or _by_gnu_text(raw) or _by_dep5(raw)


def _known(leaf: Leaf) -> bool:
    return bool(licences_of(leaf)) or leaf.key in _licensing().known_symbols


@lru_cache(maxsize=1)
def _licensing() -> Any:
    from license_expression import get_spdx_licensing

    return get_spdx_licensing()


def _tree(parsed: Any, text: str) -> Expression:
    operator = getattr(parsed, "operator", "").strip()
    if operator:
        return Branches(operator.upper(), tuple(_tree(arg, text) for arg in parsed.args))
    exception = getattr(parsed, "exception_symbol", None)
    key = parsed.license_symbol.key if exception is not None else parsed.key
    if not _KEY.match(key):
        raise NotAnExpression(f"{text!r} is no SPDX expression: {key!r} is no licence key")
    or_later = key.endswith(("+", "-or-later"))
    key = key.removesuffix("+")
    known = by_key().get(key.lower())
    if known is not None:
        key = next(name for name in (known.id, *known.spdx) if name.lower() == key.lower())
    return Leaf(key, or_later, exception.key if exception is not None else "")


def _by_alias(raw: str) -> str:
    wanted = _squeeze(raw)
    for licence in catalogue().values():
        if wanted in {_squeeze(name) for name in (licence.name, *licence.aliases)}:
            return _bare_family(licence, wanted) or licence.spdx[0]
    return ""


def _bare_family(licence: LicenceTerms, wanted: str) -> str:
    if licence.id == "LAL-1.3" and not any(char.isdigit() for char in wanted):
        return UNVERSIONED + "LAL"
    if licence.id == "GPL-1.0" and wanted == "gpl":
        return "GPL-1.0-or-later"
    if licence.id == "LGPL-2.0" and wanted == "lgpl":
        return "LGPL-2.0-or-later"
    return ""


def _by_url(raw: str) -> str:
    if found := _CC_URL.search(raw):
        kind, name, version, port = (group or "" for group in found.groups())
        return _cc_from_url(kind.lower(), name.lower(), version, port)
    lowered = raw.lower()
    hits = [(len(url), licence) for licence in catalogue().values() for url in licence.urls if url in lowered]
    if not hits or "://" not in raw:
        return ""
    return max(hits, key=lambda hit: hit[0])[1].spdx[0]


def _cc_from_url(kind: str, name: str, version: str, port: str) -> str:
    if kind == "publicdomain" or name == "publicdomain":
        return {"zero": "CC0-1.0", "mark": "CC-PDM-1.0"}.get(name, "CC-PDDC")
    if "sampling" in name:
        middle = {"sampling": "Sampling", "sampling+": "Sampling-Plus", "nc-sampling+": "NC-Sampling-Plus"}
        return f"LicenseRef-CC-{middle[name]}-1.0" if name in middle else ""
    family_name = f"CC-{name.upper()}"
    if not family(family_name):
        return ""
    if not version:
        return UNVERSIONED + family_name
    ported = f"{family_name}-{version}-{port.upper()}"
    return ported if port and ported.lower() in by_key() else f"{family_name}-{version}"


def _by_cc_text(raw: str) -> str:
    if re.search(r"\bcc[\s-]*0\b|creative\s+commons\s+zero", raw, re.I):
        return "CC0-1.0"
    found = _CC_TEXT.search(raw)
    if not found:
        return ""
    words = re.sub(r"[\s_-]", "", found.group(1).lower())
    parts = [
        short
        for short, spelled in (("BY", "by|attribution"), ("NC", "nc|noncommercial"), ("SA", "sa|sharealike"),
                               ("ND", "nd|noderiv"))
        if re.search(spelled, words)
    ]  # fmt: skip
    family_name = "-".join(["CC", *parts])
    if not parts or not family(family_name):
        return ""
    if not found.group(2):
        return UNVERSIONED + family_name
    version = found.group(2) if "." in found.group(2) else f"{found.group(2)}.0"
    return f"{family_name}-{version}{'+' if found.group(3) else ''}"


def _by_gnu_text(raw: str) -> str:
    found = _GNU_TEXT.search(raw)
    if not found:
        return ""
    kind, _, version, rest = found.groups()
    base = {"lesser": "LGPL", "library": "LGPL", "affero": "AGPL"}.get((kind or "").lower(), "GPL")
    version = version if "." in version else f"{version}.0"
    later = re.search(r"any\s+later\s+version|or\s+later", rest, re.I)
    return f"{base}-{version}-{'or-later' if later else 'only'}"


def _by_dep5(raw: str) -> str:
    if not _KEY.match(raw):
        return ""
    spelled = _dep5_name(raw)
    return "" if spelled.startswith("LicenseRef-dep5-") else spelled


def _join_commas(parts: list[str]) -> str:
    operator = "AND"
    spelled = []
    for part in parts:
        found = re.match(r"(and|or)\s+", part, re.I)
        operator = found.group(1).upper() if found else operator
        one = normalise_dep5(part[found.end() :] if found else part)
        spelled.append(f"({one})" if " AND " in one or " OR " in one else one)
    return normalise(f" {operator} ".join(spelled))


_DEP5: Final = {
    "apache": "Apache-2.0",
    "artistic": "Artistic-1.0",
    "bsd": "BSD-3-Clause",
    "bsd-2-clause": "BSD-2-Clause",
    "bsd-3-clause": "BSD-3-Clause",
    "bsd-4-clause": "BSD-4-Clause",
    "cc0": "CC0-1.0",
    "expat": "MIT",
    "gpl": "GPL-1.0-or-later",
    "isc": "ISC",
    "lgpl": "LGPL-2.0-or-later",
    "mit": "MIT",
    "mit/x11": "MIT",
    "perl": "GPL-1.0-or-later OR Artistic-1.0",
    "public-domain": "LicenseRef-public-domain",
    "publicdomain": "LicenseRef-public-domain",
    "wtfpl-2": "WTFPL",
    "wtfpl": "WTFPL",
    "zlib": "Zlib",
    "zlib/libpng": "Zlib",
}
_GNU_SHORT = re.compile(
    r"(GPL|LGPL|AGPL|GFDL)-?(NIV-)?v?(\d)(?:\.(\d))?(?:\.\d)?(\+|-or-later|-only)?\Z", re.I
)
_CC_SHORT = re.compile(
    r"(CC-(?:BY|BY-SA|BY-NC|BY-ND|BY-NC-SA|BY-NC-ND|SA))-(\d)(?:\.(\d))?(\+|-or-later)?\Z", re.I
)


def _dep5_name(raw: str) -> str:
    name = raw.strip().strip("()").strip()
    parts = re.split(r"[\s-]+with[\s-]+", name, maxsplit=1, flags=re.I)
    if len(parts) == 2:
        return f"{_dep5_name(parts[0])} WITH {_exception(parts[1])}"
    if name.lower() in _DEP5:
        return _DEP5[name.lower()]
    if found := _GNU_SHORT.match(name):
        base, invariants, major, minor, later = found.groups()
        middle = "-no-invariants" if invariants else ""
        suffix = "or-later" if later in ("+", "-or-later") else "only"
        return f"{base.upper()}-{major}.{minor or '0'}{middle}-{suffix}"
    if found := _CC_SHORT.match(name):
        base, major, minor, later = found.groups()
        return f"{base.upper()}-{major}.{minor or '0'}{'+' if later else ''}"
    if name.lower() in by_key():
        return by_key()[name.lower()].spdx[0] if name.lower() == by_key()[name.lower()].id.lower() else name
    alias = _by_alias(name)
    if alias:
        return alias
    if _KEY.match(name) and name in _licensing().known_symbols:
        return name
    return "LicenseRef-dep5-" + (re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-") or "unnamed")


def _exception(raw: str) -> str:
    if "font" in raw.lower():
        return "Font-exception-2.0"
    if "classpath" in raw.lower():
        return "Classpath-exception-2.0"
    return "LicenseRef-" + re.sub(r"[^A-Za-z0-9.]+", "-", raw).strip("-")


def _squeeze(text: str) -> str:
    return re.sub(r"[\s_-]+", "", text.lower())
