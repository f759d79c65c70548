"""The music that the learned fingerprint is trained on: what the protocol names nowhere, by package and by ear.

    python -m benchmarks.fingerprint_music DIR OUT > benchmarks/fingerprint_music.tsv

DIR holds the packages of ``benchmarks/protocol.py`` and others, a folder each. Whatever lies in a package of no group
may be trained on, except what sounds like anything in a group, and except a second copy. The list names every
recording by its hash, and says of those left out what they sound like. Levels are kept under OUT/heard, so that a
second run takes up where the first one stopped.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import protocol
from benchmarks.figures import NothingToMeasureError
from lib import files
from provenance import audio
from provenance.audio import decoding
from provenance.audio.surveying import SILENCE_PEAK_DB
from provenance.similarity.chromaprint import FingerprintError, ItemStream
from provenance.similarity.copies import NewItems
from provenance.similarity.levels import LevelStream

LIST = Path(__file__).with_name("fingerprint_music.tsv")
MOST_S = 240.0
"""What is taken of each recording, from its beginning: else a few long ones would be half of the music."""

LEAST_RATE_HZ = 8_000


@dataclass(frozen=True, slots=True)
class Heard:
    """What is heard of a recording."""

    seconds: float
    peak: float
    items: NDArray[np.uint32]
    levels: NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class TrainingTrack:
    """A recording to train on, or where ``sounds_like`` names another, one that was left out for it."""

    package: str
    path: str
    seconds: float
    sha256: str
    sounds_like: str


def tracks() -> list[TrainingTrack]:
    """Return the listed recordings that are trained on, in the order of the list."""
    return [track for track in rows() if not track.sounds_like]


def hear(path: Path, sha256: str, kept: Path, *, most_s: float | None = MOST_S) -> Heard:
    """Take items and levels of a file, or what was kept of them under ``kept``.

    Raises
    ------
    provenance.audio.AudioError
        If it is no sound.
    """
    at = kept / f"{sha256}.npz"
    if not at.exists():
        with files.replacing(at) as part, part.open("wb") as opened:
            heard = _heard(path, most_s)
            np.savez(opened, seconds=heard.seconds, peak=heard.peak, items=heard.items, levels=heard.levels)
        return heard
    with np.load(at, allow_pickle=False) as stored:
        return Heard(float(stored["seconds"]), float(stored["peak"]), stored["items"], stored["levels"])


def choose(folder: Path, kept: Path) -> Iterator[TrainingTrack]:
    """List what may be trained on, and what is left out because it sounds like something else."""
    candidates: dict[str, TrainingTrack] = {}
    items: dict[str, NDArray[np.uint32]] = {}
    for package in protocol.training_packages(folder):
        for sha256, path in protocol.hashed(folder / package):
            heard = None if sha256 in candidates else _music(path, sha256, kept)
            if heard is not None:
                at = path.relative_to(folder / package).as_posix()
                candidates[sha256] = TrainingTrack(package, at, round(heard.seconds, 3), sha256, "")
                items[sha256] = heard.items
        print(f"{package}: {len(candidates)} so far", file=sys.stderr)
    known = {track.sha256: track for group in protocol.GROUPS for track in protocol.tracks(group)}
    twice = _told_apart(items, _named(folder, kept, known.values()))
    for sha256, track in candidates.items():
        like = twice.get(sha256, "")
        if like in candidates:
            like = f"{candidates[like].package}/{candidates[like].path}"
        yield TrainingTrack(track.package, track.path, track.seconds, sha256, like)


def _told_apart(
    items: Mapping[str, NDArray[np.uint32]], known: Iterable[tuple[str, NDArray[np.uint32]]]
) -> dict[str, str]:
    """Name, for each candidate that sounds like something known or like an earlier candidate, that other one."""
    heard = NewItems(items)
    twice = {pair.new: pair.known for pair in heard.copies_in(known) if pair.is_certain}
    order = {sha256: place for place, sha256 in enumerate(items)}
    for pair in heard.copies_in(items.items()):
        if pair.is_certain and order[pair.known] < order[pair.new] and pair.known not in twice:
            twice.setdefault(pair.new, pair.known)
    return twice


def _named(
    folder: Path, kept: Path, known: Iterable[protocol.Track]
) -> Iterator[tuple[str, NDArray[np.uint32]]]:
    for track, path in protocol.located(folder, known).items():
        heard = hear(path, track.sha256, kept, most_s=None)
        yield f"{track.group}: {track.package}/{track.path}", heard.items


def _music(path: Path, sha256: str, kept: Path) -> Heard | None:
    try:
        if not (kept / f"{sha256}.npz").exists():
            told = audio.inspect(path)
            if (told.seconds or MOST_S) < protocol.LEAST_S or told.sample_rate_hz < LEAST_RATE_HZ:
                return None
        heard = hear(path, sha256, kept)
    except (audio.AudioError, FingerprintError):
        return None
    loud = heard.peak > 10 ** (SILENCE_PEAK_DB / 20)
    return heard if heard.seconds >= protocol.LEAST_S and loud else None


def _heard(path: Path, most_s: float | None) -> Heard:
    with decoding.stream(path, seconds=most_s) as pcm:
        items = ItemStream(pcm.sample_rate_hz, pcm.n_channels)
        levels = LevelStream(pcm.sample_rate_hz, pcm.n_channels)
        n_samples, peak = 0, 0
        for chunk in pcm.chunks:
            content = chunk.astype("<i2", copy=False).tobytes()
            items.feed(content)
            levels.feed(content)
            n_samples += len(chunk)
            peak = max(peak, int(chunk.max()), -int(chunk.min()))
        return Heard(n_samples / pcm.sample_rate_hz, peak / 32768, items.finish(), levels.finish())


def rows() -> list[TrainingTrack]:
    """Return all that is listed, with what was left out."""
    with LIST.open(newline="", encoding="utf-8") as opened:
        return [
            TrainingTrack(
                row["package"], row["path"], float(row["seconds"]), row["sha256"], row["sounds_like"]
            )
            for row in csv.DictReader(opened, delimiter="\t")
        ]


def main(arguments: Sequence[str]) -> int:
    folder, kept = Path(arguments[0]), Path(arguments[1]) / "heard"
    kept.mkdir(parents=True, exist_ok=True)
    table = csv.writer(sys.stdout, delimiter="\t", lineterminator="\n")
    table.writerow([field.name for field in fields(TrainingTrack)])
    try:
        for track in choose(folder, kept):
            table.writerow(astuple(track))
    except NothingToMeasureError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
