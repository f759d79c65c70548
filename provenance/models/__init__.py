"""What the product knows: parties, works, recordings, statements, grants, datasets, fingerprints."""

from provenance.models.catalogues import (
    Catalogue,
    CatalogueAnswer,
    CatalogueMatch,
    CatalogueRow,
    CatalogueRun,
)
from provenance.models.clearances import ClearanceRow, ClearanceRun, Omission
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
from provenance.models.evidence import EvidenceDocument, EvidenceKind, EvidenceSubject
from provenance.models.fingerprints import Calibration, Fingerprint, IndexBuild
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
    "Calibration",
    "Catalogue",
    "CatalogueAnswer",
    "CatalogueMatch",
    "CatalogueRow",
    "CatalogueRun",
    "ClaimedRight",
    "ClearanceRow",
    "ClearanceRun",
    "Conflict",
    "ConflictSide",
    "ConflictStatus",
    "Dataset",
    "DatasetEntry",
    "DatasetKind",
    "DatasetVersion",
    "EvidenceDocument",
    "EvidenceKind",
    "EvidenceSubject",
    "ExceptionMemo",
    "Fingerprint",
    "Grant",
    "GrantBasis",
    "GrantRecording",
    "IndexBuild",
    "LicenceStatement",
    "MemoRecording",
    "Omission",
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
