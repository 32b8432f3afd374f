"""The vectorised functions that refuse messages of no known kind: thin shells around `operators.turned_away`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from pyflink.table.udf import FunctionContext, ScalarFunction

from operators.turned_away import TurnedAway, told
from schemas.reason import Reason


class TurnAway(ScalarFunction):
    """(message, partition, offset, time) → its dead letter. `framed` says whether a registry is configured."""

    def __init__(self, topic: str, *, framed: bool) -> None:
        self._topic = topic
        self._framed = framed

    def open(self, function_context: FunctionContext) -> None:
        rejected = function_context.get_metric_group().add_group("headrace").add_group("rejected")
        counters = {reason: rejected.counter(str(reason)) for reason in Reason}
        self._turned = TurnedAway(
            self._topic, framed=self._framed, count=lambda reason: counters[reason].inc()
        )

    def is_deterministic(self) -> bool:
        return False

    def eval(
        self,
        messages: pd.Series[Any],
        partitions: pd.Series[Any],
        offsets: pd.Series[Any],
        times: pd.Series[Any],
    ) -> pd.Series[Any]:
        letters = self._turned.letters(messages, partitions.tolist(), offsets.tolist(), _ms(times))
        return pd.Series(letters, dtype=object)


class TellTurnedAway(ScalarFunction):
    """(time) of messages that were turned away → one summary a batch, for the detectors of the stream; else NULL."""

    def is_deterministic(self) -> bool:
        return False

    def eval(self, times: pd.Series[Any]) -> pd.Series[Any]:
        return pd.Series(told(_ms(times)), dtype=object)


def _ms(times: pd.Series[Any]) -> list[int]:
    """Milliseconds since 1970; a column with a zone is given in UTC."""
    ms: list[int] = times.to_numpy(dtype="datetime64[ms]").astype(np.int64).tolist()
    return ms
