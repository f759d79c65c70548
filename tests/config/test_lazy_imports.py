"""The web process must start without what only workers need: it would cost seconds and a gigabyte a process."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "faiss", "weasyprint", "scipy")
SCRIPT = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings_test"
import django
django.setup()
import config.urls
print([name for name in {heavy!r} if name in sys.modules])
"""


class TestImportingTheAddresses:
    @pytest.fixture(scope="class")
    @staticmethod
    def loaded() -> str:
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT.format(heavy=HEAVY)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @pytest.mark.parametrize("name", HEAVY)
    def test_loads_no(self, loaded: str, name: str) -> None:
        assert repr(name) not in loaded
