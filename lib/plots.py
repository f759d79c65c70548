"""Line charts and rows of intervals as SVG, for pages and documents: ink of the text around, told apart by stroke."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 64, 18, 16, 44
LEGEND_LINE = 20
ROW, NAMES, NOTES = 26, 200, 90
_ALONE = (
    "<style>svg{color:#15181b;background:#fff;font:13px Helvetica,Arial,sans-serif}"
    "@media(prefers-color-scheme:dark){svg{color:#e8eaec;background:#15181b}}</style>"
)
STROKES = {
    "solid": 'stroke-width="2.4"',
    "thin": 'stroke-width="1.2"',
    "dashed": 'stroke-width="1.6" stroke-dasharray="6 4"',
    "dotted": 'stroke-width="1.6" stroke-dasharray="1.5 4" stroke-linecap="round"',
    "dash-dotted": 'stroke-width="1.6" stroke-dasharray="9 4 1.5 4"',
}

Point = tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """Points to be joined in order; ``stroke`` is one of ``STROKES``, or ``dots`` for points that are not joined."""

    label: str
    points: Sequence[Point]
    stroke: str = "solid"


@dataclass(frozen=True)
class Band:
    """What lies between two curves over the same places."""

    label: str
    points: Sequence[tuple[float, float, float]]  # x, low, high


@dataclass(frozen=True)
class Mark:
    """An upright line with a word at its head."""

    label: str
    x: float


@dataclass(frozen=True)
class Interval:
    """A figure with how far it may be wrong; ``note`` stands behind it."""

    label: str
    value: float
    low: float
    high: float
    note: str = ""


@dataclass(frozen=True)
class Axis:
    """``low`` and ``high`` are at its ends; a logarithmic one has its ticks at powers of ten."""

    label: str
    low: float
    high: float
    is_log: bool = False

    def share(self, value: float) -> float:
        """Return where a value lies, from 0 to 1; what lies outside is put on the edge."""
        low, high, at = self.low, self.high, min(max(value, self.low), self.high)
        if self.is_log:
            low, high, at = math.log10(low), math.log10(high), math.log10(at)
        return (at - low) / (high - low)

    @property
    def ticks(self) -> list[float]:
        if self.is_log:
            first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
            return [10.0**power for power in range(first, last + 1)]
        step = _step((self.high - self.low) / 6)
        first = math.ceil(self.low / step - 1e-9)
        return [n * step for n in range(first, math.floor(self.high / step + 1e-9) + 1)]


def chart(
    said: str,
    *,
    x: Axis,
    y: Axis,
    curves: Sequence[Curve],
    bands: Sequence[Band] = (),
    marks: Sequence[Mark] = (),
    alone: bool = False,
) -> str:
    """Draw curves over two axes. ``said`` is what a reader hears in place of it; ``alone`` gives a file of its own."""
    names = [(band.label, "band") for band in bands] + [(curve.label, curve.stroke) for curve in curves]
    height = HEIGHT + LEGEND_LINE * len([name for name, _ in names if name])

    def place(point: Point) -> tuple[float, float]:
        across = LEFT + (WIDTH - LEFT - RIGHT) * x.share(point[0])
        return across, TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - y.share(point[1]))

    parts = [
        *_axes(x, y, place),
        *(_band(band, place) for band in bands),
        *(_mark(mark, place, y) for mark in marks),
        *(_curve(curve, place) for curve in curves),
        *_legend([one for one in names if one[0]]),
    ]
    return _framed(said, height, parts, alone=alone)


def intervals(
    said: str, rows: Sequence[Interval], *, x: Axis, mark: Mark | None = None, alone: bool = False
) -> str:
    """Draw figures under each other, each with its name, its interval and its note. ``said`` is as in `chart`."""
    bottom = TOP + ROW * len(rows) + ROW // 2
    right = WIDTH - NOTES

    def across(value: float) -> float:
        return NAMES + (right - NAMES) * x.share(value)

    parts = [f'<path d="M{NAMES} {bottom}H{right}" stroke="currentColor" fill="none"/>']
    for tick in x.ticks:
        at = across(tick)
        parts.append(
            f'<path d="M{at:.1f} {TOP}V{bottom + 5}" stroke="currentColor" stroke-opacity="0.18" fill="none"/>'
        )
        parts.append(f'<text x="{at:.1f}" y="{bottom + 19}" text-anchor="middle">{_told(tick)}</text>')
    parts.append(
        f'<text x="{(NAMES + right) / 2}" y="{bottom + 38}" text-anchor="middle">{escape(x.label)}</text>'
    )
    if mark is not None:
        at = across(mark.x)
        parts.append(
            f'<path d="M{at:.1f} {TOP}V{bottom}" stroke="currentColor" stroke-dasharray="2 3" fill="none"/>'
            f'<text x="{at:.1f}" y="{TOP - 3}" text-anchor="middle">{escape(mark.label)}</text>'
        )
    for number, row in enumerate(rows):
        at = TOP + ROW * (number + 0.75)
        parts.append(
            f'<text x="{NAMES - 12}" y="{at + 4:.1f}" text-anchor="end">{escape(row.label)}</text>'
            f'<path d="M{across(row.low):.1f} {at:.1f}H{across(row.high):.1f}" stroke="currentColor" fill="none"/>'
            f'<circle cx="{across(row.value):.1f}" cy="{at:.1f}" r="3.6"/>'
            f'<text x="{right + 12}" y="{at + 4:.1f}">{escape(row.note)}</text>'
        )
    return _framed(said, bottom + BOTTOM, parts, alone=alone)


def _framed(said: str, height: float, parts: Sequence[str], *, alone: bool) -> str:
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="100%" '
        f'role="img" aria-label="{escape(said)}" class="plot" fill="currentColor" font-size="13">'
    )
    return opening + (_ALONE if alone else "") + f"<title>{escape(said)}</title>" + "".join(parts) + "</svg>"


Place = Callable[[Point], tuple[float, float]]


def _axes(x: Axis, y: Axis, place: Place) -> list[str]:
    parts = []
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    for tick in y.ticks:
        at = place((x.low, tick))[1]
        parts.append(
            f'<path d="M{LEFT} {at:.1f}H{right}" stroke="currentColor" stroke-opacity="0.18" fill="none"/>'
        )
        parts.append(f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{_told(tick)}</text>')
    for tick in x.ticks:
        at = place((tick, y.low))[0]
        parts.append(f'<path d="M{at:.1f} {bottom}v5" stroke="currentColor" fill="none"/>')
        parts.append(f'<text x="{at:.1f}" y="{bottom + 19}" text-anchor="middle">{_told(tick)}</text>')
    parts.append(f'<path d="M{LEFT} {TOP}V{bottom}H{right}" stroke="currentColor" fill="none"/>')
    middle = (LEFT + right) / 2
    parts.append(f'<text x="{middle}" y="{bottom + 38}" text-anchor="middle">{escape(x.label)}</text>')
    across = (TOP + bottom) / 2
    parts.append(
        f'<text transform="translate(14 {across}) rotate(-90)" text-anchor="middle">{escape(y.label)}</text>'
    )
    return parts


def _curve(curve: Curve, place: Place) -> str:
    places = [place(point) for point in curve.points]
    if curve.stroke == "dots":
        return "".join(f'<circle cx="{across:.1f}" cy="{at:.1f}" r="2.6"/>' for across, at in places)
    joined = " ".join(f"{across:.1f},{at:.1f}" for across, at in places)
    return f'<polyline points="{joined}" fill="none" stroke="currentColor" {STROKES[curve.stroke]}/>'


def _band(band: Band, place: Place) -> str:
    above = [place((at, high)) for at, _, high in band.points]
    below = [place((at, low)) for at, low, _ in reversed(band.points)]
    joined = " ".join(f"{across:.1f},{at:.1f}" for across, at in above + below)
    return f'<polygon points="{joined}" fill-opacity="0.16"/>'


def _mark(mark: Mark, place: Place, y: Axis) -> str:
    at = place((mark.x, y.high))[0]
    side, shift = ("end", -5) if at > WIDTH - 130 else ("start", 5)
    return (
        f'<path d="M{at:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="currentColor" stroke-dasharray="2 3" fill="none"/>'
        f'<text x="{at + shift:.1f}" y="{TOP + 12}" text-anchor="{side}">{escape(mark.label)}</text>'
    )


def _legend(names: Sequence[tuple[str, str]]) -> list[str]:
    parts = []
    for row, (name, stroke) in enumerate(names):
        at = HEIGHT + 6 + LEGEND_LINE * row
        if stroke == "band":
            parts.append(f'<rect x="{LEFT}" y="{at - 7}" width="34" height="12" fill-opacity="0.16"/>')
        elif stroke == "dots":
            parts.append(f'<circle cx="{LEFT + 17}" cy="{at}" r="2.6"/>')
        else:
            parts.append(f'<path d="M{LEFT} {at}h34" fill="none" stroke="currentColor" {STROKES[stroke]}/>')
        parts.append(f'<text x="{LEFT + 44}" y="{at + 4}">{escape(name)}</text>')
    return parts


def _step(rough: float) -> float:
    """Round a step to 1, 2 or 5 of some power of ten."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)


def _told(value: float) -> str:
    if value and abs(value) < 0.001:
        return f"10<tspan dy='-5' font-size='9'>{round(math.log10(abs(value)))}</tspan>"
    return f"{value:g}" if abs(value) >= 1e-12 else "0"
