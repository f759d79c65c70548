"""How one recording stands on a day: what it is cleared for, who claims what, and whether that adds up."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from provenance import queries
from provenance.known import rights_of
from provenance.models import ClaimedRight, DatasetEntry, Recording, RightsClaim
from provenance.rights.clearance import clear
from provenance.rights.identifiers import CHECKS
from provenance.rights.shares import ShareFinding, share_findings
from provenance.rights.values import Clearance, RecordingRights, Use

QUESTIONS = (  # those that people come with, the most demanding first
    ("ai_generative_training", True),
    ("ai_generative_training", False),
    ("data_mining", False),
    ("output_commercial", True),
    ("redistribution", False),
)
MOST_ENTRIES = 4  # datasets that a recording's own page answers for


@dataclass(frozen=True)
class EntryAnswers:
    """What a recording answers as one dataset knows it, question by question."""

    entry: DatasetEntry
    answers: list[tuple[Use, Clearance]]


@dataclass(frozen=True)
class ClaimedShare:
    right: str
    claims: list[RightsClaim]
    findings: list[ShareFinding]


@dataclass(frozen=True)
class Identifier:
    """An identifier as it was written; ``why`` says what is wrong with it, empty where nothing is."""

    scheme: str
    written: str
    source: str
    why: str


def answers_of(recording: Recording, *, at: datetime) -> tuple[list[EntryAnswers], list[RecordingRights]]:
    """Answer the main questions as of an instant, for each dataset apart; and return what that rests on."""
    policy = queries.policy_of(recording.organisation, at=at)
    entries = DatasetEntry.objects.filter(recording=recording).select_related("dataset").order_by("id")
    found, rights = [], []
    for entry, known in rights_of(entries[:MOST_ENTRIES]):
        uses = [Use(purpose, commercial, at=at) for purpose, commercial in QUESTIONS]  # type: ignore[arg-type]
        found.append(EntryAnswers(entry, [(use, clear(known, use, policy)) for use in uses]))
        rights.append(known)
    return found, rights


def claims_of(claims: Iterable[RightsClaim], rights: Iterable[RecordingRights]) -> list[ClaimedShare]:
    """Return both rights apart, and any part of them that is claimed apart, with gaps and overlaps of their shares."""
    known = next(iter(rights), None)
    findings = share_findings(known.claims) if known is not None else []
    rows = list(claims)
    always = {ClaimedRight.MASTER.value, ClaimedRight.COMPOSITION.value}
    return [
        ClaimedShare(
            right,
            [claim for claim in rows if claim.right == right],
            [finding for finding in findings if finding.right == right],
        )
        for right in ClaimedRight.values
        if right in always or any(claim.right == right for claim in rows)
    ]


def identifiers_of(recording: Recording) -> list[Identifier]:
    """Return every identifier as it was written, those of the recording's own row among them, checked now."""
    found = [
        Identifier(row.scheme, row.written, row.source, "" if row.is_valid else row.why_invalid or "invalid")
        for row in recording.identifiers.order_by("scheme", "id")
    ]
    own = [("isrc", recording.isrc)]
    if recording.work is not None:
        own.append(("iswc", recording.work.iswc))
    for scheme, written in own:
        if written and not any(one.scheme == scheme and one.written == written for one in found):
            found.append(Identifier(scheme, written, "register", CHECKS[scheme](written).why))
    return found
