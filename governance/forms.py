"""What people fill in about reviews, and how the queue and the ledger are narrowed."""

from collections.abc import Sequence

from django import forms
from django.db.models import QuerySet

from governance.models import Decision, LedgerEvent, Question
from governance.templatetags.sleeve import event_name

REASON_HELP = "Kept here in words, in the ledger only as a commitment. Name no third person."


class ReasonField(forms.CharField):
    widget = forms.Textarea(attrs={"rows": 4})

    def __init__(self, label: str = "Reason", help_text: str = REASON_HELP) -> None:
        super().__init__(
            label=label,
            help_text=help_text,
            max_length=4000,
            error_messages={"required": "Say in a sentence why."},
        )


class DecisionForm(forms.Form):
    """A decision and its reason; with the conditions that can be accepted, where there are any."""

    decision = forms.ChoiceField(widget=forms.RadioSelect, error_messages={"required": "Choose one."})
    conditions = forms.MultipleChoiceField(
        label="Conditions accepted",
        help_text="Whoever accepts one promises what it says. What is not accepted leaves its recordings out.",
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    reason = ReasonField()

    def __init__(
        self,
        *args: object,
        decisions: Sequence[Decision],
        conditions: Sequence[tuple[str, str]] = (),
        **kwargs: object,
    ) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        verbs = {Decision.APPROVED: "Approve", Decision.REJECTED: "Reject", Decision.SUSPENDED: "Suspend"}
        self.choices_of("decision").choices = [(decision.value, verbs[decision]) for decision in decisions]
        if conditions:
            self.choices_of("conditions").choices = list(conditions)
        else:
            del self.fields["conditions"]

    def choices_of(self, name: str) -> forms.ChoiceField:
        field = self.fields[name]
        if not isinstance(field, forms.ChoiceField):
            raise TypeError(f"{name} is no choice")
        return field


class ReviewFilterForm(forms.Form):
    state = forms.ChoiceField(
        choices=[("pending", "waiting"), ("decided", "decided"), ("all", "all")], required=False
    )
    question = forms.ChoiceField(choices=[("", "any"), *Question.choices], required=False)


class LedgerFilterForm(forms.Form):
    kind = forms.ChoiceField(label="What happened", required=False)
    subject = forms.UUIDField(
        label="About (id)",
        required=False,
        widget=forms.TextInput(attrs={"size": 38}),
        error_messages={"invalid": "An id looks like 0198c1a2-…: copy it from the page of the thing."},
    )

    def __init__(self, *args: object, events: QuerySet[LedgerEvent], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        kinds = events.order_by("kind").values_list("kind", flat=True).distinct()
        field = self.fields["kind"]
        if isinstance(field, forms.ChoiceField):
            field.choices = [("", "anything"), *((kind, event_name(kind)) for kind in kinds)]
