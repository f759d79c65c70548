"""What can go wrong when registering, clearing and freezing."""

from governance.errors import ConflictError, LinerNotesError, NotFoundError, PartMissingError


class ProvenanceError(LinerNotesError):
    code = "provenance"


class IrrevocableError(ProvenanceError):
    """A grant can't be revoked by its terms, and nobody said why it ends all the same."""

    code = "irrevocable"


class UnknownDatasetError(NotFoundError):
    code = "unknown_dataset"


class ProtectedCollectionError(ConflictError):
    code = "protected_collection"


class KindTakenError(ConflictError):
    """The name belongs to a protected collection and a dataset was wanted, or the other way round."""

    code = "kind_taken"


class NotApprovedError(ConflictError):
    code = "not_approved"


class NotClearedError(ConflictError):
    code = "not_cleared"


class EmptyDatasetError(ConflictError):
    code = "empty_dataset"


class IndexMissingError(ConflictError):
    """There is no index that may be used: none was built, or the one there is stale or damaged."""

    code = "index_missing"


class StorageFullError(PartMissingError):
    code = "storage_full"


class AudioMissingError(ConflictError):
    """A stored file is gone from the storage, or no longer is what was registered."""

    code = "audio_missing"


class EvidenceAlteredError(ConflictError):
    """A kept document no longer has the hash it was kept by."""

    code = "evidence_altered"
