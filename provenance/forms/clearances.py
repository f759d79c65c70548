"""What people fill in about a clearance matrix: the question, what narrows it, and what is done about many rows."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django import forms

from governance.forms import ReasonField
from provenance.forms.datasets import ANSWER_WORDS, UseForm
from provenance.models import ClearanceRun, Dataset, DatasetVersion, Right
from provenance.queries import policy_of
from provenance.queries.clearances import Narrowing, Question
from provenance.rights.values import ANSWERS, PURPOSES
from provenance.services.clearing import Correction

BASIS_WORDS = {
    "licence": "a licence",
    "grant": "a grant",
    "public_domain": "public domain",
    "own": "our own",
    "statutory_exception": "a statute, by memo",
}
SORTS = {"id": "external_id", "title": "title", "artist": "artist"}
SCOPES = (("chosen", "the recordings ticked"), ("all", "all that the list shows, on every page"))
DEEDS = {
    "csv": "Export what is shown (CSV)",
    "ask": "List for asking the holders (CSV)",
    "correct": "State a licence as steward",
    "evidence": "Attach a snapshot",
    "leave": "Leave out of the next version",
    "back": "Take back into the next version",
}


class MatrixForm(UseForm):
    """The whole of a matrix's address."""

    at = forms.DateField(label="On", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    q = forms.CharField(
        label="Find",
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={"type": "search", "placeholder": "title, artist, id, ISRC"}),
    )
    answer = forms.ChoiceField(
        label="Answer",
        required=False,
        choices=[("", "every answer"), *((name, ANSWER_WORDS[name]) for name in reversed(ANSWERS))],
    )
    right = forms.ChoiceField(label="Of", required=False, choices=[("", "both rights"), *Right.choices])
    basis = forms.ChoiceField(label="By", required=False, choices=[("", "every basis"), *BASIS_WORDS.items()])
    licence = forms.CharField(label="Licence", required=False, max_length=500)
    holder = forms.CharField(label="Holder", required=False, max_length=500)
    weak = forms.BooleanField(label="weak evidence", required=False)
    contested = forms.BooleanField(label="contested reading", required=False)
    left_out = forms.BooleanField(label="left out", required=False)
    sort = forms.ChoiceField(
        label="Sorted by",
        required=False,
        choices=[("id", "external id"), ("title", "title"), ("artist", "artist")],
    )
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    model = forms.CharField(required=False, max_length=200, widget=forms.HiddenInput)

    asks = ("purpose", "commercial", "territory", "at", "policy")
    narrows = ("q", "answer", "right", "basis", "licence", "holder", "weak", "contested", "left_out", "sort")

    @classmethod
    def asked(cls, words: dict[str, Any], policies: Sequence[tuple[str, str]]) -> "MatrixForm":
        """Return the form bound to an address; what it does not say is the question asked most."""
        filled = {"purpose": PURPOSES[0], "commercial": "yes", "policy": policies[0][0], "sort": "id"}
        return cls({**filled, **words}, policies=policies)

    def offer(self, run: ClearanceRun | None) -> None:
        """Offer the licences and holders that a run counted, as suggestions: any other can be written."""
        for name, counted in (
            ("licence", run.licences if run else []),
            ("holder", run.holders if run else []),
        ):
            self.fields[name].widget.attrs.update({"list": f"known-{name}", "size": 16})
            setattr(self, f"{name}s", counted)

    def brief(self) -> list[forms.BoundField]:
        """Return the fields of a dataset's own page: the question, and which answer to show."""
        return [self[name] for name in (*self.asks, "answer")]

    def groups(self) -> Iterable[list[forms.BoundField]]:
        return ([self[name] for name in self.asks], [self[name] for name in self.narrows])

    def question(self, dataset: Dataset, version: DatasetVersion | None, now: datetime) -> Question:
        asked = self.cleaned_data
        use_at = self.use(now).at
        return Question(
            dataset=dataset,
            version=version,
            purpose=asked["purpose"],
            commercial=asked["commercial"] == "yes",
            territory=asked["territory"],
            day=asked["at"],
            policy=policy_of(dataset.organisation, asked["policy"], at=use_at),
            model=asked["model"],
        )

    def narrowing(self) -> Narrowing:
        return Narrowing.asked_by(self.cleaned_data)

    @property
    def sorted_by(self) -> str:
        return SORTS.get(self.cleaned_data["sort"], "external_id")


class DeedForm(forms.Form):
    """Why something is done to many recordings at once."""

    reason = ReasonField()


class AskForm(forms.Form):
    holder = forms.CharField(
        label="Holder",
        required=False,
        max_length=500,
        help_text="Leave it empty for one list over all holders, sorted by them.",
    )
    reason = ReasonField()


class CorrectForm(forms.Form):
    """What a steward states; it stands beside what the sources say, and the stricter of them holds."""

    rights = forms.MultipleChoiceField(
        label="Of", choices=Right.choices, initial=["master"], widget=forms.CheckboxSelectMultiple
    )
    licence = forms.CharField(
        label="Licence", max_length=500, help_text="An SPDX expression of licences in the catalogue."
    )
    holders = forms.CharField(
        label="Holders", required=False, max_length=2000, help_text="One a line.", widget=forms.Textarea
    )
    evidence = forms.CharField(
        label="Where that can be read", max_length=2000, help_text="An address, a letter, a page."
    )
    valid_from = forms.DateField(label="From", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    valid_until = forms.DateField(
        label="Until", required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    reason = ReasonField()

    def clean(self) -> dict[str, Any]:
        asked = super().clean() or {}
        begin, end = asked.get("valid_from"), asked.get("valid_until")
        if begin and end and end <= begin:
            self.add_error("valid_until", "It ends before it begins.")
        return asked

    def correction(self) -> Correction:
        asked = self.cleaned_data
        return Correction(
            rights=asked["rights"],
            licence=asked["licence"],
            evidence=asked["evidence"],
            holders=[line.strip()[:500] for line in asked["holders"].splitlines() if line.strip()],
            valid_from=asked["valid_from"],
            valid_until=asked["valid_until"],
        )
