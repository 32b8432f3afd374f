"""The job on a file: the same user step and statistics; each user is ranked once, at the end.

Two jobs, one after the other: lists are made from the item side in Redis, which is complete only when the
first job has ended.
"""

from __future__ import annotations

from pyflink.table import StatementSet, StreamTableEnvironment

from jobs.tables import FileTables
from jobs.topology import Plan, follow_users, register_functions, statistics_statements


def build_following(tables: StreamTableEnvironment, plan: Plan, files: FileTables) -> StatementSet:
    """Events to user records, spooled as refresh requests at the end, and to item statistics in Redis."""
    for ddl in files.all():
        tables.execute_sql(ddl)
    register_functions(tables, plan)
    follow_users(tables, plan)
    tables.get_config().set("table.exec.mini-batch.enabled", "true")
    statements = tables.create_statement_set()
    statements.add_insert_sql(
        "insert into requests select uid, request from requests_and_messages where request is not null"
    )
    statements.add_insert_sql(
        "insert into messages select topic, payload from requests_and_messages where topic is not null"
    )
    for sql in statistics_statements(plan):
        statements.add_insert_sql(sql)
    return statements


def build_ranking(tables: StreamTableEnvironment, plan: Plan, files: FileTables) -> StatementSet:
    """Spooled refresh requests to lists in Redis, and to the spooled recommendation log."""
    for ddl in files.all():
        tables.execute_sql(ddl)
    register_functions(tables, plan)
    statements = tables.create_statement_set()
    statements.add_insert_sql(
        "insert into recommendations select uid, log from"
        " (select uid, rank_users(request) as log from requests) where log is not null"
    )
    return statements
