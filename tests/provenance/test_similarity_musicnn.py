"""musicnn without TensorFlow: golden figures are TensorFlow's own, of musicnn 0.1.0 under TensorFlow 2."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from provenance.similarity import musicnn
from provenance.similarity.checkpoints import CheckpointError, read_checkpoint
from provenance.similarity.excerpts import EXCERPT_S, MOST, ExcerptStream, excerpts_of
from provenance.similarity.musicnn import (
    MODEL,
    N_DIMENSIONS,
    N_MELS,
    PATCH_FRAMES,
    Musicnn,
    PackageDamagedError,
    PackageMissingError,
    log_mel,
    package_folder,
    patch_of,
)

TAGS = {0: 0.075222, 2: 0.141634, 6: 0.167952, 7: 0.163083, 25: 0.000534, 43: 0.000273, 49: 0.000786}
VECTOR = (1.34338, 0.02013, -0.09226, -0.18606, -0.0787, 1.76613, 0.36881, -0.08747)
MELS = {0: 0.0, 10: 0.00793, 11: 0.10057, 12: 2.58401, 20: 0.00006, 65: 2.18568, 66: 2.01753, 95: 0.0}


@pytest.fixture(scope="module")
def embedder() -> Musicnn:
    if package_folder() is None:
        pytest.skip("THE WEIGHTS OF MUSICNN ARE NOT INSTALLED: make install fetches them")
    return Musicnn.load()


def noise(seconds: float, rate_hz: int = 22_050, seed: int = 1) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    return (0.1 * rng.standard_normal(round(seconds * rate_hz))).clip(-1, 1).astype(np.float32)


class TestMusicnn:
    def test_names_tags_as_tensorflow_does(self, embedder: Musicnn) -> None:
        frames, bands = np.arange(PATCH_FRAMES)[:, None], np.arange(N_MELS)[None]
        patch = 1.2 + np.sin(frames / 7 + bands / 11) + 0.3 * np.cos(frames * bands / 97)
        with torch.inference_mode():
            vectors, logits = embedder._network(torch.from_numpy(patch.clip(0).astype(np.float32)[None]))

        tags = torch.sigmoid(logits)[0].numpy()

        assert {place: round(float(tags[place]), 6) for place in TAGS} == pytest.approx(TAGS, abs=2e-6)
        assert vectors[0, :8].numpy() == pytest.approx(VECTOR, abs=2e-5)

    def test_gives_a_vector_of_what_can_be_heard_and_none_of_silence(self, embedder: Musicnn) -> None:
        sound = np.concatenate([noise(3.2), np.zeros(6 * 22_050, np.float32)])

        vectors = embedder.embed(excerpts_of(sound, sample_rate_hz=22_050))

        assert vectors.shape == (5, N_DIMENSIONS)
        assert np.isfinite(vectors).all(axis=1).tolist() == [True, True, True, False, False]

    def test_is_the_same_at_another_rate(self, embedder: Musicnn) -> None:
        tone = [
            (0.2 * np.sin(2 * np.pi * 330 * np.arange(round(3.2 * rate)) / rate)).astype(np.float32)
            for rate in (22_050, 48_000)
        ]
        one, other = (
            embedder.embed(excerpts_of(sound, sample_rate_hz=rate))[0]
            for sound, rate in zip(tone, (22_050, 48_000), strict=True)
        )

        assert float(one @ other / np.linalg.norm(one) / np.linalg.norm(other)) > 0.999

    def test_refuses_a_package_without_the_weights_or_with_others(self, tmp_path: Path) -> None:
        with pytest.raises(PackageMissingError, match="run make install"):
            Musicnn.load(tmp_path)
        (tmp_path / MODEL).mkdir()
        (tmp_path / MODEL / ".index").write_bytes(b"other")
        with pytest.raises(PackageDamagedError, match="install it anew"):
            Musicnn.load(tmp_path)


class TestProblem:
    def test_says_what_a_package_lacks_without_raising(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        for folder, words in ((None, "needs the package musicnn"), (tmp_path, f"holds no {MODEL}")):
            monkeypatch.setattr(musicnn, "package_folder", lambda folder=folder: folder)
            said = musicnn.problem.__wrapped__()
            assert words in said
            assert said.endswith("run make install")


class TestLogMel:
    def test_equals_the_spectrogram_that_the_network_was_taught_on(self) -> None:
        times = np.arange(2_048) / 16_000
        sound = 0.02 * np.sin(2 * np.pi * 440 * times) + 0.01 * np.sin(2 * np.pi * 3_000 * times)

        bands = log_mel(sound.astype(np.float32))

        assert bands.shape == (7, N_MELS)
        assert {band: round(float(bands[2, band]), 5) for band in MELS} == pytest.approx(MELS, abs=2e-5)

    def test_stays_finite_where_music_is_loud(self) -> None:
        loud = np.full(round(EXCERPT_S * 16_000), 32_767, np.int16)
        loud[::36] = -32_768

        assert np.isfinite(patch_of(loud, sample_rate_hz=16_000)).all()

    def test_repeats_what_is_too_short(self) -> None:
        assert patch_of(np.ones(4_800, np.int16), sample_rate_hz=16_000).shape == (PATCH_FRAMES, N_MELS)


class TestExcerpts:
    @pytest.mark.parametrize(
        ("seconds", "expected"), [(3.1, 1), (10.0, 5), (24.0, 14), (60.0, 10), (600.0, 13)]
    )
    def test_are_few_and_evenly_spread_however_long_the_sound_is(self, seconds: float, expected: int) -> None:
        rate = 8_000
        excerpts = excerpts_of(np.zeros(round(seconds * rate), np.int16), sample_rate_hz=rate)

        assert len(excerpts) == expected <= MOST
        assert excerpts.starts_s[0] == 0
        assert len(set(np.diff(excerpts.starts_s).tolist())) <= 1
        assert {len(one) for one in excerpts.samples} == {round(EXCERPT_S * rate)}

    def test_hold_what_stands_at_their_places_whatever_the_pieces(self) -> None:
        sound = np.arange(8_000 * 4, dtype=np.int16).repeat(2).reshape(-1, 2)
        stream = ExcerptStream(8_000, 2)
        for piece in np.array_split(sound, 37):
            stream.feed(piece.astype("<i2").tobytes())

        excerpts = stream.finish()

        assert excerpts.starts_s.tolist() == [0.0]
        assert (excerpts.samples[0] == sound[: round(EXCERPT_S * 8_000), 0]).all()

    def test_of_a_short_sound_are_all_of_it_and_of_none_are_none(self) -> None:
        short = excerpts_of(np.ones(2_400, np.int16), sample_rate_hz=8_000)

        assert [len(one) for one in short.samples] == [2_400]
        assert len(excerpts_of(np.zeros(0, np.int16), sample_rate_hz=8_000)) == 0


def varint(number: int) -> bytes:
    written = b""
    while number > 0x7F:
        written += bytes([number & 0x7F | 0x80])
        number >>= 7
    return written + bytes([number])


def block(entries: list[tuple[bytes, bytes]], *, compression: int = 0) -> bytes:
    """Write a block of a table, each key after what it shares with the one before."""
    written, before = b"", b""
    for key, value in entries:
        shared = 0
        while shared < min(len(key), len(before)) and key[shared] == before[shared]:
            shared += 1
        written += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        before = key
    return written + struct.pack("<II", 0, 1) + bytes([compression]) + b"sums"


def table(entries: list[tuple[bytes, bytes]], *, compression: int = 0) -> bytes:
    first = block(entries, compression=compression)
    index = block([(b"z", varint(0) + varint(len(first) - 5))])
    handles = varint(0) + varint(0) + varint(len(first)) + varint(len(index) - 5)
    return first + index + handles.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)


def message(shape: tuple[int, ...], start: int, n_bytes: int, *, kind: int = 1) -> bytes:
    sizes = b"".join(b"\x12" + bytes([1 + len(varint(n))]) + b"\x08" + varint(n) for n in shape)
    told = b"\x08" + bytes([kind]) + b"\x12" + bytes([len(sizes)]) + sizes
    return told + b"\x20" + varint(start) + b"\x28" + varint(n_bytes) + b"\x35" + b"sums"


class TestReadCheckpoint:
    shard = np.arange(206, dtype="<f4").tobytes()
    entries = [
        (b"", b"\x08\x01"),
        (b"dense/bias", message((6,), 0, 24)),
        (b"dense/kernel", message((4, 50), 24, 800)),
    ]

    def test_reads_arrays_by_their_names_and_shapes(self) -> None:
        arrays = read_checkpoint(table(self.entries), self.shard)

        assert {name: array.shape for name, array in arrays.items()} == {
            "dense/bias": (6,),
            "dense/kernel": (4, 50),
        }
        assert arrays["dense/bias"].tolist() == [0, 1, 2, 3, 4, 5]
        assert arrays["dense/kernel"][3, 49] == 205

    def test_reads_only_what_is_wanted(self) -> None:
        assert list(read_checkpoint(table(self.entries), self.shard, wanted=lambda name: "bias" in name)) == [
            "dense/bias"
        ]

    @pytest.mark.parametrize(
        ("written", "shard"),
        [
            (b"", shard),
            (b"no table at all, and longer than a footer is, so that it is looked at", shard),
            (table(entries, compression=1), shard),
            (table([(b"counts", message((6,), 0, 24, kind=9))]), shard),
            (table(entries), shard[:100]),
            (table(entries)[:20] + table(entries)[40:], shard),
        ],
        ids=["empty", "other", "compressed", "integers", "cut shard", "cut index"],
    )
    def test_refuses_what_it_cannot_read(self, written: bytes, shard: bytes) -> None:
        with pytest.raises(CheckpointError):
            read_checkpoint(written, shard)


def test_the_package_is_found_without_importing_it() -> None:
    import sys

    package_folder()

    assert "musicnn" not in sys.modules
    assert musicnn.TABLE_SHA256 != musicnn.SHARD_SHA256
