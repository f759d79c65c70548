"""A dataset version as Croissant 1.1 JSON-LD with the RAI vocabulary.

Written by hand and not with ``mlcroissant``, which loses ODRL types on reload and takes seconds to import. What
`provenance.intake.croissant` reads back from it is the same register.
"""

from __future__ import annotations

import posixpath
from typing import Any, Final

from provenance.exports.attribution import licence_urls
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
FIELDS: Final = ("path", "external_id", "title", "artist", "isrc", "licence", "composition_licence", "sha256")


def croissant(dataset: ExportedDataset) -> dict[str, Any]:
    """Describe a dataset version.

    Returns
    -------
    dict
        JSON-LD. Every recording with audio is a file, and every recording a row of the record set ``recordings``.
        ``license`` lists the licences' addresses; recordings whose licence has none are named in the rows alone.
    """
    described = [recording for recording in dataset.recordings if recording.path and recording.sha256]
    stated = dict.fromkeys(licence for recording in dataset.recordings for licence in licences(recording))
    urls = dict.fromkeys(url for licence in stated for url in licence_urls(licence))
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": list(CONFORMS),
        "name": dataset.name,
        "description": dataset.description,
        "url": dataset.url,
        "version": dataset.version,
        "license": list(urls),
        "creator": {"@type": "sc:Organization", "name": dataset.creator},
        "datePublished": dataset.published_on.isoformat(),
        "isLiveDataset": False,
        "identifier": f"merkle-sha256:{dataset.merkle_root}" if dataset.merkle_root else dataset.name,
        "rai:dataLimitations": "Rights were read by software and confirmed where the register says so; no legal advice.",
        "distribution": [_file(recording) for recording in described],
        "recordSet": [_record_set(dataset)],
    }


def _file(recording: ExportedRecording) -> dict[str, Any]:
    described: dict[str, Any] = {
        "@type": "cr:FileObject",
        "@id": recording.id,
        "name": recording.title or posixpath.basename(recording.path),
        "contentUrl": recording.path,
        "encodingFormat": recording.media_type or "application/octet-stream",
        "sha256": recording.sha256,
    }
    if recording.n_bytes is not None:
        described["contentSize"] = f"{recording.n_bytes} B"
    return described


def _record_set(dataset: ExportedDataset) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": "recordings",
        "name": "recordings",
        "key": {"@id": "recordings/external_id"},
        "field": [
            {"@type": "cr:Field", "@id": f"recordings/{name}", "name": name, "dataType": "sc:Text"}
            for name in FIELDS
        ],
        "data": [_row(recording) for recording in dataset.recordings],
    }


def _row(recording: ExportedRecording) -> dict[str, str]:
    values = {
        "path": recording.path,
        "external_id": recording.external_id,
        "title": recording.title,
        "artist": recording.artist,
        "isrc": recording.isrc,
        "licence": " AND ".join(_bracketed(licences(recording, "master"))),
        "composition_licence": " AND ".join(_bracketed(licences(recording, "composition"))),
        "sha256": recording.sha256,
    }
    return {f"recordings/{name}": values[name] for name in FIELDS}


def _bracketed(expressions: tuple[str, ...]) -> list[str]:
    """Join sources that disagree as ``AND``: the strictest reading survives the export."""
    if len(expressions) == 1:
        return list(expressions)
    return [f"({one})" if " " in one else one for one in expressions]
