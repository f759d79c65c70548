"""Long lists in the API, newest first: read on behind a row, as quick at the end as at the start."""

from typing import Any, cast
from uuid import UUID

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

from governance.api import Pages
from provenance.stretches import behind


class NewestFirst(Pages):
    """Pages of a view's rows by its ``newest_by`` and key. With ``offset`` they are counted off, as in any list."""

    _offset_asked = False
    _next: str | None = None

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        by: str = view.newest_by
        rows = queryset.order_by(f"-{by}", "-pk")
        self._offset_asked = self.offset_query_param in request.query_params
        if self._offset_asked:
            return list(super().paginate_queryset(rows, request, view=view) or ())
        self.request = request
        self.limit = cast("int", self.get_limit(request))
        self.count = self.get_count(queryset)
        if asked := request.query_params.get("after"):
            rows = behind(rows, _row(view.get_queryset(), asked), by=by)
        found = list(rows[: self.limit + 1])
        self._next = str(found[self.limit - 1].public_id) if len(found) > self.limit else None
        return found[: self.limit]

    def get_next_link(self) -> str | None:
        """Return where the list goes on."""
        if self._offset_asked:
            return super().get_next_link()
        if self._next is None or self.request is None:
            return None
        address = replace_query_param(self.request.build_absolute_uri(), "after", self._next)
        return replace_query_param(address, self.limit_query_param, self.limit)

    def get_previous_link(self) -> str | None:
        """Return the page before, which only an offset can name."""
        return super().get_previous_link() if self._offset_asked else None


def _row(rows: QuerySet[Any], public_id: str) -> Any:
    """Find the row among all that may be read: it may have left those asked for, as a conflict that was closed."""
    try:
        row = rows.filter(public_id=UUID(public_id)).first()
    except ValueError:
        row = None
    if row is None:
        raise serializers.ValidationError({"after": ["There is no such row here."]})
    return row
