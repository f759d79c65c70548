"""Small catalogues on disk, and the product's commands run in this process, as a shell would see them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from django.core.management import CommandError, call_command
from django.utils import timezone

from governance.models import Organisation, User
from provenance import queries, services
from provenance.models import Dataset, DatasetKind
from provenance.rights.values import Use
from provenance.services.registering import Registered
from tests import signals

TRAINING = "ai_generative_training"
SECONDS = 10.0
RATE_HZ = 11_025  # the fingerprint looks no higher


@dataclass(frozen=True)
class Ran:
    """What a command left: its exit code, its JSON lines, and what it said on standard error."""

    code: int
    out: str
    err: str
    lines: list[dict[str, Any]] = field(default_factory=list)

    @property
    def last(self) -> dict[str, Any]:
        return self.lines[-1]

    @property
    def summary(self) -> dict[str, Any]:
        found: dict[str, Any] = self.last["summary"]
        return found


def run(command: str, *arguments: str | Path) -> Ran:
    """Run a command with ``--json``; every line of its standard output must be one JSON object."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    try:
        call_command(command, *(str(argument) for argument in arguments), "--json", stdout=out, stderr=err)
    except SystemExit as left:
        code = int(left.code or 0)
    except CommandError as error:
        code = error.returncode
        err.write(f"{error}\n")
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert all(isinstance(line, dict) for line in lines)
    return Ran(code, out.getvalue(), err.getvalue(), lines)


@cache
def samples(seed: int, seconds: float = SECONDS) -> signals.Samples:
    return signals.music(seconds, seed=seed, rate_hz=RATE_HZ)


def sound(path: Path, seed: int, seconds: float = SECONDS) -> Path:
    return signals.write(path, samples(seed, seconds), rate_hz=RATE_HZ)


def table(path: Path, rows: Sequence[Mapping[str, str]]) -> Path:
    """Write rows as CSV; the first row says which columns there are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.DictWriter(opened, fieldnames=list(rows[0]), restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def row(name: str, licence: str = "CC0-1.0", **cells: str) -> dict[str, str]:
    """Return a row of a recording whose one licence covers both rights."""
    return {"path": name, "title": f"Tune {name}", "licence": licence, "licence_scope": "all", **cells}


def a_catalogue(folder: Path, n: int = 2, *, licence: str = "CC0-1.0", first_seed: int = 0) -> Path:
    """Write ``n`` recordings that sound unlike each other, and the table that names them."""
    names = [f"{first_seed + place}.wav" for place in range(n)]
    for place, name in enumerate(names):
        sound(folder / name, first_seed + place)
    return table(folder / "catalogue.csv", [row(name, licence) for name in names])


def register(
    name: str,
    source: Path,
    by: User,
    organisation: Organisation,
    *,
    kind: DatasetKind = DatasetKind.TRAINING,
    **options: Any,
) -> Registered:
    return services.register(
        name=name,
        kind=kind,
        source=source,
        format="auto",
        root=None,
        by=by,
        organisation=organisation,
        now=timezone.now(),
        **options,
    )


def approve(dataset: Dataset, by: User, accept: Sequence[str] = ()) -> None:
    services.approve_dataset(
        dataset=dataset, by=by, reason="Its licences were read.", accept=accept, now=timezone.now()
    )


def training(*, commercial: bool = True, purpose: str = TRAINING) -> Use:
    return queries.use_for(purpose=purpose, commercial=commercial, territory="", at=timezone.now())


def answers(dataset: Dataset, *, at: Any = None) -> dict[str, str]:
    """Return each external id with the answer for commercial generative training."""
    use = queries.use_for(purpose=TRAINING, commercial=True, territory="", at=at or timezone.now())
    policy = queries.policy_of(dataset.organisation)
    return {
        cleared.entry.external_id: cleared.clearance.answer
        for cleared in queries.clear_entries(queries.entries_of(dataset), use=use, policy=policy)
    }
