"""Reads of the licence catalogue: each licence as a policy reads it, narrowed to what is looked for."""

from collections.abc import Sequence
from dataclasses import dataclass

from provenance.queries.policies import AxisReading, axis_readings
from provenance.rights import terms
from provenance.rights.policy import ClearancePolicy
from provenance.rights.terms import LicenceTerms

ALWAYS_SHOWN = ("ai_generative_training", "commercial", "redistribution")
AXIS_WORDS = {
    "ai_generative_training": "Generative training",
    "ai_nongenerative_training": "Other training",
    "ai_inference": "Prompting",
    "data_mining": "Data mining",
    "output_commercial": "Selling outputs",
    "redistribution": "Passing on",
    "attribution": "Attribution",
    "share_alike": "Share-alike",
    "commercial": "For money",
}
"""What stands over a column; a licence's own page says it in full."""


@dataclass(frozen=True)
class Wanted:
    """What is looked for: words, an answer and a doubt; both on one axis, or on any."""

    q: str = ""
    axis: str = ""
    answer: str = ""
    contested: bool = False

    @property
    def axes(self) -> tuple[str, ...]:
        """The axes that a list shows: the one that is looked at, and those asked for most."""
        return ALWAYS_SHOWN if self.axis in ("", *ALWAYS_SHOWN) else (self.axis, *ALWAYS_SHOWN)

    def fits(self, licence: LicenceTerms, readings: Sequence[AxisReading]) -> bool:
        looked_at = [one for one in readings if self.axis in ("", one.axis)]
        return _says(licence, self.q) and any(self._fits(one) for one in looked_at)

    def _fits(self, one: AxisReading) -> bool:
        return self.answer in ("", one.ours.answer) and (not self.contested or bool(one.term.contested))


def _says(licence: LicenceTerms, words: str) -> bool:
    """Tell whether every word stands in a licence's names, identifiers or kind."""
    kind = licence.licence_class.replace("_", " ")
    written = " ".join((licence.id, licence.name, kind, *licence.spdx, *licence.aliases)).lower()
    return all(word in written for word in words.lower().split())


@dataclass(frozen=True)
class ListedLicence:
    """One licence, with what stands over each column that the list shows and how the licence is read there."""

    licence: LicenceTerms
    readings: Sequence[tuple[str, AxisReading]]


def listed(policy: ClearancePolicy, wanted: Wanted) -> list[ListedLicence]:
    """Return the licences that fit, by name."""
    found = []
    for licence in sorted(terms.catalogue().values(), key=lambda one: one.name.casefold()):
        readings = axis_readings(licence, policy)
        if wanted.fits(licence, readings):
            by_axis = {one.axis: one for one in readings}
            found.append(ListedLicence(licence, [(AXIS_WORDS[axis], by_axis[axis]) for axis in wanted.axes]))
    return found
