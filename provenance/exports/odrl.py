"""Grants as ODRL 2.2 agreements (W3C Recommendation, 15 February 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from provenance.rights.terms import conditions
from provenance.rights.values import Grant, Reservation

CONTEXT: Final = ["http://www.w3.org/ns/odrl.jsonld", {"ln": "https://w3id.org/liner-notes/vocabulary#"}]
_RIGHTS: Final = {"master": "ln:master", "composition": "ln:composition"}


def agreement(grant: Grant, targets: Sequence[str], assignee: str) -> dict[str, Any]:
    """Return one grant as an agreement.

    Parameters
    ----------
    grant : Grant
        The grant; a revoked one becomes an agreement whose permission ends at that instant.
    targets : sequence of str
        IRIs of the recordings or works it covers.
    assignee : str
        Whom it was given to.
    """
    constraints = _period(grant)
    if grant.territory:
        included = [code for code in grant.territory if not code.startswith("-")]
        excluded = [code[1:] for code in grant.territory if code.startswith("-")]
        if included and included != ["WORLD"]:
            constraints.append({"leftOperand": "spatial", "operator": "isAnyOf", "rightOperand": included})
        if excluded:
            constraints.append({"leftOperand": "spatial", "operator": "isNoneOf", "rightOperand": excluded})
    if not grant.commercial:
        constraints.append({"leftOperand": "purpose", "operator": "eq", "rightOperand": "ln:non-commercial"})
    if grant.model_scope:
        models = sorted(grant.model_scope)
        constraints.append({"leftOperand": "ln:model", "operator": "isAnyOf", "rightOperand": models})
    permissions = [
        {
            "action": f"ln:{purpose}",
            "constraint": constraints,
            "duty": [
                {"action": f"ln:{name}", "dct:description": conditions().get(name, "")}
                for name in grant.conditions
            ],
        }
        for purpose in sorted(grant.purposes)
    ]
    return {
        "@context": CONTEXT,
        "@type": "Agreement",
        "uid": f"urn:uuid:{grant.id}",
        "assigner": grant.licensor,
        "assignee": assignee,
        "target": list(targets),
        "ln:right": _RIGHTS[grant.right],
        "permission": permissions,
    }


def offer(reservation: Reservation, targets: Sequence[str]) -> dict[str, Any]:
    """Return a reservation as an offer that prohibits what is reserved."""
    purposes = sorted(reservation.purposes) or ["text-and-data-mining"]
    return {
        "@context": CONTEXT,
        "@type": "Offer",
        "uid": f"urn:uuid:{reservation.id}",
        "target": list(targets),
        "prohibition": [{"action": f"ln:{purpose}"} for purpose in purposes],
    }


def _period(grant: Grant) -> list[dict[str, Any]]:
    bounds = []
    if grant.valid_from:
        bounds.append(_bound("gteq", grant.valid_from.isoformat(), "xsd:date"))
    if grant.valid_until:
        bounds.append(_bound("lt", grant.valid_until.isoformat(), "xsd:date"))
    if grant.revoked_at:
        bounds.append(_bound("lt", grant.revoked_at.isoformat(), "xsd:dateTime"))
    return bounds


def _bound(operator: str, value: str, kind: str) -> dict[str, Any]:
    return {
        "leftOperand": "dateTime",
        "operator": operator,
        "rightOperand": {"@value": value, "@type": kind},
    }
