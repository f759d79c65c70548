"""Words that strangers wrote, made fit to be kept and shown."""

import re
import unicodedata


def keepable(words: str) -> str:
    """Return ``words`` with U+FFFD for what PostgreSQL and UTF-8 can't hold: NUL, and bytes that were no UTF-8."""
    return words.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("\0", "\ufffd")


TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Characters that turn the direction of what follows: embeddings, overrides and isolates (UAX 9, 2.1 to 2.4)."""


def turned(words: str) -> str:
    """Say which character of ``words`` makes them read otherwise than they are stored; empty where none does.

    Right-to-left writing needs none of them, and its marks (U+200E, U+200F, U+061C) turn nothing but themselves.
    """
    found = None if words.isascii() else TURNS.search(words)
    return f"U+{ord(found[0]):04X} ({unicodedata.name(found[0]).lower()})" if found else ""
