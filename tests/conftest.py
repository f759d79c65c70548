"""Real servers for the tests: an embedded PostgreSQL and Valkey for the whole run, in a folder of its own."""

import gc
import os
import shutil
import threading
from collections.abc import Iterable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.db.backends.postgresql.operations import DatabaseOperations
from hypothesis import settings as hypothesis_settings
from pytest_django import DjangoDbBlocker
from pytest_django.plugin import blocking_manager_key

from config import embedded, servers
from tests.people import People, found_people

hypothesis_settings.register_profile("same every time", derandomize=True, deadline=None, print_blob=True)
hypothesis_settings.register_profile("searching", max_examples=2000, deadline=None, print_blob=True)
hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same every time"))

LONG = ("access", "journeys", "config", "pages", "generation", "benchmarks")

USE = pytest.StashKey[embedded.Use]()
MIGRATED = "migrated_once"
"""A database that nobody connects to: those of the tests begin as copies of it."""


def is_controller(config: pytest.Config) -> bool:
    return not hasattr(config, "workerinput")


def pytest_configure(config: pytest.Config) -> None:
    """Start what the settings ask for; the workers of xdist inherit DATA_DIR and find it running."""
    parts = servers.embedded_parts()
    if is_controller(config) and parts:
        Path(settings.DATA_DIR).mkdir(mode=0o700, exist_ok=True)
        config.stash[USE] = embedded.start(Path(settings.DATA_DIR), parts, durable=False)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Have the workers find a migrated database when they have collected."""
    if USE in session.config.stash and session.config.getoption("numprocesses", None):
        blocker = session.config.stash[blocking_manager_key]
        threading.Thread(target=migrate_once, args=[blocker], daemon=True).start()


def migrate_once(blocker: DjangoDbBlocker) -> None:
    """Migrate as a command does, unless that is done; whoever comes meanwhile waits."""
    folder = Path(settings.DATA_DIR)

    def prepare() -> None:
        stamp = folder / MIGRATED
        if not stamp.exists():
            servers._setup_and_migrate(folder, migrate=True)
            with connection._nodb_cursor() as cursor:
                cursor.execute(f'CREATE DATABASE "{MIGRATED}" TEMPLATE "{connection.settings_dict["NAME"]}"')
            stamp.touch()

    with blocker.unblock():
        embedded.start(folder, servers.embedded_parts(), prepare=prepare, durable=False).release()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, django_db_blocker: DjangoDbBlocker
) -> None:
    """Copy a migrated database for each worker: migrating takes seconds."""
    if "postgres" in servers.embedded_parts():
        migrate_once(django_db_blocker)
        connection.settings_dict["TEST"]["TEMPLATE"] = MIGRATED
    DatabaseOperations.sql_flush = by_deleting  # type: ignore[assignment, method-assign]


def by_deleting(self: DatabaseOperations, style: object, tables: Iterable[str], **how: object) -> list[str]:
    """Empty the tables after a test with real commits: truncating seventy takes thirty times as long.

    Triggers rest meanwhile, that of the ledger too, which refuses.
    """
    deleting = [f"DELETE FROM {self.quote_name(table)};" for table in tables]  # noqa: S608
    return ["SET LOCAL session_replication_role = replica;", *deleting]


def pytest_unconfigure(config: pytest.Config) -> None:
    if USE in config.stash:
        config.stash[USE].release(stop=True)
        shutil.rmtree(settings.DATA_DIR)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if os.environ.get("SKIP_BROWSER") == "1":
        skipped = [
            report for report in terminalreporter.getreports("skipped") if "browser" in report.keywords
        ]
        terminalreporter.write_line(f"SKIP_BROWSER=1: {len(skipped)} page tests were skipped.", yellow=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the folders whose modules take long, so that no worker is left with one at the end.

    The Makefile has xdist keep to this order; by itself it gives out modules with many tests first.
    """
    items.sort(key=lambda item: LONG.index(name) if (name := item.path.parent.name) in LONG else len(LONG))


def pytest_collection_finish() -> None:
    """Leave alone what was imported: searching it for garbage again and again took a fifth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)


@pytest.fixture(scope="module")
def shared_db(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """A folder, and a database in which a module builds its scene once: what a test changes is undone at its end.

    Each test is given a deep copy of what was built, as Django does with ``setUpTestData``.
    """
    folder = tmp_path_factory.mktemp("shared")
    outermost = transaction.atomic()
    outermost._from_testcase = True  # type: ignore[attr-defined]  # Django's word for: durable blocks may lie inside
    with pytest.MonkeyPatch.context() as patch, django_db_blocker.unblock(), outermost:
        for name in ("KEY_DIR", "INDEX_DIR", "CHECKPOINT_DIR"):
            patch.setattr(settings, name, folder / name.lower())
        yield folder
        transaction.set_rollback(True)


@pytest.fixture(scope="class")
def class_db(shared_db: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The same for the tests of one class; its neighbours find nothing of it."""
    with transaction.atomic():
        yield tmp_path_factory.mktemp("class")
        transaction.set_rollback(True)


@pytest.fixture(scope="module")
def founded_people(shared_db: Path) -> People:
    return found_people()


@pytest.fixture
def people(founded_people: People, db: None) -> People:
    return deepcopy(founded_people)
