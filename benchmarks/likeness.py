"""How well recording likeness finds copies, and how often it accuses strangers.

    make bench ARGS="likeness --references DIR --strangers DIR"

Both are folders of music, searched through; no recording may be in both. The baseline is what Chromaprint alone
answers when a best bit error rate below 0.35 counts as found. Without folders it runs on tunes made up here.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import tunes
from benchmarks.figures import Figure, NothingToMeasureError
from provenance import audio
from provenance.similarity.align import error_curve
from provenance.similarity.chromaprint import CHROMA, items_of
from provenance.similarity.index import RecordingIndex
from provenance.similarity.recording import RecordingCheck, check
from tests.vocoding import griffin_lim

RATE_HZ = 22_050
BASELINE_BER = 0.35
LEAST_S = 12.0
N_TUNES = 3
TUNE_S = 32.0
CONDITIONS = ("clean", "mp3_64k", "noise_10db", "noise_0db", "mel80", "mel128_32_levels")

WANTED = 'make bench ARGS="likeness --references DIR --strangers DIR".'

Samples = NDArray[np.float32]


def recordings_in(folder: Path) -> Iterator[tuple[Path, audio.Survey]]:
    """Whatever under ``folder`` is music of at least ``LEAST_S``."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            surveyed = audio.survey(path)
        except audio.AudioError:
            continue
        if surveyed.seconds >= LEAST_S and not surveyed.is_silent:
            yield path, surveyed


def excerpts(path: Path, seconds: float, n: int, rng: np.random.Generator) -> Iterator[tuple[float, Samples]]:
    whole = audio.read_samples(path, sample_rate_hz=RATE_HZ)
    for _ in range(n):
        start_s = float(rng.uniform(0, max(0.0, len(whole) / RATE_HZ - seconds)))
        piece = whole[round(start_s * RATE_HZ) :][: round(seconds * RATE_HZ)]
        if np.abs(piece).max(initial=0.0) > 0.01:
            yield start_s, piece


def changed(piece: Samples, condition: str, rng: np.random.Generator) -> Samples:
    if condition == "mp3_64k":
        return _through_mp3(piece)
    if condition.startswith("noise"):
        level = np.sqrt(np.mean(piece**2)) * (1.0 if condition == "noise_0db" else 10**-0.5)
        return np.asarray(piece + level * rng.standard_normal(len(piece)), dtype=np.float32)
    if condition == "mel80":
        return griffin_lim(piece, rate_hz=RATE_HZ, n_bands=80)
    if condition == "mel128_32_levels":
        return griffin_lim(piece, rate_hz=RATE_HZ, n_bands=128, n_levels=32)
    return piece


def _through_mp3(piece: Samples) -> Samples:
    raw = ["-f", "s16le", "-ar", str(RATE_HZ), "-ac", "1"]
    quiet = ["ffmpeg", "-nostdin", "-loglevel", "error"]
    words = np.clip(piece * 32768, -32768, 32767).astype("<i2").tobytes()
    packed = subprocess.run(
        [*quiet, *raw, "-i", "pipe:0", "-b:a", "64k", "-f", "mp3", "pipe:1"],
        input=words,
        capture_output=True,
        check=True,
    )
    heard = subprocess.run(
        [*quiet, "-f", "mp3", "-i", "pipe:0", *raw, "pipe:1"],
        input=packed.stdout,
        capture_output=True,
        check=True,
    )
    return np.frombuffer(heard.stdout, dtype="<i2").astype(np.float32) / np.float32(32768)


def baseline_answer(piece: Samples, index: RecordingIndex) -> str | None:
    query = np.ascontiguousarray(items_of(piece, sample_rate_hz=RATE_HZ)[:, CHROMA])
    best, key = BASELINE_BER, None
    for number, recording in enumerate(index.recordings):
        curve = error_curve(query, np.ascontiguousarray(index.items(number)[:, CHROMA]))
        if len(curve) and curve.min() < best:
            best, key = float(curve.min()), recording
    return key


def answer(piece: Samples, index: RecordingIndex) -> RecordingCheck:
    return check(items_of(piece, sample_rate_hz=RATE_HZ), index, query_seconds=len(piece) / RATE_HZ)


def found_and_placed(found: RecordingCheck, key: str, start_s: float) -> bool:
    return any(
        match.accepted
        and match.key == key
        and any(abs(place - match.query_start_s - start_s) < 0.5 for place in match.occurrences)
        for match in found.matches
    )


def measure(
    references: Path | None = None, strangers: Path | None = None, *, n_excerpts: int = 1, seed: int = 1
) -> Iterator[Figure]:
    """Measure on two folders of music, or without them on tunes made up here.

    Raises
    ------
    NothingToMeasureError
        If one folder is named without the other, is no folder, or holds no music.
    """
    if references is None and strangers is None:
        yield from _made_up(n_excerpts, seed)
        return
    if references is None or strangers is None:
        raise NothingToMeasureError("likeness needs two folders that share no recording: " + WANTED)
    yield from _on_music(references, strangers, n_excerpts, seed)


def _made_up(n_excerpts: int, seed: int) -> Iterator[Figure]:
    print(
        f"No music was given, so these figures are of {2 * N_TUNES} made-up tunes: they show that the check runs, "
        f"not how good it is. For that: {WANTED}",
        file=sys.stderr,
    )
    with tempfile.TemporaryDirectory(prefix="liner-bench-") as folder:
        references, strangers = Path(folder) / "references", Path(folder) / "strangers"
        for number, place in enumerate((references, strangers)):
            place.mkdir()
            for tune in range(N_TUNES):
                seed_of_tune = number * N_TUNES + tune
                tunes.write(place / f"{tune}.wav", seed=seed_of_tune, seconds=TUNE_S, rate_hz=RATE_HZ)
        for found in _on_music(references, strangers, n_excerpts, seed):
            yield replace(found, name=found.name.replace("likeness_", "likeness_made_up_", 1))


def _on_music(references: Path, strangers: Path, n_excerpts: int, seed: int) -> Iterator[Figure]:
    rng = np.random.default_rng(seed)
    known, unknown = _music_in(references), _music_in(strangers)
    if shared := {one.samples_sha256 for one in known.values()} & {
        one.samples_sha256 for one in unknown.values()
    }:
        raise NothingToMeasureError(
            f"{len(shared)} recordings lie under {references} and under {strangers}: no recording may be in both."
        )
    index = RecordingIndex.build((str(path), surveyed.items) for path, surveyed in known.items())
    print(
        f"{len(known)} references, {index.facts.n_windows} windows; {len(unknown)} strangers", file=sys.stderr
    )
    checks_s: list[float] = []
    yield from _copies(list(known), index, n_excerpts, rng, checks_s)
    yield from _false_alarms(list(unknown), index, n_excerpts, rng)
    if checks_s:
        yield Figure("likeness_check_cpu_s", float(np.median(checks_s)), "s")


def _copies(
    paths: list[Path], index: RecordingIndex, n_excerpts: int, rng: np.random.Generator, checks_s: list[float]
) -> Iterator[Figure]:
    for seconds in (5.0, 10.0):
        for condition in CONDITIONS:
            hits, naive = [], []
            for path in paths:
                for start_s, piece in excerpts(path, seconds, n_excerpts, rng):
                    heard = changed(piece, condition, rng)
                    began = time.process_time()
                    hits.append(found_and_placed(answer(heard, index), str(path), start_s))
                    checks_s.append(time.process_time() - began)
                    naive.append(baseline_answer(heard, index) == str(path))
            if hits:
                yield _share(f"likeness_found_{condition}_{seconds:.0f}s", hits, naive)


def _false_alarms(
    paths: list[Path], index: RecordingIndex, n_excerpts: int, rng: np.random.Generator
) -> Iterator[Figure]:
    for seconds in (5.0, 10.0, 30.0):
        wrong, naive = [], []
        for path in paths:
            for _, piece in excerpts(path, seconds, n_excerpts, rng):
                wrong.append(answer(piece, index).verdict != "no_match")
                naive.append(baseline_answer(piece, index) is not None)
        if wrong:
            yield _share(f"likeness_false_alarms_{seconds:.0f}s", wrong, naive)
            yield Figure(f"likeness_strangers_{seconds:.0f}s", len(wrong), "excerpts")


def _share(name: str, ours: list[bool], naive: list[bool]) -> Figure:
    share, beside = float(np.mean(ours)), float(np.mean(naive))
    return Figure(name, share, "share", f"chromaprint_alone={beside:.3f}", share / beside if beside else None)


def _music_in(folder: Path) -> dict[Path, audio.Survey]:
    if not folder.is_dir():
        raise NothingToMeasureError(f"{folder} is no folder: {WANTED}")
    if not (found := dict(recordings_in(folder))):
        raise NothingToMeasureError(f"No music of {LEAST_S:g} s or more was found under {folder}.")
    return found
