"""Pages of long lists: what comes after a place, by an index, however deep the page is."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import BigIntegerField, F, Field, Model, Q, QuerySet, Subquery, Value
from django.db.models.fields.tuple_lookups import TupleGreaterThan, TupleLessThan
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils import timezone

from governance.pages import PAGE_SIZE

Row = TypeVar("Row", bound=Model)
BEYOND_EVERY_KEY = 2**63 - 1


@dataclass(frozen=True)
class Order:
    """What a list is sorted by: ``fields``, all in one direction, and its key where rows may share their values.

    Keys never leave. What a mark says of the key are the fields of ``named_by``, which are a row's alone; where they
    are none, ``fields`` tell every row of the list from every other. A field that is the key of another row, as
    ``row_id``, is said by that row's public id.
    """

    fields: tuple[str, ...]
    descending: bool = False
    named_by: tuple[str, ...] = ("public_id",)

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.fields, "pk") if self.named_by else self.fields

    def sorted(self, rows: QuerySet[Row], *, backwards: bool = False) -> QuerySet[Row]:
        sign = "-" if self.descending != backwards else ""
        return rows.order_by(*(f"{sign}{column}" for column in self.columns))

    def mark_of(self, row: Any, *, of: str = "") -> str:
        """Return the mark of the place where a row stands now."""
        values = [_written(row, path) for path in (*self.fields, *self.named_by)]
        said = json.dumps([self._list_name(type(row), of), *values], ensure_ascii=False).encode()
        return base64.urlsafe_b64encode(said).decode().rstrip("=")

    def place_of(self, mark: str, model: type[Model], *, of: str = "") -> "Place | None":
        """Return the place that a mark names, None for a mark that nobody wrote, or that another list did."""
        paths = (*self.fields, *self.named_by)
        try:
            said = json.loads(base64.urlsafe_b64decode(mark + "=" * (-len(mark) % 4)))
            if not isinstance(said, list) or len(said) != 1 + len(paths) or not all(map(_is_clean, said)):
                return None
            if said[0] != self._list_name(model, of):
                return None
            read = [_read(model, path, one) for path, one in zip(paths, said[1:], strict=True)]
        except (ValueError, TypeError, ValidationError, OverflowError, RecursionError):
            return None
        n = len(self.fields)
        return Place(tuple(read[:n]), dict(zip(self.named_by, read[n:], strict=True)))

    def _list_name(self, model: type[Model], of: str) -> str:
        """Return what tells the marks of one list from those of others."""
        said = [of or model._meta.label_lower, *self.columns, str(self.descending)]
        return sha256("\n".join(said).encode()).hexdigest()[:8]


class Place(NamedTuple):
    """Where a row stands, or stood: what it is sorted by, and what names it."""

    values: tuple[Any, ...]
    name: dict[str, Any]


def by(*fields: str) -> Order:
    return Order(fields)


def newest(field: str) -> Order:
    """Sort by a time, the newest first."""
    return Order((field,), descending=True)


class BySequence(Order):
    """What is numbered for all to see is marked by its number."""

    def mark_of(self, row: Any, *, of: str = "") -> str:
        return str(getattr(row, self.fields[0]))

    def place_of(self, mark: str, model: type[Model], *, of: str = "") -> Place | None:
        return Place((int(mark),), {}) if mark.isascii() and mark.isdecimal() and len(mark) < 20 else None


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
    order: Order,
    *,
    after: str = "",
    before: str = "",
    size: int = PAGE_SIZE,
    of: str = "",
) -> Slice[Row]:
    """Return the rows after (or before) a mark, in their order.

    A mark says what its row was sorted by: it is a place in the list still when the row has left it. A mark that
    nobody wrote, or that another list wrote (``of`` names this one), is the beginning: an address that was cut short
    still shows something.
    """
    place, backwards = order.place_of(after or before, rows.model, of=of), not after and bool(before)
    if place is not None:
        rows = rows.filter(_beyond(rows.model, place, order, descending=order.descending != backwards))
    found = list(order.sorted(rows, backwards=backwards)[: size + 1])
    has_more, found = len(found) > size, found[:size]
    if backwards:
        found.reverse()
    has_next = bool(found) and (has_more or (place is not None and backwards))
    has_previous = bool(found) and (has_more if backwards else place is not None)
    return Slice(
        found,
        order.mark_of(found[-1], of=of) if has_next else "",
        order.mark_of(found[0], of=of) if has_previous else "",
        is_start=place is None,
    )


def slice_asked(
    request: HttpRequest, rows: QuerySet[Row], order: Order, *, size: int = PAGE_SIZE
) -> Slice[Row]:
    """Return what the address of a page asks for, and how many rows there are in all."""
    after, before = request.GET.get("after", ""), request.GET.get("before", "")
    cut = slice_of(rows, order, after=after, before=before, size=size)
    return Slice(cut.rows, cut.after, cut.before, cut.is_start, rows.count())


def _is_clean(said: Any) -> bool:
    """Tell whether this is text that the database takes: no zero bytes, no halves of characters."""
    return isinstance(said, str) and "\x00" not in said and bool(said.encode() or True)


def _field(model: type[Model], path: str) -> "Field[Any, Any]":
    *through, last = path.split("__")
    for name in through:
        model = model._meta.get_field(name).related_model  # type: ignore[assignment]
    return model._meta.get_field(last)  # type: ignore[return-value]


def _written(row: Any, path: str) -> str:
    field, value = _field(type(row), path), row
    for name in path.split("__"):
        value = getattr(value, name)
    if field.is_relation:
        value = getattr(row, field.name).public_id
    return value.isoformat() if isinstance(value, date) else str(value)


def _read(model: type[Model], path: str, said: str) -> Any:
    field = _field(model, path)
    if field.related_model:
        other: Any = field.related_model
        key = other._default_manager.filter(public_id=UUID(said)).values_list("pk", flat=True).first()
        if key is None:
            raise ValueError(f"{path} of nothing")
        return key
    value = field.to_python(said)
    if isinstance(value, datetime) and timezone.is_naive(value):
        raise ValueError(f"{path} without a zone")
    return value


def _beyond(model: type[Model], place: Place, order: Order, *, descending: bool) -> Any:
    """Compare fields and key as one: then an index on all begins where the row stands, however many share a value.

    The key is looked up, for keys never leave; of a row that was deleted all that share its value come (again).
    """
    values: list[Any] = list(place.values)
    if order.named_by:
        key = model._default_manager.filter(**place.name).order_by().values("pk")
        gone = Value(BEYOND_EVERY_KEY if descending else 0)
        values.append(Coalesce(Subquery(key), gone, output_field=BigIntegerField()))
    if len(values) == 1:
        return Q(**{f"{order.columns[0]}__{'lt' if descending else 'gt'}": values[0]})
    side = TupleLessThan if descending else TupleGreaterThan
    return side(tuple(F(column) for column in order.columns), tuple(values))
