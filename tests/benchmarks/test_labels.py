"""What is asked of a large dataset: rows that are planted as they are said to be, and growth told size by size."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from benchmarks import figures, labels
from benchmarks.figures import Ran, run_command

SIZES = (1_000, 2_000)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Stand in for the commands: a catalogue takes a second a thousand rows, an opt-out grows with the square."""
    commands: list[tuple[str, ...]] = []

    def run(*arguments: str, data_dir: Path, keep_last_line: bool = False) -> Ran:
        commands.append(arguments)
        if arguments[0] == "register_dataset":
            commands.append(tuple(Path(arguments[3]).read_text().splitlines()))
        if arguments[0] == "match_catalogue":
            commands.append(tuple(Path(arguments[1]).read_text().splitlines()))
        n = next(size for size in SIZES if str(size) in " ".join(arguments)) / 1000
        seconds = n if arguments[0] == "match_catalogue" else n * n
        summary: dict[str, Any] = {"datasets": [{"found": 500, "probable": 0, "not_found": 500}]}
        return Ran(seconds, seconds / 2, 100.0, {"summary": summary} if keep_last_line else {})

    monkeypatch.setattr(labels, "run_command", run)
    monkeypatch.setattr(labels, "SIZES", SIZES)
    return commands


class TestMeasure:
    def test_tells_growth_from_the_size_before(self, asked: list[tuple[str, ...]]) -> None:
        told = {figure.name: figure for figure in labels.measure()}
        assert (told["match_1k_s"].baseline, told["match_1k_s"].ratio) == ("a_row_at_1k", 1.0)
        assert (told["match_2k_s"].baseline, told["match_2k_s"].ratio) == ("a_row_at_1k", 1.0)
        assert told["reserve_list_2k_s"].ratio == told["reserve_dataset_2k_s"].ratio == 2.0
        assert told["match_2k_found"].value == 0.25

    def test_plants_what_it_says(self, asked: list[tuple[str, ...]]) -> None:
        list(labels.measure())
        tables = [list(csv.DictReader(lines)) for lines in asked if lines[0].startswith("external_id")]
        songs, rows = tables[0], tables[1]
        known = {(song["title"], song["artist"]) for song in songs}
        by_name = sum((row["title"], row["artist"]) in known for row in rows)
        isrcs = {song["isrc"] for song in songs}
        assert (len(songs), len(rows), len(isrcs)) == (1_000, 1_000, 1_000)
        assert by_name == pytest.approx(400, abs=5)
        assert sum(row["isrc"] in isrcs for row in rows) == 100


class TestRunCommand:
    def test_keeps_the_last_line_of_a_long_answer(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        def run(arguments: Any, data_dir: Any, environment: Any, printed: Any) -> Ran:
            printed.write(b'{"row": 1}\n' * 20_000 + b'{"summary": {"rows": 20000}}\n')
            return Ran(1.0, 1.0, 1.0)

        monkeypatch.setattr(figures, "_run", run)
        ran = run_command("match_catalogue", data_dir=tmp_path, keep_last_line=True)
        assert ran.last_line == {"summary": {"rows": 20_000}}
