from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lib.files import DiskFullError
from provenance.similarity.chromaprint import N_COLUMNS
from provenance.similarity.fingerprint import AudioFingerprint
from provenance.similarity.index import (
    WINDOW_ITEMS,
    IndexDamagedError,
    IndexFormatError,
    IndexMissingError,
    IndexStaleError,
    RecordingIndex,
    set_hash,
    windows_of,
)
from provenance.similarity.levels import N_BANDS
from provenance.similarity.peaks import Peaks

Items = NDArray[np.uint32]


def random_items(n: int, *, seed: int) -> Items:
    return np.random.default_rng(seed).integers(0, 2**32, (n, N_COLUMNS), dtype=np.uint32)


def random_print(n: int, *, seed: int) -> AudioFingerprint:
    rng = np.random.default_rng(seed)
    frames = np.sort(rng.choice(4 * n, size=n, replace=False)).astype(np.int32)
    bands = rng.integers(0, N_BANDS, n).astype(np.uint8)
    return AudioFingerprint(random_items(n, seed=seed), Peaks(frames, bands, rng.random(n) < 0.3), 4 * n)


@pytest.fixture
def references() -> list[tuple[str, AudioFingerprint]]:
    return [(f"recording-{n}", random_print(40 + 13 * n, seed=n)) for n in range(6)]


@pytest.fixture
def index(references: list[tuple[str, AudioFingerprint]]) -> RecordingIndex:
    return RecordingIndex.build(references, dataset="songs", dataset_version="3")


class TestNeighbours:
    def test_are_those_of_brute_force(self, index: RecordingIndex) -> None:
        stored = index.items(3)
        noisy = stored[5:25] ^ np.random.default_rng(1).choice([0, 1, 8, 2**30], (20, N_COLUMNS)).astype(
            np.uint32
        )
        for column in range(N_COLUMNS):
            queries = windows_of(np.ascontiguousarray(noisy[:, column]))

            found = index.neighbours(queries, column=column, n_neighbours=20)

            for query, near in zip(queries, found, strict=True):
                by_hand = sorted(
                    (int(np.bitwise_count(window ^ query).sum()), recording, place)
                    for recording in range(len(index.recordings))
                    for place, window in enumerate(
                        windows_of(np.ascontiguousarray(index.items(recording)[:, column]))
                    )
                )
                assert [one.distance for one in near] == [distance for distance, _, _ in by_hand[:20]]
                nearer = {row for row in by_hand if row[0] < near[-1].distance}
                assert nearer <= {(one.distance, one.recording, one.reference_start) for one in near}

    def test_are_as_many_as_there_are(self) -> None:
        small = RecordingIndex.build([("a", random_print(WINDOW_ITEMS + 1, seed=1))])

        [near] = small.neighbours(
            windows_of(random_items(WINDOW_ITEMS, seed=2)[:, 0].copy()), column=0, n_neighbours=9
        )

        assert len(near) == 2

    def test_of_an_empty_index_are_none(self) -> None:
        windows = windows_of(random_items(WINDOW_ITEMS, seed=2)[:, 0].copy())

        assert RecordingIndex.build([]).neighbours(windows, column=0, n_neighbours=9) == [[]]


class TestBuild:
    def test_gives_the_same_file_in_any_order(
        self, references: list[tuple[str, AudioFingerprint]], tmp_path: Path
    ) -> None:
        RecordingIndex.build(references).save(tmp_path / "one")
        RecordingIndex.build(references[::-1]).save(tmp_path / "other")

        assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()

    def test_refuses_a_recording_twice(self, references: list[tuple[str, AudioFingerprint]]) -> None:
        with pytest.raises(ValueError, match="recording-2 was given twice"):
            RecordingIndex.build([*references, references[2]])

    def test_names_what_is_too_short_to_be_found(self) -> None:
        built = RecordingIndex.build([("long", random_print(50, seed=1)), ("short", random_print(3, seed=2))])

        assert built.too_short == ("short",)
        assert built.facts.n_windows == 50 - WINDOW_ITEMS + 1


class TestSaveAndLoad:
    def test_give_back_the_index(self, index: RecordingIndex, tmp_path: Path) -> None:
        index.save(tmp_path / "index")

        loaded = RecordingIndex.load(tmp_path / "index", dataset="songs", dataset_version="3")

        assert loaded.facts == index.facts
        assert loaded.recordings == index.recordings
        assert all(np.array_equal(loaded.items(n), index.items(n)) for n in range(len(index.recordings)))
        for ours, theirs in zip(
            loaded.constellations.references, index.constellations.references, strict=True
        ):
            assert np.array_equal(ours.frames, theirs.frames)
            assert np.array_equal(ours.bands, theirs.bands)
            assert np.array_equal(ours.strong, theirs.strong)

    def test_give_back_an_empty_index(self, tmp_path: Path) -> None:
        RecordingIndex.build([]).save(tmp_path / "index")

        assert RecordingIndex.load(tmp_path / "index").recordings == ()

    def test_refuse_what_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(IndexMissingError, match="build it"):
            RecordingIndex.load(tmp_path / "index")

    @pytest.mark.parametrize("place", [0, 10, 60, -1])
    def test_refuse_a_flipped_bit(self, index: RecordingIndex, tmp_path: Path, place: int) -> None:
        index.save(tmp_path / "index")
        content = bytearray((tmp_path / "index").read_bytes())
        content[place] ^= 1
        (tmp_path / "index").write_bytes(content)

        with pytest.raises(IndexDamagedError, match="rebuild it"):
            RecordingIndex.load(tmp_path / "index")

    @pytest.mark.parametrize("n_bytes", [0, 3, 30, 200, -4])
    def test_refuse_a_cut_file(self, index: RecordingIndex, tmp_path: Path, n_bytes: int) -> None:
        index.save(tmp_path / "index")
        (tmp_path / "index").write_bytes((tmp_path / "index").read_bytes()[:n_bytes])

        with pytest.raises(IndexDamagedError):
            RecordingIndex.load(tmp_path / "index")

    def test_refuse_another_format(self, index: RecordingIndex, tmp_path: Path) -> None:
        index.save(tmp_path / "index")
        content = bytearray((tmp_path / "index").read_bytes())
        content[4] = 99
        (tmp_path / "index").write_bytes(content)

        with pytest.raises(IndexFormatError, match="format 99"):
            RecordingIndex.load(tmp_path / "index")

    def test_refuse_another_method(
        self, index: RecordingIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        index.save(tmp_path / "index")
        monkeypatch.setattr("provenance.similarity.index.METHOD_VERSION", "99")

        with pytest.raises(IndexFormatError, match="rebuild"):
            RecordingIndex.load(tmp_path / "index")

    def test_refuse_an_index_of_other_recordings(
        self, index: RecordingIndex, references: list[tuple[str, AudioFingerprint]], tmp_path: Path
    ) -> None:
        index.save(tmp_path / "index")
        pairs = [(key, one.sha256) for key, one in references]

        assert RecordingIndex.load(tmp_path / "index", set_hash=set_hash(reversed(pairs)))
        with pytest.raises(IndexStaleError, match="rebuild it"):
            RecordingIndex.load(tmp_path / "index", set_hash=set_hash(pairs[1:]))
        with pytest.raises(IndexStaleError, match="dataset_version"):
            RecordingIndex.load(tmp_path / "index", dataset_version="4")

    def test_keep_the_old_index_when_the_disk_is_full(
        self, index: RecordingIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        index.save(tmp_path / "index")
        bigger = RecordingIndex.build([("one", random_print(500, seed=9))])

        def full(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(DiskFullError):
            bigger.save(tmp_path / "index")

        assert RecordingIndex.load(tmp_path / "index").facts == index.facts
        assert [path.name for path in tmp_path.iterdir()] == ["index"]

    def test_keep_the_old_index_when_the_writer_is_killed(
        self, index: RecordingIndex, tmp_path: Path
    ) -> None:
        index.save(tmp_path / "index")
        script = (
            "import os, sys, time, numpy as np\n"
            "from pathlib import Path\n"
            "from provenance.similarity.fingerprint import AudioFingerprint\n"
            "from provenance.similarity.index import RecordingIndex\n"
            "one = AudioFingerprint.of_items(np.zeros((500, 2), dtype=np.uint32))\n"
            "index = RecordingIndex.build([('one', one)])\n"
            "os.fsync = lambda descriptor: (print('written', flush=True), time.sleep(60))\n"
            f"index.save(Path({str(tmp_path / 'index')!r}))\n"
        )
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"written\n"
            writer.send_signal(signal.SIGKILL)

        assert RecordingIndex.load(tmp_path / "index").facts == index.facts
        assert any(path.name.endswith(".part") for path in tmp_path.iterdir())


class TestSetHash:
    def test_changes_with_a_fingerprint_and_not_with_the_order(self) -> None:
        pairs = [("a", "1"), ("b", "2")]

        assert set_hash(pairs) == set_hash(reversed(pairs))
        assert set_hash(pairs) != set_hash([("a", "1"), ("b", "3")])
        assert set_hash(pairs) != set_hash([("a", "2"), ("b", "1")])
