"""Writing what rows lead to: works, recordings, entries, statements, claims, identifiers, fingerprints."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from decimal import Decimal

from lib.ids import new_public_id
from provenance.bulk import copy_models, copy_rows, new_keys
from provenance.intake.record import IntakeClaim, IntakeIdentifier, IntakeRecord
from provenance.known import STATEMENT_FIELDS
from provenance.models import (
    Dataset,
    DatasetEntry,
    Fingerprint,
    LicenceStatement,
    Party,
    Recording,
    RecordingIdentifier,
    Registration,
    RightsClaim,
    Work,
)
from provenance.models.ranges import country_ranges, whole_world
from provenance.pipeline.contradictions import statement_key
from provenance.pipeline.plans import Plan
from provenance.pipeline.surveying import Surveyed
from provenance.rights import identifiers
from provenance.rights.values import Statement
from provenance.similarity import kinds
from provenance.similarity.kinds import Beside, Kind

SHARE_STEP = Decimal("0.0001")
HEARD_FIELDS = ("samples_sha256", "codec", "sample_rate_hz", "n_channels", "seconds", "size_bytes")
NOT_HEARD = ("", "", None, None, None, None)
RECORDING_FIELDS = (
    *("id", "public_id", "organisation_id", "work_id", "kind", "registered_at"),
    *("title", "artist", "isrc", "year", "language", "country", "genre", "artist_gender"),
    *("sha256", "audio", "silent", "decoder", *HEARD_FIELDS),
)
ENTRY_FIELDS = (
    *("id", "public_id", "dataset_id", "recording_id", "registration_id", "external_id", "row"),
    *("title", "artist", "source_path", "source_url", "acquired_on", "unknown_columns", "notes"),
)
CLAIM_FIELDS = (
    *("public_id", "recording_id", "party_id", "right", "role", "territory", "territory_ranges"),
    *("source", "evidence", "recorded_at"),
)


def save(
    plans: list[Plan], said: set[tuple[object, ...]], *, registration: Registration, now: datetime
) -> tuple[int, int]:
    """Write what is new, and give recordings and entries their keys; return how many entries and statements are.

    ``said`` holds the keys of what was stated about the plans' entries before.
    """
    dataset = registration.dataset
    founding = [plan for plan in plans if plan.new_recording]
    fresh = [plan for plan in plans if plan.new_entry]
    _save_works(founding, dataset)
    _save_recordings(founding, dataset.organisation_id, now)
    _save_entries(fresh, registration)
    n_statements = _save_statements(plans, said)
    _save_claims(fresh, dataset, now)
    _save_stated(fresh, dataset, now)
    _save_fingerprints(plans, now)
    return len(fresh), n_statements


def _save_works(plans: list[Plan], dataset: Dataset) -> None:
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


def _save_composers(plans: list[Plan], dataset: Dataset) -> None:
    parties = _parties([name for plan in plans for name in plan.surveyed.record.composers], dataset)
    written = Work.composers.through
    links = {}
    for plan in plans:
        for name in plan.surveyed.record.composers:
            work_id, party_id = _work_id(plan), parties[name[:500]].pk
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


def _work_id(plan: Plan) -> int | None:
    work = plan.recording.work
    return work.pk if work is not None else None


def _save_recordings(plans: list[Plan], organisation_id: int, now: datetime) -> None:
    if not plans:
        return
    for plan, key in zip(plans, new_keys(Recording, len(plans)), strict=True):
        plan.recording.pk = key
    copy_rows(Recording, RECORDING_FIELDS, [_recording_row(plan, organisation_id, now) for plan in plans])


def _recording_row(plan: Plan, organisation_id: int, now: datetime) -> tuple[object, ...]:
    """Return the row of a recording, in the order of `RECORDING_FIELDS`."""
    record, recording = plan.surveyed.record, plan.recording
    return (
        *(recording.pk, recording.public_id, organisation_id, _work_id(plan), recording.kind, now),
        *(record.title[:500], record.artist[:500], record.isrc[:20], record.year, record.language[:35]),
        *(record.country[:2], record.genre[:200], record.artist_gender[:50]),
        *(recording.sha256, recording.audio, recording.silent, "", *_heard(plan.surveyed)),
    )


def _heard(surveyed: Surveyed) -> tuple[object, ...]:
    """Return what the survey of a row's audio found, in the order of `HEARD_FIELDS`."""
    survey, path = surveyed.survey, surveyed.record.audio
    if survey is None or path is None:
        return NOT_HEARD
    facts = survey.facts
    return (
        *(survey.samples_sha256, facts.codec[:60], facts.sample_rate_hz, facts.n_channels),
        *(survey.seconds, path.stat().st_size),
    )


def _save_entries(plans: list[Plan], registration: Registration) -> None:
    if not plans:
        return
    rows = []
    for plan, key in zip(plans, new_keys(DatasetEntry, len(plans)), strict=True):
        assert plan.entry is not None  # noqa: S101 — for the type checker: what has none is not kept
        plan.entry.pk = key
        rows.append(_entry_row(plan, key, registration))
    copy_rows(DatasetEntry, ENTRY_FIELDS, rows)


def _entry_row(plan: Plan, key: int, registration: Registration) -> tuple[object, ...]:
    """Return the row of a dataset's entry, in the order of `ENTRY_FIELDS`."""
    record = plan.surveyed.record
    return (
        *(key, new_public_id(), registration.dataset_id, plan.recording.pk, registration.pk),
        *(record.external_id, record.row, record.title[:500], record.artist[:500]),
        *(record.source_path[:1000], record.source_url[:2000]),
        date.fromisoformat(record.acquired_on) if record.acquired_on else None,
        json.dumps(dict(record.unknown)) if record.unknown else "{}",
        json.dumps(list(record.notes)) if record.notes else "[]",
    )


def _save_statements(plans: list[Plan], said: set[tuple[object, ...]]) -> int:
    """Add what the sources say and was not said before; return how many statements are new."""
    known = set(said)
    fresh = []
    for plan in plans:
        assert plan.entry is not None  # noqa: S101
        for statement in plan.surveyed.record.statements:
            key = statement_key(plan.entry.pk, statement)
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


def _save_claims(plans: list[Plan], dataset: Dataset, now: datetime) -> None:
    wanted = dict.fromkeys(
        (plan.recording.pk, plan.new_recording, name[:500], right, role)
        for plan in plans
        for name, right, role in _claimed(plan.surveyed.record)
    )
    parties = _parties([name for _, _, name, _, _ in wanted], dataset)
    world = str(whole_world())  # as text: written out once and not for every row
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


def _save_stated(plans: list[Plan], dataset: Dataset, now: datetime) -> None:
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


def _save_party_ids(plans: list[Plan], dataset: Dataset) -> None:
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


def _save_fingerprints(plans: list[Plan], now: datetime) -> None:
    fresh = []
    for plan in plans:
        if stored := plan.surveyed.record.fingerprint:
            fresh.append(_new_print(plan.recording.pk, kinds.RECORDING, stored, now))
        for kind, made in plan.surveyed.prints:
            fresh.append(_new_print(plan.recording.pk, kind, made, now))
    Fingerprint.objects.bulk_create(fresh, ignore_conflicts=True)


def _new_print(recording_id: int, kind: Kind | Beside, payload: bytes, now: datetime) -> Fingerprint:
    return Fingerprint(
        recording_id=recording_id,
        method=kind.method,
        method_version=kind.method_version,
        model_sha256=kind.model_sha256,
        payload=payload,
        sha256=hashlib.sha256(payload).hexdigest(),
        made_at=now,
    )
