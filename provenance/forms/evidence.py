"""What people fill in to keep a licence text or a page as it was on the day it was read."""

from typing import Any

from django import forms
from django.utils import timezone

from provenance.models import EvidenceKind
from provenance.services.evidence import MAX_BYTES

KINDS = [
    (kind.value, kind.label)
    for kind in (EvidenceKind.LICENCE_TEXT, EvidenceKind.WEB_PAGE, EvidenceKind.AGREEMENT)
]


class EvidenceForm(forms.Form):
    file = forms.FileField(
        label="File",
        help_text="The page or text as it was saved: it is kept byte for byte, under its hash.",
        error_messages={"required": "Choose a file: nothing was kept.", "empty": "The file is empty."},
    )
    kind = forms.ChoiceField(label="What it is", choices=KINDS)
    url = forms.URLField(
        label="Address it was read from",
        required=False,
        max_length=2000,
        assume_scheme="https",
        help_text="A second snapshot from the same address is kept beside the first, and shown as changed.",
    )
    fetched_at = forms.DateTimeField(
        label="Read on",
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"],
        help_text="When the page was fetched, in UTC.",
    )
    confidential = forms.BooleanField(
        label="Confidential",
        required=False,
        help_text="Only stewards, compliance officers and external auditors may open it.",
    )

    def clean_file(self) -> Any:
        sent = self.cleaned_data["file"]
        if sent.size > MAX_BYTES:
            raise forms.ValidationError(f"It has {sent.size:,} bytes; evidence is kept up to {MAX_BYTES:,}.")
        return sent

    def clean_fetched_at(self) -> Any:
        at = self.cleaned_data["fetched_at"]
        if at is not None and at > timezone.now():
            raise forms.ValidationError("A page can't have been read in the future.")
        return at

    def facts(self) -> dict[str, Any]:
        """Return what the service takes."""
        asked = self.cleaned_data
        sent = asked["file"]
        return {
            "kind": asked["kind"],
            "name": sent.name,
            "content": sent.read(),
            "url": asked["url"],
            "media_type": sent.content_type or "",
            "fetched_at": asked["fetched_at"],
            "confidential": asked["confidential"],
        }
