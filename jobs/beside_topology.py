"""What learns and detects beside the user step: models of the stream, detectors of pools and of the stream.

One task for all of it, since every task that reads the rows of the user step is sent all of them.
"""

from __future__ import annotations

from pyflink.common import Types
from pyflink.table import DataTypes, StreamTableEnvironment
from pyflink.table.udf import udf

from operators.flink_beside import BESIDE_ROW, BesideFunction, KeyByFirst
from operators.flink_rows import EXAMPLES, REFERENCE, WATCH
from udfs.publish_models import PublishModels
from udfs.worker_settings import WorkerSettings

ALERTS = (
    "insert into messages (topic, id, payload) select topic, id, payload from beside where topic is not null"
)
"""Drift alerts, and requests for a training, which have a key."""

# With the columns of dead letters Flink would make one sink of both: `id` keeps the uid of theirs.
UPDATES = """insert into messages (topic, id, payload) select '{control_status}', cast(null as string), refusal from (
    select publish_models(`model`, table_row, figures) as refusal from beside where `model` is not null)
    where refusal is not null"""
"""Tables and figures of the models, and which ranking model is to serve, to Redis; what workers refuse, to Kafka."""


def learn_beside(
    tables: StreamTableEnvironment, function: BesideFunction, worker: WorkerSettings, *told: str
) -> None:
    """Lay out the step, from the view `step_rows` to the view `beside`. One subtask: detectors see all there is.

    `told` are queries of what they are to hear besides, as rows (key, topic, payload).
    """
    heard = (
        f"select uid, topic, payload from step_rows where topic in ('{EXAMPLES}', '{WATCH}', '{REFERENCE}')"
    )
    rows = tables.to_data_stream(tables.sql_query(" union all ".join((heard, *told))))
    step = (
        rows.key_by(KeyByFirst(), key_type=Types.STRING())
        .process(function, output_type=BESIDE_ROW)
        .set_parallelism(1)
        .uid("models-and-detectors")
        .name("models and detectors")
    )
    tables.create_temporary_view("beside", tables.from_data_stream(step))
    tables.create_temporary_system_function(
        "publish_models",
        udf(PublishModels(worker), result_type=DataTypes.BYTES(), func_type="pandas", deterministic=False),
    )
