"""Strangers: fingerprints of excerpts of music that is in nobody's index, against which chance is measured.

    stock = Stock.load()              the one that is shipped, of the calibration group of ``benchmarks/protocol.tsv``
    Stock.load(folder)                another, as ``python -m benchmarks.strangers`` writes it
    Stock.load(folder, unpack=Tune.unpack)    one of prints of another kind
    stock.drawn(200)                  some of it, every track alike

Two files in a folder: ``strangers.tsv`` names each excerpt's recording by its hash and says where it begins;
``strangers.bin`` holds their packed fingerprints one after the other, the first of each recording and length with its
kept levels. A fingerprint is no audio. In the folder ``composition`` the same is kept of compositions' prints.
"""

from __future__ import annotations

import csv
import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from provenance.similarity.chromaprint import FingerprintError
from provenance.similarity.fingerprint import AudioFingerprint

FOLDER = Path(__file__).parent / "stock"
COMPOSITION_FOLDER = FOLDER / "composition"
LIST_NAME = "strangers.tsv"
BYTES_NAME = "strangers.bin"
HELD_OUT_NAME = "held_out.json"
"""What ``python -m benchmarks.calibration`` found of strangers that no threshold was read off."""


class StockError(Exception):
    """A stock that can't be used: missing, damaged, or of fingerprints that are not compared any more."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A line of ``strangers.tsv``.

    Attributes
    ----------
    package, path : str
        Where the recording was taken from: a Debian package, and the file in it.
    track_sha256 : str
        Of that file.
    start_s, seconds : float
        The excerpt: where it begins, and how long it lasts.
    n_bytes : int
        Of its packed fingerprint.
    sha256 : str
        Of the same.
    """

    package: str
    path: str
    track_sha256: str
    start_s: float
    seconds: float
    n_bytes: int
    sha256: str


@dataclass(frozen=True)
class Stranger:
    """An excerpt with its fingerprint, or what else its stock keeps of it."""

    excerpt: Excerpt
    sound: Any


@dataclass(frozen=True)
class Stock:
    """Excerpts of strangers."""

    strangers: tuple[Stranger, ...]

    @cached_property
    def sha256(self) -> str:
        """Hash over the fingerprints' hashes, lower-case hex: names the stock, whole or drawn from."""
        told = hashlib.sha256()
        for one in self.strangers:
            told.update(bytes.fromhex(one.excerpt.sha256))
        return told.hexdigest()

    @property
    def n_tracks(self) -> int:
        """How many recordings the excerpts were taken of."""
        return len({one.excerpt.track_sha256 for one in self.strangers})

    @property
    def lengths_s(self) -> tuple[float, ...]:
        """How long its excerpts last, the shortest first."""
        return tuple(sorted({one.excerpt.seconds for one in self.strangers}))

    @classmethod
    def load(
        cls, folder: Path = FOLDER, *, unpack: Callable[[bytes], Any] = AudioFingerprint.unpack_whole
    ) -> Stock:
        """Read a stock; ``unpack`` reads what it keeps of an excerpt.

        Raises
        ------
        StockError
            If it is missing, cut or changed, or was made by another version of the fingerprint.
        """
        try:
            packed = (folder / BYTES_NAME).read_bytes()
            with (folder / LIST_NAME).open(newline="", encoding="utf-8") as opened:
                listed = [_excerpt(row) for row in csv.DictReader(opened, delimiter="\t")]
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise StockError(f"The stock of strangers in {folder} can't be read: {error}.") from error
        if sum(one.n_bytes for one in listed) != len(packed) or not listed:
            raise StockError(f"{folder / BYTES_NAME} is not what {LIST_NAME} lists.")
        return cls(tuple(_unpacked(listed, packed, unpack)))

    @classmethod
    def save(cls, folder: Path, excerpts: Sequence[Excerpt], packed: Sequence[bytes]) -> None:
        """Write the two files of a stock."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / BYTES_NAME).write_bytes(b"".join(packed))
        with (folder / LIST_NAME).open("w", newline="", encoding="utf-8") as opened:
            table = csv.writer(opened, delimiter="\t", lineterminator="\n")
            table.writerow([field.name for field in fields(Excerpt)])
            table.writerows(astuple(one) for one in excerpts)

    def drawn(self, most: int) -> Stock:
        """Return at most ``most`` excerpts of each length, of as many tracks as there are, in the order of the list.

        The first excerpt of every track is taken before the second of any: excerpts of one track are alike.
        """
        seen: dict[tuple[float, str], int] = defaultdict(int)
        ranked: dict[float, list[tuple[int, int]]] = defaultdict(list)
        for place, one in enumerate(self.strangers):
            length_s, track = one.excerpt.seconds, one.excerpt.track_sha256
            ranked[length_s].append((seen[length_s, track], place))
            seen[length_s, track] += 1
        kept = sorted(place for places in ranked.values() for _, place in _spread(sorted(places), most))
        return Stock(tuple(self.strangers[place] for place in kept))


def _spread(ranked: list[tuple[int, int]], most: int) -> list[tuple[int, int]]:
    """The first ``most``; where the last round has too many, every so-manieth, so that no package is left out."""
    if len(ranked) <= most:
        return ranked
    last_round = ranked[most][0]
    whole = [one for one in ranked if one[0] < last_round]
    rest = [one for one in ranked if one[0] == last_round]
    wanted = most - len(whole)
    return whole + [rest[n * len(rest) // wanted] for n in range(wanted)]


def _excerpt(row: dict[str, str]) -> Excerpt:
    return Excerpt(
        row["package"],
        row["path"],
        row["track_sha256"],
        float(row["start_s"]),
        float(row["seconds"]),
        int(row["n_bytes"]),
        row["sha256"],
    )


def _unpacked(listed: Sequence[Excerpt], packed: bytes, unpack: Callable[[bytes], Any]) -> Iterator[Stranger]:
    at = 0
    for one in listed:
        piece = packed[at : at + one.n_bytes]
        at += one.n_bytes
        if hashlib.sha256(piece).hexdigest() != one.sha256:
            raise StockError(
                f"The fingerprint of {one.path} in {BYTES_NAME} is not the one that {LIST_NAME} names."
            )
        try:
            yield Stranger(one, unpack(piece))
        except (FingerprintError, ValueError) as error:
            raise StockError(f"The stock of strangers was made by another method: {error}.") from error
