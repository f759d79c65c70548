"""The TDM Reservation Protocol (W3C community group final report, 10 May 2024).

https://www.w3.org/community/reports/tdmrep/CG-FINAL-tdmrep-20240510/

The report lets a header overrule the file of the site, and a page both. Here each that reserves counts. It calls every
value but 0 and 1 an error that sets nothing; here an error never opens what is closed, and a reservation that is
written wrongly is read and told.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from html.parser import HTMLParser
from typing import Any, Final
from urllib.parse import urljoin

from provenance.rights.optouts.addresses import absolute, matches, origin, path_of
from provenance.rights.optouts.findings import Finding, OptOutError, Reading, Snapshot, text_of

MAX_RULES: Final = 10_000
_YES: Final = (1, "1", True, "true", "yes")
_NO: Final = (0, "0", False, "false", "no")
_LOCATION: Final = "location must be a path pattern that starts with a slash"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a ``tdmrep.json``."""

    location: str
    reserved: bool
    policy_url: str = ""


def read_file(snapshot: Snapshot) -> Reading:
    """Read a ``/.well-known/tdmrep.json`` ("TDM File on the Origin Server"): one finding for each rule that reserves.

    Parameters
    ----------
    snapshot : Snapshot
        The file. Its address gives the host that the patterns are for.

    Raises
    ------
    OptOutError
        If it is no JSON list. A bad rule in a good list is a problem, and the others are read.
    """
    raw = text_of(snapshot, strict=True)
    rules, problems = rules_of(raw)
    findings = tuple(
        Finding(
            "tdmrep_file",
            location=location_of(rule, snapshot.url),
            raw=raw,
            policy_url=_policy_url(snapshot.url, rule.policy_url),
        )
        for rule in rules
        if rule.reserved
    )
    return Reading(tuple(dict.fromkeys(findings)), problems)


def location_of(rule: Rule, url: str) -> str:
    """Return a rule's pattern with the host of the address it was read at; one that starts with a star after a slash."""
    return absolute(rule.location if rule.location.startswith("/") else f"/{rule.location}", url)


@lru_cache(maxsize=64)
def rules_of(raw: str) -> tuple[tuple[Rule, ...], tuple[str, ...]]:
    """Return the rules of a file in its order, and what is wrong with the others."""
    try:
        said = json.loads(raw)
    except (ValueError, RecursionError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise OptOutError(f"tdmrep.json is not JSON: {why}.") from None
    if not isinstance(said, list):
        raise OptOutError("tdmrep.json must hold a list of rules, each with location and tdm-reservation.")
    if len(said) > MAX_RULES:
        raise OptOutError(f"tdmrep.json has {len(said)} rules: {MAX_RULES} are read at most.")
    rules, problems = [], []
    for number, rule in enumerate(said, start=1):
        try:
            rules.append(_rule(rule))
        except ValueError as error:
            problems.append(f"rule {number}: {error}")
            continue
        problems += [f"rule {number}: {slip}" for slip in _slips(rule)]
    return tuple(rules), tuple(problems)


def _rule(said: Any) -> Rule:
    if not isinstance(said, Mapping):
        raise ValueError("it is no JSON object")
    location, policy = said.get("location"), said.get("tdm-policy", "")
    if not isinstance(location, str) or not location.strip() or "://" in location:
        raise ValueError(_LOCATION)
    if "tdm-reservation" not in said:
        raise ValueError("tdm-reservation is missing")
    reserved = _flag(written := said["tdm-reservation"])
    if not reserved and not _is_number(written):
        raise ValueError(f"tdm-reservation {written!r} opens nothing: only the number 0 does")
    if not location.startswith(("/", "*")):
        if not reserved:
            raise ValueError(f"location {location!r} opens nothing: {_LOCATION}")
        location = f"/{location}"
    return Rule(location, reserved, policy if isinstance(policy, str) else "")


def _slips(rule: Mapping[str, Any]) -> list[str]:
    """Say how a rule that reserves was read where it is not written as the report wants it."""
    slips = []
    if not _is_number(written := rule["tdm-reservation"]):
        slips.append(f"tdm-reservation {written!r} is read as 1: it must be a number")
    if not (location := rule["location"]).startswith(("/", "*")):
        slips.append(f"location {location!r} is read as {'/' + location!r}: it must start with a slash")
    return slips


def _flag(said: Any) -> bool:
    """Read 0 or 1; a text or a truth value in its place is understood, for an opt-out is not lost over a quote."""
    if isinstance(said, str):
        said = said.strip().lower()
    if isinstance(said, float | int | str) and said in _YES:
        return True
    if isinstance(said, float | int | str) and said in _NO:
        return False
    raise ValueError(f"tdm-reservation is {str(said)[:40]!r}: it must be 0 or 1")


def _is_number(said: Any) -> bool:
    return isinstance(said, float | int) and not isinstance(said, bool)


def _policy_url(base: str, written: str) -> str:
    """Return where terms are offered; empty for what is no web address, for that is no error of the reservation."""
    try:
        url = urljoin(base, written.strip()) if written.strip() else ""
    except ValueError:
        return ""
    return url if origin(url) else ""


def deciding(rules: Iterable[Rule], url: str) -> Rule | None:
    """Return the rule that decides for an address; None where no rule speaks of it.

    The report wants the most specific match, "the first in sequence", and sends agents to Google's reading of
    robots.txt for the rest, by which it is the longest pattern. Where the two are not the same rule, the one that
    reserves holds: a folder of a closed site is open if its rule stands before that of the site.
    """
    path = path_of(url)
    found = [rule for rule in rules if matches(rule.location, path)]
    if not found:
        return None
    longest = max(found, key=lambda rule: (len(rule.location), rule.reserved))
    return longest if longest.reserved else found[0]


def read_headers(headers: Iterable[tuple[str, str]], url: str) -> Reading:
    """Read the ``tdm-reservation`` and ``tdm-policy`` fields of an answer ("TDM Header Field in HTTP Responses")."""
    fields = [(name.strip().lower(), value.strip()) for name, value in headers]
    return _of_one_address(fields, url, "tdmrep_header", "header")


class _Metas(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "meta":
            said = {name: value or "" for name, value in attrs}
            self.found.append((said.get("name", "").strip().lower(), said.get("content", "").strip()))


def read_page(snapshot: Snapshot) -> Reading:
    """Read the ``meta`` elements of a page ("TDM Metadata in HTML Content"), for that page and what it embeds."""
    metas = _Metas()
    metas.feed(text_of(snapshot))
    return _of_one_address(metas.found, snapshot.url, "tdmrep_page", "meta")


def _of_one_address(fields: list[tuple[str, str]], url: str, source: str, where: str) -> Reading:
    said = [value for name, value in fields if name == "tdm-reservation"]
    policy = next((value for name, value in fields if name == "tdm-policy" and value), "")
    reserved, problems = [], []
    for value in said:
        try:
            reserved.append(_flag(value))
        except ValueError as error:
            problems.append(f"{where}: {error}")
    if not any(reserved):
        return Reading(problems=tuple(problems))
    raw = "\n".join(f"{name}: {value}" for name, value in fields if name.startswith("tdm-"))
    finding = Finding(source, location=url, raw=raw, policy_url=_policy_url(url, policy))
    return Reading((finding,), tuple(problems))
