"""Bilateral deals: registering grants, and revoking them."""

import csv
import hashlib
import io
import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from governance import access, ledger
from governance.errors import ConflictError
from governance.models import Organisation, User
from lib.canonical import canonical_sha256
from lib.ids import new_public_id
from provenance.errors import ProvenanceError
from provenance.models import Grant, GrantRecording, Party, Recording, Right
from provenance.rights.terms import conditions as known_conditions
from provenance.rights.territory import UnknownTerritory, normalise
from provenance.rights.values import PURPOSES

COLUMNS = (
    "licensor",
    "licensee",
    "right",
    "recordings",
    "works",
    "dataset",
    "purposes",
    "commercial",
    "territory",
    "valid_from",
    "valid_until",
    "model_scope",
    "conditions",
    "document",
)
OBLIGATORY = ("licensor", "licensee", "right", "purposes")


@dataclass(frozen=True)
class GrantOutcome:
    row: int
    status: str  # registered, duplicate or rejected
    grants: tuple[Grant, ...] = ()
    n_recordings: int = 0
    reasons: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "row": self.row,
            "status": self.status,
            "deal": str(self.grants[0].deal) if self.grants else None,
            "grants": [str(grant.public_id) for grant in self.grants],
            "grant": str(self.grants[0].public_id) if self.grants else None,
            "rights": {grant.right: str(grant.public_id) for grant in self.grants},
            "recordings": self.n_recordings,
            "reasons": list(self.reasons),
        }


def register_grants(
    *,
    source: Path,
    by: User,
    organisation: Organisation,
    now: datetime,
    dry_run: bool = False,
    tell: Callable[[GrantOutcome], None] | None = None,
) -> list[GrantOutcome]:
    """Register each good row of a CSV, JSON or JSON-lines file of deals; a bad row is rejected with its reasons."""
    access.require(by, organisation, access.WRITES_DATASETS, "register a grant")
    outcomes = []
    for row, deal in read_deals(source):
        with transaction.atomic():
            outcome = _register_deal(row, deal, source.parent, by, organisation, now)
            if dry_run:
                transaction.set_rollback(True)
        outcomes.append(outcome)
        if tell is not None:
            tell(outcome)
    return outcomes


def read_deals(source: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (row, deal) of a file of deals.

    Raises
    ------
    ProvenanceError
        If it can't be read, or lacks obligatory columns: all of them are named at once.
    """
    try:
        text = source.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ProvenanceError(f"There is no file {source}.") from None
    except UnicodeDecodeError as error:
        raise ProvenanceError(
            f"{source.name} is not UTF-8 (byte {error.start}): save it as UTF-8."
        ) from error
    except OSError as error:
        raise ProvenanceError(f"{source} can't be read: {error.strerror}.") from error
    if source.suffix.lower() in {".json", ".jsonl", ".ndjson"}:
        yield from enumerate(_json_deals(text, source.name), start=1)
        return
    reader = csv.DictReader(io.StringIO(text, newline=""))
    if missing := [column for column in OBLIGATORY if column not in (reader.fieldnames or [])]:
        raise ProvenanceError(
            f"{source.name} lacks the columns {', '.join(missing)}; a file of grants has {', '.join(COLUMNS)}."
        )
    for row in reader:
        yield reader.line_num, {name: (value or "").strip() for name, value in row.items() if name}


def _json_deals(text: str, name: str) -> list[dict[str, Any]]:
    try:
        deals = (
            json.loads(text)
            if text.lstrip().startswith("[")
            else [json.loads(line) for line in text.splitlines() if line.strip()]
        )
    except json.JSONDecodeError as error:
        raise ProvenanceError(f"{name} is not JSON: {error.msg} in line {error.lineno}.") from error
    if not all(isinstance(deal, dict) for deal in deals):
        raise ProvenanceError(f"{name} holds something that is no deal: each is one JSON object.")
    return list(deals)


def _register_deal(
    row: int, deal: Mapping[str, Any], folder: Path, by: User, organisation: Organisation, now: datetime
) -> GrantOutcome:
    problems: list[str] = []
    terms = _terms(deal, folder, problems)
    recordings = _subjects(deal, organisation, problems)
    if problems:
        return GrantOutcome(row, "rejected", reasons=tuple(problems))
    rights = terms.pop("rights")
    keys = {right: _key(right, terms, recordings) for right in rights}
    known = {
        grant.right: grant for grant in Grant.objects.filter(organisation=organisation, key__in=keys.values())
    }
    joined = next(iter(known.values())).deal if known else new_public_id()
    grants, fresh = [], False
    for right in rights:
        grant = known.get(right)
        if grant is None:
            fresh = True
            grant = _save(right, keys[right], joined, terms, recordings, by, organisation, now)
        grants.append(grant)
    status = "registered" if fresh else "duplicate"
    return GrantOutcome(row, status, tuple(grants), len(recordings))


def _terms(deal: Mapping[str, Any], folder: Path, problems: list[str]) -> dict[str, Any]:
    terms: dict[str, Any] = {
        "licensor": str(deal.get("licensor") or "").strip(),
        "licensee": str(deal.get("licensee") or "").strip(),
        "rights": _rights(str(deal.get("right") or ""), problems),
        "purposes": _listed(deal.get("purposes")),
        "commercial": _flag(deal.get("commercial", True), problems),
        "territory": _territory(_listed(deal.get("territory")), problems),
        "valid_from": _day(deal.get("valid_from"), "valid_from", problems),
        "valid_until": _day(deal.get("valid_until"), "valid_until", problems),
        "model_scope": _listed(deal.get("model_scope")),
        "conditions": _listed(deal.get("conditions")),
        "document": str(deal.get("document") or "").strip(),
    }
    problems += [f"{name} is empty" for name in ("licensor", "licensee", "purposes") if not terms[name]]
    if unknown := [purpose for purpose in terms["purposes"] if purpose not in PURPOSES]:
        problems.append(f"no purpose {', '.join(unknown)}: choose among {', '.join(PURPOSES)}")
    if unknown := [condition for condition in terms["conditions"] if condition not in known_conditions()]:
        problems.append(
            f"no condition {', '.join(unknown)}: choose among {', '.join(sorted(known_conditions()))}"
        )
    if terms["valid_from"] and terms["valid_until"] and terms["valid_until"] <= terms["valid_from"]:
        problems.append("valid_until is not after valid_from (its end is exclusive)")
    terms["document_sha256"] = _document_sha256(terms["document"], folder)
    return terms


def _rights(raw: str, problems: list[str]) -> list[str]:
    if raw in {"both", "all"}:
        return [Right.MASTER.value, Right.COMPOSITION.value]
    if raw in Right.values:
        return [raw]
    problems.append(f"no right {raw!r}: write master, composition or both")
    return []


def _listed(raw: Any) -> list[str]:
    parts: Sequence[Any] = raw if isinstance(raw, list) else str(raw or "").split(";")
    return [str(part).strip() for part in parts if str(part).strip()]


def _flag(raw: Any, problems: list[str]) -> bool:
    word = str(raw).strip().lower()
    if word in {"", "true", "1", "yes"}:
        return True
    if word in {"false", "0", "no"}:
        return False
    problems.append(f"commercial is {raw!r}: write true or false")
    return False


def _territory(codes: list[str], problems: list[str]) -> list[str]:
    known = []
    for code in codes:
        try:
            known.append(normalise(code))
        except UnknownTerritory as error:
            problems.append(str(error))
    return known


def _day(raw: Any, name: str, problems: list[str]) -> date | None:
    if not raw:
        return None
    try:
        return date.fromisoformat(str(raw).strip())
    except ValueError:
        problems.append(f"{name} is {raw!r}: write YYYY-MM-DD")
        return None


def _document_sha256(document: str, folder: Path) -> str:
    path = folder / document if document else None
    if path is None or not path.is_file():
        return ""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _subjects(deal: Mapping[str, Any], organisation: Organisation, problems: list[str]) -> list[Recording]:
    named, works = _listed(deal.get("recordings")), _listed(deal.get("works"))
    dataset = str(deal.get("dataset") or "").strip()
    found: dict[int, Recording] = {}
    own = Recording.objects.filter(organisation=organisation)
    if dataset:
        own = own.filter(entries__dataset__name=dataset)
        if not own.exists():
            problems.append(f"no dataset {dataset!r} with recordings")
    for name in named:
        hits = own.filter(
            Q(entries__external_id=name)
            | Q(isrc=name.replace("-", "").upper())
            | Q(sha256=name.lower())
            | Q(public_id=_uuid(name))
        ).distinct()
        if not hits:
            problems.append(f"no recording {name!r} (external id, ISRC, sha256 or id)")
        found.update({recording.pk: recording for recording in hits})
    for iswc in works:
        hits = own.filter(work__iswc=iswc)
        if not hits:
            problems.append(f"no recording of work {iswc!r}")
        found.update({recording.pk: recording for recording in hits})
    if dataset and not named and not works:
        found.update({recording.pk: recording for recording in own.distinct()})
    if not found and not problems:
        problems.append("the deal names no recordings, works or dataset")
    return [found[key] for key in sorted(found)]


def _uuid(name: str) -> str | None:
    compact = name.replace("-", "")
    is_uuid = len(compact) == 32 and all(letter in "0123456789abcdefABCDEF" for letter in compact)
    return name if is_uuid else None


def _key(right: str, terms: Mapping[str, Any], recordings: list[Recording]) -> str:
    return canonical_sha256(
        {
            **{
                name: value.isoformat() if isinstance(value, date) else value for name, value in terms.items()
            },
            "right": right,
            "recordings": [str(recording.public_id) for recording in recordings],
        }
    )


def _save(
    right: str,
    key: str,
    deal: UUID,
    terms: Mapping[str, Any],
    recordings: list[Recording],
    by: User,
    organisation: Organisation,
    now: datetime,
) -> Grant:
    licensor, _ = Party.objects.get_or_create(organisation=organisation, name=terms["licensor"])
    licensee, _ = Party.objects.get_or_create(organisation=organisation, name=terms["licensee"])
    grant = Grant.objects.create(
        **{**terms, "licensor": licensor, "licensee": licensee},
        organisation=organisation,
        deal=deal,
        right=right,
        registered_by=by,
        registered_at=now,
        key=key,
    )
    GrantRecording.objects.bulk_create(
        GrantRecording(grant=grant, recording=recording) for recording in recordings
    )
    ledger.record(
        kind="provenance.grant.registered",
        subject_kind="grant",
        subject_id=grant.public_id,
        actor=by,
        organisation=organisation,
        now=now,
        body={"deal": str(deal), "right": right, "terms_sha256": key, "recordings": len(recordings)},
    )
    return grant


@transaction.atomic
def revoke_grant(
    *,
    grant: Grant,
    by: User,
    reason: str,
    now: datetime,
    revoked_from: datetime | None = None,
    right: str = "",
) -> tuple[Grant, ...]:
    """End the deal a grant belongs to, or its one ``right``, and return the grants that ended.

    From ``revoked_from`` on, nothing is cleared by them. What was trained stays on record.
    """
    access.require(by, grant.organisation, access.REVOKES_GRANTS, "revoke a grant")
    if not reason.strip():
        raise ProvenanceError("Revoking a grant needs a reason.")
    standing = _standing(grant, right)
    for one in standing:
        _revoke(one, by, reason.strip(), now, revoked_from or now)
    return standing


def _standing(grant: Grant, right: str) -> tuple[Grant, ...]:
    """Lock and return what of a deal is to be revoked and still stands."""
    of_deal = Grant.objects.filter(organisation_id=grant.organisation_id, deal=grant.deal)
    deal = list(of_deal.select_for_update().order_by("id"))
    wanted = [one for one in deal if right in ("", one.right)]
    if not wanted:
        granted = " and ".join(one.right for one in deal)
        raise ProvenanceError(f"This deal grants no {right}, only the {granted}.")
    standing = tuple(one for one in wanted if one.revoked_at is None)
    if not standing:
        raise ConflictError("This grant is revoked already.")
    return standing


def _revoke(grant: Grant, by: User, reason: str, now: datetime, revoked_from: datetime) -> None:
    salt = secrets.token_hex(16)
    grant.revoked_at = now
    grant.revoked_from = revoked_from
    grant.revoked_by = by
    grant.revocation_reason = reason
    grant.revocation_salt = salt
    grant.save(
        update_fields=["revoked_at", "revoked_from", "revoked_by", "revocation_reason", "revocation_salt"]
    )
    grant.subjects.filter(exclusive=True).update(exclusive=False)  # another may be given the same now
    ledger.record(
        kind="provenance.grant.revoked",
        subject_kind="grant",
        subject_id=grant.public_id,
        actor=by,
        organisation=grant.organisation,
        now=now,
        body={
            "deal": str(grant.deal),
            "right": grant.right,
            "from": revoked_from.isoformat(),
            "recordings": grant.subjects.count(),
            "reason_commitment": ledger.commitment(reason, salt),
        },
    )
