"""Conflicts: found by reading what sources say and by listening; closed by a person."""

import secrets
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import Count, Max, Q, QuerySet
from numpy.typing import NDArray

from governance import access, ledger
from governance.errors import ConflictError
from governance.models import User
from lib.canonical import canonical_json, canonical_sha256
from lib.merkle import merkle_root
from provenance import known, queries
from provenance.errors import ProvenanceError
from provenance.models import (
    Conflict,
    ConflictSide,
    ConflictStatus,
    Dataset,
    DatasetEntry,
    Fingerprint,
    LicenceStatement,
    Recording,
    RightsClaim,
)
from provenance.rights import conflicts as contradictions
from provenance.rights.conflicts import Finding, Kind, Known
from provenance.rights.values import SOURCES, Claim, Statement
from provenance.services.shares import find_share_conflicts
from provenance.similarity import fingerprint
from provenance.similarity.copies import Copy, NewItems

Items = NDArray[np.uint32]
EVIDENCE_PARTS = ("statements", "claims")

ITEMS_AT_ONCE = 8_000_000
"""Items of new fingerprints held in order at a time: about 275 hours of music in some 300 MB."""


def find_conflicts(*, dataset: Dataset, by: User, now: datetime, fresh: Collection[int] | None = None) -> int:
    """Search what is new in a dataset for contradictions, keep them, and count the open ones that touch it.

    ``fresh`` are the recordings to search around; None means all of the dataset's.
    """
    inside = set(DatasetEntry.objects.filter(dataset=dataset).values_list("recording_id", flat=True))
    around = inside if fresh is None else inside & set(fresh)
    if around:
        copies = _copies(dataset, around)
        findings = [*_by_reading(dataset, around, copies.keys()), *_by_listening(copies.keys())]
        _keep(findings, dataset, by, now, copies)
        stated = RightsClaim.objects.filter(known.AnyOf("recording_id", around)).exclude(
            source="steward", share_percent=None
        )
        touched = set(stated.values_list("recording_id", flat=True))
        if touched:
            find_share_conflicts(recordings=touched, organisation=dataset.organisation, by=by, now=now)
    return queries.conflicts_touching(dataset).filter(status=ConflictStatus.OPEN).count()


def _by_reading(dataset: Dataset, around: set[int], alike: Collection[frozenset[str]]) -> Iterator[Finding]:
    entries = list(
        DatasetEntry.objects.filter(
            known.AnyOf("recording_id", _much_said(dataset, around)),
            dataset__organisation_id=dataset.organisation_id,
        )
        .order_by("id")
        .values_list("pk", "recording_id", "recording__public_id", "recording__sha256")
    )
    said = known.statements_of(pk for pk, *_ in entries)
    by_recording: dict[int, list[Known]] = defaultdict(list)
    for pk, recording_id, public_id, sha256 in entries:
        one = Known(str(public_id), tuple(said.get(pk, ())))
        yield from contradictions.within(one)
        yield from contradictions.stated_twice(one)
        for other in by_recording[recording_id]:  # the same recording in another dataset
            if _said(other) != _said(one):
                kind: Kind = "same_sound_two_licences" if sha256 else "one_recording_two_licences"
                yield from contradictions.between(other, one, kind)
        by_recording[recording_id].append(one)
    colliding = _colliding(dataset, around)
    ids = {one.id for pk, one in colliding.items() if pk in around}
    yield from contradictions.collisions(colliding.values(), around=ids, alike=alike)


def _much_said(dataset: Dataset, around: set[int]) -> list[int]:
    """Return the recordings that can contradict themselves: more than one thing is said, or many holders named."""
    said = LicenceStatement.objects.filter(
        known.AnyOf("entry__recording_id", around),
        entry__dataset__organisation_id=dataset.organisation_id,
    )
    by_recording = said.order_by().values("entry__recording_id")
    much = by_recording.annotate(n=Count("id"), holders_at_most=Max("holders__len")).filter(
        Q(n__gt=1) | Q(holders_at_most__gte=contradictions.MANY_HOLDERS)
    )
    return list(much.values_list("entry__recording_id", flat=True))


def _said(recording: Known) -> set[tuple[str, str, str]]:
    return {(said.right, said.source, said.expression) for said in recording.statements}


def _colliding(dataset: Dataset, around: set[int]) -> dict[int, Known]:
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
        if name := contradictions.name_key(title, artist):
            groups["name", *name].add(pk)
    wanted = {pk for group in groups.values() if len(group) > 1 and group & around for pk in group}
    return _known_recordings(wanted)


def _known_recordings(recording_ids: Collection[int]) -> dict[int, Known]:
    entries: dict[int, list[int]] = defaultdict(list)
    for pk, recording_id in DatasetEntry.objects.filter(
        known.AnyOf("recording_id", recording_ids)
    ).values_list("pk", "recording_id"):
        entries[recording_id].append(pk)
    said = known.statements_of(pk for group in entries.values() for pk in group)
    claims = known.claims_of(recording_ids)
    rows = Recording.objects.filter(known.AnyOf("id", recording_ids)).order_by("pk")
    return {
        pk: Known(
            str(public_id),
            tuple(statement for entry in entries[pk] for statement in said.get(entry, ())),
            *(title, artist, isrc, samples_sha256),
            tuple(claims.get(pk, ())),
        )
        for pk, public_id, title, artist, isrc, samples_sha256 in rows.values_list(
            "pk", "public_id", "title", "artist", "isrc", "samples_sha256"
        )
    }


def _by_listening(pairs: Collection[frozenset[str]]) -> Iterator[Finding]:
    """Yield pairs that hold the same sound, found by fingerprint, under licences that do not go together."""
    ids = {id for pair in pairs for id in pair}
    rows = Recording.objects.filter(public_id__in=ids).values_list("pk", flat=True)
    heard = {one.id: one for one in _known_recordings(list(rows)).values()}
    for pair in sorted(sorted(pair) for pair in pairs):
        yield from contradictions.between(heard[pair[0]], heard[pair[1]])


def _copies(dataset: Dataset, around: set[int]) -> dict[frozenset[str], Copy]:
    """Return what certainly holds the same sound as one of ``around``, by the longest stretch of each pair."""
    fingerprints = Fingerprint.objects.filter(
        recording__organisation_id=dataset.organisation_id,
        method=fingerprint.METHOD,
        method_version=fingerprint.METHOD_VERSION,
    ).order_by("id")
    copies: dict[frozenset[str], Copy] = {}
    for new in _in_portions(_items(fingerprints.filter(known.AnyOf("recording_id", around)))):
        for copy in NewItems(new).copies_in(_items(fingerprints)):
            pair = frozenset((copy.new, copy.known))
            if copy.is_certain and (pair not in copies or copy.seconds > copies[pair].seconds):
                copies[pair] = copy
    return copies


def _items(fingerprints: QuerySet[Fingerprint]) -> Iterator[tuple[str, Items]]:
    for key, payload in fingerprints.values_list("recording__public_id", "payload").iterator(chunk_size=500):
        yield str(key), fingerprint.AudioFingerprint.unpack(bytes(payload)).items


def _in_portions(new: Iterable[tuple[str, Items]]) -> Iterator[dict[str, Items]]:
    """Yield fingerprints in portions that fit into memory in order."""
    portion: dict[str, Items] = {}
    n_items = 0
    for key, items in new:
        portion[key] = items
        n_items += len(items)
        if n_items >= ITEMS_AT_ONCE:
            yield portion
            portion, n_items = {}, 0
    if portion:
        yield portion


@transaction.atomic
def _keep(
    findings: Iterable[Finding],
    dataset: Dataset,
    by: User,
    now: datetime,
    copies: Mapping[frozenset[str], Copy],
) -> None:
    """Keep one finding a pair and kind. An open one takes up new evidence; a closed one stays, and new evidence
    opens another."""
    findings = contradictions.merged(findings)
    recordings = _recordings_of(findings)
    standing_by_pair = _known_conflicts(dataset, recordings.values())
    fresh: list[Conflict] = []
    grown: list[Conflict] = []
    for finding in findings:
        row = _row(finding, recordings, dataset, now)
        row.heard = _stretch(copies.get(frozenset((finding.one, finding.other))), finding.one)
        earlier = standing_by_pair[_pair(row)]
        if any(_heard(one) >= _heard(row) for one in earlier):
            continue
        standing = next((one for one in earlier if one.status == ConflictStatus.OPEN), None)
        if standing is None:
            fresh.append(row)
            continue
        _grow(standing, row)
        grown.append(standing)
    Conflict.objects.bulk_create(fresh, ignore_conflicts=True)
    Conflict.objects.bulk_update(grown, ["evidence_a", "evidence_b", "heard", "summary", "key"])
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


def _stretch(copy: Copy | None, one: str) -> dict[str, float] | None:
    """Return where both sides hold the same sound, in seconds of each; None where nobody listened."""
    if copy is None:
        return None
    new = (copy.new_start_s, copy.new_end_s)
    other = (copy.known_start_s, copy.known_end_s)
    a, b = (new, other) if copy.new == one else (other, new)
    places = {"a_start_s": a[0], "a_end_s": a[1], "b_start_s": b[0], "b_end_s": b[1]}
    return {name: round(at_s, 3) for name, at_s in places.items()} | {"ber": round(max(copy.ber), 4)}


def _pair(conflict: Conflict) -> tuple[str, int, int]:
    first, second = sorted((conflict.recording_a_id, conflict.recording_b_id))
    return conflict.kind, first, second


def _known_conflicts(
    dataset: Dataset, recordings: Collection[Recording]
) -> dict[tuple[str, int, int], list[Conflict]]:
    by_pair: dict[tuple[str, int, int], list[Conflict]] = defaultdict(list)
    earlier = Conflict.objects.filter(
        organisation=dataset.organisation, recording_a__in=recordings, recording_b__in=recordings
    )
    for conflict in earlier.select_for_update().order_by("id"):
        by_pair[_pair(conflict)].append(conflict)
    return by_pair


def _heard(conflict: Conflict) -> set[str]:
    """Return what a finding rests on, whichever side it stands on."""
    sides = (conflict.evidence_a, conflict.evidence_b)
    return {
        canonical_sha256(said) for side in sides for part in EVIDENCE_PARTS for said in side.get(part, [])
    }


def _grow(standing: Conflict, found: Conflict) -> None:
    """Add to an open finding what was found since, each statement on the side of its recording."""
    turned = standing.recording_a_id != found.recording_a_id
    sides = (found.evidence_b, found.evidence_a) if turned else (found.evidence_a, found.evidence_b)
    heard = _heard(standing)
    for mine, theirs in zip((standing.evidence_a, standing.evidence_b), sides, strict=True):
        for part in EVIDENCE_PARTS:
            new = [said for said in theirs.get(part, []) if canonical_sha256(said) not in heard]
            if new:
                mine[part] = [*mine.get(part, []), *new]
    if standing.heard is None and found.heard is not None:
        standing.heard = _turned(found.heard) if turned else found.heard
    standing.summary = found.summary
    standing.key = _conflict_key(
        standing.kind,
        [str(found.recording_a.public_id), str(found.recording_b.public_id)],
        [standing.evidence_a, standing.evidence_b],
    )


def _turned(heard: dict[str, float]) -> dict[str, float]:
    swapped = {f"{'b' if name[0] == 'a' else 'a'}{name[1:]}": heard[name] for name in heard if name != "ber"}
    return swapped | {"ber": heard["ber"]}


def _recordings_of(findings: list[Finding]) -> dict[str, Recording]:
    ids = {side for finding in findings for side in (finding.one, finding.other)}
    return {str(recording.public_id): recording for recording in Recording.objects.filter(public_id__in=ids)}


def _row(finding: Finding, recordings: dict[str, Recording], dataset: Dataset, now: datetime) -> Conflict:
    first, second = recordings[finding.one], recordings[finding.other]
    evidence = [
        _evidence(finding.one_evidence, finding.one_claims),
        _evidence(finding.other_evidence, finding.other_claims),
    ]
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


def _evidence(statements: Iterable[Statement], claims: Iterable[Claim] = ()) -> dict[str, Any]:
    evidence: dict[str, Any] = {
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
    claimed = [
        {
            "right": claim.right,
            "party": claim.party,
            "share": claim.share,
            "role": claim.role,
            "territory": list(claim.territory),
            "source": claim.source,
        }
        for claim in claims
    ]
    return {**evidence, "claims": claimed} if claimed else evidence


def close_conflict(
    *,
    conflict: Conflict,
    status: ConflictStatus,
    reason: str,
    by: User,
    now: datetime,
    in_favour_of: str = "",
) -> Conflict:
    """Close one finding; see `close_conflicts`."""
    return close_conflicts(
        conflicts=[conflict], status=status, reason=reason, by=by, now=now, in_favour_of=in_favour_of
    )[0]


@transaction.atomic
def close_conflicts(
    *,
    conflicts: Sequence[Conflict],
    status: ConflictStatus,
    reason: str,
    by: User,
    now: datetime,
    in_favour_of: str = "",
) -> list[Conflict]:
    """Resolve or dismiss findings of one kind and house, all or none, for one reason.

    ``in_favour_of`` is ``a`` or ``b``, whose statements count for both from now on while the other's are set aside;
    ``both``, where the stricter goes on deciding (so too when a resolution names no side); or a source of
    statements, such as ``package_file``, which is the side it speaks on. A dismissed finding takes no side: each
    recording keeps its own statements. What was asked as of an earlier instant is answered as it was.
    """
    if not conflicts:
        raise ProvenanceError("Choose at least one conflict.")
    organisation = conflicts[0].organisation
    if len({(one.organisation_id, one.kind) for one in conflicts}) > 1:
        raise ProvenanceError("Only conflicts of one kind are closed together.")
    access.require(by, organisation, access.RESOLVES_CONFLICTS, "close a conflict")
    if by.is_system:
        raise ProvenanceError("A conflict is closed by a person: say --as USER.")
    if status not in (ConflictStatus.RESOLVED, ConflictStatus.DISMISSED) or not reason.strip():
        raise ProvenanceError("A conflict is resolved or dismissed, with a reason.")
    sides = [_favoured(one, status, in_favour_of) for one in conflicts]
    for conflict, side in zip(conflicts, sides, strict=True):
        _close(conflict, status, side, reason.strip(), by, now)
    _record_closing(conflicts, status, by, now)
    return list(conflicts)


def _favoured(conflict: Conflict, status: ConflictStatus, in_favour_of: str) -> str:
    """Return the side that a decision favours in this very finding."""
    if status == ConflictStatus.DISMISSED:
        if in_favour_of:
            raise ProvenanceError("Who dismisses a conflict takes no side.")
        return ""
    side = in_favour_of or ConflictSide.BOTH
    if side in SOURCES:
        side = _side_of_source(conflict, side)
    if side not in ConflictSide.values:
        raise ProvenanceError(f"A conflict is resolved in favour of a, b or both, not of {in_favour_of!r}.")
    if side != ConflictSide.BOTH and not takes_sides(conflict):
        raise ProvenanceError("Only one side of this conflict states anything: there is no side to favour.")
    return side


def _side_of_source(conflict: Conflict, source: str) -> str:
    evidence = {ConflictSide.A: conflict.evidence_a, ConflictSide.B: conflict.evidence_b}
    speaks = [
        side
        for side, said in evidence.items()
        if {one["source"] for one in said.get("statements", [])} == {source}
    ]
    if len(speaks) != 1:
        raise ProvenanceError(
            f"The {source.replace('_', ' ')} does not speak for one side of {conflict.summary!r}: close it by itself."
        )
    return speaks[0]


def takes_sides(conflict: Conflict) -> bool:
    """Whether both sides of a finding state something, so that one can be found wrong."""
    return all(bool(side.get("statements")) for side in (conflict.evidence_a, conflict.evidence_b))


def _close(
    conflict: Conflict, status: ConflictStatus, side: str, reason: str, by: User, now: datetime
) -> None:
    closing = {
        "status": status,
        "in_favour_of": side,
        "resolved_by": by,
        "resolved_at": now,
        "reason": reason,
        "salt": secrets.token_hex(16),
    }
    if Conflict.objects.filter(pk=conflict.pk, status=ConflictStatus.OPEN).update(**closing) != 1:
        raise ConflictError("Somebody else has closed this conflict already.")
    conflict.refresh_from_db()


def _record_closing(conflicts: Sequence[Conflict], status: ConflictStatus, by: User, now: datetime) -> None:
    """Record a closing by itself, or many together by the root of their rows."""
    first = conflicts[0]
    rows = [
        {
            "conflict": str(one.public_id),
            "in_favour_of": one.in_favour_of,
            "reason_commitment": ledger.commitment(one.reason, one.salt),
        }
        for one in conflicts
    ]
    alone = len(conflicts) == 1
    body: dict[str, Any] = {name: rows[0][name] for name in ("in_favour_of", "reason_commitment")}
    if not alone:
        root = merkle_root([canonical_json(row) for row in rows]).hex()
        body = {"conflicts": len(rows), "conflict_kind": first.kind, "merkle_root": root}
    ledger.record(
        kind=f"provenance.conflict.{status}" if alone else f"provenance.conflicts.{status}",
        subject_kind="conflict" if alone else "organisation",
        subject_id=first.public_id if alone else first.organisation.public_id,
        actor=by,
        organisation=first.organisation,
        now=now,
        body=body,
    )
