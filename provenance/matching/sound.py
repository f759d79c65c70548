"""Whether a catalogue's recording sounds in an index: the engine of the checks, asked with excerpts."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from provenance.matching import thresholds
from provenance.similarity import recording as likeness
from provenance.similarity.chromaprint import ITEM_S, ITEM_SPAN_S, N_COLUMNS
from provenance.similarity.fingerprint import AudioFingerprint
from provenance.similarity.index import WINDOW_ITEMS, RecordingIndex, windows_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from provenance.similarity.fingerprint import AudioFingerprint
from provenance.similarity.index import SimilarityIndex


@dataclass(frozen=True, slots=True)
class Heard:
    """One recording in which the sound was heard.

    Attributes
    ----------
    key : str
        The recording, as the index names it.
    score : float
        Of the excerpt that found it, in [0, 1] (`provenance.similarity.recording`).
    agreed_s, shorter_s : float
        Seconds of the same sound, and seconds of the shorter of both recordings.
    row_start_s, recording_start_s : float
        Where the same sound begins in both.
    ber : float
        Share of the bits that differ where they agree, in [0, 1].
    """

    key: str
    score: float
    agreed_s: float
    shorter_s: float
    row_start_s: float
    recording_start_s: float
    ber: float

    @property
    def is_whole(self) -> bool:
        """Whether it is the recording, and not a part of it."""
        return self.agreed_s >= thresholds.FOUND_SHARE * self.shorter_s


def heard_in(items: NDArray[np.uint32], index: SimilarityIndex) -> tuple[Heard, ...]:
    """Find the recordings of an index that hold the sound of ``items``.

    Parameters
    ----------
    items : np.ndarray [shape=(n_rows, 2), dtype=uint32]
        Fingerprint of a whole recording.
    index : SimilarityIndex

    Returns
    -------
    tuple of Heard
        The longest agreement first; empty where nothing was heard, or ``items`` is shorter than a window.
    """
    found: dict[str, Heard] = {}
    places = {key: number for number, key in enumerate(index.recordings)}
    for at in _excerpts(items):
        excerpt = items[at : at + thresholds.EXCERPT_ITEMS]
        if not _resembles(excerpt, index):
            continue
        for match in likeness.check(AudioFingerprint.of_items(excerpt), index).matches:
            if match.verdict == "blocked" and match.key not in found:
                found[match.key] = _along(items, index.items(places[match.key]), match, at)
        if any(heard.is_whole for heard in found.values()):
            break
    return tuple(sorted(found.values(), key=lambda heard: (-heard.agreed_s, heard.key)))


def compare(
    items: NDArray[np.uint32], reference: NDArray[np.uint32], *, key: str = "reference"
) -> Heard | None:
    """Compare two recordings, every excerpt in full.

    Returns
    -------
    Heard or None
        None where no excerpt of ``items`` is in ``reference``: it is another sound.
    """
    if not comparable(items) or not comparable(reference):
        return None
    index = RecordingIndex.build([(key, AudioFingerprint.of_items(reference))])
    for at in _excerpts(items):
        excerpt = AudioFingerprint.of_items(items[at : at + thresholds.EXCERPT_ITEMS])
        for match in likeness.check(excerpt, index).matches:
            if match.accepted:
                return _along(items, reference, match, at)
    return None


def comparable(items: NDArray[np.uint32]) -> bool:
    """Whether a fingerprint is long enough to be compared at all (3.6 s)."""
    return len(items) >= WINDOW_ITEMS


def _excerpts(items: NDArray[np.uint32]) -> list[int]:
    """Return where excerpts begin, in the order in which they are asked: the middle first, where most happens."""
    if not comparable(items):
        return []
    last = max(0, len(items) - thresholds.EXCERPT_ITEMS)
    n = min(thresholds.MAX_EXCERPTS, 1 + -(-last // thresholds.EXCERPT_EVERY_ITEMS))
    starts = {round(float(start)) for start in np.linspace(0, last, n)}
    return sorted(starts, key=lambda start: (abs(start - last / 2), start))


def _resembles(excerpt: NDArray[np.uint32], index: SimilarityIndex) -> bool:
    """Tell quickly whether a full comparison can find anything: a copy shares near windows on one diagonal."""
    for column in range(N_COLUMNS):
        windows = windows_of(np.ascontiguousarray(excerpt[:, column]))[:: thresholds.WINDOW_HOP_ITEMS]
        near: dict[tuple[int, int], set[int]] = defaultdict(set)
        lists = index.neighbours(windows, column=column, n_neighbours=thresholds.N_NEIGHBOURS)
        for place, neighbours in enumerate(lists):
            for one in neighbours:
                if one.distance <= thresholds.NEAR_DISTANCE_BITS:
                    offset = one.reference_start - place * thresholds.WINDOW_HOP_ITEMS
                    for beside in (offset - 1, offset, offset + 1):
                        near[one.recording, beside].add(place)
        if any(len(places) >= max(1, len(windows) // 4) for places in near.values()):
            return True
    return False


def _along(
    items: NDArray[np.uint32], reference: NDArray[np.uint32], match: likeness.RecordingMatch, at: int
) -> Heard:
    """Compare both recordings along the diagonal that an excerpt found, from the first item to the last."""
    offset = round((match.reference_start_s - match.query_start_s) / ITEM_S) - at
    best = max(_agreement(items, reference, near) for near in (offset - 1, offset, offset + 1))
    n_agreed, neg_ber, first, chosen = best
    shorter = min(len(items), len(reference))
    return Heard(
        key=match.key,
        score=match.score,
        agreed_s=_seconds(n_agreed),
        shorter_s=_seconds(shorter),
        row_start_s=first * ITEM_S,
        recording_start_s=(first + chosen) * ITEM_S,
        ber=-neg_ber,
    )


def _agreement(
    items: NDArray[np.uint32], reference: NDArray[np.uint32], offset: int
) -> tuple[int, float, int, int]:
    """Return how many items agree on a diagonal, less their bit error rate, the first of them, and the offset."""
    begin, end = max(0, -offset), min(len(items), len(reference) - offset)
    if end <= begin:
        return 0, -1.0, max(0, begin), offset
    mine, theirs = items[begin:end], reference[begin + offset : end + offset]
    wrong = np.bitwise_count(mine ^ theirs).astype(np.float64).min(axis=1) / 32.0
    edges = np.arange(0, len(wrong), thresholds.BLOCK_ITEMS)
    lengths = np.diff(np.append(edges, len(wrong)))
    rates = np.add.reduceat(wrong, edges) / lengths
    same = rates <= thresholds.SAME_BER
    if not same.any():
        return 0, -1.0, begin, offset
    n_agreed = int(lengths[same].sum())
    ber = float((rates * lengths)[same].sum() / n_agreed)
    return n_agreed, -ber, begin + int(edges[int(same.argmax())]), offset


def _seconds(n_items: int) -> float:
    return (n_items - 1) * ITEM_S + ITEM_SPAN_S if n_items else 0.0
