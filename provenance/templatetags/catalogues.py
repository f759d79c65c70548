"""How pages write the evidence of a match."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import template

from provenance.catalogues import words_of

register = template.Library()


@register.filter
def evidence_words(evidence: Sequence[Mapping[str, Any]]) -> str:
    return words_of(evidence)
