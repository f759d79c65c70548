"""Long lists in the API: read on behind a place, as quick at the end as at the start, whatever came in between."""

from typing import Any, cast

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.utils.urls import remove_query_param, replace_query_param

from governance.api import Pages
from provenance.keyset import Slice, place_of, slice_of

MARKS = ("after", "before")


class NewestFirst(Pages):
    """Pages of a view's rows by its ``newest_by`` and key. With ``offset`` they are counted off, as in any list."""

    newest_first = True
    _slice: Slice[Any] | None = None  # none where an offset was asked for

    def sorted_by(self, view: Any) -> str:
        return str(view.newest_by)

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        by = self.sorted_by(view)
        if self.offset_query_param in request.query_params:
            sign = "-" if self.newest_first else ""
            rows = queryset.order_by(f"{sign}{by}", f"{sign}pk")
            return list(super().paginate_queryset(rows, request, view=view) or ())
        self.request = request
        self.limit = cast("int", self.get_limit(request))
        self.count = self.get_count(queryset)
        self._slice = slice_of(
            queryset,
            by=by,
            newest_first=self.newest_first,
            size=self.limit,
            **{name: _mark(request, name, queryset, by) for name in MARKS},
        )
        return list(self._slice.rows)

    def get_next_link(self) -> str | None:
        """Return where the list goes on."""
        return self._link("after", self._slice.after) if self._slice else super().get_next_link()

    def get_previous_link(self) -> str | None:
        return self._link("before", self._slice.before) if self._slice else super().get_previous_link()

    def _link(self, name: str, mark: str) -> str | None:
        if not mark or self.request is None:
            return None
        address = self.request.build_absolute_uri()
        for other in MARKS:
            address = remove_query_param(address, other)
        return replace_query_param(
            replace_query_param(address, name, mark), self.limit_query_param, self.limit
        )


class ByTitle(NewestFirst):
    newest_first = False

    def sorted_by(self, view: Any) -> str:
        return "title"


def _mark(request: Request, name: str, rows: Any, by: str) -> str:
    """Refuse what is no mark of this list: from the start on, a program would never come to an end."""
    mark: str = request.query_params.get(name, "")
    if mark and place_of(mark, rows, by=by) is None:
        raise serializers.ValidationError(
            {name: ["This is no mark of this list: `next` and `previous` are."]}
        )
    return mark
