"""Indexes: built from stored fingerprints, used only when they are whole and hold what they should."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from governance import access, ledger
from governance.models import User
from lib.files import DiskFullError
from provenance import queries
from provenance.errors import EmptyDatasetError, StorageFullError
from provenance.models import Dataset, DatasetVersion, Fingerprint, IndexBuild
from provenance.similarity import fingerprint
from provenance.similarity.fingerprint import AudioFingerprint
from provenance.similarity.index import RecordingIndex, SimilarityIndexError, set_hash

KIND = "recording"
Progress = Callable[[int, int], object]


@dataclass(frozen=True)
class Indexed:
    build: IndexBuild
    not_covered: tuple[tuple[str, str], ...]  # (external id, why)

    def as_json(self) -> dict[str, Any]:
        build = self.build
        return {
            "dataset": build.dataset.name,
            "version": str(build.version.number) if build.version else None,
            "draft": build.version is None,
            "index": str(build.public_id),
            "recordings": build.n_recordings,
            "expected": build.n_expected,
            "covers_all": build.covers_all,
            "windows": build.n_windows,
            "seconds": round(build.seconds, 3),
            "kinds": [KIND],
            "not_covered": [{"external_id": name, "reason": why} for name, why in self.not_covered],
        }

    def words(self) -> str:
        build = self.build
        of = build.version or f"{build.dataset} (draft)"
        return f"The index covers {build.n_recordings} of {build.n_expected} recordings of {of}."


def index_dataset(
    *,
    dataset: Dataset,
    version: DatasetVersion | None,
    by: User,
    now: datetime,
    progress: Progress | None = None,
) -> Indexed:
    """Build the index of a dataset's draft or of a frozen version; until it is whole the old one serves.

    Raises
    ------
    EmptyDatasetError
        If there is no recording at all.
    StorageFullError
        If the disk is full: the old index is untouched.
    """
    access.require(by, dataset.organisation, access.CHECKS, "build an index")
    n_expected = queries.recordings_in(dataset, version).distinct().count()
    if n_expected == 0:
        raise EmptyDatasetError(f"{version or dataset} holds no recording: register some first.")
    started = time.perf_counter()
    index = RecordingIndex.build(
        _references(dataset, version, progress, n_expected),
        dataset=str(dataset.public_id),
        dataset_version=_version_key(version),
    )
    too_short = set(index.too_short)
    path = index_path(dataset, version)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        index.save(path)
    except DiskFullError as error:
        raise StorageFullError(
            f"The disk is full: the index of {version or dataset} was not replaced."
        ) from error
    build = _record(
        IndexBuild(
            dataset=dataset,
            version=version,
            kind=KIND,
            method=index.facts.method,
            method_version=index.facts.method_version,
            file=path.name,
            file_sha256=index.facts.sha256,
            contents_sha256=index.facts.set_hash,
            n_recordings=index.facts.n_recordings - len(too_short),
            n_expected=n_expected,
            n_windows=index.facts.n_windows,
            seconds=time.perf_counter() - started,
            built_at=now,
        ),
        by,
        now,
    )
    return Indexed(build, tuple(_not_covered(dataset, version, set(index.recordings) - too_short)))


def current_index(
    *, dataset: Dataset, version: DatasetVersion | None, by: User, now: datetime
) -> tuple[IndexBuild, RecordingIndex]:
    """Return the index to check against; one that is missing, stale or damaged is rebuilt first, never used."""
    build = queries.latest_index(dataset, version, KIND)
    wanted = set_hash(_identities(dataset, version))
    if build is not None and build.contents_sha256 == wanted:
        try:
            return build, _load(build, dataset, version, wanted)
        except SimilarityIndexError:
            pass  # the file says why; the build below replaces it
    build = index_dataset(dataset=dataset, version=version, by=by, now=now).build
    return build, _load(build, dataset, version, build.contents_sha256)


def _load(build: IndexBuild, dataset: Dataset, version: DatasetVersion | None, wanted: str) -> RecordingIndex:
    return RecordingIndex.load(
        Path(settings.INDEX_DIR) / build.file,
        set_hash=wanted,
        dataset=str(dataset.public_id),
        dataset_version=_version_key(version),
    )


def has_fingerprints(dataset: Dataset) -> bool:
    """Tell whether there is anything in a dataset that can be listened to."""
    return bool(_fingerprints(dataset, None).exists())


def index_path(dataset: Dataset, version: DatasetVersion | None) -> Path:
    return Path(settings.INDEX_DIR) / f"{dataset.public_id}-{_version_key(version)}-{KIND}.index"


def _version_key(version: DatasetVersion | None) -> str:
    return str(version.number) if version else "draft"


def _fingerprints(dataset: Dataset, version: DatasetVersion | None) -> Any:
    return Fingerprint.objects.filter(
        recording__in=queries.recordings_in(dataset, version),
        method=fingerprint.METHOD,
        method_version=fingerprint.METHOD_VERSION,
    ).select_related("recording")


def _identities(dataset: Dataset, version: DatasetVersion | None) -> Iterator[tuple[str, str]]:
    rows = _fingerprints(dataset, version).values_list("recording__public_id", "sha256")
    for public_id, sha256 in rows.iterator():
        yield str(public_id), sha256


def _references(
    dataset: Dataset, version: DatasetVersion | None, progress: Progress | None, n_expected: int
) -> Iterator[tuple[str, AudioFingerprint]]:
    for n_done, row in enumerate(_fingerprints(dataset, version).iterator(chunk_size=200), start=1):
        yield str(row.recording.public_id), AudioFingerprint.unpack(row.payload)
        if progress is not None and n_done % 20 == 0:
            progress(n_done, n_expected)


def _not_covered(
    dataset: Dataset, version: DatasetVersion | None, covered: set[str]
) -> Iterator[tuple[str, str]]:
    entries = queries.entries_of(dataset, version).exclude(recording__public_id__in=covered)
    outdated = set(
        Fingerprint.objects.filter(recording__in=entries.values("recording"))
        .exclude(method=fingerprint.METHOD, method_version=fingerprint.METHOD_VERSION)
        .values_list("recording_id", flat=True)
    )
    for entry in entries:
        recording = entry.recording
        if recording.kind == "absent":
            why = "known by metadata only: there is no audio to fingerprint"
        elif recording.silent:
            why = "silent"
        elif recording.pk in outdated:
            why = "fingerprinted by an older method: register its source again"
        else:
            why = f"too short to fingerprint ({recording.seconds or 0:.1f} s)"
        yield entry.external_id, why


@transaction.atomic
def _record(build: IndexBuild, by: User, now: datetime) -> IndexBuild:
    build.save(force_insert=True)
    ledger.record(
        kind="provenance.index.built",
        subject_kind="index",
        subject_id=build.public_id,
        actor=by,
        organisation=build.dataset.organisation,
        now=now,
        body={
            "dataset": str(build.dataset.public_id),
            "version": build.version.number if build.version else None,
            "recordings": build.n_recordings,
            "expected": build.n_expected,
            "contents_sha256": build.contents_sha256,
            "file_sha256": build.file_sha256,
        },
    )
    return build
