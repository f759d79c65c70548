"""The form of ai.txt as Spawning publishes it: groups of Disallow and Allow by file type, about training only.

The form is that of robots.txt (https://spawning.ai/ai-txt); other files of that name, with other forms, are refused
rather than half understood.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from provenance.rights.optouts.addresses import WHOLE_SITE, absolute, matches, path_of
from provenance.rights.optouts.findings import TRAINING, Finding, OptOutError, Reading, Snapshot, text_of

MAX_LINES: Final = 20_000
_DIRECTIVES: Final = ("user-agent", "allow", "disallow")


def read(snapshot: Snapshot) -> Reading:
    """Read an ai.txt: one finding where it disallows anything to everybody.

    Raises
    ------
    OptOutError
        If no line of it is a directive of this form, or it is too large.
    """
    raw = text_of(snapshot)
    rules = _rules(raw)
    closed = [pattern for allowed, pattern in rules if not allowed]
    if not closed:
        return Reading()
    note = f"training reserved for {', '.join(closed[:8])}"
    return Reading(
        (Finding("ai_txt", TRAINING, location=absolute(WHOLE_SITE, snapshot.url), raw=raw, note=note),)
    )


def denied(raw: str, url: str) -> bool:
    """Say whether an ai.txt keeps an address from training: the longest pattern decides, of equal ones the closing."""
    path = path_of(url)
    covering = [(len(pattern), not allowed) for allowed, pattern in _rules(raw) if _covers(pattern, path)]
    return max(covering, default=(0, False))[1]


def _covers(pattern: str, path: str) -> bool:
    """Match with RFC 9309's patterns; one that starts with neither ``/`` nor ``*`` may begin anywhere."""
    whole = pattern if pattern.startswith(("/", "*")) else f"*{pattern}"
    return matches(whole.lower(), path.lower())  # .MP3 is an .mp3


@lru_cache(maxsize=64)
def _rules(raw: str) -> tuple[tuple[bool, str], ...]:
    """Return (allowed, pattern) of the groups for everybody; lines before any group count as such."""
    rules: list[tuple[bool, str]] = []
    for_all, in_rules, seen = True, True, False
    lines = raw.splitlines()
    if len(lines) > MAX_LINES:
        raise OptOutError(f"ai.txt has {len(lines)} lines: {MAX_LINES} are read at most.")
    for line in lines:
        name, colon, value = (part.strip() for part in line.partition("#")[0].partition(":"))
        name = name.lower()
        if not colon or name not in _DIRECTIVES:
            continue
        seen = True
        if name == "user-agent":
            for_all = (for_all and not in_rules) or value == "*"
            in_rules = False
            continue
        in_rules = True
        if for_all and value:
            rules.append((name == "allow", value))
    if not seen:
        raise OptOutError(
            "this ai.txt has no User-Agent, Allow or Disallow line: its form is not known here."
        )
    return tuple(rules)
