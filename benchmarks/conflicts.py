"""How well the search for conflicts finds copies under another licence, and how often it accuses what is none.

    make bench ARGS="conflicts --music DIR --copies 10"

First all recordings of the folder are held against each other by their fingerprints, and the waveforms judge each pair
that is called one sound; ``--copies 0`` ends there. Then the recordings are registered under one licence, and copies of
some of them, changed in ten ways, as another dataset under another, by the product's own commands. A finding between
a copy and what it was made of is right, any other that touches a copy is wrong and is named on standard error. The
baseline is the share that equal samples alone would find. Without a folder it runs on tunes made up here.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import tunes
from benchmarks.correlation import correlations, is_same_sound, stretch
from benchmarks.figures import ROOT, Figure, NothingToMeasureError, run_command
from benchmarks.likeness import recordings_in
from benchmarks.rights import wait_for_the_servers_to_stop
from provenance import audio
from provenance.similarity.copies import NewItems

LEAST_S = 60.0
"""Of shorter music no copies are planted: it can't be cut in all the ways."""

TUNE_S = 75.0
LICENCES = ("CC-BY-4.0", "LicenseRef-all-rights-reserved")
QUIET = ("ffmpeg", "-nostdin", "-loglevel", "error", "-y")
KINDS = (
    *("renamed", "mp3_64k", "opus_24k", "trimmed_start", "trimmed_end", "middle_30s"),
    *("gain_minus_6db", "resampled_22k_mono", "faded", "channels_swapped"),
)
WANTED = 'make bench ARGS="conflicts --music DIR".'


@dataclass
class Planted:
    """One copy: its kind, its name in the table, and what it was made of."""

    kind: str
    name: str
    source: str


@dataclass
class Outcome:
    """What the search said of one kind of copies."""

    n_planted: int = 0
    found: set[str] = field(default_factory=set)
    by_samples: set[str] = field(default_factory=set)
    n_right: int = 0
    wrong: list[str] = field(default_factory=list)


def plant(kind: str, source: Path, seconds: float, folder: Path, rng: np.random.Generator) -> Path:
    """Write a copy of ``source``, changed as ``kind`` says; the file is named after neither.

    Parameters
    ----------
    kind : str
        One of ``KINDS``.
    seconds : float
        Duration of the source, at least ``LEAST_S``.
    """
    cut_s = float(rng.uniform(10.0, 30.0))
    filters = {
        "gain_minus_6db": ["-af", "volume=-6dB"],
        "resampled_22k_mono": ["-ar", "22050", "-ac", "1"],
        "faded": ["-af", f"afade=t=in:d=6,afade=t=out:st={seconds - 10:.3f}:d=10"],
        "channels_swapped": ["-ac", "2", "-af", "pan=stereo|c0=c1|c1=c0"],
        "mp3_64k": ["-b:a", "64k"],
        "opus_24k": ["-c:a", "libopus", "-b:a", "24k"],
        "trimmed_start": ["-ss", f"{cut_s:.3f}"],
        "trimmed_end": ["-t", f"{seconds - cut_s:.3f}"],
        "middle_30s": ["-ss", f"{seconds / 2 - 15:.3f}", "-t", "30"],
    }
    suffix = {"mp3_64k": ".mp3", "opus_24k": ".opus", "renamed": source.suffix}.get(kind, ".flac")
    copy = folder / f"{kind}-{rng.integers(1 << 32):08x}{suffix}"
    if kind == "renamed":
        shutil.copyfile(source, copy)
    else:
        command = [*QUIET, "-i", str(source), "-vn", "-map_metadata", "-1", *filters[kind], str(copy)]
        subprocess.run(command, check=True)
    return copy


def measure(music: Path | None = None, *, n_copies: int = 3, seed: int = 1) -> Iterator[Figure]:
    """Plant, register, search, and compare.

    Raises
    ------
    NothingToMeasureError
        If the folder is none, holds no music, or none of ``LEAST_S`` or more to plant copies of.
    """
    with tempfile.TemporaryDirectory(prefix="liner-bench-", ignore_cleanup_errors=True) as made:
        place = Path(made)
        if music is None:
            print(
                f"No music was given, so these figures are of made-up tunes. For music: {WANTED}",
                file=sys.stderr,
            )
            (place / "tunes").mkdir()
            for number in range(max(4, n_copies)):
                tunes.write(place / "tunes" / f"{number}.wav", seed=number, seconds=TUNE_S, rate_hz=22_050)
            for figure in _measured(place / "tunes", place, n_copies, seed):
                yield replace(figure, name=figure.name.replace("conflicts_", "conflicts_made_up_", 1))
        else:
            yield from _measured(music, place, n_copies, seed)


def _measured(music: Path, place: Path, n_copies: int, seed: int) -> Iterator[Figure]:
    known = _music_in(music)
    yield from _pairs_heard(known, music)
    if n_copies:
        yield from _planted_found(
            {path: one for path, one in known.items() if one.seconds >= LEAST_S}, music, place, n_copies, seed
        )


def _planted_found(
    known: dict[Path, audio.Survey], music: Path, place: Path, n_copies: int, seed: int
) -> Iterator[Figure]:
    if not known:
        raise NothingToMeasureError(f"No music of {LEAST_S:g} s or more was found under {music}.")
    rng = np.random.default_rng(seed)
    copies = place / "copies"
    copies.mkdir()
    planted: dict[str, Planted] = {}
    for kind in KINDS:
        for number in rng.permutation(len(known))[:n_copies]:
            source, surveyed = list(known.items())[number]
            copy = plant(kind, source, surveyed.seconds, copies, rng)
            planted[copy.name] = Planted(kind, copy.name, _title(source, music))
    _write_table(place / "originals.csv", {str(path): _title(path, music) for path in known}, LICENCES[0])
    _write_table(place / "copies.csv", {str(copies / name): name for name in planted}, LICENCES[1])
    samples = {_title(path, music): one.samples_sha256 for path, one in known.items()}
    data_dir = place / "data"
    spent = []
    for name in ("originals", "copies"):
        table = str(place / f"{name}.csv")
        spent.append(
            run_command("register_dataset", name, "--from", table, "--wait", "--json", data_dir=data_dir)
        )
    findings = _said("conflicts", "copies", "--json", data_dir=data_dir)
    titles = _titles(data_dir)
    outcomes = _judged(findings, titles, planted)
    for one in planted.values():
        heard = audio.survey(copies / one.name).samples_sha256 if one.kind != "mp3_64k" else ""
        if heard and heard == samples[one.source]:
            outcomes[one.kind].by_samples.add(one.name)
    yield from _figures(outcomes)
    yield Figure("conflicts_copies_registered_cpu_s", spent[1].cpu_seconds / len(planted), "s_a_copy")
    wait_for_the_servers_to_stop(data_dir)


def _pairs_heard(known: dict[Path, audio.Survey], music: Path) -> Iterator[Figure]:
    """Tell which recordings of the folder itself are called one sound, and how many the waveforms say are."""
    paths = {_title(path, music): path for path in known}
    items = {_title(path, music): one.items for path, one in known.items()}
    heard = {
        frozenset((copy.new, copy.known)): copy
        for copy in NewItems(items).copies_in(items.items())
        if copy.is_certain
    }
    n_true = 0
    for copy in heard.values():
        one = stretch(paths[copy.new], copy.new_start_s, copy.new_end_s)
        other = stretch(paths[copy.known], copy.known_start_s, copy.known_end_s)
        waveform, spectrum = correlations(one, other)
        n_true += is_same_sound(waveform, spectrum)
        verdict = "one sound" if is_same_sound(waveform, spectrum) else "NOT one sound"
        print(f"{copy.new} and {copy.known}: {verdict} ({waveform:.2f}, {spectrum:.2f})", file=sys.stderr)
    yield Figure("conflicts_pairs_heard", len(heard), "pairs", f"recordings={len(known)}")
    if heard:
        yield Figure("conflicts_pairs_true", n_true / len(heard), "share", "by_waveform_or_spectrum")


def _judged(
    findings: Sequence[dict[str, Any]], titles: dict[str, set[str]], planted: dict[str, Planted]
) -> dict[str, Outcome]:
    """Hold the findings against what was planted; a renamed file is one recording with two names."""
    outcomes = {kind: Outcome() for kind in KINDS}
    for copy in planted.values():
        outcomes[copy.kind].n_planted += 1
    for finding in findings:
        one, other = (titles[recording] for recording in finding["recordings"])
        copies = [planted[name] for name in sorted(one | other) if name in planted]
        for copy in copies:
            outcome = outcomes[copy.kind]
            beside = (one | other) - {copy.name}
            if copy.source in beside or any(
                named.source == copy.source for named in copies if named is not copy
            ):
                outcome.found.add(copy.name)
                outcome.n_right += 1
            else:
                outcome.wrong.append(f"{copy.name} (of {copy.source}) beside {', '.join(sorted(beside))}")
    return outcomes


def _figures(outcomes: dict[str, Outcome]) -> Iterator[Figure]:
    for kind, outcome in outcomes.items():
        recall = len(outcome.found) / outcome.n_planted
        alone = len(outcome.by_samples) / outcome.n_planted
        yield Figure(
            f"conflicts_recall_{kind}",
            recall,
            "share",
            f"equal_samples={alone:.3f}",
            recall / alone if alone else None,
        )
        if n_findings := outcome.n_right + len(outcome.wrong):
            yield Figure(f"conflicts_precision_{kind}", outcome.n_right / n_findings, "share")
        for line in outcome.wrong:
            print(f"wrong: {line}", file=sys.stderr)
    n_planted = sum(outcome.n_planted for outcome in outcomes.values())
    n_found = sum(len(outcome.found) for outcome in outcomes.values())
    n_right = sum(outcome.n_right for outcome in outcomes.values())
    n_wrong = sum(len(outcome.wrong) for outcome in outcomes.values())
    yield Figure("conflicts_planted", n_planted, "copies")
    yield Figure("conflicts_recall", n_found / n_planted, "share")
    if n_right + n_wrong:
        yield Figure("conflicts_precision", n_right / (n_right + n_wrong), "share")


def _said(*arguments: str, data_dir: Path) -> list[dict[str, Any]]:
    """Return the lines of a command; an answer of no is an answer."""
    said = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**os.environ, "DATA_DIR": str(data_dir)},
        stdout=subprocess.PIPE,
        check=False,
        text=True,
    )
    if said.returncode not in {0, 1}:
        raise RuntimeError(f"{arguments[0]} ended with {said.returncode}")
    return [json.loads(line) for line in said.stdout.splitlines()]


def _titles(data_dir: Path) -> dict[str, set[str]]:
    """Return under which external ids each recording is registered."""
    titles: dict[str, set[str]] = {}
    for name in ("originals", "copies"):
        asked = ("clear_dataset", name, "--purpose", "data_mining", "--json")
        for line in _said(*asked, data_dir=data_dir):
            if "recording" in line:
                titles.setdefault(str(line["recording"]), set()).add(str(line["external_id"]))
    return titles


def _write_table(path: Path, titles: dict[str, str], licence: str) -> None:
    with path.open("w", newline="", encoding="utf-8") as opened:
        rows = csv.writer(opened)
        rows.writerow(["path", "external_id", "title", "licence", "licence_scope"])
        for file, title in titles.items():
            rows.writerow([file, title, f"Piece {title}", licence, "all"])


def _title(path: Path, music: Path) -> str:
    return str(path.relative_to(music))


def _music_in(folder: Path) -> dict[Path, audio.Survey]:
    if not folder.is_dir():
        raise NothingToMeasureError(f"{folder} is no folder: {WANTED}")
    found = dict(recordings_in(folder))
    if not found:
        raise NothingToMeasureError(f"No music was found under {folder}.")
    return found
