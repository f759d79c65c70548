"""The house of these tests: built once for all of them, and undone at the end."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction

from tests.access.scene import House, a_house


@pytest.fixture(scope="module")
def house(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    with pytest.MonkeyPatch.context() as patch, django_db_blocker.unblock(), transaction.atomic():
        patch.setattr(settings, "KEY_DIR", folder / "keys")  # whatever other tests sign beside this one
        yield a_house(folder)
        transaction.set_rollback(True)
