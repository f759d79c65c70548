"""Conflicts: found by reading what sources say and by listening; closed by a person."""

import secrets
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Any

import numpy as np
from django.db import transaction

from governance import access, ledger
from governance.errors import ConflictError
from governance.models import Organisation, User
from lib.canonical import canonical_json, canonical_sha256
from lib.merkle import merkle_root
from provenance import known, queries
from provenance.bulk import copy_models
from provenance.errors import ProvenanceError
from provenance.models import (
    Conflict,
    ConflictStatus,
    Dataset,
    DatasetEntry,
    Fingerprint,
    LicenceStatement,
    Recording,
    RightsClaim,
)
from provenance.rights import conflicts as contradictions
from provenance.rights.conflicts import Finding, Known
from provenance.rights.shares import ShareFinding, share_findings
from provenance.rights.values import Statement
from provenance.similarity import chromaprint
from provenance.similarity import recording as likeness
from provenance.similarity.index import RecordingIndex, windows_of

EXCERPT_ITEMS = 80  # 10 s of every
EXCERPT_EVERY_ITEMS = 320  # 40 s of a recording are listened to
MAX_EXCERPTS = 8
WINDOW_HOP_ITEMS = 8
N_NEIGHBOURS = 48
COPY_DISTANCE_BITS = 64  # of 256: a re-encoded copy differs in fewer


def find_conflicts(*, dataset: Dataset, by: User, now: datetime, fresh: Collection[int] | None = None) -> int:
    """Search what is new in a dataset for contradictions, keep them, and count the open ones that touch it.

    ``fresh`` are the recordings to search around; None means all of the dataset's.
    """
    inside = set(DatasetEntry.objects.filter(dataset=dataset).values_list("recording_id", flat=True))
    around = inside if fresh is None else inside & set(fresh)
    if around:
        findings = [*_by_reading(dataset, around), *_by_listening(dataset, around)]
        _keep(findings, dataset, by, now)
        stated = RightsClaim.objects.filter(recording__in=around).exclude(
            source="steward", share_percent=None
        )
        touched = set(stated.values_list("recording_id", flat=True))
        if touched:
            find_share_conflicts(recordings=touched, organisation=dataset.organisation, by=by, now=now)
    return queries.conflicts_touching(dataset).filter(status=ConflictStatus.OPEN).count()


@transaction.atomic
def find_share_conflicts(
    *, recordings: Collection[int], organisation: Organisation, by: User, now: datetime
) -> int:
    """Keep where claimed shares leave a gap, overlap or are disputed, one finding each; count the new ones.

    What is found again is not opened again. One whose cause is gone stays open until a person closes it.
    """
    found = [
        (recording_id, finding)
        for recording_id, claims in known.claims_of(recordings).items()
        for finding in share_findings(claims)
    ]
    named = Recording.objects.in_bulk({recording_id for recording_id, _ in found})
    rows = [_of_shares(named[recording_id], finding, now) for recording_id, finding in found]
    keys = {row.key for row in rows}
    told = set(Conflict.objects.filter(organisation=organisation, key__in=keys).values_list("key", flat=True))
    fresh = list({row.key: row for row in rows if row.key not in told}.values())
    copy_models(fresh)
    if fresh:
        ledger.record(
            kind="provenance.conflicts.found",
            subject_kind="organisation",
            subject_id=organisation.public_id,
            actor=by,
            organisation=organisation,
            now=now,
            body={
                "conflicts": len(fresh),
                "grown": 0,
                "merkle_root": merkle_root([canonical_json({"key": row.key}) for row in fresh]).hex(),
            },
        )
    return len(fresh)


def _of_shares(recording: Recording, finding: ShareFinding, now: datetime) -> Conflict:
    evidence = {
        "right": finding.right,
        "source": finding.source,
        "claimed by": [
            f"{claim.party}, {'share not said' if claim.share is None else f'{claim.share:g} %'} ({claim.source})"
            for claim in finding.claims
        ],
        "where": list(finding.territory),
    }
    return Conflict(
        organisation_id=recording.organisation_id,
        kind=finding.kind,
        recording_a=recording,
        recording_b=recording,
        evidence_a=evidence,
        evidence_b={},
        summary=f"{recording.title or recording.public_id}: {finding.says}"[:1000],
        key=canonical_sha256(
            {"kind": finding.kind, "recording": str(recording.public_id), "says": finding.says, **evidence}
        ),
        found_at=now,
    )


def _by_reading(dataset: Dataset, around: set[int]) -> Iterator[Finding]:
    entries = list(
        DatasetEntry.objects.filter(recording_id__in=around, dataset__organisation_id=dataset.organisation_id)
        .select_related("recording")
        .order_by("id")
    )
    said = _statements(entry.pk for entry in entries)
    by_recording: dict[int, list[Known]] = defaultdict(list)
    for entry in entries:
        known = _known(entry.recording, said.get(entry.pk, ()))
        yield from contradictions.within(known)
        yield from _one_source_twice(known)
        for other in by_recording[entry.recording_id]:  # the same file in another dataset
            if _said(other) != _said(known):
                yield from contradictions.between(other, known)
        by_recording[entry.recording_id].append(known)
    yield from contradictions.collisions(_colliding(dataset, around))


def _said(known: Known) -> set[tuple[str, str, str]]:
    return {(said.right, said.source, said.expression) for said in known.statements}


def _one_source_twice(known: Known) -> Iterator[Finding]:
    """Yield where one source says two things of one recording: the same file listed under two licences."""
    told: set[tuple[str, frozenset[str]]] = set()  # two licences for both rights are one finding
    for place, one in enumerate(known.statements):
        for other in known.statements[place + 1 :]:
            pair = (one.source, frozenset((one.expression, other.expression)))
            if one.source != other.source or one.right != other.right or pair in told:
                continue
            if one.expression != other.expression:
                told.add(pair)
                yield from contradictions.between(Known(known.id, (one,)), Known(known.id, (other,)))


def _colliding(dataset: Dataset, around: set[int]) -> list[Known]:
    """Return the recordings that share samples, ISRC, or title and artist with one of ``around``."""
    rows = Recording.objects.filter(organisation_id=dataset.organisation_id).values_list(
        "pk", "title", "artist", "isrc", "samples_sha256"
    )
    groups: dict[tuple[str, ...], set[int]] = defaultdict(set)
    for pk, title, artist, isrc, samples in rows.iterator():
        if samples:
            groups["samples", samples].add(pk)
        if isrc:
            groups["isrc", isrc.upper()].add(pk)
        if title and artist:
            groups["title", contradictions.fold(title), contradictions.fold(artist)].add(pk)
    wanted = {pk for group in groups.values() if len(group) > 1 and group & around for pk in group}
    return _known_recordings(wanted)


def _known_recordings(recording_ids: Collection[int]) -> list[Known]:
    entries: dict[int, list[int]] = defaultdict(list)
    for pk, recording_id in DatasetEntry.objects.filter(recording_id__in=recording_ids).values_list(
        "pk", "recording_id"
    ):
        entries[recording_id].append(pk)
    said = _statements(pk for group in entries.values() for pk in group)
    return [
        _known(recording, [statement for entry in entries[recording.pk] for statement in said.get(entry, ())])
        for recording in Recording.objects.filter(pk__in=recording_ids).order_by("pk")
    ]


def _statements(entry_ids: Iterable[int]) -> dict[int, list[Statement]]:
    found: dict[int, list[Statement]] = defaultdict(list)
    for statement in LicenceStatement.objects.filter(entry__in=list(entry_ids)).order_by("id"):
        found[statement.entry_id].append(known.statement_value(statement))
    return found


def _known(recording: Recording, statements: Iterable[Statement]) -> Known:
    return Known(
        id=str(recording.public_id),
        statements=tuple(statements),
        title=recording.title,
        artist=recording.artist,
        isrc=recording.isrc,
        samples_sha256=recording.samples_sha256,
    )


def _by_listening(dataset: Dataset, around: set[int]) -> Iterator[Finding]:
    """Yield pairs that hold the same sound, found by fingerprint, under licences that do not go together."""
    fingerprints = {
        fingerprint.recording_id: fingerprint
        for fingerprint in Fingerprint.objects.filter(
            recording__organisation_id=dataset.organisation_id,
            method=chromaprint.METHOD,
            method_version=chromaprint.METHOD_VERSION,
        ).select_related("recording")
    }
    if len(fingerprints) < 2 or not around & set(fingerprints):
        return
    items = {pk: chromaprint.unpack(bytes(fingerprint.payload)) for pk, fingerprint in fingerprints.items()}
    by_key = {str(fingerprint.recording.public_id): pk for pk, fingerprint in fingerprints.items()}
    index = RecordingIndex.build((key, items[pk]) for key, pk in by_key.items())
    pairs: set[tuple[int, int]] = set()
    for key, pk in by_key.items():
        if pk in around:
            pairs.update(
                (min(pk, by_key[twin]), max(pk, by_key[twin])) for twin in _twins(key, items[pk], index)
            )
    known = {one.id: one for one in _known_recordings({pk for pair in pairs for pk in pair})}
    ids = {pk: key for key, pk in by_key.items()}
    for first, second in sorted(pairs):
        yield from contradictions.between(known[ids[first]], known[ids[second]])


def _twins(key: str, items: Any, index: RecordingIndex) -> set[str]:
    """Return the recordings of which at least two excerpts of ``items`` (or its only one) are a certain copy."""
    starts = list(range(0, max(1, len(items) - EXCERPT_ITEMS + 1), EXCERPT_EVERY_ITEMS))[:MAX_EXCERPTS]
    heard: dict[str, int] = defaultdict(int)
    for start in starts:
        excerpt = items[start : start + EXCERPT_ITEMS]
        if not _resembles_another(key, excerpt, index):
            continue
        found = likeness.check(excerpt, index, exclude=(key,))
        for match in found.matches:
            if match.verdict == "blocked":
                heard[match.key] += 1
    return {twin for twin, n_heard in heard.items() if n_heard >= min(2, len(starts))}


def _resembles_another(key: str, excerpt: Any, index: RecordingIndex) -> bool:
    """Tell quickly whether a full check can find anything: a copy shares near windows with what it copies."""
    windows = windows_of(np.ascontiguousarray(excerpt[:, chromaprint.CHROMA]))[::WINDOW_HOP_ITEMS]
    own = index.recordings.index(key)
    starts: dict[tuple[int, int], set[int]] = defaultdict(set)
    found = index.neighbours(windows, column=chromaprint.CHROMA, n_neighbours=N_NEIGHBOURS)
    for place, neighbours in enumerate(found):
        for one in neighbours:
            if one.recording != own and one.distance <= COPY_DISTANCE_BITS:
                offset = one.reference_start - place * WINDOW_HOP_ITEMS
                for nearby in (offset - 1, offset, offset + 1):
                    starts[one.recording, nearby].add(place)
    return any(len(places) >= len(windows) // 3 for places in starts.values())


@transaction.atomic
def _keep(findings: Iterable[Finding], dataset: Dataset, by: User, now: datetime) -> None:
    """Keep one finding a pair and kind. An open one takes up new evidence; a closed one stays, and new evidence
    opens another."""
    findings = contradictions.merged(findings)
    recordings = _recordings_of(findings)
    known = _known_conflicts(dataset, recordings.values())
    fresh: list[Conflict] = []
    grown: list[Conflict] = []
    for finding in findings:
        row = _row(finding, recordings, dataset, now)
        earlier = known[_pair(row)]
        if any(_heard(one) >= _heard(row) for one in earlier):
            continue
        standing = next((one for one in earlier if one.status == ConflictStatus.OPEN), None)
        if standing is None:
            fresh.append(row)
            continue
        _grow(standing, row)
        grown.append(standing)
    Conflict.objects.bulk_create(fresh, ignore_conflicts=True)
    Conflict.objects.bulk_update(grown, ["evidence_a", "evidence_b", "summary", "key"])
    if fresh or grown:
        ledger.record(
            kind="provenance.conflicts.found",
            subject_kind="dataset",
            subject_id=dataset.public_id,
            actor=by,
            organisation=dataset.organisation,
            now=now,
            body={
                "conflicts": len(fresh),
                "grown": len(grown),
                "merkle_root": merkle_root(
                    [canonical_json({"key": row.key}) for row in (*fresh, *grown)]
                ).hex(),
            },
        )


def _pair(conflict: Conflict) -> tuple[str, int, int]:
    first, second = sorted((conflict.recording_a_id, conflict.recording_b_id))
    return conflict.kind, first, second


def _known_conflicts(
    dataset: Dataset, recordings: Collection[Recording]
) -> dict[tuple[str, int, int], list[Conflict]]:
    known: dict[tuple[str, int, int], list[Conflict]] = defaultdict(list)
    earlier = Conflict.objects.filter(
        organisation=dataset.organisation, recording_a__in=recordings, recording_b__in=recordings
    )
    for conflict in earlier.select_for_update().order_by("id"):
        known[_pair(conflict)].append(conflict)
    return known


def _heard(conflict: Conflict) -> set[str]:
    """Return what a finding rests on, whichever side it stands on."""
    sides = (conflict.evidence_a, conflict.evidence_b)
    return {canonical_sha256(said) for side in sides for said in side.get("statements", [])}


def _grow(standing: Conflict, found: Conflict) -> None:
    """Add to an open finding what was found since, each statement on the side of its recording."""
    turned = standing.recording_a_id != found.recording_a_id
    sides = (found.evidence_b, found.evidence_a) if turned else (found.evidence_a, found.evidence_b)
    heard = _heard(standing)
    for mine, theirs in zip((standing.evidence_a, standing.evidence_b), sides, strict=True):
        new = [said for said in theirs["statements"] if canonical_sha256(said) not in heard]
        mine["statements"] = [*mine.get("statements", []), *new]
    standing.summary = found.summary
    standing.key = _conflict_key(
        standing.kind,
        [str(found.recording_a.public_id), str(found.recording_b.public_id)],
        [standing.evidence_a, standing.evidence_b],
    )


def _recordings_of(findings: list[Finding]) -> dict[str, Recording]:
    ids = {side for finding in findings for side in (finding.one, finding.other)}
    return {str(recording.public_id): recording for recording in Recording.objects.filter(public_id__in=ids)}


def _row(finding: Finding, recordings: dict[str, Recording], dataset: Dataset, now: datetime) -> Conflict:
    first, second = recordings[finding.one], recordings[finding.other]
    evidence = [_evidence(finding.one_evidence), _evidence(finding.other_evidence)]
    named = first.title or str(first.public_id)
    return Conflict(
        organisation=dataset.organisation,
        kind=finding.kind,
        recording_a=first,
        recording_b=second,
        evidence_a=evidence[0],
        evidence_b=evidence[1],
        summary=f"{named}: {finding.says}"[:1000],
        key=_conflict_key(finding.kind, [finding.one, finding.other], evidence),
        found_at=now,
    )


def _conflict_key(kind: str, recordings: list[str], evidence: list[dict[str, Any]]) -> str:
    return canonical_sha256(
        {
            "kind": kind,
            "recordings": sorted(recordings),
            "evidence": sorted(canonical_sha256(side) for side in evidence),
        }
    )


def _evidence(statements: Iterable[Statement]) -> dict[str, Any]:
    return {
        "statements": [
            {
                "right": said.right,
                "source": said.source,
                "expression": said.expression,
                "raw": said.raw,
                "evidence": said.evidence,
                "quote": said.quote[:500],
                "holders": list(said.holders),
                "weak": said.weak,
            }
            for said in statements
        ]
    }


@transaction.atomic
def close_conflict(
    *, conflict: Conflict, status: ConflictStatus, reason: str, by: User, now: datetime
) -> Conflict:
    """Resolve or dismiss a finding; from then on the stricter side no longer holds for its sake alone."""
    access.require(by, conflict.organisation, access.RESOLVES_CONFLICTS, "close a conflict")
    if by.is_system:
        raise ProvenanceError("A conflict is closed by a person: say --as USER.")
    if status == ConflictStatus.OPEN or not reason.strip():
        raise ProvenanceError("A conflict is resolved or dismissed, with a reason.")
    salt = secrets.token_hex(16)
    changed = Conflict.objects.filter(pk=conflict.pk, status=ConflictStatus.OPEN).update(
        status=status, resolved_by=by, resolved_at=now, reason=reason.strip(), salt=salt
    )
    if changed != 1:
        raise ConflictError("Somebody else has closed this conflict already.")
    conflict.refresh_from_db()
    ledger.record(
        kind=f"provenance.conflict.{status}",
        subject_kind="conflict",
        subject_id=conflict.public_id,
        actor=by,
        organisation=conflict.organisation,
        now=now,
        body={"reason_commitment": ledger.commitment(conflict.reason, salt)},
    )
    return conflict
