"""One source that states one licence twice: for which places and times it may, and how a refusal says so."""

from datetime import date

from provenance.models import LicenceStatement
from provenance.rights.values import Statement

Said = LicenceStatement | Statement


def contradict(one: Said, other: Statement) -> bool:
    if one.valid_from == other.valid_from and one.valid_until == other.valid_until:
        return set(one.territory) != set(other.territory)
    starts = max(one.valid_from or date.min, other.valid_from or date.min)
    return starts < min(one.valid_until or date.max, other.valid_until or date.max)


def extent(statement: Said) -> str:
    """Say where and when a statement holds."""
    first = f" from {statement.valid_from}" if statement.valid_from else ""
    last = f" until {statement.valid_until}" if statement.valid_until else ""
    return f"{', '.join(statement.territory) or 'worldwide'}{first}{last}"


def statement_subject(entry_id: int, statement: Said) -> tuple[object, ...]:
    return entry_id, str(statement.right), str(statement.source), statement.expression


def statement_key(entry_id: int, statement: Said) -> tuple[object, ...]:
    return *statement_subject(entry_id, statement), statement.valid_from, statement.valid_until


def contradiction(one: Said, other: Statement, external_id: str) -> str:
    return (
        f"{external_id} is registered with {other.expression or 'no licence'} ({other.right}) {extent(one)}, and "
        f"this row says {extent(other)}: what stands is not changed by saying it again. "
        "Narrow it by an opt-out (register_reservations), widen it by a deal (register_grants)"
    )
