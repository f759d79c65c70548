"""Where one stream of Chromaprint items lies inside another.

Two recordings of the same sound agree along a *diagonal*: query item ``i`` equals reference item ``i +
offset`` but for a few bits. `stretches` walks every diagonal and keeps the pieces where the agreement is
better than ``tolerated_ber``, in the way of an ungapped Smith-Waterman alignment: each item adds
``tolerated_ber - ber`` to a running sum that never falls below zero, and the stretch ends where the sum was
largest.

Source: Smith and Waterman 1981, doi:10.1016/0022-2836(81)90087-5; the bit error rate as a distance of such
items: Haitsma and Kalker 2002, "A Highly Robust Audio Fingerprinting System", ISMIR.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

BITS = 32

WORDS_AT_ONCE = 1 << 17
DIAGONALS_AT_ONCE = 1 << 14
"""How much is worked on together: what stays in a processor's cache."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of the query that agrees with a piece of the reference, item by item.

    Attributes
    ----------
    query_start, query_end : int
        Items of the query; the end is exclusive.
    reference_start : int
        The reference item beside ``query_start``.
    ber : float
        Share of bits that differ, in [0, 1].
    gain : float
        Sum over the items of ``tolerated_ber - ber``, > 0: grows with length and with agreement.
    """

    query_start: int
    query_end: int
    reference_start: int
    ber: float
    gain: float

    @property
    def n_items(self) -> int:
        """Length in items."""
        return self.query_end - self.query_start

    @property
    def reference_end(self) -> int:
        """The reference item after the last, exclusive."""
        return self.reference_start + self.n_items

    @property
    def offset(self) -> int:
        """Reference item minus query item: the diagonal."""
        return self.reference_start - self.query_start


def bit_error_rate(one: NDArray[np.uint32], other: NDArray[np.uint32]) -> float:
    """Share of bits that differ between two sequences of the same length.

    Returns
    -------
    float
        In [0, 1]: 0 for equal sequences, about 0.5 for unrelated ones, 1.0 for empty ones.

    Raises
    ------
    ValueError
        If the lengths differ.
    """
    if len(one) != len(other):
        raise ValueError(f"cannot compare {len(one)} items with {len(other)} bit by bit")
    if len(one) == 0:
        return 1.0
    return float(np.bitwise_count(one ^ other).sum()) / (BITS * len(one))


def error_curve(query: NDArray[np.uint32], reference: NDArray[np.uint32]) -> NDArray[np.float64]:
    """Bit error rate of the whole query at every place inside the reference.

    Returns
    -------
    np.ndarray [shape=(len(reference) - len(query) + 1,), dtype=float64]
        In [0, 1]; empty if the reference is the shorter, or the query is empty.
    """
    n_query, n_places = len(query), len(reference) - len(query) + 1
    if n_query == 0 or n_places <= 0:
        return np.zeros(0)
    errors = np.empty(n_places, dtype=np.uint32)
    at_once = max(1, WORDS_AT_ONCE // n_query)
    for first in range(0, n_places, at_once):
        last = min(n_places, first + at_once)
        beside = sliding_window_view(reference[first : last + n_query - 1], last - first)
        counts = np.bitwise_count(beside ^ query[:, None])
        errors[first:last] = counts.sum(axis=0, dtype=np.uint32)
    return errors / (BITS * n_query)


def stretches(
    query: NDArray[np.uint32],
    references: Sequence[NDArray[np.uint32]],
    *,
    tolerated_ber: float,
    min_items: int,
) -> list[list[Stretch]]:
    """Find where pieces of ``query`` lie inside each reference.

    Parameters
    ----------
    query : np.ndarray [shape=(n_query,), dtype=uint32]
    references : sequence of np.ndarray [shape=(n_reference,), dtype=uint32]
        Walked together: one pass over the query serves them all.
    tolerated_ber : float
        Bit error rate at which an item neither adds to a stretch nor takes from it, in (0, 0.5).
    min_items : int
        Shortest stretch that is kept, >= 1.

    Returns
    -------
    list of list of Stretch
        For each reference its stretches in falling gain, the earliest first among equals: the best of each
        diagonal, without those that a better one on a neighbouring diagonal covers. Where the music repeats,
        each repetition is a stretch of its own.
    """
    n_query = len(query)
    if n_query == 0 or not references:
        return [[] for _ in references]
    laid, starts = _lay_out(references, gap=n_query)
    gains, begins, ends = _walk(query, laid, tolerated_ber)
    found = np.flatnonzero((gains > 0) & (ends - begins >= min_items))
    per_reference: list[list[Stretch]] = [[] for _ in references]
    owners = np.searchsorted(starts, found - (n_query - 1) + begins[found], side="right") - 1
    for diagonal, owner in zip(found.tolist(), owners.tolist(), strict=True):
        begin, end, gain = int(begins[diagonal]), int(ends[diagonal]), float(gains[diagonal])
        at = diagonal - (n_query - 1) + begin - int(starts[owner])
        ber = tolerated_ber - gain / (end - begin)
        per_reference[owner].append(Stretch(begin, end, at, max(0.0, ber), gain))
    return [_without_shadows(found_here) for found_here in per_reference]


def join(
    pieces: Sequence[Stretch],
    query: NDArray[np.uint32],
    reference: NDArray[np.uint32],
    *,
    tolerated_ber: float,
) -> Stretch:
    """Join stretches of one diagonal, found in overlapping segments, into the one that spans them."""
    first = min(pieces, key=lambda piece: piece.query_start)
    end = max(piece.query_end for piece in pieces)
    spanned = reference[first.reference_start : first.reference_start + end - first.query_start]
    ber = bit_error_rate(query[first.query_start : end], spanned)
    gain = (tolerated_ber - ber) * (end - first.query_start)
    return Stretch(first.query_start, end, first.reference_start, ber, gain)


def _lay_out(
    references: Sequence[NDArray[np.uint32]], *, gap: int
) -> tuple[list[tuple[int, NDArray[np.uint32]]], NDArray[np.int64]]:
    """Put the references on one line, so far apart that no diagonal of the query touches two of them."""
    lengths = np.array([len(reference) + gap for reference in references])
    starts = np.concatenate([[0], np.cumsum(lengths)])[:-1]
    return list(zip(starts.tolist(), references, strict=True)), starts


def _walk(
    query: NDArray[np.uint32], laid: list[tuple[int, NDArray[np.uint32]]], tolerated_ber: float
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Run along all diagonals at once, one query item a step.

    Entry ``d`` of the arrays stands for the diagonal on which query item ``i`` meets place ``d - (n_query - 1) + i``;
    what is no reference agrees with nothing. Gains are whole numbers, so that sums are exact. In the bits below a gain
    stands where it began, and below the best gain of a diagonal also where it ended, turned round so that of equals
    the first is the greater: one comparison keeps all three.
    """
    n_query = len(query)
    last_start, last = laid[-1]
    n_diagonals = last_start + len(last) + n_query - 1
    thousandths = round(tolerated_ber * BITS * 1000)
    unit = math.gcd(thousandths, 1000)
    highest, cost = thousandths // unit, 1000 // unit
    n_bits = n_query.bit_length()
    is_small = (max(n_query * highest, BITS * cost) << 2 * n_bits) < np.iinfo(np.int32).max
    kind: type[np.signedinteger[Any]] = np.int32 if is_small else np.int64
    line = np.zeros(n_diagonals + n_query - 1, dtype=np.uint32)
    tolerated = np.zeros(len(line), dtype=kind)
    for start, reference in laid:
        inside = slice(start + n_query - 1, start + n_query - 1 + len(reference))
        line[inside] = reference
        tolerated[inside] = highest << 2 * n_bits
    best = np.zeros(n_diagonals, dtype=kind)
    costs = kind(cost << 2 * n_bits)
    for first in range(0, n_diagonals, DIAGONALS_AT_ONCE):
        best_here = best[first : first + DIAGONALS_AT_ONCE]
        n = len(best_here)
        differing, counted = np.empty(n, np.uint32), np.empty(n, np.uint8)
        running, step = np.zeros(n, kind), np.empty(n, kind)
        for at, word in enumerate(query):
            here = slice(first + at, first + at + n)
            np.bitwise_xor(line[here], word, out=differing)
            np.bitwise_count(differing, out=counted)
            np.multiply(counted, costs, out=step)
            np.subtract(tolerated[here], step, out=step)
            running += step
            np.maximum(running, kind(at + 1), out=running)
            np.add(running, kind(((1 << n_bits) - 2 - at) << n_bits), out=step)
            np.maximum(best_here, step, out=best_here)
    mask = (1 << n_bits) - 1
    begins, ends = best & mask, mask - (best >> n_bits & mask)
    return (best >> 2 * n_bits) * unit / (BITS * 1000.0), begins.astype(np.int64), ends.astype(np.int64)


def _without_shadows(found: list[Stretch], *, reach: int = 3) -> list[Stretch]:
    """Drop what a better stretch on a diagonal at most ``reach`` away explains: items overlap in time."""
    found.sort(key=lambda stretch: (-stretch.gain, stretch.reference_start, stretch.query_start))
    kept: list[Stretch] = []
    by_offset: dict[int, list[Stretch]] = {}
    for stretch in found:
        near = (
            known for shift in range(-reach, reach + 1) for known in by_offset.get(stretch.offset + shift, ())
        )
        if any(
            known.query_start < stretch.query_end and stretch.query_start < known.query_end for known in near
        ):
            continue
        kept.append(stretch)
        by_offset.setdefault(stretch.offset, []).append(stretch)
    return kept
