"""The ledger: append-only, hash-chained, one line for each thing done.

A line's hash is SHA-256 over the RFC 8785 form of the line, which holds the hash of the line before it. Lines hold
ids, hashes and salted commitments, never a person's words or name, so that those can be erased and the chain still
verifies. Whoever owns the database can rewrite the whole chain: only heads kept elsewhere prove otherwise.
"""

import hashlib
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from governance.errors import LinerNotesError
from governance.models import LedgerEvent, Organisation, User
from lib.canonical import canonical_json, sha256_hex

FORMAT = 1
GENESIS = "0" * 64
LOCK_KEY = 0x4C4E_4C45_4447_4552  # "LNLEDGER": the advisory lock that puts appends in a row


class LedgerError(LinerNotesError):
    code = "ledger"


@dataclass(frozen=True)
class Verification:
    """``first_bad`` is the sequence of the first line that does not follow from the one before; None if all do."""

    n_events: int
    head: str
    first_bad: int | None
    problem: str = ""

    @property
    def ok(self) -> bool:
        return self.first_bad is None


def commitment(words: str, salt: str) -> str:
    """Return what the ledger keeps of a person's words: forget the salt, and nothing is left of them."""
    return hashlib.sha256(f"{salt}\x00{words}".encode()).hexdigest()


def record(
    *,
    kind: str,
    subject_kind: str,
    subject_id: uuid.UUID,
    actor: User,
    organisation: Organisation,
    now: datetime,
    body: Mapping[str, Any] | None = None,
) -> LedgerEvent:
    """Append one line. Must be the last write of its transaction: it takes the ledger's lock until commit."""
    if not transaction.get_connection().in_atomic_block:
        raise LedgerError("The ledger is written inside the transaction of the deed that it records.")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK_KEY])
    last = LedgerEvent.objects.order_by("-sequence").only("sequence", "hash").first()
    event = LedgerEvent(
        sequence=last.sequence + 1 if last else 1,
        kind=kind,
        subject_kind=subject_kind,
        subject_id=subject_id,
        actor_id=actor.public_id,
        organisation_id=organisation.public_id,
        at=now,
        body=dict(body or {}),
        previous_hash=last.hash if last else GENESIS,
    )
    event.hash = hash_of(event)
    event.save(force_insert=True)
    return event


def hash_of(event: LedgerEvent) -> str:
    return sha256_hex(
        canonical_json(
            {
                "format": FORMAT,
                "sequence": event.sequence,
                "kind": event.kind,
                "subject": {"kind": event.subject_kind, "id": str(event.subject_id)},
                "actor": str(event.actor_id),
                "organisation": str(event.organisation_id),
                "at": event.at.isoformat(),
                "body": event.body,
                "previous": event.previous_hash,
            }
        )
    )


def head() -> tuple[int, str]:
    """Return how many lines there are and the hash of the last."""
    last = LedgerEvent.objects.order_by("-sequence").only("sequence", "hash").first()
    return (last.sequence, last.hash) if last else (0, GENESIS)


def verify() -> Verification:
    """Walk the chain from its first line and name the first that is wrong."""
    expected, previous = 1, GENESIS
    for event in _lines():
        problem = _problem(event, expected, previous)
        if problem:
            return Verification(LedgerEvent.objects.count(), previous, event.sequence, problem)
        expected, previous = expected + 1, event.hash
    return Verification(expected - 1, previous, None)


def _lines() -> Iterator[LedgerEvent]:
    return LedgerEvent.objects.order_by("sequence").iterator(chunk_size=2000)


def _problem(event: LedgerEvent, expected: int, previous: str) -> str:
    if event.sequence != expected:
        return f"line {expected} is missing"
    if event.previous_hash != previous:
        return "it does not follow from the line before"
    if event.hash != hash_of(event):
        return "its words do not give its hash"
    return ""
