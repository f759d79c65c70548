"""Likeness of compositions in checks: found in another key and tempo, and at most for review."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from generation.models import Check, Match
from generation.pipeline import check_file
from generation.services.checking import targets_for
from provenance import services
from provenance.models import Dataset, Fingerprint
from provenance.services import calibrating
from provenance.similarity.harmony import Tune
from provenance.similarity.strangers import COMPOSITION_FOLDER, Stock, StockError
from provenance.similarity.thresholds import COMPOSITION_POLICY_ID, POLICY_ID
from tests import signals
from tests.catalogues import register, row, run, table
from tests.people import People

pytestmark = pytest.mark.django_db


def played(path: Path, seed: int, *, up: int = 0, tempo: float = 1.0, timbre: float = 0.5) -> Path:
    """Write a tune for 16 seconds, its overtones falling by ``timbre``."""
    rate_hz = signals.RATE_HZ
    mix = np.zeros(round(16 * rate_hz), dtype=np.float32)
    for onset_s, seconds, pitch in signals.melody(60, seed=seed):
        at = np.arange(round(seconds / tempo * rate_hz), dtype=np.float32) / np.float32(rate_hz)
        hertz = 440.0 * 2 ** ((pitch + up - 69) / 12)
        note = sum(timbre**n * np.sin(2 * np.pi * hertz * (n + 1) * at) for n in range(4))
        first = round(onset_s / tempo * rate_hz)
        mix[first : first + len(at)] += (0.2 * note)[: max(0, len(mix) - first)].astype(np.float32)
    return signals.write(path, mix)


@pytest.fixture(scope="module")
def standing_songs(shared_db: Path, founded_people: People) -> Dataset:
    folder = shared_db / "songs"
    source = table(folder / "songs.csv", [row(f"{seed}.wav") for seed in range(3)])
    for seed in range(3):
        played(folder / f"{seed}.wav", seed)
    return register("songs", source, founded_people.steward, founded_people.house).dataset


@pytest.fixture
def songs(standing_songs: Dataset, db: None) -> Dataset:
    return deepcopy(standing_songs)


@pytest.fixture(scope="module")
def standing_scores(shared_db: Path, founded_people: People) -> Dataset:
    folder = shared_db / "scores"
    source = table(folder / "scores.csv", [row(f"{seed}.mid") for seed in (5, 6)])
    for seed in (5, 6):
        signals.write_midi(folder / f"{seed}.mid", signals.melody(60, seed=seed))
    return register("scores", source, founded_people.steward, founded_people.house).dataset


class TestCheckAudio:
    def test_finds_a_tune_in_another_key_and_tempo_and_leaves_it_to_a_person(
        self, songs: Dataset, people: People, tmp_path: Path
    ) -> None:
        cover = played(tmp_path / "cover.wav", 1, up=3, tempo=1.1, timbre=0.2)

        (line,) = run("check_audio", cover, "--against", "songs", "--kinds", "recording,composition").lines

        assert (line["verdict"], line["kinds_not_checked"]) == ("review", [])
        best = next(match for match in line["matches"] if match["kind"] == "composition")
        assert (best["external_id"], best["accepted"]) == ("1.wav", True)
        assert best["pitch_shift_semitones"] == pytest.approx(3, abs=0.3)
        assert best["tempo_ratio"] == pytest.approx(1.1, abs=0.06)
        assert "“Tune 1.wav”" in " ".join(line["reasons"])
        assert not Match.objects.filter(kind="recording", accepted=True).exists()

        client = Client()
        client.force_login(people.officer)
        shown = client.get(reverse("generation:check", args=[Check.objects.get().public_id]))
        text = " ".join(shown.content.decode().split())
        assert "The tune or the harmony agrees" in text
        assert "<dd>recording, composition</dd>" in text.replace("<dd> ", "<dd>").replace(" </dd>", "</dd>")

    def test_says_no_match_of_another_tune_and_shows_the_nearest(
        self, songs: Dataset, tmp_path: Path
    ) -> None:
        (line,) = run(
            "check_audio", played(tmp_path / "x.wav", 77), "--against", "songs", "--kinds", "composition"
        ).lines

        assert line["verdict"] == "no_match"
        assert len(line["matches"]) == 3

    def test_can_say_nothing_of_a_few_seconds(self, songs: Dataset, tmp_path: Path) -> None:
        short = signals.write(tmp_path / "short.wav", signals.music(4.0))

        (line,) = run("check_audio", short, "--against", "songs", "--kinds", "composition").lines

        assert line["verdict"] == "unverifiable"
        assert "too short to compare compositions" in line["reasons"][0]


class TestNotes:
    @pytest.fixture
    def scores(self, standing_scores: Dataset, db: None) -> Dataset:
        return deepcopy(standing_scores)

    @pytest.fixture
    def covered(self, tmp_path: Path) -> Path:
        notes = [
            (onset_s / 1.3, length_s / 1.3, up + 5) for onset_s, length_s, up in signals.melody(60, seed=6)
        ]
        return signals.write_midi(tmp_path / "cover.mid", notes)

    def test_are_held_against_notes(self, scores: Dataset, people: People, covered: Path) -> None:
        (line,) = run("check_audio", covered, "--against", "scores", "--kinds", "composition").lines

        best = next(match for match in line["matches"] if match["column"] == "notes")
        assert (line["verdict"], best["external_id"], best["accepted"]) == ("review", "6.mid", True)
        assert (best["notes"], best["pitch_shift_semitones"], best["p_value"]) == (60, 5.0, None)
        assert best["tempo_ratio"] == pytest.approx(1.3, abs=0.01)
        assert "60 notes in a row are those of “Tune 6.mid”" in " ".join(line["reasons"])

        client = Client()
        client.force_login(people.officer)
        shown = client.get(reverse("generation:check", args=[Check.objects.get().public_id]))
        assert "notes in a row agree" in shown.content.decode()

    def test_of_a_model_are_read_beside_its_sound(
        self, scores: Dataset, people: People, covered: Path, tmp_path: Path
    ) -> None:
        targets = targets_for(
            ["scores"], [people.house], by=people.officer, now=timezone.now(), kinds=["composition"]
        )
        sound = played(tmp_path / "other.wav", 77)

        heard = check_file(sound, name="other.wav", targets=targets, kinds=["composition"])
        read = check_file(sound, name="other.wav", targets=targets, kinds=["composition"], midi=covered)

        assert (heard.verdict, read.verdict) == ("no_match", "review")
        assert {one.details["column"] for one in heard.candidates} <= {"harmony", "melody"}
        assert heard.kinds == read.kinds == ("composition",)

        covered.write_bytes(covered.read_bytes()[:-9])
        damaged = check_file(sound, name="other.wav", targets=targets, kinds=["composition"], midi=covered)
        assert (damaged.verdict, damaged.seconds) == ("unverifiable", heard.seconds)
        assert "its notes can't be read" in " ".join(damaged.reasons)
        assert len(damaged.candidates) == len(heard.candidates)


class TestCalibration:
    def test_gives_matches_their_p_and_the_check_its_target(
        self, songs: Dataset, people: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any
    ) -> None:
        settings.CALIBRATION_EXCERPTS = 3
        settings.COMPOSITION_FALSE_ALARM_TARGET = 0.1
        monkeypatch.setattr(calibrating, "_stock", a_few_strangers)
        built = services.index_dataset(dataset=songs, version=None, by=people.steward, now=timezone.now())
        cover = played(tmp_path / "cover.wav", 1, up=3, timbre=0.2)

        (line,) = run("check_audio", cover, "--against", "songs", "--kinds", "composition").lines

        kept = built.other_calibrations["composition"]
        assert built.as_json()["coverage"]["composition"]["calibration"]["id"] == str(kept.public_id)
        assert line["policy"] == {
            "id": COMPOSITION_POLICY_ID,
            "false_alarm_target": 0.1,
            "calibrated": True,
            "indexes": 1,
            "calibrations": [str(kept.public_id)],
        }
        best = line["matches"][0]
        assert (line["verdict"], best["external_id"], best["accepted"]) == ("review", "1.wav", True)
        assert (best["p_kind"], best["calibration"]) == ("extrapolated", str(kept.public_id))
        assert 0.0 < best["p_value"] <= 0.1
        assert all(match["p_value"] > best["p_value"] for match in line["matches"][1:])

        both = run("check_audio", cover, "--against", "songs", "--kinds", "recording,composition").last
        told = {name: both["policy"][name] for name in ("id", "calibrated", "false_alarm_target")}
        assert told == {"id": POLICY_ID, "calibrated": False, "false_alarm_target": None}
        assert both["policy"]["composition"] == line["policy"]

        client = Client()
        client.force_login(people.steward)
        shown = client.get(reverse("provenance:calibration", args=[kept.index.public_id]))
        text = " ".join(shown.content.decode().split())
        assert "Of 10 outputs" in text
        assert "Blocked from" not in text


def a_few_strangers(kind: str, n_excerpts: int) -> Stock:
    """Return excerpts of the stock of compositions; of recordings there are none here."""
    if kind != "composition":
        raise StockError(f"There are no strangers for {kind}.")
    return Stock.load(COMPOSITION_FOLDER, unpack=Tune.unpack).drawn(n_excerpts)


class TestIndexDataset:
    def test_covers_what_has_a_print(self, songs: Dataset, people: People) -> None:
        Fingerprint.objects.filter(recording__entries__external_id="2.wav", method="tune").delete()

        built = services.index_dataset(dataset=songs, version=None, by=people.steward, now=timezone.now())

        covered = {one.kind: (one.n_recordings, one.n_expected) for one in built.others}
        assert covered["composition"] == (2, 3)
