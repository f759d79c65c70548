"""Frameworks as data: all there, counted, and honest about what is ours."""

from __future__ import annotations

from typing import Any

import pytest

from audit.frameworks import loader

NAMES = ("eu_art53", "fairly_trained", "musgo", "raim")


def document(**changes: Any) -> dict[str, Any]:
    feature = {
        "id": "1",
        "requirement": "One",
        "name": "First",
        "facet": "F",
        "meaning": "m",
        "evidence_kind": "measured",
        "met": "a",
        "partly": "b",
        "not_met": "c",
    }
    return {
        "format": loader.FORMAT,
        "id": "small",
        "version": "1",
        "name": "Small",
        "authors": "Someone",
        "source": {"url": "https://example.org"},
        "licence": "MIT",
        "notice": "n",
        "reading": "r",
        "requirements": [{"name": "One", "features": 2}],
        "features": [feature, feature | {"id": "2"}],
    } | changes


class TestLoad:
    def test_has_the_four_frameworks(self) -> None:
        assert loader.available() == NAMES

    @pytest.mark.parametrize("name", NAMES)
    def test_says_for_every_feature_what_counts_as_what(self, name: str) -> None:
        framework = loader.load(name)
        for feature in framework.features:
            for field in ("name", "facet", "meaning", "met", "partly", "not_met"):
                text = getattr(feature, field)
                assert isinstance(text, str), (feature.id, field)
                assert text.strip() == text, (feature.id, field)
                assert text, (feature.id, field)

    @pytest.mark.parametrize("name", NAMES)
    def test_names_its_source_and_whose_reading_it_is(self, name: str) -> None:
        framework = loader.load(name)
        assert framework.source_url.startswith("https://")
        assert framework.authors
        assert framework.notice
        assert framework.reading

    @pytest.mark.parametrize("name", ["iso42001", "../frameworks/raim", "raim.yaml", "", "RAIM"])
    def test_refuses_an_unknown_one_and_lists_those_there_are(self, name: str) -> None:
        with pytest.raises(
            loader.UnknownFrameworkError, match="there are eu_art53, fairly_trained, musgo, raim"
        ):
            loader.load(name)


class TestRaim:
    def test_has_45_features_in_seven_requirements(self) -> None:
        raim = loader.load("raim")
        assert [requirement.n_features for requirement in raim.requirements] == [7, 8, 6, 9, 5, 6, 4]
        assert len(raim.features) == 45

    def test_numbers_them_as_the_authors_do(self) -> None:
        ids = [feature.id for feature in loader.load("raim").features]
        assert ids == [
            f"{pillar}-{number:02d}"
            for pillar, n in enumerate([7, 8, 6, 9, 5, 6, 4], start=1)
            for number in range(1, n + 1)
        ]

    def test_carries_the_notice_its_licence_asks_for(self) -> None:
        raim = loader.load("raim")
        assert "Copyright (c) 2024 Jacopo de Berardinis" in raim.notice
        assert "Permission is hereby granted" in raim.notice

    def test_says_that_it_defines_no_score_and_gives_no_weights(self) -> None:
        raim = loader.load("raim")
        assert "defines no score" in raim.reading
        assert all(feature.weight is None for feature in raim.features)


class TestMusgo:
    def test_has_the_weights_of_its_authors(self) -> None:
        musgo = loader.load("musgo")
        assert [feature.weight for feature in musgo.features] == [2, 2, 2, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0]


class TestFramework:
    def test_finds_a_feature_by_id(self) -> None:
        assert loader.load("raim").feature("2-01").name == "Music leakage prevention"
        with pytest.raises(KeyError, match="raim has no feature 9-01"):
            loader.load("raim").feature("9-01")

    def test_lists_what_stands_under_a_requirement(self) -> None:
        names = [feature.id for feature in loader.load("raim").under("Accountability")]
        assert names == ["7-01", "7-02", "7-03", "7-04"]


class TestParse:
    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"format": "liner-notes-framework/2"}, "not a document of format"),
            ({"id": "other"}, "its id is other"),
            ({"requirements": [{"name": "One", "features": 3}]}, "One: 3 features declared, 2 found"),
            ({"requirements": []}, "One: 0 features declared, 2 found"),
            ({"features": document()["features"][:1] * 2}, "1 stands there more than once"),
            (
                {"features": [document()["features"][0] | {"evidence_kind": "felt"}]},
                "evidence_kind is 'felt'",
            ),
            ({"features": [{"id": "1"}]}, "feature 1: .*missing"),
            ({"source": {}}, "url is missing"),
        ],
    )
    def test_refuses_a_file_that_contradicts_itself(self, changes: dict[str, Any], said: str) -> None:
        with pytest.raises(loader.FrameworkError, match=said):
            loader.parse(document(**changes), "small.yaml")

    def test_reads_a_sound_one(self) -> None:
        assert [feature.id for feature in loader.parse(document(), "small.yaml").features] == ["1", "2"]
