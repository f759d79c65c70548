"""How well the learned fingerprint by itself finds and places copies, and how it tells them from strangers.

    python -m benchmarks.learned --protocol DIR --out OUT [--weights FILE] [--tracks N] [--plain]

All references of the protocol are indexed. Excerpts of some of them are changed as `benchmarks.transformations` says;
strangers are excerpts of the calibration group, never of the test group, for what is set by these figures must not
have seen it. A recording's score is the best mean cosine along a diagonal, over all pitches and tempos that a query
is searched at (with --plain, at its own alone), less what those cost. *Found* is an excerpt whose best diagonal lies
within half a second of where it was taken, or of a place that sounds the same. Two things say whether to believe it:
the *lead* over the next recording that sounds otherwise, and the *excess* over what the query's own segments find
anywhere, the cosine that one in a thousand of all vectors has with them. The shares beside are of what is found and
has more of it than any stranger. Changed excerpts are kept under OUT/excerpts.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import fingerprint_music, likeness, protocol
from benchmarks.transformations import CONDITIONS, RATE_HZ
from lib import files
from provenance.similarity.fingerprint import AudioFingerprint
from provenance.similarity.index import RecordingIndex
from provenance.similarity.learned import (
    N_DIMENSIONS,
    PITCHES,
    SEGMENT_HOP_S,
    TEMPOS,
    WEIGHTS,
    LearnedFingerprint,
    Variant,
)
from provenance.similarity.levels import HOP_S, levels_of

LENGTHS_S = (5.0, 10.0)
QUERY_HOP_S = SEGMENT_HOP_S / 2
N_RANKED = 8
ANYWHERE, SAMPLED = 0.999, 7
STRANGER = "stranger"


@dataclass(frozen=True, slots=True)
class Excerpt:
    key: str
    start_s: float
    tempo: float
    levels: NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Answer:
    """The best diagonal of a query in one recording: where it begins, and what undoes the query's changes.

    The excess is told of the best recording alone.
    """

    key: str
    place_s: float
    score: float
    excess: float
    pitch: float
    tempo: float


class Index:
    """The vectors of recordings, one after another; searched whole."""

    def __init__(self, keys: Sequence[str], vectors: Sequence[NDArray[np.float16]]) -> None:
        self.keys = list(keys)
        self.counts = np.array([len(one) for one in vectors])
        self.starts = np.concatenate([[0], np.cumsum(self.counts)])
        whole = np.concatenate([*vectors, np.zeros((0, N_DIMENSIONS), dtype=np.float16)])
        self.vectors = np.ascontiguousarray(whole.astype(np.float32).T)
        self.owner = np.repeat(np.arange(len(keys)), self.counts)

    def search(self, variants: Sequence[Variant], lengths: Sequence[int]) -> list[list[Answer]]:
        """Answer with the best recordings for the first so many vectors of a query, each of its lengths."""
        best = np.full((len(lengths), len(self.keys)), -1.0, dtype=np.float32)
        where: list[dict[int, tuple[int, slice, Variant]]] = [{} for _ in lengths]
        for variant in variants:
            cosines = variant.vectors.astype(np.float32) @ self.vectors
            for number, length in enumerate(lengths):
                n_rows = round(length * variant.tempo)
                for phase in (0, 1):
                    curve = self._diagonals(cosines[phase:n_rows:2])
                    tops = np.maximum.reduceat(curve, self.starts[:-1]) - np.float32(variant.cost)
                    for owner in np.flatnonzero(tops > best[number]):
                        here = curve[self.starts[owner] : self.starts[owner + 1]]
                        where[number][int(owner)] = (
                            2 * int(here.argmax()) - phase,
                            slice(phase, n_rows, 2),
                            variant,
                        )
                    best[number] = np.maximum(best[number], tops)
        return [self._ranked(scores, places) for scores, places in zip(best, where, strict=True)]

    def _diagonals(self, cosines: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mean cosine of the query laid at each place of the index; -1 where it reaches past a recording."""
        n_rows, n_vectors = cosines.shape
        curve = np.full(n_vectors, -1.0, dtype=np.float32)
        if not 0 < n_rows <= n_vectors:
            return curve
        n_places = n_vectors - n_rows + 1
        total = np.zeros(n_places, dtype=np.float32)
        for row in range(n_rows):
            total += cosines[row, row : row + n_places]
        inside = self.owner[:n_places] == self.owner[n_rows - 1 :]
        curve[:n_places][inside] = total[inside] / n_rows
        return curve

    def _ranked(
        self, scores: NDArray[np.float32], places: Mapping[int, tuple[int, slice, Variant]]
    ) -> list[Answer]:
        best = [int(owner) for owner in np.argsort(-scores)[:N_RANKED] if int(owner) in places]
        answers: list[Answer] = []
        for owner in best:
            place, rows, variant = places[owner]
            score = float(scores[owner])
            excess = score - self._usual(variant.vectors[rows]) if not answers else 0.0
            at_s = place * QUERY_HOP_S
            answers.append(Answer(self.keys[owner], at_s, score, excess, variant.pitch, variant.tempo))
        return answers

    def _usual(self, vectors: NDArray[np.float16]) -> float:
        """The mean cosine that one in a thousand of all vectors has with those of a query."""
        cosines = vectors.astype(np.float32) @ self.vectors[:, ::SAMPLED]
        return float(np.quantile(cosines, ANYWHERE, axis=1).mean())


def excerpts(folder: Path, kept: Path, n_tracks: int, seed: int = 7) -> Iterator[tuple[str, list[Excerpt]]]:
    """Draw, change and hear the excerpts of each condition; what was kept is not drawn again."""
    rng = np.random.default_rng(seed)
    references = list(protocol.located(folder, protocol.tracks("references")).items())
    calibration = list(protocol.located(folder, protocol.tracks("calibration")).items())
    known = [references[place] for place in rng.permutation(len(references))[:n_tracks]]
    for name in (STRANGER, *CONDITIONS):
        at = kept / f"{name}_{n_tracks}.npz"
        if not at.exists():
            drawn = np.random.default_rng([seed, *hashlib.sha256(name.encode()).digest()[:4]])
            of = [
                (track.sha256, path, track.seconds)
                for track, path in (calibration if name == STRANGER else known)
            ]
            others = [(path, track.seconds) for track, path in calibration]
            _keep(at, name, of, others, drawn)
        with np.load(at, allow_pickle=False) as stored:
            rows = zip(stored["keys"], stored["starts_s"], stored["tempos"], stored["levels"], strict=True)
            yield (
                name,
                [Excerpt(str(key), float(start), float(tempo), levels) for key, start, tempo, levels in rows],
            )


def _keep(
    at: Path,
    name: str,
    of: Sequence[tuple[str, Path, float]],
    others: Sequence[tuple[Path, float]],
    rng: np.random.Generator,
) -> None:
    condition = CONDITIONS["clean" if name == STRANGER else name]
    keys, starts_s, heard = [], [], []
    for key, path, seconds in of:
        start_s, piece = likeness.excerpt(path, seconds, 10.0 * condition.tempo, rng)
        other = piece[:0]
        if name.startswith("mixed"):
            other = likeness.excerpt(*others[int(rng.integers(len(others)))], 10.0, rng)[1]
        sound = condition.of(piece, other, 10.0, rng)
        sound = np.pad(sound, (0, max(0, round(10.0 * RATE_HZ) - len(sound))))
        keys.append(key)
        starts_s.append(start_s)
        heard.append(levels_of(sound, sample_rate_hz=RATE_HZ))
    with files.replacing(at) as part, part.open("wb") as opened:
        tempos = np.full(len(keys), condition.tempo)
        np.savez(opened, keys=keys, starts_s=starts_s, tempos=tempos, levels=np.stack(heard))


def measure(
    folder: Path, out: Path, fingerprint: LearnedFingerprint, *, n_tracks: int, plain: bool
) -> Iterator[str]:
    """Measure, a line for each condition."""
    found = protocol.located(folder, protocol.tracks("references"))
    heard = {
        track.sha256: fingerprint_music.hear(path, track.sha256, out / "heard", most_s=None)
        for track, path in found.items()
    }
    index = Index(list(heard), [fingerprint.embed(one.levels) for one in heard.values()])
    sounds = RecordingIndex.build((key, AudioFingerprint.of_items(one.items)) for key, one in heard.items())
    pitches, tempos = ((0.0,), (1.0,)) if plain else (PITCHES, TEMPOS)
    yield f"{len(heard)} references, {len(index.owner)} vectors; pitches {pitches}, tempos {tempos}"
    yield ""
    heads = [
        f"{length_s:.0f} s: {head}"
        for length_s in LENGTHS_S
        for head in ("found", "lead", "excess", "cosine")
    ]
    yield f"| change | {' | '.join(heads)} |"
    yield "|---" * (len(heads) + 1) + "|"
    bounds: list[tuple[float, float]] = []
    for name, drawn in excerpts(folder, out / "excerpts", n_tracks):
        ranked = [answered(index, fingerprint, excerpt, pitches, tempos) for excerpt in drawn]
        told: list[str] = []
        for number, length_s in enumerate(LENGTHS_S):
            best = [one[number][0] for one in ranked]
            leads = np.array([lead(sounds, one[number], length_s) for one in ranked])
            excesses = np.array([answer.excess for answer in best])
            cosine = np.median([answer.score for answer in best])
            if name == STRANGER:
                bounds.append((float(leads.max()), float(excesses.max())))
                told += ["", f"< {leads.max():.3f}", f"< {excesses.max():.3f}", f"{cosine:.2f}"]
                continue
            right = np.array(
                [is_right(sounds, one, answer, length_s) for one, answer in zip(drawn, best, strict=True)]
            )
            beyond = right & (leads > bounds[number][0]), right & (excesses > bounds[number][1])
            told += [*(f"{share.mean():.1%}" for share in (right, *beyond)), f"{cosine:.2f}"]
        yield f"| {name.replace('_', ' ')}, {len(drawn)} | {' | '.join(told)} |"


def lead(sounds: RecordingIndex, ranked: Sequence[Answer], length_s: float) -> float:
    """How far the best cosine lies above that of the next recording that does not sound the same."""
    best = ranked[0]
    for other in ranked[1:]:
        places = (best.key, max(0.0, best.place_s)), (other.key, max(0.0, other.place_s))
        if not likeness._sounds_same(sounds, *places, length_s * best.tempo):
            return best.score - other.score
    return best.score - ranked[-1].score


def answered(
    index: Index,
    fingerprint: LearnedFingerprint,
    excerpt: Excerpt,
    pitches: Sequence[float],
    tempos: Sequence[float],
) -> list[list[Answer]]:
    """Search for an excerpt and for the first half of it."""
    made = list(fingerprint.embed_variants(excerpt.levels, pitches=pitches, tempos=tempos, hop_s=QUERY_HOP_S))
    full = len(excerpt.levels) * HOP_S
    lengths = [
        round((length_s - 2.1) / (full - 2.1) * len(made[0].vectors) / made[0].tempo)
        for length_s in LENGTHS_S
    ]
    return index.search(made, lengths)


def is_right(sounds: RecordingIndex, excerpt: Excerpt, answer: Answer, length_s: float) -> bool:
    """Whether the place is the very one, or one that sounds the same."""
    if answer.key == excerpt.key and abs(answer.place_s - excerpt.start_s) < likeness.PLACED_S:
        return True
    one, other = (excerpt.key, excerpt.start_s), (answer.key, max(0.0, answer.place_s))
    return likeness._sounds_same(sounds, one, other, length_s * excerpt.tempo)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.learned")
    parser.add_argument("--protocol", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--tracks", type=int, default=40)
    parser.add_argument("--plain", action="store_true")
    told = parser.parse_args(arguments)
    sha256 = hashlib.sha256(told.weights.read_bytes()).hexdigest()
    fingerprint = LearnedFingerprint.load(told.weights, sha256=sha256)
    began = time.process_time()
    for line in measure(told.protocol, told.out, fingerprint, n_tracks=told.tracks, plain=told.plain):
        print(line, flush=True)
    print(f"weights {sha256[:12]}, {time.process_time() - began:.0f} s of processor time", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
