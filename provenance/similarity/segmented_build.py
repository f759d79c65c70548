"""Building the index of a big dataset: what is missing becomes new segments, and then a manifest names them all.

A segment never changes. A build writes what is missing as new segments, puts small ones together, and then replaces the
manifest in one step; killed before that, the old manifest still names what it always did, and the next build takes up the
segments that were finished. Adding ten recordings to a million writes a segment of ten. What was taken out of the dataset
stays in its segment, marked as dead, until a quarter of it is.
"""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Callable
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import numpy as np

from lib import files
from provenance.similarity import segment as segments
from provenance.similarity import segmented
from provenance.similarity.codebook import SAMPLES_A_LIST, Codebook, side_for
from provenance.similarity.fingerprint import VECTOR_STEP
from provenance.similarity.index import set_hash
from provenance.similarity.learned import N_DIMENSIONS
from provenance.similarity.manifest import (
    Manifest,
    Named,
    codebook_name,
    folder_of,
    read_codebook,
    write_codebook,
)
from provenance.similarity.sealed import IndexDamagedError, IndexFormatError, IndexMissingError
from provenance.similarity.segment import MOST_RECORDINGS, Segment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from provenance.similarity.segmented import Prints, SegmentedIndex

Progress = Callable[[int, int], object]

BATCH = 4_096
"""Recordings of a segment when it is first written: what a build that is killed does again at most."""

TOGETHER = 8
"""So many segments of about one size are put together into one."""

MOST_DEAD = 0.25
"""Share of dead recordings from which a segment is written anew without them."""

_LOCK = "lock"


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
            part = _written(
                folder, segments.coded(here, segmented.verified(here, prints), codebook), codebook
            )
            kept.append((part, np.ones(len(part), dtype=np.bool_)))
        kept = _put_together(folder, kept, codebook)
        named = [Named(part.path.name, part.sha256, np.flatnonzero(~alive).tolist()) for part, alive in kept]
        digest = set_hash(wanted.items())
        Manifest(dataset, dataset_version, digest, codebook.sha256, named).save(path)
        _sweep(path, folder, kept, codebook)
    return segmented.load(path, prints)


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
            one.vectors.astype(np.float32) * np.float32(VECTOR_STEP)
            for _, one in segmented.verified(here, prints)
        ]
    made = Codebook.train(np.concatenate(sample), side=needed)
    write_codebook(folder, made)
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
    return sum(len(one.vectors) for _, one in segmented.verified(few, prints)) / max(1, len(few))


def _codebooks(path: Path, folder: Path) -> Iterator[Codebook]:
    """That of the manifest first, then whatever lies there whole."""
    names = [entry.name for entry in sorted(folder.glob("*.codebook"))]
    with suppress(IndexMissingError, IndexDamagedError, IndexFormatError):
        names.insert(0, codebook_name(Manifest.read(path).codebook_sha256))
    for name in names:
        try:
            yield read_codebook(folder, name.removesuffix(".codebook"))
        except (IndexMissingError, IndexDamagedError):
            continue


def _whole_segments(path: Path, folder: Path, codebook: Codebook) -> Iterator[Segment]:
    """Segments that lie there whole and have these codes: those that the manifest names first."""
    names = {entry.name for entry in folder.glob("*.segment")}
    try:
        named = [told.file for told in Manifest.read(path).segments]
    except (IndexMissingError, IndexDamagedError, IndexFormatError):
        named = []
    verified = segmented.verified_segments(path)
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
    needed = {part.path.name for part, _ in kept} | {codebook_name(codebook.sha256), _LOCK}
    for entry in folder.iterdir():
        if entry.name not in needed:
            entry.unlink(missing_ok=True)
    for entry in path.parent.glob(f".{path.name}.*{files.PART_SUFFIX}"):
        entry.unlink(missing_ok=True)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other process builds here; one that is killed lets go."""
    with (folder / _LOCK).open("wb") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
