"""IETF AI preferences: the ``Content-Usage`` field and robots.txt directive.

Sources: draft-ietf-aipref-attach-05 (19 August 2026) and draft-ietf-aipref-vocab. Both are drafts, and the
vocabulary is still disputed: what is read here are the labels that drafts have used for training and mining, each
finding says that it rests on a draft, and the field is kept as it was.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from provenance.rights.optouts.addresses import WHOLE_SITE, absolute, matches, path_of
from provenance.rights.optouts.findings import EVERYTHING, TRAINING, Finding, Reading, Snapshot, text_of

DRAFT: Final = "draft-ietf-aipref-attach-05"
_NOTE: Final = f"a draft standard ({DRAFT}): read as far as its vocabulary is stable"
_LABELS: Final[dict[str, frozenset[str]]] = {
    "train-ai": TRAINING,
    "train-genai": frozenset({"ai_generative_training"}),
    "genai": frozenset({"ai_generative_training"}),
    "ai": TRAINING,
    "ai-use": frozenset({"ai_inference"}),
    "ai-input": frozenset({"ai_inference"}),
    "tdm": EVERYTHING,
    "bots": EVERYTHING,
    "all": EVERYTHING,
}
"""What each label reserves when it says no."""
_PAIR: Final = re.compile(r"^\s*([a-z*][a-z0-9_.*-]*)\s*=\s*(\?0|\?1|[a-z]+)\s*(?:;.*)?$", re.IGNORECASE)


def read_headers(headers: Iterable[tuple[str, str]], url: str) -> Reading:
    """Read the ``Content-Usage`` fields of an answer: a finding for each purpose denied, about that address."""
    said = [value for name, value in headers if name.strip().lower() == "content-usage"]
    if not said:
        return Reading()
    raw = "\n".join(f"Content-Usage: {value.strip()}" for value in said)
    return Reading(tuple(_findings(_denied(", ".join(said)), url, raw)))


def read_robots(snapshot: Snapshot) -> Reading:
    """Read the ``Content-Usage: [path] label=n`` lines of a robots.txt (attach, section on robots.txt)."""
    raw = text_of(snapshot)
    denied = [purposes for _, said in _directives(raw) for purposes in _denied(said)]
    return Reading(tuple(_findings(denied, absolute(WHOLE_SITE, snapshot.url), raw)))


def denies(raw: str, url: str, purposes: frozenset[str]) -> bool:
    """Say whether the lines of a robots.txt, or a kept header, deny ``purposes`` for an address.

    The longest path decides, as for Disallow; a line without a path is for the whole site.
    """
    path = path_of(url)
    covering = [(len(where), said) for where, said in _directives(raw) if matches(where, path)]
    longest = max((length for length, _ in covering), default=0)
    return any(purposes in _denied(said) for length, said in covering if length == longest)


def _directives(raw: str) -> list[tuple[str, str]]:
    found = []
    for line in raw.splitlines():
        name, colon, value = line.partition("#")[0].partition(":")
        if not colon or name.strip().lower() != "content-usage":
            continue
        where, *rest = value.split(None, 1)[:2] or [""]
        found.append((where, "".join(rest)) if where.startswith("/") else ("/", value))
    return found


def _denied(said: str) -> list[frozenset[str]]:
    """Return what a field's value denies; labels and values that are not known say nothing."""
    found = []
    for member in said.split(","):
        pair = _PAIR.match(member)
        if pair is None or pair[2].lower() not in {"n", "no", "?0"}:
            continue
        label = pair[1].lower()
        if label in _LABELS:
            found.append(_LABELS[label])
    return list(dict.fromkeys(found))


def _findings(denied: list[frozenset[str]], location: str, raw: str) -> list[Finding]:
    return [
        Finding("aipref", purposes, location=location, raw=raw, note=_NOTE)
        for purposes in dict.fromkeys(denied)
    ]
