"""Bringing what the stream's models tell to Redis, which ranking model is to serve, context rules and experiments.

And back from there: what rank workers refuse.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import msgspec
import pandas as pd
from pyflink.table.udf import FunctionContext, ScalarFunction
from redis import Redis
from redis.exceptions import RedisError

from operators.context_rule import RULE
from operators.context_rules import record_of_rule
from operators.experiment import EXPERIMENT
from operators.experiments import record_of_experiment
from operators.flink_rows import REFERENCE
from operators.model_reference import record_of
from operators.worker_refusals import WorkerRefusals
from schemas.codec import CONTROLS
from schemas.records import Control
from schemas.redis_keys import RedisKeys
from udfs.experiment_side import write_experiment
from udfs.model_rows import decode_row
from udfs.model_side import write_models
from udfs.models_told import models_told
from udfs.patience import patiently
from udfs.reference_side import write_reference
from udfs.rule_side import write_rule
from udfs.worker_settings import WorkerSettings

_SOCKET_TIMEOUT_S = 5.0

LOOK_EVERY_S = 5.0
"""How often it looks what the workers refuse: they tell their models as often."""


class PublishModels(ScalarFunction):
    """Vectorised: (model, table_row, figures) of the model step → a control status, or NULL.

    Under the name REFERENCE come control messages for the rank workers: which ranking model is to serve,
    context rules and experiments. The statuses are what workers refused of those, in whichever rows: it looks
    when rows come, every `LOOK_EVERY_S` at most, and with each control message, which may end a refusal.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._redis: Any

    def open(self, function_context: FunctionContext) -> None:
        self._redis = Redis.from_url(
            self._settings.redis_url,
            socket_timeout=_SOCKET_TIMEOUT_S,
            socket_connect_timeout=_SOCKET_TIMEOUT_S,
        )
        self._names = RedisKeys(self._settings.prefix)
        self._refusals = WorkerRefusals()
        self._looked: float | None = None

    def is_deterministic(self) -> bool:
        return False

    def _refer(self, control: Control) -> None:
        redis, names, most = self._redis, self._names, self._settings.publish.most_changes
        if control.kind == RULE:
            rule = record_of_rule(control)
            patiently(lambda: write_rule(redis, names, rule, most))
        elif control.kind == EXPERIMENT:
            tried = record_of_experiment(control)
            patiently(lambda: write_experiment(redis, names, tried, most))
        else:
            model = record_of(control)
            patiently(lambda: write_reference(redis, names, model, most))

    def eval(
        self, model: pd.Series[str], table_row: pd.Series[Any], figures: pd.Series[Any]
    ) -> pd.Series[Any]:
        rows = [decode_row(value) for value in table_row if value is not None]
        told = [(name, value) for name, value in zip(model, figures, strict=True) if value is not None]
        latest = {name: value for name, value in told if name != REFERENCE}
        controls = [CONTROLS.decode(value) for name, value in told if name == REFERENCE]
        statuses = self._refused(at_once=bool(controls), most=len(model))
        for control in controls:
            self._refer(control)
        publish, newest = self._settings.publish, list(latest.items())
        patiently(
            lambda: write_models(
                self._redis, self._names, rows, newest, publish.item_ttl, publish.most_changes
            )
        )
        return pd.Series([*statuses, *[None] * (len(model) - len(statuses))], dtype=object)

    def _refused(self, *, at_once: bool, most: int) -> list[bytes]:
        """What workers refused and nobody was told yet. A Redis that is away is asked the next time."""
        now = time.monotonic()
        if not at_once and self._looked is not None and now - self._looked < LOOK_EVERY_S:
            return []
        self._looked = now
        with suppress(RedisError):
            living = models_told(self._redis, self._names, time.time_ns() // 1_000_000)
            return [msgspec.json.encode(status) for status in self._refusals.news(living, most)]
        return []
