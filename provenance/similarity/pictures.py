"""Two sounds drawn one above the other: spectrogram and chroma of a matched stretch, in one time and one key.

Both are drawn over the reference's stretch, the query as `provenance.similarity.side_by_side` brings it there, with the
same ink for the same distance from its own loudest: so that eyes may compare them, column by column. Run as a program it
draws one pair and ends, so that no process that answers requests decodes or transforms sound::

    python -m provenance.similarity.pictures QUERY REFERENCE FOLDER '{"query_start_s": 0.4, …}'
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lib import files, png
from provenance import audio
from provenance.similarity.levels import FLOOR_DB, levels_of
from provenance.similarity.side_by_side import Place, brought, chroma, stretch_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

NAMES = ("spectrogram-query", "spectrogram-reference", "chroma-query", "chroma-reference")
"""What is drawn of a pair, each a PNG of its own."""

SAMPLE_RATE_HZ = 11_025
MAX_DRAWN_S = 120.0
"""Longest stretch that is drawn, in seconds of the query: the beginning of a longer one."""

MAX_COLUMNS = 640
INK_DB = 48.0
"""Decibels from the loudest, which is black, down to clear paper."""

GAMMA = 1.4
"""Faint sound is drawn fainter than it is, so that what stands out does."""

CHROMA_ROW_PX = 6
CHROMA_COLUMN_S = 0.12
"""Seconds of each column of chroma: the eye compares chords, not onsets."""


def draw(query: Path, reference: Path, place: Place) -> dict[str, bytes]:
    """Draw a matched pair.

    Parameters
    ----------
    query, reference : Path
    place : Place
        Where the query lies in the reference, in seconds of the files.

    Returns
    -------
    dict of bytes
        A PNG for each of ``NAMES``.

    Raises
    ------
    provenance.audio.AudioError
        If one of them cannot be decoded.
    """
    seconds = min(place.query_end_s - place.query_start_s, MAX_DRAWN_S)
    here = Place(0.0, seconds, 0.0, place.tempo_ratio, place.pitch_shift_semitones)
    upper = brought(_levels(query, place.query_start_s, seconds), here)
    lower = stretch_of(
        _levels(reference, place.reference_start_s, seconds * place.tempo_ratio), 0.0, here.n_frames
    )
    return {
        "spectrogram-query": png.ink(spectrogram(upper)),
        "spectrogram-reference": png.ink(spectrogram(lower)),
        "chroma-query": png.ink(chromagram(upper)),
        "chroma-reference": png.ink(chromagram(lower)),
    }


def spectrogram(levels: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Shades of levels [shape=(N_BANDS, n_columns)], high bands at the top."""
    if not len(levels):
        return np.zeros((levels.shape[1], 1), dtype=np.uint8)
    columns = _columns(levels, min(len(levels), MAX_COLUMNS))
    loudest = float(columns.max())
    if loudest <= FLOOR_DB + 1.0:
        return np.zeros(columns.T.shape, dtype=np.uint8)
    return _shades((columns - (loudest - INK_DB)) / INK_DB).T[::-1]


def chromagram(levels: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Shades of the twelve classes [shape=(12 * CHROMA_ROW_PX, n_columns)], C at the bottom."""
    if not len(levels):
        return np.zeros((12 * CHROMA_ROW_PX, 1), dtype=np.uint8)
    frame_s = 0.03095
    n_columns = max(1, min(MAX_COLUMNS, round(len(levels) * frame_s / CHROMA_COLUMN_S)))
    folded = chroma(levels)
    edges = np.linspace(0, len(folded), n_columns, endpoint=False).astype(int)
    means = np.add.reduceat(folded, edges, axis=0) / np.diff([*edges, len(folded)])[:, None]
    return np.repeat(_shades(means).T[::-1], CHROMA_ROW_PX, axis=0)


def _levels(path: Path, start_s: float, seconds: float) -> NDArray[np.float16]:
    samples = audio.read_samples(path, sample_rate_hz=SAMPLE_RATE_HZ, start_s=start_s, seconds=seconds + 0.2)
    return levels_of(samples, sample_rate_hz=SAMPLE_RATE_HZ)


def _columns(levels: NDArray[np.float32], n_columns: int) -> NDArray[np.float32]:
    """The loudest of the frames that share a column."""
    edges = np.linspace(0, len(levels), n_columns, endpoint=False).astype(int)
    columns: NDArray[np.float32] = np.maximum.reduceat(levels, edges, axis=0)
    return columns


def _shades(parts: NDArray[Any]) -> NDArray[np.uint8]:
    """Shades of parts in [0, 1]."""
    shades: NDArray[np.uint8] = np.rint(np.clip(parts, 0.0, 1.0) ** GAMMA * (png.N_SHADES - 1)).astype(
        np.uint8
    )
    return shades


def main(arguments: Sequence[str]) -> int:
    """Draw a pair into a folder; say in a line what is wrong, and end with 2, where a file is no sound."""
    query, reference, folder, place = arguments
    try:
        drawn = draw(Path(query), Path(reference), Place(**json.loads(place)))
    except audio.AudioError as error:
        print(error, file=sys.stderr)
        return 2
    for name, content in drawn.items():
        files.write_bytes(Path(folder) / f"{name}.png", content)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
