"""How well recording likeness finds copies, and how often it accuses strangers.

    make bench ARGS="likeness --protocol DIR"                     on the music of benchmarks/protocol.tsv
    make bench ARGS="likeness --references DIR --strangers DIR"   on any other

A copy counts as found if it is accepted and placed within half a second of where it was taken from. What sounds the
same there counts too: another time that the music comes round, and another recording of the same sound. A false
alarm is an excerpt of a stranger that is accepted as anything at all; its interval is a bootstrap over tracks, for
excerpts of one track are alike. Verdicts are those of an index that was calibrated by the shipped stock of strangers
(`provenance.similarity.calibration`) for one false alarm in a thousand outputs. The baseline is what Chromaprint alone
answers when a best bit error rate below 0.35 counts as found. Without music it runs on tunes made up here.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from benchmarks import protocol, tunes
from benchmarks.answers import STRANGER, Answers
from benchmarks.figures import Figure, NothingToMeasureError
from benchmarks.transformations import CONDITIONS, OWN_CODEC, RATE_HZ, Condition, Samples, through_codec
from generation.architectures.spectral_codec import (
    SAMPLE_RATE_HZ,
    SpectralCodec,
    compressed_magnitudes,
    fit_codec,
)
from lib import files
from provenance import audio
from provenance.similarity import thresholds
from provenance.similarity.align import error_curve
from provenance.similarity.calibration import Calibration, Judging
from provenance.similarity.calibration import measure as measure_strangers
from provenance.similarity.chromaprint import (
    BANDS,
    CHROMA,
    ITEM_S,
    ITEM_SPAN_S,
    FingerprintError,
    items_of,
)
from provenance.similarity.fingerprint import AudioFingerprint
from provenance.similarity.index import RecordingIndex
from provenance.similarity.recording import RecordingCheck, RecordingMatch, check
from provenance.similarity.strangers import Stock

BASELINE_BER = 0.35
LEAST_S = protocol.LEAST_S
LENGTHS_S = (5.0, 10.0)
PLACED_S = 0.5
QUIETEST = 0.01
N_BOOTSTRAPS = 2_000
N_TUNES = 3
TUNE_S = 32.0

PARTS = COPIES, REPLICATIONS, FALSE_ALARMS = ("copies", "replications", "false-alarms")
REPLICATED = (0.02, 0.05, 0.10)
OUTPUT_S = 30.0
FADE_S = 0.005

N_FITTED, FITTED_S = 24, 30.0
N_CODES = 512
"""Recordings and seconds of each that the codec is fitted to, and its codes a band."""

WANTED = 'make bench ARGS="likeness --references DIR --strangers DIR".'


@dataclass(frozen=True, slots=True)
class Music:
    """What is measured on: references with their fingerprints, and how long these and the strangers last, in seconds."""

    fingerprints: Mapping[Path, AudioFingerprint]
    references: Mapping[Path, float]
    strangers: Mapping[Path, float]

    @classmethod
    def of(cls, references: Mapping[Path, audio.Survey], strangers: Mapping[Path, audio.Survey]) -> Music:
        return cls(
            {path: surveyed.fingerprint for path, surveyed in references.items()},
            {path: surveyed.seconds for path, surveyed in references.items()},
            {path: surveyed.seconds for path, surveyed in strangers.items()},
        )


@dataclass(slots=True)
class Alarms:
    """False alarms and excerpts of each stranger."""

    wrong: dict[Path, list[bool]] = field(default_factory=dict)
    naive: list[bool] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return float(np.mean([one for track in self.wrong.values() for one in track]))

    @property
    def n_excerpts(self) -> int:
        return sum(map(len, self.wrong.values()))

    def interval(self, rng: np.random.Generator) -> tuple[float, float]:
        """Return the 95 % interval of the rate, with tracks drawn anew.

        Where there was no false alarm the bootstrap knows no better than 0; the upper end is then three in the
        number of tracks, which bounds the share of tracks that alarm.
        """
        counts = np.array([(sum(track), len(track)) for track in self.wrong.values()], dtype=np.float64)
        if not counts[:, 0].any():
            return 0.0, min(1.0, 3.0 / len(counts))
        drawn = rng.integers(len(counts), size=(N_BOOTSTRAPS, len(counts)))
        sums = counts[drawn].sum(axis=1)
        low, high = np.quantile(sums[:, 0] / sums[:, 1], (0.025, 0.975))
        return float(low), float(high)


def measure(
    references: Path | None = None,
    strangers: Path | None = None,
    *,
    listed: Path | None = None,
    kept: Path | None = None,
    n_tracks: int = 0,
    n_excerpts: int = 1,
    only: str = "",
    lengths_s: Sequence[float] = (),
    changes: Sequence[str] = (),
    answers: Path | None = None,
    seed: int = 1,
) -> Iterator[Figure]:
    """Measure on the listed music, on two folders of music, or without them on tunes made up here.

    Parameters
    ----------
    listed : Path, optional
        The folder that holds the packages of `benchmarks.protocol`.
    kept : Path, optional
        A folder for the fingerprints of these and for what strangers reach, so that a second run need not make them.
    n_tracks : int
        References and strangers that excerpts are taken of, drawn by the seed; 0 for all.
    n_excerpts : int
        Excerpts of each, for each length and condition.
    only : str
        One of ``PARTS``; both without it.
    lengths_s : sequence of float
        Of the excerpts, among ``LENGTHS_S`` and for strangers ``OUTPUT_S``; all of these without it.
    changes : sequence of str
        Conditions under which copies are looked for; all without them.
    answers : Path, optional
        A file that what each query was answered is added to (`benchmarks.answers`); with ``listed`` alone.

    Raises
    ------
    NothingToMeasureError
        If one folder is named without the other, is no folder, or holds no music.
    """
    if listed is not None:
        told = Answers(answers, listed) if answers else None
        yield from _on_music(
            _of_protocol(listed, kept),
            n_tracks,
            n_excerpts,
            seed,
            only,
            changes,
            lengths_s=lengths_s,
            answers=told,
            kept=kept,
        )
    elif references is None and strangers is None:
        yield from _made_up(n_excerpts, seed, only, changes)
    elif references is None or strangers is None:
        raise NothingToMeasureError("likeness needs two folders that share no recording: " + WANTED)
    else:
        known, unknown = _music_in(references), _music_in(strangers)
        music = Music.of(known, unknown)
        hashes = [{one.samples_sha256 for one in side.values()} for side in (known, unknown)]
        if shared := hashes[0] & hashes[1]:
            raise NothingToMeasureError(
                f"{len(shared)} recordings lie under {references} and under {strangers}: "
                "no recording may be in both."
            )
        yield from _on_music(music, n_tracks, n_excerpts, seed, only, changes)


def recordings_in(folder: Path) -> Iterator[tuple[Path, audio.Survey]]:
    """Whatever under ``folder`` is music of at least ``LEAST_S``."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            surveyed = audio.survey(path)
        except audio.AudioError:
            continue
        if surveyed.seconds >= LEAST_S and not surveyed.is_silent:
            yield path, surveyed


def excerpt(path: Path, seconds: float, length_s: float, rng: np.random.Generator) -> tuple[float, Samples]:
    """Draw a stretch of a recording that is not silent, and tell where it begins."""
    piece: Samples = np.zeros(0, dtype=np.float32)
    for _ in range(10):
        start_s = float(rng.uniform(0, max(0.0, seconds - length_s)))
        piece = audio.read_samples(path, sample_rate_hz=RATE_HZ, start_s=start_s, seconds=length_s)
        if np.abs(piece).max(initial=0.0) > QUIETEST:
            break
    return start_s, piece


def baseline_answer(heard: Samples, index: RecordingIndex) -> str | None:
    query = np.ascontiguousarray(items_of(heard, sample_rate_hz=RATE_HZ)[:, CHROMA])
    best, key = BASELINE_BER, None
    for number, recording in enumerate(index.recordings):
        curve = error_curve(query, np.ascontiguousarray(index.items(number)[:, CHROMA]))
        if len(curve) and curve.min() < best:
            best, key = float(curve.min()), recording
    return key


@dataclass(frozen=True, slots=True)
class Judge:
    """An index, and what strangers reach in it: without that the fixed thresholds hold."""

    index: RecordingIndex
    calibration: Calibration | None = None
    answers: Answers | None = None
    checks_s: list[float] = field(default_factory=list)
    """Processor time of every check."""

    @classmethod
    def calibrated(
        cls, index: RecordingIndex, answers: Answers | None = None, kept: Path | None = None
    ) -> Judge:
        """Hold the whole stock against an index, or read what an earlier run kept of it under ``kept``."""
        stock = Stock.load()
        held = hashlib.sha256(stock.sha256.encode())
        for number in range(len(index.recordings)):
            held.update(index.fingerprint(number).whole)
        at = kept / f"{held.hexdigest()}.calibration.json" if kept else None
        if at is not None and at.exists():
            with contextlib.suppress(ValueError):  # of another policy: measured anew below
                return cls(index, Calibration.from_json(json.loads(at.read_text())), answers)
        measured = measure_strangers(index, stock)
        if at is not None:
            with files.replacing(at) as part:
                part.write_text(json.dumps(measured.as_json()))
        return cls(index, measured, answers)

    def answer(self, heard: Samples) -> RecordingCheck:
        began = time.process_time()
        seconds = len(heard) / RATE_HZ
        known = self.calibration
        judging = Judging(known, thresholds.FALSE_ALARM_TARGET, seconds) if known else None
        sound = AudioFingerprint.of(heard, sample_rate_hz=RATE_HZ)
        told = check(sound, self.index, query_seconds=seconds, judging=judging)
        self.checks_s.append(time.process_time() - began)
        return told

    def found(self, heard: Samples, path: Path, start_s: float, *, change: str, tempo: float = 1.0) -> bool:
        """Whether something accepted is the very place of a reference, or one that sounds the same."""
        told = self.answer(heard)
        right = [one for one in told.matches if _is_right(one, self.index, str(path), start_s, tempo)]
        self._keep(change, heard, path, told, right)
        return any(one.accepted for one in right)

    def accuses(self, heard: Samples, path: Path) -> RecordingMatch | None:
        """Return what a stranger is accepted as."""
        told = self.answer(heard)
        self._keep(STRANGER, heard, path, told, [])
        return told.matches[0] if told.verdict not in {"no_match", "unverifiable"} else None

    def _keep(
        self, change: str, heard: Samples, path: Path, told: RecordingCheck, right: list[RecordingMatch]
    ) -> None:
        if self.answers is not None:
            seconds = round(len(heard) / RATE_HZ, 1)
            self.answers.add(change, seconds, path, right=right, shown=told.matches, verdict=told.verdict)


def found_and_placed(
    found: RecordingCheck, index: RecordingIndex, key: str, start_s: float, tempo: float
) -> bool:
    """Whether something accepted is the very place, or one that sounds the same."""
    return any(match.accepted and _is_right(match, index, key, start_s, tempo) for match in found.matches)


def _is_right(match: RecordingMatch, index: RecordingIndex, key: str, start_s: float, tempo: float) -> bool:
    true_s = start_s + match.query_start_s * tempo
    if match.key == key and any(abs(place_s - true_s) < PLACED_S for place_s in match.occurrences):
        return True
    length_s = (match.query_end_s - match.query_start_s) * tempo
    return any(
        _sounds_same(index, (key, true_s), (match.key, place_s), length_s) for place_s in match.occurrences
    )


def _sounds_same(
    index: RecordingIndex, one: tuple[str, float], other: tuple[str, float], length_s: float
) -> bool:
    """Whether a stretch of one reference and a stretch of another, or of the same, differ no more than copies do."""
    n_items = max(thresholds.MIN_STRETCH_ITEMS, round((length_s - ITEM_SPAN_S) / ITEM_S) + 1)
    ours, theirs = (
        index.items(index.recordings.index(key))[max(0, round(at_s / ITEM_S) - slack) :][
            : n_items + 2 * slack
        ]
        for (key, at_s), slack in ((one, 0), (other, 1))  # what comes round falls between two items
    )
    curves = [error_curve(ours[:, column].copy(), theirs[:, column].copy()) for column in (CHROMA, BANDS)]
    return len(curves[0]) > 0 and all(
        curve.min() <= highest for curve, highest in zip(curves, thresholds.COPY_BER, strict=True)
    )


def _of_protocol(folder: Path, kept: Path | None) -> Music:
    references, strangers = (
        protocol.located(folder, protocol.tracks(group)) for group in ("references", "test")
    )
    return Music(
        {path: fingerprint_of(path, track.sha256, kept) for track, path in references.items()},
        {path: track.seconds for track, path in references.items()},
        {path: track.seconds for track, path in strangers.items()},
    )


def fingerprint_of(path: Path, sha256: str, kept: Path | None) -> AudioFingerprint:
    """Fingerprint a file, or read what an earlier run kept of it under ``kept``."""
    at = kept / f"{sha256}.whole" if kept else None
    if at is not None and at.exists():
        with contextlib.suppress(FingerprintError):  # of an older method: made anew below
            return AudioFingerprint.unpack_whole(at.read_bytes())
    made = audio.survey(path).fingerprint
    if at is not None:
        with files.replacing(at) as part:
            part.write_bytes(made.whole)
    return made


def _made_up(n_excerpts: int, seed: int, only: str, changes: Sequence[str]) -> Iterator[Figure]:
    print(
        f"No music was given, so these figures are of {2 * N_TUNES} made-up tunes: they show that the check runs, "
        f"not how good it is. For that: {WANTED}",
        file=sys.stderr,
    )
    with tempfile.TemporaryDirectory(prefix="liner-bench-") as folder:
        sides = []
        for number, name in enumerate(("references", "strangers")):
            (Path(folder) / name).mkdir()
            for tune in range(N_TUNES):
                path = Path(folder) / name / f"{tune}.wav"
                tunes.write(path, seed=number * N_TUNES + tune, seconds=TUNE_S, rate_hz=RATE_HZ)
            sides.append(_music_in(Path(folder) / name))
        for found in _on_music(Music.of(*sides), 0, n_excerpts, seed, only, changes, calibrates=False):
            yield replace(found, name=found.name.replace("likeness_", "likeness_made_up_", 1))


def _on_music(
    music: Music,
    n_tracks: int,
    n_excerpts: int,
    seed: int,
    only: str = "",
    changes: Sequence[str] = (),
    *,
    lengths_s: Sequence[float] = (),
    calibrates: bool = True,
    answers: Answers | None = None,
    kept: Path | None = None,
) -> Iterator[Figure]:
    rng = np.random.default_rng(seed)
    index = RecordingIndex.build((str(path), fingerprint) for path, fingerprint in music.fingerprints.items())
    judge = Judge.calibrated(index, answers, kept) if calibrates else Judge(index)
    known, unknown = (_drawn(side, n_tracks, rng) for side in (music.references, music.strangers))
    print(
        f"{len(music.references)} references, {index.facts.n_windows} windows; {len(music.strangers)} strangers; "
        f"excerpts of {len(known)} and {len(unknown)}",
        file=sys.stderr,
    )
    for share in REPLICATED if only in ("", REPLICATIONS) else ():
        yield from _replications(share, known, unknown, judge, n_excerpts, rng)
    wanted = dict(CONDITIONS)
    if calibrates and only in ("", COPIES) and (not changes or OWN_CODEC in changes):
        wanted[OWN_CODEC] = through_codec(_codec_of(known, rng))
    judge.checks_s.clear()
    for length_s in _among(LENGTHS_S, lengths_s) if only in ("", COPIES) else ():
        for name in changes or wanted:
            yield from _copies(name, wanted[name], length_s, known, unknown, judge, n_excerpts, rng)
    if judge.checks_s:
        yield Figure("likeness_check_cpu_s", float(np.median(judge.checks_s)), "s")
    for length_s in _among((*LENGTHS_S, OUTPUT_S), lengths_s) if only in ("", FALSE_ALARMS) else ():
        yield from _false_alarms(length_s, unknown, judge, n_excerpts, rng)


def _among(known: Sequence[float], wanted: Sequence[float]) -> list[float]:
    return [length_s for length_s in known if not wanted or length_s in wanted]


def _drawn(side: Mapping[Path, float], n_tracks: int, rng: np.random.Generator) -> list[tuple[Path, float]]:
    all_of_it = list(side.items())
    if not 0 < n_tracks < len(all_of_it):
        return all_of_it
    return [all_of_it[place] for place in sorted(rng.permutation(len(all_of_it))[:n_tracks])]


def _codec_of(known: Sequence[tuple[Path, float]], rng: np.random.Generator) -> SpectralCodec:
    """Fit the generators' codec to other moments of the references than are likely to be asked for."""
    drawn = [known[place] for place in rng.permutation(len(known))[:N_FITTED]]
    heard = []
    for path, seconds in drawn:
        start_s = float(rng.uniform(0, max(0.0, seconds - FITTED_S)))
        samples = audio.read_samples(path, sample_rate_hz=SAMPLE_RATE_HZ, start_s=start_s, seconds=FITTED_S)
        heard.append(compressed_magnitudes(samples))
    return fit_codec(np.concatenate(heard), n_codes=N_CODES, seed=1)


def _copies(
    name: str,
    condition: Condition,
    length_s: float,
    known: Sequence[tuple[Path, float]],
    unknown: Sequence[tuple[Path, float]],
    judge: Judge,
    n_excerpts: int,
    rng: np.random.Generator,
) -> Iterator[Figure]:
    taken_s = length_s * condition.tempo
    hits, naive = [], []
    for path, seconds in known:
        for _ in range(n_excerpts):
            start_s, piece = excerpt(path, seconds, taken_s, rng)
            other_path, other_seconds = unknown[int(rng.integers(len(unknown)))]
            other = (
                excerpt(other_path, other_seconds, taken_s, rng)[1] if name.startswith("mixed") else piece[:0]
            )
            heard = condition.of(piece, other, length_s, rng)
            hits.append(judge.found(heard, path, start_s, change=name, tempo=condition.tempo))
            naive.append(baseline_answer(heard, judge.index) == str(path))
    if hits:
        yield _share(f"likeness_found_{name}_{length_s:.0f}s", hits, naive)


def _replications(
    share: float,
    known: Sequence[tuple[Path, float]],
    unknown: Sequence[tuple[Path, float]],
    judge: Judge,
    n_excerpts: int,
    rng: np.random.Generator,
) -> Iterator[Figure]:
    """Put a piece of a reference into half a minute of other music, and see whether it is found there."""
    piece_s = share * OUTPUT_S
    hits, naive = [], []
    for path, seconds in known:
        for _ in range(n_excerpts):
            start_s, piece = excerpt(path, seconds, piece_s, rng)
            other_path, other_seconds = unknown[int(rng.integers(len(unknown)))]
            _, heard = excerpt(other_path, other_seconds, OUTPUT_S, rng)
            at = int(rng.integers(max(1, len(heard) - len(piece))))
            heard = _replaced(heard, piece, at)
            change = f"replicated_{share:.0%}".replace("%", "pct")
            hits.append(judge.found(heard, path, start_s - at / RATE_HZ, change=change))
            naive.append(baseline_answer(heard, judge.index) == str(path))
    if hits:
        yield _share(f"likeness_found_replicated_{share:.0%}".replace("%", "pct"), hits, naive)


def _replaced(heard: Samples, piece: Samples, at: int) -> Samples:
    """Put a piece in the place of what is there, with short fades so that nothing clicks."""
    fade = np.clip(np.arange(len(piece)) / (FADE_S * RATE_HZ), 0.0, 1.0)
    weight = np.minimum(fade, fade[::-1]).astype(np.float32)
    changed = heard.copy()
    place = slice(at, at + len(piece))
    changed[place] = (
        changed[place] * (1.0 - weight[: len(changed[place])]) + (piece * weight)[: len(changed[place])]
    )
    return changed


def _false_alarms(
    length_s: float,
    unknown: Sequence[tuple[Path, float]],
    judge: Judge,
    n_excerpts: int,
    rng: np.random.Generator,
) -> Iterator[Figure]:
    alarms = Alarms()
    for path, seconds in unknown:
        for _ in range(n_excerpts):
            _, heard = excerpt(path, seconds, length_s, rng)
            best = judge.accuses(heard, path)
            if best is not None:
                print(
                    f"false alarm: {path.name} as {Path(best.key).name}, score {best.score:.2f}",
                    file=sys.stderr,
                )
            alarms.wrong.setdefault(path, []).append(best is not None)
            alarms.naive.append(baseline_answer(heard, judge.index) is not None)
    if alarms.wrong:
        name = f"likeness_false_alarms_{length_s:.0f}s"
        beside = float(np.mean(alarms.naive))
        ratio = alarms.rate / beside if beside else None
        low, high = alarms.interval(rng)
        yield Figure(name, alarms.rate, "share", f"chromaprint_alone={beside:.3f}", ratio)
        yield Figure(f"{name}_low", low, "share")
        yield Figure(f"{name}_high", high, "share")
        yield Figure(f"likeness_strangers_{length_s:.0f}s", alarms.n_excerpts, "excerpts")


def _share(name: str, ours: list[bool], naive: list[bool]) -> Figure:
    share, beside = float(np.mean(ours)), float(np.mean(naive))
    return Figure(name, share, "share", f"chromaprint_alone={beside:.3f}", share / beside if beside else None)


def _music_in(folder: Path) -> dict[Path, audio.Survey]:
    if not folder.is_dir():
        raise NothingToMeasureError(f"{folder} is no folder: {WANTED}")
    if not (found := dict(recordings_in(folder))):
        raise NothingToMeasureError(f"No music of {LEAST_S:g} s or more was found under {folder}.")
    return found
