"""The steps of the demo. Each looks first whether it is done, so that a second run is quick and harmless."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import Count
from django.utils import timezone

from audit import services as audit
from audit.demo.music import Source
from audit.demo.people import People
from audit.demo.plan import DATASET, LEAST_SYMBOLIC, MODELS, N_OUTPUTS, SECONDS, SEED, Planned, halves
from generation import queries as generation_queries
from generation import services as generation
from generation.models import Check, Generation, Match, ModelVersion, TrainingRun
from governance import services as governance
from governance.errors import LinerNotesError
from governance.models import Decision, Question, Review, Role
from provenance import queries, services
from provenance.models import Conflict, ConflictStatus, Dataset, DatasetKind, DatasetVersion, Party
from provenance.pipeline import RowOutcome
from provenance.rights.policy import SHIPPED
from provenance.rights.values import Purpose, Use
from provenance.services.parties import identify_party

PURPOSE: Purpose = "ai_generative_training"
NOBODY = r"\y(various|unknown|anonymous|authors|artists|contributors|team)\y"
Tell = Callable[[str], None]


class StepFailedError(LinerNotesError):
    """A step did not do what it says."""

    code = "demo"
    exit_code = 1


@dataclass
class Cleared:
    """How one reading answers for the whole dataset."""

    policy: str
    summary: queries.ClearanceSummary
    reasons: dict[str, dict[str, int]] = field(default_factory=dict)  # answer -> licence -> recordings

    def as_json(self) -> dict[str, Any]:
        """Return how many are cleared once the conditions of this reading are accepted, and those conditions."""
        counts = self.summary.counts
        return {
            "cleared": counts["allowed"] + counts["constrained"],
            "conditions": sorted(self.summary.conditions),
        }


@dataclass(frozen=True)
class Judged:
    """What the checks of one model's outputs say, and how far the samples bear it out."""

    planned: Planned
    version: ModelVersion
    counts: dict[str, int]
    n_confirmed: int
    control_counts: dict[str, int] | None
    figures: dict[str, Any]

    @property
    def n_outputs(self) -> int:
        return sum(self.counts.values())

    @property
    def n_flagged(self) -> int:
        return self.counts["blocked"] + self.counts["review"]


def register(found: Sequence[Source], people: People, tell: Tell) -> Dataset:
    dataset = None
    for source in found:

        def note(outcome: RowOutcome, source: Source = source) -> None:
            tell(f"{source.name}: {outcome.external_id}")

        done = services.register(
            name=DATASET,
            kind=DatasetKind.TRAINING,
            source=source.path,
            format=source.format,
            root=None,
            by=people.steward,
            organisation=people.organisation,
            now=timezone.now(),
            only=source.only,
            tell=note,
        )
        dataset = done.dataset
    if dataset is None or not dataset.entries.exists():
        raise StepFailedError("Nothing was registered: the source holds no audio that can be read.")
    return dataset


def clear(dataset: Dataset, policy_name: str) -> Cleared:
    policy = queries.policy_of(dataset.organisation, policy_name)
    use = Use(purpose=PURPOSE, commercial=True, at=timezone.now())
    cleared = Cleared(policy_name, queries.ClearanceSummary.empty())
    for one in queries.clear_entries(queries.entries_of(dataset), use=use, policy=policy):
        cleared.summary.add(one)
        answer = one.clearance.answer
        for reason in _deciding(one):
            counts = cleared.reasons.setdefault(answer, {})
            counts[reason] = counts.get(reason, 0) + 1
    return cleared


def _deciding(one: queries.Cleared) -> set[str]:
    """Return the reasons of the rights that decided, in the words of the licence."""
    answer = one.clearance.answer
    rights = [right for right in (one.clearance.master, one.clearance.composition) if right.answer == answer]
    return {f"{right.licence or 'no licence'}" for right in rights}


def open_conflicts(dataset: Dataset) -> list[Conflict]:
    return list(queries.conflicts_touching(dataset).filter(status=ConflictStatus.OPEN))


def approve(dataset: Dataset, people: People, policy: str) -> list[str]:
    """Have the officer choose the reading and approve what is registered; return the conditions accepted."""
    chosen = "strict" if policy == "strict" else "default"
    if queries.policy_of(people.organisation).name != chosen:
        _, review = services.propose_policy(
            organisation=people.organisation,
            policy=SHIPPED[chosen],
            reason=f"Demo: the {chosen} reading, chosen when the demo was started.",
            by=people.steward,
            now=timezone.now(),
        )
        services.decide_policy(
            review=review,
            decision=Decision.APPROVED,
            reason=f"Demo: the {chosen} reading was asked for.",
            by=people.officer,
            now=timezone.now(),
        )
    standing = queries.approval_of(dataset)
    if standing is not None:
        return list(standing.conditions)
    reason = (
        "Demo: licences read file by file; only what the strict reading leaves may be used; we give notice and credit."
        if chosen == "strict"
        else "Demo: licences read file by file; we accept the conditions of copyleft and share-alike and will meet them."
    )
    review = services.approve_dataset(
        dataset=dataset,
        by=people.officer,
        reason=reason,
        accept=sorted(clear(dataset, chosen).summary.conditions),  # for this use, and no other
        now=timezone.now(),
    )
    return list(review.conditions)


def seat_the_label(dataset: Dataset, people: People) -> str:
    """Let the demo's label speak for one holder, the one that most recordings name; return who that is, or nothing.

    Without it the label's pages were empty. A holder that is nobody's name, as "various authors", stays nobody.
    """
    own = Party.objects.filter(organisation=dataset.organisation)
    seated = own.exclude(stands_for=None).order_by("name").first()
    if seated is not None:
        return seated.name
    holders = own.filter(claims__recording__entries__dataset=dataset).exclude(name__iregex=NOBODY)
    counted = holders.annotate(n_recordings=Count("claims__recording", distinct=True))
    holder = counted.order_by("-n_recordings", "name").first()
    if holder is None:
        return ""
    now = timezone.now()
    label = governance.add_member(
        username=people.users["label"].username,
        organisation=holder.name,
        role=Role.LABEL_AUDITOR,
        by=governance.system_user(),
        now=now,
    ).organisation
    identify_party(party=holder, organisation=label, by=people.officer, now=now)
    return holder.name


def freeze(dataset: Dataset, people: People, policy: str) -> dict[str, DatasetVersion | None]:
    """Freeze what is cleared in two disjoint halves: one to train on, one kept apart for the control models."""
    use = Use(purpose=PURPOSE, commercial=True, at=timezone.now())
    policy_name = "strict" if policy == "strict" else "default"
    reading = queries.policy_of(dataset.organisation, policy_name)
    approval = queries.approval_of(dataset)
    accepted = frozenset(approval.conditions if approval else ())
    usable = [
        (one.entry.external_id, one.entry.recording.kind)
        for one in queries.clear_entries(queries.entries_of(dataset), use=use, policy=reading)
        if one.clearance.clears(accepted)
        and one.entry.recording.audio
        and one.entry.recording.fingerprints.exists()
    ]
    if not usable:
        raise StepFailedError(
            "Nothing is cleared for commercial generative training: there is nothing to train on. A licence speaks of "
            "the master alone unless licence_scope is `all`; `manage.py clear_dataset` gives each recording's reasons."
        )
    training, control = halves(usable)
    versions: dict[str, DatasetVersion | None] = {}
    for half, names in (("training", training), ("control", control)):
        versions[half] = _frozen(dataset, names, use, people, policy_name) if names else None
    return versions


def _frozen(dataset: Dataset, names: list[str], use: Use, people: People, policy_name: str) -> DatasetVersion:
    for version in dataset.versions.filter(policy_name=policy_name).order_by("-number"):
        if sorted(version.entries.values_list("external_id", flat=True)) == names:
            return version
    frozen = services.freeze_dataset(
        dataset=dataset,
        use=use,
        by=people.steward,
        now=timezone.now(),
        only_cleared=True,
        only_listed=names,
        policy_name=policy_name,
    )
    return frozen.version


def index(versions: Sequence[DatasetVersion | None], people: People) -> int:
    n_recordings = 0
    for version in versions:
        if version is not None:
            build, _ = services.current_index(
                dataset=version.dataset, version=version, by=people.steward, now=timezone.now()
            )
            n_recordings += build.n_recordings
    return n_recordings


def train(
    versions: dict[str, DatasetVersion | None], people: People, tell: Tell
) -> list[tuple[Planned, ModelVersion]]:
    """Train every planned model whose half has music, two at a time, each in a process of its own."""
    wanted = [(planned, version) for planned in MODELS if (version := versions[planned.half]) is not None]
    wanted = [(planned, version) for planned, version in wanted if not why_not(planned, version)]

    def one(pair: tuple[Planned, DatasetVersion]) -> ModelVersion:
        planned, version = pair
        known = _trained(planned, version)
        if known is None:
            tell(f"training {planned.name}")
            _train_in_a_process(planned, version)
            known = _trained(planned, version)
        if known is None:
            raise StepFailedError(f"{planned.name} was trained and can't be found.")
        tell(f"{planned.name} is trained")
        return known

    return list(zip([planned for planned, _ in wanted], _side_by_side(one, wanted), strict=True))


def why_not(planned: Planned, version: DatasetVersion | None) -> str:
    """Return why a model is not trained on what was cleared, or nothing."""
    if version is None:
        return f"nothing is left for the {planned.half} half"
    if planned.architecture == "symbolic":
        n_symbolic = version.entries.filter(recording__kind="symbolic").count()
        if n_symbolic < LEAST_SYMBOLIC:
            return f"{n_symbolic} MIDI files are cleared, and it takes {LEAST_SYMBOLIC}"
    return ""


def _trained(planned: Planned, version: DatasetVersion) -> ModelVersion | None:
    run = (
        TrainingRun.objects.filter(
            model__name=planned.name,
            model__organisation=version.dataset.organisation,
            dataset_version=version,
            model_version__isnull=False,
        )
        .order_by("-id")
        .first()
    )
    return run.model_version if run else None


def _train_in_a_process(planned: Planned, version: DatasetVersion) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as config:
        json.dump(planned.config, config)
        config.flush()
        command(
            "train_model",
            planned.name,
            "--dataset",
            str(version),
            "--architecture",
            planned.architecture,
            "--config",
            config.name,
            "--seed",
            str(SEED),
            "--device",
            "cpu",
            "--summary",
            planned.summary,
            "--as",
            "engineer",
        )


def generate(models: Sequence[tuple[Planned, ModelVersion]], out: Path, tell: Tell) -> None:
    """Have each model make its outputs, each checked before it is released, two models at a time."""

    def one(pair: tuple[Planned, ModelVersion]) -> None:
        planned, version = pair
        n_made = Generation.objects.filter(model_version=version, checks__isnull=False).distinct().count()
        if n_made >= N_OUTPUTS:
            return
        tell(f"{planned.name} makes {N_OUTPUTS} outputs")
        command(
            "generate",
            str(version),
            "--n",
            str(N_OUTPUTS),
            "--seconds",
            str(SECONDS),
            "--seed",
            str(SEED),
            "--out",
            str(out / planned.name),
            "--as",
            "engineer",
        )
        tell(f"{planned.name} is done")

    list(_side_by_side(one, models))


def check_controls(
    models: Sequence[tuple[Planned, ModelVersion]], training: DatasetVersion, people: People, tell: Tell
) -> None:
    """Hold the control models' outputs against music they were not trained on."""
    targets = generation.targets_for(
        [str(training)], [people.organisation], by=people.engineer, now=timezone.now()
    )
    for planned, version in models:
        if planned.kind != "control":
            continue
        unchecked = Generation.objects.filter(model_version=version).exclude(checks__control=True)
        for made in unchecked:
            tell(f"{planned.name}, seed {made.seed}, against music it never saw")
            generation.check_generation(
                generation=made, targets=targets, by=people.engineer, now=timezone.now(), control=True
            )


def judge(models: Sequence[tuple[Planned, ModelVersion]]) -> list[Judged]:
    by_name = {planned.name: version for planned, version in models}
    judged = []
    for planned, version in models:
        if planned.kind == "control":
            continue
        control = by_name.get(planned.name.replace(planned.kind, "control"))
        counts = generation_queries.verdict_counts(version).as_json()
        control_counts = (
            generation_queries.verdict_counts(control, control=True).as_json()
            if control is not None and planned.kind == "decent"
            else None
        )
        judged.append(Judged(planned, version, counts, _confirmed(version), control_counts, version.metrics))
    return judged


def _confirmed(version: ModelVersion) -> int:
    """Count the flagged outputs of which the samples confirm a match."""
    flagged = generation_queries.latest_checks(version).filter(verdict__in=["blocked", "review"])
    return (
        Check.objects.filter(
            id__in=flagged.values("id"),
            matches__in=Match.objects.filter(accepted=True, details__confirmed=True),
        )
        .distinct()
        .count()
    )


def problems_with(judged: Sequence[Judged]) -> list[str]:
    """Return what the demo claims and the figures do not bear out."""
    problems = []
    for one in judged:
        if one.n_outputs < N_OUTPUTS:
            problems.append(f"{one.planned.name} made {one.n_outputs} of {N_OUTPUTS} outputs")
        if one.planned.kind == "overfitted" and one.n_confirmed * 2 < one.n_outputs:
            problems.append(
                f"{one.planned.name}: only {one.n_confirmed} of {one.n_outputs} outputs are flagged with a match that "
                "the samples confirm"
            )
        if one.planned.kind == "decent" and not _beats(one.figures):
            problems.append(f"{one.planned.name} does not beat its baselines on held-out music")
    return problems


def _beats(figures: dict[str, Any]) -> bool:
    held_out = figures.get("held_out_loss")
    baselines = [
        figures[name]
        for name in ("noise_baseline_loss", "unigram_baseline_loss", "shuffled_baseline_loss")
        if figures.get(name) is not None
    ]
    return held_out is not None and bool(baselines) and held_out < min(baselines)


def ask_release(judged: Sequence[Judged], people: People) -> None:
    """Have the engineer put each model before the officer, once; the answer is left to whoever signs in."""
    for one in judged:
        if not Review.objects.filter(
            subject_id=one.version.public_id, question=Question.MODEL_RELEASE
        ).exists():
            generation.ask_model_release(version=one.version, by=people.engineer, now=timezone.now())


def report(judged: Sequence[Judged], people: People, out: Path, tell: Tell) -> list[Path]:
    """Assess and report on each model; return the folders."""
    folders = []
    for one in judged:
        folder = out / one.planned.name
        if not (folder / "report.sig").exists():
            tell(f"reporting on {one.planned.name}")
            audit.run_memorisation_campaign(
                version=one.version, by=people.engineer, now=timezone.now(), made_again=2
            )
            audit.issue_report(version=one.version, out=folder, by=people.officer, now=timezone.now())
        folders.append(folder)
    return folders


def verify(folders: Sequence[Path]) -> tuple[bool, bool]:
    """Return whether every report verifies, and whether every one with a byte changed is refused."""
    all_good = all(audit.verify_report(folder).ok for folder in folders)
    all_refused = all(
        not audit.verify_report(altered).ok for folder in folders for altered in _altered(folder)
    )
    return all_good, all_refused


def _altered(folder: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="liner-altered-") as copy:
        for file in folder.iterdir():
            (Path(copy) / file.name).write_bytes(file.read_bytes())
        target = Path(copy) / "report.json"
        content = bytearray(target.read_bytes())
        content[len(content) // 2] ^= 1
        target.write_bytes(bytes(content))
        yield Path(copy)


def _side_by_side(work: Callable[[Any], Any], subjects: Sequence[Any]) -> list[Any]:
    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(work, subject) for subject in subjects]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            stop_children()
            raise


_children: set[subprocess.Popen[str]] = set()


def command(*arguments: str) -> list[dict[str, Any]]:
    """Run one of the contract's commands in a process of its own and return its JSON lines.

    Raises
    ------
    StepFailedError
        If it can't do what it is asked; an answer of no (exit code 1) is an answer.
    """
    child = subprocess.Popen(
        [sys.executable, str(Path(settings.BASE_DIR) / "manage.py"), *arguments, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"},
    )
    _children.add(child)
    try:
        out, err = child.communicate()
    finally:
        _children.discard(child)
    if child.returncode not in {0, 1}:
        last = (err.strip().splitlines() or ["it said nothing"])[-1]
        raise StepFailedError(f"{' '.join(arguments[:2])} failed: {last}")
    lines = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    if child.returncode == 1 and not lines:
        last = (err.strip().splitlines() or ["it said nothing"])[-1]
        raise StepFailedError(f"{' '.join(arguments[:2])}: {last}")
    return lines


def stop_children() -> None:
    for child in list(_children):
        child.terminate()
    for child in list(_children):
        try:
            child.wait(timeout=10)
        except subprocess.TimeoutExpired:
            child.kill()
