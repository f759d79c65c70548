"""Canonical JSON: one value, one sequence of bytes, one hash (RFC 8785, the JSON Canonicalization Scheme)."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

import rfc8785

LARGEST_INTEGER = 2**53 - 1
"""Largest integer that every JSON reader keeps exactly (RFC 8785 section 3.2.2.3, RFC 7493 section 2.2)."""

MAX_DEPTH = 100
"""Deepest nesting accepted; hostile input must not reach the interpreter's recursion limit."""


class CanonicalError(ValueError):
    """The value or the bytes have no canonical form; the message names the place."""


def canonical_json(value: Any) -> bytes:
    """Write ``value`` as RFC 8785 canonical JSON.

    Parameters
    ----------
    value : dict, list, tuple, str, int, float, bool or None
        Plain JSON values only: dates, UUIDs and decimals are turned into strings by whoever knows their form.

    Returns
    -------
    bytes
        UTF-8, keys sorted by UTF-16 code units, no white space. Equal values give equal bytes; ``1.0`` and
        ``1`` are the same number and give the same bytes.

    Raises
    ------
    CanonicalError
        If a float is NaN or infinite, a key is not a string, an integer lies beyond ±(2**53 - 1), a string
        holds a lone surrogate, a value has another type, or the nesting is deeper than ``MAX_DEPTH``.
    """
    if _is_plain(value, "$", 0):  # for which Python's own encoder, in C, writes the same bytes
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    encoded: bytes = rfc8785.dumps(value)
    return encoded


def parse_canonical(encoded: bytes) -> Any:
    """Read bytes that must already be canonical.

    Accepting any other spelling would let two files that differ stand for the same signed value.

    Parameters
    ----------
    encoded : bytes
        What ``canonical_json`` wrote.

    Returns
    -------
    dict, list, str, int, float, bool or None
        The value; a whole number beyond ±(2**53 - 1) can only have been a float and is read as one.

    Raises
    ------
    CanonicalError
        If the bytes are not JSON, repeat a key, or are spelled otherwise than RFC 8785 spells them.
    """
    try:
        value = json.loads(encoded.decode("utf-8"), parse_int=_number)
    except ValueError as error:
        raise CanonicalError(f"not JSON: {error}") from error
    except RecursionError:
        raise CanonicalError("nested too deeply to read") from None
    if canonical_json(value) != encoded:
        raise CanonicalError("JSON, but not in its canonical form (RFC 8785)")
    return value


def sha256_hex(content: bytes) -> str:
    """SHA-256 of ``content`` as 64 lower-case hex digits."""
    return hashlib.sha256(content).hexdigest()


def canonical_sha256(value: Any) -> str:
    """SHA-256 (lower-case hex) of the canonical JSON of ``value``.

    Raises
    ------
    CanonicalError
        As ``canonical_json``.
    """
    return sha256_hex(canonical_json(value))


def _number(digits: str) -> int | float:
    number = float(digits)
    return int(digits) if abs(number) <= LARGEST_INTEGER else number


def _is_plain(value: Any, place: str, depth: int) -> bool:
    """Refuse what has no canonical form; tell whether it holds no float, and ASCII keys only."""
    if isinstance(value, str):
        _check_text(value, place)
        return True
    if value is None or isinstance(value, bool):
        return True
    if depth > MAX_DEPTH:
        raise CanonicalError(f"{place}: nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, dict):
        return _is_plain_object(value, place, depth)
    if isinstance(value, (list, tuple)):
        plain = True
        for position, element in enumerate(value):
            plain &= _is_plain(element, f"{place}[{position}]", depth + 1)
        return plain
    if isinstance(value, int):
        if abs(value) > LARGEST_INTEGER:
            raise CanonicalError(
                f"{place}: the integer {value} lies beyond ±(2**53 - 1); write it as a string"
            )
        return True
    if isinstance(value, float):
        if not math.isfinite(value):
            raise CanonicalError(f"{place}: {value} is not a JSON number")
        return False
    raise CanonicalError(f"{place}: a {type(value).__name__} has no JSON form")


def _is_plain_object(value: dict[Any, Any], place: str, depth: int) -> bool:
    plain = True
    for key, member in value.items():
        if not isinstance(key, str):
            raise CanonicalError(f"{place}: the key {key!r} is a {type(key).__name__}, keys must be strings")
        if not key.isascii():
            _check_text(key, f"{place}, a key")
            plain = False
        plain &= _is_plain(member, f"{place}.{key}", depth + 1)
    return plain


def _check_text(text: str, place: str) -> None:
    if text.isascii():
        return
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise CanonicalError(f"{place}: the text holds a lone surrogate and is not Unicode") from None
