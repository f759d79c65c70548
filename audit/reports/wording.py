"""How figures are put into words: one spelling of counts, times and answers for every page of a report."""

from __future__ import annotations

from lib.figures import count
from lib.figures import counted as counted
from provenance.rights import territory, titles
from provenance.rights.values import WORLD

WORDS = {
    "no_match": "no match",
    "review": "review",
    "blocked": "blocked",
    "unverifiable": "unverifiable",
    "allowed": "allowed",
    "constrained": "constrained",
    "not_allowed": "not allowed",
    "unknown": "unknown",
    "met": "met",
    "partly": "partly met",
    "not_met": "not met",
    "not_applicable": "not applicable",
    "not_assessed": "not assessed",
    "approved": "approved",
    "rejected": "rejected",
    "suspended": "suspended",
    "undecided": "undecided",
    "same_recording": "the same recording",
    "same_composition": "the same tune in another recording",
    "not_a_copy": "not a copy",
    "common_material": "common material",
}
NOT_KNOWN = "not known"


def word(answer: str) -> str:
    """The words for an answer's name; a name that is not known keeps its letters, without underscores."""
    return WORDS.get(answer, answer.replace("_", " "))


def licence(named: str) -> str:
    """The licence that a snapshot names, or the two of master and composition, by name, each identifier behind."""
    return " / ".join(titles.spelled(one) for one in named.split(" / "))


def place(code: str | None) -> str:
    """The name of a territory, its code before it; the world where none is named."""
    return "the world" if code in (None, "", WORLD) else territory.spelled(str(code))


def figure(value: float | None, digits: int = 3) -> str:
    """A measured number to ``digits`` significant digits, or that it is not known."""
    return NOT_KNOWN if value is None else f"{value:.{digits}g}"


def scalar(value: str | int | float | bool | None) -> str:
    """A value of evidence or configuration as a reader expects it."""
    if value is None:
        return NOT_KNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return count(value)
    if isinstance(value, float):
        return figure(value, 4)
    return value


def day(instant: str) -> str:
    """The date of an ISO 8601 instant."""
    return instant[:10]


def minute(instant: str) -> str:
    """An ISO 8601 instant without its seconds, in its own zone: ``2026-03-01 12:30 +00:00``."""
    zone = "+00:00" if instant.endswith("Z") else instant[19:][-6:]
    return f"{instant[:10]} {instant[11:16]} {zone}".strip()
