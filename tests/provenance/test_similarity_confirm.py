from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from provenance.similarity.confirm import (
    SPECTROGRAM_CONFIRMED,
    WAVEFORM_CONFIRMED,
    confirm,
    spectrogram_confirms,
    waveform_correlation,
    waveform_needed,
)
from provenance.similarity.side_by_side import Agreement
from tests import signals
from tests.vocoding import griffin_lim

RATE_HZ = signals.RATE_HZ


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return signals.write(tmp_path_factory.mktemp("confirm") / "song.wav", signals.music(20.0, seed=1))


def excerpt(start_s: float, seconds: float) -> signals.Samples:
    return signals.music(20.0, seed=1)[round(start_s * RATE_HZ) : round((start_s + seconds) * RATE_HZ)]


class TestConfirm:
    def test_confirms_a_copy_by_its_waveform(self, reference: Path, tmp_path: Path) -> None:
        query = signals.write(tmp_path / "a.wav", -0.3 * excerpt(7.1, 6.0))

        found = confirm(query, reference, query_start_s=0.0, query_end_s=6.0, reference_start_s=7.0)

        assert found.confirmed
        assert found.waveform_correlation is not None
        assert found.waveform_correlation > 0.95
        assert found.spectrogram_correlation > 0.95
        assert found.lag_s == pytest.approx(0.1, abs=0.03)

    def test_confirms_a_resynthesis_by_its_spectrogram_alone(self, reference: Path, tmp_path: Path) -> None:
        vocoded = griffin_lim(excerpt(7.0, 6.0), rate_hz=RATE_HZ, n_bands=80)
        query = signals.write(tmp_path / "a.wav", vocoded)

        found = confirm(query, reference, query_start_s=0.0, query_end_s=6.0, reference_start_s=7.0)

        assert found.confirmed
        assert found.waveform_correlation is not None
        assert found.waveform_correlation < WAVEFORM_CONFIRMED
        assert found.spectrogram_correlation > SPECTROGRAM_CONFIRMED

    def test_confirms_a_copy_in_another_tempo(self, reference: Path, tmp_path: Path) -> None:
        source = excerpt(5.0, 6.0)
        faster = np.interp(np.arange(0, len(source), 1.05), np.arange(len(source)), source).astype(np.float32)
        query = signals.write(tmp_path / "a.wav", faster)

        found = confirm(
            query,
            reference,
            query_start_s=0.0,
            query_end_s=6.0 / 1.05,
            reference_start_s=5.0,
            tempo_ratio=1.05,
            pitch_shift_semitones=0.84,
        )

        assert found.confirmed
        assert found.waveform_correlation is None  # no waveform agrees in another tempo
        assert found.spectrogram_correlation > 0.9
        assert found.elsewhere_most is not None
        assert found.elsewhere_most < 0.5

    def test_draws_the_path_of_a_copy_and_none_of_a_stranger(self, reference: Path, tmp_path: Path) -> None:
        def on_the_line(sound: signals.Samples) -> list[bool]:
            query = signals.write(tmp_path / "a.wav", sound)
            found = confirm(query, reference, query_start_s=0.5, query_end_s=6.0, reference_start_s=7.5)
            return [abs(there_s - at_s - 7.0) < 0.1 for at_s, there_s, _ in found.path]

        assert all(on_the_line(excerpt(7.0, 6.0)))
        assert not any(on_the_line(signals.music(6.0, seed=2)))

    @pytest.mark.parametrize("seed", [2, 3, 4])
    def test_does_not_confirm_a_stranger(self, reference: Path, tmp_path: Path, seed: int) -> None:
        query = signals.write(tmp_path / "a.wav", signals.music(6.0, seed=seed))

        found = confirm(query, reference, query_start_s=0.0, query_end_s=6.0, reference_start_s=7.0)

        assert not found.confirmed

    def test_does_not_confirm_another_place_of_the_same_song(self, reference: Path, tmp_path: Path) -> None:
        query = signals.write(tmp_path / "a.wav", excerpt(2.0, 5.0))

        assert not confirm(
            query, reference, query_start_s=0.0, query_end_s=5.0, reference_start_s=12.0
        ).confirmed

    def test_does_not_confirm_silence(self, reference: Path, tmp_path: Path) -> None:
        query = signals.write(tmp_path / "a.wav", signals.silence(5.0))

        found = confirm(query, reference, query_start_s=0.0, query_end_s=5.0, reference_start_s=7.0)

        assert (found.waveform_correlation, found.spectrogram_correlation, found.path) == (0.0, 0.0, ())
        assert not found.confirmed

    def test_says_what_it_was_held_against(self, reference: Path) -> None:
        said = confirm(
            reference, reference, query_start_s=0.0, query_end_s=4.0, reference_start_s=0.0
        ).as_json()

        assert said["confirmed"] is True
        assert said["waveform_threshold"] == WAVEFORM_CONFIRMED
        assert said["seconds"] == pytest.approx(4.0)


class TestWaveformNeeded:
    @pytest.mark.parametrize(
        ("seconds", "needed"), [(60.0, 0.3), (4.0, 0.3), (1.0, 0.6), (0.36, 0.95), (0.1, 0.95), (0.0, 0.95)]
    )
    def test_is_more_for_less_sound(self, seconds: float, needed: float) -> None:
        assert waveform_needed(seconds) == pytest.approx(needed)

    def test_is_what_a_brief_stretch_is_held_against(self, reference: Path) -> None:
        found = confirm(reference, reference, query_start_s=2.0, query_end_s=3.0, reference_start_s=2.0)
        assert (found.confirmed, found.as_json()["waveform_threshold"]) == (True, 0.6)


class TestSpectrogramConfirms:
    @pytest.mark.parametrize(
        ("correlation", "n_pieces", "n_on_line", "confirms"),
        [
            (0.7, 5, 4, True),
            (0.7, 3, 2, False),  # one loud moment agrees, and the rest does not
            (0.3, 5, 5, False),
            (0.9, 0, 0, False),  # too short to be told piece by piece
        ],
    )
    def test_asks_for_the_whole_and_for_most_pieces(
        self, correlation: float, n_pieces: int, n_on_line: int, confirms: bool
    ) -> None:
        path = ((0.0, 0.0, 0.9),) * n_pieces
        assert spectrogram_confirms(Agreement(correlation, 0.0, None, None, 0, path, n_on_line)) is confirms


class TestWaveformCorrelation:
    def test_equals_the_definition(self) -> None:
        rng = np.random.default_rng(1)
        stretch, around = (
            rng.standard_normal(50).astype(np.float32),
            rng.standard_normal(120).astype(np.float32),
        )

        by_hand = max(abs(np.corrcoef(stretch, around[at : at + 50])[0, 1]) for at in range(71))

        assert waveform_correlation(stretch, around) == pytest.approx(by_hand, abs=1e-5)

    def test_is_one_for_itself_and_zero_for_nothing(self) -> None:
        sound = signals.music(2.0, seed=1)

        assert waveform_correlation(sound, sound) == pytest.approx(1.0, abs=1e-4)
        assert waveform_correlation(sound[:0], sound) == 0.0
