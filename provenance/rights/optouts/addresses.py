"""Comparing addresses and path patterns, as RFC 9309 does and TDMRep after it."""

from __future__ import annotations

import contextlib
import re
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote, urlsplit

DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def origin(url: str) -> str:
    """Return ``host`` or ``host:port`` of an address in lower case; empty where it has none.

    The scheme is left out: a recording got over http does not escape what its host says over https.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme.lower() not in DEFAULT_PORTS or not parts.hostname:
        return ""
    host = parts.hostname.rstrip(".").lower()
    with contextlib.suppress(UnicodeError):  # an underscore, say: compared as it is written
        host = host.encode("idna").decode("ascii")
    return host if port in (None, DEFAULT_PORTS[parts.scheme.lower()]) else f"{host}:{port}"


def path_of(url: str) -> str:
    """Return path and query of an address, with percent-encoding in one form."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return "/"
    return same_encoding(parts.path or "/") + (f"?{same_encoding(parts.query)}" if parts.query else "")


def same_encoding(path: str) -> str:
    """Return a path with exactly those octets percent-encoded that must be (RFC 9309, section 2.2.2)."""
    return quote(unquote(path, errors="replace"), safe="/*$?=&:@!'(),;+~-._[]")


def matches(pattern: str, path: str) -> bool:
    """Say whether a pattern covers a path.

    Parameters
    ----------
    pattern : str
        ``*`` is any run of characters, a ``$`` at the end is the end of the path; without it a pattern covers every
        path that begins so (RFC 9309, sections 2.2.2 and 2.2.3).
    path : str
        As `path_of` gives it.
    """
    return _compiled(pattern)(path)


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> _Matcher:
    return _Matcher(pattern)


class _Matcher:
    """A pattern cut at its stars: matched piece by piece, so that no pattern takes exponential time."""

    def __init__(self, pattern: str) -> None:
        self.to_the_end = pattern.endswith("$")
        body = re.sub(r"\*+", "*", pattern[:-1] if self.to_the_end else pattern)
        self.pieces = [same_encoding(piece) for piece in body.split("*")]

    def __call__(self, path: str) -> bool:
        first, *rest = self.pieces
        if not path.startswith(first):
            return False
        if not rest:
            return not self.to_the_end or path == first
        at = len(first)
        for piece in rest[:-1]:
            found = path.find(piece, at)
            if found < 0:
                return False
            at = found + len(piece)
        if self.to_the_end:
            return path.endswith(rest[-1]) and len(path) - len(rest[-1]) >= at
        return path.find(rest[-1], at) >= 0


WHOLE_SITE: Final = "/*"


def absolute(pattern: str, url: str) -> str:
    """Return a pattern with the host of the address it was read at; as it is where that is not known."""
    host = origin(url)
    return f"https://{host}{pattern}" if host else pattern
