"""Holding a model against a framework: what rows show, what people attest, and what nobody has shown."""

from datetime import date, datetime

from django.db import transaction

from audit import access, evidence, queries
from audit.errors import AuditError
from audit.frameworks import loader
from audit.frameworks.loader import Feature
from audit.models import Assessment, Attestation, Conformance, FeatureAnswer
from generation.models import ModelVersion
from governance import ledger
from governance.access import require
from governance.errors import NotAllowedError
from governance.models import User
from lib.canonical import canonical_sha256


def assess(*, version: ModelVersion, framework: str = "raim", by: User, now: datetime) -> Assessment:
    """Answer every feature of a framework as things stand now.

    Raises
    ------
    UnknownFrameworkError
        If there is none of that name; the message lists those there are.
    """
    require(by, version.model.organisation, access.ASSESSES, "assess a model")
    frame = loader.load(framework)
    with transaction.atomic():
        facts = evidence.gather(version, at=now)
        answers = evidence.collect(frame, facts, queries.newest_attestations(version, frame.id))
        assessment = Assessment.objects.create(
            model_version=version,
            framework=frame.id,
            framework_version=frame.version,
            n_features=len(frame.features),
            n_evidenced=sum(bool(answer.evidence) for answer in answers.values()),
            assessed_by=by,
            assessed_at=now,
        )
        rows = [
            FeatureAnswer(
                assessment=assessment,
                feature=feature,
                conformance=answer.conformance,
                reason=answer.reason,
                evidence=list(answer.evidence),
            )
            for feature, answer in answers.items()
        ]
        FeatureAnswer.objects.bulk_create(rows)
        ledger.record(
            kind="audit.assessment.made",
            subject_kind="assessment",
            subject_id=assessment.public_id,
            actor=by,
            organisation=version.model.organisation,
            now=now,
            body={
                "framework": f"{frame.id} {frame.version}",
                "model_version": str(version.public_id),
                "answers_sha256": canonical_sha256(
                    [[row.feature, row.conformance, row.evidence] for row in rows]
                ),
            },
        )
    return assessment


def attest(
    *,
    version: ModelVersion,
    framework: str,
    feature: str,
    conformance: str,
    reason: str,
    by: User,
    now: datetime,
    evidence: str = "",
    evidence_sha256: str = "",
    effective_on: date | None = None,
) -> Attestation:
    """Record a person's word on one feature, with the document or address that it rests on.

    Where the framework asks for measurements the word is kept as the maker's reason and changes no answer.

    Raises
    ------
    AuditError
        If the feature is unknown, the reason is empty, or more is claimed than the evidence given bears out.
    """
    require(by, version.model.organisation, access.ATTESTS, "attest a feature")
    if by.is_system:
        raise NotAllowedError("A command can't attest: name a person with --as.")
    _check_claim(_feature(framework, feature), conformance, reason, evidence)
    on = effective_on or now.date()
    if on > now.date():
        raise AuditError(f"{on.isoformat()} has not come yet: a person attests what is, not what is planned.")
    with transaction.atomic():
        attestation = Attestation.objects.create(
            model_version=version,
            framework=framework,
            feature=feature,
            conformance=conformance,
            reason=reason.strip(),
            evidence=evidence.strip(),
            evidence_sha256=evidence_sha256,
            effective_on=on,
            attested_by=by,
            attested_at=now,
        )
        ledger.record(
            kind="audit.feature.attested",
            subject_kind="attestation",
            subject_id=attestation.public_id,
            actor=by,
            organisation=version.model.organisation,
            now=now,
            body={
                "model_version": str(version.public_id),
                "feature": f"{framework} {feature}",
                "conformance": conformance,
                "evidence_sha256": evidence_sha256,
                "effective_on": on.isoformat(),
            },
        )
    return attestation


def _feature(framework: str, feature: str) -> Feature:
    frame = loader.load(framework)
    for known in frame.features:
        if known.id == feature:
            return known
    raise AuditError(
        f"{frame.id} has no feature {feature!r}: it has {frame.features[0].id} to {frame.features[-1].id}."
    )


def _check_claim(feature: Feature, conformance: str, reason: str, evidence: str) -> None:
    if conformance not in Conformance.values or conformance == Conformance.NOT_ASSESSED:
        known = ", ".join(value for value in Conformance.values if value != Conformance.NOT_ASSESSED)
        raise AuditError(f"{conformance!r} is no answer: choose one of {known}.")
    if not reason.strip():
        raise AuditError("An attestation needs a reason.")
    if conformance in {Conformance.MET, Conformance.PARTLY} and not evidence.strip():
        raise AuditError(
            f"{feature.id} can't be attested as {conformance} without evidence: name a document or address."
        )
    if conformance == Conformance.NOT_APPLICABLE and not feature.not_applicable:
        raise AuditError(f"{feature.id} knows no 'not applicable'.")
