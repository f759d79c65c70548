"""What people fill in about who a party is."""

from django import forms

from governance.models import Organisation


class IdentifyForm(forms.Form):
    """The organisation that a party is. Its name is written out: who has people here is not for everybody to list."""

    organisation = forms.CharField(
        label="It is the organisation",
        required=False,
        max_length=200,
        help_text="Its name as it is here, in full. Empty: the party is no organisation here.",
    )

    def clean_organisation(self) -> Organisation | None:
        name = self.cleaned_data["organisation"].strip()
        if not name:
            return None
        found = Organisation.objects.filter(name=name).first()
        if found is None:
            raise forms.ValidationError(f"No organisation here is called {name!r}: nothing was changed.")
        return found
