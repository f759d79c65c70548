"""Terms with a first day and an end, as licences, claims, grants and memos have them."""

from __future__ import annotations

from datetime import date


def in_force(valid_from: date | None, valid_until: date | None, on: date) -> bool:
    """Say whether a term holds on a day: from its first day on, before its end; None = open."""
    return (valid_from is None or valid_from <= on) and (valid_until is None or on < valid_until)


def out_of_term(what: str, valid_from: date | None, valid_until: date | None, on: date) -> str:
    """Say why something whose term does not hold on a day doesn't."""
    if valid_from is not None and on < valid_from:
        return f"{what} holds only from {valid_from.isoformat()}"
    return f"{what} ended on {valid_until.isoformat() if valid_until else '?'}"
