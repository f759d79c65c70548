"""Contradictions between sources and between recordings, each with both sides' evidence.

Nothing is decided here: a finding waits for a person, and until then the stricter side holds. Two recordings
are compared only where something says that they are one (the samples, the ear, an ISRC), or that they go by
one name; what is the same and agrees is no finding, however often it is registered.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, Literal

from provenance.rights.expressions import compatible
from provenance.rights.values import RIGHTS, Claim, Statement

Kind = Literal[
    "tag_against_package",
    "sources_disagree",
    "same_sound_two_licences",
    "one_recording_two_licences",
    "one_isrc_two_licences",
    "one_isrc_two_holders",
    "same_isrc",
    "same_title_and_artist",
    "one_holder_string_for_many",
]
MANY_HOLDERS = 3
"""From so many holders in one statement on, it no longer says who made the recording."""
FREE_TEXT: Final = frozenset({"embedded_tag", "package_file"})
"""Sources whose holders are written as people write them: several names may stand in one string."""
COMPANY_FORMS: Final = frozenset(
    {"inc", "incorporated", "llc", "ltd", "limited", "gmbh", "co", "corp", "sa", "ab"}
)
_BETWEEN_NAMES: Final = re.compile(r"[,;/&]|\band\b|\bet al\b", re.IGNORECASE)
_ADDRESS: Final = re.compile(r"<[^>]*>|\([^()\s]*\.[^()\s]*\)|\bhttps?://\S+", re.IGNORECASE)
NOBODY: Final = frozenset(
    {
        *("anonymous", "artist", "n a", "none", "no artist", "traditional", "trad", "unknown"),
        *("unknown artist", "various", "various artists", "va", "v a"),
    }
)
"""Folded names that name nobody: two titles by them have nothing in common."""


@dataclass(frozen=True, slots=True)
class Known:
    """What conflict search needs to know of a recording."""

    id: str
    statements: tuple[Statement, ...] = ()
    title: str = ""
    artist: str = ""
    isrc: str = ""
    samples_sha256: str = ""
    """Empty for a recording known by metadata alone: nobody can hear whether it is another."""
    claims: tuple[Claim, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """One contradiction. ``one`` and ``other`` are the same recording where its own sources disagree."""

    kind: Kind
    one: str
    other: str
    says: str
    one_evidence: tuple[Statement, ...] = ()
    other_evidence: tuple[Statement, ...] = ()
    one_claims: tuple[Claim, ...] = ()
    other_claims: tuple[Claim, ...] = ()

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
    """Yield where the sources about one recording disagree, once a pair of sources, for both rights together."""
    apart: dict[tuple[str, str], list[tuple[Statement, Statement]]] = defaultdict(list)
    for right in RIGHTS:
        said = [one for one in recording.statements if one.right == right and one.expression]
        for place, one in enumerate(said):
            for other in said[place + 1 :]:
                if one.source != other.source and not compatible(one.expression, other.expression):
                    apart[one.source, other.source].append((one, other))
    for pairs in apart.values():
        yield _disagreement(recording.id, pairs)
    yield from _many_holders(recording)


def stated_twice(recording: Known) -> Iterator[Finding]:
    """Yield where one source says two things of one recording: a row that was stated again, under another licence.

    Nothing is heard here, and nothing is in two places: it is one row, and what is said of it.
    """
    said: dict[tuple[str, str], list[Statement]] = defaultdict(list)  # two for both rights are one finding
    for one in recording.statements:
        said[one.source, one.expression].append(one)
    for ((source, _), mine), ((another, _), theirs) in itertools.combinations(said.items(), 2):
        if source != another:
            continue
        first, second = (replace(recording, statements=tuple(side)) for side in (mine, theirs))
        for finding in between(first, second, "one_recording_two_licences"):
            a, b = finding.one_evidence[0], finding.other_evidence[0]
            says = f"the {source.replace('_', ' ')} states it twice, as {a.expression} and as {b.expression} ({a.right})"
            yield replace(finding, says=says)


def between(one: Known, other: Known, kind: Kind = "same_sound_two_licences") -> Iterator[Finding]:
    """Yield where two recordings that are one, by their sound or their ISRC, are under different licences.

    Parameters
    ----------
    one, other : Known
    kind : {"same_sound_two_licences", "one_recording_two_licences", "one_isrc_two_licences", "same_title_and_artist"}
        What makes them one.

    Yields
    ------
    Finding
        One at most, with what both sides say of every right on which they contradict each other.
    """
    mine: list[Statement] = []
    theirs: list[Statement] = []
    says = ""
    for right in RIGHTS:
        ours = [said for said in one.statements if said.right == right and said.expression]
        others = [said for said in other.statements if said.right == right and said.expression]
        apart = [(a, b) for a in ours for b in others if not compatible(a.expression, b.expression)]
        if apart:
            mine += ours
            theirs += others
            says = says or _TWO_LICENCES[kind].format(
                one=apart[0][0].expression, other=apart[0][1].expression, right=right, isrc=one.isrc.upper()
            )
    if says:
        yield Finding(kind, one.id, other.id, says, tuple(mine), tuple(theirs))


_TWO_LICENCES: Final[dict[str, str]] = {
    "same_sound_two_licences": "the same sound is {one} in one place and {other} in another ({right})",
    "one_recording_two_licences": "one recording is {one} in one dataset and {other} in another ({right})",
    "one_isrc_two_licences": "the recording {isrc} is {one} in one place and {other} in another ({right})",
    "same_title_and_artist": "two recordings of this name are {one} and {other} ({right})",
}


def collisions(
    recordings: Iterable[Known],
    *,
    around: Collection[str] | None = None,
    alike: Collection[frozenset[str]] = (),
) -> Iterator[Finding]:
    """Yield contradictions between recordings that share samples, an ISRC, or title and artist.

    Parameters
    ----------
    recordings : iterable of Known
        All recordings that may be compared; grouped by key, so the cost grows with what collides.
    around : collection of str, optional
        Only findings that touch one of these; None means all.
    alike : collection of frozenset of str
        Pairs of ids that hold the same sound by ear: no collision, whatever their samples.

    Yields
    ------
    Finding
        In each group, recordings that say the same are compared once with those that say something else: n
        recordings under two licences give n - 1 findings and not n²; n that agree give none.
    """
    pairs = frozenset(alike)
    by_samples: defaultdict[str, list[Known]] = defaultdict(list)
    by_isrc: defaultdict[str, list[Known]] = defaultdict(list)
    by_name: defaultdict[tuple[str, str], list[Known]] = defaultdict(list)
    for recording in recordings:
        if recording.samples_sha256:
            by_samples[recording.samples_sha256].append(recording)
        if recording.isrc:
            by_isrc[recording.isrc.upper()].append(recording)
        if name := name_key(recording.title, recording.artist):
            by_name[name].append(recording)
    found = itertools.chain(
        *(_one_sound(group) for group in by_samples.values() if len(group) > 1),
        *(_one_isrc(group, around, pairs) for group in by_isrc.values() if len(group) > 1),
        *(_one_name(group, pairs) for group in by_name.values() if len(group) > 1),
    )
    for finding in found:
        if around is None or finding.one in around or finding.other in around:
            yield finding


def _one_sound(group: list[Known]) -> Iterator[Finding]:
    for one, other in _linked(group, _licences):
        yield from between(one, other)


def _one_isrc(
    group: list[Known], around: Collection[str] | None, alike: frozenset[frozenset[str]]
) -> Iterator[Finding]:
    """Yield two sounds under one ISRC; and where one of two can't be heard, what is said of them."""
    if not all(one.samples_sha256 for one in group):
        for one, other in _linked(group, _licences):
            if not (one.samples_sha256 and other.samples_sha256):
                yield from between(one, other, "one_isrc_two_licences")
        for one, other in _linked(group, _holders):
            if not (one.samples_sha256 and other.samples_sha256):
                yield from _two_holders(one, other)
    sounds = _sounds([one for one in group if one.samples_sha256], alike)
    heads = [next((one for one in sound if around and one.id in around), sound[0]) for sound in sounds]
    for one, other in itertools.pairwise(heads):
        says = f"two sounds carry the ISRC {one.isrc.upper()}"
        yield Finding(
            "same_isrc", one.id, other.id, says, one.statements, other.statements, one.claims, other.claims
        )


def _one_name(group: list[Known], alike: frozenset[frozenset[str]]) -> Iterator[Finding]:
    """Yield what goes by one name where holders or licences contradict each other; a name alone says too little."""
    for one, other in (*_linked(group, _licences), *_linked(group, _holders)):
        if _is_one(one, other, alike) or (one.isrc and other.isrc):
            continue  # compared by their sound, or by their ISRCs, already
        licences = list(between(one, other, "same_title_and_artist"))
        if licences:
            yield replace(licences[0], one_claims=one.claims, other_claims=other.claims)
        else:
            yield from _two_holders(one, other, "same_title_and_artist")


def _two_holders(one: Known, other: Known, kind: Kind = "one_isrc_two_holders") -> Iterator[Finding]:
    mine, theirs = _holders(one), _holders(other)
    if not mine or not theirs or mine & theirs:
        return
    what = (
        f"the recording {one.isrc.upper()}" if kind == "one_isrc_two_holders" else "the master of this name"
    )
    says = f"{what} belongs to {_owner(one)} in one place and to {_owner(other)} in another"
    claims = [tuple(claim for claim in side.claims if _is_owner(claim)) for side in (one, other)]
    yield Finding(kind, one.id, other.id, says, one.statements, other.statements, *claims)


def _is_one(one: Known, other: Known, alike: frozenset[frozenset[str]]) -> bool:
    same_samples = bool(one.samples_sha256) and one.samples_sha256 == other.samples_sha256
    return same_samples or frozenset((one.id, other.id)) in alike


def _sounds(group: list[Known], alike: frozenset[frozenset[str]]) -> list[list[Known]]:
    """Part recordings into those that sound the same; alike counts with any member."""
    sounds: list[list[Known]] = []
    for one in group:
        same = [sound for sound in sounds if any(_is_one(one, other, alike) for other in sound)]
        joined = [*itertools.chain(*same), one]
        sounds = [sound for sound in sounds if all(sound is not other for other in same)]
        sounds.append(joined)
    return sounds


def _linked(group: list[Known], says: Callable[[Known], Hashable]) -> Iterator[tuple[Known, Known]]:
    """Pair those that say different things: every one with the first of each other opinion, not with all of it."""
    opinions: dict[Hashable, list[Known]] = defaultdict(list)
    for one in group:
        if opinion := says(one):
            opinions[opinion].append(one)
    for some, others in itertools.combinations(opinions.values(), 2):
        for other in others:
            yield some[0], other
        for one in some[1:]:
            yield one, others[0]


def _licences(recording: Known) -> frozenset[tuple[str, str]]:
    return frozenset((said.right, said.expression) for said in recording.statements if said.expression)


def _holders(recording: Known) -> frozenset[str]:
    return frozenset(fold(claim.party) for claim in recording.claims if _is_owner(claim))


def _is_owner(claim: Claim) -> bool:
    return claim.right == "master" and not claim.is_credit


def _owner(recording: Known) -> str:
    return " and ".join(dict.fromkeys(claim.party for claim in recording.claims if _is_owner(claim)))


def name_key(title: str, artist: str) -> tuple[str, str] | None:
    """What two recordings of one name share; None where title or artist says nothing.

    Returns
    -------
    tuple of str or None
        Folded title and artist.
    """
    return (fold(title), fold(artist)) if fold(title) and names_somebody(artist) else None


def names_somebody(artist: str) -> bool:
    """Whether an artist's name is one: not empty, and no "Unknown Artist"."""
    return bool(fold(artist)) and fold(artist) not in NOBODY


def fold(text: str) -> str:
    """Fold a title or name for comparison: case, accents, punctuation and "feat." go.

    What stands in brackets stays: "Tune (Live)" is another recording than "Tune".
    """
    if not text.isascii():
        text = "".join(
            char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char)
        )
    text = _FEATURED.sub(" ", text.casefold())
    return " ".join(re.sub(r"[^\w\s]", " ", text).split())


_FEATURED: Final = re.compile(r"[(\[]?\b(?:feat|ft|featuring)\b\.?[^()\[\]]*[)\]]?")


def _disagreement(id: str, pairs: list[tuple[Statement, Statement]]) -> Finding:
    kind: Kind = "sources_disagree"
    one, other = pairs[0]
    if {one.source, other.source} == {"embedded_tag", "package_file"}:
        kind = "tag_against_package"
    says = (
        f"the {one.source.replace('_', ' ')} says {one.expression}, "
        f"the {other.source.replace('_', ' ')} says {other.expression} ({one.right})"
    )
    mine, theirs = (tuple(dict.fromkeys(side)) for side in zip(*pairs, strict=True))
    return Finding(kind, id, id, says, mine, theirs)


def _many_holders(recording: Known) -> Iterator[Finding]:
    for said in _unique(recording.statements):
        names = _names_in(said)
        unnamed = len(names) > 1 and any("others" in _words(name) for name in names)
        if not unnamed and len(names) < MANY_HOLDERS:
            continue
        artist = recording.artist if names_somebody(recording.artist) else ""
        if artist and any(_may_be_one(artist, name) for name in (*names, *said.holders)):
            continue  # the file says which of them made it
        shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
        maker = f"not {artist}, its artist" if artist else "nobody as its maker"
        says = f"{len(names)} holders are named, and {maker}: {shown}"
        yield Finding("one_holder_string_for_many", recording.id, recording.id, says, (said,))
        return


def _names_in(said: Statement) -> list[str]:
    """Return the names that a statement's holders are made of; a table's columns name one holder a cell."""
    if said.source not in FREE_TEXT:
        return list(said.holders)
    return list(dict.fromkeys(name for holder in said.holders for name in _split(holder)))


@lru_cache(maxsize=1024)
def _split(holder: str) -> tuple[str, ...]:
    """Part "Ann, Bob, Ltd. and others" into who is named; a company's form belongs to the name before it."""
    names: list[str] = []
    for piece in _BETWEEN_NAMES.split(_ADDRESS.sub(" ", holder)):
        whole = piece if piece.count("(") == piece.count(")") else re.sub(r"[()]", " ", piece)
        name = " ".join(whole.split()).strip(" .")
        if names and fold(name) in COMPANY_FORMS:
            names[-1] += f", {name}"
        elif fold(name):
            names.append(name)
    return tuple(names)


def _may_be_one(artist: str, holder: str) -> bool:
    """Whether an artist may be a holder: one name says all that the other says, and two words at least."""
    one, other = _words(artist), _words(holder)
    return one == other or (min(len(one), len(other)) > 1 and (one <= other or other <= one))


@lru_cache(maxsize=4096)
def _words(name: str) -> frozenset[str]:
    return frozenset(fold(name).split())


def _unique(statements: Sequence[Statement]) -> Iterator[Statement]:
    seen = set()
    for said in statements:
        if said.holders not in seen:
            seen.add(said.holders)
            yield said
