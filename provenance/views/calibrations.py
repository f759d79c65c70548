"""How often an index is wrong: what strangers reach in it, what a target asks for, and how it was before it grew."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_GET

from governance.pages import PersonRequest, page
from lib.figures import count
from provenance import access, queries
from provenance.similarity import thresholds
from provenance.similarity.drawing import groups_chart, misses_chart, promise_chart, tail_chart
from provenance.similarity.kinds import ALL, RECORDING


@page
@require_GET
def calibration(request: PersonRequest, public_id: str) -> HttpResponse:
    build = access.index_for_reading(request.user, public_id)
    row = queries.calibration_of(build)
    measured = queries.measured(row) if row else None
    target = queries.false_alarm_target(build.kind)
    blocks = build.kind == RECORDING.name
    held_out = queries.held_out() if blocks else None
    others = [queries.latest_index(build.dataset, build.version, kind.name) for kind in ALL if kind.chance]
    context = {
        "index": build,
        "blocks": blocks,
        "others": [other for other in others if other and other.kind != build.kind],
        "calibration": row,
        "measured": measured,
        "one_in": count(round(1 / target)),
        "one_in_blocked": count(round(1 / (target * thresholds.BLOCKED_SHARE))),
        "needed": queries.needed(row, target) if row else [],
        "tails": [
            (seconds, part, mark_safe(tail_chart(measured, seconds, part, target=target, blocks=blocks)))  # noqa: S308 — its words are escaped
            for seconds, part in queries.tails_of(measured)
        ]
        if measured
        else [],
        "held_out": held_out,
        **(_promise(held_out) if held_out else {}),
    }
    return render(request, "provenance/calibration.html", context)


def _promise(held_out: Mapping[str, Any]) -> dict[str, Any]:
    """Draw what was found of strangers that no threshold was read off."""
    missed = held_out.get("misses", [])
    lengths = sorted({row["seconds"] for row in missed})
    return {
        "promise": mark_safe(promise_chart(held_out["held_out"])),  # noqa: S308 — as above
        "groups": [
            (said, mark_safe(groups_chart(held_out[rows])))  # noqa: S308
            for said, rows in (("By genre", "by_genre"), ("By package", "by_package"))
        ],
        "misses": [
            (seconds, mark_safe(misses_chart([row for row in missed if row["seconds"] == seconds])))  # noqa: S308
            for seconds in lengths
        ],
    }
