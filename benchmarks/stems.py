"""How well parts of a recording are found: the drums, a bass, a lead that somebody took out of it.

    make bench ARGS="stems --protocol DIR --modules DIR"

Tracker modules and MIDI files under DIR are registered as they are, beside the references of the protocol. Of each, two
kinds of parts are heard alone, every other channel made silent in the file itself (`benchmarks.muting`), so that the
truth is exact: a *stem*, which is what musicians call one, by the rule of `benchmarks.submixes`; and a single *channel*,
which may be no more than a fill. Excerpts are drawn where the part sounds for at least half of the time, and no more
than 30 dB below the whole. ``--excerpts N`` draws N stems and N channels of each piece that has so many. A part counts as
placed within half a second of where it was taken from, or of where the same part sounds the same again.
"""

from __future__ import annotations

import sys
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import protocol, submixes
from benchmarks.figures import Figure, NothingToMeasureError
from benchmarks.likeness import (
    LEAST_S,
    PLACED_S,
    Judge,
    baseline_answer,
    fingerprint_of,
    found_and_placed,
)
from benchmarks.muting import NotMutableError, alone, n_channels
from benchmarks.transformations import RATE_HZ, Samples
from provenance import audio
from provenance.similarity import by_parts
from provenance.similarity.index import RecordingIndex
from provenance.similarity.kept_levels import FRAME_HOP_S, kept_of
from provenance.similarity.levels import levels_of
from provenance.similarity.matches import RecordingMatch

LENGTHS_S = (5.0, 10.0)
QUIETEST_DB = -30.0
SOUNDING = 0.5
STEP_S = 0.1
N_TRIES = 12
MOSTLY, AGAIN = 0.9, 0.6
"""Where a part comes again: the share of its cells that have to lie inside the piece, and of these the share that differ
by no more than a step there. A quarter of a frame's difference alone makes a third differ by more."""

CHANNEL, STEM = "channel", "stem"

Kept = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Part:
    """What is heard of a piece.

    Attributes
    ----------
    path : Path
        Of the piece.
    channels : tuple of int
        That are heard.
    start_s : float
        Where the excerpt begins.
    heard : np.ndarray [shape=(n_samples,), dtype=float32]
        At ``RATE_HZ``.
    level_db : float
        Its power above that of the whole there: hardly ever above 0.
    everywhere : np.ndarray [shape=(n_frames, N_BANDS), dtype=uint8]
        The part's kept levels over the whole piece.
    """

    path: Path
    channels: tuple[int, ...]
    start_s: float
    heard: Samples
    level_db: float
    everywhere: Kept

    def lies_at(self, start_s: float, query_start_s: float = 0.0) -> bool:
        """Tell whether the excerpt, from a second of it on, sounds from a second of the piece on."""
        away_s = start_s - query_start_s - self.start_s
        if abs(away_s) < PLACED_S:
            return True
        segment = by_parts.Segment.of(kept_of(levels_of(self.heard, sample_rate_hz=RATE_HZ)))
        frames, bands = segment.cells
        near = round((self.start_s + away_s) / FRAME_HOP_S)
        reach = round(PLACED_S / FRAME_HOP_S)
        for begin in range(max(0, near - reach), near + reach + 1):
            inside = frames + begin < len(self.everywhere)
            there = self.everywhere[frames[inside] + begin, bands[inside]].astype(np.int16)
            same = np.abs(there - segment.steps[inside]) <= by_parts.SAME_STEPS
            if inside.mean() >= MOSTLY and same.mean() >= AGAIN:
                return True
        return False


def measure(
    *,
    listed: Path | None = None,
    modules: Path | None = None,
    kept: Path | None = None,
    n_tracks: int = 0,
    n_excerpts: int = 1,
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
    judge = Judge.calibrated(RecordingIndex.build(references), kept=kept)
    paths = list(surveyed)
    if 0 < n_tracks < len(paths):
        paths = [paths[place] for place in sorted(rng.permutation(len(paths))[:n_tracks])]
    for kind in (STEM, CHANNEL):
        drawn = [part for path in paths for part in parts(path, kind, n_excerpts, seed)]
        for length_s in LENGTHS_S if drawn else ():
            yield _found(judge, kind, drawn, length_s)
        yield Figure(
            f"likeness_{kind}s", len(drawn), "excerpts", f"of_{len({one.path for one in drawn})}_pieces"
        )


def _found(judge: Judge, kind: str, drawn: Sequence[Part], length_s: float) -> Figure:
    hits, naive = [], []
    for part in drawn:
        piece = part.heard[: round(length_s * RATE_HZ)]
        told = judge.answer(piece)
        hits.append(
            found_and_placed(told, judge.index, str(part.path), part.start_s, 1.0)
            or any(match.accepted and _is_there(part, match) for match in told.matches)
        )
        naive.append(baseline_answer(piece, judge.index) == str(part.path))
        if not hits[-1]:
            channels = ",".join(map(str, part.channels))
            print(
                f"missed at {length_s:.0f} s: {part.path.name} from {part.start_s:.1f} s, channels {channels}, "
                f"{part.level_db:.0f} dB",
                file=sys.stderr,
            )
    share, beside = float(np.mean(hits)), float(np.mean(naive))
    ratio = share / beside if beside else None
    return Figure(
        f"likeness_found_{kind}_{length_s:.0f}s", share, "share", f"chromaprint_alone={beside:.3f}", ratio
    )


def _is_there(part: Part, match: RecordingMatch) -> bool:
    if match.key != str(part.path):
        return False
    return any(part.lies_at(place_s, match.query_start_s) for place_s in match.occurrences)


def _kept(heard: Samples) -> Kept:
    return kept_of(levels_of(heard, sample_rate_hz=RATE_HZ))


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


def parts(path: Path, kind: str, n_excerpts: int, seed: int) -> Iterator[Part]:
    """Draw excerpts of parts that sound, each of another part; fewer where fewer sound for long enough."""
    rng = np.random.default_rng([seed, zlib.crc32(path.name.encode())])
    whole = audio.read_samples(path, sample_rate_hz=RATE_HZ)
    length = round(max(LENGTHS_S) * RATE_HZ)
    known = [(number,) for number in range(n_channels(path))] if kind == CHANNEL else submixes.stems(path)
    if len(whole) < length:
        return
    n_drawn = 0
    with tempfile.TemporaryDirectory(prefix="liner-bench-") as folder:
        for number in rng.permutation(len(known))[: max(N_TRIES, 2 * n_excerpts)].tolist():
            muted = Path(folder) / path.name
            muted.write_bytes(alone(path, known[number]))
            part = audio.read_samples(muted, sample_rate_hz=RATE_HZ)
            for start in rng.integers(0, max(1, min(len(part), len(whole)) - length), size=N_TRIES).tolist():
                heard, around = part[start : start + length], whole[start : start + length]
                if len(heard) == length and _sounds(heard, around):
                    told = (
                        start / RATE_HZ,
                        heard.copy(),
                        _decibels(heard, around),
                        kept_of(levels_of(part, sample_rate_hz=RATE_HZ)),
                    )
                    yield Part(path, known[number], *told)
                    n_drawn += 1
                    break
            if n_drawn == n_excerpts:
                return


def _decibels(part: Samples, whole: Samples) -> float:
    powers = [float(np.square(heard.astype(np.float64)).mean()) for heard in (part, whole)]
    return float(10 * np.log10(powers[0] / powers[1]))


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
