"""When what held for a recording: the rows of its timeline, and where each is drawn."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from provenance.models import (
    ExceptionMemo,
    Grant,
    LicenceStatement,
    Reservation,
    RightsClaim,
    VersionEntry,
)
from provenance.rights.titles import spelled

WIDTH = 1000.0  # of the drawing, in its own units
MARGIN_DAYS = 30


@dataclass(frozen=True)
class Span:
    """Something that holds from a day until another; None = always, or open. ``until == since`` is an instant."""

    kind: str
    right: str
    what: str
    since: date | None
    until: date | None
    ended_early: bool = False
    url: str = ""

    @property
    def is_instant(self) -> bool:
        return self.since is not None and self.since == self.until

    @property
    def last_day(self) -> date | None:
        """The last day on which it holds; what was withdrawn still held on the day of the withdrawal."""
        if self.until is None or self.kind == "opt-out":
            return self.until
        return self.until - timedelta(days=1)


@dataclass(frozen=True)
class Bar:
    span: Span
    x: float
    width: float


@dataclass(frozen=True)
class Timeline:
    """One bar a span, in their order; ``at`` and ``years`` are places on the drawing."""

    bars: Sequence[Bar]
    first: date
    last: date
    at: float
    years: Sequence[tuple[int, float]] = field(default_factory=tuple)


def drawn(spans: Iterable[Span], *, at: date, today: date) -> Timeline | None:
    """Lay spans out between the first and the last day that any of them names; None where none names a day."""
    rows = list(spans)
    days = [day for span in rows for day in (span.since, span.until) if day is not None]
    if not days:
        return None
    first = min([*days, at, today]) - timedelta(days=MARGIN_DAYS)
    last = max([*days, at, today]) + timedelta(days=MARGIN_DAYS)

    def place(day: date) -> float:
        return round(WIDTH * (day - first).days / (last - first).days, 1)

    bars = []
    for span in rows:
        begin = 0.0 if span.since is None else place(span.since)
        end = WIDTH if span.until is None else place(span.until)
        bars.append(Bar(span, begin, max(end - begin, 3.0)))
    every = max(1, (last.year - first.year) // 8)
    years = [(year, place(date(year, 1, 1))) for year in range(first.year + 1, last.year + 1, every)]
    return Timeline(bars, first, last, place(at), years)


def spans_of(
    *,
    statements: Iterable[LicenceStatement],
    claims: Iterable[RightsClaim],
    grants: Iterable[Grant],
    reservations: Iterable[Reservation],
    memos: Iterable[ExceptionMemo],
    versions: Iterable[VersionEntry],
) -> list[Span]:
    """Return all that begins, ends or happens about the rights of one recording."""
    found = {_stated(statement) for statement in statements}
    found |= {
        Span("claim", claim.right, f"{claim.party} claims it", claim.valid_from, claim.valid_until)
        for claim in claims
    }
    found |= {Span("memo", "both", f"Memo: {memo}", memo.valid_from, memo.valid_until) for memo in memos}
    spans = list(found)
    for grant in grants:
        spans += _granted(grant)
    for held in reservations:
        until = held.withdrawn_at.date() if held.withdrawn_at else None
        what = f"Opt-out: {held.get_source_display()}"
        spans.append(Span("opt-out", held.right, what, held.declared_at.date(), until, until is not None))
    for leaf in versions:
        day = leaf.version.frozen_at.date()
        spans.append(Span("frozen", "both", f"Frozen into {leaf.version}", day, day))
    return sorted(
        spans, key=lambda span: (span.since or date.min, span.until or date.max, span.what, span.right)
    )


def _stated(statement: LicenceStatement) -> Span:
    licence = spelled(statement.expression) if statement.expression else "No licence stated"
    what = f"{licence}, by the {statement.get_source_display().lower()}"
    return Span("licence", statement.right, what, statement.valid_from, statement.valid_until)


def _granted(grant: Grant) -> list[Span]:
    revoked = grant.revoked_from.date() if grant.revoked_from else None
    ends = min([day for day in (revoked, grant.valid_until) if day is not None], default=None)
    what = f"{grant.licensor} grants {grant.licensee}" + (", revoked" if revoked else "")
    since = min(grant.valid_from, ends) if grant.valid_from and ends else grant.valid_from
    spans = [Span("grant", grant.right, what, since, ends, revoked is not None, str(grant.public_id))]
    if grant.sunset_on is not None:
        sunset = f"Weights made under {grant.licensor}'s grant may be used until here"
        spans.append(Span("sunset", grant.right, sunset, grant.sunset_on, grant.sunset_on))
    return spans
