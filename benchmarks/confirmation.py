"""How far spectrograms of copies and of strangers agree: what the threshold of a confirmation was set by.

    python -m benchmarks.confirmation DIR [--tracks N] [--references N] [--changes CHANGE …] [--seconds S …]

DIR holds the packages of ``benchmarks/protocol.tsv``. *Copies* are excerpts of references, changed as
``benchmarks/transformations.py`` says and compared with the place that they were taken from. *Strangers* are excerpts of
the calibration group, each set against every place of several references, of which the best counts: more than a match
ever asks for, since a match asks about one place.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.figures import Figure
from benchmarks.likeness import excerpt
from benchmarks.protocol import located, tracks
from benchmarks.transformations import CONDITIONS, RATE_HZ
from provenance import audio
from provenance.similarity.confirm import SAMPLE_RATE_HZ, spectrogram_confirms
from provenance.similarity.levels import FRAME_S, HOP_S, levels_of
from provenance.similarity.side_by_side import Agreement, Place, brought, compare, correlations, heard

LENGTHS_S = (5.0, 10.0)
MARGIN_S = 60.0


def measure(
    folder: Path,
    *,
    n_tracks: int,
    n_references: int,
    changes: Sequence[str] = (),
    lengths_s: Sequence[float] = LENGTHS_S,
    seed: int = 1,
) -> Iterator[Figure]:
    """Yield for each kind of copy, and for strangers, how far they agree and what share is confirmed."""
    rng = np.random.default_rng(seed)
    references = _drawn("references", folder, max(n_tracks, n_references), rng)
    for length_s in lengths_s:
        for name in changes or CONDITIONS:
            condition = CONDITIONS[name]
            reached = []
            for path, seconds in references[:n_tracks]:
                start_s, piece = excerpt(path, seconds, length_s * condition.tempo, rng)
                other = excerpt(*references[int(rng.integers(len(references)))], length_s * 1.1, rng)[1]
                changed = condition.of(piece, other, length_s, rng)
                reached.append(_of_copy(changed, path, start_s, length_s, name))
            told = [(found.correlation, spectrogram_confirms(found)) for found in reached]
            yield from _figures(f"confirmation.{name}.{length_s:g}s", "least", told)
        others = [_levels(reference) for reference in references[:n_references]]
        told = []
        for path, seconds in _drawn("calibration", folder, n_tracks, rng):
            piece = excerpt(path, seconds, length_s, rng)[1]
            told.append(max(_best_anywhere(levels, piece) for levels in others))
        yield from _figures(f"confirmation.strangers.{length_s:g}s", "most", told)


def _figures(name: str, extreme: str, told: Sequence[tuple[float, bool]]) -> Iterator[Figure]:
    agree = [correlation for correlation, _ in told]
    yield Figure(f"{name}.{extreme}", max(agree) if extreme == "most" else min(agree), "correlation")
    yield Figure(f"{name}.median", float(np.median(agree)), "correlation")
    yield Figure(f"{name}.confirmed", float(np.mean([is_confirmed for _, is_confirmed in told])), "share")


def _drawn(group: str, folder: Path, n: int, rng: np.random.Generator) -> list[tuple[Path, float]]:
    long = [track for track in tracks(group) if track.seconds >= 2 * max(LENGTHS_S)]
    wanted = [long[number] for number in rng.permutation(len(long))[:n]]
    return [(path, track.seconds) for track, path in located(folder, wanted).items()]


def _of_copy(
    changed: NDArray[np.float32], path: Path, start_s: float, length_s: float, name: str
) -> Agreement:
    condition = CONDITIONS[name]
    semitones = 0.0
    if name.startswith("pitch"):
        semitones = float(name.rsplit("_", 1)[1]) * (1 if "plus" in name else -1)
    elif name.startswith("speed"):
        semitones = 12 * float(np.log2(condition.tempo))
    early_s = max(0.0, start_s - MARGIN_S)
    around = audio.read_samples(
        path,
        sample_rate_hz=SAMPLE_RATE_HZ,
        start_s=early_s,
        seconds=start_s - early_s + length_s * condition.tempo + MARGIN_S,
    )
    return compare(
        levels_of(changed, sample_rate_hz=RATE_HZ),
        levels_of(around, sample_rate_hz=SAMPLE_RATE_HZ),
        Place(0.0, length_s, start_s - early_s, condition.tempo, semitones),
    )


def _best_anywhere(levels: NDArray[np.float16], piece: NDArray[np.float32]) -> tuple[float, bool]:
    """The most that a place of a recording agrees with a stranger, and whether that would confirm a match there."""
    stretch, seconds = levels_of(piece, sample_rate_hz=RATE_HZ), len(piece) / RATE_HZ
    curve = correlations(heard(brought(stretch, Place(0.0, seconds - FRAME_S, 0.0))), heard(levels))
    if not len(curve):
        return 0.0, False
    found = compare(stretch, levels, Place(0.0, seconds, int(curve.argmax()) * HOP_S))
    return found.correlation, spectrogram_confirms(found)


def _levels(track: tuple[Path, float]) -> NDArray[np.float16]:
    samples = audio.read_samples(track[0], sample_rate_hz=SAMPLE_RATE_HZ, seconds=2 * MARGIN_S)
    return levels_of(samples, sample_rate_hz=SAMPLE_RATE_HZ)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="benchmarks.confirmation", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--tracks", type=int, default=24, metavar="N")
    parser.add_argument("--references", type=int, default=12, metavar="N")
    parser.add_argument("--changes", nargs="+", choices=list(CONDITIONS), default=[], metavar="CHANGE")
    parser.add_argument("--seconds", nargs="+", type=float, default=LENGTHS_S, metavar="S")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(arguments)
    for figure in measure(
        chosen.folder,
        n_tracks=chosen.tracks,
        n_references=chosen.references,
        changes=chosen.changes,
        lengths_s=chosen.seconds,
        seed=chosen.seed,
    ):
        print(figure.line(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
