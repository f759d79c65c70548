"""How governance looks in JSON. Ids are public UUIDs; primary keys never leave."""

from typing import Any, TypeVar

from django.db import models
from rest_framework import serializers

from governance.models import Decision, Job, JobState, LedgerEvent, Question, Review, Role

M = TypeVar("M", bound=models.Model)
PAGING = frozenset({"limit", "offset", "after", "before"})


class RowSerializer(serializers.ModelSerializer[M]):
    """A row that is read and never written through."""

    id = serializers.UUIDField(source="public_id", read_only=True)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        fields = super().get_fields()
        for field in fields.values():
            field.read_only = True
        return fields


class QuerySerializer(serializers.Serializer[Any]):
    """What may stand behind the question mark. A word nobody knows is refused: ignored, it would widen the answer."""

    def to_internal_value(self, data: Any) -> Any:
        if unknown := sorted(set(data) - set(self.fields) - PAGING):
            known = ", ".join(sorted({*self.fields, *PAGING}))
            raise serializers.ValidationError(
                {name: [f"Nobody knows this parameter: there are {known}."] for name in unknown}
            )
        return super().to_internal_value(data)


class ReasonSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=5000)


class ProblemSerializer(serializers.Serializer[Any]):
    """Every refusal: a stable code and a sentence; ``fields`` says which part of the request was wrong."""

    code = serializers.CharField()
    detail = serializers.CharField()
    fields = serializers.DictField(  # type: ignore[assignment]  # the name is the wire's, not the class's
        child=serializers.JSONField(), required=False
    )


class MembershipSerializer(serializers.Serializer[Any]):
    organisation = serializers.UUIDField(source="organisation.public_id")
    name = serializers.CharField(source="organisation.name")
    role = serializers.ChoiceField(choices=Role.choices)
    valid_until = serializers.DateTimeField(allow_null=True)


class WhoAmISerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    username = serializers.CharField()
    memberships = MembershipSerializer(many=True)


class TokenSerializer(serializers.Serializer[Any]):
    token = serializers.CharField()
    expiry = serializers.DateTimeField(allow_null=True)


class OrganisationField(serializers.CharField):
    """The name of one of the caller's organisations; left out: the one they work for."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, default="", allow_blank=True, max_length=200, **options)


class JobSerializer(RowSerializer[Job]):
    organisation = serializers.CharField(source="organisation.name", read_only=True)
    subject = serializers.UUIDField(source="subject_id", allow_null=True, read_only=True)
    asked_by = serializers.CharField(source="asked_by.username", read_only=True)
    percent = serializers.IntegerField(read_only=True)
    outcome = serializers.JSONField(read_only=True)

    class Meta:
        model = Job
        fields = (
            "id",
            "organisation",
            "kind",
            "subject_kind",
            "subject",
            "subject_name",
            "state",
            "percent",
            "n_done",
            "n_total",
            "message",
            "outcome",
            "stop_requested",
            "asked_by",
            "asked_at",
            "started_at",
            "finished_at",
        )


class JobQuerySerializer(QuerySerializer):
    state = serializers.ChoiceField(choices=JobState.choices, required=False)
    kind = serializers.CharField(required=False)


class ReviewSerializer(RowSerializer[Review]):
    organisation = serializers.CharField(source="organisation.name", read_only=True)
    subject = serializers.UUIDField(source="subject_id", read_only=True)
    asked_by = serializers.CharField(source="asked_by.username", read_only=True)
    decided_by = serializers.CharField(
        source="decided_by.username", read_only=True, default=None, allow_null=True
    )
    conditions = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = Review
        fields = (
            "id",
            "organisation",
            "question",
            "subject_kind",
            "subject",
            "subject_name",
            "why",
            "asked_by",
            "asked_at",
            "decision",
            "decided_by",
            "decided_at",
            "reason",
            "conditions",
        )


class ReviewQuerySerializer(QuerySerializer):
    decision = serializers.ChoiceField(choices=Decision.choices, required=False)
    question = serializers.ChoiceField(choices=Question.choices, required=False)
    subject = serializers.UUIDField(required=False)


class LedgerEventSerializer(serializers.ModelSerializer[LedgerEvent]):
    subject = serializers.UUIDField(source="subject_id", read_only=True)
    actor = serializers.UUIDField(source="actor_id", read_only=True)
    organisation = serializers.UUIDField(source="organisation_id", read_only=True)
    body = serializers.DictField(read_only=True)

    class Meta:
        model = LedgerEvent
        fields = (
            "sequence",
            "kind",
            "subject_kind",
            "subject",
            "actor",
            "organisation",
            "at",
            "body",
            "previous_hash",
            "hash",
        )
        read_only_fields = fields


class LedgerQuerySerializer(QuerySerializer):
    kind = serializers.CharField(required=False)
    subject = serializers.UUIDField(required=False)


class LedgerHeadSerializer(serializers.Serializer[Any]):
    events = serializers.IntegerField()
    head = serializers.CharField()


class VerificationSerializer(serializers.Serializer[Any]):
    events = serializers.IntegerField()
    head = serializers.CharField()
    ok = serializers.BooleanField()
    first_bad = serializers.IntegerField(allow_null=True)
    problem = serializers.CharField(allow_blank=True)
