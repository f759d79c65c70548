"""How an index grows: recall, time and bytes at a thousand recordings, ten thousand and so on.

    make bench ARGS="scale --protocol DIR --tracks 1000,10000,100000,1000000 --work WORK --out docs/scale"

The index holds the references of `benchmarks.protocol`, and made-up recordings up to the size that is asked for. These
are drawn from the statistics of real ones: stretches of eight seconds out of the test group's music, which no reference
is in, one after another by chance, four minutes on average. Their items are the stretch's own with one bit in sixteen
turned over, their peaks are its own moved by up to three bands, and their vectors lie between its own and those of a
second stretch, so that few are the same and lists are nearly as crowded as with as much real music (``crowding``, in what
is printed, says how nearly). This shows speed, size and whether the right recording is still found; how often a stranger
is accused it can't show.

A made-up recording's fingerprint follows from its number. It is made when it is asked for, by a build or for a
candidate, and never stored: of a million that would be 60 GB. On disk are the index, and 32 bytes of digest each.

Every query is an excerpt of a reference, changed as `benchmarks.transformations` does. It is held against the index at
each size (`provenance.similarity.cascade`) and against a small one of the references alone, which is searched whole.
Times are CPU seconds of this process unless they are called wall, and without what making recordings up takes.
Fingerprints of the music are kept under ``benchmarks/out/prints`` for the next run. Without ``--work`` an index is
deleted when it was measured; with it, it stays there, and a build that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
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
from provenance.similarity import cascade, fingerprint, recording, segmented, segmented_build
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
N_WEIGHED = 500
SEARCHED_WHOLE = 2_000
"""Recordings up to which an index that is searched whole is measured beside it."""

BLOCK_VECTORS = 16
BLOCK_ITEMS = 4 * BLOCK_VECTORS
BLOCK_FRAMES = 16 * BLOCK_VECTORS
BLOCKS = (20, 41)
"""Stretches of a made-up recording, the last exclusive: four minutes on average."""

MOVED_BANDS = range(-3, 4)
MADE_UP = "made-up-"
N_MASKS = 64

Vectors = NDArray[np.float32]


class Maker:
    """Makes up recordings out of stretches of eight seconds of real ones, each out of its number alone."""

    def __init__(self, sources: Iterable[AudioFingerprint], seed: int) -> None:
        taken = [stretch for one in sources for stretch in _stretches(one)]
        self.items = np.stack([one.items for one in taken])
        self.vectors = np.stack([one.vectors.astype(np.float32) for one in taken])
        self._counts = [np.bincount(one.peaks.frames // 16, minlength=16).astype(np.uint8) for one in taken]
        self._peaks = [[_moved(one.peaks, by) for by in MOVED_BANDS] for one in taken]
        rng = np.random.default_rng(seed)
        words = rng.integers(0, 2**32, (4, N_MASKS, BLOCK_ITEMS, 2), dtype=np.uint32)
        self._masks = words[0] & words[1] & words[2] & words[3]
        self._seed = seed
        told = hashlib.sha256(f"{METHOD_VERSION} {seed}".encode())
        told.update(self.items.tobytes() + self.vectors.tobytes())
        self.sha256 = told.hexdigest()

    def made(self, number: int) -> AudioFingerprint:
        return AudioFingerprint.unpack(self.packed(number))

    def packed(self, number: int) -> bytes:
        rng = np.random.default_rng((self._seed, number))
        n_blocks = int(rng.integers(*BLOCKS))
        one, other = (rng.integers(len(self.items), size=n_blocks) for _ in range(2))
        share = rng.uniform(0.5, 1.0, n_blocks).astype(np.float32)[:, None, None]
        masks = rng.integers(N_MASKS, size=n_blocks)
        moved = rng.integers(len(MOVED_BANDS), size=n_blocks)
        mixed = np.sqrt(share) * self.vectors[one] + np.sqrt(1 - share) * self.vectors[other]
        mixed *= 1 / np.maximum(np.linalg.norm(mixed, axis=2, keepdims=True), 1e-9)
        peaks = [self._peaks[at][by] for at, by in zip(one.tolist(), moved.tolist(), strict=True)]
        parts = (
            self.items[one] ^ self._masks[masks],
            *(self._counts[at] for at in one.tolist()),
            *peaks,
            in_steps(mixed),
        )
        header = fingerprint._HEADER.pack(
            fingerprint._MAGIC,
            fingerprint._FORMAT,
            int(METHOD_VERSION),
            n_blocks * BLOCK_ITEMS,
            n_blocks * BLOCK_FRAMES,
            sum(map(len, peaks)),
            n_blocks * BLOCK_VECTORS,
        )
        return header + b"".join(part.tobytes() for part in parts)


def _stretches(one: AudioFingerprint) -> Iterator[AudioFingerprint]:
    n_blocks = min(len(one.items) // BLOCK_ITEMS, len(one.vectors) // BLOCK_VECTORS)
    for at in range(min(n_blocks, one.n_frames // BLOCK_FRAMES)):
        first = at * BLOCK_FRAMES
        yield AudioFingerprint(
            one.items[at * BLOCK_ITEMS : (at + 1) * BLOCK_ITEMS],
            one.peaks.between(first, first + BLOCK_FRAMES).moved(-first),
            BLOCK_FRAMES,
            one.vectors[at * BLOCK_VECTORS : (at + 1) * BLOCK_VECTORS],
        )


def _moved(peaks: Peaks, by: int) -> NDArray[np.uint16]:
    """Peaks of a stretch as a fingerprint keeps them, so many bands higher."""
    bands = np.clip(peaks.bands.astype(np.int16) + by, 0, N_BANDS - 1).astype(np.uint16)
    strong = np.where(peaks.strong, fingerprint._STRONG, 0).astype(np.uint16)
    coded = (peaks.frames % 16).astype(np.uint16) << fingerprint._FRAME_SHIFT | strong | bands
    return coded.astype(np.uint16)


class Shelf:
    """Stored fingerprints, as the database is to the product: real ones, and made-up ones that are made when asked for.

    Of these nothing is kept but digests, in a file that the next run finds, for 60 KB of each would be 60 GB of a
    million.

    Parameters
    ----------
    real : mapping of str to AudioFingerprint
    maker : Maker
    n_made : int
        How many to make up.
    place : Path
        Folder of the file of digests.
    """

    def __init__(self, real: Mapping[str, AudioFingerprint], maker: Maker, n_made: int, place: Path) -> None:
        self._real = {key: one.packed for key, one in real.items()}
        self._maker = maker
        self._fresh: dict[str, bytes] = {}
        self._known = np.memmap(
            _grown(place / f"{maker.sha256[:16]}.digests", 32 * n_made), np.uint8, "r+"
        ).reshape(-1, 32)
        self.keys = [*self._real, *(f"{MADE_UP}{number:07}" for number in range(n_made))]
        self.made_s = 0.0
        """CPU seconds of making up."""

    def __call__(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        return {key: self._fresh.pop(key, b"") or self._real.get(key) or self._made(key) for key in keys}

    def digest(self, key: str) -> str:
        if key in self._real:
            return hashlib.sha256(self._real[key]).hexdigest()
        known = self._known[int(key.removeprefix(MADE_UP))]
        if not known.any():
            self._fresh[key] = self._made(key)
            known[:] = np.frombuffer(hashlib.sha256(self._fresh[key]).digest(), np.uint8)
            if len(self._fresh) > segmented_build.BATCH:
                del self._fresh[next(iter(self._fresh))]
        return bytes(known).hex()

    def _made(self, key: str) -> bytes:
        began = time.process_time()
        made = self._maker.packed(int(key.removeprefix(MADE_UP)))
        self.made_s += time.process_time() - began
        return made


class Wanted(Mapping[str, str]):
    """The keys of a shelf, each with its digest, which is not made before it is asked for."""

    def __init__(self, shelf: Shelf) -> None:
        self._keys = dict.fromkeys(shelf.keys)
        self._digest = shelf.digest

    def __getitem__(self, key: str) -> str:
        if key not in self._keys:
            raise KeyError(key)
        return self._digest(key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


def _grown(path: Path, n_bytes: int) -> Path:
    with path.open("ab") as opened:
        opened.truncate(max(n_bytes, opened.tell()))
    return path


class Spent:
    """What building an index has taken so far, in a file, for a build that was stopped goes on in another run."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.so_far: dict[str, float] = {"build_s": 0.0, "build_wall_s": 0.0, "make_up_s": 0.0}
        if path.exists():
            self.so_far = json.loads(path.read_text(encoding="utf-8"))

    @contextmanager
    def building(self, shelf: Shelf) -> Iterator[Callable[[int, int], None]]:
        """Give what a build tells its progress."""
        before, cpu, wall = dict(self.so_far), time.process_time(), time.perf_counter()

        def told(*_: int) -> None:
            self.so_far = {
                "build_s": before["build_s"] + time.process_time() - cpu - shelf.made_s,
                "build_wall_s": before["build_wall_s"] + time.perf_counter() - wall,
                "make_up_s": before["make_up_s"] + shelf.made_s,
            }
            self._path.write_text(json.dumps(self.so_far), encoding="utf-8")

        yield told
        if shelf.made_s or not any(before.values()):
            told()
        else:
            self.so_far = before  # it stood already


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
    """CPU of all runs that built it, without making recordings up."""
    build_wall_s: float = 0.0
    """With making them up."""
    make_up_s: float = 0.0
    open_s: float = 0.0
    """To read and verify all of it, once a process."""
    open_wall_s: float = 0.0
    add_ten_s: float = 0.0
    index_mb: float = 0.0
    index_kb_a_recording: float = 0.0
    prints_kb_a_recording: float = 0.0
    build_memory_mb: float = 0.0
    """The most that this process held until then, with pages of mapped files and all that it made up."""
    memory_mb: float = 0.0
    """The same until the end."""
    unmapped_mb: float = 0.0
    """What it holds at the end without pages of mapped files."""
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
    out: Path = OUT,
) -> Iterator[Figure]:
    """Measure at each size, and write ``scale.csv``, ``times.svg`` and ``sizes.svg``."""
    references = prints(folder, "references")
    maker = Maker((one for one in prints(folder, "test").values()), seed)
    yield from _crowding(folder, maker)
    small = RecordingIndex.build(references.items())
    asked = list(queries(folder, list(references), n_excerpts, changes, seed))
    recording.check(asked[0].sound, small)  # what is loaded and put in order once is no part of a check
    known = [found(recording.check(q.sound, small, query_seconds=q.seconds), small, q) for q in asked]
    grown = []
    for size in sizes:
        with ExitStack() as kept:
            place = work and work / f"scale-{size}"
            if place is None:
                place = Path(kept.enter_context(tempfile.TemporaryDirectory(prefix="liner-scale-")))
            place.mkdir(parents=True, exist_ok=True)
            grown.append(_at(size, references, maker, asked, known, small, place))
        write(out, grown)
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
    path, told = place / "index", Spent(place / "spent.json")
    shelf = Shelf(references, maker, size - len(references), place)
    with told.building(shelf) as progress:
        index = segmented_build.build(path, Wanted(shelf), shelf, progress=progress)
    out = Grown(recordings=len(index), vectors=index.facts.n_windows)
    for name, value in told.so_far.items():
        setattr(out, name, value)
    out.index_mb = index.n_bytes / 1e6
    out.index_kb_a_recording = index.n_bytes / len(index) / 1e3
    out.build_memory_mb = _most_mb()
    segmented._open.clear()
    del index
    out.open_s, out.open_wall_s, index = _timed(lambda: segmented.load(path, shelf))
    few = shelf(shelf.keys[-N_WEIGHED:])
    out.prints_kb_a_recording = sum(map(len, few.values())) / len(few) / 1e3
    added = Shelf(references, maker, size - len(references) + N_ADDED, place)
    wanted = Wanted(added)
    took, _, index = _timed(lambda: segmented_build.build(path, wanted, added))
    out.add_ten_s = took - added.made_s
    _held(queries[0], index, small, {})  # as there
    tallies: dict[str, list[tuple[bool, bool, bool, bool]]] = {}
    times: dict[str, list[float]] = {}
    for query, in_small in zip(queries, known, strict=True):
        held = _held(query, index, small, times)
        tallies.setdefault(f"{query.change} {query.seconds:.0f} s", []).append((*held, in_small))
    if size <= SEARCHED_WHOLE:
        whole = RecordingIndex.build(
            (key, AudioFingerprint.unpack(payload)) for key, payload in shelf(shelf.keys).items()
        )
        recording.check(queries[0].sound, whole)
        for query in queries:
            cpu, wall, _ = _timed(partial(recording.check, query.sound, whole, query_seconds=query.seconds))
            times.setdefault("whole_ms", []).append(cpu)
            times.setdefault("whole_wall_ms", []).append(wall)
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
    out.memory_mb, out.unmapped_mb = _most_mb(), _unmapped_mb()
    return out


def _held(
    query: Query, index: segmented.SegmentedIndex, small: RecordingIndex, times: dict[str, list[float]]
) -> tuple[bool, bool, bool]:
    """Whether the right recording is among the candidates of either tier, and whether the query is found.

    Both tiers are gone through, though a check is content with the plain one where that accepts something.
    """
    spent = {"ms": 0.0, "wall_ms": 0.0}
    shelf: Any = index._prints

    def timed(name: str, work: Callable[[], Any]) -> Any:
        made_before = shelf.made_s
        cpu, wall, done = _timed(work)
        made_up = shelf.made_s - made_before
        cpu, wall = cpu - made_up, wall - made_up
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
    return query.key in keys[0], query.key in keys[1], found(answer, small, query)


def found(answer: recording.RecordingCheck, small: RecordingIndex, query: Query) -> bool:
    known = set(small.recordings)
    told = replace(answer, matches=tuple(match for match in answer.matches if match.key in known))
    return found_and_placed(told, small, query.key, query.start_s, CONDITIONS[query.change].tempo)


def queries(folder: Path, keys: Sequence[str], n: int, changes: Sequence[str], seed: int) -> Iterator[Query]:
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


def prints(folder: Path, group: str, *, with_levels: bool = False) -> dict[str, AudioFingerprint]:
    """Fingerprints of a group of the protocol, from where an earlier run kept them or from the music.

    Kept levels are left out unless they are asked for: a big index has none.
    """
    kept = OUT / "prints"
    kept.mkdir(parents=True, exist_ok=True)
    tracks = protocol.tracks(group)
    lacking = [track for track in tracks if not _kept(kept, track.sha256).exists()]
    for track, path in protocol.located(folder, lacking).items():
        _kept(kept, track.sha256).write_bytes(audio.survey(path).fingerprint.whole)
    read = {
        track.sha256: AudioFingerprint.unpack_whole(_kept(kept, track.sha256).read_bytes())
        for track in tracks
    }
    return read if with_levels else {key: one.with_levels(b"") for key, one in read.items()}


def _kept(folder: Path, sha256: str) -> Path:
    return folder / f"{sha256}-{METHOD_VERSION}.whole"


def _crowding(folder: Path, maker: Maker) -> Iterator[Figure]:
    """How alike the nearest of as many vectors are to strangers' ones: made up, beside real."""
    strangers = _vectors(prints(folder, "calibration").values(), 500)
    real = _vectors(prints(folder, "test").values(), 20_000)
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


def _most_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _unmapped_mb() -> float:
    told = Path("/proc/self/status").read_text(encoding="ascii")
    return float(told.partition("RssAnon:")[2].split()[0]) / 1024


def _unit(name: str) -> str:
    for suffix, unit in (("_ms", "ms"), ("_s", "s_cpu"), ("_mb", "MB"), ("kb_a_recording", "KB")):
        if name.endswith(suffix):
            return unit
    return "count"


def write(out: Path, grown: Sequence[Grown]) -> None:
    """Write a table and its charts; sizes that an earlier run measured stay in them."""
    out.mkdir(parents=True, exist_ok=True)
    table = out / "scale.csv"
    by_size = {one.recordings: one for one in [*_read(table), *grown]}
    rows = [by_size[size] for size in sorted(by_size)]
    names = [one.name for one in fields(Grown) if one.name != "by_change"]
    with table.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([round(getattr(one, name), 3) for name in names] for one in rows)
    (out / "times.svg").write_text(_times(rows), encoding="utf-8")
    (out / "sizes.svg").write_text(_sizes(rows), encoding="utf-8")


def _read(table: Path) -> Iterator[Grown]:
    if not table.exists():
        return
    known = {one.name for one in fields(Grown)}
    with table.open(newline="", encoding="utf-8") as opened:
        for row in csv.DictReader(opened):
            one = Grown()
            for name in known & set(row):
                setattr(one, name, type(getattr(one, name))(float(row[name])))
            yield one


def _times(grown: Sequence[Grown]) -> str:
    lines = {
        "plain tier": _line(grown, "plain_ms"),
        "both tiers": _line(grown, "full_ms"),
        "searched whole": _line(grown, "whole_ms"),
    }
    highest = max(value for line in lines.values() for _, value in line)
    return _drawn("CPU time of a check", grown, lines, plots.Axis("ms of CPU", 0.0, 1.1 * highest))


def _sizes(grown: Sequence[Grown]) -> str:
    lines: dict[str, Sequence[tuple[float, float]]] = {
        "index on disk, MB": _line(grown, "index_mb"),
        "building it, s of CPU": _line(grown, "build_s"),
        "fingerprints, were they stored, MB": [
            (one.recordings, one.recordings * one.prints_kb_a_recording / 1e3) for one in grown
        ],
    }
    values = [value for line in lines.values() for _, value in line]
    return _drawn(
        "What an index takes",
        grown,
        lines,
        plots.Axis("MB, s", min(values) / 2, 2 * max(values), is_log=True),
    )


def _line(grown: Sequence[Grown], name: str) -> list[tuple[float, float]]:
    return [(float(one.recordings), getattr(one, name)) for one in grown if getattr(one, name)]


def _drawn(
    said: str, grown: Sequence[Grown], lines: Mapping[str, Sequence[tuple[float, float]]], y: plots.Axis
) -> str:
    sizes = [one.recordings for one in grown]
    return plots.chart(
        f"{said} by the number of recordings",
        x=plots.Axis("recordings", min(sizes) / 2, max(sizes) * 2, is_log=True),
        y=y,
        curves=[
            plots.Curve(label, line, stroke)
            for (label, line), stroke in zip(lines.items(), ("solid", "thin", "dashed"), strict=True)
        ],
        alone=True,
    )


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks scale", description=__doc__.partition("\n")[0])
    parser.add_argument("--protocol", type=Path, required=True, metavar="DIR")
    parser.add_argument("--tracks", default=",".join(map(str, SIZES)), metavar="N,N,…")
    parser.add_argument("--excerpts", type=int, default=10, metavar="N", help="references to take them of")
    parser.add_argument("--changes", nargs="+", choices=list(CONDITIONS), default=CHANGES, metavar="CHANGE")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--work",
        type=Path,
        metavar="DIR",
        help="where indexes are kept, and one that was begun is gone on with",
    )
    parser.add_argument("--out", type=Path, default=OUT, metavar="DIR", help="where figures are written")
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
            out=chosen.out,
        ):
            print(figure.line(), flush=True)
    except NothingToMeasureError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
