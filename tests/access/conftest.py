"""The house of these tests: built once for all of them, and undone at the end."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction

from tests.access.scene import House, a_house


@pytest.fixture(scope="module")
def house(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    with django_db_blocker.unblock(), transaction.atomic():
        yield a_house(tmp_path_factory.mktemp("house"))
        transaction.set_rollback(True)
