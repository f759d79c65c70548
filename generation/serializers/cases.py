"""How cases look in JSON. Who asked and how to reach them is given to those who handle the case, and to the filer."""

from typing import Any

from rest_framework import serializers

from generation import access
from generation.models import Case, CaseDecision, CaseKind, CaseState, Remedy
from generation.queries.aftermath import rights_now
from governance.access import Person
from governance.models import Organisation
from governance.serializers import QuerySerializer, RowSerializer

HOLDER = ("holder", "contact", "holds", "words", "isrcs", "titles", "urls", "verified_how")


class CaseSerializer(RowSerializer[Case]):
    organisation = serializers.CharField(source="organisation.name", read_only=True)
    grant = serializers.UUIDField(source="grant.public_id", default=None, allow_null=True, read_only=True)
    overdue = serializers.SerializerMethodField()
    isrcs = serializers.ListField(child=serializers.CharField(), read_only=True)
    titles = serializers.ListField(child=serializers.CharField(), read_only=True)
    urls = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = Case
        fields = (
            *("id", "reference", "organisation", "kind", "channel", "state", "grant"),
            *("filed_at", "due_on", "overdue", "closed_at", "erased_at"),
            *HOLDER,
        )

    def get_overdue(self, case: Case) -> bool:
        """Whether the day is past and nobody has answered."""
        return case.is_overdue(self.context["today"])

    def to_representation(self, case: Case) -> dict[str, Any]:
        """Leave out the person for whoever does not handle the case."""
        shown = super().to_representation(case)
        if access.is_own(self.context["caller"], case) or self._reads_holders(case.organisation):
            return shown
        return {name: None if name in HOLDER else value for name, value in shown.items()}

    def _reads_holders(self, organisation: Organisation) -> bool:
        """Ask once an organisation, however many of its cases are shown."""
        asks: Person = self.context["caller"]
        known: dict[int, bool] = self.context["reads_holders"]
        if organisation.pk not in known:
            known[organisation.pk] = access.reads_holders(asks, organisation)
        return known[organisation.pk]


class CaseQuerySerializer(QuerySerializer):
    state = serializers.ChoiceField(choices=CaseState.choices, required=False)
    kind = serializers.ChoiceField(choices=CaseKind.choices, required=False)


class _Words(serializers.CharField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, allow_blank=True, default="", max_length=10_000, **kwargs)


class _Names(serializers.ListField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            child=serializers.CharField(max_length=2000),
            required=False,
            default=list,
            max_length=5000,
            **kwargs,
        )


class PublicFilingSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=CaseKind.choices)
    holder = serializers.CharField(max_length=300)
    contact = serializers.CharField(max_length=300, required=False, allow_blank=True, default="")
    holds = _Words()
    words = _Words()
    isrcs = _Names()
    titles = _Names()
    urls = _Names()
    organisation = serializers.CharField(
        required=False, default="", max_length=200, help_text="its name, where more than one takes cases"
    )


class FilingSerializer(PublicFilingSerializer):
    grant = serializers.UUIDField(required=False, allow_null=True, default=None, help_text="that is revoked")
    output = serializers.UUIDField(
        required=False, allow_null=True, default=None, help_text="that copies a recording"
    )


class FiledSerializer(serializers.Serializer[Any]):
    """``secret`` opens the holder's page and is shown this once."""

    id = serializers.UUIDField()
    reference = serializers.CharField()
    state = serializers.ChoiceField(choices=CaseState.choices)
    due_on = serializers.DateField()
    secret = serializers.CharField()
    follow = serializers.CharField(help_text="the holder's page")


class AcceptSerializer(serializers.Serializer[Any]):
    recordings = _Names(help_text="ids, sha256, ISRCs or external ids")
    verified_how = serializers.CharField(
        max_length=4000, help_text="who the holder is, and how that was checked"
    )
    kind = serializers.ChoiceField(choices=CaseKind.choices, required=False, default="")
    grant = serializers.UUIDField(required=False, allow_null=True, default=None)


class CaseDecideSerializer(serializers.Serializer[Any]):
    model_version = serializers.UUIDField()
    remedy = serializers.ChoiceField(choices=Remedy.choices)
    reason = serializers.CharField(max_length=4000, help_text="the holder reads it")
    until = serializers.DateField(required=False, allow_null=True, default=None, help_text="of a negotiation")


class CaseDecisionSerializer(RowSerializer[CaseDecision]):
    model_version = serializers.UUIDField(source="model_version.public_id", read_only=True)
    model = serializers.CharField(source="model_version.__str__", read_only=True)
    decided_by = serializers.CharField(source="decided_by.username", read_only=True)

    class Meta:
        model = CaseDecision
        fields = ("id", "model_version", "model", "remedy", "until", "reason", "decided_by", "decided_at")


RIGHTS_NOW = "what of the case's doing to the rights holds now, in sentences"


class WithdrawSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=4000)
    reinstate = serializers.BooleanField(
        required=False,
        default=False,
        help_text="give the grants that it ended again from today on, or withdraw the opt-out that it recorded",
    )


class WithdrawnSerializer(CaseSerializer):
    rights = serializers.SerializerMethodField()

    class Meta(CaseSerializer.Meta):
        fields = (*CaseSerializer.Meta.fields, "rights")  # type: ignore[assignment]  # one longer

    def get_rights(self, case: Case) -> list[str]:
        """What of the case's doing to the rights holds now, in sentences."""
        return rights_now(case)


class EraseSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=500, help_text="it stays with the case: name nobody")


class AnswerWordsSerializer(serializers.Serializer[Any]):
    words = serializers.CharField(max_length=4000)


class SuggestionSerializer(serializers.Serializer[Any]):
    recording = serializers.UUIDField(source="recording.public_id")
    title = serializers.CharField(source="recording.title")
    isrc = serializers.CharField(source="recording.isrc")
    because = serializers.ListField(child=serializers.CharField())


class FollowedSerializer(serializers.Serializer[Any]):
    """What a holder reads of their case without a login."""

    reference = serializers.CharField()
    organisation = serializers.CharField()
    kind = serializers.ChoiceField(choices=CaseKind.choices)
    state = serializers.ChoiceField(choices=CaseState.choices)
    filed_at = serializers.DateTimeField()
    due_on = serializers.DateField()
    rights = serializers.ListField(child=serializers.CharField(), help_text=RIGHTS_NOW)
    answer = serializers.DictField(allow_null=True, help_text="the signed answer, once it is given")


class ContractSerializer(serializers.Serializer[Any]):
    right = serializers.CharField()
    basis = serializers.CharField()
    licence = serializers.CharField()
    grant = serializers.CharField()
    recordings = serializers.IntegerField(source="n_recordings")
    seconds = serializers.FloatField()


class ReachedSerializer(serializers.Serializer[Any]):
    model_version = serializers.UUIDField(source="version.public_id")
    model = serializers.CharField(source="version.__str__")
    dataset_version = serializers.CharField(source="used.version.__str__")
    recordings = serializers.IntegerField(source="n_recordings")
    seconds = serializers.FloatField()
    contracts = ContractSerializer(source="used.contracts", many=True)
    outputs = serializers.IntegerField(source="n_outputs")
    outputs_released = serializers.IntegerField(source="n_released")
    outputs_matching = serializers.IntegerField(source="n_matching")


class ImpactGraphSerializer(serializers.Serializer[Any]):
    """What was made with the recordings of a case, computed now."""

    recordings = serializers.IntegerField(source="n_recordings")
    seconds = serializers.FloatField()
    dataset_versions = serializers.SerializerMethodField()
    training_runs = serializers.SerializerMethodField()
    models = ReachedSerializer(many=True)
    outputs = serializers.IntegerField(source="n_outputs")
    outputs_released = serializers.IntegerField(source="n_released")
    models_whose_music_is_not_known = serializers.IntegerField(source="n_unknown")

    def get_dataset_versions(self, graph: Any) -> list[str]:
        """By name and number."""
        return [str(used.version) for used in graph.versions]

    def get_training_runs(self, graph: Any) -> int:
        """How many read the recordings, or held them out."""
        return len(graph.runs)


class CaseTermsSerializer(serializers.Serializer[Any]):
    """In how many days cases are answered, and whether strangers may file."""

    organisation = serializers.CharField(required=False, default="", max_length=200)
    opt_out_days = serializers.IntegerField(min_value=1, max_value=365, required=False)
    revoke_days = serializers.IntegerField(min_value=1, max_value=365, required=False)
    leak_days = serializers.IntegerField(min_value=1, max_value=365, required=False)
    inquiry_days = serializers.IntegerField(min_value=1, max_value=365, required=False)
    public_form = serializers.BooleanField(required=False, allow_null=True, default=None)
