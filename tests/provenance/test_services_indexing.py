"""Indexes: whole or replaced, never used stale or damaged, and the old one serves until the new one stands."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as live_settings
from django.utils import timezone

from provenance import services
from provenance.errors import EmptyDatasetError, StorageFullError
from provenance.models import Dataset, Fingerprint, IndexBuild, Recording
from provenance.services.indexing import Indexed, index_path
from provenance.similarity.index import RecordingIndex
from provenance.similarity.segmented import SegmentedIndex
from tests import signals
from tests.catalogues import a_catalogue, register, row, sound, table
from tests.people import People, a_dataset

pytestmark = pytest.mark.django_db


@pytest.fixture
def folk(people: People, tmp_path: Path, settings: Any) -> Dataset:
    settings.INDEX_DIR = tmp_path / "indexes"
    return register("folk", a_catalogue(tmp_path / "music"), people.steward, people.house).dataset


def build(dataset: Dataset, people: People) -> Indexed:
    return services.index_dataset(dataset=dataset, version=None, by=people.steward, now=timezone.now())


def current(dataset: Dataset, people: People) -> tuple[IndexBuild, RecordingIndex | SegmentedIndex]:
    return services.current_index(dataset=dataset, version=None, by=people.steward, now=timezone.now())


def inside(index: RecordingIndex | SegmentedIndex) -> set[str]:
    return set(index.recordings)


def ids_of(dataset: Dataset) -> set[str]:
    return {str(entry.recording.public_id) for entry in dataset.entries.select_related("recording")}


class TestIndexDataset:
    def test_covers_every_recording(self, people: People, folk: Dataset) -> None:
        indexed = build(folk, people)

        assert (indexed.build.n_recordings, indexed.build.n_expected) == (2, 2)
        assert indexed.build.covers_all
        assert inside(current(folk, people)[1]) == ids_of(folk)

    def test_holds_the_levels_of_every_recording(self, people: People, folk: Dataset) -> None:
        build(folk, people)
        index = current(folk, people)[1]
        assert isinstance(index, RecordingIndex)
        assert index.moments is not None
        assert (index.moments.levels.lengths > 0).all()

    def test_is_built_without_levels_of_more_music_than_can_be_searched(
        self, people: People, folk: Dataset
    ) -> None:
        build(folk, people)
        with_them = current(folk, people)[0]
        Recording.objects.update(seconds=100 * 3600.0)

        built, index = current(folk, people)

        assert built != with_them
        assert isinstance(index, RecordingIndex)
        assert index.moments is None
        assert inside(index) == ids_of(folk)

    def test_takes_levels_in_that_came_later(self, people: People, folk: Dataset) -> None:
        kept = list(Fingerprint.objects.filter(method="levels"))
        Fingerprint.objects.filter(method="levels").delete()
        build(folk, people)
        assert current(folk, people)[1].moments is None  # type: ignore[union-attr]

        Fingerprint.objects.bulk_create(kept)

        assert current(folk, people)[1].moments is not None  # type: ignore[union-attr]

    def test_says_what_it_does_not_cover_and_why(self, people: People, folk: Dataset, tmp_path: Path) -> None:
        signals.write(tmp_path / "silent.wav", signals.silence(9.0))
        sound(tmp_path / "short.wav", 3, 0.4)
        rows = [row("silent.wav"), row("short.wav"), {"path": "", "external_id": "on-paper", "title": "P"}]
        source = table(tmp_path / "more.csv", [{"external_id": "", **one} for one in rows])
        register("folk", source, people.steward, people.house)

        indexed = build(folk, people)

        why = dict(indexed.not_covered)
        assert set(why) == {"silent.wav", "short.wav", "on-paper"}
        assert why["silent.wav"] == "silent"
        assert "too short" in why["short.wav"]
        assert "metadata only" in why["on-paper"]
        assert not indexed.build.covers_all

    def test_says_what_an_older_method_fingerprinted(self, people: People, folk: Dataset) -> None:
        Fingerprint.objects.update(method_version="1")

        indexed = build(folk, people)

        assert {why for _, why in indexed.not_covered} == {
            "fingerprinted by an older method: register its source again"
        }
        assert not indexed.build.covers_all

    def test_refuses_a_dataset_of_nothing(self, people: People) -> None:
        with pytest.raises(EmptyDatasetError):
            build(a_dataset(people.steward, people.house, n_recordings=0), people)


class TestCurrentIndex:
    def test_is_the_one_that_was_built(self, people: People, folk: Dataset) -> None:
        built = build(folk, people).build

        assert current(folk, people)[0] == built
        assert IndexBuild.objects.get(kind="recording") == built

    def test_is_built_where_there_is_none(self, people: People, folk: Dataset) -> None:
        assert inside(current(folk, people)[1]) == ids_of(folk)

    def test_is_rebuilt_after_a_registration(self, people: People, folk: Dataset, tmp_path: Path) -> None:
        old = build(folk, people).build
        source = a_catalogue(tmp_path / "new", 1, first_seed=40)
        register("folk", source, people.steward, people.house)

        new, index = current(folk, people)

        assert new != old
        assert (new.n_recordings, inside(index)) == (3, ids_of(folk))

    @pytest.mark.parametrize("place", [3, 200, -5])
    def test_is_rebuilt_from_the_fingerprints_when_a_byte_was_flipped(
        self, people: People, folk: Dataset, place: int
    ) -> None:
        old = build(folk, people).build
        path = index_path(folk, None)
        content = bytearray(path.read_bytes())
        content[place] ^= 1
        path.write_bytes(content)

        new, index = current(folk, people)

        assert new != old
        assert inside(index) == ids_of(folk)
        assert path.read_bytes() != bytes(content)

    def test_is_rebuilt_when_its_file_is_gone(self, people: People, folk: Dataset) -> None:
        build(folk, people)
        index_path(folk, None).unlink()

        assert inside(current(folk, people)[1]) == ids_of(folk)

    def test_is_not_the_one_of_another_dataset_put_in_its_place(
        self, people: People, folk: Dataset, tmp_path: Path
    ) -> None:
        build(folk, people)
        source = a_catalogue(tmp_path / "jazz", 1, first_seed=50)
        jazz = register("jazz", source, people.steward, people.house).dataset
        build(jazz, people)
        shutil.copy(index_path(jazz, None), index_path(folk, None))

        assert inside(current(folk, people)[1]) == ids_of(folk)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real disk of 64 KiB where this machine lets one be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(mounting, capture_output=True, check=False).returncode == 0
    if not mounted:
        pytest.skip("no small disk can be mounted here; the failing write above stands for it")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


class TestAFullDisk:
    def old_index_serves(self, people: People, folk: Dataset, before: IndexBuild) -> None:
        assert IndexBuild.objects.get(kind="recording") == before
        assert not list(Path(live_settings.INDEX_DIR).glob("*.part"))
        now_used, index = current(folk, people)
        assert now_used == before
        assert inside(index) == ids_of(folk)

    def test_leaves_the_old_index_in_use(
        self, people: People, folk: Dataset, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = build(folk, people).build

        def full(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patched:
            patched.setattr("lib.files.os.fsync", full)
            with pytest.raises(
                StorageFullError, match="The disk is full: the index of folk was not replaced"
            ):
                build(folk, people)

        self.old_index_serves(people, folk, before)

    def test_leaves_the_old_index_in_use_on_a_real_disk(
        self, people: People, folk: Dataset, small_disk: Path, settings: Any
    ) -> None:
        settings.INDEX_DIR = small_disk
        before = build(folk, people).build
        (small_disk / "ballast").write_bytes(b"\0" * (os.statvfs(small_disk).f_bavail * 4096))

        with pytest.raises(StorageFullError):
            build(folk, people)

        self.old_index_serves(people, folk, before)
