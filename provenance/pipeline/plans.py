"""What rows lead to, before it is written and after."""

from dataclasses import dataclass, field
from uuid import UUID

from lib.ids import new_public_id
from provenance.models import DatasetEntry, Recording, Work
from provenance.pipeline.surveying import Surveyed


@dataclass(slots=True, eq=False)
class NewRecording:
    """A recording on its way into the register, as it is spoken of there; a model's row is ten times as dear."""

    kind: str
    sha256: str | None = None
    silent: bool = False
    work: Work | None = None
    audio: str = ""
    pk: int = 0
    public_id: UUID = field(default_factory=new_public_id)


@dataclass(slots=True, eq=False)
class NewEntry:
    """A dataset's entry on its way into the register."""

    external_id: str
    recording: Recording | NewRecording
    pk: int = 0
    title: str = ""
    artist: str = ""


@dataclass(slots=True)
class Plan:
    """What one row leads to; recordings and entries get their keys when they are saved."""

    surveyed: Surveyed
    recording: Recording | NewRecording
    entry: DatasetEntry | NewEntry | None = None
    new_recording: bool = False
    new_entry: bool = False
    new_statements: bool = False
    reasons: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RowOutcome:
    row: int
    external_id: str
    status: str  # registered, duplicate or rejected
    recording: Recording | NewRecording | None = None
    reasons: tuple[str, ...] = ()
    absent: bool = False
    changed: bool = False  # something new is known: the recording itself, or a statement about it
    new_recording: bool = False
