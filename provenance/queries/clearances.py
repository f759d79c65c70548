"""What a dataset answers to one question, kept: which run answers it, and whether it still may be shown."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.db.models import Exists, Min, OuterRef, Q, QuerySet

from governance.models import Job, JobState, LedgerEvent, Organisation
from lib.canonical import canonical_json
from provenance import queries, rights
from provenance.known import rights_of
from provenance.models import (
    ClearanceRow,
    ClearanceRun,
    Dataset,
    DatasetEntry,
    DatasetVersion,
    Grant,
    Recording,
    Reservation,
)
from provenance.queries import Cleared
from provenance.rights.clearance import clear
from provenance.rights.policy import ClearancePolicy
from provenance.rights.values import Clearance, RecordingRights, Use

AT_ONCE = 2000  # recordings whose answers are worked out while a page waits: under half a second's work
COUNTED = 1000  # hits of a search that are counted: who has more narrows it further
CLEAR = "provenance.clear"  # the kind of job that works out the rest
CHANGES_NO_ANSWER = (
    *("provenance.catalogue.brought", "provenance.catalogue.matched", "provenance.dataset.frozen"),
    *("provenance.evidence.kept", "provenance.evidence.opened", "provenance.evidence.made_confidential"),
    *("provenance.evidence.linked", "provenance.index.built", "provenance.index.calibrated"),
    "provenance.clearance.listed",
    *("provenance.dataset.left_out", "provenance.dataset.taken_back"),
)


def instant_of(day: date | None) -> datetime | None:
    """Return the first moment of a day, UTC."""
    return datetime.combine(day, time(), UTC) if day else None


@dataclass(frozen=True)
class Question:
    """What is asked of a dataset or a version of it; ``day`` None asks about now, whenever now is."""

    dataset: Dataset
    version: DatasetVersion | None
    purpose: str
    commercial: bool
    territory: str
    day: date | None
    policy: ClearancePolicy
    model: str = ""  # whom alone it is asked for; a version says so itself

    def use(self, now: datetime) -> Use:
        at = instant_of(self.day) or now
        use = queries.use_for(
            purpose=self.purpose,
            commercial=self.commercial,
            territory=self.territory,
            at=at,
            model=self.version.model if self.version else self.model,
        )
        return queries.asked_by(use, self.dataset.organisation)

    @property
    def key(self) -> str:
        asked = {
            "version": str(self.version.public_id) if self.version else None,
            "purpose": self.purpose,
            "commercial": self.commercial,
            "territory": self.territory,
            "day": self.day.isoformat() if self.day else None,
            "policy": self.policy.sha256,
            **({"model": self.model} if self.model else {}),
        }
        return hashlib.sha256(canonical_json(asked)).hexdigest()

    def entries(self) -> QuerySet[DatasetEntry]:
        """Return the entries asked about, without the rows around them."""
        return queries.entries_of(self.dataset, self.version).select_related(None)


def known_stamp(organisation: Organisation) -> int:
    """Return the last event of the ledger that may have changed an answer of this organisation's; 0 before any.

    Whatever changes what is known of rights ends by writing an event, under a lock that is held until commit: what
    has a smaller number can be read, and what comes later has a larger one. A kind that nobody listed counts.
    """
    events = LedgerEvent.objects.filter(organisation_id=organisation.public_id).filter(
        Q(kind__startswith="provenance.") | Q(kind__startswith="governance.policy.")
    )
    last = events.exclude(kind__in=CHANGES_NO_ANSWER).order_by("-sequence").values_list("sequence", flat=True)
    return last.first() or 0


@lru_cache(maxsize=1)
def readings_sha256() -> str:
    """Return the hash of the catalogue and the code that answers: with another release no old answer is current."""
    root = Path(rights.__file__).parent
    files = [path for path in sorted(root.rglob("*")) if path.suffix in {".py", ".yaml"}]
    hashed = hashlib.sha256()
    for path in [*files, root.parent / "known.py"]:
        hashed.update(path.name.encode())
        hashed.update(path.read_bytes())
    return hashed.hexdigest()


def run_of(question: Question) -> ClearanceRun | None:
    """Return the run that was kept for a question, current or not."""
    return ClearanceRun.objects.filter(dataset=question.dataset, question=question.key).first()


def is_current(run: ClearanceRun, organisation: Organisation, now: datetime) -> bool:
    """Tell whether a run may be shown as the answer: nothing that it rests on changed, and no term ran out."""
    return (
        (run.holds_until is None or now < run.holds_until)
        and run.readings == readings_sha256()
        and run.stamp == known_stamp(organisation)
    )


def holds_until(question: Question, at: datetime) -> datetime | None:
    """Return until when answers about now hold by themselves: the next midnight, or an opt-out's instant before it."""
    if question.day is not None:
        return None
    own = {"organisation": question.dataset.organisation}
    revoked = Grant.objects.filter(**own, revoked_from__gt=at).aggregate(at=Min("revoked_from"))
    declared = Reservation.objects.filter(**own, declared_at__gt=at).aggregate(at=Min("declared_at"))
    withdrawn = Reservation.objects.filter(**own, withdrawn_at__gt=at).aggregate(at=Min("withdrawn_at"))
    midnight = datetime.combine(at.astimezone(UTC).date() + timedelta(days=1), time(), UTC)
    coming: list[datetime] = [row["at"] for row in (revoked, declared, withdrawn) if row["at"] is not None]
    return min([midnight, *coming])


def job_for(question: Question) -> Job | None:
    """Return the job that is working the answers out, or waits to."""
    waiting = Job.objects.filter(kind=CLEAR, state__in=(JobState.QUEUED, JobState.RUNNING))
    of_dataset = waiting.filter(subject_kind="dataset", subject_id=question.dataset.public_id)
    return of_dataset.filter(arguments__question=question.key).order_by("-asked_at").first()


@dataclass(frozen=True)
class MatrixRow:
    """One recording in a clearance matrix: its entry, all that is known of its rights, and the answers."""

    entry: DatasetEntry
    rights: RecordingRights
    cleared: Cleared

    @property
    def clearance(self) -> Clearance:
        return self.cleared.clearance

    @property
    def holders(self) -> list[str]:
        return holders_of(self.rights)

    @property
    def contested(self) -> bool:
        return bool(self.clearance.master.contested or self.clearance.composition.contested)

    @property
    def weak(self) -> bool:
        return self.clearance.master.weak or self.clearance.composition.weak


def answered(entries: QuerySet[DatasetEntry], *, use: Use, policy: ClearancePolicy) -> Iterator[MatrixRow]:
    """Answer each entry in order, a few queries for every couple of thousand."""
    for entry, known in rights_of(entries):
        yield MatrixRow(entry, known, Cleared(entry, clear(known, use, policy), use.territory))


def answered_slice(rows: Sequence[DatasetEntry], *, use: Use, policy: ClearancePolicy) -> list[MatrixRow]:
    """Answer the entries of one page, in its order."""
    wanted = DatasetEntry.objects.filter(pk__in=[row.pk for row in rows]).select_related("recording")
    found = {row.entry.pk: row for row in answered(wanted, use=use, policy=policy)}
    return [found[row.pk] for row in rows if row.pk in found]


def holders_of(known: RecordingRights) -> list[str]:
    """Return everybody who is named as holding a right, by a source's statement or by a claim."""
    stated = (holder for statement in known.statements for holder in statement.holders)
    claimed = (claim.party for claim in known.claims if not claim.is_credit)
    return list(dict.fromkeys([*stated, *claimed]))


@dataclass(frozen=True)
class Narrowing:
    """By what a matrix is narrowed; empty words narrow nothing."""

    words: str = ""
    answer: str = ""
    right: str = ""
    licence: str = ""
    holder: str = ""
    basis: str = ""
    weak: bool = False
    contested: bool = False
    left_out: bool = False

    @classmethod
    def asked_by(cls, asked: Mapping[str, Any]) -> "Narrowing":
        """Read the cleaned data of a form or of an API's question: ``q``, and else what this holds by name."""
        return cls(
            words=asked["q"],
            answer=asked["answer"],
            right=asked["right"],
            licence=asked["licence"].strip(),
            holder=asked["holder"].strip(),
            basis=asked["basis"],
            weak=asked["weak"],
            contested=asked["contested"],
            left_out=asked["left_out"],
        )

    @property
    def needs_answers(self) -> bool:
        return bool(self.answer or self.licence or self.holder or self.basis or self.weak or self.contested)

    @property
    def is_any(self) -> bool:
        return self.needs_answers or bool(self.words.strip()) or self.left_out


def narrowed(
    entries: QuerySet[DatasetEntry], by: Narrowing, run: ClearanceRun | None
) -> QuerySet[DatasetEntry]:
    """Return the entries that a narrowing leaves. Without answers, what needs them leaves none: it fails closed."""
    if words := by.words.strip():
        entries = entries.filter(
            Q(title__icontains=words)
            | Q(artist__icontains=words)
            | Q(external_id__icontains=words)
            | Q(recording__in=_by_isrc(words))
        )
    if by.left_out:
        entries = entries.filter(omissions__isnull=False, omissions__taken_back_at=None)
    if not by.needs_answers:
        return entries
    if run is None:
        return entries.none()
    return entries.filter(Exists(answers_like(by, run).filter(entry=OuterRef("pk"))))


def _by_isrc(words: str) -> list[int]:
    """Return the recordings of that ISRC, found by its index before anything is searched."""
    compact = words.replace("-", "").upper()
    return list(Recording.objects.filter(isrc=compact).values_list("pk", flat=True)[:100])


def answers_like(by: Narrowing, run: ClearanceRun) -> QuerySet[ClearanceRow]:
    """Return the kept answers that a narrowing asks for."""
    rows = ClearanceRow.objects.filter(run=run)
    if by.answer:
        rows = rows.filter(**{by.right or "answer": by.answer})
    if by.basis and by.right:
        rows = rows.filter(**{f"{by.right}_basis": by.basis})
    elif by.basis:
        rows = rows.filter(Q(master_basis=by.basis) | Q(composition_basis=by.basis))
    if by.licence:
        rows = rows.filter(licences__contains=[by.licence])
    if by.holder:
        rows = rows.filter(holders__contains=[by.holder])
    for mark in ("weak", "contested"):
        if getattr(by, mark):
            rows = rows.filter(**{mark: True})
    return rows


def n_like(entries: QuerySet[DatasetEntry], by: Narrowing, run: ClearanceRun | None) -> str:
    """Return how many a narrowing leaves, in words; hits of a search are counted only so far."""
    if by.words.strip() or by.left_out:
        n = entries.order_by()[: COUNTED + 1].count()
        return f"more than {COUNTED}" if n > COUNTED else str(n)
    if run is not None and by.needs_answers:
        return str(answers_like(by, run).count())
    return str(run.n_recordings if run is not None else entries.order_by().count())
