"""Reading audio: decoding, sample hash and both fingerprints in one pass, beside `fpcalc` over the same files."""

import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import tunes
from benchmarks.figures import Figure
from provenance import audio

SECONDS = 120.0
N_FILES = 4


def measure() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="liner-bench-") as folder:
        files = [
            tunes.write(Path(folder) / f"{number}.wav", seed=number, seconds=SECONDS)
            for number in range(N_FILES)
        ]
        ours = _cpu_seconds(lambda: [audio.survey(file) for file in files])
        times_real = N_FILES * SECONDS / ours
        if shutil.which("fpcalc") is None:
            yield Figure("ingest_wav_x_realtime", times_real, "x_a_core")
            return
        theirs = _cpu_seconds(lambda: [_fpcalc(file) for file in files])
        yield Figure("ingest_wav_x_realtime", times_real, "x_a_core", "fpcalc_cpu", ours / theirs)


def _fpcalc(path: Path) -> int:
    # Debian's fpcalc ends with status 3 at the end of a file although its output is whole
    return subprocess.run(
        ["fpcalc", "-raw", "-length", "0", str(path)], capture_output=True, check=False
    ).returncode


def _cpu_seconds(work: Callable[[], object]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = time.process_time()
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() - own + after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
