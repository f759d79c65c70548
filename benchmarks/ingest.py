"""Reading audio: decoding, sample hash and the whole fingerprint in one pass, beside `fpcalc` over the same files.

*All* is what registering a file takes. *Chromaprint* is decoding, and Chromaprint alone: what `fpcalc` does. All three go
over the same files turn by turn, so that whatever else the machine does falls on each alike.
"""

import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks import tunes
from benchmarks.figures import Figure
from provenance import audio
from provenance.audio.decoding import stream
from provenance.similarity import chromaprint

SECONDS = 120.0
N_FILES = 2
N_TURNS = 8
FORMATS: Mapping[str, Sequence[str]] = {"wav": (), "flac": (), "mp3": ("-b:a", "192k")}


def measure() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="liner-bench-") as folder:
        waves = [
            tunes.write(Path(folder) / f"{number}.wav", seed=number, seconds=SECONDS)
            for number in range(N_FILES)
        ]
        audio.survey(waves[0])  # whatever is loaded once
        for suffix, told in FORMATS.items():
            yield from _of_format(suffix, [_as(path, suffix, told) for path in waves])


def _of_format(suffix: str, files: Sequence[Path]) -> Iterator[Figure]:
    ours = alone = theirs = 0.0
    has_fpcalc = shutil.which("fpcalc") is not None
    for _ in range(N_TURNS):
        ours += _cpu_seconds(lambda: [audio.survey(file) for file in files])
        alone += _cpu_seconds(lambda: [_chromaprint(file) for file in files])
        if has_fpcalc:
            theirs += _cpu_seconds(lambda: [_fpcalc(file) for file in files])
    seconds = N_TURNS * N_FILES * SECONDS
    for name, taken in (("all", ours), ("chromaprint", alone)):
        beside = ("fpcalc_cpu", taken / theirs) if has_fpcalc else ()
        yield Figure(f"ingest_{suffix}_{name}", seconds / taken, "x_realtime_a_core", *beside)


def _as(path: Path, suffix: str, told: Sequence[str]) -> Path:
    out = path.with_suffix(f".{suffix}")
    if out != path:
        command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-i", str(path), *told, str(out)]
        subprocess.run(command, check=True)
    return out


def _chromaprint(path: Path) -> object:
    with stream(path, max_seconds=2 * SECONDS) as pcm:
        context = chromaprint._library().Fingerprinter(chromaprint.ALGORITHM)
        context.start(pcm.sample_rate_hz, pcm.n_channels)
        for chunk in pcm.chunks:
            context.feed(chunk.astype("<i2", copy=False).tobytes())
        return context.finish()


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
