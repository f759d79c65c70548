from __future__ import annotations

import functools
import subprocess
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from provenance import audio
from provenance.similarity import thresholds
from provenance.similarity.chromaprint import ITEM_S
from provenance.similarity.fingerprint import AudioFingerprint
from provenance.similarity.index import RecordingIndex
from provenance.similarity.recording import RecordingCheck, RecordingMatch, check
from tests import signals
from tests.vocoding import griffin_lim

RATE_HZ = signals.RATE_HZ


@functools.cache
def song(n: int) -> signals.Samples:
    return signals.music(40.0, seed=n)


def printed(samples: signals.Samples) -> AudioFingerprint:
    return AudioFingerprint.of(samples, sample_rate_hz=RATE_HZ)


@pytest.fixture(scope="module")
def index() -> RecordingIndex:
    return RecordingIndex.build([(f"song-{n}", printed(song(n))) for n in range(9)])


def excerpt(n: int, start_s: float, seconds: float) -> signals.Samples:
    return song(n)[round(start_s * RATE_HZ) : round((start_s + seconds) * RATE_HZ)]


def ask(
    samples: NDArray[np.float32], index: RecordingIndex, *, rate_hz: int = RATE_HZ, **more: object
) -> RecordingCheck:
    sound = AudioFingerprint.of(samples, sample_rate_hz=rate_hz)
    return check(sound, index, query_seconds=len(samples) / rate_hz, **more)  # type: ignore[arg-type]


def placed(match: RecordingMatch, at_s: float) -> bool:
    return any(abs(place - match.query_start_s - at_s) < 0.5 for place in match.occurrences)


class TestCheck:
    @pytest.mark.parametrize("seconds", [5.0, 10.0, 30.0])
    def test_finds_and_places_an_excerpt(self, index: RecordingIndex, seconds: float) -> None:
        answer = ask(excerpt(3, 11.3, seconds), index)

        assert answer.verdict == "blocked"
        assert answer.matches[0].key == "song-3"
        assert answer.matches[0].score > 0.9
        assert placed(answer.matches[0], 11.3)
        assert answer.matches[0].query_end_s <= seconds
        assert "song-3" in answer.reasons[0]

    def test_finds_an_excerpt_as_mp3(self, index: RecordingIndex, tmp_path: Path) -> None:
        source = signals.write(tmp_path / "a.wav", excerpt(4, 20.0, 8.0))
        subprocess.run(
            ["ffmpeg", "-nostdin", "-loglevel", "error", "-i", source, "-b:a", "64k", tmp_path / "a.mp3"],
            check=True,
        )

        answer = check(audio.survey(tmp_path / "a.mp3").fingerprint, index)

        assert (answer.verdict, answer.matches[0].key) == ("blocked", "song-4")

    def test_finds_an_excerpt_in_noise(self, index: RecordingIndex) -> None:
        clean = excerpt(5, 8.0, 10.0)
        loud = clean + signals.noise(10.0, seed=1, level=float(np.sqrt(np.mean(clean**2))))

        answer = ask(loud, index)

        assert (answer.verdict, answer.matches[0].key) == ("blocked", "song-5")

    def test_finds_an_excerpt_at_another_rate_and_level(self, index: RecordingIndex) -> None:
        answer = ask(0.2 * excerpt(2, 30.0, 8.0)[::2], index, rate_hz=RATE_HZ // 2)

        assert (answer.verdict, answer.matches[0].key) == ("blocked", "song-2")

    @pytest.mark.parametrize(("n_bands", "n_levels"), [(80, None), (128, 32)])
    def test_finds_what_went_through_a_mel_spectrogram(
        self, index: RecordingIndex, n_bands: int, n_levels: int | None
    ) -> None:
        vocoded = griffin_lim(excerpt(6, 15.0, 8.0), rate_hz=RATE_HZ, n_bands=n_bands, n_levels=n_levels)

        answer = ask(vocoded, index)

        assert (answer.verdict, answer.matches[0].key) == ("blocked", "song-6")
        assert placed(answer.matches[0], 15.0)

    def test_finds_seven_copied_seconds_in_a_minute(self, index: RecordingIndex) -> None:
        stranger = signals.music(60.0, seed=901)
        stranger[27 * RATE_HZ : 34 * RATE_HZ] = excerpt(7, 5.0, 7.0)

        answer = ask(stranger, index)

        match = answer.matches[0]
        assert (answer.verdict, match.key) == ("blocked", "song-7")
        assert match.query_start_s == pytest.approx(27.0, abs=1.0)
        assert match.query_end_s == pytest.approx(34.0, abs=1.0)
        assert match.reference_start_s - match.query_start_s == pytest.approx(5.0 - 27.0, abs=0.3)

    def test_joins_a_copy_longer_than_a_segment(self, index: RecordingIndex) -> None:
        answer = ask(song(1), index)

        assert answer.matches[0].key == "song-1"
        assert answer.matches[0].query_end_s - answer.matches[0].query_start_s == pytest.approx(40.0, abs=1.0)

    @pytest.mark.parametrize("seed", range(100, 112))
    def test_accuses_no_stranger(self, index: RecordingIndex, seed: int) -> None:
        answer = ask(signals.music(12.0, seed=seed), index)

        assert answer.verdict == "no_match"
        assert answer.reasons == ()

    def test_accuses_no_resynthesised_stranger(self, index: RecordingIndex) -> None:
        answer = ask(griffin_lim(signals.music(10.0, seed=200), rate_hz=RATE_HZ, n_bands=80), index)

        assert answer.verdict == "no_match"

    def test_shows_the_nearest_below_the_threshold_in_falling_score(self, index: RecordingIndex) -> None:
        answer = ask(signals.music(12.0, seed=300), index)

        scores = [match.score for match in answer.matches]
        assert len(scores) >= 5
        assert scores == sorted(scores, reverse=True)
        assert all(0.0 <= score < thresholds.REVIEW_SCORE for score in scores)
        assert len({match.key for match in answer.matches}) == len(scores)

    def test_shows_as_many_as_the_index_has_though_they_agree_nowhere(self, index: RecordingIndex) -> None:
        noise = np.random.default_rng(5).normal(0.0, 0.2, 12 * RATE_HZ).astype(np.float32)
        few = RecordingIndex.build([(f"song-{n}", printed(song(n))) for n in range(6)])
        for asked, n_shown in ((few, 6), (index, thresholds.N_SHOWN)):
            answer = ask(noise, asked)

            assert answer.verdict == "no_match"
            assert len({match.key for match in answer.matches}) == len(answer.matches) == n_shown
            scores = [match.score for match in answer.matches]
            assert scores == sorted(scores, reverse=True)

    def test_does_not_accuse_drones_of_each_other(self) -> None:
        drones = RecordingIndex.build(
            [(f"drone-{n}", printed(signals.drone(30.0, seed=n))) for n in range(3)]
        )

        answer = ask(signals.drone(12.0, seed=77), drones)

        assert answer.verdict == "no_match"

    @pytest.mark.parametrize(
        "sound", [signals.silence(10.0), signals.tone(10.0), signals.noise(10.0, seed=3)]
    )
    def test_does_not_accuse_what_says_nothing(self, index: RecordingIndex, sound: signals.Samples) -> None:
        with_silence = RecordingIndex.build(
            [
                *((key, index.fingerprint(n)) for n, key in enumerate(index.recordings)),
                ("silence", printed(signals.silence(30.0))),
            ]
        )

        assert ask(sound, with_silence).verdict == "no_match"

    def test_does_not_accuse_a_gap_of_another_gap(self) -> None:
        def gapped(seed: int) -> signals.Samples:
            around = signals.music(20.0, seed=seed)
            return np.concatenate([around[: 10 * RATE_HZ], signals.silence(12.0), around[10 * RATE_HZ :]])

        index = RecordingIndex.build([(f"gapped-{seed}", printed(gapped(seed))) for seed in (60, 61)])

        assert ask(gapped(62), index).verdict == "no_match"

    def test_finds_a_recording_that_is_there_twice(self, index: RecordingIndex) -> None:
        twice = RecordingIndex.build(
            [
                *((key, index.fingerprint(n)) for n, key in enumerate(index.recordings)),
                ("copy-of-3", printed(0.5 * song(3))),
            ]
        )

        answer = ask(excerpt(3, 20.0, 8.0), twice)

        assert {match.key for match in answer.matches if match.verdict == "blocked"} == {
            "song-3",
            "copy-of-3",
        }

    def test_names_every_occurrence_of_a_loop(self) -> None:
        loop = signals.music(9.0, seed=50)
        track = np.concatenate([loop, signals.music(6.0, seed=51), loop, signals.music(7.0, seed=52), loop])
        index = RecordingIndex.build(
            [
                ("looped", printed(track)),
                ("other", printed(song(1))),
            ]
        )

        match = ask(loop, index).matches[0]

        starts = np.array(match.occurrences) - match.query_start_s
        assert starts == pytest.approx([0.0, 15.0, 31.0], abs=0.5)

    def test_leaves_out_what_it_is_told_to(self, index: RecordingIndex) -> None:
        answer = ask(excerpt(3, 20.0, 8.0), index, exclude={"song-3"})

        assert answer.verdict == "no_match"
        assert "song-3" not in {match.key for match in answer.matches}

    def test_cannot_verify_a_clip_without_a_window(self, index: RecordingIndex) -> None:
        answer = ask(excerpt(3, 20.0, 0.3), index)

        assert (answer.verdict, answer.matches) == ("unverifiable", ())

    def test_finds_nothing_in_an_empty_index(self) -> None:
        assert ask(excerpt(3, 20.0, 8.0), RecordingIndex.build([])).verdict == "no_match"

    def test_answers_the_same_through_candidates_as_over_all(
        self, index: RecordingIndex, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        over_all = ask(excerpt(8, 3.0, 10.0), index)
        monkeypatch.setattr(thresholds, "N_CANDIDATES", 3)

        through_candidates = ask(excerpt(8, 3.0, 10.0), index)

        assert through_candidates.matches[0].key == over_all.matches[0].key
        assert through_candidates.matches[0].ber == over_all.matches[0].ber

    def test_stays_inside_the_reference(self, index: RecordingIndex) -> None:
        match = ask(excerpt(0, 33.0, 7.0), index).matches[0]

        assert match.key == "song-0"
        assert match.reference_end_s <= 40.0 + ITEM_S
