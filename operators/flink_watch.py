"""The detectors of pools and of the whole stream, beside the user step: batches in, alerts and requests out."""

from __future__ import annotations

from collections.abc import Iterator

from pyflink.common import Types
from pyflink.datastream import RuntimeContext
from pyflink.datastream.state import ValueStateDescriptor

from operators.control import key_of
from operators.flink_counts import WatchCounts
from operators.flink_rows import STREAM
from operators.pool_batches import decode_batch
from operators.pooled_drift import PooledDetector, PooledDriftSettings
from operators.retrain_policy import RetrainPolicy, RetrainSettings
from operators.stream_drift import StreamDrift, StreamDriftSettings
from operators.stream_summary import decode_summary
from schemas.codec import CONTROLS, DRIFT_ALERTS
from schemas.records import DriftAlert

Message = tuple[str, str | None, bytes]
"""A topic, the key there if it is a compacted one, and what is to be said."""


class WatchFunction:
    """Wraps `StreamDrift` and `PooledDetector`, for a step that is keyed by detector and runs in one subtask, which
    alone asks for retraining."""

    def __init__(
        self,
        stream: StreamDriftSettings,
        pooled: PooledDriftSettings,
        retrain: RetrainSettings,
        drift_topic: str,
        control_topic: str,
    ) -> None:
        self._settings = stream, retrain
        self._drift_topic = drift_topic
        self._control_topic = control_topic
        self._pooled = PooledDetector(pooled)

    def open(self, runtime_context: RuntimeContext) -> None:
        """Called with the task's own `open`."""
        self._state = runtime_context.get_state(ValueStateDescriptor("watch", Types.PICKLED_BYTE_ARRAY()))
        self._asked = runtime_context.get_state(ValueStateDescriptor("asked", Types.LONG()))
        self._stream: StreamDrift | None = None
        self._policy = RetrainPolicy(self._settings[1])
        self._counts = WatchCounts(runtime_context.get_metrics_group().add_group("headrace"))

    def take(self, key: str, batch: bytes) -> Iterator[Message]:
        """Have the detector of `key`, which is the current key, hear a batch."""
        alerts = self._of_stream(batch) if key == STREAM else self._of_pool(batch)
        for alert in alerts:
            self._counts.alert(alert)
            yield self._drift_topic, None, DRIFT_ALERTS.encode(alert)
            request = self._policy_now().take(alert)
            if request is not None:
                self._asked.update(alert.at)
                self._counts.requests.inc()
                yield self._control_topic, key_of(request), CONTROLS.encode(request)

    def _of_stream(self, batch: bytes) -> list[DriftAlert]:
        if self._stream is None:
            stored = self._state.value()
            stream = self._settings[0]
            self._stream = StreamDrift.from_bytes(bytes(stored), stream) if stored else StreamDrift(stream)
        alerts = self._stream.take(decode_summary(batch))
        self._state.update(self._stream.to_bytes())
        return alerts

    def _of_pool(self, batch: bytes) -> list[DriftAlert]:
        stored: bytes | None = self._state.value()
        alerts = []
        for error in decode_batch(batch):
            stored, alert = self._pooled.feed(stored, error)
            if alert is not None:
                alerts.append(alert)
        self._state.update(stored)
        return alerts

    def _policy_now(self) -> RetrainPolicy:
        """The policy, which after a restart remembers what this key had asked for."""
        asked = self._asked.value()
        if asked is not None:
            self._policy.asked_at = max(asked, self._policy.asked_at or asked)
        return self._policy
