"""Whether a work is found when it is played otherwise: in another key, tempo, instrument, by its melody alone.

    make bench ARGS="composition --protocol DIR"

DIR holds, unpacked and a folder each: the packages of ``benchmarks.protocol``, ``openttd-openmsx`` and
``fluid-soundfont-gm``; ``music21`` is installed (`benchmarks.renderings`). References are works rendered with the
soundfont that the product plays MIDI with, among the protocol's reference recordings; queries are 24 s of them, changed
(`benchmarks.renderings.CHANGES`) and rendered with the other soundfont. Works are parted by the hash of their names:
members to test and to calibrate on, and strangers to test and to calibrate on, which are not in the index. Strangers too
are 24 s of every recording of the protocol's test and calibration groups. The index is calibrated by the stock that is
shipped, and verdicts follow from it as they do in checks. What is promised is counted on other excerpts of the test
group.

Ours is printed first. Then, slowly, two baselines of our own on the harmony of the same prints: Qmax as the
literature has it, and the correlation of chroma. Theirs is the threshold that one in a hundred calibration strangers
reaches.

Sources: Qmax: Serrà, Serra and Andrzejak 2009, doi:10.1088/1367-2630/11/9/093017.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from benchmarks import composition_strangers, protocol, renderings
from benchmarks.figures import ROOT, Figure, NothingToMeasureError
from benchmarks.likeness import Alarms
from benchmarks.renderings import Work
from provenance.audio.decoding import stream
from provenance.audio.midi import find_soundfont
from provenance.similarity import composition
from provenance.similarity.calibration import Calibration, Judging
from provenance.similarity.composition_index import CompositionIndex, directions
from provenance.similarity.harmony import N_CLASSES, Tune, tune_of
from provenance.similarity.levels import LevelStream
from provenance.similarity.strangers import COMPOSITION_FOLDER, Stock
from provenance.similarity.thresholds import COMPOSITION_FALSE_ALARM_TARGET as TARGET

if TYPE_CHECKING:
    from numpy.typing import NDArray

CACHE = ROOT / "benchmarks" / "out" / "composition"
OTHER_FONT = Path("fluid-soundfont-gm/usr/share/sounds/sf2/FluidR3_GM.sf2")
QUERY_S = 24.0
REFERENCE_S = 90.0
RECORDING_S = 120.0
"""Seconds of a work, and of a recording among them, that are in the index."""

GROUPS = ("test", "test", "calibration", "calibration-stranger", "test-stranger", "test-stranger")
"""Of each collection, every six works in turn."""

N_EXCERPTS = 130
"""Strangers of each length that the index is calibrated with, as the settings have it."""

N_PROMISED = 3
LEVELS = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005)
"""Excerpts of each length and test recording, of which is counted how many have a p of at most so much."""

BASELINE_EVERY = 3
"""The baselines are asked every third of the members' queries, and all strangers."""

STRANGE = ("other-soundfont", "instruments", "melody")
"""Changes that strangers are rendered with."""


@dataclass(frozen=True, slots=True)
class Query:
    """Something to hold against the index; ``work`` is its reference, nothing for a stranger."""

    name: str
    change: str
    tune: Tune
    work: str = ""
    collection: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """The reference that came first, how surprising it was, and the rank of the right one from 1; 0 for none."""

    query: Query
    found: bool
    rank: int
    score: float
    first: str = ""
    found_fixed: bool = False
    cpu_s: float = 0.0


def measure(listed: Path | None, *, n_works: int = 0) -> Iterator[Figure]:
    """Print what is found of each change, by us and by the baselines, and the false alarms.

    Raises
    ------
    NothingToMeasureError
        If music is missing.
    """
    if listed is None:
        raise NothingToMeasureError("composition needs music: --protocol DIR.")
    font = listed / OTHER_FONT
    if not font.is_file():
        raise NothingToMeasureError(f"{font} is missing: apt-get download fluid-soundfont-gm and unpack it.")
    groups = parted(renderings.works(listed), n_works)
    members = [work for group in ("test", "calibration") for work in groups[group]]
    references = [
        (work.name, _rendered(renderings.excerpt(work.sounds, 0, REFERENCE_S), find_soundfont()))
        for work in members
    ]
    references += [
        (track.path, _heard(track, path, 0.0, RECORDING_S))
        for track, path in protocol.located(listed, protocol.tracks("references")).items()
    ]
    index = CompositionIndex.build((name, tune.packed) for name, tune in references)
    yield Figure("composition-references", len(references), "recordings")
    began = time.process_time()
    calibration = composition.measure(index, _stock())
    yield Figure("composition-calibration", time.process_time() - began, "s-cpu")
    yield from _calibrated(calibration)
    queries = list(_members(groups["test"], font))
    strangers = list(_strangers("test", groups, listed, font))
    yield from _single_voices(index, _strangers("calibration", groups, listed, font))
    ours = [_ours(query, index, calibration) for query in [*queries, *strangers]]
    yield from _cost(ours)
    yield from _told(ours, {})
    yield from _promised(calibration, index, listed)
    baselines: dict[str, Baseline] = {"qmax": _Qmax(index), "chroma": _Correlation(index)}
    limits = {
        name: _limit(each, _strangers("calibration", groups, listed, font))
        for name, each in baselines.items()
    }
    for name, limit in limits.items():
        yield Figure(f"composition-limit-{name}", limit, "score")
    theirs = {
        name: [_theirs(query, each, limits[name]) for query in [*queries[::BASELINE_EVERY], *strangers]]
        for name, each in baselines.items()
    }
    yield from _told(ours, theirs)


def _stock() -> Stock:
    """Return the strangers that an index is calibrated with."""
    return Stock.load(COMPOSITION_FOLDER, unpack=Tune.unpack).drawn(N_EXCERPTS)


def _calibrated(calibration: Calibration) -> Iterator[Figure]:
    """Say what is asked for, and what the tails look like that it follows from."""
    yield Figure(
        "composition-strangers", calibration.n_strangers, "excerpts", f"tracks={calibration.n_tracks}"
    )
    for stratum in calibration.strata:
        for part in stratum.best:
            name = f"composition-{part}-of-{stratum.seconds:.0f}s"
            tail = calibration.tail(stratum, part)
            excess = tail.values[tail.values > tail.threshold] - tail.threshold
            shape = 0.5 * (1.0 - float(excess.mean()) ** 2 / float(excess.var()))
            yield Figure(f"{name}-highest", float(tail.values.max()), "of-threshold")
            yield Figure(f"{name}-scale", float(excess.mean()), "of-threshold", f"shape={shape:.2f}")
            needed = calibration.needed(part, TARGET, seconds=stratum.seconds) or 0.0
            yield Figure(f"{name}-needed", needed, "of-threshold", f"target={TARGET:g}")


def _promised(calibration: Calibration, index: CompositionIndex, listed: Path) -> Iterator[Figure]:
    """Count what p-values strangers have that nothing was measured with."""
    located = protocol.located(listed, protocol.tracks("test"))
    reached: dict[float, dict[Path, list[float]]] = {}
    wanted = {stratum.seconds: N_PROMISED for stratum in calibration.strata}
    for excerpt, packed in composition_strangers.made(located, wanted):
        strength = composition.check(Tune.unpack(packed), index).strength
        chance = calibration.chance(composition.TUNE, strength, seconds=excerpt.seconds)
        those = reached.setdefault(excerpt.seconds, {}).setdefault(Path(excerpt.track_sha256), [])
        those.append(chance.p if chance else 1.0)
    for seconds, by_track in reached.items():
        for level in LEVELS:
            alarms = Alarms({track: [p <= level for p in those] for track, those in by_track.items()})
            yield counted(f"composition-p-{level:g}-of-{seconds:.0f}s", alarms)


def counted(name: str, alarms: Alarms) -> Figure:
    """Say how many, of how many works, and the interval of the share, works drawn anew."""
    low, high = alarms.interval(np.random.default_rng(0))
    n_alarms = sum(sum(those) for those in alarms.wrong.values())
    n_works = sum(any(those) for those in alarms.wrong.values())
    beside = f"works={n_works}-of-{len(alarms.wrong)},share={low:.4f}-{high:.4f}"
    return Figure(name, n_alarms, f"of-{alarms.n_excerpts}", beside)


def _single_voices(index: CompositionIndex, strangers: Iterator[Query]) -> Iterator[Figure]:
    """Say what melodies alone reach whose works are not in the index; of the calibration group."""
    alone = [composition.check(one.tune, index) for one in strangers if one.change == "melody"]
    reached = sorted((one.strength for one in alone), reverse=True)
    beside = f"queries={len(alone)},with-a-line={sum('line' in one.best for one in alone)}"
    yield Figure("composition-single-voices-highest", reached[0], "of-threshold", beside)


def _cost(ours: Sequence[Answer]) -> Iterator[Figure]:
    """Say what a check takes; of recordings, and of melodies alone, whose lines are looked up beside."""
    for name, changes in {
        "check": (),
        "check-recordings": ("recording",),
        "check-melody": ("melody",),
    }.items():
        taken = [one.cpu_s for one in ours if not changes or one.query.change in changes]
        yield Figure(f"composition-{name}", 1e3 * float(np.mean(taken)), "ms-cpu", f"queries={len(taken)}")


def _told(ours: Sequence[Answer], theirs: dict[str, list[Answer]]) -> Iterator[Figure]:
    """Of each change ours over all queries; a baseline, and the ratio, over those that it was asked."""
    changes = [*renderings.CHANGES, ""]
    for change in changes:
        for what in ("found", "precision"):
            mine = _share(ours, change, what)
            if not theirs:
                yield Figure(f"composition-{change or 'all'}-{what}", mine, "of-1")
            name = f"composition-{change or 'all'}-{what}"
            for baseline, answers in theirs.items():
                asked = {(one.query.name, one.query.change) for one in answers}
                beside = [one for one in ours if (one.query.name, one.query.change) in asked]
                same = _share(beside, change, what)
                other = _share(answers, change, what)
                yield Figure(name, mine, "of-1", f"{baseline}={other:.3f}", same / other if other else None)
    for collection in dict.fromkeys(one.query.collection for one in ours if one.query.work):
        kept = [one for one in ours if one.query.collection == collection]
        for change in changes:
            name = f"composition-{change or 'all'}-in-{collection}-found"
            yield Figure(name, _share(kept, change, "found"), "of-1")
    for work, n_missed in Counter(one.query.work for one in ours if one.query.work and not one.found).items():
        yield Figure(f"composition-missed-{work}", n_missed, f"of-{len(renderings.CHANGES)}")
    for name, answers in {"ours": list(ours), **theirs}.items():
        wrong: dict[Path, list[bool]] = {}
        for one in answers:
            if not one.query.work:
                wrong.setdefault(Path(one.query.name), []).append(one.found)
        yield counted(f"composition-false-alarms-{name}", Alarms(wrong))
    for one in ours:
        if not one.query.work and one.found:
            yield Figure(
                f"composition-alarm-{one.query.name}-{one.query.change}", one.score, "score", one.first
            )
    fixed = [one for one in ours if one.found_fixed]
    for name, is_member in (("found", True), ("false-alarms", False)):
        n_asked = sum(bool(one.query.work) == is_member for one in ours)
        n_said = sum(bool(one.query.work) == is_member for one in fixed)
        yield Figure(f"composition-fixed-thresholds-{name}", n_said, f"of-{n_asked}")


def _share(answers: Sequence[Answer], change: str, what: str) -> float:
    """Share found, or mean average precision: one answer is right, and what ranks below ten counts nothing."""
    those = [one for one in answers if one.query.work and change in ("", one.query.change)]
    values = [
        float(one.found) if what == "found" else (1 / one.rank if 0 < one.rank <= 10 else 0.0)
        for one in those
    ]
    return float(np.mean(values)) if values else 0.0


# What is asked


def parted(works: Iterator[Work], n_works: int) -> dict[str, list[Work]]:
    """Part works into members and strangers, to test and to calibrate on."""
    groups: dict[str, list[Work]] = {group: [] for group in GROUPS}
    taken: dict[str, int] = {}
    for work in works:
        number = taken.get(work.collection, 0)
        taken[work.collection] = number + 1
        if not n_works or number < n_works:
            groups[GROUPS[number % len(GROUPS)]].append(work)
    known = {work_of(work) for group in ("test", "calibration") for work in groups[group]}
    return {
        group: [one for one in those if "stranger" not in group or work_of(one) not in known]
        for group, those in groups.items()
    }


def work_of(work: Work) -> str:
    """Two settings of one chorale are one work: bwv248.42-4 and bwv248.42-s."""
    return work.name.partition("-")[0]


def _members(works: Sequence[Work], font: Path) -> Iterator[Query]:
    for work in works:
        for change in renderings.CHANGES:
            tune = _rendered(changed(work, change, 0), font)
            yield Query(work.name, change, tune, work.name, work.collection)


def _strangers(group: str, groups: dict[str, list[Work]], listed: Path, font: Path) -> Iterator[Query]:
    for work in groups[f"{group}-stranger"]:
        for number, change in enumerate(STRANGE):
            yield Query(work.name, change, _rendered(changed(work, change, number), font))
    for track, path in protocol.located(listed, protocol.tracks(group)).items():
        start_s = 20.0 if track.seconds >= 20.0 + QUERY_S else 0.0
        yield Query(track.path, "recording", _heard(track, path, start_s, QUERY_S))


def changed(work: Work, change: str, number: int) -> list[renderings.Sound]:
    """Cut a stretch of a work, drawn by its name and a number, and change it."""
    tempo, change_sounds = renderings.CHANGES[change]
    span_s = QUERY_S * tempo
    room_s = max(0.0, min(work.seconds, REFERENCE_S) - span_s - 1)
    start_s = float(_drawn(work.name, number).uniform(0, room_s))
    cut = renderings.excerpt(work.sounds, start_s, span_s)
    return renderings.at_tempo(change_sounds(cut, _drawn(work.name, change, number)), tempo)


def _drawn(*seed: object) -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(hashlib.sha256(repr(seed).encode()).digest()[:8], "big"))


def _rendered(sounds: Sequence[renderings.Sound], font: Path) -> Tune:
    return tune_of(renderings.levels_of_sounds(sounds, font, CACHE))


def _heard(track: protocol.Track, path: Path, start_s: float, seconds: float) -> Tune:
    kept = CACHE / f"{track.sha256[:32]}-{start_s:.0f}.npy"
    if not kept.is_file():
        with stream(path, start_s=start_s, seconds=seconds) as pcm:
            listening = LevelStream(pcm.sample_rate_hz, pcm.n_channels)
            for chunk in pcm.chunks:
                listening.feed(chunk.astype("<i2", copy=False).tobytes())
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.save(kept, listening.finish())
    return tune_of(np.load(kept))


# Who answers


def _ours(query: Query, index: CompositionIndex, calibration: Calibration) -> Answer:
    judging = Judging(calibration, TARGET, QUERY_S)
    began = time.process_time()
    matches = composition.check(query.tune, index, judging=judging).matches
    cpu_s = time.process_time() - began
    keys = [match.key for match in matches]
    rank = keys.index(query.work) + 1 if query.work in keys else 0
    right = [match for match in matches if query.work in ("", match.key)]
    found = any(match.accepted for match in right)
    fixed = any(match.strength >= 1.0 for match in right)
    score, first = (matches[0].score, matches[0].key) if matches else (0.0, "")
    return Answer(query, found, rank, score, first, fixed, cpu_s)


class Baseline(Protocol):
    """Scores each reference, the likest highest."""

    @property
    def keys(self) -> Sequence[str]:
        """The references, in the order of their scores."""
        ...

    def __call__(self, tune: Tune) -> NDArray[np.float64]:
        """Return a score for each of ``keys``."""
        ...


def _theirs(query: Query, baseline: Baseline, limit: float) -> Answer:
    scores = baseline(query.tune)
    best = int(scores.argmax())
    if not query.work:
        return Answer(query, bool(scores[best] >= limit), 0, float(scores[best]))
    right = baseline.keys.index(query.work)
    rank = int((scores > scores[right]).sum()) + 1
    return Answer(query, rank == 1 and bool(scores[right] >= limit), rank, float(scores[right]))


def _limit(baseline: Baseline, strangers: Iterator[Query]) -> float:
    """What one in a hundred strangers reaches."""
    return float(np.quantile([baseline(query.tune).max() for query in strangers], 0.99))


def _halved(tune: Tune) -> NDArray[np.float32]:
    """Harmony twice a second, as baselines read it [shape=(n, 12)]."""
    rows = tune.rows[: len(tune) // 2 * 2, 0].astype(np.float32).reshape(-1, 2, N_CLASSES).mean(axis=1)
    turned: NDArray[np.float32] = directions(np.repeat(rows[:, None].astype(np.uint8), 2, axis=1))[:, 0]
    return turned


class _Correlation:
    """Correlation of the query's chroma with each stretch of a reference, in twelve keys, at its own tempo."""

    def __init__(self, index: CompositionIndex) -> None:
        self.keys: Sequence[str] = index.recordings
        self._chroma = [_halved(tune) for tune in index.tunes]

    def __call__(self, tune: Tune) -> NDArray[np.float64]:
        query = _halved(tune)
        turned = np.stack([np.roll(query, turn, axis=1).ravel() for turn in range(N_CLASSES)])
        scores = []
        for chroma in self._chroma:
            missing = max(0, len(query) - len(chroma))
            padded = np.pad(chroma, ((0, missing), (0, 0)))
            stretches = np.lib.stride_tricks.sliding_window_view(padded.ravel(), query.size)[::N_CLASSES]
            scores.append(float((stretches @ turned.T).max()) / len(query))
        return np.array(scores)


class _Qmax:
    """Qmax: the longest path of recurrences, in the two keys in which query and reference agree best on the whole."""

    EMBEDDED = 10
    KAPPA = 0.095
    ONSET, EXTENSION = 5.0, 0.5

    def __init__(self, index: CompositionIndex) -> None:
        self.keys: Sequence[str] = index.recordings
        self._chroma = [_halved(tune) for tune in index.tunes]
        self._there = [self._embedded(chroma) for chroma in self._chroma]

    def __call__(self, tune: Tune) -> NDArray[np.float64]:
        query = _halved(tune)
        scores = np.zeros(len(self._chroma))
        long = [number for number, chroma in enumerate(self._chroma) if len(chroma) > self.EMBEDDED]
        if len(query) <= self.EMBEDDED or not long:
            return scores
        turned = [self._embedded(np.roll(query, turn, axis=1)) for turn in range(N_CLASSES)]
        usual = query.mean(axis=0)
        most = max(len(self._there[number]) for number in long)
        recurrent = np.zeros((2 * len(long), len(turned[0]), most), dtype=bool)
        for place, number in enumerate(long):
            mean = self._chroma[number].mean(axis=0)
            agreed = [float(np.roll(usual, turn) @ mean) for turn in range(N_CLASSES)]
            there = self._there[number]
            for way, turn in enumerate(np.argsort(agreed)[-2:].tolist()):
                recurrent[2 * place + way, :, : len(there)] = self._recurrent(turned[turn], there)
        longest = self._longest(recurrent).reshape(-1, 2).max(axis=1)
        scores[long] = longest / np.sqrt([len(self._chroma[number]) for number in long])
        return scores

    def _embedded(self, chroma: NDArray[np.float32]) -> NDArray[np.float32]:
        if len(chroma) < self.EMBEDDED:
            return np.zeros((0, self.EMBEDDED * N_CLASSES), dtype=np.float32)
        windows = np.lib.stride_tricks.sliding_window_view(chroma, self.EMBEDDED, axis=0)
        return np.ascontiguousarray(windows).reshape(len(windows), -1)

    def _recurrent(self, query: NDArray[np.float32], there: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Pairs of moments of which each is among the nearest of the other."""
        far = np.square(query).sum(axis=1)[:, None] + np.square(there).sum(axis=1) - 2 * query @ there.T
        n_row, n_column = max(1, round(self.KAPPA * far.shape[1])), max(1, round(self.KAPPA * far.shape[0]))
        rows = np.partition(far, n_row - 1, axis=1)[:, n_row - 1 : n_row]
        columns = np.partition(far, n_column - 1, axis=0)[n_column - 1 : n_column]
        near: NDArray[np.bool_] = (far <= rows) & (far <= columns)
        return near

    def _longest(self, recurrent: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Q of each plot [shape=(n, n_rows, n_columns)]: what its longest path gathers, gaps paid for."""
        n_plots, n_rows, n_columns = recurrent.shape
        nothing = np.zeros((n_plots, n_columns + 2), dtype=np.float32)
        one, two = (
            nothing,
            nothing,
        )  # the last row and the one before it, two columns to the left of the first
        cost_one = cost_two = np.full_like(nothing, self.EXTENSION)
        longest = np.zeros(n_plots)
        for number in range(n_rows):
            met = recurrent[:, number]
            best = np.maximum(np.maximum(one[:, 1:-1], two[:, 1:-1]), one[:, :-2])
            paid = np.maximum(
                np.maximum((one - cost_one)[:, 1:-1], (two - cost_two)[:, 1:-1]), (one - cost_one)[:, :-2]
            )
            line = np.where(met, best + 1, np.maximum(0, paid))
            longest = np.maximum(longest, line.max(axis=1))
            two, cost_two = one, cost_one
            one, cost_one = nothing.copy(), np.full_like(nothing, self.EXTENSION)
            one[:, 2:] = line
            cost_one[:, 2:] = np.where(met, np.float32(self.ONSET), np.float32(self.EXTENSION))
        return longest
