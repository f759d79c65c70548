"""How a use is asked about in JSON, and what clearance answers."""

from typing import Any

from rest_framework import serializers

from governance.serializers import QuerySerializer
from provenance.rights.territory import UnknownTerritory, normalise
from provenance.rights.values import ANSWERS, PURPOSES, UNKNOWN_KINDS, WORLD


class TerritoryField(serializers.CharField):
    """An ISO 3166-1 code or the name of a group; empty = the world."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, default="", allow_blank=True, max_length=20, **options)

    def to_internal_value(self, data: Any) -> str:
        written = super().to_internal_value(data)
        try:
            code = normalise(written)
        except UnknownTerritory as error:
            raise serializers.ValidationError(str(error)) from error
        return "" if code == WORLD else code


class UseSerializer(serializers.Serializer[Any]):
    """What somebody wants to do, where and when: the question that clearance answers."""

    purpose = serializers.ChoiceField(choices=PURPOSES)
    commercial = serializers.BooleanField(required=False, default=False)
    territory = TerritoryField()
    at = serializers.DateTimeField(required=False, allow_null=True, default=None, help_text="default: now")
    policy = serializers.CharField(
        required=False,
        default="",
        allow_blank=True,
        max_length=100,
        help_text="a reading other than the organisation's own",
    )


class ModelField(serializers.CharField):
    """The model that a use is for: a grant may name the models, or the versions, that it is given for."""

    def __init__(self) -> None:
        super().__init__(
            required=False,
            default="",
            allow_blank=True,
            max_length=200,
            help_text="NAME or NAME@VERSION; not said: a grant for certain models has the condition `model-scope`",
        )


class ClearanceQuerySerializer(QuerySerializer, UseSerializer):
    model = ModelField()
    version = serializers.IntegerField(
        required=False, min_value=1, help_text="a frozen version; default: the draft"
    )


class RightAnswerSerializer(serializers.Serializer[Any]):
    answer = serializers.ChoiceField(choices=ANSWERS)
    basis = serializers.CharField(allow_null=True)
    grant = serializers.CharField(allow_null=True)
    licence = serializers.CharField(allow_null=True)
    reasons = serializers.ListField(child=serializers.CharField())
    conditions = serializers.ListField(child=serializers.CharField())
    clauses = serializers.ListField(child=serializers.CharField())
    weak = serializers.BooleanField()
    contested = serializers.ListField(child=serializers.CharField())
    unknown_because = serializers.ChoiceField(choices=UNKNOWN_KINDS, allow_null=True)


class ClearanceSerializer(serializers.Serializer[Any]):
    answer = serializers.ChoiceField(choices=ANSWERS)
    """``master`` or ``composition`` is null where another holds that right, and a label's auditor asks."""

    master = RightAnswerSerializer(allow_null=True)
    composition = RightAnswerSerializer(allow_null=True)


class ClearanceSummarySerializer(serializers.Serializer[Any]):
    """How many recordings, and how many seconds of them, got each answer."""

    allowed = serializers.IntegerField()
    constrained = serializers.IntegerField()
    not_allowed = serializers.IntegerField()
    unknown = serializers.IntegerField()
    unknown_because = serializers.DictField(child=serializers.IntegerField())
    seconds_allowed = serializers.FloatField()
    seconds_constrained = serializers.FloatField()
    seconds_not_allowed = serializers.FloatField()
    seconds_unknown = serializers.FloatField()
    conditions = serializers.DictField(child=serializers.IntegerField())
    policy = serializers.CharField()
    draft = serializers.BooleanField()
