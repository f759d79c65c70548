"""Licences named in words: in tags, in tables, in a copyright file that nobody wrote for machines.

Every mention in a text is read. Mentions joined by "or" are alternatives; anything else that stands between two of
them (a slash, a comma, "and", a full stop) leaves open whether one may choose, so both are taken to hold. So do words
that narrow a named licence ("CC BY 4.0, no AI training"): what they forbid is forbidden, the rest is left open.
The elements of Creative Commons are known in the languages that its licences were written in most.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from provenance.rights.phrases import (
    BARE_NC,
    BARE_ND,
    BARE_SA,
    BESIDE,
    CLAIMED,
    COMMERCIAL,
    COMMON_PHRASES,
    FORBIDDING,
    LIMITING,
    NAMED,
    NO_TRAINING,
    NO_TRAINING_WORDS,
    NON_COMMERCIAL,
    NOTICE,
    TRANSLATED,
    WHOLE,
    Reading,
)
from provenance.rights.terms import UNVERSIONED

LIMITED: Final = "LicenseRef-unrecognised-limits"
"""Beside a licence: words that limit it in a way that is not read here, so that it settles nothing."""
NARROWING_CHARS: Final = 1000
"""A longer text has many parts: what one of them forbids is not said of what another one names."""
BARE_WORDS_CHARS: Final = 200
"""Up to this length "non-commercial" beside a licence narrows it, whatever the sentence."""
SHORT_TEXT_CHARS: Final = 80
"""Up to this length "public domain" and the like are the statement itself, and not a word in a story."""


@dataclass(frozen=True, slots=True)
class _Mention:
    start: int
    end: int
    expression: str


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
    text = _in_english(" ".join(raw.split()))
    mentions = _mentions(text, NAMED) and _mentions(text, (*NAMED, *BESIDE))
    mentions = mentions or _mentions(text, WHOLE if len(text) <= SHORT_TEXT_CHARS else CLAIMED)
    if not mentions:
        return NO_TRAINING if NO_TRAINING_WORDS.search(text) else ""
    named = _joined(mentions, text)
    narrowing = [one for one in _narrowing(text, mentions) if one not in named]
    return " AND ".join([f"({named})" if " OR " in named else named, *narrowing]) if narrowing else named


def _joined(mentions: list[_Mention], text: str) -> str:
    named = _without_repeats([mention.expression for mention in mentions])
    if len(named) < 2:
        return named[0] if named else ""
    between = [text[one.end : two.start] for one, two in itertools.pairwise(mentions)]
    choice = all(re.search(r"\bor\b", gap, re.I) and not re.search(r"\band\b", gap, re.I) for gap in between)
    operator = " OR " if choice else " AND "
    return operator.join(f"({one})" if " " in one else one for one in named)


def _without_repeats(named: list[str]) -> list[str]:
    """Leave out what another mention says more closely: the version of a family, the port of a version."""
    return [
        one
        for one in dict.fromkeys(named)
        if not any(
            other != one and re.match(rf"{re.escape(one.removeprefix(UNVERSIONED))}-[\dA-Z]", other)
            for other in named
            if one.startswith(f"{UNVERSIONED}CC-") or re.match(r"CC-.*\d\.\d\Z", one)
        )
    ]


def _narrowing(text: str, mentions: list[_Mention]) -> list[str]:
    """Return what the words beside the named licences forbid."""
    if len(text) > NARROWING_CHARS:
        return []
    rest = text
    for mention in reversed(mentions):
        rest = f"{rest[: mention.start]} § {rest[mention.end :]}"
    forbidden = [expression for pattern, expression in FORBIDDING if pattern.search(rest)]
    bare = len(text) <= BARE_WORDS_CHARS and BARE_NC.search(rest) and not COMMERCIAL.search(rest)
    if bare and NON_COMMERCIAL not in forbidden:
        forbidden.append(NON_COMMERCIAL)
    if all("-NC-" in mention.expression or mention.expression.endswith("-NC") for mention in mentions):
        forbidden = [one for one in forbidden if one != NON_COMMERCIAL]
    for words, element in ((BARE_ND, "ND"), (BARE_SA, "SA")):
        if words.search(rest) and not any(f"-{element}" in mention.expression for mention in mentions):
            forbidden.append(f"{UNVERSIONED}CC-BY-{element}")
    after = text[max(mention.end for mention in mentions) :]
    reserved = re.search(r"\ball\s+rights\s+reserved\b", after, re.I)
    if reserved and not NOTICE.search(after[: reserved.start()]):
        forbidden.append("LicenseRef-all-rights-reserved")
    if not forbidden and len(text) <= BARE_WORDS_CHARS and LIMITING.search(COMMON_PHRASES.sub(" ", rest)):
        forbidden.append(LIMITED)
    return forbidden


def _in_english(text: str) -> str:
    text = unicodedata.normalize("NFC", text).replace("\u2019", "'").replace("\u2013", "-")
    for pattern, word in TRANSLATED:
        text = pattern.sub(word, text)
    return text


def _mentions(text: str, patterns: tuple[tuple[re.Pattern[str], Reading], ...]) -> list[_Mention]:
    """Return what the patterns find, in the text's order; what overlaps an earlier pattern's find is left out."""
    found: list[_Mention] = []
    taken = bytearray(len(text))
    for pattern, reading in patterns:
        for match in pattern.finditer(text):
            start, end = match.span()
            if any(taken[start:end]):
                continue
            expression = reading(match)
            if expression:
                found.append(_Mention(start, end, expression))
                taken[start:end] = b"\1" * (end - start)
    return [one for one in sorted(found, key=lambda one: one.start) if not _is_denied(text, one.start)]


def _is_denied(text: str, start: int) -> bool:
    before = text[max(0, start - 24) : start]
    denied = r"\b(?:not|no|non|isn't|without|formerly|previously|longer)\b(?:\s+\w+){0,3}[\s-]*\Z"
    return bool(re.search(denied, before, re.I))
