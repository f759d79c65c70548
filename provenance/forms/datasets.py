"""What people fill in about datasets, conflicts and grants."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.utils import timezone

from governance.forms import ReasonField
from governance.templatetags.sleeve import conflict_name
from provenance import queries, uploads
from provenance.models import ClaimedRight, ConflictStatus, DatasetKind, Grant
from provenance.rights.territory import UnknownTerritory, normalise
from provenance.rights.values import PURPOSES, Use

PURPOSE_WORDS = {
    "ai_generative_training": "training a generative model",
    "ai_nongenerative_training": "training a model that makes no music",
    "ai_inference": "prompting a model with it",
    "data_mining": "mining it for data",
    "output_commercial": "selling outputs made with it",
    "redistribution": "passing it on",
}
ANSWER_WORDS = {
    "allowed": "allowed",
    "constrained": "constrained",
    "unknown": "unknown",
    "not_allowed": "not allowed",
}


def _day_widget() -> forms.DateInput:
    return forms.DateInput(attrs={"type": "date"})


class UseForm(forms.Form):
    """For what a recording is wanted: the question that clearing answers."""

    purpose = forms.ChoiceField(label="For", choices=[(name, PURPOSE_WORDS[name]) for name in PURPOSES])
    commercial = forms.ChoiceField(
        label="Money", choices=[("yes", "commercially"), ("no", "non-commercially")], initial="yes"
    )
    territory = forms.CharField(
        label="Where",
        required=False,
        max_length=20,
        widget=forms.TextInput(attrs={"placeholder": "world", "size": 8}),
    )
    policy = forms.ChoiceField(label="Reading", required=False)

    def __init__(self, *args: object, policies: Sequence[tuple[str, str]], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        field = self.fields["policy"]
        if isinstance(field, forms.ChoiceField):
            field.choices = list(policies)

    def clean_territory(self) -> str:
        written = str(self.cleaned_data["territory"]).strip()
        try:
            return normalise(written) if written else ""
        except UnknownTerritory as error:
            raise forms.ValidationError(str(error)) from error

    def use(self, now: datetime) -> Use:
        asked = self.cleaned_data
        return queries.use_for(
            purpose=asked["purpose"],
            commercial=asked["commercial"] == "yes",
            territory=asked["territory"],
            at=_first_moment(asked.get("at"), now),
            model=asked.get("model", ""),
        )


def _first_moment(day: Any, now: datetime) -> datetime:
    return datetime.combine(day, time(), UTC) if day else now


class AsOfForm(forms.Form):
    """A day to look back at, or forward to; without one it is now."""

    at = forms.DateField(label="As of", required=False, widget=_day_widget())

    def instant(self, now: datetime) -> datetime:
        return _first_moment(self.cleaned_data.get("at"), now) if self.is_valid() else now


class FreezeForm(UseForm):
    model = forms.CharField(
        label="For one model alone",
        help_text="Its name, or name@version. Grants that name it count then, and no other is trained on the version.",
        required=False,
        max_length=200,
    )
    only_cleared = forms.BooleanField(
        label="Leave out what is not cleared",
        help_text="Without this, one recording that is not cleared stops the whole version.",
        required=False,
        initial=True,
    )


class RegisterForm(forms.Form):
    """A source to register: sent along, or laid into the installation's inbox by whoever runs it."""

    name = forms.SlugField(
        label="Dataset",
        max_length=100,
        help_text="A new name, or one there is: registering again adds what is new and changes nothing twice.",
        error_messages={"invalid": "Use letters, digits, - and _ only."},
    )
    kind = forms.ChoiceField(
        label="What it is for",
        choices=[
            (DatasetKind.TRAINING.value, "to train on, once it is approved"),
            (DatasetKind.PROTECTED.value, "to check against, never to train on (a protected collection)"),
        ],
        initial=DatasetKind.TRAINING.value,
        widget=forms.RadioSelect,
    )
    file = forms.FileField(
        label="File",
        required=False,
        error_messages={"required": "Choose a file: nothing was registered."},
        help_text="A CSV or XLSX table, a ZIP with a table or tagged audio in it, or a Debian package (.deb).",
    )
    path = forms.ChoiceField(
        label="Or from the server's inbox",
        required=False,
        help_text="For what is too large to send: whoever runs this installation lays it into its inbox folder.",
    )

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        field = self.fields["path"]
        if not isinstance(field, forms.ChoiceField):
            raise TypeError("path is no choice")
        names = sorted(path.name for path in inbox().iterdir()) if inbox().is_dir() else []
        if names:
            field.choices = [("", "nothing"), *((name, name) for name in names if not name.startswith("."))]
        else:
            del self.fields["path"]
            self.fields["file"].required = True

    def clean(self) -> dict[str, Any]:
        asked = super().clean() or {}
        given = [name for name in ("file", "path") if asked.get(name)]
        if "path" in self.fields and not self.errors and len(given) != 1:
            word = "one of them, not both" if given else "a file"
            raise forms.ValidationError(f"Nothing was registered: choose {word}.")
        return asked

    def source(self) -> uploads.Source:
        """Keep what was sent, or point at what lies in the inbox.

        Raises
        ------
        UploadTooLargeError, UnsafeUploadError, IntakeError
            If it is refused; then nothing of it is kept.
        """
        if self.cleaned_data.get("path"):
            path = inbox() / self.cleaned_data["path"]
            return uploads.Source(path, "auto", path if path.is_dir() else path.parent)
        sent: UploadedFile[bytes] = self.cleaned_data["file"]
        if (sent.name or "").lower().endswith(".deb"):
            return _package(sent)
        return uploads.keep_source(sent)


def inbox() -> Path:
    return Path(settings.DATA_DIR) / "inbox"


def _package(sent: "UploadedFile[bytes]") -> uploads.Source:
    name = uploads.safe_name(sent, (".deb",))
    folder = uploads.upload_folder()
    folder.mkdir(parents=True, mode=0o700)
    with (folder / name).open("wb") as opened:
        for chunk in sent.chunks():
            opened.write(chunk)
    return uploads.Source(folder / name, "dep5", folder)


class ConflictFilterForm(forms.Form):
    """``kinds`` says how many there are of each, in the order they are offered."""

    status = forms.ChoiceField(
        label="Show", choices=[*ConflictStatus.choices, ("all", "All")], required=False
    )
    kind = forms.CharField(label="What", required=False, max_length=60)
    dataset = forms.ChoiceField(required=False)

    def __init__(
        self, *args: object, datasets: Sequence[tuple[str, str]], kinds: Mapping[str, int], **kwargs: object
    ) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        field = self.fields["dataset"]
        if isinstance(field, forms.ChoiceField):
            field.choices = [("", "every dataset"), *datasets]
        offered = [(kind, f"{conflict_name(kind)} ({n})") for kind, n in kinds.items()]
        self.fields["kind"].widget = forms.Select(choices=[("", "every kind"), *offered])


class CloseConflictForm(forms.Form):
    decision = forms.ChoiceField(
        label="What do you decide?",
        widget=forms.RadioSelect,
        error_messages={"required": "Choose one."},
    )
    reason = ReasonField()

    def __init__(self, *args: object, decisions: Sequence[tuple[str, str]] = (), **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        field = self.fields["decision"]
        if isinstance(field, forms.ChoiceField) and decisions:
            field.choices = list(decisions)

    def closing(self) -> dict[str, Any]:
        """Return what closing is told: the status, the side, the reason."""
        chosen = self.cleaned_data["decision"]
        is_dismissed = chosen == ConflictStatus.DISMISSED
        return {
            "status": ConflictStatus.DISMISSED if is_dismissed else ConflictStatus.RESOLVED,
            "in_favour_of": "" if is_dismissed else chosen,
            "reason": self.cleaned_data["reason"],
        }


class CloseConflictsForm(CloseConflictForm):
    """One decision about several of a kind: a side is named by its source, for A and B differ from one to the next."""

    decision = forms.ChoiceField(
        label="What do you decide about those ticked?",
        choices=[
            ("package_file", "In favour of the package file"),
            ("embedded_tag", "In favour of the embedded tag"),
            ("steward", "In favour of the steward's word"),
            ("rights_holder", "In favour of the rights holder's word"),
            ("both", "Resolve: nothing is set aside, the stricter goes on deciding"),
            ("dismissed", "Dismiss: they do not contradict each other"),
        ],
        error_messages={"required": "Choose one."},
    )


class SearchForm(forms.Form):
    q = forms.CharField(
        label="Title, artist, ISRC, external id or sha256",
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={"type": "search", "size": 36}),
    )


class GrantFilterForm(SearchForm):
    q = forms.CharField(
        label="Licensor or licensee",
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={"type": "search"}),
    )
    right = forms.ChoiceField(
        label="Right",
        required=False,
        choices=[("", "every right"), *((right.value, right.value) for right in ClaimedRight)],
    )
    state = forms.ChoiceField(
        label="State",
        required=False,
        choices=[
            ("", "every state"),
            ("in_force", "in force"),
            ("ending", "ending in 90 days"),
            ("revoked", "revoked"),
        ],
    )


class RegisterGrantsForm(forms.Form):
    file = forms.FileField(
        label="File of deals", help_text="CSV in UTF-8, XLSX, JSON, or JSON lines; one deal a row."
    )
    dry_run = forms.BooleanField(
        label="Only show what would happen", required=False, help_text="Keeps nothing."
    )


class RevokeForm(forms.Form):
    right = forms.ChoiceField(label="What ends", required=False, widget=forms.RadioSelect)
    revoked_from = forms.DateField(
        label="From",
        required=False,
        widget=_day_widget(),
        help_text="The first day on which the grant no longer holds; empty means now, or after its notice.",
    )
    reason = ReasonField()
    despite_terms = forms.CharField(
        label="Why it ends though it is irrevocable",
        required=False,
        max_length=5000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )

    def __init__(self, *args: object, standing: Sequence[Grant], **kwargs: object) -> None:
        """Ask which right of the deal ends, where more than one of it still stands, and why in spite of its terms."""
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        _ask_which_right(self, standing)
        if all(grant.revocable for grant in standing):
            del self.fields["despite_terms"]

    def instant(self) -> datetime | None:
        """Return when it ends; None where nobody says, and its terms do."""
        day = self.cleaned_data["revoked_from"]
        return _first_moment(day, timezone.now()) if day else None


class ReinstateForm(forms.Form):
    """A revoked deal, or one right of it, given again; its fields stand beside those of `RevokeForm` on one page."""

    right = forms.ChoiceField(label="What is given again", required=False, widget=forms.RadioSelect)
    valid_from = forms.DateField(
        label="From",
        required=False,
        widget=_day_widget(),
        help_text="The first day on which it holds again; empty means from now on.",
    )
    reason = ReasonField()

    def __init__(self, *args: object, ended: Sequence[Grant], **kwargs: object) -> None:
        """Ask which right of the deal is given again, where more than one of it is revoked."""
        super().__init__(*args, auto_id="again_%s", **kwargs)  # type: ignore[arg-type,misc]
        _ask_which_right(self, ended)


def _ask_which_right(form: forms.Form, grants: Sequence[Grant]) -> None:
    field = form.fields["right"]
    if len(grants) < 2 or not isinstance(field, forms.ChoiceField):
        del form.fields["right"]
        return
    rights = [grant.right for grant in grants]
    whole = " and the ".join(rights)
    field.choices = [("", f"The whole deal: the {whole}"), *((one, f"Only the {one}") for one in rights)]
