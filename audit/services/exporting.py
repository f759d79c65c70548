"""Writing what is known of a dataset or a model in the formats that others read."""

import json
import mimetypes
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings

from audit import queries
from audit.errors import AuditError
from audit.exports.cyclonedx import cyclonedx
from audit.exports.dataset_card import dataset_card
from audit.exports.eu_summary import eu_summary
from audit.exports.facts import ModelFacts, model_facts
from audit.exports.model_card import model_card
from audit.exports.musgo import musgo
from audit.exports.prov import prov
from audit.models import Assessment, FeatureAnswer
from audit.services.snapshots import assessment_of
from generation import queries as generation
from generation.errors import UnknownModelError
from generation.models import ModelVersion
from governance.models import Organisation
from lib.figures import counted
from provenance import queries as provenance
from provenance.errors import UnknownDatasetError
from provenance.exports.attribution import attribution_csv
from provenance.exports.croissant import croissant
from provenance.exports.odrl import CONTEXT, agreement, cleared
from provenance.exports.register import (
    ExportedClaim,
    ExportedDataset,
    ExportedIdentifier,
    ExportedRecording,
    ExportedWork,
)
from provenance.exports.royalties import as_row, royalty_csv, royalty_parts, totals
from provenance.exports.tdmrep import reserved, tdmrep
from provenance.known import grant_value, rights_of
from provenance.models import (
    Dataset,
    DatasetEntry,
    DatasetKind,
    DatasetVersion,
    Grant,
    GrantRecording,
    Party,
    Recording,
    RecordingIdentifier,
    RightsClaim,
    Work,
)
from provenance.rights.values import WORLD, RecordingRights
from provenance.rights.values import Claim as ClaimValue

FORMAT_ROYALTY = "liner-notes-royalty-basis/1"
FORMAT_RAIM = "liner-notes-raim/1"
PARTY_IDS = ("isni", "ipi_name", "ipi_base", "dpid")
DatasetWriter = Callable[[Dataset, DatasetVersion | None], str]
ModelWriter = Callable[[ModelFacts], str]


def export(*, kind: str, subject: str, organisations: Sequence[Organisation], now: datetime) -> str:
    """Return the text of one export.

    Raises
    ------
    AuditError
        If the kind is unknown, or is not for a subject of this sort; the message lists what is.
    """
    if kind in BASES:
        return _royalty_basis(kind, subject, organisations, now)
    if kind in DATASET_KINDS:
        dataset, version = _dataset_named(kind, subject, organisations)
        return DATASET_KINDS[kind](dataset, version)
    if kind in MODEL_KINDS:
        return MODEL_KINDS[kind](model_facts(_model_named(kind, subject, organisations), at=now))
    raise AuditError(f"There is no export {kind!r}: choose one of {', '.join(KINDS)}.")


def _dataset_named(
    kind: str, subject: str, organisations: Sequence[Organisation]
) -> tuple[Dataset, DatasetVersion | None]:
    try:
        return provenance.dataset_named(subject, organisations)
    except UnknownDatasetError as error:
        if _exists(generation.model_version_named, subject, organisations):
            raise AuditError(
                f"{subject} is a model, and {kind} describes datasets. Exports of a model: "
                f"{', '.join((*MODEL_KINDS, *BASES))}."
            ) from error
        raise


def _model_named(kind: str, subject: str, organisations: Sequence[Organisation]) -> ModelVersion:
    try:
        return generation.model_version_named(subject, organisations)
    except UnknownModelError as error:
        if _exists(provenance.dataset_named, subject, organisations):
            raise AuditError(
                f"{subject} is a dataset, and {kind} describes models. Exports of a dataset: "
                f"{', '.join((*DATASET_KINDS, *BASES))}."
            ) from error
        raise


def _exists(
    named: Callable[[str, Sequence[Organisation]], object],
    subject: str,
    organisations: Sequence[Organisation],
) -> bool:
    try:
        named(subject, organisations)
    except (UnknownDatasetError, UnknownModelError):
        return False
    return True


# ── Datasets ──────────────────────────────────────────────────────────────────────────────────────


def exported(dataset: Dataset, version: DatasetVersion | None) -> ExportedDataset:
    """Read a dataset, frozen or draft, as the values that exports are made of."""
    entries = provenance.entries_of(dataset, version)
    manifests = (
        {leaf.recording_id: leaf.manifest for leaf in version.entries.all()} if version is not None else {}
    )
    read = list(rights_of(entries))
    known = _known_besides([entry.recording_id for entry, _ in read])
    rows = tuple(
        _exported_recording(entry, rights, manifests.get(entry.recording_id, {}), known)
        for entry, rights in read
    )
    return ExportedDataset(
        name=dataset.name,
        version=str(version.number) if version else "draft",
        description=_description(dataset, version, len(rows)),
        url=f"urn:uuid:{(version or dataset).public_id}",
        creator=dataset.organisation.name,
        published_on=(version.frozen_at if version else dataset.changed_at).date(),
        recordings=rows,
        merkle_root=version.merkle_root if version else "",
        conditions=tuple(version.conditions_accepted) if version else (),
        party_ids=_party_ids(dataset, rows),
    )


@dataclass(frozen=True)
class _Known:
    """What the register knows of recordings besides what clears them, by the recordings' keys."""

    works: dict[int, ExportedWork]
    claims: dict[int, list[ExportedClaim]]
    identifiers: dict[int, list[ExportedIdentifier]]


def _known_besides(recording_ids: list[int]) -> _Known:
    works = {
        work.pk: ExportedWork(
            f"urn:uuid:{work.public_id}",
            work.title,
            work.iswc,
            tuple(sorted(party.name for party in work.composers.all())),
        )
        for work in Work.objects.filter(recordings__in=recording_ids).distinct().prefetch_related("composers")
    }
    of_recording = Recording.objects.filter(pk__in=recording_ids, work__isnull=False)
    claims: dict[int, list[ExportedClaim]] = defaultdict(list)
    claimed = RightsClaim.objects.filter(recording__in=recording_ids, withdrawn_at=None)
    for claim in claimed.select_related("party").order_by("id"):
        claims[claim.recording_id].append(ExportedClaim(_claim_value(claim), claim.evidence))
    identifiers: dict[int, list[ExportedIdentifier]] = defaultdict(list)
    for one in RecordingIdentifier.objects.filter(recording__in=recording_ids).order_by("id"):
        identifiers[one.recording_id].append(ExportedIdentifier(one.scheme, one.written, one.source))
    return _Known(
        {pk: works[work_id] for pk, work_id in of_recording.values_list("pk", "work_id") if work_id},
        claims,
        identifiers,
    )


def _claim_value(claim: RightsClaim) -> ClaimValue:
    return ClaimValue(
        right=claim.right,  # type: ignore[arg-type]  # the database holds known rights only
        party=claim.party.name,
        share=None if claim.share_percent is None else float(claim.share_percent),
        role=claim.role,
        territory=tuple(claim.territory),
        valid_from=claim.valid_from,
        valid_until=claim.valid_until,
        source=claim.source,
    )


def _party_ids(dataset: Dataset, rows: Sequence[ExportedRecording]) -> dict[str, dict[str, str]]:
    names = {one.claim.party for row in rows for one in row.claims}
    names |= {name for row in rows if row.work is not None for name in row.work.composers}
    parties = Party.objects.filter(organisation=dataset.organisation, name__in=names).order_by("name")
    found = {
        party.name: {scheme: getattr(party, scheme) for scheme in PARTY_IDS if getattr(party, scheme)}
        for party in parties
    }
    return {name: ids for name, ids in found.items() if ids}


def _description(dataset: Dataset, version: DatasetVersion | None, n_recordings: int) -> str:
    if version is None:
        kind = "protected collection" if dataset.kind == DatasetKind.PROTECTED else "draft"
        return f"A {kind} of {counted(n_recordings, 'recording')}, registered with licences and evidence."
    use = f"{version.purpose.replace('_', ' ')}{', commercial' if version.commercial else ''}"
    use += f", by the model {version.model} alone," if version.model else ""
    return f"{counted(n_recordings, 'recording')}, frozen for {use} under the policy {version.policy_name}."


def _exported_recording(
    entry: DatasetEntry, rights: RecordingRights, manifest: dict[str, Any], known: _Known
) -> ExportedRecording:
    recording = entry.recording
    path = entry.source_path or (entry.external_id if recording.audio else "")
    master, composition = manifest.get("master") or {}, manifest.get("composition") or {}
    return ExportedRecording(
        id=f"urn:uuid:{recording.public_id}",
        external_id=entry.external_id,
        sha256=recording.sha256 or "",
        path=path,
        media_type=mimetypes.guess_type(path)[0] or "",
        n_bytes=recording.size_bytes,
        seconds=recording.seconds,
        title=entry.title or recording.title,
        artist=entry.artist or recording.artist,
        isrc=recording.isrc,
        source_url=entry.source_url,
        statements=rights.statements,
        master_answer=master.get("answer", ""),
        composition_answer=composition.get("answer", ""),
        grant=master.get("grant") or composition.get("grant") or "",
        kind=recording.kind,
        year=recording.year,
        language=recording.language,
        country=recording.country,
        genre=recording.genre,
        artist_gender=recording.artist_gender,
        acquired_on=entry.acquired_on,
        unknown_columns=entry.unknown_columns,
        notes=tuple(entry.notes),
        work=known.works.get(recording.pk),
        claims=tuple(known.claims.get(recording.pk, ())),
        identifiers=tuple(known.identifiers.get(recording.pk, ())),
        grants=rights.grants,
        cleared_by=tuple({answer["grant"]: None for answer in (master, composition) if answer.get("grant")}),
    )


def _croissant(dataset: Dataset, version: DatasetVersion | None) -> str:
    return _json(croissant(exported(dataset, version)))


def _dataset_card(dataset: Dataset, version: DatasetVersion | None) -> str:
    return dataset_card(exported(dataset, version))


def _attribution(dataset: Dataset, version: DatasetVersion | None) -> str:
    return attribution_csv(exported(dataset, version))


def _royalty_basis(kind: str, subject: str, organisations: Sequence[Organisation], now: datetime) -> str:
    """Divide the rights of a dataset, or of what a model was trained on, among who claims them."""
    if _exists(provenance.dataset_named, subject, organisations):
        dataset, version = provenance.dataset_named(subject, organisations)
        on = now.date()
    else:
        model = generation.model_version_named(subject, organisations)
        if model.dataset_version is None:
            raise AuditError(
                f"{subject} says of no dataset that it was trained on it: there is nothing to divide."
            )
        version = model.dataset_version
        dataset = version.dataset
        on = model_facts(model, at=now).run_on or now.date()
    of = exported(dataset, version)
    where = (version.territory if version is not None else "") or WORLD
    parts = royalty_parts(of.recordings, on=on, territory=where)
    if kind == ROYALTY_CSV:
        return royalty_csv(parts)
    return _json(
        {
            "format": FORMAT_ROYALTY,
            "subject": subject,
            "dataset": of.name,
            "version": of.version,
            "merkle_root": of.merkle_root,
            "territory": where,
            "claims_in_force_on": on.isoformat(),
            "recordings": len(of.recordings),
            "seconds": f"{sum(one.seconds or 0.0 for one in of.recordings):.3f}",
            "note": "Seconds are the recordings' own; how often a training run heard each is not on record.",
            "totals": totals(parts),
            "parts": [as_row(part) for part in parts],
        }
    )


def _odrl(dataset: Dataset, version: DatasetVersion | None) -> str:
    """Every grant as an agreement, and of a frozen version what it was cleared for, licence by licence."""
    graph = [*_agreements(dataset, version), *(_permissions(version) if version is not None else [])]
    if not graph:
        raise AuditError(
            f"{dataset.name} is a draft without grants: name a frozen version, {dataset.name}@1, to export what its "
            "licences permit."
        )
    return _json({"@context": CONTEXT, "@graph": graph})


def _agreements(dataset: Dataset, version: DatasetVersion | None) -> list[dict[str, Any]]:
    inside = provenance.recordings_in(dataset, version)
    targets: dict[int, list[str]] = defaultdict(list)
    for link in GrantRecording.objects.filter(recording__in=inside).select_related("recording"):
        targets[link.grant_id].append(f"urn:uuid:{link.recording.public_id}")
    grants = Grant.objects.filter(pk__in=targets).select_related("licensor", "licensee").order_by("pk")
    return [agreement(grant_value(grant), sorted(targets[grant.pk]), grant.licensee.name) for grant in grants]


def _permissions(version: DatasetVersion) -> list[dict[str, Any]]:
    groups: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    leaves = list(version.entries.select_related("recording").order_by("position"))
    deals = queries.deals_in(leaves)
    for leaf in leaves:
        rights = [leaf.manifest.get(right) or {} for right in ("master", "composition")]
        duties = tuple(sorted({name for right in rights for name in right.get("conditions", [])}))
        groups[queries.licence_of(leaf, deals), duties].append(f"urn:uuid:{leaf.recording.public_id}")
    use = provenance.use_of(version, at=version.cleared_as_of or version.frozen_at)
    return [
        cleared(
            f"urn:uuid:{version.public_id}#{position}",
            targets,
            use,
            duties,
            description=f"Cleared under {licence}, policy {version.policy_name}",
        )
        for position, ((licence, duties), targets) in enumerate(sorted(groups.items()))
    ]


def _tdmrep(dataset: Dataset, version: DatasetVersion | None) -> str:
    """Reserve what a protected collection holds: the paths on record, or the whole site where none is."""
    if dataset.kind != DatasetKind.PROTECTED:
        raise AuditError(
            f"{dataset.name} is no protected collection: tdmrep states what a rights holder reserves, and nothing of "
            "it is reserved here."
        )
    urls = dataset.entries.exclude(source_url="").values_list("source_url", flat=True)
    return _json(tdmrep(reserved(urls)))


# ── Models ────────────────────────────────────────────────────────────────────────────────────────


def _cyclonedx(facts: ModelFacts) -> str:
    return _json(cyclonedx(facts, software_version=str(settings.SPECTACULAR_SETTINGS["VERSION"])))


def _eu_summary(facts: ModelFacts) -> str:
    return _json(eu_summary(facts))


def _prov(facts: ModelFacts) -> str:
    return _json(prov(facts))


def _musgo(facts: ModelFacts) -> str:
    newest = queries.newest_assessment(facts.version, "musgo")
    return musgo(facts, _answers_of(newest))


def _raim_json(facts: ModelFacts) -> str:
    if facts.assessment is None:
        raise AuditError(
            f"{facts.version} has not been assessed: run assess {facts.version} --framework raim."
        )
    return _json(
        {
            "format": FORMAT_RAIM,
            "model": {
                "id": str(facts.version.public_id),
                "name": str(facts.version),
                "weights_sha256": facts.version.weights_sha256,
            },
            "id": str(facts.assessment.public_id),
            "assessed_at": facts.assessment.assessed_at.isoformat(),
            "assessment": assessment_of(facts.assessment),
        }
    )


def _answers_of(assessment: Assessment | None) -> dict[str, FeatureAnswer]:
    return {answer.feature: answer for answer in assessment.answers.all()} if assessment else {}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


DATASET_KINDS: dict[str, DatasetWriter] = {
    "croissant": _croissant,
    "dataset-card": _dataset_card,
    "odrl": _odrl,
    "tdmrep": _tdmrep,
    "attribution-csv": _attribution,
}
MODEL_KINDS: dict[str, ModelWriter] = {
    "model-card": model_card,
    "prov": _prov,
    "cyclonedx": _cyclonedx,
    "eu-summary": _eu_summary,
    "musgo": _musgo,
    "raim-json": _raim_json,
}
ROYALTY_CSV = "royalty-basis"
BASES = (ROYALTY_CSV, "royalty-basis-json")  # of a dataset, or of what a model was trained on
KINDS = (*DATASET_KINDS, *MODEL_KINDS, *BASES)
