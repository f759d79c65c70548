"""Make a stock of strangers: fingerprints of excerpts of the calibration group, which is in no index.

    python -m benchmarks.strangers DIR                     DIR as in benchmarks/protocol.py; writes the shipped stock
    python -m benchmarks.strangers DIR --out OUT --group test --excerpts 9      another one

Each excerpt is drawn by the track's hash and its number, so that a longer run holds what a shorter one holds.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks import protocol
from benchmarks.figures import NothingToMeasureError
from benchmarks.likeness import QUIETEST
from benchmarks.transformations import RATE_HZ, Samples
from provenance import audio
from provenance.similarity import strangers
from provenance.similarity.fingerprint import AudioFingerprint
from provenance.similarity.strangers import Excerpt, Stock

SHIPPED: Mapping[float, int] = {5.0: 2, 10.0: 3, 30.0: 1}
"""Excerpts of each length, in seconds, that are shipped of every track."""


Make = Callable[[Mapping[protocol.Track, Path], Mapping[float, int]], Iterator[tuple[Excerpt, bytes]]]
"""Draws so many excerpts of each length of each track, with what the stock keeps of them."""


def made(
    located: Mapping[protocol.Track, Path], wanted: Mapping[float, int]
) -> Iterator[tuple[Excerpt, bytes]]:
    """Draw and fingerprint excerpts; what is silent is drawn again.

    Of what is shipped the first of each length and track has its kept levels, of what is not each.
    """
    is_shipped = dict(wanted) == dict(SHIPPED)
    for track, path in located.items():
        samples = audio.read_samples(path, sample_rate_hz=RATE_HZ)
        for length_s, n_excerpts in wanted.items():
            for number in range(n_excerpts):
                rng = np.random.default_rng([int(track.sha256[:8], 16), int(length_s), number])
                start_s, heard = _drawn(samples, track.seconds, length_s, rng)
                sound = AudioFingerprint.of(heard, sample_rate_hz=RATE_HZ)
                if len(sound):
                    taken = round(start_s, 3), length_s
                    packed = sound.packed if is_shipped and number else sound.whole
                    named = track.package, track.path, track.sha256
                    yield Excerpt(*named, *taken, len(packed), hashlib.sha256(packed).hexdigest()), packed


def _drawn(
    samples: Samples, seconds: float, length_s: float, rng: np.random.Generator
) -> tuple[float, Samples]:
    start_s, piece = 0.0, samples[:0]
    for _ in range(10):
        start_s = float(rng.uniform(0, max(0.0, seconds - length_s)))
        first = round(start_s * RATE_HZ)
        piece = samples[first : first + round(length_s * RATE_HZ)]
        if np.abs(piece).max(initial=0.0) > QUIETEST:
            break
    return start_s, piece


def write_stock(
    arguments: Sequence[str], *, prog: str, about: str, make: Make, shipped: Mapping[float, int], folder: Path
) -> int:
    """Draw the excerpts that the command line asks for and write them as a stock."""
    parser = argparse.ArgumentParser(prog=prog, description=about)
    parser.add_argument("music", type=Path, metavar="DIR")
    parser.add_argument("--out", type=Path, default=folder)
    parser.add_argument("--group", choices=[*protocol.GROUPS], default="calibration")
    parser.add_argument("--excerpts", type=int, default=0, metavar="N", help="of each length, of every track")
    parser.add_argument("--lengths", type=float, nargs="+", default=list(shipped), metavar="S")
    chosen = parser.parse_args(arguments)
    wanted = {length_s: chosen.excerpts or shipped.get(length_s, 1) for length_s in chosen.lengths}
    try:
        located = protocol.located(chosen.music, protocol.tracks(chosen.group))
    except NothingToMeasureError as error:
        print(error, file=sys.stderr)
        return 2
    excerpts, packed = zip(*make(located, wanted), strict=True)
    Stock.save(chosen.out, excerpts, packed)
    n_bytes = sum(map(len, packed))
    print(f"{len(excerpts)} excerpts of {len(located)} tracks, {n_bytes:,} bytes in {chosen.out}")
    return 0


def main(arguments: Sequence[str]) -> int:
    about = str(__doc__).splitlines()[0]
    return write_stock(
        arguments,
        prog="benchmarks.strangers",
        about=about,
        make=made,
        shipped=SHIPPED,
        folder=strangers.FOLDER,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
