"""Registering a source into a dataset or a protected collection."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import transaction

from governance import access
from governance.models import Organisation, User
from governance.planning import refresh_statistics
from provenance import pipeline, queries
from provenance.errors import ProvenanceError
from provenance.intake.formats import open_intake
from provenance.intake.record import Intake, IntakeRecord
from provenance.intake.sounds import is_wanted
from provenance.models import Dataset, DatasetKind, Registration
from provenance.pipeline import RowOutcome, Surveyed
from provenance.services.approving import ask_for_approval
from provenance.services.conflicts import find_conflicts
from provenance.services.reserving import apply_reservations

Told = Callable[[RowOutcome], None]
Progress = Callable[[int, int | None], bool]


@dataclass(frozen=True)
class Registered:
    """What a run did. ``dataset`` is in the database only if it was there before or a row of it landed."""

    dataset: Dataset
    n_registered: int
    n_duplicate: int
    n_rejected: int
    n_conflicts: int
    unknown_columns: tuple[str, ...]
    warnings: tuple[str, ...]
    rejections: tuple[dict[str, Any], ...] = ()

    def as_json(self) -> dict[str, object]:
        return {
            "registered": self.n_registered,
            "duplicate": self.n_duplicate,
            "rejected": self.n_rejected,
            "conflicts": self.n_conflicts,
            "unknown_columns": list(self.unknown_columns),
            "warnings": list(self.warnings),
            "draft": True,
        }


@dataclass
class _Run:
    """One run over a source: what it writes to, whom it tells, and what it has counted so far."""

    registration: Registration
    by: User
    now: datetime
    n_rows: int | None
    dry_run: bool
    tell: Told | None
    progress: Progress | None
    counts: dict[str, int] = field(default_factory=lambda: {"registered": 0, "duplicate": 0, "rejected": 0})
    fresh: list[int] = field(default_factory=list)
    founded: set[int] = field(default_factory=set)

    @property
    def dataset(self) -> Dataset:
        return self.registration.dataset

    def store(self, chunk: list[Surveyed]) -> None:
        outcomes = pipeline.store_chunk(
            chunk, registration=self.registration, by=self.by, now=self.now, dry_run=self.dry_run
        )
        for outcome in outcomes:
            self.counts[outcome.status] += 1
            if outcome.status == "rejected":
                self.registration.rejections.append(
                    {"row": outcome.row, "external_id": outcome.external_id, "reasons": list(outcome.reasons)}
                )
            if outcome.changed and outcome.recording is not None:
                self.fresh.append(outcome.recording.pk)
            if self.dry_run:
                outcome = self._without_what_will_not_be(outcome)
            if self.tell is not None:
                self.tell(outcome)

    def _without_what_will_not_be(self, outcome: RowOutcome) -> RowOutcome:
        """A recording that a dry run founds has no id that anybody could ask for."""
        if outcome.recording is not None and outcome.new_recording:
            self.founded.add(outcome.recording.pk)
        is_new = outcome.recording is not None and outcome.recording.pk in self.founded
        return replace(outcome, recording=None) if is_new else outcome

    def goes_on(self, n_done: int) -> bool:
        return self.progress is None or self.progress(n_done, self.n_rows)


def register(
    *,
    name: str,
    kind: DatasetKind,
    source: Path,
    format: str,
    root: Path | None,
    by: User,
    organisation: Organisation,
    now: datetime,
    only: str = "",
    dry_run: bool = False,
    tell: Told | None = None,
    progress: Progress | None = None,
) -> Registered:
    """Register every good row of ``source``; rows already registered, and bad ones, change nothing.

    ``only`` is a pattern with ``*`` that an external id must match for its row to be read at all. Not one
    transaction: rows land in chunks, each whole, so that a run cut short goes on where it was. A new dataset is
    founded by the first row that lands.

    Raises
    ------
    IntakeError
        If the source as a whole can't be read: then nothing is registered.
    ProvenanceError
        If it holds no row, or none that ``only`` wants.
    """
    access.require(by, organisation, access.WRITES_DATASETS, "register a dataset")
    with open_intake(source, format=format, root=root, only=(only,) if only else ()) as intake:
        dataset = _dataset(name, kind, by=by, organisation=organisation, now=now)
        registration = _registration(intake, dataset, source, by, now)
        run = _Run(registration, by, now, intake.n_rows, dry_run, tell, progress)
        before = queries.seconds_of(queries.recordings_in(dataset, None)) if dataset.pk else 0.0
        wanted = _wanted(intake, only, source)
        surveyed = pipeline.survey_records(wanted, organisation=organisation, seconds_before=before)
        n_conflicts = _rehearse(run, surveyed) if dry_run else _perform(run, surveyed, intake)
        return Registered(
            run.dataset,
            run.counts["registered"],
            run.counts["duplicate"],
            run.counts["rejected"],
            n_conflicts,
            tuple(intake.unknown_columns),
            tuple(intake.warnings),
            tuple(registration.rejections),
        )


def _wanted(intake: Intake, only: str, source: Path) -> Iterator[IntakeRecord]:
    """Yield the rows that ``only`` wants, and refuse a source that has none."""
    n_seen = n_wanted = 0
    for record in intake.records():
        n_seen += 1
        if not only or intake.narrows or is_wanted(record.external_id, (only,)):
            n_wanted += 1
            yield record
    if not n_seen:
        raise ProvenanceError(f"{source.name} holds no row: there is nothing to register.")
    if not n_wanted:
        rows = "1 row was" if n_seen == 1 else f"{n_seen} rows were"
        raise ProvenanceError(f"{source.name}: {rows} seen, and the external id of none matches {only}.")


def _perform(run: _Run, surveyed: Iterable[Surveyed], intake: Intake) -> int:
    """Let each chunk land in a transaction of its own; return how many conflicts are open afterwards."""
    n_done = 0
    for chunk in _chunks(surveyed):
        run.store(chunk)
        n_done += len(chunk)
        if not run.goes_on(n_done):
            break
    dataset = run.dataset
    if dataset.pk is None:  # new, and no row of it landed
        return 0
    refresh_statistics(pipeline.GROWING, n_rows=n_done)
    cut_short = _cut_short(dataset, run.registration)
    n_conflicts = find_conflicts(
        dataset=dataset, by=run.by, now=run.now, fresh=None if cut_short else run.fresh
    )
    apply_reservations(dataset=dataset, by=run.by, now=run.now, fresh=None if cut_short else run.fresh)
    dataset.refresh_from_db()
    if (run.fresh or cut_short) and dataset.kind == DatasetKind.TRAINING:
        ask_for_approval(dataset=dataset, by=run.by, now=run.now)
    for other in cut_short:
        _close_cut_short(other)
    _close(run.registration, intake, run.counts)
    return n_conflicts


def _rehearse(run: _Run, surveyed: Iterable[Surveyed]) -> int:
    """Do what a run would do, conflict search and all, and undo it; the transaction begins when all is decoded."""
    heard: list[Surveyed] = []
    for one in surveyed:
        heard.append(one)
        if not run.goes_on(len(heard)):
            break
    with transaction.atomic():
        for chunk in _chunks(heard):
            run.store(chunk)
        dataset, n_conflicts = run.dataset, 0
        if dataset.pk is not None:
            cut_short = _cut_short(dataset, run.registration)
            n_conflicts = find_conflicts(
                dataset=dataset, by=run.by, now=run.now, fresh=None if cut_short else run.fresh
            )
        transaction.set_rollback(True)
    return n_conflicts


def _dataset(name: str, kind: DatasetKind, *, by: User, organisation: Organisation, now: datetime) -> Dataset:
    """Return the dataset of that name, or a new one that is not written yet."""
    if not name or not all(letter.isascii() and (letter.isalnum() or letter in "-_") for letter in name):
        raise ProvenanceError(f"{name!r} can't name a dataset: use letters, digits, - and _.")
    known = Dataset.objects.filter(organisation=organisation, name=name).first()
    if known is None:
        return Dataset(
            organisation=organisation, name=name, kind=kind, created_by=by, created_at=now, changed_at=now
        )
    pipeline.require_kind(known, kind)
    return known


def _registration(intake: Intake, dataset: Dataset, source: Path, by: User, now: datetime) -> Registration:
    """Return the record of this run; it is written with the first row that lands, or at the run's end."""
    return Registration(
        dataset=dataset,
        format=intake.format,
        source_name=source.name[:500],
        source_sha256=intake.source_sha256,
        registered_by=by,
        registered_at=now,
        unknown_columns=list(intake.unknown_columns),
    )


def _chunks(surveyed: Iterable[Surveyed]) -> Iterator[list[Surveyed]]:
    chunk: list[Surveyed] = []
    for one in surveyed:
        chunk.append(one)
        heavy = sum(1 for row in chunk if row.survey is not None)
        if len(chunk) >= pipeline.ROWS_A_CHUNK or heavy >= pipeline.SURVEYED_A_CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _cut_short(dataset: Dataset, registration: Registration) -> list[Registration]:
    """Return the runs into ``dataset`` that never came to their end: what they added was not searched yet."""
    unclosed = dataset.registrations.filter(n_registered=0, n_duplicate=0, n_rejected=0, warnings=[])
    return list(unclosed.exclude(pk=registration.pk))


def _close_cut_short(registration: Registration) -> None:
    registration.n_registered = registration.entries.count()
    registration.warnings = ["cut short; a later run went on from there"]
    registration.save(update_fields=["n_registered", "warnings"])


def _close(registration: Registration, intake: Intake, counts: dict[str, int]) -> None:
    registration.n_registered = counts["registered"]
    registration.n_duplicate = counts["duplicate"]
    registration.n_rejected = counts["rejected"]
    registration.unknown_columns = list(intake.unknown_columns)
    registration.warnings = list(intake.warnings)
    if registration.pk is None:  # every row was rejected, of a dataset that was there before
        registration.save(force_insert=True)
        return
    registration.save(
        update_fields=[
            "n_registered",
            "n_duplicate",
            "n_rejected",
            "unknown_columns",
            "warnings",
            "rejections",
        ]
    )
