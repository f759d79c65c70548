"""How seconds, shares and measured figures are written on pages."""

from decimal import Decimal

from django import template

from generation.architectures import registry
from generation.models import Match
from generation.queries import matches
from governance.templatetags import sleeve
from lib import figures

register = template.Library()
MISSING: tuple[object, ...] = (
    None,
    "",
)  # what a template hands on where a value is null, or not there at all
NOT_KNOWN = "not known"
LEAST_P = 1e-6  # smaller ones are said to be no larger
LEAST_TEMPO_CHANGE = 0.015  # a tempo is known to a hundredth


@register.filter
def architecture(name: str) -> str:
    """What an architecture is called where people read."""
    return registry.title(name)


@register.filter
def clock(seconds: float | None) -> str:
    """A place in a recording: ``1:02.4``."""
    if seconds in MISSING or seconds is None:
        return NOT_KNOWN
    return figures.clock(float(seconds))


@register.filter
def duration(seconds: float | None) -> str:
    """How long something lasts or took, in its two largest units."""
    if seconds in MISSING or seconds is None:
        return NOT_KNOWN
    return figures.duration(float(seconds))


@register.filter
def figure(value: float | None, digits: int = 3) -> str:
    """A measured number to so many significant digits, or that it is not known."""
    return NOT_KNOWN if value in MISSING else f"{float(value or 0):.{digits}g}"


@register.filter
def fixed(value: float | None, decimals: int = 2) -> str:
    """A number with the same decimals as its neighbours in a column; a dash where there is none."""
    return "–" if value in MISSING else f"{float(value or 0):.{decimals}f}"


register.filter("share", figures.share)


@register.filter
def count(n: int | None) -> str:
    return NOT_KNOWN if n in MISSING or n is None else figures.count(n)


register.filter("words", sleeve.words)


@register.filter
def threshold(value: str) -> str:
    """What a figure was held against; nothing where it was not measured."""
    return "" if value == "–" else f"confirms from {value}"


@register.filter
def of_waveform(match: Match) -> str:
    """What the correlation of samples was held against, or why there is none."""
    details = match.details
    if "waveform_correlation" in details and details["waveform_correlation"] is None:
        return "none agrees at another pitch or tempo"
    return threshold(fixed(details.get("waveform_threshold")))


@register.filter
def probability(value: float | None) -> str:
    """A p-value to one significant digit, as far as one can be believed; a dash where there is none."""
    if value in MISSING or value is None:
        return "–"
    return f"{Decimal(f'{value:.1g}'):f}" if value > LEAST_P else f"≤ {LEAST_P:f}"


@register.filter
def on_average(value: str) -> str:
    return "" if value == "–" else f"{value} on average, in the same recording"


@register.filter
def elsewhere(value: str) -> str:
    """What a share is by chance; nothing where it was not measured."""
    return "" if value == "–" else f"{value} elsewhere in the recording"


@register.filter
def changed(match: Match) -> str:
    """How what was heard differs from the recording in pitch and tempo; nothing where it does not."""
    told = ""
    if match.pitch_shift_semitones:
        way = "higher" if match.pitch_shift_semitones > 0 else "lower"
        told += f", {abs(match.pitch_shift_semitones):g} semitones {way}"
    if abs(match.tempo_ratio - 1.0) >= LEAST_TEMPO_CHANGE:
        way = "faster" if match.tempo_ratio > 1.0 else "slower"
        told += f", {abs(match.tempo_ratio - 1.0):.0%} {way}"
    return told


@register.filter
def agreement_of(part: str) -> str:
    """What of a composition agrees: its melody or its harmony."""
    return f"agreement of the {part or 'composition'}"


@register.filter
def agreement(match: Match) -> str:
    """How far a candidate agrees, in the words of the part of the fingerprint that found it."""
    details = match.details
    if "peaks_met" in details:
        return f"{details['peaks_met']:.0%} of its peaks met{changed(match)}"
    if "levels_agree" in details:
        return f"{details['levels_agree']:.0%} of its levels agree{changed(match)}"
    if "part_met" in details:
        return f"{details['part_met']:.0%} of a part alone stands out in it"
    if "bit_error_rate" in details:
        return f"{details['bit_error_rate']:.1%} of bits differ"
    if details.get("notes") is not None:
        return f"{details['notes']} notes in a row agree{changed(match)}"
    if details.get("agreement") is not None:
        return f"{agreement_of(details.get('column', ''))} {details['agreement']:.1f}{changed(match)}"
    return NOT_KNOWN


register.filter("anchor", matches.anchor)
register.filter("explained", matches.explained)
register.filter("seen", matches.seen)


@register.filter
def path(match: Match) -> matches.Path | None:
    """Where it lies, to be drawn; its check must be at hand."""
    return matches.path_of(match, query_s=match.check_made.seconds)
