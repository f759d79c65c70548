"""Recording likeness beside `fpcalc` with Hamming distances, and beside audfprint, in one run over the same files.

    python -m venv PEERS && PEERS/bin/pip install audfprint2==0.1.2
    make bench ARGS="peers --protocol DIR --audfprint PEERS/bin/audfprint"

audfprint2 (MIT) is installed for this alone and is no dependency; `fpcalc` comes with Debian's libchromaprint-tools, and
each is left out where it is not there. Each indexes the same references, and is asked the same excerpts of ten seconds:
of references, changed as `benchmarks.transformations` does, and of strangers. *Right* is the share whose best answer is
the right recording; *accepted* the share that is also accepted as its documentation tells: a bit error rate below 0.35,
five common landmarks, a verdict other than ``no_match``. Times are CPU seconds, of children too: theirs start a process
and decode a file, ours decodes one in a warm process.
"""

from __future__ import annotations

import argparse
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks import protocol
from benchmarks.figures import Figure, NothingToMeasureError
from benchmarks.likeness import BASELINE_BER, excerpt
from benchmarks.transformations import CONDITIONS, RATE_HZ
from provenance import audio
from provenance.similarity.align import error_curve
from provenance.similarity.index import RecordingIndex
from provenance.similarity.recording import check
from tests import signals

CHANGES = ("clean", "noise_0db", "mixed_0db", "pitch_plus_1", "tempo_plus_5", "mel80")
SECONDS = 10.0
LEAST_LANDMARKS = 5
DENSE = ("--density", "70", "--fanout", "8", "--bucketsize", "500", "--search-depth", "2000")
_MATCHED = re.compile(
    r"Matched (?P<query>\S+) .* as (?P<key>\S+) at .* with +(?P<n>\d+) of +\d+ common hashes"
)


@dataclass(frozen=True)
class Answer:
    """The recording that an excerpt is most like, and whether that is accepted."""

    key: str = ""
    accepted: bool = False


class Peer(Protocol):
    """Something that indexes files and names them again."""

    name: str

    def index(self, files: Sequence[Path]) -> int:
        """Index files; return the bytes that are kept."""
        ...

    def ask(self, files: Sequence[Path]) -> list[Answer]:
        """Name each excerpt by the stem of a file that was indexed."""
        ...


class Ours:
    """What the product does."""

    name = "liner_notes"

    def index(self, files: Sequence[Path]) -> int:
        prints = [(path.stem, audio.survey(path).fingerprint) for path in files]
        self._index = RecordingIndex.build(prints)
        self._index.constellations  # noqa: B018  # put in order when first asked for
        return sum(len(one.packed) for _, one in prints)

    def ask(self, files: Sequence[Path]) -> list[Answer]:
        return [self._answer(path) for path in files]

    def _answer(self, path: Path) -> Answer:
        survey = audio.survey(path)
        found = check(survey.fingerprint, self._index, query_seconds=survey.seconds)
        best = found.matches[0] if found.matches else None
        return Answer(best.key, best.accepted) if best else Answer()


class Fpcalc:
    """`fpcalc` and the lowest bit error rate, at whichever place."""

    name = "fpcalc_hamming"

    def index(self, files: Sequence[Path]) -> int:
        self._items = {path.stem: _fpcalc(path) for path in files}
        return sum(items.nbytes for items in self._items.values())

    def ask(self, files: Sequence[Path]) -> list[Answer]:
        return [self._answer(_fpcalc(path)) for path in files]

    def _answer(self, query: NDArray[np.uint32]) -> Answer:
        lowest = {key: error_curve(query, items).min(initial=1.0) for key, items in self._items.items()}
        best = min(lowest, key=lambda key: lowest[key])
        return Answer(best, lowest[best] < BASELINE_BER)


class Audfprint:
    """audfprint, with what else it is told."""

    def __init__(self, command: Path, folder: Path, *told: str, name: str = "audfprint2") -> None:
        self.name = name
        self._command, self._told = command, told
        self._kept = folder / f"{name}.pklz"

    def index(self, files: Sequence[Path]) -> int:
        self._run("new", files)
        return self._kept.stat().st_size

    def ask(self, files: Sequence[Path]) -> list[Answer]:
        found = {Path(one["query"]).stem: one for one in _MATCHED.finditer(self._run("match", files))}
        return [
            Answer(Path(found[path.stem]["key"]).stem, int(found[path.stem]["n"]) >= LEAST_LANDMARKS)
            if path.stem in found
            else Answer()
            for path in files
        ]

    def _run(self, verb: str, files: Sequence[Path]) -> str:
        # what it finds it says in its log alone
        command = [self._command, verb, *files, "--verbose", "--dbase", self._kept, *self._told]
        ran = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
        if ran.returncode:
            raise NothingToMeasureError(f"audfprint {verb} failed: {ran.stderr.strip()[-300:]}")
        return ran.stdout + ran.stderr


def measure(
    folder: Path, *, audfprint: Path | None, dense: bool, n_references: int, n_strangers: int, seed: int
) -> Iterator[Figure]:
    """Measure all that is there, one after another."""
    with tempfile.TemporaryDirectory(prefix="liner-peers-") as place:
        work = Path(place)
        references, seconds = _references(folder, work, n_references, seed)
        lengths = {path: track.seconds for path, track in references.items()}
        asked = dict(_excerpts(folder, work, lengths, n_strangers, seed))
        peers: list[Peer] = [Ours()]
        if shutil.which("fpcalc"):
            peers.append(Fpcalc())
        if audfprint is not None:
            peers.append(Audfprint(audfprint, work))
            if dense:
                peers.append(Audfprint(audfprint, work, *DENSE, name="audfprint2_dense"))
        for peer in peers:
            yield from _of_one(peer, list(references), seconds, asked)


def _of_one(
    peer: Peer, references: list[Path], seconds: float, asked: dict[str, list[tuple[Path, str]]]
) -> Iterator[Figure]:
    began = _cpu_seconds()
    n_bytes = peer.index(references)
    yield Figure(f"{peer.name}_ingest", seconds / (_cpu_seconds() - began), "x_realtime_a_core")
    yield Figure(f"{peer.name}_size", n_bytes / seconds * 240 / 1e3, "KB_for_4_min")
    began, n = _cpu_seconds(), 0
    for change, excerpts in asked.items():
        answers = peer.ask([path for path, _ in excerpts])
        n += len(excerpts)
        accepted = sum(answer.accepted for answer in answers)
        if not excerpts[0][1]:
            yield Figure(f"{peer.name}_false_alarms", accepted / len(excerpts), f"of_{len(excerpts)}")
            continue
        right = [answer.key == key for answer, (_, key) in zip(answers, excerpts, strict=True)]
        both = sum(one and answer.accepted for one, answer in zip(right, answers, strict=True))
        yield Figure(f"{peer.name}_{change}_right", sum(right) / len(right), f"of_{len(right)}")
        yield Figure(f"{peer.name}_{change}_accepted", both / len(right), f"of_{len(right)}")
    yield Figure(f"{peer.name}_query", 1e3 * (_cpu_seconds() - began) / n, "ms_cpu")


def _references(folder: Path, work: Path, n: int, seed: int) -> tuple[dict[Path, protocol.Track], float]:
    located = protocol.located(folder, protocol.tracks("references"))
    tracks = [track for track in located if track.seconds > 2 * SECONDS]
    chosen = [tracks[at] for at in np.random.default_rng(seed).permutation(len(tracks))[:n]]
    linked = {}
    for track in chosen:
        link = work / f"{track.sha256[:16]}{located[track].suffix}"
        link.symlink_to(located[track].resolve())
        linked[link] = track
    return linked, sum(track.seconds for track in chosen)


def _excerpts(
    folder: Path, work: Path, lengths: dict[Path, float], n_strangers: int, seed: int
) -> Iterator[tuple[str, list[tuple[Path, str]]]]:
    rng = np.random.default_rng(seed)
    strangers = list(protocol.located(folder, protocol.tracks("test")).items())
    for change in CHANGES:
        condition = CONDITIONS[change]
        made = []
        for number, path in enumerate(lengths):
            _, piece = excerpt(path, lengths[path], SECONDS * condition.tempo, rng)
            track, other = strangers[int(rng.integers(len(strangers)))]
            _, laid = excerpt(other, track.seconds, SECONDS * condition.tempo, rng)
            heard = condition.of(piece, laid, SECONDS, rng)
            out = signals.write(work / f"{change}-{number}.wav", heard, rate_hz=RATE_HZ)
            made.append((out, path.stem))
        yield change, made
    made = []
    for number in range(n_strangers):
        track, path = strangers[number % len(strangers)]
        _, piece = excerpt(path, track.seconds, SECONDS, rng)
        made.append((signals.write(work / f"stranger-{number}.wav", piece, rate_hz=RATE_HZ), ""))
    yield "strangers", made


def _fpcalc(path: Path) -> NDArray[np.uint32]:
    # Debian's fpcalc ends with status 3 at the end of a file although its output is whole
    ran = subprocess.run(
        ["fpcalc", "-raw", "-plain", "-length", "0", str(path)], capture_output=True, text=True, check=False
    )
    return np.array([int(word) for word in ran.stdout.strip().split(",") if word], dtype=np.uint32)


def _cpu_seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks peers", description=__doc__.partition("\n")[0])
    parser.add_argument("--protocol", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--audfprint", type=Path, metavar="COMMAND", help="of audfprint2, where it is installed"
    )
    parser.add_argument("--dense", action="store_true", help="audfprint with its author's MIREX settings too")
    parser.add_argument("--tracks", type=int, default=20, metavar="N", help="references")
    parser.add_argument("--strangers", type=int, default=40, metavar="N", help="excerpts of strangers")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(arguments)
    try:
        for figure in measure(
            chosen.protocol,
            audfprint=chosen.audfprint,
            dense=chosen.dense,
            n_references=chosen.tracks,
            n_strangers=chosen.strangers,
            seed=chosen.seed,
        ):
            print(figure.line(), flush=True)
    except NothingToMeasureError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
