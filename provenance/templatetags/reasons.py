"""How pages write the reasons of an answer: with links where the engine names what decided by its id."""

import re
from collections.abc import Iterable, Mapping, Sequence

from django import template
from django.urls import reverse
from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from governance.templatetags.sleeve import words
from provenance.models import DatasetEntry, Omission
from provenance.rights.values import PURPOSES

register = template.Library()

ID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
OPEN_CONFLICT = re.compile(rf"open conflict (?P<id>{ID}): (?P<rest>.*)\Z")
NAMED = re.compile(rf"\b(?P<kind>grant|reservation|memo) (?P<id>{ID})")
PAGES = {
    "grant": ("provenance:grant", "the grant"),
    "reservation": ("provenance:reservation", "the opt-out"),
    "memo": ("provenance:memo-list", "the memo"),
}
MACHINES = re.compile("|".join(sorted((name for name in PURPOSES if "_" in name), key=len, reverse=True)))


@register.filter
def omission_in(entry: DatasetEntry, standing: Mapping[int, Omission]) -> Omission | None:
    """Return who left a recording out by hand, and why; None where nobody did."""
    return standing.get(entry.pk)


@register.filter
def for_people(reasons: Iterable[str]) -> list[SafeString]:
    """Write reasons as people read them: ids as links, open conflicts counted, purposes in words."""
    conflicts: list[tuple[str, str]] = []
    written: list[SafeString] = []
    for reason in reasons:
        if found := OPEN_CONFLICT.match(reason):
            conflicts.append((found["id"], found["rest"]))
        else:
            written.append(_linked(reason))
    if conflicts:
        written.append(_of_conflicts(conflicts))
    return written


def _of_conflicts(conflicts: Sequence[tuple[str, str]]) -> SafeString:
    pages = [reverse("provenance:conflict", args=[id]) for id, _ in conflicts]
    follows = conflicts[0][1]
    if len(pages) == 1:
        return format_html('<a href="{}">an open conflict</a>: {}', pages[0], follows)
    links = format_html_join(", ", '<a href="{}">{}</a>', ((one, n) for n, one in enumerate(pages, start=1)))
    return format_html("{} open conflicts ({}): {}", len(pages), links, follows)


def _linked(reason: str) -> SafeString:
    written = str(conditional_escape(MACHINES.sub(lambda found: words(found[0]), reason)))
    return mark_safe(NAMED.sub(_link, written))  # noqa: S308 — escaped above; an id needs no escaping


def _link(found: re.Match[str]) -> str:
    name, said = PAGES[found["kind"]]
    address = reverse(name, args=[] if found["kind"] == "memo" else [found["id"]])
    return format_html('<a href="{}">{}</a>', address, said)
