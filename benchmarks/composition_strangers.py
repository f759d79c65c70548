"""Make a stock of strangers for compositions: prints of excerpts of the calibration group, which is in no index.

    python -m benchmarks.composition_strangers DIR         DIR as in benchmarks/protocol.py; writes the shipped stock
    python -m benchmarks.composition_strangers DIR --out OUT --group test      another one

Each excerpt is drawn by the track's hash and its number, so that a longer run holds what a shorter one holds.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks import protocol
from benchmarks.renderings import heard
from benchmarks.strangers import write_stock
from provenance.similarity.harmony import Tune, tune_of
from provenance.similarity.levels import FRAME_S, HOP_S
from provenance.similarity.strangers import COMPOSITION_FOLDER, Excerpt

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHIPPED: Mapping[float, int] = {10.0: 1, 24.0: 2}
"""Excerpts of each length, in seconds, that are shipped of every track."""


def made(
    located: Mapping[protocol.Track, Path], wanted: Mapping[float, int]
) -> Iterator[tuple[Excerpt, bytes]]:
    """Draw excerpts and make their prints; what is silent is drawn again, and a track that is shorter left out."""
    for track, path in located.items():
        levels = heard(path)
        for length_s, n_excerpts in wanted.items():
            if len(levels) * HOP_S < length_s:
                continue
            for number in range(n_excerpts):
                rng = np.random.default_rng([int(track.sha256[:8], 16), int(length_s), number])
                start_s, tune = _drawn(levels, length_s, rng)
                if tune.rows.any():
                    packed = tune.packed
                    named = track.package, track.path, track.sha256
                    sha256 = hashlib.sha256(packed).hexdigest()
                    yield Excerpt(*named, round(start_s, 3), length_s, len(packed), sha256), packed


def _drawn(levels: NDArray[np.float16], length_s: float, rng: np.random.Generator) -> tuple[float, Tune]:
    n_frames = int((length_s - FRAME_S) / HOP_S) + 1
    first, tune = 0, tune_of(levels[:0])
    for _ in range(10):
        first = int(rng.integers(0, len(levels) - n_frames + 1))
        tune = tune_of(levels[first : first + n_frames])
        if tune.rows.any():
            break
    return first * HOP_S, tune


def main(arguments: Sequence[str]) -> int:
    about = str(__doc__).splitlines()[0]
    return write_stock(
        arguments,
        prog="benchmarks.composition_strangers",
        about=about,
        make=made,
        shipped=SHIPPED,
        folder=COMPOSITION_FOLDER,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
