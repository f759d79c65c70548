"""How a public card is written for programs."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from audit.public import Credit, PublicCard
from generation.models import ModelVersion
from generation.queries import VerdictCounts


class PublicModelSerializer(serializers.ModelSerializer[ModelVersion]):
    id = serializers.UUIDField(source="public_id")
    model = serializers.CharField(source="model.name")
    version = serializers.IntegerField(source="number")
    provider = serializers.CharField(source="model.organisation.name")
    architecture = serializers.CharField(source="model.architecture")
    summary = serializers.CharField(source="model.summary")

    class Meta:
        model = ModelVersion
        fields = ("id", "model", "version", "provider", "architecture", "summary", "registered_at")


class PublicTrainingSerializer(serializers.Serializer[PublicCard]):
    recordings = serializers.IntegerField(source="trained_on.n_recordings")
    recordings_used = serializers.IntegerField(source="n_used", allow_null=True)
    seconds = serializers.FloatField(source="trained_on.seconds")
    frozen_at = serializers.DateTimeField(source="trained_on.frozen_at")
    merkle_root = serializers.CharField(source="trained_on.merkle_root")
    purpose = serializers.CharField(source="trained_on.purpose")
    commercial = serializers.BooleanField(source="trained_on.commercial")
    for_one_model = serializers.SerializerMethodField()
    licences = serializers.SerializerMethodField()
    conditions = serializers.SerializerMethodField()

    def get_for_one_model(self, card: PublicCard) -> bool:
        """Whether its music was cleared for one model alone."""
        return bool(card.trained_on and card.trained_on.model)

    def get_licences(self, card: PublicCard) -> dict[str, int]:
        return dict(card.licences)

    def get_conditions(self, card: PublicCard) -> dict[str, str]:
        return dict(card.promises)


class PublicOriginSerializer(serializers.ModelSerializer[ModelVersion]):
    id = serializers.UUIDField(source="public_id")
    model = serializers.CharField(source="model.name")
    version = serializers.IntegerField(source="number")

    class Meta:
        model = ModelVersion
        fields = ("id", "model", "version")


class PublicSameWeightsSerializer(serializers.Serializer[PublicCard]):
    """Of a model registered without its music: whether the same weights stand elsewhere with theirs on record."""

    music_on_record = serializers.BooleanField(source="is_known_by_its_weights")
    cards = PublicOriginSerializer(
        many=True, source="same_weights", help_text="Those whose cards are public."
    )


class PublicUseSerializer(serializers.Serializer[PublicCard]):
    release = serializers.ChoiceField(["approved", "undecided", "closed"], source="may_use")
    reasons = serializers.ListField(child=serializers.CharField(), source="why_closed")


class PublicCopyingSerializer(serializers.Serializer[PublicCard]):
    outputs = serializers.IntegerField(source="counts.n_outputs")
    flagged = serializers.IntegerField(source="counts.n_flagged")
    verdicts = serializers.SerializerMethodField()
    control = serializers.SerializerMethodField()

    def get_verdicts(self, card: PublicCard) -> dict[str, int]:
        return card.counts.as_json()

    def get_control(self, card: PublicCard) -> dict[str, int] | None:
        """The same check on a model that never heard this music; null where none was made."""
        return _control(card.control) if card.control else None


def _control(counts: VerdictCounts) -> dict[str, int]:
    return {"outputs": counts.n_outputs, "flagged": counts.n_flagged}


class PublicProofSerializer(serializers.Serializer[PublicCard]):
    weights_sha256 = serializers.CharField(source="version.weights_sha256")
    index_covers_all = serializers.BooleanField(source="covers_all", allow_null=True)
    calibrated = serializers.BooleanField()
    report_sha256 = serializers.SerializerMethodField()

    def get_report_sha256(self, card: PublicCard) -> str | None:
        return card.report.snapshot_sha256 if card.report else None


class PublicCreditSerializer(serializers.Serializer[Credit]):
    title = serializers.CharField()
    by = serializers.CharField()
    licence = serializers.CharField()
    source_url = serializers.CharField()


class PublicCardSerializer(serializers.Serializer[PublicCard]):
    """The five questions: what it is, what it was trained on, may it be used, does it copy, how does one know."""

    what_is_it = PublicModelSerializer(source="version")
    n_parameters = serializers.IntegerField(source="version.n_parameters")
    published_at = serializers.DateTimeField()
    trained_on = serializers.SerializerMethodField()
    same_weights = PublicSameWeightsSerializer(source="*")
    may_i_use_it = PublicUseSerializer(source="*")
    does_it_copy = PublicCopyingSerializer(source="*")
    how_do_you_know = PublicProofSerializer(source="*")
    credits = PublicCreditSerializer(many=True)

    @extend_schema_field(PublicTrainingSerializer(allow_null=True))
    def get_trained_on(self, card: PublicCard) -> dict[str, Any] | None:
        """Null where nobody could say."""
        return dict(PublicTrainingSerializer(card).data) if card.trained_on else None
