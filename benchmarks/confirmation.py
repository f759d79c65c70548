"""How far spectrograms of copies and of strangers agree: what the threshold of a confirmation was set by.

    python -m benchmarks.confirmation DIR [--tracks N] [--references N]

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
from provenance.similarity.confirm import SAMPLE_RATE_HZ, SPECTROGRAM_CONFIRMED
from provenance.similarity.levels import levels_of
from provenance.similarity.side_by_side import Place, brought, compare, correlations, heard

LENGTHS_S = (5.0, 10.0)
MARGIN_S = 60.0


def measure(folder: Path, *, n_tracks: int, n_references: int, seed: int = 1) -> Iterator[Figure]:
    """Yield the least and the middle correlation of each kind of copy, and the most of strangers."""
    rng = np.random.default_rng(seed)
    references = _drawn("references", folder, max(n_tracks, n_references), rng)
    for length_s in LENGTHS_S:
        for name, condition in CONDITIONS.items():
            reached = []
            for path, seconds in references[:n_tracks]:
                start_s, piece = excerpt(path, seconds, length_s * condition.tempo, rng)
                other = excerpt(*references[int(rng.integers(len(references)))], length_s * 1.1, rng)[1]
                changed = condition.of(piece, other, length_s, rng)
                reached.append(_of_copy(changed, path, start_s, length_s, name))
            yield Figure(f"confirmation.{name}.{length_s:g}s.least", min(reached), "correlation")
            yield Figure(
                f"confirmation.{name}.{length_s:g}s.median", float(np.median(reached)), "correlation"
            )
        strangers = [
            max(_best_anywhere(levels, piece) for levels in map(_levels, references[:n_references]))
            for piece in (
                excerpt(path, seconds, length_s, rng)[1]
                for path, seconds in _drawn("calibration", folder, n_tracks, rng)
            )
        ]
        yield Figure(f"confirmation.strangers.{length_s:g}s.most", max(strangers), "correlation")
        yield Figure(
            f"confirmation.strangers.{length_s:g}s.median", float(np.median(strangers)), "correlation"
        )
        beyond = float(np.mean([one >= SPECTROGRAM_CONFIRMED for one in strangers]))
        yield Figure(f"confirmation.strangers.{length_s:g}s.confirmed", beyond, "share")


def _drawn(group: str, folder: Path, n: int, rng: np.random.Generator) -> list[tuple[Path, float]]:
    long = [track for track in tracks(group) if track.seconds >= 2 * max(LENGTHS_S)]
    wanted = [long[number] for number in rng.permutation(len(long))[:n]]
    return [(path, track.seconds) for track, path in located(folder, wanted).items()]


def _of_copy(changed: NDArray[np.float32], path: Path, start_s: float, length_s: float, name: str) -> float:
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
    ).correlation


def _best_anywhere(levels: NDArray[np.float16], piece: NDArray[np.float32]) -> float:
    stretch = levels_of(piece, sample_rate_hz=RATE_HZ)
    place = Place(0.0, len(piece) / RATE_HZ - 0.2, 0.0)
    return float(correlations(heard(brought(stretch, place)), heard(levels)).max(initial=0.0))


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
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(arguments)
    for figure in measure(
        chosen.folder, n_tracks=chosen.tracks, n_references=chosen.references, seed=chosen.seed
    ):
        print(figure.line(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
