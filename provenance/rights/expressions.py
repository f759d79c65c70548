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

from provenance.rights.phrases import elements_of
from provenance.rights.terms import UNVERSIONED, LicenceTerms, by_key, catalogue, family
from provenance.rights.wordings import in_words

UNRECOGNISED: Final = "LicenseRef-unrecognised-"

_GNU_FAMILIES: Final = (
    "GPL-",
    "LGPL-",
    "AGPL-",
    f"{UNVERSIONED}GPL",
    f"{UNVERSIONED}LGPL",
    f"{UNVERSIONED}AGPL",
)
_RESTRICTS = re.compile(r"(?:\b|-)(?:no|non|not|only|without)\b|commercial|restrict|limit", re.I)
"""What an exception's name holds where it permits less, whatever the licence says of that."""
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*\Z")
_CC_URL = re.compile(
    r"creativecommons\.org/(licenses|publicdomain)/([a-z+-]+)(?:/(\d\.\d)(?:/([a-z]{2,3}|scotland)(?=[/\s?#]|$))?)?",
    re.I,
)
_ADDRESS = re.compile(r"(?:https?://)?(?:[\w-]+\.)*creativecommons\.org/[^\s<>\"')\]]*", re.I)
"""Where Creative Commons keeps a licence, in a text."""
_SPDX_URL = re.compile(
    r"(?:spdx\.org/licenses|opensource\.org/licen[cs]es?)/([A-Za-z0-9.+-]+?)(?:\.html|\.txt|\.php|/|\Z)", re.I
)
_PORTED = re.compile(
    r"(CC-(?:BY|BY-SA|BY-NC|BY-ND|BY-NC-SA|BY-NC-ND)-[123]\.\d)-([A-Z]{2}|IGO|SCOTLAND)\Z", re.I
)
_BROKEN = re.compile(r"(?:\b(?:AND|OR|WITH)|\()\s*\Z|\A\s*(?:AND|OR|WITH)\b")
"""An expression that somebody began and did not end: no part of it is picked out."""
_ELSEWHERE = re.compile(r"\bDocumentRef-([A-Za-z0-9.-]+):LicenseRef-([A-Za-z0-9.-]+)")
"""A text that another document holds: its name says nothing about its terms."""
_LATER = re.compile(
    r"[\s,]+\(?or[\s-]+(?:\(at your option\)\s+)?(?:any[\s-]+)?(?:later|newer)(?:[\s-]+versions?)?\)?", re.I
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
    a ported Creative Commons licence (``CC-BY-SA-2.0-UK``) for the unported one that it translates; a key that is
    not in the catalogue stands for none.
    """
    if leaf.key.startswith(UNVERSIONED):
        return family(leaf.key.removeprefix(UNVERSIONED))
    licence = by_key().get(leaf.key.lower()) or _unported(leaf.key)
    if licence is None:
        return ()
    if leaf.or_later:
        return (licence, *(catalogue()[later] for later in licence.later))
    return (licence,)


def is_ported(leaf: Leaf) -> bool:
    """Say whether a leaf names a jurisdiction's own wording of a Creative Commons licence."""
    return bool(_PORTED.match(leaf.key))


def takes_nothing_back(leaf: Leaf) -> bool:
    """Say whether what stands behind a licence's ``WITH`` can only permit more.

    SPDX's exceptions do; so does any other beside a GNU licence, for these let nobody add a restriction (GPL-2.0
    section 6, GPL-3.0 section 7).
    """
    known = _licensing().known_symbols.get(leaf.exception)
    if not leaf.exception or (known and known.is_exception):
        return True
    return leaf.key.startswith(_GNU_FAMILIES) and not _RESTRICTS.search(leaf.exception)


def _unported(key: str) -> LicenceTerms | None:
    found = _PORTED.match(key)
    return by_key().get(found.group(1).lower()) if found else None


@lru_cache(maxsize=8192)
def normalise(raw: str) -> str:
    """Normalise an SPDX expression, or else any other spelling known here.

    Returns
    -------
    str
        An SPDX expression; ``LicenseRef-unrecognised-…`` for text nobody here knows; empty for empty text.
    """
    raw = _ELSEWHERE.sub(rf"{UNRECOGNISED}\1-\2", raw.strip())
    if not raw:
        return ""
    try:
        parsed = parse(_LATER.sub("+", raw))
    except NotAnExpression:
        return _unrecognised(raw) if _BROKEN.search(raw) else normalise_text(raw)
    if isinstance(parsed, Leaf):
        return str(_recognised(parsed))
    if any("LicenseRef-" not in leaf.key and not _known(leaf) for leaf in leaves(parsed)):
        parsed = parse(str(_each_recognised(parsed)))
    return str(parsed)


def _each_recognised(tree: Expression) -> Expression:
    if isinstance(tree, Leaf):
        return _recognised(tree)
    return Branches(tree.operator, tuple(_each_recognised(arg) for arg in tree.args))


def _recognised(leaf: Leaf) -> Expression:
    """Return what a key that SPDX does not know means here; itself where it means nothing."""
    if leaf.key.startswith("LicenseRef-") or _known(leaf):
        return leaf
    spelled = _recognise(f"{leaf.key}+" if leaf.or_later else leaf.key)
    if not spelled:
        return leaf
    named = parse(spelled)
    if leaf.exception and isinstance(named, Leaf):
        return Leaf(named.key, named.or_later, _exception(leaf.exception))
    return named


@lru_cache(maxsize=8192)
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
    text = re.sub(r",\s*(?=v(?:ersion|\.)?\s*\d)", " ", " ".join(raw.split()), flags=re.I)
    if not text:
        return ""
    if "," in text:
        return _join_commas([part for part in re.split(r"\s*,\s*", text) if part])
    alternatives = re.split(r"\s+or\s+(?!(?:any\s+)?(?:later|newer))", text, flags=re.I)
    spelled = []
    for alternative in alternatives:
        names = [_dep5_name(name) for name in re.split(r"\s+and\s+|\s*&\s*", alternative, flags=re.I)]
        both = " AND ".join(f"({name})" if " OR " in name else name for name in names)
        spelled.append(both)
    return normalise(
        " OR ".join(f"({one})" if " AND " in one and len(spelled) > 1 else one for one in spelled)
    )


@lru_cache(maxsize=8192)
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
    return _recognise(raw) or _unrecognised(raw)


def _unrecognised(raw: str) -> str:
    return UNRECOGNISED + (re.sub(r"[^A-Za-z0-9]+", "-", raw).strip("-")[:40] or "text")


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
    named = _by_alias(raw)
    if named:
        return named
    if not re.search(r"\s", raw):
        return _by_url(raw) or _by_dep5(raw) or in_words(raw)
    return _with_addresses(raw)


def _with_addresses(raw: str) -> str:
    """Read a text that may hold addresses beside words: neither silences the other."""
    words = in_words(_ADDRESS.sub(lambda found: f" {_spelled(_by_url(found.group()))} ", raw))
    named = "" if _CC_URL.search(raw) else _by_url(raw)
    if not words or not named or compatible(words, named):
        return words or named
    return f"({words}) AND {named}"


def _spelled(expression: str) -> str:
    """Return an expression without the prefix that is no word of a licence's name."""
    return expression.removeprefix(UNVERSIONED).removeprefix("LicenseRef-")


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
    if found := _SPDX_URL.search(raw):
        return normalise(found.group(1))
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
    family_name = elements_of(name)
    if not family_name:
        return ""
    if not version:
        return UNVERSIONED + family_name
    ported = f"-{port.upper()}" if port and version != "4.0" else ""
    return f"{family_name}-{version}{ported}"


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
    if named := _by_url(name) or in_words(name):
        return named
    return "LicenseRef-dep5-" + (re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-") or "unnamed")


def _exception(raw: str) -> str:
    if "font" in raw.lower():
        return "Font-exception-2.0"
    if "classpath" in raw.lower():
        return "Classpath-exception-2.0"
    return "LicenseRef-" + re.sub(r"[^A-Za-z0-9.]+", "-", raw).strip("-")


def _squeeze(text: str) -> str:
    return re.sub(r"[\s_-]+", "", text.lower()).removeprefix("the").rstrip(".")
