"""The four legal bases of the Fairly Trained criteria, as a rule pack over the engine's answers.

The rules are data (``bases.yaml``). They say on which basis something stands, not whether it may be used:
`provenance.rights.clearance` answers that.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import yaml

from provenance.rights.errors import RightsError
from provenance.rights.territory import COUNTRIES, countries
from provenance.rights.values import ANSWERS, Answer, Basis

FORMAT: Final = "liner-notes-bases/1"
PACK: Final = Path(__file__).with_name("bases.yaml")


@dataclass(frozen=True, slots=True)
class LegalBasis:
    """One ground on which an item may stand."""

    id: str
    says: str
    basis: str
    """The engine's basis that it comes from."""
    everywhere: bool = False
    """Whether it counts only where it was asked for the whole world."""


@lru_cache(maxsize=1)
def legal_bases() -> dict[str, LegalBasis]:
    """Return the bases by the engine's basis that each comes from.

    Raises
    ------
    RightsError
        If the pack is of an unknown format.
    """
    return {one.basis: one for one in _pack()[1]}


def legal_basis(answer: Answer, basis: Basis | None, territory: str = "WORLD") -> str | None:
    """Say on which legal basis one right of a recording stands.

    Parameters
    ----------
    answer : Answer
        What the engine answered for that right.
    basis : Basis or None
        The basis it answered on.
    territory : str
        Where the use was asked for, as a territory code; public domain counts only asked for the world.

    Returns
    -------
    str or None
        ``contract``, ``open_licence``, ``public_domain`` or ``own``; None where it stands on none of them, a
        statutory exception included.

    Raises
    ------
    UnknownTerritory
        If nobody here knows the territory.
    """
    found = legal_bases().get(basis or "")
    if found is None or answer not in _pack()[0]:
        return None
    if found.everywhere and countries((territory or "WORLD",)) != COUNTRIES:
        return None
    return found.id


@lru_cache(maxsize=1)
def _pack() -> tuple[frozenset[str], tuple[LegalBasis, ...]]:
    read = yaml.safe_load(PACK.read_text(encoding="utf-8"))
    if read.get("format") != FORMAT:
        raise RightsError(f"{PACK.name} is {read.get('format')!r}, not {FORMAT}")
    answers = frozenset(read["answers"])
    if not answers <= set(ANSWERS):
        raise RightsError(f"{PACK.name} names answers that the engine does not give")
    bases = tuple(
        LegalBasis(id, one["says"], one["from"], one.get("territory") == "WORLD")
        for id, one in read["bases"].items()
    )
    return answers, bases
