"""The table of who may ask for what: read from its file, and written for the documents."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.access.asking import HIDDEN, MAY, REFUSED, SIGN_IN
from tests.access.routes import routes
from tests.access.scene import CALLERS, ROLES

FILE = Path(__file__).with_name("who_may_what.yaml")
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "api.md"
BEGIN, END = "<!-- who may what: written from tests/access/who_may_what.yaml -->", "<!-- end -->"
KINDS = {"may": MAY, "refused": REFUSED, "hidden": HIDDEN, "sign_in": SIGN_IN}
GROUPS = {
    "everybody": CALLERS,
    "signed_in": CALLERS[:-1],
    "members": tuple(ROLES),
    "readers": tuple(name for name in ROLES if name != "label"),
}
TITLES = {
    "officer": "compliance officer",
    "steward": "data steward",
    "engineer": "ML engineer",
    "label": "label auditor",
    "auditor": "external auditor",
}
SAID = {MAY: "yes", REFUSED: "403", HIDDEN: "404", SIGN_IN: "401"}


@cache
def table() -> Mapping[str, Mapping[str, str]]:
    """Return what each caller gets, by "METHOD route"."""
    rows: Mapping[str, Mapping[str, str]] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return {name: _answers(row) for name, row in rows.items()}


def _answers(row: Mapping[str, str]) -> Mapping[str, str]:
    found = {**dict.fromkeys(CALLERS, HIDDEN), "nobody": SIGN_IN}
    for kind, names in row.items():
        for name in names.split():
            for caller in GROUPS.get(name, (name,)):
                found[caller] = KINDS[kind]
    return found


def as_markdown() -> str:
    """Return the API's rows as a table: its lists are left out, which anybody signed in may ask for."""
    lines = [f"| address | {' | '.join(TITLES.values())} |", f"|{'---|' * (len(TITLES) + 1)}"]
    by_name: dict[str, Any] = {route.name: route for route in routes()}
    for name, row in sorted(table().items(), key=lambda pair: _path(by_name, pair[0])):
        method, _, route = name.partition(" ")
        answers = [row[role] for role in TITLES]
        if not by_name[route].is_api or row["expired"] == MAY or set(answers) == {HIDDEN}:
            continue
        said = " | ".join(SAID[answer] for answer in answers)
        lines.append(f"| `{method} {_path(by_name, name)}` | {said} |")
    return "\n".join(lines)


def _path(by_name: Mapping[str, Any], name: str) -> str:
    path: str = by_name[name.partition(" ")[2]].path
    return "/" + path.removeprefix("api/v1/").replace("<uuid:public_id>", "ID")


def document_with_table() -> str:
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{as_markdown()}\n\n{END}{after}"
