"""What holders fill in to ask, and members to take a case in, decide and answer."""

from collections.abc import Iterable, Sequence
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile

from generation.models import CaseKind, ModelVersion, Remedy
from generation.queries.aftermath import Aftermath
from generation.queries.cases import Suggestion
from generation.services.cases import MAX_WORDS
from governance.forms import ReasonField
from governance.models import Organisation
from provenance.intake.sounds import EXTENSIONS
from provenance.models import Grant

SOUND_BYTES = 20_000_000
FINGERPRINT_BYTES = 2_000_000
KINDS = (
    (CaseKind.OPT_OUT.value, "Leave my recordings out of training"),
    (CaseKind.REVOKE.value, "End a permission that I gave"),
    (CaseKind.INQUIRY.value, "Tell me whether my recordings are in a model"),
    (CaseKind.LEAK.value, "An output of a model copies my recording"),
)


class LinesField(forms.CharField):
    """One a line, or apart by semicolons."""

    widget = forms.Textarea(attrs={"rows": 3})

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, max_length=200_000, **kwargs)

    def clean(self, value: Any) -> tuple[str, ...]:
        written = super().clean(value) or ""
        return tuple(
            line.strip() for part in written.split(";") for line in part.splitlines() if line.strip()
        )


class BoundedFileField(forms.FileField):
    def __init__(self, *, limit_bytes: int, **kwargs: Any) -> None:
        super().__init__(required=False, **kwargs)
        self.limit_bytes = limit_bytes

    def clean(self, data: Any, initial: Any = None) -> Any:
        sent = super().clean(data, initial)
        if isinstance(sent, UploadedFile) and (sent.size or 0) > self.limit_bytes:
            raise forms.ValidationError(
                f"The file has {sent.size:,} bytes; at most {self.limit_bytes:,} are taken. "
                "A minute of the recording is enough."
            )
        return sent


class FilingForm(forms.Form):
    """What holders are asked, whoever types it in."""

    kind = forms.ChoiceField(
        label="What do you ask?",
        choices=KINDS,
        widget=forms.RadioSelect,
        error_messages={"required": "Choose what you ask."},
    )
    holder = forms.CharField(
        label="Who holds the rights",
        max_length=300,
        help_text="Your name, or that of the label, publisher or artist you speak for.",
        error_messages={"required": "Say who holds the rights."},
    )
    contact = forms.CharField(
        label="How to reach you",
        max_length=300,
        help_text="An e-mail address or a telephone number. Only those who handle the case see it.",
        error_messages={"required": "Say how to reach you."},
    )
    holds = forms.CharField(
        label="What you hold",
        required=False,
        max_length=MAX_WORDS,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="The master, the composition, a share of it; since when; for which countries.",
    )
    isrcs = LinesField(label="ISRCs", help_text="One a line.")
    titles = LinesField(label="Titles", help_text="One a line.")
    urls = LinesField(label="Addresses where the recordings are published", help_text="One a line.")
    sound = BoundedFileField(
        limit_bytes=SOUND_BYTES,
        label="A recording, or a part of it",
        help_text=f"At most {SOUND_BYTES // 1_000_000} MB. It is compared with ours, and used for nothing else.",
        widget=forms.ClearableFileInput(attrs={"accept": ",".join(sorted(EXTENSIONS))}),
    )
    fingerprint = BoundedFileField(
        limit_bytes=FINGERPRINT_BYTES,
        label="Or its fingerprint",
        help_text="A file that fingerprint_audio wrote, where the sound must not leave your house.",
        widget=forms.ClearableFileInput(attrs={"accept": ".fingerprint"}),
    )
    words = forms.CharField(
        label="In your own words",
        required=False,
        max_length=MAX_WORDS,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="What happened, what you want done. For a copy: where and when you met it.",
    )


class PublicFilingForm(FilingForm):
    organisation = forms.ChoiceField(label="Whom do you ask?")
    website = forms.CharField(required=False, max_length=200)  # people don't see it; programs fill it in

    def __init__(self, *args: Any, organisations: Sequence[Organisation], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["organisation"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 — for the type checker
        field.choices = [(str(one.public_id), one.name) for one in organisations]
        if len(organisations) == 1:
            field.widget = forms.HiddenInput()
            field.initial = str(organisations[0].public_id)
        self.order_fields(["organisation", *FilingForm.base_fields, "website"])

    def clean_website(self) -> str:
        if self.cleaned_data["website"]:
            raise forms.ValidationError("Leave this field empty: it is there to tell programs from people.")
        return ""


class MemberFilingForm(FilingForm):
    """Taken down by a member: a label for itself, or a steward for somebody."""

    organisation = forms.ChoiceField(label="Filed with")
    grant = forms.ChoiceField(
        label="Grant that is revoked",
        required=False,
        help_text="Filed by a label, it is revoked at once; by anybody else, once the case is taken in.",
    )

    def __init__(
        self, *args: Any, organisations: Sequence[Organisation], grants: Iterable[Grant], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["organisation"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 — for the type checker
        field.choices = [(str(one.public_id), one.name) for one in organisations]
        if len(organisations) == 1:
            field.widget = forms.HiddenInput()
            field.initial = str(organisations[0].public_id)
        offer_grants(self, grants)
        self.fields["contact"].required = False
        self.order_fields(["organisation", "kind", "grant", *FilingForm.base_fields])


def offer_grants(form: forms.Form, grants: Iterable[Grant]) -> None:
    field = form.fields["grant"]
    assert isinstance(field, forms.ChoiceField)  # noqa: S101 — for the type checker
    field.choices = [
        ("", "None that is named"),
        *((str(grant.public_id), f"{grant}, {str(grant.public_id)[:8]}") for grant in grants),
    ]


class AcceptForm(forms.Form):
    kind = forms.ChoiceField(label="What is asked", choices=CaseKind.choices)
    recordings = forms.MultipleChoiceField(
        label="Recordings it is about",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Found by what was named. Untick what is not theirs.",
    )
    others = LinesField(label="Other recordings", help_text="ISRC, sha256, external id or id, one a line.")
    grant = forms.ChoiceField(label="Grant that is revoked", required=False)
    verified_how = ReasonField(
        label="Who the holder is, and how you checked",
        help_text="What you compared, whom you asked. Without it nobody's word stops a model.",
    )

    def __init__(
        self, *args: Any, suggestions: Sequence[Suggestion], grants: Iterable[Grant], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["recordings"]
        assert isinstance(field, forms.MultipleChoiceField)  # noqa: S101 — for the type checker
        field.choices = [
            (str(one.recording.public_id), f"{one.recording}: {', '.join(one.because)}")
            for one in suggestions
        ]
        if not suggestions:
            del self.fields["recordings"]
        offer_grants(self, grants)


class CaseDecisionForm(forms.Form):
    version = forms.MultipleChoiceField(
        label="Models",
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Tick at least one model."},
    )
    remedy = forms.ChoiceField(
        label="What becomes of them",
        widget=forms.RadioSelect,
        choices=(
            (Remedy.RETRAIN.value, "Retrain without the recordings: nothing leaves until then"),
            (Remedy.BLOCK.value, "Block at output: whatever matches them stays here, the rest may leave"),
            (Remedy.NEGOTIATE.value, "Negotiate: nothing leaves until terms are agreed"),
            (Remedy.REJECT.value, "Reject the request for these models"),
        ),
        error_messages={"required": "Choose what becomes of them."},
    )
    until = forms.DateField(
        label="Negotiated until",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="Only for negotiating.",
    )
    reason = ReasonField(help_text="The holder reads it. Name no third person.")

    def __init__(self, *args: Any, versions: Sequence[ModelVersion], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["version"]
        assert isinstance(field, forms.MultipleChoiceField)  # noqa: S101 — for the type checker
        field.choices = [(str(version.public_id), str(version)) for version in versions]


class AnswerForm(forms.Form):
    words = ReasonField(
        label="What the holder is told",
        help_text="Counts, contracts and decisions are added by themselves. Name no third person.",
    )


class RejectForm(forms.Form):
    reason = ReasonField(help_text="The holder reads it.")


class WithdrawForm(forms.Form):
    reason = forms.CharField(
        label="Why",
        required=False,
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    reinstate = forms.BooleanField(required=False)

    def __init__(self, *args: Any, after: Aftermath, may_undo: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered = self.fields["reinstate"]
        if not may_undo:
            del self.fields["reinstate"]
        elif after.still_ended:
            offered.label = "Give the grant again from today on"
            offered.help_text = (
                "A new grant on the same terms. The old one stays revoked: in between nothing is permitted."
            )
        else:
            offered.label = "Withdraw the opt-out too"
            offered.help_text = "From today on it binds nothing. Until today it did."


class EraseForm(forms.Form):
    reason = forms.CharField(
        label="Why",
        max_length=500,
        help_text="It stays with the case: name nobody.",
        error_messages={"required": "Say in a sentence why."},
    )


class CaseTermsForm(forms.Form):
    opt_out_days = forms.IntegerField(label="Days to answer an opt-out", min_value=1, max_value=365)
    revoke_days = forms.IntegerField(label="Days to answer a revocation", min_value=1, max_value=365)
    leak_days = forms.IntegerField(label="Days to answer a report of a copy", min_value=1, max_value=365)
    inquiry_days = forms.IntegerField(label="Days to answer an inquiry", min_value=1, max_value=365)
    public_form = forms.BooleanField(label="Strangers may file by the public form", required=False)
