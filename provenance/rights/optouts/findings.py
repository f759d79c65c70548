"""What every reader takes and gives."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from provenance.rights.errors import RightsError

TRAINING: Final = frozenset({"ai_generative_training", "ai_nongenerative_training"})
EVERYTHING: Final[frozenset[str]] = frozenset()
"""No purpose named: text and data mining as Article 4 of Directive (EU) 2019/790 has it, training included.

Clearance reads a reservation without purposes as all training, mining and inference.
"""
MAX_BYTES: Final = 1024 * 1024
"""Bytes. Twice what RFC 9309, section 2.5, asks a crawler to read of a robots.txt."""


class OptOutError(RightsError):
    """What was brought is not what it is said to be, or can't be read as a whole."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was fetched: the bytes, from where, when, and with which headers."""

    content: bytes
    name: str = ""
    """File name, for messages and to tell kinds apart."""
    url: str = ""
    """Address it was fetched from; empty = not known, and then only what names its own host binds."""
    fetched_at: datetime | None = None
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """One opt-out that a source states."""

    source: str
    """A value of ``ReservationSource``: ``tdmrep_file``, ``robots``, ``cawg``, …"""
    purposes: frozenset[str] = EVERYTHING
    """What is reserved, of our purposes; empty = all training, mining and inference."""
    right: str = "both"
    location: str = ""
    """The address or pattern with its host; empty = the very file that was read."""
    raw: str = ""
    """As it was found: for a file of rules all of it, because rules override each other."""
    policy_url: str = ""
    note: str = ""
    """What a reader should know: a draft standard, a broken signature, a constraint that nobody accepted yet."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a snapshot says: opt-outs, and what in it could not be read."""

    findings: tuple[Finding, ...] = ()
    problems: tuple[str, ...] = ()


def text_of(snapshot: Snapshot, *, strict: bool = False) -> str:
    """Return a snapshot as text, without a byte order mark.

    Parameters
    ----------
    snapshot : Snapshot
        UTF-8, as every one of these formats must be.
    strict : bool
        True: anything else is an error. False: bytes that are no UTF-8 become U+FFFD, so that an opt-out beside
        them is still read.

    Raises
    ------
    OptOutError
        If it is larger than `MAX_BYTES`, UTF-16, or, with ``strict``, not UTF-8.
    """
    name = snapshot.name or snapshot.url or "the file"
    if len(snapshot.content) > MAX_BYTES:
        raise OptOutError(f"{name} has {len(snapshot.content)} bytes: {MAX_BYTES} are read at most.")
    if snapshot.content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise OptOutError(f"{name} is UTF-16: these files are UTF-8.")
    try:
        text = snapshot.content.decode("utf-8-sig", errors="strict" if strict else "replace")
    except UnicodeDecodeError as error:
        raise OptOutError(f"{name} is not UTF-8 (byte {error.start}).") from error
    return text.replace("\0", "\ufffd")
