from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from benchmarks.peers import _MATCHED
from benchmarks.scale import (
    BLOCK_FRAMES,
    BLOCK_ITEMS,
    BLOCK_VECTORS,
    BLOCKS,
    Maker,
    Shelf,
    Spent,
    Wanted,
)
from provenance.similarity.fingerprint import VECTOR_STEP, AudioFingerprint, in_steps
from tests import made_peaks


@pytest.fixture(scope="module")
def maker() -> Maker:
    return Maker([source(1), source(2)], seed=3)


def source(seed: int) -> AudioFingerprint:
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((3 * BLOCK_VECTORS, 64)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    n_frames = 3 * BLOCK_FRAMES
    items = rng.integers(0, 2**32, (3 * BLOCK_ITEMS, 2), dtype=np.uint32)
    return AudioFingerprint(
        items, made_peaks.scattered(n_frames, seed=seed, a_frame=0.4), n_frames, in_steps(vectors)
    )


class TestMaker:
    def test_makes_whole_fingerprints_of_about_four_minutes(self, maker: Maker) -> None:
        made = maker.made(5)
        n_blocks = len(made.vectors) // BLOCK_VECTORS

        assert BLOCKS[0] <= n_blocks < BLOCKS[1]
        assert (len(made.items), made.n_frames) == (n_blocks * BLOCK_ITEMS, n_blocks * BLOCK_FRAMES)
        assert AudioFingerprint.unpack(made.packed).sha256 == made.sha256
        lengths = np.linalg.norm(made.vectors * VECTOR_STEP, axis=1)
        assert lengths == pytest.approx(np.ones(len(lengths)), abs=0.05)

    def test_makes_the_same_again_and_no_two_alike(self, maker: Maker) -> None:
        assert maker.made(5).packed == maker.packed(5)
        assert maker.made(5).packed != maker.made(6).packed

    def test_keeps_most_bits_of_the_music(self, maker: Maker) -> None:
        blocks = maker.made(7).items.reshape(-1, BLOCK_ITEMS, 2)
        shares = [
            min(np.bitwise_count(block ^ items).mean() / 32 for items in maker.items) for block in blocks
        ]

        assert np.mean(shares) == pytest.approx(1 / 16, abs=0.02)


class TestShelf:
    def test_makes_up_what_it_has_not_and_knows_its_digest(self, maker: Maker, tmp_path: Path) -> None:
        shelf = Shelf({"real": source(1)}, maker, 2, tmp_path)
        wanted = Wanted(shelf)
        stored = shelf(["real", "made-up-0000001"])

        assert list(wanted) == ["real", "made-up-0000000", "made-up-0000001"]
        assert stored == {"real": source(1).packed, "made-up-0000001": maker.packed(1)}
        assert {key: wanted[key] for key in stored} == {
            key: hashlib.sha256(payload).hexdigest() for key, payload in stored.items()
        }
        assert "made-up-0000002" not in wanted

    def test_makes_nothing_up_for_a_digest_that_an_earlier_run_kept(
        self, maker: Maker, tmp_path: Path
    ) -> None:
        first = Wanted(Shelf({}, maker, 2, tmp_path))["made-up-0000001"]
        again = Shelf({}, maker, 3, tmp_path)

        assert (Wanted(again)["made-up-0000001"], again.made_s) == (first, 0.0)

    def test_gives_to_a_build_what_it_made_for_the_digest(self, maker: Maker, tmp_path: Path) -> None:
        shelf = Shelf({}, maker, 1, tmp_path)
        shelf.digest("made-up-0000000")
        spent = shelf.made_s

        assert shelf(["made-up-0000000"]) == {"made-up-0000000": maker.packed(0)}
        assert shelf.made_s == spent


class TestSpent:
    def test_adds_what_runs_that_were_stopped_took(self, maker: Maker, tmp_path: Path) -> None:
        shelf = Shelf({}, maker, 1, tmp_path)
        for made_s in (3.0, 4.0):
            shelf.made_s = made_s
            with Spent(tmp_path / "spent.json").building(shelf) as progress:
                progress(0, 1)

        assert Spent(tmp_path / "spent.json").so_far["make_up_s"] == 7.0

    def test_keeps_it_where_nothing_is_built(self, maker: Maker, tmp_path: Path) -> None:
        shelf = Shelf({}, maker, 1, tmp_path)
        shelf.made_s = 3.0
        with Spent(tmp_path / "spent.json").building(shelf) as progress:
            progress(0, 1)
        again = Spent(tmp_path / "spent.json")
        shelf.made_s = 0.0
        with again.building(shelf):
            pass

        assert again.so_far == Spent(tmp_path / "spent.json").so_far
        assert again.so_far["make_up_s"] == 3.0


class TestAudfprint:
    def test_is_understood(self) -> None:
        told = (
            "DEBUG:audfprint2:Matched music/q.wav 9.4 sec 621 raw hashes as music/a1.ogg at   20.0 s with"
            "   140 of   598 common hashes at rank  0"
        )
        found = _MATCHED.search(told)

        assert found is not None
        assert (found["query"], found["key"], int(found["n"])) == ("music/q.wav", "music/a1.ogg", 140)
