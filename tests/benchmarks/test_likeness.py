from pathlib import Path

import pytest

from benchmarks import __main__ as bench
from benchmarks import likeness, tunes


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likeness, "CONDITIONS", ("clean", "noise_10db"))
    monkeypatch.setattr(likeness, "N_TUNES", 2)


@pytest.mark.usefixtures("quick")
class TestLikeness:
    def test_runs_on_made_up_tunes_and_says_so(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert bench.main(["likeness"]) == 0
        said = capsys.readouterr()
        lines = dict(line.split(" ", 1) for line in said.out.splitlines())
        assert lines["likeness_made_up_found_clean_10s"].startswith("1.000 share chromaprint_alone=")
        assert lines["likeness_made_up_strangers_30s"] == "2.000 excerpts - -"
        assert all(len(rest.split()) == 4 for rest in lines.values())
        assert "made-up" in said.err
        assert "--references DIR --strangers DIR" in said.err

    def test_measures_on_the_folders_that_are_given(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for seed, name in enumerate(("known", "other")):
            (tmp_path / name).mkdir()
            tunes.write(tmp_path / name / "a.wav", seed=seed, seconds=13.0, rate_hz=22_050)
        given = ["--references", str(tmp_path / "known"), "--strangers", str(tmp_path / "other")]
        assert bench.main(["likeness", *given]) == 0
        said = capsys.readouterr()
        assert "likeness_found_clean_10s 1.000 share" in said.out
        assert "made_up" not in said.out

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            (["--references", "."], "needs two folders"),
            (["--references", "nowhere", "--strangers", "."], "nowhere is no folder"),
            (["--references", "empty", "--strangers", "empty"], "No music of 12 s or more"),
            (["--references", "known", "--strangers", "known"], "no recording may be in both"),
        ],
    )
    def test_says_what_it_lacks(
        self,
        given: list[str],
        said: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "empty").mkdir()
        (tmp_path / "known").mkdir()
        tunes.write(tmp_path / "known" / "a.wav", seed=1, seconds=13.0, rate_hz=22_050)
        assert bench.main(["likeness", *given]) == 2
        assert said in capsys.readouterr().err


class TestNames:
    def test_lists_those_there_are_when_one_is_not(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert bench.main(["waltz"]) == 2
        assert "choose among catalogue, conflicts, ingest, likeness, lists, rights" in capsys.readouterr().err
