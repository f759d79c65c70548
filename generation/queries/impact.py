"""The impact graph: what was made with some recordings, from the music to the outputs, counted and drawn.

Everything is computed when asked, in a number of queries that does not grow with the recordings or the models.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, QuerySet, Sum

from generation.models import (
    Generation,
    GenerationState,
    Match,
    ModelVersion,
    TrainingRun,
)
from lib import figures
from provenance.models import Dataset, DatasetEntry, DatasetVersion, Grant, Recording, VersionEntry

RIGHTS = ("master", "composition")
Ids = QuerySet[Recording, Any]  # a subquery, so that thousands of recordings are one parameter


@dataclass(frozen=True)
class Contract:
    """Under what one right of some recordings was used, as the frozen manifest says."""

    right: str
    basis: str
    licence: str
    grant: str  # public id; empty: no grant decided
    licensor: str
    n_recordings: int
    seconds: float

    @property
    def words(self) -> str:
        if self.grant:
            return f"grant {self.grant[:8]}{f' of {self.licensor}' if self.licensor else ''}"
        return self.licence or self.basis.replace("_", " ") or "nothing on record"


@dataclass(frozen=True)
class Used:
    """A frozen dataset version with what it holds of the recordings."""

    version: DatasetVersion
    n_recordings: int
    seconds: float
    contracts: tuple[Contract, ...]


@dataclass(frozen=True)
class Trained:
    """A training run with what of the recordings it read, and what it only held out to measure itself."""

    run: TrainingRun
    n_trained_on: int
    trained_on_s: float
    n_held_out: int
    held_out_s: float


@dataclass(frozen=True)
class Reached:
    """A model version trained on a version that holds some of the recordings, and what it made."""

    version: ModelVersion
    used: Used
    trained: Trained | None  # None: it was trained elsewhere, and all of the version counts
    n_outputs: int
    n_released: int
    n_matching: int  # outputs in which a check found one of the recordings
    n_matching_released: int

    @property
    def n_recordings(self) -> int:
        return self.trained.n_trained_on if self.trained else self.used.n_recordings

    @property
    def seconds(self) -> float:
        return self.trained.trained_on_s if self.trained else self.used.seconds


@dataclass(frozen=True)
class ImpactGraph:
    n_recordings: int
    seconds: float
    datasets: tuple[tuple[Dataset, int], ...]
    versions: tuple[Used, ...]
    runs: tuple[Trained, ...]  # those that became no model too
    models: tuple[Reached, ...]
    n_unknown: int  # models of the same organisations whose music nobody knows

    @property
    def n_outputs(self) -> int:
        return sum(model.n_outputs for model in self.models)

    @property
    def n_released(self) -> int:
        return sum(model.n_released for model in self.models)

    @property
    def n_matching(self) -> int:
        return sum(model.n_matching for model in self.models)


def graph_of(recordings: QuerySet[Recording]) -> ImpactGraph:
    """Follow recordings upwards, each step with its counts, seconds, and the contract of the time."""
    facts = list(recordings.values_list("sha256", "seconds", "organisation_id"))
    ids = recordings.order_by().values("pk")
    versions = _versions(ids)
    by_version = {used.version.pk: used for used in versions}
    lengths = {sha256: seconds or 0.0 for sha256, seconds, _ in facts if sha256}
    runs = _runs(by_version, lengths)
    models = _models(by_version, runs, ids)
    unknown = ModelVersion.objects.filter(
        dataset_version=None, model__organisation__in={organisation for *_, organisation in facts}
    )
    return ImpactGraph(
        n_recordings=len(facts),
        seconds=sum(seconds or 0.0 for _, seconds, _ in facts),
        datasets=_datasets(ids),
        versions=tuple(versions),
        runs=tuple(runs),
        models=tuple(models),
        n_unknown=unknown.count() if facts else 0,
    )


def _datasets(ids: Ids) -> tuple[tuple[Dataset, int], ...]:
    rows = DatasetEntry.objects.filter(recording__in=ids).values("dataset").annotate(n=Count("id")).order_by()
    counts = {row["dataset"]: row["n"] for row in rows}
    found = Dataset.objects.in_bulk(counts)
    return tuple(sorted(((found[pk], n) for pk, n in counts.items()), key=lambda pair: pair[0].name))


def _versions(ids: Ids) -> list[Used]:
    inside = VersionEntry.objects.filter(recording__in=ids)
    totals = {
        row["version"]: row
        for row in inside.values("version")
        .annotate(n=Count("id"), seconds=Sum("recording__seconds"))
        .order_by()
    }
    contracts = _contracts(inside)
    found = DatasetVersion.objects.select_related("dataset").in_bulk(totals)
    used = [
        Used(found[pk], row["n"], row["seconds"] or 0.0, tuple(contracts[pk])) for pk, row in totals.items()
    ]
    return sorted(used, key=lambda one: (one.version.dataset.name, one.version.number))


def _contracts(inside: QuerySet[VersionEntry]) -> dict[int, list[Contract]]:
    """Group what the manifests say of each right; one query for both rights and one for the grants' names."""
    keys = [f"manifest__{right}__{fact}" for right in RIGHTS for fact in ("basis", "licence", "grant")]
    rows = list(
        inside.values("version", *keys)
        .annotate(n=Count("id"), seconds=Sum("recording__seconds"))
        .order_by("version")
    )
    counted: dict[int, dict[tuple[str, str, str, str], tuple[int, float]]] = defaultdict(dict)
    for row in rows:
        for right in RIGHTS:
            said = [row[f"manifest__{right}__{fact}"] or "" for fact in ("basis", "licence", "grant")]
            key = (right, said[0], said[1], said[2])
            n, seconds = counted[row["version"]].get(key, (0, 0.0))
            counted[row["version"]][key] = (n + row["n"], seconds + (row["seconds"] or 0.0))
    grants = {grant for by_key in counted.values() for *_, grant in by_key if grant}
    licensors = {
        str(public_id): name
        for public_id, name in Grant.objects.filter(public_id__in=grants).values_list(
            "public_id", "licensor__name"
        )
    }
    found: dict[int, list[Contract]] = defaultdict(list)
    for version_id, by_key in counted.items():
        for (right, basis, licence, grant), (n, seconds) in by_key.items():
            found[version_id].append(
                Contract(right, basis, licence, grant, licensors.get(grant, ""), n, seconds)
            )
        found[version_id].sort(key=lambda one: (RIGHTS.index(one.right), -one.n_recordings, one.words))
    return found


def _runs(by_version: Mapping[int, Used], lengths: Mapping[str, float]) -> list[Trained]:
    rows = (
        TrainingRun.objects.filter(dataset_version__in=list(by_version))
        .select_related("model")
        .order_by("started_at", "id")
    )
    found = []
    for run in rows:
        read = [sha256 for sha256 in run.trained_on if sha256 in lengths]
        held_out = [lengths[sha256] for sha256 in run.held_out if sha256 in lengths]
        if (
            not run.trained_on and not run.held_out
        ):  # it was cut off before it said: all of the version counts
            used = by_version[run.dataset_version_id]
            found.append(Trained(run, used.n_recordings, used.seconds, 0, 0.0))
            continue
        read_s = sum(lengths[sha256] for sha256 in read)
        found.append(Trained(run, len(read), read_s, len(held_out), sum(held_out)))
    return found


def _models(by_version: Mapping[int, Used], runs: Iterable[Trained], ids: Ids) -> list[Reached]:
    versions = list(
        ModelVersion.objects.filter(dataset_version__in=list(by_version))
        .select_related("model", "dataset_version__dataset")
        .order_by("model__name", "number")
    )
    by_model = {one.run.model_version_id: one for one in runs if one.run.model_version_id}
    made: dict[int, dict[str, int]] = defaultdict(dict)
    states = Generation.objects.filter(model_version__in=versions).values("model_version", "state")
    for row in states.annotate(n=Count("id")).order_by():
        made[row["model_version"]][row["state"]] = row["n"]
    like = _matching(versions, ids)
    return [
        Reached(
            version=version,
            used=by_version[version.dataset_version_id or 0],
            trained=by_model.get(version.pk),
            n_outputs=sum(made[version.pk].values()),
            n_released=made[version.pk].get(GenerationState.RELEASED, 0),
            n_matching=sum(like[version.pk].values()),
            n_matching_released=like[version.pk].get(GenerationState.RELEASED, 0),
        )
        for version in versions
    ]


def _matching(versions: Sequence[ModelVersion], ids: Ids) -> dict[int, dict[str, int]]:
    rows = (
        Match.objects.filter(
            accepted=True,
            recording__in=ids,
            check_made__control=False,
            check_made__generation__model_version__in=versions,
        )
        .values("check_made__generation__model_version", "check_made__generation__state")
        .annotate(n=Count("check_made__generation", distinct=True))
        .order_by()
    )
    found: dict[int, dict[str, int]] = defaultdict(dict)
    for row in rows:
        version = row["check_made__generation__model_version"]
        found[version][row["check_made__generation__state"]] = row["n"]
    return found


# ── The drawing ──────────────────────────────────────────────────────────────────────────────────

BOX_WIDTH, BOX_HEIGHT, GAP, ROW = 176, 58, 40, 74
TOP = 34  # room for the names of the columns
MAX_ROWS = 10  # more lines are told in words: the table has them all
MAX_CHARS = 22
COLUMNS = ("Recordings", "Dataset versions", "Training runs", "Models", "Outputs")


@dataclass(frozen=True)
class Box:
    """One node of the drawing; positions and sizes in the units of the SVG's view box."""

    x: float
    y: float
    kind: str
    title: str
    lines: tuple[str, ...]
    subject: str = ""  # kind of page and
    public_id: str = ""  # whose
    stopped: bool = False

    @property
    def right(self) -> float:
        return self.x + BOX_WIDTH

    @property
    def middle(self) -> float:
        return self.y + BOX_HEIGHT / 2

    @property
    def text_x(self) -> float:
        return self.x + 10

    @property
    def shown(self) -> tuple[tuple[float, str], ...]:
        return tuple((self.y + 38 + 14 * at, line) for at, line in enumerate(self.lines))

    @property
    def title_y(self) -> float:
        return self.y + 21


@dataclass(frozen=True)
class Drawing:
    width: float
    height: float
    columns: tuple[tuple[float, str], ...]
    boxes: tuple[Box, ...]
    paths: tuple[str, ...]
    n_left_out: int  # lines that the table has and the drawing has not


@dataclass(frozen=True)
class _Line:
    """One way through the graph: a version, and where it led to a run and a model, those."""

    used: Used
    trained: Trained | None
    model: Reached | None


def drawing_of(graph: ImpactGraph, closed: Iterable[int] = ()) -> Drawing:
    """Lay the graph out in five columns, a line a model; ``closed`` are the models whose gate is closed."""
    lines = _lines(graph)
    shown = lines[:MAX_ROWS]
    stopped = set(closed)
    height = TOP + ROW * max(1, len(shown))
    boxes: list[Box] = []
    paths: list[str] = []
    start = Box(
        x=0,
        y=TOP + (ROW * max(1, len(shown)) - ROW) / 2,
        kind="recordings",
        title=_plural(graph.n_recordings, "recording"),
        lines=(figures.duration(graph.seconds), _plural(len(graph.datasets), "dataset")),
    )
    boxes.append(start)
    for used in dict.fromkeys(line.used for line in shown):
        rows = [at for at, line in enumerate(shown) if line.used is used]
        version = _version_box(used, TOP + ROW * sum(rows) / len(rows))
        boxes.append(version)
        paths.append(_path(start, version))
        for at in rows:
            _draw_line(shown[at], version, TOP + ROW * at, stopped, boxes, paths)
    return Drawing(
        width=_x(len(COLUMNS) - 1) + BOX_WIDTH,
        height=height,
        columns=tuple((_x(at), name) for at, name in enumerate(COLUMNS)),
        boxes=tuple(boxes),
        paths=tuple(paths),
        n_left_out=len(lines) - len(shown),
    )


def _lines(graph: ImpactGraph) -> list[_Line]:
    lines = []
    for used in graph.versions:
        models = [model for model in graph.models if model.used is used]
        lines += [_Line(used, model.trained, model) for model in models]
        runs = [
            one
            for one in graph.runs
            if one.run.dataset_version_id == used.version.pk and one.run.model_version_id is None
        ]
        lines += [_Line(used, run, None) for run in runs]
        if not models and not runs:
            lines.append(_Line(used, None, None))
    return lines


def _draw_line(
    line: _Line, version: Box, y: float, stopped: set[int], boxes: list[Box], paths: list[str]
) -> None:
    before = version
    if line.trained is not None or line.model is not None:
        before = _run_box(line.trained, y)
        boxes.append(before)
        paths.append(_path(version, before))
    if line.model is None:
        return
    model = _model_box(line.model, y, line.model.version.pk in stopped)
    outputs = _outputs_box(line.model, y)
    boxes += [model, outputs]
    paths += [_path(before, model), _path(model, outputs)]


def _version_box(used: Used, y: float) -> Box:
    return Box(
        _x(1),
        y,
        "version",
        _short(str(used.version)),
        (f"{used.n_recordings} of {used.version.n_recordings}", figures.duration(used.seconds)),
        "dataset_version",
        str(used.version.public_id),
    )


def _run_box(trained: Trained | None, y: float) -> Box:
    if trained is None:
        return Box(_x(2), y, "elsewhere", "Trained elsewhere", ("how is not on record",))
    read = f"{trained.n_trained_on} read, {figures.duration(trained.trained_on_s)}"
    when = f"{trained.run.started_at:%-d %b %Y}, {trained.run.get_state_display().lower()}"
    return Box(_x(2), y, "run", when, (read, f"{trained.n_held_out} held out"))


def _model_box(model: Reached, y: float, stopped: bool) -> Box:
    return Box(
        _x(3),
        y,
        "model",
        _short(str(model.version)),
        (f"{figures.duration(model.seconds)} of them", "gate closed" if stopped else "gate open"),
        "model_version",
        str(model.version.public_id),
        stopped,
    )


def _outputs_box(model: Reached, y: float) -> Box:
    return Box(
        _x(4),
        y,
        "outputs",
        _plural(model.n_outputs, "output"),
        (f"{model.n_released} released", f"{model.n_matching} match them"),
        "outputs",
        str(model.version.public_id),
        model.n_matching_released > 0,
    )


def _path(one: Box, other: Box) -> str:
    half = (one.right + other.x) / 2
    return f"M{one.right:g} {one.middle:g}C{half:g} {one.middle:g} {half:g} {other.middle:g} {other.x:g} {other.middle:g}"


def _x(column: int) -> float:
    return column * (BOX_WIDTH + GAP)


def _short(name: str) -> str:
    return name if len(name) <= MAX_CHARS else f"{name[: MAX_CHARS - 9]}…{name[-8:]}"


def _plural(n: int, noun: str) -> str:
    return f"{figures.count(n)} {noun}{'' if n == 1 else 's'}"
