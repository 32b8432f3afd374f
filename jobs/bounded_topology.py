"""The job on a file: the same user step and statistics; each user is ranked once, at the end.

Two jobs, one after the other: lists are made from the item side in Redis, which is complete only when the
first job has ended.
"""

from __future__ import annotations

from pyflink.table import StreamTableEnvironment

from jobs.topology import (
    MESSAGES,
    Plan,
    attach,
    attach_item_side,
    follow_users,
    lay_tables,
    statistics_statements,
)
from jobs.turned_away import stamped


def build_following(tables: StreamTableEnvironment, plan: Plan) -> None:
    """Events to user records, spooled as refresh requests at the end, and to item statistics in Redis."""
    lay_tables(tables, plan)
    # Every event of a file was encoded a moment ago: there is nothing to be turned away.
    query = "select message, part, place, ts as rowtime from events where message is not null"
    follow_users(tables, plan, stamped(tables, query))
    attach(
        tables,
        "insert into requests select uid, request from requests_and_messages where request is not null",
        MESSAGES,
    )
    attach_item_side(tables, *statistics_statements(plan))


def build_ranking(tables: StreamTableEnvironment, plan: Plan) -> None:
    """Spooled refresh requests to lists in Redis, and to the spooled recommendation log."""
    lay_tables(tables, plan)
    attach(
        tables,
        "insert into recommendations select uid, log from"
        " (select uid, rank_users(request) as log from requests) where log is not null",
    )
