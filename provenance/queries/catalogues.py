"""What pages, commands and the API tell of a catalogue's matches."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from governance.keyset import Order
from provenance.models import (
    Catalogue,
    CatalogueMatch,
    CatalogueRow,
    CatalogueRun,
    DatasetEntry,
    VersionEntry,
)

AS_LISTED = Order(("row_id", "run_id", "rank"), named_by=())  # by row, for rows are kept in the file's order
KIND_WORDS = {
    "isrc": "ISRC",
    "samples": "the same samples",
    "fingerprint": "the sound",
    "release": "the release and the title",
    "metadata": "title and artist",
    "duration": "duration",
    "names": "other names",
    "conflict": "speaks against it",
}


@dataclass(frozen=True)
class Frozen:
    """One frozen version that a recording is in, and by whose leave, as its manifest says."""

    entry: VersionEntry

    @property
    def rights(self) -> list[tuple[str, Mapping[str, Any]]]:
        return [(name, self.entry.manifest.get(name) or {}) for name in ("master", "composition")]

    @property
    def name(self) -> str:
        return str(self.entry.version)


@dataclass(frozen=True)
class Answered:
    """A match with the versions that its recording was frozen in."""

    match: CatalogueMatch
    external_id: str
    versions: Sequence[Frozen]


def matches_of(runs: Iterable[CatalogueRun]) -> QuerySet[CatalogueMatch]:
    rows = CatalogueMatch.objects.filter(run__in=list(runs))
    return AS_LISTED.sorted(rows.select_related("row", "recording", "run", "run__dataset"))


def narrowed(
    matches: QuerySet[CatalogueMatch],
    *,
    answer: str = "",
    dataset: str = "",
    version: str = "",
    words: str = "",
) -> QuerySet[CatalogueMatch]:
    """Keep the answers asked for; ``version`` keeps the recordings that are in that frozen version."""
    if answer:
        matches = matches.filter(answer=answer)
    if dataset:
        matches = matches.filter(run__dataset__public_id=dataset)
    if version:
        inside = VersionEntry.objects.filter(recording=OuterRef("recording"), version__public_id=version)
        matches = matches.filter(Exists(inside))
    if words:
        matches = matches.filter(
            Q(row__title__icontains=words) | Q(row__artist__icontains=words) | Q(row__isrc__icontains=words)
        )
    return matches


def answered(matches: Sequence[CatalogueMatch]) -> list[Answered]:
    """Return matches with what is known of their recordings, in a few queries whatever their number."""
    recordings = {match.recording_id for match in matches if match.recording_id}
    versions: dict[tuple[int, int], list[Frozen]] = defaultdict(list)
    entries = VersionEntry.objects.filter(recording__in=recordings).select_related("version__dataset")
    for entry in entries.order_by("version__number"):
        versions[entry.recording_id, entry.version.dataset_id].append(Frozen(entry))
    names = {
        (recording, dataset): name
        for recording, dataset, name in DatasetEntry.objects.filter(
            recording__in=recordings, dataset__in={match.run.dataset_id for match in matches}
        ).values_list("recording_id", "dataset_id", "external_id")
    }
    return [
        Answered(
            match,
            names.get((match.recording_id or 0, match.run.dataset_id), ""),
            versions.get((match.recording_id or 0, match.run.dataset_id), ()),
        )
        for match in matches
    ]


def match_as_json(one: Answered) -> dict[str, Any]:
    """Return the line of one match: of a row that was not found nothing but the row."""
    match = one.match
    return {
        **_row_as_json(match.row),
        "answer": match.answer,
        "dataset": match.run.dataset.name,
        "recording": str(match.recording.public_id) if match.recording else None,
        "recording_external_id": one.external_id or None,
        "score": round(match.score, 3),
        "evidence": match.evidence,
        "versions": [
            {
                "version": frozen.name,
                "answer": frozen.entry.manifest.get("answer"),
                **{name: dict(right) for name, right in frozen.rights},
            }
            for frozen in one.versions
        ],
    }


def _row_as_json(row: CatalogueRow) -> dict[str, Any]:
    return {"row": row.row, "external_id": row.external_id, "isrc": row.isrc or None, "notes": row.notes}


def rejection_as_json(rejection: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "row": rejection["row"],
        "external_id": rejection["external_id"],
        "isrc": None,
        "answer": None,
        "dataset": None,
        "recording": None,
        "evidence": [],
        "reasons": rejection["reasons"],
    }


def summary_of(catalogue: Catalogue, runs: Sequence[CatalogueRun]) -> dict[str, Any]:
    return {
        "catalogue": str(catalogue.public_id),
        "rows": catalogue.n_rows,
        "rejected": len(catalogue.rejections),
        "datasets": [run_as_json(run) for run in runs],
    }


def run_as_json(run: CatalogueRun) -> dict[str, Any]:
    return {
        "dataset": run.dataset.name,
        "found": run.n_found,
        "probable": run.n_probable,
        "not_found": run.n_not_found,
        "recordings": run.n_recordings,
        "rows_listened": run.n_rows_listened,
        "recordings_indexed": run.n_recordings_indexed,
        "run_at": run.run_at.isoformat(),
        "method": f"{run.method} {run.method_version}",
    }


def words_of(evidence: Sequence[Mapping[str, Any]]) -> str:
    """Write what speaks for a match in few words, and what speaks against it after it."""
    speaks = [_in_words(one) for one in evidence if one["kind"] not in ("duration", "names", "conflict")]
    unlike = [says for one in evidence if one["kind"] == "names" for says in _unlike(one)]
    against = [str(one["says"]) for one in evidence if one["kind"] == "conflict"]
    return (
        ", ".join(dict.fromkeys(speaks))
        + (f"; {' and '.join(unlike)}" if unlike else "")
        + (f"; but {', and '.join(against)}" if against else "")
    )


def _unlike(one: Mapping[str, Any]) -> Iterator[str]:
    if "recording_title" in one:
        yield f"the title there is “{one['recording_title']}”"
    if "recording_artist" in one:
        yield f"the artist there is “{one['recording_artist']}”"


def _in_words(one: Mapping[str, Any]) -> str:
    if one["kind"] == "fingerprint":
        what = "a part of the sound" if one["part"] else "the sound"
        return f"{what} ({one['agreed_s']:.0f} of {one['shorter_s']:.0f} s)"
    if one["kind"] == "metadata":
        return f"title and artist ({math.floor(100 * one['score'])} % alike)"
    return KIND_WORDS[str(one["kind"])]
