"""Claims to rights as others write them: who holds how much of which right, where, from when, and who says so."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from provenance.intake.cells import LIKE, RIGHTS, SUBJECTS, Reading, ends_of, listed, rows_of, spelt
from provenance.intake.errors import IntakeError
from provenance.rights.identifiers import CHECKS
from provenance.rights.values import SOURCES

IDENTIFIERS: Final = ("isni", "ipi_name", "ipi_base", "dpid")
COLUMNS: Final = (
    *("party", *IDENTIFIERS, "right", "role", "share", "territory", "valid_from", "valid_until"),
    *("source", "evidence", "document", *SUBJECTS),
)
OBLIGATORY: Final = ("party", "right")
_ALIASES: Final = {
    "ipi": "ipi_name",
    "ipi_name_number": "ipi_name",
    "ipi_base_number": "ipi_base",
    "holder": "party",
    "rights_holder": "party",
    "owner": "party",
    "name": "party",
}


@dataclass(slots=True)
class ClaimRow:
    """One row: a party's claim to one or several rights of some recordings."""

    row: int
    party: str = ""
    identifiers: dict[str, str] = field(default_factory=dict)
    """By scheme, as they were written."""
    rights: tuple[str, ...] = ()
    role: str = ""
    share: Decimal | None = None
    """Percent, above 0 to 100; None where none is stated."""
    territory: tuple[str, ...] = ()
    valid_from: date | None = None
    valid_until: date | None = None
    source: str = "steward"
    evidence: str = ""
    document: str = ""
    recordings: tuple[str, ...] = ()
    isrcs: tuple[str, ...] = ()
    works: tuple[str, ...] = ()
    dataset: str = ""
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What was kept although it is not right, and what was read past."""


def read_claims(path: Path) -> Iterator[ClaimRow]:
    """Read a file of claims: a CSV or XLSX table, JSON, or JSON lines.

    Yields
    ------
    ClaimRow
        One a row, in order; a bad one has `problems`.

    Raises
    ------
    IntakeError
        If it can't be read, or lacks obligatory columns: all of them are named at once.
    """
    for row, written in rows_of(path, noun="claim", within=("claims",), check_header=_check_header):
        yield claim_of(row, written)


def _check_header(name: str, header: Sequence[str]) -> None:
    known = {_term(column) for column in header}
    if missing := [term for term in OBLIGATORY if term not in known]:
        raise IntakeError(
            f"{name} lacks the columns {', '.join(missing)}; a file of claims has {', '.join(COLUMNS)}"
        )


def claim_of(row: int, written: Mapping[str, Any]) -> ClaimRow:
    """Read one row.

    Parameters
    ----------
    row : int
        Where it stands.
    written : mapping
        Its words by column.

    Returns
    -------
    ClaimRow
        With `problems` where it is not good.
    """
    claim = ClaimRow(row)
    said: dict[str, Any] = {}
    for name, words in written.items():
        if words not in (None, "", []):
            _take(name, words, said, claim)
    reading = Reading(said, claim.problems)
    claim.party = reading.text("party")
    claim.rights = _rights(said.get("right"), claim.problems)
    claim.role = reading.text("role").lower()
    claim.share = reading.share(said.get("share"))
    claim.territory = reading.territory()
    claim.valid_from, claim.valid_until = reading.day("valid_from"), reading.day("valid_until")
    claim.source = reading.one_of("source", SOURCES, "steward")
    claim.evidence, claim.document = reading.text("evidence"), reading.text("document")
    claim.recordings = listed(said.get("recordings"), ";")
    claim.isrcs, claim.works = listed(said.get("isrc")), listed(said.get("works"))
    claim.dataset = reading.text("dataset")
    _check(claim, said)
    return claim


def _term(name: str) -> str:
    term = spelt(name)
    return _ALIASES.get(term, term)


def _take(name: str, words: Any, into: dict[str, Any], claim: ClaimRow) -> None:
    term = _term(name)
    if term == "period":
        into["valid_from"], into["valid_until"] = ends_of(words, claim.problems)
    elif term in COLUMNS:
        into[term] = (
            [*listed(into[term], ";"), *listed(words, ";")] if term in SUBJECTS and term in into else words
        )
    elif near := difflib.get_close_matches(term, COLUMNS, n=1, cutoff=LIKE):
        claim.problems.append(f"no term {name!r}: is {near[0]} meant?")
    else:
        claim.notes.append(f"{name} is not read")


def _rights(said: Any, problems: list[str]) -> tuple[str, ...]:
    found: list[str] = []
    for word in (one.lower() for one in listed(said)):
        if word == "both":
            found += ["master", "composition"]
        elif word in RIGHTS:
            found.append(word)
        else:
            problems.append(f"no right {word!r}: write master, composition, both, performance or lyrics")
    if not listed(said):
        problems.append("right is empty")
    return tuple(dict.fromkeys(found))


def _check(claim: ClaimRow, said: Mapping[str, Any]) -> None:
    if not claim.party:
        claim.problems.append("party is empty")
    if claim.valid_from and claim.valid_until and claim.valid_until <= claim.valid_from:
        claim.problems.append("valid_until is not after valid_from (its end is exclusive)")
    if len(claim.role) > 60:
        claim.problems.append("role has more than 60 characters")
    for scheme in IDENTIFIERS:
        written = " ".join(str(said.get(scheme) or "").split())
        if not written:
            continue
        claim.identifiers[scheme] = written[:40]
        checked = CHECKS[scheme](written)
        if not checked.valid:
            claim.notes.append(f"{scheme} {written} is not valid, and is kept as it is: {checked.why}")
