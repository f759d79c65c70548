"""How well a label's catalogue is found in a dataset, and how often strangers are said to be there.

    make bench ARGS="catalogue --references DIR --strangers DIR"

The dataset is the music under ``--references``. The catalogue has ``N_PLANTED`` rows that are in it, told in turn by
an ISRC alone, as an MP3 of 64 kbit/s, trimmed to the middle two thirds, under another name, and by names with a wrong
letter; and as many recordings from ``--strangers``, every second one with its audio. The baseline is what equal titles
and artists alone would find. No recording may be in both folders.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.figures import Figure, NothingToMeasureError
from provenance import audio
from provenance.matching import engine, sound
from provenance.matching.engine import Described, Sound
from provenance.similarity.index import RecordingIndex

N_PLANTED = 50
LEAST_S, MOST_S = 20.0, 300.0
AUDIO = (".ogg", ".mp3", ".flac", ".wav", ".opus")
KINDS = ("isrc", "mp3_64k", "trimmed", "renamed", "typo")
WANTED = 'give it two folders: make bench ARGS="catalogue --references DIR --strangers DIR".'


@dataclass(frozen=True)
class Heldup:
    """A recording on disk, as it is described."""

    path: Path
    described: Described
    survey: audio.Survey


def measure(
    references: Path | None, strangers: Path | None, *, seed: int = 1, n_references: int = 120
) -> Iterator[Figure]:
    """Measure on two folders of music.

    Raises
    ------
    NothingToMeasureError
        If a folder is missing or holds too little music.
    """
    if references is None or strangers is None:
        raise NothingToMeasureError(f"catalogue needs real music: {WANTED}")
    rng = random.Random(seed)
    held = list(_music_in(references, rng, n_references))
    others = list(_music_in(strangers, rng, N_PLANTED))
    if len(held) < N_PLANTED or len(others) < N_PLANTED:
        raise NothingToMeasureError(
            f"{len(held)} and {len(others)} recordings of {LEAST_S:g} to {MOST_S:g} s are too few: {WANTED}"
        )
    own = {one.survey.samples_sha256 for one in held}
    others = [one for one in others if one.survey.samples_sha256 not in own]
    held = [_with_isrc(one, place) for place, one in enumerate(held)]
    print(f"{len(held)} references, {len(others)} strangers", file=sys.stderr)
    index = RecordingIndex.build((one.described.key, one.survey.fingerprint) for one in held)
    with tempfile.TemporaryDirectory(prefix="liner-bench-") as folder:
        planted = [
            _plant(one, KINDS[place % len(KINDS)], Path(folder), rng)
            for place, one in enumerate(rng.sample(held, N_PLANTED))
        ]
    rows = [row for _, _, row, _ in planted]
    items = {row.key: survey.items for _, _, row, survey in planted if survey is not None}
    for place, one in enumerate(others):
        with_audio = place % 2 == 0
        row = replace(one.described, key=f"stranger:{place}", samples_sha256="")
        rows.append(row)
        if with_audio:
            items[row.key] = one.survey.items
    began = time.process_time()
    sounds = {key: Sound(sound.heard_in(heard, index)) for key, heard in items.items()}
    listened_s = time.process_time() - began
    answers = engine.match(rows, [one.described for one in held], sounds)
    yield from _recalls(planted, answers, {one.described.key: one.described for one in held})
    yield from _precision(planted, answers, len(others))
    yield Figure("catalogue_listen_cpu_s", listened_s / len(items), "s/row", f"references={len(held)}")


def _recalls(planted, answers, held) -> Iterator[Figure]:  # type: ignore[no-untyped-def]
    for kind in KINDS:
        of_kind = [(target, row) for name, target, row, _ in planted if name == kind]
        hits = [any(one.key == target for one in answers[row.key]) for target, row in of_kind]
        sure = [
            any(one.key == target and one.answer == "found" for one in answers[row.key])
            for target, row in of_kind
        ]
        naive = [_same_names(row, held[target]) for target, row in of_kind]
        recall, beside = sum(hits) / len(hits), sum(naive) / len(naive)
        ratio = recall / beside if beside else None
        yield Figure(f"catalogue_recall_{kind}", recall, "share", f"equal_names={beside:.3f}", ratio)
        yield Figure(f"catalogue_found_{kind}", sum(sure) / len(sure), "share")
    hits = [any(one.key == target for one in answers[row.key]) for _, target, row, _ in planted]
    yield Figure("catalogue_recall", sum(hits) / len(hits), "share")


def _precision(planted, answers, n_strangers: int) -> Iterator[Figure]:  # type: ignore[no-untyped-def]
    truth = {row.key: target for _, target, row, _ in planted}
    right: Counter[tuple[str, bool]] = Counter()
    for key, matches in answers.items():
        for one in matches[:1]:
            right[one.answer, truth.get(key) == one.key] += 1
            if truth.get(key) != one.key:
                print(f"wrong: {key} {one.answer} {one.key}: {one.evidence}", file=sys.stderr)
    for answer in ("found", "probable"):
        n = right[answer, True] + right[answer, False]
        if n:
            yield Figure(f"catalogue_precision_{answer}", right[answer, True] / n, "share", f"rows={n}")
    wrong = sum(bool(answers[key]) for key in answers if key.startswith("stranger:"))
    yield Figure("catalogue_strangers_matched", wrong / n_strangers, "share", f"strangers={n_strangers}")


def _same_names(row: Described, other: Described) -> bool:
    return (row.title.casefold(), row.artist.casefold()) == (other.title.casefold(), other.artist.casefold())


def _music_in(folder: Path, rng: random.Random, most: int) -> Iterator[Heldup]:
    paths = sorted(path for path in folder.rglob("*") if path.suffix in AUDIO)
    rng.shuffle(paths)
    n, seen = 0, set()
    for path in paths:
        if n == most:
            return
        try:
            survey, tags = audio.survey(path), audio.read_tags(path)
        except audio.AudioError:
            continue
        if survey.is_silent or not LEAST_S <= survey.seconds <= MOST_S or survey.samples_sha256 in seen:
            continue
        seen.add(survey.samples_sha256)
        package = path.relative_to(folder).parts[0]
        described = Described(
            key=str(path.relative_to(folder)),
            title=tags.title or path.stem,
            artist=tags.artist or package,
            seconds=survey.seconds,
            samples_sha256=survey.samples_sha256,
        )
        n += 1
        yield Heldup(path, described, survey)


def _with_isrc(one: Heldup, place: int) -> Heldup:
    isrc = frozenset({f"QZLNR26{place:05}"})
    return replace(one, described=replace(one.described, isrcs=isrc))


def _plant(
    one: Heldup, kind: str, folder: Path, rng: random.Random
) -> tuple[str, str, Described, audio.Survey | None]:
    """Return one row that is in the dataset, told by one kind of evidence alone."""
    row = Described(f"{kind}:{one.described.key}")
    if kind == "isrc":
        return kind, one.described.key, replace(row, title="Renamed", isrcs=one.described.isrcs), None
    if kind == "typo":
        written = _misspelt(one.described.title, rng)
        seconds = float(round(one.survey.seconds))
        return (
            kind,
            one.described.key,
            replace(row, title=written, artist=one.described.artist, seconds=seconds),
            None,
        )
    cut = {"trimmed": ["-ss", f"{one.survey.seconds / 6:.2f}", "-t", f"{one.survey.seconds * 2 / 3:.2f}"]}
    rate = {"mp3_64k": "64k"}.get(kind, "128k")
    made = folder / f"{rng.getrandbits(64):x}.mp3"
    quiet = ["ffmpeg", "-nostdin", "-loglevel", "error", "-i", str(one.path), "-vn"]
    subprocess.run([*quiet, *cut.get(kind, []), "-b:a", rate, str(made)], check=True)
    survey = audio.survey(made)
    title = one.described.title if kind == "mp3_64k" else f"Nothing like it {rng.randrange(10**6)}"
    artist = one.described.artist if kind == "mp3_64k" else "Somebody Else"
    return (
        kind,
        one.described.key,
        replace(
            row, title=title, artist=artist, seconds=survey.seconds, samples_sha256=survey.samples_sha256
        ),
        survey,
    )


def _misspelt(title: str, rng: random.Random) -> str:
    letters = [at for at, char in enumerate(title) if char.isalpha()]
    at = rng.choice(letters[1:] or [0])
    return title[:at] + title[at + 1 :]
