"""Clearance policies: proposed with a reason, adopted by somebody else, never changed afterwards."""

import re
from datetime import datetime
from typing import Any

from django.db import transaction

from governance import access
from governance import services as governance
from governance.errors import ConflictError, NotFoundError
from governance.models import Decision, Organisation, Policy, Question, Review, User
from provenance import queries
from provenance.errors import ProvenanceError
from provenance.rights.policy import SHIPPED, ClearancePolicy

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}\Z", re.ASCII)


@transaction.atomic
def propose_policy(
    *, organisation: Organisation, policy: ClearancePolicy, reason: str, by: User, now: datetime
) -> tuple[Policy, Review]:
    """Write a policy and ask for its adoption; until a compliance officer adopts it, nothing is read by it.

    The version is the organisation's next of that name. A shipped policy is adopted as it is, under its name.

    Raises
    ------
    ProvenanceError
        If the name is no name, or a shipped policy's without being it.
    ConflictError
        If it is what holds already.
    """
    access.require(by, organisation, access.PROPOSES_POLICIES, "propose a policy")
    check_proposal(organisation, policy)
    shipped = SHIPPED.get(policy.name)
    return governance.write_policy(
        organisation=organisation,
        name=policy.name,
        body=shipped.as_json() if shipped else policy.as_json(),
        version=shipped.version if shipped else None,
        reason=reason,
        by=by,
        now=now,
    )


def check_proposal(organisation: Organisation, policy: ClearancePolicy) -> None:
    """Refuse what can't be proposed, without writing anything."""
    if not NAME.match(policy.name):
        raise ProvenanceError(
            f"{policy.name!r} is no name for a policy: use lower-case letters, digits, - and _, at most 80."
        )
    shipped = SHIPPED.get(policy.name)
    if shipped is not None and not same_reading(shipped, policy):
        raise ProvenanceError(
            f"{policy.name!r} is the name of a shipped policy and this is not it: give it a name of your own."
        )
    in_force = queries.policy_of(organisation)
    if in_force.name == policy.name and same_reading(in_force, policy):
        raise ConflictError(f"{in_force.reference} is in force and says exactly this: nothing would change.")


def same_reading(one: ClearancePolicy, other: ClearancePolicy) -> bool:
    """Tell whether two policies say the same, whatever their names, versions and descriptions."""
    return _says(one) == _says(other)


def _says(policy: ClearancePolicy) -> dict[str, Any]:
    named = ("name", "version", "describes")
    return {key: said for key, said in policy.as_json().items() if key not in named}


def decide_policy(*, review: Review, decision: Decision, reason: str, by: User, now: datetime) -> Review:
    """Adopt the policy that a review asks about from now on, or reject it."""
    policy = Policy.objects.filter(public_id=review.subject_id).select_related("organisation").first()
    if policy is None or review.question != Question.POLICY_ADOPTION:
        raise NotFoundError("This review is about no policy.")
    return governance.decide_policy(
        policy=policy, review=review, decision=decision, reason=reason, by=by, now=now
    )
