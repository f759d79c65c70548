"""Where a long list goes on."""

from typing import Any

from rest_framework import serializers

from governance.serializers import QuerySerializer


class NewestFirstQuerySerializer(QuerySerializer):
    after = serializers.UUIDField(
        required=False,
        help_text="go on behind this row; `next` says so, and stays quick where `offset` does not",
    )

    def to_internal_value(self, data: Any) -> Any:
        """Return what narrows the list; where to go on does not."""
        asked = super().to_internal_value(data)
        asked.pop("after", None)
        return asked
