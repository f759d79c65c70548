"""What the product knows: parties, works, recordings, statements, grants, datasets, fingerprints."""

from provenance.models.catalogues import (
    Catalogue,
    CatalogueAnswer,
    CatalogueMatch,
    CatalogueRow,
    CatalogueRun,
)
from provenance.models.datasets import (
    Conflict,
    ConflictSide,
    ConflictStatus,
    Dataset,
    DatasetEntry,
    DatasetKind,
    DatasetVersion,
    LicenceStatement,
    Registration,
    StatementSource,
    VersionEntry,
)
from provenance.models.evidence import EvidenceDocument, EvidenceKind
from provenance.models.fingerprints import Fingerprint, IndexBuild
from provenance.models.licences import Grant, GrantBasis, GrantRecording, Remuneration
from provenance.models.parties import Party
from provenance.models.reservations import (
    ExceptionMemo,
    MemoRecording,
    Reservation,
    ReservationRecording,
    ReservationSource,
    ReservedRight,
)
from provenance.models.works import (
    ClaimedRight,
    Recording,
    RecordingIdentifier,
    RecordingKind,
    Right,
    RightsClaim,
    Work,
)

__all__ = [
    "Catalogue",
    "CatalogueAnswer",
    "CatalogueMatch",
    "CatalogueRow",
    "CatalogueRun",
    "ClaimedRight",
    "Conflict",
    "ConflictSide",
    "ConflictStatus",
    "Dataset",
    "DatasetEntry",
    "DatasetKind",
    "DatasetVersion",
    "EvidenceDocument",
    "EvidenceKind",
    "ExceptionMemo",
    "Fingerprint",
    "Grant",
    "GrantBasis",
    "GrantRecording",
    "IndexBuild",
    "LicenceStatement",
    "MemoRecording",
    "Party",
    "Recording",
    "RecordingIdentifier",
    "RecordingKind",
    "Registration",
    "Remuneration",
    "Reservation",
    "ReservationRecording",
    "ReservationSource",
    "ReservedRight",
    "Right",
    "RightsClaim",
    "StatementSource",
    "VersionEntry",
    "Work",
]
