"""A long row of things, a handful at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def batches(things: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield ``things`` in lists of ``size``, the last one shorter; nothing is read before it is needed.

    Parameters
    ----------
    things : iterable
        Read once.
    size : int
        Above 0.

    Raises
    ------
    ValueError
        If ``size`` is not above 0.
    """
    if size < 1:
        raise ValueError(f"a batch of {size} holds nothing")
    left = iter(things)
    while batch := list(islice(left, size)):
        yield batch
