"""Which recordings a catalogue's rows are, as values: names, identifiers, what speaks against."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenance.matching.engine import Described, Match, Sound, answer_of, match, name_score
from provenance.matching.sound import Heard
from provenance.rights import names

ISRCS = ("GBAYE0601477", "USRC17607839", "DEA450000001")
HELD = Described("held", "Blue in Green", "The Trio", frozenset({ISRCS[0]}), frozenset(), 180.0, "a" * 64)


def only(row: Described, *held: Described, sound: Sound | None = None) -> Match | None:
    found = match([row], held or (HELD,), {row.key: sound} if sound else None)[row.key]
    return found[0] if found else None


def kinds(found: Match | None) -> list[str]:
    return [one["kind"] for one in found.evidence] if found else []


def heard(agreed_s: float = 170.0, shorter_s: float = 180.0) -> Heard:
    return Heard("held", 0.95, agreed_s, shorter_s, 0.0, 3.0, 0.05)


class TestTitle:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("Señorita", "SENORITA"),
            ("Don't Stop", "Don’t  stop!"),
            ("Blue Moon (feat. Someone)", "Blue Moon"),
            ("Blue Moon ft. Someone", "blue moon"),
            ("Blue Moon - 2011 Remaster", "Blue Moon (Remastered)"),
            ("Sonata Part II", "Sonata, Pt. 2".replace("Pt.", "Part")),
            ("Track 07", "track 7"),
            ("Rock & Roll", "Rock and Roll"),
            ("Blue Moon (Live at Home)", "Blue Moon - Live"),
        ],
    )
    def test_is_one_however_it_is_written(self, one: str, other: str) -> None:
        assert names.title(one) == names.title(other)

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("Blue Moon", "Blue Moon (Live)"),
            ("Blue Moon (Remix)", "Blue Moon (Live)"),
            ("Blue Moon", "Blue Moon - Acoustic"),
            ("Sonata Part 1", "Sonata Part 2"),
            ("Sonata II", "Sonata III"),
            ("Track 1", "Track 11"),
        ],
    )
    def test_keeps_other_recordings_apart(self, one: str, other: str) -> None:
        assert names.titles_alike(names.title(one), names.title(other)) == 0.0

    def test_keeps_brackets_that_name_the_work(self) -> None:
        assert names.title("Everything I Do (I Do It for You)").folded == "everything i do i do it for you"

    def test_leaves_other_scripts_as_they_are(self) -> None:
        assert names.title("夜に駆ける").folded == "夜に駆ける"

    def test_has_no_words_where_there_is_only_punctuation(self) -> None:
        assert names.title("(…) !").words == ()

    @given(st.text(max_size=40))
    def test_reads_whatever_is_written(self, written: str) -> None:
        taken = names.title(written)
        assert names.titles_alike(taken, taken) == (1.0 if taken.words else 0.0)


class TestArtist:
    @pytest.mark.parametrize(
        "written",
        ["The Beatles", "Beatles, The", "BEATLES", "beatles feat. Someone", "Someone & The Beatles"],
    )
    def test_is_one_however_it_is_written(self, written: str) -> None:
        assert names.artists_alike(names.artist(written), names.artist("The Beatles")) == 1.0

    @pytest.mark.parametrize("written", ["", "Various Artists", "unknown artist"])
    def test_is_nobody_where_nobody_is_named(self, written: str) -> None:
        assert names.artists_alike(names.artist(written), names.artist("The Beatles")) is None


class TestAlike:
    @given(st.text("abcd ", max_size=9), st.text("abcd ", max_size=9))
    def test_is_the_same_both_ways_and_a_share(self, one: str, other: str) -> None:
        assert names.alike(one, other) == names.alike(other, one)
        assert 0.0 <= names.alike(one, other) <= 1.0

    def test_counts_a_swap_as_one_letter(self) -> None:
        assert names.alike("yesterdya", "yesterday") == pytest.approx(1 - 1 / 9)


class TestMatch:
    def test_finds_by_isrc_whatever_the_names(self) -> None:
        found = only(Described("row", "Other", "Nobody", frozenset({ISRCS[0]})))
        assert found is not None
        assert (found.answer, kinds(found)) == ("found", ["isrc", "names"])

    def test_says_which_title_and_artist_stand_there_where_the_isrc_is_the_same(self) -> None:
        found = only(replace(HELD, key="row", title="Something else", artist="Nobody Known", seconds=None))
        assert found
        assert found.answer == "found"
        assert found.evidence[-1] == {
            "kind": "names",
            "recording_title": "Blue in Green",
            "recording_artist": "The Trio",
        }

    @pytest.mark.parametrize(
        ("title", "artist"),
        [
            ("Blue in Green", "The Trio"),
            ("blue in green!", "Trio"),
            ("Blue in Gren", "The Trio feat. Somebody"),
            ("", ""),
            ("Blue in Green (Live)", "The Trio"),
        ],
    )
    def test_says_nothing_of_names_that_agree_or_are_missing(self, title: str, artist: str) -> None:
        assert "names" not in kinds(only(replace(HELD, key="row", title=title, artist=artist)))

    def test_puts_what_speaks_for_a_match_before_what_speaks_against_another(self) -> None:
        isrc = frozenset({ISRCS[0]})
        alike = Described("z", "Blue in Green", "The Trio", isrc)
        unlike = Described("a", "Something else", "Nobody Known", isrc, seconds=99.0)
        row = Described("row", "Blue in Green", "The Trio", isrc, seconds=180.0)
        assert only(row, unlike, alike) == only(row, alike)

    def test_finds_by_samples(self) -> None:
        found = only(Described("row", samples_sha256="a" * 64))
        assert found is not None
        assert (found.answer, kinds(found)) == ("found", ["samples"])

    def test_finds_by_the_whole_sound(self) -> None:
        found = only(Described("row", seconds=180.0), sound=Sound((heard(),)))
        assert found is not None
        assert found.answer == "found"
        assert kinds(found) == ["fingerprint", "duration"]

    def test_calls_a_part_of_the_sound_probable(self) -> None:
        found = only(Described("row"), sound=Sound((heard(agreed_s=20.0),)))
        assert found is not None
        assert found.answer == "probable"
        assert found.evidence[0]["part"] is True

    def test_calls_equal_names_probable_and_never_more(self) -> None:
        found = only(Described("row", "blue in green", "Trio", seconds=181.0))
        assert found is not None
        assert found.answer == "probable"
        assert kinds(found) == ["metadata", "duration"]

    @pytest.mark.parametrize("title", ["Blue in Gren", "Bleu in Green", "Blue in Greeen", "Green in Blue"])
    def test_forgives_a_wrong_letter(self, title: str) -> None:
        assert kinds(only(Described("row", title, "The Trio"))) == ["metadata"]

    def test_finds_by_the_release_only_with_the_title(self) -> None:
        release = frozenset({("ean", "4006381333931")})
        held = replace(HELD, releases=release)
        found = only(Described("row", "Blue in Green", "The Trio", releases=release), held)
        assert found is not None
        assert found.answer == "found"
        assert only(Described("row", "So What", "The Trio", releases=release), held) is None

    def test_says_nothing_by_a_title_alone(self) -> None:
        assert only(Described("row", "Blue in Green")) is None
        assert only(Described("row", "Blue in Green", seconds=240.0)) is None

    def test_takes_a_title_with_its_duration_for_probable(self) -> None:
        assert kinds(only(Described("row", "Blue in Green", seconds=180.4))) == ["metadata", "duration"]

    def test_takes_a_live_version_for_another_recording(self) -> None:
        assert only(Described("row", "Blue in Green (Live)", "The Trio", seconds=180.0)) is None

    def test_says_that_one_isrc_stands_for_two_sounds(self) -> None:
        row = Described("row", isrcs=frozenset({ISRCS[0]}), seconds=180.0)
        found = only(row, sound=Sound(other=frozenset({"held"})))
        assert found is not None
        assert found.answer == "probable"
        assert found.evidence[-1] == {"kind": "conflict", "says": "the same ISRC, and another sound"}

    def test_says_that_one_sound_has_two_isrcs(self) -> None:
        found = only(Described("row", isrcs=frozenset({ISRCS[1]})), sound=Sound((heard(),)))
        assert found is not None
        assert found.answer == "found"
        assert found.evidence[-1]["says"].startswith("another ISRC")

    def test_says_that_durations_disagree(self) -> None:
        found = only(Described("row", isrcs=frozenset({ISRCS[0]}), seconds=90.0))
        assert found is not None
        assert found.answer == "found"
        assert found.evidence[-1]["says"] == "another duration: 90 s here, 180 s there"

    def test_takes_equal_names_with_another_sound_and_length_for_another_take(self) -> None:
        row = Described("row", "Blue in Green", "The Trio", seconds=240.0)
        assert only(row) is not None
        assert only(row, sound=Sound(other=frozenset({"held"}))) is None

    def test_finds_the_one_among_many_of_its_name(self) -> None:
        intros = [Described(f"intro {n}", "Intro", f"Band {n:04}", seconds=60.0 + n) for n in range(900)]
        found = match([Described("row", "Intro", "Band 0407")], intros)["row"]
        assert found[0].key == "intro 407"


TITLES = st.sampled_from(["Blue Moon", "Blue Moon (Live)", "Blue Mon", "Moon Blue", "Part 1", "Part 2", ""])
ARTISTS = st.sampled_from(["The Trio", "Trio", "Tiro", "Quartet", ""])


@st.composite
def described(draw: st.DrawFn, prefix: str) -> list[Described]:
    n = draw(st.integers(0, 6))
    return [
        Described(
            key=f"{prefix}{place}",
            title=draw(TITLES),
            artist=draw(ARTISTS),
            isrcs=frozenset(draw(st.sets(st.sampled_from(ISRCS), max_size=2))),
            releases=frozenset(draw(st.sets(st.just(("ean", "4006381333931")), max_size=1))),
            seconds=draw(st.sampled_from([None, 100.0, 101.0, 200.0])),
            samples_sha256=draw(st.sampled_from(["", "a" * 64, "b" * 64])),
        )
        for place in range(n)
    ]


class TestMatchOfAnything:
    @settings(max_examples=60)
    @given(described("row"), described("held"), st.randoms(use_true_random=False))
    def test_does_not_depend_on_the_order(
        self, rows: list[Described], held: list[Described], rng: random.Random
    ) -> None:
        expected = match(rows, held)
        rng.shuffle(rows)
        rng.shuffle(held)
        assert match(rows, held) == expected

    @settings(max_examples=60)
    @given(described("row"), described("held"), st.booleans())
    def test_never_denies_what_an_isrc_says(
        self, rows: list[Described], held: list[Described], other_sound: bool
    ) -> None:
        other = frozenset(one.key for one in held) if other_sound else frozenset()
        found = match(rows, held, {row.key: Sound(other=other) for row in rows})
        for row in rows:
            if any(row.isrcs & one.isrcs for one in held):
                assert answer_of(found[row.key]) != "not_found"

    @settings(max_examples=60)
    @given(described("row"), described("held"))
    def test_misses_nothing_that_comparing_everything_would_find(
        self, rows: list[Described], held: list[Described]
    ) -> None:
        """What shares no key with a row scores too low by its names, or has nothing else to show."""
        found = match(rows, held)
        for row in rows:
            keys = {one.key for one in found[row.key]}
            for one in held if len(keys) < 5 else ():
                if name_score(row, one) >= 0.85 and not row.isrcs:
                    assert one.key in keys

    @settings(max_examples=60)
    @given(described("row"), described("held"))
    def test_finds_nothing_by_names_alone(self, rows: list[Described], held: list[Described]) -> None:
        for matches in match(rows, held).values():
            for one in matches:
                sure = {"isrc", "samples", "fingerprint", "release"} & {e["kind"] for e in one.evidence}
                assert one.answer == "probable" or sure
