"""Taking a case back before it is decided, and erasing who asked once it is closed."""

import hmac
from datetime import datetime
from typing import Any

from django.db import transaction

from generation.models import Case, CaseState
from generation.queries import aftermath
from generation.services.cases import FILES, UnclearCaseError, record_deed, secret_hash
from governance import access, ledger
from governance import services as governance
from governance.errors import ConflictError, NotAllowedError
from governance.models import User
from lib.words import keepable
from provenance import services as provenance
from provenance.services.declaring import withdraw_reservation

MAX_WITHDRAWAL_WORDS = 4000
MAX_ERASURE_WORDS = 500
ERASED = "(erased)"
PERSONAL = ("holder", "contact", "holds", "words", "sound_name", "verified_how", "salt")
"""What of a case may say who asked. With the salt nothing can be shown to have been what the ledger commits to."""


@transaction.atomic
def withdraw_case(
    *,
    case: Case,
    by: User | None,
    now: datetime,
    secret: str = "",
    reason: str = "",
    reinstate: bool = False,
) -> Case:
    """Take a case back: whoever filed it signed in, or (``by`` is None) whoever has its secret.

    It binds no model from then on. What taking it in did to the rights is a fact and stays one: a grant that it ended
    stays ended, an opt-out that it recorded stands. With ``reinstate`` the same deed gives the grants again, as new
    ones from this day on, and withdraws the opt-out; models are then cleared as if both were said today.

    Raises
    ------
    NotAllowedError
        If somebody else filed it, the secret is another's, or ``reinstate`` is asked by whoever may not permit it.
    ConflictError
        If it is closed already, or something is decided: then the answer is owed. With ``reinstate`` also if it
        stopped nothing that still holds, or another case asks for the same.
    """
    held = _locked(case)
    if by is None:
        if not hmac.compare_digest(secret_hash(secret), held.secret_sha256):
            raise NotAllowedError("A case is withdrawn by whoever filed it.")
    else:
        access.require(by, held.organisation, FILES, "withdraw a case")
        if held.filed_by_id != by.pk or by.is_system:
            raise NotAllowedError("A case is withdrawn by whoever filed it.")
    if held.is_closed:
        raise ConflictError(
            f"The case is {held.get_state_display().lower()}: it can't be withdrawn any more."
        )
    if held.decisions.exists():
        raise ConflictError("A decision is recorded: the case is answered, and can't be withdrawn any more.")
    words = keepable(reason).strip()
    if len(words) > MAX_WITHDRAWAL_WORDS:
        raise UnclearCaseError(f"At most {MAX_WITHDRAWAL_WORDS:,} characters say why.")
    before = held.state
    held.state, held.closed_by, held.closed_at, held.closing_words = CaseState.WITHDRAWN, by, now, words
    held.save(update_fields=["state", "closed_by", "closed_at", "closing_words"])
    body = {
        "state_before": str(before),
        "by_its_secret": by is None,
        "reason_commitment": ledger.commitment(words, held.salt),
        **(_undo(held, by, now) if reinstate else {}),
    }
    record_deed(held, "withdrawn", by or governance.system_user(), now, body)
    return held


def _undo(case: Case, by: User | None, now: datetime) -> dict[str, Any]:
    """Permit from now on what the case had stopped, and say what was done for the ledger."""
    after = aftermath.aftermath_of(case)
    if by is None:
        raise NotAllowedError(
            "The link takes a case back and permits nothing anew: whoever gave the grant gives it again signed in, or "
            f"tells {case.organisation}."
        )
    if not after.holds:
        raise ConflictError("The case stopped nothing that still holds: there is nothing to give again.")
    if (other := aftermath.asked_elsewhere(case, after)) is not None:
        raise ConflictError(f"Case {other.reference} asks for the end of the same grant: it stays revoked.")
    if not aftermath.may_undo(by, case, after):
        raise NotAllowedError(
            "You can't permit again what this case stopped: a grant is given again by a data steward or the label "
            "that revoked it, an opt-out is withdrawn by a compliance officer or the label that declared it."
        )
    own_word, reason = aftermath.is_own_word(by, case), f"Case {case.reference} was withdrawn."
    done: dict[str, Any] = {}
    if after.still_ended:
        anew = provenance.reinstate_grants(
            grants=after.still_ended, by=by, reason=reason, now=now, own_word=own_word
        )
        done["grants_reinstated"] = [str(one.public_id) for one in anew]
    if after.reservation is not None and after.opt_out_stands:
        withdraw_reservation(reservation=after.reservation, by=by, reason=reason, now=now, own_word=own_word)
        done["reservation_withdrawn"] = str(after.reservation.public_id)
    return done


@transaction.atomic
def erase_contact(*, case: Case, reason: str, by: User, now: datetime) -> Case:
    """Erase who asked and how to reach them from a closed case; the deed is recorded, without what was erased.

    What the case was about, what was decided and the signed answers stay: they name models, recordings and counts.
    The ledger keeps its commitments, which without the salt are random numbers.

    Raises
    ------
    ConflictError
        If the case is not closed: until then somebody has to be answered. Or it is erased already.
    """
    access.require(by, case.organisation, access.DECIDES, "erase who filed a case")
    if by.is_system:
        raise NotAllowedError("Erasing is decided by a person: say who with --as USER.")
    held = _locked(case)
    if not held.is_closed:
        raise ConflictError("The case is not closed: whoever filed it is still to be answered.")
    if held.erased_at is not None:
        raise ConflictError("Who filed this case is erased already.")
    said = keepable(reason).strip()
    if not said or len(said) > MAX_ERASURE_WORDS:
        raise UnclearCaseError(
            f"Say in at most {MAX_ERASURE_WORDS} characters why it is erased, without naming whom it is about."
        )
    own_words = (
        ("closing_words",) if held.state == CaseState.WITHDRAWN else ()
    )  # an answer's words are signed
    erased = [name for name in (*PERSONAL, *own_words) if getattr(held, name)]
    for name in erased:
        setattr(held, name, "")
    held.holder = ERASED
    held.verified_how = ERASED if held.verified_at else ""
    held.erased_by, held.erased_at, held.erased_because = by, now, said
    held.save(update_fields=[*PERSONAL, *own_words, "erased_by", "erased_at", "erased_because"])
    record_deed(held, "erased", by, now, {"erased": erased})
    return held


def _locked(case: Case) -> Case:
    return (
        Case.objects.select_for_update(of=("self",))
        .select_related("organisation", "filed_by")
        .get(pk=case.pk)
    )
