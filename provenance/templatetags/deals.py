"""How pages write where and until when a deal holds."""

from collections.abc import Sequence
from datetime import date, timedelta

from django import template

from provenance.models import ExceptionMemo, Grant, RightsClaim

register = template.Library()


@register.filter
def where(territory: Sequence[str]) -> str:
    """Write a territory in words: worldwide; EU, CH; worldwide without US."""
    inside = [place for place in territory if not place.startswith("-") and place != "WORLD"]
    outside = [place.removeprefix("-") for place in territory if place.startswith("-")]
    words = ", ".join(inside) or "worldwide"
    return f"{words} without {', '.join(outside)}" if outside else words


@register.filter
def last_day(valid_until: date | None) -> str:
    """Write the last day on which something holds, from the first on which it no longer does."""
    if valid_until is None:
        return "no end"
    return f"{valid_until - timedelta(days=1):%-d %B %Y}"


@register.filter
def period(of: Grant | RightsClaim | ExceptionMemo) -> str:
    """Write how long something holds, by its first and its last day."""
    first = f"{of.valid_from:%-d %b %Y}" if of.valid_from else ""
    if of.valid_until is None:
        return f"from {first}, no end" if first else "no end"
    last = f"{of.valid_until - timedelta(days=1):%-d %b %Y}"
    return f"{first} to {last}" if first else f"until {last}"
