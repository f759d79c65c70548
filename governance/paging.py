"""Lists in the API: read on behind a place, as quick at the end as at the start, whatever came in between."""

from typing import Any, cast

from django.db.models import Model
from rest_framework import serializers
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.request import Request
from rest_framework.utils.urls import remove_query_param, replace_query_param

from governance.keyset import Order, Slice, slice_of

MARKS = {
    "after": "Go on behind this mark, which `next` gives: a place that stays when its row leaves the list, and quick "
    "where `offset` is not.",
    "before": "What stands before this mark, which `previous` gives.",
}
MAX_LIMIT = 500


class Pages(LimitOffsetPagination):
    """Pages of rows in the ``order`` of their view, or of one list of it. With ``offset`` they are counted off."""

    max_limit = MAX_LIMIT
    order: Order | None = None  # as the view has it
    _slice: Slice[Any] | None = None  # none where an offset was asked for

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        order: Order = self.order or view.order
        asked = {name: request.query_params.get(name, "") for name in MARKS}
        if sum([self.offset_query_param in request.query_params, *map(bool, asked.values())]) > 1:
            raise _refused("Ask for one of `after`, `before` and `offset`.", *asked)
        if self.offset_query_param in request.query_params:
            return list(super().paginate_queryset(order.sorted(queryset), request, view=view) or ())
        self.request = request
        self.limit = cast("int", self.get_limit(request))
        self.count = self.get_count(queryset)
        require_marks(queryset.model, order, of=request.path, **asked)
        self._slice = slice_of(queryset, order, size=self.limit, of=request.path, **asked)
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

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        marks = [
            {
                "name": name,
                "required": False,
                "in": "query",
                "description": says,
                "schema": {"type": "string"},
            }
            for name, says in MARKS.items()
        ]
        return [*super().get_schema_operation_parameters(view), *marks]

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        said = super().get_paginated_response_schema(schema)
        for link, name in (("next", "after"), ("previous", "before")):
            example = f"https://liner.example/api/v1/jobs/?{name}=WyI5ZjFj&limit=100"
            said["properties"][link]["example"] = example
        return said


def require_marks(model: type[Model], order: Order, *, of: str, **asked: str) -> None:
    """Refuse what is no mark of this list: begun anew without a word, a program would never come to its end."""
    for name, mark in asked.items():
        if mark and order.place_of(mark, model, of=of) is None:
            raise _refused("This is no mark of this list: follow what an answer gave.", name)


def _refused(why: str, *names: str) -> serializers.ValidationError:
    return serializers.ValidationError({name: [why] for name in names})
