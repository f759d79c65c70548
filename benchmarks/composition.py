"""Whether a work is found when it is played otherwise: in another key, tempo, instrument, by its melody alone.

    make bench ARGS="composition --protocol DIR"

DIR holds, unpacked and a folder each: the packages of ``benchmarks.protocol``, ``openttd-openmsx`` and
``fluid-soundfont-gm``; ``music21`` is installed (`benchmarks.renderings`). References are works rendered with the
soundfont that the product plays MIDI with, among the protocol's reference recordings; queries are 24 s of them, changed
(`benchmarks.renderings.CHANGES`) and rendered with the other soundfont. Works are parted by the hash of their names:
members to test and to calibrate on, and strangers to test and to calibrate on, which are not in the index. Strangers too
are 24 s of every recording of the protocol's test and calibration groups. Thresholds are those of
`provenance.similarity.composition`, read off the calibration strangers.

Beside each figure stand two baselines of our own, on the harmony of the same prints: Qmax as the literature has it, and
the correlation of chroma. Theirs is the threshold that one in a hundred calibration strangers reaches.

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

from benchmarks import protocol, renderings
from benchmarks.figures import ROOT, Figure, NothingToMeasureError
from benchmarks.renderings import Work
from provenance.audio.decoding import stream
from provenance.audio.midi import find_soundfont
from provenance.similarity import composition
from provenance.similarity.composition_index import CompositionIndex, directions
from provenance.similarity.harmony import N_CLASSES, Tune, tune_of
from provenance.similarity.levels import LevelStream

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
    statistic: float


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
    baselines: dict[str, Baseline] = {"qmax": _Qmax(index), "chroma": _Correlation(index)}
    limits = {
        name: _limit(each, _strangers("calibration", groups, listed, font))
        for name, each in baselines.items()
    }
    for name, limit in limits.items():
        yield Figure(f"composition-limit-{name}", limit, "score")
    queries = list(_members(groups["test"], font))
    strangers = list(_strangers("test", groups, listed, font))
    began = time.process_time()
    ours = [_ours(query, index) for query in [*queries, *strangers]]
    yield Figure("composition-check", 1e3 * (time.process_time() - began) / len(ours), "ms-cpu")
    theirs = {
        name: [_theirs(query, each, limits[name]) for query in [*queries[::BASELINE_EVERY], *strangers]]
        for name, each in baselines.items()
    }
    yield from _told(ours, theirs)


def _told(ours: Sequence[Answer], theirs: dict[str, list[Answer]]) -> Iterator[Figure]:
    """Of each change ours over all queries; a baseline, and the ratio, over those that it was asked."""
    changes = [*renderings.CHANGES, ""]
    for change in changes:
        for what in ("found", "precision"):
            mine = _share(ours, change, what)
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
        alarms = [one for one in answers if not one.query.work and one.found]
        n_strangers = sum(not one.query.work for one in answers)
        tracks = len({one.query.name for one in alarms})
        yield Figure(f"composition-false-alarms-{name}", len(alarms), f"of-{n_strangers}", f"tracks={tracks}")
    for one in ours:
        if not one.query.work and one.found:
            yield Figure(f"composition-alarm-{one.query.name}-{one.query.change}", one.statistic, "margin")


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
    known = {_work_of(work) for group in ("test", "calibration") for work in groups[group]}
    return {
        group: [one for one in those if "stranger" not in group or _work_of(one) not in known]
        for group, those in groups.items()
    }


def _work_of(work: Work) -> str:
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


def _ours(query: Query, index: CompositionIndex) -> Answer:
    matches = composition.check(query.tune, index).matches
    keys = [match.key for match in matches]
    rank = keys.index(query.work) + 1 if query.work in keys else 0
    if query.work:
        found = any(match.accepted and match.key == query.work for match in matches)
    else:
        found = any(match.accepted for match in matches)
    return Answer(query, found, rank, max((match.statistic for match in matches), default=0.0))


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
