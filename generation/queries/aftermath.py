"""What taking a case in did to the rights, and what of it still holds."""

from dataclasses import dataclass

from generation.models import Case, CaseChannel, CaseKind
from generation.queries.answers import opened_event_of
from generation.queries.cases import BINDING_STATES
from governance import access
from governance.access import Person
from governance.models import Role, User
from provenance.models import Grant, Reservation
from provenance.services.declaring import may_withdraw as may_end_opt_out


@dataclass(frozen=True)
class Aftermath:
    """The grants that a case ended and the opt-out that it recorded, as the ledger's own line names them."""

    ended: tuple[Grant, ...] = ()
    reservation: Reservation | None = None

    @property
    def given_again(self) -> dict[int, Grant]:
        """The grants that give an ended one again, by the key of the ended one."""
        rows = Grant.objects.filter(reinstates__in=self.ended)
        return {one.reinstates_id: one for one in rows if one.reinstates_id is not None}

    @property
    def still_ended(self) -> tuple[Grant, ...]:
        again = self.given_again
        return tuple(one for one in self.ended if one.pk not in again)

    @property
    def opt_out_stands(self) -> bool:
        return self.reservation is not None and self.reservation.withdrawn_at is None

    @property
    def holds(self) -> bool:
        """Whether anything of it could still be taken back."""
        return bool(self.still_ended) or self.opt_out_stands


def aftermath_of(case: Case) -> Aftermath:
    opened = opened_event_of(case)
    if opened is None:
        return Aftermath()
    ended = Grant.objects.filter(
        organisation=case.organisation_id, public_id__in=opened.body.get("grants_revoked", [])
    )
    named = opened.body.get("reservation")
    recorded = (
        Reservation.objects.filter(organisation=case.organisation_id, public_id=named) if named else None
    )
    return Aftermath(tuple(ended.order_by("id")), recorded.first() if recorded is not None else None)


def rights_now(case: Case) -> list[str]:
    """Say in sentences what of a case's doing to the rights holds now; empty where it did nothing."""
    after = aftermath_of(case)
    again = after.given_again
    said = []
    for one in after.ended:
        sentence = f"The grant of the {one.right} ({one.public_id}) stays revoked from {one.revoked_from:%-d %B %Y} on"
        if (anew := again.get(one.pk)) is not None:
            sentence += f"; it was given again from {anew.valid_from:%-d %B %Y} on as {anew.public_id}"
        said.append(f"{sentence}.")
    if case.kind == CaseKind.REVOKE and case.verified_at is not None and not after.ended:
        said.append("The grant was revoked before this case, and stays so.")
    if (held := after.reservation) is not None:
        said.append(
            f"The opt-out ({held.public_id}) stands."
            if held.withdrawn_at is None
            else f"The opt-out ({held.public_id}) is withdrawn since {held.withdrawn_at:%-d %B %Y}."
        )
    return said


def is_own_word(user: Person, case: Case) -> bool:
    """Tell whether a case is what a label, signed in, asked for itself."""
    return (
        isinstance(user, User)
        and case.channel == CaseChannel.LABEL
        and case.filed_by_id == user.pk
        and access.may(user, case.organisation, (Role.LABEL_AUDITOR,))
    )


def may_undo(user: Person, case: Case, after: Aftermath) -> bool:
    """Tell whether who takes a case back may permit again what it stopped: by no link, only signed in.

    A label takes its own word back. Where somebody noted it down for a holder, it takes who may do that at any time:
    for a grant a data steward, for an opt-out a compliance officer.
    """
    if not isinstance(user, User) or not after.holds or asked_elsewhere(case, after):
        return False
    if is_own_word(user, case):
        return True
    if after.still_ended:
        return access.may(user, case.organisation, access.WRITES_DATASETS)
    return after.reservation is not None and may_end_opt_out(user, after.reservation)


def asked_elsewhere(case: Case, after: Aftermath) -> Case | None:
    """Return another binding case that asks for the end of what this one ended."""
    if not after.ended:
        return None
    others = Case.objects.filter(
        organisation=case.organisation_id,
        kind=CaseKind.REVOKE,
        state__in=BINDING_STATES,
        grant__deal__in={one.deal for one in after.ended},
    )
    return others.exclude(pk=case.pk).order_by("id").first()
