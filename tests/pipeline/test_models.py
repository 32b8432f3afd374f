"""The stream's models in a real job in thread mode: trained, stored by timers, brought to a real Redis."""

from __future__ import annotations

import base64
import csv
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from infra.redis import RedisServer
from jobs.spool import spooled_parts
from operators.bundle_reference import BundleReference
from operators.model_records import CategoryAffinities
from operators.shelf_records import decode_records
from operators.stream_models import BUYS, ENGAGES, ModelsSettings
from schemas.codec import CONTROLS
from schemas.records import Control
from schemas.redis_keys import RedisKeys
from schemas.worker_models import ShadowReading, SlotReading, WorkerModels
from udfs.figures import Figures
from udfs.item_side import FIELD
from udfs.model_rows import decode_row, table_key
from udfs.model_side import figures_key
from udfs.reference_side import stored_references
from udfs.rule_side import stored_rules

EXAMPLES = 600
CALM = {"effect": "bury", "items": {"tags": ["loud"]}}
NAMES = RedisKeys()


def train(redis_url: str, spool: Path) -> None:
    """Run the models' part of the job over generated examples, in this process. What is for Kafka comes to `spool`."""
    from pyflink.common import Row, Types

    from infra import jars, java
    from jobs.bench_models import generated
    from jobs.beside_topology import UPDATES, learn_beside
    from jobs.engine import environment, job_options, minicluster_options
    from operators.flink_beside import BesideFunction
    from operators.flink_models import ModelStepFunction
    from operators.flink_rows import EXAMPLES as TOPIC
    from operators.flink_rows import REFERENCE
    from operators.flink_watch import WatchFunction
    from operators.model_example import encode_example
    from operators.pooled_drift import PooledDriftSettings
    from operators.retrain_policy import RetrainSettings
    from operators.stream_drift import StreamDriftSettings
    from operators.stream_models import MODELS
    from udfs.worker_settings import WorkerSettings

    java.use()
    options = job_options(1.0, 90, None) | minicluster_options(jars.classpath("connector"), 0, slots=1)
    streams, tables = environment(options, parallelism=1)
    examples = [encode_example(example) for example in generated(EXAMPLES)]
    rows = [Row(model, TOPIC, example) for example in examples for model in MODELS]
    rows += [Row("u", "headrace.drift", b"not for the models"), Row("u", None, None)]
    offer = Control(kind="model", name="shop", version=7, body='{"folder":"/models/shop/2","sha256":"ab"}')
    rows.append(Row(REFERENCE, REFERENCE, CONTROLS.encode(offer)))
    rule = Control(kind="rule", name="calm", version=3, body=json.dumps(CALM))
    rows.append(Row(REFERENCE, REFERENCE, CONTROLS.encode(rule)))
    row_type = Types.ROW_NAMED(
        ["uid", "topic", "payload"], [Types.STRING(), Types.STRING(), Types.PRIMITIVE_ARRAY(Types.BYTE())]
    )
    stream = streams.from_collection(rows, type_info=row_type)
    tables.create_temporary_view("step_rows", tables.from_data_stream(stream))
    settings = ModelsSettings(members=("linear", "tree"), store_every=200)
    watch = WatchFunction(
        StreamDriftSettings(), PooledDriftSettings(), RetrainSettings(), "headrace.drift", "headrace.control"
    )
    learn_beside(tables, BesideFunction(ModelStepFunction(settings), watch), WorkerSettings(redis_url))
    tables.execute_sql(
        f"""create temporary table messages (topic string, id string, payload bytes) with (
        'connector' = 'filesystem', 'path' = '{spool.as_uri()}', 'format' = 'csv')"""
    )
    statements = tables.create_statement_set()
    statements.add_insert_sql(UPDATES.format(control_status="headrace.control-status"))
    statements.execute().wait()


@pytest.fixture(scope="module")
def spool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the run leaves its messages for Kafka."""
    return tmp_path_factory.mktemp("messages")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, spool: Path) -> Iterator[redis.Redis]:
    """Redis after the run. Two workers had refused a model before."""
    with (
        RedisServer(run=tmp_path_factory.mktemp("redis")) as server,
        redis.Redis.from_url(server.url) as client,
    ):
        for worker in ("rank-a", "rank-b"):
            refused = SlotReading(version=6, refused="golden row 7")
            soon = time.time_ns() // 1_000_000 + 3_600_000  # lives as long as the run takes
            Figures(client, NAMES, worker).tell_models(
                WorkerModels(at=soon, serve=refused, shadow=ShadowReading())
            )
        ran = subprocess.run(
            [sys.executable, __file__, server.url, str(spool)],
            capture_output=True, text=True, timeout=280, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr[-3_000:]
        yield client


def test_each_models_figures_are_in_redis(trained: redis.Redis) -> None:
    for name, predictions in ((ENGAGES, 2 * EXAMPLES - 2), (BUYS, EXAMPLES)):
        figures = json.loads(trained.get(figures_key(NAMES, name)))
        assert figures["model"] == name
        assert figures["examples"] == pytest.approx(predictions, abs=2)
        assert figures["together"]["log loss"]["fading"] < 0.7
        assert set(figures["members"]) == {"linear", "tree"}
        assert 1_000 < figures["stored_bytes"] < 4_000_000


def test_each_models_table_is_in_redis(trained: redis.Redis) -> None:
    for name in (ENGAGES, BUYS):
        rows = {last: decode_row(value) for last, value in trained.hgetall(table_key(NAMES, name)).items()}
        assert len(rows) > 10
        for last, row in rows.items():
            assert (row.model, row.last) == (name, last.decode())
            assert len(row.categories) == len(row.log_odds) > 10


def test_which_model_is_to_serve_and_context_rules_come_to_redis_beside_them(trained: redis.Redis) -> None:
    [record] = stored_references(trained, NAMES)
    assert (record.slot, record.version) == ("serve", 7)
    assert record.bundle == BundleReference(folder="/models/shop/2", sha256="ab")
    [rule] = stored_rules(trained, NAMES)
    assert (rule.name, rule.version, rule.rule) == ("calm", 3, CALM)
    announced = [told for _, fields in trained.xrange(NAMES.shelf) for told in decode_records(fields[FIELD])]
    assert [told for told in announced if not isinstance(told, CategoryAffinities)] == [record, rule]


def test_what_workers_refused_is_a_control_status_and_every_other_row_is_none(
    trained: redis.Redis, spool: Path
) -> None:
    rows = [row for part in spooled_parts(spool) for row in csv.reader(part.read_text("utf-8").splitlines())]
    [(topic, key, status)] = rows
    assert (topic, key) == ("headrace.control-status", "")
    assert json.loads(base64.b64decode(status)) == {
        "v": 1, "kind": "model", "name": "serve", "version": 6, "applied": False, "reason": "golden row 7",
        "host": "rank-a",
    }  # fmt: skip


def test_every_shelf_hears_of_the_tables(trained: redis.Redis) -> None:
    told = [each for _, fields in trained.xrange(NAMES.shelf) for each in decode_records(fields[FIELD])]
    rows = {(row.model, row.last): row for row in told if isinstance(row, CategoryAffinities)}
    assert {model for model, _ in rows} == {ENGAGES, BUYS}
    for (model, last), row in rows.items():
        held = trained.hget(table_key(NAMES, model), last)
        assert decode_row(held) == row
        # The most popular categories alone have a place in a row: their parts of the stream do not add up to all of it.
        assert len(row.categories) == len(row.shares) <= ModelsSettings().table
        assert 0.5 < sum(row.shares) < 1.0 + 1e-4


if __name__ == "__main__":
    sys.path.pop(0)
    train(sys.argv[1], Path(sys.argv[2]))
