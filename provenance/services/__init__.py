"""What people and the API ask of provenance."""

from provenance.services.approving import approve_dataset, ask_for_approval
from provenance.services.calibrating import calibrate, calibration_for
from provenance.services.clearing import keep_clearance
from provenance.services.conflicts import close_conflict, close_conflicts, find_conflicts, takes_sides
from provenance.services.freezing import freeze_dataset
from provenance.services.granting import register_grants
from provenance.services.indexing import current_index, current_index_of, index_dataset
from provenance.services.matching import MAY_ASK, keep_catalogue, match_catalogue
from provenance.services.policies import check_proposal, decide_policy, propose_policy
from provenance.services.registering import Registered, register
from provenance.services.reinstating import may_reinstate, reinstate_grants
from provenance.services.revoking import revoke_grant

__all__ = [
    "MAY_ASK",
    "Registered",
    "approve_dataset",
    "ask_for_approval",
    "calibrate",
    "calibration_for",
    "check_proposal",
    "close_conflict",
    "close_conflicts",
    "current_index",
    "current_index_of",
    "decide_policy",
    "find_conflicts",
    "freeze_dataset",
    "index_dataset",
    "keep_catalogue",
    "keep_clearance",
    "match_catalogue",
    "may_reinstate",
    "propose_policy",
    "register",
    "register_grants",
    "reinstate_grants",
    "revoke_grant",
    "takes_sides",
]
