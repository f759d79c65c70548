from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from provenance.similarity.excerpts import Excerpts
from provenance.similarity.index import (
    IndexDamagedError,
    IndexFormatError,
    IndexMissingError,
    IndexStaleError,
)
from provenance.similarity.style import Influence, StyleError, StyleIndex, StylePrint, influence

MODEL, OTHER_MODEL = "ab" * 32, "cd" * 32
N_DIMENSIONS = 24
CORNER = np.full(N_DIMENSIONS, 5.0, dtype=np.float32)  # all vectors of an embedding lie in one


def print_of(style: int, seed: int, n: int = 8, *, wandering: float = 0.6, model: str = MODEL) -> StylePrint:
    """Vectors around the direction of a style, each recording with its own leaning."""
    rng = np.random.default_rng([style, seed])
    direction = np.random.default_rng(style).standard_normal(N_DIMENSIONS)
    own = 0.3 * rng.standard_normal(N_DIMENSIONS)
    vectors = CORNER + direction + own + wandering * rng.standard_normal((n, N_DIMENSIONS))
    return StylePrint(model, np.arange(n, dtype=np.float32) * 1.5, vectors.astype(np.float16))


def of_nothing() -> StylePrint:
    return StylePrint(MODEL, np.zeros(0, np.float32), np.zeros((0, N_DIMENSIONS), np.float16))


def index_of(n_styles: int = 4, n_each: int = 6, **more: StylePrint) -> StyleIndex:
    prints = {f"{style}-{seed}": print_of(style, seed) for style in range(n_styles) for seed in range(n_each)}
    return StyleIndex.build((prints | more).items(), model_sha256=MODEL, dataset="songs", dataset_version="1")


@pytest.fixture(scope="module")
def index() -> StyleIndex:
    return index_of()


class Embedder:
    """Says of an excerpt how loud it is."""

    sha256 = MODEL
    centre = np.zeros(2, np.float32)

    def embed(self, excerpts: Excerpts) -> NDArray[np.float32]:
        loud = np.array([np.abs(one).max(initial=0) for one in excerpts.samples], dtype=np.float32)
        return np.where(loud[:, None] > 0, np.stack([loud, loud], axis=1), np.nan)


class TestStylePrint:
    def test_holds_only_what_can_be_heard(self) -> None:
        sounds = [np.full(4, level, np.int16) for level in (1, 0, 3)]
        made = StylePrint.of(Excerpts(8_000, np.arange(3, dtype=np.float32), sounds), Embedder())

        assert made.starts_s.tolist() == [0, 2]
        assert made.vectors.tolist() == [[1, 1], [3, 3]]

    def test_is_the_same_when_it_was_packed(self) -> None:
        made = print_of(1, 2)
        read = StylePrint.unpack(made.packed)

        assert (read.model_sha256, read.packed) == (MODEL, made.packed)
        assert (read.vectors == made.vectors).all()

    @pytest.mark.parametrize(
        ("starts", "expected"), [([0, 1.5, 3, 4.5, 6], 3), ([0], 1), ([0, 12, 24], 3), ([], 0)]
    )
    def test_counts_what_overlaps_for_less(self, starts: list[float], expected: int) -> None:
        made = replace(print_of(1, 1, n=len(starts)), starts_s=np.array(starts, dtype=np.float32))

        assert made.n_apart == expected

    @pytest.mark.parametrize(
        "spoil", [lambda b: b[:-1], lambda b: b"LNCP" + b[4:], lambda b: b"", lambda b: b + b"."]
    )
    def test_refuses_bytes_that_are_none(self, spoil: object) -> None:
        with pytest.raises(StyleError):
            StylePrint.unpack(spoil(print_of(1, 2).packed))  # type: ignore[operator]

    def test_refuses_numbers_that_are_none(self) -> None:
        made = print_of(1, 2)
        vectors = made.vectors.copy()
        vectors[0, 0] = np.nan
        with pytest.raises(StyleError, match="numbers that are none"):
            StylePrint.unpack(replace(made, vectors=vectors).packed)


class TestInfluence:
    def test_finds_the_style_that_a_sound_has(self, index: StyleIndex) -> None:
        for style in range(4):
            found = influence(print_of(style, 99), index)

            assert [one.key[0] for one in found.nearest[:5]] == [str(style)] * 5

    def test_divides_the_whole_among_the_nearest(self, index: StyleIndex) -> None:
        found = influence(print_of(2, 99), index)

        assert sum(one.share for one in found.nearest) == pytest.approx(1, abs=1e-5)
        assert [one.share for one in found.nearest] == sorted(
            (one.share for one in found.nearest), reverse=True
        )
        assert all(0 <= one.low <= one.high <= 1 for one in found.nearest)

    def test_is_surer_of_a_sound_that_is_alike_throughout(self, index: StyleIndex) -> None:
        def width(found: Influence) -> float:
            return max(one.high - one.low for one in found.nearest)

        steady, wandering = (print_of(1, 99, wandering=each) for each in (0.05, 2.0))

        assert width(influence(steady, index)) < width(influence(wandering, index))

    def test_of_one_excerpt_knows_no_interval(self, index: StyleIndex) -> None:
        found = influence(print_of(1, 99, n=1), index)

        assert {(one.low, one.high) for one in found.nearest} == {(0.0, 1.0)}

    def test_says_that_a_sound_is_like_nothing_here(self, index: StyleIndex) -> None:
        assert influence(print_of(3, 99), index).nearness > 0.05
        assert influence(print_of(77, 99), index).nearness == 0.0

    def test_divides_what_two_copies_share(self) -> None:
        copy = print_of(0, 50)
        found = influence(copy, index_of(one=copy, two=copy))

        assert [one.key for one in found.nearest[:2]] == ["one", "two"]
        assert found.nearest[0].share == pytest.approx(found.nearest[1].share)

    def test_leaves_out_the_sound_itself(self, index: StyleIndex) -> None:
        own = print_of(2, 0)

        assert influence(own, index).nearest[0].key == "2-0"
        assert "2-0" not in {one.key for one in influence(own, index, leave_out=["2-0"]).nearest}
        assert influence(own, index, leave_out=index.recordings).nearest == ()

    def test_is_the_same_each_time(self, index: StyleIndex) -> None:
        one, other = (influence(print_of(2, 99), index).nearest for _ in range(2))

        assert one == other

    def test_finds_nothing_of_silence_or_in_nothing(self, index: StyleIndex) -> None:
        empty = StyleIndex.build([], model_sha256=MODEL)
        silent = StyleIndex.build([("silent", of_nothing())], model_sha256=MODEL)

        assert influence(of_nothing(), index).nearest == ()
        assert influence(print_of(1, 1), empty).nearest == ()
        assert influence(print_of(1, 1), silent).nearest == ()

    def test_tells_two_recordings_apart(self) -> None:
        two = index_of(n_styles=2, n_each=1)

        assert influence(print_of(1, 99), two).nearest[0].key == "1-0"

    def test_never_compares_two_models(self, index: StyleIndex) -> None:
        with pytest.raises(StyleError, match="different models"):
            influence(print_of(1, 1, model=OTHER_MODEL), index)

    def test_adds_up_by_artist(self, index: StyleIndex) -> None:
        found = influence(print_of(2, 99), index)
        artists: dict[str, tuple[str, ...]] = {
            key: (f"artist {key[0]}",) for key in index.recordings if key != "2-0"
        }
        artists |= {"2-1": ("artist 2", "guest")}

        summed = {one.key: one for one in found.by(artists)}

        assert sum(one.share for one in summed.values()) == pytest.approx(1, abs=1e-5)
        share = {one.key: one.share for one in found.nearest}
        whole = sum(share[f"2-{seed}"] for seed in (2, 3, 4, 5))
        assert summed["artist 2"].share == pytest.approx(whole + share["2-1"] / 2, abs=1e-5)
        assert summed["guest"].share == pytest.approx(share["2-1"] / 2, abs=1e-5)
        assert summed[""].share == pytest.approx(share["2-0"], abs=1e-5)
        assert all(one.low <= one.share <= one.high for one in summed.values())


class TestStyleIndex:
    def test_is_the_same_when_it_was_saved(self, index: StyleIndex, tmp_path: Path) -> None:
        index.save(tmp_path / "style.index")
        read = StyleIndex.load(
            tmp_path / "style.index", set_hash=index.facts.set_hash, dataset="songs", model_sha256=MODEL
        )

        assert read.facts == index.facts
        assert influence(print_of(1, 99), read).nearest == influence(print_of(1, 99), index).nearest

    def test_does_not_depend_on_the_order(self, tmp_path: Path) -> None:
        prints = [(f"{seed}", print_of(0, seed)) for seed in range(5)]
        for name, ordered in (("one", prints), ("other", prints[::-1])):
            StyleIndex.build(ordered, model_sha256=MODEL).save(tmp_path / name)

        assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()

    def test_names_recordings_of_which_nothing_was_heard(self) -> None:
        index = index_of(silent=of_nothing())

        assert index.too_short == ("silent",)
        assert "silent" not in {one.key for one in influence(print_of(1, 1), index).nearest}

    def test_refuses_a_recording_twice_and_another_models_print(self) -> None:
        with pytest.raises(ValueError, match="twice"):
            StyleIndex.build([("a", print_of(1, 1)), ("a", print_of(1, 2))], model_sha256=MODEL)
        with pytest.raises(StyleError, match="another model"):
            StyleIndex.build([("a", print_of(1, 1, model=OTHER_MODEL))], model_sha256=MODEL)

    def test_refuses_a_file_that_cannot_serve(self, index: StyleIndex, tmp_path: Path) -> None:
        path = tmp_path / "style.index"
        with pytest.raises(IndexMissingError):
            StyleIndex.load(path)
        index.save(path)
        whole = path.read_bytes()
        for wanted in ({"set_hash": "0"}, {"dataset": "other"}, {"model_sha256": OTHER_MODEL}):
            with pytest.raises(IndexStaleError):
                StyleIndex.load(path, **wanted)
        for damaged in (whole[:-1], whole[:90], whole[:60] + b"?" + whole[61:], b"", whole[:-9] + bytes(9)):
            path.write_bytes(damaged)
            with pytest.raises(IndexDamagedError):
                StyleIndex.load(path)
        path.write_bytes(whole[:4] + b"\x09\0" + whole[6:])
        with pytest.raises(IndexFormatError):
            StyleIndex.load(path)
