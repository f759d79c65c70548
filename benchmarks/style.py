"""How far likeness of style is to be trusted: whose recordings come first, what shares forecast, and what it costs.

    make bench ARGS="style --protocol DIR"        the packages of benchmarks/protocol.tsv, unpacked

Nobody can say what likeness of style is true. What can be counted is whether recordings of one package, which is most
often one game and few musicians, stand near each other; whether a newer version of a recording is nearest to the older;
and whether shares of half a minute of music hold for the rest of it. References alone are asked; the sharpness of shares
was read off the calibration group.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import protocol
from benchmarks.figures import Figure, NothingToMeasureError
from provenance import audio
from provenance.audio.decoding import stream
from provenance.similarity.excerpts import ExcerptStream, excerpts_of
from provenance.similarity.musicnn import Musicnn, MusicnnError
from provenance.similarity.style import StyleIndex, StylePrint, influence

QUERY_S = 10.0
MANY = 100_000
N_CHANCE = 50
VERSIONS = (
    ("antarctic/cave.ogg", "retro/cave_old.ogg"),
    ("castle/fortress.ogg", "retro/fortress_old.ogg"),
    ("antarctic/airship_2.ogg", "antarctic/airship_remix.ogg"),
    ("forest/ghostforest.ogg", "forest/ghostforest2.ogg"),
    ("music/frantic.ogg", "music/frantic-old.ogg"),
    ("music/menu.opus", "aftermath_soundtrack/menu_enhanced.opus"),
    ("original_soundtrack/track3.opus", "aftermath_soundtrack/track3_enhanced.opus"),
    ("supertux2/music/misc/battle_theme.ogg", "fantasycore/music/battle_theme.ogg"),
)
"""Recordings whose names say that one is a later version of the other; whether it sounds like it they do not say."""


def measure(folder: Path | None) -> Iterator[Figure]:
    """Measure on the references of the protocol.

    Raises
    ------
    NothingToMeasureError
        If the music or the weights are missing.
    """
    if folder is None:
        raise NothingToMeasureError("Style is measured on the listed music: give --protocol DIR.")
    try:
        embedder = Musicnn.load()
    except MusicnnError as error:
        raise NothingToMeasureError(f"{error.reason[0].upper()}{error.reason[1:]}.") from error
    found = protocol.located(folder, protocol.tracks("references"))
    prints: dict[str, StylePrint] = {}
    queries: dict[str, StylePrint] = {}
    embedding_s = query_s = heard_s = 0.0
    for track, path in found.items():
        with stream(path) as pcm:
            taken = ExcerptStream(pcm.sample_rate_hz, pcm.n_channels)
            for chunk in pcm.chunks:
                taken.feed(chunk.astype("<i2", copy=False).tobytes())
            excerpts = taken.finish()
        began = time.process_time()
        prints[track.sha256] = StylePrint.of(excerpts, embedder)
        embedding_s += time.process_time() - began
        heard_s += track.seconds
        start_s = 0.4 * max(0.0, track.seconds - QUERY_S)
        piece = audio.read_samples(path, sample_rate_hz=22_050, start_s=start_s, seconds=QUERY_S)
        began = time.process_time()
        queries[track.sha256] = StylePrint.of(excerpts_of(piece, sample_rate_hz=22_050), embedder)
        query_s += time.process_time() - began
    packages = {track.sha256: track.package for track in found}
    index = StyleIndex.build(prints.items(), model_sha256=embedder.sha256, centre=embedder.centre)
    yield Figure("style_recordings", len(prints), "recordings")
    yield from _neighbours(index, prints, queries, packages)
    yield from _versions(index, prints, {track.sha256: track.path for track in found})
    yield from _shares(index, queries, prints, packages)
    speed = heard_s / embedding_s
    yield Figure("style_embedding_speed", speed, "x-real-time", "60-asked-of-intake", speed / 60)
    yield Figure("style_query_embedding", 1000 * query_s / len(queries), "ms-cpu-of-10-s")
    yield from _cost(index, next(iter(queries.values())), embedder)


def _neighbours(
    index: StyleIndex,
    prints: Mapping[str, StylePrint],
    queries: Mapping[str, StylePrint],
    packages: Mapping[str, str],
) -> Iterator[Figure]:
    """How early another recording of the same package comes, its own left out."""
    groups = np.array([packages[key] for key in index.recordings])
    rng = np.random.default_rng(1)
    for name, asked in (("whole", prints), ("10s", queries)):
        cosines = index.cosines(np.array([asked[key].mean for key in index.recordings]))
        np.fill_diagonal(cosines, -3.0)
        ranks = _first_ranks(np.argsort(-cosines, axis=1), groups)
        drawn = [
            _first_ranks(np.argsort(-_without_own(rng, len(groups)), axis=1), groups) for _ in range(N_CHANCE)
        ]
        chance = float(np.mean([1.0 / one for one in drawn]))
        reciprocal = float(np.mean(1.0 / ranks))
        yield Figure(
            f"style_{name}_same_package_mrr", reciprocal, "-", f"chance-{chance:.3f}", reciprocal / chance
        )
        first = float(np.mean(ranks == 1))
        usual = float(np.mean([one == 1 for one in drawn]))
        yield Figure(f"style_{name}_same_package_first", first, "share", f"chance-{usual:.3f}", first / usual)
    own = index.cosines(np.array([queries[key].mean for key in index.recordings])).argmax(axis=1)
    yield Figure("style_10s_own_recording_first", float(np.mean(own == np.arange(len(own)))), "share")


def _without_own(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    drawn = rng.random((n, n))
    np.fill_diagonal(drawn, -3.0)
    return drawn


def _first_ranks(order: NDArray[np.int64], groups: NDArray[np.str_]) -> NDArray[np.int64]:
    """Rank of the first recording of the same group, from 1; those alone in theirs are left out."""
    same = groups[order[:, :-1]] == groups[:, None]
    ranks: NDArray[np.int64] = same[same.any(axis=1)].argmax(axis=1) + 1
    return ranks


def _versions(
    index: StyleIndex, prints: Mapping[str, StylePrint], paths: Mapping[str, str]
) -> Iterator[Figure]:
    cosines = index.cosines(np.array([prints[key].mean for key in index.recordings]))
    np.fill_diagonal(cosines, -3.0)
    firsts = 0
    for pair in VERSIONS:
        one, other = (_place(index.recordings, paths, ending) for ending in pair)
        ranks = [int((cosines[a] > cosines[a, b]).sum()) + 1 for a, b in ((one, other), (other, one))]
        firsts += min(ranks) == 1
        yield Figure(f"style_rank_of_{Path(pair[1]).stem}", float(min(ranks)), f"of-{len(cosines) - 1}")
    yield Figure("style_versions_first", float(firsts), f"of-{len(VERSIONS)}")


def _place(recordings: Sequence[str], paths: Mapping[str, str], ending: str) -> int:
    return next(place for place, key in enumerate(recordings) if paths[key].endswith(ending))


def _shares(
    index: StyleIndex,
    queries: Mapping[str, StylePrint],
    prints: Mapping[str, StylePrint],
    packages: Mapping[str, str],
) -> Iterator[Figure]:
    """What shares of ten seconds forecast of the package, and whether their intervals hold for the whole recording."""
    names = {key: (package,) for key, package in packages.items()}
    n_in = {package: list(packages.values()).count(package) for package in packages.values()}
    own, usual, inside, widths = [], [], [], []
    for key in index.recordings:
        shares = {one.key: one for one in influence(queries[key], index, leave_out=[key]).by(names)}
        whole = {one.key: one.share for one in influence(prints[key], index, leave_out=[key]).by(names)}
        own.append(shares[packages[key]].share if packages[key] in shares else 0.0)
        usual.append((n_in[packages[key]] - 1) / (len(packages) - 1))
        best = max(shares.values(), key=lambda one: one.share)
        inside.append(best.low <= whole.get(best.key, 0.0) <= best.high)
        widths.append(best.high - best.low)
    share, chance, held = (float(np.mean(each)) for each in (own, usual, inside))
    yield Figure("style_10s_share_of_own_package", share, "share", f"chance-{chance:.3f}", share / chance)
    yield Figure("style_10s_interval_holds_whole", held, "share", "said-0.900", held / 0.9)
    yield Figure("style_10s_interval_width", float(np.median(widths)), "median")


def _cost(index: StyleIndex, query: StylePrint, embedder: Musicnn) -> Iterator[Figure]:
    rng = np.random.default_rng(1)
    drawn = rng.standard_normal((MANY, 1, len(query.mean))).astype(np.float16)
    start = np.zeros(1, dtype=np.float32)
    many = StyleIndex.build(
        ((f"{n:06d}", StylePrint(embedder.sha256, start, one)) for n, one in enumerate(drawn)),
        model_sha256=embedder.sha256,
        centre=embedder.centre,
    )
    for name, one in ((str(len(index.recordings)), index), (str(MANY), many)):
        influence(query, one)
        began = time.process_time()
        for _ in range(5):
            influence(query, one)
        yield Figure(f"style_search_{name}", 1000 * (time.process_time() - began) / 5, "ms-cpu")
