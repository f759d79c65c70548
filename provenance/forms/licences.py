"""How the catalogue of licences is narrowed."""

from django import forms

from provenance.forms.datasets import ANSWER_WORDS
from provenance.queries.licences import AXIS_WORDS, Wanted
from provenance.rights.terms import AXES
from provenance.rights.values import ANSWERS


class LicenceFilterForm(forms.Form):
    q = forms.CharField(
        label="Find",
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={"type": "search", "placeholder": "name, identifier, kind"}),
    )
    axis = forms.ChoiceField(
        label="On",
        required=False,
        choices=[("", "anything"), *((axis, AXIS_WORDS[axis]) for axis in AXES)],
    )
    answer = forms.ChoiceField(
        label="Reading",
        required=False,
        choices=[("", "any"), *((name, ANSWER_WORDS[name]) for name in reversed(ANSWERS))],
    )
    contested = forms.BooleanField(label="contested only", required=False)

    def wanted(self) -> Wanted:
        """Return what is asked for; what makes no sense asks for everything."""
        return Wanted(**self.cleaned_data) if self.is_valid() else Wanted()
