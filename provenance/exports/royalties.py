"""What a pool of money could be shared out by: each holder's part of a dataset, by track and by second.

Shares are read as they are claimed; nothing is filled in. What nobody claims, what is claimed without a share, and what
sources dispute is shown as such, and so each right's parts add up to exactly 100 %.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any, Final, Literal

from provenance.exports.attribution import harmless
from provenance.exports.register import ExportedRecording
from provenance.rights.shares import SHARE_TOLERANCE
from provenance.rights.territory import countries
from provenance.rights.values import RIGHTS, WORLD, Claim, Right

Status = Literal["claimed", "share_not_stated", "unclaimed", "disputed"]

DECIMALS: Final = 6
"""Of percentages. Parts are rounded so that the rounded ones still add up to 100 (largest remainder)."""
WHOLE: Final = 100 * 10**DECIMALS
TOLERANCE: Final = Fraction(str(SHARE_TOLERANCE))
"""Percent. Three holders with 33.33 % each hold the whole, and what rounding left goes to them in proportion."""
COLUMNS: Final = (
    *(
        "right",
        "external_id",
        "title",
        "isrc",
        "iswc",
        "seconds",
        "holder",
        "status",
        "source",
        "share_percent",
    ),
    *("by_track_percent", "by_second_percent"),
)


@dataclass(frozen=True, slots=True)
class Part:
    """One holder's part of one right of one recording."""

    right: Right
    external_id: str
    holder: str
    """Empty where nobody claims it; several names joined by ``;`` where no shares or other ones are stated."""
    status: Status
    source: str
    share: Fraction
    """Percent of the right in this recording."""
    seconds: Fraction
    title: str = ""
    isrc: str = ""
    iswc: str = ""
    by_track: int = 0
    """Of the whole dataset's right, in units of ``10**-DECIMALS`` percent, each recording weighing the same."""
    by_second: int = 0
    """As ``by_track``, each recording weighing as long as it lasts."""


def royalty_parts(recordings: Sequence[ExportedRecording], *, on: date, territory: str = WORLD) -> list[Part]:
    """Divide both rights of a dataset among who claims them.

    Parameters
    ----------
    recordings : sequence of ExportedRecording
        The dataset. One without a known length weighs nothing by second.
    on : date
        The day on which claims must be in force.
    territory : str
        Where; a claim for a part of it alone is not counted, and its share shows as unclaimed.

    Returns
    -------
    list of Part
        By right, then in the recordings' order. The parts of each right add up to exactly 100 % by track, and by
        second where any recording has a length.
    """
    found: list[Part] = []
    for right in RIGHTS:
        parts = [part for one in recordings for part in _parts(one, right, on, territory)]
        n_recordings = len(recordings)
        total = sum((part.seconds * part.share for part in parts), Fraction())
        by_track = apportion([part.share / n_recordings for part in parts])
        by_second = (
            apportion([part.share * part.seconds * 100 / total for part in parts])
            if total
            else [0] * len(parts)
        )
        found += [
            _weighed(part, tracks, seconds)
            for part, tracks, seconds in zip(parts, by_track, by_second, strict=True)
        ]
    return found


def apportion(percents: Sequence[Fraction]) -> list[int]:
    """Round percentages that add up to 100 to units that add up to `WHOLE` (largest remainder, ties to the first)."""
    exact = [percent * 10**DECIMALS for percent in percents]
    units = [int(one) for one in exact]
    left = WHOLE - sum(units) if units else 0
    by_remainder = sorted(range(len(exact)), key=lambda place: (units[place] - exact[place], place))
    for place in by_remainder[:left]:
        units[place] += 1
    return units


def royalty_csv(parts: Iterable[Part]) -> str:
    """Return the parts as CSV; percentages have `DECIMALS` decimals and add up to 100 in each right."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for part in parts:
        row = as_row(part)
        writer.writerow([harmless(str(row[column])) for column in COLUMNS])
    return out.getvalue()


def as_row(part: Part) -> dict[str, Any]:
    """Return a part with its numbers as decimal text, which no reader rounds."""
    return {
        "right": part.right,
        "external_id": part.external_id,
        "title": part.title,
        "isrc": part.isrc,
        "iswc": part.iswc,
        "seconds": f"{float(part.seconds):.3f}",
        "holder": part.holder,
        "status": part.status,
        "source": part.source,
        "share_percent": f"{float(part.share):.4f}",
        "by_track_percent": percent(part.by_track),
        "by_second_percent": percent(part.by_second),
    }


def percent(units: int) -> str:
    """Spell units of ``10**-DECIMALS`` percent."""
    return f"{units // 10**DECIMALS}.{units % 10**DECIMALS:0{DECIMALS}d}"


def totals(parts: Iterable[Part]) -> list[dict[str, str]]:
    """Return each right's holders and open parts with what they have in all, largest first."""
    summed: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0])
    for part in parts:
        units = summed[part.right, part.holder, part.status]
        units[0] += part.by_track
        units[1] += part.by_second
    return [
        {
            "right": right,
            "holder": holder,
            "status": status,
            "by_track_percent": percent(tracks),
            "by_second_percent": percent(seconds),
        }
        for (right, holder, status), (tracks, seconds) in sorted(
            summed.items(), key=lambda one: (one[0][0] != "master", -one[1][0], one[0])
        )
    ]


def _parts(recording: ExportedRecording, right: Right, on: date, territory: str) -> list[Part]:
    wanted = countries((territory,))
    claims = [
        one.claim
        for one in recording.claims
        if one.claim.right == right
        and not one.claim.is_credit
        and (one.claim.valid_from is None or one.claim.valid_from <= on)
        and (one.claim.valid_until is None or on < one.claim.valid_until)
        and wanted <= countries(one.claim.territory)
    ]
    return [
        Part(
            right,
            recording.external_id,
            holder,
            status,
            source,
            share,
            Fraction(str(recording.seconds or 0)),
            recording.title,
            recording.isrc,
            recording.work.iswc if recording.work is not None else "",
        )
        for holder, status, source, share in _divided(claims)
    ]


def _divided(claims: list[Claim]) -> list[tuple[str, Status, str, Fraction]]:
    """Divide one right of one recording; the shares add up to exactly 100."""
    by_source: dict[str, dict[str, Fraction | None]] = {}
    for claim in claims:
        held = by_source.setdefault(claim.source, {})
        share = None if claim.share is None else Fraction(str(claim.share))
        before = held.get(claim.party, Fraction())
        held[claim.party] = None if share is None or before is None else before + share
    sources = "/".join(sorted(by_source))
    if not by_source:
        return [("", "unclaimed", "", Fraction(100))]
    first, *others = by_source.values()
    stated = {name: share for name, share in first.items() if share is not None}
    total = sum(stated.values(), Fraction())
    if any(other != first for other in others) or total > 100 + TOLERANCE:
        names = "; ".join(sorted({name for held in by_source.values() for name in held}))
        return [(names, "disputed", sources, Fraction(100))]
    scale = 100 / total if abs(total - 100) <= TOLERANCE and total else Fraction(1)
    parts: list[tuple[str, Status, str, Fraction]] = [
        (name, "claimed", sources, share * scale) for name, share in stated.items()
    ]
    left = 100 - sum((share for *_, share in parts), Fraction())
    unstated = "; ".join(name for name, share in first.items() if share is None)
    if unstated and left:
        parts.append((unstated, "share_not_stated", sources, left))
    elif left:
        parts.append(("", "unclaimed", "", left))
    return parts


def _weighed(part: Part, by_track: int, by_second: int) -> Part:
    return Part(
        part.right,
        part.external_id,
        part.holder,
        part.status,
        part.source,
        part.share,
        part.seconds,
        part.title,
        part.isrc,
        part.iswc,
        by_track,
        by_second,
    )
