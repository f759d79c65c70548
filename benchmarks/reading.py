"""What a page of each long list costs, first and last, in the database of ``DATA_DIR``: JSON lines.

A process of its own (`python -m benchmarks.reading`), since the servers must be there before Django's models are.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.test import Client

    from governance.keyset import Order

TIMES = 5
NAME = "bench-officer"


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from config import servers

    use = servers.start_for_command("verify_ledger")
    try:
        for read in _read():
            print(json.dumps(read), flush=True)
    finally:
        if use is not None:
            use.release()


def _read() -> Iterator[dict[str, Any]]:
    from django.test import Client

    client = Client()
    client.force_login(_officer())
    for name, address, rows, order in _lists():
        n_rows = rows.count()
        of = address if address.startswith("/api/") else ""
        near_the_end = order.mark_of(order.sorted(rows)[max(n_rows - 30, 0)], of=of)
        for place, query in (("first", ""), ("last", f"?after={near_the_end}")):
            yield {"list": name, "place": place, "n_rows": n_rows, **_cost(client, address + query)}


def _officer() -> Any:
    from django.utils import timezone

    from governance import services
    from governance.models import Role

    system = services.system_user()
    house = services.home_organisation(system)
    member = services.add_member(
        username=NAME, organisation=house.name, role=Role.COMPLIANCE_OFFICER, by=system, now=timezone.now()
    )
    return member.user


def _lists() -> Iterator[tuple[str, str, QuerySet[Any], Order]]:
    from django.urls import reverse

    from governance.keyset import by, newest
    from provenance.models import Conflict, Dataset, Grant, Recording, Reservation, RightsClaim
    from provenance.queries.conflicts import WEIGHTIEST

    open_ones = Conflict.objects.filter(status="open")
    yield "conflicts", reverse("provenance:conflict-list"), open_ones, WEIGHTIEST
    yield "grants", reverse("provenance:grant-list"), Grant.objects.all(), newest("registered_at")
    yield "opt_outs", reverse("provenance:reservation-list"), Reservation.objects.all(), newest("declared_at")
    yield "api_conflicts", "/api/v1/conflicts/", Conflict.objects.all(), newest("found_at")
    yield "api_grants", "/api/v1/grants/", Grant.objects.all(), newest("registered_at")
    yield "api_claims", "/api/v1/claims/", RightsClaim.objects.all(), newest("recorded_at")
    dataset = Dataset.objects.get()
    entries = f"/api/v1/datasets/{dataset.public_id}/entries/"
    yield "api_entries", entries, dataset.entries.all(), by("external_id")
    yield "api_recordings", "/api/v1/recordings/", Recording.objects.all(), by("title")


def _cost(client: Client, address: str) -> dict[str, float]:
    """Return the median wall time of a page, and of the processor's time here and in the database, in ms."""
    taken = []
    for _ in range(TIMES + 1):
        began, used = time.perf_counter(), time.process_time() + _of_database()
        response = client.get(address, HTTP_HOST="localhost")
        if response.status_code != 200:
            raise RuntimeError(f"{address} answers {response.status_code}.")
        taken.append((time.perf_counter() - began, time.process_time() + _of_database() - used))
    wall, cpu = zip(*taken[1:], strict=True)
    return {"wall_ms": 1000 * statistics.median(wall), "cpu_ms": 1000 * statistics.median(cpu)}


def _of_database() -> float:
    """Return the processor's time of this connection's server process; 0 where the system does not tell."""
    from django.db import connection

    connection.ensure_connection()
    try:
        told = Path(f"/proc/{connection.connection.info.backend_pid}/schedstat").read_text()
    except OSError:
        return 0.0
    return int(told.split()[0]) / 1e9


if __name__ == "__main__":
    main()
