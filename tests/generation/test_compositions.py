"""Likeness of compositions in checks: found in another key and tempo, and at most for review."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from generation.models import Check, Match
from provenance import services
from provenance.models import Dataset, Fingerprint
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


class TestIndexDataset:
    def test_covers_what_has_a_print(self, songs: Dataset, people: People) -> None:
        Fingerprint.objects.filter(recording__entries__external_id="2.wav", method="tune").delete()

        built = services.index_dataset(dataset=songs, version=None, by=people.steward, now=timezone.now())

        covered = {one.kind: (one.n_recordings, one.n_expected) for one in built.others}
        assert covered["composition"] == (2, 3)
