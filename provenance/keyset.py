"""Pages of long lists: what comes after a row, by an index, however deep the page is."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Model, Q, QuerySet

PAGE_SIZE = 50


@dataclass(frozen=True)
class Slice:
    """One page; ``after`` and ``before`` are the marks that address its neighbours, empty where there is none."""

    rows: Sequence[Any]
    after: str = ""
    before: str = ""


def slice_of(
    rows: QuerySet[Any], *, by: str, after: str = "", before: str = "", size: int = PAGE_SIZE
) -> Slice:
    """Return the rows after (or before) a mark, in the order of ``by`` and, where that is the same, of their ids.

    A mark that nobody wrote is the beginning: an address that was cut short still shows something.
    """
    mark, backwards = _read(after or before), not after and bool(before)
    if mark is not None:
        rows = rows.filter(_beyond(by, *mark, backwards=backwards))
    ordered = rows.order_by(*((f"-{by}", "-id") if backwards else (by, "id")))
    found = list(ordered[: size + 1])
    has_more, found = len(found) > size, found[:size]
    if backwards:
        found.reverse()
    has_next = bool(found) and (has_more or (mark is not None and backwards))
    has_previous = bool(found) and (has_more if backwards else mark is not None)
    return Slice(
        found,
        _mark(found[-1], by) if has_next else "",
        _mark(found[0], by) if has_previous else "",
    )


def _beyond(by: str, value: str, key: int, *, backwards: bool) -> Q:
    """Return what lies beyond a mark, in words that let an index begin there."""
    side = "lt" if backwards else "gt"
    return Q(**{f"{by}__{side}e": value}) & (Q(**{f"{by}__{side}": value}) | Q(**{f"id__{side}": key}))


def _mark(row: Model, by: str) -> str:
    written = json.dumps([getattr(row, by), row.pk], ensure_ascii=False).encode()
    return base64.urlsafe_b64encode(written).decode().rstrip("=")


def _read(mark: str) -> tuple[str, int] | None:
    try:
        value, key = json.loads(base64.urlsafe_b64decode(mark + "=" * (-len(mark) % 4)))
    except (ValueError, TypeError):
        return None
    return (value, key) if isinstance(value, str) and "\x00" not in value and type(key) is int else None
