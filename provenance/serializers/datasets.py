"""How datasets, their entries and their frozen versions look in JSON."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from governance.models import Decision, Review
from governance.serializers import OrganisationField, QuerySerializer, RowSerializer
from provenance import access, queries
from provenance.models import (
    ConflictStatus,
    Dataset,
    DatasetEntry,
    DatasetKind,
    DatasetVersion,
    IndexBuild,
    Right,
    VersionEntry,
)
from provenance.rights.values import PURPOSES
from provenance.serializers.clearances import ClearanceQuerySerializer, ClearanceSerializer, UseSerializer


class EntryQuerySerializer(ClearanceQuerySerializer):
    purpose = serializers.ChoiceField(
        choices=PURPOSES, required=False, help_text="with it, every entry carries its clearance"
    )


class IndexSerializer(RowSerializer[IndexBuild]):
    version = serializers.IntegerField(source="version.number", default=None, allow_null=True, read_only=True)
    covers_all = serializers.BooleanField(read_only=True)

    class Meta:
        model = IndexBuild
        fields = (
            "id",
            "kind",
            "version",
            "method",
            "method_version",
            "contents_sha256",
            "n_recordings",
            "n_expected",
            "n_windows",
            "covers_all",
            "built_at",
        )


class DatasetSerializer(RowSerializer[Dataset]):
    organisation = serializers.CharField(source="organisation.name", read_only=True)
    n_recordings = serializers.IntegerField(read_only=True)
    n_versions = serializers.IntegerField(read_only=True)

    class Meta:
        model = Dataset
        fields: tuple[str, ...] = (
            "id",
            "organisation",
            "name",
            "kind",
            "n_recordings",
            "n_versions",
            "created_at",
            "changed_at",
        )


class DatasetDetailSerializer(DatasetSerializer):
    n_open_conflicts = serializers.SerializerMethodField()
    approval = serializers.SerializerMethodField()
    index = serializers.SerializerMethodField()

    class Meta(DatasetSerializer.Meta):
        fields = (*DatasetSerializer.Meta.fields, "n_open_conflicts", "approval", "index")

    def get_n_open_conflicts(self, dataset: Dataset) -> int:
        return queries.conflicts_touching(dataset).filter(status=ConflictStatus.OPEN).count()

    def get_approval(self, dataset: Dataset) -> str | None:
        """The review whose approval of what the dataset now holds stands."""
        approval: Review | None = queries.approval_of(dataset)
        return str(approval.public_id) if approval else None

    @extend_schema_field(IndexSerializer(allow_null=True, help_text="the newest index of the draft"))
    def get_index(self, dataset: Dataset) -> dict[str, Any] | None:
        build = queries.latest_index(dataset, None)
        return dict(IndexSerializer(build).data) if build else None


class DatasetQuerySerializer(QuerySerializer):
    kind = serializers.ChoiceField(choices=DatasetKind.choices, required=False)
    name = serializers.CharField(required=False)


class RegisterSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=100)
    kind = serializers.ChoiceField(choices=DatasetKind.choices, default=DatasetKind.TRAINING.value)
    file = serializers.FileField(
        help_text="A CSV or XLSX table, or a ZIP of a table with its audio, or of audio alone."
    )
    organisation = OrganisationField()


class ApproveSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=5000)
    decision = serializers.ChoiceField(
        choices=[Decision.APPROVED.value, Decision.REJECTED.value], default=Decision.APPROVED.value
    )
    accept_conditions = serializers.ListField(
        child=serializers.CharField(max_length=100),
        required=False,
        default=list,
        max_length=100,
        help_text="names of conditions, or `all`",
    )


class FreezeSerializer(UseSerializer):
    model = serializers.CharField(
        required=False,
        allow_blank=True,
        default="",
        max_length=200,
        help_text="NAME or NAME@VERSION: grants to that model count, and no other is trained on the version",
    )
    only_cleared = serializers.BooleanField(required=False, default=False)
    only_listed = serializers.ListField(
        child=serializers.CharField(max_length=1000),
        required=False,
        allow_null=True,
        default=None,
        help_text="external ids; the rest is left aside",
    )


class IndexRequestSerializer(serializers.Serializer[Any]):
    version = serializers.IntegerField(
        required=False, allow_null=True, default=None, min_value=1, help_text="default: the draft"
    )


RIGHTS = tuple(Right.values)


class EntrySerializer(RowSerializer[DatasetEntry]):
    recording = serializers.UUIDField(source="recording.public_id", read_only=True)
    kind = serializers.CharField(source="recording.kind", read_only=True)
    sha256 = serializers.CharField(source="recording.sha256", read_only=True, allow_null=True)
    seconds = serializers.FloatField(source="recording.seconds", read_only=True, allow_null=True)
    clearance = serializers.SerializerMethodField()

    class Meta:
        model = DatasetEntry
        fields = (
            "id",
            "external_id",
            "recording",
            "kind",
            "sha256",
            "seconds",
            "title",
            "artist",
            "row",
            "source_path",
            "source_url",
            "acquired_on",
            "unknown_columns",
            "notes",
            "clearance",
        )

    @extend_schema_field(ClearanceSerializer(allow_null=True, help_text="null when nothing was asked"))
    def get_clearance(self, entry: DatasetEntry) -> dict[str, Any] | None:
        cleared: queries.Cleared | None = self.context.get("cleared", {}).get(entry.pk)
        if cleared is None:
            return None
        line = cleared.as_json()
        readable = self.context.get("rights", {}).get(entry.recording_id, RIGHTS)
        rights = {name: line[name] if name in readable else None for name in RIGHTS}
        return {"answer": line["answer"], **rights}


class VersionSerializer(RowSerializer[DatasetVersion]):
    dataset = serializers.UUIDField(source="dataset.public_id", read_only=True)
    name = serializers.CharField(source="__str__", read_only=True)
    review = serializers.UUIDField(source="review_id", read_only=True)
    frozen_by = serializers.CharField(source="frozen_by.username", read_only=True)
    conditions_accepted = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = DatasetVersion
        fields: tuple[str, ...] = (
            "id",
            "dataset",
            "name",
            "number",
            "purpose",
            "commercial",
            "territory",
            "model",
            "policy_name",
            "policy_sha256",
            "conditions_accepted",
            "review",
            "n_recordings",
            "n_left_out",
            "seconds",
            "merkle_root",
            "frozen_by",
            "frozen_at",
        )


class LeftOutSerializer(serializers.Serializer[Any]):
    external_id = serializers.CharField()
    reason = serializers.CharField()


class FrozenSerializer(VersionSerializer):
    left_out = LeftOutSerializer(many=True, read_only=True)

    class Meta(VersionSerializer.Meta):
        fields = (*VersionSerializer.Meta.fields, "left_out")


class VersionEntrySerializer(serializers.ModelSerializer[VersionEntry]):
    """One leaf: RFC 6962 over the RFC 8785 form of ``manifest`` gives ``leaf_hash``."""

    recording = serializers.UUIDField(source="recording.public_id", read_only=True)
    manifest = serializers.SerializerMethodField()

    class Meta:
        model = VersionEntry
        fields = ("position", "recording", "external_id", "manifest", "leaf_hash")
        read_only_fields = fields

    def get_manifest(self, entry: VersionEntry) -> dict[str, Any]:
        """The leaf; for a label's auditor without what it says of rights that others hold (its hash is of the whole)."""
        return access.manifest_for_reading(entry, self.context["rights"])
