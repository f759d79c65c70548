"""What a command does about servers before it does its work, and which commands need none."""

import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

import django
from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django.db.migrations.executor import MigrationExecutor

from config import embedded
from config.command_lines import needed_by as needed_by

BAD_SETTINGS, SERVER_DOWN, INTERRUPTED = 2, 3, 130
MIGRATED = "migrated"
MIGRATE_THEMSELVES = {"dbshell", "flush", "migrate", "showmigrations", "sqlmigrate", "squashmigrations"}
NEED_BROKER = {"demo", "runserver", "serve_models"}
LEAVE_NOTHING_RUNNING = {"demo"}


class MissingServerError(Exception):
    """A real server that the settings name does not answer, or its database is not ready for this version."""


def start_for_command(command: str) -> embedded.Use | None:
    return start(migrate=command not in MIGRATE_THEMSELVES, broker=command in NEED_BROKER)


def start(*, migrate: bool = True, broker: bool = True) -> embedded.Use | None:
    """Have every server that the settings ask for, with its database migrated.

    Embedded servers are started and held until this process ends. Real servers are only asked whether they
    are there: migrating a database that others use is a person's decision.
    """
    load_settings()
    parts = embedded_parts()
    if broker and "valkey" not in parts:
        _require_broker()
    data_dir = Path(settings.DATA_DIR)
    use: embedded.Use | None = None
    if "postgres" in parts:
        use = embedded.start(data_dir, parts, prepare=lambda: _setup_and_migrate(data_dir, migrate=migrate))
    else:
        if parts:
            use = embedded.start(data_dir, parts)
        django.setup()
        _require_database(migrated=migrate)
    import config.celery  # noqa: F401  (so that shared tasks find their broker; too slow for `help`)

    return use


def load_settings() -> None:
    """Read the settings, which also make the installation's secret where there is none."""
    try:
        settings.INSTALLED_APPS  # noqa: B018  (the first look at any of them reads them all)
    except OSError as error:
        raise ImproperlyConfigured(f"DATA_DIR can't be used: {error}") from error


def start_for_web() -> None:
    """Start for an application server, which takes its exit code from SystemExit."""
    code = run(start)
    if code:
        sys.exit(code)


def embedded_parts() -> list[embedded.Part]:
    """Which servers the settings leave to us."""
    parts: list[embedded.Part] = []
    if settings.DATABASES["default"]["HOST"] == embedded.postgres_settings(settings.DATA_DIR)["HOST"]:
        parts.append("postgres")
    if embedded.broker_url(settings.DATA_DIR) == settings.CELERY_BROKER_URL:
        parts.append("valkey")
    return parts


def run(work: Callable[[], object]) -> int:
    """Run ``work`` and turn what stops the product as a whole into one sentence and an exit code."""
    try:
        work()
    except ImproperlyConfigured as error:
        return _say(error, BAD_SETTINGS)
    except (embedded.EmbeddedServerError, MissingServerError) as error:
        return _say(error, SERVER_DOWN)
    except (OperationalError, InterfaceError) as error:
        if not _is_lost_connection(error):
            raise
        return _say(f"The database does not answer: {_first_line(error)}", SERVER_DOWN)
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _setup_and_migrate(data_dir: Path, *, migrate: bool) -> None:
    django.setup()
    stamp = data_dir / "embedded" / MIGRATED
    if not migrate:
        stamp.unlink(missing_ok=True)  # whoever migrates by hand may leave any state behind
        return
    known = _known_migrations()
    if stamp.exists() and stamp.read_text() == known:
        return
    _tell_who_waits("Preparing the database …")
    call_command("migrate", interactive=False, verbosity=0)
    connection.close()
    stamp.write_text(known)


def _known_migrations() -> str:
    """A hash of the names of all migrations: to list them is quicker than to ask the database."""
    names = sorted(
        f"{app.label}.{path.name}"
        for app in apps.get_app_configs()
        for path in Path(app.path).glob("migrations/*.py")
    )
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def _require_database(*, migrated: bool) -> None:
    try:
        connection.ensure_connection()
        executor = MigrationExecutor(connection)
    except DatabaseError as error:
        raise MissingServerError(f"DATABASE_URL leads to no usable database: {_first_line(error)}") from error
    if migrated and executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise MissingServerError("The database is not ready for this version: run `manage.py migrate` first.")


def _require_broker() -> None:
    from config.celery import app

    try:
        with app.connection_for_write() as broker:
            broker.ensure_connection(max_retries=1, timeout=5)
    except Exception as error:  # each transport has errors of its own
        raise MissingServerError(
            f"BROKER_URL leads to no broker that answers: {_first_line(error)}"
        ) from error


def _is_lost_connection(error: Exception) -> bool:
    state = getattr(error.__cause__, "sqlstate", None)
    return state is None or state.startswith(("08", "57P"))


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _tell_who_waits(sentence: str) -> None:
    """Say what takes so long to a person at a terminal; a program that reads the messages gets what went wrong."""
    if sys.stderr.isatty() and "--json" not in sys.argv:
        print(sentence, file=sys.stderr)


def _say(sentence: object, code: int) -> int:
    print(sentence, file=sys.stderr)
    # Django's reloader takes a 3 from its child for "start me again".
    return 1 if os.environ.get("RUN_MAIN") == "true" else code
