"""The job on a file: the same user step and statistics; each user is ranked once, at the end.

Two jobs, one after the other: lists are made from the item side in Redis, which is complete only when the
first job has ended.
"""

from __future__ import annotations

from pyflink.table import StatementSet, StreamTableEnvironment

from jobs.topology import MESSAGES, Plan, follow_users, lay_tables, statistics_statements


def build_following(tables: StreamTableEnvironment, plan: Plan) -> StatementSet:
    """Events to user records, spooled as refresh requests at the end, and to item statistics in Redis."""
    lay_tables(tables, plan)
    follow_users(tables, plan)
    statements = tables.create_statement_set()
    statements.add_insert_sql(
        "insert into requests select uid, request from requests_and_messages where request is not null"
    )
    for sql in (MESSAGES, *statistics_statements(plan)):
        statements.add_insert_sql(sql)
    return statements


def build_ranking(tables: StreamTableEnvironment, plan: Plan) -> StatementSet:
    """Spooled refresh requests to lists in Redis, and to the spooled recommendation log."""
    lay_tables(tables, plan)
    statements = tables.create_statement_set()
    statements.add_insert_sql(
        "insert into recommendations select uid, log from"
        " (select uid, rank_users(request) as log from requests) where log is not null"
    )
    return statements
