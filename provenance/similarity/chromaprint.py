"""Chromaprint items: the 32-bit stream that recording likeness works on.

One *item* describes the change of harmony and timbre over ``ITEM_SPAN_S`` seconds of sound, and a new one
starts every ``ITEM_S`` seconds. Two encodings of the same recording differ in 3 to 7 % of the bits, unrelated
music in about half of them.

Source: Chromaprint 1.5.1, algorithm ``TEST2`` (its default), https://acoustid.org/chromaprint. The library
resamples to 11,025 Hz and takes a Fourier frame of 4,096 samples every 1,365; an item looks at 16 chroma
frames, each of which is smoothed over 5.
"""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

METHOD = "chromaprint"
METHOD_VERSION = "2"
"""The library's algorithm number plus one: ``TEST2``. Items of two versions must never be compared."""

ALGORITHM = 1
SAMPLE_RATE_HZ = 11_025
FRAME_SAMPLES = 4_096
HOP_SAMPLES = 1_365

ITEM_S = HOP_SAMPLES / SAMPLE_RATE_HZ
"""Seconds from one item to the next: 0.1238."""

ITEM_SPAN_S = (19 * HOP_SAMPLES + FRAME_SAMPLES) / SAMPLE_RATE_HZ
"""Seconds of sound that one item looks at: 2.72. Shorter audio has no items."""

_MAGIC = b"LNCP"
_FORMAT = 1
_HEADER = struct.Struct("<4sHHI")


class FingerprintError(Exception):
    """A fingerprint that cannot be made or read."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class FingerprintFormatError(FingerprintError):
    """Bytes that are no stored fingerprint, or one of an unknown format or algorithm version."""


class FingerprintLibraryMissingError(FingerprintError):
    """libchromaprint is not installed."""


class ItemStream:
    """Items from samples that arrive piece by piece.

    Parameters
    ----------
    sample_rate_hz : int
        Rate of the samples, > 1,000.
    n_channels : int
        Channels, interleaved; mixed down by the library.

    Raises
    ------
    FingerprintLibraryMissingError
        If libchromaprint cannot be loaded.
    FingerprintError
        If the library refuses the rate or the number of channels.
    """

    def __init__(self, sample_rate_hz: int, n_channels: int) -> None:
        self._library = _library()
        self._context = self._library.Fingerprinter(ALGORITHM)
        try:
            self._context.start(sample_rate_hz, n_channels)
        except self._library.FingerprintError as error:
            raise FingerprintError(
                f"Chromaprint takes no audio of {sample_rate_hz} Hz with {n_channels} channels"
            ) from error

    def feed(self, samples: bytes) -> None:
        """Take interleaved little-endian 16-bit ``samples``."""
        if samples:
            self._context.feed(samples)

    def finish(self) -> NDArray[np.uint32]:
        """End the stream.

        Returns
        -------
        np.ndarray [shape=(n_items,), dtype=uint32]
            Empty for less than ``ITEM_SPAN_S`` seconds.
        """
        packed, _ = self._library.decode_fingerprint(self._context.finish())
        return np.array(packed, dtype=np.uint32)


def items_of(samples: NDArray[np.int16], *, sample_rate_hz: int) -> NDArray[np.uint32]:
    """Fingerprint samples held in memory.

    Parameters
    ----------
    samples : np.ndarray [shape=(n_samples,) or (n_samples, n_channels), dtype=int16]
        Floats in [-1, 1] are taken too and scaled.
    sample_rate_hz : int
        Their rate.

    Returns
    -------
    np.ndarray [shape=(n_items,), dtype=uint32]
    """
    if np.issubdtype(samples.dtype, np.floating):
        samples = np.clip(np.rint(samples * 32768.0), -32768, 32767).astype("<i2")
    n_channels = 1 if samples.ndim == 1 else samples.shape[1]
    stream = ItemStream(sample_rate_hz, n_channels)
    stream.feed(np.ascontiguousarray(samples, dtype="<i2").tobytes())
    return stream.finish()


def pack(items: NDArray[np.uint32]) -> bytes:
    """Write ``items`` as bytes: magic, format, algorithm version, count, then little-endian words."""
    words = np.ascontiguousarray(items, dtype="<u4")
    return _HEADER.pack(_MAGIC, _FORMAT, int(METHOD_VERSION), len(words)) + words.tobytes()


def unpack(stored: bytes) -> NDArray[np.uint32]:
    """Read what `pack` wrote.

    Raises
    ------
    FingerprintFormatError
        If the bytes are cut, are something else, or come from another format or algorithm version.
    """
    stored = bytes(stored)
    if len(stored) < _HEADER.size:
        raise FingerprintFormatError(
            f"a stored fingerprint has {_HEADER.size} bytes or more, not {len(stored)}"
        )
    magic, layout, version, count = _HEADER.unpack_from(stored)
    if magic != _MAGIC or layout != _FORMAT:
        raise FingerprintFormatError("these bytes are no fingerprint of a format known here")
    if version != int(METHOD_VERSION):
        raise FingerprintFormatError(
            f"the fingerprint was made by algorithm version {version}, not {METHOD_VERSION}: recompute it"
        )
    if len(stored) != _HEADER.size + 4 * count:
        raise FingerprintFormatError(f"the fingerprint should hold {count} items and is cut or padded")
    return np.frombuffer(stored, dtype="<u4", offset=_HEADER.size).astype(np.uint32)


def fingerprint_sha256(items: NDArray[np.uint32]) -> str:
    """Hash of the packed items, lower-case hex: the identity under which an index covers a recording."""
    return hashlib.sha256(pack(items)).hexdigest()


def _library() -> Any:
    try:
        import chromaprint
    except ImportError as error:
        raise FingerprintLibraryMissingError(
            "libchromaprint cannot be loaded: install it (Debian: libchromaprint1) and the pyacoustid package"
        ) from error
    return chromaprint
