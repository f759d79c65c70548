"""Reservations as a TDM Reservation Protocol file (W3C community group final report, 10 May 2024).

https://www.w3.org/community/reports/tdmrep/CG-FINAL-tdmrep-20240510/
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlsplit

_PATTERN: Final = re.compile(r"/(?:[A-Za-z0-9\-._~:/?@!&'()*+,;=\[\]]|%[0-9A-Fa-f]{2})*\$?\Z")
_IN_A_PATH: Final = "/%:@!&'(),;+=~-._"
"""What RFC 3986 lets stand in a path, less ``*`` and ``$``, which are signs of the pattern here."""
_WEB: Final = ("http", "https")


@dataclass(frozen=True, slots=True)
class ReservedLocation:
    """A path of a site, and whether text and data mining of it is reserved."""

    location: str
    """A path pattern that starts with a slash: ``*`` is any run of characters, a ``$`` at its end the end of the path,
    and all else is percent-encoded as in an address."""
    reserved: bool
    policy_url: str = ""
    """A web address, absolute."""


def tdmrep(locations: Iterable[ReservedLocation]) -> list[dict[str, Any]]:
    """Return the content of ``/.well-known/tdmrep.json``.

    The report takes the first rule that matches for the most specific one, so the longest patterns stand first, and of
    equally long ones those that reserve.

    Raises
    ------
    ValueError
        If a location is no path pattern, or a policy no web address.
    """
    rules: list[dict[str, Any]] = []
    for one in sorted(
        dict.fromkeys(locations), key=lambda one: (-len(one.location), not one.reserved, one.location)
    ):
        if not one.location.startswith("/"):
            raise ValueError(f"location {one.location!r} must start with a slash")
        if not _PATTERN.match(one.location):
            raise ValueError(
                f"location {one.location!r} holds what no path does: percent-encode it as in an address"
            )
        rule: dict[str, Any] = {"location": one.location, "tdm-reservation": int(one.reserved)}
        if one.policy_url:
            if not _is_web(one.policy_url):
                raise ValueError(f"policy {one.policy_url!r} is no web address: begin it with https://")
            rule["tdm-policy"] = one.policy_url
        rules.append(rule)
    return rules


def reserved(urls: Iterable[str]) -> list[ReservedLocation]:
    """Reserve the path of each address, or the whole site where none has one.

    Parameters
    ----------
    urls : iterable of str
        Addresses as they are on record, or paths that start with a slash. What is neither is nothing that a file on a
        site can speak of. Hosts are left out: the file speaks of the host that serves it.
    """
    paths = {_pattern(url) for url in urls} - {""}
    return [ReservedLocation(path, True) for path in sorted(paths)] or [ReservedLocation("/", True)]


def _pattern(url: str) -> str:
    """Return the pattern of an address's path, which covers its queries too; empty for what is no web address."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return ""
    is_path = parts.path.startswith("/") and not parts.scheme and not parts.netloc
    if not is_path and not (parts.scheme.lower() in _WEB and parts.hostname):
        return ""
    return quote(re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", parts.path), safe=_IN_A_PATH) or "/"


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme.lower() in _WEB and bool(parts.hostname) and re.search(r"\s", url) is None
