"""A job that writes the same numbered rows to lakes; started by `test_lake.py` with port, count and folders."""

from __future__ import annotations

import sys

from infra import jars, java
from infra.ports import HOST
from jobs.engine import remote_environment
from jobs.lake_tables import lake_insert, lake_table
from schemas.lake import COLUMNS

ROWS_PER_SECOND = 500
CELLS = {
    "user": "'0123456789abcdef01234567'",
    "n": "cast(id as string)",
    "at": "cast(1700000000000 + id * 20000 as string)",
    "event_id": "concat('e', cast(id as string))",
    "type": "'view'",
    "time": "cast(1700000000000 + id * 20000 as string)",
    "items": "case when mod(id, 2) = 0 then concat('a', U&'\\001F', 'b') end",
    "attributes": "case when mod(id, 3) = 0 then concat('k', U&'\\001E', 'v') end",
}


def main(port: str, count: str, *folders: str) -> None:
    """Submit the job, and print its id."""
    java.use()
    options = {
        "execution.checkpointing.interval": "1 s",
        "execution.checkpointing.mode": "EXACTLY_ONCE",
        "table.local-time-zone": "UTC",
    }
    _, tables = remote_environment(options, 1, HOST, int(port), jars.classpath("lake"))
    tables.execute_sql(
        f"""create temporary table numbers (id bigint) with ('connector' = 'datagen',
        'rows-per-second' = '{ROWS_PER_SECOND}', 'fields.id.kind' = 'sequence', 'fields.id.start' = '1',
        'fields.id.end' = '{count}')"""
    )
    cells = ", ".join(CELLS.get(column.name, "cast(null as string)") for column in COLUMNS)
    tables.execute_sql(f"create temporary view accepted as select array[{cells}] as lake from numbers")
    statements = tables.create_statement_set()
    for number, folder in enumerate(folders):
        tables.execute_sql(lake_table(folder, f"lake_{number}"))
        statements.add_insert_sql(lake_insert("accepted", name=f"lake_{number}"))
    print(statements.execute().get_job_client().get_job_id())


if __name__ == "__main__":
    main(*sys.argv[1:])
