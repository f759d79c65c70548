"""Which reader for which snapshot."""

from __future__ import annotations

from typing import Final

from provenance.rights.optouts import ai_txt, aipref, robots, tdmrep
from provenance.rights.optouts.addresses import origin
from provenance.rights.optouts.findings import Finding, OptOutError, Reading, Snapshot, text_of

KINDS: Final = ("tdmrep", "robots", "ai_txt", "aipref")
"""Kinds of published opt-outs. What a rights holder declares is a table, and no kind of these."""


def kind_of(snapshot: Snapshot) -> str:
    """Tell by name and address what a snapshot is.

    Raises
    ------
    OptOutError
        If neither says so.
    """
    for name in (snapshot.url.rpartition("/")[2].partition("?")[0], snapshot.name):
        name = name.lower()
        if name.endswith("tdmrep.json"):
            return "tdmrep"
        if name.endswith("robots.txt"):
            return "robots"
        if name.endswith("ai.txt"):
            return "ai_txt"
    if snapshot.name.lower().endswith((".html", ".htm", ".headers", ".http")) or snapshot.headers:
        return "tdmrep"
    raise OptOutError(
        f"{snapshot.name or 'the file'} could be anything: say which kind it is ({', '.join(KINDS)} or declared)."
    )


def read(snapshot: Snapshot, kind: str = "auto", *, own_agent: str = robots.OWN_AGENT) -> Reading:
    """Read what a snapshot says.

    Parameters
    ----------
    snapshot : Snapshot
        What was fetched. A text that starts with ``HTTP/`` is an answer with its headers (``curl -i``).
    kind : str
        One of `KINDS`, or ``auto``. Headers are read whatever the kind.
    own_agent : str
        The asker's product token, for robots.txt.

    Raises
    ------
    OptOutError
        If it can't be read as that kind, or its address is needed to know whom it binds and is missing.
    """
    wanted = kind_of(snapshot) if kind == "auto" else kind
    if wanted not in KINDS:
        raise OptOutError(f"no kind {wanted!r}: choose among {', '.join(KINDS)}.")
    if not origin(snapshot.url):
        raise OptOutError(
            f"{snapshot.name or 'the file'} binds the host it was fetched from: say its address (http or https)."
        )
    snapshot = with_headers(snapshot)
    readings = [
        tdmrep.read_headers(snapshot.headers, snapshot.url),
        aipref.read_headers(snapshot.headers, snapshot.url),
    ]
    if snapshot.content.strip():
        readings += _of_content(snapshot, wanted, own_agent)
    findings: dict[Finding, None] = {}
    for reading in readings:
        findings.update(dict.fromkeys(reading.findings))
    return Reading(tuple(findings), tuple(problem for reading in readings for problem in reading.problems))


def _of_content(snapshot: Snapshot, kind: str, own_agent: str) -> list[Reading]:
    if kind == "robots":
        return [robots.read(snapshot, own_agent=own_agent), aipref.read_robots(snapshot)]
    if kind == "aipref":
        return [aipref.read_robots(snapshot)]
    if kind == "ai_txt":
        return [ai_txt.read(snapshot)]
    if snapshot.content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"[", b"{"):
        return [tdmrep.read_file(snapshot)]
    if b"<" in snapshot.content:
        return [tdmrep.read_page(snapshot)]
    if snapshot.url.endswith("tdmrep.json") or not snapshot.headers:
        return [tdmrep.read_file(snapshot)]
    return []


def with_headers(snapshot: Snapshot) -> Snapshot:
    """Return a snapshot with the headers that its text begins with, where it is a whole HTTP answer."""
    if not snapshot.content.startswith(b"HTTP/") and not snapshot.name.lower().endswith(".headers"):
        return snapshot
    text_of(snapshot)  # for its limits
    head, _, body = snapshot.content.replace(b"\r\n", b"\n").partition(b"\n\n")
    fields = []
    for line in head.decode("latin-1").split("\n"):
        name, colon, value = line.partition(":")
        if colon and not line.startswith("HTTP/"):
            fields.append((name.strip(), value.strip().replace("\0", "\ufffd")))
    return Snapshot(body, snapshot.name, snapshot.url, snapshot.fetched_at, (*snapshot.headers, *fields))
