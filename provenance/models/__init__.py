"""What the product knows: parties, works, recordings, statements, grants, datasets, fingerprints."""

from provenance.models.datasets import (
    Conflict,
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
from provenance.models.fingerprints import Fingerprint, IndexBuild
from provenance.models.licences import Grant, GrantRecording
from provenance.models.parties import Party
from provenance.models.works import Recording, RecordingKind, Right, RightsClaim, Work

__all__ = [
    "Conflict",
    "ConflictStatus",
    "Dataset",
    "DatasetEntry",
    "DatasetKind",
    "DatasetVersion",
    "Fingerprint",
    "Grant",
    "GrantRecording",
    "IndexBuild",
    "LicenceStatement",
    "Party",
    "Recording",
    "RecordingKind",
    "Registration",
    "Right",
    "RightsClaim",
    "StatementSource",
    "VersionEntry",
    "Work",
]
