"""Writing many new rows at once, through PostgreSQL's COPY.

For rows that can't be there yet: COPY knows no ``ON CONFLICT``, so a row that is there already is an
`IntegrityError`. Their keys are drawn from the table's own sequence first, so that rows of other tables can
name them in the same breath.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import IntegrityError, connection, models
from django.db.models import JSONField
from psycopg import errors
from psycopg.types.json import Jsonb


def copy_models(rows: Sequence[models.Model]) -> None:
    """Write unsaved rows of one model; each gets its primary key."""
    if not rows:
        return
    model = type(rows[0])
    for row, key in zip(rows, new_keys(model, len(rows)), strict=True):
        row.pk = key
    fields = model._meta.concrete_fields
    names = [field.attname for field in fields]
    wrapped = [field.attname for field in fields if isinstance(field, JSONField)]
    copy_rows(model, names, (_values(row, names, wrapped) for row in rows))
    for row in rows:
        row._state.adding = False
        row._state.db = connection.alias


def copy_rows(model: type[models.Model], names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write rows given as values of ``names`` (such as ``organisation_id``).

    What is not named stays NULL: COPY asks no Django field for its default.
    """
    columns = {field.attname: str(field.column) for field in model._meta.concrete_fields}
    quoted = ", ".join(connection.ops.quote_name(columns[name]) for name in names)
    table = connection.ops.quote_name(model._meta.db_table)
    try:
        with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({quoted}) FROM STDIN") as copying:
            for row in rows:
                copying.write_row(row)
    except errors.IntegrityError as error:
        raise IntegrityError(*error.args) from error


def new_keys(model: type[models.Model], n: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, %s)) FROM generate_series(1, %s)",
            [model._meta.db_table, model._meta.pk.column, n],
        )
        return [key for (key,) in cursor.fetchall()]


def _values(row: models.Model, names: Sequence[str], wrapped: Sequence[str]) -> list[Any]:
    values = row.__dict__
    return [Jsonb(values[name]) if name in wrapped else values[name] for name in names]
