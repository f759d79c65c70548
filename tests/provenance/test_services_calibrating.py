"""Calibrations: measured with an index, kept beside what held before, and asked for again only where it is needed."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from generation.models import Check, Match
from governance.models import LedgerEvent
from provenance import queries, services
from provenance.models import Calibration, Dataset, DatasetVersion
from provenance.queries.clearances import CHANGES_NO_ANSWER
from provenance.services import calibrating
from provenance.services.indexing import Indexed
from provenance.similarity.strangers import HELD_OUT_NAME, Stock, StockError
from provenance.similarity.thresholds import POLICY_ID
from tests.catalogues import a_catalogue, register, row, run, sound, table
from tests.people import People
from tests.provenance.test_similarity_calibration import a_stock

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def registered(shared_db: Path, founded_people: People) -> Dataset:
    return register(
        "folk", a_catalogue(shared_db / "music"), founded_people.steward, founded_people.house
    ).dataset


@pytest.fixture
def folk(registered: Dataset, people: People) -> Dataset:
    return deepcopy(registered)


@pytest.fixture(autouse=True)
def few_strangers(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.CALIBRATION_EXCERPTS = 6
    monkeypatch.setattr(calibrating, "_stock", strangers_for_recordings)


def strangers_for_recordings(kind: str, n_excerpts: int) -> Stock:
    """Return a few that are made up; of compositions there are none here."""
    if kind != "recording":
        raise StockError(f"There are no strangers for {kind}.")
    return a_stock().drawn(n_excerpts)


def build(dataset: Dataset, people: People, *, version: DatasetVersion | None = None, **more: Any) -> Indexed:
    return services.index_dataset(
        dataset=dataset, version=version, by=people.steward, now=timezone.now(), **more
    )


class TestCalibrate:
    def test_is_done_with_the_index_and_said_in_the_ledger(self, people: People, folk: Dataset) -> None:
        indexed = build(folk, people)

        kept = indexed.calibration
        assert kept is not None
        assert (kept.index, kept.n_strangers, kept.n_tracks, kept.before) == (indexed.build, 6, 6, None)
        measured = queries.measured(kept)
        assert measured is not None
        assert {"items", "peaks"} <= set(measured.parts)
        event = LedgerEvent.objects.get(kind="provenance.index.calibrated")
        assert event.body["calibration"] == str(kept.public_id)
        assert event.kind in CHANGES_NO_ANSWER
        assert event.body["stock_sha256"] == a_stock().drawn(6).sha256
        assert indexed.as_json()["calibration"]["strangers"] == 6
        assert "Calibrated with 6 excerpts of 6 strangers." in indexed.words()

    def test_names_what_held_before_a_dataset_grew(
        self, people: People, folk: Dataset, tmp_path: Path
    ) -> None:
        first = build(folk, people).calibration
        sound(tmp_path / "new.wav", 7)
        register("folk", table(tmp_path / "more.csv", [row("new.wav")]), people.steward, people.house)

        second = build(folk, people).calibration

        assert second is not None
        assert second.before == first
        assert second.measured != first.measured  # type: ignore[union-attr]

    def test_measures_what_is_the_same_once(
        self, people: People, folk: Dataset, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = build(folk, people).calibration
        monkeypatch.setattr("provenance.similarity.calibration.measure", None)

        second = build(folk, people).calibration

        assert second is not None
        assert (second.pk != first.pk, second.measured == first.measured) == (True, True)  # type: ignore[union-attr]

    def test_measures_anew_what_went_by_other_thresholds(self, people: People, folk: Dataset) -> None:
        indexed = build(folk, people)
        Calibration.objects.update(measured={**indexed.calibration.measured, "policy": "older"})  # type: ignore[union-attr]

        assert queries.calibration_of(indexed.build) is None
        assert build(folk, people).calibration.measured["policy"] != "older"  # type: ignore[union-attr]

    def test_is_left_out_where_none_is_asked_for_or_there_is_no_stock(
        self, people: People, folk: Dataset, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def missing(kind: str, n: int) -> None:
            raise StockError("The stock is gone.")

        assert build(folk, people, n_excerpts=0).calibration is None
        monkeypatch.setattr(calibrating, "_stock", missing)
        indexed = build(folk, people)
        assert indexed.calibration is None
        assert "The stock is gone." in caplog.text
        assert "not calibrated: fixed thresholds hold" in indexed.words()
        assert indexed.as_json()["calibration"] is None


class TestCalibrationFor:
    def test_returns_what_was_measured_and_measures_what_was_not(self, people: People, folk: Dataset) -> None:
        build(folk, people, n_excerpts=0)
        index, opened = services.current_index(
            dataset=folk, version=None, by=people.steward, now=timezone.now()
        )
        by_now: dict[str, Any] = {
            "build": index,
            "index": opened,
            "by": people.steward,
            "now": timezone.now(),
        }

        first = services.calibration_for(**by_now)

        assert first is not None
        assert services.calibration_for(**by_now) == first


class TestCheckAudio:
    def test_gives_every_match_its_p_and_the_check_its_target(
        self, people: People, folk: Dataset, tmp_path: Path, settings: Any
    ) -> None:
        settings.FALSE_ALARM_TARGET = 0.05
        index = run("index_dataset", "folk", "--wait", "--calibrate", "6").last

        copy = run("check_audio", sound(tmp_path / "copy.wav", 1), "--against", "folk")
        other = run("check_audio", sound(tmp_path / "other.wav", 77), "--against", "folk")

        calibration = index["calibration"]["id"]
        assert copy.last["policy"] == {
            "id": POLICY_ID,
            "false_alarm_target": 0.05,
            "calibrated": True,
            "indexes": 1,
            "calibrations": [calibration],
        }
        best = copy.last["matches"][0]
        assert (best["accepted"], best["p_kind"], best["calibration"]) == (True, "extrapolated", calibration)
        assert 0.0 < best["p_value"] <= 0.05
        assert (copy.code, other.code, other.last["verdict"]) == (1, 0, "no_match")
        assert all(match["p_value"] > 0.05 for match in other.last["matches"])
        kept = Check.objects.get(sha256=copy.last["sha256"])
        assert kept.policy == copy.last["policy"]
        match = kept.matches.get(rank=1)
        assert (match.p_value, match.p_kind, match.calibration) == (
            best["p_value"],
            "extrapolated",
            calibration,
        )

    def test_gives_each_of_several_indexes_its_share_of_the_target(
        self, people: People, folk: Dataset, tmp_path: Path, settings: Any
    ) -> None:
        register("jazz", a_catalogue(tmp_path / "jazz", first_seed=5), people.steward, people.house)
        alone = run("check_audio", sound(tmp_path / "copy.wav", 1), "--against", "folk").last
        among = run("check_audio", tmp_path / "copy.wav", "--against", "folk", "jazz").last

        assert among["policy"]["indexes"] == 2
        assert among["policy"]["false_alarm_target"] == alone["policy"]["false_alarm_target"]
        assert among["matches"][0]["p_value"] == alone["matches"][0]["p_value"]
        scores = Match.objects.filter(rank=1, accepted=True).order_by("id").values_list("score", flat=True)
        assert scores[1] < scores[0]

    def test_says_that_fixed_thresholds_held_where_the_file_is_shorter_than_any_stranger(
        self, people: People, folk: Dataset, tmp_path: Path
    ) -> None:
        ran = run("check_audio", sound(tmp_path / "short.wav", 1, 4.0), "--against", "folk").last

        assert ran["policy"] == {"id": POLICY_ID, "false_alarm_target": None, "calibrated": False}
        assert {match["p_value"] for match in ran["matches"]} == {None}


class TestCalibrationPage:
    def page(self, people: People, indexed: Indexed) -> str:
        client = Client()
        client.force_login(people.steward)
        answer = client.get(reverse("provenance:calibration", args=[indexed.build.public_id]))
        assert answer.status_code == 200
        return " ".join(answer.content.decode().split())

    def test_says_what_a_match_must_reach_and_draws_why(self, people: People, folk: Dataset) -> None:
        text = self.page(people, build(folk, people))

        assert "6 excerpts of 6 strange recordings" in text
        assert text.count('class="plot"') >= 2
        assert "It is the first measurement of this dataset." in text
        assert "p-value is no share of right answers" in text

    def test_sets_what_held_before_beside_it(self, people: People, folk: Dataset, tmp_path: Path) -> None:
        build(folk, people)
        sound(tmp_path / "new.wav", 7)
        register("folk", table(tmp_path / "more.csv", [row("new.wav")]), people.steward, people.house)

        assert "“Before” is what held from" in self.page(people, build(folk, people))

    def test_says_that_nobody_measured(self, people: People, folk: Dataset) -> None:
        text = self.page(people, build(folk, people, n_excerpts=0))

        assert "Nobody has measured it. Fixed thresholds decide" in text

    @pytest.mark.parametrize(("policy", "told"), [(POLICY_ID, True), ("recording-0", False)])
    def test_tells_of_held_out_strangers_only_what_was_measured_of_the_policy_in_force(
        self,
        people: People,
        folk: Dataset,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        policy: str,
        told: bool,
    ) -> None:
        at_a_tenth = {
            "seconds": 5.0,
            "level": 0.1,
            "n": 9,
            "count": 1,
            "share": 1 / 9,
            "low": 0.0,
            "high": 0.4,
        }
        ambient = {"name": "ambient", "n": 9, "tenth": 1, "low": 0.0, "high": 0.4}
        groups = {"by_package": [ambient | {"name": "songs"}], "by_genre": [ambient], "misses": [missed()]}
        (tmp_path / HELD_OUT_NAME).write_text(
            json.dumps({"policy": policy, "references": 3, "held_out": [at_a_tenth], **groups})
        )
        monkeypatch.setattr(queries.calibrations, "FOLDER", tmp_path)
        queries.held_out.cache_clear()
        try:
            text = self.page(people, build(folk, people))
            for said in ("Does it keep its promise?", "By genre", ">ambient<", "1 of 9", "noise (24)"):
                assert (said in text) is told
        finally:
            queries.held_out.cache_clear()


def missed() -> dict[str, Any]:
    points = [{"p": p, "missed": 1 - p, "stopped": p} for p in (1e-6, 1e-3, 1.0)]
    return {"family": "noise", "seconds": 5.0, "n": 24, "strangers": 9, "points": points}
