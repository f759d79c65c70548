"""Cases: taking them in, finding out who asks about what, deciding for each model, and answering with proof."""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from generation import answers, queries
from generation.errors import GenerationError
from generation.models import (
    Case,
    CaseAnswer,
    CaseChannel,
    CaseDecision,
    CaseKind,
    CaseRecording,
    CaseState,
    CaseTerms,
    Generation,
    ModelVersion,
    Remedy,
)
from generation.queries.answers import answer_payload
from governance import access, ledger, signing
from governance import services as governance
from governance.errors import ConflictError, NotAllowedError, PartMissingError
from governance.models import Organisation, Role, User
from lib.words import keepable
from provenance import queries as provenance_queries
from provenance import services as provenance
from provenance.errors import IrrevocableError
from provenance.models import Grant, Recording
from provenance.rights import identifiers
from provenance.services.declaring import Declaration, declare_reservation
from provenance.similarity.chromaprint import FingerprintError
from provenance.similarity.fingerprint import AudioFingerprint

FILES = (Role.LABEL_AUDITOR, Role.DATA_STEWARD, Role.COMPLIANCE_OFFICER)
TRIAGES = (Role.DATA_STEWARD, Role.COMPLIANCE_OFFICER)
SETS_TERMS = (Role.COMPLIANCE_OFFICER,)
ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # nothing that is misread over the telephone
MAX_ISRCS, MAX_TITLES, MAX_URLS = 5000, 500, 100
MAX_WORDS = 10_000
MIN_CONTACT = 5


class UnclearCaseError(GenerationError):
    """What was filed can't be worked with; the message has everything that is wrong with it."""

    code = "unclear_case"
    status = 422


@dataclass(frozen=True)
class Filing:
    """What somebody asks. ``fingerprint`` is a file that ``fingerprint_audio`` wrote; ``sound`` a name in the storage."""

    kind: str
    holder: str
    contact: str = ""
    holds: str = ""
    words: str = ""
    isrcs: tuple[str, ...] = ()
    titles: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    grant: Grant | None = None
    output: Generation | None = None
    sound: str = ""
    sound_name: str = ""
    fingerprint: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Filed:
    """``secret`` opens the holder's page, and is shown this once: only its hash is kept."""

    case: Case
    secret: str


@transaction.atomic
def file_case(*, filing: Filing, organisation: Organisation, by: User | None, now: datetime) -> Filed:
    """Take in what a holder asks: a stranger (``by`` is None), a label for itself, or a member for somebody.

    A label that revokes a grant it names is known and has said what it wants: the grant ends at once.

    Raises
    ------
    UnclearCaseError
        With everything that is wrong with it.
    """
    if by is not None:
        access.require(by, organisation, FILES, "file a case")
    elif organisation not in queries.takes_cases():
        raise NotAllowedError(f"{organisation} takes no cases by this form.")
    clean = _checked(filing, organisation, stranger=by is None)
    secret = secrets.token_urlsafe(24)
    case = Case.objects.create(
        reference=_reference(),
        secret_sha256=secret_hash(secret),
        organisation=organisation,
        channel=_channel(by, organisation),
        salt=secrets.token_hex(16),
        filed_by=by,
        filed_at=now,
        due_on=queries.terms_of(organisation).due_on(clean.kind, now.date()),
        **{name: getattr(clean, name) for name in _FILED},
    )
    record_deed(case, "filed", by or governance.system_user(), now, _filed_body(case))
    if case.channel == CaseChannel.LABEL and case.kind == CaseKind.REVOKE and _ends_at_once(case):
        label = by or governance.system_user()
        _open(case, label, f"Signed in as {label.username}, label auditor.", (), {}, now)
    return Filed(case, secret)


_FILED = (
    *("kind", "holder", "contact", "holds", "words", "isrcs", "titles", "urls"),
    *("grant", "output", "sound", "sound_name", "fingerprint"),
)


def secret_hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _reference() -> str:
    drawn = "".join(secrets.choice(ALPHABET) for _ in range(8))
    return f"{drawn[:4]}-{drawn[4:]}"


def _channel(by: User | None, organisation: Organisation) -> CaseChannel:
    if by is None:
        return CaseChannel.PUBLIC
    return CaseChannel.BEHALF if access.may(by, organisation, TRIAGES) else CaseChannel.LABEL


def _ends_at_once(case: Case) -> bool:
    return case.grant is not None and case.grant.revocable


def _filed_body(case: Case) -> dict[str, Any]:
    said = {"holder": case.holder, "contact": case.contact, "words": case.words, "holds": case.holds}
    return {
        "kind": case.kind,
        "channel": case.channel,
        "due_on": case.due_on.isoformat(),
        "grant": str(case.grant.public_id) if case.grant else None,
        "output": str(case.output.public_id) if case.output else None,
        **{f"{name}_commitment": ledger.commitment(words, case.salt) for name, words in said.items()},
    }


def _checked(filing: Filing, organisation: Organisation, *, stranger: bool) -> Filing:
    """Return the filing with its words fit to be kept, or refuse it with all that is wrong."""
    clean = replace(
        filing,
        holder=keepable(filing.holder).strip(),
        contact=keepable(filing.contact).strip(),
        holds=keepable(filing.holds).strip(),
        words=keepable(filing.words).strip(),
        isrcs=tuple(dict.fromkeys(_isrc(one) for one in filing.isrcs if one.strip())),
        titles=tuple(dict.fromkeys(keepable(one).strip() for one in filing.titles if one.strip())),
        urls=tuple(dict.fromkeys(keepable(one).strip() for one in filing.urls if one.strip())),
    )
    problems = [*_missing(clean, stranger), *_too_much(clean), *_foreign(clean, organisation)]
    if clean.fingerprint is not None:
        try:
            AudioFingerprint.unpack(clean.fingerprint)
        except FingerprintError as error:
            problems.append(f"the fingerprint can't be read: {error} (fingerprint_audio writes such files)")
    if problems:
        raise UnclearCaseError("; ".join(problems)[:2000])
    return clean


def _isrc(written: str) -> str:
    checked = identifiers.isrc(keepable(written))
    return checked.compact if checked.valid else keepable(written).strip()


def _missing(clean: Filing, stranger: bool) -> list[str]:
    problems = []
    if clean.kind not in CaseKind.values:
        problems.append(f"no kind {clean.kind!r}: choose among {', '.join(CaseKind.values)}")
    if not clean.holder:
        problems.append("say who holds the rights")
    if stranger and (
        len(clean.contact) < MIN_CONTACT or not any(one in clean.contact for one in "@0123456789")
    ):
        problems.append("say how to reach you: an e-mail address or a telephone number")
    about = (clean.isrcs, clean.titles, clean.urls, clean.sound, clean.fingerprint, clean.grant, clean.output)
    if not any(about):
        problems.append(
            "name at least one recording: an ISRC, a title, an address, a sound file or a fingerprint"
        )
    if bad := [isrc for isrc in clean.isrcs if not identifiers.isrc(isrc).valid]:
        problems.append(f"no ISRC: {', '.join(bad[:3])} (two letters, three characters, seven digits)")
    if bad := [url for url in clean.urls if not url.startswith(("https://", "http://"))]:
        problems.append(f"no address: {', '.join(bad[:3])} (it starts with https://)")
    return problems


def _too_much(clean: Filing) -> list[str]:
    limits = (
        ("ISRCs", clean.isrcs, MAX_ISRCS),
        ("titles", clean.titles, MAX_TITLES),
        ("addresses", clean.urls, MAX_URLS),
    )
    problems = [f"{len(said)} {name}: at most {most}" for name, said, most in limits if len(said) > most]
    if any(len(one) > 500 for one in clean.titles) or any(len(one) > 2000 for one in clean.urls):
        problems.append("a title has at most 500 characters, an address 2,000")
    if len(clean.holder) > 300 or len(clean.contact) > 300:
        problems.append("a name and a contact have at most 300 characters each")
    if len(clean.words) > MAX_WORDS or len(clean.holds) > MAX_WORDS:
        problems.append(f"at most {MAX_WORDS:,} characters in your own words")
    return problems


def _foreign(clean: Filing, organisation: Organisation) -> list[str]:
    problems = []
    if clean.grant is not None and clean.grant.organisation_id != organisation.pk:
        problems.append(f"{organisation} has no such grant")
    if clean.output is not None and clean.output.model_version.model.organisation_id != organisation.pk:
        problems.append(f"{organisation} has no such output")
    return problems


@transaction.atomic
def accept_case(
    *,
    case: Case,
    recordings: Mapping[Recording, str],
    verified_how: str,
    by: User,
    now: datetime,
    kind: str = "",
    grant: Grant | None = None,
) -> Case:
    """Link a case to recordings (each with why), record who checked whose they are and how, and let it bind.

    What it asks of the rights is done now: a grant ends, an opt-out is declared. Models trained on the recordings
    close their gates by themselves.

    Raises
    ------
    UnclearCaseError
        If it is said of nothing, or a grant is to end that nobody named.
    """
    access.require(by, case.organisation, TRIAGES, "accept a case")
    held = _locked(case, CaseState.FILED)
    if not verified_how.strip():
        raise UnclearCaseError("Say who the holder is and how that was checked.")
    if any(recording.organisation_id != held.organisation_id for recording in recordings):
        raise UnclearCaseError(f"A recording is none of {held.organisation}.")
    if kind:
        if kind not in CaseKind.values:
            raise UnclearCaseError(f"There is no kind {kind!r}: choose among {', '.join(CaseKind.values)}.")
        held.kind = kind
    if grant is not None:
        held.grant = grant
    _open(held, by, verified_how.strip(), tuple(recordings), recordings, now)
    return held


def _open(
    case: Case,
    by: User,
    verified_how: str,
    recordings: Sequence[Recording],
    because: Mapping[Recording, str],
    now: datetime,
) -> None:
    linked = {recording.pk: because.get(recording, "") or "named by a person" for recording in recordings}
    done: dict[str, Any] = {}
    if case.kind == CaseKind.REVOKE:
        done |= _end_grant(case, by, now, linked)
    if not linked and case.kind != CaseKind.INQUIRY:
        raise UnclearCaseError("Link at least one recording: a case about nothing binds nothing.")
    case.state = CaseState.OPEN
    case.verified_by, case.verified_at, case.verified_how = by, now, keepable(verified_how)
    case.save(update_fields=["state", "kind", "grant", "verified_by", "verified_at", "verified_how"])
    CaseRecording.objects.bulk_create(
        [
            CaseRecording(case=case, recording_id=pk, because=why[:300], linked_by=by, linked_at=now)
            for pk, why in linked.items()
        ],
        batch_size=2000,
    )
    if case.kind == CaseKind.OPT_OUT:
        done |= _reserve(case, by, now)
    body = {
        "kind": case.kind,
        "recordings": len(linked),
        "verified_commitment": ledger.commitment(case.verified_how, case.salt),
        **done,
    }
    record_deed(case, "opened", by, now, body)


def _end_grant(case: Case, by: User, now: datetime, linked: dict[int, str]) -> dict[str, Any]:
    """End the deal that is revoked, after the notice that it asks for, and link what it was given for."""
    if case.grant is None:
        raise UnclearCaseError(
            "Name the grant that is revoked. Where the holder never gave one, take the case in as an opt-out."
        )
    deal = Grant.objects.filter(organisation=case.organisation, deal=case.grant.deal)
    subjects = Recording.objects.filter(grant_links__grant__in=deal).distinct()
    linked |= {pk: linked.get(pk, "named by the grant") for pk in subjects.values_list("pk", flat=True)}
    try:
        ended = provenance.revoke_grant(
            grant=case.grant, by=by, reason=f"Case {case.reference}.", now=now, bring_forward=False
        )  # withdrawn with its effect, a case gives back what it ended, and no more
    except IrrevocableError as error:
        raise UnclearCaseError(
            "By its terms this deal is irrevocable. Where it ends all the same, revoke it first on its own page, "
            "which asks why; or take the case in as an opt-out, or reject it."
        ) from error
    except ConflictError:  # it was revoked before: the case asks what becomes of the models
        ended = ()
    return {"grants_revoked": [str(grant.public_id) for grant in ended]}


def _reserve(case: Case, by: User, now: datetime) -> dict[str, Any]:
    named = queries.recordings_of(case).values_list("public_id", flat=True)
    declared = declare_reservation(
        declaration=Declaration(
            recordings=tuple(str(public_id) for public_id in named), declared_at=case.filed_at
        ),
        organisation=case.organisation,
        by=by,
        now=now,
    )
    return {"reservation": str(declared.reservation.public_id)}


@transaction.atomic
def reject_case(*, case: Case, reason: str, by: User, now: datetime) -> CaseAnswer:
    """Turn a case down before it binds anything; the holder reads the reason, signed like any answer."""
    access.require(by, case.organisation, TRIAGES, "reject a case")
    held = _locked(case, CaseState.FILED)
    if held.filed_by_id == by.pk or by.is_system:
        raise NotAllowedError(f"{by.username} filed this case: somebody else must reject it.")
    if not reason.strip():
        raise UnclearCaseError("Rejecting a case needs a reason: the holder reads it.")
    return _close(held, CaseState.REJECTED, reason, by, now)


@transaction.atomic
def decide_case(
    *,
    case: Case,
    version: ModelVersion,
    remedy: str,
    reason: str,
    by: User,
    now: datetime,
    until: date | None = None,
) -> CaseDecision:
    """Decide what becomes of one model because of a case; the newest decision counts, at once.

    Raises
    ------
    ConflictError
        If the case binds nothing, does not reach the model, or the recordings can't be blocked because no index
        covers them.
    """
    access.require(by, case.organisation, access.DECIDES, "decide a case")
    held = _locked(case, CaseState.OPEN, CaseState.ANSWERED)
    if held.filed_by_id == by.pk or by.is_system:
        raise NotAllowedError(f"{by.username} filed this case: somebody else must decide it.")
    if held.kind == CaseKind.INQUIRY:
        raise ConflictError("An inquiry is answered; there is nothing to decide about a model.")
    if not queries.models_affected(held).filter(pk=version.pk).exists():
        raise ConflictError(f"{version} was not trained on what this case is about.")
    _require_remedy(remedy, reason, until, now)
    if remedy == Remedy.BLOCK:
        _require_index(version)
    decision = CaseDecision.objects.create(
        case=held,
        model_version=version,
        remedy=remedy,
        until=until,
        reason=keepable(reason.strip()),
        reasons_known=_reasons_now(held, version, now) if remedy == Remedy.BLOCK else [],
        salt=secrets.token_hex(16),
        decided_by=by,
        decided_at=now,
    )
    body = {
        "decision": str(decision.public_id),
        "model_version": str(version.public_id),
        "remedy": decision.remedy,
        "until": until.isoformat() if until else None,
        "reason_commitment": ledger.commitment(decision.reason, decision.salt),
    }
    record_deed(held, "decided", by, now, body)
    return decision


def _require_remedy(remedy: str, reason: str, until: date | None, now: datetime) -> None:
    if remedy not in Remedy.values:
        raise UnclearCaseError(f"There is no remedy {remedy!r}: choose among {', '.join(Remedy.values)}.")
    if not reason.strip():
        raise UnclearCaseError("A decision needs a reason: the holder reads it.")
    if remedy == Remedy.NEGOTIATE and (until is None or until <= now.date()):
        raise UnclearCaseError("Say until which day terms are negotiated: one that is still to come.")
    if remedy != Remedy.NEGOTIATE and until is not None:
        raise UnclearCaseError("Only negotiating has a day by which it ends.")


def _require_index(version: ModelVersion) -> None:
    """Refuse to rely on blocking where an output could hold a recording and nobody would hear it."""
    frozen = version.dataset_version
    build = provenance_queries.latest_index(frozen.dataset, frozen) if frozen else None
    if build is None or not build.covers_all:
        covered = f"covers {build.n_recordings} of {build.n_expected}" if build else "is missing"
        raise ConflictError(
            f"Nothing can be blocked at the output of {version}: the index of {frozen} {covered}. "
            f"Run index_dataset {frozen}, or have it retrained."
        )


def _reasons_now(case: Case, version: ModelVersion, now: datetime) -> list[str]:
    frozen = version.dataset_version
    if frozen is None:
        return []
    use = provenance_queries.use_for(
        purpose=frozen.purpose,
        commercial=frozen.commercial,
        territory=frozen.territory,
        at=now,
        model=str(version),
    )
    policy = provenance_queries.policy_of(frozen.dataset.organisation, frozen.policy_name)
    entries = provenance_queries.entries_of(frozen.dataset, frozen).filter(recording__case_links__case=case)
    cleared = provenance_queries.clear_entries(entries, use=use, policy=policy)
    return sorted({reason for one in cleared for reason in queries.reasons_of(one.clearance)})


@transaction.atomic
def answer_case(*, case: Case, words: str, by: User, now: datetime) -> CaseAnswer:
    """Answer the holder: which models, how many seconds, under which contract, what was decided; signed.

    A case that was decided further after its answer is answered anew; the earlier answer stays.

    Raises
    ------
    ConflictError
        If a model that the case reaches is not decided about.
    """
    access.require(by, case.organisation, access.DECIDES, "answer a case")
    held = _locked(case, CaseState.OPEN, CaseState.ANSWERED)
    if held.filed_by_id == by.pk or by.is_system:
        raise NotAllowedError(f"{by.username} filed this case: somebody else must answer it.")
    if not words.strip():
        raise UnclearCaseError("Say in a sentence or two what the holder is told.")
    waiting = queries.undecided(held) if held.kind != CaseKind.INQUIRY else []
    if waiting:
        names = ", ".join(str(version) for version in waiting[:3])
        more = f" and {len(waiting) - 3} more" if len(waiting) > 3 else ""
        raise ConflictError(f"Decide first about {names}{more}: the answer says what becomes of each.")
    return _close(held, CaseState.ANSWERED, words, by, now)


def _close(case: Case, state: CaseState, words: str, by: User, now: datetime) -> CaseAnswer:
    case.state = state
    case.closed_by, case.closed_at, case.closing_words = by, now, keepable(words.strip())
    case.save(update_fields=["state", "closed_by", "closed_at", "closing_words"])
    try:
        key = signing.load_or_create_key(Path(settings.KEY_DIR))
    except signing.KeyFileError as error:
        raise PartMissingError(f"The answer can't be signed: {error}.") from error
    number = case.answers.count() + 1
    payload = answer_payload(case, number=number, now=now)
    sealed = answers.seal(payload, key)
    answer = CaseAnswer.objects.create(
        case=case,
        number=number,
        payload=payload,
        sha256=sealed.sha256,
        key_id=sealed.key_id,
        public_key=sealed.public_key,
        signature=sealed.signature,
        issued_by=by,
        issued_at=now,
    )
    record_deed(case, str(state), by, now, {"answer": number, "answer_sha256": sealed.sha256})
    return answer


def sealed_answer(answer: CaseAnswer) -> bytes:
    """Return the file that the holder takes away."""
    sealed = answers.Sealed(answer.sha256, answer.key_id, answer.public_key, answer.signature)
    return answers.sealed_file(answer.payload, sealed)


@transaction.atomic
def set_case_terms(
    *,
    organisation: Organisation,
    days: Mapping[str, int],
    by: User,
    now: datetime,
    public_form: bool | None = None,
) -> CaseTerms:
    """Set in how many days cases of each kind are answered. Those on the table keep the day they were given."""
    access.require(by, organisation, SETS_TERMS, "set the terms of cases")
    if unknown := sorted(set(days) - set(CaseKind.values)):
        raise UnclearCaseError(f"There is no kind {', '.join(unknown)}: {', '.join(CaseKind.values)}.")
    if bad := [kind for kind, n in days.items() if not 1 <= n <= 365]:
        raise UnclearCaseError(f"Between 1 and 365 days, for {', '.join(bad)} too.")
    terms, _ = CaseTerms.objects.select_for_update().get_or_create(organisation=organisation)
    for kind, n in days.items():
        setattr(terms, f"{kind}_days", n)
    if public_form is not None:
        terms.public_form = public_form
    terms.save(update_fields=[*(f"{kind}_days" for kind in CaseKind.values), "public_form"])
    ledger.record(
        kind="generation.case.terms_set",
        subject_kind="organisation",
        subject_id=organisation.public_id,
        actor=by,
        organisation=organisation,
        now=now,
        body={
            **{f"{kind}_days": terms.days_for(kind) for kind in CaseKind.values},
            "public_form": terms.public_form,
        },
    )
    return terms


def _locked(case: Case, *states: CaseState) -> Case:
    held = (
        Case.objects.select_for_update(of=("self",))
        .select_related("organisation", "grant", "output", "filed_by")
        .get(pk=case.pk)
    )
    if held.state not in states:
        raise ConflictError(f"The case is {held.get_state_display().lower()}: that can't be done now.")
    return held


def record_deed(case: Case, deed: str, by: User, now: datetime, body: Mapping[str, Any]) -> None:
    ledger.record(
        kind=f"generation.case.{deed}",
        subject_kind="case",
        subject_id=case.public_id,
        actor=by,
        organisation=case.organisation,
        now=now,
        body=dict(body),
    )
