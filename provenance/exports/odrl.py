"""Grants as ODRL 2.2 agreements (W3C Recommendation, 15 February 2018)."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from typing import Any, Final

from provenance.rights.names import party
from provenance.rights.terms import conditions
from provenance.rights.values import Grant, Reservation, Use

VOCABULARY: Final = "https://w3id.org/liner-notes/vocabulary#"
CONTEXT: Final = [
    "http://www.w3.org/ns/odrl.jsonld",
    {
        "ln": VOCABULARY,
        "dct": "http://purl.org/dc/terms/",
        "vcard": "http://www.w3.org/2006/vcard/ns#",
        "xsd": "http://www.w3.org/2001/XMLSchema#",
    },
]


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
    constraints = [
        *_period(grant),
        *_places(grant.territory),
        *_trade(grant.commercial),
        *_models(grant.model_scope),
    ]
    permissions = [
        {"action": f"ln:{purpose}", "constraint": constraints, "duty": _duties(grant.conditions)}
        for purpose in sorted(grant.purposes)
    ]
    return {
        "@context": CONTEXT,
        "@type": "Agreement",
        "uid": f"urn:uuid:{grant.id}",
        "profile": VOCABULARY,
        "assigner": _party(grant.licensor),
        "assignee": _party(assignee),
        "target": list(targets),
        "ln:right": _term(grant.right),
        "permission": permissions,
    }


def cleared(
    uid: str, targets: Sequence[str], use: Use, duties: Sequence[str], *, description: str
) -> dict[str, Any]:
    """Return what recordings were cleared for as a set: one permission, bound as the question was.

    Parameters
    ----------
    uid : str
        IRI of the set.
    targets : sequence of str
        IRIs of the recordings.
    use : Use
        What was asked. Its instant is when, not until when: it is no bound of the permission.
    duties : sequence of str
        Conditions that were accepted.
    description : str
        By which licence and policy.
    """
    where = {"leftOperand": "spatial", "operator": "eq", "rightOperand": use.territory}
    models = [use.model] if use.model else []
    return {
        "@type": "Set",
        "uid": uid,
        "dct:description": description,
        "target": list(targets),
        "permission": [
            {
                "action": f"ln:{use.purpose}",
                "constraint": [where, *_trade(use.commercial), *_models(models)],
                "duty": _duties(duties),
            }
        ],
    }


def offer(
    reservation: Reservation, targets: Sequence[str], *, assigner: str = "", policy_url: str = ""
) -> dict[str, Any]:
    """Return a reservation as an offer that prohibits what is reserved; as a set where nobody is named as offering.

    Parameters
    ----------
    reservation : Reservation
        A withdrawn one prohibits until that instant.
    targets : sequence of str
        IRIs of the recordings it binds.
    assigner : str
        Who reserves; empty where a place says it and nobody is named.
    policy_url : str
        Where the rights holder offers terms (TDMRep's ``tdm-policy``).
    """
    purposes = sorted(reservation.purposes) or ["text-and-data-mining"]
    constraints = [*_places(reservation.territory), *_said(reservation)]
    prohibitions = [
        {"action": f"ln:{purpose}"} | ({"constraint": constraints} if constraints else {})
        for purpose in purposes
    ]
    rights = ["master", "composition"] if reservation.right == "both" else [reservation.right]
    written: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "Offer" if assigner else "Set",
        "uid": f"urn:uuid:{reservation.id}",
        "profile": VOCABULARY,
        "target": list(targets),
        "ln:right": [_term(right) for right in rights],
        "prohibition": prohibitions,
    }
    if assigner:
        written["assigner"] = _party(assigner)
    if policy_url:
        written["dct:references"] = {"@id": policy_url}
    return written


def _duties(names: Sequence[str]) -> list[dict[str, str]]:
    return [{"action": f"ln:{name}", "dct:description": conditions().get(name, "")} for name in names]


def _trade(commercial: bool) -> list[dict[str, Any]]:
    if commercial:
        return []
    return [{"leftOperand": "purpose", "operator": "eq", "rightOperand": _term("non-commercial")}]


def _models(names: Collection[str]) -> list[dict[str, Any]]:
    """Return the models that a permission ends at, NAME or NAME@VERSION each; none: it is for any."""
    if not names:
        return []
    return [{"leftOperand": "ln:model", "operator": "isAnyOf", "rightOperand": sorted(names)}]


def _term(name: str) -> dict[str, str]:
    """Return a word of our vocabulary where the context of ODRL does not say that one stands there: as a node."""
    return {"@id": f"ln:{name}"}


def _party(name: str) -> dict[str, Any]:
    """Return a party as a node: a bare name would be read as an address. One name has one IRI, in every export."""
    iri = uuid.uuid5(uuid.NAMESPACE_URL, VOCABULARY + party(name)).urn
    return {"@type": "Party", "uid": iri, "vcard:fn": name}


def _said(reservation: Reservation) -> list[dict[str, Any]]:
    bounds = []
    if reservation.declared_at:
        bounds.append(_bound("gteq", reservation.declared_at.isoformat(), "xsd:dateTime"))
    if reservation.withdrawn_at:
        bounds.append(_bound("lt", reservation.withdrawn_at.isoformat(), "xsd:dateTime"))
    return bounds


def _places(territory: Sequence[str]) -> list[dict[str, Any]]:
    included = [code for code in territory if not code.startswith("-")]
    excluded = [code[1:] for code in territory if code.startswith("-")]
    constraints: list[dict[str, Any]] = []
    if included and included != ["WORLD"]:
        constraints.append({"leftOperand": "spatial", "operator": "isAnyOf", "rightOperand": included})
    if excluded:
        constraints.append({"leftOperand": "spatial", "operator": "isNoneOf", "rightOperand": excluded})
    return constraints


def _period(grant: Grant) -> list[dict[str, Any]]:
    bounds = []
    if grant.valid_from:
        bounds.append(_bound("gteq", grant.valid_from.isoformat(), "xsd:date"))
    if grant.valid_until:
        bounds.append(_bound("lt", grant.valid_until.isoformat(), "xsd:date"))
    if grant.given_at:
        bounds.append(_bound("gteq", grant.given_at.isoformat(), "xsd:dateTime"))
    if grant.revoked_at:
        bounds.append(_bound("lt", grant.revoked_at.isoformat(), "xsd:dateTime"))
    return bounds


def _bound(operator: str, value: str, kind: str) -> dict[str, Any]:
    return {
        "leftOperand": "dateTime",
        "operator": operator,
        "rightOperand": {"@value": value, "@type": kind},
    }
