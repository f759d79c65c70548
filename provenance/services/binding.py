"""Which recordings an opt-out speaks of, and why; each is linked to it once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from governance.planning import refresh_statistics
from provenance.bulk import copy_rows
from provenance.known import AnyOf
from provenance.models import (
    DatasetEntry,
    LicenceStatement,
    Party,
    Recording,
    RecordingIdentifier,
    Reservation,
    ReservationRecording,
    ReservationSource,
    RightsClaim,
)
from provenance.rights import optouts
from provenance.rights.optouts.addresses import origin
from provenance.rights.optouts.robots import OWN_AGENT

LINKS_A_CHUNK = 2000
BECAUSE_CHARS = 300


def own_agent() -> str:
    return str(getattr(settings, "CRAWLER_AGENT", OWN_AGENT))


def bind(held: Reservation, found: Iterable[tuple[int, str]]) -> int:
    """Link the recordings that an opt-out speaks of too, each once; return how many are new."""
    because = _because(found)
    linked = set(held.subjects.filter(AnyOf("recording_id", because)).values_list("recording_id", flat=True))
    links = [
        ReservationRecording(reservation=held, recording_id=recording_id, because=why)
        for recording_id, why in because.items()
        if recording_id not in linked
    ]
    ReservationRecording.objects.bulk_create(links, batch_size=LINKS_A_CHUNK, ignore_conflicts=True)
    refresh_statistics((ReservationRecording,), n_rows=len(links))
    return len(links)


def bind_first(held: Reservation, found: Iterable[tuple[int, str]], note: str) -> int:
    """Link the recordings that a new opt-out speaks of: nobody else knows it yet, so that none is linked."""
    because = _because(found, note)
    names = ("reservation_id", "recording_id", "because")
    copy_rows(ReservationRecording, names, [(held.pk, *one) for one in because.items()])
    return len(because)


def _because(found: Iterable[tuple[int, str]], note: str = "") -> dict[int, str]:
    """Return why each recording is bound, in the first words that were found."""
    because: dict[int, str] = {}
    for recording_id, why in found:
        because.setdefault(recording_id, (f"{why}; {note}" if note else why)[:BECAUSE_CHARS])
    return because


def spoken_of(
    held: Reservation, among: QuerySet[Recording], *, later: bool = False
) -> Iterator[tuple[int, str]]:
    """Yield the recordings of ``among`` that an opt-out speaks of, and why.

    ``later``: they were registered after it, and an external id then names something else in another dataset.
    """
    if held.source == ReservationSource.CAWG:
        sha256 = held.location.removeprefix("sha256:")
        yield from (
            (pk, "said in the file itself") for pk in among.filter(sha256=sha256).values_list("pk", flat=True)
        )
    elif held.source == ReservationSource.DECLARED:
        yield from _declared_about(held, among, later)
    else:
        yield from _got_from(held, among)


def _got_from(held: Reservation, among: QuerySet[Recording]) -> Iterator[tuple[int, str]]:
    host = origin(held.location)
    if not host:
        return
    entries = DatasetEntry.objects.filter(recording__in=among, source_url__icontains=host.partition(":")[0])
    purposes, agent = frozenset(held.purposes), own_agent()
    for recording_id, url in entries.values_list("recording_id", "source_url").iterator():
        if optouts.binds(held.source, held.location, held.raw, purposes, url, own_agent=agent):
            yield recording_id, f"got from {url}"


def _declared_about(held: Reservation, among: QuerySet[Recording], later: bool) -> Iterator[tuple[int, str]]:
    said = words_of(held)
    named = [*said.get("recordings", []), *said.get("isrcs", [])]
    dataset = said.get("dataset", "")
    if held.party is not None and (not (named or dataset) or said.get("only_own")):
        among = recordings_of_party(held.party, among)
    if dataset:
        inside = DatasetEntry.objects.filter(dataset__public_id=dataset).select_related(None)
        for pk in among.filter(pk__in=inside.values("recording")).values_list("pk", flat=True):
            yield pk, "in the dataset named"
    if not named and not dataset:
        if held.party is not None:
            name = held.party.name
            yield from ((pk, f"{name} holds rights in it") for pk in among.values_list("pk", flat=True))
        return
    for recording_id, name in recordings_by_name(named, among, by_external_id=not later):
        yield recording_id, f"named: {name}"


def recordings_by_name(
    names: Iterable[str], among: QuerySet[Recording], *, by_external_id: bool = True
) -> Iterator[tuple[int, str]]:
    """Yield (recording, name) for ISRCs, sha256, ids and external ids: a query a kind, however many there are."""
    isrcs = {_compact(name): name for name in names}
    hashes = {name.lower(): name for name in names}
    ids = {public_id: name for name in names if (public_id := _uuid(name)) is not None}
    same = {name: name for name in names}
    found: list[tuple[dict[Any, str], Iterable[tuple[int, Any]]]] = [
        (isrcs, among.filter(AnyOf("isrc", isrcs)).values_list("pk", "isrc")),
        (hashes, among.filter(AnyOf("sha256", hashes)).values_list("pk", "sha256")),
        (ids, among.filter(public_id__in=ids).values_list("pk", "public_id")),
        (isrcs, _identified(isrcs, among)),
    ]
    if by_external_id:
        entries = DatasetEntry.objects.filter(AnyOf("external_id", same), recording__in=among)
        found.append((same, entries.values_list("recording_id", "external_id")))
    for written, rows in found:
        for pk, value in rows:
            yield pk, written[value]


def _identified(isrcs: Iterable[str], among: QuerySet[Recording]) -> Iterable[tuple[int, str]]:
    known = RecordingIdentifier.objects.filter(AnyOf("compact", isrcs), scheme="isrc", recording__in=among)
    return known.values_list("recording_id", "compact")


def words_of(held: Reservation) -> dict[str, Any]:
    said = json.loads(held.raw or "{}")
    return said if isinstance(said, dict) else {}


def _compact(isrc: str) -> str:
    return isrc.replace("-", "").replace(" ", "").upper()


def _uuid(name: str) -> UUID | None:
    try:
        return UUID(name)
    except ValueError:
        return None


def recordings_of_party(party: Party, among: QuerySet[Recording]) -> QuerySet[Recording]:
    """Return the recordings in which a party claims a right, wrote the work, or is named as a holder."""
    claimed = RightsClaim.objects.filter(party=party, withdrawn_at=None).order_by().values("recording_id")
    written = Recording.objects.filter(work__composers=party).order_by().values("id")
    named = LicenceStatement.objects.filter(
        holders__contains=[party.name], entry__dataset__organisation_id=party.organisation_id
    )
    return among.filter(pk__in=claimed.union(written, named.order_by().values("entry__recording_id")))
