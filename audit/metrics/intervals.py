"""How far a rate that was counted on few outputs may lie from the true one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

METHOD = "Wilson score interval, 95 %"


@dataclass(frozen=True, slots=True)
class Rate:
    """A share that was counted, with what the count bears out.

    Attributes
    ----------
    n_hits, n_total : int
        What was counted.
    value : float or None
        ``n_hits / n_total``, in [0, 1]; None of nothing.
    low, high : float
        The interval, in [0, 1]; all of it where nothing was counted.
    """

    n_hits: int
    n_total: int
    value: float | None
    low: float
    high: float

    def as_json(self) -> dict[str, float | int | str | None]:
        """All members as plain JSON values, rounded to six places, with the method's name."""
        return {
            "hits": self.n_hits,
            "of": self.n_total,
            "rate": None if self.value is None else round(self.value, 6),
            "low": round(self.low, 6),
            "high": round(self.high, 6),
            "interval": METHOD,
        }


def wilson(n_hits: int, n_total: int, *, confidence: float = 0.95) -> Rate:
    """Give the Wilson score interval of a share.

    It keeps its level on small counts and at shares of 0 and 1, where the textbook interval has no width.

    Parameters
    ----------
    n_hits, n_total : int
        0 <= ``n_hits`` <= ``n_total``.
    confidence : float
        In (0, 1).

    Returns
    -------
    Rate
        Of nothing counted, the interval is [0, 1]: nothing is known.

    Raises
    ------
    ValueError
        If the counts or the confidence are out of range.

    References
    ----------
    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927,
    doi:10.1080/01621459.1927.10502953; recommended for small counts by Brown, Cai and DasGupta, 2001,
    doi:10.1214/ss/1009213286.
    """
    if not 0 <= n_hits <= n_total:
        raise ValueError(f"{n_hits} of {n_total} is no share")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence}")
    if n_total == 0:
        return Rate(0, 0, None, 0.0, 1.0)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = n_hits / n_total
    scale = 1 + z * z / n_total
    middle = (share + z * z / (2 * n_total)) / scale
    half = z * math.sqrt(share * (1 - share) / n_total + z * z / (4 * n_total * n_total)) / scale
    low = 0.0 if n_hits == 0 else max(0.0, middle - half)
    high = 1.0 if n_hits == n_total else min(1.0, middle + half)
    return Rate(n_hits, n_total, share, low, high)


def more_than_control(n_hits: int, n_total: int, n_control_hits: int, n_control: int) -> float:
    """How often chance alone would put this many of all hits among the model's outputs, or more.

    Fisher's exact test, one-sided: both models are taken to be flagged at the same rate, and the hits of
    both are dealt out at random.

    Parameters
    ----------
    n_hits, n_total : int
        Flagged outputs of the model, and all of them.
    n_control_hits, n_control : int
        The same of the control model.

    Returns
    -------
    float
        In [0, 1]; 1 where either model has no outputs.

    Raises
    ------
    ValueError
        If a count is out of range.

    References
    ----------
    R. A. Fisher, "On the interpretation of chi-squared from contingency tables", 1922, doi:10.2307/2340521.
    """
    if not 0 <= n_hits <= n_total or not 0 <= n_control_hits <= n_control:
        raise ValueError("more hits than outputs")
    if n_total == 0 or n_control == 0:
        return 1.0
    all_hits = n_hits + n_control_hits
    ways = math.comb(n_total + n_control, all_hits)
    as_many = sum(
        math.comb(n_total, hits) * math.comb(n_control, all_hits - hits)
        for hits in range(n_hits, min(n_total, all_hits) + 1)
    )
    return min(1.0, as_many / ways)
