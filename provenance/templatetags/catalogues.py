"""How pages write the evidence of a match."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django import template

from provenance.queries.catalogues import words_of

register = template.Library()
FOLDERS = re.compile(r" \(looked for [^)]*\)")


@register.filter
def evidence_words(evidence: Sequence[Mapping[str, Any]]) -> str:
    return words_of(evidence)


@register.filter
def without_folders(reasons: str) -> str:
    """Leave out where on our own disk a file was looked for: it is no business of who sent it."""
    return FOLDERS.sub("", reasons)
