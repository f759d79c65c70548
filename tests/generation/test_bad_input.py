"""What is answered to sound that is hardly any, damaged, or odd: each row of docs/bad-input.md, held here."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from provenance.models import Dataset
from provenance.similarity import embedders, musicnn
from provenance.similarity import recording as likeness
from provenance.similarity.fingerprint import AudioFingerprint
from provenance.similarity.index import RecordingIndex
from tests import signals
from tests.catalogues import RATE_HZ, a_catalogue, register, row, run, samples, sound, table
from tests.generation.test_resembling import Loudness
from tests.people import People

pytestmark = pytest.mark.django_db
DOCUMENT = Path(__file__).parents[2] / "docs" / "bad-input.md"
Sound = NDArray[np.float32]


def floats(path: Path, sound: Sound) -> Path:
    body = sound.astype("<f4").tobytes()
    fmt = struct.pack("<HHIIHH", 3, 1, RATE_HZ, RATE_HZ * 4, 4, 32)
    riff = b"WAVE" + b"fmt " + struct.pack("<I", 16) + fmt + b"data" + struct.pack("<I", len(body)) + body
    path.write_bytes(b"RIFF" + struct.pack("<I", len(riff)) + riff)
    return path


def with_sample(value: float) -> Callable[[Path], object]:
    def write(path: Path) -> object:
        spoilt = samples(1).copy()
        spoilt[5 * RATE_HZ] = value
        return floats(path, spoilt)

    return write


def at_192_khz(path: Path) -> object:
    tune = samples(1)[: 6 * RATE_HZ]
    fine = np.interp(np.arange(6 * 192_000) * RATE_HZ / 192_000, np.arange(len(tune)), tune)
    return signals.write(path, fine.astype(np.float32), rate_hz=192_000)


def wave(made: Callable[[], Sound]) -> Callable[[Path], object]:
    return lambda path: signals.write(path, made(), rate_hz=RATE_HZ)


def cut(path: Path) -> object:
    sound(path, 1)
    return path.write_bytes(path.read_bytes()[:100_000])


class Case:
    """A row of the document: how the file is made, what a check says, and what registering and indexing it say."""

    def __init__(
        self, write: Callable[[Path], object], check: str, says: str, status: str, why: str, covered: bool
    ) -> None:
        self.write, self.check, self.says = write, check, says
        self.status, self.why, self.covered = status, why, covered


def unheard(write: Callable[[Path], object], says: str) -> Case:
    return Case(write, "unverifiable", says, "registered", says, False)


def refused(write: Callable[[Path], object], says: str) -> Case:
    return Case(write, "unverifiable", says, "rejected", says, False)


def heard(write: Callable[[Path], object]) -> Case:
    return Case(write, "blocked", "agree with", "registered", "", True)


CASES = {
    "0.3 s": unheard(wave(lambda: samples(1)[: int(0.3 * RATE_HZ)]), "less than 3.6 s can't be compared"),
    "digital silence": unheard(wave(lambda: signals.silence(9.0, rate_hz=RATE_HZ)), "the audio is silent"),
    "a constant": unheard(
        wave(lambda: np.full(9 * RATE_HZ, 0.3, np.float32)), "the audio is silent once its channels are mixed"
    ),
    "channels that cancel": unheard(
        wave(lambda: np.stack([samples(1), -samples(1)], axis=1)),
        "the audio is silent once its channels are mixed",
    ),
    "DC offset": heard(wave(lambda: samples(1) * 0.6 + 0.3)),
    "clipped": heard(wave(lambda: (samples(1) * 8).clip(-1, 1))),
    "NaN": refused(with_sample(np.nan), "samples that are not numbers (NaN or infinity) near"),
    "infinity": refused(with_sample(np.inf), "samples that are not numbers (NaN or infinity) near"),
    "192 kHz": heard(at_192_khz),
    "8 channels": heard(wave(lambda: np.stack([samples(1) * (n + 1) / 8 for n in range(8)], axis=1))),
    "empty": refused(lambda path: path.touch(), "is empty"),
    "cut short": refused(cut, "promises 10.0 s and ends after"),
    "a text": refused(lambda path: path.write_text("Dear all,\n" * 99), "is not audio that can be decoded"),
}


@pytest.fixture(scope="module", autouse=True)
def embedding() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedders, "_chosen", embedders.MUSICNN)
        patch.setattr(embedders, "_loaded", lambda name: Loudness())
        patch.setattr(musicnn, "problem", str)
        patch.setattr(musicnn, "SHARD_SHA256", Loudness.sha256)
        yield


@pytest.fixture(scope="module")
def standing_folk(shared_db: Path, founded_people: People) -> Dataset:
    source = a_catalogue(shared_db / "music", 3)
    return register("folk", source, founded_people.steward, founded_people.house).dataset


@pytest.fixture
def folk(standing_folk: Dataset, db: None) -> Dataset:
    return deepcopy(standing_folk)


@pytest.fixture(scope="module")
def odd(shared_db: Path) -> Path:
    """One file for each case."""
    folder = shared_db / "odd"
    folder.mkdir()
    for name, case in CASES.items():
        case.write(folder / f"{name}.wav")
    return folder


class TestCheckAudio:
    def test_answers_each_as_the_document_says(self, folk: Dataset, odd: Path) -> None:
        names = [str(odd / f"{name}.wav") for name in CASES]

        lines = run(
            "check_audio", *names, "--against", "folk", "--kinds", "recording,composition,style"
        ).lines

        assert [line["file"] for line in lines] == names
        for (name, case), line in zip(CASES.items(), lines, strict=True):
            assert line["verdict"] == case.check, name
            assert case.says in "; ".join(line["reasons"]), name
            blamed = {match["external_id"] for match in line["matches"] if match["accepted"]}
            assert blamed == ({"1.wav"} if case.check == "blocked" else set()), name

    def test_finds_every_part_of_a_mix(self, folk: Dataset, tmp_path: Path) -> None:
        order = (2, 0, 77, 1, 0)
        mix = signals.write(
            tmp_path / "mix.wav", np.concatenate([samples(seed) for seed in order]), rate_hz=RATE_HZ
        )

        (line,) = run("check_audio", mix, "--against", "folk").lines

        assert line["verdict"] == "blocked"
        found = {match["external_id"]: match for match in line["matches"] if match["accepted"]}
        assert set(found) == {"0.wav", "1.wav", "2.wav"}
        for name, starts in (("2.wav", [0.0]), ("0.wav", [10.0, 40.0]), ("1.wav", [30.0])):
            lag = found[name]["query_start_s"] - found[name]["reference_start_s"]
            assert min(abs(lag - start) for start in starts) < 0.5, name

    def test_names_both_copies_of_one_recording(self, people: People, tmp_path: Path) -> None:
        signals.write(tmp_path / "loud.wav", samples(1), rate_hz=RATE_HZ)
        signals.write(tmp_path / "soft.wav", samples(1) * 0.4, rate_hz=RATE_HZ)
        sound(tmp_path / "other.wav", 2)
        source = table(tmp_path / "twice.csv", [row(f"{name}.wav") for name in ("loud", "soft", "other")])
        register("twice", source, people.steward, people.house)

        (line,) = run("check_audio", sound(tmp_path / "copy.wav", 1), "--against", "twice").lines

        assert line["verdict"] == "blocked"
        assert {match["external_id"] for match in line["matches"] if match["accepted"]} == {
            "loud.wav",
            "soft.wav",
        }


class TestRegisterAndIndex:
    def test_take_or_refuse_each_as_the_document_says(
        self, people: People, odd: Path, tmp_path: Path
    ) -> None:
        told: dict[str, Any] = {}
        source = table(odd / "odd.csv", [row(f"{name}.wav") for name in CASES])
        dataset = register(
            "odd",
            source,
            people.steward,
            people.house,
            tell=lambda line: told.update({line.external_id: line}),
        ).dataset

        built = run("index_dataset", "odd", "--wait").last

        covered = {entry.external_id for entry in dataset.entries.all()} - {
            one["external_id"] for one in built["not_covered"]
        }
        for name, case in CASES.items():
            line = told[f"{name}.wav"]
            assert line.status == case.status, name
            assert case.why in "; ".join(line.reasons), name
            assert (f"{name}.wav" in covered) == case.covered, name
        assert built["coverage"]["style"]["recordings"] >= sum(case.covered for case in CASES.values())


class TestLoops:
    def test_do_not_hide_each_other_or_accuse_a_stranger(self) -> None:
        rng = np.random.default_rng(1)
        loop = np.tile(samples(7)[: 4 * RATE_HZ], 3)
        made = AudioFingerprint.of(loop, sample_rate_hz=RATE_HZ)
        flips = np.packbits(rng.random((60, *made.items.shape, 32)) < 0.01, axis=-1).view(">u4")[..., 0]
        loops = {
            f"loop {n}": AudioFingerprint(
                made.items ^ flip.astype(np.uint32), made.peaks, made.n_frames, made.vectors
            )
            for n, flip in enumerate(flips)
        }
        other = {"other": AudioFingerprint.of(samples(2), sample_rate_hz=RATE_HZ)}
        index = RecordingIndex.build((loops | other).items())

        found = likeness.check(made, index)
        music = likeness.check(AudioFingerprint.of(samples(2)[: 6 * RATE_HZ], sample_rate_hz=RATE_HZ), index)
        stranger = likeness.check(AudioFingerprint.of(samples(99), sample_rate_hz=RATE_HZ), index)

        assert found.verdict == "blocked"
        assert all(match.key.startswith("loop") for match in found.matches if match.accepted)
        assert [match.key for match in music.matches if match.accepted] == ["other"]
        assert stranger.verdict == "no_match"


class TestDocument:
    def test_has_a_row_for_each_case(self) -> None:
        rows = [
            line.split("|")[1].strip() for line in DOCUMENT.read_text().splitlines() if line.startswith("| ")
        ]

        assert set(CASES) <= set(rows)
