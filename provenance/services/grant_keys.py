"""What tells one grant from another: a hash of all that it says, so that a deal told twice is registered once."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import date
from decimal import Decimal
from typing import Any

from lib.canonical import canonical_sha256
from provenance.intake.deals import Terms

LATER_TERMS = tuple(  # in a grant's key only where a deal says them: what was registered before keeps its key
    term.name
    for term in fields(Terms)
    if term.name
    in (
        *(
            "share",
            "basis",
            "sunset_on",
            "output_uses",
            "exclusive",
            "exclusive_except",
            "sublicensing",
            "attribution",
            "revocable",
        ),
        *("notice_days", "remuneration", "remuneration_terms", "chain_of_title", "document_date"),
    )
)


def key_of(terms: Terms, *, document_sha256: str, recordings: Sequence[str]) -> str:
    """Return the hash of terms, of the agreement's bytes, and of the public ids of what is granted, in their order."""
    said: dict[str, Any] = {
        "licensor": terms.licensor,
        "licensee": terms.licensee,
        "purposes": list(terms.purposes),
        "commercial": terms.commercial,
        "territory": list(terms.territory),
        "valid_from": terms.valid_from,
        "valid_until": terms.valid_until,
        "model_scope": list(terms.model_scope),
        "conditions": list(terms.conditions),
        "document": terms.document,
        "document_sha256": document_sha256,
        "right": terms.right,
        "recordings": list(recordings),
    }
    plain = Terms(terms.right, "", "", ())
    for name in LATER_TERMS:
        if getattr(terms, name) != getattr(plain, name):
            said[name] = getattr(terms, name)
    return canonical_sha256({name: _plain(value) for name, value in said.items()})


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"
    return list(value) if isinstance(value, tuple) else value
