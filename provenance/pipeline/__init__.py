"""What a worker does: survey audio, store rows, fingerprint.

Nothing here holds a transaction while audio is decoded.
"""

from provenance.pipeline.plans import RowOutcome
from provenance.pipeline.storing import (
    GROWING,
    ROWS_A_CHUNK,
    STORE_ATTEMPTS,
    SURVEYED_A_CHUNK,
    require_kind,
    store_chunk,
)
from provenance.pipeline.surveying import Surveyed, file_sha256, survey_records

__all__ = [
    "GROWING",
    "ROWS_A_CHUNK",
    "STORE_ATTEMPTS",
    "SURVEYED_A_CHUNK",
    "RowOutcome",
    "Surveyed",
    "file_sha256",
    "require_kind",
    "store_chunk",
    "survey_records",
]
