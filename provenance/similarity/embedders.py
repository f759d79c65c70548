"""Which music embedding likeness of style is heard with here: musicnn, a model that the operator brings, or none.

The choice is made once, at start (`choose`), and nothing is loaded until the first sound is embedded: a process that only
shows pages never imports PyTorch.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from provenance.similarity import musicnn
from provenance.similarity.style import StyleError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from provenance.similarity.style import StyleEmbedder

MUSICNN, NONE = "musicnn", "none"

_chosen = MUSICNN


def choose(name: str) -> None:
    """Choose ``musicnn``, ``none``, or the folder of a model (`provenance.similarity.pretrained`)."""
    global _chosen
    _chosen = name or MUSICNN


def chosen() -> str:
    return _chosen


def lacking() -> str:
    """Say why nothing can be embedded here; nothing where it can. Cheap: nothing is loaded."""
    if _chosen == NONE:
        return "likeness of style is turned off here"
    if _chosen == MUSICNN:
        return musicnn.problem()
    from provenance.similarity import pretrained

    return pretrained.lacking(Path(_chosen))


def model_sha256() -> str:
    """Return the identity of the embedding's vectors; nothing where nothing can be embedded."""
    if lacking():
        return ""
    if _chosen == MUSICNN:
        return musicnn.SHARD_SHA256
    from provenance.similarity import pretrained

    return pretrained.identity(Path(_chosen))


def embedder() -> StyleEmbedder:
    """Return the embedding, loaded once.

    Raises
    ------
    StyleError
        If it can't serve; the reason says why.
    """
    return _loaded(_chosen)


def centre() -> NDArray[np.float32] | None:
    """Return what its vectors are on average; None where nobody knows, and nothing is loaded to learn that."""
    return embedder().centre if _chosen == MUSICNN else None


@cache
def _loaded(name: str) -> StyleEmbedder:
    if name == NONE:
        raise StyleError(lacking())
    try:
        if name == MUSICNN:
            return musicnn.Musicnn.load()
        from provenance.similarity import pretrained

        return pretrained.Pretrained.load(Path(name))
    except musicnn.MusicnnError as error:
        raise StyleError(error.reason) from error
