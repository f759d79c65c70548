"""What PostgreSQL plans queries by: statistics of tables, gathered anew once many rows came at once.

The server gathers them by itself, a minute or more later. Until then it takes a table of 100,000 new rows for an empty
one, and what is asked right after a large import took three times as long.
"""

from collections.abc import Iterable

from django.db import connection, models

MANY_ROWS = 5_000


def refresh_statistics(tables: Iterable[type[models.Model]], *, n_rows: int) -> None:
    """Gather the statistics of tables that grew by about ``n_rows``, unless that is few.

    A role that does not own the tables is told so by the server and nothing happens.
    """
    if n_rows < MANY_ROWS:
        return
    names = ", ".join(connection.ops.quote_name(table._meta.db_table) for table in tables)
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {names}")
