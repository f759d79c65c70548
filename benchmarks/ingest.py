"""Reading audio: decoding, sample hash and both fingerprints in one pass, beside `fpcalc` over the same files."""

import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from benchmarks.figures import Figure
from provenance import audio

SECONDS = 120.0
RATE_HZ = 44_100
N_FILES = 4


def measure() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="liner-bench-") as folder:
        files = [_music(Path(folder) / f"{number}.wav", number) for number in range(N_FILES)]
        ours = _cpu_seconds(lambda: [audio.survey(file) for file in files])
        times_real = N_FILES * SECONDS / ours
        if shutil.which("fpcalc") is None:
            yield Figure("ingest_wav_x_realtime", times_real, "x_a_core")
            return
        theirs = _cpu_seconds(lambda: [_fpcalc(file) for file in files])
        yield Figure("ingest_wav_x_realtime", times_real, "x_a_core", "fpcalc_cpu", ours / theirs)


def _music(path: Path, seed: int) -> Path:
    """Write seeded notes over noise: what they sound like plays no part, only how long they are."""
    rng = np.random.default_rng(seed)
    at = np.arange(int(SECONDS * RATE_HZ)) / RATE_HZ
    notes = 220.0 * 2.0 ** (rng.integers(0, 24, size=int(SECONDS * 2)) / 12.0)
    phase = 2 * np.pi * np.cumsum(np.repeat(notes, RATE_HZ // 2)[: len(at)]) / RATE_HZ
    samples = 0.3 * np.sin(phase) + 0.05 * rng.standard_normal(len(at))
    audio.write_wav(path, np.stack([samples, samples], axis=1).astype(np.float32), RATE_HZ)
    return path


def _fpcalc(path: Path) -> None:
    # Debian's fpcalc ends with status 3 at the end of a file although its output is whole
    subprocess.run(["fpcalc", "-raw", "-length", "0", str(path)], capture_output=True, check=False)


def _cpu_seconds(work: Callable[[], object]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = time.process_time()
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() - own + after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
