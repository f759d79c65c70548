"""Likeness of style in checks: shown with its doubt, and never a reason to hold anything back."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from numpy.typing import NDArray

from generation.models import Check, Match
from generation.queries.styles import resemblance
from provenance import services
from provenance.models import Dataset, Fingerprint, Recording
from provenance.similarity import embedders, musicnn
from provenance.similarity.excerpts import Excerpts
from tests import signals
from tests.catalogues import a_catalogue, register, row, run, sound, table
from tests.people import People

pytestmark = pytest.mark.django_db


class Loudness:
    """An embedding that costs nothing: how the bands of each excerpt are filled."""

    sha256 = "5a" * 32
    centre = np.zeros(musicnn.N_MELS, np.float32)

    def embed(self, excerpts: Excerpts) -> NDArray[np.float32]:
        rate = excerpts.sample_rate_hz
        patches = [musicnn.patch_of(one, sample_rate_hz=rate).mean(axis=0) for one in excerpts.samples]
        silent = [musicnn.is_silent(one) for one in excerpts.samples]
        return np.where(np.array(silent)[:, None], np.nan, np.array(patches)).astype(np.float32)


@pytest.fixture(scope="module", autouse=True)
def embedding() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedders, "_chosen", embedders.MUSICNN)
        patch.setattr(embedders, "_loaded", lambda name: Loudness())
        patch.setattr(musicnn, "problem", str)
        patch.setattr(musicnn, "SHARD_SHA256", Loudness.sha256)
        yield patch


@pytest.fixture(scope="module")
def standing_folk(shared_db: Path, founded_people: People) -> Dataset:
    source = a_catalogue(shared_db / "music", 3)
    return register("folk", source, founded_people.steward, founded_people.house).dataset


@pytest.fixture
def folk(standing_folk: Dataset, db: None) -> Dataset:
    return deepcopy(standing_folk)


class TestCheckAudio:
    def test_names_the_nearest_and_decides_nothing(self, folk: Dataset, tmp_path: Path) -> None:
        copy, other = sound(tmp_path / "copy.wav", 1), sound(tmp_path / "other.wav", 77)

        ran = run("check_audio", copy, other, "--against", "folk", "--kinds", "style")

        assert ran.code == 0
        first, last = ran.lines
        assert (first["verdict"], last["verdict"]) == ("no_match", "no_match")
        assert first["reasons"] == ["likeness of style is shown and decides nothing"]
        assert first["kinds_not_checked"] == []
        best = first["matches"][0]
        assert (best["external_id"], best["kind"], best["accepted"]) == ("1.wav", "style", False)
        assert (best["p_value"], best["query_end_s"]) == (None, first["seconds"])
        assert sum(match["score"] for match in first["matches"]) == pytest.approx(1, abs=1e-4)
        assert all(match["share_low"] <= match["score"] <= match["share_high"] for match in first["matches"])
        assert (best["model"], best["dataset"]) == (Loudness.sha256, str(folk.public_id))
        assert Match.objects.filter(kind="style", accepted=True).count() == 0

    def test_leaves_the_verdict_on_recordings_as_it_is(self, folk: Dataset, tmp_path: Path) -> None:
        copy = sound(tmp_path / "copy.wav", 1)

        (line,) = run("check_audio", copy, "--against", "folk", "--kinds", "recording,style").lines

        assert line["verdict"] == "blocked"
        assert {match["kind"] for match in line["matches"]} == {"recording", "style"}

    def test_cannot_say_no_match_where_a_style_is_not_covered(
        self, folk: Dataset, people: People, tmp_path: Path
    ) -> None:
        source = table(tmp_path / "paper.csv", [{"external_id": "on-paper", "title": "P"}])
        register("folk", source, people.steward, people.house)

        (line,) = run(
            "check_audio", sound(tmp_path / "x.wav", 77), "--against", "folk", "--kinds", "style"
        ).lines

        assert line["verdict"] == "unverifiable"
        assert "the style index of folk covers 3 of 4 recordings" in line["reasons"]

    def test_hears_nothing_in_silence(self, folk: Dataset, tmp_path: Path) -> None:
        silent = signals.write(tmp_path / "silent.wav", signals.silence(9.0))

        (line,) = run("check_audio", silent, "--against", "folk", "--kinds", "style").lines

        assert (line["verdict"], line["matches"]) == ("unverifiable", [])

    def test_says_that_style_was_not_checked_without_an_embedding(
        self, folk: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(embedders, "_chosen", embedders.NONE)

        (line,) = run(
            "check_audio", sound(tmp_path / "x.wav", 77), "--against", "folk", "--kinds", "recording,style"
        ).lines

        assert (line["verdict"], line["kinds_not_checked"]) == ("unverifiable", ["style"])
        assert Check.objects.get().kinds == ["recording"]
        assert "likeness of style is turned off here" in line["reasons"]


def coverage(dataset: Dataset, people: People) -> dict[str, tuple[int, int]]:
    built = services.index_dataset(dataset=dataset, version=None, by=people.steward, now=timezone.now())
    return {one.kind: (one.n_recordings, one.n_expected) for one in (built.build, *built.others)}


class TestIndexDataset:
    def test_builds_an_index_of_styles_too(self, folk: Dataset, people: People) -> None:
        assert coverage(folk, people)["style"] == (3, 3)

    def test_does_not_cover_what_another_model_embedded(self, folk: Dataset, people: People) -> None:
        Fingerprint.objects.filter(method="style").update(model_sha256="00" * 32)

        covered = coverage(folk, people)

        assert (covered["recording"], covered["style"]) == ((3, 3), (0, 3))

    def test_covers_it_again_when_its_source_is_registered_again(
        self, folk: Dataset, people: People, shared_db: Path
    ) -> None:
        Fingerprint.objects.filter(method="style").update(model_sha256="00" * 32)
        register("folk", shared_db / "music" / "catalogue.csv", people.steward, people.house)

        assert coverage(folk, people)["style"] == (3, 3)

    def test_has_no_print_of_what_is_silent(self, people: People, tmp_path: Path) -> None:
        signals.write(tmp_path / "silent.wav", signals.silence(9.0))
        source = table(tmp_path / "one.csv", [row("silent.wav")])
        quiet = register("quiet", source, people.steward, people.house).dataset

        assert coverage(quiet, people)["style"] == (0, 1)


class TestCheckPage:
    def test_shows_shares_apart_from_what_was_found(
        self, folk: Dataset, people: People, tmp_path: Path
    ) -> None:
        Recording.objects.update(artist="The Weavers")
        run("check_audio", sound(tmp_path / "x.wav", 77), "--against", "folk", "--kinds", "recording,style")
        client = Client()
        client.force_login(people.officer)

        shown = client.get(reverse("generation:check", args=[Check.objects.get().public_id])).content.decode()

        found, style = shown.split('<h2 id="style-title">')
        assert "this is no finding" in style
        assert style.count("<tr>") == 1 + 3
        assert "The Weavers 100 %" in " ".join(style.replace("\xa0", " ").split())
        assert '<td data-label="Likeness">style</td>' not in found


def a_match(recording: int, share: float, artist: str = "", dataset: str = "one", **details: float) -> Match:
    told = {"share_low": share / 2, "share_high": min(1.0, share * 2), "nearness": 0.5, "excerpts": 5}
    return Match(
        kind="style",
        score=share,
        recording=Recording(pk=recording, artist=artist),
        details={**told, "dataset": dataset, **details},
    )


class TestResemblance:
    def test_is_none_without_style(self) -> None:
        assert resemblance([Match(kind="recording", score=0.9)]) is None

    def test_adds_up_by_artist_and_keeps_the_rest(self) -> None:
        found = resemblance([a_match(1, 0.3, "Ann"), a_match(2, 0.2, "Ann"), a_match(3, 0.25)])

        assert found is not None
        assert [one.match.recording_id for one in found.nearest] == [1, 3, 2]
        (ann,) = found.artists
        assert (ann.share, ann.low, ann.high, ann.n_recordings) == (0.5, 0.25, 1.0, 2)
        assert found.others == pytest.approx(0.25)

    def test_counts_each_index_alike(self) -> None:
        found = resemblance([a_match(1, 0.8), a_match(2, 0.6, dataset="two")])

        assert found is not None
        assert [one.share for one in found.nearest] == [0.4, 0.3]

    def test_says_that_it_resembles_nobody_much(self) -> None:
        found = resemblance([a_match(1, 0.8, nearness=0.01)])

        assert found is not None
        assert not found.is_alike
