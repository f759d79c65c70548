"""What is known about a recording's rights, and what is asked of it, as values.

Nothing here reads a file, a clock or a database: `provenance.rights.clearance` takes these values and
answers, so that the same question about the same values always has the same answer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Literal, get_args

Right = Literal["master", "composition"]
ClaimedRight = Literal["master", "composition", "performance", "lyrics"]
"""The two rights, and the parts of them that are claimed apart where somebody declares it."""
Source = Literal["embedded_tag", "package_file", "steward", "rights_holder", "registry"]
Answer = Literal["not_allowed", "unknown", "constrained", "allowed"]
Basis = Literal["licence", "grant", "public_domain", "own", "statutory_exception"]
Purpose = Literal[
    "ai_generative_training",
    "ai_nongenerative_training",
    "ai_inference",
    "data_mining",
    "output_commercial",
    "redistribution",
]

UnknownKind = Literal[
    "nothing_stated",
    "not_in_catalogue",
    "terms_silent",
    "policy_leaves_open",
    "weak_evidence",
    "out_of_term",
    "other_territory",
    "grant_does_not_cover",
    "share_not_granted",
]
"""Why a right's answer is unknown, from what is not known at all to what is almost settled:

``nothing_stated``: no source names a licence. ``not_in_catalogue``: one does, and nobody here has read it.
``terms_silent``: its terms don't settle this use. ``policy_leaves_open``: the policy chose a reading that doesn't.
``weak_evidence``: the policy trusts such evidence no further. ``out_of_term`` and ``other_territory``: it holds at
another time, or elsewhere. ``grant_does_not_cover``: nothing but grants for other uses. ``share_not_granted``: a grant
covers the use, and not all of the right.
"""

RIGHTS: tuple[Right, ...] = get_args(Right)
PARTS: dict[Right, tuple[ClaimedRight, ...]] = {"master": ("performance",), "composition": ("lyrics",)}
"""The parts of each right: the performance with its voice of the master, the lyrics of the composition."""
SOURCES: tuple[Source, ...] = get_args(Source)
UNKNOWN_KINDS: tuple[UnknownKind, ...] = get_args(UnknownKind)
ANSWERS: tuple[Answer, ...] = get_args(Answer)
"""All answers, strictest first."""
RANK: dict[Answer, int] = {answer: rank for rank, answer in enumerate(ANSWERS)}
"""How strict each is: 0 = the strictest."""
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)
WORLD = "WORLD"


@dataclass(frozen=True, slots=True)
class Statement:
    """One source's word on one right of one recording.

    Statements of several sources stand beside each other and are never merged; the strictest decides.
    """

    right: Right
    expression: str
    """Normalised SPDX expression or ``LicenseRef-…``; empty when the source states none."""
    raw: str
    """The licence as the source spells it."""
    source: Source
    weak: bool = False
    """True where the source speaks of a whole package, or in free text, and not of this file."""
    evidence: str = ""
    """Path or URL of what was read."""
    quote: str = ""
    holders: tuple[str, ...] = ()
    licence_url: str = ""
    territory: tuple[str, ...] = ()
    """Territory codes (see `provenance.rights.territory`); empty = the world."""
    valid_from: date | None = None
    valid_until: date | None = None
    """First day on which the statement no longer holds; None = open."""


CREDITS: frozenset[str] = frozenset(
    {"arranger", "artist", "author", "composer", "lyricist", "performer", "producer", "remixer", "translator"}
)
"""Roles that say who made something. Without a share they are credits and claim nothing."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A party's claim to a share of one right, or of a declared part of it."""

    right: ClaimedRight
    party: str
    share: float | None = 100.0
    """Percent, above 0 to 100; None where the source states none."""
    role: str = ""
    territory: tuple[str, ...] = ()
    valid_from: date | None = None
    valid_until: date | None = None
    source: str = "steward"

    @property
    def is_credit(self) -> bool:
        """Whether it says only who made something: a maker's role without a share."""
        return self.share is None and self.role in CREDITS


@dataclass(frozen=True, slots=True)
class Grant:
    """A licence given by someone to someone for something, or ownership (``basis="own"``)."""

    id: str
    right: ClaimedRight
    licensor: str
    purposes: frozenset[str]
    commercial: bool
    territory: tuple[str, ...] = ()
    valid_from: date | None = None
    valid_until: date | None = None
    model_scope: frozenset[str] = frozenset()
    """The models or model versions it is for; empty = any."""
    conditions: tuple[str, ...] = ()
    share: float = 100.0
    """Percent of the right the licensor disposes of; read only where no claims are recorded."""
    revoked_at: datetime | None = None
    basis: Literal["grant", "own"] = "grant"
    document: str = ""
    licensee: str = ""
    """Whom it was given to; compared only with a use that says who asks."""
    sublicensing: bool = False
    """Whether the licensee may give on what it was given."""
    chain_of_title: tuple[str, ...] = ()
    """From the rights holder to the licensor: whom the licensor grants for."""
    sunset_on: date | None = None
    """First day on which weights trained under it may no longer be used; None = the end of its term."""
    given_at: datetime | None = None
    """Instant before which it clears nothing, whatever its first day; None = its term alone says when. Of a grant that
    gives a revoked one again: a term is by days, and the hours between the two would be cleared by neither deed."""
    attribution: str = ""
    """The wording that is owed under it; empty where it asks for none, or leaves it open."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """A rights holder's opt-out, as declared or as found in a machine-readable place."""

    id: str
    right: Right | Literal["both"] = "both"
    purposes: frozenset[str] = frozenset()
    """The purposes reserved; empty = all training, mining and inference."""
    territory: tuple[str, ...] = ()
    declared_at: datetime | None = None
    withdrawn_at: datetime | None = None
    source: str = ""
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class ExceptionMemo:
    """A named person's memo that a statutory exception covers a use, with lawful access on record.

    Withdrawn, it allows nothing, at whichever instant: it is told, where it had been what allowed the use.
    """

    id: str
    purposes: frozenset[str]
    signed_by: str
    lawful_access: str
    territory: tuple[str, ...] = ()
    valid_from: date | None = None
    valid_until: date | None = None
    withdrawn_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Conflict:
    """A finding that touches the recording; until a person closes it, the stricter side holds."""

    id: str
    kind: str
    statements: tuple[Statement, ...] = ()
    """The other side's statements, weighed as if they were about this recording for as long as it is open."""
    closed_at: datetime | None = None
    """When a person closed it; as of an earlier instant it is open. None = open."""
    upheld: tuple[Statement, ...] = ()
    """What was found right, on whichever side it stands: from ``closed_at`` on it is about this recording."""
    set_aside: tuple[Statement, ...] = ()
    """What was found wrong: from ``closed_at`` on it counts no more."""


@dataclass(frozen=True, slots=True)
class RecordingRights:
    """Everything known about the rights of one recording."""

    statements: tuple[Statement, ...] = ()
    claims: tuple[Claim, ...] = ()
    grants: tuple[Grant, ...] = ()
    reservations: tuple[Reservation, ...] = ()
    memos: tuple[ExceptionMemo, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    protected: bool = False
    """True for a recording of a protected collection: checked against, never trained on."""


@dataclass(frozen=True, slots=True)
class Use:
    """What someone wants to do, where, when and for money or not."""

    purpose: Purpose
    commercial: bool = False
    territory: str = WORLD
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    """Instant with a zone; periods given as dates are read in UTC."""
    model: str = ""
    """The model or version it is for; empty = not said, which makes a grant's model scope a condition."""
    licensees: frozenset[str] = frozenset()
    """The names the asker goes by; empty = not said, and a grant to anybody counts."""

    on: date = field(init=False, compare=False, repr=False)
    """The UTC day of ``at``."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "on", self.at.astimezone(UTC).date())


@dataclass(frozen=True, slots=True)
class RightAnswer:
    """May this right be used so, and why."""

    answer: Answer
    basis: Basis | None = None
    grant: str | None = None
    """Id of the grant that decided; the first of ``grants``."""
    licence: str | None = None
    """The licence that was read, the branch of an ``OR`` that was taken."""
    reasons: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    clauses: tuple[str, ...] = ()
    weak: bool = False
    contested: tuple[str, ...] = ()
    """Ids of the contested questions whose reading decided."""
    grants: tuple[str, ...] = ()
    """All grants needed together, where shares are split."""
    unknown_because: UnknownKind | Literal[""] = ""
    """What keeps an unknown answer from being settled; empty for every other answer."""


@dataclass(frozen=True, slots=True)
class Clearance:
    """The answer for a recording: the stricter of its two rights."""

    master: RightAnswer
    composition: RightAnswer
    answer: Answer

    @property
    def conditions(self) -> tuple[str, ...]:
        """All conditions of both rights, sorted."""
        return tuple(sorted({*self.master.conditions, *self.composition.conditions}))

    def clears(self, accepted: frozenset[str] = frozenset()) -> bool:
        """Say whether the recording is cleared once ``accepted`` conditions are accepted."""
        if self.answer == "constrained":
            return accepted.issuperset(self.conditions)
        return self.answer == "allowed"


def strictest(*answers: Answer) -> Answer:
    """Return the strictest of ``answers``; ``allowed`` of none."""
    return min(answers, key=ANSWERS.index, default="allowed")


def loosest(*answers: Answer) -> Answer:
    """Return the loosest of ``answers``; ``not_allowed`` of none."""
    return max(answers, key=ANSWERS.index, default="not_allowed")
