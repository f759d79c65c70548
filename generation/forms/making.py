"""What people fill in to train, generate, check and decide."""

from dataclasses import dataclass
from typing import Any

from django import forms

from generation.architectures import registry
from generation.models import GenerativeModel, MatchAnswer, ModelVersion
from generation.services.generating import MAX_OUTPUTS, MAX_SECONDS
from generation.services.training import TRAINING_PURPOSE
from governance.access import Person
from governance.forms import ReasonField
from governance.models import Decision, Organisation
from provenance.access import datasets_for_reading
from provenance.models import DatasetKind, DatasetVersion

TAKES_TEXT: frozenset[str] = (
    frozenset()
)  # architectures that can follow a prompt in words: none of those here
PRESETS = (("decent", "Decent: stops where held-out music is predicted best"), ("overfitted", "Overfitted"))
MAX_SEED = 2**31 - 1
MAX_STEPS = 1_000_000
MODEL_DECISIONS = (
    (Decision.APPROVED.value, "Approve the release"),
    (Decision.REJECTED.value, "Reject it"),
    (Decision.SUSPENDED.value, "Suspend it: nothing leaves until somebody approves again"),
)
OUTPUT_DECISIONS = (
    (Decision.APPROVED.value, "Release this output"),
    (Decision.REJECTED.value, "Refuse it"),
)

MANY_DECISIONS = (
    (Decision.APPROVED.value, "Release those ticked"),
    (Decision.REJECTED.value, "Refuse those ticked"),
)


class DecisionForm(forms.Form):
    decision = forms.ChoiceField(label="Decision", widget=forms.RadioSelect)
    reason = ReasonField()

    def __init__(self, *args: Any, choices: tuple[tuple[str, str], ...], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        decision = self.fields["decision"]
        assert isinstance(decision, forms.ChoiceField)  # noqa: S101 — for the type checker
        decision.choices = choices


class JudgeForm(forms.Form):
    answer = forms.ChoiceField(label="What it is", choices=MatchAnswer.choices, widget=forms.RadioSelect)
    reason = ReasonField(label="What you hear and see")


class GenerateForm(forms.Form):
    prompt = forms.CharField(label="Prompt", required=False, max_length=2000)
    seconds = forms.FloatField(
        label="Length",
        min_value=1.0,
        max_value=MAX_SECONDS,
        initial=12.0,
        help_text=f"Seconds of each output, 1 to {MAX_SECONDS:g}.",
    )
    n = forms.IntegerField(
        label="How many",
        min_value=1,
        max_value=MAX_OUTPUTS,
        initial=4,
        help_text="Each is checked before it may leave.",
    )
    seed = forms.IntegerField(
        label="Seed",
        required=False,
        min_value=0,
        max_value=MAX_SEED,
        help_text="The same seed makes the same outputs. Leave it empty to have one drawn.",
    )

    def __init__(self, *args: Any, version: ModelVersion, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if version.model.architecture not in TAKES_TEXT:
            del self.fields["prompt"]


class TrainForm(forms.Form):
    name = forms.SlugField(
        label="Model",
        max_length=100,
        help_text="A new name, or that of a model to train anew: then this becomes its next version.",
    )
    dataset_version = forms.ModelChoiceField(
        label="Dataset version",
        queryset=DatasetVersion.objects.none(),
        to_field_name="public_id",
        help_text="Frozen for training. A draft can't be trained on.",
    )
    architecture = forms.ChoiceField(label="Architecture")
    preset = forms.ChoiceField(
        label="Preset",
        choices=PRESETS,
        help_text="Overfitted learns a handful of recordings by heart, to show what copying looks like.",
    )
    steps = forms.IntegerField(
        label="Steps",
        required=False,
        min_value=1,
        max_value=MAX_STEPS,
        help_text="Leave it empty for the preset's own number.",
    )
    seed = forms.IntegerField(label="Seed", min_value=0, max_value=MAX_SEED, initial=0)

    def __init__(self, *args: Any, organisations: list[Organisation], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.organisations = organisations
        versions = self.fields["dataset_version"]
        architecture = self.fields["architecture"]
        assert isinstance(versions, forms.ModelChoiceField)  # noqa: S101 — for the type checker
        assert isinstance(architecture, forms.ChoiceField)  # noqa: S101
        versions.queryset = (
            DatasetVersion.objects.filter(dataset__organisation__in=organisations, purpose=TRAINING_PURPOSE)
            .select_related("dataset", "dataset__organisation")
            .order_by("dataset__name", "-number")
        )
        self.n_versions = versions.queryset.count()
        architecture.choices = [(name, registry.title(name).capitalize()) for name in registry.names()]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        version, name = given.get("dataset_version"), given.get("name")
        if version and name:
            known = GenerativeModel.objects.filter(
                organisation=version.dataset.organisation, name=name
            ).first()
            if known is not None and known.architecture != given.get("architecture"):
                self.add_error(
                    "name",
                    f"{name} is a {registry.title(known.architecture)} model: give this one another name.",
                )
        return given


class CheckForm(forms.Form):
    file = forms.FileField(
        label="Sound file",
        help_text="It is kept with the check, so that what matched can be heard. Your organisation can hear it.",
    )
    against = forms.MultipleChoiceField(
        label="Check against",
        widget=forms.CheckboxSelectMultiple,
        help_text="Frozen versions, drafts, and protected collections.",
        error_messages={"required": "Choose at least one dataset or collection."},
    )

    def __init__(self, *args: Any, user: Person, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.places = places_to_check(user)
        against = self.fields["against"]
        assert isinstance(against, forms.MultipleChoiceField)  # noqa: S101 — for the type checker
        against.choices = [(key, place.label) for key, place in self.places.items()]

    def clean_against(self) -> list[str]:
        keys: list[str] = self.cleaned_data["against"]
        if len({self.places[key].organisation for key in keys}) > 1:
            raise forms.ValidationError(
                "One check looks into one organisation: check against each on its own."
            )
        return keys

    def chosen(self) -> tuple[Organisation, list[str]]:
        """Return whose music it is, and the references of the datasets chosen."""
        chosen = [self.places[key] for key in self.cleaned_data["against"]]
        return chosen[0].organisation, [place.reference for place in chosen]


@dataclass(frozen=True)
class Place:
    """Something that a file can be held against."""

    organisation: Organisation
    reference: str  # NAME or NAME@VERSION
    label: str


def places_to_check(user: Person) -> dict[str, Place]:
    """Return, by a key for forms, every dataset, version and collection that ``user`` may look into."""
    places = {}
    for dataset in datasets_for_reading(user).prefetch_related("versions").order_by("name", "id"):
        kind = "protected collection" if dataset.kind == DatasetKind.PROTECTED else "draft"
        own = [Place(dataset.organisation, dataset.name, f"{dataset.name}, {kind}")]
        own += [
            Place(
                dataset.organisation,
                f"{dataset.name}@{version.number}",
                f"{dataset.name} {version.number}, frozen, {version.n_recordings} recordings",
            )
            for version in dataset.versions.all()
        ]
        places.update({f"{dataset.public_id}/{place.reference}": place for place in own})
    return places
