"""The `personalize` job on one page: what flows from where to where.

events ──► user step ─┬─ refresh ──► rank_users ──► recommendations
catalogue, control ─┘ ├─ steps ────► co-visitation, popularity, sessions ──► Redis
                      ├─ messages ─► drift, segment changes, control status
                      └─ refused ──► dead letters
catalogue ───────────────────────────► items ──► Redis
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

from pyflink.datastream import DataStream
from pyflink.table import DataTypes, StreamTableEnvironment
from pyflink.table.udf import udf

from jobs.batches import LARGE
from jobs.beside_topology import ALERTS, UPDATES, learn_beside
from jobs.lake_tables import lake_insert, lake_table
from jobs.tables import Tables
from jobs.turned_away import LETTERS, TOLD, readable_events
from operators.flink import CONFIGURATION, UserStepFunction
from operators.flink_beside import BesideFunction
from operators.flink_key import keyed_by_user
from operators.flink_models import ModelStepFunction
from operators.flink_refusals import refused_by
from operators.flink_rows import PURCHASES, STEP_ROW, STREAM, UNTOLD, WATCH
from operators.flink_settings import StepFunctionSettings
from operators.flink_watch import WatchFunction
from operators.forward_decay import ForwardDecay
from operators.retrain_policy import RetrainSettings
from operators.statistics import DAY, StatisticsSettings
from udfs.functions import (
    PublishCoVisits,
    PublishItems,
    PublishPopularity,
    PublishPurchases,
    PublishSegments,
    PublishSteps,
    RankUsers,
)
from udfs.worker_settings import WorkerSettings

MESSAGES = """insert into messages (topic, payload) select topic, payload from requests_and_messages
    where topic is not null and topic not like '#%'
    union all select topic, payload from refused where topic not like '#%'"""
"""What the user step has to say to Kafka, and the dead letters of what was refused on the way."""

REFUSED_TOLD = f"select '{STREAM}', topic, payload from refused where topic = '{WATCH}'"
"""What the detectors of the stream hear of what was refused, as (key, topic, payload)."""

SEGMENT_COUNTS = f"""insert into segment_counts select publish_segments(segment, members) from (
    select scopes[1] as segment, cast(sum(weight) as bigint) as members from step_rows
    where topic = '{UNTOLD}' or topic = '{{segment_changes}}' group by scopes[1])"""
"""How many users are in each segment: entered less left."""

ITEM_SIDE = {
    "table.exec.mini-batch.enabled": "true",
    "table.exec.mini-batch.allow-latency": "1 s",
    "table.exec.mini-batch.size": "20000",
    **LARGE,
}
"""How the item side is gathered: its figures may be a second old, lists may not."""


@dataclass(frozen=True)
class Plan:
    """Everything that the job is made from."""

    tables: Tables
    step: StepFunctionSettings
    statistics: StatisticsSettings
    worker: WorkerSettings
    retrain: RetrainSettings
    control_topic: str


def build(tables: StreamTableEnvironment, plan: Plan) -> None:
    """Lay out the job on the environment of `tables`; nothing runs yet."""
    lay_tables(tables, plan)
    step = plan.step
    events = readable_events(tables, step.events_topic, framed=step.preload.registry is not None)
    follow_users(tables, plan, events)
    learn_beside(tables, _beside(plan), plan.worker, REFUSED_TOLD, TOLD)
    attach(
        tables,
        "insert into recommendations select uid, log from"
        " (select uid, rank_users(request) as log from requests_and_messages where request is not null)"
        " where log is not null",
        f"{MESSAGES} union all {LETTERS.format(dead_letters=step.dead_letters_topic)}",
        ALERTS,
        *lake_statements(tables, plan),
    )
    attach_item_side(
        tables,
        *statistics_statements(plan),
        UPDATES.format(control_status=plan.step.control_status_topic),
        f"insert into messages (topic, payload) select '{plan.step.dead_letters_topic}', letter"
        " from (select publish_items(message, part, place, ts) as letter"
        f" from configuration where topic = '{plan.step.catalog_topic}' and message is not null)"
        " where letter is not null",
    )


def attach(tables: StreamTableEnvironment, *statements: str) -> None:
    """Add statements, which share what they have in common, to the job."""
    together = tables.create_statement_set()
    for sql in statements:
        together.add_insert_sql(sql)
    together.attach_as_datastream()


def attach_item_side(tables: StreamTableEnvironment, *statements: str) -> None:
    """The same for what is written of items: gathered natively, and handed to Python in few large batches.

    Every batch costs some milliseconds on both sides, whatever is in it.
    """
    config = tables.get_config()
    # Not on the sources of the user step: it would swallow the watermarks that time exits.
    for key, value in ITEM_SIDE.items():
        config.set(key, value)
    attach(tables, *statements)


def lay_tables(tables: StreamTableEnvironment, plan: Plan) -> None:
    """The plan's tables, and the functions that the SQL uses."""
    for ddl in plan.tables.all():
        tables.execute_sql(ddl)
    register_functions(tables, plan)


def _beside(plan: Plan) -> BesideFunction:
    step = plan.step
    return BesideFunction(
        ModelStepFunction(step.models),
        WatchFunction(
            step.stream_drift, step.following.step.pooled, plan.retrain, step.drift_topic, plan.control_topic
        ),
    )


def lake_statements(tables: StreamTableEnvironment, plan: Plan) -> tuple[str, ...]:
    """From the user step to the data lake, where there is one."""
    folder = plan.step.lake.folder
    if folder is None:
        return ()
    tables.execute_sql(lake_table(folder))
    return (lake_insert("lake_rows"),)


def statistics_statements(plan: Plan) -> tuple[str, ...]:
    """From the view `steps` to the item side in Redis, and the counts of segments."""
    return (
        SEGMENT_COUNTS.format(segment_changes=plan.step.segment_changes_topic),
        "insert into co_visits select a, b, publish_co_visits(a, b, score)"
        f" from ({co_visits(plan.statistics)})",
        "insert into popularity select area, item, publish_popularity(area, item, score)"
        f" from ({popularity(plan.statistics)})",
        "insert into purchases_told select publish_purchases(kind, a, b, score)"
        f" from ({purchase_sums(plan.statistics)})",
        "insert into session_steps select publish_steps(session, item, ts) from steps",
    )


def follow_users(tables: StreamTableEnvironment, plan: Plan, events: DataStream) -> None:
    """The user step, as the view `requests_and_messages`, and of it the view `steps`; what was refused, as `refused`.

    Tombstones, which compacted topics are full of, say nothing to it. Its rows go on one to one but not
    chained: the step would stand still while the rank worker ends its bundle.
    """
    configuration = tables.to_data_stream(
        tables.sql_query("select message, topic from configuration where message is not null")
    )
    by_user, keyed = keyed_by_user(events, plan.step)
    step = (
        by_user.connect(configuration.broadcast(CONFIGURATION))
        .process(UserStepFunction(plan.step), output_type=STEP_ROW)
        .uid("user-step")
        .name("user step")
    )
    tables.create_temporary_view("requests_and_messages", tables.from_data_stream(step.rescale()))
    # A task of its own: lists would wait whenever the item side is written.
    tables.create_temporary_view("step_rows", tables.from_data_stream(step.rescale()))
    if plan.step.lake.folder is not None:
        tables.create_temporary_view("lake_rows", tables.from_data_stream(step.rescale()))
    tables.create_temporary_view("refused", tables.from_data_stream(refused_by(keyed, step)))
    tables.execute_sql(
        "create temporary view steps as select item, earlier, apart, scopes, weight, `session`, ts"
        " from step_rows where item is not null"
    )
    tables.execute_sql(f"create temporary view purchases as {PURCHASES}")


def register_functions(tables: StreamTableEnvironment, plan: Plan) -> None:
    """The vectorised functions, by the names that the SQL uses."""
    worker, step = plan.worker, plan.step
    items = PublishItems(worker, step.ingest, step.preload, step.catalog_topic)
    for name, function, result in (
        ("rank_users", RankUsers(worker), DataTypes.BYTES()),
        ("publish_co_visits", PublishCoVisits(worker), DataTypes.INT()),
        ("publish_popularity", PublishPopularity(worker), DataTypes.INT()),
        ("publish_purchases", PublishPurchases(worker), DataTypes.INT()),
        ("publish_steps", PublishSteps(worker), DataTypes.INT()),
        ("publish_segments", PublishSegments(worker), DataTypes.INT()),
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
        pause=f"{settings.pause_ms:e}",
    )


def popularity(settings: StatisticsSettings) -> str:
    """The popularity query for these settings."""
    decay = ForwardDecay(settings.popularity_half_life * DAY)
    return _sql("popularity.sql").format(rate=f"{decay.rate:.17e}", epoch_ms=int(decay.span))


def purchase_sums(settings: StatisticsSettings) -> str:
    """The query of what purchases say, for these settings."""
    decay = ForwardDecay(settings.purchase_half_life * DAY)
    return _sql("purchase_sums.sql").format(rate=f"{decay.rate:.17e}", epoch_ms=int(decay.span))


def _sql(name: str) -> str:
    return files("operators").joinpath(name).read_text(encoding="utf-8")
