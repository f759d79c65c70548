"""Reservations as a TDM Reservation Protocol file (W3C community group report, 10 May 2024)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ReservedLocation:
    """A path of a site, and whether text and data mining of it is reserved."""

    location: str
    """A path pattern that starts with a slash."""
    reserved: bool
    policy_url: str = ""


def tdmrep(locations: Iterable[ReservedLocation]) -> list[dict[str, Any]]:
    """Return the content of ``/.well-known/tdmrep.json``.

    Raises
    ------
    ValueError
        If a location does not start with a slash.
    """
    rules: list[dict[str, Any]] = []
    for one in locations:
        if not one.location.startswith("/"):
            raise ValueError(f"location {one.location!r} must start with a slash")
        rule: dict[str, Any] = {"location": one.location, "tdm-reservation": int(one.reserved)}
        if one.policy_url:
            rule["tdm-policy"] = one.policy_url
        rules.append(rule)
    return rules
