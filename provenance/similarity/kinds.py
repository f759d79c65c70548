"""The kinds of likeness that an index is kept for, each with what it keeps of a recording.

A kind turns the one pass over a file (`provenance.audio.surveying`) into a *print*: bytes that are stored with the
recording and that an index of the kind is built from. A recording without a print of a kind is not covered by it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from provenance.similarity import (
    calibration,
    composition,
    embedders,
    fingerprint,
    harmony,
    kept_levels,
    learned,
    strangers,
    style,
)
from provenance.similarity.composition_index import CompositionIndex
from provenance.similarity.fingerprint import AudioFingerprint
from provenance.similarity.index import IndexFacts, RecordingIndex
from provenance.similarity.strangers import Stock

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from provenance.similarity.calibration import Calibration
    from provenance.similarity.excerpts import Excerpts
    from provenance.similarity.notes import Note

logger = logging.getLogger(__name__)

References = Iterable[tuple[str, bytes]]
"""Recordings by their keys, each with its print."""


class Heard(Protocol):
    """What one pass over a file leaves for prints to be made of: see `provenance.audio.surveying.Survey`."""

    @property
    def fingerprint(self) -> AudioFingerprint:
        """Of the whole file."""
        ...

    @property
    def levels(self) -> NDArray[np.float16]:
        """Levels of the whole file, as `provenance.similarity.levels` makes them."""
        ...

    @property
    def excerpts(self) -> Excerpts:
        """Excerpts spread over the file, as `provenance.similarity.excerpts` takes them."""
        ...

    @property
    def notes(self) -> Sequence[Note]:
        """What is played, where it is known: of a MIDI file, without its drums."""
        ...

    @property
    def is_silent(self) -> bool:
        """Whether there is nothing to hear."""
        ...


class KindIndex(Protocol):
    """An index of some kind: what building, saving and covering need of it."""

    @property
    def facts(self) -> IndexFacts:
        """What it was built from."""
        ...

    @property
    def recordings(self) -> Sequence[str]:
        """Keys of what it was built from, sorted."""
        ...

    @property
    def too_short(self) -> Sequence[str]:
        """Those of them that can never be found."""
        ...

    def save(self, path: Path) -> None:
        """Write it; until it is whole the file that stood there stays."""
        ...


class Build(Protocol):
    """Builds an index of references."""

    def __call__(self, references: References, *, dataset: str, dataset_version: str) -> KindIndex:
        """Raise ValueError if a recording comes twice."""
        ...


class Load(Protocol):
    """Reads an index and verifies it; a `SimilarityIndexError` says why it can't serve."""

    def __call__(self, path: Path, *, set_hash: str, dataset: str, dataset_version: str) -> KindIndex:
        """``set_hash`` is `provenance.similarity.index.set_hash` over what it must hold."""
        ...


class Measure(Protocol):
    """Holds a stock of strangers against an index of the kind."""

    def __call__(
        self, index: Any, stock: Stock, *, progress: Callable[[int, int], object] | None = None
    ) -> Calibration:
        """Return what they reach."""
        ...


@dataclass(frozen=True, slots=True)
class Chance:
    """What a kind is calibrated by.

    Attributes
    ----------
    measure : callable
        Holds strangers against its index.
    folder : Path
        Of the stock that is shipped.
    unpack : callable
        Reads what the stock keeps of an excerpt.
    """

    measure: Measure
    folder: Path
    unpack: Callable[[bytes], Any]

    def stock(self) -> Stock:
        """Return the strangers that are shipped.

        Raises
        ------
        provenance.similarity.strangers.StockError
            If they can't be read.
        """
        return Stock.load(self.folder, unpack=self.unpack)


@dataclass(frozen=True, slots=True)
class Beside:
    """A print that is kept beside a kind's own, and in its index behind it.

    Attributes
    ----------
    method, method_version, model_sha256 : str
        As a kind's.
    print_of : callable
        From a `Heard`, the print; None where there is none.
    most_hours : float
        Hours of music above which an index is built without it.
    lacking : callable
        As a kind's.
    """

    method: str
    method_version: str
    print_of: Callable[[Heard], bytes | None]
    most_hours: float
    lacking: Callable[[], str] = str
    model_sha256: str = ""

    def fits(self, seconds: float) -> bool:
        """Whether an index of so much music holds it."""
        return seconds <= 3600.0 * self.most_hours


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of likeness.

    Attributes
    ----------
    name : str
        As `check_audio --kinds` calls it.
    method, method_version : str
        Of its prints; those of two versions are never compared.
    model : callable
        The SHA-256 of the model that makes its prints; nothing where none does. Those of two models are never compared.
    print_of : callable
        From a `Heard`, the print; None where there is none.
    build, load : callable
        Make and read its index.
    lacking : callable
        Why no print can be made in this installation; nothing where it can.
    chance : Chance, optional
        What it is calibrated by; None where its matches have no p-value.
    beside : Beside, optional
        A second print, which its index holds too where it is small enough.
    """

    name: str
    method: str
    method_version: str
    print_of: Callable[[Heard], bytes | None]
    build: Build
    load: Load
    lacking: Callable[[], str] = str
    model: Callable[[], str] = str
    chance: Chance | None = None
    beside: Beside | None = None

    @property
    def model_sha256(self) -> str:
        """Of the model that makes its prints here."""
        return self.model()


def _recording_print(heard: Heard) -> bytes | None:
    return heard.fingerprint.packed if len(heard.fingerprint) and not heard.is_silent else None


def _levels_print(heard: Heard) -> bytes | None:
    return heard.fingerprint.packed_levels or None if _recording_print(heard) is not None else None


def _build_recordings(references: References, *, dataset: str, dataset_version: str) -> RecordingIndex:
    return RecordingIndex.build(
        ((key, AudioFingerprint.unpack_whole(stored)) for key, stored in references),
        dataset=dataset,
        dataset_version=dataset_version,
    )


def _measure_recordings(
    index: Any, stock: Stock, *, progress: Callable[[int, int], object] | None = None
) -> Calibration:
    return calibration.measure(index, stock, progress=progress)


RECORDING = Kind(
    name="recording",
    method=fingerprint.METHOD,
    method_version=fingerprint.METHOD_VERSION,
    print_of=_recording_print,
    build=_build_recordings,
    load=RecordingIndex.load,
    model=lambda: learned.WEIGHTS_SHA256,
    chance=Chance(_measure_recordings, strangers.FOLDER, AudioFingerprint.unpack_whole),
    beside=Beside(
        method=kept_levels.METHOD,
        method_version=kept_levels.METHOD_VERSION,
        print_of=_levels_print,
        most_hours=kept_levels.MOST_HOURS,
    ),
)


def _style_print(heard: Heard) -> bytes | None:
    if heard.is_silent or embedders.lacking():
        return None
    try:
        made = style.StylePrint.of(heard.excerpts, embedders.embedder())
    except (
        style.StyleError
    ) as error:  # a model of the operator's that can't be read: the recording is not covered
        logger.warning("no style print is made: %s", error.reason)
        return None
    return made.packed if len(made) else None


def _build_styles(references: References, *, dataset: str, dataset_version: str) -> style.StyleIndex:
    return style.StyleIndex.build(
        ((key, style.StylePrint.unpack(stored)) for key, stored in references),
        model_sha256=embedders.model_sha256(),
        centre=embedders.centre(),
        dataset=dataset,
        dataset_version=dataset_version,
    )


def _load_styles(path: Path, *, set_hash: str, dataset: str, dataset_version: str) -> style.StyleIndex:
    return style.StyleIndex.load(
        path,
        set_hash=set_hash,
        dataset=dataset,
        dataset_version=dataset_version,
        model_sha256=embedders.model_sha256(),
    )


STYLE = Kind(
    name="style",
    method=style.METHOD,
    method_version=style.METHOD_VERSION,
    print_of=_style_print,
    build=_build_styles,
    load=_load_styles,
    lacking=embedders.lacking,
    model=embedders.model_sha256,
)


def _composition_print(heard: Heard) -> bytes | None:
    if heard.is_silent:
        return None
    tune = harmony.tune_of(heard.levels, notes=heard.notes)
    return tune.packed if len(tune) else None


COMPOSITION = Kind(
    name="composition",
    method=harmony.METHOD,
    method_version=harmony.METHOD_VERSION,
    print_of=_composition_print,
    build=CompositionIndex.build,
    load=CompositionIndex.load,
    chance=Chance(composition.measure, strangers.COMPOSITION_FOLDER, harmony.Tune.unpack),
)

ALL = (RECORDING, COMPOSITION, STYLE)
"""Every kind that is kept, the one that accuses first."""


def prints_for(seconds: float) -> tuple[Kind | Beside, ...]:
    """Return everything that is kept of a recording of a dataset that lasts so long."""
    besides = [kind.beside for kind in ALL if kind.beside is not None]
    return (*ALL, *(one for one in besides if one.fits(seconds)))


def methods_beside(kind: Kind) -> list[str]:
    """Return the methods of all other prints."""
    return [one.method for one in prints_for(0.0) if one is not kind]


def named(name: str) -> Kind | None:
    """Return the kind of a name; None where no index of it is kept."""
    return next((kind for kind in ALL if kind.name == name), None)
