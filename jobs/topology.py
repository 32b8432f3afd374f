"""The `personalize` job on one page: what flows from where to where.

events ──► user step ─┬─ refresh ──► rank_users ──► recommendations
catalogue, control ─┘ ├─ steps ────► co-visitation, popularity, sessions ──► Redis
                      └─ messages ─► dead letters, drift, control status
catalogue ───────────────────────────► items ──► Redis
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

from pyflink.common import Types
from pyflink.datastream import DataStream
from pyflink.table import DataTypes, StatementSet, StreamTableEnvironment
from pyflink.table.udf import udf

from jobs.tables import Tables
from operators.flink import CONFIGURATION, STEP_ROW, KeyByUser, StepFunctionSettings, UserStepFunction
from operators.forward_decay import ForwardDecay
from operators.statistics import DAY, StatisticsSettings
from udfs.functions import PublishCoVisits, PublishItems, PublishPopularity, PublishSteps, RankUsers
from udfs.worker_settings import WorkerSettings

MESSAGES = "insert into messages select topic, payload from requests_and_messages where topic is not null"
"""What the user step has to say to Kafka."""


@dataclass(frozen=True)
class Plan:
    """Everything that the job is made from."""

    tables: Tables
    step: StepFunctionSettings
    statistics: StatisticsSettings
    worker: WorkerSettings


def build(tables: StreamTableEnvironment, plan: Plan) -> StatementSet:
    """Lay out the job; nothing runs yet."""
    lay_tables(tables, plan)
    follow_users(tables, plan)
    statements = tables.create_statement_set()
    for sql in (
        "insert into recommendations select uid, log from"
        " (select uid, rank_users(request) as log from requests_and_messages where request is not null)"
        " where log is not null",
        MESSAGES,
        *statistics_statements(plan),
        f"insert into messages select '{plan.step.dead_letters_topic}', letter"
        " from (select publish_items(message, part, place, ts) as letter"
        f" from configuration where topic = '{plan.step.catalog_topic}' and message is not null)"
        " where letter is not null",
    ):
        statements.add_insert_sql(sql)
    return statements


def lay_tables(tables: StreamTableEnvironment, plan: Plan) -> None:
    """The plan's tables, and the functions that the SQL uses."""
    for ddl in plan.tables.all():
        tables.execute_sql(ddl)
    register_functions(tables, plan)


def statistics_statements(plan: Plan) -> tuple[str, ...]:
    """From the view `steps` to the item side in Redis."""
    return (
        "insert into co_visits select a, b, publish_co_visits(a, b, score)"
        f" from ({co_visits(plan.statistics)})",
        "insert into popularity select area, item, publish_popularity(area, item, score)"
        f" from ({popularity(plan.statistics)})",
        "insert into session_steps select publish_steps(session, item, ts) from steps",
    )


def follow_users(tables: StreamTableEnvironment, plan: Plan) -> None:
    """The user step, as the view `requests_and_messages`, and of it the view `steps`.

    Tombstones, which compacted topics are full of, say nothing to it. Its rows go on one to one but not
    chained: the step would stand still while the rank worker ends its bundle.
    """
    events = _records(tables, "select message, part, place, ts from events")
    configuration = _records(tables, "select message, topic from configuration")
    step = (
        events.key_by(KeyByUser(plan.step.preload), key_type=Types.STRING())
        .connect(configuration.broadcast(CONFIGURATION))
        .process(UserStepFunction(plan.step), output_type=STEP_ROW)
        .uid("user-step")
        .name("user step")
    )
    tables.create_temporary_view("requests_and_messages", tables.from_data_stream(step.rescale()))
    # A task of its own: lists would wait whenever the item side is written.
    tables.create_temporary_view("step_rows", tables.from_data_stream(step.rescale()))
    tables.execute_sql(
        "create temporary view steps as select item, earlier, scopes, weight, `session`, ts"
        " from step_rows where item is not null"
    )
    # Not before: on the sources it would swallow the watermarks that time exits.
    tables.get_config().set("table.exec.mini-batch.enabled", "true")


def _records(tables: StreamTableEnvironment, query: str) -> DataStream:
    return tables.to_data_stream(tables.sql_query(f"{query} where message is not null"))


def register_functions(tables: StreamTableEnvironment, plan: Plan) -> None:
    """The vectorised functions, by the names that the SQL uses."""
    worker, step = plan.worker, plan.step
    items = PublishItems(worker, step.ingest, step.preload, step.catalog_topic)
    for name, function, result in (
        ("rank_users", RankUsers(worker), DataTypes.BYTES()),
        ("publish_co_visits", PublishCoVisits(worker), DataTypes.INT()),
        ("publish_popularity", PublishPopularity(worker), DataTypes.INT()),
        ("publish_steps", PublishSteps(worker), DataTypes.INT()),
        ("publish_items", items, DataTypes.BYTES()),
    ):
        tables.create_temporary_system_function(
            name, udf(function, result_type=result, func_type="pandas", deterministic=False)
        )


def co_visits(settings: StatisticsSettings) -> str:
    """The co-visitation query for these settings."""
    decay = ForwardDecay(settings.covisit_half_life * DAY)
    return _sql("co_visits.sql").format(
        rate=f"{decay.rate:.17e}",
        epoch_ms=int(decay.span),
        position_decay=f"{settings.position_decay:e}",
        reverse_weight=f"{settings.reverse:e}",
    )


def popularity(settings: StatisticsSettings) -> str:
    """The popularity query for these settings."""
    decay = ForwardDecay(settings.popularity_half_life * DAY)
    return _sql("popularity.sql").format(rate=f"{decay.rate:.17e}", epoch_ms=int(decay.span))


def _sql(name: str) -> str:
    return files("operators").joinpath(name).read_text(encoding="utf-8")
