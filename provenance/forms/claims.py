"""How the list of claims is narrowed."""

from django import forms
from django.db.models import Q, QuerySet

from provenance.models import ClaimedRight, RightsClaim


class ClaimFilterForm(forms.Form):
    q = forms.CharField(
        label="Find",
        required=False,
        max_length=200,
        widget=forms.TextInput(attrs={"type": "search", "placeholder": "party, title, artist"}),
    )
    right = forms.ChoiceField(
        label="Right",
        required=False,
        choices=[("", "every right"), *((right.value, right.value) for right in ClaimedRight)],
    )
    state = forms.ChoiceField(
        label="State",
        required=False,
        choices=[("", "that stand"), ("withdrawn", "withdrawn"), ("all", "all")],
    )

    def narrowed(self, claims: QuerySet[RightsClaim]) -> QuerySet[RightsClaim]:
        """Return what is asked for; what makes no sense asks for every claim that stands."""
        asked = self.cleaned_data if self.is_valid() else {}
        if words := asked.get("q", "").strip():
            claims = claims.filter(
                Q(party__name__icontains=words)
                | Q(recording__title__icontains=words)
                | Q(recording__artist__icontains=words)
            )
        if right := asked.get("right"):
            claims = claims.filter(right=right)
        state = asked.get("state", "")
        return claims if state == "all" else claims.filter(withdrawn_at__isnull=state != "withdrawn")
