"""How pages write the reasons of an answer: with links where the engine names what decided by its id."""

import re
from collections.abc import Iterable, Mapping, Sequence

from django import template
from django.urls import reverse
from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from governance.templatetags.sleeve import words
from provenance.deals import where
from provenance.models import DatasetEntry, Omission, StatementSource
from provenance.rights import titles
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
LICENCE_REF = re.compile(r"\bLicenseRef-[A-Za-z0-9.+-]*[A-Za-z0-9+]")
PLACE = r"-?[A-Z]{2}|-?[A-Z][A-Z-]{2,}"
PLACES = re.compile(
    rf"(?P<lead>\bis (?:stated )?for |, not for |the strictest is |(?:composition|master| %) in |the world without )"
    rf"(?P<codes>(?:{PLACE})(?:, (?:{PLACE}))*)(?![\w-])"
)
BY_SOURCE = re.compile(rf"\((?P<source>{'|'.join(StatementSource.values)})\)")
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


STRICTER = "Until a person decides, the stricter side holds."
LEDES = {
    "same_sound_two_licences": f"One sound, by its samples or by ear, is under two licences in two places. {STRICTER}",
    "one_recording_two_licences": f"One recording is stated under two licences; nothing was compared by ear. {STRICTER}",
    "one_isrc_two_licences": f"One ISRC is named twice, at least once without sound, under two licences. {STRICTER}",
    "tag_against_package": f"The tag in the file and its package name licences that have nothing in common. {STRICTER}",
    "sources_disagree": f"Two sources name licences that have nothing in common. {STRICTER}",
    "claims_disagree": "Two sources name other holders of one right. Register or withdraw a claim, and it closes.",
    "shares_overlap": "More than the whole of a right is claimed. Register or withdraw a claim, and it closes by itself.",
    "shares_gap": "Less than the whole of a right is claimed. Register the missing claim, and it closes by itself.",
    "one_isrc_two_holders": "One ISRC, and its master is claimed for two holders. Until a person decides, what is said "
    "of either is weighed for both.",
    "same_isrc": "Two recordings that sound different carry one ISRC. Until a person decides, what is said of either is "
    "weighed for both.",
    "same_title_and_artist": "Two recordings go by one name, under two licences or of two owners. A name is weak "
    "evidence: listen whether they are one.",
    "one_holder_string_for_many": "One statement names many holders, and not who made this recording. Weak evidence: "
    "no two licences contradict each other, and closing it changes no answer.",
}


@register.filter
def conflict_lede(kind: str) -> str:
    """Say what a kind of conflict is, and what holds until it is closed."""
    return LEDES.get(kind, f"Two pieces of evidence that can't both be right. {STRICTER}")


@register.filter
def told(sentence: str) -> str:
    """Write what the engine says without its codes: sources and places in words, licences by name."""
    written = BY_SOURCE.sub(lambda found: f"(according to {source_words(found['source'])})", sentence)
    written = PLACES.sub(lambda found: found["lead"] + _places(found["codes"]), written)
    return LICENCE_REF.sub(lambda found: titles.spelled(found[0]), written)


def _places(codes: str) -> str:
    return where(codes.split(", "))


@register.filter
def source_words(source: str) -> str:
    """Write who says something: the data steward, the tag in the file; other sources by their names."""
    if source in StatementSource.values:
        return f"the {StatementSource(source).label.lower()}"
    return words(source)


@register.filter
def licence_title(expression: str) -> str:
    return titles.title(expression) if expression else ""


@register.filter
def spelled(territory: str) -> str:
    """Write one territory, or the world where none is named."""
    return where([territory] if territory else [])


def _linked(reason: str) -> SafeString:
    written = str(conditional_escape(MACHINES.sub(lambda found: words(found[0]), told(reason))))
    return mark_safe(NAMED.sub(_link, written))  # noqa: S308 — escaped above; an id needs no escaping


def _link(found: re.Match[str]) -> str:
    name, said = PAGES[found["kind"]]
    address = reverse(name, args=[] if found["kind"] == "memo" else [found["id"]])
    return format_html('<a href="{}">{}</a>', address, said)
