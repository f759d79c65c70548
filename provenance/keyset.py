"""Pages of long lists: what comes after a place, by an index, however deep the page is."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import BigIntegerField, F, Model, QuerySet, Subquery, Value
from django.db.models.fields.tuple_lookups import TupleGreaterThan, TupleLessThan
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils import timezone

from governance.pages import PAGE_SIZE

Row = TypeVar("Row", bound=Model)
BEYOND_EVERY_KEY = 2**63 - 1


@dataclass(frozen=True)
class Slice(Generic[Row]):
    """One page; ``after`` and ``before`` are the marks that address its neighbours, empty where there is none."""

    rows: Sequence[Row]
    after: str = ""
    before: str = ""
    is_start: bool = True  # nobody asked for a place in the list
    n_in_all: int | None = None


def slice_of(
    rows: QuerySet[Row],
    *,
    by: str,
    newest_first: bool = False,
    after: str = "",
    before: str = "",
    size: int = PAGE_SIZE,
) -> Slice[Row]:
    """Return the rows after (or before) a mark, in the order of ``by`` and, where that is the same, of their keys.

    A mark says what its row was sorted by: it is a place in the list still when the row has left it. A mark that
    nobody wrote is the beginning: an address that was cut short still shows something.
    """
    place, backwards = place_of(after or before, rows, by=by), not after and bool(before)
    descending = newest_first != backwards
    if place is not None:
        rows = rows.filter(_beyond(rows.model, place, by, descending=descending))
    sign = "-" if descending else ""
    found = list(rows.order_by(f"{sign}{by}", f"{sign}pk")[: size + 1])
    has_more, found = len(found) > size, found[:size]
    if backwards:
        found.reverse()
    has_next = bool(found) and (has_more or (place is not None and backwards))
    has_previous = bool(found) and (has_more if backwards else place is not None)
    return Slice(
        found,
        mark_of(found[-1], by) if has_next else "",
        mark_of(found[0], by) if has_previous else "",
        is_start=place is None,
    )


def slice_asked(
    request: HttpRequest, rows: QuerySet[Row], *, by: str, newest_first: bool = False
) -> Slice[Row]:
    """Return what the address of a page asks for, and how many rows there are in all."""
    after, before = request.GET.get("after", ""), request.GET.get("before", "")
    cut = slice_of(rows, by=by, newest_first=newest_first, after=after, before=before)
    return Slice(cut.rows, cut.after, cut.before, cut.is_start, rows.count())


class Place(NamedTuple):
    """Where a row stands, or stood: what it is sorted by, and its public id."""

    value: Any
    public_id: UUID


def place_of(mark: str, rows: QuerySet[Any], *, by: str) -> Place | None:
    """Return the place that a mark names, None for a mark that nobody wrote."""
    try:
        written, public_id = json.loads(base64.urlsafe_b64decode(mark + "=" * (-len(mark) % 4)))
        if not isinstance(written, str) or not isinstance(public_id, str) or "\x00" in written:
            return None
        value = rows.model._meta.get_field(by).to_python(written)
        return None if _is_without_zone(value) else Place(value, UUID(public_id))
    except (ValueError, TypeError, ValidationError):
        return None


def _is_without_zone(value: Any) -> bool:
    return isinstance(value, datetime) and timezone.is_naive(value)


def mark_of(row: Any, by: str) -> str:
    """Return the mark of the place where a row stands now."""
    value = getattr(row, by)
    said = value.isoformat() if isinstance(value, datetime) else value
    written = json.dumps([said, str(row.public_id)], ensure_ascii=False).encode()
    return base64.urlsafe_b64encode(written).decode().rstrip("=")


def _beyond(model: type[Model], place: Place, by: str, *, descending: bool) -> Any:
    """Compare field and key as one: then an index on both begins where the row stands, however many share a value.

    The key is looked up, for keys never leave; of a row that was deleted all that share its value come (again).
    """
    side = TupleLessThan if descending else TupleGreaterThan
    key = model._default_manager.filter(public_id=place.public_id).order_by().values("pk")
    gone = Value(BEYOND_EVERY_KEY if descending else 0)
    return side(
        (F(by), F("pk")), (place.value, Coalesce(Subquery(key), gone, output_field=BigIntegerField()))
    )
