"""How grants look in JSON, and the deals that become grants."""

from pathlib import PurePosixPath
from typing import Any

from rest_framework import serializers

from governance.serializers import OrganisationField, QuerySerializer, RowSerializer
from provenance.models import ClaimedRight, Grant, GrantBasis, Remuneration
from provenance.rights.values import PURPOSES


class GrantSerializer(RowSerializer[Grant]):
    organisation = serializers.CharField(source="organisation.name", read_only=True)
    licensor = serializers.CharField(source="licensor.name", read_only=True)
    licensee = serializers.CharField(source="licensee.name", read_only=True)
    has_agreement = serializers.SerializerMethodField(help_text="whether the agreement itself is kept")
    reinstates = serializers.UUIDField(
        source="reinstates.public_id",
        read_only=True,
        allow_null=True,
        default=None,
        help_text="the revoked grant that this one gives again",
    )
    reinstated_by = serializers.UUIDField(
        source="reinstated_by.public_id",
        read_only=True,
        allow_null=True,
        default=None,
        help_text="the grant that gives this one again, which stays revoked",
    )

    class Meta:
        model = Grant
        fields = (
            "id",
            "deal",
            "organisation",
            "licensor",
            "licensee",
            "right",
            "basis",
            "share_percent",
            "purposes",
            "commercial",
            "territory",
            "valid_from",
            "valid_until",
            "sunset_on",
            "model_scope",
            "conditions",
            "output_uses",
            "exclusive",
            "exclusive_except",
            "sublicensing",
            "attribution",
            "revocable",
            "notice_days",
            "remuneration",
            "remuneration_terms",
            "chain_of_title",
            "document",
            "document_sha256",
            "has_agreement",
            "registered_at",
            "revoked_from",
            "revoked_at",
            "revocation_reason",
            "reinstates",
            "reinstated_by",
            "reinstatement_reason",
        )

    def get_has_agreement(self, grant: Grant) -> bool:
        return grant.agreement_id is not None


class ReinstateSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=5000)
    right = serializers.ChoiceField(
        choices=ClaimedRight.choices,
        required=False,
        allow_blank=True,
        default="",
        help_text="give this right of the deal again alone; default: all that are revoked",
    )

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        valid_from = serializers.DateField(
            source="valid_from",
            required=False,
            allow_null=True,
            default=None,
            help_text="default: from now on, or when a notice ends",
        )
        return {**super().get_fields(), "from": valid_from}  # a word that Python keeps for itself


class ReinstatedSerializer(serializers.Serializer[Any]):
    deal = serializers.UUIDField()
    grants = serializers.ListField(child=serializers.UUIDField())
    rights = serializers.DictField(child=serializers.UUIDField(), help_text="the new grant of each right")
    revoked_deal = serializers.UUIDField()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {**super().get_fields(), "from": serializers.DateField()}


class GrantQuerySerializer(QuerySerializer):
    right = serializers.ChoiceField(choices=ClaimedRight.choices, required=False)
    licensor = serializers.CharField(required=False, help_text="part of the licensor's name")
    ends_within_days = serializers.IntegerField(required=False, min_value=0, max_value=36500)
    revoked = serializers.BooleanField(required=False, allow_null=True, default=None)
    recording = serializers.UUIDField(required=False)


def _texts(max_length: int, help_text: str = "") -> serializers.ListField:
    return serializers.ListField(
        child=serializers.CharField(max_length=max_length), required=False, help_text=help_text or None
    )


class TermsSerializer(serializers.Serializer[Any]):
    """The terms of a licence. What they say is weighed by the service; here only their form is."""

    licensor = serializers.CharField(max_length=500, required=False)
    share = serializers.DecimalField(
        7,
        4,
        required=False,
        min_value=0,
        max_value=100,
        help_text="percent of the right that the licensor holds",
    )
    licensors = serializers.ListField(
        child=serializers.DictField(), required=False, help_text='split shares: [{"name", "share"}]'
    )
    basis = serializers.ChoiceField(choices=GrantBasis.choices, required=False)
    territory = _texts(20)
    valid_from = serializers.DateField(required=False, allow_null=True)
    valid_until = serializers.DateField(required=False, allow_null=True, help_text="exclusive; null = open")
    sunset_on = serializers.DateField(
        required=False, allow_null=True, help_text="first day on which weights may no longer be used"
    )
    model_scope = _texts(200, "models, or NAME@VERSION; empty = any")
    conditions = _texts(100)
    output_uses = _texts(100)
    exclusive = serializers.BooleanField(required=False)
    exclusive_except = _texts(
        500, "licensees whose grants stand beside it; of a sole licence the licensor itself"
    )
    sublicensing = serializers.BooleanField(required=False)
    attribution = serializers.CharField(required=False, allow_blank=True, max_length=2000)
    revocable = serializers.BooleanField(required=False)
    notice_days = serializers.IntegerField(required=False, allow_null=True, min_value=0, max_value=36500)
    remuneration = serializers.ChoiceField(choices=Remuneration.choices, required=False, allow_blank=True)
    remuneration_terms = serializers.CharField(required=False, allow_blank=True, max_length=5000)
    chain_of_title = _texts(500, "from the rights holder to the licensor")
    document = serializers.CharField(required=False, allow_blank=True, max_length=1000)

    def validate_document(self, document: str) -> str:
        """Refuse paths: a document on the server is nothing that a caller may have read or hashed."""
        path = PurePosixPath(document)
        if path.is_absolute() or ".." in path.parts:
            raise serializers.ValidationError("Name the document by its title or URL, not by a path.")
        return document


class DealSerializer(TermsSerializer):
    """One deal, as a file of grants has it; what holds for one right alone stands under that right's name."""

    licensee = serializers.CharField(max_length=500)
    right = serializers.CharField(
        max_length=20,
        required=False,
        help_text="master, composition, both, performance or lyrics; without it, those that have terms of their own",
    )
    purposes = serializers.ListField(child=serializers.ChoiceField(choices=PURPOSES), min_length=1)
    commercial = serializers.BooleanField(required=False, default=True)
    recordings = _texts(1000, "external ids, ISRCs, sha256 or ids")
    works = _texts(20, "ISWCs")
    dataset = serializers.CharField(required=False, max_length=100, help_text="all that a dataset now holds")
    master = TermsSerializer(required=False)
    composition = TermsSerializer(required=False)


class RegisterGrantsSerializer(serializers.Serializer[Any]):
    deals = DealSerializer(many=True, allow_empty=False)
    dry_run = serializers.BooleanField(required=False, default=False)
    organisation = OrganisationField()


ROW_STATUSES = ("registered", "duplicate", "rejected")  # what becomes of a row of deals or of claims


class GrantOutcomeSerializer(serializers.Serializer[Any]):
    row = serializers.IntegerField()
    status = serializers.ChoiceField(choices=ROW_STATUSES)
    grants = serializers.ListField(child=serializers.UUIDField())
    recordings = serializers.IntegerField()
    reasons = serializers.ListField(child=serializers.CharField())
    grants_by_right = serializers.DictField(
        child=serializers.ListField(child=serializers.DictField(child=serializers.CharField())),
        help_text="every grant of each right with its licensor: a split right has several",
    )
    notes = serializers.ListField(child=serializers.CharField())


class GrantOutcomesSerializer(serializers.Serializer[Any]):
    outcomes = GrantOutcomeSerializer(many=True)
    summary = serializers.DictField(child=serializers.IntegerField())
