"""Whether p-values keep their promise: strangers that no threshold was read off, against an index that was calibrated.

    python -m benchmarks.strangers DIR --group test --excerpts 5 --lengths 5 10 --out STRANGERS
    python -m benchmarks.calibration DIR --strangers STRANGERS [--answers ANSWERS] [--kept KEPT] [--out docs/calibration]

DIR holds the packages of benchmarks/protocol.py. The references are indexed, the index is calibrated as ``index_dataset``
does it, with the shipped stock, and every excerpt of the test group is given its p-value. If the p-values are right, a
tenth of the excerpts have one of at most a tenth, a hundredth one of at most a hundredth; fewer is cautious, more is
wrong. Intervals come from drawing tracks anew. ANSWERS is what ``make bench ARGS="likeness --protocol DIR --answers
ANSWERS"`` kept of copies and of strangers: what is missed at each share of false alarms. ``--out`` writes the drawings
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import protocol
from benchmarks.answers import STRANGER, read
from benchmarks.figures import Figure, NothingToMeasureError
from benchmarks.fingerprint_music import hear
from provenance import audio
from provenance.similarity import thresholds
from provenance.similarity.calibration import Calibration, Judging, Stratum, Tail, measure
from provenance.similarity.drawing import groups_chart, misses_chart, promise_chart, tail_chart
from provenance.similarity.fingerprint import AudioFingerprint
from provenance.similarity.index import RecordingIndex
from provenance.similarity.musicnn import Musicnn
from provenance.similarity.recording import RecordingCheck, check
from provenance.similarity.strangers import FOLDER, HELD_OUT_NAME, Stock, Stranger

LEVELS = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.001)
"""Shares of false alarms that are looked at."""

SHARES = (0.25, 0.5, 1.0)
"""Shares of the references that an index is built of, to see what growth does."""

LENGTHS_S = (5.0, 10.0, 30.0)
"""Of copies; what ended early counts with the nearest."""

P_LEVELS = tuple(10.0 ** (step / 4.0) for step in range(-24, 1))
"""From a millionth to one."""

GENRES = {
    "classical": 1,
    "techno": 3,
    "electronic": 6,
    "rock": 7,
    "ambient": 10,
    "indian": 16,
    "opera": 17,
    "pop": 29,
    "new age": 37,
    "dance": 38,
    "country": 46,
    "metal": 47,
}
"""Places of the genres among the 50 tags that musicnn names."""

FAMILIES = {
    "codecs, filters, noise": ("clean", "mp3", "opus", "lowpass", "noise", "reverb", "echo"),
    "tempo, speed, pitch": ("tempo", "speed", "pitch"),
    "other music over it": ("mixed",),
    "put together anew": ("mel", "own_codec"),
    "three seconds of it in other music": ("replicated_10pct",),
    "a second and a half": ("replicated_5pct",),
    "0.6 seconds": ("replicated_2pct",),
}
"""Changes that are drawn as one, by how their names begin."""

SHAPES = (0.0, 0.1)
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
    folder: Path, strangers: Path, kept: Path | None, answers: Path | None, n_excerpts: int, out: Path | None
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
        "by_package": _by_group(told, {track.sha256: track.package for track in protocol.tracks("test")}),
        "by_genre": _by_group(told, _genres(folder)),
        "needed": _needed(calibration),
    }
    for row in tables["held_out"]:
        name = f"calibration_p_at_most_{row['level']:g}_{row['seconds']:.0f}s"
        yield Figure(name, row["share"], "share", f"of={row['n']},from={row['low']:.4f},to={row['high']:.4f}")
    if out is not None:
        _write(out, tables, calibration)
    if answers is not None:
        tables["misses"] = _misses(answers)
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


def _by_group(told: Sequence[Told], group_of: Mapping[str, str]) -> list[dict[str, Any]]:
    """What the music is like matters: the same shares for each group of the test tracks."""
    rows = []
    for name in sorted(set(group_of.values())):
        here = [one for one in told if group_of.get(one.stranger.excerpt.track_sha256) == name]
        _, low, high = _share(here, 0.1)
        rows.append(
            {
                "name": name,
                "tracks": len({one.stranger.excerpt.track_sha256 for one in here}),
                "n": len(here),
                "tenth": sum(one.p <= 0.1 for one in here),
                "hundredth": sum(one.p <= 0.01 for one in here),
                "thousandth": sum(one.p <= 0.001 for one in here),
                "low": low,
                "high": high,
            }
        )
    return rows


def _genres(folder: Path) -> dict[str, str]:
    """What musicnn calls each track of the test group, of the genres among its tags: nobody else says it of most."""
    heard = Musicnn.load()
    places, names = list(GENRES.values()), list(GENRES)
    named = {}
    for track, path in protocol.located(folder, protocol.tracks("test")).items():
        tags = np.nanmean(heard.tags(audio.survey(path).excerpts), axis=0)
        named[track.sha256] = names[int(np.argmax(tags[places]))]
    return named


def _needed(calibration: Calibration) -> list[dict[str, Any]]:
    """Strengths that the target asks for, in each part and at each length."""
    target = thresholds.FALSE_ALARM_TARGET
    return [
        {
            "seconds": stratum.seconds,
            "part": part,
            "review": calibration.needed(part, target, seconds=stratum.seconds),
            "blocked": calibration.needed(part, target * thresholds.BLOCKED_SHARE, seconds=stratum.seconds),
            "highest": float(stratum.reached(part)[0].max()),
            "scale": calibration.tail(stratum, part).scale,
        }
        for stratum in calibration.strata
        for part in calibration.parts
    ]


def _misses(answers: Path) -> list[dict[str, Any]]:
    """What was asked of each family of changes and length: which share of the copies is missed at each p."""
    right: dict[tuple[str, float], list[float]] = defaultdict(list)
    for one in read(answers):
        if one.change != STRANGER:
            length_s = min(LENGTHS_S, key=lambda length_s: abs(length_s - one.seconds))
            right[_family(one.change), length_s].append(one.right_p)
    return [
        {
            "family": family,
            "seconds": seconds,
            "n": len(ps),
            "points": [{"p": level, "missed": float(np.mean(np.array(ps) > level))} for level in P_LEVELS],
        }
        for (family, seconds), ps in sorted(right.items())
    ]


def _family(change: str) -> str:
    return next((family for family, names in FAMILIES.items() if change.startswith(names)), change)


def shapes(calibration: Calibration) -> Iterator[Figure]:
    """How often strangers have a p of a hundredth or less from a tail of each shape that others made.

    The tracks are split at random, two thirds and a third, ``N_SPLITS`` times; ``EXCERPTS`` excerpts of the first make
    the tails, and the rest are told. Above 1 is wrong, below it cautious. First for each part by itself, then for all
    together with the shapes in force.
    """
    for stratum in calibration.strata:
        for part in stratum.best:
            alone = _complete(stratum, [part])
            splits = list(_splits(np.array(alone.tracks)))
            for shape in SHAPES:
                told = _told_by_others(alone, part, shape, splits)
                yield from _times_promised(f"calibration_{part}_shape_{shape:g}", told, stratum.seconds)
        every = _complete(stratum, list(stratum.best))
        splits = list(_splits(np.array(every.tracks)))
        in_force = [
            _told_by_others(every, part, thresholds.TAILS.get(part, thresholds.UNKNOWN_TAIL)[0], splits)
            for part in every.best
        ]
        together = 1.0 - (1.0 - np.min(in_force, axis=0)) ** len(in_force)
        yield from _times_promised("calibration_in_force", together, stratum.seconds)


def _complete(stratum: Stratum, parts: Sequence[str]) -> Stratum:
    """The strangers that were looked for by all of some parts, and nothing from inside the index."""
    rows = [
        (track, *values)
        for track, *values in zip(stratum.tracks, *(stratum.best[part] for part in parts), strict=True)
        if None not in values
    ]
    tracks, *columns = zip(*rows, strict=True)
    return Stratum(stratum.seconds, tracks, dict(zip(parts, columns, strict=True)))


def _splits(tracks: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Excerpts that make a tail, and those of other tracks that are told by it."""
    rng = np.random.default_rng(1)
    for _ in range(N_SPLITS):
        order = rng.permutation(np.unique(tracks))
        within = np.isin(tracks, order[: 2 * len(order) // 3])
        yield rng.permutation(np.flatnonzero(within))[:EXCERPTS], np.flatnonzero(~within)


def _told_by_others(
    stratum: Stratum, part: str, shape: float, splits: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]]
) -> NDArray[np.float64]:
    """The p of each excerpt that is told, all splits after another."""
    values, tracks = stratum.reached(part)
    scale = thresholds.TAILS.get(part, thresholds.UNKNOWN_TAIL)[1]
    told: list[float] = []
    for kept, rest in splits:
        tail = Tail(values[kept], tracks[kept], shape, scale)
        told += [tail.chance(strength).p for strength in values[rest]]
    return np.array(told)


def _times_promised(name: str, told: NDArray[np.float64], seconds: float) -> Iterator[Figure]:
    for level in (0.01, 0.001):
        times = float((told <= level).mean() / level)
        yield Figure(f"{name}_p_at_most_{level:g}_{seconds:.0f}s", times, "times_promised", f"of={len(told)}")


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
    for grouping in ("by_package", "by_genre"):
        drawn = groups_chart(tables[grouping], alone=True)
        (out / f"{grouping.replace('_', '-')}.svg").write_text(drawn, encoding="utf-8")
    for seconds in sorted({row["seconds"] for row in tables.get("misses", [])}):
        drawn = misses_chart([row for row in tables["misses"] if row["seconds"] == seconds], alone=True)
        (out / f"misses-{seconds:.0f}s.svg").write_text(drawn, encoding="utf-8")
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
    parser.add_argument("--answers", type=Path, metavar="FILE")
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
            figures = run(music, chosen.strangers, kept, chosen.answers, chosen.excerpts, chosen.out)
        for figure in figures:
            print(figure.line(), flush=True)
    except NothingToMeasureError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
