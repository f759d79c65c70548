"""Issuing signed reports, and checking them from their files alone."""

import json
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.conf import settings
from django.db import transaction

from audit import access, queries
from audit.errors import ReportRefusedError
from audit.models import Assessment, Report
from audit.reports import bundle
from audit.reports.bundle import ReportFolderError, Verification
from audit.reports.snapshot import SnapshotError
from audit.services.assessing import assess
from audit.services.snapshots import snapshot_of
from generation.models import ModelVersion
from governance import ledger, signing
from governance.access import require
from governance.models import User
from lib.canonical import sha256_hex
from lib.ids import new_public_id

FRAMEWORK = "raim"


def issue_report(*, version: ModelVersion, out: Path, by: User, now: datetime) -> Report:
    """Write a signed report to ``out``, keep a copy, and say so in the ledger, which comes last.

    Assesses first where the newest assessment does not know of the newest check, campaign or decision.

    Raises
    ------
    ReportRefusedError
        If ``out`` can't take a report; it is then as it was.
    """
    require(by, version.model.organisation, access.ISSUES_REPORTS, "issue a report")
    assessment = _current_assessment(version, by, now)
    try:
        key = signing.load_or_create_key(Path(settings.KEY_DIR))
    except signing.KeyFileError as error:
        raise ReportRefusedError(f"The report can't be signed: {error}.") from error
    public_id = new_public_id()
    said = snapshot_of(assessment, report_id=public_id, key_id=key.key_id, now=now)
    was_there = out.exists()
    try:
        bundle.write_report(out, said, key)
    except (ReportFolderError, SnapshotError, OSError) as error:
        raise ReportRefusedError(f"The report can't be written: {error}.") from error
    kept = Path(settings.REPORT_DIR) / str(public_id)
    try:
        _keep_copy(out, kept)
        return _record(public_id, assessment, kept, key.key_id, by, now)
    except BaseException:
        shutil.rmtree(kept, ignore_errors=True)
        if not was_there:
            shutil.rmtree(out, ignore_errors=True)
        raise


def verify_report(folder: Path, public_key: Ed25519PublicKey | None = None) -> Verification:
    """Check a report from its files. Without a key, this installation's own is used where it has one.

    Asks no database and makes no key.

    Raises
    ------
    ReportFolderError
        If there is no such folder.
    """
    return bundle.verify(folder, public_key or own_public_key())


def own_public_key() -> Ed25519PublicKey | None:
    """Return the key that this installation signs with, as far as it has one."""
    path = Path(settings.KEY_DIR) / signing.PUBLIC_NAME
    return signing.load_public_key(path) if path.exists() else None


def _current_assessment(version: ModelVersion, by: User, now: datetime) -> Assessment:
    newest = queries.newest_assessment(version, FRAMEWORK)
    if newest is not None and newest.assessed_at > queries.last_change_of(version):
        return newest
    return assess(version=version, framework=FRAMEWORK, by=by, now=now)


def _keep_copy(source: Path, kept: Path) -> None:
    kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = kept.with_name(f".{kept.name}.part")
    try:
        shutil.copytree(source, part)
        part.rename(kept)
    finally:
        shutil.rmtree(part, ignore_errors=True)


@transaction.atomic
def _record(
    public_id: Any, assessment: Assessment, kept: Path, key_id: str, by: User, now: datetime
) -> Report:
    signature = json.loads((kept / bundle.SIGNATURE_NAME).read_bytes())["signature"]
    report = Report.objects.create(
        public_id=public_id,
        assessment=assessment,
        folder=kept.name,
        snapshot_sha256=sha256_hex((kept / bundle.JSON_NAME).read_bytes()),
        signature=signature,
        key_id=key_id,
        issued_by=by,
        issued_at=now,
    )
    ledger.record(
        kind="audit.report.issued",
        subject_kind="report",
        subject_id=report.public_id,
        actor=by,
        organisation=assessment.model_version.model.organisation,
        now=now,
        body={
            "model_version": str(assessment.model_version.public_id),
            "assessment": str(assessment.public_id),
            "snapshot_sha256": report.snapshot_sha256,
            "key_id": key_id,
            "signature": signature,
        },
    )
    return report
