"""Words that strangers wrote, made fit to be kept and shown."""


def keepable(words: str) -> str:
    """Return ``words`` with U+FFFD for what PostgreSQL and UTF-8 can't hold: NUL, and bytes that were no UTF-8."""
    return words.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("\0", "\ufffd")
