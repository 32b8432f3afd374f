"""One keyed step for all that learns and detects beside the user step; it changes no user's record."""

from __future__ import annotations

from collections.abc import Iterator

from pyflink.common import Row, Types
from pyflink.datastream import KeyedProcessFunction, KeySelector, RuntimeContext

from operators.flink_models import ModelStepFunction
from operators.flink_rows import EXAMPLES, REFERENCE
from operators.flink_watch import WatchFunction

BESIDE_ROW = Types.ROW_NAMED(
    ["model", "table_row", "figures", "topic", "id", "payload"],
    [
        Types.STRING(),
        Types.PRIMITIVE_ARRAY(Types.BYTE()),
        Types.PRIMITIVE_ARRAY(Types.BYTE()),
        Types.STRING(),
        Types.STRING(),
        Types.PRIMITIVE_ARRAY(Types.BYTE()),
    ],
)
"""What leaves the step: of a model its row of a table or its figures, of a detector a message for Kafka. A control
message under the name REFERENCE says which model is to serve."""


class KeyByFirst(KeySelector):
    """The key of a row (key, topic, payload): a model, a pool, or the stream."""

    def get_key(self, row: Row) -> str:
        return str(row[0])


class BesideFunction(KeyedProcessFunction):
    """Gives each row to the models or to the detectors, by its topic; what leads to Redis passes through."""

    def __init__(self, models: ModelStepFunction, watch: WatchFunction) -> None:
        self._models = models
        self._watch = watch

    def open(self, runtime_context: RuntimeContext) -> None:
        self._models.open(runtime_context)
        self._watch.open(runtime_context)

    def process_element(self, row: Row, ctx: KeyedProcessFunction.Context) -> Iterator[Row]:
        key, topic, payload = row[0], row[1], bytes(row[2])
        if topic == EXAMPLES:
            for update in self._models.learn(str(key), payload, ctx):
                yield Row(*update, None, None, None)
        elif topic == REFERENCE:
            yield Row(REFERENCE, None, payload, None, None, None)
        else:
            for message in self._watch.take(str(key), payload):
                yield Row(None, None, None, *message)

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Row]:
        for update in self._models.store_when_due(str(ctx.get_current_key())):
            yield Row(*update, None, None, None)
