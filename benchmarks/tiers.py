"""What the second tier of checking a big index adds to what strangers reach in the first.

    python -m benchmarks.tiers --protocol DIR [--recordings 10000] [--lengths 5 10] [--work WORK]

The stock of strangers keeps fingerprints and no levels, so it can go through the plain tier alone
(`provenance.similarity.cascade`); a query goes through both. Here excerpts of the calibration group, levels and all,
are held against an index of made-up recordings (`benchmarks.scale`) in both. Printed are, part by part of the
fingerprint, the strength that a tenth of the strangers exceed in the plain tier and how many exceed it in either. Then
the plain tier's strengths are taken for a calibration: tracks are split in two, either half is judged by what the other
reached, each tier counted as a comparison of its own, and the strangers whose p is at most a tenth, a twentieth and so
on are counted: no more than that share of all ought to be.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import protocol
from benchmarks.figures import NothingToMeasureError
from benchmarks.likeness import excerpt
from benchmarks.scale import OUT, Maker, Shelf, Wanted, prints
from benchmarks.transformations import RATE_HZ
from provenance.similarity import cascade, recording, segmented_build
from provenance.similarity.calibration import Calibration, Stratum
from provenance.similarity.chromaprint import items_of
from provenance.similarity.fingerprint import AudioFingerprint
from provenance.similarity.levels import levels_of
from provenance.similarity.segmented import SegmentedIndex

SHARES = (0.2, 0.1, 0.05, 0.02)
TIERS = 2


@dataclass(frozen=True, slots=True)
class Heard:
    """What a stranger reached: by part of the fingerprint, the highest strength in the plain tier and in either."""

    track: int
    seconds: float
    plain: Mapping[str, float]
    either: Mapping[str, float]


def held(
    folder: Path, index: SegmentedIndex, lengths_s: Sequence[float], n_tracks: int | None, seed: int = 1
) -> Iterator[Heard]:
    """Hold an excerpt of each length of each track of the calibration group against an index, in both tiers."""
    rng = np.random.default_rng(seed)
    for number, (track, path) in enumerate(
        list(protocol.located(folder, protocol.tracks("calibration")).items())[:n_tracks]
    ):
        for length_s in lengths_s:
            _, samples = excerpt(path, track.seconds, length_s, rng)
            levels = levels_of(samples, sample_rate_hz=RATE_HZ)
            sound = AudioFingerprint.of_parts(items_of(samples, sample_rate_hz=RATE_HZ), levels)
            first = cascade.plain_candidates(sound, index)
            every = cascade.together(first, cascade.full_candidates(levels, index))
            plain, full = (
                recording.check(sound, index.narrowed(numbers), query_seconds=length_s).best
                for numbers in (first, every)
            )
            if plain:
                either = {part: max(plain[part], full.get(part, 0.0)) for part in plain}
                yield Heard(number, length_s, plain, either)


def told(heard: Sequence[Heard]) -> Iterator[str]:
    """Lines of figures."""
    for length_s in sorted({one.seconds for one in heard}):
        of_length = [one for one in heard if one.seconds == length_s]
        for part in of_length[0].plain:
            plain = np.array([one.plain.get(part, 0.0) for one in of_length])
            either = np.array([one.either.get(part, 0.0) for one in of_length])
            limit = float(np.quantile(plain, 0.9))
            yield (
                f"{length_s:g} s {part}: a tenth of {len(plain)} exceed {limit:.3f} in the plain tier: "
                f"{int((plain > limit).sum())}, in either {int((either > limit).sum())}; highest {plain.max():.3f}, "
                f"{either.max():.3f}; raised by the full tier {np.mean(either > plain):.0%}"
            )
        ps = np.array(list(_chances(of_length)))
        counted = ", ".join(f"{int((ps <= share).sum())} at {share:g}" for share in SHARES)
        wanted = ", ".join(f"{share * len(ps):.0f}" for share in SHARES)
        yield f"{length_s:g} s: of {len(ps)} strangers accused {counted}; at most {wanted} ought to be"


def _chances(heard: Sequence[Heard]) -> Iterator[float]:
    """The p of each, both tiers counted, from what the other half of the tracks reached in the plain one."""
    for half in (0, 1):
        others = [one for one in heard if one.track % 2 != half]
        parts = list(others[0].plain)
        best = {part: tuple(one.plain.get(part, 0.0) for one in others) for part in parts}
        stratum = Stratum(others[0].seconds, tuple(one.track for one in others), best)
        calibration = Calibration((stratum,), (), "")
        for one in heard:
            if one.track % 2 == half:
                found = (
                    calibration.chance(part, one.either[part], seconds=one.seconds)
                    for part in parts
                    if part in one.either
                )
                p = min(chance.p for chance in found if chance is not None)
                yield 1 - (1 - p) ** TIERS


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.tiers", description=__doc__.partition("\n")[0])
    parser.add_argument("--protocol", type=Path, required=True, metavar="DIR")
    parser.add_argument("--recordings", type=int, default=10_000, metavar="N", help="of the index")
    parser.add_argument("--lengths", type=float, nargs="+", default=[5.0, 10.0], metavar="S")
    parser.add_argument("--tracks", type=int, metavar="N", help="to take excerpts of; all without it")
    parser.add_argument("--work", type=Path, metavar="DIR", help="as for `benchmarks scale`")
    chosen = parser.parse_args(arguments)
    with ExitStack() as kept:
        place = chosen.work and chosen.work / f"scale-{chosen.recordings}"
        if place is None:
            place = Path(kept.enter_context(tempfile.TemporaryDirectory(prefix="liner-tiers-")))
        place.mkdir(parents=True, exist_ok=True)
        try:
            references = prints(chosen.protocol, "references")
            maker = Maker(prints(chosen.protocol, "test").values(), 1)
            shelf = Shelf(references, maker, chosen.recordings - len(references), place)
            index = segmented_build.build(place / "index", Wanted(shelf), shelf)
            heard = list(held(chosen.protocol, index, chosen.lengths, chosen.tracks))
        except NothingToMeasureError as error:
            print(error, file=sys.stderr)
            return 2
    _write(heard)
    for line in told(heard):
        print(line)
    return 0


def _write(heard: Sequence[Heard]) -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    with (OUT / "tiers.csv").open("w", newline="", encoding="utf-8") as opened:
        table = csv.writer(opened, lineterminator="\n")
        table.writerow(["track", "seconds", "part", "plain", "either"])
        for one in heard:
            table.writerows(
                [one.track, one.seconds, part, round(value, 5), round(one.either[part], 5)]
                for part, value in one.plain.items()
            )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
