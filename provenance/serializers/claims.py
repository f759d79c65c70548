"""Claims in JSON: as they stand, and as they are registered."""

from typing import Any

from rest_framework import serializers

from governance.serializers import OrganisationField, QuerySerializer, RowSerializer
from provenance.models import ClaimedRight, RightsClaim
from provenance.rights.values import SOURCES
from provenance.serializers.grants import ROW_STATUSES


class RightsClaimSerializer(RowSerializer[RightsClaim]):
    recording = serializers.UUIDField(source="recording.public_id", read_only=True)
    party = serializers.CharField(source="party.name", read_only=True)

    class Meta:
        model = RightsClaim
        fields = (
            "id",
            "recording",
            "party",
            "right",
            "role",
            "share_percent",
            "territory",
            "valid_from",
            "valid_until",
            "source",
            "evidence",
            "recorded_at",
            "withdrawn_at",
        )


class ClaimQuerySerializer(QuerySerializer):
    recording = serializers.UUIDField(required=False)
    party = serializers.CharField(required=False, help_text="part of the party's name")
    right = serializers.ChoiceField(choices=ClaimedRight.choices, required=False)
    source = serializers.ChoiceField(choices=SOURCES, required=False)  # type: ignore[assignment]  # a field of this name
    withdrawn = serializers.BooleanField(
        required=False, allow_null=True, default=False, help_text="default: those that stand"
    )


class ClaimRowSerializer(serializers.Serializer[Any]):
    """One claim, as a file of claims has it. What it says is weighed by the service; here only its form is."""

    party = serializers.CharField(max_length=500)
    right = serializers.CharField(max_length=60, help_text="master, composition, both, performance or lyrics")
    role = serializers.CharField(required=False, allow_blank=True, max_length=60)
    share = serializers.DecimalField(
        7, 4, required=False, allow_null=True, min_value=0, max_value=100, help_text="percent of the right"
    )
    territory = serializers.ListField(
        child=serializers.CharField(max_length=20), required=False, help_text="empty = the world"
    )
    valid_from = serializers.DateField(required=False, allow_null=True)
    valid_until = serializers.DateField(required=False, allow_null=True, help_text="exclusive; null = open")
    source = serializers.ChoiceField(  # type: ignore[assignment]  # a field of this name
        choices=SOURCES, required=False, help_text="default: steward"
    )
    evidence = serializers.CharField(required=False, allow_blank=True, max_length=1000)
    isni = serializers.CharField(required=False, max_length=40)
    ipi_name = serializers.CharField(required=False, max_length=40)
    ipi_base = serializers.CharField(required=False, max_length=40)
    dpid = serializers.CharField(required=False, max_length=40)
    recordings = serializers.ListField(
        child=serializers.CharField(max_length=1000),
        required=False,
        help_text="external ids, ISRCs, sha256 or ids",
    )
    works = serializers.ListField(
        child=serializers.CharField(max_length=20), required=False, help_text="ISWCs"
    )
    dataset = serializers.CharField(required=False, max_length=100, help_text="all that a dataset now holds")


class RegisterClaimsSerializer(serializers.Serializer[Any]):
    claims = ClaimRowSerializer(many=True, allow_empty=False)
    dry_run = serializers.BooleanField(required=False, default=False)
    organisation = OrganisationField()


class ClaimOutcomeSerializer(serializers.Serializer[Any]):
    row = serializers.IntegerField()
    status = serializers.ChoiceField(choices=ROW_STATUSES)
    party = serializers.CharField()
    claims = serializers.ListField(child=serializers.UUIDField(), help_text="the first 100")
    n_claims = serializers.IntegerField()
    recordings = serializers.IntegerField()
    reasons = serializers.ListField(child=serializers.CharField())
    notes = serializers.ListField(child=serializers.CharField())


class ClaimOutcomesSerializer(serializers.Serializer[Any]):
    outcomes = ClaimOutcomeSerializer(many=True)
    summary = serializers.DictField(child=serializers.IntegerField())
