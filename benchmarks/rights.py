"""Importing and clearing large catalogues: by the engine alone, and end to end as processes."""

import csv
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

from benchmarks.figures import Figure, run_command
from provenance.rights.clearance import clear
from provenance.rights.values import Claim, Grant, RecordingRights, Statement, Use

SIZES = (1_000, 10_000, 100_000)
SERVERS_STOP_WITHIN_S = 90.0
LICENCES = ("CC-BY-4.0", "CC-BY-SA-4.0", "GPL-2.0-or-later", "CC0-1.0", "LicenseRef-all-rights-reserved", "")


def measure() -> Iterator[Figure]:
    yield from _end_to_end()  # first: a child's peak begins at what its parent holds when it is born
    yield from _engine()


def _engine() -> Iterator[Figure]:
    first = 0.0
    for size in SIZES:
        rights = [_rights(number) for number in range(size)]
        use = Use("ai_generative_training", commercial=True, at=datetime(2026, 3, 1, tzinfo=UTC))
        began = time.process_time()
        for one in rights:
            clear(one, use)
        each = (time.process_time() - began) / size
        first = first or each
        name = f"clear_values_{size // 1000}k_s"
        yield Figure(name, each * size, "s_cpu", f"a_recording_at_{SIZES[0] // 1000}k", each / first)


def _rights(number: int) -> RecordingRights:
    licence = LICENCES[number % len(LICENCES)]
    return RecordingRights(
        statements=(
            Statement("master", licence, licence, "steward"),
            Statement("composition", licence, licence, "steward"),
            Statement("master", LICENCES[(number // 7) % 4], "", "embedded_tag"),
        ),
        claims=(
            Claim("master", f"Label {number % 50}"),
            Claim("composition", f"Writer {number % 90}", share=50.0),
            Claim("composition", f"Publisher {number % 30}", share=50.0),
        ),
        grants=tuple(
            Grant(
                f"{right}-{number}",
                right,
                f"Label {number % 50}",
                frozenset({"ai_generative_training"}),
                commercial=True,
                territory=("DE", "FR"),
                valid_from=date(2026, 1, 1),
                valid_until=date(2027, 1, 1),
            )
            for right in ("master", "composition")
        ),
    )


def _end_to_end() -> Iterator[Figure]:
    first: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="liner-bench-", ignore_cleanup_errors=True) as folder:
        data_dir = Path(folder) / "data"
        run_command("verify_ledger", data_dir=data_dir)  # the servers' own start is not the import's
        for size in SIZES:
            table = Path(folder) / f"{size}.csv"
            write_table(table, size)
            name, k = f"bench-{size}", f"{size // 1000}k"
            imported = run_command(
                "register_dataset", name, "--from", str(table), "--wait", "--json", data_dir=data_dir
            )
            cleared = run_command(
                "clear_dataset",
                name,
                "--purpose",
                "ai_generative_training",
                "--commercial",
                "--json",
                data_dir=data_dir,
            )
            for what, ran in (("import", imported), ("clear", cleared)):
                each = ran.seconds / size
                first.setdefault(what, each)
                yield Figure(
                    f"{what}_{k}_s", ran.seconds, "s", f"a_row_at_{SIZES[0] // 1000}k", each / first[what]
                )
                yield Figure(
                    f"{what}_{k}_cpu_s", ran.cpu_seconds, "s_cpu", "wall", ran.cpu_seconds / ran.seconds
                )
            yield Figure(f"clear_{k}_mb", cleared.peak_mb, "MB")
        wait_for_the_servers_to_stop(data_dir)


def wait_for_the_servers_to_stop(data_dir: Path) -> None:
    """Wait for the embedded servers' idle time to pass: they write into the folder that is removed next."""
    until = time.monotonic() + SERVERS_STOP_WITHIN_S
    while any(data_dir.rglob("postmaster.pid")) and time.monotonic() < until:
        time.sleep(1.0)


def write_table(path: Path, size: int) -> None:
    with path.open("w", newline="", encoding="utf-8") as opened:
        rows = csv.writer(opened)
        rows.writerow(["external_id", "title", "artist", "licence", "master_owner", "composition_owner"])
        for number in range(size):
            licence = LICENCES[number % len(LICENCES)]
            owner = number % 50
            rows.writerow(
                [
                    f"{size}-{number}",
                    f"Title {size} {number}",
                    f"Artist {number % 900}",
                    licence,
                    f"Label {owner}",
                    f"P {owner}",
                ]
            )
