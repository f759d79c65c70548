"""What people fill in about opt-outs and statutory-exception memos."""

from collections.abc import Sequence
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile

from governance.forms import ReasonField
from provenance.errors import ProvenanceError
from provenance.forms.datasets import PURPOSE_WORDS
from provenance.models import ReservationSource, ReservedRight
from provenance.rights.optouts import Snapshot
from provenance.rights.optouts.findings import MAX_BYTES
from provenance.rights.values import PURPOSES
from provenance.services.declaring import Declaration
from provenance.services.memos import MemoTerms
from provenance.services.publishing import MAX_LIST_BYTES, read_names

KIND_WORDS = [
    ("auto", "what its name or address says"),
    ("tdmrep", "TDMRep: tdmrep.json, a page, or an answer with its headers"),
    ("robots", "robots.txt"),
    ("ai_txt", "ai.txt"),
    ("aipref", "IETF AIPREF (draft)"),
]
PURPOSE_CHOICES = [(name, PURPOSE_WORDS[name]) for name in PURPOSES]
ONE_A_LINE = "One a line."


class ReservationFilterForm(forms.Form):
    q = forms.CharField(
        label="Who or where", required=False, max_length=200, widget=forms.TextInput(attrs={"type": "search"})
    )
    source = forms.ChoiceField(
        label="Said in", required=False, choices=[("", "any place"), *ReservationSource.choices]
    )
    state = forms.ChoiceField(
        label="Show",
        required=False,
        choices=[("", "every opt-out"), ("standing", "standing"), ("withdrawn", "withdrawn")],
    )


class SnapshotForm(forms.Form):
    """Something that a site published, as somebody fetched it."""

    url = forms.URLField(
        label="Fetched from",
        max_length=2000,
        assume_scheme="https",
        help_text="The whole address, like https://label.example/robots.txt: it says whose recordings are meant.",
    )
    fetched_at = forms.DateTimeField(
        label="Fetched at (UTC)",
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
        help_text="The opt-out counts from then on; empty means now.",
    )
    kind = forms.ChoiceField(label="It is", choices=KIND_WORDS, initial="auto")
    file = forms.FileField(
        label="File", required=False, help_text="As it came, headers included where they matter (curl -i)."
    )
    text = forms.CharField(
        label="Or its text", required=False, strip=False, widget=forms.Textarea(attrs={"rows": 6})
    )

    def clean(self) -> dict[str, Any]:
        asked = super().clean() or {}
        sent: UploadedFile[bytes] | None = asked.get("file")
        if sent is not None and (sent.size or 0) > MAX_BYTES:
            raise forms.ValidationError(f"The file has {sent.size:,} bytes; {MAX_BYTES:,} are read at most.")
        if not self.errors and bool(sent) == bool(asked.get("text")):
            raise forms.ValidationError("Nothing was recorded: send the file or its text, one of them.")
        return asked

    def snapshot(self) -> Snapshot:
        asked = self.cleaned_data
        sent: UploadedFile[bytes] | None = asked["file"]
        content = sent.read() if sent is not None else asked["text"].encode()
        name = sent.name or "" if sent is not None else asked["url"].rpartition("/")[2]
        return Snapshot(content, name[:200], asked["url"], asked["fetched_at"])


class LinesField(forms.CharField):
    """Names, one a line or separated by semicolons."""

    widget = forms.Textarea(attrs={"rows": 3})

    def __init__(self, label: str, help_text: str = ONE_A_LINE) -> None:
        super().__init__(label=label, required=False, max_length=100_000, help_text=help_text)

    def to_python(self, value: Any) -> Any:
        words = str(super().to_python(value) or "").replace(";", "\n").splitlines()
        return tuple(dict.fromkeys(word.strip() for word in words if word.strip()))


class DeclareForm(forms.Form):
    """What a rights holder declares."""

    party = forms.CharField(label="Rights holder", required=False, max_length=500)
    recordings = LinesField(
        "Recordings",
        "External ids, ids or sha256, one a line. Where nothing is named here or below: all that the holder holds.",
    )
    listed = forms.FileField(
        label="Or a list of recordings",
        required=False,
        help_text="One a line, or a CSV with a column recording, external_id, isrc, sha256 or id.",
    )
    dataset = forms.CharField(
        label="Or a whole dataset",
        required=False,
        max_length=100,
        help_text="All that it holds, and what it comes to hold.",
    )
    isrcs = LinesField("ISRCs", "One a line; recordings that come later are matched too.")
    right = forms.ChoiceField(
        label="Right", choices=ReservedRight.choices, initial=ReservedRight.BOTH, widget=forms.RadioSelect
    )
    purposes = forms.MultipleChoiceField(
        label="Reserved for",
        required=False,
        choices=PURPOSE_CHOICES,
        widget=forms.CheckboxSelectMultiple,
        help_text="None ticked means all training, mining and inference.",
    )
    territory = LinesField("Where", "Country codes, one a line; empty means worldwide.")
    declared_on = forms.DateField(
        label="Declared on",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="It counts from that day on; empty means now.",
    )
    evidence = forms.FileField(label="Letter or document", required=False)

    def __init__(self, *args: object, parties: Sequence[str] = (), **kwargs: object) -> None:
        """With ``parties``, only those can be spoken for: the label auditor's own."""
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        if parties:
            self.fields["party"] = forms.ChoiceField(
                label="Rights holder", choices=[(name, name) for name in parties]
            )

    def clean_listed(self) -> tuple[str, ...]:
        sent: UploadedFile[bytes] | None = self.cleaned_data["listed"]
        if sent is None:
            return ()
        if (sent.size or 0) > MAX_LIST_BYTES:
            raise forms.ValidationError(
                f"The list has {sent.size:,} bytes; {MAX_LIST_BYTES:,} are read at most."
            )
        try:
            return read_names(Path(sent.name or "list"), sent.read())
        except ProvenanceError as error:
            raise forms.ValidationError(str(error)) from error

    def declaration(self) -> Declaration:
        asked = self.cleaned_data
        sent: UploadedFile[bytes] | None = asked["evidence"]
        day = asked["declared_on"]
        return Declaration(
            party=asked["party"],
            recordings=tuple(dict.fromkeys([*asked["recordings"], *asked["listed"]])),
            isrcs=asked["isrcs"],
            dataset=asked["dataset"].strip(),
            right=asked["right"],
            purposes=tuple(asked["purposes"]),
            territory=asked["territory"],
            declared_at=datetime.combine(day, time(), UTC) if day else None,
            evidence_name=(sent.name or "")[:200] if sent is not None else "",
            evidence=sent.read() if sent is not None else b"",
        )


class WithdrawForm(forms.Form):
    reason = ReasonField(help_text="Kept here in words, and not in the ledger. Name no third person.")


class MemoForm(forms.Form):
    provision = forms.CharField(
        label="Provision",
        max_length=300,
        help_text="The statute and its article: Directive (EU) 2019/790, Article 3.",
    )
    purposes = forms.MultipleChoiceField(
        label="It covers", choices=PURPOSE_CHOICES, widget=forms.CheckboxSelectMultiple
    )
    dataset = forms.ChoiceField(
        label="Dataset",
        required=False,
        help_text="What it holds today; what is registered later is not covered.",
    )
    recordings = LinesField("Or recordings", "External ids, ISRCs, ids or sha256, one a line.")
    territory = LinesField("Where", "Where that law holds: countries or groups such as EU, one a line.")
    valid_from = forms.DateField(label="From", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    valid_until = forms.DateField(
        label="Until",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="The first day on which it no longer holds.",
    )
    lawful_access = forms.CharField(
        label="Lawful access",
        max_length=5000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="How these recordings were lawfully had.",
    )
    signed_by = forms.CharField(label="Signed by", max_length=300, help_text="The person who answers for it.")
    document = forms.FileField(label="The signed memo", required=False, help_text="Kept confidential.")

    def __init__(self, *args: object, datasets: Sequence[str], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        field = self.fields["dataset"]
        if isinstance(field, forms.ChoiceField):
            field.choices = [("", "none"), *((name, name) for name in datasets)]

    def terms(self) -> MemoTerms:
        asked = dict(self.cleaned_data)
        sent: UploadedFile[bytes] | None = asked.pop("document")
        return MemoTerms(
            **{**asked, "purposes": tuple(asked["purposes"])},
            document_name=(sent.name or "")[:200] if sent is not None else "",
            document=sent.read() if sent is not None else b"",
        )
