"""What a label fills in: the catalogue that it brings, whom it asks, and which answers it wants to see."""

from collections.abc import Sequence
from typing import Any

from django import forms

from provenance import uploads
from provenance.models import CatalogueAnswer, Dataset
from provenance.uploads import Source

MESSAGES = (".xml",)


class AskForm(forms.Form):
    datasets = forms.ModelMultipleChoiceField(
        label="Ask of",
        queryset=Dataset.objects.none(),
        to_field_name="public_id",
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one dataset to ask."},
        help_text="Datasets and collections whose owners let you ask. They read in their log that you did, and how many "
        "were found; none of your rows.",
    )

    def __init__(self, *args: Any, datasets: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["datasets"]
        if isinstance(field, forms.ModelMultipleChoiceField):
            field.queryset = datasets


class BringForm(AskForm):
    file = forms.FileField(
        label="Catalogue",
        error_messages={"required": "Choose a file: nothing was asked."},
        help_text="A CSV or XLSX table, a DDEX ERN message (.xml), or a ZIP of audio or of fingerprints.",
    )
    name = forms.CharField(
        label="Called", required=False, max_length=200, help_text="Empty: the file's own name."
    )
    field_order = ("file", "name", "datasets")

    def source(self) -> Source:
        return uploads.keep_source(self.cleaned_data["file"], also=MESSAGES)


class MatchFilterForm(forms.Form):
    q = forms.CharField(label="Title, artist, ISRC", required=False, max_length=200)
    answer = forms.ChoiceField(
        label="Answer", required=False, choices=[("", "any"), *CatalogueAnswer.choices]
    )
    dataset = forms.ChoiceField(label="In", required=False)
    version = forms.ChoiceField(label="Frozen in", required=False)

    def __init__(
        self,
        *args: Any,
        datasets: Sequence[tuple[str, str]],
        versions: Sequence[tuple[str, str]],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        for name, choices in (("dataset", datasets), ("version", versions)):
            field = self.fields[name]
            if isinstance(field, forms.ChoiceField):
                field.choices = [("", "any"), *choices]
