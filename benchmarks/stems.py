"""How well one part of a recording alone is found: the drums, a bass, a lead that somebody took out of it.

    make bench ARGS="stems --protocol DIR --modules DIR"

Tracker modules and MIDI files under DIR are registered as they are, beside the references of the protocol. Of each one
channel is heard alone, every other made silent in the file itself (`benchmarks.muting`): the truth is exact. Excerpts
are drawn where the part sounds for at least half of the time, and no more than 30 dB below the whole.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import protocol
from benchmarks.figures import Figure, NothingToMeasureError
from benchmarks.likeness import LEAST_S, Judge, baseline_answer, fingerprint_of, found_and_placed
from benchmarks.muting import NotMutableError, alone, n_channels
from benchmarks.transformations import RATE_HZ, Samples
from provenance import audio
from provenance.similarity.index import RecordingIndex

LENGTHS_S = (5.0, 10.0)
QUIETEST_DB = -30.0
SOUNDING = 0.5
STEP_S = 0.1
N_TRIES = 12


def measure(
    *,
    listed: Path | None = None,
    modules: Path | None = None,
    kept: Path | None = None,
    n_tracks: int = 0,
    seed: int = 1,
) -> Iterator[Figure]:
    """Measure on the modules and MIDI files of a folder.

    Raises
    ------
    NothingToMeasureError
        If a folder is not named, or holds nothing whose channels can be told apart.
    """
    if listed is None or modules is None:
        raise NothingToMeasureError(
            'stems needs music: make bench ARGS="stems --protocol DIR --modules DIR".'
        )
    rng = np.random.default_rng(seed)
    surveyed = dict(_modules_in(modules))
    if not surveyed:
        raise NothingToMeasureError(
            f"No tracker module or MIDI file of {LEAST_S:g} s was found under {modules}."
        )
    around = protocol.located(listed, protocol.tracks("references"))
    references = [(str(path), one.fingerprint) for path, one in surveyed.items()]
    references += [(str(path), fingerprint_of(path, track.sha256, kept)) for track, path in around.items()]
    judge = Judge.calibrated(RecordingIndex.build(references))
    paths = list(surveyed)
    if 0 < n_tracks < len(paths):
        paths = [paths[place] for place in sorted(rng.permutation(len(paths))[:n_tracks])]
    drawn = [(path, *found) for path in paths if (found := _part(path, rng)) is not None]
    for length_s in LENGTHS_S:
        hits, naive = [], []
        for path, start_s, heard in drawn:
            piece = heard[: round(length_s * RATE_HZ)]
            told = judge.answer(piece)
            hits.append(found_and_placed(told, judge.index, str(path), start_s, 1.0))
            naive.append(baseline_answer(piece, judge.index) == str(path))
            if not hits[-1]:
                print(f"missed at {length_s:.0f} s: {path.name} from {start_s:.1f} s", file=sys.stderr)
        share, beside = float(np.mean(hits)), float(np.mean(naive))
        ratio = share / beside if beside else None
        yield Figure(
            f"likeness_found_stem_{length_s:.0f}s", share, "share", f"chromaprint_alone={beside:.3f}", ratio
        )
    yield Figure("likeness_stems", len(drawn), "recordings")


def _modules_in(folder: Path) -> Iterator[tuple[Path, audio.Survey]]:
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()):
        try:
            if n_channels(path) < 2:
                continue
            surveyed = audio.survey(path)
        except (NotMutableError, audio.AudioError):
            continue
        if surveyed.seconds >= LEAST_S and not surveyed.is_silent:
            yield path, surveyed.without_levels()


def _part(path: Path, rng: np.random.Generator) -> tuple[float, Samples] | None:
    """An excerpt of a part that sounds, and where it begins; None where no part does for long enough."""
    whole = audio.read_samples(path, sample_rate_hz=RATE_HZ)
    length = round(max(LENGTHS_S) * RATE_HZ)
    if len(whole) < length:
        return None
    with tempfile.TemporaryDirectory(prefix="liner-bench-") as folder:
        for channel in rng.permutation(n_channels(path))[:N_TRIES].tolist():
            muted = Path(folder) / path.name
            muted.write_bytes(alone(path, channel))
            part = audio.read_samples(muted, sample_rate_hz=RATE_HZ)
            for start in rng.integers(0, max(1, min(len(part), len(whole)) - length), size=N_TRIES).tolist():
                heard = part[start : start + length]
                if len(heard) == length and _sounds(heard, whole[start : start + length]):
                    return start / RATE_HZ, heard
    return None


def _sounds(part: Samples, whole: Samples) -> bool:
    """Whether a part is heard in the first half of the excerpt, and in all of it, for long enough."""
    step = round(STEP_S * RATE_HZ)
    loudest = _powers(whole, step).max(initial=0.0)
    heard = _powers(part, step) > loudest * 10 ** (QUIETEST_DB / 10)
    return bool(min(heard.mean(), heard[: len(heard) // 2].mean()) >= SOUNDING) if loudest else False


def _powers(samples: Samples, step: int) -> NDArray[np.float64]:
    whole = len(samples) // step * step
    squares = np.square(samples[:whole].astype(np.float64))
    powers: NDArray[np.float64] = squares.reshape(-1, step).mean(axis=1)
    return powers
