"""Indexes: built from stored fingerprints, used only when they are whole and hold what they should."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from django.conf import settings
from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery

from governance import access, ledger
from governance.models import User
from lib.files import DiskFullError
from provenance import queries
from provenance.errors import EmptyDatasetError, StorageFullError
from provenance.models import Calibration, Dataset, DatasetVersion, Fingerprint, IndexBuild
from provenance.services.calibrating import calibrate
from provenance.similarity import kinds, segmented, segmented_build
from provenance.similarity.index import OF_LEVELS, RecordingIndex, SimilarityIndexError, set_hash
from provenance.similarity.kinds import RECORDING, Kind, KindIndex
from provenance.similarity.manifest import is_segmented
from provenance.similarity.segmented import SegmentedIndex

Progress = Callable[[int, int], object]


@dataclass(frozen=True)
class Indexed:
    """What was built: ``build`` for recording likeness, ``others`` for the other kinds that can be had here."""

    build: IndexBuild
    not_covered: tuple[tuple[str, str], ...]  # (external id, why)
    others: tuple[IndexBuild, ...] = ()
    calibration: Calibration | None = None
    other_calibrations: Mapping[str, Calibration] = field(default_factory=dict)
    """Of those of the other kinds that could be calibrated, by the kind's name."""

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
            "kinds": [one.kind for one in (build, *self.others)],
            "coverage": {
                one.kind: {
                    "recordings": one.n_recordings,
                    "expected": one.n_expected,
                    "index": str(one.public_id),
                    "calibration": calibration_as_json(self._calibration_of(one)),
                }
                for one in (build, *self.others)
            },
            "calibration": calibration_as_json(self.calibration),
            "not_covered": [{"external_id": name, "reason": why} for name, why in self.not_covered],
        }

    def _calibration_of(self, build: IndexBuild) -> Calibration | None:
        return self.calibration if build == self.build else self.other_calibrations.get(build.kind)

    def words(self) -> str:
        build = self.build
        of = build.version or f"{build.dataset} (draft)"
        covers = f"The index covers {build.n_recordings} of {build.n_expected} recordings of {of}."
        if self.calibration is None:
            return f"{covers} It is not calibrated: fixed thresholds hold."
        told = calibration_as_json(self.calibration) or {}
        left_out = f", without {len(told['left_out'])} that it holds itself" if told["left_out"] else ""
        return (
            f"{covers} Calibrated with {told['strangers']} excerpts of {told['tracks']} strangers{left_out}."
        )


def calibration_as_json(calibration: Calibration | None) -> dict[str, Any] | None:
    if calibration is None:
        return None
    return {
        "id": str(calibration.public_id),
        "strangers": calibration.n_strangers,
        "tracks": calibration.n_tracks,
        "left_out": calibration.measured["left_out"],
        "stock_sha256": calibration.stock_sha256,
        "seconds": round(calibration.seconds, 3),
    }


def index_dataset(
    *,
    dataset: Dataset,
    version: DatasetVersion | None,
    by: User,
    now: datetime,
    progress: Progress | None = None,
    n_excerpts: int | None = None,
    calibrating: Progress | None = None,
) -> Indexed:
    """Build the index of a dataset's draft or of a frozen version, and calibrate it.

    Until it is whole the old one serves. ``n_excerpts`` of strangers of each length are held against it; none where
    it is 0, and as the settings say without it.

    Raises
    ------
    EmptyDatasetError
        If there is no recording at all.
    StorageFullError
        If the disk is full: the old index is untouched.
    """
    access.require(by, dataset.organisation, access.CHECKS, "build an index")
    build, not_covered = _build(RECORDING, dataset, version, by=by, now=now, progress=progress)
    others = tuple(
        _build(kind, dataset, version, by=by, now=now)[0]
        for kind in kinds.ALL
        if kind is not RECORDING and not kind.lacking()
    )
    if not build.n_recordings:
        return Indexed(build, not_covered, others)
    index = _load(RECORDING, build, dataset, version, build.contents_sha256)
    asked: dict[str, Any] = {"by": by, "now": now, "n_excerpts": n_excerpts, "progress": calibrating}
    calibration = calibrate(build=build, index=index, **asked)
    of_others = {other.kind: _calibrated(other, dataset, version, asked) for other in others}
    known = {kind: one for kind, one in of_others.items() if one is not None}
    return Indexed(build, not_covered, others, calibration, known)


def _calibrated(
    build: IndexBuild, dataset: Dataset, version: DatasetVersion | None, asked: dict[str, Any]
) -> Calibration | None:
    """Calibrate an index of another kind, if that kind can be."""
    kind = kinds.named(build.kind)
    if kind is None or kind.chance is None:
        return None
    index = _load(kind, build, dataset, version, build.contents_sha256)
    return calibrate(build=build, index=index, **asked)


def current_index(
    *, dataset: Dataset, version: DatasetVersion | None, by: User, now: datetime
) -> tuple[IndexBuild, RecordingIndex | SegmentedIndex]:
    """Return the index to check against; one that is missing, stale or damaged is rebuilt first, never used."""
    build, index = current_index_of(RECORDING, dataset=dataset, version=version, by=by, now=now)
    return build, cast("RecordingIndex | SegmentedIndex", index)


def current_index_of(
    kind: Kind, *, dataset: Dataset, version: DatasetVersion | None, by: User, now: datetime
) -> tuple[IndexBuild, KindIndex]:
    """Return the index of a kind, as `current_index` does."""
    build = queries.latest_index(dataset, version, kind.name)
    wanted = set_hash(_identities(kind, dataset, version))
    if build is not None and build.contents_sha256 == wanted:
        try:
            return build, _load(kind, build, dataset, version, wanted)
        except SimilarityIndexError:
            pass  # the file says why; the build below replaces it
    access.require(by, dataset.organisation, access.CHECKS, "build an index")
    build, _ = _build(kind, dataset, version, by=by, now=now)
    return build, _load(kind, build, dataset, version, build.contents_sha256)


def _build(
    kind: Kind,
    dataset: Dataset,
    version: DatasetVersion | None,
    *,
    by: User,
    now: datetime,
    progress: Progress | None = None,
) -> tuple[IndexBuild, tuple[tuple[str, str], ...]]:
    """Build and keep the index of one kind; tell what of the dataset it does not cover."""
    n_expected = queries.recordings_in(dataset, version).distinct().count()
    if n_expected == 0:
        raise EmptyDatasetError(f"{version or dataset} holds no recording: register some first.")
    started = time.perf_counter()
    path = index_path(dataset, version, kind)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        index = _saved(kind, dataset, version, path, n_expected, progress)
    except DiskFullError as error:
        raise StorageFullError(
            f"The disk is full: the index of {version or dataset} was not replaced."
        ) from error
    too_short = set(index.too_short)
    build = _record(
        IndexBuild(
            dataset=dataset,
            version=version,
            kind=kind.name,
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
    return build, tuple(_not_covered(kind, dataset, version, set(index.recordings) - too_short))


def _saved(
    kind: Kind,
    dataset: Dataset,
    version: DatasetVersion | None,
    path: Path,
    n_expected: int,
    progress: Progress | None,
) -> KindIndex:
    """Build an index where it is to be: of many recordings in segments, of which those that hold are kept."""
    dataset_id, version_key = str(dataset.public_id), _version_key(version)
    if kind is RECORDING and n_expected >= segmented.FROM_RECORDINGS:
        return segmented_build.build(
            path,
            dict(_identities(kind, dataset, version)),
            _stored,
            dataset=dataset_id,
            dataset_version=version_key,
            progress=progress,
        )
    references = _references(kind, dataset, version, progress, n_expected)
    index = kind.build(references, dataset=dataset_id, dataset_version=version_key)
    index.save(path)
    segmented.forget(path)
    return index


def _stored(keys: Sequence[str]) -> dict[str, bytes]:
    """Return the fingerprints of some recordings by their public ids."""
    rows = Fingerprint.objects.filter(
        recording__public_id__in=keys,
        method=RECORDING.method,
        method_version=RECORDING.method_version,
        model_sha256=RECORDING.model_sha256,
    ).values_list("recording__public_id", "payload")
    return {str(key): bytes(payload) for key, payload in rows.iterator()}


def _load(
    kind: Kind, build: IndexBuild, dataset: Dataset, version: DatasetVersion | None, wanted: str
) -> KindIndex:
    path = Path(settings.INDEX_DIR) / build.file
    of = {"dataset": str(dataset.public_id), "dataset_version": _version_key(version)}
    if kind is RECORDING and is_segmented(path):
        return segmented.load(path, _stored, set_hash=wanted, **of)
    return kind.load(path, set_hash=wanted, **of)


def has_fingerprints(dataset: Dataset) -> bool:
    """Tell whether there is anything in a dataset that can be listened to."""
    return bool(_prints(RECORDING, dataset, None).exists())


def index_path(dataset: Dataset, version: DatasetVersion | None, kind: Kind = RECORDING) -> Path:
    return Path(settings.INDEX_DIR) / f"{dataset.public_id}-{_version_key(version)}-{kind.name}.index"


def _version_key(version: DatasetVersion | None) -> str:
    return str(version.number) if version else "draft"


def _prints(kind: Kind, dataset: Dataset, version: DatasetVersion | None) -> Any:
    return Fingerprint.objects.filter(
        recording__in=queries.recordings_in(dataset, version),
        method=kind.method,
        method_version=kind.method_version,
        model_sha256=kind.model_sha256,
    ).select_related("recording")


def _prints_beside(kind: Kind, dataset: Dataset, version: DatasetVersion | None) -> QuerySet[Fingerprint]:
    """Second prints that the index holds too: none where there is too much music."""
    beside, recordings = kind.beside, queries.recordings_in(dataset, version)
    some = (
        recordings.order_by().values("pk").distinct()[: segmented.FROM_RECORDINGS]
    )  # a million need no counting
    is_big = some.count() >= segmented.FROM_RECORDINGS
    if beside is None or is_big or not beside.fits(queries.seconds_of(recordings)):
        return Fingerprint.objects.none()
    return Fingerprint.objects.filter(
        recording__in=recordings, method=beside.method, method_version=beside.method_version
    )


def _identities(kind: Kind, dataset: Dataset, version: DatasetVersion | None) -> Iterator[tuple[str, str]]:
    rows = _prints(kind, dataset, version)
    for public_id, sha256 in rows.values_list("recording__public_id", "sha256").iterator():
        yield str(public_id), sha256
    beside = _prints_beside(kind, dataset, version).filter(recording__in=rows.values("recording"))
    for public_id, sha256 in beside.values_list("recording__public_id", "sha256").iterator():
        yield f"{public_id}{OF_LEVELS}", sha256


def _references(
    kind: Kind,
    dataset: Dataset,
    version: DatasetVersion | None,
    progress: Progress | None,
    n_expected: int,
) -> Iterator[tuple[str, bytes]]:
    beside = _prints_beside(kind, dataset, version).filter(recording=OuterRef("recording"))
    rows = _prints(kind, dataset, version).annotate(beside=Subquery(beside.values("payload")[:1]))
    wanted = rows.values_list("recording__public_id", "payload", "beside")
    for n_done, (key, payload, second) in enumerate(wanted.iterator(chunk_size=200), start=1):
        yield str(key), bytes(payload) + (b"" if second is None else bytes(second))
        if progress is not None and n_done % 20 == 0:
            progress(n_done, n_expected)


def _not_covered(
    kind: Kind, dataset: Dataset, version: DatasetVersion | None, covered: set[str]
) -> Iterator[tuple[str, str]]:
    entries = queries.entries_of(dataset, version).exclude(recording__public_id__in=covered)
    outdated = set(
        Fingerprint.objects.filter(recording__in=entries.values("recording"))
        .exclude(method__in=kinds.methods_beside(kind))
        .exclude(method_version=kind.method_version, model_sha256=kind.model_sha256)
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
