"""The pieces that every page of a report is set from: section, mark, credits, bar, table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from audit.reports import charts
from audit.reports.markup import Child, Markup, tag
from audit.reports.wording import word


def section(name: str, heading: str, *children: Child) -> Markup:
    return tag(
        "section",
        tag("h2", heading, id=f"{name}-heading"),
        children,
        id=name,
        aria_labelledby=f"{name}-heading",
    )


def mark(answer: str) -> Markup:
    return tag("span", charts.shape(answer), word(answer), cls=f"mark mark-{answer}")


def digest(text: str) -> Markup:
    return tag("span", text, cls="hash")


def credit_list(rows: Iterable[tuple[str, Child]]) -> Markup:
    return tag("dl", [tag("div", tag("dt", name), tag("dd", value)) for name, value in rows], cls="credits")


def bar(parts: Sequence[tuple[str, int]]) -> Markup:
    """A bar of counted answers; hidden from screen readers, which have the figures in the same row."""
    return tag(
        "div",
        [tag("span", cls=name, style=f"flex:{n} 1 0") for name, n in parts if n],
        cls="share",
        aria_hidden="true",
    )


def table(
    caption: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Child]],
    *,
    numbers: Iterable[int] = (),
    narrow: bool = False,
) -> Markup:
    """A table whose first column heads its rows; columns in ``numbers`` stand flush right."""
    right = set(numbers)

    def cell(position: int, value: Child) -> Markup:
        cls = "number" if position in right else None
        return tag("th", value, scope="row", cls=cls) if position == 0 else tag("td", value, cls=cls)

    return tag(
        "div",
        tag(
            "table",
            tag("caption", caption),
            tag(
                "thead",
                tag(
                    "tr",
                    [
                        tag("th", name, scope="col", cls="number" if position in right else None)
                        if name
                        else tag("td")
                        for position, name in enumerate(columns)
                    ],
                ),
            ),
            tag(
                "tbody",
                [tag("tr", [cell(position, value) for position, value in enumerate(row)]) for row in rows],
            ),
        ),
        cls="scroll narrow" if narrow else "scroll",
    )
