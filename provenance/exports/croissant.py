"""A dataset version as Croissant 1.1 JSON-LD with the RAI vocabulary.

Written by hand and not with ``mlcroissant``, which loses ODRL types on reload and takes seconds to import; the tests
hold what it says of the file. The register is in it whole, as record sets that refer to each other: ``recordings``,
and to each its ``statements``, ``claims``, ``identifiers``; ``works``; ``parties``; ``grants``. What
`provenance.intake.croissant` reads back is the same register; grants are named there and registered by nobody but a
person.
"""

from __future__ import annotations

import json
import posixpath
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any, Final

from provenance.exports.attribution import is_without_address, licence_urls
from provenance.exports.register import ExportedDataset, ExportedRecording, licences

CONFORMS: Final = ("http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0")
CONTEXT: Final[dict[str, Any]] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "odrl": "http://www.w3.org/ns/odrl/2/",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "prov": "http://www.w3.org/ns/prov#",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
RECORDINGS: Final = (
    *("external_id", "path", "title", "artist", "isrc", "licence", "composition_licence", "sha256", "kind"),
    *(
        "seconds",
        "year",
        "language",
        "country",
        "genre",
        "artist_gender",
        "acquired_on",
        "source_path",
        "source_url",
    ),
    *("work", "notes", "unknown_columns"),
)
STATEMENTS: Final = (
    *(
        "recording",
        "right",
        "expression",
        "raw",
        "source",
        "weak",
        "evidence",
        "quote",
        "holders",
        "licence_url",
    ),
    *("territory", "valid_from", "valid_until"),
)
CLAIMS: Final = (
    *(
        "recording",
        "right",
        "party",
        "share",
        "role",
        "territory",
        "valid_from",
        "valid_until",
        "source",
        "evidence",
    ),
)
WORKS: Final = ("work", "title", "iswc", "composers")
IDENTIFIERS: Final = ("recording", "scheme", "written", "source")
PARTIES: Final = ("party", "isni", "ipi_name", "ipi_base", "dpid")
GRANTS: Final = (
    *(
        "grant",
        "right",
        "licensor",
        "licensee",
        "purposes",
        "commercial",
        "territory",
        "valid_from",
        "valid_until",
    ),
    *("given_at", "revoked_at", "basis", "document", "recordings"),
)
NOTHING_STATED: Final = "no licence stated"
REFERS: Final = {
    "recording": "recordings/external_id",
    "recordings": "recordings/external_id",
    "work": "works/work",
}
"""Fields that name a row of another record set."""
TYPES: Final = {
    "weak": "sc:Boolean",
    "commercial": "sc:Boolean",
    "share": "sc:Float",
    "seconds": "sc:Float",
    "year": "sc:Integer",
}
LISTS: Final = frozenset({"holders", "territory", "composers", "purposes", "recordings", "notes"})


def croissant(dataset: ExportedDataset) -> dict[str, Any]:
    """Describe a dataset version.

    Returns
    -------
    dict
        JSON-LD. Every recording with audio is a file, and every recording a row of the record set ``recordings``.
        ``version`` has the three numbers that the format asks for, 0.0.0 of a draft. ``license`` lists the
        licences' addresses; what has none is named, and so is that nothing is stated, for a list of the others alone
        would speak for all.
    """
    paths = contents(dataset.recordings)
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": list(CONFORMS),
        "name": dataset.name,
        "description": dataset.description,
        "url": dataset.url,
        "version": f"{dataset.version}.0.0" if dataset.version.isdecimal() else "0.0.0",
        "license": _licences(dataset.recordings),
        "creator": {"@type": "sc:Organization", "name": dataset.creator},
        "citeAs": f"{dataset.creator}: {dataset.name} {dataset.version} ({dataset.published_on.year}), {dataset.url}",
        "datePublished": dataset.published_on.isoformat(),
        "isLiveDataset": False,
        "identifier": f"merkle-sha256:{dataset.merkle_root}" if dataset.merkle_root else dataset.name,
        **_responsible(dataset),
        "distribution": [
            _file(one, paths[one.external_id]) for one in dataset.recordings if paths[one.external_id]
        ],
        "recordSet": _filled(_record_sets(dataset, paths)),
    }


def _licences(recordings: Iterable[ExportedRecording]) -> list[Any]:
    """Return the licences' addresses and, as works, the names of those that have none."""
    stated = dict.fromkeys(licence for one in recordings for licence in licences(one) or (NOTHING_STATED,))
    urls = dict.fromkeys(url for licence in stated for url in licence_urls(licence))
    named = [licence for licence in stated if is_without_address(licence)]
    return [*urls, *({"@type": "sc:CreativeWork", "name": name} for name in named)]


def contents(recordings: Iterable[ExportedRecording]) -> dict[str, str]:
    """Return where each recording's file lies beside the description, by external id; empty for one without audio.

    The source's own path where no other recording has it too, else the external id, which is the recording's alone.
    """
    recordings = tuple(recordings)
    shared = Counter(one.path for one in recordings)
    return {
        one.external_id: ""
        if not (one.path and one.sha256)
        else one.path
        if shared[one.path] == 1
        else one.external_id
        for one in recordings
    }


def _responsible(dataset: ExportedDataset) -> dict[str, Any]:
    """Return what the responsible-AI vocabulary asks for, as far as the register knows it."""
    acquired = sorted(one.acquired_on.isoformat() for one in dataset.recordings if one.acquired_on)
    said: dict[str, Any] = {
        "rai:dataCollection": "Registered from the sources that the statements' evidence names.",
        "rai:dataLimitations": "Rights were read by software and confirmed where the register says so; no legal advice.",
        "rai:dataUseCases": dataset.description,
        "rai:personalSensitiveInformation": "Names of artists, composers and rights holders, as their works credit them.",
    }
    if acquired:
        said["rai:dataCollectionTimeframe"] = list(dict.fromkeys((acquired[0], acquired[-1])))
    return said


def _file(recording: ExportedRecording, path: str) -> dict[str, Any]:
    described: dict[str, Any] = {
        "@type": "cr:FileObject",
        "@id": recording.id,
        "name": recording.title or posixpath.basename(path),
        "contentUrl": path,
        "encodingFormat": recording.media_type or "application/octet-stream",
        "sha256": recording.sha256,
    }
    if recording.n_bytes is not None:
        described["contentSize"] = f"{recording.n_bytes} B"
    return described


def _record_sets(dataset: ExportedDataset, paths: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    recordings = dataset.recordings
    works = {one.work.id: one.work for one in recordings if one.work is not None}
    yield _record_set(
        "recordings",
        RECORDINGS,
        (_recording(one, paths[one.external_id]) for one in recordings),
        "external_id",
    )
    yield _record_set("statements", STATEMENTS, (row for one in recordings for row in _statements(one)))
    yield _record_set("claims", CLAIMS, (row for one in recordings for row in _claims(one)))
    yield _record_set(
        "works",
        WORKS,
        (
            {"work": work.id, "title": work.title, "iswc": work.iswc, "composers": list(work.composers)}
            for work in works.values()
        ),
        "work",
    )
    yield _record_set("identifiers", IDENTIFIERS, (row for one in recordings for row in _identifiers(one)))
    yield _record_set(
        "parties", PARTIES, ({"party": name, **ids} for name, ids in dataset.party_ids.items()), "party"
    )
    yield _record_set("grants", GRANTS, _grants(recordings), "grant")


def _filled(record_sets: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out empty record sets, which the format has no room for, and references to them."""
    found = [one for one in record_sets if one["data"]]
    names = {one["@id"] for one in found}
    for one in found:
        for described in one["field"]:
            refers = described.get("references", {}).get("field", {}).get("@id", "")
            if refers and refers.split("/")[0] not in names:
                del described["references"]
    return found


def _record_set(
    name: str, fields: tuple[str, ...], rows: Iterable[Mapping[str, Any]], key: str = ""
) -> dict[str, Any]:
    described: dict[str, Any] = {"@type": "cr:RecordSet", "@id": name, "name": name}
    if key:
        described["key"] = {"@id": f"{name}/{key}"}
    described["field"] = [_field(name, field) for field in fields]
    described["data"] = [
        {f"{name}/{field}": _cell(field, row.get(field)) for field in fields} for row in rows
    ]
    return described


def _field(name: str, field: str) -> dict[str, Any]:
    described: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"{name}/{field}",
        "name": field,
        "dataType": TYPES.get(field, "sc:Text"),
    }
    if field in LISTS:
        described["repeated"] = True
    refers = REFERS.get(field)
    if refers and refers != f"{name}/{field}":
        described["references"] = {"field": {"@id": refers}}
    return described


def _cell(field: str, value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    return ([] if field in LISTS else None if field in TYPES else "") if value is None else value


def _recording(one: ExportedRecording, path: str) -> dict[str, Any]:
    return {
        "external_id": one.external_id,
        "path": path,
        "title": one.title,
        "artist": one.artist,
        "isrc": one.isrc,
        "licence": " AND ".join(_bracketed(licences(one, "master"))),
        "composition_licence": " AND ".join(_bracketed(licences(one, "composition"))),
        "sha256": one.sha256,
        "kind": one.kind,
        "seconds": one.seconds,
        "year": one.year,
        "language": one.language,
        "country": one.country,
        "genre": one.genre,
        "artist_gender": one.artist_gender,
        "acquired_on": one.acquired_on,
        "source_path": one.path,
        "source_url": one.source_url,
        "work": one.work.id if one.work is not None else "",
        "notes": list(one.notes),
        "unknown_columns": json.dumps(one.unknown_columns, ensure_ascii=False, sort_keys=True)
        if one.unknown_columns
        else "",
    }


def _statements(recording: ExportedRecording) -> Iterator[dict[str, Any]]:
    for said in recording.statements:
        row: dict[str, Any] = {field: getattr(said, field) for field in STATEMENTS if field != "recording"}
        yield {
            **row,
            "recording": recording.external_id,
            "holders": list(said.holders),
            "territory": list(said.territory),
        }


def _claims(recording: ExportedRecording) -> Iterator[dict[str, Any]]:
    for one in recording.claims:
        row: dict[str, Any] = {
            field: getattr(one.claim, field) for field in CLAIMS if field not in ("recording", "evidence")
        }
        territory = list(one.claim.territory)
        yield {**row, "recording": recording.external_id, "territory": territory, "evidence": one.evidence}


def _identifiers(recording: ExportedRecording) -> Iterator[dict[str, Any]]:
    for one in recording.identifiers:
        yield {
            "recording": recording.external_id,
            "scheme": one.scheme,
            "written": one.written,
            "source": one.source,
        }


def _grants(recordings: Iterable[ExportedRecording]) -> Iterator[dict[str, Any]]:
    """Name each grant once, with the recordings it is for."""
    found: dict[str, tuple[Any, list[str]]] = {}
    for recording in recordings:
        for grant in recording.grants:
            found.setdefault(grant.id, (grant, []))[1].append(recording.external_id)
    for grant, inside in found.values():
        row: dict[str, Any] = {
            field: getattr(grant, field) for field in GRANTS if field not in ("grant", "recordings")
        }
        yield {
            **row,
            "grant": grant.id,
            "purposes": sorted(grant.purposes),
            "territory": list(grant.territory),
            "recordings": inside,
        }


def _bracketed(expressions: tuple[str, ...]) -> list[str]:
    """Join sources that disagree as ``AND``: the strictest reading survives the export."""
    if len(expressions) == 1:
        return list(expressions)
    return [f"({one})" if " " in one else one for one in expressions]
