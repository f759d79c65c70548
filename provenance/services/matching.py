"""Catalogues of labels: kept as rows, held against datasets, and every question written down where its owner reads it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import transaction

from governance import access, ledger
from governance.models import Organisation, Role, User
from lib.batches import batches
from lib.words import keepable
from provenance import audio
from provenance.errors import EmptyDatasetError, ProvenanceError
from provenance.intake.formats import open_intake
from provenance.intake.record import Intake, IntakeRecord
from provenance.matching import engine, sound, thresholds
from provenance.matching.engine import Described, Sound
from provenance.models import (
    Catalogue,
    CatalogueMatch,
    CatalogueRow,
    CatalogueRun,
    Dataset,
    DatasetEntry,
    Recording,
    RecordingIdentifier,
)
from provenance.rights import identifiers
from provenance.services.indexing import current_index, has_fingerprints
from provenance.similarity import cascade
from provenance.similarity.chromaprint import ITEM_S, ITEM_SPAN_S, FingerprintError
from provenance.similarity.fingerprint import AudioFingerprint
from provenance.similarity.index import RecordingIndex
from provenance.similarity.segmented import SegmentedIndex

MAY_ASK = (Role.LABEL_AUDITOR, *access.WRITES_DATASETS, *access.DECIDES)
RELEASE_COLUMNS = {"grid": "grid", "ean": "ean", "upc": "ean", "barcode": "ean"}
DURATION_COLUMNS = ("duration", "duration_s", "seconds", "length")
N_DECODERS = 2
ROWS_A_CHUNK = 500

Progress = Callable[[int, int, str], object]


def keep_catalogue(
    *,
    source: Path,
    name: str,
    by: User,
    organisation: Organisation,
    now: datetime,
    format: str = "auto",
    root: Path | None = None,
    progress: Progress | None = None,
) -> Catalogue:
    """Keep a catalogue's rows, with hashes and fingerprints of what audio it brings. The audio itself is not kept.

    Raises
    ------
    IntakeError
        If the source can't be read at all: then nothing is kept.
    ProvenanceError
        If it holds no row that can be read.
    """
    access.require(by, organisation, MAY_ASK, "bring a catalogue")
    with open_intake(source, format=format, root=root) as intake:
        rows, rejections = _read(intake, progress)
        if not rows:
            first = f": row {rejections[0]['row']}: {rejections[0]['reasons'][0]}" if rejections else "."
            raise ProvenanceError(f"{source.name} holds no row that can be matched{first}")
        catalogue = Catalogue(
            organisation=organisation,
            name=(name or source.stem)[:200],
            source_name=keepable(source.name)[:500],
            source_sha256=intake.source_sha256,
            format=intake.format,
            uploaded_by=by,
            uploaded_at=now,
            n_rows=len(rows),
            rejections=rejections,
            warnings=list(intake.warnings),
        )
    return _keep(catalogue, rows, by, now)


@transaction.atomic
def _keep(catalogue: Catalogue, rows: list[CatalogueRow], by: User, now: datetime) -> Catalogue:
    catalogue.save(force_insert=True)
    for row in rows:
        row.catalogue = catalogue
    CatalogueRow.objects.bulk_create(rows, batch_size=ROWS_A_CHUNK)
    ledger.record(
        kind="provenance.catalogue.brought",
        subject_kind="catalogue",
        subject_id=catalogue.public_id,
        actor=by,
        organisation=catalogue.organisation,
        now=now,
        body={
            "rows": catalogue.n_rows,
            "rejected": len(catalogue.rejections),
            "source_sha256": catalogue.source_sha256,
        },
    )
    return catalogue


def _read(intake: Intake, progress: Progress | None) -> tuple[list[CatalogueRow], list[dict[str, Any]]]:
    rows: list[CatalogueRow] = []
    rejections: list[dict[str, Any]] = []
    seen: set[str] = set()
    n_done = 0
    with ThreadPoolExecutor(N_DECODERS) as decoders:
        for chunk in batches(intake.records(), 4 * N_DECODERS):
            for record, (survey, problem) in zip(chunk, decoders.map(_listen_to, chunk), strict=True):
                problems = [*record.problems, *([problem] if problem else [])]
                if record.external_id in seen:
                    problems.append(f"external_id {record.external_id!r} stands twice")
                if problems:
                    reasons = [keepable(one) for one in problems]
                    rejections.append(
                        {"row": record.row, "external_id": keepable(record.external_id), "reasons": reasons}
                    )
                else:
                    seen.add(record.external_id)
                    rows.append(_row(record, survey))
                n_done += 1
            if progress is not None and n_done % 40 == 0:
                progress(n_done, intake.n_rows or 0, f"{n_done} rows read")
    return rows, rejections


def _listen_to(record: IntakeRecord) -> tuple[audio.Survey | None, str]:
    """Return what a row's audio holds, or why it can't be read."""
    if record.problems or record.audio is None:
        if record.fingerprint is not None:
            try:
                AudioFingerprint.unpack(record.fingerprint)
            except FingerprintError as error:
                return None, f"{error.reason} (fingerprint_audio writes such files)"
        return None, ""
    try:
        return audio.survey(record.audio), ""
    except audio.DecoderMissingError:
        raise
    except (audio.AudioError, OSError) as error:
        return None, str(error)


def _row(record: IntakeRecord, survey: audio.Survey | None) -> CatalogueRow:
    unknown = {name.strip().lower(): cell.strip() for name, cell in record.unknown.items()}
    fingerprint = survey.fingerprint.packed if survey and not survey.is_silent else record.fingerprint
    releases, notes = _releases(unknown)
    isrc = identifiers.isrc(record.isrc) if record.isrc else None
    return CatalogueRow(
        row=record.row,
        external_id=keepable(record.external_id)[:1000],
        title=keepable(record.title)[:500],
        artist=keepable(record.artist)[:500],
        isrc=keepable(record.isrc)[:20],
        isrc_is_valid=isrc is not None and isrc.valid,
        releases=releases,
        seconds=survey.seconds if survey else _duration(unknown) or _fingerprinted_s(fingerprint),
        samples_sha256=survey.samples_sha256 if survey and not survey.is_silent else "",
        fingerprint=fingerprint,
        notes=[keepable(note) for note in (*record.notes, *notes)],
    )


def _releases(columns: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Return the valid identifiers of the release as ``scheme:identifier``, and what is wrong with the others."""
    releases, notes = [], []
    for column, scheme in RELEASE_COLUMNS.items():
        if not (written := columns.get(column, "")):
            continue
        checked = identifiers.CHECKS[scheme](written)
        if checked.valid:
            releases.append(_release(scheme, checked.compact))
        else:
            notes.append(f"{column} {written!r} is not valid ({checked.why}): nothing is found by it")
    return sorted(set(releases)), notes


def _release(scheme: str, compact: str) -> str:
    """Write an identifier so that a UPC and the EAN that it is with a leading zero are one."""
    return f"{scheme}:{compact.zfill(13) if scheme == 'ean' else compact}"


def _duration(columns: Mapping[str, str]) -> float | None:
    """Read ``187.5``, ``3:07``, ``1:02:07`` or ``PT3M7S`` as seconds; what is none of these is not known."""
    written = next((columns[name] for name in DURATION_COLUMNS if columns.get(name)), "")
    if written.upper().startswith("PT"):
        spaced = written.upper()[2:].replace("H", ":").replace("M", ":").replace("S", "")
        written = spaced + ("0" if spaced.endswith(":") else "")
    try:
        parts = [float(part) for part in written.split(":")]
    except ValueError:
        return None
    seconds = 0.0
    for part in parts:
        seconds = 60 * seconds + part
    return seconds if 0 < seconds < 1e6 else None


def _fingerprinted_s(packed: bytes | None) -> float | None:
    if packed is None or not (n_items := len(AudioFingerprint.unpack(packed))):
        return None
    return (n_items - 1) * ITEM_S + ITEM_SPAN_S


def _fingerprints(rows: Sequence[CatalogueRow]) -> dict[str, AudioFingerprint]:
    """Return the fingerprint of each row that has sound.

    Raises
    ------
    ProvenanceError
        If an older method made one: it can be compared with nothing that is here now.
    """
    try:
        return {
            str(row.pk): AudioFingerprint.unpack(bytes(row.fingerprint)) for row in rows if row.fingerprint
        }
    except FingerprintError as error:
        raise ProvenanceError(
            f"A sound of this catalogue can't be compared: {error.reason}. Bring the catalogue again."
        ) from error


def match_catalogue(
    *,
    catalogue: Catalogue,
    datasets: Sequence[Dataset],
    by: User,
    now: datetime,
    progress: Progress | None = None,
) -> list[CatalogueRun]:
    """Hold a catalogue against datasets whose owners let ``by`` ask, and write each question into their ledger.

    Not one transaction: each dataset's answers are kept whole before the next is asked.
    """
    for dataset in datasets:
        access.require(by, dataset.organisation, MAY_ASK, "ask which recordings of a catalogue are here")
    rows = list(catalogue.rows.all())
    described = [_described(row) for row in rows]
    heard = _fingerprints(rows)
    runs = []
    for dataset in datasets:
        held = list(held_in(dataset))
        index = _index(dataset, heard, by, now)
        sounds = _listen(heard, index, dataset, progress)
        answers = engine.match(described, held, sounds)
        answers |= _heard_again(described, held, answers, heard, sounds, index)
        run = CatalogueRun(
            catalogue=catalogue,
            dataset=dataset,
            asked_by=by,
            run_at=now,
            method=thresholds.METHOD,
            method_version=thresholds.METHOD_VERSION,
            n_rows=len(rows),
            n_recordings=len(held),
            n_rows_listened=sum(sound.comparable(one.items) for one in heard.values()) if index else 0,
            n_recordings_indexed=index.facts.n_recordings - len(index.too_short) if index else 0,
        )
        runs.append(_answer(run, rows, answers))
    return runs


def _described(row: CatalogueRow) -> Described:
    return Described(
        key=str(row.pk),
        title=row.title,
        artist=row.artist,
        isrcs=frozenset([row.isrc]) if row.isrc_is_valid else frozenset(),
        releases=frozenset(_pair(release) for release in row.releases),
        seconds=row.seconds,
        samples_sha256=row.samples_sha256,
    )


def _pair(release: str) -> tuple[str, str]:
    scheme, _, identifier = release.partition(":")
    return scheme, identifier


def held_in(dataset: Dataset) -> Iterator[Described]:
    """Describe every recording of a dataset as its entries and identifiers do."""
    isrcs: dict[int, set[str]] = {}
    releases: dict[int, set[tuple[str, str]]] = {}
    known = RecordingIdentifier.objects.filter(
        recording__entries__dataset=dataset, is_valid=True, scheme__in=("isrc", "grid", "ean")
    )
    for pk, scheme, compact in known.values_list("recording_id", "scheme", "compact"):
        if scheme == "isrc":
            isrcs.setdefault(pk, set()).add(compact)
        else:
            releases.setdefault(pk, set()).add(_pair(_release(scheme, compact)))
    entries = DatasetEntry.objects.filter(dataset=dataset).values_list(
        *("recording_id", "recording__public_id", "title", "artist"),
        *("recording__title", "recording__artist", "recording__isrc"),
        *("recording__seconds", "recording__samples_sha256", "recording__silent"),
    )
    for (
        pk,
        public_id,
        title,
        artist,
        own_title,
        own_artist,
        isrc,
        seconds,
        samples,
        silent,
    ) in entries.iterator():
        checked = identifiers.isrc(isrc) if isrc else None
        own = {checked.compact} if checked and checked.valid else set()
        yield Described(
            key=str(public_id),
            title=title or own_title,
            artist=artist or own_artist,
            isrcs=frozenset(own | isrcs.get(pk, set())),
            releases=frozenset(releases.get(pk, ())),
            seconds=seconds,
            samples_sha256="" if silent else samples,
        )


def _index(
    dataset: Dataset, heard: Mapping[str, Any], by: User, now: datetime
) -> RecordingIndex | SegmentedIndex | None:
    """Return the dataset's index, built anew only where the one there is does not cover what is stored."""
    if not heard or not has_fingerprints(dataset):
        return None
    try:
        return current_index(dataset=dataset, version=None, by=by, now=now)[1]
    except EmptyDatasetError:
        return None


def _listen(
    heard: Mapping[str, AudioFingerprint],
    index: RecordingIndex | SegmentedIndex | None,
    dataset: Dataset,
    progress: Progress | None,
) -> dict[str, Sound]:
    sounds: dict[str, Sound] = {}
    if index is None:
        return sounds
    for n_done, (key, one) in enumerate(heard.items(), start=1):
        if found := sound.heard_in(one.items, cascade.near_to(one, index)):
            sounds[key] = Sound(heard=found)
        if progress is not None and n_done % 5 == 0:
            progress(n_done, len(heard), f"{n_done} of {len(heard)} recordings listened to in {dataset.name}")
    return sounds


def _heard_again(
    rows: Iterable[Described],
    held: Sequence[Described],
    answers: Mapping[str, tuple[engine.Match, ...]],
    heard: Mapping[str, AudioFingerprint],
    sounds: Mapping[str, Sound],
    index: RecordingIndex | SegmentedIndex | None,
) -> dict[str, tuple[engine.Match, ...]]:
    """Answer again where names or ISRC agree and nothing was heard: now both sounds are compared in full."""
    if index is None:
        return {}
    again: dict[str, Sound] = {}
    asked = {key: [one.key for one in answers[key] if not _by_sound(one)] for key in heard}
    near = cascade.limited_to([other for unheard in asked.values() for other in unheard], index)
    places = {key: number for number, key in enumerate(near.recordings)}
    for key, unheard in asked.items():
        items = heard[key].items
        compared = [(other, near.items(places[other])) for other in unheard if other in places]
        known = sounds.get(key, Sound())
        found, other_sound = [], set()
        for other, reference in compared:
            if not (sound.comparable(items) and sound.comparable(reference)):
                continue
            if (one := sound.compare(items, reference, key=other)) is not None:
                found.append(one)
            else:
                other_sound.add(other)
        if found or other_sound:
            again[key] = Sound((*known.heard, *found), frozenset(other_sound))
    return engine.match([row for row in rows if row.key in again], held, again) if again else {}


def _by_sound(one: engine.Match) -> bool:
    return any(evidence["kind"] in ("samples", "fingerprint") for evidence in one.evidence)


@transaction.atomic
def _answer(
    run: CatalogueRun, rows: Sequence[CatalogueRow], answers: Mapping[str, tuple[engine.Match, ...]]
) -> CatalogueRun:
    """Keep a run with its answers; it takes the place of the one before, which stays readable."""
    Catalogue.objects.select_for_update().get(pk=run.catalogue_id)
    CatalogueRun.objects.filter(catalogue=run.catalogue_id, dataset=run.dataset_id, is_latest=True).update(
        is_latest=False
    )
    given = [engine.answer_of(answers[str(row.pk)]) for row in rows]
    run.n_found, run.n_probable = given.count("found"), given.count("probable")
    run.save(force_insert=True)
    ids = _recording_ids(one.key for matches in answers.values() for one in matches)
    CatalogueMatch.objects.bulk_create(
        (match for row in rows for match in _matches(run, row, answers[str(row.pk)], ids)),
        batch_size=ROWS_A_CHUNK,
    )
    ledger.record(
        kind="provenance.catalogue.matched",
        subject_kind="dataset",
        subject_id=run.dataset.public_id,
        actor=run.asked_by,
        organisation=run.dataset.organisation,
        now=run.run_at,
        body={
            "catalogue": str(run.catalogue.public_id),
            "run": str(run.public_id),
            "source_sha256": run.catalogue.source_sha256,
            "rows": run.n_rows,
            "found": run.n_found,
            "probable": run.n_probable,
            "method": f"{run.method} {run.method_version}",
        },
    )
    return run


def _recording_ids(keys: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for some in batches(sorted(set(keys)), 5000):
        rows = Recording.objects.filter(public_id__in=some).values_list("public_id", "pk")
        found |= {str(public_id): pk for public_id, pk in rows}
    return found


def _matches(
    run: CatalogueRun, row: CatalogueRow, matches: Sequence[engine.Match], ids: Mapping[str, int]
) -> Iterator[CatalogueMatch]:
    if not matches:
        yield CatalogueMatch(run=run, row=row, answer="not_found")
    for rank, one in enumerate(matches, start=1):
        yield CatalogueMatch(
            run=run,
            row=row,
            rank=rank,
            recording_id=ids[one.key],
            answer=one.answer,
            score=one.score,
            evidence=[dict(evidence) for evidence in one.evidence],
        )
