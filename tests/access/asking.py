"""One request as one caller, and what kind of answer it got."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponseBase
from django.test import Client

from tests.access.routes import Route
from tests.access.scene import House

MAY, REFUSED, HIDDEN, SIGN_IN, NO_METHOD = "may", "refused", "hidden", "sign in", "no such method"
SUBJECTS = {  # of which row the id in a route's address is
    "api:catalogue": "catalogue",
    "api:check": "check",
    "api:conflict": "conflict",
    "api:dataset-version": "version",
    "api:dataset": "dataset",
    "api:dataset-versions": "dataset",
    "api:model-versions": "model",
    "provenance:evidence": "evidence",
    "api:case": "case",
    "generation:case": "case",
    "provenance:matrix": "dataset",
    "provenance:party": "party",
    "api:party": "party",
    "api:evidence": "evidence",
    "api:generation": "output",
    "api:grant": "grant",
    "api:job": "job",
    "api:memo": "memo",
    "api:model-version": "model_version",
    "api:model": "model",
    "api:policy": "policy",
    "api:public-model": "model_version",
    "api:recording": "recording",
    "api:reservation": "reservation",
    "api:review": "review",
    "audit:assessment": "assessment",
    "audit:campaign": "campaign",
    "audit:report": "report",
    "audit:": "model_version",
    "generation:check": "check",
    "generation:match": "check",
    "generation:model-version": "model_version",
    "generation:model": "model",
    "generation:output": "output",
    "generation:decide-outputs": "model_version",
    "generation:decide-output": "output",
    "generation:": "model_version",
    "governance:job": "job",
    "governance:review": "review",
    "provenance:calibration": "index",
    "provenance:catalogue-row": "catalogue_row",
    "provenance:catalogue": "catalogue",
    "provenance:claim-withdraw": "claim",
    "provenance:claim": "recording",
    "provenance:conflict": "conflict",
    "provenance:dataset": "dataset",
    "provenance:grant": "grant",
    "provenance:memo": "memo",
    "provenance:policy": "policy",
    "provenance:recording": "recording",
    "provenance:reservation": "reservation",
    "provenance:version": "version",
    "api:claim": "claim",
}
REASON = {"reason": "Asked the label."}
USE = {"purpose": "ai_generative_training", "commercial": True}


def exact(name: str) -> str:
    """Return which subject a route is about: the longest beginning of its name that is known."""
    if name in SUBJECTS:
        return SUBJECTS[name]
    fitting = [start for start in SUBJECTS if name.startswith(start)]
    return SUBJECTS[max(fitting, key=len)]


def address(route: Route, house: House, *, theirs: bool = False) -> str:
    path = route.path
    if "<uuid:public_id>" in path:
        subject = exact(route.name)
        if theirs and f"their_{subject}" in house.ids:
            subject = f"their_{subject}"
        path = path.replace("<uuid:public_id>", str(house.ids[subject]))
    for part, value in {
        "<str:framework>": "raim",
        "<str:feature>": "1-01",
        "<str:name>": "report.json",
        "<slug:kind>/<int:rank>": "recording/1",
        "<slug:name>": "chroma-query",
        "<str:licence_id>": "CC0-1.0",
    }.items():
        path = path.replace(part, value)
    answers = route.name in {"api:dataset-clearance", "api:dataset-matrix"}
    asked = "?purpose=ai_generative_training&commercial=true" if answers else ""
    return f"/{path}{asked}"


def body_of(route: Route, house: House) -> Mapping[str, Any]:
    """Return what a request must say before the question of who asks comes up; it names things of the house."""
    place = {"organisation": house.case.organisation.name}
    ids = {name: str(public_id) for name, public_id in house.ids.items()}
    policy = {"policy": {"name": "careful"}, **place}
    file = SimpleUploadedFile("songs.csv", b"external_id,title,licence\nx-1,Song,CC0-1.0\n", "text/csv")
    deal = {"licensor": "X", "licensee": "House", "right": "master", "purposes": ["data_mining"]}
    memo = {"provision": "Article 3", "signed_by": "Counsel", "lawful_access": "bought"}
    bodies: dict[str, Mapping[str, Any]] = {
        "api:case-list": {"kind": "opt_out", "holder": "X", "titles": ["Harbour"], **place},
        "api:case-terms": {"days": {"opt_out": 20}, **place},
        "api:catalogue-again": {"datasets": [ids["dataset"]]},
        "api:catalogue-list": {"file": file, "datasets": [ids["dataset"]], **place},
        "api:check-judge": {"kind": "recording", "rank": 1, "answer": "not_a_copy", **REASON},
        "api:check-list": {"file": file, "against": ["tides"]},
        "api:claim-list": {
            "claims": [{"party": "X", "right": "master", "share": "50", "recordings": [ids["recording"]]}],
            **place,
        },
        "api:conflict-dismiss": REASON,
        "api:conflict-resolve": REASON,
        "api:dataset-approve": REASON,
        "api:dataset-freeze": USE,
        "api:dataset-matrix": USE,
        "api:dataset-list": {"name": "more", "file": file, **place},
        "api:evidence-list": {
            "file": file,
            "kind": "web_page",
            "recordings": [ids["recording"]],
            **place,
        },
        "api:generation-list": {"model": "tide"},
        "api:grant-list": {"deals": [{**deal, "recordings": [ids["recording"]]}], **place},
        "api:grant-reinstate": REASON,
        "api:grant-revoke": REASON,
        "api:memo-list": {**memo, "purposes": ["data_mining"], "recordings": [ids["recording"]], **place},
        "api:memo-withdraw": REASON,
        "api:policy-list": {**policy, **REASON},
        "api:policy-preview": policy,
        "api:reservation-list": {"party": "Cellar Records", **place},
        "api:reservation-snapshots": {
            "url": "https://label.example/robots.txt",
            "content": "User-agent: *\nDisallow: /\n",
            "fetched_at": "2026-03-02T00:00:00Z",
            **place,
        },
        "api:reservation-withdraw": REASON,
        "api:review-decide": {"decision": "approved", **REASON},
        "provenance:conflicts-close": {"conflict": [ids["conflict"]], "decision": "both", **REASON},
    }
    return bodies.get(route.name, {})


def ask(route: Route, method: str, client: Client, where: str, body: Mapping[str, Any]) -> HttpResponseBase:
    """Ask once; whoever signs out by it is signed in again for the next."""
    cookies = dict(client.cookies)
    send = getattr(client, method.lower())
    sends_a_file = any(isinstance(value, SimpleUploadedFile) for value in body.values())
    if method == "GET":
        response = send(where)
    elif route.is_api and not sends_a_file:
        response = send(where, json.dumps(body), content_type="application/json")
    else:
        response = send(where, body)
    client.cookies.clear()
    client.cookies.update(cookies)
    return response  # type: ignore[no-any-return]


def kind_of(response: HttpResponseBase) -> str:
    """Say what an answer means: ``may`` where the asker was let in, though the request may have been half."""
    status = response.status_code
    if status == 401 or (status == 302 and response["Location"].startswith("/login/")):
        return SIGN_IN
    if status in {400, 409, 410, 413, 415, 422, 503} or 200 <= status < 400:
        return MAY
    return {403: REFUSED, 404: HIDDEN, 405: NO_METHOD}.get(status, f"status {status}")
