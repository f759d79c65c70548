"""Storing surveyed rows, a chunk whole or not at all, and saying what became of each."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime

from django.db import IntegrityError, transaction

from governance import ledger
from governance.models import User
from lib.canonical import canonical_json
from lib.merkle import merkle_root
from lib.words import keepable
from provenance import storage
from provenance.errors import KindTakenError
from provenance.intake.record import IntakeRecord
from provenance.known import AnyOf
from provenance.models import (
    Dataset,
    DatasetEntry,
    DatasetKind,
    Fingerprint,
    LicenceStatement,
    Recording,
    RecordingIdentifier,
    RecordingKind,
    Registration,
    RightsClaim,
)
from provenance.pipeline.contradictions import (
    Said,
    contradict,
    contradiction,
    statement_key,
    statement_subject,
)
from provenance.pipeline.plans import NewEntry, NewRecording, Plan, RowOutcome
from provenance.pipeline.saving import save
from provenance.pipeline.surveying import Surveyed
from provenance.rights.values import Statement
from provenance.similarity.index import WINDOW_ITEMS
from provenance.similarity.recording import SHORTEST_S

ROWS_A_CHUNK = 500
SURVEYED_A_CHUNK = 8  # decoding is dear: what was surveyed is kept soon
STORE_ATTEMPTS = 3
GROWING = (Recording, DatasetEntry, LicenceStatement, RightsClaim, RecordingIdentifier, Fingerprint)
"""The tables that grow with every row."""
Recordings = dict[str | None, Recording | NewRecording]
Entries = dict[str | None, DatasetEntry | NewEntry]


def store_chunk(
    chunk: Sequence[Surveyed], *, registration: Registration, by: User, now: datetime, dry_run: bool = False
) -> list[RowOutcome]:
    """Register rows whole or not at all: recordings, entries, statements, fingerprints, and the ledger's line.

    ``registration`` and its dataset are written with the first row that lands. In a dry run no audio is kept and
    the ledger is left alone; the caller undoes the rest.
    """
    good = [surveyed for surveyed in chunk if not surveyed.record.problems and not surveyed.problem]
    begun = registration.pk is not None
    for attempt in range(1, STORE_ATTEMPTS + 1):
        try:
            plans = _store(good, registration=registration, by=by, now=now, dry_run=dry_run)
        except IntegrityError:  # another run registered the same meanwhile: now it is known
            if not begun:
                registration.pk = None
            if attempt == STORE_ATTEMPTS:
                raise
        else:
            break
    return [_outcome(surveyed, plans) for surveyed in chunk]


@transaction.atomic
def _store(
    good: Sequence[Surveyed], *, registration: Registration, by: User, now: datetime, dry_run: bool
) -> dict[int, Plan]:
    if not good:
        return {}
    if registration.pk is None:
        _begin(registration)
    plans = _plan(good, registration.dataset)
    said = _reject_contradictions(plans.values())
    kept = [plan for plan in plans.values() if plan.entry is not None]
    if not dry_run:
        for plan in kept:
            _keep_audio(plan)
    _save(kept, said, registration=registration, by=by, now=now, dry_run=dry_run)
    return plans


def _begin(registration: Registration) -> None:
    """Write a registration, and its dataset where that is new: with the first rows, so that neither stands empty."""
    wanted = registration.dataset
    registration.dataset, _ = Dataset.objects.get_or_create(
        organisation_id=wanted.organisation_id,
        name=wanted.name,
        defaults={
            "kind": wanted.kind,
            "created_by": wanted.created_by,
            "created_at": wanted.created_at,
            "changed_at": wanted.changed_at,
        },
    )
    require_kind(registration.dataset, wanted.kind)  # another run may have founded it in this moment
    registration.save(force_insert=True)


def require_kind(dataset: Dataset, kind: str) -> None:
    if dataset.kind != kind:
        raise KindTakenError(
            f"{dataset.name} is a {dataset.get_kind_display().lower()}: choose another name for the "
            f"{DatasetKind(kind).label.lower()}."
        )


def _plan(good: Sequence[Surveyed], dataset: Dataset) -> dict[int, Plan]:
    hashes = {surveyed.sha256 for surveyed in good if surveyed.sha256}
    recordings: Recordings = {
        recording.sha256: recording
        for recording in Recording.objects.filter(organisation_id=dataset.organisation_id, sha256__in=hashes)
    }
    entries = DatasetEntry.objects.filter(dataset=dataset).select_related("recording")
    names = [surveyed.record.external_id for surveyed in good]
    by_name: Entries = {entry.external_id: entry for entry in entries.filter(AnyOf("external_id", names))}
    by_hash: Entries = {
        entry.recording.sha256: entry for entry in entries.filter(recording__sha256__in=hashes)
    }
    plans: dict[int, Plan] = {}
    for surveyed in good:
        plan = _plan_row(surveyed, recordings, by_name, by_hash)
        plans[id(surveyed)] = plan
    return plans


def _plan_row(
    surveyed: Surveyed,
    recordings: Recordings,
    by_name: Entries,
    by_hash: Entries,
) -> Plan:
    record, sha256 = surveyed.record, surveyed.sha256
    named = by_name.get(record.external_id)
    if named is not None:
        plan = Plan(surveyed, named.recording, named)
        if sha256 and named.recording.sha256 and named.recording.sha256 != sha256:
            plan.entry = None  # the row is rejected
            plan.reasons.append(
                f"{record.external_id} is registered with other audio (sha256 {named.recording.sha256[:12]}…): "
                "give the new file an external_id of its own"
            )
        else:
            plan.reasons.append("registered before" + _unheeded(record, named))
        if sha256 and not named.recording.sha256:
            plan.entry = None
            plan.reasons = [
                f"{record.external_id} is registered without audio: give the file an external_id of its own"
            ]
        return plan
    if sha256 and sha256 in by_hash:
        twin = by_hash[sha256]
        return Plan(surveyed, twin.recording, twin, reasons=[f"the same file as {twin.external_id}"])
    recording = recordings.get(sha256) if sha256 else None
    plan = Plan(surveyed, recording or _new_recording(surveyed))
    plan.new_recording = recording is None
    plan.new_entry = True
    plan.entry = NewEntry(
        record.external_id, plan.recording, title=record.title[:500], artist=record.artist[:500]
    )
    if plan.recording.silent:
        silence = surveyed.survey.silence if surveyed.survey is not None else "the audio is silent"
        plan.reasons.append(f"{silence}: it can't be fingerprinted, so no index will cover it")
    elif plan.new_recording and surveyed.survey is not None and len(surveyed.survey.items) < WINDOW_ITEMS:
        plan.reasons.append(
            f"the audio lasts {surveyed.survey.seconds:.1f} s: less than {SHORTEST_S:.1f} s can't be compared, "
            "so no index will cover it"
        )
    by_name[record.external_id] = plan.entry
    if sha256:
        by_hash[sha256] = plan.entry
        recordings[sha256] = plan.recording
    return plan


def _unheeded(record: IntakeRecord, entry: DatasetEntry | NewEntry) -> str:
    """Say what a row gives otherwise than the entry of its external id: that stays as it was registered first."""
    said = {"title": (entry.title, record.title[:500]), "artist": (entry.artist, record.artist[:500])}
    if isinstance(entry.recording, Recording):
        said["isrc"] = (entry.recording.isrc, record.isrc[:20])
    differing = [
        f"{name} stays {kept!r}, not {new!r}" for name, (kept, new) in said.items() if new and new != kept
    ]
    return f": {'; '.join(differing)}" if differing else ""


def _new_recording(surveyed: Surveyed) -> NewRecording:
    survey = surveyed.survey
    if survey is not None and surveyed.record.audio is not None:
        return NewRecording(survey.facts.kind, survey.file_sha256, survey.is_silent)
    return NewRecording(RecordingKind.FINGERPRINT if surveyed.record.fingerprint else RecordingKind.ABSENT)


def _outcome(surveyed: Surveyed, plans: dict[int, Plan]) -> RowOutcome:
    record = surveyed.record
    problems = [*record.problems, *([surveyed.problem] if surveyed.problem else [])]
    plan = plans.get(id(surveyed))
    if plan is not None and plan.entry is None:
        problems += plan.reasons
    if problems or plan is None:
        reasons = tuple(keepable(problem) for problem in problems)
        return RowOutcome(record.row, keepable(record.external_id), "rejected", None, reasons)
    status = "registered" if plan.new_entry else "duplicate"
    reasons = (*plan.reasons, *record.notes)
    absent = plan.recording.kind == RecordingKind.ABSENT
    changed = plan.new_entry or plan.new_statements
    return RowOutcome(
        record.row,
        record.external_id,
        status,
        plan.recording,
        reasons,
        absent,
        changed,
        plan.new_recording,
    )


def _reject_contradictions(plans: Collection[Plan]) -> set[tuple[object, ...]]:
    """Reject rows by which one source states a licence again for other places or for a period that overlaps.

    Two such statements would both hold, and whoever meant the second to narrow the first would be wrong. Returns
    the keys of what was stated before.
    """
    said = set()
    known: defaultdict[tuple[object, ...], list[Said]] = defaultdict(list)
    for stated in LicenceStatement.objects.filter(
        entry__in={plan.entry.pk for plan in plans if plan.entry is not None and plan.entry.pk}
    ):
        known[statement_subject(stated.entry_id, stated)].append(stated)
        said.add(statement_key(stated.entry_id, stated))
    for plan in plans:
        if plan.entry is None:
            continue
        entry = plan.entry.pk or id(plan.entry)  # other rows of this chunk may be about one that is new
        for statement in plan.surveyed.record.statements:
            before = known[statement_subject(entry, statement)]
            if other := next((one for one in before if contradict(one, statement)), None):
                plan.reasons = [contradiction(other, statement, plan.entry.external_id)]
                plan.entry = None
                break
            before.append(statement)
    return said


def _keep_audio(plan: Plan) -> None:
    if plan.new_recording and plan.surveyed.record.audio is not None and plan.recording.sha256:
        plan.recording.audio = storage.keep(plan.surveyed.record.audio, plan.recording.sha256)


def _save(
    plans: list[Plan],
    said: set[tuple[object, ...]],
    *,
    registration: Registration,
    by: User,
    now: datetime,
    dry_run: bool,
) -> None:
    n_entries, n_statements = save(plans, said, registration=registration, now=now)
    if dry_run or (not n_entries and not n_statements):
        return
    dataset = registration.dataset
    Dataset.objects.filter(pk=dataset.pk).update(changed_at=now)
    leaves = [_leaf(plan) for plan in plans]
    ledger.record(
        kind="provenance.dataset.rows_registered",
        subject_kind="dataset",
        subject_id=dataset.public_id,
        actor=by,
        organisation=dataset.organisation,
        now=now,
        body={
            "registration": str(registration.public_id),
            "recordings": n_entries,
            "statements": n_statements,
            "merkle_root": merkle_root(leaves).hex(),
        },
    )


def _leaf(plan: Plan) -> bytes:
    record = plan.surveyed.record
    return canonical_json(
        {
            "recording": str(plan.recording.public_id),
            "sha256": plan.recording.sha256,
            "external_id": record.external_id,
            "statements": [_statement_leaf(statement) for statement in record.statements],
        }
    )


def _statement_leaf(statement: Statement) -> dict[str, object]:
    return {
        "right": statement.right,
        "source": statement.source,
        "expression": statement.expression,
        "raw": statement.raw,
        "weak": statement.weak,
        "territory": list(statement.territory),
        "valid_from": statement.valid_from.isoformat() if statement.valid_from else None,
        "valid_until": statement.valid_until.isoformat() if statement.valid_until else None,
    }
