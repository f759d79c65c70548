"""Short codes of learned vectors, and lists in which alike ones stand together.

A *list* holds the vectors that are nearest to one of many centroids, found in two steps so that a million recordings can
be sorted in minutes. A *code* is 64 bits: on which side of each of 64 planes a vector lies. The share of bits in which
two codes differ is the angle between the vectors, in half turns, give or take. Whoever searches looks into the lists
whose centroids are nearest, takes what differs in few bits, and then weighs that against the query's own numbers.

Sources: lists of a coarse quantiser: Jégou et al. 2011, doi:10.1109/TPAMI.2010.57; sides of random planes: Charikar 2002,
doi:10.1145/509907.509965; weighing them against an uncoded query: Gao and Long 2024, "RaBitQ", arXiv 2405.12497.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from provenance.similarity.learned import N_DIMENSIONS

if TYPE_CHECKING:
    from numpy.typing import NDArray

CODE_BITS = N_DIMENSIONS

A_LIST = 4_096
"""Vectors of a list, on average, above which there ought to be more lists."""

SIDES = (8, 16, 32, 64, 128, 256)
"""Numbers of first centroids; each has as many of its own, so there are 64 lists to 65,536."""

SAMPLES_A_LIST = 24
"""Vectors that are looked at for each list when centroids are sought."""

_ROUNDS = 8
_AT_ONCE = 32_768
_BESIDE_CENTROIDS = 4_096
"""Vectors whose products with first centroids are held at a time: more do not fit in a processor's cache."""

_EXPECTED = np.sqrt(2 / np.pi)
"""Mean of the absolute value of a number drawn from a normal distribution of deviation 1."""


@dataclass(frozen=True)
class Codebook:
    """Centroids and planes.

    Attributes
    ----------
    first : np.ndarray [shape=(side, N_DIMENSIONS), dtype=float32]
        Centroids of the first step, of unit length.
    second : np.ndarray [shape=(side * side, N_DIMENSIONS), dtype=float32]
        Those of the second, in the order of the first: one for each list.
    planes : np.ndarray [shape=(CODE_BITS, N_DIMENSIONS), dtype=float32]
        Normals of planes, all at right angles.
    """

    first: NDArray[np.float32]
    second: NDArray[np.float32]
    planes: NDArray[np.float32]

    @property
    def n_lists(self) -> int:
        """How many lists there are."""
        return len(self.second)

    @property
    def n_probed(self) -> int:
        """Lists that each vector of a query is looked for in."""
        return max(8, len(self.first) // 8)

    @cached_property
    def packed(self) -> bytes:
        """The three arrays one after another, as NumPy writes them."""
        content = io.BytesIO()
        for part in (self.first, self.second, self.planes):
            np.save(content, part, allow_pickle=False)
        return content.getvalue()

    @cached_property
    def sha256(self) -> str:
        """Hash of the packed bytes: codes of two codebooks are never compared."""
        return hashlib.sha256(self.packed).hexdigest()

    @classmethod
    def unpack(cls, stored: bytes) -> Codebook:
        """Read what `packed` wrote.

        Raises
        ------
        ValueError
            If the bytes are something else.
        """
        content = io.BytesIO(stored)
        first, second, planes = (np.load(content, allow_pickle=False) for _ in range(3))
        if second.shape != (len(first) ** 2, N_DIMENSIONS) or planes.shape != (CODE_BITS, N_DIMENSIONS):
            raise ValueError("these bytes are no codebook")
        return cls(first, second, planes)

    @classmethod
    def train(cls, sample: NDArray[np.float32], *, side: int, seed: int = 1) -> Codebook:
        """Seek centroids by spherical k-means.

        Parameters
        ----------
        sample : np.ndarray [shape=(n, N_DIMENSIONS)]
            Vectors of unit length; ``SAMPLES_A_LIST`` for each list are enough, fewer make coarser lists.
        side : int
            One of ``SIDES``.
        seed : int
            The same sample and seed give the same codebook.
        """
        rng = np.random.default_rng(seed)
        heard = sample[np.abs(sample).sum(axis=1) > 0]
        if not len(heard):
            heard = rng.standard_normal((side * 4, N_DIMENSIONS)).astype(np.float32)
        chosen = heard[rng.permutation(len(heard))[: side * 256]]
        first = _centroids(chosen, side, rng)
        owners = _nearest_of(heard, first)
        order = np.argsort(owners, kind="stable")
        bounds = np.searchsorted(owners[order], np.arange(side + 1))
        second = []
        for number in range(side):
            own = heard[order[bounds[number] : bounds[number + 1]]]
            if len(own) < side:
                own = np.concatenate([own, heard[rng.integers(len(heard), size=side - len(own))]])
            second.append(_centroids(own, side, rng))
        planes, _ = np.linalg.qr(rng.standard_normal((CODE_BITS, N_DIMENSIONS)))
        return cls(first, np.concatenate(second), planes.astype(np.float32))

    def lists_of(self, vectors: NDArray[np.float32]) -> NDArray[np.int64]:
        """The list in which each vector [shape=(n, N_DIMENSIONS)] is kept."""
        side = len(self.first)
        found = np.zeros(len(vectors), dtype=np.int64)
        for begin in range(0, len(vectors), _AT_ONCE):
            here = vectors[begin : begin + _AT_ONCE]
            owners = _nearest_of(here, self.first)
            order = np.argsort(owners, kind="stable")
            bounds = np.searchsorted(owners[order], np.arange(side + 1))
            for number in np.flatnonzero(np.diff(bounds)).tolist():
                rows = order[bounds[number] : bounds[number + 1]]
                own = self.second[number * side : (number + 1) * side]
                found[begin + rows] = number * side + (here[rows] @ own.T).argmax(axis=1)
        return found

    def lists_near(self, vectors: NDArray[np.float32], *, breadth: int = 1) -> NDArray[np.int64]:
        """The ``n_probed`` lists nearest to each vector, or so many times more [shape=(n, breadth * n_probed)]."""
        n_probed = min(breadth * self.n_probed, self.n_lists)
        likeness = vectors @ self.second.T
        return np.argpartition(-likeness, n_probed - 1, axis=1)[:, :n_probed]

    def turned(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Distances of vectors from the planes."""
        return vectors @ self.planes.T

    def codes_of(self, vectors: NDArray[np.float32]) -> NDArray[np.uint64]:
        """On which sides of the planes vectors lie [shape=(n,)]."""
        sides = np.packbits(self.turned(vectors) > 0, axis=1, bitorder="little")
        return sides.view("<u8").ravel()


def side_for(n_vectors: int) -> int:
    """Choose how many first centroids so many vectors need."""
    return next((side for side in SIDES if n_vectors <= side * side * A_LIST), SIDES[-1])


def cosines(turned: NDArray[np.float32], codes: NDArray[np.uint64]) -> NDArray[np.float32]:
    """About how alike queries and coded vectors are, pair by pair.

    Parameters
    ----------
    turned : np.ndarray [shape=(n, CODE_BITS)]
        Queries of unit length, as `Codebook.turned` gives them.
    codes : np.ndarray [shape=(n,), dtype=uint64]

    Returns
    -------
    np.ndarray [shape=(n,), dtype=float32]
        About their cosines, and off by 0.08 or so.
    """
    signs = np.unpackbits(codes.astype("<u8").view(np.uint8).reshape(-1, 8), axis=1, bitorder="little")
    doubled = np.einsum("ij,ij->i", turned, signs.astype(np.float32))
    sums: NDArray[np.float32] = (2 * doubled - turned.sum(axis=1)) / (np.sqrt(CODE_BITS) * _EXPECTED)
    return sums.astype(np.float32)


def _nearest_of(vectors: NDArray[np.float32], centroids: NDArray[np.float32]) -> NDArray[np.int64]:
    found = np.zeros(len(vectors), dtype=np.int64)
    for begin in range(0, len(vectors), _BESIDE_CENTROIDS):
        end = begin + _BESIDE_CENTROIDS
        found[begin:end] = (vectors[begin:end] @ centroids.T).argmax(axis=1)
    return found


def _centroids(vectors: NDArray[np.float32], n: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Spherical k-means; a centroid that nothing is near to starts again at a vector drawn by chance."""
    found = vectors[rng.permutation(len(vectors))[:n]]
    if len(found) < n:
        found = np.concatenate([found, vectors[rng.integers(len(vectors), size=n - len(found))]])
    for _ in range(_ROUNDS):
        owners = _nearest_of(vectors, found)
        order = np.argsort(owners, kind="stable")
        taken, begins = np.unique(owners[order], return_index=True)
        sums = vectors[rng.integers(len(vectors), size=n)]
        sums[taken] = np.add.reduceat(vectors[order], begins, axis=0)
        found = (sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)).astype(np.float32)
    return found
