"""What claimed shares leave open, overlap or dispute: found when claims change, and closed when they no longer do."""

import json
import secrets
from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db import transaction

from governance import ledger
from governance.models import Organisation, User
from lib.canonical import canonical_json, canonical_sha256
from lib.ids import new_public_id
from lib.merkle import merkle_root
from provenance import known
from provenance.bulk import copy_rows
from provenance.models import Conflict, ConflictStatus, Recording
from provenance.rights.shares import ShareFinding, share_findings

SHARE_KINDS = ("shares_gap", "shares_overlap", "claims_disagree")
WHY_SUPERSEDED = "The claims that it rested on have changed: they say this no more."
FIELDS = (
    *("key", "public_id", "organisation_id", "kind", "recording_a_id", "recording_b_id", "evidence_a"),
    *("evidence_b", "summary", "status", "in_favour_of", "reason", "salt", "found_at"),
)


@transaction.atomic
def find_share_conflicts(
    *, recordings: Collection[int], organisation: Organisation, by: User, now: datetime
) -> int:
    """Keep where claimed shares leave a gap, overlap or are disputed, one finding each; count the new ones.

    What is found again is not opened again. An open one whose cause is gone is superseded: it closes with the
    change of claims as its reason, and is a new finding should it ever be found again.
    """
    found = [
        (recording_id, finding)
        for recording_id, claims in known.claims_of(recordings).items()
        for finding in share_findings(claims)
    ]
    names = _names({recording_id for recording_id, _ in found})
    rows = {}
    for recording_id, finding in found:
        public_id, title = names[recording_id]
        evidence = _evidence(finding)
        key = _key(public_id, finding, evidence)
        summary = f"{title or public_id}: {finding.says}"[:1000]
        rows[key] = (
            *(key, new_public_id(), organisation.pk, finding.kind, recording_id, recording_id),
            *(json.dumps(evidence), "{}", summary, ConflictStatus.OPEN.value, "", "", "", now),
        )
    _supersede(recordings, rows.keys(), organisation, by, now)
    told = Conflict.objects.filter(known.AnyOf("key", rows), organisation=organisation)
    for key in told.values_list("key", flat=True):
        del rows[key]
    if rows:
        copy_rows(Conflict, FIELDS, rows.values())
        leaves = [canonical_json({"key": key}) for key in rows]
        _record("found", leaves, organisation, by, now, grown=0)
    return len(rows)


def _names(recordings: Collection[int]) -> dict[int, tuple[str, str]]:
    rows = Recording.objects.filter(known.AnyOf("id", recordings)).values_list("pk", "public_id", "title")
    return {pk: (str(public_id), title) for pk, public_id, title in rows}


def _evidence(finding: ShareFinding) -> dict[str, Any]:
    return {
        "right": finding.right,
        "source": finding.source,
        "claimed by": [
            f"{claim.party}, {'share not said' if claim.share is None else f'{claim.share:g} %'} ({claim.source})"
            for claim in finding.claims
        ],
        "where": list(finding.territory),
    }


def _key(recording: str, finding: ShareFinding, evidence: dict[str, Any]) -> str:
    return canonical_sha256({"kind": finding.kind, "recording": recording, "says": finding.says, **evidence})


def _supersede(
    recordings: Collection[int], keys: Collection[str], organisation: Organisation, by: User, now: datetime
) -> None:
    """Close what is open about the shares of ``recordings`` and is not found any more."""
    standing = Conflict.objects.filter(
        known.AnyOf("recording_a_id", recordings),
        organisation=organisation,
        kind__in=SHARE_KINDS,
        status=ConflictStatus.OPEN,
    )
    gone = [one for one in standing.select_for_update().order_by("id") if one.key not in keys]
    if not gone:
        return
    for one in gone:
        one.status, one.resolved_by, one.resolved_at = ConflictStatus.SUPERSEDED, by, now
        one.reason, one.salt = WHY_SUPERSEDED, secrets.token_hex(16)
        one.key = canonical_sha256({"superseded": str(one.public_id), "key": one.key})
    Conflict.objects.bulk_update(
        gone, ["status", "resolved_by", "resolved_at", "reason", "salt", "key"], batch_size=500
    )
    leaves = [canonical_json({"conflict": str(one.public_id)}) for one in gone]
    _record("superseded", leaves, organisation, by, now)


def _record(
    deed: str, leaves: list[bytes], organisation: Organisation, by: User, now: datetime, **more: int
) -> None:
    ledger.record(
        kind=f"provenance.conflicts.{deed}",
        subject_kind="organisation",
        subject_id=organisation.public_id,
        actor=by,
        organisation=organisation,
        now=now,
        body={"conflicts": len(leaves), **more, "merkle_root": merkle_root(leaves).hex()},
    )
