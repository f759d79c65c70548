"""What people fill in about one deal, and about one claim to a right."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from django import forms

from provenance.forms.datasets import PURPOSE_WORDS
from provenance.models import ClaimedRight, Remuneration
from provenance.rights.values import PURPOSES, SOURCES


def _day() -> forms.DateInput:
    return forms.DateInput(attrs={"type": "date"})


GROUPS = (
    ("Between whom", ("licensor", "licensee", "agreement", "chain_of_title")),
    ("What is given", ("right", "share", "recordings", "dataset")),
    ("For what", ("purposes", "commercial", "exclusive", "exclusive_except", "model_scope")),
    ("Where and how long", ("territory", "valid_from", "valid_until", "sunset_on", "notice_days")),
    ("In return", ("remuneration", "remuneration_terms", "attribution")),
)


class ShareField(forms.DecimalField):
    def __init__(self) -> None:
        super().__init__(
            label="Share in percent",
            required=False,
            min_value=0,
            max_value=100,
            max_digits=7,
            decimal_places=4,
            error_messages={
                "max_value": "A share is 100 percent at most.",
                "min_value": "A share is above 0 percent.",
                "invalid": "Write the share as a number, such as 33.3333.",
            },
        )


class DealForm(forms.Form):
    """One deal. What is left empty is not limited; what differs between rights goes into a file of deals."""

    licensor = forms.CharField(
        max_length=500,
        label="Licensor",
        help_text="Who gives the licence.",
        error_messages={"required": "Name who gives the licence."},
    )
    licensee = forms.CharField(
        max_length=500,
        label="Licensee",
        help_text="To whom it is given.",
        error_messages={"required": "Name to whom it is given."},
    )
    right = forms.ChoiceField(
        label="Right",
        choices=[("both", "master and composition"), *((right.value, right.label) for right in ClaimedRight)],
    )
    recordings = forms.CharField(
        label="Recordings",
        required=False,
        help_text="External ids, ISRCs or hashes, one a line.",
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    dataset = forms.CharField(
        label="Or all of a dataset", required=False, max_length=100, help_text="What it holds today."
    )
    purposes = forms.MultipleChoiceField(
        label="For",
        choices=[(name, PURPOSE_WORDS[name]) for name in PURPOSES],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose what it is given for."},
    )
    commercial = forms.BooleanField(label="Commercial use too", required=False, initial=True)
    exclusive = forms.BooleanField(label="Exclusive", required=False)
    exclusive_except = forms.CharField(
        label="Exclusive but for",
        required=False,
        max_length=2000,
        help_text="Licensees whose deals stand beside this one, apart by semicolons.",
    )
    territory = forms.CharField(
        label="Where",
        required=False,
        max_length=500,
        help_text="ISO countries or groups, such as EU; CH. A leading minus takes one out: EU; -FR. Empty: the world.",
    )
    valid_from = forms.DateField(label="From", required=False, widget=_day())
    valid_until = forms.DateField(
        label="Until", required=False, widget=_day(), help_text="The first day on which it no longer holds."
    )
    sunset_on = forms.DateField(
        label="Weights end on",
        required=False,
        widget=_day(),
        help_text="The first day on which what was trained may no longer be used.",
    )
    model_scope = forms.CharField(
        label="For models",
        required=False,
        max_length=1000,
        help_text="A name is every version of a model, NAME@2 is one. Empty: any.",
    )
    share = ShareField()
    chain_of_title = forms.CharField(
        label="Chain of title", required=False, max_length=2000, help_text="Holder > … > licensor."
    )
    attribution = forms.CharField(label="Attribution owed", required=False, max_length=2000)
    remuneration = forms.ChoiceField(label="Payment", required=False, choices=Remuneration.choices)
    remuneration_terms = forms.CharField(label="Terms of payment", required=False, max_length=2000)
    notice_days = forms.IntegerField(label="Notice in days", required=False, min_value=0, max_value=36500)
    agreement = forms.FileField(
        label="Agreement",
        required=False,
        help_text="Kept by its hash, confidential; every opening goes into the ledger.",
    )

    def groups(self) -> list[tuple[str, list[forms.BoundField]]]:
        """Return the fields under the headings that the page shows them by."""
        return [(heading, [self[name] for name in names]) for heading, names in GROUPS]

    def deal(self) -> dict[str, Any]:
        """Return the deal as a file of deals would have it."""
        asked = {name: said for name, said in self.cleaned_data.items() if name != "agreement"}
        asked["recordings"] = [line.strip() for line in asked["recordings"].splitlines() if line.strip()]
        asked["share"] = "" if asked["share"] is None else str(asked["share"])
        return {
            name: said.isoformat() if isinstance(said, date) else said
            for name, said in asked.items()
            if said not in (None, "", [])
        }

    def refuse(self, reasons: Iterable[str]) -> None:
        """Show why the deal was rejected."""
        for reason in reasons:
            self.add_error(None, f"{reason[:1].upper()}{reason[1:]}.")


class ClaimForm(forms.Form):
    """A party's claim to one recording."""

    party = forms.CharField(
        max_length=500, label="Who holds it", error_messages={"required": "Name who holds it."}
    )
    right = forms.ChoiceField(
        label="Right",
        choices=[*((right.value, right.label) for right in ClaimedRight), ("both", "Master and composition")],
    )
    role = forms.CharField(
        label="Role", required=False, max_length=60, help_text="Such as owner or publisher."
    )
    share = ShareField()
    territory = forms.CharField(label="Where", required=False, max_length=500, help_text="Empty: the world.")
    valid_from = forms.DateField(label="From", required=False, widget=_day())
    valid_until = forms.DateField(label="Until", required=False, widget=_day())
    source = forms.ChoiceField(
        label="Who says so",
        choices=[(name, name.replace("_", " ")) for name in SOURCES],
        initial="steward",
    )
    evidence = forms.CharField(
        label="Evidence",
        required=False,
        max_length=1000,
        help_text="Where it is written: a path or an address.",
    )

    def row(self, recording: str) -> dict[str, Any]:
        """Return the claim as a file of claims would have it."""
        said = {name: words for name, words in self.cleaned_data.items() if words not in (None, "")}
        return {
            **{
                name: words.isoformat() if isinstance(words, date) else str(words)
                for name, words in said.items()
            },
            "recordings": [recording],
        }

    def refuse(self, reasons: Iterable[str]) -> None:
        for reason in reasons:
            self.add_error(None, f"{reason[:1].upper()}{reason[1:]}.")
