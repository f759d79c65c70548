"""The drawings of a report: inline SVG whose every figure also stands in a table beside it."""

from __future__ import annotations

from audit.reports.markup import Markup, join, tag
from audit.reports.snapshot import Match, TrainingRun
from audit.reports.wording import figure
from lib.figures import clock

INK, SOFT, RULE, SPOT, MATCH, WAIT = "#15181b", "#4d545b", "#c8cdcf", "#173fae", "#ffcf3f", "#804b00"
FACE = "Archivo, Helvetica, Arial, sans-serif"

_SHAPES: dict[str, tuple[str, dict[str, str]]] = {
    "tick": ("path", {"d": "M2 8.5 6.2 13 14 3.5", "fill": "none", "stroke_width": "2.6"}),
    "half": ("path", {"d": "M8 2a6 6 0 0 0 0 12z", "stroke": "none"}),
    "cross": ("path", {"d": "M3 3 13 13M13 3 3 13", "fill": "none", "stroke_width": "2.6"}),
    "dash": ("path", {"d": "M2.5 8h11", "fill": "none", "stroke_width": "2.6"}),
    "ring": ("circle", {"cx": "8", "cy": "8", "r": "6", "fill": "none", "stroke_width": "1.8"}),
    "stop": ("path", {"d": "M5 1h6l4 4v6l-4 4H5l-4-4V5z", "stroke": "none"}),
    "question": ("path", {"d": "M8 1 15 14.5H1z", "fill": "none", "stroke_width": "1.8"}),
    "pause": ("path", {"d": "M4.5 2v12M11.5 2v12", "fill": "none", "stroke_width": "3.2"}),
}
_SHAPE_OF = {
    "met": "tick",
    "allowed": "tick",
    "no_match": "tick",
    "approved": "tick",
    "partly": "half",
    "constrained": "half",
    "review": "half",
    "not_met": "cross",
    "not_allowed": "cross",
    "rejected": "cross",
    "blocked": "stop",
    "suspended": "pause",
    "not_applicable": "dash",
    "not_assessed": "ring",
    "undecided": "ring",
    "unknown": "question",
    "unverifiable": "question",
}
TONES = {
    "met": "#1a663b",
    "allowed": "#1a663b",
    "no_match": "#1a663b",
    "approved": "#1a663b",
    "partly": "#804b00",
    "constrained": "#804b00",
    "review": "#804b00",
    "suspended": "#804b00",
    "not_met": "#ab1c1c",
    "not_allowed": "#ab1c1c",
    "rejected": "#ab1c1c",
    "blocked": "#ab1c1c",
}
UNSURE = "#4f4a66"


def shape(answer: str) -> Markup:
    """The small shape that stands for an answer, beside its word and never instead of it."""
    element, attributes = _SHAPES[_SHAPE_OF.get(answer, "ring")]
    tone = TONES.get(answer, UNSURE)
    drawn = {"fill": tone, "stroke": tone} | attributes
    outline = tag("circle", cx="8", cy="8", r="6.2", fill="none", stroke=tone, stroke_width="1.6")
    return tag(
        "svg",
        tag(element, **drawn),
        outline if _SHAPE_OF.get(answer) == "half" else None,
        viewBox="0 0 16 16",
        width="12",
        height="12",
        aria_hidden="true",
        cls="shape",
    )


def alignment(match: Match) -> Markup:
    """Output above, recording below, each at its own scale, with the matched stretch marked in both."""
    width, left = 640.0, 74.0
    span = width - left
    total = match["recording_seconds"] or match["reference_end_s"]
    above = _stretch(match["query_start_s"], match["query_end_s"], match["output_seconds"], left, span)
    below = _stretch(match["reference_start_s"], match["reference_end_s"], total, left, span)
    ribbon = f"{above[0]:.1f},24 {above[1]:.1f},24 {below[1]:.1f},52 {below[0]:.1f},52"
    said = (
        f"{clock(match['query_start_s'])} to {clock(match['query_end_s'])} of the output lies on "
        f"{clock(match['reference_start_s'])} to {clock(match['reference_end_s'])} of the recording"
    )
    return tag(
        "svg",
        tag("title", said),
        tag("polygon", points=ribbon, fill=MATCH, fill_opacity="0.35"),
        _bar("output", 8, above, match["output_seconds"], left, span),
        _bar("recording", 52, below, total, left, span),
        viewBox="0 0 640 80",
        width="640",
        height="80",
        role="img",
        aria_label=said,
        cls="alignment",
    )


def loss_curve(run: TrainingRun) -> Markup | None:
    """Losses over steps, with the baselines as level lines; None where there are not two points to join."""
    training = [(p["step"], p["training"]) for p in run["losses"] if p["training"] is not None]
    held_out = [(p["step"], p["held_out"]) for p in run["losses"] if p["held_out"] is not None]
    if max(len(training), len(held_out)) < 2:
        return None
    levels = [baseline["held_out"] for baseline in run["baselines"]]
    values = [value for _, value in training + held_out] + levels
    low, high = min(values), max(values)
    low, high = low - 0.06 * (high - low or 1.0), high + 0.06 * (high - low or 1.0)
    last = max(step for step, _ in training + held_out) or 1

    def x(step: float) -> float:
        return 52 + 428 * step / last

    def y(value: float) -> float:
        return 14 + 190 * (high - value) / (high - low)

    curves = [
        tag(
            "polyline",
            points=" ".join(f"{x(step):.1f},{y(value):.1f}" for step, value in points),
            fill="none",
            stroke=ink,
            stroke_width=weight,
        )
        for points, ink, weight in ((training, SOFT, "1.2"), (held_out, SPOT, "2.6"))
        if len(points) > 1
    ]
    labels = [
        _label(name, 486, y(points[-1][1]) + 4, ink)
        for name, points, ink in (("training", training, SOFT), ("held out", held_out, SPOT))
        if len(points) > 1
    ]
    level_lines = [
        join(
            [
                tag(
                    "line",
                    x1=52,
                    x2=480,
                    y1=f"{y(baseline['held_out']):.1f}",
                    y2=f"{y(baseline['held_out']):.1f}",
                    stroke=WAIT,
                    stroke_width="1.2",
                    stroke_dasharray="5 4",
                ),
                _label(baseline["name"], 486, y(baseline["held_out"]) + 4, WAIT),
            ]
        )
        for baseline in run["baselines"]
    ]
    ticks = [
        join(
            [
                tag("line", x1=52, x2=480, y1=f"{y(v):.1f}", y2=f"{y(v):.1f}", stroke=RULE),
                _label(figure(v), 46, y(v) + 4, SOFT, anchor="end"),
            ]
        )
        for v in (low + (high - low) * k / 4 for k in range(5))
    ]
    said = f"Loss in {run['loss_unit']} over {last} steps; the figures stand in the table below"
    return tag(
        "svg",
        tag("title", said),
        ticks,
        level_lines,
        curves,
        labels,
        _label("step 0", 52, 224, SOFT),
        _label(f"step {last}", 480, 224, SOFT, anchor="end"),
        viewBox="0 0 640 232",
        width="640",
        height="232",
        role="img",
        aria_label=said,
        cls="curve",
    )


def _stretch(start_s: float, end_s: float, total_s: float, left: float, span: float) -> tuple[float, float]:
    total = max(total_s, end_s, 1e-9)
    return left + span * start_s / total, left + span * end_s / total


def _bar(
    name: str, top: float, stretch: tuple[float, float], total_s: float, left: float, span: float
) -> Markup:
    start, end = stretch
    marked = max(end - start, 2.0)
    return join(
        [
            _label(name, left - 8, top + 12, SOFT, anchor="end"),
            tag("rect", x=left, y=top, width=f"{span:.1f}", height=16, fill="#f0f2f1", stroke="#747b81"),
            tag(
                "rect",
                x=f"{start:.1f}",
                y=top,
                width=f"{marked:.1f}",
                height=16,
                fill=MATCH,
                stroke=INK,
            ),
            _label(clock(total_s), left + span - 4, top + 12, INK, anchor="end"),
        ]
    )


def _label(text: str, x: float, y: float, ink: str, anchor: str = "start") -> Markup:
    return tag(
        "text",
        text,
        x=f"{x:.1f}",
        y=f"{y:.1f}",
        fill=ink,
        font_size="11",
        font_family=FACE,
        text_anchor=anchor,
    )
