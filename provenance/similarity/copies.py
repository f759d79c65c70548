"""Copies among recordings: which of those that are known hold the same sound as those that are new.

What is new is put in order by its items, and what is known is led past it once, one recording after another:
each item that both hold votes for the diagonal on which they would lie beside each other. Where enough votes
fall on one diagonal, the recordings are compared item by item along it. So the cost is one pass over what is
known, whatever is new, and one comparison for each pair that shares something; no pair is compared for being
a pair. The order kept in memory is of what is new alone.

An item of a copy comes through an encoder unchanged often enough to vote (one in five after MP3 at 64 kbit/s), and
by chance hardly ever.

Source of the votes: Haitsma and Kalker 2002, "A Highly Robust Audio Fingerprinting System", ISMIR.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from provenance.similarity import thresholds
from provenance.similarity.align import error_curve
from provenance.similarity.chromaprint import BANDS, CHROMA, ITEM_S, ITEM_SPAN_S, N_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    Items = NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Copy:
    """The stretch that a new recording and another share.

    Attributes
    ----------
    new, known : str
        The two recordings, as the caller names them.
    new_start_s, new_end_s, known_start_s, known_end_s : float
        The stretch in both, in seconds.
    ber : tuple of float
        Share of bits that differ along it, for chroma and for bands, in [0, 1].
    contrast : tuple of float
        How much lower that is than where else the stretch is laid on the known recording, in [-1, 1].
    movement : float
        Share of bits by which the stretch differs from itself half a second later, the least of both sides
        and columns: near 0 for a drone, which agrees with any other.
    """

    new: str
    known: str
    new_start_s: float
    new_end_s: float
    known_start_s: float
    known_end_s: float
    ber: tuple[float, float]
    contrast: tuple[float, float]
    movement: float

    @property
    def seconds(self) -> float:
        """Length of the stretch."""
        return self.new_end_s - self.new_start_s

    @property
    def is_certain(self) -> bool:
        """Whether it is the same sound beyond doubt, by the thresholds of `provenance.similarity.thresholds`."""
        return (
            self.seconds >= thresholds.COPY_SECONDS
            and self.ber[CHROMA] <= thresholds.COPY_BER[CHROMA]
            and self.ber[BANDS] <= thresholds.COPY_BER[BANDS]
            and max(self.contrast) >= thresholds.COPY_CONTRAST
            and self.movement >= thresholds.COPY_MOVEMENT
        )


@dataclass(frozen=True, slots=True)
class _Piece:
    start: int
    end: int
    offset: int
    gain: float


class NewItems:
    """The items of what is new, in order, so that what is known can be led past them.

    Parameters
    ----------
    new : mapping of str to np.ndarray [shape=(n_rows, 2), dtype=uint32]
        Fingerprints by the names that copies are told under.
    """

    def __init__(self, new: Mapping[str, Items]) -> None:
        self._keys = list(new)
        self._items = [np.ascontiguousarray(items, dtype=np.uint32) for items in new.values()]
        self._starts = np.cumsum([0, *(len(items) for items in self._items)])
        columns = [
            np.concatenate([items[:, column] for items in self._items])
            if self._items
            else np.zeros(0, dtype=np.uint32)
            for column in range(N_COLUMNS)
        ]
        self._places = [np.argsort(column, kind="stable") for column in columns]
        self._values = [column[places] for column, places in zip(columns, self._places, strict=True)]

    def copies_in(self, known: Iterable[tuple[str, Items]]) -> Iterator[Copy]:
        """Lead known recordings past what is new.

        Parameters
        ----------
        known : iterable of (str, np.ndarray [shape=(n_rows, 2), dtype=uint32])
            Read once, one at a time. A recording is no copy of itself: equal names are passed over.

        Yields
        ------
        Copy
            The longest-agreeing stretch of each pair that shares one, certain or not.
        """
        for key, items in known:
            for number, offsets in self._voted(items).items():
                if self._keys[number] != key:
                    copy = self._compared(number, key, items, offsets)
                    if copy is not None:
                        yield copy

    def _voted(self, items: Items) -> dict[int, list[int]]:
        """Return, for each new recording that shares items, the best-voted diagonals (known minus new row)."""
        owners, offsets = self._meetings(items)
        if not len(owners):
            return {}
        span = 1 << 32
        votes, counts = np.unique(owners * span + (offsets + (span >> 1)), return_counts=True)
        beside = np.zeros(len(votes), dtype=counts.dtype)  # a copy that lies between two items votes for both
        follows = np.flatnonzero(np.diff(votes) == 1)
        np.add.at(beside, follows, counts[follows + 1])
        enough = np.flatnonzero(counts + beside >= thresholds.COPY_VOTES)
        found: dict[int, list[int]] = {}
        for place in enough[np.argsort(-(counts + beside)[enough], kind="stable")]:
            owner, offset = divmod(int(votes[place]), span)
            best = found.setdefault(owner, [])
            if len(best) < thresholds.COPY_DIAGONALS:
                best.append(offset - (span >> 1))
        return found

    def _meetings(self, items: Items) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        owners, offsets = [], []
        for column in range(N_COLUMNS):
            wanted = np.ascontiguousarray(items[:, column])
            first = np.searchsorted(self._values[column], wanted, side="left")
            n_met = np.searchsorted(self._values[column], wanted, side="right") - first
            n_met[n_met > thresholds.COPY_COMMON_ITEMS] = 0
            rows = np.repeat(np.arange(len(wanted)), n_met)
            within = np.arange(len(rows)) - np.repeat(np.cumsum(n_met) - n_met, n_met)
            places = self._places[column][np.repeat(first, n_met) + within]
            owner = np.searchsorted(self._starts, places, side="right") - 1
            owners.append(owner)
            offsets.append(rows - (places - self._starts[owner]))
        return np.concatenate(owners), np.concatenate(offsets)

    def _compared(self, number: int, key: str, known: Items, offsets: list[int]) -> Copy | None:
        new = self._items[number]
        nearby = sorted({offset + step for offset in offsets for step in (-1, 0, 1)})
        pieces = [piece for offset in nearby if (piece := _best_piece(new, known, offset)) is not None]
        if not pieces:
            return None
        best = max(pieces, key=lambda piece: (piece.gain, -abs(piece.offset)))
        ours = new[best.start : best.end]
        theirs = known[best.start + best.offset : best.end + best.offset]
        ber = [_ber(ours[:, column], theirs[:, column]) for column in range(N_COLUMNS)]
        chance = [_chance(ours[:, column], known[:, column], best) for column in range(N_COLUMNS)]
        start_s, end_s = best.start * ITEM_S, (best.end - 1) * ITEM_S + ITEM_SPAN_S
        return Copy(
            new=self._keys[number],
            known=key,
            new_start_s=start_s,
            new_end_s=end_s,
            known_start_s=start_s + best.offset * ITEM_S,
            known_end_s=end_s + best.offset * ITEM_S,
            ber=(ber[0], ber[1]),
            contrast=(chance[0] - ber[0], chance[1] - ber[1]),
            movement=min(
                _movement(side[:, column]) for side in (ours, theirs) for column in range(N_COLUMNS)
            ),
        )


def _best_piece(new: Items, known: Items, offset: int) -> _Piece | None:
    """Return the stretch of one diagonal that gains most where both columns count alike, if any gains."""
    start = max(0, -offset)
    end = min(len(new), len(known) - offset)
    if end - start < thresholds.MIN_STRETCH_ITEMS:
        return None
    differing = np.bitwise_count(new[start:end] ^ known[start + offset : end + offset]).mean(axis=1) / 32
    gains = np.concatenate([[0.0], np.cumsum(thresholds.COPY_TOLERATED_BER - differing)])
    lowest = np.minimum.accumulate(gains)
    last = int((gains - lowest).argmax())
    gain = float(gains[last] - lowest[last])
    if gain <= 0:
        return None
    first = int(gains[: last + 1].argmin())
    return _Piece(start + first, start + last, offset, gain)


def _ber(one: Items, other: Items) -> float:
    return float(np.bitwise_count(one ^ other).mean()) / 32


def _chance(ours: Items, known: Items, best: _Piece) -> float:
    """Return the lowest bit error rate that the stretch has elsewhere in the known recording, or 0.5."""
    piece = np.ascontiguousarray(ours[: thresholds.SEGMENT_ITEMS])
    if len(piece) > len(known):
        return 0.5
    curve = error_curve(piece, np.ascontiguousarray(known))
    here = best.start + best.offset
    near = thresholds.SURROUNDINGS_ITEMS
    away = np.concatenate([curve[: max(0, here - near)], curve[here + near + 1 :]])
    return float(np.median(away)) if len(away) else 0.5


def _movement(items: Items) -> float:
    lag = thresholds.MOVEMENT_LAG_ITEMS
    return _ber(items[lag:], items[:-lag]) if len(items) > lag else 0.0
