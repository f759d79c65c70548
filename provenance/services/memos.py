"""Memos of a named person that a statutory exception covers a use of recordings lawfully had."""

from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction

from governance import access, ledger
from governance.errors import ConflictError
from governance.models import Organisation, User
from provenance.errors import ProvenanceError, UnknownDatasetError
from provenance.models import EvidenceKind, ExceptionMemo, MemoRecording, Recording
from provenance.rights.territory import read_territory
from provenance.rights.values import PURPOSES
from provenance.services.binding import recordings_by_name
from provenance.services.evidence import keep_evidence

LINKS_A_CHUNK = 2000


@dataclass(frozen=True)
class MemoTerms:
    """What a memo says. ``dataset`` stands for the recordings that it holds on the day of recording, no later ones."""

    provision: str
    signed_by: str
    lawful_access: str
    purposes: tuple[str, ...]
    territory: tuple[str, ...] = ()
    valid_from: date | None = None
    valid_until: date | None = None
    text: str = ""
    recordings: tuple[str, ...] = ()
    dataset: str = ""
    document_name: str = ""
    document: bytes = b""


@transaction.atomic
def record_memo(*, terms: MemoTerms, organisation: Organisation, by: User, now: datetime) -> ExceptionMemo:
    """Record a memo. Only a compliance officer may, and she answers for it together with whoever signed.

    Raises
    ------
    ProvenanceError
        With everything that is missing or wrong.
    """
    access.require(by, organisation, access.DECIDES, "record a statutory-exception memo")
    problems = _problems(terms)
    territory, unknown = read_territory(terms.territory)
    problems += unknown
    if terms.territory and not territory and not unknown:
        problems.append("territory is the world: name the countries whose law it is")
    recordings = _subjects(terms, organisation, problems)
    if problems:
        raise ProvenanceError("; ".join(problems))
    document = None
    if terms.document:
        document = keep_evidence(
            organisation=organisation,
            kind=EvidenceKind.MEMO,
            name=terms.document_name or "memo",
            content=terms.document,
            by=by,
            now=now,
            effective_on=terms.valid_from,
            confidential=True,
        )
    memo = ExceptionMemo.objects.create(
        organisation=organisation,
        provision=terms.provision.strip(),
        purposes=sorted(set(terms.purposes)),
        territory=territory,
        valid_from=terms.valid_from,
        valid_until=terms.valid_until,
        signed_by=terms.signed_by.strip(),
        lawful_access=terms.lawful_access.strip(),
        text=terms.text,
        document=document,
        recorded_by=by,
        recorded_at=now,
    )
    MemoRecording.objects.bulk_create(
        (MemoRecording(memo=memo, recording_id=pk) for pk in recordings), batch_size=LINKS_A_CHUNK
    )
    body = {"purposes": memo.purposes, "recordings": len(recordings)}
    _tell("recorded", memo, by, now, {**body, "document": document.sha256 if document else None})
    return memo


def _problems(terms: MemoTerms) -> list[str]:
    asked = {
        "provision": (terms.provision, "which statute and article"),
        "signed_by": (terms.signed_by, "who signed: a person's name"),
        "lawful_access": (terms.lawful_access, "how the recordings were lawfully had"),
    }
    problems = [f"{name} is empty: say {what}" for name, (words, what) in asked.items() if not words.strip()]
    problems += [
        f"{name} has {len(words.strip())} characters: 300 at most"
        for name, (words, _) in asked.items()
        if name != "lawful_access" and len(words.strip()) > 300
    ]
    if not terms.territory:
        problems.append(
            "territory is empty: name the countries whose law it is; no statute holds in all the world"
        )
    if not terms.purposes:
        problems.append("purposes is empty: a memo is about a use")
    if unknown := [purpose for purpose in terms.purposes if purpose not in PURPOSES]:
        problems.append(f"no purpose {', '.join(unknown)}: choose among {', '.join(PURPOSES)}")
    if terms.valid_from and terms.valid_until and terms.valid_until <= terms.valid_from:
        problems.append("valid_until is not after valid_from (its end is exclusive)")
    return problems


def _subjects(terms: MemoTerms, organisation: Organisation, problems: list[str]) -> list[int]:
    own = Recording.objects.filter(organisation=organisation)
    if terms.dataset:
        own = own.filter(entries__dataset__name=terms.dataset)
        if not own.exists():
            raise UnknownDatasetError(f"There is no dataset {terms.dataset} with recordings.")
    named = list(recordings_by_name(terms.recordings, own))
    known = {name for _, name in named}
    problems += [
        f"there is no recording {name} (external id, ISRC, sha256 or id)"
        for name in terms.recordings
        if name not in known
    ]
    found = {pk for pk, _ in named}
    if terms.dataset and not terms.recordings:
        found = set(own.values_list("pk", flat=True))
    if not found and not problems:
        problems.append("name recordings or a dataset: a memo is about recordings lawfully had")
    return sorted(found)


@transaction.atomic
def withdraw_memo(*, memo: ExceptionMemo, by: User, reason: str, now: datetime) -> ExceptionMemo:
    """End a memo: nothing is cleared by it any more, of the past either, for the exception is not claimed any more.

    Answers that rested on it say that it was withdrawn, and when; why is read by those who read memos.
    """
    held = ExceptionMemo.objects.select_for_update().get(pk=memo.pk)
    access.require(by, held.organisation, access.DECIDES, "withdraw a memo")
    if held.withdrawn_at is not None:
        raise ConflictError("This memo is withdrawn already.")
    if not reason.strip():
        raise ProvenanceError("Withdrawing a memo needs a reason.")
    held.withdrawn_at, held.withdrawn_by, held.withdrawal_reason = now, by, reason.strip()
    held.save(update_fields=["withdrawn_at", "withdrawn_by", "withdrawal_reason"])
    _tell("withdrawn", held, by, now, {"recordings": held.subjects.count()})
    return held


def _tell(deed: str, memo: ExceptionMemo, by: User, now: datetime, body: dict[str, object]) -> None:
    ledger.record(
        kind=f"provenance.memo.{deed}",
        subject_kind="memo",
        subject_id=memo.public_id,
        actor=by,
        organisation=memo.organisation,
        now=now,
        body=body,
    )
