"""The robots.txt of RFC 9309: which crawlers for training and mining a site turns away.

The Code of Practice for general-purpose AI models (copyright chapter, measure 1.3) names this protocol. What
counts: the crawlers of ``crawlers.yaml``, each for the use its operator documents, and the asker's own agent,
which a line for ``*`` covers too. A line for ``*`` alone says nothing about the others' training here: they are
held to the name they publish.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from provenance.rights.errors import CatalogueError
from provenance.rights.optouts.addresses import WHOLE_SITE, absolute, path_of
from provenance.rights.optouts.findings import EVERYTHING, TRAINING, Finding, Reading, Snapshot, text_of

if TYPE_CHECKING:
    from protego import Protego

OWN_AGENT: Final = "LinerNotes"
"""The product token of our own fetcher, unless the installation names another."""
SHOWN: Final = 8
"""Patterns named in a note; the file itself is kept whole."""
CONFIRMED: Final = ("operator", "cited", "no")
"""How far it was checked what an agent is for: the operator's page was read, others cite it, nothing was found."""
_USES: Final[dict[str, frozenset[str]]] = {"training": TRAINING, "inference": frozenset({"ai_inference"})}
_SITE: Final = "https://site.invalid"


@dataclass(frozen=True, slots=True)
class Crawler:
    """A crawler by its product token, who runs it and what for."""

    agent: str
    operator: str
    use: str
    source: str
    """Where the operator says so; empty where no such place was found."""
    confirmed: str
    """One of `CONFIRMED`."""
    note: str = ""

    @property
    def purposes(self) -> frozenset[str]:
        """Our purposes that turning it away reserves."""
        return _USES[self.use]


@lru_cache(maxsize=1)
def crawlers() -> tuple[Crawler, ...]:
    """Return the crawlers that count.

    Raises
    ------
    CatalogueError
        If the file that names them is wrong.
    """
    path = Path(__file__).with_name("crawlers.yaml")
    said: list[dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    try:
        found = tuple(Crawler(**one) for one in said)
    except TypeError as error:
        raise CatalogueError(f"crawlers.yaml: {error}") from error
    if unknown := [one.agent for one in found if one.use not in _USES]:
        raise CatalogueError(f"crawlers.yaml: no use of {', '.join(unknown)}: write training or inference")
    if unsaid := [one.agent for one in found if one.confirmed not in CONFIRMED]:
        raise CatalogueError(f"crawlers.yaml: {', '.join(unsaid)} confirmed by? write {', '.join(CONFIRMED)}")
    return found


def read(snapshot: Snapshot, *, own_agent: str = OWN_AGENT) -> Reading:
    """Read a robots.txt: one finding for each use that is denied anywhere on the site.

    Parameters
    ----------
    snapshot : Snapshot
        The file. Bytes that are no UTF-8 do not hide the lines beside them.
    own_agent : str
        The asker's own product token; turned away, everything is reserved.

    Returns
    -------
    Reading
        Findings hold the whole file, and `denied` decides by it for each address.

    Raises
    ------
    OptOutError
        If it is too large, or UTF-16.
    """
    raw = text_of(snapshot)
    findings = []
    for purposes in (EVERYTHING, *_USES.values()):
        closed = {agent: _closed_to(raw, agent) for agent in _agents(purposes, own_agent)}
        if names := [agent for agent, patterns in closed.items() if patterns]:
            patterns = dict.fromkeys(pattern for agent in names for pattern in closed[agent])
            note = f"{', '.join(map(_told, names))} turned away from {', '.join(list(patterns)[:SHOWN])}"
            findings.append(
                Finding("robots", purposes, location=absolute(WHOLE_SITE, snapshot.url), raw=raw, note=note)
            )
    return Reading(tuple(findings))


def denied(raw: str, url: str, purposes: frozenset[str], *, own_agent: str = OWN_AGENT) -> tuple[str, ...]:
    """Return the agents that a robots.txt turns away from an address, of those that stand for ``purposes``."""
    asked = _SITE + path_of(url)
    rules = _parsed(raw)
    return tuple(agent for agent in _agents(purposes, own_agent) if not _may_fetch(rules, raw, asked, agent))


def _told(agent: str) -> str:
    """Return an agent's name, and beside it where nobody confirmed what it is for."""
    unconfirmed = any(one.agent == agent and one.confirmed == "no" for one in crawlers())
    return f"{agent} (what for is unconfirmed)" if unconfirmed else agent


def _agents(purposes: frozenset[str], own_agent: str) -> list[str]:
    if purposes == EVERYTHING:
        return [own_agent]
    return [one.agent for one in crawlers() if one.purposes == purposes]


@lru_cache(maxsize=64)
def _parsed(raw: str) -> Protego:
    from protego import Protego

    return Protego.parse(raw)


def _may_fetch(rules: Protego, raw: str, url: str, agent: str) -> bool:
    if agent.lower() not in _named(raw) and agent.lower() in _known():
        return True  # not named: a line for * is about crawling, not about this operator's training
    return bool(rules.can_fetch(url, agent))


@lru_cache(maxsize=1)
def _known() -> frozenset[str]:
    return frozenset(one.agent.lower() for one in crawlers())


@lru_cache(maxsize=64)
def _named(raw: str) -> frozenset[str]:
    return frozenset(value.lower() for name, value in _lines(raw) if name == "user-agent")


def _lines(raw: str) -> list[tuple[str, str]]:
    said = []
    for line in raw.splitlines():
        name, colon, value = line.partition("#")[0].partition(":")
        if colon:
            said.append((name.strip().lower(), value.strip()))
    return said


def _closed_to(raw: str, agent: str) -> list[str]:
    """Return the Disallow patterns of the file that close something to an agent."""
    rules = _parsed(raw)
    patterns = dict.fromkeys(value for name, value in _lines(raw) if name == "disallow" and value)
    return [
        pattern
        for pattern in patterns
        if any(not _may_fetch(rules, raw, _SITE + path, agent) for path in _examples(pattern))
    ]


def _examples(pattern: str) -> tuple[str, ...]:
    """Return paths that a pattern covers: the shortest, and one below it."""
    path = pattern.rstrip("$").replace("*", "x")
    path = path if path.startswith("/") else f"/{path}"
    return (path,) if pattern.endswith("$") else (path, f"{path}x")
