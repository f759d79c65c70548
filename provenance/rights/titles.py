"""What people call a licence: the catalogue's names of an SPDX expression, for who does not know its identifiers."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from provenance.rights.expressions import (
    UNRECOGNISED,
    Expression,
    Leaf,
    NotAnExpression,
    is_ported,
    licences_of,
    parse,
)
from provenance.rights.terms import UNVERSIONED

_WORDING: Final = re.compile(r" (?:Generic|Unported|International|Universal)\Z")
_VERSION: Final = re.compile(r" v?\d+(?:\.\d+)*\Z")
JOINED: Final = {"OR": ", or ", "AND": ", and "}


@lru_cache(maxsize=8192)
def title(expression: str) -> str:
    """Return the names of the licences of an expression.

    Parameters
    ----------
    expression : str
        As a statement or an answer holds it.

    Returns
    -------
    str
        A key that the catalogue lacks stays as it is, and so does what is no expression.
    """
    try:
        return _title(parse(expression))
    except NotAnExpression:
        return expression


def spelled(expression: str) -> str:
    """Return the names and, behind them, the expression itself where that says something else."""
    name = title(expression)
    return name if name == expression else f"{name} ({expression})"


def _title(tree: Expression) -> str:
    if isinstance(tree, Leaf):
        return _of_leaf(tree)
    return JOINED[tree.operator].join(
        _title(arg) if isinstance(arg, Leaf) else f"({_title(arg)})" for arg in tree.args
    )


def _of_leaf(leaf: Leaf) -> str:
    if leaf.key.startswith(UNRECOGNISED):
        return f"not recognised: “{leaf.key.removeprefix(UNRECOGNISED).replace('-', ' ')}”"
    licences = licences_of(leaf)
    if not licences:
        return str(leaf)
    if leaf.key.startswith(UNVERSIONED):
        return f"{_VERSION.sub('', _WORDING.sub('', licences[-1].name))}, version not stated"
    name = licences[0].name
    if is_ported(leaf):
        name = f"{_WORDING.sub('', name)} ({leaf.key.rpartition('-')[2]} wording)"
    later = " or later" if leaf.or_later or leaf.key.endswith("-or-later") else ""
    return f"{name}{later}{f' with {leaf.exception}' if leaf.exception else ''}"
