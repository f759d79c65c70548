"""The house of these tests: built once for all of them, and undone at the end."""

from pathlib import Path

import pytest

from tests.access.scene import House, a_house


@pytest.fixture(scope="module")
def house(shared_db: Path) -> House:
    return a_house(shared_db)
