"""What people fill in to propose a clearance policy."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from governance.forms import ReasonField
from provenance.forms.datasets import PURPOSE_WORDS
from provenance.queries.policies import RESERVATION_WORDS, condition_choices
from provenance.rights.policy import AS_STATED, EVERY_AXIS, MAX_BYTES, ClearancePolicy
from provenance.rights.readings import AXIS_WORDS
from provenance.rights.terms import AXES, CLASSES, catalogue, conditions, questions
from provenance.rights.values import ANSWERS, PURPOSES

QUESTION, CONDITION = "question-", "condition-"
ANSWER_WORDS = {
    "allowed": "allowed",
    "constrained": "allowed under conditions",
    "unknown": "unknown: clears nothing",
    "not_allowed": "not allowed",
}
WEAK_WORDS = {
    "allowed": "as much as any other evidence",
    "constrained": "at best constrained",
    "unknown": "nothing: at best unknown",
    "not_allowed": "not allowed",
}


def axis_words(axis: str) -> str:
    return AXIS_WORDS.get(axis, axis.replace("_", " "))


class PolicyForm(forms.Form):
    """Every choice of a policy but its overrides, with the reason and the use that is previewed."""

    name = forms.RegexField(
        regex=r"^[a-z0-9][a-z0-9_-]*$",
        max_length=80,
        help_text="Under this name its versions are counted. Lower-case letters, digits, - and _.",
        error_messages={"invalid": "Use lower-case letters, digits, - and _ only."},
    )
    describes = forms.CharField(
        label="In a sentence",
        required=False,
        max_length=500,
        help_text="What this reading is, for whoever sees it.",
    )
    weak_evidence = forms.ChoiceField(
        label="What is evidence worth that speaks of a whole package, and not of this file?",
        choices=[(answer, WEAK_WORDS[answer]) for answer in reversed(ANSWERS)],
        widget=forms.RadioSelect,
    )
    reservations = forms.ChoiceField(
        label="What does a rights holder's opt-out do to an open licence?",
        choices=[(str(value).lower(), words) for value, words in RESERVATION_WORDS.items()],
        widget=forms.RadioSelect,
    )
    purpose = forms.ChoiceField(
        label="Preview for", choices=[(name, PURPOSE_WORDS[name]) for name in PURPOSES]
    )
    commercial = forms.ChoiceField(choices=[("yes", "commercially"), ("no", "non-commercially")])
    reason = ReasonField(label="Why this reading")

    def __init__(self, *args: Any, needs_reason: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].required = needs_reason
        for question in questions().values():
            names = sorted(question.readings, key=("strict", "default", "loose").index)
            self.fields[QUESTION + question.id] = forms.ChoiceField(
                label=question.asks,
                choices=[(name, f"{name}: {question.readings[name].says}") for name in names],
                widget=forms.RadioSelect,
            )
        for condition, choices in condition_choices().items():
            self.fields[CONDITION + condition] = forms.ChoiceField(
                label=condition, choices=choices, help_text=conditions()[condition]
            )

    @property
    def question_fields(self) -> list[forms.BoundField]:
        return [field for field in self if field.name.startswith(QUESTION)]

    @property
    def condition_fields(self) -> list[forms.BoundField]:
        return [field for field in self if field.name.startswith(CONDITION)]

    @property
    def n_own_conditions(self) -> int:
        return sum(field.value() not in (None, AS_STATED) for field in self.condition_fields)

    def body(self, overrides: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Return the policy that was filled in, as JSON that the engine reads."""
        said = self.cleaned_data
        return {
            "name": said["name"],
            "describes": said["describes"],
            "readings": {name: said[QUESTION + name] for name in questions()},
            "conditions": {name: said[CONDITION + name] for name in condition_choices()},
            "overrides": list(overrides),
            "weak_evidence": said["weak_evidence"],
            "reservations_bind_licences": said["reservations"] == "true",
        }


def filled_in(policy: ClearancePolicy) -> dict[str, Any]:
    """Return the words that the form has for a policy."""
    return {
        "name": policy.name,
        "describes": policy.describes,
        "weak_evidence": policy.weak_evidence,
        "reservations": str(policy.reservations_bind_licences).lower(),
        "purpose": PURPOSES[0],
        "commercial": "yes",
        **{QUESTION + name: policy.reading_of(name) for name in questions()},
        **{CONDITION + name: policy.reading_of_condition(name) for name in condition_choices()},
    }


class OverrideForm(forms.Form):
    """One own reading; a row where nothing is chosen says nothing."""

    of = forms.ChoiceField(label="Licence or family", required=False)
    axis = forms.ChoiceField(
        label="For",
        required=False,
        choices=[(EVERY_AXIS, "everything"), *((axis, axis_words(axis)) for axis in AXES)],
        initial=EVERY_AXIS,
    )
    value = forms.ChoiceField(
        label="Reads",
        required=False,
        choices=[(answer, ANSWER_WORDS[answer]) for answer in ANSWERS],
        initial=ANSWERS[0],
    )
    conditions = forms.CharField(
        label="Conditions",
        required=False,
        max_length=400,
        help_text="Only where it is allowed under conditions: their names, with commas.",
    )
    reason = forms.CharField(
        label="Because", required=False, max_length=500, help_text="The memo, the counsel, the clause."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["of"]
        if isinstance(field, forms.ChoiceField):
            field.choices = [
                ("", "none"),
                (
                    "Families",
                    [
                        (f"family:{name}", f"every {name.replace('_', ' ')} licence")
                        for name in sorted(CLASSES)
                    ],
                ),
                ("Licences", [(f"licence:{name}", name) for name in catalogue()]),
            ]

    def override(self) -> dict[str, Any]:
        kind, _, name = self.cleaned_data["of"].partition(":")
        asked = [one.strip() for one in self.cleaned_data["conditions"].split(",")]
        return {
            kind: name,
            "axis": self.cleaned_data["axis"] or EVERY_AXIS,
            "value": self.cleaned_data["value"] or ANSWERS[0],
            "conditions": [one for one in asked if one],
            "reason": self.cleaned_data["reason"],
        }


OverrideFormSet = forms.formset_factory(OverrideForm, extra=1, max_num=100, absolute_max=101)


def overrides_filled_in(policy: ClearancePolicy) -> list[dict[str, Any]]:
    return [
        {
            "of": f"family:{one.family}" if one.family else f"licence:{one.licence}",
            "axis": one.axis,
            "value": one.value,
            "conditions": ", ".join(one.conditions),
            "reason": one.reason,
        }
        for one in policy.overrides
    ]


class PolicyFileForm(forms.Form):
    file = forms.FileField(
        label="Policy file",
        help_text="YAML as the file of a policy has it. It fills in the form and changes nothing.",
    )

    def text(self) -> tuple[str, str]:
        """Return what was sent and its name.

        Raises
        ------
        UnicodeDecodeError
            If it is not UTF-8.
        """
        sent = self.cleaned_data["file"]
        return sent.read(MAX_BYTES + 1).decode("utf-8-sig"), sent.name or "the file"


class UseOfPreviewForm(forms.Form):
    """For what the answers are counted."""

    purpose = forms.ChoiceField(label="For", choices=[(name, PURPOSE_WORDS[name]) for name in PURPOSES])
    commercial = forms.ChoiceField(
        label="Money", choices=[("yes", "commercially"), ("no", "non-commercially")]
    )
    count = forms.BooleanField(required=False, widget=forms.HiddenInput)

    @classmethod
    def asked(cls, words: Mapping[str, Any]) -> "UseOfPreviewForm":
        return cls({"purpose": PURPOSES[0], "commercial": "yes", **words})
