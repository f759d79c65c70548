"""Contradictions between sources and between recordings, each with both sides' evidence.

Nothing is decided here: a finding waits for a person, and until then the stricter side holds.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from provenance.rights.expressions import compatible
from provenance.rights.values import RIGHTS, Statement

Kind = Literal[
    "tag_against_package",
    "sources_disagree",
    "same_sound_two_licences",
    "same_isrc",
    "same_title_and_artist",
    "one_holder_string_for_many",
]
MANY_HOLDERS = 3
"""From so many holders in one statement on, it no longer says who made the recording."""


@dataclass(frozen=True, slots=True)
class Known:
    """What conflict search needs to know of a recording."""

    id: str
    statements: tuple[Statement, ...] = ()
    title: str = ""
    artist: str = ""
    isrc: str = ""
    samples_sha256: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One contradiction. ``one`` and ``other`` are the same recording where its own sources disagree."""

    kind: Kind
    one: str
    other: str
    says: str
    one_evidence: tuple[Statement, ...] = ()
    other_evidence: tuple[Statement, ...] = ()

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes it the same finding when it is found again."""
        first, second = sorted((self.one, self.other))
        return self.kind, first, second


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """Make one finding of all that say the same kind of thing of the same pair.

    Parameters
    ----------
    findings : iterable of Finding
        In any orientation; the first of a pair says which side is ``one``.

    Returns
    -------
    list of Finding
        In the order of the first of each pair, with the evidence of all; where a recording disagrees with
        itself, ``one_evidence`` is what says the same as the first statement found, ``other_evidence`` the rest.
    """
    groups: dict[tuple[str, str, str], list[Finding]] = defaultdict(list)
    for finding in findings:
        groups[finding.key].append(finding)
    return [_joined(group) for group in groups.values()]


def _joined(group: list[Finding]) -> Finding:
    first = group[0]
    if len(group) == 1:
        return first
    sides = [
        (one.one_evidence, one.other_evidence)
        if one.one == first.one
        else (one.other_evidence, one.one_evidence)
        for one in group
    ]
    mine = tuple(dict.fromkeys(said for side, _ in sides for said in side))
    theirs = tuple(dict.fromkeys(said for _, side in sides for said in side))
    if first.one == first.other and theirs:
        every = tuple(dict.fromkeys((*mine, *theirs)))
        mine = tuple(said for said in every if said.expression == first.one_evidence[0].expression)
        theirs = tuple(said for said in every if said not in mine)
    says = list(dict.fromkeys(one.says for one in group))
    more = f" (and {len(says) - 1} more such)" if len(says) > 1 else ""
    return replace(first, says=says[0] + more, one_evidence=mine, other_evidence=theirs)


def within(recording: Known) -> Iterator[Finding]:
    """Yield where the sources about one recording disagree, once a pair of sources."""
    seen: set[tuple[str, str]] = set()
    for right in RIGHTS:
        said = [one for one in recording.statements if one.right == right and one.expression]
        for place, one in enumerate(said):
            for other in said[place + 1 :]:
                pair = (one.source, other.source)
                if one.source == other.source or pair in seen or compatible(one.expression, other.expression):
                    continue
                seen.add(pair)
                yield _disagreement(recording.id, one, other)
    yield from _many_holders(recording)


def between(one: Known, other: Known) -> Iterator[Finding]:
    """Yield where two recordings of the same sound, found by hash or by ear, are under different licences."""
    for right in RIGHTS:
        mine = tuple(said for said in one.statements if said.right == right and said.expression)
        theirs = tuple(said for said in other.statements if said.right == right and said.expression)
        apart = [(a, b) for a in mine for b in theirs if not compatible(a.expression, b.expression)]
        if apart:
            first, second = apart[0]
            says = f"the same sound is {first.expression} in one place and {second.expression} in another ({right})"
            yield Finding("same_sound_two_licences", one.id, other.id, says, mine, theirs)
            return


def collisions(recordings: Iterable[Known]) -> Iterator[Finding]:
    """Yield recordings that share samples under two licences, an ISRC, or title and artist.

    Parameters
    ----------
    recordings : iterable of Known
        All recordings that may be compared; grouped by key, so the cost grows with what collides.

    Yields
    ------
    Finding
        Neighbours in each group, so that n recordings with one ISRC give n - 1 findings and not n².
    """
    groups: dict[Kind, defaultdict[object, list[Known]]] = {
        "same_sound_two_licences": defaultdict(list),
        "same_isrc": defaultdict(list),
        "same_title_and_artist": defaultdict(list),
    }
    for recording in recordings:
        if recording.samples_sha256:
            groups["same_sound_two_licences"][recording.samples_sha256].append(recording)
        if recording.isrc:
            groups["same_isrc"][recording.isrc.upper()].append(recording)
        title, artist = fold(recording.title), fold(recording.artist)
        if title and artist:
            groups["same_title_and_artist"][title, artist].append(recording)
    for kind, by_key in groups.items():
        for key, group in by_key.items():
            for one, other in itertools.pairwise(group):
                yield from _collision(kind, key, one, other)


def fold(text: str) -> str:
    """Fold a title or name for comparison: case, accents, punctuation, bracketed additions and "feat." go."""
    text = "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
    text = re.sub(r"[\(\[].*?[\)\]]|\b(?:feat|ft)\b\.?.*", " ", text.casefold())
    return " ".join(re.sub(r"[^\w\s]", " ", text).split())


def _collision(kind: Kind, key: object, one: Known, other: Known) -> Iterator[Finding]:
    if one.samples_sha256 and one.samples_sha256 == other.samples_sha256:
        if kind == "same_sound_two_licences":
            yield from between(one, other)
        return
    if kind == "same_isrc":
        yield Finding(
            kind, one.id, other.id, f"two sounds carry the ISRC {key}", one.statements, other.statements
        )
    elif kind == "same_title_and_artist":
        says = f"two sounds are called {one.title!r} by {one.artist!r}"
        yield Finding(kind, one.id, other.id, says, one.statements, other.statements)


def _disagreement(id: str, one: Statement, other: Statement) -> Finding:
    kind: Kind = "sources_disagree"
    if {one.source, other.source} == {"embedded_tag", "package_file"}:
        kind = "tag_against_package"
    says = (
        f"the {one.source.replace('_', ' ')} says {one.expression}, "
        f"the {other.source.replace('_', ' ')} says {other.expression} ({one.right})"
    )
    return Finding(kind, id, id, says, (one,), (other,))


def _many_holders(recording: Known) -> Iterator[Finding]:
    for said in _unique(recording.statements):
        if len(said.holders) >= MANY_HOLDERS:
            names = ", ".join(said.holders[:5]) + (", …" if len(said.holders) > 5 else "")
            says = f"{len(said.holders)} holders are named and none is said to have made it: {names}"
            yield Finding("one_holder_string_for_many", recording.id, recording.id, says, (said,))
            return


def _unique(statements: Sequence[Statement]) -> Iterator[Statement]:
    seen = set()
    for said in statements:
        if said.holders not in seen:
            seen.add(said.holders)
            yield said
