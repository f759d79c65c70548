from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator

import pytest

from lib import forking


@pytest.fixture(autouse=True)
def _nobody_is_left() -> Iterator[None]:
    if forking.n_cores() == 1:
        pytest.skip("needs a system that forks, and two cores")
    yield
    assert not multiprocessing.active_children()


class TestInOrder:
    def test_keeps_the_order_of_the_list(self) -> None:
        def slow_first(number: int) -> tuple[int, int]:
            if number == 0:
                signal.sigtimedwait([], 0.1)
            return number, os.getpid()

        made = list(forking.in_order(slow_first, range(40), n_processes=3, lost=lambda number: (number, 0)))

        assert [number for number, _ in made] == list(range(40))
        assert len({pid for _, pid in made} - {os.getpid()}) == 3

    def test_gives_back_what_was_there_before_and_no_copy_of_it(self) -> None:
        index = [1, 2, 3]

        made = list(
            forking.in_order(lambda name: (name, index), "ab", n_processes=2, lost=list, shared=[index])
        )

        assert [name for name, _ in made] == ["a", "b"]
        assert all(held is index for _, held in made)

    def test_loses_one_item_with_its_process(self) -> None:
        def fall(number: int) -> str:
            if number in (2, 3):
                os.kill(os.getpid(), signal.SIGKILL)
            return str(number)

        made = list(forking.in_order(fall, range(7), n_processes=2, lost=lambda number: f"lost {number}"))

        assert made == ["0", "1", "lost 2", "lost 3", "4", "5", "6"]

    def test_raises_an_error_in_its_turn(self) -> None:
        def refuse(number: int) -> int:
            if number == 3:
                raise ValueError("three is none")
            return number

        made = forking.in_order(refuse, range(9), n_processes=2, lost=int)

        assert [next(made) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(ValueError, match="three is none"):
            next(made)

    def test_says_what_can_not_be_sent(self) -> None:
        made = forking.in_order(lambda number: lambda: number, range(2), n_processes=2, lost=lambda _: int)

        with pytest.raises(RuntimeError, match="can't be sent"):
            next(made)

    def test_ends_its_processes_when_nobody_wants_more(self) -> None:
        made = forking.in_order(abs, range(1_000), n_processes=2, lost=abs)

        assert next(made) == 0
        made.close()  # type: ignore[attr-defined]

    def test_is_deaf_to_the_keyboard(self) -> None:
        def interrupt(number: int) -> int:
            os.kill(os.getpid(), signal.SIGINT)
            return number

        assert list(forking.in_order(interrupt, range(4), n_processes=2, lost=lambda _: -1)) == [0, 1, 2, 3]

    def test_lets_go_before_each_fork_and_prepares_in_each(self) -> None:
        let_go: list[int] = []
        prepared: list[int] = []

        made = list(
            forking.in_order(
                lambda number: len(prepared),
                range(4),
                n_processes=2,
                lost=int,
                forked=lambda: let_go.append(1),
                started=lambda: prepared.append(1),
            )
        )

        assert (made, len(let_go), prepared) == ([1, 1, 1, 1], 2, [])
