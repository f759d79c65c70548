"""How figures are put into words: one spelling of counts, shares, times and lengths for pages and reports alike."""

THIN = "\u202f"


def count(n: int) -> str:
    """A whole number, its thousands set apart by a narrow space."""
    return f"{n:,}".replace(",", THIN)


def share(n: int, total: int) -> str:
    """A part of a whole in per cent, with no more digits than the whole bears; a dash of nothing."""
    if not total:
        return "–"
    return f"{100 * n / total:.{1 if total >= 200 else 0}f}{THIN}%"


def clock(seconds: float) -> str:
    """A place in a recording: ``1:02.4``."""
    tenths = round(seconds * 10)
    return f"{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"


def duration(seconds: float) -> str:
    """How long something took or lasts, in its two largest units."""
    if seconds < 60:
        return f"{seconds:.3g}{THIN}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}{THIN}min {rest}{THIN}s"
    hours, minutes = divmod(minutes, 60)
    return f"{count(hours)}{THIN}h {minutes}{THIN}min"


def counted(n: int, noun: str, plural: str = "") -> str:
    """A count with its noun, which fits it: ``1 claim``, ``2 claims``, ``0 entries``.

    Parameters
    ----------
    n : int
        At least 0.
    noun : str
        In the singular.
    plural : str
        Where it is not the singular with an s.
    """
    return f"{count(n)} {fitting(n, noun, plural)}"


def fitting(n: int, noun: str, plural: str = "") -> str:
    """The noun of `counted` alone, for where the count stands apart from it."""
    return noun if n == 1 else plural or f"{noun}s"
