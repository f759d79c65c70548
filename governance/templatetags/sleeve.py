"""How pages write lengths, words and links to whatever a review, a job or a line of the ledger is about."""

from uuid import UUID

from django import template

from governance import slots
from lib import figures

register = template.Library()


@register.filter
def clock(seconds: float | None) -> str:
    """Write a length as on a sleeve: 3:07, or 1:02:40."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@register.filter
def lasting(seconds: float | None) -> str:
    """Write a length in words: 9 h 20 min, 41 min, 12 s."""
    if not seconds:
        return "no audio"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min" if minutes else f"{rest} s"


@register.filter
def words(name: str) -> str:
    """Write a name that machines use as people read it: ``ai_generative_training`` as AI generative training."""
    spaced = str(name).replace("_", " ").replace(".", " ").replace("-", " ").strip()
    spaced = spaced.replace("ai ", "AI ", 1) if spaced.startswith("ai ") else spaced
    return spaced.replace("nongenerative", "non-generative").replace("output commercial", "commercial output")


CONFLICTS = {
    "tag_against_package": "The tag and the package disagree",
    "sources_disagree": "Two sources disagree",
    "same_sound_two_licences": "One sound, two licences",
    "one_recording_two_licences": "One recording, two licences",
    "one_isrc_two_licences": "One ISRC, two licences",
    "one_isrc_two_holders": "One ISRC, two holders",
    "same_isrc": "One ISRC, two sounds",
    "same_title_and_artist": "One title and artist, two recordings",
    "shares_gap": "Shares leave a gap",
    "shares_overlap": "Shares overlap",
    "claims_disagree": "Two sources name other holders",
    "one_holder_string_for_many": "Many holders, and none named as maker",
}


@register.filter
def conflict_name(kind: str) -> str:
    return CONFLICTS.get(kind, first_upper(words(kind)))


@register.filter
def event_name(kind: str) -> str:
    """Write a kind of the ledger without the part of the house it comes from: ``audit.report.issued``, Report issued."""
    return first_upper(words(kind.partition(".")[2] or kind))


@register.filter
def first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]


@register.filter
def counted(n: int, noun: str) -> str:
    return figures.counted(n, noun)


@register.filter
def fitting(n: int | str, noun: str) -> str:
    """Write the noun that fits a count; one in words, such as ``more than 1000``, is of several."""
    return figures.fitting(1 if str(n) == "1" else 2, noun)


@register.filter
def plain(value: object) -> str:
    """Write what a job or the ledger holds: yes, no, none, or the value."""
    if value is None or value == "":
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return str(value)


@register.filter
def is_list(value: object) -> bool:
    return isinstance(value, list | tuple)


@register.simple_tag
def subject_url(kind: str, public_id: UUID | str | None) -> str:
    """Return where a subject has its page; empty where it has none here."""
    return slots.url_of(kind, public_id)
