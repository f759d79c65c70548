import subprocess
import sys
from pathlib import Path

from lib import locks

HOLD = """
import sys, time
from pathlib import Path
from lib import locks
lock = locks.shared(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


class TestLock:
    def test_is_shared_by_many_and_exclusive_to_none_of_them(self, tmp_path: Path) -> None:
        path = tmp_path / "lock"
        with locks.shared(path), locks.shared(path):
            assert locks.try_exclusive(path) is None

        alone = locks.try_exclusive(path)
        assert alone is not None
        alone.release()

    def test_is_freed_by_the_kernel_when_its_owner_is_killed(self, tmp_path: Path) -> None:
        path = tmp_path / "lock"
        with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE) as owner:
            assert owner.stdout is not None
            assert owner.stdout.readline() == b"held\n"
            assert locks.try_exclusive(path) is None
            owner.kill()

        alone = locks.try_exclusive(path)
        assert alone is not None
        alone.release()

    def test_is_not_held_by_programs_started_meanwhile(self, tmp_path: Path) -> None:
        path = tmp_path / "lock"
        with locks.exclusive(path):
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        try:
            alone = locks.try_exclusive(path)
            assert alone is not None
            alone.release()
        finally:
            child.kill()
            child.wait()

    def test_knows_when_its_file_was_removed(self, tmp_path: Path) -> None:
        path = tmp_path / "lock"
        with locks.exclusive(path) as lock:
            assert lock.is_current()
            path.unlink()
            assert not lock.is_current()
            path.touch()
            assert not lock.is_current()
