"""How an index grows: recall, time and bytes at a thousand recordings, ten thousand and so on.

    make bench ARGS="scale --protocol DIR --tracks 1000,10000,100000"

The index holds the references of `benchmarks.protocol`, and made-up recordings up to the size that is asked for. These
are drawn from the statistics of real ones: stretches of eight seconds out of the test group's music, which no reference
is in, one after another by chance, four minutes on average. Their items are the stretch's own with one bit in sixteen
turned over, their peaks are its own moved by up to three bands, and their vectors lie between its own and those of a
second stretch, so that few are the same and lists are nearly as crowded as with as much real music (``crowding``, in what
is printed, says how nearly). This shows speed, size and whether the right recording is still found; how often a stranger
is accused it can't show.

Every query is an excerpt of a reference, changed as `benchmarks.transformations` does. It is held against the index at
each size (`provenance.similarity.cascade`) and against a small one of the references alone, which is searched whole.
Times are CPU seconds of this process unless they are called wall. Fingerprints of the music are kept under
``benchmarks/out/prints`` for the next run; the index and the made-up ones are deleted.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import mmap
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import protocol
from benchmarks.figures import ROOT, Figure, NothingToMeasureError
from benchmarks.likeness import excerpt, found_and_placed
from benchmarks.transformations import CONDITIONS, RATE_HZ
from lib import plots
from provenance import audio
from provenance.similarity import cascade, recording, segmented
from provenance.similarity.chromaprint import items_of
from provenance.similarity.fingerprint import METHOD_VERSION, VECTOR_STEP, AudioFingerprint, in_steps
from provenance.similarity.index import RecordingIndex
from provenance.similarity.levels import N_BANDS, levels_of
from provenance.similarity.peaks import Peaks

OUT = ROOT / "benchmarks" / "out"
SIZES = (1_000, 10_000)
CHANGES = ("clean", "noise_0db", "mixed_0db", "mel80", "pitch_plus_1.5", "tempo_minus_8")
LENGTHS_S = (10.0, 5.0)
N_ADDED = 10
SEARCHED_WHOLE = 2_000
"""Recordings up to which an index that is searched whole is measured beside it."""

BLOCK_VECTORS = 16
BLOCK_ITEMS = 4 * BLOCK_VECTORS
BLOCK_FRAMES = 16 * BLOCK_VECTORS
BLOCKS = (20, 41)
"""Stretches of a made-up recording, the last exclusive: four minutes on average."""

MOVED_BANDS = 3
N_MASKS = 64

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Stretch:
    """Eight seconds of real music."""

    items: NDArray[np.uint32]
    peaks: Peaks
    vectors: Vectors


class Maker:
    """Makes up recordings out of stretches of real ones."""

    def __init__(self, sources: Iterable[AudioFingerprint], seed: int) -> None:
        self.stretches = [stretch for one in sources for stretch in _stretches(one)]
        rng = np.random.default_rng(seed)
        words = rng.integers(0, 2**32, (4, N_MASKS, BLOCK_ITEMS, 2), dtype=np.uint32)
        self._masks = words[0] & words[1] & words[2] & words[3]
        self._seed = seed

    def made(self, number: int) -> AudioFingerprint:
        rng = np.random.default_rng((self._seed, number))
        n_blocks = int(rng.integers(*BLOCKS))
        one = [self.stretches[at] for at in rng.integers(len(self.stretches), size=n_blocks)]
        other = [self.stretches[at] for at in rng.integers(len(self.stretches), size=n_blocks)]
        share = np.repeat(rng.uniform(0.5, 1.0, n_blocks), BLOCK_VECTORS)[:, None].astype(np.float32)
        mixed = np.sqrt(share) * np.concatenate([stretch.vectors for stretch in one])
        mixed += np.sqrt(1 - share) * np.concatenate([stretch.vectors for stretch in other])
        mixed /= np.maximum(np.linalg.norm(mixed, axis=1, keepdims=True), 1e-9)
        masks = rng.integers(N_MASKS, size=n_blocks)
        items = np.concatenate(
            [stretch.items ^ self._masks[at] for stretch, at in zip(one, masks, strict=True)]
        )
        frames = [stretch.peaks.frames + at * BLOCK_FRAMES for at, stretch in enumerate(one)]
        moved = rng.integers(-MOVED_BANDS, MOVED_BANDS + 1, n_blocks)
        bands = [stretch.peaks.bands.astype(np.int16) + by for stretch, by in zip(one, moved, strict=True)]
        peaks = Peaks(
            np.concatenate(frames).astype(np.int32),
            np.clip(np.concatenate(bands), 0, N_BANDS - 1).astype(np.uint8),
            np.concatenate([stretch.peaks.strong for stretch in one]),
        )
        return AudioFingerprint(items, peaks, n_blocks * BLOCK_FRAMES, in_steps(mixed))


def _stretches(one: AudioFingerprint) -> Iterator[Stretch]:
    n_blocks = min(len(one.items) // BLOCK_ITEMS, len(one.vectors) // BLOCK_VECTORS)
    vectors = one.vectors.astype(np.float32) * np.float32(VECTOR_STEP)
    for at in range(min(n_blocks, one.n_frames // BLOCK_FRAMES)):
        first = at * BLOCK_FRAMES
        yield Stretch(
            one.items[at * BLOCK_ITEMS : (at + 1) * BLOCK_ITEMS],
            one.peaks.between(first, first + BLOCK_FRAMES).moved(-first),
            vectors[at * BLOCK_VECTORS : (at + 1) * BLOCK_VECTORS],
        )


class Shelf:
    """Stored fingerprints in one file, read through a map of it: what the database is to the product."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w+b")
        self._places: dict[str, tuple[int, int]] = {}
        self.wanted: dict[str, str] = {}
        self.n_bytes = 0

    def put(self, key: str, payload: bytes) -> None:
        self._file.write(payload)
        self._places[key] = self.n_bytes, self.n_bytes + len(payload)
        self.wanted[key] = hashlib.sha256(payload).hexdigest()
        self.n_bytes += len(payload)

    def close(self) -> None:
        self._file.close()

    def __call__(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        self._file.flush()
        with mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            return {key: mapped[slice(*self._places[key])] for key in keys if key in self._places}


@dataclass(frozen=True)
class Query:
    key: str
    change: str
    seconds: float
    start_s: float
    sound: AudioFingerprint
    levels: NDArray[np.float16]
    fingerprint_s: float


@dataclass
class Grown:
    """What was measured at one size; times are means of a query, in milliseconds of CPU unless called wall."""

    recordings: int = 0
    vectors: int = 0
    build_s: float = 0.0
    add_ten_s: float = 0.0
    index_mb: float = 0.0
    index_kb_a_recording: float = 0.0
    prints_kb_a_recording: float = 0.0
    memory_mb: float = 0.0
    """The most that this process ever held, with all that it made up."""
    fingerprint_ms: float = 0.0
    plain_candidates_ms: float = 0.0
    read_ms: float = 0.0
    judge_ms: float = 0.0
    full_candidates_ms: float = 0.0
    plain_ms: float = 0.0
    plain_wall_ms: float = 0.0
    plain_worst_ms: float = 0.0
    full_ms: float = 0.0
    full_wall_ms: float = 0.0
    full_worst_ms: float = 0.0
    whole_ms: float = 0.0
    whole_wall_ms: float = 0.0
    whole_worst_ms: float = 0.0
    queries: int = 0
    found: int = 0
    found_small: int = 0
    among_plain: int = 0
    among_full: int = 0
    by_change: dict[str, str] = field(default_factory=dict)


def measure(
    folder: Path,
    sizes: Sequence[int] = SIZES,
    *,
    n_excerpts: int = 10,
    changes: Sequence[str] = CHANGES,
    seed: int = 1,
    work: Path | None = None,
) -> Iterator[Figure]:
    """Measure at each size, and write ``scale.csv`` and ``scale.svg`` under ``benchmarks/out``."""
    references = _prints(folder, "references")
    maker = Maker((one for one in _prints(folder, "test").values()), seed)
    yield from _crowding(folder, maker)
    small = RecordingIndex.build(references.items())
    queries = list(_queries(folder, list(references), n_excerpts, changes, seed))
    recording.check(queries[0].sound, small)  # what is loaded and put in order once is no part of a check
    known = [_found(recording.check(q.sound, small, query_seconds=q.seconds), small, q) for q in queries]
    grown = []
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="liner-scale-", dir=work) as place:
            grown.append(_at(size, references, maker, queries, known, small, Path(place)))
        _write(grown)
        for name, value in asdict(grown[-1]).items():
            if isinstance(value, (int, float)):
                yield Figure(f"scale_{size}_{name}", float(value), _unit(name))
        for change, told in grown[-1].by_change.items():
            print(f"{size} {change}: found {told}", file=sys.stderr)


def _at(
    size: int,
    references: Mapping[str, AudioFingerprint],
    maker: Maker,
    queries: Sequence[Query],
    known: Sequence[bool],
    small: RecordingIndex,
    place: Path,
) -> Grown:
    shelf = Shelf(place / "prints")
    for key, one in references.items():
        shelf.put(key, one.packed)
    for number in range(size - len(references)):
        shelf.put(f"made-up-{number:07}", maker.made(number).packed)
    build_s, _, index = _timed(lambda: segmented.build(place / "index", shelf.wanted, shelf))
    out = Grown(recordings=len(index), vectors=index.facts.n_windows, build_s=build_s)
    for number in range(N_ADDED):
        shelf.put(f"added-{number}", maker.made(10**7 + number).packed)
    out.add_ten_s, _, index = _timed(lambda: segmented.build(place / "index", shelf.wanted, shelf))
    out.index_mb = index.n_bytes / 1e6
    out.index_kb_a_recording = index.n_bytes / len(index) / 1e3
    out.prints_kb_a_recording = shelf.n_bytes / len(index) / 1e3
    tallies: dict[str, list[tuple[bool, bool, bool, bool]]] = {}
    times: dict[str, list[float]] = {}
    for query, in_small in zip(queries, known, strict=True):
        held = _held(query, index, small, times)
        tallies.setdefault(f"{query.change} {query.seconds:.0f} s", []).append((*held, in_small))
    if size <= SEARCHED_WHOLE:
        keys = [key for key in shelf.wanted if not key.startswith("added")]
        whole = RecordingIndex.build((key, AudioFingerprint.unpack(shelf([key])[key])) for key in keys)
        recording.check(queries[0].sound, whole)
        for query in queries:
            cpu, wall, _ = _timed(partial(recording.check, query.sound, whole, query_seconds=query.seconds))
            times.setdefault("whole_ms", []).append(cpu)
            times.setdefault("whole_wall_ms", []).append(wall)
    shelf.close()
    segmented._open.clear()
    rows = [row for tally in tallies.values() for row in tally]
    out.queries = len(rows)
    out.among_plain, out.among_full, out.found, out.found_small = (
        sum(column) for column in zip(*rows, strict=True)
    )
    out.by_change = {
        change: f"{sum(row[2] for row in tally)} of {len(tally)}, small {sum(row[3] for row in tally)}, "
        f"among candidates {sum(row[0] for row in tally)} plain, {sum(row[1] for row in tally)} full"
        for change, tally in tallies.items()
    }
    for name, values in times.items():
        setattr(out, name, 1e3 * float(np.mean(values)))
        if name.endswith("_wall_ms"):
            setattr(out, name.replace("wall", "worst"), 1e3 * max(values))
    out.memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return out


def _held(
    query: Query, index: segmented.SegmentedIndex, small: RecordingIndex, times: dict[str, list[float]]
) -> tuple[bool, bool, bool]:
    """Whether the right recording is among the candidates of either tier, and whether the query is found.

    Both tiers are gone through, though a check is content with the plain one where that accepts something.
    """
    spent = {"ms": 0.0, "wall_ms": 0.0}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        cpu, wall, done = _timed(work)
        times.setdefault(name, []).append(cpu)
        spent["ms"] += cpu
        spent["wall_ms"] += wall
        return done

    def held_against(numbers: list[int]) -> recording.RecordingCheck:
        few = timed("read_ms", lambda: index.narrowed(numbers))
        found: recording.RecordingCheck = timed(
            "judge_ms", lambda: recording.check(query.sound, few, query_seconds=query.seconds)
        )
        return found

    times.setdefault("fingerprint_ms", []).append(query.fingerprint_s)
    plain = timed("plain_candidates_ms", lambda: cascade.plain_candidates(query.sound, index))
    first = held_against(plain)
    for name, value in spent.items():
        times.setdefault(f"plain_{name}", []).append(value)
    full = timed("full_candidates_ms", lambda: cascade.full_candidates(query.levels, index))
    together = cascade.together(plain, full)
    second = held_against(together)
    for name, value in spent.items():
        times.setdefault(f"full_{name}", []).append(value)
    answer = second if first.verdict == "no_match" else first
    keys = [[index.segments[n >> 16].keys[n & 0xFFFF] for n in numbers] for numbers in (plain, together)]
    return query.key in keys[0], query.key in keys[1], _found(answer, small, query)


def _found(answer: recording.RecordingCheck, small: RecordingIndex, query: Query) -> bool:
    known = set(small.recordings)
    told = replace(answer, matches=tuple(match for match in answer.matches if match.key in known))
    return found_and_placed(told, small, query.key, query.start_s, CONDITIONS[query.change].tempo)


def _queries(folder: Path, keys: Sequence[str], n: int, changes: Sequence[str], seed: int) -> Iterator[Query]:
    tracks = {track.sha256: track for track in protocol.tracks("references")}
    paths = protocol.located(folder, tracks.values())
    others = protocol.located(folder, protocol.tracks("calibration"))
    rng = np.random.default_rng(seed)
    longest = max(LENGTHS_S)
    chosen = [tracks[keys[at]] for at in rng.permutation(len(keys)) if tracks[keys[at]].seconds > 20.0][:n]
    for change in changes:
        condition = CONDITIONS[change]
        for track in chosen:
            start_s, piece = excerpt(paths[track], track.seconds, longest * condition.tempo, rng)
            other = list(others)[int(rng.integers(len(others)))]
            _, laid_over = excerpt(others[other], other.seconds, longest * condition.tempo, rng)
            heard = condition.of(piece, laid_over, longest, rng)
            for seconds in LENGTHS_S:
                samples = heard[: round(seconds * RATE_HZ)]
                began = time.process_time()
                levels = levels_of(samples, sample_rate_hz=RATE_HZ)
                sound = AudioFingerprint.of_parts(items_of(samples, sample_rate_hz=RATE_HZ), levels)
                took = time.process_time() - began
                yield Query(track.sha256, change, len(samples) / RATE_HZ, start_s, sound, levels, took)


def _prints(folder: Path, group: str) -> dict[str, AudioFingerprint]:
    """Fingerprints of a group of the protocol, from where an earlier run kept them or from the music."""
    kept = OUT / "prints"
    kept.mkdir(parents=True, exist_ok=True)
    tracks = protocol.tracks(group)
    lacking = [track for track in tracks if not _kept(kept, track.sha256).exists()]
    for track, path in protocol.located(folder, lacking).items():
        _kept(kept, track.sha256).write_bytes(audio.survey(path).fingerprint.packed)
    return {track.sha256: AudioFingerprint.unpack(_kept(kept, track.sha256).read_bytes()) for track in tracks}


def _kept(folder: Path, sha256: str) -> Path:
    return folder / f"{sha256}-{METHOD_VERSION}.print"


def _crowding(folder: Path, maker: Maker) -> Iterator[Figure]:
    """How alike the nearest of as many vectors are to strangers' ones: made up, beside real."""
    strangers = _vectors(_prints(folder, "calibration").values(), 500)
    real = _vectors(_prints(folder, "test").values(), 20_000)
    made_up = _vectors((maker.made(number) for number in range(200)), 20_000)
    n = min(len(real), len(made_up))
    nearest = [(strangers @ side[:n].T).max(axis=1) for side in (made_up, real)]
    for name, share in (("median", 0.5), ("95th", 0.95)):
        ours, theirs = (float(np.quantile(one, share)) for one in nearest)
        yield Figure(f"crowding_{name}", ours, "cosine", "real_music", ours / theirs)


def _vectors(prints: Iterable[AudioFingerprint], n: int) -> Vectors:
    together = np.concatenate([one.vectors for one in prints])
    heard = together[together.any(axis=1)]
    drawn = heard[np.random.default_rng(0).permutation(len(heard))[:n]]
    return drawn.astype(np.float32) * np.float32(VECTOR_STEP)


def _timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """CPU and wall seconds, and what came of it."""
    cpu, wall = time.process_time(), time.perf_counter()
    done = work()
    return time.process_time() - cpu, time.perf_counter() - wall, done


def _unit(name: str) -> str:
    for suffix, unit in (("_ms", "ms"), ("_s", "s_cpu"), ("_mb", "MB"), ("kb_a_recording", "KB")):
        if name.endswith(suffix):
            return unit
    return "count"


def _write(grown: Sequence[Grown]) -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    names = [one.name for one in fields(Grown) if one.name != "by_change"]
    with (OUT / "scale.csv").open("w", newline="", encoding="utf-8") as opened:
        table = csv.writer(opened, lineterminator="\n")
        table.writerow(names)
        table.writerows([getattr(one, name) for name in names] for one in grown)
    (OUT / "scale.svg").write_text(_drawn(sorted(grown, key=lambda one: one.recordings)), encoding="utf-8")


def _drawn(grown: Sequence[Grown]) -> str:
    curves = {
        "plain tier": ("plain_ms", "solid"),
        "both tiers": ("full_ms", "thin"),
        "searched whole": ("whole_ms", "dashed"),
    }
    points = {
        label: [(float(one.recordings), getattr(one, name)) for one in grown if getattr(one, name)]
        for label, (name, _) in curves.items()
    }
    highest = max(value for line in points.values() for _, value in line)
    sizes = [one.recordings for one in grown]
    return plots.chart(
        "CPU time of a check by the size of the index",
        x=plots.Axis("recordings", min(sizes) / 2, max(sizes) * 2, is_log=True),
        y=plots.Axis("ms of CPU", 0.0, 1.1 * highest),
        curves=[plots.Curve(label, points[label], stroke) for label, (_, stroke) in curves.items()],
        alone=True,
    )


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks scale", description=__doc__.partition("\n")[0])
    parser.add_argument("--protocol", type=Path, required=True, metavar="DIR")
    parser.add_argument("--tracks", default=",".join(map(str, SIZES)), metavar="N,N,…")
    parser.add_argument("--excerpts", type=int, default=10, metavar="N", help="references to take them of")
    parser.add_argument("--changes", nargs="+", choices=list(CONDITIONS), default=CHANGES, metavar="CHANGE")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, metavar="DIR", help="where the index is built, and then deleted")
    chosen = parser.parse_args(arguments)
    sizes = [int(size) for size in chosen.tracks.split(",")]
    try:
        for figure in measure(
            chosen.protocol,
            sizes,
            n_excerpts=chosen.excerpts,
            changes=chosen.changes,
            seed=chosen.seed,
            work=chosen.work,
        ):
            print(figure.line(), flush=True)
    except NothingToMeasureError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
