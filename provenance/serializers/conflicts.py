"""How conflicts look in JSON, and how one is resolved."""

from rest_framework import serializers

from governance.serializers import QuerySerializer, ReasonSerializer, RowSerializer
from provenance.models import Conflict, ConflictSide, ConflictStatus


class ConflictSerializer(RowSerializer[Conflict]):
    recording_a = serializers.UUIDField(source="recording_a.public_id", read_only=True)
    recording_b = serializers.UUIDField(source="recording_b.public_id", read_only=True)
    resolved_by = serializers.CharField(
        source="resolved_by.username", default=None, allow_null=True, read_only=True
    )
    evidence_a = serializers.JSONField(read_only=True)
    evidence_b = serializers.JSONField(read_only=True)
    heard = serializers.JSONField(read_only=True)
    weight = serializers.IntegerField(
        read_only=True, help_text="what contradicts itself most is heaviest, 90 at most"
    )

    class Meta:
        model = Conflict
        fields = (
            "id",
            "kind",
            "status",
            "weight",
            "summary",
            "recording_a",
            "recording_b",
            "evidence_a",
            "evidence_b",
            "heard",
            "in_favour_of",
            "found_at",
            "resolved_by",
            "resolved_at",
            "reason",
        )


class ResolveConflictSerializer(ReasonSerializer):
    in_favour_of = serializers.ChoiceField(
        choices=ConflictSide.choices,
        default=ConflictSide.BOTH.value,
        help_text="Whose statements count for both from now on; both: the stricter goes on deciding.",
    )


class DatasetConflictQuerySerializer(QuerySerializer):
    status = serializers.ChoiceField(choices=ConflictStatus.choices, required=False)
    kind = serializers.CharField(required=False)


class ConflictQuerySerializer(DatasetConflictQuerySerializer):
    recording = serializers.UUIDField(required=False)
