"""The step that trains the stream's models: keyed by model, on sampled examples, beside the user step.

A model lives in this process and is stored now and then, not with each example: what is stored is a megabyte.
The examples since then are kept beside it, 400 bytes each, and learned again after a crash: so it goes on as if
nothing had happened. It changes no user's state.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import msgspec
from pyflink.common import Types
from pyflink.datastream import KeyedProcessFunction, RuntimeContext
from pyflink.datastream.state import ListStateDescriptor, ValueStateDescriptor
from pyflink.metrics import Counter

from operators.model_example import ModelExample, decode_example
from operators.stream_models import MODELS, ModelsSettings, StreamModel

logger = logging.getLogger(__name__)

Update = tuple[str, bytes | None, bytes | None]
"""A model's name, and a row of its table as `encode_row` writes it or its figures as JSON; the other is None."""

_MILLIONTHS = 1e6
_encode_row = msgspec.msgpack.Encoder().encode
_figures = msgspec.json.Encoder().encode


class ModelStepFunction:
    """Wraps `StreamModel` for a step that is keyed by model: examples in, updates for Redis out."""

    def __init__(self, settings: ModelsSettings) -> None:
        self._settings = settings

    def open(self, runtime_context: RuntimeContext) -> None:
        """Called with the task's own `open`."""
        self._state = runtime_context.get_state(ValueStateDescriptor("model", Types.PICKLED_BYTE_ARRAY()))
        self._since = runtime_context.get_list_state(
            ListStateDescriptor("examples since", Types.PICKLED_BYTE_ARRAY())
        )
        self._models: dict[str, StreamModel] = {}
        self._unstored: dict[str, int] = {}
        metrics = runtime_context.get_metrics_group().add_group("headrace")
        self._counts = {name: _Counts(metrics.add_group("model", name)) for name in MODELS}

    def learn(self, name: str, example: bytes, ctx: KeyedProcessFunction.Context) -> Iterator[Update]:
        """Have a model, which is the current key, learn an example."""
        model = self._model(name)
        self._since.add(example)
        learned = model.learn(decode_example(example))
        counts = self._counts[name]
        counts.predictions.inc(learned.predictions)
        counts.correct_millionths.inc(round(learned.correct * _MILLIONTHS))
        counts.log_loss_millionths.inc(round(learned.log_loss * _MILLIONTHS))
        counts.brier_millionths.inc(round(learned.brier * _MILLIONTHS))
        counts.set_switches(model.switches)
        unstored = self._unstored[name] = self._unstored[name] + 1
        if unstored % self._settings.row_every == 0:
            table_row = model.next_row()
            if table_row is not None:
                yield name, _encode_row(table_row), None
        if unstored == 1:
            due = time.time_ns() // 1_000_000 + int(self._settings.store_seconds * 1_000)
            ctx.timer_service().register_processing_time_timer(due)
        elif unstored >= self._settings.store_every:
            yield self._store(name)

    def store_when_due(self, name: str) -> Iterator[Update]:
        """A timer of the model has fired; it may have been set before a crash."""
        self._model(name)
        if self._unstored[name]:
            yield self._store(name)

    def _model(self, name: str) -> StreamModel:
        model = self._models.get(name)
        if model is None:
            stored = self._state.value()
            if stored is None:
                model = StreamModel(name, self._settings)
            else:
                model = StreamModel.restore(name, self._settings, bytes(stored))
            since = self._learned_since(name)
            for example in since:
                model.learn(example)
            self._models[name] = model
            self._unstored[name] = len(since)
            self._counts[name].rebuilt.inc(model.rebuilt)
        return model

    def _learned_since(self, name: str) -> list[ModelExample]:
        """The examples that the stored model lacks; of another release's what cannot be read is lost to it."""
        try:
            return [decode_example(bytes(example)) for example in self._since.get() or ()]
        except msgspec.DecodeError as error:
            logger.warning("model %s goes on without its last examples: %s", name, error)
            self._since.clear()
            return []

    def _store(self, name: str) -> Update:
        model = self._models[name]
        self._state.update(model.snapshot())
        self._since.clear()
        self._counts[name].stored.inc()
        self._unstored[name] = 0
        return name, None, _figures(model.figures())


class _Counts:
    """A model's counters. Averages are differences of two readings: sums of losses over predictions.

    No gauges: in thread mode Flink's metrics thread would call into Python beside the task and end the process.
    """

    def __init__(self, group: object) -> None:
        counter: Counter = group.counter  # type: ignore[attr-defined]
        self.predictions = counter("predictions")
        self.correct_millionths = counter("correct_millionths")
        self.log_loss_millionths = counter("log_loss_millionths")
        self.brier_millionths = counter("brier_millionths")
        self.rebuilt = counter("rebuilt")
        self.stored = counter("stored")
        self._switches = counter("switches")
        self._seen = 0

    def set_switches(self, switches: int) -> None:
        """Let the counter follow the model's own count."""
        if switches > self._seen:
            self._switches.inc(switches - self._seen)
            self._seen = switches
