"""Check rules of the music industry's identifiers.

An invalid identifier is kept and marked, never silently repaired: only separators and case are normalised,
and only
where the identifier is valid.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Checked:
    """An identifier after its check."""

    written: str
    compact: str
    """Without separators where valid; else as it was written."""
    valid: bool
    why: str = ""
    """What is wrong; empty where valid."""


Check = Callable[[str], Checked]

_MOD37: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def isrc(written: str) -> Checked:
    """Check an ISRC (ISO 3901): two letters, three alphanumerics, two digits of the year, five digits.

    It has no check digit, so a valid one is well formed, not proven to be registered.
    """
    compact = _squeeze(written)
    if not re.fullmatch(r"ISRC\d{8}", compact):  # IS-RC1-…: from Iceland, and no label
        compact = _squeeze(written, "ISRC")
    if not re.fullmatch(r"[A-Z]{2}[A-Z0-9]{3}\d{7}", compact):
        return Checked(written, written.strip(), False, "an ISRC is CC-XXX-YY-NNNNN")
    return Checked(written, compact, True)


def iswc(written: str) -> Checked:
    """Check an ISWC (ISO 15707): T, nine digits and a check digit, 1 + Σ i·dᵢ + c ≡ 0 (mod 10).

    The rule sees one wrong digit at the places 1, 3, 7 and 9; at an even place not one that is off by five, at the
    fifth none that is off by an even number. An IPI base number's rule is as blind.
    """
    compact = _squeeze(written, "ISWC")
    if not re.fullmatch(r"T\d{10}", compact):
        return Checked(written, written.strip(), False, "an ISWC is T-DDD.DDD.DDD-C")
    return _digit(written, compact, _weighted(compact[1:10], 1))


def ipi_name(written: str) -> Checked:
    """Check an IPI name number: nine digits and two check digits, weights 10…2 modulo 101."""
    compact = re.sub(r"[\s.]", "", written) if written.isascii() else ""
    if not re.fullmatch(r"\d{9,11}", compact):
        return Checked(written, written.strip(), False, "an IPI name number has 11 digits")
    compact = compact.zfill(11)
    weighted = sum(int(digit) * weight for digit, weight in zip(compact[:9], range(10, 1, -1), strict=True))
    check = f"{(101 - weighted % 101) % 101 % 100:02d}"
    return _digit(written, compact, check)


def ipi_base(written: str) -> Checked:
    """Check an IPI base number: I, nine digits and a check digit as of an ISWC that starts from 2."""
    compact = _squeeze(written)
    if not re.fullmatch(r"I\d{10}", compact):
        return Checked(written, written.strip(), False, "an IPI base number is I-NNNNNNNNN-C")
    return _digit(written, compact, _weighted(compact[1:10], 2))


def isni(written: str) -> Checked:
    """Check an ISNI (ISO 27729): 16 characters, ISO 7064 MOD 11-2."""
    compact = _squeeze(written, "ISNI")
    if not re.fullmatch(r"\d{15}[\dX]", compact):
        return Checked(written, written.strip(), False, "an ISNI has 16 characters")
    total = 0
    for digit in compact[:15]:
        total = (total + int(digit)) * 2
    check = (12 - total % 11) % 11
    return _digit(written, compact, "X" if check == 10 else str(check))


def grid(written: str) -> Checked:
    """Check a GRid: A1, five, ten and one characters, ISO 7064 MOD 37,36."""
    compact = _squeeze(written, "GRID")
    if not re.fullmatch(r"A1[0-9A-Z]{16}", compact):
        return Checked(written, written.strip(), False, "a GRid is A1-XXXXX-XXXXXXXXXX-C")
    return _digit(written, compact, _mod37_36(compact[:-1]))


def dpid(written: str) -> Checked:
    """Check a DDEX party id: PADPIDA, ten and one characters, ISO 7064 MOD 37,36."""
    compact = _squeeze(written)
    if not re.fullmatch(r"PADPIDA[0-9A-Z]{11}", compact):
        return Checked(written, written.strip(), False, "a DPID is PADPIDA and 11 characters")
    return _digit(written, compact, _mod37_36(compact[:-1]))


def ean(written: str) -> Checked:
    """Check a UPC or EAN: 12 or 13 digits, modulo 10 with weights 3 and 1 from the right."""
    compact = _squeeze(written)
    if not re.fullmatch(r"\d{12,13}", compact):
        return Checked(written, written.strip(), False, "a UPC has 12 digits, an EAN 13")
    weighted = sum(
        int(digit) * (3 if position % 2 == 0 else 1) for position, digit in enumerate(reversed(compact[:-1]))
    )
    return _digit(written, compact, str(-weighted % 10))


CHECKS: Final[dict[str, Check]] = {
    "isrc": isrc,
    "iswc": iswc,
    "ipi_name": ipi_name,
    "ipi_base": ipi_base,
    "isni": isni,
    "grid": grid,
    "dpid": dpid,
    "ean": ean,
}


def _squeeze(written: str, label: str = "") -> str:
    """Return an identifier without separators, in capitals; letters and digits of other scripts match nothing."""
    if not written.isascii():
        return ""
    compact = re.sub(r"[\s.\-]", "", written).upper()
    return re.sub(rf"\A{label}:?", "", compact) if label else compact


def _digit(written: str, compact: str, check: str) -> Checked:
    if not compact.endswith(check):
        return Checked(written, written.strip(), False, f"the check digit should be {check}")
    return Checked(written, compact, True)


def _weighted(digits: str, start: int) -> str:
    return str(-(start + sum(place * int(digit) for place, digit in enumerate(digits, start=1))) % 10)


def _mod37_36(text: str) -> str:
    """Return the check character of ISO 7064 MOD 37,36."""
    product = 36
    for char in text:
        total = (product + _MOD37.index(char)) % 36 or 36
        product = total * 2 % 37
    return _MOD37[(37 - product) % 36]
