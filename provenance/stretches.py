"""Long lists read a stretch at a time, each found by the row beside it: as quick at the end as at the start."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db.models import F, Model, QuerySet
from django.db.models.fields.tuple_lookups import TupleGreaterThan, TupleLessThan
from django.http import HttpRequest

from governance.pages import PAGE_SIZE

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True)
class Stretch(Generic[Row]):
    """Some rows of a list; ``before`` and ``after`` name the rows beyond which there are more, or are empty."""

    rows: Sequence[Row]
    n_in_all: int
    before: str = ""
    after: str = ""


def stretch_of(request: HttpRequest, rows: QuerySet[Row], *, by: str, size: int = PAGE_SIZE) -> Stretch[Row]:
    """Return what the address asks for, newest first by the field ``by`` and then by key.

    ``?after=ID`` is what comes after a row and ``?before=ID`` what comes before it; a row that is not in the list (any
    more) leads to its start. Four queries at most, whatever the length.
    """
    before, after = _row(rows, request.GET.get("before")), _row(rows, request.GET.get("after"))
    if before is not None:
        found = list(rows.filter(_beyond(before, by, TupleGreaterThan)).order_by(by, "pk")[: size + 1])
        more, found = len(found) > size, found[:size][::-1]
        return _stretch(found, rows, more_before=more, more_after=True)
    narrowed = rows if after is None else behind(rows, after, by=by)
    found = list(narrowed.order_by(f"-{by}", "-pk")[: size + 1])
    return _stretch(found[:size], rows, more_before=after is not None, more_after=len(found) > size)


def behind(rows: QuerySet[Row], row: Row, *, by: str) -> QuerySet[Row]:
    """Narrow to what comes after a row, newest first by ``by`` and then by key."""
    return rows.filter(_beyond(row, by, TupleLessThan))


def _row(rows: QuerySet[Row], public_id: str | None) -> Row | None:
    try:
        return rows.filter(public_id=UUID(public_id)).first() if public_id else None
    except ValueError:
        return None


def _beyond(row: Any, by: str, side: type[TupleLessThan | TupleGreaterThan]) -> Any:
    """Compare field and key as one: then an index on both begins where the row stands, however many share a value."""
    return side((F(by), F("pk")), (getattr(row, by), row.pk))


def _stretch(found: list[Row], rows: QuerySet[Row], *, more_before: bool, more_after: bool) -> Stretch[Row]:
    ids = [str(vars(row)["public_id"]) for row in found]
    return Stretch(
        found,
        rows.count(),
        before=ids[0] if ids and more_before else "",
        after=ids[-1] if ids and more_after else "",
    )
