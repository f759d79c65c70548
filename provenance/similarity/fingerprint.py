"""A recording's fingerprint: all that is kept of its sound, and the bytes that keep it.

Three parts, each found by other means. *Items* (`provenance.similarity.chromaprint`) say how harmony and timbre change;
they survive codecs, noise and resynthesis. *Peaks* (`provenance.similarity.peaks`) say where it stands out of itself;
they survive other pitches and tempi and other music over it. *Vectors* (`provenance.similarity.learned`) are what a
network was taught to keep of each two seconds; they survive much of either, and what covers most of it.

Beside these stand *kept levels* (`provenance.similarity.kept_levels`), a print of their own: they are three times as
large, and only small indexes are searched by them.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from provenance.similarity import kept_levels
from provenance.similarity.chromaprint import N_COLUMNS, FingerprintError, items_of
from provenance.similarity.learned import N_DIMENSIONS, LearnedFingerprint
from provenance.similarity.levels import N_BANDS, levels_of
from provenance.similarity.peaks import BLOCK_FRAMES, PEAKS_A_BLOCK, Peaks, peaks_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

METHOD = "items+peaks"
METHOD_VERSION = "3"
"""Fingerprints of two versions must never be compared."""

_MAGIC = b"LNCP"
_FORMAT = 3
_HEADER = struct.Struct("<4sHHIIII")
_NO_LEVELS = np.zeros((0, N_BANDS), dtype=np.uint8)
_STRONG = 0x80
_FRAME_SHIFT = 8

VECTOR_STEP = 1 / 254
"""Of the numbers of a vector, kept as whole steps in a byte: none of a unit vector of music reaches half of one."""


class FingerprintFormatError(FingerprintError):
    """Bytes that are no stored fingerprint, or one of an unknown format or method version."""


@dataclass(frozen=True)
class AudioFingerprint:
    """What is kept of a sound.

    Attributes
    ----------
    items : np.ndarray [shape=(n_rows, 2), dtype=uint32]
    peaks : Peaks
    n_frames : int
        Frames that the peaks were picked from, of ``levels.HOP_S`` each.
    vectors : np.ndarray [shape=(n_segments, N_DIMENSIONS), dtype=int8]
        In steps of ``VECTOR_STEP``, one each ``learned.SEGMENT_HOP_S``; zeros where it is silent.
    packed_levels : bytes
        As `provenance.similarity.kept_levels.packed` writes them; nothing where they were not kept.
    """

    items: NDArray[np.uint32]
    peaks: Peaks
    n_frames: int
    vectors: NDArray[np.int8] = field(default_factory=lambda: np.zeros((0, N_DIMENSIONS), np.int8))
    packed_levels: bytes = b""

    def __len__(self) -> int:
        """Rows of items: none for sound too short to be told from other sound."""
        return len(self.items)

    @cached_property
    def packed(self) -> bytes:
        """Magic, format, method version and counts; the items, row by row; peaks in each half second; the peaks; vectors.

        A peak is 16 bits, little-endian as everything: its frame in the half second, whether it is strong, its band.
        """
        words = np.ascontiguousarray(self.items, dtype="<u4")
        if words.ndim != 2 or words.shape[1] != N_COLUMNS:
            raise FingerprintFormatError(
                f"a fingerprint has {N_COLUMNS} columns of items, not the shape {words.shape}"
            )
        blocks, in_block = np.divmod(self.peaks.frames, BLOCK_FRAMES)
        counts = np.bincount(blocks, minlength=_n_blocks(self.n_frames)).astype(np.uint8)
        coded = (
            (in_block.astype("<u2") << _FRAME_SHIFT)
            | np.where(self.peaks.strong, _STRONG, 0)
            | self.peaks.bands
        )
        header = _HEADER.pack(
            _MAGIC,
            _FORMAT,
            int(METHOD_VERSION),
            len(words),
            self.n_frames,
            len(self.peaks),
            len(self.vectors),
        )
        parts = (words, counts, coded.astype("<u2"), np.ascontiguousarray(self.vectors, dtype=np.int8))
        return header + b"".join(part.tobytes() for part in parts)

    @cached_property
    def sha256(self) -> str:
        """Hash of the packed bytes, lower-case hex: the identity under which an index covers a recording."""
        return hashlib.sha256(self.packed).hexdigest()

    @property
    def whole(self) -> bytes:
        """The packed bytes, and behind them the levels if there are any."""
        return self.packed + self.packed_levels

    @property
    def levels(self) -> NDArray[np.uint8]:
        """Kept levels [shape=(n_kept_frames, N_BANDS)], unpacked; none where they were not kept.

        Raises
        ------
        provenance.similarity.kept_levels.KeptLevelsError
            If they are cut or damaged.
        """
        return kept_levels.unpacked(self.packed_levels) if self.packed_levels else _NO_LEVELS

    @classmethod
    def unpack_whole(cls, stored: bytes) -> AudioFingerprint:
        """Read what `whole` wrote.

        Raises
        ------
        FingerprintError
            If the bytes are cut, are something else, or come from another format or method version.
        """
        n_bytes = _packed_size(stored)
        return cls.unpack(stored[:n_bytes]).with_levels(bytes(stored[n_bytes:]))

    def with_levels(self, packed: bytes) -> AudioFingerprint:
        """Return the same with other kept levels, or with none."""
        return replace(self, packed_levels=packed)

    @classmethod
    def unpack(cls, stored: bytes) -> AudioFingerprint:
        """Read what `packed` wrote.

        Raises
        ------
        FingerprintFormatError
            If the bytes are cut, are something else, or come from another format or method version.
        """
        stored = bytes(stored)
        if len(stored) < _HEADER.size:
            raise FingerprintFormatError(
                f"a stored fingerprint has {_HEADER.size} bytes or more, not {len(stored)}"
            )
        magic, layout, version, n_rows, n_frames, n_peaks, n_vectors = _HEADER.unpack_from(stored)
        if magic != _MAGIC:
            raise FingerprintFormatError("these bytes are no fingerprint of a format known here")
        if layout != _FORMAT or version != int(METHOD_VERSION):
            raise FingerprintFormatError(
                f"the fingerprint was made by format {layout}, method version {version}, and this program reads format "
                f"{_FORMAT}, version {METHOD_VERSION}: make it anew from the audio"
            )
        n_blocks, n_bytes = _n_blocks(n_frames), 4 * N_COLUMNS * n_rows
        n_vector_bytes = n_vectors * N_DIMENSIONS
        if len(stored) != _packed_size(stored):
            raise FingerprintFormatError(
                f"the fingerprint should hold {n_rows} rows, {n_peaks} peaks and {n_vectors} vectors and is cut or padded"
            )
        words = np.frombuffer(stored, dtype="<u4", count=n_rows * N_COLUMNS, offset=_HEADER.size)
        counts = np.frombuffer(stored, dtype=np.uint8, count=n_blocks, offset=_HEADER.size + n_bytes)
        coded = np.frombuffer(stored, dtype="<u2", count=n_peaks, offset=_HEADER.size + n_bytes + n_blocks)
        vectors = np.frombuffer(stored, dtype=np.int8, offset=len(stored) - n_vector_bytes)
        return cls(
            words.reshape(-1, N_COLUMNS).astype(np.uint32),
            _decoded(counts, coded, n_frames),
            n_frames,
            vectors.reshape(-1, N_DIMENSIONS),
        )

    @classmethod
    def of_items(cls, items: NDArray[np.uint32]) -> AudioFingerprint:
        """Make one of items alone: what it holds is found at its own pitch and tempo."""
        nothing = Peaks(np.zeros(0, np.int32), np.zeros(0, np.uint8), np.zeros(0, np.bool_))
        return cls(items, nothing, 0)

    @classmethod
    def of(cls, samples: NDArray[Any], *, sample_rate_hz: int) -> AudioFingerprint:
        """Fingerprint samples held in memory.

        Parameters
        ----------
        samples : np.ndarray [shape=(n_samples,) or (n_samples, n_channels)]
            int16, or floats in [-1, 1].
        sample_rate_hz : int
            Their rate.
        """
        levels = levels_of(samples, sample_rate_hz=sample_rate_hz)
        return cls.of_parts(items_of(samples, sample_rate_hz=sample_rate_hz), levels)

    @classmethod
    def of_parts(cls, items: NDArray[np.uint32], levels: NDArray[np.float16]) -> AudioFingerprint:
        """Make one of a sound's items and levels.

        Parameters
        ----------
        items : np.ndarray [shape=(n_rows, 2), dtype=uint32]
        levels : np.ndarray [shape=(n_frames, N_BANDS), dtype=float16]

        Raises
        ------
        provenance.similarity.learned.LearnedFingerprintError
            If the network's weights are missing or damaged.
        """
        vectors = in_steps(trained().embed(levels))
        return cls(
            items, peaks_of(levels), len(levels), vectors, kept_levels.packed(kept_levels.kept_of(levels))
        )


@cache
def trained() -> LearnedFingerprint:
    """Return the network that makes vectors, read once a process."""
    return LearnedFingerprint.load()


def in_steps(vectors: NDArray[np.floating[Any]]) -> NDArray[np.int8]:
    """Return vectors as they are kept."""
    steps = np.rint(vectors.astype(np.float32) / VECTOR_STEP)
    kept: NDArray[np.int8] = np.clip(steps, -127, 127).astype(np.int8)
    return kept


def _packed_size(stored: bytes) -> int:
    """Bytes of the fingerprint that begins here, by its header; of less than a header, as many as there are."""
    if len(stored) < _HEADER.size:
        return len(stored)
    _, _, _, n_rows, n_frames, n_peaks, n_vectors = _HEADER.unpack_from(stored)
    streams = 4 * N_COLUMNS * n_rows + _n_blocks(n_frames) + 2 * n_peaks + N_DIMENSIONS * n_vectors
    return int(_HEADER.size + streams)


def _n_blocks(n_frames: int) -> int:
    return -(-n_frames // BLOCK_FRAMES)


def _decoded(counts: NDArray[np.uint8], coded: NDArray[np.uint16], n_frames: int) -> Peaks:
    blocks = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    if len(blocks) != len(coded) or counts.max(initial=0) > PEAKS_A_BLOCK:
        raise FingerprintFormatError("the fingerprint's peaks are damaged: make it anew from the audio")
    frames = blocks * BLOCK_FRAMES + (coded >> _FRAME_SHIFT).astype(np.int32)
    bands = (coded & (_STRONG - 1)).astype(np.uint8)
    if frames.max(initial=-1) >= n_frames or bands.max(initial=0) >= N_BANDS:
        raise FingerprintFormatError("the fingerprint's peaks are damaged: make it anew from the audio")
    return Peaks(frames, bands, (coded & _STRONG) > 0)
