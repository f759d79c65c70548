"""One figure, and the processes that figures are taken from."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parent.parent
LAST_BYTES = 1 << 16


class NothingToMeasureError(Exception):
    """A benchmark lacks what it measures on; the message says what to give it."""


@dataclass(frozen=True)
class Figure:
    """``baseline`` says what stands beside it and ``ratio`` is the figure over that; both may be missing."""

    name: str
    value: float
    unit: str
    baseline: str = "-"
    ratio: float | None = None

    def line(self) -> str:
        ratio = f"{self.ratio:.2f}" if self.ratio is not None else "-"
        return f"{self.name} {self.value:.3f} {self.unit} {self.baseline} {ratio}"


@dataclass(frozen=True)
class Ran:
    seconds: float
    cpu_seconds: float
    peak_mb: float
    last_line: Mapping[str, Any] = field(default_factory=dict)
    """The last JSON line it printed, where it was kept."""


def run_command(
    *arguments: str,
    data_dir: Path,
    environment: Mapping[str, str] | None = None,
    keep_last_line: bool = False,
) -> Ran:
    """Run one of the product's commands as a process of its own; what it prints goes nowhere, or into a file.

    Raises
    ------
    RuntimeError
        If it ends with 2 or 3, or breaks off; an answer of no is an answer.
    """
    if not keep_last_line:
        return _run(arguments, data_dir, environment, None)
    with tempfile.TemporaryFile() as printed:
        ran = _run(arguments, data_dir, environment, printed)
        printed.seek(max(printed.tell() - LAST_BYTES, 0))
        lines = printed.read().splitlines()
        return replace(ran, last_line=json.loads(lines[-1]) if lines else {})


def _run(
    arguments: tuple[str, ...],
    data_dir: Path,
    environment: Mapping[str, str] | None,
    printed: IO[bytes] | None,
) -> Ran:
    began = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**os.environ, "DATA_DIR": str(data_dir), **(environment or {})},
        stdout=printed if printed is not None else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert child.stderr is not None  # for the type checker
    with child.stderr as told:
        said = told.read()
    _, status, used = os.wait4(
        child.pid, 0
    )  # of this child alone, where RUSAGE_CHILDREN is of all there were
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in {0, 1} or b"Traceback (most recent call last)" in said:
        raise RuntimeError(f"{' '.join(arguments[:2])}: {said.decode(errors='replace').strip()[-300:]}")
    return Ran(time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
