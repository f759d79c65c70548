"""Whether p-values keep their promise: strangers that no threshold was read off, against an index that was calibrated.

    python -m benchmarks.strangers DIR --group test --excerpts 5 --lengths 5 10 --out STRANGERS
    python -m benchmarks.calibration DIR --strangers STRANGERS [--copies 24] [--kept KEPT] [--out docs/calibration]

DIR holds the packages of benchmarks/protocol.py. The references are indexed, the index is calibrated as ``index_dataset``
does it, with the shipped stock, and every excerpt of the test group is given its p-value. If the p-values are right, a
tenth of the excerpts have one of at most a tenth, a hundredth one of at most a hundredth; fewer is cautious, more is
wrong. Intervals come from drawing tracks anew. ``--copies`` takes as many references, changed as
benchmarks/transformations.py says, for what is found at each share of false alarms. ``--out`` writes the drawings
there, and the tables beside the shipped stock. KEPT holds what benchmarks.fingerprint_music keeps of a file, so that a
second run need not decode. ``--shapes`` alone tells, of the calibration group itself, what another shape of the tail
would do.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import protocol
from benchmarks.figures import Figure, NothingToMeasureError
from benchmarks.fingerprint_music import hear
from benchmarks.likeness import excerpt, found_and_placed
from benchmarks.transformations import CONDITIONS, RATE_HZ
from provenance import audio
from provenance.similarity import thresholds
from provenance.similarity.calibration import Calibration, Judging, Tail, measure
from provenance.similarity.drawing import promise_chart, tail_chart
from provenance.similarity.fingerprint import AudioFingerprint
from provenance.similarity.index import RecordingIndex
from provenance.similarity.recording import RecordingCheck, check
from provenance.similarity.strangers import FOLDER, HELD_OUT_NAME, Stock, Stranger

LEVELS = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.001)
"""Shares of false alarms that are looked at."""

SHARES = (0.25, 0.5, 1.0)
"""Shares of the references that an index is built of, to see what growth does."""

FOUND = ("clean", "noise_0db", "mixed_0db", "pitch_plus_2", "mel80")
TARGETS = (0.01, 0.001, 0.0001)
SHAPES = (0.0, 0.1, 0.2)
N_SPLITS = 40
N_BOOTSTRAPS = 2_000
EXCERPTS = 130


@dataclass(frozen=True)
class Told:
    """An excerpt of a stranger with its smallest p-value."""

    stranger: Stranger
    p: float
    kind: str
    verdict: str


def run(
    folder: Path, strangers: Path, kept: Path | None, n_copies: int, n_excerpts: int, out: Path | None
) -> Iterator[Figure]:
    """Measure, yield figures, and write tables and drawings under ``out``."""
    references = list(_references(folder, kept))
    index = RecordingIndex.build(references)
    began = time.process_time()
    calibration = measure(index, Stock.load().drawn(n_excerpts))
    yield Figure("calibration_measured_cpu_s", time.process_time() - began, "s")
    yield Figure("calibration_strangers", calibration.n_strangers, "excerpts")
    held_out = Stock.load(strangers)
    told = [_told(one, index, calibration) for one in held_out.strangers]
    tables: dict[str, Any] = {
        "policy": thresholds.POLICY_ID,
        "parts": list(calibration.parts),
        "references": len(index.recordings),
        "strangers": calibration.n_strangers,
        "tracks": calibration.n_tracks,
        "held_out": _promise(told),
        "by_package": _by_package(told),
        "needed": _needed(calibration),
    }
    for row in tables["held_out"]:
        name = f"calibration_p_at_most_{row['level']:g}_{row['seconds']:.0f}s"
        yield Figure(name, row["share"], "share", f"of={row['n']},from={row['low']:.4f},to={row['high']:.4f}")
    if out is not None:
        _write(out, tables, calibration)
    if n_copies:
        tables["found"] = _found(folder, index, calibration, n_copies)
        for row in tables["found"]:
            yield Figure(f"calibration_found_{row['change']}_at_{row['target']:g}", row["share"], "share")
    tables["growth"] = list(_growth(references, n_excerpts))
    if out is not None:
        _write(out, tables, calibration)


def _references(folder: Path, kept: Path | None) -> Iterator[tuple[str, AudioFingerprint]]:
    for track, path in protocol.located(folder, protocol.tracks("references")).items():
        if kept is None:
            yield str(path), audio.survey(path).fingerprint
        else:
            heard = hear(path, track.sha256, kept, most_s=None)
            yield str(path), AudioFingerprint.of_parts(heard.items, heard.levels)


def _ask(
    sound: AudioFingerprint, index: RecordingIndex, calibration: Calibration, seconds: float, target: float
) -> RecordingCheck:
    return check(sound, index, query_seconds=seconds, judging=Judging(calibration, target, seconds))


def _told(one: Stranger, index: RecordingIndex, calibration: Calibration) -> Told:
    found = _ask(one.sound, index, calibration, one.excerpt.seconds, thresholds.FALSE_ALARM_TARGET)
    best = min(found.matches, key=lambda match: 1.0 if match.p_value is None else match.p_value)
    if found.verdict != "no_match":
        print(
            f"false alarm: {one.excerpt.path} at {one.excerpt.start_s:.1f} s as {Path(best.key).name}, "
            f"{best.column} {best.strength:.2f}, p {best.p_value:.2g}",
            file=sys.stderr,
        )
    return Told(one, best.p_value or 1.0, best.p_kind or "", found.verdict)


def _promise(told: Sequence[Told]) -> list[dict[str, Any]]:
    """For each length and level, the share of strangers whose p is no larger, with its interval."""
    rows = []
    for seconds in sorted({one.stranger.excerpt.seconds for one in told}):
        here = [one for one in told if one.stranger.excerpt.seconds == seconds]
        for level in LEVELS:
            share, low, high = _share(here, level)
            rows.append(
                {
                    "seconds": seconds,
                    "level": level,
                    "n": len(here),
                    "tracks": len({one.stranger.excerpt.track_sha256 for one in here}),
                    "count": sum(one.p <= level for one in here),
                    "share": share,
                    "low": low,
                    "high": high,
                }
            )
    return rows


def _share(told: Sequence[Told], level: float) -> tuple[float, float, float]:
    """Share of p-values up to a level; its 95 % interval with tracks drawn anew, three in n where there is none."""
    by_track: dict[str, list[bool]] = defaultdict(list)
    for one in told:
        by_track[one.stranger.excerpt.track_sha256].append(one.p <= level)
    counts = np.array([(sum(track), len(track)) for track in by_track.values()], dtype=np.float64)
    share = float(counts[:, 0].sum() / counts[:, 1].sum())
    if not counts[:, 0].any():
        return share, 0.0, min(1.0, 3.0 / len(counts))
    rng = np.random.default_rng(1)
    drawn = counts[rng.integers(len(counts), size=(N_BOOTSTRAPS, len(counts)))].sum(axis=1)
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], (0.025, 0.975))
    return share, float(low), float(high)


def _by_package(told: Sequence[Told]) -> list[dict[str, Any]]:
    """What the music is like matters: the same shares for each package of the test group."""
    rows = []
    for package in sorted({one.stranger.excerpt.package for one in told}):
        here = [one for one in told if one.stranger.excerpt.package == package]
        rows.append(
            {
                "package": package,
                "tracks": len({one.stranger.excerpt.track_sha256 for one in here}),
                "n": len(here),
                "tenth": sum(one.p <= 0.1 for one in here),
                "hundredth": sum(one.p <= 0.01 for one in here),
                "thousandth": sum(one.p <= 0.001 for one in here),
            }
        )
    return rows


def _needed(calibration: Calibration) -> list[dict[str, Any]]:
    """Strengths that the target asks for, in each part and at each length."""
    target = thresholds.FALSE_ALARM_TARGET
    return [
        {
            "seconds": stratum.seconds,
            "part": part,
            "review": calibration.needed(part, target, seconds=stratum.seconds),
            "blocked": calibration.needed(part, target * thresholds.BLOCKED_SHARE, seconds=stratum.seconds),
            "highest": max(stratum.best[part]),
            "scale": calibration.tail(stratum, part).scale,
        }
        for stratum in calibration.strata
        for part in calibration.parts
    ]


def _found(
    folder: Path, index: RecordingIndex, calibration: Calibration, n_tracks: int
) -> list[dict[str, Any]]:
    """Share of copies, 10 s each, that are found and placed at each target."""
    rng = np.random.default_rng(1)
    known = list(protocol.located(folder, protocol.tracks("references")).items())
    chosen = [known[place] for place in sorted(rng.permutation(len(known))[:n_tracks])]
    others = list(protocol.located(folder, protocol.tracks("test")).items())
    rows = []
    for name in FOUND:
        condition = CONDITIONS[name]
        length_s = 10.0
        asked: list[tuple[RecordingCheck, str, float]] = []
        for track, path in chosen:
            start_s, piece = excerpt(path, track.seconds, length_s * condition.tempo, rng)
            other_track, other_path = others[int(rng.integers(len(others)))]
            other = piece[:0]
            if name.startswith("mixed"):
                other = excerpt(other_path, other_track.seconds, length_s * condition.tempo, rng)[1]
            heard = condition.of(piece, other, length_s, rng)
            sound = AudioFingerprint.of(heard, sample_rate_hz=RATE_HZ)
            found = _ask(sound, index, calibration, length_s, max(TARGETS))
            asked.append((found, str(path), start_s))
        for target in TARGETS:
            hits = [
                found_and_placed(_up_to(target, found), index, key, start_s, condition.tempo)
                for found, key, start_s in asked
            ]
            rows.append({"change": name, "target": target, "n": len(hits), "share": float(np.mean(hits))})
    return rows


def shapes(calibration: Calibration) -> Iterator[Figure]:
    """How often strangers have a p of a hundredth or a thousandth from a tail of each shape that others made.

    The tracks are split at random, two thirds and a third, ``N_SPLITS`` times; ``EXCERPTS`` excerpts of the first make
    the tails, and the rest are told. Above the level is wrong, below it cautious.
    """
    rng = np.random.default_rng(1)
    for stratum in calibration.strata:
        tracks = np.array(stratum.tracks)
        splits = []
        for _ in range(N_SPLITS):
            order = rng.permutation(np.unique(tracks))
            within = np.isin(tracks, order[: 2 * len(order) // 3])
            splits.append((rng.permutation(np.flatnonzero(within))[:EXCERPTS], np.flatnonzero(~within)))
        for shape in SHAPES:
            told: list[float] = []
            for kept, rest in splits:
                ps = []
                for part, reached in stratum.best.items():
                    values, scale = np.array(reached), thresholds.TAILS.get(part, thresholds.UNKNOWN_TAIL)[1]
                    tail = Tail(values[kept], tracks[kept], shape, scale)
                    ps.append([tail.chance(strength).p for strength in values[rest]])
                told += (1.0 - (1.0 - np.min(ps, axis=0)) ** len(ps)).tolist()
            for level in (0.01, 0.001):
                share = float((np.array(told) <= level).mean())
                name = f"calibration_shape_{shape:g}_p_at_most_{level:g}_{stratum.seconds:.0f}s"
                yield Figure(name, share / level, "times_promised", f"of={len(told)}")


def _up_to(target: float, found: RecordingCheck) -> RecordingCheck:
    """What is left of an answer if no larger p counts."""
    kept = [match for match in found.matches if match.p_value is not None and match.p_value <= target]
    return replace(found, matches=tuple(kept))


def _growth(references: Sequence[tuple[str, AudioFingerprint]], n_excerpts: int) -> Iterator[dict[str, Any]]:
    """What the target asks for in indexes of a part of the references."""
    order = np.random.default_rng(1).permutation(len(references))
    for share in SHARES[:-1]:
        chosen = [references[place] for place in order[: round(share * len(references))]]
        calibration = measure(RecordingIndex.build(chosen), Stock.load().drawn(n_excerpts))
        yield {"references": len(chosen), "needed": _needed(calibration)}


def _write(out: Path, tables: Mapping[str, Any], calibration: Calibration) -> None:
    out.mkdir(parents=True, exist_ok=True)
    told = json.dumps(tables, indent=1) + "\n"
    (FOLDER / HELD_OUT_NAME).write_text(told, encoding="utf-8")
    (out / "promise.svg").write_text(promise_chart(tables["held_out"], alone=True), encoding="utf-8")
    for stratum in calibration.strata:
        for part in calibration.parts:
            drawn = tail_chart(
                calibration, stratum.seconds, part, target=thresholds.FALSE_ALARM_TARGET, alone=True
            )
            (out / f"tail-{part}-{stratum.seconds:.0f}s.svg").write_text(drawn, encoding="utf-8")


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.calibration", description=__doc__.splitlines()[0])
    parser.add_argument("music", type=Path, metavar="DIR")
    parser.add_argument("--strangers", type=Path, metavar="FOLDER")
    parser.add_argument("--kept", type=Path, metavar="FOLDER")
    parser.add_argument(
        "--shapes",
        action="store_true",
        help="compare shapes of the tail on the whole stock, and nothing else",
    )
    parser.add_argument("--copies", type=int, default=0, metavar="N")
    parser.add_argument(
        "--excerpts", type=int, default=EXCERPTS, metavar="N", help="of each length, of the stock"
    )
    parser.add_argument("--out", type=Path, metavar="FOLDER")
    chosen = parser.parse_args(arguments)
    music, kept = chosen.music, chosen.kept
    try:
        if chosen.shapes:
            index = RecordingIndex.build(_references(music, kept))
            figures = shapes(measure(index, Stock.load()))
        elif chosen.strangers is None:
            parser.error("--strangers is needed, but for --shapes")
        else:
            figures = run(music, chosen.strangers, kept, chosen.copies, chosen.excerpts, chosen.out)
        for figure in figures:
            print(figure.line(), flush=True)
    except NothingToMeasureError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
