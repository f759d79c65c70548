"""Kept documents in JSON: what they are and what they are about, not what they say."""

from datetime import datetime
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from governance.serializers import OrganisationField, QuerySerializer, RowSerializer
from provenance.forms.evidence import KINDS
from provenance.models import EvidenceDocument, EvidenceKind
from provenance.services.evidence import MAX_BYTES, Linked

MAX_SUBJECTS = 1000


class EvidenceSerializer(RowSerializer[EvidenceDocument]):
    organisation = serializers.CharField(source="organisation.name", read_only=True)
    received_from = serializers.CharField(source="received_from.username", read_only=True)

    class Meta:
        model = EvidenceDocument
        fields: tuple[str, ...] = (
            *("id", "organisation", "kind", "name", "url", "sha256", "media_type", "size_bytes"),
            *("effective_on", "fetched_at", "received_at", "received_from", "confidential"),
        )


class EvidenceDetailSerializer(EvidenceSerializer):
    licences = serializers.SerializerMethodField()
    recordings = serializers.SerializerMethodField()
    datasets = serializers.SerializerMethodField()

    class Meta(EvidenceSerializer.Meta):
        fields = (*EvidenceSerializer.Meta.fields, "licences", "recordings", "datasets")

    def get_licences(self, document: EvidenceDocument) -> list[str]:
        """licences of the catalogue that it is about"""
        return sorted(document.subjects.exclude(licence="").values_list("licence", flat=True))

    def get_recordings(self, document: EvidenceDocument) -> int:
        """how many recordings it is about: `GET /evidence/?recording=ID` says of one"""
        return document.subjects.exclude(recording=None).count()

    def get_datasets(self, document: EvidenceDocument) -> list[str]:
        """names of datasets that it is about"""
        about = document.subjects.exclude(dataset=None)
        return sorted(about.values_list("dataset__name", flat=True))


class KeptEvidenceSerializer(EvidenceDetailSerializer):
    n_statements = serializers.SerializerMethodField()

    class Meta(EvidenceDetailSerializer.Meta):
        fields = (*EvidenceDetailSerializer.Meta.fields, "n_statements")

    def get_n_statements(self, document: EvidenceDocument) -> int:
        """how many statements on licences had no document and now rest on this one"""
        linked: Linked = self.context["linked"]
        return linked.n_statements


def _about(child: serializers.Field[Any, Any, Any, Any], help_text: str) -> serializers.ListField:
    return serializers.ListField(
        child=child, required=False, default=list, max_length=MAX_SUBJECTS, help_text=help_text
    )


class KeepEvidenceSerializer(serializers.Serializer[Any]):
    organisation = OrganisationField(
        help_text="who keeps it; it is also whose the recordings and datasets are"
    )
    file = serializers.FileField(help_text=f"kept byte for byte, at most {MAX_BYTES:,} bytes")
    kind = serializers.ChoiceField(choices=KINDS)
    url = serializers.URLField(
        required=False,
        default="",
        allow_blank=True,
        max_length=2000,
        help_text="the address it was read from",
    )
    fetched_at = serializers.DateTimeField(
        required=False, allow_null=True, default=None, help_text="when the page was read there"
    )
    confidential = serializers.BooleanField(required=False, default=False)
    licences = _about(serializers.CharField(max_length=200), "licences of the catalogue that it is about")
    recordings = _about(serializers.UUIDField(), "ids of recordings that it is about")
    datasets = _about(serializers.UUIDField(), "ids of datasets that it is about")

    def validate_fetched_at(self, at: datetime | None) -> datetime | None:
        if at is not None and at > timezone.now():
            raise serializers.ValidationError("A page can't have been read in the future.")
        return at

    def validate(self, asked: dict[str, Any]) -> dict[str, Any]:
        if not any(asked[name] for name in ("licences", "recordings", "datasets")):
            raise serializers.ValidationError("Say what it is about: licences, recordings or datasets.")
        return asked


class EvidenceQuerySerializer(QuerySerializer):
    kind = serializers.ChoiceField(choices=EvidenceKind.choices, required=False)
    sha256 = serializers.RegexField(r"^[0-9a-f]{64}$", required=False)
    url = serializers.CharField(required=False, max_length=2000, help_text="the address it was read from")
    confidential = serializers.BooleanField(required=False, allow_null=True, default=None)
    licence = serializers.CharField(required=False, max_length=200)
    recording = serializers.UUIDField(required=False)
    dataset = serializers.UUIDField(required=False)
