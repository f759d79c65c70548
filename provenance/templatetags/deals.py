"""How pages write where and until when a deal holds."""

from datetime import timedelta
from decimal import Decimal

from django import template

from provenance.deals import last_day, where
from provenance.models import ExceptionMemo, Grant, RightsClaim

register = template.Library()
register.filter(where)
register.filter(last_day)


@register.filter
def percent(share: Decimal | None) -> str:
    """Write a share with the decimals that it has: 50 %, 12.5 %."""
    return "not said" if share is None else f"{share.normalize():f} %"


@register.filter
def period(of: Grant | RightsClaim | ExceptionMemo) -> str:
    """Write how long something holds, by its first and its last day."""
    first = f"{of.valid_from:%-d %b %Y}" if of.valid_from else ""
    if of.valid_until is None:
        return f"from {first}, no end" if first else "no end"
    last = f"{of.valid_until - timedelta(days=1):%-d %b %Y}"
    return f"{first} to {last}" if first else f"until {last}"
