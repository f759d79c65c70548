"""How a recording looks in JSON, with what is said of its rights."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from governance.serializers import QuerySerializer, RowSerializer
from provenance import access
from provenance.models import DatasetEntry, LicenceStatement, Recording, RightsClaim
from provenance.serializers.grants import GrantSerializer


class StatementSerializer(RowSerializer[LicenceStatement]):
    dataset = serializers.UUIDField(source="entry.dataset.public_id", read_only=True)

    class Meta:
        model = LicenceStatement
        fields = (
            "id",
            "dataset",
            "right",
            "source",
            "expression",
            "raw",
            "weak",
            "evidence",
            "quote",
            "holders",
            "licence_url",
            "territory",
            "valid_from",
            "valid_until",
        )


class ClaimSerializer(RowSerializer[RightsClaim]):
    party = serializers.CharField(source="party.name", read_only=True)

    class Meta:
        model = RightsClaim
        fields = ("id", "party", "right", "role", "share_percent", "source", "evidence")


class RecordingSerializer(RowSerializer[Recording]):
    organisation = serializers.CharField(source="organisation.name", read_only=True)
    work = serializers.SerializerMethodField()

    class Meta:
        model = Recording
        fields: tuple[str, ...] = (
            "id",
            "organisation",
            "kind",
            "sha256",
            "samples_sha256",
            "title",
            "artist",
            "work",
            "isrc",
            "year",
            "language",
            "country",
            "genre",
            "codec",
            "sample_rate_hz",
            "n_channels",
            "seconds",
            "size_bytes",
            "silent",
            "registered_at",
        )

    def get_work(self, recording: Recording) -> dict[str, str] | None:
        work = recording.work
        return {"title": work.title, "iswc": work.iswc} if work else None


class RecordingQuerySerializer(QuerySerializer):
    isrc = serializers.CharField(required=False)
    sha256 = serializers.CharField(required=False)
    dataset = serializers.UUIDField(required=False)
    grant = serializers.UUIDField(required=False, help_text="those that a grant is for")
    reservation = serializers.UUIDField(required=False, help_text="those that an opt-out binds")
    search = serializers.CharField(required=False, help_text="part of a title or an artist")


class RecordingDetailSerializer(RecordingSerializer):
    statements = serializers.SerializerMethodField()
    claims = serializers.SerializerMethodField()
    grants = serializers.SerializerMethodField()
    datasets = serializers.SerializerMethodField()

    class Meta(RecordingSerializer.Meta):
        fields = (*RecordingSerializer.Meta.fields, "statements", "claims", "grants", "datasets")

    @extend_schema_field(StatementSerializer(many=True))
    def get_statements(self, recording: Recording) -> Any:
        found = access.statements_for_reading(self._reader).filter(entry__recording=recording)
        found = found.select_related("entry__dataset").order_by("id")
        return StatementSerializer(found, many=True).data

    @extend_schema_field(ClaimSerializer(many=True))
    def get_claims(self, recording: Recording) -> Any:
        found = access.claims_for_reading(self._reader).filter(recording=recording).order_by("id")
        return ClaimSerializer(found, many=True).data

    @extend_schema_field(GrantSerializer(many=True))
    def get_grants(self, recording: Recording) -> Any:
        found = access.grants_for_reading(self._reader).filter(subjects__recording=recording)
        return GrantSerializer(found, many=True).data

    @property
    def _reader(self) -> Any:
        return self.context["request"].user

    def get_datasets(self, recording: Recording) -> list[dict[str, str]]:
        """The datasets that hold it, and under which external id."""
        entries = DatasetEntry.objects.filter(recording=recording).select_related("dataset")
        return [
            {
                "id": str(entry.dataset.public_id),
                "name": entry.dataset.name,
                "external_id": entry.external_id,
            }
            for entry in entries
        ]
