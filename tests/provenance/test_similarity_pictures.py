from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from provenance.similarity.levels import FLOOR_DB, N_BANDS
from provenance.similarity.pictures import NAMES, chromagram, main, spectrogram
from tests import signals
from tests.lib.test_png import shades_in


class TestSpectrogram:
    def test_has_high_bands_at_the_top_and_the_loudest_in_black(self) -> None:
        levels = np.full((10, N_BANDS), FLOOR_DB, dtype=np.float32)
        levels[4, N_BANDS - 1] = -20.0

        drawn = spectrogram(levels)

        assert drawn.shape == (N_BANDS, 10)
        assert drawn[0, 4] == 15
        assert drawn.sum() == 15

    def test_is_clear_for_silence(self) -> None:
        assert not spectrogram(np.full((10, N_BANDS), FLOOR_DB, dtype=np.float32)).any()
        assert not spectrogram(np.zeros((0, N_BANDS), dtype=np.float32)).any()


class TestChromagram:
    def test_has_c_at_the_bottom(self) -> None:
        levels = np.full((40, N_BANDS), FLOOR_DB, dtype=np.float32)
        levels[:, 24] = -20.0

        drawn = chromagram(levels)

        assert drawn[-1].min() == 15
        assert not drawn[: len(drawn) - len(drawn) // 12].any()


class TestProgram:
    def test_draws_a_pair_small(self, tmp_path: Path) -> None:
        song = signals.write(tmp_path / "song.wav", signals.music(20.0, seed=1))

        ended = main(
            [
                str(song),
                str(song),
                str(tmp_path),
                '{"query_start_s": 2, "query_end_s": 14, "reference_start_s": 2}',
            ]
        )

        assert ended == 0
        drawn = {name: (tmp_path / f"{name}.png").read_bytes() for name in NAMES}
        assert drawn["spectrogram-query"] == drawn["spectrogram-reference"]
        assert shades_in(drawn["chroma-query"]).max() > 7
        assert max(map(len, drawn.values())) < 60_000

    def test_says_what_is_wrong_with_a_file(self, tmp_path: Path) -> None:
        broken = tmp_path / "notes.wav"
        broken.write_text("no sound")
        place = '{"query_start_s": 0, "query_end_s": 1, "reference_start_s": 0}'

        done = subprocess.run(
            [sys.executable, "-m", "provenance.similarity.pictures", broken, broken, tmp_path, place],
            capture_output=True,
            text=True,
            check=False,
        )

        assert done.returncode == 2
        assert "notes.wav" in done.stderr
