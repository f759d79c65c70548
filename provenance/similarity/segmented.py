"""The index of a big dataset: on disk, in segments, searched by short codes of learned vectors.

    index = segmented.build(path, wanted, prints, dataset="…", dataset_version="3")
    numbers = index.candidates([Asked(vectors)])          # the most promising of a million
    few = index.narrowed(numbers)                         # an index of these alone, as `RecordingIndex` is

What is here finds candidates and decides nothing: `narrowed` reads the stored fingerprints of the candidates, and what
judges a small index judges them.

The file at ``path`` is a *manifest*: it names a codebook and the segments (`provenance.similarity.segment`) that lie in
the folder beside it, with their digests. A segment never changes. A build writes what is missing as new segments, puts
small ones together, and then replaces the manifest in one step; killed before that, the old manifest still names what
it always did, and the next build takes up the segments that were finished. Adding ten recordings to a million writes a
segment of ten. What was taken out of the dataset stays in its segment, marked as dead, until a quarter of it is.
"""

from __future__ import annotations

import fcntl
import hashlib
import itertools
import json
import shutil
import struct
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from lib import files
from provenance.similarity import segment as segments
from provenance.similarity.codebook import SAMPLES_A_LIST, Codebook, cosines, side_for
from provenance.similarity.fingerprint import METHOD, METHOD_VERSION, VECTOR_STEP, AudioFingerprint
from provenance.similarity.index import (
    IndexDamagedError,
    IndexFacts,
    IndexFormatError,
    IndexMissingError,
    IndexStaleError,
    RecordingIndex,
    set_hash,
)
from provenance.similarity.learned import N_DIMENSIONS, WEIGHTS_SHA256
from provenance.similarity.segment import MOST_RECORDINGS, Segment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

Prints = Callable[[Sequence[str]], Mapping[str, bytes]]
"""Gives the stored fingerprints of recordings by their keys: those that it has."""

Progress = Callable[[int, int], object]

FROM_RECORDINGS = 5_000
"""Recordings from which an index is built in segments; a smaller one is searched whole.

Both cost a check the same at about 700 (`docs/scale.md`). Searched whole, an index is calibrated, and finds more of what
other music covers; that is worth seconds, and not minutes and memory."""

FORMAT = 1
BATCH = 4_096
"""Recordings of a segment when it is first written: what a build that is killed does again at most."""

TOGETHER = 8
"""So many segments of about one size are put together into one."""

MOST_DEAD = 0.25
"""Share of dead recordings from which a segment is written anew without them."""

N_KEPT = 100
"""Codes that vote for each vector of a query, the nearest ones."""

LEAST_COSINE = 0.35
"""Likeness, about, that says nothing: votes count from here."""

N_CANDIDATES = 32
"""Recordings that are handed on to be judged."""

_DIAGONAL = 2
_MOST_AT_ONCE = 3_000_000
_MAGIC = b"LNIM"
_PREAMBLE = struct.Struct("<4sHxxI32s")
_open: dict[Path, SegmentedIndex] = {}


class PrintMissingError(LookupError):
    """A stored fingerprint is not there, or not the one that the index was built from."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Vectors of a query under one guess of what was done to it.

    Attributes
    ----------
    vectors : np.ndarray [shape=(n, N_DIMENSIONS)]
        Of unit length; one each ``step`` of a reference's.
    step : int
        Vectors of a reference, of 0.495 s, that pass from one to the next.
    cost : float
        What to take from their likeness.
    """

    vectors: NDArray[np.float32]
    step: int = 1
    cost: float = 0.0


class SegmentedIndex:
    """A big index that was opened. Use `build` or `load`.

    Parameters
    ----------
    path : Path
    manifest : dict
    sha256 : str
        Of the manifest.
    parts : sequence of Segment
    codebook : Codebook
    prints : callable
        As `Prints`.
    """

    def __init__(
        self,
        path: Path,
        manifest: dict[str, Any],
        sha256: str,
        parts: Sequence[Segment],
        codebook: Codebook,
        prints: Prints,
    ) -> None:
        self.path = path
        self.segments = tuple(parts)
        self.codebook = codebook
        self._prints = prints
        self._alive = [np.ones(len(part), dtype=np.bool_) for part in parts]
        for living, told in zip(self._alive, manifest["segments"], strict=True):
            living[told["dead"]] = False
        self.facts = IndexFacts(
            method=METHOD,
            method_version=METHOD_VERSION,
            dataset=manifest["dataset"],
            dataset_version=manifest["dataset_version"],
            n_recordings=sum(int(living.sum()) for living in self._alive),
            n_windows=sum(len(part.codes) for part in parts),
            set_hash=manifest["set_hash"],
            sha256=sha256,
        )

    def __len__(self) -> int:
        """Recordings that it covers."""
        return self.facts.n_recordings

    @cached_property
    def recordings(self) -> tuple[str, ...]:
        """Keys of the recordings that it covers, sorted."""
        return tuple(sorted(key for key, _ in self.identities()))

    @property
    def too_short(self) -> tuple[str, ...]:
        """Those of them that can never be found."""
        return tuple(
            sorted(
                part.keys[row]
                for part, living in zip(self.segments, self._alive, strict=True)
                for row in np.flatnonzero(part.short & living)
            )
        )

    @property
    def n_bytes(self) -> int:
        """Bytes on disk, of segments and codebook."""
        return sum(part.n_bytes for part in self.segments) + len(self.codebook.packed)

    def identities(self) -> Iterator[tuple[str, str]]:
        """Each recording that it covers with the SHA-256 of the fingerprint: what coverage is proved by."""
        for part, living in zip(self.segments, self._alive, strict=True):
            for row in np.flatnonzero(living).tolist():
                yield part.keys[row], part.hashes[row]

    def candidates(self, asked: Sequence[Asked], *, n: int = N_CANDIDATES, breadth: int = 1) -> list[int]:
        """Find recordings in which a query's vectors come one after another, the most promising first.

        Parameters
        ----------
        asked : sequence of Asked
            The query under each guess that is to be tried.
        n : int
            How many at most.
        breadth : int
            How many times more lists are looked into than `Codebook.n_probed`: what is little alike lies further off.

        Returns
        -------
        list of int
            Numbers of recordings, to give to `narrowed`.
        """
        guesses = [np.full(len(one.vectors), number) for number, one in enumerate(asked)]
        if not guesses or not sum(map(len, guesses)):
            return []
        vectors = np.concatenate([one.vectors for one in asked]).astype(np.float32)
        places = np.concatenate([np.arange(len(one.vectors)) * one.step for one in asked])
        costs = np.array([one.cost for one in asked], dtype=np.float32)
        guess = np.concatenate(guesses)
        heard = vectors.any(axis=1)
        vectors, places, guess = vectors[heard], places[heard], guess[heard]
        if not len(vectors):
            return []
        rows, likeness, owners, moments = self._nearest(vectors, breadth)
        weights = np.maximum(0.0, likeness - costs[guess[rows]] - LEAST_COSINE)
        at = np.rint(moments - places[rows]).astype(np.int64) + (1 << 16)
        lines = (owners.astype(np.int64) * len(asked) + guess[rows]) << 18
        best: dict[int, float] = {}
        for shift in range(_DIAGONAL):
            bins, inverse = np.unique(lines + (at + shift) // _DIAGONAL, return_inverse=True)
            votes = np.bincount(inverse, weights, minlength=len(bins))
            loudest = np.argsort(-votes, kind="stable")[: n * 8]
            for owner, vote in zip((bins[loudest] >> 18) // len(asked), votes[loudest], strict=True):
                best[int(owner)] = max(best.get(int(owner), 0.0), float(vote))
        ranked = sorted(best, key=lambda owner: (-best[owner], owner))
        return ranked[:n]

    def narrowed(self, numbers: Sequence[int]) -> RecordingIndex:
        """Read the stored fingerprints of some recordings, and index them as a small index does.

        Raises
        ------
        PrintMissingError
            If one is missing, or is not the one that was indexed.
        """
        wanted = {}
        for number in numbers:
            part = self.segments[number >> 16]
            wanted[part.keys[number & 0xFFFF]] = part.hashes[number & 0xFFFF]
        return RecordingIndex.build(
            _verified(wanted, self._prints),
            dataset=self.facts.dataset,
            dataset_version=self.facts.dataset_version,
        )

    def numbers_of(self, keys: Sequence[str]) -> list[int]:
        """Numbers of those recordings of some keys that it covers, to give to `narrowed`."""
        return [self._numbers[key] for key in keys if key in self._numbers]

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {
            part.keys[row]: number << 16 | row
            for number, (part, living) in enumerate(zip(self.segments, self._alive, strict=True))
            for row in np.flatnonzero(living).tolist()
        }

    def save(self, path: Path) -> None:
        """Do nothing: it is on the disk already, at the very path.

        Raises
        ------
        ValueError
            If ``path`` is another.
        """
        if path != self.path:
            raise ValueError(f"this index was built at {self.path.name}, and can't be saved elsewhere")

    def _nearest(
        self, vectors: NDArray[np.float32], breadth: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.uint32], NDArray[np.int64]]:
        """For each vector the nearest codes: which vector, how alike, whose, and of which moment."""
        lists = self.codebook.lists_near(vectors, breadth=breadth)
        turned = self.codebook.turned(vectors)
        codes = self.codebook.codes_of(vectors)
        found = [
            near
            for number, (part, living) in enumerate(zip(self.segments, self._alive, strict=True))
            for near in _in_segment(number, part, living, lists, turned, codes)
        ]
        if not found:
            nothing = np.zeros(0, np.int64)
            return nothing, np.zeros(0, np.float32), nothing.astype(np.uint32), nothing
        rows, likeness, owners, moments = (np.concatenate(parts) for parts in zip(*found, strict=True))
        order = np.lexsort((-likeness, rows))
        ranks = np.arange(len(order)) - np.searchsorted(rows[order], rows[order])
        kept = order[ranks < N_KEPT]
        return rows[kept], likeness[kept], owners[kept], moments[kept]


def _in_segment(
    number: int,
    part: Segment,
    living: NDArray[np.bool_],
    lists: NDArray[np.int64],
    turned: NDArray[np.float32],
    codes: NDArray[np.uint64],
) -> Iterator[tuple[NDArray[Any], ...]]:
    """What a segment holds near to each vector: at least ``N_KEPT`` where its lists have so many."""
    begins = part.starts[lists].astype(np.int64)
    lengths = part.starts[lists + 1].astype(np.int64) - begins
    totals = np.cumsum(lengths.sum(axis=1))
    edges = [0, *np.searchsorted(totals, np.arange(_MOST_AT_ONCE, totals[-1], _MOST_AT_ONCE)), len(lists)]
    everything_lives = bool(living.all())
    for first, end in itertools.pairwise(edges):
        counts = lengths[first:end].ravel()
        if not counts.sum():
            continue
        ends = np.cumsum(counts)
        places = np.repeat(begins[first:end].ravel() - (ends - counts), counts) + np.arange(ends[-1])
        rows = np.repeat(np.arange(first, end), lengths[first:end].sum(axis=1))
        far = np.bitwise_count(part.codes[places] ^ codes[rows])
        spread = np.bincount((rows - first) * 65 + far, minlength=(end - first) * 65).reshape(-1, 65)
        bound = (np.cumsum(spread, axis=1) < N_KEPT).sum(axis=1)
        kept = np.flatnonzero(far <= bound[rows - first])
        rows, places = rows[kept], places[kept]
        owners = part.owners[places]
        if not everything_lives:
            lives = living[owners >> np.uint32(16)]
            rows, places, owners = rows[lives], places[lives], owners[lives]
        likeness = cosines(turned[rows], part.codes[places])
        whose = (owners >> np.uint32(16)) | np.uint32(number << 16)
        yield rows, likeness, whose, (owners & np.uint32(0xFFFF)).astype(np.int64)


def build(
    path: Path,
    wanted: Mapping[str, str],
    prints: Prints,
    *,
    dataset: str = "",
    dataset_version: str = "",
    side: int | None = None,
    batch: int = BATCH,
    progress: Progress | None = None,
) -> SegmentedIndex:
    """Bring an index to cover just what is wanted; until that is done the old one serves.

    Segments that hold what is wanted are kept, also those that a build left behind that was killed.

    Parameters
    ----------
    path : Path
        Where the manifest is, or is to be.
    wanted : mapping of str to str
        The key of each recording, and the SHA-256 of its fingerprint.
    prints : callable
        As `Prints`; asked for what no segment holds alone.
    dataset, dataset_version : str
        Kept in the manifest and checked when it is loaded.
    side : int, optional
        First centroids of a codebook, where one has to be made; as many as the vectors need without it.
    batch : int
        Recordings that are coded at a time.
    progress : callable, optional
        Told how many recordings are covered, and of how many.

    Raises
    ------
    PrintMissingError
        If a fingerprint that is wanted is not there.
    lib.files.DiskFullError
        If the disk is full.
    """
    folder = folder_of(path)
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        codebook = _codebook(path, folder, wanted, prints, side)
        kept: list[tuple[Segment, NDArray[np.bool_]]] = []
        covered: set[str] = set()
        for part in _whole_segments(path, folder, codebook):
            living = np.zeros(len(part), dtype=np.bool_)
            for row, (key, digest) in enumerate(zip(part.keys, part.hashes, strict=True)):
                if key not in covered and wanted.get(key) == digest:
                    living[row] = True
                    covered.add(key)
            if living.any():
                kept.append((part, living))
        missing = sorted(key for key in wanted if key not in covered)
        for first in range(0, len(missing), batch):
            if progress is not None:
                progress(len(covered) + first, len(wanted))
            here = {key: wanted[key] for key in missing[first : first + batch]}
            part = _written(folder, segments.coded(here, _verified(here, prints), codebook), codebook)
            kept.append((part, np.ones(len(part), dtype=np.bool_)))
        kept = _put_together(folder, kept, codebook)
        _replace_manifest(path, kept, codebook, wanted, dataset, dataset_version)
        _sweep(path, folder, kept, codebook)
    return load(path, prints)


def load(
    path: Path,
    prints: Prints,
    *,
    set_hash: str | None = None,
    dataset: str | None = None,
    dataset_version: str | None = None,
) -> SegmentedIndex:
    """Open an index; what this process has opened and verified before is not read again.

    Parameters
    ----------
    path : Path
    prints : callable
        As `Prints`.
    set_hash, dataset, dataset_version : str, optional
        What the index must have been built from.

    Raises
    ------
    IndexMissingError, IndexDamagedError, IndexFormatError, IndexStaleError
        As `provenance.similarity.index` names them.
    """
    try:
        index = _opened(path, prints)
    except IndexMissingError:
        index = _opened(path, prints)  # the manifest was replaced, and what the old one named swept away
    told = {"set_hash": set_hash, "dataset": dataset, "dataset_version": dataset_version}
    for name, value in told.items():
        known = getattr(index.facts, name)
        if value is not None and known != value:
            raise IndexStaleError(f"{path.name} was built for {name} {known!r}, not {value!r}: rebuild it")
    return index


def is_segmented(path: Path) -> bool:
    """Tell whether the file at ``path`` is a manifest."""
    try:
        with path.open("rb") as opened:
            return opened.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


def forget(path: Path) -> None:
    """Remove the segments of an index that was replaced by a small one."""
    _open.pop(path, None)
    shutil.rmtree(folder_of(path), ignore_errors=True)


def folder_of(path: Path) -> Path:
    """Where the segments of the index at ``path`` lie."""
    return path.with_name(f"{path.name}.segments")


def _opened(path: Path, prints: Prints) -> SegmentedIndex:
    manifest, sha256 = _manifest(path)
    known = _open.get(path)
    if known is not None and known.facts.sha256 == sha256:
        known._prints = prints
        return known
    folder = folder_of(path)
    verified = {part.path.name: part for part in known.segments} if known else {}
    parts = []
    for told in manifest["segments"]:
        part = verified.get(told["file"]) or Segment(folder / told["file"])
        if part.sha256 != told["sha256"]:
            raise IndexDamagedError(f"{told['file']} is not the segment that {path.name} names: rebuild it")
        parts.append(part)
    index = SegmentedIndex(
        path, manifest, sha256, parts, _read_codebook(folder, manifest["codebook_sha256"]), prints
    )
    if set_hash(index.identities()) != manifest["set_hash"]:
        raise IndexDamagedError(f"the segments of {path.name} do not hold what it names: rebuild it")
    _open[path] = index
    return index


def _manifest(path: Path) -> tuple[dict[str, Any], str]:
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise IndexMissingError(f"there is no index at {path.name}: build it") from error
    if len(content) < _PREAMBLE.size or content[:4] != _MAGIC:
        raise IndexDamagedError(f"{path.name} is no index: rebuild it")
    _, layout, n_bytes, digest = _PREAMBLE.unpack_from(content)
    if layout != FORMAT:
        raise IndexFormatError(f"{path.name} has format {layout} and this program reads {FORMAT}: rebuild it")
    body = content[_PREAMBLE.size :]
    if len(body) != n_bytes or hashlib.sha256(body).digest() != digest:
        raise IndexDamagedError(f"{path.name} is damaged: rebuild it")
    manifest: dict[str, Any] = json.loads(body)
    made_by = tuple(manifest[name] for name in ("method", "method_version", "model_sha256"))
    if made_by != (METHOD, METHOD_VERSION, WEIGHTS_SHA256):
        raise IndexFormatError(f"{path.name} was made by {made_by}: rebuild it")
    return manifest, digest.hex()


def _replace_manifest(
    path: Path,
    kept: Sequence[tuple[Segment, NDArray[np.bool_]]],
    codebook: Codebook,
    wanted: Mapping[str, str],
    dataset: str,
    dataset_version: str,
) -> None:
    body = json.dumps(
        {
            "method": METHOD,
            "method_version": METHOD_VERSION,
            "model_sha256": WEIGHTS_SHA256,
            "codebook_sha256": codebook.sha256,
            "dataset": dataset,
            "dataset_version": dataset_version,
            "set_hash": set_hash(wanted.items()),
            "segments": [
                {
                    "file": part.path.name,
                    "sha256": part.sha256,
                    "dead": np.flatnonzero(~living).tolist(),
                }
                for part, living in kept
            ],
        },
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
    ).encode()
    files.write_bytes(path, _PREAMBLE.pack(_MAGIC, FORMAT, len(body), hashlib.sha256(body).digest()) + body)


def _verified(wanted: Mapping[str, str], prints: Prints) -> Iterator[tuple[str, AudioFingerprint]]:
    stored = prints(list(wanted))
    for key, digest in wanted.items():
        payload = stored.get(key)
        if payload is None or hashlib.sha256(payload).hexdigest() != digest:
            raise PrintMissingError(f"the fingerprint of {key} is missing or is not the one that was indexed")
        yield key, AudioFingerprint.unpack(payload)


def _codebook(
    path: Path, folder: Path, wanted: Mapping[str, str], prints: Prints, side: int | None
) -> Codebook:
    """The codebook that the index has, one that a killed build left, or a new one.

    One is good enough for four times as many vectors as it was made for.
    """
    rng = np.random.default_rng(len(wanted))
    keys = sorted(wanted)
    n_vectors = _vectors_a_recording(folder, wanted, prints) * len(wanted)
    needed = side or side_for(round(n_vectors))
    for known in _codebooks(path, folder):
        if len(known.first) == needed or (side is None and len(known.first) >= needed // 2):
            return known
    n_recordings = round(needed**2 * SAMPLES_A_LIST * max(1, len(wanted)) / max(1.0, n_vectors)) + 64
    chosen = [keys[at] for at in rng.permutation(len(keys))[:n_recordings]]
    sample = [np.zeros((0, N_DIMENSIONS), np.float32)]
    for first in range(0, len(chosen), 256):
        here = {key: wanted[key] for key in chosen[first : first + 256]}
        sample += [
            one.vectors.astype(np.float32) * np.float32(VECTOR_STEP) for _, one in _verified(here, prints)
        ]
    made = Codebook.train(np.concatenate(sample), side=needed)
    files.write_bytes(folder / _codebook_name(made.sha256), made.packed)
    return made


def _vectors_a_recording(folder: Path, wanted: Mapping[str, str], prints: Prints) -> float:
    """On average: of the segments that lie there, or else of a few recordings."""
    parts = []
    for entry in sorted(folder.glob("*.segment")):
        with suppress(IndexMissingError, IndexDamagedError, IndexFormatError):
            parts.append(Segment(entry, verify=False))
    if any(map(len, parts)):
        return sum(len(part.codes) for part in parts) / sum(map(len, parts))
    few = {key: wanted[key] for key in sorted(wanted)[:64]}
    return sum(len(one.vectors) for _, one in _verified(few, prints)) / max(1, len(few))


def _codebooks(path: Path, folder: Path) -> Iterator[Codebook]:
    """That of the manifest first, then whatever lies there whole."""
    names = [entry.name for entry in sorted(folder.glob("*.codebook"))]
    with suppress(IndexMissingError, IndexDamagedError, IndexFormatError):
        names.insert(0, _codebook_name(_manifest(path)[0]["codebook_sha256"]))
    for name in names:
        try:
            yield _read_codebook(folder, name.removesuffix(".codebook"))
        except (IndexMissingError, IndexDamagedError):
            continue


def _codebook_name(sha256: str) -> str:
    return f"{sha256}.codebook"


def _read_codebook(folder: Path, sha256: str) -> Codebook:
    try:
        content = (folder / _codebook_name(sha256)).read_bytes()
    except FileNotFoundError as error:
        raise IndexMissingError("the codebook of the index is missing: rebuild it") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise IndexDamagedError("the codebook of the index is damaged: rebuild it")
    return Codebook.unpack(content)


def _whole_segments(path: Path, folder: Path, codebook: Codebook) -> Iterator[Segment]:
    """Segments that lie there whole and have these codes: those that the manifest names first."""
    names = {entry.name for entry in folder.glob("*.segment")}
    try:
        named = [told["file"] for told in _manifest(path)[0]["segments"]]
    except (IndexMissingError, IndexDamagedError, IndexFormatError):
        named = []
    known = _open.get(path)
    verified = {part.path.name: part for part in known.segments} if known else {}
    for name in [*named, *sorted(names - set(named))]:
        try:
            part = verified.get(name) or Segment(folder / name)
        except (IndexMissingError, IndexDamagedError, IndexFormatError):
            continue
        if part.codebook_sha256 == codebook.sha256:
            yield part


def _written(folder: Path, content: segments.Coded, codebook: Codebook) -> Segment:
    lines = "".join(f"{key} {digest}\n" for key, digest in zip(content.keys, content.hashes, strict=True))
    name = hashlib.sha256((codebook.sha256 + lines).encode()).hexdigest()[:24]
    path = folder / f"{name}.segment"
    segments.write(path, content, codebook)
    return Segment(path, verify=False)


def _put_together(
    folder: Path, kept: Sequence[tuple[Segment, NDArray[np.bool_]]], codebook: Codebook
) -> list[tuple[Segment, NDArray[np.bool_]]]:
    """Put segments of about one size together, and write anew what is mostly dead, until nothing is left to do."""
    done = list(kept)
    while group := _next_group(done):
        chosen = [done[at] for at in group]
        content = segments.merged([part for part, _ in chosen], [living for _, living in chosen], codebook)
        part = _written(folder, content, codebook)
        done = [one for at, one in enumerate(done) if at not in group]
        done.append((part, np.ones(len(part), dtype=np.bool_)))
    return done


def _next_group(kept: Sequence[tuple[Segment, NDArray[np.bool_]]]) -> set[int]:
    living = [int(alive.sum()) for _, alive in kept]
    for at, (part, _) in enumerate(kept):
        if living[at] < (1 - MOST_DEAD) * len(part):
            return {at}
    by_size: dict[int, list[int]] = {}
    for at, n in enumerate(living):
        size = 0
        while TOGETHER ** (size + 1) <= n:
            size += 1
        by_size.setdefault(size, []).append(at)
    for _, group in sorted(by_size.items()):
        fitting: set[int] = set()
        for at in sorted(group, key=lambda at: living[at]):
            if sum(living[other] for other in fitting) + living[at] <= MOST_RECORDINGS:
                fitting.add(at)
        if len(group) >= TOGETHER and len(fitting) >= TOGETHER:
            return set(sorted(fitting, key=lambda at: living[at])[: 4 * TOGETHER])
    return set()


def _sweep(
    path: Path, folder: Path, kept: Sequence[tuple[Segment, NDArray[np.bool_]]], codebook: Codebook
) -> None:
    """Remove what the manifest does not name. Whoever has it open keeps reading it."""
    needed = {part.path.name for part, _ in kept} | {_codebook_name(codebook.sha256), _LOCK}
    for entry in folder.iterdir():
        if entry.name not in needed:
            entry.unlink(missing_ok=True)
    for entry in path.parent.glob(f".{path.name}.*{files.PART_SUFFIX}"):
        entry.unlink(missing_ok=True)


_LOCK = "lock"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other process builds here; one that is killed lets go."""
    with (folder / _LOCK).open("wb") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
