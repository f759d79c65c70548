"""What a check says when the index is one in segments, as those of big datasets are."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from generation import pipeline
from generation.pipeline import Answer, Target
from provenance import queries, services
from provenance.models import Dataset, Fingerprint, IndexBuild
from provenance.services import calibrating
from provenance.services.indexing import index_path
from provenance.similarity import segmented
from provenance.similarity.calibration import Calibration
from provenance.similarity.manifest import folder_of
from provenance.similarity.segmented import SegmentedIndex
from tests import signals
from tests.catalogues import RATE_HZ, a_catalogue, register, samples
from tests.people import People
from tests.provenance.test_similarity_calibration import a_stock

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def from_the_first(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.INDEX_DIR = tmp_path / "indexes"
    monkeypatch.setattr(segmented, "FROM_RECORDINGS", 1)
    yield
    segmented._open.clear()


@pytest.fixture(scope="module")
def standing_folk(shared_db: Path, founded_people: People) -> Dataset:
    source = a_catalogue(shared_db / "music", 3)
    return register("folk", source, founded_people.steward, founded_people.house).dataset


@pytest.fixture
def folk(standing_folk: Dataset) -> Dataset:
    return deepcopy(standing_folk)


def target_of(folk: Dataset, people: People) -> Target:
    build, index = services.current_index(dataset=folk, version=None, by=people.steward, now=timezone.now())
    return Target(folk, None, build, index)


def checked(target: Target, seed: int, tmp_path: Path) -> Answer:
    piece = samples(seed)[RATE_HZ : 9 * RATE_HZ]
    path = signals.write(tmp_path / "piece.wav", piece, rate_hz=RATE_HZ)
    return pipeline.check_file(path, name="piece.wav", targets=[target], kinds=("recording",))


def key_of(folk: Dataset, name: str) -> str:
    return str(folk.entries.get(external_id=name).recording.public_id)


class TestCheckFile:
    def test_finds_a_copy_as_a_small_index_does(
        self, folk: Dataset, people: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        big = target_of(folk, people)
        found = checked(big, 1, tmp_path)
        IndexBuild.objects.all().delete()
        monkeypatch.setattr(segmented, "FROM_RECORDINGS", 1_000)
        small = target_of(folk, people)

        assert isinstance(big.index, SegmentedIndex)
        assert not isinstance(small.index, SegmentedIndex)
        assert found.verdict == checked(small, 1, tmp_path).verdict != "no_match"
        best, same = found.candidates[0], checked(small, 1, tmp_path).candidates[0]
        assert best.recording_id == same.recording_id == key_of(folk, "1.wav")
        assert best.reference_start_s == pytest.approx(same.reference_start_s)

    def test_accuses_no_stranger(self, folk: Dataset, people: People, tmp_path: Path) -> None:
        assert checked(target_of(folk, people), 77, tmp_path).verdict == "no_match"

    def test_blocks_what_a_case_blocks_without_a_new_build(
        self, folk: Dataset, people: People, tmp_path: Path
    ) -> None:
        target = target_of(folk, people)
        written = index_path(folk, None).stat().st_mtime_ns
        revoked = replace(target, blocked={key_of(folk, "1.wav"): "CASE-1"})
        found = checked(revoked, 1, tmp_path)

        assert found.verdict == "blocked"
        assert any("CASE-1" in reason for reason in found.reasons)
        assert index_path(folk, None).stat().st_mtime_ns == written
        assert IndexBuild.objects.count() == 1


class TestCalibration:
    def test_counts_either_tier_as_one_that_may_accuse(
        self, folk: Dataset, people: People, monkeypatch: pytest.MonkeyPatch, settings: Any
    ) -> None:
        settings.CALIBRATION_EXCERPTS = 6
        monkeypatch.setattr(calibrating, "_stock", lambda _kind, n: a_stock().drawn(n))
        indexed = services.index_dataset(dataset=folk, version=None, by=people.steward, now=timezone.now())

        assert indexed.calibration is not None
        measured = queries.measured(indexed.calibration)
        assert measured is not None
        assert (measured.n_strangers, measured.tiers) == (6, 2)
        once = replace(measured, tiers=1)
        part = measured.parts[0]
        both, one = (each.chance(part, 0.0, seconds=5.0) for each in (measured, once))
        assert both is not None
        assert one is not None
        assert both.p == pytest.approx(1 - (1 - one.p) ** 2)
        assert Calibration.from_json(measured.as_json()).tiers == 2


class TestCurrentIndex:
    def test_covers_every_row_that_has_a_fingerprint(self, folk: Dataset, people: People) -> None:
        target = target_of(folk, people)
        rows = Fingerprint.objects.filter(
            recording__in=folk.entries.values("recording"), method="items+peaks"
        ).select_related("recording")
        stored = {str(row.recording.public_id): row.sha256 for row in rows}

        assert isinstance(target.index, SegmentedIndex)
        assert dict(target.index.identities()) == stored
        assert target.covers_all
        assert len(stored) == 3

    def test_writes_what_is_new_alone(self, folk: Dataset, people: People, tmp_path: Path) -> None:
        target_of(folk, people)
        folder = folder_of(index_path(folk, None))
        before = {path.name: path.stat().st_ino for path in folder.glob("*.segment")}
        register("folk", a_catalogue(tmp_path / "more", 1, first_seed=40), people.steward, people.house)
        target = target_of(folk, people)
        after = {path.name: path.stat().st_ino for path in folder.glob("*.segment")}

        assert before.items() < after.items()
        assert len(after) == 2
        assert checked(target, 40, tmp_path).candidates[0].recording_id == key_of(folk, "40.wav")

    def test_is_built_anew_where_it_is_damaged(self, folk: Dataset, people: People, tmp_path: Path) -> None:
        target_of(folk, people)
        path = next(folder_of(index_path(folk, None)).glob("*.segment"))
        path.write_bytes(path.read_bytes()[:-9])
        segmented._open.clear()

        assert checked(target_of(folk, people), 1, tmp_path).verdict != "no_match"

    def test_leaves_no_segments_where_a_small_one_takes_its_place(
        self, folk: Dataset, people: People, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        target_of(folk, people)
        monkeypatch.setattr(segmented, "FROM_RECORDINGS", 1_000)
        services.index_dataset(dataset=folk, version=None, by=people.steward, now=timezone.now())

        assert not folder_of(index_path(folk, None)).exists()
        assert len(target_of(folk, people).index.recordings) == 3  # type: ignore[union-attr]
