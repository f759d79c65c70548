"""The kinds of likeness that an index is kept for, each with what it keeps of a recording.

A kind turns the one pass over a file (`provenance.audio.surveying`) into a *print*: bytes that are stored with the
recording and that an index of the kind is built from. A recording without a print of a kind is not covered by it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from provenance.similarity import fingerprint, learned
from provenance.similarity.fingerprint import AudioFingerprint
from provenance.similarity.index import IndexFacts, RecordingIndex

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

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


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of likeness.

    Attributes
    ----------
    name : str
        As `check_audio --kinds` calls it.
    method, method_version, model_sha256 : str
        Of its prints; those of two versions or models are never compared.
    print_of : callable
        From a `Heard`, the print; None where there is none.
    build, load : callable
        Make and read its index.
    lacking : callable
        Why no print can be made in this installation; nothing where it can.
    """

    name: str
    method: str
    method_version: str
    print_of: Callable[[Heard], bytes | None]
    build: Build
    load: Load
    lacking: Callable[[], str] = str
    model_sha256: str = ""


def _recording_print(heard: Heard) -> bytes | None:
    return heard.fingerprint.packed if len(heard.fingerprint) and not heard.is_silent else None


def _build_recordings(references: References, *, dataset: str, dataset_version: str) -> RecordingIndex:
    return RecordingIndex.build(
        ((key, AudioFingerprint.unpack(stored)) for key, stored in references),
        dataset=dataset,
        dataset_version=dataset_version,
    )


RECORDING = Kind(
    name="recording",
    method=fingerprint.METHOD,
    method_version=fingerprint.METHOD_VERSION,
    print_of=_recording_print,
    build=_build_recordings,
    load=RecordingIndex.load,
    model_sha256=learned.WEIGHTS_SHA256,
)

ALL = (RECORDING,)
"""Every kind that is kept, the one that accuses first."""


def named(name: str) -> Kind | None:
    """Return the kind of a name; None where no index of it is kept."""
    return next((kind for kind in ALL if kind.name == name), None)
