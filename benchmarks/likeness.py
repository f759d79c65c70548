"""How well recording likeness finds copies, and how often it accuses strangers.

    python -m benchmarks.likeness REFERENCES STRANGERS [--excerpts N] [--seed N]

Both are folders of music, searched through; no recording may be in both. A line a figure: name, value, unit,
baseline, ratio. The baseline is what Chromaprint alone answers when a best bit error rate below 0.35 counts
as found.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from provenance import audio
from provenance.similarity.align import error_curve
from provenance.similarity.chromaprint import CHROMA, items_of
from provenance.similarity.index import RecordingIndex
from provenance.similarity.recording import RecordingCheck, check
from tests.vocoding import griffin_lim

RATE_HZ = 22_050
BASELINE_BER = 0.35
CONDITIONS = ("clean", "mp3_64k", "noise_10db", "noise_0db", "mel80", "mel128_32_levels")

Samples = NDArray[np.float32]


def recordings_in(folder: Path) -> Iterator[tuple[Path, audio.Survey]]:
    """Whatever under ``folder`` is music of at least 12 s."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            surveyed = audio.survey(path)
        except audio.AudioError:
            continue
        if surveyed.seconds >= 12 and not surveyed.is_silent:
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


def figure(name: str, value: float, unit: str, baseline: float | None = None) -> None:
    ratio = f"{value / baseline:.3f}" if baseline else "-"
    print(name, f"{value:.4f}", unit, "-" if baseline is None else f"{baseline:.4f}", ratio, flush=True)


def found_and_placed(found: RecordingCheck, key: str, start_s: float) -> bool:
    return any(
        match.accepted
        and match.key == key
        and any(abs(place - match.query_start_s - start_s) < 0.5 for place in match.occurrences)
        for match in found.matches
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("references", type=Path)
    parser.add_argument("strangers", type=Path)
    parser.add_argument("--excerpts", type=int, default=1, help="of each recording, length and condition")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    rng = np.random.default_rng(chosen.seed)
    references = dict(recordings_in(chosen.references))
    if not references:
        sys.exit(f"no music was found under {chosen.references}")
    index = RecordingIndex.build((str(path), surveyed.items) for path, surveyed in references.items())
    print(f"{len(references)} references, {index.facts.n_windows} windows", file=sys.stderr)
    checks_s: list[float] = []
    for seconds in (5.0, 10.0):
        for condition in CONDITIONS:
            hits, naive = [], []
            for path in references:
                for start_s, piece in excerpts(path, seconds, chosen.excerpts, rng):
                    heard = changed(piece, condition, rng)
                    began = time.process_time()
                    hits.append(found_and_placed(answer(heard, index), str(path), start_s))
                    checks_s.append(time.process_time() - began)
                    naive.append(baseline_answer(heard, index) == str(path))
            figure(
                f"likeness_found_{condition}_{seconds:.0f}s",
                float(np.mean(hits)),
                "share",
                float(np.mean(naive)),
            )
    strangers = [path for path, _ in recordings_in(chosen.strangers)]
    for seconds in (5.0, 10.0, 30.0):
        wrong, naive = [], []
        for path in strangers:
            for _, piece in excerpts(path, seconds, chosen.excerpts, rng):
                wrong.append(answer(piece, index).verdict != "no_match")
                naive.append(baseline_answer(piece, index) is not None)
        if wrong:
            figure(
                f"likeness_false_alarms_{seconds:.0f}s", float(np.mean(wrong)), "share", float(np.mean(naive))
            )
            figure(f"likeness_strangers_{seconds:.0f}s", len(wrong), "excerpts")
    figure("likeness_check_cpu_s", float(np.median(checks_s)), "s")


if __name__ == "__main__":
    main()
