"""What people say of matches: kept with its reason and shown wherever the match is. No threshold is moved by it."""

import secrets
from datetime import datetime

from django.db import transaction

from generation.errors import GenerationError
from generation.models import Check, Match, MatchAnswer, MatchJudgement
from governance import access, ledger
from governance.errors import NotAllowedError
from governance.models import User


@transaction.atomic
def judge_match(*, match: Match, answer: MatchAnswer, reason: str, by: User, now: datetime) -> MatchJudgement:
    """Keep what a person says a match is. The verdict stays; whoever decides about the output reads both.

    Nobody judges what their own output came close to.
    """
    check = match.check_made
    require_judge(check, by)
    if not reason.strip():
        raise GenerationError("Say in a sentence why.")
    judgement = MatchJudgement.objects.create(
        match=match,
        answer=answer,
        reason=reason.strip(),
        judged_by=by,
        judged_at=now,
        salt=secrets.token_hex(16),
    )
    ledger.record(
        kind="generation.match.judged",
        subject_kind="check",
        subject_id=check.public_id,
        actor=by,
        organisation=check.organisation,
        now=now,
        body={
            "judgement": str(judgement.public_id),
            "kind": match.kind,
            "rank": match.rank,
            "recording": str(match.recording.public_id),
            "answer": judgement.answer,
            "reason_commitment": ledger.commitment(judgement.reason, judgement.salt),
        },
    )
    return judgement


def require_judge(check: Check, by: User) -> None:
    access.require(by, check.organisation, access.RESOLVES_CONFLICTS, "judge a match")
    if by.is_system:
        raise NotAllowedError("Only a person can judge a match.")
    if check.generation is not None and check.generation.made_by_id == by.pk:
        raise NotAllowedError(
            f"{by.username} made this output: somebody else must say what it came close to."
        )
