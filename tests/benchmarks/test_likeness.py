from pathlib import Path

import numpy as np
import pytest

from benchmarks import __main__ as bench
from benchmarks import likeness, protocol, tunes
from benchmarks.transformations import CONDITIONS, RATE_HZ
from provenance import audio
from provenance.similarity.index import RecordingIndex
from provenance.similarity.strangers import Stock
from tests import signals


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {name: CONDITIONS[name] for name in ("clean", "speed_plus_4")}
    monkeypatch.setattr(likeness, "CONDITIONS", kept)
    monkeypatch.setattr(likeness, "N_TUNES", 2)
    monkeypatch.setattr(likeness, "LENGTHS_S", (10.0,))


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

    def test_measures_the_part_and_the_changes_that_are_asked_for(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert bench.main(["likeness", "--only", "copies", "--changes", "speed_plus_4"]) == 0
        assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [
            "likeness_made_up_found_speed_plus_4_10s",
            "likeness_made_up_check_cpu_s",
        ]

    def test_measures_on_the_folders_that_are_given(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        few = Stock.load().drawn(8)
        monkeypatch.setattr(Stock, "load", lambda: few)
        for seed, name in enumerate(("known", "other")):
            (tmp_path / name).mkdir()
            tunes.write(tmp_path / name / "a.wav", seed=seed, seconds=13.0, rate_hz=22_050)
        given = ["--references", str(tmp_path / "known"), "--strangers", str(tmp_path / "other")]
        assert bench.main(["likeness", *given, "--only", "copies", "--changes", "clean", "own_codec"]) == 0
        said = capsys.readouterr()
        assert "likeness_found_clean_10s" in said.out
        assert "likeness_found_own_codec_10s" in said.out
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


class TestConditions:
    @pytest.mark.parametrize("name", ["tempo_plus_8", "tempo_minus_8", "speed_minus_4"])
    def test_take_as_much_of_the_reference_as_they_say(self, name: str) -> None:
        """A click 4 s into the excerpt is heard when the tempo has brought it."""
        samples = 0.01 * np.random.default_rng(1).standard_normal(12 * RATE_HZ).astype(np.float32)
        samples[4 * RATE_HZ : 4 * RATE_HZ + 200] = 0.9
        condition = CONDITIONS[name]
        heard = condition.of(samples, samples, 10.0, np.random.default_rng(1))
        assert len(heard) / RATE_HZ == pytest.approx(10.0, abs=0.1)
        assert np.abs(heard).argmax() / RATE_HZ * condition.tempo == pytest.approx(4.0, abs=0.1)

    def test_mix_both_as_loud(self) -> None:
        one, other = (
            np.random.default_rng(seed).standard_normal(RATE_HZ).astype(np.float32) for seed in (1, 2)
        )
        heard = CONDITIONS["mixed_0db"].of(one, 0.1 * other, 1.0, np.random.default_rng(1))
        shares = [float(np.dot(heard, part) / np.dot(part, part)) for part in (one, other)]
        assert shares[0] == pytest.approx(shares[1], rel=0.05)


class TestAlarms:
    def test_are_bounded_by_tracks_where_there_was_none(self) -> None:
        alarms = likeness.Alarms({Path(str(n)): [False] * 50 for n in range(60)})
        assert alarms.interval(np.random.default_rng(1)) == (0.0, 0.05)

    def test_of_one_track_widen_the_interval(self) -> None:
        """Ten alarms of one track say less than ten of ten: excerpts of a track are alike."""
        together = likeness.Alarms({Path(str(n)): [n == 0] * 10 for n in range(100)})
        apart = likeness.Alarms({Path(str(n)): [n < 10, *[False] * 9] for n in range(100)})
        assert together.rate == apart.rate == 0.01
        widths = [
            high - low for low, high in (one.interval(np.random.default_rng(1)) for one in (together, apart))
        ]
        assert widths[0] > 1.5 * widths[1]


class TestEquivalents:
    def test_are_the_same_music_come_round_and_nothing_else(self, tmp_path: Path) -> None:
        theme, other = signals.music(12.0, seed=1), signals.music(12.0, seed=2)
        path = signals.write(tmp_path / "a.wav", np.concatenate([theme, other, theme]))
        index = RecordingIndex.build([("a", audio.survey(path).fingerprint)])
        assert likeness._sounds_same(index, ("a", 2.0), ("a", 26.0), 7.0)
        assert not likeness._sounds_same(index, ("a", 2.0), ("a", 14.0), 7.0)


class TestProtocol:
    @pytest.fixture
    def groups(self) -> dict[str, list[protocol.Track]]:
        return {group: protocol.tracks(group) for group in protocol.GROUPS}

    def test_shares_nothing_between_its_groups(self, groups: dict[str, list[protocol.Track]]) -> None:
        for what in ("package", "sha256"):
            sets = [{getattr(track, what) for track in group} for group in groups.values()]
            assert sum(map(len, sets)) == len(set.union(*sets)), what

    def test_has_enough_of_each(self, groups: dict[str, list[protocol.Track]]) -> None:
        assert len(groups["test"]) >= 60
        assert len([track for track in groups["test"] if track.package == "immich-memories-music"]) == 28
        assert min(map(len, groups.values())) >= 60

    def test_says_what_is_missing(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        for package in protocol.GROUPS["references"]:
            (tmp_path / package).mkdir()
        assert bench.main(["likeness", "--protocol", str(tmp_path)]) == 2
        assert "of naev-data" in capsys.readouterr().err


class TestNames:
    def test_lists_those_there_are_when_one_is_not(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert bench.main(["waltz"]) == 2
        assert "There is no benchmark waltz: choose among catalogue, composition, " in capsys.readouterr().err
