"""Reading a TensorFlow checkpoint without TensorFlow: numbers by their names, and no code of anybody's.

A checkpoint of version 2 is an index, a sorted table in LevelDB's format whose values are `BundleEntryProto` messages,
and shards that hold the numbers one after another. The checksums inside are not looked at: whoever reads weights knows
the SHA-256 of their files.

Sources: LevelDB's doc/table_format.md; TensorFlow's tensor_bundle.proto.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

_FOOTER_BYTES = 48
_TABLE_MAGIC = 0xDB4775248B80FB57
_FLOAT32 = 1


class CheckpointError(Exception):
    """A checkpoint that can't be read; ``reason`` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read_checkpoint(
    table: bytes, shard: bytes, *, wanted: Callable[[str], bool] = lambda name: True
) -> dict[str, NDArray[np.float32]]:
    """Read the float32 arrays of a checkpoint.

    Parameters
    ----------
    table, shard : bytes
        What the files ``.index`` and ``.data-00000-of-00001`` hold.
    wanted : callable
        From an array's name, whether to read it.

    Returns
    -------
    dict of str to np.ndarray
        Arrays by their names, of the shapes they were saved in.

    Raises
    ------
    CheckpointError
        If they are cut, compressed, no checkpoint, or in more than one shard.
    """
    arrays = {}
    try:
        for key, message in _entries(table):
            name = key.decode()
            if name and wanted(name):
                arrays[name] = _array(name, message, shard)
    except (IndexError, ValueError) as error:
        raise CheckpointError("the checkpoint is damaged") from error
    return arrays


def _entries(table: bytes) -> Iterator[tuple[bytes, bytes]]:
    footer = table[-_FOOTER_BYTES:]
    if len(footer) < _FOOTER_BYTES or int.from_bytes(footer[-8:], "little") != _TABLE_MAGIC:
        raise CheckpointError("the checkpoint's index is cut or is none")
    at = 0
    for _ in range(2):  # where the index of meta blocks lies, which is not needed
        _, at = _varint(footer, at)
    start, at = _varint(footer, at)
    n_bytes, _ = _varint(footer, at)
    for _, handle in _block(table, start, n_bytes):
        start, at = _varint(handle, 0)
        n_bytes, _ = _varint(handle, at)
        yield from _block(table, start, n_bytes)


def _block(table: bytes, start: int, n_bytes: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values of a block; a key is written as what differs from the one before."""
    block = table[start : start + n_bytes]
    if table[start + n_bytes]:
        raise CheckpointError("the checkpoint's index is compressed, which is not read here")
    n_restarts = int.from_bytes(block[-4:], "little")
    end, at, key = len(block) - 4 - 4 * n_restarts, 0, b""
    while at < end:
        n_shared, at = _varint(block, at)
        n_fresh, at = _varint(block, at)
        n_value, at = _varint(block, at)
        key = key[:n_shared] + block[at : at + n_fresh]
        at += n_fresh
        yield key, block[at : at + n_value]
        at += n_value


def _array(name: str, message: bytes, shard: bytes) -> NDArray[np.float32]:
    """Read one `BundleEntryProto`: 1 type, 2 shape, 3 shard, 4 offset, 5 size."""
    told: dict[int, int] = {}
    shape: list[int] = []
    for number, value in _fields(message):
        if isinstance(value, bytes):
            for _, dimension in _fields(value):
                sizes = _fields(dimension) if isinstance(dimension, bytes) else ()
                shape += [size for place, size in sizes if place == 1 and isinstance(size, int)]
        else:
            told[number] = value
    if told.get(1) != _FLOAT32 or told.get(3, 0) != 0:
        raise CheckpointError(f"{name} is not of float32 in the first shard, which is all that is read here")
    start, n_bytes = told.get(4, 0), told.get(5, 0)
    stored = shard[start : start + n_bytes]
    return np.frombuffer(stored, dtype="<f4").reshape(shape).astype(np.float32)


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield a protocol buffer's fields by their numbers."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = _varint(message, at)
            yield number, value
        elif wire == 2:
            n_bytes, at = _varint(message, at)
            yield number, message[at : at + n_bytes]
            at += n_bytes
        elif wire == 5:
            at += 4  # a checksum
        else:
            raise CheckpointError("the checkpoint's index holds a message that is not known here")


def _varint(written: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = written[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
