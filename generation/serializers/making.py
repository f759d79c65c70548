"""How models, outputs, checks and matches look in JSON."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from generation.models import (
    Check,
    Generation,
    GenerationState,
    GenerativeModel,
    Match,
    MatchAnswer,
    MatchJudgement,
    ModelVersion,
    TrainingRun,
    Verdict,
)
from generation.pipeline import KINDS
from generation.queries import Gate
from generation.services.generating import MAX_OUTPUTS, MAX_SECONDS
from governance.models import Decision
from governance.serializers import QuerySerializer, RowSerializer
from provenance.models import ClaimedRight, IndexBuild
from provenance.serializers.datasets import VersionSerializer


class ModelSerializer(RowSerializer[GenerativeModel]):
    organisation = serializers.CharField(source="organisation.name", read_only=True)
    n_versions = serializers.IntegerField(read_only=True)

    class Meta:
        model = GenerativeModel
        fields = ("id", "organisation", "name", "architecture", "summary", "n_versions", "created_at")


class ModelQuerySerializer(QuerySerializer):
    architecture = serializers.CharField(required=False)
    name = serializers.CharField(required=False)


class ModelVersionSerializer(RowSerializer[ModelVersion]):
    model = serializers.UUIDField(source="model.public_id", read_only=True)
    name = serializers.CharField(source="__str__", read_only=True)
    architecture = serializers.CharField(source="model.architecture", read_only=True)
    dataset_version = serializers.UUIDField(
        source="dataset_version.public_id",
        default=None,
        allow_null=True,
        read_only=True,
        help_text="null: nobody could say what it was trained on",
    )
    registered_by = serializers.CharField(source="registered_by.username", read_only=True)
    config = serializers.DictField(read_only=True)
    metrics = serializers.DictField(read_only=True)

    class Meta:
        model = ModelVersion
        fields = (
            "id",
            "model",
            "name",
            "number",
            "architecture",
            "dataset_version",
            "weights_sha256",
            "n_parameters",
            "config",
            "metrics",
            "registered_by",
            "registered_at",
        )


class TrainingRunSerializer(RowSerializer[TrainingRun]):
    class Meta:
        model = TrainingRun
        fields = (
            "id",
            "state",
            "seed",
            "n_steps",
            "device",
            "hardware",
            "started_at",
            "finished_at",
            "seconds",
            "cpu_seconds",
            "energy_wh",
            "energy_method",
            "problem",
        )


class OriginSerializer(serializers.ModelSerializer[ModelVersion]):
    """A version with the same weights whose music is on record."""

    id = serializers.UUIDField(source="public_id")
    name = serializers.CharField(source="__str__")
    dataset_version = serializers.UUIDField(source="dataset_version.public_id")
    trained_on = serializers.CharField(source="dataset_version.__str__")

    class Meta:
        model = ModelVersion
        fields = ("id", "name", "dataset_version", "trained_on")


class GateSerializer(serializers.Serializer[Gate]):
    """Whether outputs may leave now, computed when asked."""

    open = serializers.BooleanField(source="is_open")
    needs_a_person = serializers.BooleanField()
    n_not_cleared = serializers.IntegerField()
    not_cleared = serializers.ListField(
        child=serializers.CharField(), help_text="External ids; empty for whom recordings are not named."
    )
    reasons = serializers.ListField(child=serializers.CharField())
    origins = serializers.SerializerMethodField()

    @extend_schema_field(OriginSerializer(many=True))
    def get_origins(self, gate: Gate) -> list[dict[str, Any]]:
        """Of a version registered without its music: whose weights these are, as far as you may know of them."""
        return list(OriginSerializer(self.context["origins"], many=True).data)


class LineageSerializer(serializers.Serializer[Any]):
    """What a model version was made from, from the music upwards."""

    dataset_version = VersionSerializer(allow_null=True)
    training_run = TrainingRunSerializer(allow_null=True)
    model_version = ModelVersionSerializer()


class VerdictCountsSerializer(serializers.Serializer[Any]):
    """The newest check of each output; ``control`` counts checks against music that it was not trained on."""

    no_match = serializers.IntegerField()
    review = serializers.IntegerField()
    blocked = serializers.IntegerField()
    unverifiable = serializers.IntegerField()
    n_outputs = serializers.IntegerField()


class VerdictsSerializer(serializers.Serializer[Any]):
    checks = VerdictCountsSerializer()
    control = VerdictCountsSerializer()


class MatchJudgementSerializer(RowSerializer[MatchJudgement]):
    """What a person says of a match; it moves neither verdict nor threshold."""

    verdict = serializers.CharField(read_only=True, help_text="accepted, dismissed or undecided.")
    judged_by = serializers.CharField(source="judged_by.username", read_only=True)

    class Meta:
        model = MatchJudgement
        fields = ("id", "answer", "verdict", "reason", "judged_by", "judged_at")
        read_only_fields = fields


class JudgeMatchSerializer(serializers.Serializer[Any]):
    """Which match of the check, what it is, and why."""

    kind = serializers.ChoiceField(choices=KINDS)
    rank = serializers.IntegerField(min_value=1, help_text="Its rank among the matches of its kind.")
    answer = serializers.ChoiceField(choices=MatchAnswer.choices)
    reason = serializers.CharField(max_length=4000)


class MatchSerializer(serializers.ModelSerializer[Match]):
    judgements = MatchJudgementSerializer(
        source="said", many=True, read_only=True, help_text="What people say of it, newest first."
    )
    recording = serializers.UUIDField(source="recording.public_id", read_only=True)
    occurrences = serializers.ListField(child=serializers.FloatField(), read_only=True)
    details = serializers.DictField(read_only=True)

    class Meta:
        model = Match
        fields: tuple[str, ...] = (
            "kind",
            "rank",
            "recording",
            "external_id",
            "title",
            "accepted",
            "score",
            "p_value",
            "p_kind",
            "calibration",
            "query_start_s",
            "query_end_s",
            "reference_start_s",
            "reference_end_s",
            "occurrences",
            "tempo_ratio",
            "pitch_shift_semitones",
            "details",
            "judgements",
        )
        read_only_fields = fields


class RecordingMatchSerializer(MatchSerializer):
    """A match seen from the recording: which check found it, and in which output."""

    check_made = serializers.UUIDField(source="check_made.public_id", read_only=True)
    verdict = serializers.CharField(source="check_made.verdict", read_only=True)
    generation = serializers.UUIDField(
        source="check_made.generation.public_id", default=None, allow_null=True, read_only=True
    )

    class Meta(MatchSerializer.Meta):
        fields = ("check_made", "verdict", "generation", *MatchSerializer.Meta.fields)
        read_only_fields = fields


class MatchQuerySerializer(QuerySerializer):
    accepted = serializers.BooleanField(required=False, allow_null=True, default=None)


class CheckedIndexSerializer(RowSerializer[IndexBuild]):
    dataset = serializers.CharField(source="dataset.name", read_only=True)
    version = serializers.SerializerMethodField()
    recordings = serializers.IntegerField(source="n_recordings", read_only=True)
    expected = serializers.IntegerField(source="n_expected", read_only=True)
    covers_all = serializers.BooleanField(read_only=True)

    class Meta:
        model = IndexBuild
        fields = ("id", "dataset", "version", "kind", "recordings", "expected", "covers_all")

    def get_version(self, build: IndexBuild) -> str | None:
        """The version's number; null for a draft."""
        return str(build.version.number) if build.version else None


class CheckSummarySerializer(RowSerializer[Check]):
    file = serializers.CharField(source="file_name", read_only=True)
    generation = serializers.UUIDField(
        source="generation.public_id", default=None, allow_null=True, read_only=True
    )
    reasons = serializers.ListField(child=serializers.CharField(), read_only=True)
    kinds = serializers.ListField(child=serializers.CharField(), read_only=True)
    kinds_not_checked = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = Check
        fields: tuple[str, ...] = (
            "id",
            "file",
            "sha256",
            "seconds",
            "generation",
            "verdict",
            "reasons",
            "kinds",
            "kinds_not_checked",
            "covers_all",
            "control",
            "checked_at",
            "elapsed_s",
        )


class CheckSerializer(CheckSummarySerializer):
    """A check with its evidence: candidates below the threshold too, so that whoever reads can draw their own curve."""

    policy = serializers.DictField(read_only=True)
    indexes = CheckedIndexSerializer(many=True, read_only=True)
    matches = MatchSerializer(many=True, read_only=True)

    class Meta(CheckSummarySerializer.Meta):
        fields = (*CheckSummarySerializer.Meta.fields, "policy", "indexes", "matches")


class CheckQuerySerializer(QuerySerializer):
    verdict = serializers.ChoiceField(choices=Verdict.choices, required=False)
    generation = serializers.UUIDField(required=False)
    control = serializers.BooleanField(required=False, allow_null=True, default=None)


class CheckRequestSerializer(serializers.Serializer[Any]):
    file = serializers.FileField(help_text="one sound file")
    against = serializers.ListField(
        child=serializers.CharField(max_length=120),
        required=False,
        default=list,
        max_length=20,
        help_text="NAME or NAME@VERSION of datasets and collections",
    )
    model = serializers.CharField(
        required=False, default="", max_length=120, help_text="or MODEL[@VERSION]: what it must not copy"
    )
    kinds = serializers.ListField(
        child=serializers.ChoiceField(choices=KINDS), required=False, default=["recording"], min_length=1
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if bool(attrs["against"]) == bool(attrs["model"]):
            raise serializers.ValidationError(
                "Say what to check against: either `against` NAME … or `model` MODEL."
            )
        return attrs


class GenerationSerializer(RowSerializer[Generation]):
    model_version = serializers.UUIDField(source="model_version.public_id", read_only=True)
    model = serializers.CharField(source="model_version.__str__", read_only=True)
    job = serializers.UUIDField(source="job.public_id", default=None, allow_null=True, read_only=True)
    made_by = serializers.CharField(source="made_by.username", read_only=True)
    verdict = serializers.SerializerMethodField()

    class Meta:
        model = Generation
        fields: tuple[str, ...] = (
            "id",
            "model_version",
            "model",
            "job",
            "prompt",
            "seed",
            "seconds",
            "sha256",
            "state",
            "verdict",
            "made_by",
            "made_at",
            "elapsed_s",
        )

    def get_verdict(self, generation: Generation) -> str | None:
        """Of its newest check; null before the first."""
        checks = [check for check in generation.checks.all() if not check.control]
        return max(checks, key=lambda check: check.pk).verdict if checks else None


class GenerationDetailSerializer(GenerationSerializer):
    checks = CheckSerializer(many=True, read_only=True)

    class Meta(GenerationSerializer.Meta):
        fields = (*GenerationSerializer.Meta.fields, "checks")


class GenerationQuerySerializer(QuerySerializer):
    state = serializers.ChoiceField(choices=GenerationState.choices, required=False)
    model_version = serializers.UUIDField(required=False)
    job = serializers.UUIDField(required=False)


class GenerateSerializer(serializers.Serializer[Any]):
    model = serializers.CharField(
        max_length=120, help_text="MODEL or MODEL@VERSION; default: its newest version"
    )
    n = serializers.IntegerField(min_value=1, max_value=MAX_OUTPUTS, default=1)
    seconds = serializers.FloatField(min_value=1.0, max_value=MAX_SECONDS, default=10.0)
    seed = serializers.IntegerField(
        min_value=0,
        max_value=2**31 - 1,
        required=False,
        allow_null=True,
        default=None,
        help_text="default: drawn",
    )
    prompt = serializers.CharField(required=False, allow_blank=True, default="", max_length=2000)


class DecideSerializer(serializers.Serializer[Any]):
    decision = serializers.ChoiceField(
        choices=[Decision.APPROVED.value, Decision.REJECTED.value, Decision.SUSPENDED.value]
    )
    reason = serializers.CharField(max_length=5000)
    conditions = serializers.ListField(
        child=serializers.CharField(max_length=100),
        required=False,
        default=list,
        max_length=100,
        help_text="of a dataset: the conditions accepted, or `all`",
    )


FROM_NOTICE = "default: now, or when notice given now runs out"


class RevokeSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=5000)
    right = serializers.ChoiceField(
        choices=ClaimedRight.choices,
        required=False,
        allow_blank=True,
        default="",
        help_text="revoke this right of the deal alone; default: all of them",
    )
    despite_terms = serializers.CharField(
        required=False,
        allow_blank=True,
        default="",
        max_length=5000,
        help_text="why a grant ends that is irrevocable by its terms",
    )

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        revoked_from = serializers.DateTimeField(
            source="revoked_from", required=False, allow_null=True, default=None, help_text=FROM_NOTICE
        )
        return {**super().get_fields(), "from": revoked_from}  # a word that Python keeps for itself


class ImpactSerializer(serializers.Serializer[Any]):
    """What hangs on some recordings."""

    recordings = serializers.IntegerField()
    datasets = serializers.ListField(child=serializers.CharField())
    models = serializers.ListField(child=serializers.CharField())
    outputs = serializers.IntegerField()


class RevokedSerializer(ImpactSerializer):
    grant = serializers.UUIDField()
    deal = serializers.UUIDField()
    grants = serializers.ListField(child=serializers.UUIDField(), help_text="all that were revoked")
    notes = serializers.ListField(
        child=serializers.CharField(), help_text="what the terms have to do with when they end"
    )

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {**super().get_fields(), "from": serializers.DateTimeField()}
