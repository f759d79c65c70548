from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from provenance.similarity import segmented, segmented_build
from provenance.similarity.chromaprint import N_COLUMNS
from provenance.similarity.codebook import Codebook, cosines, side_for
from provenance.similarity.fingerprint import VECTOR_STEP, AudioFingerprint, in_steps
from provenance.similarity.index import (
    IndexDamagedError,
    IndexFormatError,
    IndexMissingError,
    IndexStaleError,
    set_hash,
)
from provenance.similarity.learned import N_DIMENSIONS
from provenance.similarity.manifest import folder_of, is_segmented
from provenance.similarity.peaks import Peaks
from provenance.similarity.segmented import Asked, PrintMissingError, SegmentedIndex

N_VECTORS = 30


def units(n: int, *, seed: int) -> NDArray[np.float32]:
    drawn = np.random.default_rng(seed).standard_normal((n, N_DIMENSIONS)).astype(np.float32)
    lengths: NDArray[np.float32] = np.linalg.norm(drawn, axis=1, keepdims=True)
    return np.asarray(drawn / lengths, dtype=np.float32)


def near(vectors: NDArray[np.float32], cosine: float, *, seed: int) -> NDArray[np.float32]:
    """Return vectors about so alike to those given."""
    mixed = cosine * vectors + np.sqrt(1 - cosine**2) * units(len(vectors), seed=seed)
    return np.asarray(mixed / np.linalg.norm(mixed, axis=1, keepdims=True), dtype=np.float32)


def made(seed: int, n_vectors: int = N_VECTORS, n_items: int = 20) -> AudioFingerprint:
    rng = np.random.default_rng(seed)
    items = rng.integers(0, 2**32, (n_items, N_COLUMNS), dtype=np.uint32)
    nothing = Peaks(np.zeros(0, np.int32), np.zeros(0, np.uint8), np.zeros(0, np.bool_))
    return AudioFingerprint(items, nothing, 0, in_steps(units(n_vectors, seed=seed)))


@dataclass
class Shelf:
    """Stored fingerprints, and which of them were asked for."""

    stored: dict[str, bytes]
    asked: list[str] = field(default_factory=list)

    def __call__(self, keys: Sequence[str]) -> dict[str, bytes]:
        self.asked += keys
        return {key: self.stored[key] for key in keys if key in self.stored}

    def wanted(self) -> dict[str, str]:
        return {key: hashlib.sha256(payload).hexdigest() for key, payload in self.stored.items()}


def shelf_of(n: int, *, first: int = 0) -> Shelf:
    return Shelf({f"recording-{seed:03}": made(seed).packed for seed in range(first, first + n)})


@pytest.fixture
def shelf() -> Shelf:
    return shelf_of(24)


@pytest.fixture(scope="module")
def built_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("segmented") / "index"
    shelf = shelf_of(24)
    segmented_build.build(path, shelf.wanted(), shelf, side=8, batch=10, dataset="songs", dataset_version="3")
    return path


@pytest.fixture
def path(built_once: Path, tmp_path: Path) -> Path:
    """An index of 24 recordings in three segments."""
    shutil.copy(built_once, tmp_path / "index")
    shutil.copytree(folder_of(built_once), folder_of(tmp_path / "index"))
    return tmp_path / "index"


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    yield
    segmented._open.clear()


def key_of(index: SegmentedIndex, number: int) -> str:
    return index.segments[number >> 16].keys[number & 0xFFFF]


def found_first(index: SegmentedIndex, seed: int) -> str | None:
    """Return what ten vectors out of the middle of a recording find, as alike as under other music."""
    query = near(units(N_VECTORS, seed=seed)[8:18], 0.8, seed=999)
    numbers = index.candidates([Asked(query)])
    return key_of(index, numbers[0]) if numbers else None


def segment_files(path: Path) -> dict[str, int]:
    return {one.name: one.stat().st_ino for one in folder_of(path).glob("*.segment")}


@pytest.fixture(scope="module")
def codebook() -> Codebook:
    return Codebook.train(units(2_000, seed=1), side=8)


class TestCodebook:
    def test_is_the_same_for_the_same_sample(self, codebook: Codebook) -> None:
        again = Codebook.train(units(2_000, seed=1), side=8)

        assert again.sha256 == codebook.sha256
        assert Codebook.unpack(codebook.packed).sha256 == codebook.sha256

    def test_keeps_a_vector_where_it_is_looked_for(self, codebook: Codebook) -> None:
        vectors = units(500, seed=2)
        kept, looked_for = codebook.lists_of(vectors), codebook.lists_near(near(vectors, 0.95, seed=3))

        assert len(np.unique(kept)) > codebook.n_lists / 2
        assert (looked_for == kept[:, None]).any(axis=1).mean() > 0.8

    def test_estimates_cosines_from_codes(self, codebook: Codebook) -> None:
        vectors = units(400, seed=4)
        queries = near(vectors, 0.7, seed=5)
        estimates = cosines(codebook.turned(queries), codebook.codes_of(vectors))

        assert estimates.mean() == pytest.approx(0.7, abs=0.02)
        assert estimates.std() < 0.1

    def test_bears_silence_alone(self) -> None:
        codebook = Codebook.train(np.zeros((5, N_DIMENSIONS), np.float32), side=8)

        assert np.isfinite(codebook.second).all()

    def test_refuses_other_bytes(self, codebook: Codebook) -> None:
        other = Codebook(codebook.first, codebook.second[:-1], codebook.planes)
        with pytest.raises(ValueError, match="no codebook"):
            Codebook.unpack(other.packed)

    def test_has_more_lists_for_more_vectors(self) -> None:
        assert [side_for(n) for n in (0, 10**6, 24 * 10**6, 485 * 10**6)] == [8, 16, 128, 256]


class TestIndex:
    def test_covers_what_was_wanted(self, path: Path, shelf: Shelf) -> None:
        index = segmented.load(path, shelf)

        assert index.recordings == tuple(sorted(shelf.stored))
        assert dict(index.identities()) == shelf.wanted()
        assert index.facts.n_recordings == len(index) == 24
        assert index.facts.set_hash == set_hash(shelf.wanted().items())
        assert is_segmented(path)

    def test_finds_recordings_in_every_segment(self, path: Path, shelf: Shelf) -> None:
        index = segmented.load(path, shelf)

        assert len(index.segments) == 3
        assert [found_first(index, seed) for seed in range(24)] == list(index.recordings)

    def test_finds_what_brute_force_finds(self, path: Path, shelf: Shelf) -> None:
        index = segmented.load(path, shelf)
        query = near(units(N_VECTORS, seed=7), 0.6, seed=11)
        stored = {key: AudioFingerprint.unpack(payload).vectors for key, payload in shelf.stored.items()}
        likeness = {
            key: float((query * vectors * np.float32(VECTOR_STEP)).sum(axis=1).mean())
            for key, vectors in stored.items()
        }

        assert key_of(index, index.candidates([Asked(query)])[0]) == max(
            likeness, key=lambda key: likeness[key]
        )

    def test_tries_each_guess_and_takes_its_cost(self, path: Path, shelf: Shelf) -> None:
        index = segmented.load(path, shelf)
        right, wrong = units(N_VECTORS, seed=5)[4:16:2], units(6, seed=500)

        assert key_of(index, index.candidates([Asked(wrong), Asked(right, step=2)])[0]) == "recording-005"
        assert index.candidates([Asked(right, step=2, cost=1.0)]) == [] or (
            key_of(index, index.candidates([Asked(right, cost=0.9), Asked(units(N_VECTORS, seed=6))])[0])
            == "recording-006"
        )

    def test_lets_as_many_codes_vote_as_it_is_told(self, path: Path, shelf: Shelf) -> None:
        index = segmented.load(path, shelf)
        asked = [Asked(near(units(N_VECTORS, seed=7)[:8], 0.5, seed=911))]

        assert len(index.candidates(asked, n_kept=1)) <= 8
        assert len(index.candidates(asked, breadth=8, n_kept=200)) > 8

    @pytest.mark.parametrize("lies", [slice(8, 18), slice(25, 30), slice(0, 30)])
    def test_sifts_by_all_vectors_of_the_query(self, path: Path, shelf: Shelf, lies: slice) -> None:
        index = segmented.load(path, shelf)
        query = np.concatenate([near(units(N_VECTORS, seed=7)[lies], 0.6, seed=911), units(10, seed=912)])
        numbers = index.numbers_of(index.recordings)

        first, *others = index.sifted([Asked(units(3, seed=913)), Asked(query)], numbers, n=3)

        assert key_of(index, first) == "recording-007"
        assert len(others) == 2
        assert set(shelf.asked) == set(index.recordings)

    def test_sifts_at_the_step_and_the_cost_of_a_guess(self, path: Path, shelf: Shelf) -> None:
        index = segmented.load(path, shelf)
        numbers = index.numbers_of(index.recordings)
        one, other = Asked(units(N_VECTORS, seed=5)[4:16:2], step=2), Asked(units(N_VECTORS, seed=6)[:6])

        assert key_of(index, index.sifted([one], numbers, n=1)[0]) == "recording-005"
        dear = Asked(one.vectors, one.step, cost=0.3)
        assert key_of(index, index.sifted([dear, other], numbers, n=1)[0]) == "recording-006"

    def test_reads_nothing_where_there_is_nothing_to_sift(self, path: Path, shelf: Shelf) -> None:
        index = segmented.load(path, shelf)

        assert index.sifted([Asked(units(3, seed=1))], [2, 1], n=2) == [2, 1]
        assert shelf.asked == []

    def test_finds_nothing_for_silence(self, path: Path, shelf: Shelf) -> None:
        index = segmented.load(path, shelf)

        assert index.candidates([]) == []
        assert index.candidates([Asked(np.zeros((4, N_DIMENSIONS), np.float32))]) == []
        assert index.narrowed([]).recordings == ()

    def test_narrows_to_the_stored_fingerprints(self, path: Path, shelf: Shelf) -> None:
        index = segmented.load(path, shelf)
        few = index.narrowed(index.candidates([Asked(units(N_VECTORS, seed=3))])[:2])

        assert "recording-003" in few.recordings
        assert few.fingerprint(few.recordings.index("recording-003")).packed == made(3).packed
        assert set(shelf.asked) == set(few.recordings)

    def test_refuses_a_fingerprint_that_was_not_indexed(self, path: Path, shelf: Shelf) -> None:
        index = segmented.load(path, shelf)
        numbers = index.candidates([Asked(units(N_VECTORS, seed=3))])
        shelf.stored["recording-003"] = made(300).packed

        with pytest.raises(PrintMissingError):
            index.sifted([Asked(units(3, seed=1))], numbers, n=1)
        with pytest.raises(PrintMissingError):
            index.narrowed(numbers)

    def test_names_what_is_too_short(self, tmp_path: Path) -> None:
        shelf = Shelf({"long": made(1).packed, "short": made(2, n_vectors=1, n_items=3).packed})
        index = segmented_build.build(tmp_path / "index", shelf.wanted(), shelf)

        assert index.too_short == ("short",)

    def test_of_nothing_holds_nothing(self, tmp_path: Path) -> None:
        index = segmented_build.build(tmp_path / "index", {}, Shelf({}))

        assert index.recordings == ()
        assert index.candidates([Asked(units(5, seed=1))]) == []

    def test_is_saved_where_it_was_built_alone(self, path: Path, shelf: Shelf) -> None:
        index = segmented.load(path, shelf)
        index.save(path)

        with pytest.raises(ValueError, match="elsewhere"):
            index.save(path.with_name("other"))


class TestBuild:
    def test_of_ten_more_asks_for_these_alone(self, path: Path, shelf: Shelf) -> None:
        before = segment_files(path)
        shelf.stored |= shelf_of(2, first=100).stored
        index = segmented_build.build(path, shelf.wanted(), shelf)

        assert sorted(shelf.asked) == ["recording-100", "recording-101"]
        assert before.items() < segment_files(path).items()
        assert found_first(index, 100) == "recording-100"
        assert found_first(index, 4) == "recording-004"

    def test_forgets_what_is_not_wanted(self, path: Path, shelf: Shelf) -> None:
        before = segment_files(path)
        del shelf.stored["recording-004"]
        index = segmented_build.build(path, shelf.wanted(), shelf)

        assert segment_files(path) == before
        assert "recording-004" not in index.recordings
        assert found_first(index, 4) != "recording-004"
        assert index.facts.set_hash == set_hash(shelf.wanted().items())

    def test_takes_a_new_fingerprint_for_an_old(self, path: Path, shelf: Shelf) -> None:
        shelf.stored["recording-004"] = made(400).packed
        index = segmented_build.build(path, shelf.wanted(), shelf)

        assert found_first(index, 400) == "recording-004"
        assert found_first(index, 4) != "recording-004"

    def test_writes_anew_what_is_mostly_dead(self, path: Path, shelf: Shelf) -> None:
        for n in range(4):
            del shelf.stored[f"recording-{n:03}"]
        index = segmented_build.build(path, shelf.wanted(), shelf)

        assert sum(map(len, index.segments)) == len(index) == 20
        assert found_first(index, 9) == "recording-009"
        assert shelf.asked == []

    def test_puts_small_segments_together(self, tmp_path: Path, shelf: Shelf) -> None:
        index = segmented_build.build(tmp_path / "index", shelf.wanted(), shelf, side=8, batch=2)

        assert len(index.segments) < 8
        assert [found_first(index, seed) for seed in range(24)] == list(index.recordings)
        assert set(segment_files(tmp_path / "index")) == {part.path.name for part in index.segments}

    def test_tells_how_far_it_is(self, tmp_path: Path, shelf: Shelf) -> None:
        told: list[tuple[int, int]] = []
        segmented_build.build(
            tmp_path / "index",
            shelf.wanted(),
            shelf,
            batch=10,
            progress=lambda done, of: told.append((done, of)),
        )

        assert told == [(0, 24), (10, 24), (20, 24)]

    def test_refuses_what_has_no_fingerprint(self, path: Path, shelf: Shelf) -> None:
        with pytest.raises(PrintMissingError):
            segmented_build.build(path, {**shelf.wanted(), "ghost": "0" * 64}, shelf)

        assert len(segmented.load(path, shelf)) == 24

    def test_refuses_a_key_of_two_lines(self, tmp_path: Path) -> None:
        shelf = Shelf({"one\ntwo": made(1).packed})
        with pytest.raises(ValueError, match="more than one line"):
            segmented_build.build(tmp_path / "index", shelf.wanted(), shelf)


class TestLoad:
    def test_refuses_what_was_built_from_something_else(self, path: Path, shelf: Shelf) -> None:
        segmented.load(path, shelf, set_hash=set_hash(shelf.wanted().items()), dataset="songs")

        with pytest.raises(IndexStaleError):
            segmented.load(path, shelf, set_hash=set_hash([]))
        with pytest.raises(IndexStaleError):
            segmented.load(path, shelf, dataset_version="4")

    def test_refuses_where_there_is_none(self, path: Path, shelf: Shelf) -> None:
        with pytest.raises(IndexMissingError):
            segmented.load(path.with_name("other"), shelf)
        next(folder_of(path).glob("*.segment")).unlink()
        with pytest.raises(IndexMissingError):
            segmented.load(path, shelf)

    @pytest.mark.parametrize("suffix", ["segment", "codebook"])
    @pytest.mark.parametrize("place", [60, -9])
    def test_refuses_a_flipped_bit(self, path: Path, shelf: Shelf, suffix: str, place: int) -> None:
        damaged = next(folder_of(path).glob(f"*.{suffix}"))
        content = bytearray(damaged.read_bytes())
        content[place] ^= 4
        damaged.write_bytes(content)

        with pytest.raises(IndexDamagedError):
            segmented.load(path, shelf)

    def test_refuses_a_cut_segment_and_a_cut_manifest(self, path: Path, shelf: Shelf) -> None:
        cut = next(folder_of(path).glob("*.segment"))
        content = cut.read_bytes()
        cut.write_bytes(content[:-1])
        with pytest.raises(IndexDamagedError):
            segmented.load(path, shelf)
        cut.write_bytes(b"")
        with pytest.raises(IndexDamagedError):
            segmented.load(path, shelf)
        cut.write_bytes(content)
        path.write_bytes(path.read_bytes()[:-1])
        with pytest.raises(IndexDamagedError):
            segmented.load(path, shelf)

    def test_refuses_another_format(self, path: Path, shelf: Shelf) -> None:
        content = bytearray(path.read_bytes())
        content[4] = 99
        path.write_bytes(content)

        with pytest.raises(IndexFormatError):
            segmented.load(path, shelf)

    def test_refuses_segments_that_are_not_those_named(self, path: Path, shelf: Shelf) -> None:
        one, other, *_ = sorted(folder_of(path).glob("*.segment"))
        shutil.copy(other, one)

        with pytest.raises(IndexDamagedError):
            segmented.load(path, shelf)

    def test_is_repaired_by_building(self, path: Path, shelf: Shelf) -> None:
        damaged = next(folder_of(path).glob("*.segment"))
        damaged.write_bytes(damaged.read_bytes()[:-1])
        index = segmented_build.build(path, shelf.wanted(), shelf)

        assert len(index) == 24
        assert 0 < len(set(shelf.asked)) < 24

    def test_opens_what_is_unchanged_once(self, path: Path, shelf: Shelf) -> None:
        assert segmented.load(path, shelf) is segmented.load(path, shelf)


KILLED_AT_EVERY_STEP = """
import os, shutil, signal, sys
from pathlib import Path
from lib import files
from provenance.similarity import segmented, segmented_build
from provenance.similarity.manifest import folder_of
from tests.provenance.test_similarity_segmented import shelf_of

kept = Path(sys.argv[1]) / "kept"
old, new = shelf_of(6), shelf_of(26)
segmented_build.build(kept / "index", old.wanted(), old, side=8)
really = files._flush

def build(path, fatal):
    steps = 0
    def flush(at):
        nonlocal steps
        steps += 1
        if steps == fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        really(at)
    files._flush = flush
    new.asked.clear()
    segmented_build.build(path, new.wanted(), new, batch=3)
    files._flush = really

for fatal in range(1, 99):
    folder = Path(sys.argv[1]) / str(fatal)
    shutil.copytree(kept, folder)
    path = folder / "index"
    child = os.fork()
    if not child:
        build(path, fatal)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    segmented._open.clear()
    served = len(segmented.load(path, old))
    build(path, 0)
    segmented._open.clear()
    assert len(segmented.load(path, new)) == 26
    left = {entry.name for entry in [*folder.iterdir(), *folder_of(path).iterdir()]}
    assert not [name for name in left if name.endswith(".part")], left
    if not os.WIFSIGNALED(status):
        assert served == 26
        break
    assert os.WTERMSIG(status) == signal.SIGKILL
    print(served, len(new.asked))
"""


class TestKilledBuild:
    def test_leaves_the_old_index_serving_and_is_taken_up(self, tmp_path: Path) -> None:
        one_thread = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        run = subprocess.run(
            [sys.executable, "-c", KILLED_AT_EVERY_STEP, str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
            env=one_thread,
        )

        assert run.returncode == 0, run.stderr
        served, asked_again = zip(*(map(int, line.split()) for line in run.stdout.splitlines()), strict=True)
        assert set(served) == {6, 26}
        assert list(served) == sorted(served)
        assert list(asked_again) == sorted(asked_again, reverse=True)
        assert (asked_again[0], asked_again[-1]) == (20, 0)
