"""Kept levels: how loud each band is, coarsely, sixteen times a second.

Peaks and items keep what stands out of a sound. Where a part of a recording is looked for that did not
(`provenance.similarity.by_parts`), or less than a second of it (`provenance.similarity.by_levels`), the levels themselves
have to be laid side by side. They are a print of their own, three times as large as a fingerprint, and kept for indexes
that are small enough to be searched by them.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np

from provenance.similarity.chromaprint import FingerprintError
from provenance.similarity.levels import FLOOR_DB, HOP_S, N_BANDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

METHOD = "levels"
METHOD_VERSION = "1"

LEVELS_A_FRAME = 2
"""Every second frame of the levels is kept."""

FRAME_HOP_S = LEVELS_A_FRAME * HOP_S
"""Seconds from one kept frame to the next: 0.0619."""

STEP_DB = 3.0
"""Of kept levels. Steps of 1 dB, and every frame, find no more."""

MOST_STEPS = 40
"""Above the floor: 30 dB more than a full-scale sine."""

MOST_HOURS = 40.0
"""Of an index, above which it is built without kept levels: searching them takes 5 kB of memory and time for each second
that is held."""

GAP_FRAMES = 162
"""Frames between two recordings on the line on which `KeptLevels` lays them: as many as parts are looked for at once."""

NOTHING = 255
"""What stands there: no level."""

_MAGIC = b"LNLV"
_FORMAT = 1
_HEADER = struct.Struct("<4sHI")


class KeptLevelsError(FingerprintError):
    """Bytes that are no kept levels."""


def kept_of(levels: NDArray[np.float16]) -> NDArray[np.uint8]:
    """Make levels coarse enough to be kept.

    Parameters
    ----------
    levels : np.ndarray [shape=(n_frames, N_BANDS), dtype=float16]
        dB, as `provenance.similarity.levels` gives them.

    Returns
    -------
    np.ndarray [shape=(ceil(n_frames / LEVELS_A_FRAME), N_BANDS), dtype=uint8]
        Steps of ``STEP_DB`` above the floor, in [0, MOST_STEPS].
    """
    steps = np.rint((levels[::LEVELS_A_FRAME].astype(np.float32) - FLOOR_DB) / STEP_DB)
    kept: NDArray[np.uint8] = np.clip(steps, 0, MOST_STEPS).astype(np.uint8)
    return kept


def packed(kept: NDArray[np.uint8]) -> bytes:
    """Write kept levels, deflated: about 0.7 kB a second of music."""
    changes = np.diff(np.ascontiguousarray(kept.T), axis=1, prepend=np.uint8(0))  # modulo 256
    return _HEADER.pack(_MAGIC, _FORMAT, len(kept)) + zlib.compress(changes.tobytes(), 6)


def unpacked(stored: bytes) -> NDArray[np.uint8]:
    """Read what `packed` wrote.

    Raises
    ------
    KeptLevelsError
        If the bytes are cut, damaged or something else.
    """
    if len(stored) < _HEADER.size:
        raise KeptLevelsError("these bytes are no kept levels")
    magic, layout, n_frames = _HEADER.unpack_from(stored)
    if (magic, layout) != (_MAGIC, _FORMAT):
        raise KeptLevelsError("these bytes are no kept levels of a format known here")
    reader = zlib.decompressobj()
    try:
        changes = reader.decompress(stored[_HEADER.size :], N_BANDS * n_frames + 1)
    except zlib.error as error:
        raise KeptLevelsError("the kept levels are damaged: make them anew from the audio") from error
    if len(changes) != N_BANDS * n_frames or not reader.eof:
        raise KeptLevelsError("the kept levels are cut or padded: make them anew from the audio")
    steps = np.frombuffer(changes, np.uint8).reshape(N_BANDS, n_frames).cumsum(axis=1, dtype=np.uint8)
    if steps.max(initial=0) > MOST_STEPS:
        raise KeptLevelsError("the kept levels are damaged: make them anew from the audio")
    return np.ascontiguousarray(steps.T)


class KeptLevels:
    """The kept levels of recordings, on one line.

    Parameters
    ----------
    recordings : sequence of np.ndarray [shape=(n_frames, N_BANDS), dtype=uint8]
        None for a recording of which no levels are kept.

    Attributes
    ----------
    line : np.ndarray [shape=(n, N_BANDS), dtype=uint8]
        One after the other, each followed by ``GAP_FRAMES`` of ``NOTHING``.
    starts, lengths : np.ndarray [shape=(n_recordings,), dtype=int64]
        Where each begins on the line, and its frames.
    """

    def __init__(self, recordings: Sequence[NDArray[np.uint8]]) -> None:
        self.lengths = np.array([len(kept) for kept in recordings], dtype=np.int64)
        ends = np.cumsum(self.lengths + GAP_FRAMES)
        self.starts = ends - self.lengths - GAP_FRAMES
        self.line = np.full((int(ends[-1]) if len(ends) else 0, N_BANDS), NOTHING, dtype=np.uint8)
        for start, kept in zip(self.starts, recordings, strict=True):
            self.line[start : start + len(kept)] = kept

    def __len__(self) -> int:
        """Recordings."""
        return len(self.lengths)

    def __getitem__(self, recording: int) -> NDArray[np.uint8]:
        """Levels of the recording with this number."""
        start = self.starts[recording]
        return self.line[start : start + self.lengths[recording]]

    def owners(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Tell which recording, or the gap after it, lies at each place of the line."""
        numbers = np.searchsorted(self.starts, places, side="right") - 1
        return np.clip(numbers, 0, max(0, len(self) - 1))
