"""The judge of pairs that are called one sound, and the books of what was planted and found."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import __main__ as bench
from benchmarks import conflicts
from benchmarks.conflicts import Planted
from benchmarks.correlation import RATE_HZ, correlations, is_same_sound, stretch
from benchmarks.figures import Figure
from provenance import audio
from provenance.similarity.copies import Copy, NewItems
from tests import signals

SECONDS = 25.0


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, audio.Survey]:
    """Two tunes, and the first once more: quieter, cut and through an encoder."""
    folder = tmp_path_factory.mktemp("music")
    for seed in (0, 1):
        signals.write(
            folder / f"{seed}.wav", signals.music(SECONDS, seed=seed, rate_hz=RATE_HZ), rate_hz=RATE_HZ
        )
    changed = ["-ss", "3", "-af", "volume=-6dB", "-c:a", "libvorbis", "-q:a", "1"]
    subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(folder / "0.wav"), *changed, str(folder / "copy.ogg")], check=True
    )
    return {path: audio.survey(path) for path in sorted(folder.iterdir())}


def said(figures: list[Figure]) -> dict[str, float]:
    return {figure.name: figure.value for figure in figures}


class TestPairsHeard:
    def test_names_a_copy_and_what_it_is_of_once_and_lets_the_waveforms_judge(
        self, known: dict[Path, audio.Survey], capsys: pytest.CaptureFixture[str]
    ) -> None:
        figures = list(conflicts._pairs_heard(known, next(iter(known)).parent))

        assert said(figures) == {"conflicts_pairs_heard": 1, "conflicts_pairs_true": 1.0}
        assert figures[0].baseline == "recordings=3"
        (line,) = capsys.readouterr().err.splitlines()
        assert "0.wav" in line
        assert "copy.ogg" in line
        assert ": one sound (" in line

    def test_is_not_taken_in_where_strangers_are_called_one_sound(
        self,
        known: dict[Path, audio.Survey],
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        sure = Copy("0.wav", "copy.ogg", 3.0, 20.0, 0.0, 17.0, (0.0, 0.0), (0.5, 0.5), 0.5)
        assert sure.is_certain
        monkeypatch.setattr(
            NewItems, "copies_in", lambda *_: [sure, replace(sure, known="1.wav"), replace(sure, new="1.wav")]
        )

        figures = said(list(conflicts._pairs_heard(known, next(iter(known)).parent)))

        assert figures == {"conflicts_pairs_heard": 3, "conflicts_pairs_true": pytest.approx(1 / 3)}
        assert capsys.readouterr().err.count("NOT one sound") == 2

    def test_counts_no_share_where_nothing_is_heard(self, known: dict[Path, audio.Survey]) -> None:
        strangers = {path: one for path, one in known.items() if path.suffix == ".wav"}
        heard = conflicts._pairs_heard(strangers, next(iter(known)).parent)
        assert said(list(heard)) == {"conflicts_pairs_heard": 0}

    def test_are_all_that_is_told_where_no_copies_are_wanted(
        self, known: dict[Path, audio.Survey], capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder = str(next(iter(known)).parent)
        assert bench.main(["conflicts", "--music", folder, "--copies", "0"]) == 0
        assert capsys.readouterr().out.splitlines() == [
            "conflicts_pairs_heard 1.000 pairs recordings=3 -",
            "conflicts_pairs_true 1.000 share by_waveform_or_spectrum -",
        ]

    def test_are_told_before_it_says_that_all_is_too_short_to_plant_copies_of(
        self, known: dict[Path, audio.Survey], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert bench.main(["conflicts", "--music", str(next(iter(known)).parent)]) == 2
        assert "No music of 60 s or more" in capsys.readouterr().err


class TestCorrelations:
    def test_know_a_sound_that_lies_a_little_beside_itself(self) -> None:
        tune = signals.music(SECONDS, seed=2, rate_hz=RATE_HZ)
        waveform, spectrum = correlations(tune, 0.3 * tune[round(0.2 * RATE_HZ) :])
        assert waveform == pytest.approx(1.0, abs=0.01)
        assert spectrum > 0.9

    def test_know_a_sound_whose_phases_are_turned(self) -> None:
        tune = signals.music(SECONDS, seed=2, rate_hz=RATE_HZ)
        turned = np.fft.rfft(tune)
        turned *= np.exp(1j * np.random.default_rng(0).uniform(-0.5, 0.5) * np.sqrt(np.arange(len(turned))))
        waveform, spectrum = correlations(tune, np.fft.irfft(turned, len(tune)).astype(np.float32))
        assert is_same_sound(waveform, spectrum)
        assert waveform < 0.9

    @pytest.mark.parametrize("other", [3, 4, 5])
    def test_tell_strangers_apart(self, other: int) -> None:
        one, another = (signals.music(SECONDS, seed=seed, rate_hz=RATE_HZ) for seed in (2, other))
        assert not is_same_sound(*correlations(one, another))

    def test_say_nothing_of_silence_and_of_less_than_a_piece(self) -> None:
        silence = np.zeros(20 * RATE_HZ, dtype=np.float32)
        tune = signals.music(4.0, seed=2, rate_hz=RATE_HZ)
        assert correlations(silence, silence) == (0.0, 0.0)
        assert correlations(tune, tune) == (0.0, 0.0)

    def test_are_of_the_stretch_that_is_asked_for(self, tmp_path: Path) -> None:
        tune = signals.music(SECONDS, seed=2, rate_hz=RATE_HZ)
        path = signals.write(tmp_path / "a.wav", tune, rate_hz=RATE_HZ)
        read = stretch(path, 2.0, 14.0)
        assert len(read) == 12 * RATE_HZ
        assert np.abs(read - tune[2 * RATE_HZ : 14 * RATE_HZ]).max() < 0.001


class TestJudged:
    """Recordings ``o`` and ``p`` are of the folder, the others are copies: ``c`` and ``d`` of ``o``, ``e`` of ``p``."""

    planted = {name: Planted("faded", name, source) for name, source in (("c", "o"), ("d", "o"), ("e", "p"))}
    titles = {name: {name} for name in "opcde"} | {"renamed": {"o", "c"}}

    @pytest.mark.parametrize(
        ("pair", "found", "n_wrong"),
        [
            (("c", "o"), {"c"}, 0),
            (("p", "c"), set(), 1),
            (("c", "d"), {"c", "d"}, 0),  # two copies of one piece are one sound
            (("c", "e"), set(), 2),
            (("renamed", "renamed"), {"c"}, 0),  # the same bytes: one recording with two names
            (("o", "p"), set(), 0),  # not about a copy
        ],
    )
    def test_hold_a_finding_against_what_was_planted(
        self, pair: tuple[str, str], found: set[str], n_wrong: int
    ) -> None:
        outcome = conflicts._judged([{"recordings": list(pair)}], self.titles, self.planted)["faded"]
        assert (outcome.n_planted, outcome.found, len(outcome.wrong)) == (3, found, n_wrong)

    def test_become_a_recall_and_a_precision(self) -> None:
        findings = [{"recordings": ["c", "o"]}, {"recordings": ["e", "o"]}]
        outcomes = conflicts._judged(findings, self.titles, self.planted)
        figures = said(list(conflicts._figures({"faded": outcomes["faded"]})))
        assert figures["conflicts_recall"] == pytest.approx(1 / 3)
        assert figures["conflicts_precision"] == pytest.approx(1 / 2)
        assert figures["conflicts_planted"] == 3


class TestSaid:
    def answered(self, code: int, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
        done = subprocess.CompletedProcess([], code, stdout='{"answer": "unknown"}\n{"summary": {}}\n')
        monkeypatch.setattr(subprocess, "run", lambda *_, **options: done)
        return conflicts._said("clear_dataset", "originals", "--json", data_dir=Path("nowhere"))

    @pytest.mark.parametrize("code", [0, 1])
    def test_takes_an_answer_of_no_for_an_answer(self, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
        assert self.answered(code, monkeypatch) == [{"answer": "unknown"}, {"summary": {}}]

    def test_stops_where_a_command_could_not_work(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(RuntimeError, match="clear_dataset ended with 3"):
            self.answered(3, monkeypatch)
