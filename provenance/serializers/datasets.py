"""How datasets, recordings, conflicts and grants look in JSON."""

from pathlib import PurePosixPath
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from governance.models import Decision, Review
from governance.serializers import OrganisationField, QuerySerializer, ReasonSerializer, RowSerializer
from provenance import access, queries
from provenance.models import (
    ClaimedRight,
    Conflict,
    ConflictSide,
    ConflictStatus,
    Dataset,
    DatasetEntry,
    DatasetKind,
    DatasetVersion,
    Grant,
    GrantBasis,
    IndexBuild,
    LicenceStatement,
    Recording,
    Remuneration,
    Right,
    RightsClaim,
    VersionEntry,
)
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


class ClearanceQuerySerializer(QuerySerializer, UseSerializer):
    version = serializers.IntegerField(
        required=False, min_value=1, help_text="a frozen version; default: the draft"
    )


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
        return access.manifest_for_reading(self.context["request"].user, entry)


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


class GrantSerializer(RowSerializer[Grant]):
    organisation = serializers.CharField(source="organisation.name", read_only=True)
    licensor = serializers.CharField(source="licensor.name", read_only=True)
    licensee = serializers.CharField(source="licensee.name", read_only=True)
    has_agreement = serializers.SerializerMethodField(help_text="whether the agreement itself is kept")

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
        )

    def get_has_agreement(self, grant: Grant) -> bool:
        return grant.agreement_id is not None


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
    notes = serializers.ListField(child=serializers.CharField())


class GrantOutcomesSerializer(serializers.Serializer[Any]):
    outcomes = GrantOutcomeSerializer(many=True)
    summary = serializers.DictField(child=serializers.IntegerField())


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


class ConflictSerializer(RowSerializer[Conflict]):
    recording_a = serializers.UUIDField(source="recording_a.public_id", read_only=True)
    recording_b = serializers.UUIDField(source="recording_b.public_id", read_only=True)
    resolved_by = serializers.CharField(
        source="resolved_by.username", default=None, allow_null=True, read_only=True
    )
    evidence_a = serializers.JSONField(read_only=True)
    evidence_b = serializers.JSONField(read_only=True)
    heard = serializers.JSONField(read_only=True)

    class Meta:
        model = Conflict
        fields = (
            "id",
            "kind",
            "status",
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
