"""A house in which two labels' music lies together, with people of every kind: who may read what, and who writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.test import Client
from django.utils import timezone

from audit.models import Assessment, Campaign, Report
from generation.models import Check, Generation, GenerationState
from governance import jobs
from governance import services as governance
from governance.models import Member, Organisation, Policy, Question, Review, Role, User
from provenance import services
from provenance.models import (
    Catalogue,
    Conflict,
    Dataset,
    DatasetKind,
    EvidenceDocument,
    ExceptionMemo,
    Grant,
    IndexBuild,
    MemoRecording,
    Party,
    Recording,
    Reservation,
    ReservationRecording,
    RightsClaim,
)
from provenance.rights.policy import ClearancePolicy
from tests.audit import scene as rows
from tests.generation.case_scene import NOW, CaseHouse, a_case_house, opened

OTHERS = "zorban"  # stands in every word about the other holder's music, and in none about the label's
ROLES = {
    "officer": Role.COMPLIANCE_OFFICER,
    "steward": Role.DATA_STEWARD,
    "engineer": Role.ML_ENGINEER,
    "label": Role.LABEL_AUDITOR,
    "auditor": Role.EXTERNAL_AUDITOR,
}
CALLERS = (*ROLES, "expired", "stranger", "strange_label", "nobody")


@dataclass(frozen=True)
class House:
    """Cellar Records granted ``harbour``; Zorban Music holds ``quay``, and the composition of ``harbour``."""

    case: CaseHouse
    callers: Mapping[str, User | None]
    ids: Mapping[str, Any]
    clients: Mapping[str, Client]

    @property
    def label(self) -> User:
        user = self.callers["label"]
        if user is None:
            raise LookupError("the label signs in")
        return user


def a_house(folder: Path) -> House:
    case = a_case_house(folder, songs=("Harbour", "Lighthouse", "Zorban Nocturne"))
    place = case.organisation
    cellar = _people(case, place)
    harbour, _, quay = case.recordings
    party = Party.objects.get(organisation=place, name="Cellar Records")
    party.stands_for = cellar
    party.save(update_fields=["stands_for"])
    other = Party.objects.create(organisation=place, name="Zorban Music")
    _rename(quay)
    _claims(party, other, harbour, quay)
    theirs = _their_grant(case, other, quay)
    output = case.output_like(harbour, state=GenerationState.HELD)
    their_output = case.output_like(quay, state=GenerationState.HELD)
    theirs_alone = _their_collection(case, quay, output)
    Generation.objects.filter(pk=their_output.pk).update(prompt="a zorban tune")
    for made in (output, their_output):
        default_storage.save(made.audio, ContentFile(b"RIFF"))
    ids: dict[str, Any] = {
        "dataset": case.frozen.dataset,
        "their_dataset": theirs_alone,
        "version": case.frozen,
        "index": case.index,
        "recording": harbour,
        "their_recording": quay,
        "grant": case.grant,
        "their_grant": theirs,
        "conflict": _conflict(case, quay),
        "claim": RightsClaim.objects.filter(party=party)[0],
        "their_claim": RightsClaim.objects.filter(party=other)[0],
        "reservation": _reservation(case, party, harbour),
        "their_reservation": _reservation(case, other, quay),
        "memo": _memo(case, quay),
        "model": case.version.model,
        "model_version": case.version,
        "output": output,
        "their_output": their_output,
        "check": _brought(case, quay),
        "review": _review(case, by=case.steward),
        "job": _job(case),
        "catalogue": _catalogue(case, folder),
        "policy": _policy(case),
        **_judged(case),
        "party": party,
        "evidence": theirs.agreement,
        "case": opened(case),
    }
    ids["catalogue_row"] = ids["catalogue"].rows.order_by("id").first()
    callers = _callers(case)
    return House(
        case,
        callers,
        {name: row.public_id for name, row in ids.items()},
        {name: _signed_in(user) for name, user in callers.items()},
    )


def _signed_in(user: User | None) -> Client:
    client = Client(raise_request_exception=False)
    if user is not None:
        client.force_login(user)
    return client


def _people(case: CaseHouse, place: Organisation) -> Organisation:
    cellar = Organisation.objects.create(name="Cellar Ltd")
    Member.objects.create(user=case.label, organisation=cellar, role=Role.LABEL_AUDITOR, valid_from=rows.NOW)
    elsewhere = Organisation.objects.create(name="Elsewhere")
    expired = User.objects.create_user("expired")
    stranger = User.objects.create_user("stranger")
    for role in Role.values:
        Member.objects.create(user=stranger, organisation=elsewhere, role=role, valid_from=rows.NOW)
        Member.objects.create(
            user=expired,
            organisation=place,
            role=role,
            valid_from=rows.NOW,
            valid_until=rows.NOW + timedelta(hours=1),
        )
    label = User.objects.create_user("strange_label")
    Member.objects.create(user=label, organisation=elsewhere, role=Role.LABEL_AUDITOR, valid_from=rows.NOW)
    return cellar


def _callers(case: CaseHouse) -> dict[str, User | None]:
    people: dict[str, User | None] = {name: case.scene.users[role] for name, role in ROLES.items()}
    others = {user.username: user for user in User.objects.filter(username__in=CALLERS)}
    return {**people, **others, "nobody": None}


def _rename(quay: Recording) -> None:
    quay.artist = "Zorban Trio"
    quay.save(update_fields=["artist"])
    quay.entries.update(
        external_id="zorban-1", title="Zorban Nocturne", artist="Zorban Trio", source_path="zorban/1.wav"
    )
    for entry in quay.entries.all():
        entry.registration.source_name = "zorban-delivery.csv"
        entry.registration.save(update_fields=["source_name"])
        entry.statements.update(holders=["Zorban Music"], quote="(c) Zorban Music", raw="Zorban licence")


def _claims(party: Party, other: Party, harbour: Recording, quay: Recording) -> None:
    common = {"source": "steward", "share_percent": 100}
    RightsClaim.objects.create(recording=harbour, party=party, right="master", **common)
    RightsClaim.objects.create(recording=harbour, party=other, right="composition", role="zorban", **common)
    for right in ("master", "composition"):
        RightsClaim.objects.create(recording=quay, party=other, right=right, evidence="zorban.pdf", **common)


def _their_grant(case: CaseHouse, other: Party, quay: Recording) -> Grant:
    agreement = EvidenceDocument.objects.create(
        organisation=case.organisation,
        kind="agreement",
        name="zorban-deal.pdf",
        sha256=rows.a_hash("zorban deal"),
        file="evidence/none",
        size_bytes=1,
        received_at=rows.NOW,
        received_from=case.steward,
        confidential=True,
    )
    grant = Grant.objects.create(
        organisation=case.organisation,
        licensor=other,
        licensee=case.grant.licensee,
        right="master",
        purposes=["ai_generative_training"],
        document="zorban-deal.pdf",
        agreement=agreement,
        remuneration_terms="zorban: a third",
        attribution="by Zorban",
        registered_by=case.steward,
        registered_at=rows.NOW,
        key=rows.a_hash("zorban grant"),
    )
    grant.subjects.create(recording=quay)
    return grant


def _their_collection(case: CaseHouse, quay: Recording, checked: Generation) -> Dataset:
    """A protected collection of the other holder's, that an output was checked against: its name says whose it is."""
    collection = rows.a_dataset(case.scene, "zorban-masters")
    Dataset.objects.filter(pk=collection.pk).update(kind=DatasetKind.PROTECTED)
    entry = quay.entries.get()
    registration = collection.registrations.create(
        format="csv",
        source_name="zorban-masters.csv",
        source_sha256=rows.a_hash("zorban masters"),
        registered_by=case.steward,
        registered_at=rows.NOW,
    )
    collection.entries.create(
        registration=registration, recording=quay, external_id="zorban-1", row=1, title=entry.title
    )
    of_it = {"pk": None, "dataset": collection, "version": None, "contents_sha256": rows.a_hash("theirs")}
    build = IndexBuild(**{**_values(case.index), **of_it, "public_id": uuid4()})
    build.save()
    for check in checked.checks.all():
        check.against.add(collection)
        check.indexes.add(build)
    return collection


def _values(build: IndexBuild) -> dict[str, Any]:
    return {
        field.name: getattr(build, field.name)
        for field in build._meta.concrete_fields
        if not field.primary_key
    }


def _conflict(case: CaseHouse, quay: Recording) -> Conflict:
    conflict = rows.a_conflict(case.scene, quay)
    conflict.summary = "Zorban's tag disagrees with Zorban's file."
    conflict.save(update_fields=["summary"])
    return conflict


def _reservation(case: CaseHouse, party: Party, recording: Recording) -> Reservation:
    held = Reservation.objects.create(
        organisation=case.organisation,
        source="declared" if "declared" in _sources() else _sources()[0],
        party=party,
        location=f"https://{party.name.split()[0].lower()}.example/",
        raw=f"{party.name} reserves.",
        declared_at=rows.NOW,
        recorded_at=rows.NOW,
        recorded_by=case.steward,
        key=rows.a_hash(f"reservation {party.pk}"),
    )
    ReservationRecording.objects.create(reservation=held, recording=recording)
    return held


def _sources() -> list[str]:
    return [str(value) for value, _ in Reservation._meta.get_field("source").choices or ()]


def _memo(case: CaseHouse, quay: Recording) -> ExceptionMemo:
    memo = ExceptionMemo.objects.create(
        organisation=case.organisation,
        provision="Zorban v. the house",
        signed_by="Zorban counsel",
        lawful_access="bought",
        purposes=["ai_generative_training"],
        recorded_by=case.officer,
        recorded_at=rows.NOW,
    )
    MemoRecording.objects.create(memo=memo, recording=quay)
    return memo


def _brought(case: CaseHouse, quay: Recording) -> Check:
    made = rows.an_output(case.scene, case.version)
    check = rows.a_check(made, case.index, "review", matched=quay)
    Check.objects.filter(pk=check.pk).update(generation=None, file_name="zorban-demo.wav")
    return check


def _review(case: CaseHouse, *, by: User) -> Review:
    return governance.ask_review(
        question=Question.DATASET_APPROVAL,
        subject_kind="dataset",
        subject_id=case.frozen.dataset.public_id,
        subject_name="tides with zorban",
        organisation=case.organisation,
        asked_by=by,
        now=NOW,
    )


def _job(case: CaseHouse) -> Any:
    return governance.queue_job(
        kind=next(iter(jobs.KINDS)),
        organisation=case.organisation,
        asked_by=case.steward,
        now=NOW,
        subject_kind="dataset",
        subject_name="zorban-upload",
        arguments={},
    )


def _catalogue(case: CaseHouse, folder: Path) -> Catalogue:
    source = folder / "cellar.csv"
    source.write_text("external_id,isrc,title,artist\nc-1,GB-AAA-26-00000,Harbour,Cellar\n", encoding="utf-8")
    return services.keep_catalogue(
        source=source, name="Cellar", by=case.label, organisation=case.organisation, now=timezone.now()
    )


def _policy(case: CaseHouse) -> Policy:
    policy, _ = services.propose_policy(
        organisation=case.organisation,
        policy=ClearancePolicy("careful", readings=(("copyleft-training", "strict"),)),
        by=case.steward,
        reason="Counsel's memo of March.",
        now=timezone.now(),
    )
    return policy


def _judged(case: CaseHouse) -> dict[str, Any]:
    assessment = Assessment.objects.create(
        model_version=case.version,
        framework="raim",
        framework_version="1",
        n_features=0,
        n_evidenced=0,
        assessed_by=case.officer,
        assessed_at=NOW,
    )
    campaign = Campaign.objects.create(
        organisation=case.organisation,
        model_version=case.version,
        kind="memorisation",
        settings={},
        figures={"closest": "Zorban Nocturne"},
        run_by=case.officer,
        started_at=NOW,
    )
    report = Report.objects.create(
        assessment=assessment,
        folder="zorban-none",
        snapshot_sha256=rows.a_hash("snapshot"),
        signature="none",
        key_id="none",
        issued_by=case.officer,
        issued_at=NOW,
    )
    return {"assessment": assessment, "campaign": campaign, "report": report}


WRITES = ("INSERT", "UPDATE", "DELETE", "TRUNCATE", "MERGE")
OF_THE_VISIT = (
    "django_session",
    "knox_authtoken",
)  # being signed in is kept too, and is no change of anything


@contextmanager
def writes_seen() -> Iterator[list[str]]:
    """Collect every statement that would change a row, but for those about the visit itself."""
    found: list[str] = []

    def look(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        written = str(sql).lstrip().upper()
        if written.startswith(WRITES) and not any(table in str(sql) for table in OF_THE_VISIT):
            found.append(str(sql)[:200])
        return execute(sql, params, many, context)

    with connection.execute_wrapper(look):
        yield found
