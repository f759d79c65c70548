"""Kept documents in JSON: what they are and what they are about, not what they say."""

from rest_framework import serializers

from governance.serializers import RowSerializer
from provenance.models import EvidenceDocument, EvidenceKind
from provenance.serializers.keysets import KeysetQuerySerializer


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


class EvidenceQuerySerializer(KeysetQuerySerializer):
    kind = serializers.ChoiceField(choices=EvidenceKind.choices, required=False)
    sha256 = serializers.RegexField(r"^[0-9a-f]{64}$", required=False)
    url = serializers.CharField(required=False, max_length=2000, help_text="the address it was read from")
    confidential = serializers.BooleanField(required=False, allow_null=True, default=None)
    licence = serializers.CharField(required=False, max_length=200)
    recording = serializers.UUIDField(required=False)
    dataset = serializers.UUIDField(required=False)
