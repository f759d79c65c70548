"""What is too long or too many for a test: a mix of three hours, and ten thousand loops that are nearly the same.

    make bench ARGS="extremes --references DIR"        any music, at least twenty minutes of it

The mix is the recordings of DIR one after another, from the beginning again until it lasts ``MIX_S``; all of them are
indexed. A recording counts as named if a match of it is accepted, and as placed if that lies within half a second of one
of the lines on which the recording was put there. docs/bad-input.md says what is answered.
"""

import resource
import tempfile
import time
import wave
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.figures import Figure, NothingToMeasureError
from provenance import audio
from provenance.intake.sounds import is_sound
from provenance.similarity import recording as likeness
from provenance.similarity.fingerprint import AudioFingerprint
from provenance.similarity.index import RecordingIndex

MIX_S = 3 * 3600.0
RATE_HZ = 22_050
PLACED_S = 0.5
LEAST_S = 10.0
N_LOOPS = 10_000
LOOP_S = 4.0


@dataclass(frozen=True, slots=True)
class Put:
    """A recording in the mix."""

    name: str
    at_s: float
    seconds: float


def measure(folder: Path | None, mix_s: float = MIX_S, n_loops: int = N_LOOPS) -> Iterator[Figure]:
    """Measure on the music under a folder.

    Raises
    ------
    NothingToMeasureError
        If there is none.
    """
    paths = sorted(path for path in folder.rglob("*") if is_sound(path)) if folder else []
    began = time.process_time()
    heard: dict[str, audio.Survey] = {}
    for path in paths:
        try:
            survey = audio.survey(path)
        except audio.AudioError:
            continue
        if survey.seconds >= LEAST_S and not survey.is_silent:
            heard[str(path)] = survey.without_levels()
    if not heard:
        raise NothingToMeasureError("Extremes are measured on music: give --references DIR.")
    total_s = sum(survey.seconds for survey in heard.values())
    yield Figure("extremes_survey", total_s / (time.process_time() - began), "x-real-time")
    index = RecordingIndex.build((name, survey.fingerprint) for name, survey in heard.items())
    yield from _loops(heard, n_loops)
    with tempfile.TemporaryDirectory() as made:
        mix, puts = _mix(Path(made) / "mix.wav", heard, mix_s)
        began = time.process_time()
        survey = audio.survey(mix)
    cpu_s = time.process_time() - began
    yield Figure("extremes_mix_length", survey.seconds, "s", f"of-{len(puts)}-stretches")
    yield Figure("extremes_mix_survey", cpu_s, "s-cpu", "real-time", survey.seconds / cpu_s)
    yield _memory("extremes_mix_survey_memory")
    began = time.process_time()
    found = likeness.check(survey.fingerprint, index, query_seconds=survey.seconds)
    yield Figure("extremes_mix_check", time.process_time() - began, "s-cpu")
    yield _memory("extremes_mix_check_memory")
    accepted = [match for match in found.matches if match.accepted]
    yield Figure("extremes_mix_matches", len(accepted), "accepted")
    named = {match.key for match in accepted}
    placed = {match.key for match in accepted if _is_placed(match, puts)}
    wanted = {put.name for put in puts}
    yield Figure("extremes_mix_recordings_named", len(named & wanted), f"of-{len(wanted)}")
    yield Figure("extremes_mix_recordings_placed", len(placed), f"of-{len(wanted)}")
    for name in sorted(wanted - named):
        yield Figure("extremes_mix_missed", heard[name].seconds, f"s-{Path(name).name}")


def _is_placed(match: likeness.RecordingMatch, puts: list[Put]) -> bool:
    """Whether it lies on a line on which the recording was put, or on one that sounds the same."""
    lines = [match.query_start_s - start_s for start_s in (match.reference_start_s, *match.occurrences)]
    return any(abs(line - put.at_s) < PLACED_S for put in puts if put.name == match.key for line in lines)


def _memory(name: str) -> Figure:
    return Figure(name, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "MB-at-most")


def _mix(path: Path, heard: dict[str, audio.Survey], mix_s: float) -> tuple[Path, list[Put]]:
    puts: list[Put] = []
    at_s = 0.0
    with wave.open(str(path), "wb") as opened:
        opened.setnchannels(1)
        opened.setsampwidth(2)
        opened.setframerate(RATE_HZ)
        while at_s < mix_s:
            for name in heard:
                if at_s >= mix_s:
                    break
                samples = audio.read_samples(Path(name), sample_rate_hz=RATE_HZ)
                opened.writeframes(np.rint(samples * 32767.0).astype("<i2").tobytes())
                puts.append(Put(name, at_s, len(samples) / RATE_HZ))
                at_s += len(samples) / RATE_HZ
    return path, puts


def _loops(heard: dict[str, audio.Survey], n_loops: int) -> Iterator[Figure]:
    """Loops of one piece of music, each with a hundredth of its bits flipped, and all the music beside them."""
    rng = np.random.default_rng(1)
    first, other = (Path(name) for name in list(heard)[:2])
    piece = audio.read_samples(first, sample_rate_hz=RATE_HZ, start_s=2.0, seconds=LOOP_S)
    loop = AudioFingerprint.of(np.tile(piece, 3), sample_rate_hz=RATE_HZ)
    loops = {f"loop {n}": replace(loop, items=_flipped(loop.items, rng)) for n in range(n_loops)}
    rest = {name: survey.fingerprint for name, survey in heard.items() if name != str(first)}
    began = time.process_time()
    index = RecordingIndex.build((loops | rest).items())
    yield Figure("extremes_loops_build", time.process_time() - began, "s-cpu", f"{n_loops}-loops")
    excerpt = audio.read_samples(other, sample_rate_hz=RATE_HZ, start_s=1.0, seconds=10.0)
    asked = {"loop": loop, "music": AudioFingerprint.of(excerpt, sample_rate_hz=RATE_HZ)}
    for name, query in asked.items():
        likeness.check(query, index)
        began = time.process_time()
        found = likeness.check(query, index)
        yield Figure(f"extremes_loops_{name}_check", time.process_time() - began, "s-cpu")
        accepted = [match.key for match in found.matches if match.accepted]
        right = [key for key in accepted if key.startswith("loop") == (name == "loop")]
        yield Figure(f"extremes_loops_{name}_accepted", len(accepted), "matches", f"right-{len(right)}")
    yield _memory("extremes_loops_memory")


def _flipped(items: NDArray[np.uint32], rng: np.random.Generator) -> NDArray[np.uint32]:
    flips = np.packbits(rng.random((*items.shape, 32)) < 0.01, axis=-1).view(">u4")[..., 0]
    return items ^ flips.astype(np.uint32)
