import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lib import locks, processes

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
    "print(child.pid, flush=True); time.sleep(60)",
]


@pytest.fixture
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(SLEEP) as process:
        yield process
        process.kill()


class TestEnd:
    def test_leaves_a_process_alone_that_is_not_the_one_meant(
        self, sleeper: "subprocess.Popen[bytes]"
    ) -> None:
        processes.end(sleeper.pid, "somebody else", signal.SIGTERM, patience_s=5)

        assert sleeper.poll() is None

    def test_ends_the_one_that_is(self, sleeper: "subprocess.Popen[bytes]") -> None:
        limit = time.monotonic() + 30
        while "time.sleep(60)" not in processes.command_line(sleeper.pid) and time.monotonic() < limit:
            time.sleep(0.01)  # until the program has taken the place of what started it

        processes.end(sleeper.pid, "time.sleep(60)", signal.SIGTERM, patience_s=5)

        assert sleeper.wait(5) == -signal.SIGTERM


class TestWaitUntilGone:
    def test_waits_until_its_locks_are_free(self, tmp_path: Path) -> None:
        holder = (
            "import sys; from lib import locks; from pathlib import Path;"
            "held = locks.exclusive(Path(sys.argv[1])); hog = bytearray(2**28);"
            "print(flush=True); sys.stdin.read()"
        )
        for n in range(10):  # a big process takes a moment to end
            lock = tmp_path / f"{n}.lock"
            with subprocess.Popen(
                [sys.executable, "-c", holder, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            ) as process:
                assert process.stdout is not None
                process.stdout.readline()
                process.kill()
                assert processes.wait_until_gone(process.pid, str(lock), 20)
                free = locks.try_exclusive(lock)
            assert free is not None
            free.release()


class TestCommandLine:
    def test_is_empty_for_a_zombie(self) -> None:
        with subprocess.Popen([sys.executable, "-c", ""]) as process:
            assert processes.wait_until_gone(process.pid, "python", 10)

    def test_is_empty_for_a_number_that_nobody_has(self) -> None:
        assert processes.command_line(2**31 - 1) == ""


class TestCrew:
    def test_ends_stubborn_programs_and_their_children(self, tmp_path: Path) -> None:
        log = tmp_path / "log"
        with processes.Crew(patience_s=0.2) as crew:
            program = crew.start(STUBBORN, log=log)
            child = wait_for_number(log)

        assert program.returncode == -signal.SIGKILL
        assert processes.wait_until_gone(child, "time.sleep", 5)

    def test_lets_programs_end_by_themselves(self, tmp_path: Path) -> None:
        with processes.Crew() as crew:
            program = crew.start(SLEEP, log=tmp_path / "log")

        assert program.returncode == -signal.SIGTERM


def wait_for_number(log: Path) -> int:
    limit = time.monotonic() + 20
    while not log.read_text().endswith("\n"):
        assert time.monotonic() < limit
        time.sleep(0.02)
    return int(log.read_text())
