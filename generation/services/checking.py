"""Checking files and outputs, and keeping what was found."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from django.db import connection, connections, transaction

from generation import pipeline
from generation.models import Check, Generation, Match, ModelVersion
from generation.pipeline import Answer, Calibrated, Held, Target
from generation.queries.cases import NO_CASE, standing_of
from generation.queries.origins import origins_of
from generation.services.confirming import confirmed
from governance import access, ledger
from governance import services as governance
from governance.models import Organisation, User
from lib import forking
from lib.words import keepable
from provenance import queries as provenance_queries
from provenance import services as provenance
from provenance.errors import EmptyDatasetError, IndexMissingError
from provenance.models import Dataset, DatasetEntry, DatasetKind, DatasetVersion, IndexBuild, Recording
from provenance.similarity import kinds as likeness_kinds
from provenance.similarity.kinds import Kind, KindIndex
from provenance.similarity.segmented import SegmentedIndex
from provenance.storage import local_file

WAY_OUT_OF_ANY_MUSIC = (
    "nobody said what the model was trained on, so it may have been these; where it is known, register the model "
    "with its dataset"
)


RECORDING_ONLY = ("recording",)

KILLED = "the process that checked it was killed, perhaps because memory ran out: check it by itself"


def targets_for(
    references: Sequence[str],
    organisations: Sequence[Organisation],
    *,
    by: User,
    now: datetime,
    kinds: Sequence[str] = RECORDING_ONLY,
) -> list[Target]:
    """Open the index of each dataset or collection named, building or rebuilding it where it must be."""
    found = [provenance_queries.dataset_named(reference, organisations) for reference in references]
    for owner in dict.fromkeys(dataset.organisation for dataset, _ in found):
        access.require(by, owner, access.CHECKS, "check a file")
    return [_target(dataset, version, kinds, by=by, now=now) for dataset, version in found]


def targets_of_model(
    version: ModelVersion, *, by: User, now: datetime, kinds: Sequence[str] = RECORDING_ONLY
) -> list[Target]:
    """Return what a model's outputs must be held against: the music it was trained on, and the protected.

    What cases made a blocked reference of this model blocks whatever matches it, however faintly it is accepted.
    Where nobody said what it was trained on: everything there is, and what the same weights are known to have heard.
    Recordings there that nothing can be held against are named, and make the verdict ``unverifiable`` unless

    - the weights are known to have heard other music, or
    - nothing at all in their dataset can be heard: it is then none of the collections that the output was checked
      against, and ``no_match`` speaks of these alone.

    The training set and protected collections must be covered whole, always.
    """
    organisation = version.model.organisation
    origins = origins_of([version]).get(version.pk, [])
    heard = dict.fromkeys(one.dataset_version for one in (version, *origins) if one.dataset_version)
    targets = [_target(frozen.dataset, frozen, kinds, by=by, now=now) for frozen in heard]
    others = Dataset.objects.filter(organisation=organisation)
    if version.dataset_version is not None:
        others = others.filter(kind=DatasetKind.PROTECTED)
    for dataset in others.select_related("organisation").order_by("name"):
        if dataset.entries.exists():
            target = _target(dataset, None, kinds, by=by, now=now)
            targets.append(_of_any_music(target, origins) if version.dataset_version is None else target)
    standings = standing_of([version, *origins])
    blocked = {
        recording: case
        for one in (version, *origins)
        for recording, case in standings.get(one.pk, NO_CASE).blocked.items()
    }
    return [replace(target, blocked=blocked) for target in targets]


def _target(
    dataset: Dataset, version: DatasetVersion | None, kinds: Sequence[str], *, by: User, now: datetime
) -> Target:
    try:
        build, index = provenance.current_index(dataset=dataset, version=version, by=by, now=now)
    except (IndexMissingError, EmptyDatasetError) as error:
        return Target(dataset, version, None, None, str(error))
    others = {
        name: _held(kind, dataset, version, by=by, now=now)
        for name in kinds
        if name not in RECORDING_ONLY and (kind := likeness_kinds.named(name)) is not None
    }
    calibrated = _calibrated(build, index, by=by, now=now)
    return Target(dataset, version, build, index, calibrated=calibrated, others=others)


def _calibrated(
    build: IndexBuild, index: KindIndex | SegmentedIndex, *, by: User, now: datetime
) -> Calibrated | None:
    row = provenance.calibration_for(build=build, index=index, by=by, now=now)
    measured = provenance_queries.measured(row) if row else None
    if row is None or measured is None or not measured.strata:
        return None
    return Calibrated(str(row.public_id), measured, provenance_queries.false_alarm_target(build.kind))


def _held(kind: Kind, dataset: Dataset, version: DatasetVersion | None, *, by: User, now: datetime) -> Held:
    if problem := kind.lacking():
        return Held(None, None, problem)
    build, index = provenance.current_index_of(kind, dataset=dataset, version=version, by=by, now=now)
    return Held(build, index, calibrated=_calibrated(build, index, by=by, now=now) if kind.chance else None)


def _of_any_music(target: Target, origins: Sequence[ModelVersion]) -> Target:
    """Return what a model whose music nobody named may have heard, as far as it bears on the verdict."""
    is_protected = target.dataset.kind == DatasetKind.PROTECTED
    decides = is_protected or (not origins and not target.hears_nothing)
    return replace(target, gap_decides=decides, way_out=WAY_OUT_OF_ANY_MUSIC)


def check_files(
    paths: Sequence[tuple[str, Path]],
    *,
    targets: Sequence[Target],
    kinds: Sequence[str],
    n_processes: int = 1,
) -> Iterator[Answer]:
    """Check files in their order, several at once in processes of their own.

    A file whose process is killed is ``unverifiable``. Inside a transaction all are checked in this process: another one
    has a connection of its own to the database, and would not see what was written here.
    """

    def check(named: tuple[str, Path]) -> Answer:
        return _checked(named[1], name=named[0], targets=targets, kinds=kinds)

    if n_processes < 2 or len(paths) < 2 or _is_in_transaction():
        yield from map(check, paths)
        return
    strangers = [target.calibrated for target in targets]
    strangers += [held.calibrated for target in targets for held in target.others.values()]
    yield from forking.in_order(
        check,
        paths,
        n_processes=n_processes,
        lost=lambda named: pipeline.unheard(named[1], named[0], targets, KILLED),
        shared=[*targets, *(one for one in strangers if one is not None)],
        forked=connections.close_all,
        started=_with_one_thread,
    )


def _is_in_transaction() -> bool:
    return connection.in_atomic_block


def _with_one_thread() -> None:
    """Keep libraries that were used before the fork from waiting for threads that are not there after it."""
    if faiss := sys.modules.get("faiss"):
        faiss.omp_set_num_threads(1)
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


def _checked(
    path: Path, *, name: str, targets: Sequence[Target], kinds: Sequence[str], midi: Path | None = None
) -> Answer:
    answer = pipeline.check_file(path, name=name, targets=targets, kinds=kinds, midi=midi)
    if not any(one.accepted for one in answer.candidates):
        return answer
    known = known_recordings(answer)
    return confirmed(answer, path, {key: recording for key, (recording, _) in known.items()})


def known_recordings(answer: Answer) -> dict[str, tuple[Recording, str]]:
    """Return each candidate's recording, with the external id that the dataset checked against knows it by."""
    ids = {candidate.recording_id for candidate in answer.candidates}
    datasets = [target.dataset for target in answer.targets]
    entries = DatasetEntry.objects.filter(dataset__in=datasets, recording__public_id__in=ids)
    return {
        str(entry.recording.public_id): (entry.recording, entry.external_id)
        for entry in entries.select_related("recording").order_by("-id")
    }


@transaction.atomic
def record_checks(*, answer: Answer, by: User, now: datetime) -> list[Check]:
    """Keep the check of a file with whose music it was held against: each owner sees what was asked of theirs.

    The caller's own organisation gets no copy: colleagues who are no members there would read in it what the
    other one holds. The caller, who could only ask as a member, reads it there. What was held against nothing
    stays with the caller's own.
    """
    if not answer.organisations:
        home = governance.home_organisation(by)
        return [record_check(answer=answer, organisation=home, by=by, now=now)]
    return [
        record_check(answer=answer.part_of(owner), organisation=owner, by=by, now=now)
        for owner in answer.organisations
    ]


@transaction.atomic
def record_check(
    *,
    answer: Answer,
    organisation: Organisation,
    by: User,
    now: datetime,
    generation: Generation | None = None,
    control: bool = False,
) -> Check:
    """Keep an answer with its candidates, accepted or not, and say so in the ledger."""
    known = known_recordings(answer)
    check = Check.objects.create(
        generation=generation,
        organisation=organisation,
        file_name=keepable(answer.file)[:500],
        sha256=answer.sha256,
        seconds=answer.seconds,
        verdict=answer.verdict,
        reasons=[keepable(reason) for reason in pipeline.named_reasons(answer, known)],
        kinds=list(answer.kinds),
        kinds_not_checked=list(answer.kinds_not_checked),
        policy=answer.policy,
        covers_all=answer.covers_all,
        control=control,
        elapsed_s=answer.elapsed_s,
        checked_at=now,
    )
    check.indexes.set([target.build for target in answer.targets if target.build])
    check.against.set([target.dataset for target in answer.targets])
    ranks: dict[str, int] = {}
    rows = []
    for candidate in answer.candidates:
        if candidate.recording_id not in known:
            continue
        recording, external_id = known[candidate.recording_id]
        ranks[candidate.kind] = ranks.get(candidate.kind, 0) + 1
        rows.append(
            Match(
                check_made=check,
                recording=recording,
                kind=candidate.kind,
                rank=ranks[candidate.kind],
                accepted=candidate.accepted,
                score=candidate.score,
                p_value=candidate.p_value,
                p_kind=candidate.p_kind,
                calibration=candidate.calibration,
                external_id=external_id,
                title=recording.title,
                query_start_s=candidate.query_start_s,
                query_end_s=candidate.query_end_s,
                reference_start_s=candidate.reference_start_s,
                reference_end_s=candidate.reference_end_s,
                occurrences=list(candidate.occurrences),
                tempo_ratio=candidate.tempo_ratio,
                pitch_shift_semitones=candidate.pitch_shift_semitones,
                details=candidate.details,
            )
        )
    Match.objects.bulk_create(rows)
    ledger.record(
        kind="generation.output.checked",
        subject_kind="check",
        subject_id=check.public_id,
        actor=by,
        organisation=organisation,
        now=now,
        body={
            "file_sha256": answer.sha256,
            "verdict": answer.verdict,
            "indexes": [str(target.build.public_id) for target in answer.targets if target.build],
            "covers_all": answer.covers_all,
            "generation": str(generation.public_id) if generation else None,
        },
    )
    return check


def _notes_of(generation: Generation, kinds: Sequence[str]) -> AbstractContextManager[Path | None]:
    """Open the notes that a notes model wrote, where compositions are looked for."""
    if generation.midi and likeness_kinds.COMPOSITION.name in kinds:
        return local_file(generation.midi)
    return nullcontext()


def check_generation(
    *,
    generation: Generation,
    targets: Sequence[Target],
    by: User,
    now: datetime,
    kinds: Sequence[str] = ("recording",),
    control: bool = False,
) -> tuple[Check, Answer]:
    """Hold one output against the indexes, confirm by its sound what was found, and keep both."""
    with local_file(generation.audio) as path, _notes_of(generation, kinds) as midi:
        name = Path(generation.audio).name
        answer = _checked(path, name=name, targets=targets, kinds=kinds, midi=midi)
    check = record_check(
        answer=answer,
        organisation=generation.model_version.model.organisation,
        by=by,
        now=now,
        generation=generation,
        control=control,
    )
    return check, answer
