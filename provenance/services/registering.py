"""Registering a source into a dataset or a protected collection."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatch
from pathlib import Path

from django.db import transaction

from governance import access
from governance.errors import ConflictError
from governance.models import Organisation, User
from provenance import pipeline
from provenance.errors import ProvenanceError
from provenance.intake.formats import open_intake
from provenance.intake.record import Intake, IntakeRecord
from provenance.models import Dataset, DatasetKind, Registration
from provenance.pipeline import RowOutcome
from provenance.services.approving import ask_for_approval
from provenance.services.conflicts import find_conflicts

Told = Callable[[RowOutcome], None]
Progress = Callable[[int, int | None], bool]


@dataclass(frozen=True)
class Registered:
    dataset: Dataset
    n_registered: int
    n_duplicate: int
    n_rejected: int
    n_conflicts: int
    unknown_columns: tuple[str, ...]
    warnings: tuple[str, ...]

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
    transaction: rows land in chunks, each whole, so that a run cut short goes on where it was.

    Raises
    ------
    IntakeError
        If the source as a whole can't be read: then nothing is registered.
    """
    access.require(by, organisation, access.WRITES_DATASETS, "register a dataset")
    with (
        open_intake(source, format=format, root=root, only=(only,) if only else ()) as intake,
        transaction_for(dry_run),
    ):
        dataset = _dataset(name, kind, by=by, organisation=organisation, now=now)
        registration = _registration(intake, dataset, source, by, now)
        records = (record for record in intake.records() if not only or fnmatch(record.external_id, only))
        counts, fresh = _register(records, intake.n_rows, registration, by, now, dry_run, tell, progress)
        n_conflicts = 0
        if not dry_run:
            cut_short = _cut_short(dataset, registration)
            n_conflicts = find_conflicts(dataset=dataset, by=by, now=now, fresh=None if cut_short else fresh)
            dataset.refresh_from_db()
            if (fresh or cut_short) and kind == DatasetKind.TRAINING:
                ask_for_approval(dataset=dataset, by=by, now=now)
            for other in cut_short:
                _close_cut_short(other)
        _close(registration, intake, counts)
        return Registered(
            dataset,
            counts["registered"],
            counts["duplicate"],
            counts["rejected"],
            n_conflicts,
            tuple(intake.unknown_columns),
            tuple(intake.warnings),
        )


@contextmanager
def transaction_for(dry_run: bool) -> Iterator[None]:
    """Undo everything at the end of a dry run; else leave each chunk to its own transaction."""
    if not dry_run:
        yield
        return
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def _register(
    records: Iterator[IntakeRecord],
    n_rows: int | None,
    registration: Registration,
    by: User,
    now: datetime,
    dry_run: bool,
    tell: Told | None,
    progress: Progress | None,
) -> tuple[dict[str, int], list[int]]:
    counts = {"registered": 0, "duplicate": 0, "rejected": 0}
    fresh: list[int] = []
    for outcomes in _chunks(records, registration, by, now, dry_run):
        for outcome in outcomes:
            counts[outcome.status] += 1
            if outcome.status == "rejected":
                registration.rejections.append(
                    {"row": outcome.row, "external_id": outcome.external_id, "reasons": list(outcome.reasons)}
                )
            if outcome.changed and outcome.recording is not None and not dry_run:
                fresh.append(outcome.recording.pk)
            if tell is not None:
                tell(outcome)
        if progress is not None and not progress(sum(counts.values()), n_rows):
            break
    return counts, fresh


def _dataset(name: str, kind: DatasetKind, *, by: User, organisation: Organisation, now: datetime) -> Dataset:
    if not name or not all(letter.isascii() and (letter.isalnum() or letter in "-_") for letter in name):
        raise ProvenanceError(f"{name!r} can't name a dataset: use letters, digits, - and _.")
    dataset, _ = Dataset.objects.get_or_create(
        organisation=organisation,
        name=name,
        defaults={"kind": kind, "created_by": by, "created_at": now, "changed_at": now},
    )
    if dataset.kind != kind:
        raise ConflictError(
            f"{name} is a {dataset.get_kind_display().lower()}: choose another name for the "
            f"{DatasetKind(kind).label.lower()}."
        )
    return dataset


def _registration(intake: Intake, dataset: Dataset, source: Path, by: User, now: datetime) -> Registration:
    return Registration.objects.create(
        dataset=dataset,
        format=intake.format,
        source_name=source.name[:500],
        source_sha256=intake.source_sha256,
        registered_by=by,
        registered_at=now,
        unknown_columns=list(intake.unknown_columns),
    )


def _chunks(
    records: Iterator[IntakeRecord], registration: Registration, by: User, now: datetime, dry_run: bool
) -> Iterator[list[RowOutcome]]:
    chunk: list[pipeline.Surveyed] = []
    for surveyed in pipeline.survey_records(records, dataset=registration.dataset):
        chunk.append(surveyed)
        heavy = sum(1 for row in chunk if row.survey is not None)
        if len(chunk) >= pipeline.ROWS_A_CHUNK or heavy >= pipeline.SURVEYED_A_CHUNK:
            yield pipeline.store_chunk(chunk, registration=registration, by=by, now=now, dry_run=dry_run)
            chunk = []
    if chunk:
        yield pipeline.store_chunk(chunk, registration=registration, by=by, now=now, dry_run=dry_run)


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
