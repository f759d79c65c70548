"""Pictures in ink: greyscale shades as a PNG whose paper is clear, so that they stand on any ground.

Source: PNG Specification (Third Edition), W3C 2025: one palette of black, whose alphas are the shades.
"""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

N_SHADES = 16
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def ink(shades: NDArray[np.uint8]) -> bytes:
    """Return a PNG of black ink, the darker the higher the shade.

    Parameters
    ----------
    shades : np.ndarray [shape=(height, width), dtype=uint8]
        From 0, clear, to ``N_SHADES - 1``, opaque; both sides > 0.

    Raises
    ------
    ValueError
        If it is no picture, or holds a shade that there is not.
    """
    if shades.ndim != 2 or 0 in shades.shape:
        raise ValueError(f"a picture has a height and a width, not the shape {shades.shape}")
    if shades.max() >= N_SHADES:
        raise ValueError(f"there are {N_SHADES} shades, and no shade {shades.max()}")
    height, width = shades.shape
    even = np.pad(shades, ((0, 0), (0, width % 2)))
    packed = even[:, 0::2] << 4 | even[:, 1::2]  # four bits a pixel, the left one first
    lines = np.pad(packed, ((0, 0), (1, 0)))  # each line begins with its filter: none
    return b"".join(
        (
            _SIGNATURE,
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 4, 3, 0, 0, 0)),
            _chunk(b"PLTE", bytes(3 * N_SHADES)),
            _chunk(b"tRNS", bytes(round(255 * shade / (N_SHADES - 1)) for shade in range(N_SHADES))),
            _chunk(b"IDAT", zlib.compress(lines.tobytes(), 9)),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
