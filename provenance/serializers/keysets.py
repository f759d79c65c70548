"""Where a long list goes on."""

from typing import Any

from rest_framework import serializers

from governance.serializers import QuerySerializer


class KeysetQuerySerializer(QuerySerializer):
    after = serializers.CharField(
        required=False,
        help_text="go on behind this mark, which `next` gives: a place that stays when its row leaves the list, "
        "and quick where `offset` is not",
    )
    before = serializers.CharField(
        required=False, help_text="what stands before this mark, which `previous` gives"
    )

    def to_internal_value(self, data: Any) -> Any:
        """Return what narrows the list; where to go on does not."""
        asked = super().to_internal_value(data)
        for mark in ("after", "before"):
            asked.pop(mark, None)
        return asked
