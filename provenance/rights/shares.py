"""Whether the shares that parties claim add up, in every place and at every time.

Shares of one right, from one source, sum to 100 % in each territory and period, or the gap and the overlap are
findings. Sources are never added together: two that name other holders are a disagreement, not 200 %.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from provenance.rights.names import party
from provenance.rights.territory import COUNTRIES, GROUPS, countries
from provenance.rights.values import Claim, ClaimedRight

SHARE_TOLERANCE: Final = 0.05
"""Percent. Shares have two decimals: a dozen cut off there (12 x 8.33) lack 0.04 together; 99.9 % lacks a holder."""


@dataclass(frozen=True, slots=True)
class ShareFinding:
    """Shares that don't sum to 100 % in some place, or two sources that name other holders."""

    kind: Literal["shares_gap", "shares_overlap", "claims_disagree"]
    right: ClaimedRight
    source: str
    """The source whose claims they are; of a disagreement the two, joined by ``/``."""
    share: float
    """Percent claimed there; of a disagreement 0."""
    territory: tuple[str, ...]
    """Where: countries, or a group's name where it is the whole group."""
    valid_from: date | None
    valid_until: date | None
    claims: tuple[Claim, ...]

    @property
    def says(self) -> str:
        """The finding in a sentence."""
        where = "" if self.territory == ("WORLD",) else f" in {_listed(self.territory)}"
        when = _span(self.valid_from, self.valid_until)
        if self.kind == "claims_disagree":
            return f"{self.source.replace('/', ' and ')} name other holders of the {self.right}{where}{when}"
        off = abs(100 - self.share)
        what = f"{off:g} % is claimed by nobody" if self.kind == "shares_gap" else f"{off:g} % too many"
        return f"the {self.right} is claimed at {self.share:g} %{where}{when} ({self.source}): {what}"


def share_findings(claims: Iterable[Claim]) -> list[ShareFinding]:
    """Find where claimed shares leave a gap, overlap, or differ between sources.

    Parameters
    ----------
    claims : iterable of Claim
        All claims to one recording. Credits, and claims whose source states no share, are not added up; where
        one stands beside stated shares only an overlap can be told.

    Returns
    -------
    list of ShareFinding
        At most one a right, source, kind and period; its territory joins the places that share it.

    Raises
    ------
    UnknownTerritory
        If a claim names a territory that nobody here knows.
    """
    grouped: dict[tuple[ClaimedRight, str], list[Claim]] = defaultdict(list)
    for claim in claims:
        if not claim.is_credit:
            grouped[claim.right, claim.source].append(claim)
    found = [finding for (_, _), group in sorted(grouped.items()) for finding in _sums(group)]
    by_right: dict[ClaimedRight, list[list[Claim]]] = defaultdict(list)
    for (right, _), group in sorted(grouped.items()):
        by_right[right].append(group)
    for groups in by_right.values():
        for place, one in enumerate(groups):
            found += [finding for other in groups[place + 1 :] for finding in _disagreement(one, other)]
    return found


class _Share(NamedTuple):
    """What of a claim is added up; equal ones of thousands of recordings are added once."""

    share: float | None
    territory: tuple[str, ...]
    valid_from: date | None
    valid_until: date | None


def _sums(group: list[Claim]) -> Iterator[ShareFinding]:
    shares = tuple(
        _Share(claim.share, claim.territory, claim.valid_from, claim.valid_until) for claim in group
    )
    for kind, total, where, begin, end, members in _off(shares):
        yield ShareFinding(
            kind, group[0].right, group[0].source, total, where, begin, end, tuple(group[i] for i in members)
        )


_Off = tuple[
    Literal["shares_gap", "shares_overlap"],
    float,
    tuple[str, ...],
    date | None,
    date | None,
    tuple[int, ...],
]


@lru_cache(maxsize=16384)
def _off(shares: tuple[_Share, ...]) -> tuple[_Off, ...]:
    found: list[_Off] = []
    regions = [countries(one.territory) for one in shares]
    for begin, end in _periods(shares):
        inside = [
            place for place, one in enumerate(shares) if _holds(one.valid_from, one.valid_until, begin, end)
        ]
        if not inside and (begin is None or end is None):
            continue  # before the first claim and after the last nobody says anything
        places: dict[tuple[int, ...], set[str]] = defaultdict(set)
        for country in COUNTRIES:
            places[tuple(place for place in inside if country in regions[place])].add(country)
        off: dict[float, tuple[set[str], set[int]]] = {}
        for members, where in places.items():
            stated = [shares[member].share for member in members]
            total = round(sum(share for share in stated if share is not None), 4)
            is_open = any(share is None for share in stated)
            if total > 100 + SHARE_TOLERANCE or (total < 100 - SHARE_TOLERANCE and not is_open):
                countries_of, members_of = off.setdefault(total, (set(), set()))
                countries_of |= where
                members_of |= set(members)
        for total, (where, taken) in sorted(off.items()):
            kind: Literal["shares_gap", "shares_overlap"] = "shares_gap" if total < 100 else "shares_overlap"
            about = taken or set(inside) or _beside(shares, begin, end)
            found.append((kind, total, _named(where), begin, end, tuple(sorted(about))))
    return tuple(found)


def _beside(shares: tuple[_Share, ...], begin: date | None, end: date | None) -> set[int]:
    """Return the claims between which a period lies that none of them covers."""
    return {place for place, one in enumerate(shares) if one.valid_until == begin or one.valid_from == end}


def _disagreement(one: list[Claim], other: list[Claim]) -> Iterator[ShareFinding]:
    for begin, end in _periods([*one, *other]):
        mine = [claim for claim in one if _holds(claim.valid_from, claim.valid_until, begin, end)]
        theirs = [claim for claim in other if _holds(claim.valid_from, claim.valid_until, begin, end)]
        if not mine or not theirs:
            continue
        apart = {country for country in COUNTRIES if _are_apart(_held(mine, country), _held(theirs, country))}
        if apart:
            sources = f"{one[0].source}/{other[0].source}"
            yield ShareFinding(
                "claims_disagree", one[0].right, sources, 0.0, _named(apart), begin, end, (*mine, *theirs)
            )


def _held(claims: list[Claim], country: str) -> dict[str, float | None]:
    held: dict[str, float | None] = {}
    for claim in claims:
        if country in countries(claim.territory):
            name = party(claim.party)
            known = held.get(name)
            held[name] = claim.share if known is None else known + (claim.share or 0.0)
    return held


def _are_apart(one: dict[str, float | None], other: dict[str, float | None]) -> bool:
    """Say whether two sources contradict each other where both speak: other names, or other stated shares."""
    if not one or not other:
        return False
    if one.keys() != other.keys():
        return True
    pairs = [(one[name], other[name]) for name in one]
    return any(a is not None and b is not None and abs(a - b) > SHARE_TOLERANCE for a, b in pairs)


def _periods(claims: Iterable[Claim | _Share]) -> Iterator[tuple[date | None, date | None]]:
    """Split time at every day on which a claim begins or ends."""
    days = {claim.valid_from for claim in claims} | {claim.valid_until for claim in claims}
    marks: list[date | None] = [None, *sorted(day for day in days if day is not None), None]
    yield from itertools.pairwise(marks)


def _holds(valid_from: date | None, valid_until: date | None, begin: date | None, end: date | None) -> bool:
    """Say whether a claim holds all through a period that no claim's day splits."""
    starts = valid_from is None or (begin is not None and valid_from <= begin)
    lasts = valid_until is None or (end is not None and end <= valid_until)
    return starts and lasts


def _named(where: set[str]) -> tuple[str, ...]:
    for name, members in GROUPS.items():
        if where == members:
            return (name,)
    missing = sorted(COUNTRIES - where)
    if len(missing) < len(COUNTRIES) // 2:
        return ("WORLD", *(f"-{country}" for country in missing))
    return tuple(sorted(where))


def _listed(territory: tuple[str, ...]) -> str:
    if territory[0] == "WORLD":
        return "the world without " + ", ".join(code[1:] for code in territory[1:6]) + _more(territory[6:])
    return ", ".join(territory[:6]) + _more(territory[6:])


def _more(rest: tuple[str, ...]) -> str:
    return f" and {len(rest)} more" if rest else ""


def _span(valid_from: date | None, valid_until: date | None) -> str:
    begin = f" from {valid_from.isoformat()}" if valid_from else ""
    return begin + (f" until {valid_until.isoformat()}" if valid_until else "")
