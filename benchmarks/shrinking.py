"""How small a stored fingerprint can be made, and what that does to being found.

    python -m benchmarks.shrinking --protocol DIR [--excerpts 6]

Printed are bytes of four minutes, part by part, as they are kept and packed without loss: by LZMA as they stand; items as
differences of one row and the next, in planes of bits; peaks as gaps between them, and bands and marks apart; vectors
in planes of their dimensions. Then vectors are made smaller with loss, each vector of the references put together
again from what would be kept, and excerpts that vectors decide over are held against these: how many are still found
and placed, and how far the strength of what vectors found falls.
"""

from __future__ import annotations

import argparse
import lzma
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.figures import Figure, NothingToMeasureError
from benchmarks.scale import Query, found, prints, queries
from provenance.similarity import recording
from provenance.similarity.chromaprint import ITEM_S
from provenance.similarity.fingerprint import VECTOR_STEP, AudioFingerprint, in_steps
from provenance.similarity.index import RecordingIndex
from provenance.similarity.learned import N_DIMENSIONS

FOUR_MINUTES_S = 240.0
HEADER_BYTES = len(AudioFingerprint.of_items(np.zeros((0, 2), np.uint32)).packed)
CHANGES = ("noise_0db", "mixed_0db", "mel80")
LZMA = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 0, "lp": 0, "pb": 0}]
SUB_DIMENSIONS = 8
N_WORDS = 256

Vectors = NDArray[np.float32]


def parts_of(one: AudioFingerprint) -> Iterator[tuple[str, bytes, bytes]]:
    """Name of each part, its bytes as they are kept, and as they pack best."""
    words = np.ascontiguousarray(one.items, dtype="<u4")
    packed = one.packed
    items, peaks = words.tobytes(), packed[HEADER_BYTES + words.nbytes : len(packed) - one.vectors.nbytes]
    changed = words.copy()
    changed[1:] ^= words[:-1]
    planes = np.unpackbits(changed.view(np.uint8).reshape(len(words), -1), axis=1).T
    yield "items", items, _packed(np.packbits(planes, axis=1).tobytes())
    order = np.lexsort((one.peaks.frames, one.peaks.bands))
    gaps = np.diff(one.peaks.frames[order], prepend=0)
    counts = np.bincount(one.peaks.bands, minlength=128).astype("<u2")
    low = np.clip(gaps, 0, 255).astype(np.uint8)
    high = (gaps[(gaps < 0) | (gaps > 254)]).astype("<i4")
    marks = np.packbits(one.peaks.strong[order])
    yield (
        "peaks",
        peaks,
        _packed(counts.tobytes() + low.tobytes()) + _packed(high.tobytes()) + marks.tobytes(),
    )
    yield "vectors", one.vectors.tobytes(), _packed(np.ascontiguousarray(one.vectors.T).tobytes())


def _packed(content: bytes) -> bytes:
    return lzma.compress(content, format=lzma.FORMAT_RAW, filters=LZMA)


def sizes(known: Iterable[AudioFingerprint]) -> Iterator[Figure]:
    totals: dict[str, list[int]] = {}
    seconds = 0.0
    for one in known:
        seconds += len(one.items) * ITEM_S
        for name, kept, best in parts_of(one):
            sums = totals.setdefault(name, [0, 0, 0])
            for at, content in enumerate((kept, _packed(kept), best)):
                sums[at] += len(content)
    share = FOUR_MINUTES_S / seconds / 1e3
    for name, (whole, plainly, best_of_all) in totals.items():
        yield Figure(f"{name}_kept", whole * share, "KB")
        yield Figure(f"{name}_lzma", plainly * share, "KB", "kept", plainly / whole)
        yield Figure(f"{name}_best", best_of_all * share, "KB", "kept", best_of_all / whole)


def of_bits(n_bits: int) -> Callable[[Vectors], Vectors]:
    """Each number in so many bits, steps of one width as far out as two and a half deviations."""

    def shrunk(vectors: Vectors) -> Vectors:
        n = 2**n_bits
        width = 5.0 / np.sqrt(N_DIMENSIONS) / n
        steps = np.clip(np.floor(vectors / width), -n // 2, n // 2 - 1)
        return np.asarray((steps + 0.5) * width, dtype=np.float32)

    return shrunk


def of_half_the_rate(vectors: Vectors) -> Vectors:
    """Every second vector; those between are the mean of both sides."""
    shrunk = vectors.copy()
    between = shrunk[1:-1:2]
    between[:] = (vectors[:-2:2] + vectors[2::2]) / 2
    return shrunk


def of_fewer_dimensions(sample: Vectors, n: int) -> Callable[[Vectors], Vectors]:
    """The first principal ones."""
    _, turned = np.linalg.eigh(sample.T @ sample)
    kept = turned[:, -n:].astype(np.float32)
    return lambda vectors: np.asarray(vectors @ kept @ kept.T, dtype=np.float32)


def of_words(sample: Vectors) -> Callable[[Vectors], Vectors]:
    """A product quantiser: each eighth of a vector as the nearest of 256 words."""
    rng = np.random.default_rng(1)
    books = []
    for first in range(0, N_DIMENSIONS, SUB_DIMENSIONS):
        own = np.ascontiguousarray(sample[:, first : first + SUB_DIMENSIONS])
        words = own[rng.permutation(len(own))[:N_WORDS]]
        for _ in range(10):
            owners = _nearest(own, words)
            sums = np.zeros_like(words)
            np.add.at(sums, owners, own)
            counts = np.bincount(owners, minlength=N_WORDS)[:, None]
            words = np.where(counts > 0, sums / np.maximum(counts, 1), words)
        books.append(words)

    def shrunk(vectors: Vectors) -> Vectors:
        eighths = np.split(vectors, N_DIMENSIONS // SUB_DIMENSIONS, axis=1)
        together = [words[_nearest(own, words)] for own, words in zip(eighths, books, strict=True)]
        return np.concatenate(together, axis=1).astype(np.float32)

    return shrunk


def of_codes(vectors: Vectors) -> Vectors:
    """The 64 bits that a big index has of each."""
    rng = np.random.default_rng(1)
    planes, _ = np.linalg.qr(rng.standard_normal((N_DIMENSIONS, N_DIMENSIONS)))
    signs = np.where(vectors @ planes.T > 0, 1.0, -1.0)
    return np.asarray(signs @ planes / np.sqrt(N_DIMENSIONS), dtype=np.float32)


def _nearest(vectors: Vectors, words: Vectors) -> NDArray[np.int64]:
    return np.asarray((vectors @ words.T - np.square(words).sum(axis=1) / 2).argmax(axis=1))


def losses(
    known: Mapping[str, AudioFingerprint], sample: Vectors, asked: Sequence[Query]
) -> Iterator[Figure]:
    """What each way of making vectors smaller does."""
    ways: dict[str, tuple[float, Callable[[Vectors], Vectors]]] = {
        "as_kept": (64.0, lambda vectors: vectors),
        "of_4_bits": (32.0, of_bits(4)),
        "of_2_bits": (16.0, of_bits(2)),
        "of_32_dimensions": (32.0, of_fewer_dimensions(sample, 32)),
        "of_half_the_rate": (32.0, of_half_the_rate),
        "of_8_words": (8.0, of_words(sample)),
        "of_codes": (8.0, of_codes),
    }
    before: list[float] = []
    for name, (n_bytes, shrunk) in ways.items():
        index = RecordingIndex.build((key, _with(one, shrunk)) for key, one in known.items())
        checks = [recording.check(one.sound, index, query_seconds=one.seconds) for one in asked]
        n_found = sum(found(answer, index, one) for answer, one in zip(checks, asked, strict=True))
        strengths = [answer.best[recording.VECTORS] for answer in checks]
        before = before or strengths
        kept = float(np.sum(strengths) / np.sum(before))
        yield Figure(f"vectors_{name}_bytes", n_bytes, "bytes")
        yield Figure(f"vectors_{name}_found", float(n_found), f"of_{len(asked)}")
        yield Figure(f"vectors_{name}_strength", kept, "of_as_kept")


def _with(one: AudioFingerprint, shrunk: Callable[[Vectors], Vectors]) -> AudioFingerprint:
    vectors = one.vectors.astype(np.float32) * np.float32(VECTOR_STEP)
    if not len(vectors):
        return one
    made = shrunk(vectors)
    made /= np.maximum(np.linalg.norm(made, axis=1, keepdims=True), 1e-9)
    made[~vectors.any(axis=1)] = 0.0
    return replace(one, vectors=in_steps(made))


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.shrinking", description=__doc__.partition("\n")[0])
    parser.add_argument("--protocol", type=Path, required=True, metavar="DIR")
    parser.add_argument("--excerpts", type=int, default=6, metavar="N", help="references to take them of")
    parser.add_argument(
        "--sizes-of", type=int, default=40, metavar="N", help="references whose bytes are counted"
    )
    chosen = parser.parse_args(arguments)
    try:
        known = prints(chosen.protocol, "references")
        others = prints(chosen.protocol, "test").values()
        asked = list(queries(chosen.protocol, list(known), chosen.excerpts, CHANGES, 1))
    except NothingToMeasureError as error:
        print(error, file=sys.stderr)
        return 2
    sample = np.concatenate([one.vectors for one in others]).astype(np.float32) * np.float32(VECTOR_STEP)
    for figure in sizes(list(known.values())[: chosen.sizes_of]):
        print(figure.line(), flush=True)
    for figure in losses(known, sample[sample.any(axis=1)][::4], asked):
        print(figure.line(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
