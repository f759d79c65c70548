from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from benchmarks.peers import _MATCHED
from benchmarks.scale import BLOCK_FRAMES, BLOCK_ITEMS, BLOCK_VECTORS, BLOCKS, Maker, Shelf
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
        assert maker.made(5).packed == maker.made(5).packed
        assert maker.made(5).packed != maker.made(6).packed

    def test_keeps_most_bits_of_the_music(self, maker: Maker) -> None:
        blocks = maker.made(7).items.reshape(-1, BLOCK_ITEMS, 2)
        shares = [
            min(np.bitwise_count(block ^ one.items).mean() / 32 for one in maker.stretches)
            for block in blocks
        ]

        assert np.mean(shares) == pytest.approx(1 / 16, abs=0.02)


class TestShelf:
    def test_gives_back_what_was_put_there(self, tmp_path: Path) -> None:
        shelf = Shelf(tmp_path / "prints")
        shelf.put("one", b"first")
        shelf.put("two", b"second")

        assert shelf(["two", "three"]) == {"two": b"second"}
        assert shelf.wanted["one"] == hashlib.sha256(b"first").hexdigest()
        shelf.close()


class TestAudfprint:
    def test_is_understood(self) -> None:
        told = (
            "DEBUG:audfprint2:Matched music/q.wav 9.4 sec 621 raw hashes as music/a1.ogg at   20.0 s with"
            "   140 of   598 common hashes at rank  0"
        )
        found = _MATCHED.search(told)

        assert found is not None
        assert (found["query"], found["key"], int(found["n"])) == ("music/q.wav", "music/a1.ogg", 140)
