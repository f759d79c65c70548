"""What a change of policy changes: in what licences are read to say, before any recording is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from provenance.rights.policy import ClearancePolicy
from provenance.rights.readings import LicenceReading, read_axis
from provenance.rights.terms import AXES, catalogue
from provenance.rights.values import RANK

Direction = Literal["stricter", "looser"]


@dataclass(frozen=True, slots=True)
class ReadingChange:
    """One licence on one axis that two policies read differently."""

    licence: str
    axis: str
    before: LicenceReading
    after: LicenceReading

    @property
    def direction(self) -> Direction:
        """``stricter``; or ``looser``, also where one condition is exchanged for another: that drops one."""
        if self.before.answer != self.after.answer:
            return "stricter" if RANK[self.after.answer] < RANK[self.before.answer] else "looser"
        return "stricter" if set(self.after.conditions) >= set(self.before.conditions) else "looser"


def reading_changes(before: ClearancePolicy, after: ClearancePolicy) -> tuple[ReadingChange, ...]:
    """Compare two policies over the whole catalogue.

    Parameters
    ----------
    before, after : ClearancePolicy
        The policy that holds, and the one that is to.

    Returns
    -------
    tuple of ReadingChange
        By licence and axis, only where the answer or its conditions differ; reasons alone are no change.
    """
    return tuple(
        ReadingChange(licence.id, axis, old, new)
        for licence in catalogue().values()
        for axis in AXES
        if _differ(old := read_axis(licence, axis, before), new := read_axis(licence, axis, after))
    )


def loosenings(before: ClearancePolicy, after: ClearancePolicy) -> tuple[str, ...]:
    """Say in which ways ``after`` is looser than ``before``; empty where it loosens nothing.

    Parameters
    ----------
    before, after : ClearancePolicy
        The policy that holds, and the one that is to.

    Returns
    -------
    tuple of str
        One phrase each. Where it is empty, no recording gets a looser answer under ``after``.
    """
    found = [
        f"{change.licence} on {change.axis}"
        for change in reading_changes(before, after)
        if change.direction == "looser"
    ]
    if RANK[after.weak_evidence] > RANK[before.weak_evidence]:
        found.append(f"weak evidence counts for {after.weak_evidence}")
    if before.reservations_bind_licences and not after.reservations_bind_licences:
        found.append("opt-outs no longer close what a licence allows")
    return tuple(found)


def _differ(old: LicenceReading, new: LicenceReading) -> bool:
    return (old.answer, old.conditions) != (new.answer, new.conditions)
