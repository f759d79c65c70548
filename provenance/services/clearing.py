"""Working out and keeping a dataset's answers, and what is done about many recordings at once."""

import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from django.db import connection, transaction
from django.db.models import QuerySet

from governance import access, ledger
from governance import services as governance
from governance.models import Job, User
from lib.canonical import canonical_json
from lib.figures import counted
from lib.ids import new_public_id
from lib.merkle import merkle_root
from provenance import queries
from provenance.bulk import copy_models, copy_rows
from provenance.errors import ProvenanceError
from provenance.models import (
    ClearanceRow,
    ClearanceRun,
    Dataset,
    DatasetEntry,
    LicenceStatement,
    Omission,
    StatementSource,
)
from provenance.queries import ClearanceSummary, clearances
from provenance.queries.clearances import MatrixRow, Question
from provenance.rights.expressions import NotAnExpression, leaves, licences_of, normalise, parse
from provenance.services.approving import reopen_approvals
from provenance.services.conflicts import find_conflicts

MOST_AT_ONCE = (
    10_000  # entries that one deed changes: its preview can still be read, and its transaction stays short
)
MOST_NAMED = 60  # licences and holders that a list can be narrowed by with one click
RUNS_KEPT = 12  # questions whose answers are kept for one dataset
ROW_FIELDS = (
    *("run_id", "entry_id", "answer", "master", "composition", "master_basis", "composition_basis"),
    *("licences", "holders", "weak", "contested"),
)
Progress = Callable[[int, int], None]


@dataclass
class _Tally:
    """What a run counts while its rows are written."""

    run: ClearanceRun
    summary: ClearanceSummary = field(default_factory=ClearanceSummary.empty)
    licences: Counter[str] = field(default_factory=Counter)
    holders: Counter[str] = field(default_factory=Counter)
    bases: Counter[str] = field(default_factory=Counter)

    def rows(self, answered: Iterator[MatrixRow], progress: Progress | None) -> Iterator[tuple[object, ...]]:
        for number, row in enumerate(answered, 1):
            yield self._row(row)
            if progress is not None and number % 2000 == 0:
                progress(number, self.run.n_recordings)

    def _row(self, row: MatrixRow) -> tuple[object, ...]:
        self.summary.add(row.cleared)
        both = (row.clearance.master, row.clearance.composition)
        licences = list(dict.fromkeys(right.licence for right in both if right.licence))
        holders = row.holders
        self.licences.update(licences)
        self.holders.update(holders)
        self.bases.update({right.basis for right in both if right.basis})
        answers = (row.clearance.answer, *(right.answer for right in both))
        bases = tuple(right.basis or "" for right in both)
        return (self.run.pk, row.entry.pk, *answers, *bases, licences, holders, row.weak, row.contested)


@dataclass(frozen=True)
class Answers:
    """The run that may be shown; where there is none, the stale one that may not, and whether a job must do it."""

    run: ClearanceRun | None
    stale: ClearanceRun | None = None
    is_large: bool = False


def answers_to(question: Question, *, now: datetime) -> Answers:
    """Return the answers to a question if they are current; a small dataset's are worked out at once."""
    kept = clearances.run_of(question)
    if kept is not None and clearances.is_current(kept, question.dataset.organisation, now):
        return Answers(kept)
    if question.entries()[clearances.AT_ONCE : clearances.AT_ONCE + 1].exists():
        return Answers(None, kept, is_large=True)
    return Answers(keep_clearance(question=question, now=now))


def work_out(*, question: Question, policy_name: str, by: User, now: datetime) -> Job:
    """Let a worker answer a question for every recording; where one does already, return that job.

    ``policy_name`` is how the question named its policy: the worker reads it anew.
    """
    organisation = question.dataset.organisation
    access.require(by, organisation, access.STOPS_JOBS, "have answers worked out")
    if (job := clearances.job_for(question)) is not None:
        return job
    return governance.queue_job(
        kind=clearances.CLEAR,
        organisation=organisation,
        asked_by=by,
        now=now,
        subject_kind="dataset",
        subject_id=question.dataset.public_id,
        subject_name=str(question.version or question.dataset),
        arguments={
            "question": question.key,
            "purpose": question.purpose,
            "commercial": question.commercial,
            "territory": question.territory,
            "day": question.day.isoformat() if question.day else None,
            "policy": policy_name,
            "version": question.version.number if question.version else None,
            "model": question.model,
        },
    )


def keep_clearance(*, question: Question, now: datetime, progress: Progress | None = None) -> ClearanceRun:
    """Work out every answer to a question, keep them, and forget those that they replace.

    The stamp is read first: what changes meanwhile makes the run stale, and not wrong. Two who ask at once wait for
    each other, and the second finds the first one's run.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [question.key])
        kept = clearances.run_of(question)
        if kept is not None and clearances.is_current(kept, question.dataset.organisation, now):
            return kept
        return _keep(question, now, progress)


def _keep(question: Question, now: datetime, progress: Progress | None) -> ClearanceRun:
    dataset, use = question.dataset, question.use(now)
    entries = queries.entries_to_clear(dataset, question.version)
    run = ClearanceRun(
        dataset=dataset,
        version=question.version,
        question=question.key,
        stamp=clearances.known_stamp(dataset.organisation),
        readings=clearances.readings_sha256(),
        asked_at=use.at,
        holds_until=clearances.holds_until(question, now),
        computed_at=now,
        n_recordings=entries.count(),
    )
    ClearanceRun.objects.filter(dataset=dataset, question=question.key).delete()
    run.save()
    tally = _Tally(run)
    answered = clearances.answered(entries, use=use, policy=question.policy)
    copy_rows(ClearanceRow, ROW_FIELDS, list(tally.rows(answered, progress)))
    with connection.cursor() as cursor:  # the planner knows nothing of rows that came by COPY a moment ago
        cursor.execute("ANALYZE provenance_clearancerow")
    run.counts, run.seconds, run.conditions = (
        tally.summary.counts,
        tally.summary.seconds,
        tally.summary.conditions,
    )
    run.n_recordings = tally.summary.n_recordings
    run.licences, run.holders = tally.licences.most_common(MOST_NAMED), tally.holders.most_common(MOST_NAMED)
    run.bases = tally.bases.most_common()
    run.save(
        update_fields=["counts", "seconds", "conditions", "n_recordings", "licences", "holders", "bases"]
    )
    old = ClearanceRun.objects.filter(dataset=dataset).order_by("-computed_at", "-id")
    ClearanceRun.objects.filter(pk__in=list(old.values_list("pk", flat=True)[RUNS_KEPT:])).delete()
    return run


@transaction.atomic
def leave_out(
    *, dataset: Dataset, entries: QuerySet[DatasetEntry], reason: str, by: User, now: datetime
) -> int:
    """Leave recordings out of every version frozen from now on; return how many were not left out before."""
    access.require(by, dataset.organisation, access.WRITES_DATASETS, "leave recordings out")
    among = _within_bounds(entries)
    known = set(
        Omission.objects.filter(entry__in=among, taken_back_at=None).values_list("entry_id", flat=True)
    )
    said, salt = _reason(reason), secrets.token_hex(16)
    fresh = [
        Omission(entry=entry, left_out_by=by, left_out_at=now, reason=said, salt=salt)
        for entry in among
        if entry.pk not in known
    ]
    copy_models(fresh)
    if fresh:
        _tell("left_out", dataset, [row.entry for row in fresh], said, salt, by, now)
    return len(fresh)


@transaction.atomic
def take_back(
    *, dataset: Dataset, entries: QuerySet[DatasetEntry], reason: str, by: User, now: datetime
) -> int:
    """Let recordings into the next version again; whether they are cleared is asked when it is frozen."""
    access.require(by, dataset.organisation, access.WRITES_DATASETS, "take recordings back in")
    omitted = Omission.objects.filter(entry__in=_within_bounds(entries), taken_back_at=None)
    found = list(omitted.select_related("entry"))
    omitted.update(taken_back_at=now, taken_back_by=by)
    if found:
        salt = secrets.token_hex(16)
        _tell("taken_back", dataset, [row.entry for row in found], _reason(reason), salt, by, now)
    return len(found)


@dataclass(frozen=True)
class Correction:
    """What a steward states of one right or both, and where that can be read."""

    rights: Sequence[str]
    licence: str
    evidence: str
    holders: Sequence[str] = ()
    valid_from: date | None = None
    valid_until: date | None = None

    def expression(self) -> str:
        """Return the licence as an SPDX expression.

        Raises
        ------
        ProvenanceError
            If the catalogue knows no licence of that name: a correction is not the place for a guess.
        """
        written = normalise(self.licence)
        try:
            named = leaves(parse(written)) if written else ()
        except NotAnExpression:
            named = ()
        if not named or not all(licences_of(leaf) for leaf in named):
            raise ProvenanceError(f"{self.licence!r} names no licence of the catalogue.")
        return written


@dataclass(frozen=True)
class Corrected:
    n_added: int
    n_known: int  # stated by a steward in the same words before
    n_conflicts: int


@transaction.atomic
def correct_statements(
    *,
    dataset: Dataset,
    entries: QuerySet[DatasetEntry],
    correction: Correction,
    reason: str,
    by: User,
    now: datetime,
) -> Corrected:
    """Add what a steward states; nothing that a source said before is changed, and the stricter of them holds.

    What no longer is what was approved is a draft again, and where the sources now disagree a conflict is opened.
    """
    access.require(by, dataset.organisation, access.WRITES_DATASETS, "correct a statement")
    if by.is_system:
        raise ProvenanceError("A statement is corrected by a person: say who.")
    among, expression, said = _within_bounds(entries), correction.expression(), _reason(reason)
    if not correction.rights or not correction.evidence.strip():
        raise ProvenanceError("A correction names a right, and where it can be read.")
    stated = LicenceStatement.objects.filter(
        entry__in=among, source=StatementSource.STEWARD, expression=expression, right__in=correction.rights
    )
    known = set(stated.values_list("entry_id", "right"))
    fresh = [
        LicenceStatement(
            public_id=new_public_id(),
            entry=entry,
            right=right,
            source=StatementSource.STEWARD,
            expression=expression,
            raw=correction.licence,
            evidence=correction.evidence.strip()[:2000],
            quote=f"Stated by {by.username} on {now:%Y-%m-%d}: {said}",
            holders=list(correction.holders),
            valid_from=correction.valid_from,
            valid_until=correction.valid_until,
        )
        for entry in among
        for right in correction.rights
        if (entry.pk, right) not in known
    ]
    n_conflicts = 0
    if fresh:
        copy_models(fresh)
        changed = sorted({row.entry_id for row in fresh})
        touched = DatasetEntry.objects.filter(pk__in=changed)
        reopen_approvals(
            touching=touched,
            organisation=dataset.organisation,
            by=by,
            now=now,
            why=f"{counted(len(fresh), 'statement was', 'statements were')} corrected",
        )
        recordings = list(touched.values_list("recording_id", flat=True))
        n_conflicts = find_conflicts(dataset=dataset, by=by, now=now, fresh=recordings)
        _tell("corrected", dataset, [row.entry for row in fresh], said, secrets.token_hex(16), by, now)
    return Corrected(len(fresh), len(among) * len(correction.rights) - len(fresh), n_conflicts)


@transaction.atomic
def record_listing(*, question: Question, n_recordings: int, why: str, by: User, now: datetime) -> None:
    """Record that somebody took a list of answers out of the house, and of which question."""
    salt = secrets.token_hex(16)
    ledger.record(
        kind="provenance.clearance.listed",
        subject_kind="dataset",
        subject_id=question.dataset.public_id,
        actor=by,
        organisation=question.dataset.organisation,
        now=now,
        body={
            "recordings": n_recordings,
            "question": question.key,
            "reason_commitment": ledger.commitment(why, salt) if why else None,
        },
    )


def _within_bounds(entries: QuerySet[DatasetEntry]) -> list[DatasetEntry]:
    found = list(entries.select_related("recording").order_by("pk")[: MOST_AT_ONCE + 1])
    if not found:
        raise ProvenanceError("No recording is chosen.")
    if len(found) > MOST_AT_ONCE:
        raise ProvenanceError(f"Those are more than {MOST_AT_ONCE:,} recordings: narrow the list first.")
    return found


def _reason(reason: str) -> str:
    if not reason.strip():
        raise ProvenanceError("Say why: it is kept with what you do.")
    return reason.strip()


def _tell(
    deed: str,
    dataset: Dataset,
    entries: Sequence[DatasetEntry],
    reason: str,
    salt: str,
    by: User,
    now: datetime,
) -> None:
    names = sorted({str(entry.public_id) for entry in entries})
    ledger.record(
        kind=f"provenance.dataset.{deed}",
        subject_kind="dataset",
        subject_id=dataset.public_id,
        actor=by,
        organisation=dataset.organisation,
        now=now,
        body={
            "recordings": len(names),
            "merkle_root": merkle_root([canonical_json({"entry": name}) for name in names]).hex(),
            "reason_commitment": ledger.commitment(reason, salt),
        },
    )


__all__ = [
    "Corrected",
    "Correction",
    "correct_statements",
    "keep_clearance",
    "leave_out",
    "record_listing",
    "take_back",
]
