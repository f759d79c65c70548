"""Checking a batch of outputs: how many a second two cores are good for, beside one file after another.

    make bench ARGS="batches --protocol DIR --tracks 400 --outputs 40"

Outputs are WAV files of ten seconds, 44.1 kHz in stereo, of strangers (`benchmarks.protocol`), one in ten of a reference.
Each is surveyed and held against the index as `check_audio` does it; what the database takes to keep the answers is not
in it, nor what confirms a match. Checks a second of two cores are so many as CPU time allows to two processes: on a
shared machine a clock tells of its other users. What the clock says stands beside it, with two processes that share the
index, as `check_audio` has them, over one; and what a check takes in CPU there.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from scipy.io import wavfile

from benchmarks import protocol
from benchmarks.figures import Figure, NothingToMeasureError
from benchmarks.likeness import excerpt
from benchmarks.scale import Maker, prints
from benchmarks.transformations import RATE_HZ
from lib import forking
from provenance import audio
from provenance.similarity import cascade, kept_levels
from provenance.similarity.fingerprint import AudioFingerprint
from provenance.similarity.index import RecordingIndex

SECONDS = 10.0
N_TRACKS = 400
N_OUTPUTS = 40
N_CORES = 2
AIM = 8.0
COPIED = 10
"""One output in so many is of a reference."""


def measure(folder: Path, n_tracks: int = N_TRACKS, n_outputs: int = N_OUTPUTS) -> Iterator[Figure]:
    """Measure on the music of the protocol under a folder.

    Raises
    ------
    NothingToMeasureError
        If it is not there.
    """
    references = prints(folder, "references", with_levels=True)
    maker = Maker(prints(folder, "test").values(), 1)
    others = list(prints(folder, "test", with_levels=True).values())
    made = {
        f"made-up-{number}": maker.made(number).with_levels(_levels(others, number))
        for number in range(n_tracks - len(references))
    }
    index = RecordingIndex.build((references | made).items())
    with tempfile.TemporaryDirectory(prefix="liner-bench-") as place:
        outputs = list(_outputs(folder, Path(place), n_outputs))
        _check(outputs[0], index)  # what is loaded and put in order once is no part of a check
        began = time.process_time()
        for output in outputs:
            audio.survey(output)
        survey_s = (time.process_time() - began) / n_outputs
        one_cpu_s, one_wall_s = _spent(outputs, index, 1)
        two_cpu_s, two_wall_s = _spent(outputs, index, N_CORES)
    yield Figure("batch_survey", 1e3 * survey_s, "ms_cpu", "check_whole", survey_s / one_cpu_s)
    yield Figure("batch_check", 1e3 * one_cpu_s, "ms_cpu")
    by_cpu = N_CORES / one_cpu_s
    yield Figure("batch_checks_two_cores", by_cpu, "checks_a_second_by_cpu", "aim", by_cpu / AIM)
    yield Figure("batch_check_two_processes", 1e3 * two_cpu_s, "ms_cpu", "one_process", two_cpu_s / one_cpu_s)
    yield Figure("batch_wall_one_process", 1 / one_wall_s, "checks_a_second")
    yield Figure(
        "batch_wall_two_processes", 1 / two_wall_s, "checks_a_second", "one_process", one_wall_s / two_wall_s
    )


def _levels(others: Sequence[AudioFingerprint], number: int) -> bytes:
    """Levels of other music, backwards and some bands higher, for a recording that is made up."""
    turn, place = divmod(number, len(others))
    return kept_levels.packed(np.roll(others[place].levels[::-1], 5 * (turn + 1), axis=1))


def _check(path: Path, index: RecordingIndex) -> str:
    survey = audio.survey(path)
    found = cascade.check(survey.fingerprint, index, levels=survey.levels, query_seconds=survey.seconds)
    return found.verdict


def _spent(outputs: Sequence[Path], index: RecordingIndex, n_processes: int) -> tuple[float, float]:
    """CPU and wall seconds of one output."""

    def check(path: Path) -> str:
        return _check(path, index)

    cpu, wall = _cpu_seconds(), time.perf_counter()
    if n_processes > 1:
        list(forking.in_order(check, outputs, n_processes=n_processes, lost=str))
    else:
        list(map(check, outputs))
    return (_cpu_seconds() - cpu) / len(outputs), (time.perf_counter() - wall) / len(outputs)


def _cpu_seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _outputs(folder: Path, place: Path, n_outputs: int) -> Iterator[Path]:
    rng = np.random.default_rng(1)
    groups = [protocol.located(folder, protocol.tracks(group)) for group in ("calibration", "references")]
    strangers, copied = (
        [(track, path) for track, path in group.items() if track.seconds > 2 * SECONDS] for group in groups
    )
    if not strangers or not copied:
        raise NothingToMeasureError("No music of the protocol is long enough.")
    for number in range(n_outputs):
        group = copied if number % COPIED == 0 else strangers
        track, path = group[int(rng.integers(len(group)))]
        _, samples = excerpt(path, track.seconds, SECONDS, rng)
        levels = np.clip(np.rint(samples * 32768.0), -32768, 32767).astype(np.int16)
        output = place / f"{number}.wav"
        wavfile.write(output, RATE_HZ, np.stack([levels, levels], axis=1))
        yield output


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks batches", description=__doc__.partition("\n")[0])
    parser.add_argument("--protocol", type=Path, required=True, metavar="DIR")
    parser.add_argument("--tracks", type=int, default=N_TRACKS, metavar="N", help="in the index")
    parser.add_argument("--outputs", type=int, default=N_OUTPUTS, metavar="N")
    chosen = parser.parse_args(arguments)
    try:
        for figure in measure(chosen.protocol, chosen.tracks, chosen.outputs):
            print(figure.line(), flush=True)
    except NothingToMeasureError as error:
        print(error, file=sys.stderr)
        return 2
    return 0
