from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from numpy.typing import NDArray

from lib import png


def shades_in(content: bytes) -> NDArray[np.uint8]:
    """Read a picture as its own writer wrote it, checking every chunk."""
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(content):
        (length,) = struct.unpack_from(">I", content, at)
        kind, body = content[at + 4 : at + 8], content[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", content, at + 8 + length) == (zlib.crc32(kind + body),)
        chunks[kind] = body
        at += 12 + length
    width, height, depth, colour, *_ = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (depth, colour) == (4, 3)
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), dtype=np.uint8).reshape(height, -1)
    assert (lines[:, 0] == 0).all()
    return np.stack([lines[:, 1:] >> 4, lines[:, 1:] & 15], axis=2).reshape(height, -1)[:, :width]


class TestInk:
    @pytest.mark.parametrize("width", [1, 4, 7])
    def test_keeps_every_shade(self, width: int) -> None:
        shades = np.arange(3 * width, dtype=np.uint8).reshape(3, width) % png.N_SHADES

        assert np.array_equal(shades_in(png.ink(shades)), shades)

    def test_refuses_what_is_no_picture(self) -> None:
        with pytest.raises(ValueError, match="a height and a width"):
            png.ink(np.zeros((0, 3), dtype=np.uint8))
        with pytest.raises(ValueError, match="no shade 16"):
            png.ink(np.full((1, 1), 16, dtype=np.uint8))
