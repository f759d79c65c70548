"""Freezing: a dataset version is a manifest under a Merkle root, and never changes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Max, QuerySet

from governance import access, ledger
from governance.errors import NotFoundError
from governance.models import Organisation, Review, User
from lib.canonical import canonical_json
from lib.figures import counted
from lib.merkle import leaf_hash, merkle_root
from provenance import queries
from provenance.errors import (
    EmptyDatasetError,
    NotApprovedError,
    NotClearedError,
    ProtectedCollectionError,
    ProvenanceError,
)
from provenance.models import (
    Dataset,
    DatasetEntry,
    DatasetKind,
    DatasetVersion,
    Omission,
    VersionEntry,
)
from provenance.queries import Cleared
from provenance.rights.changes import loosenings
from provenance.rights.policy import ClearancePolicy
from provenance.rights.values import Use

MODEL_NAME = re.compile(r"[\w-]{1,180}(@[1-9][0-9]{0,8})?")


@dataclass(frozen=True)
class Frozen:
    version: DatasetVersion
    left_out: tuple[tuple[str, str], ...]  # (external id, why)
    is_new: bool  # False: a version with the same music for the same use stands already

    def as_json(self) -> dict[str, Any]:
        version = self.version
        return {
            "dataset": version.dataset.name,
            "version": version.number,
            "id": str(version.public_id),
            "recordings": version.n_recordings,
            "seconds": round(version.seconds, 3),
            "left_out": version.n_left_out,
            "new": self.is_new,
            "merkle_root": version.merkle_root,
            "use": {
                "purpose": version.purpose,
                "commercial": version.commercial,
                "territory": version.territory or None,
                "model": version.model or None,
                "at": version.cleared_as_of.isoformat() if version.cleared_as_of else None,
                "policy": version.policy_name,
            },
            "conditions_accepted": version.conditions_accepted,
        }


@transaction.atomic
def freeze_dataset(
    *,
    dataset: Dataset,
    use: Use,
    by: User,
    now: datetime,
    only_cleared: bool = False,
    only_listed: Sequence[str] | None = None,
    policy_name: str = "",
) -> Frozen:
    """Freeze what is cleared for ``use`` under the conditions that the dataset's approval accepted.

    Where the use names a model (``NAME`` or ``NAME@VERSION``) grants to that model count, and no other is trained on
    the version. ``only_listed`` names external ids; the rest is left aside without a word.

    Raises
    ------
    ProvenanceError
        If what names the model is no name of one.
    NotApprovedError
        If no approval of what the dataset now holds stands.
    NotClearedError
        If a recording is not cleared and ``only_cleared`` does not leave it out.
    """
    access.require(
        by, dataset.organisation, (*access.WRITES_DATASETS, *access.MAKES_MODELS), "freeze a dataset"
    )
    dataset = Dataset.objects.select_for_update().select_related("organisation").get(pk=dataset.pk)
    if dataset.kind != DatasetKind.TRAINING:
        raise ProtectedCollectionError(
            f"{dataset.name} is a protected collection: it is never frozen for training."
        )
    _require_model_name(use.model)
    approval = _approval(dataset)
    policy = _policy(dataset, policy_name, use)
    entries, omitted = _without_omitted(_entries(dataset, only_listed))
    taken, left_out = _sort_out(entries, use, policy, frozenset(approval.conditions))
    if left_out and not only_cleared:
        raise NotClearedError(_refusal(dataset, left_out))
    left_out = [*omitted, *left_out]
    if not taken:
        raise EmptyDatasetError(
            f"Nothing in {dataset.name} is cleared for this use: there is nothing to freeze."
        )
    version, is_new = _write(dataset, use, policy, approval, taken, len(left_out), by, now)
    if is_new:
        _record(version, dataset.organisation, by, now)
    return Frozen(version, tuple(left_out), is_new)


def _require_model_name(model: str) -> None:
    if model and not MODEL_NAME.fullmatch(model):
        raise ProvenanceError(f"{model!r} names no model: write NAME, or NAME@VERSION for one version of it.")


def _approval(dataset: Dataset) -> Review:
    approval = queries.approval_of(dataset)
    if approval is None:
        raise NotApprovedError(
            f"{dataset.name} is a draft: what it now holds is not approved. A compliance officer who registered "
            f'none of it runs approve_dataset {dataset.name} --as USER --reason "…".'
        )
    return approval


def _policy(dataset: Dataset, name: str, use: Use) -> ClearancePolicy:
    """Return the policy to freeze by: none that reads anything more loosely than the one in force now."""
    policy = queries.policy_of(dataset.organisation, name, at=use.at)
    in_force = queries.policy_of(dataset.organisation)
    if loose := loosenings(in_force, policy):
        more = f" and {len(loose) - 2} more" if len(loose) > 2 else ""
        raise NotClearedError(
            f"Policy {policy.reference} is looser than {in_force.reference}, which is in force: "
            f"{'; '.join(loose[:2])}{more}. Propose it (write_policy) and have it approved before freezing by it."
        )
    return policy


def _entries(dataset: Dataset, only_listed: Sequence[str] | None) -> QuerySet[DatasetEntry]:
    entries = queries.entries_of(dataset)
    if only_listed is None:
        return entries
    listed = entries.filter(external_id__in=only_listed)
    known = set(listed.values_list("external_id", flat=True))
    if unknown := sorted(set(only_listed) - known):
        raise NotFoundError(f"{dataset.name} has no {', '.join(unknown[:3])}: list external ids, one a line.")
    return listed


def _without_omitted(
    entries: QuerySet[DatasetEntry],
) -> tuple[QuerySet[DatasetEntry], list[tuple[str, str]]]:
    """Set aside what a steward left out, which stops no version; return the rest, and who it was and why."""
    standing = Omission.objects.filter(entry__in=entries.order_by(), taken_back_at=None)
    named = standing.order_by("entry__external_id").values_list("entry__external_id", "reason")
    omitted = [(external_id, f"left out: {reason}") for external_id, reason in named]
    return entries.exclude(pk__in=standing.values("entry")) if omitted else entries, omitted


def _sort_out(
    entries: QuerySet[DatasetEntry], use: Use, policy: ClearancePolicy, accepted: frozenset[str]
) -> tuple[list[Cleared], list[tuple[str, str]]]:
    taken, left_out = [], []
    for cleared in queries.clear_entries(entries, use=use, policy=policy):
        why = _why_not(cleared, accepted)
        if why:
            left_out.append((cleared.entry.external_id, why))
        else:
            taken.append(cleared)
    return taken, left_out


def _why_not(cleared: Cleared, accepted: frozenset[str]) -> str:
    recording = cleared.entry.recording
    if not recording.audio:
        return "there is no audio of it here: it can't be trained on"
    if not cleared.clearance.clears(accepted):
        missing = sorted(set(cleared.clearance.conditions) - accepted)
        if cleared.clearance.answer == "constrained" and missing:
            return f"constrained: {', '.join(missing)} not accepted"
        return cleared.clearance.answer
    return ""


def _refusal(dataset: Dataset, left_out: list[tuple[str, str]]) -> str:
    shown = "; ".join(f"{name} ({why})" for name, why in left_out[:3])
    more = f" and {len(left_out) - 3} more" if len(left_out) > 3 else ""
    return (
        f"{counted(len(left_out), 'recording')} of {dataset.name} {'is' if len(left_out) == 1 else 'are'} not cleared: "
        f"{shown}{more}. "
        "Resolve them, accept their conditions when approving, or freeze with --only-cleared."
    )


def _write(
    dataset: Dataset,
    use: Use,
    policy: ClearancePolicy,
    approval: Review,
    taken: list[Cleared],
    n_left_out: int,
    by: User,
    now: datetime,
) -> tuple[DatasetVersion, bool]:
    manifests = [manifest_of(cleared) for cleared in taken]
    leaves = [canonical_json(manifest) for manifest in manifests]
    root = merkle_root(leaves).hex()
    territory = "" if use.territory == "WORLD" else use.territory
    same = dataset.versions.filter(
        merkle_root=root,
        purpose=use.purpose,
        commercial=use.commercial,
        territory=territory,
        model=use.model,
        policy_sha256=policy.sha256,
        conditions_accepted=list(approval.conditions),
    ).first()
    if same is not None:
        return same, False
    last = dataset.versions.aggregate(last=Max("number"))["last"] or 0
    version = DatasetVersion.objects.create(
        dataset=dataset,
        number=last + 1,
        purpose=use.purpose,
        commercial=use.commercial,
        territory=territory,
        model=use.model,
        cleared_as_of=use.at,
        policy_name=policy.reference,
        policy_sha256=policy.sha256,
        conditions_accepted=list(approval.conditions),
        review_id=approval.public_id,
        n_recordings=len(taken),
        seconds=sum(cleared.entry.recording.seconds or 0.0 for cleared in taken),
        n_left_out=n_left_out,
        merkle_root=root,
        frozen_by=by,
        frozen_at=now,
    )
    VersionEntry.objects.bulk_create(
        VersionEntry(
            version=version,
            position=position,
            recording=cleared.entry.recording,
            external_id=cleared.entry.external_id,
            manifest=manifest,
            leaf_hash=leaf_hash(leaf).hex(),
        )
        for position, (cleared, manifest, leaf) in enumerate(zip(taken, manifests, leaves, strict=True))
    )
    return version, True


def manifest_of(cleared: Cleared) -> dict[str, Any]:
    """Return one leaf: which sound, and by whose leave it is here."""
    recording = cleared.entry.recording
    return {
        "recording": str(recording.public_id),
        "sha256": recording.sha256,
        "samples_sha256": recording.samples_sha256,
        "answer": cleared.clearance.answer,
        "master": _right(cleared, "master"),
        "composition": _right(cleared, "composition"),
    }


def _right(cleared: Cleared, right: str) -> dict[str, Any]:
    answer = getattr(cleared.clearance, right)
    return {
        "answer": answer.answer,
        "basis": answer.basis,
        "licence": answer.licence,
        "grant": answer.grant,
        "conditions": list(answer.conditions),
    }


def _record(version: DatasetVersion, organisation: Organisation, by: User, now: datetime) -> None:
    ledger.record(
        kind="provenance.dataset.frozen",
        subject_kind="dataset_version",
        subject_id=version.public_id,
        actor=by,
        organisation=organisation,
        now=now,
        body={
            "dataset": str(version.dataset.public_id),
            "version": version.number,
            "recordings": version.n_recordings,
            "merkle_root": version.merkle_root,
            "policy_sha256": version.policy_sha256,
            "purpose": version.purpose,
            "commercial": version.commercial,
            **({"model": version.model} if version.model else {}),
            "cleared_as_of": version.cleared_as_of.isoformat() if version.cleared_as_of else None,
            "review": str(version.review_id),
        },
    )
