"""Checking many files: some ahead of whoever takes the answers, and in their order."""

import threading
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from generation import pipeline
from generation.pipeline import Answer, Target
from generation.services import checking
from provenance.similarity.segmented import SegmentedIndex

FILES = [(f"{number}.wav", Path(f"{number}.wav")) for number in range(6)]


def answer_of(name: str) -> Answer:
    return Answer(name, "", None, (), (), (), 0.0)


class TestCheckFiles:
    def test_answers_in_the_order_of_the_files(self, monkeypatch: pytest.MonkeyPatch) -> None:
        second_is_heard = threading.Event()

        def check_file(path: Path, *, name: str, **asked: Any) -> Answer:
            if name == "0.wav":
                assert second_is_heard.wait(10)
            if name == "1.wav":
                second_is_heard.set()
            return answer_of(name)

        monkeypatch.setattr(pipeline, "check_file", check_file)

        answers = checking.check_files(FILES, targets=[], kinds=("recording",))

        assert [answer.file for answer in answers] == [name for name, _ in FILES]

    def test_hears_no_more_than_a_few_ahead(self, monkeypatch: pytest.MonkeyPatch) -> None:
        heard: list[str] = []

        def check_file(path: Path, *, name: str, **asked: Any) -> Answer:
            heard.append(name)
            return answer_of(name)

        monkeypatch.setattr(pipeline, "check_file", check_file)

        answers = checking.check_files(FILES, targets=[], kinds=("recording",))
        next(answers)
        answers.close()  # type: ignore[attr-defined]

        assert len(heard) <= 1 + checking.N_CHECKERS

    def test_asks_a_big_index_where_the_database_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        threads = set()

        def check_file(path: Path, *, name: str, **asked: Any) -> Answer:
            threads.add(threading.current_thread())
            return answer_of(name)

        monkeypatch.setattr(pipeline, "check_file", check_file)
        big = Target(Mock(), None, None, Mock(spec=SegmentedIndex))

        assert len(list(checking.check_files(FILES, targets=[big], kinds=("recording",)))) == len(FILES)
        assert threads == {threading.current_thread()}
