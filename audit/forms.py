"""What people fill in to measure, assess and attest."""

from typing import Any

from django import forms
from django.utils import timezone

from audit.frameworks import loader
from audit.frameworks.loader import Feature
from audit.models import Conformance
from audit.services.campaigning import MEASURES
from governance.forms import ReasonField


class AssessForm(forms.Form):
    framework = forms.ChoiceField(label="Framework")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choose(self, "framework", [(name, loader.load(name).name) for name in loader.available()])


class CampaignForm(forms.Form):
    kind = forms.ChoiceField(label="Campaign")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choose(self, "kind", [(name, name.capitalize()) for name in MEASURES])


class PublishForm(forms.Form):
    reason = ReasonField()


class AttestForm(forms.Form):
    conformance = forms.ChoiceField(label="Answer", widget=forms.RadioSelect)
    reason = ReasonField(help_text="What you know, and how. It stands in the assessment and in reports.")
    evidence = forms.CharField(
        label="Evidence",
        required=False,
        max_length=2000,
        help_text="A document or address that it rests on; met and partly met need one.",
    )
    effective_on = forms.DateField(
        label="True since",
        widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
        help_text="The day from which it holds, not the day on which you write it.",
    )

    def __init__(self, *args: Any, feature: Feature, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["effective_on"].initial = timezone.now().date()
        words = {"met": feature.met, "partly": feature.partly, "not_met": feature.not_met}
        if feature.not_applicable:
            words["not_applicable"] = feature.not_applicable
        choose(
            self,
            "conformance",
            [(name, f"{Conformance(name).label}: {meaning}") for name, meaning in words.items()],
        )


def choose(form: forms.Form, name: str, choices: list[tuple[str, str]]) -> None:
    field = form.fields[name]
    if not isinstance(field, forms.ChoiceField):
        raise TypeError(f"{name} is no choice")
    field.choices = choices
