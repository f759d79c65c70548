"""Titles and names of artists and parties, made comparable without making two of them one.

Case, accents, punctuation, "feat." and the edition (remaster, explicit) say nothing about which recording is
meant and go. What names another recording stays and stands apart: the version (live, remix, instrumental …)
and every number ("Part 2", "Op. 9"). Letters of other scripts stay as they are; nothing is transliterated.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

VERSION_WORDS: Final = frozenset(
    [
        "acappella",
        "acoustic",
        "bootleg",
        "club",
        "cover",
        "demo",
        "dub",
        "edit",
        "extended",
        "instrumental",
        "karaoke",
        "live",
        "medley",
        "mix",
        "nightcore",
        "orchestral",
        "outtake",
        "piano",
        "radio",
        "rehearsal",
        "remake",
        "remix",
        "reprise",
        "rework",
        "session",
        "slowed",
        "sped",
        "symphonic",
        "tribute",
        "unplugged",
        "vip",
        "vocal",
    ]
)
"""Words that name another recording of the same work when they stand in brackets or after a dash."""

EDITION_WORDS: Final = frozenset(
    [
        "album",
        "anniversary",
        "bonus",
        "clean",
        "deluxe",
        "digital",
        "explicit",
        "hd",
        "hq",
        "lyric",
        "mono",
        "official",
        "original",
        "ost",
        "remaster",
        "remastered",
        "single",
        "soundtrack",
        "stereo",
        "track",
        "video",
        "audio",
        "version",
        "edition",
        "lyrics",
        "music",
    ]
)
"""Words about the release and not about the recording. A remaster carries the same performance."""

LEAST_ALIKE: Final = 0.6
"""Likeness below which two names have nothing to do with each other, and count as 0."""

_LETTERS: Final = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "’": "'", "ʼ": "'"}
)
_ROMAN: Final = {
    "ii": "2",
    "iii": "3",
    "iv": "4",
    "vi": "6",
    "vii": "7",
    "viii": "8",
    "ix": "9",
    "xi": "11",
    "xii": "12",
}
_ROMAN_COUNTED: Final = {**_ROMAN, "i": "1", "v": "5", "x": "10"}
_COUNTERS: Final = frozenset(
    [
        "part",
        "pt",
        "no",
        "nr",
        "vol",
        "volume",
        "act",
        "chapter",
        "movement",
        "op",
        "opus",
        "book",
        "level",
        "stage",
        "world",
    ]
)
_FEATURED: Final = re.compile(r"\b(?:feat|ft|featuring)\b\.?\s*(.*)")
_BRACKETED: Final = re.compile(r"[\(\[\{]([^\(\)\[\]\{\}]*)[\)\]\}]")
_DASHED: Final = re.compile(r"\s[-–—]\s+([^-–—]+)$")
_NAMES_APART: Final = re.compile(r"\s*(?:,|;|/|&|\+|\band\b|\bwith\b|\bvs\b\.?|\bx\b)\s*")


@lru_cache(maxsize=65536)
def party(written: str) -> str:
    """Return a rights holder's name as names are compared: case, spaces and the form of accents make no other one."""
    return " ".join(unicodedata.normalize("NFKC", written).casefold().split())


@dataclass(frozen=True, slots=True)
class Title:
    """A title taken apart.

    Attributes
    ----------
    words : tuple of str
        What names the work, folded, in order; numbers as digits.
    version : frozenset of str
        Version words; a different set means another recording.
    numbers : tuple of str
        The numbers among ``words``, in order; different ones mean another recording.
    """

    words: tuple[str, ...]
    version: frozenset[str]
    numbers: tuple[str, ...]

    @property
    def folded(self) -> str:
        """The words with one space between them; empty for a title of punctuation alone."""
        return " ".join(self.words)


@lru_cache(maxsize=1 << 16)
def title(written: str) -> Title:
    """Take a title apart.

    Parameters
    ----------
    written : str
        As a catalogue or a tag has it: ``"Señorita (feat. X) [Live at Y] - 2011 Remaster"``.

    Returns
    -------
    Title
        Without words where ``written`` is empty or holds no letter and no digit.
    """
    text = _plain(written)
    version: set[str] = set()
    while dashed := _DASHED.search(text):
        if not _takes(dashed.group(1), version):
            break
        text = text[: dashed.start()]
    for bracketed in _BRACKETED.findall(text):
        if _takes(bracketed, version):
            text = re.sub(rf"[\(\[\{{]{re.escape(bracketed)}[\)\]\}}]", " ", text)
    text = _FEATURED.sub(" ", text)
    words = _counted(_words(text))
    return Title(words, frozenset(version), tuple(word for word in words if word.isdigit()))


@lru_cache(maxsize=1 << 16)
def artist(written: str) -> frozenset[str]:
    """Return the names of a line of artists, each folded: ``"Beatles, The"`` and ``"The Beatles"`` are one.

    Returns
    -------
    frozenset of str
        Empty where nobody is named; "unknown artist" and "various artists" name nobody.
    """
    text = re.sub(r"[\(\)\[\]]", " , ", _plain(written))
    text = re.sub(r"^(.*\w),\s*the$", r"the \1", text)
    text = re.sub(r"\b(?:feat|ft|featuring)\b\.?", ",", text)
    names = (" ".join(_words(part)) for part in _NAMES_APART.split(text))
    found = (name.removeprefix("the ") for name in names)
    return frozenset(name for name in found if name and name not in _NOBODY)


_NOBODY: Final = frozenset({"unknown", "unknown artist", "various", "various artists", "va", "n a", "none"})


def alike(one: str, other: str) -> float:
    """Likeness of two folded strings: one less the share of letters that must change.

    The distance counts inserted, deleted, replaced and swapped neighbouring letters (optimal string alignment;
    Damerau 1964, doi:10.1145/363958.363994).

    Returns
    -------
    float
        1 for equal strings, else in [``LEAST_ALIKE``, 1), or 0 for what is less alike: not worth counting.
    """
    if one == other:
        return 1.0
    longer = max(len(one), len(other))
    if not one or not other:
        return 0.0
    mine, theirs = _without_shared_ends(one, other)
    shared = sum((Counter(mine) & Counter(theirs)).values())
    least = max(len(mine), len(theirs)) - shared  # no fewer letters can change than are not in the other
    if 1.0 - least / longer < LEAST_ALIKE:
        return 0.0
    likeness = 1.0 - _distance(mine, theirs) / longer
    return likeness if likeness >= LEAST_ALIKE else 0.0


def _without_shared_ends(one: str, other: str) -> tuple[str, str]:
    head = _shared_head(one, other)
    one, other = one[head:], other[head:]
    tail = _shared_head(one[::-1], other[::-1])
    return one[: len(one) - tail], other[: len(other) - tail]


def _shared_head(one: str, other: str) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (mine, theirs) in pairs if mine != theirs), min(len(one), len(other)))


def titles_alike(one: Title, other: Title) -> float:
    """Likeness of two titles, in [0, 1]; 0 where their versions or numbers differ, or one has no words.

    The order of the words plays no part: the better of both orders counts.
    """
    if not one.words or not other.words or one.version != other.version or one.numbers != other.numbers:
        return 0.0
    straight = alike(one.folded, other.folded)
    if straight == 1.0:
        return straight
    return max(straight, alike(" ".join(sorted(one.words)), " ".join(sorted(other.words))))


def artists_alike(one: frozenset[str], other: frozenset[str]) -> float | None:
    """Likeness of two lines of artists: of the two names in them that are most alike.

    A guest who is named on one side alone takes nothing away.

    Returns
    -------
    float or None
        In [0, 1]; None if either side names nobody.
    """
    if not one or not other:
        return None
    if one & other:
        return 1.0
    return max(
        max(alike(mine, theirs), alike(" ".join(sorted(mine.split())), " ".join(sorted(theirs.split()))))
        for mine in one
        for theirs in other
    )


def _plain(written: str) -> str:
    folded = unicodedata.normalize("NFKD", written).casefold().translate(_LETTERS)
    return "".join(char for char in folded if not unicodedata.combining(char)).strip()


def _words(text: str) -> tuple[str, ...]:
    text = text.replace("'", "").replace("&", " and ")
    return tuple(re.sub(r"[^\w]|_", " ", text).split())


def _takes(addition: str, version: set[str]) -> bool:
    """Tell whether an addition is about version, edition or guests, and note the version; else it is title."""
    words = _words(addition)
    if not words or _FEATURED.match(addition.strip()):
        return True
    named = VERSION_WORDS.intersection(words)
    version.update(named)
    return bool(named) or all(word in EDITION_WORDS or _is_year(word) for word in words)


def _is_year(word: str) -> bool:
    return len(word) == 4 and word.isdigit()


def _counted(words: tuple[str, ...]) -> tuple[str, ...]:
    read = []
    for place, word in enumerate(words):
        table = _ROMAN_COUNTED if place and words[place - 1] in _COUNTERS else _ROMAN
        number = table.get(word, word)
        read.append(number.lstrip("0") or "0" if number.isdigit() else number)
    return tuple(read)


def _distance(one: str, other: str) -> int:
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, mine in enumerate(one, start=1):
        line = [row]
        for column, theirs in enumerate(other, start=1):
            cost = min(last[column] + 1, line[column - 1] + 1, last[column - 1] + (mine != theirs))
            swapped = row > 1 and column > 1 and mine == other[column - 2] and one[row - 2] == theirs
            line.append(min(cost, before[column - 2] + 1) if swapped else cost)
        before, last = last, line
    return last[-1]
