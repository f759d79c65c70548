"""Bilateral deals as others write them: tables, JSON and JSON lines, read into terms for each right.

One deal may give several rights on different terms. What is said for one right alone, as ``{"master": {…}}`` in JSON
or in columns such as ``master_territory``, replaces what the deal says for all of them.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from provenance.intake.cells import (
    ALIASES,
    LIKE,
    RIGHTS,
    SUBJECTS,
    Reading,
    ends_of,
    listed,
    parts,
    rows_of,
    spelt,
)
from provenance.intake.errors import IntakeError
from provenance.rights.terms import conditions as known_conditions
from provenance.rights.values import PURPOSES

REMUNERATIONS: Final = (
    "",
    "none",
    "flat",
    "pro_rata_track",
    "pro_rata_second",
    "revenue_share",
    "attribution",
)
TERMS: Final = (
    *("licensor", "licensee", "share", "basis", "purposes", "commercial", "territory"),
    *("valid_from", "valid_until", "sunset_on", "model_scope", "conditions", "output_uses"),
    *("exclusive", "exclusive_except", "sublicensing", "attribution", "revocable", "notice_days"),
    *("remuneration", "remuneration_terms", "chain_of_title", "document", "document_date"),
)
"""What may be said for each right apart."""
COLUMNS: Final = ("right", *SUBJECTS, *TERMS)
_YES: Final = frozenset({"true", "1", "yes", "y"})
_NO: Final = frozenset({"false", "0", "no", "n"})


@dataclass(frozen=True, slots=True)
class Terms:
    """One licensor's licence of one right."""

    right: str
    licensor: str
    licensee: str
    purposes: tuple[str, ...]
    share: Decimal | None = None
    """Percent of the right, above 0 to 100; None where the deal states none."""
    basis: str = "grant"
    commercial: bool = True
    territory: tuple[str, ...] = ()
    valid_from: date | None = None
    valid_until: date | None = None
    sunset_on: date | None = None
    model_scope: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    output_uses: tuple[str, ...] = ()
    exclusive: bool = False
    exclusive_except: tuple[str, ...] = ()
    """Licensees that it is not exclusive against; of a sole licence the licensor itself."""
    sublicensing: bool = False
    attribution: str = ""
    revocable: bool = True
    notice_days: int | None = None
    remuneration: str = ""
    remuneration_terms: str = ""
    chain_of_title: tuple[str, ...] = ()
    document: str = ""
    document_date: date | None = None


@dataclass(slots=True)
class Deal:
    """One row: what it gives, for which recordings, and what is wrong with it."""

    row: int
    terms: list[Terms] = field(default_factory=list)
    recordings: tuple[str, ...] = ()
    """External ids, ISRCs, sha256 or ids."""
    isrcs: tuple[str, ...] = ()
    works: tuple[str, ...] = ()
    """ISWCs."""
    dataset: str = ""
    problems: list[str] = field(default_factory=list)
    """Why it can't be registered; empty where it can."""
    notes: list[str] = field(default_factory=list)
    """What was read past."""


def read_deals(path: Path) -> Iterator[Deal]:
    """Read a file of deals.

    Parameters
    ----------
    path : Path
        A CSV or XLSX table, JSON (a list, or ``{"deals": […]}``, or one deal), or JSON lines.

    Yields
    ------
    Deal
        One a row, in order; a bad one has `problems`.

    Raises
    ------
    IntakeError
        If it can't be read, or lacks obligatory columns: all of them are named at once.
    """
    for row, written in rows_of(path, noun="deal", within=("deals", "grants"), check_header=_check_header):
        yield deal_of(row, written)


def _check_header(name: str, header: Sequence[str]) -> None:
    split = [_split(column) for column in header]
    known = {term for _, term in split} | {"right" for right, _ in split if right}
    if missing := [term for term in ("licensor", "licensee", "right", "purposes") if term not in known]:
        raise IntakeError(
            f"{name} lacks the columns {', '.join(missing)}; a file of grants has {', '.join(COLUMNS)}, and a "
            "column such as master_territory for what holds for one right alone"
        )


def deal_of(row: int, written: Mapping[str, Any]) -> Deal:
    """Read one deal.

    Parameters
    ----------
    row : int
        Where it stands.
    written : mapping
        Its words by column, or by the names of a JSON object.

    Returns
    -------
    Deal
        With `problems` where it is not good; then its terms are to be left alone.
    """
    deal = Deal(row)
    shared, apart = _sorted_out(written, deal)
    deal.recordings = listed(shared.get("recordings"), ";")
    deal.isrcs = listed(shared.get("isrc"))
    deal.works = listed(shared.get("works"))
    deal.dataset = str(shared.get("dataset") or "").strip()
    rights = _rights(shared.get("right"), apart, deal.problems)
    for right in rights or RIGHTS[:1]:  # without a right it is read for what else is wrong
        own = {**shared, **apart.get(right, {})}
        deal.terms += _of_right(right, own, deal.problems)
    deal.problems = list(dict.fromkeys(deal.problems))
    return deal


def _sorted_out(written: Mapping[str, Any], deal: Deal) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Sort what is said for all rights from what is said for one."""
    shared: dict[str, Any] = {}
    apart: dict[str, dict[str, Any]] = {}
    for name, said in written.items():
        if said in (None, "", []):
            continue
        if name.strip().lower() in RIGHTS and isinstance(said, Mapping):
            section = apart.setdefault(name.strip().lower(), {})
            for inner, value in said.items():
                _take(inner, value, section, deal, of_right=True)
            continue
        right, term = _split(name)
        _take(term, said, apart.setdefault(right, {}) if right else shared, deal, of_right=bool(right))
    return shared, apart


def _split(name: str) -> tuple[str, str]:
    """Return the right that a column speaks of, empty for all, and the term's one spelling."""
    folded = re.sub(r"[\s\-.]+", "_", name.strip().lower())
    right, _, rest = folded.partition("_")
    if right in RIGHTS and spelt(rest) in (*TERMS, "period"):
        return right, spelt(rest)
    return "", spelt(folded)


def _take(name: str, said: Any, into: dict[str, Any], deal: Deal, *, of_right: bool) -> None:
    term = spelt(name)
    allowed = (*TERMS, "period") if of_right else (*COLUMNS, "period")
    if term == "period":
        into["valid_from"], into["valid_until"] = ends_of(said, deal.problems)
        return
    if term in allowed:
        into[term] = (
            [*parts(into[term], ";"), *parts(said, ";")] if term in SUBJECTS and term in into else said
        )
        return
    near = difflib.get_close_matches(term, [*allowed, *ALIASES], n=1, cutoff=LIKE)
    if near:  # to read past a misspelt limit would give more than the deal gives
        deal.problems.append(f"no term {name!r}: is {ALIASES.get(near[0], near[0])} meant?")
    else:
        deal.notes.append(f"{name} is not read")


def _rights(said: Any, apart: Mapping[str, object], problems: list[str]) -> list[str]:
    named = [word.lower() for word in listed(said)]
    if not named and apart:
        return [right for right in RIGHTS if right in apart]
    found: list[str] = []
    for word in named:
        if word in {"both", "all"}:
            found += ["master", "composition"]
        elif word in RIGHTS:
            found.append(word)
        else:
            problems.append(f"no right {word!r}: write master, composition, both, performance or lyrics")
    if not named:
        problems.append("no right is given: write master, composition or both")
    found += [right for right in apart if named and right not in found and right in RIGHTS]
    return list(dict.fromkeys(found))


def _of_right(right: str, said: Mapping[str, Any], problems: list[str]) -> list[Terms]:
    reading = _DealReading(right, said, problems)
    parties = reading.licensors()
    shared = reading.terms()
    total = sum((share for _, share in parties if share is not None), Decimal(0))
    if total > 100:
        problems.append(f"the shares of the {right} add up to {total.normalize():f} %")
    besides, is_sole = shared.pop("exclusive_except"), shared.pop("sole")
    return [
        Terms(
            right=right,
            licensor=name,
            share=share,
            exclusive_except=tuple(dict.fromkeys((*besides, name))) if is_sole else besides,
            **shared,
        )
        for name, share in parties
    ]


class _DealReading(Reading):
    """What deals alone say, of one right: licensors with their shares, purposes, conditions, the chain of title."""

    def __init__(self, right: str, said: Mapping[str, Any], problems: list[str]) -> None:
        super().__init__(said, problems)
        self._right = right

    def licensors(self) -> list[tuple[str, Decimal | None]]:
        said, shares = self._said.get("licensor"), self._said.get("share")
        if isinstance(said, Mapping):
            said = [said]
        if isinstance(said, list) and any(isinstance(one, Mapping) for one in said):
            named = [one if isinstance(one, Mapping) else {"name": one} for one in said]
            pairs = [
                (one.get("name", one.get("licensor")), one.get("share", one.get("share_percent")))
                for one in named
            ]
            return self._shared([str(name or "") for name, _ in pairs], [share for _, share in pairs])
        percents = parts(shares, ";")
        if len(percents) > 1 or isinstance(said, list):
            names = parts(said, ";")
            if len(percents) not in (0, len(names)):
                self._problems.append(
                    f"{len(names)} licensors of the {self._right} have {len(percents)} shares"
                )
                return []
            return self._shared(names, percents or [None] * len(names))
        return self._shared([str(said or "")], percents or [None])

    def _shared(self, names: Sequence[str], shares: Sequence[Any]) -> list[tuple[str, Decimal | None]]:
        folded = [" ".join(name.split()) for name in names]
        if not all(folded):
            self._problems.append("licensor is empty")
        if twice := {name for name in folded if folded.count(name) > 1}:
            self._problems.append(
                f"{', '.join(sorted(twice))} stands twice among the licensors of the {self._right}"
            )
        return [(name, self.share(share)) for name, share in zip(folded, shares, strict=True)]

    def terms(self) -> dict[str, Any]:
        period = (self.day("valid_from"), self.day("valid_until"))
        sunset = self.day("sunset_on")
        read: dict[str, Any] = {
            "licensee": self.text("licensee"),
            "purposes": self._purposes(),
            "basis": self.one_of("basis", ("grant", "own"), "grant"),
            "commercial": self._flag("commercial", default=True),
            "territory": self.territory(),
            "valid_from": period[0],
            "valid_until": period[1],
            "sunset_on": sunset,
            "model_scope": self._models(),
            "conditions": self._conditions(),
            "output_uses": self.words("output_uses"),
            **self._exclusivity(),
            "sublicensing": self._flag("sublicensing", default=False),
            "attribution": self._attribution(),
            "revocable": self._flag("revocable", default=True),
            "notice_days": self._days("notice_days"),
            "remuneration": self.one_of("remuneration", REMUNERATIONS, ""),
            "remuneration_terms": self.text("remuneration_terms"),
            "chain_of_title": self._chain(),
            "document": self.text("document"),
            "document_date": self.day("document_date"),
        }
        self._problems += [f"{name} is empty" for name in ("licensee", "purposes") if not read[name]]
        if period[0] and period[1] and period[1] <= period[0]:
            self._problems.append("valid_until is not after valid_from (its end is exclusive)")
        if sunset and period[0] and sunset <= period[0]:
            self._problems.append("sunset_on is not after valid_from: weights could never be used")
        return read

    def _exclusivity(self) -> dict[str, Any]:
        is_sole = str(self._said.get("exclusive", "")).strip().lower() == "sole"
        exclusive = is_sole or self._flag("exclusive", default=False)
        besides = listed(self._said.get("exclusive_except"), ";")
        if besides and not exclusive:
            self._problems.append("exclusive_except names licensees, and the deal is not exclusive")
        return {"exclusive": exclusive, "exclusive_except": besides, "sole": is_sole}

    def _attribution(self) -> str:
        """Return the wording that is owed; empty for a plain no."""
        words = self.text("attribution")
        return "" if words.lower() in {*_NO, "none"} else words

    def _models(self) -> tuple[str, ...]:
        named = self.words("model_scope")
        for model in named:
            name, at, version = model.partition("@")
            if not name or (at and not version):
                self._problems.append(
                    f"model_scope {model!r} names no model: write tide, or tide@2 for one version"
                )
        return named

    def _chain(self) -> tuple[str, ...]:
        said = self._said.get("chain_of_title")
        return listed(said.replace("->", ">") if isinstance(said, str) else said, ";>→")

    def _purposes(self) -> tuple[str, ...]:
        named = [re.sub(r"[\s\-]+", "_", word.lower()) for word in self.words("purposes")]
        if named == ["all"]:
            return PURPOSES
        if unknown := [word for word in named if word not in PURPOSES]:
            self._problems.append(f"no purpose {', '.join(unknown)}: choose among {', '.join(PURPOSES)}")
        return tuple(dict.fromkeys(named))

    def _conditions(self) -> tuple[str, ...]:
        named = self.words("conditions")
        if unknown := [condition for condition in named if condition not in known_conditions()]:
            self._problems.append(
                f"no condition {', '.join(unknown)}: choose among {', '.join(sorted(known_conditions()))}"
            )
        return named

    def _flag(self, name: str, *, default: bool) -> bool:
        word = str(self._said.get(name, default)).strip().lower()
        if word in _YES | _NO:
            return word in _YES
        self._problems.append(f"{name} is {self._said.get(name)!r}: write true or false")
        return False

    def _days(self, name: str) -> int | None:
        word = str(self._said.get(name, "")).strip()
        if not word:
            return None
        if not word.isdecimal() or int(word) > 36500:
            self._problems.append(f"{name} is {word!r}: write a number of days")
            return None
        return int(word)
