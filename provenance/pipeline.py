"""What a worker does: survey audio, store rows, fingerprint, build indexes.

Nothing here holds a transaction while audio is decoded or an index is built.
"""

import hashlib
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from decimal import Decimal
from itertools import combinations
from pathlib import Path

from django.db import IntegrityError, transaction

from governance import ledger
from governance.models import Organisation, User
from lib.canonical import canonical_json
from lib.ids import new_public_id
from lib.merkle import merkle_root
from lib.words import keepable
from provenance import audio, storage
from provenance.bulk import copy_models, copy_rows
from provenance.errors import KindTakenError
from provenance.intake.record import IntakeClaim, IntakeIdentifier, IntakeRecord
from provenance.known import STATEMENT_FIELDS
from provenance.models import (
    Dataset,
    DatasetEntry,
    DatasetKind,
    Fingerprint,
    LicenceStatement,
    Party,
    Recording,
    RecordingIdentifier,
    RecordingKind,
    Registration,
    RightsClaim,
    Work,
)
from provenance.models.ranges import country_ranges, whole_world
from provenance.rights import identifiers
from provenance.rights.values import Statement
from provenance.similarity import chromaprint

ROWS_A_CHUNK = 500
SURVEYED_A_CHUNK = 8  # decoding is dear: what was surveyed is kept soon
N_DECODERS = 2  # each is a child process beside this one
STORE_ATTEMPTS = 3
MAX_NAME_CHARS = 1000
SHARE_STEP = Decimal("0.0001")


@dataclass(frozen=True)
class Surveyed:
    """A source's row and what its audio turned out to be. ``sha256`` without ``survey``: it is known already."""

    record: IntakeRecord
    sha256: str | None = None
    survey: audio.Survey | None = None
    problem: str = ""


@dataclass(frozen=True)
class RowOutcome:
    row: int
    external_id: str
    status: str  # registered, duplicate or rejected
    recording: Recording | None = None
    reasons: tuple[str, ...] = ()
    absent: bool = False
    changed: bool = False  # something new is known: the recording itself, or a statement about it
    new_recording: bool = False


@dataclass
class _Plan:
    """What one row leads to; recordings and entries get their keys when they are saved."""

    surveyed: Surveyed
    recording: Recording
    entry: DatasetEntry | None = None
    new_recording: bool = False
    new_entry: bool = False
    new_statements: bool = False
    reasons: list[str] = field(default_factory=list)


def file_sha256(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def survey_records(records: Iterable[IntakeRecord], *, organisation: Organisation) -> Iterator[Surveyed]:
    """Yield each row with its audio surveyed, in the source's order, a few rows ahead of the reader."""
    with ThreadPoolExecutor(N_DECODERS) as decoders:
        ahead: deque[Future[Surveyed]] = deque()
        for record in records:
            ahead.append(decoders.submit(_survey, record, _is_known(record, organisation)))
            if len(ahead) > 4 * N_DECODERS:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _is_known(record: IntakeRecord, organisation: Organisation) -> str:
    """Return the file's hash when the same bytes are registered and fingerprinted already, else nothing."""
    if record.audio is None or record.problems or not record.audio.is_file():
        return ""
    sha256 = file_sha256(record.audio)
    known = Recording.objects.filter(
        organisation=organisation,
        sha256=sha256,
        fingerprints__method=chromaprint.METHOD,
        fingerprints__method_version=chromaprint.METHOD_VERSION,
    )
    return sha256 if known.exists() else ""


def _survey(record: IntakeRecord, known_sha256: str) -> Surveyed:
    if not record.problems and (problem := _unkeepable(record)):
        return Surveyed(record, problem=problem)
    if not record.problems and record.fingerprint is not None:
        try:
            chromaprint.unpack(record.fingerprint)
        except chromaprint.FingerprintError as error:
            return Surveyed(record, problem=f"{error.reason} (fingerprint_audio writes such files)")
    if record.problems or record.audio is None:
        return Surveyed(record)
    if known_sha256:
        return Surveyed(record, sha256=known_sha256)
    try:
        survey = audio.survey(record.audio)
    except audio.DecoderMissingError:
        raise
    except audio.AudioError as error:
        return Surveyed(record, problem=error.reason)
    except OSError as error:
        return Surveyed(record, problem=f"{record.audio.name} can't be read: {error.strerror or error}")
    return Surveyed(record, sha256=survey.file_sha256, survey=survey)


def _unkeepable(record: IntakeRecord) -> str:
    """Say what of a row the database can't hold: then the row is rejected, and not its whole chunk."""
    if len(record.external_id) > MAX_NAME_CHARS:
        return f"external_id has {len(record.external_id)} characters: {MAX_NAME_CHARS} are kept at most"
    for one, other in combinations(record.statements, 2):
        if _statement_subject(0, one) == _statement_subject(0, other) and _contradict(one, other):
            said = one.expression or "no licence"
            return f"the row says {said} ({one.right}) {_extent(one)} and {_extent(other)}: say it once"
    for name, words in _words_of(record):
        if "\0" in words:
            return f"{name} holds a NUL character: save the source again without it"
        try:
            words.encode()
        except UnicodeEncodeError:
            return f"{name} is not UTF-8: rename the file or save the source again as UTF-8"
    return ""


def _words_of(record: IntakeRecord) -> Iterator[tuple[str, str]]:
    for entry in fields(record):
        value = getattr(record, entry.name)
        if isinstance(value, str):
            yield entry.name, value
    for composer in record.composers:
        yield "composers", composer
    for one in record.claims or ():
        yield "claims", one.claim.party + one.claim.role + one.evidence
    for identifier in record.identifiers:
        yield identifier.scheme, identifier.written
    for name, ids in record.party_ids.items():
        yield "party", "".join((name, *ids.values()))
    for column, cell in record.unknown.items():
        yield column, column + cell
    for statement in record.statements:
        said = (
            statement.expression,
            statement.raw,
            statement.evidence,
            statement.quote,
            statement.licence_url,
        )
        yield "licence", "".join((*said, *statement.holders))


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
) -> dict[int, _Plan]:
    if not good:
        return {}
    if registration.pk is None:
        _begin(registration)
    plans = _plan(good, registration=registration, now=now)
    _reject_contradictions(plans.values())
    if not dry_run:
        for plan in plans.values():
            _keep_audio(plan)
    kept = [plan for plan in plans.values() if plan.entry is not None]
    _save(kept, registration=registration, by=by, now=now, dry_run=dry_run)
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


def _plan(good: Sequence[Surveyed], *, registration: Registration, now: datetime) -> dict[int, _Plan]:
    dataset = registration.dataset
    hashes = {surveyed.sha256 for surveyed in good if surveyed.sha256}
    recordings = {
        recording.sha256: recording
        for recording in Recording.objects.filter(organisation_id=dataset.organisation_id, sha256__in=hashes)
    }
    entries = DatasetEntry.objects.filter(dataset=dataset).select_related("recording")
    by_name = {
        entry.external_id: entry
        for entry in entries.filter(external_id__in=[surveyed.record.external_id for surveyed in good])
    }
    by_hash = {entry.recording.sha256: entry for entry in entries.filter(recording__sha256__in=hashes)}
    plans: dict[int, _Plan] = {}
    for surveyed in good:
        plan = _plan_row(surveyed, registration, now, recordings, by_name, by_hash)
        plans[id(surveyed)] = plan
    return plans


def _plan_row(
    surveyed: Surveyed,
    registration: Registration,
    now: datetime,
    recordings: dict[str | None, Recording],
    by_name: dict[str, DatasetEntry],
    by_hash: dict[str | None, DatasetEntry],
) -> _Plan:
    record, sha256 = surveyed.record, surveyed.sha256
    named = by_name.get(record.external_id)
    if named is not None:
        plan = _Plan(surveyed, named.recording, named)
        if sha256 and named.recording.sha256 and named.recording.sha256 != sha256:
            plan.entry = None  # the row is rejected
            plan.reasons.append(
                f"{record.external_id} is registered with other audio (sha256 {named.recording.sha256[:12]}…): "
                "give the new file an external_id of its own"
            )
        else:
            plan.reasons.append("registered before")
        if sha256 and not named.recording.sha256:
            plan.entry = None
            plan.reasons = [
                f"{record.external_id} is registered without audio: give the file an external_id of its own"
            ]
        return plan
    if sha256 and sha256 in by_hash:
        twin = by_hash[sha256]
        return _Plan(surveyed, twin.recording, twin, reasons=[f"the same file as {twin.external_id}"])
    recording = recordings.get(sha256) if sha256 else None
    plan = _Plan(surveyed, recording or _new_recording(surveyed, registration, now))
    plan.new_recording = recording is None
    plan.new_entry = True
    plan.entry = _new_entry(record, registration)
    if plan.recording.silent:
        plan.reasons.append("the audio is silent: it can't be fingerprinted, so no index will cover it")
    plan.entry.recording = plan.recording
    by_name[record.external_id] = plan.entry
    if sha256:
        by_hash[sha256] = plan.entry
        recordings[sha256] = plan.recording
    return plan


def _new_recording(surveyed: Surveyed, registration: Registration, now: datetime) -> Recording:
    record, survey = surveyed.record, surveyed.survey
    recording = Recording(
        organisation_id=registration.dataset.organisation_id,
        kind=RecordingKind.FINGERPRINT if record.fingerprint else RecordingKind.ABSENT,
        title=record.title[:500],
        artist=record.artist[:500],
        isrc=record.isrc[:20],
        year=record.year,
        language=record.language[:35],
        country=record.country[:2],
        genre=record.genre[:200],
        artist_gender=record.artist_gender[:50],
        registered_at=now,
    )
    if survey is not None and record.audio is not None:
        recording.kind = survey.facts.kind
        recording.sha256 = survey.file_sha256
        recording.samples_sha256 = survey.samples_sha256
        recording.codec = survey.facts.codec[:60]
        recording.sample_rate_hz = survey.facts.sample_rate_hz
        recording.n_channels = survey.facts.n_channels
        recording.seconds = survey.seconds
        recording.size_bytes = record.audio.stat().st_size
        recording.silent = survey.is_silent
    return recording


def _new_entry(record: IntakeRecord, registration: Registration) -> DatasetEntry:
    return DatasetEntry(
        dataset=registration.dataset,
        registration=registration,
        external_id=record.external_id,
        row=record.row,
        title=record.title[:500],
        artist=record.artist[:500],
        source_path=record.source_path[:1000],
        source_url=record.source_url[:2000],
        acquired_on=date.fromisoformat(record.acquired_on) if record.acquired_on else None,
        unknown_columns=dict(record.unknown),
        notes=list(record.notes),
    )


def _outcome(surveyed: Surveyed, plans: dict[int, _Plan]) -> RowOutcome:
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


def _keep_audio(plan: _Plan) -> None:
    if plan.new_recording and plan.surveyed.record.audio is not None and plan.recording.sha256:
        plan.recording.audio = storage.keep(plan.surveyed.record.audio, plan.recording.sha256)


def _save(plans: list[_Plan], *, registration: Registration, by: User, now: datetime, dry_run: bool) -> None:
    dataset = registration.dataset
    _save_works([plan for plan in plans if plan.new_recording], dataset)
    copy_models([plan.recording for plan in plans if plan.new_recording])
    fresh = [plan for plan in plans if plan.new_entry and plan.entry is not None]
    for plan in fresh:
        assert plan.entry is not None  # noqa: S101 — said above; for the type checker
        plan.entry.recording = plan.recording
    copy_models([plan.entry for plan in fresh if plan.entry])
    statements = _save_statements(plans)
    _save_claims([plan for plan in plans if plan.new_entry], dataset, now)
    _save_stated([plan for plan in plans if plan.new_entry], dataset, now)
    _save_fingerprints(plans, now)
    if dry_run or (not fresh and not statements):
        return
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
            "recordings": len(fresh),
            "statements": statements,
            "merkle_root": merkle_root(leaves).hex(),
        },
    )


def _leaf(plan: _Plan) -> bytes:
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


def _save_works(plans: list[_Plan], dataset: Dataset) -> None:
    """Give each new recording its work: the one of its ISWC, or a new one where only a title is said."""
    named = [plan for plan in plans if plan.surveyed.record.work_title or plan.surveyed.record.iswc]
    if not named:
        return
    codes = {plan.surveyed.record.iswc[:15] for plan in named} - {""}
    known = {
        work.iswc: work
        for work in Work.objects.filter(organisation_id=dataset.organisation_id, iswc__in=codes)
    }
    fresh = []
    for plan in named:
        record = plan.surveyed.record
        work = known.get(record.iswc[:15]) if record.iswc else None
        if work is None:
            title = record.work_title or record.title or record.external_id
            work = Work(organisation_id=dataset.organisation_id, title=title[:500], iswc=record.iswc[:15])
            fresh.append(work)
            if record.iswc:
                known[work.iswc] = work
        plan.recording.work = work
    copy_models(fresh)
    _save_composers(named, dataset)


def _save_composers(plans: list[_Plan], dataset: Dataset) -> None:
    parties = _parties([name for plan in plans for name in plan.surveyed.record.composers], dataset)
    written = Work.composers.through
    links = {}
    for plan in plans:
        plan.recording.work = plan.recording.work  # takes over the key that the work has now
        for name in plan.surveyed.record.composers:
            work_id, party_id = plan.recording.work_id, parties[name[:500]].pk
            links[work_id, party_id] = written(work_id=work_id, party_id=party_id)
    written.objects.bulk_create(links.values(), ignore_conflicts=True)


def _parties(names: Iterable[str], dataset: Dataset) -> dict[str, Party]:
    wanted = {name[:500] for name in names if name}
    if not wanted:
        return {}
    parties = Party.objects.filter(organisation_id=dataset.organisation_id, name__in=wanted)
    known = {party.name: party for party in parties}
    fresh = [
        Party(organisation_id=dataset.organisation_id, name=name) for name in sorted(wanted - set(known))
    ]
    if not fresh:
        return known
    Party.objects.bulk_create(fresh, ignore_conflicts=True)
    return {party.name: party for party in parties.all()}


def _reject_contradictions(plans: Collection[_Plan]) -> None:
    """Reject rows by which one source states a licence again for other places or for a period that overlaps.

    Two such statements would both hold, and whoever meant the second to narrow the first would be wrong.
    """
    known: defaultdict[tuple[object, ...], list[LicenceStatement | Statement]] = defaultdict(list)
    for stated in LicenceStatement.objects.filter(
        entry__in={plan.entry.pk for plan in plans if plan.entry is not None and plan.entry.pk}
    ):
        known[_statement_subject(stated.entry_id, stated)].append(stated)
    for plan in plans:
        if plan.entry is None:
            continue
        entry = plan.entry.pk or id(plan.entry)  # other rows of this chunk may be about one that is new
        for statement in plan.surveyed.record.statements:
            before = known[_statement_subject(entry, statement)]
            if other := next((one for one in before if _contradict(one, statement)), None):
                plan.reasons = [_contradiction(other, statement, plan.entry.external_id)]
                plan.entry = None
                break
            before.append(statement)


def _contradict(one: LicenceStatement | Statement, other: Statement) -> bool:
    if one.valid_from == other.valid_from and one.valid_until == other.valid_until:
        return set(one.territory) != set(other.territory)
    starts = max(one.valid_from or date.min, other.valid_from or date.min)
    return starts < min(one.valid_until or date.max, other.valid_until or date.max)


def _contradiction(one: LicenceStatement | Statement, other: Statement, external_id: str) -> str:
    return (
        f"{external_id} is registered with {other.expression or 'no licence'} ({other.right}) {_extent(one)}, and "
        f"this row says {_extent(other)}: what stands is not changed by saying it again. "
        "Narrow it by an opt-out (register_reservations), widen it by a deal (register_grants)"
    )


def _extent(statement: LicenceStatement | Statement) -> str:
    """Say where and when a statement holds."""
    first = f" from {statement.valid_from}" if statement.valid_from else ""
    last = f" until {statement.valid_until}" if statement.valid_until else ""
    return f"{', '.join(statement.territory) or 'worldwide'}{first}{last}"


def _save_statements(plans: list[_Plan]) -> int:
    """Add what the sources say and was not said before; return how many statements are new."""
    known = {
        _statement_key(statement.entry_id, statement)
        for statement in LicenceStatement.objects.filter(
            entry__in=[plan.entry for plan in plans if not plan.new_entry]
        )
    }
    fresh = []
    for plan in plans:
        assert plan.entry is not None  # noqa: S101
        for statement in plan.surveyed.record.statements:
            key = _statement_key(plan.entry.pk, statement)
            if key in known:
                continue
            known.add(key)
            fresh.append(_new_statement(plan.entry.pk, statement))
            plan.new_statements = True
            further = f"a further licence statement was added: {statement.expression or 'none stated'}"
            if not plan.new_entry and further not in plan.reasons:
                plan.reasons.append(further)
    copy_rows(LicenceStatement, ("public_id", "entry_id", *STATEMENT_FIELDS), fresh)
    return len(fresh)


def _statement_subject(entry_id: int, statement: LicenceStatement | Statement) -> tuple[object, ...]:
    return entry_id, str(statement.right), str(statement.source), statement.expression


def _statement_key(entry_id: int, statement: LicenceStatement | Statement) -> tuple[object, ...]:
    return *_statement_subject(entry_id, statement), statement.valid_from, statement.valid_until


def _new_statement(entry_id: int, statement: Statement) -> tuple[object, ...]:
    """Return the row of a statement, in the order of `STATEMENT_FIELDS`."""
    return (
        new_public_id(),
        entry_id,
        statement.right,
        statement.expression[:500],
        statement.raw,
        statement.source,
        statement.weak,
        statement.evidence[:2000],
        statement.quote,
        [holder[:500] for holder in statement.holders],
        statement.licence_url[:2000],
        list(statement.territory),
        statement.valid_from,
        statement.valid_until,
    )


CLAIM_FIELDS = (
    *("public_id", "recording_id", "party_id", "right", "role", "territory", "territory_ranges"),
    *("source", "evidence", "recorded_at"),
)


def _save_claims(plans: list[_Plan], dataset: Dataset, now: datetime) -> None:
    wanted = dict.fromkeys(
        (plan.recording.pk, plan.new_recording, name[:500], right, role)
        for plan in plans
        for name, right, role in _claimed(plan.surveyed.record)
    )
    parties = _parties([name for _, _, name, _, _ in wanted], dataset)
    world = whole_world()
    copy_rows(
        RightsClaim,
        CLAIM_FIELDS,
        [
            (new_public_id(), recording, parties[name].pk, right, role, [], world, "steward", "", now)
            for recording, is_new, name, right, role in wanted
            if is_new
        ],
    )
    RightsClaim.objects.bulk_create(
        [
            RightsClaim(recording_id=recording, party=parties[name], right=right, role=role, source="steward")
            for recording, is_new, name, right, role in wanted
            if not is_new
        ],
        ignore_conflicts=True,
    )


def _save_stated(plans: list[_Plan], dataset: Dataset, now: datetime) -> None:
    """Write the claims, identifiers and party identifiers that a source states one by one."""
    stated = [plan for plan in plans if plan.surveyed.record.claims]
    parties = _parties(
        [one.claim.party for plan in stated for one in plan.surveyed.record.claims or ()], dataset
    )
    RightsClaim.objects.bulk_create(
        [
            _new_claim(plan.recording.pk, parties[one.claim.party[:500]], one, now)
            for plan in stated
            for one in plan.surveyed.record.claims or ()
        ],
        ignore_conflicts=True,
    )
    RecordingIdentifier.objects.bulk_create(
        [
            _new_identifier(plan.recording.pk, one)
            for plan in plans
            for one in plan.surveyed.record.identifiers
        ],
        ignore_conflicts=True,
    )
    _save_party_ids([plan for plan in plans if plan.surveyed.record.party_ids], dataset)


def _new_claim(recording_id: int, party: Party, one: IntakeClaim, now: datetime) -> RightsClaim:
    claim = one.claim
    return RightsClaim(
        recording_id=recording_id,
        party=party,
        right=claim.right,
        role=claim.role[:60],
        share_percent=None if claim.share is None else Decimal(str(claim.share)).quantize(SHARE_STEP),
        territory=list(claim.territory),
        territory_ranges=country_ranges(claim.territory),
        valid_from=claim.valid_from,
        valid_until=claim.valid_until,
        source=claim.source[:30],
        evidence=one.evidence[:1000],
        recorded_at=now,
    )


def _new_identifier(recording_id: int, one: IntakeIdentifier) -> RecordingIdentifier:
    checked = identifiers.CHECKS[one.scheme](one.written)
    return RecordingIdentifier(
        recording_id=recording_id,
        scheme=one.scheme,
        written=one.written[:200],
        compact=checked.compact[:200],
        is_valid=checked.valid,
        why_invalid=checked.why[:200],
        source=one.source[:30],
    )


def _save_party_ids(plans: list[_Plan], dataset: Dataset) -> None:
    """Fill in identifiers of parties that have none; what is on record already is never written over."""
    said: dict[str, dict[str, str]] = {}
    for plan in plans:
        for name, ids in plan.surveyed.record.party_ids.items():
            for scheme, written in ids.items():
                said.setdefault(name[:500], {}).setdefault(scheme, written[:40])
    parties = _parties(said, dataset)
    for name, ids in said.items():
        party = parties[name]
        fresh = {scheme: written for scheme, written in ids.items() if not getattr(party, scheme)}
        if fresh:
            Party.objects.filter(pk=party.pk).update(**fresh)


def _claimed(record: IntakeRecord) -> Iterator[tuple[str, str, str]]:
    if record.claims is not None:
        return
    if record.master_owner:
        yield record.master_owner, "master", "owner"
    if record.composition_owner:
        yield record.composition_owner, "composition", "owner"
    for composer in record.composers:
        yield composer, "composition", "composer"


def _save_fingerprints(plans: list[_Plan], now: datetime) -> None:
    fresh = []
    for plan in plans:
        survey = plan.surveyed.survey
        payload = plan.surveyed.record.fingerprint
        if survey is not None and len(survey.items) and not survey.is_silent:
            payload = chromaprint.pack(survey.items)
        if payload:
            fresh.append(new_fingerprint(plan.recording, payload, now))
    Fingerprint.objects.bulk_create(fresh, ignore_conflicts=True)


def new_fingerprint(recording: Recording, payload: bytes, now: datetime) -> Fingerprint:
    items = chromaprint.unpack(payload)
    return Fingerprint(
        recording=recording,
        method=chromaprint.METHOD,
        method_version=chromaprint.METHOD_VERSION,
        payload=payload,
        sha256=chromaprint.fingerprint_sha256(items),
        n_items=len(items),
        made_at=now,
    )
