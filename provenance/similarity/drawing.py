"""Drawings of what a calibration found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lib.plots import Axis, Band, Curve, Interval, Mark, chart, intervals
from provenance.similarity import thresholds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from provenance.similarity.calibration import Calibration


def tail_chart(
    calibration: Calibration,
    seconds: float,
    part: str,
    *,
    target: float,
    blocks: bool = True,
    alone: bool = False,
) -> str:
    """Draw the share of strangers that reach each strength, and the tail that is drawn on.

    Parameters
    ----------
    calibration : Calibration
    seconds : float
        Of the strangers; one of its strata.
    part : str
        One of its parts.
    target : float
        The share of false alarms for which the strengths that are needed are marked.
    blocks : bool
        Whether what is so strong is blocked anywhere.
    alone : bool
        Whether it is a file of its own.

    Returns
    -------
    str
        SVG.
    """
    stratum = next(one for one in calibration.strata if one.seconds == seconds)
    tail = calibration.tail(stratum, part)
    review, blocked = (
        calibration.needed(part, share, seconds=seconds) or 0.0
        for share in (target, target * thresholds.BLOCKED_SHARE)
    )
    ranked = np.sort(tail.values)[::-1]
    lowest = min(0.0, float(np.median(ranked)))
    reached = [
        (float(value), (rank + 1) / len(ranked)) for rank, value in enumerate(ranked) if value > lowest
    ]
    n_inside = len(stratum.inside.get(part, ()))
    beside = f" and {n_inside} recordings of the index" if n_inside else ""
    who = f"{len(ranked) - n_inside} strangers{beside}"
    places = [float(at) for at in np.linspace(lowest, 1.15 * blocked, 70)]
    told = [(at, tail.chance(at)) for at in places]
    return chart(
        f"Share of strangers of {seconds:.0f} seconds that reach each strength by {part}; "
        f"review begins at {review:.2f}{f', blocked at {blocked:.2f}' if blocks else ''}.",
        x=Axis(f"strength, {part}", lowest, 1.15 * blocked),
        y=Axis("share that reaches it", 1e-5, 1.0, is_log=True),
        curves=[
            Curve(f"{who}, each once", reached, "dots"),
            Curve("p of one part and one segment", [(at, chance.p) for at, chance in told], "solid"),
        ],
        bands=[Band("95 % of draws of tracks", [(at, chance.low, chance.high) for at, chance in told])],
        marks=[Mark("review", review), *([Mark("blocked", blocked)] if blocks else [])],
        alone=alone,
    )


def promise_chart(rows: Sequence[Mapping[str, Any]], *, alone: bool = False) -> str:
    """Draw how many strangers have a p-value up to each level, beside how many it was promised.

    Parameters
    ----------
    rows : sequence of mapping
        ``seconds``, ``level``, ``n``, ``share``, and its interval ``low`` and ``high``, as ``benchmarks.calibration``
        counts them.
    alone : bool
        Whether it is a file of its own.

    Returns
    -------
    str
        SVG.
    """
    lengths = sorted({row["seconds"] for row in rows})
    lowest = min(row["level"] for row in rows) / 2
    curves = [Curve("what is promised", [(lowest, lowest), (1.0, 1.0)], "thin")]
    bands = []
    for seconds, stroke in zip(lengths, ("solid", "dashed", "dotted"), strict=False):
        here = sorted((row for row in rows if row["seconds"] == seconds), key=lambda row: row["level"])
        found = [(row["level"], row["share"]) for row in here if row["share"] > 0]
        curves.append(Curve(f"{here[0]['n']} strangers of {seconds:.0f} s", found, stroke))
        bands.append(
            Band(
                f"95 % of draws of their tracks, {seconds:.0f} s",
                [(row["level"], row["low"], row["high"]) for row in here],
            )
        )
    return chart(
        "Share of strangers with a p-value up to each level: under the straight line is cautious, over it is wrong.",
        x=Axis("p-value", lowest, 1.0, is_log=True),
        y=Axis("share of strangers with no larger one", lowest, 1.0, is_log=True),
        curves=curves,
        bands=bands,
        alone=alone,
    )


def groups_chart(rows: Sequence[Mapping[str, Any]], *, alone: bool = False) -> str:
    """Draw, for each group of strangers, the share with a p-value of a tenth at most.

    Parameters
    ----------
    rows : sequence of mapping
        ``name``, ``n``, and ``tenth``, ``low`` and ``high``: the count and the interval of its share.
    alone : bool
        Whether it is a file of its own.

    Returns
    -------
    str
        SVG.
    """
    drawn = [
        Interval(
            row["name"], row["tenth"] / row["n"], row["low"], row["high"], f"{row['tenth']} of {row['n']}"
        )
        for row in rows
    ]
    return intervals(
        "Share of the strangers of each group with a p-value of at most a tenth: a tenth was promised.",
        drawn,
        x=Axis("share with p of at most 0.1", 0.0, min(0.5, max(0.2, *(row.high for row in drawn)))),
        mark=Mark("promised", 0.1),
        alone=alone,
    )


def misses_chart(
    rows: Sequence[Mapping[str, Any]], *, target: float = thresholds.FALSE_ALARM_TARGET, alone: bool = False
) -> str:
    """Draw which share of the copies is missed, the fewer strangers may be stopped.

    Parameters
    ----------
    rows : sequence of mapping
        For copies of one length: ``family`` of changes, ``n`` and ``points``, each with the ``p`` up to which a match
        counts and the share ``missed``.
    target : float
        Is marked.
    alone : bool
        Whether it is a file of its own.

    Returns
    -------
    str
        SVG.
    """
    strokes = ("solid", "dashed", "dotted", "dash-dotted", "thin")
    return chart(
        "Share of copies that is missed at each share of strangers that may be stopped.",
        x=Axis("share of outputs without a copy that may be stopped", 1e-6, 1.0, is_log=True),
        y=Axis("share of copies missed", 0.0, 1.0),
        curves=[
            Curve(f"{row['family']} ({row['n']})", [(at["p"], at["missed"]) for at in row["points"]], stroke)
            for row, stroke in zip(rows, strokes, strict=False)
        ],
        marks=[
            Mark("review", target),
            Mark("blocked", target * thresholds.BLOCKED_SHARE),
        ],
        alone=alone,
    )
