"""Work over a list in several processes at once, its answers in the list's order.

Processes are forked, so that what is large and was loaded once, an index, is shared and not loaded again. What can't be
shared must be let go of before, connections above all.
"""

import contextlib
import gc
import io
import multiprocessing
import os
import pickle
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")

_IN_HAND = 2
"""Items that a process has: one that it works on, and one to go on with while its answer is looked at."""

_AHEAD = 8
"""Answers that wait for an earlier one, for each process."""

_LOOKS_UP_S = 1.0
"""How often a process without work looks whether its parent lives: a pipe that others hold too does not end with it."""


def n_cores() -> int:
    """Count the cores that this process may use; one where it can't be forked safely."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1


def in_order(
    work: Callable[[Item], Made],
    items: Sequence[Item],
    *,
    n_processes: int,
    lost: Callable[[Item], Made],
    shared: Sequence[object] = (),
    forked: Callable[[], None] = lambda: None,
    started: Callable[[], None] = lambda: None,
) -> Iterator[Made]:
    """Yield what ``work`` makes of each item, in the order of the items.

    Parameters
    ----------
    work
        Runs in the other processes; an error that it raises is raised here when its turn has come.
    n_processes : int
        At once, > 0.
    lost
        What is made of an item whose process was killed, by the system for its memory or by anybody else.
    shared
        What an answer may hold that was there before, and comes back as it is instead of as a copy.
    forked, started
        Called before each process is forked, and in it before it does anything.
    """
    workers = [_Worker(work, items, shared, forked, started) for _ in range(min(n_processes, len(items)))]
    try:
        yield from _ordered(workers, items, lost)
    finally:
        for worker in workers:
            worker.end()


def _ordered(
    workers: "list[_Worker[Item, Made]]", items: Sequence[Item], lost: Callable[[Item], Made]
) -> Iterator[Made]:
    made: dict[int, tuple[bool, Any]] = {}
    left = deque(range(len(items)))
    for turn in range(len(items)):
        while turn not in made:
            for worker in workers:
                while left and len(worker.given) < _IN_HAND and left[0] < turn + _AHEAD * len(workers):
                    worker.give(left.popleft())
            ready = wait([worker.answers for worker in workers if worker.given])
            for worker in [worker for worker in workers if worker.answers in ready]:
                number, answer = worker.take()
                if answer is None:
                    left.extendleft(reversed(worker.given))
                    worker.start_anew()
                    answer = (True, lost(items[number]))
                made[number] = answer
        is_made, answer_of_turn = made.pop(turn)
        if not is_made:
            raise answer_of_turn
        yield answer_of_turn


class _Worker(Generic[Item, Made]):
    """A process, and the numbers of the items that it was given, in their order."""

    def __init__(
        self,
        work: Callable[[Item], Made],
        items: Sequence[Item],
        shared: Sequence[object],
        forked: Callable[[], None],
        started: Callable[[], None],
    ) -> None:
        self._told = (work, items, shared, started)
        self._forked, self._shared = forked, shared
        self._start()

    def _start(self) -> None:
        self.given: deque[int] = deque()
        self._forked()
        context = multiprocessing.get_context("fork")
        self.answers, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, self.answers, os.getpid(), *self._told), daemon=True
        )
        self._process.start()
        theirs.close()

    def give(self, number: int) -> None:
        self.given.append(number)
        with contextlib.suppress(OSError):  # one that has ended is noticed when its answer is asked for
            self.answers.send(number)

    def take(self) -> tuple[int, tuple[bool, Any] | None]:
        """Return the number of the item that was longest in its hands, and its answer; None where it has ended."""
        try:
            packed = self.answers.recv_bytes()
        except (EOFError, OSError):
            return self.given.popleft(), None
        return self.given.popleft(), _Unpickler(packed, self._shared).load()

    def start_anew(self) -> None:
        self.end()
        self._start()

    def end(self) -> None:
        self.answers.close()
        self._process.kill()
        self._process.join()


def _serve(
    asked: Connection,
    parents_end: Connection,
    parent: int,
    work: Callable[[Any], Any],
    items: Sequence[Any],
    shared: Sequence[object],
    started: Callable[[], None],
) -> None:
    parents_end.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who is at the keyboard stops the parent, which ends us
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    started()
    gc.freeze()  # looking through what is shared would copy it
    while os.getppid() == parent:
        if not asked.poll(_LOOKS_UP_S):
            continue
        try:
            number = asked.recv()
        except EOFError:
            return
        answer: tuple[bool, Any]
        try:
            answer = (True, work(items[number]))
        except Exception as error:  # noqa: BLE001 - it is raised again in the parent
            answer = (False, error)
        asked.send_bytes(_packed(answer, shared))


def _packed(answer: tuple[bool, Any], shared: Sequence[object]) -> bytes:
    packed = io.BytesIO()
    try:
        _Pickler(packed, shared).dump(answer)
        return packed.getvalue()
    except Exception as error:  # noqa: BLE001 - whatever can't be sent is said in words
        words = repr(answer[1]) if not answer[0] else f"the answer can't be sent: {error!r}"
        return pickle.dumps((False, RuntimeError(words)))


class _Pickler(pickle.Pickler):
    def __init__(self, to: io.BytesIO, shared: Sequence[object]) -> None:
        super().__init__(to, protocol=pickle.HIGHEST_PROTOCOL)
        self._places = {id(one): place for place, one in enumerate(shared)}

    def persistent_id(self, one: object) -> int | None:
        return self._places.get(id(one))


class _Unpickler(pickle.Unpickler):
    def __init__(self, packed: bytes, shared: Sequence[object]) -> None:
        super().__init__(io.BytesIO(packed))
        self._shared = shared

    def persistent_load(self, place: int) -> object:
        return self._shared[place]
