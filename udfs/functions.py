"""The vectorised functions of the job's SQL: thin shells around the rank worker of their process."""

from __future__ import annotations

import gc
import threading
import time
from typing import Any

import pandas as pd
from pyflink.table.udf import FunctionContext, ScalarFunction

from operators.dead_letters import Rejected, dead_letter
from operators.ingest_settings import IngestSettings
from operators.item_ingest import ItemIngest
from operators.preload import Preload
from operators.shelf_records import CoVisits, Popularity, PurchaseScores, SessionSteps
from schemas.codec import DEAD_LETTERS
from schemas.reason import Reason
from schemas.records import Item
from udfs.bundle_clock import stop_bundle_clock
from udfs.catalogue_entries import bring_back, entered
from udfs.rank_worker import RankWorker
from udfs.worker_settings import WorkerSettings

_LOOK_EVERY_S = 5.0

_workers: dict[str, RankWorker] = {}
_starting = threading.Lock()


def shared_worker(settings: WorkerSettings) -> RankWorker:
    """The started rank worker of this process."""
    with _starting:
        told = repr(settings)
        worker = _workers.get(told)
        if worker is None:
            stop_bundle_clock()
            worker = RankWorker(settings)
            worker.start()
            # What lives as long as the process need not be walked by every full collection.
            gc.collect()
            gc.freeze()
            _workers[told] = worker
        return worker


class _WorkerFunction(ScalarFunction):
    """A function that works through the rank worker, opened with the task."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._worker: RankWorker

    def open(self, function_context: FunctionContext) -> None:
        self._worker = shared_worker(self._settings)

    def is_deterministic(self) -> bool:
        return False


class RankUsers(_WorkerFunction):
    """(refresh request) → the message for the recommendations topic; NULL where a later one covered it."""

    def eval(self, requests: pd.Series[Any]) -> pd.Series[Any]:
        self._worker.wait_for_items()
        return pd.Series(self._worker.rank(list(requests)), dtype=object)


class PublishCoVisits(_WorkerFunction):
    """(item, item that goes with it, log-score) → 1, once Redis has acknowledged them."""

    def eval(self, a: pd.Series[Any], b: pd.Series[Any], s: pd.Series[Any]) -> pd.Series[Any]:
        self._worker.write_items([CoVisits(list(a), list(b), s.tolist())])
        return pd.Series(1, index=range(len(a)))


class PublishPopularity(_WorkerFunction):
    """(scope, item, log-score) → 1, once Redis has acknowledged them."""

    def eval(self, scopes: pd.Series[Any], items: pd.Series[Any], s: pd.Series[Any]) -> pd.Series[Any]:
        self._worker.write_items([Popularity(list(scopes), list(items), s.tolist())])
        return pd.Series(1, index=range(len(items)))


class PublishPurchases(_WorkerFunction):
    """(kind, row, member, log-score) of what purchases say → 1, once Redis has acknowledged them."""

    def eval(
        self, kinds: pd.Series[Any], a: pd.Series[Any], b: pd.Series[Any], s: pd.Series[Any]
    ) -> pd.Series[Any]:
        told = pd.DataFrame({"kind": kinds, "a": a, "b": b, "s": s})
        self._worker.write_items(
            [
                PurchaseScores(str(kind), rows["a"].tolist(), rows["b"].tolist(), rows["s"].tolist())
                for kind, rows in told.groupby("kind")
            ]
        )
        return pd.Series(1, index=range(len(a)))


class PublishSteps(_WorkerFunction):
    """(session, item, time in ms) → 1, once Redis has acknowledged them."""

    def eval(self, sessions: pd.Series[Any], items: pd.Series[Any], times: pd.Series[Any]) -> pd.Series[Any]:
        self._worker.write_items([SessionSteps(sessions.tolist(), list(items), times.tolist())])
        return pd.Series(1, index=range(len(items)))


class PublishSegments(_WorkerFunction):
    """(segment, users in it) → 1, once Redis has acknowledged them."""

    def eval(self, segments: pd.Series[Any], members: pd.Series[Any]) -> pd.Series[Any]:
        self._worker.write_segments(dict(zip(segments, members.tolist(), strict=True)))
        return pd.Series(1, index=range(len(segments)))


class PublishItems(_WorkerFunction):
    """(message of the catalogue topic, partition, offset, time) → a dead letter, or NULL for a good one."""

    def __init__(
        self, settings: WorkerSettings, ingest: IngestSettings, preload: Preload, topic: str
    ) -> None:
        super().__init__(settings)
        self._ingest = ingest
        self._preload = preload
        self._topic = topic

    def open(self, function_context: FunctionContext) -> None:
        super().open(function_context)
        self._items = ItemIngest(self._ingest, self._preload.schemas())
        self._looked = time.monotonic()
        metrics = function_context.get_metric_group().add_group("headrace").add_group("rejected_items")
        self._rejected = {reason: metrics.counter(str(reason)) for reason in Reason}
        if self._worker.began_empty:
            bring_back(self._preload.catalogue(self._topic), self._items.accept, self._worker.write_items)

    def eval(
        self,
        messages: pd.Series[Any],
        partitions: pd.Series[Any],
        offsets: pd.Series[Any],
        times: pd.Series[Any],
    ) -> pd.Series[Any]:
        items = []
        letters: list[bytes | None] = []
        for message, partition, offset, at in zip(messages, partitions, offsets, times, strict=True):
            item = self._accept(message)
            if isinstance(item, Rejected):
                letter = dead_letter(
                    item, message, self._topic, int(partition), int(offset), int(at.timestamp() * 1000)
                )
                letters.append(DEAD_LETTERS.encode(letter))
            else:
                items.append((item, int(at.timestamp() * 1000)))
                letters.append(None)
        if items:
            self._worker.write_items(entered(items))
        return pd.Series(letters, dtype=object)

    def _accept(self, message: bytes) -> Item | Rejected:
        item = self._items.accept(message)
        if isinstance(item, Rejected) and item.reason is Reason.UNKNOWN_SCHEMA and self._may_look():
            self._preload.schemas()
            item = self._items.accept(message)
        if isinstance(item, Rejected):
            self._rejected[item.reason].inc()
        return item

    def _may_look(self) -> bool:
        """Whether the control topic may be read again for new schemas."""
        now = time.monotonic()
        if now - self._looked < _LOOK_EVERY_S:
            return False
        self._looked = now
        return True
