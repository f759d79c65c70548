"""Pages of long lists: what the first and the last stretch cost with a hundred thousand rows in each."""

import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from benchmarks.figures import ROOT, Figure, Ran, run_command
from benchmarks.rights import wait_for_the_servers_to_stop, write_table

SIZE = 100_000
N_OPT_OUTS = 40
N_LABELS = 50


def measure() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="liner-bench-", ignore_cleanup_errors=True) as folder:
        data_dir = Path(folder) / "data"
        table = Path(folder) / "recordings.csv"
        write_table(table, SIZE)
        run_command("register_dataset", "bench", "--from", str(table), "--wait", "--json", data_dir=data_dir)
        for name, ran in _fill(Path(folder), data_dir):
            yield Figure(f"{name}_s", ran.seconds, "s")
            yield Figure(f"{name}_cpu_s", ran.cpu_seconds, "s_cpu", "wall", ran.cpu_seconds / ran.seconds)
        yield from _pages(data_dir)
        wait_for_the_servers_to_stop(data_dir)


def _fill(folder: Path, data_dir: Path) -> Iterator[tuple[str, Ran]]:
    """Register a claim to half of each master, which is a finding each, a deal each, and opt-outs of labels."""
    ids = [f"{SIZE}-{number}" for number in range(SIZE)]
    claims = ([one, f"Label {n % N_LABELS}", "master", "50", "registry"] for n, one in enumerate(ids))
    deals = (
        [one, "master", f"Label {n % N_LABELS}", "House", "ai_generative_training", "yes"]
        for n, one in enumerate(ids)
    )
    opt_outs = ([f"Label {n}", "both", "data_mining"] for n in range(N_OPT_OUTS))
    told: list[tuple[str, str, Sequence[str], Iterable[list[str]]]] = [
        ("claims_100k", "register_claims", ("recordings", "party", "right", "share", "source"), claims),
        (
            "deals_100k",
            "register_grants",
            ("recordings", "right", "licensor", "licensee", "purposes", "exclusive"),
            deals,
        ),
        ("opt_outs_40", "register_reservations", ("party", "right", "purposes"), opt_outs),
    ]
    for name, command, header, rows in told:
        path = folder / f"{name}.csv"
        with path.open("w", newline="", encoding="utf-8") as opened:
            written = csv.writer(opened)
            written.writerow(header)
            written.writerows(rows)
        yield name, run_command(command, str(path), "--json", data_dir=data_dir)


def _pages(data_dir: Path) -> Iterator[Figure]:
    read = subprocess.run(
        [sys.executable, "-m", "benchmarks.reading"],
        cwd=ROOT,
        env={**os.environ, "DATA_DIR": str(data_dir)},
        capture_output=True,
        check=True,
    )
    first: dict[str, float] = {}
    for line in read.stdout.decode().splitlines():
        one = json.loads(line)
        cost = first.setdefault(one["list"], one["cpu_ms"])
        name = f"list_{one['list']}_{one['place']}"
        yield Figure(f"{name}_ms", one["wall_ms"], "ms")
        yield Figure(f"{name}_cpu_ms", one["cpu_ms"], "ms_cpu", "first", one["cpu_ms"] / cost)
