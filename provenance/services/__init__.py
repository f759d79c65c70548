"""What people and the API ask of provenance."""

from provenance.services.approving import approve_dataset, ask_for_approval
from provenance.services.conflicts import close_conflict, find_conflicts
from provenance.services.freezing import freeze_dataset
from provenance.services.granting import register_grants, revoke_grant
from provenance.services.indexing import current_index, index_dataset
from provenance.services.registering import Registered, register

__all__ = [
    "Registered",
    "approve_dataset",
    "ask_for_approval",
    "close_conflict",
    "current_index",
    "find_conflicts",
    "freeze_dataset",
    "index_dataset",
    "register",
    "register_grants",
    "revoke_grant",
]
